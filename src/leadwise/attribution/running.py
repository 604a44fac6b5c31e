"""How a method runs: in chunks that fit the memory, with progress, on a model that is left as it was."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

# Copies of the input that go through the network at once. More is slower on a CPU (the cache overflows).
CHUNK = 8

# One explanation at a time: rules are hooks on the model, and two threads must not hook the same one at once.
LOCK = threading.RLock()

_progress: ContextVar[bool | Callable[[int, int], None]] = ContextVar("progress", default=True)


@contextmanager
def progress_to(progress: bool | Callable[[int, int], None]):
    """Send progress to a bar (True: shown after two seconds), nowhere (False), or a function of (done, total)."""
    token = _progress.set(progress)
    try:
        yield
    finally:
        _progress.reset(token)


class Progress:
    """Counts what is done of ``total`` and tells whoever ``progress_to`` named."""

    def __init__(self, total: int):
        self.total, self.done, self.report = total, 0, _progress.get()
        self.bar = None if callable(self.report) else tqdm(total=total, delay=2, leave=False, disable=not self.report)

    def advance(self, count: int = 1) -> None:
        """Report ``count`` more as done. A reporting function stops the method by raising."""
        self.done += count
        if callable(self.report):
            self.report(self.done, self.total)
        else:
            self.bar.update(count)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.bar is not None:
            self.bar.close()


def track(counts: Iterable[int], total: int) -> Iterator[int]:
    """Yield ``counts`` and report how many of ``total`` are done after each."""
    with Progress(total) as progress:
        for count in counts:
            yield count
            progress.advance(count)


@contextmanager
def counted(model: nn.Module, total: int):
    """Lend the model as a function that reports each evaluated sample: for libraries that loop by themselves."""
    with Progress(total) as progress:

        def forward(x: Tensor) -> Tensor:
            out = model(x)
            progress.advance(len(x))
            return out

        yield forward


def chunks(samples: int, batch: int) -> Iterator[int]:
    """Split ``samples`` repetitions of a batch into counts whose product with the batch stays near CHUNK."""
    size = max(1, CHUNK // batch)
    for start in range(0, samples, size):
        yield min(size, samples - start)


def in_chunks(function: Callable[[slice], Tensor], batch: int, size: int = CHUNK) -> Tensor:
    """Concatenate ``function(slice)`` over slices of a batch of at most ``size`` samples."""
    starts = range(0, batch, size)
    counts = track([min(size, batch - start) for start in starts], batch)
    return torch.cat([function(slice(start, start + count)) for start, count in zip(starts, counts, strict=True)])


@contextmanager
def borrowed(model: nn.Module):
    """Lend the model in evaluation mode with nothing in place; afterwards mode and in-place flags are as before."""
    training = [module for module in model.modules() if module.training]
    in_place = [module for module in model.modules() if getattr(module, "inplace", False)]
    try:
        for module in training:
            module.training = False
        for module in in_place:
            module.inplace = False  # type: ignore[assignment]
        yield model
    finally:
        for module in training:
            module.training = True
        for module in in_place:
            module.inplace = True  # type: ignore[assignment]


@contextmanager
def each_module_once(model: nn.Module, kinds: tuple[type[nn.Module], ...]):
    """Refuse, after the forward pass, a module of these kinds that ran more than once: rules are per module."""
    calls: dict[str, int] = {}

    def count(name):
        return lambda *_: calls.__setitem__(name, calls.get(name, 0) + 1)

    handles = [m.register_forward_pre_hook(count(name)) for name, m in model.named_modules() if isinstance(m, kinds)]

    def check():
        reused = sorted(name for name, times in calls.items() if times > 1)
        if reused:
            raise ValueError(
                f"the network uses module {', '.join(map(repr, reused))} more than once in a forward pass; "
                "this method attaches a rule to each module, so give every call a module of its own."
            )

    try:
        yield check
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def rectifiers_only(model: nn.Module, rule: Callable[[Tensor, Tensor], Tensor]):
    """Replace the backward pass of every ReLU by ``rule(output gradient, input)``; other activations keep theirs."""

    class Rectifier(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.clamp(min=0)

        @staticmethod
        def backward(ctx, grad):
            return rule(grad, *ctx.saved_tensors)

    handles = [
        module.register_forward_hook(lambda _, args, out: Rectifier.apply(args[0]))
        for module in model.modules()
        if isinstance(module, nn.ReLU)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _MaxByDifference(torch.autograd.Function):
    """Max-pooling for inputs (N, ...) followed by their baselines (N, ...); its backward pass is DeepLIFT's.

    What an output exceeds its baseline by goes to the input that is the largest of the window; where the baseline's
    output is larger, to the input at the place of the baseline's largest. Windows that overlap add up.
    """

    @staticmethod
    def forward(ctx, x, pool):
        options = (pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode)
        out, index = MAX_POOLS[type(pool).__base__](x, *options, return_indices=True)
        ctx.save_for_backward(x, out, index)
        return out

    @staticmethod
    def backward(ctx, grad):
        x, out, index = ctx.saved_tensors

        def to_the_largest(values):
            places = torch.zeros_like(x).flatten(2).scatter_add(2, index.flatten(2), values.flatten(2))
            return sum(places.view_as(x).chunk(2))

        (inputs, baselines), (out, start) = x.chunk(2), out.chunk(2)
        top = torch.maximum(out, start)
        shares = to_the_largest(grad * torch.cat([top - start, out - top]))
        change = inputs - baselines
        multiplier = torch.where(change.abs() < 1e-10, to_the_largest(grad) / 2, shares / change)
        return torch.cat([multiplier, multiplier]), None


MAX_POOLS = {
    nn.MaxPool1d: functional.max_pool1d,
    nn.MaxPool2d: functional.max_pool2d,
    nn.MaxPool3d: functional.max_pool3d,
}


def _by_difference(kind: type) -> type:
    """Return a kind of max-pooling whose backward pass is DeepLIFT's."""
    return type(kind.__name__, (kind,), {"forward": lambda self, x: _MaxByDifference.apply(x, self)})


BY_DIFFERENCE: dict[type[nn.Module], type] = {kind: _by_difference(kind) for kind in MAX_POOLS}


@contextmanager
def pools_by_difference(model: nn.Module):
    """Give every max-pooling the backward pass of DeepLIFT, by a class that captum lets alone.

    Captum's own rule for them comes too late where an activation stands in front, as in nearly every network: the
    activation has read the plain gradient by then. And where windows overlap, ``max_unpool`` keeps one of their shares
    (captum 0.9; part of it is known as issue 1276).
    """
    pools = [(module, type(module)) for module in model.modules() if type(module) in MAX_POOLS]
    try:
        for pool, kind in pools:
            pool.__class__ = BY_DIFFERENCE[kind]
        yield
    finally:
        for pool, kind in pools:
            pool.__class__ = kind


@contextmanager
def replaced(layer: nn.Module, output: Tensor):
    """Let a layer give this output, whatever comes in."""
    layer.forward = lambda *_: output
    try:
        yield
    finally:
        del layer.forward


def device_of(model: nn.Module, otherwise):
    """Return the device of the network's weights; ``otherwise`` for a network without any."""
    return next((weight.device for weight in model.parameters()), otherwise)


def first_weighted(model: nn.Module) -> nn.Module:
    """Return the first convolution or dense layer: the one that sees the input."""
    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
    layer = next((module for module in model.modules() if isinstance(module, kinds)), None)
    if layer is None:
        raise ValueError(f"{type(model).__name__} has no convolution and no dense layer to explain.")
    return layer


def sample_dims(model: nn.Module) -> int:
    """Return the number of dimensions of one sample: 2 for an ECG network (12, T), 3 for an image network (3, H, W)."""
    return {nn.Conv1d: 2, nn.Conv2d: 3, nn.Conv3d: 4, nn.Linear: 1}[type(first_weighted(model))]
