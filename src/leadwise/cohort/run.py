"""``explain_cohort``: many recordings, in constant memory, with the same numbers however they are computed."""

import secrets
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from operator import length_hint
from pathlib import Path
from typing import Any

from torch import nn

from leadwise.attribution.core import MethodWarning
from leadwise.cohort.batch import CLASS, Job
from leadwise.cohort.checkpoint import Checkpoint
from leadwise.cohort.engine import Batch, EngineError, client_of, run_here, run_spread
from leadwise.cohort.moments import Cohort, order_of
from leadwise.cohort.records import Records, Source, as_records
from leadwise.cohort.rows import Rows
from leadwise.networks.network import Network, network_of
from leadwise.progress import Progress, progress_to
from leadwise.semantics.criteria import criterion_of


def explain_cohort(
    model: nn.Module | Network,
    records: Records | Iterable[Source],
    method: str = "lrp_epsilon",
    *,
    target: int | str | Sequence[int | str] | None = None,
    explain: str = "log-odds",
    pathology: Any = None,
    start: float = 0.0,
    samples: int | None = None,
    groups: Sequence[str] | Mapping[str, Sequence] = (),
    workers: Any = None,
    checkpoint: str | Path | None = None,
    rows: str | Path | None = None,
    batch: int = 64,
    chunk: int = 16,
    doubtful: bool = False,
    interventions: bool = False,
    device: str | None = None,
    progress: bool | Callable[[int, int | None], None] = True,
    **parameters: Any,
) -> Cohort:
    """Explain many recordings and keep only running means, in all and by group.

    Each is delineated raw, brought to what the network takes, its filters, its rate, its leads, its window, and
    explained together with its neighbours. The numbers are the same, to the last bit, with one process and with many,
    with and without interruption: batches are merged in the order of the records, and each is computed on one thread.
    (Another kind of processor, a GPU or another version of PyTorch rounds in another way.)

    Parameters
    ----------
    model : a ``Network``, or a module that says what it takes, as the course's do; stays untouched. A worker gets it
        once
    records : a data set such as :func:`~leadwise.cohort.ptb_xl` gives, or any iterable of paths, names for
        :func:`~leadwise.load_record`, functions that return a recording, such as
        ``partial(simulate_ecg, "LBBB", seed)``, or recordings. A generator keeps the memory constant; so do paths,
        names and functions, and of these a resumed run skips what it has seen without opening it
    method, explain, parameters : as for :func:`~leadwise.attribute`
    target : the explained class, its index or its name; None: the only one, or of two the second, the finding. Of
        several, ``("MI", "STTC")``, each recording is read, filtered and delineated once, and each class has a cohort
        of its own, with its groups: ``cohort.groups["class"]["MI"]``
    pathology : whose criterion to compare with: a key of ``CRITERIA`` or a criterion of one's own; by default the
        network's own for the explained class. Not with several classes
    start, samples : the window that the network sees: where it begins, seconds, and its length in samples at the
        network's rate; by default the network's
    groups : columns of the data set by which to group as well, ``("sex", "age_band")``; for other records column -> one
        value each. A value may be a tuple: then the record counts in several groups
    workers : None, this process; a number, so many processes that are started and ended here (a script needs
        ``if __name__ == "__main__":`` then); or a ``dask.distributed.Client``, whatever cluster it leads to
    checkpoint : a folder, or an address that fsspec opens, to save to and resume from
    rows : folder for one row a record, in Parquet files; read them with :func:`~leadwise.cohort.read_rows`
    batch : records that a worker takes at once; the last bits of the numbers depend on it
    chunk : records that go through the network together: 16 on a CPU, hundreds on a GPU; likewise
    doubtful : count records whose file or signal is in doubt: flat leads, invalid samples, a wrong checksum, heights
        that no ECG has. By default they are left out
    interventions : for simulated patients, how far the log-odds lie above the healthy twin's (``effect``), and how much
        of it goes when the cause is swapped for the twin's samples (``effect_of_cause``)
    device : where the network runs, such as "cuda"; None leaves it where it is
    progress : True for a bar with rate and time left, False for none, or a function of (records done, all records or
        None) that may stop the run by raising

    Returns
    -------
    Cohort : see :func:`~leadwise.cohort.summarise` for its names, and ``probability``, the network's for the explained
        class. Records that cannot be opened, are in doubt, or have no heartbeat or no positive relevance, are left out,
        named and counted

    Raises
    ------
    CheckpointError : the checkpoint is damaged, or was made by another model, method, window or other records
    EngineError : the Dask scheduler was lost; what was done is in the checkpoint
    ImportError : workers or rows are asked for, and the extra ``leadwise[cohort]`` is not installed
    ValueError : an argument that makes no sense; the network does not say what it takes, or which class is meant

    Warns
    -----
    MethodWarning : what the method says of its own maps, once each; ``cohort.complaints`` counts it

    Examples
    --------
    >>> from functools import partial
    >>> import leadwise
    >>> patients = [partial(leadwise.simulate_ecg, "LBBB", seed) for seed in range(3)]
    >>> network = leadwise.load_ecg_model("LBBB", "embedded", verbose=False)
    >>> explain_cohort(network, patients, "gradient_x_input", progress=False).records
    3
    """
    network, indices, criteria = _meant(model, target, pathology, samples)
    if len(indices) > 1 and CLASS in groups:
        raise ValueError(f"a column is called {CLASS!r}, as the groups of several classes are; rename it.")
    for name, value in {"batch": batch, "chunk": chunk}.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} is {value!r}; expected a whole number, 1 or more.")
    job = Job(
        network, method, parameters, indices, explain, criteria, start, chunk, doubtful, interventions,
        rows is not None, device,
    )  # fmt: skip
    settings = job.settings | {"batch": batch, "groups": ", ".join(groups)}
    state = Checkpoint(settings, checkpoint)
    table = Rows(rows, settings) if rows is not None else None
    todo = _todo(state, table, _batches(as_records(records, groups), batch))
    with progress_to(progress), Progress(length_hint(records) or None) as bar:
        try:
            _run(job, todo, state, table, workers, bar)
        finally:
            state.save()
    cohort = state.whole()
    for text in cohort.complaints:
        warnings.warn(text, MethodWarning, stacklevel=2)
    return cohort


def _meant(model, target, pathology, samples: int | None) -> tuple[Network, tuple[int, ...], tuple]:
    """Return the network with its window, the indices of the explained classes, and their criteria."""
    network = network_of(model)
    if not network.is_ecg:
        raise ValueError(
            f"{network!r} does not say which recordings it takes; say it: "
            "Network(module, leads=(...), fs=..., samples=..., classes=..., outputs=...)."
        )
    network = network if samples is None else replace(network, samples=samples)
    several = isinstance(target, Sequence) and not isinstance(target, str)
    indices = tuple(network.index(one) for one in target) if several else (network.index(target),)
    if not indices or len(set(indices)) < len(indices):
        raise ValueError(f"target is {target!r}; expected one class, or several different ones.")
    if len(indices) > 1 and pathology is not None:
        raise ValueError("pathology says one criterion for several classes; say them in Network(..., criteria={...}).")
    own = [network.criteria.get(network.class_name(index)) for index in indices]
    criteria = tuple(own if pathology is None else [pathology])
    for criterion in criteria:
        if criterion is not None:
            criterion_of(criterion)  # raises here, not for every record
    return network, indices, criteria


def _batches(records: Iterable, size: int) -> Iterator[Batch]:
    """Cut records into batches."""
    records, number = iter(records), 0
    while found := tuple(islice(records, size)):
        yield Batch(number, number * size, found)
        number += 1


def _todo(state: Checkpoint, table: Rows | None, batches: Iterable[Batch]) -> Iterator[Batch | int]:
    """Yield the batches that are to be run; of one that is there already, with its rows, the number of its records."""
    for batch in batches:
        known = state.recall(batch.number, order_of(record.name for record in batch.records))
        yield len(batch.records) if known and (table is None or table.has(batch.number)) else batch


def _run(job, todo, state, table, workers, bar) -> None:
    """Run what is to be run and take it in."""

    def new() -> Iterator[Batch]:
        for batch in todo:
            if isinstance(batch, int):
                bar.advance(batch)
            else:
                yield batch

    def take_in(results) -> None:
        for batch, result in results:
            if table is not None:
                table.write(batch.number, result.rows)
            state.add(batch.number, result.cohort)
            bar.advance(len(batch.records))

    if workers is None:
        take_in(run_here(job, new()))
        return
    key = f"leadwise-{secrets.token_hex(8)}"
    with client_of(workers) as client:
        if bar.report is True and client.dashboard_link:
            print(f"Dask dashboard: {client.dashboard_link}")
        try:
            take_in(run_spread(job, new(), client, key))
        except EngineError as error:
            state.save()
            raise EngineError(f"{error} {_saved(state)}") from error


def _saved(state: Checkpoint) -> str:
    """Say how to go on after an engine was lost."""
    if state.store is None:
        return "Nothing was saved: with checkpoint=... the next run goes on where this one ends."
    done = state.merged + len(state.waiting)
    return f"{done} batches are saved in {state.store.place}: make the same call again to go on."
