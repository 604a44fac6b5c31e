"""One heartbeat: the loop of the heart vector beside the twelve leads that look at it."""

import numpy as np
from matplotlib.ticker import MultipleLocator

from ecgxai.ecg.leads import LEADS
from ecgxai.plotting.sheet import CourseFigure
from ecgxai.plotting.style import FONT, GREY, INK, LABEL, PAPER_PLAIN, TEXT, TITLE

# Okabe and Ito (2008), darkened for thin lines on white.
WAVE_COLOURS = {"P": "#0072b2", "QRS": INK, "T": "#c25700"}


def plot_heartbeat(beat, title: str | None = None) -> CourseFigure:
    """Draw one beat: its loops in the frontal and the horizontal plane, and the twelve leads on ECG paper.

    Parameters
    ----------
    beat : :class:`ecgxai.ecg.simulate.Heartbeat`: ``time`` (T,) in ms, ``vector`` (3, T) and ``leads`` (12, T) in mV
    title : heading
    """
    figure = CourseFigure(figsize=(10, 5.6), dpi=110)
    grid = figure.add_gridspec(
        2, 2, width_ratios=(1, 2.5), left=0.06, right=0.99, bottom=0.09, top=0.9, wspace=0.1, hspace=0.4
    )
    x, y, z = beat.vector
    _loop(figure.add_subplot(grid[0, 0]), beat, x, y, "frontal plane", ("head", "feet"))
    _loop(figure.add_subplot(grid[1, 0]), beat, x, z, "horizontal plane", ("back", "chest"), up=True)
    _leads(figure, grid[:, 1], beat)
    if title:
        figure.text(0.01, 0.99, title, va="top", fontsize=TITLE, fontweight="bold", family=FONT)
    figure.alt = "One heartbeat: loops of the heart vector in two planes, and the twelve leads. " + (title or "")
    return figure


def _spans(beat):
    """Yield kind and slice of each wave, drawn one over the other."""
    for wave in beat.waves:
        yield wave.kind, slice(wave.onset, wave.offset)


def _loop(axes, beat, across, down, name, ends, up=False) -> None:
    """Draw the heart vector's tip as seen in one plane: from the front, or from above with the chest below (``up``)."""
    limit = max(1.1, 1.15 * float(np.abs(np.stack([across, down])).max()))
    axes.axhline(0, color=GREY, linewidth=0.6)
    axes.axvline(0, color=GREY, linewidth=0.6)
    for kind, span in _spans(beat):
        axes.plot(across[span], down[span], color=WAVE_COLOURS[kind], linewidth=1.6, label=kind)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit) if up else (limit, -limit), aspect="equal")
    axes.set_title(name, fontsize=LABEL, family=FONT)
    axes.tick_params(labelsize=TEXT, length=2)
    axes.xaxis.set_major_locator(MultipleLocator(1))
    axes.yaxis.set_major_locator(MultipleLocator(1))
    axes.set_xlabel("right  ←  mV  →  left", fontsize=TEXT, family=FONT, labelpad=1)
    axes.set_ylabel(f"{ends[1]}  ←  mV  →  {ends[0]}", fontsize=TEXT, family=FONT, labelpad=1)
    axes.legend(fontsize=TEXT, frameon=False, loc="upper left", handlelength=1, borderaxespad=0.1, labelspacing=0.2)


def _leads(figure, place, beat) -> None:
    """Draw the leads in the usual 3 x 4 order, all on one scale, on paper of 1 and 5 mm."""
    inner = place.subgridspec(3, 4, wspace=0.06, hspace=0.12)
    top = max(1.2, float(beat.leads.max()) + 0.2)
    bottom = min(-1.2, float(beat.leads.min()) - 0.2)
    for index, lead in enumerate(LEADS):
        axes = figure.add_subplot(inner[index % 3, index // 3])
        axes.plot(beat.time, beat.leads[index], color=GREY, linewidth=1.0)
        for kind, span in _spans(beat):
            axes.plot(beat.time[span], beat.leads[index][span], color=WAVE_COLOURS[kind], linewidth=1.6)
        axes.set(xlim=(beat.time[0], beat.time[-1]), ylim=(bottom, top), xticks=[], yticks=[])
        axes.set_facecolor(PAPER_PLAIN["sheet"])
        for step, colour, width in ((40, PAPER_PLAIN["fine"], 0.4), (200, PAPER_PLAIN["coarse"], 0.6)):
            for at in np.arange(np.ceil(beat.time[0] / step) * step, beat.time[-1], step):
                axes.axvline(at, color=colour, linewidth=width, zorder=0)
            for at in np.arange(np.ceil(bottom / (step / 400)) * step / 400, top, step / 400):
                axes.axhline(at, color=colour, linewidth=width, zorder=0)
        axes.text(0.04, 0.95, lead, transform=axes.transAxes, va="top", fontsize=LABEL, fontweight="bold", family=FONT)
        for side in axes.spines.values():
            side.set_color(PAPER_PLAIN["coarse"])
    figure.text(0.99, 0.025, "one large square: 0.2 s and 0.5 mV", ha="right", fontsize=TEXT, color=GREY, family=FONT)
