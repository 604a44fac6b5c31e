"""Checks of notebook 02: right answers in several forms, and the hints that the usual wrong ones get."""

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients

import leadwise
from checking import RUBBISH, said
from leadwise.checks import gradients as check
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import load_alexnet, preprocess

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning"),  # few samples do for a check
]


@pytest.fixture(scope="module")
def context():
    network = load_alexnet("embedded")
    return {"network": network, "x": preprocess(make_scene(186, objects=2).image), "target": 3}


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


def over_by(each, mix=lambda maps: torch.stack(maps).mean(0)):
    """A mean over baselines, by a function of one's own for each."""

    def function(network, x, target, baselines, steps=32):
        return mix([each(network, x, target, baseline, steps) for baseline in baselines])

    return function


def test_mean_over_baselines():
    one = path(lambda x, b: x - b)
    assert check.mean_over_baselines(over_by(one)).state == "right"

    def by_captum(network, x, target, baseline, steps):
        found = IntegratedGradients(network).attribute(x[None], baseline[None], target=target, n_steps=steps)
        return found[0].double()

    assert check.mean_over_baselines(over_by(by_captum)).state == "right"
    assert (
        check.mean_over_baselines(over_by(by_captum, lambda maps: torch.stack(maps).mean(0).numpy())).state == "right"
    )

    def from_the_middle(network, x, target, baselines, steps=32):
        return one(network, x, target, torch.stack(baselines).mean(0), steps)

    assert check.mean_over_baselines(...).state == "not done yet"
    said(check.mean_over_baselines(from_the_middle), "another question")
    said(check.mean_over_baselines(over_by(one, lambda maps: torch.stack(maps).sum(0))), "divide")
    said(check.mean_over_baselines(over_by(one, lambda maps: maps[0])), "first baseline")
    said(check.mean_over_baselines(over_by(one, lambda maps: maps[-1])), "last baseline")
    said(check.mean_over_baselines(over_by(path(lambda x, b: x))), "mean of w")
    said(check.mean_over_baselines(over_by(one, torch.stack)), "returns (3, 3, 4, 4)")
    said(check.mean_over_baselines(torch.zeros(3, 4, 4)), "function")
    for rubbish in [*RUBBISH, lambda: 1, lambda *a, **k: None]:
        assert check.mean_over_baselines(rubbish).state == "not yet"


def test_dark_parts(context):
    network, scene = context["network"], make_scene(186, objects=2)
    given = {"network": network, "scene": scene, "target": 3}
    x = preprocess(scene.image)
    brightness = scene.image.astype(float).mean(-1)
    dark = torch.tensor(brightness <= np.quantile(brightness, 0.1))
    falls, rest = {}, {}
    with torch.no_grad():
        for name, value in (("black", 0), ("white", 255)):
            plain = preprocess(np.full_like(scene.image, value))
            mixed = [x * ~where + plain * where for where in (dark, ~dark)]
            falls[name], rest[name] = (float(network(x)[3] - network(one)[3]) for one in mixed)
    assert check.dark_parts(falls, "C", **given).state == "right"
    assert check.dark_parts({name: torch.tensor(fall) for name, fall in falls.items()}, "c", **given).state == "right"

    assert check.dark_parts(..., ..., **given).state == "not done yet"
    said(check.dark_parts({name: -fall for name, fall in falls.items()}, "C", **given), "other way round")
    said(check.dark_parts(rest, "C", **given), "All but the darkest")
    said(check.dark_parts(falls | {"white": 0.0}, "C", **given), "`dark` of section 7")
    said(check.dark_parts({"black": 1.0}, "C", **given), "missing: white")
    said(check.dark_parts(falls, "A", **given), "grey")
    said(check.dark_parts(falls, "B", **given), "white")
    for rubbish in RUBBISH:
        assert check.dark_parts(rubbish, "C", **given).state == "not yet"
        assert check.dark_parts(falls, rubbish, **given).state == "not yet"


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
