"""What a long computation tells about itself, and how its repetitions are cut into pieces that fit the memory."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor
from tqdm import tqdm

# Copies of the input that go through the network at once. More is slower on a CPU (the cache overflows).
CHUNK = 8

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
        self.bar = tqdm(total=total, delay=2, leave=False) if self.report is True else None

    def advance(self, count: int = 1) -> None:
        """Report ``count`` more as done. A reporting function stops the method by raising."""
        self.done += count
        if callable(self.report):
            self.report(self.done, self.total)
        elif self.bar is not None:
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


def chunks(samples: int, batch: int) -> Iterator[int]:
    """Split ``samples`` repetitions of a batch into counts whose product with the batch stays near CHUNK."""
    size = max(1, CHUNK // batch)
    for start in range(0, samples, size):
        yield min(size, samples - start)


def in_chunks(function: Callable[[slice], Tensor], batch: int, size: int = CHUNK) -> Tensor:
    """Concatenate ``function(slice)`` over slices of a batch of at most ``size`` samples."""
    starts = range(0, batch, size)
    counts = track([min(size, batch - start) for start in starts], batch)
    parts = [function(slice(start, start + count)) for start, count in zip(starts, counts, strict=True)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)
