"""Find the calibration pulse that some recorders write behind, or before, the ECG, and cut it off.

A rectangle of 1 mV stands in all leads at once. No heart does that: it fails the laws of the limb leads, it is no beat,
and what a network answers to it means nothing. Philips exports carry one at the end of the 11th second.
"""

from dataclasses import replace

import numpy as np

from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG

INDEPENDENT = ("I", "II", *LEADS[6:])  # where the other limb leads are computed, the pulse cancels or shrinks in them
LEAST_LEADS = 4
ALIKE = 0.05  # mV by which leads may differ within the pulse: noise and rounding
HEIGHTS = 0.4, 2.2  # mV; recorders write 0.5, 1 or 2 mV
WIDTHS = 0.03, 0.7  # s; 0.1 and 0.2 s are usual
LONGEST = 2.5  # s at one end of the recording in which it is looked for
STEEP = 0.85  # share of the samples at one of the two levels; a wave of the heart spends its time between them


def cut_calibration(ecg: ECG) -> ECG:
    """Return the recording without a calibration pulse at its ends, and a note that says so; without one, as it is.

    Parameters
    ----------
    ecg : raw, at any rate, mV

    Examples
    --------
    >>> from leadwise import simulate_ecg
    >>> ecg = simulate_ecg("NORM", seed=1)
    >>> cut_calibration(ecg) is ecg
    True
    """
    first, last, notes = 0, ecg.samples, []
    rows = ecg.signal[[LEADS.index(lead) for lead in INDEPENDENT]].astype(float)
    found = _pulse_at_end(rows, ecg.fs)
    if found is not None:
        last, height = found
        notes.append(f"A calibration pulse of {height:.2g} mV was cut off: {last / ecg.fs:.2f} s and what follows.")
    found = _pulse_at_end(rows[:, :last][:, ::-1], ecg.fs)
    if found is not None:
        first, height = last - found[0], found[1]
        notes.append(f"A calibration pulse of {height:.2g} mV was cut off: the first {first / ecg.fs:.2f} s.")
    if not notes:
        return ecg
    return replace(ecg.window(first / ecg.fs, samples=last - first), notes=(*ecg.notes, *notes))


def _pulse_at_end(rows: np.ndarray, fs: float) -> tuple[int, float] | None:
    """Return how many samples of rows (L, T) stand before a pulse at their end, and its height, mV, or None."""
    length = min(round(LONGEST * fs), rows.shape[1] // 2)
    tail = rows[:, rows.shape[1] - length :]
    tail = tail[np.isfinite(tail).all(axis=1)]
    if len(tail) < LEAST_LEADS or length < 8:
        return None
    tail = tail - tail[:, -1:]
    common = np.median(tail, axis=0)
    differ = np.flatnonzero((np.abs(tail - common) > ALIKE).any(axis=0))
    begin = differ[-1] + 1 if len(differ) else 0
    onset, height = _rectangle(common[begin:], fs)
    if onset is None:
        return None
    start = begin + onset
    while start > 0 and not np.ptp(tail[:, start - 1 : start + 1], axis=1).any():
        start -= 1  # a line without any signal leads to it
    return rows.shape[1] - length + int(start), height


def _rectangle(common: np.ndarray, fs: float) -> tuple[int | None, float]:
    """Return where a single rectangle sets in, within (T,) samples that all leads share, and its height; or None."""
    height = float(np.ptp(common)) if len(common) else 0.0
    if not HEIGHTS[0] <= height <= HEIGHTS[1]:
        return None, height
    low, high = common.min(), common.max()
    levels = (common < low + 0.15 * height) | (common > high - 0.15 * height)
    above = common > (low + high) / 2
    above = above if not above[-1] or not above[0] else ~above  # the pulse may point down
    edges = np.flatnonzero(np.diff(np.concatenate(([False], above, [False])).astype(int)))
    if len(edges) != 2 or not WIDTHS[0] <= (edges[1] - edges[0]) / fs <= WIDTHS[1]:
        return None, height
    start, width = int(edges[0]), int(edges[1] - edges[0])
    if levels[max(start - width, 0) : start + 2 * width].mean() < STEEP:  # the flat line around it says nothing
        return None, height
    return max(start - round(0.02 * fs), 0), height
