"""Explain one recording by any method, with a control for every parameter."""

from contextlib import contextmanager
from dataclasses import dataclass
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
from leadwise.networks.network import Network, network_of
from leadwise.networks.registry import NETWORKS
from leadwise.networks.weights import ECG_MODELS
from leadwise.plotting import number, percent
from leadwise.plotting.style import printable, relevance_rgba
from leadwise.recordings.catalogue import load_record, records
from leadwise.recordings.reading import FORMATS, read_ecg

WHAT = ("record", "model", "target", "score", "start", "upload")
HOW = ("style", "threshold", "sign", "normalise", "leads")
MOST_PROBABLE = "the most probable"
LATEST = 6.0  # s, the end of a slider that has nothing to slide
TOP = 3  # classes whose probability is said beside that of the explained one
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
    model : a name of ``NETWORKS``, or a network of your own, which says what it takes
    method : a key of ``METHODS``
    weights : of the course's networks, as in ``load_ecg_model``
    parameters : of the first method, where they should not start at their defaults

    Raises
    ------
    ValueError : an unknown record, model, method or parameter, or no recording at all
    """

    choice = ("family", "method")
    display = DISPLAY

    def __init__(
        self, record: str | None = None, model="LBBB", method: str = "lrp_epsilon", weights="auto", **parameters
    ):
        available = records()
        if not available:
            raise ValueError("there is no recording to explain; fetch some with: python -m leadwise download ecgs")
        self.networks = Menu(model, weights)
        record = record or next(iter(records(self.networks.first)), next(iter(available)))
        for what, value, known in (("record", record, available), ("method", method, METHODS)):
            if value not in known:
                raise ValueError(f"no {what} {value!r}; expected one of {', '.join(known)}.")
        self.recording = lru_cache(maxsize=16)(self._recording)
        self.uploads: dict[str, tuple[dict[str, bytes], ECG]] = {}  # the learner's own, by their names in the menu
        self.lead_bars = widgets.HTML()
        self.formula = widgets.HTMLMath()
        accepted = ",".join(extension for extensions in FORMATS.values() for extension in extensions)
        family = METHODS[method].family
        controls = {
            "record": drop("record", titles(available), record),
            "upload": widgets.FileUpload(description="your own", accept=accepted, multiple=True, layout=FIELD),
            "model": drop("model", self.networks.options, self.networks.first),
            "target": classes_control(self.networks[self.networks.first]),
            "score": drop("of it, the", list(EXPLAIN), "log-odds"),
            "start": slide("start (s)", LATEST, 0.1, ".1f"),
            "family": drop("family", [(title, key) for key, title in FAMILIES.items()], family),
            "method": drop("method", methods_of(family), method),
            **display_controls(CHOICES["group"]),
        }
        self.controls = controls
        self._offer_window(record, self.networks.first)
        super().__init__(controls, parameters)

    def make_canvas(self) -> ECGCanvas:
        """Return the ECG on its paper, empty."""
        return ECGCanvas(np.zeros((len(LEADS), 2)), fs=1.0)

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
        if change.owner in (self.controls["record"], self.controls["model"]):
            try:
                with self.quietly():
                    offer_classes(self.controls["target"], self.networks[self.controls["model"].value])
                    self._offer_window(self.controls["record"].value, self.controls["model"].value)
            except Exception as error:
                self._fail(error)
                return
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

    def _recording(self, record: str, model: str) -> ECG:
        """Return a whole recording as a network gets it, without a calibration pulse."""
        ecg = self.uploads[record][1] if record in self.uploads else load_record(record)
        return self.networks[model].recording(cut_calibration(ecg))

    def _offer_window(self, record: str, model: str) -> None:
        offer_window(self.controls["start"], self.recording(record, model), self.networks[model])

    def code(self) -> str:
        """Return the call of ``attribute`` that makes the present map."""
        names = ("model", "target", "score", "method", "start")
        model, target, score, method, start = (self.controls[name].value for name in names)
        said = f'"{method}", target={target}, explain="{score}"{self.changed_settings()}'
        net = self.networks[model]
        plain = net.leads == LEADS and net.layout == "NCT"
        return (
            f"attribute(model, ecg.tensor(), {said})" if plain else f"attribute(net, net.input(ecg, {start:g}), {said})"
        )

    def asked(self, record, model, target, score, start, method, settings, **_):
        """Return recording, start of the window, network, class, what of it, method and parameters."""
        return (
            record,
            latest(start, self.recording(record, model), self.networks[model]),
            model,
            target,
            score,
            method,
            settings,
        )

    def answer(self, asked, progress):
        """Return an :class:`Answer`."""
        record, start, model, target, score, method, settings = asked
        net = self.networks[model]
        with one_thread():
            return Answer.of(net, self.recording(record, model), start, target, score, method, progress, dict(settings))

    def draw(self, answer, record, model, score, method, **_) -> str:
        """Show the map; return the probability, what the relevance adds up to, and what the method cannot do here."""
        net, row, recording = self.networks[model], METHODS[method], self.recording(record, model)
        what = net.class_name(answer.target)
        title = f"{row.title} of the {net.title} network, explained: {score} of {what}; {answer.said(net, 0)}"
        self.canvas.show(
            recording, answer.whole(net, recording), start=answer.start, stop=answer.stop(net), title=title
        )
        self.lead_bars.value = _bars(answer.relevance.numpy(), net.leads)
        formula = rf"$\displaystyle {row.formula}$<br>" * bool(row.formula)
        self.formula.value = f"<div style='padding: 6px 8px'>{formula}<small>{escape(row.citation)}</small></div>"
        self.code_line.code = self.code()
        line = f"{escape(described(net))}: {answer.said(net)} · explained {score} {number(answer.score)} · "
        line += f"sum of relevance {number(float(answer.relevance.sum()))}"
        reasons = (caveat(method, net, answer.x), row.note)
        return line + "".join(f"<br><b>Mind:</b> {escape(reason.rstrip('.'))}." for reason in reasons if reason)


class Menu:
    """The networks of ECGs that can be chosen: those of ``NETWORKS``, and one that was given. Name -> Network.

    Parameters
    ----------
    model : a name of ``NETWORKS``, or a network that says what it takes
    weights : of the course's networks, as in ``load_ecg_model``

    Raises
    ------
    ValueError : no such network, or one that does not say what it takes
    """

    def __init__(self, model, weights: str = "auto"):
        names = NETWORKS.names("ecg")
        self.given = None if isinstance(model, str) else network_of(model)
        if self.given is not None and not self.given.is_ecg:
            raise ValueError(
                f"{self.given!r} does not say which recordings it takes; say it: "
                "Network(module, leads=(...), fs=..., samples=...)."
            )
        if self.given is None and model not in names:
            raise ValueError(f"model is {model!r}; expected one of {', '.join(names)}, or a network.")
        self.first = model if self.given is None else f"{self.given.title}, given"
        self.options = NETWORKS.menu("ecg") + ([] if self.given is None else [(self.first, self.first)])
        self.load = lru_cache(lambda name: NETWORKS.load(name, weights))

    def __getitem__(self, name: str) -> Network:
        return self.given if self.given is not None and name == self.first else self.load(name)


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network says about a window, and where it looks.

    Parameters
    ----------
    x : its input, a batch of one
    start : s, where the window begins
    target : index of the explained class
    relevance : Tensor (leads, T)
    probabilities : Tensor (K,)
    score : what is explained
    """

    x: torch.Tensor
    start: float
    target: int
    relevance: torch.Tensor
    probabilities: torch.Tensor
    score: float

    @classmethod
    def of(cls, net: Network, recording: ECG, start, target, score, method, progress, settings) -> "Answer":
        """Ask a network and explain its answer; ``target`` None is the most probable class."""
        x = net.input_of(recording, start)
        probabilities = net.probability(x)[0]
        target = int(probabilities.argmax()) if target is None else target
        relevance = explain(net, x, method, target, progress, explain=score, **settings)
        with torch.no_grad():
            value = float((net.log_odds if score == "log-odds" else net.logits)(x)[0, target])
        return cls(x, start, target, net.by_leads(relevance)[0], probabilities, value)

    def stop(self, net: Network) -> float:
        """Return where the window ends, s."""
        return self.start + self.relevance.shape[1] / net.fs

    def whole(self, net: Network, recording: ECG) -> np.ndarray:
        """Return the map on the whole recording, (12, T)."""
        return net.on_recording(net.laid_out(self.relevance[None]), recording, self.start)

    def said(self, net: Network, others: int = TOP) -> str:
        """Return the probability of the finding, or of the explained class and the most probable others."""
        if len(self.probabilities) == 2 and net.outputs == "classes":
            shown = [net.index()]
        else:
            best = self.probabilities.argsort(descending=True).tolist()
            shown = [self.target, *(k for k in best[: others + 1] if k != self.target)][: others + 1]
        return " · ".join(f"p({escape(net.class_name(k))}) = {float(self.probabilities[k]):.3f}" for k in shown)


def described(net: Network) -> str:
    """Return what a network is, for the line above a picture: "Ischaemia, embedded network"."""
    what = ECG_MODELS.get(net.title, net.title)
    return f"{what[:1].upper()}{what[1:]}, {net.source or 'your own'} network"


def classes_control(net: Network) -> widgets.Dropdown:
    """Return a choice of the explained class."""
    options = _classes(net)
    return drop("explained", options, options[0][1])


def offer_classes(control: widgets.Dropdown, net: Network) -> None:
    """Offer the classes of a network; the choice stays where the classes do."""
    options = _classes(net)
    if list(control.options) != options:
        kept = control.index if len(control.options) == len(options) else 0
        control.options, control.index = options, kept


def _classes(net: Network) -> list[tuple[str, int | None]]:
    """Return the classes for a menu, the finding of two first; of more, the most probable one before them."""
    classes = list(enumerate(net.classes or ()))
    options: list[tuple[str, int | None]] = [(name, index) for index, name in classes]
    if len(classes) == 2 and net.outputs == "classes":
        return options[::-1]
    return options if len(classes) == 1 else [(MOST_PROBABLE, None), *options]


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


def latest(start: float, recording: ECG, net: Network) -> float:
    """Return where the window starts: at ``start`` seconds, or as late as the recording allows."""
    last = recording.duration - (net.duration or 0.0)
    return min(start, max(last, 0.0)) if net.duration else 0.0


def offer_window(start: widgets.FloatSlider, recording: ECG, net: Network) -> None:
    """Let the window start as late as the recording allows."""
    last = recording.duration - (net.duration or recording.duration)
    start.disabled, start.max = last <= 0, last if last > 0 else LATEST


@contextmanager
def one_thread():
    """Let PyTorch use one thread: a small network gains nothing from two, which would wait for the browser's turn."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _bars(relevance: np.ndarray, leads: tuple[str, ...]) -> str:
    """Return a bar for each lead as HTML: its share of Σ|R|, what speaks for the class above what speaks against."""
    total = np.abs(relevance).sum() or 1.0
    parts = np.stack([relevance.clip(min=0).sum(1), -relevance.clip(max=0).sum(1)]) / total  # (2, leads): for, against
    most = parts.sum(0).max() or 1.0
    colours = [
        "rgb({:.0f}, {:.0f}, {:.0f})".format(*(255 * c for c in relevance_rgba(s, "white")[:3])) for s in (1, -1)
    ]
    columns = ""
    for lead, (above, below) in zip(leads, parts.T, strict=True):
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
