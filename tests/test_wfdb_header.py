"""WFDB headers against header(5): what each number means, and what is no number; wfdb is the peer."""

import warnings

import numpy as np
import pytest
import wfdb

from leadwise.recordings.reading import load_ecg
from leadwise.recordings.recording import RecordError
from leadwise.recordings.wfdb import read
from leadwise.recordings.wfdb_header import header_lines, parse_header
from wfdb_bytes import BITS, digital, encode, header

ROWS = digital().astype(int)


def write(folder, text: str, content: bytes | None = None):
    (folder / "r.hea").write_bytes(text.encode())
    (folder / "r.dat").write_bytes(encode(ROWS, 16) if content is None else content)
    return folder / "r"


def parse(*lines: str):
    return parse_header(list(lines), "r.hea")


@pytest.mark.parametrize("fmt", [8, *BITS])
def test_every_format_of_the_manual(tmp_path, fmt):
    rows = digital(height={8: 30, 80: 100}.get(fmt, 400)).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ecg = load_ecg(write(tmp_path, header(rows, fmt), encode(rows, fmt)))
    np.testing.assert_allclose(ecg.signal, rows / 200, atol=1e-6)
    if fmt != 8:  # wfdb 4.3.1 takes first differences for amplitudes
        np.testing.assert_allclose(ecg.signal, wfdb.rdrecord(str(tmp_path / "r")).p_signal.T, atol=1e-6)


@pytest.mark.parametrize("fmt", [212, 310, 311])
@pytest.mark.parametrize("samples", [1, 2, 3, 4, 5])
def test_blocks_that_the_last_samples_do_not_fill(tmp_path, fmt, samples):
    """One channel: padding up to the end of a block is no surplus."""
    rows = digital(samples).astype(int)[3:4] + 7
    (tmp_path / "r.dat").write_bytes(encode(rows, fmt))
    (tmp_path / "r.hea").write_text(f"r 1 500 {samples}\nr.dat {fmt} 1 12 0 0 {rows.sum()} 0 I\n")
    recording = read(tmp_path / "r", None)
    np.testing.assert_array_equal(recording.channels[0].samples, rows[0])
    assert recording.doubts == ()


def test_a_random_header_means_what_wfdb_reads(tmp_path):
    """Every number in every notation that wfdb's own patterns understand."""
    rng = np.random.default_rng(0)
    for _ in range(40):
        count = int(rng.integers(1, 6))
        fs, length = rng.choice(["500", "360.5", "0.5", "1000.000"]), rng.integers(1, 9999)
        lines = [f"r {count} {fs} {length} 12:30:00"]
        for signal in range(count):
            parts = ["16", "16x2", "16:3", "16+24", "16x4:7+100", "212x2"][rng.integers(6)]
            gain = ["200", "1e3", "2.5e-2", "-100", "0.5"][rng.integers(5)]
            baseline, unit = ["", "(0)", "(-512)", "(1024)"][rng.integers(4)], ["", "/mV", "/uV"][rng.integers(3)]
            first, total = rng.integers(-3000, 3000, 2)
            lines.append(f"r.dat {parts} {gain}{baseline}{unit} 12 {signal * 100} {first} {total} 0 some lead {signal}")
        (tmp_path / "r.hea").write_text("\n".join(lines) + "\n")
        mine, theirs = parse_header(header_lines(tmp_path / "r.hea"), "r.hea"), wfdb.rdheader(str(tmp_path / "r"))
        assert (mine.fs, mine.length) == (theirs.fs, theirs.sig_len)
        for signal, fmt, per, skew, offset, gain, base, unit, first, total, name in zip(
            mine.signals, theirs.fmt, theirs.samps_per_frame, theirs.skew, theirs.byte_offset, theirs.adc_gain,
            theirs.baseline, theirs.units, theirs.init_value, theirs.checksum, theirs.sig_name, strict=True,
        ):  # fmt: skip
            assert (str(signal.format), signal.per_frame, signal.skew or None) == (fmt, per, skew)
            assert (signal.offset or None, signal.gain, signal.baseline) == (offset, gain, base)
            assert (signal.unit or "mV", signal.first, signal.checksum, signal.name) == (unit, first, total, name)


@pytest.mark.parametrize(
    ("record", "fs"),
    [
        ("r 12 5e2 600", 500), ("r 12 5.0E+2 600", 500), ("r 12 500. 600", 500), ("r 12 500/360(0) 600", 500),
        ("r 12 500/360(-1.5e3) 600", 500), ("r 12 1000,0 600", 1000), ("r\t12 500\t600", 500), ("r 12 500 0", 500),
        ("r 12 500", 500), ("r 12 500 600 2014-05-08 05:05:15", 500), ("r 12 500 600 2006", 500),
        ("r 12 500 600 10:00:00 00/00/1990", 500), ("r.mat 12 500 600", 500), ("folder/r 12 500 600", 500),
        ("r/1 12 500 600", None), ("r 12 500,000 600", None), ("r 12 -500 600", None), ("r 12 x500 600", None),
        ("r 12 nan 600", None), ("r 12 inf 600", None), ("r 12 1e9 600", None), ("r 12 1e400 600", None),
        ("r 12 0 600", None), ("r 12 1e-9 600", None), ("r 12 . 600", None), ("r 12 500 6e2", None),
        ("r 12 500 -600", None), ("r -12 500 600", None), ("r twelve 500 600", None), ("r 12 ٥٠٠ 600", None),
        ("r 12 500 1000000000", None), ("r 13 500 600", None), ("r 0 500 600", None), ("r", None),
    ],
)  # fmt: skip
def test_record_lines(tmp_path, record, fs):
    path = write(tmp_path, header(ROWS, 16, record))
    if fs is None:
        with pytest.raises(RecordError):
            load_ecg(path)
    else:
        ecg = load_ecg(path)
        assert ecg.fs == fs
        np.testing.assert_allclose(ecg.signal, ROWS / 200, atol=1e-6)


@pytest.mark.parametrize(
    ("gain", "factor"),
    [
        ("2E+2(0)/mV", 1 / 200), ("200(+0)/mV", 1 / 200), ("+200/mV", 1 / 200), (".2e3/mV", 1 / 200),
        ("200./mV", 1 / 200),
        ("-200/mV", -1 / 200), ("0.2/uV", 1 / 200), ("inf/mV", None), ("nan/mV", None), ("-0/mV", None),
        ("1e-400/mV", None), ("1e400/mV", None), ("200(1e3)/mV", None), ("200(99999999999)/mV", None),
        ("200()/mV", None),
        ("200/", None), ("/mV", None), ("200,5/mV", None), ("2_00/mV", None), ("x200/mV", None), ("200mV", None),
        ("1e-300/mV", None),
    ],
)  # fmt: skip
def test_gains(tmp_path, gain, factor):
    path = write(tmp_path, header(ROWS, 16, gain=gain))
    if factor is None:
        with pytest.raises(RecordError):
            load_ecg(path)
    else:
        np.testing.assert_allclose(load_ecg(path).signal, ROWS * factor, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "fmt", ["16x0", "16:-1", "16:99999", "16:4000000000", "16+99999999", "16x4000000000", "7", "0", "16a", "1e1", "-16"]
)
def test_formats_that_make_no_sense(tmp_path, fmt):
    with pytest.raises(RecordError):
        load_ecg(write(tmp_path, header(ROWS, fmt)))


@pytest.mark.parametrize("name", ["../r.dat", "/etc/passwd", "..", ".", "~", "C:r.dat", "a/../../r.dat", "r\x85.dat"])
def test_files_of_others_are_not_opened(tmp_path, name):
    with pytest.raises(RecordError):
        load_ecg(write(tmp_path, header(ROWS, 16).replace("r.dat", name)))


def test_extra_lines_are_ignored_aloud(tmp_path):
    ecg = load_ecg(write(tmp_path, header(ROWS, 16) + "r.dat 16 200 16 0 0 0 0 X\n"))
    np.testing.assert_allclose(ecg.signal, ROWS / 200, atol=1e-6)
    assert "The header describes 13 signals but announces 12; the rest is ignored." in ecg.notes


def test_without_length_no_checksum_counts(tmp_path):
    """header(5): a placeholder of 0 may stand where the length is not given."""
    text = header(np.zeros_like(ROWS), 16, "r 12 500")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(load_ecg(write(tmp_path, text)).signal, ROWS / 200, atol=1e-6)


@pytest.mark.parametrize("ends", ["\r\n", "\r", "\n\n", "\n \t\n"])
def test_line_ends(tmp_path, ends):
    ecg = load_ecg(write(tmp_path, header(ROWS, 16).replace("\n", ends)))
    np.testing.assert_allclose(ecg.signal, ROWS / 200, atol=1e-6)


@pytest.mark.parametrize("ends", ["\x85", "\x0c", "\n\0", "\u2028"])
def test_what_only_python_takes_for_a_line_end(tmp_path, ends):
    with pytest.raises(RecordError, match="not a valid WFDB header"):
        load_ecg(write(tmp_path, header(ROWS, 16).replace("\n", ends)))


def test_skew_counts_samples_of_the_signal_not_frames(tmp_path):
    """header(5): the samples that precede sample 0; with two samples a frame a skew of 3 is three samples."""
    late = ROWS.copy()
    late[6, 3:] = ROWS[6, :-3]
    pairs = late.reshape(12, -1, 2).transpose(1, 0, 2).reshape(1, -1)  # of each frame, two samples a signal
    lines = header(ROWS, "16x2", "r 12 250 300").splitlines()
    lines[7] = header(late, "16x2:3").splitlines()[7]
    with pytest.warns(UserWarning, match="Lead V1 has 3 invalid samples"):
        ecg = load_ecg(write(tmp_path, "\n".join(lines), encode(pairs, 16)))
    assert ecg.fs == 500
    expected = ROWS / 200
    assert np.isnan(ecg.signal[6, -3:]).all()
    np.testing.assert_allclose(ecg.signal[:, :-3], expected[:, :-3], atol=1e-6)


def test_a_line_of_a_hundred_thousand_characters_is_refused_at_once(tmp_path):
    with pytest.raises(RecordError, match="a line of 100"):
        load_ecg(write(tmp_path, "r 12 500 600 " + "1 " * 50_000 + "\n" + header(ROWS, 16)))


def test_a_signal_without_file_is_empty(tmp_path):
    """signal(5), format 0: a null signal, here in the middle of the others."""
    lines = header(ROWS, 16).splitlines()
    lines[4] = "~ 0 200(0)/mV 16 0 0 0 0 aVR"
    with pytest.warns(UserWarning, match="Lead aVR has no valid sample"):
        ecg = load_ecg(write(tmp_path, "\n".join(lines), encode(np.delete(ROWS, 3, 0), 16)))
    assert np.isnan(ecg.signal[3]).all()
    np.testing.assert_allclose(np.delete(ecg.signal, 3, 0), np.delete(ROWS, 3, 0) / 200, atol=1e-6)
