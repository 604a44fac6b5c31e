"""The rules of layer-wise relevance propagation, as data, and the one function that shares relevance out by them.

A linear operation with inputs x, weights w and bias b makes z_k = sum_j x_j w_jk + b_k. A rule changes inputs, weights
and bias (its terms), says what the relevance R_k is divided by (its map), and hands back

    R_j = sum over terms of f(x_j) sum_k w_jk (map of R_k)

where f(x) is the changed input unless the rule says otherwise (its factor).
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Change = Callable[[Tensor], Tensor]


def same(t: Tensor) -> Tensor:
    """Leave a tensor as it is."""
    return t


def positive(t: Tensor) -> Tensor:
    """Keep the positive part."""
    return t.clamp(min=0)


def negative(t: Tensor) -> Tensor:
    """Keep the negative part."""
    return t.clamp(max=0)


def none(t: Tensor) -> Tensor:
    """Put zeros in its place."""
    return torch.zeros_like(t)


def divide(relevance: Tensor, z: Tensor) -> Tensor:
    """Divide by z, where an exact 0 counts as 1e-7: the convention of the published maps."""
    return relevance / torch.where(z == 0, 1e-7, z)


def stabilised(z: Tensor, epsilon: float | Tensor = 1e-6) -> Tensor:
    """Return z plus epsilon with the sign of z, + for 0 (Bach et al. 2015, eq. 58); 1e-6 is zennit's."""
    return torch.copysign(torch.as_tensor(epsilon, dtype=z.dtype, device=z.device), z).add_(z)


def divide_stabilised(relevance: Tensor, z: Tensor, epsilon: float | Tensor) -> Tensor:
    """Divide by z plus epsilon with the sign of z; an epsilon of 0 leaves what ``divide`` does."""
    if not torch.is_tensor(epsilon) and epsilon > 0:
        z = stabilised(z, epsilon)
        return torch.div(relevance, z, out=z)
    return divide(relevance, stabilised(z, epsilon))


class Term(NamedTuple):
    """What a rule does to the inputs, the weights and the bias before it forms a z."""

    input: Change
    weight: Change
    bias: Change


PLAIN = (Term(same, same, same),)


class Rule(NamedTuple):
    """A rule: its terms, its map (R, outputs of the terms, x) -> one tensor for each term, and its factor."""

    terms: tuple[Term, ...]
    map: Callable[[Tensor, list[Tensor], Tensor], list[Tensor]]
    factor: Change | None = None


class Operation(NamedTuple):
    """A linear operation, seen from its input.

    Parameters
    ----------
    run : (x, weight, bias) -> z
    pull : (s, x, weight) -> what ``run`` hands back of s, shaped like z, to x: sum_k w_jk s_k
    weight, bias : None where it has none (an average, a sum)
    channels : the dimension of z that counts the outputs
    merges : whether weight and bias have one row for each output, so that a factor of each can be built in
    """

    run: Callable[[Tensor, Tensor | None, Tensor | None], Tensor]
    pull: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    weight: Tensor | None = None
    bias: Tensor | None = None
    channels: int = 1
    merges: bool = True


class Shared(NamedTuple):
    """What becomes of the relevance of z: what the inputs receive, and what the bias keeps (shaped like z)."""

    inputs: Tensor
    bias: Tensor | None


def share(rule: Rule, operation: Operation, x: Tensor, z: Tensor, relevance: Tensor, account: bool = False) -> Shared:
    """Share the relevance of an operation's outputs out to its inputs, by a rule.

    Parameters
    ----------
    rule : one of ``RULES``
    operation : the linear operation
    x, z : what went in and came out
    relevance : Tensor shaped like z
    account : whether to work out what the bias keeps
    """
    weight, bias = operation.weight, operation.bias
    inputs = [term.input(x) for term in rule.terms]
    weights = [None if weight is None else term.weight(weight) for term in rule.terms]
    biases = [None if bias is None else term.bias(bias) for term in rule.terms]
    plain = rule.terms == PLAIN
    outputs = [z] if plain else [operation.run(*term) for term in zip(inputs, weights, biases, strict=True)]
    mapped = rule.map(relevance, outputs, x)
    total: Tensor | None = None
    for one, w, s in zip(inputs, weights, mapped, strict=True):
        factor = one if rule.factor is None else rule.factor(x)
        part = operation.pull(s, x, w).mul_(factor)
        total = part if total is None else total.add_(part)
    kept = None
    if account and bias is not None:
        kept = sum(on_channels(b, z, operation.channels) * s for b, s in zip(biases, mapped, strict=True))
    return Shared(total, kept)


def on_channels(values: Tensor, z: Tensor, channels: int) -> Tensor:
    """Return one value for each output channel, in a shape that multiplies with z."""
    return values.view(-1, *[1] * (z.ndim - 1 - channels % z.ndim))


# The rules ------------------------------------------------------------------------------------------------------------


def z_rule() -> Rule:
    """R_j = sum_k z_jk / z_k R_k (Bach et al. 2015, eq. 56)."""
    return Rule(PLAIN, lambda R, z, x: [divide(R, z[0])])


def epsilon_rule(epsilon: float) -> Rule:
    """R_j = sum_k z_jk / (z_k + epsilon sign z_k) R_k (Bach et al. 2015, eq. 58)."""
    return Rule(PLAIN, lambda R, z, x: [divide_stabilised(R, z[0], epsilon)])


def epsilon_std_x(factor: float) -> Rule:
    """Epsilon rule whose epsilon is ``factor`` times the standard deviation of the layer's own input, per sample.

    Source: the SIGN-XAI package of Gumpfer et al. 2023 (``*_std_x``).
    """

    def mapped(R, z, x):
        epsilon = factor * x.flatten(1).std(dim=1, unbiased=False).view(-1, *[1] * (R.ndim - 1))
        return [divide_stabilised(R, z[0], epsilon)]

    return Rule(PLAIN, mapped)


def sign_rule(mu: float = 0.0) -> Rule:
    """SIGN rule for the input layer: R = sign(x - mu) * dz/dx (R/z), with sign(0) = +1 (Gumpfer et al. 2023).

    What the z-rule multiplies by the value of x, this multiplies by its side of mu alone, so that small voltages and
    dark pixels count as much as large ones.
    """
    return z_rule()._replace(factor=lambda x: torch.where(x >= mu, 1.0, -1.0).to(x))


def alpha_beta(alpha: float, beta: float) -> Rule:
    """R_j = alpha * (z+_jk / z+_k) R_k - beta * (z-_jk / z-_k) R_k, with alpha - beta = 1 (Bach et al. 2015, eq. 60).

    In the published convention the positive part is x+ w+ + x- w- and the negative part x- w+ + x+ w-, and each adds
    the whole bias: b+ + b- enters both denominators. zennit splits the bias between the two instead. A denominator that
    the bias opposes can come near zero; single samples then get very large relevance.
    """
    excite = (Term(positive, positive, positive), Term(negative, negative, negative))
    inhibit = (Term(negative, positive, positive), Term(positive, negative, negative))
    if beta == 0:  # half the work: the negative part is not formed
        return Rule(excite, lambda R, z, x: [divide(alpha * R, z[0] + z[1])] * 2)
    return Rule(
        (*excite, *inhibit),
        lambda R, z, x: [divide(alpha * R, z[0] + z[1])] * 2 + [divide(-beta * R, z[2] + z[3])] * 2,
    )


EXCITE = (Term(positive, positive, positive), Term(negative, negative, none))
INHIBIT = (Term(positive, negative, negative), Term(negative, positive, none))


def alpha_beta_zennit(alpha: float, beta: float, stabiliser: float = 1e-6) -> Rule:
    """Alpha-beta rule with the bias split: b+ joins the positive part, b- the negative (zennit's convention)."""

    def mapped(R, z, x):
        excite, inhibit = stabilised(z[0] + z[1], stabiliser), stabilised(z[2] + z[3], stabiliser)
        return [alpha * R / excite] * 2 + [-beta * R / inhibit] * 2

    return Rule((*EXCITE, *INHIBIT), mapped)


def zplus(stabiliser: float = 1e-6) -> Rule:
    """R_j = sum_k z+_jk / z+_k R_k, the alpha-beta rule with alpha 1 (Montavon et al. 2017, eq. 17)."""
    return Rule(EXCITE, lambda R, z, x: [R / stabilised(z[0] + z[1], stabiliser)] * 2)


def gamma_rule(gamma: float, stabiliser: float = 1e-6) -> Rule:
    """Favour the contributions with the sign of z_k by gamma (Montavon et al. 2019; for both signs as in zennit)."""

    def up(t):
        return t + gamma * t.clamp(min=0)

    def down(t):
        return t + gamma * t.clamp(max=0)

    terms = (Term(positive, up, up), Term(negative, down, none), Term(positive, down, down), Term(negative, up, none))

    def mapped(R, z, x):
        above = R * (z[4] > 0) / stabilised(z[0] + z[1], stabiliser)
        below = R * (z[4] < 0) / stabilised(z[2] + z[3], stabiliser)
        return [above, above, below, below, torch.zeros_like(R)]

    return Rule((*terms, *PLAIN), mapped)


def flat(stabiliser: float = 1e-6) -> Rule:
    """R_j = sum_k R_k / sum_j 1: every input receives the same (Lapuschkin et al. 2019)."""
    return Rule((Term(torch.ones_like, torch.ones_like, none),), lambda R, z, x: [R / stabilised(z[0], stabiliser)])


def wsquare(stabiliser: float = 1e-6) -> Rule:
    """R_j = sum_k w_jk^2 / sum_j w_jk^2 R_k, whatever the input (Montavon et al. 2017, eq. 12)."""
    term = Term(torch.ones_like, torch.square, torch.square)
    return Rule((term,), lambda R, z, x: [R / stabilised(z[0], stabiliser)])


def fill(value: float | Tensor) -> Change:
    """Put a value in the place of each input."""
    return lambda t: torch.as_tensor(value, dtype=t.dtype, device=t.device).expand_as(t)


def zbox(low: float | Tensor, high: float | Tensor, stabiliser: float = 1e-6) -> Rule:
    """R_j = sum_k q_jk / sum_j q_jk R_k, q_jk = x_j w_jk - l_j w+_jk - h_j w-_jk (Montavon et al. 2017, eq. 16)."""
    terms = (Term(same, same, same), Term(fill(low), positive, positive), Term(fill(high), negative, negative))

    def mapped(R, z, x):
        s = R / stabilised(z[0] - z[1] - z[2], stabiliser)
        return [s, -s, -s]

    return Rule(terms, mapped)


STABILISER = 1e-6


def _stabiliser(parameters: dict) -> float:
    return parameters.get("stabiliser", STABILISER)


# What a rule is called -> how it is made from the method's parameters.
RULES: dict[str, Callable[[dict], Rule]] = {
    "z": lambda p: z_rule(),
    "epsilon": lambda p: epsilon_rule(p["epsilon"]),
    "epsilon_std_x": lambda p: epsilon_std_x(p["factor"]),
    "gamma": lambda p: gamma_rule(p["gamma"], _stabiliser(p)),
    "alpha_beta": lambda p: alpha_beta(p["alpha"], p["beta"]),
    "alpha_beta_zennit": lambda p: alpha_beta_zennit(p["alpha"], p["beta"], _stabiliser(p)),
    "zplus": lambda p: zplus(_stabiliser(p)),
    "flat": lambda p: flat(_stabiliser(p)),
    "wsquare": lambda p: wsquare(_stabiliser(p)),
    "sign": lambda p: sign_rule(p["mu"]),
    "zbox": lambda p: zbox(p["low"], p["high"], _stabiliser(p)),
}


class Layers(NamedTuple):
    """Which rule each kind of operation gets, as (name of the rule, parameters that are fixed): a method is a table."""

    conv: tuple[str, dict]
    dense: tuple[str, dict]
    first: tuple[str, dict] | None = None

    def rules(self, parameters: dict, input_rule: str = "same") -> dict[str, Rule]:
        """Make the rules; what is not fixed comes from the method's parameters."""
        first = self.first if input_rule == "same" else (input_rule, {})
        table = {"conv": self.conv, "dense": self.dense} | ({"first": first} if first else {})
        return {kind: RULES[name](parameters | fixed) for kind, (name, fixed) in table.items()}
