"""Read a recording from a path or from uploaded bytes: WFDB, CSV, NPY/NPZ, EDF/EDF+, BDF, DICOM, MUSE XML, HL7 aECG.

What a file does not say (sampling rate, unit, which channel is which lead) is asked for, never guessed. What the
caller says counts more than what the file says, so that a wrong header can be corrected; a note records it. Nothing is
filtered or resampled here unless asked for: ``ecg.resample(500).preprocess()`` does both, and
:func:`leadwise.recordings.quality.check_ecg` says what to think of the recording.

How a format is added: :mod:`leadwise.recordings.assemble`.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from leadwise.ecg.record import ECG
from leadwise.recordings.assemble import Leads, assemble, assemble_and_tell, said_leads, said_rate, said_unit
from leadwise.recordings.foreign import format_of_xml, what_else
from leadwise.recordings.recording import (
    ASKED,
    MOST_BYTES,
    MissingInformation,  # noqa: F401  imported from here by callers
    RecordError,
    Recording,
    RecordWarning,  # noqa: F401
    border,
    check_size,
    reason,
)

Source = str | Path | bytes | Mapping[str, bytes]  # a path, a file, or several files

__all__ = ["ASKED", "FORMATS", "load_ecg", "read_ecg"]

FORMATS = {
    "WFDB": (".hea", ".dat", ".mat"),
    "CSV": (".csv", ".txt", ".tsv", ".asc"),
    "NPY": (".npy",),
    "NPZ": (".npz",),
    "EDF": (".edf", ".rec"),
    "BDF": (".bdf",),
    "DICOM": (".dcm", ".dicom"),
    "MUSE XML": (".xml",),
    "HL7 aECG": (".xml",),
}
"""Format -> extensions of its files."""

READERS = {
    "WFDB": "wfdb", "CSV": "table", "NPY": "arrays", "NPZ": "arrays", "EDF": "edf", "BDF": "edf", "DICOM": "dicom",
    "MUSE XML": "muse", "HL7 aECG": "aecg",
}  # fmt: skip
"""Format -> the module of this package whose ``read(path, count)`` reads it; imported when it is needed."""

# How a file begins -> its format; foreign.py knows what is not read. A file is refused where this and its extension
# disagree.
SIGNATURES = (
    (b"\x93NUMPY", "NPY"),
    (b"PK\x03\x04", "NPZ"),
    (b"0       ", "EDF"),
    (b"\xffBIOSEMI", "BDF"),
)

LONGEST_NAME = 200  # bytes
MOST_TEXT = 24 * 2**20  # bytes of a table: eight minutes of twelve leads at 500 Hz; its cells take twenty times as much
LONGEST_START = 4096  # bytes of a file that are looked at to recognise it
SIERRA = "; decode it with the Python package sierraecg and save its leads as NPZ, or export it as DICOM or HL7 aECG"


def read_ecg(
    source: Source,
    *,
    fs: float | None = None,
    unit: str | float | None = None,
    leads: Leads | None = None,
    name: str | None = None,
) -> ECG:
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
    said_rate(fs), said_unit(unit)
    named = said_leads(leads)
    recording = _read(source, name, len(named) if isinstance(named, list) else None)
    return assemble(recording, fs=fs, unit=unit, leads=named)


def load_ecg(path: str | Path, *, fs: float | None = None) -> ECG:
    """Read a WFDB record as :func:`read_ecg` does, and resample it on request.

    Lead order and letter case are free. Channels in V, mV, µV or nV are converted to mV. Channels besides the twelve
    leads are dropped with a note. Invalid samples stay NaN and flat leads stay flat; both are reported in ``ecg.notes``
    and by a ``RecordWarning``, and nothing is filled in.

    Parameters
    ----------
    path : the record, with or without its extension (.hea, .dat, .mat)
    fs : sampling rate to resample to, Hz, with anti-aliasing; None keeps the recorded one. The models need 500

    Returns
    -------
    ECG : signal (12, T) float32 mV; ``metadata`` holds the header's comments, keys in lower case ("age", "sex", "dx")

    Raises
    ------
    RecordError : no such record, a folder, a missing, truncated or undecodable file, a missing or doubled lead, an
        unknown unit, a header that contradicts itself

    Warns
    -----
    RecordWarning : NaN, flat or implausible leads, wrong checksums, a gain or sampling rate that the header leaves out
    """
    fs = said_rate(fs)
    ecg = assemble(_recording(Path(path).expanduser(), "WFDB", None))
    if fs is None:
        return ecg
    check_size(ecg.record_id, len(ecg.leads), ecg.duration * fs, f"resampled to {fs:g} Hz it has")
    return ecg.resample(fs)


def read_and_tell(path: str | Path) -> tuple[ECG, list[str]]:
    """Read a recording of any format as :func:`read_ecg` does; return its doubts instead of warning of them.

    For programs that read thousands: what is a warning to a person is a reason there.

    Raises
    ------
    RecordError : as for :func:`read_ecg`
    """
    return assemble_and_tell(_read(path, None, None))


def _read(source: Source, name: str | None, count: int | None) -> Recording:
    """Return the recording that a path or an upload holds; ``count`` leads are named by the caller, None: not said."""
    with _as_path(source, name) as path:
        try:
            kind = recognise(path)
        except (OSError, ValueError) as error:
            if isinstance(error, RecordError):
                raise
            raise RecordError(f"{path.name[:60]!r} cannot be opened ({reason(error)}).") from error
        recording = _recording(path, kind, count)
        return replace(recording, metadata={"format": kind} | recording.metadata)


def _recording(path: Path, kind: str, count: int | None) -> Recording:
    """Run the reader of a format."""
    read = import_module(f"leadwise.recordings.{READERS[kind]}").read
    try:
        return read(path, count)
    except (OSError, MemoryError, UnicodeError) as error:
        raise RecordError(f"{path.name[:60]!r} cannot be read ({reason(error)}).") from error


def recognise(path: Path) -> str:
    """Return the format of a file, a key of ``FORMATS``: what its name says, if its first bytes agree."""
    by_name = [kind for kind, extensions in FORMATS.items() if path.suffix.lower() in extensions]
    if by_name == ["WFDB"] or not path.is_file():
        if by_name in ([], ["WFDB"]):
            _refuse_text(path)
            return "WFDB"  # load_ecg's messages say what is missing
        raise RecordError(f"no file {path.name} in {path.parent}.")
    size = path.stat().st_size
    if not size:
        raise RecordError(f"{path.name} is empty (0 bytes). Export or upload it again.")
    start = _start(path)
    found = _found(start)
    if found == "EDF" and by_name in (["CSV"], []) and _is_text(start) and b"\n" in start[:512]:
        found = "CSV"  # a table whose first number is 0
    if found is None or found == "CSV":
        _refuse_foreign(path, start)
    if found in FORMATS and found in (by_name or [found]):
        most = MOST_TEXT if found == "CSV" else MOST_BYTES
        if size > most:
            raise RecordError(
                f"{path.name} has {size / 2**20:.0f} MB; at most {most / 2**20:.0f} MB of {found} are read."
            )
        return found
    what = {"CSV": "plain text", None: "data of an unknown kind"}.get(found, found)
    advice = {"CSV": f"; if it is a table, rename it to {path.stem}.csv", "Sierra XML": SIERRA}.get(found, "")
    raise RecordError(
        f"{path.name} cannot be read as {' or '.join(by_name) or 'a recording'}: it holds {what}{advice}. Expected one "
        + "of: "
        + ", ".join(f"{kind} ({', '.join(extensions)})" for kind, extensions in FORMATS.items())
        + "."
    )


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LONGEST_START)


def _found(start: bytes) -> str | None:
    """Return the format that a file's first bytes show, "CSV" for any text, or None."""
    if start[128:132] == b"DICM":
        return "DICOM"
    signed = next((kind for begin, kind in SIGNATURES if start.startswith(begin)), None)
    return signed or format_of_xml(start) or ("CSV" if _is_text(start) else None)


def _refuse_foreign(path: Path, start: bytes) -> None:
    """Refuse by its name what is known and not read."""
    known = what_else(start)
    if known:
        raise RecordError(f"{path.name} holds {known[0]}, which is not read: {known[1]}.")


def _refuse_text(path: Path) -> None:
    """Refuse a table that somebody has renamed to .dat or .mat and that has no header beside it."""
    if path.suffix.lower() in (".dat", ".mat") and path.is_file() and not path.with_suffix(".hea").is_file():
        start = _start(path)
        if not start:
            raise RecordError(f"{path.name} is empty (0 bytes). Export or upload it again.")
        _refuse_foreign(path, start)
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
def _as_path(source: Source, name: str | None) -> Iterator[Path]:
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
        paths = _lay_out(source, Path(folder))
        headers = [path for path in paths if path.suffix.lower() == ".hea"]
        if len(headers or paths) > 1:
            names = ", ".join(path.name for path in headers or paths)
            raise RecordError(f"several recordings at once ({names}); upload one, all its files together.")
        try:
            yield (headers or paths)[0]
        except RecordError as error:  # the folder means nothing to whoever uploaded the file
            error.args = (str(error).replace(folder + os.sep, "").replace(folder, "the upload"),)
            raise


def _lay_out(source: Mapping, folder: Path) -> list[Path]:
    """Write uploaded files into a folder under the names that they came with; refuse names that cannot be kept."""
    paths: dict[str, Path] = {}
    for given, content in source.items():
        name = str(given).replace("\\", "/").rpartition("/")[2]
        if not isinstance(content, bytes | bytearray | memoryview):
            raise ValueError(f"the content of {name!r} is {type(content).__name__}; expected bytes.")
        if name in ("", ".", "..") or not name.isprintable() or len(name.encode(errors="replace")) > LONGEST_NAME:
            raise RecordError(f"the upload is named {name[:40]!r}, which no file can be; rename it, to record.csv.")
        if name.casefold() in paths:
            raise RecordError(f"two uploads are named {name}; rename one, or upload one recording at a time.")
        paths[name.casefold()] = folder / name
        with border(f"{name} cannot be laid into a folder", "rename it, to record.csv"):
            paths[name.casefold()].write_bytes(content)
    return list(paths.values())
