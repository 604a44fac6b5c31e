"""Which processor networks are best run on."""

import os

import torch


def device() -> torch.device:
    """Return the device to use: the GPU where PyTorch sees one, else the CPU; ``LEADWISE_DEVICE`` overrides.

    Models are loaded onto the CPU, so that ``model(x)`` works with any x that a notebook makes. Where a GPU pays, a
    model is moved to it, ``model.to(leadwise.device())``: ``attribute``, ``fit``, ``maximise_activation`` and
    ``leadwise.evaluation`` follow the model, wherever x is.

    Raises
    ------
    ValueError : ``LEADWISE_DEVICE`` names no device, or one that this machine has not
    """
    wanted = os.environ.get("LEADWISE_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(wanted)
    except RuntimeError:
        chosen = None
    if chosen is None or chosen.type not in ("cpu", "cuda"):
        raise ValueError(f'LEADWISE_DEVICE is {wanted!r}; expected "cpu", "cuda" or, for one of several, "cuda:1".')
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"LEADWISE_DEVICE is {wanted!r}, but PyTorch {torch.__version__} sees {torch.cuda.device_count()} CUDA "
            'devices. Unset it, or set it to "cpu".'
        )
    return chosen
