"""Checks and quiz of notebook 12, Cohorts."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import numpy as np
from scipy.stats import norm

from leadwise.checks.answers import (
    as_array,
    as_dict,
    as_function,
    as_number,
    as_numbers,
    as_sort,
    expect_choice,
    recognise,
)
from leadwise.checks.core import Hint, exercise
from leadwise.checks.parts import parts_of
from leadwise.cohort import Cohort, Difference, difference
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.evaluation.statistics import holm
from leadwise.networks.ecg_net import ECGNet

V1 = LEADS.index("V1")
COMPARISONS = 96  # eight carts, twelve leads

# p values -> what a wrong answer to them says
HOLM_CASES = (
    (
        [0.01, 0.04, 0.03],
        "0.03 × 2 = 0.06 lifts the next, 0.04 × 1, to 0.06: none is smaller than the one before.",
    ),
    ([0.6, 0.001, 0.7], "0.6 × 2 is 1.2: nothing is larger than 1."),
    ([0.2, 0.005, 0.04, 0.01], "0.005 × 4, 0.01 × 3, 0.04 × 2, 0.2 × 1."),
    ([0.02], "One comparison needs no correction."),
)


@exercise("cohorts", 1, "Holm by hand", expects="a function of K p values that returns K")
def holm_by_hand(adjusted: object) -> str:
    """``adjusted(p)`` -> p values after Holm's correction."""
    function = as_function(adjusted, "`adjusted`")
    for p, hint in HOLM_CASES:
        given = np.array(p)
        found = as_array(function(given), "adjusted(p)", (len(p),))
        if not np.array_equal(given, p):
            raise Hint("`adjusted` has changed the p values that it was given: work on a copy.")
        if np.allclose(found, holm(p)):
            continue
        if np.allclose(found, np.minimum(given * len(p), 1)):
            raise Hint("Each times K is Bonferroni's correction: Holm multiplies the second smallest by K - 1 only.")
        if np.allclose(np.sort(found), np.sort(holm(p))):
            raise Hint("The right numbers, but not in the order in which the p values came.")
        raise Hint(f"adjusted({p}) gives {np.round(found, 3).tolist()}. {hint}")
    return "As sure as Bonferroni, and never less powerful."


FACTORS = {"interval": 10**-0.5, "spread": 1.0, "false alarms": 1.0, "smallest": 10**-0.5}
FACTOR_HINTS = {
    "interval": "The width is 2 t s / √n: ten times n, and the spread as before.",
    "spread": "That is how patients differ from each other; more patients do not make them more alike.",
    "false alarms": "Where nothing differs, a p value is below 0.05 once in twenty times, whatever n.",
    "smallest": "A difference is sure where it exceeds its uncertainty, which falls with √n.",
}


@exercise(
    "cohorts",
    2,
    "Ten times the patients",
    expects="a dict: interval, spread, false alarms, smallest -> a factor",
    predicts=True,
)
def ten_times(factors: object) -> str:
    """By which factor four things change with ten times the recordings."""
    for key, value in as_numbers(factors, FACTORS, "`factors`").items():
        wanted = FACTORS[key]
        if np.isclose(value, 1 / wanted, rtol=0.1) and wanted != 1:
            raise Hint(f"{key}: the factor is archive divided by hospital, so below 1 where it becomes smaller.")
        if not np.isclose(value, wanted, rtol=0.1):
            raise Hint(f"{key}: {FACTOR_HINTS[key]}")
    return "Intervals shrink with √n, patients stay as different as they are, and false alarms come as often as before."


def all_but(carts: Mapping[str, Cohort], one: str) -> Cohort:
    """Return all carts but one as one cohort."""
    return reduce(Cohort.merge, (group for cart, group in carts.items() if cart != one))


def other_carts(archive: Cohort, finding: str) -> tuple[Cohort, Cohort]:
    """Return cart 3 and all other carts, of one condition."""
    groups = {k.split(", ")[0]: g for k, g in archive.groups["cart, finding"].items() if k.endswith(f", {finding}")}
    return groups["cart 3"], all_but(groups, "cart 3")


@exercise("cohorts", 3, "The colleague's cart", expects='a dict: "NORM", "LBBB" -> a difference')
def within_conditions(repaired: object, *, archive: Cohort) -> str:
    """Cart 3 minus the others, within two conditions."""
    whole = archive.groups["cart"]["cart 3"].records
    for finding, given in as_dict(repaired, ("NORM", "LBBB"), "`repaired`").items():
        found = as_sort(given, Difference, f"`repaired[{finding!r}]`", "what `difference` returns")
        wanted = difference(*other_carts(archive, finding), "lead_share")
        if found.name != "lead_share":
            raise Hint(f"repaired[{finding!r}] compares {found.name}; compare lead_share, as the colleague did.")
        if found.counts[0] == whole:
            raise Hint("This is still everybody of cart 3; take those with one condition alone: `only(archive, ...)`.")
        if found.counts == wanted.counts[::-1]:
            raise Hint("The other carts minus cart 3: the other way round, as the colleague did.")
        if found.counts != wanted.counts:
            raise Hint(
                f"repaired[{finding!r}] compares {found.counts[0]} with {found.counts[1]} recordings; expected "
                f"cart 3's {wanted.counts[0]} against all other carts' {wanted.counts[1]} of the same condition."
            )
        if not np.allclose(found.value, wanted.value):
            raise Hint(f"repaired[{finding!r}] holds other numbers than cart 3 minus the others.")
    return "Within a condition nothing is left: cart 3 has other patients, and reads them as everybody does."


@exercise("cohorts", 4, "How many recordings", expects="a number of recordings")
def how_many(needed: object, *, healthy: Mapping[str, Cohort]) -> str:
    """Recordings of a cart that show the exchange of V1 and V2 with 80 % probability."""
    value = as_number(needed, "`needed`")
    others = all_but(healthy, "cart 7")
    d, s = float(difference(healthy["cart 7"], others, "lead_share").value[V1]), others.spread("lead_share")[V1]
    ratio = (s / d) ** 2
    z, power = norm.ppf(1 - 0.05 / (2 * COMPARISONS)), norm.ppf(0.8)
    right = (z + power) ** 2
    wrong = {
        "Not corrected: 0.05 has to be shared by 96 comparisons.": (norm.ppf(0.975) + power) ** 2,
        "One-sided: 0.05 / 2K, since the share may rise or fall.": (norm.ppf(1 - 0.05 / COMPARISONS) + power) ** 2,
        "With z of the level alone the chance to find it is one half: add z of 0.8.": z**2,
        "The sum of both z is squared, not each of them.": z**2 + power**2,
        "s / d is squared.": right / np.sqrt(ratio),
    }
    if value != np.ceil(right * ratio):
        otherwise = f"Here d is {100 * d:.1f} points and s {100 * s:.1f}; n = (z + z)² s² / d²."
        recognise(value / ratio, right, wrong, otherwise, 0.03)
    return "A plan: so many recordings a cart before one says that nothing is wrong with it."


CONCLUSIONS = {
    "a": "Equal means do not make equal answers: one may rise while another falls. Look at the pairs.",
    "b": "",
    "c": "A map says where evidence lies, a probability how much there is in all. Both may be right.",
}


@exercise("cohorts", 5, "Pairs", expects='an array (40, 2), and "a", "b" or "c"')
def pairs_not_means(
    pairs: object, conclusion: object, *, model: ECGNet, people: Sequence[int], recording: Callable[..., ECG]
) -> str:
    """p(LBBB) with right and with exchanged cables, and what equal means say."""
    given = as_array(pairs, "`pairs`", (len(people), 2))
    for i in (0, len(people) // 2, len(people) - 1):
        wanted = [answer(model, recording("NORM", people[i], exchanged)) for exchanged in (False, True)]
        if np.allclose(given[i], wanted, atol=1e-3, rtol=0.02):
            continue
        if np.allclose(given[i], wanted[::-1], atol=1e-3, rtol=0.02):
            raise Hint("The right cables come first, the exchanged ones second.")
        if np.allclose(given[i], [1 - p for p in wanted], atol=1e-3):
            raise Hint("That is the probability of no finding.")
        raise Hint(f"People {i}: {given[i].round(4).tolist()}; expected {np.round(wanted, 4).tolist()}.")
    expect_choice(conclusion, CONCLUSIONS, "`conclusion`")
    return "Where the same patient can be had twice, pairs tell what means hide."


def answer(model: ECGNet, ecg: ECG) -> float:
    """Return p(LBBB) of a recording's first window."""
    return float(model.probability(ecg.preprocess().window().tensor()))


quiz, progress, think_first = parts_of("cohorts")
