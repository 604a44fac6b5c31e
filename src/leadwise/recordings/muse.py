"""GE MUSE XML ("RestingECG") as recordings: the rhythm of eight leads, 16 bits in Base64; the others are computed.

The median beats that the file holds besides are no recording.
"""

import base64
import re
import zlib
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from leadwise.recordings.recording import Channel, RecordError, Recording, check_size, some
from leadwise.recordings.xml_file import number, parse, text_of


def read(path: Path, count: int | None) -> Recording:
    """Return the leads of the longest rhythm of a MUSE file."""
    root = parse(path)
    waveforms = root.findall("Waveform")
    rhythms = [waveform for waveform in waveforms if (text_of(waveform, "WaveformType") or "").casefold() == "rhythm"]
    if not rhythms:
        kinds = some([text_of(waveform, "WaveformType") or "unnamed" for waveform in waveforms]) or "none"
        raise RecordError(f"{path.name} holds no rhythm; its waveforms: {kinds}. Export the full disclosure of 10 s.")
    longest = max(rhythms, key=lambda rhythm: len(rhythm.findtext("LeadData/WaveFormData") or ""))
    leads = longest.findall("LeadData")
    for key in ("LeadTimeOffset", "LeadOffsetFirstSample"):
        starts = {text_of(lead, key) for lead in leads}
        if len(starts) > 1:
            raise RecordError(f"the leads of {path.name} begin at different times: {some(sorted(map(str, starts)))}.")
    rate = _rate(longest, path.name)
    channels = [replace(_lead(lead, path.name), fs=rate) for lead in leads]
    others = f"{len(rhythms) - 1} shorter rhythm{'s' * (len(rhythms) > 2)}"
    notes = [f"Left out {others}."] if len(rhythms) > 1 else []
    people = root.find("PatientDemographics")
    said = {"age": text_of(people, "PatientAge"), "sex": text_of(people, "Gender")}
    return Recording(channels, path.stem, notes, metadata={key: value for key, value in said.items() if value})


def _rate(waveform: Element, name: str) -> float | None:
    """Return samples a second, SampleBase x 10 ^ SampleExponent, or None where one of them is absent."""
    base, exponent = text_of(waveform, "SampleBase"), text_of(waveform, "SampleExponent")
    if base is None or exponent is None:
        return None
    power = number(exponent, f"SampleExponent of {name}")
    if not -9 <= power <= 9:
        raise RecordError(f"SampleExponent of {name} is {exponent}; expected a whole number, usually 0.")
    return number(base, f"SampleBase of {name}") * 10.0**power


def _lead(element: Element, name: str) -> Channel:
    """Return one lead, without its rate."""
    label = text_of(element, "LeadID")
    of = f"of lead {label} of {name}"
    width = number(text_of(element, "LeadSampleSize"), f"LeadSampleSize {of}")
    if width != 2:
        raise RecordError(f"LeadSampleSize {of} is {width:g} bytes; expected 2.")
    text = "".join((element.findtext("WaveFormData") or "").split())
    check_size(name, 1, len(text) * 3 / 8)
    if re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", text) is None or len(text) % 4:
        raise RecordError(f"WaveFormData {of} is no Base64; export it again.")
    data = base64.b64decode(text)
    samples = number(text_of(element, "LeadSampleCountTotal"), f"LeadSampleCountTotal {of}")
    if len(data) != 2 * samples:
        raise RecordError(f"lead {label} of {name} has {len(data)} bytes; its {samples:g} samples are {2 * samples:g}.")
    unit, scale = text_of(element, "LeadAmplitudeUnits"), text_of(element, "LeadAmplitudeUnitsPerBit")
    values = np.frombuffer(data, "<i2").astype(float)
    if scale is not None:
        values *= number(scale, f"LeadAmplitudeUnitsPerBit {of}")
    return Channel(label, values, unit if scale is not None else None, doubts=_doubts(element, label, data))


def _doubts(element: Element, label: str | None, data: bytes) -> tuple[str, ...]:
    """Say what the recorder marks, and whether the checksum is wrong."""
    doubts = []
    if (text_of(element, "LeadOff") or "").casefold() == "true":
        doubts.append(f"The recorder says that an electrode of lead {label} was off.")
    check = text_of(element, "LeadDataCRC32")
    if check is not None and check != str(zlib.crc32(data)):
        doubts.append(f"The checksum of lead {label} is wrong: the file may have been changed.")
    return tuple(doubts)
