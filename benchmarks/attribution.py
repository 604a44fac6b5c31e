"""Cost of the methods as multiples of a plain gradient of the same batch, in the same run.

    python benchmarks/attribution.py            all methods; writes benchmarks/attribution.json

What counts is processor time on one thread, which a busy neighbour hardly changes. Each round runs every method once,
in turn; the ratio is taken within a round, and the median over the rounds is reported. The network has the published
architecture; its weights do not matter.
"""

import argparse
import json
import platform
import statistics
import time
import warnings
from pathlib import Path

import torch

from leadwise import METHODS, attribute
from leadwise.networks.ecg_net import ECGNet

LIMITS = {"lrp_epsilon": 4, "lrp_alpha_1_beta_0": 8, "lrp_alpha_2_beta_1": 8, "integrated_gradients": 45}
SLOW = ("occlusion", "kernel_shap", "lime", "rise")
DEFAULT = ["lrp_alpha_1_beta_0", "lrp_alpha_2_beta_1", *(name for name in METHODS if name not in SLOW)]


def seconds(model, x, method: str) -> float:
    """Return the processor time that one explanation of the batch takes."""
    start = time.process_time()
    attribute(model, x, method, target=1, progress=False)
    return time.process_time() - start


def ratios(model, x, methods, rounds: int) -> dict[str, float]:
    """Return the median over the rounds of each method's time divided by the gradient's."""
    found = {method: [] for method in methods}
    for _ in range(rounds):
        for method in methods:
            # Three gradients around each measurement: their median is steadier than one.
            before = [seconds(model, x, "gradient") for _ in range(2)]
            spent = seconds(model, x, method)
            found[method].append(spent / statistics.median([*before, seconds(model, x, "gradient")]))
    return {method: round(statistics.median(values), 2) for method, values in found.items()}


def main() -> None:
    """Run the benchmark, print the table and save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--methods", nargs="+", default=DEFAULT)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    model = ECGNet().eval()
    result = {
        "unit": "multiples of a plain gradient of the same batch (median over rounds)",
        "input": "(N, 12, 2000), float32, 1 thread, processor time",
        "torch": torch.__version__,
        "machine": platform.machine(),
        "rounds": options.rounds,
        "ratios": {},
    }
    for batch in options.batches:
        x = torch.randn(batch, 12, 2000)
        ratios(model, x, ["lrp_epsilon"], 2)  # warm-up
        result["ratios"][f"N = {batch}"] = found = ratios(model, x, options.methods, options.rounds)
        print(f"N = {batch}")
        for method, ratio in found.items():
            limit = f"   at most {LIMITS[method]}" if method in LIMITS else ""
            print(f"  {method:32s}{ratio:8.2f}{limit}")
    options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
