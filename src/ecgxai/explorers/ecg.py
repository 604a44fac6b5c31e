"""Explain one recording by any method, with a control for every parameter."""

import warnings
from functools import lru_cache
from html import escape

import ipywidgets as widgets
import torch

from ecgxai.attribution import METHODS, MethodWarning, attribute, caveat
from ecgxai.ecg.record import ECG
from ecgxai.ecg.records import load_record, records
from ecgxai.explorers.base import MethodExplorer, drop, grid, slide
from ecgxai.models.weights import ECG_MODELS, load_ecg_model
from ecgxai.plotting import number, plot_ecg

FS, SAMPLES = 500, 2000  # Hz, and the length of the networks' window
CLASSES = {1: "pathology", 0: "no finding"}
WHAT, HOW = ("model", "target", "start"), ("style", "threshold", "sign", "normalise")


class ECGExplorer(MethodExplorer):
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
        record = record or next(iter(records(model)), next(iter(available)))
        controls = {
            "record": drop("record", [(f"{i.title} [{i.origin}]", name) for name, i in available.items()], record),
            "model": drop("model", list(ECG_MODELS), model),
            "target": drop("explained", [(text, index) for index, text in CLASSES.items()], 1),
            "start": slide("start (s)", 6.0, 0.1, ".1f"),
            "method": drop("method", [(row.title, key) for key, row in METHODS.items()], method),
            "style": drop("style", ("band", "halo", "bubbles"), "band"),
            "threshold": slide("threshold", 0.95, 0.05, ".0%"),
            "sign": drop("sign", ("both", "positive", "negative"), "both"),
            "normalise": drop("normalise", [("per record", "record"), ("per lead", "lead")], "record"),
        }
        self._offer_window(controls["start"], record)
        super().__init__(controls)

    def panel(self) -> widgets.Widget:
        """Return what is explained, by which method with which parameters, and how it is drawn."""
        what, how = (grid(self.controls[name] for name in names) for names in (WHAT, HOW))
        return widgets.VBox([self.controls["record"], what, self.method_box, how])

    def _offer_window(self, start: widgets.FloatSlider, record: str) -> None:
        """Let the window start as late as the recording allows."""
        last = load_record(record).duration - SAMPLES / FS
        start.disabled = last <= 0
        start.max = last if last > 0 else 6.0

    def _changed(self, change) -> None:
        if change.owner is self.controls["record"]:
            self._offer_window(self.controls["start"], change.new)
        super()._changed(change)

    def code(self) -> str:
        """Return the call of ``attribute`` that makes the present map."""
        target, method = self.controls["target"].value, self.controls["method"].value
        return f'attribute(model, ecg.tensor(), "{method}", target={target}{self.changed_settings()})'

    def _window(self, record: str, start: float) -> tuple[ECG, int]:
        """Return a recording, filtered, and the sample at which the window starts: as late as the recording allows."""
        ecg = self.load_record(record)
        return ecg, min(round(start * ecg.fs), max(ecg.samples - SAMPLES, 0))

    def _relevance(self, record, model, target, method, start, settings) -> torch.Tensor:
        self.say_computing(method)
        ecg, first = self._window(record, start)
        x = ecg.window(first, SAMPLES).tensor()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MethodWarning)  # said in the line above the picture
            return attribute(self.load_model(model), x, method, target=target, progress=False, **dict(settings))

    def draw(self, record, model, target, method, start, threshold, sign, normalise, style):
        """Return the figure and a line with the probability, the call, and what the method cannot do here."""
        network = self.load_model(model)
        ecg, first = self._window(record, start)
        last = first + SAMPLES
        relevance = self.relevance(record, model, target, method, start, tuple(sorted(self.settings().items())))
        x = ecg.window(first, SAMPLES).tensor()
        with torch.no_grad():
            logit = float(network(x)[target])
        probability = f"p({model}) = {float(network.probability(x)):.3f}"
        title = f"{METHODS[method].title} of the {model} network, explained: {CLASSES[target]}; {probability}"
        show = {"style": style, "normalise": normalise, "threshold": threshold, "sign": sign}
        whole = torch.zeros(ecg.signal.shape)  # so that the time axis is the recording's
        whole[:, first:last] = relevance
        figure = plot_ecg(ecg, whole, title=title, start=first / ecg.fs, stop=last / ecg.fs, **show)
        line = f"{ECG_MODELS[model].capitalize()}, {network.source} network: {probability} · "
        line += f"explained logit {number(logit)} · sum of relevance {number(float(relevance.sum()))}"
        line += f"<br><code>{escape(self.code())}</code>"
        reason = caveat(method, network)
        self.alt = figure.alt
        return figure, line + (f"<br><b>Mind:</b> {escape(reason)}." if reason else "")


def _prepared(name: str) -> ECG:
    """Load a recording and filter it as the networks expect, over its whole length."""
    ecg = load_record(name)
    return (ecg if ecg.fs == FS else ecg.resample(FS)).preprocess()
