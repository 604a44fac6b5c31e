"""LRP in numbers: one dense layer with all it hands on, and the flow of relevance through a small network."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.patches import Circle, Rectangle
from numpy.typing import ArrayLike
from torch import Tensor

from leadwise.language import tr
from leadwise.maps import to_numpy
from leadwise.plotting.sheet import CourseFigure, Sheet, fold
from leadwise.plotting.style import GREY, INK, LABEL, PAPER_PALE, SMALL, TEXT, TITLE, number, relevance_rgba

Numbers = Tensor | ArrayLike

CELL, ROW = 15.0, 7.0  # of the matrices, mm
SIDE, GAP = 28.0, 30.0  # room left of the first matrix and between the two
UP, LEDGER = 11.0, 5.5  # height of the tallest bar above, and of a line below the matrices
BAR = 28.0  # length of the longest bar on the right
MOST_INPUTS, MOST_OUTPUTS = 12, 6  # what stays readable
LEVEL, NODE, APART = 24.0, 7.0, 56.0  # of a network: distance of units, their radius, distance of layers


def plot_rule(
    inputs: Numbers,
    weights: Numbers,
    bias: Numbers,
    relevance: Numbers,
    messages: Numbers,
    kept: Numbers,
    rest: Numbers,
    *,
    title: str | None = None,
) -> CourseFigure:
    """Draw one dense layer: what the inputs contribute on the left, what they receive by an LRP rule on the right.

    Below the right matrix each output's relevance is accounted for: handed on, kept by the bias, absorbed.

    Parameters
    ----------
    inputs : (J,), at most 12; weights : (J, K), K at most 6; bias, relevance : (K,)
    messages, kept, rest : (J, K), (K,), (K,), as :func:`leadwise.attribution.share_out` returns them
    title : heading

    Raises
    ------
    ValueError : shapes that do not fit together, or too large to read
    """
    inputs, weights, bias, relevance, messages, kept, rest = (
        to_numpy(part).astype(float) for part in (inputs, weights, bias, relevance, messages, kept, rest)
    )
    count, outputs = _check(inputs, weights, bias, relevance, messages, kept, rest)
    parts = inputs[:, None] * weights
    middle = SIDE + CELL * outputs + GAP
    width = middle + CELL * outputs + 8 + BAR + 12
    above, below = UP + 17, 2 + 4 * LEDGER
    heading = fold(title, width, TITLE, "bold") if title else []
    sheet = Sheet(width, ROW * count + above + below, 1 + 5 * len(heading), 1)
    sheet.text(0, sheet.height + 0.5 + 5 * len(heading), "\n".join(heading), TITLE, weight="bold", va="top")
    top = sheet.height - above
    names = [f"{tr('output')} {k + 1}" for k in range(outputs)]
    _cells(sheet, parts, SIDE, top)
    _cells(sheet, messages, middle, top)
    for j in range(count):
        y = top - (j + 0.5) * ROW
        sheet.text(SIDE - 2, y, f"{tr('input')} {j + 1}:  {number(inputs[j])}", weight="bold", ha="right", va="center")
        sheet.text(middle - 2, y, f"{tr('input')} {j + 1}", weight="bold", ha="right", va="center")
    _heads(sheet, names, SIDE, top + 1.5)
    _heads(sheet, names, middle, top + 1.5)
    sheet.text(
        SIDE, top + 9, tr("Forward: contributions") + "  $z_{jk} = a_j w_{jk}$", LABEL, va="bottom", parse_math=True
    )
    sheet.text(SIDE - 2, top + 2.9, tr("input") + " $a_j$", ha="right", va="center", color=GREY, parse_math=True)
    low = top - count * ROW - 1
    _ledger(sheet, {tr("bias"): bias, tr("sum") + " $z_k$": parts.sum(0) + bias}, SIDE, low)
    rows = {tr("handed on"): messages.sum(0), tr("kept by the bias"): kept, tr("absorbed"): rest}
    rows[tr("sum") + " $R_k$"] = relevance
    _ledger(sheet, rows, middle, low)
    sheet.text(middle, sheet.height - 1, tr("Backward: relevance") + "  $R_{j←k}$", LABEL, va="top", parse_math=True)
    _upright(sheet, relevance, middle, top + 6)
    sheet.text(
        middle - 2, top + 6, "$R_k$, " + tr("to share out"), ha="right", va="bottom", color=GREY, parse_math=True
    )
    _level(sheet, messages.sum(1), middle + CELL * outputs + 8, top)
    sums = [float(part.sum()) for part in (relevance, messages, kept, rest)]
    words = {"inputs": count, "outputs": outputs, "all": number(sums[0]), "handed": number(sums[1])}
    sheet.figure.alt = f"{title or tr('One layer')}: " + tr(
        "{inputs} inputs, {outputs} outputs. Relevance of the outputs {all}, of which {handed} reach the inputs, "
        "{kept} stay in the bias, {rest} are absorbed.", kept=number(sums[2]), rest=number(sums[3]), **words,
    )  # fmt: skip
    return sheet.figure


def _check(inputs, weights, bias, relevance, messages, kept, rest) -> tuple[int, int]:
    """Return J and K, or say what does not fit."""
    if weights.ndim != 2 or not 0 < weights.shape[0] <= MOST_INPUTS or not 0 < weights.shape[1] <= MOST_OUTPUTS:
        raise ValueError(
            f"weights have shape {weights.shape}; expected (inputs, outputs), at most {MOST_INPUTS} and {MOST_OUTPUTS}."
        )
    count, outputs = weights.shape
    wanted = {"inputs": (inputs, (count,)), "messages": (messages, (count, outputs))}
    wanted |= {
        name: (part, (outputs,))
        for name, part in (("bias", bias), ("relevance", relevance), ("kept", kept), ("rest", rest))
    }
    for name, (part, shape) in wanted.items():
        if part.shape != shape:
            raise ValueError(f"{name} has shape {part.shape}; weights of {weights.shape} need {shape}.")
    return count, outputs


def _cells(sheet: Sheet, table: np.ndarray, left: float, top: float) -> None:
    """Paint a matrix with its numbers; full colour is its largest magnitude."""
    rows, columns = table.shape
    rgba = relevance_rgba(table / (np.abs(table).max() or 1), over="white")
    right, low = left + CELL * columns, top - ROW * rows
    sheet.image(rgba, left, right, low, top, zorder=2)
    frame = [[(left + j * CELL, low), (left + j * CELL, top)] for j in range(columns + 1)]
    frame += [[(left, top - i * ROW), (right, top - i * ROW)] for i in range(rows + 1)]
    sheet.lines(frame, 0.2, PAPER_PALE["coarse"], 3)
    dark = rgba[..., :3] @ (0.2126, 0.7152, 0.0722) < 0.45
    for (i, j), value in np.ndenumerate(table):
        colour = "white" if dark[i, j] else INK
        x, y = left + (j + 0.5) * CELL, top - (i + 0.5) * ROW
        sheet.text(x, y, short(value), ha="center", va="center", color=colour, gid="cell")


def short(value: float) -> str:
    """Return a number for a cell: two decimals, or three digits where that would be long."""
    if abs(value) < 0.005:
        return "0"
    return number(value) if abs(value) >= 100 else f"{value:.2f}".replace("-", "−")


def _heads(sheet, names, left, y) -> None:
    for k, name in enumerate(names):
        sheet.text(left + (k + 0.5) * CELL, y, name, weight="bold", ha="center", va="bottom")


def _ledger(sheet, rows, left, top) -> None:
    """Write lines of numbers below a matrix, the last one as a sum."""
    for i, (name, values) in enumerate(rows.items()):
        y, last = top - (i + 0.55) * LEDGER, i == len(rows) - 1
        weight = "bold" if last else "normal"
        sheet.text(left - 2, y, name, ha="right", va="center", weight=weight, parse_math=True)
        for k, value in enumerate(values):
            sheet.text(left + (k + 0.5) * CELL, y, short(value), ha="center", va="center", weight=weight, gid=name)
        if last:
            line = y + 0.5 * LEDGER
            sheet.lines([[(left, line), (left + CELL * len(values), line)]], 0.2, GREY, 3)


def _upright(sheet, values, left, low) -> None:
    """Draw a bar with its number above each column, all from one zero line."""
    most, least = max(values.max(), 0), min(values.min(), 0)
    mm = UP / ((most - least) or 1)
    zero = low - least * mm
    sheet.lines([[(left, zero), (left + CELL * len(values), zero)]], 0.2, GREY, 3)
    for k, value in enumerate(values):
        x = left + (k + 0.5) * CELL
        _bar(sheet, x - 4, min(zero, zero + value * mm), 8, abs(value) * mm, value)
        sheet.text(x, zero + max(value, 0) * mm + 0.6, short(value), SMALL, ha="center", va="bottom")


def _level(sheet, values, left, top) -> None:
    """Draw a bar with its number beside each row, all from one zero line."""
    most, least = max(values.max(), 0), min(values.min(), 0)
    label = 8 * (least < 0)
    mm = (BAR - label) / ((most - least) or 1)
    zero = left - least * mm + label
    sheet.lines([[(zero, top), (zero, top - ROW * len(values))]], 0.2, GREY, 3)
    for j, value in enumerate(values):
        y = top - (j + 0.5) * ROW
        _bar(sheet, min(zero, zero + value * mm), y - 2, abs(value) * mm, 4, value)
        end, side = zero + value * mm, 1 if value >= 0 else -1
        sheet.text(end + side, y, short(value), va="center", ha="left" if side > 0 else "right", gid="R_j")
    total = "$R_j$, " + tr("in all {sum}", sum=short(values.sum()))
    sheet.text(left, top + 2.9, total, va="center", color=GREY, parse_math=True)


def _bar(sheet, x, y, width, height, value) -> None:
    colour = relevance_rgba(0.8 * np.sign(value), over="white")
    sheet.axes.add_patch(Rectangle((x, y), width, height, facecolor=colour, linewidth=0, zorder=3, gid="bar"))


def plot_flow(
    values: Sequence[Numbers], flows: Sequence[Numbers], *, names: Sequence[str] | None = None, title: str | None = None
) -> CourseFigure:
    """Draw a small dense network: a number in each unit, and on each edge what flows along it.

    Parameters
    ----------
    values : one list of numbers for each layer, the input first
    flows : one array (J, K) for each pair of neighbouring layers: from unit j of the earlier to unit k of the later
    names : what the layers are, one word each
    title : heading

    Raises
    ------
    ValueError : flows that do not fit the layers
    """
    layers, edges = [to_numpy(v).astype(float) for v in values], [to_numpy(f).astype(float) for f in flows]
    wanted = [(len(a), len(b)) for a, b in pairwise(layers)]
    if [f.shape for f in edges] != wanted:
        raise ValueError(f"flows have shapes {[f.shape for f in edges]}; layers of these sizes need {wanted}.")
    widest = max(map(len, layers))
    width, height = APART * len(edges) + 4 * NODE, LEVEL * (widest - 1) + 2 * NODE + 4
    heading = fold(title, width, TITLE, "bold") if title else []
    sheet = Sheet(width, height, 2 + 5 * len(heading), 5, zoom=1)
    sheet.text(0, height + 1 + 5 * len(heading), "\n".join(heading), TITLE, weight="bold", va="top")
    places = [
        [(2 * NODE + APART * i, height / 2 + LEVEL * ((len(v) - 1) / 2 - j)) for j in range(len(v))]
        for i, v in enumerate(layers)
    ]
    most = max(np.abs(f).max() for f in edges) or 1
    for flow, starts, ends in zip(edges, places[:-1], places[1:], strict=True):
        for (j, k), value in np.ndenumerate(flow):
            _edge(sheet, starts[j], ends[k], value, value / most)
    largest = max(np.abs(v).max() for v in layers) or 1
    for layer, spots in zip(layers, places, strict=True):
        for value, spot in zip(layer, spots, strict=True):
            colour = relevance_rgba(0.35 * value / largest, over="white")
            sheet.axes.add_patch(Circle(spot, NODE, facecolor=colour, edgecolor=GREY, linewidth=0.8, zorder=5))
            sheet.text(*spot, _exact(value), LABEL, weight="bold", ha="center", va="center", gid="unit")
    for name, spots in zip(names or [""] * len(layers), places, strict=True):
        sheet.text(spots[0][0], -3, name, TEXT, ha="center", color=GREY)
    listed = "; ".join(", ".join(map(_exact, layer)) for layer in layers)
    sheet.figure.alt = f"{title or 'A small network'}: units, layer by layer: {listed}."
    return sheet.figure


def _edge(sheet, start, end, value, strength) -> None:
    """Draw one edge as thick as it is strong, its number near its start."""
    colour = relevance_rgba(np.sign(value) * max(abs(strength), 0.3), over="white") if value else PAPER_PALE["coarse"]
    sheet.lines([[start, end]], 0.3 + 1.7 * abs(strength), colour, 2)
    (x, y), (right, up) = start, end
    x, y = x + 0.27 * (right - x), y + 0.27 * (up - y)
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    sheet.text(x, y, _exact(value), TEXT, ha="center", va="center", bbox=paper, zorder=4, gid="edge")


def _exact(value: float) -> str:
    """Return three digits; what is zero but for rounding is zero."""
    return number(round(value, 6) + 0.0)
