"""What a kernel holds and spends until the first map, and what the peers alone cost in theirs.

    python benchmarks/start.py               every case five times in a Python of its own; writes benchmarks/start.json

Processor time on one thread, from the interpreter's first line, and the memory that the process holds at its end. The
medians are reported, and their ratio to what importing captum, torchvision and zennit costs. A kernel of Jupyter adds
what Jupyter itself needs.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

import torch

PEERS = "captum, torchvision and zennit imported"
CASES = {
    "torch imported": "import torch",
    PEERS: "from leadwise.compat import ensure_torchvision as e; e(); import captum.attr, torchvision, zennit",
    "first map": """
import leadwise
leadwise.attribute(leadwise.load_ecg_model("LBBB", verbose=False),
                   leadwise.load_record("sim-lbbb-1").preprocess().window(), "lrp_epsilon", progress=False)""",
    "explorer with its map": """
from leadwise.explorers import ECGExplorer
ECGExplorer("sim-lbbb-1", "LBBB", "lrp_epsilon")""",
    "explorers and plots": """
import leadwise, torch
from leadwise.explorers import ECGExplorer, MethodGrid
from leadwise.plotting import plot_ecg
ECGExplorer("sim-lbbb-1", "LBBB", "lrp_epsilon")
MethodGrid("sim-lbbb-1", "LBBB", ("gradient", "grad_cam", "lrp_epsilon"))
ecg = leadwise.load_record("sim-lbbb-1").preprocess().window()
model = leadwise.load_ecg_model("LBBB", verbose=False)
plot_ecg(ecg, leadwise.attribute(model, ecg, "deeplift", progress=False))""",
}
TELL = """
import resource, sys
held = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, held / 1024, "torchvision" in sys.modules, "captum" in sys.modules)
"""


def spent(source: str) -> tuple[float, float, bool, bool]:
    """Return processor seconds, MiB held, and whether torchvision and captum came along."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    command = [sys.executable, "-W", "ignore", "-c", source + TELL]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    seconds, held, *along = done.stdout.splitlines()[-1].split()
    return float(seconds), float(held), *(one == "True" for one in along)


def main() -> None:
    """Run the benchmark, print the table and save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    found: dict[str, list] = {name: [] for name in CASES}
    for _ in range(options.rounds):
        for name, source in CASES.items():
            found[name].append(spent(source))
    rows = {
        name: {
            "cpu_s": round(statistics.median(run[0] for run in runs), 2),
            "held_mib": round(statistics.median(run[1] for run in runs)),
            "torchvision": runs[0][2],
            "captum": runs[0][3],
        }
        for name, runs in found.items()
    }
    for name, row in rows.items():
        row |= {f"{key}_of_peers": round(row[key] / rows[PEERS][key], 2) for key in ("cpu_s", "held_mib")}
        print(f"{name:42s}{row['cpu_s']:6.2f} s{row['held_mib']:6d} MiB   {row['cpu_s_of_peers']:.2f} and "
              f"{row['held_mib_of_peers']:.2f} of the peers")  # fmt: skip
    result = {"torch": torch.__version__, "machine": platform.machine(), "rounds": options.rounds, "cases": rows}
    options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
