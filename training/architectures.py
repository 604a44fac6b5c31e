"""Train common architectures on simulated patients: ``python training/architectures.py [NAME ...]``, minutes each.

Eight leads, 10 s at 100 Hz, unfiltered, and five labels that may stand together. Every patient comes with the condition
and, the same seed, without it. Writes NAME.safetensors, NAME.json (a card that ``Network.load`` opens) and
architectures_report.json to ``--out``. What the course embeds is made with ``--embed``.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional

from fingerprint import simulator_fingerprint
from leadwise import Network, training
from leadwise.ecg.filters import PUBLISHED_FS, resample
from leadwise.ecg.leads import LEADS
from leadwise.networks.ribeiro import RibeiroNet
from leadwise.networks.transformer import ECGTransformer
from leadwise.networks.xresnet1d import XResNet1d
from leadwise.paths import ASSETS
from leadwise.simulation.simulate import simulate_batch

INPUT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")  # the other four follow from I and II
FS, SAMPLES = 100, 1000
CLASSES = ("AVB", "ISCH", "LBBB", "RBBB", "AF")
DISTRACTORS = ("LVH", "PVC")
LONG_PR = {"pr": 260}  # ms, of some patients with another condition: they have two labels
SPLITS = {
    "train": (30_000, 1.0),
    "validation": (520_000, 0.2),
    "test": (1_020_000, 0.3),
}  # first seed, share of patients

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "xresnet1d": lambda: XResNet1d(leads=len(INPUT), classes=len(CLASSES), width=32),
    "ribeiro": lambda: RibeiroNet(
        leads=len(INPUT), classes=len(CLASSES), samples=SAMPLES, filters=(16, 20, 24, 28, 32), dropout=0.2
    ),
    "transformer": lambda: ECGTransformer(
        leads=len(INPUT), classes=len(CLASSES), samples=SAMPLES, piece=10, width=48, depth=2, dropout=0.0
    ),
}
RATES = {"transformer": 2e-3}  # highest learning rate, where it is not 4e-3
LONGER = {"transformer": 3}  # times as many epochs
EMBEDDED = ("xresnet1d", "transformer")
SEED = 0  # of weights, order and variation; those of the patients stand in SPLITS


def recordings(signal: np.ndarray) -> np.ndarray:
    """Return recordings (N, 12, T) at the simulator's rate as the networks get them: float16 (N, 8, 1000)."""
    rows = resample(signal[:, [LEADS.index(lead) for lead in INPUT]], PUBLISHED_FS, FS)
    return rows[..., :SAMPLES].astype(np.float16)


def pool(split: str, patients: int) -> tuple[np.ndarray, np.ndarray]:
    """Return recordings (N, 8, 1000) and labels (N, 5) of one split: patients of each condition, and their twins."""
    first, share = SPLITS[split]
    size, x, y = max(8, round(share * patients)), [], []

    def add(condition: str, labels: tuple[str, ...], twin: tuple[str, ...], count: int, patient=None) -> None:
        for start in range(0, count, 50):
            batch = simulate_batch(condition, first + np.arange(start, min(start + 50, count)), patient=patient)
            for signal, names in ((batch.signal, labels), (batch.counterfactual, twin)):
                x.append(recordings(signal))
                y.append(np.tile([float(name in names) for name in CLASSES], (len(signal), 1)))

    for name in CLASSES:
        add(name, (name,), (), size)
    for name in ("ISCH", "LBBB", "RBBB"):
        add(name, (name, "AVB"), ("AVB",), size // 4, LONG_PR)
    for name in DISTRACTORS:
        add(name, (), (), size // 4)
    return np.concatenate(x), np.concatenate(y).astype(np.float32)


def fit(model: nn.Module, train, held_out, epochs: int, rate: float, seed: int = 0, report=print) -> list[dict]:
    """Train with Adam on binary cross-entropy, one cycle of the learning rate; keep the weights that validated best."""
    (x, y), rng = train, np.random.default_rng(seed)
    steps = max(1, len(x) // training.BATCH)
    weight = torch.from_numpy(((1 - y).sum(0) / y.sum(0).clip(1)) ** 0.5)
    optimiser, history, best = torch.optim.Adam(model.parameters(), weight_decay=1e-5), [], {}
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * steps)
    for epoch in range(1, epochs + 1):
        model.train()
        began, total = time.perf_counter(), 0.0
        for chosen in rng.permutation(len(x))[: steps * training.BATCH].reshape(steps, -1):
            windows = torch.from_numpy(training.vary(x[chosen].astype(np.float32), rng))
            out = model(windows)
            loss = functional.binary_cross_entropy_with_logits(out, torch.from_numpy(y[chosen]), pos_weight=weight)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item() / steps
        p = probabilities(model, held_out[0])
        score = float(functional.binary_cross_entropy(torch.from_numpy(p), torch.from_numpy(held_out[1])))
        history.append({"epoch": epoch, "loss": total, "validation": score, "seconds": time.perf_counter() - began})
        report({name: round(value, 4) for name, value in history[-1].items()})
        if score <= min(row["validation"] for row in history):
            best = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(best)
    model.eval()
    return history


def probabilities(model: nn.Module, x: np.ndarray) -> np.ndarray:
    """Return the probabilities (N, 5) of recordings (N, 8, 1000), in evaluation."""
    model.eval()
    with torch.no_grad():
        parts = [torch.from_numpy(part.astype(np.float32)) for part in np.array_split(x, max(1, len(x) // 64))]
        return torch.cat([torch.sigmoid(model(part)) for part in parts]).numpy()


def network(name: str, module: nn.Module) -> Network:
    """Return a trained module with what it means."""
    return Network(
        module, leads=INPUT, fs=FS, samples=SAMPLES, classes=CLASSES, outputs="labels", name=name,
        criteria={pathology: pathology for pathology in CLASSES if pathology != "AF"}, source="embedded",
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> dict:
    """Train what the command line asks for; return the report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", default=list(NETWORKS), metavar="NAME", help=", ".join(NETWORKS))
    parser.add_argument("--out", type=Path, default=Path("architectures"), help="folder (default: architectures)")
    parser.add_argument("--embed", action="store_true", help=f"{' and '.join(EMBEDDED)}, into the package")
    parser.add_argument("--patients", type=int, default=200, help="of each condition, for training (default: 200)")
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args(arguments)
    names, out = (EMBEDDED, ASSETS / "architectures") if options.embed else (options.names, options.out)
    torch.set_num_threads(1)
    sets = {split: pool(split, options.patients) for split in SPLITS}
    report: dict = {"simulator": simulator_fingerprint(), "patients": options.patients, "seed": SEED, "networks": {}}
    for name in names:
        torch.manual_seed(SEED)
        module, epochs = NETWORKS[name](), options.epochs * LONGER.get(name, 1)
        history = fit(module, sets["train"], sets["validation"], epochs, RATES.get(name, 4e-3), SEED)
        p, y = probabilities(module, sets["test"][0]), sets["test"][1]
        card = network(name, module).save(out / name)
        report["networks"][name] = {
            "parameters": sum(weights.numel() for weights in module.parameters()),
            "bytes": card.with_suffix(".safetensors").stat().st_size,
            "minutes": round(sum(row["seconds"] for row in history) / 60, 1),
            "auc": {label: round(float(roc_auc_score(y[:, i], p[:, i])), 4) for i, label in enumerate(CLASSES)},
        }
        print(json.dumps(report["networks"][name]))
    (out / "architectures_report.json").write_text(json.dumps(report, indent=1) + "\n")
    return report


if __name__ == "__main__":
    main()
