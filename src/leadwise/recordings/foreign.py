"""Files that are recognised and not read: what they are, and what to do with them."""

import re

from leadwise.recordings.xml_file import ROOTS, root_of

BIOSIG = "convert it to EDF with BioSig (biosig.sourceforge.net): save2gdf -f=EDF FILE record.edf"
EXPORT = "export it from the recorder's software as DICOM, HL7 aECG, EDF or CSV"
PAPER = (
    "a picture of a paper ECG shows 2.5 s of most leads, and the networks need 4 s of all twelve at once; ask for the "
    "recording itself, as DICOM, XML or CSV"
)
ONE_LEAD = "it has one lead, I; these networks need twelve"

# Where, which bytes -> what it is, and what to do.
SIGNATURES = (
    (16, b"SCPECG", "an SCP-ECG file", BIOSIG),
    (0, b"ISHNE1.0", "an ISHNE Holter recording", BIOSIG),
    (0, b"ANN  1.0", "annotations of an ISHNE Holter recording", "they hold no signal"),
    (0, b"@  MFR", "an MFER file", BIOSIG),
    (0, b"ALIVE\0", "a KardiaMobile recording (ATC)", ONE_LEAD),
    (0, b"MSH|", "an HL7 version 2 message", EXPORT),
    (
        0,
        b"%PDF",
        "a PDF document",
        f"{EXPORT}. Of a printed page, {PAPER}. A KardiaMobile or Apple Watch page has one lead",
    ),
    (0, b"\x89PNG", "a picture (PNG)", PAPER),
    (0, b"\xff\xd8\xff", "a picture (JPEG)", PAPER),
    (0, b"GIF8", "a picture (GIF)", PAPER),
    (0, b"BM", "a picture (BMP)", PAPER),
    (0, b"II*\0", "a picture (TIFF)", PAPER),
    (0, b"MM\0*", "a picture (TIFF)", PAPER),
    (8, b"WEBP", "a picture (WebP)", PAPER),
    (4, b"ftyphei", "a picture (HEIC)", PAPER),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (0, b"\x89HDF", "an HDF5 file", "save its signal as NPZ or CSV"),
    (0, b"MATLAB 5.0", "a MATLAB file", "save its signal as NPZ or CSV; a .mat of WFDB needs its .hea beside it"),
    (0, b"\xd0\xcf\x11\xe0", "an old Office file", "save the table as CSV"),
    (0, b"\x80\x04", "a Python pickle", "it could run any code when read; save a plain array: numpy.save"),
    (0, b"\x80\x05", "a Python pickle", "it could run any code when read; save a plain array: numpy.save"),
)
# Root element of an XML file, what its attributes hold -> likewise.
XML = (
    ("ECG", "mortara", "a Mortara ELI XML file", EXPORT),
    ("examdescript", "", "a Schiller XML file", EXPORT),
    ("CardiologyXML", "", "a GE CardioSoft XML file", "export it as DICOM or HL7 aECG"),
    ("svg", "", "a drawing (SVG)", PAPER),
)
_WATCH = re.compile(rb"apple watch|\bwatch\d+,\d+|\bkardia|alivecor", re.I)


def format_of_xml(start: bytes) -> str | None:
    """Return the format of an XML file that begins so, one that is read, or None."""
    root = root_of(start)
    return ROOTS.get(root[0]) if root else None


def what_else(start: bytes) -> tuple[str, str] | None:
    """Return what a file that begins so is and what to do with it, or None where it may be a recording.

    >>> what_else(b"ISHNE1.0")[0]
    'an ISHNE Holter recording'
    """
    for at, begin, what, advice in SIGNATURES:
        if start[at : at + len(begin)] == begin and not (begin == b"BM" and start[6:10] != bytes(4)):
            return what, advice
    root = root_of(start)
    if root and root[0] not in ROOTS:
        known = (row for row in XML if row[0] == root[0] and row[1] in root[1].casefold())
        _, _, what, advice = next(known, (0, 0, f"XML of an unknown kind (<{root[0][:40]}>)", EXPORT))
        return what, advice
    if _WATCH.search(start) and not re.search(rb"\bV[1-6]\b", start):
        return "an Apple Watch or KardiaMobile export", ONE_LEAD
    return None
