"""Cost of 64 maximised images with the embedded AlexNet, against plain forward-backward passes, in the same run.

    python benchmarks/activation_maximisation.py            prints the ratio and the seconds

One pass takes 64 images forward and the gradient of their logits back to the input, in batches as large as those of
``maximise_activation``. A run without any overhead would cost as many passes as it has steps. What counts for the ratio
is processor time, which a busy neighbour hardly changes; the seconds are those on the clock.
"""

import argparse
import inspect
import statistics
import time

import torch

from leadwise.inspection import CHUNK, maximise_activation
from leadwise.networks.alexnet import load_alexnet


def plain(net, x) -> None:
    """Take the batch forward and back once."""
    for part in x.split(CHUNK):
        part = part.clone().requires_grad_()
        torch.autograd.grad(net(part).amax(1).sum(), part)


def seconds(function) -> tuple[float, float]:
    """Return the processor time and the time on the clock that a call takes."""
    start = time.process_time(), time.perf_counter()
    function()
    return time.process_time() - start[0], time.perf_counter() - start[1]


def main() -> None:
    """Run the benchmark and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    net = load_alexnet("embedded")
    x = torch.randn(options.images, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    targets = [i % len(net.class_names) for i in range(options.images)]
    steps = inspect.signature(maximise_activation).parameters["steps"].default
    plain(net, x)
    before = [seconds(lambda: plain(net, x))[0] for _ in range(3)]
    spent, clock = seconds(lambda: maximise_activation(net, target=targets, progress=False))
    one = statistics.median([*before, *(seconds(lambda: plain(net, x))[0] for _ in range(3))])
    print(f"{options.images} images, {steps} steps, {options.threads} threads: {clock:.1f} s on the clock")
    print(f"{spent / one:.1f} times the {options.images} plain forward-backward passes; {steps} would be no overhead")


if __name__ == "__main__":
    main()
