"""How alike two maps are: rank correlation and correlation, of N maps at once."""

from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata
from torch import Tensor

from leadwise.evaluation.inputs import undefined
from leadwise.maps import as_maps, one_of


def _pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the correlation of the rows of two (N, D); NaN where a row is constant."""
    a, b = (rows - rows.mean(1, keepdims=True) for rows in (a, b))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(1) / np.where(norms > 0, norms, np.nan)


CORRELATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "spearman": lambda a, b: _pearson(rankdata(a, axis=1), rankdata(b, axis=1)),
    "spearman, absolute": lambda a, b: _pearson(rankdata(np.abs(a), axis=1), rankdata(np.abs(b), axis=1)),
    "pearson": _pearson,
}
"""Name -> (rows (N, D), rows (N, D)) -> (N,). Of images, rows are maps summed over the colours."""


def similarity(first: Tensor | np.ndarray, second: Tensor | np.ndarray, correlation: str = "spearman") -> np.ndarray:
    """Return how alike the maps of N samples are.

    Parameters
    ----------
    first, second : Tensor or ndarray (N, 12, T) or (N, colours, H, W)
    correlation : a key of ``CORRELATIONS``

    Returns
    -------
    ndarray (N,), -1 to 1; NaN, with an ``EvaluationWarning``, where one of the two maps is constant
    """
    function = CORRELATIONS[one_of("correlation", correlation, CORRELATIONS)]
    first, second = as_maps(first, what="the first map"), as_maps(second, what="the second map")
    if first.shape != second.shape:
        raise ValueError(f"the maps have shapes {first.shape} and {second.shape}; expected the same.")
    rows = [maps.reshape(len(maps), -1) for maps in (first, second)]
    constant = np.any([np.ptp(row, axis=1) == 0 for row in rows], axis=0)
    undefined("similarity", {"a map is constant": constant})
    return np.where(constant, np.nan, function(*rows))
