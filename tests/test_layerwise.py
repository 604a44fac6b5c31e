"""Relevance at every layer, and within one: conservation laws and the rules' formulas, written out in numpy."""

import numpy as np
import pytest
import torch
from torch import nn

from leadwise.attribution import attribute, relevance_by_layer, share_out
from leadwise.attribution.rules import RULES
from networks import ImageNet, ReluECG, seeded


class Chain(nn.Module):
    """A dense ReLU network behind a convolution: (N, 12, 8) -> (N, 3), and what each module gave out."""

    def __init__(self, bias):
        super().__init__()
        self.conv, self.relu1, self.flatten = nn.Conv1d(12, 5, 3, bias=bias), nn.ReLU(), nn.Flatten()
        self.dense, self.relu2, self.last = nn.Linear(30, 7, bias=bias), nn.ReLU(), nn.Linear(7, 3, bias=bias)

    def forward(self, x):
        return self.last(self.relu2(self.dense(self.flatten(self.relu1(self.conv(x))))))


@pytest.fixture
def x():
    return torch.randn(3, 12, 8, generator=torch.Generator().manual_seed(1))


# --- By layer ---------------------------------------------------------------------------------------------


def test_names_and_shapes_from_the_logits_to_the_input(x):
    found = relevance_by_layer(seeded(Chain, bias=True), x, "lrp_epsilon", target=1)
    assert {name: tuple(part.shape) for name, part in found.items()} == {
        "last": (3, 3), "relu2": (3, 7), "dense": (3, 7), "flatten": (3, 30),
        "relu1": (3, 5, 6), "conv": (3, 5, 6), "input": (3, 12, 8),
    }  # fmt: skip
    assert list(found) == ["last", "relu2", "dense", "flatten", "relu1", "conv", "input"]


@pytest.mark.parametrize("name", ["lrp_z", "lrp_flat", "lrp_wsquare"])
def test_every_layer_holds_the_logit_without_biases(name, x):
    """Bach et al. 2015, eq. 2."""
    model = seeded(Chain, bias=False)
    start = model(x)[:, 2].detach()
    for part in relevance_by_layer(model, x, name, target=2).values():
        torch.testing.assert_close(part.flatten(1).sum(1), start, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["lrp_gamma", "lrp_zplus", "lrp_alpha_beta"])
def test_rules_for_positive_parts_conserve_where_all_parts_are_positive(name, x):
    model, x = seeded(Chain, bias=False), x.abs()
    for weights in model.parameters():
        weights.data.abs_()
    start = model(x)[:, 2].detach()
    for part in relevance_by_layer(model, x, name, target=2).values():
        torch.testing.assert_close(part.flatten(1).sum(1), start, rtol=1e-4, atol=1e-5)


def test_z_rule_is_activation_times_gradient_without_biases(x):
    """Shrikumar et al. 2016: on every layer of a ReLU network, not only at the input."""
    model = seeded(Chain, bias=False)
    a, activations = x.clone().requires_grad_(), {}
    out = a
    for name, module in model.named_children():
        out = activations[name] = module(out)
    names = ["relu2", "relu1"]
    gradients = torch.autograd.grad(out[:, 0].sum(), [activations[name] for name in names] + [a])
    found = relevance_by_layer(model, x, "lrp_z", target=0)
    for name, activation, gradient in zip(
        [*names, "input"], [*(activations[n] for n in names), a], gradients, strict=True
    ):
        torch.testing.assert_close(found[name], (activation * gradient).detach(), rtol=1e-3, atol=1e-5)


def test_the_last_bias_keeps_its_share(x):
    """Epsilon rule, one dense layer: R (b + eps sign z) / (z + eps sign z) stays (Bach et al. 2015, eq. 58)."""
    model, epsilon = seeded(Chain, bias=True), 0.3
    found = relevance_by_layer(model, x, "lrp_epsilon", target=1, epsilon=epsilon)
    z, b = model(x)[:, 1].detach(), model.last.bias[1].detach()
    lost = found["last"].sum(1) - found["relu2"].sum(1)
    torch.testing.assert_close(lost, z * (b + epsilon * z.sign()) / (z + epsilon * z.sign()), rtol=1e-4, atol=1e-5)


def test_the_input_is_what_attribute_returns_and_single_samples_lose_n(x):
    model = seeded(Chain, bias=True)
    batch, one = (relevance_by_layer(model, part, "lrp_gamma", target=0, gamma=0.5) for part in (x, x[1]))
    assert torch.equal(batch["input"], attribute(model, x, "lrp_gamma", target=0, gamma=0.5, progress=False))
    for name in batch:
        torch.testing.assert_close(one[name], batch[name][1], rtol=1e-4, atol=1e-6)


def test_many_samples_run_in_chunks_and_keep_their_order():
    model = seeded(ReluECG)
    x = torch.randn(11, 12, 40, generator=torch.Generator().manual_seed(2))
    found, last = relevance_by_layer(model, x, "lrp_z"), relevance_by_layer(model, x[10], "lrp_z")
    for name, part in found.items():
        assert len(part) == 11
        torch.testing.assert_close(part[10], last[name], rtol=1e-3, atol=1e-5)


def test_batch_normalisation_and_in_place_modules_are_left_as_they_were():
    model = seeded(ImageNet).train()
    x = torch.randn(2, 3, 30, 30, generator=torch.Generator().manual_seed(3))
    found = relevance_by_layer(model, x, "lrp_epsilon", target=0)
    assert set(found) > {"features.1", "classifier.3", "input"}
    assert "features.0" not in found  # merged with the batch normalisation behind it
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_refuses_other_families_and_reused_modules(x):
    model = seeded(Chain, bias=True)
    with pytest.raises(ValueError, match=r"gradient hands no relevance.*lrp_z"):
        relevance_by_layer(model, x, "gradient")
    model.relu2 = model.relu1
    with pytest.raises(ValueError, match="'relu1' more than once"):
        relevance_by_layer(model, x, "lrp_z")


# --- Within one layer -------------------------------------------------------------------------------------

A = np.array([1.5, 0.0, -0.7, 2.0, 0.3])
W = np.array([[0.4, -1.0, 0.2], [1.0, 0.5, -0.3], [-0.6, 0.1, -0.9], [0.3, 0.8, -0.5], [-1.2, -0.2, 0.7]])
B = np.array([0.5, -0.4, 0.25])
R = np.array([1.0, 0.6, -0.8])
LOW, HIGH, EPS = -2.0, 2.5, 0.2
CONTRIBUTIONS = A[:, None] * W
Z = CONTRIBUTIONS.sum(0) + B
UP, DOWN = np.clip(CONTRIBUTIONS, 0, None), np.clip(CONTRIBUTIONS, None, 0)
B_UP, B_DOWN = np.clip(B, 0, None), np.clip(B, None, 0)


def gamma_parts(g):
    """Montavon et al. 2019, generalised as in zennit: positive outputs favour positive contributions."""
    parts = CONTRIBUTIONS + g * np.where(Z > 0, UP, DOWN)
    return parts, B + g * np.where(Z > 0, B_UP, B_DOWN)


def box_parts():
    """Montavon et al. 2017, z-box; the bias cancels: b - b+ - b- = 0."""
    return CONTRIBUTIONS - LOW * np.clip(W, 0, None) - HIGH * np.clip(W, None, 0), 0 * B


def proportional(parts, bias, extra=0.0):
    """Messages, and what the bias keeps, in proportion to these parts."""
    total = parts.sum(0) + bias + extra
    return parts / total * R, bias / total * R


def alpha_beta(alpha, up_bias, down_bias):
    up, kept_up = proportional(UP, up_bias)
    down, kept_down = proportional(DOWN, down_bias)
    return alpha * up - (alpha - 1) * down, alpha * kept_up - (alpha - 1) * kept_down


SIGN_Z = np.where(Z >= 0, 1, -1)
# rule, parameters, (messages, kept by the bias) by formula
FORMULAS = [
    ("z", {}, proportional(CONTRIBUTIONS, B)),
    ("epsilon", {"epsilon": EPS}, proportional(CONTRIBUTIONS, B, EPS * SIGN_Z)),
    ("epsilon_std_x", {"factor": 0.5}, proportional(CONTRIBUTIONS, B, 0.5 * A.std() * SIGN_Z)),
    ("gamma", {"gamma": 0.8}, proportional(*gamma_parts(0.8))),
    ("alpha_beta", {"alpha": 1.0, "beta": 0.0}, alpha_beta(1.0, B, B)),
    ("alpha_beta", {"alpha": 2.5, "beta": 1.5}, alpha_beta(2.5, B, B)),
    ("alpha_beta_zennit", {"alpha": 2.0, "beta": 1.0}, alpha_beta(2.0, B_UP, B_DOWN)),
    ("zplus", {}, alpha_beta(1.0, B_UP, B_DOWN)),
    ("flat", {}, proportional(np.ones_like(W), 0 * B)),
    ("wsquare", {}, proportional(W**2, B**2)),
    ("zbox", {"low": LOW, "high": HIGH}, proportional(*box_parts())),
    ("sign", {"mu": 0.0}, (np.where(A >= 0, 1, -1)[:, None] * W / Z * R, B / Z * R)),
]


def shares(rule, parameters, bias=B):
    tensors = (torch.tensor(values) for values in (A, W, bias, R))
    return share_out(RULES[rule](parameters), *tensors)


@pytest.mark.parametrize(("rule", "parameters", "expected"), FORMULAS)
def test_messages_and_bias_by_formula(rule, parameters, expected):
    found = shares(rule, parameters | ({} if rule in ("z", "epsilon") else {"stabiliser": 1e-12}))
    np.testing.assert_allclose(found.messages, expected[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.bias, expected[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("rule", "parameters", "expected"), FORMULAS)
def test_every_output_is_accounted_for(rule, parameters, expected):
    found = shares(rule, parameters)
    np.testing.assert_allclose(found.messages.sum(0) + found.bias + found.rest, R, rtol=1e-12)
    if rule not in ("epsilon", "epsilon_std_x", "sign"):
        np.testing.assert_allclose(found.rest, 0, atol=1e-5)


def test_epsilon_absorbs_by_formula():
    found = shares("epsilon", {"epsilon": EPS})
    np.testing.assert_allclose(found.rest, EPS / (np.abs(Z) + EPS) * R, rtol=1e-9)


def test_a_large_stabiliser_absorbs_as_epsilon_does():
    found = shares("zplus", {"stabiliser": 5.0})
    total = UP.sum(0) + B_UP
    np.testing.assert_allclose(found.rest, 5 / (total + 5) * R, rtol=1e-9)


@pytest.mark.parametrize("rule", ["z", "zplus", "flat", "wsquare"])
def test_no_bias_keeps_nothing(rule):
    found = shares(rule, {}, bias=0 * B)
    np.testing.assert_allclose(found.bias, 0, atol=1e-12)
    np.testing.assert_allclose(found.messages.sum(0), R, rtol=1e-4)
