"""What is measured beside a criterion: against waves that are known, and on real records against their labels."""

import numpy as np
import pytest

import leadwise
from leadwise.ecg.delineation import ERRORS, Delineation
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.ecg.waves import Wave
from leadwise.semantics import Interval, beside_criterion, measure, st_levels


def beats(pr=160, qrs=90, qt=400, count=5, missing=()) -> Delineation:
    """Waves of beats one second apart, at 1000 Hz, so that a sample is 1 ms; without P in some beats."""
    waves = []
    for beat in range(count):
        at = 1000 * beat + 500
        if beat not in missing:
            waves.append(Wave("P", beat, at - pr, at - pr + 50, at - pr + 100))
        waves.append(Wave("QRS", beat, at, at + 40, at + qrs))
        waves.append(Wave("T", beat, at + qt - 150, at + qt - 80, at + qt))
    return Delineation(tuple(waves), (), 1000.0)


def flat(**levels) -> ECG:
    """Five seconds at 1000 Hz: ST of each named lead stands at a level, mV, from 90 to 250 ms after the QRS onset."""
    signal = np.zeros((12, 5000), np.float32)
    for lead, level in levels.items():
        for beat in range(5):
            signal[LEADS.index(lead), 1000 * beat + 590 : 1000 * beat + 750] = level
    return ECG(signal, fs=1000.0)


def test_intervals_are_the_distances_of_their_waves():
    found = measure(flat(), beats(pr=212, qrs=98, qt=420, missing=(1, 3)))
    assert {name: interval.median for name, interval in found.items()} == {"PR": 212, "QRS": 98, "QT": 420}
    assert str(found["PR"]) == f"212 ± {ERRORS['PR']:.0f} ms (3 of 5 beats)"
    assert str(found["QRS"]) == f"98 ± {ERRORS['QRS']:.0f} ms (5 beats)"


@pytest.mark.parametrize("pathology", ["LBBB", "RBBB"])
def test_each_side_of_a_limit_and_what_lies_too_close(pathology):
    error = round(ERRORS["QRS"])
    for qrs, verdict in ((86, "not reached"), (120 - error, "too close"), (120, "too close"), (121 + error, "reached")):
        said = beside_criterion(pathology, flat(), beats(qrs=qrs))
        assert said.startswith(f"criterion: QRS >= 120 ms; measured {qrs} ± {error} ms (5 beats): {verdict}")
    assert "PR > 200 ms; measured 300" in beside_criterion("AVB", flat(), beats(pr=300))


def test_what_was_not_found_is_not_measured():
    none = beside_criterion("AVB", flat(), beats(missing=range(5)))
    assert none == "criterion: PR > 200 ms; not measured: no P wave before a QRS complex was found"
    assert "no QRS complex was found" in beside_criterion("LBBB", flat(), Delineation((), (), 1000.0))
    assert "ST not measured" in beside_criterion("ISCH", flat(), Delineation((), (), 1000.0))


def test_intervals_that_differ_from_beat_to_beat_get_no_verdict():
    """A Wenckebach period: PR grows until a beat is dropped; its median is the PR of no beat."""
    interval = Interval("PR", (180.0, 240.0, 290.0), 3, 15.0)
    assert str(interval) == "240 ± 15 ms (3 beats, from 180 to 290)"
    assert "beats differ" in interval.beside(200)


def test_st_in_two_neighbouring_leads():
    """Thygesen et al. 2018: depression in two contiguous leads. The less depressed of the pair decides."""
    both = flat(V4=-0.15, V5=-0.10)
    np.testing.assert_allclose(np.median(st_levels(both, beats()), axis=0)[[9, 10]], [-0.15, -0.10], atol=1e-6)
    said = beside_criterion("ISCH", both, beats())
    assert "V4 −0.15 ± 0.01, V5 −0.10 ± 0.01 mV: reached, which is one" in said
    assert "mV: not reached" in beside_criterion("ISCH", flat(V4=-0.3, II=-0.3), beats())
    assert "too close" in beside_criterion("ISCH", flat(V4=-0.3, V5=-0.05), beats())
    assert "I −0.20 ± 0.01, II −0.20" in beside_criterion("ISCH", flat(I=-0.2, II=-0.2, aVR=0.2), beats())


def test_st_beside_a_broad_qrs_is_not_judged():
    """The universal definition's criteria hold without bundle branch block; there ST turns against QRS by itself."""
    said = beside_criterion("ISCH", flat(V5=-0.2, V6=-0.2), beats(qrs=150))
    assert "not judged: QRS is 150" in said
    assert "reached" not in said


def test_stated_errors_hold_on_patients_whose_waves_are_known():
    off = {"PR": [], "QRS": [], "QT": []}
    for number, condition in enumerate(("NORM", "AVB", "LBBB", "RBBB", "ISCH")):
        for seed in range(10 * number, 10 * number + 5):
            ecg = leadwise.simulate_ecg(condition, seed=seed)
            known = measure(ecg, Delineation(ecg.waves, (), ecg.fs))
            for name, interval in measure(ecg).items():
                off[name].append(abs(interval.median - known[name].median) / interval.error)
    assert all(np.mean(np.array(values) <= 1) >= 0.9 for values in off.values())


def test_real_records_are_measured_as_they_are_labelled(reference):
    right = leadwise.load_ecg(reference / "ecg" / "cinc2021" / "E07509")
    assert beside_criterion("RBBB", right).endswith(": reached, which is one of several parts")
    for name in ("E07506", "HR06004"):  # sinus rhythm only
        sinus = leadwise.load_ecg(reference / "ecg" / "cinc2021" / name)
        for pathology in ("AVB", "LBBB", "RBBB"):
            assert beside_criterion(pathology, sinus).endswith((": not reached", "too close to the limit to say"))
