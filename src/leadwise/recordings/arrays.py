"""NumPy files as recordings: one array, or an archive that may also say leads, unit and sampling rate."""

import re
import zipfile
from pathlib import Path

import numpy as np

from leadwise.recordings.labels import as_number, lead_name
from leadwise.recordings.recording import MOST_BYTES, Channel, RecordError, Recording

SIGNAL_KEYS = ("signal", "signals", "ecg", "data", "x", "p_signal", "arr_0")
RATE_KEYS = ("fs", "sampling_rate", "sampling_frequency", "sample_rate", "rate", "frequency")
LEAD_KEYS = ("leads", "lead_names", "sig_name", "channels", "names")


def read(path: Path, count: int | None) -> Recording:
    """Return the channels of a NumPy file; ``count`` tells rows from columns where the file names no leads."""
    return (_read_npz if path.suffix.lower() == ".npz" else _read_npy)(path, count)


def _read_npy(path: Path, count: int | None) -> Recording:
    array = _load(lambda: np.load(path, mmap_mode="r", allow_pickle=False), path)
    return Recording(_channels_of(array, None, count, path.name), path.stem)


def _read_npz(path: Path, count: int | None) -> Recording:
    held = _load(lambda: _unzip(path), path)
    lower = {key.casefold(): value for key, value in held.items()}
    stated = {
        key: next((lower[name] for name in names if name in lower), None)
        for key, names in (("fs", RATE_KEYS), ("leads", LEAD_KEYS), ("unit", ("unit", "units")))
    }
    by_lead = {key: value for key, value in held.items() if lead_name(key) and value.ndim == 1}
    signals = [key for key in SIGNAL_KEYS if key in lower and lower[key].ndim >= 2]
    signals = signals or [key for key, value in lower.items() if value.ndim >= 2]
    if by_lead:
        channels = [Channel(key, _as_floats(value, path.name)) for key, value in by_lead.items()]
    elif len(signals) == 1 or (signals and signals[0] in SIGNAL_KEYS):
        names = None if stated["leads"] is None else [str(name) for name in np.ravel(stated["leads"])]
        channels = _channels_of(lower[signals[0]], names, count, path.name)
    else:
        shapes = ", ".join(f"{key} {value.shape}" for key, value in held.items()) or "nothing"
        raise RecordError(
            f"{path.name} holds {shapes}; expected one array (12, T), or one array a lead, named I, II ..."
        )
    fs = None if stated["fs"] is None or np.size(stated["fs"]) != 1 else as_number(np.ravel(stated["fs"])[0], "fs")
    unit = None if stated["unit"] is None else str(np.ravel(stated["unit"])[0])
    return Recording([Channel(c.name, c.samples, c.unit or unit, fs) for c in channels], path.stem)


def _load(load, path: Path):
    """Load NumPy data; whatever numpy and zipfile raise becomes one clear message. Pickled objects are never loaded."""
    try:
        return load()
    except (OSError, EOFError, ValueError, SyntaxError, TypeError, KeyError, zipfile.BadZipFile) as error:
        if re.search("pickle|[Oo]bjects? ", str(error)):
            raise RecordError(
                f"{path.name} holds pickled Python objects, which could run any code when read; they are refused. Save "
                "a plain array of numbers: numpy.save(file, array.astype(float))."
            ) from error
        raise RecordError(f"{path.name} is not a readable NumPy file ({error}); it may be damaged.") from error


def _unzip(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if not any(member.filename.endswith(".npy") for member in members):
        raise ValueError("a ZIP archive without arrays; is it a spreadsheet? Export it as CSV")
    if sum(member.file_size for member in members) > MOST_BYTES:
        raise ValueError(f"it unpacks to more than {MOST_BYTES / 2**20:.0f} MB")
    with np.load(path, allow_pickle=False) as held:
        return {key: held[key] for key in held.files}


def _as_floats(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype.kind not in "iuf":
        raise RecordError(f"{name} holds values of type {array.dtype}; expected real numbers.")
    return np.array(array, dtype=float)


def _channels_of(array: np.ndarray, names: list[str] | None, count: int | None, source: str) -> list[Channel]:
    """Cut an array into channels: fields of a structured array, else rows or columns."""
    if array.dtype.names:
        return [Channel(name, _as_floats(np.ravel(array[name]), source)) for name in array.dtype.names]
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
    return array if array.shape[0] == count and array.shape[1] != count else array.T
