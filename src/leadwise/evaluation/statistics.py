"""How sure a number is, and how sure a difference: intervals over patients or pictures, and pairs of methods.

An interval over the patients of one network says nothing about other networks. Where several were trained from
different seeds, measure each and give the interval over the networks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from leadwise.maps import one_of

METHODS = ("BCa", "percentile")
LARGEST = 4_000_000  # numbers resampled at once; more goes in batches, so that the memory stays small


@dataclass(frozen=True)
class Estimate:
    """A statistic with its interval.

    Parameters
    ----------
    value, low, high : float, or ndarray (K,) where K numbers were measured per sample
    level : confidence of the interval [low, high]
    samples : how many samples it rests on, without those that are NaN
    """

    value: float | np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray
    level: float
    samples: int

    def __str__(self):
        if np.ndim(self.value):
            return f"{np.size(self.value)} values of {self.samples} samples"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap(
    values: ArrayLike,
    statistic: Callable = np.mean,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    method: str = "BCa",
) -> Estimate:
    """Return a statistic over samples and its bootstrap interval, by scipy.

    Efron, Tibshirani 1993, An introduction to the bootstrap, doi:10.1201/9780429246593: "percentile" section 13.3,
    "BCa" section 14.3, which corrects for bias and skewness. Resampled are whole samples: patients, pictures. Several
    numbers of one patient (beats, leads) belong into one row. Of few samples neither knows enough: at 6 to 8 a 95 %
    interval of a mean holds the truth in less than 90 % of the cases; :func:`student` then does better.

    Parameters
    ----------
    values : (N,) or (N, K), one row for each independent sample; rows with NaN are left out and not counted
    statistic : of an array along ``axis``: np.mean, np.median ...
    level : between 0 and 1
    resamples : bootstrap samples
    seed : the same seed gives the same interval
    method : "BCa" or "percentile"

    Returns
    -------
    Estimate : NaN where no sample is left; with one sample, an interval of no width says nothing, so it is NaN too

    Raises
    ------
    ValueError : another number of axes, a level outside (0, 1), or an unknown method
    """
    one_of("method", method, METHODS)
    kept, unknown = _kept(values, level)
    value = statistic(kept, axis=0) if len(kept) else unknown
    if len(kept) < 2:
        return Estimate(value, unknown, unknown, level, len(kept))
    alike = np.ptp(kept, axis=0) == 0  # a column without spread has no skewness to correct
    varied = np.where(alike, np.arange(len(kept)).reshape(-1, *[1] * (kept.ndim - 1)), kept)
    interval = stats.bootstrap(
        (varied,), statistic, axis=0, confidence_level=level, n_resamples=resamples, method=method,
        vectorized=True, batch=max(1, LARGEST // kept.size), rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    low, high = (np.where(alike, value, end)[()] for end in (interval.low, interval.high))
    return Estimate(value, low, high, level, len(kept))


def _kept(values: ArrayLike, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows without NaN, and the NaN that stands for an unknown statistic."""
    values = np.asarray(values, float)
    if values.ndim not in (1, 2):
        raise ValueError(f"values have shape {values.shape}; expected (N,) or (N, K), one row for each sample.")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; expected a number between 0 and 1, such as 0.95.")
    return values[~np.isnan(values).reshape(len(values), int(np.prod(values.shape[1:]))).any(1)], np.full(
        values.shape[1:], np.nan
    )[()]


def student(values: ArrayLike, level: float = 0.95) -> Estimate:
    """Return the mean over samples and Student's interval, mean ± t s / √n: the one to take for few samples.

    Student 1908, The probable error of a mean, doi:10.1093/biomet/6.1.1. Exact where the values are normal.

    Parameters
    ----------
    values, level : as for :func:`bootstrap`

    Examples
    --------
    >>> print(student([1.0, 2.0, 3.0]))
    2.000 [-0.484, 4.484]
    """
    kept, unknown = _kept(values, level)
    value = kept.mean(0) if len(kept) else unknown
    if len(kept) < 2:
        return Estimate(value, unknown, unknown, level, len(kept))
    half = stats.t.ppf((1 + level) / 2, len(kept) - 1) * kept.std(0, ddof=1) / np.sqrt(len(kept))
    return Estimate(value, value - half, value + half, level, len(kept))


@dataclass(frozen=True)
class Difference:
    """The mean difference of two measurements of the same samples.

    Parameters
    ----------
    estimate : of first minus second, with Student's interval
    p : two-sided, of Student's paired test; 1 where all differences are zero
    adjusted : p after Holm's correction over the family it belongs to; p itself for a single difference
    """

    estimate: Estimate
    p: float
    adjusted: float

    @property
    def sure(self) -> bool:
        """Whether the difference is told apart from zero, at 1 - level over the whole family."""
        return self.adjusted < 1 - self.estimate.level

    def __str__(self):
        return f"{self.estimate}, p = {self.p:.2g}, after Holm {self.adjusted:.2g}"


def paired(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> Difference:
    """Compare two measurements of the same samples by their differences.

    Two intervals that overlap say little about that: what makes a patient difficult for both cancels in the difference.

    Parameters
    ----------
    first, second : (N,), in the same order of samples; a sample with NaN in either is left out
    level : between 0 and 1

    Raises
    ------
    ValueError : other shapes

    Examples
    --------
    >>> print(paired([0.2, 0.5, 0.8, 0.9], [0.1, 0.4, 0.6, 0.8]))
    0.125 [0.045, 0.205], p = 0.015, after Holm 0.015
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"the measurements have shapes {first.shape} and {second.shape}; expected the same (N,).")
    away = first - second
    away = away[~np.isnan(away)]
    estimate = student(away, level)
    if len(away) < 2:
        p = float("nan")
    elif np.ptp(away) == 0:
        p = float(away[0] == 0)
    else:
        p = float(stats.ttest_1samp(away, 0).pvalue)
    return Difference(estimate, p, p)


def paired_differences(
    measured: Mapping[str, np.ndarray], against: str | None = None, level: float = 0.95
) -> dict[tuple[str, str], Difference]:
    """Compare methods on the same samples, all pairs or all with one, with Holm's correction over the family.

    Parameters
    ----------
    measured : name -> (N,)
    against : the name that the others are compared with; None compares every pair
    level : between 0 and 1

    Returns
    -------
    dict : (first, second) -> Difference
    """
    names = list(measured)
    pairs = list(combinations(names, 2))
    if against is not None:
        one_of("against", against, names)
        pairs = [(name, against) for name in names if name != against]
    found = [paired(measured[a], measured[b], level) for a, b in pairs]
    adjusted = holm([one.p for one in found])
    return {pair: replace(one, adjusted=float(p)) for pair, one, p in zip(pairs, found, adjusted, strict=True)}


def holm(p: ArrayLike) -> np.ndarray:
    """Return p-values corrected for being many: none of those below 0.05 is a false alarm, with 95 % probability.

    Holm 1979, A simple sequentially rejective multiple test procedure, Scand J Stat 6, 65-70. NaN stays NaN, and is not
    counted.

    Parameters
    ----------
    p : (K,), or an array of any shape, each from 0 to 1

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    flat = np.asarray(p, float).ravel()
    known = np.flatnonzero(~np.isnan(flat))
    order = known[np.argsort(flat[known], kind="stable")]
    adjusted = np.full(flat.shape, np.nan)
    steps = flat[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted.reshape(np.shape(p))
