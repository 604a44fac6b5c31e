"""The language that the course speaks: English, unless another one is asked for.

``LEADWISE_LANGUAGE=de`` asks for one in a whole session, ``leadwise.language.use("de")`` from now on. English is what
the sources say: for it no file is read. Another language has a catalogue,
``locale/<language>/LC_MESSAGES/leadwise.mo``, made from the .po beside it by ``tools/translate.py``. What a catalogue
lacks is said in English.
"""

import gettext
import os
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "locale"
CATALOGUE = "LC_MESSAGES/leadwise.mo"
VARIABLE = "LEADWISE_LANGUAGE"
ENGLISH = "en"
PIECE = re.compile(r"[^\W\d_](?:[^:,;\[\]\d]*[^\W\d_)])?")

_spoken: dict[str, gettext.GNUTranslations] = {}  # the language in use -> its catalogue; empty for English


def languages() -> tuple[str, ...]:
    """Return the languages that there are, English first.

    >>> languages()[0]
    'en'
    """
    return (ENGLISH, *sorted(path.parents[1].name for path in FOLDER.glob(f"*/{CATALOGUE}")))


def use(language: str) -> None:
    """Speak a language from now on; what is on the screen already stays as it is.

    Parameters
    ----------
    language : one of ``languages()``, such as "de"

    Raises
    ------
    ValueError : there is no such language

    >>> use("xx")
    Traceback (most recent call last):
    ValueError: the language is 'xx'; expected one of en, de.
    """
    catalogue = None
    if language != ENGLISH:
        if language not in languages():
            raise ValueError(f"the language is {language!r}; expected one of {', '.join(languages())}.")
        with open(FOLDER / language / CATALOGUE, "rb") as file:
            catalogue = gettext.GNUTranslations(file)
    _spoken.clear()
    if catalogue is not None:
        _spoken[language] = catalogue


def current() -> str:
    """Return the language in use.

    >>> current()
    'en'
    """
    return next(iter(_spoken), ENGLISH)


def tr(text: str, /, **values: object) -> str:
    """Return a text in the language in use.

    Parameters
    ----------
    text : in English, as the catalogues have it
    values : what its {placeholders} stand for

    >>> tr("{done} of {all} exercises right.", done=1, all=2)
    '1 of 2 exercises right.'
    """
    said = next(iter(_spoken.values())).gettext(text) if _spoken and text else text
    return said.format(**values) if values else said


def mark(text: str) -> str:
    """Return a text as it is: one that the catalogues have to hold, and that is given to ``tr`` elsewhere.

    >>> mark("not yet")
    'not yet'
    """
    return text


def pieces(text: str) -> str:
    """Return a text in the language in use, part by part: what lies between colons, commas, brackets and numbers.

    Parameters
    ----------
    text : such as "sim-af-1: atrial fibrillation, rate 63"

    >>> pieces("sim-af-1: atrial fibrillation, rate 63")
    'sim-af-1: atrial fibrillation, rate 63'
    """
    return PIECE.sub(lambda found: tr(found[0]), text) if _spoken else text


use(os.environ.get(VARIABLE) or ENGLISH)
