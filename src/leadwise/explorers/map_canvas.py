"""Relevance on a picture, or many maps of one picture, on a canvas in the browser: its display needs no kernel."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import traitlets
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import text_to_path
from torch import Tensor

from leadwise.explorers.canvas import COLOURS, quantise
from leadwise.explorers.live import LiveView, Text, module, style, titled
from leadwise.language import tr
from leadwise.plotting import plot_image_grid
from leadwise.plotting.explained import describe as describe_explained
from leadwise.plotting.explained import mathtext, plot_explained, shares_on
from leadwise.plotting.images import PALE, STYLES, PixelScale, as_pixels, describe, of_maps, outlines_of, scale_for
from leadwise.plotting.relevance import DRAWN, LABEL
from leadwise.plotting.sheet import CourseFigure
from leadwise.plotting.style import FONT, GREY, INK, PAPER_PALE, RELEVANCE, TITLE, TRUTH, printable, relevance_rgba

Maps = Tensor | np.ndarray | Mapping[str, Tensor | np.ndarray | None]  # one, or several by their titles

CLIPS = (100.0, 99.0)  # percentiles of the magnitudes from which the colour can be full
CHOICES = {"style": STYLES, "clip": CLIPS, "sign": DRAWN}
MOST_MAPS, MOST_OBJECTS = 48, 8
SLOTS = tuple(f"map_{i}" for i in range(MOST_MAPS))
ABOUT = ("classes", "explained", "facts", "formula", "citation", "caption")  # of one explanation, as in plot_explained


def _hex(value: float) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in relevance_rgba(value, over="white")[:3])


# Everything that makes the live view look like plot_explained and plot_image_grid. It goes to the browser once.
LOOK = {
    "choices": {name: list(words) for name, words in CHOICES.items()},
    "pale": PALE, "steps": RELEVANCE.N, "slots": list(SLOTS),
    "ink": INK, "grey": GREY, "truth": TRUTH, "line": PAPER_PALE["coarse"], "explained": _hex(0.8), "font": FONT,
}  # fmt: skip

# A trait for each map, so that one which comes does not send the others again.
_Maps = type("_Maps", (traitlets.HasTraits,), {n: traitlets.Bytes(None, allow_none=True).tag(sync=True) for n in SLOTS})


class MapCanvas(_Maps, LiveView):  # type: ignore[misc, valid-type]
    """The live twin of :func:`plot_explained` and :func:`leadwise.plotting.plot_image_grid`.

    Picture and maps travel to the browser as binary buffers, once. Each of the traits below changes the view there,
    without the kernel, and may be linked to a control by ``ipywidgets.jsdlink``; a ``Dropdown``'s partner is
    ``style_index``, ``clip_index`` or ``sign_index``.

    Parameters
    ----------
    image, relevance, objects, notes, title, label, about : as in :meth:`show`
    display : initial values of these traits

        style : "overlay" (on the picture in grey) or "alone" (on white)
        clip : percentile of the magnitudes from which the colour is full, 100 or 99
        threshold : fraction of the maximum, 0 to below 1
        sign : "signed" (both), "positive" or "negative"

    Raises
    ------
    ValueError : as :meth:`show`
    traitlets.TraitError : a display trait that is out of its range
    """

    _esm, _css = module("map_canvas"), style("map_canvas")
    choices, also, view = CHOICES, ABOUT, "map_canvas"

    look = traitlets.Dict(LOOK).tag(sync=True)
    colours = traitlets.Bytes(COLOURS).tag(sync=True)

    picture = traitlets.Bytes().tag(sync=True)  # uint8 (H, W, 3), RGB
    size = traitlets.List(traitlets.Int()).tag(sync=True)  # H, W
    masks = traitlets.Bytes().tag(sync=True)  # uint8 (H, W): bit k is set where object k is
    objects = traitlets.List(Text()).tag(sync=True)  # their names
    tiles = traitlets.List(traitlets.Dict()).tag(sync=True)  # what is known of each map
    panel = traitlets.Dict(None, allow_none=True).tag(sync=True)  # what stands beside a single map
    title = Text().tag(sync=True)
    label = Text().tag(sync=True)
    words = Text().tag(sync=True)  # all of it, for those who cannot see it

    style = traitlets.Enum(CHOICES["style"], default_value="overlay")
    clip = traitlets.Enum(CHOICES["clip"], default_value=100.0)
    sign = traitlets.Enum(CHOICES["sign"], default_value="signed")
    style_index = traitlets.Int().tag(sync=True)
    clip_index = traitlets.Int().tag(sync=True)
    sign_index = traitlets.Int().tag(sync=True)
    threshold = traitlets.Float(0.0, min=0.0, max=0.999).tag(sync=True)

    @classmethod
    def display_traits(cls) -> tuple[str, ...]:
        """Return the names of the traits that change only the view."""
        return (*CHOICES, "threshold")

    def show(
        self,
        image: Tensor | np.ndarray,
        relevance: Maps,
        *,
        objects: Mapping[str, np.ndarray] | None = None,
        notes: Mapping[str, str] | None = None,
        title: str = "",
        label: str | None = None,
        **about: Any,
    ) -> None:
        """Show another picture or other maps; what has not changed is not sent again.

        Parameters
        ----------
        image : uint8 (H, W, 3), RGB; or float (3, H, W), normalised as by ``preprocess``
        relevance : one map, (3, H, W) or (H, W); or several: a mapping title -> map, where None stands for a map that
            :meth:`put` will bring
        objects : name -> mask, bool (H, W): at most 8 known objects, to be outlined
        notes : with several maps: title -> text to print under the title
        title : heading
        label : what the relevance is, for the legend; None for "relevance R"
        about : with one map: what else :func:`plot_explained` shows: ``classes``, ``explained``, ``facts``,
            ``formula``, ``citation``, ``caption``

        Raises
        ------
        ValueError : as ``plot_explained`` and ``plot_image_grid``; the view stays as it was
        """
        pixels, objects, label = as_pixels(image), dict(objects or {}), label or tr(LABEL)
        several = isinstance(relevance, Mapping)
        maps: dict[str, Any] = dict(relevance) if isinstance(relevance, Mapping) else {"": relevance}
        notes = dict(notes or {})
        _check(several, maps, notes, objects, about)
        outlines_of(objects, pixels.shape[:2])
        scales = {name: None if one is None else _scale(one, pixels, name) for name, one in maps.items()}
        shown: dict[str, Any] = {"image": pixels, "objects": objects, "title": title or None}
        self._shown = shown | {"label": label, "about": about}
        self._maps, self._notes, self._several = maps, notes, several
        bits = sum((np.asarray(mask).astype(np.uint8) << k for k, mask in enumerate(objects.values())), np.uint8(0))
        with self.hold_sync():  # one message, so that the browser never draws half of it
            self.picture, self.size = pixels.tobytes(), list(pixels.shape[:2])
            self.masks, self.objects = (bits.tobytes() if objects else b""), list(objects)
            self.title, self.label = title or "", label
            self.tiles = [_tile(name, scale, notes.get(name)) for name, scale in scales.items()]
            for slot, scale in zip(SLOTS, [*scales.values(), *[None] * MOST_MAPS], strict=False):
                self.set_trait(slot, None if scale is None else _data(scale))
            self.panel = None if several else self._panel(maps[""])
            self.words = self._words()

    def put(self, name: str, relevance: Tensor | np.ndarray, note: str | None = None) -> None:
        """Show a map of the picture that is there: a title of ``show``, and the map (3, H, W) or (H, W)."""
        at = list(self._maps).index(name)
        scale = _scale(relevance, self._shown["image"], name)
        self._maps[name] = relevance
        if note:
            self._notes[name] = note
        with self.hold_sync():
            self.set_trait(SLOTS[at], _data(scale))
            self.tiles = [*self.tiles[:at], _tile(name, scale, self._notes.get(name)), *self.tiles[at + 1 :]]
            self.words = self._words()

    def tell(self, name: str, text: str, share: float | None = None) -> None:
        """Say under a map's title what becomes of it, with a bar for the share of the work that is done, 0 to 1."""
        at = list(self._maps).index(name)
        told = {**self.tiles[at], "told": text, "share": share}
        self.tiles = [*self.tiles[:at], told, *self.tiles[at + 1 :]]

    def plot(self, **display: Any) -> CourseFigure:
        """Return what is shown as a figure, by ``plot_explained`` or ``plot_image_grid``; maps to come are left out.

        ``display`` replaces display traits, such as ``threshold=0.3``.
        """
        options = {name: getattr(self, name) for name in self.display_traits()} | display
        image, objects, title, label, about = self._shown.values()
        title = titled(self.previous, title) or None
        if not self._several:
            options |= about | {"objects": objects, "title": title, "label": label}
            return plot_explained(image, self._maps[""], **options)
        maps = {name: one for name, one in self._maps.items() if one is not None}
        notes = {name: note for name, note in self._notes.items() if name in maps}
        masks = list(objects.values())
        return plot_image_grid(image, maps, mask=masks, notes=notes, title=title, label=label, **options)

    def _panel(self, relevance) -> dict:
        """Return what stands beside a single map, ready to be written."""
        about = self._shown["about"]
        shares = shares_on(relevance, self._shown["objects"])
        return {
            "classes": [[printable(name), float(probability)] for name, probability in about.get("classes", ())],
            "explained": printable(about.get("explained", "")),
            "shares": [[printable(name), *map(float, both)] for name, both in shares.items()],
            "facts": [printable(fact) for fact in about.get("facts", ())],
            "formula": drawn_formula(about["formula"]) if about.get("formula") else None,
            "citation": printable(about.get("citation", "")),
            "caption": printable(about.get("caption", "")),
        }

    def _words(self) -> str:
        """Return the alternative text of the static twin."""
        image, objects, title, label, about = self._shown.values()
        if self._several:
            maps = [name for name, one in self._maps.items() if one is not None]
            return describe(title, tr("Comparison"), image, of_maps(label, maps), objects)
        shares = shares_on(self._maps[""], objects)
        return describe_explained(
            title, about.get("explained", ""), about.get("classes", ()), shares, about.get("facts", ())
        )


def _check(
    several, maps, notes: Mapping[str, str] | None, objects: Mapping[str, np.ndarray] | None, about: Any
) -> None:
    """Refuse what no figure could show."""
    strangers = sorted(set(about) - set(ABOUT))
    if strangers or (several and about):
        what = f"no option {strangers}" if strangers else f"{sorted(about)} with several maps"
        raise ValueError(f"{what}; beside a single map there can be {', '.join(ABOUT)}.")
    if not 0 < len(maps) <= MOST_MAPS or len(objects) > MOST_OBJECTS:
        raise ValueError(
            f"got {len(maps)} maps and {len(objects)} objects; expected 1 to {MOST_MAPS} maps, and at most "
            f"{MOST_OBJECTS} objects."
        )
    if set(notes) - set(maps):
        raise ValueError(f"notes on {sorted(set(notes) - set(maps))}; expected notes on maps: {', '.join(maps)}.")


def _scale(relevance, pixels, name: str) -> PixelScale:
    return scale_for(relevance, pixels, 0.0, "signed", whose=f"map {name!r}: " if name else "")


def _tile(name: str, scale: PixelScale | None, note: str | None) -> dict:
    """Return what the browser needs to know of a map; ``full``: magnitudes from which the colour is full."""
    tile = {"title": printable(name), "note": printable(note or ""), "told": "", "share": None}
    if scale is None:
        return tile
    full = [PixelScale(scale.relevance, clip=clip).maximum for clip in CLIPS]
    return tile | {"full": full, "summed": scale.colours}


def _data(scale: PixelScale) -> bytes:
    return quantise(scale.relevance.reshape(1, -1))[0]


@cache
def drawn_formula(formula: str) -> dict:
    """Return LaTeX as an SVG path, with its view box and the LaTeX: a browser knows no formula by itself.

    Units are points at the size of a title. The font's outlines are matplotlib's, as in the static figure.
    """
    vertices, codes = text_to_path.get_text_path(
        FontProperties(family=FONT, size=TITLE), mathtext(formula), ismath=True
    )
    path = Path(np.array(vertices) * (TITLE / text_to_path.FONT_SCALE, -TITLE / text_to_path.FONT_SCALE), codes)
    letters = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}
    pieces = [
        letters[code] + ("" if code == Path.CLOSEPOLY else " ".join(f"{number:.2f}" for number in points))
        for points, code in path.iter_segments(simplify=False, curves=True)
    ]
    box = path.get_extents().padded(0.5)
    return {"path": "".join(pieces), "box": [box.x0, box.y0, box.width, box.height], "latex": formula}
