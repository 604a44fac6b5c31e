"""Layer-wise relevance propagation: the explained logit handed back operation by operation, by rules.

The conventions are those of the published SIGN-XAI maps: the bias takes part in z, relevance passes unchanged through
activations and dropout, max-pooling sends it to the winner, averages use the z-rule, and the start is the explained
logit. Beyond them: a sum shares out in proportion to its terms; of two factors the gate is held constant, and where
neither is more of a gate each receives half; deviations of normalisations and weights of attention are held constant.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from leadwise.attribution.decompositions import RECURRENT
from leadwise.attribution.operations import (
    Call,
    Context,
    Explained,
    Geometry,
    Kept,
    NoRuleError,
    Signal,
    flat_memory,
    handed_back,
    owned,
    signal,
    softmax_dim,
)
from leadwise.attribution.question import NOTHING, Question, gradient_of, tell
from leadwise.attribution.rules import RULES, Layers, Operation, Rule, divide, on_channels, same, share, z_rule
from leadwise.networks.network import Network
from leadwise.progress import in_chunks

Z = z_rule()


class Account:
    """Where relevance stays on its way down: what biases keep, and what is absorbed or created."""

    def __init__(self):
        self.bias, self.absorbed = 0.0, 0.0

    def enter(self, relevance: Tensor, received: Tensor, bias: Tensor | None) -> None:
        """Enter one operation."""
        kept = 0.0 if bias is None else float(bias.sum(dtype=torch.float64))
        self.bias += kept
        self.absorbed += float(relevance.sum(dtype=torch.float64) - received.sum(dtype=torch.float64)) - kept


class Weighted(torch.autograd.Function):
    """A linear operation whose backward pass is a rule."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, operation: Operation, rule: Rule, account: Account | None):
        z = owned(operation.run(x, operation.weight, operation.bias))
        ctx.kept, ctx.operation, ctx.rule, ctx.account = Kept(x, z), operation, rule, account
        ctx.set_materialize_grads(False)
        return z

    @staticmethod
    def backward(ctx: Context, relevance: Tensor | None):
        if relevance is None:
            return (None,) * 4
        x, z = ctx.kept
        shared = share(ctx.rule, ctx.operation, x, z, relevance, ctx.account is not None)
        if ctx.account is not None:
            ctx.account.enter(relevance, shared.inputs, shared.bias)
        return shared.inputs, None, None, None


class Normalised(torch.autograd.Function):
    """Batch normalisation by stored statistics: merged into the linear operation before it, if only it consumes that.

    Which is known when relevance comes: x is what went into that operation, and h what came out of it.
    """

    @staticmethod
    def forward(
        ctx: Context,
        h: Tensor,
        x: Tensor | None,
        scale: Tensor,
        shift: Tensor,
        before: "Before | None",
        rule: Rule | None,
        account: Account | None,
    ):
        z = torch.addcmul(on_channels(shift, h, 1), h, on_channels(scale, h, 1))
        ctx.kept, ctx.before, ctx.rule, ctx.account = Kept(h, x, z, scale, shift), before, rule, account
        ctx.set_materialize_grads(False)
        return z

    @staticmethod
    def backward(ctx: Context, relevance: Tensor | None):
        if relevance is None:
            return (None,) * 7
        h, x, z, scale, shift = ctx.kept
        if ctx.before is None or ctx.before.uses > 1:
            received = h * on_channels(scale, h, 1) * divide(relevance, z)
            if ctx.account is not None:
                ctx.account.enter(relevance, received, on_channels(shift, h, 1) * divide(relevance, z))
            return received, None, None, None, None, None, None
        shared = share(ctx.rule, merged(ctx.before.node, scale, shift), x, z, relevance, ctx.account is not None)
        if ctx.account is not None:
            ctx.account.enter(relevance, shared.inputs, shared.bias)
        return None, shared.inputs, None, None, None, None, None


def merged(operation: Operation, scale: Tensor, shift: Tensor) -> Operation:
    """Return a linear operation with scale and shift of each of its outputs built in."""
    weight = operation.weight * scale.view(-1, *[1] * (operation.weight.ndim - 1))
    bias = shift if operation.bias is None else operation.bias * scale + shift
    return operation._replace(weight=weight, bias=bias)


class Added(torch.autograd.Function):
    """a + b shares relevance in proportion to its terms (the z-rule); a constant keeps its share, as a bias does."""

    @staticmethod
    def forward(ctx: Context, a: Tensor, b: Tensor, account: Account | None):
        z = a + b
        ctx.kept, ctx.account = Kept(a, b, z), account
        return z

    @staticmethod
    def backward(ctx: Context, relevance: Tensor):
        a, b, z = ctx.kept
        s = divide(relevance, z)
        shares = [fitted(part * s, part) if ctx.needs_input_grad[i] else None for i, part in enumerate((a, b))]
        if ctx.account is not None and None in shares:
            received = next(part for part in shares if part is not None)
            ctx.account.enter(relevance, received, relevance.sum() - received.sum())
        return *shares, None


class Passed(torch.autograd.Function):
    """Gives an output whose relevance goes to one input, whole: an activation, a factor held constant."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, out: Tensor):
        ctx.shape = x.shape
        return out

    @staticmethod
    def backward(ctx: Context, relevance: Tensor):
        return fitted(relevance, ctx), None


class Softmax(torch.autograd.Function):
    """AttnLRP's rule: R_j = x_j (R_j - s_j sum_k R_k) (Achtibat et al. 2024, eq. 13)."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, out: Tensor, dim: int):
        ctx.kept, ctx.dim = Kept(x, out), dim
        return out

    @staticmethod
    def backward(ctx: Context, relevance: Tensor):
        x, s = ctx.kept
        x = torch.where(x.isfinite(), x, 0)  # a masked score is minus infinity and has no share
        return x * (relevance - s * relevance.sum(ctx.dim, keepdim=True)), None, None


def fitted(relevance: Tensor, like: Any) -> Tensor:
    """Sum relevance over the dimensions along which an input was repeated."""
    shape = like.shape
    if relevance.shape == shape:
        return relevance
    relevance = relevance.sum(tuple(range(relevance.ndim - len(shape)))) if relevance.ndim > len(shape) else relevance
    repeated = [i for i, size in enumerate(shape) if size == 1 and relevance.shape[i] != 1]
    return relevance.sum(repeated, keepdim=True) if repeated else relevance


class Propagation(Explained):
    """A forward pass whose backward pass is LRP."""

    def __init__(self, network: Network, layers: Layers, parameters: dict, attention: str, account: Account | None):
        super().__init__(network, "LRP")
        self.rules, self.attention, self.account = layers, attention, account
        self.parameters = parameters
        self.made: dict[tuple, Rule] = {}

    def rule(self, kind: str, x: Tensor) -> Rule:
        """Return the rule of a convolution ("conv") or dense layer ("dense") with this input."""
        known = signal(x)
        name, fixed = self.rules.first if self.rules.first and known.first else getattr(self.rules, kind)
        if name == "zbox":
            if not isinstance(known.box, tuple):
                raise NoRuleError(
                    "the z-box rule needs the range of the first layer's input, and the network changes its input "
                    f"before ({known.box or 'joined parts'}); choose another rule for the first layer: "
                    "input_rule='sign'."
                )
            return RULES[name](self.parameters | fixed | dict(zip(("low", "high"), known.box, strict=True)))
        if (name, *fixed.items()) not in self.made:
            self.made[(name, *fixed.items())] = RULES[name](self.parameters | fixed)
        return self.made[(name, *fixed.items())]

    def weighted(self, x: Tensor, operation: Operation, kind: str) -> Tensor:
        """Run a linear operation with weights."""
        rule = self.rule(kind, x)
        out = Weighted.apply(x, operation, rule, self.account)
        out._linear = (operation, x.view_as(x), rule)
        return out

    def follow(self, out: Any, call: Call, signals: list[Tensor]) -> None:
        super().follow(out, call, signals)
        if hasattr(out, "_linear"):
            signal(out).node = out._linear
            del out._linear

    def conv(self, call: Call) -> Any:
        x = call.args[0] if call.args else call.kwargs["input"]
        if len(call.signals) > 1:
            return self.refused(call, " with weights that depend on the input")
        return self.weighted(x, convolution(call), "conv")

    def dense(self, call: Call) -> Any:
        given: list = [*call.args, None, None]
        x, weight, bias = given[:3]
        weight, bias = call.kwargs.get("weight", weight), call.kwargs.get("bias", bias)
        if self.carries(weight) or (bias is not None and self.carries(bias)) or not self.carries(x):
            return self.refused(call, " with weights that depend on the input")
        operation = Operation(functional.linear, lambda s, x, w: s @ w, weight.detach(), _cut(bias), -1, joins=True)
        return self.weighted(x, operation, "dense")

    def product(self, call: Call) -> Any:
        if call.name == "addmm":
            bias, a, b = call.args[:3]
            if len(call.args) > 3 or call.kwargs or self.carries(bias) or self.carries(b):
                return self.refused(call)
            with self:
                return functional.linear(a, b.mT, bias)
        equation, (a, b) = factors(call)
        if a is None:
            return self.refused(call, " of this form")
        signals = [self.carries(a), self.carries(b)]
        if all(signals):
            return self._both(equation, a, b)
        with_signal, weight = (a, b) if signals[0] else (b, a)
        run = equation if signals[0] else (lambda x, w, _: equation(w, x))
        operation = Operation(run, pulled(run), weight.detach(), merges=False)
        return Weighted.apply(with_signal, operation, self.rule("dense", with_signal), self.account)

    def _both(self, equation: Callable[..., Tensor], a: Tensor, b: Tensor) -> Tensor:
        """A product of two signals, summed over something: the gate is held constant, else each receives half."""
        gates = signal(a).gate, signal(b).gate

        def one(x, other, left):
            held = other.detach()
            run = (lambda v, *_: equation(v, held)) if left else (lambda v, *_: equation(held, v))
            return Weighted.apply(x, Operation(run, pulled(run)), Z, self.account)

        if self.attention == "constant" and gates[0] != gates[1]:
            return one(a, b, True) if gates[0] < gates[1] else one(b, a, False)
        return Halved.apply(one(a, b, True), one(b, a, False))

    def average(self, call: Call) -> Any:
        x = call.args[0] if call.args else call.kwargs["input"]
        rest, kwargs = call.args[1:], {k: v for k, v in call.kwargs.items() if k != "input"}
        run = lambda x, *_: call.func(x, *rest, **kwargs)  # noqa: E731
        return Weighted.apply(x, Operation(run, pulled(run)), Z, self.account)

    def addition(self, call: Call) -> Any:
        if len(call.args) > 2:
            return self.refused(call, " with a factor between the operands; write alpha=")
        a, b = two(call)
        alpha = call.kwargs.get("alpha", 1)
        if call.name == "rsub":
            a, b = b, a
        sign = -alpha if call.name in ("sub", "subtract", "rsub") else alpha
        a, b = (self._term(value, like) for value, like in ((a, b), (b, a)))
        if sign != 1:
            if isinstance(b, Tensor) and self.carries(b):
                b = Passed.apply(b, b.detach() * sign)
            else:
                b = b * sign
        return Added.apply(a, b, self.account)

    def _term(self, value: Tensor | float, like: Tensor) -> Tensor:
        if isinstance(value, Tensor):
            return value if self.carries(value) else value.detach()
        return torch.as_tensor(value, dtype=like.dtype, device=like.device)

    def multiplication(self, call: Call) -> Any:
        a, b = two(call)
        if call.name in ("rdiv", "rtruediv"):
            a, b = b, a
        dividing = "div" in call.name
        if call.kwargs.get("rounding_mode"):
            return self.refused(call, " with rounding")
        out = call.plain()
        signals = [isinstance(t, Tensor) and self.carries(t) for t in (a, b)]
        if not all(signals):
            return Passed.apply(a if signals[0] else b, out)
        if dividing or a is b:
            return Passed.apply(a, out)
        gates = signal(a).gate, signal(b).gate
        if gates[0] != gates[1]:
            return Passed.apply(a if gates[0] < gates[1] else b, out)
        if a.numel() != b.numel():
            return Passed.apply(a if a.numel() > b.numel() else b, out)
        return Halved.apply(Passed.apply(a, out), Passed.apply(b, out))

    def batch_norm(self, call: Call) -> Any:
        values = call.kwargs
        x, mean, var = call.args[0], values.get("running_mean"), values.get("running_var")
        if mean is None or values.get("training"):
            return self.refused(call, " by the statistics of the batch")
        weight, bias, eps = values.get("weight"), values.get("bias"), values.get("eps", 1e-5)
        scale = torch.rsqrt(var + eps) if weight is None else weight.detach() * torch.rsqrt(var + eps)
        shift = -mean * scale if bias is None else bias.detach() - mean * scale
        known = signal(x)
        operation, before, rule = known.node or (None, None, None)
        fits = operation is not None and operation.merges and operation.channels % x.ndim == 1
        if not fits:
            return Normalised.apply(x, None, scale, shift, None, None, self.account)
        return Normalised.apply(x, before, scale, shift, Before(known, operation), rule, self.account)

    def pointwise(self, call: Call) -> Any:
        signals = call.signals
        if len(signals) != 1:
            return self.refused(call, " of two signals")
        return Passed.apply(signals[0], call.plain())

    def softmax(self, call: Call) -> Any:
        if call.name != "softmax":
            return self.refused(call)
        if self.attention == "constant":
            return self.refused(call, ", whose weights are held constant, other than as weights of a sum")
        return Softmax.apply(call.args[0], call.plain(), softmax_dim(call))

    def decomposed(self, call: Call) -> Any:
        if call.name in RECURRENT:
            tell("recurrent", call.name)
        return self.taken_apart(call)

    def unknown(self, call: Call) -> Any:
        return self.refused(call)


class Before:
    """The linear operation before a batch normalisation, and how many operations use what it gives."""

    def __init__(self, known: Signal, node: Operation):
        self.known, self.node = known, node

    @property
    def uses(self) -> int:
        return self.known.uses


class Halved(torch.autograd.Function):
    """One value, reached on two ways that each receive half (the uniform rule: Achtibat et al. 2024, eq. 14)."""

    @staticmethod
    def forward(ctx: Context, one: Tensor, other: Tensor):
        return one.clone()

    @staticmethod
    def backward(ctx: Context, relevance: Tensor):
        return relevance / 2, relevance / 2


def two(call: Call) -> tuple:
    """Return the two operands of an operation."""
    operands = (*call.args, *(call.kwargs[key] for key in ("input", "other") if key in call.kwargs))
    return operands[0], operands[1]


def _cut(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach()


def factors(call: Call):
    """Return a product as a function of its two factors, and these."""
    args = call.args
    if call.name == "einsum":
        operands = args[1] if len(args) == 2 and isinstance(args[1], (tuple, list)) else args[1:]
        if len(operands) != 2 or not isinstance(args[0], str):
            return None, (None, None)
        return (lambda a, b, *_: torch.einsum(args[0], a, b)), operands
    a, b = (
        (args[1], args[0])
        if call.name == "rmatmul"
        else (args[0], args[1] if len(args) > 1 else call.kwargs.get("other"))
    )
    return (lambda a, b, *_: torch.matmul(a, b)), (a, b)


def pulled(run: Callable[..., Tensor]) -> Callable[[Tensor, Tensor, Tensor | None], Tensor]:
    """Return the pull of an operation that is linear in x, by PyTorch."""

    def pull(s, x, w):
        with torch.enable_grad():
            at = x.detach().requires_grad_()
            return handed_back(run(at, w, None), at, s)

    return pull


def convolution(call: Call) -> Operation:
    """Return a convolution as an operation; over time and on a CPU it runs channels-last in two dimensions."""
    g = Geometry(call)
    flat = flat_memory if g.over_time else same
    weight, joins = flat(g.weight.detach()), g.known and g.groups == 1 and not g.transposed
    extra = [0] if g.over_time else []
    one = [1] if g.over_time else []
    sizes = ([*one, *g.stride], [*extra, *g.padding], [*one, *g.dilation])
    rest = (g.transposed, [*extra, *g.output_padding], g.groups)

    def run(x, w, b):
        return torch.ops.aten.convolution(flat(x), w, b, *sizes, *rest)

    def pull(s, x, w):
        return torch.ops.aten.convolution_backward(flat(s), flat(x), w, None, *sizes, *rest, [True, False, False])[0]

    if g.over_time:
        return Operation(
            lambda x, w, b: run(x, w, b).squeeze(2),
            lambda s, x, w: pull(s, x, w).squeeze(2),
            weight,
            _cut(g.bias),
            joins=True,
        )
    if g.known:
        return Operation(run, pull, weight, _cut(g.bias), merges=not g.transposed, joins=joins)
    rest, kwargs = call.args[3:], {k: v for k, v in call.kwargs.items() if k not in ("input", "weight", "bias")}

    def native(x, w, b):
        return call.func(x, w, b, *rest, **kwargs)

    return Operation(native, pulled(native), g.weight.detach(), _cut(g.bias), g.x.ndim - g.weight.ndim + 1)


def lrp(
    question: Question,
    x: Tensor,
    *,
    layers: Layers,
    input_rule: str = "same",
    attention: str = "constant",
    prepare: Callable | None = None,
    account: Account | None = None,
    **parameters: float | None,
) -> Tensor:
    """Propagate the explained score to the input (Bach et al. 2015), by the rules in ``layers``.

    Parameters
    ----------
    question : what is explained
    x : Tensor (N, ...)
    layers : rules for convolutions, dense layers and, where it differs, those that the input reaches first
    input_rule : rule of the first layers: "same" (as ``layers`` says), "z", "sign", "flat", "wsquare" or "zbox"
    attention : "constant": weights of attention are held constant; "attnlrp": they receive their share
    prepare : gets the replica that runs, before it does
    account : where to enter what biases keep and what is absorbed
    parameters : of the rules: epsilon, factor, gamma, alpha, beta, mu, low, high
    """
    if input_rule != "same":
        layers = layers._replace(first=(input_rule, {}))

    def part(rows: slice) -> Tensor:
        return _lrp(question.of(rows), x[rows], layers, attention, prepare, account, parameters)

    alone = "epsilon_std_x" in (layers.conv[0], layers.dense[0])
    return in_chunks(part, len(x), 1 if alone else LRP_CHUNK)


LRP_CHUNK = 16


def _lrp(
    question: Question,
    x: Tensor,
    layers: Layers,
    attention: str,
    prepare: Callable | None,
    account: Account | None,
    parameters: dict,
) -> Tensor:
    mode = Propagation(question.network, layers, parameters, attention, account)
    x = x.detach().requires_grad_()
    box = zbox_range(x.detach(), parameters.get("low"), parameters.get("high"))
    logits, ends_in = question.logits(mode.enter(x, box), mode, prepare)
    if not mode.carries(logits):
        raise ValueError(NOTHING)
    with torch.enable_grad():
        at = logits.detach().requires_grad_()
        score = question.score(at, ends_in)
        start = at.detach() * torch.autograd.grad(score.sum(), at)[0]
    relevance = gradient_of(logits, x, start)
    tell("explained", score.detach())
    tell("logits", logits.detach())
    tell("conserved", relevance.flatten(1).sum(1))
    return relevance


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
