"""Explain one recording by any method, with a control for every parameter."""

import warnings
from functools import lru_cache
from html import escape

import ipywidgets as widgets
import torch

from ecgxai.attribution import METHODS, MethodWarning, attribute, caveat
from ecgxai.ecg.record import ECG
from ecgxai.ecg.records import load_record, records
from ecgxai.explorers.base import LABEL, WIDE, Explorer, control_for
from ecgxai.models.weights import ECG_MODELS, load_ecg_model
from ecgxai.plotting import plot_ecg

SAMPLES = 2000


def _drop(description: str, options, value) -> widgets.Dropdown:
    return widgets.Dropdown(description=description, options=options, value=value, style=LABEL, layout=WIDE)


def _slide(description: str, low: float, high: float, step: float, value: float) -> widgets.FloatSlider:
    return widgets.FloatSlider(
        description=description, min=low, max=high, step=step, value=value,
        style=LABEL, layout=WIDE, continuous_update=False,
    )  # fmt: skip


class ECGExplorer(Explorer):
    """Choose recording, model, method and its parameters; see the relevance on ECG paper.

    Parameters
    ----------
    record : a name of ``records()``; by default the first recording of the model's pathology
    model : "AVB", "ISCH", "LBBB" or "RBBB"
    method : a key of ``METHODS``
    weights : as in ``load_ecg_model``
    """

    def __init__(self, record: str | None = None, model: str = "LBBB", method: str = "lrp_epsilon", weights="auto"):
        available = records()
        if not available:
            raise ValueError("there is no recording to explain; fetch some with: python -m ecgxai download ecgs")
        self.load_model = lru_cache(lambda name: load_ecg_model(name, weights, verbose=False))
        self.load_record = lru_cache(_prepared)
        self.relevance = lru_cache(maxsize=64)(self._relevance)
        self.parameters: dict[str, widgets.Widget] = {}
        self.parameter_box = widgets.HBox(layout=widgets.Layout(flex_flow="row wrap", grid_gap="2px 16px"))
        record = record or next(iter(records(model)), next(iter(available)))
        controls = {
            "record": _drop("record", [(info.title, name) for name, info in available.items()], record),
            "model": _drop("model", [(f"{key}: {text}", key) for key, text in ECG_MODELS.items()], model),
            "target": _drop("explained class", [("pathology", 1), ("no finding", 0)], 1),
            "method": _drop("method", [(f"{row.family}: {row.title}", key) for key, row in METHODS.items()], method),
            "start": _slide("window start (s)", 0.0, 6.0, 0.1, 0.0),
            "threshold": _slide("threshold", 0.0, 0.95, 0.05, 0.0),
            "sign": _drop("sign", ("both", "positive", "negative"), "both"),
            "normalise": _drop("normalised per", ("record", "lead"), "record"),
            "style": _drop("style", ("band", "halo", "bubbles"), "band"),
        }
        self._offer_parameters(method)
        super().__init__(controls)

    def panel(self) -> widgets.Widget:
        """Return the controls, the parameters of the chosen method below them."""
        return widgets.VBox([super().panel(), self.parameter_box])

    def _offer_parameters(self, method: str) -> None:
        """Make the controls of a method's parameters from its row."""
        made = {parameter.name: control_for(parameter) for parameter in METHODS[method].parameters}
        self.parameters = {name: control for name, control in made.items() if control is not None}
        for control in self.parameters.values():
            control.observe(self._changed, "value")
        self.parameter_box.children = list(self.parameters.values())

    def _changed(self, change) -> None:
        if change.owner is self.controls["method"]:
            self._offer_parameters(change.new)
        self.refresh()

    def settings(self) -> dict:
        """Return the parameters of the method as they stand."""
        return {name: control.value for name, control in self.parameters.items()}

    def code(self) -> str:
        """Return the call of ``attribute`` that makes the present map."""
        changed = [
            f", {p.name}={self.parameters[p.name].value!r}"
            for p in METHODS[self.controls["method"].value].parameters
            if p.name in self.parameters and self.parameters[p.name].value != p.default
        ]
        target, method = self.controls["target"].value, self.controls["method"].value
        return f'attribute(model, ecg.tensor(), "{method}", target={target}{"".join(changed)})'

    def _relevance(self, record, model, target, method, start, settings) -> torch.Tensor:
        x = self.load_record(record, start).tensor()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MethodWarning)  # said in the line above the picture
            return attribute(self.load_model(model), x, method, target=target, progress=False, **dict(settings))

    def draw(self, record, model, target, method, start, threshold, sign, normalise, style):
        """Return the figure and a line with the probability, the call, and what the method cannot do here."""
        network, ecg = self.load_model(model), self.load_record(record, start)
        reason = caveat(method, network)
        relevance = self.relevance(record, model, target, method, start, tuple(sorted(self.settings().items())))
        figure = plot_ecg(ecg, relevance, style=style, normalise=normalise, threshold=threshold, sign=sign)
        x = ecg.tensor()
        with torch.no_grad():
            logit = float(network(x)[target])
        line = f"{model} ({network.source}): p = {float(network.probability(x)):.3f}, explained logit {logit:.2f}, "
        line += f"sum of relevance {float(relevance.sum()):.2f}<br><code>{escape(self.code())}</code>"
        self.alt = f"12-lead ECG {ecg.record_id} with the relevance of {METHODS[method].title} for the {model} model"
        return figure, line + (f"<br><b>Mind:</b> {escape(reason)}." if reason else "")


def _prepared(name: str, start: float) -> ECG:
    """Load a recording, filter it and cut the model's window out of it, as late as the recording allows."""
    ecg = load_record(name)
    ecg = (ecg if ecg.fs == 500 else ecg.resample(500)).preprocess()
    return ecg.window(min(round(start * 500), max(ecg.samples - SAMPLES, 0)), SAMPLES)
