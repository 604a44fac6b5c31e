"""Draw the figures that the repository carries: ``python tools/gallery.py`` writes plots/gallery.

Only embedded models and simulated recordings are used, so that nothing of others enters the repository.
"""

from pathlib import Path

import ecgxai
from ecgxai.plotting import plot_ecg, plot_ground_truth, plot_heartbeat, save_figure

ROOT = Path(__file__).resolve().parents[1]
GALLERY = ROOT / "plots" / "gallery"


def known_cause():
    """Draw LRP of the LBBB model on a simulated patient, with the samples that are the cause."""
    ecg = ecgxai.simulate_ecg("LBBB", seed=8).preprocess().window()
    model = ecgxai.load_ecg_model("LBBB", "embedded")
    relevance = ecgxai.attribute(model, ecg.tensor(), "lrp_epsilon", target=1)
    return plot_ecg(
        ecg,
        relevance,
        mask=ecg.causal_mask,
        title=f"A simulated left bundle branch block, p = {float(model.probability(ecg.tensor())):.2f}: LRP-ε",
    )


def heart_vector():
    """Draw one beat of a left bundle branch block as loops and leads."""
    from ecgxai.ecg.simulate import heart_beat

    return plot_heartbeat(heart_beat("LBBB"), "Left bundle branch block: one heartbeat, seen from twelve sides")


def ground_truth():
    """Draw the table of the ground-truth benchmark, which ``benchmarks/ground_truth.py`` makes."""
    return plot_ground_truth(ROOT / "benchmarks" / "ground_truth.csv")


FIGURES = {"known_cause": known_cause, "heart_vector": heart_vector, "ground_truth": ground_truth}

if __name__ == "__main__":
    for name, draw in FIGURES.items():
        for path in save_figure(draw(), GALLERY / name, formats=("png",)):
            print(path)
