"""What the channels of a layer do in time, under the leads that they were made from."""

from collections.abc import Mapping

import numpy as np

from leadwise.language import tr
from leadwise.maps import finite
from leadwise.plotting.sheet import CourseFigure, Sheet, fold
from leadwise.plotting.style import GREY, INK, LABEL, SMALL, TITLE, number

NAMES, WIDTH, ROW = 26.0, 180.0, 11.0  # room for the names, length of a row and its height, mm


def plot_channels(
    rows: Mapping[str, np.ndarray], seconds: float, *, inputs: int = 1, title: str | None = None
) -> CourseFigure:
    """Draw signals of one length in time and any number of samples below each other, each scaled by itself.

    Parameters
    ----------
    rows : name -> values (T,), the first ``inputs`` of them what the network got
    seconds : that each row lasts
    inputs : how many rows are inputs; the others are channels
    title : heading

    Raises
    ------
    ValueError : no rows, or values that are not finite or not one number a sample
    """
    values = {name: finite(row, name) for name, row in rows.items()}
    if not values or any(row.ndim != 1 or not len(row) for row in values.values()) or seconds <= 0:
        came = ", ".join(f"{name} {row.shape}" for name, row in values.items()) or "none"
        raise ValueError(f"rows are {came}, of {seconds} s; expected name -> values (T,), that last longer than 0 s.")
    heading = fold(title, NAMES + WIDTH, TITLE, "bold") if title else []
    sheet = Sheet(NAMES + WIDTH + 4, ROW * len(values) + 6, 2 + 5 * len(heading), 1)
    sheet.text(0, sheet.height + 0.5 + 5 * len(heading), "\n".join(heading), TITLE, weight="bold", va="top")
    for place, (name, row) in enumerate(values.items()):
        base, low, high = sheet.height - ROW * (place + 1) + 1, float(row.min()), float(row.max())
        x = NAMES + WIDTH * (np.arange(len(row)) + 0.5) / len(row)
        y = base + (ROW - 2) * (row - low) / ((high - low) or 1)
        sheet.lines([np.column_stack([x, y])], 0.3, INK if place < inputs else "#0072b2", 3)
        sheet.text(NAMES - 2, base + 6, name, LABEL, weight="bold", ha="right", va="center")
        sheet.text(
            NAMES - 2, base + 2, f"{number(low)}{tr(' to ')}{number(high)}", SMALL, color=GREY, ha="right", va="center"
        )
    step = next(step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 60, 600) if seconds / step <= 11 or step == 600)
    for mark in np.arange(0, seconds + 1e-9, step):
        sheet.text(NAMES + WIDTH * mark / seconds, 2, f"{mark:g} s", SMALL, color=GREY, ha="center", va="center")
    figure = sheet.figure
    figure.alt = (
        f"{title or tr('Channels of a layer')}: {', '.join(values)}, {tr('over {seconds} s', seconds=f'{seconds:g}')}"
    )
    return figure
