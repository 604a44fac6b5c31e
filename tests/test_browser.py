"""The canvas in headless Chromium: the same picture as plot_ecg, and everything that mouse and keys do to it."""

import io

import numpy as np
import pytest
from PIL import Image

from browser import (
    close_notebook,
    open_notebook,
    open_page,
    put,
    run_cells,
    settle,
    show_canvas,
    write_notebook,
)
from leadwise.ecg.leads import LEADS
from leadwise.explorers.canvas import LARGEST, ECGCanvas
from leadwise.plotting.relevance import Scale, pool_signed_max
from leadwise.plotting.style import RELEVANCE

FS, SAMPLES, BLOCK = 500, 2000, 250
RNG = np.random.default_rng(8)
VALUES = RNG.choice([-1, -0.5, -0.1, 0, 0.1, 0.5, 1], size=(12, SAMPLES // BLOCK))
VALUES[:, 0] = 1  # the maximum of each lead is known
BLOCKS = VALUES.repeat(BLOCK, axis=1) * np.linspace(0.5, 2, 12)[:, None]
WAVY = np.sin(np.arange(SAMPLES) / FS * 2 * np.pi) * np.linspace(0.3, 1, 12)[:, None]


@pytest.fixture(scope="module")
def bare(running):
    return open_page(running)  # one page for all tests: a new one takes a second


@pytest.fixture
def page(show):
    return show(ECGCanvas(WAVY, BLOCKS, fs=FS))


def picture(page, selector=".leadwise-sheet"):
    return np.asarray(Image.open(io.BytesIO(page.locator(selector).first.screenshot())).convert("RGB")).astype(int)


def layout(page):
    """Return pixels of every strip: lead -> leftPx, widePx, stepPx, topPx, bottomPx, basePx; and mvPx."""
    code = """([width]) => { const model = window.model, c = window.canvas;
        return c.layOut(c.readECG(model), c.readShow(model), model.get("look"), width); }"""
    lay = page.evaluate(code, [page.viewport_size["width"]])
    return {LEADS[strip["lead"]]: strip for strip in lay["strips"]}, lay["mvPx"]


def readout(page):
    return page.inner_text(".leadwise-readout").replace("\u2212", "-")


def point_at(page, lead, sample):
    strips, _ = layout(page)
    box = page.locator(".leadwise-stage").bounding_box()
    strip = strips[lead]
    x, y = strip["leftPx"] + sample * strip["stepPx"], (strip["topPx"] + strip["bottomPx"]) / 2
    page.mouse.move(box["x"] + x, box["y"] + y)
    settle(page)


@pytest.mark.parametrize("columns", [1, 7, 100, 250, 999])
def test_pooling_is_that_of_plot_ecg(page, columns):
    values = np.round(RNG.normal(size=250), 1)  # rounded, so that ties of opposite sign happen
    code = "([values, columns]) => Array.from(window.canvas.poolSignedMax(values, columns))"
    assert page.evaluate(code, [values.tolist(), columns]) == pool_signed_max(values, columns).tolist()


def test_colours_are_those_of_plot_ecg(page):
    values = np.linspace(-1, 1, 401)
    code = """(values) => { const look = window.model.get("look"), show = { power: look.power };
        const table = Array.from(new Uint8Array(window.model.get("colours").buffer));
        return values.map((v) => window.canvas.colourAt(v, show, look)).map((at) => table.slice(at, at + 4)); }"""
    wanted = (RELEVANCE((values + 1) / 2) * 255).round()
    assert np.array_equal(page.evaluate(code, values.tolist()), wanted)


@pytest.mark.parametrize("sign", ["signed", "positive", "negative"])
@pytest.mark.parametrize("normalise", ["record", "lead"])
def test_values_are_those_of_plot_ecg(page, sign, normalise):
    code = """([sign, normalise]) => { const c = window.canvas, ecg = c.readECG(window.model);
        const show = { sign, normalise, threshold: 0.3 };
        return ecg.maxima.map((_, lead) => Array.from(c.normalised(ecg, show, lead, 0, ecg.samples))); }"""
    wanted = Scale(BLOCKS, FS, normalise, 0.3, sign).values
    assert np.abs(page.evaluate(code, [sign, normalise]) - wanted).max() <= 1 / LARGEST


@pytest.mark.parametrize("normalise", ["record", "lead"])
def test_live_view_and_figure_show_the_same_colour_at_the_same_lead_and_time(show, normalise):
    """Median colours of 12 x 8 patches, half a second each, beside a flat signal."""
    canvas = ECGCanvas(np.zeros((12, SAMPLES)), BLOCKS, fs=FS, normalise=normalise)
    page = show(canvas)
    live, (strips, mv) = picture(page), layout(page)
    figure = canvas.plot()
    printed = np.asarray(Image.open(io.BytesIO(figure._repr_png_()[0])).convert("RGB")).astype(int)
    lines = {line.get_gid(): line for line in figure.axes[0].lines}
    for lead, name in enumerate(LEADS):
        x, y = figure.axes[0].transData.transform(lines[name].get_xydata()).T
        scale = (x[-1] - x[0]) / 100  # pixels a millimetre: 4 s at 25 mm/s
        for block in range(1, SAMPLES // BLOCK):  # the first lies below the lead's name
            middle = int((block + 0.5) * BLOCK)
            at = strips[name]["leftPx"] + middle * strips[name]["stepPx"], strips[name]["basePx"] + 0.25 * mv
            colours = patch(live, *at), patch(printed, x[middle], len(printed) - y[middle] + 2.5 * scale)
            assert np.abs(np.subtract(*colours)).max() <= 12, (name, block, VALUES[lead, block], colours)


def patch(image, x, y):
    return np.median(image[round(y) - 4 : round(y) + 5, round(x) - 9 : round(x) + 10].reshape(-1, 3), axis=0)


CHANGES = {
    "threshold": 0.3, "sign_index": 1, "normalise_index": 1, "overlay_index": 2, "power": 1.0, "columns": 4,
    "leads": ["II", "V1"], "zoom": 3.0, "sequential": True,
}  # fmt: skip


def test_display_traits_act_in_the_browser_alone(page):
    after = picture(page)
    for name, value in CHANGES.items():
        before = after
        put(page, **{name: value})
        after = picture(page)
        assert before.shape != after.shape or not np.array_equal(before, after), name
    assert page.evaluate("window.model.saved") == 0  # no message to the kernel


def test_the_line_stays_black(page):
    for overlay in range(3):
        put(page, overlay_index=overlay)
        strips, mv = layout(page)
        image = picture(page)
        for name, lead in ("I", 0), ("V6", 11):
            strip, sample = strips[name], 1125  # a crest of the sine
            y = strip["basePx"] - WAVY[lead, sample] * mv
            assert patch_darkest(image, strip["leftPx"] + sample * strip["stepPx"], y) < 60


def patch_darkest(image, x, y):
    return image[round(y) - 2 : round(y) + 3, round(x) - 1 : round(x) + 2].max(axis=2).min()


def test_pointing_reads_lead_time_millivolts_and_relevance(page):
    for lead, sample in ("V2", 1300), ("aVR", 600):
        row = LEADS.index(lead)
        point_at(page, lead, sample)
        lead_read, time, mv, value = readout(page).replace("\u00a0", " ").split("·")
        assert lead_read.strip() == lead
        read = round(float(time.split()[0]) * FS)
        assert abs(read - sample) <= 3  # a pixel of the screen is 2 to 3 samples wide
        assert float(mv.split()[0]) == pytest.approx(WAVY[row, read], abs=6e-4)
        assert float(value.split()[2]) == pytest.approx(BLOCKS[row, read], rel=6e-3, abs=1e-9)


def test_calipers_measure_milliseconds_and_millivolts(page):
    page.click("button[aria-label^='Measure']")
    handles = page.locator(".leadwise-handle")
    for _ in range(3):
        handles.nth(1).press("Shift+ArrowRight")
    before = int(readout(page).split(": ")[1].split(" ms")[0])
    handles.nth(1).press("ArrowRight")
    assert int(readout(page).split(": ")[1].split(" ms")[0]) == before + 1000 // FS
    strips, mv = layout(page)
    box = handles.nth(0).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    read = [float(part) for part in caliper(page)]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 0.5 * FS * strips["I"]["stepPx"], y - 0.2 * mv, steps=5)
    page.mouse.up()
    ms, volts = (float(part) for part in caliper(page))
    assert ms == pytest.approx(read[0] + 500, abs=5)
    assert volts == pytest.approx(read[1] - 0.2, abs=0.02)


def caliper(page):
    words = readout(page).split(": ")[1].split("·")
    return words[0].split()[0], words[1].split()[0]


def test_keys_zoom_and_pan_and_come_back(page):
    start = picture(page)
    for _ in range(7):  # Tab passes the six buttons and comes to the sheet
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "leadwise-stage"
    for _ in range(4):
        page.keyboard.press("+")
        settle(page)
    zoomed = picture(page)
    left = page.evaluate("window.model.get('left')")
    assert page.evaluate("window.model.get('zoom')") == pytest.approx(1.25**4)
    page.keyboard.press("ArrowRight")
    settle(page)
    assert page.evaluate("window.model.get('left')") > left
    assert not np.array_equal(picture(page), zoomed)
    page.keyboard.press("0")
    settle(page)
    page.evaluate("document.activeElement.blur()")
    assert np.array_equal(picture(page), start)


def test_dragging_pans_as_far_as_the_hand(page):
    put(page, zoom=4.0, left=1.0)
    point_at(page, "II", 0)
    strips, _ = layout(page)
    box = page.locator(".leadwise-stage").bounding_box()
    x, y = box["x"] + strips["II"]["leftPx"] + 200, box["y"] + strips["II"]["basePx"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 0.2 * FS * strips["II"]["stepPx"], y, steps=4)
    page.mouse.up()
    assert page.evaluate("window.model.get('left')") == pytest.approx(1.2, abs=0.01)


@pytest.mark.parametrize("width", [1000, 700])
def test_the_view_fits_its_column(show, width):
    page = show(ECGCanvas(WAVY, BLOCKS, fs=FS, title="A title that is long " * 5), width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".leadwise-sheet").evaluate("(one) => [one.width, one.clientWidth]") == [width, width]


def test_a_screen_of_high_resolution_gets_all_its_pixels(running):
    page = open_page(running, width=700, ratio=2)
    show_canvas(page, ECGCanvas(WAVY, BLOCKS, fs=FS))
    assert page.locator(".leadwise-sheet").evaluate("(one) => [one.width, one.clientWidth]") == [1400, 700]
    assert page.complaints == []
    page.close()


def test_a_reader_hears_what_is_shown(page):
    words = page.get_attribute(".leadwise-stage", "aria-label")
    assert words.startswith("ECG: twelve leads on ECG paper, 25 mm/s")
    total = np.abs(BLOCKS).sum(axis=1)
    top = LEADS[int(total.argmax())]
    assert f"{top} {round(100 * total.max() / total.sum())} %" in words


def test_without_relevance_the_paper_is_pink(show):
    page = show(ECGCanvas(WAVY, fs=FS))
    red, _, blue = picture(page).reshape(-1, 3).mean(axis=0)
    assert red > blue + 3
    assert not page.is_visible(".leadwise-legend")


def test_a_closed_view_leaves_the_model_alone(page):
    page.evaluate("window.close_view()")
    assert page.evaluate("Object.values(window.model.handlers).every((list) => list.length === 0)")


NOTEBOOK = """\
import numpy as np, ipywidgets as widgets
from leadwise.explorers.canvas import ECGCanvas
t = np.arange(2000) / 500
signal = np.sin(2 * np.pi * t) * np.linspace(0.3, 1, 12)[:, None]
canvas = ECGCanvas(signal, np.cos(np.pi * t) * np.linspace(0.1, 1, 12)[:, None], fs=500)
threshold = widgets.FloatSlider(description="threshold", max=0.95, step=0.05)
sign = widgets.Dropdown(description="sign", options=["signed", "positive", "negative"])
links = [widgets.jsdlink((threshold, "value"), (canvas, "threshold"))]
links += [widgets.jsdlink((sign, "index"), (canvas, "sign_index"))]
widgets.VBox([threshold, sign, canvas])"""


def test_linked_controls_move_the_canvas_in_jupyterlab(running, jupyter):
    folder, address, token = jupyter
    write_notebook(folder / "canvas.ipynb", NOTEBOOK)
    page = open_notebook(running, address, token, "canvas.ipynb")
    run_cells(page)
    page.wait_for_selector(".leadwise-sheet[height]")
    settle(page)
    before = picture(page)
    assert (before[:, :, 0] > before[:, :, 2] + 40).mean() > 0.01  # relevance for, in vermilion
    page.locator(".noUi-handle").first.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    settle(page)
    after = picture(page)
    assert not np.array_equal(before, after)
    page.locator(".widget-dropdown select").select_option("negative")
    settle(page)
    against = picture(page)
    assert (against[:, :, 0] > against[:, :, 2] + 40).mean() < 0.01
    assert "negative R only" in page.inner_text(".leadwise-legend")
    assert page.complaints == []
    close_notebook(page)
