"""A recording may be anything: checks, delineation and report answer or refuse, and never fall over."""

import warnings

import numpy as np
import pytest

import leadwise
from leadwise.ecg.delineation import delineate
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.recordings.quality import check_ecg
from leadwise.report import explain_ecg, report
from leadwise.simulation.conditions import CONDITIONS

RATES = (500, 500, 500, 250, 1000, 100, 128, 360, 257.3, 40, 777, 10_000, 1e6)
pytestmark = pytest.mark.usefixtures("one_thread")


def part(signal, rng):
    start, stop = np.sort(rng.integers(0, signal.shape[1] + 1, 2))
    return slice(start, stop)


def clip(signal, rng):
    low, high = rng.choice([0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2], 2)
    return signal.clip(-low, high)


def step(signal, rng):
    quantum = 10 ** rng.uniform(-3, 0.7)
    return np.round(signal / quantum) * quantum


def scale(signal, rng):
    return signal * 10.0 ** rng.uniform(-12, 12)


def scale_leads(signal, rng):
    return signal * 10.0 ** rng.uniform(-4, 4, (12, 1))


def flatten(signal, rng):
    for _ in range(rng.integers(1, 6)):
        rows = rng.random(12) < rng.choice([0.1, 0.5, 1])
        signal[rows, part(signal, rng)] = rng.choice([0, 0.5, signal[0, 0]])
    return signal


def hold(signal, rng):
    held = part(signal, rng)
    signal[:, held] = signal[:, held][:, :1]
    return signal


def shuffle(signal, rng):
    size = rng.choice([1, 5, 50, 500, 1250])
    count = signal.shape[1] // size
    return signal[:, : count * size].reshape(12, count, size)[:, rng.permutation(count)].reshape(12, -1)


def shuffle_leads(signal, rng):
    return signal[rng.permutation(12)]


def invalidate(signal, rng):
    signal[rng.random(signal.shape) < rng.choice([1e-4, 0.01, 0.5, 0.9])] = rng.choice([np.nan, np.inf, -np.inf])
    return signal


def invalidate_part(signal, rng):
    signal[:, part(signal, rng)] = np.nan
    return signal


def lose_leads(signal, rng):
    signal[rng.random(12) < 0.5] = rng.choice([np.nan, 0.0])
    return signal


def cut(signal, rng):
    start = rng.integers(0, signal.shape[1])
    return signal[:, start : start + rng.choice([0, 1, 2, 3, 10, 100, 400, 760, 800, 1200, 1500, 2000, 3000])]


def turn(signal, rng):
    return -signal if rng.random() < 0.5 else signal[:, ::-1].copy()


def spikes(signal, rng):
    signal[:, rng.integers(0, signal.shape[1], rng.integers(1, 60))] += rng.choice([-1, 1]) * 10 ** rng.uniform(-1, 3)
    return signal


def noise(signal, rng):
    return signal + 10 ** rng.uniform(-3, 1.5) * rng.normal(size=signal.shape)


def square(signal, rng):
    return np.sign(signal) * rng.choice([0.1, 1, 5])


def pulses(signal, rng):
    out = np.zeros_like(signal)
    out[:, :: int(rng.integers(2, 2000))] = 1
    return out


def drift(signal, rng):
    return signal + 10 ** rng.uniform(-2, 3) * np.linspace(0, 1, signal.shape[1])


def hum(signal, rng):
    cycles = rng.choice([0.3, 7, 25, 50, 60]) * np.arange(signal.shape[1]) / 500
    return signal + 10 ** rng.uniform(-2, 2) * np.sin(2 * np.pi * cycles)


CHANGES = (
    clip, step, scale, scale_leads, flatten, hold, shuffle, shuffle_leads, invalidate, invalidate_part, lose_leads, cut,
    turn, spikes, noise, square, pulses, drift, hum,
)  # fmt: skip


def spoiled(number: int, base: list[np.ndarray]) -> ECG:
    """One to three changes, one after the other, at any rate; the number decides all."""
    rng = np.random.default_rng([14, number])
    signal = base[rng.integers(len(base))].copy()
    for _ in range(rng.integers(1, 4)):
        if signal.shape[1] > 1:
            signal = CHANGES[rng.integers(len(CHANGES))](signal, rng)
    return ECG(signal, rng.choice(RATES), record_id=f"spoiled {number}")


@pytest.fixture(scope="module")
def base() -> list[np.ndarray]:
    return [leadwise.simulate_ecg(kind, seed).signal.astype(float) for kind in CONDITIONS for seed in (1, 5)]


@pytest.mark.parametrize("block", range(4))
def test_checks_and_delineation_never_raise(base, block):
    """Clipped, stepped, scaled, flattened, shuffled ...: 240 recordings, without even a warning of numpy's."""
    for number in range(60 * block, 60 * block + 60):
        ecg = spoiled(number, base)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert str(check_ecg(ecg, start=(number % 3) or None)), number
            found = delineate(ecg, per_lead=True)
        for wave in found.waves:
            assert 0 <= wave.onset <= wave.peak < wave.offset <= ecg.samples, (number, wave)
        assert found.waves or found.failed, number


@pytest.mark.parametrize("limit", [0.02, 0.1, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_clipped_recordings(condition, limit):
    """The smallest case known: a PVC whose QRS is a plateau, in whose middle nothing moves."""
    ecg = ECG(leadwise.simulate_ecg(condition, 5).signal.clip(-limit, limit), 500)
    assert str(check_ecg(ecg))
    assert all(wave.onset < wave.offset for wave in delineate(ecg, per_lead=True).waves)


def test_an_explanation_is_given_or_refused(base):
    """What the report is made of, also where a reader insists: an answer, or a ValueError with a sentence."""
    network = {"LBBB": leadwise.load_ecg_model("LBBB", "embedded", verbose=False)}
    answers = 0
    for number in range(40):
        ecg = spoiled(1000 + number, base)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = explain_ecg(ecg, network, method="gradient", despite_errors=True)
            except ValueError as error:
                assert len(str(error)) > 30, number  # noqa: PT017
            else:
                answers += 1
                assert np.isfinite(found.relevance).all()
                assert 0 <= found.probabilities["LBBB"] <= 1
    assert answers > 5


@pytest.mark.parametrize("change", [clip, step, square, lambda signal, rng: signal[[*range(6), *range(11, 5, -1)]]])
def test_a_page_about_it(base, change, tmp_path):
    signal = change(base[LEADS.index("I")].copy(), np.random.default_rng(1))
    page = report(ECG(signal), ["LBBB"], method="gradient", weights="embedded", folder=tmp_path, despite_errors=True)
    assert page.pdf.stat().st_size > 10_000
