"""The ground-truth benchmark as one figure: one number for each method and cause."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from leadwise.plotting.sheet import CourseFigure
from leadwise.plotting.style import percent
from leadwise.plotting.tables import plot_matrix

NEEDED = ("data", "model", "cause", "method", "family", "setting", "misplaced")


def plot_ground_truth(table: str | Path | Iterable[Mapping[str, Any]], *, title: str | None = None) -> CourseFigure:
    """Draw how well each method's map agrees with what interventions show, on patients and on scenes.

    A row for each method, a column for each cause. The number is 1 - misplaced: the share of the map that lies, with
    the right sign, in the parts that change the network's answer: waves of patients, objects of scenes. Numbers are
    those of the plain setting (default, or quick where the default takes hundreds of passes); of several networks the
    mean. Shown are the networks that the course trained, of its own architecture, with whatever seed; published ones
    and other architectures only where the table holds nothing else. Methods are sorted by their worst cause among the
    patients, the best on top; controls, which ask no network, are marked.

    Parameters
    ----------
    table : path of a CSV file that ``benchmarks/ground_truth.py`` wrote, or its rows, mappings column -> value
    title : heading; None says what is shown

    Returns
    -------
    CourseFigure

    Raises
    ------
    FileNotFoundError : no such file; the message says how to make it
    ValueError : a table without rows, or without one of the columns that are drawn
    """
    rows = [row for row in _read(table) if row["setting"] != "tuned"]
    rows = [row for row in rows if _of_the_course(row)] or rows
    columns = list(dict.fromkeys(_column(row) for row in sorted(rows, key=lambda row: row["data"] == "scenes")))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    numbers = np.array([[_mean(rows, method, column) for column in columns] for method in methods])
    order = np.argsort(-_worst(numbers, columns), kind="stable")
    family = {row["method"]: row["family"] for row in rows}
    names = [_title(methods[i]) + " (control)" * (family[methods[i]] == "control") for i in order]
    used = {(_column(row), row["model"]) for row in rows if row["data"] != "scenes"}
    counts = sorted({sum(column == one for one, _ in used) for column in {one for one, _ in used}}) or [0]
    networks = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    label = (
        f"share of the map where, and with the sign with which, the answer changes; patients: {networks} "
        f"network{'s' * (counts[-1] > 1)} a cause; scenes: one. Sorted by the worst cause."
    )
    heading = title or "Which maps show what changes the answer?"
    figure = plot_matrix(numbers[order], names, columns, title=heading, label=label, write=percent)
    figure.alt = _in_words(numbers[order], names, columns)
    return figure


def _read(table: str | Path | Iterable[Mapping[str, Any]]) -> list[dict]:
    """Return the rows of a file or of what was read from it, their scores as numbers, NaN where there is none."""
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
    return [dict(one) | {"misplaced": float(one["misplaced"] or "nan")} for one in records]


def _of_the_course(row: dict) -> bool:
    return row["model"] != "published" and row.get("architecture", "ECGNet") in ("ECGNet", "AlexNet")


def _column(row: dict) -> str:
    return "scenes" if row["data"] == "scenes" else row["cause"]


def _mean(rows: list[dict], method: str, column: str) -> float:
    """Return a cell: the mean over the networks that have a number."""
    found = [1 - row["misplaced"] for row in rows if row["method"] == method and _column(row) == column]
    known = [value for value in found if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _worst(numbers: np.ndarray, columns: list[str]) -> np.ndarray:
    """Return what sorts the methods: the worst of the causes in patients, or the scenes where there are no patients."""
    patients = [i for i, column in enumerate(columns) if column != "scenes"]
    return np.nan_to_num(numbers[:, patients or [0]], nan=-np.inf).min(1)


def _in_words(numbers: np.ndarray, names: list[str], columns: list[str]) -> str:
    """Return the alternative text: the first method of each column, and the first control."""
    facts = []
    for j, column in enumerate(columns):
        known = [i for i in range(len(names)) if np.isfinite(numbers[i, j])]
        if not known:
            continue
        best = max(known, key=lambda i: numbers[i, j])
        controls = [i for i in known if names[i].endswith("(control)")]
        beside = ""
        if controls:
            control = max(controls, key=lambda i: numbers[i, j])
            beside = f", best control {names[control].removesuffix(' (control)')} {percent(numbers[control, j])}"
        facts.append(f"{column}: most {names[best]}, {percent(numbers[best, j])}{beside}")
    return f"Agreement with interventions, {len(names)} methods; {'; '.join(facts)}."


def _title(name: str) -> str:
    """Return a method's title; the name itself where the table knows a method that this version does not."""
    from leadwise.attribution import METHODS  # imported here, for captum imports pyplot and plotting does without it

    return METHODS[name].title if name in METHODS else name
