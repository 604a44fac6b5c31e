"""The ECG record: a signal that always travels with its sampling rate, lead names and identity."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Integral

import numpy as np
import torch

from leadwise.ecg import filters
from leadwise.ecg.leads import LEADS

WINDOW_SECONDS = 4.0  # what the published networks see of a recording


@dataclass(frozen=True, eq=False)
class ECG:
    """A 12-lead ECG.

    Parameters
    ----------
    signal : ndarray (12, T), float32, mV
    fs : float, Hz
    leads : lead names in the order of the rows; always ``LEADS``
    record_id : name of the record
    preprocessed : True once the published filter chain has been applied
    notes : what the loader noticed (dropped channels, flat leads, NaN ...), one sentence each
    metadata : what the header says (age, sex, diagnosis codes ...), as text
    """

    signal: np.ndarray
    fs: float = filters.PUBLISHED_FS
    leads: tuple[str, ...] = LEADS
    record_id: str = ""
    preprocessed: bool = False
    notes: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        signal = np.asarray(self.signal, dtype=np.float32)
        if signal.ndim != 2 or signal.shape[0] != len(LEADS):
            raise ValueError(
                f"signal has shape {signal.shape}; expected (12, T): leads first. Transpose a (T, 12) array."
            )
        if tuple(self.leads) != LEADS:
            raise ValueError(f"leads are {tuple(self.leads)}; expected {LEADS}. load_ecg brings them into this order.")
        if not 0 < self.fs < float("inf"):
            raise ValueError(f"fs is {self.fs}; expected a positive sampling rate in Hz.")
        object.__setattr__(self, "signal", signal)
        object.__setattr__(self, "leads", tuple(self.leads))
        object.__setattr__(self, "notes", tuple(self.notes))

    def __repr__(self):
        state = ", preprocessed" if self.preprocessed else ""
        return f"ECG({self.record_id or 'unnamed'}: 12 leads, {self.duration:g} s at {self.fs:g} Hz{state})"

    @property
    def samples(self) -> int:
        """Number of samples per lead."""
        return self.signal.shape[1]

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.samples / self.fs

    @cached_property
    def time(self) -> np.ndarray:
        """Time of each sample in seconds, shape (T,)."""
        return np.arange(self.samples) / self.fs

    def lead(self, name: str) -> np.ndarray:
        """Return one lead by name, shape (T,), mV."""
        if name not in self.leads:
            raise KeyError(f"no lead {name!r}; the leads are {', '.join(self.leads)}")
        return self.signal[self.leads.index(name)]

    def tensor(self) -> torch.Tensor:
        """Return a copy of the signal as a float32 tensor (12, T), mV: what the models and ``attribute`` take."""
        return torch.tensor(self.signal)

    def window(self, start: float = 0.0, samples: int | None = None) -> "ECG":
        """Return a part of the record; the default, its first 4 s, is what the models saw.

        Parameters
        ----------
        start : seconds from the start of the record; the window begins at the nearest sample
        samples : its length; None: 4 s, which are the models' 2000 samples at 500 Hz

        Raises
        ------
        ValueError : the record has no such part

        Examples
        --------
        >>> ECG(np.zeros((12, 5000))).window(2.5)
        ECG(unnamed: 12 leads, 4 s at 500 Hz)
        """
        first, last = self._part(start, samples)
        return replace(self, signal=self.signal[:, first:last].copy())

    def _part(self, start: float, samples: int | None) -> tuple[int, int]:
        """Return the samples [first, last) of a window that begins at ``start`` seconds."""
        count = round(WINDOW_SECONDS * self.fs) if samples is None else samples
        if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:
            raise ValueError(f"samples is {samples!r}; expected a whole number, 1 or more (start is in seconds).")
        name, lasts = repr(self.record_id or "unnamed"), f"which lasts {self.duration:g} s at {self.fs:g} Hz"
        if count > self.samples:
            raise ValueError(
                f"a window of {count / self.fs:g} s ({count} samples) does not fit record {name}, {lasts} and has "
                f"{self.samples} samples; choose fewer samples."
            )
        if not 0 <= start <= self.duration or (first := round(start * self.fs)) + count > self.samples:
            raise ValueError(
                f"a window of {count / self.fs:g} s from start={start:g} s on does not fit record {name}, {lasts}; "
                f"choose 0 <= start <= {(self.samples - count) / self.fs:g} (seconds) or fewer samples."
            )
        return first, first + int(count)

    def resample(self, fs: float = filters.PUBLISHED_FS) -> "ECG":
        """Return the record at another sampling rate, anti-aliased; sample 0 stays at time 0.

        A record that has that rate already comes back as it is. See :func:`leadwise.ecg.filters.resample`.
        """
        if fs == self.fs:
            return self
        signal = filters.resample(self.signal, self.fs, fs)
        note = f"Resampled from {self.fs:g} to {fs:g} Hz; it holds nothing above {min(self.fs, fs) / 2:g} Hz."
        return replace(self, signal=signal, fs=float(fs), notes=(*self.notes, note))

    def preprocess(self) -> "ECG":
        """Return the record after the published filter chain (BWR, BLA, AC50Hz, LP40Hz), over its whole length.

        A record that is already preprocessed comes back as it is. See :func:`leadwise.ecg.filters.preprocess`.

        Raises
        ------
        ValueError : the rate is not 500 Hz, or samples are NaN (the message names leads and sample ranges)
        """
        return (
            self
            if self.preprocessed
            else replace(self, signal=filters.preprocess(self.signal, self.fs), preprocessed=True)
        )
