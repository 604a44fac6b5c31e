"""NumPy files: what an archive says, what is ambiguous, and claims that nothing must be allocated for."""

import io
import zipfile

import numpy as np
import pytest

from leadwise.ecg.leads import LEADS
from leadwise.recordings.reading import read_ecg
from leadwise.recordings.recording import RecordError, RecordWarning

TRUTH = np.sin(np.arange(12)[:, None] + np.arange(400) / 20)
SAID = {"fs": 500, "unit": "mV", "leads": LEADS}


def npy(array, **options) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def head(text: str) -> bytes:
    """An array whose header says what it likes."""
    text = text.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("latin-1") + TRUTH.tobytes()


def npz(compression=zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def test_units_one_or_each():
    rows = TRUTH * np.repeat([1.0, 1000.0], 6)[:, None]
    said = {"fs": npy(np.array([500])), "leads": npy(np.array(LEADS))}
    data = npz(signal=npy(rows), unit=npy(np.array(["mV"] * 6 + ["uV"] * 6)), **said)
    np.testing.assert_allclose(read_ecg(data, name="a.npz").signal, TRUTH, atol=1e-6)
    with pytest.raises(RecordError, match="names 2 units for 12 channels"):
        read_ecg(npz(signal=npy(rows), unit=npy(np.array(["mV", "uV"])), **said), name="a.npz")


def test_texts_in_bytes():
    data = npz(signal=npy(TRUTH), leads=npy(np.array(LEADS, "S3")), unit=npy(np.array(b"mV")), fs=npy(np.array(b"500")))
    np.testing.assert_allclose(read_ecg(data, name="a.npz").signal, TRUTH, atol=1e-6)


def test_other_arrays_are_named():
    ecg = read_ecg(npz(signal=npy(TRUTH), filtered=npy(2 * TRUTH), labels=npy(np.arange(3))), name="a.npz", **SAID)
    assert "Left out the arrays filtered, labels." in ecg.notes


def test_bytes_after_an_array_are_said():
    assert "7 bytes more" in " ".join(read_ecg(npy(TRUTH) + bytes(7), name="a.npy", **SAID).notes)


def test_a_spike_is_a_doubt():
    spiked = TRUTH.copy()
    spiked[4, 100] = 1e30
    with pytest.warns(RecordWarning, match="beyond any amplifier in aVL"):
        read_ecg(npy(spiked), name="a.npy", **SAID)


REFUSED = {
    "square": (npy(TRUTH[:, :12]), "rows or columns may be the leads"),
    "two arrays of one name": (npz(signal=npy(TRUTH), SIGNAL=npy(-TRUTH)), "two arrays named"),
    "a rate that is none": (npz(signal=npy(TRUTH), fs=npy(np.array("fast"))), "sampling rate in a.npz is 'fast'"),
    "a complex rate": (npz(signal=npy(TRUTH), fs=npy(np.array(500j))), "expected a number or a text"),
    "objects": (npy(np.array([[None] * 5] * 12), allow_pickle=True), "pickled Python objects"),
    "huge": (head("{'descr': '<f8', 'fortran_order': False, 'shape': (12, 99999999999), }"), "is too long"),
    "huge in a zip": (
        npz(signal=head("{'descr': '<f8', 'fortran_order': False, 'shape': (12, 9999999), }")),
        "too long",
    ),
    "wide items": (head("{'descr': '|V9999', 'fortran_order': False, 'shape': (12, 4000), }"), "is too long"),
    "many bytes": (npz(signal=npy(np.zeros((12, 2_000_000), np.int8))), "is too long"),
    "a negative shape": (head("{'descr': '<f8', 'fortran_order': False, 'shape': (-12, -400), }"), "claims the shape"),
    "an open bracket": (
        head("{'descr': '<f8', 'fortran_order': False, 'shape': (12, 400"),
        "not a readable NumPy file",
    ),
    "deep brackets": (head("(" * 5000), "not a readable NumPy file"),
    "a member of text": (npz(signal=b"hello"), "not a readable NumPy file"),
    "an unknown compression": (
        npz(signal=npy(TRUTH)).replace(b"\x14\x00\x00\x00\x08\x00", b"\x14\x00\x00\x00\x63\x00"),
        "not a readable NumPy file",
    ),
    "a field of several": (npy(np.zeros((12, 5), [("I", "f8", (3,))])), "one number a sample"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_reason(case):
    data, message = REFUSED[case]
    with pytest.raises(RecordError, match=message):
        read_ecg(data, name="a.npz" if data.startswith(b"PK") else "a.npy", fs=None if "rate" in case else 500,
                 unit="mV", leads=LEADS)  # fmt: skip
