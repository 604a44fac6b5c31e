"""Groups of records beside each other: a forest plot."""

from collections.abc import Sequence

import numpy as np

from leadwise.plotting.sheet import CourseFigure, Sheet, fold, text_width
from leadwise.plotting.style import GREY, INK, PAPER_PALE, SMALL, TEXT, TITLE, number

WIDTH, ROW = 160.0, 7.0  # mm


def plot_forest(
    rows: Sequence[tuple[str, float, float, float, int]], *, title: str | None = None, label: str = ""
) -> CourseFigure:
    """Draw one mean with its interval a row; the first row is the whole, which a line continues downwards.

    Parameters
    ----------
    rows : (name, mean, lower end, upper end, number of records); ends that are NaN are not drawn
    title : heading
    label : what the numbers are

    Raises
    ------
    ValueError : no rows, or a mean that is not finite

    Examples
    --------
    >>> plot_forest([("all", 0.4, 0.38, 0.42, 200), ("female", 0.5, 0.45, 0.55, 90)]).alt
    'Means: all 0.4 (n = 200), female 0.5 (n = 90).'
    """
    rows = list(rows)
    if not rows or not np.isfinite([row[1] for row in rows]).all():
        raise ValueError(f"rows are {rows}; expected at least one, with finite means.")
    texts = [_written(*row[1:4]) for row in rows]
    left = 4 + max(text_width(f"{row[0]} (n = {row[4]})", TEXT, "bold") for row in rows)
    right = WIDTH - 4 - max(map(text_width, texts))
    ends = np.array([value for row in rows for value in row[1:4] if np.isfinite(value)])
    room = 0.06 * (np.ptp(ends) or abs(ends[0]) or 1.0)
    low, high = ends.min() - room, ends.max() + room
    heading = fold(title, WIDTH, TITLE, "bold") if title else []
    sheet = Sheet(WIDTH, ROW * len(rows), 2 + 5 * len(heading), 9)
    sheet.text(0, sheet.height + 1 + 5 * len(heading), "\n".join(heading), TITLE, weight="bold", va="top")

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    _scale(sheet, x, low, high, label)
    sheet.lines([[(x(rows[0][1]), 0), (x(rows[0][1]), sheet.height)]], 0.2, GREY, 2)
    for i, ((name, mean, lower, upper, count), text) in enumerate(zip(rows, texts, strict=True)):
        y = sheet.height - (i + 0.5) * ROW
        sheet.text(left - 3, y, f"{name} (n = {count})", weight="bold", ha="right", va="center", gid="name")
        sheet.text(WIDTH, y, text, ha="right", va="center")
        if np.isfinite([lower, upper]).all():
            sheet.lines([[(x(lower), y), (x(upper), y)]], 0.5, INK, 4)
        sheet.axes.scatter(
            [x(mean)], [y], s=sheet.points(2.2) ** 2, c=INK, edgecolors="white", linewidths=0.8, zorder=5
        )
    means = ", ".join(f"{row[0]} {number(row[1])} (n = {row[4]})" for row in rows)
    sheet.figure.alt = f"{title or 'Means'}: {means}."
    return sheet.figure


def _written(mean: float, low: float, high: float) -> str:
    """Write a mean and its interval, where there is one."""
    return number(mean) + (f" [{number(low)}, {number(high)}]" if np.isfinite([low, high]).all() else "")


def _scale(sheet: Sheet, x, low: float, high: float, label: str) -> None:
    """Draw a line at every round value, its number below, and what the numbers are."""
    step = 10 ** np.floor(np.log10((high - low) / 2))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 6)
    values = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step + 0.0
    sheet.lines([[(x(v), 0), (x(v), sheet.height)] for v in values], 0.15, PAPER_PALE["coarse"], 1)
    for value in values:
        sheet.text(x(value), -1, number(value), SMALL, ha="center", va="top", color=GREY)
    sheet.text(0, -5, label, TEXT, va="top", color=GREY)
