"""The comparison of the school tutorial: one model, one recording, many methods."""

import re
import warnings
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from leadwise.attribution import METHODS, MethodWarning, attribute
from leadwise.attribution.names import resolve
from leadwise.ecg.record import ECG
from leadwise.networks.network import Network, network_of

# The methods of the school's comparison, and one of each family that it did not have.
COMPARISON = (
    "gradient",
    "gradient_x_input",
    "gradient_x_sign",
    "smoothgrad",
    "integrated_gradients",
    "deeplift",
    "grad_cam",
    "occlusion",
    "lrp_z",
    "lrp_epsilon_0_1",
    "lrp_epsilon_0_25_std_x",
    "lrp_alpha_1_beta_0",
    "lrp_sequential_composite_a",
    "lrp_sequential_composite_b",
    "lrpsign_z",
    "lrpsign_epsilon_0_25_std_x",
    "lrpsign_alpha_1_beta_0",
    "lrpsign_sequential_composite_a",
    "w2lrp_epsilon_0_1",
    "flatlrp_epsilon_0_1",
    "random",
)


LEADS_SHOWN = ("I", "II", "V1", "V6")  # in a grid, of those that the network sees
PARAMETERS = {"epsilon": "ε =", "factor": "factor", "mu": "μ ="}
INPUT_RULES = {"sign": ("SIGN input",), "wsquare": ("w² input",), "flat": ("flat input",), "z": ("z input",)}


def title_of(name: str) -> str:
    """Return a method's title for a figure, with the parameters that a SIGN-XAI name spells out."""
    method, given = resolve(name)
    if method == "lrp_alpha_beta" and "alpha" in given:
        parts = [f"LRP-α{given['alpha']:g}β{given['beta']:g}"]
    else:
        parts = [METHODS[method].title, *(f"{PARAMETERS[key]} {given[key]:g}" for key in PARAMETERS if key in given)]
    if "times" in given:
        parts[0] += f" × {given['times'].replace('_', ' × ')}"
    return ", ".join([*parts, *INPUT_RULES.get(given.get("input_rule"), ())])


def explain_all(
    model: nn.Module | Network,
    ecg: ECG,
    names: Iterable[str] = COMPARISON,
    target: int | str | None = None,
    *,
    start: float = 0.0,
) -> dict[str, Tensor]:
    """Return name -> relevance (leads, T) of one window by many methods.

    The warnings of methods that degenerate on this network are kept quiet here; ``caveat`` tells them.

    Parameters
    ----------
    model : a ``Network``, or a module that says what it takes, as the course's do
    ecg : a recording; where it has been preprocessed or cut already, it stays so
    names : keys of ``METHODS`` or SIGN-XAI names
    target : explained class, its index or its name; None: the only one, or of two the second, the finding
    start : seconds from the start of the recording to that of the window
    """
    net, names = network_of(model), list(names)
    for name in names:
        resolve(name)  # a wrong name is refused before the first method has run
    x, index = net.input(ecg, start), net.index(target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MethodWarning)
        return {name: net.by_leads(attribute(net, x, name, target=index))[0] for name in names}


def compare(
    model: nn.Module | Network,
    ecg: ECG,
    out: Path,
    names: Iterable[str] = COMPARISON,
    target: int | str | None = None,
    *,
    start: float = 0.0,
) -> list[Path]:
    """Draw one figure for each method and one grid of all, as PNG and SVG, in a folder of their own.

    Parameters
    ----------
    model, ecg, names, target, start : as for :func:`explain_all`
    out : folder; the figures go to ``out/NETWORK_RECORD/``

    Returns
    -------
    The paths of the figures; the grid comes last.
    """
    from leadwise.plotting import number, plot_ecg, plot_grid, save_figure

    net = network_of(model)
    maps = explain_all(net, ecg, names, target, start=start)
    x, index = net.input(ecg, start), net.index(target)
    seen = net.recording(ecg).window(start, net.by_leads(x).shape[-1])
    probability, what = float(net.probability(x)[0, index]), net.class_name(index)
    about = f"{net.title} model ({net.source or 'your own'}), record {ecg.record_id}: p({what}) = {probability:.3f}"
    folder = Path(out) / re.sub(r"[^\w.-]+", "_", f"{net.title}_{ecg.record_id}")
    shown = {name: net.on_recording(net.laid_out(relevance[None]), seen) for name, relevance in maps.items()}
    paths = []
    for name, relevance in shown.items():
        figure = plot_ecg(seen, relevance, leads=net.leads, title=f"{title_of(name)}. {about}")
        paths += save_figure(figure, folder / name)
    grid = {title_of(name): relevance for name, relevance in shown.items()}
    notes = {title_of(name): f"sum {number(float(relevance.sum()))}" for name, relevance in maps.items()}
    with torch.no_grad():
        logit = float(net.logits(x)[0, index])
    columns = [lead for lead in LEADS_SHOWN if lead in net.leads] or net.leads[:4]
    figure = plot_grid(seen, grid, leads=columns, notes=notes, title=f"{about}, explained logit {logit:.2f}")
    return paths + save_figure(figure, folder / "grid")
