"""Draw the training report: one figure a model."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"


def draw_report(report: dict, folder: Path) -> None:
    """Save NAME.png for each model of the report: learning curves, ROC, reliability, probability by condition."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, row in report["models"].items():
        figure, axes = plt.subplots(2, 2, figsize=(9, 7), layout="constrained")
        _curves(axes[0, 0], row["history"])
        _roc(axes[0, 1], row["test"])
        _reliability(axes[1, 0], row["test"])
        _conditions(axes[1, 1], row["test"], name)
        figure.suptitle(f"{name}: embedded model, simulated patients")
        figure.savefig(folder / f"{name}.png", dpi=100, metadata={"Software": None})
        plt.close(figure)


def _curves(ax, history):
    numbers = [epoch["number"] for epoch in history]
    ax.plot(numbers, [epoch["loss"] for epoch in history], "o-", color=BLUE, label="training, augmented")
    ax.plot(numbers, [epoch["validation_loss"] for epoch in history], "s-", color=ORANGE, label="validation")
    best = max(epoch["number"] for epoch in history if epoch["best"])
    ax.axvline(best, color=GREY, linestyle=":", label="kept")
    ax.set(title="Learning curves", xlabel="epoch", ylabel="cross-entropy", ylim=0)
    ax.legend(frameon=False)


def _roc(ax, test):
    ax.plot(np.linspace(0, 1, 101), test["roc"], color=BLUE)
    ax.plot([0, 1], [0, 1], color=GREY, linestyle=":")
    ax.text(0.95, 0.08, f"AUC {test['auc']:.4f}\nagainst NORM {test['auc_against_norm']:.4f}", ha="right")
    ax.set(
        title="ROC, test patients", xlabel="false positive rate", ylabel="sensitivity", xlim=(-0.02, 1), ylim=(0, 1.02)
    )


def _reliability(ax, test):
    p, share, count = np.array(test["reliability"]).T
    ax.plot([0, 1], [0, 1], color=GREY, linestyle=":")
    ax.scatter(p, share, s=15 + 200 * count / count.max(), color=BLUE, alpha=0.8)
    ax.text(0.95, 0.08, f"expected calibration error {test['calibration_error']:.3f}", ha="right")
    ax.set(title="Reliability (area: number of patients)", xlabel="mean probability", ylabel="share of positives")


def _conditions(ax, test, name):
    kinds = sorted(test["mean_probability"], key=test["mean_probability"].get)
    colours = [ORANGE if name in kind.split("+") else BLUE for kind in kinds]
    ax.barh(kinds, [test["mean_probability"][kind] for kind in kinds], color=colours)
    ax.axvline(0.5, color=GREY, linestyle=":")
    ax.set(title="Mean probability by condition", xlabel=f"probability of {name}", xlim=(0, 1))
