"""Many methods side by side: every option of every control, maps that come one after another, the newest input wins."""

import io
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from figures import stops
from leadwise import METHODS, attribute, load_ecg_model
from leadwise.attribution import receipt
from leadwise.explorers import MethodGrid
from leadwise.explorers.canvas import LARGEST
from leadwise.explorers.map_canvas import SLOTS
from leadwise.images.io import photographs
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import load_alexnet, preprocess
from leadwise.recordings.catalogue import load_record

QUICK = ("gradient", "grad_cam", "lrp_epsilon")
TITLES = [METHODS[name].title for name in QUICK]


@pytest.fixture
def picture(data_dir):
    return MethodGrid(3, "embedded", QUICK)


@pytest.fixture
def recording(data_dir):
    return MethodGrid("sim-lbbb-1", methods=QUICK)


def shown(grid):
    """Return title -> the map that the browser has been given, to within a step of int16."""
    canvas = grid.canvas
    if hasattr(canvas, "pool"):
        maxima = [np.array(one.maxima)[:, None] for one in canvas.children]
        sent = [np.frombuffer(one.relevance, "<i2").reshape(12, -1) / LARGEST for one in canvas.children]
        return {one.title.split(" · ")[0]: m * v for one, m, v in zip(canvas.children, maxima, sent, strict=True)}
    sent = [np.frombuffer(getattr(canvas, slot), "<i2").reshape(canvas.size) for slot in SLOTS[: len(canvas.tiles)]]
    return {t["title"]: v / LARGEST * t["full"][0] for t, v in zip(canvas.tiles, sent, strict=True)}


def patch_receipt(monkeypatch, explain):
    """Let the subjects explain by another function."""
    for kind in ("picture", "recording"):
        monkeypatch.setattr(f"leadwise.explorers.{kind}_subject.receipt", explain)


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_maps_of_a_picture_are_those_of_attribute(picture):
    x, network = preprocess(make_scene(3, objects=2).image), load_alexnet("embedded")
    assert list(shown(picture)) == TITLES
    for name, drawn in zip(QUICK, shown(picture).values(), strict=True):
        wanted = attribute(network, x, name).sum(0).numpy()
        assert np.abs(drawn - wanted).max() <= np.abs(wanted).max() / LARGEST


@pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning")
def test_maps_of_a_recording_are_those_of_attribute(recording):
    network, ecg = load_ecg_model("LBBB", verbose=False), load_record("sim-lbbb-1").preprocess().window(0, 2000)
    assert list(shown(recording)) == TITLES
    for name, drawn in zip(QUICK, shown(recording).values(), strict=True):
        wanted = attribute(network, ecg.tensor(), name, target=1, explain="log-odds").numpy()
        assert np.abs(drawn - wanted).max() <= np.abs(wanted).max() / LARGEST


@pytest.mark.parametrize("kind", ["picture", "recording"])
def test_display_controls_are_linked_in_the_browser_and_ask_nothing_of_the_kernel(kind, request, monkeypatch):
    grid = request.getfixturevalue(kind)
    monkeypatch.setattr(grid, "refresh", lambda: pytest.fail("the kernel was asked"))
    for name, trait in grid.display.items():
        control = grid.controls[name]
        (link,) = [link for link in grid.links if link.source[0] is control]
        assert link.target == (grid.canvas, trait)
        figures, options = {}, stops(control)[:3]
        for value in options:
            control.value = value
            figures[value] = grid.plot()._repr_png_()[0]
            assert getattr(grid.canvas, trait) == getattr(control, link.source[1])
        assert len(set(figures.values())) == len(options), name
        control.value = options[0]


def test_every_small_canvas_follows_the_grid(recording):
    links = {(link.source[1], link.target[0]) for link in recording.canvas.links if link.source[0] is recording.canvas}
    for canvas in recording.canvas.children:
        assert "leadwise-compact" in canvas._dom_classes
        assert {trait for trait, target in links if target is canvas} == set(recording.display.values())


@pytest.mark.parametrize(
    ("kind", "name"),
    [("picture", n) for n in ("source", "seed", "objects", "mark", "target")]
    + [("recording", n) for n in ("record", "model", "target", "start")],
)
def test_what_is_explained_changes_the_maps(request, kind, name):
    grid = request.getfixturevalue(kind)
    control, first = grid.controls[name], shown(grid)
    start = control.value
    for value in stops(control)[:4]:
        if value in ("file", "upload"):
            continue
        before, changed = shown(grid), control.value != value
        same_class = name == "target" and kind == "picture" and {control.value, value} == {None, stops(control)[1]}
        control.value = value
        grid.wait()
        assert grid.error is None
        assert same(shown(grid), before) == (not changed or same_class)
    if name != "target" or kind == "recording":
        control.value = start
        grid.wait()
        assert same(shown(grid), first)


def test_methods_come_and_go(picture, recording):
    for grid in (picture, recording):
        for names in (("random",), ("gradient", "vargrad"), QUICK):
            grid.controls["methods"].value = names
            grid.wait()
            assert grid.error is None
            assert list(shown(grid)) == [METHODS[name].title for name in METHODS if name in names]
        before = shown(grid)
        grid.controls["methods"].value = ()
        assert "no method is chosen" in grid.message.value
        assert same(shown(grid), before)
    assert len(recording.canvas.pool) == 3


def test_a_map_is_kept(picture, monkeypatch):
    patch_receipt(monkeypatch, lambda *a, **b: pytest.fail("computed again"))
    picture.controls["methods"].value = ("gradient",)
    picture.controls["methods"].value = QUICK
    picture.wait()
    assert list(shown(picture)) == TITLES
    assert not any(tile["told"] for tile in picture.canvas.tiles)


@pytest.mark.parametrize("kind", ["picture", "recording"])
def test_maps_come_one_after_another_and_the_newest_input_wins(request, kind, monkeypatch):
    grid = request.getfixturevalue(kind)
    under_way, calls = threading.Event(), []

    def slow(model, x, method, target, progress, **options):
        calls.append(method)
        if method == "occlusion":
            for done in range(10_000):
                under_way.set()
                progress(done, 10_000)
                threading.Event().wait(0.01)
        return receipt(model, x, method, target=target, progress=False)

    patch_receipt(monkeypatch, slow)
    grid.controls["methods"].value = ("smoothgrad", "occlusion", "random")
    assert under_way.wait(60)
    told = (
        {tile["title"] for tile in grid.canvas.tiles} if kind == "picture" else {c.title for c in grid.canvas.children}
    )
    assert len(told) == 3
    assert grid.busy.layout.visibility == "visible"
    grid.controls["methods"].value = ("gradient", "random")
    grid.wait()
    assert calls == ["smoothgrad", "occlusion", "random"]
    assert list(shown(grid)) == [METHODS["gradient"].title, METHODS["random"].title]
    assert grid.busy.layout.visibility == "hidden"


def test_cancel_keeps_what_is_there(picture, monkeypatch):
    under_way = threading.Event()

    def endless(model, x, method, target, progress, **settings):
        while True:
            under_way.set()
            progress(1, 2)
            threading.Event().wait(0.01)

    patch_receipt(monkeypatch, endless)
    picture.controls["methods"].value = ("gradient", "occlusion")
    assert under_way.wait(60)
    picture.halt.click()
    assert [tile["told"] for tile in picture.canvas.tiles] == ["", "cancelled"]
    assert "2 maps" not in picture.alt
    assert picture.busy.layout.visibility == "hidden"


def test_an_error_stands_where_its_map_would_be(picture, monkeypatch):
    def broken(model, x, method, target, progress, **settings):
        raise ValueError("no such layer")

    patch_receipt(monkeypatch, broken)
    picture.controls["methods"].value = ("gradient", "vargrad")
    picture.wait()
    assert [tile["told"] for tile in picture.canvas.tiles] == ["", "no such layer"]


@pytest.mark.parametrize("which", ["picture", "recording"])
def test_the_figure_can_be_saved(which, request, tmp_path, monkeypatch):
    monkeypatch.setattr("leadwise.explorers.base.checkout", lambda: tmp_path)
    grid = request.getfixturevalue(which)
    grid.save_button.click()
    assert "MethodGrid.png" in grid.message.value
    saved = np.asarray(Image.open(tmp_path / "plots/explorers/MethodGrid.png").convert("RGB"))
    shown = np.asarray(Image.open(io.BytesIO(grid.plot()._repr_png_()[0])).convert("RGB"))
    assert saved.shape[0] / saved.shape[1] == pytest.approx(shown.shape[0] / shown.shape[1], rel=0.01)
    assert len(np.unique(saved.reshape(-1, 3), axis=0)) > 50


def test_what_it_can_start_with(data_dir):
    ecg, network = load_record("sim-rbbb-1"), load_ecg_model("RBBB", verbose=False)
    grid = MethodGrid(ecg, network, ("gradient",), target=0)
    wanted = attribute(
        network, ecg.preprocess().window(0, 2000).tensor(), "gradient", target=0, explain="log-odds"
    ).numpy()
    assert np.abs(shown(grid)["Gradient"] - wanted).max() <= np.abs(wanted).max() / LARGEST
    assert MethodGrid("sim-rbbb-1", methods=("gradient",)).controls["model"].value == "RBBB"
    photograph = next(iter(photographs()))
    grid = MethodGrid(photograph, "embedded", ("gradient",), target="guitar")
    assert torch.equal(grid.subject.explained.shown.x, grid.subject.choice.shown().x)
    assert grid.canvas.title.endswith("explained: guitar")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, "embedded", ("gradiant",)), "Unknown: gradiant"),
        ((3, "embedded", ()), "expected one or more"),
        ((3, "embedded", QUICK, "zebra"), "target is 'zebra'"),
        (("sim-lbbb-1", "flutter", QUICK), "model is 'flutter'"),
        (("sim-lbbb-1", "LBBB", QUICK, 2), "target is 2"),
    ],
)
def test_what_it_refuses(data_dir, arguments, message):
    with pytest.raises(ValueError, match=message):
        MethodGrid(*arguments)


def test_one_bundle_holds_the_view_and_its_static_twin(picture, recording):
    for grid, kind in ((picture, "3 maps"), (recording, "3 methods")):
        data, metadata = grid._repr_mimebundle_()
        assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == grid.view.model_id
        assert kind in metadata["image/png"]["alt"]
        assert "explained" in metadata["image/png"]["alt"]
