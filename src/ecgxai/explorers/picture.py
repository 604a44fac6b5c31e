"""Choose a picture: a scene by its seed, an example photograph, a file, or an upload."""

import ipywidgets as widgets
import torch

from ecgxai.explorers.base import FIELD, LABEL, drop
from ecgxai.explorers.upload import uploaded_files
from ecgxai.images.io import load_image, load_photograph, photographs
from ecgxai.images.scenes import make_scene
from ecgxai.models.alexnet import preprocess

# Which further controls a source needs.
NEEDS = {"given": (), "scene": ("seed", "objects"), "file": ("path",), "upload": ("upload",)}


class PictureChoice:
    """Controls that choose a picture, and the picture that they choose.

    Parameters
    ----------
    image : a picture to offer as well, and first: uint8 (H, W, 3), or what ``preprocess`` returns, (3, 224, 224)
    """

    def __init__(self, image=None):
        given = [("the given picture", "given")] * (image is not None)
        shown = [(f"photograph: {name.replace('_', ' ')}", f"photograph {name}") for name in photographs()]
        options = [*given, ("scene with known object", "scene"), *shown, ("file on this computer", "file")]
        options += [("upload", "upload")]
        shared = {"style": LABEL, "layout": FIELD}
        self.image = image
        self.controls = {
            "source": drop("picture", options, options[0][1]),
            "seed": widgets.BoundedIntText(description="scene", value=0, min=0, max=999_999, **shared),
            "objects": drop("objects", (1, 2), 1),
            "path": widgets.Text(
                description="path", placeholder="PNG, JPEG or WebP", continuous_update=False, **shared
            ),
            "upload": widgets.FileUpload(description="choose a file", accept="image/*", multiple=False, layout=FIELD),
        }

    def needed(self) -> list[widgets.Widget]:
        """Return the controls that matter for the chosen source, the choice of the source first."""
        source = self.controls["source"]
        return [source, *(self.controls[name] for name in NEEDS.get(source.value, ()))]

    def load(self) -> tuple[torch.Tensor, str]:
        """Return the chosen picture as a network sees it, float (3, 224, 224), and what to call it.

        Raises
        ------
        ValueError : no file chosen yet, or (ImageError) one that is no picture
        """
        source, path = self.controls["source"].value, self.controls["path"].value.strip()
        if source == "given":
            ready = torch.is_tensor(self.image) and self.image.is_floating_point()
            return (self.image.reshape(self.image.shape[-3:]) if ready else preprocess(self.image)), "the given picture"
        if source == "scene":
            scene = make_scene(self.controls["seed"].value, objects=self.controls["objects"].value)
            return preprocess(scene.image), f"scene {scene.seed}: {' and '.join(scene.labels)}"
        if source == "file":
            if not path:
                raise ValueError("no file chosen yet; write its path, then press Enter.")
            return preprocess(load_image(path)), path.replace("\\", "/").rsplit("/", 1)[-1]
        if source == "upload":
            files = uploaded_files(self.controls["upload"])
            if not files:
                raise ValueError("nothing uploaded yet; choose a PNG, JPEG or WebP picture with the button.")
            name, content = list(files.items())[-1]
            return preprocess(load_image(content)), name
        name = source.removeprefix("photograph ")
        return preprocess(load_photograph(name)), name.replace("_", " ")
