"""The list of recordings: what is found, in which order, under which label."""

import shutil

import numpy as np
import pytest
import wfdb

import leadwise
from leadwise.ecg.leads import LEADS
from leadwise.recordings import catalogue as module
from leadwise.recordings.catalogue import CODES, CONDITIONS, SNOMED, load_record, records
from leadwise.recordings.recording import RecordError


@pytest.fixture
def ecgs(data_dir, tmp_path, monkeypatch):
    """An empty data folder, and an empty gallery in place of the embedded one; returns the folder of recordings."""
    monkeypatch.setattr(module, "ASSETS", tmp_path / "assets")
    return data_dir / "ecgs"


def write(folder, name, *comments):
    folder.mkdir(parents=True, exist_ok=True)
    signal = np.tile(np.arange(100)[:, None] % 50, (1, 12)) + 10 * np.arange(12)
    wfdb.wrsamp(
        name,
        fs=500,
        units=["mV"] * 12,
        sig_name=list(LEADS),
        d_signal=signal,
        fmt=["16"] * 12,
        adc_gain=[100.0] * 12,
        baseline=[0] * 12,
        comments=list(comments),
        write_dir=str(folder),
    )


def test_nothing_to_list(ecgs):
    assert records() == {}
    with pytest.raises(ValueError, match=r"no record '03509_hr'. There are: none. .*python -m leadwise download ecgs"):
        load_record("03509_hr")


def test_the_four_records_of_the_paper(ecgs):
    for name in ("14493_hr", "12131_hr", "03509_hr", "02906_hr"):
        write(ecgs / "ptb-xl", name)
    listed = records()
    conditions = {name: info.condition for name, info in listed.items()}
    assert conditions == {"02906_hr": "RBBB", "03509_hr": "AVB", "12131_hr": "ISCH", "14493_hr": "LBBB"}
    assert {info.origin for info in listed.values()} == {"PTB-XL 1.0.3"}
    assert listed["14493_hr"].title == "14493_hr: left bundle branch block"
    assert list(records("AVB")) == ["03509_hr"]
    assert records("NORM") == {}
    ecg = load_record("03509_hr")
    assert (ecg.record_id, ecg.preprocessed, ecg.samples) == ("03509_hr", False, 100)


def test_excerpts_stand_in_where_the_record_is_absent(ecgs):
    (ecgs / "excerpts").mkdir(parents=True)
    values = np.random.default_rng(0).normal(size=(2000, 12)).astype(np.float32)
    for file in ("03509", "14493"):
        np.save(ecgs / "excerpts" / f"{file}.npy", values)
    write(ecgs / "ptb-xl", "14493_hr")
    listed = records()
    assert listed["03509_hr"].path.name == "03509.npy"
    assert listed["14493_hr"].path.name == "14493_hr.hea"
    assert "excerpt of 4 s" in listed["03509_hr"].title
    assert listed["03509_hr"].condition == "AVB"
    ecg = load_record("03509_hr")
    assert ecg.preprocessed
    assert ecg.preprocess() is ecg
    np.testing.assert_array_equal(ecg.signal, values.T)
    assert "recovered from a published" in ecg.notes[0]


@pytest.mark.parametrize("content", [b"", b"not numpy", "shape", "nan"])
def test_damaged_excerpts_are_refused(ecgs, content):
    path = ecgs / "excerpts" / "03509.npy"
    path.parent.mkdir(parents=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, np.zeros((12, 2000)) if content == "shape" else np.full((2000, 12), np.nan))
    with pytest.raises(RecordError, match=r"03509.npy (is not a readable|holds shape)"):
        load_record("03509_hr")


def test_labels_of_the_challenge(ecgs):
    for name, codes in [
        ("E00001", "59118001,426177001"),
        ("HR00001", "426783006"),
        ("HR00002", "426783006,164934002"),
        ("JS20000", "284470004, 12345"),
        ("Q0001", ""),
    ]:
        write(ecgs / "cinc2021", name, "Age: 60", f"Dx: {codes}")
    listed = records()
    assert [listed[name].condition for name in listed] == ["RBBB", "NORM", None, None, None]
    assert listed["E00001"].title == "E00001: right bundle branch block, sinus bradycardia"
    assert listed["JS20000"].title == "JS20000: premature atrial contraction, SNOMED 12345"
    assert listed["Q0001"].title == "Q0001: no label"
    origins = [info.origin for info in listed.values()]
    assert origins == ["Georgia (CinC 2021)", *["PTB-XL (CinC 2021)"] * 2, "Ningbo (CinC 2021)", "CinC 2021"]
    assert list(records("NORM")) == ["HR00001"]


# What the challenge's dx_mapping files call each code, shortened; which condition it names.
@pytest.mark.parametrize(
    ("code", "name", "condition"),
    [
        ("59118001", "right bundle", "RBBB"), ("713427006", "complete right bundle", "RBBB"),
        ("713426002", "incomplete right bundle", None), ("164909002", "left bundle", "LBBB"),
        ("733534002", "complete left bundle", "LBBB"), ("251120003", "incomplete left bundle", None),
        ("270492004", "first-degree AV", "AVB"), ("195042002", "second-degree AV", None),
        ("233917008", "AV block", None),
        ("164861001", "myocardial isch", "ISCH"), ("426434006", "anterior isch", "ISCH"),
        ("425419005", "inferior isch", "ISCH"), ("425623009", "lateral isch", "ISCH"),
        ("428750005", "nonspecific ST-T", None), ("164930006", "abnormal ST int", None), ("55930002", "ST-T", None),
        ("253352002", "left atrial abnormality", None), ("67741000119109", "left atrial enlargement", None),
        ("251187003", "atrial escape beat", None), ("89792004", "right ventricular hypertrophy", None),
        ("713422000", "atrial tachycardia", None), ("251170000", "blocked premature atrial", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("others", [[], ["426177001"], ["426177001", "164934002"]])
def test_every_label_is_named_wherever_it_stands(ecgs, code, name, condition, others):
    write(ecgs / "cinc2021", "E1", f"Dx: {','.join([*others, code])}")
    write(ecgs / "cinc2021", "E2", f"Dx: {','.join([code, *others])}")
    write(ecgs, "mine", f"Dx: {code}")
    listed = records()
    assert [info.condition for info in listed.values()] == [condition] * 3
    assert all(name in info.title for info in listed.values())


def test_codes_have_their_check_digit():
    """Verhoeff's, as SNOMED CT prescribes: multiplication in the dihedral group of the pentagon."""

    def dihedral(a, b):
        turn = (a % 5 + b % 5) % 5 if a < 5 else (a % 5 - b % 5) % 5
        return turn + 5 * ((a >= 5) != (b >= 5))

    powers = [list(range(10))]
    for _ in range(7):
        powers.append([(1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[digit] for digit in powers[-1]])
    for code in {*SNOMED, *(code for codes in CODES.values() for code in codes)}:
        check = 0
        for place, digit in enumerate(reversed(code)):
            check = dihedral(check, powers[place % 8][int(digit)])
        assert check == 0, code
    assert {code for codes in CODES.values() for code in codes} <= set(SNOMED)
    assert len(SNOMED) == len(set(SNOMED.values())) == 133  # the rows of the two files


def test_the_learners_own_files(ecgs):
    write(ecgs, "mine")
    write(ecgs / "ward", "mine")
    write(ecgs / "ptb-xl", "00001_hr", "Condition: LBBB")
    listed = records()
    assert list(listed) == ["mine", "00001_hr", "ward/mine"]
    assert {info.condition for info in listed.values()} == {None}
    assert {info.origin for info in listed.values()} == {"your own"}
    assert load_record("ward/mine").record_id == "mine"


def test_simulated_recordings_come_last_with_their_own_words(ecgs, tmp_path):
    gallery = tmp_path / "assets" / "gallery"
    write(gallery, "lbbb_1", "Condition: LBBB", "Title: left bundle branch block, marked")
    write(gallery, "lvh_1", "Condition: LVH")
    write(ecgs / "ptb-xl", "14493_hr")
    listed = records()
    assert list(listed) == ["14493_hr", "lbbb_1", "lvh_1"]
    assert (listed["lbbb_1"].condition, listed["lbbb_1"].title) == ("LBBB", "left bundle branch block, marked")
    assert (listed["lvh_1"].condition, listed["lvh_1"].title) == (None, "lvh_1: simulated")
    assert list(records("LBBB")) == ["14493_hr", "lbbb_1"]
    assert load_record("lbbb_1").metadata["condition"] == "LBBB"


def test_incomplete_and_senseless_files_are_left_out(ecgs):
    write(ecgs, "good")
    write(ecgs, "half")
    (ecgs / "half.dat").unlink()
    for name, content in [("empty", b""), ("page", b"<!DOCTYPE html>\n</html>\n"), ("binary", bytes(range(256)))]:
        (ecgs / f"{name}.hea").write_bytes(content)
    assert list(records()) == ["good"]


def test_wrong_names_get_a_hint(ecgs):
    write(ecgs, "record01")
    with pytest.raises(ValueError, match=r"no record 'record1'. Did you mean record01\?"):
        load_record("record1")
    with pytest.raises(ValueError, match="no condition 'LVH'; expected one of AVB, ISCH, LBBB, RBBB, NORM"):
        records("LVH")


def test_public_names():
    assert leadwise.records is records
    assert leadwise.load_record is load_record


def test_real_recordings(ecgs, reference):
    shutil.copytree(reference / "ecg" / "cinc2021", ecgs / "cinc2021")
    (ecgs / "excerpts").mkdir()
    for number in ("03509", "14493"):
        shutil.copy(reference / "ecg" / f"ptbxl_{number}_preprocessed.npy", ecgs / "excerpts" / f"{number}.npy")
    listed = records()
    assert len(listed) == 15
    assert set(records("RBBB")) == {"E07509"}
    assert set(records("NORM")) == {"E07506", "E07511", "E07513", "HR06004", "HR06005"}
    assert set(records("AVB")) | set(records("LBBB")) == {"03509_hr", "14493_hr"}
    assert not any("SNOMED" in info.title for info in listed.values())
    for name, info in listed.items():
        ecg = load_record(name)
        assert ecg.samples == (2000 if ecg.preprocessed else 5000)
        assert info.condition in {*CONDITIONS, None}
