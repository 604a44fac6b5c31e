"""Layer-wise relevance propagation: the explained logit handed back layer by layer, by rules.

zennit is the engine. The rules it lacks are hooks below, in the conventions of the published SIGN-XAI maps: the bias
takes part in z, relevance passes unchanged through activations and dropout, max-pooling sends it to the winner, average
pooling uses the z-rule, and the start is the explained logit.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from zennit import rules as zennit_rules
from zennit.canonizers import SequentialMergeBatchNorm
from zennit.core import BasicHook, Composite, Hook
from zennit.types import Activation, AvgPool, BatchNorm, Convolution, Linear

from leadwise.attribution.gradients import pick
from leadwise.attribution.running import each_module_once, in_chunks


def _divide(relevance: Tensor, z: Tensor) -> Tensor:
    """Divide by z, where an exact 0 counts as 1e-7."""
    return relevance / torch.where(z == 0, 1e-7, z)


class ZRule(BasicHook):
    """R_j = sum_k z_jk / z_k R_k (Bach et al. 2015, eq. 56, without stabiliser)."""

    def __init__(self):
        super().__init__(gradient_mapper=lambda grad, outputs: [_divide(grad, z) for z in outputs])


class EpsilonStdX(BasicHook):
    """Epsilon rule whose epsilon is ``factor`` times the standard deviation of the layer's own input, per sample.

    Source: the SIGN-XAI package of Gumpfer et al. 2023 (``*_std_x``). Epsilon takes the sign of z, + for 0.
    """

    def __init__(self, factor: float):
        super().__init__(gradient_mapper=self._map)
        self.factor = factor

    def _map(self, grad: Tensor, outputs: list[Tensor]) -> list[Tensor]:
        x, z = self.stored_tensors["input"][0], outputs[0]
        epsilon = self.factor * x.flatten(1).std(dim=1, unbiased=False).view(-1, *[1] * (z.ndim - 1))
        return [_divide(grad, z + torch.where(z >= 0, epsilon, -epsilon))]

    def copy(self):
        """Return a fresh hook of the same factor: zennit attaches one to each module."""
        return type(self)(self.factor)


def _positive(tensor: Tensor, name: str | None = None) -> Tensor:
    return tensor.clamp(min=0)


def _negative(tensor: Tensor, name: str | None = None) -> Tensor:
    return tensor.clamp(max=0)


class AlphaBeta(BasicHook):
    """R_j = alpha * (z+_jk / z+_k) R_k - beta * (z-_jk / z-_k) R_k, with alpha - beta = 1 (Bach et al. 2015, eq. 60).

    In the published convention the positive part is x+ w+ + x- w- and the negative part x- w+ + x+ w-, and each adds
    the whole bias: b+ + b- enters both denominators. zennit splits the bias between the two instead. A denominator that
    the bias opposes can come near zero; single samples then get very large relevance.
    """

    def __init__(self, alpha: float, beta: float):
        def mapper(grad, z):
            excite, inhibit = _divide(alpha * grad, z[0] + z[1]), _divide(-beta * grad, z[2] + z[3])
            return [excite, excite, inhibit, inhibit]

        super().__init__(
            input_modifiers=[_positive, _negative, _negative, _positive],
            param_modifiers=[_positive, _negative, _positive, _negative],
            gradient_mapper=mapper,
        )


class AlphaOneBetaZero(BasicHook):
    """``AlphaBeta(1, 0)`` at half the work: the negative part is not formed."""

    def __init__(self):
        super().__init__(
            input_modifiers=[_positive, _negative],
            param_modifiers=[_positive, _negative],
            gradient_mapper=lambda grad, z: [_divide(grad, z[0] + z[1])] * 2,
        )


class SignRule(BasicHook):
    """SIGN rule for the input layer: R = sign(x - mu) * dz/dx (R/z), with sign(0) = +1 (Gumpfer et al. 2023).

    What z-rule multiplies by the value of x, this multiplies by its side of mu alone, so that small voltages and dark
    pixels count as much as large ones.
    """

    def __init__(self, mu: float = 0.0):
        super().__init__(
            gradient_mapper=lambda grad, outputs: [_divide(grad, z) for z in outputs],
            reducer=lambda inputs, gradients: torch.where(inputs[0] >= mu, 1.0, -1.0) * gradients[0],
        )


def zbox_range(x: Tensor, low: float | None, high: float | None) -> tuple[Tensor, Tensor]:
    """Return the smallest and largest admissible input, shaped like x.

    By default an image has the range of ImageNet-normalised pixels (0 and 1 before normalisation), an ECG plus and
    minus its largest magnitude.
    """
    if x.ndim == 4 and x.shape[1] == 3:
        mean = x.new_tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        std = x.new_tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
        floor, ceiling = (0 - mean) / std, (1 - mean) / std
    else:
        ceiling = x.abs().flatten(1).amax(1).view(-1, *[1] * (x.ndim - 1))
        floor = -ceiling
    floor = floor if low is None else torch.full_like(floor, low)
    ceiling = ceiling if high is None else torch.full_like(ceiling, high)
    return floor.expand_as(x), ceiling.expand_as(x)


STABILISER = 1e-6  # what zennit adds to a denominator, with its sign, so that none is zero


def _stabiliser(parameters: dict) -> float:
    return parameters.get("stabiliser", STABILISER)


# What a rule is called -> how its hook is made from the method's parameters.
RULES: dict[str, Callable[[dict], Hook]] = {
    "z": lambda p: ZRule(),
    "epsilon": lambda p: zennit_rules.Epsilon(p["epsilon"]),
    "epsilon_std_x": lambda p: EpsilonStdX(p["factor"]),
    "gamma": lambda p: zennit_rules.Gamma(p["gamma"], _stabiliser(p)),
    "alpha_beta": lambda p: AlphaOneBetaZero() if p["beta"] == 0 else AlphaBeta(p["alpha"], p["beta"]),
    "alpha_beta_zennit": lambda p: zennit_rules.AlphaBeta(p["alpha"], p["beta"], _stabiliser(p)),
    "zplus": lambda p: zennit_rules.ZPlus(_stabiliser(p)),
    "flat": lambda p: zennit_rules.Flat(_stabiliser(p)),
    "wsquare": lambda p: zennit_rules.WSquare(_stabiliser(p)),
    "sign": lambda p: SignRule(p["mu"]),
    "zbox": lambda p: zennit_rules.ZBox(p["low"], p["high"], _stabiliser(p)),
}


class Rule(NamedTuple):
    """A rule by name; what ``fixed`` does not give comes from the method's parameters."""

    name: str
    fixed: tuple[tuple[str, float], ...] = ()

    def hook(self, parameters: dict) -> Hook:
        """Make the rule's hook."""
        return RULES[self.name](parameters | dict(self.fixed))


class Layers(NamedTuple):
    """Which rule each kind of layer gets: the method is this table."""

    conv: Rule
    dense: Rule
    first: Rule | None = None


def lrp(
    model: nn.Module, x: Tensor, target: Tensor, *, layers: Layers, input_rule: str = "same", **parameters
) -> Tensor:
    """Propagate the explained logit to the input (Bach et al. 2015), by the rules in ``layers``.

    Parameters
    ----------
    model : evaluation mode, nothing in place, no module used twice
    x : Tensor (N, C, ...)
    target : Tensor (N,), class indices
    layers : rules for convolutions, dense layers and, where it differs, the first of them
    input_rule : rule of the first layer: "same" (as ``layers`` says), "z", "sign", "flat", "wsquare" or "zbox"
    parameters : of the rules: epsilon, factor, gamma, alpha, beta, mu, low, high
    """
    return in_chunks(lambda part: _lrp(model, x[part], target[part], layers, input_rule, parameters), len(x))


def _lrp(model, x, target, layers, input_rule, parameters) -> Tensor:
    low, high = zbox_range(x, parameters.get("low"), parameters.get("high"))
    parameters = parameters | {"low": low, "high": high}
    hooks = {
        "conv": layers.conv.hook(parameters),
        "dense": layers.dense.hook(parameters),
        "first": None if input_rule == "same" else Rule(input_rule).hook(parameters),
        "pool": ZRule(),
        "pass": zennit_rules.Pass(),
    }
    if layers.first and not hooks["first"]:
        hooks["first"] = layers.first.hook(parameters)
    seen = []

    def choose(ctx, name, module):
        if isinstance(module, Linear):
            seen.append(name)
            kind = "conv" if isinstance(module, Convolution) else "dense"
            return hooks["first"] or hooks[kind] if len(seen) == 1 else hooks[kind]
        if isinstance(module, BatchNorm):
            _check_merged(name, module)
        return (
            hooks["pool"] if isinstance(module, AvgPool) else hooks["pass"] if isinstance(module, Activation) else None
        )

    x = x.detach().requires_grad_()
    composite = Composite(module_map=choose, canonizers=[SequentialMergeBatchNorm()])
    kinds: tuple[type[nn.Module], ...] = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
    kinds += (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
    with each_module_once(model, kinds) as check, composite.context(model) as hooked:
        logits = hooked(x)
        check()
        start = torch.zeros_like(logits).scatter(1, target[:, None], pick(logits, target)[:, None])
        return torch.autograd.grad(logits, x, grad_outputs=start.detach())[0].detach()


def _check_merged(name: str, module: _BatchNorm) -> None:
    """Refuse a batch normalisation that the canoniser could not merge: no rule would hold for it."""
    merged = module.running_mean is not None and not module.running_mean.any() and bool((module.running_var == 1).all())
    if not merged:
        raise ValueError(
            f"batch normalisation {name!r} does not directly follow a convolution or dense layer, so it cannot be "
            "merged into one; LRP has no rule for it. Reorder the layers, or use a gradient method."
        )
