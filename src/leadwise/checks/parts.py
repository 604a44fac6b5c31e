"""What every notebook has besides its checks: a quiz, fields to think first, and a summary of how far one has come."""

from collections.abc import Callable
from functools import partial

from leadwise.checks import core, quiz, think_first


def parts_of(topic: str) -> tuple[Callable, Callable, Callable]:
    """Return ``quiz()``, ``progress()`` and ``think_first(label)`` of a notebook.

    Parameters
    ----------
    topic : the name of its module in ``leadwise.checks``

    >>> quiz, progress, think_first = parts_of("a topic")
    >>> think_first("the lead")
    Think first, the lead: ...
    >>> progress().thoughts
    {'the lead': None}
    """
    return partial(quiz.quiz, topic), partial(core.progress, topic), partial(think_first.think_first, topic)
