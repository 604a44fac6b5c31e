"""What a relevance map and a mask must be, and the words for signs: the ground floor that every room stands on.

A map is asked the same things wherever it goes, into a figure, a table, a measure or a sentence: is it numbers, of the
shape of its input, all of them finite? It is refused here, with what came, what was expected and what to do, or it is
right everywhere.
"""

from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from leadwise.ecg.leads import LEADS

SIGNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "signed": lambda relevance: relevance,
    "positive": lambda relevance: relevance.clip(min=0),
    "negative": lambda relevance: relevance.clip(max=0),
    "absolute": np.abs,
}
"""Which part of a map counts: name -> (relevance) -> relevance. "positive" is evidence for, "negative" evidence against
and at most 0, so that both add up to "signed"; "absolute" is the magnitude of both."""


def to_numpy(values: Tensor | ArrayLike) -> np.ndarray:
    """Return a tensor (on any device, with or without gradient) or array-like as an array."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)


def one_of(name: str, value: object, allowed: Collection):
    """Return ``value``, or raise a ValueError that lists the choices unless it is one of them.

    Examples
    --------
    >>> one_of("sign", "positive", SIGNS)
    'positive'
    """
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(map(repr, allowed))}.")
    return value


def part_of(relevance: np.ndarray, sign: str) -> np.ndarray:
    """Return the part of a map that a word of ``SIGNS`` names, or say which words there are.

    Examples
    --------
    >>> part_of(np.array([2.0, -3.0]), "negative").tolist()
    [0.0, -3.0]
    """
    return SIGNS[one_of("sign", sign, SIGNS)](relevance)


def strength(relevance: np.ndarray, sign: str) -> np.ndarray:
    """Return what a ranking sorts by, the largest first: the magnitude of a part, or "signed" the values themselves.

    Examples
    --------
    >>> strength(np.array([2.0, -3.0]), "negative").tolist()
    [0.0, 3.0]
    """
    part = part_of(relevance, sign)
    return part if sign == "signed" else np.abs(part)


def finite(
    values: Tensor | ArrayLike, what: str = "relevance", place: Callable[[tuple], str] | None = None
) -> np.ndarray:
    """Return numbers as float64, or refuse those that are not finite.

    Parameters
    ----------
    values : array or tensor of any shape
    what : how the message calls it
    place : (index of the first bad value) -> where that is, in words

    Raises
    ------
    ValueError : not real numbers, or some that are NaN or infinite
    """
    values = to_numpy(values)
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{what} holds {values.dtype}; expected real numbers.")
    values = values.astype(np.float64)
    broken = ~np.isfinite(values)
    if broken.any():
        first = tuple(int(i) for i in np.argwhere(broken)[0])
        raise ValueError(
            f"{what} has {broken.sum()} values that are NaN or infinite, the first {place(first) if place else first}; "
            "expected finite numbers. Look for a division by zero in the method that made it."
        )
    return values


def as_map(
    relevance: Tensor | np.ndarray,
    shape: tuple[int, ...] | None = None,
    what: str = "relevance",
    leads: Sequence[str] = LEADS,
) -> np.ndarray:
    """Return the map of one ECG as float64 (leads, T), or say what is wrong with it.

    Parameters
    ----------
    relevance : tensor or array (leads, T), or (1, leads, T) as ``attribute`` returns it for a batch of one
    shape : the shape that the ECG has, if there is one
    what : how the message calls it
    leads : what its rows are; by default the twelve standard ones

    Raises
    ------
    ValueError : another shape, or a value that is NaN or infinite

    Examples
    --------
    >>> as_map(np.zeros((1, 12, 500))).shape
    (12, 500)
    """
    values = to_numpy(relevance)
    if values.ndim == 3 and len(values) == 1:
        values = values[0]
    if values.ndim != 2 or len(values) != len(leads) or (shape is not None and values.shape != tuple(shape)):
        wanted = f"{tuple(shape)} like the ECG" if shape else f"({len(leads)}, T)"
        hint = " Transpose it: leads come first." if values.ndim == 2 and values.shape[1] == len(leads) else ""
        raise ValueError(f"{what} has shape {values.shape}; expected {wanted}.{hint}")
    return finite(values, what, lambda index: f"in lead {leads[index[0]]} at sample {index[1]}")


def as_pixel_map(
    relevance: Tensor | np.ndarray, shape: tuple[int, ...] | None = None, what: str = "relevance"
) -> np.ndarray:
    """Return the map of one picture as float64 (H, W), summed over the colours where it has some.

    A pixel is relevant as a whole, as in LRP (Bach et al. 2015) and in pixel flipping (Samek et al. 2017); what its
    colours say against each other cancels.

    Parameters
    ----------
    relevance : tensor or array (H, W), (3, H, W) or (1, 3, H, W)
    shape : height and width of the picture, if there is one

    Raises
    ------
    ValueError : another shape, or a value that is NaN or infinite

    Examples
    --------
    >>> as_pixel_map(np.ones((3, 2, 4)), (2, 4)).tolist()
    [[3.0, 3.0, 3.0, 3.0], [3.0, 3.0, 3.0, 3.0]]
    """
    values = to_numpy(relevance)
    if values.ndim == 4 and len(values) == 1:
        values = values[0]
    fits = values.size and (values.ndim == 2 or (values.ndim == 3 and len(values) in (1, 3)))
    if not fits or (shape is not None and values.shape[-2:] != tuple(shape)):
        wanted = "(3, H, W) or (H, W)" if shape is None else f"{(3, *shape)} or {tuple(shape)}"
        raise ValueError(f"{what} has shape {to_numpy(relevance).shape}; expected {wanted}.")
    values = finite(values, what, lambda index: f"in row {index[-2]}, column {index[-1]}")
    return values.sum(axis=0) if values.ndim == 3 else values


def as_maps(
    relevance: Tensor | np.ndarray, shape: tuple[int, ...] | None = None, what: str = "relevance"
) -> np.ndarray:
    """Return the maps of N inputs as float64, (N, leads, T) of ECGs or (N, H, W) of pictures, colours summed.

    Parameters
    ----------
    relevance : tensor or array (N, leads, T) or (N, colours, H, W)
    shape : the shape that it must have, before colours are summed, if there is one
    what : how the message calls it

    Raises
    ------
    ValueError : another shape, no samples, or values that are NaN or infinite

    Examples
    --------
    >>> as_maps(np.ones((5, 3, 8, 8))).shape
    (5, 8, 8)
    """
    maps = to_numpy(relevance)
    if maps.ndim not in (3, 4) or maps.size == 0:
        raise ValueError(
            f"{what} has shape {maps.shape}; expected (N, leads, T) for ECGs or (N, colours, H, W) for images, "
            f"with the batch axis: {what}[None] adds it."
        )
    if shape is not None and maps.shape != tuple(shape):
        raise ValueError(f"{what} has shape {maps.shape}; expected {tuple(shape)}.")
    maps = finite(maps, what, lambda index: f"in sample {index[0]} of the batch, at {index[1:]}")
    return maps.sum(1) if maps.ndim == 4 else maps


def as_mask(mask: Tensor | np.ndarray, shape: tuple[int, ...] | None = None, what: str = "mask") -> np.ndarray:
    """Return a mask, or a batch of them, as bool of the shape that the map has.

    Parameters
    ----------
    mask : tensor or array, bool
    shape : of the map or maps, if there are some
    what : how the message calls it

    Raises
    ------
    ValueError : another shape, or not bool: a mask of 0 and 1 is one number away from a graded one

    Examples
    --------
    >>> int(as_mask(np.eye(3) > 0, (3, 3)).sum())
    3
    """
    mask = to_numpy(mask)
    if mask.dtype != bool or (shape is not None and mask.shape != tuple(shape)):
        hint = f" A mask of 0 and 1 becomes one by {what} > 0." if mask.dtype != bool else ""
        if shape is not None and mask.shape == tuple(shape[1:]):
            hint += f" The batch axis is missing: {what}[None] adds it."
        wanted = "one" if shape is None else f"{tuple(shape)}, as the map,"
        raise ValueError(f"{what} has shape {mask.shape}, type {mask.dtype}; expected {wanted} of bool.{hint}")
    return mask
