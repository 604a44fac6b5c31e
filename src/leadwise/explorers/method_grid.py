"""Any number of methods side by side, on one picture or on one recording."""

import time
from collections.abc import Sequence

import ipywidgets as widgets
from torch import nn

from leadwise.attribution import METHODS
from leadwise.ecg.record import ECG
from leadwise.explorers.base import SubjectExplorer, called, changed, drop
from leadwise.explorers.ecg_grid import LEADS_SHOWN
from leadwise.explorers.picture import Picture
from leadwise.explorers.picture_subject import PictureSubject
from leadwise.explorers.recording_subject import RecordingSubject
from leadwise.explorers.script import complete, written
from leadwise.explorers.subject import Asked
from leadwise.explorers.worker import Cancelled
from leadwise.language import mark, tr
from leadwise.networks.network import Network
from leadwise.networks.weights import ECG_MODELS
from leadwise.plotting import number
from leadwise.recordings.catalogue import records

METHODS_SHOWN = ("gradient", "gradient_x_input", "integrated_gradients", "grad_cam", "lrp_epsilon", "lrp_epsilon_plus")
OFTEN = 0.1  # seconds between two reports of one method
NONE = mark("no method")


class MethodGrid(SubjectExplorer[RecordingSubject | PictureSubject]):
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

    kept = 256

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
        subject: RecordingSubject | PictureSubject
        if isinstance(source, ECG) or (isinstance(source, str) and source in records()):
            own = (name for name in ECG_MODELS if source in records(name))  # the network of its own pathology
            subject = RecordingSubject(source, model or next(own, "LBBB"), target, leads=", ".join(LEADS_SHOWN))
        else:
            subject = PictureSubject(source, model, target)
        self.shown: tuple[Asked, ...] = ()  # what is asked
        choice = widgets.SelectMultiple(
            options=[(tr(row.title), name) for name, row in METHODS.items()],
            value=tuple(methods), rows=8, layout=widgets.Layout(width="auto", margin="0"),
        )  # fmt: skip
        self.of = drop(tr("set for"), [(tr(NONE), None)], None)
        self.of.observe(lambda change: None if self.quiet else self.lay_out(), "value")
        super().__init__(subject, {"methods": choice})

    def make_canvas(self):
        """Return the view of all maps, blank."""
        return self.subject.several()

    def panel(self) -> widgets.Widget:
        """Return the choice of methods, what is explained, their parameters, how it is drawn; what is rare, folded."""
        words = widgets.HTML(f"<b>{tr('methods')}</b> <small>({tr('Ctrl or ⌘ adds one')})</small>")
        self.lay_out()
        return widgets.VBox([words, self.controls["methods"], self.main, self.folded])

    def chosen(self) -> tuple[list[widgets.Widget], dict[str, widgets.Widget]]:
        """Return the choice of the method that the sliders belong to, and these."""
        methods = [name for name in self.controls["methods"].value if self.parameters_of(name)]
        options = [(tr(METHODS[name].title), name) for name in methods] or [(tr(NONE), None)]
        if list(self.of.options) != options:
            kept = self.of.value
            with self.quietly():
                self.of.options = options
                self.of.index = methods.index(kept) if kept in methods else 0
        return [self.of], self.parameters_of(self.of.value) if self.of.value else {}

    def ask(self) -> tuple[Asked, ...]:
        """Return what the controls ask of every chosen method."""
        if not self.controls["methods"].value:
            raise ValueError(tr("no method is chosen; choose one or more of the list."))
        case = self.subject.case()
        return tuple(self.asked_of(case, name, self.parameters_of(name)) for name in self.controls["methods"].value)

    def begin(self, asked: tuple[Asked, ...]) -> None:
        """Show the maps that are known at once, the others as they come."""
        self._start(lambda check: self._attempt(lambda: self._fill(asked, check)))

    def cancel(self) -> None:
        """Compute no further maps; those that are there stay."""
        if self.worker.stop():
            for asked in self.shown:
                if asked not in self.answers:
                    self.canvas.tell(tr(METHODS[asked.method].title), tr("cancelled"))

    def code(self) -> str:
        """Return code that makes the maps that are shown, complete."""
        case, images = self.shown[0].case, self.subject.images
        lines, fill = self.subject.script(case)
        calls = [
            (tr(METHODS[one.method].title), self.subject.call(one, written(changed(one, images)))) for one in self.shown
        ]
        maps = [f"    {title!r}: {call}," for title, call in calls]
        return complete(*lines, "maps = {", *maps, "}", self.subject.pictures_of(case), fill=tuple(fill))

    def _fill(self, asked: tuple[Asked, ...], check) -> str:
        """Show the maps that are known, compute the others; return the line below them. Runs in the worker's thread."""
        case, self.shown = asked[0].case, asked
        known = {one: self.answers[one].relevance if one in self.answers else None for one in asked}
        titles = {one: tr(METHODS[one.method].title) for one in asked}
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
        said = [f"{called(key)} {number(value) if isinstance(value, float) else value}" for key, value in moved]
        return " · ".join([self.subject.note(asked.case, relevance), *said])

    def _add(self, asked: Asked, check) -> None:
        """Compute one map and show it; an error stands below its title."""
        title, told = tr(METHODS[asked.method].title), time.monotonic()

        def progress(done, total):
            nonlocal told
            check()
            if time.monotonic() - told > OFTEN:
                told = time.monotonic()
                self.canvas.tell(title, tr("computing"), done / total)

        check()
        self.canvas.tell(title, tr("computing"), 0.0)
        try:
            answer = self.subject.explain(asked, progress)
        except Cancelled:
            raise
        except Exception as error:
            self.canvas.tell(title, str(error) or type(error).__name__)
            return
        self.keep(asked, answer)
        check()
        drawn, note = self.subject.drawn(asked.case, answer.relevance), self._note(asked, answer.relevance)
        self.canvas.put(title, drawn, note)
