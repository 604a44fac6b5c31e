"""DeepLIFT with the rescale rule, operation by operation, so that it is complete on any network that it accepts.

A pass of the reference is recorded; a pass of the input then meets, at each operation that is not linear, what the
reference had there. Sums and linear operations keep the gradient. A product of two signals receives the mean of what
each factor does to it, which is exact; composite operations are taken apart into these.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from leadwise.attribution.lrp import factors, fitted, two
from leadwise.attribution.operations import (
    Call,
    Context,
    Explained,
    Kept,
    NoRuleError,
    flat_memory,
    numbers,
    softmax_dim,
    tensors,
)
from leadwise.attribution.question import NOTHING, Question, gradient_of, tell
from leadwise.attribution.rules import same
from leadwise.networks.network import Network

CHOICES = {"max", "min", "amax", "amin", "maximum", "minimum", "topk", "sort", "kthvalue"}
POOLS = {"max_pool1d": 1, "max_pool2d": 2, "max_pool3d": 3}
INDICES = "_with_indices"  # how the name of a pooling ends that also returns where it found its values
ADAPTIVE = {"adaptive_max_pool1d": 1, "adaptive_max_pool2d": 2, "adaptive_max_pool3d": 3}


class Multiplied(torch.autograd.Function):
    """Gives an output whose relevance is handed on times a multiplier."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, out: Tensor, multiplier: Tensor):
        ctx.kept, ctx.shape = Kept(multiplier), x.shape
        return out

    @staticmethod
    def backward(ctx: Context, grad: Tensor):
        (multiplier,) = ctx.kept
        return fitted(grad * multiplier, ctx), None, None


class Winner(torch.autograd.Function):
    """Max-pooling: what an output exceeds its reference by goes to the largest input of the window.

    Where the reference's output is larger, it goes to the place of the reference's largest. Overlapping windows add up.
    """

    @staticmethod
    def forward(
        ctx: Context,
        x: Tensor,
        out: Tensor,
        index: Tensor,
        back: Callable[[Tensor, Tensor, Tensor], Tensor],
        x0: Tensor,
        out0: Tensor,
        index0: Tensor,
    ):
        ctx.kept, ctx.back = Kept(x, out, index, x0, out0, index0), back
        return out

    @staticmethod
    def backward(ctx: Context, grad: Tensor):
        x, out, index, x0, out0, index0 = ctx.kept
        top = torch.maximum(out, out0)
        shares = ctx.back(grad * (top - out0), index, x).add_(ctx.back(grad * (out - top), index0, x))
        change, tiny = x - x0, max(1e-10, torch.finfo(x.dtype).tiny)
        if change.abs().amin() >= tiny:
            return shares.div_(change), *(None,) * 6
        even, equal = (ctx.back(grad, index, x) + ctx.back(grad, index0, x)) / 2, change.abs() < tiny
        return torch.where(equal, even, shares / change.where(~equal, 1)), *(None,) * 6


def pooling(call: Call) -> tuple[Tensor, Tensor, Callable]:
    """Return what a max-pooling gives, where it is found, and the function that hands values back to such places."""
    x, rest = call.args[0].detach(), call.args[1:]
    if call.name in ADAPTIVE:
        options = {"output_size": rest[0]} if rest else call.kwargs
        return *getattr(functional, call.name)(x, **options | {"return_indices": True}), scattered
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    options = dict(zip(names, rest, strict=False)) | call.kwargs
    options["stride"] = options.get("stride") or options["kernel_size"]
    dims = POOLS[call.name]
    if dims == 3:
        return *functional.max_pool3d(x, **options | {"return_indices": True}), scattered
    sizes = [
        [default] * (dims == 1) + numbers(options.get(name, default), dims)
        for name, default in zip(names[:4], (1, 1, 0, 1), strict=True)
    ]
    sizes.append(options.get("ceil_mode", False))
    last = x.is_cpu and x.stride(1) == 1
    lift = same if dims == 2 else flat_memory if last else lambda t: t.unsqueeze(2)
    lower = same if dims == 2 else lambda t: t.squeeze(2)

    def back(values, places, like):
        found = torch.ops.aten.max_pool2d_with_indices_backward(lift(values), lift(like), *sizes, lift(places))
        return lower(found)

    return *map(lower, torch.ops.aten.max_pool2d_with_indices(lift(x), *sizes)), back


def scattered(values: Tensor, places: Tensor, like: Tensor) -> Tensor:
    """Return values at their places in a tensor shaped like another; what meets adds up."""
    return torch.zeros_like(like).flatten(2).scatter_add(2, places.flatten(2), values.flatten(2)).view_as(like)


def secant(call: Call, x: Tensor, out: Tensor, x0: Tensor, out0: Tensor) -> Tensor:
    """Return the ratio of the differences; where these are too small to be divided, the slope half-way.

    What holds of a number is 1 or 0 here, and choices are products: many times faster than torch.where.
    """
    change, inside = x.detach() - x0, x.detach()
    near = torch.le(change.abs(), inside.abs().add_(x0.abs()).mul_(1e-3), out=torch.empty_like(change))
    far = 1 - near
    ratio = (out.detach() - out0).mul_(far).div_(change.mul_(far).add_(near))
    if not near.amax():
        return ratio
    middle = inside.add(x0).div_(2).requires_grad_()
    with torch.enable_grad():
        args = tuple(middle if arg is x else arg for arg in call.args)
        kwargs = {k: middle if v is x else v for k, v in call.kwargs.items()}
        (slope,) = torch.autograd.grad(call.func(*args, **kwargs).sum(), middle)
    return ratio.addcmul_(slope, near)


class Reference(Explained):
    """The pass of the reference: keeps what went into and came out of each operation that is not linear."""

    def __init__(self, network: Network):
        super().__init__(network, "DeepLIFT")
        self.record: list[tuple] = []
        self.weights = {id(t) for group in (network.module.parameters(), network.module.buffers()) for t in group}

    def meet(self, name: str, *kept: Any) -> tuple:
        """Keep tensors for the pass of the input, and return them."""
        self.record.append((name, Kept(*kept)))
        return tuple(self.record[-1][1])

    def admits(self, call: Call) -> bool:
        """Return whether what an operation takes besides signals is the same for the input and the reference."""
        values = (*call.args[call.name in ("setitem", "copy") :], *call.kwargs.values())  # less what is written into
        fixed = [t for t in tensors(values) if id(t) not in self.weights and not self.carries(t)]
        fixed += [torch.tensor(value) for value in values if isinstance(value, float)]
        met = self.meet(call.name, *fixed) if fixed else ()
        return all(torch.equal(mine, theirs) for mine, theirs in zip(fixed, met, strict=True))

    def handle(self, kind: str, call: Call) -> Any:
        if any(t.is_complex() for t in call.signals):
            return self.refused(call, " of complex numbers")
        if not self.admits(call):
            return self.refused(call, ", given something else for the input than for the reference,")
        return super().handle(kind, call)

    def structural(self, call: Call) -> Any:
        if call.name.removesuffix(INDICES) in POOLS | ADAPTIVE:
            return self.pool(call)
        if call.name in ("maximum", "minimum"):
            return self.larger(call)
        if call.name in CHOICES:
            return self.choice(call)
        return super().structural(call)

    def pool(self, call: Call) -> Any:
        x, name = call.args[0], call.name.removesuffix(INDICES)
        if x.ndim != (POOLS | ADAPTIVE)[name] + 2:
            return self.refused(call, " without a batch")
        with torch.no_grad():
            out, index, back = pooling(Call(name, call.func, call.args, call.kwargs))
        found = Winner.apply(x, out, index, back, *self.meet(name, x, out, index))
        return found if name == call.name else (found, index)

    def larger(self, call: Call) -> Any:
        a, b = two(call)
        with self:
            return b + torch.relu(a - b) if call.name == "maximum" else b - torch.relu(b - a)

    def choice(self, call: Call) -> Any:
        """The largest along one dimension is a pooling with a single window."""
        x, (dim, keep) = call.args[0], _along(call)
        if dim is None or call.name not in ("max", "amax") or x.ndim < 2:
            return self.refused(call)
        with self:
            moved = x.movedim(dim, -1)
            rows = moved.flatten(0, -2).unsqueeze(1)
            out = functional.max_pool1d(rows, rows.shape[-1]).view(moved.shape[:-1])
            out = out.unsqueeze(dim) if keep else out
        return out if call.name == "amax" else torch.return_types.max((out, call.plain()[1]))

    def pointwise(self, call: Call) -> Any:
        signals = call.signals
        if len(signals) != 1:
            return self.refused(call, " of two signals")
        return self.rescaled(signals[0], call.plain(), call)

    def rescaled(self, x: Tensor, out: Tensor, call: Call) -> Tensor:
        """The rescale rule: what relevance is multiplied with is the ratio of the differences (eq. 9)."""
        return Multiplied.apply(x, out, self.multiplier(call, x, out, *self.meet(call.name, x, out)))

    def multiplier(self, call: Call, *values: Tensor) -> Tensor | None:
        """Nothing flows back through the reference."""

    def multiplication(self, call: Call) -> Any:
        a, b = two(call)
        if call.name in ("rdiv", "rtruediv"):
            a, b = b, a
        signals = [isinstance(t, Tensor) and self.carries(t) for t in (a, b)]
        if call.kwargs.get("rounding_mode"):
            return self.refused(call, " with rounding")
        if "div" in call.name and signals[1]:
            with self:
                return torch.reciprocal(b) * a
        if not all(signals):
            return super().multiplication(call)
        a0, b0 = self.meet(call.name, a, b)
        surrogate = (a * (b.detach() + b0) + (a.detach() + a0) * b) / 2
        return surrogate + (call.plain() - surrogate).detach()

    def product(self, call: Call) -> Any:
        if call.name == "addmm":
            bias, a, b = call.args[:3]
            if len(call.args) > 3 or call.kwargs:
                return self.refused(call)
            with self:
                return a @ b + bias
        equation, (a, b) = factors(call)
        if a is None:
            return self.refused(call, " of this form")
        if not (self.carries(a) and self.carries(b)):
            return super().product(call)
        a0, b0 = self.meet(call.name, a, b)
        surrogate = (equation(a, b.detach() + b0) + equation(a.detach() + a0, b)) / 2
        return surrogate + (call.plain() - surrogate).detach()

    def conv(self, call: Call) -> Any:
        signals = call.signals
        return self.refused(call, " with weights that depend on the input") if len(signals) > 1 else super().conv(call)

    dense = conv

    def softmax(self, call: Call) -> Any:
        dim = softmax_dim(call)
        with self:
            powers = torch.exp(call.args[0])
            total = powers.sum(dim, keepdim=True)
            if call.name == "softmax":
                return powers / total
            if call.name == "log_softmax":
                return call.args[0] - torch.log(total)
            return torch.log(total if _along(call)[1] else total.squeeze(dim))

    def batch_norm(self, call: Call) -> Any:
        if call.kwargs.get("running_mean") is None:
            return self.refused(call, " by the statistics of the batch")
        return super().batch_norm(call)

    def decomposed(self, call: Call) -> Any:
        return self.taken_apart(call)

    def unknown(self, call: Call) -> Any:
        return self.refused(call)


class Difference(Reference):
    """The pass of the input, which meets what the reference had."""

    def __init__(self, network: Network, record: list[tuple]):
        super().__init__(network)
        self.waiting = iter(record)

    def meet(self, name: str, *kept: Any) -> tuple:
        known, values = next(self.waiting, (None, ()))
        values = tuple(values)
        if known == name and [v.shape for v in values] != [t.shape for t in kept]:
            values = tuple(v.expand_as(t) for v, t in zip(values, kept, strict=False) if v.shape == (1, *t.shape[1:]))
        if known != name or [v.shape for v in values] != [t.shape for t in kept]:
            raise NoRuleError(self.reason(f"a network that takes another path for the reference (at {name})"))
        return values

    def multiplier(self, call: Call, *values: Tensor) -> Tensor:
        return secant(call, *values)


def _along(call: Call) -> tuple[int | None, bool]:
    values = dict(zip(("dim", "keepdim"), call.args[1:], strict=False)) | call.kwargs
    dim = values.get("dim")
    dim = dim[0] if isinstance(dim, (tuple, list)) and len(dim) == 1 else dim
    return (dim if isinstance(dim, int) else None), values.get("keepdim", False)


def deeplift_against(question: Question, x: Tensor, start: Tensor) -> Tensor:
    """Return DeepLIFT's relevance of x against a reference, both (N, ...)."""
    alike = len(x) > 1 and bool((start == start[:1]).all()) and bool((question.target == question.target[0]).all())
    try:
        before, after, at = _passes(question, x, start[:1] if alike else start)
    except ValueError:
        if not alike:
            raise
        before, after, at = _passes(question, x, start)  # the network needs to see as many references as inputs
    relevance = gradient_of(after.sum(), at) * (x - start)
    tell("difference", after.detach() - before)
    tell("summed", relevance.flatten(1).sum(1))
    return relevance


def _passes(question: Question, x: Tensor, start: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the scores of the reference, those of x, and the x that these depend on."""
    reference = Reference(question.network)
    before = _scores(question.of(slice(0, len(start))), start, reference)[0].detach()
    return before, *_scores(question, x, Difference(question.network, reference.record))


def _scores(question: Question, x: Tensor, mode: Reference) -> tuple[Tensor, Tensor]:
    """Return the scores of a pass under a mode, and the x that they depend on."""
    x = x.detach().requires_grad_()
    logits, ends_in = question.logits(mode.enter(x), mode)
    if not mode.carries(logits):
        raise ValueError(NOTHING)
    with torch.enable_grad(), mode:
        return question.score(logits, ends_in), x
