"""Reading a learner's own recording: every format written by another library or by hand, and every way to spoil one."""

import io
import os
import pickle
import subprocess
import sys

import edfio
import numpy as np
import pandas as pd
import pytest

import leadwise
from leadwise.ecg.leads import LEADS, derive_limb_leads
from leadwise.recordings.labels import lead_name, millivolts, unit_in
from leadwise.recordings.reading import FORMATS, MissingInformation, read_ecg
from leadwise.recordings.recording import RecordError, RecordWarning

INDEPENDENT = [LEADS.index(lead) for lead in ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")]


@pytest.fixture(scope="module")
def sim():
    """A simulated recording whose limb leads obey Einthoven's law in whole microvolts, and its values in mV."""
    return leadwise.simulate_ecg("RBBB", seed=4)


@pytest.fixture(scope="module")
def truth(sim):
    microvolts = np.round(sim.signal.astype(float) * 500) * 2  # even, so that halves are whole
    limb = derive_limb_leads(microvolts[0], microvolts[1])
    return np.stack([limb.get(lead, row) for lead, row in zip(LEADS, microvolts, strict=True)]) / 1000


def csv(values, head=LEADS, delimiter=",", decimal=".", time=None, form="%.3f") -> bytes:
    """Write a table as spreadsheets do; ``time`` is the heading of a column of times at 500 Hz."""
    lines = [delimiter.join([*([time] if time else []), *head])] if head else []
    for number, row in enumerate(values.T):
        cells = [form % value for value in row]
        cells = [f"{number / 500:.3f}", *cells] if time else cells
        lines.append(delimiter.join(cell.replace(".", decimal) for cell in cells))
    return "\n".join(lines).encode()


def npy(array, **options) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npz(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def edf(values, labels=LEADS, unit="uV", fs=500, kind=edfio.Edf, signal=edfio.EdfSignal) -> bytes:
    """Write with edfio, 1 µV a step, values in mV."""
    reach = 32767
    signals = [
        signal(np.round(row * 1000), fs, label=label, physical_dimension=unit, physical_range=(-reach - 1, reach))
        for label, row in zip(labels, values, strict=True)
    ]
    file = io.BytesIO()
    kind(signals).write(file)
    return file.getvalue()


def bdf(values) -> bytes:
    reach = 8388607
    signals = [
        edfio.BdfSignal.from_digital(
            np.round(row * 1000).astype(np.int32),
            500,
            label=label,
            physical_dimension="uV",
            physical_range=(-reach - 1, reach),
        )
        for label, row in zip(LEADS, values, strict=True)
    ]
    file = io.BytesIO()
    edfio.Bdf(signals).write(file)
    return file.getvalue()


def wfdb_files(sim, folder) -> dict[str, bytes]:
    sim.save(folder, "rec")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_truth(ecg, truth, atol=1e-6):
    assert (ecg.fs, ecg.leads, ecg.signal.dtype) == (500, LEADS, np.float32)
    np.testing.assert_allclose(ecg.signal, truth, atol=atol)


# What can be read


ODD = [
    "EKG I",
    "ECG II",
    "Lead III",
    "aVR-Ref",
    "ECG aVL-Ref",
    "EKG AVF",
    "V1-Ref",
    "ecg_v2",
    "V3",
    "ECG-V4",
    "v5",
    "V6",
]
TABLES = {
    "comma": ({}, {"fs": 500, "unit": "mV"}),
    "time column and units in the head": ({"head": [f"{lead} (mV)" for lead in LEADS], "time": "time (s)"}, {}),
    "semicolon, decimal comma": ({"delimiter": ";", "decimal": ",", "time": "Zeit [s]"}, {"unit": "mV"}),
    "tab, decimal comma": ({"delimiter": "\t", "decimal": ","}, {"fs": 500, "unit": "mV"}),
    "blanks, no head": ({"delimiter": "  ", "head": None}, {"fs": 500, "unit": "mV", "leads": LEADS}),
    "no head, leads as text": ({"head": None}, {"fs": 500, "unit": "mV", "leads": ",".join(LEADS)}),
    "time, no head": ({"head": None, "time": "none"}, {"fs": 500, "unit": "mV", "leads": LEADS}),
    "odd names": ({"head": ODD}, {"fs": 500.0, "unit": "mV"}),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables(truth, case):
    written, said = TABLES[case]
    if case == "time, no head":
        data = b"\n".join(csv(truth, head=LEADS, time="t").splitlines()[1:])
    else:
        data = csv(truth, **written)
    assert_truth(read_ecg(data, name="mine.csv", **said), truth)


def test_table_with_comments_and_bom(truth):
    text = b"\xef\xbb\xbf# Sampling rate: 500 Hz\n# unit: uV\n" + csv(truth * 1000, form="%.0f")
    assert_truth(read_ecg(text, name="a.txt"), truth)
    utf16 = csv(truth, delimiter="\t", head=[f"{lead} (mV)" for lead in LEADS]).decode().encode("utf-16")
    assert_truth(read_ecg(utf16, name="a.tsv", fs=500), truth)


def test_table_of_rows_and_a_row_of_units(truth):
    rows = "\n".join(f"{lead}," + ",".join(f"{v:.3f}" for v in row) for lead, row in zip(LEADS, truth, strict=True))
    assert_truth(read_ecg(rows.encode(), name="a.csv", fs=500, unit="mV"), truth)
    head, *lines = csv(truth * 1000, form="%.0f").decode().splitlines()
    units = "\n".join([head, ",".join(["µV"] * 12), *lines])
    assert_truth(read_ecg(units.encode("latin-1"), name="a.csv", fs=500), truth)


@pytest.mark.parametrize("columns", [None, list(LEADS)])
def test_table_written_by_pandas(truth, columns):
    said = {"fs": 500, "unit": "mV", "leads": None if columns else LEADS}
    text = pd.DataFrame(truth.T, columns=columns).to_csv().encode()
    ecg = read_ecg(text, name="a.csv", **said)
    assert_truth(ecg, truth)
    assert any("counts samples" in note for note in ecg.notes)


@pytest.mark.parametrize("rate", [250, 360, 1000, 257])
def test_rate_from_a_column_of_times(truth, rate):
    """Milliseconds rounded to three decimals still give the rate."""
    lines = csv(truth).decode().splitlines()
    rows = [f"time_ms,{lines[0]}", *(f"{1000 * i / rate:.3f},{line}" for i, line in enumerate(lines[1:]))]
    assert read_ecg("\n".join(rows).encode(), name="a.csv", unit="mV").fs == pytest.approx(rate, rel=1e-6)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", ["float", "int16", "fields", "batch of one"])
def test_npy(truth, turned, kind):
    array = truth.T if turned else truth
    unit = 0.001 if kind == "int16" else "mV"
    array = np.round(array * 1000).astype(np.int16) if kind == "int16" else array
    array = array[None] if kind == "batch of one" else array
    leads = LEADS
    if kind == "fields":
        array = np.rec.fromarrays(list(truth), names=",".join(LEADS))
        leads = None
    assert_truth(read_ecg(npy(array), name="a.npy", fs=500, unit=unit, leads=leads), truth)


def test_npz_that_says_everything(truth):
    assert_truth(read_ecg(npz(signal=truth, fs=500, unit="mV", leads=list(LEADS)), name="a.npz"), truth)
    one_a_lead = dict(zip(LEADS, truth * 1000, strict=True))
    assert_truth(read_ecg(npz(**one_a_lead, fs=500.0, unit="uV"), name="a.npz"), truth)


@pytest.mark.parametrize("labels", [LEADS, ODD])
def test_edf(truth, labels):
    assert_truth(read_ecg(edf(truth, labels), name="a.edf"), truth, atol=1e-5)


def test_bdf(truth):
    assert_truth(read_ecg(bdf(truth), name="a.bdf"), truth, atol=1e-5)


def test_edf_from_a_path_drops_other_channels(truth, tmp_path):
    labels = [*LEADS, "Resp"]
    path = tmp_path / "night.edf"
    path.write_bytes(edf(np.vstack([truth, truth[:1]]), labels))
    ecg = read_ecg(path)
    assert_truth(ecg, truth, atol=1e-5)
    assert ecg.record_id == "night"
    assert "Resp" in " ".join(ecg.notes)


def test_wfdb_from_path_and_upload(sim, tmp_path):
    files = wfdb_files(sim, tmp_path)
    expected = leadwise.load_ecg(tmp_path / "rec")
    for ecg in (read_ecg(tmp_path / "rec.hea"), read_ecg(str(tmp_path / "rec")), read_ecg(files)):
        np.testing.assert_array_equal(ecg.signal, expected.signal)
        assert ecg.metadata["condition"] == "RBBB"


def test_missing_limb_leads_are_derived(truth):
    data = csv(truth[INDEPENDENT], head=[LEADS[i] for i in INDEPENDENT])
    ecg = read_ecg(data, name="a.csv", fs=500, unit="mV")
    assert_truth(ecg, truth)
    assert "III, aVR, aVL, aVF" in " ".join(ecg.notes)


def test_cabrera_order_turns_minus_avr_back(truth):
    order = ["aVL", "I", "-aVR", "II", "aVF", "III", *LEADS[6:]]
    rows = np.stack([-truth[3] if lead == "-aVR" else truth[LEADS.index(lead)] for lead in order])
    ecg = read_ecg(csv(rows, head=order), name="a.csv", fs=500, unit="mV")
    assert_truth(ecg, truth)
    assert "upside down" in " ".join(ecg.notes)


def test_the_caller_corrects_the_file(truth):
    ecg = read_ecg(edf(truth, unit="mV"), name="a.edf", unit="uV", fs=1000)
    np.testing.assert_allclose(ecg.signal, truth, atol=1e-5)
    assert ecg.fs == 1000
    assert sum("was given and is used" in note for note in ecg.notes) == 2
    labels = [f"ch{i}" for i in range(12)]
    named = read_ecg(edf(truth, labels), name="a.edf", leads=dict(zip(labels, LEADS, strict=True)))
    assert_truth(named, truth, atol=1e-5)


@pytest.mark.parametrize(
    ("label", "meaning"),
    [
        ("I", ("I", 1)), ("avr", ("aVR", 1)), ("EKG V1", ("V1", 1)), ("Lead II", ("II", 1)), ("DIII", ("III", 1)),
        ("aVR-Ref", ("aVR", 1)), ("ECG-aVR", ("aVR", 1)), ("ECG -aVR", ("aVR", -1)), ("-aVR", ("aVR", -1)),
        ("V6 [µV]", ("V6", 1)), ("II_mV", ("II", 1)), ("MLII", None), ("C3", None), ("V7", None), ("lead 1", None),
        ("", None), (None, None), ("V", None), ("IV", None),
    ],
)  # fmt: skip
def test_lead_names(label, meaning):
    assert lead_name(label) == meaning


def test_units():
    assert [millivolts(unit) for unit in ("mV", "uV", "µV", "μV", "V", "microvolts", 0.005)] == pytest.approx(
        [1, 1e-3, 1e-3, 1e-3, 1e3, 1e-3, 0.005]
    )
    assert [unit_in(label) for label in ("I (mV)", "V1_uV", "V1", "I [µV]", "V (V)")] == ["mV", "uV", None, "µV", "V"]
    for wrong in ("bpm", 0, -1, float("nan"), None):
        with pytest.raises(ValueError, match="unit is"):
            millivolts(wrong)


# What is asked for


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ({}, ("leads", "fs", "unit")),
        ({"fs": 500}, ("leads", "unit")),
        ({"unit": "mV", "leads": LEADS}, ("fs",)),
        ({"fs": 500, "leads": LEADS}, ("unit",)),
        ({"fs": 500, "unit": "mV"}, ("leads",)),
    ],
)
def test_what_is_not_stated_is_asked_for(truth, said, missing):
    with pytest.raises(MissingInformation) as caught:
        read_ecg(npy(truth), name="a.npy", **said)
    assert caught.value.missing == missing
    assert isinstance(caught.value, ValueError)
    assert len(caught.value.channels) == 12
    for key in ("fs", "unit", "leads"):
        assert (f"{key}=" in str(caught.value)) == (key in missing)


# Malformed recordings: name -> (what makes it, what the message says)


def spoiled_header(files, old, new):
    return files | {"rec.hea": files["rec.hea"].replace(old, new)}


def edf_bytes(data, start, text):
    return data[:start] + text + data[start + len(text) :]


class Dangerous:
    def __reduce__(self):
        return os.system, ("echo must never run",)


def swapped_time(truth):
    lines = csv(truth, time="time (s)").decode().splitlines()
    return "\n".join(lines[:800] + lines[1200:]).encode()


SAID = {"fs": 500, "unit": "mV"}
MALFORMED = {
    "empty file": (lambda t, f: (b"", "a.csv", {}), "is empty"),
    "blank file": (lambda t, f: (b"\n \n\n", "a.csv", {}), "is empty"),
    "text renamed to .dat": (lambda t, f: (csv(t), "a.dat", {}), "plain text.*rename it to a.csv"),
    "text renamed to .edf": (lambda t, f: (csv(t), "a.edf", {}), "plain text.*rename it to a.csv"),
    "text renamed to .npy": (lambda t, f: (csv(t), "a.npy", {}), "plain text.*rename it to a.csv"),
    "text renamed to .npz": (lambda t, f: (csv(t), "a.npz", {}), "plain text.*rename it to a.csv"),
    "EDF renamed to .csv": (lambda t, f: (edf(t), "a.csv", {}), "cannot be read as CSV: it holds EDF"),
    "picture renamed to .csv": (lambda t, f: (b"\x89PNG\r\n\x1a\n" + bytes(99), "a.csv", {}), "a picture"),
    "PDF": (lambda t, f: (b"%PDF-1.7\n" + bytes(99), "a.pdf", {}), "a PDF document"),
    "spreadsheet": (lambda t, f: (b"PK\x03\x04" + bytes(99), "a.npz", {}), "not a readable NumPy file"),
    "noise": (lambda t, f: (bytes(range(256)) * 9, "a.bin", {}), "data of an unknown kind"),
    "prose": (lambda t, f: (b"This is not an ECG.\nAt all.", "a.txt", {}), "no line of it is a row of numbers"),
    "pickled npy": (
        lambda t, f: (npy(np.array([Dangerous()]), allow_pickle=True), "a.npy", {}),
        "pickled Python objects",
    ),
    "pickled npz": (lambda t, f: (npz(signal=np.array([Dangerous()])), "a.npz", {}), "pickled Python objects"),
    "pickle": (lambda t, f: (pickle.dumps(t), "a.npy", {}), "a Python pickle"),
    "truncated npy": (lambda t, f: (npy(t)[:9999], "a.npy", SAID), "not a readable NumPy file"),
    "truncated npz": (lambda t, f: (npz(signal=t)[:9999], "a.npz", SAID), "not a readable NumPy file"),
    "complex npy": (lambda t, f: (npy(t + 1j), "a.npy", SAID), "complex128"),
    "npy of text": (lambda t, f: (npy(np.array(["a", "b"])), "a.npy", SAID), "expected real numbers"),
    "npy of many recordings": (lambda t, f: (npy(np.zeros((3, 12, 50))), "a.npy", SAID), r"\(3, 12, 50\)"),
    "npy without samples": (lambda t, f: (npy(np.zeros((12, 0))), "a.npy", SAID), "no samples"),
    "wrong number of leads": (lambda t, f: (npy(t), "a.npy", SAID | {"leads": LEADS[:9]}), "9 leads are named"),
    "three leads only": (lambda t, f: (csv(t[:3], LEADS[:3]), "a.csv", SAID), "lacks V1, V2, V3, V4, V5, V6"),
    "Holter leads": (lambda t, f: (csv(t[:2], ("MLII", "V1")), "a.csv", SAID), "MLII is a modified lead"),
    "lead I lacks": (lambda t, f: (csv(t[1:], LEADS[1:]), "a.csv", SAID), "lacks I"),
    "duplicate leads": (
        lambda t, f: (csv(t, [*LEADS[:11], "v 5".replace(" ", "")]), "a.csv", SAID),
        "two channels for lead V5",
    ),
    "decimal commas between commas": (lambda t, f: (csv(t, decimal=","), "a.csv", SAID), "decimal signs are commas"),
    "words in the table": (lambda t, f: (csv(t).replace(b"\n0.", b"\nlost,0.", 1), "a.csv", SAID), "line"),
    "a word in a cell": (
        lambda t, f: (csv(t[:, :50]) + b"\n" + b",".join([b"1"] * 11 + [b"saturated"]), "a.csv", SAID),
        "line 52.*'saturated', not a number",
    ),
    "a word in the first row": (
        lambda t, f: (csv(t).replace(b"\n", b"\n" + b",".join([b"1"] * 11 + [b"bad"]) + b"\n", 1), "a.csv", SAID),
        "'bad' among numbers",
    ),
    "lines of unequal length": (lambda t, f: (csv(t) + b"\n0.1,0.2", "a.csv", SAID), "line 5002 has 2 cells"),
    "gap in the times": (lambda t, f: (swapped_time(t), "a.csv", {"unit": "mV"}), "not evenly spaced"),
    "times only": (
        lambda t, f: (b"time (s)\n" + b"\n".join(b"%.3f" % (i / 500) for i in range(99)), "a.csv", SAID),
        "nothing else",
    ),
    "unit that is no voltage": (lambda t, f: (edf(t, unit="mmHg"), "a.edf", {}), "no unit of voltage"),
    "EDF without unit": (lambda t, f: (edf(t, unit=""), "a.edf", {}), 'unit="uV"'),
    "EDF cut in its header": (lambda t, f: (edf(t)[:1000], "a.edf", {}), "no valid EDF file"),
    "EDF without data": (lambda t, f: (edf(t)[: 256 * 13], "a.edf", {}), "no samples"),
    "EDF header of nonsense": (lambda t, f: (edf_bytes(edf(t), 252, b"many"), "a.edf", {}), "no valid EDF file"),
    "EDF without scale": (lambda t, f: (edf_bytes(edf(t), 256 + 12 * 104, b"5       " * 24), "a.edf", {}), "no scale"),
    "EDF with anonymous labels": (
        lambda t, f: (edf(t, [f"ch{i}" for i in range(12)]), "a.edf", {}),
        "which channel is which lead",
    ),
    "BDF renamed to .edf": (lambda t, f: (bdf(t), "a.edf", {}), "it holds BDF"),
    "header without signal file": (lambda t, f: ({"rec.hea": f["rec.hea"]}, None, {}), "rec.dat is missing"),
    "signal file without header": (lambda t, f: ({"rec.dat": f["rec.dat"]}, None, {}), "not its header rec.hea"),
    "truncated .dat": (lambda t, f: (f | {"rec.dat": f["rec.dat"][:-4000]}, None, {}), "truncated"),
    "header with more leads than the file": (
        lambda t, f: (spoiled_header(f, b"rec 12 ", b"rec 15 "), None, {}),
        "announces 15",
    ),
    "zero rate in the header": (
        lambda t, f: (spoiled_header(f, b"rec 12 500 ", b"rec 12 0 "), None, {}),
        "sampling rate|valid WFDB header",
    ),
    "zero rate in the npz": (
        lambda t, f: (npz(signal=t, fs=0, leads=LEADS, unit="mV"), "a.npz", {}),
        "sampling rate 0 Hz",
    ),
    "two recordings at once": (lambda t, f: ({"a.csv": csv(t), "b.csv": csv(t)}, None, {}), "several recordings"),
    "no such file": (lambda t, f: ("/no/such/folder/a.csv", None, {}), "no file a.csv"),
    "a folder": (lambda t, f: (os.sep, None, {}), "folder|no record|no file"),
    "no name": (lambda t, f: ("", None, {}), "no file is named"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_recordings_are_refused_clearly(truth, sim, tmp_path, case, capfd):
    """A message in the course's words: what came, what was expected; never another library's traceback."""
    make, message = MALFORMED[case]
    source, name, said = make(truth, wfdb_files(sim, tmp_path))
    with pytest.raises(RecordError, match=message) as caught:
        read_ecg(source, name=name, **said)
    text = str(caught.value)
    assert 15 < len(text) < 700
    assert text.endswith((".", ")", "]"))
    assert "must never run" not in capfd.readouterr().out


@pytest.mark.parametrize("fs", [0, -500, float("nan"), float("inf"), "fast"])
def test_the_callers_own_mistakes(truth, fs):
    with pytest.raises(ValueError, match="fs"):
        read_ecg(npy(truth), name="a.npy", fs=fs, unit="mV", leads=LEADS)


@pytest.mark.parametrize(
    ("source", "said", "message"),
    [
        (b"1,2", {}, "name of the uploaded file"),
        (17, {"name": "a.csv"}, "expected a path"),
        ({}, {}, "expected a path"),
        (npy(np.zeros((12, 50))), {"name": "a.npy", "fs": 500, "unit": "mV", "leads": [*LEADS[:11], "V9"]}, "'V9'"),
        (npy(np.zeros((12, 50))), {"name": "a.npy", "leads": {"chest": "V1"}}, "no channel 'chest'"),
        (npy(np.zeros((12, 50))), {"name": "a.npy", "unit": "volts per metre"}, "unit is"),
    ],
)
def test_more_of_the_callers_own_mistakes(source, said, message):
    with pytest.raises(ValueError, match=message):
        read_ecg(source, **said)


def test_nothing_odd_gets_through():
    """Random bytes under every extension: a RecordError, whatever they look like."""
    rng = np.random.default_rng(0)
    beginnings = (b"", b"\x93NUMPY", b"PK\x03\x04", b"0       ", b"\xffBIOSEMI", b"I,II\n")
    for extension in [extension for extensions in FORMATS.values() for extension in extensions]:
        for beginning in beginnings:
            data = beginning + rng.integers(0, 256, 3000, dtype=np.uint8).tobytes()
            with pytest.raises(RecordError):
                read_ecg({f"rec{extension}": data}, fs=500, unit="mV")


def test_truncated_edf_is_read_and_said(truth):
    ecg = read_ecg(edf(truth)[:-100], name="a.edf")
    assert ecg.duration == 9
    assert "truncated" in " ".join(ecg.notes)


def test_invalid_cells_stay_invalid(truth):
    head, *lines = csv(truth).decode().splitlines()
    lines[10] = ",".join(["", "NaN", *lines[10].split(",")[2:]])
    with pytest.warns(RecordWarning, match="1 invalid samples"):
        ecg = read_ecg("\n".join([head, *lines]).encode(), name="a.csv", fs=500, unit="mV")
    assert np.isnan(ecg.signal[:2, 10]).all()
    assert np.isnan(ecg.signal).sum() == 2
    assert "2 empty cells" in " ".join(ecg.notes)


# What the caller hands over


@pytest.mark.parametrize(
    "name", ["..", ".", "a/..", "a/", "nul\0.csv", "\ud800.csv", "x" * 300 + ".csv", "é" * 150 + ".csv", "tab\t.csv"]
)
def test_names_that_no_file_can_have(truth, name):
    with pytest.raises(RecordError, match="the upload is named"):
        read_ecg({name: csv(truth)}, fs=500, unit="mV")
    with pytest.raises(RecordError):
        read_ecg(name)


def test_folders_in_the_name_of_an_upload_are_left_out(truth):
    for name in ("../../a.csv", "C:\\records\\a.csv", "/etc/a.csv"):
        assert read_ecg({name: csv(truth)}, fs=500, unit="mV").record_id == "a"


def test_two_uploads_of_one_name_do_not_overwrite_each_other(sim, tmp_path):
    files = wfdb_files(sim, tmp_path)
    for other in ("mine/rec.dat", "REC.dat"):
        with pytest.raises(RecordError, match=r"two uploads are named (rec|REC)\.dat"):
            read_ecg(files | {other: bytes(120_000)})


@pytest.mark.parametrize("content", [5, "text", None, [1, 2]])
def test_an_upload_that_is_no_bytes(content):
    with pytest.raises(ValueError, match="expected bytes"):
        read_ecg({"a.csv": content})


@pytest.mark.parametrize("leads", [[1, 2], {"I": 5}, 7, [b"I"]])
def test_leads_that_are_no_names(truth, leads):
    with pytest.raises(ValueError, match="leads"):
        read_ecg(csv(truth), name="a.csv", fs=500, unit="mV", leads=leads)


def test_a_line_beyond_the_limit_of_the_csv_module(truth):
    with pytest.raises(RecordError, match="cannot be read as a table"):
        read_ecg(csv(truth) + b'\n"' + b"1" * 200_000, name="a.csv", fs=500, unit="mV")


def test_what_is_slow_to_import_is_imported_where_it_is_needed(truth, sim, tmp_path):
    """A child reads WFDB, CSV, NPY and EDF, and has neither pandas, h5py nor wfdb."""
    for name, content in (wfdb_files(sim, tmp_path) | {"a.csv": csv(truth), "a.npy": npy(truth)}).items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "a.edf").write_bytes(edf(truth))
    code = """
import sys, leadwise
from leadwise.ecg.leads import LEADS
for name in ("rec.hea", "a.csv", "a.npy", "a.edf"):
    leadwise.read_ecg(f"{sys.argv[1]}/{name}", fs=500, unit="mV", leads=LEADS)
leadwise.load_ecg(f"{sys.argv[1]}/rec")
leadwise.check_ecg, leadwise.simulate_ecg, leadwise.records
print([name for name in ("pandas", "h5py", "wfdb", "edfio", "soundfile", "neurokit2") if name in sys.modules])
"""
    child = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert child.stdout.strip() == "[]", child.stderr[-1000:]
