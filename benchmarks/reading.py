"""Speed of reading: a 10-s, 12-lead WFDB record of 16 bits, by load_ecg and by wfdb.

    python benchmarks/reading.py            writes benchmarks/reading.json

``load_ecg`` parses the header, decodes, compares checksums, converts to millivolts and looks for flat and invalid
leads; ``wfdb.rdrecord`` decodes and converts. Both give the same signal. Best of many rounds, so that a noisy
neighbour does not count.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import wfdb

import leadwise


def best(function, rounds: int) -> float:
    """Return the shortest of several runs, in seconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Run the benchmark, print the result and save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        leadwise.simulate_ecg("LBBB", seed=1).save(folder, "record")
        record = str(Path(folder) / "record")
        np.testing.assert_allclose(leadwise.load_ecg(record).signal, wfdb.rdrecord(record).p_signal.T, atol=1e-6)
        ours = best(lambda: leadwise.load_ecg(record), options.rounds)
        theirs = best(lambda: wfdb.rdrecord(record), options.rounds)
    result = {
        "numpy": np.__version__,
        "python": platform.python_version(),
        "load of the machine": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
        "milliseconds": {"load_ecg": round(1e3 * ours, 2), "wfdb.rdrecord": round(1e3 * theirs, 2)},
        "load_ecg / wfdb.rdrecord": round(ours / theirs, 2),
    }
    print(json.dumps(result, indent=2))
    options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
