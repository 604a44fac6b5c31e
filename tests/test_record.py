"""The ECG record and the laws of its leads."""

import numpy as np
import pytest

from leadwise import ECG, simulate_ecg
from leadwise.ecg import leads
from leadwise.ecg.leads import LEADS


def tone(frequency: float, fs: float, seconds: float = 10.0) -> np.ndarray:
    """Return twelve equal leads: a 1-mV sine, shape (12, T)."""
    return np.tile(np.sin(2 * np.pi * frequency * np.arange(round(seconds * fs)) / fs), (12, 1))


@pytest.mark.parametrize("shape", [(5000, 12), (12,), (8, 5000), (2, 12, 500)])
def test_only_twelve_leads_first(shape):
    with pytest.raises(ValueError, match=r"expected \(12, T\)"):
        ECG(np.zeros(shape))


def test_lead_names_and_rate_are_checked():
    with pytest.raises(ValueError, match="load_ecg brings them into this order"):
        ECG(np.zeros((12, 10)), leads=LEADS[::-1])
    with pytest.raises(ValueError, match="positive sampling rate"):
        ECG(np.zeros((12, 10)), fs=0)


def test_lead_time_tensor_and_duration():
    signal = np.arange(12)[:, None] * np.ones(1000)
    ecg = ECG(signal, fs=250)
    assert ecg.duration == 4.0
    assert ecg.time[250] == 1.0
    assert ecg.lead("V1").tolist() == [6.0] * 1000
    assert tuple(ecg.tensor().shape) == (12, 1000)
    ecg.tensor()[0, 0] = 9  # a copy: the record stays as it is
    assert ecg.signal[0, 0] == 0
    with pytest.raises(KeyError, match="no lead 'V7'"):
        ecg.lead("V7")


def test_window_cuts_and_refuses():
    ecg = ECG(tone(1, 500), record_id="r1")
    cut = ecg.window(0.2, 50)
    assert np.array_equal(cut.signal, ecg.signal[:, 100:150])
    assert np.array_equal(ecg.window(2.5).signal, ecg.signal[:, 1250:3250])
    assert np.array_equal(ecg.window(6).signal, ecg.signal[:, 3000:])
    assert ECG(tone(1, 400), fs=400).window(1).samples == 1600  # 4 s at any rate
    assert cut.record_id == "r1"
    assert ecg.window().samples == 2000
    for start in (4000, 6.01, -0.1, float("nan")):  # samples taken for seconds; too late; too early
        with pytest.raises(ValueError, match=r"does not fit record 'r1', which lasts 10 s .* start <= 6 \(seconds"):
            ecg.window(start)
    with pytest.raises(ValueError, match=r"a window of 4 s \(2000 samples\) does not fit .* and has 1500 samples"):
        ECG(tone(1, 500, seconds=3)).window()
    for samples in (4.0, 0, -5, True, "2000"):
        with pytest.raises(ValueError, match=r"expected a whole number, 1 or more \(start is in seconds\)"):
            ecg.window(0, samples)


def test_resampling_next_to_nothing():
    """scipy's polyphase filter ends the process on a single sample."""
    for samples in (0, 1, 2, 3):
        for fs, expected in ((250, 2 * samples), (1000, -(-samples // 2))):
            ecg = ECG(np.ones((12, samples)), fs).resample(500)
            assert ecg.samples == expected
            assert np.allclose(ecg.signal, 1, atol=1e-3)
    for fs in (750_000, 1e9):  # 1/1000 would be the nearest fraction to 1/1500
        with pytest.raises(ValueError, match="too far apart"):
            ECG(np.ones((12, 10)), fs).resample(500)
    for fs in (0, -500, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="expected a positive sampling rate"):
            ECG(np.ones((12, 10)), fs)


@pytest.mark.parametrize("fs", [100, 250, 257, 360, 400, 1000])
def test_resampling_keeps_a_tone_and_its_time(fs):
    """A 10-Hz sine is a 10-Hz sine at any rate; sample 0 stays at time 0."""
    ecg = ECG(tone(10, fs), fs=fs).resample(500)
    assert (ecg.fs, ecg.samples) == (500, 5000)
    inner = slice(250, -250)
    assert np.abs(ecg.signal[:, inner] - tone(10, 500)[:, inner]).max() < 0.01
    assert f"Resampled from {fs} to 500 Hz" in ecg.notes[0]


def test_resampling_does_not_alias():
    """A 380-Hz tone at 1000 Hz would fold to 120 Hz at 500 Hz; the anti-aliasing filter leaves less than 1 %."""
    ecg = ECG(tone(380, 1000), fs=1000).resample(500)
    assert np.abs(ecg.signal[:, 100:-100]).max() < 0.01


def test_resampling_a_constant_makes_no_edges():
    ecg = ECG(np.full((12, 1000), 3.0), fs=1000).resample(500)
    assert np.abs(ecg.signal - 3).max() < 0.01


def test_resampling_keeps_nan():
    signal = tone(5, 1000)
    signal[3, 4000:4100] = np.nan
    resampled = ECG(signal, fs=1000).resample(500)
    invalid = np.isnan(resampled.signal)
    assert invalid[3, 2000:2050].all()
    assert not invalid[3, :1950].any()
    assert not invalid[3, 2100:].any()
    assert not np.delete(invalid, 3, axis=0).any()


def test_resampling_to_the_same_rate_returns_the_record():
    ecg = ECG(tone(5, 500))
    assert ecg.resample(500) is ecg
    with pytest.raises(ValueError, match="expected two positive rates"):
        ecg.resample(0)


@pytest.mark.parametrize("fs", [300, 350, 1250])
def test_the_mask_of_a_simulated_record_follows_the_nearest_sample(fs):
    """Each new moment has the truth of the old sample that lies nearest in time, in every lead."""
    ecg = simulate_ecg("LBBB", seed=4, noise=False, seconds=2)
    new = ecg.resample(fs)
    apart = np.abs(np.arange(new.samples)[:, None] / fs - np.arange(ecg.samples) / ecg.fs)
    clear = np.ptp(np.sort(apart, axis=1)[:, :2], axis=1) > 1e-9  # not half way between two
    assert clear.mean() > 0.5
    np.testing.assert_array_equal(new.causal_mask[:, clear], ecg.causal_mask[:, apart.argmin(1)][:, clear])


def test_preprocess_names_nan_leads_and_samples():
    signal = tone(5, 500)
    signal[LEADS.index("V2"), 100:120] = np.nan
    signal[LEADS.index("V2"), 300] = np.nan
    signal[LEADS.index("aVL"), -1] = np.nan
    with pytest.raises(
        ValueError, match=r"lead aVL: samples \[4999, 5000\); lead V2: samples \[100, 120\), \[300, 301\)"
    ):
        ECG(signal).preprocess()


def test_preprocess_needs_500_hz_and_runs_once():
    with pytest.raises(ValueError, match=r"this signal has 250 Hz. Resample it first: ecg.resample\(500\)"):
        ECG(tone(5, 250), fs=250).preprocess()
    once = ECG(tone(5, 500)).preprocess()
    assert once.preprocessed
    assert once.preprocess() is once


def test_limb_leads_follow_from_the_electrodes():
    """Einthoven and Goldberger hold by definition when the leads are made from three electrode potentials."""
    right, left, foot = np.random.default_rng(0).normal(size=(3, 100))
    derived = leads.derive_limb_leads(left - right, foot - right)
    assert list(derived) == list(leads.LIMB_LEADS)
    np.testing.assert_allclose(derived["III"], foot - left, atol=1e-12)
    np.testing.assert_allclose(derived["aVR"], right - (left + foot) / 2, atol=1e-12)
    np.testing.assert_allclose(derived["aVL"], left - (right + foot) / 2, atol=1e-12)
    np.testing.assert_allclose(derived["aVF"], foot - (right + left) / 2, atol=1e-12)
    with pytest.raises(ValueError, match="same shape"):
        leads.derive_limb_leads(np.zeros(3), np.zeros(4))


def test_hexaxial_angles_agree_with_the_lead_laws():
    """A frontal vector of angle a gives lead L = |L| cos(a - angle(L)); |augmented| = sqrt(3) / 2 of |standard|."""
    angle = np.radians(np.arange(-180, 180, 7.0))
    derived = leads.derive_limb_leads(np.cos(angle), np.cos(angle - np.radians(60)))
    for name in leads.LIMB_LEADS:
        length = np.sqrt(3) / 2 if name.startswith("a") else 1.0
        np.testing.assert_allclose(derived[name], length * np.cos(angle - np.radians(leads.HEXAXIAL[name])), atol=1e-12)
    ordered = [leads.HEXAXIAL[name.removeprefix("-")] + 180 * name.startswith("-") for name in leads.CABRERA]
    assert ordered == [-30, 0, 30, 60, 90, 120]


def test_territories_cover_all_leads_but_avr_once():
    listed = [lead for group in leads.TERRITORIES.values() for lead in group]
    assert sorted(listed) == sorted(set(LEADS) - {"aVR"})
    assert leads.territory("aVF") == "inferior"
    assert leads.territory("aVR") is None
    with pytest.raises(KeyError, match="no lead 'vx'"):
        leads.territory("vx")


def test_einthoven_residual():
    rng = np.random.default_rng(1)
    limb = np.stack(list(leads.derive_limb_leads(*rng.normal(size=(2, 500))).values()))
    signal = np.concatenate([limb, rng.normal(size=(6, 500))])
    assert leads.einthoven_residual(ECG(signal)) < 1e-6
    signal[2, 40] += 0.25
    assert leads.einthoven_residual(ECG(signal)) == pytest.approx(0.25, abs=1e-6)
    swapped = signal[[0, 1, 2, 3, 5, 4, *range(6, 12)]]
    assert min(leads.limb_lead_residuals(ECG(swapped))[name] for name in ("aVL", "aVF")) > 1
    assert np.isnan(leads.einthoven_residual(ECG(np.full((12, 10), np.nan))))


def test_real_records_obey_einthoven_to_their_resolution(reference):
    """Recorded in steps of 1 µV (PTB-XL, Georgia) or 4.88 µV (Ningbo): rounding alone explains the residuals."""
    import leadwise

    for header in sorted((reference / "ecg" / "cinc2021").glob("*.hea")):
        residuals = leads.limb_lead_residuals(leadwise.load_ecg(header))
        assert max(residuals.values()) < 0.005, header.stem


@pytest.mark.parametrize(
    ("given", "standard"),
    [
        ("AVR", "aVR"),
        (" avf ", "aVF"),
        ("i", "I"),
        ("v6", "V6"),
        ("MLII", None),
        ("vx", None),
        ("", None),
        (None, None),
    ],
)
def test_standard_lead_names(given, standard):
    assert leads.standard_name(given) == standard
