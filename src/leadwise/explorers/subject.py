"""What is explained: a subject has controls that choose it, explains a case of it, and writes code that does so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
from torch import Tensor

from leadwise.attribution.receipt import Receipt
from leadwise.language import mark


@dataclass(frozen=True)
class Asked:
    """A question to a method: what is explained, by which method, with which parameters.

    Parameters
    ----------
    case : what a subject's controls stand at
    method : a key of ``METHODS``
    settings : its parameters, as pairs
    """

    case: Any
    method: str
    settings: tuple[tuple[str, Any], ...] = ()


class Subject:
    """A picture or a recording, the network that is asked, and the class that is explained.

    Attributes
    ----------
    controls : name -> control, of what is explained and of how it is drawn
    display : control -> trait of the canvas that it moves in the browser, without the kernel
    images : whether pictures are explained: methods have defaults of their own for them
    previous : what a picture is called once the controls ask for one that can't be shown
    """

    controls: dict[str, widgets.Widget]
    display: Mapping[str, str]
    images = False
    previous = mark("previous recording")

    def needed(self) -> list[widgets.Widget]:
        """Return the controls of what is explained that matter now."""
        raise NotImplementedError

    def rare(self) -> list[widgets.Widget]:
        """Return those of them that are seldom moved."""
        return []

    def follow(self, control: widgets.Widget) -> widgets.Widget:
        """Turn to what a control has brought, such as a file; return the control that says so now."""
        return control

    def turn(self, control: widgets.Widget) -> None:
        """Let menus follow a control that was moved; an error leaves them as they were."""

    def case(self) -> Any:
        """Return what the controls stand at, as a frozen and hashable value."""
        raise NotImplementedError

    def explain(self, asked: Asked, progress: Callable[[int, int], None]) -> Receipt:
        """Return the map of a case, (3, H, W) or shaped like one sample of the network's input, with its receipt."""
        raise NotImplementedError

    def several(self) -> widgets.Widget:
        """Return a blank view of many maps side by side, with ``show``, ``put``, ``tell`` and ``plot``."""
        raise NotImplementedError

    def show(self, canvas: widgets.Widget, case: Any, maps: dict, notes: dict) -> None:
        """Show maps of a case, title -> map or None, on a view of many."""
        raise NotImplementedError

    def drawn(self, case: Any, relevance: Tensor):
        """Return a map as a view of many takes it."""
        return relevance

    def note(self, case: Any, relevance: Tensor) -> str:
        """Return what a map adds up to, in a few words."""
        raise NotImplementedError

    def line(self, case: Any) -> str:
        """Return what the network says of a case (HTML)."""
        raise NotImplementedError

    def script(self, case: Any) -> tuple[list[str], list[str]]:
        """Return the lines of code that make network ``net`` and input ``x``, and what has to be filled in."""
        raise NotImplementedError

    def call(self, asked: Asked, settings: str) -> str:
        """Return the call of ``attribute`` that makes a map of ``x``; ``settings`` as :func:`script.written` writes."""
        raise NotImplementedError

    def picture_of(self, case: Any) -> str:
        """Return the line of code that shows ``relevance``."""
        raise NotImplementedError

    def pictures_of(self, case: Any) -> str:
        """Return the line of code that shows ``maps``, title -> map."""
        raise NotImplementedError
