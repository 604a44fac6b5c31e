"""A network of one's own: said once, asked everywhere, saved and read back; and architectures that others train."""

import json
from itertools import pairwise

import h5py
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import leadwise
from leadwise import NETWORKS, Network, attribute, simulate_ecg
from leadwise.attribution import receipt
from leadwise.ecg.leads import LEADS
from leadwise.networks.network import network_of
from leadwise.networks.ribeiro import RibeiroNet, load_ribeiro
from leadwise.networks.transformer import ECGTransformer
from leadwise.networks.weights import WeightsError
from leadwise.networks.xresnet1d import XResNet1d, load_xresnet1d
from leadwise.paths import ASSETS
from leadwise.simulation.simulate import simulate_batch

EIGHT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
pytestmark = pytest.mark.usefixtures("one_thread")


class Mean(nn.Module):
    """K logits: the mean of the first K rows."""

    def __init__(self, classes):
        super().__init__()
        self.classes = classes

    def forward(self, x):
        return x.mean(-1)[:, : self.classes]


def mean_net(count=2, **said):
    return Network(Mean(count), **{"leads": EIGHT, "fs": 100, "samples": 1000, **said})


@pytest.fixture(scope="module")
def ecg():
    return simulate_ecg("LBBB", seed=3)


# --- What goes in ------------------------------------------------------------------------------------------


def test_the_input_is_the_stated_leads_at_the_stated_rate_for_the_stated_time(ecg):
    net = mean_net(leads=("V6", "I", "aVR"), samples=300)
    x = net.input(ecg, 2.5)
    assert x.shape == (1, 3, 300)
    whole = ecg.resample(100)
    for row, lead in zip(x[0], ("V6", "I", "aVR"), strict=True):
        np.testing.assert_array_equal(row, whole.lead(lead)[250:550])
    assert net.duration == 3


@pytest.mark.parametrize(("layout", "shape"), [("NCT", (1, 8, 500)), ("NTC", (1, 500, 8)), ("N1CT", (1, 1, 8, 500))])
def test_layouts_there_and_back(ecg, layout, shape):
    class Any(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :2]

    net = Network(Any(), leads=EIGHT, fs=250, samples=500, layout=layout)
    x = net.input(ecg, 1.0)
    assert x.shape == shape == (1, *net.sample_shape)
    rows = net.by_leads(x)[0]
    np.testing.assert_array_equal(rows, ecg.resample(250).window(1.0, 500).signal[[LEADS.index(one) for one in EIGHT]])
    back = net.on_recording(x, net.recording(ecg), 1.0)
    assert back.shape == (12, 2500)
    np.testing.assert_array_equal(back[LEADS.index("V3"), 250:750], rows[4])
    assert not back[LEADS.index("aVF")].any()
    assert not back[:, 750:].any()


def test_what_comes_before_the_network(ecg):
    published = mean_net(leads=LEADS, fs=500, samples=2000, preprocess="published")
    np.testing.assert_array_equal(published.input(ecg)[0], ecg.preprocess().window().signal)
    np.testing.assert_array_equal(published.input(ecg.preprocess())[0], ecg.preprocess().window().signal)

    def doubled(ecg):
        return leadwise.ECG(2 * ecg.signal, ecg.fs)

    np.testing.assert_allclose(mean_net(preprocess=doubled).input(ecg), 2 * mean_net().input(ecg), atol=1e-6)
    with pytest.raises(ValueError, match="preprocess returned a ndarray"):
        mean_net(preprocess=lambda ecg: ecg.signal).input(ecg)


def test_a_recording_that_is_too_short_is_refused(ecg):
    with pytest.raises(ValueError, match=r"a window of 10 s .* does not fit"):
        mean_net().input(ecg.window(0, 2000))
    assert mean_net(samples=None).input(ecg, 4.0).shape == (1, 8, 600)


# --- What comes out ----------------------------------------------------------------------------------------


def test_probabilities_are_the_networks_own():
    torch.manual_seed(0)
    x = torch.randn(5, 8, 1000)
    logits = x.double().mean(-1)
    one = mean_net(1).probability(x)
    torch.testing.assert_close(one, torch.sigmoid(logits[:, :1]).float())
    labels = mean_net(5, outputs="labels").probability(x)
    torch.testing.assert_close(labels, torch.sigmoid(logits[:, :5]).float())
    classes = mean_net(5, outputs="classes").probability(x)
    torch.testing.assert_close(classes, torch.softmax(logits[:, :5], 1).float())


@pytest.mark.parametrize("final", [nn.Sigmoid(), nn.Softmax(1)])
@pytest.mark.parametrize("outputs", ["probabilities", None])
def test_a_module_that_ends_in_probabilities_gives_them(final, outputs):
    x, module = torch.randn(3, 8, 1000), nn.Sequential(Mean(4), final)
    net = Network(module, leads=EIGHT, fs=100, samples=1000, outputs=outputs)
    torch.testing.assert_close(net.probability(x), module(x))
    torch.testing.assert_close(net.log_odds(x), torch.logit(module(x)), atol=1e-5, rtol=1e-5)


def test_probabilities_made_out_of_sight_are_read_as_such():
    class Hidden(nn.Module):
        def forward(self, x):
            return 1 / (1 + torch.exp(-x.mean(-1)[:, :3]))

    x = torch.randn(3, 8, 1000)
    net = Network(Hidden(), leads=EIGHT, fs=100, samples=1000, outputs="probabilities")
    torch.testing.assert_close(net.probability(x), Hidden()(x))
    torch.testing.assert_close(net.logits(x), x.mean(-1)[:, :3], atol=1e-5, rtol=1e-5)
    loud = Network(Mean(3), outputs="probabilities")
    with pytest.raises(ValueError, match=r"gives values from .* to .*; expected 0 to 1"):
        loud.probability(100 * x)


def test_log_odds_are_those_of_the_probabilities():
    x = torch.randn(4, 8, 1000).double()
    for outputs in ("labels", "classes"):
        for count in (2, 6):
            net = mean_net(count, outputs=outputs)
            torch.testing.assert_close(net.log_odds(x), torch.logit(net.probability(x)))


def test_what_nothing_says_is_asked_for():
    with pytest.raises(ValueError, match="4 logits, and nothing says whether its classes exclude each other"):
        mean_net(4).probability(torch.zeros(1, 8, 1000))


def test_a_network_in_training_mode_has_one_probability(ecg):
    model = leadwise.load_ecg_model("LBBB", "embedded").train()
    net = network_of(model)
    x = net.input(ecg)
    found = {float(net.probability(x)[0, 1]) for _ in range(3)}
    assert len(found) == 1
    assert found.pop() == pytest.approx(float(model.eval().probability(x)), abs=1e-6)


# --- What can't be true is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"leads": ("I", "MLII")}, r"leads is \('I', 'MLII'\); expected a tuple of different names among I, II"),
        ({"leads": ("I", "I")}, "expected a tuple of different names"),
        ({"leads": "II"}, "leads is 'II'"),
        ({"leads": ("I", "II", "V1")}, "does not take"),
        ({"fs": 0}, "fs is 0; expected a positive sampling rate"),
        ({"fs": "100"}, "fs is '100'"),
        ({"samples": 10.5}, "samples is 10.5; expected a whole number"),
        ({"classes": ("a", "a")}, "expected a tuple of different names"),
        ({"classes": ("a", "b", "c")}, "classes names 3; the network has 2 outputs"),
        ({"outputs": "softmax"}, "outputs is 'softmax'"),
        ({"layout": "TCN"}, "layout is 'TCN'"),
        ({"layout": "NTC"}, "does not take"),
        ({"layout": "NCHW"}, "that of pictures, but leads are named"),
        ({"preprocess": "filtered"}, "preprocess is 'filtered'"),
        ({"criteria": {"MI": "LBBB"}}, "criteria names 'MI'"),
    ],
)
def test_a_description_that_cannot_be_true(said, message):
    module = nn.Sequential(nn.Conv1d(8, 2, 5), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    with pytest.raises(ValueError, match=message):
        Network(module, **{"leads": EIGHT, "fs": 100, "samples": 1000, **said})


def test_contradictions_with_what_the_network_does():
    sigmoid = nn.Sequential(Mean(3), nn.Sigmoid())
    with pytest.raises(ValueError, match="outputs is 'classes', but the network ends in a sigmoid; expected 'labels'"):
        Network(sigmoid, leads=EIGHT, fs=100, samples=1000, outputs="classes")
    with pytest.raises(ValueError, match="one output, which would always be certain"):
        mean_net(1, outputs="classes")
    broken = nn.Sequential(nn.Flatten(), nn.Linear(80, 2))
    broken[1].weight.data.fill_(torch.nan)
    with pytest.raises(ValueError, match="NaN or infinite values"):
        Network(broken, leads=EIGHT, fs=100, samples=10)


def test_classes_by_name():
    net = mean_net(2, classes=("healthy", "ill"))
    assert (net.index("healthy"), net.index("ill"), net.index(1), net.index()) == (0, 1, 1, 1)
    assert mean_net(1, classes=("AF",)).index() == 0
    for target in ("AF", 2, -1, True, 0.5):
        with pytest.raises(ValueError, match="expected one of 'healthy', 'ill' or its index"):
            net.index(target)
    with pytest.raises(ValueError, match="target is None"):
        mean_net(2, classes=("AF", "MI"), outputs="labels").index()


def test_it_says_what_it_is():
    text = repr(mean_net(5, classes=("NORM", "MI", "STTC", "CD", "HYP"), outputs="labels", preprocess="published"))
    assert text == (
        "Network(Mean: I, II, V1, V2, V3, V4, V5, V6 · 10 s at 100 Hz (1000 samples), published filters -> "
        "labels NORM, MI, STTC, CD, HYP)"
    )
    assert repr(Network(nn.Linear(2, 2))) == "Network(Linear)"


# --- Methods count in milliseconds and take away parts of leads -----------------------------------------------


def weighted(layout, fs, seed=0):
    """A linear network over leads and time, in any layout: taking a part away costs exactly that part of x w."""

    class Weighted(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(2, 8, 2 * fs, generator=torch.Generator().manual_seed(seed)))

        def forward(self, x):
            x = x.transpose(1, 2) if layout == "NTC" else x[:, 0] if layout == "N1CT" else x
            return torch.einsum("nct,kct->nk", x, self.w)

    return Network(Weighted(), leads=EIGHT, fs=fs, samples=2 * fs, layout=layout)


@pytest.mark.parametrize("fs", [50, 100, 250])
@pytest.mark.parametrize("layout", ["NCT", "NTC", "N1CT"])
def test_occlusion_hides_the_stated_time_of_one_lead(layout, fs):
    net, x = weighted(layout, fs), torch.randn(1, 8, 2 * fs)
    found = net.by_leads(attribute(net, net.laid_out(x), "occlusion", 1, window=400, stride=400, progress=False))
    parts = (x * net.module.w[1]).detach().unflatten(-1, (5, -1)).sum(-1, keepdim=True)
    assert fs * 0.4 == 2 * fs / 5
    torch.testing.assert_close(found, parts.expand(-1, -1, -1, 2 * fs // 5).flatten(2), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("method", ["kernel_shap", "lime", "rise"])
@pytest.mark.parametrize("layout", ["NTC", "N1CT"])
@pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning")
def test_a_map_does_not_depend_on_the_layout(method, layout):
    x, given = torch.randn(1, 8, 100), {"samples": 60, "progress": False}
    plain = attribute(weighted("NCT", 50), x, method, 1, **given)
    other = weighted(layout, 50)
    torch.testing.assert_close(other.by_leads(attribute(other, other.laid_out(x), method, 1, **given)), plain)


# --- The registry ---------------------------------------------------------------------------------------------


@pytest.fixture
def own():
    NETWORKS["mine"] = mean_net(2, classes=("AF", "MI"), outputs="labels")
    yield NETWORKS["mine"]
    del NETWORKS["mine"]


def test_a_network_of_ones_own_stands_in_the_menus(own):
    assert ("mine", "mine") in NETWORKS.menu("ecg")
    assert "mine" not in NETWORKS.names("image")
    assert own.name == "mine"
    with pytest.raises(ValueError, match="expected one that no network of the course has"):
        NETWORKS["LBBB"] = own
    with pytest.raises(ValueError, match="does not say enough for a menu"):
        NETWORKS["bare"] = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="belongs to the course"):
        del NETWORKS["AlexNet"]
    with pytest.raises(ValueError, match="no network 'MI'; expected one of AVB"):
        NETWORKS["MI"]


def test_every_network_of_the_course_can_be_had(ecg):
    assert set(NETWORKS.names("ecg")) >= {"AVB", "ISCH", "LBBB", "RBBB"}
    for name in NETWORKS.names("ecg"):
        net = NETWORKS[name]
        assert net.is_ecg
        p = net.probability(net.input(ecg))
        assert ((p >= 0) & (p <= 1)).all()
        assert net.outputs == "labels" or p.sum() == pytest.approx(1)
    assert NETWORKS["AlexNet"].layout == "NCHW"


ARCHITECTURES = ("xresnet1d", "transformer")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_embedded_architectures_name_the_conditions_of_patients_that_no_training_saw(name):
    net = NETWORKS[name]
    report = json.loads((ASSETS / "architectures" / "architectures_report.json").read_text())["networks"][name]
    for condition in ("ISCH", "LBBB", "RBBB"):
        batch = simulate_batch(condition, range(2_000_000, 2_000_012))
        p = []
        for signals in (batch.signal, batch.counterfactual):
            ecgs = [leadwise.ECG(signal, 500, LEADS) for signal in signals]
            p.append(torch.cat([net.probability(net.input(one)) for one in ecgs])[:, net.index(condition)])
        assert (p[0] > 0.5).float().mean() >= 0.8, condition
        assert (p[1] > 0.5).float().mean() <= 0.2, condition
        assert report["auc"][condition] > 0.95


# --- Saved and read back ---------------------------------------------------------------------------------------


def small(**said):
    torch.manual_seed(1)
    module = XResNet1d(leads=8, classes=3, width=8).eval()
    return Network(module, leads=EIGHT, fs=100, samples=1000, classes=("MI", "STTC", "CD"), outputs="labels", **said)


def test_a_network_comes_back_as_it_was(tmp_path):
    net = small(preprocess="published", criteria={"CD": "LBBB"}, name="mine", source="trained in a test")
    card = net.save(tmp_path / "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json", "mine.safetensors"]
    back, x = Network.load(card), torch.randn(2, 8, 1000)
    assert torch.equal(back.probability(x), net.probability(x))
    for name in ("leads", "fs", "samples", "preprocess", "classes", "outputs", "layout", "pick", "criteria", "name"):
        assert getattr(back, name) == getattr(net, name), name
    assert repr(Network.load(tmp_path / "mine.safetensors")) == repr(net)


def test_every_architecture_of_the_course_comes_back(tmp_path):
    x = torch.randn(1, 12, 2000) / 10
    for i, module in enumerate(
        [
            leadwise.load_ecg_model("AVB", "embedded"),
            RibeiroNet(samples=2000, filters=(4, 4, 4, 4, 4)).eval(),
            ECGTransformer(samples=2000, width=8).eval(),
        ]
    ):
        net = network_of(module)
        back = Network.load(net.save(tmp_path / str(i)))
        assert torch.equal(back.logits(x), net.logits(x))


def test_code_from_elsewhere_is_run_only_where_it_is_trusted(tmp_path):
    code = tmp_path / "src" / "tiny.py"
    code.parent.mkdir()
    code.write_text(
        "from pathlib import Path\nfrom torch import nn\nPath(__file__).with_suffix('.ran').touch()\n"
        "class Tiny(nn.Sequential):\n    def __init__(self, rows):\n        "
        "super().__init__(nn.Flatten(), nn.Linear(rows, 2))\n"
    )
    module = nn.Sequential(nn.Flatten(), nn.Linear(80, 2)).eval()
    net = Network(module, leads=EIGHT, fs=10, samples=10)
    with pytest.raises(ValueError, match=r"can't be built|other weights than this one"):
        net.save(tmp_path / "out" / "tiny")
    card = net.save(tmp_path / "out" / "tiny", f"{code}:Tiny", rows=80)
    ran = tmp_path / "out" / "tiny.ran"
    with pytest.raises(WeightsError, match=r"asks to run .*tiny.py, code from elsewhere.*trust=True"):
        Network.load(card)
    assert not ran.exists()
    x = torch.randn(3, 8, 10)
    assert torch.equal(Network.load(card, trust=True).logits(x), net.logits(x))
    assert ran.exists()


@pytest.mark.parametrize("place", ["os:system", "subprocess:run", "leadwise.paths:os.system", "torch:load"])
def test_a_card_calls_nothing_but_networks(tmp_path, place):
    card = small().save(tmp_path / "mine")
    content = json.loads(card.read_text())
    card.write_text(json.dumps(content | {"architecture": place, "arguments": {}}))
    with pytest.raises(WeightsError, match=r"code from elsewhere|no class of networks"):
        Network.load(card)


def test_damaged_files_are_named(tmp_path):
    card = small().save(tmp_path / "mine")
    other = small()
    other.module[0][0].weight.data.add_(1)
    other.save(tmp_path / "other")
    (tmp_path / "other.safetensors").rename(tmp_path / "mine.safetensors")
    with pytest.raises(WeightsError, match="other weights than the card says"):
        Network.load(card)
    card.write_text("{}")
    with pytest.raises(WeightsError, match="not the card of a network"):
        Network.load(card)
    with pytest.raises(WeightsError, match="not the card of a network"):
        Network.load(tmp_path / "nothing")


def test_a_function_that_nobody_else_has_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match=r"preprocess is .* which a card can't name"):
        small(preprocess=lambda ecg: ecg).save(tmp_path / "mine")


# --- Architectures ----------------------------------------------------------------------------------------------

ARCHITECTURES = {
    "xresnet1d18": lambda: XResNet1d(leads=8, classes=5, width=8),
    "xresnet1d50": lambda: XResNet1d(leads=8, classes=5, depth=50, width=4, hidden=(6,)),
    "ribeiro": lambda: RibeiroNet(leads=8, classes=5, samples=1000, filters=(4, 6, 8, 8, 8)),
    "transformer": lambda: ECGTransformer(leads=8, classes=5, samples=1000, width=16),
}


def random_statistics(module):
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d):
            nn.init.normal_(part.running_mean, std=0.2)
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, std=0.2)
    return module.eval()


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning")
def test_every_architecture_is_explained(name, ecg):
    torch.manual_seed(0)
    module = random_statistics(ARCHITECTURES[name]())
    net = Network(module, leads=EIGHT, fs=100, samples=1000, classes=tuple("abcde"), outputs="labels")
    x = net.input(ecg)
    relevance = attribute(net, x, "lrp_epsilon", 3, epsilon=1e-6)
    assert relevance.shape == x.shape
    told = receipt(net.module.double(), x.double(), "lrp_epsilon", 3, epsilon=1e-9)
    total = float(told.conserved.sum()) + told.bias + told.absorbed
    assert total == pytest.approx(float(told.explained.sum()), rel=1e-6)
    told = receipt(net, x.double(), "integrated_gradients", 3, steps=1000)
    assert told.completeness < 0.02


def test_xresnet_has_the_parameters_of_the_published_ones():
    """1-D xresnets of the benchmark, counted by hand from its layers: stem, four stages, concatenated pooling."""

    def conv(a, b, k):
        return a * b * k + 2 * b

    stem = conv(12, 32, 5) + conv(32, 32, 5) + conv(32, 64, 5)
    basic = 2 * conv(64, 64, 5)
    head = 2 * 128 + 128 * 71 + 71
    assert sum(p.numel() for p in XResNet1d().parameters()) == stem + 8 * basic + head
    inner = conv(64, 64, 5) + conv(64, 256, 1)
    stages = conv(64, 64, 1) + inner + conv(64, 256, 1) + 32 * (conv(256, 64, 1) + inner)
    head = 2 * 512 + 512 * 128 + 128 + 2 * 128 + 128 * 71 + 71
    model = XResNet1d(depth=101, hidden=(128,))
    assert sum(p.numel() for p in model.parameters()) == stem + stages + head


@pytest.mark.parametrize("given", [{"depth": 18}, {"depth": 101, "hidden": (128,), "leads": 8, "classes": 5}])
def test_weights_of_the_benchmarks_names_and_shapes_are_loaded(tmp_path, given):
    """The authors' blocks register their convolutions twice, as convs and in convpath; fastai saves under "model"."""
    torch.manual_seed(2)
    model = random_statistics(XResNet1d(**{"width": 64, **given}))
    state = dict(model.state_dict())
    state |= {name.replace("convpath.0.", "convs."): value for name, value in state.items() if "convpath" in name}
    torch.save({"model": state, "opt": {"lr": 0.01}}, tmp_path / "model.pth")
    found = load_xresnet1d(tmp_path / "model.pth")
    x = torch.randn(2, given.get("leads", 12), 250)
    assert torch.equal(found(x), model(x))
    assert not found.training
    del state["8.2.weight"]
    torch.save(state, tmp_path / "broken.pth")
    with pytest.raises(WeightsError, match=r"no weights for '8\.2\.weight'"):
        load_xresnet1d(tmp_path / "broken.pth")
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="not the weights of an xresnet1d"):
        load_xresnet1d(tmp_path / "other.pth")


def keras_file(path, seed=0):
    """Write random weights as Keras names the layers of the authors' model.py; return them in order of creation."""
    rng = np.random.default_rng(seed)
    filters, made = (64, 128, 196, 256, 320), {"conv1d": [], "batch_normalization": []}
    norm = {"gamma": (0.5, 1.5), "beta": (-0.2, 0.2), "moving_mean": (-0.2, 0.2), "moving_variance": (0.5, 2.0)}

    def conv(kernel, a, b):
        made["conv1d"].append({"kernel": rng.normal(0, (2 / (kernel * a)) ** 0.5, (kernel, a, b))})

    def bn(channels):
        made["batch_normalization"].append({key: rng.uniform(*ends, channels) for key, ends in norm.items()})

    conv(16, 12, 64)
    bn(64)
    for a, b in pairwise(filters):
        conv(1, a, b)
        conv(16, a, b)
        bn(b)
        conv(16, b, b)
        bn(b)
    dense = {"kernel": rng.normal(0, 0.02, (16 * 320, 6)), "bias": rng.normal(0, 0.1, 6)}
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights")
        for kind, rows in made.items():
            for i, arrays in enumerate(rows):
                layer = f"{kind}_{i + 1}"
                for key, array in arrays.items():
                    root[f"{layer}/{layer}/{key}:0"] = array.astype(np.float32)
        root.create_group("dropout_1")
        for key, array in dense.items():
            root[f"diagn/diagn/{key}:0"] = array.astype(np.float32)
    return made, dense


def keras_forward(x, made, dense):
    """The authors' model by hand in Keras's layout, (N, T, C), in double precision."""
    convs, norms = iter(made["conv1d"]), iter(made["batch_normalization"])

    def conv(x, stride=1):
        kernel = torch.from_numpy(next(convs)["kernel"].astype(np.float32)).double()
        size, out = kernel.shape[0], -(-x.shape[1] // stride)
        pad = max((out - 1) * stride + size - x.shape[1], 0)
        x = functional.pad(x, (0, 0, pad // 2, pad - pad // 2))
        return torch.einsum("ntkc,kco->nto", x.unfold(1, size, stride).transpose(2, 3), kernel)

    def activated(x):
        p = {key: torch.from_numpy(value.astype(np.float32)).double() for key, value in next(norms).items()}
        return torch.relu((x - p["moving_mean"]) / (p["moving_variance"] + 1e-3).sqrt() * p["gamma"] + p["beta"])

    x = y = activated(conv(x))
    for _ in range(4):
        y = conv(y.unflatten(1, (-1, 4)).amax(2))
        x = activated(conv(x))
        y = conv(x, 4) + y
        x = activated(y)
    kernel, bias = (torch.from_numpy(dense[key].astype(np.float32)).double() for key in ("kernel", "bias"))
    return x.flatten(1) @ kernel + bias


def test_weights_of_ribeiros_names_and_shapes_give_what_keras_would(tmp_path, ecg):
    made, dense = keras_file(tmp_path / "model.hdf5")
    net = load_ribeiro(tmp_path / "model.hdf5", scale=10)
    x = net.input(ecg)
    assert x.shape == (1, 12, 4096)
    assert not x[..., :48].any()
    assert not x[..., -48:].any()
    expected = torch.sigmoid(keras_forward(10 * x.transpose(1, 2).double(), made, dense))
    torch.testing.assert_close(net.probability(x).double(), expected, atol=1e-5, rtol=1e-5)
    with h5py.File(tmp_path / "model.hdf5", "a") as file:
        del file["model_weights/conv1d_3"]
    with pytest.raises(WeightsError, match=r"12 convolutions .* expected 13|no weights|has shape"):
        load_ribeiro(tmp_path / "model.hdf5", scale=10)


def test_the_transformers_attention_is_what_it_used():
    """Rebuilt from the stated attention, the mixed values are those of the forward pass."""
    torch.manual_seed(3)
    model, x = ECGTransformer(leads=8, samples=200, width=16).eval(), torch.randn(2, 8, 200)
    first = model.encoders[0]
    inner = first.norm1(model.embed(x).transpose(1, 2) + model.place)
    weights = model.attention(x)[0]
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 10))
    value = first.attention.value(inner).unflatten(-1, (4, -1)).transpose(1, 2)
    mixed = first.attention.output((weights @ value).transpose(1, 2).flatten(2))
    torch.testing.assert_close(mixed, first.attention(inner))


def test_an_in_place_operation_behind_the_first_layer_does_no_harm():
    """VGG's form: integrated gradients walk behind the first convolution, where a ReLU writes over its input."""
    torch.manual_seed(5)
    body = [nn.Conv1d(8, 4, 5), nn.ReLU(inplace=True), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2)]
    apart = nn.Sequential(*body[:1], nn.ReLU(), *body[2:])
    x = torch.randn(2, 8, 50)
    found = attribute(nn.Sequential(*body), x, "integrated_gradients", 1, steps=200)
    torch.testing.assert_close(found, attribute(apart, x, "integrated_gradients", 1, steps=200))
    change = (apart(x) - apart(0 * x)).detach()[:, 1]
    torch.testing.assert_close(found.sum((1, 2)), change, rtol=0.01, atol=1e-3)
