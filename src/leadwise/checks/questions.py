"""Questions of a quiz: written in Markdown, one file a notebook in ``quizzes/``, and shuffled by a seed that is fixed.

## A question?

- [ ] A wrong option.
  Why it is wrong.
- [x] A right option; with several of them the question asks for all.
  Why it is right. Lines may be broken.
"""

import random
import re
from dataclasses import dataclass, replace
from pathlib import Path

from leadwise.language import mark, tr

FOLDER = Path(__file__).parent / "quizzes"
CHOOSE_ALL = mark("Choose all that apply.")
MARK = re.compile(r"^- \[([ x])\] ", re.MULTILINE)


@dataclass(frozen=True)
class Option:
    """One option of a question: its text, whether it is right, and why it is or is not.

    >>> Option("three", True, "It leaves one when halved.").right
    True
    """

    text: str
    right: bool
    why: str

    def __post_init__(self):
        if not (self.text.strip() and self.why.strip()):
            raise ValueError(f"an option needs a text and a why; got {self.text!r} and {self.why!r}.")


@dataclass(frozen=True)
class Question:
    """A question and its options, in the order in which they are shown; with several right ones a multiple choice.

    >>> odd = Question("Which is odd?", [Option("2", False, "It is even."), Option("3", True, "It is not even.")])
    >>> odd.multiple
    False
    """

    text: str
    options: tuple[Option, ...] | list[Option]

    def __post_init__(self):
        if len(self.options) < 2 or not any(option.right for option in self.options):
            raise ValueError(f"{self.text!r} needs two options or more, one or more of them right.")

    @property
    def multiple(self) -> bool:
        """Whether more than one option is right."""
        return sum(option.right for option in self.options) > 1

    @property
    def prompt(self) -> str:
        """The question, and whether to choose several."""
        return f"{self.text} {tr(CHOOSE_ALL)}" if self.multiple else self.text


def questions_of(topic: str) -> list[Question]:
    """Return the questions of a notebook as its file has them, not shuffled.

    Parameters
    ----------
    topic : the name of its file in ``quizzes/``

    Raises
    ------
    ValueError : there is no such file, or a part of it is no question; the message says which

    >>> len(questions_of("start"))
    1
    """
    path = FOLDER / f"{topic}.md"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in FOLDER.glob("*.md")))
        raise ValueError(f"no quiz of the topic {topic!r}; there are: {known}")
    return parse(path.read_text(encoding="utf-8"))


def parse(text: str) -> list[Question]:
    """Return the questions of a Markdown text, see this module's own.

    Parameters
    ----------
    text : headings of the second level, and below each its options

    Raises
    ------
    ValueError : something stands before the first question, or a question has too few options, none right, or no why

    >>> parse("## Which is odd?\\n\\n- [ ] 2\\n  Even.\\n- [x] 3\\n  Not even.")[0].options[1].why
    'Not even.'
    """
    before, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    if before.strip():
        raise ValueError(f"a question begins with '## '; before the first stands {before.strip()[:60]!r}.")
    return [_question(part) for part in parts]


def _question(part: str) -> Question:
    head, *rest = MARK.split(part)
    marks, bodies = rest[::2], rest[1::2]
    return Question(_flow(head), tuple(_option(*pair) for pair in zip(marks, bodies, strict=True)))


def _option(mark: str, body: str) -> Option:
    text, _, why = body.partition("\n")
    return Option(text.strip(), mark == "x", _flow(why))


def _flow(text: str) -> str:
    """Return a text in one line."""
    return " ".join(text.split())


def translated(question: Question) -> Question:
    """Return a question in the language in use.

    >>> translated(parse("## Which is odd?\\n- [ ] 2\\n  Even.\\n- [x] 3\\n  Odd.")[0]).text
    'Which is odd?'
    """
    options = tuple(Option(tr(option.text), option.right, tr(option.why)) for option in question.options)
    return Question(tr(question.text), options)


def shuffled(question: Question, topic: str) -> Question:
    """Return a question with its options in an order that depends on the topic and the question alone.

    Parameters
    ----------
    question : in any order, which does not matter where the options are the same
    topic : of its notebook

    >>> one = parse("## Which is odd?\\n- [ ] 2\\n  Even.\\n- [x] 3\\n  Odd.\\n- [ ] 4\\n  Even.")[0]
    >>> shuffled(one, "99") == shuffled(replace(one, options=one.options[::-1]), "99")
    True
    """
    options = sorted(question.options, key=lambda option: option.text)
    random.Random(f"{topic}/{question.text}").shuffle(options)
    return replace(question, options=tuple(options))
