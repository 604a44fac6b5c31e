"""Which methods find the cause? Every method where the cause is known: simulated patients, and scenes.

    python benchmarks/ground_truth.py                          everything: writes ground_truth.csv and .json beside it
    python benchmarks/ground_truth.py --patients 8 --scenes 8 --out /tmp/trial.csv     a trial

Patients are new ones of the four pathologies that the model recognises; the mask says which samples carry the
condition. Scenes have one object each; the mask is the object. Explained is the logit of the true class. Each method
runs with its defaults (for the slow ones with fewer samples, see QUICK), and with the best of a few other settings (see
SWEEPS), which is chosen on other patients and scenes than the ones it is measured on. The methods of the family
perturbation, of which one map costs hundreds of passes, run with one setting.

Columns: data, model, cause, method, setting ("default" or "best"), parameters, n; area (share that the mask covers,
which a map without information reaches), mass, rank, pointing, auprc with 95 % bootstrap intervals over patients;
deletion (area under the curve of the probability while the most relevant segments are replaced by those of the same
patient without the condition, or by a blurred scene: low is good) and sanity (1 - similarity of the map to that of the
network with random weights: high is good), both on the first few; ms of processor time per map, and the same as
multiples of a plain gradient's (both noisy). No method is left out.
"""

import argparse
import csv
import json
import os
import platform
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from leadwise import METHODS, attribute, load_ecg_model
from leadwise.ecg.filters import PUBLISHED_FS, preprocess
from leadwise.evaluation import bootstrap, deletion, localise, weight_randomisation
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import load_alexnet
from leadwise.networks.alexnet import preprocess as preprocess_image
from leadwise.networks.weights import ECG_MODELS
from leadwise.paths import data_dir
from leadwise.simulation.simulate import simulate_batch
from scene_localisation import QUICK as QUICK_IMAGES

MEASURES = ("mass", "rank", "pointing", "auprc")
SEEDS = {"test": 5_000_000, "tune": 5_500_000}  # nothing was trained, and nothing else is tested, on these
TUNE, DELETED = 10, 25  # patients (scenes) for choosing settings, for deletion curves
RANDOMISED = {"perturbation": 1}  # for sanity, else 4: each costs as many maps as the network has layers
BATCH, WINDOW = 10, 2000

# Fewer samples than the defaults, so that the whole takes minutes.
QUICK = {
    "smoothgrad": {"samples": 12},
    "smoothgrad_x_input": {"samples": 12},
    "smoothgrad_x_sign": {"samples": 12},
    "vargrad": {"samples": 12},
    "integrated_gradients": {"steps": 20},
    "expected_gradients": {"samples": 16},
    "deepshap": {"samples": 4},
    "occlusion": {"stride": 100},
    "kernel_shap": {"samples": 200},
    "lime": {"samples": 200},
    "rise": {"samples": 200},
}

_NOISES = [{"noise": level} for level in (0.02, 0.05, 0.2)]
_RULES = [{"input_rule": rule} for rule in ("sign", "zbox", "flat", "wsquare")]
SWEEPS = {
    "gradient_x_sign": [{"mu": mu} for mu in (-0.05, 0.02, 0.05)],
    "smoothgrad": _NOISES,
    "smoothgrad_x_input": _NOISES,
    "smoothgrad_x_sign": _NOISES,
    "vargrad": _NOISES,
    "integrated_gradients": [{"baseline": "mean"}, {"baseline": "noise"}],
    "expected_gradients": [{"background": "shifts"}],
    "deeplift": [{"baseline": "mean"}, {"baseline": "noise"}],
    "deepshap": [{"background": "shifts"}],
    "lrp_epsilon": [{"epsilon": value} for value in (0.001, 0.01, 1.0)],
    "lrp_epsilon_std_x": [{"factor": value} for value in (0.1, 0.5, 1.0)]
    + [{"factor": 1.0, "input_rule": rule} for rule in ("sign", "zbox")],
    "lrp_gamma": [{"gamma": value} for value in (0.1, 0.5, 1.0)] + [{"gamma": 0.5, "input_rule": "sign"}],
    "lrp_alpha_beta": [{"alpha": 2.0}],
}
SWEEPS_IMAGES = SWEEPS | {
    "gradient_x_sign": [{"mu": mu} for mu in (-1.0, -0.5, 0.5)],
}


# Data ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Cases:
    """Inputs whose cause is known: x (N, ...), masks (N, 12, T) or (N, H, W), classes (N,), and x without the cause."""

    model: torch.nn.Module
    x: torch.Tensor
    mask: np.ndarray
    target: torch.Tensor
    without: torch.Tensor | None = None

    def first(self, n: int) -> "Cases":
        """Return the first n."""
        without = None if self.without is None else self.without[:n]
        return Cases(self.model, self.x[:n], self.mask[:n], self.target[:n], without)


@lru_cache(maxsize=16)
def patients(weights: str, condition: str, split: str, count: int) -> Cases:
    """Return the first patients with the condition that the model recognises (p > 0.5), preprocessed windows of 4 s."""
    model = load_ecg_model(condition, weights)
    parts, found, seed = [], 0, SEEDS[split]
    while found < count:
        batch = simulate_batch(condition, range(seed, seed + count))
        x, without = (preprocess(ecgs, PUBLISHED_FS)[:, :, :WINDOW] for ecgs in (batch.signal, batch.counterfactual))
        x, without = torch.from_numpy(x.astype(np.float32)), torch.from_numpy(without.astype(np.float32))
        with torch.inference_mode():
            seen = model.probability(x) > 0.5
        if not seen.any():
            raise RuntimeError(f"the {weights} {condition} model recognises none of {count} simulated patients.")
        parts.append((x[seen], batch.causal_mask[:, :, :WINDOW][seen.numpy()], without[seen]))
        found, seed = found + int(seen.sum()), seed + count
    x, mask, without = zip(*parts, strict=True)
    x, mask, without = torch.cat(x)[:count], np.concatenate(mask)[:count], torch.cat(without)[:count]
    return Cases(model, x, mask, torch.ones(count, dtype=torch.long), without)


@lru_cache(maxsize=2)
def scenes(split: str, count: int) -> Cases:
    """Return scenes with one object each."""
    made = [make_scene(SEEDS[split] + i, objects=1) for i in range(count)]
    return Cases(
        model=load_alexnet("embedded"),
        x=torch.stack([preprocess_image(scene.image) for scene in made]),
        mask=np.stack([scene.objects[0].mask for scene in made]),
        target=torch.tensor([scene.objects[0].index for scene in made]),
    )


def cases(data: str, weights: str, cause: str, split: str, count: int) -> Cases:
    """Return the cases of one kind."""
    return scenes(split, count) if data == "scenes" else patients(weights, cause, split, count)


# One method ---------------------------------------------------------------------------------------------------------


def explain(known: Cases, method: str, parameters: dict) -> torch.Tensor:
    """Return the maps of all cases, shaped like x."""
    parts = zip(known.x.split(BATCH), known.target.split(BATCH), strict=True)
    return torch.cat([attribute(known.model, x, method, t, progress=False, **parameters) for x, t in parts])


def choose(method: str, data: str, weights: str, causes, quick: dict) -> dict:
    """Return the setting with the largest mass in multiples of the area, over all causes, on the tuning cases."""
    sweeps = (SWEEPS_IMAGES if data == "scenes" else SWEEPS).get(method, [])
    if METHODS[method].family == "LRP":
        sweeps = sweeps + _RULES
    if method in ("grad_cam", "grad_cam_pp", "hirescam", "guided_grad_cam"):
        layers = ("features.4", "features.9") if data == "scenes" else ("block3.elu", "block4.elu")
        sweeps = [{"layer": name} for name in layers]

    def lift(parameters: dict) -> float:
        lifts = []
        for cause in causes:
            known = cases(data, weights, cause, "tune", TUNE)
            found = localise(explain(known, method, parameters), known.mask)
            lifts.append(np.nanmean(found["mass"]) / found["area"].mean())
        return float(np.mean(lifts))

    return max([quick] + [quick | sweep for sweep in sweeps], key=lift)


def measure(known: Cases, method: str, parameters: dict) -> tuple[dict, np.ndarray]:
    """Return one row of the table, and the mass of each case."""
    start = time.process_time()
    maps = explain(known, method, parameters)
    spent = 1000 * (time.process_time() - start) / len(maps)
    found = localise(maps, known.mask)
    row = {"n": len(maps), "area": found["area"].mean()}
    for name in MEASURES:
        estimate = bootstrap(found[name])
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    few, some = known.first(DELETED), known.first(RANDOMISED.get(METHODS[method].family, 4))
    how = (
        {"replacement": "blur"} if few.without is None else {"replacement": "counterfactual", "reference": few.without}
    )
    curve = deletion(few.model, few.x, maps[: len(few.x)], few.target, score="probability", progress=False, **how)
    options = {key: value for key, value in parameters.items() if key != "seed"}
    checked = weight_randomisation(some.model, some.x, method, some.target, progress=False, **options)
    row |= {"deletion": curve.auc.mean(), "sanity": checked.sanity_score, "ms": spent}
    return row, found["mass"]


def run(task: tuple) -> list[tuple[dict, np.ndarray]]:
    """Measure one method on all causes of one kind of data, with its default and its best setting."""
    method, data, weights, causes, count = task
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    quick = (QUICK_IMAGES if data == "scenes" else QUICK).get(method, {})
    best = choose(method, data, weights, causes, quick)
    settings = {"default": quick} if best == quick else {"default": quick, "best": best}
    out = []
    for (setting, parameters), cause in product(settings.items(), causes):
        row, mass = measure(cases(data, weights, cause, "test", count), method, parameters)
        written = " ".join(f"{key}={value}" for key, value in parameters.items())
        key = {"data": data, "model": weights, "cause": cause, "method": method, "setting": setting}
        out.append((key | {"parameters": written} | row, mass))
    return out


# All of them --------------------------------------------------------------------------------------------------------


def summary(measured: list[tuple[dict, np.ndarray]]) -> dict:
    """Return what the acceptance asks: the best method of each cause, and whether two halves rank the methods alike."""
    out = {}
    for group in dict.fromkeys((row["data"], row["model"], row["cause"]) for row, _ in measured):
        rows = [(row, mass) for row, mass in measured if (row["data"], row["model"], row["cause"]) == group]
        halves = np.array([[np.nanmean(mass[half::2]) for half in (0, 1)] for _, mass in rows])
        best = max((row for row, _ in rows), key=lambda row: row["mass"])
        out[" ".join(group).strip()] = {
            "area": best["area"],
            "best method": f"{best['method']} {best['parameters']}".strip(),
            "its mass": best["mass"],
            "times the area": best["mass"] / best["area"],
            "rank correlation of two halves": float(spearmanr(*halves.T).statistic),
        }
    return out


def relative_to_gradient(rows: list[dict]) -> None:
    """Add the column ``x_gradient``: processor time in multiples of the plain gradient's on the same data."""
    plain = {(r["data"], r["model"], r["cause"]): r["ms"] for r in rows if r["method"] == "gradient"}
    for row in rows:
        base = plain.get((row["data"], row["model"], row["cause"]))
        row["x_gradient"] = row["ms"] / base if base else float("nan")


def tasks(options) -> list[tuple]:
    """Return one task for each method and kind of data, the slow ones first."""
    kinds = [("ECG", weights, tuple(options.causes), options.patients) for weights in options.weights]
    kinds += [("scenes", "embedded", ("object",), options.scenes)] if options.scenes else []
    slow = {"perturbation": 0, "gradient": 1}
    methods = sorted(options.methods, key=lambda name: slow.get(METHODS[name].family, 2))
    return [(method, *kind) for method in methods for kind in kinds]


def main() -> None:
    """Run the benchmark and save its table; print the summary."""
    there = ["embedded"] + ["published"] * (data_dir() / "ecg_models" / "LBBB" / "weights.h5").exists()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=100, help="of each pathology")
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--causes", nargs="+", default=list(ECG_MODELS), choices=list(ECG_MODELS))
    parser.add_argument("--weights", nargs="+", default=there, choices=("embedded", "published"))
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".csv"))
    options = parser.parse_args()
    start, todo, measured = time.monotonic(), tasks(options), []
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        for done, (task, rows) in enumerate(zip(todo, pool.map(run, todo), strict=True), 1):
            measured += rows
            mass = " ".join(f"{row['mass']:.2f}" for row, _ in rows if row["setting"] == "default")
            minutes = (time.monotonic() - start) / 60
            print(
                f"{done:3d}/{len(todo)} {minutes:5.1f} min  {task[0]:30s}{task[1]:7s}{task[2]:10s} {mass}", flush=True
            )
    rows = [row for row, _ in measured]
    relative_to_gradient(rows)
    write(options.out, rows, summary(measured), (time.monotonic() - start) / 60, options.workers)


def write(path: Path, rows: list[dict], found: dict, minutes: float, workers: int) -> None:
    """Save the table as CSV and the summary as JSON beside it."""
    order = {name: i for i, name in enumerate(METHODS)}
    rows.sort(key=lambda r: (r["data"], r["model"], r["cause"], order[r["method"]], r["setting"] == "best"))
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    facts = {"minutes": round(minutes, 1), "processes": workers, "torch": torch.__version__}
    facts |= {"machine": platform.machine(), "first seeds": SEEDS, "summary": found}
    text = json.dumps(facts, indent=1, default=float)
    path.with_suffix(".json").write_text(text + "\n")
    print(json.dumps(found, indent=1, default=float))


if __name__ == "__main__":
    main()
