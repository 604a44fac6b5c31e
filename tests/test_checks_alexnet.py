"""Checks of notebook 01: right answers in several forms, and the hints that the usual wrong ones get."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from checking import RUBBISH, said
from leadwise.checks import alexnet as check
from leadwise.images.scenes import make_scene
from leadwise.inspection import feature_maps, maximise_activation
from leadwise.networks.alexnet import load_alexnet, preprocess

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def net():
    return load_alexnet("embedded")


@pytest.fixture(scope="module")
def picture():
    return preprocess(make_scene(1).image)


@pytest.fixture(scope="module")
def edges(net, picture):
    """A right answer to exercise 1."""
    edge = torch.zeros(3, 11, 11)
    edge[..., :5], edge[..., 6:] = 1, -1
    edge_map = functional.conv2d(picture[None], edge[None], stride=4, padding=2)[0, 0]
    theirs = feature_maps(net, picture, "features.0")
    agreement = torch.corrcoef(torch.cat([edge_map[None], theirs]).flatten(1))[0, 1:]
    return edge, edge_map, int(agreement.abs().argmax()), agreement


def test_own_filter(edges, net, picture):
    edge, edge_map, closest, agreement = edges
    context = {"picture": picture, "net": net}
    assert check.own_filter(edge, edge_map, closest, **context).state == "right"
    assert check.own_filter(edge[None].numpy(), 2 * edge_map[None, None], np.int64(closest), **context).state == "right"
    ramp = torch.linspace(1, -1, 11).expand(3, 11, 11)  # another filter of the kind
    ramp_map = functional.conv2d(picture[None], ramp[None], stride=4, padding=2)[0, 0]
    theirs = feature_maps(net, picture, "features.0")
    best = int(torch.corrcoef(torch.cat([ramp_map[None], theirs]).flatten(1))[0, 1:].abs().argmax())
    assert check.own_filter(ramp, ramp_map, best, **context).state == "right"

    assert check.own_filter(..., ..., ..., **context).state == "not done yet"
    said(check.own_filter(edge.clamp(min=0), edge_map, closest, **context), "zero")
    said(check.own_filter(-edge, edge_map, closest, **context), "reversed")
    said(check.own_filter(edge.transpose(1, 2), edge_map, closest, **context), "horizontal")
    said(check.own_filter(edge * torch.tensor([1, 0, 0])[:, None, None], edge_map, closest, **context), "colour")
    said(check.own_filter(edge[0], edge_map, closest, **context), "shape")
    whole = functional.conv2d(picture[None], edge[None])[0, 0]
    said(check.own_filter(edge, whole, closest, **context), "stride")
    said(check.own_filter(edge, edge_map.relu(), closest, **context), "ReLU")
    said(check.own_filter(edge, edge_map.flip(1), closest, **context), "padding")
    other = int(agreement.abs().argmin())
    said(check.own_filter(edge, edge_map, other, **context), "channel")
    said(check.own_filter(edge, edge_map, 16, **context), "0 to 15")
    for rubbish in RUBBISH:
        assert check.own_filter(rubbish, edge_map, closest, **context).state == "not yet"
        assert check.own_filter(edge, rubbish, closest, **context).state == "not yet"
        assert check.own_filter(edge, edge_map, rubbish, **context).state == "not yet"


def test_a_filter_of_the_other_sign_counts(picture):
    """A network whose channel 0 is the edge filter reversed, and whose channel 1 has a weak copy of it."""
    edge = torch.zeros(3, 11, 11)
    edge[..., :5], edge[..., 6:] = 1, -1
    net = load_alexnet("embedded")
    with torch.no_grad():
        net.features[0].weight[:] = torch.randn(
            net.features[0].weight.shape, generator=torch.Generator().manual_seed(0)
        )
        net.features[0].weight[0] = -edge
        net.features[0].weight[1] += 0.5 * edge
    edge_map = functional.conv2d(picture[None], edge[None], stride=4, padding=2)[0, 0]
    assert check.own_filter(edge, edge_map, 0, picture=picture, net=net).state == "right"
    theirs = feature_maps(net, picture, "features.0")
    signed = torch.corrcoef(torch.cat([edge_map[None], theirs]).flatten(1))[0, 1:]
    said(check.own_filter(edge, edge_map, int(signed.argmax()), picture=picture, net=net), "magnitudes")


def measured(net, picture, places, inner=slice(5, 22)):
    before = feature_maps(net, picture, "features.4")
    out = {}
    for pixels, shift in places.items():
        after = feature_maps(net, picture.roll(pixels, -1), "features.4")
        change = (after - before.roll(shift, -1))[:, inner, inner]
        out[pixels] = float(change.norm() / before[:, inner, inner].norm())
    return out


def test_shifted_maps(net, picture):
    context = {"picture": picture, "net": net}
    predicted, difference = {8: "moved", 4: "changed"}, measured(net, picture, {8: 1, 4: 0})
    assert check.shifted_maps(predicted, difference, **context).state == "right"
    as_tensors = {pixels: torch.tensor(value) for pixels, value in difference.items()}
    assert check.shifted_maps({8: "changed", 4: "no idea"}, as_tensors, **context).state == "right"

    assert check.shifted_maps(..., ..., **context).state == "not done yet"
    assert check.shifted_maps(predicted, {8: ..., 4: 1}, **context).state == "not done yet"
    said(check.shifted_maps(predicted, measured(net, picture, {8: 0, 4: 0}), **context), "one place")
    said(check.shifted_maps(predicted, {8: difference[8], 4: 80.0}, **context), "divide")
    said(check.shifted_maps(predicted, measured(net, picture, {8: 1, 4: 0}, slice(0, 27)), **context), "frame")
    said(check.shifted_maps(predicted, measured(net, picture, {8: 1, 4: 1}), **context), "no half place")
    for rubbish in RUBBISH:
        assert check.shifted_maps(predicted, rubbish, **context).state == "not yet"


def field(step_of):
    """A receptive field whose step is taken on by ``step_of(step, stride)``."""

    def function(layers, step=1, total=1):
        for module in layers:
            if hasattr(module, "kernel_size"):
                k, t = (int(np.ravel(size)[0]) for size in (module.kernel_size, module.stride))
                total, step = total + (k - 1) * step, step_of(step, t)
        return total

    return function


def too_early(layers, step=1, total=1):
    for module in layers:
        if hasattr(module, "kernel_size"):
            step *= int(np.ravel(module.stride)[0])
            total += (int(np.ravel(module.kernel_size)[0]) - 1) * step
    return total


def test_mended_field(net):
    product = field(lambda step, stride: step * stride)
    assert check.mended_field(product, net=net).state == "right"
    assert check.mended_field(lambda layers: torch.tensor(float(product(layers))), net=net).state == "right"

    assert check.mended_field(..., net=net).state == "not done yet"
    said(check.mended_field(field(lambda step, stride: 1), net=net), "sum of the kernels")
    said(check.mended_field(too_early, net=net), "after you have added")
    said(check.mended_field(field(lambda step, stride: stride), net=net), "Strides multiply")
    said(check.mended_field(lambda layers: 163, net=net), "23 pixels")
    said(check.mended_field(lambda layers: 23, net=net), "163 pixels")
    said(check.mended_field(163, net=net), "function")
    said(check.mended_field(lambda layers: None, net=net), "`return`")
    for rubbish in [*RUBBISH, lambda: 1]:
        assert check.mended_field(rubbish, net=net).state == "not yet"


def test_logit_or_odds(net):
    target = 3
    context = {"net": net, "target": target}
    made = {c: maximise_activation(net, target=target, contrast=c, steps=6).images[0] for c in (0, 1)}
    logits = torch.stack([net(made[c]).detach() for c in (0, 1)])
    others = torch.cat([logits[:, :target], logits[:, target + 1 :]], 1)
    logit, odds = int(logits[:, target].argmax()), int((logits[:, target] - others.logsumexp(1)).argmax())
    assert check.logit_or_odds(made, logit, odds, "A", **context).state == "right"
    batches = {c: one[None].numpy() for c, one in made.items()}
    assert check.logit_or_odds(batches, float(logit), odds, "a", **context).state == "right"

    assert check.logit_or_odds(..., ..., ..., ..., **context).state == "not done yet"
    assert check.logit_or_odds(made, logit, odds, ..., **context).text == "Still to do: because."
    said(check.logit_or_odds(made, 1 - logit, odds, "A", **context), "`higher_logit`")
    said(check.logit_or_odds(made, logit, 1 - odds, "A", **context), "`higher_odds`")
    said(check.logit_or_odds(made, 171.0, odds, "A", **context), "0 or 1")
    said(check.logit_or_odds(made, logit, odds, "B", **context), "order of the logits")
    said(check.logit_or_odds(made, logit, odds, "C", **context), "formulas")
    said(check.logit_or_odds({0: made[0], 1: made[0]}, 0, 0, "A", **context), "same")
    said(check.logit_or_odds(made, logit, odds, "A", net=net, target=5), "target=target")
    for rubbish in RUBBISH:
        assert check.logit_or_odds(rubbish, logit, odds, "A", **context).state == "not yet"
        assert check.logit_or_odds(made, rubbish, odds, "A", **context).state == "not yet"
        assert check.logit_or_odds(made, logit, odds, rubbish, **context).state == "not yet"


def test_second_opinion(net):
    """Scenes stand for synthesised pictures: one of each class, which both networks may know."""
    scenes = {}
    for seed in range(200):
        scene = make_scene(seed)
        index = net.class_names.index(scene.labels[0])
        if index not in scenes and int(net(preprocess(scene.image)).argmax()) == index:
            scenes[index] = preprocess(scene.image)
    made = torch.stack([scenes[index] for index in range(12)])
    other = load_alexnet("clever hans")
    count = int((other(made).argmax(1) == torch.arange(12)).sum())
    assert count != 12
    noise = 0.02 * torch.randn(made.shape, generator=torch.Generator().manual_seed(0))  # finer detail, same classes
    noisy = made + noise
    for network, known in ((net, 12), (other, count)):
        assert int((network(noisy).argmax(1) == torch.arange(12)).sum()) == known
    pictures, right = {"none": noisy, "all": made}, {"none": (12, count), "all": (12, count)}
    assert check.second_opinion(pictures, right).state == "right"
    as_lists = {name: list(counts) for name, counts in right.items()}
    assert check.second_opinion({name: one.numpy() for name, one in pictures.items()}, as_lists).state == "right"

    assert check.second_opinion(..., ...).state == "not done yet"
    said(check.second_opinion(pictures, {"none": (count, 12), "all": (12, count)}), "exchanged")
    said(check.second_opinion(pictures, {"none": (1.0, count / 12), "all": (12, count)}), "count pictures")
    said(check.second_opinion(pictures, {"none": (12, count - 1), "all": (12, count)}), "most probable")
    said(check.second_opinion({"none": noisy.roll(1, 0), "all": made}, right), "in order")
    said(check.second_opinion({"none": made[0], "all": made}, right), "shape")
    said(check.second_opinion({"none": made, "all": made}, right), "same pictures")
    said(check.second_opinion({"none": made, "all": noisy}, right), "exchanged")
    said(check.second_opinion({"none": None, "all": made}, right), "None")
    for rubbish in RUBBISH:
        assert check.second_opinion(rubbish, right).state == "not yet"
        assert check.second_opinion(pictures, rubbish).state == "not yet"
