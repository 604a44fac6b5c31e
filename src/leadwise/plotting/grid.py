"""Many relevance maps of one ECG side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.language import tr
from leadwise.maps import as_map, one_of
from leadwise.plotting.page import as_ecg, finite, lead_indices, time_window
from leadwise.plotting.relevance import STYLES, Scale, draw_legend, legend_height
from leadwise.plotting.sheet import CourseFigure, Sheet, fold, zoom_for
from leadwise.plotting.style import GREY, INK, LABEL, PAPER_PALE, SMALL, TEXT, TITLE, number

WIDTH, CELL = 220.0, 24.0  # of the picture and, at least, of a cell, mm
CAPTION, GAP = 48.0, 3.0  # of the column of titles and between cells, mm as seen at 5 pixels a millimetre
FLATTEST, TALLEST = 9.0, 16.0  # height that the signal gets in a row, mm
MM_PER_MV = 4.0  # at most; less where a lead would not fit its row


def plot_grid(
    ecg: ECG | Tensor | np.ndarray,
    maps: Mapping[str, Tensor | np.ndarray],
    *,
    leads: Sequence[str] = ("I", "II", "V1", "V6"),
    fs: float | None = None,
    style: str = "band",
    normalise: str = "record",
    threshold: float = 0.0,
    sign: str = "signed",
    start: float | None = None,
    stop: float | None = None,
    notes: Mapping[str, str] | None = None,
    title: str | None = None,
    label: str | None = None,
) -> CourseFigure:
    """Compare relevance maps: a row for each method, a column for each lead.

    Parameters
    ----------
    ecg : ECG, or array (12, T) in mV together with ``fs``
    maps : mapping title -> relevance, tensor or array (12, T) or (1, 12, T). Its maximum over all twelve leads stands
        under its title.
    normalise : "record" divides each map by that maximum, "lead" each of its leads by the lead's own
    leads : names of the leads, one column each
    fs : Hz, for a bare array
    style, threshold, sign, start, stop : as in :func:`plot_ecg`
    notes : mapping title -> text to print under the title, such as "sum 3.2"; titles without a note are fine
    title : heading
    label : what the relevance is, for the legend; None for "relevance R"

    Returns
    -------
    CourseFigure, 220 mm wide (more for many leads); time and voltage have one scale in all cells, stated below

    Raises
    ------
    ValueError : no maps, notes for a map that is not there, or anything that :func:`plot_ecg` would refuse
    """
    one_of("style", style, STYLES)
    ecg, notes = as_ecg(ecg, fs), dict(notes or {})
    if not maps or set(notes) - set(maps):
        strangers = sorted(set(notes) - set(maps))
        raise ValueError(
            f"got {len(maps)} maps and notes on {strangers}; expected at least one map, and notes on maps."
        )
    scales = {name: _scale(name, relevance, ecg, normalise, threshold, sign) for name, relevance in maps.items()}
    window, indices = time_window(ecg, start, stop), lead_indices(leads)
    width = max(WIDTH, CAPTION + len(indices) * (CELL + GAP))
    k = zoom_for(width)
    captions = {name: _caption(name, scales[name], notes.get(name)) for name in maps}
    cells = _place_cells(ecg, indices, window, [len(c) for c in captions.values()], width, k)

    heading = fold(title, width / k, TITLE, "bold") if title else []
    whole = tr("each map normalised by its own {full}")
    by_lead = tr("each lead of each map normalised by its own {full}")
    sentence = f"{label or tr('relevance R')}, " + (whole if normalise == "record" else by_lead).format(full="max |R|")
    lines = fold("; ".join(filter(None, (sentence, next(iter(scales.values())).cut()))), width / k - 60)
    head, foot = (6 + 4.6 * len(heading) + bool(heading)) * k, (3 + legend_height(lines)) * k
    sheet = Sheet(width, cells.height, head, foot)
    sheet.text(0, cells.height + head - k, "\n".join(heading), TITLE, weight="bold", va="top")
    for left, lead in zip(cells.lefts, indices, strict=True):
        sheet.text(left + cells.width / 2, cells.height + k, LEADS[lead], LABEL, weight="bold", ha="center", gid="lead")
    for name, base, bottom, top in zip(maps, cells.bases, cells.bottoms, cells.tops, strict=True):
        _draw_caption(sheet, captions[name], (bottom + top) / 2)
        _draw_row(sheet, cells, ecg, indices, window, scales[name], STYLES[style], base, bottom, top)
    record = [ecg.record_id] if ecg.record_id else []
    time = f"{window[0] / ecg.fs:g}–{window[1] / ecg.fs:g} s"
    facts = "\n".join([tr("grid 0.2 s × 0.5 mV"), "  ·  ".join([*record, time])])
    sheet.text(0, -2.5 * k, facts, TEXT, va="top", color=GREY)
    draw_legend(sheet, next(iter(scales.values())), lines, width, -2.5 * k, 70 * k, end="max")
    names = ", ".join(LEADS[i] for i in indices)
    sheet.figure.alt = f"{title or tr('Comparison')}: " + tr(
        "relevance of {n} methods ({methods}) in leads {names}.", n=len(maps), methods=", ".join(maps), names=names
    )
    return sheet.figure


def _scale(name, relevance, ecg, normalise, threshold, sign):
    try:
        return Scale(as_map(relevance, ecg.signal.shape), ecg.fs, normalise, threshold, sign)
    except ValueError as error:
        raise ValueError(f"map {name!r}: {error}") from error


def _caption(name, scale, note):
    """Return the lines of a row's caption: (text, size, weight, colour)."""
    lines = [(line, TEXT, "bold", INK) for line in fold(name, CAPTION - 3, TEXT, "bold")]
    facts = [*fold(note or "", CAPTION - 3, SMALL), f"max |R| {number(scale.maximum)}"]
    return lines + [(line, SMALL, "normal", GREY) for line in facts]


@dataclass(frozen=True, eq=False)
class _Cells:
    """Where the cells lie, in mm from the lower left corner, and their scales."""

    lefts: np.ndarray
    width: float
    bases: np.ndarray
    bottoms: np.ndarray
    tops: np.ndarray
    height: float
    mm_per_mv: float
    mm_per_s: float


LINE = 3.1  # height of a line of a caption, mm


def _place_cells(ecg, indices, window, caption_lines, width, k):
    signal = finite(ecg.signal[indices, slice(*window)])
    high, low = max(signal.max(), 0.1), min(signal.min(), -0.1)
    mm_per_mv = min(MM_PER_MV, (TALLEST - 2) / (high - low)) * k
    wanted = np.clip((high - low) * mm_per_mv + 2 * k, FLATTEST * k, TALLEST * k)
    heights = np.ceil(np.maximum(wanted, np.array(caption_lines) * LINE * k + k))
    tops = np.cumsum(heights[::-1])[::-1]
    bottoms = tops - heights + 0.8 * k
    bases = (tops + bottoms) / 2 - (high + low) / 2 * mm_per_mv
    cell = (width - CAPTION * k - GAP * k * (len(indices) - 1)) / len(indices)
    lefts = CAPTION * k + (cell + GAP * k) * np.arange(len(indices))
    seconds = (window[1] - window[0]) / ecg.fs
    return _Cells(lefts, cell, bases, bottoms, tops, float(tops[0]), mm_per_mv, cell / seconds)


def _draw_caption(sheet, caption, middle):
    y = middle + len(caption) * LINE / 2 * sheet.zoom
    for text, size, weight, colour in caption:
        y -= LINE * sheet.zoom
        sheet.text(0, y + 0.7 * sheet.zoom, text, size, weight=weight, color=colour)


def _draw_row(sheet, cells, ecg, indices, window, scale, draw_style, base, bottom, top):
    first, last = window
    size = float(np.clip(cells.mm_per_s / 25 / sheet.zoom, 0.3, 1))
    for left, lead in zip(cells.lefts, indices, strict=True):
        _draw_cell_grid(sheet, cells, left, base, bottom, top)
        x = left + np.arange(last - first) / ecg.fs * cells.mm_per_s
        y = base + ecg.signal[lead, first:last] * cells.mm_per_mv
        draw_style(sheet, x, y, scale.values[lead, first:last], bottom, top, size)
        sheet.axes.plot(x, y, color=INK, linewidth=sheet.points(0.22), zorder=5, gid=LEADS[lead])


def _draw_cell_grid(sheet, cells, left, base, bottom, top):
    """Draw a line every 0.2 s and every 0.5 mV, and a frame."""
    right, step_x, step_y = left + cells.width, 0.2 * cells.mm_per_s, 0.5 * cells.mm_per_mv
    levels = base + step_y * np.arange(np.ceil((bottom - base) / step_y), (top - base) / step_y)
    lines = [[(x, bottom), (x, top)] for x in np.arange(left, right - 0.01, step_x)]
    lines += [[(left, y), (right, y)] for y in levels]
    sheet.lines(lines, 0.1, PAPER_PALE["fine"], 1)
    frame = [[(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]]
    sheet.lines(frame, 0.15, PAPER_PALE["coarse"], 4)
