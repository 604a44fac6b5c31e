"""A simulated patient: age and sex, what is drawn from them, and the beat of this heart while it is healthy.

Times in ms, vectors in mV along Frank's axes (x left, y feet, z back).

Medians by sex: M. M. Pinto-Filho et al., Arq Bras Cardiol 109 (2017) 416-424, doi:10.5935/abc.20170141 (11,094 adults
without heart disease: rate, P, PR, QRS, axes of P, QRS and T). Spread: J. W. Mason et al., J Electrocardiol 40 (2007)
228-234, doi:10.1016/j.jelectrocard.2006.09.003 (2nd and 98th percentiles of 46,129 people), and P. M. Rautaharju et
al., J Electrocardiol 46 (2013) 707-716, doi:10.1016/j.jelectrocard.2013.05.136 (36,299 healthy women). That the axis
turns left with age, and voltages are smaller in women: P. R. Rijnbeek et al., J Electrocardiol 47 (2014) 914-921,
doi:10.1016/j.jelectrocard.2014.07.022. T, a quarter taller in men and falling with age: M. L. Gambill et al., J
Electrocardiol 28 (1995) 191-197, doi:10.1016/s0022-0736(05)80257-2. ST, higher in young men: P. W. Macfarlane, J
Electrocardiol 34 (2001) suppl. 235-241, doi:10.1054/jelc.2001.28906. ``benchmarks/simulator.md`` holds the patients
against these numbers, and against real recordings.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from leadwise.simulation.heart_vector import DOWER, Phases, electrical_axis, frontal_rotation, phases, rotation

Sex = Literal["female", "male"]
SEXES: tuple[Sex, ...] = ("female", "male")

EDGE = {"P": 0.03, "QRS": 0.02, "T": 0.05}
"""A wave lasts as long as it exceeds this fraction of its largest deflection in any lead."""

MOST_PHASES = 8

RANGES = {
    "age": (18, 100),
    "rate": (20, 250),
    "pr": (80, 400),
    "p_width": (40, 200),
    "qrs": (40, 200),
    "qtc": (250, 600),
    "axis": (-180, 180),
    "p_axis": (-180, 180),
    "t_axis": (-180, 180),
}
"""What a patient can be given; healthy adults are drawn from narrower ranges."""


@dataclass(frozen=True, eq=False)
class Patient:
    """What one patient brings to every beat, whatever the condition. Drawn from the seed by :func:`draw_patient`.

    Each field moves its own part of the beat: another PR interval moves P and nothing else, another T axis turns T
    and nothing else. What follows from a field by physiology follows here too: QT from the rate, and in the bundle
    branch blocks ST and T from QRS.

    Parameters
    ----------
    age : years
    sex : "female" or "male"
    rate : heart rate, 1/min
    rate_variability : standard deviation of the RR interval as a fraction of its mean
    pr, p_width, qrs : PR interval and widths of P and QRS, ms, as measured over all leads (see EDGE)
    qtc : QT interval at 60/min, ms; QT = qtc (RR / 1 s)^(1/3) (Fridericia 1920)
    axis, p_axis, t_axis : electrical axes of the normal QRS, of P and of T in the frontal plane, degrees
    turn, t_turn : rotation of QRS and of T about the body's long axis, degrees, positive to the back (clockwise)
    p_gain, qrs_gain, t_gain : amplitudes, 1 = average
    st : (3,) heart vector of the ST segment, mV: in health too, ST is not quite level
    septum : size of the first, rightward forces, 1 = average: they make the q in I, V5, V6
    slur : how long the last, small forces take to fade, as a fraction of QRS
    u_wave : mV
    respiration : breaths per second
    respiration_turn : degrees that a breath turns the heart
    lead_matrix : (8, 3), Dower's matrix as this body bends it: displaced electrodes, thick or thin chest wall
    local : (3, MOST_PHASES, 8) per wave, phase and lead: what no single vector explains in a chest lead, a share of it
    shape : (3, MOST_PHASES, 6) standard normal draws that vary width, timing and direction of each phase
    notches : (2, 5) QRS notches: position (fraction of QRS), half width (ms), x, y, z (mV)
    """

    age: float = 50.0
    sex: Sex = "female"
    rate: float = 70.0
    rate_variability: float = 0.0
    pr: float = 155.0
    p_width: float = 108.0
    qrs: float = 90.0
    qtc: float = 408.0
    axis: float = 45.0
    p_axis: float = 55.0
    t_axis: float = 42.0
    turn: float = 0.0
    t_turn: float = 0.0
    p_gain: float = 1.0
    qrs_gain: float = 1.0
    t_gain: float = 1.0
    st: np.ndarray = field(default_factory=lambda: np.array([0.015, 0.008, -0.03]), repr=False)
    septum: float = 1.0
    slur: float = 0.32
    u_wave: float = 0.0
    respiration: float = 0.25
    respiration_turn: float = 0.0
    lead_matrix: np.ndarray = field(default_factory=DOWER.copy, repr=False)
    local: np.ndarray = field(default_factory=lambda: np.zeros((3, MOST_PHASES, 8)), repr=False)
    shape: np.ndarray = field(default_factory=lambda: np.zeros((3, MOST_PHASES, 6)), repr=False)
    notches: np.ndarray = field(default_factory=lambda: np.zeros((0, 5)), repr=False)

    def __post_init__(self):
        if self.sex not in SEXES:
            raise ValueError(f"patient's sex is {self.sex!r}; expected one of {', '.join(SEXES)}.")
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
    def beat(self) -> "Beat":
        """The patient's own beat."""
        t = t_vector(self)
        return Beat(
            p=(p := _p_wave(self)),
            ta=_ta_wave(p, self),
            qrs=ventricles(_own_rows(self), self, self.qrs, self.axis),
            st=st_segment(np.asarray(self.st, float), self.qrs, self.qt) + u_wave(self, self.qt),
            t=t_wave(t, self, self.qt),
            pr=self.pr,
            qrs_end=self.qrs,
        )


# --- drawing ---------------------------------------------------------------------------------------------------------

# Quantity -> women's and men's median at 50 years, change a year, standard deviation, least and greatest that is drawn.
NORMAL = {
    "rate": (68, 65, 0.0, 10, 48, 100),
    "p_width": (106, 110, 0.10, 9, 84, 124),
    "pr": (156, 162, 0.25, 19, 118, 198),
    "qrs": (87, 93, 0.0, 7.5, 70, 109),
    "qtc": (414, 404, 0.15, 15, 362, 450),
    "axis": (40, 36, -0.5, 26, -28, 88),
    "p_axis": (57, 54, 0.0, 14, 5, 78),
    "t_axis": (45, 39, 0.0, 15, -5, 78),
    "turn": (0, 0, 0.0, 12, -28, 28),
    "t_turn": (0, 0, 0.0, 14, -32, 32),
}
# Quantity -> women's and men's median at 50 years, relative change a year, standard deviation of its logarithm.
GAINS = {
    "p_gain": (1.0, 1.0, 0.0, 0.22),
    "qrs_gain": (0.97, 1.07, -0.002, 0.20),
    "t_gain": (0.86, 1.10, -0.006, 0.26),
}
# x, y, z: the medians at 50 years, mV; the change a year in men; the standard deviation.
ST_MEDIAN = {"female": np.array([0.003, 0.000, -0.022]), "male": np.array([0.007, 0.002, -0.046])}
ST_AGEING = np.array([0.0, 0.0, 0.0006])
ST_SPREAD = np.array([0.022, 0.020, 0.038])

# Share of a wave's size that its own place in the heart adds to a chest lead, whose electrode lies close to the front.
# The limb leads are far away: they show the frontal axis that was asked for.
LOCAL = np.array([1.0, 1.0, 1.6])  # of P, QRS, T
NEAR = np.zeros((3, 1, 8))
NEAR[1, 0] = [0.0, 0.0, 0.12, 0.0, -0.03, 0.0, 0.0, -0.05]
NEAR[2, 0] = [0.0, 0.0, -0.06, 0.08, -0.20, -0.19, -0.17, -0.06]

LIMITS = {"female": (3.4, 1.9), "male": (3.4, 2.7)}
"""mV by sex: a healthy heart stays below the voltages of hypertrophy, Sokolow and Lyon's and Cornell's."""


def draw_patient(seed: int, age: float | None = None, sex: Sex | None = None) -> Patient:
    """Draw a healthy adult: anatomy and physiology by age and sex.

    Parameters
    ----------
    seed : the patient's number
    age, sex : to set, not draw. Whatever depends on them keeps its rank: who has a long PR interval for a woman of 40
        has one that is as long for a man of 70
    """
    rng = np.random.default_rng([seed, 0])
    drawn_sex, drawn_age = SEXES[int(rng.random() < 0.5)], float(np.clip(rng.normal(52, 17), 18, 92))
    sex, age = sex or drawn_sex, float(drawn_age if age is None else age)
    if sex not in SEXES:
        raise ValueError(f"patient's sex is {sex!r}; expected one of {', '.join(SEXES)}.")
    man, older = SEXES.index(sex), age - 50
    ranks = dict(zip((*NORMAL, *GAINS), rng.standard_normal(len(NORMAL) + len(GAINS)), strict=True))
    values = {
        name: float(np.clip(row[man] + row[2] * older + row[3] * ranks[name], *row[4:])) for name, row in NORMAL.items()
    }
    # The axes of P and T follow the heart's position a little.
    for name, share in (("p_axis", 0.15), ("t_axis", 0.25)):
        values[name] = float(np.clip(values[name] + share * (values["axis"] - 40), *NORMAL[name][4:]))
    gains = {name: float(row[man] * np.exp(row[2] * older + row[3] * ranks[name])) for name, row in GAINS.items()}
    st = ST_MEDIAN[sex] + man * older * ST_AGEING + ST_SPREAD * rng.standard_normal(3).clip(-2.5, 2.5)
    spread = rng.normal(0, 0.05, (3, MOST_PHASES, 8)) * np.r_[0, 0, 1, 1, 1, 1, 1, 1] * LOCAL[:, None, None]
    patient = Patient(
        age=age,
        sex=sex,
        **values,
        **gains,
        rate_variability=0.025 * float(rng.lognormal(0, 0.5)),
        st=st,
        septum=float(np.clip(rng.normal(0.15, 0.50), -0.7, 1.6)),
        slur=float(np.clip(rng.normal(0.34, 0.08), 0.18, 0.55)),
        u_wave=float(rng.uniform(0, 0.03)),
        respiration=float(rng.uniform(0.17, 0.35)),
        respiration_turn=float(rng.uniform(0.5, 5)),
        lead_matrix=_draw_lead_matrix(rng),
        local=spread + NEAR,
        shape=rng.standard_normal((3, MOST_PHASES, 6)).clip(-2.5, 2.5),
        notches=np.column_stack([rng.uniform(0.2, 0.75, 2), rng.uniform(7, 13, 2), rng.normal(0, 0.03, (2, 3))]),
    )
    # Voltages do not depend on how the wave is stretched in time: no need to fit its width first.
    leads = voltages(patient, _turned_to(_own_rows(patient), patient, patient.axis))
    excess = max(found / limit for found, limit in zip((sokolow_lyon(leads), cornell(leads)), LIMITS[sex], strict=True))
    return replace(patient, qrs_gain=patient.qrs_gain / max(1.0, excess))


def _draw_lead_matrix(rng) -> np.ndarray:
    """Vary Dower's matrix: chest electrodes slide along the chest, sit higher or lower, behind more or less tissue."""
    slide, height = rng.normal(0, 0.22, 6) + rng.normal(0, 0.18), rng.normal(0, 0.08, 6) + rng.normal(0, 0.08)
    tissue = rng.lognormal(0, 0.08, 6) * rng.lognormal(0, 0.12)
    place = np.clip(np.arange(6) + slide, 0, 5)
    chest = np.column_stack([np.interp(place, np.arange(6), DOWER[2:, axis]) for axis in range(3)])
    chest[:, 1] += height
    return np.vstack([DOWER[:2], chest * tissue[:, None]])


def in_leads(patient: Patient, wave: Phases, row: int, time: np.ndarray) -> np.ndarray:
    """Return a wave in the patient's eight leads, (8, T) in mV, at times (T,) in ms; row: 0 P, 1 QRS, 2 ST and T."""
    size = np.linalg.norm(wave.vector, axis=1, keepdims=True)
    amplitude = wave.vector @ patient.lead_matrix.T + size * patient.local[row, : len(size)]
    return amplitude.T @ wave.pulses(time)


def voltages(patient: Patient, qrs: Phases) -> np.ndarray:
    """Return a QRS in the patient's eight leads, (8, 120) in mV, from its first to its last ms."""
    start, end, rise, fall = qrs.time.T
    return in_leads(patient, qrs, 1, np.linspace((start - rise).min(), (end + fall).max(), 120))


def sokolow_lyon(leads: np.ndarray) -> float:
    """Return the depth of S in V1 plus the height of R in V5 or V6, whichever is taller, mV; ``leads`` (8, T)."""
    return float(leads[[6, 7]].max() - leads[2].min())


def cornell(leads: np.ndarray) -> float:
    """Return the height of R in aVL plus the depth of S in V3, mV; ``leads`` (8, T)."""
    return float((leads[0] - leads[1] / 2).max() - leads[4].min())


# --- the parts of a beat ---------------------------------------------------------------------------------------------

# Start and end of the plateau, rise, fall, as fractions of the wave; x, y, z in mV.
P_WAVE = np.array(
    [
        [0.34, 0.40, 0.34, 0.46, 0.055, 0.065, -0.050],  # right atrium: to the feet and forward
        [0.58, 0.66, 0.44, 0.36, 0.075, 0.050, 0.036],  # left atrium: left and back
    ]
)
NORMAL_QRS = np.array(
    [
        [0.18, 0.18, 0.18, 0.22, -0.13, -0.04, -0.15],  # septum: right and forward
        [0.36, 0.36, 0.22, 0.24, 0.38, 0.34, -0.24],  # apex
        [0.48, 0.48, 0.26, 0.32, 0.86, 0.52, 0.66],  # free wall of the left ventricle: left, down, back
        [0.64, 0.64, 0.24, 0.28, -0.06, -0.10, 0.42],  # base: up and back
        [0.74, 0.78, 0.20, 0.30, -0.03, -0.03, 0.07],  # and its last fibres: QRS ends in a slur
    ]
)
# T: a main wave on a shallow ramp; fractions of 100 ms before its end, share of the T vector in the last column.
T_SHAPE = np.array([[-1.05, -1.05, 1.35, 1.05, 0.78], [-1.30, -1.20, 2.00, 1.20, 0.22]])
T_VECTOR = np.array([0.36, 0.23, -0.22])


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


SCATTER = (0.18, 0.10, 0.10)  # of the directions of P, QRS and T


def varied(rows: np.ndarray, patient: Patient, wave: int) -> Phases:
    """Give each phase of a table the patient's own width, timing and direction; times stay fractions of the wave."""
    draws = patient.shape[wave, : len(rows)]
    time, vector = rows[:, :4].copy(), rows[:, 4:7].copy()
    time[:, 2:] *= np.exp(0.06 * draws[:, :1])
    time[:, :2] += 0.012 * draws[:, 1:2]
    vector += SCATTER[wave] * draws[:, 2:5] * np.linalg.norm(vector, axis=1, keepdims=True)
    return Phases(time, vector)


def _own_rows(patient: Patient) -> np.ndarray:
    rows = NORMAL_QRS.copy()
    rows[0, 4:] *= np.array([patient.septum, patient.septum, 0.75 + 0.25 * patient.septum])
    rows[4, 3] = patient.slur
    return rows


def _notched(wave: Phases, patient: Patient, width: float) -> Phases:
    """Add the patient's notches to a QRS of the given width (ms); where conduction is slow, they are broad."""
    centre, half = patient.notches[:, 0] * width, patient.notches[:, 1] * width / patient.qrs
    return wave + Phases(np.column_stack([centre, centre, half, half]), patient.qrs_gain * patient.notches[:, 2:])


def in_ms(wave: Phases, width: float) -> Phases:
    """Turn times that are fractions of a wave into ms."""
    return replace(wave, time=wave.time * width)


def _p_wave(patient: Patient) -> Phases:
    wave = in_ms(varied(P_WAVE, patient, 0), patient.p_width).scaled(patient.p_gain)
    wave = wave.turned(frontal_rotation(wave.area(), patient.p_axis))
    return wave.fitted(0, patient.p_width, EDGE["P"], patient.lead_matrix)


def _ta_wave(p: Phases, patient: Patient) -> Phases:
    """Return atrial repolarisation: a tenth of P, turned against it, from the end of P on for about 300 ms."""
    end = patient.p_width
    return phases([[end + 30, end + 60, 110, 180, *(-0.08 * p.vector.sum(0))]])


def _turned_to(rows: np.ndarray, patient: Patient, axis: float, width: float = 0.0) -> Phases:
    """Return a QRS made of ``rows``, turned to a frontal axis (degrees) and by the patient's own turn, not yet fitted.

    The horizontal turn comes first, so that the frontal axis is the one that was asked for.
    """
    width = width or patient.qrs
    wave = in_ms(varied(rows, patient, 1), width).scaled(patient.qrs_gain)
    wave = _notched(wave, patient, width).turned(0.0, patient.turn)
    return wave.turned(frontal_rotation(wave.area(), axis))


def ventricles(rows: np.ndarray, patient: Patient, width: float, axis: float) -> Phases:
    """Return a QRS made of ``rows``, ``width`` ms wide, with a frontal axis in degrees and the patient's own turn."""
    return _turned_to(rows, patient, axis, width).fitted(0, width, EDGE["QRS"], patient.lead_matrix)


def t_vector(patient: Patient) -> np.ndarray:
    """Return the patient's own T vector, (3,) in mV."""
    vector = patient.t_gain * (T_VECTOR + 0.03 * patient.shape[2, 1, 2:5])
    vector = rotation(0.0, patient.t_turn) @ vector
    return rotation(frontal_rotation(vector, patient.t_axis)) @ vector


def t_wave(vector: np.ndarray, patient: Patient, qt: float, stretch: float = 1.0) -> Phases:
    """Return a T wave that ends at ``qt`` ms."""
    rate = (patient.rr / 1000) ** (1 / 3)
    time = 100 * rate * stretch * T_SHAPE[:, :4]
    time[:, 2:] *= np.exp(0.10 * patient.shape[2, 0, :2])
    wave = Phases(time, T_SHAPE[:, 4:] * vector)
    return replace(wave, time=wave.time + np.r_[1, 1, 0, 0] * (qt - wave.extent(EDGE["T"], patient.lead_matrix)[1]))


def st_segment(vector: np.ndarray, qrs_end: float, qt: float, hold: float = 40.0) -> Phases:
    """Return a plateau of ``hold`` ms after the end of QRS that fades until the T wave ends."""
    return phases([[qrs_end + 8, qrs_end + 8 + hold, 30, max(qt - 20 - qrs_end - hold, 60), *vector]])


def u_wave(patient: Patient, qt: float) -> Phases:
    """Return the small wave after T."""
    return phases([[qt + 60, qt + 60, 70, 100, *(patient.u_wave * np.array([0.3, 0.3, -0.7]))]])


def frontal_axis(wave: Phases) -> float:
    """Return the axis that I and aVF show for a wave's area, degrees."""
    one, two = DOWER[:2] @ wave.area()
    return electrical_axis(one, two - one / 2)
