"""Are simulated hearts like real ones? Thirty-odd quantities, measured alike on four kinds of healthy recordings.

    python benchmarks/simulator.py            writes benchmarks/simulator.json and benchmarks/simulator.md

Columns: simulated men and women (``--patients`` of each, with noise), published normal values by sex, recordings of
a generative model that was trained on real ones, and real sinus rhythm. Median and, in brackets, 10th and 90th
percentile; of statements, the share of recordings for which they hold. Every column but the published one is measured
by the same code: waves by ``leadwise.ecg.delineation``, then the median beat, measured from the line just before QRS.

The generative recordings are made by ``pip install deepfake-ecg`` (MIT; Thambawita et al., Scientific Reports 11 (2021)
21896), eight leads, seconds 2 to 8 of each (its ends are distorted); the package is no dependency of the course. Real
recordings are those of the CinC 2021 challenge whose header says sinus rhythm and nothing else but a rate
(``LEADWISE_REFERENCE``, or ../shared/reference). Both are what ``training/real_records.py`` asks the networks about. A
column whose material is absent is left out, and the table says so.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from leadwise import load_ecg, simulate_ecg
from leadwise.ecg.delineation import delineate
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.simulation.heart_vector import electrical_axis
from leadwise.simulation.simulate import SimulatedECG

sys.path.append(str(Path(__file__).resolve().parents[1] / "training"))
from real_records import REFERENCE, generated_signals, sinus

L = {name: row for row, name in enumerate(LEADS)}
FS = 500.0

ELSA = "medians: ELSA-Brasil, Pinto-Filho et al., Arq Bras Cardiol 109 (2017) 416-424, doi:10.5935/abc.20170141"
WHI = "women's 2nd and 98th percentiles: Rautaharju et al., J Electrocardiol 46 (2013) 707-716, PMC3825808"
MASON = (
    "2nd and 98th percentiles: Mason et al., J Electrocardiol 40 (2007) 228-234, doi:10.1016/j.jelectrocard.2006.09.003"
)

DRAWN = ", as drawn"
"""Marks what the simulator knows without measuring. Our delineation begins a simulated QRS 8 ms early and ends it 8 ms
late, and is shorter than cardiologists are on real ones (``benchmarks/delineation.json``)."""

# Quantity -> sex -> (median, 2nd percentile, 98th percentile) or None where no open source gives it; and the sources.
# Rijnbeek et al. 2014 (doi:10.1016/j.jelectrocard.2014.07.022) tabulate amplitudes by lead, sex and age; their tables
# are not open, and no value is quoted here that was not read.
PUBLISHED = {
    "rate, 1/min": {"men": (63, 48, 98), "women": (66, 49, 88), "sources": (ELSA, MASON, WHI)},
    "PR, ms": {"men": (164, 113, 212), "women": (158, 118, 212), "sources": (ELSA, MASON, WHI)},
    "QRS, ms": {"men": (92, 69, 109), "women": (86, 70, 104), "sources": (ELSA, MASON, WHI)},
    "QTc (Fridericia), ms": {"men": (410, 359, 445), "women": (421, 388, 449), "sources": (ELSA, MASON, WHI)},
    "P duration, ms": {"men": (112, None, None), "women": (108, None, None), "sources": (ELSA,)},
    "axis of P, degrees": {"men": (54, None, None), "women": (57, None, None), "sources": (ELSA,)},
    "axis of QRS, degrees": {"men": (35, -40, 91), "women": (39, -40, 91), "sources": (ELSA, MASON)},
    "axis of T, degrees": {"men": (39, None, None), "women": (45, None, None), "sources": (ELSA,)},
}


# --- measuring -------------------------------------------------------------------------------------------------------


def median_beat(ecg: ECG) -> tuple[np.ndarray, dict[str, slice]] | None:
    """Return the median beat (12, T) in mV and the samples of P, QRS and T in it; None where waves are missing."""
    found = delineate(ecg)
    spans = {kind: {wave.beat: wave for wave in found.of(kind)} for kind in ("P", "QRS", "T")}
    beats = sorted(set(spans["P"]) & set(spans["QRS"]) & set(spans["T"]))
    before, after = 160, 300
    starts = [spans["QRS"][beat].onset for beat in beats]
    pieces = [ecg.signal[:, s - before : s + after] for s in starts if before <= s <= ecg.samples - after]
    if len(pieces) < 2:
        return None
    pieces = np.stack(pieces)
    pieces = pieces - np.median(pieces[:, :, before - 8 : before - 1], axis=2, keepdims=True)

    def place(kind):
        start = np.array([spans["QRS"][beat].onset for beat in beats])
        on, off = (
            np.median([getattr(spans[kind][beat], end) for beat in beats] - start) for end in ("onset", "offset")
        )
        return slice(max(before + int(on), 0), min(before + int(off), before + after))

    return np.median(pieces, axis=0), {kind: place(kind) for kind in ("P", "QRS", "T")}


def measure(ecg: ECG) -> dict[str, float] | None:
    """Measure one recording: quantity -> value (mV, ms, degrees, 1/min), or 0 and 1 for a statement."""
    if (made := median_beat(ecg)) is None:
        return None
    beat, spans = made
    p, qrs, t = (beat[:, spans[kind]] for kind in ("P", "QRS", "T"))
    rr = float(np.median(np.diff([w.onset for w in delineate(ecg).of("QRS")]))) * 1000 / FS
    height, depth = qrs.max(1).clip(0), -qrs.min(1).clip(max=0)
    r = qrs.argmax(1)
    q = np.array([-lead[: top + 1].min().clip(max=0) for lead, top in zip(qrs, r, strict=True)])
    t_peak = np.array([lead[np.abs(lead).argmax()] for lead in t])
    p_peak = np.array([lead[np.abs(lead).argmax()] for lead in p])
    st = beat[:, min(spans["QRS"].stop + 20, beat.shape[1] - 1)]
    axis = {k: electrical_axis(w[L["I"]].sum(), w[L["aVF"]].sum()) for k, w in (("P", p), ("QRS", qrs), ("T", t))}
    ms = 1000 / FS
    values = {
        "rate, 1/min": 60000 / rr,
        "P duration, ms": (spans["P"].stop - spans["P"].start) * ms,
        "PR, ms": (spans["QRS"].start - spans["P"].start) * ms,
        "QRS, ms": (spans["QRS"].stop - spans["QRS"].start) * ms,
        "QTc (Fridericia), ms": (spans["T"].stop - spans["QRS"].start) * ms / (rr / 1000) ** (1 / 3),
        **{f"axis of {kind}, degrees": value for kind, value in axis.items()},
        **{f"P in {lead}, mV": p_peak[L[lead]] for lead in ("I", "II", "III", "V1")},
        **{f"R in {lead}, mV": height[L[lead]] for lead in ("I", "II", "aVL", "V1", "V2", "V4", "V5", "V6")},
        **{f"S in {lead}, mV": depth[L[lead]] for lead in ("V1", "V2", "V3", "V5", "V6")},
        **{f"T in {lead}, mV": t_peak[L[lead]] for lead in ("I", "II", "V1", "V2", "V3", "V5", "V6")},
        **{f"ST (J + 40 ms) in {lead}, mV": st[L[lead]] for lead in ("II", "V2", "V5")},
        "S in V1 + R in V5 or V6, mV": depth[L["V1"]] + height[[L["V5"], L["V6"]]].max(),
        "R in aVL + S in V3, mV": height[L["aVL"]] + depth[L["V3"]],
    }
    upright = [row for name, row in L.items() if name != "aVR"]
    statements = {
        "T tallest in V2 or V3": np.abs(t_peak[6:]).argmax() in (1, 2),
        "T inverted in aVL under an upright QRS": height[L["aVL"]] > depth[L["aVL"]] and t_peak[L["aVL"]] < -0.02,
        "ST below -0.05 mV in any lead but aVR": st[upright].min() < -0.05,
        "q over 0.02 mV in I": q[L["I"]] > 0.02,
        "q over 0.02 mV in V6": q[L["V6"]] > 0.02,
        "R smaller than S in V1": height[L["V1"]] < depth[L["V1"]],
    }
    known = {}
    if isinstance(ecg, SimulatedECG):
        known = {f"{name}{DRAWN}, ms": ecg.parameters[name.lower()] for name in ("PR", "QRS")}
    return values | known | {name: float(holds) for name, holds in statements.items()}


# --- recordings ------------------------------------------------------------------------------------------------------


def simulated(sex: str, count: int, first: int = 3_000_000) -> Iterator[ECG]:
    """Yield ``count`` healthy simulated patients of one sex."""
    for seed in range(first, first + count):
        yield simulate_ecg("NORM", seed, patient={"sex": {"men": "male", "women": "female"}[sex]})


def generative() -> Iterator[ECG]:
    """Yield the recordings of the generative model; none without it."""
    signals = generated_signals()
    for row, signal in enumerate(() if signals is None else signals):
        yield ECG(signal=signal, fs=FS, record_id=f"generative-{row}")


def real() -> Iterator[ECG]:
    """Yield the real recordings whose header says sinus rhythm and, at most, its rate; none without reference."""
    for header in sorted((REFERENCE / "ecg/cinc2021").glob("*.hea")):
        ecg = load_ecg(header)
        if sinus(set(ecg.metadata["dx"].split(","))):
            yield ecg


# --- the table -------------------------------------------------------------------------------------------------------


def summary(ecgs: Iterator[ECG]) -> dict:
    """Measure recordings; quantity -> [median, 10th, 90th percentile], for a statement [share]; "n" -> how many."""
    rows = [row for ecg in ecgs if (row := measure(ecg)) is not None]
    table = {"n": len(rows)}
    for name in rows[0] if rows else ():
        values = np.array([row[name] for row in rows])
        table[name] = [values.mean()] if "," not in name else list(np.quantile(values, (0.5, 0.1, 0.9)))
    return table


def tenth_and_ninetieth(median: float, low: float | None, high: float | None) -> tuple[float, float] | None:
    """Estimate the 10th and 90th percentile from the 2nd and 98th, each side as half a normal distribution."""
    if low is None or high is None:
        return None
    share = 1.2816 / 2.0537
    return median - share * (median - low), median + share * (high - median)


def cell(name: str, numbers: list | None) -> str:
    """Write one cell of the table: [share], [median], [median, 10th, 90th percentile], or None."""
    if numbers is None:
        return "unknown" if DRAWN in name else "not open"
    if "," not in name:
        return f"{100 * numbers[0]:.0f} %"
    shown = [f"{x:.{2 if name.endswith('mV') else 0}f}" for x in numbers]
    return shown[0] if len(shown) == 1 else f"{shown[0]} ({shown[1]} to {shown[2]})"


def published(name: str, sex: str) -> list | None:
    """Return [median, 10th, 90th percentile] of a quantity, [median] alone, or None."""
    name = name.replace(DRAWN, "")
    if name not in PUBLISHED:
        return None
    median, low, high = PUBLISHED[name][sex]
    return [median, *(tenth_and_ninetieth(median, low, high) or ())]


def as_markdown(columns: dict[str, dict]) -> str:
    """Return the table, one row a quantity."""
    heads = [
        "",
        *(f"{name} (n = {column['n']})" for name, column in columns.items()),
        "published, men",
        "published, women",
    ]
    rows = [heads, ["---"] * len(heads)]
    for name in columns["simulated men"]:
        if name != "n":
            measured = [column.get(name) for column in columns.values()]
            known = [published(name, sex) for sex in ("men", "women")]
            rows.append([name, *(cell(name, numbers) for numbers in measured + known)])
    sources = dict.fromkeys(source for row in PUBLISHED.values() for source in row["sources"])
    return "\n".join(
        [
            "# Simulated hearts beside published, generative and real ones",
            "",
            "Made by `python benchmarks/simulator.py`; what is measured, and how, is said there.",
            "",
            *("| " + " | ".join(row) + " |" for row in rows),
            "",
            "As drawn is what the simulator knows; our delineation measures a simulated QRS 16 ms longer, on real ones",
            "11 ms shorter than cardiologists do (`benchmarks/delineation.json`).",
            "",
            "Published percentiles are estimated from the 2nd and 98th, each side as half a normal distribution:",
            "",
            *(f"- {source}" for source in sources),
            "",
        ]
    )


def main() -> None:
    """Measure, print and save the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=150, help="simulated patients of each sex")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    columns = {f"simulated {sex}": summary(simulated(sex, options.patients)) for sex in ("men", "women")}
    others = {"generative": summary(generative()), "real sinus rhythm": summary(real())}
    columns |= {name: found for name, found in others.items() if found["n"]}
    options.out.write_text(json.dumps(columns, indent=1) + "\n")
    options.out.with_suffix(".md").write_text(as_markdown(columns))
    print(as_markdown(columns))


if __name__ == "__main__":
    main()
