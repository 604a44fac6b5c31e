"""What all explorers share: controls, a picture, a line for messages, and a static twin for pages without a kernel."""

import math
from base64 import b64encode
from contextlib import contextmanager
from dataclasses import replace
from html import escape

import ipywidgets as widgets

from ecgxai.attribution.registry import METHODS, Parameter

LABEL = {"description_width": "84px"}
FIELD = widgets.Layout(width="auto")  # as wide as its cell of the grid
TOOLTIP = "tooltip" if hasattr(widgets.FloatSlider, "tooltip") else "description_tooltip"  # ipywidgets 8, 7


def grid(controls) -> widgets.GridBox:
    """Return controls in as many equal columns as the page has room for."""
    columns = "repeat(auto-fill, minmax(250px, 1fr))"
    shape = {"grid_template_columns": columns, "grid_gap": "0 8px", "align_items": "center", "margin": "0 0 6px 0"}
    return widgets.GridBox(list(controls), layout=widgets.Layout(**shape))


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
        style=LABEL, layout=FIELD, continuous_update=False,
    )  # fmt: skip


class Explorer:
    """Controls beside a picture. A subclass fills ``controls`` and implements ``draw``.

    The picture is drawn anew whenever a control changes. An error is shown in the explorer and the last good picture
    stays. In a notebook the same output holds the live view and a PNG of the present state, which is what GitHub, print
    and an untrusted page show.
    """

    alt = "explorer"
    quiet = False  # whether controls are being set by the explorer itself

    def __init__(self, controls: dict[str, widgets.Widget]):
        self.controls = controls
        self.picture = widgets.Image(format="png", layout=widgets.Layout(max_width="100%", object_fit="contain"))
        self.message = widgets.HTML()
        for control in controls.values():
            control.observe(self._changed, "value")
        page = widgets.Layout(max_width="1140px")  # the picture's width, so that controls end where it ends
        self.view = widgets.VBox([self.panel(), self.message, self.picture], layout=page)
        self.error: Exception | None = None
        self.refresh()
        if self.error:
            raise self.error

    def panel(self) -> widgets.Widget:
        """Return the controls as laid out above the picture."""
        return grid(self.controls.values())

    def say(self, line: str) -> None:
        """Show a line of HTML above the picture, at once."""
        self.message.value = f"<div style='line-height: 1.5; padding: 4px 0'>{line}</div>"

    def complain(self, error: Exception) -> None:
        """Show what went wrong above the picture, at once."""
        self.say(f"<b style='color: #a33b00'>{escape(str(error) or type(error).__name__)}</b>")

    def values(self) -> dict:
        """Return the present value of every control."""
        return {name: control.value for name, control in self.controls.items()}

    def draw(self, **values):
        """Return the figure for these values of the controls, and a line to print above it (HTML)."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Draw the picture for the present values; an error goes to the message line."""
        try:
            figure, line = self.draw(**self.values())
            self.picture.value = figure._repr_png_()[0]
            self.say(line)
        except Exception as error:
            self.error = error
            self.complain(error)
        else:
            self.error = None

    def _changed(self, change) -> None:
        if not self.quiet:
            self.refresh()

    @contextmanager
    def quietly(self):
        """Set controls without drawing."""
        before, self.quiet = self.quiet, True
        try:
            yield
        finally:
            self.quiet = before

    def _repr_mimebundle_(self, include=None, exclude=None, **options):
        # Written out, for a widget of ipywidgets 7 has no such method.
        live = {"version_major": 2, "version_minor": 0, "model_id": self.view.model_id}
        png = b64encode(self.picture.value).decode()
        bundle = {"application/vnd.jupyter.widget-view+json": live, "image/png": png, "text/plain": self.alt}
        return bundle, {"image/png": {"alt": self.alt}}


class MethodExplorer(Explorer):
    """An explorer with a control "method", whose parameters get controls of their own, made from the method's row.

    Parameters
    ----------
    controls : with "method", a choice among keys of ``METHODS``
    given : values of the first method's parameters; the others, and all other methods, start at their defaults
    """

    images = False  # whether pictures are explained: they have defaults of their own
    choice = ("method",)  # the controls that choose a method; its parameters stand behind them

    def __init__(self, controls: dict[str, widgets.Widget], given: dict | None = None):
        self.parameters: dict[str, widgets.Widget] = {}
        self.method_box = grid(controls[name] for name in self.choice)
        self.offer_parameters(controls["method"].value, given or {})
        super().__init__(controls)

    def offer_parameters(self, method: str, given: dict | None = None) -> None:
        """Put the controls of a method's parameters beside the choice of the method.

        Raises
        ------
        ValueError : a value is given for a parameter that the method lacks, or it is out of range
        """
        given, rows = given or {}, METHODS[method].parameters
        strangers = sorted(set(given) - {row.name for row in rows})
        if strangers:
            has = ", ".join(row.name for row in rows) or "none"
            raise ValueError(f"{method} has no parameter {', '.join(map(repr, strangers))}; it has {has}.")
        rows = [
            replace(row, default=row.check(given[row.name]), image_default=None) if row.name in given else row
            for row in rows
        ]
        made = {row.name: control_for(row, images=self.images) for row in rows}
        self.parameters = {name: control for name, control in made.items() if control is not None}
        for control in self.parameters.values():
            control.observe(self._changed, "value")
        self.method_box.children = [*self.method_box.children[: len(self.choice)], *self.parameters.values()]

    def _changed(self, change) -> None:
        if change.owner is self.controls["method"]:
            self.offer_parameters(change.new)
        super()._changed(change)

    def say_computing(self, method: str) -> None:
        """Say which method is at work: some take seconds. The second line keeps the picture in its place."""
        self.say(f"<i>computing {escape(METHODS[method].title)} ...</i><br>&nbsp;")

    def settings(self) -> dict:
        """Return the parameters of the method as they stand."""
        return {name: control.value for name, control in self.parameters.items()}

    def changed_settings(self) -> str:
        """Return those parameters that differ from their defaults, as they are written in a call: ", epsilon=10.0"."""
        defaults = METHODS[self.controls["method"].value].defaults(self.images)
        return "".join(f", {name}={value!r}" for name, value in self.settings().items() if value != defaults[name])


def control_for(parameter: Parameter, images: bool = False) -> widgets.Widget | None:
    """Return a control for a method's parameter, made from its row in the registry.

    Numbers become sliders, logarithmic where the row says so; None where there is nothing to slide: a parameter whose
    default is found from the input.
    """
    default = parameter.image_default if images and parameter.image_default is not None else parameter.default
    shared = {"description": parameter.name, "style": LABEL, "layout": FIELD, "continuous_update": False}
    shared[TOOLTIP] = parameter.help
    if default is None:
        return None
    if parameter.kind == "choice":
        shared.pop("continuous_update")
        return widgets.Dropdown(options=parameter.choices, value=default, **shared)
    if parameter.kind == "bool":
        shared.pop("continuous_update")
        return widgets.Checkbox(value=default, indent=True, **shared)
    if parameter.name == "seed":
        return widgets.BoundedIntText(value=default, min=0, max=9999, **shared)
    if parameter.scale == "log":
        return _log_slider(parameter, default, shared)
    kind = widgets.IntSlider if parameter.kind == "int" else widgets.FloatSlider
    step = 1 if parameter.kind == "int" else 10.0 ** round(math.log10((parameter.high - parameter.low) / 100))
    return kind(value=default, min=parameter.low, max=parameter.high, step=step, **shared)


def _log_slider(parameter: Parameter, default: float, shared: dict) -> widgets.SelectionSlider:
    """Return a slider over 1, 2, 5, 10 ... within the parameter's range; the default is among the stops."""
    low = parameter.low or parameter.high * 1e-6
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(parameter.high)) + 1)
    stops = {digit * 10.0**decade for decade in decades for digit in (1, 2, 5)} | {
        float(default),
        float(parameter.high),
    }
    stops = sorted(stop for stop in stops if low <= stop <= parameter.high)
    if parameter.kind == "int":
        stops = sorted({round(stop) for stop in stops if stop >= 1})
    return widgets.SelectionSlider(options=[(f"{stop:g}", stop) for stop in stops], value=default, **shared)
