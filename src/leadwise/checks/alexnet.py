"""Checks and quiz of notebook 01, Inside AlexNet."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from leadwise.checks.answers import alike, as_array, as_dict, as_function, as_map, as_number, as_numbers, expect_choice
from leadwise.checks.core import Hint, exercise
from leadwise.checks.parts import parts_of
from leadwise.inspection import feature_maps, receptive_field
from leadwise.networks.alexnet import AlexNet, load_alexnet


@exercise("alexnet", 1, "A filter of your own", expects="a filter (3, 11, 11), its map (55, 55) and a channel's number")
def own_filter(edge: object, edge_map: object, closest: object, picture: Tensor, net: AlexNet) -> str:
    """``edge`` finds vertical edges, ``edge_map`` is its map of ``picture``, ``closest`` the channel most like it."""
    own = torch.from_numpy(vertical_edges(as_map(edge, "`edge`", (3, 11, 11))))
    wanted = functional.conv2d(picture[None].double().cpu(), own[None], stride=4, padding=2)[0, 0]
    found = as_array(edge_map, "`edge_map`").squeeze()
    if found.shape != tuple(wanted.shape):
        raise Hint(f"`edge_map` has the shape {found.shape}; the network's has {tuple(wanted.shape)}: mind the stride.")
    if found.min() >= 0:
        raise Hint("`edge_map` has no negative value: leave out the ReLU, as section 2 did for `everywhere`.")
    if alike(found, wanted.numpy()) < 0.9999:
        raise Hint("`edge_map` isn't what `edge` gives on X[1]: stride 4, padding 2, no bias.")
    theirs = feature_maps(net, picture, "features.0").cpu().numpy()
    agreement = np.array([alike(found, one) for one in theirs])
    channel = as_number(closest, "`closest`")
    if channel not in range(len(agreement)):
        raise Hint(f"`closest` should be a channel of features.0: 0 to {len(agreement) - 1}.")
    if abs(agreement[int(channel)]) < np.abs(agreement).max() - 0.01:
        if channel == agreement.argmax():
            raise Hint("A filter with all signs reversed finds the same edges: compare magnitudes of the correlation.")
        raise Hint("The map of another channel of features.0, before the ReLU, correlates more with `edge_map`.")
    return "A filter is a small picture, and a bright place of its map is a place that resembles it."


def vertical_edges(edge: np.ndarray) -> np.ndarray:
    """Return a filter (3, 11, 11); raise a Hint unless it finds vertical edges of any colour, light on the left."""
    size = np.abs(edge).sum()
    left, right, top, bottom = edge[..., :5].sum(), edge[..., 6:].sum(), edge[:, :5].sum(), edge[:, 6:].sum()
    if abs(edge.sum()) > 1e-4 * size:
        raise Hint("The weights of `edge` don't add up to zero: it answers to plain bright areas, too.")
    if left < 0 < right:
        raise Hint("The sign of `edge` is reversed: the left half should be positive.")
    if not left > 0 > right:
        if top * bottom < 0:
            raise Hint("This `edge` finds horizontal edges: the last axis runs from left to right.")
        raise Hint("The left half of `edge`, columns 0 to 4, should be positive, the right half, 6 to 10, negative.")
    if (np.abs(edge).sum((1, 2)) < 0.1 * size).any():
        raise Hint("`edge` leaves out a colour; it should find edges whatever their colour.")
    return edge


AFTER = {8: "moved, by one place of features.4, with the same values", 4: "changed, for there is no half a place"}


@exercise("alexnet", 2, "A shift by the stride", expects="a dict, such as {8: 0.1, 4: 0.1}", predicts=AFTER)
def shifted_maps(difference: object, picture: Tensor, net: AlexNet) -> str:
    """``difference``: what was measured for a shift by 8 pixels, the stride, and by 4."""
    before = feature_maps(net, picture, "features.4")[:, 5:22, 5:22]
    for pixels, value in as_numbers(difference, AFTER, "`difference`").items():
        after = feature_maps(net, picture.roll(pixels, -1), "features.4")
        unshifted = float((after[:, 5:22, 5:22] - before).norm() / before.norm())
        moved = float((after[:, 5:22, 6:23] - before).norm() / before.norm())
        wanted = moved if pixels == 8 else unshifted
        if abs(value - wanted) > 0.02:
            if pixels == 8 and abs(value - unshifted) < 0.02:
                raise Hint("For 8 pixels, move the maps by one place before you compare: before.roll(1, -1).")
            if pixels == 4 and abs(value - moved) < 0.02:
                raise Hint("For 4 pixels, compare with `before` as it is: there is no half place to move it by.")
            if value > 2:
                raise Hint(
                    f"`difference[{pixels}]` is large: divide the norm of the difference by the norm of `before`."
                )
            raise Hint(f"`difference[{pixels}]` should be near {'zero' if wanted < 0.02 else 'a third to two thirds'}: "
                       "take [:, 5:22, 5:22], away from the frame, in both norms.")  # fmt: skip
    return f"The maps say: by 8 pixels {AFTER[8]}; by 4 {AFTER[4]}. A network minds small shifts."


@exercise("alexnet", 3, "A colleague's receptive field", expects="a function of layers that returns a number of pixels")
def mended_field(mended: object, net: AlexNet) -> str:
    """``mended(layers)`` -> the receptive field of the last of the layers, pixels."""
    function = as_function(mended, "`mended`")
    layers = nn.Sequential(nn.Conv2d(3, 1, 5, stride=3), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(1, 1, 3))
    wrong: dict[float, str] = {
        9: "That is still the sum of the kernels: every step in a layer is as long as all strides before it.",
        37: "A layer's own stride widens the layers above it, not itself: multiply after you have added.",
        15: "Strides multiply: a step is the product of all strides before, not the last one alone.",
    }
    found = as_number(function(layers), "the result of `mended`")
    if found in wrong:
        raise Hint(f"Kernels 5, 3, 3 with strides 3, 2, 1: `mended` says {found:g}. {wrong[found]}")
    if found != 23:  # 5 + 2 * 3 + 2 * 6
        raise Hint(f"Kernels 5, 3, 3 with strides 3, 2, 1 see 5 + 2·3 + 2·6 = 23 pixels; `mended` says {found:g}.")
    wanted = receptive_field(net, "features.11")[0]
    if as_number(function(net.features[:12]), "the result of `mended`") != wanted:
        raise Hint(f"Right for three small layers, not for net.features[:12], where the table says {wanted} pixels.")
    return "Every stride before a layer stretches its kernel over the picture."


REASONS = {
    "A": "",
    "B": "For one picture the softmax keeps the order of the logits; the question is about two pictures.",
    "C": "The steps are equally long. Compare the two formulas: what does log Σ exp add?",
}


@exercise("alexnet", 4, "Logit or log odds", expects="a dict of two pictures, 0 or 1 twice, and a letter")
def logit_or_odds(
    made: object, higher_logit: object, higher_odds: object, because: object, net: AlexNet, target: int
) -> str:
    """``made[contrast]`` is a picture; which contrast reached the higher logit and log odds, and why they differ."""
    each = as_dict(made, (0, 1), "`made`")
    pictures = np.stack([as_map(one, f"`made[{key}]`", (3, 224, 224)) for key, one in each.items()])
    logits = feature_maps(net, torch.from_numpy(pictures).float(), "classifier.6").double().cpu()
    own = logits[:, target].clone()
    logits[:, target] = -torch.inf
    odds = own - logits.logsumexp(1)
    if np.allclose(pictures[0], pictures[1]):
        raise Hint("Both pictures are the same: one is made with contrast=0, the other with contrast=1.")
    if odds.max() < 0:
        raise Hint("Neither picture is of the class `target`: was target=target given?")
    for name, answer, values in (("higher_logit", higher_logit, own), ("higher_odds", higher_odds, odds)):
        value = as_number(answer, f"`{name}`")
        if value not in (0, 1):
            raise Hint(f"`{name}` should be the contrast, 0 or 1, of the picture that reached more.")
        if values[int(value)] < values.max():
            raise Hint(f"`{name}`: the other picture reaches more. Print both values for both pictures.")
    expect_choice(because, REASONS, "`because`")
    return (
        "The logit never asks what the others get from the same picture; the log odds do. An ascent of 32 steps need "
        "not win by its own measure."
    )


@exercise(
    "alexnet", 5, "Does another network agree?", expects='two dicts with "none" and "all": pictures, and two counts'
)
def second_opinion(pictures: object, recognised: object) -> str:
    """``pictures[name]`` (12, 3, 224, 224) made with the embedded network; how many both networks recognise."""
    networks = [load_alexnet(name) for name in ("embedded", "clever hans")]
    classes = torch.arange(len(networks[0].class_names))
    shape = (len(classes), 3, 224, 224)
    synthesised = {
        name: torch.from_numpy(as_array(given, f"`pictures[{name!r}]`", shape)).float()
        for name, given in as_dict(pictures, ("none", "all"), "`pictures`").items()
    }
    detail = {name: float(made.diff(dim=-1).std() / made.std()) for name, made in synthesised.items()}
    if detail["none"] == detail["all"]:
        raise Hint('Both are the same pictures: "none" is made with the options OFF, "all" without options.')
    if detail["none"] < detail["all"]:
        raise Hint('The pictures of "all" have more fine detail than those of "none": are the two exchanged?')
    known = as_dict(recognised, synthesised, "`recognised`")
    for name, made in synthesised.items():
        counts = [int((feature_maps(one, made, "classifier.6").argmax(1).cpu() == classes).sum()) for one in networks]
        if counts[0] < len(classes) / 2:
            raise Hint(
                f"{name}: the first network knows {counts[0]} of its own pictures: one for each class, in order?"
            )
        found = as_array(known[name], f"`recognised[{name!r}]`", (2,)).tolist()
        if found == counts[::-1] != counts:
            raise Hint(f"{name}: the two counts are exchanged: the first network's comes first.")
        if max(found) <= 1 < max(counts):
            raise Hint(f"{name}: these are shares or a single picture's; count pictures, of {len(classes)}.")
        if found != counts:
            raise Hint(f"{name}: compare the most probable class of picture i with i, and count, for each network.")
    return "What a second network does not recognise was the first one's habit, not the class."


quiz, progress, think_first = parts_of("alexnet")
