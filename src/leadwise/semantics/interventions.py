"""What a part of a recording does to a network's answer, found by exchanging it with the healthy twin's.

A simulated patient has a twin: the same rhythm and noise without the condition. Between the two lies a difference,
which can be cut into parts: waves, groups of leads, bands of frequency, or all three crossed. Put a part of the
difference in, or take it out, and the change of the score is an effect of that part: a fact about the network, whatever
a map says. Single exchanges do not add up where parts work together; Shapley's value (1953) shares that out, and adds
up. A map that claims to explain the difference has to have the same sums over the parts.

Parts are exchanged in all leads at once unless they are parts of leads, so Einthoven's law holds at every sample.
Recordings are (N, leads, T) here, whatever the layout of the network.

A scene whose objects are known has a twin too, the same scene without them: there the parts are objects.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import factorial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from leadwise.attribution import METHODS, attribute
from leadwise.attribution.core import EXPLAIN, classes_of
from leadwise.attribution.names import resolve
from leadwise.attribution.question import Question
from leadwise.ecg.filters import PUBLISHED_FS
from leadwise.ecg.leads import LEADS
from leadwise.ecg.waves import Wave
from leadwise.maps import finite, one_of
from leadwise.networks.network import Network, network_of
from leadwise.progress import CHUNK, Progress, progress_to
from leadwise.semantics.tables import WAVES, wave_labels

WAVE_GROUPS = {"P, PR": ("P", "PR"), "QRS": ("QRS",), "ST, T": ("ST", "T"), "rest": ("rest",)}
"""Group -> parts of the beat; each part in one group."""

BANDS = {"0-2 Hz": (0, 2), "2-5 Hz": (2, 5), "5-10 Hz": (5, 10), "10-20 Hz": (10, 20), "above 20 Hz": (20, np.inf)}
"""Band -> lower and upper end in Hz, the upper one excluded; each frequency in one band."""

EXACT = 8
"""Up to so many parts every coalition is asked (256 of them); beyond, Shapley's values are sampled."""

PAIRS = 50
"""Pairs of orders that are sampled by default."""


@dataclass(frozen=True, eq=False)
class Parts:
    """A division of the difference between N patients, or pictures, and their twins: every bit belongs to one part.

    Parameters
    ----------
    names : of the K parts: places first, bands within each place
    places : Tensor (N, 12, T), or (N, 3, H, W) of pictures, of whole numbers: the place of each sample
    bands : (lower, upper) in Hz; () for no division by frequency
    fs : Hz
    """

    names: tuple[str, ...]
    places: Tensor
    bands: tuple[tuple[float, float], ...] = ()
    fs: float = PUBLISHED_FS

    def pieces(self, difference: Tensor, sample: int) -> Tensor:
        """Return the parts (K, ...) of the difference (...) of one patient or picture; they add up to it."""
        places = self.places[sample].to(difference.device)
        count = len(self.names) // max(len(self.bands), 1)
        inside = torch.stack([places == k for k in range(count)])  # (places, ...)
        split = [band_of(difference, self.fs, *band) for band in self.bands] or [difference]
        return (inside[:, None] * torch.stack(split)).flatten(0, 1)

    def sums(self, relevance: Tensor | np.ndarray) -> np.ndarray:
        """Return the signed sums of maps over the parts, (N, K); they add up to the sum of each map.

        Parameters
        ----------
        relevance : tensor or array (N, 12, T), or (N, 3, H, W)

        Raises
        ------
        ValueError : another shape, not finite, or parts that are bands: a map over time has no sums over frequencies
        """
        if self.bands:
            raise ValueError("these parts are bands of frequency; a map over time has no sums over them.")
        values = finite(relevance)
        if values.shape != tuple(self.places.shape):
            raise ValueError(f"relevance has shape {values.shape}; expected {tuple(self.places.shape)}, as the parts.")
        places = self.places.numpy()
        axes = tuple(range(1, values.ndim))
        return np.stack([(values * (places == k)).sum(axes) for k in range(len(self.names))], 1)

    @property
    def area(self) -> np.ndarray:
        """Share of the samples in each place, (places,), over all patients."""
        count = len(self.names) // max(len(self.bands), 1)
        return np.bincount(self.places.flatten().numpy(), minlength=count) / self.places.numel()


def band_of(signal: Tensor, fs: float, low: float, high: float) -> Tensor:
    """Return what lies from ``low`` to below ``high`` Hz in a signal (..., T), by cutting its Fourier transform."""
    frequency = torch.fft.rfftfreq(signal.shape[-1], 1 / fs)
    inside = ((frequency >= low) & (frequency < high)).to(signal.device)
    return torch.fft.irfft(torch.fft.rfft(signal) * inside, n=signal.shape[-1])


def parts_of(
    waves: Sequence[Sequence[Wave]],
    samples: int,
    *,
    groups: Mapping[str, Sequence[str]] | None = WAVE_GROUPS,
    leads: Mapping[str, Sequence[str]] | None = None,
    bands: Mapping[str, tuple[float, float]] | None = None,
    fs: float = PUBLISHED_FS,
    rows: Sequence[str] = LEADS,
) -> Parts:
    """Divide N recordings by waves, groups of leads and bands of frequency, or any of the three.

    Parameters
    ----------
    waves : of each recording, in samples of its window, as from :func:`~leadwise.semantics.waves_of`
    samples : length T of the window
    groups : name -> parts of the beat; None for the beat as a whole
    leads : name -> leads, such as ``LEAD_GROUPS``; None exchanges all leads together
    bands : name -> (lower, upper) in Hz, such as ``BANDS``; None for no division
    fs : Hz
    rows : leads of the recordings, such as ``Network.leads``; groups that hold none of them are left out

    Raises
    ------
    ValueError : parts of the beat, leads or frequencies that lie in no group, or in two

    Examples
    --------
    >>> beat = [Wave("QRS", 0, 100, 120, 150)]
    >>> parts_of([beat], 500).names
    ('P, PR', 'QRS', 'ST, T', 'rest')
    """
    of_wave, of_lead = _numbers("groups", groups, WAVES), _numbers("leads", leads, LEADS)
    kept, of_lead = np.unique(of_lead[[LEADS.index(lead) for lead in rows]], return_inverse=True)
    some_leads = leads and [name for k, name in enumerate(leads) if k in kept]
    labels = np.stack([wave_labels(one, samples) for one in waves])  # (N, T)
    count = len(groups) if groups else 1
    places = of_lead[None, :, None] * count + of_wave[labels][:, None]  # lead groups first, waves within
    edges = tuple(bands.values()) if bands else ()
    if bands and (edges[0][0] != 0 or edges[-1][1] <= fs / 2 or any(a[1] != b[0] for a, b in pairwise(edges))):
        raise ValueError(
            f"bands are {edges}; expected neighbours from 0 to above {fs / 2:g} Hz, each frequency in one."
        )
    named = [tuple(one) if one else ("",) for one in (some_leads, groups, bands)]
    names = tuple(" · ".join(filter(None, one)) or "all" for one in product(*named))
    return Parts(names, torch.from_numpy(places), edges, fs)


def parts_of_masks(masks: Mapping[str, np.ndarray], channels: int = 3) -> Parts:
    """Divide N pictures by masks of what they show; what lies in no mask is the part "rest".

    Parameters
    ----------
    masks : name -> bool (N, H, W)
    channels : of the pictures; all are exchanged together

    Raises
    ------
    ValueError : no mask, masks of different shapes, or a pixel that lies in two of them

    Examples
    --------
    >>> left = np.arange(4) < 2
    >>> parts_of_masks({"left": np.tile(left, (1, 4, 1))}).names
    ('left', 'rest')
    """
    found = [np.asarray(mask, bool) for mask in masks.values()]
    shapes = {mask.shape for mask in found}
    if len(shapes) != 1 or found[0].ndim != 3:
        raise ValueError(f"masks have shapes {sorted(shapes)}; expected one shape (N, H, W).")
    if (np.sum(found, 0) > 1).any():
        raise ValueError("masks overlap; expected that each pixel lies in at most one.")
    places = np.full(found[0].shape, len(found))
    for number, mask in enumerate(found):
        places[mask] = number
    size = (len(places), channels, *places.shape[1:])
    return Parts((*masks, "rest"), torch.from_numpy(places)[:, None].expand(size))


def _numbers(what: str, groups: Mapping[str, Sequence[str]] | None, known: tuple[str, ...]) -> np.ndarray:
    """Return the number of the group of each known name."""
    members = [list(known)] if groups is None else [list(members) for members in groups.values()]
    found = [name for group in members for name in group]
    if sorted(found) != sorted(known):
        raise ValueError(f"{what} hold {', '.join(found)}; expected each of {', '.join(known)} once.")
    return np.array([next(k for k, group in enumerate(members) if name in group) for name in known])


def settled(parts: Parts, difference: Tensor, reach: int = 20) -> Parts:
    """Return the parts with each border in time moved to where patient and twin differ least, all leads together.

    Where a wave ends, patient and twin may be millivolts apart; a recording that is cut together there has a step that
    no heart makes. Within ``reach`` samples there is mostly an isoelectric point of both.

    Parameters
    ----------
    parts : of places that are the same in all leads
    difference : Tensor (N, 12, T), patient minus twin
    reach : samples that a border may move

    Raises
    ------
    ValueError : parts that are parts of leads
    """
    places = parts.places[:, 0].numpy()
    if (parts.places.numpy() != places[:, None]).any():
        raise ValueError("the parts are parts of leads; borders in time are moved for all leads together.")
    apart = difference.abs().amax(1).cpu().numpy()  # (N, T): the step that a cut before this sample would make
    moved = np.stack([_moved(row, step, reach) for row, step in zip(places, apart, strict=True)])
    return Parts(parts.names, torch.from_numpy(moved)[:, None].expand(parts.places.shape), parts.bands, parts.fs)


def _moved(places: np.ndarray, step: np.ndarray, reach: int) -> np.ndarray:
    """Move each border of one recording to the smallest step within reach, between its neighbours."""
    borders = np.flatnonzero(np.diff(places)) + 1
    kinds = [places[0], *places[borders]]
    limits = [0, *((borders[:-1] + borders[1:]) // 2), len(places)]
    cuts = []
    for border, low, high in zip(borders, limits[:-1], limits[1:], strict=True):
        first, last = max(border - reach, low, 1), min(border + reach + 1, high)
        cuts.append(first + int(step[first:last].argmin()))
    return np.repeat(kinds, np.diff([0, *cuts, len(places)]))


@dataclass(frozen=True, eq=False)
class Effects:
    """What each part does to the score of N patients.

    Parameters
    ----------
    names : of the K parts
    out : ndarray (N, K), fall of the score when the part becomes the twin's
    into : ndarray (N, K), rise of the twin's score when the part becomes the patient's
    shapley : ndarray (N, K), mean of both and of all that lies between; adds up to ``difference``
    error : ndarray (N, K), standard error of ``shapley``; 0 where every coalition was asked
    difference : ndarray (N,), score of the patient minus that of the twin
    """

    names: tuple[str, ...]
    out: np.ndarray
    into: np.ndarray
    shapley: np.ndarray
    error: np.ndarray
    difference: np.ndarray

    def shares(self, what: str = "shapley") -> np.ndarray:
        """Return the effects of all patients together as fractions of the whole difference, (K,).

        Parameters
        ----------
        what : "shapley", which adds up to 1, "out" or "into", which need not
        """
        return getattr(self, one_of("what", what, ("shapley", "out", "into"))).sum(0) / self.difference.sum()


def interventions(
    model: nn.Module | Network,
    x: Tensor,
    twin: Tensor,
    parts: Parts,
    target: int | Tensor = 1,
    *,
    explain: str = "log-odds",
    pairs: int | None = None,
    seed: int = 0,
    progress: bool | Callable[[int, int], None] = True,
) -> Effects:
    """Exchange parts of patients with their twins, and return what each does to the score.

    Parameters
    ----------
    model : network (N, 12, T), or (N, 3, H, W), -> logits
    x, twin : Tensor (N, 12, T), patients and the same without the condition; or pictures and the same without objects
    parts : from :func:`parts_of`, of pictures from :func:`parts_of_masks`
    target : class whose score is followed
    explain : "log-odds" or "logit"
    pairs : pairs of an order of the parts and its reverse, by which Shapley's values are sampled (Castro et al. 2009,
        doi:10.1016/j.cor.2008.04.004); None asks every coalition where there are at most ``EXACT`` parts, else samples
        ``PAIRS``
    seed : of the orders
    progress : as in ``attribute``; counted are patients

    Raises
    ------
    ValueError : shapes that do not fit, values that are not finite, fewer than two pairs
    """
    if x.ndim not in (3, 4) or x.shape != twin.shape or x.shape != parts.places.shape:
        shapes = [tuple(one.shape) for one in (x, twin, parts.places)]
        raise ValueError(f"x, twin and parts have shapes {shapes}; expected the same (N, 12, T) or (N, 3, H, W).")
    if pairs is not None and pairs < 2:
        raise ValueError(f"pairs is {pairs}; expected 2 or more, for one says nothing about its error.")
    finite(x, "x"), finite(twin, "twin")
    network, count = network_of(model).leads_first(), len(parts.names)
    question = Question(network, classes_of(network, x, target), one_of("explain", explain, EXPLAIN))
    orders = None if pairs is None and count <= EXACT else _orders(count, pairs or PAIRS, seed)
    kept = coalitions(count) if orders is None else torch.cat([_single(count), _prefixes(orders)])
    rows = []
    with torch.no_grad(), progress_to(progress), Progress(len(x)) as bar:
        for i in range(len(x)):
            values = _values(question.of(slice(i, i + 1)), twin[i], parts.pieces(x[i] - twin[i], i), kept)
            rows.append(_exact(values, count) if orders is None else _sampled(values, count, orders))
            bar.advance()
    return Effects(parts.names, *(np.stack(one) for one in zip(*rows, strict=True)))


def coalitions(count: int) -> Tensor:
    """Return every coalition of ``count`` parts, bool (2^count, count); row s holds the bits of s."""
    return (torch.arange(2**count)[:, None] >> torch.arange(count)) & 1 == 1


def _single(count: int) -> Tensor:
    """Return nothing, everything, each part alone, and everything but each part, bool (2 + 2 count, count)."""
    one = torch.eye(count, dtype=torch.bool)
    return torch.cat([torch.zeros(1, count, dtype=torch.bool), torch.ones(1, count, dtype=torch.bool), one, ~one])


def _orders(count: int, pairs: int, seed: int) -> Tensor:
    """Return orders of the parts, (2 pairs, count): each is followed by its reverse."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.stack([torch.randperm(count, generator=generator) for _ in range(pairs)])
    return torch.stack([drawn, drawn.flip(1)], 1).flatten(0, 1)


def _prefixes(orders: Tensor) -> Tensor:
    """Return the coalitions that grow along each order, without the empty and the whole one."""
    places = orders.argsort(1)  # when each part enters
    return torch.cat([places < size for size in range(1, orders.shape[1])])


def _values(question: Question, twin: Tensor, pieces: Tensor, kept: Tensor) -> np.ndarray:
    """Return the score (M,) of one twin with the pieces of each coalition added."""
    found = []
    for some in kept.to(twin).split(CHUNK):
        mixed = twin + torch.tensordot(some, pieces, 1)
        found.append(question.repeated(len(some)).scores(mixed))
    return torch.cat(found).double().cpu().numpy()


def _exact(values: np.ndarray, count: int) -> tuple[np.ndarray, ...]:
    """Return out, into, Shapley's values, their error and the difference from the values of all coalitions."""
    whole = 2**count - 1
    bits = 1 << np.arange(count)
    size = np.array([int(s).bit_count() for s in range(2**count)])
    weight = np.array([factorial(s) * factorial(count - s - 1) / factorial(count) for s in range(count)])
    shapley = np.empty(count)
    for part, bit in enumerate(bits):
        without = np.flatnonzero(np.arange(2**count) & bit == 0)
        shapley[part] = (weight[size[without]] * (values[without | bit] - values[without])).sum()
    out, into = values[whole] - values[whole ^ bits], values[bits] - values[0]
    return out, into, shapley, np.zeros(count), values[whole] - values[0]


def _sampled(values: np.ndarray, count: int, orders: Tensor) -> tuple[np.ndarray, ...]:
    """Return the same from single exchanges and growing coalitions, averaged over the pairs of orders."""
    nothing, whole = values[:2]
    into, out = values[2 : 2 + count] - nothing, whole - values[2 + count : 2 + 2 * count]
    grown = values[2 + 2 * count :].reshape(count - 1, len(orders)).T
    steps = np.diff(grown, axis=1, prepend=nothing, append=whole)  # what each place of an order adds
    gains = np.take_along_axis(steps, orders.argsort(1).numpy(), 1).reshape(-1, 2, count).mean(1)
    error = gains.std(0, ddof=1) / np.sqrt(len(gains))
    return out, into, gains.mean(0), error, whole - nothing


def contrast(
    model: nn.Module | Network,
    x: Tensor,
    twin: Tensor,
    method: str,
    target: int | Tensor = 1,
    *,
    explain: str = "log-odds",
    progress: bool | Callable[[int, int], None] = True,
    **parameters: Any,
) -> Tensor:
    """Explain what makes patients differ from their twins, with any method: the map that effects are compared with.

    A method that takes a reference (a baseline or a background) gets each patient's twin. Of the others, it is the map
    of the patient minus that of the twin. A random map stays what it is.

    Parameters
    ----------
    model, x, method, target, progress, parameters : as for ``attribute``, with the batch axis
    twin : Tensor shaped like x
    explain : as for ``attribute``, here the log-odds by default

    Returns
    -------
    Tensor : shaped like x
    """
    row = METHODS[resolve(method)[0]]
    reference = next((p.name for p in row.parameters if p.tensor), None)
    network = network_of(model).leads_first()
    target = target if isinstance(target, Tensor) and target.ndim else torch.full((len(x),), int(target))
    how = {"explain": explain, "progress": progress} | parameters

    def of(signals, rows=slice(None), **more):
        return attribute(network, signals[rows], method, target[rows], **how, **more)

    if reference:
        rows = [slice(i, i + 1) for i in range(len(x))]
        return torch.cat([of(x, one, **{reference: twin[one]}) for one in rows])
    if row.family == "control" and row.random:
        return of(x)
    return of(x) - of(twin)


def misplaced(sums: Tensor | ArrayLike, effects: Tensor | ArrayLike) -> np.ndarray:
    """Return how much of a map lies in other parts than the effect does, or has the other sign: 0 to 1, per patient.

    Half the sum of the distances between both, each divided by the sum of its magnitudes: 0 where they are
    proportional, 1 where they share no part, or agree in the parts and have opposite signs.

    Parameters
    ----------
    sums : (N, K), signed sums of a map over the parts, as from :meth:`Parts.sums`; or (K,) of all patients together
    effects : the same of the effects, such as :attr:`Effects.shapley`

    Returns
    -------
    ndarray (N,), or a number; NaN where one of the two is zero in every part

    Examples
    --------
    >>> float(misplaced(np.array([3.0, 1.0]), np.array([1.0, 1.0])))
    0.25
    """
    sums, effects = finite(sums, "sums"), finite(effects, "effects")
    if sums.shape != effects.shape or sums.ndim not in (1, 2):
        raise ValueError(f"sums and effects have shapes {sums.shape} and {effects.shape}; expected the same (N, K).")
    shares = []
    for values in (sums, effects):
        total = np.abs(values).sum(-1, keepdims=True)
        shares.append(values / np.where(total > 0, total, np.nan))
    return np.abs(shares[0] - shares[1]).sum(-1) / 2
