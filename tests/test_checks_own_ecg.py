"""Checks of notebook 11 and its capstone: right answers are accepted, usual wrong ones get a hint that fits."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import leadwise
from figures import says
from leadwise import ECG, check_ecg
from leadwise.checks import core
from leadwise.checks import own_ecg as check
from leadwise.report import explain_ecg, report
from leadwise.semantics import agreement

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def ecg():
    return leadwise.load_record("sim-lbbb-1")


@pytest.fixture(scope="module")
def own():
    return leadwise.load_record("sim-rbbb-1")


@pytest.fixture(scope="module")
def models():
    return {name: leadwise.load_ecg_model(name, "embedded") for name in ("AVB", "ISCH", "LBBB", "RBBB")}


def changed(ecg, change):
    signal = ecg.signal.copy()
    result = change(signal)
    return ECG(signal if result is None else result, ecg.fs)


# 1 an array without a word


def test_read(ecg):
    def turn(signal):
        signal[3] *= -1

    def rounded(signal):
        return np.round(signal / 0.00488) * 0.00488

    says(check.read_right(changed(ecg, rounded), ecg=ecg), "right")
    says(check.read_right(changed(ecg, lambda signal: signal), ecg=ecg), "right")  # its own steps may be such
    says(check.read_right(ecg, ecg=ecg), "not yet", "itself")
    says(check.read_right(changed(ecg, turn), ecg=ecg), "not yet", "upside down")
    says(check.read_right(changed(ecg, lambda signal: signal / 4.88), ecg=ecg), "not yet", "factor of 0.2049")
    says(
        check.read_right(changed(ecg, lambda signal: signal[[4, 0, 3, 1, 5, 2, *range(6, 12)]]), ecg=ecg),
        "not yet",
        "do not fit in I, II",
    )
    says(check.read_right(ECG(ecg.signal, 250), ecg=ecg), "not yet", "rate")
    says(check.read_right(ecg.signal, ecg=ecg), "not yet", "an array (12, 5000)")


# 2 what a check can find: the answers are what check_ecg finds


def test_findable(ecg):
    def found(rows, source):
        return not check_ecg(changed(ecg, lambda signal: signal.__setitem__(rows, source(signal)))).ok

    right = {
        "V1 and V2": found([6, 7], lambda s: s[[7, 6]]),
        "II and V2": found([1, 7], lambda s: s[[7, 1]]),
        "aVF upside down": found([5], lambda s: -s[[5]]),
        "chest reversed": found(slice(6, 12), lambda s: s[:5:-1].copy()),
    }
    says(check.what_a_check_finds("aVF", right), "right")
    says(
        check.what_a_check_finds("none", right | {"chest reversed": True}),
        "not yet",
        "3 of 4 are right. chest reversed: R grows",
    )
    says(check.what_a_check_finds("aVF", right | {"II and V2": False}), "not yet", "I + III")
    says(check.what_a_check_finds("aVF", dict.fromkeys(right, "yes")), "not yet", "True or False")
    says(check.what_a_check_finds("aVF", [True]), "not yet", "dict")


# 3 the colleague's file


def test_rate(ecg):
    slow = ecg.resample(250)
    colleague = ECG(slow.signal, 500)
    measured = {"duration": (5, 10), "rate": [torch.tensor(157.0), 78]}
    says(check.the_right_rate(slow, measured, slow=slow), "right")
    says(check.the_right_rate(slow.resample(500), {"QRS (ms)": (80, 148), "RR": (380, 770)}, slow=slow), "right")
    says(check.the_right_rate(colleague, measured, slow=slow), "not yet", "Still 500")
    microvolts = ECG(slow.signal / 1000, 250)
    says(check.the_right_rate(microvolts, measured, slow=slow), "not yet", "factor of 0.001")
    says(check.the_right_rate(slow, measured | {"duration": (10, 5)}, slow=slow), "not yet", "first the colleague's")
    says(check.the_right_rate(slow, measured | {"PR": (float("nan"), 160.0)}, slow=slow), "not yet", "found none")
    says(check.the_right_rate(colleague.resample(250), measured, slow=slow), "not yet", "resampled away")
    says(check.the_right_rate(ECG(slow.signal, 125), measured, slow=slow), "not yet", "20 s")
    says(check.the_right_rate(slow, measured | {"R in V5 (mV)": (1.2, 1.2)}, slow=slow), "not yet", "R in V5")
    says(check.the_right_rate(slow, {"duration": (5, 10)}, slow=slow), "not yet", "two measurements")
    says(check.the_right_rate(slow, {"duration": 5, "rate": 78}, slow=slow), "not yet", "shape")


# 4 three windows


def test_windows(ecg, models):
    lbbb = {"LBBB": models["LBBB"]}
    windows = [explain_ecg(ecg, lbbb, method="gradient_x_input", start=start) for start in (0, 2, 6)]
    first, *others = [(window.matrix.positive / window.matrix.positive.sum()).ravel() for window in windows]
    right = [np.corrcoef(first, other)[0, 1] for other in others]
    says(check.three_windows(windows, right, "b"), "right")
    says(check.three_windows(tuple(windows), torch.tensor(right), "B"), "right")
    says(check.three_windows(dict(zip("abc", windows, strict=True)), right, "b"), "right")
    says(check.three_windows(windows[::-1], right, "b"), "not yet", "start at 0 s")
    says(check.three_windows(windows, right, "a"), "not yet", "choosing")
    says(check.three_windows(windows, right, "c"), "not yet", "calibrated")
    samples = [np.corrcoef(windows[0].relevance.ravel(), window.relevance.ravel())[0, 1] for window in windows[1:]]
    says(check.three_windows(windows, samples, "b"), "not yet", "sample by sample")
    says(check.three_windows([windows[0]] * 3, right, "b"), "not yet", "same place")
    says(check.three_windows([*windows[:2], replace(windows[2], model="RBBB")], right, "b"), "not yet", "same network")
    says(check.three_windows(windows[:2], right, "b"), "not yet", "three")


# The capstone


def test_told(own, ecg):
    told = {"fs": "the header", "unit": "the device's manual", "leads": "the clinic's note"}
    says(check.what_was_told(own, told, used=ecg), "right")
    says(check.what_was_told(ecg, told, used=ecg), "not yet", "take another")
    says(check.what_was_told(own, told | {"unit": "a guess"}, used=ecg), "not yet", "stops nothing")
    says(check.what_was_told(own, told | {"unit": ""}, used=ecg), "not yet", "in words")
    says(check.what_was_told(own, told | {"fs": 500}, used=ecg), "not yet", "in words")
    says(check.what_was_told(own, {"fs": "header"}, used=ecg), "not yet", "keys")
    says(check.what_was_told("mine.csv", told, used=ecg), "not yet", "a str")


def test_findings(own):
    def damage(signal):
        signal[8, 100:200] = np.nan
        signal[6:] += 0.2 * np.sin(2 * np.pi * 50 * np.arange(signal.shape[1]) / 500)

    says(check.findings(own, [], []), "right", "clean")
    says(check.findings(own, check_ecg(own), ()), "right")
    says(check.findings(own, ["wander"], []), "not yet", "no error or warning named wander")
    bad = changed(own, damage)
    names = {finding.check for finding in check_ecg(bad).findings if finding.severity != "info"}
    errors = {finding.check for finding in check_ecg(bad).of("error")}
    assert errors
    assert len(names) > 1
    says(check.findings(bad, sorted(names), errors), "right")
    says(check.findings(bad, check_ecg(bad), check_ecg(bad).of("error")), "right")
    says(check.findings(bad, errors, errors), "not yet", "missing")
    says(check.findings(bad, names, []), "not yet", "each one matters")
    says(check.findings(bad, names, [*names, "duration"]), "not yet", "that are in `found`")
    says(check.findings(own, "none", []), "not yet", "list")


def test_all_windows(models):
    own = leadwise.load_record("sim-isch-3")

    def answers(cut, starts=range(7)):
        return {name: [model.probability(cut(start).tensor()) for start in starts] for name, model in models.items()}

    clean = own.preprocess()
    right = answers(clean.window)
    says(check.all_windows(own, right, models=models), "right")
    says(check.all_windows(own, {name: np.array(values) for name, values in right.items()}, models=models), "right")
    says(check.all_windows(own, answers(clean.window, [0]), models=models), "not yet", "makes 7 windows")
    says(check.all_windows(own, answers(own.window), models=models), "not yet", "raw signal")
    says(
        check.all_windows(own, answers(lambda start: own.window(start).preprocess()), models=models), "not yet", "ends"
    )
    says(check.all_windows(own, {name: [3.0] * 7 for name in models}, models=models), "not yet", "logits")
    says(check.all_windows(own, {"RBBB": right["RBBB"]}, models=models), "not yet", "keys")


@pytest.mark.parametrize("name", ["sim-rbbb-2", "sim-norm-1"])
def test_all_windows_where_the_networks_are_sure(name, models):
    """There the answers to filtered and to raw windows hardly differ; exact ones can be told apart all the same."""
    own = leadwise.load_record(name)
    for cut, state in ((own.preprocess().window, "right"), (own.window, "not yet")):
        found = {
            key: [float(model.probability(cut(start).tensor())) for start in range(7)] for key, model in models.items()
        }
        says(check.all_windows(own, found, models=models), state)
    rounded = {
        key: [round(float(model.probability(own.preprocess().window(s).tensor())), 3) for s in range(7)]
        for key, model in models.items()
    }
    says(check.all_windows(own, rounded, models=models), "right")


@pytest.fixture(scope="module")
def pair(own, models):
    return [explain_ecg(own, models, method=method) for method in ("lrp_epsilon", "gradient_x_input")]


def test_two_methods(own, ecg, models, pair):
    first, second = pair
    says(check.two_methods(own, first, second), "right")
    says(check.two_methods(own, first, first), "not yet", "same method")
    other = explain_ecg(own, models, method="gradient_x_input", explain="AVB")
    says(check.two_methods(own, first, other), "not yet", "more than the method")
    says(check.two_methods(own, replace(first, model="AVB"), other), "not yet", "not the most probable")
    says(check.two_methods(own, first, explain_ecg(own, models, method="random")), "not yet", "control")
    says(check.two_methods(own, first, explain_ecg(own, models, method="grad_cam")), "not yet", "copies one map")
    says(check.two_methods(own, first, explain_ecg(own, models, method="gradient")), "not yet", "shares nothing out")
    product = explain_ecg(own, models, method="gradient", times="input")
    says(check.two_methods(own, first, product), "right")
    says(check.two_methods(ecg, first, second), "not yet", "another recording")
    says(check.two_methods(own, first.relevance, second), "not yet", "explain_ecg")


def test_agreement(pair):
    first, second = pair
    tops = [{cell for cell, _ in found.matrix.ranked()[:5]} for found in pair]
    agreed, shares = tops[0] & tops[1], [found.matrix.share().ravel() for found in pair]
    correlation, beside = np.corrcoef(*shares)[0, 1], agreement(first.matrix, first.model)
    says(check.where_they_agree(first, second, agreed, correlation, beside.lift), "right")
    says(
        check.where_they_agree(
            first, second, [list(cell) for cell in agreed], np.float32(correlation), torch.tensor(beside.lift)
        ),
        "right",
    )
    if tops[0] != tops[1]:
        says(check.where_they_agree(first, second, tops[0] | tops[1], correlation, beside.lift), "not yet", "both name")
    says(check.where_they_agree(first, second, {("aVR", "P")}, correlation, beside.lift), "not yet", "ranked")
    by_sample = np.corrcoef(first.relevance.ravel(), second.relevance.ravel())[0, 1]
    says(check.where_they_agree(first, second, agreed, by_sample, beside.lift), "not yet", "sample by sample")
    says(check.where_they_agree(first, second, agreed, correlation, beside.share), "not yet", "share over the area")


def test_page(own, ecg, models, pair, tmp_path):
    first, second = pair
    page = report(own, models, method=first.method, folder=tmp_path)
    sentences = ["The patient has what the network names.", "Other recordings would look the same."]
    says(check.one_page(first, page, sentences), "right")
    says(check.one_page(first, page, ["The patient has RBBB.", "The network is right."]), "right")
    says(check.one_page(first, page, sentences[:1] * 2), "not yet", "same sentence")
    other = replace(first, parameters=first.parameters | {"epsilon": 0.5})
    says(check.one_page(other, page, sentences), "not yet", "other parameters")
    says(check.one_page(second, page, sentences), "not yet", "same network, method")
    says(check.one_page(replace(first, ecg=ecg), page, sentences), "not yet", "another recording")
    says(check.one_page(first, page, sentences[0]), "not yet", "two sentences")
    says(check.one_page(first, page, ["no", "yes"]), "not yet", "whole sentences")
    says(check.one_page(first, page.pdf, sentences), "not yet", "report")


def test_nothing_done_and_rubbish(ecg, own, models, pair):
    context = {1: {"ecg": ecg}, 3: {"slow": ecg}, 5: {"used": ecg}, 7: {"models": models}}
    for number, count in {1: 1, 2: 1, 3: 2, 4: 3, 5: 2, 6: 3, 7: 2, 8: 3, 9: 5, 10: 3}.items():
        run, more = core.CHECKS["own_ecg"][number], context.get(number, {})
        says(run(*[...] * count, **more), "not done yet")
        for rubbish in ("nonsense", np.zeros((2, 2)), [None], 7, lambda r: None):
            says(run(*[rubbish] * count, **more), "not yet")
    says(core.CHECKS["own_ecg"][6](own, ..., ...), "not done yet", "found, matter")
    says(core.CHECKS["own_ecg"][9](*pair, "nonsense", 0, 0), "not yet")
