"""The waves of a heartbeat, as spans of samples."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

Kind = Literal["P", "QRS", "T"]


@dataclass(frozen=True)
class Wave:
    """One wave of one beat.

    Parameters
    ----------
    kind : "P", "QRS" or "T"
    beat : index of the heartbeat in the record, from 0
    onset, peak, offset : samples from the start of the record; the span is [onset, offset)
    lead : the lead that it holds for, or None where it holds for all twelve
    """

    kind: Kind
    beat: int
    onset: int
    peak: int
    offset: int
    lead: str | None = None

    def shift(self, samples: int) -> "Wave":
        """Return the wave with its time axis moved: a window that starts at ``s`` needs ``shift(-s)``."""
        return replace(self, onset=self.onset + samples, peak=self.peak + samples, offset=self.offset + samples)

    def scaled(self, factor: float) -> "Wave":
        """Return the wave in samples of another rate: ``factor`` is the new rate / the present one."""
        onset, peak, offset = (round(at * factor) for at in (self.onset, self.peak, self.offset))
        return replace(self, onset=onset, peak=peak, offset=offset)


class Waved(Protocol):
    """What has waves: a simulated ECG, a delineation."""

    @property
    def waves(self) -> Sequence[Wave]:
        """Return them, in samples."""


def r_peaks(source: Waved | Sequence[Wave] | ArrayLike) -> np.ndarray:
    """Return the samples of the R peaks, int (B,), in order: the peaks of QRS over all leads.

    Parameters
    ----------
    source : waves; what has them as ``waves`` (a simulated ECG, a delineation); or the R peaks themselves, in samples

    Raises
    ------
    ValueError : numbers that are not whole

    Examples
    --------
    >>> r_peaks([Wave("P", 0, 60, 80, 100), Wave("QRS", 0, 150, 170, 200), Wave("QRS", 1, 550, 570, 600)]).tolist()
    [170, 570]
    """
    waves: Any = getattr(source, "waves", source)
    if isinstance(waves, (tuple, list)) and any(isinstance(wave, Wave) for wave in waves):
        waves = [wave.peak for wave in waves if wave.kind == "QRS" and wave.lead is None]
    peaks = np.unique(np.asarray(waves, dtype=float))
    if peaks.size and not (peaks == peaks.round()).all():
        raise ValueError(f"R peaks are {peaks[:4].tolist()}; expected whole numbers, samples from the start.")
    return peaks.astype(int)
