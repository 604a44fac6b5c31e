"""WFDB records: a header ``NAME.hea`` beside its signal file, ``NAME.dat`` or ``NAME.mat``.

The header is parsed by :mod:`leadwise.recordings.wfdb_header` and the samples are decoded here, as header(5) and
signal(5) of the WFDB Applications Guide say; ``wfdb`` is the peer that the tests compare with. Checked besides: sizes
before anything is allocated, checksums, and files longer or shorter than the header says.

https://physionet.org/physiotools/wag/signal-5.htm
"""

from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path

import numpy as np

from leadwise.recordings.labels import factor_of, lead_name
from leadwise.recordings.recording import Channel, RecordError, Recording, border, check_size, reason, some
from leadwise.recordings.wfdb_header import (
    DEFAULT_FS,
    DEFAULT_GAIN,
    Header,
    Signal,
    header_lines,
    parse_comments,
    parse_header,
)

EXTENSIONS = (".hea", ".dat", ".mat")


@dataclass(frozen=True)
class Format:
    """How a format stores samples.

    Parameters
    ----------
    bytes, samples : so many bytes hold so many samples; 0 bytes: compressed
    invalid : the step that marks a sample as invalid, or None
    """

    bytes: int
    samples: int = 1
    invalid: int | None = None


DIFFERENCES = 8  # the format that stores first differences
FORMATS = {
    8: Format(1),
    16: Format(2, invalid=-(2**15)),
    24: Format(3, invalid=-(2**23)),
    32: Format(4, invalid=-(2**31)),
    61: Format(2, invalid=-(2**15)),
    80: Format(1, invalid=-(2**7)),
    160: Format(2, invalid=-(2**15)),
    212: Format(3, 2, invalid=-(2**11)),
    310: Format(4, 3, invalid=-(2**9)),
    311: Format(4, 3, invalid=-(2**9)),
    508: Format(0, invalid=-(2**7)),
    516: Format(0, invalid=-(2**15)),
    524: Format(0, invalid=-(2**23)),
}
"""WFDB format -> how it stores samples. 508, 516 and 524 are FLAC files of 8, 16 and 24 bits."""


def read(path: Path, count: int | None) -> Recording:
    """Return all signals of a record, leads or not; joined segments come as one.

    Parameters
    ----------
    path : the record, with or without its extension
    """
    base = _record_base(path)
    lines = header_lines(_header_of(base))
    header = parse_header(lines, _header_of(base))
    recording = _join_segments(base, header) if header.segments else _read_signals(base, header)
    return replace(recording, metadata=parse_comments(lines))


def read_comments(path: str | Path) -> dict[str, str]:
    """Return the comments of a record's header as text: "# Age: 65" gives ``{"age": "65"}``.

    Parameters
    ----------
    path : the record, with or without its extension
    """
    return parse_comments(header_lines(_header_of(_record_base(path))))


def signal_files(path: str | Path) -> list[Path]:
    """Return the files that a record's header names, there or not: signal files, or the headers of its segments.

    Parameters
    ----------
    path : the record, with or without its extension
    """
    base = _record_base(path)
    header = _read_header(base)
    names = [signal.file for signal in header.signals] + [f"{name}.hea" for name, _ in header.segments if name != "~"]
    return [base.parent / name for name in dict.fromkeys(names) if name != "~"]


# Finding the record


def _header_of(base: Path) -> Path:
    return base.with_name(base.name + ".hea")


def _read_header(base: Path) -> Header:
    return parse_header(header_lines(_header_of(base)), _header_of(base))


def _record_base(path: str | Path) -> Path:
    """Return the path of the record without extension; its header exists."""
    path = Path(path).expanduser()
    base = path.with_suffix("") if path.suffix.lower() in EXTENSIONS else path
    try:
        for candidate in (path, base):
            if candidate.name and _header_of(candidate).is_file():
                return candidate
        raise RecordError(_why_absent(path, base))
    except (OSError, UnicodeError) as error:  # a name that no file can have
        raise RecordError(f"no record {base.name[:60]!r}: {reason(error)}.") from error


def _why_absent(path: Path, base: Path) -> str:
    if path.is_dir():
        inside = sorted(found.stem for found in path.glob("*.hea"))
        hint = f"it holds the records {some(inside)}: name one of them" if inside else "it holds no WFDB header (*.hea)"
        return f"{path} is a folder, not a record; {hint}."
    if not base.parent.is_dir():
        return f"no folder {base.parent}; expected the record {base.name} in it."
    beside = [base.name + extension for extension in EXTENSIONS[1:] if base.with_name(base.name + extension).is_file()]
    if beside:
        return f"{base.parent} holds {beside[0]} but not its header {base.name}.hea; copy both files there."
    if path.is_file():
        return f"{path} is not a WFDB record; expected a header .hea with its .dat or .mat."
    near = get_close_matches(base.name, [found.stem for found in base.parent.glob("*.hea")], n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"no record {base.name} in {base.parent}: there is no {base.name}.hea.{hint}"


# One stretch of signal


def _read_signals(base: Path, header: Header) -> Recording:
    """Decode the signals of one stretch and compare them with the header."""
    fs = header.fs or DEFAULT_FS
    groups = _groups(base, header.signals)
    held = {file: _samples_held(base, file, group) for file, group in groups.items() if file != "~"}
    length = _length(base, header, groups, held)
    check_size(base.name, 1, length * sum(signal.per_frame for signal in header.signals), "its header says")
    stored = {file: iter(_stored(base.parent / file, group, length)) for file, group in groups.items()}
    rows = [next(stored[signal.file]) for signal in header.signals]
    channels = [_channel(signal, row, length, fs, base) for signal, row in zip(header.signals, rows, strict=True)]
    doubts = [*_missing(header), *_surplus(groups, held, length), *_contradictions(header, rows)]
    return Recording(channels, base.name, _assumptions(base, header), doubts)


def _groups(base: Path, signals: tuple[Signal, ...]) -> dict[str, list[Signal]]:
    """Return the signals of each file, in order; refuse what header(5) rules out within one."""
    groups: dict[str, list[Signal]] = {}
    last = None
    for signal in signals:
        group = groups.setdefault(signal.file, [])
        if signal.file == "~":
            pass
        elif signal.format not in FORMATS:
            raise RecordError(f"{base}.hea gives {signal.file} the format {signal.format}; WFDB has {list(FORMATS)}.")
        elif group and (signal.format, signal.offset) != (group[0].format, group[0].offset):
            raise RecordError(f"{base}.hea gives {signal.file} two formats or byte offsets; a file has one.")
        elif group and last != signal.file:
            raise RecordError(
                f"{base}.hea comes back to {signal.file} after another file; expected its signals in one."
            )
        group.append(signal)
        last = last if signal.file == "~" else signal.file
    return groups


def _samples_held(base: Path, file: str, group: list[Signal]) -> int:
    """Return how many samples a signal file holds, of all its signals together."""
    path = base.parent / file
    if not path.is_file():
        raise RecordError(f"the signal file {path} is missing; {base.name}.hea names it. Copy both files there.")
    form = FORMATS[group[0].format]
    if not form.bytes:
        with border(f"the signal file {path} cannot be decoded"):
            import soundfile

            info = soundfile.info(str(path))
        if info.channels != len(group) or len({signal.per_frame for signal in group}) > 1:
            raise RecordError(f"{path} holds {info.channels} channels; its header gives it {len(group)}.")
        return info.frames * info.channels
    whole, rest = divmod(max(0, path.stat().st_size - group[0].offset), form.bytes)
    return whole * form.samples + rest * form.samples // form.bytes


def _length(base: Path, header: Header, groups, held: dict[str, int]) -> int:
    """Return the number of frames: what the header says, if the files hold as many, or what they hold."""
    frames = {file: held[file] // _per_frame(groups[file]) for file in held}
    if not frames:
        raise RecordError(f"{base}.hea names no signal file; it has no samples.")
    short = min(frames, key=frames.get)
    if header.length is None and len(set(frames.values())) > 1:
        raise RecordError(f"the signal files of {base} differ in length ({frames}), and its header does not say which.")
    if header.length is not None and frames[short] < header.length:
        raise RecordError(
            f"{base.parent / short} is truncated: it holds {frames[short]} samples a channel, and its header says "
            f"{header.length}. Fetch it again."
        )
    if not (header.length or frames[short]):
        raise RecordError(f"{base} has no samples.")
    return header.length or frames[short]


def _per_frame(group: list[Signal]) -> int:
    return sum(signal.per_frame for signal in group)


def _steps(path: Path, group: list[Signal], length: int) -> np.ndarray:
    """Return the samples of a file, all its signals interleaved, as steps of the converter."""
    kind, offset, count = group[0].format, group[0].offset, length * _per_frame(group)
    form = FORMATS[kind]
    with border(f"the signal file {path} cannot be decoded"):
        if not form.bytes:
            return _from_flac(path, kind, length * group[0].per_frame)
        if kind in _PLAIN:
            steps = np.fromfile(path, _PLAIN[kind], count, offset=offset)
            return steps.astype(np.int32) - _BIAS[kind] if kind in _BIAS else steps
        blocks = -(-count // form.samples)
        raw = np.fromfile(path, np.uint8, min(blocks * form.bytes, path.stat().st_size - offset), offset=offset)
        raw = np.append(raw, np.zeros(blocks * form.bytes - len(raw), np.uint8))
        return _UNPACK[kind](raw)[:count]


_PLAIN = {8: "i1", 16: "<i2", 32: "<i4", 61: ">i2", 80: "u1", 160: "<u2"}
_BIAS = {80: 2**7, 160: 2**15}


def unpack_24(raw: np.ndarray) -> np.ndarray:
    """Return samples of 24 bits, least significant byte first, as int32 (T,)."""
    low, middle, high = raw.reshape(-1, 3).astype(np.int32).T
    return low | middle << 8 | (high ^ 0x80) - 0x80 << 16


def _unpack_212(raw: np.ndarray) -> np.ndarray:
    """Two samples of 12 bits in three bytes; the middle byte holds the upper bits of both."""
    first, upper, second = raw.reshape(-1, 3).astype(np.int16).T
    return _signed(np.stack([first | (upper & 15) << 8, second | upper >> 4 << 8], 1).ravel(), 12)


def _unpack_310(raw: np.ndarray) -> np.ndarray:
    """Three samples of 10 bits in two words: two above the lowest bit of each, the third in the upper bits of both."""
    first, second = raw.view("<u2").reshape(-1, 2).astype(np.int32).T
    third = first >> 11 | second >> 11 << 5
    return _signed(np.stack([first >> 1 & 1023, second >> 1 & 1023, third], 1).ravel(), 10)


def _unpack_311(raw: np.ndarray) -> np.ndarray:
    """Three samples of 10 bits in the lower 30 bits of a word."""
    words = raw.view("<u4").astype(np.int64)
    return _signed(np.stack([words & 1023, words >> 10 & 1023, words >> 20 & 1023], 1).ravel().astype(np.int32), 10)


def _signed(values: np.ndarray, bits: int) -> np.ndarray:
    half = 1 << bits - 1
    return (values ^ half) - half


_UNPACK = {24: unpack_24, 212: _unpack_212, 310: _unpack_310, 311: _unpack_311}


def _from_flac(path: Path, kind: int, frames: int) -> np.ndarray:
    import soundfile

    depth = {508: ("int16", 8), 516: ("int16", 0), 524: ("int32", 8)}
    dtype, unused = depth[kind]
    values = soundfile.read(str(path), frames=frames, dtype=dtype, always_2d=True)[0]
    if len(values) < frames:
        raise ValueError(f"it ends after {len(values)} of {frames} samples")
    return values.ravel() >> unused


def _stored(path: Path, group: list[Signal], length: int) -> list[np.ndarray | None]:
    """Return the samples of each signal of a file, as steps of the converter; None for signals without file ("~")."""
    if group[0].file == "~":
        return [None] * len(group)
    steps = _steps(path, group, length)
    if FORMATS[group[0].format].bytes:
        frames, edges = steps.reshape(length, -1), np.cumsum([0, *(signal.per_frame for signal in group)])
        found = [frames[:, start:stop].reshape(-1) for start, stop in pairwise(edges)]
    else:  # FLAC keeps channels apart
        found = list(steps.reshape(-1, len(group)).T)
    if group[0].format == DIFFERENCES:
        found = [np.cumsum(row, dtype=np.int64) + signal.first for signal, row in zip(group, found, strict=True)]
    return found


def _channel(signal: Signal, row: np.ndarray | None, length: int, fs: float, base: Path) -> Channel:
    """Return a signal in its unit; invalid samples and those that its skew leaves open are NaN."""
    if row is None:
        samples = np.full(length * signal.per_frame, np.nan)
    else:
        samples = row.astype(float)
        samples -= signal.baseline
        samples /= signal.gain or DEFAULT_GAIN
        invalid = FORMATS[signal.format].invalid
        if invalid is not None:
            samples[row == invalid] = np.nan
    if signal.skew >= len(samples):
        raise RecordError(f"{base}.hea gives a skew of {signal.skew} samples to a signal of {len(samples)}.")
    if signal.skew:
        samples = np.append(samples[signal.skew :], np.full(signal.skew, np.nan))
    return Channel(signal.name, samples, signal.unit or "mV", fs * signal.per_frame)


# Comparing header and data


def _labels(header: Header, chosen) -> list[str]:
    return [signal.name or f"channel {n}" for n, signal in enumerate(header.signals, 1) if chosen(signal)]


def _assumptions(base: Path, header: Header) -> list[str]:
    notes = list(header.notes)
    if unitless := _labels(header, lambda signal: not signal.unit):
        notes.append(f"The header gives no unit for {some(unitless, 12)}; mV, the WFDB default, is assumed.")
    if turned := _labels(header, lambda signal: (signal.gain or 1) < 0):
        notes.append(f"The gain of {some(turned, 12)} is negative: turned over.")
    said = header.name.rpartition("/")[2]
    if base.name not in (said, said.removesuffix(".mat"), said.removesuffix(".hea")):
        notes.append(f"The file is named {base.name}, but its header calls the record {said[:60]}.")
    return notes


def _missing(header: Header) -> list[str]:
    doubts = []
    if header.fs is None:
        doubts.append(f"The header gives no sampling rate; {DEFAULT_FS:g} Hz, the WFDB default, is assumed.")
    if missing := _labels(header, lambda signal: signal.gain is None):
        doubts.append(
            f"The header gives no gain for {some(missing, 12)}; {DEFAULT_GAIN:g} units per mV, the WFDB default, is "
            "assumed."
        )
    return doubts


def _contradictions(header: Header, rows: list[np.ndarray | None]) -> list[str]:
    """Compare checksums, where the header gives a length, and the first values of differences with the data."""
    altered, moved = [], []
    for number, (signal, row) in enumerate(zip(header.signals, rows, strict=True), 1):
        label = signal.name or f"channel {number}"
        if row is None:
            continue
        if header.length and signal.checksum is not None and (int(row.sum(dtype=np.int64)) - signal.checksum) % 65536:
            altered.append(label)
        if signal.format == DIFFERENCES and int(row[0]) != signal.first:
            moved.append(label)
    doubts = [f"wrong checksum for {some(altered, 12)}; the file was altered or damaged"] if altered else []
    doubts += [f"the header gives another first sample for {some(moved, 12)}"] if moved else []
    return [f"Header and data disagree: {doubt}." for doubt in doubts]


def _surplus(groups: dict[str, list[Signal]], held: dict[str, int], length: int) -> list[str]:
    doubts = []
    for file, samples in held.items():
        per_frame, block = _per_frame(groups[file]), FORMATS[groups[file][0].format].samples
        surplus = samples - length * per_frame
        if surplus >= max(per_frame, block):  # less fills up the last block
            doubts.append(
                f"Header and data disagree: {file} holds {surplus // per_frame} more samples a channel; they are left "
                "out."
            )
    return doubts


# Records of several segments


def _join_segments(base: Path, header: Header) -> Recording:
    """Read a multi-segment record. A channel that a segment lacks, and an empty segment ("~"), become NaN."""
    segments = [(name, length) for name, length in header.segments if length]  # 0 marks a layout, without samples
    total = sum(length for _, length in segments)
    check_size(base.name, 1, total, "its header says")
    parts = [(length, None if name == "~" else _read_segment(base, name, length)) for name, length in segments]
    present = [part for _, part in parts if part is not None]
    if header.length is not None and header.length != total:
        raise RecordError(f"{base}.hea says {header.length} samples, but its segments add up to {total}.")
    if not present:
        raise RecordError(f"{base} has no segment with a signal.")
    check_size(base.name, 1, total * sum(ratio for _, ratio in _ratios(base, header, present).values()))
    channels = [_joined(base, key, fs, ratio, parts) for key, (fs, ratio) in _ratios(base, header, present).items()]
    notes = dict.fromkeys([*header.notes, *(note for part in present for note in part.notes)])
    doubts = dict.fromkeys(doubt for part in present for doubt in part.doubts)
    return Recording(channels, base.name, [*notes, f"Joined from {len(parts)} segments."], doubts)


def _read_segment(base: Path, name: str, length: int) -> Recording:
    path = base.parent / name
    if not _header_of(path).is_file():
        raise RecordError(f"the segment {name} of {base} is missing: there is no {_header_of(path)}.")
    header = _read_header(path)
    if header.segments:
        raise RecordError(f"the segment {name} of {base} has segments itself, which WFDB does not allow.")
    if header.length is not None and header.length != length:
        raise RecordError(f"{base}.hea gives segment {name} {length} samples; {name}.hea says {header.length}.")
    recording = _read_signals(path, header)
    if header.length is None and len(recording.channels[0].samples) != length * header.signals[0].per_frame:
        raise RecordError(f"{base}.hea gives segment {name} {length} samples, which its signal file does not hold.")
    named = [replace(c, name=label) for c, label in zip(recording.channels, recording.labels, strict=True)]
    return replace(recording, channels=named)


def _key(channel: Channel) -> str:
    """Return what tells that channels of different segments are one: the lead, else the name."""
    found = lead_name(channel.name)
    return channel.name if found is None else f"{'-' * (found[1] < 0)}{found[0]}"


def _ratios(base: Path, header: Header, present: list[Recording]) -> dict[str, tuple[float, int]]:
    """Return channel -> (its rate, samples a frame of the whole record); refuse rates that do not fit."""
    rates: dict[str, set[float]] = {}
    for part in present:
        for channel in part.channels:
            rates.setdefault(_key(channel), set()).add(channel.fs)
    found = {}
    for key, several in rates.items():
        if len(several) > 1:
            raise RecordError(
                f"the segments of {base} have different sampling rates ({sorted(several)} Hz); expected one rate."
            )
        (fs,) = several
        ratio = fs / (header.fs or DEFAULT_FS)
        if ratio < 1 or ratio % 1:
            raise RecordError(f"{base}.hea says {header.fs or DEFAULT_FS:g} Hz, but its segments have {fs:g} Hz.")
        found[key] = fs, int(ratio)
    return found


def _joined(base: Path, key: str, fs: float, ratio: int, parts) -> Channel:
    """Join one channel; voltages become mV, so that segments may differ in unit."""
    pieces, units = [], set()
    for length, part in parts:
        same = [] if part is None else [channel for channel in part.channels if _key(channel) == key]
        if len(same) > 1:
            raise RecordError(f"a segment of {base} has two channels for {key}; rename or remove one.")
        if not same:
            pieces.append(np.full(length * ratio, np.nan))
            continue
        factor = factor_of(same[0].unit)
        units.add(same[0].unit if factor is None else "mV")
        pieces.append(same[0].samples * (factor or 1.0))
    samples = np.concatenate(pieces)
    if len(units) == 1:
        return Channel(key, samples, units.pop(), fs)
    changes = f"the segments give {key} in different units ({', '.join(sorted(units))})"
    if lead_name(key):
        raise RecordError(f"{base}: {changes}; expected V, mV, µV or nV.")
    return Channel(key, np.full_like(samples, np.nan), "mV", fs, doubts=(f"Left empty: {changes}.",))
