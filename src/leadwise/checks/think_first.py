"""A field for what a learner expects before the next cell is run: the first answer is kept, and never marked."""

from html import escape

import ipywidgets as widgets

from leadwise.checks.core import NOT_DONE, PROMPTS, keep, line
from leadwise.checks.live import Live
from leadwise.language import mark, tr

STYLE = "<style>.leadwise-think textarea { line-height: 1.4; }</style>"
ASK = mark("Your answer, before the next cell: kept, never marked.")
PAPER = mark(
    "In a running notebook a field stands here that keeps your answer. On paper: write it down before you read on."
)


class ThinkFirst(Live):
    """One field and a button. What is kept first stays, and is shown again by ``progress``.

    Parameters
    ----------
    topic : of the notebook
    label : what is asked, in a few words; it names the answer in the summary

    >>> field = ThinkFirst("99", "the lead")
    >>> field.answer.value = "V6"
    >>> field.button.click()
    >>> field
    Think first, the lead: you said “V6”.
    """

    def __init__(self, topic: str, label: str):
        self.topic, self.label = topic, label
        PROMPTS.setdefault((topic, label), None)
        wide = widgets.Layout(width="100%", max_width="700px")
        self.answer = widgets.Textarea(placeholder=tr(ASK), rows=2, layout=wide)
        self.answer.tooltip = tr("Think first: {label}", label=label)
        self.button = widgets.Button(description=tr("Keep"))
        self.button.on_click(self._clicked)
        self.message = widgets.HTML()
        head = widgets.HTML(f"{STYLE}<b>✎ {escape(self.title)}</b>")
        self.view = widgets.VBox([head, self.answer, self.button, self.message])
        self.view.add_class("leadwise-think")
        self._show()

    @property
    def title(self) -> str:
        """The label as a sentence; a symbol at its start stays as it is, for a capital μ reads as M."""
        first = self.label[:1]
        return (first if "α" <= first <= "ω" else first.upper()) + self.label[1:] + "." * (not self.label.endswith("?"))

    @property
    def kept(self) -> str | None:
        """The first answer; None where there is none yet."""
        return PROMPTS[self.topic, self.label]

    def _clicked(self, button) -> None:
        if self.answer.value.strip():
            keep(self.topic, self.label, self.answer.value.strip())
            self._show()
        else:
            self.message.value = line(tr("Write something first: a guess will do."), NOT_DONE)

    def _show(self) -> None:
        if self.kept is not None:
            self.view.children = [self.view.children[0], self.message]
            said = escape(self.kept).replace("\n", "<br>")
            self.message.value = line(f"{tr('You said:')} <i>{said}</i>", NOT_DONE)

    def __repr__(self):
        said = "..." if self.kept is None else tr("you said “{said}”.", said=self.kept)
        return tr("Think first, {label}: {said}", label=self.label, said=said)

    def static(self) -> str:
        """Return the label, and what to do where no field can be."""
        return line(f"<b>✎ {escape(self.title)}</b> {tr(PAPER)}", NOT_DONE)


def think_first(topic: str, label: str) -> ThinkFirst:
    """Return a field that keeps the first answer to a prompt, ready to be shown.

    Parameters
    ----------
    topic : of the notebook
    label : what is asked, in a few words

    >>> think_first("99", "the wave")
    Think first, the wave: ...
    """
    return ThinkFirst(topic, label)
