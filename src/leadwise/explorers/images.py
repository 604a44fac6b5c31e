"""Explain one picture by any method, with a control for every parameter."""

from dataclasses import replace
from functools import cached_property, lru_cache
from html import escape
from types import MappingProxyType

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor, nn

from leadwise.attribution import METHODS, caveat
from leadwise.explorers.base import FAMILIES, MethodExplorer, drop, explain, grid, methods_of, slide
from leadwise.explorers.map_canvas import MapCanvas
from leadwise.explorers.picture import PictureChoice, Shown
from leadwise.networks.network import Network, network_of
from leadwise.networks.registry import NETWORKS
from leadwise.plotting import number
from leadwise.plotting.relevance import DRAWN

DISPLAY = MappingProxyType(
    {"style": "style_index", "clip": "clip_index", "threshold": "threshold", "sign": "sign_index"}
)
TOP = 5  # classes listed
BLANK = np.full((224, 224, 3), 255, np.uint8)


class ImageExplorer(MethodExplorer):
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

    images = True
    choice = ("family", "method")
    display = DISPLAY

    def __init__(self, image=None, model=None, *, method="gradient", target=None, families=None, **parameters):
        families = _families(families, method)
        self.explained = Explained(model)
        self.source, self.source_box = PictureChoice(image, objects=2), grid([])
        family = METHODS[method].family
        self.controls = {
            **self.source.controls,
            "network": self.explained.network,
            "target": self.explained.control,
            "family": drop("family", [(FAMILIES[key], key) for key in families], family),
            "method": drop("method", methods_of(family), method),
            **display_controls(),
        }
        self._offer_source()
        self.explained.look(self.source.shown())
        if target is not None:
            self.explained.choose(target)
        super().__init__(self.controls, parameters)

    @property
    def model(self) -> nn.Module:
        """The network that is explained."""
        return self.explained.net.module

    def make_canvas(self) -> MapCanvas:
        """Return the view of picture and map, blank."""
        return MapCanvas(BLANK, BLANK[..., 0] * 0.0)

    def panel(self) -> widgets.Widget:
        """Return what is explained, by which method with which parameters, and how it is drawn."""
        return widgets.VBox([self.source_box, self.method_box, grid(self.controls[name] for name in DISPLAY)])

    def below(self) -> list[widgets.Widget]:
        """Return the call that makes the map, and a button that saves the figure."""
        return [self.foot()]

    def _offer_source(self) -> None:
        """Show those controls that go with the kind of picture."""
        self.source_box.children = [*self.source.needed(), self.controls["network"], self.controls["target"]]

    def _changed(self, change) -> None:
        if self.quiet or self.source.follow(change.owner):  # another source comes back here
            return
        if change.owner is self.controls["source"]:
            self._offer_source()
        if change.owner is self.controls["network"]:
            try:
                with self.quietly():
                    self.explained.turn(change.new)
            except Exception as error:
                self._fail(error)
                return
        super()._changed(change)

    def code(self) -> str:
        """Return the call of ``attribute`` that makes the present map."""
        target, method = self.controls["target"].value, self.controls["method"].value
        return f'attribute(net, {self.explained.shown.code}, "{method}", target={target}{self.changed_settings()})'

    def asked(self, method, settings, **_):
        """Return the picture, the explained class, the method, its parameters, and the network."""
        shown = self.source.shown()
        with self.quietly():
            self.explained.look(shown)
        return shown, self.explained.index(), method, settings, self.explained.name

    def answer(self, asked, progress):
        """Return what was asked and the relevance, float (3, 224, 224)."""
        shown, target, method, settings, _ = asked
        return *asked, explain(self.explained.net, shown.x, method, target, progress, **dict(settings))

    def draw(self, answer, **_) -> str:
        """Show the map; return what the method cannot do here."""
        shown, target, method, _, _, relevance = answer
        net, (logits, nothing) = self.explained.net, self.explained.logits(shown)
        row, names, probabilities = METHODS[method], net.classes, net.probability(shown.x[None])[0]
        self.canvas.show(
            shown.x, relevance, objects=shown.objects, caption=shown.caption,
            title=f"{row.title} of {self.explained.described}, explained: {names[target]}",
            classes=[(names[k], float(probabilities[k])) for k in logits.argsort(descending=True)[:TOP].tolist()],
            explained=names[target], facts=_facts(float(relevance.sum()), logits[target], nothing[target]),
            formula=row.formula, citation=row.citation,
        )  # fmt: skip
        self.code_line.code = self.code()
        reasons = (caveat(method, net, shown.x), row.note)
        return "<br>".join(f"<b>Mind:</b> {escape(reason.rstrip('.'))}." for reason in reasons if reason)


class Explained:
    """A network of pictures, and controls that choose it and which class of a picture is explained.

    One network is held at a time: some take half a gigabyte.

    Parameters
    ----------
    model : a name of ``NETWORKS``, a network of pictures, or what ``load_alexnet`` takes; None is "auto"
    """

    def __init__(self, model=None):
        names = NETWORKS.names("image")
        self.given = None if isinstance(model, str | None) else named_network(model)
        self.weights = "auto" if self.given is not None or model in names else (model or "auto")
        first = model if model in names else "AlexNet"
        options = NETWORKS.menu("image")
        if self.given is not None:
            first = f"{self.given.title}, given"
            options.append((first, first))
        self.name, self.shown = first, None
        self.net: Network = self._load(first)
        self.network = drop("network", options, first)
        self.logits = lru_cache(maxsize=16)(self._logits)

    @cached_property
    def control(self) -> widgets.Dropdown:
        """The choice of the explained class."""
        return drop("explained", [("the most probable class", None)], None)

    def _load(self, name: str) -> Network:
        if self.given is not None and name == f"{self.given.title}, given":
            return self.given
        return NETWORKS.load(name, self.weights if name == "AlexNet" else "auto")

    @property
    def described(self) -> str:
        """What the network is, for a title: "the embedded network" of AlexNet, the others by their names."""
        named = "" if self.net.title == "AlexNet" else f" {self.net.title}"
        return f"the {self.net.source or 'given'}{named} network"

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
        options = [(names[k] + ", in the picture" * (names[k] in shown.objects), k) for k in listed]
        self.shown, self.control.options = shown, [("the most probable class", None), *options]
        self.control.index = 0

    def choose(self, target) -> None:
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


def named_network(model) -> Network:
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
        "style": drop("style", [("on the picture in grey", "overlay"), ("colours alone", "alone")], "overlay"),
        "clip": drop("full colour", [("at the maximum", 100.0), ("at percentile 99", 99.0)], 100.0),
        "threshold": slide("threshold", 0.95, 0.05, ".0%"),
        "sign": drop("sign", DRAWN, "signed"),
    }


def _families(families, method: str) -> tuple[str, ...]:
    """Return the families that can be chosen, checked."""
    if method not in METHODS:
        raise ValueError(f"no method {method!r}; expected one of {', '.join(METHODS)}.")
    families = tuple(FAMILIES) if families is None else (families,) if isinstance(families, str) else tuple(families)
    unknown = [family for family in families if family not in FAMILIES]
    if unknown:
        raise ValueError(f"no family {', '.join(map(repr, unknown))}; expected some of {', '.join(FAMILIES)}.")
    if METHODS[method].family not in families:
        raise ValueError(
            f"method is {method!r}, of the family {METHODS[method].family!r}; expected one of {', '.join(families)}."
        )
    return families


def _facts(total: float, logit: Tensor, nothing: Tensor) -> list[str]:
    """Return the sum of the relevance, and what it can be held against."""
    return [
        f"sum of the relevance {number(total)}",
        f"explained logit f(x) = {number(float(logit))},  f(x) − f(0) = {number(float(logit - nothing))}",
    ]
