"""Deletion and insertion: exact on linear networks, replacements, and known truth on simulated patients."""

import numpy as np
import pytest
import torch
from torch import nn

from leadwise import Network, attribute, load_ecg_model, simulate_ecg
from leadwise.ecg.leads import LEADS
from leadwise.ecg.waves import r_peaks
from leadwise.evaluation import REPLACEMENTS, deletion, impute, insertion, neighbouring_beat, replace, road
from networks import ImageNet, ecg_batch, image_batch, linear_ecg, seeded

QUIET = {"progress": False}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def linear():
    """A linear network, inputs (3, 12, 40), what each sample adds to logit 1 (the exact explanation), and the bias."""
    model, x = seeded(lambda: linear_ecg(40)), ecg_batch(3, 40)
    return model, x, x * model[0].weight[1].detach(), float(model[0].bias[1].detach())


class Turned(nn.Module):
    """A network that gets its input with other axes."""

    def __init__(self, network, axes):
        super().__init__()
        self.network, self.axes = network, axes

    def forward(self, x):
        return self.network(self.axes(x))


def unit_sums(relevance, unit):
    """Return what units of ``unit`` samples of one lead add, (N, 12 * 40 / unit)."""
    return relevance.unflatten(2, (-1, unit)).sum(3).flatten(1).double()


@pytest.mark.parametrize(("order", "descending"), [("morf", True), ("lerf", False)])
@pytest.mark.parametrize("unit", [1, 10])
def test_linear_curves_are_cumulative_sums(linear, order, descending, unit):
    """A linear logit loses exactly what the deleted units add, and insertion wins exactly that."""
    model, x, relevance, bias = linear
    sums = unit_sums(relevance, unit).sort(1, descending=descending).values.cumsum(1)
    options = {"order": order, "unit": unit, "steps": sums.shape[1], **QUIET}
    added = torch.cat([torch.zeros(3, 1), sums], 1).numpy()
    lost = deletion(model, x, relevance, 1, **options)
    np.testing.assert_allclose(lost.values, added[:, -1:] - added + bias, atol=2e-5)
    np.testing.assert_allclose(insertion(model, x, relevance, 1, **options).values, added + bias, atol=2e-5)
    np.testing.assert_allclose(lost.fractions, np.linspace(0, 1, sums.shape[1] + 1))
    np.testing.assert_allclose(lost.mean, lost.values.mean(0))


def test_areas(linear):
    """AUC by trapezoids; AOPC by Samek et al. 2017, equation 12, with L + 1 points."""
    model, x, relevance, _ = linear
    curve = deletion(model, x, relevance, 1, steps=4, unit=10, **QUIET)
    y, where = curve.values[0], curve.fractions
    assert where == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert curve.auc[0] == pytest.approx((y[0] / 2 + y[1] + y[2] + y[3] + y[4] / 2) / 4)
    assert curve.aopc[0] == pytest.approx(sum(y[0] - value for value in y) / 5)
    low, high = curve.interval()
    assert (low <= curve.mean).all()
    assert (curve.mean <= high).all()


def test_best_and_worst_order_bound_the_random_one(linear):
    model, x, relevance, _ = linear
    auc = {order: deletion(model, x, relevance, 1, order=order, unit=10, **QUIET).auc for order in ("morf", "lerf")}
    for seed in range(5):
        chance = deletion(model, x, None, 1, order="random", unit=10, seed=seed, **QUIET).auc
        assert (auc["morf"] < chance).all()
        assert (chance < auc["lerf"]).all()


def test_equal_units_follow_at_random(linear):
    """Under a constant map the order is a draw: another seed gives another curve, the same seed the same."""
    model, x, relevance, _ = linear
    flat = torch.ones_like(relevance)
    one, again, other = (deletion(model, x, flat, 1, unit=10, seed=s, **QUIET).values for s in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other)[:, 1:-1].max() > 1e-3
    np.testing.assert_allclose(one[:, [0, -1]], other[:, [0, -1]])


def test_images_lose_patches_of_all_colours():
    """With patches of 8 on 32 pixels there are 16 units; the best one is gone after the first step."""
    model, x = seeded(ImageNet), image_batch(2)
    relevance = torch.zeros_like(x)
    relevance[:, 1, 8:16, 24:32] = 1
    curve = deletion(model, x, relevance, torch.tensor([2, 4]), steps=16, unit=8, replacement="mean", **QUIET)
    gone = x.clone()
    gone[:, :, 8:16, 24:32] = x.mean((2, 3), keepdim=True)
    with torch.no_grad():
        np.testing.assert_allclose(curve.values[:, 0], model(x)[[0, 1], [2, 4]], atol=1e-5)
        np.testing.assert_allclose(curve.values[:, 1], model(gone)[[0, 1], [2, 4]], atol=1e-5)


def test_probability_and_targets():
    """Without a target each sample follows its own arg-max class; the probability is the softmax."""
    model, x = seeded(ImageNet), image_batch(3)
    net = Network(model, layout="NCHW", outputs="classes")
    curve = deletion(net, x, x, unit=16, steps=2, score="probability", **QUIET)
    with torch.no_grad():
        np.testing.assert_allclose(curve.values[:, 0], model(x).softmax(1).amax(1), atol=1e-6)
        np.testing.assert_allclose(
            curve.values[:, -1], model(0 * x).softmax(1)[range(3), model(x).argmax(1)], atol=1e-6
        )


def test_the_probability_is_the_networks_own():
    """Labels by sigmoid, one logit too; of five logits nobody guesses what they mean."""
    model, x = seeded(ImageNet), image_batch(2)
    labels = Network(model, layout="NCHW", outputs="labels")
    curve = deletion(labels, x, x, 3, unit=16, steps=1, score="probability", **QUIET)
    one = Network(nn.Sequential(model, nn.Linear(5, 1)), layout="NCHW")
    with torch.no_grad():
        np.testing.assert_allclose(curve.values[:, 0], model(x)[:, 3].sigmoid(), atol=1e-6)
        alone = deletion(one, x, x, 0, unit=16, steps=1, score="probability", **QUIET)
        np.testing.assert_allclose(alone.values[:, 0], one.module(x)[:, 0].sigmoid(), atol=1e-6)
    with pytest.raises(ValueError, match="nothing says whether its classes exclude each other"):
        deletion(model, x, x, unit=16, steps=1, score="probability", **QUIET)


@pytest.mark.parametrize("layout", ["NTC", "N1CT"])
def test_any_layout_and_rate(layout):
    """What is taken away are segments of 0.1 s of single leads, whatever the layout."""
    means = {"leads": LEADS, "fs": 100, "samples": 40}
    plain = seeded(lambda: linear_ecg(40))
    axes = {"NTC": lambda x: x.transpose(1, 2), "N1CT": lambda x: x[:, 0]}[layout]
    net, first = Network(Turned(plain, axes), layout=layout, **means), Network(plain, **means)
    x = ecg_batch(3, 40)
    relevance = x * plain[0].weight[1].detach()
    for measure in (deletion, insertion):
        curve = measure(net, net.laid_out(x), net.laid_out(relevance), 1, steps=6, **QUIET)
        assert curve.unit == 10
        np.testing.assert_allclose(curve.values, measure(first, x, relevance, 1, steps=6, **QUIET).values, atol=1e-5)
    other = deletion(net, net.laid_out(x), None, 1, order="random", replacement="counterfactual",
                     reference=net.laid_out(0.5 * x), steps=3, **QUIET)  # fmt: skip
    np.testing.assert_allclose(other.values[:, -1], plain(0.5 * x)[:, 1].detach(), atol=1e-5)


def test_a_sample_does_not_depend_on_its_batch(linear):
    model, x, relevance, _ = linear
    together = deletion(model, x, relevance, 1, unit=10, replacement="noise", seed=3, **QUIET).values
    alone = deletion(model, x[1:2], relevance[1:2], 1, unit=10, replacement="noise", seed=3, **QUIET).values
    np.testing.assert_allclose(together[1:2], alone, atol=1e-5)


def test_the_model_is_left_alone_and_progress_told():
    model, x = seeded(ImageNet).train(), image_batch(2)
    before, told = {k: v.clone() for k, v in model.state_dict().items()}, []
    deletion(model, x, x, 0, steps=4, progress=lambda done, total: told.append((done, total)))
    assert model.training
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert told[-1] == (10, 10)


# --- Replacements -----------------------------------------------------------------------------------------


def test_replacements_do_what_they_say():
    x = ecg_batch(2, 400)
    assert (replace(x, "zero") == 0).all()
    torch.testing.assert_close(replace(x, "mean"), x.mean(2, keepdim=True).expand_as(x))
    noise = replace(x, "noise", seed=1)
    torch.testing.assert_close(noise.std(2), x.std(2), rtol=0.15, atol=0)
    assert torch.equal(noise, replace(x, "noise", seed=1))
    torch.testing.assert_close(replace(0 * x + 3, "blur"), 0 * x + 3)
    assert torch.equal(replace(x, "counterfactual", -x), -x)


def test_blur_is_a_gaussian():
    """A wave of 2 Hz keeps exp(-(2 pi f sigma)^2 / 2) of its height, sigma = 50 ms; one of 25 Hz keeps nothing."""
    time = torch.arange(3000) / 500
    for frequency in (2, 25):
        x = torch.sin(2 * torch.pi * frequency * time).expand(1, 12, 3000)
        found = replace(x, "blur")[0, 0, 500:2500]
        expected = np.exp(-((2 * np.pi * frequency * 0.05) ** 2) / 2)
        torch.testing.assert_close(found, expected * x[0, 0, 500:2500], atol=1e-3, rtol=0)


def test_neighbouring_beat_of_a_steady_rhythm_is_the_same_beat():
    beat = np.random.default_rng(0).standard_normal((12, 80))
    signal = np.tile(beat, 5)
    np.testing.assert_array_equal(neighbouring_beat(signal, np.arange(30, 400, 80)), signal)


def test_neighbouring_beat_is_aligned_at_r_and_comes_from_another_beat():
    """Samples numbered: around R at 100, 200, 330 each sample is that of the next R, at the end of the one before."""
    signal, peaks = np.arange(400.0)[None], np.array([100, 200, 330])
    found = neighbouring_beat(signal, peaks)[0]
    assert found[[60, 100, 140]] == pytest.approx([160, 200, 240])
    assert found[[160, 200, 260]] == pytest.approx([290, 330, 390])
    assert found[[300, 330, 370]] == pytest.approx([170, 200, 240])


def test_r_peaks_of_every_source():
    ecg = simulate_ecg("NORM", seed=3_000_001).window()
    truth = np.array([wave.peak for wave in ecg.waves if wave.kind == "QRS"])
    np.testing.assert_array_equal(r_peaks(ecg), truth)
    np.testing.assert_array_equal(r_peaks(ecg.waves), truth)
    np.testing.assert_array_equal(r_peaks(truth.tolist()), truth)
    x = torch.from_numpy(ecg.signal)[None]
    found = replace(x, "neighbouring beat")  # delineated
    given = replace(x, "neighbouring beat", [ecg])
    assert np.corrcoef(found.flatten(), given.flatten())[0, 1] > 0.95


# --- Known truth ------------------------------------------------------------------------------------------


def test_the_causal_mask_is_more_faithful_than_chance():
    """Patients with LBBB and their counterfactuals: deleting the cause first moves the network fastest."""
    patients = [simulate_ecg("LBBB", seed=3_000_100 + i).preprocess().window() for i in range(6)]
    x, healthy = (torch.stack([p.tensor() for p in ecgs]) for ecgs in (patients, [p.counterfactual for p in patients]))
    cause = torch.stack([torch.from_numpy(p.causal_mask) for p in patients]).float()
    model = load_ecg_model("LBBB", weights="embedded", verbose=False)
    options = {"replacement": "counterfactual", "reference": healthy, "steps": 10, **QUIET}
    first = deletion(model, x, cause, 1, **options)
    last = deletion(model, x, cause, 1, order="lerf", **options)
    chance = deletion(model, x, None, 1, order="random", **options)
    assert first.auc.mean() < chance.auc.mean() < last.auc.mean()
    with torch.no_grad():
        np.testing.assert_allclose(first.values[:, -1], model(healthy)[:, 1], atol=1e-4)
    found = attribute(model, x, "integrated_gradients", 1, baseline=healthy, progress=False)
    assert deletion(model, x, found, 1, **options).auc.mean() < chance.auc.mean()


# --- Bad input --------------------------------------------------------------------------------------------

BAD = {
    "relevance of another shape": (lambda r: r[:2], {}, "expected"),
    "no relevance": (lambda r: None, {}, "None"),
    "nan": (lambda r: r / 0, {}, "NaN or infinite"),
    "replacement": (lambda r: r, {"replacement": "black"}, "expected one of 'zero', 'mean'"),
    "order": (lambda r: r, {"order": "best"}, "expected one of"),
    "score": (lambda r: r, {"score": "loss"}, "expected one of"),
    "too many steps": (lambda r: r, {"steps": 1000}, "12 units"),
    "unit": (lambda r: r, {"unit": 2.5}, "whole number"),
    "class": (lambda r: r, {"target": 2}, "classes 0 to 1"),
    "no reference": (lambda r: r, {"replacement": "counterfactual"}, "counterfactual"),
    "reference shape": (lambda r: r, {"replacement": "counterfactual", "reference": torch.ones(1)}, "expected"),
    "needless reference": (lambda r: r, {"reference": torch.ones(1)}, "takes no reference"),
    "one beat": (lambda r: r, {"replacement": "neighbouring beat", "reference": [[5], [5], [5]]}, "two or more"),
    "beats of one record": (lambda r: r, {"replacement": "neighbouring beat", "reference": [[5, 20]]}, "each of 3"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("curve", [deletion, insertion])
def test_bad_input_is_refused(linear, name, curve):
    model, x, relevance, _ = linear
    change, options, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        curve(model, x, change(relevance), **{"target": 1, "steps": 2, "unit": 40, **QUIET, **options})


def test_one_sample_without_its_axis_is_refused(linear):
    model, x, relevance, _ = linear
    with pytest.raises(ValueError, match=r"x\[None\]"):
        deletion(model, x[0], relevance[0], 1, **QUIET)


def test_beats_mean_nothing_on_images():
    model, x = seeded(ImageNet), image_batch(1)
    assert not REPLACEMENTS["neighbouring beat"].images
    with pytest.raises(ValueError, match="needs an ECG"):
        deletion(model, x, x, 0, replacement="neighbouring beat", **QUIET)


# --- Remove and debias ------------------------------------------------------------------------------------


def test_a_gap_in_a_lead_is_filled_by_a_straight_line():
    x = torch.zeros(12, 40)
    x[3] = torch.arange(40.0) ** 2
    gone = torch.zeros(12, 40, dtype=torch.bool)
    gone[3, 10:20] = gone[5] = True
    filled = impute(x, gone)
    assert torch.equal(filled[~gone], x[~gone])
    np.testing.assert_allclose(filled[3, 9:21], np.linspace(81, 400, 12), rtol=1e-6)
    gone[3, :10] = True
    np.testing.assert_allclose(impute(x, gone)[3, :20], 400)


def test_a_filled_pixel_is_the_mean_of_its_neighbours():
    """A plane is its own filling; and each filled pixel obeys the paper's equation, at the edge with what is there."""
    rows, columns = np.mgrid[:9.0, :11.0]
    plane = torch.tensor(np.stack([rows + 2 * columns, rows * 0 + 5, -columns]))
    gone = torch.zeros(3, 9, 11, dtype=torch.bool)
    gone[:, 2:7, 3:8] = True
    torch.testing.assert_close(impute(plane, gone), plane)
    x, corner = torch.randn(3, 9, 11, dtype=torch.float64), gone.clone()
    corner[:, :3, :2] = True
    filled = impute(x, corner)
    beside, across = filled[:, 0, 1] + filled[:, 1, 0], filled[:, 1, 1]
    torch.testing.assert_close(filled[:, 0, 0], (beside / 6 + across / 12) / (1 / 6 + 1 / 6 + 1 / 12))
    torch.testing.assert_close(impute(x, torch.ones_like(corner)), x.mean((1, 2), keepdim=True).expand_as(x))


def test_road_follows_the_network_on_what_is_filled():
    model, x = seeded(lambda: linear_ecg(64)), ecg_batch(2)
    relevance = attribute(model, x, "gradient_x_input", 1)
    found = road(model, x, relevance, 1, unit=16, steps=4, noise=0.0, **QUIET)
    assert found.replacement == "imputation"
    first = deletion(model, x, relevance, 1, unit=16, steps=4, **QUIET)
    np.testing.assert_allclose(found.values[:, 0], first.values[:, 0], rtol=1e-5)
    level = model(x.mean(-1, keepdim=True).expand_as(x)).detach()[:, 1]
    np.testing.assert_allclose(found.values[:, -1], level, rtol=1e-4, atol=1e-5)


def test_road_sees_nothing_where_the_signal_is_a_line():
    """On straight leads what is filled is what was there: the curve does not fall until all of a lead is gone."""
    x = (torch.arange(64.0) / 64).expand(1, 12, 64).clone()
    relevance = torch.zeros(1, 12, 64)
    relevance[..., 16:48] = 1
    found = road(seeded(lambda: linear_ecg(64)), x, relevance, 1, unit=16, steps=48, noise=0.0, **QUIET)
    np.testing.assert_allclose(found.values[0, :25], found.values[0, 0], rtol=1e-4)


def test_road_runs_on_pictures():
    found = road(seeded(ImageNet), image_batch(1), image_batch(1, seed=2), 1, unit=8, steps=4, **QUIET)
    assert np.isfinite(found.values).all()


def test_what_cannot_be_filled_is_refused():
    with pytest.raises(ValueError, match="as x"):
        impute(torch.zeros(12, 5), torch.zeros(12, 6, dtype=torch.bool))
    gone = torch.zeros(3, 4, 4, dtype=torch.bool)
    gone[0, 1, 1] = True
    with pytest.raises(ValueError, match="differs between the colours"):
        impute(torch.zeros(3, 4, 4), gone)
