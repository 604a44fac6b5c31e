"""Checks and quiz of notebook 11, Your own ECG. The capstone's dossier is checked part by part."""

import numpy as np
import torch

from leadwise.checks import core
from leadwise.checks.core import Hint, alike, as_array, as_dict, as_number, exercise, expect_choice
from leadwise.checks.parts import parts_of
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.recordings.quality import Finding, Report, check_ecg
from leadwise.report import Explanation, OnePage
from leadwise.semantics import agreement

STEP = 0.00488  # mV, of the converter in exercise 1


def as_ecg(answer, what: str) -> ECG:
    """Return a recording, or raise a Hint that says what came."""
    if not isinstance(answer, ECG):
        raise Hint(f"{what} should be a recording, as `read_ecg` and `load_record` return it, not {core.kind(answer)}.")
    return answer


def as_flags(answer, what: str, keys: tuple) -> dict[str, bool]:
    """Return a dict of True and False with these keys, or raise a Hint."""
    if not isinstance(answer, dict) or set(answer) != set(keys):
        raise Hint(f"{what} should be a dict with the keys {', '.join(map(repr, keys))}.")
    if not all(isinstance(value, bool | np.bool_) for value in answer.values()):
        raise Hint(f"Each value of {what} should be True or False.")
    return {key: bool(value) for key, value in answer.items()}


def apart(a, b) -> float:
    """Largest difference of two signals in mV where both have numbers; infinite where the shapes differ."""
    return float(np.nanmax(np.abs(a - b))) if a.shape == b.shape else float("inf")


@exercise("own_ecg", 1, "An array without a word", expects="the recording that `read_ecg` returns")
def read_right(read, *, ecg):
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
def what_a_check_finds(findable):
    """Which faults break a law."""
    given = as_flags(findable, "`findable`", tuple(FINDABLE))
    wrong = [fault for fault, wanted in FINDABLE.items() if given[fault] != wanted]
    if wrong:
        raise Hint(f"{4 - len(wrong)} of 4 are right. {wrong[0]}: {WHY_FINDABLE[wrong[0]]} Try it.")
    found = " and ".join(f"“{fault}”" for fault, seen in given.items() if seen)
    return f"The checks find {found}: limb leads obey laws, the order of the chest leads has none."


@exercise("own_ecg", 3, "The colleague's file", expects="a recording, and a dict: measurement -> two numbers")
def the_right_rate(repaired, measured, *, slow):
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
    if not isinstance(measured, dict) or len(measured) < 2:
        raise Hint("`measured` should be a dict with two measurements: name -> (colleague's, repaired).")
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
def three_windows(windows, correlations, reading):
    """Explanations of three windows, correlations of their lead x wave shares with the first, what belongs to what."""
    windows = list(windows.values() if isinstance(windows, dict) else windows)
    if len(windows) != 3 or not all(isinstance(window, Explanation) for window in windows):
        raise Hint("`windows` should hold three explanations, as `explain_ecg` returns them.")
    if len({window.start for window in windows}) < 3:
        raise Hint("The windows start at the same place: give `start` in seconds. A recording of 4 s has only one.")
    if len({(window.model, window.method) for window in windows}) > 1:
        raise Hint("Not the same network or method in all three: fix both, with `explain` and `method`.")
    if windows[0].start != 0:
        raise Hint(f"The first window should start at 0 s; this one starts at {windows[0].start:g} s.")
    first, *others = (window.matrix.share().ravel() for window in windows)
    wanted = [alike(first, other) for other in others]
    if not np.isfinite(wanted).all():
        raise Hint(NO_CORRELATION)
    given = as_array(correlations, "`correlations`", (2,))
    if not np.allclose(given, wanted, atol=0.005):
        first, *others = (window.relevance.ravel() for window in windows)
        if np.allclose(given, [alike(first, other) for other in others], atol=0.005):
            raise Hint("These compare sample by sample, and the beats have moved: compare the matrices' shares.")
        raise Hint("np.corrcoef of `matrix.share().ravel()`: the second window with the first, and the third with it.")
    expect_choice(reading, WINDOWED, "`reading`")
    return "Report what repeats, or a mean over windows, and the spread beside it."


# The capstone, part by part


@exercise(
    "own_ecg", 5, "Dossier: what was told to the reader", expects="a recording, and a dict: fs, unit, leads -> a text"
)
def what_was_told(own, told, *, used):
    """``told``: for rate, unit and leads, where they come from."""
    own = as_ecg(own, "`own`")
    if own.signal.shape == used.signal.shape and np.array_equal(own.signal, used.signal):
        raise Hint("This is the recording of the notebook; take another.")
    told = as_dict(told, ("fs", "unit", "leads"), "`told`")
    for key, source in told.items():
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
def findings(own, found, matter):
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


def names_of(answer, what: str) -> set[str]:
    """Return the names of findings: from a Report, from findings, or from names."""
    answer = answer.findings if isinstance(answer, Report) else answer
    if isinstance(answer, str) or not all(isinstance(part, str | Finding) for part in answer):
        raise Hint(f"{what} should be a list of names of checks; an empty one where there are none.")
    return {part.check if isinstance(part, Finding) else part for part in answer}


@exercise("own_ecg", 7, "Dossier: all windows", expects="a recording, and a dict: network -> probabilities")
def all_windows(own, by_window, *, models):
    """Probability of each network in every window, one start a second."""
    own = as_ecg(own, "`own`").resample(500)
    if not isinstance(by_window, dict) or set(by_window) != set(models):
        raise Hint(f"`by_window` should be a dict with the keys {', '.join(models)}.")
    starts = [first / 500 for first in range(0, own.samples - 1999, 500)]
    given = {name: as_array(by_window[name], f"by_window[{name!r}]", (None,)) for name in models}
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
def two_methods(own, first, second):
    """Two explanations of the most probable network on the same window."""
    own = as_ecg(own, "`own`")
    for name, found in {"`first`": first, "`second`": second}.items():
        if not isinstance(found, Explanation):
            raise Hint(f"{name} should be what `explain_ecg` returns, not {core.kind(found)}.")
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
def where_they_agree(first, second, agreed, correlation, lift):
    """Cells among the five strongest of both; the correlation of the matrices; the lift of the criterion's cells."""
    tops = [{cell for cell, _ in found.matrix.ranked()[:5]} for found in (first, second)]
    given = {tuple(cell) for cell in agreed}
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
    value = float(lift) if np.isnan(beside.lift) else as_number(lift, "`lift`")
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
def one_page(first, page, not_concluded):
    """The saved page, and two sentences about what it does not show."""
    if not isinstance(page, OnePage):
        raise Hint(f"`page` should be what `report` returns, not {core.kind(page)}.")
    shown = page.explanation
    if apart(shown.ecg.signal, first.ecg.signal) > 1e-3:
        raise Hint("The page is about another recording than `first`.")
    if (shown.model, shown.method, shown.start) != (first.model, first.method, first.start):
        raise Hint("The page should show what `first` shows: the same network, method and start.")
    if str(shown.parameters) != str(first.parameters):
        raise Hint(f"The page has other parameters than `first`: {shown.parameters} instead of {first.parameters}.")
    if isinstance(not_concluded, str) or len(not_concluded) < 2:
        raise Hint("`not_concluded` should be a list of two sentences.")
    if any(not isinstance(text, str) or len(text.split()) < 4 for text in not_concluded):
        raise Hint("Write whole sentences: what would somebody conclude from the page, wrongly?")
    if len({text.strip().lower() for text in not_concluded}) < 2:
        raise Hint("Twice the same sentence: find another conclusion that the page does not bear.")
    return "Your dossier is complete. Give the page to somebody who doubts it."


quiz, progress, think_first = parts_of("own_ecg")
