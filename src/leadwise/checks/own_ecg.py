"""Checks and quiz of notebook 11, Your own ECG. The capstone's dossier is checked part by part."""

from collections.abc import Mapping

import numpy as np
import torch

from leadwise.checks.answers import alike, as_array, as_dict, as_list, as_number, as_sort, expect_choice
from leadwise.checks.core import Hint, exercise
from leadwise.checks.parts import parts_of
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.networks.ecg_net import ECGNet
from leadwise.recordings.quality import Finding, Report, check_ecg
from leadwise.report import Explanation, OnePage
from leadwise.semantics import agreement

STEP = 0.00488  # mV, of the converter in exercise 1


def as_ecg(answer: object, what: str) -> ECG:
    """Return a recording, or raise a Hint that says what came."""
    return as_sort(answer, ECG, what, "a recording, as `read_ecg` and `load_record` return it")


def as_explanation(answer: object, what: str) -> Explanation:
    """Return an explanation, or raise a Hint that says what came."""
    return as_sort(answer, Explanation, what, "what `explain_ecg` returns")


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference of two signals in mV where both have numbers; infinite where the shapes differ."""
    return float(np.nanmax(np.abs(a - b))) if a.shape == b.shape else float("inf")


@exercise("own_ecg", 1, "An array without a word", expects="the recording that `read_ecg` returns")
def read_right(read: object, *, ecg: ECG) -> str:
    """Read in Cabrera's order, with steps of 4.88 µV."""
    read = as_ecg(read, "`read`")
    if read.fs != ecg.fs:
        raise Hint(f"The rate is wrong: {read.fs:g} Hz. The array was made from `ecg`, which knows its own.")
    if read is ecg:
        raise Hint("This is `ecg` itself: read the array, by `read_ecg`, and compare the two.")
    if apart(read.signal, ecg.signal) <= STEP / 2 + 1e-4:
        return "Equal up to half a step of the converter: the rounding, and nothing else."
    scale = np.nanstd(read.signal) / np.nanstd(ecg.signal)
    if not 0.9 < scale < 1.1:
        raise Hint(f"Voltages are off by a factor of {scale:.4g}: `unit` may be the millivolts of one step, 0.00488.")
    upside_down = read.signal.copy()
    upside_down[LEADS.index("aVR")] *= -1
    if apart(upside_down, ecg.signal) <= STEP / 2 + 1e-4:
        raise Hint('aVR is upside down: the third row is "-aVR", and the reader understands that name.')
    wrong = [lead for lead in LEADS if apart(read.lead(lead), ecg.lead(lead)) > STEP]
    raise Hint(f"Rows and names do not fit in {', '.join(wrong)}: give `leads` in the order of the array's rows.")


FINDABLE = {"V1 and V2": False, "II and V2": True, "aVF upside down": True, "chest reversed": False}
WHY_FINDABLE = {
    "V1 and V2": "No law ties one chest lead to another.",
    "II and V2": "II belongs to the limb leads, and I + III = II holds no longer.",
    "aVF upside down": "aVF = II - I / 2 by Goldberger's law, and the sign is part of the law.",
    "chest reversed": "R grows from V1 to V6 in many people, but that is no law.",
}


@exercise("own_ecg", 2, "What a check can find", expects="a dict: fault -> True where it is found", predicts=True)
def what_a_check_finds(findable: object) -> str:
    """Which faults break a law."""
    given = as_dict(findable, FINDABLE, "`findable`")
    as_list(given, "`findable`", "True or False for each fault", (bool, np.bool_))
    wrong = [fault for fault, wanted in FINDABLE.items() if given[fault] != wanted]
    if wrong:
        raise Hint(f"{4 - len(wrong)} of 4 are right. {wrong[0]}: {WHY_FINDABLE[wrong[0]]} Try it.")
    found = " and ".join(f"“{fault}”" for fault, seen in given.items() if seen)
    return f"The checks find {found}: limb leads obey laws, the order of the chest leads has none."


@exercise("own_ecg", 3, "The colleague's file", expects="a recording, and a dict: measurement -> two numbers")
def the_right_rate(repaired: object, measured: object, *, slow: ECG) -> str:
    """The file read at 250 Hz, and two measurements that the wrong rate changed."""
    repaired = as_ecg(repaired, "`repaired`")
    if abs(repaired.duration - slow.duration) > 0.1:
        if repaired.fs == 250:
            raise Hint("A wrong time axis can't be resampled away: read the file again, with its own rate.")
        if repaired.fs == 500:
            raise Hint("Still 500 Hz: the file was recorded at 250 Hz.")
        raise Hint(f"{repaired.duration:g} s long; the patient was recorded for {slow.duration:g} s.")
    scale = np.nanstd(repaired.signal) / np.nanstd(slow.signal)
    if not 0.9 < scale < 1.1:
        raise Hint(f"Voltages are off by a factor of {scale:.4g}: the unit of this file is mV.")
    two = "a dict with two measurements: name -> (colleague's, repaired)"
    measured = as_sort(measured, dict, "`measured`", two)
    if len(measured) < 2:
        raise Hint(f"`measured` should be {two}; it has {len(measured)}.")
    for name, pair in measured.items():
        if isinstance(pair, tuple | list) and any(isinstance(part, float) and np.isnan(part) for part in pair):
            raise Hint(f"measured[{name!r}] holds NaN: delineation found none there. Take another one.")
        wrong, right = as_array(pair, f"measured[{name!r}]", (2,))
        if not (right and wrong) or abs(abs(np.log2(wrong / right)) - 1) > 0.35:
            raise Hint(f"{name} is {wrong:g} and {right:g}: not doubled, not halved. Take one that depends on time.")
        if wrong > right and str(name).lower() in LASTING:
            raise Hint(
                f"{name}: first the colleague's, then the repaired one; at twice the rate all lasts half as long."
            )
    return "Whatever is measured in seconds is off by a factor of 2, whatever is measured in mV is not."


LASTING = ("rr", "pr", "qrs", "qt", "duration")  # what is measured in seconds, by its usual names

NO_CORRELATION = (
    "One of these matrices is zero, or the same in all cells, and correlates with nothing: explain another."
)

WINDOWED = {
    "a": "A higher probability is no proof of a better window; choosing it after looking is choosing the answer.",
    "b": "",
    "c": "The networks were never calibrated on people like this one; a mean of such numbers is no risk.",
}


@exercise("own_ecg", 4, "Three windows", expects='three explanations, two correlations, and "a", "b" or "c"')
def three_windows(windows: object, correlations: object, reading: object) -> str:
    """Explanations of three windows, correlations of their lead x wave shares with the first, what belongs to what."""
    given = as_list(windows, "`windows`", "three explanations, as `explain_ecg` returns them", Explanation)
    if len(given) != 3:
        raise Hint(f"`windows` should hold three explanations, one for each start; it holds {len(given)}.")
    if len({window.start for window in given}) < 3:
        raise Hint("The windows start at the same place: give `start` in seconds. A recording of 4 s has only one.")
    if len({(window.model, window.method) for window in given}) > 1:
        raise Hint("Not the same network or method in all three: fix both, with `explain` and `method`.")
    if given[0].start != 0:
        raise Hint(f"The first window should start at 0 s; this one starts at {given[0].start:g} s.")
    first, *others = (window.matrix.share().ravel() for window in given)
    wanted = [alike(first, other) for other in others]
    if not np.isfinite(wanted).all():
        raise Hint(NO_CORRELATION)
    found = as_array(correlations, "`correlations`", (2,))
    if not np.allclose(found, wanted, atol=0.005):
        first, *others = (window.relevance.ravel() for window in given)
        if np.allclose(found, [alike(first, other) for other in others], atol=0.005):
            raise Hint("These compare sample by sample, and the beats have moved: compare the matrices' shares.")
        raise Hint("np.corrcoef of `matrix.share().ravel()`: the second window with the first, and the third with it.")
    expect_choice(reading, WINDOWED, "`reading`")
    return "Report what repeats, or a mean over windows, and the spread beside it."


# The capstone, part by part


@exercise(
    "own_ecg", 5, "Dossier: what was told to the reader", expects="a recording, and a dict: fs, unit, leads -> a text"
)
def what_was_told(own: object, told: object, *, used: ECG) -> str:
    """``told``: for rate, unit and leads, where they come from."""
    own = as_ecg(own, "`own`")
    if own.signal.shape == used.signal.shape and np.array_equal(own.signal, used.signal):
        raise Hint("This is the recording of the notebook; take another.")
    for key, source in as_dict(told, ("fs", "unit", "leads"), "`told`").items():
        if not isinstance(source, str) or len(source.strip()) < 4:
            raise Hint(
                f"told[{key!r}] should say in words where this comes from: the file's header, the device, a note."
            )
        if "guess" in source.lower() or "assum" in source.lower():
            raise Hint(
                f"told[{key!r}]: a guess stops nothing and changes every number. Ask whoever made the recording."
            )
    return "Whoever doubts the page can start here."


@exercise("own_ecg", 6, "Dossier: findings", expects="a recording and two lists of checks, such as ['duration']")
def findings(own: object, found: object, matter: object) -> str:
    """``found``: names of the checks with an error or a warning; ``matter``: those that could change an answer."""
    report = check_ecg(as_ecg(own, "`own`"))
    errors = {finding.check for finding in report.of("error")}
    wanted = errors | {finding.check for finding in report.of("warning")}
    infos = {finding.check for finding in report.of("info")}
    given, chosen = names_of(found, "`found`") - infos, names_of(matter, "`matter`")
    if given - wanted:
        raise Hint(f"The check has no error or warning named {', '.join(sorted(given - wanted))}.")
    if wanted - given:
        raise Hint(f"{len(wanted - given)} of {len(wanted)} findings are missing; warnings count as well.")
    if chosen - wanted:
        raise Hint("`matter` should hold names that are in `found`.")
    if errors - chosen:
        raise Hint("An error means that an answer means nothing: each one matters.")
    return (
        "A clean recording, as far as checks can see." if not wanted else "The page will carry these beside the answer."
    )


def names_of(answer: object, what: str) -> set[str]:
    """Return the names of findings: from a Report, from findings, or from names."""
    parts = answer.findings if isinstance(answer, Report) else answer
    found = as_list(parts, what, "names of checks, in a list that is empty where there are none", (str, Finding))
    return {part.check if isinstance(part, Finding) else str(part) for part in found}


@exercise("own_ecg", 7, "Dossier: all windows", expects="a recording, and a dict: network -> probabilities")
def all_windows(own: object, by_window: object, *, models: Mapping[str, ECGNet]) -> str:
    """Probability of each network in every window, one start a second."""
    own = as_ecg(own, "`own`").resample(500)
    starts = [first / 500 for first in range(0, own.samples - 1999, 500)]
    found = as_dict(by_window, models, "`by_window`")
    given = {name: as_array(values, f"by_window[{name!r}]", (None,)) for name, values in found.items()}
    counts = {len(values) for values in given.values()}
    if counts != {len(starts)}:
        raise Hint(f"One start a second makes {len(starts)} windows of 4 s; here are {sorted(counts)}.")
    if any((values < 0).any() or (values > 1).any() for values in given.values()):
        raise Hint("These are no probabilities: `model.probability` returns them, the model itself returns logits.")
    ways = {
        "right": [own.preprocess().window(start) for start in starts],
        "Filter first: these windows are of the raw signal.": [own.window(start) for start in starts],
        "Filter the whole recording, then cut: a filter bends the ends of a short window.": [
            own.window(start).preprocess() for start in starts
        ],
    }
    error = {}
    for way, windows in ways.items():
        batch = torch.stack([window.tensor() for window in windows])
        answers = {name: np.asarray(model.probability(batch)) for name, model in models.items()}
        error[way] = max(np.abs(given[name] - answers[name]).max() for name in models)
    nearest = min(error, key=error.get)  # a network that is sure answers nearly the same to all three
    if nearest != "right" and error[nearest] < (1e-5 if error["right"] < 0.005 else 0.005):
        raise Hint(nearest)
    if error["right"] < 0.005:
        return "Four networks, every window: a reader sees the spread, not one lucky number."
    raise Hint("Compare with section 5: resample, preprocess, and then a window that starts at each full second.")


SENSITIVITIES = ("gradient", "smoothgrad", "vargrad")


@exercise("own_ecg", 8, "Dossier: two methods", expects="a recording and two results of `explain_ecg`")
def two_methods(own: object, first: object, second: object) -> str:
    """Two explanations of the most probable network on the same window."""
    own = as_ecg(own, "`own`")
    first, second = as_explanation(first, "`first`"), as_explanation(second, "`second`")
    for name, found in {"`first`": first, "`second`": second}.items():
        if apart(found.ecg.signal, own.resample(500).preprocess().signal) > 1e-3:
            raise Hint(f"{name} explains another recording than `own`.")
        if found.method == "random":
            raise Hint("A random map is a control, not a second opinion.")
        if found.method in SENSITIVITIES and "input" not in found.parameters.get("times", "nothing"):
            raise Hint(f"{found.method} says what a change would do; it shares nothing out. Times input, it does.")
        if found.caveat:
            raise Hint(f"{found.method} says little on this network: {found.caveat}.")
    if first.method == second.method:
        raise Hint("Both are by the same method; a second opinion needs another one.")
    if (first.model, first.start) != (second.model, second.start):
        raise Hint("They differ in more than the method: give both the same `explain` and `start`.")
    if first.model != max(first.probabilities, key=first.probabilities.get):
        raise Hint(f"{first.model} is not the most probable of the four; leave `explain` out, or name that one.")
    return f"{first.method} and {second.method} on the {first.model} network: where they agree, the next part asks."


@exercise("own_ecg", 9, "Dossier: agreement", expects="a set of (lead, wave), and two numbers")
def where_they_agree(first: object, second: object, agreed: object, correlation: object, lift: object) -> str:
    """Cells among the five strongest of both; the correlation of the matrices; the lift of the criterion's cells."""
    first, second = as_explanation(first, "`first`"), as_explanation(second, "`second`")
    tops = [{cell for cell, _ in found.matrix.ranked()[:5]} for found in (first, second)]
    given = {tuple(cell) for cell in as_list(agreed, "`agreed`", "pairs (lead, wave)", (tuple, list))}
    if given != tops[0] & tops[1]:
        if given in (*tops, tops[0] | tops[1]):
            raise Hint("`agreed` holds what one of the methods names; keep the cells that both name.")
        raise Hint("`agreed`: (lead, wave) of `matrix.ranked()[:5]` of both, without the shares; a set has `&`.")
    wanted, by_sample = (
        alike(a, b) for a, b in ((first.matrix.share(), second.matrix.share()), (first.relevance, second.relevance))
    )
    if not np.isfinite(wanted):
        raise Hint(NO_CORRELATION)
    value = as_number(correlation, "`correlation`")
    if abs(value - wanted) > 0.005:
        if abs(value - by_sample) < 0.005:
            raise Hint("That compares sample by sample; compare the shares of the matrices.")
        raise Hint("`correlation`: np.corrcoef of the two `matrix.share().ravel()`.")
    beside = agreement(first.matrix, first.model)
    none_given = isinstance(lift, float | np.floating) and np.isnan(lift)
    value = np.nan if none_given else as_number(lift, "`lift`")
    if not np.isclose(value, beside.lift, rtol=0.01, equal_nan=True):
        if np.isclose(value, beside.share, atol=0.005):
            raise Hint("That is the share; the lift is the share over the area.")
        raise Hint("`lift`: `agreement(first.matrix, first.model).lift`, of notebook 10.")
    if np.isnan(beside.lift):
        return (
            "Two methods with a number; of the criterion's cells none is in this window, and so the lift has no value."
        )
    return "Two methods, one criterion: three opinions that may differ, each with a number."


@exercise("own_ecg", 10, "Dossier: one page", expects="the result of `report`, and a list of two sentences")
def one_page(first: object, page: object, not_concluded: object) -> str:
    """The saved page, and two sentences about what it does not show."""
    first, shown = (
        as_explanation(first, "`first`"),
        as_sort(page, OnePage, "`page`", "what `report` returns").explanation,
    )
    if apart(shown.ecg.signal, first.ecg.signal) > 1e-3:
        raise Hint("The page is about another recording than `first`.")
    if (shown.model, shown.method, shown.start) != (first.model, first.method, first.start):
        raise Hint("The page should show what `first` shows: the same network, method and start.")
    if str(shown.parameters) != str(first.parameters):
        raise Hint(f"The page has other parameters than `first`: {shown.parameters} instead of {first.parameters}.")
    sentences = as_list(not_concluded, "`not_concluded`", "two sentences", str, least=2)
    if any(len(text.split()) < 4 for text in sentences):
        raise Hint("Write whole sentences: what would somebody conclude from the page, wrongly?")
    if len({text.strip().lower() for text in sentences}) < 2:
        raise Hint("Twice the same sentence: find another conclusion that the page does not bear.")
    return "Your dossier is complete. Give the page to somebody who doubts it."


quiz, progress, think_first = parts_of("own_ecg")
