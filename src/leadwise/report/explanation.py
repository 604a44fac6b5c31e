"""What a page says about one recording, as numbers and sentences: nothing here is drawn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from leadwise.attribution import METHODS, receipt
from leadwise.ecg.calibration import cut_calibration
from leadwise.ecg.delineation import delineate
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.language import mark
from leadwise.networks.ecg_net import as_published
from leadwise.networks.network import Network, network_of
from leadwise.networks.weights import ECG_MODELS, load_ecg_model
from leadwise.recordings.quality import Report, check_ecg
from leadwise.recordings.recording import RecordError
from leadwise.report.known import calibration, of_all, on_real_recordings
from leadwise.semantics import (
    CRITERIA,
    NAMED,
    RelevanceTable,
    beside_criterion,
    describe,
    lead_wave_matrix,
    waves_of,
)
from leadwise.semantics.criteria import criterion_of

NOT_FOR_DIAGNOSIS = mark(
    "For teaching, not for diagnosis. The numbers say what artificial networks answer and where they look; they say "
    "nothing certain about a patient and must not be used to decide about one."
)
TOP = 3  # classes of a network of many that are said, where fewer are named
PACKAGES = ("leadwise", "torch", "captum", "numpy", "scipy", "matplotlib")


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """What a page says. Pages and explorers draw it and compute nothing more.

    Parameters
    ----------
    ecg : the whole recording as the explained network gets it: filtered for it, at its rate
    start : s, where the window starts that the networks saw
    quality : what the checks found on the whole recording, with the size of the leads judged in the window
    probabilities : network -> probability of its pathology, 0 to 1; of a network of several classes an entry each,
        "network: class", for those that it names, or the three most probable
    sources : entry -> where its network's weights come from
    model : the entry that is explained
    method, parameters : key of ``METHODS``, and all its parameters
    score : what is explained of it, "log-odds" or "logit" of its pathology
    relevance : ndarray (leads, T), of the score
    matrix : lead x wave matrix of the relevance
    sentence : :func:`leadwise.semantics.describe` of it, with the probability
    measured : network -> the limit of its criterion and what was measured beside it, in the whole recording
    caveat : why the method says little on this network, or None
    versions : package -> version
    dated : when it was made
    leads : of the explained network, the rows of the map
    filters : what the recording went through before the network, in words
    asked : what the networks were asked for
    """

    ecg: ECG
    start: float
    quality: Report
    probabilities: dict[str, float]
    sources: dict[str, str]
    model: str
    method: str
    parameters: dict
    score: str
    relevance: np.ndarray
    matrix: RelevanceTable
    sentence: str
    measured: dict[str, str] = field(default_factory=dict)
    caveat: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    dated: str = ""
    leads: tuple[str, ...] = LEADS
    filters: str = "after the published filter chain"
    asked: tuple[str, ...] = ()

    @property
    def stop(self) -> float:
        """Where the window ends, s."""
        return self.start + self.relevance.shape[1] / self.ecg.fs

    def __repr__(self):
        answer = f"p({self.model}) = {self.probabilities[self.model]:.3f}"
        return f"Explanation({self.name}: {answer}, {self.method}, from {self.start:g} s)"

    @property
    def name(self) -> str:
        """Name of the recording."""
        return self.ecg.record_id or "unnamed recording"

    @property
    def named(self) -> tuple[str, ...]:
        """The networks that name their pathology: probability from 0.5 on."""
        return tuple(name for name, probability in self.probabilities.items() if probability >= NAMED)

    @property
    def answer(self) -> str:
        """What the networks answer, in two sentences."""
        if self.named:
            found = ", ".join(f"{name} ({percent_of(self.probabilities[name])})" for name in self.named)
            return f"Named by a network: {found}. A network's answer is no diagnosis."
        many = len(self.probabilities) > 1
        asked = ", ".join(self.asked or self.probabilities)
        return (
            f"{'No network names' if many else 'The network does not name'} its pathology: "
            f"{'all probabilities are' if many else 'the probability is'} below 50 %. Asked was for {asked} and for "
            "nothing else; this says nothing about the heart."
        )

    @property
    def heading(self) -> str:
        """What the map shows: evidence of an answer, or what spoke for it although the answer is no."""
        if self.model in self.named:
            return f"Where the {self.model} network finds its pathology"
        return f"What raised the {self.model} {self.score} although the answer is no"

    @property
    def calibration(self) -> str:
        """Whether the probabilities are calibrated, and on what."""
        return of_all(self.sources, calibration)

    @property
    def real(self) -> str:
        """How these networks do on real recordings, or that nobody knows."""
        return of_all(self.sources, on_real_recordings)


def explain_ecg(
    ecg: ECG,
    models: Mapping[str, torch.nn.Module | Network] | Sequence[str] | None = None,
    *,
    method: str = "lrp_epsilon",
    explain: str | None = None,
    score: str = "log-odds",
    start: float = 0.0,
    weights: str = "auto",
    despite_errors: bool = False,
    progress: bool | Callable[[int, int], None] = False,
    **parameters: Any,
) -> Explanation:
    """Check a recording, run the networks on a window of it, measure it, and explain one of the networks.

    As for :func:`report`; ``progress`` as for :func:`leadwise.attribute`.
    """
    if method not in METHODS:
        raise ValueError(f"no method {method!r}; expected a key of leadwise.METHODS, such as 'lrp_epsilon'.")
    ecg = cut_calibration(ecg)
    quality = check_ecg(ecg, start)
    if not quality.ok and not despite_errors:
        raise RecordError(f"{quality.name} failed a check. {' '.join(map(str, quality.of('error')))}")
    networks = _networks(models, weights)
    entries = {key: entry for name, net in networks.items() for key, entry in _entries(name, net, ecg, start).items()}
    model, entry = _chosen(explain, networks, entries)
    net, target, x = entry
    probabilities = {key: probability_of(one, seen[0], index) for key, (one, index, seen) in entries.items()}
    found = delineate(raw := ecg.resample())
    # Not attribute: its caveat stands on the page.
    found_map = receipt(net, x, method, target=target, explain=score, progress=progress, **parameters)
    relevance = net.by_leads(found_map.relevance)[0].numpy()
    matrix = lead_wave_matrix(relevance, waves_of(raw, start, found, fs=net.fs), net.leads)
    criteria = {key: _criterion(key, one, index) for key, (one, index, _) in entries.items()}
    return Explanation(
        net.recording(ecg),
        start,
        quality,
        probabilities,
        {key: one.source or "your own" for key, (one, _, _) in entries.items()},
        model,
        method,
        METHODS[method].defaults() | parameters,
        score,
        relevance,
        matrix,
        describe(matrix, pathology=criteria[model], probability=probabilities[model]),
        {key: _measured(row, raw, found) for key, row in criteria.items() if isinstance(row, str)},
        found_map.caveat,
        {package: version(package) for package in PACKAGES} | {"torch": torch.__version__},  # with its build
        f"{date.today():%Y-%m-%d}",
        net.leads,
        _filters(net),
        tuple(_asked(name, one) for name, one in networks.items()),
    )


Entry = tuple[Network, int, torch.Tensor]
"""A network, the index of a class, and its input."""


def _entries(name: str, net: Network, ecg: ECG, start: float) -> dict[str, Entry]:
    """Return what a network is said to answer: its pathology, or of several classes those named, or the first three."""
    x = net.input(ecg, start)
    if _has_one_answer(net):
        return {name: (net, net.index(), x)}
    probabilities = net.probability(x)[0]
    order = probabilities.argsort(descending=True).tolist()
    shown = [index for index in order if probabilities[index] >= NAMED] or order[:TOP]
    return {f"{name}: {net.class_name(index)}": (net, index, x) for index in shown}


def _has_one_answer(net: Network) -> bool:
    """Return whether a network asks for one thing: one label, or a finding against none."""
    return len(net.classes) == 1 or (len(net.classes) == 2 and net.outputs in (None, "classes"))


def _asked(name: str, net: Network) -> str:
    return name if _has_one_answer(net) else f"the {len(net.classes)} classes of {name}"


def _chosen(explain: str | None, networks: dict[str, Network], entries: dict[str, Entry]) -> tuple[str, Entry]:
    """Return the entry to explain: the named one, the most probable of the named network, or of all.

    Raises
    ------
    ValueError : there is no such network or class
    """
    of_class = {f"{name}: {label}": (name, label) for name, net in networks.items() for label in net.classes}
    if explain in of_class and explain not in entries:
        name, label = of_class[explain]
        x = next(entry[2] for key, entry in entries.items() if entry[0] is networks[name])
        entries[explain] = (networks[name], networks[name].index(label), x)
    among = {key: entry for key, entry in entries.items() if explain is None or key == explain}
    among = among or {key: entry for key, entry in entries.items() if entry[0] is networks.get(explain or "")}
    if not among:
        raise ValueError(f"no network {explain!r} to explain; there are {', '.join(entries)}.")
    best = max(among, key=lambda key: probability_of(among[key][0], among[key][2][0], among[key][1]))
    return best, among[best]


def _criterion(key: str, net: Network, index: int):
    """Return the criterion of an entry: a key of ``CRITERIA``, one's own, or None."""
    row = net.criteria.get(net.class_name(index), key if key in CRITERIA else None)
    return criterion_of(row) if isinstance(row, Mapping) else row


def _filters(net: Network) -> str:
    if net.preprocess == "published":
        return "after the published filter chain"
    if net.preprocess is None:
        return f"as recorded, at {net.fs:g} Hz"
    return f"after {getattr(net.preprocess, '__name__', 'a function of yours')}, at {net.fs:g} Hz"


def probability_of(model: torch.nn.Module | Network, x: torch.Tensor, target: int = 1) -> float:
    """Return the probability of a class for one sample x, as the network gives it, whatever it ends in.

    Raises
    ------
    ValueError : there is no such class, or more than two of which nothing says whether they exclude each other
    """
    probabilities = network_of(model).probability(x[None])[0]
    if not 0 <= target < len(probabilities):
        raise ValueError(f"target is {target}; this network has classes 0 to {len(probabilities) - 1}.")
    return float(probabilities[target])


def percent_of(probability: float) -> str:
    """Return a probability as per cent; one that rounds to none or all says so.

    Examples
    --------
    >>> percent_of(0.123), percent_of(0.99999)
    ('12.3 %', 'over 99.9 %')
    """
    if not 0.0005 <= probability < 0.9995:
        return "over 99.9 %" if probability > 0.5 else "under 0.1 %"
    return f"{100 * probability:.1f} %"


def _measured(name: str, raw: ECG, found) -> str:
    filtered = "; the recording came filtered, which moves the ends of waves" if raw.preprocessed else ""
    return beside_criterion(name, raw, found) + filtered


def _networks(models, weights: str) -> dict[str, Network]:
    """Return the networks by name; a module that does not say what it takes is asked as the course's are."""
    if isinstance(models, Mapping):
        if not models:
            raise ValueError("models is empty; expected at least one network.")
        return {name: as_published(model) for name, model in models.items()}
    return {name: network_of(load_ecg_model(name, weights, verbose=False)) for name in models or ECG_MODELS}
