"""The benchmark's figure is measured: dots stand where the table's numbers are, on an axis read off the tick labels."""

import csv

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from leadwise.plotting import plot_ground_truth

AREA = {"AVB": 0.3, "LBBB": 0.5, "object": 0.1}
MASS = {"lrp_epsilon": 1.6, "gradient": 0.8, "random": 1.0}  # in multiples of the area


def row(cause, method, lift, model="embedded", setting="default", data="ECG", width=0.04):
    """Return one line of the benchmark's table, as text, with the columns that the figure does not draw left out."""
    mass = lift * AREA[cause]
    numbers = {"area": AREA[cause], "mass": mass, "mass_low": mass - width / 2, "mass_high": mass + width / 2}
    names = {"data": data, "model": model, "cause": cause, "method": method, "setting": setting}
    return names | {name: f"{value:.4g}" for name, value in numbers.items()}


@pytest.fixture
def rows():
    made = [row(cause, method, lift) for cause in ("LBBB", "AVB") for method, lift in MASS.items()]
    made += [row("object", method, 4 - lift, data="scenes") for method, lift in MASS.items()]
    return [*made, row("LBBB", "lrp_epsilon", 1.9, setting="best"), row("AVB", "gradient", 1.2, model="published")]


def artist(figure, gid):
    """Return the one artist of a name."""
    found = figure.findobj(lambda a: a.get_gid() == gid)
    assert len(found) == 1, gid
    return found[0]


def texts(figure, gid=None):
    found = figure.findobj(lambda a: hasattr(a, "get_text") and a.get_text())
    return [text for text in found if gid is None or text.get_gid() == gid]


def axis_of(figure, column):
    """Return the function from mm to share of one column, from the two outermost tick labels below it."""
    columns = sorted(text.get_position()[0] for text in texts(figure, "cause"))
    left = next(t.get_position()[0] for t in texts(figure, "cause") if t.get_text() == column)
    right = min([x for x in columns if x > left], default=np.inf)
    ticks = [t for t in texts(figure) if t.get_position()[1] == -1 and left - 1e-6 <= t.get_position()[0] < right]
    ends = [(t.get_position()[0], float(t.get_text().removesuffix(" %")) / 100) for t in (ticks[0], ticks[-1])]
    (x0, v0), (x1, v1) = ends
    return lambda x: v0 + (x - x0) * (v1 - v0) / (x1 - x0)


def dot(figure, gid):
    return artist(figure, gid).get_offsets()[0]


@pytest.mark.parametrize("cause", ["AVB", "LBBB"])
@pytest.mark.parametrize("method", list(MASS))
def test_dots_stand_at_the_mass(rows, cause, method):
    figure = plot_ground_truth(rows)
    share = axis_of(figure, cause)(dot(figure, f"{cause}-embedded-{method}-default")[0])
    assert share == pytest.approx(MASS[method] * AREA[cause], abs=1e-3)


def test_the_dashed_line_is_the_area_and_scenes_have_their_own_axis(rows):
    figure = plot_ground_truth(rows)
    for cause, column in (("AVB", "AVB"), ("LBBB", "LBBB"), ("object", "scenes")):
        x = artist(figure, f"area-{column}").get_segments()[0][0][0]
        assert axis_of(figure, column)(x) == pytest.approx(AREA[cause], abs=1e-3)
    share = axis_of(figure, "scenes")(dot(figure, "scenes-embedded-gradient-default")[0])
    assert share == pytest.approx(0.32, abs=1e-3)


def test_methods_are_sorted_by_the_ecg_causes_and_each_has_a_row(rows):
    figure = plot_ground_truth(rows)
    names = sorted(texts(figure, "method"), key=lambda t: -t.get_position()[1])
    assert [t.get_text() for t in names] == ["LRP-ε", "Random map", "Gradient"]  # scenes alone would turn them around
    heights = [t.get_position()[1] for t in names]
    for height, method in zip(heights, ("lrp_epsilon", "random", "gradient"), strict=True):
        assert abs(dot(figure, f"AVB-embedded-{method}-default")[1] - height) < (heights[0] - heights[1]) / 2


def test_scenes_alone_sort_themselves(rows):
    figure = plot_ground_truth([r for r in rows if r["data"] == "scenes"])
    names = sorted(texts(figure, "method"), key=lambda t: -t.get_position()[1])
    assert [t.get_text() for t in names] == ["Gradient", "Random map", "LRP-ε"]


def test_default_is_filled_best_is_hollow_and_published_models_look_different(rows):
    figure = plot_ground_truth(rows)
    default, best = (artist(figure, f"LBBB-embedded-lrp_epsilon-{s}") for s in ("default", "best"))
    published = artist(figure, "AVB-published-gradient-default")
    assert np.allclose(best.get_facecolor()[0], 1)
    assert not np.allclose(default.get_facecolor()[0], 1)
    assert np.allclose(best.get_edgecolor(), default.get_edgecolor())
    assert not np.allclose(published.get_facecolor(), default.get_facecolor())
    words = " ".join(t.get_text() for t in texts(figure))
    assert "embedded" in words
    assert "published" in words
    only = plot_ground_truth([r for r in rows if r["model"] == "embedded"])
    assert "published" not in " ".join(t.get_text() for t in texts(only))


def test_a_file_gives_the_same_figure_and_fits_a_notebook(rows, tmp_path):
    path = tmp_path / "ground_truth.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    one, other = plot_ground_truth(path)._repr_png_(), plot_ground_truth(rows)._repr_png_()
    assert one == other
    assert "LBBB: most LRP-ε, 95 % on 50 %" in one[1]["alt"]
    assert 900 < plot_ground_truth(rows).bbox.width < 1150


def test_texts_stay_on_the_sheet(rows):
    figure = plot_ground_truth(rows)
    FigureCanvasAgg(figure).draw()
    for text in texts(figure):
        box = text.get_window_extent()
        left, bottom, right, top = box.extents
        assert min(left, bottom) >= -1, text.get_text()
        assert right <= figure.bbox.width + 1, text.get_text()
        assert top <= figure.bbox.height + 1, text.get_text()


def test_an_undefined_mass_is_left_out_and_a_missing_interval_is_not_drawn(rows):
    lone = row("AVB", "vargrad", 1.5) | {"mass_low": "nan", "mass_high": "nan"}
    figure = plot_ground_truth([*rows, lone, row("AVB", "lime", float("nan"))])
    assert artist(figure, "AVB-embedded-vargrad-default") is not None
    assert "LIME" not in [t.get_text() for t in texts(figure, "method")]


def test_what_is_no_benchmark_is_refused(rows, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"benchmarks/ground_truth\.py"):
        plot_ground_truth(tmp_path / "nothing.csv")
    with pytest.raises(ValueError, match=r"lacks .*mass_high"):
        plot_ground_truth([{k: v for k, v in r.items() if k != "mass_high"} for r in rows])
    with pytest.raises(ValueError, match="0 rows"):
        plot_ground_truth([])
    with pytest.raises(ValueError, match="models mine"):
        plot_ground_truth([*rows, row("AVB", "lime", 1.0, model="mine")])
