"""The course's measures beside those of quantus (Hedström et al. 2023, JMLR 24(34)), on the same maps and networks.

    python benchmarks/quantus_metrics.py        writes quantus_metrics.json beside it

Quantus brings packages that the course does not want, so it needs an environment of its own: one with quantus 0.6 and
torch, and ``src`` on PYTHONPATH. Both get the same maps, the same random weights and the same noise, so that what is
left is the formula. Where the two differ by design, the script makes quantus do as the course does, and says so:

- sparseness: quantus adds 1e-7 to each value before it takes the Gini index; so maps here are large against that.
- sMPRT: the course draws the same noise for every network, and so, here, does quantus, which else goes on drawing.
  Quantus 0.6 does not hand its ``explain_func`` on there and explains by the gradient, whatever was asked; so is
  done here.
- ROAD: quantus scores the share of right answers, the course the curve of the logit; compared is the filling.
- eMPRT: quantus chooses the number of bins from the maps; the course takes 100, as the paper does.
"""

import json
import warnings
from itertools import cycle
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch import nn

from leadwise import attribute, compat
from leadwise.evaluation import (
    RANDOMISERS,
    complexity,
    efficient_randomisation,
    impute,
    sparseness,
    weight_randomisation,
    weighted_layers,
)

compat.ensure_torchvision()
import quantus  # noqa: E402

warnings.simplefilter("ignore")
SEED, COPIES, NOISE = 42, 4, 0.1


def network() -> nn.Module:
    """Return a small network of pictures (N, 1, 16, 16) with weights from a seed."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 4, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(196, 3),
    ).eval()


def explain(model, inputs, targets, **_) -> np.ndarray:
    """Explain as quantus asks for it."""
    x, target = torch.as_tensor(np.asarray(inputs), dtype=torch.float32), torch.as_tensor(np.asarray(targets))
    return attribute(model, x, "gradient_x_input", target, progress=False).numpy()


def same_weights(layer: nn.Module, generator) -> None:
    """Randomise a layer as quantus does."""
    torch.manual_seed(SEED + 1)
    layer.reset_parameters()


def complexity_and_sparseness(maps: np.ndarray, x: np.ndarray, y: np.ndarray, model) -> dict[str, float]:
    """Return the largest difference of both."""
    how = {"model": model, "x_batch": x, "y_batch": y, "a_batch": maps, "channel_first": True}
    options = {"abs": True, "normalise": False, "disable_warnings": True}
    theirs = quantus.Complexity(**options)(**how), quantus.Sparseness(**options)(**how)
    mine = complexity(maps), sparseness(maps)
    return {
        name: float(np.abs(np.array(one) - other).max())
        for name, one, other in zip(("complexity", "sparseness"), theirs, mine, strict=True)
    }


def randomisation(x: np.ndarray, y: np.ndarray, model) -> dict[str, float]:
    """Return the largest difference of eMPRT's scores, and of sMPRT's correlations over layers and samples."""
    how = {"model": model, "x_batch": x, "y_batch": y, "explain_func": explain, "channel_first": True, "softmax": False}
    common = {"seed": SEED, "abs": False, "normalise": False, "disable_warnings": True}
    RANDOMISERS["quantus"] = same_weights
    inputs, target = torch.from_numpy(x), torch.from_numpy(y)
    theirs = quantus.EfficientMPRT(complexity_func_kwargs={"n_bins": 100}, **common)(**how | {"softmax": True})
    mine = efficient_randomisation(model, inputs, "gradient_x_input", target, how="quantus")
    found = {"eMPRT": float(np.abs(np.array(theirs) - mine).max())}

    generator = torch.Generator().manual_seed(0)
    draws = cycle([torch.randn(x.shape, generator=generator).numpy() for _ in range(COPIES - 1)])
    metric = quantus.SmoothMPRT(
        nr_samples=COPIES, noise_magnitude=NOISE, layer_order="bottom_up", skip_layers=False,
        return_average_correlation=False, return_last_correlation=False, **common,
    )  # fmt: skip
    with patch.object(np.random, "randn", lambda *_: next(draws)):
        theirs = {name: scores for name, scores in metric(**how).items() if name != "original"}
    mine = weight_randomisation(
        model, inputs, "gradient", target, how="quantus", smooth=COPIES, noise=NOISE,
        layers=weighted_layers(model)[::-1], progress=False,
    )  # fmt: skip
    assert list(theirs) == list(mine.layers)
    return found | {"sMPRT": float(np.abs(np.array(list(theirs.values())) - mine.signed).max())}


def filling(x: np.ndarray) -> dict[str, float]:
    """Return the largest difference of ROAD's filling, of holes that reach the edges."""
    from quantus.functions.perturb_func import noisy_linear_imputation

    rng, worst = np.random.default_rng(0), 0.0
    for share in (0.05, 0.3, 0.7, 0.95):
        for picture in x.astype(np.float64):
            gone = rng.random(picture.shape[1:]) < share
            theirs = noisy_linear_imputation(picture, np.flatnonzero(gone), noise=0.0)
            mine = impute(torch.from_numpy(picture), torch.from_numpy(np.broadcast_to(gone, picture.shape).copy()))
            worst = max(worst, float(np.abs(theirs - mine.numpy()).max()))
    return {"ROAD, filling": worst}


def main() -> None:
    """Compare, print and save."""
    model = network()
    x = torch.randn(5, 1, 16, 16, generator=torch.Generator().manual_seed(1)).numpy()
    y = np.array([0, 1, 2, 0, 1])
    maps = 1000 * explain(model, x, y)
    found = complexity_and_sparseness(maps, x, y, model) | randomisation(x, y, model) | filling(x)
    for name, difference in found.items():
        print(f"{name:16s} largest difference {difference:.1e}")
    facts = {"quantus": quantus.__version__, "torch": torch.__version__, "largest difference": found}
    Path(__file__).with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
