"""Checks of notebook 02: right answers in several forms, and the hints that the usual wrong ones get."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from torch import nn

import leadwise
from leadwise.checks import gradients as check
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import load_alexnet, preprocess

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning"),  # few samples do for a check
]
RUBBISH = ["rubbish", 3.5, np.zeros((2, 2)), {"a": 1}, [], print]


@pytest.fixture(scope="module")
def context():
    network = load_alexnet("embedded")
    return {"network": network, "x": preprocess(make_scene(186, objects=2).image), "target": 3}


def said(verdict, word):
    assert verdict.state == "not yet"
    assert word in verdict.text, verdict.text


def test_still(context):
    x = context["x"].clone().requires_grad_()
    gradient = torch.autograd.grad(context["network"](x)[3], x)[0]
    zero, predicted = torch.zeros_like(gradient), {
        "smoothgrad": "gradient", "vargrad": "zero", "integrated_gradients": "zero"
    }  # fmt: skip
    maps = {"smoothgrad": gradient, "vargrad": zero, "integrated_gradients": zero}
    assert check.still(predicted, maps, **context).state == "right"
    arrays = {name: one[None].numpy() for name, one in maps.items()}
    assert check.still("all of them zero", arrays, **context).state == "right"

    assert check.still(..., ..., **context).state == "not done yet"
    assert check.still(predicted, ..., **context).text == "Still to do: maps_of."
    said(check.still(predicted, maps | {"smoothgrad": gradient.abs()}, **context), "sign")
    said(check.still(predicted, maps | {"smoothgrad": gradient + 1}, **context), "noise=0")
    said(check.still(predicted, maps | {"integrated_gradients": gradient * x}, **context), "baseline=x")
    said(check.still(predicted, maps | {"vargrad": torch.zeros(224, 224)}, **context), "`maps_of['vargrad']`")
    for rubbish in RUBBISH:
        assert check.still(predicted, rubbish, **context).state == "not yet"


def path(factor, at=lambda x, b, alpha: b + alpha * (x - b)):
    """Integrated gradients with a factor(x, baseline) and a path of one's own."""

    def function(network, x, target, baseline, steps=64):
        alphas = torch.linspace(0, 1, steps)[:, None, None, None]
        points = at(x, baseline, alphas).expand(steps, *x.shape).clone().requires_grad_()
        grads = torch.autograd.grad(network(points)[..., target].sum(), points)[0]
        return factor(x, baseline) * grads.mean(0)

    return function


def test_mended_path():
    assert check.mended_path(path(lambda x, b: x - b)).state == "right"

    def by_captum(network, x, target, baseline, steps=64):
        found = IntegratedGradients(network).attribute(x[None], baseline[None], target=target, n_steps=steps)
        return found[0].double().numpy()

    def by_the_course(network, x, target, baseline, steps=64):
        options = {"baseline": baseline, "steps": steps, "progress": False}
        return leadwise.attribute(network, x, "integrated_gradients", target=target, **options)

    def right_ends(network, x, target, baseline, steps=64):
        """A Riemann sum without its left end."""
        alphas = torch.arange(1, steps + 1)[:, None, None, None] / steps
        points = (baseline + alphas * (x - baseline)).requires_grad_()
        return (x - baseline) * torch.autograd.grad(network(points)[..., target].sum(), points)[0].mean(0)

    for function in (by_captum, by_the_course, right_ends):
        assert check.mended_path(function).state == "right"

    assert check.mended_path(...).state == "not done yet"
    said(check.mended_path(path(lambda x, b: x)), "still x")
    said(check.mended_path(path(lambda x, b: b - x)), "reversed")
    said(check.mended_path(path(lambda x, b: 1)), "missing")
    said(check.mended_path(path(lambda x, b: (x - b).abs())), "lost its sign")
    said(check.mended_path(path(lambda x, b: x + b)), "(x - baseline) w")
    said(check.mended_path(path(lambda x, b: x - b, lambda x, b, alpha: x[None])), "picture alone")
    said(check.mended_path(path(lambda x, b: x - b, lambda x, b, alpha: alpha * x)), "from the baseline to x")
    said(check.mended_path(torch.zeros(3, 4, 4)), "function")
    for rubbish in [*RUBBISH, lambda: 1, lambda *a, **k: None]:
        assert check.mended_path(rubbish).state == "not yet"


def test_grad_cam_by_layer(context):
    network, scenes = context["network"], [make_scene(700 + i, objects=2) for i in range(4)]
    pictures = torch.stack([preprocess(scene.image) for scene in scenes])
    correct = dict.fromkeys(check.LAYERS, 0)
    for name in check.LAYERS:  # by the course's Grad-CAM, which tests compare with captum's
        for k in (0, 1):
            asked = torch.tensor([scene.objects[k].index for scene in scenes])
            maps = leadwise.attribute(network, pictures, "grad_cam", asked, layer=name, progress=False).sum(1).numpy()
            on = [[one[thing.mask].sum() for thing in scene.objects] for one, scene in zip(maps, scenes, strict=True)]
            correct[name] += sum(bool(row[k] > row[1 - k]) for row in on)
    assert check.grad_cam_counts(network, scenes) == correct
    given = {"network": network, "scenes": scenes}
    assert check.grad_cam_by_layer(correct, **given).state == "right"
    assert check.grad_cam_by_layer({k: torch.tensor(v) for k, v in correct.items()}, **given).state == "right"

    assert check.grad_cam_by_layer(..., **given).state == "not done yet"
    said(check.grad_cam_by_layer({"features.1": 3}, **given), "lacks features.4")
    said(check.grad_cam_by_layer({k: v / 24 for k, v in correct.items()}, **given), "count")
    said(check.grad_cam_by_layer(dict.fromkeys(correct, correct["features.11"]), **given), "layer=name")
    said(check.grad_cam_by_layer(correct | {"features.7": correct["features.7"] + 3}, **given), "features.7")
    for rubbish in RUBBISH:
        assert check.grad_cam_by_layer(rubbish, **given).state == "not yet"


def correlation(a, b):
    return float(np.corrcoef(a.sum(0).flatten(), b.sum(0).flatten())[0, 1])


def test_forgetful_network(context):
    network, x = context["network"], context["x"]
    forgetful = deepcopy(network)
    nn.init.normal_(forgetful.classifier[6].weight, std=0.1, generator=torch.Generator().manual_seed(0))
    maps = [leadwise.attribute(one, x, "guided_backprop", target=3) for one in (network, forgetful)]
    correlations = {"guided_backprop": correlation(*maps), "grad_cam": 0.4, "gradient": -0.1}
    assert check.forgetful_network(forgetful, correlations, "B", **context).state == "right"
    as_tensors = {name: torch.tensor(value) for name, value in correlations.items()}
    assert check.forgetful_network(forgetful, as_tensors, "b", **context).state == "right"

    assert check.forgetful_network(..., ..., ..., **context).state == "not done yet"
    said(check.forgetful_network(network, correlations, "B", **context), "deepcopy")
    said(check.forgetful_network(deepcopy(network), correlations, "B", **context), "still has all its weights")
    for layer in forgetful.features[0], forgetful.classifier[4]:
        broken = deepcopy(forgetful)
        nn.init.zeros_((broken.features[0] if layer is forgetful.features[0] else broken.classifier[4]).weight)
        said(check.forgetful_network(broken, correlations, "B", **context), "more than its last layer")
    empty = deepcopy(network)
    nn.init.zeros_(empty.classifier[6].weight)
    said(check.forgetful_network(empty, correlations, "B", **context), "random ones")
    said(check.forgetful_network(forgetful, {"guided_backprop": 0.9}, "B", **context), "two other")
    said(check.forgetful_network(forgetful, correlations | {"gradient": 40}, "B", **context), "-1 and 1")
    said(check.forgetful_network(forgetful, correlations | {"guided_backprop": 0.0}, "B", **context), "same picture")
    said(check.forgetful_network(forgetful, correlations, "A", **context), "ears")
    said(check.forgetful_network(forgetful, correlations, "C", **context), "weights that are gone")
    changed = context | {"network": forgetful}
    said(check.forgetful_network(deepcopy(forgetful), correlations, "B", **changed), "section 1")
    for rubbish in RUBBISH:
        assert check.forgetful_network(rubbish, correlations, "B", **context).state == "not yet"
        assert check.forgetful_network(forgetful, rubbish, "B", **context).state == "not yet"
        assert check.forgetful_network(forgetful, correlations, rubbish, **context).state == "not yet"


def mean_share(network, scenes, noise, which=0, seed=1):
    """Mean share of the positive relevance on one of the objects of each scene, picture by picture."""
    shares = []
    for scene in scenes:
        thing, x = scene.objects[which], preprocess(scene.image)
        found = leadwise.attribute(network, x, "smoothgrad", target=thing.index, samples=8, noise=noise, seed=seed)
        positive = found.sum(0).clamp(min=0).numpy()
        shares.append(positive[thing.mask].sum() / positive.sum())
    return float(np.mean(shares))


def test_best_noise(context):
    network = context["network"]
    scenes, others = ([make_scene(first + i, objects=2) for i in range(12)] for first in (700, 800))
    given = {"network": network, "scenes": scenes}
    right, fresh = mean_share(network, scenes, 0.1), mean_share(network, others, 0.1)
    tried = {0: right - 0.05, 0.1: right, 0.3: right - 0.02}
    as_arrays = {noise: np.float64(share) for noise, share in tried.items()}
    confirmed = check.best_noise(as_arrays, torch.tensor(0.1), torch.tensor(fresh), **given)
    assert confirmed.state == "right"
    assert ("not here" in confirmed.text) == (fresh > right)

    assert check.best_noise(..., ..., ..., **given).state == "not done yet"
    said(check.best_noise(tried, 0.3, fresh, **given), "largest share")
    said(check.best_noise(tried, 0.31, fresh, **given), "largest share")
    said(check.best_noise(tried, 0.1, right, **given), "chose the σ")
    said(check.best_noise({noise: 100 * share for noise, share in tried.items()}, 0.1, 27, **given), "per cent")
    said(check.best_noise({0.1: right}, 0.1, fresh, **given), "three")
    halved = {noise: share / 2 for noise, share in tried.items()}
    said(check.best_noise(halved, 0.1, fresh, **given), "another share")
    said(check.best_noise(tried, 0.1, fresh / 2, **given), "scenes 800 to 811, measured")
    for rubbish in RUBBISH:
        assert check.best_noise(rubbish, 0.1, fresh, **given).state == "not yet"
        assert check.best_noise(tried, rubbish, fresh, **given).state == "not yet"
        assert check.best_noise(tried, 0.1, rubbish, **given).state == "not yet"
