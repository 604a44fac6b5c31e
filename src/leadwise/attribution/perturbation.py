"""Methods that only ask: what does the score do when parts of the input are taken away?

The parts of KernelSHAP and LIME are segments of leads, or patches of an image; those of RISE are soft masks. All of
them draw at random, and tell how far the maps of two halves of what they drew agree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import torch
from torch import Tensor
from torch.nn import functional

from leadwise.attribution.gradients import baseline_like, correlations
from leadwise.attribution.question import Question, tell
from leadwise.progress import chunks, track


def features(x: Tensor, segment: int) -> Tensor:
    """Number the parts of one sample (1, C, ...), from 0: lead x segment for ECGs, square patches for images.

    Parameters
    ----------
    x : Tensor (N, C, T), (N, C, H, W), or (N, F) as one lead
    segment : length of a segment in samples, or side of a patch in pixels
    """
    if x.ndim == 2:
        return features(x[:, None], segment)[:, 0]
    parts = [torch.arange(size) // segment for size in x.shape[2:]]
    if x.ndim == 3:
        parts = [torch.arange(x.shape[1]), *parts]
    grid = torch.zeros([len(part) for part in parts], dtype=torch.long)
    for axis, part in enumerate(parts):
        grid = grid * (int(part.max()) + 1) + part.view([-1 if i == axis else 1 for i in range(len(parts))])
    return (grid if x.ndim == 3 else grid.expand(x.shape[1:]))[None].to(x.device)


def answers(question: Question, x: Tensor, start: Tensor, mask: Tensor, kept: Tensor) -> Tensor:
    """Return the scores (M, N) of x (N, ...) where only M coalitions (M, K) of its K features stay.

    Parameters
    ----------
    start : baseline that stands for what is removed, shaped like x
    mask : number of each place's feature, as ``features`` gives it
    kept : Tensor (M, K), bool
    """
    found, done = [], 0
    with torch.no_grad():
        for count in track(chunks(len(kept), len(x)), len(kept)):
            stays = kept[done : done + count].to(x.device)[:, mask]
            copies = torch.where(stays, x, start).flatten(0, 1)
            found.append(question.repeated(count).scores(copies).view(count, len(x)))
            done += count
    return torch.cat(found).double().cpu()


def spread_out(values: Tensor, mask: Tensor, x: Tensor) -> Tensor:
    """Return values (N, K) of features as a map like x: shared out evenly, so that sums over leads or waves add up."""
    sizes = torch.bincount(mask.flatten())
    return (values.to(sizes.device) / sizes)[:, mask[0]].to(x)


@dataclass(frozen=True)
class Coalitions:
    """Which features stay, and how much each coalition counts.

    Parameters
    ----------
    kept : Tensor (M, K), bool
    weights : Tensor (M,), float64
    half : Tensor (M,): 0 or 1 for what was drawn first and second, -1 for what was not drawn but counted through
    """

    kept: Tensor
    weights: Tensor
    half: Tensor

    def halves(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the rows, and their weights, of each half; nothing where there is nothing to draw."""
        drawn = self.half >= 0
        for one in (0, 1) if drawn.any() else ():
            rows, more = (self.half == one) | ~drawn, self.weights[drawn].sum() / self.weights[self.half == one].sum()
            yield rows, torch.where(drawn, more * self.weights, self.weights)[rows]


def subsets(features: int, size: int) -> Tensor:
    """Return all coalitions of a size, (M, K)."""
    members = torch.tensor(list(combinations(range(features), size)), dtype=torch.long)
    members = members.view(comb(features, size), size)
    return torch.zeros(len(members), features, dtype=torch.bool).scatter(1, members, True)


def paired(kept: Tensor) -> tuple[Tensor, Tensor]:
    """Return coalitions (P, K) each followed by the others that it leaves out, (2 P, K), and which half they are of."""
    half = (torch.arange(len(kept)) >= len(kept) // 2).long()
    return torch.stack([kept, ~kept], 1).flatten(0, 1), half.repeat_interleave(2)


def of_size(features: int, size: int) -> Tensor:
    """Return all coalitions of a size, and of as many left out, (M, K)."""
    found = subsets(features, size)
    return found if 2 * size == features else torch.cat([found, ~found])


def counted_sizes(features: int, samples: int, mass: dict[int, float]) -> int:
    """Return how many of the sizes 1, 2, ... are counted through: those of which no more coalitions exist than drawn.

    Parameters
    ----------
    mass : weight of each size and of its complement
    """
    if samples >= 2**features - 2:
        return len(mass)
    left, heavy = samples, sum(mass.values())
    for done, size in enumerate(mass):
        number = comb(features, size) * (1 if 2 * size == features else 2)
        if left * mass[size] / heavy < number:
            return done
        left, heavy = left - number, heavy - mass[size]
    return len(mass)


def shapley_coalitions(features: int, samples: int, seed: int) -> Coalitions:
    """Return coalitions with the weights of theorem 2 in Lundberg & Lee 2017.

    Sizes whose coalitions are few are counted through, from 1 and K - 1 on; the rest is drawn by weight, each
    coalition with its complement (Covert & Lee 2021, section 4.2).
    """
    mass = {s: (1 if 2 * s == features else 2) / (s * (features - s)) for s in range(1, features // 2 + 1)}
    mass = {s: weight / sum(mass.values()) for s, weight in mass.items()}
    counted = counted_sizes(features, samples, mass)
    kept = [torch.zeros(0, features, dtype=torch.bool), *(of_size(features, s) for s in list(mass)[:counted])]
    shares = [0.0, *list(mass.values())[:counted]]
    whole = Coalitions(*_even(kept, shares), torch.full((sum(map(len, kept)),), -1))
    if counted == len(mass):
        return whole
    generator, rest = torch.Generator().manual_seed(seed), list(mass)[counted:]
    chances, pairs = torch.tensor([mass[s] for s in rest]), max(2, (samples - len(whole.kept)) // 2)
    sizes = torch.tensor(rest)[torch.multinomial(chances, pairs, replacement=True, generator=generator)]
    ranks = torch.rand(pairs, features, generator=generator).argsort(1).argsort(1)
    drawn, half = paired(ranks < sizes[:, None])
    masks, weights = _even([*kept, drawn], [*shares, sum(mass[s] for s in rest)])
    return Coalitions(masks, weights, torch.cat([whole.half, half]))


def _even(kept: list[Tensor], shares: list[float]) -> tuple[Tensor, Tensor]:
    """Return groups of coalitions as one, and the weights: the share of a group is the same for all of its members."""
    weights = [
        torch.full((len(group),), share / max(1, len(group)), dtype=torch.float64)
        for group, share in zip(kept, shares, strict=True)
    ]
    return torch.cat(kept), torch.cat(weights)


def shapley_values(kept: Tensor, weights: Tensor, scores: Tensor, change: Tensor) -> Tensor:
    """Return the values (N, K) that fit the scores (M, N) of coalitions best and sum to the ``change`` (N,) of all.

    Weighted least squares among values of that sum (Lundberg & Lee 2017, eq. 5, without the two infinite weights).
    """
    features = kept.shape[1]
    even = change[:, None].expand(-1, features) / features
    apart = torch.eye(features, dtype=torch.float64) - 1 / features
    z = kept.double()
    missing = scores - z @ even.T
    z = z @ apart
    root = weights.sqrt()[:, None]
    return even + torch.linalg.lstsq(root * z, root * missing, driver="gelsd").solution.T


def kernel_shap(
    question: Question, x: Tensor, *, samples: int, segment: int, baseline: str | Tensor = "zero", seed: int = 0
) -> Tensor:
    """Shapley values of segments by weighted regression (Lundberg & Lee 2017, theorem 2).

    A segment's value is shared out evenly among its samples. The map sums to the change of the score from the baseline.
    """
    start, mask = baseline_like(x, baseline, seed), features(x, segment)
    drawn = shapley_coalitions(int(mask.max()) + 1, samples, seed)
    ends = torch.tensor([[False], [True]]).expand(2, drawn.kept.shape[1])
    nothing, everything, *_ = scores = answers(question, x, start, mask, torch.cat([ends, drawn.kept]))
    scores, change = scores[2:] - nothing, everything - nothing
    parts: list[tuple] = [(slice(None), drawn.weights), *drawn.halves()]
    maps = [
        spread_out(shapley_values(drawn.kept[rows], weights, scores[rows], change), mask, x) for rows, weights in parts
    ]
    return stated(maps, change)


def stated(maps: list[Tensor], change: Tensor | None = None) -> Tensor:
    """Return the first of three maps, of all and of each half of the samples; tell how far the halves agree."""
    if len(maps) == 3:
        tell("halves", correlations(*maps[1:]))
    if change is not None:
        tell("difference", change)
        tell("summed", maps[0].flatten(1).double().sum(1).cpu())
    return maps[0]


def lime_coalitions(features: int, samples: int, seed: int) -> Coalitions:
    """Return coalitions in which each feature stays or not with equal chances, each with its complement.

    Where there are no more than ``samples`` of them, all are counted through.
    """
    if 2**features <= samples:
        kept = torch.cat([subsets(features, size) for size in range(features + 1)])
        weights = torch.full((len(kept),), samples / len(kept), dtype=torch.float64)
        return Coalitions(kept, weights, torch.full((len(kept),), -1))
    generator = torch.Generator().manual_seed(seed)
    kept, half = paired(torch.rand(samples // 2, features, generator=generator) < 0.5)
    return Coalitions(kept, torch.ones(len(kept), dtype=torch.float64), half)


def ridge_coefficients(kept: Tensor, weights: Tensor, scores: Tensor, ridge: float) -> Tensor:
    """Return the coefficients (N, K) of a weighted ridge regression of scores (M, N) with a free constant."""
    z = kept.double()
    z = z - weights @ z / weights.sum()
    scores = scores - weights @ scores / weights.sum()
    root = weights.sqrt()[:, None]
    if not ridge:
        return torch.linalg.lstsq(root * z, root * scores, driver="gelsd").solution.T
    within = z.T @ (weights[:, None] * z) + ridge * torch.eye(z.shape[1], dtype=torch.float64)
    return torch.linalg.solve(within, z.T @ (weights[:, None] * scores)).T


def lime(
    question: Question,
    x: Tensor,
    *,
    samples: int,
    segment: int,
    width: float,
    ridge: float,
    baseline: str | Tensor = "zero",
    seed: int = 0,
) -> Tensor:
    """Coefficients of a local ridge regression on kept and removed segments (Ribeiro et al. 2016, eq. 2).

    The weight of a perturbed copy falls with the cosine distance between its kept segments and all of them. A segment's
    coefficient is shared out evenly among its samples.
    """
    start, mask = baseline_like(x, baseline, seed), features(x, segment)
    drawn = lime_coalitions(int(mask.max()) + 1, samples, seed)
    distance = 1 - (drawn.kept.double().mean(1)).sqrt()
    near = torch.exp(-distance.square() / width**2)
    scores = answers(question, x, start, mask, drawn.kept)
    fits: list[tuple] = [(slice(None), drawn.weights * near, ridge)]
    fits += [(rows, drawn.weights[rows] * near[rows], ridge / 2) for rows, _ in drawn.halves()]
    return stated(
        [spread_out(ridge_coefficients(drawn.kept[rows], w, scores[rows], by), mask, x) for rows, w, by in fits]
    )


def _soft_mask(shape: Sequence[int], cell: int, keep: float, generator: torch.Generator) -> Tensor:
    """Draw one mask (1, channels, ...) in [0, 1]: a coarse random grid, enlarged linearly and shifted."""
    grid = [-(-size // cell) + 1 for size in shape[1:]]
    coarse = (torch.rand((1, shape[0], *grid), generator=generator) < keep).float()
    mode = ("linear", "bilinear", "trilinear")[len(grid) - 1]
    fine = functional.interpolate(coarse, scale_factor=cell, mode=mode, align_corners=False)
    for axis, size in enumerate(shape[1:], start=2):
        fine = fine.narrow(axis, int(torch.randint(cell, (), generator=generator)), size)
    return fine


def rise(question: Question, x: Tensor, *, samples: int, cell: int, keep: float, seed: int) -> Tensor:
    """Mean of random soft masks, weighted by the logit under each mask (Petsiuk et al. 2018, eq. 6).

    Masks are drawn on a coarse grid (each lead has its own; images share one over the colours), enlarged linearly and
    shifted. The mean logit is subtracted first: it only adds a constant to the map.
    """
    generator = torch.Generator().manual_seed(seed)
    x, shape = (x[:, None] if x.ndim == 2 else x), x.shape
    channels = x.shape[1] if x.ndim == 3 else 1
    halves, done = [Covariance(x), Covariance(x)], 0
    for count in track(chunks(samples, len(x)), samples):
        masks = torch.cat([_soft_mask((channels, *x.shape[2:]), cell, keep, generator) for _ in range(count)]).to(x)
        with torch.no_grad():
            masked = (masks[:, None] * x).view(-1, *shape[1:])
            scores = question.repeated(count).scores(masked).view(count, len(x))
        first = max(0, min(count, samples // 2 - done))
        halves[0].add(scores[:first], masks[:first])
        halves[1].add(scores[first:], masks[first:])
        done += count
    found = [one.value() / keep for one in (halves[0] + halves[1], *halves)]
    return stated([one.expand_as(x).clone().view(shape) for one in found])


class Covariance:
    """The covariance of scores (K, N) and masks (K, channels, ...), summed up in pieces."""

    def __init__(self, like: Tensor):
        self.count, self.scores = 0, like.new_zeros(len(like))
        self.masks = self.products = like.new_zeros(())

    def add(self, scores: Tensor, masks: Tensor) -> None:
        """Add pairs of scores and masks."""
        self.count += len(scores)
        self.scores = self.scores + scores.sum(0)
        self.masks = self.masks + masks.sum(0)
        self.products = self.products + torch.einsum("kn,k...->n...", scores, masks)

    def __add__(self, other: "Covariance") -> "Covariance":
        both = Covariance(self.scores)
        for name in ("count", "scores", "masks", "products"):
            setattr(both, name, getattr(self, name) + getattr(other, name))
        return both

    def value(self) -> Tensor:
        """Return the covariance (N, channels, ...)."""
        mean = (self.scores / self.count).view(-1, *[1] * (self.products.ndim - 1))
        return (self.products - mean * self.masks) / self.count
