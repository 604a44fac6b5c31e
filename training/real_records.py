"""How the embedded networks do on recordings that no simulator made: real ones, and generated ones.

    python training/real_records.py            prints, for the networks as they are, what ``report.json`` says of them

Real recordings are PTB-XL's, Georgia's and Chapman's, read from ``../shared/reference`` (or ``LEADWISE_REFERENCE``)
where it is present; their answer is the header's code. Generated ones come from deepfake-ecg (``pip install
deepfake-ecg``, MIT; V. Thambawita et al., Scientific Reports 11 (2021) 21896, doi:10.1038/s41598-021-01295-2), trained
on real healthy ECGs. Neither is trained on here. What is absent is left out of the report.
"""

import json
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from leadwise import load_ecg, training
from leadwise.ecg.filters import PUBLISHED_FS, preprocess
from leadwise.networks.ecg_net import ECGNet
from leadwise.networks.weights import ECG_MODELS, convert_keras, load_ecg_model
from leadwise.recordings.catalogue import CODES, SINUS_CODE
from leadwise.simulation.heart_vector import twelve_leads

REFERENCE = Path(os.environ.get("LEADWISE_REFERENCE", Path(__file__).parents[2] / "shared" / "reference"))

RATES = {"427084000", "426177001", "427393009"}  # SNOMED: sinus tachycardia, bradycardia, arrhythmia
RECOVERED = {"AVB": "ptbxl_03509", "LBBB": "ptbxl_14493"}
GENERATED, SEED = 200, 1


@cache
def real_records() -> dict[str, tuple[np.ndarray, set[str]]]:
    """Return record name -> (signal (12, 2000), mV, after the published filters; its codes)."""
    found = {}
    for header in sorted((REFERENCE / "ecg" / "cinc2021").glob("*.hea")):
        ecg = load_ecg(header)
        codes = set(ecg.metadata["dx"].split(","))
        found[header.stem] = ecg.preprocess().window(0, training.WINDOW).signal, codes
    for name, stem in RECOVERED.items():
        path = REFERENCE / "ecg" / f"{stem}_preprocessed.npy"
        if path.exists():
            found[stem] = np.load(path).T.astype(np.float32), set(CODES[name])
    return found


@cache
def generated_signals() -> np.ndarray | None:
    """Return healthy generated recordings (N, 12, 3000), mV, 500 Hz, unfiltered; None without deepfake-ecg.

    The generator makes 10 s of eight leads in units of 1/6 mV; its first and last two seconds are distorted, and are
    cut.
    """
    try:
        from deepfakeecg import Generator
        from deepfakeecg import __file__ as package
    except ImportError:
        return None
    generator = Generator()
    state = torch.load(Path(package).parent / "checkpoints" / "g_stat.pt", map_location="cpu", weights_only=True)
    generator.load_state_dict(state["stat_dict"])
    generator.eval()
    draws = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        noise = (torch.rand(1, 8, 5000, generator=draws) * 2 - 1 for _ in range(GENERATED))
        eight = np.stack([(6 * generator(one))[0, :, 1000:4000].numpy() for one in noise])
    return twelve_leads(eight).astype(np.float32)


@cache
def generated() -> np.ndarray | None:
    """Return the generated recordings as the networks take them, (N, 12, 2000), mV, after the published filters."""
    signals = generated_signals()
    if signals is None:
        return None
    return preprocess(signals, PUBLISHED_FS)[:, :, : training.WINDOW].astype(np.float32)


@cache
def published(name: str) -> ECGNet | None:
    """Return the published network, None where it is not present."""
    folder = REFERENCE / "models" / name
    return convert_keras(folder / "model.json", folder / "weights.h5").eval() if folder.exists() else None


def sinus(codes: set[str]) -> bool:
    """Return whether a recording's header names a sinus rhythm and, at most, its rate."""
    return SINUS_CODE in codes and codes <= {SINUS_CODE, *RATES}


def on_real(name: str, model: ECGNet) -> dict:
    """Return what one network says of real and generated recordings, beside their codes and the published network."""
    found: dict = {}
    if records := real_records():
        said = {stem: float(training.probabilities(model, x[None])[0]) for stem, (x, _) in records.items()}
        ill = [stem for stem, (_, codes) in records.items() if codes & set(CODES[name])]
        healthy = [stem for stem, (_, codes) in records.items() if sinus(codes)]
        found |= {
            "records": len(ill),
            "right": sum(said[stem] > 0.5 for stem in ill),
            "of_sinus": len(healthy),
            "false_alarms": sum(said[stem] > 0.5 for stem in healthy),
        }
    if (healthy := generated()) is not None:
        alarms = training.probabilities(model, healthy) > 0.5
        found |= {"generated": len(healthy), "generated_alarms": int(alarms.sum())}
    if (other := published(name)) is not None:
        found |= agreement(model, other)
    return found


def agreement(model: ECGNet, other: ECGNet) -> dict:
    """Return how well a network orders recordings by what another one calls ill: the area under its ROC curve."""
    parts = [x[None] for x, _ in real_records().values()] + [x for x in [generated()] if x is not None]
    x = np.concatenate(parts)
    calls = training.probabilities(other, x) > 0.5
    if calls.all() or not calls.any():
        return {}
    return {
        "auc_against_published": float(roc_auc_score(calls, training.probabilities(model, x))),
        "published_calls_ill": int(calls.sum()),
        "compared": len(x),
    }


def any_alarm(models: Iterable[ECGNet]) -> float | None:
    """Return the share of healthy generated recordings that at least one network calls ill."""
    if (healthy := generated()) is None:
        return None
    return float(np.mean(np.any([training.probabilities(model, healthy) > 0.5 for model in models], axis=0)))


if __name__ == "__main__":
    networks = {name: load_ecg_model(name, "embedded", verbose=False) for name in ECG_MODELS}
    print(json.dumps({name: on_real(name, model) for name, model in networks.items()}, indent=1))
    print("healthy generated recordings with any alarm:", any_alarm(networks.values()))
