"""Does a map point at the cause? Measures against a mask that is known to hold it.

The mask comes from a simulated patient (``SimulatedECG.causal_mask``) or from a drawn scene (``SceneObject.mask``).
Each measure takes maps and masks of N samples and returns one number for each, from 0 to 1. White noise reaches
:func:`area_share` in all of them, on average. It is the lowest bar, not the right one: the squared voltage of an ECG,
which asks no network, reaches far more wherever the cause is large. So compare with the controls of ``METHODS`` too.

That a map lies on what made the label is not proof that it shows what made the answer: the network may use something
else. What the network uses is found by :mod:`leadwise.semantics.interventions`.

Images have masks (N, H, W), and their relevance (N, colours, H, W) is summed over the colours first
(:func:`leadwise.maps.as_maps`). Where a number would mean nothing it is NaN, with an
``EvaluationWarning`` that says why: an empty mask, or a map that is zero.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import distance_transform_edt, maximum_filter1d
from sklearn.metrics import average_precision_score
from torch import Tensor

from leadwise.evaluation.inputs import nothing, undefined
from leadwise.maps import as_maps, as_mask, one_of, strength


def _prepared(what: str, relevance: Tensor | np.ndarray, mask: Tensor | np.ndarray, sign: str):
    """Return maps (N, D) after the sign, masks (N, D), and where the measure is undefined (N,)."""
    maps = as_maps(relevance)
    inside = as_mask(mask, maps.shape).reshape(len(maps), -1)
    values = strength(maps, sign).reshape(len(maps), -1)
    reasons = {"the mask is empty": ~inside.any(1), nothing(sign): ~values.any(1)}
    return values, inside, undefined(what, reasons)


def _one_sign(maps: np.ndarray, sign: str) -> np.ndarray:
    """Return the magnitudes of one sign, of which shares can be taken."""
    if sign == "signed":
        raise ValueError("sign is 'signed'; a share needs one sign: expected 'positive', 'negative' or 'absolute'.")
    return strength(maps, sign)


def relevance_mass(relevance: Tensor | np.ndarray, mask: Tensor | np.ndarray, sign: str = "positive") -> np.ndarray:
    """Share of the relevance that lies inside the mask: relevance mass accuracy.

    Arras, Osman, Samek 2022, CLEVR-XAI, doi:10.1016/j.inffus.2021.11.008. They take maps without negative
    values; here the sign says which part counts.

    Parameters
    ----------
    relevance : Tensor or ndarray (N, 12, T) or (N, colours, H, W)
    mask : bool (N, 12, T) or (N, H, W)
    sign : "positive", "absolute" or "negative"

    Returns
    -------
    ndarray (N,), 0 to 1; NaN where the mask is empty or there is no such relevance
    """
    _one_sign(np.zeros(0), sign)
    values, inside, bad = _prepared("relevance_mass", relevance, mask, sign)
    total = np.where(bad, np.nan, values.sum(1))
    return np.where(inside, values, 0).sum(1) / total


def relevance_rank(relevance: Tensor | np.ndarray, mask: Tensor | np.ndarray, sign: str = "signed") -> np.ndarray:
    """Share of the K most relevant samples that lie inside the mask, K being the mask's size: relevance rank accuracy.

    Arras et al. 2022. Samples that tie for the last places count with their expectation under a random
    order, so that a map of few values (Grad-CAM) is not judged by the order in which its samples are stored.

    Parameters
    ----------
    relevance, mask : as for :func:`relevance_mass`
    sign : what "relevant" means: "signed" (the largest values), "positive", "negative" or "absolute"

    Returns
    -------
    ndarray (N,), 0 to 1; NaN where the mask is empty or the map zero
    """
    values, inside, bad = _prepared("relevance_rank", relevance, mask, sign)
    return np.array([np.nan if b else _rank(v, m) for v, m, b in zip(values, inside, bad, strict=True)])


def _rank(values: np.ndarray, inside: np.ndarray) -> float:
    size = int(inside.sum())
    last = np.partition(values, -size)[-size]
    above, ties = values > last, values == last
    places = size - above.sum()
    return float((inside[above].sum() + places * inside[ties].mean()) / size)


def pointing_game(
    relevance: Tensor | np.ndarray, mask: Tensor | np.ndarray, tolerance: float = 0, sign: str = "signed"
) -> np.ndarray:
    """Whether the most relevant sample lies inside the mask, or near it.

    Zhang et al. 2018, Top-down neural attention by excitation backprop, doi:10.1007/s11263-017-1059-x. They
    allow 15 pixels around boxes drawn by hand; our masks are exact, so nothing is allowed by default. Several maxima
    count with the share of them that hits. One number in {0, 1} says little: average it over samples.

    Parameters
    ----------
    relevance, mask : as for :func:`relevance_mass`
    tolerance : for images the distance in pixels, for ECGs the time in samples, in the same lead
    sign : as for :func:`relevance_rank`

    Returns
    -------
    ndarray (N,), 0 to 1; NaN where the mask is empty or the map zero
    """
    if not (np.isscalar(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance is {tolerance!r}; expected a number of pixels or samples, 0 or more.")
    values, inside, bad = _prepared("pointing_game", relevance, mask, sign)
    if tolerance:
        inside = _widened(np.asarray(mask), tolerance, images=np.ndim(relevance) == 4).reshape(inside.shape)
    top = values == values.max(1, keepdims=True)
    return np.where(bad, np.nan, (top & inside).sum(1) / top.sum(1))


def _widened(mask: np.ndarray, tolerance: float, images: bool) -> np.ndarray:
    """Return masks grown by a distance: in all directions on images, along time on ECGs. Empty masks stay empty."""
    if images:
        return np.stack([(distance_transform_edt(~m) <= tolerance) & m.any() for m in mask])
    return maximum_filter1d(mask, 2 * int(tolerance) + 1, axis=-1, mode="constant", cval=False)


def auprc(relevance: Tensor | np.ndarray, mask: Tensor | np.ndarray, sign: str = "signed") -> np.ndarray:
    """Area under the precision-recall curve of the relevance as a detector of the mask, as average precision.

    Sum of precision times gain in recall over all thresholds, by scikit-learn: Davis, Goadrich 2006, The relationship
    between precision-recall and ROC curves, doi:10.1145/1143844.1143874. It asks for the whole ranking, where
    :func:`relevance_rank` asks for one threshold.

    Parameters
    ----------
    relevance, mask : as for :func:`relevance_mass`
    sign : as for :func:`relevance_rank`

    Returns
    -------
    ndarray (N,), 0 to 1; NaN where the mask is empty or the map zero
    """
    values, inside, bad = _prepared("auprc", relevance, mask, sign)
    rows = zip(values, inside, bad, strict=True)
    return np.array([np.nan if b else average_precision_score(m, v) for v, m, b in rows])


def area_share(mask: Tensor | np.ndarray) -> np.ndarray:
    """Return the share of the samples that the mask covers, (N,): what white noise reaches on average."""
    mask = as_mask(mask)
    if mask.ndim != 3:
        raise ValueError(f"mask has shape {mask.shape}; expected (N, leads, T) or (N, H, W).")
    return mask.mean((1, 2))


def normalised_lift(share: ArrayLike, area: ArrayLike) -> np.ndarray:
    """Return (share - area) / (1 - area): 0 is white noise, 1 all on the mask, negative beside it, whatever the area.

    share / area has a ceiling of its own for every mask (1 / area), so it can't be averaged over causes; this can.

    Parameters
    ----------
    share : (N,), of the relevance on the mask
    area : (N,), of the samples; NaN comes back where it is 1

    Examples
    --------
    >>> normalised_lift([0.5, 1.0, 0.2], [0.5, 0.5, 0.4]).round(2).tolist()
    [0.0, 1.0, -0.33]
    """
    share, area = np.asarray(share, float), np.asarray(area, float)
    return (share - area) / np.where(area < 1, 1 - area, np.nan)


def difference_mask(x: Tensor | np.ndarray, twin: Tensor | np.ndarray, threshold: float = 0.02) -> np.ndarray:
    """Return where the network's inputs of patients and twins differ, bool (N, 12, T).

    The filters before the network smear a difference over its surroundings: what differs for the network is more than
    what differs in the heart.

    Parameters
    ----------
    x, twin : Tensor or ndarray (N, 12, T), mV, both as the network gets them
    threshold : mV
    """
    return np.abs(as_maps(x, what="x") - as_maps(twin, np.shape(x), "twin")) > threshold


def graded_mask(x: Tensor | np.ndarray, twin: Tensor | np.ndarray, full: float = 0.1) -> np.ndarray:
    """Return how much each sample belongs to the difference, (N, 12, T) from 0 to 1: no threshold decides.

    Parameters
    ----------
    x, twin : as for :func:`difference_mask`
    full : mV from which a sample belongs to it wholly
    """
    return (np.abs(as_maps(x, what="x") - as_maps(twin, np.shape(x), "twin")) / full).clip(max=1)


def graded_mass(relevance: Tensor | np.ndarray, weight: Tensor | np.ndarray, sign: str = "positive") -> np.ndarray:
    """Share of the relevance that lies inside a graded mask: each sample counts as far as it belongs.

    Parameters
    ----------
    relevance : Tensor or ndarray (N, 12, T) or (N, colours, H, W)
    weight : (N, 12, T) or (N, H, W), from 0 to 1; its mean is what white noise reaches
    sign : "positive", "absolute" or "negative"

    Returns
    -------
    ndarray (N,), 0 to 1; NaN where the mask is empty or there is no such relevance

    Raises
    ------
    ValueError : weights outside 0 to 1, or another shape
    """
    maps, weight = as_maps(relevance), as_maps(weight, what="weight")
    if weight.shape != maps.shape or weight.min() < 0 or weight.max() > 1:
        raise ValueError(
            f"weight has shape {weight.shape}, {weight.min():g} to {weight.max():g}; expected {maps.shape}, 0 to 1."
        )
    values = _one_sign(maps, sign).reshape(len(maps), -1)
    weight = weight.reshape(len(maps), -1)
    bad = undefined("graded_mass", {"the mask is empty": ~weight.any(1), nothing(sign): ~values.any(1)})
    return (values * weight).sum(1) / np.where(bad, np.nan, values.sum(1))


@dataclass(frozen=True)
class Measure:
    """One row of a table of measures.

    Parameters
    ----------
    name : key in the table
    title : for figures and columns
    function : (relevance, mask, **options) -> ndarray (N,)
    formula : LaTeX, without dollar signs
    citation : authors, year, title, and a DOI or arXiv number
    """

    name: str
    title: str
    function: Callable[..., np.ndarray]
    formula: str
    citation: str


_ARRAS = (
    "Arras, Osman, Samek 2022, CLEVR-XAI: a benchmark dataset for the ground truth evaluation of neural network "
    "explanations, doi:10.1016/j.inffus.2021.11.008"
)

LOCALISATION: dict[str, Measure] = {
    row.name: row
    for row in (
        Measure("mass", "Relevance mass", relevance_mass,
                r"\sum_{i \in M} R_i^+ \big/ \sum_i R_i^+", _ARRAS),
        Measure("rank", "Relevance rank", relevance_rank,
                r"|\mathrm{top}_K(R) \cap M| \,/\, K,\; K = |M|", _ARRAS),
        Measure("pointing", "Pointing game", pointing_game,
                r"\mathbf{1}[\arg\max_i R_i \in M]",
                "Zhang et al. 2018, Top-down neural attention by excitation backprop, doi:10.1007/s11263-017-1059-x"),
        Measure("auprc", "Average precision", auprc,
                r"\sum_k (\mathrm{recall}_k - \mathrm{recall}_{k-1})\, \mathrm{precision}_k",
                "Davis, Goadrich 2006, The relationship between precision-recall and ROC curves, "
                "doi:10.1145/1143844.1143874"),
    )
}  # fmt: skip
"""Every localisation measure: name -> row."""


def localise(relevance: Tensor | np.ndarray, mask: Tensor | np.ndarray, ranks: str = "signed") -> dict[str, np.ndarray]:
    """Return every measure of ``LOCALISATION``, the mask's ``area`` and the mass's ``normalised_lift``: name -> (N,).

    Parameters
    ----------
    relevance, mask : as for :func:`relevance_mass`
    ranks : "signed": the mass is that of the positive relevance, and samples are ranked by their values; "absolute":
        both by magnitude. ``METHODS[name].ranks`` says which a method's map asks for
    """
    one_of("ranks", ranks, ("signed", "absolute"))
    signs = {"mass": "positive" if ranks == "signed" else ranks}
    found = {name: row.function(relevance, mask, sign=signs.get(name, ranks)) for name, row in LOCALISATION.items()}
    area = area_share(mask)
    return found | {"area": area, "normalised_lift": normalised_lift(found["mass"], area)}
