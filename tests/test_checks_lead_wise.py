"""Checks of notebook 09: right answers in several forms are accepted, usual wrong ones get a hint that fits."""

import numpy as np
import pytest
import torch

import leadwise
from figures import says
from leadwise.checks import core
from leadwise.checks import lead_wise as check
from leadwise.ecg.leads import LEADS

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def rbbb():
    x = leadwise.load_record("sim-rbbb-1").preprocess().window().tensor()
    return {"model": leadwise.load_ecg_model("RBBB", "embedded"), "x": x}


# 1 V1 or V6


def two(by_lead):
    return {"V1": by_lead[6] / by_lead.sum(), "V6": by_lead[11] / by_lead.sum()}


def test_v1_or_v6(rbbb):
    found = leadwise.attribute(rbbb["model"], rbbb["x"], "lrp_epsilon", target=1)
    other = leadwise.attribute(rbbb["model"], rbbb["x"], "lrp_epsilon", target=0)
    right = two(found.abs().sum(1))
    more, less = sorted(right, key=right.get, reverse=True)
    says(check.v1_or_v6(more, right, **rbbb), "right")
    says(check.v1_or_v6(less, {lead: np.float32(share) for lead, share in right.items()}, **rbbb), "right")
    says(check.v1_or_v6(more, {lead: round(float(share), 2) for lead, share in right.items()}, **rbbb), "right")
    leads = {lead: found[row].abs().sum() / found.abs().sum() for row, lead in enumerate(LEADS)}
    says(check.v1_or_v6(more, leads, **rbbb), "right")
    says(check.v1_or_v6(less, right, **rbbb), "right", f"The map says {more}.")
    says(check.v1_or_v6(more, two(found.clamp(min=0).sum(1)), **rbbb), "not yet", "negative")
    says(check.v1_or_v6(more, {"V1": right["V6"], "V6": right["V1"]}, **rbbb), "not yet", "exchanged")
    says(check.v1_or_v6(more, {lead: 100 * share for lead, share in right.items()}, **rbbb), "not yet", "per cent")
    says(check.v1_or_v6(more, two(found.sum(1)), **rbbb), "not yet", "cancelled")
    says(check.v1_or_v6(more, two(other.abs().sum(1)), **rbbb), "not yet", "other logit")
    says(check.v1_or_v6(more, {"V1": 0.7, "V6": 0.3}, **rbbb), "not yet", "all twelve")
    says(check.v1_or_v6("aVR", right, **rbbb), "right", "The network says")
    says(check.v1_or_v6(more, {"V1": 0.5}, **rbbb), "not yet", "keys")


class Swapped(torch.nn.Module):
    """A network that takes V1 for V6 and V6 for V1."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x[..., [*range(6), 11, 7, 8, 9, 10, 6], :])


def test_v1_or_v6_with_a_network_that_reads_v6(rbbb):
    """The heart's answer is V1, the network's V6: neither is wrong."""
    model, x = Swapped(rbbb["model"]), rbbb["x"][[*range(6), 11, 7, 8, 9, 10, 6]]
    shares = two(leadwise.attribute(model, x, "lrp_epsilon", target=1).abs().sum(1))
    assert shares["V6"] > shares["V1"]
    honest = check.without_each(rbbb["model"], rbbb["x"])
    assert check.without_each(model, x) == pytest.approx({"V1": honest["V6"], "V6": honest["V1"]}, abs=1e-4)
    for predicted in ("V1", "V6"):
        says(check.v1_or_v6(predicted, shares, model=model, x=x), "right", "The map says V6.")


# 2 the share of the chest leads


@pytest.mark.parametrize(
    "function",
    [
        lambda r: r[6:].abs().sum() / r.abs().sum(),
        lambda r: 1 - float(r[:6].abs().sum()) / float(r.abs().sum()),
        lambda r: (
            np.abs(np.asarray(r))[[LEADS.index(f"V{i}") for i in range(1, 7)]].sum() / np.abs(np.asarray(r)).sum()
        ),
        lambda r: r.abs().mean(1)[6:].sum() / r.abs().mean(1).sum(),
    ],
)
def test_chest_share_right(function):
    says(check.chest_share(function), "right")


@pytest.mark.parametrize(
    ("function", "word"),
    [
        (lambda r: 100 * r[6:].abs().sum() / r.abs().sum(), "per cent"),
        (lambda r: r[6:].sum() / r.sum(), "cancelled"),
        (lambda r: r[6:].clamp(min=0).sum() / r.clamp(min=0).sum(), "negative"),
        (lambda r: r[5:].abs().sum() / r.abs().sum(), "aVF"),
        (lambda r: r[7:].abs().sum() / r.abs().sum(), "V1 is missing"),
        (lambda r: r[6:11].abs().sum() / r.abs().sum(), "V6 is missing"),
        (lambda r: r[6:].abs().sum() / r[:6].abs().sum(), "chest over limb"),
        (lambda r: r[6:].abs().sum(), "divide"),
        (lambda r: 0.5, "rows 6 to 11"),
        (lambda r: r.abs(), "one number"),
        (0.5, "function"),
    ],
)
def test_chest_share_wrong(function, word):
    says(check.chest_share(function), "not yet", word)


# 3 a colleague's maps


@pytest.fixture(scope="module")
def suspects():
    x = leadwise.load_record("sim-lbbb-1").preprocess().window().tensor()
    model = leadwise.load_ecg_model("LBBB", "embedded")
    with torch.no_grad():
        gained = float(model(x)[1] - model(torch.zeros_like(x))[1])
    return check.colleagues_maps(model, x), gained


def test_each_flaw_is_found_by_its_test_and_by_no_other(suspects):
    maps, gained = suspects
    sums = {name: abs(float(found.sum()) - gained) < 0.05 * abs(gained) for name, found in maps.items()}
    copies = {name: bool((found == found[0]).all()) for name, found in maps.items()}
    scaled = {name: bool(torch.allclose(found.abs().amax(1), torch.ones(12))) for name, found in maps.items()}
    assert [name for name in maps if sums[name]] == ["B"]
    assert [name for name in maps if copies[name]] == ["C"]
    assert [name for name in maps if scaled[name]] == ["D"]


def test_flaws():
    right = {"A": "class changes", "B": "none", "C": "copied", "D": "per lead"}
    says(check.colleagues_flaws(right), "right")
    says(check.colleagues_flaws({name: flaw.upper() for name, flaw in right.items()}), "right")
    says(check.colleagues_flaws(right | {"A": "none"}), "not yet", "3 of 4 are right. A does not sum")
    says(check.colleagues_flaws(right | {"D": "none"}), "not yet", "largest |R|")
    says(check.colleagues_flaws(right | {"C": "class changes"}), "not yet", "compare its leads")
    says(check.colleagues_flaws(right | {"B": "copied"}), "not yet", "Test B for 'copied'")
    says(check.colleagues_flaws(right | {"B": "ugly"}), "not yet", "one of")
    says(check.colleagues_flaws({"A": "none"}), "not yet", "keys")


# 4 epsilon


def test_epsilon(rbbb):
    maps = {
        e: leadwise.attribute(rbbb["model"], rbbb["x"], "lrp_epsilon", target=1, epsilon=e) for e in (0.001, 0.1, 10)
    }
    right = {epsilon: found.abs().sum() for epsilon, found in maps.items()}
    says(check.what_epsilon_does(right, "b", **rbbb), "right")
    says(check.what_epsilon_does({str(e): float(v) for e, v in right.items()}, "B", **rbbb), "right")
    says(check.what_epsilon_does({0.1: 1.0}, "b", **rbbb), "not yet", "keys")
    says(check.what_epsilon_does(right, "a", **rbbb), "not yet", "same for every ε")
    says(check.what_epsilon_does(right, "c", **rbbb), "not yet", "Both signs")
    positive = {epsilon: found.clamp(min=0).sum() for epsilon, found in maps.items()}
    says(check.what_epsilon_does(positive, "b", **rbbb), "not yet", "negative")
    says(check.what_epsilon_does(dict.fromkeys(right, right[0.1]), "b", **rbbb), "not yet", "its own epsilon")
    signed = {epsilon: found.sum() for epsilon, found in maps.items()}
    says(check.what_epsilon_does(signed, "b", **rbbb), "not yet", "with their signs")
    says(check.what_epsilon_does(right | {10: 5.0}, "b", **rbbb), "not yet", "LRP-ε")


def test_nothing_done_and_rubbish(rbbb):
    for number, count in {1: 2, 2: 1, 3: 1, 4: 2}.items():
        run, more = core.CHECKS["lead_wise"][number], rbbb if number in (1, 4) else {}
        says(run(*[...] * count, **more), "not done yet")
        for rubbish in ("nonsense", np.zeros((2, 2)), [None], lambda r: None):
            says(run(*[rubbish] * count, **more), "not yet")
