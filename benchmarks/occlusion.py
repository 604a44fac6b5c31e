"""Cost of occlusion: how many times faster than captum's, which runs the whole network for each window.

    python benchmarks/occlusion.py              writes benchmarks/occlusion.json

What counts is processor time on one thread, which a busy neighbour hardly changes. Each round runs both in turn; the
ratio is taken within a round, and the median over the rounds is reported. The networks have the published
architectures; their weights do not matter. ``difference`` is the largest between the two maps, in logits, as a share of
the logit. How much there is to save depends on how far the operations of a network look: the deeper layers of AlexNet
see the whole picture, so that most of what they give changes with any window.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from captum.attr import Occlusion
from torch import Tensor

from leadwise import attribute
from leadwise.networks.alexnet import AlexNet
from leadwise.networks.ecg_net import ECGNet

BATCH = 8  # windows at once, for captum: its best on a CPU

CASES = {
    "ECG network, each lead": (ECGNet, (1, 12, 2000), 100, 50, "each"),
    "ECG network, all leads": (ECGNet, (1, 12, 2000), 100, 50, "all"),
    "AlexNet, small": (lambda: AlexNet(width=0.25), (1, 3, 224, 224), 32, 16, "all"),
    "AlexNet": (AlexNet, (1, 3, 224, 224), 32, 16, "all"),
}
"""Network, input, window, stride, and which leads are hidden at once."""


def timed(function: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """Return what a function gives, and its processor time in seconds."""
    start = time.process_time()
    found = function()
    return found, time.process_time() - start


def measured(name: str, rounds: int) -> dict:
    """Return what a case costs both ways."""
    make, shape, window, stride, leads = CASES[name]
    torch.manual_seed(0)
    model, x = make().eval(), torch.randn(shape)
    channels = 1 if leads == "each" else shape[1]
    sizes = {"sliding_window_shapes": (channels, *[window] * (x.ndim - 2)), "perturbations_per_eval": BATCH}
    peer = Occlusion(model)

    def theirs() -> Tensor:
        with torch.no_grad():
            return peer.attribute(x, strides=(channels, *[stride] * (x.ndim - 2)), target=1, **sizes)

    def ours() -> Tensor:
        options = {"window": window, "stride": stride, "leads": leads}
        return attribute(model, x, "occlusion", target=1, progress=False, **options)

    found = [(*timed(theirs), *timed(ours)) for _ in range(rounds + 1)][1:]  # the first one warms up
    (wanted, _, given, _), logit = found[0], float(model(x)[0, 1].detach().abs())
    return {
        "times faster": round(statistics.median(row[1] / row[3] for row in found), 2),
        "seconds": round(statistics.median(row[3] for row in found), 4),
        "captum seconds": round(statistics.median(row[1] for row in found), 4),
        "difference": float(f"{float((wanted - given).abs().max()) / logit:.1e}"),
    }


def main() -> None:
    """Run the benchmark, print the table and save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", default=list(CASES))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    result = {
        "unit": "processor time of captum's Occlusion divided by ours (median over rounds), 1 thread",
        "torch": torch.__version__,
        "machine": platform.machine(),
        "rounds": options.rounds,
        "cases": {},
    }
    for name in options.cases:
        result["cases"][name] = found = measured(name, options.rounds)
        print(f"{name:28s}{found['times faster']:8.2f} times faster   difference {found['difference']:.0e}")
    options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
