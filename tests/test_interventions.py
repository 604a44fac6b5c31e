"""What exchanging parts with the twin does: closed forms on small networks, then the embedded ones."""

import numpy as np
import pytest
import torch
from torch import nn

from leadwise import Network, load_ecg_model, simulate_ecg
from leadwise.ecg.leads import LEADS
from leadwise.ecg.waves import Wave
from leadwise.semantics import (
    BANDS,
    LEAD_GROUPS,
    WAVE_GROUPS,
    Parts,
    contrast,
    interventions,
    misplaced,
    parts_of,
    parts_of_masks,
    settled,
    waves_of,
)
from networks import linear_ecg, seeded

pytestmark = pytest.mark.usefixtures("one_thread")

BEAT = (Wave("P", 0, 20, 30, 40), Wave("QRS", 0, 60, 70, 80), Wave("T", 0, 100, 120, 140))
QUIET = {"progress": False}


def pair(seed=0, count=3, samples=200):
    """Return random patients and twins (N, 12, T)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, count, 12, samples, generator=generator)


class OfParts(nn.Module):
    """Logits (0, f) with f a function of the means over the first, second and third quarter of lead I."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        f = self.function(*x[:, 0, :150].unflatten(1, (3, 50)).mean(2).T)
        return torch.stack([torch.zeros_like(f), f], 1)


def quarters(count=1):
    """Return the parts that ``OfParts`` reads, and a patient of ones with a twin of zeros."""
    places = torch.arange(200).div(50, rounding_mode="floor").expand(count, 12, 200)
    x = torch.ones(count, 12, 200)
    return Parts(("a", "b", "c", "rest"), places), x, torch.zeros_like(x)


@pytest.mark.parametrize("explain", ["log-odds", "logit"])
@pytest.mark.parametrize("leads", [None, LEAD_GROUPS])
def test_on_a_linear_network_every_effect_is_the_sum_of_slope_times_difference(explain, leads):
    network, (x, twin) = seeded(lambda: linear_ecg(200)), pair()
    parts = parts_of([BEAT] * 3, 200, leads=leads, groups=None if leads else WAVE_GROUPS)
    weight = network[0].weight[1] - (network[0].weight[0] if explain == "log-odds" else 0)
    wanted = parts.sums((weight * (x - twin)).detach())
    found = interventions(network, x, twin, parts, explain=explain, **QUIET)
    for effect in (found.out, found.into, found.shapley):
        np.testing.assert_allclose(effect, wanted, atol=2e-4)
    for method in ("integrated_gradients", "deeplift", "gradient_x_input", "lrp_z"):
        relevance = contrast(network, x, twin, method, explain=explain, **QUIET)
        np.testing.assert_allclose(misplaced(parts.sums(relevance), found.shapley), 0, atol=1e-4)


def test_parts_that_work_together_share_what_they_do_together():
    """f = ab: each alone does nothing from the twin, each takes all from the patient; Shapley gives a half each."""
    parts, x, twin = quarters()
    found = interventions(OfParts(lambda a, b, c: a * b), x, twin, parts, **QUIET)
    np.testing.assert_allclose(found.out[0], [1, 1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(found.into[0], [0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(found.shapley[0], [0.5, 0.5, 0, 0], atol=1e-6)


@pytest.mark.parametrize("layout", ["NCT", "NTC", "N1CT"])
def test_a_network_of_other_leads_rate_and_layout(layout):
    """A linear network of three leads: every effect is slope times difference, whatever its layout."""
    rows, shape = ("V1", "II", "V6"), {"NCT": (3, 200), "NTC": (200, 3), "N1CT": (1, 3, 200)}[layout]
    linear = seeded(lambda: nn.Linear(600, 2))
    network = Network(nn.Sequential(nn.Flatten(), linear), leads=rows, fs=100, samples=200, layout=layout)
    x, twin = (signal[:, :3] for signal in pair())
    chest = {"chest": [f"V{i}" for i in range(1, 7)], "limb": LEADS[:6]}
    parts = parts_of([BEAT] * 3, 200, leads=chest, fs=100, rows=rows)
    assert [int(place) for place in parts.places[0, :, 65]] == [1, 5, 1]
    weight = network.by_leads((linear.weight[1] - linear.weight[0]).reshape(1, *shape)).detach()
    wanted = parts.sums(weight * (x - twin))
    np.testing.assert_allclose(interventions(network, x, twin, parts, **QUIET).shapley, wanted, atol=2e-4)
    relevance = contrast(network, x, twin, "integrated_gradients", steps=50, **QUIET)
    np.testing.assert_allclose(parts.sums(relevance), wanted, atol=2e-4)
    walls = parts_of([BEAT], 200, leads=LEAD_GROUPS, groups=None, rows=rows)
    assert walls.names == ("septal", "lateral", "inferior"), "groups without a lead are left out"
    assert walls.places[0, :, 0].tolist() == [0, 2, 1]


def test_of_two_that_each_suffice_neither_is_missed():
    """f = max(a, b): taking one out changes nothing, although both do everything (notebook 03's OR)."""
    parts, x, twin = quarters()
    found = interventions(OfParts(lambda a, b, c: torch.maximum(a, b)), x, twin, parts, **QUIET)
    np.testing.assert_allclose(found.out[0], 0, atol=1e-6)
    np.testing.assert_allclose(found.shapley[0], [0.5, 0.5, 0, 0], atol=1e-6)


def test_the_majority_of_three_is_shared_by_all():
    parts, x, twin = quarters()
    found = interventions(OfParts(lambda a, b, c: ((a + b + c) > 1.5).float()), x, twin, parts, **QUIET)
    np.testing.assert_allclose(found.shapley[0], [1 / 3, 1 / 3, 1 / 3, 0], atol=1e-6)


@pytest.mark.parametrize("pairs", [None, 4])
def test_shapley_values_add_up_to_the_difference(pairs):
    network = load_ecg_model("RBBB", "embedded", verbose=False)
    x, twin = 0.3 * pair(count=2, samples=2000)
    found = interventions(network, x, twin, parts_of([BEAT] * 2, 2000), pairs=pairs, **QUIET)
    np.testing.assert_allclose(found.shapley.sum(1), found.difference, atol=1e-6)


def test_sampled_values_are_right_within_their_stated_error():
    parts, x, twin = quarters()
    network = OfParts(lambda a, b, c: a * b * c + torch.maximum(a, c) + b)
    exact = interventions(network, x, twin, parts, **QUIET)
    sampled = [interventions(network, x, twin, parts, pairs=20, seed=seed, **QUIET) for seed in range(40)]
    away = np.array([one.shapley - exact.shapley for one in sampled])
    stated = np.array([one.error for one in sampled])
    assert (exact.error == 0).all()
    np.testing.assert_allclose(away.mean((0, 1)), 0, atol=0.03)
    np.testing.assert_allclose(away.std((0, 1)), np.sqrt((stated**2).mean((0, 1))), atol=0.03)
    for one in sampled:
        np.testing.assert_allclose(one.out, exact.out, atol=1e-6)
        np.testing.assert_allclose(one.into, exact.into, atol=1e-6)


def test_many_parts_are_sampled():
    x, twin = pair(count=1)
    parts = parts_of([BEAT], 200, leads=LEAD_GROUPS)
    assert len(parts.names) == len(LEAD_GROUPS) * len(WAVE_GROUPS)
    found = interventions(OfParts(lambda a, b, c: a * b), x, twin, parts, pairs=3, **QUIET)
    assert found.error.any()


def test_bands_share_out_the_difference():
    x, twin = pair()
    parts = parts_of([BEAT] * 3, 200, groups=None, bands=BANDS)
    assert parts.names == tuple(BANDS)
    torch.testing.assert_close(parts.pieces(x[0] - twin[0], 0).sum(0), x[0] - twin[0], rtol=0, atol=1e-5)
    network = seeded(lambda: linear_ecg(200))
    found = interventions(network, x, twin, parts, **QUIET)
    np.testing.assert_allclose(found.out, found.into, atol=1e-4)
    np.testing.assert_allclose(found.out.sum(1), found.difference, atol=1e-4)


def test_a_tone_lies_in_its_band():
    tone = torch.sin(2 * torch.pi * 7.5 * torch.arange(2000) / 500).expand(12, 2000)
    pieces = parts_of([BEAT], 2000, groups=None, bands=BANDS).pieces(tone, 0)
    energy = pieces.square().sum((1, 2))
    assert int(energy.argmax()) == list(BANDS).index("5-10 Hz")
    assert float(energy.max() / energy.sum()) > 0.999


def test_waves_times_bands_add_up_too():
    x, twin = pair(count=1)
    parts = parts_of([BEAT], 200, bands=BANDS)
    assert parts.names[:2] == ("P, PR · 0-2 Hz", "P, PR · 2-5 Hz")
    torch.testing.assert_close(parts.pieces(x[0] - twin[0], 0).sum(0), x[0] - twin[0], rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="no sums over them"):
        parts.sums(x)


def cut_together(parts, x, twin, kept):
    return torch.where(torch.isin(parts.places, torch.tensor(kept)), x, twin)


def test_recordings_cut_together_at_rest_obey_einthoven_and_have_small_steps():
    ecgs = [simulate_ecg("LBBB", seed).window(0, 2000) for seed in range(6)]
    x = torch.stack([ecg.tensor() for ecg in ecgs])
    twin = torch.stack([ecg.counterfactual.tensor() for ecg in ecgs])
    rough = parts_of([waves_of(ecg) for ecg in ecgs], 2000)
    fine = settled(rough, x - twin)
    borders = [(cut.places[:, 0].diff() != 0) for cut in (rough, fine)]
    assert (borders[0].sum(1) == borders[1].sum(1)).all()
    steps = [float((x - twin).abs().amax(1)[:, 1:][border].mean()) for border in borders]
    assert steps[1] < 0.5 * steps[0]
    mixed = cut_together(fine, x, twin, [1])
    assert float((mixed[:, 1] - mixed[:, 0] - mixed[:, 2]).abs().max()) < 1e-5
    with pytest.raises(ValueError, match="parts of leads"):
        settled(parts_of([BEAT] * 6, 2000, leads=LEAD_GROUPS), x - twin)


@pytest.fixture(scope="module")
def known():
    """Eight patients of each pathology, their twins, parts and effects."""

    def of(name):
        made = [simulate_ecg(name, 9_000_000 + seed) for seed in range(8)]
        ecgs = [ecg.preprocess().window() for ecg in made]
        x = torch.stack([ecg.tensor() for ecg in ecgs])
        twin = torch.stack([ecg.counterfactual.tensor() for ecg in ecgs])
        model = load_ecg_model(name, "embedded", verbose=False)
        parts = parts_of([waves_of(ecg) for ecg in made], 2000)
        return model, x, twin, parts, interventions(model, x, twin, parts, **QUIET)

    torch.set_num_threads(1)
    return {name: of(name) for name in ("AVB", "LBBB", "RBBB")}


@pytest.mark.parametrize("name", ["AVB", "LBBB", "RBBB"])
def test_integrated_gradients_from_the_twin_agree_with_the_interventions(known, name):
    """Mean error of the shares against single exchanges, measured before as 0.00 (AVB), 0.07 (LBBB), 0.02 (RBBB)."""
    model, x, twin, parts, effects = known[name]
    sums = parts.sums(contrast(model, x, twin, "integrated_gradients", steps=32, **QUIET)).sum(0)
    assert np.abs(sums / sums.sum() - effects.shares("out")).mean() < 0.09
    assert misplaced(sums, effects.shapley.sum(0)) < 0.12


def test_the_target_separates_methods(known):
    """On AVB, a map that is right in the logit's sense lies in QRS; the answer's difference lies before it."""
    model, x, twin, parts, effects = known["AVB"]
    assert effects.shares()[parts.names.index("P, PR")] > 0.9
    found = {
        method: misplaced(parts.sums(contrast(model, x, twin, method, **QUIET)).sum(0), effects.shapley.sum(0))
        for method in ("deeplift", "lrp_epsilon", "square", "difference", "random")
    }
    assert found["deeplift"] < 0.1
    assert min(value for method, value in found.items() if method != "deeplift") > 0.3


def test_every_reference_is_the_twin():
    x, twin = pair()
    network = seeded(lambda: linear_ecg(200))
    torch.testing.assert_close(contrast(network, x, twin, "difference", **QUIET), x - twin)
    weight = (network[0].weight[1] - network[0].weight[0]).detach()
    for method in ("integrated_gradients", "expected_gradients", "deeplift", "deepshap", "gradient_x_input"):
        found = contrast(network, x, twin, method, **QUIET)
        torch.testing.assert_close(found, weight * (x - twin), rtol=1e-3, atol=1e-4)
    assert float(contrast(network, x, twin, "random", **QUIET).std()) > 0.9


def test_misplaced_counts_the_wrong_part_and_the_wrong_sign():
    effects = np.array([[2.0, 0, 0], [2.0, 0, 0], [2.0, 0, 0], [2.0, 0, 0]])
    sums = np.array([[7.0, 0, 0], [0, 7.0, 0], [-7.0, 0, 0], [3.0, -1.0, 0]])
    np.testing.assert_allclose(misplaced(sums, effects), [0, 1, 1, 0.25])
    assert np.isnan(misplaced(np.zeros(3), effects[0]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: parts_of([BEAT], 200, groups={"P": ("P",)}), "expected each of P, PR, QRS, ST, T, rest once"),
        (lambda: parts_of([BEAT], 200, leads={"all": LEADS, "V1": ("V1",)}), "leads hold"),
        (lambda: parts_of([BEAT], 200, bands={"low": (0, 20)}), "expected neighbours from 0 to above 250 Hz"),
        (lambda: parts_of([BEAT], 200).sums(np.zeros((2, 12, 200))), "as the parts"),
        (lambda: interventions(linear_ecg(200), *pair(), parts_of([BEAT], 200)), "expected the same"),
        (lambda: interventions(linear_ecg(200), *pair(count=1), parts_of([BEAT], 200), pairs=1), "2 or more"),
        (lambda: misplaced(np.zeros((2, 3)), np.zeros((2, 4))), "expected the same"),
        (lambda: interventions(linear_ecg(200), *pair(count=1), parts_of([BEAT], 200)).shares("in"), "what is 'in'"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_parts_of_pictures_are_objects_and_their_effects_add_up():
    """Logits (0, a + 3 b + 2 a b) of the means over two halves: alone 1 and 3, together 6, hence 2 and 4."""
    left = np.tile(np.arange(8) < 4, (2, 8, 1))
    parts = parts_of_masks({"left": left, "right": ~left})

    class Halves(nn.Module):
        def forward(self, x):
            a, b = x[..., :4].mean((1, 2, 3)), x[..., 4:].mean((1, 2, 3))
            return torch.stack([torch.zeros_like(a), a + 3 * b + 2 * a * b], 1)

    x = torch.ones(2, 3, 8, 8)
    effects = interventions(Halves(), x, torch.zeros_like(x), parts, **QUIET)
    assert parts.names == effects.names == ("left", "right", "rest")
    np.testing.assert_allclose(effects.shapley, [[2, 4, 0]] * 2, atol=1e-6)
    np.testing.assert_allclose(effects.into, [[1, 3, 0]] * 2, atol=1e-6)
    np.testing.assert_allclose(parts.sums(x), [[96, 96, 0]] * 2)
    with pytest.raises(ValueError, match="overlap"):
        parts_of_masks({"left": left, "all": np.ones_like(left)})
    with pytest.raises(ValueError, match="one shape"):
        parts_of_masks({"left": left[0]})
