"""Controls ask no network: their maps are known in closed form, whatever the network is."""

import numpy as np
import pytest
import torch
from torch import nn

from leadwise import METHODS, attribute
from leadwise.maps import SIGNS

CONTROLS = [name for name, row in METHODS.items() if row.family == "control"]


def network(channels, seed):
    """Return a network of random weights that takes any length and any size of picture."""
    torch.manual_seed(seed)
    conv, pool = (nn.Conv1d, nn.AdaptiveAvgPool1d) if channels == 12 else (nn.Conv2d, nn.AdaptiveAvgPool2d)
    return nn.Sequential(conv(channels, 2, 3, padding=1), pool(1), nn.Flatten())


def control(x, name, seed=0, **parameters):
    return attribute(network(12 if x.shape[-2] == 12 else 3, seed), x, name, target=0, **parameters)


def ramp():
    """An ECG whose lead k rises by k mV a sample, from 0."""
    return torch.arange(12.0)[:, None] * torch.arange(40.0)


@pytest.mark.parametrize("name", CONTROLS)
def test_no_control_depends_on_the_network(name):
    x = torch.randn(2, 12, 40)
    assert torch.equal(control(x, name), control(x, name, seed=1))


def test_voltage_and_its_square():
    x = ramp() - 20
    torch.testing.assert_close(control(x, "magnitude"), (ramp() - 20).abs())
    torch.testing.assert_close(control(x, "square"), (ramp() - 20) ** 2)


def test_a_ramp_is_as_steep_everywhere():
    wanted = torch.arange(12.0)[:, None].expand(12, 40)
    torch.testing.assert_close(control(-ramp(), "steepness"), wanted)
    torch.testing.assert_close(control(ramp(), "smoothed_steepness", width=7), wanted, rtol=1e-5, atol=1e-5)


def test_smoothing_is_a_running_mean():
    x = torch.randn(1, 12, 80)
    rough, smooth = (
        control(x, name, **how)[0, 3] for name, how in (("steepness", {}), ("smoothed_steepness", {"width": 9}))
    )
    assert float(smooth[40]) == pytest.approx(float(rough[36:45].mean()), rel=1e-5)


def test_a_slanted_picture_has_the_length_of_its_gradient():
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(9.0), indexing="ij")
    picture = (3 * rows + 4 * columns).expand(1, 3, 8, 9)
    torch.testing.assert_close(control(picture, "steepness"), torch.full((1, 3, 8, 9), 5.0))


def test_the_difference_is_that_from_the_reference():
    x, twin = torch.randn(2, 12, 40), torch.randn(2, 12, 40)
    torch.testing.assert_close(control(x, "difference", baseline=twin), x - twin)
    torch.testing.assert_close(control(x, "difference"), x)


def test_white_noise_alone_says_nothing_about_the_input():
    x = torch.randn(1, 12, 4000)
    noise = control(x, "random")
    assert abs(np.corrcoef(noise.flatten(), x.flatten())[0, 1]) < 0.02
    assert float(noise.std()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("name", METHODS)
def test_every_row_says_which_sign_ranks(name):
    assert METHODS[name].ranks in SIGNS


def test_slopes_are_ranked_by_magnitude_and_contributions_by_sign():
    assert {METHODS[name].ranks for name in ("gradient", "smoothgrad", "vargrad", "guided_backprop")} == {"absolute"}
    signed = ("gradient_x_input", "integrated_gradients", "lrp_epsilon", "hirescam", "occlusion", "deeplift")
    assert {METHODS[name].ranks for name in signed} == {"signed"}
