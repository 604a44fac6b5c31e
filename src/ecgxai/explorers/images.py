"""Explain one picture by any method, with a control for every parameter."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor

from ecgxai.attribution import METHODS, caveat
from ecgxai.explorers.base import FAMILIES, FIELD, LABEL, MethodExplorer, drop, explain, grid, methods_of, slide
from ecgxai.explorers.upload import uploaded_files
from ecgxai.images.io import load_image, load_photograph, photographs
from ecgxai.images.scenes import Scene, make_scene
from ecgxai.models.alexnet import load_alexnet, preprocess, to_image
from ecgxai.plotting import number
from ecgxai.plotting.explained import plot_explained

SCENES = {"one": "a scene with one object", "two": "a scene with two objects"}
OWN = "own"
BY_PICTURE = {"one": ("seed", "mark"), "two": ("seed", "mark"), OWN: ("path", "upload")}  # controls that go with it
CHOOSES_PICTURE = ("picture", "seed", "mark", "path", "upload")
HOW = ("style", "clip", "threshold", "sign")
TOP = 5  # classes listed


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture as the network sees it.

    Parameters
    ----------
    x : float (3, 224, 224)
    code : the expression that makes it
    objects : name -> mask, bool (224, 224), of the objects that are known
    caption : what it is, and whose
    """

    x: Tensor
    code: str
    objects: dict[str, np.ndarray] = field(default_factory=dict)
    caption: str = ""


class ImageExplorer(MethodExplorer):
    """Choose a picture, the explained class, a method and its parameters; see the map and what it is worth.

    Parameters
    ----------
    image : what to show first: the seed of a scene, a Scene, a name of ``photographs()``, the path of a picture, or a
        picture, uint8 (H, W, 3); by default scene 0 with two objects
    model : an AlexNet, or what ``load_alexnet`` takes; None is "auto"
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

    def __init__(self, image=None, model=None, *, method="gradient", target=None, families=None, **parameters):
        self.model = load_alexnet(model or "auto", verbose=False) if isinstance(model, str | None) else model
        self.families = _families(families, method)
        self.scene = lru_cache(maxsize=16)(_scene)
        self.photograph = lru_cache(_photograph)
        self.own: Callable[[], Shown] | Shown | None = None
        self.shown: Shown | None = None
        controls = self._controls(method, **self._first(image))
        self.source_box = grid([])
        self.controls = controls
        self._offer_source()
        self._look(self._picture(*(controls[name].value for name in ("picture", "seed", "mark"))))
        if target is not None:
            controls["target"].value = self._index(target)
        super().__init__(controls, parameters)

    def _first(self, image) -> dict:
        """Return the values of the controls that show the picture given to the explorer."""
        if image is None:
            return {"picture": "two"}
        if isinstance(image, int | np.integer):
            return {"picture": "two", "seed": int(image)}
        if isinstance(image, Scene):
            kind = "two" if len(image.objects) == 2 else "one"
            again = _scene(image.seed, len(image.objects), bool(image.mark.any()))
            if np.array_equal(to_image(again.x), image.image):
                return {"picture": kind, "seed": image.seed, "mark": bool(image.mark.any())}
            self.own = _from_scene(image, "preprocess(scene.image)")  # a scene with chosen classes
            return {"picture": OWN}
        if isinstance(image, str) and image in photographs():
            return {"picture": f"photograph {image}"}
        if isinstance(image, str | Path):
            self.own = _from_file(str(image))
            return {"picture": OWN, "path": str(image)}
        self.own = Shown(preprocess(image), "preprocess(image)", caption="your picture")
        return {"picture": OWN}

    def _controls(self, method, picture, seed=0, mark=False, path="") -> dict[str, widgets.Widget]:
        pictures = [(text, key) for key, text in SCENES.items()]
        pictures += [(f"photograph: {name}", f"photograph {name}") for name in photographs()]
        family = METHODS[method].family
        shared = {"style": LABEL, "layout": FIELD}
        return {
            "picture": drop("picture", [*pictures, ("a picture of your own", OWN)], picture),
            "seed": widgets.BoundedIntText(description="seed", value=seed, min=0, max=999_999, **shared),
            "mark": widgets.Checkbox(description="mark in the corner", value=mark, indent=True, **shared),
            "path": widgets.Text(description="path", value=path, continuous_update=False, **shared),
            "upload": widgets.FileUpload(description="upload", accept=".png,.jpg,.jpeg,.webp", multiple=False),
            "target": drop("explained", [("the most probable class", None)], None),
            "family": drop("family", [(FAMILIES[key], key) for key in self.families], family),
            "method": drop("method", methods_of(family), method),
            "style": drop("style", [("on the picture in grey", "overlay"), ("colours alone", "alone")], "overlay"),
            "clip": drop("full colour", [("at the maximum", 100.0), ("at percentile 99", 99.0)], 100.0),
            "threshold": slide("threshold", 0.95, 0.05, ".0%"),
            "sign": drop("sign", ("both", "positive", "negative"), "both"),
        }

    def panel(self) -> widgets.Widget:
        """Return what is explained, by which method with which parameters, and how it is drawn."""
        return widgets.VBox([self.source_box, self.method_box, grid(self.controls[name] for name in HOW)])

    def _offer_source(self) -> None:
        """Show those controls that go with the kind of picture."""
        names = ("picture", *BY_PICTURE.get(self.controls["picture"].value, ()), "target")
        self.source_box.children = [self.controls[name] for name in names]

    def _look(self, shown: Shown) -> None:
        """Take a picture; what can be explained are its most probable classes and those of its known objects."""
        if shown is self.shown:
            return
        with torch.no_grad():
            self.logits, self.nothing = self.model(torch.stack([shown.x, torch.zeros_like(shown.x)]))
        self.shown = shown
        best = self.logits.argsort(descending=True).tolist()
        names = self.model.class_names
        listed = best[:TOP] + [k for k in best[TOP:] if names[k] in shown.objects]
        options = [("the most probable class", None)]
        options += [(names[k] + ", in the picture" * (names[k] in shown.objects), k) for k in listed]
        with self.quietly():
            self.controls["target"].options = options
            self.controls["target"].index = 0

    def _index(self, target) -> int:
        """Return the index of a class, and list it among those that can be explained."""
        names, control = self.model.class_names, self.controls["target"]
        index = names.index(target) if target in names else target
        if isinstance(index, bool | str) or not 0 <= index < len(names):
            raise ValueError(f"target is {target!r}; expected 0 to {len(names) - 1}, or the name of a class.")
        if index not in [value for _, value in control.options]:
            with self.quietly():
                control.options = [*control.options, (names[index], index)]
        return int(index)

    def _changed(self, change) -> None:
        if self.quiet:
            return
        controls = self.controls
        if change.owner in (controls["path"], controls["upload"]):
            self._take(change)
            with self.quietly():
                controls["picture"].value = OWN
        if change.owner in [controls[name] for name in CHOOSES_PICTURE]:
            self._offer_source()
        super()._changed(change)

    def _take(self, change) -> None:
        """Remember how to read the file that was named or uploaded: it is read, and refused, when it is drawn."""
        if change.owner is self.controls["path"]:
            self.own = lambda: _from_file(change.new.strip())
            return
        files = uploaded_files(self.controls["upload"])
        if files:
            name, content = next(iter(files.items()))
            self.own = lambda: _from_file(content, name)

    def _picture(self, picture, seed, mark) -> Shown:
        if picture == OWN:
            if self.own is None:
                raise ValueError("no picture yet: write the path of a PNG, JPEG or WebP file, or upload one.")
            if callable(self.own):
                self.own = self.own()
            return self.own
        if picture in SCENES:
            return self.scene(seed, 1 + (picture == "two"), mark)
        return self.photograph(picture.removeprefix("photograph "))

    def code(self) -> str:
        """Return the call of ``attribute`` that makes the present map."""
        target, method = self.controls["target"].value, self.controls["method"].value
        return f'attribute(net, {self.shown.code}, "{method}", target={target}{self.changed_settings()})'

    def asked(self, picture, seed, mark, method, settings, **_):
        """Return the picture, the explained class, the method and its parameters."""
        shown = self._picture(picture, seed, mark)
        self._look(shown)
        target = self.controls["target"].value
        return shown, int(self.logits.argmax()) if target is None else target, method, settings

    def answer(self, asked, progress):
        """Return what was asked and the relevance, float (3, 224, 224)."""
        shown, target, method, settings = asked
        return shown, target, explain(self.model, shown.x, method, target, progress, **dict(settings))

    def draw(self, answer, method, style, clip, threshold, sign, **_):
        """Show the map; return the call that makes it and what the method cannot do here."""
        shown, target, relevance = answer
        logits = self.logits
        row, names = METHODS[method], self.model.class_names
        probabilities = torch.softmax(logits, 0)
        figure = plot_explained(
            shown.x, relevance, objects=shown.objects, caption=shown.caption,
            classes=[(names[k], float(probabilities[k])) for k in logits.argsort(descending=True)[:TOP].tolist()],
            explained=names[target], facts=_facts(float(relevance.sum()), logits[target], self.nothing[target]),
            formula=row.formula, citation=row.citation, style=style, clip=clip, threshold=threshold, sign=sign,
            title=f"{row.title} of the {self.model.source} network, explained: {names[target]}",
        )  # fmt: skip
        self.canvas.show(figure)
        reason = caveat(method, self.model)
        line = f"<code>{escape(self.code())}</code>"
        return line + (f"<br><b>Mind:</b> {escape(reason)}." if reason else "")


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


def _scene(seed: int, objects: int, mark: bool) -> Shown:
    extra = f", objects={objects}" * (objects > 1) + ", mark=True" * mark
    return _from_scene(make_scene(seed, objects=objects, mark=mark), f"preprocess(make_scene({seed}{extra}).image)")


def _from_scene(scene: Scene, code: str) -> Shown:
    objects = {thing.label: thing.mask for thing in scene.objects}
    if scene.mark.any():
        objects["mark"] = scene.mark
    return Shown(preprocess(scene.image), code, objects, f"scene {scene.seed}: {' and '.join(scene.labels)}")


def _photograph(name: str) -> Shown:
    about = photographs()[name]
    caption = f"{about.credit.rstrip('.')}. {about.licence}"
    return Shown(preprocess(load_photograph(name)), f'preprocess(load_photograph("{name}"))', caption=caption)


def _from_file(source: str | bytes, name: str | None = None) -> Shown:
    code = f"preprocess(load_image({source!r}))" if name is None else "preprocess(image)"
    return Shown(preprocess(load_image(source)), code, caption=name or Path(source).name)
