"""Speed of the simulator: a thousand records, and what computing all beats, phases and leads at once saves.

    python benchmarks/simulate.py            writes benchmarks/simulate.json

The ratio compares the heart's signal with the same sums in plain loops over beats, phases and leads, and checks that
both agree. Processor time, best of several rounds, so that a noisy neighbour does not count (set OMP_NUM_THREADS=1).
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np

from leadwise.simulation.conditions import CONDITIONS, FS
from leadwise.simulation.heart_vector import bump
from leadwise.simulation.simulate import Asked, _amplitudes, _heart, _layers, simulate_batch, simulate_ecg

SAMPLES = 5000


def heart_in_loops(asked: Asked) -> np.ndarray:
    """Return the heart's eight leads (8, T) as ``_heart`` does, one pulse of one phase in one lead at a time."""
    patient, beat = asked.patient, asked.beat
    rhythm = CONDITIONS[asked.condition].rhythm(patient, asked.seed, asked.severity, beat.pr, SAMPLES)
    signal, time_ms = np.zeros((8, SAMPLES)), np.arange(SAMPLES) * 1000 / FS
    for layer in _layers(beat, rhythm, patient, SAMPLES):
        stretches = np.broadcast_to(layer.stretch, layer.beats.shape)
        for onset, stretch, amplitudes in zip(layer.onset, stretches, _amplitudes(layer, patient), strict=True):
            for (start, end, rise, fall), amplitude in zip(layer.wave.time, amplitudes, strict=True):
                first, last = (layer.pivot + (t - layer.pivot) * stretch + onset for t in (start, end))
                inside = slice(*np.searchsorted(time_ms, (first - rise * stretch, last + fall * stretch)))
                for lead in range(8):
                    pulse = bump(time_ms[inside], first, last, rise * stretch, fall * stretch)
                    signal[lead, inside] += amplitude[lead] * pulse
    return signal


def best(function, rounds: int) -> float:
    """Return the shortest of several runs, in seconds of processor time."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    """Run the benchmark, print the table and save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=100, help="records a round")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    result = {"numpy": np.__version__, "python": platform.python_version()}
    result |= {"load of the machine": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}
    result["seconds for 1000 records of 10 s"] = {}
    for condition in CONDITIONS:
        spent = best(lambda name=condition: simulate_batch(name, range(options.records)), options.rounds)
        result["seconds for 1000 records of 10 s"][condition] = round(spent * 1000 / options.records, 1)
    both = best(lambda: simulate_batch("LBBB", range(options.records)).counterfactual, options.rounds)
    result["seconds for 1000 records with their counterfactuals"] = round(both * 1000 / options.records, 1)
    asked = [simulate_ecg("LBBB", seed, severity=0.5).asked for seed in range(20)]
    np.testing.assert_allclose(_heart(asked[1])[0], heart_in_loops(asked[1]), atol=1e-9)
    at_once = best(lambda: [_heart(one) for one in asked], options.rounds)
    in_loops = best(lambda: [heart_in_loops(one) for one in asked], options.rounds)
    result["loops / at once"] = round(in_loops / at_once, 1)
    print(json.dumps(result, indent=2))
    options.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
