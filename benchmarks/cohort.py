"""What a cohort costs: a record, 1, 2 and 4 workers, the scheduler alone; and that nothing that dies changes a number.

    python benchmarks/cohort.py FOLDER                       21,799 records; makes FOLDER first (simulated_ptb_xl.py)
    python benchmarks/cohort.py FOLDER --records 500         a trial

writes benchmarks/cohort.json (a trial writes nothing without --out). Times are of processor and wall; the machine's own
speed stands beside them as a matrix product, so that results of different machines can be compared.
"""

import argparse
import hashlib
import json
import os
import platform
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

METHOD = "lrp_epsilon"
PARTS = ("cost", "workers", "overhead", "bad", "kills", "packed")


def main() -> None:
    """Run what is asked for, print it and save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, default=21_799)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--runs", type=int, default=20, help="runs of the part kills")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.folder, *options.child)
        return
    from simulated_ptb_xl import COUNT, make

    make(options.folder, options.records, processes=os.cpu_count() or 1)
    result = {"records": options.records, "method": METHOD, "python": platform.python_version(), "GFLOP/s": speed()}
    for part in options.parts:
        result[part] = globals()[part](options)
        print(json.dumps({part: result[part]}, indent=1), flush=True)
    result["GFLOP/s at the end"] = speed()
    out = options.out or (Path(__file__).with_suffix(".json") if options.records == COUNT else None)
    if out:
        out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")


def cost(options) -> list[dict]:
    """One process: what a record costs, for growing numbers of records."""
    sizes = sorted({size for size in (200, 1000, 5000) if size < options.records} | {options.records})
    return [in_child(options.folder, "serial", size) for size in sizes]


def workers(options) -> list[dict]:
    """1, 2 and 4 worker processes: records a second, and what each took."""
    return [in_child(options.folder, f"workers {count}", options.records) for count in (1, 2, 4)]


def overhead(options) -> list[dict]:
    """The scheduler alone: 16 workers that sleep 1 ms a record, 16 threads of one process; a real record takes 15."""
    return [in_child(options.folder, f"overhead {batch}", 64_000) for batch in (64, 512)]


def bad(options) -> dict:
    """Ten bad records of each kind among a thousand: which are left out, and does anything else change?"""
    from leadwise import load_ecg_model
    from leadwise.cohort import explain_cohort, ptb_xl
    from simulated_ptb_xl import FAULTS, spoiled

    network = load_ecg_model("LBBB", "embedded", verbose=False)
    good = list(ptb_xl(options.folder).first(min(options.records, 1000 - 10 * len(FAULTS))).sources)
    with tempfile.TemporaryDirectory() as place:
        spoils = {str(spoiled(kind, Path(place) / f"{kind}-{i}", i)): kind for i in range(10) for kind in FAULTS}
        every = max(len(good) // len(spoils), 1)
        mixed = [one for i, path in enumerate(spoils) for one in (*good[i * every : (i + 1) * every], Path(path))]
        mixed += good[len(spoils) * every :]
        alone = explain_cohort(network, good, METHOD, progress=False)
        cohort = explain_cohort(network, mixed, METHOD, progress=False)
    named = Counter(spoils.get(reason.split(": ", 1)[0], "a good one") for reason in cohort.reasons)
    return {
        "good": len(good), "counted": cohort.records, "left out": cohort.left_out, "named": dict(named),
        "largest change of a mean": max(float(np.abs(cohort.mean(k) - alone.mean(k)).max()) for k in alone.moments),
    }  # fmt: skip


def kills(options) -> dict:
    """Runs of which a worker, or this program's driver, is killed at a random moment: do all end with the same bits?"""
    count = min(options.records, 500)
    undisturbed = in_child(options.folder, "serial", count)["bits"]
    found = [killed_run(options.folder, count, seed) for seed in range(options.runs)]
    return {
        "runs": options.runs, "records": count, "killed": sum(one[1] for one in found),
        "same bits": sum(one[0] == undisturbed for one in found),
    }  # fmt: skip


def killed_run(folder: Path, count: int, seed: int) -> tuple[str, int]:
    """Start a run again and again, each time killing the driver or a worker, until one comes through."""
    rng, killed = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as place:
        while True:
            started = start_child(folder, f"resumed {place}/run", count, new_session=True)
            try:
                if killed < 3:
                    started.wait(timeout=rng.uniform(6, 14))
            except subprocess.TimeoutExpired:
                killed += 1
                victims = descendants(started.pid)
                if rng.random() < 0.5 and victims:
                    os.kill(rng.choice(victims), signal.SIGKILL)
                else:
                    os.killpg(started.pid, signal.SIGKILL)
            answer, _ = started.communicate()
            if started.returncode == 0:
                return json.loads(answer.splitlines()[-1])["bits"], killed


def descendants(pid: int) -> list[int]:
    """Return the worker processes that a driver has started."""
    import psutil

    return [p.pid for p in psutil.Process(pid).children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]


def packed(options) -> dict:
    """Reading alone: WFDB files against the packed data set, processor time a record."""
    from leadwise.cohort import pack, ptb_xl
    from leadwise.cohort.records import as_records

    records = ptb_xl(options.folder).first(min(options.records, 1024))
    with tempfile.TemporaryDirectory() as place:
        there, found = pack(records, Path(place) / "packed", progress=False), {}
        size = sum(path.stat().st_size for path in (Path(place) / "packed").iterdir())
        for name, one in {"WFDB": records, "packed": there}.items():
            begin = time.process_time()
            for record in as_records(one):
                record.open()
            found[f"{name}, ms a record"] = round((time.process_time() - begin) / len(one) * 1e3, 2)
    return found | {"kB a record": round(size / len(records) / 1e3, 1)}


# One measurement in a process of its own


def start_child(folder: Path, what: str, count: int, new_session: bool = False) -> subprocess.Popen:
    """Start this program for one measurement."""
    name, _, argument = what.partition(" ")
    command = [sys.executable, __file__, str(folder), "--child", name, argument, str(count)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        start_new_session=new_session,
    )  # fmt: skip


def in_child(folder: Path, what: str, count: int) -> dict:
    """Return what a measurement gives."""
    answer, _ = (started := start_child(folder, what, count)).communicate()
    if started.returncode:
        raise SystemExit(f"{what} with {count} records ended with status {started.returncode}")
    return json.loads(answer.splitlines()[-1])


def child(folder: Path, name: str, argument: str, count: str) -> None:
    """Run one measurement and print what it gives."""
    print(json.dumps({"serial": serial, "workers": spread, "overhead": sleeping, "resumed": resumed}[name](
        folder, argument, int(count)
    )))  # fmt: skip


def model_and_records(folder: Path, count: int):
    """Return the LBBB network and the first records."""
    from leadwise import load_ecg_model
    from leadwise.cohort import ptb_xl

    return load_ecg_model("LBBB", "embedded", verbose=False), ptb_xl(folder).first(count)


def serial(folder: Path, _: str, count: int) -> dict:
    """One process."""
    from leadwise.cohort import explain_cohort

    model, records = model_and_records(folder, count)
    explain_cohort(model, records.first(16), METHOD, progress=False)  # what is imported on first use
    wall, cpu = time.perf_counter(), time.process_time()
    cohort = explain_cohort(model, records, METHOD, groups=("sex", "age_band"), progress=False)
    return described(cohort, time.perf_counter() - wall) | {
        "CPU ms a record": round((time.process_time() - cpu) / count * 1e3, 2), "peak MB": peak(),
    }  # fmt: skip


def spread(folder: Path, workers: str, count: int) -> dict:
    """Worker processes, which are started first."""
    from leadwise.cohort import explain_cohort
    from leadwise.cohort.engine import local_client

    model, records = model_and_records(folder, count)
    options = {"groups": ("sex", "age_band"), "progress": False}
    with local_client(int(workers)) as client:
        explain_cohort(model, records.first(64 * int(workers)), METHOD, workers=client, **options)
        before = sum(client.run(time.process_time).values())
        wall = time.perf_counter()
        cohort = explain_cohort(model, records, METHOD, workers=client, **options)
        wall = time.perf_counter() - wall
        cpu = sum(client.run(time.process_time).values()) - before
        most = max(client.run(peak).values())
    return {"workers": int(workers)} | described(cohort, wall) | {
        "CPU ms a record": round(cpu / count * 1e3, 2), "peak MB of a worker": most, "peak MB of the driver": peak(),
    }  # fmt: skip


def resumed(folder: Path, place: str, count: int) -> dict:
    """Two workers and a checkpoint."""
    from leadwise.cohort import explain_cohort

    model, records = model_and_records(folder, count)
    options = {"groups": ("sex", "age_band"), "progress": False}
    return described(explain_cohort(model, records, METHOD, workers=2, checkpoint=place, **options), 1)


def sleeping(folder: Path, batch: str, count: int) -> dict:
    """Sixteen threads that only sleep: what is left is the scheduler, the transfer and the merging."""
    from leadwise.cohort import Cohort, Record
    from leadwise.cohort.checkpoint import Checkpoint
    from leadwise.cohort.engine import distributed, run_spread
    from leadwise.cohort.run import _batches

    dask, threads, size, nothing = distributed(), 16, int(batch), SimpleNamespace(device=None)
    records = [Record(Path(f"r{i}"), f"r{i}") for i in range(count)]
    with dask.LocalCluster(1, threads_per_worker=threads, dashboard_address=":0") as cluster, dask.Client(cluster) as c:
        list(run_spread(nothing, _batches(records[:4096], size), c, "warm", run=sleep))
        state, begin, cpu = Checkpoint({}), time.perf_counter(), time.process_time()
        workers = sum(c.run(time.process_time).values())
        for one, result in run_spread(nothing, _batches(records, size), c, "timed", run=sleep):
            state.add(one.number, result)
        wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
        workers = sum(c.run(time.process_time).values()) - workers
    assert isinstance(state.whole(), Cohort)
    ideal = count * 1e-3 / threads
    return {
        "workers": threads, "batch": size, "records": count, "ms a record": 1, "seconds": round(wall, 2),
        "ideal": round(ideal, 2),
        "overhead": round(wall / ideal - 1, 3), "overhead, ms a task": round((wall - ideal) / count * size * 1e3, 2),
        "CPU ms a task, driver and scheduler": round(cpu / count * size * 1e3, 2),
        "CPU ms a task, workers": round(workers / count * size * 1e3, 2),
    }  # fmt: skip


def sleep(key, batch, skip=(), why=""):
    """Stand in for a batch: 1 ms a record, and a result of the usual size."""
    from leadwise.cohort.moments import Cohort, Moments, order_of

    begin = time.perf_counter()
    moments = {f"a{i}": Moments(len(batch.records), np.zeros((12, 425)), np.zeros((12, 425))) for i in range(2)}
    order = order_of(record.name for record in batch.records)
    time.sleep(max(0, 1e-3 * len(batch.records) - (time.perf_counter() - begin)))
    return Cohort({}, moments, len(batch.records), order=order)


def described(cohort, seconds: float) -> dict:
    """Return what was counted, how fast, and the hash of all numbers."""
    return {
        "records": cohort.records, "left out": cohort.left_out, "seconds": round(seconds, 1),
        "records a second": round(cohort.seen / seconds, 1), "bits": hashlib.sha256(cohort.to_bytes()).hexdigest()[:16],
    }  # fmt: skip


def peak() -> float:
    """Return the most memory that this process ever held, MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)  # Linux counts in kB


def speed() -> float:
    """Return the machine's speed in matrix products of one thread, GFLOP/s."""
    import torch

    torch.set_num_threads(1)
    a = torch.randn(1024, 1024)
    times = []
    for _ in range(7):
        begin = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - begin)
    return round(2 * 1024**3 / sorted(times)[3] / 1e9, 1)


if __name__ == "__main__":
    main()
