"""The waves of a heartbeat, as spans of samples."""

from dataclasses import dataclass, replace
from typing import Literal

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
