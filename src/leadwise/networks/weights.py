"""Find, verify, convert and load weights.

Weights are called "published" only where the files are, byte for byte, those of the registry: that is asked at every
load, not only when they were downloaded. Other weights of the published form go through :func:`convert_keras`, and are
called "converted".
"""

import contextlib
import hashlib
import json
import pickle
from pathlib import Path
from zipfile import is_zipfile

import numpy as np
import torch
from safetensors.torch import load_file, safe_open, save_file

from leadwise.language import tr
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

# The published architecture, layer by layer, with everything in a model.json that changes what is computed. A number
# stands for Keras's list of one. "optional": what older versions of Keras do not write, because they have no other.
_CONV = {
    "filters": 64, "kernel_size": 3, "strides": 1, "padding": "same", "dilation_rate": 1, "activation": "linear",
    "use_bias": True, "data_format": "channels_last", "optional": {"groups": 1},
}  # fmt: skip
_POOL = {"pool_size": 2, "strides": 2, "padding": "valid", "data_format": "channels_last"}
_DENSE = {"units": 64, "activation": "linear", "use_bias": True}
_AVERAGE = {"data_format": "channels_last", "optional": {"keepdims": False}}
_ELU = {"activation": "elu"}
_Layers = list[tuple[str, dict]]
_CONV_BLOCK: _Layers = [("Conv1D", _CONV), ("Activation", _ELU), ("MaxPooling1D", _POOL)]
_DENSE_BLOCK: _Layers = [("Dense", _DENSE), ("Activation", _ELU), ("Dropout", {})]
KERAS_ARCHITECTURE: _Layers = [
    ("InputLayer", {}),  # any number of samples, and the kernels say how many leads
    *_CONV_BLOCK,
    *[*_CONV_BLOCK, ("Dropout", {})] * 4,
    ("GlobalAveragePooling1D", _AVERAGE),
    *_DENSE_BLOCK * 3,
    ("Dense", _DENSE | {"units": 2}),
    ("Softmax", {"axis": -1}),
]


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
        print(tr("{name} model: {source} weights", name=name, source=tr(model.source)))
    return model.eval()


def _load_published(name: str, folder: Path) -> ECGNet:
    """Load the verified download by way of its conversion, which is made again where it is missing or not its own."""
    structure, keras = folder / "model.json", folder / "weights.h5"
    missing = [path.name for path in (structure, keras) if not path.exists()]
    if missing:
        raise WeightsError(
            f"the published {name} model is not in {folder} (missing: {', '.join(missing)}). "
            "Fetch it with: python -m leadwise download ecg-models"
        )
    source = " ".join(verify(path, f"ecg_models/{name}/{path.name}", "ecg-models") for path in (structure, keras))
    converted = folder / "weights.safetensors"
    model = ECGNet(name, "published")
    with contextlib.suppress(WeightsError):
        if converted.exists():
            said = load_safetensors(model, converted)
            if (said.get("source"), said.get("content")) == (source, content_hash(model)):
                return model
    convert_keras(structure, keras, model)
    with contextlib.suppress(OSError):  # a read-only data folder: the model is converted anew each time
        save_safetensors(model, converted, source=source, content=content_hash(model))
    return model


def verify(path: Path, place: str, group: str) -> str:
    """Return the sha256 of a downloaded file, which is the registry's.

    Parameters
    ----------
    path : the file
    place : its path in the registry, such as "ecg_models/AVB/weights.h5"
    group : what to download again

    Raises
    ------
    WeightsError : the registry does not know the place, or has another sha256 for it
    """
    from leadwise.download import file_at, sha256_of

    registered = file_at(place)
    if registered is None:
        raise WeightsError(f"{path}: the registry has no {place}, so that nothing says what this file should hold.")
    try:
        found = sha256_of(path)
    except OSError as error:
        raise WeightsError(f"{path}: not a readable file ({error}).") from error
    if found != registered.sha256:
        raise WeightsError(
            f"{path}: not the published file, or damaged: its sha256 is {found[:12]}..., the registry says "
            f"{registered.sha256[:12]}... Delete it and download it again: python -m leadwise download {group}"
        )
    return found


def content_hash(model: torch.nn.Module) -> str:
    """Return a sha256 of a model's weights: their names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


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


def embedded_report(name: str) -> dict:
    """Return what was measured of an embedded network when it was trained; empty where nothing was.

    Examples
    --------
    >>> sorted(embedded_report("LBBB")["test"])[:3]
    ['above_half', 'auc', 'auc_against_norm']
    """
    path = ASSETS / "ecg_models" / "report.json"
    models = json.loads(path.read_text(encoding="utf-8"))["models"] if path.exists() else {}
    return models.get(name, {})


def _load_clever_hans(name: str) -> ECGNet:
    if name != "AVB":
        raise ValueError(f'the Clever Hans model is an AVB model; there is none for {name}. Take weights="embedded".')
    model = ECGNet(name, "clever hans")
    load_safetensors(model, ASSETS / "ecg_models" / "clever_hans.safetensors")
    return model


def convert_keras(structure: str | Path, weights: str | Path, model: ECGNet | None = None) -> ECGNet:
    """Copy Keras 2 weights of the published architecture into an ECGNet; no TensorFlow needed.

    Keras stores a Conv1D kernel as (k, in, out) and a Dense kernel as (in, out). PyTorch wants (out, in, k) and
    (out, in): both are the reversed axes.

    Parameters
    ----------
    structure : path of model.json
    weights : path of weights.h5 (HDF5)
    model : network to fill; by default a new one, whose ``source`` is "converted": nobody has said whose weights they
        are. ``load_ecg_model(name, "published")`` loads those that the registry vouches for

    Raises
    ------
    WeightsError : unreadable file, other architecture, missing layer, wrong shape, or a weight that is not finite
    """
    model = model or ECGNet(source="converted")
    check_keras_structure(structure)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    try:
        state = _read_keras(weights, shapes)
    except WeightsError:
        raise
    except Exception as error:  # on a damaged file, h5py raises whatever it stumbles over
        raise WeightsError(
            f"{weights}: not a readable HDF5 file ({error}). Delete it and download it again."
        ) from error
    fill_weights(model, state, weights)
    return model


def _read_keras(path: str | Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Return the arrays of an HDF5 file under the names of an ECGNet; an array is read only where its shape fits."""
    import h5py

    state = {}
    with h5py.File(path) as file:
        root = file.get("model_weights", file)
        for layer, module in KERAS_LAYERS.items():
            if layer not in root:
                raise WeightsError(f"{path}: no layer {layer!r}; expected the layers {', '.join(KERAS_LAYERS)}.")
            for keras_name, torch_name in (("kernel", "weight"), ("bias", "bias")):
                place, name = f"{layer}/{layer}/{keras_name}:0", f"{module}.{torch_name}"
                array = root.get(place)
                if not isinstance(array, h5py.Dataset):
                    raise WeightsError(f"{path}: no array {place!r}.")
                if array.shape[::-1] != shapes[name]:
                    raise WeightsError(f"{path}: {name!r} has shape {array.shape[::-1]}; expected {shapes[name]}.")
                state[name] = torch.from_numpy(np.asarray(array, np.float32).T.copy())
    return state


def read_keras(path: str | Path) -> dict[str, dict[str, np.ndarray]]:
    """Return every layer of a Keras HDF5 file that has weights: its name -> name of the array -> array.

    Raises
    ------
    WeightsError : not a readable file
    """
    import h5py

    found: dict[str, dict[str, np.ndarray]] = {}

    def keep(layer: str, place: str, thing) -> None:
        if isinstance(thing, h5py.Dataset):
            found.setdefault(layer, {})[place.split("/")[-1].split(":")[0]] = np.asarray(thing)

    try:
        with h5py.File(path) as file:
            root = file.get("model_weights", file)
            for layer in root:
                root[layer].visititems(lambda place, thing, layer=layer: keep(layer, place, thing))
    except Exception as error:  # on a damaged file, h5py raises whatever it stumbles over
        raise WeightsError(f"{path}: not a readable HDF5 file ({error}).") from error
    return found


def read_checkpoint(path: str | Path, advice: str = "") -> dict[str, torch.Tensor]:
    """Return the weights of a PyTorch checkpoint, by their names; a table under "model" or "state_dict" will do.

    Only tensors are read, nothing in the file is run. They lie in the file, mapped into memory, which keeps a large
    network from being there twice; what is changed is changed in memory alone. Files of PyTorch before 1.6 are read.

    Raises
    ------
    WeightsError : not a readable file, or no table of weights; the message ends in ``advice``
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"{path}: not a readable PyTorch checkpoint ({reason}). {advice}".strip()) from error
    for key in ("model", "state_dict"):
        state = state[key] if isinstance(state, dict) and isinstance(state.get(key), dict) else state
    if not isinstance(state, dict) or not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsError(f"{path}: holds no table of weights (a {type(state).__name__}). {advice}".strip())
    return {name.removeprefix("module."): value for name, value in state.items()}


def check_keras_structure(path: str | Path) -> None:
    """Check that a Keras ``model.json`` describes the published architecture: every layer, and all that it computes.

    Raises
    ------
    WeightsError : the file is not JSON, or describes another network; the message names the first difference
    """
    try:
        description = json.loads(Path(path).read_text(encoding="utf-8"))
        model, layers = description["class_name"], description["config"]["layers"]
        found = [(layer["class_name"], dict(layer["config"])) for layer in layers]
        named = [config.get("name") for kind, config in found if kind in ("Conv1D", "Dense")]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"{path}: not a Keras model description ({error!r}). Delete it and download it again."
        ) from error
    if model != "Sequential":
        raise WeightsError(
            f"{path}: the model is {model!r}; the published one is 'Sequential', one layer after another."
        )
    _check_layers(path, found)
    if named != list(KERAS_LAYERS):
        raise WeightsError(f"{path}: layers with weights are {named}; expected {list(KERAS_LAYERS)}, in this order.")


def _check_layers(path: str | Path, found: list[tuple[str, dict]]) -> None:
    for index in range(max(len(found), len(KERAS_ARCHITECTURE))):
        kind, config = found[index] if index < len(found) else ("the end", {})
        wanted, settings = KERAS_ARCHITECTURE[index] if index < len(KERAS_ARCHITECTURE) else ("the end", {})
        if kind != wanted:
            raise WeightsError(f"{path}: layer {index} is {kind}; the published architecture has {wanted} there.")
        optional = {key: value for key, value in settings.get("optional", {}).items() if key in config}
        for key, value in ({key: value for key, value in settings.items() if key != "optional"} | optional).items():
            has = config.get(key)
            has = has[0] if isinstance(has, list) and len(has) == 1 else has
            if has != value or isinstance(has, bool) != isinstance(value, bool):
                name = config.get("name", f"layer {index}")
                raise WeightsError(f"{path}: {kind} {name!r} has {key} {has!r}; expected {value!r}.")


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
    except Exception as error:  # SafetensorError, and what torch says of a type or a shape that a damaged head claims
        raise WeightsError(f"{path}: not a readable safetensors file ({error}).") from error
    fill_weights(model, state, path)
    return metadata


def fill_weights(
    model: torch.nn.Module, state: dict[str, torch.Tensor], path: str | Path, *, assign: bool = False
) -> None:
    """Copy weights that were read from ``path`` into a model; a WeightsError says which of them is wrong, and how.

    With ``assign`` they take the place of the model's own: for one that was built on the device "meta".
    """
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for name, shape in expected.items():
        if name not in state:
            raise WeightsError(f"{path}: no weights for {name!r}.")
        if tuple(state[name].shape) != shape:
            raise WeightsError(f"{path}: {name!r} has shape {tuple(state[name].shape)}; expected {shape}.")
        if not all(map(torch.isfinite, state[name].aminmax() if state[name].numel() else ())):
            raise WeightsError(f"{path}: {name!r} holds NaN or infinite values.")
    surplus = sorted(set(state) - set(expected))
    if surplus:
        raise WeightsError(f"{path}: weights for unknown modules: {', '.join(surplus)}.")
    model.load_state_dict(state, assign=assign)
