"""A 12-lead ECG simulator whose causes are known.

Each ECG is a rhythm and a beat (``conditions``), twelve leads that look at the heart vector (``heart_vector``), and a
recording (``noise``). A condition changes the beat or the rhythm of a patient and nothing else: the same seed without
the condition is the same patient on the same day, the counterfactual.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ecgxai.ecg.conditions import CONDITIONS, EDGE, FS, Beat, Patient, draw_patient, ectopic_beat
from ecgxai.ecg.heart_vector import bump, rotation, twelve_leads
from ecgxai.ecg.leads import LEADS
from ecgxai.ecg.noise import CLEAN, Noise, electrode_noise, record
from ecgxai.ecg.record import ECG
from ecgxai.ecg.waves import Wave

SECONDS = 10.0
MASK_THRESHOLD = 0.02  # mV: two fifths of a small square; muscle noise of a good recording stays below it


# --- from phases to leads --------------------------------------------------------------------------------------------


def _heart(condition: str, patient: Patient, seed: int, severity: float, territory: str, samples: int):
    """Return the heart's own eight leads (8, T) in mV and the spans of its waves; see :func:`_spans`."""
    row, rr = CONDITIONS[condition], patient.rr
    own = row.beat(patient, severity, territory)
    rhythm = row.rhythm(patient, seed, severity, own.pr, samples)
    signal, spans = np.zeros((8, samples)), []
    if rhythm.fibrillation is not None:
        signal += patient.lead_matrix @ rhythm.fibrillation
    own_beats = ~np.isnan(rhythm.qrs) & ~rhythm.ectopic
    has_p = ~np.isnan(rhythm.p)
    spans.append(_lay(signal, "P", own.p, rhythm.p, has_p, None, 0.0, patient, 0))
    _lay(signal, "", own.ta, rhythm.p, has_p, None, 0.0, patient, 0)
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
            mask[:, max(p, 0) : max(qrs, 0)] = True
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
    (low, high), share, wall = row.severity, rng.beta(*row.spread), int(rng.integers(3))
    drawn = low + (high - low) * share
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
