"""What a disease does to a patient's beat and rhythm.

``CONDITIONS`` has one row a condition: a beat (P, QRS, ST and T as phases of the heart vector) and a rhythm (when atria
and ventricles fire). All times in ms, all vectors in mV along Frank's axes (x left, y feet, z back).

Criteria are those of the AHA/ACCF/HRS recommendations for the standardization and interpretation of the
electrocardiogram: part III, intraventricular conduction disturbances (Surawicz et al., Circulation 119 (2009)
e235-e240), part V, hypertrophy (Hancock et al., e251-e261), part VI, acute ischaemia (Wagner et al., e262-e270); of
the fourth universal definition of myocardial infarction (Thygesen et al., Circulation 138 (2018) e618-e651); and of the
ACC/AHA/HRS guideline on bradycardia and conduction delay (Kusumoto et al., Circulation 140 (2019) e382-e482).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from leadwise.simulation.heart_vector import DOWER, Phases, frontal_rotation, phases, twelve_leads
from leadwise.simulation.patients import (
    EDGE,
    LIMITS,
    Beat,
    Patient,
    cornell,
    in_ms,
    sokolow_lyon,
    st_segment,
    t_vector,
    t_wave,
    u_wave,
    varied,
    ventricles,
    voltages,
)

FS = 500.0


def normal_beat(patient: Patient, severity: float = 0.0, territory: str = "") -> Beat:
    """Return the patient's own beat: for the conditions that change the rhythm alone."""
    return patient.beat


def av_block_beat(patient: Patient, severity: float, territory: str = "") -> Beat:
    """First-degree AV block: a PR interval above 200 ms, here 208 to 400 ms.

    P stays behind the T wave's peak: at a fast rate PR grows less.
    """
    pr = max(208.0, min(208 + 192 * severity, patient.rr - 0.85 * patient.qt))
    return replace(patient.beat, pr=pr)


# Start and end of the plateau, rise, fall, as fractions of the wave; x, y, z in mV.
LEFT_BLOCK_QRS = np.array(
    [
        [0.12, 0.12, 0.12, 0.20, 0.14, 0.06, -0.16],  # septum, from right to left: no q in I, V5, V6
        [0.42, 0.46, 0.40, 0.22, 0.66, 0.28, 1.36],  # left ventricle, from cell to cell: one slow plateau
        [0.62, 0.70, 0.23, 0.30, 0.92, 0.05, 1.16],
        [0.54, 0.54, 0.12, 0.12, -0.18, -0.05, -0.12],  # with a notch between septum and free wall
    ]
)


def left_block_axis(patient: Patient) -> float:
    """Return the frontal axis with left bundle branch block: to the left of the patient's own, from -65 to 50 degrees.

    Medians of -15 to -30 degrees are published; between a third (J.-H. Choi et al., Korean Circ J 48 (2018) 1002) and
    a half of the patients lie beyond -30.
    """
    return float(np.clip(-18 + 0.45 * (patient.axis - 38) + 20 * patient.shape[1, 6, 1], -65, 50))


def left_block_beat(patient: Patient, severity: float, territory: str = "") -> Beat:
    """Left bundle branch block: the left ventricle is excited late, from the right, from cell to cell.

    QRS 125-170 ms; broad, notched or slurred R in I, aVL, V5, V6 that peaks after 60 ms, without q; rS or QS in V1;
    ST and T against QRS (Surawicz et al. 2009). The axis turns left.
    """
    width = 125 + 45 * severity
    rows = LEFT_BLOCK_QRS.copy()
    rows[:, 4:] *= patient.qrs_gain**-0.4  # voltages vary less than with normal conduction
    rows[3, 4:] *= np.exp(0.6 * patient.shape[1, 6, 0])  # from slurred to deeply notched
    qrs = ventricles(rows, replace(patient, turn=0.6 * patient.turn), width, left_block_axis(patient))
    qt = patient.qt + 0.6 * (width - patient.qrs)
    main = qrs.vector[1:3].mean(0)
    t = -0.30 * np.sqrt(patient.t_gain) * main + 0.25 * t_vector(patient)
    return replace(
        patient.beat,
        qrs=qrs,
        st=st_segment(-0.11 * main + 0.5 * np.asarray(patient.st), width, qt, 50) + u_wave(patient, qt),
        t=t_wave(t, patient, qt),
        qrs_end=width,
    )


def right_block_beat(patient: Patient, severity: float, territory: str = "") -> Beat:
    """Right bundle branch block: the right ventricle is excited late, after the left one.

    QRS 122-165 ms, its first third the patient's own; then slowly to the right and forward: rSR' in V1, a broad S in I
    and V6; ST and T in V1, often in V2, against the R' (Surawicz et al. 2009).
    """
    normal, width = patient.beat, 122 + 43 * severity
    late, draws = 0.30 * patient.qrs, patient.shape[1, 6]
    size = 0.5 + 0.5 * patient.qrs_gain
    terminal = size * np.exp(0.15 * draws[0]) * (np.array([-0.22, -0.08, -0.86]) + 0.07 * draws[1:4])
    # The base fires together with the late right ventricle: a part of its forces cancels.
    own = replace(normal.qrs, vector=normal.qrs.vector * np.r_[1, 1, 1, 0.2, 0, np.ones(len(patient.notches))][:, None])
    middle = late + 0.52 * (width - late)
    qrs = own + phases([[middle - 1, middle + 2, middle - late - 1, 1.10 * (width - middle), *terminal]])
    qt = patient.qt + 0.6 * (width - patient.qrs)
    t = t_vector(patient) - 0.24 * terminal * np.array([0.5, 1, 1])
    return replace(
        normal,
        qrs=qrs,
        st=st_segment(np.asarray(patient.st) - 0.05 * terminal, width, qt, 25) + u_wave(patient, qt),
        t=t_wave(t, patient, qt),
        qrs_end=width,
    )


def one_millivolt(vector: ArrayLike) -> np.ndarray:
    """Scale a vector so that its largest deflection in any of the twelve leads is 1 mV."""
    vector = np.asarray(vector, float)
    return vector / np.abs(twelve_leads(DOWER @ vector[:, None])).max()


DEPRESSION = {
    "V4-V6": one_millivolt([-0.74, -0.16, 0.11]),
    "I, aVL, V4-V6": one_millivolt([-0.94, -0.17, -0.02]),
    "diffuse": one_millivolt([-0.66, -0.38, 0.08]),  # V4-V6 and II down, aVR up
}
"""Leads that show the ST depression -> its heart vector, 1 mV in the deepest lead.

Named by leads, not by walls. ST *depression* of subendocardial ischaemia is found in much the same leads, V4-V6 above
all, wherever the narrowed artery is: it tells that there is ischaemia, not where (A. Bayés de Luna et al., Circulation
114 (2006) 1755-1760, revised even the walls of infarcts, which Q waves tell far better). Depression that is deepest in
V1-V3, or in II, III, aVF while aVL rises, is left out on purpose: it is the mirror image of an elevation that the
twelve leads do not look at, or of a lateral infarct, and asks for V7-V9 and for haste.
"""


def ischaemic_beat(patient: Patient, severity: float, territory: str = "V4-V6") -> Beat:
    """Subendocardial ischaemia: horizontal or downsloping ST depression, T flat or inverted in the same leads.

    Depression 0.10-0.35 mV in the deepest lead, hence at least 0.05 mV in two contiguous leads; with severity, T is
    inverted by more than 0.1 mV in two contiguous leads with a prominent R, R/S above 1, never aVR (Thygesen et al.
    2018). ST *elevation* is another criterion, a more urgent one, and is not simulated.
    """
    draws, t = patient.shape[2, 6], t_vector(patient)
    away = DEPRESSION[territory] + 0.05 * draws[2:5]
    facing = -away / np.linalg.norm(away)
    height = t @ facing
    # T loses amplitude everywhere; its part that faces the depression flattens, then turns.
    t = (0.85 - 0.4 * severity) * (t - height * facing) + (0.35 - 1.45 * severity) * max(height, 0.25) * facing
    depth = (0.10 + 0.25 * severity) * away
    st = st_segment(depth + 0.4 * np.asarray(patient.st), patient.qrs, patient.qt, 60)
    return replace(patient.beat, st=st + u_wave(patient, patient.qt), t=t_wave(t, patient, patient.qt))


GROWTH = np.array([1.0, 0.45, 1.0])
"""How much of hypertrophy's growth goes left, to the feet, and to the back: limb leads grow less than chest leads."""


def hypertrophied_beat(patient: Patient, severity: float, territory: str = "") -> Beat:
    """Left ventricular hypertrophy by voltage, QRS an eighth wider; with severity ST and T turn against it (strain).

    Most patients grow until they meet Sokolow and Lyon's criterion (S in V1 plus R in V5 or V6 above 3.5 mV), two in
    five, whose axis turns further left, until they meet Cornell's (R in aVL plus S in V3 above 2.8 mV in men, 2.0 in
    women); many meet both (Hancock et al. 2009).
    """
    normal, qt, draws = patient.beat, patient.qt, patient.shape[1, 7]
    by_cornell = draws[0] > 0.25
    own = normal.qrs.turned(0.0, 14.0 if by_cornell else 2.0)
    own = own.turned(frontal_rotation(own.area(), max(patient.axis - (30 if by_cornell else 5), -35)))
    qrs = _grown(own, patient, severity, by_cornell)
    qrs = replace(qrs, time=1.125 * qrs.time)
    strain = -0.13 * severity * qrs.vector[2]
    t = (1 - 0.7 * severity) * t_vector(patient) + 1.2 * strain
    st = st_segment(0.5 * strain + np.asarray(patient.st), 1.125 * patient.qrs, qt) + u_wave(patient, qt)
    return replace(normal, qrs=qrs, st=st, t=t_wave(t, patient, qt), qrs_end=1.125 * patient.qrs)


def _grown(qrs: Phases, patient: Patient, severity: float, by_cornell: bool) -> Phases:
    """Enlarge a QRS until it meets Sokolow and Lyon's criterion or, if earlier and asked for, Cornell's."""
    sokolow, limit = 3.65 + 1.35 * severity, LIMITS[patient.sex][1] + 0.2 + 0.6 * severity
    low, high = 1.05, 5.0
    for _ in range(9):  # bisection to 1 %
        middle = (low + high) / 2
        leads = voltages(patient, replace(qrs, vector=qrs.vector * middle**GROWTH))
        met = sokolow_lyon(leads) > sokolow or (by_cornell and cornell(leads) > limit)
        low, high = (low, middle) if met else (middle, high)
    return replace(qrs, vector=qrs.vector * high**GROWTH)


def ectopic_beat(patient: Patient, focus: int = 0) -> Beat:
    """Build a premature ventricular beat: 140-170 ms wide, ST and T against QRS.

    Parameters
    ----------
    focus : 0 or 1, which of the patient's two places in the ventricles it comes from; the place gives it its direction
    """
    draws = patient.shape[focus, 7]
    width = 155 + 6 * draws[0]
    gain = 1.1 * (0.5 + 0.5 * patient.qrs_gain) * np.exp(0.12 * draws[4])
    qrs = in_ms(varied(LEFT_BLOCK_QRS[1:], replace(patient, shape=patient.shape[::-1]), 1), width).scaled(gain)
    # Left-block shape from the right ventricle, right-block shape from the left one; any frontal axis.
    qrs = qrs.turned(75 * draws[1], 180 * (draws[2] > 0.3) + 25 * draws[3])
    qrs = qrs.fitted(0, width, EDGE["QRS"], patient.lead_matrix)
    main, qt = qrs.vector[:2].mean(0), 400 + 0.5 * (width - 90)
    st, t = st_segment(-0.12 * main, width, qt, 50), t_wave(-0.35 * main, patient, qt)
    return Beat(p=phases([]), ta=phases([]), qrs=qrs, st=st, t=t, pr=0.0, qrs_end=width)


# --- rhythms ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rhythm:
    """When the heart fires. Arrays have one entry a beat; times in ms from the start of the record.

    Parameters
    ----------
    p, qrs : onset of P and of QRS, NaN where the beat has none
    rr : the RR interval that sets this beat's QT
    ectopic : for a premature ventricular beat 1 or 2, the focus that it comes from; 0 for a conducted beat
    hidden : True where P falls into a premature beat: it is there, and nobody sees it
    fibrillation : (3, T) heart vector of fibrillating atria, mV, or None
    """

    p: np.ndarray
    qrs: np.ndarray
    rr: np.ndarray
    ectopic: np.ndarray
    hidden: np.ndarray
    fibrillation: np.ndarray | None = None


def sinus_rhythm(patient: Patient, seed: int, severity: float, pr: float, samples: int) -> Rhythm:
    """Sinus rhythm: RR follows breathing (respiratory sinus arrhythmia) and drifts a little."""
    rng = np.random.default_rng([seed, 2])
    count = int((samples / FS * 1000 + 4000) / patient.rr * 1.3) + 6
    phase, start = rng.uniform(0, 2 * np.pi), rng.uniform(0, 1)
    jitter, pr_jitter = rng.standard_normal((2, max(count, 64)))[:, :count]
    slow = np.convolve(jitter, [0.5, 0.3, 0.2])[:count]
    breath = np.sqrt(2) * np.sin(2 * np.pi * patient.respiration * patient.rr / 1000 * np.arange(count) + phase)
    rr = patient.rr * (1 + np.clip(patient.rate_variability * (0.75 * breath + slow), -0.2, 0.2))
    qrs = -2000 + start * patient.rr + np.cumsum(rr)
    no = np.zeros(count, int)
    return Rhythm(qrs - pr + 1.5 * pr_jitter, qrs, rr, no, no.astype(bool))


def wenckebach(patient: Patient, seed: int, severity: float, pr: float, samples: int) -> Rhythm:
    """Second-degree AV block, Mobitz type I: PR grows, by less each time, until one P is not conducted."""
    sinus, rng = sinus_rhythm(patient, seed, severity, pr, samples), np.random.default_rng([seed, 1])
    group = int(rng.integers(3, 6))
    place = (np.arange(len(sinus.qrs)) + rng.integers(group)) % group
    delay = 30 + (60 + 50 * severity) * np.array([0, 1, 1.5, 1.8, 2.0])[place]
    return replace(sinus, qrs=np.where(place == group - 1, np.nan, sinus.qrs + delay))


def fibrillation(patient: Patient, seed: int, severity: float, pr: float, samples: int) -> Rhythm:
    """Atrial fibrillation: irregularly irregular RR, no P, fibrillatory waves of 5-8 Hz that are largest in V1."""
    rng = np.random.default_rng([seed, 1])
    mean = patient.rr / rng.uniform(0.9, 1.5)
    count = int((samples / FS * 1000 + 4000) / mean * 1.5) + 8
    rr = np.maximum(mean * rng.gamma(1 / 0.22**2, 0.22**2, count), 330)
    time = np.arange(samples) / FS
    wander = np.cumsum(rng.standard_normal((2, samples)), axis=1) / np.sqrt(FS)
    angle = 2 * np.pi * rng.uniform(5, 8, (2, 1)) * time + 2 * wander
    wave = np.sin(angle) + 0.35 * np.sin(2 * angle + 1)
    size = (0.03 + 0.06 * severity) * np.array([[0.3, 0.7, -0.9], [0.2, -0.4, -0.6]])
    steady = np.convolve(rr, np.ones(4) / 4, mode="same")
    no = np.zeros(count, int)
    return Rhythm(np.full(count, np.nan), -2000 + np.cumsum(rr), steady, no, no.astype(bool), size.T @ wave)


def premature_beats(patient: Patient, seed: int, severity: float, pr: float, samples: int) -> Rhythm:
    """Sinus rhythm where every second to sixth beat is premature and ventricular, from one focus or, rarer, from two.

    The sinus node keeps its time: its P falls into the premature beat, finds the ventricles refractory and stays
    hidden; the next one is conducted. Hence the pause is compensatory.
    """
    sinus, rng = sinus_rhythm(patient, seed, severity, pr, samples), np.random.default_rng([seed, 1])
    count = len(sinus.qrs)
    every = int(np.clip(round(6 - 4 * severity), 2, 6))
    premature = (np.arange(count) + rng.integers(every)) % every == 0
    # Before the sinus beat by so much that its P comes after the premature QRS has begun.
    early = np.maximum(rng.uniform(0.30, 0.42) * sinus.rr + 0.02 * sinus.rr * rng.standard_normal(count), pr + 40)
    two_foci, second = rng.random() < 0.35, rng.random(count) < 0.4
    ectopic = np.where(premature, 1 + (two_foci & second), 0)
    return replace(sinus, qrs=np.where(premature, sinus.qrs - early, sinus.qrs), ectopic=ectopic, hidden=premature)


@dataclass(frozen=True)
class Condition:
    """One row of CONDITIONS.

    Parameters
    ----------
    title : in words
    criteria : what the ECG shows, and who says so
    beat : (patient, severity, territory) -> Beat
    rhythm : (patient, seed, severity, pr, samples) -> Rhythm
    severity : range that simulated patients are drawn from, within 0 (just meets the criteria) and 1 (marked)
    spread : (a, b) of the beta distribution over that range; (1, 1) is uniform, (1, 4) makes mild cases frequent
    territories : choice of the leads that show it, or none
    """

    title: str
    criteria: str
    beat: Callable[..., Beat] = normal_beat
    rhythm: Callable[..., Rhythm] = sinus_rhythm
    severity: tuple[float, float] = (0.1, 1.0)
    spread: tuple[float, float] = (1.0, 1.0)
    territories: tuple[str, ...] = ()


CONDITIONS = {
    "NORM": Condition(
        "normal sinus rhythm",
        "50-100 beats a minute, PR 120-200 ms, QRS up to 110 ms, axis -30 to 90 degrees (Surawicz et al. 2009)",
        severity=(0.0, 0.0),
    ),
    "AVB": Condition(
        "first-degree atrioventricular block",
        "PR above 200 ms, every P conducted (Kusumoto et al. 2019)",
        beat=av_block_beat,
        severity=(0.0, 1.0),
        spread=(1.0, 4.5),
    ),
    "LBBB": Condition(
        "left bundle branch block",
        "QRS from 120 ms; broad notched R without q in I, V5, V6, its peak after 60 ms; rS or QS in V1; ST-T opposite "
        "(Surawicz et al. 2009)",
        beat=left_block_beat,
    ),
    "RBBB": Condition(
        "right bundle branch block",
        "QRS from 120 ms; rSR' in V1 or V2; S wider than 40 ms in I and V6 (Surawicz et al. 2009)",
        beat=right_block_beat,
    ),
    "ISCH": Condition(
        "ischaemia",
        "flat or downsloping ST depression from 0.05 mV in two contiguous leads; or T inverted by more than 0.1 mV in "
        "two contiguous leads with a prominent R (R/S above 1), never aVR (Thygesen et al. 2018). It tells that there "
        "is ischaemia, not where. ST elevation is another criterion, a more urgent one: it is not looked for here",
        beat=ischaemic_beat,
        territories=tuple(DEPRESSION),
    ),
    "LVH": Condition(
        "left ventricular hypertrophy",
        "S in V1 plus R in V5 or V6 above 3.5 mV, or R in aVL plus S in V3 above 2.8 mV (men), 2.0 mV (women); ST-T "
        "strain (Hancock et al. 2009)",
        beat=hypertrophied_beat,
    ),
    "AF": Condition(
        "atrial fibrillation",
        "no P, fibrillatory waves, irregularly irregular RR (Joglar et al., Circulation 149 (2024) e1-e156)",
        rhythm=fibrillation,
    ),
    "PVC": Condition(
        "premature ventricular beats",
        "premature, from 120 ms, no P before, ST-T opposite, compensatory pause: the sinus P is hidden in the beat",
        rhythm=premature_beats,
    ),
    "AVB2": Condition(
        "second-degree atrioventricular block, Mobitz type I (Wenckebach)",
        "PR grows until a P is not conducted (Kusumoto et al. 2019)",
        rhythm=wenckebach,
    ),
}
