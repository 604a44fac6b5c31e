"""A learner's own recording: upload it, say what the file does not say, see what the checks and the networks say."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

import ipywidgets as widgets

from leadwise.attribution import METHODS
from leadwise.ecg.calibration import cut_calibration
from leadwise.ecg.record import ECG
from leadwise.explorers.base import FAMILIES, FIELD, LABEL, MethodExplorer, drop, grid, methods_of, slide
from leadwise.explorers.upload import uploaded_files
from leadwise.networks.ecg_net import as_published
from leadwise.networks.network import Network
from leadwise.networks.registry import NETWORKS
from leadwise.networks.weights import ECG_MODELS
from leadwise.recordings.catalogue import load_record, records
from leadwise.recordings.quality import Report, check_ecg
from leadwise.recordings.reading import FORMATS, read_ecg
from leadwise.report import NOT_FOR_DIAGNOSIS, Explanation, explain_ecg, plot_explanation, save_page

UNITS = [("as the file says", None), ("mV", "mV"), ("µV", "uV"), ("V", "V"), ("nV", "nV")]
SOURCE, SAID, SHOWN = ("upload", "path"), ("fs", "unit", "leads"), ("model", "start")


class OwnECG(MethodExplorer):
    """Read a recording from an upload or a path, check it, run networks, explain one of them.

    A file that cannot be read, or that fails a check, gets a message; the last good picture stays.

    Parameters
    ----------
    recording : a path, or an ECG, to begin with; by default the first of ``records()``
    method : a key of ``METHODS``
    weights : of the course's networks, as in ``load_ecg_model``
    folder : where reports go; as for :func:`leadwise.report.report`
    models : networks by name, or names of ``NETWORKS``; None: the four of the course and all that you have put there
    parameters : of the method
    """

    choice = ("family", "method")

    def __init__(self, recording=None, method="lrp_epsilon", weights="auto", folder=None, models=None, **parameters):
        self.folder = folder
        self.networks = _networks(models, weights)
        is_path = isinstance(recording, str | Path)
        self.source: ECG | str | dict[str, bytes] = str(recording) if is_path else recording
        if recording is None:
            self.source = load_record(next(iter(records())))
        self.ecg: ECG | None = None
        self.read: tuple | None = None  # what ``ecg`` was read from
        self.explanation: Explanation | None = None
        text = {"style": LABEL, "layout": FIELD, "continuous_update": False}
        accepted = ",".join(extension for extensions in FORMATS.values() for extension in extensions)
        controls = {
            "upload": widgets.FileUpload(description="upload", accept=accepted, multiple=True, layout=FIELD),
            "path": widgets.Text(
                description="or path", value=self.source if is_path else "", placeholder="folder/file.csv", **text
            ),
            "fs": widgets.Text(description="rate (Hz)", placeholder="as the file says", **text),
            "unit": drop("unit", UNITS, None),
            "leads": widgets.Text(description="leads", placeholder="as the file says; or I,II,III,aVR, ...", **text),
            "model": drop("explained", [("the most probable", None), *((name, name) for name in self.networks)], None),
            "start": slide("start (s)", 6.0, 0.1, ".1f"),
            "family": drop("family", [(title, key) for key, title in FAMILIES.items()], METHODS[method].family),
            "method": drop("method", methods_of(METHODS[method].family), method),
        }
        self.report_button = widgets.Button(
            description="save report", icon="file-text-o", layout=widgets.Layout(width="130px")
        )
        self.report_button.on_click(lambda button: self.save_report())
        super().__init__(controls, parameters)

    def panel(self) -> widgets.Widget:
        """Return where the recording comes from, what the file does not say, what is explained, and how."""
        rows = [grid(self.controls[name] for name in names) for names in (SOURCE, SAID, SHOWN)]
        return widgets.VBox([*rows, self.method_box])

    def below(self) -> list[widgets.Widget]:
        """Return the call that explains the same, and buttons that save the one-page report or the figure."""
        foot = self.foot()
        foot.children = [self.code_line, widgets.HBox([self.report_button, self.save_button])]
        return [foot]

    def code(self) -> str:
        """Return the call of ``explain_ecg`` that makes what is shown."""
        e = self.explanation
        return f'explain_ecg(ecg, method="{e.method}", explain="{e.model}", start={e.start:g}{self.changed_settings()})'

    def _changed(self, change) -> None:
        if change.owner is self.controls["upload"]:
            try:
                self.source = uploaded_files(change.owner) or self.source
            except ValueError as error:
                self._fail(error)
                return
        if change.owner is self.controls["path"] and change.new.strip():
            self.source = change.new.strip()
        super()._changed(change)

    def said(self) -> dict:
        """Return what the learner says about the file, as arguments of ``read_ecg``."""
        fs, unit, leads = (self.controls[name].value for name in SAID)
        said = {"fs": fs.strip().replace(",", "."), "unit": unit, "leads": leads.strip()}
        said = {name: value for name, value in said.items() if value}
        return said | ({"fs": _number(said["fs"])} if "fs" in said else {})

    def recording(self) -> tuple[ECG, Report]:
        """Return the recording as the controls describe it, and what the checks say; read anew when they changed."""
        key: tuple
        if isinstance(self.source, ECG):
            key, ecg = (id(self.source),), self.source
        else:
            files = tuple(self.source.items()) if isinstance(self.source, dict) else self.source
            key, ecg = (files, tuple(self.said().items())), None
        if self.read is None or self.read[0] != key:
            ecg = read_ecg(self.source, **self.said()) if ecg is None else ecg
            ecg = cut_calibration(ecg)
            self.read = (key, ecg, check_ecg(ecg))
            self.answers.clear()
        return self.read[1:]

    def asked(self, model, start, method, settings, **_):
        """Return the recording, the network (None: the most probable), the window, the method and its parameters."""
        self.ecg, self.quality = self.recording()
        longest = max(net.duration or 0.0 for net in self.networks.values())
        last = max(self.ecg.duration - longest, 0.0)
        with self.quietly():
            self.controls["start"].disabled = last <= 0
            self.controls["start"].max = last or 6.0
        return self.read[0], model, min(start, last), method, settings

    def answer(self, asked, progress) -> Explanation:
        """Return the explanation."""
        _, model, start, method, settings = asked
        return explain_ecg(
            self.ecg, self.networks, method=method, explain=model, start=start, progress=progress, **dict(settings)
        )

    def draw(self, e, **_):
        """Show the explanation; return what the checks and the networks say."""
        self.explanation = e
        self.canvas.show(plot_explanation(e))
        self.code_line.code = self.code()
        said = " · ".join(f"p({name}) = {value:.3f}" for name, value in e.probabilities.items())
        measured = escape(e.measured.get(e.model, ""))
        findings = "".join(f"<br>{escape(str(finding))}" for finding in e.quality.findings)
        return (
            f"<b>{escape(e.name)}</b>: {escape(e.quality.verdict)}{findings}<br>{said}<br>{escape(e.answer)}"
            f"<br>{escape(e.sentence)}<br>{measured}<br>{escape(e.real)}<br><i>{escape(NOT_FOR_DIAGNOSIS)}</i>"
        )

    def save_report(self) -> None:
        """Save the one-page report about what is shown, and say where; an error goes to the message line."""
        try:
            if self.error or self.explanation is None:
                raise ValueError(f"nothing to report: {self.error}")
            page = save_page(self.explanation, self.folder)
            self.say(f"Saved {escape(page.pdf.name)} and {escape(page.html.name)} in {escape(str(page.pdf.parent))}.")
        except Exception as error:
            self.complain(error)


def _networks(models, weights: str) -> dict[str, Network]:
    """Return the networks that are asked, by name."""
    if isinstance(models, Mapping):
        return {name: as_published(model) for name, model in models.items()}
    own = [name for name in NETWORKS.names("ecg") if NETWORKS.rows[name].own]
    return {name: NETWORKS.load(name, weights) for name in models or [*ECG_MODELS, *own]}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"the rate is {text!r}; expected a number of Hz, such as 500.") from None
