"""Relevance on pictures: one picture, or many maps of one picture side by side."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, nan

import numpy as np
import torch
from torch import Tensor

from leadwise.language import tr
from leadwise.maps import as_mask, as_pixel_map, finite, one_of, to_numpy
from leadwise.networks.alexnet import to_image
from leadwise.plotting.relevance import LABEL, Scale, draw_legend, legend_height
from leadwise.plotting.sheet import GRID, CourseFigure, Sheet, fold, zoom_for
from leadwise.plotting.style import GREY, INK, PAPER_PALE, SMALL, TEXT, TITLE, TRUTH, number, relevance_rgba

Mask = Tensor | np.ndarray
Masks = Mask | list[Tensor] | list[np.ndarray] | tuple[Mask, ...] | Mapping[str, Mask]
Box = tuple[float, float, float, float]  # left, bottom, width, height, mm

SIDE, TILE = 89.6, 44.8  # longer side of a picture and of a tile, mm: 224 pixels fill twice or once as many on a screen
GAP = 3.0  # between tiles, mm
LINE = 3.2  # height of a line of a tile's caption, mm
PALE = 0.6  # contrast that the grey picture keeps: on black, dark blue would be lost
STYLES = ("overlay", "alone")  # colours on the picture in grey, or on white


def plot_image(
    image: Tensor | np.ndarray,
    relevance: Tensor | np.ndarray | None = None,
    *,
    threshold: float = 0.0,
    sign: str = "signed",
    alpha: float = 1.0,
    clip: float = 100.0,
    mask: Masks | None = None,
    title: str | None = None,
    label: str | None = None,
) -> CourseFigure:
    """Draw a picture, or relevance in colour on the picture in grey.

    Parameters
    ----------
    image : uint8 (H, W, 3), RGB; or what the network sees, float (3, H, W) or (1, 3, H, W), normalised as by
        :func:`leadwise.networks.alexnet.preprocess`
    relevance : tensor or array (3, H, W) or (H, W), with or without a leading 1; summed over the colours, then divided
        by its largest magnitude. None draws the picture alone, in its colours.
    threshold : fraction of the maximum, in [0, 1); smaller magnitudes are left out
    sign : "signed" (both), "positive" or "negative"
    alpha : opacity of the colours, above 0 (unseen) to 1
    clip : percentile of the magnitudes, above 0 to 100, from which the colour is full. 99 shows more of a map that has
        a few high peaks (Smilkov et al. 2017, arXiv:1706.03825, section 3.2)
    mask : bool (H, W), or several of them in a list: known objects to outline in green
    title : heading
    label : what the relevance is, for the legend; None for "relevance R"

    Returns
    -------
    CourseFigure, about 94 mm wide

    Raises
    ------
    ValueError : another shape or type, a value that is NaN or infinite, or an option out of range
    """
    pixels = as_pixels(image)
    outlines = outlines_of(mask, pixels.shape[:2])
    scale = None if relevance is None else scale_for(relevance, pixels, threshold, sign, alpha, clip)
    width, height = fitted(pixels, SIDE)
    paper = max(width, SIDE)
    heading = fold(title, paper, TITLE, "bold") if title else []
    lines = fold(scale.describe(label or tr(LABEL)), paper) if scale else []
    foot = 3 + legend_height(lines) if scale else 2
    sheet = Sheet(paper, height, 2 + 4.6 * len(heading), foot)
    sheet.text(0, height + 1.5 + 4.6 * len(heading), "\n".join(heading), TITLE, weight="bold", va="top")
    draw_picture(sheet, pixels, scale, outlines, ((paper - width) / 2, 0, width, height))
    if scale:
        draw_legend(sheet, scale, lines, 0, -2, paper, side="left", end=number(scale.maximum), signed=scale.signed)
    sheet.figure.alt = describe(
        title, tr("Picture"), pixels, scale.describe(label or tr(LABEL)) if scale else "", outlines
    )
    return sheet.figure


def plot_image_grid(
    image: Tensor | np.ndarray,
    maps: Mapping[str, Tensor | np.ndarray],
    *,
    columns: int = 4,
    style: str = "overlay",
    threshold: float = 0.0,
    sign: str = "signed",
    alpha: float = 1.0,
    clip: float = 100.0,
    mask: Masks | None = None,
    notes: Mapping[str, str] | None = None,
    title: str | None = None,
    label: str | None = None,
) -> CourseFigure:
    """Compare relevance maps of one picture: the picture itself, then a tile for each map.

    Parameters
    ----------
    image, threshold, sign, alpha, clip, mask : as in :func:`plot_image`
    maps : mapping title -> relevance, (3, H, W) or (H, W). Each is normalised by its own maximum, which stands under
        its title.
    columns : tiles in a row, 1 to 8
    style : "overlay" draws the colours on the picture in grey, "alone" on white
    notes : mapping title -> text to print under the title, such as "46 % on the cat"; titles without one are fine
    title : heading
    label : what the relevance is, for the legend; None for "relevance R"

    Returns
    -------
    CourseFigure, 188 mm of tiles wide with four columns

    Raises
    ------
    ValueError : no maps, notes for a map that is not there, or anything that :func:`plot_image` would refuse
    """
    one_of("style", style, STYLES)
    pixels, notes = as_pixels(image), dict(notes or {})
    strangers = sorted(set(notes) - set(maps))
    if not maps or strangers:
        raise ValueError(
            f"got {len(maps)} maps and notes on {strangers}; expected at least one map, and notes on maps."
        )
    if columns not in range(1, 9):
        raise ValueError(f"columns is {columns!r}; expected a whole number from 1 to 8.")
    outlines = outlines_of(mask, pixels.shape[:2])
    scales = {name: scale_for(r, pixels, threshold, sign, alpha, clip, f"map {name!r}: ") for name, r in maps.items()}
    columns = max(min(columns, len(maps) + 1), 2)
    width = columns * TILE + (columns - 1) * GAP
    k = zoom_for(width)
    captions = [
        [(tr("picture"), TEXT, "bold", INK)],
        *(_caption(n, s, notes.get(n), TILE / k) for n, s in scales.items()),
    ]
    rows = [captions[i : i + columns] for i in range(0, len(captions), columns)]
    tile = fitted(pixels, TILE)
    heights = [ceil(tile[1] + (1.5 + LINE * max(map(len, row)) + 2) * k) for row in rows]

    first = next(iter(scales.values()))
    heading = fold(title, width / k, TITLE, "bold") if title else []
    label, own = label or tr(LABEL), tr("each map normalised by its own {full}", full=first.full())
    sentence = ", ".join([label, *[tr("summed over colours")] * first.colours, own])
    lines = fold("; ".join(filter(None, (sentence, first.cut()))), width / k)
    sheet = Sheet(width, sum(heights), (2 + 4.6 * len(heading)) * k, (1 + legend_height(lines)) * k)
    sheet.text(0, sheet.height + (1.5 + 4.6 * len(heading)) * k, "\n".join(heading), TITLE, weight="bold", va="top")
    for i, (scale, caption) in enumerate(zip([None, *scales.values()], captions, strict=True)):
        row, column = divmod(i, columns)
        left, bottom = column * (TILE + GAP), sheet.height - sum(heights[:row]) - tile[1]
        box = (left + (TILE - tile[0]) / 2, bottom, *tile)
        draw_picture(sheet, ground_of(pixels, style) if scale else pixels, scale, outlines, box)
        if scale and style == "alone":
            draw_frame(sheet, box)
        write_caption(sheet, caption, left, bottom - 1.5 * k)
    draw_legend(sheet, first, lines, width, 0, min(70 * k, width), end="max" if clip == 100 else tr("full"))
    sheet.figure.alt = describe(title, tr("Comparison"), pixels, of_maps(label, maps), outlines)
    sheet.figure.full_colour = GRID
    return sheet.figure


# What goes in --------------------------------------------------------------------------------------------------------


def as_pixels(image: Tensor | np.ndarray) -> np.ndarray:
    """Return a picture as uint8 (H, W, 3), whichever of the two forms of :func:`plot_image` it has.

    Raises
    ------
    ValueError : neither form, or a value that is NaN or infinite
    """
    values = to_numpy(image)
    if values.ndim == 3 and values.shape[-1] == 3 and values.dtype == np.uint8 and values.size:
        return values
    if values.ndim == 4 and len(values) == 1:
        values = values[0]
    if values.ndim != 3 or len(values) != 3 or not values.size or values.dtype.kind != "f":
        raise ValueError(
            f"image has shape {values.shape}, type {values.dtype}; expected (H, W, 3) of uint8, or a normalised "
            "(3, H, W) of floats as preprocess() returns it."
        )
    finite(values, "image")
    return to_image(torch.from_numpy(np.ascontiguousarray(values)))


@dataclass(frozen=True, eq=False)
class PixelScale(Scale):
    """How relevance (H, W) turns into colour: :class:`Scale` for a picture, which has one maximum.

    Parameters
    ----------
    alpha : opacity of the colours, from above 0 to 1
    clip : percentile of the magnitudes from which the colour is full, from above 0 to 100
    colours : whether the relevance was summed over colours, which the legend then says
    """

    fs: float = nan
    alpha: float = 1.0
    clip: float = 100.0
    colours: bool = True

    def __post_init__(self):
        super().__post_init__()
        if not 0 < self.alpha <= 1:
            raise ValueError(f"alpha is {self.alpha}; expected an opacity above 0, at most 1.")
        if not 0 < self.clip <= 100:
            raise ValueError(f"clip is {self.clip}; expected a percentile above 0, at most 100.")

    @cached_property
    def maximum(self) -> float:
        """Magnitude from which the colour is full; where that percentile is zero, the largest one."""
        magnitudes = np.abs(self.relevance)
        return float(np.percentile(magnitudes, self.clip) or magnitudes.max())

    @cached_property
    def values(self) -> np.ndarray:
        """Relevance from -1 to 1, (H, W): 0 where it is below the threshold or of the other sign."""
        values = (self.relevance / (self.maximum or 1)).clip(-1, 1)
        return np.where(self.keeps(values), values, 0)

    def full(self) -> str:
        """Return what has the full colour."""
        return "max |R|" if self.clip == 100 else tr("percentile {clip} of |R|", clip=f"{self.clip:g}")

    def _unit(self):
        how = [*[tr("summed over colours")] * self.colours, tr("normalised per picture")]
        return f"{', '.join(how)}: " + (
            f"{self.full()} = {number(self.maximum)}" if self.maximum else tr("all values are zero")
        )

    def over(self, pixels: np.ndarray) -> np.ndarray:
        """Return the colours on the picture in pale grey, floats (H, W, 3) in 0..1."""
        grey = 1 - PALE * (1 - pixels / 255 @ [0.299, 0.587, 0.114])
        rgba = relevance_rgba(self.values)
        opacity = self.alpha * rgba[..., 3:]
        return rgba[..., :3] * opacity + grey[..., None] * (1 - opacity)


def scale_for(
    relevance: Tensor | np.ndarray,
    pixels: np.ndarray,
    threshold: float,
    sign: str,
    alpha: float = 1.0,
    clip: float = 100.0,
    whose: str = "",
) -> PixelScale:
    """Return how relevance on a picture turns into colour; an error starts with ``whose`` map is meant."""
    try:
        values = as_pixel_map(relevance, pixels.shape[:2])
        colours = to_numpy(relevance).shape[-3:-2] == (3,)
        return PixelScale(values, threshold=threshold, sign=sign, alpha=alpha, clip=clip, colours=colours)
    except ValueError as error:
        raise ValueError(f"{whose}{error}") from error


def outlines_of(mask: Masks | None, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Return the masks as a list of outlines, each (n, 2, 2): the pixel edges (x, y), in pixels from the upper left."""
    if mask is None:
        return []
    if isinstance(mask, Mapping):
        mask = tuple(mask.values())
    masks = mask if isinstance(mask, (list, tuple)) else [mask]
    return [outline(as_mask(one, shape)) for one in masks]


def outline(mask: np.ndarray) -> np.ndarray:
    """Return the edges of a mask, bool (H, W): segments (n, 2, 2) of (x, y) between pixels inside and outside.

    Each is one pixel long; (0, 0) is the upper left corner of the picture. Outside the picture counts as outside.
    """
    wide = np.pad(mask, 1).astype(np.int8)
    y, x = np.nonzero(np.diff(wide, axis=0)[:, 1:-1])
    level = np.stack([np.stack([x, y], 1), np.stack([x + 1, y], 1)], 1)
    y, x = np.nonzero(np.diff(wide, axis=1)[1:-1])
    upright = np.stack([np.stack([x, y], 1), np.stack([x, y + 1], 1)], 1)
    return np.concatenate([level, upright]).astype(float)


# What comes out ------------------------------------------------------------------------------------------------------


def fitted(pixels: np.ndarray, side: float) -> tuple[float, float]:
    """Return width and height in mm of a picture whose longer side is ``side`` mm."""
    height, width = pixels.shape[:2]
    return side * width / max(width, height), side * height / max(width, height)


def draw_picture(
    sheet: Sheet, pixels: np.ndarray, scale: "PixelScale | None", outlines: Sequence[np.ndarray], box: Box
) -> None:
    """Draw a picture with its relevance, if any, and outlines; ``box``: left, bottom, width, height in mm."""
    left, bottom, width, height = box
    sheet.image(scale.over(pixels) if scale else pixels / 255, left, left + width, bottom, bottom + height, zorder=2)
    step = width / pixels.shape[1]
    for edges in outlines:
        lines = edges * (step, -step) + (left, bottom + height)
        thin = 0.3 if width > TILE else 0.2
        sheet.lines(lines, 3 * thin, "white", 3, capstyle="round", alpha=0.8)
        sheet.lines(lines, thin * sheet.zoom, TRUTH, 4, capstyle="round", gid="mask")


def ground_of(pixels: np.ndarray, style: str) -> np.ndarray:
    """Return what the colours lie on: the picture, or white."""
    return pixels if style == "overlay" else np.full_like(pixels, 255)


def draw_frame(sheet: Sheet, box: Box) -> None:
    """Draw a thin line around a picture that may be white; ``box``: left, bottom, width, height in mm."""
    left, bottom, width, height = box
    right, top = left + width, bottom + height
    corners = [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]
    sheet.lines([corners], 0.15, PAPER_PALE["coarse"], 5)


def _caption(name, scale, note, width) -> list[tuple]:
    """Return the lines of a tile's caption: (text, size, weight, colour)."""
    facts = [*fold(note or "", width, SMALL), f"max |R| {number(np.abs(scale.relevance).max())}"]
    bold = [(line, TEXT, "bold", INK) for line in fold(name, width, TEXT, "bold")]
    return bold + [(line, SMALL, "normal", GREY) for line in facts]


def write_caption(sheet: Sheet, caption: Sequence[tuple], left: float, top: float) -> float:
    """Write the lines (text, size, weight, colour) of a caption and return where it ends."""
    for row, (text, size, weight, colour) in enumerate(caption):
        sheet.text(left, top - row * LINE * sheet.zoom, text, size, weight=weight, color=colour, va="top")
    return top - len(caption) * LINE * sheet.zoom


def of_maps(label: str, maps: Collection[str]) -> str:
    """Return what a grid of maps shows, in words."""
    names = {"label": label, "names": ", ".join(maps)}
    return (
        tr("{label} of 1 map ({names})", **names)
        if len(maps) == 1
        else tr("{label} of {count} maps ({names})", count=len(maps), **names)
    )


def describe(title: str | None, kind: str, pixels: np.ndarray, relevance: str, outlines: Sequence) -> str:
    """Return the alternative text of a picture; ``outlines``: one for each known object."""
    size = {"width": pixels.shape[1], "height": pixels.shape[0]}
    facts = [f"{title or kind}: {tr('a picture of {width} x {height} pixels', **size)}"]
    facts += [tr("on it in colour {relevance}", relevance=relevance)] * bool(relevance)
    known = tr("1 known object outlined") if len(outlines) == 1 else tr("{n} known objects outlined", n=len(outlines))
    facts += [known] * bool(outlines)
    return "; ".join(facts) + "."
