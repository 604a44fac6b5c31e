"""Relevance of one average beat: all beats of a recording on top of each other, aligned at the R peak."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from leadwise.ecg.filters import PUBLISHED_FS
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.ecg.waves import Kind, Wave, r_peaks
from leadwise.maps import as_map
from leadwise.plotting import plot_ecg
from leadwise.plotting.sheet import CourseFigure


@dataclass(frozen=True, eq=False)
class BeatAverage:
    """The average beat of a recording.

    Parameters
    ----------
    time : ndarray (W,), ms from the R peak
    mean, spread : ndarray (leads, W), mean and standard deviation of the relevance over the beats
    signal, signal_spread : the same of the ECG, mV; None where no signal was given
    count : number of beats
    waves : P, QRS and T of the average beat (median borders), in samples of ``time``
    fs : Hz
    of : what ``count`` counts: "beats", or "records" where each record gave its average beat
    leads : what the rows are
    """

    time: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    signal: np.ndarray | None
    signal_spread: np.ndarray | None
    count: int
    waves: tuple[Wave, ...]
    fs: float
    of: str = "beats"
    leads: tuple[str, ...] = LEADS

    def plot(self, what: str = "mean", **options: Any) -> CourseFigure:
        """Draw the average beat on ECG paper with its relevance.

        Parameters
        ----------
        what : "mean", or "spread": where beats of one recording differ in their relevance
        options : of :func:`~leadwise.plotting.plot_ecg`

        Raises
        ------
        ValueError : no signal was averaged, or another ``what``
        """
        if what not in ("mean", "spread"):
            raise ValueError(f'what is {what!r}; expected "mean" or "spread".')
        if self.signal is None:
            raise ValueError("there is no signal to draw; pass signal=... to beat_average.")
        label = {"mean": "mean relevance", "spread": "standard deviation of the relevance"}[what]
        shown = {"columns": 4, "speed": 50.0, "label": f"{label} of {self.count} {self.of}", "waves": self.waves}
        signal, values = (_on_twelve(rows, self.leads) for rows in (self.signal, getattr(self, what)))
        return plot_ecg(ECG(signal, fs=self.fs), values, **{**shown, "leads": self.leads, **options})


def beat_average(
    relevance: Tensor | np.ndarray,
    peaks: Sequence[Wave] | Sequence[int],
    signal: Tensor | np.ndarray | ECG | None = None,
    *,
    fs: float = PUBLISHED_FS,
    before: float = 0.35,
    after: float = 0.5,
    leads: Sequence[str] = LEADS,
) -> BeatAverage:
    """Average relevance, and the signal, over the beats of a recording.

    Only beats that lie in the recording from ``before`` to ``after`` count. The spread over beats of one recording says
    how steadily the network reads, not how certain its answer is.

    Parameters
    ----------
    relevance : tensor or array (leads, T) or (1, leads, T)
    peaks : the recording's waves, as from :func:`~leadwise.semantics.waves_of`, or its R peaks in samples
    signal : tensor or array (leads, T), mV, or an ECG
    fs : Hz
    before, after : seconds around the R peak, for waves the peak of QRS
    leads : what the rows are; by default the twelve standard ones

    Raises
    ------
    ValueError : no beat lies whole inside the recording, or shapes that disagree
    """
    values = as_map(relevance, leads=leads)
    waves = [wave for wave in peaks if isinstance(wave, Wave) and wave.lead is None]
    left, right = round(before * fs), round(after * fs)
    whole = whole_beats(peaks, values.shape[1], left, right)
    if not len(whole):
        raise ValueError(
            f"none of the beats lies from {before:g} s before to {after:g} s after its R peak inside the "
            f"recording of {values.shape[1] / fs:g} s; choose shorter times or a longer window."
        )
    index = whole[:, None] + np.arange(-left, right)
    beats, seen, spread = values[:, index], None, None  # (12, beats, W)
    if signal is not None:
        rows = as_map(_rows(signal, leads), values.shape, "signal", leads)[:, index]
        seen, spread = rows.mean(1), rows.std(1)
    return BeatAverage(
        np.arange(-left, right) * 1000 / fs,
        beats.mean(1),
        beats.std(1),
        seen,
        spread,
        len(whole),
        _average_waves(waves, set(whole.tolist()), left),
        fs,
        leads=tuple(leads),
    )


def _rows(signal: Tensor | np.ndarray | ECG, leads: Sequence[str]) -> Tensor | np.ndarray:
    """Return the signals of the leads, of an ECG or as they are."""
    return np.stack([signal.lead(lead) for lead in leads]) if isinstance(signal, ECG) else signal


def _on_twelve(rows: np.ndarray, leads: Sequence[str]) -> np.ndarray:
    """Return rows of some leads among rows of all twelve, zero elsewhere."""
    whole = np.zeros((len(LEADS), rows.shape[1]))
    whole[[LEADS.index(lead) for lead in leads]] = rows
    return whole


def whole_beats(peaks: Sequence[Wave] | Sequence[int], samples: int, left: int, right: int) -> np.ndarray:
    """Return the R peaks that have ``left`` samples before them and ``right`` from them on inside the recording."""
    centres = r_peaks(peaks)
    return centres[(centres >= left) & (centres + right <= samples)]


def _average_waves(waves: Sequence[Wave], centres: set[int], left: int) -> tuple[Wave, ...]:
    """Return P, QRS and T at the median of their borders from the R peak, over the beats at ``centres``."""
    r_peak = {wave.beat: wave.peak for wave in waves if wave.kind == "QRS" and wave.peak in centres}
    average = []
    kind: Kind
    for kind in ("P", "QRS", "T"):
        own = [wave.shift(left - r_peak[wave.beat]) for wave in waves if wave.kind == kind and wave.beat in r_peak]
        if own:
            borders = np.median([(wave.onset, wave.peak, wave.offset) for wave in own], axis=0)
            onset, peak, offset = (int(border + 0.5) for border in borders)
            average.append(Wave(kind, 0, onset, peak, offset))
    return tuple(average)
