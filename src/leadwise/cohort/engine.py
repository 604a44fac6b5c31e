"""Who runs the batches: this process, worker processes on this machine, or whatever cluster a Dask client leads to.

All give the same results; only their order differs. A batch that fails is run again; one that keeps failing is halved
until the records that fail are found, and then run once more without these, so that a failure that does not come back
leaves no trace in the numbers.
"""

import logging
import os
import pickle
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from leadwise.cohort.batch import Job, Result, explain_batch
from leadwise.cohort.records import Record

if TYPE_CHECKING:
    from distributed import Client

EXTRA = "pip install 'leadwise[cohort]'"
AHEAD = 4  # batches in flight for each thread of the workers: enough that none waits, few enough that none piles up
SPAN = 8  # so many times as many may lie between the oldest that is under way and the newest
ASK_AGAIN = 2.0  # s
SYSTEMATIC = 4  # so many records that all fail, and none that works, are no bad luck

SPAWNED = "distributed.nanny.pre-spawn-environ"
_JOBS: dict[str, Job] = {}
"""Key -> job: what a worker process has been sent, once."""


class EngineError(RuntimeError):
    """The engine is lost, or a run can't go on; the message says what is saved and how to go on."""


@dataclass(frozen=True)
class Batch:
    """Records that are explained together.

    Parameters
    ----------
    number : in the run, from 0
    first : number of its first record
    records : the records
    """

    number: int
    first: int
    records: tuple[Record, ...]


Attempt = Callable[[Batch, Collection[int], str], Result]


def steady_arithmetic(threads: int = 1, tf32: tuple[bool, bool] = (False, False), deterministic: bool = True) -> tuple:
    """Set how PyTorch computes, and return how it did: on one thread, without TF32, by algorithms that repeat.

    How many threads there are may change the last bits of a sum; TF32 keeps 11 of the 24 bits of a number on a GPU.
    """
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = torch.get_num_threads(), (cudnn.allow_tf32, matmul.allow_tf32), cudnn.deterministic
    torch.set_num_threads(threads)
    (cudnn.allow_tf32, matmul.allow_tf32), cudnn.deterministic = tf32, deterministic
    return before


@contextmanager
def steadily() -> Iterator[None]:
    """Compute with :func:`steady_arithmetic` for a while."""
    before = steady_arithmetic()
    try:
        yield
    finally:
        steady_arithmetic(*before)


def run_here(job: Job, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Result]]:
    """Yield each batch with its result, computed in this process, one after the other."""
    job = on_its_device(job)

    def attempt(batch: Batch, skip: Collection[int] = (), why: str = "") -> Result:
        return explain_batch(job, batch.records, batch.first, skip, why)

    with steadily():
        for batch in batches:
            yield batch, again(attempt, batch)


def again(attempt: Attempt, batch: Batch) -> Result:
    """Return the result of a batch: at once, at the second attempt, or without the records that fail.

    Raises
    ------
    Exception : what every record fails with
    """
    for _ in range(2):
        try:
            return attempt(batch, (), "")
        except Exception as error:
            last = error
    return without_failing(attempt, batch, last)


def without_failing(attempt: Attempt, batch: Batch, error: Exception) -> Result:
    """Find the records of a failing batch that fail alone, and return the result of the others, together."""
    failing: dict[int, Exception] = {}
    worked: list[int] = []

    def search(numbers: Sequence[int], error: Exception) -> None:
        if len(numbers) == 1:
            failing[numbers[0]] = error
            if not worked and len(failing) >= min(SYSTEMATIC, len(batch.records)) and len(batch.records) > 1:
                raise error
            return
        for half in (numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]):
            others = [i for i in range(len(batch.records)) if i not in half]
            try:
                attempt(batch, others, "")
                worked.extend(half)
            except EngineError:
                raise
            except Exception as reason:
                search(half, reason)

    search(range(len(batch.records)), error)
    return attempt(batch, sorted(failing), _why(failing))


def _why(failing: dict[int, Exception]) -> str:
    said = dict.fromkeys(f"{type(error).__name__}: {error}" for error in failing.values())
    return f"it fails each time ({'; '.join(said)})" if said else ""


def on_its_device(job: Job) -> Job:
    """Return the job with a copy of its network on the device that it names."""
    if job.device is None or torch.device(job.device) == job.network.device(torch.device("cpu")):
        return job
    from copy import deepcopy

    return replace(job, network=replace(job.network, module=deepcopy(job.network.module).to(job.device)))


# Dask


def distributed():
    """Return the module ``distributed``, or say how to get it."""
    try:
        import distributed
    except ImportError as error:
        raise ImportError(f"workers take Dask, which is not installed: {EXTRA}.", name="distributed") from error
    return distributed


def client_of(workers: "int | Client") -> Any:
    """Return a context manager that gives the Dask client for ``workers``: a number of processes, or a client.

    Raises
    ------
    ValueError : neither; ImportError : Dask is not installed
    """
    dask = distributed()
    if isinstance(workers, dask.Client):
        if workers.asynchronous:
            raise ValueError("the Dask client is asynchronous; expected Client(...) without asynchronous=True.")
        return nullcontext(workers)
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers is {workers!r}; expected None, a number of processes from 1, or a Dask client.")
    return local_client(workers)


@contextmanager
def local_client(workers: int) -> Iterator:
    """Start worker processes on this machine, with one thread each, and end them afterwards."""
    dask, quiet = distributed(), {"silence_logs": logging.ERROR}  # workers that take seconds to end are no news
    before = dict(os.environ)
    with keeping_memory(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Port .* is already in use")
        cluster = dask.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0", **quiet
        )
    # Dask sets variables here for its workers, such as OMP_NUM_THREADS; what starts later is not to have them.
    set_for_workers = [name for name, value in os.environ.items() if before.get(name) != value]
    try:
        with cluster, dask.Client(cluster) as client:
            yield client
    finally:
        for name in set_for_workers:
            os.environ.pop(name, None)
            os.environ.update({name: before[name]} if name in before else {})


@contextmanager
def keeping_memory() -> Iterator[None]:
    """Let workers that start in the block keep freed memory for their next batch, as a Python process does.

    Dask tells glibc to give back every 64 KiB that are free (``MALLOC_TRIM_THRESHOLD_``), which costs a record 3,000
    page faults and 1.6 times the processor time: ``benchmarks/cohort.py``.
    """
    from dask import config

    given = {name: value for name, value in config.get(SPAWNED).items() if name != "MALLOC_TRIM_THRESHOLD_"}
    with config.set({SPAWNED: given}):
        yield


def receive(key: str, job: Job) -> None:
    """Keep a job in this worker process; called once in each."""
    steady_arithmetic()
    _JOBS[key] = on_its_device(job)


def forget(key: str) -> None:
    """Let a job of this worker process go."""
    _JOBS.pop(key, None)


def unpack_and(run: Callable, key: str, packed: bytes, skip: Collection[int] = (), why: str = "") -> Result:
    """Run a batch, which travels as bytes: Dask would look at every record of it, in the driver and the scheduler."""
    return run(key, pickle.loads(packed), skip, why)


def run_one(key: str, batch: Batch, skip: Collection[int] = (), why: str = "") -> Result:
    """Run a batch in a worker process."""
    return explain_batch(_JOBS[key], batch.records, batch.first, skip, why)


def run_spread(
    job: Job, batches: Iterable[Batch], client: "Client", key: str, run: Callable[..., Result] = run_one
) -> Iterator[tuple[Batch, Result]]:
    """Yield each batch with its result as workers end them, in any order.

    Parameters
    ----------
    client : a Dask client
    key : what the workers call the job; one job has one key
    run : function (key, batch, skip, why) -> result that the workers run

    Raises
    ------
    EngineError : the scheduler is lost
    Exception : what every record of a batch fails with
    """
    import cloudpickle

    dask, batches = distributed(), iter(batches)
    in_flight: dict[str, Batch] = {}

    def submit(batch: Batch, *arguments, retries: int):
        packed = cloudpickle.dumps(batch)
        return client.submit(unpack_and, run, key, packed, *arguments, pure=False, retries=retries)

    def attempt(batch: Batch, skip: Collection[int] = (), why: str = "") -> Result:
        with loss_named(client):
            future = submit(batch, skip, why, retries=0)
            dask.wait(future)
        if future.status == "error":
            raise future.exception()
        with loss_named(client):
            return future.result()

    with loss_named(client):
        client.register_plugin(_plugin(dask, key, job), name=key)
        results = dask.as_completed(with_results=False, raise_errors=False)
    threads = _threads_of(client)
    try:
        while True:
            room = _room(threads(), in_flight)
            for _, batch in zip(range(room), batches, strict=False):
                with loss_named(client):
                    future = submit(batch, retries=1)
                in_flight[future.key] = batch
                results.add(future)
            if not in_flight:
                break
            with loss_named(client):
                future = next(results)
                result, error = (future.result(), None) if future.status == "finished" else (None, future.exception())
            batch = in_flight.pop(future.key)
            future.release()
            yield batch, without_failing(attempt, batch, error) if result is None else result
    finally:
        with suppress(Exception):  # of a scheduler that is gone
            client.unregister_worker_plugin(key)


def _threads_of(client: "Client") -> Callable[[], int]:
    """Return a function that says how many threads the workers have; it asks the scheduler every few seconds."""
    asked, known = -np.inf, 1

    def threads() -> int:
        nonlocal asked, known
        if time.monotonic() - asked > ASK_AGAIN:
            with loss_named(client):
                known = max(sum(client.nthreads().values()), 1)
            asked = time.monotonic()
        return known

    return threads


def _room(threads: int, in_flight: dict[str, Batch]) -> int:
    """Return how many batches more may be under way, so that neither tasks nor results pile up behind a slow one."""
    most = AHEAD * threads
    numbers = [batch.number for batch in in_flight.values()] or [0]
    return max(0, min(most - len(in_flight), min(numbers) + SPAN * most - max(numbers)))


@contextmanager
def loss_named(client: "Client") -> Iterator[None]:
    """Turn what Dask raises when its scheduler is gone into an EngineError that says so."""
    dask = distributed()
    gone = (dask.CancelledError, dask.client.FutureCancelledError, dask.comm.CommClosedError, OSError, TimeoutError)
    try:
        yield
    except (*gone, StopIteration) as error:
        address = getattr(client.scheduler, "address", None) or "an unknown address"
        said = " ".join(str(error).split())
        raise EngineError(f"the Dask scheduler at {address} is lost ({type(error).__name__}: {said}).") from error


def _plugin(dask, key: str, job: Job):
    """Return what brings the job to every worker that there is, and to those that come later."""

    class Bring(dask.WorkerPlugin):
        def setup(self, worker):
            receive(key, job)

        def teardown(self, worker):
            forget(key)

    return Bring()
