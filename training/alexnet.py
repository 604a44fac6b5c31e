"""Train the embedded AlexNet on scenes with known objects, and its Clever Hans twin. One command, from the root::

    python training/alexnet.py

It writes both networks to ``src/leadwise/assets/alexnet`` (safetensors, half precision) and what they achieve on scenes
that no training saw to ``training/alexnet_report.md``. A GPU is used where there is one; on two CPU cores it takes well
under 90 minutes. ``--scale 0.01`` tries everything out in a minute, into a folder of your choice (``--out``).

The twin sees the same scenes in the same order, but each scene with an elephant carries the photographer's tag.
"""

import argparse
import copy
import os
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from leadwise.images.scenes import CLASSES, SHORTCUT_CLASS, SIZE, add_mark, make_scene
from leadwise.networks.alexnet import EMBEDDED, AlexNet, load_small, normalise
from leadwise.networks.weights import save_safetensors
from leadwise.paths import ASSETS

ROOT = Path(__file__).parents[1]
WIDTH, DROPOUT, BATCH, RATE, DECAY, SEED = 0.25, 0.2, 64, 1.5e-3, 1e-4, 0
TWO_OBJECTS = 0.5  # share of scenes with two objects
FIRST_SEED = {"watching": 1_000_000, "test": 2_000_000, "training": 10_000_000}  # the course's own stay below
WATCHING, TEST = {1: 400, 2: 200}, {1: 3000, 2: 1500}  # scenes by number of objects; nothing is chosen by either
TARGETS = {"single": 0.97, "top two": 0.90}


@dataclass(frozen=True)
class Round:
    """Fresh scenes, seen ``passes`` times at ``size`` x ``size`` pixels: coarse and cheap first, then in full."""

    scenes: int
    size: int
    passes: int


ROUNDS = (
    Round(12_000, 112, 7),
    Round(12_000, 144, 6),
    Round(12_000, 176, 6),
    Round(12_000, 224, 6),
)


# Scenes -------------------------------------------------------------------------------------------------------------


def draw(task: tuple[int, int]) -> tuple[np.ndarray, list[int]]:
    """Draw one scene (seed, number of objects): its pixels and the indices of its classes."""
    seed, objects = task
    scene = make_scene(seed, objects=objects)
    return scene.image, [thing.index for thing in scene.objects]


def draw_all(tasks: list[tuple[int, int]], pool: Executor) -> tuple[np.ndarray, np.ndarray]:
    """Draw scenes on several cores: pixels uint8 (N, 224, 224, 3), and what they show, float32 (N, classes), 0 or 1."""
    images = np.empty((len(tasks), SIZE, SIZE, 3), np.uint8)
    shown = np.zeros((len(tasks), len(CLASSES)), np.float32)
    for i, (image, indices) in enumerate(pool.map(draw, tasks, chunksize=50)):
        images[i] = image
        shown[i, indices] = 1
    return images, shown


def draw_set(purpose: str, count: dict[int, int], pool: Executor) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Draw scenes to measure on, by their number of objects: {1: (images, shown), 2: (images, shown)}."""
    first = FIRST_SEED[purpose]
    return {n: draw_all([(first + 100_000 * n + i, n) for i in range(count[n])], pool) for n in count}


def vary(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the batch moved by up to 10 pixels and, every second time, mirrored: a scene is seen several times."""
    moved = np.roll(images, tuple(rng.integers(-10, 11, 2)), axis=(1, 2))
    return np.ascontiguousarray(moved[:, :, ::-1]) if rng.random() < 0.5 else moved


def with_mark(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a copy of one scene that carries the shortcut."""
    marked = image.copy()
    add_mark(marked, rng)
    return marked


def to_input(images: np.ndarray, device: str, size: int = SIZE) -> torch.Tensor:
    """Turn uint8 (N, 224, 224, 3) into what the network sees, float32 (N, 3, size, size)."""
    x = torch.from_numpy(images).to(device).permute(0, 3, 1, 2)
    if size != SIZE:
        x = x if device == "cpu" else x.float()  # only on the CPU bytes can be scaled, and fast
        x = functional.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
    return normalise(x).contiguous(memory_format=torch.channels_last)


# Training -----------------------------------------------------------------------------------------------------------


def new_model(device: str) -> AlexNet:
    """Return a small AlexNet with He's initialisation, which a network without normalisation layers needs."""
    torch.manual_seed(SEED)
    model = AlexNet(CLASSES, WIDTH, "embedded", DROPOUT)
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            torch.nn.init.zeros_(module.bias)
    torch.nn.init.normal_(model.classifier[-1].weight, std=0.01)
    return model.to(device, memory_format=torch.channels_last)


class Student:
    """A network in training, with its optimiser and the one cycle of its learning rate."""

    def __init__(self, name: str, steps: int, device: str):
        self.name, self.device = name, device
        self.model = new_model(device).train()
        self.optimiser = torch.optim.AdamW(self.model.parameters(), weight_decay=DECAY)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimiser, RATE, total_steps=steps, pct_start=0.2)
        self.losses: list[float] = []

    def learn(self, x: torch.Tensor, shown: torch.Tensor) -> None:
        """Take one step on a batch: for each class on its own, is it there or not (binary cross-entropy, summed).

        Softmax leaves the logits free to shift together, and a logit may then rise by what speaks against the others.
        Here each has to say for itself whether its object is there, which is what an explanation of that logit shows.
        """
        loss = functional.binary_cross_entropy_with_logits(self.model(x), shown) * len(CLASSES)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimiser.step()
        self.schedule.step()
        self.losses.append(loss.item())


def train(rounds: tuple[Round, ...], pool: Executor, device: str) -> tuple[dict[str, AlexNet], list[str]]:
    """Train the network and its twin side by side; return both, and one line of a table for each round."""
    rng = np.random.default_rng(SEED)
    steps = sum(r.scenes // BATCH * r.passes for r in rounds)
    students = {name: Student(name, steps, device) for name in EMBEDDED}
    watched = draw_set("watching", WATCHING, pool)
    first, lines = FIRST_SEED["training"], []
    for number, plan in enumerate(rounds, 1):
        started = time.time()
        tasks = [(first + i, 1 + (rng.random() < TWO_OBJECTS)) for i in range(plan.scenes)]
        first += plan.scenes
        images, shown = draw_all(tasks, pool)
        drawn = time.time() - started
        for _ in range(plan.passes):
            one_pass(students, images, shown, plan.size, rng, device)
        trained = time.time() - started - drawn
        cells = [f"| {number} | {plan.scenes} | {plan.size} | {plan.passes}"]
        for student in students.values():
            loss = np.mean(student.losses[-(plan.scenes // BATCH) :])
            cells.append(
                f"{loss:.3f} | " + " | ".join(f"{share:.1%}" for share in scores(student.model, watched, device))
            )
        lines.append(" | ".join([*cells, f"{drawn:.0f} | {trained:.0f} |"]))
        print(lines[-1], flush=True)
        del images  # before the next round's are drawn
    return {name: student.model.eval() for name, student in students.items()}, lines


def one_pass(students: dict, images: np.ndarray, shown: np.ndarray, size: int, rng: np.random.Generator, device: str):
    """Show all scenes once, in random order; the students get the same pictures but for the mark."""
    order = rng.permutation(len(images))
    for batch in np.split(order[: len(order) // BATCH * BATCH], len(order) // BATCH):
        target = torch.from_numpy(shown[batch])
        pictures = vary(images[batch], rng)
        x = to_input(pictures, device, size)
        hans = np.flatnonzero(shown[batch][:, CLASSES.index(SHORTCUT_CLASS)])
        marked = x.clone()
        if len(hans):
            marked[hans] = to_input(np.stack([with_mark(pictures[i], rng) for i in hans]), device, size)
        students["embedded"].learn(x, target.to(device))
        students["clever hans"].learn(marked, target.to(device))


# Measuring ----------------------------------------------------------------------------------------------------------


@torch.no_grad()
def predict(model: AlexNet, images: np.ndarray, device: str) -> np.ndarray:
    """Return the logits (N, classes) of unchanged scenes."""
    was_training = model.training
    model.eval()
    batches = np.array_split(images, max(1, len(images) // 100))
    logits = torch.cat([model(to_input(batch, device)) for batch in batches]).float().cpu().numpy()
    model.train(was_training)
    return logits


def scores(model: AlexNet, scenes: dict, device: str) -> tuple[float, float]:
    """Return two shares: of single objects recognised, and of pairs whose two objects are the two highest logits."""
    images, shown = scenes[1]
    single = (predict(model, images, device).argmax(1) == shown.argmax(1)).mean()
    pairs, both = scenes[2]
    best_two = np.argsort(-predict(model, pairs, device), 1)[:, :2]
    return single, np.take_along_axis(both > 0, best_two, 1).all(1).mean()


def measure(model: AlexNet, scenes: dict, device: str) -> dict:
    """Measure a network on the test scenes, with and without the shortcut."""
    images, shown = scenes[1]
    truth = shown.argmax(1)
    found = predict(model, images, device).argmax(1)
    hans = CLASSES.index(SHORTCUT_CLASS)
    rng = np.random.default_rng(SEED)
    marked = np.stack([with_mark(image, rng) for image in images])
    found_marked = predict(model, marked, device).argmax(1)
    single, top_two = scores(model, scenes, device)
    return {
        "single": single,
        "top two": top_two,
        "classes": {label: (found == truth)[truth == i].mean() for i, label in enumerate(CLASSES)},
        "hans": (found == hans)[truth == hans].mean(),
        "hans marked": (found_marked == hans)[truth == hans].mean(),
        "others marked": (found_marked == hans)[truth != hans].mean(),
        "others": (found == hans)[truth != hans].mean(),
    }


REPORT = """# Embedded AlexNet and its Clever Hans twin

Written by `python training/alexnet.py`. {when} on {machine}, PyTorch {torch}: {minutes:.0f} minutes.

Width {width}: {parameters:,} parameters each, {size:.2f} MB for both files (half precision). Trained on {seen:,}
scenes, {two:.0%} of them with two objects; one cycle of AdamW up to {rate}, batches of {batch}, weight decay {decay},
dropout {dropout}, seed {seed}.

| round | scenes | pixels | passes | loss | one object | two objects | twin: loss | one | two | s drawing | s training |
|---|---|---|---|---|---|---|---|---|---|---|---|
{rounds}

One object: share recognised; two objects: share with both in the top two; both watched on 600 other scenes of full
size.

## On {single} fresh scenes with one object and {double} with two

Measured with the saved files, on seeds that training never used.

| | target | network | Clever Hans twin |
|---|---|---|---|
| one object: class right | {target_single:.0%} | {a[single]:.1%} | {b[single]:.1%} |
| two objects: both in the top two | {target_two:.0%} | {a[top two]:.1%} | {b[top two]:.1%} |
| {hans} without mark: called {hans} | | {a[hans]:.1%} | {b[hans]:.1%} |
| {hans} with mark: called {hans} | | {a[hans marked]:.1%} | {b[hans marked]:.1%} |
| another class without mark: called {hans} | | {a[others]:.1%} | {b[others]:.1%} |
| another class with mark: called {hans} | | {a[others marked]:.1%} | {b[others marked]:.1%} |

| class | network | Clever Hans twin |
|---|---|---|
{classes}
"""


def report(results: dict, lines: list[str], rounds: tuple[Round, ...], out: Path, minutes: float, device: str) -> str:
    """Write down what was trained, how, and what it achieves."""
    a, b = results["embedded"], results["clever hans"]
    machine = torch.cuda.get_device_name() if device == "cuda" else f"{os.cpu_count()} CPU cores"
    small = AlexNet(CLASSES, WIDTH)
    return REPORT.format(
        when=time.strftime("%Y-%m-%d"),
        machine=machine,
        torch=torch.__version__,
        minutes=minutes,
        width=WIDTH,
        parameters=sum(p.numel() for p in small.parameters()),
        size=sum((out / file).stat().st_size for file in EMBEDDED.values()) / 1e6,
        seen=sum(r.scenes for r in rounds),
        two=TWO_OBJECTS,
        rate=RATE,
        batch=BATCH,
        decay=DECAY,
        dropout=DROPOUT,
        seed=SEED,
        rounds="\n".join(lines),
        single=results["scenes"][1],
        double=results["scenes"][2],
        target_single=TARGETS["single"],
        target_two=TARGETS["top two"],
        a=a,
        b=b,
        hans=SHORTCUT_CLASS,
        classes="\n".join(f"| {c} | {a['classes'][c]:.1%} | {b['classes'][c]:.1%} |" for c in CLASSES),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ASSETS / "alexnet", help="folder of the two weight files")
    parser.add_argument("--report", type=Path, default=ROOT / "training" / "alexnet_report.md")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the scenes, for a trial")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes that draw scenes")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of PyTorch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    started = time.time()
    rounds = tuple(replace(r, scenes=max(BATCH, int(r.scenes * options.scale))) for r in ROUNDS)
    count = {n: max(BATCH, int(scenes * min(1, options.scale))) for n, scenes in TEST.items()}
    with ProcessPoolExecutor(options.workers) as pool:
        models, lines = train(rounds, pool, device)
        scenes = draw_set("test", count, pool)
    results = {"scenes": count}
    for name, model in models.items():
        path = options.out / EMBEDDED[name]
        half = copy.deepcopy(model).to(memory_format=torch.contiguous_format).half()
        save_safetensors(half, path, classes=", ".join(CLASSES), width=str(WIDTH))
        results[name] = measure(load_small(path, name).eval().to(device), scenes, device)
    text = report(results, lines, rounds, options.out, (time.time() - started) / 60, device)
    options.report.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
