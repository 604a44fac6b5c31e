"""``attribute``: one entry to all methods."""

import warnings
from collections.abc import Callable
from difflib import get_close_matches

import numpy as np
import torch
from torch import Tensor, nn

from leadwise.attribution.names import resolve
from leadwise.attribution.registry import METHODS, MU, Method, Parameter, caveat
from leadwise.attribution.running import LOCK, borrowed, device_of, progress_to, sample_dims
from leadwise.ecg.record import ECG

TIMES = Parameter("times", "choice", "nothing", choices=("nothing", "input", "sign", "input_sign"))


class MethodWarning(UserWarning):
    """The method degenerates on this network; the message says why."""


def attribute(
    model: nn.Module,
    x: Tensor,
    method: str = "lrp_epsilon",
    target: int | Tensor | None = None,
    *,
    progress: bool | Callable[[int, int], None] = True,
    **parameters,
) -> Tensor:
    """Explain a logit of a network: how much each input sample adds to it.

    Parameters
    ----------
    model : network (N, ...) -> logits (N, classes); left as it was, training mode included
    x : Tensor (N, 12, T) in mV, (N, 3, H, W), or one sample without N; an ECG or an array will do too
    method : a key of ``METHODS`` or a SIGN-XAI name such as ``"lrpsign_epsilon_0_25_std_x"``
    target : class to explain, one for all or one for each sample (N,); None is the arg-max logit, per sample
    progress : True shows a bar after two seconds; False shows none; a function gets (done, total) and may stop the
        method by raising
    parameters : of the method, see ``METHODS[method].parameters``; every method also takes ``times`` ("nothing",
        "input", "sign" or "input_sign", with ``mu``): what its map is multiplied with

    Returns
    -------
    Tensor : relevance, shaped like x, on x's device; units of the logit for the methods that conserve it

    Raises
    ------
    ValueError : unknown method or parameter, value out of range, input not finite or not of the network's form

    Warns
    -----
    MethodWarning : the method degenerates on this network

    Examples
    --------
    >>> relevance = attribute(model, ecg.tensor(), "lrp_epsilon", target=1, epsilon=0.1)
    """
    name, named = resolve(method)
    row = METHODS[name]
    batch, single = batch_of(model, x)
    options = _options(row, {**named, **parameters}, images=batch.ndim == 4, method=method)
    times, mu = options.pop("times"), options.pop("mu")
    if "input_rule" in options:
        options["mu"] = mu
    reason = caveat(name, model)
    if reason:
        warnings.warn(f"{row.title}: {reason}.", MethodWarning, stacklevel=2)
    with LOCK, torch.inference_mode(False), torch.enable_grad(), borrowed(model), progress_to(progress):
        inside = batch.to(device_of(model, batch.device)).clone()
        classes = classes_of(model, inside, target)
        relevance = row.function(model, inside, classes, **options).detach()
        relevance = _multiply(relevance, inside, times, mu)
    relevance = relevance.to(batch.device)
    return relevance[0] if single else relevance


def batch_of(model: nn.Module, x) -> tuple[Tensor, bool]:
    """Return x as a float batch (N, ...) and whether N was missing."""
    x = x.tensor() if isinstance(x, ECG) else torch.as_tensor(x) if isinstance(x, np.ndarray) else x
    if not isinstance(x, Tensor):
        raise ValueError(f"x is a {type(x).__name__}; expected a tensor, an array or an ECG.")
    dims = sample_dims(model)
    form = {1: "(N, features)", 2: "(N, channels, T)", 3: "(N, channels, H, W)"}.get(dims, f"{dims + 1} dimensions")
    if x.ndim not in (dims, dims + 1):
        raise ValueError(f"x has shape {tuple(x.shape)}; this network takes {form}, with or without N.")
    if x.numel() == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}: there is nothing to explain.")
    x = x.detach().float()
    if not torch.isfinite(x).all():
        raise ValueError(
            f"x holds {int((~torch.isfinite(x)).sum())} NaN or infinite values; mend the recording first "
            "(load_ecg reports where they are)."
        )
    return (x[None], True) if x.ndim == dims else (x, False)


def classes_of(model: nn.Module, x: Tensor, target) -> Tensor:
    """Return the class to explain for each sample, shape (N,); that the network has it is checked where it is used."""
    if target is None:
        with torch.no_grad():
            return model(x).argmax(1)
    classes = torch.as_tensor(target, device=x.device)
    if classes.dtype.is_floating_point or classes.dtype == torch.bool:
        raise ValueError(f"target is {target!r}; expected whole numbers, the indices of classes.")
    if classes.ndim and classes.shape != (len(x),):
        raise ValueError(
            f"target has shape {tuple(classes.shape)}; expected one class, or one for each of {len(x)} samples."
        )
    return classes.long().expand(len(x))


def _options(row: Method, given: dict, images: bool, method: str) -> dict:
    """Return every parameter of the method, checked, plus ``times`` and ``mu``."""
    known = {p.name: p for p in (*row.parameters, TIMES, MU)}
    for key in given:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ValueError(f"{method} has no parameter {key!r}; it has {', '.join(known)}.{hint}")
    options = {"mu": MU.default, "times": row.times, **row.defaults(images)}
    options |= {key: known[key].check(value) for key, value in given.items()}
    if "alpha" in options:
        options["beta"] = options["alpha"] - 1 if options["beta"] is None else options["beta"]
        if abs(options["alpha"] - options["beta"] - 1) > 1e-6:
            raise ValueError(f"alpha is {options['alpha']:g} and beta {options['beta']:g}; expected alpha - beta = 1.")
    return options


def _multiply(relevance: Tensor, x: Tensor, times: str, mu: float) -> Tensor:
    """Multiply a map with the input, the sign of the input, or both."""
    if "input" in times:
        relevance = relevance * x
    if "sign" in times:
        relevance = relevance * torch.where(x >= mu, 1.0, -1.0)
    return relevance
