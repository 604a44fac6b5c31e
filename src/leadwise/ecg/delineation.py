"""Find P, QRS and T of every beat in a 12-lead ECG: neurokit2 for the beats, all leads together for the waves.

neurokit2 delineates one lead at a time (:func:`delineate_lead`). Its R and T peaks are good where the wave is upright,
but on simulated ECGs, whose waves are known, its borders are not (``tests/test_delineation.py`` holds the numbers), for
four reasons. :func:`delineate` therefore does otherwise:

- Its QRS begins at the downstroke of Q and ends at the upstroke of S (Martínez et al., IEEE Trans Biomed Eng 51, 2004,
  have more cases). Where a lead has no Q or no S, as in bundle branch block, the border jumps to P or T. Here QRS lasts
  as long as the heart vector moves fast: the spatial velocity rises for a QRS of any shape and direction (van Bemmel
  et al., Methods Inf Med 29, 1990).
- It sees no beat within 0.3 s of another. Here whatever is half as large as its beats and has their shape in all leads
  is a beat, too.
- It looks for upright T and P. Here the length of the heart vector is searched, in which all waves point upwards.
- It looks for P about 0.2 s before R, never earlier than 40 % of the beat, and always names one. First-degree AV block
  breaks the one, atrial fibrillation the other. Here P is the most prominent bump between T and QRS, and it counts only
  if it looks like the P waves of the other beats.

The heart vector is measured from the isoelectric line: just before each QRS it is zero, and in between the line is
interpolated (after Meyer and Keiser, Comput Biomed Res 10, 1977), so that no high-pass filter bends ST and T.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy import signal as sps
from scipy.interpolate import PchipInterpolator

from leadwise.ecg.filters import butterworth, zero_phase
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.ecg.waves import Kind, Wave

FS = 500.0  # everything below counts samples at this rate
INDEPENDENT = ("I", "II", *LEADS[6:])  # the other four limb leads repeat I and II
LEAST_SECONDS = 1.5
RATES = 50.0, 100_000.0  # Hz; at less, a QRS is three samples; no recorder takes more
QRS_OVER_REST = 4.0  # a QRS is at least so many times longer than the median heart vector; white noise reaches 2 to 3
BEAT_LIKENESS = 0.9  # least correlation, over all leads and 80 ms, of a beat that was passed over with most others
LEAST_RR_MS = 150  # two beats are at least so far apart: 400 a minute
LEAST_FLANK_MS = 16  # less, before or after the peak, is a plateau: a clipped QRS, in whose middle nothing moves
QUIET_MS = 24  # a QRS ends where the heart vector stays slow for so long
SLOW = (0.08, 0.12, 0.18, 0.25, 0.35)  # "slow", as a fraction of the QRS's fastest; the first that is ever reached
# The first and last forces of QRS are slow. It goes on, beyond SLOW, while the heart vector is faster than a smaller
# fraction, and than noise and a sloping ST segment are; but not for long: a P or T wave that touches QRS is as fast.
SLURRED, SLURRED_OVER_REST, SLURRED_MS = 0.02, 1.5, 20
EDGE = {"P": 0.05, "T": 0.08}  # a wave lasts while it exceeds this fraction of its peak
# A tangent meets the baseline before the wave is over: a Gaussian has 5 % of its height at 1.45 times that distance.
TANGENT = 1.45
SEEN = {"P": 0.15, "QRS": 0.05, "T": 0.15}  # one lead shows a wave while it exceeds this fraction of the largest lead
LEAST_SEEN = 0.02  # mV
ST_MS = 80  # the T wave's steepest fall comes at least so long after QRS
T_OVER_REST = 4.0  # a T wave is at least so many times longer than the heart vector at rest (its lowest tenth)
QT_LIMIT = 0.52  # s at 60 beats a minute, growing with the root of RR (Bazett 1920)
P_LIMIT_MS = 500  # P comes at most so long before QRS
P_OVER_QRS = 0.01  # P is at least so large a fraction of QRS; less is what the low-pass leaves of it
P_LIKENESS = 0.8  # least correlation, over all leads and 0.1 s, with the record's median P wave
PR_SPREAD_MS = 18  # P waves at less constant intervals must be more alike still, or they are fibrillation
P_LIKENESS_UNSTEADY = 0.975
PP_REGULAR, PP_SHARE = 0.12, 0.8  # a sinus node fires in whole P-P intervals: within this fraction of one, so often

WITHIN = {
    "cardiologists": {"PR": 12, "QRS": 24, "QT": 44, "P": 27, "T": 57},
    "simulated": {"PR": 8, "QRS": 20, "QT": 8, "P": 8, "T": 44},
}
"""ms: nine of ten records' median intervals, and durations of P and T, lie so near to what cardiologists marked in 100
real records (LUDB), and to the truth of simulated patients. ``benchmarks/delineation.py`` measures it."""

ERRORS: dict[str, float] = {name: max(row[name] for row in WITHIN.values()) for name in WITHIN["simulated"]}
"""ms: the error of a measured PR, QRS, QT, P or T, in nine of ten records, by whichever judge is the stricter. It is to
be shown beside every interval: "QRS 104 ms, +- 24 ms". A limit that lies within it is neither met nor missed."""

BORDERS = {
    "P onset": (10.0, 5.9),
    "P offset": (-6.0, 5.9),
    "QRS onset": (6.0, 5.9),
    "QRS offset": (-2.0, 5.9),
    "T onset": (10.0, 20.8),
    "T offset": (-10.0, 14.8),
}
"""ms: median and spread (a standard deviation's, from the median absolute deviation) of each border's error against
cardiologists; positive is late. Their QRS is longer than ours, the simulator's is shorter: the judges disagree on the
sign, so nothing is added to any border."""


@dataclass(frozen=True)
class Failure:
    """Something that could not be delineated.

    Parameters
    ----------
    beat : index of the heartbeat, from 0; None where the whole record failed
    kind : "P", "QRS" or "T"; None where the whole record failed
    sample : position of the beat's QRS; None where the whole record failed
    reason : one sentence
    """

    beat: int | None
    kind: Kind | None
    sample: int | None
    reason: str


@dataclass(frozen=True)
class Delineation:
    """The waves of an ECG.

    Parameters
    ----------
    waves : the waves found, in order of time: first those of all leads together (``lead`` is None), then lead by lead.
        A P wave that no QRS follows is a beat of its own
    failed : the waves that a beat should have and that were not found, with the reason
    fs : Hz, the rate that the samples count in
    """

    waves: tuple[Wave, ...]
    failed: tuple[Failure, ...]
    fs: float

    def of(self, kind: str, lead: str | None = None) -> tuple[Wave, ...]:
        """Return the waves of one kind, of all leads together or of one lead."""
        return tuple(wave for wave in self.waves if wave.kind == kind and wave.lead == lead)

    def blocked(self) -> tuple[Wave, ...]:
        """Return the P waves that no QRS follows, of all leads together: beats that were not conducted."""
        ventricles = {wave.beat for wave in self.of("QRS")} | self._lost()
        return tuple(wave for wave in self.of("P") if wave.beat not in ventricles)

    def _lost(self) -> set[int | None]:
        """Return the beats whose QRS is there and has no borders."""
        return {failure.beat for failure in self.failed if failure.kind == "QRS"}

    def intervals(self) -> dict[str, float]:
        """Return the medians over the beats of RR, PR, QRS and QT in ms; NaN where no beat has both ends.

        How far each may be from what a cardiologist measures stands in :data:`ERRORS`.
        """
        p, qrs, t = ({wave.beat: wave for wave in self.of(kind)} for kind in ("P", "QRS", "T"))
        lost = self._lost()
        spans = {
            "RR": [qrs[b].peak - qrs[a].peak for a, b in pairwise(sorted(qrs)) if lost.isdisjoint(range(a, b))],
            "PR": [qrs[beat].onset - wave.onset for beat, wave in p.items() if beat in qrs],
            "QRS": [wave.offset - wave.onset for wave in qrs.values()],
            "QT": [wave.offset - qrs[beat].onset for beat, wave in t.items() if beat in qrs],
        }
        return {name: float(np.median(span)) * 1000 / self.fs if span else float("nan") for name, span in spans.items()}


@dataclass
class _Heart:
    """One record at 500 Hz, as the functions below see it.

    ``beats`` (B,): where the heart vector is longest; ``spans``: onset, offset of each QRS, or None; ``vector`` (T,):
    length of the heart vector, mV; ``waves`` (L, T): the leads without QRS; ``slow`` (T,): their vector's length, and
    ``rest`` its lowest tenth: what noise and drift leave where nothing happens.
    """

    beats: np.ndarray
    spans: list[tuple[int, int] | None]
    vector: np.ndarray
    waves: np.ndarray
    slow: np.ndarray
    rest: float

    def next_qrs(self, beat: int) -> int:
        """Return where the next QRS begins, or at least peaks, or the record ends."""
        if beat + 1 == len(self.beats):
            return len(self.slow)
        span = self.spans[beat + 1]
        return span[0] if span else int(self.beats[beat + 1])

    def rest_after(self, beat: int, t_peaks: np.ndarray) -> int:
        """Return where the last wave of a beat has at least begun to fall: at T's peak, QRS's end, or its peak."""
        span = self.spans[beat]
        return int(t_peaks[beat]) if np.isfinite(t_peaks[beat]) else span[1] if span else int(self.beats[beat])


def delineate(ecg: ECG, *, per_lead: bool = False) -> Delineation:
    """Find onset, peak and offset of P, QRS and T of every beat.

    Never raises on flat, noisy, short or partly invalid records: what could not be found stands in ``failed``.

    Parameters
    ----------
    ecg : at any rate (it is worked on at 500 Hz). Raw is better than preprocessed: the published chain bends ST and the
        baseline around P, see :data:`leadwise.ecg.filters.STEPS`
    per_lead : also give every wave lead by lead, where that lead shows it

    Returns
    -------
    Delineation : a wave spans the union over the leads, and peaks where the heart vector is longest. Waves whose QRS
        lies outside the record are not looked for. P waves that no QRS follows are looked for where the atria keep
        their pace and the ventricles leave some beats out (Wenckebach's block); not where every other is left out
        (2:1), whose P no pace tells from T and U, nor where P and QRS have nothing to do with one another

    Examples
    --------
    >>> from leadwise import simulate_ecg
    >>> found = delineate(simulate_ecg("NORM", seed=1))
    >>> len(found.of("QRS")) > 5, found.blocked()
    (True, ())
    """
    leads, beats, reason = _find_beats(ecg)
    if reason:
        return Delineation((), (Failure(None, None, None, reason),), ecg.fs)
    heart = _look_at(leads, beats)
    t_peaks = _t_peaks(heart)
    p_peaks, p_reasons = _p_peaks(heart, t_peaks)
    blocked = _blocked_p(heart, t_peaks, p_peaks)
    found: list[Wave | Failure] = []
    for beat in range(len(beats)):
        number = beat + sum(len(more) for earlier, more in blocked.items() if earlier < beat)
        of_beat = _waves_of(beat, heart, p_peaks, p_reasons, t_peaks, blocked.get(beat, []))
        found += [replace(item, beat=number + (item.beat or 0)) for item in of_beat]
    waves = [wave for wave in found if isinstance(wave, Wave)]
    if per_lead:
        waves += _lead_by_lead(ecg, heart, waves)
    return _at_rate(waves, [failure for failure in found if isinstance(failure, Failure)], ecg)


def delineate_lead(ecg: ECG, lead: str = "II", method: str = "dwt") -> Delineation:
    """Delineate one lead with neurokit2 alone, for comparison.

    Parameters
    ----------
    ecg : raw or preprocessed, at any rate
    lead : name of the lead
    method : neurokit2's "dwt", "cwt" or "prominence"

    Returns
    -------
    Delineation : waves of that lead; ``failed`` lists those of which neurokit2 names no peak or not both borders
    """
    if method not in ("dwt", "cwt", "prominence"):
        raise ValueError(f"no method {method!r}; expected dwt, cwt or prominence.")
    row, rate = ecg.lead(lead).astype(float), round(ecg.fs)
    with _neurokit() as neurokit2:
        try:
            clean = neurokit2.ecg_clean(row, sampling_rate=rate)
            beats = neurokit2.ecg_peaks(clean, sampling_rate=rate)[1]["ECG_R_Peaks"]
            found = neurokit2.ecg_delineate(clean, beats, sampling_rate=rate, method=method)[1]
        except Exception as error:  # it raises whatever it stumbles over when it finds nothing
            return Delineation((), (Failure(None, None, None, f"neurokit2 failed: {error}."),), ecg.fs)
    waves, failed = [], []
    kind: Kind
    for kind, letter in (("P", "P"), ("QRS", "R"), ("T", "T")):
        onsets, offsets = found[f"ECG_{letter}_Onsets"], found[f"ECG_{letter}_Offsets"]
        peaks = beats if kind == "QRS" else found[f"ECG_{letter}_Peaks"]
        for beat, borders in enumerate(zip(onsets, peaks, offsets, strict=False)):
            if np.isfinite(borders).all() and borders[0] < borders[2]:
                onset, peak, offset = map(int, borders)
                waves.append(Wave(kind, beat, onset, peak, offset, lead))
            else:
                failed.append(Failure(beat, kind, int(beats[beat]), "neurokit2 names no peak or not both borders."))
    return Delineation(tuple(sorted(waves, key=lambda wave: wave.onset)), tuple(failed), ecg.fs)


@contextmanager
def _neurokit() -> Iterator:
    """Give neurokit2, imported on first use because it takes seconds, with its warnings about empty slices silenced."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import neurokit2

        yield neurokit2


# Beats and QRS


def _find_beats(ecg: ECG) -> tuple[np.ndarray, np.ndarray, str]:
    """Return the leads to work on (L, T) at 500 Hz, the positions of the beats, and why there are none."""
    none = np.zeros((0, 0)), np.zeros(0, int)
    if ecg.duration < LEAST_SECONDS:
        return *none, f"The record lasts {ecg.duration:g} s; delineation needs at least {LEAST_SECONDS} s."
    if not RATES[0] <= ecg.fs <= RATES[1]:
        return *none, f"The record has {ecg.fs:g} Hz; delineation needs {RATES[0]:g} to {RATES[1]:g} Hz."
    usable = [name for name in LEADS if np.isfinite(ecg.lead(name)).all() and np.ptp(ecg.lead(name)) > 0]
    if not usable:
        return *none, "Every lead is flat or holds invalid samples (NaN)."
    chosen = INDEPENDENT if set(INDEPENDENT) <= set(usable) else usable
    leads = ecg.resample(FS).signal[[LEADS.index(name) for name in chosen]].astype(float)
    activity = np.linalg.norm(zero_phase(leads, *butterworth((1, 40), FS)), axis=0)
    beats, left = _with_those_alike(leads, activity, _r_peaks(activity))
    beats = beats[activity[beats] > QRS_OVER_REST * np.median(activity)]
    if len(beats) < 2:
        return *none, "Fewer than two QRS complexes stand out from the rest."
    if left > 2 * len(beats):  # T is one, P another
        return *none, f"Between {len(beats)} QRS complexes, {left} bumps of their size have another shape."
    return leads, beats, ""


def _r_peaks(activity: np.ndarray) -> np.ndarray:
    """Return the beats that neurokit2 finds in the heart vector's length, each moved to the largest value near it.

    Its threshold follows a running mean, which fails at the ends of a record: both are held for a second more.
    """
    margin, near = int(FS), _ms(60)
    with _neurokit() as neurokit2:
        try:
            held = np.pad(activity, margin, mode="edge")
            found = neurokit2.ecg_findpeaks(held, sampling_rate=int(FS))["ECG_R_Peaks"]
        except Exception:  # it raises whatever it stumbles over when it finds nothing
            found = []
    inside = [int(peak) - margin for peak in found if margin <= peak < margin + len(activity)]
    starts = [max(peak - near, 0) for peak in inside]
    return np.unique(np.array([start + np.argmax(activity[start : start + 2 * near]) for start in starts], int))


def _with_those_alike(leads: np.ndarray, activity: np.ndarray, beats: np.ndarray) -> tuple[np.ndarray, int]:
    """Add the beats that were passed over: neurokit2 sees none within 0.3 s of another, and few of a heart above 200.

    A beat is what is half as large as the others and has, in all leads, the shape of most of them, as no T has. Also
    return how many things of that size are left.
    """
    if not len(beats):
        return beats, 0
    tops = sps.find_peaks(activity, height=np.median(activity[beats]) / 2, distance=_ms(LEAST_RR_MS))[0]
    tops = tops[np.abs(tops[:, None] - beats).min(axis=1) >= _ms(LEAST_RR_MS)]
    alike = np.median(_shapes(leads, tops) @ _shapes(leads, beats).T, axis=1) > BEAT_LIKENESS
    return np.sort(np.append(beats, tops[alike])), int((~alike).sum())


def _shapes(leads: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Return the 80 ms around each peak, in all leads (B, 40 L), with mean 0 and length 1; beyond the record lies 0."""
    near = _ms(40)
    held = np.pad(leads, ((0, 0), (near, near)))
    pieces = held[:, peaks[:, None] + np.arange(2 * near)].swapaxes(0, 1).reshape(len(peaks), len(leads) * 2 * near)
    pieces = pieces - pieces.mean(axis=1, keepdims=True)
    return pieces / np.maximum(np.linalg.norm(pieces, axis=1, keepdims=True), 1e-12)


def _look_at(leads: np.ndarray, beats: np.ndarray) -> _Heart:
    smooth = _lowpass(leads, 40)
    speed = np.convolve(np.linalg.norm(np.gradient(smooth, axis=-1), axis=0), np.ones(3) / 3, "same")
    spans = [_qrs_span(speed, beats, beat) for beat in range(len(beats))]
    level = smooth - _isoelectric_line(smooth, spans)
    waves = _without_qrs(level, beats, spans)
    slow = np.linalg.norm(waves, axis=0)
    return _Heart(beats, spans, np.linalg.norm(level, axis=0), waves, slow, float(np.quantile(slow, 0.1)))


def _qrs_span(speed: np.ndarray, beats: np.ndarray, beat: int) -> tuple[int, int] | None:
    """Return onset and offset of one QRS, or None where the heart vector never comes to rest, or rests at its peak."""
    peak = int(beats[beat])
    before = int(beats[beat - 1]) if beat else 0
    after = int(beats[beat + 1]) if beat + 1 < len(beats) else len(speed)
    fastest = speed[max(peak - _ms(100), 0) : peak + _ms(100)].max()
    left = _reach(speed[max(before, peak - _ms(220)) : peak + 1][::-1], fastest)
    right = _reach(speed[peak : min(after, peak + _ms(260))], fastest)
    if not left or not right or min(left, right) < _ms(LEAST_FLANK_MS):
        return None
    return peak - left + 1, peak + right


def _reach(speed: np.ndarray, fastest: float) -> int | None:
    """Return how far from the peak the speed first stays low for QUIET_MS, or None.

    "Low" lies a fraction of the way from the quietest 20 ms on that side to the fastest: a sloping ST segment and noise
    raise it by themselves.
    """
    run = _ms(QUIET_MS)
    if len(speed) < _ms(60) + run:
        return None
    rest = np.convolve(speed[_ms(30) :], np.ones(_ms(20)) / _ms(20), "valid").min()
    for fraction in SLOW:
        quiet = np.convolve(speed < rest + fraction * (fastest - rest), np.ones(run), "valid") > run - 0.5
        if quiet.any():
            return int(np.argmax(quiet)) + _slurred(speed[np.argmax(quiet) :], rest, fastest)
    return None


def _slurred(speed: np.ndarray, rest: float, fastest: float) -> int:
    """Return how much further QRS lasts where it begins or ends slowly; ``speed`` starts where it is first called low.

    Slow is not at rest: a reader puts the border where the line leaves its course. A fraction of the fastest alone cuts
    10 to 15 ms off both ends that cardiologists mark (``benchmarks/delineation.py``).
    """
    limit = max(rest + SLURRED * (fastest - rest), SLURRED_OVER_REST * rest)
    return int(np.argmin(np.append(speed[: _ms(SLURRED_MS)] > limit, False)))


def _isoelectric_line(leads: np.ndarray, spans: list[tuple[int, int] | None]) -> np.ndarray:
    """Return each lead's line (L, T) through its means over the 16 ms that end 4 ms before each QRS."""
    onsets = np.array([span[0] for span in spans if span and span[0] >= _ms(20)], int)
    if not len(onsets):
        return np.median(leads, axis=-1, keepdims=True)
    means = np.stack([leads[:, onset - _ms(20) : onset - _ms(4)].mean(axis=-1) for onset in onsets])
    if len(onsets) == 1:
        return means.T
    knots = onsets - _ms(12)
    with np.errstate(over="ignore"):  # next to no slope, of which it takes the inverse
        return PchipInterpolator(knots, means)(np.clip(np.arange(leads.shape[-1]), knots[0], knots[-1])).T


def _without_qrs(leads: np.ndarray, beats: np.ndarray, spans: list[tuple[int, int] | None]) -> np.ndarray:
    """Return P and T alone: each QRS is bridged by a straight line, and 20 Hz pass, above which P and T have little."""
    bridged, last = leads.copy(), leads.shape[-1] - 1
    for beat, span in zip(beats, spans, strict=True):
        start, stop = span or (max(int(beat) - _ms(60), 0), min(int(beat) + _ms(80), last))
        bridged[:, start:stop] = np.linspace(leads[:, max(start - 1, 0)], leads[:, min(stop, last)], stop - start).T
    return _lowpass(bridged, 20)


# T and P


def _t_peaks(heart: _Heart) -> np.ndarray:
    """Return each beat's T peak (B,), NaN where there is none.

    T ends in the steepest fall of the squared heart vector within the QT limit. Going back from there, its peak is the
    first top, or, where T rides on the slope of a displaced ST segment, the flattest point of the shoulder.
    """
    slow, slope, fall = heart.slow, _slope(heart.slow), -_slope(heart.slow**2)
    rr = np.append(np.diff(heart.beats), np.median(np.diff(heart.beats)))
    peaks = np.full(len(heart.beats), np.nan)
    for beat, span in enumerate(heart.spans):
        if span is None:
            continue
        start = span[1] + _ms(ST_MS)
        limit = span[0] + QT_LIMIT * FS * np.sqrt(rr[beat] / FS)
        stop = int(min(limit, heart.next_qrs(beat)))
        if stop - start < _ms(40) or fall[start:stop].max() <= 0:
            continue
        steepest = start + int(np.argmax(fall[start:stop]))
        back = slope[span[1] : steepest + 1][::-1]
        flat = np.flatnonzero(back > 0.3 * back[0])
        if steepest >= len(slow) - _ms(10) or not len(flat):  # the record ends before T does
            continue
        shoulder = back[flat[0] : flat[0] + _ms(50)]
        top = steepest - int(flat[0] + (np.argmax(shoulder >= 0) if (shoulder >= 0).any() else np.argmax(shoulder)))
        if slow[top] > T_OVER_REST * heart.rest:
            peaks[beat] = top
    return peaks


def _p_peaks(heart: _Heart, t_peaks: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return each beat's P peak (B,), NaN where there is none, and the reasons why not."""
    peaks, alone = _p_candidates(heart, t_peaks)
    none = np.full(len(peaks), np.nan)
    likeness = _likeness(heart, peaks)
    alike = likeness >= P_LIKENESS
    if alike.any():
        delays = (heart.beats - peaks)[alike]
        unsteady = 1.4826 * np.median(np.abs(delays - np.median(delays))) > _ms(PR_SPREAD_MS)
        doubtful = np.nanmedian(likeness) < P_LIKENESS_UNSTEADY or alone[alike].mean() < 0.5
        if unsteady and doubtful and not _at_a_pace(peaks[alike]):
            return none, ["Bumps of changing shape, number and distance precede the QRS complexes."] * len(peaks)
    reasons = [
        "No bump lies between T, or the start of the record, and QRS."
        if np.isnan(peak)
        else "What precedes QRS does not look like the P waves of the other beats."
        for peak in peaks
    ]
    return np.where(alike, peaks, none), reasons


def _pace(peaks: np.ndarray) -> float:
    """Return the P-P interval, in samples, of P waves of which some may be missing; NaN of fewer than two."""
    gaps = np.diff(peaks)
    return float(np.median(gaps[gaps < 1.5 * gaps.min()])) if len(gaps) else float("nan")


def _at_a_pace(peaks: np.ndarray) -> bool:
    """Tell whether P waves (five or more) come as a sinus node fires, one here and there missing."""
    beats = np.diff(peaks) / _pace(peaks)
    whole = (np.abs(beats - np.round(beats)) < PP_REGULAR) & (beats < 2.5)
    return len(beats) >= 4 and whole.mean() >= PP_SHARE


def _blocked_p(heart: _Heart, t_peaks: np.ndarray, p_peaks: np.ndarray) -> dict[int, list[int]]:
    """Return the peaks of the P waves that no QRS follows, by the beat that they come after.

    Where two neighbouring beats have their P two or more P-P intervals apart, the atria have fired in between. A P wave
    stands there if, at that moment, there is a bump after T that looks like the record's P waves.
    """
    seen = np.flatnonzero(np.isfinite(p_peaks))
    blocked: dict[int, list[int]] = {}
    pace = _pace(p_peaks[seen])
    for beat in seen[:-1][np.diff(seen) == 1]:
        if heart.spans[beat] is None:  # whose T is not known
            continue
        first, gap = p_peaks[beat], p_peaks[beat + 1] - p_peaks[beat]
        count = max(round(gap / pace), 1)
        last_t = t_peaks[beat] if np.isfinite(t_peaks[beat]) else heart.beats[beat] + _ms(300)
        tops = [_top(heart.slow, first + gap * i / count, PP_REGULAR * pace, last_t + _ms(60)) for i in range(1, count)]
        tops = [top for top in tops if top and _likeness(heart, np.append(p_peaks, top))[-1] >= P_LIKENESS]
        blocked |= {int(beat): tops} if tops else {}
    return blocked


def _top(slow: np.ndarray, expected: float, margin: float, after: float) -> int | None:
    """Return the most prominent bump within a margin of where it is expected and after a moment, or None."""
    start = int(max(expected - margin, after))
    tops, traits = sps.find_peaks(slow[start : int(expected + margin)], prominence=0)
    return start + int(tops[np.argmax(traits["prominences"])]) if len(tops) else None


def _p_candidates(heart: _Heart, t_peaks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the most prominent bump (B,) between T and each QRS, and whether no other is half as prominent."""
    peaks, alone = np.full(len(t_peaks), np.nan), np.ones(len(t_peaks), bool)
    height = np.median(heart.vector[heart.beats])
    delay = np.nanmedian(t_peaks - heart.beats) if np.isfinite(t_peaks).any() else _ms(300)
    for beat, span in enumerate(heart.spans):
        previous = heart.beats[beat - 1] if beat else heart.beats[0] - np.median(np.diff(heart.beats))
        last_t = t_peaks[beat - 1] if beat and np.isfinite(t_peaks[beat - 1]) else previous + delay
        stop = span[0] if span else int(heart.beats[beat])
        start = int(max(last_t + _ms(60), stop - _ms(P_LIMIT_MS), 0))
        tops, traits = sps.find_peaks(heart.slow[start:stop], prominence=0)
        if len(tops) and heart.slow[start + tops].max() > P_OVER_QRS * height:
            size = traits["prominences"]
            first = tops[np.argmax(size)]
            peaks[beat] = start + first
            alone[beat] = not ((size > size.max() / 2) & (np.abs(tops - first) > _ms(80))).any()
    return peaks, alone


def _likeness(heart: _Heart, peaks: np.ndarray) -> np.ndarray:
    """Return how alike the candidates are (B,): correlation with their median over all leads and 0.1 s; NaN where cut.

    A candidate of less than a third or more than three times the median's size is not alike: -1. The better of two
    looks counts, from the isoelectric line and from each lead's own mean: in a long pause the line is a guess, and the
    mean takes away most of a small P wave.
    """
    half, likeness = _ms(50), np.full(len(peaks), np.nan)
    whole = [beat for beat in np.flatnonzero(np.isfinite(peaks)) if half <= peaks[beat] < len(heart.slow) - half]
    if whole:
        pieces = np.stack([heart.waves[:, int(peaks[beat]) - half : int(peaks[beat]) + half] for beat in whole])
        looks = pieces, pieces - pieces.mean(axis=-1, keepdims=True)
        likeness[whole] = np.max([_like_their_median(look.reshape(len(whole), -1)) for look in looks], axis=0)
    return likeness


def _like_their_median(pieces: np.ndarray) -> np.ndarray:
    """Return each piece's correlation (B,) with the median of all (B, N); -1 where the sizes are three times apart."""
    template = np.median(pieces, axis=0)
    share = pieces @ template / max(template @ template, 1e-12)
    correlation = share * np.linalg.norm(template) / np.maximum(np.linalg.norm(pieces, axis=1), 1e-12)
    return np.where((share > 1 / 3) & (share < 3), correlation, -1.0)


def _waves_of(beat: int, heart: _Heart, p_peaks, p_reasons, t_peaks, blocked: list[int]) -> list[Wave | Failure]:
    """Return P, QRS and T of one beat, or why they are missing, as beat 0; then blocked P waves, as beats 1, 2 ..."""
    sample, span = int(heart.beats[beat]), heart.spans[beat]
    if span is None:
        reason = (
            "The heart vector does not come to rest on both sides, rests at its peak (clipped?), or the record ends."
        )
        return [Failure(0, "QRS", sample, reason)]
    onset, offset = span
    found: list[Wave | Failure] = [Wave("QRS", 0, onset, onset + int(np.argmax(heart.vector[onset:offset])), offset)]
    if np.isfinite(p_peaks[beat]):
        start = heart.rest_after(beat - 1, t_peaks) if beat else 0
        found.append(Wave("P", 0, *_extent("P", heart, int(p_peaks[beat]), start, onset)))
    else:
        found.append(Failure(0, "P", sample, p_reasons[beat]))
    if np.isfinite(t_peaks[beat]):
        later = [*blocked, *p_peaks[beat + 1 : beat + 2], *heart.beats[beat + 1 : beat + 2], len(heart.slow)]
        stop = next(int(stop) for stop in later if np.isfinite(stop))
        found.append(Wave("T", 0, *_extent("T", heart, int(t_peaks[beat]), offset, stop)))
    else:
        found.append(Failure(0, "T", sample, "No T wave stands out, or the record ends before it does."))
    start = heart.rest_after(beat, t_peaks)
    for number, (peak, stop) in enumerate(pairwise([*blocked, heart.next_qrs(beat)]), start=1):
        found.append(Wave("P", number, *_extent("P", heart, peak, start, stop)))
        start = peak
    return found


def _extent(kind: str, heart: _Heart, peak: int, start: int, stop: int) -> tuple[int, int, int]:
    """Return onset, peak and offset of a wave within [start, stop).

    It ends where it has fallen by all but a fraction of its height above the valley on that side, so that waves that
    overlap meet in the valley; but not beyond the tangent to its steepest flank (Lepeschkin and Surawicz, Circulation
    6, 1952), so that drift and U waves do not lengthen it.
    """
    slow, rest = heart.slow, min(heart.rest, heart.slow[peak] / 2)
    left = _fall(slow[start : peak + 1][::-1], EDGE[kind], rest)
    return peak - left + 1, peak, peak + _fall(slow[peak:stop], EDGE[kind], rest)


def _fall(side: np.ndarray, fraction: float, rest: float) -> int:
    """Return how far from the peak, the first of ``side``, the wave has fallen; at least one sample."""
    side = side[: int(np.argmin(side)) + 1] if len(side) else side
    if len(side) < 3:
        return 1
    valley, height = side[-1], side[0] - side[-1]
    crossing = int(np.argmax(side <= max(valley + fraction * height, rest)))
    slope = -_slope(side)
    steepest = int(np.argmax(slope[: np.argmax(side <= valley + 0.3 * height) + 1]))
    tangent = steepest + TANGENT * (side[steepest] - valley) / max(slope[steepest], 1e-12)
    return max(min(crossing, round(tangent)), 1)


# Lead by lead, and back to the record's own rate


def _lead_by_lead(ecg: ECG, heart: _Heart, waves: list[Wave]) -> list[Wave]:
    """Return each wave in each lead: where it exceeds a fraction of the wave's largest deflection in any lead."""
    valid = np.isfinite(ecg.signal).all(axis=-1)
    smooth = _lowpass(np.where(valid[:, None], ecg.resample(FS).signal, 0.0).astype(float), 40)
    level = np.abs(smooth - _isoelectric_line(smooth, heart.spans))
    found = []
    for wave in waves:
        piece = level[:, wave.onset : wave.offset]
        least = max(SEEN[wave.kind] * piece[valid].max(), LEAST_SEEN)
        for name, row in zip(np.array(LEADS)[valid], piece[valid], strict=True):
            seen = np.flatnonzero(row > least)
            if len(seen):
                onset, peak, offset = (wave.onset + int(at) for at in (seen[0], np.argmax(row), seen[-1] + 1))
                found.append(Wave(wave.kind, wave.beat, onset, peak, offset, str(name)))
    return found


def _at_rate(waves: list[Wave], failed: list[Failure], ecg: ECG) -> Delineation:
    """Sort the waves by time and count samples at the record's own rate."""
    if ecg.fs != FS:
        waves = [_scaled(wave, ecg.fs / FS, ecg.samples) for wave in waves]
        failed = [replace(f, sample=min(round(f.sample * ecg.fs / FS), ecg.samples - 1)) for f in failed]
    order = {None: -1} | {name: index for index, name in enumerate(LEADS)}
    waves = sorted(waves, key=lambda wave: (order[wave.lead], wave.onset))
    return Delineation(tuple(waves), tuple(failed), ecg.fs)


def _scaled(wave: Wave, scale: float, samples: int) -> Wave:
    """Return a wave at another rate, inside the record and at least one sample long."""
    onset, peak, offset = (round(at * scale) for at in (wave.onset, wave.peak, wave.offset))
    onset = min(onset, samples - 1)
    offset = min(max(offset, onset + 1), samples)
    return replace(wave, onset=onset, peak=min(max(peak, onset), offset - 1), offset=offset)


def _slope(row: np.ndarray) -> np.ndarray:
    """Return ``np.gradient`` of a row (T,) of two samples or more, in a fifth of the time where it is short."""
    slope = np.empty_like(row)
    slope[1:-1] = (row[2:] - row[:-2]) / 2
    slope[0], slope[-1] = row[1] - row[0], row[-1] - row[-2]
    return slope


def _lowpass(leads: np.ndarray, cutoff: float) -> np.ndarray:
    return zero_phase(leads, *butterworth((cutoff,), FS))


def _ms(milliseconds: float) -> int:
    return round(milliseconds * FS / 1000)
