"""The canvas: what it sends, once; what it refuses; and its static twin."""

import re
from base64 import b64decode

import numpy as np
import pytest
import traitlets

from figures import changes
from leadwise.ecg.leads import LEADS
from leadwise.explorers.canvas import CHOICES, GAP, LARGEST, ECGCanvas, quantise
from leadwise.explorers.live import IMPORT, STATIC

RNG = np.random.default_rng(4)
SIGNAL = RNG.normal(size=(12, 600)).astype(np.float32)
RELEVANCE = RNG.normal(size=(12, 600)) * np.geomspace(1e-6, 1e3, 12)[:, None]


@pytest.fixture
def canvas():
    return ECGCanvas(SIGNAL, RELEVANCE, fs=500)


def test_the_buffers_hold_signal_and_relevance(canvas):
    assert np.abs(millivolts(canvas) - SIGNAL).max() <= 0.0005 * (1 + 1e-3)
    fractions = np.frombuffer(canvas.relevance, "<i2").reshape(12, 600) / LARGEST
    error = np.abs(fractions * np.array(canvas.maxima)[:, None] - RELEVANCE).max(axis=1)
    assert (error <= np.abs(RELEVANCE).max(axis=1) / (2 * LARGEST) * (1 + 1e-9)).all()


def millivolts(canvas):
    steps = np.frombuffer(canvas.signal, "<i2").reshape(12, -1)
    return np.where(steps == GAP, np.nan, steps * canvas.step)


def test_a_gap_stays_a_gap_and_a_large_signal_fits():
    signal = np.zeros((12, 600))
    signal[3, 10:20], signal[4] = np.nan, np.linspace(-20, 35, 600)
    drawn = millivolts(ECGCanvas(signal, fs=500))
    assert np.array_equal(np.isnan(drawn), np.isnan(signal))
    assert np.nanmax(np.abs(drawn - signal)) <= 35 / LARGEST / 2 * (1 + 1e-6)


def test_a_lead_without_relevance_is_zero():
    data, maxima = quantise(np.zeros((12, 5)))
    assert data == bytes(2 * 12 * 5)
    assert maxima == [0.0] * 12


def test_a_window_keeps_the_scale_of_the_whole_record():
    canvas = ECGCanvas(SIGNAL, RELEVANCE, fs=500, start=0.2, stop=0.6)
    assert (canvas.first, canvas.samples) == (100, 200)
    assert canvas.maxima == np.abs(RELEVANCE).max(axis=1).tolist()
    assert np.abs(millivolts(canvas) - SIGNAL).max() <= 0.0005 * (1 + 1e-3)
    assert len(canvas.relevance) == 2 * 12 * 200


def test_only_what_changed_travels(canvas):
    assert changes(canvas, lambda: setattr(canvas, "threshold", 0.3)) == {"threshold"}
    assert changes(canvas, lambda: setattr(canvas, "sign", "negative")) == {"sign_index"}
    assert changes(canvas, lambda: canvas.show(SIGNAL, RELEVANCE, fs=500)) == set()
    assert changes(canvas, lambda: canvas.show(SIGNAL, 2 * RELEVANCE, fs=500)) == {"maxima"}
    assert changes(canvas, lambda: canvas.show(SIGNAL, RELEVANCE[::-1], fs=500)) == {"maxima", "relevance"}
    assert changes(canvas, lambda: canvas.show(SIGNAL, None, fs=500)) == {"maxima", "relevance"}


@pytest.mark.parametrize("name", CHOICES)
def test_a_word_and_its_place_in_the_list_stay_together(canvas, name):
    for place, word in enumerate(CHOICES[name]):
        setattr(canvas, name, word)
        assert getattr(canvas, f"{name}_index") == place
    setattr(canvas, f"{name}_index", 0)  # as a linked Dropdown does
    assert getattr(canvas, name) == CHOICES[name][0]


def test_what_cannot_be_shown_is_refused_and_the_view_stays(canvas):
    broken = RELEVANCE.copy()
    broken[3, 7] = np.nan
    cases = [
        ((SIGNAL, RELEVANCE.T), "Transpose it"),
        ((SIGNAL, broken), "lead aVR at sample 7"),
        ((SIGNAL * 1000, RELEVANCE), "If it is in µV"),
    ]
    for arguments, message in cases:
        assert changes(canvas, lambda a=arguments, m=message: _refuses(canvas, a, m)) == set()
    with pytest.raises(ValueError, match="no option"):
        ECGCanvas(SIGNAL, RELEVANCE, fs=500, colour="red")
    for name, value in (("overlay", "rainbow"), ("threshold", 1.0), ("leads", ["V7"]), ("leads", []), ("columns", 0)):
        with pytest.raises(traitlets.TraitError):
            setattr(canvas, name, value)


def _refuses(canvas, arguments, message):
    with pytest.raises(ValueError, match=message):
        canvas.show(*arguments, fs=500)


def test_one_bundle_holds_the_view_and_its_static_twin(canvas):
    canvas.overlay, canvas.leads = "halo", ["II", "V1"]
    data, metadata = canvas._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == canvas.model_id
    assert b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"].startswith("ECG: leads II, V1 on ECG paper")
    assert "Relevance as halo" in metadata["image/png"]["alt"]


def test_the_module_loads_nothing_from_elsewhere():
    for path in STATIC.iterdir():
        text = re.sub(r'url\("data:[^"]*"\)', "", IMPORT.sub("", path.read_text()))  # what it brings along, and its own
        assert not re.search(r"https?:|^\s*import |@import|url\(", text, re.MULTILINE), path.name


def test_the_package_ships_the_module(canvas):
    for name in ("shared", "ecg_canvas"):
        assert IMPORT.sub("", (STATIC / f"{name}.js").read_text()) in canvas._esm
        assert (STATIC / f"{name}.css").read_text() in canvas._css
    assert list(LEADS) == canvas.look["leads"]
