"""What all explorers share: controls, a live view, a line for messages, a static twin for pages without a kernel."""

import gc
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from html import escape
from pathlib import Path
from types import MappingProxyType

import anywidget
import ipywidgets as widgets

from leadwise.attribution import receipt
from leadwise.attribution.registry import METHODS, Parameter
from leadwise.explorers.code_line import CodeLine
from leadwise.explorers.figure_canvas import FigureCanvas
from leadwise.explorers.live import with_picture
from leadwise.explorers.worker import Cancelled, Worker
from leadwise.paths import checkout
from leadwise.plotting.save import save_figure
from leadwise.plotting.style import printable

LABEL = {"description_width": "84px"}
FIELD = widgets.Layout(width="auto")  # as wide as its cell of the grid
FAMILIES = {
    "gradient": "gradients",
    "cam": "class activation maps",
    "perturbation": "perturbation",
    "LRP": "layer-wise relevance propagation",
    "control": "controls that ask no network",
}
PATIENCE = 0.08  # seconds that a control waits for its picture; after that, a bar shows how far the method has come
REST = 0.2  # seconds after which nobody is moving a control any more
KEPT = 64  # results that an explorer remembers
TOOLTIP = "tooltip" if hasattr(widgets.FloatSlider, "tooltip") else "description_tooltip"  # ipywidgets 8, 7


def grid(controls) -> widgets.GridBox:
    """Return controls in as many equal columns as the page has room for."""
    columns = "repeat(auto-fill, minmax(250px, 1fr))"
    shape = {"grid_template_columns": columns, "grid_gap": "0 8px", "align_items": "center", "margin": "0 0 6px 0"}
    return widgets.GridBox(list(controls), layout=widgets.Layout(**shape))


def parts(*roots) -> list[widgets.Widget]:
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


def arrange(box: widgets.Box, children) -> None:
    """Put children into a box; boxes that were in it are closed, what they hold is not."""
    before, box.children = box.children, list(children)
    for child in before:
        if isinstance(child, widgets.Box) and child not in box.children:
            child.layout.close()
            child.close()


def drop(description: str, options, value) -> widgets.Dropdown:
    """Return a choice among options, words or (label, value).

    An option whose value is None is chosen by its place: ipywidgets takes ``value=None`` for no choice, an empty field.
    """
    values = [option[1] if isinstance(option, tuple) else option for option in options]
    return widgets.Dropdown(
        description=description, options=options, index=values.index(value), style=LABEL, layout=FIELD
    )


def slide(description: str, high: float, step: float, readout_format: str) -> widgets.FloatSlider:
    """Return a slider from 0, where it stands, to ``high``."""
    return widgets.FloatSlider(
        description=description, min=0.0, max=high, step=step, value=0.0, readout_format=readout_format,
        style=LABEL, layout=FIELD,
    )  # fmt: skip


def plain(value):
    """Return a number as it was meant: a browser that puts a slider on its step makes 0.08000000000000002 of 0.08."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


class Explorer:
    """Controls beside a live view. A subclass fills ``controls`` and implements ``draw``.

    ``draw`` is called whenever a control changes, except for those in ``display``: these change the view in the
    browser, without the kernel. An error is shown in the explorer and the last good picture stays. In a notebook the
    same output holds the live view and a PNG of the present state, which is what GitHub, print and an untrusted page
    show.

    A kernel keeps every widget until it is told otherwise: ``close()`` an explorer that is no longer needed, or make it
    in a ``with`` statement.
    """

    display: Mapping[str, str] = MappingProxyType({})  # control -> trait of the canvas that it moves in the browser
    quiet = False  # whether controls are being set by the explorer itself

    def __init__(self, controls: dict[str, widgets.Widget]):
        self.controls = controls
        self.canvas = self.make_canvas()
        self.message = widgets.HTML(layout=widgets.Layout(flex="1 1 auto", min_height="28px"))
        self.links = [widgets.jsdlink(self._source(name), (self.canvas, t)) for name, t in self.display.items()]
        for name, control in controls.items():
            if name not in self.display:
                control.observe(self._changed, "value")
        page = widgets.Layout(max_width="1140px")  # the picture's width, so that controls end where it ends
        self.view = widgets.VBox([self.panel(), self.status(), self.canvas, *self.below()], layout=page)
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
        """Return the controls as laid out above the picture."""
        return grid(self.controls.values())

    def status(self) -> widgets.Widget:
        """Return what stands between controls and picture."""
        return self.message

    def below(self) -> list[widgets.Widget]:
        """Return what stands below the picture."""
        return []

    def say(self, line: str) -> None:
        """Show a line of HTML above the picture, at once."""
        self.message.value = f"<div style='line-height: 1.5; padding: 4px 0'>{printable(line)}</div>"

    def complain(self, error: Exception) -> None:
        """Show what went wrong above the picture, at once."""
        self.say(f"<b style='color: #a33b00'>{escape(str(error) or type(error).__name__)}</b>")

    def values(self) -> dict:
        """Return the present value of every control."""
        return {name: control.value for name, control in self.controls.items()}

    def draw(self, **values) -> str:
        """Show on the canvas what the controls ask for; return a line to print above it (HTML)."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Show the picture for the present values; an error goes to the message line."""
        self._attempt(lambda: self.draw(**self.values()))

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

    def saver(self) -> widgets.Button:
        """Return a button that saves the figure."""
        shape = widgets.Layout(width="130px", flex="0 0 auto")
        button = widgets.Button(description="save figure", icon="save", layout=shape)
        button.on_click(lambda button: self._save())
        return button

    def _save(self) -> None:
        """Save the figure and say where; an error goes to the message line."""
        try:
            files = self.save()
            self.say(f"Saved {escape(' and '.join(file.name for file in files))} in {escape(str(files[0].parent))}.")
        except Exception as error:
            self.complain(error)

    def _attempt(self, show) -> None:
        """Call a function that shows something and returns the line above it; an error takes the line's place."""
        try:
            line = show()
        except Cancelled:
            raise
        except Exception as error:
            self._fail(error)
        else:
            self.error = None
            self.say(line)

    def _fail(self, error: Exception) -> None:
        """Keep an error and show it; the picture stays as it was."""
        self.error = error
        self.complain(error)

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
    """An explorer whose ``draw`` returns a figure and a line (HTML)."""

    def refresh(self) -> None:
        """Draw the figure for the present values; an error goes to the message line."""

        def show():
            figure, line = self.draw(**self.values())
            self.canvas.show(figure)
            return line

        with COLLECTOR.waits():
            self._attempt(show)


class SlowExplorer(Explorer):
    """An explorer that computes in a thread of its own, with a bar and a button that cancels; the newest input wins."""

    def __init__(self, controls: dict[str, widgets.Widget]):
        self.worker = Worker()
        self.bar = widgets.FloatProgress(min=0.0, max=1.0, layout=widgets.Layout(width="160px"))
        self.halt = widgets.Button(description="cancel", icon="stop", layout=widgets.Layout(width="90px"))
        self.halt.on_click(lambda button: self.cancel())
        self.busy = widgets.HBox([self.bar, self.halt], layout=widgets.Layout(display="none", flex="0 0 auto"))
        super().__init__(controls)

    def status(self) -> widgets.Widget:
        """Return the message and, at its right, the bar."""
        return widgets.HBox([self.message, self.busy], layout=widgets.Layout(align_items="center"))

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


class MethodExplorer(SlowExplorer):
    """An explorer with a control "method", whose parameters get controls of their own, made from the method's row.

    A subclass says what is asked (``asked``), computes the answer (``answer``) and shows it (``draw``). Answers are
    kept. A slow one is computed in a thread of its own, with a bar and a button that cancels it; the newest input wins.

    Parameters
    ----------
    controls : with "method", a choice among keys of ``METHODS``
    given : values of the first method's parameters; the others, and all other methods, start at their defaults
    """

    images = False  # whether pictures are explained: they have defaults of their own
    choice: tuple[str, ...] = ("method",)  # the controls that choose a method; its parameters stand behind them

    def __init__(self, controls: dict[str, widgets.Widget], given: dict | None = None):
        self.parameters: dict[str, widgets.Widget] = {}
        self.offered: dict = {}  # method -> controls of its parameters, made when they are first needed
        self.answers: OrderedDict = OrderedDict()  # what was asked -> answer, the latest last
        self.at_work, self.lock = None, threading.Lock()  # what is being computed, for the bar
        self.code_line = CodeLine()
        self.save_button = self.saver()
        self.method_box = grid(controls[name] for name in self.choice)
        self.offer_parameters(controls["method"].value, given or {})
        super().__init__(controls)

    def foot(self) -> widgets.Widget:
        """Return the call that makes the map, to be copied, and a button that saves the figure."""
        shape = widgets.Layout(justify_content="space-between")
        return widgets.HBox([self.code_line, self.save_button], layout=shape)

    def offer_parameters(self, method: str, given: dict | None = None) -> None:
        """Put the controls of a method's parameters beside the choice of the method.

        Raises
        ------
        ValueError : a value is given for a parameter that the method lacks, or it is out of range
        """
        kept = None if given else self.offered.get(method)
        if kept is None:
            kept = self._controls_of(method, given or {})
            self.offered[(method, "given") if given else method] = kept
        else:  # a browser may still send what it has of them: they are kept, and begin anew
            defaults = METHODS[method].defaults(self.images)
            with self.quietly():
                for name, control in kept.items():
                    control.value = defaults[name]
        self.parameters = kept
        self.method_box.children = [*self.method_box.children[: len(self.choice)], *kept.values()]

    def _controls_of(self, method: str, given: dict) -> dict[str, widgets.Widget]:
        """Return controls of a method's parameters, those with something to choose, by name."""
        rows = list(METHODS[method].parameters)
        strangers = sorted(set(given) - {row.name for row in rows})
        if strangers:
            has = ", ".join(row.name for row in rows) or "none"
            raise ValueError(f"{method} has no parameter {', '.join(map(repr, strangers))}; it has {has}.")
        rows = [
            replace(row, default=row.check(given[row.name]), image_default=None) if row.name in given else row
            for row in rows
        ]
        made = {row.name: control_for(row, images=self.images) for row in rows}
        made = {name: control for name, control in made.items() if control is not None}
        for control in made.values():
            control.observe(self._changed, "value")
        return made

    def _changed(self, change) -> None:
        if self.quiet:
            return
        if change.owner is self.controls.get("family"):
            self.controls["method"].options = methods_of(change.new)  # chooses the first, which comes back here
            return
        if change.owner is self.controls["method"]:
            self.offer_parameters(change.new)
        super()._changed(change)

    def settings(self) -> dict:
        """Return the parameters of the method as they stand."""
        return {name: plain(control.value) for name, control in self.parameters.items()}

    def changed_settings(self) -> str:
        """Return those parameters that differ from their defaults, as they are written in a call: ", epsilon=10.0"."""
        defaults = METHODS[self.controls["method"].value].defaults(self.images)
        return "".join(f", {name}={value!r}" for name, value in self.settings().items() if value != defaults[name])

    def asked(self, **values):
        """Return what the answer depends on, hashable, for these values of the controls."""
        raise NotImplementedError

    def answer(self, asked, progress):
        """Compute the answer; ``progress`` is for ``attribute``, and may end the computation by raising."""
        raise NotImplementedError

    def draw(self, answer, **values) -> str:
        """Show an answer on the canvas; return a line to print above it (HTML)."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Show the answer for the present values: at once where it is known or soon computed, else when it is."""
        self.worker.cancel()
        values = self.values()
        try:
            asked = self.asked(**values, settings=tuple(sorted(self.settings().items())))
        except Exception as error:
            self._fail(error)
            return
        if asked in self.answers and not self.worker.busy:
            self._show(asked, values)
        elif not self._start(lambda check: self._compute(asked, values, check)):
            self._show_bar(asked, 0.0)

    def cancel(self) -> None:
        """Stop the method that is at work; the picture stays as it was."""
        if self.worker.stop():
            self.say("cancelled: the picture still shows what was asked before")

    def _compute(self, asked, values, check) -> None:
        """Compute an answer, unless it is known, and show it; runs in the worker's thread."""

        def progress(done, total):
            check()
            if time.monotonic() > late:
                self._show_bar(asked, done / total)

        late, self.at_work = time.monotonic() + PATIENCE, asked
        try:
            if asked not in self.answers:
                self.answers[asked] = self.answer(asked, progress)
                while len(self.answers) > KEPT:
                    self.answers.popitem(last=False)
            check()
            self._show(asked, values)
        except Cancelled:
            raise
        except Exception as error:
            self._fail(error)
        finally:
            with self.lock:
                self.at_work = None
                self.busy.layout.display = "none"

    def _show_bar(self, asked, share: float) -> None:
        """Show how far the method has come, if it is still at work on this."""
        with self.lock:
            if self.at_work == asked:
                self.bar.value = share
                self.busy.layout.display = "flex"

    def _show(self, asked, values) -> None:
        self._attempt(lambda: self.draw(self.answers[asked], **values))


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


def explain(model, x, method: str, target, progress, **settings):
    """Return the map of ``attribute`` without its warnings, which an explorer says in words of its own."""
    return receipt(model, x, method, target=target, progress=progress, **settings).relevance


def methods_of(family: str) -> list[tuple[str, str]]:
    """Return the methods of a family for a menu: (title, key)."""
    return [(row.title, key) for key, row in METHODS.items() if row.family == family]


def control_for(parameter: Parameter, images: bool = False) -> widgets.Widget | None:
    """Return a control for a method's parameter, made from its row in the registry.

    Numbers become sliders, logarithmic where the row says so; None where there is nothing to slide: a parameter whose
    default is found from the input.
    """
    default = parameter.image_default if images and parameter.image_default is not None else parameter.default
    shared = {"description": parameter.name, "style": LABEL, "layout": FIELD}
    shared[TOOLTIP] = parameter.help
    if default is None:
        return None
    if parameter.kind == "choice":
        return widgets.Dropdown(options=parameter.choices, value=default, **shared)
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
