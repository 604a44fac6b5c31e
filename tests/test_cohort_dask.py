"""Cohorts on real ``dask scheduler`` and ``dask worker`` processes, some of which are killed on the way."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import leadwise
from leadwise.cohort import EngineError, explain_cohort, load_checkpoint
from leadwise.cohort.engine import local_client

ROOT = Path(__file__).resolve().parents[1]

dask = pytest.importorskip("dask.distributed")
pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.filterwarnings("ignore")]  # Dask's own, at its end

RECONNECT = 6  # s that a client tries to find its scheduler, before it calls it lost
OPTIONS = {"method": "gradient_x_input", "batch": 2, "chunk": 2}


def bits(cohort):
    return hashlib.sha256(cohort.to_bytes()).hexdigest()


@pytest.fixture(scope="module")
def model():
    return leadwise.load_ecg_model("LBBB", "embedded", verbose=False)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wfdb")
    kinds = ("LBBB", "NORM")
    return [leadwise.simulate_ecg(kinds[i % 2], i, seconds=5).save(folder, f"r{i}").with_suffix("") for i in range(24)]


@pytest.fixture(scope="module")
def undisturbed(model, paths):
    return bits(explain_cohort(model, paths, progress=False, **OPTIONS))


class Cluster:
    """A scheduler and two workers, each a process of its own, that talk over TCP; all tests share one."""

    def __init__(self, folder):
        self.file = folder / "scheduler.json"
        self.scheduler = self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.workers = [self.start("worker", "--nthreads", "1", "--no-dashboard") for _ in range(2)]

    def start(self, what, *options):
        command = [sys.executable, "-m", "dask", what, "--scheduler-file", str(self.file), *options]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def client(self):
        client = dask.Client(scheduler_file=str(self.file), timeout=RECONNECT)
        client.wait_for_workers(2, timeout=60)
        return client

    def end(self):
        for process in (*self.workers, self.scheduler):
            process.terminate()
        for process in (*self.workers, self.scheduler):
            process.wait(30)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    started = Cluster(tmp_path_factory.mktemp("cluster"))
    yield started
    started.end()


def test_workers_that_are_killed_change_no_bit(model, paths, undisturbed, cluster, tmp_path):
    """A worker is killed; its nanny starts another, to which the network is sent again.

    ``benchmarks/cohort.py`` kills twenty times.
    """
    with cluster.client() as client:
        victims = list(client.run(os.getpid).values())[:1]

        def kill(done, total):
            if done >= 8 and victims:
                os.kill(victims.pop(), signal.SIGKILL)

        found = explain_cohort(model, paths, workers=client, checkpoint=tmp_path / "run", progress=kill, **OPTIONS)
        assert victims == []
        assert bits(found) == bits(load_checkpoint(tmp_path / "run")) == undisturbed

        def fails():
            raise RuntimeError("the disk is on fire")

        mixed = explain_cohort(model, [*paths[:3], fails, *paths[3:]], workers=client, progress=False, **OPTIONS)
        assert mixed.reasons == ["record 3: it fails each time (RuntimeError: the disk is on fire)"]


def test_a_scheduler_that_is_lost_is_named_and_the_run_resumes(model, paths, undisturbed, cluster, tmp_path):
    """The last that needs the cluster."""
    client = cluster.client()

    def kill(done, total):
        if done >= 8:
            cluster.scheduler.kill()

    with pytest.raises(EngineError, match=r"scheduler at tcp://\S+ is lost .* batches are saved in .*run"):
        explain_cohort(model, paths, workers=client, checkpoint=tmp_path / "run", progress=kill, **OPTIONS)
    client.close()
    saved = [file.name for file in (tmp_path / "run").iterdir()]
    assert load_checkpoint(tmp_path / "run").seen < len(paths)
    assert any(name.startswith(("batch-", "merged-")) for name in saved)
    resumed = explain_cohort(model, paths, checkpoint=tmp_path / "run", progress=False, **OPTIONS)
    assert bits(resumed) == undisturbed


DRIVER = """
import sys
from pathlib import Path
import torch, leadwise
from leadwise.cohort import explain_cohort
torch.set_num_threads(1)
explain_cohort(leadwise.load_ecg_model("LBBB", "embedded", verbose=False), [Path(p) for p in sys.argv[2:]],
               checkpoint=sys.argv[1], progress=lambda done, total: print(done, flush=True), **{options})
"""


def test_a_driver_that_is_killed_loses_nothing_and_counts_nothing_twice(model, paths, undisturbed, tmp_path):
    command = [sys.executable, "-c", DRIVER.format(options=OPTIONS), str(tmp_path / "run"), *map(str, paths)]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in driver.stdout:
        if int(line) >= 8:
            time.sleep(0.02)  # into the next batch
            driver.kill()
    driver.wait()
    assert 0 < load_checkpoint(tmp_path / "run").seen < len(paths)
    resumed = explain_cohort(model, paths, checkpoint=tmp_path / "run", progress=False, **OPTIONS)
    assert bits(resumed) == undisturbed


def test_worker_processes_are_started_and_ended(model, paths, undisturbed):
    before = dict(os.environ)
    assert bits(explain_cohort(model, paths, workers=1, progress=False, **OPTIONS)) == undisturbed
    assert dict(os.environ) == before  # Dask sets variables for its workers, OMP_NUM_THREADS among them


def test_workers_give_no_freed_memory_back_in_the_midst_of_their_work():
    """Dask's own setting would: 3,000 page faults a record. Only the environment that a worker starts with counts."""
    with local_client(1) as client:
        (found,) = client.run(os.environ.get, "MALLOC_TRIM_THRESHOLD_").values()
    assert found is None
    assert "MALLOC_TRIM_THRESHOLD_" not in os.environ


@pytest.mark.parametrize("workers", [0, -1, True, "two", 1.5])
def test_workers_that_make_no_sense_are_refused(model, paths, workers):
    with pytest.raises(ValueError, match="expected None, a number of processes from 1, or a Dask client"):
        explain_cohort(model, paths, workers=workers, progress=False)


def test_without_dask_it_is_said_how_to_get_it(model, paths, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"pip install 'leadwise\[cohort\]'"):
        explain_cohort(model, paths, workers=2, progress=False)


def test_without_pyarrow_it_is_said_how_to_get_it(model, paths, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'leadwise\[cohort\]'"):
        explain_cohort(model, [Path(path) for path in paths], rows=tmp_path / "rows", progress=False)


SCRIPTS = {
    "laptop.sh": (["1"], {}),
    "slurm.sh": ([], {"LAUNCH": ""}),
    "gpus.sh": (["1"], {"DEVICE": "cpu"}),
}


def test_the_scripts_of_the_book_run(tmp_path):
    """As they stand there, but for the launcher of SLURM and the GPU that this machine may lack; side by side."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from simulated_ptb_xl import make

    folder, path = make(tmp_path / "ptb-xl", 4), f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    running = {
        script: subprocess.Popen(
            ["bash", str(ROOT / "book" / "cohorts" / script), str(folder), str(tmp_path / script), *options],
            env={**os.environ, "PATH": path, **extra}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for script, (options, extra) in SCRIPTS.items()
    }  # fmt: skip
    for script, process in running.items():
        out, errors = process.communicate(timeout=300)
        assert "4 records, 0 left out" in out, errors[-3000:]
        assert (tmp_path / script / "summary.json").is_file()
