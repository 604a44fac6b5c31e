"""A 12-lead ECG with relevance on a canvas in the browser: what only changes the view needs no kernel."""

from typing import Any

import numpy as np
import traitlets
from torch import Tensor

from leadwise.ecg.filters import PUBLISHED_FS
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.explorers.live import LiveView, Text, module, style, titled
from leadwise.language import tr
from leadwise.maps import as_map
from leadwise.plotting import plot_ecg
from leadwise.plotting.page import (
    BETWEEN,
    CLOSEST,
    PULSE_MV,
    PULSE_SECONDS,
    WIDEST,
    as_ecg,
    lead_indices,
    place_rows,
    plan,
    time_window,
)
from leadwise.plotting.paper import GRID_MM, SIGNAL_MM
from leadwise.plotting.relevance import (
    BUBBLE,
    DRAWN,
    FAINT,
    HALO,
    LABEL,
    NORMALISE,
    PER_BUBBLE,
    PER_HALO,
    STYLES,
)
from leadwise.plotting.sheet import EDGE, PIXELS_PER_MM, CourseFigure
from leadwise.plotting.style import FONT, GREY, INK, PAPER_PALE, PAPER_PLAIN, POWER, RELEVANCE, TRUTH

SPEED, GAIN = 25, 10  # mm/s and mm/mV, as printed
LARGEST = 32767  # int16: a lead's relevance travels as fractions of the lead's maximum,
STEP = 0.001  # and the signal in whole µV, or larger steps where it would not fit; mV
GAP = -32768  # stands for no signal
WHOLE = 60  # seconds of a record that travel at once; of a longer one, the window
GROUPS = {"all": None, "limb leads": LEADS[:6], "chest leads": LEADS[6:], **{lead: (lead,) for lead in LEADS}}
CHOICES = {"overlay": tuple(STYLES), "sign": DRAWN, "normalise": NORMALISE, "group": tuple(GROUPS)}
PLOTTED = ("sign", "normalise", "threshold", "columns", "sequential")  # options that plot_ecg has too

# Everything that makes the live view look like plot_ecg. It goes to the browser once.
LOOK = {
    "leads": list(LEADS), "groups": {name: leads and list(leads) for name, leads in GROUPS.items()},
    "choices": {name: list(words) for name, words in CHOICES.items()},
    "paper": {"plain": PAPER_PLAIN, "pale": PAPER_PALE},
    "ink": INK, "grey": GREY, "caliper": TRUTH, "font": FONT,
    "power": POWER, "steps": RELEVANCE.N,
    "speed": SPEED, "gain": GAIN, "pulse_seconds": PULSE_SECONDS, "pulse_mv": PULSE_MV, "signal_mm": SIGNAL_MM,
    "grid_mm": GRID_MM,
    "edge": EDGE, "between": BETWEEN, "closest": CLOSEST, "widest": WIDEST, "pixels_per_mm": PIXELS_PER_MM,
    "per_halo": PER_HALO, "per_bubble": PER_BUBBLE, "faint": FAINT,
    "halo_mm": HALO, "bubble_mm": BUBBLE,
}  # fmt: skip
COLOURS = (RELEVANCE(np.arange(RELEVANCE.N)) * 255).round().astype(np.uint8).tobytes()


def quantise(values: np.ndarray, first: int = 0, last: int | None = None) -> tuple[bytes, list[float]]:
    """Return samples [first, last) of relevance (12, T) as int16, in fractions of each lead's largest magnitude.

    The second value is these magnitudes (12), of the whole lead.

    The error is at most 1/65534 of the lead's maximum, far below one step of the colour scale, and a map of 12 x 2000
    travels as 48 kB.
    """
    maxima = np.abs(values).max(axis=1)
    fractions = values[:, first:last] / np.where(maxima > 0, maxima, 1)[:, None]
    return (fractions * LARGEST).round().astype("<i2").tobytes(), maxima.tolist()


def in_steps(signal: np.ndarray) -> tuple[bytes, float]:
    """Return a signal (12, T) in mV, NaN where there is none, as int16, and the millivolts of one step.

    Half of what float32 takes on its way to the browser; the error is at most half a step, as that of a converter.
    """
    peak = float(np.nanmax(np.abs(signal), initial=0.0))
    step = max(STEP, peak / LARGEST)
    return np.where(np.isnan(signal), GAP, np.round(signal / step)).astype("<i2").tobytes(), step


class ECGCanvas(LiveView):
    """The live twin of :func:`leadwise.plotting.plot_ecg`.

    Signal and relevance travel to the browser as binary buffers, once. Each of the traits below changes the view there,
    without the kernel, and may be linked to a control by ``ipywidgets.jsdlink``; a ``Dropdown``'s partner is
    ``overlay_index``, ``sign_index``, ``normalise_index`` or ``group_index``.

    Works with ipywidgets 7.7 and 8; in Colab, anywidget switches the custom widget manager on when the first canvas is
    made (anywidget 0.11.0, widget.py lines 37-38).

    Parameters
    ----------
    ecg, relevance, fs, start, stop, title, label : as in :meth:`show`
    display : initial values of these traits

        overlay : "band", "halo" or "bubbles"; called ``style`` in ``plot_ecg``
        sign : "signed" (both), "positive" or "negative"
        normalise : "record" or "lead"
        threshold : fraction of the maximum, 0 to below 1
        power : of the colour scale: strength grows with ``|R| ** power``; 1 is linear
        leads : names of the leads, in this order
        group : "all" of these leads; or "limb leads", "chest leads" or one lead, whatever ``leads`` says
        columns : columns of leads, 1 to 12
        sequential : whether columns follow each other in time; None: where the window is longer than 6 s
        zoom : 1 shows the whole window; ``left`` : time of the left edge in seconds, where zoom is above 1

    Raises
    ------
    ValueError : as ``plot_ecg``
    traitlets.TraitError : a display trait that is out of its range
    """

    _esm, _css = module("ecg_canvas"), style("ecg_canvas")
    choices, view = CHOICES, "ecg_canvas"

    look = traitlets.Dict(LOOK).tag(sync=True)
    colours = traitlets.Bytes(COLOURS).tag(sync=True)

    signal = traitlets.Bytes().tag(sync=True)  # int16 (12, T) from sample `begin` of the record on, see in_steps
    begin = traitlets.Int().tag(sync=True)
    step = traitlets.Float(STEP).tag(sync=True)  # mV
    relevance = traitlets.Bytes().tag(sync=True)  # int16 (12, T), see quantise; empty: none
    maxima = traitlets.List(traitlets.Float()).tag(sync=True)  # largest |relevance| of each lead
    samples = traitlets.Int().tag(sync=True)
    first = traitlets.Int().tag(sync=True)  # number of the first sample within the record
    fs = traitlets.Float(PUBLISHED_FS).tag(sync=True)  # Hz
    title = Text().tag(sync=True)
    label = Text().tag(sync=True)
    record_id = Text().tag(sync=True)

    overlay = traitlets.Enum(CHOICES["overlay"], default_value="band")
    sign = traitlets.Enum(CHOICES["sign"], default_value="signed")
    normalise = traitlets.Enum(CHOICES["normalise"], default_value="record")
    group = traitlets.Enum(CHOICES["group"], default_value="all")
    group_index = traitlets.Int().tag(sync=True)
    overlay_index = traitlets.Int().tag(sync=True)
    sign_index = traitlets.Int().tag(sync=True)
    normalise_index = traitlets.Int().tag(sync=True)
    threshold = traitlets.Float(0.0, min=0.0, max=0.999).tag(sync=True)
    power = traitlets.Float(POWER, min=0.1, max=3.0).tag(sync=True)
    leads = traitlets.List(traitlets.Enum(LEADS), list(LEADS), minlen=1).tag(sync=True)
    columns = traitlets.Int(2, min=1, max=len(LEADS)).tag(sync=True)
    sequential = traitlets.Bool(None, allow_none=True).tag(sync=True)
    zoom = traitlets.Float(1.0, min=1.0).tag(sync=True)
    left = traitlets.Float(0.0).tag(sync=True)

    @classmethod
    def display_traits(cls) -> tuple[str, ...]:
        """Return the names of the traits that change only the view."""
        return (*CHOICES, "threshold", "power", "leads", "columns", "sequential", "zoom", "left")

    def show(
        self,
        ecg: ECG | Tensor | np.ndarray,
        relevance: Tensor | np.ndarray | None = None,
        *,
        fs: float | None = None,
        start: float | None = None,
        stop: float | None = None,
        title: str = "",
        label: str | None = None,
    ) -> None:
        """Show another ECG or other relevance; what has not changed is not sent again.

        Parameters
        ----------
        ecg : ECG, or array (12, T) in mV together with ``fs`` in Hz
        relevance : tensor or array (12, T) or (1, 12, T); None for pink paper without colours
        start, stop : seconds from the start of the record; None for its start and end. Normalisation refers to all the
            relevance that is given, as in ``plot_ecg``.
        title : heading
        label : what the relevance is, for the legend; None for "relevance R"

        Raises
        ------
        ValueError : as ``plot_ecg``; the view stays as it was
        """
        ecg, label = as_ecg(ecg, fs), label or tr(LABEL)
        first, last = time_window(ecg, start, stop)
        values = None if relevance is None else as_map(relevance, ecg.signal.shape)
        page = plan(ecg, lead_indices(), self.columns, first, last, self.sequential, None, SPEED, GAIN, 0)
        place_rows(page, lambda strip: 0, 0)  # says if the signal is too large to be in mV
        data, maxima = (b"", []) if values is None else quantise(values, first, last)
        self._shown: dict[str, Any] = {"ecg": ecg, "relevance": values, "start": start, "stop": stop}
        with self.hold_sync():  # one message, so that the browser never draws half of it
            # A window that moves within a short record sends its relevance only: the signal is there.
            self.begin = 0 if ecg.duration <= WHOLE else first
            self.signal, self.step = in_steps(ecg.signal[:, self.begin : None if ecg.duration <= WHOLE else last])
            self.relevance, self.maxima = data, maxima
            self.samples, self.first, self.fs = last - first, first, float(ecg.fs)
            self.title, self.label, self.record_id = title, label, ecg.record_id or ""

    def plot(self) -> CourseFigure:
        """Return what is shown as a figure by ``plot_ecg``: the same options, the whole window."""
        options = {name: getattr(self, name) for name in PLOTTED} | {"leads": GROUPS[self.group] or self.leads}
        return plot_ecg(
            **self._shown, style=self.overlay, title=titled(self.previous, self.title), label=self.label, **options
        )
