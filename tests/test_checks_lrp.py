"""Checks of notebook 04: right answers in several forms, and the hints that the usual wrong ones get."""

import numpy as np
import pytest
import torch
from torch import nn
from zennit.attribution import Gradient
from zennit.composites import LayerMapComposite, SpecialFirstLayerMapComposite
from zennit.rules import Epsilon, Flat, Norm, Pass
from zennit.types import Activation, AvgPool, Linear

import leadwise
from checking import RUBBISH, said
from leadwise.checks import lrp as check
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import load_alexnet, preprocess

pytestmark = pytest.mark.usefixtures("one_thread")


def without_biases():
    twin = load_alexnet("embedded")
    for layer in twin.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.bias.data.zero_()
    return twin


@pytest.fixture(scope="module")
def context():
    scene = make_scene(84)
    return {"net": load_alexnet("embedded"), "x": preprocess(scene.image), "target": scene.objects[0].index}


@pytest.fixture(scope="module")
def twin():
    return without_biases()


def by_zennit(net, x, start, epsilon, first=None):
    """The epsilon rule of zennit, with another rule in the first layer if one is given."""
    rules = [(Linear, Epsilon(epsilon)), (Activation, Pass()), (AvgPool, Norm())]
    composite = SpecialFirstLayerMapComposite(rules, [(Linear, first)]) if first else LayerMapComposite(rules)
    with Gradient(net, composite) as attributor:
        return attributor(x[None], start[None])[1][0]


def test_flat_pixels(context):
    net, x, target = context["net"], context["x"], context["target"]
    start = torch.zeros_like(net(x).detach())
    start[target] = net(x)[target].detach()
    flat = by_zennit(net, x, start, 0.1, Flat())
    assert check.flat_pixels(flat, **context).state == "right"
    assert check.flat_pixels(flat[None].numpy(), **context).state == "right"

    assert check.flat_pixels(..., **context).state == "not done yet"
    said(check.flat_pixels(by_zennit(net, x, start, 0.1), **context), "down to the pixels")
    wsquare = leadwise.attribute(net, x, "lrp_epsilon", target=target, epsilon=0.1, input_rule="wsquare")
    said(check.flat_pixels(wsquare, **context), "w²")
    said(check.flat_pixels(flat * x, **context), "factor too many")
    said(check.flat_pixels(flat * torch.tensor([1, 2, 3])[:, None, None], **context), "three colours")
    said(check.flat_pixels(by_zennit(net, x, start, 1.0, Flat()), **context), "ε = 0.1")
    said(check.flat_pixels(flat.sum(0), **context), "shape")
    for rubbish in RUBBISH:
        assert check.flat_pixels(rubbish, **context).state == "not yet"


def test_growth_with_alpha(context, twin):
    x, target = context["x"], context["target"]
    given = {"twin": twin, "x": x, "target": target}
    maps = [leadwise.attribute(twin, x, "lrp_alpha_beta", target=target, alpha=float(a)) for a in range(1, 6)]
    logit = float(twin(x)[target].detach())
    sums = torch.stack([one.abs().sum() for one in maps])
    assert check.growth_with_alpha("faster", sums / logit, **given).state == "right"
    assert check.growth_with_alpha("constant", (sums / logit).tolist(), **given).state == "right"

    assert check.growth_with_alpha(..., ..., **given).state == "not done yet"
    said(check.growth_with_alpha("faster", [float(one.sum()) / logit for one in maps], **given), "|R|")
    said(check.growth_with_alpha("faster", sums, **given), "Divide")
    said(check.growth_with_alpha("faster", sums.flip(0) / logit, **given), "α = 1")
    said(check.growth_with_alpha("faster", sums[:3] / logit, **given), "shape")
    for rubbish in RUBBISH:
        assert check.growth_with_alpha("faster", rubbish, **given).state == "not yet"


def rule(denominator):
    return lambda a, W, R, epsilon: (a[:, None] * W / denominator(a @ W, epsilon) * R).sum(1)


def test_repaired_epsilon():
    assert check.repaired_epsilon(rule(lambda z, e: z + e * np.where(z >= 0, 1, -1))).state == "right"
    assert check.repaired_epsilon(rule(lambda z, e: z + e * np.where(z > 0, 1, -1))).state == "right"

    def with_zennit(a, W, R, epsilon):
        layer = nn.Linear(*W.shape, bias=False).double()
        layer.weight.data = torch.from_numpy(W.T.copy())
        x = torch.from_numpy(a)[None].requires_grad_()
        handle = Epsilon(epsilon).register(layer)
        out = torch.autograd.grad(layer(x), x, torch.from_numpy(R)[None])[0][0]
        handle.remove()
        return out

    assert check.repaired_epsilon(with_zennit).state == "right"

    assert check.repaired_epsilon(...).state == "not done yet"
    said(check.repaired_epsilon(rule(lambda z, e: z + e)), "away from zero")
    said(check.repaired_epsilon(rule(lambda z, e: np.abs(z) + e)), "loses the sign")
    said(check.repaired_epsilon(rule(lambda z, e: z)), "no ε")
    said(check.repaired_epsilon(rule(lambda z, e: z - e)), "subtracted")
    said(check.repaired_epsilon(rule(lambda z, e: z - e * np.sign(z))), "wrong way round")
    said(check.repaired_epsilon(rule(lambda z, e: z + 2 * e * np.sign(z))), "3.1")
    said(check.repaired_epsilon(rule(lambda z, e: z + e * np.sign(z))), "np.sign(0)")
    said(check.repaired_epsilon(np.zeros(2)), "function")
    for rubbish in [*RUBBISH, lambda: 1, lambda *args: None]:
        assert check.repaired_epsilon(rubbish).state == "not yet"


def test_negative_logit(context):
    net, x = context["net"], context["x"]
    given = {"net": net, "x": x}
    logits = net(x).detach()
    lowest, highest = int(logits.argmin()), int(logits.argmax())

    def maps_of(target):
        return {method: leadwise.attribute(net, x, method, target=target) for method in ("lrp_z", "lrp_zplus")}

    maps = maps_of(lowest)
    maps["lrp_z"] = leadwise.attribute(net, x, "gradient_x_input", target=lowest)  # the same thing, by another way
    assert check.negative_logit(lowest, maps, "B", **given).state == "right"
    arrays = {method: one[None].numpy() for method, one in maps.items()}
    assert check.negative_logit(logits.argmin(), arrays, " b", **given).state == "right"
    assert float(maps["lrp_zplus"].sum(0).max()) <= 0  # what the exercise's prose says

    assert check.negative_logit(..., ..., ..., **given).state == "not done yet"
    said(check.negative_logit(highest, maps, "B", **given), "highest logit")
    said(check.negative_logit(int(logits.abs().argmin()), maps, "B", **given), "lower logit")
    said(check.negative_logit(float(logits.min()), maps, "B", **given), "not its logit")
    said(check.negative_logit(lowest, maps_of(highest), "B", **given), "target=lowest")
    said(check.negative_logit(lowest, maps | {"lrp_zplus": -maps["lrp_zplus"]}, "B", **given), "lrp_zplus")
    said(check.negative_logit(lowest, maps, "A", **given), "positive contributions")
    said(check.negative_logit(lowest, maps, "C", **given), "in the picture")
    for rubbish in RUBBISH:
        assert check.negative_logit(rubbish, maps, "B", **given).state == "not yet"
        assert check.negative_logit(lowest, rubbish, "B", **given).state == "not yet"
        assert check.negative_logit(lowest, maps, rubbish, **given).state == "not yet"


def test_runner_up(context, twin):
    x = context["x"]
    given = {"twin": twin, "x": x}
    logits = twin(x).detach()
    best, second = logits.topk(2).indices.tolist()

    def against(for_best, for_second, net=twin):
        start = torch.zeros_like(logits)
        start[best], start[second] = for_best, for_second
        return by_zennit(net, x, start, 1e-9)

    right, wanted = against(logits[best], -logits[second]), float(logits[best] - logits[second])
    assert check.runner_up(right, wanted, **given).state == "right"
    assert check.runner_up(right[None].numpy(), logits[best] - logits[second], **given).state == "right"

    assert check.runner_up(..., ..., **given).state == "not done yet"
    said(check.runner_up(right, float(logits[best] + logits[second]), **given), "sum of both")
    said(check.runner_up(right, float(logits[best]), **given), "alone")
    said(check.runner_up(right, 100, **given), "add up")
    said(check.runner_up(against(logits[best], 0), wanted, **given), "best class alone")
    said(check.runner_up(against(logits[best], logits[second]), wanted, **given), "positive sign")
    said(check.runner_up(2 * right, wanted, **given), "the twin")
    said(check.runner_up(against(1, -1), wanted, **given), "hold the two logits")
    said(check.runner_up(right.flip(2), wanted, **given), "two places")
    for rubbish in RUBBISH:
        assert check.runner_up(rubbish, wanted, **given).state == "not yet"
        assert check.runner_up(right, rubbish, **given).state == "not yet"
