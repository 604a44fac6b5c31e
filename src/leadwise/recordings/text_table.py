"""Read a table of numbers from a text file (CSV and its relatives) without being told how it was written.

Found out: the encoding, the delimiter, the decimal sign, the rows above the numbers, whether the channels are columns
or rows. Nothing is guessed in silence: a cell that is no number is named with its line, and lines of unequal length are
an error.
"""

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

# (delimiter, decimal sign), in the order of preference among those that explain the file equally well. None: blanks.
WAYS = ((";", ","), (";", "."), ("\t", "."), ("\t", ","), ("|", "."), (",", "."), (None, "."), (None, ","), (",", ","))
EMPTY = {"", "nan", "na", "n/a", "null", "none", "-", "--"}
COMMENT = ("#", "%", "//")
LONGEST_STATEMENT = 500  # characters of a line that patterns look at
SAMPLE = 60  # lines looked at to find the delimiter
# "# fs: 500 Hz", "Sampling rate = 500", "Abtastrate;500"
STATED = {
    "fs": re.compile(r"(?:\bfs\b|sampl\w*[ _-]?(?:rate|freq\w*)|abtastrate)\D{0,12}?(\d+(?:\.\d+)?(?:\s*k?hz)?)", re.I),
    "unit": re.compile(r"\bunits?\b\W*([munµμ]?v)\b", re.I),
}


class TableError(ValueError):
    """The text holds no table of numbers; the message says where it stops making sense."""


@dataclass
class Table:
    """Numbers and what stands around them.

    Parameters
    ----------
    values : ndarray (R, C), NaN where a cell is empty
    head : rows of C texts above the numbers, the nearest last
    names : R texts left of the numbers, or None
    stated : "fs" and "unit" as a line above the numbers says them
    empty : number of empty cells
    """

    values: np.ndarray
    head: list[list[str]] = field(default_factory=list)
    names: list[str] | None = None
    stated: dict[str, str] = field(default_factory=dict)
    empty: int = 0


def read_table(path: Path) -> Table:
    """Read the table of numbers that a text file holds.

    Raises
    ------
    TableError : binary data, no numbers, lines of unequal length, text among the numbers
    """
    lines = [(number, line) for number, line in enumerate(_text(path).splitlines(), 1) if line.strip()]
    stated = _stated([line for _, line in lines[:SAMPLE]])
    lines = [(number, line) for number, line in lines if not line.lstrip().startswith(COMMENT)]
    if not lines:
        raise TableError("the file is empty")
    way = max(WAYS, key=lambda way: _merit([line for _, line in lines[:SAMPLE]], way))
    rows = [(number, _cells(line, way[0])) for number, line in lines]
    first = next((i for i, (_, cells) in enumerate(rows) if _numeric(cells, way[1])), None)
    if first is None:
        raise TableError(f"no line of it is a row of numbers; it starts with {lines[0][1].strip()[:60]!r}")
    named = not _is_number(rows[first][1][0], way[1]) and all(not _is_number(row[0], way[1]) for _, row in rows[first:])
    columns = len(rows[first][1])
    above, rows = [cells for _, cells in rows[:first]], rows[first:]
    _check_widths(rows, columns, above, way)
    _check_head(above, columns, way[1], lines)
    if _counts([_number(cell, way[1]) for cell in rows[0][1]]) and len(rows) > 1:
        rows = rows[1:]  # columns that are named 0, 1, 2 ...
    values, empty = _numbers(rows, way[1], skip=int(named))
    head = [["", *cells][-values.shape[1] :] for cells in above if columns - 1 <= len(cells) <= columns]
    return Table(values, head, [cells[0] for _, cells in rows] if named else None, stated, empty)


def _text(path: Path) -> str:
    raw = path.read_bytes()
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    if b"\0" in raw[:4096]:
        raise TableError("it holds binary data, not text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _stated(lines: list[str]) -> dict[str, str]:
    """Return what lines that are comments or have few numbers say about rate and unit."""
    notes = [
        line[:LONGEST_STATEMENT]
        for line in lines
        if line.lstrip().startswith(COMMENT) or len(re.findall(r"\d+", line)) <= 2
    ]
    found = {key: next(filter(None, map(pattern.search, notes)), None) for key, pattern in STATED.items()}
    return {key: match.group(1) for key, match in found.items() if match}


def _cells(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return line.split()
    cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]
    return cells[:-1] if len(cells) > 1 and not cells[-1] and line.rstrip().endswith(delimiter) else cells


def _number(cell: str, decimal: str) -> float | None:
    """Return a cell as a number, NaN where it is empty, None where it is text."""
    text = cell.strip().strip('"')
    if text.casefold() in EMPTY:
        return float("nan")
    if decimal == ",":
        text = text.replace(",", ".") if "." not in text else "text"
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def _is_number(cell: str, decimal: str) -> bool:
    return _number(cell, decimal) is not None


def _numeric(cells: list[str], decimal: str) -> bool:
    """Say whether a row holds numbers, beside a name on its left at most; a row of empty cells does not count."""
    right = [_number(cell, decimal) for cell in cells[1:]]
    left = _number(cells[0], decimal)
    if None in right:
        return False
    return bool(np.isfinite([value for value in [left, *right] if value is not None]).any())


def _merit(lines: list[str], way: tuple[str | None, str]) -> tuple[int, int]:
    """Count the rows of numbers that have the commonest width, and that width: what a way of reading explains."""
    widths = [len(cells) for cells in (_cells(line, way[0]) for line in lines) if _numeric(cells, way[1])]
    widths = [width for width in widths if width > 1] or widths
    commonest = max(set(widths), key=widths.count, default=0)
    return (widths.count(commonest) * (commonest > 1), commonest)


def _counts(row: list[float | None]) -> bool:
    """Say whether a row counts its columns, 0, 1, 2 ..., as pandas writes it, with or without a blank in front."""
    body = row[1:] if row[0] is None or np.isnan(row[0]) else row
    return len(body) > 1 and body == [float(i) for i in range(len(body))]


def _check_head(above: list[list[str]], columns: int, decimal: str, lines: list[tuple[int, str]]) -> None:
    """Refuse a row above the numbers that is one of them, spoiled by a word."""
    for (number, _), cells in zip(lines, above, strict=False):
        numbers = [_number(cell, decimal) for cell in cells]
        if (
            len(cells) == columns > 2
            and sum(value is not None and not np.isnan(value) for value in numbers) > columns / 2
        ):
            text = next(cell for cell, value in zip(cells, numbers, strict=True) if value is None)
            raise TableError(f"line {number} holds {text[:40]!r} among numbers")


def _check_widths(rows, columns: int, head: list[list[str]], way: tuple[str | None, str]) -> None:
    for number, cells in rows:
        if len(cells) != columns:
            raise TableError(f"line {number} has {len(cells)} cells, the lines above it {columns}")
    named = max((len(cells) for cells in head), default=columns)
    if way[0] == "," and named > 1 and columns in (2 * named, 2 * named - 1):
        raise TableError(
            f"its head names {named} columns, but its lines have {columns} cells: the decimal signs are commas, "
            "like the delimiters. Export it with semicolons between the cells, or with decimal points"
        )


def _numbers(rows, decimal: str, skip: int) -> tuple[np.ndarray, int]:
    """Return the cells as an array, and how many of them are empty."""
    values = np.empty((len(rows), len(rows[0][1]) - skip))
    for i, (number, cells) in enumerate(rows):
        for j, cell in enumerate(cells[skip:]):
            value = _number(cell, decimal)
            if value is None:
                raise TableError(f"line {number}, cell {j + 1 + skip} is {cell[:40]!r}, not a number")
            values[i, j] = value
    return values, int(np.isnan(values).sum())
