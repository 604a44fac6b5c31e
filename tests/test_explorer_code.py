"""The code that an explorer offers to copy is complete: in an empty namespace it makes what is shown, bit for bit."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

import leadwise
from figures import upload
from leadwise import NETWORKS, load_ecg_model, load_record
from leadwise.explorers import (
    ECGExplorer,
    ECGNetworkExplorer,
    HeartVector,
    ImageExplorer,
    MethodGrid,
    NetworkExplorer,
    OwnECG,
    RuleLab,
)
from leadwise.explorers.base import Explorer
from leadwise.explorers.rule_lab import draw_layer
from leadwise.explorers.script import MODULES
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import load_alexnet, preprocess
from leadwise.simulation.simulate import heart_beat

pytestmark = [
    pytest.mark.usefixtures("one_thread", "patient"),
    pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning"),
]


def made(explorer, **filled) -> dict:
    """Execute the code of an explorer where nothing is known but what it asks to be filled in; return what it makes."""
    explorer.wait()
    assert explorer.error is None, explorer.error
    code = explorer.code_line.code
    asked = {line.split(":")[0].removeprefix("# Fill in ") for line in code.splitlines() if line.startswith("# Fill")}
    assert asked == set(filled), code
    namespace = {"__name__": "__main__", **filled}
    exec(compile(code, "copied", "exec"), namespace)
    return namespace


def answer(explorer):
    return explorer.answers[explorer.asked].relevance


def same(one, other) -> bool:
    return np.array_equal(np.asarray(one), np.asarray(other))


def choose(explorer, method, **parameters):
    explorer.controls["family"].value = leadwise.METHODS[method].family
    explorer.controls["method"].value = method
    for name, value in parameters.items():
        explorer.parameters[name].value = value


def test_every_name_is_where_the_code_says():
    for module, names in MODULES.items():
        exec(f"from {module} import {', '.join(names)}", {})


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("gradient", {}),
        ("smoothgrad", {"samples": 5, "seed": 3}),
        ("lrp_epsilon", {"epsilon": 10.0, "input_rule": "sign", "mu": 0.5}),
        ("occlusion", {"window": 500, "stride": 500, "leads": "all"}),
    ],
)
def test_ecg_explorer(data_dir, method, parameters):
    """Another record, network, class, window and score than the explorer begins with."""
    explorer = ECGExplorer("sim-lbbb-1", "LBBB", "gradient")
    for name, value in {"record": "sim-rbbb-1", "model": "RBBB", "target": 0, "start": 1.3, "score": "logit"}.items():
        explorer.controls[name].value = value
    choose(explorer, method, **parameters)
    found = made(explorer)
    assert same(found["relevance"], answer(explorer))
    assert float(found["relevance"].abs().sum()) > 0


def test_the_recording_is_the_one_that_is_shown(data_dir):
    """The fault that was: the code of one record, silently, on another."""
    explorer = ECGExplorer("sim-lbbb-1", "LBBB", "gradient")
    first = made(explorer)["relevance"]
    explorer.controls["record"].value = "sim-lbbb-2"
    assert not same(made(explorer)["relevance"], first)


def sheet(ecg) -> bytes:
    rows = (",".join(f"{v:.4f}" for v in (i / ecg.fs, *row)) for i, row in enumerate(ecg.signal.T))
    return "\n".join(["time (s)," + ",".join(f"{lead} (mV)" for lead in leadwise.ecg.leads.LEADS), *rows]).encode()


def test_an_upload_a_recording_and_a_network_of_ones_own(data_dir, tmp_path):
    content = sheet(load_record("sim-rbbb-1"))
    (tmp_path / "mine.csv").write_bytes(content)
    module = load_ecg_model("AVB", "embedded")
    explorer = ECGExplorer("sim-lbbb-1", module, "gradient")
    upload(explorer.controls["upload"], {"mine.csv": content})
    found = made(explorer, my_network=module, my_file=str(tmp_path / "mine.csv"))
    assert same(found["relevance"], answer(explorer))
    assert "'mine.csv'" in explorer.code_line.code
    ecg = leadwise.simulate_ecg("LBBB", seed=5)
    given = ECGExplorer(ecg, "LBBB", "gradient")
    assert same(made(given, my_recording=ecg)["relevance"], answer(given))


def test_a_network_of_ones_own_in_the_registry_is_asked_for(data_dir):
    NETWORKS["mine"] = load_ecg_model("LBBB", "embedded")
    try:
        explorer = ECGExplorer("sim-lbbb-1", "mine", "gradient")
        assert same(made(explorer, my_network=NETWORKS["mine"])["relevance"], answer(explorer))
    finally:
        del NETWORKS["mine"]


def png(tmp_path):
    path = tmp_path / "own.png"
    Image.fromarray(make_scene(1).image).save(path)
    return path


@pytest.mark.parametrize(
    "begin",
    [3, "photograph", "path", "array", "tensor", "batch", "chosen classes", "changed scene"],
)
def test_image_explorer(data_dir, tmp_path, begin):
    scene = make_scene(5, ("cat", "car"), mark=True)
    changed = make_scene(6)
    changed.image[:9] = 0
    name = next(iter(leadwise.images.io.photographs()))
    x = preprocess(make_scene(7).image)
    kinds = {
        "photograph": (name, {}), "path": (png(tmp_path), {}), "chosen classes": (scene, {}),
        "array": (changed.image, {"my_image": changed.image}), "tensor": (x, {"my_image": x}),
        "batch": (x[None], {"my_image": x[None]}), "changed scene": (changed, {"my_scene": changed}),
    }  # fmt: skip
    image, filled = kinds.get(begin, (begin, {}))
    explorer = ImageExplorer(image, "embedded", method="lrp_epsilon", epsilon=10.0, target=2)
    found = made(explorer, **filled)
    assert same(found["relevance"], answer(explorer))
    assert "epsilon=10.0" in explorer.code_line.code


def test_an_uploaded_picture_and_a_network_of_ones_own(data_dir, tmp_path):
    network = load_alexnet("embedded")
    explorer = ImageExplorer(0, network)
    upload(explorer.controls["upload"], {"own.png": png(tmp_path).read_bytes()})
    found = made(explorer, my_network=network, my_file=png(tmp_path))
    assert same(found["relevance"], answer(explorer))


@pytest.mark.parametrize("source", [3, "sim-rbbb-1"])
def test_method_grid(data_dir, source):
    names = ("gradient", "smoothgrad", "lrp_epsilon")
    grid = MethodGrid(source, "embedded" if source == 3 else None, names)
    grid.parameters_of("lrp_epsilon")["epsilon"].value = 10.0
    grid.parameters_of("smoothgrad")["samples"].value = 5
    if source != 3:
        grid.controls["start"].value = 2.1
    found = made(grid)["maps"]
    assert list(found) == [leadwise.METHODS[name].title for name in names]
    for asked, relevance in zip(grid.shown, found.values(), strict=True):
        assert same(relevance, grid.answers[asked].relevance)
    assert "epsilon=10.0" in grid.code_line.code


def test_network_explorer(data_dir):
    explorer = NetworkExplorer(load_alexnet("embedded"), view="filters")
    own = {"my_network": explorer.model}
    assert made(explorer, **own)["filters"].shape[1] == 3
    for control, value in {"view": "maps", "seed": 4, "layer": "features.6"}.items():
        explorer.controls[control].value = value
    maps = made(explorer, **own)["maps"]
    assert same(maps, leadwise.inspection.feature_maps(explorer.model, explorer.choice.shown().x, "features.6"))
    explorer.controls["view"].value = "classes"
    best = made(explorer, **own)["best"]
    for name, p in best[:2]:
        assert f"{name} {round(100 * p)} %" in explorer.alt
    explorer.controls["view"].value = "synthesis"
    explorer.parameters["steps"].value = 8
    explorer.synthesise(wait=True)
    assert torch.equal(made(explorer, **own)["found"].images[0], explorer.frames[8])
    by_name = NetworkExplorer(view="filters")
    assert 'NETWORKS.load("AlexNet", "embedded")' in by_name.code_line.code
    made(by_name)


@pytest.mark.parametrize("own", [False, True])
def test_ecg_network_explorer(data_dir, own):
    net = NETWORKS["xresnet1d"]
    with ECGNetworkExplorer("sim-rbbb-1", net if own else "xresnet1d") as explorer:
        maps = made(explorer, **({"my_network": net} if own else {}))["maps"]
        layer = explorer.controls["layer"].value
    assert same(maps, leadwise.inspection.feature_maps(net, net.input(load_record("sim-rbbb-1")), layer)[0])


def test_own_ecg(data_dir, tmp_path):
    content, path = sheet(load_record("sim-lbbb-1")), tmp_path / "mine.npy"
    explorer = OwnECG(method="lrp_epsilon", weights="embedded", epsilon=10.0, folder=tmp_path)
    explorer.controls["start"].value = 1.5
    assert same(made(explorer)["relevance"], explorer.explanation.relevance)
    upload(explorer.controls["upload"], {"mine.csv": content})
    (tmp_path / "mine.csv").write_bytes(content)
    found = made(explorer, my_file=tmp_path / "mine.csv")
    assert same(found["relevance"], explorer.explanation.relevance)
    buffer = io.BytesIO()
    np.save(buffer, load_record("sim-lbbb-2").signal * 1000)
    path.write_bytes(buffer.getvalue())
    explorer.controls["path"].value = str(path)  # which says neither leads nor rate nor unit
    assert "mine.csv" in explorer.code_line.code
    for name, value in {"fs": "500", "unit": "uV", "leads": ",".join(leadwise.ecg.leads.LEADS)}.items():
        explorer.controls[name].value = value
    assert same(made(explorer)["relevance"], explorer.explanation.relevance)
    ecg, networks = leadwise.simulate_ecg("RBBB", seed=4), {"net": load_ecg_model("RBBB", "embedded")}
    given = OwnECG(ecg, method="gradient", models=networks, folder=tmp_path)
    assert same(made(given, my_recording=ecg, my_networks=networks)["relevance"], given.explanation.relevance)


def test_rule_lab():
    explorer = RuleLab(rule="gamma", seed=5, kind="pixels")
    explorer.controls["bias"].value = False
    for mine, shown in zip(made(explorer)["shares"], explorer.shares(), strict=True):
        assert same(mine, shown)
    layer = draw_layer(3, "pixels")
    given = RuleLab(*layer, rule="epsilon")
    for mine, shown in zip(made(given, my_layer=layer)["shares"], given.shares(), strict=True):
        assert same(mine, shown)


def test_heart_vector():
    explorer = HeartVector()
    explorer.controls["axis"].value, explorer.controls["condition"].value = -60, "LBBB"
    assert same(made(explorer)["beat"].leads, heart_beat(**explorer.values()).leads)


def test_every_explorer_is_tried():
    public = {name: getattr(leadwise.explorers, name) for name in leadwise.explorers.__all__}
    explorers = {name for name, made in public.items() if issubclass(made, Explorer)}
    assert explorers == {
        "ECGExplorer",
        "ECGNetworkExplorer",
        "HeartVector",
        "ImageExplorer",
        "MethodGrid",
        "NetworkExplorer",
        "OwnECG",
        "RuleLab",
    }
