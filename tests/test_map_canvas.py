"""The canvas of maps: what it sends, once; what it refuses; its static twin; and in Chromium the same colours."""

import io
import re
from base64 import b64decode

import numpy as np
import pytest
import traitlets
from PIL import Image

from browser import open_page, put, settle, show_canvas
from figures import changes
from leadwise.attribution import METHODS
from leadwise.explorers.canvas import LARGEST
from leadwise.explorers.map_canvas import CHOICES, SLOTS, MapCanvas, drawn_formula
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import preprocess, to_image
from leadwise.plotting.images import PixelScale, outline

RNG = np.random.default_rng(5)
SCENE = make_scene(3, objects=2)
OBJECTS = {thing.label: thing.mask for thing in SCENE.objects}
PIXELS = to_image(preprocess(SCENE.image))
NOISE = RNG.normal(size=(3, 224, 224)) * 1e-3
BLOCKS = RNG.choice([-1, -0.6, -0.2, 0, 0.2, 0.6, 1], size=(7, 7)).repeat(32, axis=0).repeat(32, axis=1)
BLOCKS[0, 0] = 3  # a lonely peak, which percentile 99 cuts
ABOUT = {
    "classes": [("cat", 0.75), ("car", 0.25)],
    "explained": "car",
    "facts": ["sum of the relevance 3.2"],
    "formula": METHODS["lrp_epsilon"].formula,
    "citation": METHODS["lrp_epsilon"].citation,
    "caption": "a scene",
}


@pytest.fixture
def single():
    return MapCanvas(PIXELS, BLOCKS, objects=OBJECTS, title="a map", **ABOUT)


@pytest.fixture
def several():
    return MapCanvas(PIXELS, {"one": BLOCKS, "two": NOISE, "three": None}, objects=OBJECTS, notes={"one": "a note"})


# What it sends -------------------------------------------------------------------------------------------------------


def test_the_buffers_hold_picture_objects_and_maps(several):
    assert np.array_equal(np.frombuffer(several.picture, np.uint8).reshape(224, 224, 3), PIXELS)
    bits = np.frombuffer(several.masks, np.uint8).reshape(224, 224)
    for k, name in enumerate(several.objects):
        assert np.array_equal(bits >> k & 1 == 1, OBJECTS[name])
    for slot, tile, values in zip(SLOTS, several.tiles, (BLOCKS, NOISE.sum(axis=0)), strict=False):
        sent = np.frombuffer(getattr(several, slot), "<i2").reshape(224, 224) / LARGEST * tile["full"][0]
        assert np.abs(sent - values).max() <= np.abs(values).max() / (2 * LARGEST) * (1 + 1e-9)
        assert tile["full"] == [np.abs(values).max(), np.percentile(np.abs(values), 99)]
    assert several.map_2 is None


def test_only_what_changed_travels(several):
    assert changes(several, lambda: setattr(several, "threshold", 0.3)) == {"threshold"}
    assert changes(several, lambda: setattr(several, "style", "alone")) == {"style_index"}
    assert changes(several, lambda: several.tell("three", "computing", 0.2)) == {"tiles"}
    assert changes(several, lambda: several.put("three", NOISE[0])) == {"tiles", "map_2", "words"}
    maps = {"one": BLOCKS, "two": NOISE, "three": NOISE[0]}
    again = {"objects": OBJECTS, "notes": {"one": "a note"}}
    assert changes(several, lambda: several.show(PIXELS, maps, **again)) == set()
    assert changes(several, lambda: several.show(PIXELS, maps | {"two": -NOISE}, **again)) == {"map_1"}


@pytest.mark.parametrize("name", CHOICES)
def test_a_word_and_its_place_in_the_list_stay_together(single, name):
    for place, word in enumerate(CHOICES[name]):
        setattr(single, name, word)
        assert getattr(single, f"{name}_index") == place
    setattr(single, f"{name}_index", 0)  # as a linked Dropdown does
    assert getattr(single, name) == CHOICES[name][0]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((PIXELS, BLOCKS[1:]), {}, "relevance has shape"),
        ((PIXELS, {"one": BLOCKS, "bad": np.full((224, 224), np.nan)}), {}, "map 'bad': relevance has 50176 values"),
        ((PIXELS, {}), {}, "got 0 maps"),
        ((PIXELS, BLOCKS), {"colour": "red"}, "no option"),
        ((PIXELS, {"one": BLOCKS}), {"formula": "x"}, "with several maps"),
        ((PIXELS, {"one": BLOCKS}), {"notes": {"two": "x"}}, "notes on"),
        ((PIXELS, BLOCKS), {"objects": {"it": BLOCKS}}, "mask has shape"),
        ((PIXELS, BLOCKS), {"objects": {str(k): BLOCKS > 0 for k in range(9)}}, "at most 8 objects"),
    ],
)
def test_what_cannot_be_shown_is_refused_and_the_view_stays(single, arguments, options, message):
    def refuses():
        with pytest.raises(ValueError, match=message):
            single.show(*arguments, **options)

    assert changes(single, refuses) == set()
    with pytest.raises(ValueError, match=message):
        MapCanvas(*arguments, **options)


def test_a_display_trait_out_of_range_is_refused(single):
    for name, value in (("style", "bold"), ("threshold", 1.0), ("clip", 98.0), ("sign", "neutral")):
        with pytest.raises(traitlets.TraitError):
            setattr(single, name, value)


def test_the_words_are_those_of_the_static_figure(single, several):
    assert single.words == single.plot().alt
    assert "cat 75 %" in single.words
    assert several.words == several.plot().alt
    several.put("three", NOISE[0])
    assert several.words == several.plot().alt
    assert "3 maps (one, two, three)" in several.words


def test_one_bundle_holds_the_view_and_its_static_twin(single):
    data, metadata = single._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == single.model_id
    assert b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == single.words


@pytest.mark.parametrize("options", [{"threshold": 0.3}, {"clip": 99.0}, {"sign": "negative"}, {"style": "alone"}])
def test_the_static_figure_takes_display_traits(single, several, options):
    for canvas in (single, several):
        changed = canvas.plot(**options)._repr_png_()[0]
        assert changed != canvas.plot()._repr_png_()[0]
        canvas.set_trait(*next(iter(options.items())))
        assert canvas.plot()._repr_png_()[0] == changed


@pytest.mark.parametrize("name", METHODS)
def test_every_formula_has_outlines(name):
    drawn = drawn_formula(METHODS[name].formula)
    assert re.fullmatch(r"([MLQCZ][-\d. ]*)+", drawn["path"])
    assert min(drawn["box"][2:]) > 1


# In the browser ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bare(running):
    return open_page(running, name="map_canvas")  # one page for all tests: a new one takes a second


def painted(page, i=0):
    """Return what the browser paints for a map, before it is enlarged: (H, W, 3)."""
    code = """(i) => { const m = window.model, c = window.canvas, table = new Uint8Array(m.get("colours").buffer);
        const bytes = c.paint(c.readPicture(m), c.readMap(m, i), c.readShow(m), m.get("look"), table);
        return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")); }"""
    return np.frombuffer(b64decode(page.evaluate(code, i)), np.uint8).reshape(224, 224, 4)[..., :3].astype(int)


def sight(page, tile):
    """Return a tile as it is seen on the screen."""
    png = page.locator(".leadwise-frame").nth(tile).screenshot()
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@pytest.mark.parametrize(
    ("style", "clip", "sign"),
    [("overlay", 100.0, "signed"), ("alone", 99.0, "positive"), ("overlay", 99.0, "negative")],
)
def test_colours_are_those_of_the_static_figure(show, style, clip, sign):
    page = show(MapCanvas(PIXELS, {"a": BLOCKS, "b": NOISE}, style=style, clip=clip, sign=sign, threshold=0.15))
    for i, values in enumerate((BLOCKS, NOISE.sum(axis=0))):
        scale = PixelScale(values, clip=clip, sign=sign, threshold=0.15)
        wanted = 255 * scale.over(PIXELS if style == "overlay" else np.full_like(PIXELS, 255))
        differ = np.abs(painted(page, i) - wanted)
        assert (differ > 1.5).mean() < 1e-3  # a value may lie on the border of two colours, or on the threshold
        assert np.median(differ) < 0.6


def test_live_view_and_figure_show_the_same_colour_at_the_same_pixel(show):
    """Median colours of 7 x 7 patches of one strength each."""
    canvas = MapCanvas(np.full((224, 224, 3), 128, np.uint8), {"one": BLOCKS}, clip=99.0)
    live = sight(show(canvas), 1)
    figure = canvas.plot()
    printed = np.asarray(Image.open(io.BytesIO(figure._repr_png_()[0])).convert("RGB")).astype(int)
    box = figure.axes[0].images[1].get_window_extent()
    cut = printed[round(len(printed) - box.y1) : round(len(printed) - box.y0), round(box.x0) : round(box.x1)]
    for row in range(7):
        for column in range(7):
            at = (row + 0.5) / 7, (column + 0.5) / 7
            assert np.abs(patch(live, *at) - patch(cut, *at)).max() <= 3, (row, column)


def patch(image, row, column):
    y, x = round(row * len(image)), round(column * image.shape[1])
    return np.median(image[y - 5 : y + 6, x - 5 : x + 6].reshape(-1, 3), axis=0)


def test_objects_are_outlined_where_the_figure_outlines_them(show):
    blank = np.zeros((224, 224))
    page = show(MapCanvas(PIXELS, {"nothing": blank}, objects=OBJECTS, style="alone"))
    image = sight(page, 1)
    green = image[..., 1] > image[..., 0] + 20
    edges = np.concatenate([outline(mask) for mask in OBJECTS.values()]).mean(axis=1) * len(image) / 224
    hit = [green[max(round(y) - 1, 0) : round(y) + 2, max(round(x) - 1, 0) : round(x) + 2].any() for x, y in edges]
    assert all(hit)
    assert max(np.hypot(*(edges - (x, y)).T).min() for y, x in np.argwhere(green)) < 3


def test_display_traits_act_in_the_browser_alone(show, single):
    page = show(single)
    after = sight(page, 1)
    for name, value in {"threshold": 0.25, "sign_index": 1, "clip_index": 1, "style_index": 1}.items():
        before = after
        put(page, **{name: value})
        after = sight(page, 1)
        assert not np.array_equal(before, after), name
    assert page.evaluate("window.model.saved") == 0  # no message to the kernel


@pytest.mark.parametrize("options", [{}, {"threshold": 0.3, "sign": "negative"}, {"clip": 99.0}])
def test_the_legend_is_that_of_the_figure(show, options):
    for relevance in (NOISE, BLOCKS, np.zeros((3, 224, 224)), {"one": NOISE}, {"one": BLOCKS, "two": BLOCKS}):
        canvas = MapCanvas(PIXELS, relevance, **options)
        page = show(canvas)
        words = " ".join(text.get_text().replace("\n", " ") for text in canvas.plot().axes[0].texts)
        assert page.inner_text(".leadwise-legend > div").strip() in words
        for end in page.locator(".leadwise-ends span").all_inner_texts():
            assert end in words


def test_the_panel_says_what_the_figure_says(show, single):
    page = show(single)
    words = {text.get_text() for text in single.plot().axes[0].texts}
    labels = page.locator(".leadwise-label").all_inner_texts()
    assert labels == ["cat", "car", *OBJECTS]
    for note in page.locator(".leadwise-rail .leadwise-small").all_inner_texts():
        assert note in words
    panel = page.inner_text(".leadwise-panel")
    assert "sum of the relevance 3.2" in panel
    assert ABOUT["citation"] in panel
    assert page.get_attribute(".leadwise-formula", "aria-label") == ABOUT["formula"]


def test_pointing_reads_pixel_colour_relevance_and_object(show, several):
    page, (name, mask) = show(several), next(iter(OBJECTS.items()))
    y, x = (int(part) for part in np.argwhere(mask)[len(np.argwhere(mask)) // 2])
    box = page.locator(".leadwise-frame").nth(1).bounding_box()
    page.mouse.move(box["x"] + (x + 0.5) * box["width"] / 224, box["y"] + (y + 0.5) * box["height"] / 224)
    settle(page)
    words = page.inner_text(".leadwise-readout").replace("\u2212", "-")
    assert f"row {y}, column {x}" in words
    assert "red {}, green {}, blue {}".format(*PIXELS[y, x]) in words
    assert float(re.search(r"one: R = (\S+)", words)[1]) == pytest.approx(BLOCKS[y, x], rel=6e-3)
    assert words.endswith(f"on: {name}")
    below = page.locator(".leadwise-note").all_inner_texts()[2].replace("\u2212", "-")  # the other map, at this pixel
    assert float(re.search(r"R = (\S+)", below)[1]) == pytest.approx(NOISE.sum(axis=0)[y, x], rel=6e-3, abs=1e-7)
    page.mouse.move(0, 0)
    settle(page)
    assert page.locator(".leadwise-note").all_inner_texts()[1].startswith("a note\nmax |R| 3")


def test_keys_move_the_pointer(show, several):
    page = show(several)
    page.keyboard.press("Tab")
    for key in ("ArrowRight", "Shift+ArrowDown", "ArrowLeft", "ArrowLeft", "Shift+ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    assert page.inner_text(".leadwise-readout").startswith("row 111, column 111")
    assert page.locator(".leadwise-cross").first.is_visible()
    page.keyboard.press("Escape")
    assert "Point at a picture" in page.inner_text(".leadwise-readout")
    assert page.get_attribute(".leadwise-tiles", "aria-label").startswith(several.words)


def test_a_map_that_is_to_come_says_how_far_it_is(show, several):
    page = show(several)
    assert page.locator(".leadwise-note").all_inner_texts()[3] == "waiting"
    several.tell("three", "computing", 0.25)
    put(page, tiles=several.tiles)
    assert page.locator(".leadwise-note").all_inner_texts()[3] == "computing"
    assert page.locator(".leadwise-progress > div").nth(3).evaluate("(one) => one.style.width") == "25%"
    several.put("three", NOISE[0])
    show_canvas(page, several)
    assert page.locator(".leadwise-note").all_inner_texts()[3].startswith("max |R|")
    assert not page.locator(".leadwise-progress").nth(3).is_visible()


@pytest.mark.parametrize("width", [1000, 700])
def test_everything_fits_its_width(show, single, several, width):
    for canvas in (single, several):
        page = show(canvas, width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        inside = """(all, width) => all.every((one) =>
            one.scrollWidth <= one.clientWidth + 1 && one.getBoundingClientRect().right <= width)"""
        texts = ".leadwise-frame, .leadwise-note, .leadwise-name, .leadwise-panel, .leadwise-legend, .leadwise-rail"
        assert page.locator(texts).evaluate_all(inside, width)


def test_a_screen_of_high_resolution_gets_all_its_pixels(running, single):
    page = open_page(running, width=700, ratio=2, name="map_canvas")
    show_canvas(page, single)
    wide, seen = page.locator(".leadwise-outlines").first.evaluate("(one) => [one.width, one.clientWidth]")
    assert wide == pytest.approx(2 * seen, abs=1)
    assert page.locator(".leadwise-pixels").first.evaluate("(one) => one.style.imageRendering") == "pixelated"
    assert page.complaints == []
    page.close()


def test_another_picture_replaces_the_first_and_a_closed_view_leaves_the_model_alone(show, single):
    page = show(single)
    before = sight(page, 0)
    single.show(255 - PIXELS, BLOCKS)
    show_canvas(page, single)
    assert not np.array_equal(sight(page, 0), before)
    assert page.locator(".leadwise-label").count() == 0
    page.evaluate("window.close_view()")
    assert page.evaluate("Object.values(window.model.handlers).every((list) => list.length === 0)")
