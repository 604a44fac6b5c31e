"""Attribution against closed forms, conservation laws and peer libraries."""

import ast
import importlib.util
import warnings
from copy import deepcopy
from pathlib import Path

import captum.attr
import pytest
import torch
import zennit.composites
from torch import nn

from leadwise import METHODS, attribute
from leadwise.attribution import MethodWarning, caveat
from leadwise.attribution.names import resolve
from leadwise.networks.ecg_net import ECGNet
from networks import ImageNet, ReluECG, ecg_batch, image_batch, linear_ecg, seeded


def explained_logit(model, x, target):
    """The logit of each sample's class, by the module itself."""
    return model(x).gather(1, target[:, None])[:, 0]


QUICK = {
    "kernel_shap": {"samples": 60, "segment": 16},
    "lime": {"samples": 60, "segment": 16},
    "rise": {"samples": 40, "cell": 16},
    "occlusion": {"window": 16, "stride": 8},
}
RANDOM = [
    name
    for name, row in METHODS.items()
    if row.random and name not in ("deeplift", "integrated_gradients", "occlusion", "difference")
]

pytestmark = pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning")


def explain(model, x, name, **parameters):
    return attribute(model, x, name, progress=False, **{**QUICK.get(name, {}), **parameters})


# Seeds of networks in which no channel is silent: average pooling cannot hand relevance to a channel of zeros.
LIVELY = {ReluECG: 28, ImageNet: 2}


def sums(relevance):
    return relevance.flatten(1).sum(1)


# --- Every row of the registry ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("make", "inputs"), [(ReluECG, ecg_batch), (ImageNet, image_batch), (ECGNet, ecg_batch)])
def test_runs_on_batches_and_single_samples(name, make, inputs):
    model, x = seeded(make), inputs()
    both = explain(model, x, name, target=[1, 0])
    assert both.shape == x.shape
    assert torch.isfinite(both).all()
    assert both.abs().sum() > 0
    alone = explain(model, x[0], name, target=1)
    torch.testing.assert_close(alone, both[0], rtol=1e-3, atol=1e-4 * float(both[0].abs().max()))


@pytest.mark.parametrize("name", METHODS)
def test_leaves_the_model_as_it_was(name):
    model, x = seeded(ImageNet).train(), image_batch()
    model.features[0].weight.requires_grad_(False)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    explain(model, x, name)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert all(module.inplace for module in model.modules() if isinstance(module, nn.ReLU))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert not any(module._backward_hooks or module._backward_pre_hooks for module in model.modules())
    assert all(weight.grad is None for weight in model.parameters())
    assert [weight.requires_grad for weight in model.parameters()].count(False) == 1
    assert torch.equal(torch.get_rng_state(), random_state)


@pytest.mark.parametrize("name", RANDOM)
def test_deterministic_under_a_seed(name):
    model, x = seeded(ReluECG), ecg_batch(1)
    first = explain(model, x, name, seed=3)
    torch.rand(5)
    assert torch.equal(explain(model, x, name, seed=3), first)
    assert not torch.equal(explain(model, x, name, seed=4), first)


@pytest.mark.parametrize("name", METHODS)
def test_rows_are_complete(name):
    row = METHODS[name]
    assert row.name == name
    assert row.title
    assert row.formula
    assert row.citation or row.family == "control"
    for parameter in row.parameters:
        assert parameter.help
        assert parameter.check(parameter.default) == parameter.default


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_works_where_gradients_are_off(context):
    model, x = seeded(ReluECG), ecg_batch()
    expected = explain(model, x, "lrp_epsilon")
    with context():
        torch.testing.assert_close(explain(model, ecg_batch(), "lrp_epsilon"), expected)


# --- Closed forms: a linear network ----------------------------------------------------------------------


@pytest.fixture
def linear():
    model = seeded(lambda: linear_ecg(40))
    return model, model[0].weight.detach()[1], ecg_batch(1, 40)


def test_linear_gradient_family(linear):
    model, weight, x = linear
    closed_forms = {
        "gradient": weight,
        "gradient_x_input": weight * x[0],
        "gradient_x_sign": weight * torch.where(x[0] >= 0, 1, -1),
        "smoothgrad": weight,
        "vargrad": torch.zeros_like(weight),
        "integrated_gradients": weight * x[0],
        "deeplift": weight * x[0],
    }
    for name, expected in closed_forms.items():
        torch.testing.assert_close(explain(model, x, name, target=1)[0], expected, atol=1e-6, rtol=1e-4)


def test_sign_of_zero_is_plus(linear):
    model, weight, x = linear
    x[0, 0] = 0
    torch.testing.assert_close(explain(model, x, "gradient_x_sign", target=1)[0, 0], weight[0])
    torch.testing.assert_close(explain(model, x, "gradient_x_sign", target=1, mu=0.1)[0, 0], -weight[0])


def test_linear_occlusion_is_what_is_taken_away(linear):
    model, weight, x = linear
    each = explain(model, x, "occlusion", target=1, window=1, stride=1)[0]
    torch.testing.assert_close(each, weight * x[0], atol=1e-5, rtol=1e-3)
    together = explain(model, x, "occlusion", target=1, window=1, stride=1, leads="all")[0]
    torch.testing.assert_close(together, (weight * x[0]).sum(0).expand(12, -1), atol=1e-5, rtol=1e-3)


def test_linear_kernel_shap_is_the_segments_contribution(linear):
    model, weight, x = linear
    relevance = explain(model, x, "kernel_shap", target=1, segment=20, samples=2000)[0]
    segments = (weight * x[0]).view(12, 2, 20).sum(-1)
    torch.testing.assert_close(relevance.view(12, 2, 20).sum(-1), segments, atol=1e-3, rtol=1e-2)


def test_linear_lime_and_rise_rank_the_segments(linear):
    model, weight, x = linear
    segments = (weight * x[0]).view(12, 2, 20).sum(-1).flatten()
    for name, parameters in {"lime": {"segment": 20}, "rise": {"cell": 20}}.items():
        relevance = explain(model, x, name, target=1, **(parameters | {"samples": 4000}))[0]
        found = relevance.view(12, 2, 20).sum(-1).flatten()
        assert torch.corrcoef(torch.stack([found, segments]))[0, 1] > 0.75, name


def test_linear_lrp_z_is_the_contribution_without_bias():
    model = nn.Sequential(nn.Conv1d(12, 2, 40, bias=False), nn.Flatten())
    x = ecg_batch(1, 40)
    torch.testing.assert_close(explain(model, x, "lrp_z", target=1)[0], model[0].weight.detach()[1] * x[0])


def test_expected_gradients_of_one_baseline_is_integrated_gradients():
    model, x = seeded(ReluECG), ecg_batch(1)
    expected = explain(model, x, "integrated_gradients", target=1, steps=1000)
    drawn = explain(model, x, "expected_gradients", target=1, samples=4000, background=torch.zeros(1, 12, 64))
    assert torch.corrcoef(torch.stack([drawn.flatten(), expected.flatten()]))[0, 1] > 0.999


def test_grad_cam_pp_closed_form():
    """Convolution, average pooling, dense: gradients are w_k / T, so alpha_k = 1 / (2 + g_k sum A_k)."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(12, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2)).eval()
    model[4].weight.data.abs_()
    x = ecg_batch(1, 50)
    maps, g = model[1](model[0](x)).detach()[0], model[4].weight.detach()[1] / 50
    alpha = g**2 / (2 * g**2 + maps.sum(1) * g**3)
    cam = ((50 * alpha * g.clamp(min=0))[:, None] * maps).sum(0).clamp(min=0)
    torch.testing.assert_close(explain(model, x, "grad_cam_pp", target=1)[0, 0], cam / cam.max())


def places(*head) -> nn.Sequential:
    """Return a network whose layer "1" keeps the 6 x 6 places of its input; ``head`` follows it."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), *head).eval()


def test_hirescam_sums_to_the_logit_less_the_bias_where_the_head_is_linear():
    """Draelos & Carin 2020: one dense layer on the flattened maps, so that a place's value is what it adds."""
    model, x = places(nn.Flatten(), nn.Linear(144, 2)), torch.randn(2, 3, 6, 6)
    maps, weight = model[1](model[0](x)).detach(), model[3].weight.detach()[1].view(4, 6, 6)
    found = explain(model, x, "hirescam", target=1)
    torch.testing.assert_close(found[:, 0], (weight * maps).sum(1))
    torch.testing.assert_close(sums(found[:, 0]), (model(x)[:, 1] - model[3].bias[1]).detach())
    assert torch.equal(found[:, :1].expand_as(found), found)


def test_with_global_average_pooling_grad_cam_is_hirescams_positive_part():
    """Draelos & Carin 2020: the gradient is then the same in all places, and so is its mean."""
    model = places(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    x = torch.randn(1, 3, 48, 48)
    cam = explain(model, x, "hirescam", target=1).clamp(min=0)
    torch.testing.assert_close(explain(model, x, "grad_cam", target=1), cam / cam.max())


def test_grad_cam_may_show_the_one_place_that_adds_nothing():
    """Two channels, two places: the first fires on the left, where its weight is 2; the second on the right: weight 0.

    The logit is 2, all of it from the left. Yet the channels' mean weights are -1 and 1/2.
    """
    model = nn.Sequential(nn.Conv2d(2, 2, 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(4, 1, bias=False))
    model[0].weight.data = torch.eye(2).view(2, 2, 1, 1)
    model[3].weight.data = torch.tensor([[2.0, -4.0, 1.0, 0.0]])
    x = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    assert torch.equal(explain(model, x, "hirescam", target=0)[0, 0], torch.tensor([[2.0, 0.0]]))
    assert torch.equal(explain(model, x, "grad_cam", target=0)[0, 0], torch.tensor([[0.0, 1.0]]))


# --- Completeness and conservation -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters", "tolerance"),
    [("integrated_gradients", {"steps": 1000}, 1e-3), ("deeplift", {}, 1e-4), ("kernel_shap", {}, 1e-3)],
)
def test_relevance_sums_to_the_difference_from_the_baseline(name, parameters, tolerance):
    model, x = seeded(ReluECG), ecg_batch()
    target = torch.tensor([1, 0])
    with torch.no_grad():
        difference = explained_logit(model, x, target) - explained_logit(model, torch.zeros_like(x), target)
    torch.testing.assert_close(
        sums(explain(model, x, name, target=target, **parameters)), difference, rtol=tolerance, atol=1e-4
    )


def test_deepshap_sums_to_the_difference_from_the_backgrounds_mean():
    """Lundberg & Lee 2017: the average of DeepLIFT over the background, through max-poolings behind activations."""
    model, x = seeded(ECGNet), ecg_batch()
    background = torch.randn(5, *x.shape[1:], generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        difference = model(x)[:, 1] - model(background)[:, 1].mean()
    found = explain(model, x, "deepshap", target=1, background=background)
    torch.testing.assert_close(sums(found), difference, rtol=1e-4, atol=1e-5)


def test_deeplift_of_a_max_pooling_by_hand():
    """Windows of 3, one apart, summed: the 9 wins three of them and so adds 27, of which its baseline had 3."""
    model = nn.Sequential(nn.Conv1d(1, 1, 1, bias=False), nn.MaxPool1d(3, 1), nn.Flatten(), nn.Linear(3, 1, bias=False))
    for weight in model.parameters():
        weight.data.fill_(1.0)
    x, start = torch.tensor([[[0.0, 0.0, 9.0, 0.0, 0.0]]]), torch.tensor([[[0.0, 0.0, 1.0, 0.0, 0.0]]])
    assert explain(model, x, "deeplift", target=0, baseline=start).tolist() == [[[0, 0, 24, 0, 0]]]
    # Where the baseline has another largest value, and larger ones, the loss goes to its places: 0 + (0 - 4) + (2 - 4).
    x, start = torch.tensor([[[2.0, 0.0, 0.0, 0.0, 2.0]]]), torch.tensor([[[2.0, 0.0, 0.0, 4.0, 0.0]]])
    assert explain(model, x, "deeplift", target=0, baseline=start).tolist() == [[[0, 0, 0, -6, 0]]]


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(2),
        nn.MaxPool2d(3, 2),
        nn.MaxPool2d(3, 1, padding=1),
        nn.MaxPool2d(2, 2, dilation=2, ceil_mode=True),
    ],
)
def test_deeplift_is_complete_for_any_max_pooling_and_baseline(pool):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.ReLU(),
        pool,
        nn.Conv2d(6, 6, 3),
        nn.ReLU(),
        deepcopy(pool),
        nn.Flatten(),
        nn.LazyLinear(2),
    ).eval()
    x, start = torch.randn(2, 2, 3, 20, 20)
    with torch.no_grad():
        difference = (model(x) - model(start))[:, 1]
    found = explain(model, x, "deeplift", target=1, baseline=start)
    torch.testing.assert_close(sums(found), difference, rtol=1e-4, atol=1e-5)
    assert type(pool) is nn.MaxPool2d


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("lrp_z", {}), ("lrp_epsilon", {"epsilon": 1e-9}), ("lrp_epsilon_std_x", {"factor": 0.0}), ("lrp_flat", {}),
     ("lrp_wsquare", {}), ("lrp_gamma", {"gamma": 0.0})],
)  # fmt: skip
@pytest.mark.parametrize(("make", "inputs"), [(ReluECG, ecg_batch), (ImageNet, image_batch)])
def test_lrp_conserves_the_logit_without_biases(name, parameters, make, inputs):
    options = {"bias": False} | ({"normalised": False} if make is ImageNet else {})
    model, x = seeded(make, seed=LIVELY[make], **options), inputs()
    logit = explained_logit(model, x, torch.tensor([1, 1])).detach()
    torch.testing.assert_close(sums(explain(model, x, name, target=1, **parameters)), logit, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("rule", ["z", "flat", "wsquare", "zbox"])
def test_first_layer_rules_conserve(rule):
    model, x = seeded(ReluECG, seed=2, bias=False), ecg_batch()
    logit = explained_logit(model, x, torch.tensor([1, 1])).detach()
    torch.testing.assert_close(sums(explain(model, x, "lrp_z", target=1, input_rule=rule)), logit, rtol=2e-3, atol=1e-4)


def test_alpha_beta_conserves_where_every_part_is_positive():
    """With positive weights and inputs the negative part is empty: alpha 1 beta 0 is then the z-rule."""
    model, x = seeded(ReluECG, bias=False), ecg_batch().abs()
    for weight in model.parameters():
        weight.data.abs_()
    torch.testing.assert_close(explain(model, x, "lrp_alpha_beta", target=1), explain(model, x, "lrp_z", target=1))


# --- Peers -----------------------------------------------------------------------------------------------

ZENNIT = {
    "lrp_epsilon_plus": lambda low, high: zennit.composites.EpsilonPlus(),
    "lrp_epsilon_gamma_box": lambda low, high: zennit.composites.EpsilonGammaBox(low, high),
    "lrp_epsilon_plus_flat": lambda low, high: zennit.composites.EpsilonPlusFlat(),
    "lrp_epsilon_alpha2_beta1_flat": lambda low, high: zennit.composites.EpsilonAlpha2Beta1Flat(),
}


@pytest.mark.parametrize("name", ZENNIT)
def test_composites_are_zennits(name):
    model, x = seeded(ImageNet, normalised=False), image_batch()
    for module in model.modules():
        module.inplace = False
    low, high = -3.0, 3.0
    parameters = {"low": low, "high": high}
    with ZENNIT[name](torch.full_like(x, low), torch.full_like(x, high)).context(model) as hooked:
        inside = x.clone().requires_grad_()
        logits = hooked(inside)
        start = torch.zeros_like(logits)
        start[:, 2] = logits[:, 2].detach()
        expected = torch.autograd.grad(logits, inside, start)[0]
    torch.testing.assert_close(explain(model, x, name, target=2, **parameters), expected, rtol=1e-5, atol=1e-5)


def test_integrated_gradients_is_captums():
    model, x = seeded(ReluECG), ecg_batch()
    peer = captum.attr.IntegratedGradients(model).attribute(x, target=1, n_steps=1000, method="riemann_trapezoid")
    ours = explain(model, x, "integrated_gradients", target=1, steps=1000)
    torch.testing.assert_close(ours, peer.float(), rtol=1e-2, atol=1e-4)


class AroundTheFirstLayer(nn.Module):
    """The input reaches the output beside the first layer too: walking behind that layer alone would be wrong."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.dense = nn.Conv1d(12, 12, 3, padding=1), nn.ReLU(), nn.Linear(12, 2)

    def forward(self, x):
        return self.dense((self.relu(self.conv(x)) + torch.tanh(x)).mean(-1))


class FlattenedFirst(nn.Module):
    """The first layer does not see the input as it is."""

    def __init__(self):
        super().__init__()
        self.conv, self.dense = nn.Conv1d(6, 4, 3), nn.Linear(4, 2)

    def forward(self, x):
        return self.dense(torch.relu(self.conv(x[:, ::2] * 2)).mean(-1))


@pytest.mark.parametrize("make", [AroundTheFirstLayer, FlattenedFirst])
def test_integrated_gradients_on_networks_whose_input_takes_another_way(make):
    model, x = seeded(make), ecg_batch()
    peer = captum.attr.IntegratedGradients(model).attribute(x, target=1, n_steps=200, method="riemann_trapezoid")
    ours = explain(model, x, "integrated_gradients", target=1, steps=200)
    torch.testing.assert_close(ours, peer.float(), rtol=1e-2, atol=1e-4)


def test_gradient_x_input_is_captums():
    model, x = seeded(ReluECG), ecg_batch()
    peer = captum.attr.InputXGradient(model).attribute(x.clone().requires_grad_(), target=1)
    torch.testing.assert_close(explain(model, x, "gradient_x_input", target=1), peer.detach())


@pytest.mark.parametrize(("name", "peer"), [("guided_backprop", "GuidedBackprop"), ("deconvnet", "Deconvolution")])
def test_rectifier_rules_are_captums(name, peer):
    model, x = seeded(ReluECG), ecg_batch()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = getattr(captum.attr, peer)(model).attribute(x, target=1)
    torch.testing.assert_close(explain(model, x, name, target=1), expected.detach())


def test_grad_cam_is_captums():
    model, x = seeded(ReluECG), ecg_batch()
    peer = captum.attr.LayerGradCam(model, model.relu2).attribute(x, target=0, relu_attributions=True).detach()
    ours = explain(model, x, "grad_cam", target=0)
    cam = peer / peer.amax(-1, keepdim=True)
    expected = nn.functional.interpolate(cam, size=64, mode="linear", align_corners=True)
    torch.testing.assert_close(ours[:, :1], expected)
    assert torch.equal(ours[:, :1].expand_as(ours), ours)


@pytest.mark.parametrize(
    ("make", "inputs", "layer"), [(ReluECG, ecg_batch, "relu2"), (ImageNet, image_batch, "features.0")]
)
def test_hirescam_is_captums_layer_gradient_x_activation(make, inputs, layer):
    model, x = seeded(make), inputs()
    peer = captum.attr.LayerGradientXActivation(model, model.get_submodule(layer)).attribute(x, target=0).detach()
    mode = {"mode": "linear", "align_corners": True} if x.ndim == 3 else {"mode": "bilinear", "align_corners": False}
    expected = nn.functional.interpolate(peer.sum(1, keepdim=True), size=x.shape[2:], **mode)
    torch.testing.assert_close(explain(model, x, "hirescam", target=0, layer=layer)[:, :1], expected)


class Copy(nn.Module):
    """Hands its input on as a new tensor, so that captum's rules for the layers around it run one after the other."""

    def forward(self, x):
        return x.clone()


def test_deeplift_is_captums_where_nothing_stands_before_a_pooling_without_overlap():
    def network(*between):
        torch.manual_seed(0)
        layers = [nn.Conv1d(12, 4, 3), nn.ReLU(), *between, nn.MaxPool1d(2), nn.Conv1d(4, 4, 3), nn.ReLU()]
        return nn.Sequential(*layers, *between, nn.MaxPool1d(2), nn.Flatten(), nn.Linear(56, 2)).eval()

    x = ecg_batch()
    start = x.flip(-1).contiguous()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = captum.attr.DeepLift(network(Copy())).attribute(x, start, target=1).detach()
    torch.testing.assert_close(explain(network(), x, "deeplift", target=1, baseline=start), peer)


def test_batch_norm_is_merged_before_lrp():
    model, x = seeded(ImageNet), image_batch()
    merged = seeded(ImageNet, normalised=False)
    fused = nn.utils.fusion.fuse_conv_bn_eval(model.features[0], model.features[1])
    merged.features[0].load_state_dict(fused.state_dict())
    merged.features[2].load_state_dict(model.features[3].state_dict())
    merged.classifier.load_state_dict(model.classifier.state_dict())
    for name in ("lrp_epsilon", "lrp_alpha_beta"):
        torch.testing.assert_close(
            explain(model, x, name, target=1), explain(merged, x, name, target=1), rtol=1e-3, atol=1e-5
        )


def times_gradient(model, x, target):
    """Input times gradient by PyTorch alone: with ReLUs and affine maps, LRP's z-rule (Ancona et al. 2018)."""
    x = x.clone().requires_grad_()
    return (x * torch.autograd.grad(model(x)[:, target].sum(), x)[0]).detach()


def test_batch_norm_behind_an_activation_is_the_affine_map_that_it_is():
    model = seeded(
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(3600, 2))
    )
    model, x = model.double(), image_batch().double()
    torch.testing.assert_close(explain(model, x, "lrp_z", target=1), times_gradient(model, x, 1), rtol=1e-6, atol=1e-9)


# --- SIGN-XAI names --------------------------------------------------------------------------------------


def signxai_names():
    """Return the methods that the installed signxai package defines, read from its source."""
    package = Path(importlib.util.find_spec("signxai").submodule_search_locations[0])
    source = ast.parse((package / "tf_signxai" / "methods" / "wrappers.py").read_text())
    names = [node.name for node in source.body if isinstance(node, ast.FunctionDef)]
    return [name for name in names if not name.startswith("calculate_") and not name.endswith("_wrapper")]


def test_every_signxai_name_is_understood():
    names = signxai_names()
    assert len(names) > 150
    for name in names:
        method, parameters = resolve(name)
        known = {p.name: p for p in METHODS[method].parameters}
        for key, value in parameters.items():
            if key in known:
                known[key].check(value)
            else:
                assert key in ("times", "mu")


@pytest.mark.parametrize(
    ("name", "method", "parameters"),
    [
        ("lrpsign_epsilon_0_25_std_x_mu_0_5", "lrp_epsilon_std_x", {"input_rule": "sign", "factor": 0.25, "mu": 0.5}),
        ("lrpsign_epsilon_50_mu_neg_0_5", "lrp_epsilon", {"input_rule": "sign", "epsilon": 50.0, "mu": -0.5}),
        ("w2lrp_alpha_1_beta_0", "lrp_alpha_beta", {"input_rule": "wsquare", "alpha": 1.0, "beta": 0.0}),
        ("zblrp_z_VGG16ILSVRC", "lrp_z", {"input_rule": "zbox"}),
        ("flatlrp_sequential_composite_b", "lrp_sequential_composite_b", {"input_rule": "flat"}),
        ("gradient_x_sign_mu_neg_0_5", "gradient", {"times": "sign", "mu": -0.5}),
        ("lrp_alpha_2_beta_1_x_input_x_sign", "lrp_alpha_beta",
         {"input_rule": "same", "alpha": 2.0, "beta": 1.0, "times": "input_sign"}),
        ("guided_grad_cam_VGG16ILSVRC", "guided_grad_cam", {}),
    ],
)  # fmt: skip
def test_names_are_read(name, method, parameters):
    assert resolve(name) == (method, parameters)


def test_names_multiply():
    model, x = seeded(ReluECG), ecg_batch()
    plain = explain(model, x, "smoothgrad", samples=5)
    torch.testing.assert_close(
        explain(model, x, "smoothgrad_x_input_x_sign", samples=5), plain * x * torch.where(x >= 0, 1, -1)
    )


# --- What goes wrong -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "lrp_epsilom"}, "did you mean lrp_epsilon"),
        ({"method": "lrpsing_epsilon_0_25_std_x"}, "did you mean lrpsign_epsilon_0_25_std_x"),
        ({"epsilon": -1}, "epsilon is -1; expected a number from 0 to 100"),
        ({"epsilon": "big"}, "expected a number"),
        ({"epsilom": 1}, "Did you mean epsilon"),
        ({"input_rule": "SIGN"}, "expected one of 'same'"),
        ({"method": "smoothgrad", "samples": 2.5}, "expected a whole number from 1 to 5000"),
        ({"method": "lrp_alpha_beta", "alpha": 2, "beta": 0.5}, "alpha - beta = 1"),
        (
            {"method": "integrated_gradients", "baseline": "black"},
            "expected one of 'zero', 'mean', 'noise' or a tensor",
        ),
        ({"method": "grad_cam", "layer": "conv9"}, "no layer 'conv9'; expected one of conv1"),
        ({"target": 2}, "classes 0 to 1"),
        ({"target": -1}, "classes 0 to 1"),
        ({"target": [0, 1, 0]}, "one for each of 2 samples"),
        ({"target": 0.5}, "whole numbers"),
        ({"method": "kernel_shap", "target": 5}, "classes 0 to 1"),
        ({"method": "deeplift", "target": 5}, "classes 0 to 1"),
        ({"method": "expected_gradients", "background": torch.zeros(3, 2)}, "expected (K, 12, 64)"),
    ],
)
def test_bad_arguments_say_what_is_wrong(arguments, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011  the message is checked below, without regex escapes
        attribute(seeded(ReluECG), ecg_batch(), **arguments)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(5), "takes it neither as a batch nor as one sample"),
        (torch.full((12, 64), torch.nan), "768 NaN"),
        (torch.zeros(0, 12, 64), "nothing to explain"),
        ("an ECG", "expected a dense tensor"),
    ],
)
def test_bad_input_says_what_is_wrong(x, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        attribute(seeded(ReluECG), x)
    assert message in str(error.value)


def test_a_module_may_run_twice():
    class Reuse(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.relu, self.dense = nn.Conv1d(12, 12, 3, padding=1), nn.ReLU(), nn.Linear(12, 2)

        def forward(self, x):
            return self.dense(self.relu(self.conv(self.relu(self.conv(x)))).mean(-1))

    model, x = seeded(Reuse).double(), ecg_batch().double()
    torch.testing.assert_close(explain(model, x, "lrp_z", target=1), times_gradient(model, x, 1), rtol=1e-6, atol=1e-9)


def test_degenerate_methods_warn_with_the_reason():
    elu, relu, x = seeded(ECGNet), seeded(ReluECG), ecg_batch()
    with pytest.warns(MethodWarning, match="ReLU only"):
        attribute(elu, x, "guided_backprop")
    with pytest.warns(MethodWarning, match="never in which lead"):
        attribute(relu, x, "grad_cam")
    assert "ReLU only" in caveat("guided_backprop", elu)
    assert caveat("guided_backprop", relu, x) is None
    assert caveat("grad_cam", seeded(ImageNet), image_batch()) is None
    assert caveat("lrp_epsilon", elu) is None
    with pytest.raises(ValueError, match="give x, one of its inputs"):
        caveat("guided_backprop", relu)


def test_a_progress_function_counts_and_stops():
    model, x, seen = seeded(ReluECG), ecg_batch(1), []

    def report(done, total):
        seen.append((done, total))
        if done >= total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attribute(model, x, "integrated_gradients", progress=report, steps=100)
    assert seen[0][1] == 100
    assert len(seen) > 1
    for name in ("occlusion", "kernel_shap", "rise", "deepshap", "lrp_epsilon"):
        seen.clear()
        attribute(model, x, name, progress=lambda done, total: seen.append((done, total)), **QUICK.get(name, {}))
        assert seen[-1][0] == seen[-1][1], name
    assert not any(module._forward_hooks for module in model.modules())
