"""A 12-lead ECG simulator whose causes are known.

Each ECG is a rhythm (when do atria and ventricles fire), a beat (P, QRS, ST and T as phases of a heart vector, see
``heart_vector``), twelve leads that look at it, and a recording (``noise``). A condition changes the rhythm or the beat
of a patient and nothing else: the same seed without the condition is the same patient, the counterfactual.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ecgxai.ecg.heart_vector import DOWER, Phases, bump, frontal_rotation, phases, rotation, twelve_leads
from ecgxai.ecg.leads import LEADS
from ecgxai.ecg.noise import CLEAN, Noise, electrode_noise, record
from ecgxai.ecg.record import ECG
from ecgxai.ecg.waves import Wave

FS, SECONDS = 500.0, 10.0
MASK_THRESHOLD = 0.02  # mV: half a small square of ECG paper is 0.05; muscle noise of a good recording is below 0.02
WAVES = ("P", "QRS", "T")
EDGE = {
    "P": 0.03,
    "QRS": 0.02,
    "T": 0.05,
}  # a wave begins and ends where it exceeds this fraction of its largest deflection
MOST_PHASES = 12


@dataclass(frozen=True, eq=False)
class Patient:
    """What one patient brings to every beat, whatever the condition. Drawn from the seed by :func:`draw_patient`.

    Parameters
    ----------
    rate : heart rate, 1/min        rate_variability : standard deviation of the RR interval, as a fraction
    pr, p_width, qrs : ms           qtc : ms, Fridericia
    axis : electrical axis of the normal QRS in the frontal plane, degrees      turn : horizontal rotation, degrees
    p_gain, qrs_gain, t_gain : amplitudes, 1 = average      t_turn : T axis minus half the QRS turn, degrees
    st : J-point elevation along the T wave, as a fraction of T     u_wave : mV
    respiration : breaths per second    respiration_turn : degrees that breathing turns the heart
    lead_matrix : (8, 3), Dower's matrix seen through this body: displaced electrodes, thick or thin chest wall
    local : (3, MOST_PHASES, 8) per wave, phase and lead: what no single vector explains, as a fraction of the phase
    shape : (3, MOST_PHASES, 6) standard normal draws that vary width, timing and direction of each phase
    notches : (2, 5) QRS notches: position (fraction), width (ms), x, y, z (mV)
    """

    rate: float
    rate_variability: float
    pr: float
    p_width: float
    qrs: float
    qtc: float
    axis: float
    turn: float
    p_gain: float
    qrs_gain: float
    t_gain: float
    t_turn: float
    st: float
    u_wave: float
    respiration: float
    respiration_turn: float
    lead_matrix: np.ndarray = field(repr=False)
    local: np.ndarray = field(repr=False)
    shape: np.ndarray = field(repr=False)
    notches: np.ndarray = field(repr=False)


def draw_patient(seed: int) -> Patient:
    """Draw a patient's anatomy and physiology: healthy adult ranges."""
    rng = np.random.default_rng([seed, 0])

    def normal(mean, sd, low, high):
        return float(np.clip(rng.normal(mean, sd), low, high))

    return Patient(
        rate=normal(71, 11, 50, 100),
        rate_variability=float(rng.lognormal(np.log(0.025), 0.5)),
        pr=normal(155, 17, 120, 195),
        p_width=normal(100, 8, 80, 116),
        qrs=normal(90, 7, 74, 106),
        qtc=normal(405, 16, 365, 440),
        axis=normal(45, 25, -25, 88),
        turn=normal(0, 10, -25, 25),
        p_gain=float(rng.lognormal(0, 0.25)),
        qrs_gain=float(rng.lognormal(0, 0.22)),
        t_gain=float(rng.lognormal(0, 0.28)),
        t_turn=normal(0, 12, -30, 30),
        st=normal(0.08, 0.05, -0.02, 0.2),
        u_wave=float(rng.uniform(0, 0.03)),
        respiration=float(rng.uniform(0.17, 0.35)),
        respiration_turn=float(rng.uniform(0.5, 5)),
        lead_matrix=_draw_lead_matrix(rng),
        local=rng.normal(0, 0.05, (3, MOST_PHASES, 8)) * np.r_[0.3, 0.3, 1, 1, 1, 1, 1, 1],
        shape=rng.standard_normal((3, MOST_PHASES, 6)),
        notches=np.column_stack([rng.uniform(0.2, 0.85, 2), rng.uniform(7, 12, 2), rng.normal(0, 0.05, (2, 3))]),
    )


def _draw_lead_matrix(rng) -> np.ndarray:
    """Vary Dower's matrix: chest electrodes slide along the chest, sit higher or lower, behind more or less tissue."""
    slide, height = rng.normal(0, 0.15, 6) + rng.normal(0, 0.1), rng.normal(0, 0.08, 6) + rng.normal(0, 0.08)
    tissue = rng.lognormal(0, 0.08, 6) * rng.lognormal(0, 0.12)
    place = np.clip(np.arange(6) + slide, 0, 5)
    chest = np.column_stack([np.interp(place, np.arange(6), DOWER[2:, axis]) for axis in range(3)])
    chest[:, 1] += height
    return np.vstack([DOWER[:2], chest * tissue[:, None]])


# --- beats -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Beat:
    """The phases of one beat. Times in ms from P onset (p) or QRS onset (the others); qrs_end and t_peak likewise."""

    p: Phases
    qrs: Phases
    st: Phases
    t: Phases
    pr: float
    qrs_end: float


# Start and end of the plateau, rise, fall (fractions of the wave's width); x, y, z in mV.
P_WAVE = np.array(
    [
        [0.38, 0.38, 0.38, 0.42, 0.025, 0.075, -0.065],  # right atrium: to the feet and forward
        [0.62, 0.62, 0.40, 0.38, 0.070, 0.055, 0.060],  # left atrium: left and back
    ]
)
NORMAL_QRS = np.array(
    [
        [0.20, 0.20, 0.20, 0.22, -0.14, -0.08, -0.30],  # septum: right and forward
        [0.40, 0.40, 0.24, 0.22, 0.45, 0.45, -0.32],  # apex
        [0.54, 0.54, 0.28, 0.28, 1.00, 0.65, 0.85],  # free wall of the left ventricle: left, down, back
        [0.80, 0.80, 0.22, 0.20, -0.12, -0.16, 0.35],  # base: up and back
    ]
)
LEFT_BLOCK_QRS = np.array(
    [
        [0.14, 0.14, 0.14, 0.20, 0.15, 0.12, -0.14],  # septum, from right to left: no q in I, V5, V6
        [0.38, 0.38, 0.28, 0.26, 1.00, 0.42, 0.95],  # left ventricle, cell to cell: two slow humps
        [0.68, 0.68, 0.26, 0.32, 1.05, 0.15, 1.00],
    ]
)
NORMAL_T = np.array([0.32, 0.26, -0.13])


def _varied(rows: np.ndarray, width: float, gain: float, patient: Patient, wave: int) -> Phases:
    """Scale a table of phases to a width (ms) and a gain, and give each phase the patient's own touch."""
    draws = patient.shape[wave, : len(rows)]
    time, vector = rows[:, :4] * width, rows[:, 4:].copy()
    stretch, shift = np.exp(0.07 * np.clip(draws[:, 0], -2, 2)), 0.02 * width * np.clip(draws[:, 1], -2, 2)
    time[:, 2:] *= stretch[:, None]
    time[:, :2] += shift[:, None]
    time[:, 2] = np.minimum(time[:, 2], time[:, 0])  # nothing before the onset
    vector += 0.10 * draws[:, 2:5] * np.linalg.norm(vector, axis=1, keepdims=True)
    return Phases(time, gain * vector)


def _turned(wave: Phases, frontal: float, horizontal: float) -> Phases:
    return replace(wave, vector=wave.vector @ rotation(frontal, horizontal).T)


def _frontal_turn(patient: Patient) -> float:
    """Return the rotation that brings the patient's normal QRS to the patient's axis."""
    qrs = _varied(NORMAL_QRS, patient.qrs, 1.0, patient, 1)
    area = (qrs.time[:, 1] - qrs.time[:, 0] + 0.457 * (qrs.time[:, 2] + qrs.time[:, 3])) @ qrs.vector
    return frontal_rotation(area, patient.axis)


def _p_wave(patient: Patient) -> Phases:
    return _turned(_varied(P_WAVE, patient.p_width, patient.p_gain, patient, 0), 0.3 * _frontal_turn(patient), 0)


def _notched(wave: Phases, patient: Patient, width: float) -> Phases:
    """Add the patient's notches to a QRS of the given width (ms)."""
    centre, half = patient.notches[:, 0] * width, patient.notches[:, 1]
    time = np.column_stack([centre, centre, half, half])
    return wave + Phases(time, patient.qrs_gain * patient.notches[:, 2:])


def _t_wave(vector, patient: Patient, qt: float, rise: float = 180.0, fall: float = 122.0) -> Phases:
    rise, fall = rise * np.exp(0.12 * patient.shape[2, 0, 0]), fall * np.exp(0.08 * patient.shape[2, 0, 1])
    return phases([[qt - fall, qt - fall, rise, fall, *vector]])


def _st_segment(vector, patient: Patient, qrs_end: float, qt: float, hold: float = 50.0) -> Phases:
    """Return a plateau from the end of QRS that runs into the T wave."""
    return phases([[qrs_end + 10, qrs_end + 10 + hold, 35, max(qt - 120 - qrs_end - 10 - hold, 60), *vector]])


def _normal_t_vector(patient: Patient) -> np.ndarray:
    turn = rotation(0.5 * _frontal_turn(patient) + patient.t_turn, 0.5 * patient.turn)
    return turn @ (patient.t_gain * NORMAL_T + 0.03 * patient.shape[2, 1, 2:5])


def _u_wave(patient: Patient, qt: float) -> Phases:
    return phases([[qt + 60, qt + 60, 70, 100, 0.3 * patient.u_wave, 0.3 * patient.u_wave, -0.7 * patient.u_wave]])


def normal_beat(patient: Patient, rr: float) -> Beat:
    """Build the patient's own beat at an RR interval (ms)."""
    qt, turn = patient.qtc * (rr / 1000) ** (1 / 3), _frontal_turn(patient)
    qrs = _notched(_varied(NORMAL_QRS, patient.qrs, patient.qrs_gain, patient, 1), patient, patient.qrs)
    t = _normal_t_vector(patient)
    return Beat(
        p=_p_wave(patient),
        qrs=_turned(qrs, turn, patient.turn),
        st=_st_segment(patient.st * t, patient, patient.qrs, qt) + _u_wave(patient, qt),
        t=_t_wave(t, patient, qt),
        pr=patient.pr,
        qrs_end=patient.qrs,
    )


def av_block_beat(patient: Patient, rr: float, severity: float, territory: str) -> Beat:
    """First-degree AV block: PR above 200 ms, here 215-400 ms, and never so long that P falls before the T wave's peak."""
    qt = patient.qtc * (rr / 1000) ** (1 / 3)
    pr = max(215.0, min(215 + 185 * severity, rr - 0.85 * qt))
    return replace(normal_beat(patient, rr), pr=pr)


def left_block_beat(patient: Patient, rr: float, severity: float, territory: str) -> Beat:
    """Left bundle branch block: QRS 125-170 ms, broad notched R in I, aVL, V5, V6, rS or QS in V1, ST-T against QRS."""
    width, turn = 128 + 42 * severity, _frontal_turn(patient)
    qrs = _turned(_varied(LEFT_BLOCK_QRS, width, patient.qrs_gain, patient, 1), 0.6 * turn, patient.turn)
    qrs = _notched(qrs, patient, width)
    qt = patient.qtc * (rr / 1000) ** (1 / 3) + 0.6 * (width - patient.qrs)
    main = qrs.vector[1:3].mean(0)
    t = -0.33 * np.sqrt(patient.t_gain) * main + 0.25 * _normal_t_vector(patient)
    return Beat(
        p=_p_wave(patient),
        qrs=qrs,
        st=_st_segment(-0.12 * main, patient, width, qt, 60) + _u_wave(patient, qt),
        t=_t_wave(t, patient, qt),
        pr=patient.pr,
        qrs_end=width,
    )


def right_block_beat(patient: Patient, rr: float, severity: float, territory: str) -> Beat:
    """Right bundle branch block: QRS 122-160 ms, the first half normal, then slowly right and forward: rSR' in V1, broad S in I, V6."""
    width, normal = 122 + 38 * severity, normal_beat(patient, rr)
    late = patient.qrs * 0.85
    middle, fall = late + 0.40 * (width - late), 0.60 * (width - late)
    terminal = patient.qrs_gain * np.array([-0.55, 0.05, -0.80]) * np.exp(0.15 * patient.shape[1, 8, 0])
    terminal = terminal + 0.08 * patient.qrs_gain * patient.shape[1, 8, 1:4]
    slow = phases([[middle - 4, middle + 4, 30, fall, *terminal]])
    qt = patient.qtc * (rr / 1000) ** (1 / 3) + 0.6 * (width - patient.qrs)
    t = _normal_t_vector(patient) - 0.35 * terminal * np.array([0.5, 1, 1])
    # The base fires together with the late right ventricle: only a part of the normal terminal forces remains.
    first = replace(normal.qrs, vector=normal.qrs.vector * np.r_[1, 1, 1, 0.4, 1, 1][:, None])
    return Beat(
        p=normal.p,
        qrs=first + slow,
        st=_st_segment(patient.st * t - 0.05 * terminal, patient, width, qt, 30) + _u_wave(patient, qt),
        t=_t_wave(t, patient, qt),
        pr=patient.pr,
        qrs_end=width,
    )


# ST vectors point away from the ischaemic wall.
TERRITORIES = {
    "anterior": np.array([-0.35, -0.05, 0.62]),  # depression in V2-V5
    "lateral": np.array([-0.90, 0.25, -0.35]),  # I, aVL, V5, V6
    "inferior": np.array([-0.15, -0.95, -0.10]),  # II, III, aVF
}


def ischaemic_beat(patient: Patient, rr: float, severity: float, territory: str) -> Beat:
    """Ischaemia: horizontal or downsloping ST depression of 0.1-0.3 mV and T inversion in the leads over the territory."""
    normal, qt = normal_beat(patient, rr), patient.qtc * (rr / 1000) ** (1 / 3)
    away = TERRITORIES[territory]
    depression = (0.10 + 0.20 * severity) * away
    t = _normal_t_vector(patient)
    t = (0.5 - 0.5 * severity) * t + (0.15 + 0.30 * severity) * np.linalg.norm(t) * away / np.linalg.norm(away)
    return replace(
        normal,
        st=_st_segment(depression, patient, patient.qrs, qt, 80) + _u_wave(patient, qt),
        t=_t_wave(t, patient, qt, rise=150),
    )


def hypertrophied_beat(patient: Patient, rr: float, severity: float, territory: str) -> Beat:
    """Left ventricular hypertrophy: tall left and posterior forces (Sokolow-Lyon above 3.5 mV), wider QRS, strain in I, aVL, V5, V6."""
    normal, qt = normal_beat(patient, rr), patient.qtc * (rr / 1000) ** (1 / 3)
    main = normal.qrs.vector[2]
    gain = (1.5 + 0.7 * severity) / np.sqrt(patient.qrs_gain)
    qrs = replace(normal.qrs, time=1.12 * normal.qrs.time, vector=normal.qrs.vector * gain)
    strain = -0.16 * severity * gain * main
    t = (1 - 0.7 * severity) * _normal_t_vector(patient) + 1.2 * strain
    st = _st_segment(0.5 * strain, patient, 1.12 * patient.qrs, qt) + _u_wave(patient, qt)
    return replace(normal, qrs=qrs, st=st, t=_t_wave(t, patient, qt), qrs_end=1.12 * patient.qrs)


def own_beat(patient: Patient, rr: float, severity: float, territory: str) -> Beat:
    """Return the patient's own beat: for conditions that change the rhythm alone."""
    return normal_beat(patient, rr)


def ectopic_beat(patient: Patient) -> Beat:
    """Build a premature ventricular beat: wide (140-175 ms), from a random place in the ventricles, ST-T against QRS."""
    draws = patient.shape[1, 9]
    width = 155 + 8 * float(np.clip(draws[0], -2, 2))
    qrs = phases(LEFT_BLOCK_QRS[1:] * np.r_[np.full(4, width), np.full(3, 1.15 * patient.qrs_gain)])
    qrs = _turned(qrs, 60 * draws[1], 180 * (draws[2] > 0) + 25 * draws[3])
    main, qt = qrs.vector.mean(0), 400 + 0.5 * (width - 90)
    st, t = _st_segment(-0.12 * main, patient, width, qt, 50), _t_wave(-0.35 * main, patient, qt)
    return Beat(p=phases(np.zeros((0, 7))), qrs=qrs, st=st, t=t, pr=0.0, qrs_end=width)


# --- rhythms ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rhythm:
    """When the heart fires. All arrays have one entry a beat; times in ms from the start of the record.

    Parameters
    ----------
    p, qrs : onset of P and QRS, NaN where the beat has none
    rr : the RR interval that sets this beat's QT
    ectopic : True for a premature ventricular beat
    fibrillation : (3, T) heart vector of fibrillating atria, mV, or None
    """

    p: np.ndarray
    qrs: np.ndarray
    rr: np.ndarray
    ectopic: np.ndarray
    fibrillation: np.ndarray | None = None


def sinus_rhythm(patient: Patient, seed: int, severity: float, pr: float, samples: int) -> Rhythm:
    """Sinus rhythm: RR follows breathing (respiratory sinus arrhythmia) and a slow drift."""
    rng = np.random.default_rng([seed, 2])
    end, mean = samples / FS * 1000 + 1500, 60000 / patient.rate
    count = int((end + 3500) / mean) + 6
    phase, jitter = rng.uniform(0, 2 * np.pi), rng.standard_normal(256)[:count]
    slow = np.convolve(jitter, [0.5, 0.3, 0.2])[:count]
    breath = np.sqrt(2) * np.sin(2 * np.pi * patient.respiration * mean / 1000 * np.arange(count) + phase)
    rr = mean * (1 + np.clip(patient.rate_variability * (0.75 * breath + 0.65 * slow), -0.2, 0.2))
    qrs = -2000 + rng.uniform(0, 1) * mean + np.cumsum(rr)
    return Rhythm(qrs - pr, qrs, rr, np.zeros(count, bool))


def wenckebach(patient: Patient, seed: int, severity: float, pr: float, samples: int) -> Rhythm:
    """Second-degree AV block, Mobitz I: the sinus node keeps its time, PR grows from beat to beat until one P is not conducted."""
    sinus, rng = sinus_rhythm(patient, seed, severity, pr, samples), np.random.default_rng([seed, 1])
    group = int(rng.integers(3, 6))
    place = (np.arange(len(sinus.qrs)) + rng.integers(group)) % group
    first = 60 + 60 * severity
    delay = 30 + first * np.array([0, 1, 1.5, 1.8, 2.0])[place]
    qrs = np.where(place == group - 1, np.nan, sinus.qrs + delay)
    return replace(sinus, qrs=qrs)


def fibrillation(patient: Patient, seed: int, severity: float, pr: float, samples: int) -> Rhythm:
    """Atrial fibrillation: irregularly irregular RR, no P, fibrillatory waves of 5-8 Hz, largest in V1."""
    rng = np.random.default_rng([seed, 1])
    mean = 60000 / (patient.rate * rng.uniform(0.9, 1.5))
    count = int((samples / FS * 1000 + 3500) / mean * 1.5) + 8
    rr = np.maximum(mean * rng.gamma(1 / 0.22**2, 0.22**2, count), 330)
    qrs = -2000 + np.cumsum(rr)
    time = np.arange(samples) / FS
    wander = np.cumsum(rng.standard_normal((2, samples)), axis=1) * np.sqrt(1 / FS)
    angle = 2 * np.pi * rng.uniform(5, 8, (2, 1)) * time + 2.0 * wander
    wave = np.sin(angle) + 0.35 * np.sin(2 * angle + 1)
    size = (0.03 + 0.06 * severity) * np.array([[0.3, 0.7, -0.9], [0.2, -0.4, -0.6]])
    steady = np.convolve(rr, np.ones(4) / 4)[:count]
    return Rhythm(np.full(count, np.nan), qrs, steady, np.zeros(count, bool), size.T @ wave)


def premature_beats(patient: Patient, seed: int, severity: float, pr: float, samples: int) -> Rhythm:
    """Sinus rhythm with premature ventricular beats and full compensatory pauses, every second to sixth beat."""
    sinus, rng = sinus_rhythm(patient, seed, severity, pr, samples), np.random.default_rng([seed, 1])
    every = int(np.clip(round(6 - 4 * severity), 2, 6))
    ectopic = (np.arange(len(sinus.qrs)) + rng.integers(every)) % every == 0
    early = rng.uniform(0.30, 0.42) + 0.02 * rng.standard_normal(len(sinus.qrs))
    qrs = np.where(ectopic, sinus.qrs - early * sinus.rr, sinus.qrs)
    return replace(sinus, p=np.where(ectopic, np.nan, sinus.p), qrs=qrs, ectopic=ectopic)


@dataclass(frozen=True)
class Condition:
    """One row of CONDITIONS: what a condition does to the beat and to the rhythm.

    ``beat(patient, rr, severity, territory)`` and ``rhythm(patient, seed, severity, pr, samples)``; ``severity`` is the range
    that simulated patients are drawn from, within 0 (just meets the criteria) and 1 (marked).
    """

    title: str
    criteria: str
    beat: Callable = own_beat
    rhythm: Callable = sinus_rhythm
    severity: tuple[float, float] = (0.2, 1.0)
    territories: tuple[str, ...] = ()


AHA_III = "Surawicz et al., AHA/ACCF/HRS recommendations part III, Circulation 119 (2009) e235-e240"
AHA_V = "Hancock et al., AHA/ACCF/HRS recommendations part V, Circulation 119 (2009) e251-e261"
AHA_VI = "Wagner et al., AHA/ACCF/HRS recommendations part VI, Circulation 119 (2009) e262-e270"

CONDITIONS = {
    "NORM": Condition(
        "normal sinus rhythm", "PR 120-200 ms, QRS below 110 ms, axis -30 to 90 degrees", severity=(0, 0)
    ),
    "AVB": Condition("first-degree atrioventricular block", "PR above 200 ms, every P conducted", beat=av_block_beat),
    "LBBB": Condition("left bundle branch block", AHA_III, beat=left_block_beat),
    "RBBB": Condition("right bundle branch block", AHA_III, beat=right_block_beat),
    "ISCH": Condition("ischaemia", AHA_VI, beat=ischaemic_beat, territories=tuple(TERRITORIES)),
    "LVH": Condition("left ventricular hypertrophy", AHA_V, beat=hypertrophied_beat),
    "AF": Condition("atrial fibrillation", "no P, irregular RR", rhythm=fibrillation),
    "PVC": Condition("premature ventricular beats", "premature, wide, compensatory pause", rhythm=premature_beats),
    "AVB2": Condition("second-degree AV block, Wenckebach", "PR grows until a P is not conducted", rhythm=wenckebach),
}


# --- from phases to leads --------------------------------------------------------------------------------------------


def _heart(condition: str, patient: Patient, seed: int, severity: float, territory: str, samples: int):
    """Return the heart's own eight leads (8, T) in mV and the spans of its waves; see :func:`_spans`."""
    row, rr = CONDITIONS[condition], 60000 / patient.rate
    own = row.beat(patient, rr, severity, territory)
    rhythm = row.rhythm(patient, seed, severity, own.pr, samples)
    signal, spans = np.zeros((8, samples)), []
    if rhythm.fibrillation is not None:
        signal += patient.lead_matrix @ rhythm.fibrillation
    own_beats = ~np.isnan(rhythm.qrs) & ~rhythm.ectopic
    has_p = ~np.isnan(rhythm.p)
    spans.append(_lay(signal, "P", own.p, rhythm.p, has_p, np.ones(len(has_p)), 0.0, patient, 0))
    groups = [(own, own_beats)]
    if rhythm.ectopic.any():
        groups.append((ectopic_beat(patient), rhythm.ectopic))
    for beat, chosen in groups:
        stretch = np.clip(rhythm.rr / rr, 0.5, 1.6) ** (1 / 3)
        spans.append(_lay(signal, "QRS", beat.qrs, rhythm.qrs, chosen, None, 0.0, patient, 1))
        _lay(signal, "", beat.st, rhythm.qrs, chosen, stretch, beat.qrs_end, patient, 2)
        spans.append(_lay(signal, "T", beat.t, rhythm.qrs, chosen, stretch, beat.qrs_end, patient, 2))
    return signal, np.concatenate([s for s in spans if s is not None])


def _lay(signal, kind, wave, onsets, chosen, stretch, pivot, patient, row):
    """Add one wave of the chosen beats to the signal (8, T), in place, and return its spans.

    ``stretch`` scales the wave's times about ``pivot`` (ms after its reference), beat by beat: QT follows the rate.
    """
    where = np.flatnonzero(chosen)
    if not len(where) or not len(wave.time):
        return None
    onset, time = onsets[where], np.broadcast_to(wave.time, (len(where), *wave.time.shape)).copy()
    if stretch is not None:
        factor = stretch[where][:, None]
        time[..., :2] = pivot + (time[..., :2] - pivot) * factor[..., None]
        time[..., 2:] *= factor[..., None]
    # Breathing turns the heart a little and changes its distance from the chest wall.
    breath = np.sin(2 * np.pi * patient.respiration * onset / 1000)
    turns = np.stack([rotation(patient.respiration_turn * b, 0.5 * patient.respiration_turn * b) for b in breath])
    vector = wave.vector @ turns.transpose(0, 2, 1) * (1 + 0.008 * patient.respiration_turn * breath)[:, None, None]
    local = np.linalg.norm(vector, axis=-1, keepdims=True) * patient.local[row, : vector.shape[1]]
    amplitude = vector @ patient.lead_matrix.T + local
    first = (time[..., 0] - time[..., 2]).min()
    width = int(((time[..., 1] + time[..., 3]).max() - first) * FS / 1000) + 3
    start = np.floor((onset + first) * FS / 1000).astype(int)
    clock = (start[:, None] + np.arange(width)) * 1000 / FS - onset[:, None]
    pulse = bump(clock[:, None], *(time[..., i, None] for i in range(4)))
    leads = amplitude.transpose(0, 2, 1) @ pulse
    samples = signal.shape[1]
    for s, piece in zip(start, leads, strict=True):
        a, b = max(s, 0), min(s + width, samples)
        if a < b:
            signal[:, a:b] += piece[:, a - s : b - s]
    return _spans(kind, where, start, leads) if kind else None


SPAN = np.dtype([("kind", "U3"), ("beat", int), ("onset", int, 13), ("peak", int, 13), ("offset", int, 13)])


def _spans(kind: str, beat: np.ndarray, start: np.ndarray, leads: np.ndarray) -> np.ndarray:
    """Return onset, peak and offset of one wave of B beats: column 0 over all leads, columns 1-12 lead by lead (-1: not seen).

    A wave lasts as long as it exceeds EDGE times its largest deflection in any lead.
    """
    size = np.abs(twelve_leads(leads))
    size = np.concatenate([size.max(1, keepdims=True), size], axis=1)  # (B, 13, W)
    seen = size > EDGE[kind] * size[:, :1].max(-1, keepdims=True)
    out = np.zeros(len(beat), SPAN)
    out["kind"], out["beat"] = kind, beat
    out["onset"], out["offset"] = seen.argmax(-1), size.shape[-1] - seen[..., ::-1].argmax(-1)
    out["peak"] = size.argmax(-1)
    out["peak"][:, 0] = np.square(leads).sum(1).argmax(-1)
    for name in ("onset", "peak", "offset"):
        out[name] = np.where(seen.any(-1), out[name] + start[:, None], -1)
    return out


def _within(spans: np.ndarray, samples: int) -> np.ndarray:
    """Keep the waves that lie whole inside the record, number the beats from 0, and sort by time."""
    spans = spans[(spans["onset"][:, 0] >= 0) & (spans["offset"][:, 0] <= samples)]
    spans = spans[np.argsort(spans["onset"][:, 0], kind="stable")]
    _, spans["beat"] = np.unique(spans["beat"], return_inverse=True)
    return spans


def causal_mask(condition: str, clean: np.ndarray, normal: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Return which samples carry the condition, bool (12, T).

    A sample is causal where the patient's heart with and without the condition differ by more than MASK_THRESHOLD
    (0.02 mV), before any noise. Gaps of less than 40 ms between such samples, where the two curves merely cross, are
    closed. First-degree AV block lies in the time between the waves as well: there the mask covers, in all leads,
    everything from P onset to QRS onset.
    """
    mask = np.abs(clean - normal) > MASK_THRESHOLD
    mask = _close_gaps(mask, int(0.04 * FS))
    if condition == "AVB":
        for p, qrs in _p_to_qrs(spans):
            mask[:, max(p, 0) : qrs] = True
    return mask


def _close_gaps(mask: np.ndarray, gap: int) -> np.ndarray:
    """Fill runs of fewer than ``gap`` False samples that lie between True ones, row by row."""
    index = np.arange(mask.shape[-1])
    before = np.maximum.accumulate(np.where(mask, index, -(10**9)), axis=-1)
    after = np.minimum.accumulate(np.where(mask, index, 10**9)[..., ::-1], axis=-1)[..., ::-1]
    return mask | (after - before <= gap)


def _p_to_qrs(spans: np.ndarray):
    """Yield (P onset, QRS onset) of every beat that has both, samples; also beats that the record's edges cut."""
    starts = {kind: {s["beat"]: s["onset"][0] for s in spans if s["kind"] == kind} for kind in ("P", "QRS")}
    for beat, p in starts["P"].items():
        if beat in starts["QRS"]:
            yield p, starts["QRS"][beat]


# --- the simulated ECG -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class SimulatedECG(ECG):
    """An ECG that knows its causes.

    Parameters (beside those of :class:`~ecgxai.ecg.record.ECG`)
    ----------
    condition : a key of CONDITIONS        severity : 0 (just meets the criteria) to 1 (marked); 0 for NORM
    territory : ischaemic wall, or ""      seed : the seed
    waves : P, QRS and T of every beat that lies whole inside the record, all leads together, in order of onset
    lead_waves : the same lead by lead, where the lead shows the wave
    causal_mask : bool (12, T), see :func:`causal_mask`; all False for NORM
    counterfactual : the same patient with the same rhythm and the same noise, without the condition; None for NORM
    patient : the patient's parameters
    """

    condition: str = "NORM"
    severity: float = 0.0
    territory: str = ""
    seed: int = 0
    waves: tuple[Wave, ...] = ()
    lead_waves: tuple[Wave, ...] = ()
    causal_mask: np.ndarray | None = None
    counterfactual: "SimulatedECG | None" = None
    patient: Patient | None = None

    def window(self, start: int = 0, samples: int = 2000) -> "SimulatedECG":
        """Return a window as :meth:`ECG.window` does; mask, waves and counterfactual come along."""
        cut = super().window(start, samples)
        kept = {
            name: tuple(w.shift(-start) for w in waves if w.onset >= start and w.offset <= start + samples)
            for name, waves in (("waves", self.waves), ("lead_waves", self.lead_waves))
        }
        mask = self.causal_mask[:, start : start + samples].copy()
        other = self.counterfactual and self.counterfactual.window(start, samples)
        return replace(cut, causal_mask=mask, counterfactual=other, **kept)

    def preprocess(self) -> "SimulatedECG":
        """Return the record and its counterfactual after the published filter chain; mask and waves stay."""
        done = super().preprocess()
        return (
            done
            if self.preprocessed or not self.counterfactual
            else replace(done, counterfactual=self.counterfactual.preprocess())
        )

    def swap(self, mask: np.ndarray | None = None) -> "SimulatedECG":
        """Return the record with the mask's samples (default: the causal mask's) taken from the counterfactual."""
        if self.counterfactual is None:
            raise ValueError("a NORM record has no counterfactual to swap with.")
        mask = self.causal_mask if mask is None else np.asarray(mask, bool)
        return replace(self, signal=np.where(mask, self.counterfactual.signal, self.signal))


@dataclass(frozen=True, eq=False)
class SimulatedBatch:
    """Arrays of N simulated ECGs.

    Parameters
    ----------
    signal, counterfactual : ndarray (N, 12, T), float32, mV. For NORM the counterfactual is the signal itself
    causal_mask : ndarray (N, 12, T), bool
    severity : ndarray (N,)       territory : N names, "" where none        seeds : ndarray (N,)
    spans : N structured arrays: kind, beat, and onset, peak, offset with 13 columns (all leads, then lead by lead)
    """

    condition: str
    seeds: np.ndarray
    signal: np.ndarray
    counterfactual: np.ndarray
    causal_mask: np.ndarray
    severity: np.ndarray
    territory: tuple[str, ...]
    spans: tuple[np.ndarray, ...] = field(repr=False)


@dataclass(frozen=True)
class _Simulation:
    patient: Patient
    severity: float
    territory: str
    signal: np.ndarray
    normal: np.ndarray
    mask: np.ndarray
    spans: np.ndarray
    normal_spans: np.ndarray


def _simulate(condition, seed, severity, territory, noise, changes, samples) -> _Simulation:
    row, rng = CONDITIONS[condition], np.random.default_rng([seed, 3])
    drawn, wall = rng.uniform(*row.severity), int(rng.integers(3))
    severity = float(drawn if severity is None else severity)
    if row.territories and territory is None:
        territory = row.territories[wall]
    patient = replace(draw_patient(seed), **changes)
    disturbance = electrode_noise(noise, seed, samples, FS)
    normal, normal_spans = _heart("NORM", patient, seed, 0.0, "", samples)
    heart, spans = (normal, normal_spans)
    if condition != "NORM":
        heart, spans = _heart(condition, patient, seed, severity, territory, samples)
    mask = causal_mask(condition, twelve_leads(heart), twelve_leads(normal), spans)
    recorded = [twelve_leads(record(h, disturbance, noise)).astype(np.float32) for h in (heart, normal)]
    return _Simulation(
        patient, severity, territory or "", *recorded, mask, _within(spans, samples), _within(normal_spans, samples)
    )


def simulate_ecg(
    condition: str = "NORM",
    seed: int = 0,
    *,
    severity: float | None = None,
    territory: str | None = None,
    noise: Noise | bool = True,
    patient: Mapping | None = None,
    seconds: float = SECONDS,
) -> SimulatedECG:
    """Simulate one 12-lead ECG at 500 Hz, with its causes.

    Parameters
    ----------
    condition : a key of CONDITIONS: "NORM", "AVB", "LBBB", "RBBB", "ISCH", "LVH", "AF", "PVC", "AVB2"
    seed : the patient. The same seed is the same patient, rhythm and noise, with or without the condition
    severity : 0 (just meets the criteria) to 1 (marked); by default drawn from the condition's range
    territory : "anterior", "lateral" or "inferior", for ischaemia; by default drawn
    noise : True (default level), False (none), or a :class:`~ecgxai.ecg.noise.Noise`
    patient : fields of :class:`Patient` to set instead of drawing, such as ``{"rate": 60, "axis": 0}``
    seconds : length of the record

    Returns
    -------
    SimulatedECG : ``signal`` (12, T) in mV, ``waves``, ``causal_mask``, ``counterfactual`` ...

    Raises
    ------
    ValueError : unknown condition or territory, or a severity outside 0 to 1
    """
    noise, changes, samples = _checked(condition, severity, territory, noise, patient, seconds)
    made = _simulate(condition, int(seed), severity, territory, noise, changes, samples)

    def ecg(name, signal, spans, **more):
        waves = _waves(spans)
        return SimulatedECG(
            signal=signal,
            record_id=f"sim_{name}_{seed}",
            condition=name,
            seed=int(seed),
            patient=made.patient,
            waves=waves[0],
            lead_waves=waves[1],
            **more,
        )

    none = np.zeros_like(made.mask)
    normal = ecg("NORM", made.normal, made.normal_spans, causal_mask=none)
    if condition == "NORM":
        return normal
    return ecg(
        condition,
        made.signal,
        made.spans,
        causal_mask=made.mask,
        counterfactual=normal,
        severity=made.severity,
        territory=made.territory,
    )


def simulate_batch(
    condition: str,
    seeds: Sequence[int],
    *,
    severity: float | None = None,
    territory: str | None = None,
    noise: Noise | bool = True,
    patient: Mapping | None = None,
    seconds: float = SECONDS,
) -> SimulatedBatch:
    """Simulate one ECG a seed, as arrays: about 10 ms each. Row i equals ``simulate_ecg(condition, seeds[i], ...)`` exactly.

    Parameters, errors: as :func:`simulate_ecg`.
    """
    noise, changes, samples = _checked(condition, severity, territory, noise, patient, seconds)
    n = len(seeds)
    signal, normal = (np.empty((n, 12, samples), np.float32) for _ in range(2))
    mask, severities, territories, spans = np.empty((n, 12, samples), bool), np.empty(n), [], []
    for i, seed in enumerate(seeds):
        made = _simulate(condition, int(seed), severity, territory, noise, changes, samples)
        signal[i], normal[i], mask[i], severities[i] = made.signal, made.normal, made.mask, made.severity
        territories.append(made.territory)
        spans.append(made.spans)
    return SimulatedBatch(
        condition, np.asarray(seeds), signal, normal, mask, severities, tuple(territories), tuple(spans)
    )


def _checked(condition, severity, territory, noise, patient, seconds):
    if condition not in CONDITIONS:
        raise ValueError(f"no condition {condition!r}; expected one of {', '.join(CONDITIONS)}.")
    if severity is not None and not 0 <= severity <= 1:
        raise ValueError(f"severity is {severity}; expected 0 (just meets the criteria) to 1 (marked), or None.")
    if territory is not None and territory not in CONDITIONS[condition].territories:
        known = CONDITIONS[condition].territories
        raise ValueError(f"territory is {territory!r}; {condition} knows {', '.join(known) or 'none'}.")
    changes = dict(patient or {})
    unknown = [name for name in changes if name not in Patient.__dataclass_fields__]
    if unknown:
        raise ValueError(
            f"no patient parameter {unknown[0]!r}; expected some of {', '.join(Patient.__dataclass_fields__)}."
        )
    noise = noise if isinstance(noise, Noise) else (Noise() if noise else CLEAN)
    return noise, changes, int(round(seconds * FS))


def _waves(spans: np.ndarray) -> tuple[tuple[Wave, ...], tuple[Wave, ...]]:
    """Turn spans into waves of all leads together and waves lead by lead."""
    together, apart = [], []
    for row in spans:
        kind, beat = str(row["kind"]), int(row["beat"])
        for column, (onset, peak, offset) in enumerate(
            zip(row["onset"].tolist(), row["peak"].tolist(), row["offset"].tolist(), strict=True)
        ):
            if onset >= 0:
                lead = LEADS[column - 1] if column else None
                (apart if column else together).append(Wave(kind, beat, onset, peak, offset, lead))
    return tuple(together), tuple(apart)
