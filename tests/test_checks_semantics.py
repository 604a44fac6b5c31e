"""Checks of notebook 10: right answers in several forms are accepted, usual wrong ones get a hint that fits."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import leadwise
from figures import says
from leadwise.checks import core
from leadwise.checks import semantics as check
from leadwise.ecg.delineation import delineate
from leadwise.semantics import CRITERIA, LEAD_GROUPS, group_relevance, lead_wave_matrix, waves_of

pytestmark = pytest.mark.usefixtures("one_thread")
GROUPS = ("anterior", "lateral", "inferior")
ROWS = {"anterior": [8, 9], "lateral": [0, 4, 10, 11], "inferior": [1, 2, 5]}


# 1 the leads that speak


def by_package(relevance):
    return GROUPS[int(np.argmax(group_relevance(relevance, {group: LEAD_GROUPS[group] for group in GROUPS}).lift()))]


def largest(relevance, measure):
    values = np.asarray(relevance)
    return max(ROWS, key=lambda group: measure(values[ROWS[group]]))


def test_group_right():
    says(check.the_group(by_package), "right")
    says(check.the_group(lambda r: largest(r, lambda rows: rows.clip(0).mean())), "right")
    says(check.the_group(lambda r: by_package(r).capitalize()), "right")


@pytest.mark.parametrize(
    ("function", "word"),
    [
        (lambda r: largest(r, lambda rows: rows.clip(0).sum()), "more leads collect more"),
        (lambda r: largest(r, lambda rows: np.abs(rows).mean()), "evidence against"),
        (lambda r: largest(r, lambda rows: rows.mean()), "cancelled"),
        (lambda r: max(LEAD_GROUPS, key=lambda g: group_relevance(r).lift()[list(LEAD_GROUPS).index(g)]), "septal"),
        (lambda r: "anterior", "II, III and aVF"),
        (lambda r: 2, "name"),
        (lambda r: r[20], "could not be checked: IndexError"),
        ("anterior", "function"),
    ],
)
def test_group_wrong(function, word):
    says(check.the_group(function), "not yet", word)


# 2 out of step


@pytest.fixture(scope="module")
def beats():
    ecg = leadwise.simulate_ecg("LBBB", 9_300_000)
    relevance = torch.randn(12, 2000, generator=torch.Generator().manual_seed(9)) * ecg.window().tensor()
    return {"relevance": relevance, "waves": waves_of(ecg)}


def test_shift(beats):
    R, waves = beats["relevance"], beats["waves"]
    half = int(np.median(np.diff([wave.peak for wave in waves if wave.kind == "QRS"])) / 2)
    shifted = lead_wave_matrix(torch.roll(R, half, -1), waves)
    says(check.out_of_step({"leads": False, "waves": True, "sum": False}, shifted, **beats), "right", "the leads stay")
    back = lead_wave_matrix(torch.roll(R, -half - 3, -1), waves)
    says(check.out_of_step("everything", back, relevance=R.numpy(), waves=waves), "right", "the sum stays")
    says(check.out_of_step("all", lead_wave_matrix(R, waves), **beats), "not yet", "as it was")
    says(check.out_of_step("all", lead_wave_matrix(torch.roll(R, half, 0), waves), **beats), "not yet", "leads")
    says(check.out_of_step("all", lead_wave_matrix(R[:, half:], waves), **beats), "not yet", "sum")
    says(check.out_of_step("all", lead_wave_matrix(torch.roll(R, 2 * half, -1), waves), **beats), "not yet", "half")
    says(check.out_of_step("all", shifted.share(), **beats), "not yet", "lead_wave_matrix")
    says(check.out_of_step("all", ..., **beats), "not done yet", "shifted")


# 3 the colleague's waves


def test_waves_of_a_window():
    ecg = leadwise.simulate_ecg("LBBB", 9_300_000)
    where = {"ecg": ecg, "start": 1.3}
    says(check.waves_of_window(waves_of(ecg, 1.3), **where), "right")
    says(
        check.waves_of_window([wave.shift(-650) for wave in delineate(ecg).waves if wave.lead is None], **where),
        "right",
    )
    says(check.waves_of_window(waves_of(ecg), **where), "not yet", "start of the recording")
    says(check.waves_of_window([wave.shift(650) for wave in waves_of(ecg)], **where), "not yet", "wrong direction")
    says(check.waves_of_window(waves_of(ecg, 0.2), **where), "not yet", "`START` seconds")
    says(check.waves_of_window([], **where), "not yet", "hold waves")


# 4 a healthy person


def test_healthy_sentence():
    model, x = (
        leadwise.load_ecg_model("LBBB", "embedded"),
        leadwise.load_record("sim-norm-1").preprocess().window().tensor(),
    )
    relevance = leadwise.attribute(model, x, "lrp_epsilon", target=1)
    context = {"model": model, "x": x, "relevance": relevance}
    p, balance, positive = model.probability(x), relevance.sum(), relevance.clamp(min=0).sum()
    says(check.a_healthy_sentence(p, balance, "b", **context), "right")
    says(check.a_healthy_sentence(float(p), float(balance), "B", **context), "right")
    says(check.a_healthy_sentence(round(float(p), 3), round(float(balance), 2), "b", **context), "right")
    says(check.a_healthy_sentence(p, relevance.abs().sum(), "b", **context), "not yet", "sum of |R|")
    says(check.a_healthy_sentence(p, balance, "a", **context), "not yet", "speaks against")
    says(check.a_healthy_sentence(p, balance, "c", **context), "not yet", "both signs")
    says(check.a_healthy_sentence(1 - p, balance, "b", **context), "not yet", "no finding")
    says(check.a_healthy_sentence(0.5, balance, "b", **context), "not yet", "healthy")
    says(check.a_healthy_sentence(p, positive, "b", **context), "not yet", "positive relevance alone")


# 5 a wider criterion


@pytest.fixture(scope="module")
def lbbb():
    """Four patients with random maps: what the check asks does not depend on the network."""
    patients = [(None, waves_of(leadwise.simulate_ecg("LBBB", 500 + i))) for i in range(4)]
    return {"maps": torch.randn(4, 12, 2000, generator=torch.Generator().manual_seed(0)), "patients": patients}


def numbers(lbbb, criterion):
    """Shares and areas of a criterion's cells, by leads and waves without the package's table."""
    tables = [lead_wave_matrix(m, w) for m, (_, w) in zip(lbbb["maps"], lbbb["patients"], strict=True)]
    rows, columns = [0, 4, 6, 10, 11], {"QRS": 2, "ST": 3, "T": 4}
    cells = np.ix_(rows, [columns[wave] for wave in criterion.waves])
    return [
        np.array([(t.positive / t.positive.sum())[cells].sum() for t in tables]),
        np.array([t.area[cells].sum() for t in tables]),
    ]


def test_criterion(lbbb):
    strict = CRITERIA["LBBB"]
    wider = replace(strict, waves=("T", "QRS", "ST"))
    both = {"strict": numbers(lbbb, strict), "wider": numbers(lbbb, wider)}
    of_means = {name: share.mean() / area.mean() for name, (share, area) in both.items()}
    says(check.a_wider_criterion(wider, of_means, **lbbb), "right")
    of_quotients = {name: torch.tensor((share / area).mean()) for name, (share, area) in both.items()}
    says(check.a_wider_criterion(wider, of_quotients, **lbbb), "right")
    shares = {name: share.mean() for name, (share, _) in both.items()}
    says(check.a_wider_criterion(wider, shares, **lbbb), "not yet", "These are shares")
    says(check.a_wider_criterion(wider, of_means | {"wider": 9.0}, **lbbb), "not yet", "'wider'")
    says(check.a_wider_criterion(replace(wider, waves=("ST", "T")), of_means, **lbbb), "not yet", "waves: QRS")
    says(check.a_wider_criterion(replace(wider, waves=("QRS", "ST", "T", "P")), of_means, **lbbb), "not yet", "Only")
    says(check.a_wider_criterion(replace(wider, leads=("V1",)), of_means, **lbbb), "not yet", "keep the leads")
    says(check.a_wider_criterion(wider.cells, of_means, **lbbb), "not yet", "Criterion")


def test_nothing_done_and_rubbish(lbbb):
    ecg = leadwise.simulate_ecg("LBBB", 1)
    healthy = {
        "model": leadwise.load_ecg_model("LBBB", "embedded"),
        "x": ecg.window().tensor(),
        "relevance": torch.ones(12, 9),
    }
    context = {3: {"ecg": ecg, "start": 650}, 4: healthy, 5: lbbb}
    for number, count in {1: 1, 2: 1, 3: 1, 4: 3, 5: 2}.items():
        run, more = core.CHECKS["semantics"][number], context.get(number, {})
        says(run(*[...] * count, **more), "not done yet")
        for rubbish in ("nonsense", np.zeros((2, 2)), [None], 7, lambda r: None):
            says(run(*[rubbish] * count, **more), "not yet")
