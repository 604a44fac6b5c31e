"""The filter chain that the published ECG models were trained behind (Gumpfer et al., AIME 2024), and resampling.

Four steps, per lead, over the whole record: BWR, BLA, AC50Hz, LP40Hz. ``STEPS`` lists them with what each does and what
it distorts. Every filter runs forwards and backwards (``filtfilt``), so that it shifts nothing in time, and its gain
is the square of the single-pass gain.

Shapes: all functions take (T,), (12, T) or (N, 12, T), or anything with time on the last axis, in mV. They compute in
float64 and return float32 for float32 input, else float64.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from scipy import signal as sps

from leadwise.ecg.leads import LEADS

PUBLISHED_FS = 500.0
PUBLISHED_Q = 0.05
# Rows filtered at once: large enough to be fast, small enough that filtfilt's working copies stay in tens of MB.
_BLOCK = 128


def remove_baseline_wander(signal: np.ndarray, fs: float) -> np.ndarray:
    """BWR: zero-phase notch at 0.05 Hz with Q = 0.05, hence a bandwidth of 0.05 / 0.05 = 1 Hz.

    So wide a notch has two real poles, and the slower decays with a time constant of about 1 / (2 pi 0.0025 Hz) = 64 s:
    on a 10-s record it never settles and leaves an offset, which the next step takes away.

    Parameters
    ----------
    signal : ndarray (..., T), mV
    fs : sampling rate, Hz; any rate above 2 Hz

    Raises
    ------
    ValueError : NaN or infinite samples (named), or fewer than 10 samples
    """
    return _zero_phase(signal, *_wander_coefficients(fs))


def remove_baseline_offset(signal: np.ndarray, fs: float) -> np.ndarray:
    """BLA: subtract, lead by lead, the mean of the flattest 0.2 s, which is taken for the isoelectric line.

    Windows start every 0.1 s; the flattest is the one with the smallest peak-to-peak. The published code never looks
    at the window that ends with the last sample (its loop stops one short), and neither does this.

    Parameters
    ----------
    signal : ndarray (..., T), mV
    fs : sampling rate, Hz; at least 10 Hz

    Raises
    ------
    ValueError : NaN or infinite samples (named), or a record of 0.2 s or less
    """
    width, step = int(0.2 * fs), int(0.1 * fs)
    if step < 1:
        raise ValueError(f"fs is {fs:g} Hz; baseline adjustment needs at least 10 Hz.")
    return _by_blocks(lambda rows: rows - _flattest_level(rows, width, step), signal, shortest=width + 1)


def notch_50hz(signal: np.ndarray, fs: float, q: float = PUBLISHED_Q) -> np.ndarray:
    """AC50Hz: zero-phase notch at 50 Hz, meant to remove mains hum.

    With the published Q = 0.05 its bandwidth would be 50 / 0.05 = 1000 Hz. At 500 Hz the design formula then has
    tan(pi * 1000 / 500) = 0: numerator equals denominator, and the filter does nothing at all. That is what the
    models were trained behind, so it is the default. ``q=30`` gives a notch that works.

    Parameters
    ----------
    signal : ndarray (..., T), mV
    fs : sampling rate, Hz
    q : quality factor; the notch is 50 / q Hz wide (-3 dB, one pass)

    Raises
    ------
    ValueError : NaN or infinite samples (named); a notch at least half as wide as the sampling rate, for which the
        design formula is void, unless it is the published one at 500 Hz
    """
    return _zero_phase(signal, *_mains_coefficients(fs, q))


def lowpass_40hz(signal: np.ndarray, fs: float) -> np.ndarray:
    """LP40Hz: zero-phase second-order Butterworth low-pass; both passes together halve the amplitude at 40 Hz (-6 dB).

    Parameters
    ----------
    signal : ndarray (..., T), mV
    fs : sampling rate, Hz; above 80 Hz

    Raises
    ------
    ValueError : NaN or infinite samples (named), fewer than 10 samples, or fs of 80 Hz or less
    """
    return _zero_phase(signal, *_lowpass_coefficients(fs))


def preprocess(signal: np.ndarray, fs: float) -> np.ndarray:
    """Apply the published chain (``STEPS``, in order) to whole records.

    The models were trained on samples [0, 2000) of the result. Filter first and cut afterwards: the other way
    round, the filters' edge effects fall into the window.

    Parameters
    ----------
    signal : ndarray (T,), (12, T) or (N, 12, T), mV
    fs : 500 Hz. The chain is defined there only, and so are the models' first 2000 samples

    Raises
    ------
    ValueError : another sampling rate; NaN or infinite samples (leads and sample ranges named); 0.2 s or less
    """
    if fs != PUBLISHED_FS:
        raise ValueError(
            f"the published preprocessing is defined at 500 Hz; this signal has {fs:g} Hz. "
            "Resample it first: ecg.resample(500), or load_ecg(path, fs=500)."
        )

    def chain(rows: np.ndarray) -> np.ndarray:
        for step in STEPS:
            rows = step.function(rows, fs)
        return rows

    return _by_blocks(chain, signal, shortest=int(0.2 * fs) + 1)


@dataclass(frozen=True)
class FilterStep:
    """One step of the published chain.

    Parameters
    ----------
    name : the name in the published code
    title : the same in words
    function : (signal, fs) -> signal
    does : what it is for
    distorts : what it changes that it should not
    coefficients : fs -> (b, a) of the single pass; None for a step that is no filter
    """

    name: str
    title: str
    function: Callable[[np.ndarray, float], np.ndarray]
    does: str
    distorts: str
    coefficients: Callable[[float], tuple[np.ndarray, np.ndarray]] | None = None


def _wander_coefficients(fs: float) -> tuple[np.ndarray, np.ndarray]:
    if fs <= 2:
        raise ValueError(f"fs is {fs:g} Hz; a notch 1 Hz wide needs more than 2 Hz.")
    return sps.iirnotch(0.05, Q=PUBLISHED_Q, fs=fs)


def _mains_coefficients(fs: float, q: float = PUBLISHED_Q) -> tuple[np.ndarray, np.ndarray]:
    if fs <= 100:
        raise ValueError(f"fs is {fs:g} Hz; a notch at 50 Hz needs more than 100 Hz.")
    if not q > 0:
        raise ValueError(f"q is {q}; expected a positive quality factor.")
    if 50 / q >= fs / 2 and (fs, q) != (PUBLISHED_FS, PUBLISHED_Q):
        raise ValueError(
            f"with q = {q:g} the notch would be {50 / q:g} Hz wide, at least half the sampling rate of {fs:g} Hz, and "
            "its design formula is void. Resample to 500 Hz for the published chain, or take q = 30."
        )
    return sps.iirnotch(50.0, Q=q, fs=fs)


def _lowpass_coefficients(fs: float) -> tuple[np.ndarray, np.ndarray]:
    if fs <= 80:
        raise ValueError(f"fs is {fs:g} Hz; a low-pass at 40 Hz needs more than 80 Hz.")
    return butterworth((40.0,), fs)


STEPS = (
    FilterStep(
        name="BWR",
        title="baseline wander removal",
        function=remove_baseline_wander,
        does="Takes out the slow drift of respiration, sweat and movement.",
        distorts=(
            "The notch at 0.05 Hz is 1 Hz wide: both passes take four fifths of the amplitude at 0.5 Hz, half at 1 Hz "
            "and a fifth at 2 Hz. ST segment and T wave live there: a raised ST segment sags back towards zero, and "
            "shallow waves appear beside a wide QRS. A constant offset, at 0 Hz, passes."
        ),
        coefficients=_wander_coefficients,
    ),
    FilterStep(
        name="BLA",
        title="baseline adjustment",
        function=remove_baseline_offset,
        does="Moves each lead so that its flattest 0.2 s lies at zero.",
        distorts=(
            "Whatever is flattest counts as isoelectric: a flat ST segment, a plateau in a wide QRS, a stretch of lost "
            "contact. Each lead moves by itself, so that the limb leads no longer obey Einthoven's law exactly."
        ),
    ),
    FilterStep(
        name="AC50Hz",
        title="mains notch",
        function=notch_50hz,
        does="Is meant to remove 50-Hz hum.",
        distorts="Nothing: at 500 Hz with Q = 0.05 it is the identity, and the hum is left to the low-pass.",
        coefficients=_mains_coefficients,
    ),
    FilterStep(
        name="LP40Hz",
        title="low-pass",
        function=lowpass_40hz,
        does="Removes muscle noise, and 72 % of the amplitude of 50-Hz hum.",
        distorts=(
            "Rounds the QRS: R peaks lose height, narrow notches and the fragments of a fractionated QRS fade, and its "
            "edges smear by several milliseconds. 40 Hz is a monitor's band; for reading, 150 Hz are recommended."
        ),
        coefficients=_lowpass_coefficients,
    ),
)
"""The published chain, in order."""


def frequency_response(step: str | FilterStep, frequencies: np.ndarray, fs: float = PUBLISHED_FS) -> np.ndarray:
    """Return the gain of one step, both passes together: 1 = unchanged, 0 = removed.

    Parameters
    ----------
    step : a member of ``STEPS`` or its name ("BWR", "BLA", "AC50Hz", "LP40Hz")
    frequencies : ndarray (F,), Hz
    fs : sampling rate, Hz; 500 by default

    Returns
    -------
    ndarray (F,) : |H(f)|^2. BLA subtracts a constant: 1 everywhere, and NaN at 0 Hz, where it depends on the signal
    """
    if not isinstance(step, FilterStep):
        known = {candidate.name: candidate for candidate in STEPS}
        if step not in known:
            raise ValueError(f"no filter step {step!r}; expected one of {', '.join(known)}.")
        step = known[step]
    frequencies = np.asarray(frequencies, dtype=float)
    if step.coefficients is None:
        return np.where(frequencies == 0, np.nan, 1.0)
    b, a = step.coefficients(fs)
    if np.allclose(b, a, rtol=0, atol=1e-12):  # zero over zero at the notch itself
        return np.ones_like(frequencies)
    return np.abs(sps.freqz(b, a, worN=frequencies, fs=fs)[1]) ** 2


def resample(signal: np.ndarray, fs: float, new_fs: float) -> np.ndarray:
    """Change the sampling rate with an anti-aliasing filter (polyphase FIR, ``scipy.signal.resample_poly``).

    Sample 0 stays at time 0. A NaN stays a NaN, and so do the samples whose interpolation touches it.

    Parameters
    ----------
    signal : ndarray (..., T), any unit
    fs, new_fs : Hz. Their ratio is approximated by a fraction with a denominator up to 1000: exact for every usual
        rate, within a millionth for odd ones below 1 kHz; what misses it by more than a thousandth is refused

    Returns
    -------
    ndarray (..., ceil(T * new_fs / fs)) : float32 for float32 input, else float64
    """
    if not (0 < new_fs < np.inf and 0 < fs < np.inf):
        raise ValueError(f"cannot resample from {fs} to {new_fs} Hz; expected two positive rates.")
    signal = np.asarray(signal)
    kept = np.float32 if signal.dtype == np.float32 else np.float64
    ratio = Fraction(new_fs / fs).limit_denominator(1000)
    if ratio == 1:
        return signal.astype(kept)
    if abs(float(ratio) * fs / new_fs - 1) > 1e-3:
        raise ValueError(f"cannot resample from {fs:g} to {new_fs:g} Hz: too far apart for a ratio of small integers.")
    if signal.shape[-1] < 2:  # nothing to interpolate; scipy would end the process here
        return np.repeat(signal, max(int(np.ceil(float(ratio))), 1), axis=-1).astype(kept)
    # The ends are continued by point reflection, as filtfilt does it: no step, so no ringing.
    resampled = sps.resample_poly(
        signal.astype(float), ratio.numerator, ratio.denominator, axis=-1, padtype="antireflect"
    )
    return resampled.astype(kept)


@lru_cache
def butterworth(edges: tuple[float, ...], fs: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (b, a) of a Butterworth filter of second order; designed once, as it takes as long as filtering a lead.

    Parameters
    ----------
    edges : Hz; one of a low-pass, two of a band-pass
    fs : Hz

    Examples
    --------
    >>> butterworth((40.0,), 500.0)[1].round(3)
    array([ 1.   , -1.307,  0.492])
    """
    b, a = sps.butter(2, edges[0], fs=fs) if len(edges) == 1 else sps.butter(2, edges, "bandpass", fs=fs)
    b.flags.writeable = a.flags.writeable = False
    return b, a


def zero_phase(rows: np.ndarray, b: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Filter rows (..., T) forwards and backwards: ``scipy.signal.filtfilt``, to the last bit, in fewer steps.

    It continues the ends by point reflection and starts each pass from the steady state.

    Raises
    ------
    ValueError : no more samples than are reflected, three times the number of coefficients
    """
    edge = 3 * max(len(a), len(b))
    if rows.shape[-1] <= edge:
        raise ValueError(f"the signal has {rows.shape[-1]} samples; expected more than {edge}.")
    before = 2 * rows[..., :1] - rows[..., edge:0:-1]
    after = 2 * rows[..., -1:] - rows[..., -2 : -edge - 2 : -1]
    held = np.concatenate((before, rows, after), axis=-1)
    steady = _steady_state(tuple(b), tuple(a))
    for _ in range(2):
        held = sps.lfilter(b, a, held, axis=-1, zi=steady * held[..., :1])[0][..., ::-1]
    return held[..., edge:-edge]


@lru_cache
def _steady_state(b: tuple[float, ...], a: tuple[float, ...]) -> np.ndarray:
    return sps.lfilter_zi(b, a)


def invalid_ranges(mask: np.ndarray) -> list[tuple[int, int]]:
    """Return the runs of True in a boolean array (T,) as half-open sample ranges [start, stop)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _zero_phase(signal: np.ndarray, b: np.ndarray, a: np.ndarray) -> np.ndarray:
    if np.allclose(b, a, rtol=0, atol=1e-12):  # the identity: filtering would add rounding noise only
        return _by_blocks(np.copy, signal, shortest=10)
    return _by_blocks(lambda rows: zero_phase(rows, b, a), signal, shortest=10)


def _flattest_level(rows: np.ndarray, width: int, step: int) -> np.ndarray:
    """Return the mean of each row's flattest window, shape (rows, 1)."""
    windows = np.lib.stride_tricks.sliding_window_view(rows, width, axis=-1)[:, :-1:step]
    flattest = np.argmin(windows.max(axis=-1) - windows.min(axis=-1), axis=-1)
    return np.stack([row[index] for row, index in zip(windows, flattest, strict=True)]).mean(axis=-1, keepdims=True)


def _by_blocks(function: Callable, signal: np.ndarray, shortest: int) -> np.ndarray:
    """Apply a function of (rows, T) float64 to a signal of any shape (..., T), some rows at a time."""
    signal = np.asarray(signal)
    if signal.ndim == 0 or signal.shape[-1] < shortest:
        raise ValueError(f"signal has shape {signal.shape}; expected at least {shortest} samples on the last axis.")
    _check_finite(signal)
    rows = signal.reshape(-1, signal.shape[-1])
    filtered = np.empty(rows.shape, np.float32 if signal.dtype == np.float32 else np.float64)
    for start in range(0, len(rows), _BLOCK):
        filtered[start : start + _BLOCK] = function(rows[start : start + _BLOCK].astype(float))
    return filtered.reshape(signal.shape)


def _check_finite(signal: np.ndarray) -> None:
    """Refuse NaN and infinite samples, naming leads and sample ranges: a recursive filter would spread them."""
    if np.isfinite(signal).all():
        return
    invalid = ~np.isfinite(signal)
    places = []
    for index in zip(*np.nonzero(invalid.any(axis=-1)), strict=True) if signal.ndim > 1 else [()]:
        ranges = ", ".join(f"[{start}, {stop})" for start, stop in invalid_ranges(invalid[index])[:5])
        places.append(f"{_row_name(index, signal.shape)}: samples {ranges}")
    more = f" ... and {len(places) - 12} more" if len(places) > 12 else ""
    raise ValueError(
        "the signal holds NaN or infinite samples, which a filter would spread over the whole lead "
        f"({'; '.join(places[:12])}{more}). Choose a window without them, or fill them knowingly."
    )


def _row_name(index: tuple[int, ...], shape: tuple[int, ...]) -> str:
    if not index:
        return "the signal"
    lead = f"lead {LEADS[index[-1]]}" if shape[-2] == len(LEADS) else f"row {index[-1]}"
    return f"ECG {', '.join(map(str, index[:-1]))}, {lead}" if len(index) > 1 else lead
