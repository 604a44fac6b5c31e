"""A picture as what is explained: its choice, the network of pictures, the class."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from html import escape
from types import MappingProxyType
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor, nn

from leadwise.attribution import receipt
from leadwise.attribution.receipt import Receipt
from leadwise.explorers.base import drop, slide, worded
from leadwise.explorers.map_canvas import MapCanvas
from leadwise.explorers.picture import Picture, PictureChoice, Shown
from leadwise.explorers.script import network_line
from leadwise.explorers.subject import Asked, Subject
from leadwise.language import mark, pieces, tr
from leadwise.networks.network import Network, network_of
from leadwise.networks.registry import NETWORKS
from leadwise.plotting import number, percent
from leadwise.plotting.explained import positive_share
from leadwise.plotting.relevance import DRAWN

DISPLAY = MappingProxyType(
    {"threshold": "threshold", "sign": "sign_index", "style": "style_index", "clip": "clip_index"}
)
MOST_PROBABLE = mark("the most probable")
ON = {"overlay": mark("on the picture in grey"), "alone": mark("colours alone")}  # styles of a map
TOP = 5  # classes listed
BLANK = np.full((224, 224, 3), 255, np.uint8)


@dataclass(frozen=True)
class PictureCase:
    """A picture, the index of the explained class, and the name of the network."""

    shown: Shown
    target: int
    network: str


class PictureSubject(Subject):
    """A picture, the network that sees it and the class that is explained.

    Parameters
    ----------
    image, model, target : as for :class:`leadwise.explorers.ImageExplorer`
    """

    display, images, previous = DISPLAY, True, mark("previous picture")

    def __init__(
        self,
        image: Picture | None = None,
        model: nn.Module | Network | str | None = None,
        target: int | str | None = None,
    ):
        self.choice, self.explained = PictureChoice(image, objects=2), Explained(model)
        chosen = {"network": self.explained.network, "target": self.explained.control}
        self.controls = {**self.choice.controls, **chosen, **display_controls()}
        self.explained.look(self.choice.shown())
        if target is not None:
            self.explained.choose(target)

    def needed(self) -> list[widgets.Widget]:
        """Return the choice of the picture, of the network and of the class."""
        return [*self.choice.needed(), self.controls["network"], self.controls["target"]]

    def follow(self, control: widgets.Widget) -> widgets.Widget:
        """Turn to a file that has just been brought."""
        return self.controls["source"] if self.choice.follow(control) else control

    def turn(self, control: widgets.Widget) -> None:
        """Take another network where that was chosen."""
        if control is self.controls["network"]:
            self.explained.turn(control.value)

    def case(self) -> PictureCase:
        """Return picture, class and network."""
        shown = self.choice.shown()
        self.explained.look(shown)
        return PictureCase(shown, self.explained.index(), self.explained.name)

    def explain(self, asked: Asked, progress: Callable[[int, int], None]) -> Receipt:
        """Return the relevance, float (3, 224, 224), with its receipt."""
        case, net = asked.case, self.explained.net
        return receipt(net, case.shown.x, asked.method, case.target, progress=progress, **dict(asked.settings))

    def several(self) -> MapCanvas:
        """Return a view of many maps, blank."""
        return MapCanvas(BLANK, {"": BLANK[..., 0] * 0.0})

    def show(self, canvas: MapCanvas, case: PictureCase, maps: dict, notes: dict) -> None:
        """Show maps of the picture, with its known objects outlined."""
        shown, title = case.shown, f"{case.shown.name}, {tr('explained')}: {self.explained.net.classes[case.target]}"
        canvas.show(shown.x, maps, objects=shown.objects, notes=notes, title=title)

    def note(self, case: PictureCase, relevance: Tensor) -> str:
        """Return the sum of a map and how much of its positive part lies on the object of the explained class."""
        name = self.explained.net.classes[case.target]
        mask = case.shown.objects.get(name)
        lies = "" if mask is None else percent(positive_share(relevance, mask))
        return f"{tr('sum')} {number(float(relevance.sum()))}" + (
            f" · {tr('{share} on the {name}', share=lies, name=name)}" if lies else ""
        )

    def line(self, case: PictureCase) -> str:
        """Return probability and logit of the explained class, and what they are for a black picture."""
        net, name = self.explained.net, escape(self.explained.net.classes[case.target])
        logit, nothing = (float(row[case.target]) for row in self.explained.logits(case.shown))
        p = float(net.probability(case.shown.x[None])[0, case.target])
        which, said = tr("{which} network", which=escape(self.explained.which)), tr("explained logit")
        return f"{which}: p({name}) = {p:.3f} · {said} f(x) = {number(logit)}, f(x) − f(0) = {number(logit - nothing)}"

    def script(self, case: PictureCase) -> tuple[list[str], list[str]]:
        """Return what makes network and picture."""
        line, fill = self.explained.script()
        return [line, f"x = {case.shown.code}"], [fill, case.shown.fill]

    def call(self, asked: Asked, settings: str) -> str:
        """Return the call of ``attribute``."""
        return f'attribute(net, x, "{asked.method}", target={asked.case.target}{settings})'

    def picture_of(self, case: PictureCase) -> str:
        """Return the call of ``plot_image``."""
        return "plot_image(x, relevance)"

    def pictures_of(self, case: PictureCase) -> str:
        """Return the call of ``plot_image_grid``."""
        return "plot_image_grid(x, maps)"


class Explained:
    """A network of pictures, and controls that choose it and which class of a picture is explained.

    One network is held at a time: some take half a gigabyte.

    Parameters
    ----------
    model : a name of ``NETWORKS``, a network of pictures, or what ``load_alexnet`` takes; None is "auto"
    """

    def __init__(self, model: nn.Module | Network | str | None = None):
        names = NETWORKS.names("image")
        self.given = None if isinstance(model, str | None) else named_network(model)
        self.weights: Any = "auto" if self.given is not None or model in names else (model or "auto")
        first = model if isinstance(model, str) and model in names else "AlexNet"
        options = NETWORKS.menu("image")
        if self.given is not None:
            first = tr("{network}, given", network=self.given.title)
            options.append((first, first))
        self.name = first
        self.shown: Shown | None = None
        self.net: Network = self._load(first)
        self.network = drop(tr("network"), [(pieces(title), name) for title, name in options], first)
        self.logits = lru_cache(maxsize=16)(self._logits)

    @cached_property
    def control(self) -> widgets.Dropdown:
        """The choice of the explained class."""
        return drop(tr("explained"), [(tr(MOST_PROBABLE), None)], None)

    def _load(self, name: str) -> Network:
        if self.given is not None and name not in NETWORKS.names("image"):
            return self.given
        return NETWORKS.load(name, self.weights if name == "AlexNet" else "auto")

    def script(self) -> tuple[str, str]:
        """Return the line of code that makes the network, and what has to be filled in."""
        own = self.net is self.given or NETWORKS.rows[self.name].own
        return network_line(self.name, self.net, own=own)

    @property
    def which(self) -> str:
        """Which network it is, in a title: "embedded" for AlexNet with these weights, the others with their names."""
        source = tr(self.net.source or "given")
        return source if self.net.title == "AlexNet" else f"{source} {self.net.title}"

    def turn(self, name: str) -> None:
        """Take another network; one that can't be had leaves everything as it was, the menu too.

        Raises
        ------
        ValueError : it is not there, or the memory does not hold it
        """
        if name == self.name:
            return
        before, self.net = self.name, None  # its memory may be needed
        try:
            self.net = self._load(name)
        except Exception:
            self.net = self._load(before)
            self.network.value = before
            raise
        self.name, self.shown = name, None
        self.logits.cache_clear()

    def _logits(self, shown: Shown) -> Tensor:
        """Return the logits of a picture and those of a black one, (2, classes)."""
        with torch.no_grad():
            return self.net.logits(torch.stack([shown.x, torch.zeros_like(shown.x)]))

    def look(self, shown: Shown) -> None:
        """Offer the classes of a picture that are worth explaining: the most probable, and those in it."""
        if shown is self.shown:
            return
        best, names = self.logits(shown)[0].argsort(descending=True).tolist(), self.net.classes
        listed = best[:TOP] + [k for k in best[TOP:] if names[k] in shown.objects]
        seen = tr("{name}, in the picture")
        options = [(seen.format(name=names[k]) if names[k] in shown.objects else names[k], k) for k in listed]
        self.shown, self.control.options = shown, [(tr(MOST_PROBABLE), None), *options]
        self.control.index = 0

    def choose(self, target: int | str) -> None:
        """Choose a class by its name or index, also one that is not offered.

        Raises
        ------
        ValueError : no such class
        """
        names, listed = self.net.classes, [value for _, value in self.control.options]
        index = names.index(target) if target in names else target
        if isinstance(index, bool | str) or not 0 <= index < len(names):
            raise ValueError(f"target is {target!r}; expected 0 to {len(names) - 1}, or the name of a class.")
        if index not in listed:
            self.control.options = [*self.control.options, (names[index], int(index))]
            listed.append(index)
        self.control.index = listed.index(index)

    def index(self) -> int:
        """Return the index of the class that is explained in the picture that was looked at."""
        target = self.control.value
        return int(self.logits(self.shown)[0].argmax()) if target is None else target


def named_network(model: nn.Module | Network) -> Network:
    """Return a network of pictures with names for its classes: its own, or numbers."""
    net = network_of(model)
    if net.is_ecg:
        raise ValueError(f"{net!r} takes recordings; expected a network of pictures.")
    if net.classes is None:
        names = getattr(net.module, "class_names", None)
        if names is None:
            with torch.no_grad():
                names = [str(index) for index in range(net.logits(torch.zeros(1, 3, 224, 224)).shape[1])]
        net = replace(net, classes=tuple(names), layout="NCHW", outputs=net.outputs or "classes")
    return net


def display_controls() -> dict[str, widgets.Widget]:
    """Return the controls that change only how maps on a picture are drawn, by their names in ``DISPLAY``."""
    return {
        "threshold": slide(tr("threshold"), 0.95, 0.05, ".0%"),
        "sign": drop(tr("sign"), worded(DRAWN), "signed"),
        "style": drop(tr("style"), [(tr(words), style) for style, words in ON.items()], "overlay"),
        "clip": drop(tr("full colour"), [(tr("at the maximum"), 100.0), (tr("at percentile 99"), 99.0)], 100.0),
    }
