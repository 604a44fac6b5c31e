"""What explanations of a network must equal, computed from outside: slow or narrow, and without the package.

Every function takes ``model`` in evaluation mode, giving logits (N, classes), ``x`` (N, ...) and ``target`` (N,).
"""

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

RELUS = {F.relu, torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_}
ACTIVATIONS = RELUS | {
    F.gelu, F.silu, F.elu, F.leaky_relu, F.selu, F.softplus, F.mish, F.prelu, F.hardswish, F.relu6, F.tanh, torch.tanh,
}  # fmt: skip
GATES = {torch.softmax, F.softmax, torch.Tensor.softmax, torch.sigmoid, torch.Tensor.sigmoid, F.sigmoid}


def explained(model, x: Tensor, target: Tensor) -> Tensor:
    return model(x).gather(1, target[:, None])[:, 0]


def gradient(model, x: Tensor, target: Tensor) -> Tensor:
    x = x.detach().clone().requires_grad_()
    return torch.autograd.grad(explained(model, x, target).sum(), x)[0]


# --- LRP-0: input times the gradient of the network made locally linear ------------------------------------


class _LocallyLinear(TorchFunctionMode):
    """Activations become factors y / x; deviations, gates and attention weights are held constant."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in ACTIVATIONS:
            return _factor(args[0], func(*args, **{k: v for k, v in kwargs.items() if k != "inplace"}))
        if func in GATES:
            return func(*args, **kwargs).detach()
        if func in NORMS:
            return NORMS[func](func(*args, **kwargs), *args, **kwargs)
        if func is F.multi_head_attention_forward:
            return _attention(func, args, kwargs)
        return func(*args, **kwargs)


def _factor(x: Tensor, y: Tensor) -> Tensor:
    silent = x == 0
    return x * torch.where(silent, 0.0, y / torch.where(silent, 1.0, x)).detach()


def _normalised(out, x, groups, weight, bias, eps):
    """Normalise x, seen as (N, groups, values), by its own mean and a deviation that counts as constant."""
    v = x.reshape(*groups, -1)
    y = (v - v.mean(-1, keepdim=True)) * (v.var(-1, unbiased=False, keepdim=True) + eps).rsqrt().detach()
    y = y.view_as(x) if weight is None else y.view_as(x) * weight + bias
    torch.testing.assert_close(y, out, rtol=1e-4, atol=1e-5)
    return y


def _layer_norm(out, x, shape, weight=None, bias=None, eps=1e-5):
    return _normalised(out, x, x.shape[: -len(shape)], weight, bias, eps)


def _group_norm(out, x, groups, weight=None, bias=None, eps=1e-5):
    return _normalised(out, x, (len(x), groups), weight[:, None], bias[:, None], eps)


def _instance_norm(out, x, *, running_mean, running_var, weight, bias, use_input_stats, momentum, eps):
    return _normalised(out, x, x.shape[:2], weight[:, None], bias[:, None], eps)


NORMS = {F.layer_norm: _layer_norm, F.group_norm: _group_norm, F.instance_norm: _instance_norm}


def _attention(func, args, kwargs):
    def weighted(q, k, v, mask=None, p=0.0, causal=False):
        return torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, -1).detach() @ v

    usual, F.scaled_dot_product_attention = F.scaled_dot_product_attention, weighted
    try:
        return func(*args, **{**kwargs, "need_weights": False})
    finally:
        F.scaled_dot_product_attention = usual


def lrp0(model, x: Tensor, target: Tensor) -> Tensor:
    """LRP with the z-rule everywhere: the input times that gradient (Ancona et al. 2018, proposition 1, extended)."""
    with _LocallyLinear():
        return x * gradient(model, x, target)


# --- DeepLIFT, where nothing but activations is not linear -------------------------------------------------


class _Secant(TorchFunctionMode):
    """Of a batch (inputs, then baselines), activations get the slope between the two: the rescale rule."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func not in ACTIVATIONS:
            return func(*args, **kwargs)
        x, kwargs = args[0], {k: v for k, v in kwargs.items() if k != "inplace"}
        point = x.detach().clone().requires_grad_()
        y = func(point, *args[1:], **kwargs)
        (tangent,) = torch.autograd.grad(y.sum(), point)
        (a, b), (fa, fb) = x.detach().chunk(2), y.detach().chunk(2)
        step = torch.where((a - b).abs() < 1e-9, 1.0, a - b)
        slope = torch.where((a - b).abs() < 1e-9, tangent.chunk(2)[0], (fa - fb) / step)
        return y.detach() + torch.cat([slope, slope]) * (x - x.detach())


def deeplift(model, x: Tensor, target: Tensor) -> Tensor:
    """The rescale rule from a baseline of zeros (Shrikumar et al. 2017, section 3.5.2): a chain rule for slopes."""
    with _Secant():
        both = gradient(model, torch.cat([x, torch.zeros_like(x)]), torch.cat([target, target]))
    return both[: len(x)] * x


# --- Guided backpropagation, deconvnet ---------------------------------------------------------------------


class _Rectifier(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, guided):
        ctx.save_for_backward(x)
        ctx.guided = guided
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        grad = grad.clamp(min=0)
        return grad * (x > 0) if ctx.guided else grad, None


class _Rectified(TorchFunctionMode):
    def __init__(self, guided: bool):
        super().__init__()
        self.guided = guided

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in RELUS:
            return _Rectifier.apply(args[0], self.guided)
        return func(*args, **(kwargs or {}))


def guided_backprop(model, x, target) -> Tensor:
    with _Rectified(guided=True):
        return gradient(model, x, target)


def deconvnet(model, x, target) -> Tensor:
    with _Rectified(guided=False):
        return gradient(model, x, target)


# --- Class activation maps ---------------------------------------------------------------------------------


class _Activations(TorchFunctionMode):
    """Keeps the output of every activation that has more than one place: (N, K, T) or (N, K, H, W)."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func in ACTIVATIONS and out.ndim > 2 and out.shape[2:].numel() > 1:
            self.kept.append(out)
        return out


def cams(model, x: Tensor, target: Tensor, tokens: bool = False) -> dict[str, Tensor] | None:
    """Return Grad-CAM, Grad-CAM++ and HiResCAM at the last activation with places, not yet enlarged; None without.

    ``tokens`` says that activations are (N, places..., channels).
    """
    with _Activations() as seen:
        logit = explained(model, x.detach().clone().requires_grad_(), target)
    if not seen.kept:
        return None
    maps = seen.kept[-1]
    grads = torch.autograd.grad(logit.sum(), maps)[0]
    maps = maps.detach()
    if tokens:
        maps, grads = maps.movedim(-1, 1), grads.movedim(-1, 1)
    places = tuple(range(2, maps.ndim))
    total = maps.sum(places, keepdim=True)
    alpha = grads**2 / (2 * grads**2 + total * grads**3)  # Chattopadhay et al. 2018, eq. 19
    alpha = torch.where(torch.isfinite(alpha), alpha, 0.0)
    found = {
        "grad_cam": (grads.mean(places, keepdim=True) * maps).sum(1),
        "grad_cam_pp": ((alpha * grads.clamp(min=0)).sum(places, keepdim=True) * maps).sum(1),
    }
    for name, cam in found.items():
        cam = cam.clamp(min=0)
        top = cam.flatten(1).amax(1).view(-1, *[1] * (cam.ndim - 1))
        found[name] = torch.where(top > 0, cam / top, 0.0)
    return {**found, "hirescam": (grads * maps).sum(1)}
