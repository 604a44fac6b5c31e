"""The checks of notebook 06: right answers in several forms, and the hints for usual wrong ones."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

import leadwise
from leadwise import evaluation
from leadwise.attribution import caveat
from leadwise.checks import trust as check
from leadwise.ecg.filters import preprocess
from leadwise.networks.ecg_net import ECGNet
from leadwise.simulation.simulate import simulate_batch
from leadwise.training import initialise

RUBBISH = (None, "rubbish", np.zeros((2, 2)), lambda: 1, [], {})


@dataclass
class Patients:
    """What the notebook's dataclass of this name holds."""

    x: torch.Tensor
    cause: np.ndarray
    without: torch.Tensor
    beats: list


@pytest.fixture(scope="module")
def lbbb():
    return leadwise.load_ecg_model("LBBB", "embedded", verbose=False)


@pytest.fixture(scope="module")
def patients():
    batch = simulate_batch("LBBB", range(3_000_000, 3_000_002))
    x, without = (
        torch.tensor(preprocess(signal, 500.0)[:, :, :2000], dtype=torch.float32)
        for signal in (batch.signal, batch.counterfactual)
    )
    return Patients(x, batch.causal_mask[:, :, :2000], without, [[], []])


def state(verdict, word=""):
    assert word.lower() in verdict.text.lower(), verdict
    return verdict.state


@pytest.mark.parametrize("answer", RUBBISH)
def test_rubbish_gets_a_verdict(answer, lbbb, patients):
    for verdict in (
        check.mass_by_hand(answer),
        check.orders_of_deletion("at 0", answer, answer),
        check.zero_stays_zero(answer),
        check.learned_by_heart(answer, answer, answer, trained=lbbb, x=patients.x),
        check.under_another_name(answer, answer, network=lbbb),
        check.audited(answer, network=lbbb, group=patients),
    ):
        assert verdict.state == ("not done yet" if answer is None else "not yet")


def test_mass_by_hand():
    assert check.mass_by_hand(...).state == "not done yet"

    def in_numpy(relevance, mask):
        positive = np.clip(relevance, 0, None)
        return (np.asarray(positive) * mask).sum((1, 2)) / np.asarray(positive).sum((1, 2))

    def in_torch(relevance, mask):
        positive = relevance.clamp(min=0)
        return torch.stack([r[torch.as_tensor(m)].sum() / r.sum() for r, m in zip(positive, mask, strict=True)])

    def in_plain_tensors(relevance, mask):
        positive = torch.relu(relevance)
        return (positive * mask.to(positive)).sum((1, 2)) / positive.sum((1, 2))

    for right in (in_numpy, in_torch, in_plain_tensors, evaluation.relevance_mass):
        assert check.mass_by_hand(right).state == "right"

    def share(part):
        return check.mass_by_hand(
            lambda R, mask: (part(np.asarray(R)) * mask).sum((1, 2)) / part(np.asarray(R)).sum((1, 2))
        )

    assert state(share(np.abs), "absolute") == "not yet"
    assert state(share(lambda R: R), "negative part") == "not yet"
    assert state(check.mass_by_hand(lambda R, mask: in_numpy(R, ~np.asarray(mask))), "outside") == "not yet"
    assert state(check.mass_by_hand(lambda R, mask: in_numpy(R, mask).mean()), "three numbers") == "not yet"


def test_orders_of_deletion():
    right = ["lerf", "random", "morf"]
    assert check.orders_of_deletion(..., ..., ...).state == "not done yet"
    assert state(check.orders_of_deletion("at 0", [0, 1], ...), "highest_first") == "not done yet"
    assert check.orders_of_deletion("at 0", [0, 1], right).state == "right"
    assert check.orders_of_deletion("at 0", (1.0, 0.0), tuple(right)).state == "right"
    assert check.orders_of_deletion("at 0", torch.tensor([0.0, 1.0]), right).state == "right"
    assert state(check.orders_of_deletion("at 0", [0], right), "begin together") == "not yet"
    assert state(check.orders_of_deletion("at 0", [1], right), "end together") == "not yet"
    assert state(check.orders_of_deletion("at 0", [0, 0.5, 1], right), "whatever") == "not yet"
    assert state(check.orders_of_deletion("at 0", [0, 1], right[::-1]), "evidence away") == "not yet"
    assert state(check.orders_of_deletion("at 0", [0, 1], ["random", "lerf", "morf"]), "bit of everything") == "not yet"


def lrp(network, x):
    return leadwise.attribute(network, x, "lrp_epsilon", target=1, progress=False)


def test_zero_stays_zero():
    def verdict(scale):
        return check.zero_stays_zero(lambda network, x: scale(lrp(network, x)))

    assert check.zero_stays_zero(...).state == "not done yet"
    assert verdict(lambda R: R / R.abs().max()).state == "right"
    assert verdict(lambda R: (R / R.abs().amax((1, 2), keepdim=True)).numpy()).state == "right"
    assert state(verdict(lambda R: (R - R.min()) / (R.max() - R.min())), "minimum") == "not yet"
    assert state(verdict(lambda R: R.abs() / R.abs().max()), "sign got lost") == "not yet"
    assert state(verdict(lambda R: R.clamp(min=0) / R.max()), "throws") == "not yet"
    assert state(verdict(lambda R: R / R.abs().amax(2, keepdim=True)), "each lead") == "not yet"
    assert state(verdict(lambda R: R), "should be 1") == "not yet"
    assert state(verdict(lambda R: R / R.max()), "negative sample") == "not yet"
    assert state(verdict(lambda R: R / R.amax((1, 2), keepdim=True)), "negative sample") == "not yet"
    assert state(verdict(lambda R: (R - R.mean()) / R.abs().max()), "multiple") == "not yet"


def test_learned_by_heart(lbbb, patients):
    by_heart = initialise(ECGNet(), 8).eval()
    found = {
        method: evaluation.label_randomisation(lbbb, by_heart, patients.x, method, 1)
        for method in ("gradient", "lrp_epsilon")
    }
    signed = {method: result.signed.mean() for method, result in found.items()}

    def verdict(*answers):
        return check.learned_by_heart(*answers, trained=lbbb, x=patients.x)

    assert verdict(..., ..., ...).state == "not done yet"
    assert verdict(by_heart, 1.0, signed).state == "right"
    assert verdict(by_heart, torch.tensor(0.96), {m: torch.tensor(v) for m, v in signed.items()}).state == "right"
    assert state(verdict(by_heart, 98, signed), "from 0 to 1") == "not yet"
    assert state(verdict(by_heart, 0.5, signed), "guessing") == "not yet"
    assert state(verdict(by_heart, 0.8, signed), "epochs") == "not yet"
    assert state(verdict(lbbb, 1.0, signed), "true labels") == "not yet"
    assert state(verdict((by_heart, 1.0), 1.0, signed), "pair") == "not yet"
    assert state(verdict(by_heart, 1.0, {"gradient": 0.0}), "lrp_epsilon") == "not yet"
    magnitudes = {method: result.absolute.mean() for method, result in found.items()}
    assert state(verdict(by_heart, 1.0, magnitudes), "magnitudes") == "not yet"


def test_under_another_name(lbbb):
    affected = [method for method in leadwise.METHODS if caveat(method, lbbb)]

    def verdict(*answers):
        return check.under_another_name(*answers, network=lbbb)

    assert verdict(..., ...).state == "not done yet"
    assert verdict("b", affected).state == verdict("B", set(affected)).state == "right"
    assert state(verdict("a", affected), "what guided backpropagation changes") == "not yet"
    assert state(verdict("c", affected), "forget") == "not yet"
    assert state(verdict("b", ["guided_backprop"]), "more") == "not yet"
    assert state(verdict("b", [*affected, "gradient"]), "gradient") == "not yet"
    assert state(verdict("b", ["Guided backpropagation"]), "keys") == "not yet"


def once(monkeypatch, name: str) -> None:
    """Let one of the evaluations compute a method's number for the same patients once: it is the same each time."""
    function, found = getattr(evaluation, name), {}

    def asked(network, x, method, *target, **how):
        if (method, len(x)) not in found:
            found[method, len(x)] = function(network, x, method, *target, **how)
        return found[method, len(x)]

    monkeypatch.setattr(evaluation, name, asked)


def test_audited(lbbb, patients, monkeypatch):
    for name in ("weight_randomisation", "sensitivity_max"):
        once(monkeypatch, name)

    def audit(network, group, method, replacement="counterfactual"):
        R = leadwise.attribute(network, group.x, method, target=1, progress=False)
        reference = group.without if replacement == "counterfactual" else None
        how = {"replacement": replacement, "reference": reference, "steps": 5, "progress": False}
        by_chance = evaluation.deletion(network, group.x, None, 1, order="random", **how).auc
        sanity = evaluation.weight_randomisation(network, group.x, method, 1, progress=False).sanity_score
        return {
            "sanity": sanity,
            "mass": evaluation.relevance_mass(R, group.cause) / group.cause.mean((1, 2)),
            "deletion": by_chance - evaluation.deletion(network, group.x, R, 1, **how).auc,
            "sensitivity": evaluation.sensitivity_max(network, group.x, method, 1, samples=2, progress=False),
        }

    known = {method: audit(lbbb, patients, method) for method in ("random", "lrp_epsilon")}

    def verdict(changed):
        return check.audited(lambda network, group, method: changed(known[method]), network=lbbb, group=patients)

    assert check.audited(..., network=lbbb, group=patients).state == "not done yet"
    assert check.audited(audit, network=lbbb, group=patients).state == "right"
    one_number_each = lambda *asked: {name: float(np.mean(value)) for name, value in audit(*asked).items()}  # noqa: E731
    assert check.audited(one_number_each, network=lbbb, group=patients).state == "right"
    towards_zero = check.audited(lambda *asked: audit(*asked, replacement="zero"), network=lbbb, group=patients)
    assert state(towards_zero, "group.without") == "not yet"
    assert state(verdict(lambda found: found | {"mass": found["mass"] * patients.cause.mean()}), "area") == "not yet"
    assert state(verdict(lambda found: found | {"sensitivity": 0}), "√2") == "not yet"
    assert state(verdict(lambda found: found | {"deletion": -found["deletion"]}), "random order's area") == "not yet"
    assert state(verdict(lambda found: found | {"sanity": 1 - found["sanity"]}), "turned around") == "not yet"
    assert state(verdict(lambda found: list(found.values())), "this is a list") == "not yet"
    assert state(verdict(lambda found: {"sanity": found["sanity"]}), "missing: mass, deletion") == "not yet"
