"""The comparison of the school tutorial: one model, one recording, many methods."""

import re
import warnings
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from leadwise.attribution import METHODS, MethodWarning, attribute
from leadwise.attribution.names import resolve
from leadwise.ecg.record import ECG
from leadwise.networks.ecg_net import ECGNet

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
    model: ECGNet, ecg: ECG, names: Iterable[str] = COMPARISON, target: int | None = 1
) -> dict[str, Tensor]:
    """Return name -> relevance (12, T) of one recording by many methods.

    The warnings of methods that degenerate on this network are kept quiet here; ``caveat`` tells them.
    """
    names = list(names)
    for name in names:
        resolve(name)  # a wrong name is refused before the first method has run
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MethodWarning)
        return {name: attribute(model, ecg.tensor(), name, target=target) for name in names}


def compare(model: ECGNet, ecg: ECG, out: Path, names: Iterable[str] = COMPARISON, target: int = 1) -> list[Path]:
    """Draw one figure for each method and one grid of all, as PNG and SVG, in a folder of their own.

    Parameters
    ----------
    model : one of the ECG models
    ecg : preprocessed and cut to the model's window
    out : folder; the figures go to ``out/MODEL_RECORD/``
    names : keys of ``METHODS`` or SIGN-XAI names
    target : explained class, 1 = pathology

    Returns
    -------
    The paths of the figures; the grid comes last.
    """
    from leadwise.plotting import number, plot_ecg, plot_grid, save_figure

    maps = explain_all(model, ecg, names, target)
    probability = float(model.probability(ecg.tensor()))
    about = f"{model.pathology} model ({model.source}), record {ecg.record_id}: p = {probability:.3f}"
    folder = Path(out) / re.sub(r"[^\w.-]+", "_", f"{model.pathology}_{ecg.record_id}")
    paths = []
    for name, relevance in maps.items():
        figure = plot_ecg(ecg, relevance, title=f"{title_of(name)}. {about}")
        paths += save_figure(figure, folder / name)
    grid = {title_of(name): relevance for name, relevance in maps.items()}
    notes = {title_of(name): f"sum {number(float(relevance.sum()))}" for name, relevance in maps.items()}
    with torch.no_grad():
        logit = float(model(ecg.tensor())[target])
    figure = plot_grid(ecg, grid, notes=notes, title=f"{about}, explained logit {logit:.2f}")
    return paths + save_figure(figure, folder / "grid")
