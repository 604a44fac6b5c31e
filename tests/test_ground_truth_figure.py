"""The benchmark's figure: its numbers are the table's, one for each method and cause, worst causes decide."""

import csv

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from leadwise.plotting import plot_ground_truth

MISPLACED = {
    "lrp_epsilon": {"AVB": 0.7, "LBBB": 0.1},
    "deeplift": {"AVB": 0.2, "LBBB": 0.3},
    "square": {"AVB": 0.9, "LBBB": 0.4},
}


def row(cause, method, misplaced="", model="embedded", setting="default", data="ECG"):
    """Return one line of the benchmark's table, as text, without the columns that the figure does not draw."""
    family = {"lrp_epsilon": "LRP", "deeplift": "gradient", "square": "control"}.get(method, "")
    names = {"data": data, "model": model, "cause": cause, "method": method, "family": family, "setting": setting}
    return names | {"misplaced": str(misplaced)}


@pytest.fixture
def rows():
    made = [row(cause, method, value) for method, found in MISPLACED.items() for cause, value in found.items()]
    made += [row("object", method, value, data="scenes") for method, value in (("lrp_epsilon", 0.75), ("square", 0.9))]
    return made


def texts(figure):
    return figure.findobj(lambda a: hasattr(a, "get_text") and a.get_text())


def lines(figure):
    """Return the words of the table's rows, from top to bottom, from left to right."""
    heights = {}
    for text in texts(figure):
        x, y = text.get_position()
        heights.setdefault(round(y, 1), []).append((x, text.get_text()))
    return [[word for _, word in sorted(heights[y])] for y in sorted(heights, reverse=True)]


def test_every_cell_is_what_is_not_misplaced(rows):
    found = lines(plot_ground_truth(rows))
    assert ["DeepLIFT", "80 %", "70 %", "–"] in found
    assert ["LRP-ε", "30 %", "90 %", "25 %"] in found
    assert any(line[:3] == ["x² (control)", "10 %", "60 %"] for line in found)


def test_the_worst_cause_decides_the_order(rows):
    names = [line[0] for line in lines(plot_ground_truth(rows))]
    assert names.index("DeepLIFT") < names.index("LRP-ε") < names.index("x² (control)")


def test_networks_are_averaged_and_tuned_settings_left_out(rows):
    more = [*rows, row("AVB", "deeplift", 0.6, model="seed-1"), row("AVB", "deeplift", 0.0, setting="tuned")]
    more += [
        row("AVB", "deeplift", 1.0, model="published"),
        row("AVB", "deeplift", 1.0) | {"architecture": "XResNet1d"},
    ]
    figure = plot_ground_truth(more)
    assert ["DeepLIFT", "60 %", "70 %", "–"] in lines(figure)
    assert "patients: 1 to 2 networks a cause" in " ".join(" ".join(text.get_text().split()) for text in texts(figure))


def test_a_table_of_other_networks_alone_is_shown_all_the_same():
    made = [row("AVB", method, value, model="published") for method, value in (("deeplift", 0.2), ("square", 0.9))]
    assert ["DeepLIFT", "80 %"] in lines(plot_ground_truth(made))


def test_the_alternative_text_names_the_best_and_the_best_control(rows):
    assert "AVB: most DeepLIFT, 80 %, best control x² 10 %" in plot_ground_truth(rows).alt


def test_a_file_gives_the_same_figure_and_fits_a_page(rows, tmp_path):
    path = tmp_path / "ground_truth.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    figure = plot_ground_truth(path)
    assert figure._repr_png_() == plot_ground_truth(rows)._repr_png_()
    assert figure.bbox.width <= 900


def test_texts_stay_on_the_sheet(rows):
    figure = plot_ground_truth(rows)
    FigureCanvasAgg(figure).draw()
    for text in texts(figure):
        box = text.get_window_extent()
        assert box.x0 >= -1
        assert box.x1 <= figure.bbox.width + 1


def test_what_cannot_be_drawn_is_refused(rows, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"benchmarks/ground_truth\.py"):
        plot_ground_truth(tmp_path / "nothing.csv")
    with pytest.raises(ValueError, match="lacks misplaced"):
        plot_ground_truth([{key: value for key, value in one.items() if key != "misplaced"} for one in rows])
    with pytest.raises(ValueError, match="0 rows"):
        plot_ground_truth([])
