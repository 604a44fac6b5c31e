"""Check and quiz of notebook 00, Start here: one of each, to show what they look like."""

from leadwise.checks.answers import as_number
from leadwise.checks.core import Hint, exercise
from leadwise.checks.parts import parts_of
from leadwise.language import mark, tr


@exercise("start", 1, mark("Samples in the window"), expects=mark("a number"))
def samples_in_window(samples: object) -> str:
    """How many samples of each lead a network sees: 4 s at 500 Hz."""
    value = as_number(samples, "`samples`")
    if value == 2000:
        return tr("4 s × 500 samples a second: each network sees 12 × 2000 numbers.")
    if value == 24000:
        raise Hint(tr("That counts all twelve leads; the question is about one of them."))
    if value == 125:
        raise Hint(tr("500 Hz are 500 samples in each second: multiply, don't divide."))
    raise Hint(tr("The picture above shows 4 s, and the networks' rate is 500 samples a second."))


quiz, progress, think_first = parts_of("start")
