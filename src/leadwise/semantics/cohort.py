"""Many recordings in constant memory: running means with intervals, that can be saved, resumed and merged."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import length_hint
from pathlib import Path

import numpy as np
import torch
from scipy.special import stdtrit
from torch import nn

from leadwise.attribution import attribute
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.ecg.waves import Wave
from leadwise.maps import as_mask, part_of, to_numpy
from leadwise.networks.network import network_of
from leadwise.paths import whole_file
from leadwise.plotting.sheet import CourseFigure
from leadwise.progress import Progress, progress_to
from leadwise.recordings.catalogue import load_record
from leadwise.semantics.beats import BeatAverage, beat_average, whole_beats
from leadwise.semantics.criteria import CRITERIA, agreement
from leadwise.semantics.tables import WAVES, RelevanceTable, lead_wave_matrix, waves_of

BEFORE, AFTER = 0.35, 0.5  # s around the R peak
REASONS = 20  # so many of the records that were left out are remembered by name


class CheckpointError(ValueError):
    """A checkpoint is damaged, or belongs to another run; the message says which and what to do."""


@dataclass
class Moments:
    """Running mean and sum of squared deviations of arrays of one shape (Welford, Technometrics 4 (1962) 419-420)."""

    count: int
    mean: np.ndarray
    squares: np.ndarray

    def updated(self, value: np.ndarray) -> "Moments":
        """Return the moments with one array more."""
        count, away = self.count + 1, value - self.mean
        mean = self.mean + away / count
        return Moments(count, mean, self.squares + away * (value - mean))

    def merged(self, other: "Moments") -> "Moments":
        """Return the moments of both samples (Chan, Golub, LeVeque, Am Stat 37 (1983) 242-247)."""
        count, away = self.count + other.count, other.mean - self.mean
        mean = self.mean + away * (other.count / count)
        return Moments(count, mean, self.squares + other.squares + away**2 * (self.count * other.count / count))


@dataclass
class Cohort:
    """Means, spreads and intervals of named arrays over many records; what it holds does not grow with them.

    Parameters
    ----------
    settings : what made the numbers, as JSON can hold it; only cohorts with the same settings are merged or resumed
    moments : name -> running moments
    records : records that have been counted
    left_out : records that could not be counted
    reasons : why, for the first ``REASONS`` of these
    """

    settings: dict = field(default_factory=dict)
    moments: dict[str, Moments] = field(default_factory=dict)
    records: int = 0
    left_out: int = 0
    reasons: list[str] = field(default_factory=list)

    def __repr__(self):
        return f"Cohort({self.records} records, {self.left_out} left out; {', '.join(self.moments) or 'empty'})"

    @property
    def seen(self) -> int:
        """Records looked at, counted or left out: where a run resumes."""
        return self.records + self.left_out

    def update(self, **values) -> None:
        """Count one record.

        Parameters
        ----------
        values : name -> number, array or tensor, of one shape for each name. A record may lack a name: every name has a
            count of its own

        Raises
        ------
        ValueError : a value that is not finite, or of another shape than before; the cohort stays as it was
        """
        moments = dict(self.moments)
        for name, value in values.items():
            value = np.asarray(to_numpy(value), float)
            before = moments.get(name, Moments(0, np.zeros(value.shape), np.zeros(value.shape)))
            if value.shape != before.mean.shape or not np.isfinite(value).all():
                raise ValueError(
                    f"{name} has shape {value.shape}, {np.isfinite(value).sum()} of {value.size} values finite; "
                    f"expected finite values of shape {before.mean.shape}."
                )
            moments[name] = before.updated(value)
        self.moments, self.records = moments, self.records + 1

    def leave_out(self, reason: str) -> None:
        """Count a record that has nothing to add, and remember why."""
        self.left_out += 1
        self.reasons = [*self.reasons, reason][:REASONS]

    def count(self, name: str) -> int:
        """Return the number of records that had this name."""
        return self._of(name).count

    def mean(self, name: str) -> np.ndarray:
        """Return the mean over records."""
        return self._of(name).mean

    def spread(self, name: str) -> np.ndarray:
        """Return the standard deviation over records (n - 1); NaN for a single one."""
        found = self._of(name)
        return np.sqrt(found.squares / (found.count - 1)) if found.count > 1 else np.full_like(found.mean, np.nan)

    def interval(self, name: str, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Return lower and upper end of Student's interval of the mean, mean ± t s / √n; NaN for a single record.

        It treats records as independent, and each number of an array by itself.
        """
        found = self._of(name)
        half = stdtrit(max(found.count - 1, 1), (1 + level) / 2) * self.spread(name) / np.sqrt(found.count)
        return found.mean - half, found.mean + half

    def table(self) -> RelevanceTable:
        """Return the mean lead x wave matrix. Each record weighs the same: its map is divided by its Σ|R|."""
        return RelevanceTable((LEADS, WAVES), self.mean("positive"), self.mean("negative"), self.mean("area"))

    def plot(self, sign: str = "positive", *, lift: bool = False, title: str | None = None) -> CourseFigure:
        """Draw the mean lead x wave matrix, see :meth:`RelevanceTable.plot`."""
        title = title or f"Mean of {self.records} records"
        return self.table().plot(sign, lift=lift, title=title)

    def beat(self, fs: float = 500.0) -> BeatAverage:
        """Return the average beat of all records that hold a whole one: mean, and spread over records."""
        time = np.arange(self.mean("beat").shape[1]) * 1000 / fs - BEFORE * 1000
        beat = self.mean("beat"), self.spread("beat"), self.mean("beat_signal"), self.spread("beat_signal")
        return BeatAverage(time, *beat, self.count("beat"), (), fs, "records (each divided by its mean |R|)")

    def merge(self, other: "Cohort") -> "Cohort":
        """Return both cohorts as one. Up to rounding, the order of records does not matter.

        Raises
        ------
        ValueError : other settings, or arrays of other shapes
        """
        check_settings(self.settings, other.settings, "the cohorts were made with different settings")
        moments = {**other.moments, **self.moments}
        for name in self.moments.keys() & other.moments.keys():
            mine, theirs = self.moments[name], other.moments[name]
            if mine.mean.shape != theirs.mean.shape:
                raise ValueError(f"{name} has shape {mine.mean.shape} here and {theirs.mean.shape} there.")
            moments[name] = mine.merged(theirs)
        reasons = [*self.reasons, *other.reasons][:REASONS]
        return Cohort(self.settings, moments, self.records + other.records, self.left_out + other.left_out, reasons)

    def save(self, path: str | Path) -> Path:
        """Write the cohort to one file (.npz), complete or not at all; return its path."""
        path = Path(path)
        header = {
            "settings": self.settings,
            "records": self.records,
            "left_out": self.left_out,
            "reasons": self.reasons,
        }
        arrays = {"header": np.array(json.dumps({**header, "names": list(self.moments)}))}
        for i, found in enumerate(self.moments.values()):
            arrays |= {f"count{i}": np.array(found.count), f"mean{i}": found.mean, f"squares{i}": found.squares}
        with whole_file(path) as part, part.open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        return path

    @classmethod
    def load(cls, path: str | Path) -> "Cohort":
        """Read a cohort back, to the last bit.

        Raises
        ------
        FileNotFoundError : no such file
        CheckpointError : the file is damaged or something else
        """
        try:
            with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                header = json.loads(str(file["header"]))
                moments = {
                    name: Moments(int(file[f"count{i}"]), file[f"mean{i}"], file[f"squares{i}"])
                    for i, name in enumerate(header.pop("names"))
                }
                return cls(moments=moments, **header)
        except FileNotFoundError:
            raise
        except Exception as error:  # zipfile, json and numpy each have errors of their own for a damaged file
            raise CheckpointError(f"{path} is no cohort ({error}). Delete it and start the run again.") from error

    def _of(self, name: str) -> Moments:
        if name not in self.moments:
            raise KeyError(f"no {name!r} in this cohort; it has {', '.join(self.moments) or 'nothing yet'}")
        return self.moments[name]


def check_settings(ours: dict, theirs: dict, what: str) -> None:
    """Raise CheckpointError that names the settings that differ."""
    differ = [f"{k}: {ours.get(k)!r} and {theirs.get(k)!r}" for k in {**ours, **theirs} if ours.get(k) != theirs.get(k)]
    if differ:
        raise CheckpointError(f"{what} ({'; '.join(differ)}). Use another file for another run.")


def summarise(
    relevance,
    waves: Sequence[Wave],
    signal=None,
    *,
    pathology: str | None = None,
    mask: np.ndarray | None = None,
    fs: float = 500.0,
) -> dict[str, np.ndarray]:
    """Return what one record adds to a cohort: ``cohort.update(**summarise(...))``.

    Parameters
    ----------
    relevance : tensor or array (12, T)
    waves : in samples of the same window
    signal : array (12, T), mV; adds the average beat
    pathology : a key of ``CRITERIA``; adds ``agreement``
    mask : bool (12, T), the samples known to carry the finding; adds ``truth``
    fs : Hz

    Returns
    -------
    dict of
        share (12, 6), wave_share (6,), lead_share (12,) : of the positive relevance
        positive, negative (12, 6) : sums as fractions of Σ|R|
        area (12, 6) : share of the samples
        agreement, agreement_area : share of the positive relevance, and of the samples, in the criterion's cells
        truth, truth_area : the same for the mask
        beat (12, W), beat_signal (12, W) : relevance in units of its mean magnitude, and mV, from 0.35 s before the R
            peak to 0.5 s after it; where the window holds a whole beat

    Raises
    ------
    ValueError : no heartbeat, no positive relevance, or another shape
    """
    matrix = lead_wave_matrix(relevance, waves)
    if not matrix.area[:, WAVES.index("QRS")].any():
        raise ValueError("no heartbeat could be delineated in the window.")
    if not matrix.positive.any():
        raise ValueError("the map has no positive relevance.")
    values, share, total = to_numpy(relevance), matrix.share("positive"), matrix.sum("absolute").sum()
    found = {"share": share, "wave_share": share.sum(0), "lead_share": share.sum(1), "area": matrix.area}
    found |= {"positive": matrix.positive / total, "negative": matrix.negative / total}
    if pathology is not None:
        inside = agreement(matrix, pathology)
        found |= {"agreement": inside.share, "agreement_area": inside.area}
    if mask is not None:
        mask = as_mask(mask, values.shape)
        inside = part_of(values, "positive")[mask].sum(dtype=float) / matrix.positive.sum()
        found |= {"truth": inside, "truth_area": mask.mean()}
    if signal is not None and len(whole_beats(waves, values.shape[1], round(BEFORE * fs), round(AFTER * fs))):
        beat = beat_average(relevance, waves, signal, fs=fs, before=BEFORE, after=AFTER)
        found |= {"beat": beat.mean * values.size / total, "beat_signal": beat.signal}
    return found


def explain_cohort(
    model: nn.Module,
    records: Iterable[ECG | str | Callable[[], ECG]],
    method: str = "lrp_epsilon",
    *,
    target: int = 1,
    explain: str = "log-odds",
    pathology: str | None = None,
    start: float = 0.0,
    samples: int = 2000,
    checkpoint: str | Path | None = None,
    every: int = 20,
    progress: bool | Callable[[int, int | None], None] = True,
    **parameters,
) -> Cohort:
    """Explain one recording after the other and keep only the running means.

    Each is brought to 500 Hz, delineated raw, preprocessed, cut to the window, and explained. With a checkpoint, a run
    that was interrupted continues where it was last saved and ends with the same numbers, to the last bit, as one that
    was not.

    Parameters
    ----------
    model : (N, 12, T) -> logits
    records : recordings, names for :func:`~leadwise.load_record`, or functions that return a recording, such as
        ``partial(simulate_ecg, "LBBB", seed)``. A generator keeps the memory constant; so do names and functions, and
        of these a resumed run skips what it has seen without opening it. A resumed run needs the same records in the
        same order
    method, parameters : as for :func:`~leadwise.attribute`
    target : the explained class
    explain : "log-odds" of this class, or its "logit", as for :func:`~leadwise.attribute`
    pathology : whose criterion to compare with; by default the model's own
    start, samples : the window that the model sees: where it begins, seconds, and its length in samples at 500 Hz
    checkpoint : file to save to and resume from
    every : records between two saves
    progress : True for a bar, False for none, or a function of (records done, all records or None) that may stop the
        run by raising

    Returns
    -------
    Cohort : see :func:`summarise` for its names, and ``probability``, the model's for the explained class. Records that
        cannot be opened, or have no heartbeat or no positive relevance, are left out, counted, and the first named

    Raises
    ------
    CheckpointError : the checkpoint is damaged or was made by another model, method or window
    """
    own = getattr(model, "pathology", None)
    pathology = pathology or (own if own in CRITERIA else None)
    settings: dict = {
        "method": method,
        **{key: _signature(value) for key, value in parameters.items()},
        "target": target,
        "explain": explain,
    }
    settings |= {"pathology": pathology, "window": f"{samples} samples from {start:g} s", "model": _signature(model)}
    cohort = Cohort(settings)
    if checkpoint is not None and Path(checkpoint).exists():
        cohort = Cohort.load(checkpoint)
        check_settings(settings, cohort.settings, f"{checkpoint} was made by another run")
    waiting = islice(records, cohort.seen, None)
    with progress_to(progress), Progress(length_hint(records) or None) as bar:
        bar.advance(cohort.seen)
        for record in waiting:
            _add(
                cohort,
                model,
                record,
                start,
                samples,
                pathology,
                dict(method=method, target=target, explain=explain, **parameters),
            )
            if checkpoint is not None and cohort.seen % every == 0:
                cohort.save(checkpoint)
            bar.advance()
    if checkpoint is not None:
        cohort.save(checkpoint)
    return cohort


def _add(cohort, model, record, start, samples, pathology, options) -> None:
    """Open, explain and count one record, or leave it out."""
    name = record if isinstance(record, str) else f"record {cohort.seen}"
    try:
        raw = load_record(record) if isinstance(record, str) else record if isinstance(record, ECG) else record()
        name, raw = raw.record_id or name, raw.resample()
        ecg, waves = _window(raw, start, samples), waves_of(raw, start)
    except ValueError as error:  # RecordError, a window that does not fit, NaN that cannot be filtered
        cohort.leave_out(f"{name}: {error}")
        return
    relevance = attribute(model, ecg.tensor(), progress=False, **options)
    mask = getattr(ecg, "causal_mask", None)
    try:
        found = summarise(
            relevance, waves, ecg.signal, pathology=pathology, mask=mask if mask is not None and mask.any() else None
        )
    except ValueError as error:
        cohort.leave_out(f"{name}: {error}")
        return
    asked = network_of(model)
    with torch.no_grad():
        probability = torch.softmax(asked.logits(ecg.tensor()[None].to(asked.device("cpu"))), dim=-1)[
            0, options["target"]
        ]
    cohort.update(**found, probability=float(probability))


def _window(raw: ECG, start: float, samples: int) -> ECG:
    """Preprocess the whole recording and cut the window."""
    return raw.preprocess().window(start, samples)


def _signature(value) -> str | float | int | bool | None:
    """Return a value as JSON can hold it: a network as its name and the hash of its weights, a tensor as its hash."""
    if isinstance(value, (str, float, int, bool, type(None))):
        return value
    tensors = value.state_dict().values() if isinstance(value, nn.Module) else [torch.as_tensor(value)]
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return f"{type(value).__name__} {digest.hexdigest()[:16]}"
