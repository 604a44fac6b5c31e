"""Sensitivity, infidelity, complexity, sparseness and stability: closed forms, and captum called by hand."""

import captum.metrics
import numpy as np
import pytest
import torch

from leadwise import attribute
from leadwise.evaluation import (
    EvaluationWarning,
    across_models,
    across_seeds,
    complexity,
    infidelity,
    sensitivity_max,
    similarity,
    sparseness,
    stability,
)
from networks import ImageNet, ReluECG, ecg_batch, image_batch, linear_ecg, seeded

QUIET = {"progress": False}


@pytest.fixture
def linear():
    """A linear network, inputs (3, 12, 40), the slopes of logit 1."""
    model, x = seeded(lambda: linear_ecg(40)), ecg_batch(3, 40)
    return model, x, model[0].weight[1].detach().expand_as(x)


# --- Sensitivity ------------------------------------------------------------------------------------------


def test_the_gradient_of_a_linear_network_holds_still(linear):
    model, x, _ = linear
    assert sensitivity_max(model, x, "gradient", 1, **QUIET) == pytest.approx(np.zeros(3), abs=1e-6)
    assert sensitivity_max(model, x[:1], "gradient", 1, **QUIET) == pytest.approx([0.0], abs=1e-6)


def test_sensitivity_grows_with_the_radius_and_stays_below_its_bound(linear):
    """Gradient x input of a linear network moves by w * noise: in proportion to the radius, at most r |w| / |w x|."""
    model, x, slope = linear
    small, large = (sensitivity_max(model, x, "gradient_x_input", 1, radius=r, **QUIET) for r in (0.01, 0.02))
    np.testing.assert_allclose(large, 2 * small, rtol=1e-3)
    norms = [(values.flatten(1).norm(dim=1)).numpy() for values in (slope, slope * x)]
    assert (small > 0).all()
    assert (small <= 0.01 * norms[0] / norms[1]).all()


def test_sensitivity_by_hand():
    """The largest |R(x + noise) - R(x)| / |R(x)| over the same draws."""
    model, x = seeded(ReluECG), ecg_batch(2)
    found = sensitivity_max(model, x, "integrated_gradients", 1, samples=4, radius=0.3, seed=5, steps=8, **QUIET)
    draws = torch.rand((8, *x.shape[1:]), generator=torch.Generator().manual_seed(5))
    copies = x.repeat_interleave(4, 0) + 0.3 * (2 * draws - 1)
    base, moved = (attribute(model, y, "integrated_gradients", 1, steps=8).flatten(1) for y in (x, copies))
    change = (moved - base.repeat_interleave(4, 0)).norm(dim=1).view(2, 4).amax(1) / base.norm(dim=1)
    np.testing.assert_allclose(found, change, rtol=1e-4)


def test_sensitivity_in_chunks_of_images():
    model, x, told = seeded(ImageNet).train(), image_batch(10, 16), []
    found = sensitivity_max(model, x, "gradient", samples=2, progress=lambda *n: told.append(n))
    assert found.shape == (10,)
    assert np.isfinite(found).all()
    assert told[-1] == (10, 10)
    assert model.training


def test_a_zero_map_has_no_sensitivity(linear):
    model, x, _ = linear
    x = x.clone()
    x[1] = 0
    with pytest.warns(EvaluationWarning, match="1 of 3 samples: the map is zero everywhere"):
        found = sensitivity_max(model, x, "gradient_x_input", 1, **QUIET)
    assert np.isnan(found).tolist() == [False, True, False]


# --- Infidelity -------------------------------------------------------------------------------------------


def test_exact_explanations_have_none(linear):
    model, x, slope = linear
    assert infidelity(model, x, slope * x, 1, unit=5, **QUIET) == pytest.approx(np.zeros(3), abs=1e-7)
    assert infidelity(model, x, slope, 1, claim="slopes", **QUIET) == pytest.approx(np.zeros(3), abs=1e-7)
    wrong = infidelity(model, x, slope.flip(1) * x, 1, unit=5, **QUIET)
    assert (wrong > 1e-4).all()


def test_infidelity_of_slopes_in_closed_form(linear):
    """Normal noise of standard deviation s on a map that misses the slope by d: the mean square is s^2 |d|^2."""
    model, x, slope = linear
    found = infidelity(model, x, 0 * slope, 1, claim="slopes", amount=0.2, samples=800, normalise=False, **QUIET)
    expected = 0.2**2 * slope.flatten(1).square().sum(1)
    np.testing.assert_allclose(found, expected, rtol=5 * (2 / 800) ** 0.5)


def test_normalised_infidelity_ignores_the_scale(linear):
    model, x, slope = linear
    wrong = slope.flip(1) * x
    one, ten = (infidelity(model, x, k * wrong, 1, unit=5, seed=2, **QUIET) for k in (1, 10))
    np.testing.assert_allclose(one, ten, rtol=1e-3)


def test_infidelity_is_captums():
    """The same removals through captum's own decorator, for maps that are multiplied with the input."""
    model, x = seeded(ReluECG), ecg_batch(2) + 3  # never zero: captum divides by the input
    relevance = attribute(model, x, "integrated_gradients", 1, steps=200)
    generator = torch.Generator().manual_seed(1)

    @captum.metrics.infidelity_perturb_func_decorator(True)
    def removed(inputs):
        keep = torch.rand((len(inputs), 12 * 64), generator=generator).view(-1, 12, 64) >= 0.1
        return inputs * keep

    theirs = captum.metrics.infidelity(
        model, removed, x, relevance, target=1, n_perturb_samples=8, max_examples_per_batch=8, normalize=True
    )
    ours = infidelity(model, x, relevance, 1, unit=1, samples=8, seed=1, **QUIET)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-3)


def test_bad_input_is_refused(linear):
    model, x, slope = linear
    for relevance, options, message in (
        (slope[:1], {}, "expected"),
        (slope / 0, {}, "NaN or infinite"),
        (slope, {"claim": "truth"}, "expected one of"),
        (slope, {"target": 7}, "classes 0 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            infidelity(model, x, relevance, **{"target": 1, **QUIET, **options})


# --- Complexity -------------------------------------------------------------------------------------------


def test_complexity_and_sparseness_of_extremes():
    """All alike: ln D and 0. One sample: 0 and 1 - 1 / D. The sizes 1 to D: Gini (D - 1) / (3 D)."""
    maps = np.zeros((3, 2, 50))
    maps[0], maps[1, 1, 7], maps[2] = -2, 5, np.arange(1, 101).reshape(2, 50)
    shares = np.arange(1, 101) / 5050
    assert complexity(maps) == pytest.approx([np.log(100), 0, -(shares * np.log(shares)).sum()], abs=1e-12)
    assert sparseness(maps) == pytest.approx([0, 0.99, 99 / 300], abs=1e-12)
    with pytest.warns(EvaluationWarning, match="zero everywhere"):
        assert np.isnan(complexity(0 * maps)).all()
    with pytest.warns(EvaluationWarning, match="zero everywhere"):
        assert np.isnan(sparseness(0 * maps)).all()


# --- Stability --------------------------------------------------------------------------------------------


def test_stability_is_the_mean_over_pairs():
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((3, 4, 12, 60))
    expected = (similarity(maps[0], maps[1]) + similarity(maps[0], maps[2]) + similarity(maps[1], maps[2])) / 3
    np.testing.assert_allclose(stability(maps), expected)
    assert abs(stability(maps).mean()) < 0.1
    assert stability([maps[0], maps[0]]) == pytest.approx(np.ones(4))
    with pytest.raises(ValueError, match="two or more"):
        stability(maps[:1])


def test_more_samples_are_more_stable():
    """SmoothGrad's mean over many draws depends less on them than that over few."""
    model, x = seeded(ReluECG), ecg_batch(2)
    few, many = (
        stability(across_seeds(model, x, "smoothgrad", 1, seeds=range(3), samples=n, noise=0.5, **QUIET)).mean()
        for n in (1, 64)
    )
    assert few < many <= 1


def test_across_models():
    """Two networks: each map is that of attribute; the same one twice is perfectly stable."""
    one, other, x = seeded(ReluECG), seeded(ReluECG, seed=5), ecg_batch(2)
    maps = across_models([one, other], x, "gradient", 1, **QUIET)
    torch.testing.assert_close(maps[1], attribute(other, x, "gradient", 1))
    assert stability(across_models([one, one], x, "gradient", **QUIET)) == pytest.approx(np.ones(2))
