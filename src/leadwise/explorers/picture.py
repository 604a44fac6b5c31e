"""Choose a picture: a scene by its seed, an example photograph, a file, or an upload."""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor

from leadwise.explorers.base import FIELD, LABEL, drop
from leadwise.explorers.upload import uploaded_files
from leadwise.images.io import load_image, load_photograph, photographs
from leadwise.images.scenes import Scene, make_scene
from leadwise.language import current, tr
from leadwise.networks.alexnet import preprocess, to_image
from leadwise.plotting.style import printable

Picture = int | str | Path | Scene | Tensor | np.ndarray  # number of a scene, name or path, the picture itself

GIVEN = "the given picture"
# Which further controls a source needs.
NEEDS = {"given": (), "scene": ("seed", "objects", "mark"), "file": ("path",), "upload": ("upload",)}
BRINGS = {"path": "file", "upload": "upload"}  # which source a control fills


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture as a network sees it.

    Parameters
    ----------
    x : float (3, 224, 224)
    name : what to call it
    code : the expression that makes it
    fill : a name in ``code`` that only the caller knows, and what it stands for; "" where there is none
    objects : name -> mask, bool (224, 224), of the objects that are known
    caption : what it is, and whose
    """

    x: Tensor
    name: str
    code: str
    objects: dict[str, np.ndarray] = field(default_factory=dict)
    caption: str = ""
    fill: str = ""


class PictureChoice:
    """Controls that choose a picture, and the picture that they choose.

    Parameters
    ----------
    image : what to show first: the seed of a scene, a Scene, a name of ``photographs()``, the path of a picture; or a
        picture, uint8 (H, W, 3), or what ``preprocess`` returns, (3, 224, 224), which is then offered as well
    objects : how many objects a scene has to begin with, 1 or 2

    Raises
    ------
    ImageError : a file that is no picture
    """

    def __init__(self, image: Picture | None = None, objects: int = 1):
        self.given, first = _begin(image, objects)
        given = [(tr(GIVEN), "given")] * (self.given is not None)
        shown = [(f"{tr('photograph')}: {name.replace('_', ' ')}", f"photograph {name}") for name in photographs()]
        options = [*given, (tr("scene with known objects"), "scene"), *shown, (tr("file on this computer"), "file")]
        options += [(tr("upload"), "upload")]
        shared = {"style": LABEL, "layout": FIELD}
        path = {"value": first["path"], "placeholder": tr("PNG, JPEG or WebP"), "continuous_update": False}
        self.controls = {
            "source": drop(tr("picture"), options, first["source"]),
            "seed": widgets.BoundedIntText(description=tr("scene"), value=first["seed"], min=0, max=999_999, **shared),
            "objects": drop(tr("objects"), (1, 2), first["objects"]),
            "mark": widgets.Checkbox(description=tr("mark in the corner"), value=first["mark"], indent=True, **shared),
            "path": widgets.Text(description=tr("path"), **path, **shared),
            "upload": widgets.FileUpload(
                description=tr("choose a file"), accept="image/*", multiple=False, layout=FIELD
            ),
        }

    def needed(self) -> list[widgets.Widget]:
        """Return the controls that matter for the chosen source, the choice of the source first."""
        source = self.controls["source"]
        return [source, *(self.controls[name] for name in NEEDS.get(source.value, ()))]

    def follow(self, control: widgets.Widget) -> bool:
        """Turn to the file that a control has just brought; return whether another source was chosen before."""
        source = next((source for name, source in BRINGS.items() if self.controls[name] is control), None)
        if source is None or source == self.controls["source"].value:
            return False
        self.controls["source"].value = source
        return True

    def shown(self) -> Shown:
        """Return the chosen picture; as long as nothing changes, the same object.

        Raises
        ------
        ValueError : no file chosen yet, or (ImageError) one that is no picture
        """
        source, path = self.controls["source"].value, self.controls["path"].value.strip()
        if source == "given":
            return self.given
        if source == "scene":
            return _scene(*(self.controls[name].value for name in NEEDS["scene"]), current())
        if source == "file":
            if not path:
                raise ValueError(tr("no file chosen yet; write its path, then press Enter."))
            changed = Path(path).stat().st_mtime_ns if Path(path).exists() else 0
            return _file(path, changed)
        if source == "upload":
            files = uploaded_files(self.controls["upload"])
            if not files:
                raise ValueError(tr("nothing uploaded yet; choose a PNG, JPEG or WebP picture with the button."))
            return _upload(*list(files.items())[-1])
        return _photograph(source.removeprefix("photograph "))


def _begin(image, objects: int) -> tuple[Shown | None, dict]:
    """Return the picture that only the caller has, if it is one, and what the controls show first."""
    first = {"source": "scene", "seed": 0, "objects": objects, "mark": False, "path": ""}
    if image is None:
        return None, first
    if isinstance(image, int | np.integer):
        return None, first | {"seed": int(image)}
    if isinstance(image, Scene):
        same = {"seed": image.seed, "objects": len(image.objects), "mark": bool(image.mark.any())}
        again = _scene(*same.values(), current()) if same["objects"] in (1, 2) else None
        if again is not None and np.array_equal(to_image(again.x), image.image):
            return None, first | same
        return _given_scene(image), first | {"source": "given"}  # one with chosen classes
    if isinstance(image, str) and image in photographs():
        return None, first | {"source": f"photograph {image}"}
    if isinstance(image, str | Path):
        return None, first | {"source": "file", "path": str(image)}
    ready = torch.is_tensor(image) and image.is_floating_point()
    x = image.reshape(image.shape[-3:]) if ready else preprocess(image)
    code, shape = (
        ("my_image", tr("(3, 224, 224), as preprocess returns it"))
        if ready
        else ("preprocess(my_image)", "uint8 (H, W, 3)")
    )
    if ready and image.ndim > 3:
        code = "my_image.reshape(my_image.shape[-3:])"
    fill = tr("my_image: the picture that the explorer was given, {shape}; its name can't be known here", shape=shape)
    return Shown(x, tr(GIVEN), code, caption=tr(GIVEN), fill=fill), first | {"source": "given"}


@lru_cache(maxsize=16)
def _scene(seed: int, objects: int, mark: bool, language: str) -> Shown:
    """Return a scene, named in this language, the one in use."""
    extra = f", objects={objects}" * (objects > 1) + ", mark=True" * mark
    return _from_scene(make_scene(seed, objects=objects, mark=mark), f"preprocess(make_scene({seed}{extra}).image)")


def _given_scene(scene: Scene) -> Shown:
    """Return a scene that somebody drew, with the call that draws it where one does."""
    marked = ", mark=True" * bool(scene.mark.any())
    if np.array_equal(make_scene(scene.seed, scene.labels, mark=bool(marked)).image, scene.image):
        return _from_scene(scene, f"preprocess(make_scene({scene.seed}, {scene.labels!r}{marked}).image)")
    fill = tr("my_scene: the scene that the explorer was given; its name can't be known here")
    return replace(_from_scene(scene, "preprocess(my_scene.image)"), fill=fill)


def _from_scene(scene: Scene, code: str) -> Shown:
    objects = {thing.label: thing.mask for thing in scene.objects}
    if scene.mark.any():
        objects[tr("mark")] = scene.mark
    name = f"{tr('scene')} {scene.seed}: {tr(' and ').join(scene.labels)}"
    return Shown(preprocess(scene.image), name, code, objects, name)


@lru_cache(maxsize=16)
def _photograph(name: str) -> Shown:
    about = photographs()[name]
    caption, code = f"{about.credit.rstrip('.')}. {about.licence}", f'preprocess(load_photograph("{name}"))'
    return Shown(preprocess(load_photograph(name)), name.replace("_", " "), code, caption=caption)


@lru_cache(maxsize=4)
def _file(path: str, changed: int) -> Shown:
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    return Shown(preprocess(load_image(path)), name, f"preprocess(load_image({path!r}))", caption=name)


@lru_cache(maxsize=4)
def _upload(name: str, content: bytes) -> Shown:
    fill = tr("my_file: the path of the upload {name}", name=repr(printable(name)))
    return Shown(preprocess(load_image(content)), name, "preprocess(load_image(my_file))", caption=name, fill=fill)
