"""Checks and quiz of notebook 13, Your own network, a module with a note, and maps that others say they made."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from leadwise.attribution import attribute, receipt
from leadwise.checks.answers import (
    as_array,
    as_choice,
    as_dict,
    as_function,
    as_number,
    as_numbers,
    as_sort,
    expect_each,
    recognise,
)
from leadwise.checks.core import Hint, exercise
from leadwise.checks.parts import parts_of
from leadwise.networks.ecg_net import ECGNet
from leadwise.networks.network import Network
from leadwise.semantics import Parts, contrast, interventions, misplaced


class Stranger(nn.Module):
    """(N, T, 3) -> a dict: under "scores" two logits, under "features" what they are made of."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Conv1d(3, 6, 25, stride=5), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return scores and features."""
        features = torch.relu(self.body(x.transpose(1, 2))).mean(-1)
        return {"features": features, "scores": self.head(features)}


def stranger() -> nn.Module:
    """Return the module of exercise 1, with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(12)
        return Stranger().eval()


# Field -> what the note says, and what to say of anything else.
NOTE = {
    "leads": (("V1", "II", "V5"), "the leads come in the order of the note: V1, II, V5."),
    "fs": (250, "the note names the sampling rate."),
    "samples": (1000, "4 s at 250 Hz are so many samples: multiply."),
    "classes": (("sinus rhythm", "AF"), 'the note names two classes: ("sinus rhythm", "AF"), in this order.'),
    "outputs": ("classes", "the two exclude each other: a softmax, not two sigmoids."),
    "layout": ("NTC", "(N, T, leads) has time before leads; section 1 names the layouts."),
}


@exercise("own_network", 1, "A module with a note", expects="a Network")
def described(mine: object, *, module: nn.Module) -> str:
    """Whether ``mine`` says all that the note says."""
    mine = as_sort(mine, Network, "`mine`", "a leadwise.Network")
    if mine.module is not module:
        raise Hint("`mine` should hold the module `stranger`.")
    for field, (wanted, why) in NOTE.items():
        given = getattr(mine, field)
        if given is None:
            raise Hint(f"`{field}` is not said yet: {why}")
        if given != wanted and not (field == "classes" and tuple(map(str.casefold, given)) == ("sinus rhythm", "af")):
            raise Hint(f"`{field}` is {given!r}: {why}")
    x = torch.linspace(-1, 1, 3000).reshape(1, 1000, 3)
    expected = torch.softmax(module(x)["scores"], 1).detach()
    if not torch.allclose(mine.probability(x), expected, atol=1e-6):
        raise Hint("its probabilities are not those of `scores`: pick chooses among what the module returns.")
    return "Said once; every method, report and explorer can ask it now."


ANSWERS = {
    "a": ("answered", "`input` resamples; only what isn't there can't be had."),
    "b": ("refused", "the network wants 10 s. Nothing is invented for the last two."),
    "c": ("answered", "section 2: a Network asks as in evaluation, whatever mode the module was left in."),
    "d": ("refused", "whether three logits exclude each other, they do not say; the log-odds differ."),
    "e": ("answered", "a gradient passes a Fourier transform; integrated gradients need no more."),
    "f": ("refused", "LRP has no rule for complex numbers; see the refusals in section 2."),
}


@exercise(
    "own_network", 2, "Refused or answered", expects='a dict: "a" to "f" -> "answered" or "refused"', predicts=True
)
def refused_or_not(answers: object) -> str:
    """Which of six requests are refused."""
    other = {"answered": "refused", "refused": "answered"}
    right = {key: answer for key, (answer, _) in ANSWERS.items()}
    expect_each(answers, right, {(k, other[a]): f"{k}: {why}" for k, (a, why) in ANSWERS.items()}, "answers")
    return "What can be had is given, what can only be guessed is asked for."


STEPS = (5, 15, 50, 150)


@exercise(
    "own_network", 3, "Steps that are enough", expects="a dict: steps -> completeness, and one of the numbers of steps"
)
def steps_enough(missed: object, enough: object, *, network: Network, x: Tensor) -> str:
    """``missed``: steps -> share of the change that the map's sum misses; ``enough``: the smallest below 2 %."""
    given = as_numbers(missed, STEPS, "`missed`")
    receipt_of = partial(receipt, network, x, "integrated_gradients", network.index("LBBB"), progress=False)
    wanted = {steps: receipt_of(steps=steps).completeness or 0.0 for steps in STEPS}
    for steps in STEPS:
        if np.isclose(given[steps], 100 * wanted[steps], rtol=0.01) and wanted[steps] > 1e-4:
            raise Hint(f"missed[{steps}] is in per cent; `completeness` is a fraction.")
        if not np.isclose(given[steps], wanted[steps], rtol=0.05, atol=5e-4):
            raise Hint(
                f"missed[{steps}] is {given[steps]:.3g}: take `completeness` of receipt(former, x, ...) for the class "
                f"LBBB with steps={steps}, without a baseline."
            )
    right = min((steps for steps in STEPS if wanted[steps] < 0.02), default=None)
    if as_number(enough, "`enough`") != right:
        raise Hint("`enough` is the smallest number of steps whose `missed` is below 0.02.")
    return "The receipt, not a habit, says how many steps a network needs."


JUDGED = ("lrp_epsilon", "deeplift", "gradient_x_input")


@exercise("own_network", 4, "The nearest map", expects="a dict: network -> method")
def best_methods(
    best: object, *, networks: Mapping[str, ECGNet], cases: tuple[Tensor, Tensor, Parts], target: int | Tensor
) -> str:
    """For each network the method that misplaces least, of three."""
    ill, well, parts = cases
    for name, choice in as_dict(best, networks, "`best`").items():
        given, network = as_choice(choice, JUDGED, f"best[{name!r}]"), networks[name]
        shown = interventions(network, ill, well, parts, target, progress=False).shapley.sum(0)
        found = {}
        for method in JUDGED:
            sums = parts.sums(contrast(network, ill, well, method, target, progress=False)).sum(0)
            found[method] = float(misplaced(sums, shown))
        if found[given] > min(found.values()) + 0.005:
            raise Hint(
                f"{name}: {given} misplaces {found[given]:.2f}, and another of the three less. Compare the sums of "
                "contrast(...) over the parts with the interventions' shapley, both summed over the patients."
            )
    return "No method was best by its name: that is why there is a judge."


@exercise("own_network", 5, "Looked at", expects="a function of weights (N, heads, P, P) that returns (N, P)")
def looked_at(function: object) -> str:
    """``looked_at(attention)`` -> how much each piece is looked at."""
    function = as_function(function, "`looked_at`")
    generator = torch.Generator().manual_seed(5)
    attention = torch.softmax(2 * torch.randn(3, 4, 6, 6, generator=generator), -1)
    found = as_array(function(attention.clone()), "its result", (3, 6))
    wrong = {
        "That is the mean over columns, which is 1/P for everybody: rows sum to 1.": attention.mean((1, 3)),
        "That is a sum over heads and rows; the task asks for the mean.": attention.sum((1, 2)),
        "That is a sum over those who look; the task asks for the mean.": attention.mean(1).sum(1),
        "That is the largest head; the task asks for the mean over heads.": attention.amax(1).mean(1),
        "The recordings were averaged too; keep N.": attention.mean((0, 1, 2)).expand(3, -1),
    }
    otherwise = "Average over axis 1, the heads, and axis 2, the rows of those who look."
    recognise(found, attention.mean((1, 2)), wrong, otherwise)
    return "Each row sums to 1; what a column gets is what tells pieces apart."


FLAWS = {"A": "other class", "B": "scaled", "C": "hooks", "D": "none"}
FLAW_HINTS = {
    ("A", "none"): "Compare the sum of A with the LBBB logit, and the map with your own.",
    ("A", "hooks"): "A hooked map is wrong by orders of magnitude; compare the sum of A with the network's logits.",
    ("B", "none"): "Look at the largest |R| of B, and at its sum.",
    ("B", "other class"): "B correlates with your own map of LBBB: what differs is its size.",
    ("C", "none"): "Compare the sum of C with the logit.",
    ("C", "other class"): "No class of this network has a logit near the sum of C.",
    ("D", "hooks"): "The sum of D is what reaches the input: look at your own receipt.",
}


def other_peoples_maps(net: Network, x: Tensor, hooked: Tensor) -> dict[str, Tensor]:
    """Return four maps shaped like x, each said to be LRP-epsilon (1e-6) of the logit of LBBB; ``hooked`` is one."""
    right, other = (attribute(net, x, "lrp_epsilon", net.index(name), epsilon=1e-6) for name in ("LBBB", "AF"))
    return {
        "A": other,
        "B": right / right.abs().max(),
        "C": hooked,
        "D": right,
    }


@exercise("own_network", 6, "Other people's maps", expects='a dict: "A" to "D" -> a flaw')
def peoples_flaws(flaws: object) -> str:
    """Which of ``other_peoples_maps`` has which flaw."""
    expect_each(flaws, FLAWS, FLAW_HINTS, "flaws")
    return "A sum and a correlation find all three. Looking at pictures would have found none."


quiz, progress, think_first = parts_of("own_network")
