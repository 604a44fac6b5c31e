"""Names of records, networks, classes and objects are anybody's: none may kill a figure, a page or a view."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import leadwise
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.explorers.canvas import ECGCanvas
from leadwise.explorers.code_line import CodeLine
from leadwise.explorers.figure_canvas import FigureCanvas
from leadwise.explorers.map_canvas import MapCanvas
from leadwise.plotting import plot_ecg, plot_grid, plot_image, plot_image_grid, plot_tiles, save_figure
from leadwise.plotting.explained import plot_explained
from leadwise.plotting.rule import plot_flow
from leadwise.plotting.style import printable
from leadwise.plotting.tables import plot_matrix
from leadwise.report import explain_ecg, report

NAMES = {
    "mathtext that is none": r"$\frac{",
    "an unknown command": r"cost $\unknown$ of $x_{",
    "two dollars": "from $5 to $9_a^b",
    "half a character": "caf\ud800e",
    "an undecoded byte": "caf\udce9.dat",
    "controls": "a\x00b\x07c\x1b[31m",
    "no XML": "a--b ]]> <b>&amp; \ufffe",
    "braces": "{0} %s {name!r}",
    "lines": "a\nb\r\nc\td",
    "other scripts": "心電図 ecg ‮txet 🫀",
    "blank": "   ",
    "long": "x" * 400,
}
odd = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
pytestmark = pytest.mark.filterwarnings("ignore:Glyph")
rng = np.random.default_rng(0)
SIGNAL, MAP = rng.normal(0, 0.3, (12, 1000)), rng.normal(0, 1, (12, 1000))
PICTURE, PIXELS = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8), rng.normal(size=(32, 32))
MASK = np.zeros((32, 32), bool)
MASK[8:20, 8:20] = True

FIGURES = {
    "ecg": lambda name: plot_ecg(ECG(SIGNAL, record_id=name), MAP, title=name, label=name),
    "ecg without title": lambda name: plot_ecg(ECG(SIGNAL, record_id=name), MAP),
    "grid": lambda name: plot_grid(ECG(SIGNAL, record_id=name), {name: MAP, "b": MAP}, notes={name: name}, title=name),
    "picture": lambda name: plot_image(PICTURE, PIXELS, title=name, label=name),
    "pictures": lambda name: plot_image_grid(PICTURE, {name: PIXELS, "b": PIXELS}, notes={name: name}, title=name),
    "explained": lambda name: plot_explained(
        PICTURE, PIXELS, objects={name: MASK}, classes=[(name, 0.7)], explained=name, facts=[name], citation=name,
        caption=name, title=name,
    ),
    "table": lambda name: plot_matrix(np.eye(2), [name, "b"], [name, "c"], title=name, label=name),
    "flow": lambda name: plot_flow([[1, 2], [3]], [np.ones((2, 1))], names=[name, "b"], title=name),
    "tiles": lambda name: plot_tiles(
        {name: PICTURE, "b": PIXELS}, notes={name: name}, bars={name: [(name, 0.5)]}, title=name, label=name
    ),
}  # fmt: skip


@odd
@pytest.mark.parametrize("kind", FIGURES)
def test_figures_can_be_drawn_saved_and_shown(kind, name, tmp_path):
    figure = FIGURES[kind](name)
    data, words = figure._repr_png_()
    assert data[:4] == b"\x89PNG"
    json.dumps(words, ensure_ascii=False).encode()  # as a notebook is written
    [path] = save_figure(figure, tmp_path / "figure", formats=("svg",))
    ET.parse(path)
    canvas = FigureCanvas(figure)
    json.dumps([canvas.drawing, canvas.alt], ensure_ascii=False).encode()


@odd
def test_views_send_what_a_browser_can_be_sent(name):
    views = [
        ECGCanvas(ECG(SIGNAL, record_id=name), MAP, title=name, label=name),
        MapCanvas(
            PICTURE, PIXELS, objects={name: MASK}, title=name, label=name, classes=[(name, 0.5)], explained=name,
            facts=[name], citation=name, caption=name,
        ),
        MapCanvas(PICTURE, {name: PIXELS}, notes={name: name}, title=name),
        CodeLine(code=name),
    ]  # fmt: skip
    for view in views:
        state = {key: value for key, value in view.get_state().items() if not isinstance(value, bytes | memoryview)}
        json.dumps(state, ensure_ascii=False, default=str).encode()
        view.close()


@pytest.mark.parametrize("name", [NAMES[key] for key in ("mathtext that is none", "half a character", "controls")])
def test_a_page_about_them(name, tmp_path):
    network = leadwise.load_ecg_model("LBBB", "embedded", verbose=False)
    network.source = name
    ecg = leadwise.simulate_ecg("LBBB", seed=5)
    ecg = ECG(ecg.signal, record_id=name, notes=(name,), metadata={"age": name, "dx": name})
    page = report(ecg, {name: network, "b": network}, method="gradient", explain=name, folder=tmp_path)
    assert page.pdf.stat().st_size > 10_000
    assert printable(name)[:5].replace("<", "&lt;") in page.html.read_text(encoding="utf-8")
    assert repr(explain_ecg(ecg, {name: network}, method="gradient"))
    assert page._repr_png_()


def test_printable():
    assert printable("a\ud800\x00b\n") == "a\ufffd\ufffdb\n"
    assert all(printable(text) == text for text in (*LEADS, "心電図", "$x$", "🫀", "a\tb"))
