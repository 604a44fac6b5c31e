"""Look inside a network that sees pictures: filters, feature maps, classes, and pictures that a unit likes."""

import time
from functools import lru_cache, partial
from math import isqrt

import ipywidgets as widgets
import numpy as np
import torch
from torch import nn

from leadwise.attribution.registry import Parameter
from leadwise.explorers.base import FIELD, LABEL, FigureExplorer, arrange, control_for, drop, grid, plain, whole, worded
from leadwise.explorers.picture import Picture, PictureChoice
from leadwise.explorers.picture_subject import Explained
from leadwise.explorers.script import complete
from leadwise.explorers.worker import Cancelled, Worker
from leadwise.inspection import feature_maps, first_layer_filters, layer_table, maximise_activation, top_k
from leadwise.inspection.layers import Layer
from leadwise.language import tr
from leadwise.networks.network import Network
from leadwise.plotting import number, plot_tiles

VIEWS = {
    "first-layer filters": "filters",
    "feature maps": "maps",
    "classes": "classes",
    "activation maximisation": "synthesis",
}
A_CLASS, A_CHANNEL = "a class", "a channel"
UNCHANGED = ("Dropout", "Flatten")  # layers that, at rest, give out what they get
ORDERS = {
    "largest value": lambda maps: maps.flatten(1).amax(1),
    "largest mean": lambda maps: maps.flatten(1).mean(1),
    "number": lambda maps: -torch.arange(len(maps)),
}
# What ``maximise_activation`` takes; the defaults are its own.
PARAMETERS = (
    Parameter("steps", "int", 48, 8, 128, help="steps of the ascent"),
    Parameter("rate", "float", 0.25, 0.02, 1.0, help="root mean square of a step"),
    Parameter("jitter", "int", 24, 0, 48, help="shift by up to so many pixels before each step"),
    Parameter("blur", "float", 0.7, 0.0, 4.0, help="standard deviation of a blur of each step, in pixels"),
    Parameter("total_variation", "float", 0.1, 0.0, 1.0, help="how strongly differences of neighbours are levelled"),
    Parameter("decay", "float", 0.08, 0.0, 0.3, help="share of the picture that fades at each step"),
    Parameter("smooth", "float", 1.5, 0.0, 3.0, help="a step's frequencies f are divided by f to this power"),
    Parameter("grey", "float", 2.0, 0.0, 4.0, help="how many times the mean over the colours is added to a step"),
    Parameter("contrast", "float", 0.6, 0.0, 1.0, help="share of the other classes' logits that is subtracted"),
    Parameter("seed", "int", 0, 0, 9999, help="of the noise and of the jitter"),
)
PAUSE = 0.3  # seconds between two pictures while a synthesis runs


class NetworkExplorer(FigureExplorer):
    """Choose a view: first-layer filters, feature maps of any layer, classes, or activation maximisation.

    A synthesis runs beside the kernel and shows its picture on the way. A control that is changed meanwhile starts it
    anew; another view, or *stop*, ends it.

    Parameters
    ----------
    model : a name of ``NETWORKS``, or a network (N, 3, 224, 224) -> logits, with names of its classes or without; None
        for AlexNet
    image : what to begin with, as for :class:`leadwise.explorers.picture.PictureChoice`; others can be chosen
    view : "filters", "maps", "classes" or "synthesis"
    """

    def __init__(
        self, model: nn.Module | Network | str | None = None, image: Picture | None = None, view: str = "maps"
    ):
        self.explained = Explained(model)
        self.choice, self.worker = PictureChoice(image), Worker()
        self.layers: dict[str, Layer] = {}  # those that change something, by their names
        self.maps = lru_cache(maxsize=4)(self._maps)  # while the choice of channels moves
        self.classes = lru_cache(maxsize=16)(self._classes)
        self.settings: dict | None = None  # of the synthesis that is shown
        self.frames: dict[int, torch.Tensor] = {}  # its pictures, by step
        self.activation: torch.Tensor | None = None
        self.failure: Exception | None = None
        self.parameters = {row.name: control_for(row) for row in PARAMETERS}
        for control in self.parameters.values():
            control.observe(self._changed, "value")
        self.go = widgets.Button(description=tr("synthesise"), icon="play", layout=widgets.Layout(width="120px"))
        self.halt = widgets.Button(description=tr("stop"), icon="stop", layout=widgets.Layout(width="90px"))
        self.bar = widgets.IntProgress(min=0, layout=widgets.Layout(flex="1 1 auto", width="auto"))
        self._show_bar(False)
        self.go.on_click(lambda button: self.synthesise())
        self.halt.on_click(lambda button: self._stop())
        super().__init__(self._controls(view))

    @property
    def model(self) -> nn.Module:
        """The network that is looked into."""
        return self.explained.net.module

    @property
    def class_names(self) -> tuple[str, ...]:
        """What its outputs are called."""
        return self.explained.net.classes

    def _turn(self, name: str) -> None:
        """Take another network; the menus follow it, and what was synthesised is another's."""
        with self.quietly():
            self.explained.turn(name)
            self._offer(self.controls)
        for remembered in (self.maps, self.classes):
            remembered.cache_clear()
        self.settings, self.frames, self.activation, self.failure = None, {}, None, None

    def _offer(self, controls: dict[str, widgets.Widget]) -> None:
        """Offer layers and classes of the network; the first layer is a third of the way through those with places."""
        table = layer_table(self.model, torch.zeros(3, 224, 224))
        self.layers = {row.name: row for row in table if row.kind not in UNCHANGED}
        maps = [name for name, row in self.layers.items() if len(row.shape) == 3]
        controls["layer"].options = [(title_of_layer(row), name) for name, row in self.layers.items()]
        controls["layer"].value = maps[len(maps) // 3]
        controls["channel"].max = self.layers[controls["layer"].value].shape[0] - 1
        controls["target"].options = [(name, index) for index, name in enumerate(self.class_names)]
        controls["target"].index = 0

    def _controls(self, view: str) -> dict[str, widgets.Widget]:
        shared = {"style": LABEL, "layout": FIELD}
        controls = {
            "view": widgets.ToggleButtons(
                options=[(tr(name), view) for name, view in VIEWS.items()],
                value=view,
                style={"button_width": "calc(100% - 4px)"},
                layout=widgets.Layout(margin="2px 2px 10px 2px"),
            ),
            "network": self.explained.network,
            "layer": widgets.Dropdown(description=tr("layer"), **shared),
            "order": drop(tr("sorted by"), worded(ORDERS), next(iter(ORDERS))),
            "count": whole(tr("channels"), 7, 1, 31),
            "what": drop(tr("maximise"), worded((A_CLASS, A_CHANNEL)), A_CLASS),
            "target": widgets.Dropdown(description=tr("class"), **shared),
            "channel": widgets.BoundedIntText(description=tr("channel"), value=0, min=0, max=0, **shared),
        }
        self._offer(controls)
        return {**controls, **self.choice.controls}

    def panel(self) -> widgets.Widget:
        """Return the choice of the view, and the controls that matter for the chosen one."""
        self.box = widgets.VBox()
        self._arrange()
        return widgets.VBox([self.controls["view"], grid([self.controls["network"]]), self.box])

    def _arrange(self) -> None:
        control = self.controls
        unit = ("target",) if control["what"].value == A_CLASS else ("layer", "channel")
        boxes = {
            "filters": lambda: [],
            "maps": lambda: [grid([*self.choice.needed(), *(control[name] for name in ("layer", "order", "count"))])],
            "classes": lambda: [grid(self.choice.needed())],
            "synthesis": lambda: [
                grid([control["what"], *(control[name] for name in unit)]),
                grid(self.parameters.values()),
                widgets.HBox([self.go, self.halt, self.bar]),
            ],
        }
        arrange(self.box, boxes[control["view"].value]())

    def _changed(self, change) -> None:
        control, owner = self.controls, change.owner
        if self.quiet or (change.new and self.choice.follow(owner)):  # the source has changed, which came here
            return
        busy = self._end()
        if owner is control["network"]:
            try:
                self._turn(change.new)
            except Exception as error:
                self._refuse(change, error)
                return
        if owner is control["layer"]:
            control["channel"].max = self.layers[change.new].shape[0] - 1
        if owner in (control["view"], control["source"], control["what"]):
            self._arrange()
        if busy and control["view"].value == "synthesis":
            self.synthesise()
        else:
            self.refresh()

    def figure(self):
        """Return the figure of a view, and a line that says what is seen."""
        values = self.values()
        return getattr(self, f"_draw_{values.pop('view')}")(**values)

    def _draw_filters(self, **_):
        filters = first_layer_filters(self.model, scaled=True)
        pictures = (255 * filters).round().byte().permute(0, 2, 3, 1)
        figure = plot_tiles(
            {str(index): picture for index, picture in enumerate(pictures.numpy())},
            columns=8, side=20.0, title=tr("First-layer filters"),
        )  # fmt: skip
        count, channels, height, width = filters.shape
        line = tr(
            "{count} filters of {height} × {width} pixels and {channels} colours. Mid-grey is a weight of zero; "
            "each filter is scaled by its own largest weight.",
            count=count, height=height, width=width, channels=channels,
        )  # fmt: skip
        return figure, line

    def _draw_maps(self, layer, order, count, **_):
        shown = self.choice.shown()
        maps = self.maps(shown.x, layer)
        best = strongest(maps, order, count)
        several = len(maps) > 1
        tiles = {shown.name: shown.x} | {
            tr("channel {number}", number=index) if several else tr("all units"): maps[index] for index in best
        }
        small = len(tiles) > 8
        figure = plot_tiles(
            tiles, columns=6 if small else 4, side=30.0 if small else 44.8, title=_describe(self.layers[layer])
        )
        silent = int((maps.flatten(1).amax(1) <= 0).sum())
        if not several:
            return figure, _strongest(maps[0])
        return figure, tr("{count} channels, {silent} of them silent everywhere", count=len(maps), silent=silent)

    def _draw_classes(self, **_):
        shown = self.choice.shown()
        figure = plot_tiles({shown.name: shown.x}, bars={shown.name: self.classes(shown.x, 5)}, side=89.6)
        count = len(self.class_names)
        return figure, tr("{count} classes share a probability of 1, whatever the picture shows", count=count)

    def _maps(self, x, layer: str) -> torch.Tensor:
        return _as_maps(feature_maps(self.model, x[None], layer)[0])

    def _classes(self, x, count: int) -> list[tuple[str, float]]:
        return top_k(self.model, x[None], min(count, len(self.class_names)), self.class_names)[0]

    # Synthesis, in the worker's thread except for the buttons ---------------------------------------------------------

    def chosen(self) -> dict:
        """Return the arguments of ``maximise_activation`` as they stand."""
        control = self.controls
        one_class = control["what"].value == A_CLASS
        unit = ("target",) if one_class else ("layer", "channel")
        names = [name for name in self.parameters if one_class or name != "contrast"]
        return {name: control[name].value for name in unit} | {
            name: plain(self.parameters[name].value) for name in names
        }

    def code(self) -> str:
        """Return the call that makes what is shown, with network and picture; a synthesis, for the present settings."""
        view, (net, fill) = self.controls["view"].value, self.explained.script()
        if view == "synthesis":
            return complete(net, f"found = {self.call()}", fill=(fill,))
        if view == "filters":
            return complete(net, "filters = first_layer_filters(net, scaled=True)", fill=(fill,))
        shown = self.choice.shown()
        calls = {
            "maps": f"maps = feature_maps(net, x[None], {self.controls['layer'].value!r})[0]",
            "classes": f"best = top_k(net, x[None], {min(5, len(self.class_names))})[0]",
        }
        return complete(net, f"x = {shown.code}", calls[view], fill=(fill, shown.fill))

    def call(self) -> str:
        """Return the call of ``maximise_activation`` for the present settings."""
        defaults = {row.name: row.default for row in PARAMETERS}
        changed = {k: v for k, v in self.chosen().items() if k not in defaults or v != defaults[k]}
        return f"maximise_activation(net, {', '.join(f'{name}={value!r}' for name, value in changed.items())})"

    def synthesise(self, wait: bool = False) -> None:
        """Start a synthesis with the present settings; ``wait`` returns when it has ended."""
        self._end()
        self.settings, self.frames, self.activation, self.failure = self.chosen(), {}, None, None
        self.bar.max, self.bar.value = self.settings["steps"], 0
        self._show_bar(True)
        self.worker.start(partial(self._run, self.settings))
        if wait:
            self.worker.wait()

    def _stop(self) -> None:
        self._end()
        self.refresh()

    def _end(self) -> bool:
        """End the synthesis that runs; return whether there was one."""
        busy = self.worker.stop()
        self._show_bar(False)
        return busy

    def _show_bar(self, running: bool) -> None:
        self.halt.disabled, self.bar.layout.visibility = not running, "visible" if running else "hidden"

    def _run(self, settings, check) -> None:
        drawn = 0.0

        def watch(step, images):
            nonlocal drawn
            check()
            self.bar.value = step
            self.frames = {at: frame for at, frame in self.frames.items() if at in _marks(settings["steps"])}
            self.frames[step] = images[0]
            if time.monotonic() - drawn > PAUSE:
                self.refresh()
                drawn = time.monotonic()

        try:
            found = maximise_activation(self.model, **settings, keep=2, progress=False, watch=watch)
            self.activation = found.activation[:, 0]
        except Cancelled:
            raise
        except Exception as error:
            self.failure = error
        check()
        self._show_bar(False)
        self.refresh()

    def _draw_synthesis(self, **_):
        if self.failure:
            raise self.failure
        settings = self.settings or self.chosen()
        steps, latest = settings["steps"], max(self.frames, default=-1)
        tiles, bars = {}, {}
        for at in _marks(steps):
            # The picture on its way stands where the next of the strip will be.
            shown = at if at <= latest else latest if latest not in _marks(steps) else None
            if latest < 0 or shown is None or tr("step {step}", step=shown) in tiles:
                tiles[tr("step {step}", step=at)] = BLANK
            else:
                tiles[tr("step {step}", step=shown)] = self.frames[shown]
                bars[tr("step {step}", step=shown)] = self.classes(self.frames[shown], 3)
        figure = plot_tiles(tiles, bars=bars, title=tr("What raises {unit}", unit=self._unit(settings)))
        return figure, self._state(latest, steps)

    def _unit(self, settings) -> str:
        if "target" in settings:
            return f"“{self.class_names[settings['target']]}”"
        return tr("channel {number} of {layer}", number=settings["channel"], layer=settings["layer"])

    def _state(self, latest: int, steps: int) -> str:
        if self.activation is not None:
            first, last = (number(float(self.activation[end])) for end in (0, -1))
            rose = tr("what was maximised rose from {a} to {b} in {steps} steps", a=first, b=last, steps=steps)
            changed = tr("settings have changed since: press <b>synthesise</b>")
            return rose if self.settings == self.chosen() else f"{rose} · {changed}"
        if latest < 0:
            return tr("press <b>synthesise</b>")
        now = tr("step {step} of {steps}", step=latest, steps=steps)
        return now if self.worker.busy else tr("stopped at {step}", step=now)


BLANK = np.full((224, 224, 3), 255, np.uint8)


def _marks(steps: int) -> tuple[int, ...]:
    """Return the steps that the strip shows."""
    return 0, round(steps / 3), round(2 * steps / 3), steps


def strongest(maps: torch.Tensor, order: str, count: int) -> list[int]:
    """Return the numbers of so many maps (K, ...) in one of ``ORDERS``, the first ones."""
    return ORDERS[order](maps).argsort(descending=True, stable=True)[:count].tolist()


def title_of_layer(row: Layer) -> str:
    """Return a layer's name, kind and shape."""
    return f"{row.name} {row.kind}: {' × '.join(map(str, row.shape))}"


def _describe(row: Layer) -> str:
    """Return a layer's name, kind, shape and receptive field in words."""
    seen = f"{row.receptive_field[0]} px" if row.receptive_field else tr("an unknown part")
    return tr("{layer}, sees {part}", layer=title_of_layer(row), part=seen)


def _as_maps(out: torch.Tensor) -> torch.Tensor:
    """Return maps (K, h, w); a dense layer becomes one map, its units row by row, nearly square."""
    if out.ndim == 3:
        return out
    height = next(n for n in range(isqrt(len(out)), 0, -1) if len(out) % n == 0)
    return out.reshape(1, height, -1)


def _strongest(units: torch.Tensor) -> str:
    values = units.flatten()
    best = values.argsort(descending=True)[:5].tolist()
    named = ", ".join(f"{index} ({number(float(values[index]))})" for index in best)
    return tr("units row by row; strongest: {units}", units=named)
