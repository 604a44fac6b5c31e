"""ECG paper is a measuring instrument: these tests measure the drawn figures, not the code that drew them."""

from io import BytesIO
from itertools import combinations
from xml.etree import ElementTree

import nbformat
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from nbclient import NotebookClient
from PIL import Image

from leadwise import plotting
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.ecg.waves import Wave
from leadwise.plotting import (
    plot_ecg,
    plot_grid,
    plot_lead_bars,
    plot_matrix,
    pool_signed_max,
    relevance_rgba,
    save_figure,
)
from leadwise.plotting.heart import plot_heartbeat
from leadwise.plotting.sheet import FULL_COLOUR, CourseFigure, fold, png, with_palette
from leadwise.plotting.tables import lead_shares
from leadwise.simulation.simulate import heart_beat

FS = 500
BEATS = (0.3, 1.1, 1.9, 2.7, 3.5)  # time of the R peaks, s
WAVES = [(-0.16, 0.025, 0.15), (-0.03, 0.01, -0.12), (0, 0.012, 1.2), (0.03, 0.012, -0.3), (0.25, 0.05, 0.35)]


def beats(seconds=4.0, amplitude=1.0):
    """Return a sum of Gaussians (12, T): a P, Q, R, S and T wave every 0.8 s, of another size in every lead."""
    t = np.arange(int(seconds * FS)) / FS
    peaks = np.arange(0.3, seconds, 0.8)
    one = sum(a * np.exp(-(((t[:, None] - peaks - d) / w) ** 2) / 2) for d, w, a in WAVES).sum(axis=1)
    sizes = np.array([0.8, 1.0, 0.3, -0.9, 0.3, 0.6, -0.7, -1.4, -1.0, 1.3, 1.2, 1.0])
    return (amplitude * sizes[:, None] * one).astype(np.float32)


def relevance(seconds=4.0, seed=0):
    """Return a relevance map (12, T) of both signs, largest near the R peaks."""
    signal = beats(seconds)
    return signal * np.random.default_rng(seed).normal(size=signal.shape)


@pytest.fixture
def ecg():
    return ECG(beats(), fs=FS, record_id="synthetic")


def pixels(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].astype(int)


def artists(figure, gid, kind=object):
    return [a for a in figure.axes[0].get_children() if a.get_gid() == gid and isinstance(a, kind)]


def texts(figure):
    return [text for text in figure.axes[0].texts if text.get_text()]


def words(figure):
    return " ".join(" ".join(text.get_text().split()) for text in texts(figure))


def lines(figure, lead):
    return [line.get_xydata() for line in figure.axes[0].lines if line.get_gid() == lead]


# ---- geometry -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("columns", [1, 2, 4])
def test_a_millimetre_is_a_millimetre_both_ways(ecg, columns, scale):
    figure = plot_ecg(ecg, columns=columns, scale=scale)
    (x0, y0), (x1, y1) = figure.axes[0].transData.transform([(0, 0), (10, 10)]) / figure.dpi * 25.4
    assert x1 - x0 == pytest.approx(10 * scale, rel=1e-6)
    assert y1 - y0 == pytest.approx(10 * scale, rel=1e-6)


@pytest.mark.parametrize(("speed", "gain"), [(25, 10), (50, 5)])
def test_paper_speed_and_gain(ecg, speed, gain):
    figure = plot_ecg(ecg, speed=speed, gain=gain)
    for i, lead in enumerate(LEADS):
        (line,) = lines(figure, lead)
        np.testing.assert_allclose(np.diff(line[:, 0]), speed / FS, rtol=1e-6)
        np.testing.assert_allclose(np.diff(line[:, 1]), gain * np.diff(ecg.signal[i]), atol=1e-4)
    (pulses,) = artists(figure, "calibration")
    for pulse in pulses.get_segments():
        assert np.ptp(pulse[:, 1]) == pytest.approx(gain)  # 1 mV
        assert np.ptp(pulse[pulse[:, 1] > pulse[0, 1] + 1, 0]) == pytest.approx(0.2 * speed)  # 200 ms


@pytest.mark.parametrize(("gid", "step"), [("grid-fine", 1), ("grid-coarse", 5)])
def test_grid_lines_stand_every_millimetre_and_every_five(ecg, gid, step):
    figure = plot_ecg(ecg)
    (grid,) = artists(figure, gid, LineCollection)
    starts, ends = np.array([(s[0], s[-1]) for s in grid.get_segments()]).transpose(1, 0, 2)
    upright = starts[:, 0] == ends[:, 0]
    for positions in (starts[upright, 0], starts[~upright, 1]):
        np.testing.assert_allclose(np.diff(np.sort(positions)), step)
        assert np.sort(positions)[0] == 0
    bases = [pulse[0, 1] for pulse in artists(figure, "calibration")[0].get_segments()]
    np.testing.assert_allclose(np.array(bases) % 5, 0, atol=1e-9)


def test_one_millivolt_and_one_second_measured_in_the_picture():
    signal = np.zeros((12, 2000), np.float32)
    signal[6, 500:1000] = 1.0  # V1: 1 mV from 1 s to 2 s
    image = pixels(plot_ecg(ECG(signal, fs=FS), leads=["V1"], columns=1))
    black = image.max(axis=2) < 60
    gutter = 90  # columns of the picture that hold the calibration pulse and the lead's name
    rows = np.flatnonzero(black[:, gutter:].sum(axis=1) > 100)
    assert rows[-1] - rows[0] == pytest.approx(10 * 5, abs=2)  # 10 mm at 5 pixels a millimetre
    top = np.flatnonzero(black[rows[0], gutter:])
    assert np.ptp(top) == pytest.approx(25 * 5, abs=4)


def test_saved_picture_has_its_physical_size(ecg, tmp_path):
    png, svg = save_figure(plot_ecg(ecg), tmp_path / "figure")
    paper = 10 + 2 * 100 + 7.5 + 2.5  # pulse, two times 4 s at 25 mm/s, gap, edge
    with Image.open(png) as image:
        assert image.width / image.info["dpi"][0] * 25.4 == pytest.approx(paper + 4, abs=0.5)
        assert image.info["dpi"] == pytest.approx((152.4, 152.4), abs=0.1)
    width = ElementTree.parse(svg).getroot().get("width")
    assert float(width.removesuffix("pt")) / 72 * 25.4 == pytest.approx(paper + 4, abs=0.01)


def test_printed_layout_splits_ten_seconds_over_four_columns():
    ecg = ECG(beats(10), fs=FS)
    figure = plot_ecg(ecg, columns=4, rhythm="II")
    assert {len(lines(figure, lead)[0]) for lead in LEADS if lead != "II"} == {1250}
    part, whole = lines(figure, "II")
    assert (len(part), len(whole)) == (1250, 5000)
    # The second column goes on where the first ended, and the rhythm strip has the same time axis.
    v1 = lines(figure, "V1")[0]
    np.testing.assert_allclose(v1[:, 0], whole[2500:3750, 0], atol=1e-6)
    assert "columns follow each other in time" in words(figure)


def test_a_window_keeps_all_leads_whole(ecg):
    figure = plot_ecg(ecg, start=1, stop=3, columns=4)
    assert {len(lines(figure, lead)[0]) for lead in LEADS} == {1000}
    assert "1–3 s" in words(figure)


def test_a_subset_of_leads_is_drawn_in_the_order_asked_for(ecg):
    figure = plot_ecg(ecg, leads=["V6", "I"], columns=2)
    assert [text.get_text() for text in figure.axes[0].texts if text.get_gid() == "lead"] == ["V6", "I"]


@pytest.mark.parametrize("amplitude", [0.01, 1, 6])
def test_nothing_of_the_signal_leaves_the_paper(amplitude):
    figure = plot_ecg(ECG(beats(amplitude=amplitude), fs=FS))
    (grid,) = artists(figure, "grid-fine", LineCollection)
    height = max(s[:, 1].max() for s in grid.get_segments())
    for lead in LEADS:
        (line,) = lines(figure, lead)
        assert line[:, 1].min() > 0
        assert line[:, 1].max() < height


# ---- text -----------------------------------------------------------------------------------------------------------

WIDE = "A long title, W" + "W" * 60 + ", and more words to fill two lines of a heading"
SPANS = [Wave("P", 0, 60, 75, 100), Wave("QRS", 0, 130, 150, 180), Wave("T", 0, 240, 275, 320, lead="V2")]
MASK = np.zeros((12, 2000), bool)
MASK[6:8, 130:180] = True
FIGURES = {
    "plain": lambda: plot_ecg(beats(), fs=FS),
    "titled": lambda: plot_ecg(beats(), relevance(), fs=FS, title=WIDE, threshold=0.1, sign="positive"),
    "per lead": lambda: plot_ecg(beats(), relevance(), fs=FS, normalise="lead", style="halo", waves=SPANS, mask=MASK),
    "four": lambda: plot_ecg(beats(10), relevance(10), fs=FS, columns=4, rhythm="V1", normalise="lead"),
    "wide": lambda: plot_ecg(beats(), relevance(), fs=FS, columns=4, rhythm="II"),
    "column": lambda: plot_ecg(beats(), relevance(), fs=FS, columns=1, style="bubbles", normalise="lead", title=WIDE),
    "short": lambda: plot_ecg(beats(), relevance(), fs=FS, start=0.2, stop=0.4, leads=["V1"], threshold=0.05),
    "two samples": lambda: plot_ecg(beats(), relevance(), fs=FS, start=1, stop=1.004, leads=["aVR"]),
    "small": lambda: plot_ecg(beats(), relevance(), fs=FS, scale=0.5),
    "large": lambda: plot_ecg(beats(amplitude=6), relevance(), fs=FS),
    "grid": lambda: plot_grid(
        beats(), {WIDE: relevance(), "b": relevance(seed=1)}, fs=FS, notes={"b": WIDE}, title=WIDE
    ),
    "grid of 12": lambda: plot_grid(beats(), {f"method_{i}": relevance(seed=i) for i in range(8)}, fs=FS, leads=None),
    "bars": lambda: plot_lead_bars(relevance(), title=WIDE),
    "matrix": lambda: plot_matrix(np.eye(3), ["P", "QRS", "T"], ["a long column name", "b", WIDE], title=WIDE),
}


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_leaves_the_figure_and_no_lead_names_overlap(name):
    figure = FIGURES[name]()
    renderer = FigureCanvasAgg(figure).get_renderer()
    width, height = renderer.get_canvas_width_height()
    for text in texts(figure):
        box = text.get_window_extent(renderer)
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
        assert inside, f"{text.get_text()!r} at {box} leaves {width} x {height}"
    names = [t.get_window_extent(renderer) for t in texts(figure) if t.get_gid() in ("lead", "column")]
    assert not any(a.overlaps(b) for a, b in combinations(names, 2))


def test_text_of_the_legend_does_not_overlap():
    figure = plot_ecg(beats(), relevance(), fs=FS, normalise="lead", threshold=0.1, mask=MASK, sequential=False)
    renderer = FigureCanvasAgg(figure).get_renderer()
    below = [t.get_window_extent(renderer) for t in texts(figure) if t.get_position()[1] < 0]
    assert len(below) > 5
    assert not any(a.overlaps(b) for a, b in combinations(below, 2))


# ---- relevance ------------------------------------------------------------------------------------------------------


def test_pooling_keeps_the_largest_magnitude_with_its_sign():
    np.testing.assert_array_equal(pool_signed_max([1, -3, 2, 0, 0.5, -0.25], 3), [-3, 2, 0.5])
    np.testing.assert_array_equal(pool_signed_max([-2.0, 2.0], 1), [2.0])  # a tie goes to the positive
    np.testing.assert_array_equal(pool_signed_max(torch.tensor([1.0, -3.0], requires_grad=True), 5), [1, -3])


@pytest.mark.parametrize("columns", [1, 7, 333, 999, 1000])
def test_pooling_agrees_with_its_definition(columns):
    values = np.random.default_rng(1).normal(size=(2, 3, 1000))
    pooled = pool_signed_max(values, columns)
    assert pooled.shape == (2, 3, columns)
    for c in range(columns):
        part = values[..., c * 1000 // columns : (c + 1) * 1000 // columns]
        winner = np.abs(part).argmax(axis=-1)[..., None]
        np.testing.assert_array_equal(pooled[..., c], np.take_along_axis(part, winner, -1)[..., 0])


@pytest.mark.parametrize(("values", "columns"), [([1, 2], 0), ([], 3)])
def test_pooling_needs_samples_and_columns(values, columns):
    with pytest.raises(ValueError, match="cannot pool"):
        pool_signed_max(values, columns)


def test_colours_are_symmetric_about_a_transparent_zero():
    values = np.linspace(0, 1, 257)
    positive, negative = relevance_rgba(values), relevance_rgba(-values)
    assert relevance_rgba(0.0)[3] == 0
    np.testing.assert_allclose(positive[:, 3], negative[:, 3], atol=0.01)
    assert (np.diff(positive[:, 3]) >= 0).all()
    assert (positive[1:, 0] > positive[1:, 2]).all()  # red over blue
    assert (negative[1:, 2] > negative[1:, 0]).all()


# Machado, Oliveira, Fernandes (2009), severity 1.0, for linear RGB.
MACHADO = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def lab(rgb, matrix):
    """Return CIE Lab (D65) of sRGB colours as somebody with this colour vision sees them."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = (linear @ np.array(matrix).T).clip(0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = linear @ np.array(to_xyz).T / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


@pytest.mark.parametrize("vision", MACHADO)
def test_signs_differ_for_every_colour_vision(vision):
    strength = np.array([0.2, 0.5, 1.0])
    up, down = (lab(relevance_rgba(s * strength, over="white")[:, :3], MACHADO[vision]) for s in (1, -1))
    white = lab(np.ones(3), MACHADO[vision])
    assert (np.linalg.norm(up - down, axis=1) > 20).all()  # 2.3 is a just noticeable difference
    assert (np.linalg.norm(up - white, axis=1) > 15).all()
    assert (np.linalg.norm(down - white, axis=1) > 15).all()


@pytest.mark.parametrize("style", ["band", "halo", "bubbles"])
def test_signal_is_black_and_lies_above_the_relevance(ecg, style):
    plain, coloured = plot_ecg(ecg), plot_ecg(ecg, relevance(), style=style)
    axes = coloured.axes[0]
    signals = [line for line in axes.lines if line.get_gid() in LEADS]
    assert {line.get_color() for line in signals} == {"#000000"}
    grey = {"grid-fine", "grid-coarse", "calibration", "colour-bar"}
    overlay = [a for a in [*axes.images, *axes.collections] if a.get_gid() not in grey and a.zorder < 7]
    assert len(overlay) >= 12
    assert max(a.zorder for a in overlay) < min(line.zorder for line in signals)
    # The same pixels are black with and without relevance. The pictures share their lower left corner of the paper.
    before, after = (image[10:-130].max(axis=2) < 30 for image in (pixels(plain), pixels(coloured)))
    shared = min(len(before), len(after))
    assert (after[:shared] & before[:shared]).sum() > 0.98 * before[:shared].sum()


def test_a_single_sample_shows_its_sign(ecg):
    spike = np.zeros((12, 2000))
    spike[6, 1001], spike[6, 1201] = 1, -1
    figure = plot_ecg(ecg, spike, leads=["V1"], columns=1)
    image = pixels(figure)
    (line,) = lines(figure, "V1")
    row = 60  # a row of the picture that is in the lane of V1 and free of its line
    columns = figure.axes[0].transData.transform(line[[1001, 1201]])[:, 0].round().astype(int)
    for column, strong in zip(columns, ("red", "blue"), strict=True):
        red, _, blue = image[row, column - 1 : column + 2].T
        assert (red - blue).max() > 100 if strong == "red" else (blue - red).max() > 100


def test_threshold_and_sign_remove_what_they_say(ecg):
    values = np.zeros((12, 2000))
    values[0, :1000], values[0, 1000:] = 1.0, -0.5
    for options, reds, blues in (
        ({}, True, True),
        ({"threshold": 0.6}, True, False),
        ({"sign": "positive"}, True, False),
        ({"sign": "negative"}, False, True),
    ):
        figure = plot_ecg(ecg, values, leads=["I"], columns=1, **options)
        bands = [image.get_array() for image in figure.axes[0].images if image.zorder < 3]
        tinted = np.concatenate([band[0][band[0][:, 3] > 0].astype(int) for band in bands])
        assert (tinted[:, 0] > tinted[:, 2]).any() == reds
        assert (tinted[:, 2] > tinted[:, 0]).any() == blues


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["relevance R, normalised per record: max |R| = 2 (V1, 1.00 s)", "−2", "+2"]),
        ({"normalise": "lead"}, ["normalised per lead", "0.5 (II) to 2 (V1)", "−max", "±0.5"]),
        ({"threshold": 0.1, "sign": "negative"}, ["threshold 10 % of max", "negative R only"]),
        ({"label": "logit shares"}, ["logit shares, normalised per record"]),
        ({"leads": ["II"]}, ["4 % of Σ|R| in view"]),
    ],
)
def test_legend_says_what_the_colours_mean(ecg, options, expected):
    values = np.ones((12, 2000))
    values[1], values[6, 500] = 0.5, -2
    figure = plot_ecg(ecg, values, **options)
    for part in expected:
        assert part in words(figure)


def test_normalisation_changes_the_colours_of_weak_leads(ecg):
    values = np.ones((12, 2000))
    values[0] = 0.01

    def strength(normalise):
        figure = plot_ecg(ecg, values, leads=["I"], normalise=normalise)
        return max(image.get_array()[..., 3].max() for image in figure.axes[0].images if image.zorder < 3)

    assert strength("lead") > 200
    assert strength("record") < 40


def test_relevance_of_zero_draws_no_colour_and_says_so(ecg):
    for style in ("band", "halo", "bubbles"):
        figure = plot_ecg(ecg, np.zeros((12, 2000)), style=style)
        assert "all values are zero" in words(figure)
        image = pixels(figure)[:-130]
        assert np.abs(image[..., 0] - image[..., 2]).max() < 20


def test_mask_and_waves_stand_where_they_are(ecg):
    mask = np.zeros((12, 2000), bool)
    mask[6, 500:750] = True
    figure = plot_ecg(ecg, relevance(), leads=["V1", "V2"], columns=1, mask=mask, waves=SPANS)
    underline = artists(figure, "truth")[0].get_paths()
    assert len(underline) == 1  # V1 alone
    (line,) = lines(figure, "V1")
    left, right = underline[0].vertices[:, 0].min(), underline[0].vertices[:, 0].max()
    assert (left, right) == pytest.approx((line[500, 0], line[750, 0]), abs=25 / FS)
    assert "known cause" in words(figure)
    brackets = artists(figure, "waves")[0].get_segments()
    assert len(brackets) == 5  # P and QRS for both leads, T for V2
    assert brackets[0][[0, -1], 0] == pytest.approx(line[[60, 100], 0])
    assert [t.get_text() for t in texts(figure) if t.get_gid() == "wave"] == ["P", "QRS", "T"]


def test_a_lead_with_gaps_is_drawn_around_them():
    signal = beats()
    signal[0, 100:200] = np.nan
    signal[1] = np.nan
    assert pixels(plot_ecg(ECG(signal, fs=FS), relevance())).shape[2] == 3


# ---- the other pictures ---------------------------------------------------------------------------------------------


def test_grid_has_a_row_a_method_and_a_column_a_lead(ecg):
    maps = {"gradient": relevance(), "lrp": 100 * relevance(seed=1), "a batch of one": relevance(seed=2)[None]}
    figure = plot_grid(ecg, maps, notes={"lrp": "sum 3.2"})
    assert len(lines(figure, "V1")) == len(maps)
    assert [len(lines(figure, lead)) for lead in LEADS] == [3, 3, 0, 0, 0, 0, 3, 0, 0, 0, 0, 3]
    for part in (*maps, "sum 3.2", "each map normalised by its own max |R|", "grid 0.2 s × 0.5 mV"):
        assert part in words(figure)
    # One factor does not change a picture that each map normalises by itself.
    bands = [image.get_array() for image in figure.axes[0].images if image.zorder < 3]
    again = plot_grid(ecg, {**maps, "lrp": relevance(seed=1)})
    for one, other in zip(bands, [i.get_array() for i in again.axes[0].images if i.zorder < 3], strict=True):
        np.testing.assert_allclose(one.astype(int), other.astype(int), atol=1)


def test_lead_shares_add_up():
    values = np.zeros((12, 10))
    values[0], values[6, :5], values[6, 5:] = 1, 2, -2
    up, down = lead_shares(values)
    np.testing.assert_allclose(up, np.eye(12)[0] / 3 + np.eye(12)[6] / 3)
    np.testing.assert_allclose(down, -np.eye(12)[6] / 3)
    figure = plot_lead_bars(values)
    heights = {name: sum(bar.get_height() for bar in artists(figure, f"bar-{name}")) for name in LEADS}
    assert heights["V1"] == pytest.approx(2 * heights["I"])
    assert heights["V6"] == 0
    for part in ("67 %", "33 %", "ΣR = 10", "Σ|R| = 30"):
        assert part in words(figure)


def test_matrix_writes_every_number_and_colours_by_sign():
    figure = plot_matrix([[1, -2], [np.nan, 0]], ["a", "b"], ["c", "d"], label="mV")
    for part in ("1", "−2", "–", "0", "a", "d", "mV"):
        assert part in [text.get_text() for text in texts(figure)]
    (image,) = figure.axes[0].images
    rgb = image.get_array()[..., :3].astype(int)
    assert rgb[0, 0, 0] > rgb[0, 0, 2]
    assert rgb[0, 1, 2] > rgb[0, 1, 0]
    assert (rgb[1, 1] == 255).all()


# ---- errors ---------------------------------------------------------------------------------------------------------


def broken(value):
    values = relevance()
    values[6, 12] = value
    return values


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: plot_ecg(e, relevance()[:, :100]), r"\(12, 100\).*\(12, 2000\)"),
        (lambda e: plot_ecg(e, relevance().T), "leads come first"),
        (lambda e: plot_ecg(e, broken(np.nan)), "1 values that are NaN.*V1 at sample 12"),
        (lambda e: plot_ecg(e, broken(-np.inf)), "NaN or infinite.*V1 at sample 12"),
        (lambda e: plot_ecg(e, relevance(), style="rainbow"), "style is 'rainbow'.*'band'"),
        (lambda e: plot_ecg(e, relevance(), normalise="beat"), "'record', 'lead'"),
        (lambda e: plot_ecg(e, relevance(), sign="+"), "'positive'"),
        (lambda e: plot_ecg(e, relevance(), threshold=1.0), "threshold is 1.0"),
        (lambda e: plot_ecg(e, leads=["V7"]), r"no leads \['V7'\].*V6"),
        (lambda e: plot_ecg(e, leads=[]), "one or more"),
        (lambda e: plot_ecg(e, columns=0), "columns=0"),
        (lambda e: plot_ecg(e, start=3, stop=2), "from 0 to 4 s"),
        (lambda e: plot_ecg(e, stop=5), "from 0 to 4 s"),
        (lambda e: plot_ecg(e.signal), "fs=... in Hz"),
        (lambda e: plot_ecg(e.signal * 1000, fs=FS), "µV divide it by 1000"),
        (lambda e: plot_ecg(e, mask=np.ones((12, 3))), r"\(12, 3\).*\(12, 2000\)"),
        (lambda e: plot_grid(e, {}), "at least one map"),
        (lambda e: plot_grid(e, {"a": relevance()}, notes={"b": ""}), r"\['b'\]"),
        (lambda e: plot_grid(e, {"mine": broken(np.nan)}), "map 'mine'.*NaN"),
        (lambda e: plot_lead_bars(relevance()[:3]), r"\(3, 2000\).*\(12, T\)"),
        (lambda e: plot_matrix(np.eye(2), ["a"], ["b", "c"]), r"\(2, 2\).*\(1, 2\)"),
        (lambda e: save_figure(plot_ecg(e), "x", formats=("jpg",)), "jpg.*png, svg"),
    ],
)
def test_errors_say_what_came_and_what_was_expected(ecg, call, message):
    with pytest.raises(ValueError, match=message):
        call(ecg)


# ---- files and notebooks --------------------------------------------------------------------------------------------


def test_files_are_readable_and_identical_when_drawn_again(ecg, tmp_path):
    first, second = (
        save_figure(plot_ecg(ecg, relevance(), style=style, mask=MASK, title="x"), tmp_path / str(i) / "new" / "a_0.25")
        for i, style in enumerate(("halo", "halo"))
    )
    assert [path.name for path in first] == ["a_0.25.png", "a_0.25.svg"]
    assert sorted(p.name for p in first[0].parent.iterdir()) == ["a_0.25.png", "a_0.25.svg"]  # nothing half-written
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    with Image.open(first[0]) as image:
        image.verify()
    assert ElementTree.parse(first[1]).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert b"<dc:date>" not in first[1].read_bytes()


def test_a_failed_save_keeps_the_old_file(ecg, tmp_path, monkeypatch):
    (path,) = save_figure(plot_ecg(ecg), tmp_path / "a.png", formats=["png"])
    before = path.read_bytes()

    def fail(self, target, **options):
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        save_figure(plot_ecg(ecg), path, formats=["png"])
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert path.read_bytes() == before


def test_notebook_shows_each_figure_once_with_and_without_pyplot():
    show = "fig = plot_ecg(np.zeros((12, 500)), np.ones((12, 500)), fs=500)\nfig"
    cells = [
        # Asking for the backend would choose one and import pyplot.
        "import sys, matplotlib\n"
        "before = {k: v for k, v in matplotlib.rcParams.copy().items() if k != 'backend'}\n"
        "import numpy as np\nfrom leadwise.plotting import plot_ecg",
        show,
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert before == {k: v for k, v in matplotlib.rcParams.copy().items() if k != 'backend'}",
        "import matplotlib.pyplot as plt\n%matplotlib inline",
        show,
        "display(fig)",
        "fig = plot_ecg(np.zeros((12, 500)), fs=500)",
        "len(plt.get_fignums())",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    pictures = [[o for o in cell.outputs if "image/png" in o.get("data", {})] for cell in notebook.cells]
    assert [len(p) for p in pictures] == [0, 1, 0, 0, 1, 1, 0, 0]
    first, second, third = (p[0] for p in pictures if p)
    assert first.data["image/png"] == second.data["image/png"] == third.data["image/png"]
    assert first.metadata["image/png"]["alt"].startswith("ECG: twelve leads on ECG paper")
    assert notebook.cells[-1].outputs[0].data["text/plain"] == "0"


def test_palette_picture_of_the_notebook_looks_like_the_figure(ecg, tmp_path):
    figure = plot_ecg(ecg, relevance())
    png, _ = figure._repr_png_()
    path = tmp_path / "shown.png"
    path.write_bytes(png)
    with Image.open(path) as image:
        assert image.mode == "P"
        difference = np.abs(np.asarray(image.convert("RGB")).astype(int) - pixels(figure))
    assert difference.mean() < 1
    assert difference.max() < 40


def shown(figure):
    """Return the PNG that a notebook shows, as an image and as its number of bytes."""
    data, _ = figure._repr_png_()
    return Image.open(BytesIO(data)), len(data)


def test_line_figures_stay_small(ecg):
    for figure in (plot_ecg(ecg), plot_ecg(ecg, relevance())):
        image, size = shown(figure)
        full = BytesIO()
        Image.fromarray(pixels(figure).astype(np.uint8)).save(full, "png")
        assert image.mode == "P"
        assert size < len(full.getvalue()) / 2


def test_few_colours_are_kept_exactly():
    """A picture of 256 colours fits a palette whole; with a 257th the file has none, and every colour still."""
    grey = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    assert np.array_equal(np.asarray(with_palette(grey).convert("RGB")), grey)
    red = np.full((1, 16, 3), (255, 0, 0), np.uint8)
    for picture, mode in ((grey, "P"), (np.concatenate([grey, red]), "RGB")):
        figure = CourseFigure(figsize=(0.16, len(picture) / 100), dpi=100)
        figure.add_axes((0, 0, 1, 1)).set_axis_off()
        figure.axes[0].imshow(picture, interpolation="nearest")
        image, _ = shown(figure)
        assert image.mode == mode
        assert np.array_equal(np.asarray(image.convert("RGB")), picture)


def test_a_grid_of_pictures_too_large_for_full_colour_gets_a_palette():
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)  # noise can't be compressed
    assert 3 * 400 * 400 > FULL_COLOUR > 3 * 300 * 300
    assert Image.open(BytesIO(png(noise, pictures=True))).mode == "P"
    small = noise[:300, :300]
    assert np.array_equal(np.asarray(Image.open(BytesIO(png(small, pictures=True)))), small)
    assert Image.open(BytesIO(png(small))).mode == "P"


def test_public_names_exist():
    assert all(hasattr(plotting, name) for name in plotting.__all__)


# ---- real records ---------------------------------------------------------------------------------------------------


def test_lbbb_puts_weight_on_qrs_in_v1_and_v6(reference):
    signal = np.load(reference / "ecg" / "ptbxl_14493_preprocessed.npy").T
    with np.load(reference / "maps" / "LBBB_14493.npz") as maps:
        values = maps["gradient_x_input"].T
    up, down = lead_shares(values)
    strongest = {LEADS[i] for i in np.argsort(down - up)[:2]}
    assert strongest == {"V1", "V6"}
    figure = plot_ecg(signal, values, fs=500)
    assert "V1" in figure.alt
    assert "V6" in figure.alt


def test_an_arrow_says_which_way_round_a_loop_goes():
    """From above, a normal QRS loop goes from the front by the left to the back: counterclockwise."""
    figure = plot_heartbeat(heart_beat("NORM"))
    front, above = (patch for patch in figure.findobj(FancyArrowPatch))
    (x0, y0), (x1, y1) = above._posA_posB
    assert y1 > y0  # to the back, which is up
    assert x1 > x0  # and to the left, which is to the right
    assert front._posA_posB[1][1] < front._posA_posB[0][1]  # to the feet


@pytest.mark.parametrize("width", range(21, 60, 3))
def test_a_percent_sign_stays_with_its_number(width):
    text = "share of the relevance; time: P 11 %, PR 7 %, QRS 16 %, rest 38 %"
    lines = fold(text, width)
    assert " ".join(lines) == text
    assert not any(line.startswith("%") for line in lines)
