"""XML of recorders: round trips of our own writers, every way to spoil them, and hostile XML."""

import base64
import zlib

import numpy as np
import pytest

from leadwise.ecg.leads import LEADS, derive_limb_leads
from leadwise.recordings import xml_file
from leadwise.recordings.reading import MissingInformation, read_ecg
from leadwise.recordings.recording import RecordError, RecordWarning
from test_fuzz_recordings import WORDS, mutate, outcome
from wfdb_bytes import digital

STEPS = digital().astype(int)
EIGHT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
TRUTH = STEPS * 0.00488
for lead, row in derive_limb_leads(TRUTH[0], TRUTH[1]).items():
    TRUTH[LEADS.index(lead)] = row

# GE MUSE


def muse_lead(lead: str, row: np.ndarray, **fields) -> str:
    data = row.astype("<i2").tobytes()
    said = {
        "LeadByteCountTotal": len(data), "LeadTimeOffset": 0, "LeadSampleCountTotal": len(row),
        "LeadAmplitudeUnitsPerBit": 4.88, "LeadAmplitudeUnits": "MICROVOLTS", "LeadID": lead, "LeadSampleSize": 2,
        "LeadOff": "FALSE", "LeadDataCRC32": zlib.crc32(data), "WaveFormData": base64.encodebytes(data).decode(),
    } | fields  # fmt: skip
    body = "".join(f"<{name}>{value}</{name}>\n" for name, value in said.items() if value is not None)
    return f"<LeadData>{body}</LeadData>"


def muse_wave(rows=STEPS, leads=EIGHT, kind="Rhythm", base=500, exponent=0, **fields) -> str:
    body = "".join(muse_lead(lead, rows[LEADS.index(lead)], **fields) for lead in leads)
    rate = {"SampleBase": base, "SampleExponent": exponent}
    body = "".join(f"<{key}>{value}</{key}>" for key, value in rate.items() if value is not None) + body
    return f"<Waveform><WaveformType>{kind}</WaveformType><NumberofLeads>{len(leads)}</NumberofLeads>{body}</Waveform>"


def muse(*waves: str, encoding="ISO-8859-1", doctype='<!DOCTYPE RestingECG SYSTEM "restecg.dtd">') -> bytes:
    people = "<PatientDemographics><PatientAge>61</PatientAge><PatientLastName>Müller</PatientLastName>"
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n{doctype}\n<RestingECG>{people}</PatientDemographics>'
    return (text + "".join(waves) + "</RestingECG>").encode(encoding)


MEDIAN = muse_wave(STEPS[:, :60] // 2, kind="Median")


def read(data: bytes, name="a.xml", **said):
    return read_ecg(data, name=name, **said)


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-8", "UTF-16"])
def test_muse(encoding):
    for data in (muse(MEDIAN, muse_wave(), encoding=encoding), muse(muse_wave(), MEDIAN, encoding=encoding)):
        ecg = read(data)
        np.testing.assert_allclose(ecg.signal, TRUTH, atol=1e-6)
        assert (ecg.fs, ecg.metadata["format"], ecg.metadata["age"]) == (500, "MUSE XML", "61")
        assert "Computed III, aVR, aVL, aVF" in " ".join(ecg.notes)
        assert "Müller" not in str(ecg.metadata)


def test_muse_of_twelve_leads_in_millivolts_at_another_rate():
    fields = {"LeadAmplitudeUnits": "MILLIVOLTS", "LeadAmplitudeUnitsPerBit": "0.005"}
    ecg = read(muse(muse_wave(leads=LEADS, base=25, exponent=1, **fields), muse_wave(STEPS[:, :300])))
    np.testing.assert_allclose(ecg.signal, STEPS * 0.005, atol=1e-6)
    assert ecg.fs == 250
    assert "Left out 1 shorter rhythm." in ecg.notes


@pytest.mark.parametrize(
    ("wave", "missing"),
    [
        ({"base": None}, "fs"), ({"exponent": None}, "fs"), ({"LeadAmplitudeUnits": None}, "unit"),
        ({"LeadAmplitudeUnitsPerBit": None}, "unit"), ({"LeadID": "lead"}, "leads"), ({"LeadID": None}, "leads"),
    ],
)  # fmt: skip
def test_muse_asks(wave, missing):
    with pytest.raises(MissingInformation) as caught:
        read(muse(muse_wave(**wave)))
    assert caught.value.missing == (missing,)


@pytest.mark.parametrize(
    ("waves", "message"),
    [
        ([MEDIAN], "no rhythm; its waveforms: Median"),
        ([], "no rhythm"),
        ([muse_wave(LeadSampleSize=1)], "expected 2"),
        ([muse_wave(LeadSampleCountTotal=601)], "1200 bytes"),
        ([muse_wave(LeadSampleCountTotal="many")], "expected a number"),
        ([muse_wave(WaveFormData="!!!!")], "no Base64"),
        ([muse_wave(LeadAmplitudeUnitsPerBit="nan")], "expected a number"),
        ([muse_wave(LeadAmplitudeUnits="FURLONGS")], "no unit of voltage"),
        ([muse_wave(exponent=99)], "SampleExponent"),
        ([muse_wave(base=-500)], "-500 Hz"),
        ([muse_wave(leads=("I", "II", "V1"))], "lacks V2"),
        ([muse_wave(leads=(*EIGHT, "V6"))], "two channels for lead V6"),
        ([muse_wave(LeadOffsetFirstSample=0).replace("FirstSample>0", "FirstSample>9", 1)], "different times"),
        ([muse_wave().replace("<LeadTimeOffset>0", "<LeadTimeOffset>2500", 1)], "different times"),
    ],
)
def test_muse_is_refused(waves, message):
    with pytest.raises(RecordError, match=message):
        read(muse(*waves))


def test_muse_marks_and_checksums():
    with pytest.warns(RecordWarning) as caught:
        ecg = read(muse(muse_wave(LeadDataCRC32=1, LeadOff="TRUE")))
    assert {str(each.message)[3:] for each in caught} == set(ecg.notes[:16])
    assert any("checksum of lead V1 is wrong" in note for note in ecg.notes)
    assert any("electrode of lead II was off" in note for note in ecg.notes)


# HL7 aECG


def sequence(code: str, kind: str, body: str) -> str:
    system = "2.16.840.1.113883.6.24"
    return (
        f'<component><sequence><code code="{code}" codeSystem="{system}"/><value xsi:type="{kind}">{body}</value>'
        "</sequence></component>"
    )


def aecg_set(
    rows=STEPS, leads=EIGHT, scale='value="4.88" unit="uV"', origin='value="0" unit="uV"', step="0.002", unit="s"
):
    time = f'<head value="20020702093000.000"/><increment value="{step}" unit="{unit}"/>'
    parts = [sequence("TIME_ABSOLUTE", "GLIST_TS", time)]
    for lead in leads:
        digits = " ".join(map(str, rows[LEADS.index(lead)]))
        body = f"<origin {origin}/><scale {scale}/><digits>{digits}</digits>"
        parts.append(sequence(f"MDC_ECG_LEAD_{lead.upper()}", "SLIST_PQ", body))
    return f"<component><sequenceSet>{''.join(parts)}</sequenceSet></component>"


def aecg(*sets: str, derived="", encoding="UTF-8") -> bytes:
    series = f"<series>{''.join(sets)}{derived}</series>"
    head = f'<?xml version="1.0" encoding="{encoding}"?>\n<AnnotatedECG xmlns="urn:hl7-org:v3" '
    head += 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    return f"{head}<component>{series}</component></AnnotatedECG>".encode(encoding)


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1"])
@pytest.mark.parametrize(("step", "unit"), [("0.002", "s"), ("2", "ms"), ("2000", "us"), ("2.000E-3", "s")])
def test_aecg(encoding, step, unit):
    ecg = read(aecg(aecg_set(step=step, unit=unit), encoding=encoding))
    np.testing.assert_allclose(ecg.signal, TRUTH, atol=1e-6)
    assert (ecg.fs, ecg.metadata["format"]) == (500, "HL7 aECG")


def test_aecg_of_twelve_leads_with_an_origin():
    for scale, origin in (("0.005", 'value="1" unit="mV"'), ("0.005", 'value="1000" unit="uV"')):
        data = aecg(aecg_set(leads=LEADS, scale=f'value="{scale}" unit="mV"', origin=origin))
        np.testing.assert_allclose(read(data).signal, STEPS * 0.005 + 1, atol=1e-6)


def test_aecg_reads_the_longest_set_and_no_derived_beat():
    beat = aecg_set(STEPS[:, ::-1])
    derived = f"<derivation><derivedSeries>{beat}</derivedSeries></derivation>"
    ecg = read(aecg(aecg_set(STEPS[:, :100]), aecg_set(), derived=derived))
    np.testing.assert_allclose(ecg.signal, TRUTH, atol=1e-6)
    assert any("Left out 1 shorter set" in note for note in ecg.notes)


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({"unit": ""}, "fs"), ({"unit": "fortnight"}, "fs"),
        ({"scale": 'value="4.88"', "origin": 'value="0"'}, "unit"),
    ],
)  # fmt: skip
def test_aecg_asks(options, missing):
    with pytest.raises(MissingInformation) as caught:
        read(aecg(aecg_set(**options)))
    assert caught.value.missing == (missing,)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (aecg(), "no series"),
        (aecg(aecg_set(step="0")), "increment of time"),
        (aecg(aecg_set(step="x")), "expected a number"),
        (aecg(aecg_set(scale='unit="uV"')), "expected a number"),
        (aecg(aecg_set(scale='value="5" unit="mmHg"')), "no unit of voltage"),
        (aecg(aecg_set(origin='value="3" unit="mmHg"')), "origin in 'mmHg'"),
        (aecg(aecg_set()).replace(b"<digits>", b"<digits>x "), "no numbers"),
        (aecg(aecg_set()).replace(b"<digits>", b"<digits>0.5 "), "not whole"),
        (aecg(aecg_set()).replace(b"<digits>", b"<digits>nan "), "not whole"),
        (aecg(aecg_set()).replace(b"GLIST_TS", b"SLIST_TS"), "SLIST_TS"),
        (aecg(aecg_set()).replace(b"SLIST_PQ", b"GLIST_PQ"), "GLIST_PQ"),
        (aecg(aecg_set()).replace(b"<digits>", b"<digits>1 ", 1), "differ in length"),
        (aecg(aecg_set())[:-400], "no valid XML"),
    ],
)
def test_aecg_is_refused(data, message):
    with pytest.raises(RecordError, match=message):
        read(data)


# Hostile and foreign XML


LAUGHS = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
HOSTILE = {
    "billion laughs": f'<!DOCTYPE r [<!ENTITY a0 "ha">{LAUGHS}]>',
    "a file": '<!DOCTYPE r [<!ENTITY a9 SYSTEM "file:///etc/passwd">]>',
    "an address": '<!DOCTYPE r [<!ENTITY a9 PUBLIC "x" "http://127.0.0.1:9/x">]>',
    "a parameter": '<!DOCTYPE r [<!ENTITY % a9 SYSTEM "file:///etc/passwd"> %a9;]>',
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("make", [lambda: muse(muse_wave()), lambda: aecg(aecg_set())])
def test_entities_are_refused(case, make):
    text = make().decode("latin-1")
    text = text.replace('<!DOCTYPE RestingECG SYSTEM "restecg.dtd">', "").replace("?>", f"?>{HOSTILE[case]}", 1)
    for reference in ("", "&a9;"):
        with pytest.raises(RecordError, match="entities"):
            read(
                text.replace("<component>", f"<component>{reference}")
                .replace("<LeadID>", f"<LeadID>{reference}")
                .encode()
            )


def test_sizes_of_xml(monkeypatch):
    with pytest.raises(RecordError, match="MB are read"):
        read(b"<RestingECG>" + b" " * (xml_file.MOST_BYTES + 1))
    with pytest.raises(RecordError, match="elements"):
        read(b"<RestingECG>" + b"<a/>" * (xml_file.MOST_ELEMENTS + 1) + b"</RestingECG>")
    with pytest.raises(RecordError, match=r"valid XML|no rhythm"):
        read(b"<RestingECG>" + b"<a>" * 100_000)
    with pytest.raises(RecordError, match="no rhythm"):
        read(b"<RestingECG>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</RestingECG>")


@pytest.mark.parametrize(
    "make", [lambda: muse(MEDIAN, muse_wave(STEPS[:, :40])), lambda: aecg(aecg_set(STEPS[:, :40]))]
)
def test_mutants(make):
    rng, data, refused = np.random.default_rng(7), make(), 0
    for number in range(300):
        mutant = mutate(rng, data)
        if number % 2:
            parts = data.split(b">")
            at = int(rng.integers(0, len(parts)))
            parts[at] = WORDS[int(rng.integers(0, len(WORDS)))].encode() + b"<" + parts[at].partition(b"<")[2]
            mutant = b">".join(parts)
        refused += outcome(lambda mutant=mutant: read(mutant)) is None
    assert 30 < refused < 300
