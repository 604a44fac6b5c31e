"""What is no recording that can be read is refused by its name, with what to do."""

import numpy as np
import pytest
from PIL import Image

from leadwise.recordings.reading import read_ecg
from leadwise.recordings.recording import RecordError

SCP = bytes([0x12, 0x34]) + (9000).to_bytes(4, "little") + bytes(10) + b"SCPECG" + bytes(200)
WATCH = """Name,Somebody
Date of Birth,1 Jan 1970
Recorded Date,2026-01-01 10:00:00 +0000
Classification,Sinus Rhythm
Symptoms,
Software Version,2.0
Device,"Watch6,2"
Sample Rate,512 hertz


Lead,Lead I
Unit,µV

"""
# name of the file -> how it begins; what the message says
FOREIGN = {
    "a.scp": (SCP, "SCP-ECG.*save2gdf"),
    "a.ecg": (b"ISHNE1.0" + bytes(600), "ISHNE Holter recording.*save2gdf"),
    "a.ann": (b"ANN  1.0" + bytes(600), "annotations of an ISHNE.*no signal"),
    "a.mwf": (b"@  MFR_HEADER" + bytes(600), "MFER.*save2gdf"),
    "a.atc": (b"ALIVE\0\0\0" + bytes(600), "KardiaMobile.*one lead, I; these networks need twelve"),
    "watch.csv": ((WATCH + "\n".join(map(str, range(600)))).encode(), "one lead, I; these networks need twelve"),
    "mortara.xml": (b'<?xml version="1.0"?><ECG MANUFACTURER="Mortara Instrument"></ECG>', "Mortara.*DICOM"),
    "schiller.xml": (b'<?xml version="1.0"?>\n<!-- x --><examdescript>', "Schiller.*DICOM"),
    "sierra.xml": (
        b'<?xml version="1.0"?><restingecgdata xmlns="http://www3.medical.philips.com">',
        "Sierra.*sierraecg",
    ),
    "case.xml": ("<CardiologyXML>".encode("utf-16"), "CardioSoft.*aECG"),
    "page.xml": (b"<!DOCTYPE html><html></html>", "XML of an unknown kind .<html>"),
    "paper.pdf": (b"%PDF-1.7\n" + bytes(99), "PDF document.*2.5 s of most leads"),
    "a.xls": (b"\xd0\xcf\x11\xe0" + bytes(600), "Office.*CSV"),
    "a.h5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "HDF5.*NPZ"),
    "a.mat.gz": (b"\x1f\x8b" + bytes(99), "gzip.*unpack"),
    "a.hl7": (b"MSH|^~\\&|x", "HL7 version 2"),
    "scp.dat": (SCP, "SCP-ECG"),
    "pickle.npy": (b"\x80\x04" + bytes(99), "pickle.*numpy.save"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_it_is_refused_by_name(name, tmp_path):
    content, message = FOREIGN[name]
    (tmp_path / name).write_bytes(content)
    for source, said in ((tmp_path / name, {}), (content, {"name": name})):
        with pytest.raises(RecordError, match=message):
            read_ecg(source, **said)


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "bmp", "tiff", "webp"])
def test_photographs(kind, tmp_path):
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / f"paper.{kind}")
    with pytest.raises(RecordError, match=r"a picture .*2\.5 s of most leads"):
        read_ecg(tmp_path / f"paper.{kind}")


def test_a_table_that_names_its_recorder_is_read():
    """Twelve leads are twelve leads, whoever recorded them."""
    text = "# KardiaMobile 12L\nI,II,V1,V2,V3,V4,V5,V6\n" + "\n".join(
        ",".join(str(i * k % 11) for k in (1, 2, 3, 4, 5, 6, 7, 8)) for i in range(600)
    )
    assert read_ecg(text.encode(), name="a.csv", fs=500, unit="mV").samples == 600
