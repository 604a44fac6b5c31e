"""Methods that only ask: what does the logit do when a part of the input is taken away?"""

import torch
from captum._utils.models.linear_model import SkLearnRidge
from captum.attr import KernelShap, Lime, Occlusion
from torch import Tensor
from torch.nn import functional

from leadwise.attribution.gradients import baseline_like, normal
from leadwise.attribution.question import Question
from leadwise.progress import CHUNK, chunks, counted, track


def features(x: Tensor, segment: int) -> Tensor:
    """Number the parts of one sample (1, C, ...), from 0: lead x segment for ECGs, square patches for images.

    Parameters
    ----------
    x : Tensor (N, C, T) or (N, C, H, W)
    segment : length of a segment in samples, or side of a patch in pixels
    """
    parts = [torch.arange(size) // segment for size in x.shape[2:]]
    if x.ndim == 3:
        parts = [torch.arange(x.shape[1]), *parts]
    grid = torch.zeros([len(part) for part in parts], dtype=torch.long)
    for axis, part in enumerate(parts):
        grid = grid * (int(part.max()) + 1) + part.view([-1 if i == axis else 1 for i in range(len(parts))])
    return (grid if x.ndim == 3 else grid.expand(x.shape[1:]))[None].to(x.device)


def question_logits(question):
    return question.network.logits


def occlusion(question: Question, x, *, window, stride, leads="each", baseline="zero", seed=0) -> Tensor:
    """Fall of the explained logit when a sliding window is replaced by the baseline (Zeiler & Fergus 2014), by captum.

    Each sample's relevance is the mean over the windows that cover it. ``leads`` occludes "each" lead alone or "all"
    together; images lose all colours together.
    """
    size = [min(window, length) for length in x.shape[2:]]
    steps = [min(stride, length) for length in size]
    channels = 1 if leads == "each" and x.ndim == 3 else x.shape[1]
    places = [-(-(length - w) // s) + 1 for length, w, s in zip(x.shape[2:], size, steps, strict=True)]
    total = len(x) * (1 + x.shape[1] // channels * int(torch.tensor(places).prod()))
    with torch.no_grad(), counted(question_logits(question), total) as forward:
        return Occlusion(forward).attribute(
            x,
            sliding_window_shapes=(channels, *size),
            strides=(1, *steps) if channels == 1 else (channels, *steps),
            baselines=baseline_like(x, baseline, seed),
            target=question.target,
            perturbations_per_eval=max(1, CHUNK // len(x)),
        )


def _by_features(explainer, question, x, *, samples, segment, baseline, seed, **options) -> Tensor:
    """Run a captum explainer of whole features, sample by sample, under a seed that leaves the global one alone.

    A feature's value is shared out evenly among its samples, so that sums over leads or waves mean something.
    """
    start = baseline_like(x, baseline, seed)
    mask = features(x, segment)
    sizes = torch.bincount(mask.flatten())[mask]
    maps = []
    with (
        torch.random.fork_rng(devices=[x.device] if x.is_cuda else []),
        counted(question_logits(question), samples * len(x)) as forward,
    ):
        for i in range(len(x)):
            one = slice(i, i + 1)
            torch.manual_seed(seed)
            maps.append(
                explainer(forward, **options).attribute(
                    x[one],
                    baselines=start[one],
                    target=question.target[one],
                    feature_mask=mask,
                    n_samples=samples,
                    perturbations_per_eval=CHUNK,
                )
            )
    return torch.cat(maps) / sizes


def kernel_shap(question, x, *, samples, segment, baseline="zero", seed=0) -> Tensor:
    """Shapley values of segments by weighted regression (Lundberg & Lee 2017, theorem 2), by captum."""
    return _by_features(KernelShap, question, x, samples=samples, segment=segment, baseline=baseline, seed=seed)


def lime(question, x, *, samples, segment, width, ridge, baseline="zero", seed=0) -> Tensor:
    """Coefficients of a local ridge regression on kept and removed segments (Ribeiro et al. 2016, eq. 2), by captum.

    The weight of a perturbed sample falls with the cosine distance between its kept segments and all of them.
    """

    def similarity(original, perturbed, kept, **_):
        distance = 1 - functional.cosine_similarity(kept.float(), torch.ones_like(kept, dtype=torch.float))
        return torch.exp(-distance.square() / width**2)

    return _by_features(
        Lime, question, x, samples=samples, segment=segment, baseline=baseline, seed=seed,
        interpretable_model=SkLearnRidge(alpha=ridge), similarity_func=similarity,
    )  # fmt: skip


def _soft_mask(shape, cell: int, keep: float, generator: torch.Generator) -> Tensor:
    """Draw one mask (1, channels, ...) in [0, 1]: a coarse random grid, enlarged linearly and shifted."""
    grid = [-(-size // cell) + 1 for size in shape[1:]]
    coarse = (torch.rand((1, shape[0], *grid), generator=generator) < keep).float()
    mode = "linear" if len(grid) == 1 else "bilinear"
    fine = functional.interpolate(coarse, scale_factor=cell, mode=mode, align_corners=False)
    for axis, size in enumerate(shape[1:], start=2):
        fine = fine.narrow(axis, int(torch.randint(cell, (), generator=generator)), size)
    return fine


def rise(question, x, *, samples, cell, keep, seed) -> Tensor:
    """Mean of random soft masks, weighted by the logit under each mask (Petsiuk et al. 2018, eq. 6).

    Masks are drawn on a coarse grid (each lead has its own; images share one over the colours), enlarged linearly and
    shifted. The mean logit is subtracted first: it only adds a constant to the map.
    """
    generator = torch.Generator().manual_seed(seed)
    channels = x.shape[1] if x.ndim == 3 else 1
    scores, total, mass = [], [], torch.zeros((channels, *x.shape[2:]), device=x.device)
    for count in track(chunks(samples, len(x)), samples):
        masks = torch.cat([_soft_mask((channels, *x.shape[2:]), cell, keep, generator) for _ in range(count)]).to(x)
        with torch.no_grad():
            masked = (masks[:, None] * x).flatten(0, 1)
            scores.append(question.repeated(count).scores(masked).view(count, len(x)))
        total.append(torch.einsum("kn,k...->n...", scores[-1], masks))
        mass += masks.sum(0)
    mean = torch.cat(scores).mean(0).view(-1, *[1] * (x.ndim - 1))
    return ((sum(total) - mean * mass) / (samples * keep)).expand_as(x).clone()


def random(question, x, *, seed) -> Tensor:
    """Standard normal noise: what a map without information looks like, the floor of every comparison."""
    return normal(x.shape, torch.Generator().manual_seed(seed), x)
