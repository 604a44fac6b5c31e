"""Read 12-lead ECGs from WFDB records: a header ``NAME.hea`` beside its signal file, ``NAME.dat`` or ``NAME.mat``.

The ``wfdb`` library decodes the signal files. What it lets pass in silence is checked here: a "µ" in a unit (it reads
headers as ASCII, so that µV becomes V), wrong checksums, a header that announces more or fewer signals than it
describes, signal files that are longer than the header says, and segments with other leads or units than the first.
"""

import warnings
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import wfdb
from wfdb.io.header import HeaderSyntaxError

from leadwise.ecg.filters import invalid_ranges, resample
from leadwise.ecg.leads import LEADS, LIMB_LEADS, standard_name
from leadwise.ecg.record import ECG

EXTENSIONS = (".hea", ".dat", ".mat")

# Unit -> mV. Case is ignored: some archives write "mv" or "MV", and no ECG is in megavolts. Both Unicode micro signs
# become a Greek mu under casefold.
MILLIVOLTS = {"v": 1e3, "mv": 1.0, "uv": 1e-3, "μv": 1e-3, "nv": 1e-6, "volt": 1e3, "millivolt": 1.0, "microvolt": 1e-3}

# Bytes a sample in the WFDB formats; the FLAC formats (508, 516, 524) have no fixed size.
BYTES = {"8": 1, "16": 2, "24": 3, "32": 4, "61": 2, "80": 1, "160": 2, "212": 1.5, "310": 4 / 3, "311": 4 / 3}

FLAT_SECONDS = 2.0  # a constant stretch at least this long is reported


class RecordError(ValueError):
    """A recording cannot be read as a 12-lead ECG; the message says what came, what was expected and what to do."""


class RecordWarning(UserWarning):
    """A recording was read, but something about it is doubtful; ``ecg.notes`` says the same."""


@dataclass
class Channel:
    """One channel as its file holds it, before anything is made of it.

    Parameters
    ----------
    name : as written, or None
    values : ndarray (T,), in the channel's own unit
    unit : as written ("mV", "µV" ...), or None where the file does not say
    fs : Hz, or None where the file does not say
    """

    name: str | None
    values: np.ndarray
    unit: str | None = None
    fs: float | None = None


@dataclass
class _Segment:
    """One stretch of signal: the leads that it has, in mV, at one sampling rate."""

    fs: float
    leads: dict[str, np.ndarray]
    dropped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def load_ecg(path: str | Path, *, fs: float | None = None) -> ECG:
    """Load a WFDB record as a 12-lead ECG in mV, leads in standard order.

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
    if fs is not None and not 0 < fs < np.inf:
        raise ValueError(f"fs is {fs}; expected a positive sampling rate in Hz, or None to keep the recorded one.")
    base = _record_base(path)
    header = _read_header(base)
    if isinstance(header, wfdb.MultiRecord):
        segment = _join_segments(base, header)
    else:
        segment = _read_segment(base, header)
        _require_leads(base, segment.leads)
    notes, doubts = segment.notes, segment.doubts
    if segment.dropped:
        notes.append(f"Dropped the channels that are none of the twelve leads: {', '.join(segment.dropped)}.")
    signal = np.stack([segment.leads[name] for name in LEADS])
    doubts += _doubts_about(signal, segment.fs)
    for doubt in doubts:
        warnings.warn(f"{base.name}: {doubt}", RecordWarning, stacklevel=2)
    ecg = ECG(signal, segment.fs, record_id=base.name, notes=(*doubts, *notes), metadata=read_comments(base))
    return ecg if fs is None else ecg.resample(fs)


def read_channels(path: str | Path) -> tuple[list[Channel], list[str]]:
    """Read all channels of a WFDB record, leads or not, with what is to be said about them.

    Parameters
    ----------
    path : the record, with or without its extension

    Returns
    -------
    (channels, notes) : a header without unit means mV, WFDB's default; joined segments come as twelve leads in mV

    Raises
    ------
    RecordError : as for :func:`load_ecg`, except that any channels will do
    """
    base = _record_base(path)
    header = _read_header(base)
    if not isinstance(header, wfdb.MultiRecord):
        channels, notes, doubts = _read_file(base, header)
        return channels, doubts + notes
    segment = _join_segments(base, header)
    channels = [Channel(lead, segment.leads[lead], "mV", segment.fs) for lead in LEADS]
    return channels, segment.doubts + segment.notes


def read_comments(path: str | Path) -> dict[str, str]:
    """Return the comments of a WFDB header as text: "# Age: 65" gives ``{"age": "65"}``.

    A key that comes twice keeps both values, one a line; comments without a colon are collected under "comments".

    Parameters
    ----------
    path : the record, with or without its extension
    """
    metadata: dict[str, str] = {}
    for line in _header_lines(_header_of(_record_base(path)), comments=True):
        key, colon, value = (part.strip() for part in line.lstrip("# \t").partition(":"))
        key, value = (key.lower(), value) if colon and key else ("comments", line.lstrip("# \t").strip())
        if value:
            metadata[key] = f"{metadata[key]}\n{value}" if key in metadata else value
    return metadata


def signal_files(path: str | Path) -> list[Path]:
    """Return the files that a WFDB header names, there or not: signal files, or the headers of its segments.

    Parameters
    ----------
    path : the record, with or without its extension
    """
    base = _record_base(path)
    first, *described = _header_lines(_header_of(base)) or [""]
    names = dict.fromkeys(line.split()[0] for line in described)
    segmented = "/" in first.split(" ")[0]
    return [base.parent / (f"{name}.hea" if segmented else name) for name in names if name != "~"]


# Finding and reading the files


def _header_of(base: Path) -> Path:
    return base.with_name(base.name + ".hea")


def _record_base(path: str | Path) -> Path:
    """Return the path of the record without extension; its header exists."""
    path = Path(path).expanduser()
    base = path.with_suffix("") if path.suffix.lower() in EXTENSIONS else path
    for candidate in (path, base):
        if candidate.name and _header_of(candidate).is_file():
            return candidate
    if path.is_dir():
        inside = sorted(found.stem for found in path.glob("*.hea"))
        hint = (
            f"it holds the records {_some(inside)}: name one of them" if inside else "it holds no WFDB header (*.hea)"
        )
        raise RecordError(f"{path} is a folder, not a record; {hint}.")
    if not base.parent.is_dir():
        raise RecordError(f"no folder {base.parent}; expected the record {base.name} in it.")
    beside = [base.name + extension for extension in EXTENSIONS[1:] if base.with_name(base.name + extension).is_file()]
    if beside:
        raise RecordError(f"{base.parent} holds {beside[0]} but not its header {base.name}.hea; copy both files there.")
    if path.is_file():
        raise RecordError(f"{path} is not a WFDB record; expected a header .hea with its .dat or .mat.")
    near = get_close_matches(base.name, [found.stem for found in base.parent.glob("*.hea")], n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise RecordError(f"no record {base.name} in {base.parent}: there is no {base.name}.hea.{hint}")


def _header_lines(path: Path, comments: bool = False) -> list[str]:
    """Return the header's lines that are not blank, comments only or all but comments; UTF-8, else Latin-1."""
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and line.startswith("#") == comments]


def _read_header(base: Path) -> wfdb.Record | wfdb.MultiRecord:
    path = _header_of(base)
    try:
        header = wfdb.rdheader(str(base))
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error}.") from error
    except (HeaderSyntaxError, ValueError, IndexError, TypeError) as error:
        raise RecordError(f"{path} is not a valid WFDB header ({error}); it may be damaged. Fetch it again.") from error
    described = len(_header_lines(path)) - 1
    announced, kind = (header.n_seg, "segments") if isinstance(header, wfdb.MultiRecord) else (header.n_sig, "signals")
    if announced != described or not announced:
        raise RecordError(f"{path} announces {announced} {kind} but describes {described}; it may be damaged.")
    if not header.fs > 0:
        raise RecordError(f"{path} gives the sampling rate {header.fs}; expected a positive number of Hz.")
    return header


def _read_segment(base: Path, header: wfdb.Record) -> _Segment:
    """Read one signal stretch: decode, compare with the header, convert to mV, keep the twelve leads."""
    channels, notes, doubts = _read_file(base, header)
    segment = _Segment(float(header.fs), {}, notes=notes, doubts=doubts)
    rates = {}
    for channel, factor in zip(channels, _millivolts_per_unit(base, channels), strict=True):
        lead = standard_name(channel.name)
        if lead is None:
            segment.dropped.append(channel.name)
            continue
        if lead in segment.leads:
            raise RecordError(f"{base} has two channels for lead {lead}; rename or remove one in {base.name}.hea.")
        segment.leads[lead] = channel.values * factor
        rates[lead] = channel.fs
    _unify_rates(segment, rates)
    return segment


def _read_file(base: Path, header: wfdb.Record) -> tuple[list[Channel], list[str], list[str]]:
    """Decode the channels of one signal stretch and compare them with the header; return also notes and doubts."""
    _check_files(base, header)
    try:
        record = wfdb.rdrecord(str(base), physical=False, smooth_frames=False, ignore_skew=True)
        values = record.dac(expanded=True)
    except Exception as error:  # whatever a decoder raises on damaged data
        raise RecordError(f"the signal file of {base} cannot be decoded ({error}); it may be damaged.") from error
    if not record.sig_len:
        raise RecordError(f"{base} has no samples.")
    names = [(name or "").strip() or f"channel {index}" for index, name in enumerate(record.sig_name)]
    gains = [_gain_and_unit(line) for line in _header_lines(_header_of(base))[1:]]
    channels = []
    for index, (name, (_, unit)) in enumerate(zip(names, gains, strict=True)):
        per_frame = record.samps_per_frame[index] or 1
        skew = (record.skew[index] or 0) * per_frame  # the channel lags by so many samples
        shifted = np.append(values[index][skew:], np.full(skew, np.nan))
        channels.append(Channel(name, shifted, unit or "mV", float(record.fs * per_frame)))
    doubts = [*_missing_calibration(base, names, gains), *_contradictions(base, record, names)]
    return channels, _assumptions(base, names, gains), doubts


def _join_segments(base: Path, header: wfdb.MultiRecord) -> _Segment:
    """Read a multi-segment record. A lead that a segment lacks, and an empty segment ("~"), become NaN."""
    parts = [
        (length, None if name == "~" else _read_part(base, name, length))
        for name, length in zip(header.seg_name, header.seg_len, strict=True)
        if length  # a length of 0 marks the layout header of a variable-layout record
    ]
    present = [part for _, part in parts if part is not None]
    if not present:
        raise RecordError(f"{base} has no segment with a signal.")
    total = sum(length for length, _ in parts)
    if header.sig_len is not None and header.sig_len != total:
        raise RecordError(f"{base}.hea says {header.sig_len} samples, but its segments add up to {total}.")
    rates = sorted({part.fs for part in present})
    if len(rates) > 1:
        raise RecordError(f"the segments of {base} have different sampling rates ({rates} Hz); expected one rate.")
    _require_leads(base, {lead for part in present for lead in part.leads})
    per_frame = rates[0] / header.fs
    if per_frame < 1 or per_frame % 1:
        raise RecordError(f"{base}.hea says {header.fs:g} Hz, but its segments have {rates[0]:g} Hz.")
    joined = {
        lead: np.concatenate(
            [
                part.leads[lead]
                if part is not None and lead in part.leads
                else np.full(round(length * per_frame), np.nan)
                for length, part in parts
            ]
        )
        for lead in LEADS
    }
    merged = {
        name: list(dict.fromkeys(item for part in present for item in getattr(part, name)))
        for name in ("dropped", "notes", "doubts")
    }
    merged["notes"].append(f"Joined from {len(parts)} segments.")
    return _Segment(rates[0], joined, **merged)


def _read_part(base: Path, name: str, length: int) -> _Segment:
    path = base.parent / name
    if not _header_of(path).is_file():
        raise RecordError(f"the segment {name} of {base} is missing: there is no {_header_of(path)}.")
    header = _read_header(path)
    if isinstance(header, wfdb.MultiRecord):
        raise RecordError(f"the segment {name} of {base} has segments itself, which WFDB does not allow.")
    if header.sig_len is not None and header.sig_len != length:
        raise RecordError(f"{base}.hea gives segment {name} {length} samples; {name}.hea says {header.sig_len}.")
    return _read_segment(path, header)


def _unify_rates(segment: _Segment, rates: dict[str, float]) -> None:
    """Bring leads with different numbers of samples per frame to the highest rate among them."""
    if not rates:
        return
    segment.fs = max(rates.values())
    slower = [lead for lead, rate in rates.items() if rate < segment.fs]
    for lead in slower:
        segment.leads[lead] = resample(segment.leads[lead], rates[lead], segment.fs)
    if slower:
        segment.notes.append(f"Resampled {', '.join(slower)} to the rate of the other leads, {segment.fs:g} Hz.")


# Comparing header and data


def _require_leads(base: Path, leads) -> None:
    missing = [lead for lead in LEADS if lead not in leads]
    if not missing:
        return
    derivable = set(missing) <= set(LIMB_LEADS[2:])
    hint = " They follow from I and II: see leadwise.ecg.leads.derive_limb_leads." if derivable else ""
    raise RecordError(f"{base} lacks the leads {', '.join(missing)}; expected the twelve standard leads.{hint}")


def _check_files(base: Path, header: wfdb.Record) -> None:
    """Check that each signal file is there and long enough for what the header says."""
    for name in dict.fromkeys(header.file_name):
        path = base.parent / name
        if not path.is_file():
            raise RecordError(f"the signal file {path} is missing; {base.name}.hea names it. Copy both files there.")
        if header.sig_len is not None and (held := _samples_held(base, header, name)) < header.sig_len:
            raise RecordError(
                f"{path} is truncated: it holds {held} samples a channel, and its header says {header.sig_len}. "
                "Fetch it again."
            )


def _samples_held(base: Path, header: wfdb.Record, name: str) -> float:
    """Return how many whole frames a signal file holds; infinity where the format has no fixed size."""
    channels = [index for index, file in enumerate(header.file_name) if file == name]
    size = BYTES.get(header.fmt[channels[0]])
    if size is None:
        return np.inf
    per_frame = sum(header.samps_per_frame[index] or 1 for index in channels)
    held = (base.parent / name).stat().st_size - (header.byte_offset[channels[0]] or 0)
    return max(0, int((held + 1e-6) / size) // per_frame)


def _gain_and_unit(line: str) -> tuple[str, str]:
    """Return gain and unit of a signal line as they are written: "1000.0(0)/mV" gives ("1000.0", "mV")."""
    fields = line.split()
    gain, _, unit = fields[2].partition("/") if len(fields) > 2 else ("", "", "")
    return gain.partition("(")[0], unit


def _assumptions(base: Path, names: list[str], gains: list[tuple[str, str]]) -> list[str]:
    unitless = [name for name, (_, unit) in zip(names, gains, strict=True) if not unit]
    notes = []
    if unitless:
        notes.append(f"The header gives no unit for {', '.join(unitless)}; mV, the WFDB default, is assumed.")
    if (said := _header_lines(_header_of(base))[0].split()[0]) != base.name:
        notes.append(f"The file is named {base.name}, but its header calls the record {said}.")
    return notes


def _missing_calibration(base: Path, names: list[str], gains: list[tuple[str, str]]) -> list[str]:
    doubts = []
    if len(_header_lines(_header_of(base))[0].split()) < 3:
        doubts.append("The header gives no sampling rate; 250 Hz, the WFDB default, is assumed.")
    missing = [name for name, (gain, _) in zip(names, gains, strict=True) if not gain.strip("0.")]
    if missing:
        doubts.append(
            f"The header gives no gain for {', '.join(missing)}; 200 units per mV, the WFDB default, is assumed."
        )
    return doubts


def _contradictions(base: Path, record: wfdb.Record, names: list[str]) -> list[str]:
    """Compare checksums, first samples and lengths with what the header says; wfdb ignores all three."""
    doubts, channels = [], list(zip(names, record.e_d_signal, record.checksum, record.init_value, strict=True))
    altered = [
        name
        for name, samples, checksum, _ in channels
        if checksum is not None and (int(np.sum(samples, dtype=np.int64)) - checksum) % 65536
    ]
    if altered:
        doubts.append(
            f"Header and data disagree: wrong checksum for {', '.join(altered)}; the file was altered or damaged."
        )
    moved = [name for name, samples, _, first in channels if first is not None and int(samples[0]) != first]
    if moved:
        doubts.append(f"Header and data disagree: the header gives another first sample for {', '.join(moved)}.")
    for name in dict.fromkeys(record.file_name):
        surplus = _samples_held(base, record, name) - record.sig_len
        if 0 < surplus < np.inf:
            doubts.append(
                f"Header and data disagree: {name} holds {surplus} more samples a channel; they are left out."
            )
    return doubts


def _millivolts_per_unit(base: Path, channels: list[Channel]) -> list[float | None]:
    """Return each channel's factor to mV; None for a channel that is no lead and no voltage."""
    factors = [MILLIVOLTS.get(channel.unit.casefold()) for channel in channels]
    unknown = [
        f"{channel.name}: {channel.unit!r}"
        for channel, factor in zip(channels, factors, strict=True)
        if factor is None and standard_name(channel.name)
    ]
    if unknown:
        raise RecordError(f"{base} has leads in unknown units ({', '.join(unknown)}); expected V, mV, µV or nV.")
    return factors


def _doubts_about(signal: np.ndarray, fs: float) -> list[str]:
    """Say what is invalid, flat or implausible in a signal (12, T), mV."""
    doubts = []
    for lead, row in zip(LEADS, signal, strict=True):
        invalid = ~np.isfinite(row)
        if invalid.all():
            doubts.append(f"Lead {lead} has no valid sample: all are NaN.")
            continue
        if invalid.any():
            doubts.append(
                f"Lead {lead} has {invalid.sum()} invalid samples (NaN), at {_seconds(invalid_ranges(invalid), fs)}."
            )
        if np.ptp(row[~invalid]) == 0:
            doubts.append(f"Lead {lead} is flat: {row[~invalid][0]:g} mV throughout.")
            continue
        still = [(start, stop + 1) for start, stop in invalid_ranges(np.diff(row) == 0)]
        long = [(start, stop) for start, stop in still if stop - start >= FLAT_SECONDS * fs]
        if long:
            doubts.append(f"Lead {lead} is constant at {_seconds(long, fs)}.")
    finite = [row[np.isfinite(row)] for row in signal if np.isfinite(row).any()]
    spread = max((float(np.ptp(np.percentile(row, [1, 99]))) for row in finite), default=0.0)
    if not 0.05 <= spread <= 20 and spread > 0:
        doubts.append(
            f"The largest lead spans {spread:.3g} mV, implausible for an ECG: check gain and units in the header."
        )
    return doubts


def _seconds(ranges: list[tuple[int, int]], fs: float) -> str:
    return _some([f"{start / fs:.3f}-{stop / fs:.3f} s" for start, stop in ranges])


def _some(items: list[str], most: int = 6) -> str:
    """Join names, at most so many of them."""
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")
