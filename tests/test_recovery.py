"""Maps against causes that are known: on new patients, which the embedded models never saw, is the truth recovered?"""

from functools import lru_cache

import numpy as np
import pytest
import torch

from leadwise import attribute, load_ecg_model
from leadwise.cohort import Cohort
from leadwise.ecg.filters import PUBLISHED_FS, preprocess
from leadwise.evaluation import area_share, relevance_mass
from leadwise.semantics import WAVES, lead_wave_matrix
from leadwise.simulation.simulate import simulate_batch

SEED, COUNT, WINDOW = 7_700_000, 10, 2000
# Chosen on other patients (benchmarks/ground_truth.py's tuning seeds).
BEST = {
    "AVB": ("grad_cam_pp", {}),
    "LBBB": ("lrp_epsilon", {"epsilon": 1.0}),
    "RBBB": ("lrp_epsilon", {"epsilon": 1.0}),
}


@lru_cache
def patients(condition):
    """Windows (N, 12, T), causal masks and waves of new patients."""
    offset = {"NORM": 100}.get(condition, 0)  # other people than the ill
    batch = simulate_batch(condition, range(SEED + offset, SEED + offset + COUNT))
    signals = preprocess(batch.signal, PUBLISHED_FS)[:, :, :WINDOW].astype(np.float32)
    return torch.from_numpy(signals), batch.causal_mask[:, :, :WINDOW], batch.waves


@pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning")  # Grad-CAM has no leads
@pytest.mark.parametrize("pathology", BEST)
def test_the_best_method_puts_its_positive_relevance_on_the_cause(pathology):
    x, mask, _ = patients(pathology)
    method, parameters = BEST[pathology]
    maps = attribute(load_ecg_model(pathology, "embedded", verbose=False), x, method, 1, **parameters)
    area = area_share(mask).mean()
    assert relevance_mass(maps, mask).mean() >= (0.85 if area > 0.4 else 2 * area)


def test_ischaemia_is_recovered_sample_by_sample_from_the_healthy_twin():
    """No map of one recording alone does it: the network reads QRS as well, in the ill and in the healthy.

    Integrated gradients that start at the same patient without ischaemia ask what the condition changed.
    """
    x, mask, _ = patients("ISCH")
    batch = simulate_batch("ISCH", range(SEED, SEED + COUNT))
    twin = torch.from_numpy(preprocess(batch.counterfactual, PUBLISHED_FS)[:, :, :WINDOW].astype(np.float32))
    model = load_ecg_model("ISCH", "embedded", verbose=False)
    maps = attribute(model, x, "integrated_gradients", 1, steps=24, baseline=twin)
    assert relevance_mass(maps, mask).mean() >= 2 * area_share(mask).mean()


def mean_signed(model, condition):
    """Mean signed lead x wave matrix of a group, (12, 6), in units of the logit."""
    x, _, waves = patients(condition)
    cohort = Cohort()
    for relevance, own in zip(attribute(model, x, "lrp_epsilon", 1), waves, strict=True):
        cohort.update(signed=lead_wave_matrix(relevance, own).sum("signed"))
    return cohort.mean("signed")


def test_ischaemia_is_recovered_by_leads_and_waves_once_the_healthy_are_subtracted():
    """Half of a map of ischaemia is what healthy people have as well: the QRS complexes, above all."""
    _, mask, waves = patients("ISCH")
    model = load_ecg_model("ISCH", "embedded", verbose=False)
    gained = (mean_signed(model, "ISCH") - mean_signed(model, "NORM")).clip(min=0)
    causes = [lead_wave_matrix(one.astype(float), own) for one, own in zip(mask, waves, strict=True)]
    area = np.mean([cause.area for cause in causes], 0)
    covered = np.mean([cause.positive for cause in causes], 0) / mask[0].size
    inside = (gained * covered / area).sum() / gained.sum()
    assert inside >= 2 * mask.mean()
    by_wave = dict(zip(WAVES, gained.sum(0) / gained.sum(), strict=True))
    assert by_wave["ST"] + by_wave["T"] > 0.5
