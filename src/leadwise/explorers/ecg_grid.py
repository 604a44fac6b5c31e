"""Maps of one recording side by side: a small ECGCanvas for each."""

from collections.abc import Mapping
from math import ceil

import ipywidgets as widgets
import numpy as np
import traitlets
from torch import Tensor

from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.explorers.base import parts
from leadwise.explorers.canvas import CHOICES, GROUPS, ECGCanvas
from leadwise.explorers.live import titled
from leadwise.language import tr
from leadwise.plotting import percent, plot_grid
from leadwise.plotting.sheet import CourseFigure

MOST_COLUMNS, LEAST_PX, WIDEST_PX, GAP_PX = 5, 180, (400, 250), 14  # of maps; the widest in one row, in several
LEADS_SHOWN = ("I", "II", "V1", "V6")
DISPLAY = ("overlay_index", "threshold", "sign_index", "normalise_index", "group_index")  # traits handed on


class ECGGrid(widgets.GridBox):
    """Maps of one recording beside each other: a small ECGCanvas for each, all moved by the same display traits.

    ``show``, ``put``, ``tell`` and ``plot`` are those of :class:`MapCanvas`, with an ECG for the picture. The traits
    are those of :class:`ECGCanvas`; a link in the browser hands each on to every canvas.
    """

    overlay_index = traitlets.Int().tag(sync=True)
    threshold = traitlets.Float().tag(sync=True)
    sign_index = traitlets.Int().tag(sync=True)
    normalise_index = traitlets.Int().tag(sync=True)
    group_index = traitlets.Int().tag(sync=True)
    previous = traitlets.Unicode()  # what stands before the title where the controls ask for something else

    def __init__(self):
        super().__init__(layout=widgets.Layout(grid_gap=f"8px {GAP_PX}px"))
        self.pool: list[ECGCanvas] = []  # canvases, each linked once; some may be out of sight
        self.links: list = []
        self.ecg, self.maps, self.notes, self.title, self.window = None, {}, {}, "", {}

    def show(
        self,
        ecg: ECG,
        maps: Mapping[str, Tensor | np.ndarray | None],
        *,
        notes: Mapping[str, str] | None = None,
        title: str = "",
        start: float | None = None,
        stop: float | None = None,
    ) -> None:
        """Show maps, title -> relevance (12, T), of an ECG; None stands for one that ``put`` will bring."""
        self.ecg, self.maps, self.notes, self.title = ecg, dict(maps), dict(notes or {}), title
        self.window = {"start": start, "stop": stop}
        while len(self.pool) < len(self.maps):
            self._another()
        for canvas, (name, relevance) in zip(self.pool, self.maps.items(), strict=False):
            heading = f"{name}: {tr('waiting')}" if relevance is None else self._heading(name)
            values = np.zeros(ecg.signal.shape) if relevance is None else relevance
            canvas.show(ecg, values, title=heading, **self.window)
        children = tuple(self.pool[: len(self.maps)])
        if children != self.children:  # type: ignore[has-type]
            self.children = children
            self._deal(len(children))

    def put(self, name: str, relevance: Tensor | np.ndarray, note: str | None = None) -> None:
        """Show a map of the ECG that is there."""
        self.maps[name] = relevance
        if note:
            self.notes[name] = note
        self._canvas(name).show(self.ecg, relevance, title=self._heading(name), **self.window)

    def tell(self, name: str, text: str, share: float | None = None) -> None:
        """Say beside a map's title what becomes of it, and how much of the work is done, 0 to 1."""
        self._canvas(name).title = f"{name}: {text}" + (f", {percent(share)}" if share else "")

    def plot(self) -> CourseFigure:
        """Return what is shown as a figure, by ``plot_grid``; maps to come are left out."""
        maps = {name: one for name, one in self.maps.items() if one is not None}
        group = CHOICES["group"][self.group_index]
        return plot_grid(
            self.ecg, maps, leads=GROUPS[group] or LEADS_SHOWN, style=CHOICES["overlay"][self.overlay_index],
            normalise=CHOICES["normalise"][self.normalise_index], threshold=self.threshold,
            sign=CHOICES["sign"][self.sign_index], notes=self.notes, title=titled(self.previous, self.title),
            **self.window,
        )  # fmt: skip

    @traitlets.observe("previous")
    def _name_previous(self, change) -> None:
        for canvas in self.pool:
            canvas.previous = change.new

    def close(self) -> None:
        """Close the grid and every canvas, those out of sight too."""
        for widget in parts(self.pool, self.links):
            if widget is not self:
                widget.close()
        super().close()

    def _deal(self, count: int) -> None:
        """Deal maps into rows of the same length, as few as the page has room for, all of them on one screen."""
        rows = ceil(count / MOST_COLUMNS)
        columns, widest = ceil(count / rows), WIDEST_PX[rows > 1]
        own = f"calc((100% - {GAP_PX * (columns - 1)}px) / {columns})"
        self.layout.grid_template_columns = f"repeat(auto-fill, minmax(max({LEAST_PX}px, {own}), 1fr))"
        self.layout.max_width = f"{widest * columns + GAP_PX * (columns - 1)}px"

    def _heading(self, name: str) -> str:
        return " · ".join(filter(None, (name, self.notes.get(name))))

    def _canvas(self, name: str) -> ECGCanvas:
        return self.pool[list(self.maps).index(name)]

    def _another(self) -> None:
        """Make one more canvas, and link its display to the grid's."""
        canvas = ECGCanvas(np.zeros((len(LEADS), 2)), fs=1.0, leads=list(LEADS_SHOWN), columns=1)
        canvas.add_class("leadwise-compact")
        self.links += [widgets.jsdlink((self, trait), (canvas, trait)) for trait in DISPLAY]
        self.pool.append(canvas)
