"""Feature maps of networks that see ECGs: those of the layer, over the recording's time."""

import numpy as np
import pytest
import torch

import leadwise
from leadwise.explorers import ECGNetworkExplorer
from leadwise.inspection import feature_maps
from leadwise.plotting.channels import plot_channels

pytestmark = pytest.mark.usefixtures("one_thread")


def test_every_network_and_control(data_dir):
    with ECGNetworkExplorer(model="xresnet1d") as explorer:
        assert explorer.error is None
        for model in ("LBBB", "transformer", "xresnet1d"):
            explorer.controls["model"].value = model
            assert explorer.error is None
            assert model in explorer.alt
        for order in explorer.controls["order"].options:
            explorer.controls["order"].value = order
            explorer.controls["count"].value = 3
            assert explorer.error is None
        net, layer = leadwise.NETWORKS["xresnet1d"], explorer.controls["layer"].value
        maps = feature_maps(net, net.input(leadwise.load_record("sim-lbbb-1")), layer)[0]
        assert f"{len(maps)} channels of {maps.shape[1]} places" in explorer.message.value
        explorer.controls["order"].value = "largest value"
        best = [int(k) for k in maps.amax(1).argsort(descending=True, stable=True)[:3]]
        assert explorer.alt.endswith(f"I, {', '.join(f'channel {k}' for k in best)}, over 10 s")


def test_layers_whose_axes_are_not_known_are_left_out(data_dir):
    """A transformer's layers give pieces, then the parts of a vector: not channels over time."""
    with ECGNetworkExplorer(model="transformer") as explorer:
        assert [name for _, name in explorer.controls["layer"].options] == ["embed"]
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(200, 2))
    with pytest.raises(ValueError, match="no layer that gives channels over time"):
        ECGNetworkExplorer(model=leadwise.Network(flat, leads=("I", "II"), fs=100, samples=100, classes=("a", "b")))
    with pytest.raises(ValueError, match="record is 'nobody'"):
        ECGNetworkExplorer("nobody")


def test_a_network_without_such_layers_is_refused_below_the_picture(data_dir, monkeypatch):
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(200, 2))
    net = leadwise.Network(flat, leads=("I", "II"), fs=100, samples=100, classes=("a", "b"))
    with ECGNetworkExplorer(model="LBBB") as explorer:
        monkeypatch.setattr(explorer.menu, "load", lambda name: net)
        explorer.controls["model"].value = "AVB"
        assert "no layer that gives channels over time" in str(explorer.error)
        assert explorer.canvas.previous


def test_what_cannot_be_drawn_is_refused():
    for rows, seconds in (({}, 1), ({"a": np.zeros((2, 2))}, 1), ({"a": np.zeros(3)}, 0)):
        with pytest.raises(ValueError, match="rows"):
            plot_channels(rows, seconds)
