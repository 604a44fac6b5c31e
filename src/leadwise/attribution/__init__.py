"""Attribution: which part of the input a network's score rests on. One function, one table of methods."""

from leadwise.attribution.core import MethodWarning, attribute, caveat, receipt
from leadwise.attribution.layerwise import Shares, relevance_by_layer, share_out
from leadwise.attribution.operations import NoRuleError
from leadwise.attribution.receipt import Receipt
from leadwise.attribution.registry import METHODS, Method, Parameter

__all__ = [
    "METHODS",
    "Method",
    "MethodWarning",
    "NoRuleError",
    "Parameter",
    "Receipt",
    "Shares",
    "attribute",
    "caveat",
    "receipt",
    "relevance_by_layer",
    "share_out",
]
