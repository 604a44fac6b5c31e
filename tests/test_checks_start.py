"""The one check of notebook 00."""

import numpy as np
import pytest
import torch

from leadwise.checks import start as check


@pytest.mark.parametrize("answer", [2000, 2000.0, np.int64(2000), torch.tensor(2000)])
def test_right(answer):
    assert check.samples_in_window(answer).state == "right"


@pytest.mark.parametrize(
    ("answer", "word"),
    [(24000, "twelve leads"), (125, "multiply"), (4, "4 s"), ("2000", "number"), (np.zeros((2, 2)), "number")],
)
def test_wrong(answer, word):
    verdict = check.samples_in_window(answer)
    assert verdict.state == "not yet"
    assert word in verdict.text


def test_nothing_done():
    assert check.samples_in_window(...).state == "not done yet"
