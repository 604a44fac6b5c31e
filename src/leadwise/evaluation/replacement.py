"""What stands in the place of a part that is taken away: one row for each answer.

No answer is right. A flat line is a recording that no network was trained on, and some networks call it ill; noise adds
edges; another beat of the same patient, or the same patient without the disease, stays among the recordings that exist
(Hooker et al. 2019, A benchmark for interpretability methods in deep neural networks, arXiv:1806.10758; Chang et al.
2019, Explaining image classifiers by counterfactual generation, arXiv:1807.08024). So a curve names its replacement.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu
from torch import Tensor

from leadwise.attribution.gradients import baseline_like
from leadwise.ecg.delineation import Delineation, delineate
from leadwise.ecg.filters import PUBLISHED_FS
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.ecg.waves import r_peaks
from leadwise.maps import finite, one_of

Reference = Tensor | np.ndarray | Sequence | None  # what a replacement takes from: signals, the beats of each record

BLUR_SECONDS, BLUR_PIXELS = 0.05, 10.0
"""Standard deviation of the blur: in 50 ms no QRS is left; in pixels as in Fong and Vedaldi 2017."""


@dataclass(frozen=True)
class Replacement:
    """One row of ``REPLACEMENTS``.

    Parameters
    ----------
    name : key in the table
    title : for menus and figures
    function : (x, reference, seed, fs) -> Tensor shaped like x, of which deletion takes parts
    reference : what must be given besides, or "" where nothing is
    images : whether it makes sense on images
    citation : a paper that uses it, where there is one
    """

    name: str
    title: str
    function: Callable[[Tensor, Reference, int, float], Tensor]
    reference: str = ""
    images: bool = True
    citation: str = ""


def _baseline(x: Tensor, reference: Reference, seed: int, fs: float, *, kind: str) -> Tensor:
    return baseline_like(x, kind, seed).clone()


def _blurred(x: Tensor, reference: Reference, seed: int, fs: float) -> Tensor:
    """Blur along time or over the picture; beyond the edge the input is mirrored."""
    width = BLUR_PIXELS if x.ndim == 4 else BLUR_SECONDS * fs
    blurred = gaussian_filter(x.cpu().numpy(), [0, 0, *[width] * (x.ndim - 2)], mode="reflect")
    return torch.from_numpy(blurred).to(x)


def _counterfactual(x: Tensor, reference: Reference, seed: int, fs: float) -> Tensor:
    """Return the signals given as reference, shaped like x."""
    if not isinstance(reference, (Tensor, np.ndarray)):
        raise ValueError(
            f"reference is {type(reference).__name__}; the replacement 'counterfactual' takes the signals of the "
            f"counterfactuals, a tensor of shape {tuple(x.shape)}:  simulated_ecg.counterfactual.tensor()[None]."
        )
    reference = torch.as_tensor(reference).to(x)
    if reference.shape != x.shape:
        raise ValueError(f"reference has shape {tuple(reference.shape)}; expected {tuple(x.shape)}, as x.")
    finite(reference, "reference")
    return reference


def neighbouring_beat(signal: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Return each sample of an ECG as the neighbouring beat has it at the same time from its R peak.

    A sample belongs to the beat whose R peak is nearest. It is taken from the next beat; where that has no such sample
    inside the recording, from the one before. Time is not stretched, so PR and QRS keep their lengths.

    Parameters
    ----------
    signal : (12, T)
    peaks : int (B,), samples of the R peaks

    Raises
    ------
    ValueError : fewer than two beats, peaks outside the recording, or samples that no neighbour covers
    """
    length = signal.shape[-1]
    if len(peaks) < 2 or peaks[0] < 0 or peaks[-1] >= length:
        raise ValueError(
            f"R peaks are {peaks.tolist()}; a neighbouring beat needs two or more, inside the {length} samples."
        )
    time = np.arange(length)
    own = np.searchsorted((peaks[:-1] + peaks[1:]) / 2, time, side="right")
    offset = time - peaks[own]
    source = np.full(length, -1)
    for beat in (own - 1, own + 1):  # the next beat, tried last, wins
        found = peaks[np.clip(beat, 0, len(peaks) - 1)] + offset
        fits = (beat >= 0) & (beat < len(peaks)) & (found >= 0) & (found < length)
        source[fits] = found[fits]
    if (source < 0).any():
        gap = np.flatnonzero(source < 0)
        raise ValueError(
            f"no neighbouring beat covers samples {gap[0]} to {gap[-1]} (R peaks at {peaks.tolist()}); take a longer "
            "window or another replacement."
        )
    return signal[:, source]


def _neighbours(x: Tensor, reference: Reference, seed: int, fs: float) -> Tensor:
    """Replace every record of a batch by its neighbouring beats; without a reference it is delineated."""
    signals = x.cpu().numpy()
    if reference is None and x.shape[1] != len(LEADS):
        raise ValueError(
            f"x has {x.shape[1]} leads; only twelve can be delineated here. Give the beats: reference=[...]."
        )
    sources: Any = [ECG(signal, fs) for signal in signals] if reference is None else reference
    if isinstance(sources, (ECG, Delineation)) or len(sources) != len(x):
        raise ValueError(f"reference must name the beats of each of {len(x)} records: a list with one entry for each.")
    sources = [
        delineate(source) if isinstance(source, ECG) and not getattr(source, "waves", ()) else source
        for source in sources
    ]
    rows = [neighbouring_beat(signal, r_peaks(source)) for signal, source in zip(signals, sources, strict=True)]
    return torch.from_numpy(np.stack(rows)).to(x)


_SAMEK = "Samek et al. 2017, Evaluating the visualization of what a deep neural network has learned, doi:10.1109/TNNLS.2016.2599820"  # noqa: E501
_PETSIUK = "Petsiuk, Das, Saenko 2018, RISE, arXiv:1806.07421"
_FONG = "Fong, Vedaldi 2017, Interpretable explanations of black boxes by meaningful perturbation, doi:10.1109/ICCV.2017.371"  # noqa: E501

REPLACEMENTS: dict[str, Replacement] = {
    row.name: row
    for row in (
        Replacement("zero", "Zero", partial(_baseline, kind="zero"), citation=_PETSIUK),
        Replacement("mean", "Mean of the lead or colour", partial(_baseline, kind="mean"), citation=_FONG),
        Replacement("noise", "Noise of the same mean and variance", partial(_baseline, kind="noise"), citation=_SAMEK),
        Replacement("blur", "Blurred input", _blurred, citation=_FONG),
        Replacement("counterfactual", "Same patient without the condition", _counterfactual, "signals shaped like x"),
        Replacement("neighbouring beat", "Same phase of the neighbouring beat", _neighbours, "beats, or None",
                    images=False),
    )
}  # fmt: skip
"""Every replacement: name -> row.

A neighbouring beat only takes away what one beat has and the next has not: a premature beat, an artefact. What every
beat has, such as a bundle branch block, it brings back.
"""


def replace(
    x: Tensor,
    replacement: str,
    reference: Reference = None,
    seed: int = 0,
    fs: float = PUBLISHED_FS,
) -> Tensor:
    """Return what would stand in the place of every sample of x, shaped like x.

    Parameters
    ----------
    x : Tensor (N, 12, T) or (N, 3, H, W). On normalised images "zero" is the mean colour, not black
    replacement : a key of ``REPLACEMENTS``
    reference : for "counterfactual" the signals to take from, shaped like x; for "neighbouring beat" the beats of each
        record, in a list (ECGs, or what :func:`leadwise.ecg.waves.r_peaks` takes), or None to find them;
        None for the others
    seed : of "noise"
    fs : Hz, of an ECG

    Raises
    ------
    ValueError : unknown replacement, one that has no meaning on images, or a reference that does not fit
    """
    row = REPLACEMENTS[one_of("replacement", replacement, REPLACEMENTS)]
    if x.ndim == 4 and not row.images:
        raise ValueError(f"replacement is {replacement!r}, which needs an ECG (N, 12, T); x is {tuple(x.shape)}.")
    if reference is not None and not row.reference:
        raise ValueError(f"replacement {replacement!r} takes no reference; leave it None.")
    return row.function(x, reference, seed, fs)


# Rong et al. 2022: a pixel is the mean of its eight neighbours, those beside it counting twice as much.
NEIGHBOURS = {(i, j): 1 / 6 if 0 in (i, j) else 1 / 12 for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)}


def impute(x: Tensor, gone: Tensor) -> Tensor:
    """Fill what is gone from what is left, so that each filled element is the mean of its neighbours.

    Rong et al. 2022, arXiv:2202.00449, section 4.2. In a lead that is a straight line across each gap, level at the
    ends. In a picture it is the solution of a linear system, one equation for each pixel.

    Parameters
    ----------
    x : Tensor (12, T) or (colours, H, W)
    gone : bool, shaped like x; of a picture the same in all colours

    Returns
    -------
    Tensor : like x; a lead or picture of which nothing is left becomes its mean
    """
    values, hole = x.double().cpu().numpy(), gone.cpu().numpy()
    if values.shape != hole.shape:
        raise ValueError(f"gone has shape {hole.shape}; expected {values.shape}, as x.")
    if values.ndim == 2:
        filled = np.stack([_line(row, missing) for row, missing in zip(values, hole, strict=True)])
    elif (hole != hole[:1]).any():
        raise ValueError("gone differs between the colours; expected the same pixels in each.")
    else:
        filled = _surface(values, hole[0])
    return torch.from_numpy(filled).to(x)


def _line(row: np.ndarray, gone: np.ndarray) -> np.ndarray:
    if gone.all():
        return np.full_like(row, row.mean())
    time = np.arange(len(row))
    return np.interp(time, time[~gone], row[~gone])


def _surface(values: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Solve for the pixels (H, W) that are gone, in every colour at once."""
    if gone.all():
        return np.broadcast_to(values.mean((1, 2), keepdims=True), values.shape).copy()
    filled = values.copy()
    count = int(gone.sum())
    if not count:
        return filled
    number = np.full(gone.shape, -1)
    number[gone] = np.arange(count)
    rows, columns = np.nonzero(gone)
    matrix, right, weights = [], np.zeros((count, len(values))), np.zeros(count)
    for (down, along), weight in NEIGHBOURS.items():
        r, c = rows + down, columns + along
        inside = (r >= 0) & (c >= 0) & (r < gone.shape[0]) & (c < gone.shape[1])
        own, r, c = np.flatnonzero(inside), r[inside], c[inside]
        weights[own] += weight
        there = gone[r, c]
        matrix.append((np.full(there.sum(), -weight), (own[there], number[r[there], c[there]])))
        right[own[~there]] += weight * values[:, r[~there], c[~there]].T
    matrix.append((weights, (np.arange(count), np.arange(count))))
    data, places = zip(*matrix, strict=True)
    rows, columns = (np.concatenate(one) for one in zip(*places, strict=True))
    system = csc_matrix((np.concatenate(data), (rows, columns)), shape=(count, count))
    filled[:, gone] = splu(system).solve(right).T
    return filled
