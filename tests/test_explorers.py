"""Explorers: every option of every control changes the picture or leaves it, and nothing fails unseen."""

import datetime
import re
import threading
from types import SimpleNamespace

import ipywidgets as widgets
import numpy as np
import pytest
import wfdb

from figures import is_drawn_by_the_browser, stops, upload
from leadwise import METHODS, load_ecg_model
from leadwise.attribution import receipt
from leadwise.ecg.leads import LEADS
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
from leadwise.explorers.base import control_for
from leadwise.explorers.canvas import LARGEST
from leadwise.explorers.upload import uploaded_files
from leadwise.networks.alexnet import load_alexnet
from leadwise.recordings.catalogue import load_record

QUICK = {"samples": 20, "segment": 500, "window": 500, "stride": 500, "cell": 500}


@pytest.fixture
def explorer(data_dir, patient):
    return ECGExplorer(record="sim-lbbb-1", model="LBBB", method="gradient")


def choose(explorer, method):
    """Choose a method as a learner does: its family, then the method."""
    explorer.controls["family"].value = METHODS[method].family
    explorer.controls["method"].value = method


def shown(explorer):
    """Return what the canvas has been given: signal and relevance."""
    return explorer.canvas.signal, explorer.canvas.relevance, tuple(explorer.canvas.maxima)


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
        for value in stops(control):
            parameter.check(value)


@pytest.mark.parametrize("name", ECGExplorer.display)
def test_display_controls_are_linked_in_the_browser_and_ask_nothing_of_the_kernel(explorer, name, monkeypatch):
    is_drawn_by_the_browser(explorer, name, monkeypatch)


@pytest.mark.parametrize("name", ["target", "score", "start"])
def test_what_is_explained_changes_the_map(explorer, name):
    control = explorer.controls[name]
    for value in stops(control):
        before, changed = shown(explorer), control.value != value
        control.value = value
        assert explorer.error is None
        assert (shown(explorer) != before) == changed


def test_every_record_and_model_can_be_chosen(explorer):
    for name in ("record", "model"):
        for value in stops(explorer.controls[name])[:4]:
            explorer.controls[name].value = value
            assert explorer.error is None


@pytest.mark.parametrize("name", METHODS)
def test_every_method_shows_its_own_controls_and_map(explorer, name, monkeypatch):
    def quick(parameter, images=False):
        control = control_for(parameter, images)
        if parameter.name in QUICK:
            control.value = QUICK[parameter.name]
        return control

    monkeypatch.setattr("leadwise.explorers.base.control_for", quick)
    choose(explorer, name)
    assert explorer.error is None
    assert explorer.canvas.title.startswith(f"{METHODS[name].title} of the LBBB network")
    assert set(explorer.parameters) == {p.name for p in METHODS[name].parameters if p.default is not None}
    assert METHODS[name].citation.split(",")[0] in explorer.formula.value


def test_a_parameter_slider_changes_the_map(explorer):
    choose(explorer, "lrp_epsilon")
    before = shown(explorer)
    explorer.parameters["epsilon"].value = 10.0
    assert shown(explorer) != before
    call = 'relevance = attribute(net, x, "lrp_epsilon", target=1, explain="log-odds", epsilon=10.0)'
    assert call in explorer.code_line.code.splitlines()


def test_parameters_may_be_given(data_dir):
    explorer = ECGExplorer(method="lrp_epsilon", epsilon=10.0)
    assert "epsilon=10.0)" in explorer.code()
    with pytest.raises(ValueError, match="no parameter 'eps'"):
        ECGExplorer(method="lrp_epsilon", eps=10.0)
    for wrong in ({"method": "gradcam"}, {"record": "sim"}):
        with pytest.raises(ValueError, match="expected one of"):
            ECGExplorer(**wrong)


def test_the_window_is_cut_out_of_the_filtered_recording(explorer):
    explorer.controls["start"].value = 3.5
    network = load_ecg_model("LBBB", verbose=False)
    p = float(network.probability(load_record("sim-lbbb-1").preprocess().window(3.5, 2000).tensor()))
    assert f"p(LBBB) = {p:.3f}" in explorer.message.value
    assert "3.5–7.5 s" in explorer.alt


def test_the_bars_are_the_shares_of_the_leads(explorer):
    relevance = np.frombuffer(explorer.canvas.relevance, "<i2").reshape(12, -1) / LARGEST
    share = np.abs(relevance * np.array(explorer.canvas.maxima)[:, None]).sum(1)
    words = re.findall(r"<b>(\w+)</b><br>([\d.<]+)", explorer.lead_bars.value)
    assert [lead for lead, _ in words] == list(LEADS)
    assert [float(value) for _, value in words] == pytest.approx(100 * share / share.sum(), abs=0.6)


def test_an_uploaded_recording_joins_the_menu(explorer, tmp_path):
    ecg = load_record("sim-rbbb-1")
    table = ",".join(LEADS) + "\n" + "\n".join(",".join(f"{v:.4f}" for v in row) for row in ecg.signal.T)
    upload(explorer.controls["upload"], {"mine.csv": table.encode()})
    assert "500" in explorer.message.value or explorer.error is not None  # a CSV does not say its rate
    assert explorer.controls["record"].value == "sim-lbbb-1"
    header, data = (path.read_bytes() for path in write_wfdb(ecg, tmp_path))
    upload(explorer.controls["upload"], {"mine.hea": header, "mine.dat": data})
    assert explorer.error is None
    assert explorer.controls["record"].value == "yours: mine.hea"
    network = load_ecg_model("LBBB", verbose=False)
    p = float(network.probability(ecg.preprocess().window(0, 2000).tensor()))
    assert f"p(LBBB) = {p:.3f}" in explorer.message.value


def test_a_second_upload_of_the_same_name_takes_nobodys_place(explorer):
    def sheet(ecg):
        rows = (",".join(f"{v:.4f}" for v in (i / 500, *row)) for i, row in enumerate(ecg.signal.T))
        return "\n".join(["time (s)," + ",".join(f"{lead} (mV)" for lead in LEADS), *rows]).encode()

    one, two = sheet(load_record("sim-rbbb-1")), sheet(load_record("sim-lbbb-2"))
    network = load_ecg_model("LBBB", verbose=False)
    shown = {}
    for content in (one, two, one):
        upload(explorer.controls["upload"], {"ecg.csv": content})
        assert explorer.error is None
        shown[explorer.controls["record"].value] = explorer.message.value
    assert list(shown) == ["yours: ecg.csv", "yours: ecg.csv (2)"]
    assert explorer.controls["record"].value == "yours: ecg.csv"
    for name, record in (("yours: ecg.csv", "sim-rbbb-1"), ("yours: ecg.csv (2)", "sim-lbbb-2")):
        explorer.controls["record"].value = name
        p = float(network.probability(load_record(record).preprocess().window().tensor()))
        assert f"p(LBBB) = {p:.3f}" in explorer.message.value


@pytest.mark.parametrize("names", [("a.csv", "a.csv"), ("a.hea", "A.HEA")])
def test_two_files_of_one_name_in_one_upload_are_refused(explorer, names):
    control = explorer.controls["upload"]
    files = [{"name": n, "size": 3, "content": memoryview(b"abc"), "type": "", "last_modified": None} for n in names]
    with pytest.raises(ValueError, match="two of the files are called"):
        uploaded_files(SimpleNamespace(value=tuple(files)))
    if not isinstance(control.value, dict):  # ipywidgets 7 holds a dictionary, which cannot
        now = datetime.datetime.now(datetime.timezone.utc)
        control.set_trait("value", tuple(file | {"last_modified": now} for file in files))
        assert "two of the files are called" in explorer.message.value
        assert explorer.controls["record"].value == "sim-lbbb-1"


def alive() -> set:
    """Every widget that a kernel keeps."""
    kept = getattr(widgets.widget, "_instances", None)
    return set(widgets.Widget.widgets if kept is None else kept)


EXPLORERS = {
    "ECGExplorer": lambda: ECGExplorer("sim-lbbb-1", method="gradient"),
    "ECGNetworkExplorer": lambda: ECGNetworkExplorer(model="xresnet1d"),
    "HeartVector": HeartVector,
    "ImageExplorer": lambda: ImageExplorer(model="embedded", method="gradient"),
    "MethodGrid of a picture": lambda: MethodGrid(model="embedded", methods=("gradient",)),
    "MethodGrid of a recording": lambda: MethodGrid("sim-lbbb-1", methods=("gradient",)),
    "NetworkExplorer": lambda: NetworkExplorer(load_alexnet("embedded"), view="filters"),
    "OwnECG": lambda: OwnECG(method="gradient", weights="embedded"),
    "RuleLab": RuleLab,
}


@pytest.mark.parametrize("name", EXPLORERS)
def test_a_closed_explorer_keeps_no_widget(name, data_dir):
    before = alive()
    with EXPLORERS[name]() as explorer:
        assert len(alive() - before) > 10
        for control in ("method", "view", "rule", "family"):  # what puts other controls in the place of some
            if control in explorer.controls:
                for option in stops(explorer.controls[control])[:3]:
                    explorer.controls[control].value = option
        explorer.wait()
    assert alive() - before == set()
    explorer.close()  # a second time does nothing


def test_an_explorer_grows_by_nothing_while_it_is_used(explorer):
    """Controls of a method's parameters are made once, and begin with their defaults each time."""
    visited = ("smoothgrad", "lrp_gamma", "gradient")
    for method in visited:
        choose(explorer, method)
    before = len(alive())
    for method in visited * 2:
        choose(explorer, method)
        assert explorer.settings() == {k: v for k, v in METHODS[method].defaults().items() if v is not None}
        for control in explorer.parameters.values():
            control.value = stops(control)[0]
    assert len(alive()) == before


def test_an_explorer_that_cannot_be_made_keeps_no_widget(data_dir):
    before = alive()
    with pytest.raises(Exception, match="no file"):
        OwnECG("no/such/file.csv", method="gradient", weights="embedded")
    assert alive() - before == set()


def write_wfdb(ecg, folder):
    """Write a recording as WFDB, 16 bits; return the paths of header and signal."""
    wfdb.wrsamp(
        "mine", fs=ecg.fs, units=["mV"] * 12, sig_name=list(LEADS), p_signal=ecg.signal.T.astype(float),
        fmt=["16"] * 12, write_dir=str(folder),
    )  # fmt: skip
    return folder / "mine.hea", folder / "mine.dat"


def test_a_degenerate_method_says_why(explorer):
    choose(explorer, "grad_cam")
    assert "never in which lead" in explorer.message.value


def test_why_a_method_degenerates_is_told_by_the_run_that_made_its_map(explorer):
    passes = []
    module = explorer.subject.net(explorer.asked.case).module
    hook = module.register_forward_pre_hook(lambda *_: passes.append("one"))
    choose(explorer, "guided_grad_cam")
    chosen = len(passes)
    assert "so the guided part is the plain gradient" in explorer.message.value
    explorer.refresh()
    assert len(passes) == chosen
    receipt(module, explorer.subject.seen(explorer.asked.case).x, "grad_cam", 1, explain="log-odds")
    receipt(module, explorer.subject.seen(explorer.asked.case).x, "guided_grad_cam", 1, explain="log-odds")
    hook.remove()
    assert len(passes) == 2 * chosen


def test_an_answer_is_kept(explorer, monkeypatch):
    choose(explorer, "lrp_epsilon")
    drawn = shown(explorer)
    monkeypatch.setattr("leadwise.explorers.recording_subject.receipt", lambda *a, **b: pytest.fail("computed again"))
    explorer.controls["record"].value = "sim-lbbb-1"
    choose(explorer, "gradient")
    choose(explorer, "lrp_epsilon")
    assert explorer.error is None
    assert shown(explorer) == drawn


def test_a_slow_method_leaves_the_controls_free_and_the_newest_input_wins(explorer, monkeypatch):
    """Integrated gradients with as many steps as it allows, in a thread; meanwhile the learner changes his mind."""
    monkeypatch.setattr("leadwise.explorers.base.PATIENCE", 0.01)
    steps = {p.name: p.high for p in METHODS["integrated_gradients"].parameters if p.name == "steps"}
    before, seen = shown(explorer), threading.Event()
    explorer.bar.observe(lambda change: seen.set(), "value")
    choose(explorer, "integrated_gradients")
    explorer.parameters["steps"].value = steps["steps"]
    assert seen.wait(60)  # it is under way,
    assert explorer.busy.layout.visibility == "visible"
    assert shown(explorer)[1] in (before[1], explorer.canvas.relevance)  # nothing half-drawn,
    explorer.controls["family"].value = "gradient"
    explorer.controls["method"].value = "gradient"
    explorer.wait()
    assert shown(explorer) == before  # and no longer wanted
    assert explorer.busy.layout.visibility == "hidden"
    assert not any(("steps", steps["steps"]) in asked.settings for asked in explorer.answers)


def test_cancel_keeps_the_last_picture(explorer, monkeypatch):
    under_way, go_on = threading.Event(), threading.Event()

    def endless(*args, **settings):
        under_way.set()
        while True:
            go_on.wait(0.01)
            settings["progress"](1, 2)

    before = shown(explorer)
    monkeypatch.setattr("leadwise.explorers.base.PATIENCE", 0.01)
    monkeypatch.setattr("leadwise.explorers.recording_subject.receipt", endless)
    explorer.controls["start"].value = 1.0
    assert under_way.wait(60)
    explorer.halt.click()
    assert not explorer.worker.busy
    assert shown(explorer) == before
    assert "cancelled" in explorer.message.value
    assert explorer.busy.layout.visibility == "hidden"


def test_the_window_starts_as_late_as_the_recording_allows(explorer, monkeypatch):
    start, whole = explorer.controls["start"], load_record("sim-norm-1")
    assert (start.disabled, start.max) == (False, whole.duration - 4)
    monkeypatch.setattr("leadwise.explorers.recording_subject.load_record", lambda name: whole.window(0, 2000))
    explorer.controls["record"].value = "sim-norm-1"
    assert explorer.error is None
    assert start.disabled


def test_an_error_is_shown_and_the_last_good_picture_stays(explorer, monkeypatch):
    before = shown(explorer)
    monkeypatch.setattr(explorer, "answer", lambda *asked: 1 / 0)
    explorer.controls["start"].value = 0.5
    assert shown(explorer) == before
    assert "division by zero" in explorer.message.value
    assert all("leadwise-previous" in one._dom_classes for one in (explorer.lead_bars, explorer.formula))
    monkeypatch.undo()
    explorer.refresh()
    explorer.wait()
    assert not any("leadwise-previous" in one._dom_classes for one in (explorer.lead_bars, explorer.formula))


def test_the_figure_is_saved(explorer, tmp_path, monkeypatch):
    explorer.controls["sign"].value = "negative"
    files = explorer.save(tmp_path / "mine")
    assert [file.name for file in files] == ["mine.png", "mine.svg"]
    assert all(file.stat().st_size > 1000 for file in files)
    monkeypatch.setattr("leadwise.explorers.base.checkout", lambda: tmp_path)
    explorer.save_button.click()
    assert (tmp_path / "plots/explorers/ECGExplorer.png").is_file()
    assert "ECGExplorer.png" in explorer.message.value


def test_the_page_without_a_kernel_gets_a_picture(explorer):
    data, metadata = explorer._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.view.model_id
    assert "image/png" in data
    assert "LBBB" in metadata["image/png"]["alt"]


def test_heart_vector_follows_every_control():
    explorer = HeartVector()
    for control in explorer.controls.values():
        start = control.value
        for value in stops(control):
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
