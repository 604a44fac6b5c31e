"""NumPy files as recordings: one array, or an archive that may also say leads, unit and sampling rate.

Each array's header is looked at before anything of the size that it claims is allocated. Pickled objects, which could
run any code, are never loaded.
"""

import math
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from leadwise.recordings.labels import as_number, lead_name
from leadwise.recordings.recording import Channel, RecordError, Recording, border, check_size, some

SIGNAL_KEYS = ("signal", "signals", "ecg", "data", "x", "p_signal", "arr_0")
RATE_KEYS = ("fs", "sampling_rate", "sampling_frequency", "sample_rate", "rate", "frequency")
LEAD_KEYS = ("leads", "lead_names", "sig_name", "channels", "names")
UNIT_KEYS = ("unit", "units")
MOST_MEMBERS = 1000

Head = tuple[tuple[int, ...], np.dtype]  # shape and type, as an array's header claims them


def read(path: Path, count: int | None) -> Recording:
    """Return the channels of a NumPy file; ``count`` tells rows from columns where the file names no leads."""
    with border(f"{path.name} is not a readable NumPy file"):
        return (_read_npz if path.suffix.lower() == ".npz" else _read_npy)(path, count)


def _read_npy(path: Path, count: int | None) -> Recording:
    with path.open("rb") as file:
        _head(file, path.name)
        file.seek(0)
        array = _array(file)
        rest = path.stat().st_size - file.tell()
    notes = [f"The file holds {rest} bytes more than its array; they are left out."] if rest else []
    return Recording(_channels_of(array, None, count, path.name), path.stem, notes)


def _read_npz(path: Path, count: int | None) -> Recording:
    with zipfile.ZipFile(path) as archive:
        heads = _heads(archive, path.name)
        channels, used = _channels(archive, heads, count, path.name)
        rate = _stated(archive, heads, RATE_KEYS, path.name)
        unit = _stated(archive, heads, UNIT_KEYS, path.name)
    fs = as_number(rate[0], f"the sampling rate in {path.name}") if rate is not None and len(rate) == 1 else None
    units = [None] if unit is None else [name or None for name in unit]
    if len(units) not in (1, len(channels)):
        raise RecordError(f"{path.name} names {len(units)} units for {len(channels)} channels; expected one, or each.")
    units = units * len(channels) if len(units) == 1 else units
    known = {*used, *RATE_KEYS, *LEAD_KEYS, *UNIT_KEYS}
    others = [key for key in heads if key not in known and key.casefold() not in known]
    notes = [f"Left out the arrays {some(others)}."] if others else []
    channels = [replace(channel, unit=said, fs=fs) for channel, said in zip(channels, units, strict=True)]
    return Recording(channels, path.stem, notes)


def _head(file: IO[bytes], name: str) -> Head:
    """Read the header of an array from an open file; refuse objects, and more values than may be read."""
    version = np.lib.format.read_magic(file)
    read_head = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy parses the header as Python, which may warn of it
        shape, _, dtype = read_head(file)
    if dtype.hasobject:
        raise RecordError(
            f"{name} holds pickled Python objects, which could run any code when read; they are refused. Save a plain "
            "array of numbers: numpy.save(file, array.astype(float))."
        )
    if min(shape, default=0) < 0:
        raise RecordError(f"{name} claims the shape {shape}; it may be damaged.")
    check_size(name, 1, math.prod(shape) * max(1, -(-dtype.itemsize // 8)), "its header says")
    return shape, dtype


def _heads(archive: zipfile.ZipFile, name: str) -> dict[str, Head]:
    """Return the headers of an archive's arrays: key -> shape and type."""
    members = [member.filename for member in archive.infolist() if member.filename.endswith(".npy")]
    if not members:
        raise RecordError(
            f"{name} is not a readable NumPy file, but a ZIP archive without arrays; is it a spreadsheet?"
        )
    keys = [member.removesuffix(".npy") for member in members]
    twice = [key for key in keys if [other.casefold() for other in keys].count(key.casefold()) > 1]
    if len(members) > MOST_MEMBERS or twice:
        what = f"has two arrays named {twice[0][:40]}" if twice else f"has {len(members)} arrays"
        raise RecordError(f"{name} {what}; expected one array (12, T), or one array a lead.")
    heads = {}
    for key, member in zip(keys, members, strict=True):
        with archive.open(member) as file:
            heads[key] = _head(file, name)
    return heads


def _load(archive: zipfile.ZipFile, key: str) -> np.ndarray:
    with archive.open(f"{key}.npy") as file:
        return _array(file)


def _array(file: IO[bytes]) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.lib.format.read_array(file, allow_pickle=False)


def _stated(archive: zipfile.ZipFile, heads: dict[str, Head], keys: tuple[str, ...], name: str) -> list[str] | None:
    """Return what an archive says under one of several keys, as texts, or None."""
    lower = {key.casefold(): key for key in heads}
    key = next((lower[key] for key in keys if key in lower), None)
    if key is None:
        return None
    shape, dtype = heads[key]
    if dtype.kind not in "iufUS" or math.prod(shape) > MOST_MEMBERS:
        raise RecordError(f"{name} holds {key} as {dtype} {shape}; expected a number or a text.")
    values = np.ravel(_load(archive, key))
    return [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in values]


def _channels(archive: zipfile.ZipFile, heads: dict[str, Head], count: int | None, name: str):
    """Return an archive's channels, without rate and unit, and the keys of the arrays that they are."""
    by_lead = [key for key, (shape, _) in heads.items() if lead_name(key) and len(shape) == 1]
    if by_lead:
        check_size(name, 1, sum(heads[key][0][0] for key in by_lead), "its headers say")
        return [Channel(key, _as_floats(_load(archive, key), name)) for key in by_lead], by_lead
    several = [key for key, (shape, dtype) in heads.items() if len(shape) >= 2 or dtype.names]
    usual = [key for wanted in SIGNAL_KEYS for key in several if key.casefold() == wanted]
    if len(several) != 1 and not usual:
        shapes = some([f"{key} {shape}" for key, (shape, _) in heads.items()]) or "nothing"
        raise RecordError(f"{name} holds {shapes}; expected one array (12, T), or one array a lead, named I, II ...")
    key = (usual or several)[0]
    names = _stated(archive, heads, LEAD_KEYS, name)
    return _channels_of(_load(archive, key), names, count, name), [key]


def _as_floats(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype.kind not in "iuf":
        raise RecordError(f"{name} holds values of type {array.dtype}; expected real numbers.")
    with np.errstate(invalid="ignore", over="ignore"):  # what becomes NaN or infinite is said by assemble
        return np.asarray(array, dtype=float)


def _channels_of(array: np.ndarray, names: list[str] | None, count: int | None, source: str) -> list[Channel]:
    """Cut an array into channels: fields of a structured array, else rows or columns."""
    if array.dtype.names:
        fields = {name: np.squeeze(array[name]) for name in array.dtype.names}
        if any(field.ndim != 1 for field in fields.values()):
            raise RecordError(
                f"{source} has the shape {array.shape} and fields; expected one number a sample and field."
            )
        return [Channel(name, _as_floats(field, source)) for name, field in fields.items()]
    array = _as_floats(array, source)
    shape = array.shape
    array = array.reshape([n for n in shape if n != 1] or [1])
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2:
        raise RecordError(
            f"{source} has shape {shape}; expected one recording, (12, T) or (T, 12). Choose one of them."
        )
    if not array.size:
        raise RecordError(f"{source} has shape {shape}: no samples.")
    array = rows_are_channels(array, len(names) if names else count, source)
    return [Channel(name, row) for name, row in zip(names or [None] * len(array), array, strict=True)]


def rows_are_channels(array: np.ndarray, count: int | None, source: str) -> np.ndarray:
    """Turn an array so that its rows are the channels: the side with ``count`` elements, else the shorter side."""
    if count is None:
        return array if array.shape[0] <= array.shape[1] else array.T
    if count not in array.shape:
        raise RecordError(f"{source} has shape {array.shape}, but {count} leads are named; name one a channel.")
    if array.shape == (count, count):
        raise RecordError(f"{source} has shape {array.shape}: rows or columns may be the leads. Add or cut samples.")
    return array if array.shape[0] == count else array.T
