"""A quiz: questions with options, and after the answer an explanation of every option, right or wrong."""

from collections.abc import Collection
from html import escape

import ipywidgets as widgets

from leadwise.checks.core import MARKS, NOT_YET, QUIZZES, RIGHT, line
from leadwise.checks.live import Live
from leadwise.checks.questions import Option, Question, questions_of, shuffled, translated
from leadwise.language import tr

__all__ = ["Option", "Question", "QuestionView", "Quiz", "explanations", "quiz"]

# Options are sentences: they wrap, where ipywidgets has one line of fixed height.
STYLE = """<style>
.leadwise-quiz .widget-radio-box label, .leadwise-quiz .widget-checkbox label {
    height: auto; white-space: normal; line-height: 1.4; margin-bottom: 4px; overflow: visible; }
.leadwise-quiz .widget-radio, .leadwise-quiz .widget-checkbox { height: auto; width: auto; max-width: 100%; }
.leadwise-quiz .widget-radio-box { width: auto; height: auto; max-width: 100%; }
</style>"""


class QuestionView:
    """Live view of one question: radio buttons or checkboxes, a button, and what is said of the answer.

    Parameters
    ----------
    number : 1 ...
    question : with its options
    """

    def __init__(self, number: int, question: Question):
        self.question = question
        self.right: bool | None = None  # whether the answer checked last was right
        wide = widgets.Layout(width="auto")
        texts = [option.text for option in question.options]
        if question.multiple:
            self.choices = [widgets.Checkbox(description=text, indent=False, layout=wide) for text in texts]
        else:
            self.choices = [widgets.RadioButtons(options=texts, index=None, layout=wide)]
        self.button = widgets.Button(description=tr("Check"))
        self.button.on_click(self._clicked)
        self.message = widgets.HTML()
        head = widgets.HTML(f"<b>{number}.</b> {escape(question.prompt)}")
        self.view = widgets.VBox([head, *self.choices, self.button, self.message])

    def chosen(self) -> set[int]:
        """Return the places of the options that are chosen now."""
        if self.question.multiple:
            return {place for place, box in enumerate(self.choices) if box.value}
        return set() if self.choices[0].index is None else {self.choices[0].index}

    def check(self) -> None:
        """Compare what is chosen with what is right, and explain every option."""
        chosen = self.chosen()
        if not chosen:
            self.message.value = tr("Choose an answer first.")
            return
        self.right = chosen == {place for place, option in enumerate(self.question.options) if option.right}
        state = RIGHT if self.right else NOT_YET
        head = line(f"<b>{MARKS[state]} {tr(state)}</b>", state)
        self.message.value = head + explanations(self.question, chosen)

    def _clicked(self, button) -> None:
        try:
            self.check()
        except Exception as error:  # a handler's exception would be seen nowhere
            self.message.value = f"<b>{escape(f'{type(error).__name__}: {error}')}</b>"


def explanations(question: Question, chosen: Collection[int] = ()) -> str:
    """Return a list (HTML) that says of every option whether it is right, why, and whether it was chosen."""
    rows = ""
    for place, option in enumerate(question.options):
        word = f"{MARKS[RIGHT]} {tr(RIGHT)}" if option.right else f"{MARKS[NOT_YET]} {tr('wrong')}"
        yours = f" ({tr('your choice')})" if place in chosen else ""
        rows += f"<li><b>{word}</b>{yours} · <i>{escape(option.text)}</i> {escape(option.why)}</li>"
    return f"<ul>{rows}</ul>"


class Quiz(Live):
    """Questions below each other. In a notebook the same output holds the live view and, as HTML, a static twin.

    Parameters
    ----------
    topic : of the notebook, for the summary of progress
    questions : in the order in which they are asked
    """

    def __init__(self, topic: str, questions: list[Question]):
        self.questions = list(questions)
        self.views = [QuestionView(number, question) for number, question in enumerate(self.questions, 1)]
        page = widgets.Layout(max_width="900px")
        self.view = widgets.VBox([widgets.HTML(STYLE), *(view.view for view in self.views)], layout=page)
        self.view.add_class("leadwise-quiz")
        QUIZZES[topic] = self

    @property
    def answered(self) -> dict[int, bool]:
        """Whether the answer is right, for each question (0 ...) that has been checked."""
        return {place: view.right for place, view in enumerate(self.views) if view.right is not None}

    def __repr__(self):
        rows = []
        for number, question in enumerate(self.questions, 1):
            rows += [f"{number}. {question.prompt}", *(f"   - {option.text}" for option in question.options)]
        return "\n".join(rows)

    def static(self) -> str:
        """Return the quiz as HTML that needs no kernel; the explanations are folded."""
        page = ""
        for number, question in enumerate(self.questions, 1):
            options = "".join(f"<li>{escape(option.text)}</li>" for option in question.options)
            page += f"<p><b>{number}.</b> {escape(question.prompt)}</p><ul>{options}</ul>"
            answer = tr("Answer to question {number}", number=number)
            page += f"<details><summary>{answer}</summary>{explanations(question)}</details>"
        return page


def quiz(topic: str, questions: list[Question] | None = None) -> Quiz:
    """Return the quiz of a notebook, ready to be shown, the options of each question shuffled by a fixed seed.

    Parameters
    ----------
    topic : of the notebook
    questions : None for those of ``quizzes/<topic>.md``

    Raises
    ------
    ValueError : there is no such file, or it can't be read

    >>> quiz("start").questions[0].text
    'A heatmap marks the QRS complex in V1. What do you know?'
    """
    questions = questions_of(topic) if questions is None else questions
    return Quiz(topic, [translated(shuffled(question, topic)) for question in questions])
