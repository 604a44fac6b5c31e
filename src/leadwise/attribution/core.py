"""``attribute``: one entry to all methods."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from leadwise.attribution.lrp import Account
from leadwise.attribution.names import resolve
from leadwise.attribution.question import EXPLAIN, Question, findings
from leadwise.attribution.receipt import Receipt, complaints
from leadwise.attribution.registry import METHODS, MU, Method, Parameter
from leadwise.ecg.record import ECG
from leadwise.networks.network import Network, network_of
from leadwise.progress import progress_to

TIMES = Parameter("times", "choice", "nothing", choices=("nothing", "input", "sign", "input_sign"))


class MethodWarning(UserWarning):
    """The method degenerates on this network, or its map is worse than stated; the message says how."""


def attribute(
    model: nn.Module | Network,
    x: Tensor,
    method: str = "lrp_epsilon",
    target: int | Tensor | None = None,
    *,
    explain: str = "logit",
    progress: bool | Callable[[int, int], None] = True,
    **parameters: Any,
) -> Tensor:
    """Explain a score of a network: how much each input sample adds to it.

    Parameters
    ----------
    model : network (N, ...) -> logits (N, classes), or a ``Network``; never touched, asked as in evaluation. Of a final
        sigmoid or softmax, the logit before it is explained
    x : Tensor (N, 12, T) in mV, (N, 3, H, W), any other shape that the network takes, or one sample without N; an ECG
        or an array will do too
    method : a key of ``METHODS`` or a SIGN-XAI name such as ``"lrpsign_epsilon_0_25_std_x"``
    target : class to explain, one for all or one for each sample (N,); None is the arg-max logit, per sample
    explain : "logit", or "log-odds": of two logits the difference, of K classes that exclude each other
        f_c - logsumexp of the others, of independent labels the logit
    progress : True shows a bar after two seconds; False shows none; a function gets (done, total) and may stop the
        method by raising
    parameters : of the method, see ``METHODS[method].parameters``; every method also takes ``times`` ("nothing",
        "input", "sign" or "input_sign", with ``mu``): what its map is multiplied with

    Returns
    -------
    Tensor : relevance, shaped like x, on x's device; units of the score for the methods that conserve it

    Raises
    ------
    ValueError : unknown method or parameter, value out of range, input not finite or not of the network's form, or an
        operation of the network for which the method has no rule (``NoRuleError``)

    Warns
    -----
    MethodWarning : the method degenerates on this network, or the map misses what it promises by more than stated in
        ``leadwise.attribution.receipt``

    Examples
    --------
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> attribute(network, torch.ones(1, 2, 2), "gradient", target=1).shape
    torch.Size([1, 2, 2])
    """
    relevance, told = attribute_and_tell(model, x, method, target, explain, progress, parameters)
    for complaint in complaints(METHODS[resolve(method)[0]], told):
        warnings.warn(complaint, MethodWarning, stacklevel=2)
    return relevance


def receipt(
    model: nn.Module | Network,
    x: Tensor,
    method: str = "lrp_epsilon",
    target: int | Tensor | None = None,
    *,
    explain: str = "logit",
    progress: bool | Callable[[int, int], None] = True,
    **parameters: Any,
) -> Receipt:
    """Return a map together with how good it is; arguments as for ``attribute``.

    Examples
    --------
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> print(receipt(network, torch.ones(2, 2), "deeplift", target=1).sentence)
    DeepLIFT: the map sums to the change of the score within 0.0 %.
    """
    row, account = METHODS[resolve(method)[0]], Account()
    extra = {"account": account} if row.family == "LRP" else {}
    relevance, told = attribute_and_tell(model, x, method, target, explain, progress, parameters, extra)
    if extra:
        told |= {"bias": account.bias, "absorbed": account.absorbed}
    return Receipt.of(row, relevance, told)


def caveat(method: str, model: nn.Module | Network, x: Tensor | None = None) -> str | None:
    """Return why a method degenerates on this network, or None where it does not: found by running it once.

    Parameters
    ----------
    method : a key of ``METHODS``
    model : a network
    x : one sample or a batch of its inputs; may be missing for networks that say what they take (``sample_shape``)

    Raises
    ------
    ValueError : x is missing, and the network does not say what it takes
    """
    row = METHODS[method]
    if row.caveat is None:
        return None
    shape = network_of(model).sample_shape
    if x is None and shape is None:
        raise ValueError(f"caveat({method!r}, ...) runs the network once; give x, one of its inputs.")
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)) if x is None else x
    _, told = attribute_and_tell(model, x, method, 0, "logit", False, {})
    return row.caveat(told)


def attribute_and_tell(
    model: nn.Module | Network,
    x: Tensor | np.ndarray | ECG,
    method: str,
    target: int | Tensor | None,
    explain: str,
    progress: bool | Callable[[int, int], None],
    parameters: dict[str, Any],
    extra: dict[str, Any] | None = None,
) -> tuple[Tensor, dict]:
    """Return the relevance and what the method told of it; ``extra`` goes to the method's function unchecked."""
    name, named = resolve(method)
    row, network = METHODS[name], network_of(model)
    if explain not in EXPLAIN:
        raise ValueError(f"explain is {explain!r}; expected one of {', '.join(map(repr, EXPLAIN))}.")
    batch, single = batch_of(network, x)
    options = _options(
        row, {**named, **parameters}, network, images=batch.ndim == 4 and not network.leads, method=method
    )
    times, mu = options.pop("times"), options.pop("mu")
    if "input_rule" in options:
        options["mu"] = mu
    with torch.inference_mode(False), torch.enable_grad(), progress_to(progress), findings() as told:
        inside = batch.to(network.device(batch.device), network.dtype(batch.dtype)).clone()
        question = Question(network, classes_of(network, inside, target), explain)
        if row.family == "perturbation" and network.layout in ("NTC", "N1CT"):  # they take away parts of leads
            question, seen = replace(question, network=network.leads_first()), network.by_leads(inside)
            relevance = network.laid_out(row.function(question, seen, **options)).detach()
        else:
            relevance = row.function(question, inside, **options, **(extra or {})).detach()
        relevance = _multiply(relevance, inside, times, mu)
    if "difference" in told:
        told |= {"magnitude": relevance.abs().flatten(1).sum(1)}
    told |= {"dims": 2 if network.leads else batch.ndim - 1, "finite": _finite(relevance), "times": times}
    relevance = relevance.to(batch.device, batch.dtype)
    return (relevance[0] if single else relevance), told


def _finite(values: Tensor) -> bool:
    """Return whether all values are finite: their sum, which is quick, or where that overflows, each."""
    return bool(torch.isfinite(values.sum())) or bool(torch.isfinite(values).all())


def batch_of(network: Network, x: Tensor | np.ndarray | ECG) -> tuple[Tensor, bool]:
    """Return x as a batch (N, ...) of floating-point numbers and whether N was missing."""
    x = x.tensor() if isinstance(x, ECG) else x
    if isinstance(x, np.ndarray) and x.dtype.kind in "fiub":
        x = torch.as_tensor(x)
    if not isinstance(x, Tensor) or x.layout != torch.strided or x.is_complex():
        kind = f"{x.layout} tensor" if isinstance(x, Tensor) and x.layout != torch.strided else type(x).__name__
        dtype = getattr(x, "dtype", "")
        raise ValueError(
            f"x is a {kind} {dtype}".rstrip() + "; expected a dense tensor or array of real numbers, or an ECG."
        )
    if x.numel() == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}: there is nothing to explain.")
    x = x.detach() if x.is_floating_point() else x.detach().float()
    if not _finite(x):
        raise ValueError(
            f"x holds {int((~torch.isfinite(x)).sum())} NaN or infinite values; mend the recording first "
            "(load_ecg reports where they are)."
        )
    dims = network.sample_dims(x)
    return (x[None], True) if x.ndim == dims else (x, False)


def classes_of(network: Network, x: Tensor, target: int | Sequence[int] | Tensor | None) -> Tensor:
    """Return the class to explain for each sample, shape (N,); that the network has it is checked where it is used."""
    if target is None:
        with torch.no_grad():
            return network.logits(x).argmax(1)
    try:
        classes = torch.as_tensor(target, device=x.device)
    except (TypeError, ValueError, RuntimeError):
        classes = torch.tensor(0.5)
    if classes.dtype.is_floating_point or classes.dtype == torch.bool:
        raise ValueError(f"target is {target!r}; expected whole numbers, the indices of classes.")
    if classes.ndim and classes.shape != (len(x),):
        raise ValueError(
            f"target has shape {tuple(classes.shape)}; expected one class, or one for each of {len(x)} samples."
        )
    return classes.long().expand(len(x))


def _options(row: Method, given: dict, network: Network, images: bool, method: str) -> dict:
    """Return every parameter of the method, checked, plus ``times`` and ``mu``; durations in samples."""
    known = {p.name: p for p in (*row.parameters, TIMES, MU)}
    for key in given:
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ValueError(f"{method} has no parameter {key!r}; it has {', '.join(known)}.{hint}")
    options = {"mu": MU.default, "times": row.times, **row.defaults(images)}
    options |= {key: known[key].check(value) for key, value in given.items()}
    for p in (p for p in row.parameters if p.unit == "ms" and not images):
        options[p.name] = p.samples(options[p.name], network.fs, stated=p.name in given)
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
        relevance = relevance * torch.where(x >= mu, 1.0, -1.0).to(x)
    return relevance
