"""Attribution: which part of the input a network's logit rests on. One function, one table of methods."""

from ecgxai.attribution.core import MethodWarning, attribute
from ecgxai.attribution.layerwise import Shares, relevance_by_layer, share_out
from ecgxai.attribution.registry import METHODS, Method, Parameter, caveat

__all__ = [
    "METHODS",
    "Method",
    "MethodWarning",
    "Parameter",
    "Shares",
    "attribute",
    "caveat",
    "relevance_by_layer",
    "share_out",
]
