"""Where everything lies on a sheet of ECG paper, in mm: strips of leads, rows, lanes. Nothing is drawn here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG

PULSE_SECONDS, PULSE_MV = 0.2, 1.0  # the calibration pulse of a printed ECG
BETWEEN = 7.5  # gap between columns that do not follow each other in time, mm
CLOSEST, WIDEST = 20, 40  # distance of two rows, mm; where the largest does not suffice, leads overlap as on a print
TALLEST = 700  # mm; a taller sheet means a signal that is hardly in mV


@dataclass(frozen=True)
class Strip:
    """One stretch of one lead: samples [first, last) in row ``row``, from ``left`` mm on."""

    lead: int
    first: int
    last: int
    row: int
    left: float


@dataclass(frozen=True, eq=False)
class Page:
    """The strips of a sheet and the width that they take.

    Parameters
    ----------
    ecg : the record
    speed, gain : mm/s and mm/mV
    strips : from top to bottom, column by column; a rhythm strip comes last
    width : of the paper, mm
    first, last : the samples [first, last) that were asked for; a rhythm strip may run on
    sequential : whether each column continues where the one before ended
    """

    ecg: ECG
    speed: float
    gain: float
    strips: tuple[Strip, ...]
    width: float
    first: int
    last: int
    sequential: bool

    def x(self, strip: Strip, samples: ArrayLike | None = None) -> np.ndarray:
        """Return where samples (numbers within the record; None for all of the strip) lie, in mm."""
        samples = np.arange(strip.first, strip.last) if samples is None else np.asarray(samples)
        return strip.left + (samples - strip.first) / self.ecg.fs * self.speed

    def y(self, strip: Strip) -> np.ndarray:
        """Return the signal of the strip in mm above its baseline."""
        return self.ecg.signal[strip.lead, strip.first : strip.last] * self.gain

    def view(self) -> np.ndarray:
        """Return which samples the sheet shows, bool (12, T)."""
        seen = np.zeros(self.ecg.signal.shape, dtype=bool)
        for strip in self.strips:
            seen[strip.lead, strip.first : strip.last] = True
        return seen

    def label_y(self, strip: Strip, room: float, clear: float) -> float:
        """Return the height of a lead's name: ``clear`` mm above what the signal does in the ``room`` mm below it."""
        near = self.y(strip)[: max(int(room / self.speed * self.ecg.fs), 1)]
        return max(4.0, float(finite(near).max()) + clear)


@dataclass(frozen=True, eq=False)
class Rows:
    """Where the rows lie, in mm above the lower edge: baselines, and the lane around each. ``height``: of the paper."""

    base: np.ndarray
    bottom: np.ndarray
    top: np.ndarray
    height: float


def as_ecg(ecg: ECG | Tensor | np.ndarray, fs: float | None = None) -> ECG:
    """Return an ECG as it is, and an array (12, T) in mV with its sampling rate as an ECG."""
    if isinstance(ecg, ECG):
        return ecg
    if fs is None:
        raise ValueError("a bare array has no sampling rate; pass an ECG, or fs=... in Hz with the array.")
    return ECG(ecg.detach().cpu().numpy() if hasattr(ecg, "detach") else ecg, fs=fs)


def lead_indices(names: Sequence[str] | None = None) -> list[int]:
    """Return the rows of leads given by name (None: all twelve), or say which name is unknown."""
    if names is None:
        return list(range(len(LEADS)))
    unknown = [name for name in names if name not in LEADS]
    if unknown or not names:
        raise ValueError(f"no leads {unknown}; expected one or more of {', '.join(LEADS)}.")
    return [LEADS.index(name) for name in names]


def time_window(ecg: ECG, start: float | None, stop: float | None) -> tuple[int, int]:
    """Return the samples [first, last) between two times in seconds; None stands for the ends of the record."""
    first = 0 if start is None else round(start * ecg.fs)
    last = ecg.samples if stop is None else round(stop * ecg.fs)
    if not 0 <= first < last <= ecg.samples or last - first < 2:
        raise ValueError(
            f"start={start}, stop={stop} leaves no time of the record, which lasts from 0 to {ecg.duration:g} s."
        )
    return first, last


def plan(
    ecg: ECG,
    indices: Sequence[int],
    columns: int,
    first: int,
    last: int,
    sequential: bool | None,
    rhythm: int | None,
    speed: float,
    gain: float,
    least_width: float,
) -> Page:
    """Deal leads into columns, and columns over the paper.

    Parameters
    ----------
    indices : rows of the leads, in the order of drawing
    sequential : True, False, or None for "where the time is longer than 6 s"
    rhythm : row of the lead to draw once more, or None
    least_width : of the paper, mm
    """
    if not 1 <= columns <= len(LEADS) or speed <= 0 or gain <= 0:
        raise ValueError(
            f"columns={columns}, speed={speed}, gain={gain}; expected 1 to 12 columns, and positive scales."
        )
    per_column = ceil(len(indices) / columns)
    columns = ceil(len(indices) / per_column)
    if sequential is None:
        sequential = (last - first) / ecg.fs > 6
    sequential = sequential and columns > 1
    gutter = PULSE_SECONDS * speed + 5
    edges = first + np.arange(columns + 1) * (last - first) // columns if sequential else None
    pitch = (last - first) / ecg.fs * speed
    pitch = pitch / columns if sequential else pitch + BETWEEN
    strips = []
    for place, lead in enumerate(indices):
        column, row = divmod(place, per_column)
        begin, end = (edges[column], edges[column + 1]) if sequential else (first, last)
        strips.append(Strip(lead, int(begin), int(end), row, gutter + column * pitch))
    right = gutter + columns * pitch - (0 if sequential else BETWEEN)
    width = _up_to_5(max(right + 2.5, least_width))
    if rhythm is not None:
        end = last if sequential else first + int((width - gutter - 2.5) / speed * ecg.fs)
        strips.append(Strip(rhythm, first, min(end, ecg.samples), per_column, gutter))
    return Page(ecg, speed, gain, tuple(strips), width, first, last, sequential)


def place_rows(page: Page, label_top: Callable[[Strip], float], below: float) -> Rows:
    """Find the baselines: on the 5-mm grid, as close as the signals allow, nothing beyond the paper.

    Parameters
    ----------
    label_top : function Strip -> mm above the baseline that the strip's name reaches
    below : room for brackets and underlines below each row, mm
    """
    count = max(strip.row for strip in page.strips) + 1
    up, down = np.full(count, page.gain * PULSE_MV), np.full(count, 2.0)
    for strip in page.strips:
        y = finite(page.y(strip))
        up[strip.row] = max(up[strip.row], y.max(), label_top(strip))
        down[strip.row] = max(down[strip.row], -y.min())
    down += below
    gaps = np.clip(_up_to_5(down[:-1] + up[1:] + 1), CLOSEST, WIDEST)
    below_first = np.concatenate([[0], np.cumsum(gaps)])
    above = _up_to_5((up - below_first).max() + 3)
    under = _up_to_5((down - (below_first[-1] - below_first)).max() + 3)
    height = float(above + below_first[-1] + under)
    if height > TALLEST:
        peak = np.abs(finite(page.ecg.signal)).max()
        raise ValueError(
            f"the signal reaches {peak:.4g} mV and would need {height:.0f} mm of paper "
            f"at {page.gain:g} mm/mV. If it is in µV divide it by 1000; if it is right choose a smaller gain."
        )
    base = height - above - below_first
    # A lane takes from the space between two rows what its signal needs, but at least a quarter.
    border = base[:-1] - gaps * np.clip(down[:-1] / (down[:-1] + up[1:]), 0.25, 0.75)
    bottom = np.append(border + 0.4, base[-1] - down[-1] - 1)
    top = np.append(base[0] + up[0] + 1, border - 0.4)
    return Rows(base, bottom, top, height)


def finite(values: np.ndarray) -> np.ndarray:
    """Return values with gaps replaced by 0, so that a lead with a NaN still has a height."""
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def _up_to_5(mm):
    return np.ceil(np.asarray(mm) / 5 - 1e-9) * 5
