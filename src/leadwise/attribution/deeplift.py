"""DeepLIFT with the rescale rule, operation by operation, so that it is complete on any network that it accepts.

A pass of the reference is recorded; a pass of the input then meets, at each operation that is not linear, what the
reference had there. Sums and linear operations keep the gradient. A product of two signals receives the mean of what
each factor does to it, which is exact; composite operations are taken apart into these.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from leadwise.attribution.decompositions import DECOMPOSED
from leadwise.attribution.lrp import factors, fitted, two
from leadwise.attribution.operations import Call, Explained, Kept, NoRuleError, tensors
from leadwise.attribution.question import Question, gradient_of, tell

CHOICES = {"max", "min", "amax", "amin", "maximum", "minimum", "topk", "sort", "kthvalue"}
POOLS = {"max_pool1d": 1, "max_pool2d": 2, "max_pool3d": 3}
ADAPTIVE = {"adaptive_max_pool1d": 1, "adaptive_max_pool2d": 2, "adaptive_max_pool3d": 3}


class Multiplied(torch.autograd.Function):
    """Gives an output whose relevance is handed on times a multiplier."""

    @staticmethod
    def forward(ctx, x, out, multiplier):
        ctx.kept, ctx.shape = Kept(multiplier), x.shape
        return out

    @staticmethod
    def backward(ctx, grad):
        (multiplier,) = ctx.kept
        return fitted(grad * multiplier, ctx), None, None


class Winner(torch.autograd.Function):
    """Max-pooling: what an output exceeds its reference by goes to the largest input of the window.

    Where the reference's output is larger, it goes to the place of the reference's largest. Overlapping windows add up.
    """

    @staticmethod
    def forward(ctx, x, out, index, x0, out0, index0):
        ctx.kept = Kept(x, out, index, x0, out0, index0)
        return out

    @staticmethod
    def backward(ctx, grad):
        x, out, index, x0, out0, index0 = ctx.kept

        def place(values, where):
            flat = torch.zeros_like(x).flatten(2)
            return flat.scatter_add(2, where.flatten(2), values.flatten(2)).view_as(x)

        top = torch.maximum(out, out0)
        shares = place(grad * (top - out0), index) + place(grad * (out - top), index0)
        change = x - x0
        even = (place(grad, index) + place(grad, index0)) / 2
        same = change.abs() < max(1e-10, torch.finfo(x.dtype).tiny)
        return torch.where(same, even, shares / change.where(~same, 1)), None, None, None, None, None


class Reference(Explained):
    """The pass of the reference: keeps what went into and came out of each operation that is not linear."""

    def __init__(self, network):
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
        if not self.admits(call):
            return self.refused(call, ", given something else for the input than for the reference,")
        return super().handle(kind, call)

    def structural(self, call: Call) -> Any:
        if call.name in POOLS or call.name in ADAPTIVE:
            return self.pool(call)
        if call.name in ("maximum", "minimum"):
            return self.larger(call)
        if call.name in CHOICES:
            return self.choice(call)
        return super().structural(call)

    def pool(self, call: Call) -> Any:
        x, rest = call.args[0], call.args[1:]
        with torch.no_grad():
            if call.name in POOLS:
                names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
                options = dict(zip(names, rest, strict=False)) | call.kwargs
                options["stride"] = options.get("stride") or options["kernel_size"]
                dims = POOLS[call.name]
                function = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[dims - 1]
                out, index = function(x.detach(), **{**options, "return_indices": True})
            else:
                dims = ADAPTIVE[call.name]
                function = getattr(functional, call.name)
                out, index = function(x.detach(), rest[0] if rest else call.kwargs["output_size"], return_indices=True)
        if x.ndim != dims + 2:
            return self.refused(call, " without a batch")
        x0, out0, index0 = self.meet(call.name, x, out, index)
        return Winner.apply(x, out, index, x0, out0, index0)

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
        signals = [t for t in (*call.args, *call.kwargs.values()) if isinstance(t, Tensor) and self.carries(t)]
        if len(signals) != 1:
            return self.refused(call, " of two signals")
        return self.rescaled(signals[0], call.plain(), call)

    def rescaled(self, x: Tensor, out: Tensor, call: Call) -> Tensor:
        """The rescale rule: what relevance is multiplied with is the ratio of the differences (eq. 9)."""
        x0, out0 = self.meet(call.name, x, out)
        change = x.detach() - x0
        near = change.abs() <= 1e-3 * (x.detach().abs() + x0.abs())
        middle = ((x.detach() + x0) / 2).requires_grad_()
        with torch.enable_grad():
            args = tuple(middle if arg is x else arg for arg in call.args)
            kwargs = {k: middle if v is x else v for k, v in call.kwargs.items()}
            (slope,) = torch.autograd.grad(call.func(*args, **kwargs).sum(), middle)
        return Multiplied.apply(x, out, torch.where(near, slope, (out.detach() - out0) / change.where(~near, 1)))

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
            bias, a, b = call.args
            if call.kwargs:
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
        signals = [t for t in (*call.args, *call.kwargs.values()) if isinstance(t, Tensor) and self.carries(t)]
        return self.refused(call, " with weights that depend on the input") if len(signals) > 1 else super().conv(call)

    dense = conv

    def softmax(self, call: Call) -> Any:
        dim = call.kwargs.get("dim", call.args[1] if len(call.args) > 1 else -1)
        with self:
            powers = torch.exp(call.args[0])
            total = powers.sum(dim, keepdim=True)
            if call.name == "softmax":
                return powers / total
            if call.name == "log_softmax":
                return call.args[0] - torch.log(total)
            return torch.log(total if call.kwargs.get("keepdim") else total.squeeze(dim))

    def batch_norm(self, call: Call) -> Any:
        if call.kwargs.get("running_mean") is None:
            return self.refused(call, " by the statistics of the batch")
        return super().batch_norm(call)

    def decomposed(self, call: Call) -> Any:
        try:
            with self:
                return DECOMPOSED[call.name](*call.args, **call.kwargs)
        except NotImplementedError as error:
            return self.refused(call, f": {error}")

    def unknown(self, call: Call) -> Any:
        return self.refused(call)


class Difference(Reference):
    """The pass of the input, which meets what the reference had."""

    def __init__(self, network, record: list[tuple]):
        super().__init__(network)
        self.waiting = iter(record)

    def meet(self, name: str, *kept: Any) -> tuple:
        known, values = next(self.waiting, (None, ()))
        values = tuple(values)
        if known != name or [v.shape for v in values] != [t.shape for t in kept]:
            raise NoRuleError(self.reason(f"a network that takes another path for the reference (at {name})"))
        return values


def _along(call: Call) -> tuple[int | None, bool]:
    values = dict(zip(("dim", "keepdim"), call.args[1:], strict=False)) | call.kwargs
    dim = values.get("dim")
    dim = dim[0] if isinstance(dim, (tuple, list)) and len(dim) == 1 else dim
    return (dim if isinstance(dim, int) else None), values.get("keepdim", False)


def deeplift_against(question: Question, x: Tensor, start: Tensor) -> Tensor:
    """Return DeepLIFT's relevance of x against a reference, both (N, ...)."""
    reference = Reference(question.network)
    before, _ = _scores(question, start, reference)
    after, at = _scores(question, x, Difference(question.network, reference.record))
    relevance = gradient_of(after.sum(), at) * (x - start)
    tell("difference", after.detach() - before.detach())
    tell("summed", relevance.flatten(1).sum(1))
    return relevance


def _scores(question: Question, x: Tensor, mode: Reference) -> tuple[Tensor, Tensor]:
    """Return the scores of a pass under a mode, and the x that they depend on."""
    x = x.detach().requires_grad_()
    logits, ends_in = question.logits(mode.enter(x), mode)
    if not mode.carries(logits):
        raise ValueError("the network's output does not depend on its input: there is nothing to explain.")
    with torch.enable_grad(), mode:
        return question.score(logits, ends_in), x
