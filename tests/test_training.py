"""Training, calibration and the control of the swap test: closed forms, and what must not change."""

import numpy as np
import pytest
import torch
from torch import nn

from leadwise import training
from leadwise.networks.ecg_net import ECGNet


class Level(nn.Module):
    """Two logits from the mean of lead I: the smallest network with an ``output`` layer."""

    def __init__(self, weight: float = 0.0):
        super().__init__()
        self.output = nn.Linear(1, 2)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        with torch.no_grad():
            self.output.weight[1] = weight

    def forward(self, x):
        return self.output(x[:, :1].mean(-1))


def levels(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return flat ECGs (n, 12, 2000) of random level u, and labels that are 1 with probability sigmoid(2 u)."""
    rng = np.random.default_rng(seed)
    level = rng.normal(0, 2, n)
    x = np.broadcast_to(level[:, None, None], (n, 12, 2000)).astype(np.float32)
    return x, (rng.random(n) < 1 / (1 + np.exp(-2 * level))).astype(int)


def test_fit_learns_and_keeps_the_best_epoch():
    x, y = levels(400)
    model = Level()
    seen = []
    history = training.fit(
        model, x, y, levels(200, 1), epochs=4, learning_rate=0.1, augment=lambda w, rng: w, report=seen.append
    )
    assert seen == history
    assert history[-1].validation_auc > 0.9
    best = [epoch for epoch in history if epoch.best][-1]
    assert best.validation_loss == min(epoch.validation_loss for epoch in history)
    assert training.evaluate(model, *levels(200, 1))[0] == pytest.approx(best.validation_loss)


def test_fit_is_reproducible_and_leaves_the_callers_random_state_alone():
    x, y = levels(32)
    models = [training.initialise(ECGNet(), seed=3) for _ in range(2)]
    before = torch.get_rng_state()
    for model in models:
        training.fit(model, x, y, (x, y), epochs=1, dropout=True, seed=9)
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(a, b)
    assert not any(model.training for model in models)


def test_fit_stops_when_nothing_improves():
    x, y = levels(64)
    history = training.fit(Level(2.0), x, y, (x, y), epochs=20, learning_rate=1e-9, patience=2, augment=lambda w, _: w)
    assert len(history) < 20


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((4, 2000, 12)), [0, 1, 0, 1], "N, 12, T"),
        (np.zeros((4, 12, 1999)), [0, 1, 0, 1], "at least 2000"),
        (np.zeros((4, 12, 2000)), [0, 0, 0, 0], "both 0 and 1"),
        (np.zeros((4, 12, 2000)), [0, 1, 0], r"expected \(4,\)"),
    ],
)
def test_fit_says_what_is_wrong_with_its_input(x, y, message):
    with pytest.raises(ValueError, match=message):
        training.fit(Level(), x, y, (x, y))


def test_calibration_finds_the_temperature():
    """The labels follow sigmoid(2 u). A network that says sigmoid(6 u) is three times too sure."""
    x, y = levels(3000)
    model = Level(6.0)
    temperature = training.calibrate(model, x[:, :, :32], y)
    assert temperature == pytest.approx(3.0, rel=0.2)
    assert model.output.weight[1].item() == pytest.approx(6.0 / temperature)


@pytest.mark.parametrize(("sick", "healthy"), [(10, 10), (3, 20)])
def test_calibration_of_a_network_without_errors(sick, healthy):
    """Nobody was mistaken: Platt's targets say how sure that makes one, so the temperature has a closed form.

    With u = 1 in the sick and -1 in the healthy, and logit a u, the cross-entropy is least where sigmoid(a) is the mean
    of (n1 + 1) / (n1 + 2) and (n0 + 1) / (n0 + 2), weighted by n1 and n0. Targets of 1 and 0 would want a infinite.
    """
    y = np.repeat([1, 0], (sick, healthy))
    x = np.broadcast_to(2.0 * y[:, None, None] - 1, (len(y), 12, 32)).astype(np.float32)
    share = sum(n * (n + 1) / (n + 2) for n in (sick, healthy)) / (sick + healthy)
    model = Level(6.0)
    assert training.calibrate(model, x, y) == pytest.approx(6 / np.log(share / (1 - share)), rel=0.007)


def test_calibration_divides_both_logits_and_changes_no_decision():
    """Guo et al. 2017: softmax(z / T) for the whole of z, its constant part included."""
    x, y = levels(400)
    x, model = x[:, :, :32], Level(6.0)
    with torch.no_grad():
        model.output.bias.copy_(torch.tensor([-0.7, 1.9]))
    before = training.logits(model, x)
    temperature = training.calibrate(model, x, y)
    assert temperature > 1.5
    np.testing.assert_allclose(training.logits(model, x) * temperature, before, rtol=1e-4, atol=1e-4)


def test_calibration_error_closed_form():
    """Ten predictions of 0.9 of which six come true are 0.3 off; a perfect forecast is not off at all."""
    y = np.array([1] * 6 + [0] * 4)
    assert training.calibration_error(np.full(10, 0.9), y) == pytest.approx(0.3)
    assert training.calibration_error(y.astype(float), y) == 0.0
    assert training.reliability(np.array([0.2, 0.2, 1.0]), np.array([0, 1, 1])) == [(0.2, 0.5, 2), (1.0, 1.0, 1)]


def test_windows_come_from_their_records():
    x = np.arange(3)[:, None, None] * 10_000 + np.broadcast_to(np.arange(5000), (3, 12, 5000))
    rng = np.random.default_rng(0)
    starts = []
    for _ in range(100):
        windows = training.random_windows(x, np.array([2, 0]), rng)
        assert windows.shape == (2, 12, 2000)
        assert (np.diff(windows, axis=-1) == 1).all()
        starts += [windows[0, 0, 0] - 20_000, windows[1, 0, 0]]
    assert min(starts) == 0
    assert max(starts) <= 3000
    assert 0.2 < np.mean(np.array(starts) == 0) < 0.5


def test_variation_keeps_the_time_axis():
    """A sharp peak stays where it is, whatever is done to it."""
    rng = np.random.default_rng(0)
    windows = np.zeros((20, 12, 2000), np.float32)
    windows[:, :, 700] = 1.0
    varied = training.vary(windows.copy(), rng)
    assert varied.dtype == np.float32
    alive = varied[:, :, 700] > 0.3
    assert alive.mean() > 0.95
    assert (varied.argmax(-1)[alive] == 700).all()


@pytest.mark.parametrize("share", [0.05, 0.3, 0.45])
def test_elsewhere_is_as_large_and_disjoint(share):
    mask = np.zeros((12, 2000), bool)
    for start in range(100, 2000, 400):
        mask[:, start : start + int(400 * share)] = True
    control = training.elsewhere(mask, np.random.default_rng(0))
    assert not (control & mask).any()
    assert control.sum() == mask.sum()
    touched = np.flatnonzero(control.any(0))
    assert (control | mask)[:, touched[1:-1]].all() or touched[-1] - touched[0] > 1900  # one stretch of time


def test_elsewhere_takes_all_that_is_left():
    mask = np.ones((12, 200), bool)
    mask[3, :50] = False
    assert (training.elsewhere(mask, np.random.default_rng(0)) == ~mask).all()
