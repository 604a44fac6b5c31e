"""Seeded mutants of recordings and pictures through the readers: right, noted or refused; no foreign exception.

What is accepted without a word must be the truth: a mutant whose change nothing can show (a sample of an EDF file) is
told from one that a checksum or a length shows.
"""

import io
import time
import warnings
import zipfile

import edfio
import numpy as np
import pytest
import wfdb
from PIL import Image

from leadwise.ecg.leads import LEADS
from leadwise.images.io import ImageError, load_image
from leadwise.recordings.reading import read_ecg
from leadwise.recordings.recording import RecordError
from wfdb_bytes import BITS, digital, encode, header

SECONDS = 5.0  # no mutant may take longer
TEXTS = """0 -0 -1 1 12 2 99999999999999999999 1e9 1e308 1e400 1e-400 nan inf -inf 0x10 ٣ １２ 1_000 1e . - +5 3.14
65536 2147483648 1,5 ∞ µ %s {0} <b> ~ .. /etc/passwd r.hea V1 aVR mV uV µV /mV 0/mV -200/mV 200(-1)/uV 16+24 16x2 16x0
16:5 16:99999 8 24 32 80 212 310 311 61 160 508 516 524 7 500/360(0) 5e2"""
WORDS = [*TEXTS.split(), "", " ", "\0"]
ROWS = digital(height=120).astype(int)  # fits 8 bits


def mutate(rng, data: bytes) -> bytes:
    """Flip, replace, cut, insert or repeat some bytes."""
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(0, len(data) + 1))
        some = rng.integers(0, 256, int(rng.integers(1, 33)), dtype=np.uint8).tobytes()
        match int(rng.integers(0, 6)):
            case 0:
                data[at : at + 1] = bytes(byte ^ 1 << int(rng.integers(0, 8)) for byte in data[at : at + 1])
            case 1:
                data[at : at + 1] = some[:1]
            case 2:
                del data[at:]
            case 3:
                del data[at : at + len(some)]
            case 4:
                data[at:at] = some
            case 5:
                data[at:at] = data[at : at + len(some)]
    return bytes(data)


def outcome(read, refusal=RecordError):
    """Return what a reader gives, or None where it refuses; whatever else it raises fails, and slowness does."""
    start = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read()
    except refusal:
        return None
    finally:
        assert time.monotonic() - start < SECONDS


def wfdb_mutant(rng, fmt: int) -> dict[str, bytes]:
    lines, content = header(ROWS, fmt).split("\n"), encode(ROWS, fmt)
    kind = int(rng.integers(0, 5))
    if kind <= 2:
        line = int(rng.integers(0, 13))
        fields = lines[line].split(" ")
        fields[int(rng.integers(0, len(fields)))] = WORDS[int(rng.integers(0, len(WORDS)))]
        lines[line] = " ".join(fields)
    text = "\n".join(lines).encode()
    if kind == 3:
        text = mutate(rng, text)
    return {"r.hea": text, "r.dat": mutate(rng, content) if kind == 4 else content}


@pytest.mark.parametrize("seed", [1, 2])
def test_wfdb(tmp_path, seed):
    """A mutant accepted without a note is what wfdb reads, or, where wfdb stumbles over it, the untouched record."""
    rng, accepted = np.random.default_rng(seed), 0
    for number in range(400):
        files = wfdb_mutant(rng, list(BITS)[number % len(BITS)])
        ecg = outcome(lambda files=files: read_ecg(files))
        if ecg is None or ecg.notes:
            continue
        accepted += 1
        if np.allclose(ecg.signal, ROWS / 200, atol=1e-6) and ecg.fs == 500:
            continue
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        peer = wfdb.rdrecord(str(tmp_path / "r"))
        order = [[name.casefold() for name in peer.sig_name].index(lead.casefold()) for lead in LEADS]
        scale = np.array([{"mV": 1, "uV": 1e-3, "mv": 1, "V": 1e3}[peer.units[i]] for i in order])
        np.testing.assert_allclose(ecg.signal, peer.p_signal.T[order] * scale[:, None], rtol=1e-5, atol=1e-6)
        assert ecg.fs == peer.fs
    assert accepted > 20


def npz(rng, **arrays) -> bytes:
    file = io.BytesIO()
    (np.savez if rng.random() < 0.5 else np.savez_compressed)(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize("seed", [1, 2])
def test_numpy(seed):
    rng, truth, refused = np.random.default_rng(seed), ROWS / 200, 0
    said = {"fs": 500, "unit": "mV", "leads": LEADS}
    for number in range(300):
        if number % 2:
            file = io.BytesIO()
            np.save(file, truth)
            data, name = mutate(rng, file.getvalue()[:128]) + file.getvalue()[128:], "r.npy"
        else:
            data, name = mutate(rng, npz(rng, signal=truth, fs=500, leads=LEADS)), "r.npz"
        ecg = outcome(lambda data=data, name=name: read_ecg(data, name=name, **said))
        refused += ecg is None
        if ecg is not None and name == "r.npz" and not ecg.notes:  # members have checksums
            np.testing.assert_allclose(ecg.signal, truth, atol=1e-6)
    assert refused > 100


def test_members_of_an_archive():
    """Damage behind the checksums: the member is well packed, and wrong."""
    rng = np.random.default_rng(3)
    file = io.BytesIO()
    np.save(file, ROWS / 200)
    for _ in range(100):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("signal.npy", mutate(rng, file.getvalue()[:128]) + file.getvalue()[128:])
        outcome(lambda packed=packed: read_ecg(packed.getvalue(), name="r.npz", fs=500, unit="mV", leads=LEADS))


@pytest.mark.parametrize("kind", ["edf", "bdf"])
def test_edf(kind):
    rng = np.random.default_rng(4)
    signal, file = (edfio.EdfSignal, edfio.Edf) if kind == "edf" else (edfio.BdfSignal, edfio.Bdf)
    signals = [
        signal(row * 1.0, 500, label=lead, physical_dimension="uV", physical_range=(-400, 400))
        for row, lead in zip(ROWS[:, :500], LEADS, strict=True)
    ]
    written = io.BytesIO()
    file(signals).write(written)
    data = written.getvalue()
    clean = read_ecg(data, name=f"r.{kind}")
    for number in range(300):
        head = bytearray(data[: 256 * 13])
        if number % 2:  # a number of the header, in its own place
            at = 256 + 12 * 104 + 8 * int(rng.integers(0, 48)) if number % 4 == 1 else int(rng.choice([184, 236, 244]))
            head[at : at + 8] = WORDS[int(rng.integers(0, len(WORDS)))].encode()[:8].ljust(8)
            mutant = bytes(head) + data[256 * 13 :]
        else:
            mutant = mutate(rng, data)
        ecg = outcome(lambda mutant=mutant: read_ecg(mutant, name=f"r.{kind}"))
        if ecg is not None and len(mutant) != len(data) and not ecg.notes:
            np.testing.assert_allclose(ecg.signal, clean.signal, atol=1e-6)


def test_pictures():
    rng = np.random.default_rng(5)
    picture = Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
    originals = []
    for kind, image in (("PNG", picture), ("PNG", picture.quantize(8)), ("JPEG", picture), ("WEBP", picture)):
        file = io.BytesIO()
        image.save(file, kind)
        originals.append(file.getvalue())
    for number in range(400):
        data = mutate(rng, originals[number % 4])
        pixels = outcome(lambda data=data: load_image(data), ImageError)
        assert pixels is None or (pixels.dtype == np.uint8 and pixels.ndim == 3 and max(pixels.shape[:2]) <= 1024)
