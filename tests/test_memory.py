"""What a file claims is not allocated: hostile files are refused, and the largest allowed are read, in 512 MB.

A child process imports the readers, then limits its own address space to what it has and 512 MB more: an allocation
beyond that fails, whatever the machine has.
"""

import io
import json
import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest

from leadwise.ecg.leads import LEADS
from leadwise.recordings.recording import MOST_VALUES
from test_dicom import dicom, group
from test_xml import aecg, aecg_set, muse, muse_wave
from wfdb_bytes import digital, encode, header

MARGIN = 512 * 2**20
CHILD = """
import json, resource, sys, time, warnings
from pathlib import Path
from leadwise.images.io import load_image
import defusedxml.ElementTree
import pydicom
from leadwise.recordings import aecg, arrays, dicom, edf, muse, table, wfdb
from leadwise.recordings.reading import read_ecg
warnings.simplefilter("ignore")
size = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmSize"))
resource.setrlimit(resource.RLIMIT_AS, (size + {margin}, size + {margin}))
for path in sorted(Path(sys.argv[1]).iterdir()):
    if path.suffix == ".dat":
        continue
    start = time.process_time()
    try:
        if path.suffix == ".png":
            said = str(load_image(path).shape)
        else:
            said = str(read_ecg(path, **json.loads(sys.argv[2])).signal.shape)
    except Exception as error:
        said = type(error).__name__ + ": " + str(error)
    print(json.dumps([path.name, said, time.process_time() - start]), flush=True)
"""


def outcomes(folder, **said) -> dict[str, str]:
    """Read every file of a folder in a child with little memory; each within five seconds of one core."""
    command = [sys.executable, "-c", CHILD.format(margin=MARGIN), str(folder), json.dumps(said)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert child.returncode == 0, child.stderr[-2000:]
    rows = [json.loads(line) for line in child.stdout.splitlines()]
    assert [name for name, _, seconds in rows if seconds > 5] == []
    return {name: said for name, said, _ in rows}


def edf_header(records="1", samples="500", seconds="1") -> bytes:
    text = "0".ljust(8) + " " * 160 + " " * 16 + "3328".ljust(8) + " " * 44 + records.ljust(8) + seconds.ljust(8)
    text += "12".ljust(4) + "".join(lead.ljust(16) for lead in LEADS) + " " * 80 * 12
    for value in ("uV", "-3276.8", "3276.7", "-32768", "32767"):
        text += value.ljust(8) * 12
    return (text + " " * 80 * 12 + samples.ljust(8) * 12 + " " * 32 * 12).encode()


def npz(array: np.ndarray) -> bytes:
    file, packed = io.BytesIO(), io.BytesIO()
    np.save(file, array)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("signal.npy", file.getvalue())
    return packed.getvalue()


def png(width: int, height: int, depth: int, colours: int, bytes_a_row: int, interlace: int = 0) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    rows = max(1, 2**20 // bytes_a_row)
    body = b"".join(packer.compress(bytes(bytes_a_row * rows)) for _ in range(-(-height // rows))) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


HUGE = b"\x10\x10OW\0\0\xfe\xff\xff\xff"  # 4 GB of samples


def dicom_claim() -> bytes:
    item = group(digital().astype(int))
    item.NumberOfWaveformSamples = 2**32 - 1
    return dicom(item)


def test_claims_are_refused_before_they_are_allocated(tmp_path):
    rows = digital().astype(int)
    text = header(rows, 16)
    files = {
        "gap.hea": b"gap/2 12 500 2000000600\nr 600\n~ 2000000000\n",
        "skew.hea": text.replace("dat 16 ", "dat 16:4000000000 ").encode(),
        "length.hea": text.replace(" 600\n", " 4000000000\n").encode(),
        "frames.hea": text.replace("dat 16 ", "dat 16x4000000 ").encode(),
        "rate.hea": text.replace("dat 16 ", "dat 16x100000 ", 1).encode(),
        "comment.hea": text.encode() + b"# " + b"a" * 5_000_000,
        "records.edf": edf_header(records="99999999") + bytes(12_000),
        "samples.edf": edf_header(samples="9999999") + bytes(27_000),
        "zeros.edf": edf_header(records="99999999", samples="0") + bytes(27_000),
        "deflated.npz": npz(np.zeros((12, 30_000_000), np.int8)),
        "group.dcm": dicom_claim(),
        "element.dcm": dicom(group(rows)).replace(b"\x10\x10OW\0\0" + (14400).to_bytes(4, "little"), HUGE),
        "attributes.xml": b"<RestingECG " + b"".join(b"a%d='' " % i for i in range(1_300_000)) + b"/>",
        "elements.xml": b"<RestingECG>" + b"<a/>" * 4_000_000 + b"</RestingECG>",
        "digits.xml": aecg(aecg_set(rows)).replace(b"<digits>", b"<digits>" + b"1 " * 8_000_000, 1),
        "lines.xml": muse(muse_wave()).replace(b"<WaveFormData>", b"<WaveFormData>" + b"1\n" * 8_000_000, 1),
        "comment.csv": b"# " + b"sampl" * 40_000 + b"\n" + b"1,2,3\n" * 20,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "r.dat").write_bytes(encode(rows, 16))
    (tmp_path / "r.hea").write_text(text)
    with (tmp_path / "sparse.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|i1", "fortran_order": False, "shape": (12, 10_000_000)})
        file.truncate(file.tell() + 120_000_000)
    (tmp_path / "long.csv").write_bytes((b"1,2,3,4,5,6,7,8,9,10,11,12\n" * 40_000) * 25)
    found = outcomes(tmp_path)
    assert found.pop("r.hea") == "(12, 600)"
    assert found.pop("element.dcm") == "(12, 600)"  # as many as its header says, and the file holds
    assert found.pop("records.edf") == "(12, 500)"  # what the file holds, with a note
    for name, said in found.items():
        assert said.startswith(("RecordError", "MissingInformation")), f"{name}: {said}"
    assert {name for name, said in found.items() if "is too long" in said} == {
        "gap.hea",
        "deflated.npz",
        "sparse.npy",
        "group.dcm",
        "digits.xml",
    }


def test_the_largest_recordings_fit(tmp_path):
    samples = MOST_VALUES // 12
    steps = np.tile(digital(5000).astype("<i2"), samples // 5000 + 1)[:, :samples]
    (tmp_path / "long.hea").write_text(header(steps, 16))
    (tmp_path / "r.dat").write_bytes(steps.T.tobytes())
    seconds = samples // 500
    (tmp_path / "long.edf").write_bytes(
        edf_header(records=str(seconds))
        + steps[:, : seconds * 500].reshape(12, seconds, 500).transpose(1, 0, 2).tobytes()
    )
    np.save(tmp_path / "long.npy", steps / 200)
    np.save(tmp_path / "short.npy", steps)
    (tmp_path / "long.dcm").write_bytes(dicom(group(steps)))
    found = outcomes(tmp_path, fs=500, unit="mV", leads=list(LEADS))
    assert found == dict.fromkeys(found, f"(12, {samples})") | {"long.edf": f"(12, {seconds * 500})"}


@pytest.mark.parametrize(
    ("shape", "reads"),
    [
        ((8000, 7990, 8, 6, 32_001), True),  # four channels
        ((8000, 7990, 16, 0, 16_001), True),
        ((8000, 7990, 8, 2, 24_001), True),
        ((1, 64_000_000, 8, 0, 2), False),  # a row costs more than its pixel
        ((64_000_000, 1, 1, 3, 8_000_001), False),  # a palette without colours
        ((2**31 - 1, 1, 8, 2, 100), False),
    ],
)
def test_pictures(tmp_path, shape, reads):
    (tmp_path / "p.png").write_bytes(png(*shape))
    said = outcomes(tmp_path)["p.png"]
    assert said.startswith("(") if reads else said.startswith("ImageError")
