"""DICOM ECGs: pydicom's own sample equals pydicom; files of our own making, spoiled or not, are read or refused."""

import io
import warnings

import numpy as np
import pytest

from leadwise.ecg.leads import LEADS
from leadwise.recordings.reading import MissingInformation, read_ecg
from leadwise.recordings.recording import RecordError, RecordWarning
from test_fuzz_recordings import mutate, outcome
from wfdb_bytes import digital

pydicom = pytest.importorskip("pydicom")
from pydicom.data import get_testdata_file  # noqa: E402
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset  # noqa: E402
from pydicom.sequence import Sequence  # noqa: E402
from pydicom.waveforms import multiplex_array  # noqa: E402

STEPS = digital().astype(int)  # (12, 600)
CODES = dict(zip(LEADS, (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8), strict=True))
ECG_CLASS, GENERAL = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.840.10008.5.1.4.1.1.9.1.2"


def code(value: str, meaning: str, scheme: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodeMeaning, item.CodingSchemeDesignator = value, meaning, scheme
    return item


def channel(lead: str, unit="uV", sensitivity=5, correction=1, baseline=0, mdc=True) -> Dataset:
    item = Dataset()
    value = f"2:{CODES[lead]}" if mdc else f"5.6.3-9-{CODES[lead]}"
    item.ChannelSourceSequence = Sequence([code(value, f"Lead {lead}", "MDC" if mdc else "SCPECG")])
    if sensitivity is not None:
        item.ChannelSensitivity, item.ChannelBaseline = sensitivity, baseline
        item.ChannelSensitivityCorrectionFactor = correction
        if unit:
            item.ChannelSensitivityUnitsSequence = Sequence([code(unit, unit, "UCUM")])
    item.WaveformBitsStored = 16
    return item


def group(steps=STEPS, leads=LEADS, fs=500, kind="<i2", letters="SS", label="RHYTHM", **options) -> Dataset:
    item = Dataset()
    item.NumberOfWaveformChannels, item.NumberOfWaveformSamples = steps.shape
    item.SamplingFrequency, item.MultiplexGroupLabel, item.WaveformOriginality = fs, label, "ORIGINAL"
    item.ChannelDefinitionSequence = Sequence([channel(lead, **options) for lead in leads])
    item.WaveformBitsAllocated, item.WaveformSampleInterpretation = 8 * np.dtype(kind).itemsize, letters
    item.add_new("WaveformData", "OW", np.ascontiguousarray(steps.T).astype(kind).tobytes())
    return item


def dicom(*groups: Dataset, kind=ECG_CLASS, syntax="1.2.840.10008.1.2.1", **said) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID = kind, "1.2.3", syntax
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = kind, "1.2.3"
    dataset.WaveformSequence = Sequence(groups)
    for name, value in said.items():
        setattr(dataset, name, value)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def read(data: bytes, name="a.dcm", **said):
    return read_ecg(data, name=name, **said)


def test_the_sample_of_pydicom():
    path = get_testdata_file("waveform_ecg.dcm")
    ecg = read_ecg(path)
    dataset = pydicom.dcmread(path)
    truth = multiplex_array(dataset, 0, as_raw=False).T / 1000  # its channels are in µV, and in standard order
    np.testing.assert_allclose(ecg.signal, truth, atol=1e-6)
    assert ecg.fs == dataset.WaveformSequence[0].SamplingFrequency == 1000
    assert "MEDIAN BEAT (1.2 s)" in " ".join(ecg.notes)
    assert not {str(dataset.PatientName), str(dataset.PatientID)} & set(ecg.metadata.values())


@pytest.mark.parametrize("mdc", [True, False])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
def test_codes_and_orders_of_bytes(mdc, syntax):
    order = ">" if syntax.endswith("2.2") else "<"
    ecg = read(dicom(group(mdc=mdc, kind=f"{order}i2"), syntax=syntax, PatientAge="061Y", PatientSex="M"))
    np.testing.assert_allclose(ecg.signal, STEPS * 0.005, atol=1e-6)
    assert (ecg.fs, ecg.metadata["age"], ecg.metadata["sex"]) == (500, "061Y", "M")


@pytest.mark.parametrize(
    ("kind", "letters"), [("<i2", "SS"), ("<u2", "US"), ("<i4", "SL"), ("<u4", "UL"), ("i1", "SB")]
)
def test_stored_types(kind, letters):
    steps = np.clip(STEPS, 0, None) if "u" in kind else STEPS
    steps = np.clip(steps, -128, 127) if kind == "i1" else steps
    ecg = read(dicom(group(steps, kind=kind, letters=letters), kind=GENERAL))
    np.testing.assert_allclose(ecg.signal, steps * 0.005, atol=1e-6)


@pytest.mark.parametrize(("unit", "millivolts"), [("uV", 1e-3), ("mV", 1), ("V", 1e3), ("nV", 1e-6)])
def test_sensitivity_correction_and_baseline(unit, millivolts):
    ecg = read(dicom(group(unit=unit, sensitivity=0.25 / millivolts / 100, correction=1.5, baseline=0.5 / millivolts)))
    np.testing.assert_allclose(ecg.signal, STEPS * 0.00375 + 0.5, rtol=1e-6)


def test_eight_leads_in_another_order():
    leads = ("V6", "II", "V1", "V2", "V3", "V4", "V5", "I")
    ecg = read(dicom(group(STEPS[[LEADS.index(lead) for lead in leads]], leads)))
    for lead in leads:
        np.testing.assert_allclose(ecg.lead(lead), STEPS[LEADS.index(lead)] * 0.005, atol=1e-6)


def test_minus_avr_and_other_channels():
    item = group(np.vstack([STEPS, STEPS[:1]]), [*LEADS, "I"])
    item.ChannelDefinitionSequence[3].ChannelSourceSequence = Sequence([code("2:65", "-aVR", "MDC")])
    item.ChannelDefinitionSequence[12].ChannelSourceSequence = Sequence([code("2:9", "Lead V7", "MDC")])
    ecg = read(dicom(item))
    np.testing.assert_allclose(ecg.lead("aVR"), -STEPS[3] * 0.005, atol=1e-6)
    assert "Lead V7" in " ".join(ecg.notes)


def test_padding_is_invalid_and_a_bad_electrode_is_said():
    item = group()
    item.add_new("WaveformPaddingValue", "OW", np.int16(STEPS[4, 7]).tobytes())
    item.ChannelDefinitionSequence[4].ChannelStatus = "QUESTIONABLE"
    with pytest.warns(RecordWarning) as caught:
        ecg = read(dicom(item))
    assert np.isnan(ecg.signal).sum() == np.count_nonzero(STEPS - STEPS[4, 7] == 0)
    assert any("aVL is marked QUESTIONABLE" in str(each.message) for each in caught)


def test_the_longest_group_is_read():
    short = group(STEPS[:, :100] // 2, label="MEDIAN BEAT")
    for groups in ((short, group()), (group(), short)):
        np.testing.assert_allclose(read(dicom(*groups)).signal, STEPS * 0.005, atol=1e-6)


def test_what_it_does_not_say_is_asked_for():
    for item, missing in ((group(unit=None), "unit"), (group(sensitivity=None), "unit")):
        with pytest.raises(MissingInformation) as caught:
            read(dicom(item))
        assert caught.value.missing == (missing,)
    item = group()
    del item.SamplingFrequency
    with pytest.raises(MissingInformation) as caught:
        read(dicom(item))
    assert caught.value.missing == ("fs",)
    assert read(dicom(item), fs=250).fs == 250


def changed(where=None, **fields) -> bytes:
    item = group()
    for name, value in fields.items():
        setattr(item if where is None else item.ChannelDefinitionSequence[where], name, value)
    return dicom(item)


REFUSED = {
    "other bytes than it says": (lambda: changed(NumberOfWaveformSamples=599), "599 samples are"),
    "a claim": (lambda: changed(NumberOfWaveformSamples=2**31), "too long"),
    "no samples": (lambda: changed(NumberOfWaveformSamples=0), "0 samples"),
    "fewer channels than it says": (
        lambda: changed(NumberOfWaveformChannels=6, NumberOfWaveformSamples=1200),
        "defines",
    ),
    "mu-law": (lambda: changed(WaveformSampleInterpretation="MB", WaveformBitsAllocated=8), "MB of 8 bits"),
    "skew": (lambda: changed(3, ChannelSampleSkew="2"), "2 samples apart"),
    "a unit that is no voltage": (lambda: dicom(group(unit="mm[Hg]")), "no unit of voltage"),
    "a code and another name": (
        lambda: changed(1, ChannelSourceSequence=Sequence([code("2:2", "Lead III", "MDC")])),
        "code of lead II, called Lead III",
    ),
    "a lead twice": (lambda: dicom(group(leads=[*LEADS[:11], "V5"])), "two channels for lead V5"),
    "three leads": (lambda: dicom(group(STEPS[:3], LEADS[:3])), "lacks V1"),
    "no ECG": (lambda: dicom(group(), kind="1.2.840.10008.5.1.4.1.1.2"), "no ECG: CT Image"),
    "no waveform": (lambda: dicom(), "no waveforms"),
    "an end too soon": (lambda: dicom(group())[:900], "no valid DICOM|holds no waveforms|bytes of samples"),
    "deflated": (lambda: dicom(group(), syntax="1.2.840.10008.1.2.1.99"), "deflated"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case):
    make, message = REFUSED[case]
    with pytest.raises(RecordError, match=message):
        read(make())


def test_a_file_without_extension_and_another_in_its_place(tmp_path):
    (tmp_path / "IM0001").write_bytes(dicom(group()))
    assert read_ecg(tmp_path / "IM0001").metadata["format"] == "DICOM"
    with pytest.raises(RecordError, match="cannot be read as CSV: it holds DICOM"):
        read(dicom(group()), name="a.csv")


def test_mutants():
    rng, data = np.random.default_rng(6), dicom(group(STEPS[:, :50]), group(STEPS[:, :10]))
    seen = [outcome(lambda: read(mutate(rng, data))) is None for _ in range(300)]
    assert 30 < sum(seen) < 270
