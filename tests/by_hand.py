"""Layer-wise relevance propagation by hand: slow, dense, float64, straight from the papers, for tests to compare with.

A network is a list of steps. Every weighted step becomes a dense matrix by its Jacobian, every rule is a formula over
the matrix of contributions. Nothing here knows how the package computes, and nothing is imported from it.

Papers: Bach et al. 2015 (doi:10.1371/journal.pone.0130140), Montavon et al. 2017 (doi:10.1016/j.patcog.2016.11.008) and
2019 (doi:10.1007/978-3-030-28954-6_10), Andeol et al. 2021 (arXiv:2112.04808), Lapuschkin et al. 2019
(doi:10.1038/s41467-019-08987-4), Gumpfer et al. 2023 (doi:10.1016/j.inffus.2023.101883).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.functional import jacobian

STABILISER = 1e-6  # of the rules that the published composites take from zennit; it has the sign of the denominator


class Step(NamedTuple):
    """One step of a network.

    Parameters
    ----------
    kind : "conv" or "dense" (weighted), "average" (weighted with fixed positive weights), "add" (of branches), "pass"
        (an activation), "move" (views, selections: max pooling, ``cat``)
    run : function of the values it reads; of a weighted step, of (x, weight, bias)
    reads : which values it reads, counted back from the newest, -1
    weight, bias : of a weighted step
    """

    kind: str
    run: Callable
    reads: tuple[int, ...] = (-1,)
    weight: Tensor | None = None
    bias: Tensor | None = None


class Layer(NamedTuple):
    """A step at one sample: J inputs ``a``, K outputs, what connects them."""

    kind: str
    reads: tuple[int, ...]  # absolute
    a: tuple[Tensor, ...]  # (J,) each
    weights: tuple[Tensor, ...]  # (J, K) each
    bias: Tensor  # (K,)
    connected: Tensor | None  # (J, K): 1 where the step has a weight, whatever its value


def dense_matrix(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return the Jacobian of ``function`` at x as a matrix (J, K)."""
    matrix = jacobian(function, x)
    return matrix.reshape(-1, x.numel()).T


def linearise(steps: Sequence[Step], x: Tensor) -> tuple[list[Layer], Tensor]:
    """Run the steps on one sample (1, ...) in float64; return them as layers, and the output (K,)."""
    values, layers = [x.double()], []
    for step in steps:
        reads = tuple(len(values) + read for read in step.reads)
        inputs = [values[read] for read in reads]
        layers.append(_layer(step, reads, inputs))
        arguments = (*inputs, step.weight, step.bias) if step.kind in ("conv", "dense") else inputs
        values.append(step.run(*arguments).detach())
    return layers, values[-1].flatten()


def _layer(step: Step, reads, inputs) -> Layer:
    flat = tuple(value.flatten() for value in inputs)
    none = torch.zeros(())
    if step.kind in ("pass", "add"):
        return Layer(step.kind, reads, flat, (), none, None)
    if step.kind in ("average", "move"):
        weights = tuple(
            dense_matrix(lambda one, place=place: step.run(*inputs[:place], one, *inputs[place + 1 :]), inputs[place])
            for place in range(len(inputs))
        )
        return Layer(step.kind, reads, flat, weights, none, None)
    (x,) = inputs
    weights = dense_matrix(lambda one: step.run(one, step.weight, None), x)
    connected = dense_matrix(lambda one: step.run(one, torch.ones_like(step.weight), None), x)
    bias = step.run(torch.zeros_like(x), step.weight, step.bias).flatten()
    return Layer(step.kind, reads, flat, (weights,), bias, connected)


# --- Rules: (a (J,), w (J, K), b (K,), connected (J, K), R (K,)) -> R (J,) ---------------------------------


def positive(t: Tensor) -> Tensor:
    return torch.where(t > 0, t, 0.0)


def negative(t: Tensor) -> Tensor:
    return torch.where(t < 0, t, 0.0)


def nonzero(z: Tensor) -> Tensor:
    """The authors' convention: an exact 0 counts as 1e-7."""
    return torch.where(z == 0, 1e-7, z)


def stable(z: Tensor, epsilon=STABILISER) -> Tensor:
    """Add epsilon with the sign of z; 0 counts as positive."""
    return torch.where(z >= 0, z + epsilon, z - epsilon)


def z(a, w, b, connected, relevance):
    """R_j = sum_k z_jk / z_k R_k, z_k = sum_j z_jk + b_k (Bach et al. 2015, eq. 56)."""
    z_jk = a[:, None] * w
    return (z_jk / nonzero(z_jk.sum(0) + b) * relevance).sum(1)


def epsilon(size):
    """R_j = sum_k z_jk / (z_k + epsilon sign z_k) R_k (Bach et al. 2015, eq. 58)."""

    def rule(a, w, b, connected, relevance):
        z_jk = a[:, None] * w
        return (z_jk / stable(z_jk.sum(0) + b, size) * relevance).sum(1)

    return rule


def epsilon_std_x(factor):
    """The epsilon rule with epsilon = factor x the standard deviation of the layer's input (Gumpfer et al. 2023)."""

    def rule(a, w, b, connected, relevance):
        deviation = ((a - a.mean()) ** 2).mean().sqrt()
        return epsilon(factor * deviation)(a, w, b, connected, relevance)

    return rule


def gamma(size):
    """R_j = sum_k a_j (w_jk + gamma w_jk+) / sum_j ... R_k (Montavon et al. 2019, section 10.2.3).

    For inputs and outputs of either sign: Andeol et al. 2021. What pulls z_k to its own side is favoured.
    """

    def rule(a, w, b, connected, relevance):
        found = torch.zeros_like(a)
        for k in range(len(relevance)):
            z_k = float(a @ w[:, k] + b[k])
            if z_k == 0:
                continue
            part = positive if z_k > 0 else negative  # of each contribution z_jk = a_j w_jk
            z_j = a * w[:, k]
            favoured = z_j + size * part(z_j)
            # The bias stands beside the positive inputs: its weight is changed as theirs are.
            total = favoured.sum() + b[k] + size * part(b[k])
            found += favoured / stable(total) * relevance[k]
        return found

    return rule


def alpha_beta(alpha, beta):
    """R_j = sum_k (alpha z_jk+ / z_k+ - beta z_jk- / z_k-) R_k (Bach et al. 2015, eq. 60).

    As in the published SIGN-XAI maps: the whole bias takes part in both denominators.
    """

    def rule(a, w, b, connected, relevance):
        z_jk = a[:, None] * w
        up, down = positive(z_jk), negative(z_jk)
        return ((alpha * up / nonzero(up.sum(0) + b) - beta * down / nonzero(down.sum(0) + b)) * relevance).sum(1)

    return rule


def alpha_beta_split(alpha, beta):
    """The same equation with b+ in z+ and b- in z-, and a stabiliser: zennit's convention."""

    def rule(a, w, b, connected, relevance):
        z_jk = a[:, None] * w
        up, down = positive(z_jk), negative(z_jk)
        excite = up / stable(up.sum(0) + positive(b))
        inhibit = down / stable(down.sum(0) + negative(b))
        return ((alpha * excite - beta * inhibit) * relevance).sum(1)

    return rule


def zplus(a, w, b, connected, relevance):
    """R_j = sum_k z_jk+ / z_k+ R_k (Montavon et al. 2017, the z+ rule, there for a >= 0; b+ takes part)."""
    up = positive(a[:, None] * w)
    return (up / stable(up.sum(0) + positive(b)) * relevance).sum(1)


def flat(a, w, b, connected, relevance):
    """R_j = sum_k 1 / (number of inputs of k) R_k (Lapuschkin et al. 2019)."""
    return (connected / stable(connected.sum(0)) * relevance).sum(1)


def wsquare(a, w, b, connected, relevance):
    """R_j = sum_k w_jk^2 / (sum_j w_jk^2 + b_k^2) R_k (Montavon et al. 2017, the w^2 rule; the bias takes part)."""
    return (w**2 / stable((w**2).sum(0) + b**2) * relevance).sum(1)


def zbox(low, high):
    """R_j = sum_k q_jk / q_k R_k, q_jk = x_j w_jk - l_j w_jk+ - h_j w_jk- (Montavon et al. 2017, the z^B rule)."""

    def rule(a, w, b, connected, relevance):
        l_j, h_j = torch.as_tensor(low).expand(a.shape), torch.as_tensor(high).expand(a.shape)
        q_jk = a[:, None] * w - l_j[:, None] * positive(w) - h_j[:, None] * negative(w)
        return (q_jk / stable(q_jk.sum(0)) * relevance).sum(1)

    return rule


def zbox_of_ecg(a, w, b, connected, relevance):
    """The z-box of a signal without natural bounds: plus and minus its largest magnitude."""
    top = a.abs().max()
    return zbox(-top, top)(a, w, b, connected, relevance)


def sign(mu=0.0):
    """R_j = sign(x_j - mu) sum_k w_jk R_k / z_k, sign(0) = +1 (Gumpfer et al. 2023)."""

    def rule(a, w, b, connected, relevance):
        side = torch.where(a >= mu, 1.0, -1.0).double()
        return side * (w / nonzero(a @ w + b) * relevance).sum(1)

    return rule


# --- From the logit to the input ---------------------------------------------------------------------------


def propagate(layers: Sequence[Layer], logits: Tensor, target: int, conv, dense, first=None) -> Tensor:
    """Return the relevance (J,) of the input; ``first`` is the rule of the first weighted layer in running order."""
    relevance = {len(layers): torch.zeros_like(logits)}  # number of a value -> its relevance
    relevance[len(layers)][target] = logits[target]
    entry = next(number for number, layer in enumerate(layers) if layer.kind in ("conv", "dense"))
    for number in reversed(range(len(layers))):
        layer = layers[number]
        rule = {"conv": conv, "dense": dense}.get(layer.kind)
        if rule and number == entry and first:
            rule = first
        arriving = relevance.get(number + 1, torch.zeros(()))
        for read, part in zip(layer.reads, _hand_back(layer, rule, arriving), strict=True):
            relevance[read] = relevance.get(read, 0.0) + part
    return relevance[0]


def _hand_back(layer: Layer, rule, relevance: Tensor) -> list[Tensor]:
    """Return what each value that the layer reads receives."""
    if layer.kind == "pass":
        return [relevance]
    if layer.kind == "move":
        return [weights @ relevance for weights in layer.weights]
    if layer.kind == "add":  # the z-rule, branches being the inputs
        total = sum(layer.a)
        return [a / nonzero(total) * relevance for a in layer.a]
    if layer.kind == "average":
        return [z(layer.a[0], layer.weights[0], torch.zeros_like(relevance), None, relevance)]
    return [rule(layer.a[0], layer.weights[0], layer.bias, layer.connected, relevance)]


def explain(steps: Sequence[Step], x: Tensor, target: int, **rules) -> Tensor:
    """Explain one class for a batch x (N, ...), sample by sample; the result is shaped like x."""
    maps = []
    for one in x.split(1):
        layers, logits = linearise(steps, one)
        maps.append(propagate(layers, logits, target, **rules).view_as(one))
    return torch.cat(maps)
