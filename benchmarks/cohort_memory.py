"""Memory of a cohort: the peak of a process that explains 2,000 simulated patients beside one that explains 20.

    python benchmarks/cohort_memory.py          writes benchmarks/cohort_memory.json

Each run is a process of its own; what is reported is the most memory that it ever held (ru_maxrss). Every patient is
simulated (10 s), preprocessed, explained and forgotten, as a learner would do it. The checkpoint is written on the way.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

LIMIT_MB = 300


def run(records: int, method: str) -> dict:
    """Explain so many simulated patients in this process; return its peak memory and what it found."""
    import torch

    from leadwise import load_ecg_model, simulate_ecg
    from leadwise.cohort import explain_cohort
    from leadwise.semantics import WAVES

    torch.set_num_threads(1)
    start = time.perf_counter()
    patients = (partial(simulate_ecg, "LBBB", seed) for seed in range(records))
    with tempfile.TemporaryDirectory() as folder:
        model, path = load_ecg_model("LBBB", "embedded"), Path(folder) / "run"
        cohort = explain_cohort(model, patients, method, checkpoint=path, progress=False)
        size = sum(file.stat().st_size for file in path.iterdir())
    low, high = (float(end[WAVES.index("QRS")]) for end in cohort.interval("wave_share"))
    return {
        "records": cohort.records,
        "left out": cohort.left_out,
        "peak MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),  # Linux counts in kB
        "checkpoint MB": round(size / 1e6, 2),
        "seconds": round(time.perf_counter() - start, 1),
        "share in QRS, 95 % interval": [round(low, 4), round(high, 4)],
    }


def main() -> None:
    """Run both sizes, print the table and save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs=2, default=(20, 2000))
    parser.add_argument("--method", default="lrp_epsilon")
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)  # the child: one size, in this process
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    if options.only:
        print(json.dumps(run(options.only, options.method)))
        return
    runs = []
    for size in options.sizes:
        command = [sys.executable, __file__, "--only", str(size), "--method", options.method]
        runs.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
    more = round(runs[1]["peak MB"] - runs[0]["peak MB"], 1)
    result = {"method": options.method, "python": platform.python_version(), "runs": runs}
    result |= {"more memory, MB": more, "limit, MB": LIMIT_MB}
    print(json.dumps(result, indent=2, ensure_ascii=False))
    options.out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    if more > LIMIT_MB:
        sys.exit(f"{more} MB more for {options.sizes[1]} records than for {options.sizes[0]}; at most {LIMIT_MB} MB.")


if __name__ == "__main__":
    main()
