"""Checks and quiz of notebook 02, Gradients and saliency."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import leadwise
from leadwise.checks.core import (
    Hint,
    alike,
    as_array,
    as_function,
    as_number,
    exercise,
    expect_choice,
    recognise,
    same_weights,
)
from leadwise.checks.parts import parts_of
from leadwise.evaluation import relevance_mass
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import load_alexnet, preprocess
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
    predicts=True,
)
def still(maps_of, network, x, target):
    """``maps_of[method]``: the map (3, 224, 224) without noise, or without a way."""
    gradient = leadwise.attribute(network, x, "gradient", target=target).double().cpu().numpy()
    for method, (kind, _) in STILL.items():
        wanted = gradient if kind == "gradient" else np.zeros_like(gradient)
        found = as_array(maps_of[method], f"`maps_of[{method!r}]`").reshape(-1)
        if found.size != wanted.size:
            raise Hint(f"`maps_of[{method!r}]` should have the shape (3, 224, 224), one value for each input.")
        if np.abs(found - wanted.reshape(-1)).max() > 1e-3 * np.abs(gradient).max():
            if kind == "gradient" and np.allclose(found, np.abs(gradient).reshape(-1), atol=1e-3):
                raise Hint("`maps_of['smoothgrad']` has lost its sign.")
            raise Hint(f"`maps_of[{method!r}]` is not what {SETTING[method]} gives for the class 'cat'.")
    said = "; ".join(f"{method} is {kind}, since {why}" for method, (kind, why) in STILL.items())
    return f"The maps say: {said}."


@exercise(
    "gradients", 2, "A colleague's integrated gradients", expects="a function of network, x, target, baseline, steps"
)
def mended_path(mended):
    """``mended(network, x, target, baseline, steps)`` -> integrated gradients, tried where a closed form is known."""
    function = as_function(mended, "`mended`")
    weight, x, baseline = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(0)).unbind()
    found = as_array(function(Power(weight, 1), x, 0, baseline, 16), "the result of `mended`")
    if found.shape != (3, 4, 4):
        raise Hint(f"For x of (3, 4, 4) `mended` returns {found.shape}.")
    wrong = {
        "The factor before the integral is still x. What does the formula of section 7 say?": x * weight,
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

    def __init__(self, weight, power):
        super().__init__()
        self.sums, self.power = nn.Conv2d(3, 2, 4, bias=False), power
        self.sums.weight.data = torch.stack([weight, torch.ones_like(weight)])

    def forward(self, x):
        """Return the two sums of a picture (3, 4, 4) or a batch of them."""
        return self.sums(x**self.power).flatten(-3)


LAYERS = ("features.1", "features.4", "features.7", "features.9", "features.11")


def grad_cam_counts(network, scenes) -> dict[str, int]:
    """Return for each of LAYERS in how many of 24 questions Grad-CAM finds the right one of two objects."""
    device = next(network.parameters()).device
    pictures = torch.stack([preprocess(scene.image) for scene in scenes]).to(device)
    kept, counts = [], dict.fromkeys(LAYERS, 0)
    hooks = [network.get_submodule(name).register_forward_hook(lambda m, a, out: kept.append(out)) for name in LAYERS]
    logits = network(pictures)
    for hook in hooks:
        hook.remove()
    for k in (0, 1):
        asked = [scene.objects[k].index for scene in scenes]
        grads = torch.autograd.grad(logits[range(len(scenes)), asked].sum(), kept, retain_graph=True)
        for name, maps, grad in zip(LAYERS, kept, grads, strict=True):
            cam = (grad.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True).relu().detach()
            cam = functional.interpolate(cam, size=pictures.shape[2:], mode="bilinear")[:, 0].cpu().numpy()
            on = [[cam[i][thing.mask].sum() for thing in scene.objects] for i, scene in enumerate(scenes)]
            counts[name] += sum(bool(row[k] > row[1 - k]) for row in on)
    return counts


@exercise("gradients", 3, "Grad-CAM by layer", expects='a dict such as {"features.1": 12, ...}')
def grad_cam_by_layer(correct, network, scenes):
    """``correct[layer]`` is the number of right answers, of 24."""
    missing = [name for name in LAYERS if name not in correct]
    if missing:
        raise Hint(f"`correct` lacks {', '.join(missing)}.")
    found = [as_number(correct[name], f"`correct[{name!r}]`") for name in LAYERS]
    wanted = list(grad_cam_counts(network, scenes).values())
    if max(found) <= 1:
        raise Hint("These are shares; count the right answers among the 24 questions.")
    if len(set(found)) == 1 < len(set(wanted)):
        raise Hint('All layers have the same count: is `layer=name` given to both("grad_cam", ...)?')
    if max(found) <= 12 < max(wanted):
        raise Hint("24 questions: each scene is asked for both of its objects.")
    wrong = [name for name, a, b in zip(LAYERS, found, wanted, strict=True) if abs(a - b) > 1]
    if wrong:
        raise Hint(f"Another count at {', '.join(wrong)}: `right` of section 4 says of each question if it was right.")
    return (
        "Early maps are finer, but an edge belongs to no object, and one weight for a channel can't tell whose it is."
    )


STATEMENTS = {
    "A": "A: would ears and whiskers be seen by a network that has just forgotten what a cat is?",
    "B": "",
    "C": "C: which class the features speak for was in the weights that are gone. What would a map of it do?",
}


@exercise("gradients", 4, "A network that has forgotten", expects="a network, a dict of correlations, a letter")
def forgetful_network(forgetful, correlations, statement, network, x, target):
    """``forgetful`` is ``network`` with a new last layer; ``correlations[method]`` of the maps; which claim holds."""
    if forgetful is network or not same_weights(network, load_alexnet("embedded")):
        raise Hint(
            "The notebook's own network has been changed, too: work on a deepcopy, and run the cell of section 1."
        )
    if same_weights(forgetful, network):
        raise Hint("`forgetful` still has all its weights: draw new ones for classifier[6].")
    if not same_weights(forgetful, network, "classifier.6"):
        raise Hint("`forgetful` has lost more than its last layer: leave all but classifier[6] as it was.")
    if float(forgetful.classifier[6].weight.detach().std()) == 0:
        raise Hint("The new weights of classifier[6] are all the same: draw random ones.")
    values = {name: as_number(value, f"`correlations[{name!r}]`") for name, value in correlations.items()}
    if len(values) < 3 or "guided_backprop" not in values or not set(values) <= set(leadwise.METHODS):
        raise Hint("`correlations` should hold guided_backprop and two other names of leadwise.METHODS.")
    if max(map(abs, values.values())) > 1.0001:
        raise Hint("A correlation lies between -1 and 1.")
    pair = [leadwise.attribute(one, x, "guided_backprop", target=target) for one in (network, forgetful)]
    if abs(values["guided_backprop"] - alike(*(one.sum(0).cpu() for one in pair))) > 0.05:
        raise Hint("guided_backprop: correlate the maps of `network` and `forgetful`, same picture, same class 'cat'.")
    expect_choice(statement, STATEMENTS, "`statement`")
    return "What stays when the class is forgotten was not about the class."


SEEDS = 0.03  # by which shares may differ with the random numbers; measured: 0.015 at most


@exercise("gradients", 5, "The best σ", expects="a dict of shares, a σ, and a share")
def best_noise(tried, best, fresh, network, scenes):
    """``tried[noise]``: mean share on the object; ``best``: the noise chosen; ``fresh``: its share on other scenes."""
    shares = {as_number(noise, "each σ"): as_number(share, "each share") for noise, share in tried.items()}
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


def share_on_first(network, scenes, noise: float) -> float:
    """Return the mean share of SmoothGrad's positive relevance, 8 samples, on the first object of each scene."""
    things = [scene.objects[0] for scene in scenes]
    batch = torch.stack([preprocess(scene.image) for scene in scenes])
    target = torch.tensor([thing.index for thing in things])
    maps = leadwise.attribute(network, batch, "smoothgrad", target, samples=8, noise=noise, progress=False)
    return float(relevance_mass(maps, np.stack([thing.mask for thing in things])).mean())


quiz, progress, think_first = parts_of("gradients")
