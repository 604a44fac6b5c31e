"""Explorers: every option of every control changes the picture or leaves it, and nothing fails unseen."""

import io

import ipywidgets as widgets
import numpy as np
import pytest
from PIL import Image

from ecgxai import METHODS, attribute, load_ecg_model
from ecgxai.ecg.records import load_record
from ecgxai.explorers import ECGExplorer, HeartVector
from ecgxai.explorers.base import control_for
from ecgxai.explorers.ecg import _prepared

QUICK = {"samples": 20, "segment": 500, "window": 500, "stride": 500, "cell": 500}


@pytest.fixture
def explorer(data_dir):
    return ECGExplorer(record="sim-lbbb-1", model="LBBB", method="gradient")


def pixels(explorer):
    return np.asarray(Image.open(io.BytesIO(explorer.picture.value)).convert("RGB"))


def options(control):
    """Return values to try: every option, or both ends of a range."""
    if hasattr(control, "options"):
        return [option[1] if isinstance(option, tuple) else option for option in control.options]
    return [control.min, control.max] if hasattr(control, "min") else [not control.value, control.value]


def test_the_published_alpha_2_beta_1_is_a_stop_of_the_slider():
    (alpha,) = (p for p in METHODS["lrp_alpha_beta"].parameters if p.name == "alpha")
    slider = control_for(alpha)
    assert (2 - slider.min) / slider.step == pytest.approx(round((2 - slider.min) / slider.step))


@pytest.mark.parametrize("name", METHODS)
def test_controls_of_every_method_cover_its_parameters(name):
    for parameter in METHODS[name].parameters:
        control = control_for(parameter)
        if control is None:
            assert parameter.default is None
            continue
        assert control.value == parameter.default
        for value in options(control):
            parameter.check(value)


@pytest.mark.parametrize("name", ["target", "threshold", "sign", "normalise", "style", "start"])
def test_every_display_control_changes_the_picture(explorer, name):
    control = explorer.controls[name]
    for value in options(control):
        before, changed = pixels(explorer), control.value != value
        control.value = value
        assert explorer.error is None
        same = pixels(explorer).shape == before.shape and np.array_equal(pixels(explorer), before)
        assert same != changed


def test_every_record_and_model_can_be_chosen(explorer):
    for name in ("record", "model"):
        for value in options(explorer.controls[name])[:4]:
            explorer.controls[name].value = value
            assert explorer.error is None


@pytest.mark.parametrize("name", METHODS)
def test_every_method_shows_its_own_controls_and_map(explorer, name, monkeypatch):
    def quick(parameter, images=False):
        control = control_for(parameter, images)
        if parameter.name in QUICK:
            control.value = QUICK[parameter.name]
        return control

    monkeypatch.setattr("ecgxai.explorers.base.control_for", quick)
    before = explorer.picture.value
    explorer.controls["method"].value = name
    assert explorer.error is None
    assert (explorer.picture.value == before) == (name == "gradient")
    assert set(explorer.parameters) == {p.name for p in METHODS[name].parameters if p.default is not None}


def test_a_parameter_slider_changes_the_map(explorer):
    explorer.controls["method"].value = "lrp_epsilon"
    before = pixels(explorer)
    explorer.parameters["epsilon"].value = 10.0
    assert not np.array_equal(pixels(explorer), before)
    assert explorer.code() == 'attribute(model, ecg.tensor(), "lrp_epsilon", target=1, epsilon=10.0)'


def test_the_printed_code_makes_the_map_that_is_shown(explorer):
    explorer.controls["method"].value = "lrp_alpha_beta"
    explorer.parameters["alpha"].value = 2.0
    ecg, model = _prepared(explorer.controls["record"].value).window(0, 2000), load_ecg_model("LBBB", verbose=False)
    shown = explorer.relevance(
        explorer.controls["record"].value, "LBBB", 1, "lrp_alpha_beta", 0.0, tuple(sorted(explorer.settings().items()))
    )
    again = eval(explorer.code(), {"attribute": attribute, "model": model, "ecg": ecg})
    assert np.array_equal(again, shown)


def test_the_window_is_cut_out_of_the_filtered_recording(explorer):
    explorer.controls["start"].value = 3.5
    network = load_ecg_model("LBBB", verbose=False)
    p = float(network.probability(load_record("sim-lbbb-1").preprocess().window(1750, 2000).tensor()))
    assert f"p(LBBB) = {p:.3f}" in explorer.message.value
    assert "3.5–7.5 s" in explorer.alt


def test_a_degenerate_method_says_why(explorer):
    explorer.controls["method"].value = "grad_cam"
    assert "never in which lead" in explorer.message.value


def test_a_computation_is_announced_and_its_result_kept(explorer):
    lines = []
    explorer.message.observe(lambda change: lines.append(change.new), "value")
    for name in ("lrp_z", "gradient", "lrp_z"):
        explorer.controls["method"].value = name
    assert ["computing" in line for line in lines] == [True, False, False, False]
    assert "computing LRP-z" in lines[0]


def test_the_window_starts_as_late_as_the_recording_allows(explorer, monkeypatch):
    start, whole = explorer.controls["start"], load_record("sim-norm-1")
    assert (start.disabled, start.max) == (False, whole.duration - 4)
    monkeypatch.setattr("ecgxai.explorers.ecg.load_record", lambda name: whole.window(0, 2000))
    explorer.controls["record"].value = "sim-norm-1"
    assert explorer.error is None
    assert start.disabled


def test_an_error_is_shown_and_the_last_good_picture_stays(explorer, monkeypatch):
    before = explorer.picture.value
    monkeypatch.setattr(explorer, "draw", lambda **values: 1 / 0)
    explorer.controls["threshold"].value = 0.5
    assert explorer.picture.value == before
    assert "division by zero" in explorer.message.value


def test_the_page_without_a_kernel_gets_a_picture(explorer):
    data, metadata = explorer._repr_mimebundle_()
    view = data["application/vnd.jupyter.widget-view+json"]
    assert view == explorer.view._repr_mimebundle_()["application/vnd.jupyter.widget-view+json"]
    assert "image/png" in data
    assert "LBBB" in metadata["image/png"]["alt"]


def test_heart_vector_follows_every_control():
    explorer = HeartVector()
    for control in explorer.controls.values():
        start = control.value
        for value in options(control):
            control.value = value
            assert explorer.error is None
        control.value = start


def test_axis_turns_the_limb_leads():
    """A lead at right angles to the axis is balanced: I at +90 degrees, aVF at 0 (hexaxial system)."""
    explorer = HeartVector()
    explorer.controls["axis"].value = 90
    assert "I as much up as down and aVF upright" in explorer.message.value
    explorer.controls["axis"].value = 0
    assert "I upright and aVF as much up as down" in explorer.message.value
    explorer.controls["axis"].value = -60
    assert "I upright and aVF inverted" in explorer.message.value


def test_controls_are_widgets_of_both_generations():
    """Nothing newer than ipywidgets 7.7 is used: Colab has that."""
    known = (widgets.Dropdown, widgets.FloatSlider, widgets.IntSlider, widgets.SelectionSlider, widgets.Checkbox)
    known += (widgets.BoundedIntText,)
    for row in METHODS.values():
        for parameter in row.parameters:
            assert isinstance(control_for(parameter), (*known, type(None)))
