"""Pictures with relevance: what is refused, what the pixels, the legend and the alternative text say."""

from io import BytesIO

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from leadwise.maps import as_pixel_map
from leadwise.networks.alexnet import preprocess
from leadwise.plotting import plot_image, plot_image_grid, relevance_rgba
from leadwise.plotting.images import PixelScale, as_pixels, outline
from leadwise.plotting.sheet import CourseFigure
from leadwise.plotting.style import TRUTH


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)


@pytest.fixture
def relevance():
    return np.random.default_rng(1).normal(size=(3, 224, 224))


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def words(figure):
    return " ".join(" ".join(texts(figure)).split())


def drawn(figure):
    """Return the picture and the colour bar, or the tiles and the bar, as they were given to matplotlib."""
    return [image.get_array() for image in figure.axes[0].images]


# --- What goes in -----------------------------------------------------------------------------------------


def test_picture_and_network_input_are_the_same(picture):
    x = preprocess(picture)
    for form in (x, x[None], x.numpy(), x.clone().requires_grad_()):
        assert np.array_equal(as_pixels(form), picture)


def test_map_is_summed_over_colours(relevance):
    expected = relevance[0] + relevance[1] + relevance[2]
    for form in (relevance, relevance[None], torch.tensor(relevance, requires_grad=True), expected, expected[None]):
        np.testing.assert_allclose(as_pixel_map(form, (224, 224)), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((5, 5), np.uint8), r"shape \(5, 5\), type uint8; expected \(H, W, 3\) of uint8"),
        (np.zeros((5, 5, 3)), r"shape \(5, 5, 3\), type float64"),
        (np.zeros((0, 5, 3), np.uint8), r"shape \(0, 5, 3\)"),
        (torch.zeros(2, 3, 5, 5), r"shape \(2, 3, 5, 5\)"),
        (torch.full((3, 5, 5), float("nan")), "75 values that are NaN"),
    ],
)
def test_other_pictures_are_refused(image, message):
    with pytest.raises(ValueError, match=message):
        plot_image(image)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"relevance": np.zeros((3, 5, 5))}, r"shape \(3, 5, 5\); expected \(3, 224, 224\) or \(224, 224\)"),
        ({"relevance": np.zeros((2, 224, 224))}, r"shape \(2, 224, 224\)"),
        ({"relevance": np.full((224, 224), np.inf)}, "50176 values that are NaN or infinite"),
        ({"relevance": np.zeros((224, 224)), "threshold": 1}, "threshold is 1"),
        ({"relevance": np.zeros((224, 224)), "sign": "plus"}, "sign is 'plus'; expected one of"),
        ({"relevance": np.zeros((224, 224)), "alpha": 0}, "alpha is 0"),
        ({"relevance": np.zeros((224, 224)), "clip": 0}, "clip is 0; expected a percentile above 0, at most 100"),
        ({"mask": np.zeros((224, 224))}, r"mask has shape \(224, 224\), type float64; expected .* of bool"),
        ({"mask": [np.zeros((4, 4), bool)]}, r"mask has shape \(4, 4\)"),
    ],
)
def test_other_options_are_refused(picture, options, message):
    with pytest.raises(ValueError, match=message):
        plot_image(picture, **options)


@pytest.mark.parametrize(
    ("maps", "options", "message"),
    [
        ({}, {}, "got 0 maps"),
        ({"a": np.zeros((224, 224))}, {"notes": {"b": ""}}, r"notes on \['b'\]"),
        ({"a": np.zeros((224, 224))}, {"columns": 0}, "columns is 0"),
        ({"a": np.zeros((7, 7))}, {}, r"map 'a': relevance has shape \(7, 7\)"),
    ],
)
def test_other_grids_are_refused(picture, maps, options, message):
    with pytest.raises(ValueError, match=message):
        plot_image_grid(picture, maps, **options)


# --- What comes out ---------------------------------------------------------------------------------------


def test_without_relevance_the_picture_is_as_it_was(picture):
    assert np.array_equal(drawn(plot_image(picture))[0], picture)
    assert np.array_equal(drawn(plot_image_grid(picture, {"a": np.zeros((224, 224))}))[0], picture)


def test_colour_is_signed_and_symmetric():
    white = np.full((2, 2, 3), 255, np.uint8)
    colours = PixelScale(np.array([[4.0, -4.0], [2.0, 0.0]])).over(white)
    expected = relevance_rgba([[1, -1], [0.5, 0]], over="white")[..., :3]
    np.testing.assert_allclose(colours, expected, atol=1e-12)
    assert colours[0, 0, 0] > colours[0, 0, 2]  # for: red
    assert colours[0, 1, 2] > colours[0, 1, 0]  # against: blue


def test_where_nothing_is_relevant_the_picture_is_grey(picture):
    colours = PixelScale(np.zeros((224, 224))).over(picture)
    assert np.array_equal(colours.min(-1), colours.max(-1))
    grey = np.asarray(Image.fromarray(picture).convert("L")) / 255  # Pillow's luminance, ITU-R 601
    assert np.corrcoef(grey.ravel(), colours[..., 0].ravel())[0, 1] > 0.9999


def test_threshold_sign_and_alpha():
    values = np.array([[1.0, 0.3, -0.6, -0.1]])
    black = np.zeros((1, 4, 3), np.uint8)
    assert PixelScale(values, threshold=0.5).values.tolist() == [[1, 0, -0.6, 0]]
    assert PixelScale(values, sign="negative").values.tolist() == [[0, 0, -0.6, -0.1]]
    bare = PixelScale(0 * values).over(black)
    full, half = (PixelScale(values, alpha=alpha).over(black) for alpha in (1, 0.5))
    np.testing.assert_allclose(half, (full + bare) / 2, atol=1e-12)


def test_legend_names_normalisation_and_maximum(picture):
    relevance = np.zeros((3, 224, 224))
    relevance[:, 5, 5] = -0.5, -0.5, -1.5
    relevance[0, 9, 9] = 1
    said = words(plot_image(picture, relevance, threshold=0.1, sign="negative", title="A title"))
    for part in ("A title", "summed over colours", "normalised per picture: max |R| = 2.5", "threshold 10 % of max"):
        assert part in said
    assert "negative R only" in said
    assert "71 % of Σ|R| in view" in said  # 2.5 of 3.5
    assert "−2.5" in said
    assert "summed" not in words(plot_image(picture, relevance.sum(0)))
    assert "all values are zero" in words(plot_image(picture, 0 * relevance))


def test_grid_has_a_tile_a_title_and_a_maximum_for_each_map(picture, relevance):
    maps = {"first": relevance, "second": 10 * relevance}
    figure = plot_image_grid(picture, maps, notes={"second": "a note"})
    picture_tile, first, second, _bar = drawn(figure)
    assert np.array_equal(first, second)  # each by its own maximum
    assert not np.array_equal(first, picture_tile)
    assert {"picture", "first", "second", "a note"} <= set(texts(figure))
    assert sum(text.startswith("max |R|") for text in texts(figure)) == 2


def test_outline_is_the_border_of_the_mask():
    mask = np.zeros((6, 9), bool)
    mask[1:3, 2:7] = True
    edges = outline(mask)
    assert len(edges) == 2 * (2 + 5)  # the perimeter, in pixels
    assert np.abs(np.diff(edges, axis=1)).sum((1, 2)).tolist() == [1] * 14
    assert (edges.min((0, 1)), edges.max((0, 1)))[0].tolist() == [2, 1]
    assert edges.max((0, 1)).tolist() == [7, 3]
    assert len(outline(np.ones((6, 9), bool))) == 2 * (6 + 9)
    assert not len(outline(np.zeros((6, 9), bool)))


def test_outline_lies_on_the_object(picture):
    mask = np.zeros((224, 224), bool)
    mask[:112, :56] = True  # upper half, left quarter: 44.8 mm up from the lower edge, 22.4 mm from the left
    figure = plot_image(picture, mask={"thing": mask})
    (lines,) = [artist for artist in figure.axes[0].collections if artist.get_gid() == "mask"]
    points = np.concatenate(lines.get_segments())
    np.testing.assert_allclose([points.min(0), points.max(0)], [[0, 44.8], [22.4, 89.6]], atol=1e-9)
    np.testing.assert_allclose(lines.get_colors()[0][:3], to_rgb(TRUTH))
    assert "1 known object outlined" in figure.alt


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (300, 40)])
def test_any_size_is_drawn_whole(shape):
    picture = np.full((*shape, 3), 90, np.uint8)
    for figure in (
        plot_image(picture, np.ones(shape), mask=np.ones(shape, bool)),
        plot_image_grid(picture, {"a rather long title of a map that needs more than one line": np.ones(shape)}),
    ):
        assert isinstance(figure, CourseFigure)
        png, metadata = figure._repr_png_()
        width, height = Image.open(BytesIO(png)).size
        assert metadata["alt"] == figure.alt
        for text in figure.axes[0].texts:  # nothing is cut off
            box = text.get_window_extent()
            assert box.x0 >= 0
            assert box.y0 >= 0
            assert box.x1 <= width
            assert box.y1 <= height


def test_the_notebook_shows_the_pictures_own_colours(picture):
    """224 pixels on 448: every pixel of the picture is four equal pixels of the PNG."""
    shown = np.asarray(Image.open(BytesIO(plot_image(picture)._repr_png_()[0])))
    assert shown.shape[2] == 3
    top, left = np.argwhere((shown != 255).any(2)).min(0)
    for dy, dx in np.ndindex(2, 2):
        part = shown[top + dy : top + dy + 448 : 2, left + dx : left + dx + 448 : 2]
        assert np.array_equal(part, picture)


def test_alternative_text_says_what_is_there(picture, relevance):
    assert "224 x 224 pixels" in plot_image(picture, title="A cat").alt
    assert plot_image(picture, title="A cat").alt.startswith("A cat: ")
    assert "2 maps (a, b)" in plot_image_grid(picture, {"a": relevance, "b": relevance}).alt


def test_clipped_scale_has_full_colour_from_the_percentile():
    relevance = np.linspace(-1, 1, 101 * 101).reshape(101, 101)
    scale = PixelScale(relevance, clip=50)
    assert scale.maximum == pytest.approx(0.5, abs=1e-3)
    assert np.allclose(scale.values, (relevance / scale.maximum).clip(-1, 1))
    lonely = np.zeros((20, 20))
    lonely[3, 3] = 4
    assert PixelScale(lonely, clip=99).maximum == 4, "the percentile is zero, the map is not"


def test_grid_says_what_has_full_colour_and_keeps_the_maximum(picture, relevance):
    text = words(plot_image_grid(picture, {"a": relevance}, clip=99))
    assert "each map normalised by its own percentile 99 of |R|" in text
    assert f"max |R| {np.abs(relevance.sum(0)).max():.3g}" in text
