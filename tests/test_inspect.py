"""Inspection: published receptive fields, gradients that measure them, and inputs that a unit does like."""

import copy
import itertools

import pytest
import torch
from torch import nn

from leadwise.inspection import (
    feature_maps,
    first_layer_filters,
    layer_table,
    maximise_activation,
    receptive_field,
    top_k,
)
from leadwise.networks.alexnet import AlexNet, load_alexnet
from leadwise.networks.ecg_net import ECGNet

# AlexNet's convolutions and poolings with their published fields and strides, in pixels (Araujo et al. 2019: 195, 32).
WINDOWS = ("features.0", "features.2", "features.3", "features.5", "features.6", "features.8", "features.10")
FIELDS = dict(zip((*WINDOWS, "features.12"), (11, 19, 51, 67, 99, 131, 163, 195), strict=True))
STRIDES = dict(zip((*WINDOWS, "features.12"), (4, 8, 8, 16, 16, 16, 16, 32), strict=True))


@pytest.fixture(scope="module")
def net() -> AlexNet:
    return load_alexnet("embedded")


@pytest.fixture(scope="module")
def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(6 * 64, 4)
    ).eval()


def state(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def measured_field(net, layer, shape) -> tuple[int, ...]:
    """Extent of the input that the middle output of a layer depends on; no weight and no maximum hides any of it."""
    net = copy.deepcopy(net)
    for name, module in list(net.named_modules()):
        if isinstance(module, (nn.MaxPool1d, nn.MaxPool2d)):
            kind = nn.AvgPool1d if isinstance(module, nn.MaxPool1d) else nn.AvgPool2d
            parent = net.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], kind(module.kernel_size, module.stride))
    for weight in net.parameters():
        weight.data.fill_(1e-3)
    x = torch.ones(1, *shape, dtype=torch.double, requires_grad=True)
    kept = []
    net.double().get_submodule(layer).register_forward_hook(lambda module, args, out: kept.append(out))
    net(x)
    out = kept[0]
    middle = out[(0, 0, *(size // 2 for size in out.shape[2:]))]
    touched = torch.autograd.grad(middle, x)[0][0].ne(0).any(0).nonzero()
    return tuple((touched.amax(0) - touched.amin(0) + 1).tolist())


def test_alexnet_sees_what_is_published(net):
    rows = {row.name: row for row in layer_table(net, torch.zeros(3, 224, 224))}
    for name, field in FIELDS.items():
        assert rows[name].receptive_field == receptive_field(net, name) == (field, field)
        assert rows[name].stride == (STRIDES[name],) * 2
    assert rows["classifier.6"].receptive_field == (224, 224)


@pytest.mark.parametrize("layer", FIELDS)
def test_closed_form_equals_gradient_alexnet(net, layer):
    assert measured_field(net, layer, (3, 415, 415)) == receptive_field(net, layer)


@pytest.mark.parametrize("layer", ["block1.pool", "block3.conv", "block5.pool"])
def test_closed_form_equals_gradient_ecg(layer):
    assert measured_field(ECGNet().eval(), layer, (12, 400)) == receptive_field(ECGNet(), layer)


def test_dilation_and_uneven_kernels():
    net = nn.Sequential(nn.Conv2d(1, 2, (3, 1), dilation=(4, 1)), nn.ReLU(), nn.Conv2d(2, 2, 3, stride=(1, 2)))
    assert receptive_field(net, "2", (1, 40, 40)) == measured_field(net, "2", (1, 40, 40)) == (11, 3)


def test_unknown_field_is_said_not_guessed():
    class Jump(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv1d(12, 12, 3, padding=1), nn.Conv1d(12, 2, 3, padding=1)

        def forward(self, x):
            return self.b(self.a(x) + x)

    assert receptive_field(Jump(), "a", (12, 64)) == (3,)
    with pytest.raises(ValueError, match="not known"):
        receptive_field(Jump(), "b", (12, 64))


def test_layer_table_counts():
    rows = layer_table(AlexNet(), torch.zeros(1, 3, 224, 224))
    assert sum(row.parameters for row in rows) == 61_100_840  # torchvision's documentation
    shapes = {row.name: row.shape for row in rows}
    assert shapes["features.0"] == (64, 55, 55)
    assert shapes["features.12"] == (256, 6, 6)
    assert rows[0].kind == "Conv2d"


def test_filters_and_maps(net):
    filters = first_layer_filters(net)
    assert torch.equal(filters, net.features[0].weight)
    scaled = first_layer_filters(net, scaled=True)
    assert ((scaled - 0.5).flatten(1).abs().amax(1) - 0.5).abs().max() < 1e-6
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    maps = feature_maps(net, x, "features.4")
    assert torch.equal(maps, net.features[:5](x))
    assert torch.allclose(feature_maps(net, x[0], "features.4"), maps[0], atol=1e-5)
    assert torch.equal(feature_maps(net, x, "classifier.6"), net(x))
    with pytest.raises(ValueError, match="no layer 'conv9'"):
        feature_maps(net, x, "conv9")


def test_top_k(net):
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    both = top_k(net, x, 12)
    assert next(name for name, _ in both[0]) == net.class_names[net(x)[0].argmax()]
    assert sum(p for _, p in both[1]) == pytest.approx(1)
    assert both[0] == sorted(both[0], key=lambda row: -row[1])
    assert top_k(net, x[0], 2) == [(name, pytest.approx(p, rel=1e-4)) for name, p in both[0][:2]]
    assert top_k(ECGNet(), torch.zeros(12, 2000), 1, ("no", "yes"))[0][0] in ("no", "yes")
    with pytest.raises(ValueError, match="expected 1 to 12"):
        top_k(net, x, 13)


def test_synthesised_classes_are_recognised(net):
    found = maximise_activation(net, target=[0, 6, 10], contrast=1, steps=24, keep=3, progress=False)
    assert net(found.images).argmax(1).tolist() == [0, 6, 10]
    assert found.strip.shape == (3, 3, 3, 224, 224)
    assert found.steps == (0, 12, 24)
    assert torch.equal(found.strip[-1], found.images)
    logits = net(found.images).detach().double()
    for row, target, activation in zip(logits, [0, 6, 10], found.activation[-1], strict=True):
        others = row[torch.arange(len(row)) != target]
        assert activation == pytest.approx(float(row[target] - torch.logsumexp(others, 0)), abs=1e-2)  # log odds
    plain = maximise_activation(net, target=[0, 6], contrast=0, steps=1, progress=False)
    assert torch.allclose(plain.activation[-1], net(plain.images)[range(2), [0, 6]].detach(), atol=1e-3)


def test_a_matched_filter_is_found():
    """The input of a given size that a linear filter likes best is the filter itself (Cauchy and Schwarz)."""
    net = nn.Sequential(nn.Conv1d(1, 1, 32, bias=False), nn.Flatten())
    plain = {"jitter": 0, "blur": 0, "total_variation": 0, "smooth": 0, "grey": 0}
    found = maximise_activation(net, target=0, shape=(1, 32), steps=60, decay=0.1, **plain).images
    assert torch.cosine_similarity(found.flatten(), net[0].weight.flatten(), dim=0) > 0.99


def test_channels_of_layers_in_one_and_two_dimensions(small):
    torch.manual_seed(1)
    ecg = maximise_activation(ECGNet(), layer="block2.elu", channel=3, shape=(12, 256), steps=8, images=2, keep=2)
    assert ecg.images.shape == (2, 12, 256)
    assert (ecg.activation[-1] > ecg.activation[0]).all()
    picture = maximise_activation(small, layer="0", channel=[0, 5], shape=(3, 32, 32), steps=8)
    assert (picture.activation[-1] > picture.activation[0]).all()


def test_same_seed_same_images_and_nothing_else_moves(small):
    small.train()
    before, random = state(small), torch.random.get_rng_state()
    options = {"target": 1, "shape": (3, 32, 32), "steps": 5, "images": 9, "progress": False}
    first, again, other = (maximise_activation(small, **options, seed=seed).images for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert small.training
    assert torch.equal(torch.random.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in small.state_dict().items())
    assert all(weight.grad is None and weight.requires_grad for weight in small.parameters())
    assert not any(module._forward_hooks for module in small.modules())
    small.eval()


def test_regularisers_do_what_they_say(small):
    options = {"target": 2, "shape": (3, 32, 32), "steps": 20, "progress": False}
    base = {"blur": 0, "total_variation": 0, "decay": 0, "smooth": 0, "jitter": 0}

    def roughness(**changed):
        x = maximise_activation(small, **options, **{**base, **changed}).images
        return float(x.diff(dim=3).square().mean() / x.square().mean()), float(x.square().mean())

    rough, size = roughness()
    assert all(roughness(**change)[0] < rough for change in ({"blur": 2}, {"total_variation": 0.3}, {"smooth": 1.5}))
    assert roughness(decay=0.2)[1] < size


def test_progress_is_told_and_can_cancel(small):
    told = []
    options = {"target": 0, "shape": (3, 32, 32), "steps": 4, "images": 9}
    maximise_activation(small, **options, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (36, 36)
    assert all(a[0] < b[0] for a, b in itertools.pairwise(told))

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        maximise_activation(small, **options, progress=stop)
    assert not any(module._forward_hooks for module in small.modules())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "give target, or layer and channel"),
        ({"target": 0, "layer": "0", "channel": 1}, "give target, or layer and channel"),
        ({"layer": "0"}, "give target, or layer and channel"),
        ({"layer": "x", "channel": 1}, "no layer 'x'"),
        ({"target": 4}, "expected 0 to 3"),
        ({"target": 0.5}, "whole number"),
        ({"target": [0, 1], "images": 3}, "their number"),
        ({"target": 0, "steps": 0}, "at least 1"),
        ({"target": 0, "blur": -1}, "blur is -1"),
        ({"target": 0, "shape": (3,)}, "expected 3 numbers"),
    ],
)
def test_wrong_arguments_are_refused(small, wrong, message):
    with pytest.raises(ValueError, match=message):
        maximise_activation(small, **{"shape": (3, 32, 32), **wrong})
