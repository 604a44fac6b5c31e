"""Any number of methods side by side, on one picture or on one recording."""

import time
from collections import OrderedDict
from functools import lru_cache
from html import escape

import ipywidgets as widgets
import numpy as np
import torch
import traitlets

from leadwise.attribution import METHODS
from leadwise.ecg.calibration import cut_calibration
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.explorers.base import SlowExplorer, drop, explain, grid, parts, slide
from leadwise.explorers.canvas import CHOICES, GROUPS, ECGCanvas
from leadwise.explorers.ecg import DISPLAY as ECG_DISPLAY
from leadwise.explorers.ecg import (
    LATEST,
    Menu,
    classes_control,
    described,
    display_controls,
    latest,
    offer_classes,
    offer_window,
    titles,
)
from leadwise.explorers.images import BLANK, Explained
from leadwise.explorers.images import DISPLAY as IMAGE_DISPLAY
from leadwise.explorers.images import display_controls as image_display_controls
from leadwise.explorers.map_canvas import MapCanvas
from leadwise.explorers.picture import PictureChoice
from leadwise.explorers.worker import Cancelled
from leadwise.networks.weights import ECG_MODELS
from leadwise.plotting import number, percent, plot_grid
from leadwise.plotting.explained import positive_share
from leadwise.plotting.sheet import CourseFigure
from leadwise.recordings.catalogue import load_record, records

METHODS_SHOWN = ("gradient", "gradient_x_input", "integrated_gradients", "grad_cam", "lrp_epsilon", "lrp_epsilon_plus")
LEADS_SHOWN = ("I", "II", "V1", "V6")
GIVEN = "the given recording"
KEPT = 256  # maps that the grid remembers
OFTEN = 0.1  # seconds between two reports of one method


class MethodGrid(SlowExplorer):
    """Choose methods; see their maps of one picture or one recording beside each other.

    Maps come one after the other, in a thread of their own, and are kept. The newest input wins.

    Parameters
    ----------
    source : a recording: an ECG or a name of ``records()``; or a picture, as ``ImageExplorer`` takes it; None is
        scene 0 with two objects
    model : a name of ``NETWORKS``, or a network that says what it takes; for a picture also what ``load_alexnet`` takes
    methods : keys of ``METHODS``, to begin with; each runs with its defaults
    target : class to explain first: an index or, for a picture, its name. None is the most probable class of a picture,
        and the pathology of a recording

    Raises
    ------
    ValueError : an unknown method, model or class, or no method at all
    """

    def __init__(self, source=None, model=None, methods=METHODS_SHOWN, target=None):
        unknown = [method for method in methods if method not in METHODS]
        if unknown or not methods:
            raise ValueError(
                f"methods are {tuple(methods)}; expected one or more of {', '.join(METHODS)}."
                + f" Unknown: {', '.join(unknown)}." * bool(unknown)
            )
        recording = isinstance(source, ECG) or (isinstance(source, str) and source in records())
        self.subject = (_Recording if recording else _Picture)(source, model, target)
        self.display = self.subject.display
        self.maps: OrderedDict = OrderedDict()  # (what is explained, method) -> relevance, the latest last
        self.source_box, self.save_button = grid(self.subject.needed()), self.saver()
        choice = widgets.SelectMultiple(
            options=[(row.title, name) for name, row in METHODS.items()],
            value=tuple(methods), rows=9, layout=widgets.Layout(width="auto", margin="0"),
        )  # fmt: skip
        super().__init__({"methods": choice, **self.subject.controls})

    def make_canvas(self):
        """Return the view of all maps, blank."""
        return self.subject.canvas()

    def panel(self) -> widgets.Widget:
        """Return the choice of methods, and beside it what is explained and how it is drawn."""
        words = widgets.HTML("<b>methods</b> <small>(Ctrl or ⌘ adds one, Shift adds a range)</small>")
        left = widgets.VBox([words, self.controls["methods"]], layout=widgets.Layout(flex="1 1 300px", min_width="0"))
        how = grid(self.controls[name] for name in self.display)
        right = widgets.VBox([self.source_box, how], layout=widgets.Layout(flex="2 1 340px", min_width="0"))
        shape = {"display": "flex", "flex_flow": "row wrap", "align_items": "flex-start", "grid_gap": "0 16px"}
        return widgets.Box([left, right], layout=widgets.Layout(**shape))

    def below(self) -> list[widgets.Widget]:
        """Return a button that saves the figure."""
        return [widgets.HBox([self.save_button], layout=widgets.Layout(justify_content="flex-end"))]

    def _changed(self, change) -> None:
        if self.quiet or self.subject.follow(change.owner):  # another source comes back here
            return
        self.source_box.children = self.subject.needed()
        super()._changed(change)

    def refresh(self) -> None:
        """Show the maps for the present values: those that are known at once, the others as they come."""
        self.worker.cancel()
        try:
            methods = self.controls["methods"].value
            if not methods:
                raise ValueError("no method is chosen; choose one or more of the list.")
            with self.quietly():
                case = self.subject.case()
        except Exception as error:
            self._fail(error)
            return
        self._start(lambda check: self._attempt(lambda: self._fill(case, methods, check)))

    def cancel(self) -> None:
        """Compute no further maps; those that are there stay."""
        if self.worker.stop():
            for name in self.controls["methods"].value:
                if (self.case, name) not in self.maps:
                    self.canvas.tell(METHODS[name].title, "cancelled")

    def _fill(self, case, methods, check) -> str:
        """Show the maps that are known, compute the others; return the line above them. Runs in the worker's thread."""
        self.case = case
        known = {name: self.maps.get((case, name)) for name in methods}
        notes = {METHODS[n].title: self.subject.note(case, r) for n, r in known.items() if r is not None}
        self.subject.show(self.canvas, case, {METHODS[n].title: r for n, r in known.items()}, notes)
        missing, line = [name for name, one in known.items() if one is None], self.subject.line(case)
        self.say(line)
        try:
            for done, name in enumerate(missing):
                self.bar.value, self.busy.layout.display = done / len(missing), "flex"
                self._add(case, name, check)
        finally:
            self.busy.layout.display = "none"
        return line

    def _add(self, case, name: str, check) -> None:
        """Compute one map and show it; an error stands below its title."""
        title, told = METHODS[name].title, time.monotonic()

        def progress(done, total):
            nonlocal told
            check()
            if time.monotonic() - told > OFTEN:
                told = time.monotonic()
                self.canvas.tell(title, "computing", done / total)

        check()
        self.canvas.tell(title, "computing", 0.0)
        try:
            relevance = self.subject.explain(case, name, progress)
        except Cancelled:
            raise
        except Exception as error:
            self.canvas.tell(title, str(error) or type(error).__name__)
            return
        self.maps[case, name] = relevance
        while len(self.maps) > KEPT:
            self.maps.popitem(last=False)
        check()
        self.canvas.put(title, relevance, self.subject.note(case, relevance))


class _Picture:
    """A picture, its network and the explained class."""

    display = IMAGE_DISPLAY

    def __init__(self, source, model, target):
        self.choice, self.explained = PictureChoice(source, objects=2), Explained(model)
        chosen = {"network": self.explained.network, "target": self.explained.control}
        self.controls = {**self.choice.controls, **chosen, **image_display_controls()}
        self.explained.look(self.choice.shown())
        if target is not None:
            self.explained.choose(target)

    def needed(self) -> list[widgets.Widget]:
        return [*self.choice.needed(), self.controls["network"], self.controls["target"]]

    def follow(self, control) -> bool:
        return self.choice.follow(control)

    def canvas(self) -> MapCanvas:
        return MapCanvas(BLANK, {"": BLANK[..., 0] * 0.0})

    def case(self) -> tuple:
        """Return the picture, the explained class and the network."""
        self.explained.turn(self.controls["network"].value)
        shown = self.choice.shown()
        self.explained.look(shown)
        return shown, self.explained.index(), self.explained.name

    def explain(self, case, method, progress) -> torch.Tensor:
        return explain(self.explained.net, case[0].x, method, case[1], progress)

    def note(self, case, relevance) -> str:
        """Return the sum of a map and how much of its positive part lies on the object of the explained class."""
        name = self.explained.net.classes[case[1]]
        mask = case[0].objects.get(name)
        share = "" if mask is None else f" · {percent(positive_share(relevance, mask))} on the {name}"
        return f"sum {number(float(relevance.sum()))}{share}"

    def show(self, canvas: MapCanvas, case, maps, notes) -> None:
        shown, target, _ = case
        title = f"{shown.name}, explained: {self.explained.net.classes[target]}"
        canvas.show(shown.x, maps, objects=shown.objects, notes=notes, title=title)

    def line(self, case) -> str:
        (shown, target, _), net = case, self.explained.net
        (logits, nothing), name = self.explained.logits(shown), escape(net.classes[target])
        p, logit = float(net.probability(shown.x[None])[0, target]), float(logits[target])
        who = escape(self.explained.described.removeprefix("the "))
        line = f"{who}: p({name}) = {p:.3f} · explained logit f(x) = {number(logit)}"
        return f"{line}, f(x) − f(0) = {number(logit - float(nothing[target]))}"


class _Recording:
    """A recording, its network, the explained class and the window."""

    display = ECG_DISPLAY

    def __init__(self, source, model, target):
        available = records()
        self.given = source if isinstance(source, ECG) else None
        if model is None:
            model = next((name for name in ECG_MODELS if source in records(name)), "LBBB")
        self.networks = Menu(model)
        self.recording = lru_cache(maxsize=8)(self._recording)
        self.answers = lru_cache(maxsize=8)(self._answers)
        options = [(GIVEN, GIVEN)] * (self.given is not None) + titles(available)
        leads = [(", ".join(LEADS_SHOWN), "all"), *((group, group) for group in CHOICES["group"][1:])]
        net = self.networks[self.networks.first]
        self.controls = {
            "record": drop("record", options, GIVEN if self.given else source),
            "model": drop("model", self.networks.options, self.networks.first),
            "target": classes_control(net),
            "start": slide("start (s)", LATEST, 0.1, ".1f"),
            **display_controls(leads),
        }
        if target is not None:
            self.controls["target"].value = net.index(target)

    def _recording(self, name: str, model: str) -> ECG:
        ecg = self.given if name == GIVEN else load_record(name)
        return self.networks[model].recording(cut_calibration(ecg))

    def needed(self) -> list[widgets.Widget]:
        return [self.controls[name] for name in ("record", "model", "target", "start")]

    def follow(self, control) -> bool:
        return False

    def canvas(self) -> "ECGGrid":
        return ECGGrid()

    def case(self) -> tuple:
        """Return recording, network, class, and where the window starts."""
        record, model, _, start = (control.value for control in self.needed())
        recording, net = self.recording(record, model), self.networks[model]
        offer_window(self.controls["start"], recording, net)
        offer_classes(self.controls["target"], net)
        case = record, model, latest(start, recording, net)
        target = self.controls["target"].value
        return *case[:2], int(self.answers(*case)[1].argmax()) if target is None else target, case[2]

    def _answers(self, record: str, model: str, start: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return input (1, ...), probabilities (K,) and log-odds (K,) of a window."""
        net = self.networks[model]
        x = net.input_of(self.recording(record, model), start)
        with torch.no_grad():
            return x, net.probability(x)[0], net.log_odds(x)[0]

    def explain(self, case, method, progress) -> torch.Tensor:
        record, model, target, start = case
        net, recording = self.networks[model], self._window(case)
        relevance = explain(net, self.answers(record, model, start)[0], method, target, progress, explain="log-odds")
        return torch.from_numpy(net.on_recording(relevance, recording))

    def _window(self, case) -> ECG:
        record, model, _, start = case
        x = self.answers(record, model, start)[0]
        return self.recording(record, model).window(start, self.networks[model].by_leads(x).shape[-1])

    def note(self, case, relevance) -> str:
        return f"sum {number(float(relevance.sum()))}"

    def show(self, canvas: "ECGGrid", case, maps, notes) -> None:
        record, model, target, _ = case
        net = self.networks[model]
        title = f"{record}: the {net.title} network, explained: log-odds of {net.class_name(target)}"
        canvas.show(self._window(case), maps, notes=notes, title=title)

    def line(self, case) -> str:
        record, model, target, start = case
        net, (_, probabilities, odds) = self.networks[model], self.answers(record, model, start)
        shown = net.index() if len(probabilities) == 2 and net.outputs == "classes" else target
        p = f"p({escape(net.class_name(shown))}) = {float(probabilities[shown]):.3f}"
        return f"{escape(described(net))}: {p} · explained log-odds {number(float(odds[target]))}"


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

    def __init__(self):
        shape = {"grid_template_columns": "repeat(auto-fill, minmax(330px, 1fr))", "grid_gap": "14px"}
        super().__init__(layout=widgets.Layout(**shape))
        self.pool: list[ECGCanvas] = []  # canvases, each linked once; some may be out of sight
        self.links: list = []
        self.ecg, self.maps, self.notes, self.title = None, {}, {}, ""

    def show(self, ecg: ECG, maps, *, notes=None, title="") -> None:
        """Show maps, title -> relevance (12, T), of an ECG; None stands for one that ``put`` will bring."""
        self.ecg, self.maps, self.notes, self.title = ecg, dict(maps), dict(notes or {}), title
        while len(self.pool) < len(self.maps):
            self._another()
        for canvas, (name, relevance) in zip(self.pool, self.maps.items(), strict=False):
            heading = f"{name}: waiting" if relevance is None else self._heading(name)
            canvas.show(ecg, np.zeros(ecg.signal.shape) if relevance is None else relevance, title=heading)
        children = tuple(self.pool[: len(self.maps)])
        if children != self.children:  # type: ignore[has-type]
            self.children = children

    def put(self, name: str, relevance, note: str | None = None) -> None:
        """Show a map of the ECG that is there."""
        self.maps[name] = relevance
        if note:
            self.notes[name] = note
        self._canvas(name).show(self.ecg, relevance, title=self._heading(name))

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
            sign=CHOICES["sign"][self.sign_index], notes=self.notes, title=self.title,
        )  # fmt: skip

    def close(self) -> None:
        """Close the grid and every canvas, those out of sight too."""
        for widget in parts(self.pool, self.links):
            if widget is not self:
                widget.close()
        super().close()

    def _heading(self, name: str) -> str:
        return " · ".join(filter(None, (name, self.notes.get(name))))

    def _canvas(self, name: str) -> ECGCanvas:
        return self.pool[list(self.maps).index(name)]

    def _another(self) -> None:
        """Make one more canvas, and link its display to the grid's."""
        canvas = ECGCanvas(np.zeros((len(LEADS), 2)), fs=1.0, leads=list(LEADS_SHOWN), columns=1)
        canvas.add_class("leadwise-compact")
        self.links += [widgets.jsdlink((self, trait), (canvas, trait)) for trait in ECG_DISPLAY.values()]
        self.pool.append(canvas)
