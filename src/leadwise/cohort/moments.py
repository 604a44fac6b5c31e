"""Means, spreads and intervals of many records in constant memory, to be saved and merged; in all and by group."""

import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit
from torch import Tensor

from leadwise.cohort.summary import BEFORE
from leadwise.ecg.filters import PUBLISHED_FS
from leadwise.ecg.leads import LEADS
from leadwise.maps import to_numpy
from leadwise.paths import whole_file
from leadwise.plotting.sheet import CourseFigure
from leadwise.semantics.beats import BeatAverage
from leadwise.semantics.tables import WAVES, RelevanceTable

REASONS = 1000  # so many of the records that were left out are remembered by name
COMPLAINTS = 20  # so many different complaints of a method are remembered


class CheckpointError(ValueError):
    """A checkpoint is damaged, or belongs to another run; the message says which and what to do."""


@dataclass
class Moments:
    """Mean and sum of squared deviations of arrays of one shape."""

    count: int
    mean: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "Moments":
        """Return the moments of values (n, ...), n of them."""
        mean = values.mean(0)
        return cls(len(values), mean, ((values - mean) ** 2).sum(0))

    def merged(self, other: "Moments") -> "Moments":
        """Return the moments of both samples (Chan, Golub, LeVeque, Am Stat 37 (1983) 242-247)."""
        count, away = self.count + other.count, other.mean - self.mean
        mean = self.mean + away * (other.count / count)
        return Moments(count, mean, self.squares + other.squares + away**2 * (self.count * other.count / count))

    @property
    def spread(self) -> np.ndarray:
        """Standard deviation (n - 1); NaN for a single record."""
        return np.sqrt(self.squares / (self.count - 1)) if self.count > 1 else np.full_like(self.mean, np.nan)


@dataclass
class Cohort:
    """Means, spreads and intervals of named arrays over many records; what it holds does not grow with them.

    Parameters
    ----------
    settings : what made the numbers, as JSON can hold it; only cohorts with the same settings are merged or resumed
    moments : name -> moments
    records : records that have been counted
    left_out : records that could not be counted
    reasons : why, "name: reason", for the first ``REASONS`` of these
    complaints : what the method said about its own maps -> how many batches it said so of
    groups : column -> value -> the cohort of the records that have this value, such as ``groups["sex"]["female"]``
    order : hash of the names of the records in their order; a resumed run compares it

    Examples
    --------
    >>> cohort = Cohort.of([{"probability": p} for p in (0.1, 0.2, 0.6)])
    >>> float(cohort.mean("probability").round(3)), cohort.records
    (0.3, 3)
    """

    settings: dict = field(default_factory=dict)
    moments: dict[str, Moments] = field(default_factory=dict)
    records: int = 0
    left_out: int = 0
    reasons: list[str] = field(default_factory=list)
    complaints: dict[str, int] = field(default_factory=dict)
    groups: dict[str, dict[str, "Cohort"]] = field(default_factory=dict)
    order: str = ""

    def __repr__(self):
        return f"Cohort({self.records} records, {self.left_out} left out; {', '.join(self.moments) or 'empty'})"

    @property
    def seen(self) -> int:
        """Records looked at, counted or left out."""
        return self.records + self.left_out

    @property
    def leads(self) -> tuple[str, ...]:
        """What the rows of its tables are: the network's leads."""
        return tuple(self.settings.get("leads", LEADS))

    @classmethod
    def of(cls, rows: Iterable[Mapping], reasons: Sequence[str] = (), settings: dict | None = None) -> "Cohort":
        """Return the cohort of some records, all at once.

        Parameters
        ----------
        rows : for each record, name -> number, array or tensor, of one shape for each name. A record may lack a name:
            every name has a count of its own
        reasons : why others were left out, one each
        settings : what made the numbers

        Raises
        ------
        ValueError : a value that is not finite, or shapes that differ
        """
        columns: dict[str, list[np.ndarray]] = {}
        rows = list(rows)
        for row in rows:
            for name, value in row.items():
                columns.setdefault(name, []).append(_checked(name, value, columns))
        moments = {name: Moments.of(np.stack(values)) for name, values in columns.items()}
        return cls(dict(settings or {}), moments, len(rows), len(reasons), list(reasons)[:REASONS])

    def update(self, **values: Tensor | ArrayLike) -> None:
        """Count one record more; values as in :meth:`of`.

        Raises
        ------
        ValueError : a value that is not finite, or of another shape than before; the cohort stays as it was
        """
        merged = self.merge(Cohort.of([values], settings=self.settings))
        self.moments, self.records = merged.moments, merged.records

    def leave_out(self, reason: str) -> None:
        """Count a record that has nothing to add, and remember why."""
        self.left_out += 1
        self.reasons = [*self.reasons, reason][:REASONS]

    def count(self, name: str) -> int:
        """Return the number of records that had this name."""
        return self._of(name).count

    def mean(self, name: str) -> np.ndarray:
        """Return the mean over records."""
        return self._of(name).mean

    def spread(self, name: str) -> np.ndarray:
        """Return the standard deviation over records (n - 1); NaN for a single one."""
        return self._of(name).spread

    def interval(self, name: str, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Return lower and upper end of Student's interval of the mean, mean ± t s / √n; NaN for a single record.

        It treats records as independent, and each number of an array by itself.
        """
        found = self._of(name)
        half = stdtrit(max(found.count - 1, 1), (1 + level) / 2) * found.spread / np.sqrt(found.count)
        return found.mean - half, found.mean + half

    def table(self) -> RelevanceTable:
        """Return the mean lead x wave matrix. Each record weighs the same: its map is divided by its Σ|R|."""
        return RelevanceTable((self.leads, WAVES), self.mean("positive"), self.mean("negative"), self.mean("area"))

    def plot(self, sign: str = "positive", *, lift: bool = False, title: str | None = None) -> CourseFigure:
        """Draw the mean lead x wave matrix, see :meth:`RelevanceTable.plot`."""
        title = title or f"Mean of {self.records} records"
        return self.table().plot(sign, lift=lift, title=title)

    def beat(self, fs: float | None = None) -> BeatAverage:
        """Return the average beat of all records that hold a whole one: mean, and spread over records.

        ``fs`` : Hz; by default the network's
        """
        fs = fs or self.settings.get("fs", PUBLISHED_FS)
        time = np.arange(self.mean("beat").shape[1]) * 1000 / fs - BEFORE * 1000
        beat = self.mean("beat"), self.spread("beat"), self.mean("beat_signal"), self.spread("beat_signal")
        of = "records (each divided by its mean |R|)"
        return BeatAverage(time, *beat, self.count("beat"), (), fs, of, self.leads)

    def merge(self, other: "Cohort") -> "Cohort":
        """Return both cohorts as one, groups included. Up to rounding, the order of records does not matter.

        Raises
        ------
        ValueError : other settings, or arrays of other shapes
        """
        check_settings(self.settings, other.settings, "the cohorts were made with different settings")
        moments = {**self.moments, **other.moments}
        for name in self.moments.keys() & other.moments.keys():
            mine, theirs = self.moments[name], other.moments[name]
            if mine.mean.shape != theirs.mean.shape:
                raise ValueError(
                    f"{name} has shape {theirs.mean.shape}; expected finite values of shape {mine.mean.shape}."
                )
            moments[name] = mine.merged(theirs)
        said = list(self.complaints | other.complaints)[:COMPLAINTS]
        complaints = {text: self.complaints.get(text, 0) + other.complaints.get(text, 0) for text in said}
        return Cohort(
            self.settings, moments, self.records + other.records, self.left_out + other.left_out,
            [*self.reasons, *other.reasons][:REASONS], complaints, _merged_groups(self.groups, other.groups),
            order_of([self.order, other.order]) if self.order or other.order else "",
        )  # fmt: skip

    def save(self, path: str | Path) -> Path:
        """Write the cohort to one file, complete or not at all; return its path."""
        path = Path(path)
        with whole_file(path) as part, part.open("wb") as file:
            file.write(self.to_bytes())
            file.flush()
            os.fsync(file.fileno())
        return path

    @classmethod
    def load(cls, path: str | Path) -> "Cohort":
        """Read a cohort back, to the last bit.

        Raises
        ------
        FileNotFoundError : no such file
        CheckpointError : the file is damaged or something else
        """
        return cls.from_bytes(Path(path).read_bytes(), path)

    def to_bytes(self) -> bytes:
        """Return the cohort as the bytes of an .npz file: a header in JSON, and all its numbers in one row."""
        header, numbers = _described(self)
        buffer = io.BytesIO()
        np.savez(buffer, header=np.array(json.dumps(header)), numbers=np.concatenate([np.zeros(0), *numbers]))
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, name: str | Path = "the data") -> "Cohort":
        """Read a cohort from :meth:`to_bytes`; ``name`` is what the message of a CheckpointError calls it."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                header, numbers = json.loads(str(file["header"])), file["numbers"]
            cohort, rest = _restored(header, numbers)
            if len(rest):
                raise ValueError(f"{len(rest)} numbers too many")
            return cohort
        except Exception as error:  # zipfile, json and numpy each have errors of their own for a damaged file
            raise CheckpointError(f"{name} is no cohort ({error}). Delete it and start the run again.") from error

    def _of(self, name: str) -> Moments:
        if name not in self.moments:
            raise KeyError(f"no {name!r} in this cohort; it has {', '.join(self.moments) or 'nothing yet'}")
        return self.moments[name]


def check_settings(ours: dict, theirs: dict, what: str) -> None:
    """Raise CheckpointError that names the settings that differ."""
    differ = [f"{k}: {ours.get(k)!r} and {theirs.get(k)!r}" for k in {**ours, **theirs} if ours.get(k) != theirs.get(k)]
    if differ:
        raise CheckpointError(f"{what} ({'; '.join(differ)}). Use another place for another run.")


def order_of(names: Iterable[str]) -> str:
    """Return the hash of some names in their order."""
    return hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _checked(name: str, value: Tensor | ArrayLike, columns: Mapping[str, list[np.ndarray]]) -> np.ndarray:
    """Return a value as float64, if it is finite and has the shape of those before it."""
    value = np.asarray(to_numpy(value), float)
    shape = columns[name][0].shape if columns.get(name) else value.shape
    if value.shape != shape or not np.isfinite(value).all():
        raise ValueError(
            f"{name} has shape {value.shape}, {np.isfinite(value).sum()} of {value.size} values finite; "
            f"expected finite values of shape {shape}."
        )
    return value


def _merged_groups(ours: dict, theirs: dict) -> dict:
    """Merge what is grouped, value by value; a value that one side lacks comes from the other."""
    merged: dict[str, dict[str, Cohort]] = {}
    for column in ours | theirs:
        one, other = ours.get(column, {}), theirs.get(column, {})
        merged[column] = {
            value: one[value].merge(other[value]) if value in one and value in other else (one | other)[value]
            for value in sorted(one | other)
        }
    return merged


def _described(cohort: Cohort) -> tuple[dict, list[np.ndarray]]:
    """Return a cohort as what JSON can hold and its numbers, means and squares one after the other."""
    names = {name: [found.count, *found.mean.shape] for name, found in cohort.moments.items()}
    header = {
        key: getattr(cohort, key) for key in ("settings", "records", "left_out", "reasons", "complaints", "order")
    }
    numbers = [part.ravel() for found in cohort.moments.values() for part in (found.mean, found.squares)]
    groups = []
    for column, values in cohort.groups.items():
        for value, group in values.items():
            inner, more = _described(group)
            groups.append([column, value, inner])
            numbers += more
    return header | {"names": names, "groups": groups}, numbers


def _restored(header: dict, numbers: np.ndarray) -> tuple[Cohort, np.ndarray]:
    """Return the cohort that a header describes, and the numbers that are left after it."""
    cohort = Cohort(**{key: value for key, value in header.items() if key not in ("names", "groups")})
    for name, (count, *shape) in header["names"].items():
        size = prod(shape)
        mean, squares, numbers = numbers[:size], numbers[size : 2 * size], numbers[2 * size :]
        cohort.moments[name] = Moments(count, mean.reshape(shape), squares.reshape(shape))
    for column, value, inner in header["groups"]:
        group, numbers = _restored(inner, numbers)
        cohort.groups.setdefault(column, {})[value] = group
    return cohort, numbers
