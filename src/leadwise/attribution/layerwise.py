"""LRP seen from inside: the relevance at every layer of a network, and how a rule shares it out within one layer."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from leadwise.attribution.core import attribute_and_tell
from leadwise.attribution.names import resolve
from leadwise.attribution.registry import METHODS
from leadwise.attribution.rules import Operation, Rule, share
from leadwise.networks.network import Network, network_of


def relevance_by_layer(
    model: nn.Module | Network,
    x: Tensor,
    method: str = "lrp_epsilon",
    target: int | Tensor | None = None,
    **parameters: Any,
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
        ``attribute`` returns. Without N if x comes without. A layer that is merged with the batch normalisation behind
        it has no entry

    Raises
    ------
    ValueError : a method of another family, or a module that the network uses more than once

    Examples
    --------
    >>> network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> list(relevance_by_layer(network, torch.ones(1, 4), "lrp_z", target=1))
    ['2', '1', '0', 'input']
    """
    name, _ = resolve(method)
    if METHODS[name].family != "LRP":
        rows = ", ".join(key for key, row in METHODS.items() if row.family == "LRP")
        raise ValueError(f"{method} hands no relevance from layer to layer; expected one of {rows}.")
    kept: dict[str, list[Tensor]] = {}

    def watch(running: nn.Module) -> None:
        for name, module in running.named_modules():
            if not any(module.children()):
                module.register_forward_hook(_keep(kept, name))

    extra = {"prepare": watch}
    relevance, _ = attribute_and_tell(model, x, method, target, "logit", False, parameters, extra)
    kept = {name: parts for name, parts in kept.items() if parts}
    single = relevance.ndim == network_of(model).sample_dims(relevance)
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
        if isinstance(out, Tensor) and out.requires_grad:
            parts = kept.setdefault(name, [])
            # None where a batch normalisation behind the layer is merged with it.
            out.register_hook(lambda relevance: None if relevance is None else parts.append(relevance.detach()))

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


def share_out(rule: Rule, inputs: Tensor, weights: Tensor, bias: Tensor, relevance: Tensor) -> Shares:
    """Share out the relevance of a dense layer's outputs by a rule, and account for all of it.

    Parameters
    ----------
    rule : of ``leadwise.attribution.rules.RULES``
    inputs : Tensor (J,)
    weights : Tensor (J, K)
    bias, relevance : Tensor (K,)

    Returns
    -------
    Shares : ``messages.sum(1)`` is the relevance of the inputs; ``messages.sum(0) + bias + rest`` is ``relevance``

    Examples
    --------
    >>> from leadwise.attribution.rules import z_rule
    >>> one, two = torch.ones(2), torch.ones(2, 1)
    >>> share_out(z_rule(), one, two, torch.zeros(1), torch.ones(1)).messages.T
    tensor([[0.5000, 0.5000]])
    """
    operation = Operation(functional.linear, lambda s, x, w: s @ w, weights.T, bias, -1)
    copies = inputs.repeat(weights.shape[1], 1)
    one_each = torch.diag(relevance)  # copy k is explained from output k alone
    z = operation.run(copies, operation.weight, operation.bias)
    shared = share(rule, operation, copies, z, one_each, account=True)
    messages, kept = shared.inputs.T, shared.bias.sum(0)
    return Shares(messages, kept, relevance - messages.sum(0) - kept)
