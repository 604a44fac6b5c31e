"""What one record adds to a cohort."""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from leadwise.ecg.filters import PUBLISHED_FS
from leadwise.ecg.leads import LEADS
from leadwise.ecg.waves import Wave
from leadwise.maps import as_map, as_mask, part_of, to_numpy
from leadwise.semantics.beats import whole_beats
from leadwise.semantics.criteria import Criterion, agreement
from leadwise.semantics.tables import WAVES, lead_wave_matrix

BEFORE, AFTER = 0.35, 0.5  # s around the R peak

AXES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("share", "positive", "negative", "area"), ("lead", "wave")),
    "wave_share": ("wave",),
    "lead_share": ("lead",),
}
"""Name -> what its axes count; names that are not here are single numbers."""


def axes_of(name: str, leads: Sequence[str] = LEADS) -> tuple[tuple[str, ...], ...]:
    """Return what stands along the axes of a name, for a network of these leads.

    >>> axes_of("lead_share", ("I", "V1"))
    (('I', 'V1'),)
    """
    return tuple(tuple(leads) if axis == "lead" else WAVES for axis in AXES.get(name, ()))


def summarise(
    relevance: Tensor | np.ndarray,
    waves: Sequence[Wave],
    signal: Tensor | np.ndarray | None = None,
    *,
    pathology: str | Criterion | Mapping | None = None,
    mask: np.ndarray | None = None,
    fs: float = PUBLISHED_FS,
    leads: Sequence[str] = LEADS,
) -> dict[str, np.ndarray]:
    """Return what one record adds to a cohort: ``cohort.update(**summarise(...))``.

    Parameters
    ----------
    relevance : tensor or array (leads, T)
    waves : in samples of the same window
    signal : array (leads, T), mV; adds the average beat
    pathology : a key of ``CRITERIA``, or a criterion of one's own; adds ``agreement``
    mask : bool (leads, T), the samples known to carry the finding; adds ``truth``
    fs : Hz
    leads : what the rows are; by default the twelve standard ones

    Returns
    -------
    dict of
        share (leads, 6), wave_share (6,), lead_share (leads,) : of the positive relevance
        positive, negative (leads, 6) : sums as fractions of Σ|R|
        area (leads, 6) : share of the samples
        agreement, agreement_area : share of the positive relevance, and of the samples, in the criterion's cells
        truth, truth_area : the same for the mask
        beat (leads, W), beat_signal (leads, W) : relevance in units of its mean magnitude, and mV, from 0.35 s before
            the R peak to 0.5 s after it; where the window holds a whole beat

    Raises
    ------
    ValueError : no heartbeat, no positive relevance, or another shape
    """
    matrix = lead_wave_matrix(relevance, waves, leads)
    if not matrix.area[:, WAVES.index("QRS")].any():
        raise ValueError("no heartbeat could be delineated in the window.")
    if not matrix.positive.any():
        raise ValueError("the map has no positive relevance.")
    values, share, total = to_numpy(relevance), matrix.share("positive"), matrix.sum("absolute").sum()
    found = {"share": share, "wave_share": share.sum(0), "lead_share": share.sum(1), "area": matrix.area}
    found |= {"positive": matrix.positive / total, "negative": matrix.negative / total}
    if pathology is not None:
        inside = agreement(matrix, pathology)
        found |= {"agreement": inside.share, "agreement_area": inside.area}
    if mask is not None:
        mask = as_mask(mask, values.shape)
        inside = part_of(values, "positive")[mask].sum(dtype=float) / matrix.positive.sum()
        found |= {"truth": inside, "truth_area": mask.mean()}
    if signal is not None:
        found |= _beat(values, total, waves, as_map(signal, values.shape, "signal", leads), fs)
    return found


def _beat(values: np.ndarray, total: float, waves: Sequence[Wave], signal: np.ndarray, fs: float) -> dict:
    """Return the record's average beat, where the window holds a whole one."""
    left, right = round(BEFORE * fs), round(AFTER * fs)
    whole = whole_beats(waves, values.shape[1], left, right)
    if not len(whole):
        return {}
    index = whole[:, None] + np.arange(-left, right)
    return {"beat": values[:, index].mean(1) * values.size / total, "beat_signal": signal[:, index].mean(1)}
