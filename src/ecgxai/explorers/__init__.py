"""Explorers: ipywidgets controls beside a picture that follows them. Built from the method registry."""

from ecgxai.explorers.ecg import ECGExplorer

__all__ = ["ECGExplorer"]
