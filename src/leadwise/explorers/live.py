"""What all live views share: drawn in the browser by anywidget, with a picture for pages without a kernel."""

import inspect
import re
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anywidget
import traitlets

from leadwise.language import ENGLISH, current, tr
from leadwise.plotting.sheet import CourseFigure
from leadwise.plotting.style import printable

STATIC = Path(__file__).parent / "static"


IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.MULTILINE)


def module(name: str) -> str:
    """Return the JavaScript of a view behind the modules that it imports: what travels as text can import nothing."""
    text = (STATIC / f"{name}.js").read_text(encoding="utf-8")
    return "\n".join([*map(module, IMPORT.findall(text)), IMPORT.sub("", text)])


SAID = re.compile(r'\bsay\("((?:[^"\\]|\\.)+)"')


def phrases(name: str) -> list[str]:
    """Return what a view says in English, each text once."""
    return list(dict.fromkeys(SAID.findall(module(name))))


def in_use(name: str) -> dict[str, str]:
    """Return what a view has to say in the language in use, English -> that; nothing of it where that is English."""
    return {} if current() == ENGLISH else {text: tr(text) for text in phrases(name)}


def style(name: str) -> str:
    """Return the style sheet of a view behind what all views share."""
    return "\n".join((STATIC / f"{one}.css").read_text(encoding="utf-8") for one in ("shared", name))


class Text(traitlets.Unicode):
    """Text on its way to a browser, without what no browser could be sent: see :func:`printable`."""

    def validate(self, obj: Any, value: Any):
        """Return the value, printable."""
        return printable(super().validate(obj, value))


class Speaking(anywidget.AnyWidget):
    """A widget whose view says something in the language in use."""

    view = ""  # the name of its module, where that says something
    phrases = traitlets.Dict().tag(sync=True)

    @traitlets.default("phrases")
    def _phrases(self) -> dict:
        return in_use(self.view) if self.view else {}


class LiveView(Speaking):
    """A view in the browser whose bundle also holds the PNG of ``plot()``, for print and pages without a kernel.

    A front end keeps the choice of a ``Dropdown`` as an index. Each trait in ``choices`` therefore has a twin,
    ``<name>_index``, which the browser knows; they follow each other.

    Parameters
    ----------
    shown, options : as for :meth:`show`, and initial values of traits that only change the view

    Raises
    ------
    ValueError : no such trait
    """

    _ipython_display_ = None  # of ipywidgets 7; it would show the view without its static twin
    previous = Text().tag(sync=True)  # what an outdated picture is called, in grey; "" for the present one
    choices: Mapping[str, tuple] = MappingProxyType({})  # trait -> the words it may hold
    also: tuple[str, ...] = ()  # further options of a subclass, for the message

    def __init__(self, *shown: Any, **options: Any):
        takes = (*inspect.signature(self.show).parameters, *self.also)
        display = {name: value for name, value in options.items() if name not in takes}
        strangers = sorted(set(display) - set(self.display_traits()))
        if strangers:
            known = ", ".join((*self.display_traits(), *self.also)) or "none"
            raise ValueError(f"no option {strangers}; expected some of {known}.")
        super().__init__(**display)
        for name, words in self.choices.items():
            index = f"{name}_index"
            self.observe(lambda change, i=index, w=words: self.set_trait(i, w.index(change.new)), name)
            self.observe(lambda change, n=name, w=words: self.set_trait(n, w[change.new]), index)
            self.set_trait(index, words.index(getattr(self, name)))
        if shown or len(options) > len(display):
            self.show(*shown, **{name: value for name, value in options.items() if name in takes})

    @classmethod
    def display_traits(cls) -> tuple[str, ...]:
        """Return the names of the traits that change only the view."""
        return tuple(cls.choices)

    def show(self, *shown: Any, **options: Any) -> None:
        """Show something else."""
        raise NotImplementedError

    def plot(self):
        """Return what is shown as a figure."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **options):
        return with_picture(super()._repr_mimebundle_(**options), self.plot())


def titled(previous: str, title: str | None) -> str:
    """Return the title of a picture, behind what it is called where it is outdated."""
    return ": ".join(filter(None, (previous, title)))


def with_picture(bundle: tuple[dict, dict], figure: CourseFigure) -> tuple[dict, dict]:
    """Return a widget's MIME bundle and its metadata, with the PNG of a figure and its alternative text."""
    (data, metadata), (png, words) = bundle, figure._repr_png_()
    data = data | {"image/png": b64encode(png).decode(), "text/plain": words["alt"]}
    return data, metadata | {"image/png": words}
