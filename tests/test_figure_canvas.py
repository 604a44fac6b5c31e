"""FigureCanvas: what a figure asks to be drawn, by hand; and the browser's picture of it against matplotlib's own."""

import io
import json
from base64 import b64decode

import numpy as np
import pytest
from matplotlib.patches import Circle, Rectangle
from matplotlib.transforms import Bbox
from PIL import Image

from browser import open_page, put, settle, show_canvas, state_of
from leadwise.attribution import share_out
from leadwise.attribution.rules import RULES
from leadwise.explorers.figure_canvas import FigureCanvas, record
from leadwise.explorers.rule_lab import draw_layer
from leadwise.networks.weights import ECG_MODELS, load_ecg_model
from leadwise.plotting import plot_ecg, plot_tiles
from leadwise.plotting.heart import plot_heartbeat
from leadwise.plotting.rule import plot_rule
from leadwise.plotting.sheet import Sheet
from leadwise.report import explain_ecg, plot_explanation
from leadwise.simulation.simulate import heart_beat, simulate_ecg

MOVE, LINE, CLOSE = 1, 2, 79  # matplotlib's path codes


@pytest.fixture
def sheet():
    """40 x 20 mm with 2 mm of edge at the sides: 220 x 100 pixels, y pointing up from the lower edge."""
    return Sheet(40.0, 20.0, 0, 0, zoom=1)


def recorded(sheet, kind):
    """Return the recorder, its operations of one kind except for the white ground, and their styles."""
    recorder = record(sheet.figure)
    styles = [json.loads(style) for style in recorder.styles]
    found = [op for op in recorder.ops[1:] if op[0] == kind]
    return recorder, found, [styles[op[1]] for op in found]


def points(recorder, op):
    return np.concatenate(recorder.points)[op[2] : op[3]], np.concatenate(recorder.codes)[op[2] : op[3]]


# --- What is written down ---------------------------------------------------------------------------------


def test_a_rectangle_in_pixels_from_above(sheet):
    sheet.axes.add_patch(Rectangle((0, 0), 10, 4, facecolor="#ff0000", alpha=0.5, linewidth=0))
    recorder, (op,), (style,) = recorded(sheet, "path")
    xy, codes = points(recorder, op)
    np.testing.assert_allclose(xy[:4], [[10, 100], [60, 100], [60, 80], [10, 80]], atol=1e-3)
    assert codes.tolist() == [MOVE, LINE, LINE, LINE, CLOSE]
    assert (recorder.size, style) == ([220, 100], {"fill": "#ff000080"})


def test_opaque_lines_of_one_style_are_one_operation_and_others_are_not(sheet):
    def draw(**options):
        sheet.lines([[(0, 1), (9, 1)], [(0, 2), (9, 2)]], 0.2, "black", 1, **options)

    draw()
    draw(linestyles=[(0, (2, 1))])
    draw(alpha=0.5)
    _, ops, styles = recorded(sheet, "path")
    assert [op[3] - op[2] for op in ops] == [4, 4, 2, 2]
    assert [style["width"] for style in styles] == pytest.approx([1] * 4, abs=1e-3)
    assert ["dash" in style for style in styles] == [False, True, False, False]
    assert [style["stroke"] for style in styles] == ["#000000ff"] * 2 + ["#00000080"] * 2


def test_a_gap_in_a_line_stays_a_gap(sheet):
    sheet.lines([[(0, 1), (4, 1), (5, np.nan), (6, 1), (9, 1)]], 0.2, "black", 1)
    recorder, (op,), _ = recorded(sheet, "path")
    assert points(recorder, op)[1].tolist() == [MOVE, LINE, MOVE, LINE]


def test_images_travel_in_their_own_size(sheet):
    rgba = np.zeros((2, 3, 4))
    rgba[0, 0] = 1, 0, 0, 0.5
    sheet.image(rgba, 0, 30, 0, 10, zorder=1)
    sheet.image(np.ones((2, 2, 4)), 0, 30, 0, 10, zorder=2)
    recorder, (clear, opaque), _ = recorded(sheet, "image")
    assert clear[2:6] == [0, 2, 3, 4]
    assert opaque[2:6] == [24, 2, 2, 3]
    first, last = (np.array([column, row, 1]) @ np.reshape(clear[6:], (3, 2)) for column, row in ((0, 0), (3, 2)))
    np.testing.assert_allclose([first, last], [[10, 50], [160, 100]], atol=1e-2)
    assert np.concatenate(recorder.pixels)[:24].reshape(2, 3, 4)[0, 0].tolist() == [255, 0, 0, 128]
    assert sheet.axes.images[0].get_interpolation() == "nearest"


def test_text_says_where_it_starts_how_wide_and_in_which_font(sheet):
    sheet.text(4, 4, "Aa", 7.2, weight="bold", color="#123456", rotation=90, rotation_mode="anchor")
    _, (op,), (style,) = recorded(sheet, "text")
    size = 7.2 * 127 / 72
    assert op[2] == "Aa"
    assert op[3:5] == pytest.approx([30, 80], abs=0.5)
    assert op[5] == pytest.approx(
        (0.774 + 0.675) * size, rel=0.02
    )  # advances of DejaVu Sans Bold: A 1585, a 1382 / 2048
    assert op[6] == 90
    assert style["fill"] == "#123456ff"
    assert style["font"].startswith(f'normal 700 {size:.2f}px "DejaVu Sans", ')


def test_no_letter_of_a_formula_is_put_on_whole_pixels(sheet):
    """The stem of an "i" and the dots of a colon are rectangles: snapped, they would vanish where they are small."""
    sheet.text(10, 10, "input: $a_j$", parse_math=True)
    recorder = record(sheet.figure)
    styles = [json.loads(style) for style in recorder.styles]
    letters = [styles[op[1]] for op in recorder.ops if op[0] == "path" and "stroke" not in styles[op[1]]]
    assert letters
    assert all(style["snap"] is False for style in letters[-1:])


def test_formulae_are_outlines(sheet):
    sheet.text(4, 4, "sum $z_k$", 7.2, parse_math=True)
    recorder, (op,), (style,) = recorded(sheet, "path")
    assert style["fill"] == "#000000ff"
    assert np.ptp(points(recorder, op)[0][:, 0]) > 20


def test_clipping_to_a_box_and_to_a_path(sheet):
    boxed, within = (sheet.axes.add_patch(Rectangle((0, 0), 10, 4, facecolor="k", linewidth=0)) for _ in range(2))
    boxed.set_clip_path(None)
    boxed.set_clip_box(Bbox([[20, 30], [50, 40]]))
    within.set_clip_path(Circle((5, 2), 2, transform=sheet.axes.transData))
    recorder, _, styles = recorded(sheet, "path")
    assert styles[0]["box"] == pytest.approx([20, 60, 30, 10])
    first, last = styles[1]["within"]
    xy = np.concatenate(recorder.points)[first : last - 1]  # the last closes the path
    np.testing.assert_allclose((xy.min(0) + xy.max(0)) / 2, [35, 90], atol=0.5)


def test_an_error_reaches_the_caller_and_the_view_stays(sheet):
    canvas = FigureCanvas(sheet.figure)
    before = state_of(canvas)
    broken = Sheet(10.0, 10.0, 0, 0, zoom=1)
    broken.text(0, 0, "$\\nonsense$", parse_math=True)
    with pytest.raises(ValueError, match="nonsense"):
        canvas.show(broken.figure)
    assert state_of(canvas) == before
    assert canvas.plot() is sheet.figure
    with pytest.raises(ValueError, match="show"):
        FigureCanvas().plot()


def test_a_figure_travels_in_one_message_and_what_has_not_changed_stays(sheet, monkeypatch):
    canvas, sent = FigureCanvas(sheet.figure), []
    monkeypatch.setattr(canvas, "send_state", lambda key=None: sent.append({key} if isinstance(key, str) else set(key)))
    sheet.lines([[(0, 1), (9, 1)]], 0.2, "black", 1)
    canvas.show(sheet.figure)
    canvas.show(sheet.figure)
    assert sent[0] == {"drawing", "points", "codes"}
    assert not set().union(*sent[1:])


def test_one_bundle_holds_the_view_and_its_static_twin(sheet):
    sheet.figure.alt = "an empty sheet"
    canvas = FigureCanvas(sheet.figure)
    data, metadata = canvas._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == canvas.model_id
    assert b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == data["text/plain"] == canvas.alt == "an empty sheet"


# --- In headless Chromium ---------------------------------------------------------------------------------

RNG = np.random.default_rng(3)


def rule():
    *layer, relevance = draw_layer(2, "pixels")
    shares = share_out(RULES["epsilon"]({"epsilon": 0.1}), *layer, relevance)
    return plot_rule(*layer, relevance, *shares, title="Rule ε")


def explanation():
    networks = {name: load_ecg_model(name, "embedded", verbose=False) for name in ECG_MODELS}
    return plot_explanation(explain_ecg(simulate_ecg("LBBB", seed=5), networks, method="gradient"))


def tiles():
    noise = RNG.integers(0, 256, (224, 224, 3), np.uint8)
    return plot_tiles({"a picture": noise, "a map": RNG.normal(size=(13, 13))}, bars={"a map": [("cat", 0.7)]})


def marked():
    ecg = simulate_ecg("NORM", seed=1)
    mask = np.zeros(ecg.signal.shape, bool)
    mask[:, 300:800] = True
    return plot_ecg(ecg, RNG.normal(size=ecg.signal.shape), mask=mask, style="bubbles", stop=4.0)


FIGURES = {
    "rule": rule,
    "heartbeat": lambda: plot_heartbeat(heart_beat("LBBB"), "One beat"),
    "tiles": tiles,
    "explanation": explanation,
    "dashes, hatches, bubbles": marked,
}  # fmt: skip


@pytest.fixture(scope="module")
def page(running):
    page = open_page(running, width=1300, height=1400, name="figure_canvas")
    yield page
    assert page.complaints == []


def shown(page):
    return np.asarray(Image.open(io.BytesIO(page.locator("canvas").screenshot())).convert("RGB")).astype(int)


@pytest.mark.parametrize("name", FIGURES)
def test_the_browser_draws_what_matplotlib_draws(page, name):
    """Letters differ by less than a pixel of hinting: means over 4 x 4 pixels are compared as well."""
    figure = FIGURES[name]()
    show_canvas(page, FigureCanvas(figure))
    live = shown(page)
    png = np.asarray(Image.open(io.BytesIO(figure._repr_png_()[0])).convert("RGB")).astype(int)
    assert live.shape == png.shape
    height, width = (4 * (n // 4) for n in live.shape[:2])
    coarse = (live - png)[:height, :width].reshape(height // 4, 4, width // 4, 4, 3).mean((1, 3))
    assert np.abs(live - png).mean() < 5
    assert np.abs(coarse).mean() < 2.5
    assert (np.abs(coarse).max(-1) > 64).mean() < 0.01


@pytest.mark.parametrize("width", [1000, 700, 320])
def test_it_is_as_wide_as_the_column_and_no_wider_than_the_figure(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    show_canvas(page, FigureCanvas(rule()))
    size = page.locator("canvas").evaluate("(one) => [one.width, one.height, one.clientWidth, one.clientHeight]")
    full = rule().bbox.size
    assert size[0] == size[2] == width
    assert size[1] == pytest.approx(width * full[1] / full[0], abs=1)
    assert size[3] == pytest.approx(size[1], abs=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 1300, "height": 900})
    settle(page)
    assert page.locator("canvas").evaluate("(one) => one.width") == int(full[0])


def test_it_follows_the_figure_and_can_be_read_aloud(page):
    canvas = FigureCanvas(plot_heartbeat(heart_beat("LBBB")))
    show_canvas(page, canvas)
    before = shown(page)
    canvas.show(plot_heartbeat(heart_beat("NORM"), "Title"))
    state, buffers = state_of(canvas)
    page.evaluate(
        """(buffers) => { for (const [name, text] of Object.entries(buffers)) {
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            window.model.set(name, new DataView(bytes.buffer)); } }""",
        buffers,
    )
    put(page, drawing=state["drawing"], alt=state["alt"])
    assert shown(page).shape != before.shape
    assert page.locator("canvas").get_attribute("role") == "img"
    assert page.locator("canvas").get_attribute("aria-label") == canvas.alt
    assert page.evaluate("window.model.saved") == 0
    page.evaluate("window.close_view()")
    assert page.evaluate("Object.values(window.model.handlers).every((list) => list.length === 0)")


def test_a_wider_font_stays_within_the_measured_width(page, sheet):
    sheet.text(0, 12, "mmmmmmmmmm", 7.2)
    canvas = FigureCanvas(sheet.figure)
    width = canvas.drawing["ops"][-1][5]
    for style in canvas.drawing["styles"]:
        if "font" in style:
            style["font"] = style["font"].replace("DejaVu Sans", "DejaVu Sans Mono")
    show_canvas(page, canvas)
    dark = np.flatnonzero((shown(page).min(2) < 128).any(0))
    assert dark[0] >= 10
    assert dark[-1] <= 10 + width


def test_a_screen_of_high_resolution_gets_all_its_pixels(running):
    page = open_page(running, width=700, ratio=2, name="figure_canvas")
    show_canvas(page, FigureCanvas(rule()))
    assert page.locator("canvas").evaluate("(one) => [one.width, one.clientWidth]") == [1400, 700]
    assert page.complaints == []


def test_a_figure_that_was_handed_out_outlives_the_next_one():
    canvas = FigureCanvas(plot_heartbeat(heart_beat("NORM"), "first"))
    kept = canvas.plot()
    canvas.show(plot_heartbeat(heart_beat("LBBB"), "second"))
    assert kept.axes
    assert canvas.plot().axes
