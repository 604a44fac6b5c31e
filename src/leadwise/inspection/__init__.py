"""Look inside a network: filters, feature maps, receptive fields, best classes, and the inputs that a unit likes."""

from leadwise.inspection.layers import Layer, feature_maps, first_layer_filters, layer_table, receptive_field, top_k
from leadwise.inspection.synthesis import CHUNK, Synthesis, maximise_activation

__all__ = [
    "CHUNK",
    "Layer",
    "Synthesis",
    "feature_maps",
    "first_layer_filters",
    "layer_table",
    "maximise_activation",
    "receptive_field",
    "top_k",
]
