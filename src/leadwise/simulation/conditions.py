"""What a simulated patient's heart does: the patient, the beats, the rhythms, and the conditions that change them.

``CONDITIONS`` has one row a condition: a beat (P, QRS, ST and T as phases of the heart vector) and a rhythm (when atria
and ventricles fire). All times in ms, all vectors in mV along Frank's axes (x left, y feet, z back).

Criteria are those of the AHA/ACCF/HRS recommendations for the standardization and interpretation of the
electrocardiogram: part III, intraventricular conduction disturbances (Surawicz et al., Circulation 119 (2009)
e235-e240), part V, hypertrophy (Hancock et al., e251-e261), part VI, acute ischaemia (Wagner et al., e262-e270); of
the fourth universal definition of myocardial infarction (Thygesen et al., Circulation 138 (2018) e618-e651); and of the
ACC/AHA/HRS guideline on bradycardia and conduction delay (Kusumoto et al., Circulation 140 (2019) e382-e482).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from leadwise.simulation.heart_vector import DOWER, Phases, frontal_rotation, phases, rotation, twelve_leads

FS = 500.0
EDGE = {"P": 0.03, "QRS": 0.02, "T": 0.05}
"""A wave lasts as long as it exceeds this fraction of its largest deflection in any lead."""

MOST_PHASES = 8

RANGES = {"rate": (20, 250), "pr": (80, 400), "p_width": (40, 200), "qrs": (40, 200), "qtc": (250, 600)}
"""What a patient can be given; healthy adults are drawn from narrower ranges."""


@dataclass(frozen=True, eq=False)
class Patient:
    """What one patient brings to every beat, whatever the condition. Drawn from the seed by :func:`draw_patient`.

    Parameters
    ----------
    rate : heart rate, 1/min
    rate_variability : standard deviation of the RR interval as a fraction of its mean
    pr, p_width, qrs : PR interval and widths of P and QRS, ms, as measured over all leads (see EDGE)
    qtc : QT interval at 60/min, ms; QT = qtc (RR / 1 s)^(1/3) (Fridericia 1920)
    axis : electrical axis of the normal QRS in the frontal plane, degrees
    turn : rotation of the heart about the body's long axis, degrees, positive to the back (clockwise)
    p_gain, qrs_gain, t_gain : amplitudes, 1 = average
    t_turn : frontal turn of T, degrees, beside half of the turn of QRS
    st_share : ST elevation as a fraction of the T vector
    u_wave : mV
    respiration : breaths per second
    respiration_turn : degrees that a breath turns the heart
    lead_matrix : (8, 3), Dower's matrix as this body bends it: displaced electrodes, thick or thin chest wall
    local : (3, MOST_PHASES, 8) per wave, phase and lead: what no single vector explains, as a fraction of its size
    shape : (3, MOST_PHASES, 6) standard normal draws that vary width, timing and direction of each phase
    notches : (2, 5) QRS notches: position (fraction of QRS), half width (ms), x, y, z (mV)
    """

    rate: float = 70.0
    rate_variability: float = 0.0
    pr: float = 155.0
    p_width: float = 104.0
    qrs: float = 90.0
    qtc: float = 405.0
    axis: float = 45.0
    turn: float = 0.0
    p_gain: float = 1.0
    qrs_gain: float = 1.0
    t_gain: float = 1.0
    t_turn: float = 0.0
    st_share: float = 0.08
    u_wave: float = 0.0
    respiration: float = 0.25
    respiration_turn: float = 0.0
    lead_matrix: np.ndarray = field(default_factory=DOWER.copy, repr=False)
    local: np.ndarray = field(default_factory=lambda: np.zeros((3, MOST_PHASES, 8)), repr=False)
    shape: np.ndarray = field(default_factory=lambda: np.zeros((3, MOST_PHASES, 6)), repr=False)
    notches: np.ndarray = field(default_factory=lambda: np.zeros((0, 5)), repr=False)

    def __post_init__(self):
        for name, (low, high) in RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"patient's {name} is {getattr(self, name)}; expected {low} to {high}.")

    @property
    def rr(self) -> float:
        """Mean RR interval, ms."""
        return 60000 / self.rate

    @property
    def qt(self) -> float:
        """QT interval at the mean rate, ms."""
        return self.qtc * (self.rr / 1000) ** (1 / 3)

    @cached_property
    def frontal_turn(self) -> float:
        """Degrees that bring the average heart's QRS to this patient's axis."""
        return frontal_rotation(_varied(NORMAL_QRS, self, 1).area(), self.axis)

    @cached_property
    def beat(self) -> "Beat":
        """The patient's own beat."""
        return _own_beat(self)


def draw_patient(seed: int) -> Patient:
    """Draw a patient's anatomy and physiology from the ranges of healthy adults."""
    rng = np.random.default_rng([seed, 0])

    def normal(mean, sd, low, high):
        return float(np.clip(rng.normal(mean, sd), low, high))

    def factor(spread):
        return float(rng.lognormal(0, spread))

    patient = Patient(
        rate=normal(71, 11, 50, 100),
        rate_variability=0.025 * factor(0.5),
        pr=normal(153, 17, 120, 192),
        p_width=normal(104, 8, 84, 118),
        qrs=normal(91, 7, 76, 106),
        qtc=normal(405, 16, 365, 440),
        axis=normal(45, 25, -25, 88),
        turn=normal(0, 9, -22, 22),
        p_gain=factor(0.25),
        qrs_gain=factor(0.22),
        t_gain=factor(0.25),
        t_turn=normal(0, 10, -25, 25),
        st_share=normal(0.08, 0.05, -0.02, 0.2),
        u_wave=float(rng.uniform(0, 0.03)),
        respiration=float(rng.uniform(0.17, 0.35)),
        respiration_turn=float(rng.uniform(0.5, 5)),
        lead_matrix=_draw_lead_matrix(rng),
        local=rng.normal(0, 0.05, (3, MOST_PHASES, 8)) * np.r_[0.3, 0.3, 1, 1, 1, 1, 1, 1],
        shape=rng.standard_normal((3, MOST_PHASES, 6)).clip(-2.5, 2.5),
        notches=np.column_stack([rng.uniform(0.2, 0.85, 2), rng.uniform(7, 13, 2), rng.normal(0, 0.03, (2, 3))]),
    )
    # A healthy heart stays below the voltage criterion of hypertrophy.
    return replace(patient, qrs_gain=patient.qrs_gain * min(1.0, 3.3 / sokolow_lyon(patient, patient.beat.qrs)))


def sokolow_lyon(patient: Patient, qrs: Phases) -> float:
    """Return the depth of S in V1 plus the height of R in V5 or V6, whichever is taller, mV."""
    leads = patient.lead_matrix @ qrs(np.arange(200.0))
    return float(leads[[6, 7]].max() - leads[2].min())


def _draw_lead_matrix(rng) -> np.ndarray:
    """Vary Dower's matrix: chest electrodes slide along the chest, sit higher or lower, behind more or less tissue."""
    slide, height = rng.normal(0, 0.15, 6) + rng.normal(0, 0.1), rng.normal(0, 0.08, 6) + rng.normal(0, 0.08)
    tissue = rng.lognormal(0, 0.08, 6) * rng.lognormal(0, 0.12)
    place = np.clip(np.arange(6) + slide, 0, 5)
    chest = np.column_stack([np.interp(place, np.arange(6), DOWER[2:, axis]) for axis in range(3)])
    chest[:, 1] += height
    return np.vstack([DOWER[:2], chest * tissue[:, None]])


# --- beats -----------------------------------------------------------------------------------------------------------

# Start and end of the plateau, rise, fall, as fractions of the wave; x, y, z in mV.
P_WAVE = np.array(
    [
        [0.36, 0.42, 0.36, 0.44, 0.015, 0.070, -0.045],  # right atrium: to the feet and forward
        [0.58, 0.66, 0.44, 0.36, 0.060, 0.045, 0.045],  # left atrium: left and back
    ]
)
NORMAL_QRS = np.array(
    [
        [0.18, 0.18, 0.18, 0.22, -0.13, -0.06, -0.20],  # septum: right and forward
        [0.38, 0.38, 0.22, 0.24, 0.38, 0.40, -0.22],  # apex
        [0.51, 0.51, 0.26, 0.32, 0.84, 0.62, 0.62],  # free wall of the left ventricle: left, down, back
        [0.72, 0.72, 0.26, 0.28, -0.08, -0.12, 0.44],  # base: up and back
    ]
)
LEFT_BLOCK_QRS = np.array(
    [
        [0.12, 0.12, 0.12, 0.20, 0.12, 0.10, -0.12],  # septum, from right to left: no q in I, V5, V6
        [0.37, 0.42, 0.35, 0.23, 0.82, 0.42, 0.98],  # left ventricle, from cell to cell: one slow plateau
        [0.62, 0.71, 0.23, 0.29, 1.00, 0.07, 0.92],
        [0.52, 0.52, 0.12, 0.12, -0.18, -0.05, -0.12],  # with a notch between septum and free wall
    ]
)
# T: a main wave on a shallow ramp; fractions of 100 ms before its end, share of the T vector in the last column.
T_SHAPE = np.array([[-1.05, -1.05, 1.35, 1.05, 0.78], [-1.30, -1.20, 2.00, 1.20, 0.22]])
T_VECTOR = np.array([0.32, 0.24, -0.12])


@dataclass(frozen=True)
class Beat:
    """The phases of one beat: ``p`` and ``ta`` in ms from P onset; ``qrs``, ``st``, ``t`` in ms from QRS onset.

    ``ta`` is atrial repolarisation, ``st`` whatever surrounds T (ST segment, U wave): neither counts as a wave.
    ``pr`` and ``qrs_end``: PR interval and end of QRS, ms.
    """

    p: Phases
    ta: Phases
    qrs: Phases
    st: Phases
    t: Phases
    pr: float
    qrs_end: float


def _varied(rows: np.ndarray, patient: Patient, wave: int) -> Phases:
    """Give each phase of a table the patient's own width, timing and direction; times stay fractions of the wave."""
    draws = patient.shape[wave, : len(rows)]
    time, vector = rows[:, :4].copy(), rows[:, 4:7].copy()
    time[:, 2:] *= np.exp(0.06 * draws[:, :1])
    time[:, :2] += 0.012 * draws[:, 1:2]
    vector += 0.10 * draws[:, 2:5] * np.linalg.norm(vector, axis=1, keepdims=True)
    return Phases(time, vector)


def _notched(wave: Phases, patient: Patient, width: float) -> Phases:
    """Add the patient's notches to a QRS of the given width (ms); where conduction is slow, they are broad."""
    centre, half = patient.notches[:, 0] * width, patient.notches[:, 1] * width / patient.qrs
    return wave + Phases(np.column_stack([centre, centre, half, half]), patient.qrs_gain * patient.notches[:, 2:])


def _in_ms(wave: Phases, width: float) -> Phases:
    return replace(wave, time=wave.time * width)


def _p_wave(patient: Patient) -> Phases:
    wave = _in_ms(_varied(P_WAVE, patient, 0), patient.p_width).scaled(patient.p_gain)
    wave = wave.turned(0.3 * patient.frontal_turn)
    return wave.fitted(0, patient.p_width, EDGE["P"], patient.lead_matrix)


def _ta_wave(p: Phases, patient: Patient) -> Phases:
    """Return atrial repolarisation: a tenth of P, turned against it, from the end of P on for about 300 ms."""
    end = patient.p_width
    return phases([[end + 30, end + 60, 110, 180, *(-0.10 * p.vector.sum(0))]])


def _ventricles(rows: np.ndarray, patient: Patient, width: float, frontal: float) -> Phases:
    """Return a QRS made of ``rows``, ``width`` ms wide, turned by ``frontal`` degrees and by the patient's own turn."""
    wave = _in_ms(_varied(rows, patient, 1), width).scaled(patient.qrs_gain)
    wave = _notched(wave, patient, width).turned(frontal, patient.turn)
    return wave.fitted(0, width, EDGE["QRS"], patient.lead_matrix)


def _t_vector(patient: Patient) -> np.ndarray:
    turn = rotation(0.5 * patient.frontal_turn + patient.t_turn, 0.5 * patient.turn)
    return turn @ (patient.t_gain * T_VECTOR + 0.025 * patient.shape[2, 1, 2:5])


def _t_wave(vector: np.ndarray, patient: Patient, qt: float, stretch: float = 1.0) -> Phases:
    """Return a T wave that ends at ``qt`` ms."""
    rate = (patient.rr / 1000) ** (1 / 3)
    time = 100 * rate * stretch * T_SHAPE[:, :4]
    time[:, 2:] *= np.exp(0.10 * patient.shape[2, 0, :2])
    wave = Phases(time, T_SHAPE[:, 4:] * vector)
    return replace(wave, time=wave.time + np.r_[1, 1, 0, 0] * (qt - wave.extent(EDGE["T"], patient.lead_matrix)[1]))


def _st_segment(vector: np.ndarray, qrs_end: float, qt: float, hold: float = 40.0) -> Phases:
    """Return a plateau of ``hold`` ms after the end of QRS that fades until the T wave ends."""
    return phases([[qrs_end + 8, qrs_end + 8 + hold, 30, max(qt - 20 - qrs_end - hold, 60), *vector]])


def _u_wave(patient: Patient, qt: float) -> Phases:
    return phases([[qt + 60, qt + 60, 70, 100, *(patient.u_wave * np.array([0.3, 0.3, -0.7]))]])


def normal_beat(patient: Patient, severity: float = 0.0, territory: str = "") -> Beat:
    """Return the patient's own beat: for the conditions that change the rhythm alone."""
    return patient.beat


def _own_beat(patient: Patient) -> Beat:
    p, t = _p_wave(patient), _t_vector(patient)
    return Beat(
        p=p,
        ta=_ta_wave(p, patient),
        qrs=_ventricles(NORMAL_QRS, patient, patient.qrs, patient.frontal_turn),
        st=_st_segment(patient.st_share * t, patient.qrs, patient.qt) + _u_wave(patient, patient.qt),
        t=_t_wave(t, patient, patient.qt),
        pr=patient.pr,
        qrs_end=patient.qrs,
    )


def av_block_beat(patient: Patient, severity: float, territory: str = "") -> Beat:
    """First-degree AV block: a PR interval above 200 ms, here 208 to 400 ms.

    P stays behind the T wave's peak: at a fast rate PR grows less.
    """
    pr = max(208.0, min(208 + 192 * severity, patient.rr - 0.85 * patient.qt))
    return replace(patient.beat, pr=pr)


def left_block_beat(patient: Patient, severity: float, territory: str = "") -> Beat:
    """Left bundle branch block: the left ventricle is excited late, from the right, from cell to cell.

    QRS 125-170 ms; broad, notched or slurred R in I, aVL, V5, V6 that peaks after 60 ms, without q; rS or QS in V1;
    ST and T against QRS (Surawicz et al. 2009).
    """
    width = 125 + 45 * severity
    rows = LEFT_BLOCK_QRS.copy()
    rows[:, 4:] *= patient.qrs_gain**-0.4  # voltages vary less than with normal conduction
    rows[3, 4:] *= np.exp(0.6 * patient.shape[1, 6, 0])  # from slurred to deeply notched
    qrs = _ventricles(rows, patient, width, 0.6 * patient.frontal_turn)
    qt = patient.qt + 0.6 * (width - patient.qrs)
    main = qrs.vector[1:3].mean(0)
    t = -0.34 * np.sqrt(patient.t_gain) * main + 0.25 * _t_vector(patient)
    return replace(
        patient.beat,
        qrs=qrs,
        st=_st_segment(-0.12 * main, width, qt, 50) + _u_wave(patient, qt),
        t=_t_wave(t, patient, qt),
        qrs_end=width,
    )


def right_block_beat(patient: Patient, severity: float, territory: str = "") -> Beat:
    """Right bundle branch block: the right ventricle is excited late, after the left one.

    QRS 122-165 ms, its first half the patient's own; then slowly to the right and forward: rSR' in V1, a broad S in I
    and V6; ST and T in V1, V2 against the R' (Surawicz et al. 2009).
    """
    normal, width = patient.beat, 122 + 43 * severity
    late, draws = 0.38 * patient.qrs, patient.shape[1, 6]
    terminal = patient.qrs_gain * np.exp(0.15 * draws[0]) * (np.array([-0.30, 0.05, -0.78]) + 0.07 * draws[1:4])
    # The base fires together with the late right ventricle: a part of its forces cancels.
    own = replace(normal.qrs, vector=normal.qrs.vector * np.r_[1, 1, 1, 0.3, np.ones(len(patient.notches))][:, None])
    middle = late + 0.48 * (width - late)
    qrs = own + phases([[middle - 5, middle + 5, middle - late - 5, 1.10 * (width - middle), *terminal]])
    qt = patient.qt + 0.6 * (width - patient.qrs)
    t = _t_vector(patient) - 0.30 * terminal * np.array([0.5, 1, 1])
    return replace(
        normal,
        qrs=qrs,
        st=_st_segment(patient.st_share * t - 0.04 * terminal, width, qt, 25) + _u_wave(patient, qt),
        t=_t_wave(t, patient, qt),
        qrs_end=width,
    )


def _one_millivolt(vector) -> np.ndarray:
    """Scale a vector so that its largest deflection in any of the twelve leads is 1 mV."""
    vector = np.asarray(vector, float)
    return vector / np.abs(twelve_leads(DOWER @ vector[:, None])).max()


ST_VECTORS = {
    "anterior": _one_millivolt([-0.35, -0.05, 0.62]),  # depression in V2-V5
    "lateral": _one_millivolt([-0.90, -0.05, 0.00]),  # I, aVL, V5, V6
    "inferior": _one_millivolt([-0.15, -0.95, -0.10]),  # II, III, aVF
}
"""Subendocardial ischaemia points away from the wall: 1 mV of ST depression in the deepest lead of each territory."""


def ischaemic_beat(patient: Patient, severity: float, territory: str = "lateral") -> Beat:
    """Ischaemia: horizontal or downsloping ST depression and T inversion in the leads over the territory.

    Depression 0.12-0.35 mV in the deepest lead, hence at least 0.05 mV in two contiguous leads (Wagner et al. 2009;
    Thygesen et al. 2018). The part of T that faces the territory flattens, and with severity turns.
    """
    away, t = ST_VECTORS[territory], _t_vector(patient)
    facing = -away / np.linalg.norm(away)
    height = t @ facing
    # T loses amplitude everywhere; its part towards the territory flattens, then turns.
    t = (0.8 - 0.4 * severity) * (t - height * facing) + (0.35 - 1.45 * severity) * max(height, 0.25) * facing
    st = _st_segment((0.12 + 0.23 * severity) * away, patient.qrs, patient.qt, 60)
    return replace(patient.beat, st=st + _u_wave(patient, patient.qt), t=_t_wave(t, patient, patient.qt))


def hypertrophied_beat(patient: Patient, severity: float, territory: str = "") -> Beat:
    """Left ventricular hypertrophy: S in V1 plus R in V5 or V6 of 3.8-5.5 mV (Sokolow-Lyon: above 3.5 mV), and strain.

    QRS is an eighth wider; with severity ST and T turn against it (Hancock et al. 2009).
    """
    normal, qt = patient.beat, patient.qt
    gain = max(1.2, (3.8 + 1.7 * severity) / sokolow_lyon(patient, normal.qrs))
    qrs = Phases(normal.qrs.time * 1.125, normal.qrs.vector * gain)
    strain = -0.14 * severity * qrs.vector[2]
    t = (1 - 0.7 * severity) * _t_vector(patient) + 1.2 * strain
    st = _st_segment(0.5 * strain, 1.125 * patient.qrs, qt) + _u_wave(patient, qt)
    return replace(normal, qrs=qrs, st=st, t=_t_wave(t, patient, qt), qrs_end=1.125 * patient.qrs)


def ectopic_beat(patient: Patient) -> Beat:
    """Build a premature ventricular beat: 140-170 ms wide, from anywhere in the ventricles, ST and T against QRS."""
    draws = patient.shape[1, 7]
    width = 155 + 6 * draws[0]
    qrs = phases(LEFT_BLOCK_QRS[1:] * np.r_[np.full(4, width), np.full(3, 1.1 * patient.qrs_gain)])
    qrs = qrs.turned(60 * draws[1], 180 * (draws[2] > 0) + 25 * draws[3])
    qrs = qrs.fitted(0, width, EDGE["QRS"], patient.lead_matrix)
    main, qt = qrs.vector[:2].mean(0), 400 + 0.5 * (width - 90)
    st, t = _st_segment(-0.12 * main, width, qt, 50), _t_wave(-0.35 * main, patient, qt)
    return Beat(p=phases([]), ta=phases([]), qrs=qrs, st=st, t=t, pr=0.0, qrs_end=width)


# --- rhythms ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rhythm:
    """When the heart fires. Arrays have one entry a beat; times in ms from the start of the record.

    Parameters
    ----------
    p, qrs : onset of P and of QRS, NaN where the beat has none
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
    """Sinus rhythm: RR follows breathing (respiratory sinus arrhythmia) and drifts a little."""
    rng = np.random.default_rng([seed, 2])
    count = int((samples / FS * 1000 + 4000) / patient.rr * 1.3) + 6
    phase, start = rng.uniform(0, 2 * np.pi), rng.uniform(0, 1)
    jitter, pr_jitter = rng.standard_normal((2, max(count, 64)))[:, :count]
    slow = np.convolve(jitter, [0.5, 0.3, 0.2])[:count]
    breath = np.sqrt(2) * np.sin(2 * np.pi * patient.respiration * patient.rr / 1000 * np.arange(count) + phase)
    rr = patient.rr * (1 + np.clip(patient.rate_variability * (0.75 * breath + slow), -0.2, 0.2))
    qrs = -2000 + start * patient.rr + np.cumsum(rr)
    return Rhythm(qrs - pr + 1.5 * pr_jitter, qrs, rr, np.zeros(count, bool))


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
    return Rhythm(np.full(count, np.nan), -2000 + np.cumsum(rr), steady, np.zeros(count, bool), size.T @ wave)


def premature_beats(patient: Patient, seed: int, severity: float, pr: float, samples: int) -> Rhythm:
    """Sinus rhythm where every second to sixth beat is premature, ventricular, and followed by a compensatory pause."""
    sinus, rng = sinus_rhythm(patient, seed, severity, pr, samples), np.random.default_rng([seed, 1])
    every = int(np.clip(round(6 - 4 * severity), 2, 6))
    ectopic = (np.arange(len(sinus.qrs)) + rng.integers(every)) % every == 0
    early = rng.uniform(0.30, 0.42) + 0.02 * rng.standard_normal(len(sinus.qrs))
    qrs = np.where(ectopic, sinus.qrs - early * sinus.rr, sinus.qrs)
    return replace(sinus, p=np.where(ectopic, np.nan, sinus.p), qrs=qrs, ectopic=ectopic)


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
    territories : choice of ischaemic walls, or none
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
        spread=(1.0, 6.0),
    ),
    "LBBB": Condition(
        "left bundle branch block",
        "QRS from 120 ms; broad notched R without q in I, V5, V6; rS or QS in V1; ST-T opposite (Surawicz et al. 2009)",
        beat=left_block_beat,
    ),
    "RBBB": Condition(
        "right bundle branch block",
        "QRS from 120 ms; rSR' in V1 or V2; S wider than 40 ms in I and V6 (Surawicz et al. 2009)",
        beat=right_block_beat,
    ),
    "ISCH": Condition(
        "ischaemia",
        "flat or downsloping ST depression from 0.05 mV in two contiguous leads, T inversion (Thygesen et al. 2018)",
        beat=ischaemic_beat,
        territories=tuple(ST_VECTORS),
    ),
    "LVH": Condition(
        "left ventricular hypertrophy",
        "S in V1 plus R in V5 or V6 above 3.5 mV; ST-T strain (Hancock et al. 2009)",
        beat=hypertrophied_beat,
    ),
    "AF": Condition(
        "atrial fibrillation",
        "no P, fibrillatory waves, irregularly irregular RR (January et al., Circulation 130 (2014) e199-e267)",
        rhythm=fibrillation,
    ),
    "PVC": Condition(
        "premature ventricular beats",
        "premature, from 120 ms, no P before, ST-T opposite, compensatory pause",
        rhythm=premature_beats,
    ),
    "AVB2": Condition(
        "second-degree atrioventricular block, Mobitz type I (Wenckebach)",
        "PR grows until a P is not conducted (Kusumoto et al. 2019)",
        rhythm=wenckebach,
    ),
}
