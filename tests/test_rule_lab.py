"""RuleLab: every control moves the picture, its numbers add up, and a layer of one's own is taken as it is."""

import numpy as np
import pytest
import torch

from figures import drawn, drive, stops
from leadwise.attribution import Shares
from leadwise.attribution.rules import RULES
from leadwise.explorers import RuleLab
from leadwise.explorers.rule_lab import KINDS, ROWS, draw_layer
from leadwise.plotting.rule import plot_flow, plot_rule

INPUTS, WEIGHTS = np.array([2.0, 1.0]), np.array([[1.0, -1.0, 0.5], [1.0, 3.0, -0.5]])


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


# --- The lab ----------------------------------------------------------------------------------------------


def test_its_rules_are_those_of_the_package():
    assert set(ROWS) == set(RULES)


@pytest.fixture(scope="module")
def lab():
    lab = RuleLab(rule="sign")
    lab.controls["kind"].value = "pixels"
    return lab


@pytest.mark.parametrize("rule", ROWS)
def test_every_slider_of_a_rule_is_shown_and_moves_the_numbers(rule, lab):
    lab.controls["rule"].value = rule
    assert lab.error is None
    assert [c.description for c in lab.box.children] == ["rule", *ROWS[rule].parameters, "bias", "inputs", "layer"]
    for name in ROWS[rule].parameters:
        control, at_ends = lab.controls[name], []
        low, high = stops(control)[0], stops(control)[-1]
        with lab.quietly():
            for end in (low, high) if control.value == low else (high, low):
                control.value = end
                at_ends.append(lab.shares().messages)
        assert not torch.equal(*at_ends)
        before = drawn(lab)
        lab.refresh()
        assert lab.error is None
        assert drawn(lab) != before


@pytest.mark.parametrize("rule", ROWS)
def test_the_printed_call_makes_the_shares_that_are_shown(rule, lab):
    with lab.quietly():
        lab.controls["rule"].value = rule
    made = {}
    exec(lab.code(), made)
    assert all(map(torch.equal, made["shares"], lab.shares()))


def test_bias_inputs_and_layer_change_the_picture():
    lab = RuleLab()
    for name in ("bias", "kind", "seed"):
        drive(lab, lab.controls[name], stops(lab.controls[name]))


def test_every_stop_of_a_slider_is_drawn_while_it_is_dragged():
    lab = RuleLab(rule="epsilon")
    assert all(getattr(control, "continuous_update", True) for control in lab.controls.values())
    drive(lab, lab.controls["epsilon"], stops(lab.controls["epsilon"]))


def test_a_parameter_of_another_rule_draws_the_same(lab):
    with lab.quietly():
        lab.controls["rule"].value = "z"
    lab.refresh()
    before = drawn(lab)
    lab.controls["alpha"].value = lab.controls["alpha"].max
    assert drawn(lab) == before


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_layers_are_active_and_deterministic(kind):
    for seed in range(21):
        inputs, weights, bias, relevance = draw_layer(seed, kind)
        assert (inputs @ weights + bias >= 0).all()
        assert (inputs >= KINDS[kind]).all()
        assert all(map(torch.equal, draw_layer(seed, kind), (inputs, weights, bias, relevance)))


def test_without_bias_the_z_rule_hands_on_everything():
    """Bach et al. 2015, eq. 2."""
    lab = RuleLab(rule="z")
    lab.controls["bias"].value = False
    shares = lab.shares()
    torch.testing.assert_close(shares.messages.sum(0), lab.layer()[3])
    assert "handed on 1.00 + kept by the bias 0 + absorbed 0" in lab.message.value


def test_starts_where_it_is_told_to():
    lab = RuleLab(rule="alpha_beta", alpha=2.0, kind="pixels", seed=5)
    assert lab.parameters() == {"alpha": 2.0, "beta": 1.0}
    assert torch.equal(lab.layer()[0], draw_layer(5, "pixels")[0])


def test_a_layer_of_ones_own_by_hand():
    """Outputs (3, 1, 0.5) are their own relevance by default, so that the z-rule returns the contributions."""
    lab = RuleLab(INPUTS, WEIGHTS, rule="z")
    np.testing.assert_allclose(lab.layer()[3], [3, 1, 0.5])
    np.testing.assert_allclose(lab.shares().messages, [[2, -2, 1], [1, 3, -0.5]])
    assert "seed" not in lab.controls


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"inputs": INPUTS}, "needs inputs and weights"),
        ({"bias": [1, 2, 3]}, "needs inputs and weights"),
        ({"inputs": INPUTS, "weights": WEIGHTS.T}, r"inputs have shape \(2,\), weights \(3, 2\)"),
        ({"inputs": INPUTS, "weights": WEIGHTS, "bias": [1.0]}, r"bias has shape \(1,\); expected \(3,\)"),
        ({"inputs": np.ones(13), "weights": np.ones((13, 2))}, "at most 12 and 6"),
        ({"rule": "delta"}, "expected one of z, epsilon"),
        ({"kind": "sound"}, "expected one of behind a ReLU, pixels"),
        ({"beta": 1.0}, "parameter is 'beta'; expected one of epsilon"),
        ({"gamma": -1.0}, "expected a number from 0 to 10"),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        RuleLab(**given)


# --- The pictures -----------------------------------------------------------------------------------------


def test_the_figure_writes_the_numbers():
    shares = Shares(np.array([[1.0, -2.0, 0.0], [0.25, 300.0, 0.0]]), np.array([0.5, 0, 0]), np.array([0, 0, 7.0]))
    figure = plot_rule(INPUTS, WEIGHTS, np.zeros(3), np.array([1.75, 298, 7]), *shares, title="By hand")
    found = words(figure)
    assert {"By hand", "2.00", "−1.00", "3.00", "0.25", "300", "0.50", "7.00", "input 1:  2"} <= set(found)
    cells = [text.get_text() for text in figure.axes[0].texts if text.get_gid() == "R_j"]
    assert cells == ["−1.00", "300"]
    assert "6" not in figure.alt.split("Relevance")[0]
    assert "Relevance of the outputs 307, of which 299 reach the inputs" in figure.alt


def test_the_flow_writes_units_and_edges_and_refuses_what_does_not_fit():
    figure = plot_flow([[2, 1], [3]], [np.array([[4.0], [-1.0]])], names=["x", "f"])
    gids = {gid: [t.get_text() for t in figure.axes[0].texts if t.get_gid() == gid] for gid in ("unit", "edge")}
    assert gids == {"unit": ["2", "1", "3"], "edge": ["4", "−1"]}
    with pytest.raises(ValueError, match="need"):
        plot_flow([[2, 1], [3]], [np.zeros((1, 2))])
