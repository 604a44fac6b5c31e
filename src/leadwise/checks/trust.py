"""Notebook 06, Can you trust it?: its checks and its quiz."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from leadwise import evaluation
from leadwise.attribution import METHODS, attribute, caveat
from leadwise.checks.answers import (
    as_array,
    as_choice,
    as_dict,
    as_function,
    as_list,
    as_number,
    as_numbers,
    as_sort,
    expect_choice,
    recognise,
    same_weights,
)
from leadwise.checks.core import Hint, exercise
from leadwise.checks.parts import parts_of
from leadwise.networks.ecg_net import ECGNet
from leadwise.training import initialise

ORDERS = ("morf", "lerf", "random")


@exercise(
    "trust", 1, "relevance mass", expects="a function my_mass(relevance, mask) that returns one number for each map"
)
def mass_by_hand(my_mass: object) -> str:
    """Compare with the definition on random maps, and with the usual other shares."""
    my_mass = as_function(my_mass, "my_mass")
    rng = np.random.default_rng(51)
    maps = rng.normal(size=(3, 12, 50))
    inside = rng.random((3, 12, 50)) < np.array([0.1, 0.4, 0.7])[:, None, None]
    found = as_array(_called(my_mass, maps, inside), "my_mass(relevance, mask)")
    positive = np.maximum(maps, 0)
    mass = _share(positive, inside)
    if found.shape != (3,):
        raise Hint(f"Three maps make three numbers; this has the shape {found.shape}. Sum over leads and time only.")
    wrong = {
        "This is the share of the absolute relevance: evidence against counts as well.": _share(np.abs(maps), inside),
        "Here evidence against is subtracted. Cut the negative part off before you sum.": _share(maps, inside),
        "This is what lies outside of the mask.": _share(positive, ~inside),
        "This is the mass in multiples of the area: a good number, but not the mass.": mass / inside.mean((1, 2)),
        "Divide by all positive relevance, not by the mask's size.": (
            (positive * inside).sum((1, 2)) / inside.sum((1, 2))
        ),
    }
    otherwise = "Not the share of the positive relevance that lies inside: the formula stands in section 1."
    recognise(found, mass, wrong, otherwise)
    return "A share of the positive relevance: 0 to 1, and the area share for a map that knows nothing."


def _called(my_mass: Callable, maps: np.ndarray, inside: np.ndarray) -> object:
    """Call a function in the form of the notebook, tensors with a mask of numpy; else with both of one kind."""
    forms = ((torch.tensor(maps), inside), (maps, inside), (torch.tensor(maps), torch.tensor(inside)))
    for form in forms[:-1]:
        try:
            return my_mass(*form)
        except (TypeError, AttributeError):
            continue
    return my_mass(*forms[-1])


def _share(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    return (values * inside).sum((1, 2)) / values.sum((1, 2))


@exercise("trust", 2, "three orders of deletion", expects="a list of shares and a list of three orders", predicts=True)
def orders_of_deletion(meet: object, highest_first: object) -> str:
    """The curves meet where nothing and where everything is replaced; between, the order decides."""
    shares = {round(float(share), 3) for share in as_array(meet, "meet").ravel()}
    if shares == {0.0}:
        raise Hint("They begin together, at the recording. Where else has the order no say any more?")
    if shares == {1.0}:
        raise Hint("They end together, at the replacement. Where else are all three the same input?")
    if shares != {0.0, 1.0}:
        raise Hint("`meet` lists shares from 0 to 1 at which the input must be the same whatever the order is.")
    each = f"each of {', '.join(ORDERS)} once"
    orders = [
        as_choice(order, ORDERS, "each order") for order in as_list(highest_first, "`highest_first`", each, object)
    ]
    if sorted(orders) != sorted(ORDERS):
        raise Hint(f"`highest_first` should hold {each}.")
    if orders[0] == "morf":
        raise Hint("Most relevant first takes the evidence away at once. Does that keep the logit high?")
    if orders[1] != "random":
        raise Hint("A random order takes away a bit of everything, sooner than the one and later than the other.")
    return "So it is for a map that is right: lerf above random above morf. How far apart is what deletion measures."


@exercise("trust", 3, "a map whose zero moved", expects="a function mended(network, x)")
def zero_stays_zero(mended: object) -> str:
    """A mended map is a positive multiple of LRP-ε, for the batch or each recording, with 1 as largest magnitude."""
    mended = as_function(mended, "mended")
    network = initialise(ECGNet("LBBB"), 5).eval()
    network.output.weight.data.neg_()  # it turns all maps around, so that the largest magnitude is a negative sample's
    x = 0.3 * torch.randn(2, 12, 2000, generator=torch.Generator().manual_seed(6))
    R = as_array(attribute(network, x, "lrp_epsilon", target=1, progress=False), "the map")
    found = as_array(mended(network, x), "mended(network, x)", R.shape)
    if found.min() >= 0 and found.any():
        raise Hint(_why_no_sign(found, R))
    if not _multiples(found, R):
        if _multiples(found.reshape(24, -1), R.reshape(24, -1)):
            raise Hint("Each lead has a factor of its own, so leads no longer compare: one factor for the whole map.")
        raise Hint("Not a multiple of the LRP-ε map: where the relevance is 0, is the mended map 0 as well?")
    largest = np.abs(found).max()
    if abs(largest - 1) > 1e-3:
        advice = "Divide by the largest magnitude, which may belong to a negative sample."
        raise Hint(f"Zero stays where it was, but the largest magnitude is {largest:.3g} and should be 1. {advice}")
    return "One positive factor: zero, sign and the proportions of the map are kept."


def _why_no_sign(found: np.ndarray, R: np.ndarray) -> str:
    if _multiples(found, np.abs(R)):
        return "These are magnitudes: zero is in its place again, but the sign got lost on the way."
    if _multiples(found, np.maximum(R, 0)):
        return "Cutting at zero leaves it in its place, and throws the evidence against away. Keep it."
    return "Nothing is negative any more: the minimum still becomes 0, and what was 0 a positive number."


def _multiples(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Say whether each row is a positive multiple of the wanted one."""
    found, wanted = found.reshape(len(found), -1), wanted.reshape(len(wanted), -1)
    factor = ((found * wanted).sum(1) / (wanted**2).sum(1))[:, None]
    off, largest = np.abs(found - factor * wanted).max(1), np.abs(wanted).max(1)
    return bool((factor > 0).all() and (off < 1e-3 * factor[:, 0] * largest).all())


@exercise(
    "trust", 4, "labels learned by heart", expects="a network, its accuracy from 0 to 1, and a dict: method -> number"
)
def learned_by_heart(by_heart: object, accuracy: object, alike: object, *, trained: ECGNet, x: Tensor) -> str:
    """The network must have learned its labels; the correlations are recomputed with it."""
    accuracy = as_number(accuracy, "accuracy")
    if accuracy > 1:
        raise Hint("The accuracy is a share, from 0 to 1.")
    wanted = "the network, the first of the pair that train_on_random_labels returns"
    by_heart = as_sort(by_heart, nn.Module, "`by_heart`", wanted)
    if same_weights(by_heart, trained):
        raise Hint("`by_heart` is the network that was trained on the true labels.")
    if accuracy < 0.95:
        state = "about what guessing reaches" if accuracy < 0.65 else "part of the way"
        raise Hint(f"An accuracy of {accuracy:.2f} is {state}; 0.95 is asked for. Use fewer recordings or more epochs.")
    for method, value in as_numbers(alike, ("gradient", "lrp_epsilon"), "`alike`").items():
        found = evaluation.label_randomisation(trained, by_heart, x, method, 1)
        if abs(value - found.signed.mean()) > 0.02:
            if abs(value - found.absolute.mean()) < 0.02:
                raise Hint(f"alike[{method!r}] is the correlation of the magnitudes; take the mean of `signed`.")
            raise Hint(f"alike[{method!r}] is {value:.2f}; with this network label_randomisation gives another mean.")
    return "This network knows its labels, so the comparison says something: what is alike can't come from the finding."


REPLIES = {
    "a": "The recordings have no part in it: look at what guided backpropagation changes, and in which layers.",
    "b": "",
    "c": "The network did forget: other maps changed. Compare the two scores digit by digit.",
}


@exercise("trust", 5, "a method under another name", expects='"a", "b" or "c", and a list of methods')
def under_another_name(reply: object, affected: object, *, network: ECGNet) -> str:
    """Which statement answers the claim, and which methods carry a caveat on this network."""
    expect_choice(reply, REPLIES, "reply")
    parts = [affected] if isinstance(affected, str) else affected
    named = set(as_list(parts, "`affected`", "keys of leadwise.METHODS", str))
    if named - set(METHODS):
        raise Hint(f"{', '.join(sorted(named - set(METHODS)))}: not among the keys of leadwise.METHODS.")
    wanted = {method for method in METHODS if caveat(method, network)}
    if wanted - named:
        raise Hint(f"{len(wanted - named)} more: ask caveat(method, network) for every key of leadwise.METHODS.")
    if named - wanted:
        raise Hint(f"{', '.join(sorted(named - wanted))}: caveat returns nothing for it on the ECG network.")
    return "What passed the test is the gradient. A sanity check judges a method on one network, not its name."


@exercise(
    "trust", 6, "an audit", expects="a function audit(network, group, method) that returns a dict of four numbers"
)
def audited(audit: object, *, network: ECGNet, group: Any) -> str:  # the notebook has a dataclass of its own
    """Two answers are known for a random map, and one for a patient as the twin; others are compared for LRP-ε."""
    audit = as_function(audit, "audit")
    one = replace(group, x=group.x[:1], cause=group.cause[:1], without=group.without[:1], beats=group.beats[:1])
    by_chance = _four_numbers(audit(network, one, "random"))
    if not 0.9 < by_chance["mass"] < 1.1:
        raise Hint(
            f"A random map gets a mass of {by_chance['mass']:.2f} and should get 1: divide it by the area of the cause."
        )
    if not 1.2 < by_chance["sensitivity"] < 1.6:
        raise Hint(
            f"A random map gets a sensitivity of {by_chance['sensitivity']:.2f}; drawn anew each time it has about √2."
        )
    found = _four_numbers(audit(network, one, "lrp_epsilon"))
    score = evaluation.weight_randomisation(network, one.x, "lrp_epsilon", 1, progress=False).sanity_score
    if abs(found["sanity"] - score) > 0.15:
        if abs(1 - found["sanity"] - score) < 0.15:
            raise Hint("`sanity` is turned around: the sanity score is high where the map forgets with the network.")
        raise Hint(f"`sanity` is {found['sanity']:.2f} for LRP-ε; weight_randomisation has another sanity_score.")
    if found["deletion"] <= 0:
        raise Hint(
            "`deletion` of LRP-ε is not above 0. Take the random order's area minus the map's, for the same logit."
        )
    unchanged = _four_numbers(audit(network, replace(one, without=one.x), "lrp_epsilon"))["deletion"]
    if abs(unchanged) > 0.01 * found["deletion"]:
        raise Hint(
            f"With the patient as the healthy twin `deletion` should be 0, for nothing is taken away; it is "
            f'{unchanged:.2f}. Is the `replacement` "counterfactual" and the `reference` group.without, in both curves?'
        )
    return "It gives chance what chance deserves, and a map that found something more."


def _four_numbers(answer: object) -> dict[str, float]:
    names = ("sanity", "mass", "deletion", "sensitivity")
    found = as_dict(answer, names, "What audit returns")
    return {name: float(as_array(value, name).mean()) for name, value in found.items()}


quiz, progress, think_first = parts_of("trust")
