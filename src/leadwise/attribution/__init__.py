"""Attribution: which part of the input a network's logit rests on. One function, one table of methods."""

from leadwise.attribution.core import MethodWarning, attribute
from leadwise.attribution.layerwise import Shares, relevance_by_layer, share_out
from leadwise.attribution.registry import METHODS, Method, Parameter, caveat

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
