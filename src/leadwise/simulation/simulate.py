"""A 12-lead ECG simulator whose causes are known.

Each ECG is a rhythm and a beat (``conditions``), twelve leads that look at the heart vector (``heart_vector``), and a
recording (``noise``). A condition changes the beat or the rhythm of a patient and nothing else: the same seed without
the condition is the same patient on the same day, the counterfactual.

Phases of the heart vector that add up to waves, and lead matrices that project them, follow the dynamical models of
P. E. McSharry et al., IEEE Trans. Biomed. Eng. 50 (2003) 289-294, and R. Sameni et al., EURASIP J. Adv. Signal
Process. (2007) 043407.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.ecg.waves import Kind, Wave
from leadwise.simulation.conditions import (
    CONDITIONS,
    FS,
    Condition,
    Rhythm,
    ectopic_beat,
    one_millivolt,
)
from leadwise.simulation.heart_vector import Phases, bump, rotation, twelve_leads
from leadwise.simulation.noise import CLEAN, Noise, electrode_noise, record
from leadwise.simulation.patients import EDGE, Beat, Patient, draw_patient, frontal_axis, in_leads

SECONDS = 10.0

MASK_THRESHOLD = 0.02
"""mV, a fifth of a small square of ECG paper: the difference that counts. A good recording's noise stays below it."""

KINDS: dict[str, Kind] = {"p": "P", "N": "QRS", "V": "QRS", "t": "T"}
"""WFDB's annotation symbols -> kind of wave. V is a premature ventricular beat."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What was asked of the simulator: it makes the record, and its healthy twin, again.

    Parameters
    ----------
    condition, seed, severity, territory, noise : as for :func:`simulate_ecg`, after drawing
    patient : the patient, changes included
    samples : length of the record
    """

    condition: str
    seed: int
    severity: float
    territory: str
    noise: Noise
    patient: Patient
    samples: int

    @cached_property
    def beat(self) -> Beat:
        """One beat with the condition."""
        return CONDITIONS[self.condition].beat(self.patient, self.severity, self.territory)

    def healthy(self) -> "Asked":
        """Return the same patient, rhythm and noise without the condition."""
        return self if self.condition == "NORM" else replace(self, condition="NORM", severity=0.0, territory="")


@dataclass(frozen=True, eq=False)
class Later:
    """A value that is computed when somebody asks for it, and then kept."""

    make: Callable

    @cached_property
    def value(self):
        """The value."""
        return self.make()


@dataclass(frozen=True, eq=False, repr=False)
class SimulatedECG(ECG):
    """An ECG that knows its causes.

    ``causal_mask`` and ``counterfactual`` are computed when they are asked for: who needs only the signal pays nothing.

    Parameters (beside those of :class:`~leadwise.ecg.record.ECG`)
    ----------
    condition : a key of ``CONDITIONS``
    severity : 0 (just meets the criteria) to 1 (marked); 0 for NORM
    territory : the leads that show the ischaemia, or ""
    seed : the patient's number
    waves : P, QRS and T of every beat that lies whole inside the record, over all leads, in order of onset
    lead_waves : the same lead by lead, where the lead shows the wave
    ectopic : numbers of the beats that are premature
    patient : the patient's parameters
    noise : the disturbances
    asked : what the simulator was asked for
    mask, twin : how to make causal mask and counterfactual
    """

    condition: str = "NORM"
    severity: float = 0.0
    territory: str = ""
    seed: int = 0
    waves: tuple[Wave, ...] = ()
    lead_waves: tuple[Wave, ...] = ()
    ectopic: tuple[int, ...] = ()
    patient: Patient | None = None
    noise: Noise = CLEAN
    asked: Asked | None = None
    mask: Later | None = None
    twin: Later | None = None

    @property
    def causal_mask(self) -> np.ndarray:
        """Which samples carry the condition, bool (12, T), see :func:`causal_mask`; all False for NORM."""
        return self.mask.value

    @property
    def counterfactual(self) -> "SimulatedECG | None":
        """The same patient, rhythm and noise without the condition; None for NORM."""
        return None if self.twin is None else self.twin.value

    @property
    def parameters(self) -> dict[str, object]:
        """Every quantity that was drawn or that follows from the condition, by name.

        ``age`` (years), ``sex``, ``rate`` (1/min), ``pr``, ``p_width``, ``qrs``, ``qt``, ``qtc`` (ms), ``axis``,
        ``p_axis``, ``t_axis`` (degrees), the gains, ``st`` (mV at J + 40 ms: lead -> value) ... as this record has
        them, its condition included; ``condition``, ``severity``, ``territory``, ``seed``. Those that are fields of
        :class:`~leadwise.simulation.patients.Patient` can be changed: ``simulate_ecg(..., patient={"pr": 180})``.
        """
        return _parameters(self.asked)

    def __repr__(self):
        what = " ".join(filter(None, [self.condition, self.territory]))
        how = "" if self.condition == "NORM" else f", severity {self.severity:.2f}"
        return f"Simulated{super().__repr__()[:-1]}; {what}{how}, seed {self.seed})"

    def window(self, start: float = 0.0, samples: int | None = None) -> "SimulatedECG":
        """Return a window as :meth:`ECG.window` does, with mask, waves (those whole inside) and counterfactual."""
        cut = cast("SimulatedECG", super().window(start, samples))
        first, last = self._part(start, samples)

        def inside(waves):
            return tuple(w.shift(-first) for w in waves if w.onset >= first and w.offset <= last)

        return replace(
            cut,
            waves=inside(self.waves),
            lead_waves=inside(self.lead_waves),
            mask=Later(partial(_columns, self, slice(first, last))),
            twin=self.twin and Later(partial(_twin_after, self, "window", start, samples)),
        )

    def preprocess(self) -> "SimulatedECG":
        """Return record and counterfactual after the published filter chain; mask and waves stay where they are."""
        if self.preprocessed:
            return self
        new = cast("SimulatedECG", super().preprocess())
        return replace(new, twin=self.twin and Later(partial(_twin_after, self, "preprocess")))

    def resample(self, fs: float = FS) -> "SimulatedECG":
        """Return the record at another rate as :meth:`ECG.resample` does, with mask, waves and counterfactual."""
        if fs == self.fs:
            return self
        new, factor = cast("SimulatedECG", super().resample(fs)), fs / self.fs
        nearest = np.minimum(np.round(np.arange(new.samples) / factor).astype(int), self.samples - 1)

        def scaled(waves):
            return tuple(
                replace(w, **{name: round(getattr(w, name) * factor) for name in ("onset", "peak", "offset")})
                for w in waves
            )

        return replace(
            new,
            waves=scaled(self.waves),
            lead_waves=scaled(self.lead_waves),
            mask=Later(partial(_columns, self, nearest)),
            twin=self.twin and Later(partial(_twin_after, self, "resample", fs)),
        )

    def swap(self, mask: np.ndarray | None = None) -> "SimulatedECG":
        """Return the record with some samples taken from the counterfactual: the intervention that tests a cause.

        Parameters
        ----------
        mask : bool (12, T), the samples to swap; the causal mask by default

        Raises
        ------
        ValueError : a NORM record (it has no counterfactual), or a mask of another shape
        """
        if self.counterfactual is None:
            raise ValueError("this record is NORM: it has no counterfactual to swap samples with.")
        mask = self.causal_mask if mask is None else np.asarray(mask, bool)
        if mask.shape != self.signal.shape:
            raise ValueError(f"mask has shape {mask.shape}; expected {self.signal.shape}, as the signal.")
        return replace(self, signal=np.where(mask, self.counterfactual.signal, self.signal))

    def save(self, folder: str | Path, name: str | None = None) -> Path:
        """Write the record as WFDB files and return the path of the header; see :func:`save_simulated`."""
        return save_simulated(self, folder, name)


@dataclass(frozen=True, eq=False)
class SimulatedBatch:
    """N simulated ECGs as arrays. The counterfactuals and masks are computed when they are asked for.

    Parameters
    ----------
    condition : a key of ``CONDITIONS``
    seeds : ndarray (N,)
    signal : ndarray (N, 12, T), float32, mV
    severity : ndarray (N,)
    territory : N names, "" where there is none
    waves : N tuples of waves, over all leads
    asked : what the simulator was asked for, N times
    """

    condition: str
    seeds: np.ndarray
    signal: np.ndarray
    severity: np.ndarray
    territory: tuple[str, ...]
    waves: tuple[tuple[Wave, ...], ...] = field(repr=False)
    asked: tuple[Asked, ...] = field(repr=False)

    @cached_property
    def counterfactual(self) -> np.ndarray:
        """The same patients without the condition, (N, 12, T), float32, mV; of NORM, the signal itself."""
        return self.signal if self.condition == "NORM" else self._fill(lambda one: _recorded(one.healthy())[0])

    @cached_property
    def causal_mask(self) -> np.ndarray:
        """Which samples carry the condition, bool (N, 12, T)."""
        return self._fill(_mask, bool)

    def _fill(self, make: Callable, dtype=np.float32) -> np.ndarray:
        filled = np.empty(self.signal.shape, dtype)
        for row, one in zip(filled, self.asked, strict=True):
            row[...] = make(one)
        return filled


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
    condition : a key of ``CONDITIONS``: "NORM", "AVB", "LBBB", "RBBB", "ISCH", "LVH", "AF", "PVC", "AVB2"
    seed : the patient, 0 or more. One seed is one patient, rhythm and noise, with or without a condition
    severity : 0 (just meets the criteria) to 1 (marked); by default drawn from the condition's range
    territory : for ischaemia, the leads that show it: "V4-V6", "I, aVL, V4-V6" or "diffuse"; by default drawn
    noise : True (default level), False (none), or a :class:`~leadwise.simulation.noise.Noise`
    patient : fields of :class:`~leadwise.simulation.conditions.Patient` to set, not draw: ``{"rate": 60, "axis": 0}``
    seconds : length of the record, 10 by default, at least 2

    Returns
    -------
    SimulatedECG : ``signal`` (12, T) in mV, ``waves``, ``causal_mask``, ``counterfactual``, ``severity`` ...

    Raises
    ------
    ValueError : an unknown condition, territory or patient parameter, or a value outside its range
    """
    noise, changes, samples = _checked(condition, severity, territory, noise, patient, seconds)
    return _as_ecg(_asked(condition, int(seed), severity, territory, noise, changes, samples))


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
    """Simulate one ECG a seed, as arrays. Row i equals ``simulate_ecg(condition, seeds[i], ...)`` to the last bit.

    Each record is computed by itself, all beats, phases, leads and samples at once, about 6 ms a record: what a row
    holds cannot depend on the other rows. Parameters and errors are those of :func:`simulate_ecg`.
    """
    noise, changes, samples = _checked(condition, severity, territory, noise, patient, seconds)
    signal, waves = np.empty((len(seeds), 12, samples), np.float32), []
    asked = tuple(_asked(condition, int(seed), severity, territory, noise, changes, samples) for seed in seeds)
    for row, one in zip(signal, asked, strict=True):
        row[...], spans = _recorded(one)
        waves.append(_waves(spans))
    return SimulatedBatch(
        condition,
        np.asarray(seeds),
        signal,
        np.array([one.severity for one in asked]),
        tuple(one.territory for one in asked),
        tuple(waves),
        asked,
    )


def causal_mask(condition: str, heart: np.ndarray, normal: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Return which samples carry the condition, bool (12, T).

    A sample is causal where the patient's heart with and without the condition differ by more than ``MASK_THRESHOLD``
    (0.02 mV), before noise. Gaps of less than 40 ms between such samples, where the two curves merely cross, are
    closed.

    First-degree AV block lies in the time between the waves as well: there the mask covers, in all leads, everything
    from P onset to QRS onset. The counterfactual's P lies inside that span, because it keeps the QRS where it is and
    moves P towards it.

    Conditions that change the rhythm (AF, PVC, AVB2) move whole beats; their masks hold every beat that moved.

    Parameters
    ----------
    heart, normal : ndarray (12, T), mV, with and without the condition, no noise
    spans : structured array of the waves with the condition
    """
    mask = _close_gaps(np.abs(heart - normal) > MASK_THRESHOLD, int(0.04 * FS))
    if condition == "AVB":
        for p, qrs in _p_to_qrs(spans):
            mask[:, max(p, 0) : max(qrs, 0)] = True
    return mask


def save_simulated(ecg: SimulatedECG, folder: str | Path, name: str | None = None) -> Path:
    """Write NAME.hea and NAME.dat (16 bit, 1 µV) and NAME.atr, the waves as ``wfdb.rdann`` reads them.

    Each wave is three annotations: "(" at its onset, "p", "N" (QRS; "V" where it is premature) or "t" at its peak, and
    ")" at its offset. The header's comments carry condition, severity, territory, seed and title;
    ``simulate_ecg`` makes the same record again from them.

    Parameters
    ----------
    folder : where to; made if need be
    name : record name, letters, digits, "-" and "_"; the record's identity by default

    Returns
    -------
    Path of the header
    """
    import wfdb  # only here: it brings pandas along

    folder, name = Path(folder), name or ecg.record_id
    folder.mkdir(parents=True, exist_ok=True)
    wfdb.wrsamp(
        name,
        fs=ecg.fs,
        units=["mV"] * 12,
        sig_name=list(LEADS),
        p_signal=ecg.signal.T.astype(float),
        fmt=["16"] * 12,
        adc_gain=[1000.0] * 12,
        baseline=[0] * 12,
        comments=[f"{key.capitalize()}: {value}" for key, value in ecg.metadata.items()],
        write_dir=str(folder),
    )
    sample, symbol = _annotations(ecg)
    if len(sample):
        wfdb.wrann(name, "atr", sample, symbol=symbol, fs=ecg.fs, write_dir=str(folder))
    return folder / f"{name}.hea"


def _annotations(ecg: SimulatedECG) -> tuple[np.ndarray, list[str]]:
    """Return sample numbers and symbols of all waves, in order of time."""
    rows = []
    for wave in ecg.waves:
        peak = {"P": "p", "T": "t"}.get(wave.kind) or ("V" if wave.beat in ecg.ectopic else "N")
        rows += [(wave.onset, "("), (wave.peak, peak), (wave.offset, ")")]
    rows.sort(key=lambda row: row[0])
    return np.array([sample for sample, _ in rows], int), [symbol for _, symbol in rows]


# --- one record ------------------------------------------------------------------------------------------------------


def _asked(condition, seed, severity, territory, noise, changes, samples) -> Asked:
    """Draw what was not asked for."""
    patient = replace(draw_patient(seed, changes.get("age"), changes.get("sex")), **changes)
    severity, territory = _drawn(CONDITIONS[condition], seed, severity, territory)
    return Asked(condition, seed, severity, territory, noise, patient, samples)


def _recorded(asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    """Return the twelve leads as recorded, float32, and the spans of the waves that lie whole inside."""
    heart, spans = _heart(asked)
    leads = record(heart, electrode_noise(asked.noise, asked.seed, asked.samples, FS), asked.noise)
    return twelve_leads(leads).astype(np.float32), _whole(spans, asked.samples)


def _as_ecg(asked: Asked) -> SimulatedECG:
    signal, spans = _recorded(asked)
    twin = None if asked.condition == "NORM" else Later(partial(_as_ecg, asked.healthy()))
    return SimulatedECG(signal=signal, mask=Later(partial(_mask, asked)), twin=twin, **_described(asked, spans))


def _mask(asked: Asked) -> np.ndarray:
    if asked.condition == "NORM":
        return np.zeros((12, asked.samples), bool)
    (heart, spans), (normal, _) = _heart(asked), _heart(asked.healthy())
    return causal_mask(asked.condition, twelve_leads(heart), twelve_leads(normal), spans)


def _columns(ecg: SimulatedECG, chosen) -> np.ndarray:
    return ecg.causal_mask[:, chosen].copy()


def _twin_after(ecg: SimulatedECG, step: str, *arguments) -> SimulatedECG:
    return getattr(ecg.counterfactual, step)(*arguments)


FIELDS = (
    *("age", "sex", "rate", "rate_variability", "p_width", "p_axis", "p_gain", "qrs_gain", "t_gain", "turn", "t_turn"),
    *("septum", "slur", "u_wave", "respiration", "respiration_turn"),
)
"""Fields of a patient that no condition changes."""


def _parameters(asked: Asked) -> dict[str, object]:
    patient, beat = asked.patient, asked.beat
    t_end = beat.t.extent(EDGE["T"], patient.lead_matrix)[1]
    j40 = np.array([beat.qrs_end + 40.0])
    level = in_leads(patient, beat.st, 2, j40) + in_leads(patient, beat.t, 2, j40)
    return {
        "condition": asked.condition,
        "severity": asked.severity,
        "territory": asked.territory,
        "seed": asked.seed,
        **{name: getattr(patient, name) for name in FIELDS},
        "pr": beat.pr,
        "qrs": beat.qrs_end,
        "qt": t_end,
        "qtc": t_end / (patient.rr / 1000) ** (1 / 3),
        "axis": frontal_axis(beat.qrs),
        "t_axis": frontal_axis(beat.t),
        "st": dict(zip(LEADS, twelve_leads(level)[:, 0].tolist(), strict=True)),
        "noise": asked.noise,
    }


def _drawn(row: Condition, seed: int, severity: float | None, territory: str | None) -> tuple[float, str]:
    """Fill in what was not asked for. Both are drawn in any case, so that asking for one leaves the other as it is."""
    rng = np.random.default_rng([seed, 3])
    (low, high), share, wall = row.severity, rng.beta(*row.spread), int(rng.integers(3))
    severity = float(low + (high - low) * share if severity is None else severity)
    return severity, territory or (row.territories[wall] if row.territories else "")


def _checked(condition, severity, territory, noise, patient, seconds) -> tuple[Noise, dict, int]:
    """Check what was asked for; return the noise, the patient's changes and the number of samples."""
    if condition not in CONDITIONS:
        raise ValueError(f"no condition {condition!r}; expected one of {', '.join(CONDITIONS)}.")
    if severity is not None and not 0 <= severity <= 1:
        raise ValueError(f"severity is {severity}; expected 0 (just meets the criteria) to 1 (marked), or None.")
    walls = CONDITIONS[condition].territories
    if territory is not None and territory not in walls:
        expected = f"one of {'; '.join(map(repr, walls))}, or None" if walls else f"None: {condition} has no territory"
        raise ValueError(f"territory is {territory!r}; expected {expected}.")
    unknown = set(patient or ()) - set(Patient.__dataclass_fields__)
    if unknown:
        known = ", ".join(Patient.__dataclass_fields__)
        raise ValueError(f"no patient parameter {', '.join(map(repr, sorted(unknown)))}; expected some of {known}.")
    if not seconds >= 2:
        raise ValueError(f"seconds is {seconds}; expected 2 or more.")
    if not isinstance(noise, bool | Noise):
        raise ValueError(f"noise is {noise!r}; expected True, False, or a Noise such as Noise(muscle=2, hum=0).")
    if isinstance(noise, bool):
        noise = Noise() if noise else CLEAN
    return noise, dict(patient or {}), round(seconds * FS)


# --- from phases to leads --------------------------------------------------------------------------------------------

SPAN = np.dtype([("symbol", "U1"), ("beat", int), ("onset", int, 13), ("peak", int, 13), ("offset", int, 13)])
"""One wave of one beat: symbol as in KINDS; onset, peak and offset in samples over all leads, then lead by lead."""


def _heart(asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    """Return the heart's own eight leads (8, T) in mV, and its waves as an array of SPAN."""
    own, patient, samples = asked.beat, asked.patient, asked.samples
    rhythm = CONDITIONS[asked.condition].rhythm(patient, asked.seed, asked.severity, own.pr, samples)
    signal = np.zeros((8, samples))
    if rhythm.fibrillation is not None:
        signal += patient.lead_matrix @ rhythm.fibrillation
    spans = [_lay(signal, layer, patient) for layer in _layers(own, rhythm, patient, samples) if len(layer.beats)]
    return signal, np.concatenate(spans)


@dataclass(frozen=True)
class _Layer:
    """The same wave of all beats: its phases, when (ms) and in which beats it comes, and how QT stretches it.

    ``symbol`` is "" for what is no wave of its own. ``row`` says which of the patient's variations apply (P, QRS, T).
    """

    symbol: str
    wave: Phases
    row: int
    beats: np.ndarray
    onset: np.ndarray
    stretch: np.ndarray | float = 1.0
    pivot: float = 0.0


def _layers(own: Beat, rhythm: Rhythm, patient: Patient, samples: int) -> Iterator[_Layer]:
    """Yield the layers that make up a record: of the beats that reach into it, and their neighbours."""

    def near(onset):  # a beat ends within 900 ms
        return (onset > -900) & (onset < samples / FS * 1000 + 500)  # false for NaN: no such wave

    beats = np.flatnonzero(near(rhythm.p) & ~rhythm.hidden)
    yield _Layer("p", own.p, 0, beats, rhythm.p[beats])
    unseen = np.flatnonzero(near(rhythm.p) & rhythm.hidden)
    yield _Layer("", own.p, 0, unseen, rhythm.p[unseen])
    atria = np.flatnonzero(near(rhythm.p))
    yield _Layer("", own.ta, 0, atria, rhythm.p[atria])
    kinds = [("N", own, rhythm.ectopic == 0)]
    kinds += [("V", ectopic_beat(patient, f - 1), rhythm.ectopic == f) for f in (1, 2) if (rhythm.ectopic == f).any()]
    for symbol, beat, chosen in kinds:
        beats = np.flatnonzero(chosen & near(rhythm.qrs))
        stretch = np.clip(rhythm.rr[beats] / patient.rr, 0.5, 1.6) ** (1 / 3)  # QT follows the rate, beat by beat
        yield _Layer(symbol, beat.qrs, 1, beats, rhythm.qrs[beats])
        yield _Layer("", beat.st, 2, beats, rhythm.qrs[beats], stretch, beat.qrs_end)
        yield _Layer("t", beat.t, 2, beats, rhythm.qrs[beats], stretch, beat.qrs_end)


def _lay(signal: np.ndarray, layer: _Layer, patient: Patient) -> np.ndarray:
    """Add a layer to the signal (8, T), in place, and return its spans (none for what is no wave)."""
    stretch = np.broadcast_to(layer.stretch, layer.beats.shape)[:, None, None]
    start_end, flanks = layer.wave.time[:, :2], layer.wave.time[:, 2:]
    time = np.concatenate([layer.pivot + (start_end - layer.pivot) * stretch, flanks * stretch], axis=2)  # (B, K, 4)
    first = (time[..., 0] - time[..., 2]).min()
    width = int(((time[..., 1] + time[..., 3]).max() - first) * FS / 1000) + 3
    sample = np.floor((layer.onset + first) * FS / 1000).astype(int)
    clock = (sample[:, None] + np.arange(width)) * 1000 / FS - layer.onset[:, None]  # ms since each onset
    pulses = bump(clock[:, None], *(time[..., i, None] for i in range(4)))  # (B, K, W)
    leads = _amplitudes(layer, patient).transpose(0, 2, 1) @ pulses  # (B, 8, W)
    for s, piece in zip(sample.tolist(), leads, strict=True):
        a, b = max(s, 0), min(s + width, signal.shape[1])
        if a < b:
            signal[:, a:b] += piece[:, a - s : b - s]
    return _spans(layer, sample, leads) if layer.symbol else np.zeros(0, SPAN)


def _amplitudes(layer: _Layer, patient: Patient) -> np.ndarray:
    """Return what each beat's phases give in each lead, (B, K, 8) in mV.

    Breathing turns the heart a little and changes its distance from the chest wall. Each phase sits elsewhere in the
    heart, so that its leads depart a little from those of one common vector (``patient.local``).
    """
    breath = np.sin(2 * np.pi * patient.respiration * layer.onset / 1000)
    turns = rotation(patient.respiration_turn * breath, 0.5 * patient.respiration_turn * breath)
    vector = layer.wave.vector @ turns.transpose(0, 2, 1)
    vector = vector * (1 + 0.008 * patient.respiration_turn * breath)[:, None, None]
    size = np.linalg.norm(vector, axis=2, keepdims=True)
    return vector @ patient.lead_matrix.T + size * patient.local[layer.row, : vector.shape[1]]


def _spans(layer: _Layer, sample: np.ndarray, leads: np.ndarray) -> np.ndarray:
    """Measure one wave of B beats in leads (B, 8, W) that begin at ``sample``: over all leads, then in each of twelve.

    The wave lasts as long as it exceeds EDGE times its largest deflection in any lead, the same number of mV for all
    leads. -1 stands for a lead that does not show the wave. Over all leads, the peak is where the leads' root mean
    square is largest.
    """
    size = np.abs(twelve_leads(leads))
    size = np.concatenate([size.max(1, keepdims=True), size], axis=1)  # (B, 13, W)
    seen = size > EDGE[KINDS[layer.symbol]] * size[:, :1].max(-1, keepdims=True)
    spans = np.zeros(len(sample), SPAN)
    spans["symbol"], spans["beat"] = layer.symbol, layer.beats
    peak = size.argmax(-1)
    peak[:, 0] = np.square(leads).sum(1).argmax(-1)
    shown = seen.any(-1)
    measured = {"onset": seen.argmax(-1), "peak": peak, "offset": seen.shape[-1] - seen[..., ::-1].argmax(-1)}
    for name, value in measured.items():
        spans[name] = np.where(shown, value + sample[:, None], -1)
    return spans


def _whole(spans: np.ndarray, samples: int) -> np.ndarray:
    """Keep the waves that lie whole inside the record, in order of onset, and number their beats from 0."""
    spans = spans[(spans["onset"][:, 0] >= 0) & (spans["offset"][:, 0] <= samples)]
    spans = spans[np.argsort(spans["onset"][:, 0], kind="stable")]
    spans["beat"] = np.unique(spans["beat"], return_inverse=True)[1]
    return spans


def _close_gaps(mask: np.ndarray, gap: int) -> np.ndarray:
    """Fill runs of fewer than ``gap`` False samples that lie between True ones, row by row."""
    index = np.arange(mask.shape[-1], dtype=np.int32)
    before = np.maximum.accumulate(np.where(mask, index, -gap - 1), axis=-1)
    after = np.minimum.accumulate(np.where(mask, index, index[-1] + gap + 1)[..., ::-1], axis=-1)[..., ::-1]
    return mask | (after - before <= gap)


def _p_to_qrs(spans: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield P onset and QRS onset (samples) of every beat that has both, also of beats that the record's edges cut."""
    qrs = {row["beat"]: row["onset"][0] for row in spans if KINDS[row["symbol"]] == "QRS"}
    yield from ((row["onset"][0], qrs[row["beat"]]) for row in spans if row["symbol"] == "p" and row["beat"] in qrs)


def _waves(spans: np.ndarray, lead: int = 0) -> tuple[Wave, ...]:
    """Turn spans into waves, over all leads (0) or of one lead (1-12), where it shows them."""
    onset, peak, offset = (spans[name][:, lead].tolist() for name in ("onset", "peak", "offset"))
    rows = zip(spans["symbol"].tolist(), spans["beat"].tolist(), onset, peak, offset, strict=True)
    name = LEADS[lead - 1] if lead else None
    return tuple(Wave(KINDS[symbol], beat, on, top, off, name) for symbol, beat, on, top, off in rows if on >= 0)


def _described(asked: Asked, spans: np.ndarray) -> dict:
    """Return the fields of a SimulatedECG that name and describe it."""
    metadata = {
        "condition": asked.condition,
        "severity": repr(asked.severity),
        "territory": asked.territory,
        "seed": str(asked.seed),
        "age": f"{asked.patient.age:.0f}",
        "sex": asked.patient.sex,
        "title": f"simulated, {CONDITIONS[asked.condition].title}",
    }
    return {
        **{name: getattr(asked, name) for name in ("condition", "severity", "territory", "seed", "patient", "noise")},
        "asked": asked,
        "record_id": f"sim_{asked.condition}_{asked.seed}",
        "waves": _waves(spans),
        "lead_waves": sum((_waves(spans, lead) for lead in range(1, 13)), ()),
        "ectopic": tuple(sorted({int(row["beat"]) for row in spans if row["symbol"] == "V"})),
        "metadata": {key: value for key, value in metadata.items() if value},
    }


# --- one beat, for the explorer --------------------------------------------------------------------------------------


ELEVATION = {
    "V2-V4": one_millivolt([0.35, 0.05, -0.62]),
    "I, aVL, V5, V6": one_millivolt([0.90, 0.05, 0.00]),
    "II, III, aVF": one_millivolt([0.15, 0.95, 0.10]),
}
"""Leads that show an ST elevation -> its heart vector, 1 mV in the lead that shows it most."""


@dataclass(frozen=True, eq=False)
class Heartbeat:
    """One beat of one heart, without noise.

    Parameters
    ----------
    time : ndarray (T,), ms, 0 at QRS onset
    vector : ndarray (3, T), mV: the heart vector along x (left), y (feet), z (back)
    leads : ndarray (12, T), mV
    waves : P, QRS and T; onset, peak and offset count samples of ``time``
    """

    time: np.ndarray
    vector: np.ndarray
    leads: np.ndarray
    waves: tuple[Wave, ...]


def heart_beat(
    condition: str = "NORM",
    *,
    severity: float = 0.5,
    territory: str | None = None,
    st_level: float = 0.0,
    st_leads: str = "V2-V4",
    **patient: Any,
) -> Heartbeat:
    """Build one beat of an average heart, in a few milliseconds: what sliders move.

    Parameters
    ----------
    condition, severity : as for :func:`simulate_ecg`; a condition's rhythm does not show in one beat
    territory : the leads that show the ischaemia, "V4-V6" by default
    st_level : mV that ST is raised (negative: lowered) in the lead that shows it most
    st_leads : "V2-V4", "I, aVL, V5, V6" or "II, III, aVF": the leads that show it
    patient : fields of :class:`~leadwise.simulation.conditions.Patient`, ``axis`` (degrees), ``pr``, ``qrs`` (ms),
        ``rate`` (1/min), ``qtc`` (ms), ``turn`` (degrees), ``p_gain``, ``qrs_gain``, ``t_gain``; otherwise average

    Returns
    -------
    Heartbeat : time (T,), vector (3, T), leads (12, T) = Dower's matrix times the vector, waves
    """
    _checked(condition, severity, territory, False, patient, SECONDS)
    if st_leads not in ELEVATION:
        raise ValueError(f"st_leads is {st_leads!r}; expected one of {'; '.join(ELEVATION)}.")
    someone = replace(Patient(), **patient)
    row = CONDITIONS[condition]
    beat = row.beat(someone, severity, territory or "V4-V6")
    step = 1000 / FS
    time = np.arange(-np.ceil((beat.pr + 60) / step), np.ceil((someone.qt + 240) / step)) * step
    waves: dict[Kind, tuple] = {"P": (beat.p, -beat.pr), "QRS": (beat.qrs, 0.0), "T": (beat.t, 0.0)}
    parts = {kind: wave(time - onset) for kind, (wave, onset) in waves.items()}
    lift = Phases(beat.st.time[:1], st_level * ELEVATION[st_leads][None])
    vector = sum(parts.values()) + beat.ta(time + beat.pr) + beat.st(time) + lift(time)
    seen = []
    for kind, part in parts.items():
        size = np.abs(someone.lead_matrix @ part)
        above = np.flatnonzero(size.max(0) > EDGE[kind] * size.max())
        seen.append(Wave(kind, 0, int(above[0]), int(np.square(size).sum(0).argmax()), int(above[-1]) + 1))
    return Heartbeat(time, vector, twelve_leads(someone.lead_matrix @ vector), tuple(seen))
