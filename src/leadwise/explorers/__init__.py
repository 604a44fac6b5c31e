"""Explorers: ipywidgets controls beside a picture that follows them. Built from the method registry."""

import gc

from leadwise.explorers.canvas import ECGCanvas
from leadwise.explorers.ecg import ECGExplorer
from leadwise.explorers.heart import HeartVector
from leadwise.explorers.images import ImageExplorer
from leadwise.explorers.map_canvas import MapCanvas
from leadwise.explorers.method_grid import MethodGrid
from leadwise.explorers.network import NetworkExplorer
from leadwise.explorers.network_ecg import ECGNetworkExplorer
from leadwise.explorers.own_ecg import OwnECG
from leadwise.explorers.rule_lab import RuleLab

__all__ = [
    "ECGCanvas",
    "ECGExplorer",
    "ECGNetworkExplorer",
    "HeartVector",
    "ImageExplorer",
    "MapCanvas",
    "MethodGrid",
    "NetworkExplorer",
    "OwnECG",
    "RuleLab",
]

# A figure leaves thousands of objects for the garbage collector, which then walks through all that torch and matplotlib
# have loaded: 0.4 s, while a slider moves. What is loaded by now stays loaded, so it need not be looked at again.
gc.collect()
gc.freeze()
