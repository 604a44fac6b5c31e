"""Explorers: ipywidgets controls beside a picture that follows them. Built from the method registry."""

import gc

from ecgxai.explorers.canvas import ECGCanvas
from ecgxai.explorers.ecg import ECGExplorer
from ecgxai.explorers.heart import HeartVector
from ecgxai.explorers.images import ImageExplorer
from ecgxai.explorers.map_canvas import MapCanvas
from ecgxai.explorers.method_grid import MethodGrid
from ecgxai.explorers.network import NetworkExplorer
from ecgxai.explorers.own_ecg import OwnECG
from ecgxai.explorers.rule_lab import RuleLab

__all__ = [
    "ECGCanvas",
    "ECGExplorer",
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
