"""Checks and quiz of notebook 09, From saliency to semantics."""

from functools import partial

import numpy as np
import torch

from leadwise.checks import core
from leadwise.checks import quiz as quizzes
from leadwise.checks.core import Hint, as_choice, as_function, as_number, exercise
from leadwise.checks.quiz import Option, Question
from leadwise.ecg.leads import LEADS, TERRITORIES
from leadwise.ecg.waves import Wave
from leadwise.semantics import CRITERIA, Criterion, lead_wave_matrix, wave_labels, waves_of

GROUPS = ("anterior", "lateral", "inferior")


def map_of(samples: int = 100, **levels: float) -> torch.Tensor:
    """Return a map (12, T) that is constant in each lead: 1, or what is said of the lead."""
    return torch.tensor([levels.get(lead, 1.0) for lead in LEADS])[:, None].expand(12, samples).clone()


def group_map(**levels: float) -> torch.Tensor:
    """Return a map (12, T) that is constant in the leads of each group: 1, or what is said of the group."""
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
    "09",
    1,
    "The leads that speak",
    expects='a function of a map (12, T) that returns "anterior", "lateral" or "inferior"',
)
def the_group(function):
    """``group_of(relevance)`` -> the group of leads with the largest lift."""
    function = as_function(function, "`group_of`")
    for relevance, group, hint in GROUP_CASES:
        found = function(relevance)
        if not isinstance(found, str):
            raise Hint(f"`group_of` should return a name, not {core.kind(found)}; the names are {', '.join(GROUPS)}.")
        if found.strip().lower() != group:
            raise Hint(hint)
    return "Lift, positive relevance, three groups of leads. Where a network looks is not where a heart is ill."


SHIFT_HINTS = {
    "leads": "Within a lead every sample stays, only at another time.",
    "waves": "The waves stay where they are, and the relevance moves under them.",
    "sum": "No sample is lost, none is added.",
}


@exercise("09", 2, "Out of step", expects="a dict: leads, waves, sum -> True where it changes")
def out_of_step(changes):
    """What a shift of the map by half a beat changes."""
    wanted = {"leads": False, "waves": True, "sum": False}
    if not isinstance(changes, dict) or set(changes) != set(wanted):
        raise Hint("`changes` should be a dict with the keys leads, waves and sum.")
    if not all(isinstance(value, bool | np.bool_) for value in changes.values()):
        raise Hint("Each value should be True (it changes) or False (it stays).")
    for key, value in wanted.items():
        if bool(changes[key]) != value:
            raise Hint(f"{key}: {SHIFT_HINTS[key]} Shift the map, and compare.")
    return "Shares of leads can't tell a map that looks at the beats from one that is out of step with them."


@exercise("09", 3, "The colleague's waves", expects="the waves of the window, as `waves_of` returns them")
def waves_of_window(repaired, *, ecg, start):
    """The waves of the window that starts at ``start`` seconds, counted from its beginning."""
    repaired = tuple(repaired)
    if not repaired or not all(isinstance(wave, Wave) for wave in repaired):
        raise Hint("`repaired` should hold waves, as `waves_of` returns them.")
    given, first = wave_labels(repaired, 2000), round(start * ecg.fs)

    def agree(shift):
        return np.mean(given == wave_labels([wave.shift(shift) for wave in waves_of(ecg)], 2000))

    if agree(-first) > 0.85:
        return "Map and waves count from the same sample again. A QRS is steep; labels for which it is not are wrong."
    if agree(0) > 0.95:
        raise Hint("These still count from the start of the recording; the map counts from the start of the window.")
    if agree(first) > 0.95:
        raise Hint("The right distance in the wrong direction: what begins at the window's start should become 0.")
    raise Hint("The window starts `START` samples into the recording; `waves_of` takes that as its second argument.")


CONCLUSIONS = {
    "a": "A share refers to the positive relevance alone, however little there is. What speaks against?",
    "b": "",
    "c": "A map has both signs in almost everyone; that some samples speak for a class is no fault.",
}


@exercise("09", 4, "The sentence of a healthy person", expects='a probability, a sum, and "a", "b" or "c"')
def a_healthy_sentence(probability, balance, conclusion, *, model, x, relevance):
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
    hint = CONCLUSIONS[as_choice(conclusion, CONCLUSIONS, "`conclusion`")]
    if hint:
        raise Hint(hint)
    return "Shares add up to 100 % whatever there is to share: a sentence needs probability and balance beside it."


@exercise("09", 5, "A wider criterion", expects="a Criterion, and a dict of two lifts")
def a_wider_criterion(wider, lifts, *, maps, patients):
    """QRS, ST and T in the leads of LBBB; the lift of both criteria over the patients."""
    strict = CRITERIA["LBBB"]
    if not isinstance(wider, Criterion):
        raise Hint(f"`wider` should be a Criterion(says, waves, leads, source); this is {core.kind(wider)}.")
    if set(wider.leads) != set(strict.leads):
        raise Hint("The reviewer speaks of waves; keep the leads of CRITERIA['LBBB'].")
    if set(wider.waves) != {"QRS", "ST", "T"}:
        missing = {"QRS", "ST", "T"} - set(wider.waves)
        raise Hint(f"Not among its waves: {', '.join(sorted(missing))}." if missing else "Only QRS, ST and T count.")
    if not isinstance(lifts, dict) or set(lifts) != {"strict", "wider"}:
        raise Hint('`lifts` should be a dict with the keys "strict" and "wider".')
    matrices = [lead_wave_matrix(map_, waves) for map_, (_, waves) in zip(maps, patients, strict=True)]
    for key, criterion in {"strict": strict, "wider": wider}.items():
        shares, areas = (np.array([t[criterion.cells].sum() for t in tables]) for tables in shares_and_areas(matrices))
        value = as_number(lifts[key], f"lifts[{key!r}]")
        if abs(value - shares.mean()) < 0.005:
            raise Hint("These are shares; a lift is a share divided by its area.")
        # the quotient of the means, or the mean of the quotients
        if not np.isclose(value, [shares.mean() / areas.mean(), (shares / areas).mean()], rtol=0.02).any():
            raise Hint(f"lifts[{key!r}]: mean share of the positive relevance in `.cells`, over the mean area of them.")
    return "With more cells the share can only grow; whether agreement became better is for the lift to say."


def shares_and_areas(matrices: list) -> tuple[list, list]:
    """Return the tables of shares and of areas, (12, 6) each."""
    return [matrix.share() for matrix in matrices], [matrix.area for matrix in matrices]


QUESTIONS = [
    Question(
        "36 % of the positive relevance lies between the beats, and this part takes 36 % of the time. What follows?",
        [
            Option("The network looks at the baseline.", False, "A random map has the same share there."),
            Option("The lift is 1: as much as an even spread puts there.", True, "A share is read beside its area."),
            Option("The map is wrong.", False, "A lift of 1 in one part says nothing about the others."),
        ],
    ),
    Question(
        "A map puts the evidence for a long PR interval on the QRS complex. Replacing the QRS complex by the twin's "
        "changes nothing, replacing P and PR turns the answer. What do you believe?",
        [
            Option("The network reads QRS.", False, "Then replacing it would have had an effect."),
            Option(
                "The answer depends on P and PR; the map answers another question, or answers it wrongly.",
                True,
                "An intervention asks the network, the map only claims.",
            ),
            Option(
                "The network is useless.",
                False,
                "It uses the very part that makes the diagnosis. Ask the map what the exchange asks, then blame it.",
            ),
        ],
    ),
    Question(
        "What belongs beside a sentence about one map?",
        [
            Option(
                "the probability that the network gives", True, "Shares say nothing about how much there is to share."
            ),
            Option("the area of the cells that it names", True, "Without it a share can't be judged."),
            Option("the method and its parameters", True, "Another method may tell another story."),
            Option("the diagnosis", False, "The sentence is about a network. It knows nothing of the patient."),
        ],
    ),
    Question(
        "A cohort of 2000 has a narrow interval for the share of QRS. What is narrow?",
        [
            Option("The spread of the patients.", False, "That does not shrink with their number."),
            Option("The uncertainty of their mean.", True, "It falls as 1 / √n."),
            Option("The error of the method.", False, "A method can be wrong with great precision."),
        ],
    ),
]

quiz = partial(quizzes.quiz, "09", QUESTIONS)
progress = partial(core.progress, "09")
