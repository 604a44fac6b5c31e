"""Explorers: ipywidgets controls beside a picture that follows them. Built from the method registry."""

from ecgxai.explorers.ecg import ECGExplorer
from ecgxai.explorers.heart import HeartVector

__all__ = ["ECGExplorer", "HeartVector"]
