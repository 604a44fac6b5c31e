"""Look inside a network: filters, feature maps, receptive fields, best classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from leadwise.ecg.leads import LEADS
from leadwise.networks.ecg_net import ECGNet
from leadwise.networks.network import Evaluation, Network, module_of, network_of

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
POOLINGS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
WINDOWS = (*CONVOLUTIONS, *POOLINGS)
ADAPTIVE = tuple(getattr(nn, f"Adaptive{kind}Pool{n}d") for kind in ("Avg", "Max") for n in (1, 2, 3))
POINTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Softplus),
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.Identity, nn.Flatten),
)


CHUNK = 32  # samples in the network at once, so that memory does not grow with the batch

SHAPES: dict[tuple, tuple[int, ...]] = {
    (nn.Conv1d, len(LEADS)): ECGNet.sample_shape,
    (nn.Conv2d, 3): (3, 224, 224),
}  # of one sample, by what a network starts with


@dataclass(frozen=True)
class Layer:
    """One row of ``layer_table``.

    Parameters
    ----------
    name : as in ``net.named_modules()``
    kind : class of the module
    shape : of its output, without N
    parameters : number of its weights and biases
    receptive_field : input samples that one of its outputs sees, along each axis (H, W) or (T,), edges not counted in;
        None where an operation outside the modules came before it (an addition, a function), so that it isn't known
    stride : input samples between neighbouring outputs, likewise; 0 where every output sees the whole input
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    receptive_field: tuple[int, ...] | None
    stride: tuple[int, ...] | None


def first_layer_filters(net: nn.Module | Network, scaled: bool = False) -> Tensor:
    """Return the weights (K, channels, h, w) or (K, channels, t) of the first convolution, a copy.

    With ``scaled`` they lie between 0 and 1 to be shown as pictures: zero is 0.5, the largest weight of each filter,
    positive or negative, is 1 or 0.
    """
    net = network_of(net).module
    layer = next((module for module in net.modules() if isinstance(module, (*CONVOLUTIONS, nn.Linear))), None)
    if not isinstance(layer, CONVOLUTIONS):
        raise ValueError(
            f"the first layer of {type(net).__name__} is a {type(layer).__name__}; expected a convolution."
        )
    weights = layer.weight.detach().clone()
    if not scaled:
        return weights
    largest = weights.flatten(1).abs().amax(1).clamp(min=1e-12).view(-1, *[1] * (weights.ndim - 1))
    return 0.5 + weights / largest / 2


def _on_device(net: nn.Module | Network, x: Tensor) -> Tensor:
    network = network_of(net)
    return x.to(network.device(x.device), network.dtype(x.dtype))


@torch.no_grad()
def feature_maps(net: nn.Module | Network, x: Tensor, layer: str) -> Tensor:
    """Return what the layer called ``layer`` gives out for x: (N, K, ...), or without N if x comes without.

    A layer that the network uses more than once, or not at all, raises a ValueError, as does an unknown name.
    """
    network = network_of(net)
    single = x.ndim == network.sample_dims(x)
    parts = []
    for part in _on_device(net, x[None] if single else x).split(CHUNK):
        kept = network.outputs_of(layer, part)
        if len(kept) != 1:
            raise ValueError(f"layer {layer!r} ran {len(kept)} times; expected a layer that runs once.")
        parts.append(kept[0])
    return parts[0][0] if single else torch.cat(parts)


@torch.no_grad()
def top_k(net: nn.Module | Network, x: Tensor, k: int = 5, classes: Sequence[str] | None = None) -> list:
    """Return the k most probable classes for x as (name, softmax probability), best first.

    One list for one sample, a list of lists for a batch (N, ...). ``classes`` defaults to those that the network
    has, or to its module's ``class_names``.
    """
    network = network_of(net)
    if classes is None:
        classes = network.classes or getattr(network.module, "class_names", None)
    single = x.ndim == network.sample_dims(x)
    parts = _on_device(net, x[None] if single else x).split(CHUNK)
    probabilities = torch.cat([torch.softmax(network.logits(part), -1) for part in parts])
    if classes is None:
        classes = [str(index) for index in range(probabilities.shape[-1])]
    if len(classes) != probabilities.shape[-1]:
        raise ValueError(f"classes names {len(classes)}; the network has {probabilities.shape[-1]} outputs.")
    if not 1 <= k <= len(classes):
        raise ValueError(f"k is {k}; expected 1 to {len(classes)}, the number of classes.")
    values, indices = (part.reshape(-1, k).tolist() for part in probabilities.topk(k))
    best = [[(classes[i], p) for p, i in zip(*row, strict=True)] for row in zip(values, indices, strict=True)]
    return best[0] if single else best


# What a layer sees --------------------------------------------------------------------------------------------------


def sample_shape(net: nn.Module | Network, shape: Sequence[int] | None) -> tuple[int, ...]:
    """Return the shape of one sample: as given, as the network says, or an ECG's or a picture's where it starts so."""
    network = network_of(net)
    modules = network.module.modules()
    first = next((module for module in modules if isinstance(module, (*CONVOLUTIONS, nn.Linear))), None)
    known = network.sample_shape or SHAPES.get((type(first), getattr(first, "in_channels", 0)))
    if shape is None and known is None:
        raise ValueError(
            f"{network.title} does not say what it takes; give the shape of one sample, as shape=(channels, ...)."
        )
    if len(shape or known) < 2 or (shape and known and len(shape) != len(known)):
        raise ValueError(f"shape is {tuple(shape or known)}; expected {len(known or (1, 1))} numbers, (channels, ...).")
    return tuple(shape or known)


def _seen(module: nn.Module, before: tuple | None, x: Tensor, out: Tensor, whole: tuple) -> tuple | None:
    """Return (receptive field, stride) behind a module that made ``out`` of ``x``; ``before`` is what held for x.

    The field grows by (kernel - 1) dilations, each as long as the stride so far; the stride is multiplied by the
    module's (Araujo et al., Distill 2019, doi:10.23915/distill.00021).
    """
    if before is None:
        return None
    field, stride = before
    if isinstance(module, WINDOWS):
        kernel, step, dilation = (
            value if isinstance(value, tuple) else (value,) * len(field)
            for value in (getattr(module, name, 1) for name in ("kernel_size", "stride", "dilation"))
        )
        wider = tuple(f + (k - 1) * d * s for f, k, d, s in zip(field, kernel, dilation, stride, strict=True))
        return wider, tuple(s * by for s, by in zip(stride, step, strict=True))
    dense = isinstance(module, nn.Linear) and x.ndim == 2
    if dense or (isinstance(module, ADAPTIVE) and set(out.shape[2:]) == {1}):
        return whole, (0,) * len(whole)
    same = isinstance(module, ADAPTIVE) and out.shape == x.shape
    return before if same or isinstance(module, POINTWISE) else None


@torch.no_grad()
def layer_table(net: nn.Module | Network, x: Tensor) -> list[Layer]:
    """Return one row for each innermost module, in the order in which x, a batch (N, ...) or one sample, runs through.

    Receptive fields are followed from module to module, so they hold for branches and for functions in between only
    as far as nothing but modules has touched the data; beyond, they are None.
    """
    network = network_of(net)
    return _table(network, _on_device(net, x[None] if x.ndim == network.sample_dims(x) else x)[:1])


def _table(network: Network, x: Tensor) -> list[Layer]:
    """Return the rows for a batch of one sample."""
    whole = tuple(x.shape[2:])
    rows, held = [], [x]  # held keeps the tensors alive, so that an id stays unique
    seen = {id(x): ((1,) * len(whole), (1,) * len(whole))}

    def note(name):
        def hook(module, args, out):
            found = _seen(module, seen.get(id(args[0])), args[0], out, whole)
            seen[id(out)] = found
            held.append(out)
            parameters = sum(weight.numel() for weight in module.parameters())
            rows.append(Layer(name, type(module).__name__, tuple(out.shape[1:]), parameters, *(found or (None, None))))

        return hook

    def watch(running: nn.Module) -> None:
        for name, module in running.named_modules():
            if not list(module.children()):
                module.register_forward_hook(note(name))

    network.forward(x, Evaluation(network.module), watch)
    return rows


def receptive_field(net: nn.Module | Network, layer: str, shape: Sequence[int] | None = None) -> tuple[int, ...]:
    """Return how many input samples one output of a layer sees, along each axis; edges are not counted in.

    ``shape`` is that of one sample, by default (3, 224, 224) for a picture network, (12, 2000) for an ECG network.
    A layer whose field isn't known (see ``layer_table``) raises a ValueError.
    """
    module_of(network_of(net).module, layer)
    rows = [row for row in _table(network_of(net), torch.zeros(1, *sample_shape(net, shape))) if row.name == layer]
    if len(rows) != 1 or rows[0].receptive_field is None:
        raise ValueError(
            f"the receptive field of {layer!r} is not known; expected an innermost module that runs once, "
            "behind a chain of convolutions, poolings, dense layers and activations."
        )
    return rows[0].receptive_field
