"""Simulate the recordings that come with the course: ``python training/gallery.py``.

WFDB records of 10 s with the waves as annotations, in ``src/leadwise/assets/gallery``. Seeds from 3,000,000 on: no
model was trained or tested on these patients.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from leadwise.ecg.delineation import Delineation
from leadwise.ecg.leads import LEADS
from leadwise.paths import ASSETS
from leadwise.semantics import measure, st_levels
from leadwise.simulation.conditions import CONDITIONS
from leadwise.simulation.simulate import SimulatedECG, simulate_ecg

FIRST_SEED = 3_000_000
MILD, MARKED = 0.25, 0.8  # severities
MEASURED = {"AVB": "PR", "LBBB": "QRS", "RBBB": "QRS"}
"""Condition -> the interval that its title tells; ischaemia tells ST, all others the rate."""


@dataclass(frozen=True)
class Entry:
    """One recording: its file name, and what the simulator is asked for."""

    name: str
    condition: str
    severity: float | None = None
    territory: str | None = None


GALLERY = (
    Entry("sim-norm-1", "NORM"),
    Entry("sim-norm-2", "NORM"),
    Entry("sim-norm-3", "NORM"),
    Entry("sim-avb-1", "AVB", MILD),
    Entry("sim-avb-2", "AVB", MARKED),
    Entry("sim-lbbb-1", "LBBB", MILD),
    Entry("sim-lbbb-2", "LBBB", MARKED),
    Entry("sim-rbbb-1", "RBBB", MILD),
    Entry("sim-rbbb-2", "RBBB", MARKED),
    Entry("sim-isch-1", "ISCH", MILD, "V4-V6"),
    Entry("sim-isch-2", "ISCH", MARKED, "I, aVL, V4-V6"),
    Entry("sim-isch-3", "ISCH", MARKED, "diffuse"),
    Entry("sim-lvh-1", "LVH", MARKED),
    Entry("sim-af-1", "AF", MARKED),
    Entry("sim-pvc-1", "PVC", MARKED),
    Entry("sim-avb2-1", "AVB2", MARKED),
)


def simulated(entry: Entry) -> SimulatedECG:
    """Simulate one entry; its seed is its place in the gallery."""
    seed = FIRST_SEED + GALLERY.index(entry)
    ecg = simulate_ecg(entry.condition, seed, severity=entry.severity, territory=entry.territory)
    return replace(ecg, metadata={**ecg.metadata, "title": title_of(entry, ecg)})


def title_of(entry: Entry, ecg: SimulatedECG) -> str:
    """Return what the recording is and what is measured in it: "sim-lbbb-1: left bundle branch block, QRS 148 ms"."""
    waves = Delineation(ecg.waves, (), ecg.fs)
    shown = MEASURED.get(entry.condition)
    if entry.condition == "ISCH":
        level = np.median(st_levels(ecg, waves), axis=0)
        lead = min((i for i, name in enumerate(LEADS) if name != "aVR"), key=lambda i: level[i])
        measured = f"ST {level[lead]:+.2f} mV in {LEADS[lead]}".replace("-", "−")
    elif shown is not None:
        measured = f"{shown} {measure(ecg, waves)[shown].median:.0f} ms"
    else:
        measured = f"rate {60_000 / waves.intervals()['RR']:.0f}"
    return f"{entry.name}: {CONDITIONS[entry.condition].title}, {measured}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=ASSETS / "gallery")
    folder = parser.parse_args().out
    for entry in GALLERY:
        print(simulated(entry).save(folder, entry.name))


if __name__ == "__main__":
    main()
