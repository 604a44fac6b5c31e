"""EDF, EDF+ and BDF against edfio, and what writers get wrong."""

import edfio
import numpy as np
import pytest

from leadwise.ecg.leads import LEADS
from leadwise.recordings import edf
from leadwise.recordings.reading import read_ecg
from leadwise.recordings.recording import RecordError, RecordWarning

SECONDS = 10
TRUTH = np.stack([0.4 * np.sin(np.arange(500 * SECONDS) / 60 + i) for i in range(12)])  # mV


def edf_bytes(tmp_path, annotations=None) -> bytearray:
    """Twelve leads in µV, 0.1 µV a step, one data record a second; EDF+ where there are annotations."""
    signals = [
        edfio.EdfSignal(row * 1000, 500, label=label, physical_dimension="uV", physical_range=(-3276.8, 3276.7))
        for row, label in zip(TRUTH, LEADS, strict=True)
    ]
    edfio.Edf(signals, annotations=annotations).write(tmp_path / "x.edf")
    return bytearray((tmp_path / "x.edf").read_bytes())


def field(name: str, signal: int, count: int = 12) -> slice:
    """Where a field of a signal stands in the header."""
    at = 256
    for key, width in edf.FIELDS.items():
        if key == name:
            return slice(at + width * signal, at + width * (signal + 1))
        at += width * count
    raise KeyError(name)


def put(raw: bytearray, where: slice, text: bytes) -> bytearray:
    raw[where] = text.ljust(where.stop - where.start)
    return raw


def read(raw, **said):
    return read_ecg(bytes(raw), name="x.edf", **said)


@pytest.mark.parametrize("kind", ["EDF", "EDF+", "BDF"])
def test_every_signal_equals_edfio(tmp_path, kind):
    rng = np.random.default_rng(0)
    signal, file = (edfio.BdfSignal, edfio.Bdf) if kind == "BDF" else (edfio.EdfSignal, edfio.Edf)
    signals = [
        signal(rng.normal(size=4 * fs) * scale, fs, label=f"s{i}", physical_dimension="uV")
        for i, (fs, scale) in enumerate(zip((100, 250, 500, 1000), (1e-3, 1.0, 40.0, 1e3), strict=True))
    ]
    path = tmp_path / ("x.bdf" if kind == "BDF" else "x.edf")
    file(signals, annotations=[edfio.EdfAnnotation(1, None, "a")] if kind == "EDF+" else None).write(path)
    peer = edfio.read_bdf(path) if kind == "BDF" else edfio.read_edf(path)
    for mine, theirs in zip(edf.read(path, None).channels, peer.signals, strict=True):
        assert (mine.name, mine.fs, mine.unit) == (theirs.label, theirs.sampling_frequency, "uV")
        np.testing.assert_allclose(mine.samples, theirs.data, rtol=1e-12, atol=1e-9)


def valid(ecg, samples=TRUTH.shape[1]):
    np.testing.assert_allclose(ecg.signal, TRUTH[:, :samples], atol=1e-4)
    return ecg


def test_padding_by_nul_and_dates_that_nobody_needs(tmp_path):
    raw = edf_bytes(tmp_path)
    for index, lead in enumerate(LEADS):
        raw[field("label", index)] = lead.encode().ljust(16, b"\0")
    raw[88:184] = b"Startdate 32-FOO-2099 X X X".ljust(80) + b"99.99.9999.99.99"
    assert valid(read(raw)).notes == ()


def test_an_empty_annotation_channel(tmp_path):
    raw = edf_bytes(tmp_path, annotations=[edfio.EdfAnnotation(1, None, "a")])
    for second in range(SECONDS):
        stamp = b"+%d\x14\x14" % second
        raw[raw.index(stamp) : raw.index(stamp) + len(stamp)] = bytes(len(stamp))
    valid(read(raw))
    raw[192:197] = b"EDF+D"
    with pytest.raises(RecordError, match="data record 1 has no time"):
        read(raw)


def test_gaps_are_refused_and_none_are_not(tmp_path):
    raw = edf_bytes(tmp_path, annotations=[edfio.EdfAnnotation(1, None, "a")])
    raw[192:197] = b"EDF+D"
    valid(read(raw))
    for second in range(5, SECONDS):
        raw = raw.replace(b"+%d\x14\x14" % second, b"+%d\x14\x14" % (second + 1 if second < 9 else 9))
    with pytest.raises(RecordError, match=r"has gaps \(EDF\+D\), at 5 s"):
        read(raw)


def test_annotations_only(tmp_path):
    edfio.Edf([], annotations=[edfio.EdfAnnotation(1, None, "Sleep stage W")]).write(tmp_path / "h.edf")
    with pytest.raises(RecordError, match="holds annotations and no signal"):
        read_ecg(tmp_path / "h.edf")


@pytest.mark.parametrize(
    ("announced", "note"),
    [
        (b"-1", "does not say how many data records"),
        (b"99999999", "truncated: its header says 99999999 data records, and it holds 10"),
        (b"4", "holds 6 more data records"),
    ],
)
def test_the_file_says_how_long_it_is(tmp_path, announced, note):
    ecg = read(put(edf_bytes(tmp_path), slice(236, 244), announced))
    valid(ecg, 2000 if announced == b"4" else 5000)
    assert note in " ".join(ecg.notes)


@pytest.mark.parametrize(
    ("where", "text", "message"),
    [
        (slice(236, 244), b"1e10", "number of data records"),
        (slice(244, 252), b"nan", "lasts 'nan' seconds"),
        (slice(252, 256), b"-1", "number of signals"),
        (slice(184, 192), b"1", "need a header of 3328 bytes"),
        (field("samples", 3), b"5_0", "samples a record of 'aVR'"),
        (field("samples", 3), b"99999999", "no samples"),
        (field("digital_min", 3), b"0.5", "'aVR' maps the digits 0.5 to 32767"),
        (field("digital_max", 3), b"-32768", "no scale"),
        (field("physical_min", 3), b"inf", "no scale"),
        (field("unit", 3), b"mmHg", "no unit of voltage"),
        (slice(244, 252), b"1e-300", "sampling rate"),
    ],
)
def test_headers_that_make_no_sense(tmp_path, where, text, message):
    with pytest.raises(RecordError, match=message):
        read(put(edf_bytes(tmp_path), where, text))


def test_what_may_be_damage_is_said(tmp_path):
    with pytest.warns(RecordWarning, match=r"V1: \d+ samples lie outside the range"):
        read(put(edf_bytes(tmp_path), field("digital_min", 6), b"-1"))
    ecg = read(put(edf_bytes(tmp_path), field("physical_max", 6), b"1000"))
    assert "gives V1 another scale than the other leads" in " ".join(ecg.notes)
    ecg = read(edf_bytes(tmp_path) + bytes(7))
    assert "ends with 7 bytes that make no data record" in " ".join(ecg.notes)
