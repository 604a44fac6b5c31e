"""Checks and quiz of notebook 12, Cohorts."""

import numpy as np
from scipy.stats import norm

from leadwise.checks import core
from leadwise.checks.core import Hint, as_array, as_function, as_number, exercise, expect_choice
from leadwise.checks.parts import parts_of
from leadwise.cohort import Cohort, Difference, difference
from leadwise.ecg.leads import LEADS
from leadwise.evaluation.statistics import holm

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
def holm_by_hand(adjusted):
    """``adjusted(p)`` -> p values after Holm's correction."""
    adjusted = as_function(adjusted, "`adjusted`")
    for p, hint in HOLM_CASES:
        given = np.array(p)
        found = as_array(adjusted(given), "adjusted(p)", (len(p),))
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
def ten_times(factors):
    """By which factor four things change with ten times the recordings."""
    if not isinstance(factors, dict) or set(factors) != set(FACTORS):
        raise Hint(f"`factors` should be a dict with the keys {', '.join(map(repr, FACTORS))}.")
    for key, wanted in FACTORS.items():
        value = as_number(factors[key], f"factors[{key!r}]")
        if np.isclose(value, 1 / wanted, rtol=0.1) and wanted != 1:
            raise Hint(f"{key}: the factor is archive divided by hospital, so below 1 where it becomes smaller.")
        if not np.isclose(value, wanted, rtol=0.1):
            raise Hint(f"{key}: {FACTOR_HINTS[key]}")
    return "Intervals shrink with √n, patients stay as different as they are, and false alarms come as often as before."


def other_carts(archive: Cohort, finding: str) -> tuple[Cohort, Cohort]:
    """Return cart 3 and all other carts, of one condition."""
    groups = {k.split(", ")[0]: g for k, g in archive.groups["cart, finding"].items() if k.endswith(f", {finding}")}
    first, *rest = (group for cart, group in groups.items() if cart != "cart 3")
    for group in rest:
        first = first.merge(group)
    return groups["cart 3"], first


@exercise("cohorts", 3, "The colleague's cart", expects='a dict: "NORM", "LBBB" -> a difference')
def within_conditions(repaired, *, archive):
    """Cart 3 minus the others, within two conditions."""
    if not isinstance(repaired, dict) or set(repaired) != {"NORM", "LBBB"}:
        raise Hint('`repaired` should be a dict with the keys "NORM" and "LBBB".')
    whole = archive.groups["cart"]["cart 3"].records
    for finding, found in repaired.items():
        if not isinstance(found, Difference):
            raise Hint(f"repaired[{finding!r}] should be what `difference` returns, not {core.kind(found)}.")
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
def how_many(needed, *, healthy):
    """Recordings of a cart that show the exchange of V1 and V2 with 80 % probability."""
    value = as_number(needed, "`needed`")
    first, *rest = (group for cart, group in healthy.items() if cart != "cart 7")
    for group in rest:
        first = first.merge(group)
    d = float(difference(healthy["cart 7"], first, "lead_share").value[V1])
    ratio = (first.spread("lead_share")[V1] / d) ** 2
    z, power = norm.ppf(1 - 0.05 / (2 * COMPARISONS)), norm.ppf(0.8)
    wanted = (z + power) ** 2 * ratio
    if np.isclose(value, wanted, rtol=0.03) or value == np.ceil(wanted):
        return "A plan: so many recordings a cart before one says that nothing is wrong with it."
    wrong = {
        "Not corrected: 0.05 has to be shared by 96 comparisons.": (norm.ppf(0.975) + power) ** 2,
        "One-sided: 0.05 / 2K, since the share may rise or fall.": (norm.ppf(1 - 0.05 / COMPARISONS) + power) ** 2,
        "With z of the level alone the chance to find it is one half: add z of 0.8.": z**2,
        "The sum of both z is squared, not each of them.": z**2 + power**2,
    }
    for hint, factor in wrong.items():
        if np.isclose(value, factor * ratio, rtol=0.03):
            raise Hint(hint)
    if np.isclose(value, (z + power) ** 2 * np.sqrt(ratio), rtol=0.03):
        raise Hint("s / d is squared.")
    raise Hint(
        f"Here d is {100 * d:.1f} points and s {100 * first.spread('lead_share')[V1]:.1f}; n = (z + z)² s² / d²."
    )


CONCLUSIONS = {
    "a": "Equal means do not make equal answers: one may rise while another falls. Look at the pairs.",
    "b": "",
    "c": "A map says where evidence lies, a probability how much there is in all. Both may be right.",
}


@exercise("cohorts", 5, "Pairs", expects='an array (40, 2), and "a", "b" or "c"')
def pairs_not_means(pairs, conclusion, *, model, people, recording):
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


def answer(model, ecg) -> float:
    """Return p(LBBB) of a recording's first window."""
    return float(model.probability(ecg.preprocess().window().tensor()))


quiz, progress, think_first = parts_of("cohorts")
