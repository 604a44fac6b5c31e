"""Any of our figures on a canvas in the browser: matplotlib says what it draws, and nobody makes a PNG of it.

Making the PNG is four fifths of the time that a figure takes. Here a renderer writes down what a figure asks it to
draw; the browser draws that, at the resolution of its screen.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np
import traitlets
from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, weight_dict
from matplotlib.path import Path
from matplotlib.text import Text as Written
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Affine2D, Affine2DBase, Transform

from leadwise.explorers.live import LiveView, Text, module, style
from leadwise.plotting.sheet import CourseFigure

FALLBACKS = ("Verdana", "sans-serif")  # Verdana, on every Windows and Mac, has the widths of DejaVu Sans
CAPS = {"butt": "butt", "projecting": "square", "round": "round"}  # matplotlib's names -> the browser's

hexed = lru_cache(4096)(to_hex)


@lru_cache(4096)
def measured(words: str, ismath: bool, **font: Any) -> tuple[float, float, float]:
    """Return width, height and descent of a line of text for letters of one pixel."""
    prop = FontProperties(**font, size=100)
    width, height, descent = text_to_path.get_text_width_height_descent(words, prop, ismath)
    return width / 100, height / 100, descent / 100


@lru_cache(512)
def outline(words: str, **font: Any) -> Path:
    """Return a formula as a path, its letters ``FONT_SCALE`` pixels large."""
    vertices, codes = text_to_path.get_text_path(FontProperties(**font), words, ismath=True)
    return Path(vertices, codes)


def _font(prop: FontProperties) -> dict:
    """Return all that a font is but its size."""
    names = ("style", "variant", "weight", "stretch", "math_fontfamily")
    return {"family": tuple(prop.get_family())} | {name: getattr(prop, f"get_{name}")() for name in names}


def colour(rgba: Sequence[float]) -> str | None:
    """Return #rrggbbaa, or None for what cannot be seen."""
    return hexed(tuple(map(float, rgba)), keep_alpha=True) if rgba[3] > 0 else None


class Recorder(RendererBase):
    """A renderer that writes down what a figure draws, in pixels of the figure, y pointing down.

    Attributes
    ----------
    styles : list of dicts, each used by one operation or by many
    ops : list of operations

        ("path", style, first, last) : points [first, last), to be filled and stroked
        ("text", style, words, x, y, width, angle) : from a point on the base line; degrees, anticlockwise
        ("image", style, first, height, width, channels, a, b, c, d, e, f) : bytes from ``first`` on; the matrix takes
        its columns and rows to the figure
    points, codes, pixels : lists of arrays: float32 (n, 2), matplotlib's path codes uint8 (n,), uint8
    """

    def __init__(self, figure: Figure):
        super().__init__()
        self.dpi, self.size = figure.dpi, [int(figure.bbox.width), int(figure.bbox.height)]
        self.flipped = Affine2D().scale(1, -1).translate(0, self.size[1])
        self.styles: dict[str, int] = {}
        self.ops: list[list] = []
        self.points: list[np.ndarray] = []
        self.codes: list[np.ndarray] = []
        self.pixels: list[np.ndarray] = []
        self.count = self.bytes = 0  # points and bytes so far

    def get_canvas_width_height(self):
        """Return the figure's size in pixels."""
        return self.size

    def points_to_pixels(self, points: float):  # type: ignore[override]
        """Return pixels for typographic points."""
        return points * self.dpi / 72

    def get_text_width_height_descent(self, s: str, prop: FontProperties, ismath: bool | str):
        """Return the size of a line of text; to measure it anew each time would take half of the time of a figure."""
        size = self.points_to_pixels(prop.get_size_in_points())
        return tuple(size * part for part in measured(s, bool(ismath), **_font(prop)))

    def option_image_nocomposite(self):
        """Have images drawn one by one ..."""
        return True

    def option_scale_image(self):
        """... and those without interpolation as they are."""
        return True

    def draw_path(  # type: ignore[override]
        self, gc: GraphicsContextBase, path: Path, transform: Transform, rgbFace: Sequence[float] | None = None
    ):
        """Write down a path: filled, hatched, stroked, in this order. Lines in one style become one operation."""
        plain = rgbFace is not None and (len(rgbFace) == 3 or gc.get_forced_alpha())
        fill = None if rgbFace is None else colour((*rgbFace[:3], gc.get_alpha() if plain else rgbFace[3]))
        stroke = colour(gc.get_rgb()) if gc.get_linewidth() > 0 else None
        if gc.get_hatch():
            self._hatch(gc, path, transform, fill)
            fill = None
        if not (fill or stroke):
            return
        style = self._style(gc, fill=fill, snap=gc.get_snap(), **(self._pen(gc, stroke) if stroke else {}))
        first, last = self._add(path, transform)
        before = self.ops[-1] if self.ops else [None]
        if before[:2] == ["path", style] and not fill and stroke.endswith("ff"):
            before[3] = last
        elif last > first:
            self.ops.append(["path", style, first, last])

    def draw_image(  # type: ignore[override]
        self, gc: GraphicsContextBase, x: float, y: float, im: np.ndarray, transform: Affine2DBase | None = None
    ):
        """Write down pixels (h, w, 4); without ``transform`` each is a pixel of the figure, the lowest row first."""
        high, wide = im.shape[:2]
        shape = Affine2D().scale(1 / wide, 1 / high) + transform if transform else Affine2D()
        place = shape + Affine2D().translate(x, y) + self.flipped
        im = im[..., :3] if (im[..., 3] == 255).all() else im
        matrix = np.round(place.get_matrix()[:2].T.ravel(), 4).tolist()
        self.ops.append(["image", self._style(gc, alpha=gc.get_alpha()), self.bytes, *im.shape, *matrix])
        self.pixels.append(np.ascontiguousarray(im).ravel())
        self.bytes += im.size

    def draw_text(
        self,
        gc: GraphicsContextBase,
        x: float,
        y: float,
        s: str,
        prop: FontProperties,
        angle: float,
        ismath: bool | str = False,
        mtext: Written | None = None,
    ):
        """Write down a line of text; formulae as outlines."""
        size = self.points_to_pixels(prop.get_size_in_points())
        weight: Any = prop.get_weight()
        if ismath:
            place = Affine2D().scale(size / text_to_path.FONT_SCALE).rotate_deg(angle).translate(x, self.size[1] - y)
            gc.set_linewidth(0)
            gc.set_snap(False)  # on whole pixels the stem of a small "i" would be as wide as nothing
            self.draw_path(gc, outline(s, **_font(prop)), place, gc.get_rgb())
            return
        width = self.get_text_width_height_descent(s, prop, False)[0]
        family = ", ".join(map(json.dumps, (*prop.get_family(), FALLBACKS[0])))
        font = f"{prop.get_style()} {weight_dict.get(weight, weight)} {size:.2f}px {family}, {FALLBACKS[1]}"
        style = self._style(gc, font=font, fill=colour(gc.get_rgb()))
        self.ops.append(["text", style, s, *(round(float(v), 2) for v in (x, y, width, angle))])

    def _pen(self, gc, stroke) -> dict:
        offset, dashes = gc.get_dashes()
        dash = dashes and [self.points_to_pixels(length) for length in (offset or 0, *dashes)]
        width, cap = self.points_to_pixels(gc.get_linewidth()), CAPS[str(gc.get_capstyle())]
        return {"stroke": stroke, "width": width, "cap": cap, "join": str(gc.get_joinstyle()), "dash": dash}

    def _style(self, gc, **style) -> int:
        """Return the number of a style, with the clipping that ``gc`` asks for."""
        box, (path, transform) = gc.get_clip_rectangle(), gc.get_clip_path()
        if box is not None and not (box.x0 <= 0 and box.y0 <= 0 and box.x1 >= self.size[0] and box.y1 >= self.size[1]):
            style["box"] = [box.x0, self.size[1] - box.y1, box.width, box.height]
        if path is not None:
            style["within"] = self._add(path, transform)
        style = {name: value for name, value in style.items() if value is not None}
        return self.styles.setdefault(json.dumps(style), len(self.styles))

    def _add(self, path, transform) -> tuple[int, int]:
        """Keep a path's points; return where they begin and end."""
        path = path.cleaned(transform + self.flipped, remove_nans=True, simplify=path.should_simplify, curves=True)
        first, self.count = self.count, self.count + len(path.codes) - 1  # the last says that the path ends
        self.points.append(path.vertices[:-1])
        self.codes.append(path.codes[:-1])
        return first, self.count

    def _hatch(self, gc, path, transform, fill) -> None:
        """Fill a path with its ground, then with tiles of its hatch, an inch wide."""
        first, last = self._add(path, transform)
        if fill:
            self.ops.append(["path", self._style(gc, fill=fill), first, last])
        area, tile = path.get_extents(transform), gc.get_hatch_path()
        pen = {"stroke": colour(gc.get_hatch_color()), "width": self.points_to_pixels(gc.get_hatch_linewidth())}
        style = self._style(gc, within=(first, last), snap=False, **pen)
        across, up = (
            range(int(low // self.dpi), ceil(high / self.dpi)) for low, high in (area.intervalx, area.intervaly)
        )
        start = self.count
        for i, j in ((i, j) for i in across for j in up):
            self._add(tile, Affine2D().translate(i, j).scale(self.dpi))
        self.ops.append(["path", style, start, self.count])


def record(figure: Figure) -> Recorder:
    """Have a figure drawn by a :class:`Recorder`.

    Images that are drawn pixel by pixel travel in their own size, and become larger in the browser.
    """
    recorder, images = Recorder(figure), [image for axes in figure.axes for image in axes.images]
    nearest = [image for image in images if image.get_interpolation() == "nearest"]
    try:
        for image in nearest:
            image.set_interpolation("none")
        figure.draw(recorder)
    finally:
        for image in nearest:
            image.set_interpolation("nearest")
    return recorder


class FigureCanvas(LiveView):
    """A live view of course figures: drawn in the browser, as wide as the column and no wider than the figure.

    In a page without a kernel the same output shows the figure's PNG.
    """

    _esm, _css = module("figure_canvas"), style("figure_canvas")

    drawing = traitlets.Dict().tag(sync=True)  # size, styles and ops of a Recorder
    points = traitlets.Bytes().tag(sync=True)
    codes = traitlets.Bytes().tag(sync=True)
    pixels = traitlets.Bytes().tag(sync=True)
    alt = Text().tag(sync=True)

    _shown: CourseFigure | None = None
    _handed_out = False  # whether somebody else may hold it

    def show(self, figure: CourseFigure) -> None:
        """Show a figure; an error while it is drawn reaches the caller, and the view stays as it was."""
        recorder = record(figure)
        points = np.concatenate(recorder.points).astype("<f4") if recorder.points else b""
        before, handed_out, self._shown, self._handed_out = self._shown, self._handed_out, figure, False
        with self.hold_sync():  # one message, so that the browser never draws half of it
            self.drawing = {
                "size": recorder.size, "styles": [json.loads(style) for style in recorder.styles], "ops": recorder.ops
            }  # fmt: skip
            self.points, self.codes = bytes(points), b"".join(part.tobytes() for part in recorder.codes)
            self.pixels = b"".join(part.tobytes() for part in recorder.pixels)
            self.alt = figure.alt
        if before is not None and before is not figure and not handed_out:
            before.clear()  # else its thousands of parts, in circles, wait for the garbage collector

    def plot(self) -> CourseFigure:
        """Return the figure that is shown.

        Raises
        ------
        ValueError : nothing has been shown yet
        """
        if self._shown is None:
            raise ValueError("nothing has been shown yet; call show(figure) first.")
        self._handed_out = True
        return self._shown
