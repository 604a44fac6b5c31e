"""The rules of layer-wise relevance propagation, as data, and the one function that shares relevance out by them.

A linear operation with inputs x, weights w and bias b makes z_k = sum_j x_j w_jk + b_k. A rule changes inputs, weights
and bias (its terms; the terms of a part make one z together), says what the relevance R_k is divided by (its map), and
hands back

    R_j = sum over terms of f(x_j) sum_k w_jk (map of R_k)

where f(x) is the changed input unless the rule says otherwise (its factor).
"""

from collections.abc import Callable, Iterator
from functools import reduce
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
    zero = torch.eq(z, 0, out=torch.empty_like(z))  # 1 or 0: many times faster than a choice
    return torch.div(relevance, torch.add(z, zero, alpha=1e-7, out=zero))


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


Part = tuple[Term, ...]
PLAIN: Part = (Term(same, same, same),)


class Rule(NamedTuple):
    """A rule: its parts, its map (R, z of each part, x) -> one tensor for each part, and its factor."""

    parts: tuple[Part, ...]
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
    joins : whether weight is (outputs, inputs, ...), so that two inputs can run side by side as one
    """

    run: Callable[[Tensor, Tensor | None, Tensor | None], Tensor]
    pull: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    weight: Tensor | None = None
    bias: Tensor | None = None
    channels: int = 1
    merges: bool = True
    joins: bool = False


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
    made = Changed(operation, x)
    formed = [made.part(part) for part in rule.parts]
    outputs = [z if part == PLAIN else form.run() for part, form in zip(rule.parts, formed, strict=True)]
    total: Tensor | None = None
    kept: Tensor | None = None
    for form, s in zip(formed, rule.map(relevance, outputs, x), strict=True):
        for pulled, changed in form.pull(s):
            factor = changed if rule.factor is None else rule.factor(x)
            total = torch.mul(pulled, factor) if total is None else total.addcmul_(pulled, factor)
        if account and form.bias is not None:
            part = on_channels(form.bias, z, operation.channels) * s
            kept = part if kept is None else kept.add_(part)
    return Shared(total, kept)


class Changed:
    """What a rule's changes make of an operation and its input x; terms of one part run side by side where they can."""

    def __init__(self, operation: Operation, x: Tensor):
        self.operation, self.x = operation, x
        self.inputs: dict[Change, Tensor] = {}
        self.joined: dict[tuple[Change, ...], Tensor] = {}

    def part(self, part: Part) -> "Form":
        """Return a part of a rule with its changes carried out; a term whose input is 0 everywhere is left out."""
        weight, bias = self.operation.weight, self.operation.bias
        if bias is not None:
            bias = reduce(torch.add, [term.bias(bias) for term in part])
        if len(part) > 1:
            part = tuple(term for term in part if not self.empty(term.input)) or part[:1]
        inputs = [self.input(term.input) for term in part]
        weights = [None if weight is None else term.weight(weight) for term in part]
        if len(part) > 1 and self.operation.joins:
            kinds = tuple(term.input for term in part)
            self.joined.setdefault(kinds, side_by_side(inputs, self.operation.channels))
            return Form(self.operation, inputs, [self.joined[kinds]], [torch.cat(weights, 1)], bias)
        return Form(self.operation, inputs, inputs, weights, bias)

    def input(self, change: Change) -> Tensor:
        """Return the changed input, made once."""
        if change not in self.inputs:
            self.inputs[change] = change(self.x)
        return self.inputs[change]

    def empty(self, change: Change) -> bool:
        """Return whether a change leaves nothing of the input: no part of it has that sign."""
        return change in (positive, negative) and not self.input(change).sum()


class Form(NamedTuple):
    """A part of a rule: ``inputs`` as its terms change them, and the same with their weights as they run."""

    operation: Operation
    inputs: list[Tensor]
    running: list[Tensor]
    weights: list[Tensor | None]
    bias: Tensor | None

    def run(self) -> Tensor:
        """Return its z."""
        biases = [self.bias, *[None] * (len(self.running) - 1)]
        outputs = [self.operation.run(*each) for each in zip(self.running, self.weights, biases, strict=True)]
        return reduce(torch.add, outputs)

    def pull(self, s: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield what each term's inputs receive of s, and the inputs."""
        pulled = [self.operation.pull(s, x, w) for x, w in zip(self.running, self.weights, strict=True)]
        if len(pulled) < len(self.inputs):
            pulled = list(pulled[0].chunk(len(self.inputs), self.operation.channels))
        return zip(pulled, self.inputs, strict=True)


def side_by_side(tensors: list[Tensor], dim: int) -> Tensor:
    """Concatenate along the channels; where these are last in memory, they stay so."""
    if tensors[0].ndim == 3 and dim == 1 and tensors[0].stride(1) == 1:
        return torch.cat([t.transpose(1, 2) for t in tensors], 2).transpose(1, 2)
    return torch.cat(tensors, dim)


def on_channels(values: Tensor, z: Tensor, channels: int) -> Tensor:
    """Return one value for each output channel, in a shape that multiplies with z."""
    return values.view(-1, *[1] * (z.ndim - 1 - channels % z.ndim))


# The rules ------------------------------------------------------------------------------------------------------------


def z_rule() -> Rule:
    """R_j = sum_k z_jk / z_k R_k (Bach et al. 2015, eq. 56)."""
    return Rule((PLAIN,), lambda R, z, x: [divide(R, z[0])])


def epsilon_rule(epsilon: float) -> Rule:
    """R_j = sum_k z_jk / (z_k + epsilon sign z_k) R_k (Bach et al. 2015, eq. 58)."""
    return Rule((PLAIN,), lambda R, z, x: [divide_stabilised(R, z[0], epsilon)])


def epsilon_std_x(factor: float) -> Rule:
    """Epsilon rule whose epsilon is ``factor`` times the standard deviation of the layer's own input.

    Source: the SIGN-XAI package of Gumpfer et al. 2023 (``*_std_x``). It holds for one sample at a time: which
    dimension counts the samples inside a network is not known, and neighbours must not change a sample's map.
    """

    def mapped(R, z, x):
        epsilon = factor * x.std(unbiased=False)
        return [divide_stabilised(R, z[0], epsilon)]

    return Rule((PLAIN,), mapped)


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
    inhibit = (Term(positive, negative, negative), Term(negative, positive, positive))
    if beta == 0:  # half the work: the negative part is not formed
        return Rule((excite,), lambda R, z, x: [divide(alpha * R, z[0])])
    return Rule((excite, inhibit), lambda R, z, x: [divide(alpha * R, z[0]), divide(-beta * R, z[1])])


EXCITE: Part = (Term(positive, positive, positive), Term(negative, negative, none))
INHIBIT: Part = (Term(positive, negative, negative), Term(negative, positive, none))


def alpha_beta_zennit(alpha: float, beta: float, stabiliser: float = 1e-6) -> Rule:
    """Alpha-beta rule with the bias split: b+ joins the positive part, b- the negative (zennit's convention)."""

    def mapped(R, z, x):
        return [alpha * R / stabilised(z[0], stabiliser), -beta * R / stabilised(z[1], stabiliser)]

    return Rule((EXCITE, INHIBIT), mapped)


def zplus(stabiliser: float = 1e-6) -> Rule:
    """R_j = sum_k z+_jk / z+_k R_k, the alpha-beta rule with alpha 1 (Montavon et al. 2017, eq. 17)."""
    return Rule((EXCITE,), lambda R, z, x: [R / stabilised(z[0], stabiliser)])


def gamma_rule(gamma: float, stabiliser: float = 1e-6) -> Rule:
    """Favour the contributions that have the sign of z_k by gamma (Montavon et al. 2019; for both signs as in zennit).

    As x+ w+ + x- w- is (x w + |x w|) / 2, favoured contributions and the others sum to (1 + gamma / 2) z plus gamma / 2
    of the sum of |x w| and |b| with the sign of z. An output that is exactly 0 hands back nothing.
    """
    half = gamma / 2

    def mapped(R, z, x):
        sign = z[0].sign()
        above = torch.copysign(half * z[1] + stabiliser, z[0]).add_(z[0], alpha=1 + half)
        s = torch.div(R, above, out=above).mul_(sign)
        return [(1 + half) * s * sign, half * s]

    return Rule((PLAIN, (Term(torch.abs, torch.abs, torch.abs),)), mapped)


def flat(stabiliser: float = 1e-6) -> Rule:
    """R_j = sum_k R_k / sum_j 1: every input receives the same (Lapuschkin et al. 2019)."""
    return Rule(((Term(torch.ones_like, torch.ones_like, none),),), lambda R, z, x: [R / stabilised(z[0], stabiliser)])


def wsquare(stabiliser: float = 1e-6) -> Rule:
    """R_j = sum_k w_jk^2 / sum_j w_jk^2 R_k, whatever the input (Montavon et al. 2017, eq. 12)."""
    term = Term(torch.ones_like, torch.square, torch.square)
    return Rule(((term,),), lambda R, z, x: [R / stabilised(z[0], stabiliser)])


def fill(value: float | Tensor) -> Change:
    """Put a value in the place of each input."""
    return lambda t: torch.as_tensor(value, dtype=t.dtype, device=t.device).expand_as(t)


def zbox(low: float | Tensor, high: float | Tensor, stabiliser: float = 1e-6) -> Rule:
    """R_j = sum_k q_jk / sum_j q_jk R_k, q_jk = x_j w_jk - l_j w+_jk - h_j w-_jk (Montavon et al. 2017, eq. 16)."""
    part = (Term(same, same, none), Term(fill(-low), positive, none), Term(fill(-high), negative, none))
    return Rule((part,), lambda R, z, x: [R / stabilised(z[0], stabiliser)])


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
