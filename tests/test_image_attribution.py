"""Attribution on the embedded AlexNet: conservation, zennit's own rules, and every method on a scene."""

import copy
from functools import cache

import captum.attr
import pytest
import torch
import zennit.composites
import zennit.rules
from torch import nn
from zennit.core import Composite
from zennit.types import Activation, AvgPool, Linear

from leadwise import METHODS, attribute
from leadwise.attribution.gradients import baseline_like
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import MEAN, STD, load_alexnet, preprocess

FIRST_SEED = 4_200_000  # neither training nor the benchmark draws from here
QUICK = {
    "occlusion": {"window": 56, "stride": 56},
    "kernel_shap": {"samples": 12, "segment": 112},
    "lime": {"samples": 12, "segment": 112},
    "rise": {"samples": 24},
    "integrated_gradients": {"steps": 4},
    "expected_gradients": {"samples": 8},
    "deepshap": {"samples": 2},
    "smoothgrad": {"samples": 4},
    "smoothgrad_x_input": {"samples": 4},
    "smoothgrad_x_sign": {"samples": 4},
    "vargrad": {"samples": 4},
}

pytestmark = [
    pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning"),
    pytest.mark.usefixtures("one_thread"),
]


@cache
def alexnet():
    return load_alexnet("embedded")


@cache
def scenes(count: int = 3):
    """Return scenes with two objects each, (N, 3, 224, 224), and their classes (N, 2)."""
    drawn = [make_scene(FIRST_SEED + i, objects=2) for i in range(count)]
    classes = torch.tensor([[thing.index for thing in scene.objects] for scene in drawn])
    return torch.stack([preprocess(scene.image) for scene in drawn]), classes


def without_biases():
    model = load_alexnet("embedded")
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.bias.zero_()
    return model


def explain(model, x, name, **parameters):
    return attribute(model, x, name, progress=False, **{**QUICK.get(name, {}), **parameters})


# --- Sums -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "parameters"), [("lrp_z", {}), ("lrp_epsilon", {"epsilon": 1e-9})])
def test_relevance_sums_to_the_logit_without_biases(name, parameters):
    """Bach et al. 2015, eq. 2: nothing is lost where no bias and no epsilon takes a share."""
    model, (x, classes) = without_biases(), scenes()
    with torch.no_grad():
        logits = model(x).gather(1, classes[:, :1])[:, 0]
    found = explain(model, x, name, target=classes[:, 0], **parameters).double().sum((1, 2, 3))
    torch.testing.assert_close(found, logits.double(), rtol=1e-3, atol=0)


def test_epsilon_absorbs():
    """A share z / (z + epsilon) is handed on: with epsilon far above every z, next to nothing arrives."""
    model, (x, classes) = without_biases(), scenes(1)
    with torch.no_grad():
        logit = model(x)[0, classes[0, 0]]
    assert abs(explain(model, x, "lrp_epsilon", target=classes[0, :1], epsilon=100.0).sum()) < 1e-3 * abs(logit)


def test_integrated_gradients_sum_to_the_difference():
    """Sundararajan et al. 2017, proposition 1: f(x) - f(0), here within what 64 points miss of the integral."""
    model, (x, classes) = alexnet(), scenes(1)
    with torch.no_grad():
        difference = (model(x) - model(torch.zeros_like(x)))[0, classes[0, 0]].double()
    found = explain(model, x, "integrated_gradients", target=classes[:, 0], steps=64).double().sum()
    torch.testing.assert_close(found, difference, rtol=0.02, atol=0)


@pytest.mark.parametrize("baseline", ["zero", "noise"])
def test_deeplift_sums_to_the_difference(baseline):
    """Shrikumar et al. 2017, eq. 1, through three poolings that overlap."""
    model, (x, classes) = alexnet(), scenes()
    start = baseline_like(x, baseline)
    with torch.no_grad():
        difference = (model(x) - model(start)).gather(1, classes[:, :1])[:, 0]
    found = explain(model, x, "deeplift", target=classes[:, 0], baseline=start).sum((1, 2, 3))
    torch.testing.assert_close(found, difference, rtol=1e-4, atol=1e-4)


# --- captum ----------------------------------------------------------------------------------------------


def test_grad_cam_is_captums_with_its_interpolation():
    """And so pytorch-grad-cam's, whose cv2.resize takes pixels for areas as well."""
    model, (x, classes) = alexnet(), scenes()
    cam = captum.attr.LayerGradCam(model, model.features[11]).attribute(x, classes[:, 0], relu_attributions=True)
    wide = captum.attr.LayerAttribution.interpolate(cam, (224, 224), "bilinear").detach()
    expected = wide / cam.detach().amax((1, 2, 3), keepdim=True)
    found = explain(model, x, "grad_cam", target=classes[:, 0])
    torch.testing.assert_close(found, expected.expand_as(found))


# --- zennit -----------------------------------------------------------------------------------------------


def box(x):
    """Return what black and white become by ImageNet's normalisation, shaped like x."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return ((0 - mean) / std).expand_as(x), ((1 - mean) / std).expand_as(x)


def by_zennit(composite, x, target):
    """Run a composite on a fresh network, in zennit's own words."""
    model, x = load_alexnet("embedded").double(), x.double().requires_grad_()
    with composite.context(model) as hooked:
        logits = hooked(x)
        start = torch.zeros_like(logits)
        rows = torch.arange(len(x))
        start[rows, target] = logits.detach()[rows, target]
        return torch.autograd.grad(logits, x, start)[0]


def rules(rule, first=None):
    """Return a composite of one of zennit's rules on all layers, and another on the first, if any."""

    def choose(ctx, name, module):
        if isinstance(module, Linear):
            return first if first and name == "features.0" else rule
        return (
            zennit.rules.Pass()
            if isinstance(module, Activation)
            else zennit.rules.Norm(1e-12)
            if isinstance(module, AvgPool)
            else None
        )

    return Composite(module_map=choose)


COMPOSITES = {
    "lrp_gamma": lambda low, high: rules(zennit.rules.Gamma(0.25)),
    "lrp_flat": lambda low, high: rules(zennit.rules.Flat()),
    "lrp_wsquare": lambda low, high: rules(zennit.rules.WSquare()),
    "lrp_zplus": lambda low, high: rules(zennit.rules.ZPlus()),
    "lrp_epsilon": lambda low, high: rules(zennit.rules.Epsilon(0.1)),
    "lrp_zbox": lambda low, high: rules(zennit.rules.ZPlus(), zennit.rules.ZBox(low, high)),
    "lrp_epsilon_plus": lambda low, high: zennit.composites.EpsilonPlus(),
    "lrp_epsilon_gamma_box": lambda low, high: zennit.composites.EpsilonGammaBox(low, high),
    "lrp_epsilon_plus_flat": lambda low, high: zennit.composites.EpsilonPlusFlat(),
    "lrp_epsilon_alpha2_beta1_flat": lambda low, high: zennit.composites.EpsilonAlpha2Beta1Flat(),
}


@pytest.mark.parametrize("name", COMPOSITES)
def test_rules_and_composites_are_zennits(name):
    x, classes = scenes(2)
    target = classes[:, 0]
    theirs = by_zennit(COMPOSITES[name](*box(x)), x, target)
    ours = explain(copy.deepcopy(alexnet()).double(), x.double(), name, target=target)
    assert theirs.abs().sum() > 0
    for mine, its in zip(ours, theirs, strict=True):
        assert (mine - its).norm() <= 1e-5 * its.norm()
        assert (mine - its).abs().max() <= 1e-5 * its.abs().max()


# --- Every method -----------------------------------------------------------------------------------------

# The flat rule spreads relevance by the number of inputs alone: whatever the class, it has the same shape. Controls ask
# no network; noise is drawn anew for each sample.
CLASS_BLIND = {"lrp_flat", *(name for name, row in METHODS.items() if row.family == "control")} - {"random"}


@pytest.mark.parametrize("name", METHODS)
def test_runs_on_a_scene_and_depends_on_the_class(name):
    """Explain both classes of a scene with two objects; compare the maps without their size and sign."""
    x, classes = scenes(1)
    one, other = explain(alexnet(), x.repeat(2, 1, 1, 1), name, target=classes[0])
    for found in (one, other):
        assert found.shape == (3, 224, 224)
        assert torch.isfinite(found).all()
        assert found.abs().sum() > 0
    likeness = torch.cosine_similarity(one.double().flatten(), other.double().flatten(), dim=0).abs()
    assert (likeness > 1 - 1e-6) == (name in CLASS_BLIND)


# Whether, with both classes of a scene explained, each map has more positive relevance on its own object. The last
# three are known to hardly depend on the class: Nie et al. 2018, arXiv:1805.07039; Sixt et al. 2020, arXiv:1912.09818.
DISCRIMINATIVE = {
    "integrated_gradients": True,
    "deeplift": True,
    "guided_backprop": False,
    "deconvnet": False,
    "lrp_zplus": False,
}


@pytest.mark.parametrize(("name", "expected"), DISCRIMINATIVE.items())
def test_class_discriminative_or_not(name, expected):
    x, classes = scenes()
    maps = explain(alexnet(), x.repeat_interleave(2, 0), name, target=classes.flatten()).sum(1).clamp(min=0)
    right = 0
    for i in range(len(x)):
        masks = [torch.from_numpy(thing.mask) for thing in make_scene(FIRST_SEED + i, objects=2).objects]
        for k in (0, 1):
            right += int(maps[2 * i + k][masks[k]].sum() > maps[2 * i + k][masks[1 - k]].sum())
    assert (right == 2 * len(x)) == expected
