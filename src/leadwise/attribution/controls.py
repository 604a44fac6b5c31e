"""Maps that ask no network: what a method has to beat before its map says anything about one.

They know nothing about the network, yet only white noise spreads evenly. Voltage, its square and its steepness lie
where waves are, and so, often, does a cause: on simulated bundle branch blocks the squared voltage lies on what
differs from the healthy twin better than most methods (``benchmarks/ground_truth.py``). Every function takes
``question``, which it leaves alone, and ``x`` (N, ...).
"""

import torch
from scipy.ndimage import uniform_filter1d
from torch import Tensor

from leadwise.attribution.gradients import baseline_like, normal
from leadwise.attribution.question import Question


def random(question: Question, x: Tensor, *, seed: int) -> Tensor:
    """Standard normal noise: spread evenly over whatever is asked about."""
    return normal(x.shape, torch.Generator().manual_seed(seed), x)


def magnitude(question: Question, x: Tensor) -> Tensor:
    """Size of the input, |x|."""
    return x.abs()


def square(question: Question, x: Tensor) -> Tensor:
    """Square of the input."""
    return x.square()


def axes_of(x: Tensor) -> tuple[int, ...]:
    """Return the axes along which an input has neighbours: time, or rows and columns; else its only one."""
    return tuple(range(2, x.ndim)) or (x.ndim - 1,)


def steepness(question: Question, x: Tensor) -> Tensor:
    """Size of the slope, by central differences, one-sided at the ends; of pictures that of the gradient: an edge map.

    Units of x per sample, or per pixel.
    """
    return torch.stack([_slope(x, axis).square() for axis in axes_of(x)]).sum(0).sqrt()


def _slope(x: Tensor, axis: int) -> Tensor:
    """Return the slope along one axis; 0 where it has one sample."""
    if x.shape[axis] < 2:
        return torch.zeros_like(x)
    return torch.gradient(x, dim=axis)[0]


def smoothed_steepness(question: Question, x: Tensor, *, width: int) -> Tensor:
    """Mean steepness of ``width`` neighbours along each axis: where much happens, as a smooth hill."""
    values = steepness(question, x).cpu().numpy()
    for axis in axes_of(x):
        values = uniform_filter1d(values, width, axis=axis, mode="nearest")
    return torch.from_numpy(values).to(x)


def difference(question: Question, x: Tensor, *, baseline: str | Tensor, seed: int) -> Tensor:
    """Input minus a reference, x - x': with the healthy twin of a simulated patient, what is ill about it."""
    return x - baseline_like(x, baseline, seed)
