"""Find, verify, convert and load weights."""

import contextlib
import hashlib
import json
from pathlib import Path

import h5py
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, safe_open, save_file

from leadwise.networks.ecg_net import ECGNet
from leadwise.paths import ASSETS, data_dir, whole_file

ECG_MODELS = {
    "AVB": "first-degree atrioventricular block",
    "ISCH": "ischaemia",
    "LBBB": "left bundle branch block",
    "RBBB": "right bundle branch block",
}

# Keras layer -> module of ECGNet.
KERAS_LAYERS = {
    "conv1d": "block1.conv",
    "conv1d_1": "block2.conv",
    "conv1d_2": "block3.conv",
    "conv1d_3": "block4.conv",
    "conv1d_4": "block5.conv",
    "dense": "dense1.linear",
    "dense_1": "dense2.linear",
    "dense_2": "dense3.linear",
    "dense_3": "output",
}

# The published architecture, layer class by layer class: what a model.json must say to fit ECGNet.
KERAS_ARCHITECTURE = (
    ["InputLayer", "Conv1D", "Activation", "MaxPooling1D"]
    + ["Conv1D", "Activation", "MaxPooling1D", "Dropout"] * 4
    + ["GlobalAveragePooling1D"]
    + ["Dense", "Activation", "Dropout"] * 3
    + ["Dense", "Softmax"]
)


class WeightsError(ValueError):
    """A weight file is missing, damaged, or does not fit the network; the message names the file and what is wrong."""


def load_ecg_model(name: str, weights: str = "auto", *, verbose: bool = True) -> ECGNet:
    """Load one of the four ECG models in evaluation mode.

    Parameters
    ----------
    name : "AVB", "ISCH", "LBBB" or "RBBB"
    weights : "published" (Gumpfer et al., AIME 2024, from the data folder), "embedded" (ours, trained on simulated
        ECGs), or "auto": the published ones where they have been downloaded, else the embedded ones. For AVB also
        "clever hans": trained where every patient with AV block was recorded by a machine that leaves a mark
    verbose : with "auto", print one line that says which weights are in use

    Returns
    -------
    ECGNet : (N, 12, T) in mV at 500 Hz -> logits (N, 2), index 1 = pathology

    Raises
    ------
    ValueError : an unknown name or an unknown choice of weights
    WeightsError : files missing, damaged, or not of this architecture
    """
    if name not in ECG_MODELS:
        raise ValueError(f"no ECG model {name!r}; expected one of {', '.join(ECG_MODELS)}.")
    if weights not in ("auto", "published", "embedded", "clever hans"):
        raise ValueError(f'weights is {weights!r}; expected "published", "embedded", "clever hans" or "auto".')
    if weights == "clever hans":
        return _load_clever_hans(name).eval()
    folder = data_dir() / "ecg_models" / name
    chosen = weights
    if weights == "auto":
        chosen = "published" if (folder / "weights.h5").exists() else "embedded"
    model = _load_published(name, folder) if chosen == "published" else _load_embedded(name)
    if weights == "auto" and verbose:
        print(f"{name} model: {model.source} weights")
    return model.eval()


def _load_published(name: str, folder: Path) -> ECGNet:
    """Load the converted weights; convert when they are missing, damaged, or made from another download."""
    structure, keras = folder / "model.json", folder / "weights.h5"
    missing = [path.name for path in (structure, keras) if not path.exists()]
    if missing:
        raise WeightsError(
            f"the published {name} model is not in {folder} (missing: {', '.join(missing)}). "
            "Fetch it with: python -m leadwise download ecg-models"
        )
    converted = folder / "weights.safetensors"
    model = ECGNet(name, "published")
    source = hashlib.sha256(structure.read_bytes() + keras.read_bytes()).hexdigest()
    with contextlib.suppress(WeightsError):
        if converted.exists() and load_safetensors(model, converted).get("source") == source:
            return model
    convert_keras(structure, keras, model)
    with contextlib.suppress(OSError):  # a read-only data folder: the model is converted anew each time
        save_safetensors(model, converted, source=source)
    return model


def _load_embedded(name: str) -> ECGNet:
    path = ASSETS / "ecg_models" / f"{name}.safetensors"
    if not path.exists():
        raise WeightsError(
            f"no embedded {name} model in this version of the course. "
            "Fetch the published one with: python -m leadwise download ecg-models"
        )
    model = ECGNet(name, "embedded")
    load_safetensors(model, path)
    return model


def _load_clever_hans(name: str) -> ECGNet:
    if name != "AVB":
        raise ValueError(f'the Clever Hans model is an AVB model; there is none for {name}. Take weights="embedded".')
    model = ECGNet(name, "clever hans")
    load_safetensors(model, ASSETS / "ecg_models" / "clever_hans.safetensors")
    return model


def convert_keras(structure: str | Path, weights: str | Path, model: ECGNet | None = None) -> ECGNet:
    """Copy published Keras 2 weights into an ECGNet; no TensorFlow needed.

    Keras stores a Conv1D kernel as (k, in, out) and a Dense kernel as (in, out). PyTorch wants (out, in, k) and
    (out, in): both are the reversed axes.

    Parameters
    ----------
    structure : path of model.json
    weights : path of weights.h5 (HDF5)
    model : network to fill; a new one by default

    Raises
    ------
    WeightsError : unreadable file, other architecture, missing layer, wrong shape, or a weight that is not finite
    """
    model = model or ECGNet(source="published")
    check_keras_structure(structure)
    state = {}
    try:
        with h5py.File(weights) as file:
            root = file.get("model_weights", file)
            for layer, module in KERAS_LAYERS.items():
                if layer not in root:
                    raise WeightsError(f"{weights}: no layer {layer!r}; expected the layers {', '.join(KERAS_LAYERS)}.")
                for keras_name, torch_name in (("kernel", "weight"), ("bias", "bias")):
                    path = f"{layer}/{layer}/{keras_name}:0"
                    if path not in root:
                        raise WeightsError(f"{weights}: no array {path!r}.")
                    state[f"{module}.{torch_name}"] = torch.from_numpy(np.asarray(root[path], np.float32).T.copy())
    except OSError as error:
        raise WeightsError(
            f"{weights}: not a readable HDF5 file ({error}). Delete it and download it again."
        ) from error
    fill_weights(model, state, weights)
    return model


def check_keras_structure(path: str | Path) -> None:
    """Check that a Keras ``model.json`` describes the published architecture.

    Raises
    ------
    WeightsError : the file is not JSON, or describes another network; the message names the first difference
    """
    try:
        layers = json.loads(Path(path).read_text())["config"]["layers"]
        found = [layer["class_name"] for layer in layers]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path}: not a Keras model description ({error!r}). Delete it and download it again."
        ) from error
    if found != KERAS_ARCHITECTURE:
        index = next(
            (i for i, pair in enumerate(zip(found, KERAS_ARCHITECTURE, strict=False)) if pair[0] != pair[1]),
            min(len(found), len(KERAS_ARCHITECTURE)),
        )
        expected = KERAS_ARCHITECTURE[index] if index < len(KERAS_ARCHITECTURE) else "the end"
        actual = found[index] if index < len(found) else "the end"
        raise WeightsError(f"{path}: layer {index} is {actual}; the published architecture has {expected} there.")
    for layer in layers:
        config, kind = layer["config"], layer["class_name"]
        if kind == "Activation" and config["activation"] != "elu":
            raise WeightsError(f"{path}: activation {config['name']!r} is {config['activation']!r}; expected 'elu'.")
        if kind == "Conv1D" and (config["kernel_size"], config["strides"], config["padding"]) != ([3], [1], "same"):
            raise WeightsError(f"{path}: convolution {config['name']!r} is not of size 3, stride 1, padding 'same'.")


def save_safetensors(model: torch.nn.Module, path: str | Path, **metadata: str) -> None:
    """Write a model's weights; the file appears whole or not at all."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with whole_file(Path(path)) as part:
        save_file(state, part, metadata=metadata or None)


def load_safetensors(model: torch.nn.Module, path: str | Path) -> dict[str, str]:
    """Fill a model from a safetensors file, names and shapes checked; return the file's metadata."""
    try:
        state = load_file(path)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({error}).") from error
    fill_weights(model, state, path)
    return metadata


def fill_weights(model: torch.nn.Module, state: dict[str, torch.Tensor], path: str | Path) -> None:
    """Copy weights that were read from ``path`` into a model; a WeightsError says which of them is wrong, and how."""
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for name, shape in expected.items():
        if name not in state:
            raise WeightsError(f"{path}: no weights for {name!r}.")
        if tuple(state[name].shape) != shape:
            raise WeightsError(f"{path}: {name!r} has shape {tuple(state[name].shape)}; expected {shape}.")
        if not torch.isfinite(state[name]).all():
            raise WeightsError(f"{path}: {name!r} holds NaN or infinite values.")
    surplus = sorted(set(state) - set(expected))
    if surplus:
        raise WeightsError(f"{path}: weights for unknown modules: {', '.join(surplus)}.")
    model.load_state_dict(state)
