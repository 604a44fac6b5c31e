"""Check a recording before a network sees it: is it long enough, in the right unit, connected correctly, clean?

Each check measures one thing and compares it with a limit from ``LIMITS``, where the reason for the limit stands beside
it. A finding is an **error** where the networks cannot run or their answer means nothing, a **warning** where a person
should look before believing anything, and **info** otherwise. The checks are about the recording, never about the
heart: they diagnose nothing.

What cannot be seen: an exchange of left arm and left leg leaves no certain trace (Batchvarov et al. 2007), it is never
more than a suspicion; and chest leads in the wrong order look like some patients.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from itertools import combinations

import numpy as np
from scipy import signal as sps

from leadwise.ecg.calibration import INDEPENDENT, cut_calibration
from leadwise.ecg.delineation import Delineation, delineate
from leadwise.ecg.filters import invalid_ranges
from leadwise.ecg.leads import CHEST_LEADS, LEADS, LIMB_LEADS
from leadwise.ecg.record import ECG, WINDOW_SECONDS

SEVERITIES = ("error", "warning", "info")
NO_FAULT = "no technical fault found; this says nothing about the heart."
KLIGFIELD = "Kligfield et al. 2007, doi:10.1161/CIRCULATIONAHA.106.180200"
BATCHVAROV = "Batchvarov, Malik, Camm 2007, doi:10.1093/europace/eum198"
# From QRS axis and P amplitudes, as here: 22 % of the exchanges found, 0.2 % false alarms in more than 18,000 ECGs. The
# milder rule "P larger in I than in II" has a very low specificity (Ohlsson, Heden, Edenbrandt, LU TP 99-24).
INTERCHANGED = "doi:10.1016/j.jelectrocard.2014.08.015"
RIJNBEEK = "Rijnbeek et al. 2001, doi:10.1053/euhj.2000.2399"
HAQ = "Haq, Javadekar, Tereshchenko 2021, doi:10.1016/j.compbiomed.2021.104396"


@dataclass(frozen=True)
class Limit:
    """A number that a measurement is compared with.

    Parameters
    ----------
    value : in ``unit``
    unit : "Hz", "s", "mV" ...; "" for a share
    reason : why this value; where it comes from
    """

    value: float
    unit: str
    reason: str


LIMITS = {
    "lowest rate": Limit(100, "Hz", "a QRS of 80 ms needs at least eight samples; the chain's 40-Hz low-pass, 80 Hz"),
    "advised rate": Limit(
        250, "Hz", f"500 Hz are recommended for a bandwidth of 150 Hz ({KLIGFIELD}); half of it serves"
    ),
    "highest rate": Limit(10_000, "Hz", "no electrocardiograph stores more; the header is wrong"),
    "window": Limit(4, "s", "the networks look at 2000 samples at 500 Hz"),
    "full length": Limit(
        10, "s", "the networks were trained on 10-s recordings, filtered as a whole (Gumpfer et al. 2024)"
    ),
    "long": Limit(60, "s", "only one window of 4 s is explained at a time"),
    "flat": Limit(2, "s", "longer than the pause between two beats at 30 a minute; no living lead is constant"),
    "flat limb lead": Limit(
        0.06, "mV", f"an almost flat I, II or III is the sign of a right-leg cable swap ({BATCHVAROV})"
    ),
    "clipped run": Limit(
        0.010, "s", "a real extreme lasts one or two samples; a plateau of 10 ms is the converter's rail"
    ),
    "clipped share": Limit(0.01, "", "more than 1 % of the samples at the rail: the shape of the waves is lost"),
    "largest recording": Limit(6, "mV", "peak to peak of the median lead, typically 1.2; hypertrophy stays below 4"),
    "smallest recording": Limit(0.25, "mV", "peak to peak of the median lead; low voltage is below 0.5 in limb leads"),
    "largest lead": Limit(12, "mV", "peak to peak; the tallest QRS of hypertrophy stay below"),
    "smallest lead": Limit(0.4, "mV", "peak to peak of the largest lead; low voltage is below 1.0 in the chest leads"),
    "piece": Limit(2, "s", "one heartbeat at 30 a minute: what a lead spans is judged piece by piece"),
    "einthoven": Limit(0.06, "mV", "rounding and filters leave some µV; half a small square of paper is seen by eye"),
    "einthoven share": Limit(0.1, "", "of the largest limb lead: what follows from unequal filtering of the leads"),
    "identical": Limit(0.002, "", "of the lead's height: no two electrodes record the same to two thousandths"),
    "opposite": Limit(-0.9, "", "correlation of neighbouring chest leads V4 to V6, which see the heart from one side"),
    "offset": Limit(
        5, "mV", "electrode half-cell potentials are removed by the recorder; the chain removes what is left"
    ),
    "wander": Limit(1.0, "mV", "peak to peak below 0.5 Hz: as large as a QRS; the chain bends ST while removing it"),
    "hum": Limit(0.05, "mV", "amplitude at 50 or 60 Hz: half a small square, the size of small P waves"),
    "muscle": Limit(0.04, "mV", "rms above 40 Hz between the QRS: about 0.2 mV peak to peak hides P waves"),
    "slowest heart": Limit(25, "/min", "slower than escape rhythms; more often fs is given too low"),
    "fastest heart": Limit(250, "/min", "faster than conducted rhythms; more often fs is given too high"),
    "youngest": Limit(16, "years", f"below, other limits hold for every wave ({RIJNBEEK})"),
    "spike": Limit(0.2, "mV", f"within 6 ms out and back; a pacemaker's pulse lasts up to 2 ms, and is steep ({HAQ})"),
}
"""Name -> limit. The numbers are for finding faults of a recording, not for grading it."""


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Parameters
    ----------
    check : key of ``CHECKS``
    severity : "error", "warning" or "info"
    leads : the leads concerned; all twelve where the recording as a whole is
    measured, expected, advice : what was measured, what was expected, what to do; text
    """

    check: str
    severity: str
    leads: tuple[str, ...]
    measured: str
    expected: str
    advice: str

    def __str__(self):
        where = "" if self.leads == LEADS else f" ({', '.join(self.leads)})"
        parts = (self.measured, self.expected and f"expected: {self.expected}", self.advice)
        return f"{self.severity.upper()} {self.check}{where}: {'; '.join(filter(None, parts))}."


@dataclass(frozen=True)
class Report:
    """What the checks found on one recording.

    Parameters
    ----------
    name : the recording
    findings : errors first, then warnings, then infos
    """

    name: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """True where no finding is an error: the networks may be run."""
        return not self.of("error")

    def of(self, severity: str) -> tuple[Finding, ...]:
        """Return the findings of one severity."""
        if severity not in SEVERITIES:
            raise ValueError(f"no severity {severity!r}; expected one of {', '.join(SEVERITIES)}.")
        return tuple(finding for finding in self.findings if finding.severity == severity)

    @property
    def verdict(self) -> str:
        """One sentence."""
        errors, warnings = len(self.of("error")), len(self.of("warning"))
        if errors:
            return f"{_count(errors, 'error')}, {_count(warnings, 'warning')}: do not run a network on it."
        return f"{_count(warnings, 'warning')}: look before you believe." if warnings else NO_FAULT

    def __str__(self):
        return "\n".join([f"{self.name}: {self.verdict}", *(f"  {finding}" for finding in self.findings)])

    def _repr_html_(self):
        head = f"<b>{escape(self.name)}</b>: {escape(self.verdict)}"
        if not self.findings:
            return f"<p>{head}</p>"
        titles = ("", "check", "leads", "measured", "expected", "what to do")
        rows = [
            (f.severity, f.check, "all" if f.leads == LEADS else ", ".join(f.leads), f.measured, f.expected, f.advice)
            for f in self.findings
        ]
        cell = "style='text-align:left;vertical-align:top'"
        body = "".join(f"<tr>{''.join(f'<td {cell}>{escape(text)}</td>' for text in row)}</tr>" for row in rows)
        return f"<p>{head}</p><table><tr>{''.join(f'<th {cell}>{t}</th>' for t in titles)}</tr>{body}</table>"


def check_ecg(ecg: ECG, start: float | None = None) -> Report:
    """Check a recording with every row of ``CHECKS``.

    Parameters
    ----------
    ecg : as read, at any rate; best before ``preprocess``, which hides offsets, wander and hum. A calibration pulse at
        its ends is left out, with a note
    start : seconds; where the 4 s begin that will be explained. What a lead spans is judged there; None: everywhere

    Returns
    -------
    Report : never raises on a recording, however bad it is

    Examples
    --------
    >>> from leadwise import simulate_ecg
    >>> check_ecg(simulate_ecg("NORM", seed=3)).ok
    True
    """
    material = _Material(cut_calibration(ecg), start)
    findings = [replace(found, check=name) for name, check in CHECKS.items() for found in check(material)]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Report(ecg.record_id or "unnamed recording", tuple(findings))


class _Material:
    """One recording as the checks see it: invalid samples bridged, statistics computed once."""

    def __init__(self, ecg: ECG, start: float | None = None):
        self.ecg, self.fs, self.start = ecg, ecg.fs, start
        self.invalid = ~np.isfinite(ecg.signal)
        self.usable = [
            lead for lead, row, bad in zip(LEADS, ecg.signal, self.invalid, strict=True)
            if row.size > 1 and bad.mean() < 0.5 and np.ptp(row[~bad]) > 0
        ]  # fmt: skip
        self.sane_rate = LIMITS["lowest rate"].value <= self.fs <= LIMITS["highest rate"].value

    @cached_property
    def rows(self) -> dict[str, np.ndarray]:
        """Lead -> samples (T,), float64, invalid ones bridged by straight lines; usable leads only."""
        index = np.arange(self.ecg.samples)
        bad = dict(zip(LEADS, self.invalid, strict=True))
        rows = {lead: self.ecg.lead(lead).astype(float) for lead in self.usable}
        return {lead: np.interp(index, index[~bad[lead]], row[~bad[lead]]) for lead, row in rows.items()}

    def by_lead(self, function: Callable[[np.ndarray], np.ndarray]) -> dict[str, np.ndarray]:
        """Return lead -> result of a function of all usable leads at once, (L, T) -> (L, ...)."""
        return dict(zip(self.rows, function(np.stack(list(self.rows.values()))), strict=True)) if self.rows else {}

    @cached_property
    def drift(self) -> dict[str, np.ndarray]:
        """Lead -> what it has below 0.5 Hz, (T,); the median where rate or length allow no filter."""
        if self.sane_rate and self.ecg.duration > 1:
            return self.by_lead(lambda rows: self.band(rows, 0, 0.5))
        return self.by_lead(lambda rows: np.median(rows, axis=1, keepdims=True) + 0 * rows)

    @cached_property
    def level(self) -> dict[str, np.ndarray]:
        """Lead -> samples without their drift, (T,)."""
        return {lead: row - self.drift[lead] for lead, row in self.rows.items()}

    @cached_property
    def heights(self) -> dict[str, float]:
        """Lead -> mV from peak to peak within 0.1 and 99.9 %, slow drift removed."""
        return {lead: float(np.ptp(np.percentile(row, [0.1, 99.9]))) for lead, row in self.level.items()}

    @cached_property
    def pieces(self) -> np.ndarray:
        """The pieces of 2 s, (pieces, 2): [start, stop) in samples; the last ends with the record and may overlap."""
        width = max(min(round(LIMITS["piece"].value * self.fs), self.ecg.samples), 1)
        starts = np.arange(0, self.ecg.samples - width + 1, width)
        if len(starts) and starts[-1] + width < self.ecg.samples:
            starts = np.append(starts, self.ecg.samples - width)
        return np.stack([starts, starts + width], axis=1)

    @cached_property
    def spans(self) -> dict[str, np.ndarray]:
        """Lead -> mV from peak to peak in each piece, (pieces,)."""
        if not len(self.pieces):
            return {}
        index = self.pieces[:, :1] + np.arange(self.pieces[0, 1] - self.pieces[0, 0])
        return {
            lead: np.ptp(np.percentile(row[index], [0.5, 99.5], axis=1), axis=0) for lead, row in self.level.items()
        }

    @cached_property
    def shown(self) -> np.ndarray:
        """Whether the explained window touches each piece, (pieces,); True everywhere where it is not known."""
        if self.start is None or not 0 <= self.start < self.ecg.duration:
            return np.ones(len(self.pieces), bool)
        first, last = (at * self.fs for at in (self.start, self.start + WINDOW_SECONDS))
        return (self.pieces[:, 0] < last - 1) & (self.pieces[:, 1] > first + 1) | (len(self.pieces) == 1)

    def band(self, rows: np.ndarray, low: float, high: float) -> np.ndarray:
        """Return the part of rows (..., T) between two frequencies, Hz; low 0: all below."""
        wanted = high if low == 0 else [low, min(high, 0.45 * self.fs)]
        kind = "low" if low == 0 else "band"
        return sps.sosfiltfilt(sps.butter(2, wanted, kind, fs=self.fs, output="sos"), rows, padtype="odd")

    @cached_property
    def waves(self) -> Delineation:
        """P, QRS and T, where the rate makes sense; samples at the recording's rate."""
        if not self.sane_rate or not self.rows:
            return Delineation((), (), self.fs)
        signal = np.zeros_like(self.ecg.signal)
        for lead, row in self.rows.items():
            signal[LEADS.index(lead)] = row
        return delineate(ECG(signal, self.fs))

    def has(self, *leads: str) -> bool:
        return set(leads) <= set(self.rows)


def _found(severity: str, measured: str, expected: str = "", advice: str = "", leads=LEADS) -> Finding:
    return Finding("", severity, tuple(leads), measured, expected, advice)


# The checks: each takes the material and yields findings


def _rate(material: _Material) -> Iterator[Finding]:
    low, advised, high = (LIMITS[key].value for key in ("lowest rate", "advised rate", "highest rate"))
    fs = material.fs
    if not low <= fs <= high:
        yield _found("error", f"{fs:g} Hz", f"{low:g} to {high:g} Hz", "give the true rate: read_ecg(..., fs=500)")
    elif fs < advised:
        advice = "use it with caution: the tops of narrow QRS complexes are cut"
        yield _found("warning", f"{fs:g} Hz", f"{advised:g} Hz or more", advice)
    elif fs != 500:
        yield _found("info", f"{fs:g} Hz", "500 Hz", "resample it: ecg.resample(500)")


def _duration(material: _Material) -> Iterator[Finding]:
    seconds = material.ecg.duration
    window, full, long = (LIMITS[key].value for key in ("window", "full length", "long"))
    if seconds < window * (1 - 1e-6):
        advice = "record longer; padding would show the network something that no heart does"
        yield _found("error", f"{seconds:.3g} s", f"{window:g} s or more", advice)
    elif seconds < full * (1 - 1e-3):
        advice = "the filters' edge effects differ from those of the training recordings; compare with care"
        yield _found("warning", f"{seconds:.3g} s", f"{full:g} s", advice)
    elif seconds > long:
        yield _found("info", f"{seconds:.0f} s", "", "only one window of 4 s is explained at a time: choose its start")


def _invalid(material: _Material) -> Iterator[Finding]:
    gone = [lead for lead, bad in zip(LEADS, material.invalid, strict=True) if bad.size and bad.all()]
    if gone:
        yield _found("error", "no valid sample: the lead is missing", "twelve leads", "record it again", gone)
    some = [lead for lead, bad in zip(LEADS, material.invalid, strict=True) if bad.any() and lead not in gone]
    if some:
        rows = [LEADS.index(lead) for lead in some]
        gaps = invalid_ranges(material.invalid[rows].any(axis=0))
        where = ", ".join(f"{start / material.fs:.2f}-{stop / material.fs:.2f} s" for start, stop in gaps[:4])
        more = f" and {len(gaps) - 4} more" if len(gaps) > 4 else ""
        yield _found(
            "error",
            f"{material.invalid[rows].sum()} invalid samples (NaN) at {where}{more}",
            "none",
            _clean_part(material),
            some,
        )  # fmt: skip


def _clean_part(material: _Material) -> str:
    parts = invalid_ranges(~material.invalid.any(axis=0))
    start, stop = max(parts, key=lambda part: part[1] - part[0], default=(0, 0))
    if (stop - start) / material.fs < LIMITS["window"].value:
        return "record it again: no 4 s are free of them"
    first = np.ceil(1000 * start / material.fs) / 1000  # whole milliseconds can be typed
    return f"use the part without them: ecg.window({first:.10g}, samples={stop - round(first * material.fs)})"


def _flat(material: _Material) -> Iterator[Finding]:
    whole, long = [], []
    for lead, row, bad in zip(LEADS, material.ecg.signal, material.invalid, strict=True):
        if bad.all():
            continue
        if np.ptp(row[~bad]) == 0:
            whole.append(lead)
        elif _longest((row[1:] == row[:-1]) & ~bad[1:]) >= LIMITS["flat"].value * material.fs:
            long.append(lead)
    if whole:
        yield _found(
            "error", "constant throughout", "a signal", "electrode off or lead not recorded: record again", whole
        )
    if long:
        advice = "lost contact; choose a window without it"
        yield _found("warning", f"constant for {LIMITS['flat'].value:g} s or longer", "a signal", advice, long)
    limit = LIMITS["flat limb lead"].value
    low = [lead for lead in ("I", "II", "III") if material.has(lead) and material.heights[lead] < limit]
    if low and max(material.heights.values()) > LIMITS["smallest lead"].value:
        measured = ", ".join(f"{lead} spans {material.heights[lead]:.3f} mV" for lead in low)
        advice = "check whether the right-leg cable was exchanged with an arm's"
        yield _found("warning", measured, f"{limit:g} mV or more", advice, low)


def _longest(flags: np.ndarray) -> int:
    """Return the length of the longest run of True, (T,)."""
    ends = np.flatnonzero(~np.concatenate(([False], flags, [False])))
    return int(np.diff(ends).max()) - 1


def _clipping(material: _Material) -> Iterator[Finding]:
    shortest = max(4, round(LIMITS["clipped run"].value * material.fs))
    clipped = {}
    for lead, row in material.rows.items():
        at_rail = np.zeros(len(row), bool)
        for level in (row.max(), row.min()):
            for start, stop in invalid_ranges(row == level):
                at_rail[start:stop] = stop - start >= shortest
        if len(invalid_ranges(at_rail)) >= 2:
            clipped[lead] = at_rail.mean()
    if clipped:
        worst = max(clipped.values())
        severity = "error" if worst > LIMITS["clipped share"].value else "warning"
        advice = "the converter was driven into its limit: record with a larger range"
        yield _found(severity, f"up to {worst:.1%} of the samples lie at the rail", "no plateaus", advice, clipped)


def _amplitude(material: _Material) -> Iterator[Finding]:
    """The unit is judged by the median lead: one bad electrode makes one lead too large, a wrong unit all of them."""
    shown = {lead: spans[material.shown] for lead, spans in material.spans.items() if spans[material.shown].size}
    if not shown:
        return
    usual = {lead: float(np.median(spans)) for lead, spans in shown.items()}
    middle = float(np.median(list(usual.values())))
    low, high = LIMITS["smallest recording"].value, LIMITS["largest recording"].value
    if low <= middle <= high:
        yield from _tall_leads(material, usual)
        return
    factor = 10.0 ** round(np.log10(max(middle, 1e-30) / 1.2))  # 1.2 mV: what the median lead usually spans
    known = {1e3: " (µV read as mV)", 1e-3: " (V read as mV, or mV as µV)", 1e6: " (nV read as mV)"}
    guess = f"about {factor:g} times too large" if factor > 1 else f"about {1 / factor:g} times too small"
    advice = f"if that is not the patient, the unit or gain is wrong{known.get(factor, '')}: read_ecg(..., unit=...)"
    measured = f"the median lead spans {middle:.3g} mV: {guess if factor != 1 else 'unusual'}"
    yield _found("error", measured, f"{low:g} to {high:g} mV", advice)


def _tall_leads(material: _Material, usual: dict[str, float]) -> Iterator[Finding]:
    """Yield leads that alone are too large: throughout or in the window, an error; for a while elsewhere, a warning."""
    limit, middle = LIMITS["largest lead"].value, float(np.median(list(usual.values())))
    tall = {lead: spans > limit for lead, spans in material.spans.items() if (spans > limit).any()}
    known = not material.shown.all()
    bad = [lead for lead, over in tall.items() if usual[lead] > limit or (known and over[material.shown].any())]
    for severity, leads, advice in (
        ("error", bad, "its electrode is loose or its gain wrong: choose a window without it, or record again"),
        ("warning", [lead for lead in tall if lead not in bad], "a loose electrode; choose a window without it"),
    ):
        if leads:
            runs = invalid_ranges(np.any([tall[lead] for lead in leads], axis=0))
            times = material.pieces / material.fs
            where = ", ".join(f"{times[first, 0]:g}-{times[last - 1, 1]:g} s" for first, last in runs[:4])
            most = max(float(material.spans[lead].max()) for lead in leads)
            measured = (
                f"{' and '.join(leads)} up to {most:.3g} mV at {where}, where the median lead spans {middle:.2g} mV"
            )
            yield _found(severity, measured, f"up to {limit:g} mV", advice, leads)


def _einthoven(material: _Material) -> Iterator[Finding]:
    if not material.has(*LIMB_LEADS) or not material.sane_rate:
        return
    limb = np.stack([material.level[lead] for lead in LIMB_LEADS])
    limit = max(LIMITS["einthoven"].value, LIMITS["einthoven share"].value * np.ptp(limb, axis=1).max())
    left = _law_residual(limb)
    if left <= limit:
        return
    repairs = {
        f"exchanging {LIMB_LEADS[a]} and {LIMB_LEADS[b]}": _exchanged(limb, a, b) for a, b in combinations(range(6), 2)
    }
    repairs |= {f"turning {lead} over": _turned(limb, i) for i, lead in enumerate(LIMB_LEADS)}
    name, best = min(((name, _law_residual(rows)) for name, rows in repairs.items()), key=lambda item: item[1])
    advice = f"{name} would repair it: correct the lead names" if best < min(limit, left / 5) else (
        "leads were mislabelled, damaged, or filtered one by one"
    )  # fmt: skip
    concerned = [lead for lead in LIMB_LEADS if lead in name.split()] if best < min(limit, left / 5) else LIMB_LEADS
    expected = f"I + III = II and Goldberger's laws within {limit:.2f} mV"
    yield _found("error", f"the laws of the limb leads fail by {left:.2f} mV", expected, advice, concerned)


def _law_residual(limb: np.ndarray) -> float:
    """Return by how many mV six limb leads (6, T), as in LIMB_LEADS, fail Einthoven's and Goldberger's laws."""
    i, ii, iii, avr, avl, avf = limb
    laws = np.stack([i + iii - ii, avr + (i + ii) / 2, avl - (i - iii) / 2, avf - (ii + iii) / 2])
    return float(np.percentile(np.abs(laws), 99.5, axis=1).max())


def _exchanged(limb: np.ndarray, a: int, b: int) -> np.ndarray:
    order = np.arange(6)
    order[[a, b]] = b, a
    return limb[order]


def _turned(limb: np.ndarray, index: int) -> np.ndarray:
    return limb * np.where(np.arange(6) == index, -1, 1)[:, None]


# Cable swap -> the directions that P and QRS then take together: lead -> allowed signs, 1 up, -1 down, 0 neither.
# After Batchvarov et al. 2007: with the arms exchanged, P-QRS is negative in I, opposite to V6, and no longer negative
# in aVR; with right arm and left leg exchanged, II is turned over. A heart on the right side turns I and aVR over as
# well, but then R shrinks from V1 to V6 and S prevails there, so that an upright V6 speaks against it.
PATTERNS: dict[str, dict[str, tuple[int, ...]]] = {
    "right arm and left leg exchanged": {"II": (-1,), "aVR": (1,), "V6": (1,)},
    "left and right arm exchanged": {"I": (-1,), "aVR": (0, 1), "V6": (1,)},
    "the whole recording upside down": {"I": (-1,), "II": (-1,), "aVR": (1,), "V5": (-1,), "V6": (-1,)},
}
SIGNS = {1: "up", -1: "down", 0: "both ways"}


def _cables(material: _Material) -> Iterator[Finding]:
    directions = {lead: _directions(material, lead) for lead in ("I", "II", "aVR", "V5", "V6") if material.has(lead)}
    for name, pattern in PATTERNS.items():
        if all(directions.get(lead) in allowed for lead, allowed in pattern.items()):
            seen = ", ".join(f"{SIGNS[directions[lead]]} in {lead}" for lead in pattern)
            alike = "; in a heart on the right side V6 would not point up" if pattern["V6"] == (1,) else ""
            advice = f"check the cables ({BATCHVAROV}){alike}"
            yield _found("warning", f"P and QRS point {seen}: {name}?", "up in I and II, down in aVR", advice, pattern)
            return
    yield from _arm_and_leg(material)


# Degrees. Left arm and left leg exchanged mirror the frontal plane: an axis a becomes 60 - a. A sinus P points to 0 to
# 75, mostly 45 to 70: mirrored, it points above 0, still upright in I and II but less than half as large in II as in I.
# QRS must be such that it would be normal, -30 to 90, the other way round too.
P_MIRRORED, QRS_MIRRORED = (-30, 0), (-30, 90)


def _arm_and_leg(material: _Material) -> Iterator[Finding]:
    if not material.has("I", "II"):
        return
    by_lead = [_net_areas(material, lead) for lead in ("I", "II")]
    if not all({"P", "QRS"} <= set(areas) for areas in by_lead):
        return
    p, qrs = (_axis(*(areas[kind] for areas in by_lead)) for kind in ("P", "QRS"))
    if P_MIRRORED[0] < p < P_MIRRORED[1] and QRS_MIRRORED[0] <= qrs <= QRS_MIRRORED[1]:
        measured = f"P points to {p:.0f}°, QRS to {qrs:.0f}°: left arm and left leg exchanged?"
        advice = f"check the cables; most are right all the same ({INTERCHANGED}): compare with an earlier ECG"
        yield _found("warning", measured, "a P more than half as large in II as in I", advice, ("I", "II", "III"))


def _axis(one: float, two: float) -> float:
    """Return the direction in the frontal plane, degrees, from what leads I and II see of it."""
    return float(np.degrees(np.arctan2((2 * two - one) / np.sqrt(3), one)))


def _net_areas(material: _Material, lead: str) -> dict[str, float]:
    """Return the median over the beats of the mean (mV) of P, QRS and T in a lead, those that two beats have."""
    row, waves = material.rows[lead], material.waves
    sizes: dict[str, list[float]] = {kind: [] for kind in ("P", "QRS", "T")}
    for wave in waves.of("P") + waves.of("QRS") + waves.of("T"):
        piece = row[wave.onset : wave.offset]
        if len(piece) > 2:
            line = np.linspace(piece[0], piece[-1], len(piece))
            sizes[wave.kind].append(float(np.mean(piece - line)))
    return {kind: float(np.median(values)) for kind, values in sizes.items() if len(values) >= 2}


def _directions(material: _Material, lead: str) -> int:
    """Return 1 where P and QRS (without P: QRS and T) of a lead point up, -1 where they point down, 0 otherwise."""
    middle = _net_areas(material, lead)
    if "QRS" not in middle or len(middle) < 2:
        return 0
    kinds = ("P", "QRS") if "P" in middle else ("QRS", "T")
    signs = {int(np.sign(middle[kind])) for kind in kinds}
    return signs.pop() if len(signs) == 1 else 0


def _neighbours(material: _Material) -> Iterator[Finding]:
    pairs = [pair for pair in (("V4", "V5"), ("V5", "V6")) if material.has(*pair)]
    opposite = [
        pair for pair in pairs
        if np.corrcoef(material.level[pair[0]], material.level[pair[1]])[0, 1] < LIMITS["opposite"].value
    ]  # fmt: skip
    if opposite:
        leads = [lead for lead in CHEST_LEADS if any(lead in pair for pair in opposite)]
        measured = " and ".join(f"{a} and {b} are mirror images" for a, b in opposite)
        yield _found("warning", measured, "neighbours that resemble each other", "one may be upside down", leads)


def _copies(material: _Material) -> Iterator[Finding]:
    same = []
    for a, b in combinations(material.rows, 2):
        difference = np.ptp(material.rows[a] - material.rows[b])
        if difference < LIMITS["identical"].value * np.ptp(material.rows[a]):
            same.append((a, b))
    if same:
        leads = [lead for lead in LEADS if any(lead in pair for pair in same)]
        measured = ", ".join(f"{a} and {b}" for a, b in same[:6]) + " hold the same signal"
        yield _found("error", measured, "twelve different leads", "a lead was copied: correct the lead names", leads)


def _offset(material: _Material) -> Iterator[Finding]:
    limit = LIMITS["offset"].value
    far = {lead: float(np.median(row)) for lead, row in material.rows.items() if abs(np.median(row)) > limit}
    if far:
        measured = f"the middle lies at up to {max(far.values(), key=abs):.3g} mV"
        advice = "the chain removes a constant; a wrong zero of the converter may hide a wrong gain"
        yield _found("warning", measured, f"within {limit:g} mV of zero", advice, far)


def _wander(material: _Material) -> Iterator[Finding]:
    if not material.sane_rate or material.ecg.duration < 2:
        return
    limit = LIMITS["wander"].value
    drift = {lead: float(np.ptp(row)) for lead, row in material.drift.items()}
    far = {lead: size for lead, size in drift.items() if size > limit}
    if far:
        advice = "the chain removes it and bends the ST segment; do not read ST from these leads"
        yield _found("warning", f"up to {max(far.values()):.2g} mV of drift", f"below {limit:g} mV", advice, far)


def _hum(material: _Material) -> Iterator[Finding]:
    limit = LIMITS["hum"].value
    for mains in (50, 60):
        if not material.sane_rate or material.fs < 2.4 * mains or material.ecg.duration < 2:
            continue
        tones = material.by_lead(lambda rows, mains=mains: _tones(rows, material.fs, mains))  # type: ignore[misc]
        loud = {lead: size for lead, size in tones.items() if size > limit}
        if loud:
            measured = f"{max(loud.values()):.2g} mV at {mains} Hz"
            left = "28 %" if mains == 50 else "17 %"  # |H|^2 of a 2nd-order Butterworth at 40 Hz
            advice = f"keep mains cables away; the chain's low-pass leaves about {left}, its notch removes nothing"
            yield _found("warning", measured, f"below {limit:g} mV", advice, loud)


def _tones(rows: np.ndarray, fs: float, mains: float) -> np.ndarray:
    """Return, for rows (L, T), the amplitude (mV) at a mains frequency above that of the spectrum beside it, (L,)."""
    width = min(rows.shape[1], round(4 * fs))
    frequency, power = sps.welch(rows, fs, window="hann", nperseg=width, scaling="density")
    away = np.abs(frequency - mains)
    near, beside = away <= 0.8, (away > 1.5) & (away < 4)
    excess = power[:, near].sum(1) - np.median(power[:, beside], axis=1) * near.sum()
    return np.sqrt(2 * excess.clip(min=0) * frequency[1])


def _muscle(material: _Material) -> Iterator[Finding]:
    if not material.sane_rate or material.fs < 200 or material.ecg.duration < 2:
        return
    limit = LIMITS["muscle"].value
    tremor = material.by_lead(lambda rows: _tremor(rows, material))
    noisy = {lead: size for lead, size in tremor.items() if size > limit}
    if noisy:
        advice = "let the patient rest and warm; the chain's low-pass removes most, but also rounds the QRS"
        measured = f"up to {max(noisy.values()):.2g} mV rms above 40 Hz"
        yield _found("warning", measured, f"below {limit:g} mV", advice, noisy)


def _tremor(rows: np.ndarray, material: _Material) -> np.ndarray:
    """Return the typical rms (mV) of 40-150 Hz without mains, (L,): the median over pieces of 0.1 s skips the QRS."""
    rest = material.band(rows, 40, 150)
    for mains in (50, 60):
        rest = sps.filtfilt(*sps.iirnotch(mains, 15, fs=material.fs), rest)
    width = round(0.1 * material.fs)
    pieces = rest[:, : rest.shape[1] // width * width].reshape(len(rest), -1, width)
    return np.median(np.sqrt(np.mean(pieces**2, axis=2)), axis=1)


def _heart_rate(material: _Material) -> Iterator[Finding]:
    if not material.sane_rate or not material.rows or material.ecg.duration < 2:
        return
    interval = material.waves.intervals()["RR"]
    low, high = LIMITS["slowest heart"].value, LIMITS["fastest heart"].value
    if not np.isfinite(interval):
        reason = material.waves.failed[0].reason if material.waves.failed else "no two beats"
        advice = "check unit, leads and noise; it may be no ECG"
        yield _found("error", f"no heartbeats recognised: {reason.rstrip('.')}", "QRS complexes", advice)
    elif not low <= 60_000 / interval <= high:
        advice = "if that is not the patient, fs is wrong: read_ecg(..., fs=...)"
        yield _found("warning", f"{60_000 / interval:.0f} beats a minute", f"{low:g} to {high:g}", advice)


PACED = {  # SNOMED CT codes, as in the headers of the CinC challenges
    "10370003": "pacing rhythm", "251266004": "ventricular pacing pattern", "251268003": "atrial pacing pattern",
}  # fmt: skip


def _pacing(material: _Material) -> Iterator[Finding]:
    advice = "the networks were not trained on paced hearts: do not take the QRS for a bundle branch block"
    said = [name for code, name in PACED.items() if code in material.ecg.metadata.get("dx", "")]
    if said:
        yield _found("warning", f"the header says {' and '.join(said)}", "an unpaced heart", advice)
        return
    if not material.rows or not 240 <= material.fs <= LIMITS["highest rate"].value:
        return  # at a lower rate the pulses fall between the samples
    independent = [material.rows[lead] for lead in INDEPENDENT if lead in material.rows]
    spikes = _spikes(np.array(independent), material.fs)
    if len(spikes) >= 3:
        where = ", ".join(f"{at:.2f}" for at in spikes[:3])
        measured = f"{len(spikes)} spikes of a few ms, in several leads at once, the first at {where} s"
        yield _found("warning", f"{measured}: a pacemaker's?", "none", f"{advice}; or look for interference")


def _spikes(rows: np.ndarray, fs: float) -> np.ndarray:
    """Return the times (s) of spikes in rows (L, T): up or down and back within 12 ms, beside which the line is smooth.

    A spike is 0.2 mV or more above the line through its neighbours, four times what these, up to 18 ms away, stray from
    their own line, and ten times what is usual in the lead; in three leads at once. An R peak of any size is rounder.
    """
    step = max(round(0.006 * fs), 1)
    if len(rows) < 3 or rows.shape[1] < 6 * step + 1:
        return np.zeros(0)
    at = np.arange(3 * step, rows.shape[1] - 3 * step)
    near = np.stack([rows[:, at + k * step] for k in (-3, -2, -1, 1, 2, 3)])
    offsets = np.array([-3, -2, -1, 1, 2, 3])[:, None, None]
    slope = (near * offsets).sum(0) / (offsets**2).sum()
    line = near.mean(0)
    strays = np.abs(near - line - slope * offsets).max(0)
    height = np.abs(rows[:, at] - line)
    usual = np.median(height, axis=1, keepdims=True)
    spikes = ((height > LIMITS["spike"].value) & (height > 4 * strays) & (height > 10 * usual)).sum(0) >= 3
    return np.array([(3 * step + (start + stop) / 2) / fs for start, stop in invalid_ranges(spikes)])


def _age(material: _Material) -> Iterator[Finding]:
    years = _years(material.ecg.metadata.get("age", ""))
    if years is not None and years < LIMITS["youngest"].value:
        advice = f"the networks and the criteria are for adults; a child's ECG has other limits ({RIJNBEEK})"
        yield _found("warning", f"age {years:.3g} years", f"{LIMITS['youngest'].value:g} or more", advice)


PER_YEAR = {"": 1.0, "y": 1.0, "yr": 1.0, "year": 1.0, "mo": 12.0, "month": 12.0, "week": 52.18, "day": 365.25}


def _years(text: str) -> float | None:
    """Return an age in years from "12", "12 years", "5 months", "10 days", or DICOM's "006M"; None where it is none."""
    number = r"\s*(\d{1,3}(?:\.\d{1,3})?)\s*([a-z]*?)s?\.?\s*"
    dicom = re.fullmatch("(\\d{3})([DWMY])", str(text).strip())
    found = dicom or re.fullmatch(number, str(text)[:40].lower())
    units = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0} if dicom else PER_YEAR
    return float(found[1]) / units[found[2]] if found and found[2] in units else None


def _notes(material: _Material) -> Iterator[Finding]:
    for note in material.ecg.notes:
        yield _found("info", note.rstrip("."))


CHECKS: dict[str, Callable[[_Material], Iterator[Finding]]] = {
    "sampling rate": _rate,
    "duration": _duration,
    "invalid samples": _invalid,
    "flat line": _flat,
    "clipping": _clipping,
    "amplitude": _amplitude,
    "limb leads": _einthoven,
    "cables": _cables,
    "chest leads": _neighbours,
    "copied leads": _copies,
    "heartbeats": _heart_rate,
    "pacing": _pacing,
    "age": _age,
    "offset": _offset,
    "baseline wander": _wander,
    "mains hum": _hum,
    "muscle noise": _muscle,
    "notes of the reader": _notes,
}
"""Name -> check. Each takes the recording, prepared, and yields findings."""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
