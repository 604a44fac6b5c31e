"""A recording as what is explained: its choice, the network of ECGs, the class, the window."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from itertools import count
from types import MappingProxyType

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor, nn

from leadwise.attribution import receipt
from leadwise.attribution.question import EXPLAIN
from leadwise.attribution.receipt import Receipt
from leadwise.ecg.calibration import cut_calibration
from leadwise.ecg.record import ECG
from leadwise.explorers.base import drop, slide, worded
from leadwise.explorers.canvas import CHOICES
from leadwise.explorers.ecg_grid import ECGGrid
from leadwise.explorers.script import network_line, recording_code
from leadwise.explorers.subject import Asked, Subject
from leadwise.explorers.upload import recording_upload, uploaded_files
from leadwise.language import mark, pieces, tr
from leadwise.networks.network import Network, network_of
from leadwise.networks.registry import NETWORKS
from leadwise.networks.weights import ECG_MODELS
from leadwise.plotting import number
from leadwise.plotting.style import printable
from leadwise.recordings.catalogue import CONDITIONS, load_record, records
from leadwise.recordings.reading import read_ecg

GIVEN = mark("the given recording")
MOST_PROBABLE = mark("the most probable")
LATEST = 6.0  # s, the end of a slider that has nothing to slide
TOP = 3  # classes whose probability is said beside that of the explained one
DISPLAY = MappingProxyType(
    {
        "threshold": "threshold",
        "sign": "sign_index",
        "leads": "group_index",
        "style": "overlay_index",
        "normalise": "normalise_index",
    }
)


@dataclass(frozen=True)
class RecordingCase:
    """What is explained of a recording.

    Parameters
    ----------
    record, model : their names in the menus
    target : index of the explained class; None is the most probable one
    score : what of it: "logit" or "log-odds"
    start : where the window begins, seconds
    """

    record: str
    model: str
    target: int | None
    score: str
    start: float


@dataclass(frozen=True, eq=False)
class Window:
    """What a network gets of a recording, (1, ...), and its probabilities (K,)."""

    x: Tensor
    probabilities: Tensor


class RecordingSubject(Subject):
    """A recording, the network that is asked about it, the explained class and the window.

    Parameters
    ----------
    source : an ECG, or a name of ``records()``; None is the first recording of the model's pathology
    model : a name of ``NETWORKS``, or a network that says what it takes
    target : index or name of the explained class; None is the finding, or the most probable class of many
    weights : of the course's networks, as in ``load_ecg_model``
    leads : what the menu of leads calls all that are shown

    Raises
    ------
    ValueError : an unknown record, network or class, or no recording at all
    """

    display = DISPLAY

    def __init__(
        self,
        source: ECG | str | None = None,
        model: nn.Module | Network | str = "LBBB",
        target: int | str | None = None,
        weights: str = "auto",
        leads: str = "all",
    ):
        available = records()
        if not available:
            raise ValueError("there is no recording to explain; fetch some with: python -m leadwise download ecgs")
        self.given = source if isinstance(source, ECG) else None
        self.networks = Menu(model, weights)
        own = records(self.networks.first) if self.networks.first in CONDITIONS else {}
        first = next(iter(own), next(iter(available)))
        record = GIVEN if self.given else source or first
        if record != GIVEN and record not in available:
            raise ValueError(f"no record {record!r}; expected one of {', '.join(available)}.")
        self.recording = lru_cache(maxsize=16)(self._recording)
        self.window = lru_cache(maxsize=16)(self._window)
        self.score = lru_cache(maxsize=32)(self._score)
        self.uploads: dict[str, tuple[dict[str, bytes], ECG]] = {}  # the learner's own, by their names in the menu
        options = [(tr(GIVEN), GIVEN)] * (self.given is not None) + titles(available)
        self.controls = {
            "record": drop(tr("record"), options, record),
            "upload": recording_upload(tr("your own")),
            "model": drop(tr("network"), self.networks.options, self.networks.first),
            "target": drop(tr("explained"), [(tr(MOST_PROBABLE), None)], None),
            "start": slide(tr("start (s)"), LATEST, 0.1, ".1f"),
            "score": drop(tr("of it, the"), worded(EXPLAIN), "log-odds"),
            **display_controls([(tr(leads), "all"), *((tr(group), group) for group in CHOICES["group"][1:])]),
        }
        offer_classes(self.controls["target"], self.networks[self.networks.first])
        if target is not None:
            self.controls["target"].value = self.networks[self.networks.first].index(target)

    # Controls --------------------------------------------------------------------------------------------------------

    def needed(self) -> list[widgets.Widget]:
        """Return recording, upload, network, class and window."""
        return [self.controls[name] for name in ("record", "upload", "model", "target", "start")]

    def rare(self) -> list[widgets.Widget]:
        """Return what of the class is explained."""
        return [self.controls["score"]]

    def follow(self, control: widgets.Widget) -> widgets.Widget:
        """Put an upload into the menu and choose it; one that cannot be read leaves everything as it was."""
        menu = self.controls["record"]
        files = uploaded_files(control) if control is self.controls["upload"] else {}
        if not files:
            return control
        name = self._name_for(files)
        if name not in self.uploads:
            self.uploads[name] = files, read_ecg(files)
        if name not in [value for _, value in menu.options]:
            menu.options = [*menu.options, (name, name)]
        menu.value = name
        return menu

    def turn(self, control: widgets.Widget) -> None:
        """Offer the classes of another network."""
        if control is self.controls["model"]:
            offer_classes(self.controls["target"], self.networks[self.controls["model"].value])

    def _name_for(self, files: dict[str, bytes]) -> str:
        """Return the name of an upload in the menu: another content under a name that is taken gets a number."""
        first = tr("yours: {name}", name=printable(next(iter(files))))
        names = (first if number == 1 else f"{first} ({number})" for number in count(1))
        return next(name for name in names if name not in self.uploads or self.uploads[name][0] == files)

    # Cases -----------------------------------------------------------------------------------------------------------

    def case(self) -> RecordingCase:
        """Return recording, network, class, what of it, and where the window starts."""
        record, model, target, score = (self.controls[name].value for name in ("record", "model", "target", "score"))
        start = slide_along(self.controls["start"], self.recording(record, model), self.networks[model])
        return RecordingCase(record, model, target, score, start)

    def net(self, case: RecordingCase) -> Network:
        """Return the network of a case."""
        return self.networks[case.model]

    def whole(self, case: RecordingCase) -> ECG:
        """Return the whole recording of a case as its network gets it, without a calibration pulse."""
        return self.recording(case.record, case.model)

    def seen(self, case: RecordingCase) -> Window:
        """Return what the network gets of a case, and what it answers."""
        return self.window(case.record, case.model, case.start)

    def target(self, case: RecordingCase) -> int:
        """Return the index of the explained class."""
        return int(self.seen(case).probabilities.argmax()) if case.target is None else case.target

    def stop(self, case: RecordingCase) -> float:
        """Return where the window ends, seconds."""
        net = self.net(case)
        return case.start + net.by_leads(self.seen(case).x).shape[-1] / net.fs

    def explained(self, case: RecordingCase) -> float:
        """Return the value that is explained: the logit or log-odds of the class."""
        return float(self.score(case.record, case.model, case.start, case.score)[self.target(case)])

    def said(self, case: RecordingCase, others: int = TOP) -> str:
        """Return the probability of the finding, or of the explained class and the most probable others."""
        net, probabilities = self.net(case), self.seen(case).probabilities
        if len(probabilities) == 2 and net.outputs == "classes":
            shown = [net.index()]
        else:
            best, target = probabilities.argsort(descending=True).tolist(), self.target(case)
            shown = [target, *(k for k in best[: others + 1] if k != target)][: others + 1]
        return " · ".join(f"p({tr(net.class_name(k))}) = {float(probabilities[k]):.3f}" for k in shown)

    def _recording(self, record: str, model: str) -> ECG:
        return self.networks[model].recording(cut_calibration(self._raw(record)))

    def _raw(self, record: str) -> ECG:
        if record in self.uploads:
            return self.uploads[record][1]
        return self.given if record == GIVEN else load_record(record)

    def _window(self, record: str, model: str, start: float) -> Window:
        net = self.networks[model]
        x = net.input_of(self.recording(record, model), start)
        with one_thread():
            return Window(x, net.probability(x)[0])

    def _score(self, record: str, model: str, start: float, score: str) -> Tensor:
        net, x = self.networks[model], self.window(record, model, start).x
        with one_thread(), torch.no_grad():
            return (net.log_odds if score == "log-odds" else net.logits)(x)[0]

    # Maps ------------------------------------------------------------------------------------------------------------

    def explain(self, asked: Asked, progress: Callable[[int, int], None]) -> Receipt:
        """Return the relevance (1, ...), shaped like the network's input, with its receipt."""
        case, x = asked.case, self.seen(asked.case).x
        with one_thread():
            settings = {"explain": case.score, "progress": progress, **dict(asked.settings)}
            return receipt(self.net(case), x, asked.method, self.target(case), **settings)

    def drawn(self, case: RecordingCase, relevance: Tensor) -> np.ndarray:
        """Return a map on the whole recording, (12, T)."""
        return self.net(case).on_recording(relevance, self.whole(case), case.start)

    def title(self, case: RecordingCase) -> str:
        """Return what is explained, in words."""
        net = self.net(case)
        words = {"network": pieces(net.title), "score": tr(case.score), "name": tr(net.class_name(self.target(case)))}
        return tr("the {network} network, explained: {score} of {name}", **words)

    def several(self) -> ECGGrid:
        """Return a view of many maps, empty."""
        return ECGGrid()

    def show(self, canvas: ECGGrid, case: RecordingCase, maps: dict, notes: dict) -> None:
        """Show maps of a window."""
        ecg, title = self.whole(case), f"{case.record}: {self.title(case)}"
        on_ecg = {name: None if one is None else self.drawn(case, one) for name, one in maps.items()}
        canvas.show(ecg, on_ecg, notes=notes, title=title, start=case.start, stop=self.stop(case))

    def note(self, case: RecordingCase, relevance: Tensor) -> str:
        """Return the sum of a map."""
        return f"{tr('sum')} {number(float(relevance.sum()))}"

    def line(self, case: RecordingCase) -> str:
        """Return what the network is, its probabilities, and the value that is explained."""
        who, p = described(self.net(case)), self.said(case)
        score = f"{tr('explained {score}', score=tr(case.score))} {number(self.explained(case))}"
        return f"{escape(who)}: {escape(p)} · {score}"

    # Code ------------------------------------------------------------------------------------------------------------

    def script(self, case: RecordingCase) -> tuple[list[str], list[str]]:
        """Return what makes network, recording, and the input of the network."""
        line, fill = self.networks.script(case.model)
        files = self.uploads[case.record][0] if case.record in self.uploads else None
        ecg, also = recording_code(files or (self.given if case.record == GIVEN else case.record))
        window = [f"recording = net.recording(cut_calibration({ecg}))", f"x = net.input_of(recording, {case.start!r})"]
        return [line, *window], [fill, also]

    def call(self, asked: Asked, settings: str) -> str:
        """Return the call of ``attribute``."""
        target, score = self.target(asked.case), asked.case.score
        return f'attribute(net, x, "{asked.method}", target={target}, explain="{score}"{settings})'

    def picture_of(self, case: RecordingCase) -> str:
        """Return the call of ``plot_ecg``."""
        whole = f"net.on_recording(relevance, recording, {case.start!r})"
        return f"plot_ecg(recording, {whole}, start={case.start!r}, stop={self.stop(case)!r})"

    def pictures_of(self, case: RecordingCase) -> str:
        """Return the call of ``plot_grid``."""
        whole = f"{{name: net.on_recording(one, recording, {case.start!r}) for name, one in maps.items()}}"
        return f"plot_grid(recording, {whole}, start={case.start!r}, stop={self.stop(case)!r})"


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

    def __init__(self, model: nn.Module | Network | str, weights: str = "auto"):
        names = NETWORKS.names("ecg")
        self.given = None if isinstance(model, str) else network_of(model)
        if self.given is not None and not self.given.is_ecg:
            raise ValueError(
                f"{self.given!r} does not say which recordings it takes; say it: "
                "Network(module, leads=(...), fs=..., samples=...)."
            )
        if self.given is None and model not in names:
            raise ValueError(f"model is {model!r}; expected one of {', '.join(names)}, or a network.")
        self.first = model if isinstance(model, str) else tr("{network}, given", network=self.given.title)
        self.options = [(pieces(title), name) for title, name in NETWORKS.menu("ecg")]
        self.options += [] if self.given is None else [(self.first, self.first)]
        self.load = lru_cache(lambda name: NETWORKS.load(name, weights))

    def script(self, name: str) -> tuple[str, str]:
        """Return the line of code that makes a network, and what has to be filled in."""
        net = self[name]
        own = net is self.given or NETWORKS.rows[name].own
        return network_line(name, net, own=own, like="network_of")

    def __getitem__(self, name: str) -> Network:
        return self.given if self.given is not None and name == self.first else self.load(name)


def slide_along(start: widgets.FloatSlider, recording: ECG, *nets: Network) -> float:
    """Let a slider end where the last window of a recording begins; return where the window begins, seconds."""
    last = max(recording.duration - max(net.duration or recording.duration for net in nets), 0.0)
    start.disabled, start.max = last == 0, last or LATEST
    return min(start.value, last)


def described(net: Network) -> str:
    """Return what a network is, for the line above a picture: "Ischaemia, embedded network"."""
    what = pieces(ECG_MODELS.get(net.title, net.title))
    return tr("{what}, {source} network", what=f"{what[:1].upper()}{what[1:]}", source=tr(net.source or "your own"))


def offer_classes(control: widgets.Dropdown, net: Network) -> None:
    """Offer the classes of a network; the choice stays where the classes do."""
    options = _classes(net)
    if list(control.options) != options:
        kept = control.index if len(control.options) == len(options) else 0
        control.options, control.index = options, kept


def _classes(net: Network) -> list[tuple[str, int | None]]:
    """Return the classes for a menu, the finding of two first; of more, the most probable one before them."""
    classes = list(enumerate(net.classes or ()))
    options: list[tuple[str, int | None]] = [(tr(name), index) for index, name in classes]
    if len(classes) == 2 and net.outputs == "classes":
        return options[::-1]
    return options if len(classes) == 1 else [(tr(MOST_PROBABLE), None), *options]


def titles(available: dict) -> list[tuple[str, str]]:
    """Return recordings for a menu: (what it is and where it comes from, name)."""
    return [(f"{info.title} [{info.origin}]", name) for name, info in available.items()]


def display_controls(groups: Sequence[tuple[str, str]]) -> dict[str, widgets.Widget]:
    """Return the controls that change only how relevance is drawn, by their names in ``DISPLAY``.

    ``groups`` : leads that can be chosen, as (label, group) or as groups of ``ECGCanvas``; "all" comes first
    """
    return {
        "threshold": slide(tr("threshold"), 0.95, 0.05, ".0%"),
        "sign": drop(tr("sign"), worded(CHOICES["sign"]), "signed"),
        "leads": drop(tr("leads"), groups, "all"),
        "style": drop(tr("style"), worded(CHOICES["overlay"]), "band"),
        "normalise": drop(tr("normalise"), [(tr("per record"), "record"), (tr("per lead"), "lead")], "record"),
    }


@contextmanager
def one_thread():
    """Let PyTorch use one thread: a small network gains nothing from two, which would wait for the browser's turn."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
