"""Exercises that check themselves: a check takes what the learner has made and returns a verdict; it never raises.

@exercise("02", 1, "SmoothGrad without noise", expects="a map (3, 224, 224)")
def smoothgrad_without_noise(maps):
    ...
    raise Hint("These maps are absolute values: keep the sign.")
    return "Without noise all copies are one."
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from html import escape
from inspect import signature

import numpy as np
import torch

RIGHT, NOT_YET, NOT_DONE = "right", "not yet", "not done yet"
MARKS = {RIGHT: "✓", NOT_YET: "✗", NOT_DONE: "○"}
COLOURS = {RIGHT: "#0a2f8f", NOT_YET: "#c22f00", NOT_DONE: "#767676"}  # blue, orange, grey: told apart by everyone

CHECKS: dict[str, dict[int, Callable]] = defaultdict(dict)  # notebook -> number -> check
VERDICTS: dict[tuple[str, int], "Verdict"] = {}  # the last one of each exercise
QUIZZES: dict[str, object] = {}  # notebook -> the quiz shown last


class Hint(Exception):
    """Raised by a check: one sentence or two that help with this wrong answer."""


@dataclass(frozen=True)
class Verdict:
    """What a check says.

    Parameters
    ----------
    exercise : its number and title, such as "Exercise 1 (SmoothGrad without noise)"
    state : "right", "not yet" or "not done yet"
    text : what was shown, or a hint
    """

    exercise: str
    state: str
    text: str

    def __repr__(self):
        return f"{MARKS[self.state]} {self.exercise}: {self.state}" + f". {self.text}" * bool(self.text)

    def _repr_html_(self):
        head = f"<b>{MARKS[self.state]} {self.state}</b> · {escape(self.exercise)}"
        return line(f"{head}: {escape(self.text)}" if self.text else head, self.state)


@dataclass(frozen=True)
class Progress:
    """How far a learner has come in one notebook.

    Parameters
    ----------
    verdicts : one for each exercise
    questions, answered, right : of the quiz: how many there are, how many were answered, and how many of them rightly
    """

    verdicts: tuple[Verdict, ...]
    questions: int = 0
    answered: int = 0
    right: int = 0

    def lines(self) -> tuple[str, str]:
        """Return one sentence about the exercises and one about the quiz."""
        done = sum(verdict.state == RIGHT for verdict in self.verdicts)
        quiz = f"Quiz: {self.answered} of {self.questions} questions answered, {self.right} rightly."
        return f"{done} of {len(self.verdicts)} exercises right.", quiz if self.questions else ""

    def __repr__(self):
        exercises, quiz = self.lines()
        rows = [f"  {MARKS[v.state]} {v.exercise}: {v.state}" for v in self.verdicts]
        return "\n".join([exercises, *rows, *([quiz] if quiz else [])])

    def _repr_html_(self):
        exercises, quiz = self.lines()
        rows = [line(f"{MARKS[v.state]} {escape(v.exercise)}: {v.state}", v.state) for v in self.verdicts]
        return f"<p><b>{exercises}</b></p>{''.join(rows)}<p>{quiz}</p>"


def line(content: str, state: str) -> str:
    """Return HTML as one line with a bar in the state's colour; the words keep the page's colour, light or dark."""
    return f"<div style='border-left: 4px solid {COLOURS[state]}; padding: 2px 8px; margin: 2px 0'>{content}</div>"


def exercise(notebook: str, number: int, title: str, expects: str = "") -> Callable:
    """Make a function the check of an exercise.

    The function takes the learner's answers by position, and by keyword whatever else it needs. It returns a sentence
    that confirms what was shown, or raises ``Hint``. What is made of it returns a ``Verdict`` and never raises:
    an answer that is ``...`` or None, or a list or dict that holds ``...``, is "not done yet"; an exception other than
    ``Hint``, in the check or in a learner's function, is "not yet" and named.

    Parameters
    ----------
    notebook : "01" to "10"
    number : 1 ... within the notebook
    title : a few words, for the summary
    expects : what the answer should be, such as "a tensor (3, 224, 224)"; said when it could not be checked

    Raises
    ------
    ValueError : another check has this number
    """
    name = f"Exercise {number} ({title})"

    def decorate(function):
        parameters = list(signature(function).parameters)

        @wraps(function)
        def check(*answers, **context) -> Verdict:
            missing = [word for word, answer in zip(parameters, answers, strict=False) if undone(answer)]
            state, text = NOT_DONE, ""
            if not missing:
                state, text = judge(function, answers, context, expects)
            elif len(missing) < len(answers):
                text = f"Still to do: {', '.join(missing)}."
            VERDICTS[notebook, number] = Verdict(name, state, text)
            return VERDICTS[notebook, number]

        before = CHECKS[notebook].get(number)
        if before is not None and before.__qualname__ != function.__qualname__:
            raise ValueError(f"notebook {notebook}: {before.__name__} and {function.__name__} are both {number}.")
        CHECKS[notebook][number] = check
        check.title = name
        return check

    return decorate


def undone(answer) -> bool:
    """Say whether an answer is still the stub's: ``...``, None, or a list, tuple or dict with ``...`` in it."""
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, list | tuple):
        return any(part is ... for part in answer)
    return answer is ... or answer is None


def judge(function: Callable, answers: tuple, context: dict, expects: str) -> tuple[str, str]:
    """Run a check; return the state and the text."""
    try:
        return RIGHT, str(function(*answers, **context) or "")
    except Hint as hint:
        return NOT_YET, str(hint)
    except Exception as error:  # whatever a learner's code can raise
        text = f"could not be checked: {type(error).__name__}: {error}".rstrip(" :.")
        return NOT_YET, f"{text}; expected {expects}." if expects else f"{text}."


def progress(notebook: str) -> Progress:
    """Return how many exercises of a notebook are right, as checked last, and how much of its quiz is answered."""
    todo = sorted(CHECKS[notebook].items())
    verdicts = tuple(VERDICTS.get((notebook, number), Verdict(check.title, NOT_DONE, "")) for number, check in todo)
    quiz = QUIZZES.get(notebook)
    if quiz is None:
        return Progress(verdicts)
    return Progress(verdicts, len(quiz.questions), len(quiz.answered), sum(quiz.answered.values()))


# What checks ask of answers: each returns the answer in one form, or raises a Hint that says what came.


def kind(answer) -> str:
    """Return in words what an answer is: "a str", "an array (2, 3)"."""
    if isinstance(answer, torch.Tensor | np.ndarray) and answer.ndim:
        return f"{'a tensor' if isinstance(answer, torch.Tensor) else 'an array'} {tuple(answer.shape)}"
    return f"{'an' if type(answer).__name__[0] in 'aeiou' else 'a'} {type(answer).__name__}"


def as_array(answer, what: str, shape: tuple | None = None) -> np.ndarray:
    """Return a tensor, an array or nested lists of numbers as float64.

    Parameters
    ----------
    answer : the learner's
    what : its name in hints
    shape : that it must have, None for a length that is free: (None, 3); without it any shape is right

    Raises
    ------
    Hint : it is None, is not numbers, has another shape, or holds NaN or infinity
    """
    if answer is None:  # numpy makes NaN of it
        raise Hint(f"{what} is None; that is also what a function without `return` returns.")
    if isinstance(answer, torch.Tensor):
        answer = answer.detach().cpu().double().numpy()
    try:
        array = np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        raise Hint(f"{what} should be numbers, not {kind(answer)}.") from None
    if shape is not None and not same_shape(array.shape, shape):
        wanted = str(tuple("any" if size is None else size for size in shape)).replace("'", "")
        raise Hint(f"{what} should have the shape {wanted}; this one has {array.shape}.")
    if not np.isfinite(array).all():
        raise Hint(f"{what} holds NaN or infinity: somewhere a division by zero, or a logarithm of it.")
    return array


def same_shape(shape: tuple, wanted: tuple) -> bool:
    """Say whether a shape is the wanted one, where None stands for any length."""
    return len(shape) == len(wanted) and all(b in (a, None) for a, b in zip(shape, wanted, strict=True))


def as_number(answer, what: str) -> float:
    """Return a number, or an array or tensor with a single value, as a float; raise a Hint for anything else."""
    if isinstance(answer, str | bool):
        raise Hint(f"{what} should be a number, not {kind(answer)}.")
    array = as_array(answer, what)
    if array.size != 1:
        raise Hint(f"{what} should be one number; this is {kind(answer)}.")
    return float(array.reshape(()))


def as_choice(answer, choices: Iterable[str], what: str) -> str:
    """Return which of ``choices`` was chosen, whatever its case; raise a Hint for anything else."""
    choices = list(choices)
    for choice in choices:
        if isinstance(answer, str) and answer.strip().lower() == choice.lower():
            return choice
    raise Hint(f"{what} should be one of {', '.join(map(repr, choices))}; this is {answer!r}.")


def as_function(answer, what: str) -> Callable:
    """Return a function; raise a Hint for what can't be called, its result for instance."""
    if not callable(answer):
        raise Hint(f"{what} should be a function, not its result: this is {kind(answer)}.")
    return answer


def expect_number(answer, wanted: float, tolerance: float, what: str) -> float:
    """Return a number within ``tolerance`` of the wanted one; raise a Hint that says on which side it lies."""
    value = as_number(answer, what)
    if not np.isfinite(value) or abs(value - wanted) > tolerance:
        raise Hint(f"{what} is too {'large' if value > wanted else 'small'}: {value:.4g}.")
    return value


def expect_array(answer, wanted, tolerance: float, what: str) -> np.ndarray:
    """Return an array that differs from the wanted one by at most ``tolerance`` times the latter's largest magnitude.

    Raises
    ------
    Hint : another shape, or a larger difference, which is named with its place
    """
    wanted = as_array(wanted, "the reference")
    array = as_array(answer, what, wanted.shape)
    difference = np.abs(array - wanted)
    if difference.size and difference.max() > tolerance * np.abs(wanted).max():
        place = tuple(int(i) for i in np.unravel_index(difference.argmax(), difference.shape))
        share = difference.max() / max(np.abs(wanted).max(), 1e-300)
        raise Hint(f"{what} differs from what it should be, most at {place}: by {share:.1g} of the largest magnitude.")
    return array


def alike(a, b) -> float:
    """Return the correlation of two maps, arrays or tensors of as many values."""
    return float(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1])


def same_weights(one: torch.nn.Module, other: torch.nn.Module, but: str = "-") -> bool:
    """Say whether two networks have the same weights and biases, all but those of one layer, by its name."""
    first, second = one.state_dict(), other.state_dict()
    kept = [name for name in first if not name.startswith(but)]
    return first.keys() == second.keys() and all(torch.equal(first[n].cpu(), second[n].cpu()) for n in kept)
