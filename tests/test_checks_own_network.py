"""Checks of notebook 13: right answers in several forms are accepted, usual wrong ones get a hint that fits."""

import numpy as np
import pytest
import torch
from zennit.attribution import Gradient
from zennit.composites import LayerMapComposite
from zennit.rules import Epsilon, Norm, Pass
from zennit.types import Activation, AvgPool, BatchNorm, Linear

import leadwise
from figures import says
from leadwise.attribution import receipt
from leadwise.checks import core
from leadwise.checks import own_network as check
from leadwise.checks.answers import alike
from leadwise.semantics import parts_of, waves_of

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning"),
]
FIRST = 2_000_400


@pytest.fixture(scope="module")
def networks():
    return {name: leadwise.NETWORKS[name] for name in ("xresnet1d", "transformer")}


@pytest.fixture(scope="module")
def x(networks):
    return networks["xresnet1d"].input(leadwise.simulate_ecg("LBBB", FIRST))


# 1 a stranger

NOTE = {
    "leads": ("V1", "II", "V5"), "fs": 250, "samples": 1000, "classes": ("sinus rhythm", "AF"), "outputs": "classes",
    "layout": "NTC", "pick": "scores",
}  # fmt: skip


def test_a_stranger():
    module = check.stranger()
    says(check.described(leadwise.Network(module, **NOTE), module=module), "right")
    by_function = NOTE | {"pick": lambda out: out["scores"], "classes": ("Sinus rhythm", "AF")}
    says(check.described(leadwise.Network(module, **by_function), module=module), "right")
    wrong = {
        "leads": (("II", "V1", "V5"), "order of the note"),
        "fs": (500, "names the sampling rate"),
        "samples": (250, "multiply"),
        "classes": (("AF", "sinus rhythm"), "in this order"),
        "outputs": ("labels", "not two sigmoids"),
    }
    for field, (value, hint) in wrong.items():
        says(check.described(leadwise.Network(module, **NOTE | {field: value}), module=module), "not yet", hint)
    says(check.described(module, module=module), "not yet", "leadwise.Network")
    says(check.described(leadwise.Network(check.stranger(), **NOTE), module=module), "not yet", "`stranger`")
    bare = leadwise.Network(module, **{key: NOTE[key] for key in ("leads", "fs", "layout", "pick")})
    says(check.described(bare, module=module), "not yet", "`samples` is not said yet")


# 2 refused or answered: what the check believes is what happens


def test_what_is_said_to_be_refused_is_refused(networks, x):
    net = networks["xresnet1d"]
    three = leadwise.Network(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8000, 3)))

    class Spectrum(torch.nn.Module):
        def forward(self, x):
            return torch.fft.rfft(x).abs().mean((1, 2))[:, None]

    requests = {
        "a": lambda: net.input(leadwise.simulate_ecg("NORM", 1)),
        "b": lambda: net.input(leadwise.simulate_ecg("NORM", 1, seconds=8)),
        "c": lambda: net.probability(x),
        "d": lambda: three.log_odds(x),
        "e": lambda: leadwise.attribute(Spectrum(), x, "integrated_gradients", 0, steps=3, progress=False),
        "f": lambda: leadwise.attribute(Spectrum(), x, "lrp_epsilon", 0),
    }
    found = {}
    for letter, request in requests.items():
        try:
            request()
            found[letter] = "answered"
        except ValueError:
            found[letter] = "refused"
    says(check.refused_or_not("a guess", found), "right")
    says(check.refused_or_not("a guess", {k: v.upper() for k, v in found.items()}), "right")
    says(
        check.refused_or_not("a guess", found | {"b": "answered"}),
        "not yet",
        "5 of 6 are right. b: the network wants 10 s",
    )
    says(check.refused_or_not("a guess", found | {"f": "maybe"}), "not yet", "one of")
    says(check.refused_or_not("a guess", {"a": "answered"}), "not yet", "keys")


# 3 steps


def test_steps(networks, x):
    net = networks["transformer"]
    how = {"target": net.index("LBBB"), "progress": False}
    right = {s: receipt(net, x, "integrated_gradients", steps=s, **how).completeness for s in (5, 15, 50, 150)}
    enough = min(s for s in right if right[s] < 0.02)
    more = {"network": net, "x": x}
    says(check.steps_enough(right, enough, **more), "right")
    says(check.steps_enough({str(s): np.float32(v) for s, v in right.items()}, enough, **more), "right")
    says(check.steps_enough(right, 5, **more), "not yet", "smallest")
    says(check.steps_enough({s: 100 * v for s, v in right.items()}, enough, **more), "not yet", "per cent")
    says(check.steps_enough(right | {15: 0.7}, enough, **more), "not yet", "steps=15")
    says(check.steps_enough({5: 0.1}, enough, **more), "not yet", "keys")


# 4 the judge


@pytest.fixture(scope="module")
def cases(networks):
    made = [leadwise.simulate_ecg("RBBB", FIRST + i) for i in range(3)]
    net = networks["xresnet1d"]
    ill, well = (torch.cat([net.input(one) for one in some]) for some in (made, [one.swap() for one in made]))
    return ill, well, parts_of([waves_of(one, fs=100) for one in made], 1000, fs=100, rows=net.leads)


def test_the_nearest_map(networks, cases):
    more = {"networks": networks, "cases": cases, "target": networks["xresnet1d"].index("RBBB")}
    verdicts = {m: check.best_methods({"xresnet1d": "deeplift", "transformer": m}, **more) for m in check.JUDGED}
    assert sorted(verdict.state for verdict in verdicts.values()) == ["not yet", "not yet", "right"]
    says(verdicts["deeplift"], "not yet", "transformer: deeplift misplaces 0.")
    says(check.best_methods({"xresnet1d": "deeplift"}, **more), "not yet", "keys")
    says(check.best_methods({"xresnet1d": "magic", "transformer": "deeplift"}, **more), "not yet", "one of")


# 5 looked at


@pytest.mark.parametrize(
    "function",
    [
        lambda a: a.mean((1, 2)),
        lambda a: a.numpy().mean(axis=(1, 2)),
        lambda a: a.mean(1).mean(1),
        lambda a: torch.einsum("nhqk->nk", a) / (a.shape[1] * a.shape[2]),
    ],
)
def test_looked_at_right(function):
    says(check.looked_at(function), "right")


@pytest.mark.parametrize(
    ("function", "word"),
    [
        (lambda a: a.mean((1, 3)), "1/P"),
        (lambda a: a.sum((1, 2)), "sum over heads"),
        (lambda a: a.mean(1).sum(1), "those who look"),
        (lambda a: a.amax(1).mean(1), "largest head"),
        (lambda a: a.mean((0, 1, 2))[None].expand(len(a), -1), "keep N"),
        (lambda a: a.mean(1), "shape"),
        (lambda a: a[:, 0, 0], "Average over axis 1"),
        (0.5, "function"),
    ],
)
def test_looked_at_wrong(function, word):
    says(check.looked_at(function), "not yet", word)


# 6 other people's maps


def by_hooks(net, x):
    """LRP-epsilon of the LBBB logit as zennit's hooks give it without a canoniser."""
    rule = Epsilon(1e-6)
    rules = [(Linear, rule), (BatchNorm, rule), (Activation, Pass()), (AvgPool, Norm())]
    start = torch.nn.functional.one_hot(torch.tensor([net.index("LBBB")] * len(x)), 5) * net.logits(x).detach()
    with Gradient(net.module, LayerMapComposite(rules)) as attributor:
        return attributor(x, start)[1].detach()


def test_each_flaw_shows_by_sum_or_correlation_and_no_other(networks, x):
    net = networks["xresnet1d"]
    maps = check.other_peoples_maps(net, x, by_hooks(net, x))
    kept = receipt(net, x, "lrp_epsilon", net.index("LBBB"), epsilon=1e-6)
    sums = {name: float(one.sum() / kept.conserved.sum()) for name, one in maps.items()}
    found = {name: alike(one, kept.relevance) for name, one in maps.items()}
    assert sums["D"] == pytest.approx(1, abs=1e-3)
    assert [name for name in maps if found[name] > 0.999] == ["B", "D"]
    assert abs(sums["B"] - 1) > 0.1
    assert abs(sums["C"]) > 100
    assert abs(sums["A"]) < 2


def test_flaws():
    right = dict(check.FLAWS)
    says(check.peoples_flaws(right), "right")
    says(check.peoples_flaws({name: flaw.upper() for name, flaw in right.items()}), "right")
    says(check.peoples_flaws(right | {"C": "none"}), "not yet", "3 of 4 are right. Compare the sum of C")
    says(check.peoples_flaws(right | {"B": "other class"}), "not yet", "correlates")
    says(check.peoples_flaws(right | {"D": "scaled"}), "not yet", "Test D for 'scaled'")
    says(check.peoples_flaws({"A": "none"}), "not yet", "keys")


def test_nothing_done_and_rubbish(networks, x, cases):
    context = {
        1: {"module": check.stranger()},
        3: {"network": networks["transformer"], "x": x},
        4: {"networks": networks, "cases": cases, "target": 3},
    }
    for number, count in {1: 1, 2: 2, 3: 2, 4: 1, 5: 1, 6: 1}.items():
        run, more = core.CHECKS["own_network"][number], context.get(number, {})
        says(run(*[...] * count, **more), "not done yet")
        for rubbish in ("nonsense", np.zeros((2, 2)), [None], lambda r: None):
            says(run(*[rubbish] * count, **more), "not yet")
