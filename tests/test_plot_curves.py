"""Curves of deletion: the lines are the means, and the legend sorts by area."""

import numpy as np
import pytest

from leadwise.evaluation.faithfulness import Curve
from leadwise.plotting import plot_curves

FRACTIONS = np.linspace(0, 1, 5)


def curve(power, order="morf", samples=4):
    """Return curves (1 - f) ** power, each sample a little higher: by hand, the area is about 1 / (power + 1)."""
    values = (1 - FRACTIONS) ** power * np.linspace(0.9, 1.1, samples)[:, None]
    return Curve(FRACTIONS, values, "deletion", order, "zero", "probability", 16)


@pytest.fixture
def figure():
    curves = {"slow": curve(1), "Random order": curve(2, "random"), "fast": curve(4)}
    return plot_curves(curves, title="Faster is better", label="replaced")


def test_lines_are_the_means_and_random_is_dashed(figure):
    lines = {line.get_label().split(":")[0]: line for line in figure.axes[0].lines}
    assert set(lines) == {"slow", "Random order", "fast"}
    for name, power in {"slow": 1, "Random order": 2, "fast": 4}.items():
        np.testing.assert_allclose(lines[name].get_ydata(), (1 - FRACTIONS) ** power, atol=1e-12)
        assert (lines[name].get_linestyle() == "--") == (name == "Random order")
    assert len({line.get_color() for line in lines.values()}) == 3


def test_the_legend_begins_with_the_lowest_area(figure):
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert [text.split(":")[0] for text in texts] == ["fast", "Random order", "slow"]
    assert texts[-1].startswith("slow: 0.50 [0.4")
    assert figure.alt.startswith("Faster is better: area under the mean curve: fast 0.2")
    assert figure.axes[0].get_xlabel() == "share replaced"


def test_one_sample_has_no_interval():
    figure = plot_curves({"alone": curve(1, samples=1)})
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["alone: 0.45"]


def test_no_curves_and_too_many_are_refused():
    with pytest.raises(ValueError, match="got 0 curves"):
        plot_curves({})
    with pytest.raises(ValueError, match="expected 1 to 7"):
        plot_curves({str(i): curve(1) for i in range(8)})
