"""Tables of numbers as recordings: columns or rows are channels, a column of times gives the rate.

:mod:`leadwise.recordings.text_table` finds out how the text is written; what the numbers mean is found here.
"""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from leadwise.recordings.arrays import rows_are_channels
from leadwise.recordings.labels import factor_of, lead_name, unit_in
from leadwise.recordings.recording import Channel, RecordError, Recording, border
from leadwise.recordings.text_table import Table, TableError, is_ramp, read_table

TIME_NAMES = {"time", "t", "zeit", "seconds", "sec", "s", "milliseconds", "ms", "timestamp", "time_s", "time_ms"}
INDEX_NAMES = {"", "index", "sample", "samples", "sample_no", "n", "unnamed: 0", "#", "nr"}


def read(path: Path, count: int | None) -> Recording:
    """Return the channels of a table, without rate and unit where the text does not state them."""
    with border(f"{path.name} cannot be read as a table"):
        try:
            table = read_table(path)
        except TableError as error:
            raise RecordError(f"{path.name} cannot be read as a table: {error}.") from error
    notes = [f"{table.empty} empty cells are invalid samples (NaN)."] if table.empty else []
    if table.names and not any(map(lead_name, table.names)) and len(table.names) > 64:
        notes.append("Dropped a column of text on the left.")
        table.names = None
    values, labels, units = _columns(table, count, path.name)
    channels = [
        Channel(label, row, unit or table.stated.get("unit"))
        for label, row, unit in zip(labels, values, units, strict=True)
    ]
    notes += table.notes
    fs = table.stated.get("fs")
    channels, step = _take_time(channels, path.name, notes)
    return Recording([replace(channel, fs=fs or step) for channel in channels], path.stem, notes)


def _columns(table: Table, count: int | None, source: str) -> tuple[np.ndarray, list[str | None], list[str | None]]:
    """Return a table's channels as rows, with their names and units where the text gives them."""
    if table.names:
        labels, values = table.names, table.values
    elif table.head:
        row = max(table.head, key=lambda row: (sum(lead_name(cell) is not None for cell in row), len(set(row))))
        labels, values = row, table.values.T
        below = table.head[-1] if table.head[-1] is not row else [""] * len(row)
        units = [
            unit_in(label) or (cell.strip("()[] ") if factor_of(cell.strip("()[] ")) else None)
            for label, cell in zip(row, below, strict=True)
        ]
        return values, labels, units
    else:
        values = table.values
        time = values.shape[0] > values.shape[1] and is_ramp(values[:, 0])
        if count is not None and time and count == values.shape[1] - 1:
            count += 1
        values = rows_are_channels(values, count, source)
        labels = [None] * len(values)
    return values, labels, [unit_in(label) for label in labels]


def _take_time(channels: list[Channel], source: str, notes: list[str]) -> tuple[list[Channel], float | None]:
    """Take a column of times or sample numbers out of the channels; return the rest and the rate it shows, or None."""
    first = channels[0]
    label = re.sub(r"[\s(\[/_]*(m?s|sec|seconds)[)\]]?$", "", (first.name or "").strip().casefold()) or first.name
    label = (label or "").casefold()
    is_time, is_index = label in TIME_NAMES, first.name is None or label in INDEX_NAMES
    if not (is_time or (is_index and is_ramp(first.samples))):
        return channels, None
    if len(channels) == 1:
        raise RecordError(f"{source} holds a column of times and nothing else.")
    return channels[1:], _rate_of(first, is_time, source, notes)


def _rate_of(time: Channel, is_time: bool, source: str, notes: list[str]) -> float | None:
    """Return the rate that a column of times shows, Hz; None where it counts samples or does not say in what unit."""
    values = time.samples
    if len(values) < 2 or not np.isfinite(values).all() or values[-1] <= values[0]:
        raise RecordError(f"the column of times in {source} does not rise, or has empty cells; repair or remove it.")
    steps = np.diff(values)
    usual = float(np.median(steps))
    off = np.abs(steps - usual)
    if off.max() > 0.6 * usual:  # a row that is missing makes a step twice as long; rounding, half as long again
        row = int(np.argmax(off))
        raise RecordError(
            f"the times in {source} are not evenly spaced: after {values[row]:g} (sample {row}) comes "
            f"{values[row + 1]:g}. Cut out a continuous piece, or remove the column and give fs."
        )
    step = (values[-1] - values[0]) / len(steps)
    said = re.search(r"(ms|milli)", time.name or "", re.I)
    seconds = step / 1000 if said else step
    if not is_time or (not said and step > 0.05):  # whole numbers, or milliseconds: 20 Hz is too slow for an ECG
        notes.append(
            "Dropped a column that counts samples." if step == 1 else "Dropped a column of times of unknown unit."
        )
        return None
    rate = 1 / seconds
    return float(round(rate)) if abs(rate - round(rate)) < 0.001 * rate else rate
