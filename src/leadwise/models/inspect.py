"""Look inside a network: filters, feature maps, receptive fields, best classes, and the inputs that a unit likes."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from leadwise.attribution.running import LOCK, Progress, borrowed, device_of, first_weighted, progress_to, sample_dims

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
POOLINGS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
WINDOWS = (*CONVOLUTIONS, *POOLINGS)
ADAPTIVE = tuple(getattr(nn, f"Adaptive{kind}Pool{n}d") for kind in ("Avg", "Max") for n in (1, 2, 3))
POINTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.Softplus),
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.Identity, nn.Flatten),
)
SHAPES = {(2, 12): (12, 2000), (3, 3): (3, 224, 224)}  # of one sample, by its dimensions and channels: ECGs, pictures
CHUNK = 8  # pictures optimised at once


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


def first_layer_filters(net: nn.Module, scaled: bool = False) -> Tensor:
    """Return the weights (K, channels, h, w) or (K, channels, t) of the first convolution, a copy.

    With ``scaled`` they lie between 0 and 1 to be shown as pictures: zero is 0.5, the largest weight of each filter,
    positive or negative, is 1 or 0.
    """
    layer = first_weighted(net)
    if not isinstance(layer, CONVOLUTIONS):
        raise ValueError(
            f"the first layer of {type(net).__name__} is a {type(layer).__name__}; expected a convolution."
        )
    weights = layer.weight.detach().clone()
    if not scaled:
        return weights
    largest = weights.flatten(1).abs().amax(1).clamp(min=1e-12).view(-1, *[1] * (weights.ndim - 1))
    return 0.5 + weights / largest / 2


def _module(net: nn.Module, layer: str) -> nn.Module:
    modules = dict(net.named_modules())
    if layer not in modules:
        raise ValueError(f"no layer {layer!r}; expected one of {', '.join(filter(None, modules))}.")
    return modules[layer]


@contextmanager
def _outputs(module: nn.Module):
    """Collect what a module gives out while the block runs."""
    kept = []
    handle = module.register_forward_hook(lambda module, args, out: kept.append(out))
    try:
        yield kept
    finally:
        handle.remove()


def _on_device(net: nn.Module, x: Tensor) -> Tensor:
    return x.to(device_of(net, x.device))


@torch.no_grad()
def feature_maps(net: nn.Module, x: Tensor, layer: str) -> Tensor:
    """Return what the layer called ``layer`` gives out for x: (N, K, ...), or without N if x comes without.

    A layer that the network uses more than once, or not at all, raises a ValueError, as does an unknown name.
    """
    with LOCK, borrowed(net), _outputs(_module(net, layer)) as kept:
        net(_on_device(net, x))
    if len(kept) != 1:
        raise ValueError(f"layer {layer!r} ran {len(kept)} times; expected a layer that runs once.")
    return kept[0].clone()


@torch.no_grad()
def top_k(net: nn.Module, x: Tensor, k: int = 5, classes: Sequence[str] | None = None) -> list:
    """Return the k most probable classes for x as (name, softmax probability), best first.

    One list for one sample, a list of lists for a batch (N, ...). ``classes`` defaults to ``net.class_names``.
    """
    classes = getattr(net, "class_names", None) if classes is None else classes
    with LOCK, borrowed(net):
        probabilities = torch.softmax(net(_on_device(net, x)), -1)
    if classes is None:
        classes = [str(index) for index in range(probabilities.shape[-1])]
    if len(classes) != probabilities.shape[-1]:
        raise ValueError(f"classes names {len(classes)}; the network has {probabilities.shape[-1]} outputs.")
    if not 1 <= k <= len(classes):
        raise ValueError(f"k is {k}; expected 1 to {len(classes)}, the number of classes.")
    values, indices = (part.reshape(-1, k).tolist() for part in probabilities.topk(k))
    best = [[(classes[i], p) for p, i in zip(*row, strict=True)] for row in zip(values, indices, strict=True)]
    return best if x.ndim > sample_dims(net) else best[0]


# What a layer sees --------------------------------------------------------------------------------------------------


def _shape(net: nn.Module, shape: Sequence[int] | None) -> tuple[int, ...]:
    """Return the shape of one sample: as given, else an ECG's or a picture's where the first layer takes those."""
    first = first_weighted(net)
    key = (sample_dims(net), getattr(first, "in_channels", 0))
    if shape is None and key not in SHAPES:
        raise ValueError(f"the network starts with {first}; give the shape of one sample, as shape=(channels, ...).")
    if shape is not None and len(shape) != key[0]:
        raise ValueError(f"shape is {tuple(shape)}; expected {key[0]} numbers, (channels, ...).")
    if key[0] < 2:
        raise ValueError(f"the network starts with {first}; expected a convolution, over time or over a picture.")
    return tuple(SHAPES[key] if shape is None else shape)


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
def layer_table(net: nn.Module, x: Tensor) -> list[Layer]:
    """Return one row for each innermost module, in the order in which x, a batch (N, ...) or one sample, runs through.

    Receptive fields are followed from module to module, so they hold for branches and for functions in between only
    as far as nothing but modules has touched the data; beyond, they are None.
    """
    x = _on_device(net, x if x.ndim > sample_dims(net) else x[None])[:1]
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

    leaves = [(name, module) for name, module in net.named_modules() if not list(module.children())]
    handles = [module.register_forward_hook(note(name)) for name, module in leaves]
    try:
        with LOCK, borrowed(net):
            net(x)
    finally:
        for handle in handles:
            handle.remove()
    return rows


def receptive_field(net: nn.Module, layer: str, shape: Sequence[int] | None = None) -> tuple[int, ...]:
    """Return how many input samples one output of a layer sees, along each axis; edges are not counted in.

    ``shape`` is that of one sample, by default (3, 224, 224) for a picture network, (12, 2000) for an ECG network.
    A layer whose field isn't known (see ``layer_table``) raises a ValueError.
    """
    _module(net, layer)
    rows = [row for row in layer_table(net, torch.zeros(1, *_shape(net, shape))) if row.name == layer]
    if len(rows) != 1 or rows[0].receptive_field is None:
        raise ValueError(
            f"the receptive field of {layer!r} is not known; expected an innermost module that runs once, "
            "behind a chain of convolutions, poolings, dense layers and activations."
        )
    return rows[0].receptive_field


# What a unit likes best ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Synthesis:
    """What ``maximise_activation`` found, on the CPU.

    Parameters
    ----------
    images : (N, channels, H, W) or (N, channels, T), in the network's units (``to_image`` makes pictures of them)
    strip : (keep, N, ...), the way there, from the start to ``images``
    steps : the step after which each picture of the strip was taken, 0 for the start
    activation : (steps + 1, N), what was maximised, before each step (with its jitter) and at the end (without)
    """

    images: Tensor
    strip: Tensor
    steps: tuple[int, ...]
    activation: Tensor


def maximise_activation(
    net: nn.Module,
    *,
    target: int | Sequence[int] | None = None,
    layer: str | None = None,
    channel: int | Sequence[int] | None = None,
    shape: Sequence[int] | None = None,
    images: int = 1,
    steps: int = 48,
    rate: float = 0.25,
    jitter: int = 24,
    blur: float = 0.7,
    total_variation: float = 0.1,
    decay: float = 0.08,
    smooth: float = 1.5,
    grey: float = 2.0,
    contrast: float = 0.6,
    seed: int = 0,
    keep: int = 6,
    progress: bool | Callable[[int, int], None] = True,
    watch: Callable[[int, Tensor], None] | None = None,
) -> Synthesis:
    """Synthesise inputs that a class or a channel responds to most, by gradient ascent from faint noise.

    What is maximised is a class's logit less ``contrast`` times the others', or the mean of a channel over its places.
    The network and the global random generators stay as they were; the same seed gives the same images.

    Parameters
    ----------
    net : network (N, ...) -> logits (N, classes), with a first layer that convolves over T, or over H and W
    target : class, or one for each image
    layer, channel : instead of target: the name of a layer, and the channel in it, or one for each image
    shape : of one sample; by default (3, 224, 224) for a picture network, (12, 2000) for an ECG network
    images : how many, from different noise; a sequence of targets or channels sets it
    steps : of the ascent
    rate : root mean square of a step, in the network's units
    jitter : before each step, shift by up to so many samples along each axis (Mordvintsev et al. 2015, "Inceptionism")
    blur : standard deviation in samples of a Gaussian that damps the step's fine detail. Yosinski et al. 2015
        (arXiv:1506.06579, section 3) blur the picture now and then; blurring the steps erases nothing
    total_variation : how strongly differences between neighbours are levelled, as a share of the step
    decay : share of the picture that fades at each step (Yosinski et al. 2015, theta_decay)
    smooth : a step's frequencies f are divided by f ** smooth, so that large shapes come first (Olah et al. 2017,
        doi:10.23915/distill.00007, "Preconditioning and parameterization"); 0 leaves them
    grey : how many times the mean over the colours is added to a step, since natural colours vary together (likewise);
        applies to inputs of three channels only
    contrast : share of the log-sum-exp of all other logits that is taken from the class's; for classes only. At 0 it is
        the plain logit of Simonyan et al. 2014 (arXiv:1312.6034, section 2), which also grows by what many classes
        share; at 1 the log odds of the class
    seed : of the noise and of the jitter
    keep : length of the strip
    progress : True shows a bar after two seconds; False shows none; a function gets (done, total) and may cancel by
        raising
    watch : a function that gets each step's number, from 0, and the images then, at most ``CHUNK`` at once; it
        may cancel likewise

    Raises
    ------
    ValueError : not one target or one layer with a channel, an index or a number out of range
    """
    module = _chosen(net, target, layer, channel)
    index = torch.as_tensor(target if layer is None else channel)
    _check(index, images, {"steps": (steps, 1), "keep": (keep, 2)})
    _check(index, images, {"jitter": (jitter, 0), "blur": (blur, 0), "total_variation": (total_variation, 0)})
    _check(
        index,
        images,
        {"decay": (decay, 0), "smooth": (smooth, 0), "grey": (grey, 0), "contrast": (contrast, 0), "rate": (rate, 0)},
    )
    images = index.numel() if index.ndim else images
    shape = _shape(net, shape)
    random = torch.Generator().manual_seed(seed)
    shifts = torch.randint(-jitter, jitter + 1, (steps, len(shape) - 1), generator=random).tolist()
    start = _filtered(torch.randn(images, *shape, generator=random), _spectrum(shape, blur, smooth))
    start = _on_device(net, 0.1 * _unit(start))
    index = index.to(start.device).expand(images)
    kept = torch.linspace(0, steps, min(keep, steps + 1)).round().int().tolist()
    options = {"rate": rate, "total_variation": total_variation, "decay": decay, "grey": grey, "watch": watch}
    spectrum = _spectrum(shape, blur, smooth).to(start.device)
    parts = []
    with LOCK, torch.inference_mode(False), torch.enable_grad(), borrowed(net), progress_to(progress):  # noqa: SIM117
        with Progress(images * steps) as told:
            for x, units in zip(start.split(CHUNK), index.split(CHUNK), strict=True):
                score = _score(net, module, units, contrast)
                parts.append(_ascend(score, x, shifts, spectrum, kept, told, **options))
    strips, activations = zip(*parts, strict=True)
    strip = torch.cat(strips, 1).cpu()
    return Synthesis(strip[-1], strip, tuple(kept), torch.cat(activations, 1).cpu())


def _chosen(net, target, layer, channel) -> nn.Module:
    if (target is None) == (layer is None) or (layer is None) != (channel is None):
        raise ValueError(
            f"target is {target!r}, layer {layer!r}, channel {channel!r}; give target, or layer and channel."
        )
    return net if layer is None else _module(net, layer)


def _check(index: Tensor, images: int, limits: dict[str, tuple[float, float]]) -> None:
    if index.dtype.is_floating_point or index.dtype == torch.bool or index.ndim > 1 or not index.numel():
        raise ValueError(f"target or channel is {index.tolist()}; expected a whole number, or one for each image.")
    if images < 1 or (index.ndim and images not in (1, len(index))):
        raise ValueError(f"images is {images}; expected at least 1, and with several targets or channels their number.")
    for name, (value, least) in limits.items():
        if not value >= least:
            raise ValueError(f"{name} is {value}; expected at least {least}.")


def _score(net: nn.Module, module: nn.Module, units: Tensor, contrast: float) -> Callable[[Tensor], Tensor]:
    """Return a function from a batch (N, ...) to what is maximised in each sample, (N,)."""

    def score(x: Tensor) -> Tensor:
        with _outputs(module) as kept:
            net(x)
        out = kept[-1].flatten(2).mean(2) if kept[-1].ndim > 2 else kept[-1]
        if int(units.min()) < 0 or int(units.max()) >= out.shape[1]:
            raise ValueError(f"target or channel is {units.tolist()}; expected 0 to {out.shape[1] - 1}.")
        own = out.gather(1, units[:, None])[:, 0]
        if module is not net or not contrast or out.shape[1] == 1:
            return own
        return own - contrast * out.scatter(1, units[:, None], -torch.inf).logsumexp(1)

    return score


def _ascend(
    score, x, shifts, spectrum, kept, told, *, rate, total_variation, decay, grey, watch
) -> tuple[Tensor, Tensor]:
    """Climb from x (N, ...); return the strip (keep, N, ...) and the activations (steps + 1, N)."""
    axes = tuple(range(2, x.ndim))
    strip, activations = [x], []
    tell = watch or (lambda step, images: None)
    tell(0, x.cpu())
    for step, shift in enumerate(shifts, 1):
        moved = x.roll(shift, axes).requires_grad_()
        value = score(moved)
        grad = torch.autograd.grad(value.sum(), moved)[0].roll([-by for by in shift], axes)
        grad = _filtered(grad, spectrum)
        if x.shape[1] == 3:
            grad = grad + grey * grad.mean(1, keepdim=True)
        grad = _unit(grad)
        for axis in axes if total_variation else ():
            # The slope of log cosh, a total variation that is smooth at zero: from -1 to 1, steep below 0.1.
            slope = torch.tanh(10 * (x.roll(-1, axis) - x))
            grad = grad + total_variation * (slope - slope.roll(1, axis))
        x = ((x + rate * grad) * (1 - decay)).detach()
        activations.append(value.detach())
        if step in kept:
            strip.append(x)
        told.advance(len(x))
        tell(step, x.cpu())
    with torch.no_grad():
        activations.append(score(x))
    return torch.stack(strip), torch.stack(activations)


def _unit(x: Tensor) -> Tensor:
    """Scale each sample to a root mean square of 1; where all is zero it stays so."""
    size = x.flatten(1).square().mean(1).sqrt().view(-1, *[1] * (x.ndim - 1))
    return x / size.where(size > 0, 1)


def _spectrum(shape: tuple[int, ...], blur: float, smooth: float) -> Tensor:
    """Return the factors of the frequencies of ``rfftn``: a Gaussian blur, and 1 / f ** smooth."""
    axes = [torch.fft.fftfreq(size) for size in shape[1:-1]] + [torch.fft.rfftfreq(shape[-1])]
    f = sum(grid.square() for grid in torch.meshgrid(*axes, indexing="ij")).sqrt()  # type: ignore[union-attr]
    return torch.exp(-2 * (torch.pi * blur * f) ** 2) * f.clamp(min=2 / max(shape[1:])) ** -smooth


def _filtered(x: Tensor, spectrum: Tensor) -> Tensor:
    axes = tuple(range(2, x.ndim))
    return torch.fft.irfftn(torch.fft.rfftn(x, dim=axes) * spectrum, s=x.shape[2:], dim=axes)
