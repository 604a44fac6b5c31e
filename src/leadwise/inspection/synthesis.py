"""Inputs that a class or a channel responds to most, made by gradient ascent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from leadwise.inspection.layers import sample_shape
from leadwise.networks.network import Network, module_of, network_of
from leadwise.progress import Progress, progress_to

CHUNK = 8  # pictures optimised at once


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
    net: nn.Module | Network,
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
    network = network_of(net)
    _check_choice(network, target, layer, channel)
    index = torch.as_tensor(target if layer is None else channel)
    _check(index, images, {"steps": (steps, 1), "keep": (keep, 2)})
    _check(index, images, {"jitter": (jitter, 0), "blur": (blur, 0), "total_variation": (total_variation, 0)})
    _check(
        index,
        images,
        {"decay": (decay, 0), "smooth": (smooth, 0), "grey": (grey, 0), "contrast": (contrast, 0), "rate": (rate, 0)},
    )
    images = index.numel() if index.ndim else images
    shape = sample_shape(network, shape)
    random = torch.Generator().manual_seed(seed)
    shifts = torch.randint(-jitter, jitter + 1, (steps, len(shape) - 1), generator=random).tolist()
    start = _filtered(torch.randn(images, *shape, generator=random), _spectrum(shape, blur, smooth))
    start = (0.1 * _unit(start)).to(network.device("cpu"), network.dtype(start.dtype))
    index = index.to(start.device).expand(images)
    kept = torch.linspace(0, steps, min(keep, steps + 1)).round().int().tolist()
    options = {"rate": rate, "total_variation": total_variation, "decay": decay, "grey": grey, "watch": watch}
    spectrum = _spectrum(shape, blur, smooth).to(start.device)
    parts = []
    with torch.inference_mode(False), torch.enable_grad(), progress_to(progress):  # noqa: SIM117
        with Progress(images * steps) as told:
            for x, units in zip(start.split(CHUNK), index.split(CHUNK), strict=True):
                score = _score(network, layer, units, contrast)
                parts.append(_ascend(score, x, shifts, spectrum, kept, told, **options))
    strips, activations = zip(*parts, strict=True)
    strip = torch.cat(strips, 1).cpu()
    return Synthesis(strip[-1].clone(), strip, tuple(kept), torch.cat(activations, 1).cpu())


def _check_choice(network: Network, target, layer, channel) -> None:
    if (target is None) == (layer is None) or (layer is None) != (channel is None):
        raise ValueError(
            f"target is {target!r}, layer {layer!r}, channel {channel!r}; give target, or layer and channel."
        )
    if layer is not None:
        module_of(network.module, layer)


def _check(index: Tensor, images: int, limits: dict[str, tuple[float, float]]) -> None:
    if index.dtype.is_floating_point or index.dtype == torch.bool or index.ndim > 1 or not index.numel():
        raise ValueError(f"target or channel is {index.tolist()}; expected a whole number, or one for each image.")
    if images < 1 or (index.ndim and images not in (1, len(index))):
        raise ValueError(f"images is {images}; expected at least 1, and with several targets or channels their number.")
    for name, (value, least) in limits.items():
        if not value >= least:
            raise ValueError(f"{name} is {value}; expected at least {least}.")


def _score(network: Network, layer: str | None, units: Tensor, contrast: float) -> Callable[[Tensor], Tensor]:
    """Return a function from a batch (N, ...) to what is maximised in each sample, (N,)."""

    def score(x: Tensor) -> Tensor:
        out = network.logits(x) if layer is None else network.outputs_of(layer, x)[-1]
        out = out.flatten(2).mean(2) if out.ndim > 2 else out
        if int(units.min()) < 0 or int(units.max()) >= out.shape[1]:
            raise ValueError(f"target or channel is {units.tolist()}; expected 0 to {out.shape[1] - 1}.")
        own = out.gather(1, units[:, None])[:, 0]
        if layer is not None or not contrast or out.shape[1] == 1:
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
