"""The one look of all figures: sizes, colours, the relevance colour scale. No matplotlib default is changed."""

import re

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, to_rgb
from numpy.typing import ArrayLike

FONT = "DejaVu Sans"  # comes with matplotlib, so that a figure is the same on every machine
TITLE, LABEL, TEXT, SMALL = 10.0, 8.5, 7.5, 6.8  # text sizes in points at 5 pixels a millimetre
INK, GREY, TRUTH = "#000000", "#555555", "#1d6b52"

# Printed ECG paper is pink. Under a relevance map it turns warm grey, so that colour means relevance and nothing else.
PAPER_PLAIN = {"sheet": "#fffdfc", "fine": "#f9d8d6", "coarse": "#ec9f9c"}
PAPER_PALE = {"sheet": "#ffffff", "fine": "#ece7e4", "coarse": "#cfc7c2"}

# Vermilion for, blue against: the pair of Okabe and Ito (2008) that every common colour vision deficiency tells apart.
_NEGATIVE = ("#0a2f8f", "#2f7fe0")
_POSITIVE = ("#ff8a3d", "#c22f00")
POWER = 0.6  # relevance maps have few large and many small values; on a linear scale the eye would see the few alone


def _diverging(steps: int = 513) -> ListedColormap:
    """Return the scale from -1 to +1: transparent at zero, hue and opacity growing with ``|value| ** POWER``."""
    value = np.linspace(-1, 1, steps)
    strength = np.abs(value) ** POWER
    rgba = np.empty((steps, 4))
    for pale, deep, side in ((_NEGATIVE[1], _NEGATIVE[0], value < 0), (_POSITIVE[0], _POSITIVE[1], value >= 0)):
        rgba[side] = LinearSegmentedColormap.from_list("", [pale, deep])(strength[side])
    rgba[:, 3] = 0.9 * strength
    return ListedColormap(rgba, name="leadwise")


RELEVANCE = _diverging()


def relevance_rgba(values: ArrayLike, over: str | None = None) -> np.ndarray:
    """Return the colours of normalised relevance.

    Parameters
    ----------
    values : array of any shape, from -1 (evidence against) over 0 (transparent) to +1 (evidence for).
        Strength grows with ``|value| ** POWER``, which the colour bar of every figure shows.
    over : a colour to paint on, which makes the result opaque; None keeps the transparency

    Returns
    -------
    ndarray (..., 4), floats in 0..1
    """
    rgba = np.array(RELEVANCE((np.asarray(values, dtype=float) + 1) / 2))
    if over is not None:
        alpha = rgba[..., 3:]
        rgba[..., :3] = rgba[..., :3] * alpha + np.asarray(to_rgb(over)) * (1 - alpha)
        rgba[..., 3] = 1
    return rgba


# What XML forbids, so that no SVG would open, and halves of characters, which no file can hold but its name may.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def printable(text: object) -> str:
    """Return text with a replacement character for every character that no page can show.

    >>> printable("a\\ud800b")
    'a\ufffdb'
    """
    return _UNPRINTABLE.sub("\ufffd", str(text))


def number(value: float) -> str:
    """Return three significant digits with a true minus sign: 0.0123, −4.5, 2580, 1.2e−05."""
    short = f"{value + 0:.3g}"  # + 0: no minus before a zero
    return (f"{float(short):.0f}" if 1000 <= abs(float(short)) < 1e6 else short).replace("-", "−")


def percent(fraction: float) -> str:
    """Return a fraction as whole per cent: 12 %."""
    return f"{round(100 * fraction) + 0:d} %".replace("-", "−")


def signed_percent(fraction: float) -> str:
    """Return a fraction as whole per cent with its sign: +12 %, −3 %, 0 %."""
    return percent(fraction) if abs(fraction) < 0.005 or fraction < 0 else f"+{percent(fraction)}"
