"""Explain one recording by any method, with a control for every parameter."""

from contextlib import contextmanager
from functools import lru_cache
from html import escape
from itertools import count
from types import MappingProxyType

import ipywidgets as widgets
import numpy as np
import torch

from leadwise.attribution import METHODS, caveat
from leadwise.attribution.question import EXPLAIN
from leadwise.ecg.calibration import cut_calibration
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.explorers.base import FAMILIES, FIELD, MethodExplorer, drop, explain, grid, methods_of, slide
from leadwise.explorers.canvas import CHOICES, ECGCanvas
from leadwise.explorers.upload import uploaded_files
from leadwise.networks.weights import ECG_MODELS, load_ecg_model
from leadwise.plotting import number, percent
from leadwise.plotting.style import printable, relevance_rgba
from leadwise.recordings.catalogue import load_record, records
from leadwise.recordings.reading import FORMATS, read_ecg

FS, SAMPLES = 500, 2000  # Hz, and the length of the networks' window
CLASSES = {1: "pathology", 0: "no finding"}
WHAT, HOW = (
    ("record", "model", "target", "score", "start", "upload"),
    ("style", "threshold", "sign", "normalise", "leads"),
)
DISPLAY = MappingProxyType(
    {
        "style": "overlay_index",
        "threshold": "threshold",
        "sign": "sign_index",
        "normalise": "normalise_index",
        "leads": "group_index",
    }
)
BAR_PX = 44  # height of the tallest bar of a lead


class ECGExplorer(MethodExplorer):
    """Choose recording, model, method and its parameters; see the relevance on ECG paper.

    Parameters
    ----------
    record : a name of ``records()``; by default the first recording of the model's pathology
    model : "AVB", "ISCH", "LBBB" or "RBBB"
    method : a key of ``METHODS``
    weights : as in ``load_ecg_model``
    parameters : of the first method, where they should not start at their defaults

    Raises
    ------
    ValueError : an unknown record, model, method or parameter, or no recording at all
    """

    choice = ("family", "method")
    display = DISPLAY

    def __init__(
        self, record: str | None = None, model: str = "LBBB", method: str = "lrp_epsilon", weights="auto", **parameters
    ):
        available = records()
        if not available:
            raise ValueError("there is no recording to explain; fetch some with: python -m leadwise download ecgs")
        record = record or next(iter(records(model)), next(iter(available)))
        for what, value, known in (("record", record, available), ("method", method, METHODS)):
            if value not in known:
                raise ValueError(f"no {what} {value!r}; expected one of {', '.join(known)}.")
        self.load_model = lru_cache(lambda name: load_ecg_model(name, weights, verbose=False))
        self.load_record = lru_cache(self._prepared)
        self.uploads: dict[str, tuple[dict[str, bytes], ECG]] = {}  # the learner's own, by their names in the menu
        self.lead_bars = widgets.HTML()
        self.formula = widgets.HTMLMath()
        accepted = ",".join(extension for extensions in FORMATS.values() for extension in extensions)
        family = METHODS[method].family
        controls = {
            "record": drop("record", titles(available), record),
            "upload": widgets.FileUpload(description="your own", accept=accepted, multiple=True, layout=FIELD),
            "model": drop("model", list(ECG_MODELS), model),
            "target": drop("explained", [(text, index) for index, text in CLASSES.items()], 1),
            "score": drop("of it, the", list(EXPLAIN), "log-odds"),
            "start": slide("start (s)", 6.0, 0.1, ".1f"),
            "family": drop("family", [(title, key) for key, title in FAMILIES.items()], family),
            "method": drop("method", methods_of(family), method),
            **display_controls(CHOICES["group"]),
        }
        self.controls = controls
        offer_window(controls["start"], self.load_record(record))
        super().__init__(controls, parameters)

    def make_canvas(self) -> ECGCanvas:
        """Return the ECG on its paper, empty."""
        return ECGCanvas(np.zeros((len(LEADS), SAMPLES)), fs=FS)

    def panel(self) -> widgets.Widget:
        """Return what is explained, by which method with which parameters, and how it is drawn."""
        what, how = (grid(self.controls[name] for name in names) for names in (WHAT, HOW))
        return widgets.VBox([what, self.method_box, how])

    def below(self) -> list[widgets.Widget]:
        """Return the leads' shares, the method's formula and source, the call that makes the map, and a button."""
        return [self.lead_bars, self.formula, self.foot()]

    def _changed(self, change) -> None:
        if self.quiet:
            return
        if change.owner is self.controls["upload"]:
            self._take_upload()
            return
        if change.owner is self.controls["record"]:
            with self.quietly():
                offer_window(self.controls["start"], self.load_record(change.new))
        super()._changed(change)

    def _take_upload(self) -> None:
        """Add an uploaded recording to the menu and choose it; one that cannot be read leaves everything as it was."""
        control = self.controls["record"]
        try:
            files = uploaded_files(self.controls["upload"])
            if not files:
                return
            name = self._name_for(files)
            if name not in self.uploads:
                self.uploads[name] = files, read_ecg(files)
        except Exception as error:
            self._fail(error)
            return
        if name not in [value for _, value in control.options]:
            with self.quietly():
                kept = control.value
                control.options = [*control.options, (name, name)]
                control.value = kept
        control.value = name

    def _name_for(self, files: dict[str, bytes]) -> str:
        """Return the name of an upload in the menu: another content under a name that is taken gets a number."""
        first = f"yours: {printable(next(iter(files)))}"
        names = (first if number == 1 else f"{first} ({number})" for number in count(1))
        return next(name for name in names if name not in self.uploads or self.uploads[name][0] == files)

    def _prepared(self, record: str) -> ECG:
        return prepared(self.uploads[record][1] if record in self.uploads else load_record(record))

    def _window(self, record: str, start: float) -> tuple[ECG, int]:
        """Return a recording, filtered, and the sample at which the window starts."""
        ecg = self.load_record(record)
        return ecg, first_sample(ecg, start)

    def code(self) -> str:
        """Return the call of ``attribute`` that makes the present map."""
        target, score, method = (self.controls[name].value for name in ("target", "score", "method"))
        said = f'"{method}", target={target}, explain="{score}"{self.changed_settings()}'
        return f"attribute(model, ecg.tensor(), {said})"

    def asked(self, record, model, target, score, start, method, settings, **_):
        """Return recording, window, network, class, what of it, method and parameters."""
        return record, self._window(record, start)[1], model, target, score, method, settings

    def answer(self, asked, progress):
        """Return relevance (12, 2000), logits (2,), and the probability of the pathology."""
        record, first, model, target, score, method, settings = asked
        network, x = self.load_model(model), self.load_record(record).window(first / FS, SAMPLES).tensor()
        with one_thread():
            relevance = explain(network, x, method, target, progress, explain=score, **dict(settings))
            with torch.no_grad():
                logits = network(x)
        return relevance, logits, float(torch.softmax(logits, -1)[1])

    def draw(self, answer, record, model, target, score, start, method, **_) -> str:
        """Show the map; return the probability, what the relevance adds up to, and what the method cannot do here."""
        relevance, logits, probability = answer
        network, row = self.load_model(model), METHODS[method]
        ecg, first = self._window(record, start)
        whole = torch.zeros(ecg.signal.shape)  # so that the time axis is the recording's
        whole[:, first : first + SAMPLES] = relevance
        p = f"p({model}) = {probability:.3f}"
        title = f"{row.title} of the {model} network, explained: {score} of {CLASSES[target]}; {p}"
        self.canvas.show(ecg, whole, start=first / ecg.fs, stop=(first + SAMPLES) / ecg.fs, title=title)
        self.lead_bars.value = _bars(relevance.numpy())
        formula = rf"$\displaystyle {row.formula}$<br>" * bool(row.formula)
        self.formula.value = f"<div style='padding: 6px 8px'>{formula}<small>{escape(row.citation)}</small></div>"
        self.code_line.code = self.code()
        line = f"{ECG_MODELS[model].capitalize()}, {network.source} network: {p} · explained {score} "
        explained = logits[target] - logits[1 - target] * (score == "log-odds")
        line += f"{number(float(explained))} · sum of relevance {number(float(relevance.sum()))}"
        reasons = (caveat(method, network), row.note)
        return line + "".join(f"<br><b>Mind:</b> {escape(reason.rstrip('.'))}." for reason in reasons if reason)


def titles(available: dict) -> list[tuple[str, str]]:
    """Return recordings for a menu: (what it is and where it comes from, name)."""
    return [(f"{info.title} [{info.origin}]", name) for name, info in available.items()]


def display_controls(groups) -> dict[str, widgets.Widget]:
    """Return the controls that change only how relevance is drawn, by their names in ``DISPLAY``.

    ``groups`` : leads that can be chosen, as (label, group) or as groups of ``ECGCanvas``; "all" comes first
    """
    return {
        "style": drop("style", CHOICES["overlay"], "band"),
        "threshold": slide("threshold", 0.95, 0.05, ".0%"),
        "sign": drop("sign", CHOICES["sign"], "signed"),
        "normalise": drop("normalise", [("per record", "record"), ("per lead", "lead")], "record"),
        "leads": drop("leads", groups, "all"),
    }


def prepared(ecg: ECG) -> ECG:
    """Return a recording filtered as the networks expect, over its whole length, without a calibration pulse."""
    ecg = cut_calibration(ecg)
    return (ecg if ecg.fs == FS else ecg.resample(FS)).preprocess()


def first_sample(ecg: ECG, start: float) -> int:
    """Return the sample at which the window starts: at ``start`` seconds, or as late as the recording allows."""
    return min(round(start * FS), max(ecg.samples - SAMPLES, 0))


def offer_window(start: widgets.FloatSlider, ecg: ECG) -> None:
    """Let the window start as late as the recording allows."""
    last = (ecg.samples - SAMPLES) / FS
    start.disabled, start.max = last <= 0, last if last > 0 else 6.0


@contextmanager
def one_thread():
    """Let PyTorch use one thread: a small network gains nothing from two, which would wait for the browser's turn."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _bars(relevance: np.ndarray) -> str:
    """Return twelve bars as HTML: each lead's share of Σ|R|, what speaks for the class above what speaks against."""
    total = np.abs(relevance).sum() or 1.0
    parts = np.stack([relevance.clip(min=0).sum(1), -relevance.clip(max=0).sum(1)]) / total  # (2, 12): for, against
    most = parts.sum(0).max() or 1.0
    colours = [
        "rgb({:.0f}, {:.0f}, {:.0f})".format(*(255 * c for c in relevance_rgba(s, "white")[:3])) for s in (1, -1)
    ]
    columns = ""
    for lead, (above, below) in zip(LEADS, parts.T, strict=True):
        pieces = "".join(
            f"<div style='height: {BAR_PX * share / most:.1f}px; background: {colour}'></div>"
            for share, colour in zip((above, below), colours, strict=True)
        )
        columns += (
            f"<div style='flex: 1; text-align: center; font-size: 11px; line-height: 1.3'>"
            f"<div style='height: {BAR_PX}px; display: flex; flex-direction: column; justify-content: flex-end; "
            f"margin: 0 20%'>{pieces}</div><b>{lead}</b><br>{percent(above + below)}</div>"
        )
    return (
        "<div style='padding: 4px 8px 0 8px; font-size: 12px'>Share of each lead in Σ|R|: "
        f"<span style='color: {colours[0]}'>■</span> for, <span style='color: {colours[1]}'>■</span> against</div>"
        f"<div style='display: flex; padding: 0 8px'>{columns}</div>"
    )
