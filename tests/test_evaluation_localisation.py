"""Localisation measures: closed forms, chance, ties, and what has no number."""

import numpy as np
import pytest
import torch

from leadwise.evaluation import (
    LOCALISATION,
    EvaluationWarning,
    area_share,
    auprc,
    bootstrap,
    difference_mask,
    graded_mask,
    graded_mass,
    localise,
    normalised_lift,
    pointing_game,
    relevance_mass,
    relevance_rank,
)


def one(values, leads=1):
    """Return one ECG-shaped map (1, leads, T)."""
    return np.array(values, float).reshape(1, leads, -1)


MAP = one([4, -2, 3, 0, 1, 2])
MASK = one([1, 1, 0, 0, 0, 1]) > 0

CLOSED = {
    "mass, positive": (relevance_mass, {}, 6 / 10),
    "mass, negative": (relevance_mass, {"sign": "negative"}, 1),
    "mass, absolute": (relevance_mass, {"sign": "absolute"}, 8 / 12),
    "rank": (relevance_rank, {}, 2 / 3),  # the top 3 are 4, 3, 2
    "rank, absolute": (relevance_rank, {"sign": "absolute"}, 2 / 3),  # 4, 3 and one of the two 2, both in the mask
    "pointing": (pointing_game, {}, 1),
    "pointing, negative": (pointing_game, {"sign": "negative"}, 1),
    "auprc": (auprc, {}, (1 / 1 + 2 / 3 + 3 / 6) / 3),  # found at ranks 1, 3 and 6
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_form(name):
    measure, options, expected = CLOSED[name]
    assert measure(MAP, MASK, **options) == pytest.approx([expected])
    assert measure(torch.from_numpy(MAP), torch.from_numpy(MASK), **options) == pytest.approx([expected])


@pytest.mark.parametrize("name", LOCALISATION)
def test_truth_is_perfect_and_its_opposite_is_not(name):
    rng = np.random.default_rng(0)
    mask = rng.random((4, 12, 50)) < 0.2
    measure = LOCALISATION[name].function
    assert measure(mask.astype(float), mask) == pytest.approx(np.ones(4))
    assert (measure((~mask).astype(float), mask) <= area_share(mask) + 1e-9).all()  # ties at the last place: by chance


@pytest.mark.parametrize("name", ["rank", "pointing", "auprc"])
def test_a_constant_map_gets_the_area(name):
    """All samples tie: by expectation the measure is the mask's share, wherever the mask lies."""
    mask = np.zeros((2, 12, 50), bool)
    mask[0, :3], mask[1, 9:] = True, True
    assert LOCALISATION[name].function(np.full(mask.shape, 3.0), mask) == pytest.approx([0.25, 0.25])
    assert relevance_mass(np.full(mask.shape, 3.0), mask) == pytest.approx([0.25, 0.25])
    assert area_share(mask) == pytest.approx([0.25, 0.25])


def test_noise_reaches_the_area():
    rng = np.random.default_rng(1)
    mask = np.zeros((300, 12, 40), bool)
    mask[:, 2:5] = True
    measured = localise(rng.standard_normal(mask.shape), mask)
    assert abs(measured.pop("normalised_lift").mean()) < 0.02
    for name, found in measured.items():
        error = max(found.std(ddof=1), 1e-9) / 300**0.5
        assert abs(found.mean() - 0.25) < 4 * error + 0.01, name


def test_rank_shares_places_among_ties():
    """One value leads; three zeros tie for the second place, one of them in the mask."""
    assert relevance_rank(one([5, 0, 0, 0]), one([1, 1, 0, 0]) > 0) == pytest.approx([(1 + 1 / 3) / 2])


def test_images_are_summed_over_the_colours():
    """Red and green cancel in the left pixel; only the right one has positive relevance."""
    relevance = torch.zeros(1, 3, 1, 2)
    relevance[0, :, 0, 0] = torch.tensor([2.0, -2.0, 0.0])
    relevance[0, :, 0, 1] = torch.tensor([0.5, 0.0, 0.5])
    mask = torch.tensor([[[False, True]]])
    assert relevance_mass(relevance, mask) == pytest.approx([1])
    assert pointing_game(relevance, mask) == pytest.approx([1])


def test_pointing_tolerance():
    """On ECGs along time in the same lead; on images in every direction (3, 4 -> distance 5)."""
    ecg, mask = np.zeros((1, 2, 20)), np.zeros((1, 2, 20), bool)
    ecg[0, 0, 10], mask[0, 0, 13] = 1, True
    assert [pointing_game(ecg, mask, t)[0] for t in (0, 2, 3)] == [0, 0, 1]
    assert pointing_game(ecg[:, ::-1], mask, 3)[0] == 0
    image, mask = np.zeros((1, 3, 9, 9)), np.zeros((1, 9, 9), bool)
    image[0, :, 1, 1], mask[0, 4, 5] = 1, True
    assert [pointing_game(image, mask, t)[0] for t in (4.9, 5)] == [0, 1]


@pytest.mark.parametrize("name", LOCALISATION)
@pytest.mark.parametrize("tensor", [np.asarray, torch.as_tensor])
def test_no_number_is_nan_with_a_reason(name, tensor):
    relevance, mask = np.ones((3, 12, 5)), np.zeros((3, 12, 5), bool)
    mask[1:, 0], relevance[2] = True, 0
    with pytest.warns(EvaluationWarning, match=r"NaN for 2 of 3 samples: the mask is empty \(1\), .* \(1\)"):
        found = LOCALISATION[name].function(tensor(relevance), tensor(mask))
    assert np.isnan(found).tolist() == [True, False, True]


def test_a_map_without_positive_relevance_has_no_share():
    with pytest.warns(EvaluationWarning, match="no positive relevance"):
        assert np.isnan(relevance_mass(-np.abs(MAP), MASK))


BAD = {
    "no batch axis": ((MAP[0], MASK[0]), {}, "batch axis"),
    "mask without batch": ((MAP, MASK[0]), {}, r"mask\[None\]"),
    "mask of another shape": ((MAP, MASK[:, :, :3]), {}, "expected"),
    "image mask with colours": ((np.ones((1, 3, 4, 4)), np.ones((1, 3, 4, 4), bool)), {}, r"expected \(1, 4, 4\)"),
    "mask of numbers": ((MAP, MASK.astype(int)), {}, "of bool"),
    "nan": ((np.where(MAP == 4, np.nan, MAP), MASK), {}, "NaN or infinite, the first in sample 0"),
    "sign": ((MAP, MASK), {"sign": "both"}, "expected one of"),
    "empty": ((MAP[:0], MASK[:0]), {}, "shape"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("measure", [row.function for row in LOCALISATION.values()])
def test_bad_input_is_refused(name, measure):
    arguments, options, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        measure(*arguments, **options)


def test_a_share_of_both_signs_is_refused():
    with pytest.raises(ValueError, match="one sign"):
        relevance_mass(MAP, MASK, "signed")
    with pytest.raises(ValueError, match="tolerance"):
        pointing_game(MAP, MASK, -1)
    with pytest.raises(ValueError, match=r"expected \(N, leads, T\)"):
        area_share(MASK[0])


# --- Bootstrap --------------------------------------------------------------------------------------------


def test_bootstrap_agrees_with_the_normal_interval():
    """For a mean of many values the percentile interval is the normal one."""
    values = np.random.default_rng(2).normal(3, 2, 2000)
    found = bootstrap(values, seed=1)
    half = 1.96 * values.std() / 2000**0.5
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)
    assert found.samples == 2000


def test_bootstrap_covers_as_often_as_it_says():
    rng = np.random.default_rng(3)
    hits = 0
    for i in range(200):
        found = bootstrap(rng.normal(1, 1, 60), level=0.9, resamples=300, seed=i)
        hits += found.low <= 1 <= found.high
    assert abs(hits / 200 - 0.9) < 4 * (0.9 * 0.1 / 200) ** 0.5 + 0.01


def test_bootstrap_of_rows_nans_and_few():
    rows = np.random.default_rng(4).normal(size=(30, 3))
    rows[5, 1] = np.nan
    found = bootstrap(rows)
    assert found.samples == 29
    np.testing.assert_allclose(found.value, np.delete(rows, 5, 0).mean(0))
    assert (found.low < found.value).all()
    assert (found.value < found.high).all()
    assert np.isnan(bootstrap([2.0]).low)
    assert bootstrap([2.0]).value == 2
    assert np.isnan(bootstrap([np.nan]).value)
    assert bootstrap([1.0, 1.0, 1.0]).high == 1
    assert bootstrap(rows[:4, 0], np.median, seed=5).low == bootstrap(rows[:4, 0], np.median, seed=5).low
    with pytest.raises(ValueError, match="level"):
        bootstrap([1, 2], level=95)
    with pytest.raises(ValueError, match="expected"):
        bootstrap(np.zeros((2, 2, 2)))


def test_the_lift_of_white_noise_is_zero_and_of_a_perfect_map_one():
    mask = np.zeros((40, 12, 100), bool)
    mask[:, :, :30] = True
    rng = np.random.default_rng(0)
    noise = localise(rng.normal(size=mask.shape), mask)
    assert noise["normalised_lift"].mean() == pytest.approx(0, abs=0.01)
    np.testing.assert_allclose(localise(mask.astype(float), mask)["normalised_lift"], 1)
    np.testing.assert_allclose(localise((~mask).astype(float), mask)["normalised_lift"], -3 / 7)
    assert np.isnan(normalised_lift(1.0, 1.0))


def test_magnitude_counts_for_slopes():
    """A map that is large and negative on the mask says nothing signed, and all by magnitude."""
    mask = np.zeros((1, 12, 50), bool)
    mask[:, 3, :10] = True
    relevance = np.where(mask, -5.0, 0.01)
    assert localise(relevance, mask)["rank"] == pytest.approx(0)
    by_size = localise(relevance, mask, "absolute")
    assert by_size["rank"] == pytest.approx(1)
    assert by_size["mass"] == pytest.approx(50 / (50 + 5.9))
    with pytest.raises(ValueError, match="ranks is 'negative'"):
        localise(relevance, mask, "negative")


def test_graded_masks_are_those_of_the_networks_input():
    x, twin = np.zeros((2, 1, 12, 5))
    twin[0, 0] = [0, 0.01, 0.05, 0.1, 0.5]
    np.testing.assert_allclose(graded_mask(x, twin)[0, 0], [0, 0.1, 0.5, 1, 1])
    assert difference_mask(x, twin)[0, 0].tolist() == [False, False, True, True, True]
    relevance = np.zeros((1, 12, 5))
    relevance[0, 0] = [-9, 1, 1, 2, 0]
    np.testing.assert_allclose(graded_mass(relevance, graded_mask(x, twin)), (0.1 + 0.5 + 2) / 4)
    binary = difference_mask(x, twin)
    np.testing.assert_allclose(graded_mass(relevance, binary.astype(float)), relevance_mass(relevance, binary))
    with pytest.raises(ValueError, match="0 to 2; expected"):
        graded_mass(relevance, np.full((1, 12, 5), 2.0) * binary)
    with pytest.raises(ValueError, match="one sign"):
        graded_mass(relevance, graded_mask(x, twin), "signed")
