"""Methods on functions whose explanation can be written down, and the published default of every parameter.

The networks here are chosen so that a wrong constant shows: noise cannot be seen on a linear one, nor a regression's
weights where every part adds for itself.
"""

from itertools import permutations, product
from math import factorial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import by_hand
from leadwise import METHODS, attribute
from networks import ecg_batch, linear_ecg, seeded

pytestmark = [
    pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning"),
    pytest.mark.usefixtures("one_thread"),
]


class Formula(nn.Module):
    """Logits (N, 2) whose second is ``function`` of the input (N, channels, T), behind a convolution that copies it."""

    def __init__(self, function, channels: int):
        super().__init__()
        self.copy, self.function = nn.Conv1d(channels, channels, 1, bias=False), function
        self.copy.weight.data = torch.eye(channels)[:, :, None].clone()

    def forward(self, x):
        y = self.function(self.copy(x))
        return torch.stack([-y, y], 1)


def cubes(x: Tensor) -> Tensor:
    return (x * x * x).flatten(1).sum(1)


def explain(model, x, name, **parameters):
    return attribute(model, x, name, 1, progress=False, **parameters)


# --- Published defaults ------------------------------------------------------------------------------------

DEFAULTS = {
    "smoothgrad": {"samples": 50, "noise": 0.1, "seed": 0},  # Smilkov et al. 2017, section 3.2: 50; 10 to 20 %
    "vargrad": {"samples": 50, "noise": 0.1, "seed": 0},
    "gradient_x_sign": {"mu": 0.0},  # Gumpfer et al. 2023
    "integrated_gradients": {"steps": 50, "baseline": "zero", "reselect_target": False},  # SIGN-XAI's number
    "expected_gradients": {"samples": 50, "background": "noise", "seed": 0},
    "deeplift": {"baseline": "zero"},
    "deepshap": {"samples": 16, "background": "noise", "seed": 0},
    "occlusion": {"window": 100, "stride": 50, "leads": "each", "baseline": "zero"},  # 0.2 s at 500 Hz, half of it
    "kernel_shap": {"segment": 500, "baseline": "zero", "seed": 0},
    "lime": {"samples": 1000, "segment": 250, "width": 0.25, "ridge": 1.0, "baseline": "zero", "seed": 0},  # lime 0.2
    "rise": {"samples": 2000, "cell": 200, "keep": 0.5, "seed": 0},  # Petsiuk et al. 2018, section 4: p = 0.5
    "random": {"seed": 0},
    "lrp_epsilon": {"epsilon": 0.1},
    "lrp_epsilon_std_x": {"factor": 0.25},  # Gumpfer et al. 2023
    "lrp_gamma": {"gamma": 0.25},  # Montavon et al. 2019, section 10.3
    "lrp_epsilon_gamma_box": {"gamma": 0.25},
    "lrp_alpha_beta": {"alpha": 1.0, "beta": 0.0},
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_default_is_the_published_one(name):
    """Given and left out, a parameter makes the same map; another value makes another, so that this can be seen."""
    torch.manual_seed(2)
    layers = nn.Conv1d(2, 4, 5), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(4, 4, 3), nn.ReLU(), nn.Flatten()
    model = nn.Sequential(*layers, nn.Linear(4 * 146, 2)).eval()
    x = torch.randn(1, 2, 300, generator=torch.Generator().manual_seed(1))
    left_out = explain(model, x, name)
    torch.testing.assert_close(explain(model, x, name, **DEFAULTS[name]), left_out, rtol=1e-6, atol=0)
    for key, value in DEFAULTS[name].items():
        row = next((p for p in METHODS[name].parameters if p.name == key), None)
        if row and row.kind in ("int", "float") and key not in ("seed", "beta"):
            other = {key: {"mu": 0.3, "alpha": 2.0}.get(key, value / 2 if row.kind == "float" else value // 2)}
            other |= {"beta": 1.0} if key == "alpha" else {}
            assert not torch.allclose(explain(model, x, name, **other), left_out, rtol=1e-4), key


def test_defaults_for_images():
    """A patch of 32 pixels in steps of 16, superpixels of 28 (LIME's 8 x 8 of 224), RISE's cells of 32 (224 / 7)."""
    for name, key, value in (
        ("occlusion", "window", 32),
        ("occlusion", "stride", 16),
        ("kernel_shap", "segment", 56),
        ("lime", "segment", 56),
        ("rise", "cell", 32),
    ):
        assert METHODS[name].defaults(images=True)[key] == value


def test_occlusions_default_stride_is_half_a_window():
    """Linear, 200 samples: windows start at 0, 50, 100; a sample gets the mean of what the windows over it hid."""
    model, x = seeded(lambda: linear_ecg(200)), ecg_batch(1, 200)
    parts = (model[0].weight.detach()[1] * x[0]).view(12, 4, 50).sum(-1)
    first, middle, last = (parts[:, i] + parts[:, i + 1] for i in range(3))
    expected = torch.stack([first, (first + middle) / 2, (middle + last) / 2, last], 1).repeat_interleave(50, 1)
    torch.testing.assert_close(explain(model, x, "occlusion")[0], expected, atol=1e-4, rtol=1e-3)


# --- Noise -------------------------------------------------------------------------------------------------


def between_one_and_three() -> Tensor:
    """A sample whose range, 2, is neither its maximum, 3, nor its standard deviation."""
    x = 1 + 2 * torch.rand((1, 4, 100), generator=torch.Generator().manual_seed(0))
    x[0, 0, :2] = torch.tensor([1.0, 3.0])
    return x


@pytest.mark.parametrize("noise", [None, 0.2])
def test_smoothgrad_of_cubes(noise):
    """The gradient is 3 x^2; with noise of deviation s it is 3 (x^2 + s^2) on average, s = noise x range."""
    x, given = between_one_and_three(), {"noise": noise} if noise else {}
    found = explain(Formula(cubes, 4), x, "smoothgrad", samples=400, **given)
    spread = 2 * (noise or 0.1)
    # What the draws add to s^2: 2 x e + e^2, averaged over 400 x 400 of them.
    error = 4 * (2 * x.square().mean().sqrt() * spread + 1.5 * spread**2) / 400
    assert float((found / 3 - x**2).mean()) == pytest.approx(spread**2, abs=float(error))


def test_vargrad_of_cubes():
    """The variance of 3 (x + e)^2 is 9 (4 x^2 s^2 + 2 s^4)."""
    x, spread = between_one_and_three(), 0.2
    found = explain(Formula(cubes, 4), x, "vargrad", samples=400)
    expected = 9 * (4 * x**2 * spread**2 + 2 * spread**4)
    assert float((found / expected).mean()) == pytest.approx(1, abs=0.02)
    assert float((found / expected - 1).abs().mean()) == pytest.approx(0.056, abs=0.02)  # sqrt(2 / (pi 200))


def test_noise_is_drawn_for_every_sample_value():
    """Cubes again: the noise of two leads, of two places and of two draws is independent."""
    x = between_one_and_three()
    found = (explain(Formula(cubes, 4), x, "smoothgrad", samples=1) / 3).sqrt() - x
    leads = torch.corrcoef(found[0])
    assert float((leads - torch.eye(4)).abs().max()) < 0.4
    assert abs(float(torch.corrcoef(torch.stack([found[0, :, 1:].flatten(), found[0, :, :-1].flatten()]))[0, 1])) < 0.2


# --- Paths and baselines -----------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [2, 3, 11, None])
def test_integrated_gradients_of_cubes_is_the_trapezoidal_rule(steps):
    x = between_one_and_three()
    found = explain(Formula(cubes, 4), x, "integrated_gradients", **({"steps": steps} if steps else {}))
    alphas = torch.linspace(0, 1, steps or 50).view(-1, 1, 1)
    expected = torch.trapezoid(3 * (alphas * x) ** 2, dx=float(alphas[1]), dim=0) * x
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_expected_gradients_of_squares_is_the_difference_of_squares():
    """Along any path from x' the integral is x^2 - x'^2; the background is averaged over."""
    x = between_one_and_three()
    background = torch.tensor([0.0, 1.0])[:, None, None].expand(2, 4, 100)
    found = explain(
        Formula(lambda x: (x * x).flatten(1).sum(1), 4), x, "expected_gradients", samples=5000, background=background
    )
    torch.testing.assert_close(found, x**2 - 0.5, rtol=0.06, atol=0.03)


@pytest.mark.parametrize("name", ["integrated_gradients", "deeplift", "occlusion"])
def test_what_the_baselines_are(name):
    """A linear network gives w (x - x'), hence x'."""
    model, x = seeded(lambda: linear_ecg(400)), ecg_batch(1, 400, seed=3) + 1
    weight, parameters = model[0].weight.detach()[1], {"window": 1, "stride": 1} if name == "occlusion" else {}

    def baseline(which):
        return x[0] - explain(model, x, name, baseline=which, **parameters)[0] / weight

    tolerance = {"rtol": 1e-2, "atol": 5e-2}
    steady = weight.abs() > 0.002  # division by less makes rounding visible
    for which, expected in (("zero", torch.zeros_like(x[0])), ("mean", x[0].mean(1, keepdim=True).expand(12, 400))):
        torch.testing.assert_close(baseline(which)[steady], expected[steady], **tolerance)
    noisy = torch.where(steady, baseline("noise"), torch.nan)
    deviation, centre = x[0].std(1, unbiased=False), x[0].mean(1)
    found = noisy.nanmean(1)
    assert float(((found - centre) / deviation).abs().max()) < 0.2
    found = (noisy - found[:, None]).square().nanmean(1).sqrt()
    torch.testing.assert_close(found, deviation, rtol=0.15, atol=0)


@pytest.mark.parametrize("name", ["expected_gradients", "deepshap"])
def test_what_the_backgrounds_are(name):
    """A linear network gives w (x - mean x'). Noise: mean 0, each channel's deviation. Shifts: the channel's mean."""
    model, x = seeded(lambda: linear_ecg(400)), ecg_batch(1, 400, seed=3) + 1
    weight = model[0].weight.detach()[1]
    weight.copy_(torch.where(weight >= 0, 0.05, -0.05))
    count = 40

    def mean_of(background):
        return x[0] - explain(model, x, name, background=background, samples=count)[0] / weight

    deviation = x[0].std(1, unbiased=False)
    noise = mean_of("noise")
    torch.testing.assert_close(noise.std(1), deviation / count**0.5, rtol=0.2, atol=0)
    assert float((noise.mean(1) / deviation).abs().max()) < 4 / (400 * count) ** 0.5
    torch.testing.assert_close(mean_of("shifts").mean(1), x[0].mean(1), rtol=1e-2, atol=1e-2)


# --- Kept and removed segments -----------------------------------------------------------------------------

SEGMENT = 10


def interacting(x: Tensor) -> Tensor:
    """Four segments (2 leads x 2) that do not only add."""
    a, b, c, d = x.view(len(x), 4, SEGMENT).sum(-1).unbind(1)
    return a + 2 * b * c - d + 0.5 * a * d + 3


@torch.no_grad()
def four_segments() -> tuple[nn.Module, Tensor, list[tuple[Tensor, float]]]:
    """Return the network, a sample, and each of the 16 choices of kept segments with the logit under it."""
    model, x = Formula(interacting, 2), torch.full((1, 2, 2 * SEGMENT), 0.1)
    rows = []
    for kept in product([0.0, 1.0], repeat=4):
        mask = torch.tensor(kept).repeat_interleave(SEGMENT).view(1, 2, 2 * SEGMENT)
        rows.append((torch.tensor(kept), float(model(x * mask)[0, 1])))
    return model, x, rows


def by_segment(relevance: Tensor) -> Tensor:
    """Return the sum over each segment, which must be shared out evenly."""
    parts = relevance.view(4, SEGMENT)
    torch.testing.assert_close(parts, parts.mean(1, keepdim=True).expand_as(parts))
    return parts.sum(1)


@pytest.mark.parametrize(("width", "ridge"), [(0.25, 1.0), (0.25, 1000.0), (1.0, 1.0), (0.6, 300.0)])
def test_lime_is_the_weighted_ridge_regression_over_all_choices(width, ridge):
    """Ribeiro et al. 2016, eq. 2: n draws put n / 16 on each choice; weights exp(-d^2 / width^2), d in cosine."""
    model, x, rows = four_segments()
    count = 6000
    kept = torch.stack([row for row, _ in rows]).double()
    values = torch.tensor([value for _, value in rows]).double()
    cosine = kept.sum(1) / (kept.sum(1).sqrt() * 2).clamp(min=1e-12)
    weights = torch.exp(-((1 - cosine) ** 2) / width**2) * count / 16
    centred = kept - (weights[:, None] * kept).sum(0) / weights.sum()
    gram = centred.T @ (weights[:, None] * centred) + ridge * torch.eye(4).double()
    expected = torch.linalg.solve(gram, centred.T @ (weights * (values - values.mean())))
    found = by_segment(explain(model, x, "lime", samples=count, segment=SEGMENT, width=width, ridge=ridge)[0])
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=0.05 * float(expected.abs().max()))


def test_kernel_shap_is_the_shapley_value():
    """Over all orders of arrival: what a segment adds to those before it (Lundberg & Lee 2017, eq. 4)."""
    model, x, rows = four_segments()
    value = {tuple(row.int().tolist()): logit for row, logit in rows}
    expected = torch.zeros(4)
    for order in permutations(range(4)):
        present = [0, 0, 0, 0]
        for player in order:
            before = value[tuple(present)]
            present[player] = 1
            expected[player] += (value[tuple(present)] - before) / factorial(4)
    found = by_segment(explain(model, x, "kernel_shap", samples=4000, segment=SEGMENT)[0])
    torch.testing.assert_close(found, expected, rtol=0, atol=0.05 * float(expected.abs().max()))


# --- RISE --------------------------------------------------------------------------------------------------


def test_rise_does_not_see_a_constant():
    """The mean logit is taken off: a constant adds nothing, not even through the masks' own fluctuation."""
    x = ecg_batch(1, 60)[:, :3]
    constant = Formula(lambda x: 0 * x.flatten(1).sum(1) + 7, 3)
    assert float(explain(constant, x, "rise", samples=50, cell=20).abs().max()) < 1e-5
    plain, raised = (Formula(lambda x, c=c: x.flatten(1).sum(1) + c, 3) for c in (0.0, 100.0))
    found = [explain(model, x, "rise", samples=50, cell=20) for model in (plain, raised)]
    torch.testing.assert_close(*found, rtol=1e-2, atol=1e-3 * float(found[0].abs().max()))


@pytest.mark.parametrize("keep", [0.5, 0.8])
def test_rise_of_one_lead_over_all_masks(keep):
    """E[(f(x M) - E f) M] / p over every mask there is: two cells kept or not, every shift (Petsiuk et al. 2018)."""
    cell, samples = 16, 6000
    weight = torch.linspace(0.5, 2, cell)
    function = lambda x: (weight * x[:, 0]).sum(1) ** 2  # noqa: E731
    x = torch.ones(1, 1, cell)
    masks, chances = [], []
    for kept in product([0.0, 1.0], repeat=2):
        wide = F.interpolate(torch.tensor(kept)[None, None], scale_factor=cell, mode="linear", align_corners=False)
        masks += [wide[0, 0, shift : shift + cell] for shift in range(cell)]
        chances += [(keep if kept[0] else 1 - keep) * (keep if kept[1] else 1 - keep) / cell] * cell
    masks, chances = torch.stack(masks), torch.tensor(chances)
    values = function(masks[:, None] * x)
    expected = ((values - (chances * values).sum()) * chances) @ masks / keep
    found = explain(Formula(function, 1), x, "rise", samples=samples, cell=cell, keep=keep)[0, 0]
    torch.testing.assert_close(found, expected, rtol=0, atol=0.06 * float(expected.abs().max()))


# --- The box of an ECG and of an image ---------------------------------------------------------------------


def test_the_zbox_of_an_ecg_has_both_signs():
    """Without bounds given they are plus and minus the largest magnitude of each sample, here of a negative value."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(2, 2, 6), nn.Flatten())
    x = torch.tensor([[[-3.0, 1, 0, -1, 2, 0.5], [0.1, -0.2, 1.5, -2, 0, 1]], [[0.1] * 6, [-0.3] * 6]])
    weight = model[0].weight.detach()[1]
    for sample, top in ((0, 3.0), (1, 0.3)):
        q = x[sample] * weight + top * weight.clamp(min=0) - top * weight.clamp(max=0)
        expected = q / q.sum() * model(x)[sample, 1].detach()
        torch.testing.assert_close(explain(model, x, "lrp_zbox")[sample], expected, rtol=1e-4, atol=1e-6)


def test_the_zbox_of_an_image_is_that_of_normalised_pixels():
    """Black and white after ImageNet's normalisation (mean .485 .456 .406, deviation .229 .224 .225)."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(3, 2, 4), nn.Flatten()).double()
    x = torch.randn(1, 3, 4, 4, dtype=torch.float64)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    low, high = (((bound - mean) / deviation).double().repeat_interleave(16) for bound in (0.0, 1.0))
    steps = [by_hand.Step("conv", lambda x, w, b: F.conv2d(x, w, b).flatten(1), (-1,), model[0].weight, model[0].bias)]
    expected = by_hand.explain(steps, x, 1, conv=by_hand.zplus, dense=by_hand.zplus, first=by_hand.zbox(low, high))
    torch.testing.assert_close(explain(model.float(), x.float(), "lrp_zbox").double(), expected, rtol=1e-4, atol=1e-5)
