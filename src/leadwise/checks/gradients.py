"""Checks and quiz of notebook 02, Gradients and paths."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

import leadwise
from leadwise.checks.answers import (
    as_array,
    as_dict,
    as_function,
    as_map,
    as_number,
    as_numbers,
    as_sort,
    expect_choice,
    recognise,
)
from leadwise.checks.core import Hint, exercise
from leadwise.checks.parts import parts_of
from leadwise.evaluation import relevance_mass
from leadwise.images.scenes import Scene, make_scene
from leadwise.networks.alexnet import AlexNet, normalise, preprocess
from leadwise.plotting import percent

STILL = {  # method -> what it is without noise, or from the picture itself, and why
    "smoothgrad": ("gradient", "without noise all 50 copies are the picture"),
    "vargrad": ("zero", "equal gradients have no variance"),
    "integrated_gradients": ("zero", "the factor x - x' is 0"),
}
SETTING = {"smoothgrad": "noise=0", "vargrad": "noise=0", "integrated_gradients": "baseline=x"}


@exercise(
    "gradients",
    1,
    "Nothing to average",
    expects="a dict with smoothgrad, vargrad and integrated_gradients",
    predicts=("smoothgrad", "vargrad", "integrated_gradients"),
)
def still(maps_of: object, network: AlexNet, x: Tensor, target: int) -> str:
    """``maps_of[method]``: the map (3, 224, 224) without noise, or without a way."""
    gradient = leadwise.attribute(network, x, "gradient", target=target).double().cpu().numpy()
    for method, given in as_dict(maps_of, STILL, "`maps_of`").items():
        kind = STILL[method][0]
        wanted = gradient if kind == "gradient" else np.zeros_like(gradient)
        found = as_map(given, f"`maps_of[{method!r}]`", gradient.shape)
        if np.abs(found - wanted).max() > 1e-3 * np.abs(gradient).max():
            if kind == "gradient" and np.allclose(found, np.abs(gradient), atol=1e-3):
                raise Hint("`maps_of['smoothgrad']` has lost its sign.")
            raise Hint(f"`maps_of[{method!r}]` is not what {SETTING[method]} gives for the class 'cat'.")
    said = "; ".join(f"{method} is {kind}, since {why}" for method, (kind, why) in STILL.items())
    return f"The maps say: {said}."


@exercise(
    "gradients", 2, "A colleague's integrated gradients", expects="a function of network, x, target, baseline, steps"
)
def mended_path(mended: object) -> str:
    """``mended(network, x, target, baseline, steps)`` -> integrated gradients, tried where a closed form is known."""
    function = as_function(mended, "`mended`")
    weight, x, baseline = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(0)).unbind()
    found = as_array(function(Power(weight, 1), x, 0, baseline, 16), "the result of `mended`")
    if found.shape != (3, 4, 4):
        raise Hint(f"For x of (3, 4, 4) `mended` returns {found.shape}.")
    wrong = {
        "The factor before the integral is still x. What does the formula of section 6 say?": x * weight,
        "The sign is reversed: it is the picture less the baseline.": (baseline - x) * weight,
        "The factor before the integral is missing.": weight,
        "The factor is |x - baseline|: it has lost its sign.": (x - baseline).abs() * weight,
    }
    otherwise = "For a linear f = w·x the map should be (x - baseline) w; test completeness with a small example."
    recognise(found, (x - baseline) * weight, wrong, otherwise)
    found = as_array(function(Power(weight, 2), x, 0, baseline, 512), "the result of `mended`")  # fine for any sum
    if np.allclose(found, 2 * (x - baseline) * x * weight, atol=1e-4):
        raise Hint("The gradient is that at the picture alone; it should be the mean over the path.")
    if not np.allclose(found, (x**2 - baseline**2) * weight, atol=0.02 * float((x**2).max())):
        raise Hint("Right for a linear function, not for f = w·x²: the path should run from the baseline to x.")
    return "Completeness finds it at once, but only from a baseline other than zero: there x and x - x' differ."


class Power(nn.Module):
    """A network whose logits are the sums of w x ** n and of x ** n: integrated gradients have a closed form."""

    def __init__(self, weight: Tensor, power: int):
        super().__init__()
        self.sums, self.power = nn.Conv2d(3, 2, 4, bias=False), power
        self.sums.weight.data = torch.stack([weight, torch.ones_like(weight)])

    def forward(self, x: Tensor) -> Tensor:
        """Return the two sums of a picture (3, 4, 4) or a batch of them."""
        return self.sums(x**self.power).flatten(-3)


@exercise(
    "gradients", 3, "A mean over baselines", expects="a function of network, x, target, a list of baselines, and steps"
)
def mean_over_baselines(over: object) -> str:
    """``over(network, x, target, baselines, steps)`` -> the mean of the maps, tried where a closed form is known."""
    function = as_function(over, "`over`")
    weight, x, *baselines = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(1)).unbind()
    found = as_array(function(Power(weight, 2), x, 0, baselines, 512), "the result of `over`")
    if found.shape != (3, 4, 4):
        raise Hint(f"For x of (3, 4, 4) and a list of three baselines `over` returns {found.shape}.")
    each = torch.stack([(x**2 - baseline**2) * weight for baseline in baselines])
    middle = torch.stack(baselines).mean(0)
    wrong = {
        "That is the sum of the maps; divide by how many there are.": each.sum(0),
        "That is the map from the mean of the baselines: another question, for f bends on the way.": (
            (x**2 - middle**2) * weight
        ),
        "That is the map from the first baseline alone.": each[0],
        "That is the map from the last baseline alone.": each[-1],
    }
    otherwise = "For f = w·x² it should be the mean of w (x² - x'²) over the baselines x'."
    recognise(found, each.mean(0), wrong, otherwise, tolerance=0.02)
    return "Its sum is f(x) less the mean of the f(x'): a mean of complete maps is complete."


STATEMENTS = {
    "A": "A: would the fall be as large if these pixels were made grey?",
    "B": "B: what does the network lose where these pixels are made white?",
    "C": "",
}


@exercise("gradients", 4, "The dark parts", expects='a dict with "black" and "white", and a letter')
def dark_parts(falls: object, statement: object, network: AlexNet, scene: Scene, target: int) -> str:
    """``falls[name]``: by how much the logit falls where the darkest tenth is replaced; what follows for a sentence."""
    brightness = torch.tensor(scene.image).float().mean(-1)
    dark = brightness <= brightness.quantile(0.1)
    x, wanted, turned = preprocess(scene.image), {}, {}
    for name, value in (("black", 0), ("white", 255)):
        plain = normalise(torch.full((3, *dark.shape), value, dtype=torch.uint8))
        with torch.no_grad():
            logit, other, kept = (
                float(network(one)[target]) for one in (x, torch.where(dark, plain, x), torch.where(dark, x, plain))
            )
        wanted[name], turned[name] = logit - other, logit - kept
    recognise(
        list(as_numbers(falls, wanted, "`falls`").values()),
        list(wanted.values()),
        {
            "These are f of the changed scene less f(x); a fall is the other way round.": [-v for v in wanted.values()],
            "All but the darkest tenth was replaced: `torch.where(dark, baseline, x)`.": list(turned.values()),
        },
        "Take `dark` of section 7, the two `baselines`, and the logit of the cat: f(x) less f of the changed scene.",
        tolerance=0.01,
    )
    expect_choice(statement, STATEMENTS, "`statement`")
    return f"Made black they cost {wanted['black']:.2f}, made white {wanted['white']:.2f}: name the baseline."


SEEDS = 0.03  # by which shares may differ with the random numbers; measured: 0.015 at most


@exercise("gradients", 5, "The best σ", expects="a dict of shares, a σ, and a share")
def best_noise(tried: object, best: object, fresh: object, network: AlexNet, scenes: Sequence[Scene]) -> str:
    """``tried[noise]``: mean share on the object; ``best``: the noise chosen; ``fresh``: its share on other scenes."""
    given = as_sort(tried, dict, "`tried`", "a dict: σ -> mean share")
    shares = {as_number(noise, "each σ"): as_number(share, "each share") for noise, share in given.items()}
    best, fresh = as_number(best, "`best`"), as_number(fresh, "`fresh`")
    if len(shares) < 3 or len(set(shares.values())) < 3:
        raise Hint("Try at least three σ in `tried`, with shares that differ.")
    if max(shares.values()) > 1 or fresh > 1 or min(*shares.values(), fresh) < 0:
        raise Hint("A share lies between 0 and 1; these may be per cent.")
    chosen = max((share for noise, share in shares.items() if np.isclose(noise, best)), default=-1)
    if chosen < max(shares.values()):
        raise Hint("`best` should be the σ with the largest share in `tried`.")
    if fresh == chosen:
        raise Hint("`fresh` is the share on the scenes that chose the σ: measure it on scenes 800 to 811.")
    if abs(chosen - share_on_first(network, scenes, best)) > SEEDS:
        raise Hint(
            f"`tried[{best:g}]` is another share than SmoothGrad has with 8 samples: explain the first object of each "
            "of SCENES, take `share` with its mask, and the mean."
        )
    if abs(fresh - share_on_first(network, [make_scene(800 + i, objects=2) for i in range(12)], best)) > SEEDS:
        raise Hint(f"`fresh` is not the share of σ = {best:g} on the scenes 800 to 811, measured as in `tried`.")
    lucky = "is likely too good" if fresh < chosen else "is likely too good, though not here"
    return f"Report {percent(fresh)}, not {percent(chosen)}: the largest of {len(shares)} {lucky}."


def share_on_first(network: AlexNet, scenes: Sequence[Scene], noise: float) -> float:
    """Return the mean share of SmoothGrad's positive relevance, 8 samples, on the first object of each scene."""
    things = [scene.objects[0] for scene in scenes]
    batch = torch.stack([preprocess(scene.image) for scene in scenes])
    target = torch.tensor([thing.index for thing in things])
    maps = leadwise.attribute(network, batch, "smoothgrad", target, samples=8, noise=noise, progress=False)
    return float(relevance_mass(maps, np.stack([thing.mask for thing in things])).mean())


quiz, progress, think_first = parts_of("gradients")
