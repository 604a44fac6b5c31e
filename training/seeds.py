"""Train more networks of every pathology, from other seeds: ``python training/seeds.py FOLDER``.

What a benchmark finds on one network may be that network's. For ``benchmarks/ground_truth.py --seeds FOLDER`` this
trains others of the same architecture: other patients, other first weights, another order of the batches, everything
else as ``ecg_models.py`` does, on a smaller budget (below), so that each seed takes six minutes on one core. What
they reach is written to ``seeds.json`` beside this file; the weights (4 MB) are not part of the repository.

A network that is in the folder already is not trained again.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from sklearn.metrics import roc_auc_score

from ecg_models import Pool, simulate_pool, train
from fingerprint import simulator_fingerprint
from leadwise import training
from leadwise.networks.ecg_net import ECGNet
from leadwise.networks.weights import ECG_MODELS, load_safetensors, save_safetensors

EPOCHS = {"AVB": 7, "ISCH": 3, "LBBB": 2, "RBBB": 2}
SCALE = 0.5
"""Share of the patients of ``ecg_models.py``."""
WINDOWS = 5 / 6
"""Share of the windows an epoch."""


def measured(name: str, model: ECGNet, test: Pool) -> dict[str, float]:
    """Return the area under the ROC curve on patients that no training saw, and how many patients are recognised."""
    column = list(ECG_MODELS).index(name)
    label, used = test.labels[:, column], test.used[:, column]
    probability = training.probabilities(model, test.x)
    return {
        "auc": round(float(roc_auc_score(label[used], probability[used])), 4),
        "above_half": round(float((probability[label == 1] > 0.5).mean()), 4),
        "above_half_without": round(float((probability[(label == 0) & used] > 0.5).mean()), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4], help="0 is that of the embedded models")
    parser.add_argument("--report", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    fingerprint, validation, test = (
        simulator_fingerprint(),
        simulate_pool("validation", SCALE),
        simulate_pool("test", SCALE),
    )
    report = {"budget": {"epochs": EPOCHS, "patients": SCALE, "windows": round(WINDOWS, 3)}, "networks": {}}
    for seed in options.seeds:
        folder, pool = options.folder / f"seed{seed}", None
        folder.mkdir(parents=True, exist_ok=True)
        for name in ECG_MODELS:
            path = folder / f"{name}.safetensors"
            if path.exists():
                model = ECGNet(name, "embedded")
                load_safetensors(model, path)
            else:
                start = time.process_time()
                pool = pool or simulate_pool("train", SCALE, later=1000 * seed)
                model, *_ = train(name, pool, validation, WINDOWS, seed=seed, epochs=EPOCHS)
                save_safetensors(model, path, pathology=name, simulator=fingerprint, seed=str(seed))
                print(f"{path}: {(time.process_time() - start) / 60:.1f} minutes", flush=True)
            report["networks"].setdefault(f"seed{seed}", {})[name] = measured(name, model.eval(), test)
            options.report.write_text(json.dumps(report, indent=1) + "\n")
            print(report["networks"][f"seed{seed}"][name], flush=True)


if __name__ == "__main__":
    main()
