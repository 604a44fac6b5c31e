"""What else is asked of a map: that it holds still, that it predicts the network, that it is simple.

Every measure returns one number for each of N samples.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from scipy.stats import entropy
from torch import Tensor, nn

from leadwise.attribution import attribute
from leadwise.attribution.perturbation import features
from leadwise.evaluation.inputs import as_batch, by_leads, undefined, usual_unit
from leadwise.evaluation.similarity import similarity
from leadwise.maps import as_maps, one_of
from leadwise.networks.network import Network
from leadwise.progress import CHUNK, in_chunks, progress_to


def captum_metrics():
    """Return captum's measures; imported where they are used, for captum brings pyplot along."""
    import captum.metrics

    return captum.metrics


def sensitivity_max(
    model: nn.Module | Network,
    x: Tensor,
    method: str = "lrp_epsilon",
    target: int | Tensor | None = None,
    *,
    radius: float = 0.02,
    samples: int = 10,
    seed: int = 0,
    progress: bool | Callable[[int, int], None] = True,
    **parameters: Any,
) -> np.ndarray:
    """Largest relative change of the map under small noise on the input, by captum: low is good.

    Yeh et al. 2019, On the (in)fidelity and sensitivity of explanations, arXiv:1901.09392, divided by the norm of the
    map. The class explained stays that of x.

    Parameters
    ----------
    model : network that is explained
    x : Tensor (N, 12, T) in mV or (N, 3, H, W)
    method : a key of ``METHODS`` or a SIGN-XAI name
    target : class to explain, one or (N,); None is the arg-max logit, per sample
    radius : the noise is uniform within plus and minus this much, in units of x
    samples : noisy copies of each sample
    seed : of the noise
    progress : as in ``attribute``; counted are samples
    parameters : of the method

    Returns
    -------
    ndarray (N,), 0 or more; NaN, with an ``EvaluationWarning``, where the map of x is zero
    """
    x, classes = as_batch(model, x, target)
    generator = torch.Generator().manual_seed(seed)
    flat = []

    def noisy(inputs: Tensor) -> Tensor:
        return inputs + radius * (2 * torch.rand(inputs.shape, generator=generator) - 1).to(inputs)

    def explain(inputs, target):
        if isinstance(inputs, tuple):  # captum's first call, with x itself: it wants a tuple back
            found = attribute(model, *inputs, method, target, progress=False, **parameters)
            flat.append(~found.flatten(1).any(1))
            return (found.contiguous(),)
        target = target.expand(len(inputs))  # captum repeats the classes of several samples, but not of a single one
        return attribute(model, inputs, method, target, progress=False, **parameters).contiguous()

    def measure(part: slice) -> Tensor:
        count = len(x[part])
        size = count * min(samples, max(1, CHUNK // count))
        return captum_metrics().sensitivity_max(
            explain, x[part], noisy, n_perturb_samples=samples, max_examples_per_batch=size, target=classes[part]
        )

    with progress_to(progress):
        found = in_chunks(measure, len(x))
    bad = undefined("sensitivity_max", {"the map is zero everywhere": torch.cat(flat).cpu().numpy()})
    return np.where(bad, np.nan, found.double().cpu().numpy())


def _removed(x: Tensor, generator: torch.Generator, unit: int, amount: float) -> tuple[Tensor, Tensor]:
    """Set random units to zero: a map of contributions says that the logit loses their sum."""
    grid = features(x, unit)[0]
    chosen = torch.rand(len(x), int(grid.max()) + 1, generator=generator).to(x) < amount
    gone = chosen[:, grid].to(x)
    return gone, x * (1 - gone)


def _shifted(x: Tensor, generator: torch.Generator, unit: int, amount: float) -> tuple[Tensor, Tensor]:
    """Subtract normal noise: a map of slopes says that the logit loses slope times noise."""
    noise = amount * torch.randn(x.shape, generator=generator).to(x)
    return noise, x - noise


CLAIMS: dict[str, Callable] = {"contributions": _removed, "slopes": _shifted}
"""What the numbers of a map claim to be, hence how to test them: contributions (LRP, integrated gradients, DeepLIFT,
Shapley values: anything times the input) or slopes (gradient, SmoothGrad)."""


def infidelity(
    model: nn.Module | Network,
    x: Tensor,
    relevance: Tensor,
    target: int | Tensor | None = None,
    *,
    claim: str = "contributions",
    amount: float = 0.1,
    unit: int | None = None,
    samples: int = 100,
    normalise: bool = True,
    seed: int = 0,
    progress: bool | Callable[[int, int], None] = True,
) -> np.ndarray:
    """Mean squared error of the logit's change as the map predicts it, by captum: low is good.

    Yeh et al. 2019, arXiv:1901.09392, equation 1: the mean of (I . R - (f(x) - f(x - I)))^2 over perturbations I.

    Parameters
    ----------
    model : network that was explained
    x : Tensor (N, 12, T) in mV or (N, 3, H, W), or in the layout of a Network
    relevance : shaped like x
    target : class that was explained, one or (N,); None is the arg-max logit, per sample
    claim : "contributions": random units are set to zero; "slopes": normal noise is subtracted
    amount : share of the units that are removed; or standard deviation of the noise, in units of x
    unit : samples of one lead (0.1 s) or side of a patch in pixels (16) that are removed together
    samples : perturbations of each sample
    normalise : multiply each map with the number that predicts best, as methods differ in scale (the authors do so too)
    seed : of the perturbations
    progress : as in ``attribute``; counted are samples

    Returns
    -------
    ndarray (N,), squared units of the logit
    """
    perturb = CLAIMS[one_of("claim", claim, CLAIMS)]
    network, x, classes, relevance = by_leads(model, x, target, relevance)
    relevance = relevance.to(x)
    unit = min(usual_unit(network, x), *x.shape[2:]) if unit is None else unit
    generator = torch.Generator().manual_seed(seed)

    def measure(part: slice) -> Tensor:
        count = len(x[part])
        size = count * min(samples, max(1, CHUNK // count))
        return captum_metrics().infidelity(
            network.logits, lambda inputs: perturb(inputs, generator, unit, amount), x[part], relevance[part],
            target=classes[part], n_perturb_samples=samples, max_examples_per_batch=size, normalize=normalise,
        )  # fmt: skip

    with progress_to(progress):
        return in_chunks(measure, len(x)).double().cpu().numpy()


def _shares(what: str, relevance: Tensor | np.ndarray) -> np.ndarray:
    """Return each sample's share of the absolute relevance, (N, D); NaN for maps that are zero."""
    values = np.abs(as_maps(relevance))
    values = values.reshape(len(values), -1)
    bad = undefined(what, {"the map is zero everywhere": ~values.any(1)})
    return values / np.where(bad, np.nan, values.sum(1))[:, None]


def complexity(relevance: Tensor | np.ndarray) -> np.ndarray:
    """Entropy of the shares of absolute relevance, (N,), in nats: 0 for one sample, ln D for all D alike.

    Bhatt et al. 2020, Evaluating and aggregating feature-based model explanations, doi:10.24963/ijcai.2020/417.

    Parameters
    ----------
    relevance : (N, 12, T) or (N, colours, H, W), the colours of images summed; NaN, with a warning, where it is zero
    """
    return entropy(_shares("complexity", relevance), axis=1)


def sparseness(relevance: Tensor | np.ndarray) -> np.ndarray:
    """Gini index of absolute relevance, (N,): 0 for all alike, towards 1 where few samples have it all.

    Chalasani et al. 2020, Concise explanations of neural networks using adversarial training, arXiv:1810.06583.

    Parameters
    ----------
    relevance : (N, 12, T) or (N, colours, H, W), the colours of images summed; NaN, with a warning, where it is zero
    """
    shares = np.sort(_shares("sparseness", relevance), axis=1)
    size = shares.shape[1]
    return shares @ (2 * np.arange(1, size + 1) - size - 1) / size


def stability(maps: Sequence, correlation: str = "spearman") -> np.ndarray:
    """Mean correlation over all pairs of K maps of the same samples, (N,): 1 where chance plays no part.

    Parameters
    ----------
    maps : K maps (N, 12, T) or (N, colours, H, W), or one tensor (K, N, ...): see :func:`across_seeds` and
        :func:`across_models`
    correlation : a key of ``CORRELATIONS``
    """
    if len(maps) < 2:
        raise ValueError(f"there are {len(maps)} maps; expected two or more of the same samples.")
    return np.mean([similarity(one, other, correlation) for one, other in combinations(maps, 2)], axis=0)


def across_seeds(
    model: nn.Module | Network,
    x: Tensor,
    method: str,
    target: int | Tensor | None = None,
    *,
    seeds: Iterable[int] = range(5),
    **parameters: Any,
) -> Tensor:
    """Return the maps (K, N, ...) of a method that draws random numbers, one for each of K seeds.

    Parameters
    ----------
    model, x, method, target, parameters : as for ``attribute``, ``progress`` included; x with its batch axis

    Raises
    ------
    ValueError : the method has no seed: its maps don't change
    """
    x, classes = as_batch(model, x, target)
    return torch.stack([attribute(model, x, method, classes, seed=seed, **parameters) for seed in seeds])


def across_models(
    models: Sequence[nn.Module | Network], x: Tensor, method: str, target: int | Tensor | None = None, **parameters: Any
) -> Tensor:
    """Return the maps (K, N, ...) of K networks that were trained for the same task.

    Parameters
    ----------
    models : networks that take the same x
    x, method, target, parameters : as for ``attribute``, ``progress`` included; x with its batch axis. A target of None
        is the first network's arg-max logit, for all of them
    """
    x, classes = as_batch(models[0], x, target)
    return torch.stack([attribute(model, x, method, classes, **parameters) for model in models])
