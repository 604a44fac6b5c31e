"""Parse WFDB headers, whole lines against header(5) of the WFDB Applications Guide.

A line that does not match from its first character to its last is refused: taking the part that does match makes 5 Hz
of ``5e2`` and the default gain of ``inf``. What the manual leaves out on purpose (extra lines, dates, block sizes) is
ignored here too.

https://physionet.org/physiotools/wag/header-5.htm
"""

import re
from dataclasses import dataclass
from pathlib import Path

from leadwise.recordings.recording import RecordError

MOST_HEADER_BYTES = 2**20
LONGEST_LINE = 1000  # characters; header(5) allows 255
LONGEST_COMMENT = 10_000
DEFAULT_FS, DEFAULT_GAIN = 250.0, 200.0

_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_WHOLE = r"[-+]?[0-9]+"
_RECORD = re.compile(
    rf"""(?P<name>\S+?)(?:/(?P<segments>[0-9]+))?
    \s+(?P<signals>[0-9]+)
    (?:\s+(?P<fs>{_NUMBER}|[0-9]+,[0-9]+)(?:/{_NUMBER}(?:\([-+]?{_NUMBER}\))?)?
    (?:\s+(?P<length>[0-9]+)
    (?:\s+.*)?)?)?""",  # time and date, which nobody needs here
    re.VERBOSE | re.ASCII,
)
_SIGNAL = re.compile(
    rf"""(?P<file>\S+)
    \s+(?P<format>[0-9]+)(?:x(?P<per_frame>[0-9]+))?(?::(?P<skew>[0-9]+))?(?:\+(?P<offset>[0-9]+))?
    (?:\s+(?P<gain>[-+]?{_NUMBER})(?:\((?P<baseline>{_WHOLE})\))?(?:/(?P<unit>\S+))?
    (?:\s+(?P<resolution>[0-9]+)
    (?:\s+(?P<zero>{_WHOLE})
    (?:\s+(?P<first>{_WHOLE})
    (?:\s+(?P<checksum>{_WHOLE})
    (?:\s+(?P<block>{_WHOLE})
    (?:\s+(?P<name>.*))?)?)?)?)?)?)?""",
    re.VERBOSE | re.ASCII,
)
_SEGMENT = re.compile(r"(?P<name>\S+)\s+(?P<length>[0-9]+)", re.ASCII)


@dataclass(frozen=True)
class Signal:
    """One signal line.

    Parameters
    ----------
    file, format : where its samples are ("~": nowhere), and how they are stored: 16, 212 ...
    per_frame : samples a frame
    skew : samples of this signal that precede sample 0
    offset : bytes of the file before the first sample
    gain : steps a unit, or None where the line gives none (or 0)
    baseline : the step that means 0 units
    unit : as written, or None
    first : initial value, for formats that store differences
    checksum : sum of all samples modulo 65536, or None
    name : description, or None
    """

    file: str
    format: int
    per_frame: int = 1
    skew: int = 0
    offset: int = 0
    gain: float | None = None
    baseline: int = 0
    unit: str | None = None
    first: int | None = None
    checksum: int | None = None
    name: str | None = None


@dataclass(frozen=True)
class Header:
    """A header: either ``signals`` or ``segments`` is filled.

    Parameters
    ----------
    name : what the header calls the record
    fs : frames a second, or None where the header gives none
    length : frames, or None where unspecified
    signals : in the order of the samples in their files
    segments : (name, frames) each; "~" is a gap
    notes : what was ignored or read generously
    """

    name: str
    fs: float | None
    length: int | None
    signals: tuple[Signal, ...] = ()
    segments: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()


def parse_header(lines: list[str], path: Path) -> Header:
    """Parse the lines of a header, as ``header_lines`` returns them; ``path`` is for the messages.

    Raises
    ------
    RecordError : a line that header(5) does not allow, named with what it holds; fewer lines than announced
    """
    lines = [_checked(line, path) for line in lines if not line.startswith("#")]
    if not lines:
        raise RecordError(f"{path} is not a valid WFDB header: it holds no record line. Fetch it again.")
    record = _match(_RECORD, lines[0], path, "record line (name, number of signals, sampling rate, length)")
    segmented = record["segments"] is not None
    announced, kind = int(record["segments"] or record["signals"]), "segments" if segmented else "signals"
    described = lines[1:]
    if not announced or len(described) < announced:
        raise RecordError(f"{path} announces {announced} {kind} but describes {len(described)}; it may be damaged.")
    fs, notes = _rate(record["fs"], path)
    if len(described) > announced:
        notes.append(f"The header describes {len(described)} {kind} but announces {announced}; the rest is ignored.")
    length, described = int(record["length"] or 0) or None, described[:announced]
    if segmented:
        segments = tuple(_segment(line, path) for line in described)
        return Header(record["name"], fs, length, segments=segments, notes=tuple(notes))
    signals = tuple(_signal(line, path) for line in described)
    return Header(record["name"], fs, length, signals, notes=tuple(notes))


def parse_comments(lines: list[str]) -> dict[str, str]:
    """Return the comments among a header's lines as text: "# Age: 65" gives ``{"age": "65"}``.

    A key that comes twice keeps both values, one a line; comments without a colon are collected under "comments".
    """
    metadata: dict[str, str] = {}
    for line in lines:
        if not line.startswith("#"):
            continue
        text = line[:LONGEST_COMMENT].lstrip("# \t").strip()
        key, colon, value = (part.strip() for part in text.partition(":"))
        key, value = (key.lower(), value) if colon and key else ("comments", text)
        if value:
            metadata[key] = f"{metadata[key]}\n{value}" if key in metadata else value
    return metadata


def header_lines(path: Path) -> list[str]:
    """Return the lines of a header file that are not blank, stripped; UTF-8, else Latin-1."""
    try:
        if path.stat().st_size > MOST_HEADER_BYTES:
            raise RecordError(f"{path} has {path.stat().st_size:,} bytes; a WFDB header has a few thousand.")
        raw = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    lines = (line.strip(" \t") for line in re.split(r"\r\n|\n|\r", text))
    return [line for line in lines if line]


def _checked(line: str, path: Path) -> str:
    line = line.replace("\t", " ")
    if len(line) > LONGEST_LINE or not line.isprintable():
        what = f"of {len(line)} characters" if len(line) > LONGEST_LINE else "with control characters"
        raise RecordError(f"{path} is not a valid WFDB header: it holds a line {what}, {line[:40]!r}. Fetch it again.")
    return line


def _match(pattern: re.Pattern, line: str, path: Path, what: str) -> re.Match:
    match = pattern.fullmatch(line)
    if match is None:
        raise RecordError(f"{path} is not a valid WFDB header: {line[:80]!r} is no {what}. Repair or fetch it again.")
    return match


def _rate(text: str | None, path: Path) -> tuple[float | None, list[str]]:
    """Return the frame rate, and a note where it is written with a decimal comma."""
    if text is None:
        return None, []
    whole, comma, decimals = text.partition(",")
    if comma and len(decimals) == 3:
        raise RecordError(
            f"{path} gives the sampling rate {text}, which may be {whole}.{decimals} or {whole}{decimals} Hz; write it "
            "without a comma."
        )
    rate = float(text.replace(",", "."))
    if not 0 < rate < float("inf"):
        raise RecordError(f"{path} gives the sampling rate {text}; expected a positive number of Hz.")
    return rate, [f"The sampling rate is written {text}; read as {rate:g} Hz."] if comma else []


def _segment(line: str, path: Path) -> tuple[str, int]:
    match = _match(_SEGMENT, line, path, "segment line (name, length)")
    return _file(match["name"], path), int(match["length"])


def _signal(line: str, path: Path) -> Signal:
    found = _match(_SIGNAL, line, path, "signal line (file, format, gain, ...)").groupdict()
    whole = {key: int(found[key]) for key in ("format", "per_frame", "skew", "offset") if found[key] is not None}
    steps = {key: int(found[key]) for key in ("baseline", "zero", "first", "checksum") if found[key] is not None}
    far = next((key for key, value in steps.items() if not -(2**31) <= value < 2**31), None)
    if far or whole.get("per_frame") == 0:
        what = f"the {far} {steps[far]}" if far else "0 samples a frame"
        raise RecordError(f"{path} gives {what}, which no converter has; it may be damaged. Line: {line[:80]!r}.")
    zero = steps.pop("zero", 0)
    steps = {"baseline": zero, "first": zero} | steps
    name = (found["name"] or "").strip() or None
    return Signal(
        _file(found["file"], path), **whole, gain=_gain(found["gain"], path), unit=found["unit"], **steps, name=name
    )


def _gain(text: str | None, path: Path) -> float | None:
    """Return the gain, None where it is missing or a plain 0; what rounds to 0 or to infinity is refused."""
    gain = float(text or 0)
    if abs(gain) == float("inf") or (not gain and (text or "0").strip("0.")):
        raise RecordError(f"{path} gives the gain {text}; expected a number of steps a unit, such as 1000/mV.")
    return gain or None


def _file(name: str, path: Path) -> str:
    """Return the name of a file beside the header or below its folder; others are none of the record's."""
    if name.startswith(("/", "\\")) or ":" in name or ".." in name.replace("\\", "/").split("/"):
        raise RecordError(f"{path} names the file {name[:60]!r}, outside its folder; expected one beside it.")
    return name
