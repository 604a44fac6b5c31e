"""Explain one recording by any method, with a control for every parameter."""

from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np
from torch import nn

from leadwise.attribution import METHODS
from leadwise.attribution.receipt import Receipt
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.explorers.base import MethodExplorer, minded
from leadwise.explorers.canvas import ECGCanvas
from leadwise.explorers.recording_subject import RecordingSubject
from leadwise.explorers.subject import Asked
from leadwise.language import tr
from leadwise.networks.network import Network
from leadwise.plotting import number, percent
from leadwise.plotting.style import relevance_rgba

BAR_PX = 44  # height of the tallest bar of a lead


class ECGExplorer(MethodExplorer[RecordingSubject]):
    """Choose recording, model, method and its parameters; see the relevance on ECG paper.

    Parameters
    ----------
    record : a name of ``records()``, or an ECG; by default the first recording of the model's pathology
    model : a name of ``NETWORKS``, or a network of your own, which says what it takes
    method : a key of ``METHODS``
    weights : of the course's networks, as in ``load_ecg_model``
    parameters : of the first method, where they should not start at their defaults

    Raises
    ------
    ValueError : an unknown record, model, method or parameter, or no recording at all
    """

    def __init__(
        self,
        record: ECG | str | None = None,
        model: nn.Module | Network | str = "LBBB",
        method: str = "lrp_epsilon",
        weights: str = "auto",
        **parameters: Any,
    ):
        self.lead_bars, self.formula = widgets.HTML(), widgets.HTMLMath()
        super().__init__(RecordingSubject(record, model, weights=weights), method, parameters)

    def make_canvas(self) -> ECGCanvas:
        """Return the ECG on its paper, empty."""
        return ECGCanvas(np.zeros((len(LEADS), 2)), fs=1.0)

    def below(self) -> list[widgets.Widget]:
        """Return the leads' shares, and the method's formula and source."""
        return [self.lead_bars, self.formula]

    def show(self, asked: Asked, answer: Receipt) -> str:
        """Show the map; return the probability, what the relevance adds up to, and what the method cannot do here."""
        subject, case, row, relevance = self.subject, asked.case, METHODS[asked.method], answer.relevance
        net, whole, stop = subject.net(case), subject.drawn(case, relevance), subject.stop(case)
        title = tr("{method} of {what}", method=tr(row.title), what=subject.title(case)) + f"; {subject.said(case, 0)}"
        self.canvas.show(subject.whole(case), whole, start=case.start, stop=stop, title=title)
        self.lead_bars.value = _bars(net.by_leads(relevance)[0].numpy(), net.leads)
        formula = rf"$\displaystyle {row.formula}$<br>" * bool(row.formula)
        self.formula.value = f"<div style='padding: 6px 8px'>{formula}<small>{escape(row.citation)}</small></div>"
        line = f"{subject.line(case)} · {tr('sum of relevance')} {number(float(relevance.sum()))}"
        return "<br>".join([line, *minded(asked.method, answer.caveat)])


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
        "<div style='padding: 4px 8px 0 8px; font-size: 12px'>"
        f"{tr('Share of each lead in Σ|R|:')} <span style='color: {colours[0]}'>■</span> {tr('for')}, "
        f"<span style='color: {colours[1]}'>■</span> {tr('against')}</div>"
        f"<div style='display: flex; padding: 0 8px'>{columns}</div>"
    )
