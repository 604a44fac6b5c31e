"""Reading WFDB records: every rule and every complaint, on records written with wfdb and scipy, and on real ones."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import wfdb

import leadwise
from leadwise.ecg.leads import LEADS
from leadwise.recordings.reading import load_ecg
from leadwise.recordings.recording import RecordError, RecordWarning
from leadwise.recordings.wfdb import read_comments

SAMPLES = 1500


def microvolts(channels: int = 12, samples: int = SAMPLES) -> np.ndarray:
    """Return one sine a channel, each with its own period and height, as whole µV, shape (channels, samples)."""
    time, row = np.arange(samples), np.arange(channels)[:, None]
    return np.round((400 + 50 * row) * np.sin(2 * np.pi * time / (60 + 7 * row))).astype(np.int64)


TRUTH = microvolts() / 1000  # mV


def write(folder: Path, digital: np.ndarray | None = None, name: str = "rec", **changes) -> Path:
    """Write a record of int16 samples in steps of 1 µV with wfdb.wrsamp; ``changes`` are its arguments."""
    digital = microvolts() if digital is None else digital
    channels = len(digital)
    arguments = {
        "fs": 500,
        "units": ["mV"] * channels,
        "sig_name": list(LEADS),
        "d_signal": digital.T.copy(),
        "fmt": ["16"] * channels,
        "adc_gain": [1000.0] * channels,
        "baseline": [0] * channels,
    }
    wfdb.wrsamp(name, write_dir=str(folder), **(arguments | changes))
    return folder / name


def edit(record: Path, old: str, new: str, encoding: str = "utf-8") -> None:
    """Change the text of a header; the change must bite."""
    path = record.with_suffix(".hea")
    text = path.read_text()
    assert old in text
    path.write_bytes(text.replace(old, new).encode(encoding))


def assert_truth(ecg, signal=TRUTH) -> None:
    np.testing.assert_allclose(ecg.signal, signal, atol=1e-6)


# What can be read


@pytest.mark.parametrize("given", ["rec", "rec.hea", "rec.dat", Path("rec"), Path("rec.hea")])
def test_path_with_or_without_extension(tmp_path, monkeypatch, given):
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    ecg = load_ecg(given)
    assert_truth(ecg)
    assert (ecg.fs, ecg.record_id, ecg.notes, ecg.leads) == (500, "rec", (), LEADS)
    assert ecg.signal.dtype == np.float32


def test_public_name(tmp_path):
    assert_truth(leadwise.load_ecg(str(write(tmp_path))))


def test_matlab_signal_file(tmp_path):
    """The CinC 2021 layout: a MATLAB 4 file of int16, whose 24-byte head the header skips (16x1+24)."""
    record = write(tmp_path)
    record.with_suffix(".dat").unlink()
    scipy.io.savemat(record.with_suffix(".mat"), {"val": microvolts().astype(np.int16)}, format="4")
    edit(record, "rec.dat 16 ", "rec.mat 16x1+24 ")
    assert_truth(load_ecg(record))
    assert_truth(load_ecg(record.with_suffix(".mat")))


@pytest.mark.parametrize("fmt", ["16", "212", "24", "32", "80", "508", "516", "524"])
def test_sample_formats(tmp_path, fmt):
    digital = microvolts() // (10 if fmt in ("80", "508") else 1)
    ecg = load_ecg(write(tmp_path, digital, fmt=[fmt] * 12))
    assert_truth(ecg, digital / 1000)


def test_any_lead_order_and_case(tmp_path):
    order = np.random.default_rng(0).permutation(12)
    names = [LEADS[index] for index in order]
    changed = [name.upper() if index % 2 else name.lower() for index, name in enumerate(names)]
    assert_truth(load_ecg(write(tmp_path, microvolts()[order], sig_name=changed)))


@pytest.mark.parametrize(
    ("unit", "encoding", "per_mv"),
    [
        ("mV", "ascii", 1.0),
        ("mv", "ascii", 1.0),
        ("MV", "ascii", 1.0),
        ("uV", "ascii", 1e3),
        ("µV", "utf-8", 1e3),
        ("µV", "latin-1", 1e3),
        ("\u03bcV", "utf-8", 1e3),
        ("nV", "ascii", 1e6),
        ("V", "ascii", 1e-3),
    ],
)
def test_units_become_millivolts(tmp_path, unit, encoding, per_mv):
    """wfdb reads headers as ASCII and makes V of µV: a factor of a million, caught here."""
    record = write(tmp_path, adc_gain=[1000.0 / per_mv] * 12)
    edit(record, "/mV", f"/{unit}", encoding)
    assert_truth(load_ecg(record))


def test_each_lead_has_its_own_unit_gain_and_baseline(tmp_path):
    gains, units, per_mv = [1000.0, 2.0, 5e5] * 4, ["mV", "uV", "V"] * 4, [1, 1e3, 1e-3] * 4
    ecg = load_ecg(write(tmp_path, adc_gain=gains, units=units, baseline=list(range(12))))
    scale = np.array(gains)[:, None] * np.array(per_mv)[:, None]
    assert_truth(ecg, (microvolts() - np.arange(12)[:, None]) / scale)


def test_frank_leads_are_dropped_with_a_note(tmp_path):
    names = [name.lower() for name in LEADS] + ["vx", "vy", "vz", "Resp"]
    ecg = load_ecg(write(tmp_path, microvolts(16), sig_name=names, units=["mV"] * 15 + ["l/min"]))
    assert_truth(ecg)
    assert ecg.notes == ("Dropped the channels that are none of the twelve leads: vx, vy, vz, Resp.",)


def test_any_rate_is_kept_and_resampled_on_request(tmp_path):
    tone = np.sin(2 * np.pi * 5 * np.arange(10_000) / 1000)
    record = write(tmp_path, np.tile(np.round(tone * 1e4), (12, 1)).astype(int), fs=1000, adc_gain=[1e4] * 12)
    assert (load_ecg(record).fs, load_ecg(record).samples) == (1000, 10_000)
    ecg = load_ecg(record, fs=500)
    assert (ecg.fs, ecg.samples) == (500, 5000)
    assert np.abs(ecg.signal[:, 100:-100] - tone[200:-200:2]).max() < 0.005
    assert "Resampled from 1000 to 500 Hz" in ecg.notes[-1]
    with pytest.raises(ValueError, match="expected a positive sampling rate"):
        load_ecg(record, fs=-1)


def test_comments_become_metadata(tmp_path):
    comments = ["Age: 65", "Sex: Male", "Dx: 59118001,426177001", "seen at rest", "Dx: 1", "Hx:", "no. 2"]
    expected = {"age": "65", "sex": "Male", "dx": "59118001,426177001\n1", "comments": "seen at rest\nno. 2"}
    record = write(tmp_path, comments=comments)
    assert load_ecg(record).metadata == expected
    assert read_comments(record) == expected


def test_several_signal_files(tmp_path):
    write(tmp_path, microvolts()[:6], sig_name=list(LEADS[:6]), name="limb")
    write(tmp_path, microvolts()[6:], sig_name=list(LEADS[6:]), name="chest")
    lines = [(tmp_path / f"{name}.hea").read_text().splitlines()[1:] for name in ("limb", "chest")]
    (tmp_path / "both.hea").write_text("\n".join([f"both 12 500 {SAMPLES}", *lines[0], *lines[1]]))
    assert_truth(load_ecg(tmp_path / "both"))


def test_skewed_channels_are_aligned(tmp_path):
    """A channel with skew s was written s samples late: its sample i stands at i + s."""
    digital = microvolts()
    for index, skew in ((1, 4), (7, 9)):
        digital[index] = np.roll(digital[index], skew)
    record = write(tmp_path, digital)
    lines = record.with_suffix(".hea").read_text().splitlines()
    lines[2], lines[8] = (lines[2].replace(" 16 ", " 16:4 ", 1), lines[8].replace(" 16 ", " 16:9 ", 1))
    record.with_suffix(".hea").write_text("\n".join(lines))
    with pytest.warns(RecordWarning, match=r"Lead V2 has 9 invalid samples|Lead II has 4 invalid samples"):
        ecg = load_ecg(record)
    assert_truth(ecg, np.where(np.isnan(ecg.signal), np.nan, TRUTH))
    assert np.isnan(ecg.signal[[1, 7]]).sum(axis=1).tolist() == [4, 9]


def frames(digital: np.ndarray, per_frame: list[int]) -> dict:
    return {
        "e_d_signal": [row[: SAMPLES // 4 * count].copy() for row, count in zip(digital, per_frame, strict=True)],
        "d_signal": None,
        "samps_per_frame": per_frame,
        "fs": 125,
    }


def test_several_samples_a_frame(tmp_path):
    ecg = load_ecg(write(tmp_path, **frames(microvolts(), [4] * 12)))
    assert ecg.fs == 500
    assert_truth(ecg)


def test_leads_with_different_rates_get_the_highest(tmp_path):
    slow = microvolts(samples=SAMPLES)
    slow[5] = np.round(900 * np.sin(2 * np.pi * np.arange(SAMPLES) / 60))
    wanted = slow / 1000
    wanted[5] = 0.9 * np.sin(2 * np.pi * np.arange(SAMPLES) / 120)
    ecg = load_ecg(write(tmp_path, **frames(slow, [4] * 5 + [2] + [4] * 6)))
    assert (ecg.fs, ecg.samples) == (500, SAMPLES)
    assert np.abs(ecg.signal - wanted)[:, 100:-100].max() < 0.01
    assert ecg.notes == ("Resampled aVF to the rate of the other leads, 500 Hz.",)


# Records of several segments


def write_segments(folder: Path, record_line: str, *lines: str) -> Path:
    (folder / "multi.hea").write_text("\n".join([record_line, *lines]) + "\n")
    return folder / "multi"


def test_segments_are_joined(tmp_path):
    """The second segment has other units and another lead order, which wfdb itself ignores."""
    digital = microvolts()
    write(tmp_path, digital[:, :1000], name="s1")
    write(tmp_path, digital[::-1, 1000:], name="s2", sig_name=list(LEADS[::-1]), units=["uV"] * 12, adc_gain=[1.0] * 12)
    ecg = load_ecg(write_segments(tmp_path, "multi/2 12 500 1500", "s1 1000", "s2 500", "# Age: 40"))
    assert_truth(ecg)
    assert ecg.notes == ("Joined from 2 segments.",)
    assert ecg.metadata == {"age": "40"}


def test_gaps_between_segments_become_nan(tmp_path):
    digital = microvolts()
    write(tmp_path, digital[:, :1000], name="s1")
    write(tmp_path, digital[:11, 1200:], name="s3", sig_name=list(LEADS[:11]))
    (tmp_path / "layout.hea").write_text("layout 12 500 0\n" + "\n".join(f"~ 0 1000/mV 0 0 0 0 0 {n}" for n in LEADS))
    lines = ("layout 0", "s1 1000", "~ 200", "s3 300")
    with pytest.warns(RecordWarning, match="Lead V6 has 500 invalid samples|Lead .+ has 200 invalid samples"):
        ecg = load_ecg(write_segments(tmp_path, "multi/4 12 500 1500", *lines))
    wanted = TRUTH.copy()
    wanted[:, 1000:1200] = np.nan
    wanted[11, 1000:] = np.nan
    assert_truth(ecg, wanted)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("multi/2 12 500 1500", "s1 1000", "gone 500"), "segment gone of .* is missing"),
        (("multi/2 12 500 1500", "s1 1000", "s2 400"), "gives segment s2 400 samples; s2.hea says 500"),
        (("multi/2 12 500 1600", "s1 1000", "s2 500"), "says 1600 samples, but its segments add up to 1500"),
        (("multi/3 12 500 1500", "s1 1000", "s2 500"), "announces 3 segments but describes 2"),
        (("multi/2 12 500 1500", "s1 1000", "fast 500"), "different sampling rates"),
        (("multi/1 12 1000 1000", "s1 1000"), "says 1000 Hz, but its segments have 500 Hz"),
        (("multi/1 12 500 1000", "~ 1000"), "no segment with a signal"),
        (("multi/1 12 500 1000", "nested 1000"), "has segments itself"),
    ],
)
def test_segments_that_do_not_fit(tmp_path, lines, message):
    digital = microvolts()
    write(tmp_path, digital[:, :1000], name="s1")
    write(tmp_path, digital[:, 1000:], name="s2")
    write(tmp_path, digital[:, 1000:], name="fast", fs=1000)
    (tmp_path / "nested.hea").write_text("nested/1 12 500 1000\ns1 1000\n")
    with pytest.raises(RecordError, match=message):
        load_ecg(write_segments(tmp_path, *lines))


# What is read with a warning


def warned(record: Path, message: str):
    """Load a record that must warn once, in the words of its first note."""
    with pytest.warns(RecordWarning, match=message) as caught:
        ecg = load_ecg(record)
    assert len(caught) == 1
    assert str(caught[0].message) == f"{record.name}: {ecg.notes[0]}"
    return ecg


def test_invalid_samples_stay_nan(tmp_path):
    digital = microvolts()
    digital[6, 500:750] = -32768  # the invalid sample of format 16
    ecg = warned(write(tmp_path, digital), r"rec: Lead V1 has 250 invalid samples \(NaN\), at 1.000-1.500 s.")
    assert np.isnan(ecg.signal[6, 500:750]).all()
    assert np.isnan(ecg.signal).sum() == 250
    with pytest.raises(ValueError, match=r"lead V1: samples \[500, 750\)"):
        ecg.preprocess()


def test_a_lead_without_any_valid_sample(tmp_path):
    digital = microvolts()
    digital[0] = -32768
    assert np.isnan(warned(write(tmp_path, digital), "Lead I has no valid sample").signal[0]).all()


def test_flat_leads_stay_flat(tmp_path):
    digital = microvolts()
    digital[4] = 120
    ecg = warned(write(tmp_path, digital), "Lead aVL is flat: 0.12 mV throughout")
    np.testing.assert_allclose(ecg.signal[4], 0.12, atol=1e-6)


def test_a_lost_electrode_is_reported(tmp_path):
    digital = microvolts()
    digital[8, 100:1200] = digital[8, 100]
    warned(write(tmp_path, digital), r"Lead V3 is constant at 0.200-2.400 s")


@pytest.mark.parametrize("gain", [1.0, 1e6])
def test_implausible_heights_are_reported(tmp_path, gain):
    warned(write(tmp_path, adc_gain=[gain] * 12), "implausible for an ECG: check gain and units")


def test_checksums_detect_an_altered_file(tmp_path):
    record = write(tmp_path)
    path = record.with_suffix(".dat")
    raw = np.fromfile(path, "<i2").reshape(-1, 12)
    raw[700, LEADS.index("V5")] += 1
    raw.tofile(path)
    warned(record, "Header and data disagree: wrong checksum for V5; the file was altered or damaged")


def test_first_sample_of_an_amplitude_format_is_not_compared(tmp_path):
    """header(5): the initial value is used only where differences are stored; wfdb's own samples have 0 there."""
    record = write(tmp_path, microvolts() + 5)
    edit(record, " 16 0 5 ", " 16 0 0 ")
    assert_truth(load_ecg(record), TRUTH + 0.005)


def test_a_longer_signal_file_is_reported(tmp_path):
    record = write(tmp_path)
    with record.with_suffix(".dat").open("ab") as file:
        file.write(bytes(24 * 100))
    assert_truth(warned(record, "rec.dat holds 100 more samples a channel; they are left out"))


def test_missing_gain_and_rate_are_assumed_aloud(tmp_path):
    record = write(tmp_path, adc_gain=[200.0] * 12)
    lines = record.with_suffix(".hea").read_text().splitlines()
    lines[1] = f"rec.dat 16 0 0 0 {' '.join(lines[1].split()[-4:])}"
    record.with_suffix(".hea").write_text("\n".join(lines))
    ecg = warned(record, "no gain for I; 200 units per mV, the WFDB default, is assumed")
    assert "no unit for I; mV, the WFDB default" in ecg.notes[1]
    (tmp_path / "bare.hea").write_text("bare 12\n" + "\n".join(f"rec.dat 16 1000/mV 16 0 0 0 0 {n}" for n in LEADS))
    with pytest.warns(RecordWarning) as caught:
        ecg = load_ecg(tmp_path / "bare")
    assert "no sampling rate; 250 Hz" in str(caught[0].message)
    assert (ecg.fs, ecg.samples) == (250, SAMPLES)


def test_a_renamed_header_is_noted(tmp_path):
    record = write(tmp_path)
    record.with_suffix(".hea").rename(tmp_path / "other.hea")
    assert load_ecg(tmp_path / "other").notes == ("The file is named other, but its header calls the record rec.",)


# What cannot be read


def test_a_folder_is_no_record(tmp_path):
    with pytest.raises(RecordError, match=r"is a folder, not a record; it holds no WFDB header"):
        load_ecg(tmp_path)
    write(tmp_path)
    with pytest.raises(RecordError, match=r"is a folder, not a record; it holds the records rec: name one of them"):
        load_ecg(tmp_path)


def test_a_record_beside_a_folder_of_its_name(tmp_path):
    (tmp_path / "rec").mkdir()
    assert_truth(load_ecg(write(tmp_path)))


def test_missing_files_are_named(tmp_path):
    with pytest.raises(RecordError, match=r"no folder .*nowhere"):
        load_ecg(tmp_path / "nowhere" / "rec")
    write(tmp_path, name="record01")
    with pytest.raises(RecordError, match=r"there is no record1.hea. Did you mean record01"):
        load_ecg(tmp_path / "record1")
    (tmp_path / "record01.hea").unlink()
    with pytest.raises(RecordError, match=r"holds record01.dat but not its header record01.hea"):
        load_ecg(tmp_path / "record01.dat")
    (tmp_path / "signal.csv").write_text("1,2,3")
    with pytest.raises(RecordError, match=r"signal.csv is not a WFDB record; expected a header .hea"):
        load_ecg(tmp_path / "signal.csv")


def test_missing_signal_file(tmp_path):
    record = write(tmp_path)
    record.with_suffix(".dat").unlink()
    with pytest.raises(RecordError, match=r"signal file .*rec.dat is missing; rec.hea names it"):
        load_ecg(record)


@pytest.mark.parametrize("fmt", ["16", "212"])
def test_truncated_signal_file(tmp_path, fmt):
    record = write(tmp_path, fmt=[fmt] * 12)
    path = record.with_suffix(".dat")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(RecordError, match="truncated: it holds 750 samples a channel, and its header says 1500"):
        load_ecg(record)


def test_damaged_compressed_signal_file(tmp_path):
    record = write(tmp_path, fmt=["516"] * 12)
    first = min(tmp_path.glob("*.dat"))  # at most eight channels a FLAC file
    first.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
    with pytest.raises(RecordError, match="cannot be decoded"):
        load_ecg(record)


def test_missing_leads_are_named(tmp_path):
    names = ["MLII" if name == "II" else "V7" if name == "V6" else name for name in LEADS]
    with pytest.raises(RecordError, match=r"lacks II, V6\. The networks need all twelve.*MLII is a modified lead"):
        load_ecg(write(tmp_path, sig_name=names))


def test_eight_leads_are_twelve(tmp_path):
    """Einthoven's and Goldberger's laws on integers that they keep exact."""
    digital = microvolts(8) * 2
    ecg = load_ecg(write(tmp_path, digital, sig_name=["Lead I", "EKG II", *LEADS[6:]]))
    i, ii = digital[:2] / 1000
    assert_truth(ecg, np.stack([i, ii, ii - i, -(i + ii) / 2, i - ii / 2, ii - i / 2, *digital[2:] / 1000]))
    assert "Computed III, aVR, aVL, aVF from I and II" in ecg.notes[-1]


def test_minus_avr_is_turned_over(tmp_path):
    digital = microvolts()
    digital[3] *= -1
    ecg = load_ecg(write(tmp_path, digital, sig_name=[name if name != "aVR" else "-aVR" for name in LEADS]))
    assert_truth(ecg)
    assert ecg.notes == ("-aVR: recorded upside down, turned over.",)


def test_doubled_lead(tmp_path):
    names = [*LEADS[:11], "v5"]
    with pytest.raises(RecordError, match="two channels for lead V5"):
        load_ecg(write(tmp_path, sig_name=names))


def test_unknown_units_are_named_per_lead(tmp_path):
    units = ["mV"] * 10 + ["mmHg", "adu"]
    with pytest.raises(RecordError, match=r"lead V5 of rec is in 'mmHg', no unit of voltage; expected V, mV"):
        load_ecg(write(tmp_path, units=units))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a valid WFDB header"),
        ("<!DOCTYPE html>\n<html>404</html>\n", "not a valid WFDB header"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 610\n", "not a valid WFDB header"),
        ("rec 12 500 1500\nrec.dat 16 1000/mV 16 0 0 0 0 I\n", "announces 12 signals but describes 1"),
        ("rec 0 500 1500\n", "announces 0 signals"),
        ("rec 1 0 1500\nrec.dat 16 1000/mV 16 0 0 0 0 I\n", "sampling rate 0"),
        ("rec 1 500 0\nrec.dat 16 1000/mV 16 0 0 0 0 I\n", "has the leads I and lacks II"),
        ("rec 1 500 10\nrec.dat 99 1000/mV 16 0 0 0 0 I\n", "the format 99; WFDB has"),
    ],
)
def test_headers_that_make_no_sense(tmp_path, text, message):
    record = write(tmp_path)
    record.with_suffix(".hea").write_text(text)
    with pytest.raises(RecordError, match=message):
        load_ecg(record)


def test_too_short_for_the_model_is_said_by_window(tmp_path):
    with pytest.raises(ValueError, match="does not fit record 'rec', which lasts 3 s at 500 Hz and has 1500 samples"):
        load_ecg(write(tmp_path)).window()


# Real records


def test_real_records_agree_with_wfdb_and_raise_no_doubt(reference):
    headers = sorted((reference / "ecg" / "cinc2021").glob("*.hea"))
    assert len(headers) == 13
    for header in headers:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ecg = load_ecg(header)
        signal, fields = wfdb.rdsamp(str(header.with_suffix("")))
        assert fields["sig_name"] == list(LEADS)
        np.testing.assert_allclose(ecg.signal, signal.T, atol=1e-6)
        assert (ecg.fs, ecg.samples, ecg.notes) == (500, 5000, ())
        assert set(ecg.metadata) >= {"age", "sex", "dx"}


def test_real_record_in_another_order_case_and_unit(reference, tmp_path):
    source = reference / "ecg" / "cinc2021" / "E07509"
    signal, fields = wfdb.rdsamp(str(source))
    order = np.random.default_rng(1).permutation(12)
    digital = np.round(signal.T[order] * 1000).astype(int)
    names = [fields["sig_name"][index].upper() for index in order]
    record = write(tmp_path, digital, sig_name=names, units=["uV"] * 12, adc_gain=[1.0] * 12)
    np.testing.assert_allclose(load_ecg(record).signal, load_ecg(source).signal, atol=1e-6)
