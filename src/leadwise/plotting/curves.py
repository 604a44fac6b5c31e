"""Curves of deletion and insertion beside each other, the best on top of the legend."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from leadwise.plotting.sheet import CourseFigure, name_our_drawing_to_ipython
from leadwise.plotting.style import FONT, GREY, LABEL, TEXT, TITLE, number, printable

WIDTH, HEIGHT, DPI = 8.0, 3.3, 127.0  # inches, and pixels an inch: those of a sheet of paper
# Okabe and Ito (2008), without black, which is the random order's, and without yellow, too pale on white.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f5f3f")


class Measured(Protocol):
    """What is drawn of an ``evaluation.Curve``: evaluation stands above plotting, which knows no more of it."""

    fractions: np.ndarray
    order: str
    score: str
    kind: str

    @property
    def mean(self) -> np.ndarray:
        """Mean curve."""

    @property
    def auc(self) -> np.ndarray:
        """Area under each curve."""

    @property
    def area(self) -> Any:
        """Their mean: value, low and high."""


def plot_curves(curves: Mapping[str, Measured], *, title: str | None = None, label: str = "") -> CourseFigure:
    """Draw what a network says while its input is taken away, one line a curve; a random order is dashed and black.

    The legend names the curves by their area, the lowest first, with Student's 95 % interval over the samples: what
    was measured on the same samples is compared by ``evaluation.paired_differences``, not by these.

    Parameters
    ----------
    curves : name -> what ``evaluation.deletion``, ``insertion`` or ``road`` returned; at most seven beside
        random orders
    title : heading
    label : what is exchanged, for the axis: "replaced by the mean colour"

    Raises
    ------
    ValueError : no curves, or more than there are colours

    Examples
    --------
    >>> from leadwise.evaluation import deletion
    >>> x = torch.arange(24.0).view(2, 12, 1).expand(2, 12, 100)
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(1200, 2, bias=False))
    >>> _ = nn.init.ones_(network[1].weight)
    >>> curve = deletion(network, x, x, 1, steps=4, progress=False)
    >>> plot_curves({"gradient × input": curve}).alt
    'Deletion: area under the mean curve: gradient × input 5780.'
    """
    named = [name for name, curve in curves.items() if curve.order != "random"]
    if not curves or len(named) > len(COLOURS):
        raise ValueError(f"got {len(curves)} curves; expected 1 to {len(COLOURS)} beside random orders.")
    colours = dict(zip(named, COLOURS, strict=False))
    order = sorted(curves, key=lambda name: curves[name].auc.mean())
    first = curves[order[0]]
    name_our_drawing_to_ipython()
    figure = CourseFigure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white", layout="constrained")
    axes = figure.subplots()
    for name in order:
        curve = curves[name]
        look = {"color": colours[name], "linewidth": 1.8} if name in colours else {"color": "black", "linestyle": "--"}
        axes.plot(curve.fractions, curve.mean, label=f"{name}: {_area(curve)}", **look)
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    axes.set_xlabel(f"share {label}".strip() if label else "share exchanged", fontsize=LABEL, family=FONT)
    axes.set_ylabel(f"{first.score} of the class, mean", fontsize=LABEL, family=FONT)
    axes.tick_params(labelsize=TEXT, colors=GREY)
    axes.spines[["top", "right"]].set_visible(False)
    if title:
        axes.set_title(printable(title), fontsize=TITLE, family=FONT, weight="bold", loc="left")
    axes.legend(title="area under the curve", title_fontsize=TEXT, fontsize=TEXT, frameon=False, loc="upper left",
                bbox_to_anchor=(1.01, 1.02), alignment="left")  # fmt: skip
    areas = ", ".join(f"{name} {number(curves[name].auc.mean())}" for name in order)
    figure.alt = f"{title or first.kind.capitalize()}: area under the mean curve: {areas}."
    return figure


def _area(curve: Measured) -> str:
    """Write the area with Student's interval, where several samples make one."""
    found = curve.area
    return f"{found.value:.2f}" + (f" [{found.low:.2f}, {found.high:.2f}]" if len(curve.auc) > 1 else "")
