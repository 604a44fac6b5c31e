"""Composite operations, written in simple ones by what they compute, so that rules for simple ones do for all.

Each function takes the arguments of the operation whose name it has. It runs under the mode that asked for it.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

Argument = Tensor | Sequence[Tensor] | bool | int | float  # of a recurrent layer, in PyTorch's order


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(q k' / sqrt(d) + mask) v (Vaswani et al. 2017, eq. 1)."""
    if enable_gqa:
        heads = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(heads, -3), value.repeat_interleave(heads, -3)
    scores = query @ key.mT * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    return torch.softmax(scores, -1) @ value


def multi_head_attention_forward(
    query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int,
    in_proj_weight: Tensor | None, in_proj_bias: Tensor | None, bias_k: Tensor | None, bias_v: Tensor | None,
    add_zero_attn: bool, dropout_p: float, out_proj_weight: Tensor, out_proj_bias: Tensor | None, training: bool = True,
    key_padding_mask: Tensor | None = None, need_weights: bool = True, attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Tensor | None = None, k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None, static_k: Tensor | None = None, static_v: Tensor | None = None,
    average_attn_weights: bool = True, is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Attention of several heads between (T, N, D) or (T, D), as in PyTorch; the weights are given without gradient."""
    if bias_k is not None or add_zero_attn or static_k is not None or static_v is not None:
        raise NotImplementedError("attention with bias_k, add_zero_attn or static keys")
    alone = query.ndim == 2
    if alone:
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    weights = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else in_proj_weight.chunk(3)
    biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
    parts = [functional.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]
    # (T, N, D) -> (N, heads, T, D / heads)
    q, k, v = (p.unflatten(-1, (num_heads, -1)).permute(1, 2, 0, 3) for p in parts)
    mask = None
    if attn_mask is not None:
        mask = _additive(attn_mask, q)
        mask = mask.unflatten(0, (-1, num_heads)) if mask.ndim == 3 else mask
    if key_padding_mask is not None:
        padding = _additive(key_padding_mask, q)[:, None, None]
        mask = padding if mask is None else mask + padding
    out = functional.scaled_dot_product_attention(q, k, v, mask)
    out = functional.linear(out.permute(2, 0, 1, 3).flatten(2), out_proj_weight, out_proj_bias)
    found = None
    if need_weights:
        with torch.no_grad():
            scores = q.detach() @ k.detach().mT / math.sqrt(q.shape[-1])
            found = torch.softmax(scores if mask is None else scores + mask, -1)
            found = found.mean(1) if average_attn_weights else found
            found = found.squeeze(0) if alone else found
    return out.squeeze(1) if alone else out, found


def _additive(mask: Tensor, like: Tensor) -> Tensor:
    if mask.dtype != torch.bool:
        return mask.to(like.dtype)
    return torch.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(mask, -math.inf)


def _standardised(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    centred = x - x.mean(dims, keepdim=True)
    return centred * torch.rsqrt(centred.square().mean(dims, keepdim=True) + eps)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    """(x - mean) / deviation over the last dimensions, times weight plus bias (Ba et al. 2016)."""
    out = _standardised(input, tuple(range(-len(normalized_shape), 0)), eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    """Layer normalisation of groups of channels of (N, C, ...) (Wu, He 2018)."""
    grouped = input.unflatten(1, (num_groups, -1))
    out = _standardised(grouped, tuple(range(2, grouped.ndim)), eps).flatten(1, 2)
    return _scaled(out, weight, bias)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalisation of each channel of each sample by itself, or by stored statistics (Ulyanov et al. 2016)."""
    if running_mean is not None:
        return functional.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    return _scaled(_standardised(input, tuple(range(2, input.ndim)), eps), weight, bias)


def _scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    shape = (-1, *[1] * (x.ndim - 2))
    x = x if weight is None else x * weight.view(shape)
    return x if bias is None else x + bias.view(shape)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """x / root mean square over the last dimensions, times weight (Zhang, Sennrich 2019)."""
    dims = tuple(range(-len(normalized_shape), 0))
    eps = torch.finfo(input.dtype).eps if eps is None else eps
    out = input * torch.rsqrt(input.square().mean(dims, keepdim=True) + eps)
    return out if weight is None else out * weight


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None) -> Tensor:
    """x / max(|x|_p, eps) along a dimension."""
    if p <= 0:
        raise NotImplementedError(f"division by the {p:g}-norm")
    if p == 2:
        size = input.square().sum(dim, keepdim=True).sqrt()
    elif p == math.inf:
        size = input.abs().amax(dim, keepdim=True)
    else:
        size = input.abs().pow(p).sum(dim, keepdim=True).pow(1 / p)
    return input / size.clamp_min(eps)


def var(
    input: Tensor,
    dim: int | Sequence[int] | bool | None = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Mean squared deviation along dimensions, without any or with () along all; ``var(False)`` is not unbiased."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    correction = (1 if unbiased else 0) if correction is None else correction
    dims = (dim,) if isinstance(dim, int) else tuple(dim or range(input.ndim))
    count = math.prod(input.shape[d] for d in dims)
    squares = (input - input.mean(dims, keepdim=True)).square()
    return squares.sum(dims, keepdim=keepdim) / max(count - correction, 0)


def std(
    input: Tensor,
    dim: int | Sequence[int] | bool | None = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Square root of ``var``."""
    return var(input, dim, unbiased, keepdim, correction=correction).sqrt()


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """First half times the sigmoid of the second (Dauphin et al. 2017)."""
    signal, gate = input.chunk(2, dim)
    return signal * torch.sigmoid(gate)


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value * tensor1 * tensor2."""
    return input + tensor1 * tensor2 * value


def lerp(input: Tensor, end: Tensor, weight: Tensor | float) -> Tensor:
    """input + weight * (end - input)."""
    return input * (1 - weight) + end * weight


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * batch1 @ batch2."""
    return input * beta + torch.bmm(batch1, batch2) * alpha


def _cells(values: tuple) -> tuple:
    """Read the arguments of a recurrent layer; return x, states, weights by layer and direction, and batch first."""
    x, states, flat, biased, layers, _, _, both, batch_first = values
    if not isinstance(biased, bool):
        raise NotImplementedError("recurrent layers over packed sequences")
    ways, each = (2 if both else 1), (4 if biased else 2)
    if len(flat) != layers * ways * each:
        raise NotImplementedError("recurrent layers with projections")
    groups = [[*flat[i : i + each], *[None] * (4 - each)] for i in range(0, len(flat), each)]
    return x, states, groups, layers, ways, batch_first


def _recurrent(values: tuple, step: Callable) -> tuple:
    """Run a recurrent layer step by step; ``step(x, states, weights) -> states``, the first of which is the output."""
    x, initial, groups, layers, ways, batch_first = _cells(values)
    initial = initial if isinstance(initial, (tuple, list)) else (initial,)
    x = x.transpose(0, 1) if batch_first else x
    ends: list[tuple] = []
    for layer in range(layers):
        outputs = []
        for way in range(ways):
            row = layer * ways + way
            states, kept = tuple(state[row] for state in initial), []
            for t in range(len(x)) if way == 0 else reversed(range(len(x))):
                states = step(x[t], states, groups[row])
                kept.append(states[0])
            outputs.append(torch.stack(kept if way == 0 else kept[::-1]))
            ends.append(states)
        x = torch.cat(outputs, -1) if ways == 2 else outputs[0]
    return (x.transpose(0, 1) if batch_first else x, *(torch.stack(end) for end in zip(*ends, strict=True)))


def lstm(*values: Argument) -> tuple:
    """Long short-term memory, step by step; gates are sigmoids, so rules hold them constant (Arras et al. 2017)."""

    def step(x, states, weights):
        w_x, w_h, b_x, b_h = weights
        h, c = states
        i, f, g, o = (functional.linear(x, w_x, b_x) + functional.linear(h, w_h, b_h)).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    return _recurrent(values, step)


def gru(*values: Argument) -> tuple:
    """Gated recurrent unit, step by step, with gates as in ``lstm``."""

    def step(x, states, weights):
        w_x, w_h, b_x, b_h = weights
        (h,) = states
        r_x, z_x, n_x = functional.linear(x, w_x, b_x).chunk(3, -1)
        r_h, z_h, n_h = functional.linear(h, w_h, b_h).chunk(3, -1)
        z = torch.sigmoid(z_x + z_h)
        return ((1 - z) * torch.tanh(n_x + torch.sigmoid(r_x + r_h) * n_h) + z * h,)

    return _recurrent(values, step)


def _plain_rnn(activation: Callable) -> Callable:
    def run(*values) -> tuple:
        def step(x, states, weights):
            w_x, w_h, b_x, b_h = weights
            return (activation(functional.linear(x, w_x, b_x) + functional.linear(states[0], w_h, b_h)),)

        return _recurrent(values, step)

    return run


RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}

DECOMPOSED: dict[str, Callable] = {
    function.__name__: function
    for function in (
        scaled_dot_product_attention, multi_head_attention_forward, layer_norm, group_norm, instance_norm, rms_norm,
        normalize, var, std, glu, addcmul, lerp, baddbmm, lstm, gru,
    )
} | {"rnn_tanh": _plain_rnn(torch.tanh), "rnn_relu": _plain_rnn(torch.relu)}  # fmt: skip
"""Name of an operation -> the same in simple operations."""
