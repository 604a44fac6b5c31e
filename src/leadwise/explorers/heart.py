"""Move the heart vector and watch the twelve leads."""

import numpy as np

from leadwise.ecg.leads import LEADS
from leadwise.explorers.base import WIDE, FigureExplorer, drop, plain, slide, whole
from leadwise.explorers.script import complete
from leadwise.language import mark, tr
from leadwise.plotting.heart import plot_heartbeat
from leadwise.simulation.simulate import ELEVATION, heart_beat

TITLE = mark("One heartbeat, seen from twelve sides")
CONDITIONS = {
    "normal": "NORM",
    "left bundle branch block": "LBBB",
    "right bundle branch block": "RBBB",
    "ischaemia, V4-V6": "ISCH",
}


class HeartVector(FigureExplorer):
    """One beat of an average heart: its axis, PR interval, QRS width and ST level against the twelve leads."""

    stage = WIDE

    def __init__(self):
        super().__init__(
            {
                "condition": drop(tr("heart"), [(tr(name), key) for name, key in CONDITIONS.items()], "NORM"),
                "axis": whole(tr("axis (°)"), 45, -90, 180, 5),
                "pr": whole(tr("PR (ms)"), 160, 100, 360, 10),
                "qrs": whole(tr("QRS (ms)"), 92, 70, 120, 2),
                "st_level": slide(tr("ST (mV)"), 0.3, 0.02, ".2f", low=-0.3),
                "st_leads": drop(tr("ST seen in"), tuple(ELEVATION), "V2-V4"),
            }
        )  # fmt: skip

    def figure(self):
        """Return the figure for these settings, and a line that says what the leads show."""
        beat = heart_beat(**self.values())
        qrs_wave = next(wave for wave in beat.waves if wave.kind == "QRS")
        qrs_complex = beat.leads[:, qrs_wave.onset : qrs_wave.offset]
        balance = qrs_complex.sum(1) / np.abs(qrs_complex).sum(1)  # from -1, all below the line, to +1, all above
        shown = tr(" and ").join(f"{lead} {_in_words(balance[LEADS.index(lead)])}" for lead in ("I", "aVF"))
        return plot_heartbeat(beat, tr(TITLE)), f"{tr('QRS on balance:')} {shown}"

    def code(self) -> str:
        """Return the calls that make the beat and its figure."""
        settings = ", ".join(f"{name}={plain(value)!r}" for name, value in self.values().items())
        return complete(f"beat = heart_beat({settings})", f"plot_heartbeat(beat, {tr(TITLE)!r})")


def _in_words(balance: float) -> str:
    return tr("as much up as down") if abs(balance) < 0.2 else tr("upright") if balance > 0 else tr("inverted")
