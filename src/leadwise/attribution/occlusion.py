"""Occlusion: what does the score do when a window of the input is taken away? Computed where the window reaches only.

Convolutions, poolings and whatever works place by place see a window of their input. As long as a network is a chain of
these, an occluded window changes a short stretch of each of its outputs; everything else stays as it was. So that
stretch is computed and set into the outputs of the whole input, and what follows the chain runs as ever.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from leadwise.attribution.gradients import baseline_like, normal
from leadwise.attribution.operations import (
    KINDS,
    LOWERED,
    POSITIONAL_IN_PLACE,
    Call,
    Explained,
    Lowered,
    NoRuleError,
    Signal,
    numbers,
    signal,
    tensors,
)
from leadwise.attribution.question import Question
from leadwise.networks.running import changes_in_place, natively
from leadwise.progress import CHUNK, Progress

Span = tuple[int, int]
"""First place, and the one behind the last."""

Box = list[Span]
"""A span along each axis."""


# --- Operations that see a window ------------------------------------------------------------------------


@dataclass(frozen=True)
class Axis:
    """What one output place sees along an axis: ``kernel`` places, ``dilation`` apart.

    The first output starts ``before`` places outside of the input, the next ones ``stride`` further each.
    """

    kernel: int = 1
    stride: int = 1
    before: int = 0
    dilation: int = 1

    @property
    def reach(self) -> int:
        """Places from the first that is seen to the last."""
        return self.dilation * (self.kernel - 1)

    def sees(self, span: Span) -> Span:
        """Return the inputs that a span of outputs sees; may lie outside of the input."""
        return span[0] * self.stride - self.before, (span[1] - 1) * self.stride - self.before + self.reach + 1

    def seen_by(self, span: Span, size: int) -> Span:
        """Return the outputs, of ``size``, that see any of a span of inputs; one at least."""
        first = max(0, -((self.reach - span[0] - self.before) // self.stride))
        first = min(first, size - 1)
        return first, max(first + 1, min(size, (span[1] - 1 + self.before) // self.stride + 1))


@dataclass(frozen=True, eq=False)
class Step:
    """One operation of the chain.

    Parameters
    ----------
    run : the operation, without padding
    axes : an ``Axis`` for each dimension of the places; empty where it works place by place
    fill : what stands outside of the input
    index : its number among the operations of a pass
    in_place : whether it writes into its input
    shape : of its output, without the batch
    """

    run: Callable[[Tensor], Tensor]
    axes: tuple[Axis, ...] = ()
    fill: float = 0.0
    index: int = 0
    in_place: bool = False
    shape: tuple[int, ...] = ()

    def whole(self, x: Tensor) -> Tensor:
        """Return its output for a whole input."""
        return self.run(padded(x, self.sees(self.places), self.fill)) if self.axes else self.run(x)

    @property
    def places(self) -> Box:
        """All places of the output."""
        return [(0, size) for size in self.shape[1:]]

    def sees(self, spans: Box) -> Box:
        """Return the places of the input that the spans of the output see."""
        return [axis.sees(span) for axis, span in zip(self.axes, spans, strict=True)]

    def move(self, spans: Box, sizes: tuple[int, ...]) -> "Move":
        """Return what is to do where the ``spans`` of an input with places of some ``sizes`` change."""
        ways = zip(self.axes, spans, self.shape[1:], strict=True)
        places = [axis.seen_by(span, size) for axis, span, size in ways]
        needed = self.sees(places)
        inside = [(max(0, a), min(size, b)) for (a, b), size in zip(needed, sizes, strict=True)]
        seen = [(max(a, c), max(a, c, min(b, d))) for (a, b), (c, d) in zip(spans, inside, strict=True)]
        return Move(
            inside,
            places,
            cut=shifted(seen, spans),
            within=shifted(seen, inside),
            padded=shifted(needed, inside),
            lengths=[b - a for a, b in inside],
        )

    def parts(self, x: Tensor, changed: "Pieces", spans: dict[int, Box]) -> tuple["Pieces", dict[int, Box]]:
        """Return what changes of its output, and where, with windows of the input x (1, C, ...).

        Parameters
        ----------
        changed : what the windows hold instead
        spans : where each window is
        """
        if not self.axes:
            return [(those, self.run(values)) for those, values in changed], spans
        moves = {i: self.move(span, x.shape[2:]) for i, span in spans.items()}
        pieces = {
            i: piece for those, values in changed for i, piece in zip(those, values.chunk(len(those)), strict=True)
        }
        alike: dict[tuple, list[int]] = {}
        for i, move in moves.items():
            alike.setdefault(move.form, []).append(i)
        found = []
        for those in alike.values():
            move, count = moves[those[0]], len(pieces[those[0]])
            around = room(x, len(those) * count, move.lengths)
            for i, part in zip(those, around.chunk(len(those)), strict=True):
                part.copy_(at(x, moves[i].inside))
                at(part, move.within).copy_(at(pieces[i], move.cut))
            found.append((those, self.run(padded(around, move.padded, self.fill))))
        return found, {i: move.places for i, move in moves.items()}


Pieces = list[tuple[list[int], Tensor]]
"""Numbers of windows, and what stands in them, (K, C, ...): for each of them the same number of copies, in order."""


@dataclass(frozen=True)
class Move:
    """From changed places of an operation's input to those of its output.

    Parameters
    ----------
    inside : the places of the input that are needed
    places : those of the output that change
    cut : of the changed places, those that are needed
    within : where these are in what is needed
    padded : what is needed with its padding, counted from its beginning
    lengths : of what is needed
    """

    inside: Box
    places: Box
    cut: Box
    within: Box
    padded: Box
    lengths: list[int]

    @property
    def form(self) -> tuple:
        """What moves have in common that do the same at several places."""
        return tuple(tuple(part) for part in (self.cut, self.within, self.padded, self.lengths))


def shifted(spans: Box, to: Box) -> Box:
    """Return spans counted from the beginnings of others."""
    return [(a - start, b - start) for (a, b), (start, _) in zip(spans, to, strict=True)]


def room(x: Tensor, rows: int, lengths: list[int]) -> Tensor:
    """Return an empty tensor (rows, C, *lengths) that lies in memory as x (N, C, ...) does: channels last or not."""
    if x.shape[1] > 1 and x.stride(1) == 1:
        return x.new_empty(rows, *lengths, x.shape[1]).movedim(-1, 1)
    return x.new_empty(rows, x.shape[1], *lengths)


def at(x: Tensor, spans: Box) -> Tensor:
    """Return a view of the places of x (N, C, ...)."""
    places: tuple = (..., *(slice(*span) for span in spans))
    return x[places]


def padded(x: Tensor, spans: Box, fill: float) -> Tensor:
    """Return the places of x (N, C, ...), with ``fill`` for those outside of it."""
    inside = at(x, [(max(0, a), min(size, b)) for (a, b), size in zip(spans, x.shape[2:], strict=True)])
    widths = [(max(0, -a), max(0, b - size)) for (a, b), size in zip(spans, x.shape[2:], strict=True)]
    if not any(map(any, widths)):
        return inside
    return functional.pad(inside, [width for pair in reversed(widths) for width in pair], value=fill)


def _given(call: Call, names: str) -> dict:
    return dict(zip(names.split(), call.args, strict=False)) | call.kwargs


def _run(name: str, *settings: Any, **options: Any) -> Callable[[Tensor], Tensor]:
    function, lowered = getattr(functional, name), LOWERED.get(name, Call.native)
    return lambda x: lowered(Call(name, function, (x, *settings), options))


def _conv(call: Call) -> Step | None:
    given = _given(call, "input weight bias stride padding dilation groups")
    weight = given["weight"]
    dims, kernel = weight.ndim - 2, weight.shape[2:]
    stride, dilation = (numbers(given.get(name, 1), dims) for name in ("stride", "dilation"))
    padding = given.get("padding", 0)
    if padding == "same":
        before = [d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True)]
    else:
        before = numbers(0 if padding == "valid" else padding, dims)
    settings, groups = (weight, given.get("bias"), stride, [0] * dims, dilation), given.get("groups", 1)
    return Step(
        _run(call.name, *settings, groups),
        tuple(map(Axis, kernel, stride, before, dilation)),
    )


def _max_pool(call: Call) -> Step | None:
    given = _given(call, "input kernel_size stride padding dilation ceil_mode return_indices")
    if given.get("return_indices"):
        return None
    dims = given["input"].ndim - 2
    kernel = numbers(given["kernel_size"], dims)
    stride = numbers(given.get("stride") or kernel, dims)
    before, dilation = numbers(given.get("padding", 0), dims), numbers(given.get("dilation", 1), dims)
    return Step(
        _run(call.name, kernel, stride, 0, dilation),
        tuple(map(Axis, kernel, stride, before, dilation)),
        fill=-torch.inf,
    )


def _avg_pool(call: Call) -> Step | None:
    given = _given(call, "input kernel_size stride padding ceil_mode count_include_pad divisor_override")
    dims = given["input"].ndim - 2
    kernel, before = numbers(given["kernel_size"], dims), numbers(given.get("padding", 0), dims)
    stride = numbers(given.get("stride") or kernel, dims)
    if given.get("ceil_mode") or (any(before) and not given.get("count_include_pad", True)):
        return None  # at the edges it divides by another number
    divisor = {key: given[key] for key in ("divisor_override",) if given.get(key)}
    return Step(_run(call.name, kernel, stride, **divisor), tuple(map(Axis, kernel, stride, before)))


def _pad(call: Call) -> Step | None:
    given = _given(call, "input pad mode value")
    dims, widths = given["input"].ndim - 2, list(given["pad"])
    if given.get("mode", "constant") != "constant" or len(widths) > 2 * dims:
        return None
    widths += [0] * (2 * dims - len(widths))
    return Step(lambda x: x, tuple(Axis(before=b) for b in reversed(widths[::2])), fill=given.get("value") or 0.0)


def _place_by_place(call: Call) -> Step | None:
    args, kwargs = call.args, call.kwargs
    inputs = [t for t in tensors(args) if signal(t)]
    position = next((i for i, arg in enumerate(args) if inputs and arg is inputs[0]), None)
    others = [t for t in tensors((*args, *kwargs.values())) if not inputs or t is not inputs[0]]
    fixed = call.name in ("prelu", "batch_norm")  # one number for each channel
    if position is None or not (fixed or all(_same_everywhere(t, inputs[0]) for t in others)):
        return None
    if call.name == "batch_norm" and kwargs.get("running_mean") is None:
        return None
    name, func, before, after = call.name, call.func, args[:position], args[position + 1 :]
    return Step(lambda x: natively(name, func, (*before, x, *after), kwargs))


def _same_everywhere(constant: Tensor, x: Tensor) -> bool:
    """Return whether a constant is the same for all samples and places of x."""
    places, batch = constant.shape[-(x.ndim - 2) :], constant.shape[: -(x.ndim - 1)]
    return constant.ndim <= x.ndim and all(size == 1 for size in (*places, *batch))


ELEMENTWISE = {
    name for name, kind in KINDS.items() if kind in ("pointwise", "addition", "multiplication", "batch_norm")
}
STEPS: dict[str, Callable[[Call], Step | None]] = {
    **dict.fromkeys(ELEMENTWISE | {"contiguous", "clone", "identity", "alias"}, _place_by_place),
    **{f"conv{dims}d": _conv for dims in (1, 2, 3)},
    **{f"max_pool{dims}d": _max_pool for dims in (1, 2, 3)},
    **{f"avg_pool{dims}d": _avg_pool for dims in (1, 2, 3)},
    "pad": _pad,
}
"""Operation -> what is known of one that sees a window of its input, or None where it does not after all."""


def local(call: Call, x: Tensor) -> Step | None:
    """Return an operation on x (N, C, ...) as a step, or None where it sees more than a window of each sample."""
    if call.name not in STEPS or x.ndim < 3:
        return None
    if STEPS[call.name] is _place_by_place:
        return _place_by_place(call)
    dims = int(call.name[-2]) if call.name[-1] == "d" and call.name != "pad" else x.ndim - 2
    first = call.args[0] if call.args else call.kwargs["input"]
    return STEPS[call.name](call) if first is x and dims == x.ndim - 2 else None


# --- The chain of them at a network's beginning ------------------------------------------------------------


class Search(Explained):
    """A pass that finds the chain of operations, from the input on, that see a window and feed nothing but the next."""

    def __init__(self, question: Question):
        super().__init__(question.network, "the search for local operations")
        self.count, self.open, self.in_place = 0, True, False
        self.chain: list[Step] = []
        self.signals: list[Signal] = []

    def enter(self, x: Tensor, box: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Return x as the input of the pass."""
        x = super().enter(x, box)
        self.signals = [signal(x)]
        return x

    def operate(self, name: str, func: Callable, args: tuple, kwargs: dict) -> Any:
        """Run one operation, and count it."""
        self.count += 1
        positional = name in POSITIONAL_IN_PLACE and args[-1] is True
        self.in_place = changes_in_place(func) or bool(kwargs.get("inplace")) or positional
        return super().operate(name, func, args, kwargs)

    def follow(self, out: Any, call: Call, signals: list[Tensor]) -> None:
        """Add an operation to the chain; cut the chain where one of its outputs is used once more."""
        super().follow(out, call, signals)
        known = [signal(t) for t in signals]
        if isinstance(out, Tensor) and len(known) == 1 and signal(out) is known[0]:
            return  # the same tensor, handed on
        used = [i for i, one in enumerate(self.signals) if one in known]
        at_end = used == [len(self.signals) - 1] and len(known) == 1
        if used and not at_end:
            self.signals, self.chain = self.signals[: used[0] + 1], self.chain[: used[0]]
        step = local(call, signals[0]) if self.open and at_end else None
        self.open = step is not None and isinstance(out, Tensor) and signal(out) is not None
        if self.open:
            self.signals.append(signal(out))
            self.chain.append(Step(step.run, step.axes, step.fill, self.count, self.in_place, tuple(out.shape[1:])))


class Behind(Lowered):
    """A pass in which the operations of a chain are not run; what the last of them gives is given.

    Parameters
    ----------
    question : whose network runs
    steps : the chain
    given : output of its last operation
    """

    def __init__(self, question: Question, steps: list[Step], given: Tensor):
        super().__init__(question.network.module)
        self.steps, self.given, self.count = {step.index: step for step in steps}, given, 0

    def operate(self, name: str, func: Callable, args: tuple, kwargs: dict) -> Any:
        """Run one operation, unless it belongs to the chain."""
        self.count += 1
        step = self.steps.get(self.count)
        if step is None:
            return super().operate(name, func, args, kwargs)
        if self.count == max(self.steps):
            return self.given
        return nothing(self.given, step.shape)


def nothing(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return what has a shape (N, ...) and takes no memory."""
    return like.new_zeros(()).expand(len(like), *shape)


def local_steps(question: Question, x: Tensor) -> list[Step]:
    """Return the chain of local operations with which the network starts; empty where it has none.

    Parameters
    ----------
    x : one sample (1, C, ...)
    """
    search = Search(question)
    try:
        with torch.enable_grad():
            question.network.run(search.enter(x), search)
    except NoRuleError:  # its inside can't be seen
        return []
    return ended(search.chain)


def ended(steps: list[Step]) -> list[Step]:
    """Return a chain without what at its end works place by place in place, which the network goes on to use."""
    while steps and (steps[-1].in_place or not any(step.axes for step in steps)):
        steps = steps[:-1]
    return steps


# --- Occlusion -------------------------------------------------------------------------------------------


class Occluded:
    """One sample, and its score with parts of it replaced.

    Parameters
    ----------
    question : what is explained of that sample
    x : Tensor (1, C, ...)
    steps : chain of local operations at the beginning of the network; may be empty
    shape : what the network takes x as, without the batch
    """

    def __init__(self, question: Question, x: Tensor, steps: list[Step], shape: tuple[int, ...]):
        self.question, self.x, self.steps, self.shape = question, x, steps, shape
        self.outputs = [x]
        for step in steps:
            self.outputs.append(step.whole(self.outputs[-1]))
        self.size = CHUNK * max(1, x.numel() // self.outputs[-1].numel())

    def features(self, values: list[Tensor], windows: list[Box]) -> Tensor:
        """Return the chain's output for copies of the sample with other values (K, C, ...) in windows, in order."""
        changed, spans = [([i], value) for i, value in enumerate(values)], dict(enumerate(windows))
        for step, x in zip(self.steps, self.outputs, strict=False):
            changed, spans = step.parts(x, changed, spans)
        out = self.outputs[-1].expand(sum(map(len, values)), *[-1] * (self.outputs[-1].ndim - 1)).clone()
        rows = out.chunk(len(windows))
        for those, found in changed:
            for i, piece in zip(those, found.chunk(len(those)), strict=True):
                at(rows[i], spans[i]).copy_(piece)
        return out

    def scores(self, features: Tensor) -> Tensor:
        """Return the scores (K,) that belong to outputs of the chain (K, ...)."""
        return torch.cat([self._scores(part) for part in features.split(self.size)])

    def _scores(self, features: Tensor) -> Tensor:
        question = self.question.repeated(len(features))
        if not self.steps:
            return question.scores(features.view(len(features), *self.shape))
        return question.scores(nothing(features, self.x.shape[1:]), Behind(question, self.steps, features))

    def fall(
        self, start: Tensor, windows: list[Box], groups: int = 1, advance: Callable[[int], None] = lambda count: None
    ) -> Tensor:
        """Return by how much the score falls, (windows, groups), when a group of channels has a baseline in a window.

        Parameters
        ----------
        start : the baseline, shaped like x
        groups : 1 for all channels at once, else their number
        advance : gets the number of evaluations that are done
        """
        before, found = self.scores(self.outputs[-1].clone()), self.x.new_empty(len(windows), groups)
        advance(1)
        size = max(1, self.size * (4 if self.steps else 1) // groups)
        for first in range(0, len(windows), size):
            spans = windows[first : first + size]
            values = [taken(self.x, start, window, groups) for window in spans]
            scores = self.scores(self.features(values, spans))
            found[first : first + size] = before - scores.view(-1, groups)
            advance(len(scores))
        return found


SHARE = 0.5
"""Where a window changes more than this share of an operation's output, all of it is computed, many copies at once."""


def short(steps: list[Step], x: Tensor, window: Box) -> list[Step]:
    """Return the chain up to where a window of x (1, C, ...) changes most of an output."""
    sizes: tuple[int, ...] = tuple(x.shape[2:])
    for count, step in enumerate(steps):
        if step.axes:
            window, sizes = step.move(window, sizes).places, step.shape[1:]
            if math.prod(b - a for a, b in window) > SHARE * math.prod(sizes):
                return ended(steps[:count])
    return steps


def verified(question: Question, x: Tensor, windows: list[Box], steps: list[Step]) -> list[Step]:
    """Return the chain if it gives the scores that the whole network gives, else an empty one.

    Tried are noise in the first, the middle and the last window of one sample x (1, C, ...).
    """
    if not steps:
        return []
    plain = Occluded(question, x, [], tuple(x.shape[1:]))
    noise = x + x.std() * normal(x.shape, torch.Generator().manual_seed(0), x)
    tolerance = max(1e-9, 200 * torch.finfo(x.dtype).eps)
    try:
        quick = Occluded(question, x, steps, tuple(x.shape[1:]))
        tried = [windows[0], windows[len(windows) // 2], windows[-1]]
        values = [at(noise, window) for window in tried]
        one, other = (way.scores(way.features(values, tried)) for way in (plain, quick))
    except (RuntimeError, ValueError, TypeError, IndexError):  # the network looks at its input in another way as well
        return []
    return steps if ((one - other).abs() <= tolerance * (1 + one.abs())).all() else []


def sliding(shape: tuple[int, ...], window: int, stride: int) -> list[Box]:
    """Return where a window stands that slides over places of a shape; those at the end may be cut off."""
    ways = []
    for size in shape:
        width = min(window, size)
        step = min(stride, width)
        ways.append([(a, min(a + width, size)) for a in range(0, -(-(size - width) // step) * step + 1, step)])
    return [list(spans) for spans in product(*ways)]


def occlusion(
    question: Question,
    x: Tensor,
    *,
    window: int,
    stride: int,
    leads: str = "each",
    baseline: str | Tensor = "zero",
    seed: int = 0,
) -> Tensor:
    """Fall of the explained score when a sliding window is replaced by the baseline (Zeiler & Fergus 2014).

    Each sample's relevance is the mean over the windows that cover it. ``leads`` occludes "each" lead alone or "all"
    together; images lose all colours together. Inputs without channels, (N, F), lose a window of features.
    """
    start, shape = baseline_like(x, baseline, seed), x.shape
    x, start = (t[:, None] if t.ndim == 2 else t for t in (x, start))
    windows = sliding(tuple(x.shape[2:]), window, stride)
    groups = x.shape[1] if leads == "each" and x.ndim == 3 else 1
    relevance, covered = torch.zeros_like(x), torch.zeros_like(x[:1])
    for spans in windows:
        at(covered, spans).add_(1)
    with torch.no_grad(), Progress(len(x) * (1 + groups * len(windows))) as progress:
        first = question.of(slice(0, 1))
        steps = short(local_steps(first, x[:1]), x[:1], windows[len(windows) // 2]) if x.ndim == len(shape) else []
        steps = verified(first, x[:1], windows, steps)
        for n in range(len(x)):
            one = slice(n, n + 1)
            sample = Occluded(question.of(one), x[one], steps, shape[1:])
            falls = sample.fall(start[one], windows, groups, progress.advance)
            for spans, by in zip(windows, falls.view(*falls.shape, *[1] * (x.ndim - 2)), strict=True):
                at(relevance[n], spans).add_(by)
    return (relevance / covered).view(shape)


def taken(x: Tensor, start: Tensor, spans: Box, groups: int) -> Tensor:
    """Return the window of x (1, C, ...) once for each group of channels, (groups, C, ...), which has the baseline."""
    if groups == 1:
        return at(start, spans)
    values = at(x, spans).repeat(groups, *[1] * (x.ndim - 1))
    rows = torch.arange(groups, device=x.device)
    values[rows, rows] = at(start, spans)[0]
    return values
