"""Checking recordings: one fault at a time is put into a clean one, and clean ones pass."""

import warnings

import numpy as np
import pytest

import leadwise
from leadwise.ecg.calibration import cut_calibration
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.recordings.quality import CHECKS, LIMITS, Finding, Report, check_ecg
from leadwise.recordings.recording import RecordWarning
from leadwise.simulation.conditions import CONDITIONS
from leadwise.simulation.noise import Noise


@pytest.fixture(scope="module")
def clean():
    """A recording of a heart with an ordinary axis, 60 degrees off no lead's null line."""
    return leadwise.simulate_ecg("NORM", seed=4, patient={"axis": 40, "rate": 70})


def changed(ecg, change, fs=500.0, notes=()) -> ECG:
    signal = ecg.signal.astype(float).copy()
    result = change(signal)
    return ECG(signal if result is None else result, fs, record_id="spoiled", notes=notes)


def swap(a, b):
    def change(signal):
        i, j = LEADS.index(a), LEADS.index(b)
        signal[[i, j]] = signal[[j, i]]

    return change


def put(rows, columns, value):
    def change(signal):
        signal[rows, columns] = value

    return change


def add(wave):
    return lambda signal: signal + wave


def lead(name):
    return LEADS.index(name)


def clip(signal):
    """Clip chest leads at a third of their height, as a converter with too small a range does."""
    top = np.abs(signal[6:]).max() / 3
    signal[6:] = np.clip(signal[6:], -top, top)


def upside_down(signal):
    signal[lead("V5")] *= -1


TIME = np.arange(5000) / 500
NOISE = np.random.default_rng(0).normal(size=(12, 5000))
HELD = slice(1000, 2600)

# Fault -> (the change, sampling rate, check that must find it, severity, leads it names or None, words of the message)
FAULTS = {
    "µV read as mV": (lambda s: s * 1000, 500, "amplitude", "error", None, "1000 times too large (?s:.*)µV read as mV"),
    "gain 10 times too high": (lambda s: s * 10, 500, "amplitude", "error", None, "10 times too large"),
    "gain 10 times too low": (lambda s: s / 10, 500, "amplitude", "error", None, "10 times too small"),
    "mV read as V": (lambda s: s / 1000, 500, "amplitude", "error", None, "1000 times too small"),
    "I and II mislabelled": (swap("I", "II"), 500, "limb leads", "error", ("I", "II"), "exchanging I and II"),
    "III and aVF mislabelled": (
        swap("III", "aVF"),
        500,
        "limb leads",
        "error",
        ("III", "aVF"),
        "exchanging III and aVF",
    ),
    "aVR turned over": (
        lambda s: s * np.where(np.arange(12) == 3, -1, 1)[:, None],
        500,
        "limb leads",
        "error",
        ("aVR",),
        "turning aVR over",
    ),
    "II and V2 mislabelled": (swap("II", "V2"), 500, "limb leads", "error", None, "laws of the limb leads"),
    "V5 turned over": (upside_down, 500, "chest leads", "warning", ("V4", "V5", "V6"), "mirror images"),
    "the recording turned over": (lambda s: -s, 500, "cables", "warning", None, "upside down"),
    "V1 copied to V2": (
        lambda s: put(lead("V2"), slice(None), s[lead("V1")].copy())(s),
        500,
        "copied leads",
        "error",
        ("V1", "V2"),
        "same signal",
    ),
    "8 seconds": (lambda s: s[:, :4000], 500, "duration", "warning", None, "8 s"),
    "3 seconds": (lambda s: s[:, :1500], 500, "duration", "error", None, "3 s"),
    "one sample": (lambda s: s[:, :1], 500, "duration", "error", None, "0.002 s"),
    "NaN burst": (
        put(lead("V3"), slice(700, 760), np.nan),
        500,
        "invalid samples",
        "error",
        ("V3",),
        r"1.40-1.52 s(?s:.*)ecg\.window\(1\.52, samples=4240\)",
    ),
    "NaN everywhere": (
        put(slice(None), slice(None, None, 100), np.nan),
        500,
        "invalid samples",
        "error",
        LEADS,
        "no 4 s are free",
    ),
    "a lead of NaN": (
        put(lead("aVL"), slice(None), np.nan),
        500,
        "invalid samples",
        "error",
        ("aVL",),
        "the lead is missing",
    ),
    "nothing but NaN": (lambda s: s * np.nan, 500, "invalid samples", "error", LEADS, "the lead is missing"),
    "constant": (lambda s: s * 0 + 1, 500, "flat line", "error", LEADS, "constant throughout"),
    "V6 off": (put(lead("V6"), slice(None), 0), 500, "flat line", "error", ("V6",), "electrode off"),
    "lost contact": (put(lead("V1"), HELD, 0.1), 500, "flat line", "warning", ("V1",), "lost contact"),
    "lead II almost flat": (
        lambda s: put(lead("II"), slice(None), s[1] / 50)(s),
        500,
        "flat line",
        "warning",
        ("II",),
        "right-leg cable",
    ),
    "clipped": (clip, 500, "clipping", "error", None, "rail"),
    "offset": (add(300.0), 500, "offset", "warning", LEADS, "300 mV"),
    "drift": (add(1.5 * np.sin(2 * np.pi * 0.2 * TIME)), 500, "baseline wander", "warning", LEADS, "drift"),
    "hum at 50 Hz": (add(0.2 * np.sin(2 * np.pi * 50 * TIME)), 500, "mains hum", "warning", LEADS, "0.2 mV at 50 Hz"),
    "hum at 60 Hz": (
        add(0.1 * np.sin(2 * np.pi * 60.01 * TIME)),
        500,
        "mains hum",
        "warning",
        LEADS,
        "0.1 mV at 60 Hz",
    ),
    "tremor": (add(0.1 * NOISE), 500, "muscle noise", "warning", LEADS, "rms above 40 Hz"),
    "no ECG at all": (lambda s: 0.3 * NOISE, 500, "heartbeats", "error", None, "no heartbeats"),
    "rate of 50 Hz": (lambda s: s, 50, "sampling rate", "error", None, "50 Hz"),
    "rate of 200 Hz": (lambda s: s[:, :2400], 200, "sampling rate", "warning", None, "200 Hz"),
    "rate of a megahertz": (lambda s: s, 1e6, "sampling rate", "error", None, "1e\\+06 Hz"),
    "rate given 4 times too low": (lambda s: np.tile(s, 4), 125, "heartbeats", "warning", None, "beats a minute"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(clean, fault):
    change, fs, check, severity, leads, words = FAULTS[fault]
    report = check_ecg(changed(clean, change, fs))
    found = [finding for finding in report.findings if finding.check == check]
    assert found, str(report)
    assert found[0].severity == severity
    assert leads is None or found[0].leads == leads
    with pytest.raises(AssertionError, match=words):  # re.search with pytest's message where it fails
        raise AssertionError(f"{found[0].measured} {found[0].advice}")
    assert report.ok == (not report.of("error"))


@pytest.mark.parametrize("condition", CONDITIONS)
def test_clean_recordings_pass(condition):
    """No error and no suspicion about cables on simulated hearts of every kind."""
    for seed in range(200, 203):
        report = check_ecg(leadwise.simulate_ecg(condition, seed=seed))
        assert report.ok, str(report)
        assert {finding.check for finding in report.findings} <= {"baseline wander"}


def test_real_recordings_pass(reference):
    """The 13 raw records of CinC 2021 that cardiologists labelled: usable all of them; only two kinds of noise."""
    for path in sorted((reference / "ecg" / "cinc2021").glob("*.hea")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RecordWarning)
            report = check_ecg(leadwise.load_ecg(path))
        assert report.ok, str(report)
        suspicious = {finding.check for finding in report.of("warning")}
        assert suspicious <= {"baseline wander", "mains hum", "muscle noise"}


@pytest.mark.parametrize("name", ["ptbxl_03509_preprocessed", "ptbxl_14493_preprocessed"])
def test_published_excerpts_pass(reference, name):
    signal = np.load(reference / "ecg" / f"{name}.npy").T
    report = check_ecg(ECG(signal, preprocessed=True))
    assert report.ok
    assert [finding.check for finding in report.findings] == ["duration"]


@pytest.mark.parametrize(
    ("reversal", "words", "least", "patients"),
    [
        ("LA-RA", "left and right arm", 4, 6),
        ("RA-LL", "right arm and left leg", 5, 6),
        ("LA-LL", "left arm and left leg", 3, 12),
    ],
)
def test_exchanged_cables(reversal, words, least, patients):
    """Arms exchanged turn lead I over in most hearts; left arm and left leg turn the P axis up, a mere suspicion.

    The latter finds 22 % of such exchanges in real hearts (Ohlsson, Heden, Edenbrandt, LU TP 99-24): 3 of 12.
    """
    found = []
    for seed in range(patients):
        report = check_ecg(leadwise.simulate_ecg("NORM", seed=seed, noise=Noise(reversal=reversal)))
        found += [finding.measured for finding in report.findings if finding.check == "cables"]
        assert "limb leads" not in {finding.check for finding in report.findings}  # the law holds for any cables
    assert len([text for text in found if words in text]) >= least


def test_a_heart_on_the_right_side_is_not_taken_for_exchanged_arms():
    """It turns I and aVR over as well, but R shrinks towards V6 and S prevails; exchanged arms leave V6 upright."""
    exchanged = leadwise.simulate_ecg("NORM", seed=3, patient={"axis": 40}, noise=Noise(reversal="LA-RA"))
    (finding,) = (found for found in check_ecg(exchanged).findings if found.check == "cables")
    assert "right arm" in finding.measured
    assert "in a heart on the right side V6 would not point up" in finding.advice
    signal = exchanged.signal.copy()
    signal[8:] *= -0.5
    assert "cables" not in {found.check for found in check_ecg(ECG(signal, exchanged.fs)).findings}


@pytest.mark.parametrize(
    ("p", "qrs", "suspected"),
    [(-15, 30, True), (-15, -60, False), (-15, 120, False), (15, 30, False), (50, 30, False), (-60, 30, False)],
)
def test_arm_and_leg_are_suspected_where_both_axes_allow_it(p, qrs, suspected):
    """A flat heart of P, QRS and T with given axes: I = cos a, II = cos(a - 60); P must be upright in both leads."""
    time = np.arange(5000) / 500
    bump = lambda at, width: np.exp(-0.5 * (((time - at + 0.5) % 1 - 0.5) / width) ** 2)  # noqa: E731
    angles = np.radians([p, qrs, qrs])
    one, two = (
        sum(size * np.cos(a - turn) * wave for size, a, wave in zip((0.2, 1.5, 0.3), angles, waves, strict=True))
        for turn in (0, np.radians(60))
        for waves in [(bump(0.3, 0.025), bump(0.48, 0.014), bump(0.75, 0.05))]
    )
    limb = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    chest = [
        size * (bump(0.48, 0.014) + 0.2 * bump(0.75, 0.05) + 0.1 * bump(0.3, 0.025))
        for size in (0.4, 0.6, 0.9, 1.2, 1, 0.8)
    ]
    noise = 0.003 * np.random.default_rng(0).normal(size=5000)
    report = check_ecg(ECG(np.stack([*limb, *chest]) + noise))
    assert ("left arm and left leg" in str(report)) == suspected, str(report)


def test_a_loose_electrode_is_no_wrong_unit(clean):
    """Eleven leads are right: the unit is, too."""
    loose = changed(clean, put(lead("V3"), slice(3000, 3500), 20 * np.sin(np.arange(500) / 8)))
    found = [finding for finding in check_ecg(loose).findings if finding.check == "amplitude"]
    assert [(finding.severity, finding.leads) for finding in found] == [("warning", ("V3",))]
    assert "V3 up to" in found[0].measured
    assert "at 6-8 s" in found[0].measured
    assert "unit" not in str(check_ecg(loose))
    assert check_ecg(loose, start=0.0).ok  # the window from 0 to 4 s is free of it
    assert check_ecg(loose, start=1.9).ok
    [error] = [finding for finding in check_ecg(loose, start=3.0).of("error") if finding.check == "amplitude"]
    assert error.leads == ("V3",)
    throughout = changed(clean, lambda s: s * np.where(np.arange(12) == lead("V3"), 12, 1)[:, None])
    [error] = [finding for finding in check_ecg(throughout).of("error") if finding.check == "amplitude"]
    assert error.leads == ("V3",)
    assert "gain wrong" in error.advice


def test_a_wrong_unit_is_seen_whatever_one_lead_says(clean):
    for factor, words in ((1000, "1000 times too large"), (10, "10 times too large"), (0.1, "10 times too small")):
        spoiled = changed(clean, lambda s, f=factor: s * f * np.where(np.arange(12) == lead("V3"), 1 / f, 1)[:, None])
        assert words in str(check_ecg(spoiled)), factor


PULSE = np.where(np.abs(np.arange(500) - 400) < 50, 1.0, 0.0)  # 1 mV for 0.2 s, 0.1 s before the end of the 11th second


@pytest.mark.parametrize("derived", [False, True])
@pytest.mark.parametrize("gap", [0.0, 0.6])
@pytest.mark.parametrize("end", ["behind", "before"])
def test_a_calibration_pulse_is_cut_and_said(clean, derived, gap, end):
    rows = np.tile(np.concatenate([np.zeros(round(500 * gap)), PULSE]), (12, 1))
    if derived:  # of the eight independent leads: the law of the limb leads holds within the pulse, too
        rows[2:6] = np.array([0, -1, 0.5, 0.5])[:, None] * rows[:4]
    whole = [clean.signal, rows] if end == "behind" else [rows[:, ::-1], clean.signal]
    ecg = ECG(np.concatenate(whole, axis=1) + 0.004 * NOISE[:, : 5000 + rows.shape[1]][:, :1], record_id="philips")
    cut = cut_calibration(ecg)
    assert "A calibration pulse of 1 mV was cut off" in cut.notes[-1]
    assert abs(cut.duration - 10) <= 0.75 * (gap == 0) + 0.05, cut.duration
    report = check_ecg(ecg)
    assert report.ok, str(report)
    assert "calibration pulse" in str(report)
    assert not {"limb leads", "flat line", "heartbeats"} & {finding.check for finding in report.findings}


def test_nothing_else_is_taken_for_a_calibration_pulse(reference):
    for condition in CONDITIONS:
        for seed in range(3):
            ecg = leadwise.simulate_ecg(condition, seed=seed)
            assert cut_calibration(ecg) is ecg
    flat_end = clean_with_end = leadwise.simulate_ecg("NORM", seed=3).signal.copy()
    flat_end[:, 4500:] = 0
    for signal in (
        clean_with_end,
        np.zeros((12, 5000)),
        np.ones((12, 3)),
        np.zeros((12, 0)),
        np.full((12, 5000), np.nan),
    ):
        ecg = ECG(signal)
        assert cut_calibration(ecg) is ecg
    for path in sorted((reference / "ecg" / "cinc2021").glob("*.hea")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RecordWarning)
            ecg = leadwise.load_ecg(path)
        assert cut_calibration(ecg) is ecg


def paced(ecg, height=1.0, every=400):
    """Spikes of one sample, 2 ms, in front of each beat of a heart paced at 75 a minute; leads see them differently."""
    size = height * np.cos(np.linspace(0, np.pi, 12))[:, None]
    return changed(ecg, lambda s: s + size * (np.arange(s.shape[1]) % every == 100))


def test_pacing_spikes_are_warned_of(clean):
    for height in (0.6, 2.0, 5.0):
        assert "spikes of a few ms" in str(check_ecg(paced(clean, height)))
    assert "first at 0.20, 1.00, 1.80 s" in str(check_ecg(paced(clean)))
    said = ECG(clean.signal, metadata={"dx": "164889003,10370003"})
    assert "WARNING pacing: the header says pacing rhythm" in str(check_ecg(said))


def test_nothing_else_is_taken_for_a_pacemaker(reference):
    ecgs = [leadwise.simulate_ecg(condition, seed=seed) for condition in CONDITIONS for seed in range(300, 304)]
    ecgs += [
        changed(ecgs[0], add(0.15 * NOISE)),
        changed(ecgs[0], lambda s: s * 4),
        changed(ecgs[0], lambda s: np.round(s, 1)),
    ]
    for path in sorted((reference / "ecg" / "cinc2021").glob("*.hea")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RecordWarning)
            ecgs.append(leadwise.load_ecg(path))
    assert not [ecg for ecg in ecgs if "pacing" in {finding.check for finding in check_ecg(ecg).findings}]


@pytest.mark.parametrize(
    ("age", "warned"),
    [
        ("15", True), ("15 years", True), ("0.5", True), ("5 months", True), ("10 days", True), ("006M", True),
        ("012Y", True), ("16", False), ("65", False), ("300", False), ("200 months", False), ("NaN", False),
        ("", False), ("-1", False), ("unknown", False), ("65 m", False),
    ],
)  # fmt: skip
def test_children_are_warned_of(clean, age, warned):
    report = check_ecg(ECG(clean.signal, metadata={"age": age}))
    assert ("age" in {finding.check for finding in report.of("warning")}) == warned
    assert check_ecg(ECG(clean.signal)).of("warning") == ()


@pytest.mark.parametrize(("rate", "warned"), [(232, False), (262, True), (330, True)])
def test_the_fastest_heart(rate, warned):
    """A heart of 131 a minute, played faster: 250 a minute is the limit."""
    ecg = leadwise.simulate_ecg("NORM", seed=3, noise=False, patient={"axis": 40, "rate": 131})
    report = check_ecg(ECG(np.tile(ecg.signal, 2), fs=500 * rate / 131))
    assert ("beats a minute" in str(report)) == warned, str(report)


def test_limits_say_why():
    assert all(limit.reason and limit.value for limit in LIMITS.values())
    assert len(CHECKS) == 18


def test_report_in_text_and_html(clean):
    ecg = changed(clean, put(lead("V3"), slice(700, 760), np.nan), notes=("<script>alert(1)</script>.",))
    report = check_ecg(ecg)
    text, html = str(report), report._repr_html_()
    assert text.startswith("spoiled: 1 error, 0 warnings: do not run a network on it.")
    assert [finding.severity for finding in report.findings] == ["error", "info"]
    assert "ERROR invalid samples (V3)" in text
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert html.count("<tr>") == 3
    assert "no technical fault found; this says nothing about the heart" in Report("x", ())._repr_html_()
    warning = Finding("hum", "warning", LEADS, "0.1 mV", "", "")
    assert "1 warning: look before" in str(Report("x", (warning,)))
    with pytest.raises(ValueError, match="no severity"):
        report.of("fatal")


def test_the_part_that_the_advice_names_can_be_used(clean):
    ecg = changed(clean, put(lead("V3"), slice(700, 760), np.nan))
    [finding] = check_ecg(ecg).of("error")
    assert finding.advice == "use the part without them: ecg.window(1.52, samples=4240)"
    part = ecg.window(1.52, samples=4240)
    assert check_ecg(part).ok
    assert part.preprocess().window().samples == 2000
