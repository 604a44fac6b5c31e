"""One row a record, in Parquet files, for one's own analysis."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from leadwise.cohort.checkpoint import Place
from leadwise.cohort.engine import EXTRA
from leadwise.cohort.moments import CheckpointError, check_settings
from leadwise.cohort.summary import axes_of
from leadwise.ecg.leads import LEADS


class Rows:
    """A folder with one Parquet file for each batch; a batch that is run twice replaces its file.

    Parameters
    ----------
    place : the folder, or an fsspec address
    settings : of the run; a folder of another run is refused

    Raises
    ------
    CheckpointError : the folder holds the rows of another run
    ImportError : pyarrow is not installed
    """

    def __init__(self, place: str | Path, settings: dict):
        pyarrow()
        self.store, self.leads = Place(place), settings.get("leads", LEADS)
        if "_manifest.json" in self.store.names():
            held = json.loads(self.store.read("_manifest.json"))
            check_settings(settings, held["settings"], f"{place} holds the rows of another run")
        elif found := self.store.names():
            raise CheckpointError(f"{place} holds {found[0]!r} and no _manifest.json; choose an empty folder.")
        else:
            self.store.write("_manifest.json", json.dumps({"settings": settings}).encode())
        self.there = set(self.store.names())

    def has(self, number: int) -> bool:
        """Say whether the rows of a batch were there at the start."""
        return _part(number) in self.there

    def write(self, number: int, rows: Sequence[dict]) -> None:
        """Write the rows of a batch."""
        arrow = pyarrow()
        sink = arrow.BufferOutputStream()
        table = [flat(row, self.leads) for row in rows]
        arrow.parquet.write_table(arrow.Table.from_pylist(table, _schema(arrow, rows, table)), sink)
        self.store.write(_part(number), sink.getvalue().to_pybytes())


def read_rows(place: str | Path):
    """Return the rows of a run as a ``pyarrow.Table``, in the order of the records.

    Columns: ``name``; ``left_out``, the reason, or null; the group columns, several values joined by "; "; and every
    number of the record, such as ``probability``, ``agreement``, ``wave_share_QRS``, ``lead_share_V1``,
    ``share_V1_QRS``. ``read_rows(place).to_pandas()`` makes a pandas table of it.

    Raises
    ------
    FileNotFoundError : no rows there
    """
    arrow = pyarrow()
    store = Place(place)
    parts = [name for name in store.names() if name.startswith("part-")]
    if not parts:
        raise FileNotFoundError(f"{place} holds no rows: there is no part-*.parquet.")
    tables = [arrow.parquet.read_table(arrow.BufferReader(store.read(name))) for name in parts]
    return arrow.concat_tables(tables, promote_options="default")


def _part(number: int) -> str:
    return f"part-{number:08d}.parquet"


def flat(row: dict, leads: Sequence[str] = LEADS) -> dict:
    """Return a row with one number a column."""
    groups = {column: "; ".join(values) for column, values in row["groups"].items()}
    found = {"name": row["name"], "left_out": row["left_out"], **groups}
    for name, value in row["values"].items():
        for where in np.ndindex(value.shape):
            labels = [axis[i] for axis, i in zip(axes_of(name, leads), where, strict=True)]
            found["_".join([name, *labels])] = float(value[where])
    return found


def _schema(arrow, rows: Iterable[dict], table: Iterable[dict]):
    """Return the types of the columns: texts, and numbers."""
    columns: dict[str, object] = {}
    for row, names in zip(rows, table, strict=True):
        texts = {"name", "left_out", *row["groups"]}
        columns |= {name: arrow.string() if name in texts else arrow.float64() for name in names}
    return arrow.schema(list(columns.items()))


def pyarrow():
    """Return the module ``pyarrow``, or say how to get it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(f"Parquet files take pyarrow, which is not installed: {EXTRA}.", name="pyarrow") from error
    return pyarrow
