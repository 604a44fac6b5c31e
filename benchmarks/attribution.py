"""Cost of the methods as multiples of the plain gradient through the module, in the same run, beside the peers'.

    python benchmarks/attribution.py            methods with a limit and peers; writes benchmarks/attribution.json
    python benchmarks/attribution.py --methods rise lime        others

The plain gradient is what everybody writes: a forward pass of the module and one call of autograd. What counts is
processor time on one thread, which a busy neighbour hardly changes. Each round runs everything once, in turn; the
median of each is divided by that of the plain gradient. The network has the published architecture; its weights do not
matter. zennit's and captum's methods run on the same shape with ReLUs, for which they are made, and are divided by the
plain gradient of that network; so is our own LRP and DeepLIFT on it.
"""

import argparse
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from leadwise import attribute
from leadwise.compat import ensure_torchvision
from leadwise.networks.ecg_net import ECGNet

LIMITS = {
    "gradient": 0.75,
    "lrp_epsilon": 0.9,
    "lrp_alpha_1_beta_0": 2.2,
    "lrp_alpha_2_beta_1": 2.2,
    "lrp_gamma": 2.5,
    "deeplift": 2.5,
    "integrated_gradients": 30,
    "smoothgrad": 32,
}
OPTIONS = {"integrated_gradients": {"steps": 50}, "smoothgrad": {"samples": 50}}
RARE = ("integrated_gradients", "captum IntegratedGradients", "smoothgrad", "occlusion", "rise", "lime", "kernel_shap")
PLAIN = "plain gradient"


def plain(model: nn.Module, x: Tensor) -> Tensor:
    """Return the gradient of the second logit, as everybody writes it."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(model(x)[:, 1].sum(), x)[0]


def ours(model: nn.Module, x: Tensor, methods: list[str]) -> dict[str, Callable]:
    """Return what is measured of this package."""

    def run(method: str) -> Callable:
        return lambda: attribute(model, x, method, target=1, progress=False, **OPTIONS.get(method, {}))

    return {PLAIN: lambda: plain(model, x)} | {method: run(method) for method in methods}


def peers(x: Tensor) -> dict[str, Callable]:
    """Return what is measured on the network with ReLUs."""
    ensure_torchvision()
    from captum.attr import DeepLift, IntegratedGradients
    from zennit.attribution import Gradient
    from zennit.composites import EpsilonPlus, LayerMapComposite
    from zennit.rules import Epsilon, Pass
    from zennit.types import Activation, AvgPool, Linear

    model = rectified()
    epsilon = LayerMapComposite([(Activation, Pass()), (Linear, Epsilon(0.1)), (AvgPool, Epsilon(0.1))])

    def lrp(composite) -> Tensor:
        with Gradient(model=model, composite=composite) as attributor:
            return attributor(x.clone(), torch.eye(2)[[1] * len(x)])[1]

    return {
        PLAIN: lambda: plain(model, x),
        "ours lrp_epsilon": lambda: attribute(model, x, "lrp_epsilon", target=1, progress=False),
        "zennit Epsilon": lambda: lrp(epsilon),
        "ours lrp_epsilon_plus": lambda: attribute(model, x, "lrp_epsilon_plus", target=1, progress=False),
        "zennit EpsilonPlus": lambda: lrp(EpsilonPlus(epsilon=0.1)),
        "ours deeplift": lambda: attribute(model, x, "deeplift", target=1, progress=False),
        "captum DeepLift": lambda: DeepLift(model).attribute(x, target=1),
        "captum IntegratedGradients": lambda: IntegratedGradients(model).attribute(
            x, target=1, n_steps=50, internal_batch_size=max(8, len(x))
        ),
    }


def rectified() -> nn.Module:
    """Return the published shape with ReLUs, each a module of its own."""
    model = ECGNet().eval()
    for module in model.modules():
        if hasattr(module, "elu"):
            module.elu = nn.ReLU()
    return model


def medians(functions: dict[str, Callable], rounds: int) -> dict[str, float]:
    """Return the median processor seconds of each function; of the slow ones from fewer rounds."""
    found: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(-2, rounds):  # the first two are for warming up
        for name, function in functions.items():
            if name in RARE and turn % 5:
                continue
            start = time.process_time()
            function()
            if turn >= 0:
                found[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in found.items()}


def table(functions: dict[str, Callable], rounds: int) -> dict[str, float]:
    """Print and return the multiples of the plain gradient."""
    spent = medians(functions, rounds)
    ratios = {name: round(value / spent[PLAIN], 2) for name, value in spent.items() if name != PLAIN}
    print(f"  {PLAIN:32s}{1000 * spent[PLAIN]:8.2f} ms")
    for name, ratio in ratios.items():
        limit = f"   at most {LIMITS[name]}{'' if ratio <= LIMITS[name] else ': NOT MET'}" if name in LIMITS else ""
        print(f"  {name:32s}{ratio:8.2f}{limit}")
    return ratios


def main() -> None:
    """Run the benchmark, print the tables and save them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 16])
    parser.add_argument("--methods", nargs="+", default=list(LIMITS))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    model = ECGNet().eval()
    result = {
        "unit": "multiples of the plain gradient through the module (medians of one run)",
        "input": "(N, 12, 2000), float32, 1 thread, processor time",
        "torch": torch.__version__,
        "machine": platform.machine(),
        "rounds": options.rounds,
        "limits": LIMITS,
        "ratios": {},
        "with ReLUs": {},
    }
    for batch in options.batches:
        x = torch.randn(batch, 12, 2000)
        print(f"N = {batch}")
        result["ratios"][f"N = {batch}"] = table(ours(model, x, options.methods), options.rounds)
        print(f"N = {batch}, with ReLUs")
        result["with ReLUs"][f"N = {batch}"] = table(peers(x), options.rounds)
    options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
