"""Small ECG networks such as researchers bring: (N, 12, T) -> (N, 5), random weights, nothing of the package."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

import unusual

WIDTH, SAMPLES, CLASSES = 8, 200, 5


class ResBlock(nn.Module):
    """As in xresnet1d and torchvision: one in-place ReLU used twice."""

    def __init__(self, i, o, stride=1):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv1d(i, o, 5, stride, 2, bias=False), nn.BatchNorm1d(o)
        self.conv2, self.bn2 = nn.Conv1d(o, o, 5, 1, 2, bias=False), nn.BatchNorm1d(o)
        self.act = nn.ReLU(inplace=True)
        same = i == o and stride == 1
        self.short = nn.Identity() if same else nn.Sequential(nn.Conv1d(i, o, 1, stride, bias=False), nn.BatchNorm1d(o))

    def forward(self, x):
        y = self.bn2(self.conv2(self.act(self.bn1(self.conv1(x)))))
        y += self.short(x)
        return self.act(y)


class ResNet(nn.Module):
    def __init__(self, pool=True):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv1d(12, WIDTH, 5, 2, 2, bias=False),
            nn.BatchNorm1d(WIDTH),
            nn.ReLU(inplace=True),
            nn.MaxPool1d(3, 2, 1),
        )
        self.blocks = nn.Sequential(ResBlock(WIDTH, WIDTH), ResBlock(WIDTH, 2 * WIDTH, 2))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten()) if pool else None
        self.head = nn.Linear(2 * WIDTH, CLASSES)

    def forward(self, x):
        x = self.blocks(self.stem(x))
        return self.head(self.pool(x) if self.pool else x.mean(-1))


class PreActBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.bn1, self.relu1, self.conv1 = nn.BatchNorm1d(c), nn.ReLU(), nn.Conv1d(c, c, 5, 1, 2)
        self.bn2, self.relu2, self.conv2 = nn.BatchNorm1d(c), nn.ReLU(), nn.Conv1d(c, c, 5, 1, 2)

    def forward(self, x):
        return x + self.conv2(self.relu2(self.bn2(self.conv1(self.relu1(self.bn1(x))))))


class PreActResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.b1, self.b2 = nn.Conv1d(12, WIDTH, 5, 2, 2), PreActBlock(WIDTH), PreActBlock(WIDTH)
        self.bn, self.relu, self.head = nn.BatchNorm1d(WIDTH), nn.ReLU(), nn.Linear(WIDTH, CLASSES)

    def forward(self, x):
        x = self.relu(self.bn(self.b2(self.b1(self.stem(x)))))
        return self.head(F.adaptive_avg_pool1d(x, 1).squeeze(-1))


class Inception(nn.Module):
    def __init__(self, i, o=4, sizes=(9, 19, 39)):
        super().__init__()
        self.bottle = nn.Conv1d(i, o, 1, bias=False)
        self.convs = nn.ModuleList(nn.Conv1d(o, o, k, padding=k // 2, bias=False) for k in sizes)
        self.pool, self.poolconv = nn.MaxPool1d(3, 1, 1), nn.Conv1d(i, o, 1, bias=False)
        self.bn, self.act = nn.BatchNorm1d(o * (len(sizes) + 1)), nn.ReLU()

    def forward(self, x):
        b = self.bottle(x)
        return self.act(self.bn(torch.cat([conv(b) for conv in self.convs] + [self.poolconv(self.pool(x))], 1)))


class InceptionTime(nn.Module):
    def __init__(self):
        super().__init__()
        self.i1, self.i2 = Inception(12), Inception(16)
        self.short, self.bn, self.act = nn.Conv1d(12, 16, 1, bias=False), nn.BatchNorm1d(16), nn.ReLU()
        self.pool, self.flat, self.head = nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, CLASSES)

    def forward(self, x):
        y = self.act(self.i2(self.i1(x)) + self.bn(self.short(x)))
        return self.head(self.flat(self.pool(y)))


class Functional(nn.Module):
    """Everything but the weights is a call; ``function`` is the activation."""

    def __init__(self, function=F.relu):
        super().__init__()
        self.function = function
        self.c1, self.c2 = nn.Conv1d(12, WIDTH, 5, 1, 2), nn.Conv1d(WIDTH, WIDTH, 5, 1, 2)
        self.d1, self.d2 = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, CLASSES)

    def forward(self, x):
        x = F.max_pool1d(self.function(self.c1(x)), 2)
        x = torch.flatten(F.adaptive_avg_pool1d(self.function(self.c2(x)), 1), 1)
        return self.d2(F.dropout(self.function(self.d1(x)), 0.3, self.training))


class OddNorms(nn.Module):
    """Batch norm on the input, behind a ReLU, declared late, and on what something else reads, too."""

    def __init__(self):
        super().__init__()
        self.c1, self.c2, self.c3 = nn.Conv1d(12, WIDTH, 5, 2, 2), *(nn.Conv1d(WIDTH, WIDTH, 3, 1, 1) for _ in "ab")
        self.late, self.behind, self.beside = (nn.BatchNorm1d(WIDTH) for _ in range(3))
        self.entry, self.head = nn.BatchNorm1d(12), nn.Linear(WIDTH, CLASSES)

    def forward(self, x):
        x = self.behind(F.relu(self.c1(self.entry(x))))
        x = F.relu(self.late(self.c2(x)))
        y = self.c3(x)
        return self.head(torch.relu(self.beside(y) + y).mean(dim=2))


class Gate(nn.Module):
    def __init__(self, c, conv):
        super().__init__()
        self.conv = conv
        self.a = nn.Conv1d(c, c // 4, 1) if conv else nn.Linear(c, c // 4)
        self.b = nn.Conv1d(c // 4, c, 1) if conv else nn.Linear(c // 4, c)

    def forward(self, x):
        y = F.adaptive_avg_pool1d(x, 1)
        y = torch.sigmoid(self.b(F.relu(self.a(y if self.conv else y.flatten(1)))))
        return x * (y if self.conv else y[..., None])


class SqueezeExcite(nn.Module):
    def __init__(self, conv=False):
        super().__init__()
        self.c1, self.a1, self.g1 = nn.Conv1d(12, WIDTH, 5, 2, 2), nn.ReLU(), Gate(WIDTH, conv)
        self.c2, self.a2, self.g2 = nn.Conv1d(WIDTH, WIDTH, 5, 1, 2), nn.ReLU(), Gate(WIDTH, conv)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x):
        return self.head(self.g2(self.a2(self.c2(self.g1(self.a1(self.c1(x)))))).mean(-1))


class Encoder(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attention = nn.MultiheadAttention(d, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

    def forward(self, x):
        y = self.n1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.n2(x))


class Transformer(nn.Module):
    def __init__(self, linear=False, patch=20, d=8):
        super().__init__()
        self.linear, self.patch = linear, patch
        self.embed = nn.Linear(12 * patch, d) if linear else nn.Conv1d(12, d, patch, patch)
        self.pos = nn.Parameter(torch.randn(1, SAMPLES // patch, d) * 0.3)
        self.layers = nn.ModuleList(Encoder(d) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, CLASSES)

    def forward(self, x):
        if self.linear:
            x = self.embed(x.unfold(2, self.patch, self.patch).permute(0, 2, 1, 3).flatten(2))
        else:
            x = self.embed(x).transpose(1, 2)
        x = x + self.pos
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x).mean(1))


class Attended(nn.Module):
    """A recurrent network whose states an attention sums up; ``front`` is a convolution."""

    def __init__(self, kind=nn.LSTM, front=False):
        super().__init__()
        self.conv = nn.Conv1d(12, WIDTH, 7, 8, 3) if front else None
        self.rnn = kind(WIDTH if front else 12, WIDTH, batch_first=True, bidirectional=not front)
        width = WIDTH if front else 2 * WIDTH
        self.score, self.head = nn.Linear(width, 1), nn.Linear(width, CLASSES)

    def forward(self, x):
        x = F.relu(self.conv(x)) if self.conv is not None else x[..., ::10]
        h, _ = self.rnn(x.transpose(1, 2))
        return self.head((torch.softmax(self.score(h), 1) * h).sum(1))


class WeightNormed(nn.Module):
    def __init__(self):
        super().__init__()
        normed = nn.utils.parametrizations.weight_norm
        self.c1, self.r1 = normed(nn.Conv1d(12, WIDTH, 5, 2, 2)), nn.ReLU()
        self.c2, self.r2 = normed(nn.Conv1d(WIDTH, WIDTH, 5, 1, 4, dilation=2)), nn.ReLU()
        self.pool, self.flat, self.head = nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(WIDTH, CLASSES)

    def forward(self, x):
        return self.head(self.flat(self.pool(self.r2(self.c2(self.r1(self.c1(x)))))))


class Shared(nn.Module):
    """One convolution that runs three times, and a head that is declared before it."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(12, CLASSES)
        self.conv = nn.Conv1d(12, 12, 5, 1, 2)

    def forward(self, x):
        for _ in range(3):
            x = F.relu(self.conv(x))
        return self.head(x.sum(-1) / x.shape[-1])


class OwnConv(nn.Conv1d):
    """A subclass that pads by itself (causal)."""

    def forward(self, x):
        return super().forward(F.pad(x, (self.kernel_size[0] - 1, 0)))


class OwnSwish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


class FrugalSwish(torch.autograd.Function):
    """As in EfficientNet's PyTorch versions: a function of autograd that no mode sees."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grad * (s * (1 + x * (1 - s)))


class ChannelLast(nn.Module):
    """(N, T, 12)"""

    def __init__(self):
        super().__init__()
        self.net = plain(nn.ReLU)

    def forward(self, x):
        return self.net(x.transpose(1, 2))


class ImageResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.relu = nn.Conv2d(3, WIDTH, 3, 2, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU(True)
        self.pool, self.wide = nn.MaxPool2d(3, 2, 1), nn.Conv2d(WIDTH, WIDTH, 3, 1, 1, groups=2)
        self.norm, self.drop = nn.BatchNorm2d(WIDTH), nn.Dropout2d()
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten(), nn.Linear(6 * WIDTH, CLASSES))

    def forward(self, x):
        x = self.pool(self.relu(self.bn(self.conv(x))))
        return self.classifier(self.drop(self.relu(x + self.norm(self.wide(x)))))


class ConvNeXt(nn.Module):
    """Channels last around a layer norm and dense layers; a scale on the branch."""

    def __init__(self):
        super().__init__()
        self.stem, self.deep = nn.Conv2d(3, WIDTH, 4, 4), nn.Conv2d(WIDTH, WIDTH, 5, padding=2, groups=WIDTH)
        self.norm, self.last = nn.LayerNorm(WIDTH, eps=1e-6), nn.LayerNorm(WIDTH, eps=1e-6)
        self.up, self.down, self.scale = nn.Linear(WIDTH, 16), nn.Linear(16, WIDTH), nn.Parameter(torch.ones(WIDTH) / 2)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x):
        x = self.stem(x)
        y = self.norm(self.deep(x).permute(0, 2, 3, 1))
        x = x + (self.scale * self.down(F.gelu(self.up(y)))).permute(0, 3, 1, 2)
        return self.head(self.last(x.mean((-2, -1))))


class Windows(nn.Module):
    """Attention within shifted windows, as in Swin."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, WIDTH, 4, 4), nn.LayerNorm(WIDTH)
        self.qkv, self.out, self.head = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, CLASSES)
        self.relative = nn.Parameter(torch.randn(25, 25))

    def forward(self, x):
        x = self.stem(x).permute(0, 2, 3, 1)
        y = torch.roll(self.norm(x), shifts=(-1, -2), dims=(1, 2))
        y = y.view(len(x), 1, 5, 2, 5, WIDTH).permute(0, 1, 3, 2, 4, 5).reshape(-1, 25, WIDTH)
        q, k, v = self.qkv(y).reshape(len(y), 25, 3, 2, WIDTH // 2).permute(2, 0, 3, 1, 4).unbind(0)
        weights = F.softmax(q * (WIDTH // 2) ** -0.5 @ k.transpose(-2, -1) + self.relative, dim=-1)
        y = self.out((weights @ v).transpose(1, 2).flatten(2))
        y = y.view(len(x), 1, 2, 5, 5, WIDTH).permute(0, 1, 3, 2, 4, 5).reshape(x.shape)
        return self.head((x + torch.roll(y, shifts=(1, 2), dims=(1, 2))).flatten(1, 2).mean(1))


def as_image(x):
    return x.reshape(len(x), 3, 20, 40)


def plain(act, norm=None):
    """A sequential network with a dilated depthwise and a grouped convolution."""
    normed = (lambda c: [norm(c)]) if norm else (lambda c: [])
    return nn.Sequential(
        nn.Conv1d(12, WIDTH, 5, 2, 2), *normed(WIDTH), act(),
        nn.Conv1d(WIDTH, WIDTH, 5, 1, 4, dilation=2, groups=WIDTH), *normed(WIDTH), act(),
        nn.Conv1d(WIDTH, WIDTH, 1, groups=4), *normed(WIDTH), act(),
        nn.AvgPool1d(2), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(WIDTH, CLASSES),
    )  # fmt: skip


def over_leads():
    """(N, 1, 12, T)"""
    return nn.Sequential(
        nn.Conv2d(1, 6, (1, 7), padding=(0, 3)), nn.ReLU(), nn.Conv2d(6, WIDTH, (12, 1)), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTH, CLASSES),
    )  # fmt: skip


def dense():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(12 * SAMPLES, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 16), nn.ReLU(),
        nn.Linear(16, CLASSES),
    )  # fmt: skip


def causal():
    return nn.Sequential(
        OwnConv(12, WIDTH, 5), nn.ReLU(), OwnConv(WIDTH, WIDTH, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        nn.Linear(WIDTH, CLASSES),
    )  # fmt: skip


def ending(*layers):
    return lambda: nn.Sequential(*plain(nn.ReLU), *layers)


def without_last(model):
    return model[:-1]


LRP, RULES = "LRP", ("deeplift", "deepshap")
GUIDED = ("guided_backprop", "deconvnet", "guided_grad_cam")
CAM = ("grad_cam", "grad_cam_pp", "hirescam", "guided_grad_cam")

STEEP = (*RULES, "integrated_gradients")  # from zeros: a norm there is steeper than steps on a path can follow


class Foreign(NamedTuple):
    """A network of the zoo.

    Parameters
    ----------
    make : builds it
    logits : network -> the module whose outputs are to be explained; by default itself
    may_refuse : methods, or "LRP" for all of that family, that may refuse it by name, or say their error in a warning;
        the others must be right
    form : (N, 12, T) -> the input that it takes
    unseen : what "ReLU" and "layer" mean in it is not settled, so guided maps and CAM are not compared
    tokens : its last activations are (N, places, channels) or (N, height, width, channels)
    """

    make: Callable[[], nn.Module]
    logits: Callable[[nn.Module], nn.Module] = lambda model: model
    may_refuse: tuple[str, ...] = ()
    form: Callable = lambda x: x
    unseen: bool = False
    tokens: bool = False


def with_own_swish(model):
    model.function = OwnSwish()
    return model


ZOO = {
    "ResNet, shared in-place ReLU": Foreign(ResNet),
    "ResNet, x.mean(-1)": Foreign(lambda: ResNet(pool=False)),
    "pre-activation ResNet": Foreign(PreActResNet),
    "InceptionTime": Foreign(InceptionTime),
    "F.relu": Foreign(Functional),
    "F.elu": Foreign(lambda: Functional(F.elu)),
    "batch norm in odd places": Foreign(OddNorms),
    "SE gates, dense": Foreign(SqueezeExcite, may_refuse=RULES),
    "SE gates, convolution": Foreign(lambda: SqueezeExcite(conv=True), may_refuse=RULES),
    "BatchNorm": Foreign(lambda: plain(nn.ReLU, nn.BatchNorm1d)),
    "GroupNorm": Foreign(lambda: plain(nn.ReLU, lambda c: nn.GroupNorm(2, c)), may_refuse=STEEP),
    "InstanceNorm": Foreign(lambda: plain(nn.ReLU, lambda c: nn.InstanceNorm1d(c, affine=True)), may_refuse=STEEP),
    "transformer, convolved patches": Foreign(Transformer, may_refuse=(*RULES, *CAM), tokens=True),
    "transformer, linear patches": Foreign(
        lambda: Transformer(linear=True), may_refuse=(*RULES, *CAM), tokens=True
    ),
    "LSTM, attention": Foreign(Attended, may_refuse=(LRP, *RULES, *GUIDED, *CAM)),
    "convolution, GRU, attention": Foreign(
        lambda: Attended(nn.GRU, front=True), may_refuse=(LRP, *RULES, *GUIDED, *CAM)
    ),
    "weight_norm": Foreign(WeightNormed),
    "Conv2d over leads": Foreign(over_leads, form=lambda x: x[:, None]),
    "channels last": Foreign(ChannelLast, form=lambda x: x.transpose(1, 2).contiguous()),
    "dense only": Foreign(dense, may_refuse=CAM),
    "shared weights": Foreign(Shared),
    "subclass of Conv1d": Foreign(causal),
    "LeakyReLU": Foreign(lambda: plain(lambda: nn.LeakyReLU(0.1))),
    "PReLU": Foreign(lambda: plain(nn.PReLU)),
    "GELU": Foreign(lambda: plain(nn.GELU)),
    "SiLU": Foreign(lambda: plain(nn.SiLU)),
    "Mish": Foreign(lambda: plain(nn.Mish)),
    "own Swish": Foreign(lambda: plain(OwnSwish), unseen=True, may_refuse=(*RULES, *CAM)),
    "ReLU by clamp": Foreign(lambda: Functional(lambda x: x.clamp(min=0)), unseen=True, may_refuse=(LRP, *RULES, *CAM)),
    "ReLU by where": Foreign(
        lambda: Functional(lambda x: torch.where(x > 0, x, 0.0)), unseen=True, may_refuse=(LRP, *RULES, *CAM)
    ),
    "ReLU by mask": Foreign(lambda: Functional(lambda x: x * (x > 0)), unseen=True, may_refuse=(LRP, *RULES, *CAM)),
    "function of autograd": Foreign(
        lambda: Functional(FrugalSwish.apply), with_own_swish, (LRP, *RULES, *GUIDED, *CAM), unseen=True
    ),
    "image ResNet": Foreign(ImageResNet, form=as_image),
    "ConvNeXt": Foreign(ConvNeXt, form=as_image, may_refuse=(*RULES, *CAM), tokens=True),
    "shifted windows": Foreign(Windows, form=as_image, may_refuse=(*RULES, *CAM), tokens=True),
    "final sigmoid": Foreign(ending(nn.Sigmoid()), logits=without_last),
    "final softmax": Foreign(ending(nn.Softmax(1)), logits=without_last),
    "DataParallel": Foreign(lambda: nn.DataParallel(ResNet()), logits=lambda model: model.module),
}  # fmt: skip
ZOO |= {
    name: Foreign(partial(unusual.make, name), logits=unusual.said, may_refuse=refusing)
    for name, (_, _, _, refusing) in unusual.UNUSUAL.items()
}


def build(name: str, bias: bool = True, seed: int = 0) -> nn.Module:
    """Return a network of the zoo, in evaluation mode, with seeded weights and norms that are not the identity.

    Without biases, everything that adds a constant is 0: LRP must then conserve the logit.
    """
    torch.manual_seed(seed)
    model = ZOO[name].make()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
        if isinstance(module, (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm, nn.InstanceNorm1d)):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
    if not bias:
        for key, value in [*model.named_parameters(), *model.named_buffers()]:
            if "bias" in key or key.endswith(("pos", "running_mean")):
                value.data.zero_()
    return model.eval()


def ecgs(name: str, n: int = 2) -> torch.Tensor:
    """Return smooth random inputs in the form that the network takes."""
    generator = torch.Generator().manual_seed(4)
    x = torch.randn((n, 12, SAMPLES), generator=generator)
    smooth = F.avg_pool1d(F.pad(x, (4, 4), mode="replicate"), 9, 1) * 3
    return ZOO[name].form(smooth)


def logits_of(name: str, model: nn.Module) -> nn.Module:
    """Return an untouched copy, in evaluation mode, that gives the logits to be explained."""
    return ZOO[name].logits(deepcopy(model)).eval()
