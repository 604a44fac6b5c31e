"""Numbers as pictures: relevance per lead, and small tables with colours."""

from collections.abc import Callable, Iterable

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike
from torch import Tensor

from leadwise.ecg.leads import LEADS
from leadwise.maps import as_map, part_of, to_numpy
from leadwise.plotting.sheet import CourseFigure, Sheet, fold, text_width
from leadwise.plotting.style import (
    GREY,
    INK,
    LABEL,
    PAPER_PALE,
    SMALL,
    TEXT,
    TITLE,
    number,
    percent,
    relevance_rgba,
    signed_percent,
)

WIDTH, HEIGHT = 160.0, 40.0  # of a picture, and of its tallest bar both ways, mm
CELL, ROW = 15.0, 7.0  # least width and height of a cell of a table, mm


def plot_lead_bars(relevance: Tensor | np.ndarray, *, title: str | None = None) -> CourseFigure:
    """Draw how much of the relevance lies in each lead, and which way it points.

    A bar reaches up by the positive and down by the negative relevance of its lead, both divided by Σ|R| of the whole
    record: the lengths of all bars add up to 100 %. The number above is a bar's length; the dot and the number below
    are its balance, up minus down.

    Parameters
    ----------
    relevance : tensor or array (12, T) or (1, 12, T)
    title : heading

    Raises
    ------
    ValueError : another shape, NaN or infinite values
    """
    values = as_map(relevance)
    total = np.abs(values).sum()
    up, down = lead_shares(values)
    mm = HEIGHT / max(up.max() - down.min(), 0.01)
    heading = fold(title, WIDTH, TITLE, "bold") if title else []
    zero = 10 - down.min() * mm
    sheet = Sheet(WIDTH, zero + up.max() * mm + 5, 2 + 5 * len(heading), 9)
    sheet.text(0, sheet.height + 1 + 5 * len(heading), "\n".join(heading), TITLE, weight="bold", va="top")
    left, pitch = 20.0, (WIDTH - 20) / len(LEADS)
    _share_lines(sheet, left - 3, zero, up.max(), down.min(), mm)
    middles = left + pitch * np.arange(len(LEADS)) + (pitch - 3) / 2
    for middle, lead, high, low in zip(middles, LEADS, up, down, strict=True):
        for bottom, height, sign in ((0, high, 1), (low, -low, -1)):
            corner = (middle - (pitch - 3) / 2, zero + bottom * mm)
            colour = relevance_rgba(0.8 * sign, over="white")
            bar = Rectangle(corner, pitch - 3, height * mm, facecolor=colour, linewidth=0, zorder=3, gid=f"bar-{lead}")
            sheet.axes.add_patch(bar)
        sheet.text(middle, zero + high * mm + 1, percent(high - low), TEXT, ha="center", va="bottom")
        sheet.text(middle, 5, lead, LABEL, weight="bold", ha="center", va="center", gid="lead")
        sheet.text(middle, 1.2, signed_percent(high + low), SMALL, ha="center", va="center", color=GREY)
    dots = sheet.points(2.2) ** 2
    sheet.axes.scatter(middles, zero + (up + down) * mm, s=dots, c=INK, edgecolors="white", linewidths=0.8, zorder=5)
    sheet.text(0, 1.2, "balance", SMALL, va="center", color=GREY)
    facts = f"share of Σ|R| = {number(total)}  ·  up: R > 0, down: R < 0, dot: balance  ·  ΣR = {number(values.sum())}"
    sheet.text(0, -4, facts, TEXT, va="top", color=GREY)
    shares = ", ".join(f"{lead} {percent(h - low)}" for lead, h, low in zip(LEADS, up, down, strict=True))
    sheet.figure.alt = f"{title or 'Relevance per lead'}: share of the magnitude of relevance: {shares}."
    return sheet.figure


def lead_shares(relevance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positive and the negative relevance of each lead, (12,) and (12,), divided by Σ|R| of the record."""
    total = np.abs(relevance).sum() or 1.0
    return part_of(relevance, "positive").sum(axis=1) / total, part_of(relevance, "negative").sum(axis=1) / total


def _share_lines(sheet, left, zero, high, low, mm):
    """Draw the zero line and, in grey, a line at every round share."""
    step = next((s for s in (0.01, 0.02, 0.05, 0.1, 0.2) if (high - low) / s <= 6), 0.5)
    levels = np.arange(np.ceil(low / step - 1e-9), high / step + 1e-9) * step + 0.0
    sheet.lines([[(left, zero + v * mm), (sheet.width, zero + v * mm)] for v in levels], 0.15, PAPER_PALE["coarse"], 1)
    sheet.lines([[(left, zero), (sheet.width, zero)]], 0.2, GREY, 4)
    for value in levels:
        sheet.text(left - 1, zero + value * mm, percent(abs(value)), SMALL, ha="right", va="center", color=GREY)


def plot_matrix(
    table: Tensor | ArrayLike,
    rows: Iterable[object],
    columns: Iterable[object],
    *,
    title: str | None = None,
    label: str = "",
    write: Callable[[float], str] = number,
) -> CourseFigure:
    """Draw a small table with numbers, each cell coloured by its value.

    Colours are those of relevance: vermilion above zero, blue below, white at zero, full strength at the largest
    magnitude of the table.

    Parameters
    ----------
    table : array or tensor (len(rows), len(columns)); NaN marks a cell without a value
    rows, columns : names
    title : heading
    label : what the numbers are, with unit
    write : function value -> text, such as :func:`leadwise.plotting.percent`

    Raises
    ------
    ValueError : the table is not two-dimensional or does not fit the names
    """
    table, rows, columns = to_numpy(table).astype(float), list(rows), list(columns)
    if table.shape != (len(rows), len(columns)) or table.size == 0:
        raise ValueError(f"table has shape {table.shape}; expected {(len(rows), len(columns))}, one name for each.")
    texts = [["–" if np.isnan(v) else write(v) for v in line] for line in table]
    cell = max(CELL, 3 + max(text_width(text) for line in texts for text in line))
    side = 3 + max(text_width(str(name), TEXT, "bold") for name in rows)
    width = max(side + cell * len(columns), 60)
    heads = [fold(str(name), cell - 1, TEXT, "bold") for name in columns]
    heading = fold(title, width, TITLE, "bold") if title else []
    foot = fold(label, width) if label else []
    above = 3.3 * max(map(len, heads)) + 2
    sheet = Sheet(width, ROW * len(rows), above + 5 * len(heading), 2 + 3.4 * len(foot), zoom=1)
    sheet.text(0, sheet.height + above + 5 * len(heading) - 0.5, "\n".join(heading), TITLE, weight="bold", va="top")
    sheet.text(0, -1.5, "\n".join(foot), va="top", color=GREY)
    _draw_cells(sheet, table, texts, side, cell)
    for i, name in enumerate(rows):
        sheet.text(side - 2, sheet.height - (i + 0.5) * ROW, str(name), weight="bold", ha="right", va="center")
    for j, lines in enumerate(heads):
        x = side + (j + 0.5) * cell
        sheet.text(x, sheet.height + 1, "\n".join(lines), weight="bold", ha="center", va="bottom", gid="column")
    sheet.figure.alt = f"{title or 'Table'}: {label or 'values'} for {len(rows)} rows by {len(columns)} columns."
    return sheet.figure


def _draw_cells(sheet, table, texts, side, cell):
    """Paint the cells as one image, and write the numbers in black or white, whichever reads better."""
    most = np.nanmax(np.abs(table)) if np.isfinite(table).any() else 0
    rgba = relevance_rgba(np.nan_to_num(table / (most or 1)), over="white")
    rgba[np.isnan(table)] = (*to_rgb(PAPER_PALE["fine"]), 1)
    right = side + cell * table.shape[1]
    sheet.image(rgba, side, right, 0, sheet.height, zorder=2)
    lines = [[(side + j * cell, 0), (side + j * cell, sheet.height)] for j in range(1, table.shape[1])]
    lines += [[(side, i * ROW), (right, i * ROW)] for i in range(1, len(table))]
    sheet.lines(lines, 0.35, "white", 3)
    dark = rgba[..., :3] @ (0.2126, 0.7152, 0.0722) < 0.45
    for (i, j), white in np.ndenumerate(dark):
        y = sheet.height - (i + 0.5) * ROW
        colour = "white" if white else INK
        sheet.text(side + (j + 0.5) * cell, y, texts[i][j], ha="center", va="center", color=colour)
