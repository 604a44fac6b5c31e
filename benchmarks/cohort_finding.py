"""What only a cohort shows: 20,000 simulated recordings of 5 s, and one cart with two cables of the chest exchanged.

    python benchmarks/cohort_finding.py --workers 2      writes benchmarks/cohort_finding_2000.npz and ..._20000.npz

The table is that of ``simulated_ptb_xl.py``: sex and age are drawn and change nothing in a recording. Eight carts
recorded them. Cart 7, which made one recording in a hundred, has V1 and V2 exchanged. Cart 3 stands in a clinic for
conduction disease: four in ten of its patients have a left bundle branch block, elsewhere one in twelve. Each
recording is delineated from its signal, as a real one is. Notebook 12 reads the two files; they hold means, spreads and
counts, no recordings.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np

from leadwise import load_ecg_model, simulate_ecg
from leadwise.cohort import Cohort, Records, explain_cohort
from leadwise.cohort.datasets import age_band
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG

sys.path.insert(0, str(Path(__file__).parent))

SEED, SECONDS = 11, 5.0
SIZES = 2_000, 20_000
CARTS = {"cart 1": 0.22, "cart 2": 0.19, "cart 3": 0.13, "cart 4": 0.15, "cart 5": 0.12, "cart 6": 0.1,
         "cart 7": 0.01, "cart 8": 0.08}  # fmt: skip
EXCHANGED, CLINIC, SHARE = "cart 7", "cart 3", 0.35
GROUPS = "sex", "age_band", "cart", "finding", "cart, finding"
KEPT = {"": ("share", "lead_share", "wave_share", "probability", "agreement", "positive", "negative", "area"),
        "cart, finding": ("lead_share", "probability")}  # fmt: skip


def main() -> None:
    """Explain both sizes and save what the notebook needs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--checkpoint", type=Path, help="a folder to resume from")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    network, everybody = load_ecg_model("LBBB", "embedded"), patients(max(options.sizes))
    for size in options.sizes:
        place = options.checkpoint / str(size) if options.checkpoint else None
        cohort = explain_cohort(
            network, everybody.first(size), "lrp_epsilon", groups=GROUPS, workers=options.workers, checkpoint=place
        )
        path = thinned(cohort).save(options.out / f"{Path(__file__).stem}_{size}.npz")
        print(f"{cohort} -> {path.name}, {path.stat().st_size / 1e3:.0f} kB")


def patients(count: int, seed: int = SEED) -> Records:
    """Return the recordings, as functions, with their table."""
    from simulated_ptb_xl import kind_of, table

    rng, rows = np.random.default_rng([seed, 1]), table(max(SIZES), seed)[:count]
    carts = rng.choice(list(CARTS), max(SIZES), p=list(CARTS.values()))[:count].tolist()
    chance = rng.random(max(SIZES))[:count]
    kinds = [kind_of(row) for row in rows]
    kinds = ["LBBB" if cart == CLINIC and p < SHARE else kind
             for cart, kind, p in zip(carts, kinds, chance, strict=True)]  # fmt: skip
    sources = [partial(recording, kind, seed * 10_000_000 + number, cart == EXCHANGED)
               for number, (kind, cart) in enumerate(zip(kinds, carts, strict=True))]  # fmt: skip
    columns = {
        "sex": ["female" if row["sex"] else "male" for row in rows],
        "age_band": [age_band(row["age"]) for row in rows],
        "cart": carts, "finding": kinds,
        "cart, finding": [f"{cart}, {kind}" for cart, kind in zip(carts, kinds, strict=True)],
    }  # fmt: skip
    return Records(sources, [f"{row['ecg_id']:05d}" for row in rows], columns, "a simulated PTB-XL")


def recording(kind: str, seed: int, exchanged: bool) -> ECG:
    """Return the signal of a simulated patient, without what the simulator knows of its waves."""
    whole = simulate_ecg(kind, seed, seconds=SECONDS)
    order = ["V2" if lead == "V1" else "V1" if lead == "V2" else lead for lead in LEADS] if exchanged else LEADS
    return ECG(np.stack([whole.lead(lead) for lead in order]), whole.fs)


def thinned(cohort: Cohort, column: str = "", value: str = "") -> Cohort:
    """Return a cohort with the numbers that the notebook shows; beats only of all and of cart 7."""
    kept = (*KEPT.get(column, KEPT[""]), *(("beat_signal",) if value in ("", EXCHANGED) else ()))
    moments = {name: cohort.moments[name] for name in kept if name in cohort.moments}
    groups = {
        name: {key: thinned(one, name, key) for key, one in values.items() if one.records}
        for name, values in cohort.groups.items()
    }
    return Cohort(cohort.settings, moments, cohort.records, cohort.left_out, cohort.reasons, cohort.complaints, groups)


if __name__ == "__main__":
    main()
