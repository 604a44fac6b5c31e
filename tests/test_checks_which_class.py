"""Checks of notebook 03: right answers in several forms, and the hints that the usual wrong ones get."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn

import leadwise
from checking import RUBBISH, said
from leadwise.checks import which_class as check
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


def test_absent_class(context):
    network, x = context["network"], context["x"]
    cat, dog = (network.class_names.index(name) for name in ("cat", "dog"))
    given = {"network": network, "x": x, "cat": cat, "dog": dog}
    pairs = {
        name: [leadwise.attribute(network, x, name, target=target, **settings) for target in (cat, dog)]
        for name, settings in check.ABSENT.items()
    }
    absent = {name: correlation(*pair) for name, pair in pairs.items()}
    predicted = dict.fromkeys(absent, "stays")
    verdict = check.absent_class(predicted, absent, **given)
    assert verdict.state == "right"
    assert "guided_backprop stays" in verdict.text
    assert "integrated_gradients changes" in verdict.text
    assert check.absent_class("no idea", {k: torch.tensor(v) for k, v in absent.items()}, **given).state == "right"

    assert check.absent_class(..., ..., **given).state == "not done yet"
    assert check.absent_class(predicted, ..., **given).text == "Still to do: absent."
    unsigned = {name: correlation(*(one.sum(0, keepdim=True).abs() for one in pair)) for name, pair in pairs.items()}
    said(check.absent_class(predicted, unsigned, **given), "integrated_gradients: these maps have lost their sign")
    said(check.absent_class(predicted, absent | {"grad_cam": 0.99}, **given), "grad_cam: another")
    said(check.absent_class(predicted, absent | {"grad_cam": 40}, **given), "between -1 and 1")
    said(check.absent_class(predicted, {"grad_cam": 0.1}, **given), "missing: guided_backprop")
    for rubbish in RUBBISH:
        assert check.absent_class(predicted, rubbish, **given).state == "not yet"


def test_mended_grad_cam(context):
    network, x = context["network"], context["x"]
    given = {"network": network, "x": x, "targets": (3, network.class_names.index("car"))}

    def by_captum(network, x, target, layer):
        cam = LayerGradCam(network, layer)
        return cam.attribute(x[None], target=target, relu_attributions=True)[0, 0].detach()

    assert check.mended_grad_cam(by_captum, **given).state == "right"
    assert check.mended_grad_cam(lambda *given: by_captum(*given)[None].numpy(), **given).state == "right"

    def signed(network, x, target, layer):
        return LayerGradCam(network, layer).attribute(x[None], target=target)[0, 0].detach()

    def largest(network, x, target, layer):
        return by_captum(network, x, int(network(x).argmax()), layer)

    def exchanged(network, x, target, layer):
        return by_captum(network, x, sum(given["targets"]) - target, layer)

    assert check.mended_grad_cam(..., **given).state == "not done yet"
    said(check.mended_grad_cam(largest, **given), "same map for both")
    said(check.mended_grad_cam(signed, **given), "ReLU")
    said(check.mended_grad_cam(exchanged, **given), "exchanged")
    said(check.mended_grad_cam(lambda *a: by_captum(*a) / by_captum(*a).max(), **given), "scaled to 1")
    said(check.mended_grad_cam(lambda *a: by_captum(*a) ** 2, **given), "mean gradient")
    said(check.mended_grad_cam(lambda *a: torch.zeros(224, 224), **given), "shape (13, 13)")
    said(check.mended_grad_cam(torch.zeros(13, 13), **given), "function")
    for rubbish in [*RUBBISH, lambda: 1, lambda *a, **k: None]:
        assert check.mended_grad_cam(rubbish, **given).state == "not yet"


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
    said(check.grad_cam_by_layer({"features.1": 3}, **given), "missing: features.4")
    said(check.grad_cam_by_layer({k: v / 24 for k, v in correct.items()}, **given), "count")
    said(check.grad_cam_by_layer(dict.fromkeys(correct, correct["features.11"]), **given), "layer=name")
    for off in (3, 1):
        said(check.grad_cam_by_layer(correct | {"features.7": correct["features.7"] + off}, **given), "features.7")
    for rubbish in RUBBISH:
        assert check.grad_cam_by_layer(rubbish, **given).state == "not yet"


def correlation(a, b):
    return float(np.corrcoef(a.sum(0).flatten(), b.sum(0).flatten())[0, 1])


def test_forgetful_network(context):
    network, x = context["network"], context["x"]
    forgetful = deepcopy(network)
    nn.init.normal_(forgetful.classifier[6].weight, std=0.1, generator=torch.Generator().manual_seed(0))
    correlations = {
        name: correlation(*(leadwise.attribute(one, x, name, target=3) for one in (network, forgetful)))
        for name in ("guided_backprop", "grad_cam", "gradient")
    }
    assert check.forgetful_network(forgetful, correlations, "B", **context).state == "right"
    as_tensors = {name: torch.tensor(value) for name, value in correlations.items()}
    assert check.forgetful_network(forgetful, as_tensors, "b", **context).state == "right"
    steps = [leadwise.attribute(one, x, "integrated_gradients", target=3, steps=16) for one in (network, forgetful)]
    some = correlations | {"integrated_gradients": correlation(*steps), "rise": 0.3}  # few steps; random masks
    assert check.forgetful_network(forgetful, some, "B", **context).state == "right"
    classes = [leadwise.attribute(network, x, "gradient", target=target) for target in (3, 2)]  # another question
    of_classes = correlations | {"gradient": correlation(*classes)}
    said(check.forgetful_network(forgetful, of_classes, "B", **context), "gradient: correlate")

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
