"""Exercises that check themselves: a check takes what the learner has made and returns a verdict; it never raises.

@exercise("gradients", 1, "SmoothGrad without noise", expects="a map (3, 224, 224)")
def smoothgrad_without_noise(maps):
    ...
    raise Hint("These maps are absolute values: keep the sign.")
    return "Without noise all copies are one."
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from html import escape
from inspect import signature
from textwrap import shorten
from typing import TYPE_CHECKING, Protocol, TypeVar

from leadwise.language import mark, tr

if TYPE_CHECKING:
    from leadwise.checks.quiz import Quiz

RIGHT, NOT_YET, NOT_DONE = mark("right"), mark("not yet"), mark("not done yet")
MARKS = {RIGHT: "✓", NOT_YET: "✗", NOT_DONE: "○"}
COLOURS = {RIGHT: "#0a2f8f", NOT_YET: "#c22f00", NOT_DONE: "#767676"}  # blue, orange, grey: told apart by everyone

Key = TypeVar("Key", bound=Hashable)

CHECKS: dict[str, dict[int, "Check"]] = defaultdict(dict)  # topic -> number -> check
VERDICTS: dict[tuple[str, int], "Verdict"] = {}  # the last one of each exercise
QUIZZES: dict[str, "Quiz"] = {}  # topic -> the quiz shown last
PROMPTS: dict[tuple[str, str], str | None] = {}  # topic, label of a think-first field -> what was said first
PREDICTED: dict[tuple[str, int], str] = {}  # topic, exercise -> what was predicted first


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
    said : what was predicted first, in words; it is shown beside the result and never judged

    >>> Verdict("Exercise 1 (V1 or V6)", "right", "The map says V1.", said="“V6”")
    ✓ Exercise 1 (V1 or V6): right. You said “V6”. The map says V1.
    """

    exercise: str
    state: str
    text: str
    said: str = ""

    @property
    def words(self) -> str:
        """What was said, and what is said to it."""
        return " ".join(filter(None, [tr("You said {said}.", said=self.said) if self.said else "", self.text]))

    def __repr__(self):
        return f"{MARKS[self.state]} {self.exercise}: {tr(self.state)}" + f". {self.words}" * bool(self.words)

    def _repr_html_(self):
        head = f"<b>{MARKS[self.state]} {tr(self.state)}</b> · {escape(self.exercise)}"
        return line(f"{head}: {escape(self.words)}" if self.words else head, self.state)


class Check(Protocol):
    """What ``exercise`` makes of a function: it takes whatever a learner has made and returns a verdict."""

    title: str
    name: Callable[[], str]  # number and title, in the language in use

    def __call__(self, *answers: object, **context: object) -> Verdict:
        """Judge the answers."""


@dataclass(frozen=True)
class Progress:
    """How far a learner has come in one notebook.

    Parameters
    ----------
    verdicts : one for each exercise
    questions, answered, right : of the quiz: how many there are, how many were answered, and how many of them rightly
    thoughts : label of each think-first field shown -> what was said first, None where nothing was

    >>> Progress((), thoughts={"the lead": "V6", "the wave": None})
    0 of 0 exercises right.
    Think first: 1 of 2 answered.
      ✎ the lead: you said “V6”
    """

    verdicts: tuple[Verdict, ...]
    questions: int = 0
    answered: int = 0
    right: int = 0
    thoughts: Mapping[str, str | None] = field(default_factory=dict)

    def lines(self) -> tuple[str, str, str]:
        """Return one sentence about the exercises, one about the quiz and one about what was thought first."""
        done = sum(verdict.state == RIGHT for verdict in self.verdicts)
        kept = sum(answer is not None for answer in self.thoughts.values())
        asked = {"answered": self.answered, "all": self.questions, "right": self.right}
        quiz = tr("Quiz: {answered} of {all} questions answered, {right} rightly.", **asked)
        thoughts = tr("Think first: {kept} of {all} answered.", kept=kept, all=len(self.thoughts))
        exercises = tr("{done} of {all} exercises right.", done=done, all=len(self.verdicts))
        return exercises, quiz if self.questions else "", thoughts if self.thoughts else ""

    def rows(self) -> list[tuple[str, str]]:
        """Return a line for each exercise, with its state; what was predicted stands beside what was found."""
        found = [f"{v.exercise}: {tr(v.state)}" + f". {v.words}" * bool(v.said) for v in self.verdicts]
        return [(f"{MARKS[v.state]} {text}", v.state) for v, text in zip(self.verdicts, found, strict=True)]

    def said(self) -> list[str]:
        """Return a line for each think-first field that was answered."""
        thoughts = [(label, said) for label, said in self.thoughts.items() if said is not None]
        return [f"✎ {tr('{label}: you said “{said}”', label=label, said=said)}" for label, said in thoughts]

    def __repr__(self):
        exercises, quiz, thoughts = self.lines()
        parts = [exercises, *(f"  {text}" for text, _ in self.rows()), quiz, thoughts, *(f"  {t}" for t in self.said())]
        return "\n".join(filter(None, parts))

    def _repr_html_(self):
        exercises, quiz, thoughts = self.lines()
        rows = "".join(line(escape(text), state) for text, state in self.rows())
        said = "".join(line(escape(text), NOT_DONE) for text in self.said())
        return f"<p><b>{exercises}</b></p>{rows}<p>{quiz}</p>" + (f"<p>{thoughts}</p>{said}" if thoughts else "")


def line(content: str, state: str) -> str:
    """Return HTML as one line with a bar in the state's colour; the words keep the page's colour, light or dark."""
    return f"<div style='border-left: 4px solid {COLOURS[state]}; padding: 2px 8px; margin: 2px 0'>{content}</div>"


def exercise(
    topic: str, number: int, title: str, expects: str = "", predicts: bool | Iterable = False
) -> Callable[[Callable[..., str | None]], Check]:
    """Make a function the check of an exercise.

    The function takes the learner's answers by position, and by keyword whatever else it needs. It returns a sentence
    that confirms what was shown, or raises ``Hint``. What is made of it returns a ``Verdict`` and never raises:
    an answer that is ``...`` or None, or a list or dict that holds ``...``, is "not done yet"; an exception other than
    ``Hint``, in the check or in a learner's function, is "not yet" and named.

    Parameters
    ----------
    topic : of the notebook: the name of the module
    number : 1 ... within the notebook
    title : a few words, for the summary
    expects : what the answer should be, such as "a tensor (3, 224, 224)"; said when it could not be checked
    predicts : the first answer of a call is what the learner predicted. The first of them is kept, whatever comes
        later, and shown beside the result; the function gets the other answers alone, so that no prediction is wrong.
        Keys instead of True: a prediction that is a dict has all of them. One that lacks some is a slip of the pen, is
        not kept, and may be written again; words instead of a dict are kept as they are.

    Raises
    ------
    ValueError : another check has this number
    """

    def name() -> str:
        return tr("Exercise {number} ({title})", number=number, title=tr(title))

    def decorate(function):
        parameters = ["predicted"] * bool(predicts) + list(signature(function).parameters)

        @wraps(function)
        def check(*answers, **context) -> Verdict:
            said, slip = predicted_first(topic, number, answers, predicts) if predicts else ("", "")
            missing = [word for word, answer in zip(parameters, answers, strict=False) if undone(answer)]
            state, text = NOT_DONE, slip
            if not missing and not slip:
                state, text = judge(function, answers[bool(predicts) :], context, expects)
            elif not slip and len(missing) < len(answers):
                text = tr("Still to do: {names}.", names=", ".join(missing))
            VERDICTS[topic, number] = Verdict(name(), state, text, said)
            return VERDICTS[topic, number]

        before = CHECKS[topic].get(number)
        if before is not None and before.__qualname__ != function.__qualname__:
            raise ValueError(f"{topic}: {before.__name__} and {function.__name__} are both {number}.")
        CHECKS[topic][number] = check
        check.title, check.name = f"Exercise {number} ({title})", name
        return check

    return decorate


def predicted_first(topic: str, number: int, answers: tuple, keys: bool | Iterable) -> tuple[str, str]:
    """Keep what was predicted in an exercise, unless something was before.

    Returns
    -------
    what is kept, in words; and what has to be mended before anything is, where it is a dict that lacks some of ``keys``
    """
    if answers and not undone(answers[0]) and (topic, number) not in PREDICTED:
        try:
            if isinstance(answers[0], dict) and not isinstance(keys, bool):
                under_keys(answers[0], keys, "`predicted`")
        except Hint as slip:
            return "", str(slip)
        PREDICTED[topic, number] = in_words(answers[0])
    return PREDICTED.get((topic, number), ""), ""


def under_keys(answer: Mapping, keys: Iterable[Key], what: str, came: str = "") -> dict[Key, object]:
    """Return what ``answer`` holds under ``keys``, or under their names; raise a Hint that names the missing ones."""
    keys, held = list(keys), {str(key): value for key, value in answer.items()} | dict(answer)
    given = {key: held[name] for key in keys for name in (str(key), key) if name in held}
    missing = ", ".join(str(key) for key in keys if key not in given)
    if missing:
        raise Hint(f"{what} should be a dict with the keys {', '.join(map(str, keys))}; missing: {missing}{came}.")
    return given


def in_words(answer: object) -> str:
    """Return a prediction as a person reads it, in 120 characters at most.

    >>> in_words({"V1": 0.3, "waves": True, 8: "moved"})
    'V1: 0.3, waves: True, 8: “moved”'
    """
    if isinstance(answer, dict):
        words = ", ".join(f"{key}: {in_words(value)}" for key, value in answer.items())
    elif isinstance(answer, list | tuple | set):
        words = ", ".join(map(in_words, answer))
    else:
        words = f"“{answer}”" if isinstance(answer, str) else str(answer)
    return shorten(words, 120, placeholder=" ...")


def keep(topic: str, label: str, answer: str) -> None:
    """Keep what was said in a think-first field, unless something was before.

    Parameters
    ----------
    topic : of the notebook
    label : of the field
    answer : the learner's words
    """
    if PROMPTS.get((topic, label)) is None:
        PROMPTS[topic, label] = answer


def undone(answer: object) -> bool:
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
        text = tr("could not be checked: {error}", error=f"{type(error).__name__}: {error}").rstrip(" :.")
        return NOT_YET, tr("{text}; expected {expects}.", text=text, expects=tr(expects)) if expects else f"{text}."


def progress(topic: str) -> Progress:
    """Return how many exercises of a notebook are right, as checked last, how much of its quiz is answered, and what
    the learner thought first.

    Parameters
    ----------
    topic : of the notebook
    """
    todo = sorted(CHECKS[topic].items())
    verdicts = tuple(VERDICTS.get((topic, number), Verdict(check.name(), NOT_DONE, "")) for number, check in todo)
    thoughts = {label: said for (where, label), said in PROMPTS.items() if where == topic}
    quiz = QUIZZES.get(topic)
    if quiz is None:
        return Progress(verdicts, thoughts=thoughts)
    return Progress(verdicts, len(quiz.questions), len(quiz.answered), sum(quiz.answered.values()), thoughts)
