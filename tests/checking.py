"""What tests of the exercises' checks share: answers that are none, and a hint that has to come."""

import numpy as np

RUBBISH = ["rubbish", 3.5, np.zeros((2, 2)), {"a": 1}, [], print]


def said(verdict, word: str) -> None:
    """Assert that an answer is not yet right, and that the hint has this word."""
    assert verdict.state == "not yet"
    assert word in verdict.text, verdict.text
