"""Checks of notebook 12: right answers in several forms are accepted, usual wrong ones get a hint that fits."""

from functools import cache

import numpy as np
import pytest
from scipy import stats

import leadwise
from figures import says
from leadwise.checks import cohorts as check
from leadwise.checks import core
from leadwise.cohort import Cohort, difference

pytestmark = pytest.mark.usefixtures("one_thread")
CARTS = [f"cart {number}" for number in range(1, 9)]


# 1 Holm


def holm(p):
    """By the definition, one p value after the other: Holm 1979."""
    p, out, before = np.asarray(p, float), np.empty(len(p)), 0.0
    for step, index in enumerate(np.argsort(p)):
        before = out[index] = min(1.0, max(before, (len(p) - step) * p[index]))
    return out


def in_place(p):
    p *= len(p)
    return p


def test_holm():
    says(check.holm_by_hand(holm), "right")
    says(check.holm_by_hand(lambda p: holm(p).tolist()), "right")


@pytest.mark.parametrize(
    ("function", "word"),
    [
        (lambda p: np.minimum(p * len(p), 1), "Bonferroni"),
        (lambda p: np.sort(holm(p)), "order in which"),
        (lambda p: p[np.argsort(p)] * np.arange(len(p), 0, -1), "none is smaller"),
        (lambda p: stats.false_discovery_control(p), "gives"),
        (in_place, "a copy"),
        (lambda p: 0.05, "shape"),
        ([0.05], "function"),
    ],
)
def test_holm_wrong(function, word):
    says(check.holm_by_hand(function), "not yet", word)


# 2 ten times the patients


def test_factors():
    right = {"interval": 0.316, "spread": 1, "false alarms": 1.0, "smallest": 10**-0.5}
    says(check.ten_times("a guess", right), "right")
    says(check.ten_times("a guess", right | {"interval": 0.1}), "not yet", "2 t s")
    says(check.ten_times("a guess", right | {"interval": 3.16}), "not yet", "divided by hospital")
    says(check.ten_times("a guess", right | {"spread": 0.316}), "not yet", "more alike")
    says(check.ten_times("a guess", right | {"false alarms": 0.1}), "not yet", "whatever n")
    says(check.ten_times("a guess", right | {"smallest": 0.1}), "not yet", "uncertainty")
    says(check.ten_times("a guess", {"interval": 1}), "not yet", "keys")


# 3 and 4: an archive of drawn numbers


@cache
def archive():
    """Eight carts, two conditions; cart 3 has other proportions, cart 7 less in V1."""
    rng, groups, by_cart = np.random.default_rng(0), {}, {}
    for cart in CARTS:
        for finding, count in {"NORM": 30, "LBBB": 40 if cart == "cart 3" else 11}.items():
            shares = rng.normal(0.2 if finding == "NORM" else 0.1, 0.05, (count, 12))
            shares[:, 6] -= 0.03 * (cart == "cart 7")
            groups[f"{cart}, {finding}"] = Cohort.of([{"lead_share": row, "probability": row[0]} for row in shares])
        by_cart[cart] = groups[f"{cart}, NORM"].merge(groups[f"{cart}, LBBB"])
    return Cohort(groups={"cart": by_cart, "cart, finding": groups})


def only(finding):
    return {cart: archive().groups["cart, finding"][f"{cart}, {finding}"] for cart in CARTS}


def rest(groups, name):
    first, *others = (group for cart, group in groups.items() if cart != name)
    for group in others:
        first = first.merge(group)
    return first


def cart_3(finding, name="lead_share", turned=False):
    pair = only(finding)["cart 3"], rest(only(finding), "cart 3")
    return difference(*pair[::-1] if turned else pair, name)


def test_within_conditions():
    right = {finding: cart_3(finding) for finding in ("LBBB", "NORM")}
    says(check.within_conditions(right, archive=archive()), "right")
    carts = archive().groups["cart"]
    wrong = {
        "everybody": difference(carts["cart 3"], rest(carts, "cart 3"), "lead_share"),
        "other way round": cart_3("LBBB", turned=True),
        "compares probability": cart_3("LBBB", "probability"),
        "all other carts'": difference(only("LBBB")["cart 3"], only("LBBB")["cart 1"], "lead_share"),
        "what `difference` returns": cart_3("LBBB").value,
    }
    for word, one in wrong.items():
        says(check.within_conditions(right | {"LBBB": one}, archive=archive()), "not yet", word)
    says(check.within_conditions({"LBBB": right["LBBB"]}, archive=archive()), "not yet", "keys")


def test_how_many():
    healthy = only("NORM")
    others = rest(healthy, "cart 7")
    d = healthy["cart 7"].mean("lead_share")[6] - others.mean("lead_share")[6]
    ratio = (others.spread("lead_share")[6] / d) ** 2
    z = stats.norm.ppf([1 - 0.05 / 192, 0.8, 0.975, 1 - 0.05 / 96])
    says(check.how_many((z[0] + z[1]) ** 2 * ratio, healthy=healthy), "right")
    says(check.how_many(int(np.ceil((z[0] + z[1]) ** 2 * ratio)), healthy=healthy), "right")
    for word, factor in {
        "Not corrected": (z[2] + z[1]) ** 2, "One-sided": (z[3] + z[1]) ** 2, "one half": z[0] ** 2,
        "not each of them": z[0] ** 2 + z[1] ** 2,
    }.items():  # fmt: skip
        says(check.how_many(factor * ratio, healthy=healthy), "not yet", word)
    says(check.how_many((z[0] + z[1]) ** 2 * np.sqrt(ratio), healthy=healthy), "not yet", "squared")
    says(check.how_many(10_000, healthy=healthy), "not yet", "points")


# 5 pairs


def a_recording(condition, seed, exchanged=False):
    ecg = leadwise.simulate_ecg(condition, seed, seconds=5)
    if exchanged:
        ecg.signal[[6, 7]] = ecg.signal[[7, 6]]
    return leadwise.ECG(ecg.signal, ecg.fs)


def test_pairs():
    model, people = leadwise.load_ecg_model("LBBB", "embedded", verbose=False), [1, 2, 3, 4]
    context = {"model": model, "people": people, "recording": a_recording}
    pairs = np.array([
        [float(model.probability(a_recording("NORM", i, e).preprocess().window().tensor())) for e in (False, True)]
        for i in people
    ])  # fmt: skip
    says(check.pairs_not_means(pairs, "b", **context), "right")
    says(check.pairs_not_means(pairs.tolist(), "B", **context), "right")
    says(check.pairs_not_means(pairs, "a", **context), "not yet", "Look at the pairs")
    says(check.pairs_not_means(pairs, "c", **context), "not yet", "Both may be right")
    says(check.pairs_not_means(1 - pairs, "b", **context), "not yet", "no finding")
    says(check.pairs_not_means(pairs + 0.3, "b", **context), "not yet", "expected")
    says(check.pairs_not_means(pairs[:2], "b", **context), "not yet", "shape")


def test_nothing_done_and_rubbish():
    pairs = {"model": None, "people": [1, 2], "recording": a_recording}
    context = {3: {"archive": archive()}, 4: {"healthy": only("NORM")}, 5: pairs}
    for number, count in {1: 1, 2: 2, 3: 1, 4: 1, 5: 2}.items():
        run, more = core.CHECKS["cohorts"][number], context.get(number, {})
        says(run(*[...] * count, **more), "not done yet")
        for rubbish in ("nonsense", np.zeros((3, 2)), [None], lambda r: None):
            says(run(*[rubbish] * count, **more), "not yet")
