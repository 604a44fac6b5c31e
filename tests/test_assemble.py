"""One road from channels to an ECG: what is alike for every format."""

import doctest

import numpy as np
import pytest
import wfdb

from leadwise.ecg.leads import LEADS
from leadwise.recordings import assemble as module
from leadwise.recordings import labels
from leadwise.recordings.assemble import assemble
from leadwise.recordings.reading import load_ecg, read_ecg
from leadwise.recordings.recording import MOST_VALUES, Channel, RecordError, Recording, RecordWarning


def channels(samples=1000, fs=500.0, unit="mV", **changed) -> list[Channel]:
    """Return twelve sines of a millivolt; ``changed``: lead -> its samples."""
    time = np.arange(samples) / fs
    rows = {lead: np.sin(2 * np.pi * (3 + i / 5) * time) for i, lead in enumerate(LEADS)} | changed
    return [Channel(lead, row, unit, fs) for lead, row in rows.items()]


def test_examples_run():
    for examined in (module, labels):
        result = doctest.testmod(examined)
        assert result.attempted
        assert not result.failed


def test_a_lead_four_samples_short_is_refused():
    """Nothing says whether the first or the last four are missing: a shift of 8 ms, or none."""
    with pytest.raises(RecordError, match="V6 has 996 samples, others 1000, and nothing says at which end"):
        assemble(Recording(channels(V6=np.sin(np.arange(996) / 20)), "mine"))


def test_what_rounding_leaves_is_cut_with_a_note():
    """1001 samples at 500 Hz and 500 at 250 Hz last as long as rates allow; resampled, one lead is a sample shorter."""
    leads = channels(1001)
    leads[5] = Channel("aVF", np.sin(np.arange(500) / 20), "mV", 250.0)
    ecg = assemble(Recording(leads, "mine"))
    assert ecg.samples == 1000
    assert "all are cut to 1000 samples" in ecg.notes[-1]


def test_flat_leads_are_said_on_every_road(tmp_path):
    rows = np.stack([c.samples for c in channels(V3=np.zeros(1000))])
    np.save(tmp_path / "flat.npy", rows)
    wfdb.wrsamp(
        "flat", 500, ["mV"] * 12, list(LEADS), np.ascontiguousarray(rows.T), fmt=["16"] * 12, write_dir=str(tmp_path)
    )
    for read in (
        lambda: load_ecg(tmp_path / "flat"),
        lambda: read_ecg(tmp_path / "flat.hea"),
        lambda: read_ecg(tmp_path / "flat.npy", fs=500, unit="mV", leads=LEADS),
    ):
        with pytest.warns(RecordWarning, match="flat: Lead V3 is flat"):
            assert "Lead V3 is flat: 0 mV throughout." in read().notes


@pytest.mark.parametrize("rate", [0.5, 0.0, -500.0, 1e6, float("nan"), float("inf")])
def test_rates_that_no_ecg_has(rate):
    with pytest.raises(RecordError, match="expected 1 to 100,000 Hz"):
        assemble(Recording([*channels()[:11], Channel("V6", np.zeros(1000), "mV", rate)], "mine"))
    with pytest.raises(ValueError, match="fs is"):
        assemble(Recording(channels(), "mine"), fs=rate)


def test_one_slow_lead_does_not_blow_up_the_others():
    """A second at 100 kHz and twenty minutes at 1 Hz: the limit counts what the leads become."""
    leads = channels()
    leads[0] = Channel("I", np.zeros(10), "mV", 100_000.0)
    leads[1] = Channel("II", np.zeros(MOST_VALUES // 10_000), "mV", 1.0)
    with pytest.raises(RecordError, match="is too long"):
        assemble(Recording(leads, "mine"))


@pytest.mark.parametrize("leads", [[1, 2], {"I": 5}, {5: "I"}, 7, [b"I"] * 12, {"I": ["I"]}])
def test_leads_that_are_no_names(leads):
    with pytest.raises(ValueError, match="leads"):
        assemble(Recording(channels(), "mine"), leads=leads)


def test_infinite_samples_are_invalid_and_values_beyond_float32_refused():
    spoiled = np.sin(np.arange(1000) / 20)
    spoiled[10:12] = -np.inf, np.inf
    with pytest.warns(RecordWarning, match="Lead II has 2 invalid samples"):
        ecg = assemble(Recording(channels(II=spoiled), "mine"))
    assert np.isnan(ecg.signal[1, 10:12]).all()
    spoiled[10] = 1e300
    with pytest.raises(RecordError, match=r"lead II of mine reaches 1e\+300 mV"):
        assemble(Recording(channels(II=spoiled), "mine"))
