"""One operation has many spellings: by position, by numpy's names, in an older order.

Each gets the map of the plain one, which PyTorch's documentation says is the same, or is refused by its name.
"""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import leadwise
from leadwise.attribution.operations import NoRuleError
from leadwise.inspection import top_k
from leadwise.networks.network import Network

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.filterwarnings("ignore")]
METHODS = ("gradient", "lrp_epsilon", "lrp_zplus", "deeplift")
X = torch.randn(1, 3, 8, generator=torch.Generator().manual_seed(3))
EYE, WIDE = torch.eye(4)[None], torch.float64


class Net(nn.Module):
    """A convolution, the operation, and two weighted sums of whatever it gives."""

    def __init__(self, operation):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.conv, self.weight = nn.Conv1d(3, 4, 3, padding=1), nn.Parameter(torch.randn(300, 2))
        self.operation = operation

    def forward(self, x: Tensor) -> Tensor:
        made = self.operation(torch.relu(self.conv(x)) + 0.1).reshape(len(x), -1).to(x.dtype)
        return made @ self.weight[: made.shape[1]]


def other(h: Tensor) -> Tensor:
    return h.flip(-1) + 0.3


def legacy_softmax(h: Tensor) -> Tensor:
    return F.softmax(h.mean(-1))  # (N, K) without a dimension: the second


# An unusual spelling -> the plain one.
SAME = {
    "var(bool)": (lambda h: h.var(False), lambda h: h.var(correction=0)),
    "torch.var(bool)": (lambda h: torch.var(h, True), lambda h: h.var(correction=1)),
    "std(bool)": (lambda h: h.std(False), lambda h: h.std(correction=0)),
    "std(unbiased)": (lambda h: torch.std(h, unbiased=False), lambda h: h.std(correction=0)),
    "var(dim, bool, bool)": (lambda h: h - h.var(1, False, True), lambda h: h - h.var(1, correction=0, keepdim=True)),
    "var(axis)": (lambda h: h - h.var(axis=1, keepdims=True), lambda h: h - h.var(1, keepdim=True)),
    "sum(dtype)": (lambda h: h.sum(dtype=WIDE), lambda h: h.sum()),
    "sum(axis)": (lambda h: h - torch.sum(h, axis=1, keepdims=True), lambda h: h - h.sum(1, keepdim=True)),
    "mean(())": (lambda h: h.mean(()), lambda h: h.mean()),
    "mean(dim, bool)": (lambda h: h - h.mean(1, True, dtype=WIDE), lambda h: h - h.mean(1, keepdim=True)),
    "cumsum(dtype)": (lambda h: torch.cumsum(input=h, dim=1, dtype=WIDE), lambda h: h.cumsum(1)),
    "max(dim, bool)": (lambda h: h - h.max(1, True)[0], lambda h: h - h.amax(1, keepdim=True)),
    "max(axis)": (lambda h: h - h.max(axis=1, keepdims=True)[0], lambda h: h - h.amax(1, keepdim=True)),
    "logsumexp(dim, bool)": (lambda h: h - h.logsumexp(1, True), lambda h: h - h.logsumexp(1, keepdim=True)),
    "softmax(axis)": (lambda h: torch.softmax(h, axis=1), lambda h: h.softmax(1)),
    "softmax(dim, dtype)": (lambda h: h.softmax(1, WIDE), lambda h: h.softmax(1)),
    "softmax()": (legacy_softmax, lambda h: h.mean(-1).softmax(1)),
    "nn.Softmax()": (lambda h: nn.Softmax()(h.mean(-1)), lambda h: h.mean(-1).softmax(1)),
    "log_softmax(3-D)": (lambda h: F.log_softmax(h[0]), lambda h: h[0].log_softmax(1)),
    "flatten(start, end)": (lambda h: torch.flatten(input=h, start_dim=1, end_dim=2), lambda h: h.reshape(1, 32)),
    "an infinite norm": (lambda h: F.normalize(h, math.inf, 1), lambda h: h / h.amax(1, keepdim=True)),
    "a norm of magnitudes": (lambda h: F.normalize(h, 1, 1), lambda h: h / h.sum(1, keepdim=True)),
    "add(alpha)": (lambda h: torch.add(h, other(h), alpha=2), lambda h: h + 2 * other(h)),
    "subtract(alpha)": (lambda h: torch.subtract(h, other=other(h), alpha=2), lambda h: h - 2 * other(h)),
    "rsub(alpha)": (lambda h: torch.rsub(h, other(h), alpha=3), lambda h: other(h) - 3 * h),
    "multiply(x2)": (lambda h: torch.mul(h, x2=2.0), lambda h: 2.0 * h),
    "clamp(min, max)": (lambda h: torch.clamp(h, 0.2, 0.5), lambda h: h.clamp(min=0.2, max=0.5)),
    "clamp(None, max)": (lambda h: torch.clamp(h, None, 0.5), lambda h: h.clamp(max=0.5)),
    "max_pool1d(indices)": (lambda h: F.max_pool1d(h, 2, return_indices=True)[0], lambda h: F.max_pool1d(h, 2)),
    "max_pool2d(indices)": (
        lambda h: F.max_pool2d(h[:, None], (2, 2), None, 0, 1, False, True)[0],
        lambda h: F.max_pool2d(h[:, None], 2),
    ),
    "layer_norm(cudnn)": (
        lambda h: torch.layer_norm(h, (8,), None, None, 1e-3, True),
        lambda h: F.layer_norm(h, (8,), eps=1e-3),
    ),
    "group_norm(cudnn)": (
        lambda h: torch.group_norm(h, 2, None, None, 1e-3, True),
        lambda h: F.group_norm(h, 2, eps=1e-3),
    ),
}

# Refused by LRP and DeepLIFT, with this in the reason, where the operation itself has a rule.
REFUSED = {
    "an older addcmul": (lambda h: torch.addcmul(h, 2, other(h), h), "addcmul with such arguments"),
    "an older baddbmm": (lambda h: torch.baddbmm(0.5, h, 2, EYE, h), "baddbmm with such arguments"),
    "an older addmm": (lambda h: torch.addmm(0.5, h[0], 2, EYE[0], h[0]), "addmm"),
    "cuDNN's instance_norm": (
        lambda h: torch.instance_norm(h, None, None, None, None, True, 0.1, 1e-5, True),
        "instance_norm with such",
    ),
    "a norm that counts": (lambda h: F.normalize(h, 0.0, 1), "\\w+: division by the 0-norm"),
    "the smallest": (lambda h: F.normalize(h, -math.inf, 1), "\\w+: division by the -inf-norm"),
    "var_mean": (lambda h: torch.var_mean(h, 1)[0], "var_mean"),
    "std_mean": (lambda h: torch.std_mean(h, False)[0], "std_mean"),
    "norm": (lambda h: h.norm(1, -1, True), "norm"),
    "aminmax": (lambda h: torch.aminmax(h, dim=1)[1], "aminmax"),
    "rounding": (lambda h: torch.div(h, 0.1, rounding_mode="floor"), "div with rounding"),
}


def map_of(operation, method: str, **parameters) -> Tensor:
    return leadwise.attribute(Net(operation).eval(), X, method, target=0, progress=False, **parameters)


@pytest.mark.parametrize("name", SAME)
def test_a_spelling_gets_the_map_of_the_plain_one(name):
    unusual, plain = SAME[name]
    with torch.no_grad():
        torch.testing.assert_close(Net(unusual)(X), Net(plain)(X))
    for method in METHODS:
        try:
            wanted = map_of(plain, method)
        except NoRuleError:  # the operation has no rule, however it is spelt
            with pytest.raises(NoRuleError):
                map_of(unusual, method)
            continue
        torch.testing.assert_close(map_of(unusual, method), wanted, rtol=1e-3, atol=1e-4)
    x = X.clone().requires_grad_()
    (slope,) = torch.autograd.grad(Net(unusual)(x)[0, 0], x)
    torch.testing.assert_close(map_of(unusual, "gradient"), slope, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", REFUSED)
def test_an_overload_without_a_rule_is_refused_by_name(name):
    operation, reason = REFUSED[name]
    for method in ("lrp_epsilon", "deeplift"):
        with pytest.raises(NoRuleError, match=f"no rule for {reason}"):
            map_of(operation, method)


@pytest.mark.parametrize("older", [torch.add, torch.sub])
def test_a_factor_between_the_operands_is_refused_or_right(older):
    """``torch.add(x, 2, y)`` is x + 2 y, an order that PyTorch still takes; the gradient and DeepLIFT follow it."""
    sign = 1 if older is torch.add else -1
    for method in ("lrp_epsilon", "lrp_zplus"):
        with pytest.raises(NoRuleError, match="a factor between the operands; write alpha="):
            map_of(lambda h: older(h, 2, other(h)), method)
    for method in ("gradient", "deeplift"):
        found = map_of(lambda h: older(h, 2, other(h)), method)
        torch.testing.assert_close(found, map_of(lambda h: h + sign * 2 * other(h), method))


@pytest.mark.parametrize("relu", [lambda h: torch.clamp(h, 0, None), lambda h: h.clip(0.0), lambda h: h.clamp_min(0)])
def test_a_relu_by_another_name_is_rectified(relu):
    found = map_of(lambda h: relu(h - 0.3), "guided_backprop")
    torch.testing.assert_close(found, map_of(lambda h: torch.relu(h - 0.3), "guided_backprop"))


@pytest.mark.parametrize("method", ["gradient", "smoothgrad", "integrated_gradients", "lrp_epsilon", "deeplift"])
def test_an_output_that_does_not_depend_on_the_input_is_named(method):
    with pytest.raises(ValueError, match="does not depend on its input: there is nothing to explain"):
        map_of(torch.ones_like, method)


def test_the_most_probable_classes_have_the_names_of_the_network():
    net = Net(lambda h: h).eval()
    assert top_k(Network(net, classes=("sinus rhythm", "AF"), outputs="classes"), X[0], 1)[0][0] in (
        "sinus rhythm",
        "AF",
    )
    assert top_k(net, X[0], 1)[0][0] in ("0", "1")
