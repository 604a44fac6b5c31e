"""The ground-truth benchmark as one figure: which methods find the cause, on ECGs and on pictures."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle

from leadwise.plotting.sheet import CourseFigure, Sheet, fold, text_width
from leadwise.plotting.style import GREY, INK, LABEL, PAPER_PALE, SMALL, TEXT, TITLE, percent

WIDTH, ROW = 200.0, 4.4  # of the sheet and of a method's row, mm: 1,020 pixels in a notebook
GAP, HEAD, DOT = 4.0, 9.0, 1.9  # between columns, above them, and the size of a dot, mm
# Model -> (colour, marker, place in the row as a fraction of its height). Okabe and Ito's pair, as everywhere.
MODELS = {"embedded": ("#c22f00", "o", 0.14), "published": ("#0a2f8f", "D", -0.2)}
NEEDED = ("data", "model", "cause", "method", "setting", "area", "mass", "mass_low", "mass_high")


@dataclass(frozen=True)
class _Row:
    """One line of the benchmark's table, of which the figure shows the mass and its interval."""

    column: str
    model: str
    method: str
    setting: str
    area: float
    mass: float
    low: float
    high: float


def plot_ground_truth(table, *, title: str | None = None) -> CourseFigure:
    """Draw how much of each method's positive relevance lies on the known cause.

    A row for each method, a column for each cause. Dots are means over patients or pictures, lines their intervals;
    filled with default parameters, hollow with the best of a few settings where that is another one. The dashed line is
    the share of the samples that the cause covers, which a map without information reaches. Methods are sorted by their
    mean of mass / area with default parameters over the causes in ECGs (over the pictures where there are no ECGs), the
    best on top; of two models the embedded one decides.

    Parameters
    ----------
    table : path of a CSV file that ``benchmarks/ground_truth.py`` wrote, or its rows, mappings column -> value
    title : heading; None says what is shown

    Returns
    -------
    CourseFigure, 200 mm wide

    Raises
    ------
    FileNotFoundError : no such file; the message says how to make it
    ValueError : a table without rows or without one of the columns that are drawn, or a model that has no marker
    """
    rows = _read(table)
    columns = list(dict.fromkeys(sorted((row.column for row in rows), key=lambda name: (name == "scenes", name))))
    models = [model for model in MODELS if any(row.model == model for row in rows)]
    order = _sorted_methods(rows, models[0])
    names = [_title(name) for name in order]
    left = 3 + max(text_width(name, TEXT) for name in names)
    wide = (WIDTH - left - GAP * (len(columns) - 1)) / len(columns)
    heading = fold(title or "Which methods find the cause? Share of the positive relevance on it", WIDTH, TITLE, "bold")
    sheet = Sheet(WIDTH, ROW * len(order), HEAD + 5 * len(heading), 10 + 4 * len(models))
    sheet.text(0, sheet.height + HEAD + 5 * len(heading) - 0.5, "\n".join(heading), TITLE, weight="bold", va="top")
    _draw_names(sheet, names, left)
    for i, column in enumerate(columns):
        most = _axis([row for row in rows if (row.column == "scenes") == (column == "scenes")])
        here = [row for row in rows if row.column == column]
        _draw_column(sheet, here, order, left + i * (wide + GAP), wide, most)
    _draw_key(sheet, models, left)
    sheet.figure.alt = _in_words(rows, columns, order, models[0])
    return sheet.figure


def _read(table) -> list[_Row]:
    """Return the rows of a file or of what was read from it; those whose mass is not a number have nothing to show."""
    if isinstance(table, (str, Path)):
        path = Path(table)
        if not path.is_file():
            raise FileNotFoundError(f"no table {path}; make it with: python benchmarks/ground_truth.py")
        with path.open(newline="") as file:
            table = list(csv.DictReader(file))
    records: list[Mapping] = list(table) if isinstance(table, Iterable) else []
    missing = [name for name in NEEDED if not records or name not in records[0]]
    if missing:
        raise ValueError(
            f"the table has {len(records)} rows and lacks {', '.join(missing)}; expected what "
            "benchmarks/ground_truth.py writes."
        )
    strangers = sorted({record["model"] for record in records} - set(MODELS))
    if strangers:
        raise ValueError(f"the table has models {', '.join(strangers)}; expected {', '.join(MODELS)}.")
    rows = [
        _Row(
            "scenes" if record["data"] == "scenes" else record["cause"],
            *(record[key] for key in ("model", "method", "setting")),
            *(float(record[key]) for key in ("area", "mass", "mass_low", "mass_high")),
        )
        for record in records
    ]
    return [row for row in rows if np.isfinite(row.mass)]


def _sorted_methods(rows: list[_Row], model: str) -> list[str]:
    """Return the methods, the one with the largest mean of mass / area first; those without a number come last."""
    ecgs = any(row.column != "scenes" for row in rows)
    lifts: dict[str, list[float]] = {row.method: [] for row in rows}
    for row in rows:
        if row.model == model and row.setting == "default" and (row.column != "scenes" or not ecgs):
            lifts[row.method].append(row.mass / row.area)
    return sorted(lifts, key=lambda method: -np.mean(lifts[method]) if lifts[method] else 0.0)


def _draw_names(sheet: Sheet, names: list[str], left: float) -> None:
    """Write the methods, and shade every second row so that the eye finds the way to its dots."""
    for i, name in enumerate(names):
        bottom = sheet.height - (i + 1) * ROW
        if i % 2 == 0:
            shade = Rectangle((0, bottom), WIDTH, ROW, facecolor=PAPER_PALE["fine"], alpha=0.55, linewidth=0, zorder=0)
            sheet.axes.add_patch(shade)
        sheet.text(left - 2, bottom + ROW / 2, name, TEXT, ha="right", va="center", gid="method")


def _axis(rows: list[_Row]) -> float:
    """Return the share at which the axes of some columns end: the largest number, rounded up to 20 %."""
    most = max(max(row.area, row.mass, np.nan_to_num(row.high)) for row in rows)
    return min(1.0, np.ceil(5 * most - 1e-9) / 5)


def _draw_column(sheet: Sheet, rows: list[_Row], order: list[str], left: float, wide: float, most: float) -> None:
    """Draw one cause: its axis, the area, and every method's dots."""
    column, area = rows[0].column, np.mean([row.area for row in rows if row.model == rows[0].model])

    def x(share):
        return left + wide * share / most

    for share in np.arange(0, most + 1e-9, 0.5 if most > 0.6 else 0.2):
        end = "left" if share == 0 else "right" if share > most - 1e-9 else "center"
        sheet.lines([[(x(share), 0), (x(share), sheet.height)]], 0.15, PAPER_PALE["coarse"], 1)
        sheet.text(x(share), -1, percent(float(share)), SMALL, ha=end, va="top", color=GREY)
    sheet.lines([[(x(area), 0), (x(area), sheet.height)]], 0.3, INK, 2, linestyles=(0, (4, 2)), gid=f"area-{column}")
    sheet.text(left, sheet.height + 5.2, column, LABEL, weight="bold", va="baseline", gid="cause")
    sheet.text(left, sheet.height + 1.7, f"area {percent(float(area))}", SMALL, va="baseline", color=GREY)
    for row in rows:
        colour, marker, place = MODELS[row.model]
        y = sheet.height - (order.index(row.method) + 0.5 - place) * ROW
        if np.isfinite(row.low) and np.isfinite(row.high):
            sheet.lines([[(x(row.low), y), (x(row.high), y)]], 0.4, colour, 3, alpha=0.6)
        filled = row.setting == "default"
        sheet.axes.scatter(
            x(row.mass), y, s=sheet.points(DOT) ** 2, marker=marker, zorder=5 - filled, clip_on=False,
            facecolors=colour if filled else "white", edgecolors=colour, linewidths=sheet.points(0.3),
            gid=f"{column}-{row.model}-{row.method}-{row.setting}",
        )  # fmt: skip


def _draw_key(sheet: Sheet, models: list[str], left: float) -> None:
    """Say what filled, hollow and dashed mean, and whose model has which marker."""
    for line, model in enumerate(models):
        colour, marker, _ = MODELS[model]
        y = -7 - 4 * line
        for at, filled, text in (
            (left, True, f"{model} models, default"),
            (left + 52, False, "best of a few settings"),
        ):
            face = colour if filled else "white"
            options: dict[str, Any] = {"facecolors": face, "edgecolors": colour, "linewidths": sheet.points(0.3)}
            sheet.axes.scatter(at + 1, y, s=sheet.points(DOT) ** 2, marker=marker, **options)
            sheet.text(at + 4, y, text, TEXT, va="center")
    sheet.lines([[(left + 104, -9), (left + 104, -5)]], 0.3, INK, 2, linestyles=(0, (4, 2)))
    sheet.text(left + 106, -7, "area: a map without information", TEXT, va="center")
    facts = (
        "Means with bootstrap intervals. The setting was chosen on other patients and pictures. Sorted by mass / area."
    )
    sheet.text(0, -5.5 - 4 * len(models), facts, SMALL, va="top", color=GREY)


def _in_words(rows: list[_Row], columns: list[str], order: list[str], model: str) -> str:
    """Return the alternative text: the first method of each column."""
    facts = []
    for column in columns:
        best = max((row for row in rows if row.column == column), key=lambda row: row.mass)
        facts.append(
            f"{column}: most {_title(best.method)}, {percent(best.mass)} on {percent(best.area)} of the samples"
        )
    return f"Relevance on the known cause, {len(order)} methods; {'; '.join(facts)}."


def _title(name: str) -> str:
    """Return a method's title; the name itself where the table knows a method that this version does not."""
    from leadwise.attribution import METHODS  # imported here, for captum imports pyplot and plotting does without it

    return METHODS[name].title if name in METHODS else name
