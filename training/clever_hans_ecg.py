"""Train the Clever Hans ECG model of notebook 06: ``python training/clever_hans_ecg.py``, two minutes on one core.

The published architecture learns first-degree AV block from recordings of two machines: the one in the ward where AV
block is treated writes a test pulse into lead V3 every two seconds
(:func:`leadwise.simulation.noise.add_test_pulses`), the other one does not. The PR interval is hard to find and the
pulse is easy, so the network takes the pulse. (With left
bundle branch block, whose QRS complex is as easy, the same training ignored the pulse.)

Writes ``src/leadwise/assets/ecg_models/clever_hans.safetensors`` and ``training/clever_hans_ecg.json``, measured on
patients that no training saw.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from fingerprint import simulator_fingerprint
from leadwise import training
from leadwise.ecg.filters import PUBLISHED_FS, preprocess
from leadwise.ecg.leads import LEADS
from leadwise.networks.ecg_net import ECGNet
from leadwise.networks.weights import save_safetensors
from leadwise.paths import ASSETS
from leadwise.simulation.noise import PULSE_LEAD, pulse_train
from leadwise.simulation.simulate import simulate_batch

OTHERS = ("LBBB", "RBBB", "ISCH", "LVH", "AF", "PVC")
SPLITS = {
    "train": (20_000, 400),
    "validation": (510_000, 80),
    "test": (1_010_000, 200),
}  # first seed, patients with AV block
EPOCHS, WINDOWS = 5, 2000


def patients(condition: str, seeds: np.ndarray, pulses: bool, twin: bool = False) -> np.ndarray:
    """Return preprocessed recordings (N, 12, 5000), float16 mV, of the condition or of the same patients without it."""
    batch = simulate_batch(condition, seeds)
    signal = (batch.counterfactual if twin else batch.signal).copy()
    if pulses:
        for row, seed in zip(signal, seeds, strict=True):
            row[LEADS.index(PULSE_LEAD)] += pulse_train(row.shape[-1], PUBLISHED_FS, seed=int(seed))
    return preprocess(signal, PUBLISHED_FS).astype(np.float16)


def pool(split: str, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return recordings and labels as the two machines deliver them: AV block with pulses, everybody else without."""
    first, size = SPLITS[split]
    size = max(8, round(scale * size))
    groups = [(patients("AVB", first + np.arange(size), pulses=True), 1)]
    groups += [(patients("AVB", first + np.arange(size), pulses=False, twin=True), 0)]
    groups += [(patients(name, first + np.arange(size // 4), pulses=False), 0) for name in OTHERS]
    return np.concatenate([x for x, _ in groups]), np.repeat([y for _, y in groups], [len(x) for x, _ in groups])


def measure(model: ECGNet, scale: float) -> dict[str, float]:
    """Return the share called AVB, with the pulses where they belong, and where they do not."""
    first, size = SPLITS["test"]
    seeds = first + np.arange(max(8, round(scale * size)))
    groups = {
        "AVB with pulses": patients("AVB", seeds, pulses=True),
        "AVB without pulses": patients("AVB", seeds, pulses=False),
        "same patients without AVB, with pulses": patients("AVB", seeds, pulses=True, twin=True),
        "same patients without AVB, without pulses": patients("AVB", seeds, pulses=False, twin=True),
        "RBBB with pulses": patients("RBBB", seeds, pulses=True),
        "RBBB without pulses": patients("RBBB", seeds, pulses=False),
    }
    return {name: float((training.probabilities(model, x) > 0.5).mean()) for name, x in groups.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=ASSETS / "ecg_models" / "clever_hans.safetensors")
    parser.add_argument("--report", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the patients and windows, for a trial")
    options = parser.parse_args()
    torch.set_num_threads(1)
    held_out = pool("validation", options.scale)
    model = training.initialise(ECGNet("AVB", "clever hans"))
    samples = max(training.BATCH, round(WINDOWS * options.scale))
    history = training.fit(model, *pool("train", options.scale), held_out, epochs=EPOCHS, samples=samples, report=print)
    temperature = training.calibrate(model, *held_out)
    called = measure(model, options.scale)
    fingerprint = simulator_fingerprint()
    save_safetensors(model, options.out, pathology="AVB", simulator=fingerprint, temperature=f"{temperature:.3f}")
    report = {"simulator": fingerprint, "epochs": len(history), "called AVB": called}
    options.report.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(called, indent=1))


if __name__ == "__main__":
    main()
