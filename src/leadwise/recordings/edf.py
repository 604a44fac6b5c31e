"""EDF, EDF+ and BDF, parsed here as edfplus.info describes them; ``edfio`` is the peer that the tests compare with.

What names the patient is not read, and dates need not make sense. Sizes are computed from the file, not believed.

https://www.edfplus.info/specs/edf.html, https://www.edfplus.info/specs/edfplus.html
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leadwise.recordings.labels import factor_of, lead_name
from leadwise.recordings.recording import Channel, RecordError, Recording, check_size, some
from leadwise.recordings.wfdb import unpack_24

ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
# Width of each field of the header's second part, one of each kind after another for all signals.
FIELDS = {
    "label": 16, "transducer": 80, "unit": 8, "physical_min": 8, "physical_max": 8, "digital_min": 8, "digital_max": 8,
    "prefilter": 80, "samples": 8, "reserved": 32,
}  # fmt: skip
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_ONSET = re.compile(rb"([-+][0-9]+(?:\.[0-9]*)?)(?:\x15[0-9.]*)?\x14")


@dataclass(frozen=True)
class Layout:
    """What the header says about the file as a whole.

    Parameters
    ----------
    signals : one dict a signal: key of ``FIELDS`` -> text
    sizes : samples of each signal in a data record
    records : number of data records that the header announces, or None where it does not know
    seconds : duration of a data record
    width : bytes a sample
    gaps : True where data records need not follow each other (EDF+D)
    """

    signals: list[dict[str, str]]
    sizes: list[int]
    records: int | None
    seconds: float
    width: int
    gaps: bool


def read(path: Path, count: int | None) -> Recording:
    """Return the signals of an EDF or BDF file; annotations are no channels."""
    layout = _read_header(path)
    start, per_record = 256 * (len(layout.signals) + 1), sum(layout.sizes)
    held, rest = divmod(path.stat().st_size - start, max(1, per_record * layout.width))
    records = held if layout.records is None else min(held, layout.records)
    if not records:
        size = per_record * layout.width
        raise RecordError(f"{path.name} has no samples: it holds no whole data record of {size} bytes.")
    is_signal = [signal["label"] not in ANNOTATIONS for signal in layout.signals]
    check_size(
        path.name, 1, records * sum(size for size, wanted in zip(layout.sizes, is_signal, strict=True) if wanted)
    )
    notes = [*_length_notes(layout, held, rest), *_scale_notes(layout.signals)]
    raw = np.fromfile(path, np.uint8, records * per_record * layout.width, offset=start)
    rows = raw.reshape(records, per_record * layout.width)
    channels, at = [], 0
    for signal, size, wanted in zip(layout.signals, layout.sizes, is_signal, strict=True):
        piece = rows[:, at * layout.width : (at + size) * layout.width]
        at += size
        if wanted and size:
            channels.append(_channel(signal, _integers(piece, layout.width), size, layout.seconds))
    if not channels:
        raise RecordError(f"{path.name} holds annotations and no signal; its recording is in another file.")
    if layout.gaps:
        _refuse_gaps(path, layout, rows)
    return Recording(channels, path.stem, notes)


def _read_header(path: Path) -> Layout:
    with path.open("rb") as file:
        first = file.read(256)
        count = _whole(first[252:256].decode("latin-1"), path, "number of signals", 1)
        second = file.read(256 * count)
    if len(first) + len(second) < 256 * (count + 1):
        raise RecordError(f"{path.name} is no valid EDF file: it ends inside its header. Export it again.")
    text = first.decode("latin-1")  # every byte: µ is no ASCII, yet common
    if _whole(text[184:192], path, "size of the header", 0) != 256 * (count + 1):
        raise RecordError(
            f"{path.name} is no valid EDF file: {count} signals need a header of {256 * (count + 1)} bytes, and it "
            f"says {_clean(text[184:192])!r}. Export it again."
        )
    signals = _signals(second.decode("latin-1"), count)
    sizes = [_whole(signal["samples"], path, f"samples a record of {signal['label']!r}", 0) for signal in signals]
    records = _whole(text[236:244], path, "number of data records", -1)
    seconds = _number(text[244:252])
    if not 0 <= seconds < np.inf:
        raise RecordError(f"{path.name} is no valid EDF file: a data record lasts {_clean(text[244:252])!r} seconds.")
    width = 3 if first[0] == 0xFF else 2
    return Layout(signals, sizes, None if records < 0 else records, seconds, width, text[195:197] == "+D")


def _signals(text: str, count: int) -> list[dict[str, str]]:
    signals: list[dict[str, str]] = [{} for _ in range(count)]
    at = 0
    for name, width in FIELDS.items():
        for signal in signals:
            signal[name] = _clean(text[at : at + width])
            at += width
    return signals


def _clean(text: str) -> str:
    """Return a field without its padding: blanks, or NUL as some programs write."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text).strip()


def _number(text: str) -> float:
    """Return a field as a number, NaN where it is none."""
    text = _clean(text)
    return float(text) if _NUMBER.fullmatch(text) else float("nan")


def _whole(text: str, path: Path, what: str, least: int) -> int:
    value = _number(text)
    if not (least <= value < 2**31 and value == int(value)):
        raise RecordError(
            f"{path.name} is no valid EDF file: its {what} is {_clean(text)!r}; expected a whole number, at least "
            f"{least}. Export it again."
        )
    return int(value)


def _length_notes(layout: Layout, held: int, rest: int) -> list[str]:
    """Compare the number of data records, and of bytes after the last whole one, with what the header says."""
    if layout.records is None:
        notes = ["The header does not say how many data records there are; all that the file holds are read."]
    elif held < layout.records:
        return [f"The file is truncated: its header says {layout.records} data records, and it holds {held}."]
    else:
        extra = held - layout.records
        notes = [f"The file holds {extra} more data records than its header says; they are left out."] if extra else []
    return [*notes, f"The file ends with {rest} bytes that make no data record."] if rest else notes


def _integers(piece: np.ndarray, width: int) -> np.ndarray:
    raw = np.ascontiguousarray(piece).reshape(-1)
    return raw.view("<i2") if width == 2 else unpack_24(raw)


def _channel(signal: dict[str, str], steps: np.ndarray, size: int, seconds: float) -> Channel:
    """Return one signal in its unit; calibration that makes no sense is an error only where the channel is a lead."""
    gain, bottom, low, high = _scale(signal)
    fs = size / seconds if seconds else None
    if not 0 < abs(gain) < np.inf:
        if lead_name(signal["label"]):
            digits, values = (f"{signal[f'{kind}_min']} to {signal[f'{kind}_max']}" for kind in ("digital", "physical"))
            raise RecordError(
                f"channel {signal['label']!r} maps the digits {digits} to {values} {signal['unit']}: no scale. Repair "
                "it."
            )
        return Channel(signal["label"], steps.astype(float), None, fs)
    turned = (f"{signal['label']}: its smallest digit means its highest value; turned over.",) if gain < 0 else ()
    beyond = int(np.count_nonzero((steps < low) | (steps > high)))
    doubts = (f"{signal['label']}: {beyond} samples lie outside the range that the header gives.",) if beyond else ()
    return Channel(signal["label"], (steps - low) * gain + bottom, signal["unit"] or None, fs, turned, doubts)


def _scale(signal: dict[str, str]) -> tuple[float, float, float, float]:
    """Return units a digit (NaN where the header gives no scale), the lowest value, the lowest and highest digit."""
    low, high = _number(signal["digital_min"]), _number(signal["digital_max"])
    bottom, top = _number(signal["physical_min"]), _number(signal["physical_max"])
    whole = low < high and low == round(low) and high == round(high)
    return (top - bottom) / (high - low) if whole else np.nan, bottom, low, high


def _scale_notes(signals: list[dict[str, str]]) -> list[str]:
    """Say which leads have another scale than most."""
    scales = {signal["label"]: _scale(signal)[0] * (factor_of(signal["unit"]) or np.nan) for signal in signals}
    scales = {label: scale for label, scale in scales.items() if lead_name(label) and scale == scale}
    usual = float(np.median(list(scales.values()))) if scales else 0.0
    others = [label for label, scale in scales.items() if abs(scale - usual) > 0.01 * abs(usual)]
    return [f"The header gives {some(others)} another scale than the other leads."] if others else []


def _refuse_gaps(path: Path, layout: Layout, rows: np.ndarray) -> None:
    """Refuse an EDF+D file whose data records do not follow each other, as the first annotation of each says."""
    labels = [signal["label"] for signal in layout.signals]
    at = next((number for number, label in enumerate(labels) if label in ANNOTATIONS), None)
    if at is None:
        raise RecordError(f"{path.name} may have gaps (EDF+D), and no annotations say where. Export it as EDF+C.")
    start, stop = (layout.width * sum(layout.sizes[:number]) for number in (at, at + 1))
    found = [_ONSET.match(row[start:stop].tobytes()) for row in rows]
    if not all(found):
        raise RecordError(f"{path.name} may have gaps (EDF+D): data record {found.index(None) + 1} has no time.")
    onsets = np.array([float(match[1]) for match in found])
    sample = layout.seconds / max(layout.sizes[:at] + layout.sizes[at + 1 :], default=1)
    gaps = np.flatnonzero(np.abs(np.diff(onsets) - layout.seconds) > sample / 2)
    if gaps.size:
        places = some([f"{onsets[i] + layout.seconds:g} s" for i in gaps])
        raise RecordError(f"{path.name} has gaps (EDF+D), at {places}. Export a continuous piece of it.")
