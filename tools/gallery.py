"""Draw the figures that the repository carries: ``python tools/gallery.py`` writes plots/gallery.

Only embedded models and simulated recordings are used, so that nothing of others enters the repository.
"""

from io import BytesIO
from pathlib import Path
from textwrap import fill

import numpy as np
from PIL import Image

import leadwise
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import load_alexnet, preprocess
from leadwise.plotting import plot_ecg, plot_ground_truth, plot_heartbeat, plot_image, plot_matrix
from leadwise.plotting.sheet import CourseFigure
from leadwise.plotting.style import FONT
from leadwise.semantics import describe, lead_wave_matrix

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


def from_saliency_to_semantics():
    """Draw the course in one picture: a scene and the map of one object, three leads, the table, the sentence."""
    scene, network = make_scene(6, objects=2), load_alexnet("embedded", verbose=False)
    target = scene.objects[0].index
    seen = leadwise.attribute(network, preprocess(scene.image), "lrp_epsilon_gamma_box", target=target)
    ecg = leadwise.simulate_ecg("RBBB", seed=8).preprocess().window()
    model = leadwise.load_ecg_model("RBBB", "embedded", verbose=False)
    relevance = leadwise.attribute(model, ecg.tensor(), "lrp_epsilon", target=1)
    matrix = lead_wave_matrix(relevance, ecg.waves)
    leads, waves = matrix.names
    steps = {
        f"Pixels that make a {scene.labels[0]}": plot_image(scene.image, seen),
        "Samples that make a block": plot_ecg(ecg, relevance, leads=["I", "V1", "V6"], columns=1),
        "Leads and waves": plot_matrix(100 * matrix.share(), leads, waves, write=lambda share: f"{share:.0f}"),
    }
    figure = CourseFigure(figsize=(15, 6.4), dpi=100, facecolor="white")
    for column, (title, step) in enumerate(steps.items()):
        picture = Image.open(BytesIO(step._repr_png_()[0]))
        axes = figure.add_axes((0.012 + 0.334 * column, 0.2, 0.308, 0.7), anchor="N")
        axes.imshow(np.asarray(picture.convert("RGB")), interpolation="antialiased")
        axes.set_axis_off()
        figure.text(0.012 + 0.334 * column, 0.94, f"{column + 1}  {title}", size=16, weight="bold", family=FONT)
    sentence = fill(describe(relevance, ecg.waves, "RBBB"), 150)
    figure.text(0.012, 0.15, "4  A sentence to check", size=16, weight="bold", family=FONT)
    figure.text(0.012, 0.125, sentence, size=12.5, family=FONT, va="top", linespacing=1.5)
    figure.alt = f"Four steps: {', '.join(steps)}, and a sentence: {sentence}"
    return figure


FIGURES = {
    "from_saliency_to_semantics": from_saliency_to_semantics,
    "known_cause": known_cause,
    "heart_vector": heart_vector,
    "ground_truth": ground_truth,
}

if __name__ == "__main__":
    for name, draw in FIGURES.items():
        path = GALLERY / f"{name}.png"
        path.write_bytes(draw()._repr_png_()[0])
        print(path)
