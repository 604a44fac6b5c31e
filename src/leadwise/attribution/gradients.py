"""Methods that read the gradient of the explained logit.

Every function takes ``model``, ``x`` (N, C, ...) and ``target`` (N,), class indices, and returns relevance shaped like
x.
"""

import warnings
from collections.abc import Callable

import torch
from captum.attr import DeepLift, DeepLiftShap
from torch import Tensor, nn

from leadwise.attribution.running import (
    chunks,
    first_weighted,
    in_chunks,
    pools_by_difference,
    rectifiers_only,
    replaced,
    track,
)


def explained_logit(model: Callable[[Tensor], Tensor], x: Tensor, target: Tensor) -> Tensor:
    """Return the logit of each sample's target class, shape (N,)."""
    return pick(model(x), target)


def pick(logits: Tensor, target: Tensor) -> Tensor:
    """Return logits (N, classes) of the target classes, shape (N,).

    Raises
    ------
    ValueError : the network gives no logits, or has no such class
    """
    if logits.ndim != 2:
        raise ValueError(f"the network gives shape {tuple(logits.shape)}; expected logits (N, classes).")
    if target.min() < 0 or target.max() >= logits.shape[1]:
        raise ValueError(f"target is {target.tolist()}; this network has classes 0 to {logits.shape[1] - 1}.")
    return logits.gather(1, target[:, None]).squeeze(1)


def refuse_unknown_classes(model: nn.Module, x: Tensor, target: Tensor) -> None:
    """Raise the ValueError of :func:`pick` before a library that would fail on such a class in words of its own."""
    with torch.no_grad():
        pick(model(x[:1]).expand(len(x), -1), target)


def normal(shape, generator: torch.Generator, like: Tensor) -> Tensor:
    """Draw standard normal numbers on the CPU, so that every device gets the same ones."""
    return torch.randn(shape, generator=generator).to(like)


def gradient(model: Callable[[Tensor], Tensor], x: Tensor, target: Tensor) -> Tensor:
    """Gradient of the explained logit with respect to the input (Simonyan et al. 2014, section 3)."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(explained_logit(model, x, target).sum(), x)[0]


def noisy_gradients(model, x, target, *, samples, noise, seed):
    """Yield gradients (K, N, C, ...) at noisy copies, in chunks; the noise is a fraction of each sample's range.

    The samples of a batch share the draws, so that a sample's map does not depend on its neighbours.
    """
    generator = torch.Generator().manual_seed(seed)
    spread = noise * (x.flatten(1).amax(1) - x.flatten(1).amin(1)).view(-1, *[1] * (x.ndim - 1))
    for count in track(chunks(samples, len(x)), samples):
        draws = torch.stack([normal(x.shape[1:], generator, x) for _ in range(count)])
        copies = x + draws[:, None] * spread
        yield gradient(model, copies.flatten(0, 1), target.repeat(count)).view_as(copies)


def smoothgrad(model, x, target, *, samples, noise, seed) -> Tensor:
    """Mean gradient over noisy copies of the input (Smilkov et al. 2017, section 3.1)."""
    draws = noisy_gradients(model, x, target, samples=samples, noise=noise, seed=seed)
    return sum(grads.sum(0) for grads in draws) / samples


def vargrad(model, x, target, *, samples, noise, seed) -> Tensor:
    """Variance of the gradient over noisy copies of the input (Adebayo et al. 2018)."""
    total, squares = torch.zeros_like(x), torch.zeros_like(x)
    for grads in noisy_gradients(model, x, target, samples=samples, noise=noise, seed=seed):
        total += grads.sum(0)
        squares += grads.square().sum(0)
    return (squares / samples - (total / samples).square()).clamp(min=0)


def baseline_like(x: Tensor, baseline: str | Tensor, seed: int = 0) -> Tensor:
    """Return the reference input that stands for "nothing there", shaped like x.

    Parameters
    ----------
    x : Tensor (N, C, ...)
    baseline : "zero", "mean" (each channel's own mean), "noise" (normal, each channel's own mean and standard
        deviation, seeded), or a tensor that broadcasts to x
    """
    if isinstance(baseline, Tensor):
        return baseline.to(x).expand_as(x)
    axes = tuple(range(2, x.ndim)) or (1,)
    if baseline == "zero":
        return torch.zeros_like(x)
    mean = x.mean(axes, keepdim=True)
    if baseline == "mean":
        return mean.expand_as(x)
    spread = (x - mean).square().mean(axes, keepdim=True).sqrt()
    return mean + spread * normal(x.shape[1:], torch.Generator().manual_seed(seed), x)


def linear_entry(model: nn.Module, x: Tensor, target: Tensor) -> tuple[Callable, Callable]:
    """Return the network's first layer and the network behind it: together they are the network.

    A convolution or dense layer maps a straight path of inputs to a straight path, so a path method may walk behind it
    and go through it once. Where the input does not enter through that layer alone (checked by comparing one gradient),
    the identity and the whole network are returned.
    """
    layer = first_weighted(model)

    def behind(z: Tensor) -> Tensor:
        with replaced(layer, z):
            return model(x[:1].expand(len(z), *x.shape[1:]))

    direct = gradient(model, x[:1], target[:1])
    try:
        inside = gradient(behind, layer(x[:1]), target[:1])
        agrees = torch.allclose(
            pull_back(layer, x[:1], inside), direct, rtol=1e-3, atol=1e-3 * float(direct.abs().max())
        )
    except RuntimeError:  # shapes do not fit, or the output does not depend on the layer
        agrees = False
    return (layer, behind) if agrees else (lambda z: z, model)


def pull_back(layer: Callable, x: Tensor, relevance: Tensor) -> Tensor:
    """Hand a gradient with respect to a layer's output on to its input x."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(layer(x), x, relevance)[0]


def integrated_gradients(model, x, target, *, steps, baseline, reselect_target=False, seed=0) -> Tensor:
    """Gradient averaged along the path from a baseline, times the difference (Sundararajan et al. 2017, eq. 1).

    The integral is the trapezoidal rule over ``steps`` points, both ends included. ``reselect_target`` explains the
    arg-max class of every point instead of one fixed class: a flaw of a published implementation, kept to be studied.
    """
    start = baseline_like(x, baseline, seed)
    entry, network = linear_entry(model, x, target)
    with torch.no_grad():
        first, last = entry(start), entry(x)
    alphas = torch.linspace(0, 1, steps, device=x.device)
    weights = [1 / (steps - 1)] * steps
    weights[0] = weights[-1] = weights[0] / 2
    total, done = torch.zeros_like(first), 0
    for count in track(chunks(steps, len(x)), steps):
        part = slice(done, done + count)
        path = torch.lerp(first, last, alphas[part].view(-1, *[1] * first.ndim)).flatten(0, 1)
        classes = target.repeat(count)
        if reselect_target:
            with torch.no_grad():
                classes = network(path).argmax(1)
        grads = gradient(network, path, classes).view(count, *first.shape)
        for grad, weight in zip(grads, weights[part], strict=True):
            total.add_(grad, alpha=weight)
        done += count
    return pull_back(entry, x, total) * (x - start)


def background_like(x: Tensor, background: str | Tensor, samples: int, seed: int) -> Tensor:
    """Return reference inputs that stand for the data, shape (K, N, C, ...): K for each sample of x.

    Parameters
    ----------
    x : Tensor (N, C, ...)
    background : "noise": normal, mean 0, with the standard deviation of each channel; "shifts": the sample itself under
        random circular shifts (the same contents elsewhere); or a tensor (K, C, ...) of real examples
    samples : K, where it is not a tensor
    """
    if isinstance(background, Tensor):
        if background.shape[1:] != x.shape[1:]:
            expected = ", ".join(map(str, x.shape[1:]))
            raise ValueError(f"background has shape {tuple(background.shape)}; expected (K, {expected}).")
        return background.to(x)[:, None].expand(-1, *x.shape)
    generator = torch.Generator().manual_seed(seed)
    axes = tuple(range(2, x.ndim)) or (1,)
    if background == "noise":
        draws = torch.stack([normal(x.shape[1:], generator, x) for _ in range(samples)])
        return draws[:, None] * x.std(axes, keepdim=True, unbiased=False)
    shifts = [[int(torch.randint(x.shape[axis], (), generator=generator)) for axis in axes] for _ in range(samples)]
    return torch.stack([x.roll(shift, axes) for shift in shifts])


def expected_gradients(model, x, target, *, samples, background, seed) -> Tensor:
    """Integrated gradients averaged over baselines drawn from a background, by Monte Carlo (Erion et al. 2021)."""
    reference = background_like(x, background, samples, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    alphas = torch.rand(samples, generator=generator).to(x)
    rows = torch.arange(samples) % len(reference)
    total, done = torch.zeros_like(x), 0
    for count in track(chunks(samples, len(x)), samples):
        part = slice(done, done + count)
        start = reference[rows[part].to(x.device)]
        difference = x - start
        alpha = alphas[part].view(-1, *[1] * x.ndim)
        path = start + alpha * difference
        total += (difference * gradient(model, path.flatten(0, 1), target.repeat(count)).view_as(path)).sum(0)
        done += count
    return total / samples


def _captum_deeplift(explainer, x, target, baselines) -> Tensor:
    with warnings.catch_warnings(), pools_by_difference(explainer.model):
        # Captum announces on every call that it sets hooks and removes them again.
        warnings.filterwarnings("ignore", message="Setting forward, backward hooks", category=UserWarning)
        x = x.detach().requires_grad_()
        return explainer.attribute(x, baselines=baselines, target=target).detach()


def deeplift(model, x, target, *, baseline, seed=0) -> Tensor:
    """DeepLIFT with the rescale rule (Shrikumar et al. 2017, section 3.5.2), by captum, with a max-pooling of ours."""
    refuse_unknown_classes(model, x, target)
    start = baseline_like(x, baseline, seed).contiguous()
    explainer = DeepLift(model)
    return in_chunks(lambda part: _captum_deeplift(explainer, x[part], target[part], start[part]), len(x))


def deepshap(model, x, target, *, samples, background, seed) -> Tensor:
    """DeepLIFT averaged over a background of baselines: approximate Shapley values (Lundberg & Lee 2017), by captum."""
    refuse_unknown_classes(model, x, target)
    reference = background_like(x, background, samples, seed)
    explainer = DeepLiftShap(model)

    def one(row: slice) -> Tensor:
        return _captum_deeplift(explainer, x[row], target[row], reference[:, row.start].contiguous())

    return in_chunks(one, len(x), size=1)


def guided_backprop(model, x, target) -> Tensor:
    """Gradient in which each ReLU passes only positive gradients at positive inputs (Springenberg et al. 2015)."""
    with rectifiers_only(model, lambda grad, forward: grad.clamp(min=0) * (forward > 0)):
        return gradient(model, x, target)


def deconvnet(model, x, target) -> Tensor:
    """Gradient in which each ReLU passes only positive gradients, whatever its input was (Zeiler & Fergus 2014)."""
    with rectifiers_only(model, lambda grad, forward: grad.clamp(min=0)):
        return gradient(model, x, target)
