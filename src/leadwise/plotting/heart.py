"""One heartbeat: the loop of the heart vector beside the twelve leads that look at it."""

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from leadwise.ecg.leads import LEADS
from leadwise.language import tr
from leadwise.plotting.paper import draw_paper
from leadwise.plotting.sheet import CourseFigure, Sheet, text_width
from leadwise.plotting.style import GREY, INK, LABEL, PAPER_PALE, PAPER_PLAIN, SMALL, TEXT, TITLE

if TYPE_CHECKING:
    from leadwise.simulation.simulate import Heartbeat

# Okabe and Ito (2008), darkened for thin lines on white.
WAVE_COLOURS = {"P": "#0072b2", "QRS": INK, "T": "#c25700"}

WIDTH, HEIGHT, PAPER = 225.0, 99.0, 50.0  # of the sheet, mm, and where its ECG paper begins
SPEED, GAIN = 50.0, 10.0  # of the leads, mm/s and mm/mV; at twice the usual speed a QRS complex is wide enough to read
BASES = (81.5, 50.0, 18.5)  # of the three rows of leads, mm
COLUMN, BEFORE, AFTER = 43.5, 380, 480  # pitch of the columns in mm; the time that they show, ms around QRS onset
REACH, LOOP_GAIN = 20.0, 14.0  # of the loops, mm and mm/mV


def plot_heartbeat(beat: "Heartbeat", title: str | None = None) -> CourseFigure:
    """Draw one beat: its loops in the frontal and the horizontal plane, and the twelve leads on ECG paper.

    All scales are fixed, so that beats compare.

    Parameters
    ----------
    beat : :class:`~leadwise.simulation.simulate.Heartbeat`: ``time`` (T,) ms, ``vector`` (3, T), ``leads`` (12, T) mV
    title : heading
    """
    sheet = Sheet(WIDTH, HEIGHT, 2 + 5 * bool(title), 5)
    sheet.text(0, HEIGHT + 6, title or "", TITLE, weight="bold", va="top")
    draw_paper(sheet, PAPER_PLAIN)
    sheet.axes.add_patch(Rectangle((-1, -1), PAPER + 0.9, HEIGHT + 2, facecolor="white", zorder=1.5))
    x, y, z = beat.vector
    _loop(sheet, 0.75 * HEIGHT, beat, x, -y, tr("from\nthe front"), (tr("head"), tr("feet (aVF)")))
    _loop(sheet, 0.25 * HEIGHT, beat, x, z, tr("from\nabove"), (tr("back"), tr("chest (V2)")))
    shown = (beat.time >= -BEFORE) & (beat.time <= AFTER)
    for index, lead in enumerate(LEADS):
        left, base = PAPER + 1 + index // 3 * COLUMN, BASES[index % 3]
        across = left + (beat.time + BEFORE) / 1000 * SPEED
        _waves(sheet, beat, across, np.where(shown, base + beat.leads[index] * GAIN, np.nan))
        sheet.text(left + 1, base + 5, lead, LABEL, weight="bold")
    _foot(sheet)
    words = tr("One heartbeat: loops of the heart vector in two planes, and the twelve leads.")
    sheet.figure.alt = f"{words} {title or ''}"
    return sheet.figure


def _waves(sheet, beat, across, up) -> None:
    """Draw a line in grey, and over it each wave in its colour."""
    sheet.lines([np.column_stack([across, up])], 0.25, GREY, 4)
    for wave in beat.waves:
        span = slice(wave.onset, wave.offset)
        line = np.column_stack([across[span], up[span]])
        sheet.lines([line], 0.4, WAVE_COLOURS[wave.kind], 5, capstyle="round", gid=wave.kind)


def _loop(sheet, middle, beat, across, up, name, ends) -> None:
    """Draw the way of the heart vector's tip in one plane, and name its four directions, with the leads that lie there.

    ``ends`` : what is at the top and at the bottom; the heart's left is on the right, as on all pictures of patients.
    """
    centre = PAPER / 2 - 0.5
    for millivolt in (0.5, 1.0):
        ring: dict[str, Any] = {"radius": millivolt * LOOP_GAIN, "facecolor": "none", "edgecolor": PAPER_PALE["coarse"]}
        sheet.axes.add_patch(Circle((centre, middle), linewidth=sheet.points(0.15), zorder=2, **ring))
    level = [(centre - REACH, middle), (centre + REACH, middle)]
    upright = [(centre, middle - REACH), (centre, middle + REACH)]
    sheet.lines([level, upright], 0.15, GREY, 2)
    _waves(sheet, beat, centre + across * LOOP_GAIN, middle + up * LOOP_GAIN)
    _arrow(sheet, beat, centre + across * LOOP_GAIN, middle + up * LOOP_GAIN)
    sheet.text(0, middle + REACH + 3, name, TEXT, va="top", weight="bold")
    corner = 0.7071 * LOOP_GAIN + 0.3  # of the ring of 1 mV, below on the heart's right, where a loop seldom goes
    sheet.text(centre - corner, middle - corner, "1 mV", SMALL, ha="right", va="top", color=GREY)
    words = {"size": TEXT, "ha": "center", "va": "center", "color": GREY}
    sheet.text(centre, middle + REACH + 1.8, ends[0], **words)
    sheet.text(centre, middle - REACH - 1.8, ends[1], **words)
    sheet.text(centre - REACH - 1.8, middle, tr("right side"), rotation=90, **words)
    sheet.text(centre + REACH + 1.8, middle, tr("left (I, V6)"), rotation=270, **words)


def _arrow(sheet, beat, across, up) -> None:
    """Say which way round the QRS loop goes: an arrow head on its way out, in this plane."""
    span = next((slice(wave.onset, wave.offset) for wave in beat.waves if wave.kind == "QRS"), slice(0, 0))
    way = np.hypot(np.diff(across[span], prepend=across[span][:1]), np.diff(up[span], prepend=up[span][:1])).cumsum()
    if len(way) < 3 or not way[-1]:
        return
    out = int(np.clip(np.searchsorted(way, 0.35 * way[-1]), 1, len(way) - 1)) + span.start
    ends = [(across[i], up[i]) for i in (out - 1, out)]
    head = {"arrowstyle": "-|>", "mutation_scale": sheet.points(6.0), "color": WAVE_COLOURS["QRS"], "linewidth": 0}
    sheet.axes.add_patch(FancyArrowPatch(*ends, shrinkA=0, shrinkB=0, zorder=6, gid="direction of QRS", **head))


def _foot(sheet) -> None:
    """Name the colours and the scale below the paper."""
    x = PAPER
    for kind, colour in WAVE_COLOURS.items():
        sheet.text(x, -1.5, kind, TEXT, va="top", color=colour, weight="bold")
        x += text_width(kind, TEXT, "bold") + 3
    sheet.text(WIDTH, -1.5, f"{SPEED:g} mm/s  ·  {GAIN:g} mm/mV", TEXT, va="top", ha="right", color=GREY)
