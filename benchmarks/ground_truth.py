"""Which maps show what changes a network's answer? Every method where both are known: simulated patients, and scenes.

    python benchmarks/ground_truth.py                          everything: writes ground_truth.csv and .json beside it
    python benchmarks/ground_truth.py --patients 4 --scenes 4 --out /tmp/trial.csv     a trial
    python benchmarks/ground_truth.py --plain                  interventions and localisation alone, nothing tuned
    python benchmarks/ground_truth.py --seeds FOLDER           also networks trained from other seeds, which lie as
                                                               FOLDER/NAME/AVB.safetensors, for any number of NAMEs,
                                                               of all causes or some (training/seeds.py makes them)
    python benchmarks/ground_truth.py --networks NAME FOLDER   other architectures: names of NETWORKS, and folders of
                                                               ``Network.save``, whose criteria name the causes

Target. Of each patient there is a twin without the condition. Groups of waves are exchanged with the twin's, in all
leads together, and the change of the network's log-odds is shared out by Shapley's value: that is what each part does
to the answer (``leadwise.semantics.interventions``). Of each scene with two objects there is the same scene without
them; its parts are the explained object, the other one (which speaks against it), and the rest, such as shadows.
A method explains the same difference (``contrast``: a method that takes a reference gets the twin, of others it is the
ill minus the twin's map), and is scored by ``misplaced``: the share of it that lies in other parts than the effect
does, or has the other sign. 0 is right, 1 entirely wrong.

Beside it stand the usual measures, of the map of the patient or scene alone: localisation on what differs from the
twin, or on the explained object, whether more lies there than on the other object, deletion, ROAD, sanity checks;
magnitudes count where ``METHODS`` says that a method's sign is no evidence. The last table of the JSON asks which of
these measures agrees with the interventions. Controls, which ask no network, are rows like all others.

Settings. "default" is the registry's default; "quick" is the default with fewer samples, for methods of which one map
costs hundreds of passes; "tuned" is the best of at most ``BUDGET`` settings, chosen for each cause on other patients.

``ground_truth.csv`` holds interventions and localisation (``--plain``) of all networks: five a cause, the published
ones, two other architectures. ``ground_truth_full.csv`` holds every measure for the embedded networks (``--networks
--scenes 0 --patients 12 --weights embedded``), and its JSON the table of which measure agrees with the interventions.

Each task's numbers are kept in a folder beside the table, patient by patient, and a run that was stopped goes on from
there. Intervals are Student's, over patients; of several networks, ``networks`` in the JSON gives them over networks.

Related work: Gumpfer et al. 2026 (Beyond local inspection; coverage of guideline segments, with input and random
baselines, on the published four networks; github.com/nilsgumpfer/globalxaiecg, which names no DOI), InterpretTime
(Turbé et al. 2023, doi:10.1038/s42256-023-00620-w), Wagner et al. 2024 (Explaining deep learning for ECG analysis,
doi:10.48550/arXiv.2305.17043), TIMING (Jang, Kim, Yang, ICML 2025, PMLR 267:26877-26895, arXiv:2506.05035).
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
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from leadwise import METHODS, NETWORKS, Network, attribute, load_ecg_model
from leadwise.ecg.leads import LEADS
from leadwise.evaluation import (
    deletion,
    difference_mask,
    efficient_randomisation,
    graded_mask,
    graded_mass,
    localise,
    normalised_lift,
    paired_differences,
    road,
    student,
    weight_randomisation,
)
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import load_alexnet
from leadwise.networks.alexnet import preprocess as preprocess_image
from leadwise.networks.ecg_net import ECGNet
from leadwise.networks.network import network_of
from leadwise.networks.weights import ECG_MODELS, load_safetensors
from leadwise.paths import data_dir, whole_file
from leadwise.semantics import Parts, contrast, interventions, misplaced, parts_of, parts_of_masks
from leadwise.simulation.simulate import simulate_ecg
from scene_localisation import QUICK as QUICK_IMAGES

FIRST = {"test": 5_000_000, "tune": 5_500_000}  # nothing was trained, and nothing else is tested, on these
TUNE, DELETED, RANDOMISED, BUDGET = 6, 8, 2, 4

SCHEMA = {
    "data": "ECG or scenes",
    "model": "embedded, published, the name of a network trained from another seed, or of one of NETWORKS",
    "architecture": "its class; intervals over networks are of the course's own, ECGNet",
    "cause": "condition of the patients, or object: one of two, each in turn",
    "method": "key of METHODS",
    "family": "of METHODS; control asks no network",
    "setting": "default (the registry's), quick (fewer samples) or tuned (best of a few, on other patients)",
    "parameters": "those that are not default; or why the method refuses the network, whose numbers then are empty",
    "n": "patients, or scenes of which it names both objects first, that the network recognises",
    "misplaced": "share of the map in other parts than the effect, or of the other sign: 0 right, 1 wrong; mean",
    "misplaced_low": "Student's 95 % interval over patients, lower end",
    "misplaced_high": "upper end",
    "pooled": "misplaced, of the sums over all patients",
    "mass": "share of the relevance on what makes the label (mask of the simulator, or object)",
    "area": "share of the samples there: what white noise reaches",
    "lift": "(mass - area) / (1 - area)",
    "lift_low": "Student's 95 % interval over patients, lower end",
    "lift_high": "upper end",
    "right": "share of scenes with more relevance on the explained object than on the other; by chance a half",
    "lift_input": "the same on where the network's input differs from the twin's by more than 0.02 mV",
    "lift_graded": "the same where each sample counts as far as it differs (wholly from 0.1 mV)",
    "deletion": "area under the probability while the twin comes in, below a random order's",
    "road": "the same, filled from what is left",
    "sanity": "1 - |rank correlation| with maps of randomised networks, signs included",
    "sanity_absolute": "the same of magnitudes",
    "complexity_rise": "eMPRT: above 0 where maps of a random network are more complex",
    "ms": "processor time of one map",
}  # fmt: skip
"""Column of the table -> what it holds; empty where a measure has no meaning or was not taken."""

SEEDS = Path(__file__).parents[1] / "training" / "seeds.json"
"""On which budget ``training/seeds.py`` trained the networks of other seeds, and what they reach."""

MORE_IS_BETTER = ("lift", "right", "lift_input", "lift_graded", "deletion", "road", "sanity", "complexity_rise")

QUICK = {
    "integrated_gradients": {"steps": 24},
    "smoothgrad": {"samples": 12},
    "smoothgrad_x_input": {"samples": 12},
    "smoothgrad_x_sign": {"samples": 12},
    "vargrad": {"samples": 12},
    "expected_gradients": {"samples": 24},
    "deepshap": {"samples": 4},
    "occlusion": {"stride": 100},
    "kernel_shap": {"samples": 200},
    "lime": {"samples": 200},
    "rise": {"samples": 200},
}
NOISES = [{"noise": level} for level in (0.02, 0.05, 0.2)]
RULES = [{"input_rule": rule} for rule in ("sign", "zbox", "flat")]
CAMS = [{"layer": layer} for layer in ("block3.elu", "block4.elu")]
SWEEPS = {
    **dict.fromkeys(("smoothgrad", "smoothgrad_x_input", "smoothgrad_x_sign", "vargrad"), NOISES),
    **dict.fromkeys(("grad_cam", "grad_cam_pp", "hirescam", "guided_grad_cam"), CAMS),
    "gradient_x_sign": [{"mu": mu} for mu in (-0.05, 0.02, 0.05)],
    "lrp_epsilon": [{"epsilon": value} for value in (0.001, 0.01, 1.0)],
    "lrp_epsilon_std_x": [{"factor": value} for value in (0.1, 0.5, 1.0)],
    "lrp_gamma": [{"gamma": value} for value in (0.1, 0.5, 1.0)],
    "lrp_alpha_beta": [{"alpha": 2.0}, *RULES[:2]],
    "smoothed_steepness": [{"width": width} for width in (20, 100, 200)],
}
"""At most BUDGET - 1 other settings than the default; LRP rules without a parameter of their own get first layers."""


# Data ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Cases:
    """Inputs whose truth is known; ``other`` masks the other object of scenes, None of patients."""

    model: torch.nn.Module | Network
    x: torch.Tensor
    twin: torch.Tensor
    mask: np.ndarray
    target: torch.Tensor
    parts: Parts
    effects: np.ndarray
    other: np.ndarray | None = None


def network(cause: str, name: str, source: str | None) -> Network:
    """Return a network by its name among ``tasks``; recordings lie in it as (leads, samples), whatever its layout."""
    if source is None:
        net = network_of(load_ecg_model(cause, name, verbose=False))
    elif (Path(source) / name / f"{cause}.safetensors").exists():
        model = ECGNet(cause, name)
        load_safetensors(model, Path(source) / name / f"{cause}.safetensors")
        net = network_of(model.eval())
    else:
        net = NETWORKS[source] if source in NETWORKS else Network.load(source)
    return net.leads_first()


def class_of(net: Network, cause: str) -> int:
    """Return the index of the class of a network that is this cause; -1 where it has none."""
    wanted = [i for i, name in enumerate(net.classes or ()) if (net.criteria or {}).get(name) == cause]
    return wanted[0] if wanted else -1


@lru_cache(maxsize=12)
def patients(name: str, source: str | None, cause: str, split: str, count: int) -> Cases:
    """Return the first patients that the network recognises (p > 0.5), as its first window, with their effects."""
    net, found, tried = network(cause, name, source), [], 0
    target = class_of(net, cause)
    while len(found) < count:
        if tried >= 20 * count:
            raise RuntimeError(f"the {name} {cause} network recognises too few of {tried} patients.")
        ill = simulate_ecg(cause, FIRST[split] + tried)
        x = net.input(ill)
        if net.probability(x)[0, target] > 0.5:
            seen = ill.resample(net.fs).window(0, x.shape[-1])
            mask = seen.causal_mask[[LEADS.index(lead) for lead in net.leads]]
            waves = [wave for wave in seen.waves if wave.lead is None]
            found.append((x[0], net.input(ill.counterfactual)[0], mask, waves))
        tried += 1
    x, twin, mask, waves = zip(*found, strict=True)
    x, twin = torch.stack(x), torch.stack(twin)
    parts = parts_of(waves, x.shape[-1], fs=net.fs, rows=net.leads)
    effects = interventions(net, x, twin, parts, target, progress=False).shapley
    return Cases(net, x, twin, np.stack(mask), torch.full((count,), target), parts, effects)


@lru_cache(maxsize=1)
def scenes(count: int) -> Cases:
    """Return the first scenes with two objects that the network both names first; every second explains the front."""
    model, rows, seed = load_alexnet("embedded", verbose=False), [], FIRST["test"]
    while len(rows) < count:
        scene = make_scene(seed, objects=2)
        twin = make_scene(seed, objects=2, without=scene.labels)
        x, background = preprocess_image(scene.image), preprocess_image(twin.image)
        with torch.inference_mode():
            named = model(x[None])[0].topk(2).indices.tolist()
        if set(named) == {thing.index for thing in scene.objects}:
            explained, other = scene.objects[:: 1 - 2 * (len(rows) % 2)]
            rows.append((x, background, explained.mask, other.mask, explained.index))
        seed += 1
    x, twin, mask, other, target = zip(*rows, strict=True)
    x, twin, target = torch.stack(x), torch.stack(twin), torch.tensor(target)
    mask, other = np.stack(mask), np.stack(other)
    parts = parts_of_masks({"explained object": mask, "other object": other})
    effects = interventions(model, x, twin, parts, target, progress=False).shapley
    return Cases(model, x, twin, mask, target, parts, effects, other)


# One method ---------------------------------------------------------------------------------------------------------


def settings_of(method: str, images: bool) -> tuple[str, dict, list[dict]]:
    """Return the name of the plain setting, its parameters, and the others that may be tried."""
    plain = (QUICK_IMAGES if images else QUICK).get(method, {})
    if images or METHODS[method].family == "perturbation":
        return "quick" if plain else "default", plain, []
    fallback = RULES if METHODS[method].family == "LRP" else []
    return "quick" if plain else "default", plain, SWEEPS.get(method, fallback)[: BUDGET - 1]


def placed(known: Cases, method: str, parameters: dict) -> tuple[np.ndarray, float]:
    """Return how much of each patient's map is misplaced, and of all together."""
    asked = known.model, known.x, known.twin, method, known.target
    sums = known.parts.sums(contrast(*asked, progress=False, **parameters))
    return misplaced(sums, known.effects), float(misplaced(sums.sum(0), known.effects.sum(0)))


def maps_of(known: Cases, method: str, parameters: dict) -> tuple[torch.Tensor, float]:
    """Return the maps of the log-odds and the ms that one took."""
    start = time.process_time()
    parts = zip(known.x.split(8), known.target.split(8), strict=True)
    maps = [attribute(known.model, x, method, t, explain="log-odds", progress=False, **parameters) for x, t in parts]
    return torch.cat(maps), 1000 * (time.process_time() - start) / len(known.x)


def localisation(known: Cases, maps: torch.Tensor, ranks: str) -> dict[str, np.ndarray]:
    """Return mass, area and lift on every mask, a number for each case."""
    found = localise(maps, known.mask, ranks)
    out = {"mass": found["mass"], "area": found["area"], "lift": found["normalised_lift"]}
    if known.other is not None:
        out["right"] = found["mass"] > localise(maps, known.other, ranks)["mass"]
    else:
        out["lift_input"] = localise(maps, difference_mask(known.x, known.twin), ranks)["normalised_lift"]
        weight, sign = graded_mask(known.x, known.twin), "positive" if ranks == "signed" else ranks
        out["lift_graded"] = normalised_lift(graded_mass(maps, weight, sign), weight.mean((1, 2)))
    return out


def faithfulness(known: Cases, maps: torch.Tensor, ranks: str) -> dict[str, np.ndarray]:
    """Return how far the areas of deletion and ROAD lie below those of a random order."""
    few = slice(None, DELETED)
    x, target, score = known.x[few], known.target[few], {"score": "probability", "steps": 10, "progress": False}
    ranked = maps[few].abs() if ranks == "absolute" else maps[few]
    how = {"replacement": "counterfactual", "reference": known.twin[few]}
    out = {}
    for name, measure in (("deletion", lambda *a, **k: deletion(*a, **how, **k)), ("road", road)):
        if name == "road" and known.other is not None:
            continue  # a linear system of 50,000 pixels at every point
        chance = measure(known.model, x, None, target, order="random", **score).auc
        out[name] = chance - measure(known.model, x, ranked, target, **score).auc
    return out


def sanity(known: Cases, method: str, parameters: dict) -> dict[str, np.ndarray]:
    """Return the sanity scores of the first cases, signed and absolute, and the rise in complexity."""
    given = {key: value for key, value in parameters.items() if key != "seed"}
    asked = (known.model, known.x[:RANDOMISED], method, known.target[:RANDOMISED])
    found = weight_randomisation(*asked, progress=False, **given)
    return {
        "sanity": 1 - np.abs(found.signed).mean(0),
        "sanity_absolute": 1 - np.abs(found.absolute).mean(0),
        "complexity_rise": efficient_randomisation(*asked, **given),
    }


def measure(known: Cases, method: str, parameters: dict, full: bool) -> dict:
    """Return one row of numbers: lists of one number a case, and single numbers."""
    row = METHODS[method]
    maps, ms = maps_of(known, method, parameters)
    found = localisation(known, maps, row.ranks)
    found["misplaced"], pooled = placed(known, method, parameters)
    if full:
        found |= faithfulness(known, maps, row.ranks)
        if row.family != "perturbation":
            found |= sanity(known, method, parameters)
    numbers = {name: [float(value) for value in values] for name, values in found.items()}
    return numbers | {"ms": ms, "pooled": pooled}


def run(task: tuple) -> list[dict]:
    """Measure one method on one network and cause, with its plain setting and the tuned one; keep it in a file."""
    method, data, name, source, cause, count, kept, plain_only = task
    path = Path(kept) / f"{data} {name} {cause} {method} {count}.json"
    if path.exists():
        return json.loads(path.read_text())
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    images = data == "scenes"
    known = scenes(count) if images else patients(name, source, cause, "test", count)
    setting, plain, others = settings_of(method, images)
    full = not plain_only and source is None
    chosen = {setting: plain}
    if others and full:
        tuning = patients(name, source, cause, "tune", TUNE)
        chosen["tuned"] = min([plain, *others], key=lambda one: float(np.nanmean(placed(tuning, method, one)[0])))
    rows, architecture = [], type(getattr(known.model, "module", known.model)).__name__
    for label, parameters in chosen.items():
        key = {
            "data": data,
            "model": name,
            "architecture": architecture,
            "cause": cause,
            "method": method,
            "family": METHODS[method].family,
        }
        said = " ".join(f"{k}={v}" for k, v in parameters.items())
        try:
            numbers = measure(known, method, parameters, full and label != "tuned")
        except ValueError as reason:  # the network has no layer, or an operation, that the method takes
            said, numbers = f"refused: {reason}", {}
        rows.append(key | {"setting": label, "parameters": said, "n": count} | numbers)
    with whole_file(path) as part:
        part.write_text(json.dumps(rows))
    return rows


# All of them --------------------------------------------------------------------------------------------------------


def line_of(row: dict) -> dict:
    """Return one line of the table: means, and intervals of the two scores."""
    line = {column: row.get(column, "") for column in SCHEMA}
    for column, values in row.items():
        if isinstance(values, list):
            line[column] = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    for score in ("misplaced", "lift"):
        if score in row:
            found = student(row[score])
            line |= {f"{score}_low": float(found.low), f"{score}_high": float(found.high)}
    return line


def groups(rows: list[dict]):
    """Yield the name of each network and cause, and its rows with the plain setting, less what was refused."""
    plain = [row for row in rows if row["setting"] != "tuned" and "misplaced" in row]
    for group in dict.fromkeys((row["data"], row["model"], row["cause"]) for row in plain):
        yield " ".join(group), [r for r in plain if (r["data"], r["model"], r["cause"]) == group]


def summary(rows: list[dict]) -> dict:
    """Return, for each network and cause, the best method and control, and how sure that is."""
    out = {}
    for name, plain in groups(rows):
        values = {row["method"]: np.array(row["misplaced"]) for row in plain}
        means = {method: float(np.nanmean(one)) for method, one in values.items() if np.isfinite(one).any()}
        best = min(means, key=means.get)
        controls = [row["method"] for row in plain if row["family"] == "control" and row["method"] in means]
        control = min(controls, key=means.get, default="")
        behind = [method for method in means if method not in controls and means[method] > means.get(control, np.inf)]
        against = paired_differences(values, against=best)
        halves = np.array([[np.nanmean(one[half::2]) for half in (0, 1)] for one in values.values()])
        out[name] = {
            "score": "misplaced",
            "best method": best,
            "its score": means[best],
            "not told apart from it (paired, Holm)": sum(not one.sure for one in against.values()),
            "best control": control,
            "its own score": means.get(control, float("nan")),
            "methods behind that control": behind,
            "rank correlation of two halves": float(spearmanr(*halves.T, nan_policy="omit").statistic),
        }
    return out


def agreement(lines: dict[str, dict]) -> dict[str, float]:
    """Return how each measure ranks the methods, beside the interventions: 1 is the same order."""
    truth, out = np.array([-line["misplaced"] for line in lines.values()]), {}
    for name in MORE_IS_BETTER:
        values = np.array([np.nan if line[name] == "" else line[name] for line in lines.values()], float)
        both = np.isfinite(values) & np.isfinite(truth)
        if both.sum() > 5:
            out[name] = float(spearmanr(values[both], truth[both]).statistic)
    return out


def by_cause(rows: list[dict]):
    """Yield each pathology with the rows of the course's architecture, trained here, in the plain setting."""
    own = [
        row for row in rows
        if row["architecture"] == "ECGNet" and row["model"] != "published" and row["setting"] != "tuned"
    ]  # fmt: skip
    for cause in dict.fromkeys(row["cause"] for row in own):
        yield cause, [row for row in own if row["cause"] == cause]


def over_networks(rows: list[dict]) -> dict:
    """Return cause -> method -> mean of misplaced with Student's interval over networks trained from several seeds."""
    out: dict = {}
    for cause, some in by_cause(rows):
        for method in dict.fromkeys(row["method"] for row in some):
            means = [np.nanmean(r["misplaced"]) for r in some if r["method"] == method]
            if len(means) > 1:
                found = student(means)
                value = [round(float(one), 4) for one in (found.value, found.low, found.high)]
                out.setdefault(cause, {})[method] = {"networks": found.samples, "misplaced": value}
    return out


def between_networks(rows: list[dict]) -> dict[str, float]:
    """Return, for each cause, how alike two networks rank the methods: the mean rank correlation over all pairs."""
    out = {}
    for cause, some in by_cause(rows):
        means = [
            {row["method"]: np.nanmean(row["misplaced"]) for row in some if row["model"] == model}
            for model in dict.fromkeys(row["model"] for row in some)
        ]
        pairs = [spearmanr(list(a.values()), [b[m] for m in a]).statistic for a, b in combinations(means, 2)]
        if pairs:
            out[cause] = round(float(np.mean(pairs)), 3)
    return out


def tasks(options) -> list[tuple]:
    """Return one task for each method, network and cause, the slow ones first."""
    kept = str(options.out.with_suffix(".parts"))
    kinds = [("ECG", name, None, cause, options.patients) for name in options.weights for cause in options.causes]
    for folder in sorted(options.seeds.iterdir()) if options.seeds else ():
        there = [cause for cause in options.causes if (folder / f"{cause}.safetensors").exists()]
        kinds += [("ECG", folder.name, str(options.seeds), cause, options.patients) for cause in there]
    for one in options.networks:
        there = [cause for cause in options.causes if class_of(network(cause, Path(one).name, one), cause) >= 0]
        kinds += [("ECG", Path(one).name, one, cause, options.patients) for cause in there]
    kinds += [("scenes", "embedded", None, "object", options.scenes)] if options.scenes else []
    slow = {"perturbation": 0, "gradient": 1}
    methods = sorted(options.methods, key=lambda name: slow.get(METHODS[name].family, 2))
    return [(method, *kind, kept, options.plain) for method in methods for kind in kinds]


def main() -> None:
    """Run the benchmark, or what is left of it; save its table and print the summary."""
    there = ["embedded"] + ["published"] * (data_dir() / "ecg_models" / "LBBB" / "weights.h5").exists()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=24, help="of each condition")
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--causes", nargs="+", default=list(ECG_MODELS), choices=list(ECG_MODELS))
    parser.add_argument("--weights", nargs="+", default=there, choices=("embedded", "published"))
    parser.add_argument("--seeds", type=Path, help="folder of networks trained from other seeds")
    parser.add_argument("--networks", nargs="*", default=["xresnet1d", "transformer"], help="see the text above")
    parser.add_argument("--plain", action="store_true", help="interventions and localisation alone, nothing tuned")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".csv"))
    options = parser.parse_args()
    options.out.with_suffix(".parts").mkdir(parents=True, exist_ok=True)
    start, todo, rows = time.monotonic(), tasks(options), []
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        for done, (task, found) in enumerate(zip(todo, pool.map(run, todo), strict=True), 1):
            rows += found
            if done % 20 == 0 or done == len(todo):
                print(f"{done}/{len(todo)} {(time.monotonic() - start) / 60:5.1f} min  {task[0]}", flush=True)
    write(options.out, rows, (time.monotonic() - start) / 60, options.workers)


def write(path: Path, rows: list[dict], minutes: float, workers: int) -> None:
    """Save the table as CSV and the summary as JSON beside it."""
    order = {name: i for i, name in enumerate(METHODS)}
    rows.sort(key=lambda r: (r["data"], r["model"], r["cause"], order[r["method"]], r["setting"] == "tuned"))
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(SCHEMA), lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in line_of(row).items()})
    facts = {
        "minutes of the last run, without what was kept": round(minutes, 1),
        "processes": workers,
        "torch": torch.__version__,
    }
    facts |= {"machine": platform.machine(), "first seeds": FIRST, "columns": SCHEMA}
    agreed = {name: agreement({r["method"]: line_of(r) for r in some}) for name, some in groups(rows)}
    facts |= {"summary": summary(rows), "rank agreement with the interventions": agreed}
    facts |= {"networks": over_networks(rows), "rank correlation between networks": between_networks(rows)}
    if any(row["architecture"] == "ECGNet" and row["model"] not in ("embedded", "published") for row in rows):
        facts |= {"networks from other seeds": json.loads(SEEDS.read_text())}
    path.with_suffix(".json").write_text(json.dumps(facts, indent=1, default=float) + "\n")
    print(json.dumps(facts["summary"], indent=1, default=float))


if __name__ == "__main__":
    main()
