"""DICOM waveforms as recordings: 12-lead, general and ambulatory ECG, decoded by ``pydicom``.

The longest multiplex group is read. Which lead a channel is, its code says; its unit and scale, its sensitivity. What
names the patient is not read. DICOM PS3.3, C.10.9 and C.10.10; PS3.16, CID 3001.
"""

import io
import re
import warnings
from pathlib import Path

import numpy as np

from leadwise.recordings.labels import lead_name
from leadwise.recordings.recording import Channel, RecordError, Recording, border, check_size, some

CLASSES = {f"1.2.840.10008.5.1.4.1.1.9.1.{kind}" for kind in (1, 2, 3, 4)}  # 12-lead, general, ambulatory, 32 bits
MOST_BYTES = 100 * 2**20  # a 12-lead ECG has less than 1 MB
DEFLATED = "1.2.840.10008.1.2.1.99"
# Number of a lead, in the codes of ISO/IEEE 11073-10101 ("2:61", scheme MDC) and of SCP-ECG ("5.6.3-9-61") alike.
LEAD_CODES = {
    1: "I", 2: "II", 3: "V1", 4: "V2", 5: "V3", 6: "V4", 7: "V5", 8: "V6",
    61: "III", 62: "aVR", 63: "aVL", 64: "aVF", 65: "-aVR",
}  # fmt: skip
TYPES = {(8, "SB"): "i1", (8, "UB"): "u1", (16, "SS"): "i2", (16, "US"): "u2", (32, "SL"): "i4", (32, "UL"): "u4"}
_CODE = re.compile(r"(?:2:|5\.6\.3-9-)(\d{1,3})")


def read(path: Path, count: int | None) -> Recording:
    """Return the channels of the longest multiplex group of a DICOM file."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise RecordError(
            f"{path.name} has {size / 2**20:.0f} MB; of DICOM at most {MOST_BYTES / 2**20:.0f} MB are read."
        )
    try:
        import pydicom
    except ImportError as error:
        raise RecordError(f"{path.name} is a DICOM file; reading it takes pydicom: pip install pydicom.") from error
    with border(f"{path.name} is no valid DICOM file"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of odd values that are of no use here
        return _recording(_open(path, pydicom), path)


def _open(path: Path, pydicom):
    """Return the dataset of a file that holds an ECG; lengths that it claims are bounded by what it holds."""
    meta = pydicom.filereader.read_file_meta_info(path)
    if str(meta.get("TransferSyntaxUID", "")) == DEFLATED:
        raise RecordError(f"{path.name} is deflated DICOM; write it plainly: dcmconv +ti {path.name} plain.dcm.")
    dataset = pydicom.dcmread(io.BytesIO(path.read_bytes()))
    kind = dataset.get("SOPClassUID", meta.get("MediaStorageSOPClassUID"))
    if str(kind) not in CLASSES:
        name = getattr(kind, "name", None) or "of an unknown kind"
        raise RecordError(
            f"{path.name} is a DICOM file, but no ECG: {name}. Expected 12-lead or general ECG waveforms."
        )
    return dataset


def _recording(dataset, path: Path) -> Recording:
    groups = list(dataset.get("WaveformSequence") or [])
    if not groups:
        raise RecordError(f"{path.name} holds no waveforms.")
    longest = max(groups, key=_seconds)
    others = [f"{group.get('MultiplexGroupLabel') or 'without a name'} ({_seconds(group):g} s)" for group in groups]
    del others[next(i for i, group in enumerate(groups) if group is longest)]
    notes = [f"Left out the multiplex groups {some(others)}: the longest is read."] if others else []
    order = "<" if dataset.is_little_endian else ">"
    channels = _channels(longest, _samples(longest, order, path.name), path.name)
    said = {"age": dataset.get("PatientAge"), "sex": dataset.get("PatientSex")}
    return Recording(channels, path.stem, notes, metadata={key: str(value) for key, value in said.items() if value})


def _seconds(group) -> float:
    return float(group.get("NumberOfWaveformSamples") or 0) / float(group.get("SamplingFrequency") or 1)


def _samples(group, order: str, name: str) -> np.ndarray:
    """Return the numbers of a group, (T, channels)."""
    channels, samples = int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)
    check_size(name, channels, samples, "its header says")
    stored = (int(group.WaveformBitsAllocated), str(group.WaveformSampleInterpretation))
    if stored not in TYPES:
        raise RecordError(f"{name} stores samples as {stored[1]} of {stored[0]} bits; expected {some(_types(), 9)}.")
    kind = np.dtype(order + TYPES[stored])
    data, size = bytes(group.WaveformData), channels * samples * kind.itemsize
    if not size or not size <= len(data) <= size + 1:  # a byte fills an odd length
        raise RecordError(f"{name} has {len(data)} bytes of samples; {channels} x {samples} samples are {size} bytes.")
    return np.frombuffer(data[:size], kind).reshape(samples, channels)


def _types() -> list[str]:
    return [f"{letters} of {bits} bits" for bits, letters in TYPES]


def _channels(group, rows: np.ndarray, name: str) -> list[Channel]:
    definitions = list(group.ChannelDefinitionSequence)
    if len(definitions) != rows.shape[1]:
        raise RecordError(f"{name} defines {len(definitions)} channels, but holds {rows.shape[1]}.")
    _refuse_skew(definitions, group, name)
    rate = group.get("SamplingFrequency")
    padding = group.get("WaveformPaddingValue")
    padding = np.frombuffer(padding[: rows.itemsize], rows.dtype)[0] if padding else None
    return [
        _channel(definition, row, padding, None if rate is None else float(rate), name)
        for definition, row in zip(definitions, rows.T, strict=True)
    ]


def _channel(definition, row: np.ndarray, padding, rate: float | None, name: str) -> Channel:
    label = _label(definition, name)
    values = row.astype(float)
    unit = None
    if definition.get("ChannelSensitivity") is not None:
        factor = float(definition.ChannelSensitivity) * _number(definition, "ChannelSensitivityCorrectionFactor", 1.0)
        values = values * factor + _number(definition, "ChannelBaseline", 0.0)
        units = definition.get("ChannelSensitivityUnitsSequence")
        unit = str(units[0].CodeValue) if units else None
    if padding is not None:
        values[row == padding] = np.nan
    status = [text for text in _texts(definition.get("ChannelStatus")) if text != "OK"]
    doubts = [f"{label or 'A channel'} is marked {', '.join(status)}."] if status else []
    return Channel(label, values, unit, rate, doubts=tuple(doubts))


def _number(definition, keyword: str, default: float) -> float:
    value = definition.get(keyword)
    return default if value is None else float(value)


def _texts(value) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(part) for part in value]


def _label(definition, name: str) -> str | None:
    """Return the lead that a channel's code means, or what its code and label are called."""
    sources = definition.get("ChannelSourceSequence")
    source = sources[0] if sources else {}
    code = _CODE.fullmatch(str(source.get("CodeValue") or ""))
    by_code = LEAD_CODES.get(int(code[1])) if code else None
    words = [str(text) for text in (source.get("CodeMeaning"), definition.get("ChannelLabel")) if text]
    named = {lead_name(text) for text in words} - {None}
    if by_code and named - {lead_name(by_code)}:
        raise RecordError(f"{name} has a channel with the code of lead {by_code}, called {' and '.join(words)}.")
    return by_code or next((text for text in words if lead_name(text)), words[0] if words else None)


def _refuse_skew(definitions: list, group, name: str) -> None:
    """Refuse channels that begin a sample or more apart."""
    rate = float(group.get("SamplingFrequency") or 1)
    skews = [
        _number(each, "ChannelSampleSkew", 0.0) + rate * _number(each, "ChannelTimeSkew", 0.0) for each in definitions
    ]
    if max(skews) - min(skews) >= 1:
        raise RecordError(f"the channels of {name} begin up to {max(skews) - min(skews):g} samples apart; align them.")
