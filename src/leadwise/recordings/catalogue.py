"""The recordings that the course can open now: downloaded ones, the learner's own, and the embedded simulated ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.language import pieces
from leadwise.paths import ASSETS, data_dir
from leadwise.recordings.reading import load_ecg
from leadwise.recordings.recording import RecordError, border
from leadwise.recordings.wfdb import read_comments, signal_files

CONDITIONS = {
    "AVB": "first-degree atrioventricular block",
    "ISCH": "ischaemia",
    "LBBB": "left bundle branch block",
    "RBBB": "right bundle branch block",
    "NORM": "normal sinus rhythm",
}

# The four records that Gumpfer et al. (AIME 2024) show.
PTB_XL = {"02906_hr": "RBBB", "03509_hr": "AVB", "12131_hr": "ISCH", "14493_hr": "LBBB"}
EXCERPTS = {"03509": "03509_hr", "14493": "14493_hr"}
EXCERPT_NOTE = (
    "The first 4 s, already preprocessed, recovered from a published 300-dpi plot: about 0.005 mV rms from the "
    "recording; the first and last 5 samples are held."
)

CINC_SOURCES = {"HR": "PTB-XL (CinC 2021)", "E": "Georgia (CinC 2021)", "JS": "Ningbo (CinC 2021)"}

# SNOMED CT codes of the "Dx" line, as the PhysioNet/CinC Challenge 2021 maps them
# (github.com/physionetchallenges/evaluation-2021, dx_mapping_scored.csv and dx_mapping_unscored.csv).
SNOMED = {
    "164917005": "abnormal Q wave",
    "164951009": "abnormal QRS",
    "164921003": "abnormal R wave",
    "164930006": "abnormal ST interval",
    "164934002": "abnormal T wave",
    "164937009": "abnormal U wave",
    "233892002": "accelerated atrial escape rhythm",
    "61277005": "accelerated idioventricular rhythm",
    "426664006": "accelerated junctional rhythm",
    "57054005": "acute myocardial infarction",
    "413444003": "acute myocardial ischaemia",
    "426434006": "anterior ischaemia",
    "54329005": "anterior myocardial infarction",
    "251173003": "atrial bigeminy",
    "251187003": "atrial escape beat",
    "164889003": "atrial fibrillation",
    "195080001": "atrial fibrillation and flutter",
    "164890007": "atrial flutter",
    "195126007": "atrial hypertrophy",
    "251268003": "atrial pacing pattern",
    "106068003": "atrial rhythm",
    "713422000": "atrial tachycardia",
    "50799005": "atrioventricular dissociation",
    "29320008": "atrioventricular junctional rhythm",
    "251166008": "atrioventricular node re-entrant tachycardia",
    "233897008": "atrioventricular re-entrant tachycardia",
    "233917008": "AV block",
    "251170000": "blocked premature atrial contraction",
    "74615001": "brady-tachy syndrome",
    "426627000": "bradycardia",
    "418818005": "Brugada pattern",
    "6374002": "bundle branch block",
    "698247007": "cardiac dysrhythmia",
    "426749004": "chronic atrial fibrillation",
    "413844008": "chronic myocardial ischaemia",
    "61721007": "clockwise or counterclockwise vectorcardiographic loop",
    "251198002": "clockwise rotation",
    "27885002": "complete heart block",
    "733534002": "complete left bundle branch block",
    "713427006": "complete right bundle branch block",
    "204384007": "congenital incomplete atrioventricular heart block",
    "53741008": "coronary heart disease",
    "251199005": "counterclockwise rotation",
    "82226007": "diffuse intraventricular block",
    "428417006": "early repolarisation",
    "270492004": "first-degree AV block",
    "164942001": "fragmented QRS",
    "13640000": "fusion beats",
    "84114007": "heart failure",
    "368009": "heart valve disorder",
    "251259000": "high T voltage",
    "49260003": "idioventricular rhythm",
    "251120003": "incomplete left bundle branch block",
    "713426002": "incomplete right bundle branch block",
    "251200008": "indeterminate cardiac axis",
    "425419005": "inferior ischaemia",
    "704997005": "inferior ST depression",
    "426995002": "junctional escape",
    "251164006": "junctional premature complex",
    "426648003": "junctional tachycardia",
    "425623009": "lateral ischaemia",
    "445118002": "left anterior fascicular block",
    "253352002": "left atrial abnormality",
    "67741000119109": "left atrial enlargement",
    "446813000": "left atrial hypertrophy",
    "39732003": "left axis deviation",
    "164909002": "left bundle branch block",
    "445211001": "left posterior fascicular block",
    "55827005": "left ventricular high voltage",
    "164873001": "left ventricular hypertrophy",
    "370365005": "left ventricular strain",
    "251146004": "low QRS voltages",
    "54016002": "Mobitz type I (Wenckebach) AV block",
    "426183003": "Mobitz type II AV block",
    "164865005": "myocardial infarction",
    "164861001": "myocardial ischaemia",
    "698252002": "nonspecific intraventricular conduction disorder",
    "428750005": "nonspecific ST-T abnormality",
    "164867002": "old myocardial infarction",
    "164912004": "P wave change",
    "10370003": "pacing rhythm",
    "251182009": "paired ventricular premature complexes",
    "282825002": "paroxysmal atrial fibrillation",
    "67198005": "paroxysmal supraventricular tachycardia",
    "425856008": "paroxysmal ventricular tachycardia",
    "365413008": "poor R wave progression",
    "284470004": "premature atrial contraction",
    "427172004": "premature ventricular contractions",
    "251205003": "prolonged P wave",
    "164947007": "prolonged PR interval",
    "111975006": "prolonged QT interval",
    "314208002": "rapid atrial fibrillation",
    "253339007": "right atrial abnormality",
    "67751000119106": "right atrial high voltage",
    "446358003": "right atrial hypertrophy",
    "47665007": "right axis deviation",
    "59118001": "right bundle branch block",
    "89792004": "right ventricular hypertrophy",
    "195042002": "second-degree AV block",
    "49578007": "shortened PR interval",
    "77867006": "shortened QT interval",
    "65778007": "sinoatrial block",
    "5609005": "sinus arrest",
    "427393009": "sinus arrhythmia",
    "426177001": "sinus bradycardia",
    "60423000": "sinus node dysfunction",
    "426783006": "sinus rhythm",
    "427084000": "sinus tachycardia",
    "429622005": "ST depression",
    "164931005": "ST elevation",
    "55930002": "ST-T changes",
    "251168009": "supraventricular bigeminy",
    "63593006": "supraventricular premature beats",
    "426761007": "supraventricular tachycardia",
    "251139008": "suspected reversal of arm electrodes",
    "59931005": "T wave inversion",
    "251223006": "tall P wave",
    "266257000": "transient ischaemic attack",
    "11157007": "ventricular bigeminy",
    "164884008": "ventricular ectopics",
    "75532003": "ventricular escape beat",
    "81898007": "ventricular escape rhythm",
    "164896001": "ventricular fibrillation",
    "111288001": "ventricular flutter",
    "266249003": "ventricular hypertrophy",
    "251266004": "ventricular pacing pattern",
    "195060002": "ventricular pre-excitation",
    "17338001": "ventricular premature beats",
    "164895002": "ventricular tachycardia",
    "251180001": "ventricular trigeminy",
    "195101003": "wandering atrial pacemaker",
    "17366009": "wandering rhythm between sinus node and atrium",
    "74390002": "Wolff-Parkinson-White pattern",
}
CODES = {
    "AVB": ("270492004",),
    "ISCH": ("164861001", "413444003", "413844008", "425419005", "425623009", "426434006"),
    "LBBB": ("164909002", "733534002"),
    "RBBB": ("59118001", "713427006"),
}
"""Condition -> the codes that name it. An incomplete block, an AV block of another or of no stated degree, and ST-T
changes of no stated cause are none of these conditions."""
SINUS_CODE = "426783006"


@dataclass(frozen=True)
class RecordInfo:
    """One recording that can be opened.

    Parameters
    ----------
    name : what ``load_record`` takes
    title : one line for a menu
    condition : "AVB", "ISCH", "LBBB", "RBBB", "NORM", or None where the recording carries no such label
    origin : "PTB-XL 1.0.3", "Georgia (CinC 2021)", "simulated" ...
    path : the header (.hea), or the .npy file of an excerpt
    """

    name: str
    title: str
    condition: str | None
    origin: str
    path: Path


def records(condition: str | None = None) -> dict[str, RecordInfo]:
    """List the recordings that can be opened now, real ones first.

    Looked for, in this order: the four PTB-XL records of the AIME 2024 paper (or, where a record is absent, its
    excerpt), the CinC 2021 records, any other WFDB record under ``ecgs/`` of the data folder, and the embedded
    simulated ones. A record whose signal file is missing is left out.

    Parameters
    ----------
    condition : only those with this label: "AVB", "ISCH", "LBBB", "RBBB" or "NORM"

    Returns
    -------
    dict : name -> RecordInfo. A name that comes again carries its folder: "mine/03509_hr"
    """
    if condition is not None and condition not in CONDITIONS:
        raise ValueError(f"no condition {condition!r}; expected one of {', '.join(CONDITIONS)}, or None for all.")
    folder = data_dir() / "ecgs"
    found: dict[str, RecordInfo] = {}
    seen: set[Path] = set()
    for info in (*_ptb_xl(folder), *_cinc2021(folder), *_own(folder), *_gallery()):
        if info.path in seen:
            continue
        seen.add(info.path)
        names = (info.name, f"{info.path.parent.name}/{info.name}", str(info.path.with_suffix("")))
        name = next(candidate for candidate in names if candidate not in found)
        found[name] = RecordInfo(name, pieces(info.title), info.condition, pieces(info.origin), info.path)
    return {name: info for name, info in found.items() if condition in (None, info.condition)}


def load_record(name: str) -> ECG:
    """Load one of ``records()`` by name.

    An excerpt comes already preprocessed, with a note that says what it is.

    Raises
    ------
    ValueError : no such record; the message names the nearest and how to get the real ones
    RecordError : the file is damaged
    """
    available = records()
    if name not in available:
        near = get_close_matches(name, available, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(available) or 'none'}."
        raise ValueError(f"no record {name!r}. {hint} Fetch the real ones with: python -m leadwise download ecgs")
    path = available[name].path
    return _load_excerpt(path) if path.suffix == ".npy" else load_ecg(path)


def _ptb_xl(folder: Path) -> Iterator[RecordInfo]:
    excerpts = {record: folder / "excerpts" / f"{file}.npy" for file, record in EXCERPTS.items()}
    for name, condition in PTB_XL.items():
        header, excerpt = folder / "ptb-xl" / f"{name}.hea", excerpts.get(name)
        if _complete(header):
            yield RecordInfo(name, f"{name}: {CONDITIONS[condition]}", condition, "PTB-XL 1.0.3", header)
        elif excerpt is not None and excerpt.is_file():
            title = f"{name}: {CONDITIONS[condition]} (excerpt of 4 s)"
            yield RecordInfo(name, title, condition, "PTB-XL 1.0.3, from a published plot", excerpt)


def _cinc2021(folder: Path) -> Iterator[RecordInfo]:
    for header in _headers(folder / "cinc2021"):
        labels, condition = _labels(header)
        source = next((origin for start, origin in CINC_SOURCES.items() if header.stem.startswith(start)), "CinC 2021")
        yield RecordInfo(header.stem, f"{header.stem}: {labels or 'no label'}", condition, source, header)


def _labels(header: Path) -> tuple[str, str | None]:
    """Return the names of the codes in a header's "Dx" line, and the first condition that one of them names."""
    codes = [code.strip() for code in read_comments(header).get("dx", "").split(",") if code.strip()]
    named = [condition for code in codes for condition, meant in CODES.items() if code in meant]
    condition = named[0] if named else "NORM" if codes == [SINUS_CODE] else None
    return ", ".join(SNOMED.get(code, f"SNOMED {code}") for code in codes), condition


def _own(folder: Path) -> Iterator[RecordInfo]:
    """Yield every record under ``ecgs/``; ``records`` skips those that an earlier list has named."""
    for header in _headers(folder):
        labels, condition = _labels(header)
        yield RecordInfo(header.stem, f"{header.stem}: {labels or 'your own recording'}", condition, "your own", header)


def _gallery() -> Iterator[RecordInfo]:
    for header in _headers(ASSETS / "gallery"):
        said = read_comments(header)
        condition = said.get("condition")
        yield RecordInfo(
            header.stem,
            said.get("title", f"{header.stem}: simulated"),
            condition if condition in CONDITIONS else None,
            "simulated",
            header,
        )


def _headers(folder: Path) -> list[Path]:
    return [header for header in sorted(folder.rglob("*.hea")) if _complete(header)]


def _complete(header: Path) -> bool:
    """Say whether a header and every file that it names are there; a header that makes no sense names none."""
    try:
        named = signal_files(header)
        return bool(named) and all(path.is_file() for path in named)
    except (OSError, ValueError):
        return False


def _load_excerpt(path: Path) -> ECG:
    with border(f"{path} is not a readable .npy file", "delete it and fetch it again"):
        signal = np.load(path, allow_pickle=False)
    if signal.shape != (2000, len(LEADS)) or not np.isfinite(signal).all():
        raise RecordError(
            f"{path} holds shape {signal.shape}; expected (2000, 12) finite values in mV. Fetch it again."
        )
    return ECG(signal.T, record_id=EXCERPTS[path.stem], preprocessed=True, notes=(EXCERPT_NOTE,))
