"""The checks of notebook 07: right answers in several forms, and the hints for usual wrong ones."""

import numpy as np
import pytest
import torch

from leadwise.checks import reading as check
from leadwise.ecg.delineation import delineate
from leadwise.ecg.leads import einthoven_residual, limb_lead_residuals
from leadwise.recordings.catalogue import load_record
from leadwise.simulation.simulate import simulate_ecg

RUBBISH = (None, "rubbish", np.zeros((2, 2)), lambda: 1, [], {}, 3)


def state(verdict, word=""):
    assert word.lower() in verdict.text.lower(), verdict
    return verdict.state


@pytest.mark.parametrize("answer", RUBBISH)
def test_rubbish_gets_a_verdict(answer):
    for verdict in (
        check.augmented_leads(answer),
        check.balanced_lead_i(45, answer, answer),
        check.whole_recording_first(answer),
        check.three_recordings(answer),
        check.exchanged_electrodes(answer),
    ):
        assert verdict.state == ("not done yet" if answer is None else "not yet")


def test_augmented_leads():
    def verdict(avr, avl, avf):
        return check.augmented_leads(lambda i, iii: {"aVR": avr(i, iii), "aVL": avl(i, iii), "aVF": avf(i, iii)})

    right = (lambda i, iii: -i - iii / 2, lambda i, iii: (i - iii) / 2, lambda i, iii: iii + i / 2)
    assert check.augmented_leads(...).state == "not done yet"
    assert verdict(*right).state == "right"
    assert verdict(*(lambda i, iii, f=f: torch.tensor(f(i, iii)) for f in right)).state == "right"
    assert state(verdict(lambda i, iii: i + iii / 2, *right[1:]), "upside down") == "not yet"
    assert state(verdict(*right[:2], lambda i, iii: iii - i / 2), "in its place") == "not yet"
    assert state(verdict(*right[:2], lambda i, iii: iii), "collect") == "not yet"
    assert state(check.augmented_leads(lambda i, iii: {"aVR": -i - iii / 2}), "missing: aVL, aVF") == "not yet"


def test_balanced_lead_i():
    """Lead I looks at 0 degrees (Einthoven), so that a vector at 90 degrees has no part along it."""
    assert check.balanced_lead_i(..., ..., ...).state == "not done yet"
    assert check.balanced_lead_i(45, 90, "upright").state == "right"
    assert check.balanced_lead_i(45, np.float32(90), "Upright").state == "right"
    assert state(check.balanced_lead_i(45, 0, "upright"), "along lead I") == "not yet"
    assert state(check.balanced_lead_i(45, 45, "upright"), "still upright") == "not yet"
    assert state(check.balanced_lead_i(45, np.pi / 2, "upright"), "radians") == "not yet"
    assert state(check.balanced_lead_i(45, 130, "upright"), "still inverted") == "not yet"
    assert state(check.balanced_lead_i(45, 90, "inverted"), "feet") == "not yet"
    assert state(check.balanced_lead_i(45, -90, "inverted"), "0 to 180") == "not yet"


def test_whole_recording_first():
    verdict = check.whole_recording_first
    assert verdict(...).state == "not done yet"
    assert verdict(lambda ecg: ecg.preprocess().window(0, 2000)).state == "right"
    assert verdict(lambda ecg: ecg.preprocess().signal[:, :2000]).state == "right"
    assert verdict(lambda ecg: ecg.preprocess().window().tensor()).state == "right"
    assert state(verdict(lambda ecg: ecg.window().preprocess()), "4 s only") == "not yet"
    assert state(verdict(lambda ecg: ecg.preprocess()), "whole recording") == "not yet"
    assert state(verdict(lambda ecg: ecg.window()), "Nothing is filtered") == "not yet"
    assert state(verdict(lambda ecg: ecg.preprocess().window(ecg.duration - 4)), "last 4 s") == "not yet"
    assert state(verdict(lambda ecg: ecg.preprocess().window(0, 1000)), "2000") == "not yet"


def test_three_recordings():
    names = ["sim-avb-1", "sim-lbbb-1", "sim-af-1"]  # PR is NaN in atrial fibrillation, which has no P
    right = {name: delineate(load_record(name)).intervals() for name in names}

    def all_times(factor):
        scaled = {name: {kind: ms * factor for kind, ms in found.items()} for name, found in right.items()}
        return {name: found for name, found in scaled.items() if np.isfinite(found["PR"])} | {
            name: right[name] for name in names if not np.isfinite(right[name]["PR"])
        }

    assert check.three_recordings(...).state == "not done yet"
    assert check.three_recordings(right).state == "right"
    numbers = {name: {kind: float(found[kind]) + 2 for kind in ("PR", "QRS")} for name, found in right.items()}
    assert check.three_recordings(numbers).state == "right"
    assert state(check.three_recordings(all_times(0.5)), "counts samples") == "not yet"
    assert state(check.three_recordings(all_times(0.001)), "in seconds") == "not yet"
    assert state(check.three_recordings({names[0]: right[names[0]]}), "three") == "not yet"
    assert state(check.three_recordings({"a": 1, "b": 2, "c": 3}), "no recording") == "not yet"
    assert state(check.three_recordings(dict.fromkeys(names, 160)), "PR and QRS") == "not yet"
    nothing = right | {names[0]: {"PR": np.float32("nan"), "QRS": 90.0}}
    assert state(check.three_recordings(nothing), "without filters") == "not yet"


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("sim-avb2-1", "sim-rbbb-1", "sim-norm-1"), ""),
        (("sim-avb-1", "sim-norm-1", "sim-norm-2"), "bundle branch block"),
        (("sim-avb-1", "sim-rbbb-1", "sim-lbbb-1"), "without either"),
        (("sim-isch-1", "sim-rbbb-1", "sim-norm-1"), "AV block"),
    ],
)
def test_three_recordings_are_of_three_kinds(names, missing):
    verdict = check.three_recordings({name: delineate(load_record(name)).intervals() for name in names})
    assert state(verdict, missing) == ("not yet" if missing else "right")


def test_the_riddle_is_what_exchanged_cables_make():
    """From potentials of the electrodes, after Batchvarov et al. 2007: the law holds, and only III is upside down."""
    ecg = simulate_ecg("NORM", seed=64)
    again = check.recorded_again(ecg)
    ra, la, ll = np.zeros(ecg.samples), ecg.lead("I"), ecg.lead("II")  # potentials, up to a common one
    la, ll = ll, la
    for name, wanted in {"I": la - ra, "II": ll - ra, "III": ll - la, "aVL": la - (ra + ll) / 2}.items():
        np.testing.assert_allclose(again.lead(name), wanted, atol=2e-3)
    assert einthoven_residual(again) < 0.005
    assert max(limb_lead_residuals(again).values()) < 0.005
    np.testing.assert_array_equal(again.signal[6:], ecg.signal[6:])


def test_exchanged_electrodes():
    assert check.exchanged_electrodes(...).state == "not done yet"
    for right in (("LA", "LL"), ["ll", "la"], {"LA", "LL"}, "LA-LL", ("left arm", "left leg")):
        assert check.exchanged_electrodes(right).state == "right"
    assert state(check.exchanged_electrodes(("RA", "LA")), "lead I =") == "not yet"
    assert state(check.exchanged_electrodes(("RA", "LL")), "lead II =") == "not yet"
    assert state(check.exchanged_electrodes("LA"), "two different") == "not yet"
    assert state(check.exchanged_electrodes(("I", "II")), "one of") == "not yet"
