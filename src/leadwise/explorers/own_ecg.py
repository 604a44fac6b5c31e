"""A learner's own recording: upload it, say what the file does not say, see what the checks and the networks say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

import ipywidgets as widgets
from torch import nn

from leadwise.ecg.calibration import cut_calibration
from leadwise.ecg.record import ECG
from leadwise.explorers.base import FIELD, LABEL, MethodExplorer, changed, drop, slide
from leadwise.explorers.recording_subject import LATEST, MOST_PROBABLE, slide_along
from leadwise.explorers.script import complete, network_line, recording_code, written
from leadwise.explorers.subject import Asked, Subject
from leadwise.explorers.upload import recording_upload, uploaded_files
from leadwise.language import mark, tr
from leadwise.networks.ecg_net import as_published
from leadwise.networks.network import Network
from leadwise.networks.registry import NETWORKS
from leadwise.networks.weights import ECG_MODELS
from leadwise.recordings.catalogue import load_record, records
from leadwise.recordings.quality import Report, check_ecg
from leadwise.recordings.reading import read_ecg
from leadwise.report import NOT_FOR_DIAGNOSIS, Explanation, explain_ecg, plot_explanation, save_page

Recording = ECG | str | Path | Mapping[str, bytes]
Models = Mapping[str, nn.Module | Network] | Sequence[str]

UNITS = [(mark("as the file says"), None), ("mV", "mV"), ("µV", "uV"), ("V", "V"), ("nV", "nV")]
SAID = ("fs", "unit", "leads")


@dataclass(frozen=True, eq=False)
class Reading:
    """A recording as it was read, without a calibration pulse; what the checks say; the code that reads it."""

    ecg: ECG
    quality: Report
    code: str
    fill: str = ""


@dataclass(frozen=True)
class OwnCase:
    """A recording, the network that is explained (None: the most probable), and where the window starts, seconds."""

    reading: Reading
    model: str | None
    start: float


class OwnSubject(Subject):
    """A recording of the learner's own, and the networks that are asked about it.

    Parameters
    ----------
    recording, weights, models : as for :class:`OwnECG`
    """

    display: Mapping[str, str] = MappingProxyType({})

    def __init__(self, recording: Recording | None = None, weights: str = "auto", models: Models | None = None):
        self.models = models
        self.networks = _networks(models, weights)
        path = str(recording) if isinstance(recording, str | Path) else ""
        self.source = str(recording) if isinstance(recording, Path) else recording
        self.read: tuple = (None, None)  # what was read, and the Reading
        text = {"style": LABEL, "layout": FIELD, "continuous_update": False}
        self.controls = {
            "upload": recording_upload(tr("upload")),
            "path": widgets.Text(description=tr("or path"), value=path, placeholder=tr("folder/file.csv"), **text),
            "fs": widgets.Text(description=tr("rate (Hz)"), placeholder=tr("as the file says"), **text),
            "unit": drop(tr("unit"), [(tr(name), unit) for name, unit in UNITS], None),
            "leads": widgets.Text(
                description=tr("leads"), placeholder=tr("as the file says; or I,II,III,aVR, ..."), **text
            ),
            "model": drop(
                tr("explained"), [(tr(MOST_PROBABLE), None), *((name, name) for name in self.networks)], None
            ),
            "start": slide(tr("start (s)"), LATEST, 0.1, ".1f"),
        }

    def needed(self) -> list[widgets.Widget]:
        """Return where the recording comes from, what the file does not say, and what is explained."""
        return list(self.controls.values())

    def follow(self, control: widgets.Widget) -> widgets.Widget:
        """Turn to the file that was brought."""
        if control is self.controls["upload"]:
            self.source = uploaded_files(control) or self.source
        if control is self.controls["path"] and control.value.strip():
            self.source = control.value.strip()
        return control

    def said(self) -> dict:
        """Return what the learner says about the file, as arguments of ``read_ecg``."""
        fs, unit, leads = (self.controls[name].value for name in SAID)
        said = {"fs": fs.strip().replace(",", "."), "unit": unit, "leads": leads.strip()}
        said = {name: value for name, value in said.items() if value}
        return said | ({"fs": _number(said["fs"])} if "fs" in said else {})

    def reading(self) -> Reading:
        """Return the recording as the controls describe it, and what the checks say; read anew when they changed."""
        said, source = {} if isinstance(self.source, ECG | None) else self.said(), self.source
        files = tuple(source.items()) if isinstance(source, dict) else id(source) if isinstance(source, ECG) else source
        key = files, tuple(said.items())
        if self.read[0] != key:
            first = next(iter(records()))
            raw = load_record(first) if source is None else source
            ecg = cut_calibration(raw if isinstance(raw, ECG) else read_ecg(raw, **said))
            self.read = key, Reading(ecg, check_ecg(ecg), *recording_code(source or first, written(said)))
        return self.read[1]

    def case(self) -> OwnCase:
        """Return recording, network and window."""
        reading = self.reading()
        start = slide_along(self.controls["start"], reading.ecg, *self.networks.values())
        return OwnCase(reading, self.controls["model"].value, start)

    def script(self, case: OwnCase) -> tuple[list[str], list[str]]:
        """Return what makes the recording and the networks."""
        own = isinstance(self.models, Mapping) or any(NETWORKS.rows[name].own for name in self.networks)
        ecg = f"ecg = cut_calibration({case.reading.code})"
        if own:
            fill = tr("my_networks: the networks that the explorer asks, name -> network; theirs can't be known here")
            return [ecg, "networks = my_networks"], [case.reading.fill, fill]
        loads = [network_line(name, net, own=False)[0].removeprefix("net = ") for name, net in self.networks.items()]
        rows = [f"    {name!r}: {load}," for name, load in zip(self.networks, loads, strict=True)]
        return [ecg, "networks = {", *rows, "}"], [case.reading.fill]


class OwnECG(MethodExplorer[OwnSubject]):
    """Read a recording from an upload or a path, check it, run networks, explain one of them.

    A file that cannot be read, or that fails a check, gets a message; the last good picture stays, as the previous one.

    Parameters
    ----------
    recording : a path, or an ECG, to begin with; by default the first of ``records()``
    method : a key of ``METHODS``
    weights : of the course's networks, as in ``load_ecg_model``
    folder : where reports go; as for :func:`leadwise.report.report`
    models : networks by name, or names of ``NETWORKS``; None: the four of the course and all that you have put there
    parameters : of the method
    """

    def __init__(
        self,
        recording: Recording | None = None,
        method: str = "lrp_epsilon",
        weights: str = "auto",
        folder: str | Path | None = None,
        models: Models | None = None,
        **parameters: Any,
    ):
        self.folder = folder
        self.explanation: Explanation | None = None
        self.report_button = self.saver(tr("save report"), "file-text-o", self.save_report)
        super().__init__(OwnSubject(recording, weights, models), method, parameters)

    def foot(self) -> widgets.Widget:
        """Return the code that explains the same, and buttons that save the one-page report or the figure."""
        foot = super().foot()
        foot.children = [self.code_line, widgets.HBox([self.report_button, self.save_button])]
        return foot

    def code(self) -> str:
        """Return the call of ``explain_ecg`` that makes what is shown, with all that it needs."""
        e, (lines, fill) = self.explanation, self.subject.script(self.asked.case)
        said = f'method="{e.method}", explain={e.model!r}, start={e.start!r}{written(changed(self.asked, False))}'
        call = f"explanation = explain_ecg(ecg, networks, {said})"
        shown = ["relevance = explanation.relevance", "plot_explanation(explanation)"]
        return complete(*lines, call, *shown, fill=tuple(fill))

    def answer(self, asked: Asked, progress: Callable[[int, int], None]) -> Explanation:
        """Return the explanation."""
        case, settings = asked.case, dict(asked.settings)
        return explain_ecg(
            case.reading.ecg, self.subject.networks, method=asked.method, explain=case.model, start=case.start,
            progress=progress, **settings,
        )  # fmt: skip

    def show(self, asked: Asked, answer: Explanation) -> str:
        """Show the explanation; return what the checks and the networks say."""
        e = self.explanation = answer
        self.canvas.show(plot_explanation(e))
        said = " · ".join(f"p({escape(name)}) = {value:.3f}" for name, value in e.probabilities.items())
        measured = escape(e.measured.get(e.model, ""))
        findings = "".join(f"<br>{escape(str(finding))}" for finding in e.quality.findings)
        return (
            f"<b>{escape(e.name)}</b>: {escape(e.quality.verdict)}{findings}<br>{said}<br>{escape(e.answer)}"
            f"<br>{escape(e.sentence)}<br>{measured}<br>{escape(e.real)}<br><i>{escape(tr(NOT_FOR_DIAGNOSIS))}</i>"
        )

    def save_report(self) -> list[Path]:
        """Save the one-page report about what is shown; return its files."""
        if self.error or self.explanation is None:
            raise ValueError(tr("nothing to report: {error}", error=self.error))
        page = save_page(self.explanation, self.folder)
        return [page.pdf, page.html]


def _networks(models: Models | None, weights: str) -> dict[str, Network]:
    """Return the networks that are asked, by name."""
    if isinstance(models, Mapping):
        return {name: as_published(model) for name, model in models.items()}
    own = [name for name in NETWORKS.names("ecg") if NETWORKS.rows[name].own]
    return {name: NETWORKS.load(name, weights) for name in models or [*ECG_MODELS, *own]}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(tr("the rate is {text!r}; expected a number of Hz, such as 500.", text=text)) from None
