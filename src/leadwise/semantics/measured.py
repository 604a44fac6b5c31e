"""What is measured in a recording beside the limit of a criterion: a number with its error, or why there is none."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from leadwise.ecg.delineation import ERRORS, Delineation, delineate
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.semantics.criteria import criterion_of

NEIGHBOURS = (("aVL", "I"), ("I", "II"), ("II", "aVF"), ("aVF", "III"), *pairwise(LEADS[6:]))
"""Contiguous leads: by their angles in the frontal plane, side by side in the horizontal one. aVR has no neighbour."""

MISSING = {"PR": "P wave before a QRS complex", "QRS": "QRS complex", "QT": "T wave"}
ST_LIMIT = -0.05  # mV
REACHED = "reached, which is one of several parts"
BROAD_MS = 120.0
ST_MS, LEVEL_MS = 40, 20  # ST is read so long after QRS, from the level of so many ms before it


@dataclass(frozen=True)
class Interval:
    """One interval of a recording.

    Parameters
    ----------
    name : "PR", "QRS" or "QT"
    values : ms, one for each beat in which both ends were found
    beats : QRS complexes of the recording
    error : ms, of the median, as the delineation states it

    Examples
    --------
    >>> print(Interval("PR", (150.0, 160.0, 158.0), beats=4, error=10.0))
    158 ± 10 ms (3 of 4 beats)
    """

    name: str
    values: tuple[float, ...]
    beats: int
    error: float

    @property
    def median(self) -> float:
        """The median over the beats, ms; NaN where none could be measured."""
        return float(np.median(self.values)) if self.values else float("nan")

    @property
    def varies(self) -> bool:
        """Whether beats differ by more than the error explains, so that one number stands for none of them."""
        return bool(self.values) and max(self.values) - min(self.values) > 4 * self.error

    def __str__(self):
        if not self.values:
            missing = MISSING[self.name] if self.beats else "QRS complex"
            return f"not measured: no {missing} was found"
        found = f"{len(self.values)} of {self.beats} beats" if len(self.values) < self.beats else f"{self.beats} beats"
        spread = f", from {min(self.values):.0f} to {max(self.values):.0f}" if self.varies else ""
        return f"{self.median:.0f} ± {self.error:.0f} ms ({found}{spread})"

    def beside(self, limit: float) -> str:
        """Say on which side of a limit it lies, or that it is too close to say; "" where nothing was measured."""
        if not self.values:
            return ""
        if self.varies:
            return "beats differ, one number does not do for them"
        if abs(self.median - limit) <= self.error:
            return "too close to the limit to say"
        return REACHED if self.median > limit else "not reached"


def measure(ecg: ECG, found: Delineation | None = None) -> dict[str, Interval]:
    """Return PR, QRS and QT of a recording, with their errors.

    Parameters
    ----------
    ecg : the whole recording, raw: the published filters bend the line around P and T
    found : its delineation, where it is there already

    Examples
    --------
    >>> from leadwise import simulate_ecg
    >>> 90 < measure(simulate_ecg("NORM", seed=3))["QRS"].median < 120
    True
    """
    found = delineate(ecg) if found is None else found
    p, qrs, t = ({wave.beat: wave for wave in found.of(kind)} for kind in ("P", "QRS", "T"))
    spans = {
        "PR": [qrs[beat].onset - wave.onset for beat, wave in p.items() if beat in qrs],
        "QRS": [wave.offset - wave.onset for wave in qrs.values()],
        "QT": [wave.offset - qrs[beat].onset for beat, wave in t.items() if beat in qrs],
    }
    return {
        name: Interval(name, tuple(1000 * span / found.fs for span in values), len(qrs), ERRORS[name])
        for name, values in spans.items()
    }


def beside_criterion(pathology: str, ecg: ECG, found: Delineation | None = None) -> str:
    """Say what was measured beside the criterion of a pathology: "QRS >= 120 ms; measured 86 ± 10 ms: not reached".

    A limit that is reached is no diagnosis: the criterion has other parts, which are read by eye and not measured here.

    Parameters
    ----------
    pathology : a key of ``CRITERIA``
    ecg, found : as for :func:`measure`

    Examples
    --------
    >>> from leadwise import simulate_ecg
    >>> beside_criterion("LBBB", simulate_ecg("NORM", seed=3)).split(";")[0]
    'criterion: QRS >= 120 ms'
    """
    row, found = criterion_of(pathology), delineate(ecg) if found is None else found
    intervals = measure(ecg, found)
    if row.interval is None:
        said = _broad(intervals["QRS"]) or _st(st_levels(ecg, found))
        return f"criterion: ST from {-ST_LIMIT:g} mV below the line in two neighbouring leads; {said}"
    interval = intervals[row.interval]
    sign = ">=" if row.reached else ">"
    verdict = interval.beside(row.above)
    value = f"measured {interval}" if interval.values else str(interval)
    return f"criterion: {row.interval} {sign} {row.above:g} ms; {value}{f': {verdict}' if verdict else ''}"


def st_levels(ecg: ECG, found: Delineation | None = None) -> np.ndarray:
    """Return ST of each beat and lead, mV, (beats, 12): 40 ms after QRS, from the level just before QRS."""
    found = delineate(ecg) if found is None else found
    wide, late = (round(ms * ecg.fs / 1000) for ms in (LEVEL_MS, ST_MS))
    levels = [
        ecg.signal[:, wave.offset + late] - np.median(ecg.signal[:, wave.onset - wide : wave.onset], axis=1)
        for wave in found.of("QRS")
        if wave.onset >= wide and wave.offset + late < ecg.samples
    ]
    return np.array(levels).reshape(-1, len(LEADS))


def _broad(qrs: Interval) -> str:
    """Say why ST is not judged beside a broad QRS, as the universal definition has it; "" where it may be."""
    broad = bool(qrs.values) and qrs.median + qrs.error >= BROAD_MS
    return (
        f"not judged: QRS is {qrs.median:.0f} ± {qrs.error:.0f} ms, and ST turns against a broad QRS" if broad else ""
    )


def _st(levels: np.ndarray) -> str:
    """Say which two neighbouring leads are lowest, and on which side of the limit the less depressed of them lies."""
    if not len(levels) or not np.isfinite(levels).all():
        return "ST not measured: no QRS complex with a line before and after it was found"
    median, quartiles = np.median(levels, axis=0), np.percentile(levels, [25, 75], axis=0)
    errors = np.maximum(
        0.01, 1.85 * np.ptp(quartiles, axis=0) / np.sqrt(len(levels))
    )  # two standard errors of a median
    pair = min(NEIGHBOURS, key=lambda leads: max(median[LEADS.index(lead)] for lead in leads))
    at = [LEADS.index(lead) for lead in pair]
    decides = max(at, key=lambda i: median[i])
    close = abs(median[decides] - ST_LIMIT) <= errors[decides]
    verdict = "too close to the limit to say" if close else REACHED if median[decides] < ST_LIMIT else "not reached"
    named = ", ".join(f"{LEADS[i]} {median[i]:+.2f} ± {errors[i]:.2f}" for i in at).replace("-", "−")
    return f"measured {ST_MS} ms after QRS, lowest pair {named} mV: {verdict}. Slope and T are not measured"
