"""Read a learner's own recording: WFDB, CSV, NPY/NPZ, EDF/EDF+ and BDF, from a path or from uploaded bytes.

What a file does not say (sampling rate, unit, which channel is which lead) is asked for, never guessed. What the
caller says counts more than what the file says, so that a wrong header can be corrected; a note records it. Nothing is
filtered or resampled here: ``ecg.resample(500).preprocess()`` does both, and :func:`leadwise.ecg.quality.check_ecg`
says what to think of the recording.

EDF is decoded by ``edfio``, WFDB by ``wfdb``. Names and comments of patients in EDF headers are not read.
"""

import os
import re
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import edfio
import numpy as np

from leadwise.ecg.filters import resample
from leadwise.ecg.io import MILLIVOLTS, Channel, RecordError, read_channels, read_comments
from leadwise.ecg.leads import LEADS, LIMB_LEADS, derive_limb_leads, standard_name
from leadwise.ecg.record import ECG
from leadwise.ecg.text_table import Table, TableError, read_table

MOST_BYTES = 512 * 2**20  # a minute of twelve leads at 1000 Hz is 1.4 MB; more than this is no ECG for this course

FORMATS = {
    "WFDB": (".hea", ".dat", ".mat"),
    "CSV": (".csv", ".txt", ".tsv", ".asc"),
    "NPY": (".npy",),
    "NPZ": (".npz",),
    "EDF": (".edf", ".rec"),
    "BDF": (".bdf",),
}
"""Format -> extensions of its files."""

# How a file begins -> what it is. A file is refused where this and its extension disagree.
SIGNATURES = (
    (b"\x93NUMPY", "NPY"),
    (b"PK\x03\x04", "NPZ"),
    (b"0       ", "EDF"),
    (b"\xffBIOSEMI", "BDF"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x89HDF", "an HDF5 file"),
    (b"MATLAB 5.0", "a MATLAB file"),
    (b"<?xml", "an XML file"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
)

TIME_NAMES = {"time", "t", "zeit", "seconds", "sec", "s", "milliseconds", "ms", "timestamp", "time_s", "time_ms"}
INDEX_NAMES = {"", "index", "sample", "samples", "sample_no", "n", "unnamed: 0", "#", "nr"}
SIGNAL_KEYS = ("signal", "signals", "ecg", "data", "x", "p_signal", "arr_0")
RATE_KEYS = ("fs", "sampling_rate", "sampling_frequency", "sample_rate", "rate", "frequency")
LEAD_KEYS = ("leads", "lead_names", "sig_name", "channels", "names")

ASKED = {
    "fs": ("its sampling rate", "fs=500"),
    "unit": ("its unit", 'unit="uV"'),
    "leads": ("which channel is which lead", 'leads="I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6"'),
}
"""What may have to be asked for -> what it is, and how to say it."""


class MissingInformation(RecordError):
    """A recording does not say something that must be known.

    Parameters
    ----------
    name : the recording
    missing : keys of ``ASKED``: "fs", "unit", "leads"
    channels : names of the recording's channels, or "channel 1" ..., for a form that asks for the leads
    detail : what is known, one sentence, or ""
    """

    def __init__(self, name: str, missing: Sequence[str], channels: Sequence[str] = (), detail: str = ""):
        self.missing, self.channels = tuple(missing), tuple(channels)
        *first, last = (ASKED[key][0] for key in missing)
        what = f"{', '.join(first)} and {last}" if first else last
        how = ", ".join(ASKED[key][1] for key in missing)
        hint = " The unit may be V, mV, uV or nV, or a number: the millivolts of one step." if "unit" in missing else ""
        super().__init__(f"{name} does not say {what}. Say so, for example: {how}.{hint}{' ' * bool(detail)}{detail}")


@dataclass
class Recording:
    """What a file holds, before leads and units are settled.

    Parameters
    ----------
    name : the file's name without extension
    channels : the channels, in the file's order
    notes : what the reader noticed
    metadata : what the file says besides
    """

    name: str
    channels: list[Channel]
    notes: list[str] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)


def read_ecg(source, *, fs=None, unit=None, leads=None, name: str | None = None) -> ECG:
    """Read a recording in any of ``FORMATS`` as a 12-lead ECG in mV, leads in standard order.

    III, aVR, aVL and aVF are computed from I and II where they are missing, by the laws of Einthoven and Goldberger,
    and a note says so. Channels that are no lead are dropped with a note.

    Parameters
    ----------
    source : a path; or the bytes of one file, with ``name``; or several files as a dict, name -> bytes (a WFDB record
        is a header and its signal file)
    fs : Hz, where the file does not say it or says it wrongly
    unit : "mV", "uV", "V", "nV", or the millivolts of one converter step, such as 0.005; likewise
    leads : which lead each channel is: their names in the order of the channels (a list, or one text with commas), or a
        dict, channel -> lead. None, "" or "-" stands for a channel that is no lead
    name : name of the file that ``source`` holds as bytes; its extension names the format

    Returns
    -------
    ECG : signal (12, T) float32 mV at the recorded rate; invalid and empty samples stay NaN

    Raises
    ------
    MissingInformation : rate, unit or leads are not stated; the message says how to state them
    RecordError : the file is absent, damaged, of another kind than its name says, or lacks leads that cannot be derived
    """
    if fs is not None and not 0 < _as_number(fs, "fs") < np.inf:
        raise ValueError(f"fs is {fs!r}; expected a positive sampling rate in Hz.")
    if unit is not None:
        millivolts(unit)
    named = leads if leads is None or isinstance(leads, Mapping) else _as_list(leads)
    with _as_path(source, name) as path:
        kind = recognise(path)
        try:
            recording = READERS[kind](path, len(named) if isinstance(named, list) else None)
        except TableError as error:
            raise RecordError(f"{path.name} cannot be read as a table: {error}.") from error
        except MemoryError as error:
            raise RecordError(f"{path.name} asks for more memory than there is; it may be damaged.") from error
    recording.metadata.setdefault("format", kind)
    return _assemble(recording, fs, unit, named)


def recognise(path: Path) -> str:
    """Return the format of a file, a key of ``FORMATS``: what its name says, if its first bytes agree."""
    by_name = next((kind for kind, extensions in FORMATS.items() if path.suffix.lower() in extensions), None)
    if by_name == "WFDB" or not path.is_file():
        if by_name is None or by_name == "WFDB":
            _refuse_text(path)
            return "WFDB"  # load_ecg's messages say what is missing
        raise RecordError(f"no file {path.name} in {path.parent}.")
    size = path.stat().st_size
    if not size:
        raise RecordError(f"{path.name} is empty (0 bytes). Export or upload it again.")
    if size > MOST_BYTES:
        raise RecordError(f"{path.name} has {size / 2**20:.0f} MB; at most {MOST_BYTES / 2**20:.0f} MB are read.")
    with path.open("rb") as file:
        start = file.read(4096)
    found = next((kind for begin, kind in SIGNATURES if start.startswith(begin)), "CSV" if _is_text(start) else None)
    if found == "EDF" and by_name in ("CSV", None) and _is_text(start) and b"\n" in start[:512]:
        found = "CSV"  # a table whose first number is 0
    if found in FORMATS and found == (by_name or found):
        return found
    what = {"CSV": "plain text", None: "data of an unknown kind"}.get(found, found)
    advice = f"; if it is a table, rename it to {path.stem}.csv" if found == "CSV" else ""
    raise RecordError(
        f"{path.name} cannot be read as {by_name or 'a recording'}: it holds {what}{advice}. Expected one of: "
        + ", ".join(f"{kind} ({', '.join(extensions)})" for kind, extensions in FORMATS.items())
        + "."
    )


def _refuse_text(path: Path) -> None:
    """Refuse a table that somebody has renamed to .dat or .mat and that has no header beside it."""
    if path.suffix.lower() in (".dat", ".mat") and path.is_file() and not path.with_suffix(".hea").is_file():
        with path.open("rb") as file:
            start = file.read(4096)
        if not start:
            raise RecordError(f"{path.name} is empty (0 bytes). Export or upload it again.")
        if _is_text(start):
            raise RecordError(
                f"{path.name} is no signal file: it holds plain text. If it is a table, rename it to {path.stem}.csv."
            )


def _is_text(start: bytes) -> bool:
    """Say whether bytes look like text: no control characters but blanks and line ends."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return not any(byte < 9 or 13 < byte < 32 for byte in start)


@contextmanager
def _as_path(source, name: str | None) -> Iterator[Path]:
    """Yield the path of the file to open; uploaded bytes are laid into a folder that vanishes afterwards."""
    if isinstance(source, str | Path):
        if not str(source).strip():
            raise RecordError("no file is named.")
        yield Path(source).expanduser()
        return
    if isinstance(source, bytes | bytearray | memoryview):
        if not name:
            raise ValueError("the name of the uploaded file is missing; give it: read_ecg(data, name='record.csv').")
        source = {name: source}
    if not isinstance(source, Mapping) or not source:
        raise ValueError(
            f"source is {type(source).__name__}; expected a path, bytes with a name, or a dict, name -> bytes."
        )
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for file_name, content in source.items():
            paths.append(Path(folder) / (Path(str(file_name).replace("\\", "/")).name or "recording"))
            paths[-1].write_bytes(bytes(content))
        headers = [path for path in paths if path.suffix.lower() == ".hea"]
        if len(headers or paths) > 1:
            names = ", ".join(path.name for path in headers or paths)
            raise RecordError(f"several recordings at once ({names}); upload one, all its files together.")
        try:
            yield (headers or paths)[0]
        except RecordError as error:  # the folder means nothing to whoever uploaded the file
            raise RecordError(str(error).replace(folder + os.sep, "").replace(folder, "the upload")) from error


# One reader a format: (path, number of leads that the caller named, or None) -> Recording


def _read_wfdb(path: Path, count: int | None) -> Recording:
    channels, notes = read_channels(path)
    return Recording(path.stem if path.suffix else path.name, channels, notes, read_comments(path))


def _read_csv(path: Path, count: int | None) -> Recording:
    table = read_table(path)
    notes = [f"{table.empty} empty cells are invalid samples (NaN)."] if table.empty else []
    if table.names and not any(map(lead_name, table.names)) and len(table.names) > 64:
        notes.append("Dropped a column of text on the left.")
        table.names = None
    values, labels, units = _columns(table, count, path.name)
    channels = [Channel(label, row, unit) for label, row, unit in zip(labels, values, units, strict=True)]
    fs = _hertz(table.stated["fs"]) if "fs" in table.stated else None
    channels, step = _take_time(channels, path.name, notes)
    for channel in channels:
        channel.fs, channel.unit = fs or step, channel.unit or table.stated.get("unit")
    return Recording(path.stem, channels, notes)


def _read_npy(path: Path, count: int | None) -> Recording:
    array = _load(lambda: np.load(path, mmap_mode="r", allow_pickle=False), path)
    return Recording(path.stem, _channels_of(array, None, count, path.name))


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
    fs = None if stated["fs"] is None or np.size(stated["fs"]) != 1 else _as_number(np.ravel(stated["fs"])[0], "fs")
    unit = None if stated["unit"] is None else str(np.ravel(stated["unit"])[0])
    return Recording(path.stem, [Channel(c.name, c.values, c.unit or unit, fs) for c in channels])


def _read_edf(path: Path, count: int | None) -> Recording:
    read = edfio.read_bdf if path.suffix.lower() == ".bdf" else edfio.read_edf
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            # Latin-1 decodes every byte: µ is no ASCII, yet common.
            edf = read(path.read_bytes(), header_encoding="latin-1")
            continuous = edf.is_continuous
            channels = [_edf_channel(signal) for signal in edf.signals]
    except RecordError:
        raise
    except Exception as error:  # whatever edfio raises on a damaged header
        raise RecordError(f"{path.name} is no valid EDF file ({error}); it may be damaged. Export it again.") from error
    if not continuous:
        raise RecordError(f"{path.name} has gaps (EDF+D). Export a continuous piece of it.")
    return Recording(path.stem, channels, [f"{warning.message}" for warning in caught])


READERS = {
    "WFDB": _read_wfdb,
    "CSV": _read_csv,
    "NPY": _read_npy,
    "NPZ": _read_npz,
    "EDF": _read_edf,
    "BDF": _read_edf,
}


def _edf_channel(signal) -> Channel:
    """Return one EDF signal; calibration that makes no sense is an error only where the channel is a lead."""
    calibrated = signal.physical_min != signal.physical_max and signal.digital_min != signal.digital_max
    if not calibrated and lead_name(signal.label):
        raise RecordError(
            f"channel {signal.label!r} maps the digits {signal.digital_min} to {signal.digital_max} to "
            f"{signal.physical_min:g} to {signal.physical_max:g} {signal.physical_dimension}: no scale. Repair it."
        )
    return Channel(signal.label, np.array(signal.data), signal.physical_dimension or None, signal.sampling_frequency)


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


# From arrays and tables to channels


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
    array = _rows_are_channels(array, len(names) if names else count, source)
    return [Channel(name, row) for name, row in zip(names or [None] * len(array), array, strict=True)]


def _rows_are_channels(array: np.ndarray, count: int | None, source: str) -> np.ndarray:
    """Turn an array so that its rows are the channels: the side with ``count`` elements, else the shorter side."""
    if count is None:
        return array if array.shape[0] <= array.shape[1] else array.T
    if count not in array.shape:
        raise RecordError(f"{source} has shape {array.shape}, but {count} leads are named; name one a channel.")
    return array if array.shape[0] == count and array.shape[1] != count else array.T


def _columns(table: Table, count: int | None, source: str) -> tuple[np.ndarray, list[str | None], list[str | None]]:
    """Return a table's channels as rows, with their names and units where the text gives them."""
    if table.names:
        labels, values = table.names, table.values
    elif table.head:
        row = max(table.head, key=lambda row: (sum(lead_name(cell) is not None for cell in row), len(set(row))))
        labels, values = row, table.values.T
        below = table.head[-1] if table.head[-1] is not row else [""] * len(row)
        units = [
            unit_in(label) or (cell.strip("()[] ") if _factor(cell.strip("()[] ")) else None)
            for label, cell in zip(row, below, strict=True)
        ]
        return values, labels, units
    else:
        values = table.values
        time = values.shape[0] > values.shape[1] and _is_ramp(values[:, 0])
        if count is not None and time and count == values.shape[1] - 1:
            count += 1
        values = _rows_are_channels(values, count, source)
        labels = [None] * len(values)
    return values, labels, [unit_in(label) for label in labels]


def _is_ramp(values: np.ndarray) -> bool:
    """Say whether values rise in equal steps, as times or sample numbers do, and no voltage does."""
    steps = np.diff(values)
    return len(steps) >= 20 and bool(np.all(steps > 0)) and bool(np.ptp(steps) <= 0.6 * np.median(steps))


def _take_time(channels: list[Channel], source: str, notes: list[str]) -> tuple[list[Channel], float | None]:
    """Take a column of times or sample numbers out of the channels; return the rest and the rate it shows, or None."""
    first = channels[0]
    label = re.sub(r"[\s(\[/_]*(m?s|sec|seconds)[)\]]?$", "", (first.name or "").strip().casefold()) or first.name
    label = (label or "").casefold()
    is_time, is_index = label in TIME_NAMES, first.name is None or label in INDEX_NAMES
    if not (is_time or (is_index and _is_ramp(first.values))):
        return channels, None
    if len(channels) == 1:
        raise RecordError(f"{source} holds a column of times and nothing else.")
    return channels[1:], _rate_of(first, is_time, source, notes)


def _rate_of(time: Channel, is_time: bool, source: str, notes: list[str]) -> float | None:
    """Return the rate that a column of times shows, Hz; None where it counts samples or does not say in what unit."""
    values = time.values
    if len(values) < 2 or not np.isfinite(values).all() or values[-1] <= values[0]:
        raise RecordError(f"the column of times in {source} does not rise, or has empty cells; repair or remove it.")
    step = (values[-1] - values[0]) / (len(values) - 1)
    off = np.abs(values - values[0] - step * np.arange(len(values)))
    if off.max() > 1.5 * step:
        row = int(np.argmax(np.abs(np.diff(values) - np.median(np.diff(values)))))
        raise RecordError(
            f"the times in {source} are not evenly spaced: after {values[row]:g} (sample {row}) comes "
            f"{values[row + 1]:g}. Cut out a continuous piece, or remove the column and give fs."
        )
    said = re.search(r"(ms|milli)", time.name or "", re.I)
    seconds = step / 1000 if said else step
    if not is_time or (not said and step > 0.05):  # whole numbers, or milliseconds: 20 Hz is too slow for an ECG
        notes.append(
            "Dropped a column that counts samples." if step == 1 else "Dropped a column of times of unknown unit."
        )
        return None
    rate = 1 / seconds
    return float(round(rate)) if abs(rate - round(rate)) < 0.001 * rate else rate


# From channels to twelve leads

_UNIT = re.compile(r"[\s_/,]*[(\[]\s*(n|u|µ|μ|m)?v\s*[)\]]$|[\s_/,]+(n|u|µ|μ|m)v$", re.I)
_LABEL = re.compile(
    r"(?:(?:ecg|ekg|lead|ableitung)(?:\s*-\s+|[_:.\-]+\s*|\s+)?)*"  # "EKG V1", "Lead I", "ECG-II"
    r"(?P<turned>-\s*)?(?P<lead>i{1,3}|d(?:[123]|i{1,3})|av[rlf]|v[1-6])"
    r"(?:[\s_-]*(?:ref|wct|avg))?",
    re.I,
)
_OTHER_NAMES = {"d1": "I", "d2": "II", "d3": "III", "di": "I", "dii": "II", "diii": "III"}
ALMOST = {"mlii": "a modified lead of Holter recorders, with the electrodes on the trunk, not lead II"}


def lead_name(label: str | None) -> tuple[str, int] | None:
    """Return the standard lead that a channel's label means and its sign, or None where it means none.

    "EKG V1", "Lead I", "ECG aVR-Ref", "DII" and "II (mV)" are understood. "-aVR", as in Cabrera's order, is aVR upside
    down: ("aVR", -1). "MLII" is no standard lead; "C3" may be an EEG electrode.
    """
    text = _UNIT.sub("", (label or "").strip().replace("−", "-").replace("–", "-"))
    match = _LABEL.fullmatch(text)
    if match is None:
        return None
    short = match["lead"].casefold()
    return standard_name(_OTHER_NAMES.get(short, short)), -1 if match["turned"] else 1


def unit_in(label: str | None) -> str | None:
    """Return the unit that a label ends with, "II (µV)" or "V1_mV", or None."""
    match = _UNIT.search((label or "").strip())
    return match.group(0).strip(" _/,()[]") if match else None


def millivolts(unit: str | float) -> float:
    """Return the factor from a unit to mV: of a name ("uV" -> 0.001) or of a number (mV of one step -> itself)."""
    factor = _factor(unit)
    if factor is None or not 0 < factor < np.inf:
        raise ValueError(
            f"unit is {unit!r}; expected V, mV, uV or nV, or a positive number: the millivolts of one step."
        )
    return factor


def _factor(unit) -> float | None:
    if isinstance(unit, str):
        short = unit.replace("Â", "").strip().casefold()  # UTF-8 read as Latin-1
        return MILLIVOLTS.get(short, MILLIVOLTS.get(short.removesuffix("s")))
    return _as_number(unit, "unit")


def _assemble(recording: Recording, fs, unit, leads) -> ECG:
    """Settle leads, units and rates, in this order; ask for all that is missing at once."""
    chosen, notes = _chosen(recording, leads)
    asked = [] if chosen else ["leads"]
    used = list(chosen.values()) or [(channel, 1) for channel in recording.channels]
    if fs is None and any(channel.fs is None for channel, _ in used):
        asked.append("fs")
    if unit is None and any(channel.unit is None for channel, _ in used):
        asked.append("unit")
    if asked:
        raise MissingInformation(recording.name, asked, _labels(recording.channels), _known(recording.channels))
    rates = {lead: float(fs or channel.fs) for lead, (channel, _) in chosen.items()}
    if not all(0 < rate < np.inf for rate in rates.values()):
        raise RecordError(
            f"{recording.name} gives the sampling rate {min(rates.values()):g} Hz; say the true one: fs=500."
        )
    notes += _corrections([channel for channel, _ in used], fs, unit)
    factors = {lead: _factor_of(lead, channel, unit, recording.name) for lead, (channel, _) in chosen.items()}
    values = {lead: channel.values * (sign * factors[lead]) for lead, (channel, sign) in chosen.items()}
    values, rate = _at_one_rate(values, rates, recording.name, notes)
    _derive(values, recording, chosen, notes)
    signal = np.stack([values[lead] for lead in LEADS])
    if not signal.size:
        raise RecordError(f"{recording.name} has no samples.")
    return ECG(signal, rate, record_id=recording.name, notes=(*recording.notes, *notes), metadata=recording.metadata)


def _chosen(recording: Recording, leads) -> tuple[dict[str, tuple[Channel, int]], list[str]]:
    """Return lead -> (channel, sign), and notes; empty where no channel is named as a lead."""
    labels = [channel.name for channel in recording.channels]
    if isinstance(leads, Mapping):
        unknown = [key for key in leads if key not in labels]
        if unknown:
            raise ValueError(
                f"{recording.name} has no channel {unknown[0]!r}; it has {', '.join(_labels(recording.channels))}."
            )
        labels = [leads.get(label, "") for label in labels]
    elif leads is not None:
        if len(leads) != len(labels):
            raise ValueError(
                f"{len(leads)} leads are named, but {recording.name} has {len(labels)} channels; name one each."
            )
        labels = leads
    chosen: dict = {}
    dropped, turned = [], []
    for channel, label, shown in zip(recording.channels, labels, _labels(recording.channels), strict=True):
        found = lead_name(label)
        if found is None:
            if leads is not None and (label or "").strip() not in ("", "-"):
                raise ValueError(
                    f"leads names {label!r}; expected the standard leads {', '.join(LEADS)}, or '-' for none."
                )
            dropped.append(shown)
            continue
        lead, sign = found
        if lead in chosen:
            twice = f"{chosen[lead][0].name!r} and {channel.name!r}"
            raise RecordError(f"{recording.name} has two channels for lead {lead} ({twice}); say which by leads=[...].")
        chosen[lead] = channel, sign
        turned += [shown] if sign < 0 else []
    notes = [f"{', '.join(turned)}: recorded upside down, turned over."] if turned else []
    if dropped and chosen:
        notes.append(f"Dropped the channels that are none of the twelve leads: {', '.join(dropped[:12])}.")
    return chosen, notes


def _derive(values: dict[str, np.ndarray], recording: Recording, chosen, notes: list[str]) -> None:
    """Add III, aVR, aVL and aVF where they are missing; refuse other missing leads by name."""
    missing = [lead for lead in LEADS if lead not in values]
    if not missing:
        return
    derivable = [lead for lead in missing if lead in LIMB_LEADS[2:]] if {"I", "II"} <= set(values) else []
    lacking = [lead for lead in missing if lead not in derivable]
    if lacking:
        used = {id(channel) for channel, _ in chosen.values()}
        rest = [
            label for c, label in zip(recording.channels, _labels(recording.channels), strict=True) if id(c) not in used
        ]
        near = [f"{label} is {ALMOST[label.casefold()]}" for label in rest if label.casefold() in ALMOST]
        others = f" Besides, it has {', '.join(rest[:12])}; leads={{...}} says which leads they are." if rest else ""
        raise RecordError(
            f"{recording.name} has the leads {', '.join(lead for lead in LEADS if lead in values)} and lacks "
            f"{', '.join(lacking)}. The networks need all twelve; only III, aVR, aVL and aVF can be computed, from I "
            f"and II.{others}{''.join(f' {hint}.' for hint in near)}"
        )
    derived = derive_limb_leads(values["I"], values["II"])
    values.update({lead: derived[lead] for lead in derivable})
    notes.append(f"Computed {', '.join(derivable)} from I and II by the laws of Einthoven and Goldberger.")


def _at_one_rate(values, rates, name: str, notes: list[str]) -> tuple[dict[str, np.ndarray], float]:
    """Bring all leads to the highest rate among them, and refuse leads of different lengths."""
    rate = max(rates.values())
    slower = [lead for lead in values if rates[lead] < rate]
    if slower:
        notes.append(f"Resampled {', '.join(slower)} to the rate of the other leads, {rate:g} Hz.")
    values = {lead: resample(row, rates[lead], rate) if lead in slower else row for lead, row in values.items()}
    lengths = {len(row) for row in values.values()}
    if max(lengths) - min(lengths) > rate * 0.01:
        raise RecordError(f"the leads of {name} differ in length, from {min(lengths)} to {max(lengths)} samples.")
    return {lead: row[: min(lengths)] for lead, row in values.items()}, rate


def _factor_of(lead: str, channel: Channel, unit, name: str) -> float:
    factor = _factor(channel.unit if unit is None else unit)
    if factor is None:
        raise RecordError(
            f"lead {lead} of {name} is in {channel.unit!r}, no unit of voltage; expected V, mV, uV or nV. If the file "
            'is wrong, say the true unit: unit="uV".'
        )
    return factor


def _corrections(channels: list[Channel], fs, unit) -> list[str]:
    """Say where the caller contradicts the file."""
    notes = []
    rates = sorted({channel.fs for channel in channels if channel.fs is not None})
    if fs is not None and rates and rates != [fs]:
        notes.append(f"The file says {', '.join(f'{rate:g}' for rate in rates)} Hz; {fs:g} Hz was given and is used.")
    units = sorted({channel.unit for channel in channels if channel.unit is not None})
    if unit is not None and units and any(_factor(said) != _factor(unit) for said in units):
        notes.append(f"The file says {', '.join(units)}; {unit} was given and is used.")
    return notes


def _labels(channels: list[Channel]) -> list[str]:
    return [channel.name or f"channel {number}" for number, channel in enumerate(channels, 1)]


def _known(channels: list[Channel]) -> str:
    """Say in one sentence what an unlabelled recording holds, so that a person can tell."""
    finite = [channel.values[np.isfinite(channel.values)] for channel in channels]
    finite = [values for values in finite if values.size]
    names = f" ({', '.join(_labels(channels)[:14])})" if any(channel.name for channel in channels) else ""
    span = f", values from {min(v.min() for v in finite):g} to {max(v.max() for v in finite):g}" if finite else ""
    samples = max(len(channel.values) for channel in channels)
    return f"It has {len(channels)} channels{names} of {samples} samples{span}."


def _hertz(text: str) -> float:
    return float(re.sub(r"[^\d.]", "", text)) * (1000 if "k" in text.casefold() else 1)


def _as_number(value, what: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} is {value!r}; expected a number.") from error


def _as_list(leads) -> list[str | None]:
    return [name.strip() for name in leads.split(",")] if isinstance(leads, str) else list(leads)
