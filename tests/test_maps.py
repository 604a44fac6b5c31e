"""The one check of maps and masks, and the words for signs: the same in every room."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from leadwise.evaluation import complexity, deletion, localise, similarity
from leadwise.explorers.canvas import CHOICES
from leadwise.maps import SIGNS, as_map, as_maps, as_mask, as_pixel_map, part_of, strength
from leadwise.plotting import plot_ecg, plot_lead_bars
from leadwise.semantics import describe, lead_relevance, lead_wave_matrix
from networks import ecg_batch, linear_ecg

SOURCES = Path(__file__).resolve().parents[1] / "src" / "leadwise"


def broken(value=np.nan):
    relevance = np.zeros((12, 500))
    relevance[6, 12] = value
    return relevance


ROOMS = {
    "a sentence": describe,
    "a table": lambda relevance: lead_wave_matrix(relevance, ()),
    "a sum over leads": lead_relevance,
    "bars": plot_lead_bars,
    "a map": as_map,
    "a figure": lambda relevance: plot_ecg(np.zeros((12, 500), np.float32), relevance, fs=500),
    "localisation": lambda relevance: localise(relevance[None], np.ones((1, 12, 500), bool)),
    "complexity": lambda relevance: complexity(relevance[None]),
    "similarity": lambda relevance: similarity(relevance[None], relevance[None]),
    "deletion": lambda relevance: deletion(linear_ecg(500), ecg_batch(1, 500), torch.tensor(relevance[None]), 1),
}


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_every_room_refuses_a_map_with_gaps_in_the_same_words(room, value):
    with pytest.raises(ValueError, match=r"has 1 values that are NaN or infinite, the first .*expected finite numbers"):
        ROOMS[room](broken(value))


def test_a_broken_map_is_placed_by_lead_and_sample():
    with pytest.raises(ValueError, match="in lead V1 at sample 12"):
        as_map(broken())
    with pytest.raises(ValueError, match="in row 6, column 12"):
        as_pixel_map(broken())


def test_positive_and_negative_add_up_to_signed_and_subtract_to_absolute():
    relevance = np.random.default_rng(0).normal(size=(12, 40))
    up, down = part_of(relevance, "positive"), part_of(relevance, "negative")
    assert up.min() >= 0
    assert down.max() <= 0
    np.testing.assert_array_equal(up + down, part_of(relevance, "signed"))
    np.testing.assert_array_equal(up - down, part_of(relevance, "absolute"))


def test_tables_use_the_words_as_maps_do():
    """Summed over a table's cells or over the map: every word means the same."""
    relevance = np.random.default_rng(1).normal(size=(12, 40))
    for sign in SIGNS:
        np.testing.assert_allclose(lead_relevance(relevance).sum(sign), part_of(relevance, sign).sum(1))


def test_a_ranking_puts_the_strongest_first():
    relevance = np.array([3.0, -5.0, 1.0])
    assert {sign: int(strength(relevance, sign).argmax()) for sign in SIGNS} == {
        "signed": 0, "positive": 0, "negative": 1, "absolute": 1,
    }  # fmt: skip


def test_what_can_be_drawn_is_named_by_the_same_words():
    assert set(CHOICES["sign"]) < set(SIGNS)


def test_there_is_one_table_of_signs_and_one_check():
    """No other room has words of its own, or asks a map whether it is finite."""
    for path in (path for room in ("plotting", "semantics", "evaluation") for path in (SOURCES / room).glob("*.py")):
        code = re.sub(r'""".*?"""', "", path.read_text(), flags=re.DOTALL)
        assert not re.search(r"^SIGNS\b", code, re.MULTILINE), path
        assert "NaN or infinite" not in code, path


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: as_map(np.zeros((500, 12))), "Transpose it"),
        (lambda: as_map(np.zeros((12, 5)), (12, 6)), r"expected \(12, 6\) like the ECG"),
        (lambda: as_map(np.full((12, 5), "a")), "expected real numbers"),
        (lambda: as_maps(np.zeros((12, 5))), "with the batch axis"),
        (lambda: as_maps(np.zeros((1, 12, 5)), (1, 12, 6)), r"expected \(1, 12, 6\)"),
        (lambda: as_pixel_map(np.zeros((2, 5, 5))), r"expected \(3, H, W\) or \(H, W\)"),
        (lambda: as_mask(np.ones((12, 5))), "expected one of bool. A mask of 0 and 1"),
        (lambda: as_mask(np.ones((12, 5), bool), (1, 12, 5)), "batch axis is missing"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_tensor_with_gradient_is_a_map():
    assert as_map(torch.ones(1, 12, 5, requires_grad=True)).dtype == np.float64
    assert as_maps(torch.ones(2, 3, 4, 5)).tolist() == np.full((2, 4, 5), 3.0).tolist()
