"""Pictures: ECGs on paper, relevance on ECGs, comparison grids, tables."""

from leadwise.plotting.benchmark import plot_ground_truth
from leadwise.plotting.cohort import plot_forest
from leadwise.plotting.curves import plot_curves
from leadwise.plotting.grid import plot_grid
from leadwise.plotting.heart import plot_heartbeat
from leadwise.plotting.images import plot_image, plot_image_grid
from leadwise.plotting.paper import plot_ecg
from leadwise.plotting.relevance import pool_signed_max
from leadwise.plotting.save import save_figure
from leadwise.plotting.style import number, percent, relevance_rgba, signed_percent
from leadwise.plotting.tables import plot_lead_bars, plot_matrix
from leadwise.plotting.tiles import plot_tiles

__all__ = [
    "number",
    "percent",
    "plot_curves",
    "plot_ecg",
    "plot_forest",
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
