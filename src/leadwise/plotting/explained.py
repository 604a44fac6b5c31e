"""One explanation of a picture on one sheet: picture, map, what the network sees, where the relevance lies, formula."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path
from torch import Tensor

from leadwise.language import tr
from leadwise.maps import as_mask, as_pixel_map, one_of, part_of
from leadwise.plotting.images import (
    STYLES,
    as_pixels,
    draw_frame,
    draw_picture,
    ground_of,
    outlines_of,
    scale_for,
)
from leadwise.plotting.relevance import LABEL, draw_legend, legend_height
from leadwise.plotting.sheet import CourseFigure, Sheet, fold
from leadwise.plotting.style import FONT, GREY, INK, PAPER_PALE, SMALL, TEXT, TITLE, TRUTH, percent, relevance_rgba

SIDE, GAP, PANEL = 67.2, 4.0, 82.0  # side of a picture, space between, width of the panel on the right, mm
ROW, LINE = 4.6, 3.4  # heights of a row with a bar and of a line of text, mm
NAMES, BAR = 30.0, 34.0  # where the bars of the panel start, and how long a full one is, mm


def positive_share(relevance: Tensor | np.ndarray, mask: Tensor | np.ndarray) -> float:
    """Return the share of the positive relevance that lies inside a mask; 0 for a map without any.

    White noise reaches the share of the picture that the mask covers.

    Parameters
    ----------
    relevance : tensor or array (3, H, W) or (H, W); summed over the colours before its positive part is taken
    mask : bool (H, W)
    """
    mask = as_mask(mask)
    positive = part_of(as_pixel_map(relevance, mask.shape), "positive")
    total = positive.sum()
    return float(positive[mask].sum() / total) if total > 0 else 0.0


def shares_on(relevance: Tensor | np.ndarray, objects: Mapping) -> dict[str, tuple[float, float]]:
    """Return for each known object, name -> mask, the share of the positive relevance on it, and that of its area."""
    return {name: (positive_share(relevance, mask), float(np.mean(mask))) for name, mask in objects.items()}


def plot_explained(
    image: Tensor | np.ndarray,
    relevance: Tensor | np.ndarray,
    *,
    objects: Mapping | None = None,
    classes: Sequence[tuple[str, float]] = (),
    explained: str = "",
    facts: Sequence[str] = (),
    formula: str = "",
    citation: str = "",
    caption: str = "",
    style: str = "overlay",
    clip: float = 100.0,
    threshold: float = 0.0,
    sign: str = "signed",
    title: str | None = None,
    label: str | None = None,
) -> CourseFigure:
    """Draw a picture, its relevance map, and beside them what a reader needs to judge the map.

    Parameters
    ----------
    image, relevance, clip, threshold, sign, title, label : as in :func:`leadwise.plotting.plot_image`
    objects : name -> mask, bool (H, W): known objects; each is outlined, and a bar shows the share of the positive
        relevance on it, with a mark at the share of the picture that it covers, which is what chance reaches
    classes : most probable classes, (name, probability)
    explained : the class that the map explains; its bar is coloured
    facts : lines to print, such as the sum of the relevance
    formula : LaTeX, without dollar signs
    citation : of the method
    caption : what the picture is, and whose
    style : "overlay" draws the colours on the picture in grey, "alone" on white

    Raises
    ------
    ValueError : anything that ``plot_image`` would refuse, or an unknown style
    """
    one_of("style", style, STYLES)
    pixels, objects = as_pixels(image), dict(objects or {})
    edges = outlines_of(objects, pixels.shape[:2])
    scale = scale_for(relevance, pixels, threshold, sign, clip=clip)
    shares = shares_on(relevance, objects)
    width = 2 * SIDE + 2 * GAP + PANEL
    heading = fold(title, width, TITLE, "bold") if title else []
    legend, source = fold(scale.describe(label or tr(LABEL)), SIDE), fold(citation, PANEL, SMALL)
    words = fold(caption, SIDE, SMALL)
    foot = max(3 + legend_height(legend), 14 + LINE * len(source), 3 + LINE * len(words))
    sheet = Sheet(width, SIDE, 2 + 4.6 * len(heading), foot, zoom=1)
    sheet.text(0, SIDE + 1.5 + 4.6 * len(heading), "\n".join(heading), TITLE, weight="bold", va="top")
    left, right = SIDE + GAP, 2 * (SIDE + GAP)
    draw_picture(sheet, pixels, None, edges, (0, 0, SIDE, SIDE))
    draw_picture(sheet, ground_of(pixels, style), scale, edges, (left, 0, SIDE, SIDE))
    draw_frame(sheet, (left, 0, SIDE, SIDE))
    draw_legend(sheet, scale, legend, left, -2, SIDE, side="left", signed=scale.signed)
    sheet.text(0, -2, "\n".join(words), SMALL, va="top", color=GREY)
    _panel(sheet, right, classes, explained, shares, facts)
    _write_formula(sheet, right, -7.5, formula)
    sheet.text(right, -13.5, "\n".join(source), SMALL, va="top", color=GREY)
    sheet.figure.alt = describe(title, explained, classes, shares, facts)
    return sheet.figure


def _panel(sheet: Sheet, left, classes, explained, shares, facts) -> None:
    """Write the panel: classes with their probabilities, objects with their shares, facts."""
    top = SIDE
    sheet.text(left, top, tr("What the network sees"), weight="bold", va="top")
    for name, probability in classes:
        top -= ROW
        colour = relevance_rgba(0.8, over="white") if name == explained else PAPER_PALE["coarse"]
        _bar(sheet, left, top, name, probability, colour, percent(probability), bold=name == explained)
    top -= ROW + 5
    sheet.text(left, top, tr("Where the positive relevance lies"), weight="bold", va="top")
    for name, (share, area) in shares.items():
        top -= ROW
        note = tr("{share} (area {area})", share=percent(share), area=percent(area))
        _bar(sheet, left, top, name, share, TRUTH, note, bold=name == explained, free=area)
        mark = left + NAMES + BAR * area
        sheet.lines([[(mark, top - 3.6), (mark, top - 0.2)]], 0.35, INK, 5, gid="area")
    if not shares:
        top -= ROW
        sheet.text(left, top, tr("no object of this picture is known to the pixel"), color=GREY, va="top")
    sheet.text(left, top - ROW - 5, "\n".join(facts), va="top", linespacing=1.4)


def _bar(sheet: Sheet, left, top, name, share, colour, note, bold, free=0.0) -> None:
    """Draw one row of the panel: name, bar, and a note behind the bar and behind a share kept ``free``."""
    start, middle = left + NAMES, top - 1.9
    short = fold(str(name), NAMES - 2, TEXT, "bold") or [""]
    name = short[0] + " ..." * (len(short) > 1)
    sheet.text(start - 1.5, middle, name, weight="bold" if bold else "normal", ha="right", va="center")
    sheet.axes.add_patch(Rectangle((start, top - 3.3), BAR * share, 2.8, facecolor=colour, linewidth=0, zorder=3))
    sheet.lines([[(start, top - 3.7), (start, top)]], 0.2, GREY, 4)
    sheet.text(start + BAR * max(share, free) + 1.5, middle, note, SMALL, va="center", color=GREY)


def mathtext(formula: str) -> str:
    """Return LaTeX as matplotlib understands it: the registry writes some shorthands that only TeX knows."""
    formula = re.sub(r"\\tfrac\s*(\w)(\w)", r"\\frac{\1}{\2}", formula)
    formula = re.sub(r"\\mathcal\s+(\w)", r"\\mathcal{\1}", formula)
    return "$" + re.sub(r"\\(big|textstyle)(?![a-zA-Z])", "", formula) + "$"


def _write_formula(sheet: Sheet, x, y, formula) -> None:
    """Write a formula at (x, y), centred in height, as large as fits the panel, at most a title's size."""
    if not formula:
        return
    string = mathtext(formula)
    width = text_to_path.get_text_width_height_descent(string, FontProperties(family=FONT, size=TITLE), ismath=True)[0]
    sheet.text(x, y, string, TITLE * min(1, PANEL / (width / 72 * 25.4)), va="center", parse_math=True)


def describe(
    title: str | None,
    explained: str,
    classes: Sequence[tuple[str, float]],
    shares: Mapping[str, tuple[float, float]],
    facts: Sequence[str],
) -> str:
    """Return the alternative text; the arguments as in :func:`plot_explained` and from :func:`shares_on`."""
    parts = [title or tr("An explained picture"), f"{tr('explained class')}: {explained}" if explained else ""]
    best = ", ".join(f"{name} {percent(p)}" for name, p in classes)
    parts += [f"{tr('probabilities')}: {best}" if classes else ""]
    lies = (
        tr("{share} on the {name}, which covers {area}", share=percent(share), name=name, area=percent(area))
        for name, (share, area) in shares.items()
    )
    parts += [f"{tr('positive relevance')}: {'; '.join(lies)}" if shares else "", *facts]
    return ". ".join(filter(None, parts)) + "."
