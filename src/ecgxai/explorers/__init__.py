"""Explorers: ipywidgets controls beside a picture that follows them. Built from the method registry."""

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
