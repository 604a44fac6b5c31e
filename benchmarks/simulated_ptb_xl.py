"""A simulated PTB-XL: recordings of known patients in the folders, files and table of the real one.

    python benchmarks/simulated_ptb_xl.py FOLDER                       21,799 records of 10 s, 500 Hz: 2.6 GB
    python benchmarks/simulated_ptb_xl.py FOLDER --count 500 --low     both rates

A record that is there already is not made again. What the table says of a patient (sex, age, site) is drawn here and
changes nothing in the recording, but for the label, which is the simulated condition.
"""

import argparse
import ast
import csv
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

COUNT = 21_799
CONDITIONS = {
    "NORM": ("NORM", 0.44), "LBBB": ("CLBBB", 0.08), "RBBB": ("CRBBB", 0.08), "AVB": ("1AVB", 0.08),
    "ISCH": ("ISC_", 0.1), "LVH": ("LVH", 0.1), "AF": ("AFIB", 0.07), "PVC": ("PVC", 0.05),
}  # fmt: skip
"""Simulated condition -> its SCP-ECG statement, and how many of all have it."""

FAULTS = (
    "flat lead", "no heartbeat", "heights that no ECG has", "truncated", "missing data", "invalid samples", "too short",
    "wrong checksum", "a lead too few", "no header",
)  # fmt: skip
"""What a record may have that no cohort should count."""


def main() -> None:
    """Make the folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--low", action="store_true", help="also the files of 100 Hz")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    make(options.folder, options.count, low=options.low, processes=options.processes)


def make(folder: Path, count: int, *, low: bool = False, processes: int = 1, seed: int = 0) -> Path:
    """Write ``count`` records and ptbxl_database.csv; return the folder."""
    rows = table(count, seed)
    write = partial(record, Path(folder), low, seed)
    if processes == 1:
        list(map(write, rows))
    else:
        with ProcessPoolExecutor(processes) as pool:
            list(pool.map(write, rows, chunksize=50))
    with (Path(folder) / "ptbxl_database.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return Path(folder)


def table(count: int, seed: int = 0) -> list[dict]:
    """Return the rows of ptbxl_database.csv, with the columns that the course reads, written as PTB-XL does."""
    rng = np.random.default_rng(seed)
    names, shares = list(CONDITIONS), np.array([share for _, share in CONDITIONS.values()])
    kinds = rng.choice(names, count, p=shares / shares.sum())
    ages = rng.normal(60, 17, count).clip(2, 95).round()
    rows = []
    for number, (kind, age) in enumerate(zip(kinds, ages, strict=True), 1):
        thousand = f"{number // 1000 * 1000:05d}"
        codes = {CONDITIONS[kind][0]: 100.0} | ({} if kind in ("AF", "AVB") else {"SR": 0.0})
        rows.append({
            "ecg_id": number, "patient_id": f"{number // 1.16:.1f}", "age": f"{300 if age > 89 else age:.1f}",
            "sex": int(rng.integers(2)), "site": f"{rng.integers(4):.1f}", "device": rng.choice(["CS-12", "AT-6 C"]),
            "scp_codes": str(codes), "strat_fold": int(rng.integers(1, 11)),
            "filename_lr": f"records100/{thousand}/{number:05d}_lr",
            "filename_hr": f"records500/{thousand}/{number:05d}_hr",
        })  # fmt: skip
    return rows


def kind_of(row: dict) -> str:
    """Return the simulated condition of a row of the table."""
    code = next(iter(ast.literal_eval(row["scp_codes"])))
    return next(kind for kind, (statement, _) in CONDITIONS.items() if statement == code)


def record(folder: Path, low: bool, seed: int, row: dict) -> None:
    """Simulate one patient and write the files of one row."""
    places = {500: folder / row["filename_hr"]} | ({100: folder / row["filename_lr"]} if low else {})
    if all(path.with_suffix(".hea").is_file() for path in places.values()):
        return
    from leadwise import simulate_ecg

    ecg = simulate_ecg(kind_of(row), seed * 1_000_000 + row["ecg_id"])
    for rate, path in places.items():
        write_wfdb(path, ecg.signal if rate == 500 else ecg.resample(rate).signal, rate)


def write_wfdb(path: Path, signal: np.ndarray, fs: int, comments: tuple[str, ...] = ()) -> None:
    """Write a signal (12, T), mV, as a WFDB record of 16 bits, 1 µV a step; the header comes last."""
    from leadwise.ecg.leads import LEADS

    steps = np.round(signal * 1000).clip(-32767, 32767).astype("<i2")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".dat").write_bytes(steps.T.tobytes())
    sums = (steps.sum(1, dtype=np.int64) + 2**15) % 2**16 - 2**15
    lines = [f"{path.name} {len(LEADS)} {fs} {steps.shape[1]}"]
    for lead, row, total in zip(LEADS, steps, sums, strict=True):
        lines.append(f"{path.name}.dat 16 1000.0(0)/mV 16 0 {row[0]} {total} 0 {lead}")
    path.with_suffix(".hea").write_text("\n".join([*lines, *(f"#{line}" for line in comments)]) + "\n")


def spoiled(kind: str, folder: Path, seed: int = 77) -> Path:
    """Write a record of 5 s with one of ``FAULTS``; return its path."""
    from leadwise import simulate_ecg

    ecg = simulate_ecg("NORM", seed, seconds=5)
    signal = ecg.signal.copy()
    if kind == "flat lead":
        signal[3] = 0
    elif kind == "no heartbeat":
        signal[:] = 0.01 * np.random.default_rng(0).standard_normal(signal.shape)
    path = replace(ecg, signal=signal).save(folder, kind.replace(" ", "-"))
    data = path.with_suffix(".dat")
    if kind == "truncated":
        data.write_bytes(data.read_bytes()[:-4000])
    elif kind == "missing data":
        data.unlink()
    elif kind == "invalid samples":
        steps = np.fromfile(data, "<i2").reshape(-1, 12)
        steps[100:140, 2] = -32768
        steps.tofile(data)
    elif kind == "wrong checksum":
        steps = np.fromfile(data, "<i2")
        steps[500] += 3
        steps.tofile(data)
    elif kind == "too short":
        path = simulate_ecg("NORM", seed, seconds=3).save(folder, "too-short")
    elif kind == "a lead too few":
        path.write_text(path.read_text().replace(" V6", " V9"))
    elif kind == "heights that no ECG has":
        path.write_text(path.read_text().replace("1000.0(0)/mV", "10.0(0)/mV"))
    elif kind == "no header":
        path.unlink()
    return path.with_suffix("")


if __name__ == "__main__":
    main()
