"""What the labels of channels and units mean: "EKG V1" is lead V1, "µV" a thousandth of a millivolt."""

import re
from typing import SupportsFloat

import numpy as np

from leadwise.ecg.leads import standard_name

# Unit -> mV. Case is ignored: some archives write "mv" or "MV", and no ECG is in megavolts. Both Unicode micro signs
# become a Greek mu under casefold.
MILLIVOLTS = {"v": 1e3, "mv": 1.0, "uv": 1e-3, "μv": 1e-3, "nv": 1e-6, "volt": 1e3, "millivolt": 1.0, "microvolt": 1e-3}

_UNIT = re.compile(r"[\s_/,]*[(\[]\s*(n|u|µ|μ|m)?v\s*[)\]]$|[\s_/,]+(n|u|µ|μ|m)v$", re.I)
_LABEL = re.compile(
    r"(?:(?:ecg|ekg|lead|ableitung)(?:\s*-\s+|[_:.\-]+\s*|\s+)?)*"  # "EKG V1", "Lead I", "ECG-II"
    r"(?P<turned>-\s*)?(?P<lead>i{1,3}|d(?:[123]|i{1,3})|av[rlf]|v[1-6])"
    r"(?:[\s_-]*(?:ref|wct|avg))?",
    re.I,
)
_LONGEST = 100  # characters; a longer label names no lead
_OTHER_NAMES = {"d1": "I", "d2": "II", "d3": "III", "di": "I", "dii": "II", "diii": "III"}
ALMOST = {"mlii": "a modified lead of Holter recorders, with the electrodes on the trunk, not lead II"}


def lead_name(label: str | None) -> tuple[str, int] | None:
    """Return the standard lead that a channel's label means and its sign, or None where it means none.

    "EKG V1", "Lead I", "ECG aVR-Ref", "DII" and "II (mV)" are understood. "-aVR", as in Cabrera's order, is aVR upside
    down: ("aVR", -1). "MLII" is no standard lead; "C3" may be an EEG electrode.

    >>> lead_name("EKG V1"), lead_name("-aVR"), lead_name("MLII")
    (('V1', 1), ('aVR', -1), None)
    """
    if len(label or "") > _LONGEST:
        return None
    text = _UNIT.sub("", (label or "").strip().replace("−", "-").replace("–", "-"))
    match = _LABEL.fullmatch(text)
    if match is None:
        return None
    short = match["lead"].casefold()
    return standard_name(_OTHER_NAMES.get(short, short)), -1 if match["turned"] else 1


def unit_in(label: str | None) -> str | None:
    """Return the unit that a label ends with, "II (µV)" or "V1_mV", or None."""
    match = _UNIT.search((label or "").strip()[-_LONGEST:])
    return match.group(0).strip(" _/,()[]") if match else None


def millivolts(unit: str | float) -> float:
    """Return the factor from a unit to mV: of a name ("uV" -> 0.001) or of a number (mV of one step -> itself)."""
    factor = factor_of(unit)
    if factor is None or not 0 < factor < np.inf:
        raise ValueError(
            f"unit is {unit!r}; expected V, mV, uV or nV, or a positive number: the millivolts of one step."
        )
    return factor


def factor_of(unit: str | float | None) -> float | None:
    """Return the factor from a unit to mV, or None where its name is no unit of voltage."""
    if isinstance(unit, str):
        short = unit.replace("Â", "").strip().casefold()  # UTF-8 read as Latin-1
        return MILLIVOLTS.get(short, MILLIVOLTS.get(short.removesuffix("s")))
    return as_number(unit, "unit")


def as_number(value: SupportsFloat | str, what: str) -> float:
    """Return a value as a float; a ValueError that names ``what`` where it is none."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{what} is {value!r}; expected a number.") from error
