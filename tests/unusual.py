"""Networks that compute in an unusual way something that can also be said plainly.

Each is a pair: as it may be found, and a twin of the same values in which every step is one that ``outside`` knows.
"""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

WIDTH = 8


class Body(nn.Module):
    """A stem, ``body(self, x)`` on (N, 8, 100), the mean over time, a head. ``twin`` says the body plainly."""

    def __init__(self, body, twin=None, parts=None):
        super().__init__()
        self.stem, self.head = nn.Conv1d(12, WIDTH, 5, 2, 2), nn.Linear(WIDTH, 5)
        self.parts = nn.ModuleDict(parts() if parts else {"conv": nn.Conv1d(WIDTH, WIDTH, 3, 1, 1)})
        self.body, self.twin = body, twin or body

    def forward(self, x):
        x = torch.relu(self.stem(x))
        return self.head(self.body(self, x).mean(-1))


class Said(nn.Module):
    """The twin."""

    def __init__(self, model: Body):
        super().__init__()
        self.model = model

    def forward(self, x):
        x = torch.relu(self.model.stem(x))
        return self.model.head(self.model.twin(self.model, x).mean(-1))


def convolved(m, x):
    return F.relu(m.parts["conv"](x))


def residual(m, x):
    return x + F.relu(m.parts["conv"](x))


def into_a_slice(m, x):
    y = m.parts["conv"](x)
    y[:, :4] = F.relu(y[:, :4])
    return y


def half_rectified(m, x):
    y = m.parts["conv"](x)
    return torch.cat([F.relu(y[:, :4]), y[:, 4:]], 1)


def masked(m, x):
    mask = x.new_zeros(x.shape[-1])  # as shifted windows in torchvision's Swin are made
    mask[::2] = -1
    return x + F.relu(m.parts["conv"](x)) * (1 + mask) * torch.ones_like(x)


def masked_by_hand(m, x):
    mask = torch.ones(x.shape[-1], dtype=x.dtype)
    mask[::2] = 0
    return x + F.relu(m.parts["conv"](x)) * mask


def of_frequencies(m, x):
    """A branch over frequencies, complex in between, beside a plain one."""
    z = torch.fft.rfft(x)
    return x + F.relu(m.parts["conv"](z.real**2 + z.imag**2)).mean(-1, keepdim=True)


def of_frequencies_by_hand(m, x):
    t = torch.arange(x.shape[-1], dtype=x.dtype)
    angle = 2 * torch.pi * t[: len(t) // 2 + 1, None] * t / len(t)
    power = (x @ angle.cos().T).square() + (x @ angle.sin().T).square()
    return x + F.relu(m.parts["conv"](power)).mean(-1, keepdim=True)


def added_in_a_slice(m, x):
    y = x.clone()
    y[:, :4] += F.relu(m.parts["conv"](x))[:, 4:]
    return y


def added_by_cat(m, x):
    return torch.cat([x[:, :4] + F.relu(m.parts["conv"](x))[:, 4:], x[:, 4:]], 1)


def into_a_buffer(m, x):
    out = torch.zeros(len(x), 2 * WIDTH, x.shape[2], dtype=x.dtype)
    out[:, :WIDTH] = x
    out[:, WIDTH:] = F.relu(m.parts["conv"](x))
    return out[:, 4:12]


def side_by_side(m, x):
    return torch.cat([x, F.relu(m.parts["conv"](x))], 1)[:, 4:12]


def own_norm(m, x):
    x = m.parts["conv"](x).transpose(1, 2)
    centred = x - x.mean(-1, keepdim=True)
    deviation = (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()
    norm = m.parts["norm"]
    return (centred / deviation * norm.weight + norm.bias).transpose(1, 2)


def its_norm(m, x):
    return m.parts["norm"](m.parts["conv"](x).transpose(1, 2)).transpose(1, 2)


def with_norm():
    return {"conv": nn.Conv1d(WIDTH, WIDTH, 3, 1, 1), "norm": nn.LayerNorm(WIDTH)}


def own_attention(m, x):
    x = x.transpose(1, 2)
    q, k, v = m.parts["qkv"](x).chunk(3, -1)
    weights = torch.softmax(torch.bmm(q, k.transpose(1, 2)) / WIDTH**0.5, -1)
    return torch.bmm(weights, v).transpose(1, 2)


def flash(m, x):
    q, k, v = m.parts["qkv"](x.transpose(1, 2)).chunk(3, -1)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2)


def with_qkv():
    return {"qkv": nn.Linear(WIDTH, 3 * WIDTH)}


def gated(m, x):
    return F.glu(m.parts["conv"](x), 1)


def gated_by_hand(m, x):
    a, b = m.parts["conv"](x).chunk(2, 1)
    return a * torch.sigmoid(b)


def doubled():
    return {"conv": nn.Conv1d(WIDTH, 2 * WIDTH, 3, 1, 1)}


def dynamic(m, x):
    """The kernel is computed from the signal: a gate."""
    kernel = torch.sigmoid(m.parts["kernel"](x.mean(-1))).view(len(x) * WIDTH, 1, 3)
    return F.conv1d(x.reshape(1, -1, x.shape[2]), kernel, padding=1, groups=len(x) * WIDTH).view_as(x)


class Scaled(nn.Module):
    """Behaves otherwise in training: noise, and a factor."""

    def __init__(self):
        super().__init__()
        self.scale = 3.0

    def forward(self, x):
        return x * self.scale + torch.randn_like(x) if self.training else x


def noisy_in_training(m, x):
    return m.parts["scaled"](F.relu(m.parts["conv"](x)))


def with_noise():
    return {"conv": nn.Conv1d(WIDTH, WIDTH, 3, 1, 1), "scaled": Scaled()}


def spectral():
    return {"conv": nn.utils.parametrizations.spectral_norm(nn.Conv1d(WIDTH, WIDTH, 3, 1, 1))}


def over(function):
    """A convolution, then ``function``."""
    return lambda m, x: function(F.relu(m.parts["conv"](x)))


LRP_AND_MORE = ("LRP", "deeplift", "deepshap", "guided_backprop", "deconvnet", "guided_grad_cam", "grad_cam",
                "grad_cam_pp", "hirescam")  # fmt: skip
RULES = ("deeplift", "deepshap")

# name -> (body, twin, parts, methods that may refuse it)
UNUSUAL = {
    "writes into a slice": (into_a_slice, half_rectified, None, ()),
    "adds in a slice": (added_in_a_slice, added_by_cat, None, ()),
    "writes into a buffer": (into_a_buffer, side_by_side, None, ()),
    "complex numbers": (of_frequencies, of_frequencies_by_hand, None, ("LRP", "grad_cam", *RULES)),
    "new tensors like the signal": (masked, masked_by_hand, None, ()),
    "checkpoint": (lambda m, x: checkpoint(residual, m, x, use_reentrant=False), residual, None, LRP_AND_MORE),
    "reentrant checkpoint": (
        lambda m, x: checkpoint(residual, m, x, use_reentrant=True), residual, None,
        (*LRP_AND_MORE, "gradient", "integrated_gradients"),  # PyTorch's own autograd.grad refuses it
    ),
    "own layer norm": (own_norm, its_norm, with_norm, RULES),
    "own attention": (own_attention, None, with_qkv, RULES),
    "scaled_dot_product_attention": (flash, own_attention, with_qkv, RULES),
    "glu": (gated, gated_by_hand, doubled, RULES),
    "kernel from the signal": (
        dynamic, None, lambda: {"kernel": nn.Linear(WIDTH, 3 * WIDTH)}, (*LRP_AND_MORE,)
    ),
    "einsum": (
        lambda m, x: F.relu(torch.einsum("nct,dc->ndt", x, m.parts["dense"].weight)),
        lambda m, x: F.relu(m.parts["dense"](x.transpose(1, 2)).transpose(1, 2)),
        lambda: {"dense": nn.Linear(WIDTH, WIDTH, bias=False)}, ("cam",),
    ),
    "convolution by unfold": (
        lambda m, x: F.relu(
            torch.einsum("nctk,dck->ndt", F.pad(x, (1, 1)).unfold(2, 3, 1), m.parts["conv"].weight)
            + m.parts["conv"].bias[:, None]
        ),
        convolved, None, ("cam",),
    ),
    "roll, flip, upsampling": (
        over(lambda x: F.interpolate(x.roll(3, -1).flip(-1)[..., ::2], scale_factor=2, mode="linear")), None, None, ()
    ),
    "largest three": (over(lambda x: x.topk(3, -1).values), None, None, ("deeplift", "deepshap")),
    "aten operations": (
        lambda m, x: torch.ops.aten.relu(torch.ops.aten.add(x, torch.ops.aten.relu(m.parts["conv"](x)))),
        lambda m, x: F.relu(residual(m, x)), None, LRP_AND_MORE,
    ),
    "otherwise in training": (noisy_in_training, convolved, with_noise, ()),
    "spectral norm": (convolved, None, spectral, ()),
}  # fmt: skip


def said(model: Body) -> nn.Module:
    return Said(model)


def make(name: str) -> Body:
    """Return the network as it may be found."""
    body, twin, parts, _ = UNUSUAL[name]
    return Body(body, twin, parts)
