"""What every measure asks of its input, and what it says where a number would mean nothing."""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from leadwise.attribution.core import batch_of, classes_of
from leadwise.attribution.question import pick
from leadwise.networks.network import network_of
from leadwise.plotting.relevance import to_numpy

SIGNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "signed": lambda relevance: relevance,
    "positive": lambda relevance: np.maximum(relevance, 0),
    "negative": lambda relevance: np.maximum(-relevance, 0),
    "absolute": np.abs,
}
"""Which part of a map counts: name -> (relevance) -> relevance."""

_NOTHING = {"signed": "the map is zero everywhere", "absolute": "the map is zero everywhere"}


class EvaluationWarning(UserWarning):
    """Some samples have no such number and are NaN; the message says how many and why."""


def choose(table: dict, name: str, what: str):
    """Return a table's row.

    Raises
    ------
    ValueError : there is no such row; the message names those there are
    """
    if name not in table:
        raise ValueError(f"{what} is {name!r}; expected one of {', '.join(map(repr, table))}.")
    return table[name]


def as_batch(model: nn.Module, x: Tensor, target: int | Tensor | None) -> tuple[Tensor, Tensor]:
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


def as_maps(relevance: Tensor | np.ndarray, what: str = "relevance") -> np.ndarray:
    """Return maps as float64, (N, 12, T) of ECGs or (N, H, W) of images.

    Images lose their colour axis by summation, with the signs: a pixel is relevant as a whole, as in LRP (Bach et al.
    2015) and in pixel flipping (Samek et al. 2017); what its colours say against each other cancels.

    Parameters
    ----------
    relevance : (N, 12, T) or (N, colours, H, W)

    Raises
    ------
    ValueError : another number of axes, no samples, or values that are NaN or infinite
    """
    maps = to_numpy(relevance)
    if maps.ndim not in (3, 4) or maps.size == 0:
        raise ValueError(
            f"{what} has shape {maps.shape}; expected (N, leads, T) for ECGs or (N, colours, H, W) for images, "
            f"with the batch axis: {what}[None] adds it."
        )
    maps = maps.astype(np.float64)
    if not np.isfinite(maps).all():
        bad = np.flatnonzero(~np.isfinite(maps).reshape(len(maps), -1).all(1))
        raise ValueError(
            f"{what} is NaN or infinite in sample {', '.join(map(str, bad[:5]))}; expected finite numbers."
        )
    return maps.sum(1) if maps.ndim == 4 else maps


def as_masks(mask: Tensor | np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return masks as bool, of the shape that maps have.

    Raises
    ------
    ValueError : another shape, or not bool
    """
    mask = to_numpy(mask)
    if mask.dtype != bool:
        raise ValueError(f"mask holds {mask.dtype}; expected bool. A mask of 0 and 1 becomes one by mask > 0.")
    if mask.shape != shape:
        batch = " The batch axis is missing: mask[None] adds it." if mask.shape == shape[1:] else ""
        raise ValueError(f"mask has shape {mask.shape}; expected {shape}, one for each map.{batch}")
    return mask


def nothing(sign: str) -> str:
    """Say in words what a map of zeros is, after :data:`SIGNS` has been applied."""
    return _NOTHING.get(sign, f"the map has no {sign} relevance")


def undefined(what: str, reasons: dict[str, np.ndarray]) -> np.ndarray:
    """Return where a measure is undefined, bool (N,), and warn with the reasons, each a bool (N,)."""
    where = np.any(list(reasons.values()), axis=0)
    if where.any():
        told = ", ".join(f"{reason} ({int(bad.sum())})" for reason, bad in reasons.items() if bad.any())
        text = f"{what} is NaN for {int(where.sum())} of {len(where)} samples: {told}."
        warnings.warn(text, EvaluationWarning, stacklevel=4)
    return where
