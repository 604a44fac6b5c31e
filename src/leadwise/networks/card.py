"""A network as two files that a colleague can open: weights as safetensors, and a card in JSON that says the rest.

The card names the architecture, by import path or by a file of code beside it, and never holds a pickle. Opening a card
imports what it names: from this package, torch and torchvision at once, from elsewhere only where you say so.
"""

import importlib
import importlib.util
import inspect
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from leadwise.networks.network import Network
from leadwise.networks.running import unwrapped
from leadwise.networks.weights import WeightsError, content_hash, load_safetensors, save_safetensors
from leadwise.paths import whole_file

FORMAT = "leadwise network 1"
KNOWN = ("leadwise", "torch", "torchvision")  # packages whose architectures are imported without being asked
PLAIN = ("leads", "fs", "samples", "classes", "outputs", "layout", "name", "source")


def save_network(
    net: Network, path: str | Path, architecture: str | Path | None = None, arguments: Mapping[str, Any] | None = None
) -> Path:
    """Write NAME.safetensors and NAME.json; both are read back before this returns.

    Parameters
    ----------
    path : of the two files, with or without an ending
    architecture : what builds the module: "package.module:Name", or "file.py:Name", which is copied beside the card.
        By default the module's class, where it can be imported
    arguments : what it is called with; by default the module's ``arguments``, where it keeps them. Plain JSON values

    Returns
    -------
    Path of the card

    Raises
    ------
    ValueError : the architecture can't be built again from what would be written, or ``preprocess``, ``pick`` or a
        criterion can't be named in a card; the message says what to do

    Examples
    --------
    >>> import tempfile
    >>> from leadwise.networks.xresnet1d import XResNet1d
    >>> net = Network(XResNet1d(leads=2, classes=3, width=4), leads=("I", "II"), fs=100, samples=1000, outputs="labels")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Network.load(net.save(f"{folder}/mine"))
    Network(XResNet1d: I, II · 10 s at 100 Hz (1000 samples) -> labels)
    """
    card, module = _beside(path, ".json"), unwrapped(net.module)
    known = dict(arguments or getattr(module, "arguments", {}))
    place = str(architecture or _import_path(module))
    content = {
        "format": FORMAT,
        "architecture": place,
        "arguments": known,
        **{name: getattr(net, name) for name in PLAIN},
        "preprocess": _named(net.preprocess, "preprocess"),
        "pick": net.pick if isinstance(net.pick, int | str | None) else _named(net.pick, "pick"),
        "criteria": {
            name: asdict(row) if is_dataclass(row) and not isinstance(row, type) else row
            for name, row in net.criteria.items()
        },
        "weights": content_hash(module),
        "torch": torch.__version__.split("+")[0],
    }
    code = _file_of(place, Path())
    if code:
        content["architecture"] = f"{card.stem}.py:{place.rpartition(':')[2]}"
    try:
        text = json.dumps(content, indent=2, ensure_ascii=False)
    except TypeError as error:
        raise ValueError(f"the card can't hold this: {error}. Expected plain arguments and names.") from error
    _build(place, known, Path(), trust=True, like=module)
    save_safetensors(module, _beside(path, ".safetensors"))
    if code:
        with whole_file(card.with_suffix(".py")) as part:
            shutil.copyfile(code, part)
    with whole_file(card) as part:
        part.write_text(text + "\n", encoding="utf-8")
    return card


def load_network(path: str | Path, *, trust: bool = False) -> Network:
    """Read a network back from its card and its weights.

    Parameters
    ----------
    path : of the card or the weights, with or without an ending
    trust : whether code from elsewhere than leadwise, torch and torchvision may be imported and run. Read it first:
        code can do anything that you can

    Raises
    ------
    WeightsError : a file is missing, damaged or of another network, or names code that is not trusted
    """
    card = _beside(path, ".json")
    try:
        content = json.loads(card.read_text(encoding="utf-8"))
        if content.get("format") != FORMAT:
            raise ValueError(f"its format is {content.get('format')!r}; expected {FORMAT!r}")
        place, arguments = str(content["architecture"]), dict(content["arguments"])
        fields = {name: content[name] for name in (*PLAIN, "criteria", "pick", "preprocess")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{card}: not the card of a network ({error}).") from error
    module = _build(place, arguments, card.parent, trust)
    load_safetensors(module, card.with_suffix(".safetensors"))
    if content_hash(module) != content.get("weights"):
        raise WeightsError(f"{card.with_suffix('.safetensors')}: other weights than the card says; save both again.")
    for name in ("preprocess", "pick"):
        if isinstance(fields[name], dict):
            fields[name] = _imported(fields[name]["import"], card.parent, trust)
    return Network(module.eval(), **fields)


def _beside(path: str | Path, ending: str) -> Path:
    path = Path(path)
    return path.with_suffix(ending) if path.suffix in (".json", ".safetensors") else path.with_name(path.name + ending)


def _import_path(module: nn.Module) -> str:
    """Return "package.module:Name" of a module's class."""
    place = f"{type(module).__module__}:{type(module).__qualname__}"
    if place.startswith("__main__") or "<" in place:
        raise ValueError(
            f"{type(module).__name__} is defined here and nowhere else, so that nobody could import it. Put it into a "
            f'file, and name that: save(path, "file.py:{type(module).__name__}").'
        )
    return place


def _named(thing: Any, what: str) -> Any:
    """Return a function as a card can name it; what is no function, as it is."""
    if not callable(thing):
        return thing
    place = f"{getattr(thing, '__module__', '')}:{getattr(thing, '__qualname__', '')}"
    if "<" in place or place.startswith(("__main__", ":")) or place.endswith(":"):
        raise ValueError(
            f"{what} is {thing!r}, which a card can't name; define it as a function in a file and import it."
        )
    return {"import": place}


def _file_of(place: str, folder: Path) -> Path | None:
    """Return the file of code that a place names, or None where it names a package."""
    file = place.rpartition(":")[0]
    return folder / file if file.endswith(".py") else None


def _imported(place: str, folder: Path, trust: bool) -> Any:
    """Import what a card names.

    Raises
    ------
    WeightsError : it is not trusted, or not there
    """
    source, _, name = place.rpartition(":")
    file = _file_of(place, folder)
    if not trust and (file or source.split(".")[0] not in KNOWN):
        raise WeightsError(
            f"the card asks to run {file or source}, code from elsewhere. Read it; if you trust it: "
            "Network.load(..., trust=True)."
        )
    try:
        if file:
            spec = importlib.util.spec_from_file_location(file.stem, file)
            found = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(found)
        else:
            found = importlib.import_module(source)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError, OSError) as error:
        raise WeightsError(f"there is no {name!r} in {source} here ({error}).") from error
    return found


def _build(place: str, arguments: dict, folder: Path, trust: bool, like: nn.Module | None = None) -> nn.Module:
    """Build an untrained module; where there is one to be ``like``, refuse another.

    Raises
    ------
    WeightsError, ValueError : it can't be built
    """
    build: Callable = _imported(place, folder, trust)
    if not trust and not (inspect.isclass(build) and issubclass(build, nn.Module)):
        raise WeightsError(f"{place} is no class of networks; if you trust the card: Network.load(..., trust=True).")
    advice = 'Say what builds it: save(path, "package.module:Name" or "file.py:Name", argument=value).'
    try:
        with torch.random.fork_rng(devices=[]):
            module = build(**arguments)
    except Exception as error:  # whatever a class may raise
        raise WeightsError(f"{place} can't be built with {arguments} ({error}). {advice}") from error
    if not isinstance(module, nn.Module):
        raise WeightsError(f"{place} builds a {type(module).__name__}; expected a network.")
    if like is not None and _form(module) != _form(like):
        raise ValueError(f"{place} with {arguments} builds a network with other weights than this one. {advice}")
    return module


def _form(module: nn.Module) -> dict:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
