"""The explorer for a learner's own recording: every control, and files that spoil nothing."""

import io

import numpy as np
import pytest

import leadwise
from figures import drawn, drive, stops, upload
from leadwise.ecg.leads import LEADS
from leadwise.explorers.own_ecg import UNITS, OwnECG


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.fixture(scope="module")
def sim():
    return leadwise.simulate_ecg("RBBB", seed=4)


@pytest.fixture
def explorer(sim, tmp_path, patient):
    return OwnECG(sim, method="gradient", weights="embedded", folder=tmp_path)


def test_every_control(explorer, sim):
    first = drawn(explorer)
    assert "p(RBBB)" in explorer.message.value
    assert "not for diagnosis" in explorer.message.value
    explorer.controls["model"].value = "AVB"
    assert explorer.error is None
    assert explorer.explanation.model == "AVB"
    assert drawn(explorer) != first
    explorer.controls["start"].value = 3.2
    assert explorer.explanation.start == pytest.approx(3.2)
    explorer.controls["family"].value = "LRP"
    explorer.controls["method"].value = "lrp_epsilon"
    explorer.parameters["epsilon"].value = explorer.parameters["epsilon"].options[0][1]
    assert explorer.error is None
    network = leadwise.load_ecg_model("AVB", "embedded")
    x = sim.preprocess().window(3.2).tensor()
    assert explorer.explanation.probabilities["AVB"] == pytest.approx(float(network.probability(x)), abs=1e-6)
    expected = leadwise.attribute(network, x, "lrp_epsilon", target=1, explain="log-odds", **explorer.settings())
    np.testing.assert_allclose(explorer.explanation.relevance, expected, rtol=1e-4, atol=1e-7)


def test_every_network_window_and_method_is_drawn(explorer, monkeypatch):
    drive(explorer, explorer.controls["model"], ["AVB", "RBBB", "AVB"])
    drive(explorer, explorer.controls["start"], [0.0, 2.5, explorer.controls["start"].max])
    for value in stops(explorer.controls["family"]):
        before, moved = drawn(explorer), explorer.controls["family"].value != value
        explorer.controls["family"].value = value
        assert explorer.error is None
        assert (drawn(explorer) != before) == moved
        assert explorer.explanation.method == explorer.controls["method"].value


def test_a_slow_method_tells_how_far_it_is_and_can_be_cancelled(explorer, monkeypatch):
    seen, before = [], drawn(explorer)

    def slowly(*args, progress, **parameters):
        progress(1, 4)
        seen.append("first")
        explorer.worker.cancel()
        progress(2, 4)
        seen.append("second")

    monkeypatch.setattr("leadwise.explorers.own_ecg.explain_ecg", slowly)
    explorer.controls["start"].value = 1.0
    explorer.wait()
    assert seen == ["first"]
    assert drawn(explorer) == before


def test_what_the_file_does_not_say_is_asked_for(explorer, sim):
    good = drawn(explorer)
    upload(explorer.controls["upload"], {"mine.npy": npy(sim.signal * 1000)})
    for control, value, asked in (
        ("leads", ",".join(LEADS), "leads="),
        ("fs", "500", "fs=500"),
        ("unit", "uV", "unit="),
    ):
        assert explorer.error is not None
        assert asked in explorer.message.value
        assert drawn(explorer) == good
        explorer.controls[control].value = value
    assert explorer.error is None
    assert "<b>mine</b>" in explorer.message.value
    for _, unit in UNITS:
        explorer.controls["unit"].value = unit
        assert (explorer.error is None) == (unit == "uV")


def test_bad_files_leave_the_last_good_picture(explorer, tmp_path):
    good = drawn(explorer)
    for name, data in (
        ("<b>.csv", b"<script>alert(1)</script>"),
        ("a.edf", b"text"),
        ("a.npy", b""),
        ("a.dat", b"1\0"),
    ):
        upload(explorer.controls["upload"], {name: data})
        assert explorer.error is not None
        assert "<script>" not in explorer.message.value
        assert drawn(explorer) == good
    for path in ("/no/such/file.csv", str(tmp_path), "\0"):
        explorer.controls["path"].value = path
        assert explorer.error is not None
        assert drawn(explorer) == good
    explorer.controls["fs"].value = "fast"
    assert "expected a number of Hz" in explorer.message.value
    explorer.report_button.click()
    assert "nothing to report" in explorer.message.value


def test_a_recording_that_fails_a_check_is_not_explained(explorer, sim):
    head = ",".join(f"{lead} (mV)" for lead in LEADS)
    rows = "\n".join(",".join(f"{value:.4f}" for value in row) for row in sim.signal.T * 7)
    upload(explorer.controls["upload"], {"loud.csv": f"{head}\n{rows}".encode()})
    explorer.controls["fs"].value = "500"
    assert "10 times too large" in explorer.message.value
    assert explorer.error is not None


def test_path_and_report(explorer, sim, tmp_path, monkeypatch):
    header = sim.save(tmp_path, "rec")
    explorer.controls["path"].value = str(header)
    assert explorer.error is None
    assert "<b>rec</b>" in explorer.message.value
    monkeypatch.setattr("leadwise.explorers.own_ecg.explain_ecg", None)  # the page is made from what is shown
    monkeypatch.setattr("leadwise.report.page.explain_ecg", None)
    explorer.report_button.click()
    assert "Saved rec.pdf" in explorer.message.value
    assert {"rec.pdf", "rec.html"} <= {path.name for path in tmp_path.iterdir()}


def test_begins_with_a_path_or_a_record(sim, tmp_path, data_dir):
    by_path = OwnECG(sim.save(tmp_path, "rec"), method="gradient", weights="embedded")
    assert by_path.explanation.name == "rec"
    assert by_path.controls["path"].value.endswith("rec.hea")
    assert OwnECG(method="gradient", weights="embedded").explanation.name
    bundle, metadata = by_path._repr_mimebundle_()
    assert {"application/vnd.jupyter.widget-view+json", "image/png"} <= set(bundle)
    assert "rec" in metadata["image/png"]["alt"]
