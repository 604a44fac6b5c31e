"""VGG and ResNet as torchvision builds them, with the weights that the download command fetches, beside AlexNet.

torchvision is optional: only these architectures need it. They are large, and refuse to load where the memory that is
left does not hold them: a session on Binder that needs more than it may have is ended without a word.
"""

import os
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

import torch

from leadwise.networks.alexnet import imagenet_classes, preprocess
from leadwise.networks.network import Network
from leadwise.networks.weights import WeightsError, fill_weights, read_checkpoint, verify
from leadwise.paths import data_dir

WORKING = 1000  # MB beside the weights: activations of eight pictures at once, measured on VGG16 and ResNet50


@dataclass(frozen=True)
class PictureNet:
    """A network of pictures that can be had.

    Parameters
    ----------
    builder : name of torchvision's function
    file : its checkpoint, in ``picture_networks`` of the data folder
    group : of the download command
    megabytes : of its weights
    side : to which the shorter side of a picture is scaled before 224 x 224 are cut out
    """

    builder: str
    file: str
    group: str
    megabytes: int
    side: int = 256

    @property
    def path(self) -> Path:
        """Where the checkpoint lies, or would."""
        return data_dir() / "picture_networks" / self.file


PICTURE_NETS = {
    "VGG16": PictureNet("vgg16", "vgg16-397923af.pth", "vgg16", 553),
    "VGG19": PictureNet("vgg19", "vgg19-dcbb9e9d.pth", "vgg19", 575),
    "ResNet50": PictureNet("resnet50", "resnet50-0676ba61.pth", "resnet50", 103),
    "ResNet101": PictureNet("resnet101", "resnet101-63fe2227.pth", "resnet101", 179),
    "ResNet152": PictureNet("resnet152", "resnet152-394f9c45.pth", "resnet152", 242),
    "ResNet50 V2": PictureNet("resnet50", "resnet50-11ad3fa6.pth", "resnet50-v2", 103, side=232),
    "ResNet101 V2": PictureNet("resnet101", "resnet101-cd907fc2.pth", "resnet101-v2", 179, side=232),
}
"""Name -> row. "V2" are torchvision's defaults of today; without it, the recipe of the papers."""


def load_picture_net(name: str, weights: str = "auto") -> Network:
    """Load a network of ``PICTURE_NETS`` with its ImageNet weights.

    Parameters
    ----------
    name : a key of ``PICTURE_NETS``
    weights : "imagenet" or "auto", which is the same: nothing else is there

    Raises
    ------
    ValueError : no such network or weights
    WeightsError : torchvision or the download is missing, the file is another, or the memory does not hold it
    """
    if name not in PICTURE_NETS or weights not in ("auto", "imagenet"):
        raise ValueError(
            f'no {weights!r} weights of {name!r}; expected "imagenet" or "auto", and one of {", ".join(PICTURE_NETS)}.'
        )
    row = PICTURE_NETS[name]
    if not row.path.exists():
        raise WeightsError(
            f"the weights of {name} are not in {row.path.parent} (missing: {row.file}, {row.megabytes} MB). "
            f"Fetch them with: python -m leadwise download {row.group}"
        )
    _refuse_without_memory(name, row)
    with torch.device("meta"):  # the checkpoint's tensors take the place of the untrained ones: nothing is there twice
        module = _builder(row.builder)(weights=None)
    verify(row.path, f"picture_networks/{row.file}", row.group)
    state = read_checkpoint(row.path, f"Delete it and download it again: python -m leadwise download {row.group}")
    counts = [key for key in module.state_dict() if key.endswith("num_batches_tracked")]  # older files lack them
    fill_weights(module, {key: torch.tensor(0) for key in counts} | state, row.path, assign=True)
    return Network(
        module.eval().requires_grad_(False), layout="NCHW", preprocess=partial(preprocess, side=row.side),
        classes=imagenet_classes(), outputs="classes", name=name, source="imagenet",
    )  # fmt: skip


def _builder(name: str):
    """Return torchvision's function that builds an architecture."""
    try:
        return getattr(import_module("torchvision.models"), name)
    except ImportError as error:
        raise WeightsError(
            f"{name} needs torchvision, which is not installed ({error}). Install it beside the present torch, with: "
            "pip install --no-deps torchvision"
        ) from error


def memory_left() -> int | None:
    """Return how many MB may still be taken, by Binder's limit, the container's and the machine's; None: unknown.

    Examples
    --------
    >>> memory_left() is None or memory_left() > 0
    True
    """
    found = []
    used = _number("/proc/self/statm", 1) * os.sysconf("SC_PAGE_SIZE") if Path("/proc/self/statm").exists() else 0
    if os.environ.get("MEM_LIMIT", "").isdigit():
        found.append(int(os.environ["MEM_LIMIT"]) - used)
    limit = _number("/sys/fs/cgroup/memory.max")
    if limit:
        found.append(limit - _number("/sys/fs/cgroup/memory.current"))
    available = _number("/proc/meminfo", after="MemAvailable:")
    if available:
        found.append(available * 1024)
    return round(min(found) / 1e6) if found else None


def _number(path: str, place: int = 0, after: str = "") -> int:
    """Return a whole number from a file of the system; 0 where there is none."""
    try:
        words = Path(path).read_text().split()
        return int(words[words.index(after) + 1 if after else place])
    except (OSError, ValueError, IndexError):
        return 0


def _refuse_without_memory(name: str, row: PictureNet) -> None:
    needed, left = row.megabytes + WORKING, memory_left()
    if left is not None and left < needed:
        smaller = min(PICTURE_NETS, key=lambda other: PICTURE_NETS[other].megabytes)
        raise WeightsError(
            f"{name} needs about {needed} MB of memory; {left} MB are left here. Take a smaller network, such as "
            f"{smaller} ({PICTURE_NETS[smaller].megabytes + WORKING} MB), or run this on a larger machine."
        )
