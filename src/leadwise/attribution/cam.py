"""Class activation maps: which places of a convolution layer the explained logit rests on.

One map per sample, copied to every channel of the input: these methods know where, never in which lead.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from leadwise.attribution.gradients import explained_logit, guided_backprop


def default_layer(model: nn.Module, x: Tensor) -> str:
    """Return the name of the activation that follows the last convolution (else that convolution), in running order."""
    kinds = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    order = []
    named = {module: name for name, module in model.named_modules() if not list(module.children())}
    handles = [module.register_forward_hook(lambda module, *_: order.append(module)) for module in named]
    try:
        with torch.no_grad():
            model(x[:1])
    finally:
        for handle in handles:
            handle.remove()
    last = max((i for i, module in enumerate(order) if isinstance(module, kinds)), default=None)
    if last is None:
        raise ValueError(f"{type(model).__name__} has no convolution, so it has no class activation map.")
    after = order[last + 1] if last + 1 < len(order) else None
    is_activation = type(after).__module__ == "torch.nn.modules.activation"
    return named[after if is_activation else order[last]]


def _activation_and_gradient(model, x, target, layer) -> tuple[Tensor, Tensor]:
    """Return a layer's output (N, K, ...) and the gradient of the explained logit with respect to it."""
    name = layer or default_layer(model, x)
    modules = dict(model.named_modules())
    if name not in modules:
        raise ValueError(f"no layer {name!r}; expected one of {', '.join(filter(None, modules))}.")
    kept = []
    handle = modules[name].register_forward_hook(lambda module, args, out: kept.append(out))
    try:
        # A leaf that needs gradients makes every activation part of the graph, also where the weights are frozen.
        logit = explained_logit(model, x.detach().requires_grad_(), target)
    finally:
        handle.remove()
    if kept[0].ndim != x.ndim:
        raise ValueError(
            f"layer {name!r} gives shape {tuple(kept[0].shape)}, which has no places; choose a convolution layer."
        )
    return kept[0].detach(), torch.autograd.grad(logit.sum(), kept[0])[0]


def _to_one(cam: Tensor) -> Tensor:
    """Keep the positive part of each map (N, ...) and divide it by its maximum."""
    cam = cam.clamp(min=0)
    top = cam.flatten(1).amax(1).view(-1, *[1] * (cam.ndim - 1))
    return cam / top.where(top > 0, 1)


def _spread(cam: Tensor, x: Tensor) -> Tensor:
    """Interpolate maps (N, ...) linearly to the input's size and copy them to every channel.

    Over time, the ends of the map are put on the ends of the input, as in the published maps; over space, pixels are
    areas, as in the image libraries.
    """
    mode = {3: "linear", 4: "bilinear", 5: "trilinear"}[x.ndim]
    wide = functional.interpolate(cam[:, None], size=x.shape[2:], mode=mode, align_corners=x.ndim == 3)
    return wide.expand_as(x).clone()


def grad_cam(model: nn.Module, x: Tensor, target: Tensor, *, layer: str | None = None) -> Tensor:
    """Positive part of the activation maps weighted by their mean gradients (Selvaraju et al. 2017, eqs. 1 and 2).

    The mean runs over all places, also those where a map is 0. Where dense layers weigh each place by itself, the mean
    may resemble the gradient of none of them, and the map may point elsewhere (Draelos & Carin 2020, arXiv:2011.08891).
    """
    maps, grads = _activation_and_gradient(model, x, target, layer)
    weights = grads.flatten(2).mean(2).view(*grads.shape[:2], *[1] * (x.ndim - 2))
    return _spread(_to_one((weights * maps).sum(1)), x)


def grad_cam_pp(model: nn.Module, x: Tensor, target: Tensor, *, layer: str | None = None) -> Tensor:
    """Grad-CAM with pixel-wise weights from higher derivatives (Chattopadhay et al. 2018, section 3).

    As in the paper, the score is the exponential of the logit, whose derivatives are powers of the logit's gradient.
    """
    maps, grads = _activation_and_gradient(model, x, target, layer)
    total = maps.flatten(2).sum(2).view(*maps.shape[:2], *[1] * (x.ndim - 2))
    denominator = 2 * grads.square() + total * grads.pow(3)
    alpha = grads.square() / denominator.where(denominator != 0, 1)
    weights = (alpha * grads.clamp(min=0)).flatten(2).sum(2).view_as(total)
    return _spread(_to_one((weights * maps).sum(1)), x)


def hirescam(model: nn.Module, x: Tensor, target: Tensor, *, layer: str | None = None) -> Tensor:
    """Activation maps times their gradients, place by place, summed over the maps (Draelos & Carin 2020).

    It keeps its sign and the logit's unit: where all behind the layer is linear, the sum over the layer's places is the
    logit less the bias. With global average pooling in between, its positive part is Grad-CAM's but for a factor.
    """
    maps, grads = _activation_and_gradient(model, x, target, layer)
    return _spread((grads * maps).sum(1), x)


def guided_grad_cam(model: nn.Module, x: Tensor, target: Tensor, *, layer: str | None = None) -> Tensor:
    """Grad-CAM times guided backpropagation (Selvaraju et al. 2017, section 3.2)."""
    return grad_cam(model, x, target, layer=layer) * guided_backprop(model, x, target)
