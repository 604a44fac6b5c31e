"""How sure a number is: bootstrap intervals over patients or pictures."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

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
    values, statistic: Callable = np.mean, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Estimate:
    """Return a statistic over samples and its percentile bootstrap interval, by scipy.

    Efron, Tibshirani 1993, An introduction to the bootstrap, doi:10.1201/9780429246593, section 13.3. Resampled are
    whole samples: patients, pictures. Several numbers of one patient (beats, leads) belong into one row.

    Parameters
    ----------
    values : (N,) or (N, K), one row for each independent sample; rows with NaN are left out and not counted
    statistic : of an array along ``axis``: np.mean, np.median ...
    level : between 0 and 1
    resamples : bootstrap samples
    seed : the same seed gives the same interval

    Returns
    -------
    Estimate : NaN where no sample is left; with one sample, an interval of no width says nothing, so it is NaN too

    Raises
    ------
    ValueError : another number of axes, or a level outside (0, 1)
    """
    values = np.asarray(values, float)
    if values.ndim not in (1, 2):
        raise ValueError(f"values have shape {values.shape}; expected (N,) or (N, K), one row for each sample.")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; expected a number between 0 and 1, such as 0.95.")
    kept = values[~np.isnan(values).reshape(len(values), -1).any(1)]
    unknown = np.full(values.shape[1:], np.nan)[()]
    value = statistic(kept, axis=0) if len(kept) else unknown
    if len(kept) < 2:
        return Estimate(value, unknown, unknown, level, len(kept))
    interval = stats.bootstrap(
        (kept,), statistic, axis=0, confidence_level=level, n_resamples=resamples, method="percentile",
        vectorized=True, batch=max(1, LARGEST // kept.size), rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return Estimate(value, interval.low, interval.high, level, len(kept))
