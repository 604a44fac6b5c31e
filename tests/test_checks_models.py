"""Checks of notebook 08: right answers in several forms are accepted, usual wrong ones get a hint that fits."""

import numpy as np
import pytest
import torch
from torch import nn

import leadwise
from figures import says
from leadwise.checks import models as check
from leadwise.simulation.simulate import simulate_batch

pytestmark = pytest.mark.usefixtures("one_thread")


# 1 receptive field


def seen_by_network(kernel, blocks):
    """Count, by its gradient, the samples that one unit of a real network sees."""
    layers = [layer for _ in range(blocks) for layer in (nn.Conv1d(1, 1, kernel, padding="same"), nn.AvgPool1d(2))]
    network = nn.Sequential(*layers)
    for layer in layers[::2]:
        nn.init.ones_(layer.weight)
    x = torch.zeros(1, 1, 2000, requires_grad=True)
    out = network(x)
    out[0, 0, out.shape[-1] // 2].backward()
    return int((x.grad != 0).sum())


def loop(kernel, blocks):
    seen, stride = 1, 1
    for _ in range(blocks):
        seen, stride = seen + kernel * stride, 2 * stride
    return seen


@pytest.mark.parametrize("function", [loop, lambda k, b: torch.tensor(1.0 + k * (2**b - 1)), seen_by_network])
def test_receptive_field_right(function):
    says(check.receptive_field(function), "right")


@pytest.mark.parametrize(
    ("function", "word"),
    [
        (lambda k, b: 94, "prints 4 samples after block 1; this is 94"),
        (lambda k, b: loop(k, 5), "this is 94"),
        (lambda k, b: loop(3, b) if k == 3 else 0, "Right for kernels of size 3"),
        (lambda k, b: None, "return"),
        (lambda k, b: loop(3, b), "same for every kernel"),
        (lambda k, b: 2 * loop(k, b), "milliseconds"),
        (lambda k, b: loop(k - 1, b), "poolings are missing"),
        (lambda k, b: loop(k, b) - 2 ** (b - 1), "before the last pooling"),
        (lambda k, b: loop(k + 1, b), "k - 1"),
        (lambda k, b: 1 + k * b, "doubles"),
        (94, "function"),
    ],
)
def test_receptive_field_wrong(function, word):
    says(check.receptive_field(function), "not yet", word)


# 2 what the average forgets


@pytest.fixture(scope="module")
def rbbb():
    torch.manual_seed(0)
    x = leadwise.load_record("sim-rbbb-1").preprocess().window().tensor()
    return {"model": leadwise.load_ecg_model("RBBB", "embedded"), "x": x}


def odds(rbbb, x):
    with torch.no_grad():
        logits = rbbb["model"](x)
    return logits[1] - logits[0]


@pytest.fixture(scope="module")
def moved(rbbb):
    x = rbbb["x"]
    order = [*range(6), 11, 7, 8, 9, 10, 6]
    disguises = {"shifted": torch.roll(x, 320, 1), "reversed": x.flip(1), "exchanged": x[order], "doubled": x + x}
    return {name: odds(rbbb, y) - odds(rbbb, x) for name, y in disguises.items()}


def test_average_right_as_tensors_or_floats_with_or_without_sign(rbbb, moved):
    says(check.what_the_average_forgets("shifted", moved, **rbbb), "right")
    says(
        check.what_the_average_forgets("reversed", {k: abs(float(v)) for k, v in moved.items()}, **rbbb),
        "right",
    )


def test_average_wrong(rbbb, moved):
    p = {k: torch.sigmoid(v + odds(rbbb, rbbb["x"])) - torch.sigmoid(odds(rbbb, rbbb["x"])) for k, v in moved.items()}
    says(check.what_the_average_forgets("shifted", p, **rbbb), "not yet", "probabilities")
    says(check.what_the_average_forgets("shifted", [1, 2, 3, 4], **rbbb), "not yet", "dict")
    says(check.what_the_average_forgets("shifted", moved | {"doubled": 99}, **rbbb), "not yet", "doubled")


def test_average_says_how_each_disguise_is_made(rbbb, moved):
    x = rbbb["x"]
    others = {"shifted": torch.roll(x, 320, 0), "reversed": x.flip(0)}
    for name, other in others.items():
        wrong = moved | {name: odds(rbbb, other) - odds(rbbb, x)}
        says(check.what_the_average_forgets("shifted", wrong, **rbbb), "not yet", "time")
    with torch.no_grad():
        of_one = {name: rbbb["model"](2 * x)[1] - rbbb["model"](x)[1] for name in moved}
    says(check.what_the_average_forgets("shifted", moved | {"doubled": of_one["doubled"]}, **rbbb), "not yet", "alone")


def test_average_accepts_the_shift_whatever_the_weights_make_of_it():
    """A network that reads signs only: doubling changes nothing, the shift something."""
    weights = torch.linspace(1, 2, 2000) * torch.arange(1, 13)[:, None]

    def model(x):
        return torch.stack([torch.zeros(()), (x.sign() * weights).sum() / 1000])

    x = torch.randn(12, 2000, generator=torch.Generator().manual_seed(0))
    order = [*range(6), 11, 7, 8, 9, 10, 6]
    disguises = {"shifted": torch.roll(x, 320, 1), "reversed": x.flip(1), "exchanged": x[order], "doubled": 2 * x}
    moved = {name: model(y)[1] - model(x)[1] for name, y in disguises.items()}
    assert moved["doubled"] == 0 < abs(moved["shifted"])
    for predicted in ("shifted", "doubled", "reversed"):
        says(check.what_the_average_forgets(predicted, moved, model=model, x=x), "right", "The network says “doubled”")


# 3 the port


@pytest.mark.parametrize(
    "port",
    [
        lambda k: k.T,
        lambda k: torch.tensor(k).permute(2, 1, 0).float(),
        lambda k: torch.from_numpy(np.ascontiguousarray(k.transpose())),
    ],
)
def test_port_right(port):
    says(check.the_port(port), "right")


@pytest.mark.parametrize(
    ("port", "word"),
    [
        (lambda k: k.reshape(k.shape[::-1]), "reshape"),
        (lambda k: k.T[..., ::-1], "backwards"),
        (lambda k: k.transpose(1, 0, 2).reshape(k.shape[::-1]), "order (1, 0, 2)"),
        (lambda k: k.transpose(2, 0, 1), "shape"),
        (lambda k: k.reshape(64, 12, 3), "reshape"),
        (lambda k: "a kernel", "numbers"),
        (np.zeros((64, 12, 3)), "function"),
    ],
)
def test_port_wrong(port, word):
    says(check.the_port(port), "not yet", word)


# 4 whom it misses


def test_severities():
    severity = simulate_batch("ISCH", range(2000, 2100)).severity  # noise and length as in the notebook
    probability = np.r_[np.where(severity < 0.3, 0.1, 0.9), np.zeros(100)]
    lost = severity < 0.3
    missed, found = severity[lost].mean(), severity[~lost].mean()
    how = {"probability": probability}
    says(check.whom_it_misses(missed, torch.tensor(found), **how), "right", "milder")
    says(check.whom_it_misses(found, missed, **how), "not yet", "exchanged")
    says(check.whom_it_misses(lost.sum(), (~lost).sum(), **how), "not yet", "between 0 and 1")
    says(check.whom_it_misses(0.5, 0.5, **how), "not yet", "first hundred")
    says(check.whom_it_misses("mild", "severe", **how), "not yet", "number")
    says(check.whom_it_misses(1, 2, probability=np.ones(200)), "right", "nobody")


# 5 in another practice


def test_prevalence_agrees_with_counting_people():
    # 100 000 people, 1 in 100 ill; a signal that is 9 times as frequent in the ill as in the healthy
    ill, healthy = 1000 * 0.9, 99_000 * 0.1
    says(check.in_another_practice(ill / (ill + healthy)), "right")


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (0.9, "rare"),
        (1 / 11, "odds / (1 + odds)"),
        (0.009, "product"),
        (8.33, "per cent"),
        (0.9989, "upside"),
        (2, "99"),
    ],
)
def test_prevalence_wrong(answer, word):
    says(check.in_another_practice(answer), "not yet", word)


# all of them


def test_nothing_done_and_rubbish(rbbb):
    context = {2: rbbb, 4: {"probability": np.full(200, 0.4)}}
    answers = {1: 1, 2: 2, 3: 1, 4: 2, 5: 1}
    for number, count in answers.items():
        run, more = leadwise.checks.core.CHECKS["models"][number], context.get(number, {})
        says(run(*[...] * count, **more), "not done yet")
        for rubbish in ("nonsense", np.zeros((2, 2)), [None], lambda: None):
            says(run(*[rubbish] * count, **more), "not yet")
