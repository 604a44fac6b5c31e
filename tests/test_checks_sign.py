"""The checks of notebook 05: right answers in several forms, and the hints for usual wrong ones."""

import numpy as np
import pytest
import torch

from leadwise.checks import sign as check
from leadwise.networks.alexnet import MEAN, STD

RUBBISH = (None, "rubbish", np.zeros((2, 2)), lambda: 1, [], {})


def state(verdict, word=""):
    assert word.lower() in verdict.text.lower(), verdict
    return verdict.state


def grey(level):
    return ((level - torch.tensor(MEAN)) / torch.tensor(STD)).view(3, 1, 1)


def signs(x, level):
    return torch.where(x >= level, 1.0, -1.0)


@pytest.mark.parametrize("answer", RUBBISH)
def test_rubbish_gets_a_verdict(answer):
    part = np.array(["P", "QRS"])
    for verdict in (
        check.one_grey(answer),
        check.slipped_baseline(1.0, answer),
        check.where_the_gradient_is_taken(answer),
        check.what_a_share_says(answer),
        check.parts_taken_away(answer, network=None, signal=None, part=part),
        check.rebuilt_map(answer, theirs=np.ones(3), ours=np.ones(3)),
    ):
        assert verdict.state == ("not done yet" if answer is None else "not yet")


def test_one_grey():
    assert check.one_grey(...).state == "not done yet"
    assert check.one_grey(lambda x, level: signs(x, grey(level))).state == "right"

    def pixels(x, level):
        mean, std = (np.array(values)[:, None, None] for values in (MEAN, STD))
        return np.where(np.asarray(x) * std + mean >= level, 1, -1)

    assert check.one_grey(pixels).state == "right"
    assert state(check.one_grey(lambda x, level: x >= grey(level)), "mask") == "not yet"
    assert state(check.one_grey(lambda x, level: torch.sign(x - grey(level))), "torch.sign") == "not yet"
    strictly = check.one_grey(lambda x, level: torch.where(x > grey(level), 1.0, -1.0))
    assert state(strictly, "exactly at the grey") == "not yet"
    # A grey of 0.44 is darker than 0.45, and of the colours' means it exceeds that of blue alone, 0.406.
    found = check.one_grey(lambda x, level: signs(x, grey(level)), scenes=grey(0.44).expand(2, 3, 4, 4))
    assert "On the scenes 33 % of the values have another sign than with μ = 0." in found.text
    assert state(check.one_grey(lambda x, level: -signs(x, grey(level))), "turned around") == "not yet"
    assert state(check.one_grey(signs), "normalised") == "not yet"
    one = check.one_grey(lambda x, level: signs(x, (level - np.mean(MEAN)) / np.mean(STD)))
    assert state(one, "each colour") == "not yet"


def test_slipped_baseline():
    assert check.slipped_baseline(..., ...).state == "not done yet"
    for right in (0.2, np.float32(0.19), torch.tensor(0.22)):
        assert check.slipped_baseline(0.7, right).state == "right"
    assert state(check.slipped_baseline(0.2, 200), "microvolts") == "not yet"
    assert state(check.slipped_baseline(0.2, 0.03), "near zero") == "not yet"
    assert state(check.slipped_baseline(0.2, 1), "+1 or -1") == "not yet"
    assert state(check.slipped_baseline(0.2, 7), "factor it out") == "not yet"


def slope(network, x, target):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(network(x)[target], x)[0]


def test_where_the_gradient_is_taken():
    verdict = check.where_the_gradient_is_taken
    assert verdict(...).state == "not done yet"
    assert verdict(lambda network, x, target: signs(x, 0) * slope(network, x, target)).state == "right"

    def in_a_batch(network, x, target):
        x = x[None].requires_grad_()
        network(x)[0, target].backward()
        return np.where(x.detach() >= 0, 1, -1)[0] * x.grad[0].numpy()

    assert verdict(in_a_batch).state == "right"
    turned = lambda network, x, target: -signs(x, 0) * slope(network, x, target)  # noqa: E731
    assert state(verdict(turned), "turned around") == "not yet"
    colleague = lambda network, x, target: signs(x, 0) * slope(network, signs(x, 0), target)  # noqa: E731
    assert state(verdict(colleague), "colleague") == "not yet"
    assert state(verdict(slope), "alone") == "not yet"
    assert state(verdict(lambda network, x, target: x * slope(network, x, target)), "× input") == "not yet"
    zeros = verdict(lambda network, x, target: torch.sign(x) * slope(network, x, target))
    assert state(zeros, "exactly 0") == "not yet"


def test_what_a_share_says():
    assert check.what_a_share_says(...).state == "not done yet"
    assert check.what_a_share_says("B ").state == "right"
    assert state(check.what_a_share_says("a"), "goes") == "not yet"
    assert state(check.what_a_share_says("c"), "sign") == "not yet"
    assert state(check.what_a_share_says("d"), "sum") == "not yet"


def test_parts_taken_away():
    """A linear network with known weights; the P wave is a triangle on a ramp, so that a line is not zero."""
    part = np.array(["between beats"] * 10 + ["P"] * 5 + ["QRS"] * 5 + ["between beats"] * 10)
    signal = torch.linspace(1, 2, 30).repeat(12, 1)
    signal[:, 12] += 1
    signal[:, 17] += 3
    weights = torch.stack([torch.full((12, 30), -0.1), torch.full((12, 30), 0.2)])
    network = lambda x: (weights * x).sum((1, 2))  # noqa: E731
    # The bump of 1 goes from 12 leads: logit 1 falls by 0.2 * 12, logit 0 rises by 0.1 * 12; QRS likewise, three times.
    right = {"P": -3.6, "QRS": -10.8}
    line = signal.numpy().copy()
    keep, time = np.flatnonzero(part != "between beats"), np.arange(30)
    line = torch.tensor(np.stack([np.interp(time, keep, lead[keep]) for lead in line]))
    moved = network(line) - network(signal)
    right["between beats"] = float(moved[1] - moved[0])
    verdict = lambda change: check.parts_taken_away(change, network=network, signal=signal, part=part)  # noqa: E731
    assert verdict(...).state == "not done yet"
    assert verdict(right).state == "right"
    assert verdict({name: torch.tensor(value) for name, value in right.items()}).state == "right"
    assert state(verdict({name: -value for name, value in right.items()}), "turned around") == "not yet"
    assert state(verdict(right | {"QRS": 0.0}), "QRS") == "not yet"
    before = network(signal)
    level = float(before[1] - before[0])
    assert state(verdict({name: level + value for name, value in right.items()}), "subtract") == "not yet"
    p = lambda logit: 1 / (1 + np.exp(-logit))  # noqa: E731
    assert state(verdict({name: p(level + v) - p(level) for name, v in right.items()}), "probability") == "not yet"
    assert state(verdict({"P": 1.0}), "missing") == "not yet"
    logit_1 = {"P": -2.4, "QRS": -7.2, "between beats": float(moved[1])}
    assert state(verdict(logit_1), "difference") == "not yet"
    flat = {name: float((0.3 * -signal[:, part == name]).sum()) for name in right}
    assert state(verdict(flat), "zero") == "not yet"


def test_rebuilt_map():
    rng = np.random.default_rng(0)
    theirs, ours = rng.normal(size=(2, 3, 8, 8))
    verdict = lambda rebuilt: check.rebuilt_map(rebuilt, theirs=torch.tensor(theirs), ours=ours)  # noqa: E731
    assert verdict(...).state == "not done yet"
    assert verdict(3 * theirs).state == verdict(torch.tensor(theirs)).state == verdict(theirs[None]).state == "right"
    given = torch.tensor(theirs)
    assert state(check.rebuilt_map(given, theirs=given, ours=ours), "own map") == "not yet"
    assert state(verdict(ours), "every layer") == "not yet"
    assert state(verdict(-theirs), "sign") == "not yet"
    assert state(verdict(rng.normal(size=(3, 8, 8))), "composite") == "not yet"
    assert state(verdict(theirs[None, None]), "shape") == "not yet"
