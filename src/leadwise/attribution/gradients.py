"""Methods that read the gradient of the explained score.

Every function takes ``question`` (what is explained, of which network) and ``x`` (N, ...), and returns relevance shaped
like x.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from leadwise.attribution.deeplift import deeplift_against
from leadwise.attribution.operations import KINDS, Call, Context, Explained, Kept, Lowered, NoRuleError, signal
from leadwise.attribution.question import Question, gradient_of, slope_of, tell
from leadwise.progress import chunks, in_chunks, track


def normal(shape: Sequence[int], generator: torch.Generator, like: Tensor) -> Tensor:
    """Draw standard normal numbers on the CPU, so that every device gets the same ones."""
    return torch.randn(shape, generator=generator).to(like)


def gradient(question: Question, x: Tensor, mode: Lowered | None = None) -> Tensor:
    """Gradient of the explained score with respect to the input (Simonyan et al. 2014, section 3)."""
    return score_and_gradient(question, x, mode)[1]


def score_and_gradient(question: Question, x: Tensor, mode: Lowered | None = None) -> tuple[Tensor, Tensor]:
    """Return the scores (N,) and their gradient, shaped like x."""
    x = x.detach().requires_grad_()
    score = question.scores(mode.enter(x) if isinstance(mode, Explained) else x * 1, mode)
    return score.detach(), slope_of(score, x)


def noisy_gradients(question: Question, x: Tensor, *, samples: int, noise: float, seed: int) -> Iterator[Tensor]:
    """Yield gradients (K, N, C, ...) at noisy copies, in chunks; the noise is a fraction of each sample's range.

    The samples of a batch share the draws, so that a sample's map does not depend on its neighbours.
    """
    generator = torch.Generator().manual_seed(seed)
    spread = noise * (x.flatten(1).amax(1) - x.flatten(1).amin(1)).view(-1, *[1] * (x.ndim - 1))
    for count in track(chunks(samples, len(x)), samples):
        draws = torch.stack([normal(x.shape[1:], generator, x) for _ in range(count)])
        copies = x + draws[:, None] * spread
        yield gradient(question.repeated(count), copies.flatten(0, 1)).view_as(copies)


def smoothgrad(question: Question, x: Tensor, *, samples: int, noise: float, seed: int) -> Tensor:
    """Mean gradient over noisy copies of the input (Smilkov et al. 2017, section 3.1)."""
    halves = Halves(x, samples)
    for grads in noisy_gradients(question, x, samples=samples, noise=noise, seed=seed):
        halves.add(grads)
    return halves.mean()


def vargrad(question: Question, x: Tensor, *, samples: int, noise: float, seed: int) -> Tensor:
    """Variance of the gradient over noisy copies of the input (Adebayo et al. 2018)."""
    total, squares = torch.zeros_like(x), torch.zeros_like(x)
    for grads in noisy_gradients(question, x, samples=samples, noise=noise, seed=seed):
        total += grads.sum(0)
        squares += grads.square().sum(0)
    return (squares / samples - (total / samples).square()).clamp(min=0)


class Halves:
    """A mean over samples, and that of its first half: how far the two halves agree says how good the mean is."""

    def __init__(self, like: Tensor, samples: int):
        self.first, self.total = torch.zeros_like(like), torch.zeros_like(like)
        self.samples, self.done = samples, 0

    def add(self, values: Tensor) -> None:
        """Add values (K, N, ...) of K samples."""
        self.total += values.sum(0)
        mine = max(0, min(len(values), self.samples // 2 - self.done))
        self.first += values[:mine].sum(0)
        self.done += len(values)

    def mean(self) -> Tensor:
        """Return the mean, and tell how far the halves agree: their correlation, per sample."""
        half = self.samples // 2
        if half:
            tell("halves", correlations(self.first / half, (self.total - self.first) / (self.samples - half)))
        return self.total / self.samples


def correlations(a: Tensor, b: Tensor) -> Tensor:
    """Return the correlation of two maps (N, ...) for each sample, (N,); NaN where a map is constant."""
    a, b = (t.flatten(1).double() - t.flatten(1).double().mean(1, keepdim=True) for t in (a, b))
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))


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


class Entrance(Explained):
    """Finds the one linear operation through which the input enters a network, if there is one.

    Parameters
    ----------
    question : whose network is meant
    given : what that operation gives, whatever comes in
    stop : whether the pass ends there
    """

    def __init__(self, question: Question, given: Tensor | None = None, stop: bool = False):
        super().__init__(question.network, "the search for the first layer")
        self.given, self.stop, self.entries, self.others = given, stop, 0, 0

    def operate(self, name: str, func: Callable, args: tuple, kwargs: dict) -> Any:
        """Run one operation; behind what is given, nothing has to be known of tensors."""
        if self.given is not None and self.entries:
            return Lowered.operate(self, name, func, args, kwargs)
        return super().operate(name, func, args, kwargs)

    def conv(self, call: Call) -> Any:
        """Run a linear operation; behind the entrance it runs as any other."""
        x = call.args[0] if call.args else call.kwargs["input"]
        if not (self.carries(x) and signal(x).first):
            return super().conv(call)
        self.entries += 1
        out = super().conv(call) if self.given is None else self.given.clone()  # an in-place operation may follow
        if self.stop:
            raise Entered(out)
        return out

    dense = conv

    def follow(self, out: Any, call: Call, signals: list[Tensor]) -> None:
        """Count what else the input goes into."""
        known = [signal(t) for t in signals]
        kind = KINDS.get(call.name, "unknown")
        self.others += kind not in ("structural", "conv", "dense") and any(s.first for s in known)
        super().follow(out, call, signals)


class Entered(Exception):
    """Ends a pass at the entrance, with what the operation there gave."""


def linear_entry(question: Question, x: Tensor) -> tuple[Callable, Callable] | None:
    """Return the linear operation through which the input enters a network, and the network behind it.

    A linear operation maps a straight path of inputs to a straight path, so a path method may walk behind it and go
    through it once. None where the input enters in more than one way, or where that can't be seen.
    """

    def entry(z: Tensor) -> Tensor:
        mode = Entrance(question, stop=True)
        try:
            question.network.run(mode.enter(z), mode)
        except Entered as entered:
            return entered.args[0]
        raise NoRuleError("the input does not enter the network")

    def behind(asked: Question, z: Tensor) -> Tensor:
        mode = Entrance(question, given=z)
        nothing = torch.zeros((len(z), *x.shape[1:]), dtype=x.dtype, device=x.device, requires_grad=True)
        return asked.scores(mode.enter(nothing), mode)

    one, mode = question.of(slice(0, 1)), Entrance(question)
    try:
        score = one.scores(mode.enter(x[:1].detach().requires_grad_()), mode)
        if mode.entries != 1 or mode.others:
            return None
        again = behind(one, entry(x[:1].detach().requires_grad_()).detach().requires_grad_())
    except NoRuleError:
        return None
    return (entry, behind) if torch.allclose(score, again, rtol=1e-3, atol=1e-5) else None


def pull_back(entry: Callable, x: Tensor, relevance: Tensor) -> Tensor:
    """Hand a gradient with respect to an operation's output on to its input x."""
    x = x.detach().requires_grad_()
    return gradient_of(entry(x), x, relevance)


def integrated_gradients(
    question: Question, x: Tensor, *, steps: int, baseline: str | Tensor, reselect_target: bool = False, seed: int = 0
) -> Tensor:
    """Gradient averaged along the path from a baseline, times the difference (Sundararajan et al. 2017, eq. 1).

    The integral is the trapezoidal rule over ``steps`` points, both ends included. ``reselect_target`` explains the
    arg-max class of every point instead of one fixed class: a flaw of a published implementation, kept to be studied.
    """
    start = baseline_like(x, baseline, seed)
    entry, behind = (not reselect_target and linear_entry(question, x)) or (lambda z: z * 1, lambda q, z: q.scores(z))
    first, last = entry(start).detach(), entry(x).detach()
    alphas = torch.linspace(0, 1, steps, dtype=x.dtype, device=x.device)
    weights = [1 / (steps - 1)] * steps
    weights[0] = weights[-1] = weights[0] / 2
    total, done, scores = torch.zeros_like(first), 0, []
    for count in track(chunks(steps, len(x)), steps):
        part = slice(done, done + count)
        path = torch.lerp(first, last, alphas[part].view(-1, *[1] * first.ndim)).flatten(0, 1).requires_grad_()
        asked = question.repeated(count)
        if reselect_target:
            asked = replace(asked, target=best_classes(question, path))
        score = behind(asked, path)
        grads = slope_of(score, path).view(count, *first.shape)
        for grad, weight in zip(grads, weights[part], strict=True):
            total.add_(grad, alpha=weight)
        scores.append(score.detach().view(count, len(x)))
        done += count
    relevance = pull_back(entry, x, total) * (x - start)
    if not reselect_target:
        tell("difference", scores[-1][-1] - scores[0][0])
        tell("summed", relevance.flatten(1).sum(1))
    return relevance


def best_classes(question: Question, x: Tensor) -> Tensor:
    """Return the class of the largest logit for each sample, (N,)."""
    with torch.no_grad():
        return question.network.logits(x).argmax(1)


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


def expected_gradients(question: Question, x: Tensor, *, samples: int, background: str | Tensor, seed: int) -> Tensor:
    """Integrated gradients averaged over baselines drawn from a background, by Monte Carlo (Erion et al. 2021)."""
    reference = background_like(x, background, samples, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    alphas = torch.rand(samples, generator=generator).to(x)
    rows = torch.arange(samples) % len(reference)
    halves, done = Halves(x, samples), 0
    for count in track(chunks(samples, len(x)), samples):
        part = slice(done, done + count)
        start = reference[rows[part].to(x.device)]
        difference = x - start
        alpha = alphas[part].view(-1, *[1] * x.ndim)
        path = start + alpha * difference
        halves.add(difference * gradient(question.repeated(count), path.flatten(0, 1)).view_as(path))
        done += count
    return halves.mean()


def deeplift(question: Question, x: Tensor, *, baseline: str | Tensor, seed: int = 0) -> Tensor:
    """DeepLIFT with the rescale rule (Shrikumar et al. 2017, section 3.5.2)."""
    start = baseline_like(x, baseline, seed)
    return in_chunks(lambda rows: deeplift_against(question.of(rows), x[rows], start[rows]), len(x))


def deepshap(question: Question, x: Tensor, *, samples: int, background: str | Tensor, seed: int) -> Tensor:
    """DeepLIFT averaged over a background of baselines: approximate Shapley values (Lundberg & Lee 2017)."""
    reference = background_like(x, background, samples, seed)
    halves = Halves(x, len(reference))
    done = 0
    for count in track(chunks(len(reference), len(x)), len(reference)):
        start = reference[done : done + count].flatten(0, 1)
        copies = x.expand(count, *x.shape).flatten(0, 1)
        halves.add(deeplift_against(question.repeated(count), copies, start).view(count, *x.shape))
        done += count
    return halves.mean()


class Rectified(Explained):
    """A forward pass in which every ReLU, whoever calls it, hands back what a rule makes of the gradient."""

    def __init__(self, question: Question, rule: Callable[[Tensor, Tensor], Tensor]):
        super().__init__(question.network, "guided backpropagation")
        self.rule, self.count = rule, 0

    def pointwise(self, call: Call) -> Any:
        """Replace ReLUs; other activations keep their gradient."""
        values = dict(zip(("input", "min", "max"), call.args, strict=False)) | call.kwargs
        floor, ceiling = values.get("min"), values.get("max")
        at_zero = call.name in ("clamp", "clip", "clamp_min") and isinstance(floor, (int, float)) and floor == 0
        if call.name != "relu" and not (at_zero and ceiling is None):
            return super().pointwise(call)
        self.count += 1
        return Rectifier.apply(values["input"], self.rule)


class Rectifier(torch.autograd.Function):
    """A ReLU with another backward pass."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, rule: Callable[[Tensor, Tensor], Tensor]):
        ctx.kept, ctx.rule = Kept(x), rule
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Context, grad: Tensor):
        return ctx.rule(grad, *ctx.kept), None


def _rectified(question: Question, x: Tensor, rule: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    mode = Rectified(question, rule)
    found = gradient(question, x, mode)
    tell("rectifiers", mode.count)
    return found


def guided_backprop(question: Question, x: Tensor) -> Tensor:
    """Gradient in which each ReLU passes only positive gradients at positive inputs (Springenberg et al. 2015)."""
    return _rectified(question, x, lambda grad, forward: grad.clamp(min=0) * (forward > 0))


def deconvnet(question: Question, x: Tensor) -> Tensor:
    """Gradient in which each ReLU passes only positive gradients, whatever its input was (Zeiler & Fergus 2014)."""
    return _rectified(question, x, lambda grad, forward: grad.clamp(min=0))
