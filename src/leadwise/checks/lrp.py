"""Checks and quiz of notebook 04, Layer-wise relevance."""

from typing import Any

import numpy as np
from torch import Tensor, nn

import leadwise
from leadwise.checks.answers import (
    alike,
    as_array,
    as_dict,
    as_function,
    as_map,
    as_number,
    expect_choice,
    near,
    recognise,
)
from leadwise.checks.core import Hint, exercise
from leadwise.checks.parts import parts_of

PICTURE = (3, 224, 224)
TOLERANCE = 1e-3  # of the largest magnitude, by which two maps may differ


def lrp(net: nn.Module, x: Tensor, method: str, target: int, **parameters: Any) -> np.ndarray:
    """Return a map (3, 224, 224) of the course's own."""
    return leadwise.attribute(net, x, method, target=target, **parameters).double().cpu().numpy()


@exercise("lrp", 1, "The flat rule for the pixels", expects="a map (3, 224, 224)")
def flat_pixels(flat_map: object, net: nn.Module, x: Tensor, target: int) -> str:
    """``flat_map``: the epsilon rule, 0.1, and the flat rule in the first layer."""
    found = as_map(flat_map, "`flat_map`", PICTURE)
    values = x.detach().cpu().double().numpy()

    def by(**rule: str) -> np.ndarray:
        return lrp(net, x, "lrp_epsilon", target, epsilon=0.1, **rule)

    wrong = {
        "That is the ε-rule down to the pixels: the first layer still multiplies by pixels and weights.": by,
        "That is the w²-rule: in the flat rule all weights count alike.": lambda: by(input_rule="wsquare"),
        "One factor too many: in the flat rule the input counts as one, whatever the pixel is.": (
            lambda: values * by(input_rule="flat")
        ),
    }
    otherwise = (
        "Start from relevance_by_layer(...)['features.0'], ε = 0.1; divide by the number of inputs of each unit, which "
        "is smaller at the frame, and take no bias."
    )
    if not near(found, np.broadcast_to(found.mean(0), PICTURE), TOLERANCE):
        otherwise = "With all weights one the three colours get the same; in this map they differ."
    recognise(found, lambda: by(input_rule="flat"), wrong, otherwise, TOLERANCE)
    return "The flat rule spreads a unit's relevance evenly over what it sees: three colours with the same map."


@exercise("lrp", 2, "How α multiplies", expects="five numbers", predicts=True)
def growth_with_alpha(ratios: object, twin: nn.Module, x: Tensor, target: int) -> str:
    """``ratios``: the sum of |R| over the logit for alpha 1 to 5, on the twin without biases."""
    found = as_array(ratios, "`ratios`", (5,))
    logit = float(twin(x)[target].detach())
    wanted = np.array([np.abs(lrp(twin, x, "lrp_alpha_beta", target, alpha=float(a))).sum() for a in (1, 2, 3, 4, 5)])
    if np.allclose(found, 1, atol=0.02):
        raise Hint("These are sums of R, which conservation holds at 1: take the sum of |R|.")
    if np.allclose(found, wanted, rtol=0.02) and abs(logit - 1) > 0.05:
        raise Hint("Divide by the logit of the twin.")
    off = np.flatnonzero(np.abs(found - wanted / abs(logit)) > 0.02 * wanted / abs(logit))
    if len(off):
        raise Hint(
            f"α = {off[0] + 1}: another value. The twin, lrp_alpha_beta, the scene's class, and |R| of every value?"
        )
    grown = found[-1] / found[0]
    kind = "constant" if grown < 2 else "linear" if grown < 7 else "faster"
    return (
        f"The maps say “{kind}”: from α = 1 to 5 they grow {grown:.3g} times. Each layer multiplies by up to 2α − 1: "
        "magnitudes of maps with different α do not compare."
    )


@exercise("lrp", 3, "A colleague's ε-rule", expects="a function of a (J,), W (J, K), R (K,), epsilon that returns (J,)")
def repaired_epsilon(repaired: object) -> str:
    """``repaired(a, W, R, epsilon)`` -> the relevance of the inputs, (J,)."""
    function = as_function(repaired, "`repaired`")
    a, R = np.array([1.0, 2.0]), np.array([1.0, 1.0])
    W = np.array([[1.0, 0.49], [1.0, -0.3]])  # z = 3 and -0.11
    z = a @ W

    def shared(denominator: np.ndarray) -> np.ndarray:
        return (a[:, None] * W / denominator * R).sum(1)

    wrong = {
        "ε still pushes z = −0.11 towards zero: it should push away from zero, whatever the sign.": shared(z + 0.1),
        "|z| + ε loses the sign of z: what was against becomes for.": shared(np.abs(z) + 0.1),
        "There is no ε in it any more: the rule should take a part where z is small.": shared(z),
        "ε pushes every z towards zero: the sign is the wrong way round.": shared(z - 0.1 * np.sign(z)),
        "ε is subtracted always: right for z = −0.11, wrong for z = 3.": shared(z - 0.1),
    }
    found = as_array(function(a, W, R, 0.1), "the result of `repaired`", (2,))
    otherwise = "For the layer above and ε = 0.1 the denominators should be 3.1 and −0.21."
    recognise(found, shared(z + 0.1 * np.sign(z)), wrong, otherwise, 1e-6)
    cancelled = np.array([[2.0], [-1.0]])  # z = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.asarray(function(a, cancelled, np.array([1.0]), 0.5), dtype=float)
    if not np.isfinite(found).all():
        raise Hint("At z = 0 it divides by zero: np.sign(0) is 0; give zero a sign, too.")
    if not np.allclose(np.abs(found), [4, 4], atol=1e-6):
        raise Hint("At z = 0 the denominator should be ε, or −ε.")
    return "ε with the sign of z absorbs; without it, it blows up where z is a little below zero."


STATEMENTS = {
    "A": "A: z⁺ shares out by positive contributions only. Did those speak against the class?",
    "B": "",
    "C": "C: a contribution of zero gets nothing, in either rule; the map shows what is in the picture.",
}


@exercise("lrp", 4, "A negative logit", expects="a class's number, a dict of two maps, a letter")
def negative_logit(lowest: object, maps: object, statement: object, net: nn.Module, x: Tensor) -> str:
    """``lowest``: the class with the lowest logit; ``maps``: by lrp_z and lrp_zplus; what the z⁺ map says."""
    logits = net(x).detach()
    lowest = as_number(lowest, "`lowest`")
    if lowest not in range(len(logits)):
        raise Hint("`lowest` should be the number of a class, not its logit.")
    if logits[int(lowest)] > logits.min():
        largest = lowest == int(logits.argmax())
        raise Hint(
            "That is the highest logit." if largest else "Another class has a lower logit; keep the sign in mind."
        )
    for method, given in as_dict(maps, ("lrp_z", "lrp_zplus"), "`maps`").items():
        found = as_map(given, f"`maps[{method!r}]`", PICTURE)
        if not near(found, lrp(net, x, method, int(lowest)), TOLERANCE):
            if near(found, lrp(net, x, method, int(logits.argmax())), TOLERANCE):
                raise Hint(f"`maps[{method!r}]` explains the highest logit: give target=lowest.")
            raise Hint(f"`maps[{method!r}]` is not the map of the lowest class by {method}.")
    expect_choice(statement, STATEMENTS, "`statement`")
    return "Its start is negative, its shares are positive: blue marks what spoke for the class, and did not suffice."


@exercise("lrp", 5, "Against the runner-up", expects="a map (3, 224, 224) and a number")
def runner_up(against: object, wanted: object, twin: nn.Module, x: Tensor) -> str:
    """``against``: the map of the best class against the second; ``wanted``: what its sum should come close to."""
    logits = twin(x).detach().double().cpu()
    (first, second), (best, other) = (part.tolist() for part in logits.topk(2))
    found = as_map(against, "`against`", PICTURE)
    total = found.sum()
    wanted = as_number(wanted, "`wanted`")
    if abs(wanted - (first - second)) > 0.01 * abs(first - second):
        if abs(wanted - (first + second)) < 0.01 * abs(first):
            raise Hint("`wanted` is the sum of both logits; the start of the runner-up is negative.")
        if abs(wanted - first) < 0.01 * abs(first):
            raise Hint("`wanted` is the best logit alone; the start has two entries.")
        raise Hint("`wanted`: add up the start that goes into the twin.")
    if abs(total - wanted) > 0.02 * max(abs(first), abs(second)):
        if abs(total - first) < 0.02 * abs(first):
            raise Hint("The map explains the best class alone: start[runner-up] is still zero.")
        if abs(total - (first + second)) < 0.02 * abs(first):
            raise Hint("The runner-up entered with a positive sign: its map was added, not subtracted.")
        if abs(total) < 0.02 * abs(first):
            raise Hint("The map sums to 0, as from a start of 1 and −1: the start should hold the two logits.")
        raise Hint(f"The sum of the map is {total:.3g}: is it the twin, which has no biases, and a tiny epsilon?")
    parts = [lrp(twin, x, "lrp_epsilon", index, epsilon=1e-9) for index in (best, other)]
    if alike(parts[0] - parts[1], found) < 0.99:
        raise Hint(
            "The sum is right, the map is not: epsilon=1e-9, not lrp's default of 0.1; the start in two places, by the "
            "classes' numbers?"
        )
    return "Without biases the difference of two logits reaches the pixels, and its map is the difference of two maps."


quiz, progress, think_first = parts_of("lrp")
