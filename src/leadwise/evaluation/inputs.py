"""What every measure asks of its input, and what it says where a number would mean nothing."""

import warnings

import numpy as np
import torch
from torch import Tensor, nn

from leadwise.attribution.core import batch_of, classes_of
from leadwise.attribution.question import pick
from leadwise.ecg.filters import PUBLISHED_FS
from leadwise.maps import as_maps
from leadwise.networks.network import Network, network_of

_NOTHING = {"signed": "the map is zero everywhere", "absolute": "the map is zero everywhere"}


class EvaluationWarning(UserWarning):
    """Some samples have no such number and are NaN; the message says how many and why."""


def as_batch(model: nn.Module | Network, x: Tensor, target: int | Tensor | None) -> tuple[Tensor, Tensor]:
    """Return x as a batch on the network's device and the class to explain of each sample, (N,).

    Raises
    ------
    ValueError : x without the batch axis, not finite or not of the network's form, or a class that does not exist
    """
    network = network_of(model)
    x, single = batch_of(network, x)
    if single or x.ndim not in (3, 4):
        raise ValueError(f"x is one sample of shape {tuple(x.shape[1:])}; expected a batch: x[None] adds the axis.")
    x = x.to(network.device(x.device), network.dtype(x.dtype))
    classes = classes_of(network, x, target)
    with torch.no_grad():
        pick(network.logits(x[:1]).expand(len(x), -1), classes)  # refuses a class that does not exist
    return x, classes


def by_leads(
    model: nn.Module | Network, x: Tensor, target: int | Tensor | None, relevance: Tensor | np.ndarray | None = None
) -> tuple[Network, Tensor, Tensor, Tensor | None]:
    """Return network, x, classes and map with leads first, whatever the network's layout; a ValueError as ``as_batch``.

    ``relevance`` : shaped like x, or None
    """
    network = network_of(model)
    x, classes = as_batch(network, x, target)
    maps: Tensor | None = None
    if relevance is not None:
        as_maps(relevance, x.shape)  # refuses what is no map of x
        maps = network.by_leads(torch.as_tensor(relevance))
    return network.leads_first(), network.by_leads(x), classes, maps


UNIT_SECONDS, UNIT_PIXELS = 0.1, 16


def usual_unit(network: Network, x: Tensor) -> int:
    """Return what is taken away together by default: 0.1 s of one lead, in samples, or 16 by 16 pixels."""
    return UNIT_PIXELS if x.ndim == 4 else max(1, round(UNIT_SECONDS * (network.fs or PUBLISHED_FS)))


def nothing(sign: str) -> str:
    """Say in words what a map of zeros is, after a word of ``leadwise.maps.SIGNS`` has been applied."""
    return _NOTHING.get(sign, f"the map has no {sign} relevance")


def undefined(what: str, reasons: dict[str, np.ndarray]) -> np.ndarray:
    """Return where a measure is undefined, bool (N,), and warn with the reasons, each a bool (N,)."""
    where = np.any(list(reasons.values()), axis=0)
    if where.any():
        told = ", ".join(f"{reason} ({int(bad.sum())})" for reason, bad in reasons.items() if bad.any())
        text = f"{what} is NaN for {int(where.sum())} of {len(where)} samples: {told}."
        warnings.warn(text, EvaluationWarning, stacklevel=4)
    return where
