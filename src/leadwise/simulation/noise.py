"""What the recording adds to the heart's signal: drift, hum, muscle, motion, swapped cables, a dead lead.

Everything is made at the nine electrodes (three limbs, six on the chest) and reaches the leads through the same
differences as the heart's own signal, so that Einthoven's and Goldberger's laws hold for the noise as well: muscle
tremor of the left arm is seen in I, III, aVL and, a third of it, in each chest lead.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.fft import irfft, next_fast_len, rfftfreq

from leadwise.ecg.record import ECG

ELECTRODES = ("RA", "LA", "LL", "V1", "V2", "V3", "V4", "V5", "V6")

# Cables that are confused in practice -> the electrodes whose signals change places.
REVERSALS = {
    "LA-RA": ("LA", "RA"),
    "LA-LL": ("LA", "LL"),
    "RA-LL": ("RA", "LL"),
    "V1-V2": ("V1", "V2"),
    "V1-V3": ("V1", "V3"),
    "V2-V3": ("V2", "V3"),
    "V4-V5": ("V4", "V5"),
    "V5-V6": ("V5", "V6"),
}

# I = LA - RA, II = LL - RA, Vi = Vi - Wilson's terminal (RA + LA + LL)/3.
_TO_LEADS = np.zeros((8, 9))
_TO_LEADS[0, :2] = -1, 1
_TO_LEADS[1, [0, 2]] = -1, 1
_TO_LEADS[2:, :3] = -1 / 3
_TO_LEADS[2:, 3:] = np.eye(6)

# Potentials against Wilson's terminal: RA = -(I + II)/3, LA = I + RA, LL = II + RA.
_TO_ELECTRODES = np.zeros((9, 8))
_TO_ELECTRODES[:3, :2] = np.array([[-1, -1], [2, -1], [-1, 2]]) / 3
_TO_ELECTRODES[3:, 2:] = np.eye(6)


@dataclass(frozen=True)
class Noise:
    """Which disturbances a simulated recording carries. Numbers scale the default level; 0 switches one off.

    Parameters
    ----------
    baseline : breathing and electrode drift below about 1 Hz (typically 0.02-0.3 mV)
    muscle : muscle tremor, 20-150 Hz, in bursts (typically 3-25 µV rms)
    hum : mains interference (0-15 µV), with its third harmonic
    motion : steps as an electrode moves (up to 0.5 mV), which decay; about one recording in four has one
    mains : Hz, 50 or 60
    reversal : confused cables, one of REVERSALS, or None
    flat_lead : a chest lead that records nothing ("V1" ... "V6"), or None
    """

    baseline: float = 1.0
    muscle: float = 1.0
    hum: float = 1.0
    motion: float = 1.0
    mains: float = 50.0
    reversal: str | None = None
    flat_lead: str | None = None

    def __post_init__(self):
        for name in ("baseline", "muscle", "hum", "motion"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"noise {name} is {getattr(self, name)}; expected a factor of 0 (off) or more.")
        if self.mains not in (50, 60):
            raise ValueError(f"mains is {self.mains} Hz; expected 50 or 60.")
        if self.reversal is not None and self.reversal not in REVERSALS:
            raise ValueError(f"no lead reversal {self.reversal!r}; expected one of {', '.join(REVERSALS)}, or None.")
        if self.flat_lead is not None and self.flat_lead not in ELECTRODES[3:]:
            raise ValueError(f"flat_lead is {self.flat_lead!r}; expected one of {', '.join(ELECTRODES[3:])}, or None.")


CLEAN = Noise(baseline=0, muscle=0, hum=0, motion=0)


def record(heart: np.ndarray, electrode_noise: np.ndarray, noise: Noise) -> np.ndarray:
    """Return the eight independent leads as the machine records them.

    Parameters
    ----------
    heart : ndarray (8, T), mV: the heart's own I, II, V1-V6
    electrode_noise : ndarray (9, T), mV, rows in the order of ELECTRODES; see :func:`electrode_noise`
    """
    electrodes = _TO_ELECTRODES @ heart + electrode_noise
    if noise.reversal:
        a, b = (ELECTRODES.index(name) for name in REVERSALS[noise.reversal])
        electrodes[[a, b]] = electrodes[[b, a]]
    leads = _TO_LEADS @ electrodes
    if noise.flat_lead:
        leads[ELECTRODES.index(noise.flat_lead) - 1] = 0.0
    return leads


def electrode_noise(noise: Noise, seed: int, samples: int, fs: float) -> np.ndarray:
    """Return the disturbances at the electrodes, (9, T) in mV. Each kind has its own random stream.

    Switching one kind off or changing its level leaves the others as they are.
    """
    total = np.zeros((len(ELECTRODES), samples))
    kinds = (("baseline", _baseline), ("muscle", _muscle), ("hum", _hum), ("motion", _motion))
    for stream, (name, make) in enumerate(kinds):
        level = getattr(noise, name)
        if level:
            total += level * make(np.random.default_rng([seed, 100 + stream]), samples, fs, noise)
    return total


def _coloured(
    rng: np.random.Generator, samples: int, fs: float, highest: float, shape: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return Gaussian noise (9, T) of unit variance with the amplitude spectrum ``shape(f)`` below ``highest`` Hz."""
    n = next_fast_len(samples + int(fs))  # a second longer than asked: no wrap-around from end to start
    frequency = rfftfreq(n, 1 / fs)
    frequency = frequency[(frequency > 0) & (frequency < highest)]
    gain = shape(frequency)
    gain = (gain * (n / 2 / np.sqrt(np.sum(gain**2)))).astype(np.float32)
    spectrum = np.zeros((9, n // 2 + 1), np.complex64)
    spectrum[:, 1 : len(gain) + 1] = rng.standard_normal((9, 2 * len(gain)), np.float32).view(np.complex64) * gain
    return irfft(spectrum, n)[:, :samples]


def _baseline(rng, samples, fs, noise):
    """Breathing at 0.15-0.4 Hz, each electrode with its share, and skin potentials, a spectrum falling with f^1.3."""
    time = np.arange(samples) / fs
    rate, phase = rng.uniform(0.15, 0.4), rng.uniform(0, 2 * np.pi)
    breath = np.sin(2 * np.pi * rate * time + phase) + 0.25 * np.sin(4 * np.pi * rate * time + 2 * phase + 0.6)
    share = rng.normal(0, 0.02, (9, 1)) * rng.lognormal(0, 0.5)
    drift = _coloured(rng, samples, fs, 40, lambda f: np.maximum(f, 0.05) ** -1.3)
    level = np.r_[rng.lognormal(np.log(0.022), 0.7, 3), rng.lognormal(np.log(0.028), 1.1, 6)]
    return share * breath + level[:, None] * drift


def _muscle(rng, samples, fs, noise):
    """Tremor, most of it at 10-80 Hz, that swells and fades at each electrode; limbs tremble more than the chest."""
    tremor = _coloured(rng, samples, fs, 200, lambda f: (f / 8) ** 2 / (1 + (f / 8) ** 2) / (1 + (f / 60) ** 2))
    swell = _coloured(rng, samples, fs, 1, np.ones_like)
    level = np.r_[rng.lognormal(np.log(0.0065), 0.65, 3), rng.lognormal(np.log(0.0025), 0.8, 6)]
    return level[:, None] * tremor * np.exp(0.3 * swell)


def _hum(rng, samples, fs, noise):
    """Mains at one frequency, a little off its nominal value; level and phase differ between electrodes."""
    time = np.arange(samples) / fs
    angle = 2 * np.pi * noise.mains * (1 + rng.normal(0, 2e-4)) * time + rng.uniform(0, 2 * np.pi)
    level, phase = np.abs(rng.normal(0, 0.0025, 9)) * rng.lognormal(0, 0.6), rng.normal(0, 0.3, 9)
    main = np.outer(level * np.cos(phase), np.sin(angle)) + np.outer(level * np.sin(phase), np.cos(angle))
    return main + np.outer(0.15 * level, np.sin(3 * angle))


def _motion(rng, samples, fs, noise):
    """With probability 1/4: one electrode jumps at a random time, and the lead settles back.

    Within a second or two where the skin potential itself returns; where the electrode stays displaced, as fast as the
    machine's 0.05-Hz high-pass lets go of a step, with a time constant of 3.2 s.
    """
    out = np.zeros((9, samples))
    happens, electrode, start, size = rng.random(), rng.integers(9), rng.uniform(0, samples / fs), rng.normal(0, 0.25)
    settle, jerk = (rng.uniform(0.3, 1.5) if rng.random() < 0.5 else 3.2), rng.uniform(0.01, 0.12)
    if happens < 0.25:
        since = np.arange(samples) / fs - start
        since = since[since > 0]
        out[electrode, samples - len(since) :] = size * (1 - np.exp(-since / jerk)) * np.exp(-since / settle)
    return out


PULSE_LEAD = "V3"


def pulse_train(
    samples: int, fs: float, *, height: float = 0.5, width: float = 0.1, every: float = 2.0, seed: int = 0
) -> np.ndarray:
    """Return rectangular test pulses as some amplifiers write them into a lead: (T,) in mV, from a random first one.

    Parameters
    ----------
    samples, fs : length, and sampling rate in Hz
    height, width, every : mV, seconds, and seconds from one pulse to the next
    """
    if not 0 < width < every:
        raise ValueError(f"pulses of {width} s every {every} s; expected 0 < width < every.")
    start = np.random.default_rng([seed, 200]).uniform(0, every)
    time = np.arange(samples) / fs
    return np.where((time - start) % every < width, height, 0.0)


def add_test_pulses(ecg: ECG, lead: str = PULSE_LEAD, **shape: Any) -> ECG:
    """Return the raw recording with :func:`pulse_train` in one lead: a mark of the machine, not of the heart.

    ``shape`` is passed on (height, width, every, seed). The rest, annotation and causal mask included, stays.
    """
    if ecg.preprocessed:
        raise ValueError("the recording is preprocessed; a machine writes its pulses before: add them to the raw one.")
    signal = ecg.signal.copy()
    signal[ecg.leads.index(lead)] += pulse_train(signal.shape[-1], ecg.fs, **shape)
    return replace(ecg, signal=signal)
