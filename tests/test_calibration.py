"""A calibration pulse is a rectangle of 0.5, 1 or 2 mV in all leads at once, for 0.1 or 0.2 s, and nothing else is."""

import numpy as np
import pytest

import leadwise
from leadwise.ecg.calibration import cut_calibration
from leadwise.ecg.record import ECG

FS = 500


@pytest.fixture(scope="module")
def heart():
    return leadwise.simulate_ecg("NORM", seed=5).signal


def with_pulse(heart, height=1.0, width=0.2, *, after=0.3, leads=range(12), shape=None, noise=0.0) -> ECG:
    """Return the heart's 10 s, a flat 0.3 s, a pulse of ``height`` mV and ``width`` s, and ``after`` s of flat line."""
    size = round(width * FS)
    pulse = np.concatenate([np.zeros(150), height * (np.ones(size) if shape is None else shape(size))])
    tail = np.zeros((12, len(pulse) + round(after * FS)))
    tail[list(leads), : len(pulse)] = pulse
    tail += np.random.default_rng(0).uniform(-noise, noise, tail.shape)
    return ECG(np.concatenate([heart, tail], axis=1))


@pytest.mark.parametrize("height", [0.5, 1.0, 2.0, -1.0])
@pytest.mark.parametrize("width", [0.05, 0.1, 0.2, 0.5])
def test_what_recorders_write_is_cut(heart, height, width):
    for after in (0.1, 1.0):
        cut = cut_calibration(with_pulse(heart, height, width, after=after))
        assert f"pulse of {abs(height):.2g} mV was cut off" in cut.notes[-1]
        assert 10.0 - 0.05 <= cut.duration <= 10.3 + 0.01


@pytest.mark.parametrize("height", [0.5, 1.0, 2.0])
def test_rounding_and_noise_do_not_hide_it(heart, height):
    """Leads may differ by 0.01 mV either way; the cut lies before the rectangle, not in it."""
    cut = cut_calibration(with_pulse(heart, height, noise=0.01))
    assert cut.notes
    assert cut.duration <= 10.3 + 0.01


@pytest.mark.parametrize(
    "options",
    [
        {"height": 0.3},  # a P wave is as high
        {"height": 3.0},
        {"width": 0.01},  # a pacemaker's pulse
        {"width": 1.0},
        {"shape": lambda n: np.sin(np.pi * np.arange(n) / n)},  # a wave of a heart
        {"shape": lambda n: 1 - np.abs(np.linspace(-1, 1, n))},
        {"leads": (6, 7, 8)},
        {"after": 4.0},  # not at the end
        {"noise": 0.15},  # leads that differ so much hold different things
    ],
)
def test_what_they_do_not_write_stays(heart, options):
    ecg = with_pulse(heart, **options)
    assert cut_calibration(ecg) is ecg


def test_it_needs_four_leads_that_can_be_read(heart):
    ecg = with_pulse(heart)
    for lost, cut in ((4, True), (5, False)):
        signal = ecg.signal.copy()
        signal[[0, 1, *range(6, 12)][:lost], 5100] = np.nan
        assert bool(cut_calibration(ECG(signal)).notes) == cut
