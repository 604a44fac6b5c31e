"""Methods that take parts of the input away, against full enumeration, closed forms and captum."""

from itertools import combinations, permutations
from math import factorial

import numpy as np
import pytest
import torch
from captum._utils.models.linear_model import SkLearnRidge
from captum.attr import KernelShap, Lime, Occlusion
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from leadwise import METHODS, attribute
from leadwise.attribution import MethodWarning, receipt
from leadwise.attribution.occlusion import Axis, local_steps, sliding, verified
from leadwise.attribution.perturbation import features, lime_coalitions, shapley_coalitions
from leadwise.attribution.question import Question
from leadwise.networks.alexnet import AlexNet
from leadwise.networks.ecg_net import ECGNet
from leadwise.networks.network import Network
from networks import ImageNet, ReluECG, ecg_batch, image_batch, linear_ecg, seeded

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning"),
    pytest.mark.filterwarnings("ignore:Using padding='same'"),
]


def explain(model, x, name, **parameters):
    return attribute(model, x, name, progress=False, **parameters)


# --- Occlusion: networks of many kinds against brute force -----------------------------------------------------


def brute_force(score, x, window, stride, each, start=0.0):
    """Mean fall of the score over the windows that cover a place, one window and one sample at a time."""
    total, covered = torch.zeros_like(x), torch.zeros_like(x)
    ways = []
    for size in x.shape[2:]:
        width = min(window, size)
        step, firsts = min(stride, width), [0]
        while firsts[-1] + width < size:
            firsts.append(firsts[-1] + step)
        ways.append([slice(a, a + width) for a in firsts])
    boxes = [()]
    for way in ways:
        boxes = [(*box, one) for box in boxes for one in way]
    channels = [slice(c, c + 1) for c in range(x.shape[1])] if each else [slice(None)]
    with torch.no_grad():
        for box in boxes:
            for rows in channels:
                copy = x.clone()
                copy[(slice(None), rows, *box)] = start
                fall = score(x) - score(copy)
                total[(slice(None), rows, *box)] += fall.view(-1, *[1] * (x.ndim - 1))
                covered[(slice(None), rows, *box)] += 1
    return total / covered


class Then(nn.Module):
    """Operations in order, each a module or a function, then a mean over the places and a dense layer."""

    def __init__(self, *parts, channels, pool=True):
        super().__init__()
        self.kept = nn.ModuleList(part for part in parts if isinstance(part, nn.Module))
        self.parts, self.dense, self.pool = parts, nn.Linear(channels, 3), pool

    def forward(self, x):
        for part in self.parts:
            x = part(x)
        return self.dense(x.flatten(2).mean(-1) if self.pool else x)


class Skip(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, padding=1)

    def forward(self, x):
        return functional.gelu(self.conv(x)) + x


class Returned(nn.Module):
    """Writes into its input, and hands on the input itself."""

    def forward(self, x):
        x.relu_()
        return x


class Hidden(torch.autograd.Function):
    """An operation whose inside no mode sees."""

    @staticmethod
    def forward(ctx, x):
        return x - x.mean(-1, keepdim=True)

    @staticmethod
    def backward(ctx, grad):
        return grad


class LastStep(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 5, batch_first=True)

    def forward(self, x):
        return self.lstm(x.transpose(1, 2))[0][:, -1]


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)

    def forward(self, x):
        return self.layer(x.transpose(1, 2)).transpose(1, 2)


class Positions(nn.Module):
    """Adds something else at each place."""

    def __init__(self, places):
        super().__init__()
        self.values = nn.Parameter(torch.randn(places))

    def forward(self, x):
        return x + self.values


def norm(channels):
    module = nn.BatchNorm1d(channels)
    module.running_mean.normal_()
    module.running_var.uniform_(0.5, 2)
    return module


def shifted_by_own_mean(x):
    return x - x.mean(-1, keepdim=True)


def scaled_by_its_start(x):
    return x * torch.sigmoid(x.detach()[:, :, :1])


CHAINS = {
    "padded": (lambda: Then(nn.Conv1d(4, 5, 5, padding=2), nn.ReLU(), nn.Conv1d(5, 5, 3, padding=1), channels=5), 3),
    "strided": (lambda: Then(nn.Conv1d(4, 5, 3, 3, 1), nn.Conv1d(5, 5, 2, 2), nn.Tanh(), channels=5), 3),
    "stride beyond the kernel": (lambda: Then(nn.Conv1d(4, 5, 2, stride=7), nn.Tanh(), channels=5), 2),
    "dilated": (lambda: Then(nn.Conv1d(4, 5, 3, dilation=4, padding=3), nn.Conv1d(5, 5, 4, groups=5), channels=5), 2),
    "same, even kernel": (lambda: Then(nn.Conv1d(4, 5, 4, padding="same"), nn.Conv1d(5, 5, 3, padding="valid"),
                                       channels=5), 2),
    "max pool": (lambda: Then(nn.Conv1d(4, 5, 3), nn.MaxPool1d(3, 2, 1, 2), nn.MaxPool1d(4, ceil_mode=True),
                              channels=5), 3),
    "mean pool": (lambda: Then(nn.AvgPool1d(3, 2, 1), nn.Conv1d(4, 5, 3), nn.AvgPool1d(2), channels=5), 3),
    "mean pool, other at its edge": (lambda: Then(nn.Conv1d(4, 5, 3), nn.AvgPool1d(3, 2, 1, count_include_pad=False),
                                                  channels=5), 1),
    "mean pool, cut at its end": (lambda: Then(nn.Conv1d(4, 5, 3), nn.AvgPool1d(4, ceil_mode=True), channels=5), 1),
    "batch norm, dropout": (lambda: Then(norm(4), nn.Conv1d(4, 5, 3), nn.Dropout(), norm(5), nn.PReLU(5),
                                         channels=5), 4),
    "constant pad": (lambda: Then(nn.ConstantPad1d((4, 1), 0.7), nn.Conv1d(4, 5, 5), nn.ELU(), channels=5), 3),
    "negative pad": (lambda: Then(nn.Conv1d(4, 5, 5), nn.ConstantPad1d((-3, 2), 0.2), channels=5), 2),
    "circular": (lambda: Then(nn.Conv1d(4, 5, 3, padding=1, padding_mode="circular"), channels=5), 0),
    "in place": (lambda: Then(nn.Conv1d(4, 5, 3), nn.ReLU(inplace=True), nn.Conv1d(5, 5, 3), nn.ReLU(inplace=True),
                              channels=5), 3),
    "in place, unsaid": (lambda: Then(nn.Conv1d(4, 5, 3), Returned(), nn.Conv1d(5, 5, 3), Returned(), channels=5), 3),
    "affine": (lambda: Then(lambda x: 2 * x - 1, nn.Conv1d(4, 5, 3), lambda x: x / 3, channels=5), 4),
    "weight norm": (lambda: Then(weight_norm(nn.Conv1d(4, 5, 3)), nn.SiLU(), channels=5), 2),
    "skip": (lambda: Then(nn.Conv1d(4, 5, 3), Skip(5), Skip(5), channels=5), 1),
    "skip from the input": (lambda: Then(Skip(4), channels=4), 0),
    "own mean": (lambda: Then(nn.Conv1d(4, 5, 3), shifted_by_own_mean, nn.Conv1d(5, 5, 3), channels=5), 1),
    "own mean first": (lambda: Then(shifted_by_own_mean, nn.Conv1d(4, 5, 3), channels=5), 0),
    "detached gate": (lambda: Then(nn.Conv1d(4, 5, 3), scaled_by_its_start, channels=5), 1),
    "hidden": (lambda: Then(nn.Conv1d(4, 5, 3), Hidden.apply, nn.Conv1d(5, 5, 3), channels=5), 0),
    "instance norm": (lambda: Then(nn.Conv1d(4, 5, 3), nn.InstanceNorm1d(5), nn.ReLU(), channels=5), 1),
    "softmax over time": (lambda: Then(nn.Conv1d(4, 5, 3), nn.Softmax(-1), nn.Conv1d(5, 5, 3), channels=5), 1),
    "transposed": (lambda: Then(nn.Conv1d(4, 5, 3, 2), nn.ConvTranspose1d(5, 5, 3, 2), nn.ReLU(), channels=5), 1),
    "positions": (lambda: Then(nn.Conv1d(4, 5, 3), Positions(59), channels=5), 1),
    "functional": (lambda: Then(nn.Conv1d(4, 5, 3), lambda x: functional.max_pool1d(x, 3),
                                lambda x: functional.avg_pool1d(x, 2), functional.softplus, channels=5), 4),
    "lstm": (lambda: Then(LastStep(), channels=5, pool=False), 0),
    "transformer": (lambda: Then(Tokens(), channels=4), 0),
}  # fmt: skip


def question(model):
    return Question(Network(model), torch.zeros(1, dtype=torch.long))


def chain(model, x):
    return local_steps(question(model), x[:1])


def holds(model, x, window, stride):
    """Whether the chain of a network passes its own examination."""
    steps = chain(model, x)
    with torch.no_grad():
        return verified(question(model), x[:1], sliding(x.shape[2:], window, stride), steps) == steps


@pytest.mark.parametrize("name", CHAINS)
def test_occlusion_equals_brute_force(name):
    make, length = CHAINS[name]
    model = seeded(make).double()
    x = torch.randn(2, 4, 61, generator=torch.Generator().manual_seed(3)).double()
    assert len(chain(model, x)) == length
    assert holds(model, x, 8, 5)
    for window, stride, leads in ((8, 5, "each"), (1, 1, "all"), (13, 60, "each"), (100, 3, "all")):
        found = explain(model, x, "occlusion", target=2, window=window, stride=stride, leads=leads)
        wanted = brute_force(lambda z: model(z)[:, 2], x, window, stride, leads == "each")
        torch.testing.assert_close(found, wanted, atol=1e-9, rtol=0)


def test_a_norm_over_the_batch_ends_the_chain():
    model = Then(nn.Conv1d(4, 5, 3), nn.BatchNorm1d(5, track_running_stats=False), nn.Conv1d(5, 5, 3), channels=5)
    assert len(chain(model, torch.randn(1, 4, 61))) == 1


class Twofold(nn.Module):
    """Looks at its input once more behind the back of whoever watches."""

    def __init__(self):
        super().__init__()
        self.conv, self.dense = nn.Conv1d(4, 4, 3), nn.Linear(4, 3)

    def forward(self, x):
        with torch._C.DisableTorchFunction(), torch.no_grad():
            behind = x.mean(-1, keepdim=True)
        return self.dense((self.conv(x).relu() + behind).mean(-1))


def test_a_chain_that_is_not_all_of_the_network_is_not_used():
    model, x = seeded(Twofold).double(), torch.randn(1, 4, 61).double()
    assert chain(model, x)
    assert not holds(model, x, 8, 5)
    found = explain(model, x, "occlusion", target=2, window=8, stride=5)
    wanted = brute_force(lambda z: model(z)[:, 2], x, 8, 5, True)
    torch.testing.assert_close(found, wanted, atol=1e-9, rtol=0)


def random_part(random, channels):
    kernel, stride, dilation = (int(n) for n in random.integers(1, 4, 3))
    padding, ceil = int(random.integers(0, kernel // 2 + 1)), bool(random.integers(2))
    kinds = [
        lambda: nn.Conv1d(channels, channels, kernel, stride, padding, dilation),
        lambda: nn.Conv1d(channels, channels, kernel + 1, padding="same", dilation=dilation),
        lambda: nn.MaxPool1d(kernel, stride, padding, dilation, ceil_mode=ceil),
        lambda: nn.AvgPool1d(kernel, stride, padding, ceil_mode=ceil),
        lambda: nn.ConstantPad1d((stride, -padding), 0.5),
        lambda: nn.ReLU(inplace=True),
        lambda: norm(channels),
        lambda: Skip(channels),
    ]
    return kinds[random.choice(8, p=[0.3, 0.1, 0.15, 0.1, 0.1, 0.15, 0.05, 0.05])]()


def random_network(seed):
    """A network of up to seven operations with random sizes; some see more than a window."""
    random = np.random.default_rng(seed)
    return Then(*(random_part(random, 4) for _ in range(random.integers(2, 8))), channels=4)


def test_occlusion_of_random_networks_equals_brute_force():
    chained = 0
    for seed in range(40):
        model = seeded(lambda seed=seed: random_network(seed), seed).double()
        x = torch.randn(1, 4, 301, generator=torch.Generator().manual_seed(seed)).double()
        window, stride, target = 2 + seed % 23, 4 + seed % 17, seed % 3
        found = explain(model, x, "occlusion", target=target, window=window, stride=stride, leads="all")
        wanted = brute_force(lambda z, m=model, t=target: m(z)[:, t], x, window, stride, False)
        torch.testing.assert_close(found, wanted, atol=1e-9, rtol=0, msg=lambda text, seed=seed: f"{seed}: {text}")
        chained += len(chain(model, x)) > 0
        assert holds(model, x, window, stride), seed
    assert chained > 20


IMAGES = {
    "convolutions": (lambda: Then(nn.Conv2d(3, 4, (3, 5), (2, 1), (1, 0)), nn.ReLU(),
                                  nn.MaxPool2d(3, 2, ceil_mode=True),
                                  nn.Conv2d(4, 4, 3, padding=(2, 1), dilation=(2, 1)), channels=4), (14, 17)),
    "in place, batch norm": (ImageNet, (27, 23)),
    "pooling over the channels as well": (
        lambda: Then(lambda x: functional.max_pool3d(x, (3, 2, 2)), channels=1), (14, 16)),
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_occlusion_of_images_equals_brute_force(name):
    make, size = IMAGES[name]
    model, x = seeded(make).double(), torch.randn(2, 3, *size).double()
    assert bool(chain(model, x)) == (name != "pooling over the channels as well")
    for window, stride in ((5, 3), (4, 4)):
        found = explain(model, x, "occlusion", target=1, window=window, stride=stride, baseline="mean")
        start = x.mean((2, 3), keepdim=True)
        wanted = brute_force(lambda z, start=start: model(z + start)[:, 1], x - start, window, stride, False)
        torch.testing.assert_close(found, wanted, atol=1e-9, rtol=0)


def test_occlusion_of_features_without_channels():
    model, x = seeded(lambda: nn.Linear(7, 2)).double(), torch.randn(2, 7).double()
    found = explain(model, x, "occlusion", target=1, window=1, stride=1)
    torch.testing.assert_close(found, model.weight[1].detach() * x)


def test_occlusion_of_the_log_odds_is_the_difference_of_two_maps():
    model, x = seeded(ReluECG), ecg_batch()
    one, other = (explain(model, x, "occlusion", target=t, window=16, stride=8) for t in (1, 0))
    found = explain(model, x, "occlusion", target=1, window=16, stride=8, explain="log-odds")
    torch.testing.assert_close(found, one - other, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "shape", "window", "stride"),
    [
        (ECGNet, (2, 12, 700), (1, 100), (1, 50)),
        (lambda: AlexNet(("a", "b"), 0.2), (1, 3, 128, 96), (3, 32, 32), (3, 16, 16)),
    ],
)
def test_occlusion_equals_captum_with_the_defaults(make, shape, window, stride):
    model, x = seeded(make), torch.randn(shape, generator=torch.Generator().manual_seed(0))
    peer = Occlusion(model).attribute(x, sliding_window_shapes=window, strides=stride, target=1)
    torch.testing.assert_close(explain(model, x, "occlusion", target=1), peer, atol=1e-5, rtol=0)


def test_occlusion_reports_each_evaluation_and_leaves_out_nearly_all_of_the_network(monkeypatch):
    model, x, seen, places = seeded(ECGNet), torch.randn(1, 12, 2000), [], []
    run = torch.conv2d
    monkeypatch.setattr(torch, "conv2d", lambda x, *rest: places.append(len(x) * x.shape[-1]) or run(x, *rest))
    attribute(model, x, "occlusion", target=1, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (469, 469)  # the ECG itself, and 12 leads x 39 windows
    assert sum(places) < 469 * (2000 + 1000 + 500 + 250 + 125) / 8


def test_occlusion_finds_the_convolutions_of_a_network():
    steps = chain(seeded(ECGNet), torch.randn(1, 12, 2000))
    assert [step.axes[0] for step in steps if step.axes] == [Axis(3, 1, 1), Axis(2, 2)] * 5


# --- KernelSHAP ----------------------------------------------------------------------------------------------


class Game(nn.Module):
    """Scores with interactions of all orders between segments of 5 samples of one lead."""

    def __init__(self, players=5):
        super().__init__()
        self.players = players
        self.hidden, self.out = nn.Linear(5 * players, 12), nn.Linear(12, 2)

    def forward(self, x):
        return self.out(torch.tanh(1.5 * self.hidden(x.flatten(1))))


def game(players, batch=1):
    model = seeded(lambda: Game(players)).double()
    x = torch.randn(batch, 1, 5 * players, generator=torch.Generator().manual_seed(5)).double()
    return model, x


def value_of(model, x, members):
    """Score of one sample where only some segments of 5 samples stay."""
    kept = torch.zeros(x.shape[-1] // 5, dtype=x.dtype)
    kept[list(members)] = 1
    with torch.no_grad():
        return float(model(x * kept.repeat_interleave(5))[0, 1])


def shapley(model, x):
    """Shapley values by their definition: the mean of what a player adds, over all coalitions of the others."""
    players = range(x.shape[-1] // 5)
    found = []
    for i in players:
        others, total = [j for j in players if j != i], 0.0
        for size in range(len(others) + 1):
            weight = factorial(size) * factorial(len(others) - size) / factorial(len(others) + 1)
            for members in combinations(others, size):
                total += weight * (value_of(model, x, (*members, i)) - value_of(model, x, members))
        found.append(total)
    return torch.tensor(found, dtype=torch.float64)


def test_shapley_by_definition_is_the_mean_over_orders():
    model, x = game(4)
    total, orders = torch.zeros(4).double(), list(permutations(range(4)))
    for order in orders:
        for k, i in enumerate(order):
            total[i] += value_of(model, x, order[: k + 1]) - value_of(model, x, order[:k])
    torch.testing.assert_close(total / len(orders), shapley(model, x))


@pytest.mark.parametrize("players", [1, 2, 5, 6])
def test_kernel_shap_is_the_shapley_value_of_small_games(players):
    model, x = game(players)
    found = explain(model, x, "kernel_shap", target=1, segment=5, samples=64)
    segments = found.view(players, 5)
    torch.testing.assert_close(segments.sum(1), shapley(model, x), atol=1e-9, rtol=0)
    torch.testing.assert_close(segments, segments[:, :1].expand(-1, 5))


def features_of(found):
    return found.unflatten(-1, (-1, 5)).sum(-1).flatten(1)


def wide():
    return game(11, batch=2)


def test_kernel_shap_by_sampling_is_unbiased_and_as_good_as_it_says():
    model, x = wide()
    exact = features_of(explain(model, x, "kernel_shap", target=1, segment=5, samples=2048))
    drawn = [receipt(model, x, "kernel_shap", 1, segment=5, samples=300, seed=s, progress=False) for s in range(8)]
    maps = torch.stack([features_of(one.relevance) for one in drawn])
    assert float((maps.mean(0) - exact).norm() / exact.norm()) < 0.04
    assert all(one.completeness < 1e-9 for one in drawn)
    assert all(one.agreement > 0.8 for one in drawn)
    assert receipt(model, x, "kernel_shap", 1, segment=5, samples=2048, progress=False).agreement is None


def test_kernel_shap_of_a_linear_network_is_exact_with_few_samples():
    model = seeded(lambda: linear_ecg(40)).double()
    x = ecg_batch(2, 40).double()
    start = torch.full_like(x, 0.3)
    found = explain(model, x, "kernel_shap", target=1, segment=20, samples=100, baseline=start)
    wanted = (model[0].weight[1].detach() * (x - start)).view(2, 12, 2, 20)
    torch.testing.assert_close(found.view(2, 12, 2, 20).sum(-1), wanted.sum(-1), atol=1e-9, rtol=0)


def test_shapley_coalitions_weigh_each_size_by_the_kernel():
    drawn = shapley_coalitions(9, 200, seed=0)
    sizes = drawn.kept.sum(1)
    kernel = torch.tensor([1 / (s * (9 - s)) for s in range(1, 9)]).double()
    mass = torch.stack([drawn.weights[sizes == s].sum() for s in range(1, 9)])
    counted = [s for s in range(1, 9) if (drawn.half[sizes == s] < 0).all()]
    assert {1, 8} <= set(counted) < set(range(1, 9))
    assert len(drawn.kept) <= 200
    for s in counted:
        assert mass[s - 1] == pytest.approx(float(kernel[s - 1] / kernel.sum()))
        assert len(torch.unique(drawn.kept[sizes == s], dim=0)) == (sizes == s).sum()
    torch.testing.assert_close(mass, kernel / kernel.sum(), atol=0.06, rtol=0)
    pairs = drawn.kept[drawn.half >= 0].view(-1, 2, 9)
    assert torch.equal(pairs[:, 0], ~pairs[:, 1])
    for rows, weights in drawn.halves():
        assert float(weights.sum()) == pytest.approx(1)
        assert len(weights) == rows.sum() < len(drawn.kept)


def test_kernel_shap_agrees_with_captum():
    model, x = game(6)
    torch.manual_seed(0)
    mask = features(x, 5)
    peer = KernelShap(model).attribute(x, target=1, feature_mask=mask, n_samples=4000, perturbations_per_eval=100)
    found = explain(model, x, "kernel_shap", target=1, segment=5)
    torch.testing.assert_close(found.view(6, 5).sum(1), peer.view(6, 5)[:, 0].double(), atol=0.02, rtol=0.02)


# --- LIME ----------------------------------------------------------------------------------------------------


def ridge_by_hand(model, x, width, ridge, samples):
    """Weighted ridge regression over all coalitions, the constant free, as a least-squares problem with more rows."""
    players = x.shape[-1] // 5
    z = np.array([[(k >> i) & 1 for i in range(players)] for k in range(2**players)], float)
    scores = np.array([value_of(model, x, np.flatnonzero(row)) for row in z])
    cosine = z.sum(1) / np.maximum(np.linalg.norm(z, axis=1) * np.sqrt(players), 1e-12)
    root = np.sqrt(np.exp(-((1 - cosine) ** 2) / width**2) * samples / len(z))
    rows = np.column_stack([z, np.ones(len(z))]) * root[:, None]
    rows = np.vstack([rows, np.sqrt(ridge) * np.eye(players, players + 1)])
    return np.linalg.lstsq(rows, np.concatenate([scores * root, np.zeros(players)]), rcond=None)[0][:players]


def test_lime_is_the_ridge_regression_over_all_coalitions():
    model, x = game(6)
    for given, width, ridge in (({}, 0.25, 1.0), ({"width": 0.6, "ridge": 40.0}, 0.6, 40.0), ({"ridge": 0.0}, 0.25, 0)):
        found = explain(model, x, "lime", target=1, segment=5, samples=1000, **given).view(6, 5).sum(1)
        wanted = torch.from_numpy(ridge_by_hand(model, x, width, ridge, 1000))
        torch.testing.assert_close(found, wanted, atol=1e-9, rtol=0)
    assert METHODS["lime"].defaults()["width"] == 0.25
    assert METHODS["lime"].defaults()["ridge"] == 1.0


def test_lime_by_sampling_nears_the_regression_over_all_coalitions():
    model, x = wide()
    exact = features_of(explain(model, x, "lime", target=1, segment=5, samples=2048))
    found = [receipt(model, x, "lime", 1, segment=5, samples=1500, seed=s, progress=False) for s in range(4)]
    mean = torch.stack([features_of(one.relevance) for one in found]).mean(0)
    assert float((mean - exact).norm() / exact.norm()) < 0.05
    assert all(one.agreement > 0.9 and one.completeness is None for one in found)


def test_lime_agrees_with_captum():
    model, x = game(6)

    def similarity(original, perturbed, kept, **_):
        distance = 1 - functional.cosine_similarity(kept.double(), torch.ones_like(kept).double())
        return torch.exp(-distance.square() / 0.25**2)

    torch.manual_seed(0)
    peer = Lime(model, interpretable_model=SkLearnRidge(alpha=1.0), similarity_func=similarity).attribute(
        x, target=1, feature_mask=features(x, 5), n_samples=6000, perturbations_per_eval=100
    )
    found = explain(model, x, "lime", target=1, segment=5, samples=6000).view(6, 5).sum(1)
    torch.testing.assert_close(found, peer.view(6, 5)[:, 0].double(), atol=0.03 * float(found.abs().max()), rtol=0)


def test_lime_coalitions_come_in_pairs_and_as_many_as_asked_for():
    drawn = lime_coalitions(20, 501, seed=1)
    pairs = drawn.kept.view(-1, 2, 20)
    assert len(drawn.kept) == 500
    assert torch.equal(pairs[:, 0], ~pairs[:, 1])
    assert [int((drawn.half == one).sum()) for one in (0, 1)] == [250, 250]
    assert abs(float(pairs[:, 0].double().mean()) - 0.5) < 0.03


# --- RISE ----------------------------------------------------------------------------------------------------


class Constant(nn.Module):
    """Scores that hardly depend on the input."""

    def forward(self, x):
        return 7 + 0 * x.flatten(1)[:, :2]


def test_rise_of_a_constant_score_is_zero():
    found = explain(Constant(), ecg_batch(2, 64).double(), "rise", target=1, samples=50, cell=16)
    assert float(found.abs().max()) < 1e-5


def test_rise_does_not_see_what_is_added_to_the_score():
    model, x = seeded(lambda: linear_ecg(64)).double(), ecg_batch(2, 64).double()
    before = explain(model, x, "rise", target=1, samples=50, cell=16)
    model[0].bias.data += 1000
    torch.testing.assert_close(explain(model, x, "rise", target=1, samples=50, cell=16), before, atol=1e-8, rtol=0)


def test_rise_is_the_covariance_of_score_and_mask():
    """One sample of one lead decides: its mask's covariance with those of its neighbours, from masks made by hand."""
    model, x = linear_ecg(32).double(), torch.ones(1, 12, 32).double()
    model[0].weight.data.zero_()
    model[0].weight.data[1, 4, 15] = 2.0
    found = explain(model, x, "rise", target=1, samples=6000, cell=8, keep=0.2)[0]
    random = np.random.default_rng(0)
    coarse = (random.random((20000, 5)) < 0.2).astype(float)
    places = (np.arange(32)[None] + random.integers(0, 8, 20000)[:, None] + 0.5) / 8 - 0.5
    low = np.clip(np.floor(places).astype(int), 0, 4)
    share = np.clip(places, 0, 4) - low
    rows = np.arange(20000)[:, None]
    masks = (1 - share) * coarse[rows, low] + share * coarse[rows, np.minimum(low + 1, 4)]
    wanted = 2 * ((masks - masks.mean(0)) * (masks[:, 15:16] - masks[:, 15].mean())).mean(0) / 0.2
    assert np.abs(found[4].numpy() - wanted).max() < 0.06 * wanted.max()
    assert float(found[[i for i in range(12) if i != 4]].abs().max()) < 0.1 * wanted.max()


# --- What is stated about sampling ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters", "samples"),
    [("rise", {"cell": 16}, 80), ("kernel_shap", {"segment": 8}, 600), ("lime", {"segment": 8}, 80),
     ("smoothgrad", {"noise": 1.0}, 6)],
)  # fmt: skip
def test_halves_correlate_as_independent_runs_do(name, parameters, samples):
    model, x = seeded(ReluECG, 28), 3 * ecg_batch(1)
    stated = [receipt(model, x, name, 1, samples=2 * samples, seed=s, progress=False, **parameters) for s in range(6)]
    runs = [explain(model, x, name, target=1, samples=samples, seed=100 + s, **parameters).flatten() for s in range(6)]
    found = torch.corrcoef(torch.stack(runs))
    independent = float((found.sum() - 6) / 30)
    assert 0.1 < independent < 0.99, "neither noise nor certainty would show anything"
    assert np.mean([one.agreement for one in stated]) == pytest.approx(independent, abs=0.15)


def test_noise_is_warned_of():
    model, x = seeded(ReluECG), ecg_batch(1)
    with pytest.warns(MethodWarning, match="two halves of its samples correlate"):
        explain(model, x, "kernel_shap", target=1, samples=30, segment=5)


class Squares(nn.Module):
    """A score whose gradient is twice the input: where noise can be seen."""

    def forward(self, x):
        return x.flatten(1).square().sum(1, keepdim=True).expand(-1, 2)


def test_noise_is_a_share_of_the_range_of_the_input():
    x = torch.linspace(5, 7, 12 * 50).view(1, 12, 50).double()
    variance = explain(Squares(), x, "vargrad", target=1, samples=800, noise=0.25)
    assert float(variance.mean()) == pytest.approx(4 * (0.25 * 2) ** 2, rel=0.02)
    spread = explain(Squares(), x, "smoothgrad", target=1, samples=100, noise=0.25) - 2 * x
    assert float(spread.std()) == pytest.approx(2 * 0.25 * 2 / 10, rel=0.1)


@pytest.mark.parametrize("name", ["occlusion", "kernel_shap", "lime", "rise"])
@pytest.mark.parametrize("shape", [(2, 9), (2, 2, 4, 5, 6)])
def test_inputs_of_any_shape_are_explained(name, shape):
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape[1:])), 2)), torch.randn(shape)
    size = {"occlusion": {"window": 2, "stride": 1}, "rise": {"samples": 2000, "cell": 2}}.get(name, {"segment": 5})
    found = explain(model, x, name, target=1, **size)
    assert found.shape == x.shape
    contribution = model[1].weight[1].detach().view(shape[1:]) * x
    if len(shape) == 2 and name in ("kernel_shap", "occlusion"):  # the first segment, or the first window, alone
        first, hidden = (5, 5) if name == "kernel_shap" else (1, 2)
        wanted = contribution[:, :hidden].sum(1)
        torch.testing.assert_close(found[:, :first].sum(1), wanted, atol=1e-4, rtol=0)
    if name == "kernel_shap":
        torch.testing.assert_close(found.flatten(1).sum(1), contribution.flatten(1).sum(1), atol=1e-4, rtol=0)


def test_images_are_explained_by_every_method():
    model, x = seeded(ImageNet), image_batch(1)
    for name, parameters in {"kernel_shap": {"segment": 8}, "lime": {"segment": 8}, "rise": {"cell": 8}}.items():
        found = explain(model, x, name, target=1, samples=40, **parameters)
        assert found.shape == x.shape
        assert float((found[:, 0] - found[:, 2]).abs().max()) == 0, name
