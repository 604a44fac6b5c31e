"""Public data sets as records with the columns of their tables: PTB-XL, MIMIC-IV-ECG, the PhysioNet/CinC Challenges.

Nothing is downloaded and no recording is opened here; a record whose file is missing or damaged is left out, by name,
when its turn comes.
"""

import ast
import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

from leadwise.cohort.records import Records
from leadwise.recordings.catalogue import CODES, SNOMED
from leadwise.recordings.recording import RecordError
from leadwise.recordings.wfdb import read_comments

SCP = {
    "AVB": ("1AVB",),
    "ISCH": ("ISC_", "ISCAL", "ISCAN", "ISCAS", "ISCIL", "ISCIN", "ISCLA"),
    "LBBB": ("CLBBB",),
    "RBBB": ("CRBBB",),
    "NORM": ("NORM",),
}
"""Condition -> the SCP-ECG statements of PTB-XL that name it (scp_statements.csv). Incomplete blocks name none."""

BANDS = ((0, 18), (18, 40), (40, 60), (60, 80), (80, 200))
"""Ages in years, lower end included; PTB-XL gives 300 for everybody above 89."""


def ptb_xl(folder: str | Path, rate: int = 500) -> Records:
    """Return PTB-XL (Wagner et al., Sci Data 7 (2020) 154, doi:10.1038/s41597-020-0495-6) as records.

    Parameters
    ----------
    folder : where ``ptbxl_database.csv`` lies
    rate : 500 or 100 Hz, which of the two files of a record

    Returns
    -------
    Records, in the table's order; columns: ``patient``, ``sex``, ``age_band``, ``site``, ``device``, ``fold`` ("1" to
        "10"; 9 and 10 are validated by hand), ``scp`` (all statements), ``label`` (conditions that the course knows,
        see ``SCP``)

    Raises
    ------
    RecordError : no such table, or one without the columns of PTB-XL
    ValueError : another rate
    """
    files = {500: "filename_hr", 100: "filename_lr"}
    if rate not in files:
        raise ValueError(f"rate is {rate!r}; PTB-XL has 500 and 100 Hz.")
    folder = Path(folder).expanduser()
    needed = ("ecg_id", "patient_id", "age", "sex", "site", "device", "scp_codes", "strat_fold", files[rate])
    rows = list(_table(folder / "ptbxl_database.csv", needed))
    scp = [tuple(_statements(row, folder)) for row in rows]
    columns: dict[str, list] = {
        "patient": [_whole(row["patient_id"]) for row in rows],
        "sex": [{"0": "male", "1": "female"}.get(_whole(row["sex"])) for row in rows],
        "age_band": [age_band(row["age"]) for row in rows],
        "site": [_whole(row["site"]) for row in rows],
        "device": [row["device"].strip() or None for row in rows],
        "fold": [_whole(row["strat_fold"]) for row in rows],
        "scp": scp,
        "label": [_named(SCP, codes) for codes in scp],
    }
    return Records([folder / row[files[rate]] for row in rows], [row["ecg_id"] for row in rows], columns, "PTB-XL")


def mimic_iv_ecg(folder: str | Path, patients: str | Path | None = None) -> Records:
    """Return MIMIC-IV-ECG (Gow et al. 2023, doi:10.13026/4nqg-sb35) as records.

    Parameters
    ----------
    folder : where ``record_list.csv`` lies, and ``machine_measurements.csv`` where it has been fetched
    patients : ``patients.csv`` or ``patients.csv.gz`` of MIMIC-IV's module "hosp", which alone knows sex and age

    Returns
    -------
    Records, in the list's order, named by study; columns: ``patient``; ``statement``, what the machine says, where its
        table is there; ``sex`` and ``age_band`` at the time of the recording, where ``patients`` is given

    Raises
    ------
    RecordError : no such table, or one without its columns
    """
    folder = Path(folder).expanduser()
    rows = list(_table(folder / "record_list.csv", ("subject_id", "study_id", "ecg_time", "path")))
    columns: dict[str, list] = {"patient": [row["subject_id"] for row in rows]}
    machine = folder / "machine_measurements.csv"
    if machine.is_file():
        said = {
            row["study_id"]: tuple(v.strip() for k, v in row.items() if k.startswith("report_") and (v or "").strip())
            for row in _table(machine, ("study_id", "report_0"))
        }
        columns["statement"] = [said.get(row["study_id"], ()) for row in rows]
    if patients is not None:
        needed = ("subject_id", "gender", "anchor_age", "anchor_year")
        people = {row["subject_id"]: row for row in _table(Path(patients).expanduser(), needed)}
        known = [people.get(row["subject_id"]) for row in rows]
        columns["sex"] = [{"F": "female", "M": "male"}.get(one["gender"]) if one else None for one in known]
        columns["age_band"] = [_age_then(one, row["ecg_time"]) for one, row in zip(known, rows, strict=True)]
    return Records([folder / row["path"] for row in rows], [row["study_id"] for row in rows], columns, "MIMIC-IV-ECG")


def challenge(folder: str | Path) -> Records:
    """Return a folder of the PhysioNet/CinC Challenges 2020 and 2021 as records: every header below it.

    Returns
    -------
    Records, by path; columns: ``sex``, ``age_band``, ``source`` (the first folder below), ``dx`` (names of the SNOMED
        CT codes), ``label`` (conditions that the course knows, see ``leadwise.recordings.catalogue.CODES``)

    Raises
    ------
    RecordError : no header below the folder
    """
    folder = Path(folder).expanduser()
    headers = sorted(folder.rglob("*.hea"))
    if not headers:
        raise RecordError(f"{folder} holds no WFDB header (*.hea); name the folder of the challenge's recordings.")
    said = [_comments(header) for header in headers]
    codes = [tuple(code.strip() for code in one.get("dx", "").split(",") if code.strip()) for one in said]
    columns: dict[str, list] = {
        "sex": [{"f": "female", "m": "male"}.get(one.get("sex", "").strip().lower()[:1]) for one in said],
        "age_band": [age_band(one.get("age", "")) for one in said],
        "source": [header.relative_to(folder).parts[0] if header.parent != folder else None for header in headers],
        "dx": [tuple(SNOMED.get(code, f"SNOMED {code}") for code in own) for own in codes],
        "label": [_named(CODES, own) for own in codes],
    }
    sources = [header.with_suffix("") for header in headers]
    names = [source.relative_to(folder).as_posix() for source in sources]
    return Records(sources, names, columns, "PhysioNet/CinC Challenge")


def age_band(age: str | float | None) -> str | None:
    """Return the band of ``BANDS`` that an age lies in: "40-59", "80+"; None where it is missing or none.

    >>> age_band("59.0"), age_band(300), age_band("NaN")
    ('40-59', '80+', None)
    """
    try:
        years = float(age)
    except (TypeError, ValueError):
        return None
    years = 90.0 if years == 300 else years
    band = next((band for band in BANDS if band[0] <= years < band[1]), None)
    return band and (f"{band[0]}+" if band == BANDS[-1] else f"{band[0]}-{band[1] - 1}")


def _table(path: Path, needed: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file, packed or not, that has the needed columns."""
    if not path.is_file():
        raise RecordError(f"no file {path.name} in {path.parent}; expected the folder of the data set.")
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            reader = csv.DictReader(file)
            lacking = [name for name in needed if name not in (reader.fieldnames or [])]
            if lacking:
                raise RecordError(f"{path} lacks the columns {', '.join(lacking)}; is it the table of this data set?")
            yield from reader
    except (OSError, UnicodeError, csv.Error) as error:
        raise RecordError(f"{path} cannot be read ({error}). Fetch it again.") from error


def _statements(row: dict[str, str], folder: Path) -> list[str]:
    """Return the keys of PTB-XL's ``scp_codes``, a dict written as text."""
    try:
        return list(ast.literal_eval(row["scp_codes"]))
    except (ValueError, SyntaxError, TypeError) as error:
        raise RecordError(
            f"{folder / 'ptbxl_database.csv'} gives record {row['ecg_id']} the scp_codes {row['scp_codes'][:60]!r}; "
            "expected a dict such as {'NORM': 100.0}."
        ) from error


def _named(meanings: dict[str, tuple[str, ...]], codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(condition for condition, meant in meanings.items() if set(meant) & set(codes))


def _whole(text: str | None) -> str | None:
    """Return a whole number that a table writes as "13619.0" as "13619"; None where there is none."""
    text = (text or "").strip()
    return text.removesuffix(".0") or None


def _age_then(patient: dict[str, str] | None, time: str) -> str | None:
    """Return the age band at the time of a recording: MIMIC gives each patient an age in one, shifted, year."""
    try:
        return age_band(int(patient["anchor_age"]) + int(time[:4]) - int(patient["anchor_year"]))
    except (TypeError, ValueError):
        return None


def _comments(header: Path) -> dict[str, str]:
    """Return a header's comments; none where it can't be read: opening the record will say why."""
    try:
        return read_comments(header)
    except ValueError:
        return {}
