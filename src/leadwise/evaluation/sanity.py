"""Does a map depend on what the network learned? Sanity checks to pass before its maps say anything.

Adebayo et al. 2018, Sanity checks for saliency maps, arXiv:1810.03292: replace the learned weights by random ones, or
explain a network that was trained on random labels. A map that stays as it was does not explain what was learned; it
shows the input. Passing proves little: noise that is drawn anew each time passes as well.

Nor does the size of a score rank methods, and its critics say why. Similarity is confounded by the input, which all
maps of a task share (Yona, Greenfeld 2021, arXiv:2110.14297); random layers keep much of what made the large
activations, so that a map may rightly stay alike (Binder et al. 2023, arXiv:2211.12486); and multiplying by the input
makes maps alike, whatever the weights (Kokhlikyan et al. 2021, arXiv:2106.07475). Hedström et al. 2024, Sanity checks
revisited, arXiv:2401.06465, answer some of it: :func:`efficient_randomisation` (eMPRT) compares no maps, but asks
whether they become more complex; ``smooth`` in :func:`weight_randomisation` (sMPRT) takes the noise of single maps out
of the comparison. Use a check to find what cannot be an explanation, not to choose among those that may be one.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import entropy
from torch import Tensor, nn

from leadwise.attribution import attribute
from leadwise.evaluation.inputs import as_batch, undefined
from leadwise.evaluation.similarity import similarity
from leadwise.maps import as_maps, one_of
from leadwise.networks.ecg_net import ECGNet
from leadwise.networks.network import Network, network_of
from leadwise.progress import Progress, progress_to
from leadwise.training import Epoch, fit, initialise, probabilities

WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, nn.modules.batchnorm._BatchNorm)


def _resampled(layer: nn.Module, generator: torch.Generator) -> None:
    for weight in layer.parameters(recurse=False):
        size = weight.square().mean().sqrt()
        weight.copy_(size * torch.randn(weight.shape, generator=generator).to(weight))


def _reset(layer: nn.Module, generator: torch.Generator) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        fresh = copy.deepcopy(layer).cpu()
        fresh.reset_parameters()  # type: ignore[operator]
    for weight, new in zip(layer.parameters(recurse=False), fresh.parameters(recurse=False), strict=True):
        weight.copy_(new)


RANDOMISERS: dict[str, Callable[[nn.Module, torch.Generator], None]] = {
    "resample": _resampled,
    "reset": _reset,
}
"""How a layer loses what it learned: normal numbers of the learned weights' root mean square, so that activations keep
their size; or PyTorch's initialisation (as in quantus)."""


@dataclass(frozen=True, eq=False)
class WeightRandomisation:
    """How maps change while a network forgets.

    Parameters
    ----------
    method : what made the maps
    layers : names of the L randomised layers, from the output to the input
    cascading : True: stage k has layers 0 to k randomised; False: layer k alone
    signed : ndarray (L, N), Spearman correlation of each sample's map with that of the trained network
    absolute : ndarray (L, N), the same of absolute values
    """

    method: str
    layers: tuple[str, ...]
    cascading: bool
    signed: np.ndarray
    absolute: np.ndarray

    @property
    def sanity_score(self) -> float:
        """1 minus the mean size of the signed correlation over stages and samples: 1 forgets with the network, 0 never.

        The sign matters. Maps that are multiplied with the input (LRP, integrated gradients) are large where the input
        is, whatever the weights: their absolute values stay alike in a network of noise. A correlation of -1 counts as
        1: a random logit that happens to be negative turns the map around and leaves it as it was. NaN where no stage
        has a map that varies.
        """
        return _score(self.signed)


def _score(signed: np.ndarray) -> float:
    known = np.abs(signed[~np.isnan(signed)])
    return float(1 - known.mean()) if known.size else float("nan")


def weighted_layers(model: nn.Module | Network) -> tuple[str, ...]:
    """Return the names of the layers with weights that sanity checks randomise, in order from output to input."""
    modules = network_of(model).module.named_modules()
    return tuple(name for name, module in modules if isinstance(module, WEIGHTED))[::-1]


def weight_randomisation(
    model: nn.Module | Network,
    x: Tensor,
    method: str = "lrp_epsilon",
    target: int | Tensor | None = None,
    *,
    cascading: bool = True,
    layers: tuple[str, ...] | None = None,
    how: str = "resample",
    smooth: int = 0,
    noise: float = 0.1,
    seed: int = 0,
    progress: bool | Callable[[int, int], None] = True,
    **parameters: Any,
) -> WeightRandomisation:
    """Randomise a copy of the network layer by layer and compare its maps with those of the trained one.

    Adebayo et al. 2018, section 3: "cascading" randomisation, or of each layer alone. The explained class stays that of
    the trained network.

    Parameters
    ----------
    model : stays as it is; a deep copy is randomised
    x : Tensor (N, 12, T) or (N, 3, H, W)
    method : a key of ``METHODS`` or a SIGN-XAI name
    target : class to explain, one or (N,); None is the trained network's arg-max logit, per sample
    cascading : whether randomised layers stay random while the next ones follow
    layers : names of modules, in the order in which they are randomised; by default all with weights, from the output
        to the input, in reverse order of their definition
    how : a key of ``RANDOMISERS``
    smooth : copies of x, all but one of them noisy, whose maps are averaged before they are compared (Hedström et al.
        2024, sMPRT: 50); 0 and 1 compare the maps of x itself
    noise : standard deviation of the noise, as a fraction of each sample's range; the same draws for every network
    seed : of the random weights and the noise
    progress : as in ``attribute``; counted are stages
    parameters : of the method

    Returns
    -------
    WeightRandomisation : NaN, with an ``EvaluationWarning``, where a random network's map has one value (dead ReLUs)

    Raises
    ------
    ValueError : a layer that does not exist or has no weights, an unknown way, or what ``attribute`` refuses
    """
    forget = RANDOMISERS[one_of("how", how, RANDOMISERS)]
    names = weighted_layers(model) if layers is None else tuple(layers)
    known = weighted_layers(model)
    if not names or any(name not in known for name in names):
        raise ValueError(f"layers are {names}; expected some of {', '.join(known)}, which have weights.")
    x, classes = as_batch(model, x, target)
    network, generator = copy.deepcopy(network_of(model)), torch.Generator().manual_seed(seed)

    def explain(asked: nn.Module | Network) -> Tensor:
        return _smoothed(asked, x, method, classes, smooth, noise, seed, **parameters)

    trained = explain(model)
    signed, absolute = [], []
    with progress_to(progress), Progress(len(names)) as bar:
        for name in names:
            network = network if cascading else copy.deepcopy(network_of(model))
            with torch.no_grad():
                forget(network.module.get_submodule(name), generator)
            found = explain(network)
            signed.append(similarity(trained, found))
            absolute.append(similarity(trained, found, "spearman, absolute"))
            bar.advance()
    return WeightRandomisation(method, names, cascading, np.stack(signed), np.stack(absolute))


def _smoothed(
    model: nn.Module | Network,
    x: Tensor,
    method: str,
    target: Tensor,
    smooth: int,
    noise: float,
    seed: int,
    **parameters: Any,
) -> Tensor:
    """Return the map of x, or the mean map of ``smooth`` noisy copies of it."""
    if isinstance(smooth, bool) or not isinstance(smooth, int) or smooth < 0:
        raise ValueError(f"smooth is {smooth!r}; expected a whole number of noisy copies, or 0 for none.")
    if not smooth:
        return attribute(model, x, method, target, progress=False, **parameters)
    generator = torch.Generator().manual_seed(seed)
    spread = noise * (x.flatten(1).amax(1) - x.flatten(1).amin(1)).view(-1, *[1] * (x.ndim - 1))
    total = torch.zeros_like(x)
    for copies_left in reversed(range(smooth)):  # the last is x itself, so that one copy is no smoothing
        noisy = x + spread * torch.randn(x.shape, generator=generator).to(x) if copies_left else x
        total += attribute(model, noisy, method, target, progress=False, **parameters)
    return total / smooth


def histogram_entropy(relevance: Tensor | np.ndarray, bins: int = 100) -> np.ndarray:
    """Return the entropy of the histogram of a map's values, (N,), in nats: 0 where all values are alike.

    Parameters
    ----------
    relevance : (N, 12, T) or (N, colours, H, W), the colours of images summed
    bins : of equal width from the smallest to the largest value of each map
    """
    return np.array([entropy(np.histogram(one, bins)[0]) for one in as_maps(relevance)])


def efficient_randomisation(
    model: nn.Module | Network,
    x: Tensor,
    method: str = "lrp_epsilon",
    target: int | Tensor | None = None,
    *,
    bins: int = 100,
    how: str = "resample",
    seed: int = 0,
    **parameters: Any,
) -> np.ndarray:
    """Return how much more complex a map becomes where all weights are random, relative to the trained one's: eMPRT.

    Hedström et al. 2024, Sanity checks revisited, arXiv:2401.06465. A map of a network that knows something should have
    more structure than one of a network of noise: above 0 passes. No maps are compared, so neither the input that they
    share nor a similarity measure decides, and it takes two maps instead of one for each layer.

    Parameters
    ----------
    model, x, method, target, how, seed, parameters : as for :func:`weight_randomisation`
    bins : of the histogram whose entropy is the complexity

    Returns
    -------
    ndarray (N,) : (entropy random - entropy trained) / entropy trained; NaN, with an ``EvaluationWarning``, where the
        trained network's map has one value
    """
    forget = RANDOMISERS[one_of("how", how, RANDOMISERS)]
    x, classes = as_batch(model, x, target)
    network, generator = copy.deepcopy(network_of(model)), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name in weighted_layers(network):
            forget(network.module.get_submodule(name), generator)
    before, after = (
        histogram_entropy(attribute(one, x, method, classes, progress=False, **parameters), bins)
        for one in (model, network)
    )
    bad = undefined("efficient_randomisation", {"the map has one value": before == 0})
    return (after - before) / np.where(bad, np.nan, before)


@dataclass(frozen=True, eq=False)
class LabelRandomisation:
    """How alike the maps of a network and of one trained on random labels are.

    Parameters
    ----------
    method : what made the maps
    signed, absolute : ndarray (N,), Spearman correlation of the two maps, and of their absolute values
    """

    method: str
    signed: np.ndarray
    absolute: np.ndarray

    @property
    def sanity_score(self) -> float:
        """1 minus the mean size of the signed correlation; see :attr:`WeightRandomisation.sanity_score`."""
        return _score(self.signed)


def label_randomisation(
    model: nn.Module | Network,
    other: nn.Module | Network,
    x: Tensor,
    method: str = "lrp_epsilon",
    target: int | Tensor | None = None,
    **parameters: Any,
) -> LabelRandomisation:
    """Compare a network's maps with those of one that was trained on random labels (Adebayo et al. 2018, section 4).

    Parameters
    ----------
    model : trained on true labels
    other : the same architecture, trained on permuted labels until it knew them by heart: see
        :func:`train_on_random_labels`
    x, method, target, parameters : as for :func:`weight_randomisation`
    """
    x, classes = as_batch(model, x, target)
    first, second = (attribute(network, x, method, classes, progress=False, **parameters) for network in (model, other))
    return LabelRandomisation(method, similarity(first, second), similarity(first, second, "spearman, absolute"))


def train_on_random_labels(
    x: np.ndarray,
    y: np.ndarray,
    *,
    epochs: int = 60,
    seed: int = 0,
    report: Callable[[Epoch], None] | None = None,
    **options: Any,
) -> tuple[ECGNet, float]:
    """Train an ECG network on labels that were dealt out again at random: all it can do is to learn them by heart.

    Parameters
    ----------
    x, y : as for :func:`leadwise.training.fit`; a few dozen records do, and fewer are learned faster
    epochs : passes through the data
    seed : of the permutation, the weights and the batches
    report : called with each Epoch; its validation loss is that of the training data
    options : of ``fit``

    Returns
    -------
    The network, and the accuracy on its random labels. Near 1/2 it has learned nothing, and the comparison shows less
    than it seems to; Adebayo et al. ask for 0.95
    """
    labels = np.random.default_rng(seed).permutation(np.asarray(y))
    model = initialise(ECGNet("random labels", "trained on permuted labels"), seed)
    still = {"augment": lambda windows, rng: windows[:, :, :], "patience": epochs}
    fit(model, x, labels, (x, labels), epochs=epochs, seed=seed, report=report, **{**still, **options})
    return model, float(((probabilities(model, x) > 0.5) == labels).mean())
