"""A 12-lead ECG on ECG paper, at true scale, with relevance, ground truth and waves drawn where they belong."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from torch import Tensor

from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.ecg.waves import Wave
from leadwise.language import tr
from leadwise.maps import as_map, as_mask, one_of
from leadwise.plotting.page import (
    PULSE_MV,
    PULSE_SECONDS,
    Page,
    as_ecg,
    lead_indices,
    place_rows,
    plan,
    time_window,
)
from leadwise.plotting.relevance import LABEL as LEGEND
from leadwise.plotting.relevance import STYLES, Scale, draw_legend, legend_height
from leadwise.plotting.sheet import CourseFigure, Sheet, fold, text_width, zoom_for
from leadwise.plotting.style import (
    GREY,
    INK,
    LABEL,
    PAPER_PALE,
    PAPER_PLAIN,
    SMALL,
    TEXT,
    TITLE,
    TRUTH,
    number,
    percent,
)

SIGNAL_MM, TRUTH_MM = 0.32, 1.3  # line of the signal, height of the underline
GRID_MM = {"fine": 0.1, "coarse": 0.2}
WAVE = 5.6  # points; P, QRS and T stand close together


def plot_ecg(
    ecg: ECG | Tensor | np.ndarray,
    relevance: Tensor | np.ndarray | None = None,
    *,
    fs: float | None = None,
    style: str = "band",
    normalise: str = "record",
    threshold: float = 0.0,
    sign: str = "signed",
    columns: int = 2,
    leads: Sequence[str] | None = None,
    start: float | None = None,
    stop: float | None = None,
    sequential: bool | None = None,
    rhythm: str | None = None,
    title: str | None = None,
    waves: Sequence[Wave] | None = None,
    mask: Tensor | np.ndarray | None = None,
    label: str | None = None,
    speed: float = 25.0,
    gain: float = 10.0,
    scale: float = 1.0,
) -> CourseFigure:
    """Draw an ECG as it is printed, with relevance behind, around or on its line.

    Parameters
    ----------
    ecg : ECG, or array (12, T) in mV together with ``fs``
    relevance : tensor or array (12, T) or (1, 12, T), one value a sample of the ECG; None draws pink paper, no colours
    fs : Hz, for a bare array
    style : "band" (colour behind the signal), "halo" (coloured outline along it) or "bubbles" (dots on it)
    normalise : "record" or "lead": what the strongest colour stands for. Both refer to all the relevance that was
        given, also to what the choice of leads or time leaves out, so that two windows of one map compare.
    threshold : fraction of the maximum, 0 to below 1; weaker relevance is left out
    sign : "signed" (both), "positive" or "negative"
    columns : columns of leads, filled from top to bottom; 2 and 4 are usual
    leads : names of the leads to draw, in this order; None for all twelve
    start, stop : seconds from the start of the record; None for its start and end
    sequential : True: each column continues where the one before ended, as on a printed ECG (10 s in 4 columns: 2.5 s
        each). False: every lead shows the whole time. None: sequential where the time is longer than 6 s.
    rhythm : a lead drawn once more at the bottom, over the whole width
    title : heading
    waves : sequence of :class:`leadwise.ecg.waves.Wave`, drawn as brackets below the leads
    mask : bool array (12, T), the samples that are known to carry the finding, drawn as a hatched underline
    label : what the relevance is, for the legend, with its unit if it has one; None for "relevance R"
    speed, gain : mm/s and mm/mV
    scale : printed millimetres per millimetre of paper; 1 prints in true size

    Returns
    -------
    CourseFigure, which shows itself as the last expression of a cell. A millimetre is the same in both directions.

    Raises
    ------
    ValueError : shapes that disagree, NaN in the relevance, an option, lead or time that does not exist, or a signal so
        large that it cannot be in mV
    """
    one_of("style", style, STYLES)
    ecg = as_ecg(ecg, fs)
    first, last = time_window(ecg, start, stop)
    colours = None
    if relevance is not None:
        colours = Scale(as_map(relevance, ecg.signal.shape), ecg.fs, normalise, threshold, sign)
    truth = None if mask is None else as_mask(mask, ecg.signal.shape)
    extra_lead = None if rhythm is None else lead_indices([rhythm])[0]
    least = 75 if colours is None else 110
    page = plan(ecg, lead_indices(leads), columns, first, last, sequential, extra_lead, speed, gain, least)
    zoom = zoom_for(page.width, scale)
    names = _Names(page, zoom, colours)
    rows = place_rows(page, names.top, (3.8 * bool(waves) + 1.6 * (truth is not None)) * zoom)

    heading = fold(title, page.width / zoom, TITLE, "bold") if title else []
    foot = _Foot(page, colours, truth is not None, label or tr(LEGEND), scale, zoom)
    above = rhythm is not None and not page.sequential  # the rhythm strip has a time axis of its own
    head = (2 + 4.6 * len(heading) + 4 * above) * zoom
    sheet = Sheet(page.width, rows.height, head, foot.height, scale)
    sheet.text(0, rows.height + head - zoom, "\n".join(heading), TITLE, weight="bold", va="top")
    draw_paper(sheet, PAPER_PLAIN if colours is None else PAPER_PALE)
    _draw_pulses(sheet, page, rows)
    _draw_strips(sheet, page, rows, colours, STYLES[style])
    names.draw(sheet, rows)
    if truth is not None:
        _draw_truth(sheet, page, rows, truth)
    if waves:
        _draw_waves(sheet, page, rows, waves, 1.6 * zoom * (truth is not None))
    _draw_times(sheet, page, rows, above)
    foot.draw(sheet)
    sheet.figure.alt = _in_words(page, colours, title, style)
    return sheet.figure


def draw_paper(sheet: Sheet, colours: dict):
    """Draw the sheet and its grid: a fine line every millimetre, a coarse one every five."""
    paper = Rectangle((0, 0), sheet.width, sheet.height, facecolor=colours["sheet"], linewidth=0, zorder=0)
    sheet.axes.add_patch(paper)
    for name, step, zorder in (("fine", 1, 1.0), ("coarse", 5, 1.1)):
        upright = [[(x, 0), (x, sheet.height)] for x in np.arange(0, sheet.width + 0.5, step)]
        level = [[(0, y), (sheet.width, y)] for y in np.arange(0, sheet.height + 0.5, step)]
        sheet.lines(upright + level, GRID_MM[name], colours[name], zorder, gid=f"grid-{name}")


def _draw_pulses(sheet, page, rows):
    """Draw the calibration pulse, 1 mV for 200 ms, in front of each row."""
    wide, high = PULSE_SECONDS * page.speed, PULSE_MV * page.gain
    shape = np.array([(1, 0), (2.5, 0), (2.5, high), (2.5 + wide, high), (2.5 + wide, 0), (4 + wide, 0)])
    sheet.lines(
        [shape + np.array([0, base]) for base in rows.base], SIGNAL_MM, INK, 5, gid="calibration", joinstyle="miter"
    )


def _draw_strips(sheet, page, rows, colours, draw_style):
    """Draw relevance, and over it the signal as a black line; a fine line where the next lead takes over in time."""
    if page.sequential:
        cuts = {(s.left, s.row) for s in page.strips if s.first > page.first}
        ends = [[(x, rows.bottom[row]), (x, rows.top[row])] for x, row in sorted(cuts)]
        sheet.lines(ends, 0.25, GREY, 4.2, linestyles=(0, (4, 3)))
    for strip in page.strips:
        x, y = page.x(strip), rows.base[strip.row] + page.y(strip)
        if colours is not None:
            values = colours.values[strip.lead, strip.first : strip.last]
            draw_style(sheet, x, y, values, rows.bottom[strip.row], rows.top[strip.row])
        sheet.axes.plot(
            x, y, color=INK, linewidth=sheet.points(SIGNAL_MM), solid_joinstyle="round", zorder=5, gid=LEADS[strip.lead]
        )


class _Names:
    """The names of the leads, each above the start of its strip, with its maximum where that is the scale."""

    def __init__(self, page: Page, zoom: float, colours: Scale | None):
        self.page, self.zoom = page, zoom
        self.maxima = colours.maxima if colours is not None and colours.normalise == "lead" else None

    def _y(self, strip):
        return self.page.label_y(strip, (9 if self.maxima is None else 22) * self.zoom, 1.5 * self.zoom)

    def top(self, strip) -> float:
        return self._y(strip) + 3.2 * self.zoom

    def draw(self, sheet, rows):
        halo = [withStroke(linewidth=sheet.points(0.7), foreground="white")]
        for strip in self.page.strips:
            x, y = strip.left + 0.8 * self.zoom, rows.base[strip.row] + self._y(strip)
            sheet.text(x, y, LEADS[strip.lead], LABEL, weight="bold", gid="lead", path_effects=halo)
            if self.maxima is not None:
                beside = x + (text_width(LEADS[strip.lead], LABEL, "bold") + 1.2) * self.zoom
                text = f"±{number(self.maxima[strip.lead])}"
                sheet.text(beside, y, text, SMALL, color=GREY, path_effects=halo)


def _draw_truth(sheet, page, rows, truth):
    """Underline the samples of the mask by a hatched bar at the bottom of the lane."""
    boxes = []
    for strip in page.strips:
        low = rows.bottom[strip.row] + 0.2
        for begin, end in _spans(truth[strip.lead, strip.first : strip.last]):
            left, right = page.x(strip, np.array([begin, end]) + strip.first - 0.5)
            boxes.append(_box(left, right, low, low + TRUTH_MM * sheet.zoom))
    _hatched(sheet, boxes)


def _hatched(sheet, boxes):
    bars = PolyCollection(
        boxes, facecolor="white", edgecolor=TRUTH, hatch="/" * 7, linewidth=sheet.points(0.15), zorder=4, gid="truth"
    )
    bars.set_hatch_linewidth(sheet.points(0.2))
    sheet.axes.add_collection(bars, autolim=False)


def _box(left, right, low, high):
    return [(left, low), (right, low), (right, high), (left, high)]


def _spans(flags):
    """Return the [begin, end) pairs of the runs of True."""
    steps = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return steps.reshape(-1, 2)


def _draw_waves(sheet, page, rows, waves, lift):
    """Draw P, QRS and T as brackets. Waves that hold for all leads are named in the first row, others in their own."""
    brackets, tick = [], 0.8 * sheet.zoom
    for strip in page.strips:
        low = rows.bottom[strip.row] + lift + 0.5
        for wave in waves:
            begin, end = max(wave.onset, strip.first), min(wave.offset, strip.last)
            if begin >= end or wave.lead not in (None, LEADS[strip.lead]):
                continue
            left, right = page.x(strip, [begin, end])
            brackets.append([(left, low + tick), (left, low), (right, low), (right, low + tick)])
            if wave.lead is not None or strip.row == 0:
                place = {"ha": "center", "va": "bottom", "color": GREY, "gid": "wave"}
                sheet.text((left + right) / 2, low + 0.5 * tick, wave.kind, WAVE, **place)
    sheet.lines(brackets, 0.2, GREY, 4.5, gid="waves")


def _draw_times(sheet, page, rows, above):
    """Write the seconds below the last row and, where the rhythm strip has a time axis of its own, above the first."""
    fs, k = page.ecg.fs, sheet.zoom
    ends = [(len(rows.base) - 1, -0.8 * k, "top")] + [(0, rows.height + 0.8 * k, "bottom")] * above
    for row, y, side in ends:
        written = -np.inf
        for strip in (s for s in page.strips if s.row == row):
            begin, end = strip.first / fs, strip.last / fs
            steps = (1, 2, 5, 10) if end - begin >= 2 else (0.1, 0.2, 0.5, 1)
            step = next((s for s in steps if s * page.speed >= 9 * k), steps[-1])
            for mark in np.arange(ceil(begin / step - 1e-9), end / step + 1e-9) * step:
                x = strip.left + (mark - begin) * page.speed
                if x - written > 5.5 * k:
                    sheet.text(x, y, f"{mark:g} s", SMALL, ha="center", va=side, color=GREY)
                    written = x


class _Foot:
    """The lines below the paper: scales and record on the left, the legend of the colours on the right."""

    def __init__(self, page: Page, colours: Scale | None, truth: bool, label: str, scale: float, zoom: float):
        self.zoom, self.colours, self.truth, self.width = zoom, colours, truth, page.width
        self.facts = _facts(page, scale)
        usable = page.width / zoom
        self.stacked = usable < 170
        self.sentence = []
        if colours is not None:
            room = usable if self.stacked else usable - max(map(text_width, self.facts)) - 6
            self.sentence = fold(colours.describe(label, page.view()), room, TEXT)
        left = 3.4 * (len(self.facts) + truth) + 1
        right = legend_height(self.sentence) if colours is not None else 0
        self.left_height = left
        self.height = (4.5 + (left + 2 + right if self.stacked and colours else max(left, right)) + 1) * zoom

    def draw(self, sheet):
        k = self.zoom
        # A record's name is no formula, whatever dollar signs it holds.
        sheet.text(0, -4.5 * k, "\n".join(self.facts), TEXT, va="top", color=GREY)
        if self.truth:
            y = -(4.5 + 3.4 * len(self.facts) + 2.2) * k
            _hatched(sheet, [_box(0, 8 * k, y, y + TRUTH_MM * k)])
            sheet.text(9.5 * k, y + TRUTH_MM * k / 2, tr("known cause"), TEXT, va="center", color=GREY)
        if self.colours is not None:
            top = -(4.5 + (self.left_height + 2) * self.stacked) * k
            x, side = (0, "left") if self.stacked else (self.width, "right")
            draw_legend(sheet, self.colours, self.sentence, x, top, 70 * k, side, signed=self.colours.signed)


def _facts(page, scale):
    ecg, first, last = page.ecg, page.first, page.last
    printed = f"  ·  {tr('printed at {share}', share=percent(scale))}" if scale != 1 else ""
    record = [ecg.record_id] if ecg.record_id else []
    time = f"{first / ecg.fs:g}–{last / ecg.fs:g} s"
    columns = [tr("columns follow each other in time")] if page.sequential else []
    return [f"{page.speed:g} mm/s  ·  {page.gain:g} mm/mV{printed}", "  ·  ".join([*record, time]), *columns]


def _in_words(page, colours, title, style):
    """Describe the figure for those who cannot see it."""
    names = list(dict.fromkeys(LEADS[strip.lead] for strip in page.strips))
    leads = tr("twelve leads") if len(names) == len(LEADS) else tr("leads {names}", names=", ".join(names))
    what = tr("{leads} on ECG paper", leads=leads)
    words = f"{title or tr('ECG')}: {what}, {_facts(page, 1)[1]}."
    if colours is None or colours.maximum == 0:
        return words + (f" {tr('The relevance is zero everywhere.')}" if colours is not None else "")
    share = np.abs(colours.relevance).sum(axis=1)
    order = np.argsort(-share)[:3]
    top = ", ".join(f"{LEADS[i]} {percent(share[i] / share.sum())}" for i in order)
    most = tr("Relevance as {style}; leads with most of its magnitude: {top}.", style=tr(style), top=top)
    return f"{words} {most}"
