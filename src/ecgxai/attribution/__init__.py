"""Attribution: which part of the input a network's logit rests on. One function, one table of methods."""

from ecgxai.compat import ensure_torchvision

ensure_torchvision()  # zennit imports torchvision; see ecgxai.compat

from ecgxai.attribution.core import MethodWarning, attribute  # noqa: E402
from ecgxai.attribution.registry import METHODS, Method, Parameter, caveat  # noqa: E402

__all__ = ["METHODS", "Method", "MethodWarning", "Parameter", "attribute", "caveat"]
