"""Does the network use what the map marks? Take it away, or put it back, and see what the network says.

Deletion starts from the input and replaces one unit (a patch of pixels, a segment of one lead) after the other;
insertion starts from the replacement and brings the units back. The order is that of the map: "morf", most relevant
first, or "lerf", least relevant first. Under a faithful map deletion in "morf" order falls fast, in "lerf" order late.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.integrate import trapezoid
from torch import Tensor, nn

from leadwise.attribution.perturbation import features
from leadwise.attribution.question import pick
from leadwise.ecg.filters import PUBLISHED_FS
from leadwise.evaluation.inputs import by_leads, usual_unit
from leadwise.evaluation.replacement import Reference, impute, replace
from leadwise.evaluation.statistics import Estimate, bootstrap, student
from leadwise.maps import as_maps, one_of
from leadwise.networks.network import Network, network_of
from leadwise.progress import in_chunks, progress_to

STEPS = 20

# (sums of relevance (N, units), random numbers (N, units)) -> key: the smallest goes first.
ORDERS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "morf": lambda sums, draws: -sums,
    "lerf": lambda sums, draws: sums,
    "random": lambda sums, draws: draws,
}
"""Most relevant first, least relevant first, and the order of white noise."""

SCORES: dict[str, Callable[[Network, Tensor], Tensor]] = {
    "logit": Network.logits,
    "probability": Network.probability,
}
"""What is followed, (N, classes): the logits, or the probabilities as the network means them."""


@dataclass(frozen=True, eq=False)
class Curve:
    """What a network says while its input is taken away or brought back.

    Parameters
    ----------
    fractions : ndarray (steps + 1,), share of the units that are exchanged, from 0 to 1
    values : ndarray (N, steps + 1), logit or probability of the target
    kind : "deletion" or "insertion"
    order : "morf", "lerf" or "random"
    replacement : a key of ``REPLACEMENTS``
    score : "logit" or "probability"
    unit : side of a patch in pixels, or length of a segment in samples
    """

    fractions: np.ndarray
    values: np.ndarray
    kind: str
    order: str
    replacement: str
    score: str
    unit: int

    @property
    def auc(self) -> np.ndarray:
        """Area under each curve, (N,), by trapezoids (Petsiuk et al. 2018).

        Low is good for deletion, high for insertion; in "lerf" order it is the other way round.
        """
        return trapezoid(self.values, self.fractions, axis=1)

    @property
    def area(self) -> Estimate:
        """Mean of :attr:`auc` with Student's 95 % interval over the samples."""
        return student(self.auc)

    @property
    def aopc(self) -> np.ndarray:
        """Mean fall from the start over all points, (N,): area over the curve (Samek et al. 2017, equation 12).

        High is good for deletion in "morf" order. On insertion curves, which rise, it is negative.
        """
        return (self.values[:, :1] - self.values).mean(1)

    @property
    def mean(self) -> np.ndarray:
        """Mean curve over the samples, (steps + 1,)."""
        return self.values.mean(0)

    def interval(self, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Return the bootstrap interval of :attr:`mean` at each point: low and high, each (steps + 1,).

        The interval of an area is ``bootstrap(curve.auc)``.
        """
        found = bootstrap(self.values, level=level, resamples=resamples, seed=seed)
        return np.asarray(found.low), np.asarray(found.high)


def deletion(
    model: nn.Module | Network,
    x: Tensor,
    relevance: Tensor | None,
    target: int | Tensor | None = None,
    *,
    order: str = "morf",
    steps: int | None = None,
    replacement: str = "zero",
    unit: int | None = None,
    reference: Reference = None,
    score: str = "logit",
    seed: int = 0,
    progress: bool | Callable[[int, int], None] = True,
) -> Curve:
    """Replace unit after unit of the input and follow the target: pixel flipping.

    Bach et al. 2015, doi:10.1371/journal.pone.0130140; by patches: Samek et al. 2017, Evaluating the visualization of
    what a deep neural network has learned, doi:10.1109/TNNLS.2016.2599820; as "deletion": Petsiuk et al. 2018, RISE,
    arXiv:1806.07421.

    Parameters
    ----------
    model : (N, ...) -> logits (N, classes); left as it was
    x : Tensor (N, 12, T) in mV or (N, 3, H, W), or in the layout of a Network
    relevance : shaped like x; a unit counts with the sum over it, with the signs. Of maps whose sign says nothing about
        evidence (gradient, SmoothGrad) give ``relevance.abs()``. None will do for "random"
    target : class to follow, one or (N,); None is the arg-max logit of each sample of x
    order : "morf", "lerf" or "random"; units of equal relevance follow each other at random
    steps : points after the start, evenly spaced in units, by default 20 or one for each unit if there are fewer; each
        costs a forward pass per sample
    replacement : a key of ``REPLACEMENTS``
    unit : segment of one lead in samples, by default 0.1 s, at 500 Hz where the network does not say its rate; or side
        of a patch in pixels, all colours, by default 16
    reference : for the replacements "counterfactual" and "neighbouring beat", see
        :func:`leadwise.evaluation.replacement.replace`
    score : "logit", or "probability", the softmax or sigmoid that the network means, which saturates
    seed : of ties, random orders and the replacement "noise"
    progress : as in ``attribute``; counted are forward passes of one sample

    Returns
    -------
    Curve : values[:, 0] is the input, values[:, -1] the replacement

    Raises
    ------
    ValueError : shapes that don't fit, NaN, unknown words, more steps than units, or probabilities of a network that
        does not say whether its classes exclude each other
    """
    task = _prepared(model, x, relevance, target, order, steps, replacement, unit, reference, score, seed)
    return _follow(task, task.x, task.other, "deletion", progress)


def insertion(
    model: nn.Module | Network,
    x: Tensor,
    relevance: Tensor | None,
    target: int | Tensor | None = None,
    *,
    order: str = "morf",
    steps: int | None = None,
    replacement: str = "zero",
    unit: int | None = None,
    reference: Reference = None,
    score: str = "logit",
    seed: int = 0,
    progress: bool | Callable[[int, int], None] = True,
) -> Curve:
    """Bring unit after unit of the input back into its replacement and follow the target (Petsiuk et al. 2018).

    Parameters and errors are those of :func:`deletion`. With "morf" a faithful map makes the curve rise early.

    Returns
    -------
    Curve : values[:, 0] is the replacement, values[:, -1] the input
    """
    task = _prepared(model, x, relevance, target, order, steps, replacement, unit, reference, score, seed)
    return _follow(task, task.other, task.x, "insertion", progress)


def road(
    model: nn.Module | Network,
    x: Tensor,
    relevance: Tensor | None,
    target: int | Tensor | None = None,
    *,
    order: str = "morf",
    steps: int | None = None,
    unit: int | None = None,
    noise: float = 0.01,
    score: str = "logit",
    seed: int = 0,
    progress: bool | Callable[[int, int], None] = True,
) -> Curve:
    """Remove unit after unit so that the hole tells nothing: "remove and debias".

    Rong et al. 2022, A consistent and efficient evaluation strategy for attribution methods, arXiv:2202.00449. Where a
    replacement has edges, the shape of what was taken away is still to be seen, and a network may read it. Here what is
    gone is filled from its surroundings (:func:`leadwise.evaluation.replacement.impute`), with a little noise.

    Parameters
    ----------
    noise : standard deviation of what is added to the filling, in units of x
    model, x, relevance, target, order, steps, unit, score, seed, progress : as for :func:`deletion`

    Returns
    -------
    Curve : its replacement is "imputation"; the last point, where nothing is left to fill from, is the mean of x
    """
    task = _prepared(model, x, relevance, target, order, steps, "imputation", unit, None, score, seed)
    draws = noise * torch.randn(task.x.shape, generator=torch.Generator().manual_seed(seed)).to(task.x)

    def filled(i: Tensor, gone: Tensor) -> Tensor:
        gone = gone.expand(len(i), *task.x.shape[1:])
        whole = torch.stack([impute(task.x[k], hole) for k, hole in zip(i, gone, strict=True)])
        return torch.where(gone, whole + draws[i], whole)

    return _curve(task, filled, "deletion", progress)


@dataclass(frozen=True, eq=False)
class _Task:
    """What :func:`_follow` needs: input and replacement, each unit's place in the order (N, units), and so on."""

    network: Network  # with leads first
    x: Tensor
    other: Tensor | None  # None where what stands in depends on what else is gone
    target: Tensor
    grid: Tensor  # number of the unit of each element, shaped like one sample
    places: Tensor
    counts: Tensor  # units exchanged at each point (steps + 1,)
    order: str
    replacement: str
    score: str
    unit: int


def _prepared(
    model,
    x,
    relevance,
    target,
    order,
    steps,
    replacement,
    unit,
    reference: Reference,
    score,
    seed,
) -> _Task:
    key = ORDERS[one_of("order", order, ORDERS)]
    one_of("score", score, SCORES)
    network, x, classes, relevance = by_leads(model, x, target, relevance)
    reference = network_of(model).by_leads(reference) if isinstance(reference, Tensor | np.ndarray) else reference
    unit = _whole("unit", usual_unit(network, x) if unit is None else unit, max(x.shape[2:]))
    grid = features(x, unit)[0]
    units = int(grid.max()) + 1
    steps = _whole("steps", min(STEPS, units) if steps is None else steps, units, f"; {unit} makes {units} units")
    sums = _sums(x, relevance, grid, units, order)
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(sums.shape, generator=generator, dtype=torch.float64)
    shuffled = draws.argsort(dim=1)  # a stable sort of shuffled units breaks ties at random
    first = shuffled.gather(1, key(sums, draws).gather(1, shuffled).argsort(dim=1, stable=True))
    places = first.argsort(dim=1).to(x.device)
    counts = (torch.arange(steps + 1, dtype=torch.float64) * units / steps).round().long().to(x.device)
    other = None
    if replacement != "imputation":
        other = replace(x, replacement, reference, seed, fs=network.fs or PUBLISHED_FS)
    return _Task(network, x, other, classes, grid, places, counts, order, replacement, score, unit)


def _whole(name: str, value, highest: int, why: str = "") -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 1 <= value <= highest:
        raise ValueError(f"{name} is {value!r}; expected a whole number from 1 to {highest}{why}.")
    return int(value)


def _sums(x: Tensor, relevance, grid: Tensor, units: int, order: str) -> Tensor:
    """Return the relevance of each unit, float64 (N, units), on the CPU."""
    if relevance is None and order == "random":
        return torch.zeros(len(x), units, dtype=torch.float64)
    if relevance is None:
        raise ValueError(f'relevance is None; expected a map of shape {tuple(x.shape)}, as x, or order="random".')
    maps = torch.from_numpy(as_maps(relevance, x.shape))
    grid = grid.cpu() if x.ndim == 3 else grid[0].cpu()
    return torch.zeros(len(x), units, dtype=torch.float64).index_add_(1, grid.flatten(), maps.flatten(1))


def _follow(task: _Task, start: Tensor, end: Tensor, kind: str, progress) -> Curve:
    """Ask the network at every point of every sample's curve: units before ``count`` show ``end``."""
    return _curve(task, lambda i, gone: torch.where(gone, end[i], start[i]), kind, progress)


def _curve(task: _Task, mixed: Callable[[Tensor, Tensor], Tensor], kind: str, progress) -> Curve:
    """Ask the network at every point of every sample's curve, in chunks.

    Parameters
    ----------
    mixed : (numbers of M samples, bool shaped like them: which elements are exchanged) -> M inputs
    """
    points = len(task.counts)
    ask = SCORES[task.score]

    def values(part: slice) -> Tensor:
        flat = torch.arange(part.start, part.stop, device=task.x.device)
        i, point = flat // points, flat % points
        exchanged = task.places[i][:, task.grid] < task.counts[point].view(-1, *[1] * (task.x.ndim - 1))
        return pick(ask(task.network, mixed(i, exchanged)), task.target[i])

    with torch.no_grad(), progress_to(progress):
        found = in_chunks(values, len(task.x) * points).view(len(task.x), points)
    fractions = (task.counts.double() / task.places.shape[1]).cpu().numpy()
    settings = (kind, task.order, task.replacement, task.score, task.unit)
    return Curve(fractions, found.double().cpu().numpy(), *settings)
