"""Makes zennit and signxai importable beside a CPU-only PyTorch.

Both import torchvision, and torchvision's build on PyPI is compiled against CUDA: beside a CPU-only torch its extension
does not load, and its import then ends with ``operator torchvision::nms does not exist``. Nothing in this course calls
those compiled operators, so it is enough that their names are known. Nothing is declared where the extension loads.

Where ``import torchvision`` comes before ``import leadwise``, it fails before anything here has run. What it leaves
behind is recognised, the reason is given as a warning, and the same import works from then on. ``make`` and Binder's
image call ``write_startup``, which lets every start of that Python prepare for torchvision, so that the order does not
matter there; ``LEADWISE_STARTUP=0`` leaves it out.
"""

import sys
import sysconfig
import warnings
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

# What torchvision/_meta_registrations.py registers a fake implementation for, with or without the extension. The
# schemas are those of torchvision/csrc/ops/nms.cpp and quantized/cpu/qnms_kernel.cpp.
OPERATORS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}

FAILED_BEFORE = (
    "an import of torchvision failed before leadwise was imported. If it said 'operator torchvision::nms does not "
    "exist': this torchvision is built for CUDA, and this torch for the CPU. Import torchvision again, it works "
    "now; in a script, write `import leadwise` first. Or install the torchvision of the index that torch came from."
)

_declared: list = []  # keeps the torch.library.Library alive: its operators vanish with it


class TorchvisionWarning(UserWarning):
    """An import of torchvision failed before this package could help."""


def ensure_torchvision() -> bool:
    """Declare torchvision's operators where its extension cannot load; call it before importing zennit or signxai.

    Calling it again, or after torchvision has been imported, does nothing. Where torchvision is not installed it does
    nothing either, and the import that follows says so.

    Returns
    -------
    bool : True where the operators are declared by this module, False where torchvision needs no help
    """
    if _declared or "torchvision" in sys.modules:
        return bool(_declared)
    spec = find_spec("torchvision")
    if spec is None or _extension_loads(spec.submodule_search_locations[0]):
        return False
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in OPERATORS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    _declared.append(library)
    return True


def _extension_loads(folder: str) -> bool:
    """Load torchvision's extension as torchvision itself does; loading it a second time costs nothing.

    Up to torchvision 0.28 it is ``_C``, from 0.29 on ``_C_stable``. To overlook it would be fatal: an operator that is
    declared here and then by the extension ends the process.
    """
    import torch

    extensions = [path for path in Path(folder).glob("_C*") if path.name.endswith(tuple(EXTENSION_SUFFIXES))]
    try:
        for path in extensions:
            torch.ops.load_library(path)
    except OSError:
        return False
    return bool(extensions)


class _BeforeTorchvision:
    """A finder that finds nothing: when torchvision is first asked for, it calls ``ensure_torchvision`` and is gone."""

    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            ensure_torchvision()
        return None


def prepare_torchvision() -> None:
    """Have ``ensure_torchvision`` called when torchvision is first imported, and not before; needs no torch by itself.

    ``import leadwise`` calls this, so that ``import signxai`` or ``import zennit`` after it succeeds.

    Warns
    -----
    TorchvisionWarning : torchvision was imported before, and failed; the warning says why, and that it works now
    """
    if "torchvision" not in sys.modules and "torchvision.extension" in sys.modules:
        warnings.warn(FAILED_BEFORE, TorchvisionWarning, stacklevel=3)
    prepared = any(isinstance(finder, _BeforeTorchvision) for finder in sys.meta_path)
    if not prepared and "torchvision" not in sys.modules:
        sys.meta_path.insert(0, _BeforeTorchvision())


STARTUP = (
    "import os, importlib.util as u; os.environ.get('LEADWISE_STARTUP') != '0' and u.find_spec('leadwise') "
    "and __import__('leadwise')\n"
)
"""A line of a .pth file: Python's ``site`` runs it at each start. Importing leadwise imports nothing large."""


def write_startup(folder: str | Path | None = None) -> Path:
    """Write the file that prepares every start of this Python for torchvision; return its path.

    Parameters
    ----------
    folder : where Python looks for .pth files; by default this environment's site-packages
    """
    path = Path(folder or sysconfig.get_path("purelib")) / "leadwise_torchvision.pth"
    path.write_text(STARTUP, encoding="utf-8")
    return path
