"""On a machine with a GPU: does it give the CPU's maps, and how fast are maps and cohorts for N = 1 to 4096?

    python benchmarks/gpu.py                    writes benchmarks/gpu.json; under 8 minutes
    python benchmarks/gpu.py --skip-tests       without the tests that need a GPU

Every method of the registry is run on both, without TF32. The GPU's map counts as the CPU's where both correlate by
more than 0.999 and differ by at most 1e-3 of the largest relevance; what draws at random starts from one seed on both.
Status 1 where one does not, or where a test fails.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
LEAST_CORRELATION, LARGEST_DIFFERENCE = 0.999, 1e-3
SIZES = (1, 4, 16, 64, 256, 1024, 4096)
TIMED = ("gradient", "lrp_epsilon", "integrated_gradients", "deeplift")
SECONDS = 3.0  # of one timing; larger N are left out once one takes longer


def main() -> int:
    """Run all parts, print and save them; return the status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--skip-tests", action="store_true")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("PyTorch sees no CUDA device; --device cpu tries the script itself.", file=sys.stderr)
        return 2
    from leadwise.cohort.engine import steady_arithmetic

    steady_arithmetic(threads=torch.get_num_threads())
    name = torch.cuda.get_device_name() if options.device == "cuda" else "CPU"
    result = {"device": name, "torch": torch.__version__, "python": platform.python_version()}
    parts = {"maps": maps, "attribution, maps a second": attribution, "cohort, records a second": cohorts}
    for part, function in parts.items():
        begin = time.perf_counter()
        result[part] = function(options.device)
        print(f"{part} ({time.perf_counter() - begin:.0f} s)", json.dumps(result[part], indent=1), flush=True)
    status = 0 if options.skip_tests else tests()
    result["tests"] = "not run" if options.skip_tests else f"status {status}"
    options.out.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    differ = [method for method, one in result["maps"].items() if one["verdict"] == "differs"]
    print(f"methods that differ: {', '.join(differ) or 'none'}; tests: {result['tests']}")
    return int(bool(differ or status))


def patients(count: int) -> torch.Tensor:
    """Return windows (count, 12, 2000) of simulated patients; sixteen, again and again."""
    from leadwise.ecg.filters import preprocess
    from leadwise.simulation.simulate import simulate_batch

    own = simulate_batch("LBBB", range(min(count, 16))).signal
    x = torch.from_numpy(preprocess(own, 500.0)[..., :2000])
    return x[torch.arange(count) % len(x)].contiguous()


def network(device: str):
    """Return the LBBB network on a device."""
    from leadwise import load_ecg_model

    return load_ecg_model("LBBB", "embedded", verbose=False).to(device)


def maps(device: str) -> dict[str, dict]:
    """Compare every method with its CPU map of one patient."""
    from leadwise import METHODS, attribute

    x, models, found = patients(1), (network("cpu"), network(device)), {}
    for method in METHODS:
        begin = time.perf_counter()
        try:
            torch.manual_seed(0)
            here = attribute(models[0], x, method, 1, progress=False)
            torch.manual_seed(0)
            there = attribute(models[1], x, method, 1, progress=False)
        except ValueError as error:  # a method of images
            found[method] = {"verdict": "not for ECGs", "because": str(error)[:80]}
            continue
        print(f"{method}: {time.perf_counter() - begin:.1f} s", flush=True)
        most = float((here - there).abs().max() / here.abs().max().clamp(min=1e-30))
        alike = float(np.corrcoef(here.flatten(), there.flatten())[0, 1])
        good = alike > LEAST_CORRELATION and most <= LARGEST_DIFFERENCE
        found[method] = {"verdict": "same" if good else "differs", "correlation": alike, "largest difference": most}
    return found


def attribution(device: str) -> dict[str, dict[str, float]]:
    """Time methods on windows that lie on the device."""
    from leadwise import attribute

    found: dict[str, dict[str, float]] = {}
    for where in dict.fromkeys(("cpu", device)):
        model = network(where)
        for method in TIMED:
            rates = found.setdefault(f"{method} on {where}", {})
            for size in SIZES:
                x = patients(size).to(where)
                seconds = timed(lambda x=x, model=model, method=method: attribute(model, x, method, 1, progress=False))
                rates[f"N = {size}"] = round(size / seconds, 1)
                if seconds > SECONDS / 4:
                    break
    return found


def timed(run) -> float:
    """Return the median seconds of up to five runs, after one that is not counted where it is short."""
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < 6 and time.perf_counter() - begin < SECONDS:
        once = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - once)
    return float(np.median(times[1:] or times))


def cohorts(device: str) -> dict[str, float]:
    """Time a cohort of recordings of 10 s in memory."""
    from leadwise import simulate_ecg
    from leadwise.cohort import explain_cohort
    from leadwise.ecg.record import ECG

    held = [ECG(simulate_ecg("LBBB", seed).signal, record_id=f"r{seed}") for seed in range(64)]
    records, found = held * 8, {}
    for where, chunk in (("cpu", 16), *((device, size) for size in (16, 64, 256, 512))):
        model = network(where)
        options = {"chunk": chunk, "batch": max(64, chunk), "progress": False}
        explain_cohort(model, records[:64], **options)
        begin = time.perf_counter()
        explain_cohort(model, records, **options)
        found[f"{where}, chunk {chunk}"] = round(len(records) / (time.perf_counter() - begin), 1)
    return found


def tests() -> int:
    """Run the tests that need a GPU; return pytest's status."""
    return subprocess.run([sys.executable, "-m", "pytest", "-q", "tests/test_devices.py"], cwd=ROOT).returncode


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
