"""Checks and quiz of notebook 03, Which class?"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

import leadwise
from leadwise.checks.answers import (
    alike,
    as_array,
    as_function,
    as_numbers,
    as_sort,
    expect_choice,
    near,
    recognise,
    same_weights,
)
from leadwise.checks.core import Hint, exercise
from leadwise.checks.parts import parts_of
from leadwise.images.scenes import Scene
from leadwise.networks.alexnet import AlexNet, load_alexnet, preprocess

ABSENT = {"guided_backprop": {}, "integrated_gradients": {"steps": 16}, "grad_cam": {}}
STAYS = 0.5  # a map that correlates by more stays nearly as it was


@exercise("which_class", 1, "A class that is not there", expects="a dict of three correlations", predicts=ABSENT)
def absent_class(absent: object, network: AlexNet, x: Tensor, cat: int, dog: int) -> str:
    """``absent[method]``: the correlation of the maps of the cat and of a dog that is not in the scene."""
    found = as_numbers(absent, ABSENT, "`absent`")
    if max(map(abs, found.values())) > 1.0001:
        raise Hint("A correlation lies between -1 and 1.")
    wanted = {}
    for name, settings in ABSENT.items():
        pair = [leadwise.attribute(network, x, name, target=which, **settings) for which in (cat, dog)]
        wanted[name] = alike(*(one.sum(0).cpu() for one in pair))
        if abs(found[name] - wanted[name]) > 0.03:
            if near(found[name], alike(*(one.sum(0).abs().cpu() for one in pair)), 0.01):
                raise Hint(f"{name}: these maps have lost their sign.")
            raise Hint(f"{name}: another correlation; compare ask(name, cat) with ask(name, dog).")
    said = [f"{name} {'stays' if value > STAYS else 'changes'} ({value:.2f})" for name, value in wanted.items()]
    return f"The maps say: {', '.join(said)}. What is drawn for a dog that is not there was not drawn for a class."


@exercise("which_class", 2, "A colleague's Grad-CAM", expects="a function of network, x, target, layer")
def mended_grad_cam(mended: object, network: AlexNet, x: Tensor, targets: Sequence[int]) -> str:
    """``mended(network, x, target, layer)`` -> Grad-CAM at the layer's resolution, for two classes."""
    function, layer = as_function(mended, "`mended`"), network.features[11]
    found, wanted, plain = [], [], []
    for target in targets:
        found.append(np.squeeze(as_array(function(network, x, target, layer), "the result of `mended`")))
        plain.append(weighted_maps(network, x, target).numpy())
        wanted.append(plain[-1].clip(min=0))
    if found[0].shape != wanted[0].shape:
        raise Hint(f"The result should have the shape {wanted[0].shape} of the layer's maps; it has {found[0].shape}.")
    if np.array_equal(found[0], found[1]):
        raise Hint("Still the same map for both questions: which logit is explained?")
    scaled = [one / one.max() for one in wanted]
    wrong = {
        "The ReLU at the end is gone: keep what is positive.": np.stack(plain),
        "The two questions are exchanged.": np.stack(wanted[::-1]),
        "These maps are scaled to 1; give them as the formula has them.": np.stack(scaled),
    }
    otherwise = "For each class it should be ReLU(Σ w A), with w the mean gradient of that class's logit."
    recognise(np.stack(found), np.stack(wanted), wrong, otherwise, tolerance=1e-3)
    return "One map for each question. With one object in the picture nobody would have noticed."


def weighted_maps(network: AlexNet, x: Tensor, target: int) -> Tensor:
    """Return the last feature maps of a picture, each times its mean gradient, added up: (h, w)."""
    with torch.enable_grad():
        maps = network.features[:12](x[None]).detach().requires_grad_()
        logit = network.classifier(network.avgpool(network.features[12:](maps)).flatten(1))[0, target]
        (grad,) = torch.autograd.grad(logit, maps)
    return (grad.mean((2, 3), keepdim=True) * maps).sum(1)[0].detach().cpu().double()


LAYERS = ("features.1", "features.4", "features.7", "features.9", "features.11")


def grad_cam_counts(network: AlexNet, scenes: Sequence[Scene]) -> dict[str, int]:
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


@exercise("which_class", 3, "Grad-CAM by layer", expects='a dict such as {"features.1": 12, ...}')
def grad_cam_by_layer(correct: object, network: AlexNet, scenes: Sequence[Scene]) -> str:
    """``correct[layer]`` is the number of right answers, of 24."""
    found = list(as_numbers(correct, LAYERS, "`correct`").values())
    wanted = list(grad_cam_counts(network, scenes).values())
    if max(found) <= 1:
        raise Hint("These are shares; count the right answers among the 24 questions.")
    if len(set(found)) == 1 < len(set(wanted)):
        raise Hint('All layers have the same count: is `layer=name` given to both("grad_cam", ...)?')
    if max(found) <= 12 < max(wanted):
        raise Hint("24 questions: each scene is asked for both of its objects.")
    wrong = [name for name, a, b in zip(LAYERS, found, wanted, strict=True) if abs(a - b) >= 0.5]
    if wrong:
        raise Hint(f"Another count at {', '.join(wrong)}: `right` of section 2 says of each question if it was right.")
    return (
        "Early maps are finer, but an edge belongs to no object, and one weight for a channel can't tell whose it is."
    )


STATEMENTS = {
    "A": "A: would ears and whiskers be seen by a network that has just forgotten what a cat is?",
    "B": "",
    "C": "C: which class the features speak for was in the weights that are gone. What would a map of it do?",
}


@exercise("which_class", 4, "A network that has forgotten", expects="a network, a dict of correlations, a letter")
def forgetful_network(
    forgetful: object, correlations: object, statement: object, network: AlexNet, x: Tensor, target: int
) -> str:
    """``forgetful`` is ``network`` with a new last layer; ``correlations[method]`` of the maps; which claim holds."""
    forgetful = as_sort(forgetful, AlexNet, "`forgetful`", "a network like `network`")
    if forgetful is network or not same_weights(network, load_alexnet("embedded")):
        raise Hint(
            "The notebook's own network has been changed, too: work on a deepcopy, and run the cell of section 1."
        )
    if same_weights(forgetful, network):
        raise Hint("`forgetful` still has all its weights: draw new ones for classifier[6].")
    if not same_weights(forgetful, network, "classifier.6"):
        raise Hint("`forgetful` has lost more than its last layer: leave all but classifier[6] as it was.")
    if float(forgetful.state_dict()["classifier.6.weight"].std()) == 0:
        raise Hint("The new weights of classifier[6] are all the same: draw random ones.")
    given = as_sort(correlations, dict, "`correlations`", "a dict: method -> correlation")
    values = as_numbers(given, given, "`correlations`")
    if len(values) < 3 or "guided_backprop" not in values or not set(values) <= set(leadwise.METHODS):
        raise Hint("`correlations` should hold guided_backprop and two other names of leadwise.METHODS.")
    if max(map(abs, values.values())) > 1.0001:
        raise Hint("A correlation lies between -1 and 1.")
    for name in filter(is_certain, values):
        pair = [leadwise.attribute(one, x, name, target=target) for one in (network, forgetful)]
        slack = 0.25 if name == "integrated_gradients" else 0.05  # 8 to 300 steps give -0.29 to 0.07
        if abs(values[name] - alike(*(one.sum(0).cpu() for one in pair))) > slack:
            raise Hint(f"{name}: correlate the maps of `network` and `forgetful`, same picture, same class 'cat'.")
    expect_choice(statement, STATEMENTS, "`statement`")
    return "What stays when the class is forgotten was not about the class."


def is_certain(name: str) -> bool:
    """Say whether a method draws no samples and hides no parts: its map is soon made, and the same for everyone."""
    row = leadwise.METHODS[name]
    return row.family != "perturbation" and "samples" not in {parameter.name for parameter in row.parameters}


quiz, progress, think_first = parts_of("which_class")
