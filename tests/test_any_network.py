"""The same questions to every network: the published ones, and others that people bring."""

import re

import numpy as np
import pytest
import torch
from torch import nn

import leadwise
from leadwise import NETWORKS, Network, attribute, simulate_ecg
from leadwise.cohort import explain_cohort
from leadwise.comparison import compare
from leadwise.ecg.leads import LEADS
from leadwise.evaluation import (
    across_seeds,
    deletion,
    efficient_randomisation,
    infidelity,
    insertion,
    localise,
    road,
    sensitivity_max,
    weight_randomisation,
    weighted_layers,
)
from leadwise.explorers import ECGExplorer, MethodGrid, OwnECG
from leadwise.networks.network import network_of
from leadwise.networks.transformer import ECGTransformer
from leadwise.networks.xresnet1d import XResNet1d
from leadwise.report import report
from leadwise.semantics import (
    agreement,
    beat_average,
    describe,
    group_relevance,
    lead_wave_matrix,
    waves_of,
)

EIGHT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
MANY = (*(f"SCP {i}" for i in range(69)), "CLBBB", "CRBBB")
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning"),
]


class OneLogit(nn.Module):
    """(N, 2, T) -> one logit (N,)."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv1d(2, 6, 15), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten())
        self.head = nn.Linear(6, 1)

    def forward(self, x):
        return self.head(self.body(x))[:, 0]


class GRU(nn.Module):
    """(N, T, 12) -> three logits."""

    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(12, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.gru(x)[0].mean(1))


class Flat(nn.Module):
    """(N, 1, 12, T) -> probabilities of two labels: leads are the rows of a picture."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 6, (12, 25), stride=(1, 3)), nn.Linear(6, 2)

    def forward(self, x):
        return torch.sigmoid(self.head(torch.relu(self.conv(x)).mean((2, 3))))


def seeded(make, seed=4):
    torch.manual_seed(seed)
    return make()  # in training mode, as many bring it


FOREIGN = {
    "xresnet1d": lambda: Network(
        seeded(lambda: XResNet1d(leads=8, classes=71, width=8)), leads=EIGHT, fs=100, samples=800, classes=MANY,
        outputs="labels", criteria={"CLBBB": "LBBB", "CRBBB": "RBBB"},
    ),
    "one logit": lambda: Network(
        seeded(OneLogit), leads=("V1", "II"), fs=250, samples=1500, classes=("LBBB",), criteria={"LBBB": "LBBB"}
    ),
    "channel-last GRU": lambda: Network(
        seeded(GRU), leads=LEADS, fs=50, samples=300, classes=("normal", "CLBBB", "other"), outputs="classes",
        layout="NTC", preprocess="published", criteria={"CLBBB": {"says": "broad QRS", "waves": ["QRS"],
                                                                "leads": ["V1", "V6"], "source": "a textbook"}},
    ),
    "picture of leads": lambda: Network(
        seeded(Flat), leads=LEADS, fs=200, samples=None, classes=("LBBB", "RBBB"), outputs="probabilities",
        layout="N1CT", criteria={"LBBB": "LBBB"},
    ),
    "transformer": lambda: Network(
        seeded(lambda: ECGTransformer(leads=12, classes=4, samples=400, width=16)), leads=LEADS, fs=100, samples=400,
        classes=("NORM", "LBBB", "RBBB", "AVB"), outputs="classes", criteria={"LBBB": "LBBB"},
    ),
}  # fmt: skip
COURSE = {
    name: lambda name=name: network_of(leadwise.load_ecg_model(name, "embedded"))
    for name in ("AVB", "ISCH", "LBBB", "RBBB")
}
ALL = FOREIGN | COURSE
TARGET = {"xresnet1d": "CLBBB", "channel-last GRU": "CLBBB", "picture of leads": "LBBB", "transformer": "LBBB"}


@pytest.fixture(scope="module", params=ALL)
def case(request):
    net = ALL[request.param]()
    return net, net.index(TARGET.get(request.param))


@pytest.fixture(scope="module")
def ecg():
    return simulate_ecg("LBBB", seed=2_000_001, seconds=10)


def own_probability(net, x):
    """The module's own answer in evaluation, by hand."""
    module = net.module
    was = module.training
    module.eval()
    with torch.no_grad():
        out = module(x)
    module.train(was)
    out = out[:, None] if out.ndim == 1 else out
    if net.outputs == "probabilities":
        return out
    return torch.softmax(out, 1) if net.outputs == "classes" else torch.sigmoid(out)


def test_its_probability_is_its_own(case, ecg):
    net, _ = case
    x = net.input(ecg)
    torch.testing.assert_close(net.probability(x), own_probability(net, x), atol=1e-6, rtol=1e-6)


def test_its_window_lasts_as_long_as_it_says(case, ecg):
    net, _ = case
    rows = net.by_leads(net.input(ecg, 1.0))
    assert rows.shape[1] == len(net.leads)
    assert rows.shape[2] / net.fs == (net.duration or 9.0)


@pytest.mark.parametrize("method", ["gradient_x_input", "occlusion", "integrated_gradients"])
def test_it_is_explained(case, ecg, method):
    net, target = case
    x = net.input(ecg)
    steps = {"steps": 200} if method == "integrated_gradients" else {}
    relevance = attribute(net, x, method, target, explain="log-odds", progress=False, **steps)
    assert relevance.shape == x.shape
    assert torch.isfinite(relevance).all()
    assert relevance.abs().sum() > 0
    if method == "integrated_gradients":  # completeness, against the network's own answers
        change = net.log_odds(x)[0, target] - net.log_odds(torch.zeros_like(x))[0, target]
        assert float(relevance.sum()) == pytest.approx(float(change.detach()), abs=0.02 * float(relevance.abs().sum()))


def test_its_map_is_described(case, ecg):
    net, target = case
    x = net.input(ecg, 0.5)
    relevance = net.by_leads(attribute(net, x, "gradient_x_input", target))[0]
    waves = waves_of(ecg, 0.5, fs=net.fs)
    matrix = lead_wave_matrix(relevance, waves, net.leads)
    assert matrix.names[0] == net.leads
    assert matrix.sum().sum() == pytest.approx(float(relevance.sum()), rel=1e-3, abs=1e-4)
    # QRS takes the share of the window that it has on the simulated patient, whatever the rate
    time = np.arange(relevance.shape[1]) / net.fs + 0.5
    inside = np.zeros(len(time), bool)
    for wave in ecg.waves:
        if wave.kind == "QRS":
            inside |= (time >= wave.onset / ecg.fs) & (time < wave.offset / ecg.fs)
    beats = sum(wave.kind == "QRS" for wave in ecg.waves)
    assert matrix.along(1).area[2] == pytest.approx(inside.mean(), abs=beats / len(time))
    sentence = describe(matrix)
    assert set(re.findall(r"in (aV[RLF]|I{1,3}|V\d) \(", sentence)) <= set(net.leads)
    criterion = net.criteria.get(net.class_name(target))
    if criterion is not None:
        assert 0 <= agreement(matrix, criterion).share <= 1
    assert group_relevance(matrix).sum().sum() == pytest.approx(matrix.sum().sum(), rel=1e-6, abs=1e-9)


def test_its_average_beat(case, ecg):
    net, target = case
    x = net.input(ecg)
    relevance = net.by_leads(attribute(net, x, "gradient_x_input", target))[0]
    waves, signal = waves_of(ecg, fs=net.fs), net.by_leads(x)[0]
    beat = beat_average(relevance, waves, signal, fs=net.fs, leads=net.leads)
    assert beat.mean.shape == (len(net.leads), round(0.35 * net.fs) + round(0.5 * net.fs))
    assert beat.count >= 3
    assert beat.plot()


def test_a_cohort_of_twenty(case):
    net, target = case
    seeds = range(2_000_100, 2_000_120)
    made = [lambda seed=seed: simulate_ecg("LBBB", seed, seconds=8) for seed in seeds]
    cohort = explain_cohort(net, made, "gradient_x_input", target=target, progress=False)
    assert cohort.records + cohort.left_out == 20
    assert cohort.records >= 18
    assert cohort.mean("share").shape == (len(net.leads), 6)
    assert cohort.table().names[0] == net.leads
    assert cohort.beat().fs == net.fs
    if not cohort.left_out:
        own = [float(own_probability(net, net.input(make()))[0, target]) for make in made]
        assert float(cohort.mean("probability")) == pytest.approx(np.mean(own), abs=1e-6)


def test_the_probability_of_a_cohort_is_that_of_the_explained_class():
    """Not of class 1, whatever was asked for."""
    net, records = COURSE["LBBB"](), [simulate_ecg("LBBB", 2_000_201, seconds=5)]
    found = [
        float(explain_cohort(net, records, "gradient", target=target, progress=False).mean("probability"))
        for target in ("no finding", "LBBB")
    ]
    assert sum(found) == pytest.approx(1)
    assert found[1] > 0.9
    with pytest.raises(ValueError, match="target is 'RBBB'"):
        explain_cohort(net, records, "gradient", target="RBBB")
    with pytest.raises(ValueError, match="does not say which recordings it takes"):
        explain_cohort(nn.Flatten(), records, "gradient")
    with pytest.raises(ValueError, match="target is None; expected one of 'SCP 0'"):
        explain_cohort(FOREIGN["xresnet1d"](), records, "gradient")


def test_methods_are_compared(case, ecg, tmp_path):
    net, target = case
    paths = compare(net, ecg, tmp_path, ["gradient", "gradient_x_input"], target)
    assert len(paths) == 6
    assert all(path.stat().st_size > 1000 for path in paths)


def test_its_map_is_evaluated(case, ecg):
    net, target = case
    x = net.input(ecg)
    relevance = attribute(net, x, "gradient_x_input", target)
    curve = deletion(net, x, relevance, target, steps=4, progress=False)
    assert curve.unit == round(0.1 * net.fs)
    p = deletion(net, x, relevance, target, steps=1, score="probability", progress=False).values[0, 0]
    assert p == pytest.approx(float(own_probability(net, x)[0, target]), abs=1e-6)
    assert infidelity(net, x, relevance, target, samples=3, progress=False) >= 0
    with torch.no_grad():
        ends = [float(net.logits(one)[0, target]) for one in (x, torch.zeros_like(x))]
    assert curve.values[0, [0, -1]] == pytest.approx(ends, abs=1e-4)
    mask = (
        ecg.resample(net.fs).window(0, net.by_leads(x).shape[-1]).causal_mask[[LEADS.index(one) for one in net.leads]]
    )
    found = localise(net.by_leads(relevance), mask[None])
    lift = found.pop("normalised_lift")  # below 0 where chance finds more, which a network with any weights may do
    assert not lift[0] > 1
    assert all(0 <= float(values[0]) <= 1 for values in found.values() if np.isfinite(values[0]))


def test_every_other_check_takes_it(case, ecg):
    """Deletion backwards, ROAD, random weights and noise: with the network as it is, and none of it touched."""
    net, target = case
    x = net.input(ecg)
    before = {name: value.clone() for name, value in net.module.state_dict().items()}
    relevance, how = attribute(net, x, "gradient_x_input", target), {"steps": 2, "progress": False}
    own = [float(net.logits(one)[0, target].detach()) for one in (torch.zeros_like(x), x)]
    assert insertion(net, x, relevance, target, **how).values[0, [0, -1]] == pytest.approx(own, abs=1e-4)
    assert road(net, x, relevance, target, **how).values[0, 0] == pytest.approx(own[1], abs=1e-4)
    last = weighted_layers(net)[:1]
    asked = net, x, "gradient_x_input", target
    assert weight_randomisation(*asked, layers=last, progress=False).signed.shape == (1, 1)
    assert np.isfinite(efficient_randomisation(*asked)).all()
    assert float(sensitivity_max(*asked, samples=2)[0]) > 0
    assert across_seeds(net, x, "random", target, seeds=(0, 1)).shape == (2, *x.shape)
    assert all(torch.equal(value, before[name]) for name, value in net.module.state_dict().items())


def test_explorers_show_it(case, data_dir, patient):
    net, target = case
    x = net.input(leadwise.load_record("sim-lbbb-1"))
    p = f"{float(own_probability(net, x)[0, target]):.3f}"
    with ECGExplorer("sim-lbbb-1", model=net, method="gradient") as explorer:
        explorer.controls["target"].value = target
        assert explorer.error is None
        assert f"p({net.class_name(target)}) = {p}" in explorer.message.value
        assert explorer.canvas.samples == net.by_leads(x).shape[-1]
        assert explorer.canvas.fs == net.fs
        for family in ("perturbation", "cam", "LRP", "gradient"):
            explorer.controls["family"].value = family
        explorer.controls["model"].value = "LBBB"
        assert explorer.error is None
        assert explorer.canvas.fs == 500
    with MethodGrid("sim-lbbb-1", net, ("gradient", "random"), target=target) as grid:
        grid.wait()
        assert grid.error is None
        assert f"= {p}" in grid.message.value


def one_answer(net):
    return len(net.classes) == 1 or (len(net.classes) == 2 and net.outputs == "classes")


def test_a_page_about_it(case, data_dir, tmp_path, patient):
    """The report and OwnECG say its own probabilities, of its own classes, over its own window."""
    net, target = case
    ecg = leadwise.load_record("sim-lbbb-1")
    own = own_probability(net, net.input(ecg, 1.0))[0]
    entry = "net" if one_answer(net) else f"net: {net.class_name(target)}"
    page = report(ecg, {"net": net}, method="gradient", explain=entry, start=1.0, folder=tmp_path)
    e = page.explanation
    assert e.model == entry
    assert e.probabilities[entry] == pytest.approx(float(own[target]), abs=1e-6)
    assert e.stop - e.start == pytest.approx(net.duration or ecg.duration - 1)
    assert e.relevance.shape == (len(net.leads), round((e.stop - e.start) * net.fs))
    named = {net.class_name(k) for k in range(len(own)) if own[k] >= 0.5}
    if not one_answer(net):
        assert {name.removeprefix("net: ") for name in e.named} >= named
    assert page.pdf.stat().st_size > 10_000
    with OwnECG(ecg, method="gradient", models={"net": net}, folder=tmp_path) as explorer:
        assert explorer.error is None
        explorer.controls["start"].value = 0.5
        assert explorer.error is None
        assert "p(net" in explorer.message.value


def test_a_network_of_ones_own_is_in_every_menu(data_dir, patient):
    NETWORKS["mine"] = FOREIGN["transformer"]()
    try:
        with ECGExplorer("sim-lbbb-1", method="gradient") as explorer:
            explorer.controls["model"].value = "mine"
            assert explorer.error is None
            assert "the mine network" in explorer.canvas.title
            assert [text for text, _ in explorer.controls["target"].options][1:] == ["NORM", "LBBB", "RBBB", "AVB"]
        with MethodGrid("sim-lbbb-1", "mine", ("gradient",)) as grid:
            assert grid.error is None
    finally:
        del NETWORKS["mine"]


def test_it_is_saved_and_read_back(case, ecg, tmp_path):
    net, _ = case
    card = net.save(tmp_path / "net")
    back, x = Network.load(card, trust=True), net.input(ecg)
    assert torch.equal(back.probability(x), net.probability(x))
    assert (back.leads, back.fs, back.samples, back.classes) == (net.leads, net.fs, net.samples, net.classes)
