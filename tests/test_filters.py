"""The published filter chain against the reference files, scipy's filter responses and closed forms."""

import numpy as np
import pytest
from scipy import signal as sps

import leadwise
from leadwise.ecg import filters
from leadwise.networks.weights import convert_keras

FILTERS = [filters.remove_baseline_wander, filters.remove_baseline_offset, filters.notch_50hz, filters.lowpass_40hz]


@pytest.mark.parametrize("name", ["HR06000", "E07509"])
def test_chain_matches_the_published_preprocessing(reference, name):
    ecg = leadwise.load_ecg(reference / "ecg" / "cinc2021" / name).preprocess().window()
    expected = np.load(reference / "ecg" / f"{name}_preprocessed.npy").T
    assert np.abs(ecg.signal - expected).max() < 1e-4


@pytest.mark.parametrize(
    ("name", "low", "high"), [("E07509", 0.95, 1.0), ("HR06000", 0.0, 0.05), ("HR06005", 0.0, 0.05)]
)
def test_published_rbbb_model_after_our_loading(reference, name, low, high):
    folder = reference / "models" / "RBBB"
    model = convert_keras(folder / "model.json", folder / "weights.h5").eval()
    ecg = leadwise.load_ecg(reference / "ecg" / "cinc2021" / name).preprocess().window()
    assert low <= float(model.probability(ecg.tensor())) <= high


def gain_at(function, frequency: float, fs: float = 500.0) -> float:
    """Measure the gain on a long sine: its Fourier coefficient over whole periods, away from the edges."""
    turn = np.exp(-2j * np.pi * frequency * np.arange(round(40 * fs)) / fs)
    inner = slice(round(10 * fs), -round(10 * fs))
    return float(abs(np.mean(2 * function(turn.imag, fs)[inner] * turn[inner])))


def test_closed_form_gains():
    """Butterworth: |H|^2 = 1 / (1 + (tan(pi f / fs) / tan(pi fc / fs))^4). Notch: |H|^2 = 1/2 at both band edges."""
    f = np.array([1.0, 10.0, 40.0, 100.0])
    warped = np.tan(np.pi * f / 500) / np.tan(np.pi * 40 / 500)
    np.testing.assert_allclose(filters.frequency_response("LP40Hz", f), 1 / (1 + warped**4), rtol=1e-9)
    edges = (1 + np.array([-1, 1]) * np.sqrt(1 - 4 * 0.05 * 0.05 * -1)) / 2  # f^2 -+ f * 1 Hz - 0.05^2 = 0
    low, high = abs(edges[0]), edges[1]
    assert high - low == pytest.approx(1.0)  # the 0.05-Hz notch is 1 Hz wide
    np.testing.assert_allclose(filters.frequency_response("BWR", [low, high]), 0.5, rtol=1e-3)
    assert filters.frequency_response("BWR", [0.05])[0] < 1e-6
    assert filters.frequency_response("BWR", [0.0])[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("step", "frequency"), [("BWR", 1.0), ("BWR", 5.0), ("LP40Hz", 20.0), ("LP40Hz", 40.0), ("AC50Hz", 50.0)]
)
def test_response_says_what_the_filter_does(step, frequency):
    chosen = next(candidate for candidate in filters.STEPS if candidate.name == step)
    assert gain_at(chosen.function, frequency) == pytest.approx(
        filters.frequency_response(step, [frequency])[0], abs=0.01
    )


def test_published_mains_notch_is_the_identity():
    b, a = sps.iirnotch(50, 0.05, fs=500)
    np.testing.assert_allclose(b, a, atol=1e-12)
    noise = np.random.default_rng(0).normal(size=(12, 5000))
    assert np.array_equal(filters.notch_50hz(noise, 500), noise)
    np.testing.assert_allclose(sps.filtfilt(b, a, noise), noise, atol=1e-9)  # scipy finds the same, up to rounding


def test_a_sharper_notch_removes_hum():
    assert gain_at(lambda x, fs: filters.notch_50hz(x, fs, q=30), 50.0) < 0.01
    assert gain_at(lambda x, fs: filters.notch_50hz(x, fs, q=30), 30.0) > 0.97


@pytest.mark.parametrize("fs", [250, 360, 400, 1000])
def test_published_notch_is_refused_at_other_rates(fs):
    with pytest.raises(ValueError, match="design formula is void"):
        filters.notch_50hz(np.zeros(5000), fs)


@pytest.mark.parametrize("fs", [250.0, 1000.0])
def test_other_filters_mean_the_same_at_other_rates(fs):
    assert gain_at(filters.remove_baseline_wander, 1.0, fs) == pytest.approx(
        gain_at(filters.remove_baseline_wander, 1.0), abs=0.01
    )
    assert gain_at(filters.lowpass_40hz, 40.0, fs) == pytest.approx(0.5, abs=0.01)


def test_baseline_adjustment_takes_the_flattest_window():
    """Noise everywhere but in 0.3 s at the level 0.7: that level becomes zero, whatever the mean is."""
    rows = np.random.default_rng(2).normal(size=(3, 5000))
    rows[:, 1000:1150] = np.array([0.7, -0.2, 3.0])[:, None]
    adjusted = filters.remove_baseline_offset(rows, 500)
    np.testing.assert_allclose(adjusted[:, 1000:1150], 0, atol=1e-12)
    np.testing.assert_allclose(adjusted - rows, np.array([-0.7, 0.2, -3.0])[:, None] * np.ones(5000), atol=1e-12)


def test_baseline_adjustment_never_looks_at_the_last_window():
    """The published loop stops one window short (HR06000, lead III, shows it)."""
    row = np.random.default_rng(3).normal(size=5000)
    row[4900:] = 5.0
    assert filters.remove_baseline_offset(row, 500)[-1] != 0
    assert filters.remove_baseline_offset(np.append(row, 0.0), 500)[-2] == 0


@pytest.mark.parametrize("function", [*FILTERS, filters.preprocess])
def test_batches_leads_and_single_rows_agree(function):
    batch = np.random.default_rng(4).normal(size=(30, 12, 600))
    together = function(batch, 500)
    assert together.shape == batch.shape
    np.testing.assert_allclose(together[17], function(batch[17], 500), atol=1e-12)
    np.testing.assert_allclose(together[17, 5], function(batch[17, 5], 500), atol=1e-12)
    assert function(batch.astype(np.float32), 500).dtype == np.float32
    assert together.dtype == np.float64


@pytest.mark.parametrize("function", FILTERS)
def test_filters_leave_their_input_alone(function):
    signal = np.random.default_rng(5).normal(size=(12, 600))
    before = signal.copy()
    assert not np.shares_memory(function(signal, 500), signal)
    assert np.array_equal(signal, before)


@pytest.mark.parametrize("function", [*FILTERS, filters.preprocess])
def test_invalid_and_short_signals_are_refused(function):
    batch = np.zeros((2, 12, 600))
    batch[1, 6, 10:12] = np.inf
    with pytest.raises(ValueError, match=r"ECG 1, lead V1: samples \[10, 12\)"):
        function(batch, 500)
    row = np.zeros(600)
    row[3] = np.nan
    with pytest.raises(ValueError, match=r"the signal: samples \[3, 4\)"):
        function(row, 500)
    with pytest.raises(ValueError, match="expected at least"):
        function(np.zeros((12, 9)), 500)


def test_rates_that_a_filter_cannot_serve():
    for function, fs in [(filters.lowpass_40hz, 80), (filters.notch_50hz, 100), (filters.remove_baseline_wander, 2)]:
        with pytest.raises(ValueError, match="needs"):
            function(np.zeros(5000), fs)
    with pytest.raises(ValueError, match="at least 10 Hz"):
        filters.remove_baseline_offset(np.zeros(5000), 5)
    with pytest.raises(ValueError, match="positive quality factor"):
        filters.notch_50hz(np.zeros(5000), 500, q=0)


def test_steps_are_the_published_chain():
    assert [step.name for step in filters.STEPS] == ["BWR", "BLA", "AC50Hz", "LP40Hz"]
    signal = np.random.default_rng(6).normal(size=(12, 1000))
    by_hand = signal
    for step in filters.STEPS:
        by_hand = step.function(by_hand, 500)
    np.testing.assert_allclose(filters.preprocess(signal, 500), by_hand, atol=1e-12)
    offset = filters.frequency_response(filters.STEPS[1], [0.0, 1.0])
    assert np.isnan(offset[0])
    assert offset[1] == 1
    with pytest.raises(ValueError, match="no filter step 'HP'; expected one of BWR, BLA, AC50Hz, LP40Hz"):
        filters.frequency_response("HP", [1.0])
