"""Checks and quiz of notebook 10, From saliency to semantics."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from leadwise.checks.answers import as_function, as_list, as_number, as_numbers, as_sort, expect_choice, near
from leadwise.checks.core import Hint, exercise
from leadwise.checks.parts import parts_of
from leadwise.ecg.leads import LEADS, TERRITORIES
from leadwise.ecg.record import ECG
from leadwise.ecg.waves import Wave
from leadwise.networks.ecg_net import ECGNet
from leadwise.plotting import percent
from leadwise.semantics import CRITERIA, Criterion, RelevanceTable, lead_wave_matrix, wave_labels, waves_of

GROUPS = ("anterior", "lateral", "inferior")


def map_of(**levels: float) -> Tensor:
    """Return a map (12, 100) that is constant in each lead: 1, or what is said of the lead."""
    return torch.tensor([levels.get(lead, 1.0) for lead in LEADS])[:, None].repeat(1, 100)


def group_map(**levels: float) -> Tensor:
    """Return a map (12, 100) that is constant in the leads of each group: 1, or what is said of the group."""
    return map_of(**{lead: level for group, level in levels.items() for lead in TERRITORIES[group]})


MORE_LEADS = "The group with the largest share is not the one with the largest lift: more leads collect more."
# Maps -> the group with the largest lift, and what to say to another answer.
GROUP_CASES = (
    (
        group_map(inferior=3.0),
        "inferior",
        "A map with most relevance in II, III and aVF should give 'inferior'.",
    ),
    (group_map(anterior=2.0, lateral=1.3), "anterior", MORE_LEADS),
    (group_map(inferior=1.2), "inferior", MORE_LEADS),
    (
        group_map(inferior=2.0, lateral=-5.0),
        "inferior",
        "Only positive relevance is evidence for; here a group with evidence against was chosen.",
    ),
    (
        torch.where(torch.arange(100) % 2 == 0, group_map(inferior=3.0), group_map(inferior=-3.0)),
        "inferior",
        "For and against have cancelled: set what is negative to zero before you sum.",
    ),
    (
        map_of(V1=9.0, V2=9.0, V3=2.0, V4=2.0),
        "anterior",
        "Choose among three groups: the septal leads V1 and V2, and aVR, are not among them.",
    ),
)


@exercise(
    "semantics",
    1,
    "The leads that speak",
    expects='a function of a map (12, T) that returns "anterior", "lateral" or "inferior"',
)
def the_group(function: object) -> str:
    """``group_of(relevance)`` -> the group of leads with the largest lift."""
    function = as_function(function, "`group_of`")
    for relevance, group, hint in GROUP_CASES:
        found = as_sort(function(relevance), str, "What `group_of` returns", f"one of the names {', '.join(GROUPS)}")
        if found.strip().lower() != group:
            raise Hint(hint)
    return "Lift, positive relevance, three groups of leads. Where a network looks is not where a heart is ill."


@exercise("semantics", 2, "Out of step", expects="the matrix of the shifted map", predicts=("leads", "waves", "sum"))
def out_of_step(shifted: object, *, relevance: Tensor, waves: Sequence[Wave]) -> str:
    """``shifted``: the lead x wave matrix of the map, shifted by half a beat."""
    shifted = as_sort(shifted, RelevanceTable, "`shifted`", "what `lead_wave_matrix` returns")
    relevance = torch.as_tensor(relevance)
    beat = np.median(np.diff([wave.peak for wave in waves if wave.kind == "QRS"]))
    halves = range(round(0.4 * beat), round(0.6 * beat))
    if not any(near(shifted.sum(), rolled(relevance, way * half, waves)) for half in halves for way in (1, -1)):
        raise Hint(why_not_shifted(shifted, relevance, waves))
    before = lead_wave_matrix(relevance, waves)
    moved = np.abs(shifted.along(1).share() - before.along(1).share()).max()
    return (
        f"The matrix says: the leads stay, the sum stays, the waves change, one by {percent(moved)}. Shares of leads "
        "can't tell a map that looks at the beats from one that is out of step with them."
    )


def why_not_shifted(shifted: RelevanceTable, relevance: Tensor, waves: Sequence[Wave]) -> str:
    """Return the hint to a matrix that is not that of the map shifted by half a beat."""
    if near(shifted.sum(), rolled(relevance, 0, waves)):
        return "This is the map as it was: torch.roll returns the shifted one and leaves the first as it is."
    if not near(shifted.sum().sum(), float(relevance.sum()), 0.001):
        return "The sum is another one: roll along time, dims=-1, which loses no sample."
    if not near(shifted.sum().sum(1), relevance.sum(1), 0.001):
        return "The leads have other sums: roll along time, dims=-1, not along the leads."
    return "The waves stay, and the map moves by half of the distance between two R peaks."


def rolled(relevance: Tensor, samples: int, waves: Sequence[Wave]) -> np.ndarray:
    """Return the lead x wave sums of a map (12, T) that was shifted in time, (12, 6)."""
    return lead_wave_matrix(torch.roll(relevance, samples, dims=-1), waves).sum()


@exercise("semantics", 3, "The colleague's waves", expects="the waves of the window, as `waves_of` returns them")
def waves_of_window(repaired: object, *, ecg: ECG, start: float) -> str:
    """The waves of the window that starts at ``start`` seconds, counted from its beginning."""
    repaired = as_list(repaired, "`repaired`", "waves, as `waves_of` returns them", Wave, least=1)
    given, first = wave_labels(repaired, 2000), round(start * ecg.fs)

    def agree(shift: int) -> float:
        return np.mean(given == wave_labels([wave.shift(shift) for wave in waves_of(ecg)], 2000))

    if agree(-first) > 0.85:
        return "Map and waves count from the same sample again. A QRS is steep; labels for which it is not are wrong."
    if agree(0) > 0.95:
        raise Hint("These still count from the start of the recording; the map counts from the start of the window.")
    if agree(first) > 0.95:
        raise Hint("The right distance in the wrong direction: what begins at the window's start should become 0.")
    raise Hint("The window starts `START` seconds into the recording; `waves_of` takes that as its second argument.")


CONCLUSIONS = {
    "a": "A share refers to the positive relevance alone, however little there is. What speaks against?",
    "b": "",
    "c": "A map has both signs in almost everyone; that some samples speak for a class is no fault.",
}


@exercise("semantics", 4, "The sentence of a healthy person", expects='a probability, a sum, and "a", "b" or "c"')
def a_healthy_sentence(
    probability: object, balance: object, conclusion: object, *, model: ECGNet, x: Tensor, relevance: Tensor
) -> str:
    """p(LBBB), the sum of the map, and what may be concluded."""
    wanted = float(model.probability(x))
    value = as_number(probability, "`probability`")
    if abs(value - wanted) > 0.002:
        if abs(value - (1 - wanted)) < 0.002:
            raise Hint("That is the probability of no finding.")
        raise Hint("`probability` is what the LBBB network says to `healthy`: model.probability(...).")
    total, positive = float(relevance.sum()), float(relevance.clamp(min=0).sum())
    value = as_number(balance, "`balance`")
    if abs(value - total) > max(0.01 * positive, 0.005):
        if abs(value - positive) < 0.01 * positive:
            raise Hint("`balance` holds the positive relevance alone; the sentence knows no other, you should.")
        if np.isclose(value, float(relevance.abs().sum()), rtol=0.01):
            raise Hint("This is the sum of |R|: here for and against should cancel.")
        raise Hint("`balance` is the sum of the map with its signs.")
    expect_choice(conclusion, CONCLUSIONS, "`conclusion`")
    return "Shares add up to 100 % whatever there is to share: a sentence needs probability and balance beside it."


@exercise("semantics", 5, "A wider criterion", expects="a Criterion, and a dict of two lifts")
def a_wider_criterion(
    wider: object, lifts: object, *, maps: Sequence[Tensor], patients: Sequence[tuple[Tensor, Sequence[Wave]]]
) -> str:
    """QRS, ST and T in the leads of LBBB; the lift of both criteria over the patients."""
    strict = CRITERIA["LBBB"]
    wider = as_sort(wider, Criterion, "`wider`", "a Criterion(says, waves, leads, source)")
    if set(wider.leads) != set(strict.leads):
        raise Hint("The reviewer speaks of waves; keep the leads of CRITERIA['LBBB'].")
    if set(wider.waves) != {"QRS", "ST", "T"}:
        missing = {"QRS", "ST", "T"} - set(wider.waves)
        raise Hint(f"Not among its waves: {', '.join(sorted(missing))}." if missing else "Only QRS, ST and T count.")
    given = as_numbers(lifts, ("strict", "wider"), "`lifts`")
    matrices = [lead_wave_matrix(map_, waves) for map_, (_, waves) in zip(maps, patients, strict=True)]
    for key, criterion in {"strict": strict, "wider": wider}.items():
        shares, areas = (np.array([t[criterion.cells].sum() for t in tables]) for tables in shares_and_areas(matrices))
        value = given[key]
        if abs(value - shares.mean()) < 0.005:
            raise Hint("These are shares; a lift is a share divided by its area.")
        # the quotient of the means, or the mean of the quotients
        if not np.isclose(value, [shares.mean() / areas.mean(), (shares / areas).mean()], rtol=0.02).any():
            raise Hint(f"lifts[{key!r}]: mean share of the positive relevance in `.cells`, over the mean area of them.")
    return (
        "With more cells the share can only grow; whether agreement became better is for the lift to say. A network "
        "that reads T alone agrees with the wider definition, not with the strict one: choose before you see the maps."
    )


def shares_and_areas(matrices: Sequence[RelevanceTable]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the tables of shares and of areas, (12, 6) each."""
    return [matrix.share() for matrix in matrices], [matrix.area for matrix in matrices]


quiz, progress, think_first = parts_of("semantics")
