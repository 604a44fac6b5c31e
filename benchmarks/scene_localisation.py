"""Do the maps point at the object? Every method on scenes whose objects are known to the pixel.

    python benchmarks/scene_localisation.py              200 + 50 scenes; writes benchmarks/scene_localisation.json
    python benchmarks/scene_localisation.py --scenes 8   a trial; prints only

In scenes with one object: the share of the positive relevance that lies on the object, beside the share of the picture
that the object covers, which is what white noise reaches. In scenes with two objects: how often the map
of an object's class has more positive relevance on that object than on the other one. Both classes of each scene are
explained, so a method that ignores the class is right in half of the cases. Explained is always the true class,
whatever the network says, and relevance is summed over the colours before its positive part is taken.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from leadwise import METHODS, attribute
from leadwise.evaluation import relevance_mass
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import load_alexnet, preprocess

FIRST_SEED = {1: 4_000_000, 2: 4_100_000}  # by the number of objects; training and its tests draw from other seeds
BATCH = 8
COLUMNS = ("on the object", "times the object's area", "right object of two", "seconds")
# Fewer samples than the methods' defaults, so that the whole takes minutes; the result file lists them.
QUICK = {
    "smoothgrad": {"samples": 8},
    "smoothgrad_x_input": {"samples": 8},
    "smoothgrad_x_sign": {"samples": 8},
    "vargrad": {"samples": 8},
    "integrated_gradients": {"steps": 12},
    "expected_gradients": {"samples": 12},
    "deepshap": {"samples": 4},
    "occlusion": {"window": 32, "stride": 32},
    "kernel_shap": {"samples": 128, "segment": 32},
    "lime": {"samples": 128, "segment": 32},
    "rise": {"samples": 128},
}


def positive(model, scenes, classes, method: str) -> np.ndarray:
    """Return the positive relevance of one class in each scene, (N, 224, 224)."""
    maps = []
    for i in range(0, len(scenes), BATCH):
        x = torch.stack([preprocess(scene.image) for scene in scenes[i : i + BATCH]])
        target = torch.tensor(classes[i : i + BATCH])
        relevance = attribute(model, x, method, target, progress=False, **QUICK.get(method, {}))
        maps.append(relevance.sum(1).clamp(min=0).double().numpy())
    return np.concatenate(maps)


def on_object(model, scenes, method: str) -> np.ndarray:
    """Return the share of the positive relevance on the only object of each scene, (N,); 0 for a map without any."""
    maps = positive(model, scenes, [scene.objects[0].index for scene in scenes], method)
    masks = np.stack([scene.objects[0].mask for scene in scenes])
    return np.nan_to_num(relevance_mass(maps, masks))


def on_the_right_one(model, scenes, method: str) -> np.ndarray:
    """Return whether more lies on the explained object than on the other one, bool (2 N,): each object in turn."""
    right = []
    for k in (0, 1):
        maps = positive(model, scenes, [scene.objects[k].index for scene in scenes], method)
        for relevance, scene in zip(maps, scenes, strict=True):
            explained, other = scene.objects[k], scene.objects[1 - k]
            right.append(relevance[explained.mask].sum() > relevance[other.mask].sum())
    return np.array(right)


def measure(model, method: str, singles, pairs) -> dict:
    """Return one method's row of the table."""
    start = time.process_time()
    area = np.mean([scene.objects[0].mask.mean() for scene in singles])
    share, right = on_object(model, singles, method), on_the_right_one(model, pairs, method)
    return {
        "scenes": [len(singles), len(pairs)],
        "on the object": round(float(share.mean()), 3),
        "standard error": round(float(share.std(ddof=1) / len(share) ** 0.5), 3),
        "times the object's area": round(float(share.mean() / area), 2),
        "right object of two": round(float(right.mean()), 3),
        "seconds": round(time.process_time() - start, 1),
    }


def accuracy(model, scenes) -> float:
    """Return how often the network names the only object."""
    x = torch.stack([preprocess(scene.image) for scene in scenes])
    with torch.inference_mode():
        found = torch.cat([model(part).argmax(1) for part in x.split(BATCH)])
    return float(np.mean([int(k) == scene.objects[0].index for k, scene in zip(found, scenes, strict=True)]))


def main() -> None:
    """Run the benchmark, print the table; save it where it ran in full or ``--out`` says where."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, help="with one object, and a quarter with two; a trial")
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    first = options.scenes or 200
    count = {1: first, 2: max(first // 4, 1)}
    if options.scenes is None and options.out is None:
        options.out = Path(__file__).with_suffix(".json")
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    model = load_alexnet("embedded")
    singles, pairs = ([make_scene(FIRST_SEED[n] + i, objects=n) for i in range(count[n])] for n in (1, 2))
    area = float(np.mean([scene.objects[0].mask.mean() for scene in singles]))
    result = {
        "unit": "shares, from 0 to 1; seconds of processor time on one thread, all scenes together",
        "network": "embedded AlexNet",
        "scenes": {"one object": count[1], "two objects": count[2], "first seeds": list(FIRST_SEED.values())},
        "accuracy, one object": round(accuracy(model, singles), 3),
        "area of the object": round(area, 3),
        "parameters that differ from the defaults": {m: QUICK[m] for m in options.methods if m in QUICK},
        "methods": {},
    }
    print(f"{count[1]} scenes, the object covers {area:.3f}\n{'':32s}on object   x area   right of two   seconds")
    for method in options.methods:
        result["methods"][method] = row = measure(model, method, singles, pairs)
        share, times, right, seconds = (row[key] for key in COLUMNS)
        print(f"{method:32s}{share:9.3f}{times:9.1f}{right:15.2f}{seconds:10.1f}", flush=True)
    if options.out:
        options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
