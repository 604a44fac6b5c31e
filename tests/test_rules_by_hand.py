"""Every rule through every linear operation against ``by_hand``: dense matrices and the papers' formulas, in float64.

A network under test is written as a stranger would write it; the steps beside it say the same in the words of
``by_hand``. The package sees the network only.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import by_hand
from by_hand import Step
from leadwise import METHODS, attribute

CHANNELS, SAMPLES = 4, 12
pytestmark = [
    pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning"),
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning"),
]


class Setting(NamedTuple):
    """A call of ``attribute`` and the rules that it must follow."""

    method: str
    parameters: dict
    conv: Callable
    dense: Callable
    first: Callable | None = None


def _both(method, rule, first=None, **parameters):
    return Setting(method, parameters, rule, rule, first)


WEAK, TENTH = by_hand.epsilon(1e-6), by_hand.epsilon(0.1)
SETTINGS = {
    "z": _both("lrp_z", by_hand.z),
    "epsilon": _both("lrp_epsilon", by_hand.epsilon(0.1)),
    "epsilon 0.7": _both("lrp_epsilon", by_hand.epsilon(0.7), epsilon=0.7),
    "epsilon std_x": _both("lrp_epsilon_std_x", by_hand.epsilon_std_x(0.25)),
    "epsilon std_x 1.5": _both("lrp_epsilon_std_x", by_hand.epsilon_std_x(1.5), factor=1.5),
    "gamma": _both("lrp_gamma", by_hand.gamma(0.25)),
    "gamma 2": _both("lrp_gamma", by_hand.gamma(2.0), gamma=2.0),
    "alpha beta": _both("lrp_alpha_beta", by_hand.alpha_beta(1, 0)),
    "alpha 2 beta 1": _both("lrp_alpha_beta", by_hand.alpha_beta(2, 1), alpha=2.0),
    "alpha 3 beta 2": _both("lrp_alpha_beta", by_hand.alpha_beta(3, 2), alpha=3.0, beta=2.0),
    "zplus": _both("lrp_zplus", by_hand.zplus),
    "flat": _both("lrp_flat", by_hand.flat),
    "wsquare": _both("lrp_wsquare", by_hand.wsquare),
    "zbox": _both("lrp_zbox", by_hand.zplus, by_hand.zbox_of_ecg),
    "zbox -4 3": _both("lrp_zbox", by_hand.zplus, by_hand.zbox(-4.0, 3.0), low=-4.0, high=3.0),
    "epsilon plus": Setting("lrp_epsilon_plus", {}, by_hand.zplus, WEAK),
    "epsilon gamma box": Setting("lrp_epsilon_gamma_box", {}, by_hand.gamma(0.25), WEAK, by_hand.zbox_of_ecg),
    "epsilon plus flat": Setting("lrp_epsilon_plus_flat", {}, by_hand.zplus, WEAK, by_hand.flat),
    "epsilon alpha beta flat": Setting(
        "lrp_epsilon_alpha2_beta1_flat", {}, by_hand.alpha_beta_split(2, 1), WEAK, by_hand.flat
    ),
    "sequential a": Setting("lrp_sequential_composite_a", {}, by_hand.alpha_beta(1, 0), TENTH),
    "sequential b": Setting("lrp_sequential_composite_b", {}, by_hand.alpha_beta(2, 1), TENTH),
}
FIRST = {
    "z": _both("lrp_epsilon", TENTH, by_hand.z, input_rule="z"),
    "sign": _both("lrp_epsilon", TENTH, by_hand.sign(), input_rule="sign"),
    "sign mu": _both("lrp_z", by_hand.z, by_hand.sign(-0.4), input_rule="sign", mu=-0.4),
    "flat": _both("lrp_gamma", by_hand.gamma(0.25), by_hand.flat, input_rule="flat"),
    "wsquare": _both("lrp_epsilon", TENTH, by_hand.wsquare, input_rule="wsquare"),
    "zbox": _both("lrp_alpha_beta", by_hand.alpha_beta(1, 0), by_hand.zbox_of_ecg, input_rule="zbox"),
    "zbox over another": _both("lrp_z", by_hand.z, by_hand.zbox(-9.0, 5.0), input_rule="zbox", low=-9.0, high=5.0),
    "published composite": Setting(
        "lrp_epsilon_gamma_box", {"gamma": 1.0, "input_rule": "sign"}, by_hand.gamma(1.0), WEAK, by_hand.sign()
    ),
}


class Operation(NamedTuple):
    """What stands in the network and what it is by hand; both are made of the same parameters."""

    make: Callable[[], nn.Module]
    steps: Callable[[nn.Module], list[Step]]
    weighted: bool = True


class Calls(nn.Module):
    """A function of x and of the module's own parameters, as in a ``forward`` that calls functions."""

    def __init__(self, function, **shapes):
        super().__init__()
        self.function = function
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(torch.randn(shape) / 2))

    def forward(self, x):
        return self.function(self, x)


def convolution(kind, call, *arguments, **options) -> Operation:
    """Return a module of ``kind`` and the same as ``call`` of x, weight and bias."""

    def steps(module):
        return [Step("conv", call, weight=module.weight, bias=module.bias)]

    return Operation(partial(kind, *arguments, **options), steps)


def moved(function) -> Step:
    return Step("move", function)


def averaging(module, function) -> Operation:
    return Operation(module, lambda _: [Step("average", function)], weighted=False)


def functional(function, steps, weighted=True, **shapes) -> Operation:
    return Operation(partial(Calls, function, **shapes), steps, weighted)


class Normalised(nn.Module):
    """A convolution and the batch norm that alone reads it."""

    def __init__(self, as_module=True):
        super().__init__()
        self.conv, self.norm, self.as_module = nn.Conv1d(CHANNELS, 5, 3), nn.BatchNorm1d(5), as_module
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 2)
        self.norm.weight.data.uniform_(-2, 2)
        self.norm.bias.data.normal_()

    def forward(self, x):
        x, norm = self.conv(x), self.norm
        if self.as_module:
            return norm(x)
        return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.1, norm.eps)

    def steps(self):
        """y = w * x + b, then (y - mean) / deviation * scale + shift: one convolution."""
        scale = self.norm.weight / (self.norm.running_var + self.norm.eps).sqrt()
        bias = (self.conv.bias - self.norm.running_mean) * scale + self.norm.bias
        return [Step("conv", F.conv1d, weight=self.conv.weight * scale[:, None, None], bias=bias)]


class Branches(nn.Module):
    """Two convolutions that read the same; ``join`` puts their outputs together."""

    def __init__(self, join):
        super().__init__()
        self.a, self.b, self.join = nn.Conv1d(CHANNELS, 4, 3, padding=1), nn.Conv1d(CHANNELS, 4, 1), join

    def forward(self, x):
        return self.join(self.a(x), self.b(x))

    def steps(self):
        a = Step("conv", partial(F.conv1d, padding=1), weight=self.a.weight, bias=self.a.bias)
        b = Step("conv", F.conv1d, reads=(-2,), weight=self.b.weight, bias=self.b.bias)
        return [a, b]


class Residual(nn.Module):
    """x + f(x), the addition written in one of the ways in which people write it."""

    def __init__(self, add):
        super().__init__()
        self.conv, self.add = nn.Conv1d(CHANNELS, CHANNELS, 3, padding=1), add

    def forward(self, x):
        return self.add(F.elu(self.conv(x)), x)

    def steps(self):
        conv = Step("conv", partial(F.conv1d, padding=1), weight=self.conv.weight, bias=self.conv.bias)
        return [conv, Step("pass", F.elu), Step("add", torch.add, reads=(-1, -3))]


class Block(nn.Module):
    """A residual block: two normalised convolutions, and one on the shortcut."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.short = Normalised(), Normalised(), Normalised()
        self.two.conv = nn.Conv1d(5, 5, 3, stride=2, padding=2)
        self.short.conv = nn.Conv1d(CHANNELS, 5, 1, stride=2)

    def forward(self, x):
        return self.two(F.elu(self.one(x))) + self.short(x)

    def steps(self):
        (one,), (two,), (short,) = self.one.steps(), self.two.steps(), self.short.steps()
        two = two._replace(run=partial(F.conv1d, stride=2, padding=2))
        short = short._replace(run=partial(F.conv1d, stride=2), reads=(-4,))
        return [one, Step("pass", F.elu), two, short, Step("add", torch.add, reads=(-2, -1))]


def in_place(y, x):
    y += x
    return y


def own_steps(module):
    return module.steps()


def joined(function):
    """Steps of ``Branches`` whose outputs ``function`` puts side by side."""
    return lambda module: [*module.steps(), Step("move", function, reads=(-2, -1))]


SAME = partial(F.conv1d, padding="same")
IMAGE = moved(lambda x: x.view(len(x), 2, 2, SAMPLES))
TOKENS = moved(lambda x: x.transpose(1, 2))

OPERATIONS = {
    "conv1d": convolution(nn.Conv1d, F.conv1d, CHANNELS, 5, 3),
    "conv1d without bias": convolution(nn.Conv1d, F.conv1d, CHANNELS, 5, 3, bias=False),
    "conv1d strided": convolution(nn.Conv1d, partial(F.conv1d, stride=3, padding=2), CHANNELS, 5, 4, 3, 2),
    "conv1d dilated": convolution(nn.Conv1d, partial(F.conv1d, dilation=3), CHANNELS, 5, 3, dilation=3),
    "conv1d grouped": convolution(nn.Conv1d, partial(F.conv1d, groups=2), CHANNELS, 6, 3, groups=2),
    "conv1d depthwise": convolution(nn.Conv1d, partial(F.conv1d, groups=4, padding=1), 4, 8, 3, 1, 1, groups=4),
    "conv1d same": convolution(nn.Conv1d, SAME, CHANNELS, 5, 4, padding="same"),
    "conv_transpose1d": convolution(
        nn.ConvTranspose1d, partial(F.conv_transpose1d, stride=2, padding=1), CHANNELS, 3, 4, stride=2, padding=1
    ),
    "conv_transpose1d grouped": convolution(
        nn.ConvTranspose1d, partial(F.conv_transpose1d, groups=2), CHANNELS, 4, 3, groups=2
    ),
    "conv2d": Operation(
        lambda: nn.Sequential(nn.Unflatten(1, (2, 2)), nn.Conv2d(2, 3, (2, 3), stride=(1, 2))),
        lambda m: [IMAGE, Step("conv", partial(F.conv2d, stride=(1, 2)), weight=m[1].weight, bias=m[1].bias)],
    ),
    "linear on 2-D": Operation(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(CHANNELS * SAMPLES, 7)),
        lambda m: [moved(lambda x: x.flatten(1)), Step("dense", F.linear, weight=m[1].weight, bias=m[1].bias)],
    ),
    "linear on 3-D": Operation(
        lambda: nn.Linear(SAMPLES, 5), lambda m: [Step("dense", F.linear, weight=m.weight, bias=m.bias)]
    ),
    "F.conv1d": functional(
        lambda m, x: F.conv1d(x, m.weight, m.bias, stride=2),
        lambda m: [Step("conv", partial(F.conv1d, stride=2), weight=m.weight, bias=m.bias)],
        weight=(5, CHANNELS, 3), bias=(5,),
    ),
    "F.conv1d by keyword": functional(
        lambda m, x: F.conv1d(input=x, weight=m.weight, bias=m.bias),
        lambda m: [Step("conv", F.conv1d, weight=m.weight, bias=m.bias)],
        weight=(5, CHANNELS, 3), bias=(5,),
    ),
    "F.linear": functional(
        lambda m, x: F.linear(x.transpose(1, 2), m.weight, bias=m.bias),
        lambda m: [TOKENS, Step("dense", F.linear, weight=m.weight, bias=m.bias)],
        weight=(5, CHANNELS), bias=(5,),
    ),
    "x @ W.T": functional(
        lambda m, x: x.transpose(1, 2) @ m.weight.T,
        lambda m: [TOKENS, Step("dense", lambda x, w, b: x @ w.T, weight=m.weight)],
        weight=(5, CHANNELS),
    ),
    "torch.matmul": functional(
        lambda m, x: torch.matmul(x, m.weight),
        lambda m: [Step("dense", lambda x, w, b: x @ w, weight=m.weight)],
        weight=(SAMPLES, 5),
    ),
    "batch norm": Operation(Normalised, own_steps),
    "F.batch_norm": Operation(partial(Normalised, as_module=False), own_steps),
    "avg_pool": averaging(lambda: nn.AvgPool1d(3), partial(F.avg_pool1d, kernel_size=3)),
    "avg_pool overlapping": averaging(
        lambda: nn.AvgPool1d(3, 2, padding=1), partial(F.avg_pool1d, kernel_size=3, stride=2, padding=1)
    ),
    "adaptive_avg_pool": averaging(
        lambda: nn.AdaptiveAvgPool1d(5), partial(F.adaptive_avg_pool1d, output_size=5)
    ),
    "F.adaptive_avg_pool1d": averaging(
        lambda: Calls(lambda m, x: F.adaptive_avg_pool1d(x, 1)), partial(F.adaptive_avg_pool1d, output_size=1)
    ),
    "mean": averaging(lambda: Calls(lambda m, x: x.mean(-1)), lambda x: x.mean(-1)),
    "torch.mean": averaging(
        lambda: Calls(lambda m, x: torch.mean(x, dim=(1,), keepdim=True)), lambda x: x.mean(1, keepdim=True)
    ),
    "sum": averaging(lambda: Calls(lambda m, x: x.sum(dim=2)), lambda x: x.sum(2)),
    "x + f(x)": Operation(partial(Residual, lambda y, x: x + y), own_steps),
    "f(x) += x": Operation(partial(Residual, in_place), own_steps),
    "torch.add": Operation(partial(Residual, torch.add), own_steps),
    "residual block": Operation(Block, own_steps),
    "f(x) - g(x)": Operation(
        partial(Branches, torch.sub),
        lambda m: [
            *m.steps(),
            Step("pass", torch.neg),
            Step("add", torch.add, reads=(-3, -1)),
        ],
    ),
    "cat": Operation(
        partial(Branches, lambda a, b: torch.cat([a, b], 1)), joined(lambda a, b: torch.cat([a, b], 1))
    ),
    "stack": Operation(
        partial(Branches, lambda a, b: torch.stack((a, b), dim=1)), joined(lambda a, b: torch.stack((a, b), 1))
    ),
    "max_pool": Operation(
        lambda: nn.MaxPool1d(3, 2), lambda m: [moved(partial(F.max_pool1d, kernel_size=3, stride=2))], weighted=False
    ),
    "F.max_pool1d": Operation(
        lambda: Calls(lambda m, x: F.max_pool1d(x, 3, 1, padding=1)),
        lambda m: [moved(partial(F.max_pool1d, kernel_size=3, stride=1, padding=1))], weighted=False,
    ),
    "amax": Operation(lambda: Calls(lambda m, x: x.amax(2)), lambda m: [moved(lambda x: x.amax(2))], weighted=False),
    "index": Operation(
        lambda: Calls(lambda m, x: x[:, [0, 2, 2], 1:-2:2]), lambda m: [moved(lambda x: x[:, [0, 2, 2], 1:-2:2])],
        weighted=False,
    ),
    "unfold": Operation(
        lambda: Calls(lambda m, x: x.unfold(2, 4, 2)), lambda m: [moved(lambda x: x.unfold(2, 4, 2))], weighted=False
    ),
    "pad": Operation(
        lambda: Calls(lambda m, x: F.pad(x, (2, 1))), lambda m: [moved(lambda x: F.pad(x, (2, 1)))], weighted=False
    ),
}  # fmt: skip


class Around(nn.Module):
    """The operation between a front and a dense head, or, without a front, on the input itself."""

    def __init__(self, operation: nn.Module, front: bool):
        super().__init__()
        self.front = nn.Conv1d(CHANNELS, CHANNELS, 3, padding=1) if front else None
        self.operation = operation
        with torch.no_grad():
            features = operation(torch.zeros(1, CHANNELS, SAMPLES)).numel()
        self.head = nn.Linear(features, 3)

    def forward(self, x):
        if self.front is not None:
            x = F.elu(self.front(x))
        return self.head(torch.flatten(F.elu(self.operation(x)), 1))

    def steps(self, operation: Operation) -> list[Step]:
        front = []
        if self.front is not None:
            conv = partial(F.conv1d, padding=1)
            front = [Step("conv", conv, weight=self.front.weight, bias=self.front.bias), Step("pass", F.elu)]
        head = [moved(lambda x: x.flatten(1)), Step("dense", F.linear, weight=self.head.weight, bias=self.head.bias)]
        return [*front, *operation.steps(self.operation), Step("pass", F.elu), *head]


@cache
def network(name: str, front: bool) -> tuple[Around, torch.Tensor, list]:
    """Return the network in float64, a batch of two, and per sample its layers and logits by hand."""
    torch.manual_seed(3)
    model = Around(OPERATIONS[name].make(), front).double().eval().requires_grad_(False)
    x = torch.randn(2, CHANNELS, SAMPLES, dtype=torch.float64)
    steps = model.steps(OPERATIONS[name])
    return model, x, [by_hand.linearise(steps, one) for one in x.split(1)]


def check(name: str, front: bool, setting: Setting, target: int = 1, tolerance: float = 1e-9) -> None:
    model, x, samples = network(name, front)
    torch.testing.assert_close(torch.stack([logits for _, logits in samples]), model(x), rtol=1e-12, atol=1e-12)
    rules = {"conv": setting.conv, "dense": setting.dense, "first": setting.first}
    expected = torch.stack([by_hand.propagate(*sample, target, **rules).view_as(x[0]) for sample in samples])
    found = attribute(model, x, setting.method, target, progress=False, **setting.parameters)
    assert found.dtype == x.dtype
    assert float((found - expected).abs().max()) <= tolerance * float(expected.abs().max())


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_rule_inside_the_network(name, setting):
    check(name, True, SETTINGS[setting])


# Of two layers that read the input, each could be called the first.
ENTRIES = [
    name
    for name, op in OPERATIONS.items()
    if op.weighted and name not in ("cat", "stack", "f(x) - g(x)", "residual block")
]


@pytest.mark.parametrize("setting", FIRST)
@pytest.mark.parametrize("name", ENTRIES)
def test_rule_of_the_first_layer(name, setting):
    check(name, False, FIRST[setting])


def test_every_method_of_the_family_has_its_rules_here():
    assert {setting.method for setting in SETTINGS.values()} == {
        name for name, row in METHODS.items() if row.family == "LRP"
    }


# --- Where a denominator is exactly 0 ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "parameters", "denominator", "above"),
    [
        ("lrp_z", {}, 1e-7, 1.0),  # an exact 0 counts as 1e-7
        ("lrp_epsilon", {"epsilon": 0.1}, 0.1, 1 / 1.1),  # the sign of 0 is +
        ("lrp_epsilon_std_x", {"factor": 0.2}, 0.1, 1.0),  # deviation of (2, 1): 0.5; of the hidden unit alone: 0
        ("lrp_sequential_composite_a", {}, 0.1, 1 / 1.1),
    ],
)
def test_a_sum_of_exactly_zero(method, parameters, denominator, above):
    """Two inputs cancel out; a sigmoid makes 1/2 of the 0, so that relevance 1 arrives there all the same."""
    model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Sigmoid(), nn.Linear(1, 2, bias=False)).double()
    model[0].weight.data = torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    model[2].weight.data.fill_(2.0)
    x = torch.tensor([[2.0, 1.0]], dtype=torch.float64)
    found = attribute(model, x, method, 1, progress=False, **parameters)
    expected = torch.tensor([[2.0, -2.0]], dtype=torch.float64) / denominator * above
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("key", ["z", "sign", "flat", "wsquare", "zbox"])
def test_a_silent_stretch_of_the_input(key):
    """The flat rule sends relevance there, too; the rule of the first layer must do what its formula says."""
    rule = {"z": by_hand.z, "sign": by_hand.sign(), "zbox": by_hand.zbox_of_ecg}.get(key) or getattr(by_hand, key)
    model, x, _ = network("conv1d without bias", False)
    x = x.clone()
    x[..., 3:9] = 0
    steps = model.steps(OPERATIONS["conv1d without bias"])
    expected = by_hand.explain(steps, x, 2, conv=by_hand.flat, dense=by_hand.flat, first=rule)
    found = attribute(model, x, "lrp_flat", 2, progress=False, input_rule=key)
    assert float((found - expected).abs().max()) <= 1e-9 * float(expected.abs().max())


def test_a_constant_that_is_added_keeps_its_share():
    """x @ W + b in two calls is the dense layer with that bias: z_k holds b_k (Bach et al. 2015, eq. 56)."""
    torch.manual_seed(5)
    weight, bias, head = (torch.randn(size, dtype=torch.float64) for size in ((CHANNELS, 5), (5,), (5, 3)))
    x = torch.randn(2, SAMPLES, CHANNELS, dtype=torch.float64)
    steps = [
        Step("dense", lambda x, w, b: x @ w + (0 if b is None else b), weight=weight, bias=bias),
        Step("pass", F.elu),
        Step("average", lambda x: x.mean(1)),
        Step("dense", lambda x, w, b: x @ w, weight=head),
    ]
    for add in (lambda y: y + bias, lambda y: bias + y, lambda y: y.add(bias), lambda y: y - -bias):
        model = Calls(lambda m, x, add=add: F.elu(add(x @ weight)).mean(1) @ head).double()
        found = attribute(model, x, "lrp_z", 2, progress=False)
        torch.testing.assert_close(
            found, by_hand.explain(steps, x, 2, conv=by_hand.z, dense=by_hand.z), rtol=1e-9, atol=1e-12
        )
