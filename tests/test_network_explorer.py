"""NetworkExplorer: every view and control, a synthesis beside the kernel, uploads of both ipywidgets; and its tiles."""

import inspect
import io
import threading
import time
from types import SimpleNamespace

import ipywidgets as widgets
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from figures import drawn, drive, stops
from leadwise.explorers import NetworkExplorer
from leadwise.explorers.network import PARAMETERS, VIEWS
from leadwise.explorers.upload import uploaded_files
from leadwise.explorers.worker import Worker
from leadwise.images.scenes import make_scene
from leadwise.inspection import feature_maps, maximise_activation, top_k
from leadwise.networks.alexnet import load_alexnet, preprocess
from leadwise.plotting import plot_tiles


class Net(nn.Sequential):
    """Small, so that a synthesis takes no time."""

    class_names = ("left", "right", "neither")

    def __init__(self):
        torch.manual_seed(0)
        pool = nn.MaxPool2d(4, 4)
        super().__init__(
            nn.Conv2d(3, 6, 16, 16), nn.ReLU(), pool, nn.Conv2d(6, 5, 3), nn.Flatten(), nn.Linear(5, 3)
        )  # fmt: skip
        self.eval()


@pytest.fixture
def explorer():
    explorer = NetworkExplorer(Net())
    explorer.parameters["steps"].value = 9
    yield explorer
    explorer.worker.stop()


def png(colour=(200, 30, 30)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 260), colour).save(buffer, "png")
    return buffer.getvalue()


# What a FileUpload holds, in the two shapes documented by ipywidgets 7 and 8.
SEVEN = {"a.png": {"metadata": {"name": "a.png", "type": "image/png", "size": 3}, "content": b"abc"}}
EIGHT = ({"name": "a.png", "type": "image/png", "size": 3, "content": memoryview(b"abc"), "last_modified": None},)


@pytest.mark.parametrize("value", [SEVEN, EIGHT])
def test_uploads_of_both_ipywidgets(value):
    assert uploaded_files(SimpleNamespace(value=value)) == {"a.png": b"abc"}


@pytest.mark.parametrize("value", [{}, (), widgets.FileUpload().value])
def test_nothing_uploaded(value):
    assert uploaded_files(SimpleNamespace(value=value)) == {}


def test_every_view_and_layer_of_alexnet_is_drawn():
    explorer = NetworkExplorer(load_alexnet("embedded"), view="filters")
    seen = [drawn(explorer)]
    for view in list(VIEWS.values())[1:]:
        explorer.controls["view"].value = view
        assert explorer.error is None
        assert not any(shown == drawn(explorer) for shown in seen)
        seen.append(drawn(explorer))
    explorer.controls["count"].value = 1
    explorer.controls["view"].value = "maps"
    for layer in explorer.layers:
        explorer.controls["layer"].value = layer
        assert explorer.error is None
        assert layer in explorer.alt


PICTURE, LAYER = ("source", "objects"), ("layer", "order", "count")
SYNTHESIS = ("what", "target", "channel", *(row.name for row in PARAMETERS))


@pytest.mark.parametrize(("view", "names"), [("maps", LAYER), ("classes", PICTURE), ("synthesis", SYNTHESIS)])
def test_every_control_of_every_view(explorer, view, names):
    explorer.controls["view"].value = view
    for name in names:
        control = {**explorer.controls, **explorer.parameters}[name]
        for value in stops(control):
            if value not in ("file", "upload"):  # which say that nothing is chosen: tested below
                control.value = value
                assert explorer.error is None


def test_layers_orders_counts_and_pictures_change_what_is_drawn(explorer):
    for name in ("layer", "order"):
        drive(explorer, explorer.controls[name], stops(explorer.controls[name])[::-1])
    drive(explorer, explorer.controls["count"], [1, 5])
    drive(explorer, explorer.controls["seed"], [3, 4])
    explorer.controls["view"].value = "classes"
    drive(explorer, explorer.controls["objects"], [2, 1])
    explorer.controls["view"].value = "filters"
    before = drawn(explorer)
    explorer.controls["seed"].value = 9
    assert drawn(explorer) == before


def test_the_code_says_a_number_as_it_was_meant(explorer):
    explorer.parameters["decay"].value = 0.08000000000000002  # JupyterLab makes this of 0.08
    assert "decay" not in explorer.code()


def test_controls_answer_while_they_are_dragged(explorer):
    every = {**explorer.controls, **explorer.parameters}
    assert all(control.continuous_update for name, control in every.items() if isinstance(control, widgets.IntSlider))


def test_maps_show_the_strongest_channels(explorer):
    explorer.controls["layer"].value, explorer.controls["count"].value = "1", 2
    explorer.controls["seed"].value = 5
    maps = feature_maps(explorer.model, preprocess(make_scene(5).image)[None], "1")[0]
    for order, score in {"largest value": maps.amax((1, 2)), "largest mean": maps.mean((1, 2))}.items():
        explorer.controls["order"].value = order
        assert [f"channel {index} (" in explorer.alt for index in range(6)] == [
            index in score.topk(2).indices.tolist() for index in range(6)
        ]
    explorer.controls["order"].value = "number"
    assert "channel 0 (" in explorer.alt
    assert "channel 1 (" in explorer.alt


def test_a_layer_is_asked_once_while_the_choice_of_channels_moves(explorer):
    passes = []
    explorer.model.register_forward_pre_hook(lambda *_: passes.append("one"))
    explorer.controls["layer"].value = "3"
    assert len(passes) == 1
    for count in (1, 5, 3):
        explorer.controls["count"].value = count
    for order in stops(explorer.controls["order"])[::-1]:
        explorer.controls["order"].value = order
    for layer in ("1", "3"):  # the explorer began with the first of them
        explorer.controls["layer"].value = layer
    assert len(passes) == 1
    explorer.controls["seed"].value = 5
    assert len(passes) == 2
    for view in ("classes", "maps", "classes"):
        explorer.controls["view"].value = view
    assert len(passes) == 3


def test_classes_of_a_given_picture(explorer):
    scene = make_scene(3).image
    for image in (scene, preprocess(scene), preprocess(scene)[None]):
        given = NetworkExplorer(explorer.model, image, view="classes")
        best, p = top_k(explorer.model, preprocess(scene)[None], 1)[0][0]
        assert f"the given picture ({best} {round(100 * p)} %" in given.alt


def test_pictures_from_a_file_and_an_upload(explorer, tmp_path):
    explorer.controls["source"].value = "file"
    assert "no file chosen yet" in explorer.message.value
    (tmp_path / "mine.png").write_bytes(png())
    explorer.controls["path"].value = str(tmp_path / "mine.png")
    assert explorer.error is None
    assert "mine.png" in explorer.alt
    explorer.controls["path"].value = str(tmp_path / "other.png")
    assert "cannot be read" in explorer.message.value
    explorer.controls["source"].value = "upload"
    assert "nothing uploaded yet" in explorer.message.value
    explorer.controls["source"].value = "scene"
    sent = [{"name": "sent.png", "type": "image/png", "size": 1, "content": memoryview(png()), "last_modified": 0}]
    if int(widgets.__version__[0]) >= 8:  # 7 keeps its value out of reach
        explorer.controls["upload"].set_state({"value": sent})
        assert explorer.controls["source"].value == "upload"
        assert explorer.error is None
        assert "sent.png" in explorer.alt


def test_a_synthesis_is_the_one_that_is_called(explorer):
    explorer.controls["view"].value = "synthesis"
    assert "press <b>synthesise</b>" in explorer.message.value
    explorer.controls["target"].value = 2
    explorer.parameters["jitter"].value = 3
    explorer.synthesise(wait=True)
    assert explorer.error is None
    assert explorer.call() == "maximise_activation(net, target=2, steps=9, jitter=3)"
    found = eval(explorer.call(), {"maximise_activation": maximise_activation, "net": explorer.model})
    assert torch.equal(explorer.frames[9], found.images[0])
    assert "in 9 steps" in explorer.message.value
    assert "step 9 (" in explorer.alt
    explorer.parameters["jitter"].value = 4
    assert "settings have changed" in explorer.message.value


def test_a_channel_can_be_maximised(explorer):
    explorer.controls["view"].value = "synthesis"
    explorer.controls["what"].value = "a channel"
    explorer.controls["layer"].value, explorer.controls["channel"].value = "0", 9
    assert explorer.controls["channel"].value == 5
    explorer.synthesise(wait=True)
    assert explorer.error is None
    assert "channel 5 of 0" in explorer.alt
    assert "contrast" not in explorer.code()


@pytest.fixture
def held(monkeypatch):
    """Let a synthesis wait before its second step, until the test lets it go on."""
    gate, reached = threading.Event(), threading.Event()

    def slowly(net, *, watch, **settings):
        def waiting(step, images):
            watch(step, images)
            if step == 1:
                reached.set()
                while not gate.wait(0.01):
                    watch(step, images)

        return maximise_activation(net, **settings, watch=waiting)

    monkeypatch.setattr("leadwise.explorers.network.maximise_activation", slowly)
    yield gate, reached
    gate.set()


def test_the_picture_follows_a_running_synthesis(explorer, held, monkeypatch):
    monkeypatch.setattr("leadwise.explorers.network.PAUSE", 0)
    gate, reached = held
    explorer.controls["view"].value = "synthesis"
    before = drawn(explorer)
    explorer.go.click()
    assert reached.wait(30)
    assert explorer.worker.busy
    assert drawn(explorer) != before
    assert "step 1 of 9" in explorer.message.value
    assert (explorer.bar.value, explorer.bar.max, explorer.bar.layout.visibility) == (1, 9, "visible")
    assert not explorer.halt.disabled
    gate.set()
    explorer.worker.wait()
    assert explorer.bar.layout.visibility == "hidden"
    assert explorer.halt.disabled
    assert "in 9 steps" in explorer.message.value


def test_a_synthesis_is_cancelled_by_stop_and_by_another_view(explorer, held):
    explorer.controls["view"].value = "synthesis"
    for cancel in (explorer.halt.click, lambda: setattr(explorer.controls["view"], "value", "filters")):
        held[1].clear()
        explorer.go.click()
        assert held[1].wait(30)
        cancel()
        assert not explorer.worker.busy
        assert max(explorer.frames) == 1
        assert explorer.error is None
    assert "filters" in explorer.message.value


def test_a_changed_control_starts_a_running_synthesis_anew(explorer, held):
    explorer.controls["view"].value = "synthesis"
    explorer.go.click()
    assert held[1].wait(30)
    held[1].clear()
    explorer.controls["target"].value = 1
    assert held[1].wait(30)
    held[0].set()
    explorer.worker.wait()
    assert explorer.settings["target"] == 1
    assert "right" in explorer.alt
    assert "in 9 steps" in explorer.message.value


def test_an_error_in_a_synthesis_is_shown(explorer):
    explorer.controls["view"].value = "synthesis"
    explorer.controls["what"].value = "a channel"
    explorer.controls["channel"].max = 99
    explorer.controls["channel"].value = 99
    explorer.synthesise(wait=True)
    assert "expected 0 to" in explorer.message.value


def test_the_newest_job_wins():
    worker, started, done = Worker(), threading.Event(), []

    def endless(check):
        started.set()
        while True:
            check()

    worker.start(endless)
    assert started.wait(30)
    worker.start(lambda check: done.append("new"))
    worker.wait()
    assert done == ["new"]
    assert not worker.stop()


def test_jobs_one_after_the_other_need_one_thread():
    """New threads would each keep the memory of a map, and OpenMP would give each threads of its own."""
    threads = set()
    for worker in (Worker(), Worker()):
        for _ in range(3):
            worker.start(lambda check: threads.add(threading.get_ident()))
            assert worker.wait(30)
            time.sleep(0.05)  # until the thread is at rest
    assert len(threads) == 1


def test_a_job_has_the_threads_of_who_asks():
    """Sums in float32 depend on their number, and a thread that stays would keep that of the first job."""
    worker, found, before = Worker(), [], torch.get_num_threads()
    try:
        for number in (1, 2, 1):
            torch.set_num_threads(number)
            worker.start(lambda check: found.append(torch.get_num_threads()))
            assert worker.wait(30)
    finally:
        torch.set_num_threads(before)
    assert found == [1, 2, 1]


def test_a_job_that_fails_is_told_and_does_not_block_the_next(monkeypatch):
    worker, told, done = Worker(), [], []
    monkeypatch.setattr(threading, "excepthook", lambda failure: told.append(failure.exc_value))
    worker.start(lambda check: 1 / 0)
    assert worker.wait(30)
    worker.start(lambda check: done.append("next"))
    assert worker.wait(30)
    assert [type(failure) for failure in told] == [ZeroDivisionError]
    assert done == ["next"]


def test_defaults_of_the_sliders_are_those_of_the_function():
    defaults = inspect.signature(maximise_activation).parameters
    assert {row.name: row.default for row in PARAMETERS} == {row.name: defaults[row.name].default for row in PARAMETERS}


def test_watching_changes_nothing():
    steps, options = [], {"target": 0, "steps": 4, "progress": False}
    found = maximise_activation(Net(), **options, watch=lambda step, images: steps.append((step, images)))
    assert [step for step, _ in steps] == [0, 1, 2, 3, 4]
    assert torch.equal(found.images, maximise_activation(Net(), **options).images)
    assert torch.equal(steps[-1][1], found.images)
    assert torch.equal(steps[0][1], found.strip[0])


# Tiles --------------------------------------------------------------------------------------------------------------


def test_bars_are_as_long_as_their_shares():
    figure = plot_tiles({"a": np.zeros((8, 8, 3), np.uint8)}, side=40, bars={"a": [("cat", 0.75), ("dog", 0.25)]})
    bars = [patch.get_width() for patch in figure.axes[0].patches if patch.get_gid() == "bar"]
    assert bars == pytest.approx([30, 10])


def test_maps_are_coloured_by_their_own_maximum_or_by_one():
    weak, strong = np.array([[0, 1.0]]), np.array([[-4.0, 4.0]])

    def colours(**options):
        drawn = plot_tiles({"weak": weak, "strong": strong}, **options).axes[0].images[:2]
        return [image.get_array()[0, 1, :3].tolist() for image in drawn]

    own, one = colours(), colours(shared=True)
    assert own[0] == own[1] == one[1]
    assert sum(one[0]) > sum(own[0])  # paler


def test_a_large_picture_is_shrunk_by_averaging():
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    drawn = plot_tiles({"stripes": stripes}, side=40).axes[0].images[0].get_array()
    assert drawn.shape[:2] == (200, 200)
    assert np.abs(drawn[..., :3].astype(int) - 128).max() <= 5  # 32 levels lie 8 apart


@pytest.mark.parametrize(
    ("tiles", "options", "message"),
    [
        ({}, {}, "expected tiles"),
        ({"a": np.zeros((2, 2))}, {"notes": {"b": ""}}, "'b'"),
        ({"a": np.zeros((2, 2))}, {"columns": 0}, "columns"),
        ({"a": np.full((2, 2), np.nan)}, {}, "'a'"),
        ({"a": np.zeros(2)}, {}, "'a'"),
        ({"a": np.zeros((2, 2))}, {"masks": {"a": np.zeros((3, 3), bool)}}, "mask of 'a'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tiles, options, message):
    with pytest.raises(ValueError, match=message):
        plot_tiles(tiles, **options)
