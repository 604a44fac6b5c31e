"""Read a table of numbers from a text file (CSV and its relatives) without being told how it was written.

Found out: the encoding, the delimiter, the decimal sign, the thousands separator, the rows above the numbers, whether
the channels are columns or rows. Nothing is guessed in silence: a cell that is no number is named with its line, lines
of unequal length are an error, and what can be read in two ways is refused or asked for.
"""

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from leadwise.recordings.labels import lead_name

# (delimiter, decimal sign), in the order of preference among those that explain the file equally well. None: blanks.
WAYS = ((";", ","), (";", "."), ("\t", "."), ("\t", ","), ("|", "."), (",", "."), (None, "."), (None, ","), (",", ","))
EMPTY = {"", "nan", "na", "n/a", "null", "none", "-", "--"}
UNAVAILABLE = {"#n/a", "#nv"}  # what spreadsheets write for "not available"; "#DIV/0!" is an error, and no number
COMMENT = ("#", "%", "//")
LONGEST_STATEMENT = 500  # characters of a line that patterns look at
SAMPLE = 60  # lines looked at to find the delimiter
# "# fs: 500 Hz", "Sampling rate = 500", "Abtastrate;500"
_RATE = re.compile(r"(?:\bfs\b|sampl\w*[ _-]?(?:rate|freq\w*)|abtastrate)", re.I)
_RESAMPLED = re.compile(r"\b(?:re|down|up)sampled to\b", re.I)  # the rate that follows is the file's
_HERTZ = re.compile(r"(?<![\w.,])([-+]?\d[\d.,]*(?:e[-+]?\d+)?)(?:\s*(k?hz)\b)?", re.I)
_UNIT = re.compile(r"\bunits?\b\W*([munµμ]?v)\b", re.I)
MANY = 100  # cells that look like thousands: with fewer, they may be decimals that happen to have three digits


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
    stated : "fs" (Hz) and "unit" as lines above the numbers say them, where they say one thing
    empty : number of empty cells
    notes : how the text was understood where that is not plain
    """

    values: np.ndarray
    head: list[list[str]] = field(default_factory=list)
    names: list[str] | None = None
    stated: dict = field(default_factory=dict)
    empty: int = 0
    notes: list[str] = field(default_factory=list)


def read_table(path: Path) -> Table:
    """Read the table of numbers that a text file holds.

    Raises
    ------
    TableError : binary data, no numbers, lines of unequal length, text among the numbers, a head that is longer or
        shorter than the lines so that names may be shifted, thousands separators that may be decimal signs
    """
    lines = [(number, line) for number, line in enumerate(_text(path).splitlines(), 1) if line.strip()]
    if not any(not line.lstrip().startswith(COMMENT) for _, line in lines):
        raise TableError("the file is empty")
    way = max(WAYS, key=lambda way: _merit(_sample([line for _, line in lines]), way))
    rows = [(number, _cells(line, way[0])) for number, line in lines]
    first = _first_row(lines, rows, way[1])
    above = [row for row, (_, line) in zip(rows[:first], lines, strict=False) if not line.lstrip().startswith(COMMENT)]
    rows = rows[first:]
    named = not _is_number(rows[0][1][0], way[1]) and all(
        not _is_number(row[0], way[1], UNAVAILABLE) for _, row in rows
    )
    columns = len(rows[0][1])
    _check_widths(rows, columns, [cells for _, cells in above], way)
    _check_head(above, columns, way[1])
    notes = _take_out_thousands(rows, way, named)
    if _counts([_number(cell, way[1]) for cell in rows[0][1]]) and len(rows) > 1:
        rows = rows[1:]  # columns that are named 0, 1, 2 ...
    values, empty = _numbers(rows, way[1], skip=int(named))
    ends = next((i for i in range(columns) if any(cells[-1 - i] for _, cells in rows)), 0)
    width = values.shape[1]
    values, head = _with_heads(values, [cells for _, cells in above], named, width - ends)
    empty -= len(values) * (width - values.shape[1])
    stated = _stated([line for _, line in lines[:first]])
    return Table(values, head, [cells[0] for _, cells in rows] if named else None, stated, empty, notes)


def _sample(lines: list[str]) -> list[str]:
    """Return lines from the beginning and from throughout the file, by which its delimiter is found."""
    rest = lines[SAMPLE // 2 :]
    return lines[: SAMPLE // 2] + rest[:: max(1, len(rest) // (SAMPLE // 2))]


def _first_row(lines: list[tuple[int, str]], rows: list[tuple[int, list[str]]], decimal: str) -> int:
    """Return where the numbers begin: a comment has fewer cells than they, and "Sampling rate;500" states something."""
    width = (
        max(len(cells) for _, cells in rows if _numeric(cells, decimal))
        if any(_numeric(cells, decimal) for _, cells in rows)
        else 0
    )
    for at, ((_, line), (_, cells)) in enumerate(zip(lines, rows, strict=True)):
        comment = line.lstrip().startswith(COMMENT)
        states = len(cells) == 2 < width and _RATE.search(cells[0][:LONGEST_STATEMENT])
        if _numeric(cells, decimal) and not states and (not comment or len(cells) == width > 2):
            return at
    raise TableError(f"no line of it is a row of numbers; it starts with {lines[0][1].strip()[:60]!r}")


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


def _stated(lines: list[str]) -> dict:
    """Return what lines above the numbers say about rate and unit; nothing where they may mean two things."""
    lines = [line[:LONGEST_STATEMENT] for line in lines]
    now = {rate for line in lines for rate in _rates(line, _RESAMPLED)}
    rates = now or {rate for line in lines for rate in _rates(line, _RATE)}
    units = {match[1].casefold(): match[1] for line in lines for match in _UNIT.finditer(line)}
    stated: dict = {"fs": next(iter(rates)) if len(rates) == 1 else None}
    stated["unit"] = next(iter(units.values())) if len(units) == 1 else None
    return {key: value for key, value in stated.items() if value is not None}


def _rates(line: str, key: re.Pattern) -> set[float]:
    """Return every rate, Hz, that a line may mean: the number after the key alone, where no other is in Hz."""
    match = key.search(line)
    if match is None:
        return set()
    found = list(_HERTZ.finditer(line))
    after = [number for number in found if number.start() >= match.end()]
    in_hertz = [number for number in found if number[2]]
    if key is _RESAMPLED or (after and in_hertz == after[:1]):
        found = after[:1]
    return {
        rate * (1000 if "k" in (number[2] or "").casefold() else 1) for number in found for rate in _readings(number[1])
    }


def _readings(text: str) -> set[float]:
    """Return what a number may mean: "1,000" is one, or a thousand."""
    text = text.rstrip(".,")
    readings = {text.replace(",", "."), re.sub(r"[.,](?=\d{3}(?!\d))", "", text)}
    return {float(reading) for reading in readings if re.fullmatch(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", reading, re.I)}


def _cells(line: str, delimiter: str | None) -> list[str]:
    """Cut a line; one that ends with the delimiter has an empty cell at its end."""
    if delimiter is None:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]


def _number(cell: str, decimal: str, empty=frozenset()) -> float | None:
    """Return a cell as a number, NaN where it is empty, None where it is text."""
    text = cell.strip().strip('"')
    if text.casefold() in EMPTY or text.casefold() in empty:
        return float("nan")
    if decimal == ",":
        text = text.replace(",", ".") if "." not in text else "text"
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def _is_number(cell: str, decimal: str, empty=frozenset()) -> bool:
    return _number(cell, decimal, empty) is not None


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


def _check_head(above: list[tuple[int, list[str]]], columns: int, decimal: str) -> None:
    """Refuse a row above the numbers that is one of them, spoiled by a word."""
    for number, cells in above:
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


def _take_out_thousands(rows: list[tuple[int, list[str]]], way: tuple[str | None, str], named: bool) -> list[str]:
    """Remove thousands separators from rows, and say so; refuse those that may be decimal signs.

    "1,234" beside "999" is 1234: with decimals, "0,999" or "1,5" would be there too.
    """
    sign = re.escape(way[1])
    grouped, plain = re.compile(rf"[-+]?[1-9]\d{{0,2}}(?:{sign}\d{{3}})+"), re.compile(r"[-+]?\d{1,3}")
    count, others, groups = 0, 0, False
    for _, cells in rows:
        for cell in cells[int(named) :]:
            text = cell.strip('"')
            if grouped.fullmatch(text):
                count, groups = count + 1, groups or text.count(way[1]) > 1
            elif plain.fullmatch(text):
                others += 1
            elif text.casefold() not in EMPTY and text.casefold() not in UNAVAILABLE:
                return []  # a decimal, or a whole number of four digits
    if not count or (not others and way == (",", ".")):
        return []
    if not groups and (count < MANY or not others):
        example = next(cell for _, cells in rows for cell in cells[int(named) :] if grouped.fullmatch(cell.strip('"')))
        readings = f"{_number(example, way[1]):g} or {example.replace(way[1], '')}"
        raise TableError(
            f"{example!r} may be {readings}: every {way[1]!r} stands before three digits. Export it without thousands "
            "separators, and decimals with another number of digits"
        )
    for _, cells in rows:
        cells[int(named) :] = [cell.replace(way[1], "") for cell in cells[int(named) :]]
    return [f"{count} numbers have {way[1]!r} as thousands separator."]


def _with_heads(values: np.ndarray, above: list[list[str]], named: bool, columns: int):
    """Return the columns that delimiters at the ends of lines have not made, and the heads of this width.

    A head that names leads and is longer or shorter than the lines is refused where its names may be shifted.
    """
    counted = is_ramp(values[:, 0])
    heads: list = []
    for cells in above:
        names = cells[int(named) :] if named and len(cells) > columns else list(cells)
        while len(names) > columns and not names[-1]:
            names.pop()
        leads = sum(lead_name(name) is not None for name in names)
        if leads and counted and len(names) == columns and lead_name(names[0]):
            raise TableError(f"its head names the first column {names[0]!r}, but it counts: its names may be shifted")
        lacks = len(names) == columns - 1
        if lacks and (named or counted) and not (leads > 1 and counted and names[0] and not lead_name(names[0])):
            names = ["", *names]
        elif leads > 1 and columns < len(names) <= values.shape[1] and counted and not lead_name(names[0]):
            columns = len(names)  # the first column is in its place, so that the last ones are empty
            heads = [[*head, *[""] * (columns - len(head))] for head in heads]
        elif leads > 1 and abs(len(names) - columns) == 1:
            raise TableError(
                f"its head names {len(names)} columns, but its lines have {columns} that are filled, so that its names "
                "may be shifted. Give each column a name, and let neither head nor lines end with a delimiter"
            )
        if len(names) == columns:
            heads.append(names)
    return values[:, :columns], heads


def is_ramp(values: np.ndarray) -> bool:
    """Say whether values rise in equal steps, as times or sample numbers do, and no voltage does; a few may lack."""
    steps = np.diff(values)
    usual = np.median(steps) if len(steps) >= 20 else 0.0
    return bool(usual > 0 and steps.min() >= 0 and np.mean(np.abs(steps - usual) <= 0.6 * usual) >= 0.9)


def _numbers(rows, decimal: str, skip: int) -> tuple[np.ndarray, int]:
    """Return the cells as an array, and how many of them are empty."""
    values = np.empty((len(rows), len(rows[0][1]) - skip))
    for i, (number, cells) in enumerate(rows):
        for j, cell in enumerate(cells[skip:]):
            value = _number(cell, decimal, UNAVAILABLE)
            if value is None:
                raise TableError(f"line {number}, cell {j + 1 + skip} is {cell[:40]!r}, not a number")
            values[i, j] = value
    return values, int(np.isnan(values).sum())
