"""Draw the figures that the repository carries: ``python tools/gallery.py [NAMES]`` writes plots/gallery.

Only embedded models and simulated recordings are used, so that nothing of others enters the repository.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import leadwise
from leadwise.ecg.leads import LEADS
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import load_alexnet, preprocess
from leadwise.plotting import plot_ecg, plot_ground_truth, plot_heartbeat
from leadwise.plotting.sheet import CourseFigure
from leadwise.plotting.style import FONT, relevance_rgba
from leadwise.semantics import lead_wave_matrix
from leadwise.semantics.criteria import CRITERIA

ROOT = Path(__file__).resolve().parents[1]
GALLERY = ROOT / "plots" / "gallery"


def known_cause():
    """Draw LRP of the LBBB model on a simulated patient, with the samples that are the cause."""
    ecg = leadwise.simulate_ecg("LBBB", seed=8).preprocess().window()
    model = leadwise.load_ecg_model("LBBB", "embedded")
    relevance = leadwise.attribute(model, ecg.tensor(), "lrp_epsilon", target=1)
    return plot_ecg(
        ecg,
        relevance,
        mask=ecg.causal_mask,
        title=f"A simulated left bundle branch block, p = {float(model.probability(ecg.tensor())):.2f}: LRP-ε",
    )


def heart_vector():
    """Draw one beat of a left bundle branch block as loops and leads."""
    from leadwise.simulation.simulate import heart_beat

    return plot_heartbeat(heart_beat("LBBB"), "Left bundle branch block: one heartbeat, seen from twelve sides")


def ground_truth():
    """Draw the table of the ground-truth benchmark, which ``benchmarks/ground_truth.py`` makes."""
    return plot_ground_truth(ROOT / "benchmarks" / "ground_truth.csv")


PANELS = {"Pixels": (0.012, 0.25, 0.29), "Samples of V1": (0.328, 0.25, 0.36), "Leads and waves": (0.72, 0.25, 0.27)}
SHOWN = ("V1", "V2", "V3", "V6"), ("P", "QRS", "T")


def from_saliency_to_semantics():
    """Draw the course in one picture: the map of a cat, two beats of a lead, a small table, one sentence."""
    scene, network = make_scene(27), load_alexnet("embedded", verbose=False)
    seen = leadwise.attribute(network, preprocess(scene.image), "lrp_epsilon_gamma_box", target=scene.objects[0].index)
    ecg = leadwise.simulate_ecg("RBBB", seed=11).preprocess().window()
    model = leadwise.load_ecg_model("RBBB", "embedded", verbose=False)
    relevance = leadwise.attribute(model, ecg.tensor(), "lrp_epsilon", target=1)
    matrix = lead_wave_matrix(relevance, ecg.waves)
    draw = {
        "Pixels": lambda axes: _cat(axes, scene, seen),
        "Samples of V1": lambda axes: _two_beats(axes, ecg, relevance),
        "Leads and waves": lambda axes: _small_table(axes, matrix),
    }
    figure = CourseFigure(figsize=(15, 6.8), dpi=100, facecolor="white")
    for number, (title, (left, bottom, width)) in enumerate(PANELS.items(), 1):
        figure.text(left, 0.925, f"{number}  {title}", size=22, weight="bold", family=FONT)
        axes = figure.add_axes((left, bottom, width, 0.64), anchor="NW")
        axes.set_axis_off()
        draw[title](axes)
    figure.text(0.012, 0.115, f"4  {sentence_of(matrix)}", size=25, weight="bold", family=FONT)
    note = (
        f"A simulated patient, p = {float(model.probability(ecg.tensor())):.2f}, explained by LRP-ε. "
        "Orange: for the answer, blue: against it. Numbers: % of what speaks for it."
    )
    figure.text(0.012, 0.04, note, size=16, family=FONT, color="#444444")
    figure.alt = (
        f"Four steps: the pixels that make a cat, samples of V1, leads and waves, and: {sentence_of(matrix)} {note}"
    )
    return figure


def sentence_of(matrix) -> str:
    """Return where most of the positive relevance lies, and whether the criterion is read there."""
    (first, one), (second, other), *_ = matrix.ranked()
    if {first, second} != {("V1", "QRS"), ("V2", "QRS")} or one + other < 0.4:
        raise ValueError(f"the largest cells are {first} and {second}: the picture's sentence is about V1 and V2.")
    criterion = CRITERIA["RBBB"]
    read = {"V1", "V2"} <= set(criterion.leads) and "QRS" in criterion.waves
    return f"This network reads RBBB in the QRS of V1 and V2. Textbook: {'yes' if read else 'no'}."


def _cat(axes, scene, seen):
    """Draw a cat in grey, what made the network say so in colour, and its outline."""
    mask, total = scene.objects[0].mask, seen.sum(0).numpy()
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    side = int(1.15 * max(np.ptp(rows), np.ptp(columns)))
    first = [int(np.clip(place.mean() - side / 2, 0, len(mask) - side)) for place in (rows, columns)]
    part = tuple(slice(start, start + side) for start in first)
    grey = np.asarray(Image.fromarray(scene.image).convert("L"))[part]
    axes.imshow(255 - (255 - grey) * 0.6, cmap="gray", vmin=0, vmax=255)
    axes.imshow(relevance_rgba((total / np.percentile(np.abs(total), 99.5)).clip(-1, 1)[part]))
    axes.contour(mask[part], [0.5], colors="#0b6e4f", linewidths=2.5)


def _two_beats(axes, ecg, relevance):
    """Draw two beats of V1 with relevance behind them."""
    row = LEADS.index("V1")
    starts = [wave.onset for wave in ecg.waves if wave.kind == "P"]
    first, last = starts[1] - 20, starts[3] - 20
    signal, values = ecg.signal[row, first:last], relevance[row, first:last].numpy()
    low, high = signal.min() - 0.15, signal.max() + 0.15
    colours = relevance_rgba((values / np.abs(values).max())[None])
    axes.imshow(colours, extent=(0, last - first, low, high), aspect="auto", interpolation="nearest")
    axes.plot(signal, color="#111111", linewidth=2.5)
    axes.set(xlim=(0, last - first), ylim=(low, high))


def _small_table(axes, matrix):
    """Draw the shares of some leads and waves; what rounds to nothing stays empty."""
    places = [[axis.index(name) for name in names] for axis, names in zip(matrix.names, SHOWN, strict=True)]
    share = 100 * matrix.share("positive")[np.ix_(*places)]
    axes.imshow(relevance_rgba(share / share.max()), aspect="auto", extent=(0.0, 3.0, 4.0, 0.0))
    for column, wave in enumerate(SHOWN[1]):
        axes.text(column + 0.5, -0.15, wave, ha="center", va="bottom", size=22, family=FONT)
        for row in range(len(SHOWN[0])):
            value = round(float(share[row, column]))
            axes.text(column + 0.5, row + 0.5, value or "", ha="center", va="center", size=26, family=FONT)
    for row, lead in enumerate(SHOWN[0]):
        axes.text(-0.12, row + 0.5, lead, ha="right", va="center", size=22, family=FONT)
    axes.set(xlim=(-0.75, 3), ylim=(4, -0.6))
    axes.hlines(range(5), 0, 3, color="#bbbbbb")
    axes.vlines(range(4), 0, 4, color="#bbbbbb")


FIGURES = {
    "from_saliency_to_semantics": from_saliency_to_semantics,
    "known_cause": known_cause,
    "heart_vector": heart_vector,
    "ground_truth": ground_truth,
}

if __name__ == "__main__":
    for name, draw in FIGURES.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        path = GALLERY / f"{name}.png"
        path.write_bytes(draw()._repr_png_()[0])
        print(path)
