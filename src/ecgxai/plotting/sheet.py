"""Figures without pyplot, and sheets of paper measured in millimetres."""

import re
import sys
from functools import cache
from io import BytesIO
from math import ceil

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from PIL import Image

from ecgxai.plotting.style import FONT, INK, TEXT

EDGE = 2.0  # white margin left and right of the paper, mm
PIXELS_PER_MM = 5  # 127 dpi: grid lines fall on whole pixels, and a sheet of two times 4 s is 1,120 pixels wide
NOTEBOOK = 1150  # pixels; a sheet much wider than that gets fewer pixels a millimetre


class CourseFigure(Figure):
    """A matplotlib figure that shows itself in a notebook, once, and is known to nobody else.

    It is made without pyplot: nothing keeps it alive, nothing draws it a second time. ``alt`` describes it in words
    for those who cannot see it; nbconvert takes it into the page.
    """

    alt = ""

    def _repr_png_(self):
        canvas = FigureCanvasAgg(self)
        canvas.draw()
        buffer = BytesIO()
        with_palette(np.asarray(canvas.buffer_rgba())[..., :3]).save(buffer, "png", optimize=True)
        return buffer.getvalue(), {"alt": self.alt}


def with_palette(rgb: np.ndarray, exact: int = 128, size: int = 256) -> Image.Image:
    """Return an image with at most 256 colours, which makes a figure in a notebook four times smaller.

    The ``exact`` commonest colours stay as they are (paper, grid, ink). The rest of the palette goes, one by one, to
    the colour that is farthest from all chosen so far, so that rare strong colours survive.

    Parameters
    ----------
    rgb : uint8 array (h, w, 3)
    """
    packed = rgb.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    keys, counts = np.unique(packed, return_counts=True)
    keys = keys[np.argsort(-counts, kind="stable")]
    colours = np.stack([keys >> 16, keys >> 8 & 255, keys & 255], axis=1).astype(np.float32)
    norm = (colours**2).sum(axis=1)
    distance, nearest, chosen = np.full(len(keys), np.inf, np.float32), np.zeros(len(keys), np.uint8), []
    for k in range(min(size, len(keys))):
        chosen.append(k if k < exact else int(distance.argmax()))
        to_this = norm + norm[chosen[k]] - 2 * colours @ colours[chosen[k]]
        nearest[to_this < distance] = k
        np.minimum(distance, to_this, out=distance)
    table = np.zeros(1 << 24, np.uint8)
    table[keys] = nearest
    image = Image.fromarray(table[packed])
    image.putpalette(colours[chosen].astype(np.uint8).tobytes())
    return image


class Sheet:
    """A figure whose one coordinate system is millimetres of paper, with (0, 0) at the paper's lower left corner.

    Parameters
    ----------
    width, height : of the paper, mm
    head, foot : room above and below the paper, mm; left and right there are ``EDGE`` mm
    scale : printed millimetres per millimetre of paper
    zoom : see :func:`zoom_for`, which finds it where it is None
    """

    def __init__(self, width: float, height: float, head: float, foot: float, scale: float = 1.0, zoom=None):
        self.width, self.height, self.scale = width, height, scale
        self.zoom = zoom_for(width, scale) if zoom is None else zoom
        head, foot = ceil(head), ceil(foot)  # whole millimetres keep the grid on whole pixels
        full_width, full_height = width + 2 * EDGE, height + head + foot
        inch = 25.4 / scale
        nudge = 1e-6  # matplotlib rounds the size in pixels down
        size = ((full_width + nudge) / inch, (full_height + nudge) / inch)
        self.figure = CourseFigure(figsize=size, dpi=PIXELS_PER_MM / self.zoom * inch, facecolor="white")
        name_our_drawing_to_ipython()
        limits = {"xlim": (-EDGE, width + EDGE), "ylim": (-foot, height + head)}
        self.axes = self.figure.add_axes((0, 0, 1, 1), autoscale_on=False, **limits)
        self.axes.set_axis_off()

    def points(self, mm: float) -> float:
        """Return the typographic points of a length that looks ``mm`` long at 5 pixels a millimetre."""
        return mm * self.zoom * self.scale * 72 / 25.4

    def text(self, x, y, string, size=TEXT, **options):
        """Write at (x, y) mm in ``size`` points, as seen at 5 pixels a millimetre."""
        options = {"color": INK, "zorder": 8, "linespacing": 1.25} | options
        return self.axes.text(x, y, string, fontsize=size * self.zoom * self.scale, family=FONT, **options)

    def image(self, rgba, left, right, bottom, top, zorder):
        """Paint an (h, w, 4) colour array into the given rectangle (mm)."""
        pixels = (np.asarray(rgba) * 255).round().astype(np.uint8)
        extent = (left, right, bottom, top)
        return self.axes.imshow(pixels, extent=extent, aspect="auto", interpolation="nearest", zorder=zorder)

    def lines(self, segments, mm, color, zorder, **options):
        """Draw many lines, each an (n, 2) sequence of points in mm, as one artist ``mm`` wide."""
        lines = LineCollection(segments, linewidths=self.points(mm), colors=color, zorder=zorder, **options)
        return self.axes.add_collection(lines, autolim=False)


def zoom_for(width: float, scale: float = 1.0) -> float:
    """Return how much larger text is drawn on a sheet ``width`` mm wide, so that it looks the same on a screen.

    The screen gets 5 pixels a printed millimetre, fewer where the sheet would not fit; fonts and lines grow by as much.
    """
    full, wanted = width + 2 * EDGE, PIXELS_PER_MM * scale
    return PIXELS_PER_MM / (wanted if full * wanted <= NOTEBOOK else min(max(round(NOTEBOOK / full), 1), wanted))


def name_our_drawing_to_ipython():
    """Make IPython draw a CourseFigure by its own method.

    Matplotlib's inline backend, once active, draws every Figure in its way (cropped, without alt text). IPython asks
    the most specific class first.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        shell.display_formatter.formatters["image/png"].for_type(CourseFigure, CourseFigure._repr_png_)


@cache
def text_width(string: str, size: float = TEXT, weight: str = "normal") -> float:
    """Return the width of a line of text in mm, as seen at 5 pixels a millimetre."""
    font = FontProperties(family=FONT, size=size, weight=weight)
    hinted = 1.04  # letters that snap to pixels may run a little wider than their outlines
    return hinted * text_to_path.get_text_width_height_descent(string, font, ismath=False)[0] / 72 * 25.4


def fold(string: str, width: float, size: float = TEXT, weight: str = "normal") -> list[str]:
    """Break ``string`` into lines that fit ``width`` mm in ``size`` points: at spaces, else after _, else anywhere."""

    def fits(line):
        return text_width(line, size, weight) <= width

    lines = [""]
    for word in string.split():
        if fits(f"{lines[-1]} {word}".strip()):
            lines[-1] = f"{lines[-1]} {word}".strip()
            continue
        lines.append("")
        for part in re.findall(r"[^_]*_+|[^_]+", word):
            for piece in [part] if fits(part) else part:
                if not fits(lines[-1] + piece):
                    lines.append("")
                lines[-1] += piece
    return [line for line in lines if line]
