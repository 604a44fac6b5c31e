"""One batch of records, through the network together: opened, filtered, delineated, explained, summed up.

What a batch gives depends on its records, the job and the machine's arithmetic, on nothing else: not on the process
that runs it, nor on the batches before it.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
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
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.ecg.waves import Wave
from leadwise.networks.network import Network
from leadwise.semantics.criteria import Criterion, criterion_of
from leadwise.semantics.tables import waves_of
from leadwise.simulation.simulate import SimulatedECG

CLASS = "class"
"""The column of groups by which the explained classes are told apart, where there are several."""


@dataclass(frozen=True, eq=False)
class Job:
    """What is done to every record, the same for a whole run.

    Parameters
    ----------
    network : with leads and rate, and the length of its window
    method, parameters, explain : as for :func:`~leadwise.attribute`
    targets : indices of the explained classes; of several, each has a cohort of its own
    criteria : of each class a key of ``CRITERIA``, a criterion of one's own, or None
    start : where the window begins, seconds
    chunk : records that go through the network together
    doubtful : whether records count whose file or signal is in doubt: a flat lead, a wrong checksum ...
    interventions : whether simulated patients are compared with their healthy twins
    rows : whether one row a record is kept
    device : where the network runs, such as "cuda"; None: where it is
    """

    network: Network
    method: str
    parameters: dict
    targets: tuple[int, ...]
    explain: str
    criteria: tuple
    start: float
    chunk: int
    doubtful: bool
    interventions: bool
    rows: bool
    device: str | None = None

    @property
    def settings(self) -> dict:
        """What makes the numbers, as JSON can hold it."""
        own = {key: signature(value) for key, value in self.parameters.items()}
        net = self.network
        said = [one if isinstance(one, str | None) else str(criterion_of(one)) for one in self.criteria]
        several = len(self.targets) > 1
        return {
            "method": self.method, **own, "target": list(self.targets) if several else self.targets[0],
            "explain": self.explain, "pathology": said if several else said[0],
            "window": f"{net.samples or 'all'} samples from {self.start:g} s", "filters": _filters(net),
            "model": signature(net.module), "outputs": net.outputs, "leadwise": __version__,
            "device": torch.device(self.device or net.device("cpu")).type, "chunk": self.chunk,
            "doubtful": self.doubtful, "interventions": self.interventions, **self.rows_and_rate,
        }  # fmt: skip

    @property
    def rows_and_rate(self) -> dict:
        """What the rows of a map are, and its rate: what a cohort, or a group of one, has to know to show it."""
        return {"leads": list(self.network.leads), "fs": float(self.network.fs)}


def _filters(network: Network) -> str | None:
    """Return the name of what a network does to a recording before it looks."""
    before = network.preprocess
    return getattr(before, "__qualname__", type(before).__qualname__) if callable(before) else before


@dataclass
class Result:
    """What a batch gives: the cohort of its records, and one row each where the job keeps them."""

    cohort: Cohort
    rows: list[dict] = field(default_factory=list)


@dataclass
class _Prepared:
    """A record that can be explained: its whole recording, still unfiltered, and its waves in the network's window."""

    ecg: ECG
    waves: tuple[Wave, ...]


@dataclass
class _Window:
    """What the network sees of a record, x (1, ...), cut from the whole recording as the network gets it.

    ``odds`` : (3, classes), once they are asked for: the log-odds of the patient, of the healthy twin, and of the
    patient with the twin's cause
    """

    x: Tensor
    recording: ECG
    odds: Tensor | None = None


@dataclass
class _Class:
    """What is found of one class: number -> what the record adds, and number -> why another adds nothing."""

    found: dict[int, dict]
    reasons: dict[int, str]


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
    classes = {
        job.network.class_name(target): _class({i: one[k] for i, one in explained.items()}, reasons)
        for k, target in enumerate(job.targets)
    }
    cohort = _cohort_of_classes(job, records, names, classes)
    cohort.complaints, cohort.order = dict.fromkeys(said, 1), order_of(record.name for record in records)
    return Result(cohort, _rows(records, names, classes) if job.rows else [])


def _class(found: dict[int, dict | str], reasons: dict[int, str]) -> _Class:
    """Tell what records add to a class from why others add nothing, with those that could not be prepared."""
    added = {number: one for number, one in found.items() if isinstance(one, dict)}
    nothing = reasons | {number: one for number, one in found.items() if isinstance(one, str)}
    return _Class(added, dict(sorted(nothing.items())))


def _prepare(job: Job, ecg: ECG, doubts: Sequence[str]) -> _Prepared:
    """Find the waves of a recording; a ValueError says why that makes no sense."""
    if doubts and not job.doubtful:
        raise ValueError(doubts[0])
    even = ecg.resample(PUBLISHED_FS)
    waves = waves_of(even, job.start, fs=job.network.fs)
    return _Prepared(even if job.network.preprocess == "published" else ecg, waves)


def _explained(job: Job, prepared: dict[int, _Prepared]) -> tuple[dict[int, list[dict | str]], list[str]]:
    """Return number -> what the record adds to each class, or why nothing; and what the method said about its maps."""
    found: dict[int, list[dict | str]] = {}
    said: dict[str, None] = {}
    alike: dict[torch.Size, list[tuple[int, _Window]]] = {}
    for number, recording in _recordings(job, prepared).items():
        window = recording if isinstance(recording, str) else _window(job, recording)
        if isinstance(window, str):
            found[number] = [window] * len(job.targets)
        else:
            alike.setdefault(window.x.shape, []).append((number, window))
    for good in alike.values():
        for begin in range(0, len(good), job.chunk):
            numbers, windows = zip(*good[begin : begin + job.chunk], strict=True)
            results, told = _through_the_network(job, windows, [prepared[number] for number in numbers])
            found |= dict(zip(numbers, map(list, zip(*results, strict=True)), strict=True))
            said |= dict.fromkeys(told)
    return found, list(said)


def _through_the_network(job: Job, windows: Sequence[_Window], prepared: Sequence[_Prepared]) -> tuple[list, list[str]]:
    """Explain some windows together; return for each class what each adds, or why nothing; and what the method said."""
    net, x = job.network, torch.cat([window.x for window in windows])
    signals, probabilities = net.by_leads(x).cpu().numpy(), None
    results: list[list[dict | str]] = []
    said: list[str] = []
    for target, criterion in zip(job.targets, job.criteria, strict=True):
        relevance, told = attribute_and_tell(net, x, job.method, target, job.explain, False, dict(job.parameters))
        if probabilities is None:
            probabilities = _probabilities(net, x, told)
        each = prepared, windows, net.by_leads(relevance).cpu().numpy(), signals, probabilities[:, target].tolist()
        results.append([_summed_up(job, target, criterion, *one) for one in zip(*each, strict=True)])
        said += complaints(METHODS[resolve(job.method)[0]], told)
    return results, said


def _probabilities(net: Network, x: Tensor, told: dict) -> Tensor:
    """Return the probability (N, K) of every class: of the logits that the method saw, else by a new pass."""
    logits = torch.cat(told["logits"]) if "logits" in told else x[:0]
    if len(logits) != len(x):
        return net.probability(x)
    return net.probability_of(logits, *told.get("ends in", [])[:1]).cpu()


def _window(job: Job, recording: ECG) -> _Window | str:
    """Return the window that the network sees, or why there is none."""
    try:
        x = job.network.input_of(recording, job.start)
    except ValueError as error:
        return str(error)
    return _Window(x, recording) if torch.isfinite(x).all() else "the window holds NaN or infinite samples."


def _recordings(job: Job, prepared: dict[int, _Prepared]) -> dict[int, ECG | str]:
    """Return whole recordings as the network gets them, or why it can't get one.

    ``network.recording`` of each; but the published filters take those of one length together, which is faster.
    """
    found: dict[int, ECG | str] = {}
    alike: dict[int, list[int]] = {}
    for number, one in prepared.items():
        if _filters_alone(job, one.ecg):
            try:
                found[number] = job.network.recording(one.ecg)
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
            found[i] = job.network.recording(replace(prepared[i].ecg, signal=signal, preprocessed=True))
    return dict(sorted(found.items()))


def _filters_alone(job: Job, ecg: ECG) -> bool:
    """Say whether a recording goes through the network's filters by itself: other filters, NaN, a twin to filter."""
    with_twin = job.interventions and isinstance(ecg, SimulatedECG)
    published = job.network.preprocess == "published" and not ecg.preprocessed
    return not published or with_twin or not np.isfinite(ecg.signal).all()


def _summed_up(
    job: Job, target: int, criterion: str | Criterion | Mapping | None, one: _Prepared, window: _Window,
    relevance: np.ndarray, signal: np.ndarray, probability: float,
) -> dict | str:  # fmt: skip
    """Return what a record adds to the cohort of a class, or why it adds nothing."""
    if not np.isfinite(relevance).all():
        return "its map is not finite: numbers overflowed on the way."
    net = job.network
    try:
        found: dict = summarise(
            relevance, one.waves, signal, pathology=criterion, mask=_mask(job, one.ecg, relevance.shape[1]),
            fs=net.fs, leads=net.leads,
        )  # fmt: skip
        if job.interventions and isinstance(one.ecg, SimulatedECG) and one.ecg.twin is not None:
            found |= _intervened(job, target, window, relevance.shape[1])
    except ValueError as error:
        return str(error)
    return {**found, "probability": probability}


def _mask(job: Job, ecg: ECG, samples: int) -> np.ndarray | None:
    """Return which samples of the window carry the finding of a simulated patient; None where none are known to."""
    if not isinstance(ecg, SimulatedECG):
        return None
    seen = ecg.resample(job.network.fs).window(job.start, samples)
    mask = seen.causal_mask[[LEADS.index(lead) for lead in job.network.leads]]
    return mask if mask.any() else None


def _intervened(job: Job, target: int, window: _Window, samples: int) -> dict[str, float]:
    """Return how far a patient's log-odds lie above the healthy twin's, and how much of it swapping the cause takes."""
    if window.odds is None:
        window.odds = _odds(job, window.recording, samples)
    own, twin, swapped = window.odds[:, target].tolist()
    return {"effect": own - twin, "effect_of_cause": own - swapped}


def _odds(job: Job, recording: ECG, samples: int) -> Tensor:
    """Return the log-odds (3, classes) of a patient, of the healthy twin, and of the patient with the twin's cause."""
    if not isinstance(recording, SimulatedECG):
        raise ValueError("the network's preprocess returns another kind of ECG, so that the patient has no twin left.")
    ecg, net = recording.window(job.start, samples), replace(job.network, samples=samples)
    x = torch.cat([net.input_of(one) for one in (ecg, ecg.counterfactual, ecg.swap())])
    with torch.inference_mode():
        return net.log_odds(x)


def _cohort_of_classes(job: Job, records: Sequence[Record], names: Sequence[str], classes: dict[str, _Class]) -> Cohort:
    """Return the cohort of a batch: of its class, or of several, each as one of its groups.

    The whole of several classes has no numbers of its own. It counts the records that any class counts.
    """
    each = {name: _cohort(job, records, names, one) for name, one in classes.items()}
    if len(each) == 1:
        return next(iter(each.values()))
    first, *others = classes.values()
    everywhere = [i for i in first.reasons if all(i in one.reasons for one in others)]
    reasons = [f"{names[i]}: {first.reasons[i]}" for i in everywhere]
    whole = Cohort.of([{}] * (len(records) - len(everywhere)), reasons, job.rows_and_rate)
    whole.groups[CLASS] = each
    return whole


def _cohort(job: Job, records: Sequence[Record], names: Sequence[str], one: _Class) -> Cohort:
    """Return the cohort of one class, with its groups."""
    found, reasons, known = one.found, one.reasons, job.rows_and_rate
    numbers = sorted(found)
    cohort = Cohort.of([found[i] for i in numbers], [f"{names[i]}: {text}" for i, text in reasons.items()], known)
    columns = list(dict.fromkeys(column for record in records for column in record.groups))
    for column in columns:
        values = sorted({value for record in records for value in record.groups[column]})
        cohort.groups[column] = {
            value: Cohort.of([found[i] for i in numbers if value in records[i].groups[column]], settings=known)
            for value in values
        }
        for value, group in cohort.groups[column].items():
            group.left_out = sum(value in records[i].groups[column] for i in reasons)
    return cohort


def _rows(records: Sequence[Record], names: Sequence[str], classes: dict[str, _Class]) -> list[dict]:
    """Return one row a record; of several classes one each, with a column that says which."""
    return [
        {
            "name": names[i], "left_out": one.reasons.get(i), "values": _without_beats(one.found.get(i, {})),
            "groups": {**record.groups, **({CLASS: (name,)} if len(classes) > 1 else {})},
        }
        for i, record in enumerate(records)
        for name, one in classes.items()
    ]  # fmt: skip


def _without_beats(found: dict) -> dict[str, np.ndarray]:
    return {name: np.asarray(value, float) for name, value in found.items() if not name.startswith("beat")}


def signature(value: object) -> str | float | int | bool | list | None:
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
