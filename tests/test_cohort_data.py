"""Data sets in the form of the public ones, made by the simulator; packed ones give the same bits."""

import csv
import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import leadwise
from leadwise.__main__ import main
from leadwise.cohort import Cohort, challenge, explain_cohort, mimic_iv_ecg, pack, packed, ptb_xl
from leadwise.cohort.datasets import SCP, age_band
from leadwise.recordings.recording import RecordError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
from simulated_ptb_xl import make, write_wfdb

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make(tmp_path_factory.mktemp("ptb-xl"), 14, low=True)


@pytest.fixture(scope="module")
def model():
    return leadwise.load_ecg_model("LBBB", "embedded", verbose=False)


def write_csv(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_ptb_xl_is_read_as_its_table_says(folder):
    records = ptb_xl(folder)
    rows = list(csv.DictReader((folder / "ptbxl_database.csv").read_text().splitlines()))
    assert len(records) == 14
    assert records.names == [row["ecg_id"] for row in rows]
    assert records.column("sex") == [["male", "female"][int(row["sex"])] for row in rows]
    for row, label in zip(rows, records.column("label"), strict=True):
        assert label == tuple(
            name for name, codes in SCP.items() if any(f"'{code}'" in row["scp_codes"] for code in codes)
        )
    assert set(records.column("fold")) <= {str(number) for number in range(1, 11)}
    assert len(records.one_of_each("patient")) == len(set(records.column("patient")))
    ecg, doubts = next(iter(leadwise.cohort.records.as_records(records))).open()
    assert (ecg.fs, ecg.samples, doubts) == (500, 5000, [])


def test_both_rates_of_ptb_xl_show_the_network_the_same(folder, model):
    high, low = (explain_cohort(model, ptb_xl(folder, rate).first(6), progress=False) for rate in (500, 100))
    assert high.records == low.records == 6
    np.testing.assert_allclose(high.mean("wave_share"), low.mean("wave_share"), atol=0.05)
    with pytest.raises(ValueError, match="PTB-XL has 500 and 100 Hz"):
        ptb_xl(folder, 250)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("scp_codes", "codes"), "lacks the columns scp_codes"),
        (lambda text: text.replace("{'", "{", 1), "expected a dict such as"),
        (None, r"no file ptbxl_database\.csv"),
    ],
)
def test_a_table_that_is_not_ptb_xls_is_refused(folder, tmp_path, change, message):
    if change:
        (tmp_path / "ptbxl_database.csv").write_text(change((folder / "ptbxl_database.csv").read_text()))
    with pytest.raises(RecordError, match=message):
        ptb_xl(tmp_path)


def test_mimic_is_read_with_and_without_its_other_tables(tmp_path, model):
    rows, machine = [], []
    for number in range(3):
        path = f"files/p1000/p1000{number}/s4000{number}/4000{number}"
        write_wfdb(tmp_path / path, leadwise.simulate_ecg("NORM", number).signal, 500)
        rows.append({"subject_id": f"1000{number}", "study_id": f"4000{number}", "file_name": f"4000{number}",
                     "ecg_time": "2180-07-23 08:44:00", "path": path})  # fmt: skip
        machine.append({"subject_id": f"1000{number}", "study_id": f"4000{number}", "report_0": "Sinus rhythm",
                        "report_1": "Left bundle branch block" if number else "", "bandwidth": "0.05-150"})  # fmt: skip
    write_csv(tmp_path / "record_list.csv", rows)
    assert set(mimic_iv_ecg(tmp_path).columns) == {"patient"}
    write_csv(tmp_path / "machine_measurements.csv", machine)
    people = "subject_id,gender,anchor_age,anchor_year\n10000,F,50,2170\n10001,M,79,2179\n"
    (tmp_path / "patients.csv.gz").write_bytes(gzip.compress(people.encode()))
    records = mimic_iv_ecg(tmp_path, tmp_path / "patients.csv.gz")
    assert records.column("statement")[:2] == [("Sinus rhythm",), ("Sinus rhythm", "Left bundle branch block")]
    assert records.column("sex") == ["female", "male", None]
    assert records.column("age_band") == ["60-79", "80+", None]
    cohort = explain_cohort(model, records, "gradient_x_input", groups=("sex", "statement"), progress=False)
    assert cohort.records == 3
    assert cohort.groups["statement"]["Left bundle branch block"].records == 2
    with pytest.raises(RecordError, match=r"no file record_list\.csv"):
        mimic_iv_ecg(tmp_path / "files")


def test_a_challenge_is_read_from_its_headers(tmp_path):
    for name, comments in {
        "ptb-xl/g1/HR00001": ("Age: 57", "Sex: Male", "Dx: 164909002,426783006"),
        "georgia/g1/E00001": ("Age: NaN", "Sex: Female", "Dx: 426783006"),
        "georgia/g1/E00002": ("Age: 4", "Sex: Unknown", "Dx: 12345"),
    }.items():
        write_wfdb(tmp_path / name, leadwise.simulate_ecg("NORM", 1).signal, 500, comments)
    records = challenge(tmp_path)
    assert records.names == ["georgia/g1/E00001", "georgia/g1/E00002", "ptb-xl/g1/HR00001"]
    assert records.columns == {
        "sex": ["female", None, "male"],
        "age_band": [None, "0-17", "40-59"],
        "source": ["georgia", "georgia", "ptb-xl"],
        "dx": [("sinus rhythm",), ("SNOMED 12345",), ("left bundle branch block", "sinus rhythm")],
        "label": [(), (), ("LBBB",)],
    }
    with pytest.raises(RecordError, match="holds no WFDB header"):
        challenge(tmp_path / "nothing")


def test_bands_of_age():
    assert [age_band(age) for age in ("17.9", 18, 59.0, "60", 300, -1, "", None)] == [
        "0-17", "18-39", "40-59", "60-79", "80+", None, None, None,
    ]  # fmt: skip


# --- packed -----------------------------------------------------------------------------------------------------------


def test_a_packed_data_set_is_the_same_to_the_last_bit(folder, model, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr("leadwise.cohort.store.SHARD", 8)
    monkeypatch.setattr("leadwise.cohort.store.GROUP", 4)
    records = ptb_xl(folder)
    broken = Path(f"{records.sources[5]}.dat")
    kept = broken.read_bytes()
    broken.write_bytes(kept[:-10])
    there = pack(records, tmp_path / "packed", progress=False)
    assert len(list((tmp_path / "packed").iterdir())) == 2
    assert (there.names, set(there.columns)) == (records.names, set(records.columns))
    options = {"method": "gradient_x_input", "groups": ("sex", "label"), "batch": 5, "progress": False}
    files, whole = explain_cohort(model, records, **options), explain_cohort(model, there, **options)
    broken.write_bytes(kept)
    assert whole.left_out == 1
    assert files.to_bytes() == whole.to_bytes()
    assert packed(tmp_path / "packed").where(label="NORM").names == records.where(label="NORM").names
    with pytest.raises(ValueError, match="is not empty"):
        pack(records, tmp_path / "packed")
    with pytest.raises(RecordError, match="no packed data set"):
        packed(tmp_path)


def test_signals_that_are_no_steps_and_invalid_samples_are_packed_to_the_last_bit(tmp_path):
    pytest.importorskip("pyarrow")
    signal = np.random.default_rng(0).standard_normal((12, 1000)).astype(np.float32)
    signal[3, 5:9] = np.nan
    sources = [leadwise.ECG(signal, 250.0), leadwise.ECG(np.round(signal[:, 10:] * 200) / 200, 400.0)]
    there = pack(leadwise.cohort.Records(sources, ["a", "b"]), tmp_path / "p", progress=False)
    for source, ecg in zip(there.sources, sources, strict=True):
        np.testing.assert_array_equal(source().signal, ecg.signal)
        assert source().fs == ecg.fs
    assert there.sources[0].open()[1] != []  # doubtful: it holds invalid samples


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_writes_means_groups_figures_and_what_was_left_out(folder, tmp_path, capsys):
    command = ["cohort", str(folder), "--network", "LBBB", "--weights", "embedded", "--method", "gradient_x_input"]
    command += ["--group", "sex", "label", "--rows", "--out", str(tmp_path / "out")]
    broken = Path(f"{ptb_xl(folder).sources[2]}.hea")
    kept = broken.read_text()
    broken.write_text(kept.replace(" V6", " V9"))
    assert main(command) == 0
    broken.write_text(kept)
    assert "13 records, 1 left out" in capsys.readouterr().out
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"matrix.png", "beat.png", "qrs_by_sex.png", "qrs_by_label.png", "rows", "checkpoint"} <= made
    assert (tmp_path / "out" / "left_out.txt").read_text().startswith("3: ")
    found = json.loads((tmp_path / "out" / "summary.json").read_text())
    again = Cohort.load(tmp_path / "out" / "cohort.npz")
    assert found["wave_share"]["mean"] == again.mean("wave_share").tolist()
    sexes = found["groups"]["sex"].values()
    assert sum(one["records"] + one["left out"] for one in sexes) == 14
    assert main(command) == 0  # resumes; nothing is left to do


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--group", "smoker"], "no column 'smoker'"),
        (["--method", "magic"], "magic"),
        (["--data-set", "mimic-iv-ecg"], "record_list"),
    ],
)
def test_the_command_says_what_is_wrong(folder, tmp_path, capsys, change, message):
    command = ["cohort", str(folder), "--network", "LBBB", "--weights", "embedded", "--out", str(tmp_path / "out")]
    assert main([*command, *change]) == 2
    assert message in capsys.readouterr().err
