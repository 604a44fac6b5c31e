"""What is explained: a score of a network, one for each sample. And what a method finds out about its own map."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from leadwise.attribution.operations import Explained, Lowered, NoRuleError, handed_back
from leadwise.networks.network import Network

EXPLAIN = ("logit", "log-odds")

_findings: ContextVar[dict | None] = ContextVar("findings", default=None)


@contextmanager
def findings() -> Iterator[dict]:
    """Collect what methods say about their maps while the block runs."""
    found: dict = {}
    token = _findings.set(found)
    try:
        yield found
    finally:
        _findings.reset(token)


def tell(name: str, value: object) -> None:
    """Say something about the map in the making; what is said of several chunks is joined."""
    found = _findings.get()
    if found is not None:
        found.setdefault(name, []).append(value)


def gradient_of(score: Tensor, x: Tensor, start: Tensor | None = None) -> Tensor | None:
    """Return what the backward pass hands to x; None where nothing leads there.

    Raises
    ------
    NoRuleError : the network computes parts of itself again on the way back, where its operations can't be seen
    """
    try:
        if start is not None:
            return handed_back(score, x, start)
        return torch.autograd.grad(score, x, allow_unused=True)[0]
    except RuntimeError as error:
        if "checkpoint" in str(error):
            raise NoRuleError(
                "the network uses torch.utils.checkpoint, which computes a part again on the way back, where "
                "operations can't be seen. Switch checkpoints off for the explanation."
            ) from error
        raise


NOTHING = "the network's output does not depend on its input: there is nothing to explain."


def slope_of(scores: Tensor, x: Tensor) -> Tensor:
    """Return the gradient of scores (N,) with respect to x; a ValueError where they do not depend on it."""
    found = gradient_of(scores.sum(), x) if scores.requires_grad else None
    if found is None:
        raise ValueError(NOTHING)
    return found


def pick(logits: Tensor, target: Tensor) -> Tensor:
    """Return logits (N, K) of the target classes, shape (N,).

    Raises
    ------
    ValueError : the network has no such class
    """
    if target.min() < 0 or target.max() >= logits.shape[1]:
        raise ValueError(f"target is {target.tolist()}; this network has classes 0 to {logits.shape[1] - 1}.")
    return logits.gather(1, target[:, None]).squeeze(1)


@dataclass(frozen=True, eq=False)
class Question:
    """A score of each sample: the logit of its target class, or the log-odds of that class.

    Parameters
    ----------
    network : who is asked
    target : Tensor (N,), class indices
    explain : "logit", or "log-odds": for two logits their difference, for K classes that exclude each other
        f_c - logsumexp of the others, for independent labels the logit
    """

    network: Network
    target: Tensor
    explain: str = "logit"

    def of(self, rows: slice | Tensor) -> "Question":
        """Return the question for some of the samples."""
        return replace(self, target=self.target[rows])

    def repeated(self, count: int) -> "Question":
        """Return the question for ``count`` copies of the batch."""
        return replace(self, target=self.target.repeat(count))

    def score(self, logits: Tensor, ends_in: str | None = None) -> Tensor:
        """Return the explained score (N,) of logits (N, K)."""
        logit, count = pick(logits, self.target), logits.shape[1]
        if self.explain == "logit" or self.network.meaning(count, ends_in) == "labels":
            return logit
        if count == 2:
            return logit - pick(logits, 1 - self.target)
        others = torch.arange(count, device=logits.device) != self.target[:, None]
        return logit - logits[others].view(len(logits), count - 1).logsumexp(1)

    def scores(self, x: Tensor, mode: Lowered | None = None, prepare: Callable | None = None) -> Tensor:
        """Run the network on x and return the score of each sample, (N,)."""
        logits, ends_in = self.logits(x, mode, prepare)
        if isinstance(mode, Explained):
            mode.carries(logits)  # refuses what can't be seen
        return self.score(logits, ends_in)

    def logits(self, x: Tensor, mode: Lowered | None = None, prepare: Callable | None = None) -> tuple:
        """Run the network on x; return its logits (N, K) and what it ends in."""
        logits, ends_in = self.network.run(x, mode or Lowered(self.network.module), prepare)
        if ends_in:
            tell("ends in", ends_in)
        return logits, ends_in
