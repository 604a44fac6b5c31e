"""What a cohort is made of: recordings by name, with the columns of the table that lies beside them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leadwise.ecg.record import ECG
from leadwise.recordings.assemble import doubts_about
from leadwise.recordings.catalogue import load_record
from leadwise.recordings.reading import read_and_tell

Source = ECG | str | Path | Callable[[], ECG]

UNKNOWN = "unknown"
"""The group of records whose column is empty."""


@dataclass(frozen=True)
class Record:
    """One recording of a cohort, not opened yet: what travels to a worker.

    Parameters
    ----------
    source : a path, a name for :func:`~leadwise.load_record`, a function that returns a recording, or a recording
    name : what to call it where it is left out, and in the table of results; "" where only the recording knows
    groups : column -> the groups that it belongs to, mostly one
    """

    source: Source
    name: str
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def open(self) -> tuple[ECG, list[str]]:
        """Return the recording and what is doubtful about it.

        Raises
        ------
        ValueError, OSError : it cannot be opened, or is none
        """
        if isinstance(self.source, Path):
            return read_and_tell(self.source)
        source = self.source
        if hasattr(source, "open") and not isinstance(source, str):  # a record that knows its own doubts
            return source.open()
        ecg = load_record(source) if isinstance(source, str) else source if isinstance(source, ECG) else source()
        if not isinstance(ecg, ECG):
            raise ValueError(f"the function gives a {type(ecg).__name__}; expected an ECG.")
        return ecg, doubts_about(ecg.signal, ecg.fs)


@dataclass
class Records:
    """The records of a data set in order, and what the table beside them says.

    Parameters
    ----------
    sources : paths, names, or functions that return a recording
    names : one each
    columns : column -> one value each: a text, a tuple of several (labels), or None where the table says nothing
    title : of the data set

    Raises
    ------
    ValueError : names or columns of another length

    Examples
    --------
    >>> records = Records([Path("a"), Path("b")], ["a", "b"], {"sex": ["female", "male"]})
    >>> records.where(sex="male").names, len(records)
    (['b'], 2)
    """

    sources: Sequence[Source]
    names: list[str]
    columns: dict[str, list] = field(default_factory=dict)
    title: str = ""

    def __post_init__(self):
        for name, column in {"names": self.names, **self.columns}.items():
            if len(column) != len(self.sources):
                raise ValueError(f"{name} has {len(column)} values; expected {len(self.sources)}, one for each record.")

    def __len__(self):
        return len(self.sources)

    def __repr__(self):
        return f"Records({self.title or 'untitled'}: {len(self)} records; columns {', '.join(self.columns) or 'none'})"

    def where(self, **wanted: object) -> "Records":
        """Return the records whose columns have the wanted values, ``where(sex="female", label="LBBB")``.

        Raises
        ------
        ValueError : no such column
        """
        columns = [(self.column(name), value) for name, value in wanted.items()]
        return self._at([i for i in range(len(self)) if all(value in groups_in(col[i]) for col, value in columns)])

    def first(self, count: int) -> "Records":
        """Return the first so many records."""
        return self._at(range(min(count, len(self))))

    def one_of_each(self, column: str) -> "Records":
        """Return the first record of each value of a column: of each ``patient``, so that records are independent."""
        seen: dict = {}
        for i, value in enumerate(self.column(column)):
            seen.setdefault(value, i)
        return self._at(seen.values())

    def column(self, name: str) -> list:
        """Return a column; a ValueError names those there are."""
        if name not in self.columns:
            raise ValueError(f"no column {name!r}; the table has {', '.join(self.columns) or 'none'}.")
        return self.columns[name]

    def _at(self, which: Iterable[int]) -> "Records":
        which = list(which)
        columns = {name: [column[i] for i in which] for name, column in self.columns.items()}
        return Records([self.sources[i] for i in which], [self.names[i] for i in which], columns, self.title)


def groups_in(value: object) -> tuple[str, ...]:
    """Return the groups that a value of a column names: (UNKNOWN,) where it is empty."""
    if value is None or value == "" or value == ():
        return (UNKNOWN,)
    return tuple(map(str, value)) if isinstance(value, (tuple, list)) else (str(value),)


def as_records(
    records: "Records | Iterable[Source]", groups: Sequence[str] | Mapping[str, Sequence] = ()
) -> Iterator[Record]:
    """Yield each record with its groups.

    Parameters
    ----------
    records : a data set, or any iterable of sources
    groups : names of the data set's columns, or column -> one value for each record

    Raises
    ------
    ValueError : a column that is not there, or that ends before the records
    """
    names: Iterable[str | None]
    sources: Iterable[Source]
    if isinstance(records, Records):
        sources, names = records.sources, records.names
        columns = dict(groups) if isinstance(groups, Mapping) else {name: records.column(name) for name in groups}
    else:
        if not isinstance(groups, Mapping) and groups:
            raise ValueError("groups names columns, but the records have no table; give groups={'sex': [...]}.")
        sources, columns = records, dict(groups) if isinstance(groups, Mapping) else {}
        names = iter(lambda: None, 0)  # without end
    for number, (source, name) in enumerate(zip(sources, names, strict=False)):
        if any(number >= len(column) for column in columns.values()):
            raise ValueError(f"groups ends after {number} values; expected one for each record.")
        own = {column: groups_in(values[number]) for column, values in columns.items()}
        yield Record(source, name or name_of(source), own)


def name_of(source: Source) -> str:
    """Return what to call a source: its path or name; "" for a function, which has none."""
    if isinstance(source, (str, Path)):
        return str(source)
    return source.record_id if isinstance(source, ECG) else ""
