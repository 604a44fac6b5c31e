"""Evaluation: can an explanation be trusted? Tests of maps against the truth, the network and chance."""

from leadwise.evaluation.faithfulness import ORDERS, SCORES, Curve, deletion, insertion
from leadwise.evaluation.inputs import EvaluationWarning
from leadwise.evaluation.localisation import (
    LOCALISATION,
    Measure,
    area_share,
    auprc,
    localise,
    pointing_game,
    relevance_mass,
    relevance_rank,
)
from leadwise.evaluation.replacement import REPLACEMENTS, Replacement, neighbouring_beat, replace
from leadwise.evaluation.robustness import (
    CLAIMS,
    across_models,
    across_seeds,
    complexity,
    infidelity,
    sensitivity_max,
    sparseness,
    stability,
)
from leadwise.evaluation.sanity import (
    RANDOMISERS,
    LabelRandomisation,
    WeightRandomisation,
    label_randomisation,
    train_on_random_labels,
    weight_randomisation,
    weighted_layers,
)
from leadwise.evaluation.similarity import CORRELATIONS, similarity
from leadwise.evaluation.statistics import Estimate, bootstrap

__all__ = [
    "CLAIMS",
    "CORRELATIONS",
    "LOCALISATION",
    "ORDERS",
    "RANDOMISERS",
    "REPLACEMENTS",
    "SCORES",
    "Curve",
    "Estimate",
    "EvaluationWarning",
    "LabelRandomisation",
    "Measure",
    "Replacement",
    "WeightRandomisation",
    "across_models",
    "across_seeds",
    "area_share",
    "auprc",
    "bootstrap",
    "complexity",
    "deletion",
    "infidelity",
    "insertion",
    "label_randomisation",
    "localise",
    "neighbouring_beat",
    "pointing_game",
    "relevance_mass",
    "relevance_rank",
    "replace",
    "sensitivity_max",
    "similarity",
    "sparseness",
    "stability",
    "train_on_random_labels",
    "weight_randomisation",
    "weighted_layers",
]
