"""Pictures: ECGs on paper, relevance on ECGs, comparison grids, tables."""

from ecgxai.plotting.benchmark import plot_ground_truth
from ecgxai.plotting.grid import plot_grid
from ecgxai.plotting.heart import plot_heartbeat
from ecgxai.plotting.images import plot_image, plot_image_grid
from ecgxai.plotting.paper import plot_ecg
from ecgxai.plotting.relevance import pool_signed_max
from ecgxai.plotting.save import save_figure
from ecgxai.plotting.style import number, percent, relevance_rgba, signed_percent
from ecgxai.plotting.tables import plot_lead_bars, plot_matrix
from ecgxai.plotting.tiles import plot_tiles

__all__ = [
    "number",
    "percent",
    "plot_ecg",
    "plot_grid",
    "plot_ground_truth",
    "plot_heartbeat",
    "plot_image",
    "plot_image_grid",
    "plot_lead_bars",
    "plot_matrix",
    "plot_tiles",
    "pool_signed_max",
    "relevance_rgba",
    "save_figure",
    "signed_percent",
]
