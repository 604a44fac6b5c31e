"""How good a map is: what each method can say about its own, and when that is worth a warning."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from leadwise.attribution.registry import Method

COMPLETENESS = 0.02
"""A complete map that misses the change of the score by more than this share is warned of."""

AGREEMENT = 0.5
"""A sampled map whose two halves correlate less than this is warned of: it is mostly noise."""

CREATED = 100
"""A map of LRP whose sum exceeds the explained score, and 1, so many times is warned of; so is a complete map whose
magnitudes exceed the change of the score."""

SMALL = 0.05
"""Scores that change by less than this are compared in logits, not in shares of the change."""


@dataclass(frozen=True, eq=False)
class Receipt:
    """A map and how good it is.

    Parameters
    ----------
    relevance : Tensor shaped like the input
    method : title of the method
    completeness : largest share of the change of the score that the map's sum misses (integrated gradients, DeepLIFT,
        KernelSHAP); None for other methods
    cancelling : how many times larger the map's magnitudes are than the change, or 1, that they sum to, for the same
        methods, the worst of the batch; beyond 100 they cancel, and say little by themselves
    agreement : correlation of the maps of two halves of the samples, the lowest of the batch; None where nothing is
        drawn. The whole map is better than either half
    explained : Tensor (N,), the explained score, for LRP; None for other methods
    conserved : Tensor (N,), the sum of the map, for LRP
    bias, absorbed : what biases keep of the batch's scores, and what epsilon or a stabiliser absorbs (negative: what a
        rule creates), for LRP: explained = conserved + bias + absorbed, summed over the batch
    ends_in : "labels" (sigmoid) or "classes" (softmax) where the network ends in one, whose input is explained
    caveat : why the method degenerates on this network, or None
    """

    relevance: Tensor
    method: str
    completeness: float | None = None
    cancelling: float | None = None
    agreement: float | None = None
    explained: Tensor | None = None
    conserved: Tensor | None = None
    bias: float | None = None
    absorbed: float | None = None
    ends_in: str | None = None
    caveat: str | None = None

    @classmethod
    def of(cls, row: Method, relevance: Tensor, told: Mapping) -> "Receipt":
        """Make the receipt of what a method told."""
        joined = {key: torch.cat(told[key]).detach().cpu() for key in ("explained", "conserved") if key in told}
        return cls(
            relevance, row.title, completeness(told), cancelling(told), agreement(told),
            joined.get("explained"), joined.get("conserved"), told.get("bias"), told.get("absorbed"),
            told.get("ends in", [None])[0], caveat_of(row, told),
        )  # fmt: skip

    @property
    def sentence(self) -> str:
        """The receipt in words."""
        if self.completeness is not None:
            what = f"the map sums to the change of the score within {100 * self.completeness:.1f} %"
            what += f", by parts {self.cancelling:.0f} times as large that cancel" * (self.cancelling > CREATED)
        elif self.explained is not None and not float(self.explained.sum()):
            what = "the explained score is 0, of which nothing has a share"
        elif self.explained is not None:
            shares = [
                f"{100 * float(value) / float(self.explained.sum()):.1f} % {where}"
                for value, where in (
                    (self.conserved.sum(), "reach the input"),
                    (self.bias, "stay with biases"),
                    (self.absorbed, "are absorbed"),
                )
            ]
            what = f"of the explained score, {', '.join(shares)}"
        else:
            what = "its sum has no meaning that could be checked"
        if self.agreement is not None:
            what += f"; maps of two halves of the samples correlate {self.agreement:.2f}"
        return f"{self.method}: {what}."


def caveat_of(row: Method, told: Mapping) -> str | None:
    """Return why a method degenerates on the network that told this, or None."""
    return row.caveat(told) if row.caveat else None


def completeness(told: Mapping) -> float | None:
    """Return the largest relative miss of a map that should sum to a change of the score."""
    if "difference" not in told:
        return None
    wanted, found = (torch.cat([v.double() for v in told[key]]) for key in ("difference", "summed"))
    return float(((found - wanted).abs() / wanted.abs().clamp(min=SMALL)).max())


def cancelling(told: Mapping) -> float | None:
    """Return how many times larger the magnitudes of a map are than the change of the score, or 1, that they sum to.

    A method that asks several references tells a change for each, the samples of a batch in turn; its map sums to their
    mean.
    """
    if "difference" not in told:
        return None
    magnitude = told["magnitude"].double().cpu()
    change = torch.cat(told["difference"]).double().cpu().view(-1, len(magnitude)).mean(0).abs().clamp(min=1)
    return float((magnitude / change).max())


def agreement(told: Mapping) -> float | None:
    """Return the lowest correlation of two halves of the samples."""
    if "halves" not in told:
        return None
    found = torch.cat(told["halves"])
    return float(found.min()) if found.isfinite().all() else math.nan


def conservation(told: Mapping) -> float | None:
    """Return the sum of LRP's map as a share of the explained score, that of the worst sample."""
    if "conserved" not in told:
        return None
    found, wanted = (torch.cat(told[key]).double() for key in ("conserved", "explained"))
    shares = (found / wanted)[wanted.abs() > SMALL].tolist()
    return max(shares, key=lambda share: abs(share - 1), default=None)


def largest_sum(told: Mapping) -> float:
    """Return the largest sum of LRP's map, in multiples of the explained score or of 1 where that is larger."""
    found, wanted = (torch.cat(told[key]).double() for key in ("conserved", "explained"))
    return float((found.abs() / wanted.abs().clamp(min=1)).max())


def complaints(row: Method, told: Mapping) -> Iterator[str]:
    """Yield what is worth a warning."""
    reason = caveat_of(row, told)
    if reason:
        yield f"{row.title}: {reason}."
    if not told["finite"]:
        yield f"{row.title}: the map is not finite; numbers overflowed on the way. Scale the input, or use float64."
    miss, halves = completeness(told), agreement(told)
    if miss is not None and not miss <= COMPLETENESS:
        yield (
            f"{row.title}: the map's sum misses the change of the score by {100 * miss:.0f} %. "
            "More steps or samples, or another baseline, bring it closer."
        )
    if miss is not None and (times := cancelling(told)) > CREATED:
        yield (
            f"{row.title}: the map's parts are {times:.0f} times as large as the change of the score that "
            "they sum to: they cancel, and say little by themselves. Try another baseline, or integrated_gradients."
        )
    if halves is not None and not halves >= AGREEMENT:
        yield (
            f"{row.title}: maps of two halves of its samples correlate {halves:.2f} only; it is mostly noise. "
            "Take more samples, or fewer features (longer segments)."
        )
    share = conservation(told)
    for name in set(told.get("recurrent", [])):
        rest = (
            "" if share is None else f" {100 * share:.0f} % of the score reach the input, the rest stays with biases."
        )
        yield (
            f"{row.title}: the network has a recurrent layer ({name}), whose gates are held constant "
            f"(Arras et al. 2017).{rest}"
        )
    if share is not None and not abs(share) <= CREATED and largest_sum(told) > CREATED:
        yield (
            f"{row.title}: the map sums to {share:.0f} times the explained score. A denominator is close to zero on "
            "the way; a larger epsilon or a smaller gamma steadies it."
        )
    if any(told.get("empty", [])):
        yield f"{row.title}: the map is empty; nothing in the layer speaks for the explained score."
    for kind in set(told.get("ends in", [])):
        end = {"labels": "a sigmoid", "classes": "a softmax"}[kind]
        yield f"{row.title}: the network ends in {end}; what is explained is the logit before it."
