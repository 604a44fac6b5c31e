"""Relevance on an ECG: checked, normalised, pooled to what can be seen, and drawn as a band, a halo or bubbles."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from torch import Tensor

from leadwise.ecg.leads import LEADS
from leadwise.language import mark, tr
from leadwise.maps import one_of, to_numpy
from leadwise.plotting.sheet import Sheet
from leadwise.plotting.style import GREY, SMALL, number, percent, relevance_rgba

NORMALISE = ("record", "lead")
ONE_SIDE = {"positive": mark("positive R only"), "negative": mark("negative R only")}
DRAWN = ("signed", "positive", "negative")  # of SIGNS: colours tell both signs apart


def pool_signed_max(relevance: Tensor | np.ndarray, columns: int) -> np.ndarray:
    """Shrink relevance to ``columns`` values a lead, keeping in each the value of largest magnitude, with its sign.

    Taking every n-th sample would lose peaks, and averaging would let opposite signs cancel.

    Parameters
    ----------
    relevance : tensor or array (..., T)
    columns : number of columns to shrink to, at least 1; column c covers samples [cT // columns, (c + 1)T // columns)

    Returns
    -------
    ndarray (..., min(columns, T)); relevance that has no more samples than columns comes back as it is. Where a
    positive and a negative value tie, the positive one stays.

    Raises
    ------
    ValueError : ``columns`` is below 1, or there are no samples
    """
    values = to_numpy(relevance)
    if columns < 1 or values.ndim < 1 or values.shape[-1] < 1:
        raise ValueError(
            f"cannot pool relevance of shape {values.shape} to {columns} columns; both need one sample or more."
        )
    if columns >= values.shape[-1]:
        return values.copy()
    starts = _edges(values.shape[-1], columns)[:-1]
    high, low = np.maximum.reduceat(values, starts, axis=-1), np.minimum.reduceat(values, starts, axis=-1)
    return np.where(high >= -low, high, low)


def _edges(samples, columns):
    return np.arange(columns + 1) * samples // columns


@dataclass(frozen=True, eq=False)
class Scale:
    """How relevance turns into colour, and what the legend says about it.

    Parameters
    ----------
    relevance : ndarray (12, T), checked
    fs : Hz
    normalise : "record" keeps leads comparable; "lead" shows each lead's own pattern, however weak
    threshold : fraction of the maximum, in [0, 1); smaller magnitudes are left out
    sign : "signed" (both), "positive" or "negative"

    Raises
    ------
    ValueError : an option that does not exist, or a threshold outside [0, 1)
    """

    relevance: np.ndarray
    fs: float
    normalise: str = "record"
    threshold: float = 0.0
    sign: str = "signed"

    def __post_init__(self):
        one_of("normalise", self.normalise, NORMALISE)
        one_of("sign", self.sign, DRAWN)
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold is {self.threshold}; expected a fraction of the maximum, from 0 to below 1.")

    @cached_property
    def maxima(self) -> np.ndarray:
        """Largest magnitude of each lead, (12,)."""
        return np.abs(self.relevance).max(axis=1)

    @cached_property
    def maximum(self) -> float:
        """Largest magnitude of the record."""
        return float(self.maxima.max())

    @cached_property
    def values(self) -> np.ndarray:
        """Relevance from -1 to 1, (12, T): 0 where it is below the threshold or of the other sign."""
        divisor = self.maxima[:, None] if self.normalise == "lead" else np.full((len(LEADS), 1), self.maximum)
        values = self.relevance / np.where(divisor > 0, divisor, 1)
        return np.where(self.keeps(values), values, 0)

    @property
    def signed(self) -> bool:
        """Whether any of the relevance is negative, or all of it zero."""
        return bool(self.relevance.min() < 0 or self.maximum == 0)

    def keeps(self, values: np.ndarray) -> np.ndarray:
        """Tell which normalised values the threshold and the sign let through."""
        side = {"signed": np.abs(values), "positive": values, "negative": -values}[self.sign]
        return side >= self.threshold

    def describe(self, label: str, view: np.ndarray | None = None) -> str:
        """Return the sentence of the legend.

        Parameters
        ----------
        label : what the relevance is
        view : bool array (12, T), the samples that the figure shows; None for all
        """
        return "; ".join(filter(None, (f"{label}, {self._unit()}", self.cut(), self._share(view))))

    def _unit(self):
        if self.maximum == 0:
            zero = tr("all values are zero")
            return f"{tr('normalised per record') if self.normalise == 'record' else tr('normalised per lead')}: {zero}"
        if self.normalise == "record":
            lead, sample = np.unravel_index(np.abs(self.relevance).argmax(), self.relevance.shape)
            where = f"({LEADS[lead]}, {sample / self.fs:.2f} s)"
            return f"{tr('normalised per record')}: max |R| = {number(self.maximum)} {where}"
        ends = (f"{number(self.maxima[i])} ({LEADS[i]})" for i in (self.maxima.argmin(), self.maxima.argmax()))
        return f"{tr('normalised per lead')}, {tr('± its max |R|')}: {tr(' to ').join(ends)}"

    def cut(self) -> str:
        """Return what threshold and sign leave out, or an empty string."""
        threshold = tr("threshold {cut} % of max", cut=f"{100 * self.threshold:.3g}") if self.threshold > 0 else ""
        return ", ".join(filter(None, (threshold, tr(ONE_SIDE[self.sign]) if self.sign in ONE_SIDE else "")))

    def _share(self, view):
        total = np.abs(self.relevance).sum()
        seen = np.abs(np.where(self.values != 0, self.relevance, 0))[slice(None) if view is None else view].sum()
        return tr("{share} of Σ|R| in view", share=percent(seen / total)) if total > 0 and seen < 0.995 * total else ""


def draw_band(
    sheet: Sheet, x: np.ndarray, y: np.ndarray, values: np.ndarray, bottom: float, top: float, size: float = 1.0
):
    """Draw relevance as a band of colour from ``bottom`` to ``top`` behind the signal (x, y), all in mm."""
    step = (x[-1] - x[0]) / max(len(x) - 1, 1)
    pooled = pool_signed_max(values, _columns(sheet, x, PER_BAND))
    if pooled.any():
        sheet.image(relevance_rgba(pooled[None]), x[0] - step / 2, x[-1] + step / 2, bottom, top, zorder=2)


def draw_halo(
    sheet: Sheet, x: np.ndarray, y: np.ndarray, values: np.ndarray, bottom: float, top: float, size: float = 1.0
):
    """Draw relevance as a coloured outline along the signal; the strongest lies on top."""
    edges = _edges(len(x), min(_columns(sheet, x, PER_HALO), len(x)))
    pooled = pool_signed_max(values, len(edges) - 1)
    points = np.column_stack([x, y])
    order = np.argsort(np.abs(pooled), kind="stable")
    order = order[np.abs(pooled[order]) > FAINT]
    # A piece reaches one sample into its neighbours, so that the round joins close the gaps in sharp bends.
    pieces = [points[max(edges[i] - 1, 0) : edges[i + 1] + 2] for i in order]
    sheet.lines(pieces, HALO * size, relevance_rgba(pooled[order], over="white"), 3, capstyle="butt", joinstyle="round")


def draw_bubbles(
    sheet: Sheet, x: np.ndarray, y: np.ndarray, values: np.ndarray, bottom: float, top: float, size: float = 1.0
):
    """Draw relevance as dots on the signal: area and colour grow with its magnitude."""
    edges = _edges(len(x), min(_columns(sheet, x, PER_BUBBLE), len(x)))
    where = np.array([a + np.abs(values[a:b]).argmax() for a, b in pairwise(edges)])
    where = where[np.argsort(np.abs(values[where]), kind="stable")]
    where = where[np.abs(values[where]) > FAINT]
    diameter = sheet.points(BUBBLE * size) * np.sqrt(np.abs(values[where]))
    sheet.axes.scatter(x[where], y[where], s=diameter**2, c=relevance_rgba(values[where]), linewidths=0, zorder=3)


# Each is called with the sheet, the signal (x, y) and the lane in mm, normalised values, and how thick to draw.
STYLES = {mark("band"): draw_band, mark("halo"): draw_halo, mark("bubbles"): draw_bubbles}
LABEL = mark("relevance R")
PER_BAND, PER_HALO, PER_BUBBLE = 5.0, 4.0, 2.5  # columns in a millimetre, as seen at 5 pixels a millimetre
HALO, BUBBLE = 2.6, 4.2  # width of a halo and diameter of the largest bubble, mm as seen at 5 pixels a millimetre
FAINT = 0.01  # normalised magnitude below which a halo or a bubble would be white on white


def _columns(sheet, x, density):
    return max(int((x[-1] - x[0]) * density / sheet.zoom), 1)


def draw_legend(
    sheet: Sheet,
    scale: Scale,
    lines: Sequence[str],
    x: float,
    top: float,
    width: float,
    side: str = "right",
    end: str | None = None,
    signed: bool = True,
):
    """Draw the legend of a relevance map: sentence, bar, ends and threshold.

    Parameters
    ----------
    lines : the sentence of :meth:`Scale.describe`, folded
    x, top : upper corner of the legend, mm
    width : of the bar, mm
    side : "left" or "right": which corner (x, top) is
    end : what stands below the ends of the bar; None for the maximum
    signed : whether the bar has a half for negative numbers
    """
    k = sheet.zoom
    sheet.text(x, top, "\n".join(lines), ha=side, va="top")
    right = x if side == "right" else x + width
    left, high = right - width, top - (3.4 * len(lines) + 1.2) * k
    low = high - 2.8 * k
    first = 0 if signed else 0.5  # where the bar begins
    left, width = left + first * width, (1 - first) * width
    value = np.linspace(2 * first - 1, 1, 401)
    sheet.image(relevance_rgba(np.where(scale.keeps(value), value, 0))[None], left, right, low, high, zorder=7)
    cuts = [
        s * scale.threshold
        for s, other in ((1, "negative"), (-1, "positive"))
        if scale.sign != other and (s > 0 or signed)
    ]
    box = [[(left, low), (right, low), (right, high), (left, high), (left, low)]]
    zero, unit = (left + width / 2, width / 2) if signed else (left, width)
    marks = [zero + m * unit for m in (0, *cuts)]
    sheet.lines(box + [[(m, low - 0.7 * k), (m, high)] for m in marks], 0.15, GREY, 7.5, gid="colour-bar")
    if end is None:
        end = number(scale.maximum) if scale.normalise == "record" else "max"
    ends = ("", "0", "") if scale.maximum == 0 else (f"−{end}" if signed else "", "0", f"+{end}" if signed else end)
    for where, string, align in zip((left, zero, right), ends, ("left", "center", "right"), strict=True):
        sheet.text(where, low - 1.1 * k, string, SMALL, ha=align, va="top")


def legend_height(lines: list[str]) -> float:
    """Return the height that :func:`draw_legend` takes, in mm at 5 pixels a millimetre."""
    return 3.4 * len(lines) + 1.2 + 2.8 + 1.1 + 2.6
