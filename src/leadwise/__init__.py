"""From Saliency to Semantics: verified explanations of 12-lead ECG models, for a notebook course.

The names below are the public interface. Each is imported on first use, so that ``import leadwise`` costs nothing
and ``python -m leadwise download`` needs no PyTorch. The package teaches; it never diagnoses.
"""

from importlib import import_module

from leadwise.compat import prepare_torchvision
from leadwise.cores import use_own_cores

__version__ = "0.1.0"

_PUBLIC = {
    "ECG": "leadwise.ecg.record",
    "load_ecg": "leadwise.recordings.reading",
    "read_ecg": "leadwise.recordings.reading",
    "check_ecg": "leadwise.recordings.quality",
    "records": "leadwise.recordings.catalogue",
    "load_record": "leadwise.recordings.catalogue",
    "simulate_ecg": "leadwise.simulation.simulate",
    "load_ecg_model": "leadwise.networks.weights",
    "load_alexnet": "leadwise.networks.alexnet",
    "Network": "leadwise.networks.network",
    "NETWORKS": "leadwise.networks.registry",
    "attribute": "leadwise.attribution",
    "METHODS": "leadwise.attribution",
    "device": "leadwise.devices",
}

__all__ = list(_PUBLIC)

use_own_cores()  # before PyTorch starts its threads
prepare_torchvision()  # so that `import signxai` or `import zennit` after this works; see leadwise.compat


def __getattr__(name):
    """Import a public name from its module on first use (PEP 562)."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'leadwise' has no attribute {name!r}; its public names are {', '.join(__all__)}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__():
    """List the public names, imported or not."""
    return sorted([*globals(), *__all__])
