"""Checks and quiz of notebook 09, Lead-wise attribution, and a colleague's maps with known flaws."""

from collections.abc import Callable
from functools import partial

import torch

from leadwise.attribution import attribute
from leadwise.checks.answers import as_function, as_number, as_numbers, expect_choice, expect_each, recognise
from leadwise.checks.core import Hint, exercise
from leadwise.checks.parts import parts_of
from leadwise.ecg.leads import LEADS
from leadwise.networks.ecg_net import ECGNet


@exercise("lead_wise", 1, "Predict: V1 or V6", expects="a dict of two shares", predicts=True)
def v1_or_v6(shares: object, *, model: ECGNet, x: torch.Tensor) -> str:
    """The shares of |R| in both leads."""
    relevance = attribute(model, x, "lrp_epsilon", target=1)
    wanted = of_two(relevance.abs().sum(1))
    given = as_numbers(shares, ("V1", "V6"), "`shares`")

    def off(values: dict[str, float]) -> float:
        return max(abs(given[lead] - values[lead]) for lead in values)

    healthy = attribute(model, x, "lrp_epsilon", target=0)
    mistakes = {
        "For and against have cancelled: take |R| before you sum.": of_two(relevance.sum(1)),
        "The negative relevance is missing: |R| has both.": of_two(relevance.clamp(min=0).sum(1)),
        "That is the map of the other logit; the pathology is target=1.": of_two(healthy.abs().sum(1)),
        "The two are exchanged: V1 is row 6 of the map, V6 row 11.": {"V1": wanted["V6"], "V6": wanted["V1"]},
    }
    nearest = min(mistakes, key=lambda hint: off(mistakes[hint]))
    if off(wanted) > 0.0051 or off(mistakes[nearest]) < 1e-4 < off(wanted):  # rounded to per cent is right
        if off(mistakes[nearest]) < 0.0051:
            raise Hint(nearest)
        if max(given.values()) > 1:
            raise Hint("Write the shares as fractions, not in per cent.")
        if abs(sum(given.values()) - 1) < 0.01:
            raise Hint("The shares refer to all twelve leads, so that these two do not add up to 1.")
        raise Hint(
            "shares: Σ|R| of the lead over Σ|R| of all leads, of `blocked` by `rbbb`: LRP-ε by default, target=1."
        )
    by_map, lost = max(wanted, key=wanted.get), without_each(model, x)
    by_network = max(lost, key=lost.get)
    measured = " and ".join(f"by {fall:.2f} without {lead}" for lead, fall in lost.items())
    return (
        f"The map says {by_map}. The network says {by_network}: its log-odds fall {measured}, made "
        "flat. In this block the late forces point to the right and forward, straight at V1; a map is "
        "about the network, not about the heart."
    )


def without_each(model: ECGNet, x: torch.Tensor) -> dict[str, float]:
    """Return by how much the log-odds of one recording (12, T) fall where V1, or V6, is a flat line."""
    flat = x.repeat(3, 1, 1)
    flat[1, LEADS.index("V1")] = flat[2, LEADS.index("V6")] = 0
    with torch.no_grad():
        odds = torch.stack([model(one) for one in flat]).diff(dim=-1).flatten().tolist()
    return {"V1": odds[0] - odds[1], "V6": odds[0] - odds[2]}


def of_two(by_lead: torch.Tensor) -> dict[str, float]:
    """Return the shares of V1 and V6 among all leads."""
    return {lead: float(by_lead[LEADS.index(lead)] / by_lead.sum()) for lead in ("V1", "V6")}


# What is often computed instead of the share of |R| in V1 to V6: what to say then -> the formula. r is (12, T).
OTHER_SHARES = {
    "That is in per cent; a share lies between 0 and 1.": lambda r: 100 * r[6:].abs().sum() / r.abs().sum(),
    "Signs have cancelled here: take |R| before you sum.": lambda r: r[6:].sum() / r.sum(),
    "The absolute value comes before the sum, not after it.": lambda r: r[6:].sum().abs() / r.sum().abs(),
    "The negative relevance is missing: |R| has both.": lambda r: r[6:].clamp(min=0).sum() / r.clamp(min=0).sum(),
    "That is a sum; divide it by the sum over all leads.": lambda r: r[6:].abs().sum(),
    "aVF is in it: Python counts from 0, and V1 is row 6.": lambda r: r[5:].abs().sum() / r.abs().sum(),
    "V1 is missing: Python counts from 0, and V1 is row 6.": lambda r: r[7:].abs().sum() / r.abs().sum(),
    "These are the limb leads; the chest leads are the last six rows.": lambda r: r[:6].abs().sum() / r.abs().sum(),
    "V6 is missing: the end of a slice is not in it.": lambda r: r[6:11].abs().sum() / r.abs().sum(),
    "That is chest over limb; divide by all twelve leads.": lambda r: r[6:].abs().sum() / r[:6].abs().sum(),
    "These are squares; the task asks for |R|.": lambda r: r[6:].square().sum() / r.square().sum(),
}


@exercise("lead_wise", 2, "The share of the chest leads", expects="a function of a map (12, T) that returns a number")
def chest_share(function: object) -> str:
    """``chest_share(relevance)`` -> share of |R| in V1 to V6."""
    function = as_function(function, "`chest_share`")
    generator = torch.Generator().manual_seed(0)
    scales = (1, 2, 3, 4, 5, 6, 9, 8, 7, 2, 3, 1)
    maps = [
        (torch.randn(12, samples, generator=generator) + 0.2) * torch.tensor(scales)[:, None] for samples in (50, 200)
    ]
    found = [as_number(function(relevance.clone()), "its result") for relevance in maps]

    wrong = {hint: [float(formula(relevance)) for relevance in maps] for hint, formula in OTHER_SHARES.items()}
    right = [float(relevance[6:].abs().sum() / relevance.abs().sum()) for relevance in maps]
    recognise(found, right, wrong, "Σ|R| over the rows 6 to 11, divided by Σ|R| over all twelve rows.", 1e-3)
    return "Half of the leads: whatever knows nothing of leads gets 50 %."


FLAWS = {"A": "class changes", "B": "none", "C": "copied", "D": "per lead"}
FLAW_HINTS = {
    ("A", "none"): "A does not sum to the difference of the logits.",
    ("A", "per lead"): "The leads of A have different maxima; compare its sum with the logits.",
    ("A", "copied"): "The leads of A differ from each other; compare its sum with the logits.",
    ("B", "class changes"): "Compare the sum of B with the difference of the logits; steps leave a few per cent.",
    ("C", "none"): "Subtract one lead of C from another.",
    ("D", "none"): "Print the largest |R| of each lead of D.",
    ("D", "class changes"): "The sum of D is wrong, but something simpler explains why: look at each lead's maximum.",
    ("C", "class changes"): "The sum of C is wrong, but something simpler explains why: compare its leads.",
}


def colleagues_maps(model: ECGNet, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return four maps (12, T) of one recording, each said to be integrated gradients of target 1 from a flat line."""
    # 50 steps miss the sum by a quarter on some published networks
    gradients = partial(attribute, model, x, "integrated_gradients", target=1, steps=150, progress=False)
    right = gradients()
    return {
        "A": gradients(reselect_target=True),
        "B": right,
        "C": right.abs().mean(0).expand_as(right).clone(),
        "D": right / right.abs().amax(1, keepdim=True).clamp(min=1e-12),
    }


@exercise("lead_wise", 3, "A colleague's maps", expects='a dict: "A" to "D" -> a flaw')
def colleagues_flaws(flaws: object) -> str:
    """Which of ``colleagues_maps`` has which flaw."""
    expect_each(flaws, FLAWS, FLAW_HINTS, "flaws")
    return "Each flaw has its test: compare leads, compare maxima, add up. None of them is seen by looking alone."


READINGS = {
    "a": "ε changes the map and not the network: its answer is the same for every ε.",
    "b": "",
    "c": "Both signs shrink: compare the sums of the negative relevance for two ε.",
}
EPSILONS = (0.001, 0.1, 10)


@exercise("lead_wise", 4, "What a large ε does", expects='a dict: epsilon -> Σ|R|, and "a", "b" or "c"')
def what_epsilon_does(sums: object, reading: object, *, model: ECGNet, x: torch.Tensor) -> str:
    """``sums``: ε -> Σ|R|; ``reading``: the statement that fits."""
    given = list(as_numbers(sums, EPSILONS, "`sums`").values())
    maps = [attribute(model, x, "lrp_epsilon", target=1, epsilon=epsilon) for epsilon in EPSILONS]

    def sums_of(function: Callable[[torch.Tensor], torch.Tensor]) -> list[float]:
        return [float(function(relevance).sum()) for relevance in maps]

    wrong = {
        "These are sums with their signs; take |R| first, so that nothing cancels.": sums_of(lambda r: r),
        "The negative relevance is missing: |R| has both.": sums_of(lambda r: r.clamp(min=0)),
        "All three are the same: each map needs its own epsilon, attribute(..., epsilon=...).": [given[0]] * 3,
    }
    otherwise = "sums: epsilon -> Σ|R| of LRP-ε of the LBBB network on `x`, target=1."
    recognise(given, sums_of(torch.abs), wrong, otherwise, 0.01)
    expect_choice(reading, READINGS, "`reading`")
    return "ε keeps a part of the relevance in every layer, the most where |z| is small beside it."


quiz, progress, think_first = parts_of("lead_wise")
