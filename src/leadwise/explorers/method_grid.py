"""Any number of methods side by side, on one picture or on one recording."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
from torch import nn

from leadwise.attribution import METHODS
from leadwise.ecg.record import ECG
from leadwise.explorers.base import RARE, SlowExplorer, changed, drop, fold, grid, parameter_controls, plain
from leadwise.explorers.ecg_grid import LEADS_SHOWN
from leadwise.explorers.picture import Picture
from leadwise.explorers.picture_subject import PictureSubject
from leadwise.explorers.recording_subject import RecordingSubject
from leadwise.explorers.script import complete, written
from leadwise.explorers.subject import Asked
from leadwise.explorers.worker import Cancelled
from leadwise.networks.network import Network
from leadwise.networks.weights import ECG_MODELS
from leadwise.plotting import number
from leadwise.recordings.catalogue import records

METHODS_SHOWN = ("gradient", "gradient_x_input", "integrated_gradients", "grad_cam", "lrp_epsilon", "lrp_epsilon_plus")
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

    def __init__(
        self,
        source: ECG | Picture | None = None,
        model: nn.Module | Network | str | None = None,
        methods: Sequence[str] = METHODS_SHOWN,
        target: int | str | None = None,
    ):
        unknown = [method for method in methods if method not in METHODS]
        if unknown or not methods:
            raise ValueError(
                f"methods are {tuple(methods)}; expected one or more of {', '.join(METHODS)}."
                + f" Unknown: {', '.join(unknown)}." * bool(unknown)
            )
        recording = isinstance(source, ECG) or (isinstance(source, str) and source in records())
        self.subject: RecordingSubject | PictureSubject
        if recording or isinstance(source, ECG):
            self.subject = _recording(source, model, target)
        else:
            self.subject = PictureSubject(source, model, target)
        self.previous = "previous recording" if recording else "previous picture"
        self.display = self.subject.display
        self.maps: OrderedDict = OrderedDict()  # Asked -> relevance, the latest last
        self.offered: dict = {}  # method -> controls of its parameters
        self.shown: tuple[Asked, ...] = ()  # what is asked
        self.main, self.sliders = grid([]), grid([])
        self.folded = fold("more")
        choice = widgets.SelectMultiple(
            options=[(row.title, name) for name, row in METHODS.items()],
            value=tuple(methods), rows=8, layout=widgets.Layout(width="auto", margin="0"),
        )  # fmt: skip
        self.of = drop("set for", [("no method", None)], None)
        self.of.observe(self._chosen, "value")
        super().__init__({"methods": choice, **self.subject.controls})

    def make_canvas(self):
        """Return the view of all maps, blank."""
        return self.subject.several()

    def panel(self) -> widgets.Widget:
        """Return the choice of methods, their parameters, what is explained, how it is drawn; what is rare, folded."""
        words = widgets.HTML("<b>methods</b> <small>(Ctrl or ⌘ adds one)</small>")
        self.lay_out()
        return widgets.VBox([words, self.controls["methods"], self.of, self.sliders, self.main, self.folded])

    def lay_out(self) -> None:
        """Offer the controls that matter now."""
        how = {name: self.controls[name] for name in self.display}
        main = [control for name, control in how.items() if name not in RARE]
        rare = [control for name, control in how.items() if name in RARE]
        self.main.children = [*self.subject.needed(), *main]
        methods = [name for name in self.controls["methods"].value if self.parameters(name)]
        options = [(METHODS[name].title, name) for name in methods] or [("no method", None)]
        if list(self.of.options) != options:
            kept = self.of.value
            with self.quietly():
                self.of.options = options
                self.of.index = methods.index(kept) if kept in methods else 0
        of = self.parameters(self.of.value) if self.of.value else {}
        self.sliders.children = [control for name, control in of.items() if name not in RARE]
        seldom = [control for name, control in of.items() if name in RARE]
        self.folded.children[0].children = [*seldom, *self.subject.rare(), *rare]

    def parameters(self, method: str) -> dict[str, widgets.Widget]:
        """Return the controls of a method's parameters; the same ones each time."""
        if method not in self.offered:
            self.offered[method] = parameter_controls(method, {}, self.subject.images)
            for control in self.offered[method].values():
                control.observe(self._changed, "value")
        return self.offered[method]

    def _chosen(self, change) -> None:
        if not self.quiet:
            self.lay_out()

    def _changed(self, change) -> None:
        if self.quiet:
            return
        try:
            with self.quietly():
                self.subject.turn(self.subject.follow(change.owner))
        except Exception as error:
            self._refuse(change, error)
            return
        self.lay_out()
        super()._changed(change)

    def asked(self, case: Any) -> tuple[Asked, ...]:
        """Return what is asked of a case: every chosen method with its parameters."""
        settings = {
            name: tuple((key, plain(control.value)) for key, control in self.parameters(name).items())
            for name in self.controls["methods"].value
        }
        return tuple(Asked(case, name, values) for name, values in settings.items())

    def refresh(self) -> None:
        """Show the maps for the present values: those that are known at once, the others as they come."""
        self.worker.cancel()
        try:
            if not self.controls["methods"].value:
                raise ValueError("no method is chosen; choose one or more of the list.")
            with self.quietly():
                asked = self.asked(self.subject.case())
        except Exception as error:
            self._fail(error)
            return
        self._start(lambda check: self._attempt(lambda: self._fill(asked, check)))

    def cancel(self) -> None:
        """Compute no further maps; those that are there stay."""
        if self.worker.stop():
            for asked in self.shown:
                if asked not in self.maps:
                    self.canvas.tell(METHODS[asked.method].title, "cancelled")

    def code(self) -> str:
        """Return code that makes the maps that are shown, complete."""
        case, images = self.shown[0].case, self.subject.images
        lines, fill = self.subject.script(case)
        calls = [
            (METHODS[one.method].title, self.subject.call(one, written(changed(one, images)))) for one in self.shown
        ]
        maps = [f"    {title!r}: {call}," for title, call in calls]
        return complete(*lines, "maps = {", *maps, "}", self.subject.pictures_of(case), fill=tuple(fill))

    def _fill(self, asked: tuple[Asked, ...], check) -> str:
        """Show the maps that are known, compute the others; return the line below them. Runs in the worker's thread."""
        case, self.shown = asked[0].case, asked
        known = {one: self.maps.get(one) for one in asked}
        titles = {one: METHODS[one.method].title for one in asked}
        notes = {titles[one]: self._note(one, r) for one, r in known.items() if r is not None}
        self.subject.show(self.canvas, case, {titles[one]: r for one, r in known.items()}, notes)
        missing, line = [one for one, relevance in known.items() if relevance is None], self.subject.line(case)
        self._shown(line)
        try:
            for done, one in enumerate(missing):
                self.bar.value, self.busy.layout.visibility = done / len(missing), "visible"
                self._add(one, check)
        finally:
            self.busy.layout.visibility = "hidden"
        return line

    def _note(self, asked: Asked, relevance) -> str:
        """Return what a map adds up to, and which parameters are not at their defaults."""
        moved = changed(asked, self.subject.images).items()
        said = [f"{key} {number(value) if isinstance(value, float) else value}" for key, value in moved]
        return " · ".join([self.subject.note(asked.case, relevance), *said])

    def _add(self, asked: Asked, check) -> None:
        """Compute one map and show it; an error stands below its title."""
        title, told = METHODS[asked.method].title, time.monotonic()

        def progress(done, total):
            nonlocal told
            check()
            if time.monotonic() - told > OFTEN:
                told = time.monotonic()
                self.canvas.tell(title, "computing", done / total)

        check()
        self.canvas.tell(title, "computing", 0.0)
        try:
            relevance = self.subject.explain(asked, progress)
        except Cancelled:
            raise
        except Exception as error:
            self.canvas.tell(title, str(error) or type(error).__name__)
            return
        self.maps[asked] = relevance
        while len(self.maps) > KEPT:
            self.maps.popitem(last=False)
        check()
        self.canvas.put(title, self.subject.drawn(asked.case, relevance), self._note(asked, relevance))


def _recording(source, model, target) -> RecordingSubject:
    """Return a recording as subject; by default explained by the network of its own pathology."""
    if model is None:
        model = next((name for name in ECG_MODELS if source in records(name)), "LBBB")
    return RecordingSubject(source, model, target, leads=", ".join(LEADS_SHOWN))
