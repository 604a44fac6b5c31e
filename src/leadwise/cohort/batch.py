"""One batch of records, through the network together: opened, filtered, delineated, explained, summed up.

What a batch gives depends on its records, the job and the machine's arithmetic, on nothing else: not on the process
that runs it, nor on the batches before it.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from leadwise import __version__
from leadwise.attribution.core import attribute_and_tell
from leadwise.attribution.names import resolve
from leadwise.attribution.receipt import complaints
from leadwise.attribution.registry import METHODS
from leadwise.cohort.moments import Cohort, order_of
from leadwise.cohort.records import Record
from leadwise.cohort.summary import summarise
from leadwise.ecg.filters import PUBLISHED_FS, preprocess
from leadwise.ecg.record import ECG
from leadwise.ecg.waves import Wave
from leadwise.networks.network import Evaluation, Network
from leadwise.semantics.tables import waves_of
from leadwise.simulation.simulate import SimulatedECG


@dataclass(frozen=True, eq=False)
class Job:
    """What is done to every record, the same for a whole run.

    Parameters
    ----------
    network : ECG -> logits
    method, parameters, target, explain : as for :func:`~leadwise.attribute`
    pathology : whose criterion to compare with, or None
    start, samples : the window: seconds, and samples at 500 Hz
    chunk : records that go through the network together
    doubtful : whether records count whose file or signal is in doubt: a flat lead, a wrong checksum ...
    interventions : whether simulated patients are compared with their healthy twins
    rows : whether one row a record is kept
    device : where the network runs, such as "cuda"; None: where it is
    """

    network: Network
    method: str
    parameters: dict
    target: int
    explain: str
    pathology: str | None
    start: float
    samples: int
    chunk: int
    doubtful: bool
    interventions: bool
    rows: bool
    device: str | None = None

    @property
    def settings(self) -> dict:
        """What makes the numbers, as JSON can hold it."""
        own = {key: signature(value) for key, value in self.parameters.items()}
        return {
            "method": self.method, **own, "target": self.target, "explain": self.explain, "pathology": self.pathology,
            "window": f"{self.samples} samples from {self.start:g} s", "model": signature(self.network.module),
            "outputs": self.network.outputs, "leadwise": __version__,
            "device": torch.device(self.device or self.network.device("cpu")).type, "chunk": self.chunk,
            "doubtful": self.doubtful, "interventions": self.interventions,
        }  # fmt: skip


@dataclass
class Result:
    """What a batch gives: the cohort of its records, and one row each where the job keeps them."""

    cohort: Cohort
    rows: list[dict] = field(default_factory=list)


@dataclass
class _Prepared:
    """A record that can be explained: its whole recording at 500 Hz, still unfiltered, and its waves in the window."""

    ecg: ECG
    waves: tuple[Wave, ...]


def explain_batch(
    job: Job, records: Sequence[Record], first: int = 0, skip: Collection[int] = (), why: str = ""
) -> Result:
    """Explain some records and return what they add to a cohort.

    Parameters
    ----------
    records : the batch
    first : number of its first record in the whole run
    skip : numbers, within the batch, of records that are not touched, because ``why``

    Raises
    ------
    Exception : whatever the method, the network or a record's function raises; a record that can't be opened, filtered
        or summed up is left out instead
    """
    reasons: dict[int, str] = {}
    names = [record.name or f"record {number}" for number, record in enumerate(records, first)]
    prepared: dict[int, _Prepared] = {}
    for number, record in enumerate(records):
        if number in skip:
            reasons[number] = why
            continue
        try:
            ecg, doubts = record.open()
            names[number] = record.name or ecg.record_id or names[number]
            prepared[number] = _prepare(job, ecg, doubts)
        except (ValueError, OSError) as error:
            reasons[number] = str(error)
    explained, said = _explained(job, prepared)
    reasons |= {number: value for number, value in explained.items() if isinstance(value, str)}
    found = {number: value for number, value in explained.items() if isinstance(value, dict)}
    cohort = _cohort(records, found, {number: f"{names[number]}: {text}" for number, text in sorted(reasons.items())})
    cohort.complaints, cohort.order = dict.fromkeys(said, 1), order_of(record.name for record in records)
    rows = [_row(records[i], names[i], found.get(i), reasons.get(i)) for i in range(len(records))] if job.rows else []
    return Result(cohort, rows)


def _prepare(job: Job, ecg: ECG, doubts: Sequence[str]) -> _Prepared:
    """Bring a recording to 500 Hz and find its waves; a ValueError says why that makes no sense."""
    if doubts and not job.doubtful:
        raise ValueError(doubts[0])
    ecg = ecg.resample()
    return _Prepared(ecg, waves_of(ecg, job.start))


def _explained(job: Job, prepared: dict[int, _Prepared]) -> tuple[dict[int, dict | str], list[str]]:
    """Return number -> what the record adds, or why it adds nothing; and what the method said about its maps."""
    filtered = _filtered(job, prepared)
    found: dict[int, dict | str] = {}
    said: dict[str, None] = {}
    good = []
    for number, ecg in filtered.items():
        window = ecg if isinstance(ecg, str) else _window(job, ecg)
        if isinstance(window, str):
            found[number] = window
        else:
            good.append((number, window))
    for begin in range(0, len(good), job.chunk):
        chunk = good[begin : begin + job.chunk]
        x = torch.from_numpy(np.stack([ecg.signal for _, ecg in chunk]))
        relevance, told = attribute_and_tell(
            job.network, x, job.method, job.target, job.explain, False, dict(job.parameters)
        )
        said |= dict.fromkeys(complaints(METHODS[resolve(job.method)[0]], told))
        scores = _scores(job, x)
        for (number, ecg), map_, own in zip(chunk, relevance.numpy(), scores, strict=True):
            found[number] = _summed_up(job, ecg, prepared[number].waves, map_, own)
    return found, list(said)


def _window(job: Job, ecg: ECG) -> ECG | str:
    """Return the window that the network sees, or why there is none."""
    try:
        window = ecg.window(job.start, job.samples)
    except ValueError as error:
        return str(error)
    return window if np.isfinite(window.signal).all() else "the window holds NaN or infinite samples."


def _filtered(job: Job, prepared: dict[int, _Prepared]) -> dict[int, ECG | str]:
    """Return the recordings after the published filters, those of one length together; or why one can't be filtered."""
    found: dict[int, ECG | str] = {}
    alike: dict[int, list[int]] = {}
    for number, one in prepared.items():
        with_twin = job.interventions and isinstance(one.ecg, SimulatedECG)
        if one.ecg.preprocessed or not np.isfinite(one.ecg.signal).all() or with_twin:
            try:
                found[number] = one.ecg.preprocess()
            except ValueError as error:
                found[number] = str(error)
        else:
            alike.setdefault(one.ecg.samples, []).append(number)
    for numbers in alike.values():
        try:
            signals = preprocess(np.stack([prepared[i].ecg.signal for i in numbers]), PUBLISHED_FS)
        except ValueError as error:  # too short, all of them alike
            found |= dict.fromkeys(numbers, str(error))
            continue
        for i, signal in zip(numbers, signals, strict=True):
            found[i] = replace(prepared[i].ecg, signal=signal, preprocessed=True)
    return dict(sorted(found.items()))


def _scores(job: Job, x: Tensor) -> list[dict[str, float]]:
    """Return the probability of the explained class for each record."""
    return [{"probability": float(p)} for p in probability_of(job.network, x, job.target)]


def probability_of(network: Network, x: Tensor, target: int) -> Tensor:
    """Return the network's probability (N,) for a class: softmax over classes, sigmoid of labels or a single logit."""
    return _sigmoid_or_softmax(*_logits(network, x))[:, target]


def log_odds_of(network: Network, x: Tensor, target: int) -> Tensor:
    """Return the log-odds (N,) of a class: the logit of a label, else f_c - logsumexp of the others."""
    logits, labels = _logits(network, x)
    if labels:
        return logits[:, target]
    others = torch.ones(logits.shape[1], dtype=torch.bool, device=logits.device)
    others[target] = False
    return logits[:, target] - logits[:, others].logsumexp(1)


def _logits(network: Network, x: Tensor) -> tuple[Tensor, bool]:
    """Return the logits (N, K) and whether each stands alone."""
    with torch.inference_mode():
        inside = x.to(network.device(x.device), network.dtype(x.dtype))
        logits, kind = network.run(inside, Evaluation(network.module))
    return logits.cpu(), (network.outputs or kind) == "labels" or logits.shape[1] == 1


def _sigmoid_or_softmax(logits: Tensor, labels: bool) -> Tensor:
    return torch.sigmoid(logits) if labels else torch.softmax(logits, 1)


def _summed_up(job: Job, ecg: ECG, waves: tuple[Wave, ...], relevance: np.ndarray, scores: dict) -> dict | str:
    """Return what a record adds to a cohort, or why it adds nothing."""
    if not np.isfinite(relevance).all():
        return "its map is not finite: numbers overflowed on the way."
    mask = getattr(ecg, "causal_mask", None)
    mask = mask if mask is not None and mask.any() else None
    try:
        found = summarise(relevance, waves, ecg.signal, pathology=job.pathology, mask=mask)
    except ValueError as error:
        return str(error)
    if job.interventions and isinstance(ecg, SimulatedECG) and ecg.counterfactual is not None:
        scores = scores | _intervened(job, ecg)
    return {**found, **scores}


def _intervened(job: Job, ecg: SimulatedECG) -> dict[str, float]:
    """Return how far a patient's log-odds lie above the healthy twin's, and how much of it swapping the cause takes."""
    signals = (ecg, ecg.counterfactual, ecg.swap())
    own, twin, swapped = log_odds_of(job.network, torch.stack([one.tensor() for one in signals]), job.target).tolist()
    return {"effect": own - twin, "effect_of_cause": own - swapped}


def _cohort(records: Sequence[Record], found: dict[int, dict], reasons: dict[int, str]) -> Cohort:
    """Return the cohort of a batch, with its groups."""
    numbers = sorted(found)
    cohort = Cohort.of([found[i] for i in numbers], list(reasons.values()))
    columns = list(dict.fromkeys(column for record in records for column in record.groups))
    for column in columns:
        values = sorted({value for record in records for value in record.groups[column]})
        cohort.groups[column] = {
            value: Cohort.of([found[i] for i in numbers if value in records[i].groups[column]]) for value in values
        }
        for value, group in cohort.groups[column].items():
            group.left_out = sum(value in records[i].groups[column] for i in reasons)
    return cohort


def _row(record: Record, name: str, found: dict | None, reason: str | None) -> dict:
    """Return one record as a row of a table."""
    return {"name": name, "left_out": reason, "groups": dict(record.groups), "values": _without_beats(found or {})}


def _without_beats(found: dict) -> dict[str, np.ndarray]:
    return {name: np.asarray(value, float) for name, value in found.items() if not name.startswith("beat")}


def signature(value) -> str | float | int | bool | list | None:
    """Return a value as JSON can hold it: a network as its name and the hash of its weights, a tensor as its hash."""
    if isinstance(value, (str, float, int, bool, type(None))):
        return value
    if isinstance(value, (list, tuple)) and not any(isinstance(one, torch.Tensor) for one in value):
        return [signature(one) for one in value]
    tensors = value.state_dict().values() if isinstance(value, nn.Module) else [torch.as_tensor(value)]
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return f"{type(value).__name__} {digest.hexdigest()[:16]}"
