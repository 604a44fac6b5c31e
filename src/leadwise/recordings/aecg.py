"""HL7 annotated ECG (aECG, the XML that the FDA takes) as recordings.

A series is a set of sequences: one of times, a head and an increment, and one a lead, whole digits with an origin and a
scale. HL7 aECG Implementation Guide, release 1, 2005.
"""

import warnings
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from leadwise.recordings.labels import factor_of
from leadwise.recordings.recording import Channel, RecordError, Recording, check_size
from leadwise.recordings.xml_file import number, parse

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
LEAD = "MDC_ECG_LEAD_"


def read(path: Path, count: int | None) -> Recording:
    """Return the leads of the longest set of sequences; representative beats, which are derived, are left out."""
    root = parse(path)
    sets = root.findall("component/series/component/sequenceSet")
    if not sets:
        raise RecordError(f"{path.name} holds no series with a set of sequences.")
    recordings = [_channels(each, path.name) for each in sets]
    longest = max(recordings, key=lambda channels: max((len(channel.samples) for channel in channels), default=0))
    left = len(sets) - 1
    notes = [f"Left out {left} shorter set{'s' * (left > 1)} of sequences; the longest is read."] if left else []
    return Recording(longest, path.stem, notes)


def _channels(sequences: Element, name: str) -> list[Channel]:
    rate, channels = None, []
    for sequence in sequences.findall("component/sequence"):
        code = (sequence.find("code").get("code") if sequence.find("code") is not None else None) or ""
        value = sequence.find("value")
        kind = (value.get("type") or "").rpartition(":")[2] if value is not None else "nothing"
        if code in ("TIME_ABSOLUTE", "TIME_RELATIVE"):
            rate = _rate(value, kind, name)
        elif kind == "SLIST_PQ":
            channels.append(_channel(code, value, name))
        elif code.startswith(LEAD):
            raise RecordError(f"{name} holds {code} as {kind}; expected SLIST_PQ: digits with an origin and a scale.")
    return [Channel(channel.name, channel.samples, channel.unit, rate) for channel in channels]


def _rate(value: Element, kind: str, name: str) -> float | None:
    """Return samples a second, or None where the increment has no unit of time."""
    increment = value.find("increment") if value is not None else None
    if not kind.startswith("GLIST") or increment is None:
        raise RecordError(f"{name} gives its times as {kind}; expected a head and an increment (GLIST_TS or GLIST_PQ).")
    step = number(increment.get("value"), f"the increment of time in {name}")
    unit = SECONDS.get(increment.get("unit") or "")
    if step <= 0:
        raise RecordError(f"the increment of time in {name} is {step:g}; expected a positive one, such as 0.002 s.")
    rate = None if unit is None else 1 / (step * unit)
    return float(round(rate)) if rate is not None and abs(rate - round(rate)) < 1e-6 * rate else rate


def _channel(code: str, value: Element, name: str) -> Channel:
    """Return a lead, origin + scale x digits, in the unit of both; in mV where their units differ."""
    origin, scale, digits = value.find("origin"), value.find("scale"), value.find("digits")
    if origin is None or scale is None or digits is None:
        raise RecordError(f"{code} in {name} lacks its origin, scale or digits.")
    numbers = _digits(digits, f"{code} in {name}")
    shift = number(origin.get("value"), f"the origin of {code} in {name}")
    step = number(scale.get("value"), f"the scale of {code} in {name}")
    units = [scale.get("unit"), origin.get("unit") if shift else scale.get("unit")]
    label = code.removeprefix(LEAD)
    if units[0] == units[1]:
        return Channel(label, numbers * step + shift, units[0])
    factors = [None if unit is None else factor_of(unit) for unit in units]
    if None in factors:
        raise RecordError(f"{code} in {name} has a scale in {units[0]!r} and an origin in {units[1]!r}; repair it.")
    return Channel(label, numbers * step * factors[0] + shift * factors[1], "mV")


def _digits(element: Element, what: str) -> np.ndarray:
    text = element.text or ""
    check_size(what, 1, len(text) / 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # numpy warns where it stops at what is no number
        try:
            numbers = np.fromstring(text, float, sep=" ")
        except (DeprecationWarning, ValueError) as error:
            raise RecordError(f"the digits of {what} are no numbers; expected whole numbers and blanks.") from error
    if not np.array_equal(numbers, np.round(numbers)) or not np.isfinite(numbers).all():
        raise RecordError(f"the digits of {what} are not whole; expected whole numbers and blanks.")
    return numbers
