"""Class activation maps: which places of a layer the explained score rests on.

A layer is what an operation, or a module, gives. One map per sample, copied to every channel of the input: these
methods know where, never in which lead. The exception is a network that keeps the leads as a dimension of its maps,
(N, 1, leads, T) inside: its maps are lead-wise.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from leadwise.attribution.gradients import guided_backprop
from leadwise.attribution.operations import Call, Explained, Signal, mark, signal
from leadwise.attribution.question import Question, gradient_of, tell
from leadwise.networks.network import Network, module_of, network_of

ACTIVATIONS = {
    "relu",
    "relu6",
    "leaky_relu",
    "prelu",
    "elu",
    "selu",
    "celu",
    "gelu",
    "silu",
    "mish",
    "softplus",
    "hardswish",
}


class Watched(Explained):
    """A forward pass that keeps the last activation with channels and more than one place.

    Parameters
    ----------
    network : the network that runs
    wanted : name of a module, whose last output is kept instead
    """

    follows_axes = True

    def __init__(self, network: Network, wanted: str | None = None):
        super().__init__(network, "a class activation map")
        self.kept: Tensor | None = None
        self.wanted = wanted

    def prepare(self, running: nn.Module) -> None:
        """Set a hook on the wanted module of the replica that will run."""
        module_of(running, self.wanted).register_forward_hook(lambda module, args, out: self.keep(out))

    def keep(self, out: Any) -> Any:
        """Keep a layer's output; what follows gets a copy, which it may change in place."""
        out = out[0] if isinstance(out, tuple) else out
        self.kept = out
        copy = out.clone()
        if signal(out) is not None:
            self.follow(copy, Call("clone", torch.clone, (out,), {}), [out])
        return copy

    def pointwise(self, call: Call) -> Any:
        """Keep the output of an activation."""
        out = super().pointwise(call)
        x = call.args[0] if call.args else call.kwargs["input"]
        known = signal(x)
        if self.wanted or call.name not in ACTIVATIONS or known is None or out.ndim < 3 or out[0, 0].numel() < 2:
            return out
        return self.keep(mark(out, Signal(places=known.places, axes=known.axes)))


def default_layer(model: nn.Module | Network, x: Tensor) -> str:
    """Return the name of the module whose output a class activation map uses by default: see ``Watched``.

    An activation that a function makes belongs to the module in whose forward pass it stands.
    """
    network = network_of(model)
    mode = Watched(network)
    names: list[str] = []
    keep = mode.keep

    def noted(out: Any) -> Any:
        names.append(mode.place())
        return keep(out)

    mode.keep = noted  # type: ignore[method-assign]
    batch = x[:1] if x.ndim > network.sample_dims(x) else x[None]
    network.run(mode.enter(batch.to(network.dtype(batch.dtype)).requires_grad_()), mode)
    if not names:
        raise ValueError(NO_LAYER.format(type(network.module).__name__))
    return names[-1].split("'")[1] if "'" in names[-1] else ""


NO_LAYER = (
    "{} has no activation with channels and more than one place, as convolutions make them, so it has no class "
    "activation map by default. Tokens (N, L, D) have none; name another layer that gives (N, K, places): layer='...'."
)


def _activation_and_gradient(question: Question, x: Tensor, layer: str | None) -> tuple[Tensor, Tensor, tuple]:
    """Return a layer's output (N, K, ...), the gradient of the explained score there, and which axes its places are."""
    mode = Watched(question.network, layer)
    x = x.detach().requires_grad_()
    score = question.scores(mode.enter(x), mode, mode.prepare if layer else None)
    if mode.kept is None:
        reason = NO_LAYER.format(type(question.network.module).__name__)
        raise ValueError(f"layer {layer!r} did not run." if layer else reason)
    axes = _places(mode.kept, layer)
    grads = gradient_of(score.sum(), mode.kept)
    if grads is None:
        raise ValueError(f"the explained score does not depend on layer {layer!r}.")
    return mode.kept.detach(), grads, axes


def _places(kept: Tensor, layer: str | None) -> tuple[int, ...]:
    """Return the axes of the input that a layer's places run along."""
    known, what = signal(kept), "the last activation" if layer is None else f"layer {layer!r}"
    axes = known.axes[2:] if known and known.places and known.axes else ()
    if not axes or None in axes or kept[0, 0].numel() < 2 or list(axes) != sorted(set(axes)):
        raise ValueError(
            f"{what} gives shape {tuple(kept.shape)}, which is not known to be channels and then places of the input; "
            "choose a layer behind a convolution, before anything turns or cuts its dimensions: layer='...'."
        )
    return axes


def _to_one(cam: Tensor) -> Tensor:
    """Keep the positive part of each map (N, ...) and divide it by its maximum."""
    cam = cam.clamp(min=0)
    top = cam.flatten(1).amax(1).view(-1, *[1] * (cam.ndim - 1))
    return cam / top.where(top > 0, 1)


def _spread(cam: Tensor, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Interpolate maps (N, ...) linearly along the axes of the input that they run along; copy them along the others.

    Over time, the ends of the map are put on the ends of the input, as in the published maps; over space, pixels are
    areas, as in the image libraries.
    """
    if not cam.any():
        tell("empty", True)
    tell("copied", len(axes) == 1)
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(axes)]
    size = [x.shape[axis] for axis in axes]
    wide = functional.interpolate(cam[:, None], size=size, mode=mode, align_corners=x.ndim == 3)[:, 0]
    shape = [size if axis in (0, *axes) else 1 for axis, size in enumerate(x.shape)]
    return wide.reshape(shape).expand_as(x).clone()


def grad_cam(question: Question, x: Tensor, *, layer: str | None = None) -> Tensor:
    """Positive part of the activation maps weighted by their mean gradients (Selvaraju et al. 2017, eqs. 1 and 2).

    The mean runs over all places, also those where a map is 0. Where dense layers weigh each place by itself, the mean
    may resemble the gradient of none of them, and the map may point elsewhere (Draelos & Carin 2020, arXiv:2011.08891).
    """
    maps, grads, axes = _activation_and_gradient(question, x, layer)
    weights = grads.flatten(2).mean(2).view(*grads.shape[:2], *[1] * (grads.ndim - 2))
    return _spread(_to_one((weights * maps).sum(1)), x, axes)


def grad_cam_pp(question: Question, x: Tensor, *, layer: str | None = None) -> Tensor:
    """Grad-CAM with pixel-wise weights from higher derivatives (Chattopadhay et al. 2018, section 3).

    As in the paper, the score is the exponential of the logit, whose derivatives are powers of the logit's gradient.
    """
    maps, grads, axes = _activation_and_gradient(question, x, layer)
    total = maps.flatten(2).sum(2).view(*maps.shape[:2], *[1] * (maps.ndim - 2))
    denominator = 2 * grads.square() + total * grads.pow(3)
    alpha = grads.square() / denominator.where(denominator != 0, 1)
    weights = (alpha * grads.clamp(min=0)).flatten(2).sum(2).view_as(total)
    return _spread(_to_one((weights * maps).sum(1)), x, axes)


def hirescam(question: Question, x: Tensor, *, layer: str | None = None) -> Tensor:
    """Activation maps times their gradients, place by place, summed over the maps (Draelos & Carin 2020).

    It keeps its sign and the logit's unit: where all behind the layer is linear, the sum over the layer's places is the
    logit less the bias. With global average pooling in between, its positive part is Grad-CAM's but for a factor.
    """
    maps, grads, axes = _activation_and_gradient(question, x, layer)
    return _spread((grads * maps).sum(1), x, axes)


def guided_grad_cam(question: Question, x: Tensor, *, layer: str | None = None) -> Tensor:
    """Grad-CAM times guided backpropagation (Selvaraju et al. 2017, section 3.2)."""
    return grad_cam(question, x, layer=layer) * guided_backprop(question, x)
