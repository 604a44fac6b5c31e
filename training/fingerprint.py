"""What the simulator makes, in one short string: it changes when the simulated ECGs change, not when a comment does."""

import hashlib

import numpy as np

from leadwise.simulation.conditions import CONDITIONS
from leadwise.simulation.simulate import simulate_batch

SEEDS = range(3)


def simulator_fingerprint() -> str:
    """Return 16 hexadecimal digits: sha256 of three patients a condition, every tenth sample, in steps of 0.01 mV.

    The step is coarse enough that another processor's last digit doesn't change it.
    """
    digest = hashlib.sha256()
    for condition in sorted(CONDITIONS):
        batch = simulate_batch(condition, SEEDS)
        digest.update(condition.encode())
        digest.update(np.floor(batch.signal[:, :, ::10] / 0.01).astype("<i2").tobytes())
        digest.update(np.packbits(batch.causal_mask[:, :, ::10]).tobytes())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    print(simulator_fingerprint())
