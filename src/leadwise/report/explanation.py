"""What a page says about one recording, as numbers and sentences: nothing here is drawn."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version

import numpy as np
import torch

from leadwise.attribution import METHODS, caveat, receipt
from leadwise.attribution.question import Question
from leadwise.ecg.calibration import cut_calibration
from leadwise.ecg.delineation import delineate
from leadwise.ecg.record import ECG
from leadwise.networks.network import network_of
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

NOT_FOR_DIAGNOSIS = (
    "For teaching, not for diagnosis. The numbers say what artificial networks answer and where they look; they say "
    "nothing certain about a patient and must not be used to decide about one."
)
SAMPLES, FS = 2000, 500.0  # the networks' window
PACKAGES = ("leadwise", "torch", "captum", "numpy", "scipy", "matplotlib")


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """What a page says. Pages and explorers draw it and compute nothing more.

    Parameters
    ----------
    ecg : the whole recording, preprocessed, at 500 Hz
    start : s, where the 4 s start that the networks saw
    quality : what the checks found on the whole recording, with the size of the leads judged in the window
    probabilities : network -> probability of its pathology, 0 to 1
    sources : network -> where its weights come from
    model : the network that is explained
    method, parameters : key of ``METHODS``, and all its parameters
    score : what is explained of it, "log-odds" or "logit" of its pathology
    relevance : ndarray (12, 2000), of the score
    matrix : lead x wave matrix of the relevance
    sentence : :func:`leadwise.semantics.describe` of it, with the probability
    measured : network -> the limit of its criterion and what was measured beside it, in the whole recording
    caveat : why the method says little on this network, or None
    versions : package -> version
    dated : when it was made
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
        asked = ", ".join(self.probabilities)
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
    models: Mapping[str, torch.nn.Module] | Sequence[str] | None = None,
    *,
    method: str = "lrp_epsilon",
    explain: str | None = None,
    score: str = "log-odds",
    start: float = 0.0,
    weights: str = "auto",
    despite_errors: bool = False,
    progress=False,
    **parameters,
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
    if explain is not None and explain not in networks:
        raise ValueError(f"no network {explain!r} to explain; there are {', '.join(networks)}.")
    raw = ecg.resample(FS)
    ecg = raw.preprocess()
    x = ecg.window(start, SAMPLES).tensor()
    probabilities = {name: probability_of(network, x) for name, network in networks.items()}
    model = explain or max(probabilities, key=probabilities.get)
    found = delineate(raw)
    relevance = receipt(  # not attribute: its caveat stands on the page
        networks[model], x, method, target=1, explain=score, progress=progress, **parameters
    ).relevance.numpy()
    matrix = lead_wave_matrix(relevance, waves_of(raw, start, found))
    pathology = model if model in CRITERIA else None
    return Explanation(
        ecg,
        start,
        quality,
        probabilities,
        {name: getattr(net, "source", "your own") for name, net in networks.items()},
        model,
        method,
        METHODS[method].defaults() | parameters,
        score,
        relevance,
        matrix,
        describe(matrix, pathology=pathology, probability=probabilities[model]),
        {name: _measured(name, raw, found) for name in networks if name in CRITERIA},
        caveat(method, networks[model], x),
        {package: version(package) for package in PACKAGES} | {"torch": torch.__version__},  # with its build
        f"{date.today():%Y-%m-%d}",
    )


def probability_of(model: torch.nn.Module, x: torch.Tensor) -> float:
    """Return the probability of class 1 for one sample x: the sigmoid of its log-odds, whatever the network ends in.

    Raises
    ------
    ValueError : the network has no class 1, or more than two of which nothing says whether they exclude each other
    """
    with torch.no_grad():
        odds = float(Question(network_of(model), torch.tensor([1]), "log-odds").scores(x[None]))
    return 1 / (1 + math.exp(-odds)) if odds >= 0 else math.exp(odds) / (1 + math.exp(odds))


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


def _networks(models, weights: str) -> dict[str, torch.nn.Module]:
    if isinstance(models, Mapping):
        if not models:
            raise ValueError("models is empty; expected at least one network.")
        return dict(models)
    return {name: load_ecg_model(name, weights, verbose=False) for name in models or ECG_MODELS}
