"""Explain one picture by any method, with a control for every parameter."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from leadwise.attribution import METHODS
from leadwise.attribution.receipt import Receipt
from leadwise.explorers.base import FAMILIES, MethodExplorer, known_method, minded
from leadwise.explorers.map_canvas import MapCanvas
from leadwise.explorers.picture import Picture
from leadwise.explorers.picture_subject import BLANK, TOP, PictureSubject
from leadwise.explorers.subject import Asked
from leadwise.language import tr
from leadwise.networks.network import Network
from leadwise.plotting import number


class ImageExplorer(MethodExplorer[PictureSubject]):
    """Choose a picture, the explained class, a method and its parameters; see the map and what it is worth.

    Parameters
    ----------
    image : what to show first: the seed of a scene, a Scene, a name of ``photographs()``, the path of a picture, or a
        picture, uint8 (H, W, 3); by default scene 0 with two objects
    model : a name of ``NETWORKS``, a network of pictures, or what ``load_alexnet`` takes; None is "auto"
    method : key of ``METHODS``, to begin with
    target : class to explain first, its index or its name; None is the most probable one
    families : which families of methods can be chosen, such as ``("LRP",)``; by default that of ``FAMILIES``, all
    parameters : of the first method, where they should not start at their defaults

    Raises
    ------
    ValueError : an unknown method, family, class or parameter
    ImageError : no such photograph, or a file that is no picture
    """

    def __init__(
        self,
        image: Picture | None = None,
        model: nn.Module | Network | str | None = None,
        *,
        method: str = "gradient",
        target: int | str | None = None,
        families: str | Sequence[str] | None = None,
        **parameters: Any,
    ):
        families = _families(families, method)
        super().__init__(PictureSubject(image, model, target), method, parameters, families)

    @property
    def explained(self):
        """The network that is explained, and the choice of the class."""
        return self.subject.explained

    @property
    def model(self) -> nn.Module:
        """The network that is explained."""
        return self.explained.net.module

    def make_canvas(self) -> MapCanvas:
        """Return the view of picture and map, blank."""
        return MapCanvas(BLANK, BLANK[..., 0] * 0.0)

    def show(self, asked: Asked, answer: Receipt) -> str:
        """Show the map; return what the method cannot do here."""
        shown, target, net = asked.case.shown, asked.case.target, self.explained.net
        logits, nothing = self.explained.logits(shown)
        row, names, probabilities = METHODS[asked.method], net.classes, net.probability(shown.x[None])[0]
        words = {"method": tr(row.title), "which": self.explained.which, "name": names[target]}
        self.canvas.show(
            shown.x, answer.relevance, objects=shown.objects, caption=shown.caption,
            title=tr("{method} of the {which} network, explained: {name}", **words),
            classes=[(names[k], float(probabilities[k])) for k in logits.argsort(descending=True)[:TOP].tolist()],
            explained=names[target], facts=_facts(float(answer.relevance.sum()), logits[target], nothing[target]),
            formula=row.formula, citation=row.citation,
        )  # fmt: skip
        return "<br>".join(minded(asked.method, answer.caveat))


def _families(families: str | Sequence[str] | None, method: str) -> tuple[str, ...]:
    """Return the families that can be chosen, checked."""
    known_method(method)
    families = tuple(FAMILIES) if families is None else (families,) if isinstance(families, str) else tuple(families)
    unknown = [family for family in families if family not in FAMILIES]
    if unknown:
        raise ValueError(f"no family {', '.join(map(repr, unknown))}; expected some of {', '.join(FAMILIES)}.")
    if METHODS[method].family not in families:
        raise ValueError(
            f"method is {method!r}, of the family {METHODS[method].family!r}; expected one of {', '.join(families)}."
        )
    return families


def _facts(total: float, logit, nothing) -> list[str]:
    """Return the sum of the relevance, and what it can be held against."""
    return [
        f"{tr('sum of relevance')} {number(total)}",
        f"{tr('explained logit')} f(x) = {number(float(logit))},  f(x) − f(0) = {number(float(logit - nothing))}",
    ]
