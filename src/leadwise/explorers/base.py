"""What all explorers share: controls, a live view, a line for messages, a static twin for pages without a kernel."""

import gc
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import anywidget
import ipywidgets as widgets

from leadwise.attribution.registry import METHODS, Parameter
from leadwise.explorers.code_line import CodeLine
from leadwise.explorers.figure_canvas import FigureCanvas
from leadwise.explorers.live import with_picture
from leadwise.explorers.script import complete, written
from leadwise.explorers.subject import Asked, Subject
from leadwise.explorers.worker import Cancelled, Worker
from leadwise.language import ENGLISH, current, mark, tr
from leadwise.paths import checkout
from leadwise.plotting.save import save_figure
from leadwise.plotting.sheet import CourseFigure
from leadwise.plotting.style import printable

LABEL = {"description_width": "76px"}
FIELD = widgets.Layout(width="auto")  # as wide as its cell of the grid
FAMILIES = {
    "gradient": mark("gradients"),
    "cam": mark("class activation maps"),
    "perturbation": mark("perturbation"),
    "LRP": mark("layer-wise relevance propagation"),
    "control": mark("controls that ask no network"),
}
PATIENCE = 0.08  # seconds that a control waits for its picture; after that, a bar shows how far the method has come
REST = 0.2  # seconds after which nobody is moving a control any more
# What controls of parameters are called, where the parameter's name says it badly or is another control's label.
WORDS = {
    "input_rule": "first layer", "mu": "sign from", "baseline": "reference", "leads": "hide leads",
    "reselect_target": "class anew", "total_variation": "levelling", "background": "compared to", "rate": "step size",
}  # fmt: skip
RARE = ("seed", "input_rule", "mu", "attention", "reselect_target", "style", "normalise", "clip")  # folded away
SIDE, STAGE = "9 1 236px", "100 1 540px"  # shares of controls and picture: beside each other from 800 px on,
WIDE = "100 1 700px"  # or from 960 px on: fewer controls stand above a picture that would be small to read
TOOLTIP = "tooltip" if hasattr(widgets.FloatSlider, "tooltip") else "description_tooltip"  # ipywidgets 8, 7


def grid(controls: Iterable[widgets.Widget]) -> widgets.GridBox:
    """Return controls in as many equal columns as the page has room for."""
    columns = "repeat(auto-fill, minmax(220px, 1fr))"
    shape = {"grid_template_columns": columns, "grid_gap": "0 8px", "align_items": "center", "margin": "0 0 6px 0"}
    return widgets.GridBox(list(controls), layout=widgets.Layout(**shape))


def fold(title: str, *controls: widgets.Widget) -> widgets.Accordion:
    """Return controls under a heading that shows them when it is pressed."""
    folded = widgets.Accordion(children=[grid(controls)], selected_index=None)
    folded.set_title(0, title)
    return folded


def parts(*roots: object) -> list[widgets.Widget]:
    """Return the widgets among ``roots``, and all that belong to them: children, layouts, styles, ends of links.

    ``FIELD`` is left out: it belongs to all explorers. Roots may be widgets, or mappings and sequences of widgets.
    """
    found, waiting = {}, list(roots)
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, widgets.Widget):
            if thing is not FIELD and id(thing) not in found:
                found[id(thing)] = thing
                waiting += [getattr(thing, name) for name in thing.keys if name[:1] != "_"]
        elif isinstance(thing, Mapping):
            waiting += thing.values()
        elif isinstance(thing, list | tuple):
            waiting += [one for one in thing if isinstance(one, widgets.Widget | Mapping | list | tuple)]
    return list(found.values())


def arrange(box: widgets.Box, children: Iterable[widgets.Widget]) -> None:
    """Put children into a box; boxes that were in it are closed, what they hold is not."""
    before, box.children = box.children, list(children)
    for child in before:
        if isinstance(child, widgets.Box) and child not in box.children:
            child.layout.close()
            child.close()


def drop(description: str, options: Sequence[str | int | tuple[str, Any]], value: object) -> widgets.Dropdown:
    """Return a choice among options, words or (label, value).

    An option whose value is None is chosen by its place: ipywidgets takes ``value=None`` for no choice, an empty field.
    """
    values = [option[1] if isinstance(option, tuple) else option for option in options]
    return widgets.Dropdown(
        description=description, options=options, index=values.index(value), style=LABEL, layout=FIELD
    )


def worded(words: Iterable[str]) -> list:
    """Return words for a menu, each with what it is called in the language in use; in English as they are."""
    return list(words) if current() == ENGLISH else [(tr(word), word) for word in words]


def slide(description: str, high: float, step: float, readout_format: str, low: float = 0.0) -> widgets.FloatSlider:
    """Return a slider, at 0, from ``low`` to ``high``."""
    return widgets.FloatSlider(
        description=description, min=low, max=high, step=step, value=0.0, readout_format=readout_format,
        style=LABEL, layout=FIELD,
    )  # fmt: skip


def whole(description: str, value: int, low: int, high: int, step: int = 1) -> widgets.IntSlider:
    """Return a slider over whole numbers."""
    return widgets.IntSlider(
        description=description, value=value, min=low, max=high, step=step, style=LABEL, layout=FIELD
    )


def plain(value: object):
    """Return a number as it was meant: a browser that puts a slider on its step makes 0.08000000000000002 of 0.08."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


class Explorer:
    """Controls beside a live view. A subclass fills ``controls`` and implements ``draw`` and ``code``.

    ``draw`` is called whenever a control changes, except for those in ``display``: these change the view in the
    browser, without the kernel. An error is shown in the explorer; the last good picture stays, in grey and under
    another title. In a notebook the same output holds the live view and a PNG of the present state, which is what
    GitHub, print and an untrusted page show.

    The picture stands first in its column, so that nothing that is written or offered moves it.

    A kernel keeps every widget until it is told otherwise: ``close()`` an explorer that is no longer needed, or make it
    in a ``with`` statement.
    """

    display: Mapping[str, str] = MappingProxyType({})  # control -> trait of the canvas that it moves in the browser
    previous = mark("previous picture")  # what the picture is called once the controls ask for one that can't be shown
    stage = STAGE  # the picture's share of the room
    quiet = False  # whether controls are being set by the explorer itself

    def __init__(self, controls: dict[str, widgets.Widget]):
        self.controls = controls
        self.canvas = self.make_canvas()
        self.code_line, self.save_button = CodeLine(), self.saver(tr("save figure"), "save", self.save)
        self.message = widgets.HTML(layout=widgets.Layout(flex="1 1 auto", min_height="52px"))
        self.links = [widgets.jsdlink(self._source(name), (self.canvas, t)) for name, t in self.display.items()]
        for name, control in controls.items():
            if name not in self.display:
                control.observe(self._changed, "value")
        side = widgets.VBox([self.panel()], layout=widgets.Layout(flex=SIDE, min_width="0"))
        self.beneath = self.below()
        stage = [self.canvas, self.status(), *self.beneath, self.foot()]
        stage = widgets.VBox(stage, layout=widgets.Layout(flex=self.stage, min_width="0"))
        shape = {"display": "flex", "flex_flow": "row wrap", "align_items": "flex-start", "grid_gap": "0 12px"}
        self.view = widgets.Box([side, stage], layout=widgets.Layout(**shape))
        self.view.add_class("leadwise-explorer")
        self.error: Exception | None = None
        self.refresh()
        self.wait()
        if self.error:
            self.close()
            raise self.error

    def close(self) -> None:
        """Stop what is at work, and give back every widget that belongs to this explorer; its view vanishes."""
        worker = getattr(self, "worker", None)
        if worker is not None:
            worker.stop()
        for widget in parts(*vars(self).values()):
            widget.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def make_canvas(self):
        """Return the live view: a widget with ``plot()``, which returns the figure that shows the same."""
        return FigureCanvas()

    def panel(self) -> widgets.Widget:
        """Return the controls as laid out beside the picture."""
        return grid(self.controls.values())

    def status(self) -> widgets.Widget:
        """Return what stands right below the picture."""
        return self.message

    def below(self) -> list[widgets.Widget]:
        """Return what stands below that."""
        return []

    def foot(self) -> widgets.Widget:
        """Return the code that makes what is shown, to be copied, and a button that saves the figure."""
        shape = widgets.Layout(justify_content="space-between", align_items="flex-start")
        return widgets.HBox([self.code_line, self.save_button], layout=shape)

    def say(self, line: str) -> None:
        """Show a line of HTML below the picture, at once."""
        self.message.value = f"<div style='line-height: 1.5; padding: 4px 0'>{printable(line)}</div>"

    def complain(self, error: Exception) -> None:
        """Show what went wrong below the picture, at once."""
        self.say(f"<b class='leadwise-error'>{escape(str(error) or type(error).__name__)}</b>")

    def values(self) -> dict:
        """Return the present value of every control."""
        return {name: control.value for name, control in self.controls.items()}

    def draw(self) -> str:
        """Show on the canvas what the controls ask for; return a line to print below it (HTML)."""
        raise NotImplementedError

    def code(self) -> str:
        """Return code that makes what is shown, complete."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Show the picture for the present values; an error goes to the message line."""
        self._attempt(self.draw)

    def wait(self) -> None:
        """Wait until what the controls ask for is shown."""

    def plot(self):
        """Return what is shown as a figure."""
        for name, trait in self.display.items():
            control, key = self._source(name)
            self.canvas.set_trait(trait, getattr(control, key))  # the browser has done so already, if there is one
        return self.canvas.plot()

    @property
    def alt(self) -> str:
        """What is shown, in words."""
        return self.plot().alt

    def save(self, path: str | Path | None = None) -> list[Path]:
        """Save what is shown as PNG and SVG; by default in ``plots/explorers`` of the checkout or working folder."""
        name = type(self).__name__
        return save_figure(self.plot(), path or (checkout() or Path.cwd()) / "plots" / "explorers" / name)

    def saver(self, description: str, icon: str, make: Callable[[], list[Path]]) -> widgets.Button:
        """Return a button that saves files and says where; an error goes to the message line."""

        def save(button):
            try:
                files = make()
                names, folder = tr(" and ").join(file.name for file in files), str(files[0].parent)
                self.say(tr("Saved {names} in {folder}.", names=escape(names), folder=escape(folder)))
            except Exception as error:
                self.complain(error)

        shape = widgets.Layout(width="130px", flex="0 0 auto")
        button = widgets.Button(description=description, icon=icon, layout=shape)
        button.on_click(save)
        return button

    def _attempt(self, show) -> None:
        """Call a function that shows something and returns the line below it; an error takes the line's place."""
        try:
            line = show()
        except Cancelled:
            raise
        except Exception as error:
            self._fail(error)
        else:
            self._shown(line)

    def _shown(self, line: str) -> None:
        """Say what is shown now: no longer what was there before an error."""
        self.error = None
        self._date("")
        self.say(line)
        self.code_line.code = self.code()

    def _fail(self, error: Exception) -> None:
        """Keep an error and show it; the picture stays, as the previous one."""
        self.error = error
        self._date(tr(self.previous))
        self.complain(error)

    def _date(self, previous: str) -> None:
        """Call the picture an outdated one, it and what stands below it grey; or with "" the present one."""
        self.canvas.previous = previous
        for widget in self.beneath:
            (widget.add_class if previous else widget.remove_class)("leadwise-previous")

    def _refuse(self, change, error: Exception) -> None:
        """Show why a control can't be followed; where it went back to what is shown, that is no previous picture."""
        before = self.canvas.previous
        self._fail(error)
        if change.owner.value != change.new:
            self._date(before)

    def _changed(self, change) -> None:
        if not self.quiet:
            self.refresh()

    def _source(self, name: str) -> tuple[widgets.Widget, str]:
        """Return a control and the name of its trait that holds the choice: a browser knows a Dropdown's index only."""
        control = self.controls[name]
        return control, "index" if hasattr(control, "index") else "value"

    @contextmanager
    def quietly(self):
        """Set controls without drawing."""
        before, self.quiet = self.quiet, True
        try:
            yield
        finally:
            self.quiet = before

    def _repr_mimebundle_(self, include=None, exclude=None, **options):
        # The bundle of anywidget, which ipywidgets 7 lacks; in Colab it names the widget manager that the canvas needs.
        return with_picture(anywidget.AnyWidget._repr_mimebundle_(self.view), self.plot())


class FigureExplorer(Explorer):
    """An explorer whose ``figure`` returns a figure and a line (HTML)."""

    def figure(self) -> tuple[CourseFigure, str]:
        """Return the figure that the controls ask for, and the line below it."""
        raise NotImplementedError

    def draw(self) -> str:
        """Show the figure; return the line."""
        figure, line = self.figure()
        self.canvas.show(figure)
        return line

    def refresh(self) -> None:
        """Draw the figure for the present values; an error goes to the message line."""
        with COLLECTOR.waits():
            super().refresh()


class SlowExplorer(Explorer):
    """An explorer that computes in a thread of its own, with a bar and a button that cancels; the newest input wins."""

    def __init__(self, controls: dict[str, widgets.Widget]):
        self.worker = Worker()
        self.bar = widgets.FloatProgress(min=0.0, max=1.0, layout=widgets.Layout(width="90px", height="14px"))
        self.halt = widgets.Button(description=tr("cancel"), icon="stop", layout=widgets.Layout(width="90px"))
        self.halt.on_click(lambda button: self.cancel())
        self.busy = widgets.VBox([self.bar, self.halt], layout=widgets.Layout(visibility="hidden", flex="0 0 auto"))
        super().__init__(controls)

    def status(self) -> widgets.Widget:
        """Return the message and, at its right, the bar."""
        return widgets.HBox([self.message, self.busy], layout=widgets.Layout(align_items="flex-start"))

    def wait(self) -> None:
        """Wait until what the controls ask for is shown."""
        self.worker.wait()

    def cancel(self) -> None:
        """Stop what is at work; what is shown stays."""
        self.worker.stop()

    def _start(self, job) -> bool:
        """Have the worker begin a job, and wait a little; return whether it has ended."""
        with COLLECTOR.waits():
            self.worker.start(job)
            return self.worker.wait(PATIENCE)


S = TypeVar("S", bound=Subject)


class SubjectExplorer(SlowExplorer, Generic[S]):
    """An explorer of maps of a subject: menus that follow it, controls of methods' parameters, answers that are kept.

    A subclass says what is asked (``ask``) and shows it (``begin``).

    Parameters
    ----------
    subject : what is explained
    controls : which methods explain it
    """

    kept = 64  # answers that are remembered

    def __init__(self, subject: S, controls: dict[str, widgets.Widget]):
        self.subject, self.display, self.previous = subject, subject.display, subject.previous
        self.offered: dict = {}  # method, whether values were given -> controls of its parameters
        self.answers: OrderedDict = OrderedDict()  # Asked -> Receipt, or what a subclass makes of it; the latest last
        self.main, self.folded = grid([]), fold(tr("more"))
        super().__init__(subject.controls | controls)

    def parameters_of(self, method: str, given: dict | None = None) -> dict[str, widgets.Widget]:
        """Return the controls of a method's parameters; the same ones each time.

        Raises
        ------
        ValueError : a value is given for a parameter that the method lacks, or it is out of range
        """
        key = method, bool(given)
        if key not in self.offered:
            self.offered[key] = parameter_controls(method, given or {}, self.subject.images)
            for control in self.offered[key].values():
                control.observe(self._changed, "value")
        return self.offered[key]

    def chosen(self) -> tuple[list[widgets.Widget], dict[str, widgets.Widget]]:
        """Return the controls that choose a method, and those of the parameters of the chosen one."""
        raise NotImplementedError

    def lay_out(self) -> None:
        """Offer the controls that matter now; what is rare, folded."""
        method, parameters = self.chosen()
        how = parameters | {name: self.controls[name] for name in self.display}
        often = [control for name, control in how.items() if name not in RARE]
        seldom = [control for name, control in how.items() if name in RARE]
        self.main.children = [*self.subject.needed(), *method, *often]
        self.folded.children[0].children = [*self.subject.rare(), *seldom]

    def follow(self, control: widgets.Widget) -> bool:
        """Let menus follow a control that was moved; return whether other controls matter now."""
        self.subject.turn(control)
        return True

    def _changed(self, change) -> None:
        if self.quiet:
            return
        try:
            with self.quietly():
                others = self.follow(self.subject.follow(change.owner))
        except Exception as error:
            self._refuse(change, error)
            return
        if others:
            self.lay_out()
        super()._changed(change)

    def asked_of(self, case: Any, method: str, parameters: dict[str, widgets.Widget]) -> Asked:
        """Return what is asked of a method, its parameters as they stand."""
        return Asked(case, method, tuple((name, plain(control.value)) for name, control in parameters.items()))

    def keep(self, asked: Asked, answer: Any) -> None:
        """Remember an answer, and forget the oldest of too many."""
        self.answers[asked] = answer
        while len(self.answers) > self.kept:
            self.answers.popitem(last=False)

    def ask(self) -> Any:
        """Return what the controls ask for.

        Raises
        ------
        ValueError : they ask for nothing that could be shown
        """
        raise NotImplementedError

    def begin(self, asked: Any) -> None:
        """Show the answer: at once where it is known or soon computed, else when it is."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Show the answer for the present values, or why there is none."""
        self.worker.cancel()
        try:
            with self.quietly():
                asked = self.ask()
        except Exception as error:
            self._fail(error)
            return
        self.begin(asked)


class MethodExplorer(SubjectExplorer[S]):
    """An explorer of one map: a subject, a method, and controls for its parameters, made from the method's row.

    A subclass computes the answer (``answer``) and shows it (``show``). Answers are kept. A slow one is computed in a
    thread of its own, with a bar and a button that cancels it; the newest input wins.

    Parameters
    ----------
    subject : what is explained
    method : a key of ``METHODS``, to begin with
    given : values of its parameters; the others, and all other methods, start at their defaults
    families : which families of methods can be chosen
    """

    def __init__(self, subject: S, method: str, given: dict | None = None, families: Sequence[str] = tuple(FAMILIES)):
        family = METHODS[known_method(method)].family
        self.given = given or {}
        self.asked: Asked | None = None  # what is shown
        self.at_work: Asked | None = None  # what is being computed, for the bar
        self.lock = threading.Lock()
        controls = {
            "family": drop(tr("family"), [(tr(FAMILIES[key]), key) for key in families], family),
            "method": drop(tr("method"), methods_of(family), method),
        }
        super().__init__(subject, controls)

    def panel(self) -> widgets.Widget:
        """Return what is explained, by which method with which parameters, how it is drawn; what is rare, folded."""
        self.parameters = self.parameters_of(self.controls["method"].value, self.given)
        self.lay_out()
        return widgets.VBox([self.main, self.folded])

    def chosen(self) -> tuple[list[widgets.Widget], dict[str, widgets.Widget]]:
        """Return family and method, and the controls of its parameters."""
        return [self.controls["family"], self.controls["method"]], self.parameters

    def follow(self, control: widgets.Widget) -> bool:
        """Offer the methods of another family; parameters of another method begin at their defaults."""
        super().follow(control)
        family, method = self.controls["family"], self.controls["method"]
        if control is family:
            method.options = methods_of(family.value)  # chooses the first
        if control in (family, method):
            self.parameters = self.parameters_of(method.value)
            for name, default in METHODS[method.value].defaults(self.subject.images).items():
                if name in self.parameters:  # a browser may still send what it has of them: they are kept
                    self.parameters[name].value = default
        return control not in self.parameters.values()

    def settings(self) -> dict:
        """Return the parameters of the method as they stand."""
        return dict(self.asked_of(None, self.controls["method"].value, self.parameters).settings)

    def ask(self) -> Asked:
        """Return what the controls ask for."""
        return self.asked_of(self.subject.case(), self.controls["method"].value, self.parameters)

    def answer(self, asked: Asked, progress: Callable[[int, int], None]) -> Any:
        """Return the answer; ``progress`` is for ``attribute``, and may end the computation by raising."""
        return self.subject.explain(asked, progress)

    def show(self, asked: Asked, answer: Any) -> str:
        """Show an answer on the canvas; return a line to print below it (HTML)."""
        raise NotImplementedError

    def draw(self) -> str:
        """Show the answer that was computed last; return the line below it."""
        return self.show(self.asked, self.answers[self.asked])

    def code(self) -> str:
        """Return code that makes the map that is shown, complete."""
        lines, fill = self.subject.script(self.asked.case)
        call = self.subject.call(self.asked, written(changed(self.asked, self.subject.images)))
        return complete(*lines, f"relevance = {call}", self.subject.picture_of(self.asked.case), fill=tuple(fill))

    def begin(self, asked: Asked) -> None:
        """Show the answer: at once where it is known or soon computed, else when it is."""
        if asked in self.answers and not self.worker.busy:
            self._show(asked)
        elif not self._start(lambda check: self._compute(asked, check)):
            self._show_bar(asked, 0.0)

    def cancel(self) -> None:
        """Stop the method that is at work; the picture stays as it was."""
        if self.worker.stop():
            self.say(tr("cancelled: the picture still shows what was asked before"))

    def _compute(self, asked: Asked, check) -> None:
        """Compute an answer, unless it is known, and show it; runs in the worker's thread."""

        def progress(done, total):
            check()
            if time.monotonic() > late:
                self._show_bar(asked, done / total)

        late, self.at_work = time.monotonic() + PATIENCE, asked
        try:
            if asked not in self.answers:
                self.keep(asked, self.answer(asked, progress))
            check()
            self._show(asked)
        except Cancelled:
            raise
        except Exception as error:
            self._fail(error)
        finally:
            with self.lock:
                self.at_work = None
                self.busy.layout.visibility = "hidden"

    def _show_bar(self, asked: Asked, share: float) -> None:
        """Show how far the method has come, if it is still at work on this."""
        with self.lock:
            if self.at_work == asked:
                self.bar.value = share
                self.busy.layout.visibility = "visible"

    def _show(self, asked: Asked) -> None:
        before, self.asked = self.asked, asked
        self._attempt(self.draw)
        if self.error is not None:
            self.asked = before


class _Collector:
    """Python's garbage collector, put off: it would stop a moving slider for tenths of a second."""

    def __init__(self):
        self.was_on, self.timer = gc.isenabled(), None

    @contextmanager
    def waits(self):
        """Collect nothing now, but once no control has been moved for REST seconds."""
        if self.timer is not None:
            self.timer.cancel()
        self.was_on = self.was_on or gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            self.timer = threading.Timer(REST, self.collect)
            self.timer.daemon = True
            self.timer.start()

    def collect(self) -> None:
        """Collect what has been put off, and leave the collector as it was found."""
        gc.collect()
        if self.was_on:
            gc.enable()
        self.was_on = False


COLLECTOR = _Collector()


def known_method(method: str) -> str:
    """Return a key of ``METHODS``; any other raises a ValueError."""
    if method not in METHODS:
        raise ValueError(f"no method {method!r}; expected one of {', '.join(METHODS)}.")
    return method


def minded(method: str, caveat: str | None) -> list[str]:
    """Return what a method cannot do on a network, and what is to be known of it, as HTML: a line each."""
    reasons = (caveat, METHODS[method].note)
    return [f"<b>{tr('Mind:')}</b> {escape(tr(reason).rstrip('.'))}." for reason in reasons if reason]


def methods_of(family: str) -> list[tuple[str, str]]:
    """Return the methods of a family for a menu: (title, key)."""
    return [(tr(row.title), key) for key, row in METHODS.items() if row.family == family]


def parameter_controls(method: str, given: dict, images: bool) -> dict[str, widgets.Widget]:
    """Return controls of a method's parameters, those with something to choose, by name.

    Raises
    ------
    ValueError : a value is given for a parameter that the method lacks, or it is out of range
    """
    rows = list(METHODS[method].parameters)
    strangers = sorted(set(given) - {row.name for row in rows})
    if strangers:
        has = ", ".join(row.name for row in rows) or "none"
        raise ValueError(f"{method} has no parameter {', '.join(map(repr, strangers))}; it has {has}.")
    rows = [
        replace(row, default=row.check(given[row.name]), image_default=None) if row.name in given else row
        for row in rows
    ]
    made = {row.name: control_for(row, images=images) for row in rows}
    return {name: control for name, control in made.items() if control is not None}


def changed(asked: Asked, images: bool) -> dict:
    """Return those parameters that differ from their defaults."""
    defaults = METHODS[asked.method].defaults(images)
    return {name: value for name, value in asked.settings if value != defaults[name]}


def called(parameter: str) -> str:
    """Return the name of a method's parameter in words."""
    return tr(WORDS.get(parameter, parameter.replace("_", " ")))


def control_for(parameter: Parameter, images: bool = False) -> widgets.Widget | None:
    """Return a control for a method's parameter, made from its row in the registry.

    Numbers become sliders, logarithmic where the row says so; None where there is nothing to slide: a parameter whose
    default is found from the input.
    """
    default = parameter.image_default if images and parameter.image_default is not None else parameter.default
    shared = {"description": called(parameter.name), "style": LABEL, "layout": FIELD}
    shared[TOOLTIP] = tr(parameter.help)
    if default is None:
        return None
    if parameter.kind == "choice":
        return widgets.Dropdown(options=worded(parameter.choices), value=default, **shared)
    if parameter.kind == "bool":
        return widgets.Checkbox(value=default, indent=True, **shared)
    if parameter.name == "seed":
        return widgets.BoundedIntText(value=default, min=0, max=9999, **shared)
    if parameter.scale == "log":
        return _log_slider(parameter, default, shared)
    kind = widgets.IntSlider if parameter.kind == "int" else widgets.FloatSlider
    step = 1 if parameter.kind == "int" else 10.0 ** round(math.log10((parameter.high - parameter.low) / 100))
    return kind(value=default, min=parameter.low, max=parameter.high, step=step, **shared)


def _log_slider(parameter: Parameter, default, shared: dict) -> widgets.SelectionSlider:
    """Return a slider over 1, 2, 5, 10 ... within the parameter's range; the default is among the stops."""
    low = parameter.low or parameter.high * 1e-6
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(parameter.high)) + 1)
    round_numbers = {digit * 10.0**decade for decade in decades for digit in (1, 2, 5)}
    stops = {stop for stop in round_numbers | {float(default), float(parameter.high)} if low <= stop <= parameter.high}
    if parameter.kind == "int":
        stops = {round(stop) for stop in stops if stop >= 1}
    return widgets.SelectionSlider(options=[(f"{stop:g}", stop) for stop in sorted(stops)], value=default, **shared)
