"""Figures without pyplot, and sheets of paper measured in millimetres."""

import re
import sys
from collections.abc import Iterable
from functools import cache
from io import BytesIO
from math import ceil
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from numpy.typing import ArrayLike
from PIL import Image

from leadwise.plotting.style import FONT, INK, TEXT, printable

EDGE = 2.0  # white margin left and right of the paper, mm
PIXELS_PER_MM = 5  # 127 dpi: grid lines fall on whole pixels, and a sheet of two times 4 s is 1,120 pixels wide
NOTEBOOK = 1150  # pixels; a sheet much wider than that gets fewer pixels a millimetre
PALETTE = 256  # colours that a PNG with one byte a pixel has room for
FULL_COLOUR = 400_000  # bytes that a figure with pictures may take in full colour; a notebook has 2 MB for all of its
GRID = 100_000  # the same for a grid, whose many small pictures are mostly grey under speckles of relevance


class CourseFigure(Figure):
    """A matplotlib figure that shows itself in a notebook, once, and is known to nobody else.

    It is made without pyplot: nothing keeps it alive, nothing draws it a second time. ``alt`` describes it in words
    for those who cannot see it; nbconvert takes it into the page. ``full_colour`` is the size in bytes up to which
    pictures keep all their colours.
    """

    full_colour = FULL_COLOUR
    _alt = ""

    @property
    def alt(self) -> str:
        """The figure in words."""
        return self._alt

    @alt.setter
    def alt(self, words: str):
        self._alt = printable(words)

    def _repr_png_(self):
        canvas = FigureCanvasAgg(self)
        canvas.draw()
        return png(np.asarray(canvas.buffer_rgba())[..., :3], has_pictures(self), self.full_colour), {"alt": self.alt}


def png(rgb: np.ndarray, pictures: bool = False, full_colour: int = FULL_COLOUR) -> bytes:
    """Return uint8 (h, w, 3) as a PNG file for a notebook.

    A figure with ``pictures`` in it keeps all its colours, for a palette would lay bands over a smooth surface. It gets
    a palette like the others where it would then be larger than ``full_colour``.
    """
    if pictures:
        data = _encoded(Image.fromarray(rgb), compress_level=4)  # 6 would take twice the time for 2 % less
        if len(data) <= full_colour:
            return data
    return _encoded(with_palette(rgb), compress_level=6)


def _encoded(image: Image.Image, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "png", **options)
    return buffer.getvalue()


def has_pictures(figure: Figure) -> bool:
    """Say whether the figure shows pictures: images that cover what is below, with more colours than a palette has.

    Images with transparency, such as bands of relevance on ECG paper, are no pictures.
    """
    shown = [image for axes in figure.axes for image in axes.images] + figure.images
    colours = (image.to_rgba(image.get_array(), bytes=True, alpha=image.get_alpha()) for image in shown)
    opaque = [_packed(rgba).ravel() for rgba in colours if (rgba[..., 3] == 255).all()]
    return bool(opaque) and _is_there(np.concatenate(opaque)).sum() > PALETTE


def _packed(rgb: np.ndarray) -> np.ndarray:
    """Return each colour of uint8 (h, w, 3 or 4) as one number, 0xRRGGBB."""
    red, green, blue = (rgb[..., i].astype(np.int32) for i in range(3))
    return red << 16 | green << 8 | blue


def _is_there(packed: np.ndarray) -> np.ndarray:
    """Return for each of the 2^24 colours whether it occurs: a table, because sorting a million pixels takes longer."""
    there = np.zeros(1 << 24, bool)
    there[packed] = True
    return there


def with_palette(rgb: np.ndarray, exact: int = 128, size: int = PALETTE) -> Image.Image:
    """Return an image with at most 256 colours, which makes a figure in a notebook three to four times smaller.

    The ``exact`` commonest colours stay as they are (paper, grid, ink). The rest of the palette goes, one by one, to
    the colour that is farthest from all chosen so far, so that rare strong colours survive.

    Parameters
    ----------
    rgb : uint8 array (h, w, 3)
    """
    packed = _packed(rgb)
    keys = np.flatnonzero(_is_there(packed))
    place = np.empty(1 << 24, np.int32)
    place[keys] = np.arange(len(keys))
    which = place[packed]
    order = np.argsort(-np.bincount(which.ravel()), kind="stable")
    keys = keys[order]
    colours = np.stack([keys >> 16, keys >> 8 & 255, keys & 255], axis=1).astype(np.float32)
    norm = (colours**2).sum(axis=1)
    distance, nearest, chosen = np.full(len(keys), np.inf, np.float32), np.zeros(len(keys), np.uint8), []
    for k in range(min(size, len(keys))):
        chosen.append(k if k < exact else int(distance.argmax()))
        to_this = norm + norm[chosen[k]] - 2 * colours @ colours[chosen[k]]
        nearest[to_this < distance] = k
        np.minimum(distance, to_this, out=distance)
    entry = np.empty(len(keys), np.uint8)
    entry[order] = nearest
    image = Image.fromarray(entry[which])
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

    def __init__(
        self, width: float, height: float, head: float, foot: float, scale: float = 1.0, zoom: float | None = None
    ):
        self.width, self.height, self.scale = width, height, scale
        self.zoom = zoom_for(width, scale) if zoom is None else zoom
        head, foot = ceil(head), ceil(foot)  # whole millimetres keep the grid on whole pixels
        full_width, full_height = width + 2 * EDGE, height + head + foot
        inch = 25.4 / scale
        nudge = 1e-6  # matplotlib rounds the size in pixels down
        size = ((full_width + nudge) / inch, (full_height + nudge) / inch)
        self.figure = CourseFigure(figsize=size, dpi=PIXELS_PER_MM / self.zoom * inch, facecolor="white")
        name_our_drawing_to_ipython()
        limits: dict[str, Any] = {"xlim": (-EDGE, width + EDGE), "ylim": (-foot, height + head)}
        self.axes = self.figure.add_axes((0, 0, 1, 1), autoscale_on=False, **limits)
        self.axes.set_axis_off()

    def points(self, mm: float) -> float:
        """Return the typographic points of a length that looks ``mm`` long at 5 pixels a millimetre."""
        return mm * self.zoom * self.scale * 72 / 25.4

    def text(self, x: float, y: float, string: str, size: float = TEXT, **options: Any):
        """Write at (x, y) mm in ``size`` points, as seen at 5 pixels a millimetre.

        A name may hold a dollar sign: only with ``parse_math=True`` does that begin a formula.
        """
        plain: dict[str, Any] = {"color": INK, "zorder": 8, "linespacing": 1.25, "parse_math": False}
        size = size * self.zoom * self.scale
        return self.axes.text(x, y, printable(string), fontsize=size, family=FONT, **plain | options)

    def image(self, rgba: ArrayLike, left: float, right: float, bottom: float, top: float, zorder: float):
        """Paint an (h, w, 4) colour array into the given rectangle (mm)."""
        pixels = (np.asarray(rgba) * 255).round().astype(np.uint8)
        extent = (left, right, bottom, top)
        return self.axes.imshow(pixels, extent=extent, aspect="auto", interpolation="nearest", zorder=zorder)

    def lines(
        self,
        segments: Iterable[ArrayLike],
        mm: float,
        color: str | np.ndarray,
        zorder: float,
        **options: Any,
    ):
        """Draw many lines, each an (n, 2) sequence of points in mm, as one artist ``mm`` wide."""
        lines = LineCollection(list(segments), linewidths=self.points(mm), colors=color, zorder=zorder, **options)
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
    return hinted * text_to_path.get_text_width_height_descent(printable(string), font, ismath=False)[0] / 72 * 25.4


def fold(string: str, width: float, size: float = TEXT, weight: str = "normal") -> list[str]:
    """Break ``string`` into lines that fit ``width`` mm in ``size`` points: at spaces, else after _, else anywhere.

    A percent sign stays with its number.
    """

    def fits(line):
        return text_width(line, size, weight) <= width

    lines = [""]
    for word in re.split(r"\s+(?!%)", printable(string).strip()):
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
