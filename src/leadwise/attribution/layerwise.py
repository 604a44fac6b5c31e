"""LRP seen from inside: the relevance at every layer of a network, and how a rule shares it out within one layer."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from zennit.core import BasicHook, ParamMod

from leadwise.attribution.core import attribute
from leadwise.attribution.names import resolve
from leadwise.attribution.registry import METHODS
from leadwise.attribution.running import LOCK, sample_dims


def relevance_by_layer(
    model: nn.Module, x: Tensor, method: str = "lrp_epsilon", target: int | Tensor | None = None, **parameters
) -> dict[str, Tensor]:
    """Return the relevance of every layer's output, from the logits down to the input.

    Summed, each entry says how much of the explained logit is left there: what LRP's conservation is about
    (Bach et al. 2015, eq. 2).

    Parameters
    ----------
    model, x, target, parameters : as in ``attribute``
    method : one of family "LRP"

    Returns
    -------
    dict : name of the module, as in ``model.named_modules()`` -> Tensor shaped like its output; last "input", what
        ``attribute`` returns. Without N if x comes without.

    Raises
    ------
    ValueError : a method of another family, or a module that the network uses more than once

    Examples
    --------
    >>> sums = {name: float(r.sum()) for name, r in relevance_by_layer(model, x, "lrp_z", target=1).items()}
    """
    name, _ = resolve(method)
    if METHODS[name].family != "LRP":
        rows = ", ".join(key for key, row in METHODS.items() if row.family == "LRP")
        raise ValueError(f"{method} hands no relevance from layer to layer; expected one of {rows}.")
    kept: dict[str, list[Tensor]] = {}
    leaves = [(name, module) for name, module in model.named_modules() if not any(module.children())]
    with LOCK:
        handles = [module.register_forward_hook(_keep(kept, name)) for name, module in leaves]
        try:
            relevance = attribute(model, x, method, target, progress=False, **parameters)
        finally:
            for handle in handles:
                handle.remove()
    single = relevance.ndim == sample_dims(model)
    samples = 1 if single else len(relevance)
    reused = [name for name, parts in kept.items() if sum(map(len, parts)) != samples]
    if reused:
        raise ValueError(
            f"the network uses module {', '.join(map(repr, reused))} more than once in a forward pass; "
            "give every call a module of its own."
        )
    layers = {name: torch.cat(parts).to(relevance.device) for name, parts in reversed(kept.items())}
    return {name: part[0] if single else part for name, part in layers.items()} | {"input": relevance}


def _keep(kept: dict, name: str):
    """Return a hook that keeps what the backward pass brings to a module's output. Under LRP that is relevance."""

    def hook(module, args, out):
        if out.requires_grad:
            parts = kept.setdefault(name, [])
            out.register_hook(lambda relevance: parts.append(relevance.detach()))

    return hook


class Shares(NamedTuple):
    """Where the relevance of a dense layer's K outputs goes: each column of ``messages``, plus bias, plus rest.

    Parameters
    ----------
    messages : Tensor (J, K), what input j receives from output k
    bias : Tensor (K,), what the bias keeps of it
    rest : Tensor (K,), what is left over: absorbed by epsilon or a stabiliser, or not conserved by the rule
    """

    messages: Tensor
    bias: Tensor
    rest: Tensor


def share_out(rule: BasicHook, inputs: Tensor, weights: Tensor, bias: Tensor, relevance: Tensor) -> Shares:
    """Share out the relevance of a dense layer's outputs by a rule, and account for all of it.

    Parameters
    ----------
    rule : a fresh hook, of ``leadwise.attribution.lrp.RULES`` or of ``zennit.rules``
    inputs : Tensor (J,)
    weights : Tensor (J, K)
    bias, relevance : Tensor (K,)

    Returns
    -------
    Shares : ``messages.sum(1)`` is the relevance of the inputs; ``messages.sum(0) + bias + rest`` is ``relevance``
    """
    count, outputs = weights.shape
    layer = nn.Linear(count, outputs, dtype=weights.dtype)
    layer.weight.data, layer.bias.data = weights.T.clone(), bias.clone()
    copies = inputs.repeat(outputs, 1).requires_grad_()
    one_each = torch.diag(relevance)  # copy k is explained from output k alone
    handles = rule.register(layer)
    try:
        messages = torch.autograd.grad(layer(copies), copies, one_each)[0].T
        kept = _kept_by_bias(rule, layer, copies.detach(), one_each)
    finally:
        handles.remove()
    return Shares(messages, kept, relevance - messages.sum(0) - kept)


@torch.no_grad()
def _kept_by_bias(rule: BasicHook, layer: nn.Linear, inputs: Tensor, relevance: Tensor) -> Tensor:
    """Return what the bias would receive by the rule if it were one more input, of value 1."""
    biases, outputs = [], []
    for change_input, change_parameter in zip(rule.input_modifiers, rule.param_modifiers, strict=True):
        with ParamMod.ensure(change_parameter)(layer) as changed:
            biases.append(changed.bias.clone())
            outputs.append(changed.forward(change_input(inputs)))
    factors = rule.gradient_mapper(relevance, outputs)
    factors = [factors] if isinstance(factors, Tensor) else factors
    gradients = [bias * factor for bias, factor in zip(biases, factors, strict=True)]
    return rule.reducer([torch.ones_like(relevance)] * len(gradients), gradients).sum(0)
