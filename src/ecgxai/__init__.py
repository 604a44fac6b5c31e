"""From Saliency to Semantics: verified explanations of 12-lead ECG models, for a notebook course.

The names below are the public interface. Each is imported on first use, so that ``import ecgxai`` costs nothing
and ``python -m ecgxai download`` needs no PyTorch. The package teaches; it never diagnoses.
"""

from importlib import import_module

from ecgxai.compat import prepare_torchvision

__version__ = "0.1.0"

_PUBLIC = {
    "ECG": "ecgxai.ecg.record",
    "load_ecg": "ecgxai.ecg.io",
    "read_ecg": "ecgxai.ecg.reading",
    "check_ecg": "ecgxai.ecg.quality",
    "records": "ecgxai.ecg.records",
    "load_record": "ecgxai.ecg.records",
    "simulate_ecg": "ecgxai.ecg.simulate",
    "load_ecg_model": "ecgxai.models.weights",
    "load_alexnet": "ecgxai.models.alexnet",
    "attribute": "ecgxai.attribution",
    "METHODS": "ecgxai.attribution",
    "device": "ecgxai.devices",
}

__all__ = list(_PUBLIC)

prepare_torchvision()  # so that `import signxai` or `import zennit` after this works; see ecgxai.compat


def __getattr__(name):
    """Import a public name from its module on first use (PEP 562)."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'ecgxai' has no attribute {name!r}; its public names are {', '.join(__all__)}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__():
    """List the public names, imported or not."""
    return sorted([*globals(), *__all__])
