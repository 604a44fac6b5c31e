"""AlexNet: where deep learning on photographs began, in full size or as a small copy of the same layers.

The full network has torchvision's architecture and layer names, that of A. Krizhevsky, "One weird trick for
parallelizing convolutional neural networks", arXiv:1404.5997, 2014: without the response normalisation and the split
over two graphics cards of the 2012 original. So torchvision's ImageNet weights fit it as they are.
"""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import safe_open
from torch import nn

from leadwise.language import tr
from leadwise.networks.weights import WeightsError, fill_weights, load_safetensors, read_checkpoint, verify
from leadwise.paths import ASSETS, data_dir

CHANNELS = (64, 192, 384, 256, 256)
HIDDEN = 4096
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's red, green and blue, from 0 to 1
CHECKPOINT = Path("alexnet") / "alexnet-owt-7be5be79.pth"  # in the data folder
EMBEDDED = {"embedded": "scenes.safetensors", "clever hans": "clever_hans.safetensors"}


class AlexNet(nn.Module):
    """Five convolutions, three dense layers: (N, 3, H, W) normalised as by ``preprocess`` -> logits (N, classes).

    Parameters
    ----------
    class_names : what the outputs stand for, in their order; ImageNet's 1000 classes by default
    width : factor of the number of channels; the two hidden dense layers, which hold nearly all parameters, shrink with
        its square. At 1 (the default) 61,100,840 parameters for 1000 classes
    source : where the loaded weights come from
    dropout : share of a dense layer's inputs that training silences
    """

    sample_shape = (3, 224, 224)

    def __init__(
        self,
        class_names: tuple[str, ...] | None = None,
        width: float = 1.0,
        source: str = "untrained",
        dropout: float = 0.5,
    ):
        super().__init__()
        if not 0 < width <= 1:
            raise ValueError(f"width is {width}; expected more than 0, at most 1.")
        self.class_names = imagenet_classes() if class_names is None else tuple(class_names)
        self.width, self.source = width, source
        self.arguments = {"class_names": list(self.class_names), "width": width, "source": source, "dropout": dropout}
        a, b, c, d, e = (max(1, round(width * channels)) for channels in CHANNELS)
        hidden = max(1, round(width**2 * HIDDEN))
        self.features = nn.Sequential(
            nn.Conv2d(3, a, kernel_size=11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(a, b, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(b, c, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(c, d, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(d, e, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.flatten = nn.Flatten(start_dim=-3)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(36 * e, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, len(self.class_names)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x (N, 3, H, W) or (3, H, W), H and W at least 63, to logits (N, classes) or (classes,)."""
        if x.ndim not in (3, 4) or x.shape[-3] != 3:
            raise ValueError(f"input has shape {tuple(x.shape)}; expected (N, 3, H, W) or (3, H, W): colours first.")
        if min(x.shape[-2:]) < 63:
            raise ValueError(f"input is {x.shape[-2]} x {x.shape[-1]} pixels; three poolings need at least 63 x 63.")
        return self.classifier(self.flatten(self.avgpool(self.features(x))))

    def network_row(self) -> dict:
        """Return what the network means, as fields of :class:`leadwise.networks.network.Network`."""
        return {
            "layout": "NCHW", "preprocess": preprocess, "classes": self.class_names, "outputs": "classes",
            "name": "AlexNet", "source": self.source,
        }  # fmt: skip


@cache
def imagenet_classes() -> tuple[str, ...]:
    """Return ImageNet's 1000 class names in the order of the outputs.

    They are those that torchvision publishes with the weights (``AlexNet_Weights.IMAGENET1K_V1.meta["categories"]``,
    BSD 3-Clause); the list lies in ``assets/alexnet`` beside that licence, so that naming a class needs no torchvision.
    """
    return tuple((ASSETS / "alexnet" / "imagenet_classes.txt").read_text("utf-8").splitlines())


# Pictures in, pictures out ------------------------------------------------------------------------------------------


def preprocess(image: np.ndarray | Image.Image, side: int = 256) -> torch.Tensor:
    """Turn a picture into what the network expects, float32 (3, 224, 224).

    The shorter side is scaled to 256 pixels (``side``) and the centre of 224 x 224 cut out; a picture of exactly
    224 x 224 stays as it is. Then, for each colour, ImageNet's mean is subtracted, and its standard deviation divided
    by.

    Parameters
    ----------
    image : uint8 (H, W, 3), or a PIL image

    Raises
    ------
    ValueError : an array of another shape or type
    """
    if not isinstance(image, Image.Image):
        image = np.asarray(image)
        if image.ndim != 3 or image.shape[-1] != 3 or image.dtype != np.uint8:
            raise ValueError(f"image has shape {image.shape}, type {image.dtype}; expected (H, W, 3) of uint8.")
        image = Image.fromarray(image)
    image = image.convert("RGB")
    if image.size != (224, 224):
        image = _centre(image, side)
    return normalise(torch.from_numpy(np.array(image)).permute(2, 0, 1))


def _centre(image: Image.Image, shorter: int) -> Image.Image:
    """Scale the shorter side, cut out the central 224 x 224; a very long side is cut first, to save memory."""
    width, height = image.size
    side = min(width, height)
    if max(width, height) > 4 * side:
        left, top = max(0, (width - 4 * side) // 2), max(0, (height - 4 * side) // 2)
        image = image.crop((left, top, min(width, left + 4 * side), min(height, top + 4 * side)))
        width, height = image.size
    size = (width * shorter // side, height * shorter // side)
    image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = (round((length - 224) / 2) for length in size)  # rounded as torchvision rounds
    return image.crop((left, top, left + 224, top + 224))


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """Turn uint8 (..., 3, H, W) into the network's float32: divide by 255, subtract MEAN, divide by STD."""
    mean, std = (torch.tensor(v, device=pixels.device).view(3, 1, 1) for v in (MEAN, STD))
    return (pixels.float() / 255 - mean) / std


def to_image(x: torch.Tensor) -> np.ndarray:
    """Undo ``normalise``: float (3, H, W) -> uint8 (H, W, 3), clipped to what a picture can show."""
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    pixels = (x.detach().cpu().float() * std + mean).clamp(0, 1) * 255
    return pixels.round().to(torch.uint8).permute(1, 2, 0).numpy()


# Weights ------------------------------------------------------------------------------------------------------------


def load_alexnet(weights: str = "auto", *, verbose: bool = True) -> AlexNet:
    """Load AlexNet in evaluation mode.

    Parameters
    ----------
    weights : "imagenet" (torchvision's, from the data folder), "embedded" (ours, small, trained on the scenes of
        ``leadwise.images.scenes``), "clever hans" (the embedded one's twin that learned a shortcut), or "auto":
        ImageNet's where they have been downloaded, else the embedded ones
    verbose : with "auto", print one line that says which weights are in use

    Returns
    -------
    AlexNet : (N, 3, 224, 224) -> logits (N, len(class_names))

    Raises
    ------
    ValueError : an unknown choice of weights
    WeightsError : a file missing, damaged, or not of this architecture
    """
    if weights not in ("auto", "imagenet", *EMBEDDED):
        raise ValueError(f'weights is {weights!r}; expected "imagenet", "embedded", "clever hans" or "auto".')
    path = data_dir() / CHECKPOINT
    chosen = weights
    if weights == "auto":
        chosen = "imagenet" if path.exists() else "embedded"
    model = _load_checkpoint(path) if chosen == "imagenet" else _load_embedded(chosen)
    if weights == "auto" and verbose:
        said = {"source": tr(model.source), "number": len(model.class_names)}
        print(tr("AlexNet: {source} weights, {number} classes", **said))
    return model.eval()


def _load_checkpoint(path: Path) -> AlexNet:
    if not path.exists():
        raise WeightsError(
            f"the ImageNet weights are not in {path.parent} (missing: {path.name}). "
            "Fetch them with: python -m leadwise download alexnet"
        )
    verify(path, CHECKPOINT.as_posix(), "alexnet")
    state = read_checkpoint(path, "Delete it and download it again: python -m leadwise download alexnet")
    with torch.device("meta"):  # the checkpoint's tensors take the place of the untrained ones: nothing is there twice
        model = AlexNet(source="imagenet")
    fill_weights(model, state, path, assign=True)
    return model


def _load_embedded(name: str) -> AlexNet:
    path = ASSETS / "alexnet" / EMBEDDED[name]
    if not path.exists():
        raise WeightsError(
            f"no {name} AlexNet in this version of the course ({path.name} is missing). "
            "Train it with: python training/alexnet.py; or fetch ImageNet's with: python -m leadwise download alexnet"
        )
    return load_small(path, name)


def load_small(path: str | Path, source: str) -> AlexNet:
    """Load a network that ``training/alexnet.py`` saved; the file itself says how wide it is and what it tells apart.

    Raises
    ------
    WeightsError : not such a file
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        model = AlexNet(tuple(metadata["classes"].split(", ")), float(metadata["width"]), source)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise WeightsError(f"{path}: not an AlexNet saved by training/alexnet.py ({error!r}).") from error
    load_safetensors(model, path)
    return model
