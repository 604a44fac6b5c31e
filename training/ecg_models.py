"""Train the four embedded ECG models on simulated patients: ``python training/ecg_models.py``.

One network of the published architecture per pathology. Patients are simulated, recorded with noise, preprocessed as
real recordings are (the published chain over 10 s), and cut to windows of 4 s. Every patient comes twice: with the
condition and, the same seed, without it, so that nothing but the condition can tell the two apart. Writes
NAME.safetensors and report.json to ``src/leadwise/assets/ecg_models``, figures to ``training/reports``.
"""

import argparse
import json
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score, roc_curve

from figures import draw_report
from fingerprint import simulator_fingerprint
from leadwise import training
from leadwise.ecg.filters import PUBLISHED_FS, preprocess
from leadwise.networks.ecg_net import ECGNet
from leadwise.networks.weights import ECG_MODELS, save_safetensors
from leadwise.paths import ASSETS
from leadwise.simulation.simulate import simulate_batch
from real_records import any_alarm, on_real

REPORTS = Path(__file__).parent / "reports"


@dataclass(frozen=True)
class Cohort:
    """Patients of one kind.

    Parameters
    ----------
    condition : what the simulator is asked for
    train, held_out : how many patients for training; for validation and, others, for testing
    long_pr : PR intervals from 210 to 330 ms on top: conduction is often slow in more than one place
    labels : pathologies that the patients have
    left_out : models that don't see this cohort at all
    """

    condition: str
    train: int
    held_out: int
    long_pr: bool = False
    labels: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.condition + ("+AVB" if self.long_pr else "")


COHORTS = (
    Cohort("AVB", 900, 200, labels=("AVB",)),
    Cohort("LBBB", 600, 200, labels=("LBBB",)),
    Cohort("RBBB", 600, 200, labels=("RBBB",)),
    Cohort("ISCH", 900, 200, labels=("ISCH",)),
    Cohort("LBBB", 200, 40, long_pr=True, labels=("LBBB", "AVB")),
    Cohort("RBBB", 200, 40, long_pr=True, labels=("RBBB", "AVB")),
    Cohort("ISCH", 150, 40, long_pr=True, labels=("ISCH", "AVB")),
    Cohort("LVH", 100, 40, long_pr=True, labels=("AVB",)),
    Cohort("LVH", 300, 60),
    Cohort("AF", 250, 60),
    Cohort("PVC", 250, 60),
    Cohort("AVB2", 200, 60, left_out=("AVB",)),  # its PR interval grows beyond 200 ms as well
)
LONG_PR = (210, 330)

# First seed of each split. Tests use seeds from 2,000,000 on.
SPLITS = {"train": 10_000, "validation": 500_000, "test": 1_000_000}

# Share of the training windows: with the pathology; the same patients without it; everybody else.
SHARES = (0.45, 0.25, 0.30)
EPOCHS = {"AVB": 10, "ISCH": 8, "LBBB": 6, "RBBB": 6}
WINDOWS = 3000  # an epoch


@dataclass(frozen=True)
class Pool:
    """Preprocessed ECGs of one split: N patients with their condition, then the same N patients without it.

    Parameters
    ----------
    x : (2N, 12, T), float16, mV; T is 5000 in training, else 2000. Row i + N is the counterfactual of row i
    mask : (N, 12, T), bool: the causal masks
    kind : (2N,) names of cohorts, and "NORM"; the counterfactual of a long PR still has its "AVB"
    labels : (2N, 4), 0 or 1, columns as ECG_MODELS
    used : (2N, 4), False where a model leaves the cohort out
    """

    x: np.ndarray
    mask: np.ndarray
    kind: np.ndarray
    labels: np.ndarray
    used: np.ndarray


def simulate_pool(split: str, scale: float = 1.0, later: int = 0) -> Pool:
    """Simulate one split. ``scale`` multiplies the number of patients; ``later`` is added to the first seed."""
    sizes = [max(8, round(scale * (c.train if split == "train" else c.held_out))) for c in COHORTS]
    total, samples = sum(sizes), 5000 if split == "train" else training.WINDOW
    x, mask = np.empty((2 * total, 12, samples), np.float16), np.empty((total, 12, samples), bool)
    row = 0
    for cohort, size in zip(COHORTS, sizes, strict=True):
        for ecgs in simulate_cohort(cohort, size, SPLITS[split] + later):
            end = row + len(ecgs.seeds)
            x[row:end] = preprocess(ecgs.signal, PUBLISHED_FS)[:, :, :samples]
            x[total + row : total + end] = preprocess(ecgs.counterfactual, PUBLISHED_FS)[:, :, :samples]
            mask[row:end], row = ecgs.causal_mask[:, :, :samples], end
    twins = ["AVB" if c.long_pr else "NORM" for c in COHORTS]
    held = [c.labels for c in COHORTS] + [(twin,) for twin in twins]
    out = [c.left_out for c in COHORTS] + [()] * len(COHORTS)
    return Pool(
        x=x,
        mask=mask,
        kind=np.repeat([c.name for c in COHORTS] + twins, sizes * 2),
        labels=np.repeat([[int(name in row) for name in ECG_MODELS] for row in held], sizes * 2, axis=0),
        used=np.repeat([[name not in row for name in ECG_MODELS] for row in out], sizes * 2, axis=0),
    )


def simulate_cohort(cohort: Cohort, size: int, first_seed: int):
    """Yield batches of up to 40 patients. Cohorts share their seeds: the same people, once with each condition."""
    for start in range(0, size, 40):
        seeds = np.arange(start, min(start + 40, size))
        pr = np.interp(seeds.mean() / size, (0, 1), LONG_PR)
        yield simulate_batch(cohort.condition, first_seed + seeds, patient={"pr": pr} if cohort.long_pr else None)


def sampling_weights(pool: Pool, name: str) -> np.ndarray:
    """Return how often to draw each record (2N,) when training one model: SHARES, equal within each share."""
    column = list(ECG_MODELS).index(name)
    label, used, half = pool.labels[:, column], pool.used[:, column], len(pool.mask)
    own_twin = np.concatenate([np.zeros(half, bool), label[:half] > label[half:]])
    weights = np.zeros(len(label))
    for share, members in zip(SHARES, (label == 1, own_twin, (label == 0) & ~own_twin & used), strict=True):
        weights[members] = share / members.sum()
    return weights


def balanced(pool: Pool, name: str) -> np.ndarray:
    """Return rows for validating or testing one model: its patients, as many without any condition, the distractors."""
    column = list(ECG_MODELS).index(name)
    positive = np.flatnonzero(pool.labels[:, column] == 1)
    normal = np.flatnonzero(pool.kind == "NORM")
    others = np.flatnonzero((pool.labels[:, column] == 0) & pool.used[:, column] & (pool.kind != "NORM"))
    rng = np.random.default_rng(0)
    pick = [rng.choice(rows, min(len(rows), len(positive) // 2), replace=False) for rows in (normal, others)]
    return np.sort(np.concatenate([positive, *pick]))


def train(
    name: str, pool: Pool, validation: Pool, scale: float = 1.0, *, seed: int = 0, epochs: dict[str, int] = EPOCHS
) -> tuple[ECGNet, list[training.Epoch], float]:
    """Train and calibrate one model; return it with its history and its temperature."""
    column = list(ECG_MODELS).index(name)
    rows = balanced(validation, name)
    held_out = validation.x[rows], validation.labels[rows, column]
    model = training.initialise(ECGNet(name, "embedded"), seed)
    history = training.fit(
        model,
        pool.x,
        pool.labels[:, column],
        held_out,
        epochs=epochs[name],
        seed=seed,
        samples=max(training.BATCH, round(WINDOWS * scale)),
        weights=sampling_weights(pool, name),
        report=lambda epoch: print(f"  {name} {epoch}", flush=True),
    )
    return model, history, training.calibrate(model, *held_out)


def measure(name: str, model: ECGNet, pool: Pool) -> dict:
    """Measure one model on the patients of one split; everything in it is reproducible."""
    column = list(ECG_MODELS).index(name)
    probability, label = training.probabilities(model, pool.x), pool.labels[:, column]
    used = pool.used[:, column]
    normal = (label == 1) | (pool.kind == "NORM")
    rows = balanced(pool, name)
    fpr, tpr, _ = roc_curve(label[used], probability[used])
    kinds = {kind: probability[pool.kind == kind] for kind in dict.fromkeys(pool.kind)}
    return {
        "patients": int(used.sum()),
        "auc": roc_auc_score(label[used], probability[used]),
        "auc_against_norm": roc_auc_score(label[normal], probability[normal]),
        "calibration_error": training.calibration_error(probability[rows], label[rows]),
        "reliability": training.reliability(probability[rows], label[rows]),
        "swap": swap_test(model, pool, pool.kind[: len(pool.mask)] == name),
        "mean_probability": {kind: float(p.mean()) for kind, p in kinds.items()},
        "above_half": {kind: float((p > 0.5).mean()) for kind, p in kinds.items()},
        "roc": np.interp(np.linspace(0, 1, 101), fpr, tpr).tolist(),
    }


def swap_test(model: ECGNet, pool: Pool, chosen: np.ndarray) -> dict:
    """Swap samples of detected patients for their counterfactual's; return how often the decision turns.

    ``cause`` swaps the causal mask's samples of the model's input, ``elsewhere`` as many others (:func:`elsewhere`).
    """
    half = len(pool.mask)
    rows = np.flatnonzero(chosen)
    rows = rows[training.probabilities(model, pool.x[rows]) > 0.5]
    if not len(rows):
        return {"patients": 0}
    rng = np.random.default_rng(0)
    masks = {
        "cause": pool.mask[rows],
        "elsewhere": np.stack([training.elsewhere(mask, rng) for mask in pool.mask[rows]]),
    }
    turned = {
        key: float((training.probabilities(model, np.where(m, pool.x[half + rows], pool.x[rows])) < 0.5).mean())
        for key, m in masks.items()
    }
    return {"patients": len(rows), **turned}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", choices=ECG_MODELS, nargs="+", default=list(ECG_MODELS), help="models to train")
    parser.add_argument("--out", type=Path, default=ASSETS / "ecg_models", help="folder of the weights and report.json")
    parser.add_argument("--reports", type=Path, default=REPORTS, help="folder of the figures")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the patients and windows: 0.05 for a trial")
    parser.add_argument("--threads", type=int, default=1, help="more are faster, and add up in another order")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    started = time.monotonic()
    fingerprint = simulator_fingerprint()
    print(f"simulator {fingerprint}: simulating patients", flush=True)
    pool, validation, test = (simulate_pool(split, options.scale) for split in SPLITS)
    path = options.out / "report.json"
    report = json.loads(path.read_text()) if path.exists() else {"models": {}}
    trained = {}
    for name in options.only:
        model, history, temperature = train(name, pool, validation, options.scale)
        measured, trained[name] = measure(name, model, test), model
        save_safetensors(
            model,
            options.out / f"{name}.safetensors",
            pathology=name,
            simulator=fingerprint,
            temperature=f"{temperature:.3f}",
            test_auc=f"{measured['auc']:.4f}",
        )
        report["models"][name] = {
            "simulator": fingerprint,
            "temperature": temperature,
            "history": [asdict(epoch) for epoch in history],
            "test": measured,
            "real": on_real(name, model),
        }
        print(f"{name}: AUC {measured['auc']:.4f}, calibration error {measured['calibration_error']:.4f}", flush=True)
    if set(trained) == set(ECG_MODELS):
        report["generated_with_any_alarm"] = any_alarm(trained.values())
    report["made_with"] = {"torch": torch.__version__, "numpy": np.__version__, "machine": platform.machine()}
    report["patients"] = {split: len(p.mask) for split, p in zip(SPLITS, (pool, validation, test), strict=True)}
    path.write_text(json.dumps(rounded(report), indent=1) + "\n")
    draw_report(report, options.reports)
    print(f"{(time.monotonic() - started) / 60:.0f} minutes; report in {path}, figures in {options.reports}")


def rounded(value):
    """Round every number in nested lists and dictionaries to four decimals."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
