"""Pictures and maps as tiles: filters, feature maps, synthesised pictures, and the classes a network sees in them."""

from collections.abc import Mapping
from math import ceil

import numpy as np
from matplotlib.patches import Rectangle
from PIL import Image
from torch import Tensor

from leadwise.language import tr
from leadwise.maps import as_mask, as_pixel_map, to_numpy
from leadwise.plotting.images import GAP, LINE, TILE, PixelScale, as_pixels, fitted, outline, write_caption
from leadwise.plotting.relevance import draw_legend, legend_height
from leadwise.plotting.sheet import PIXELS_PER_MM, CourseFigure, Sheet, fold, zoom_for
from leadwise.plotting.style import GREY, INK, SMALL, TEXT, TITLE, TRUTH, number, percent, relevance_rgba

BAR, BAR_COLOUR = 4.0, "#cfdbe6"  # height of a class's bar, mm, and a blue pale enough to be written on
SPACE = 2.5  # between two rows, mm
LEVELS = 32  # of each colour of a picture: nobody sees the difference, and a notebook of pictures takes half the bytes


def plot_tiles(
    tiles: Mapping[str, object],
    *,
    columns: int = 4,
    side: float = TILE,
    notes: Mapping[str, str] | None = None,
    bars: Mapping[str, list[tuple[str, float]]] | None = None,
    masks: Mapping[str, Tensor | np.ndarray] | None = None,
    shared: bool = False,
    title: str | None = None,
    label: str | None = None,
) -> CourseFigure:
    """Draw pictures and maps side by side, each with a caption.

    Parameters
    ----------
    tiles : mapping caption -> picture, as in :func:`leadwise.plotting.plot_image`, or map: numbers (h, w), drawn in
        orange above zero and blue below
    columns : tiles in a row, 1 to 12
    side : longer side of a tile, mm (5 pixels each)
    notes : mapping caption -> text to print under it
    bars : mapping caption -> [(class, share from 0 to 1), ...], drawn as bars under the tile, as ``top_k`` returns them
    masks : mapping caption -> bool (H, W), an area of a picture or map to outline in green
    shared : whether one maximum sets the colours of all maps; else each map has its own
    title : heading
    label : what the maps show, for the legend; None for "activation"

    Returns
    -------
    CourseFigure

    Raises
    ------
    ValueError : no tiles, a note, bar or mask without its tile, a number out of range, a tile that is neither picture
        nor map, a mask of another shape, a value that is NaN or infinite
    """
    notes, bars, masks = dict(notes or {}), dict(bars or {}), dict(masks or {})
    strangers = sorted({*notes, *bars, *masks} - set(tiles))
    if not tiles or strangers:
        raise ValueError(f"got {len(tiles)} tiles, and something for {strangers}; expected tiles, and nothing else.")
    if columns not in range(1, 13) or not side > 0:
        raise ValueError(f"columns is {columns!r}, side {side!r}; expected 1 to 12 columns, a side above 0 mm.")
    values = {name: _picture_or_map(name, tile) for name, tile in tiles.items()}
    edges = {name: outline(as_mask(mask, values[name].shape[:2], f"mask of {name!r}")) for name, mask in masks.items()}
    maps = [value for value in values.values() if value.ndim == 2]
    highest = max((float(np.abs(value).max()) for value in maps), default=0.0) if shared else None

    columns = min(columns, len(values))
    width = max(columns * side + (columns - 1) * GAP, 60.0)
    k = zoom_for(width)
    captions = {name: _caption(name, values[name], notes.get(name), side / k, shared) for name in values}
    below = {name: len(captions[name]) * LINE + len(bars.get(name, ())) * BAR + SPACE for name in values}
    rows = [list(values)[i : i + columns] for i in range(0, len(values), columns)]
    heights = [max(fitted(values[name], side)[1] + (1.5 + below[name]) * k for name in row) for row in rows]
    heading = fold(title, width / k, TITLE, "bold") if title else []
    lines = fold(_legend(label, highest), width / k) if maps else []
    foot = (2 + legend_height(lines)) * k if maps else 1
    sheet = Sheet(width, ceil(sum(heights)), (2 + 4.6 * len(heading)) * k, foot)
    sheet.text(0, sheet.height + (1.5 + 4.6 * len(heading)) * k, "\n".join(heading), TITLE, weight="bold", va="top")
    for index, row in enumerate(rows):
        for column, name in enumerate(row):
            left, top = column * (side + GAP), sheet.height - sum(heights[:index])
            wide, high = fitted(values[name], side)
            box = (left, top - high, wide, high)
            _draw(sheet, values[name], highest, edges.get(name), box)
            bottom = write_caption(sheet, captions[name], left, top - high - 1.5 * k)
            _draw_bars(sheet, bars.get(name, ()), left, bottom, side)
    if maps:
        scale = PixelScale(maps[0] if highest is None else np.array([[highest]]))
        draw_legend(sheet, scale, lines, 0, -k, min(60 * k, width), side="left", end="max" if highest is None else None)
    sheet.figure.alt = _describe(title, captions, bars)
    return sheet.figure


def _picture_or_map(name: str, tile) -> np.ndarray:
    """Return a map as floats (h, w), or a picture as uint8 (H, W, 3)."""
    values = to_numpy(tile)
    if values.ndim != 2:
        try:
            return as_pixels(tile)
        except ValueError as error:
            raise ValueError(f"tile {name!r}: {error}") from error
    return as_pixel_map(values, what=f"tile {name!r}")


def _caption(name, values, note, width, shared) -> list[tuple]:
    """Return the lines of a caption: (text, size, weight, colour)."""
    facts = fold(note or "", width, SMALL)
    if values.ndim == 2 and not shared:
        facts.append(f"{'±' * bool((values < 0).any())}max {number(np.abs(values).max())}")
    return [(line, TEXT, "bold", INK) for line in fold(name, width, TEXT, "bold")] + [
        (line, SMALL, "normal", GREY) for line in facts
    ]


def _legend(label: str | None, highest: float | None) -> str:
    own, one = tr("each map divided by its own maximum"), tr("one scale for all maps")
    return f"{label or tr('activation')}, {own if highest is None else one}"


def _draw(sheet: Sheet, values, highest, edges, box) -> None:
    left, bottom, width, height = box
    if values.ndim == 2:
        colours = relevance_rgba(values / ((np.abs(values).max() if highest is None else highest) or 1), over="white")
    else:
        shrunk = _shrunk(values, width * PIXELS_PER_MM / sheet.zoom)
        colours = np.round(shrunk / 255 * (LEVELS - 1)) / (LEVELS - 1)
    sheet.image(colours, left, left + width, bottom, bottom + height, zorder=2)
    frame = [(left, bottom), (left + width, bottom), (left + width, bottom + height), (left, bottom + height)]
    sheet.lines([[*frame, frame[0]]], 0.15, GREY, 3)
    if edges is not None:
        step = width / values.shape[1]
        shape = edges * (step, -step) + (left, bottom + height)
        sheet.lines(shape, 0.9, "white", 4, capstyle="round", alpha=0.8)
        sheet.lines(shape, 0.4, TRUTH, 5, capstyle="round", gid="mask")


def _shrunk(pixels: np.ndarray, width: float) -> np.ndarray:
    """Return a picture with no more pixels than will be seen: every pixel counts, none is skipped."""
    height, full = pixels.shape[:2]
    if full <= width:
        return pixels
    size = (max(1, round(width)), max(1, round(height * width / full)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def _draw_bars(sheet: Sheet, bars, left, top, side) -> None:
    """Draw a bar for each (class, share), ``side`` mm long at 1, its name and share written on it."""
    k = sheet.zoom
    for row, (name, share) in enumerate(bars):
        high = top - row * BAR * k
        bar = Rectangle((left, high - 0.88 * BAR * k), share * side, 0.8 * BAR * k, facecolor=BAR_COLOUR, gid="bar")
        sheet.axes.add_patch(bar)
        figure = percent(share)
        room = side / k - 8
        short = name if len(fold(name, room, SMALL)) < 2 else f"{fold(name, room - 3, SMALL)[0]} …"
        middle = high - 0.5 * BAR * k
        sheet.text(left + 0.8 * k, middle, short, SMALL, va="center")
        sheet.text(left + side - 0.5 * k, middle, figure, SMALL, va="center", ha="right")


def _describe(title, captions, bars) -> str:
    """Return the alternative text."""
    what = []
    for name, lines in captions.items():
        facts = [text for text, _, weight, _ in lines if weight == "normal"]
        facts += [f"{one} {percent(share)}" for one, share in bars.get(name, ())[:2]]
        what.append(f"{name} ({', '.join(facts)})" if facts else name)
    return f"{title or tr('Tiles')}: {'; '.join(what[:12])}{' ...' if len(what) > 12 else ''}."
