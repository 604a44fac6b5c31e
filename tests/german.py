"""What is still English where German is spoken: for the tests of the language and of the explorers in a browser."""

import re
from collections.abc import Iterable
from functools import cache

import ipywidgets as widgets

import translate
from leadwise.explorers.base import parts

SAID = ("description", "_options_labels", "placeholder", "tooltip", "description_tooltip", "titles", "_titles", "title")
SAID += ("label", "words", "alt", "previous", "tiles", "panel", "drawing", "value")  # traits that a person reads
KEPT = ("formula", "citation")  # parts of them that are no prose: LaTeX, titles of papers
NO_WORD = re.compile(r"<[^>]*>|\{[^}]*\}|`[^`]*`|&\w+;")
WORD = re.compile(r"[^\W\d_]{2,}")


def words_of(text: str) -> set[str]:
    """Return the words of a text without its tags, placeholders and code, in small letters."""
    return {word.lower() for word in WORD.findall(NO_WORD.sub(" ", text))}


@cache
def english() -> frozenset[str]:
    """Return the words that the package's catalogue says in English only."""
    catalogue = translate.catalogue_of(translate.package_po("de"), "de")
    ours, theirs = (
        set().union(*(words_of(getattr(message, side)) for message in catalogue if message.id))
        for side in ("id", "string")
    )
    return frozenset(ours - theirs)


def english_in(texts: Iterable[str]) -> dict[str, list[str]]:
    """Return the texts that hold English words, with these."""
    found = {text: sorted(words_of(text) & english()) for text in texts}
    return {text: words for text, words in found.items() if words}


def texts_of(explorer) -> list[str]:
    """Return all texts of an explorer's widgets that a person reads, or hears read."""
    found = []
    for widget in parts(explorer.view):
        if not isinstance(widget, widgets.HTMLMath):  # a formula and the paper that it is from
            found += [text for name in SAID if name in widget.keys for text in _texts(getattr(widget, name))]
    return found


def _texts(value) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict) and "ops" in value:  # of a figure
        return [op[2] for op in value["ops"] if op[0] == "text"]
    if isinstance(value, dict):
        return [text for name, one in value.items() if name not in KEPT for text in _texts(one)]
    return [text for one in value for text in _texts(one)] if isinstance(value, list | tuple) else []
