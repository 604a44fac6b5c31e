"""Evaluation: can an explanation be trusted? Tests of maps against the truth, the network and chance."""

from ecgxai.evaluation.faithfulness import ORDERS, Curve, deletion, insertion
from ecgxai.evaluation.inputs import SIGNS, EvaluationWarning
from ecgxai.evaluation.localisation import (
    LOCALISATION,
    Measure,
    area_share,
    auprc,
    localise,
    pointing_game,
    relevance_mass,
    relevance_rank,
)
from ecgxai.evaluation.replacement import REPLACEMENTS, Replacement, neighbouring_beat, r_peaks, replace
from ecgxai.evaluation.statistics import Estimate, bootstrap

__all__ = [
    "LOCALISATION",
    "ORDERS",
    "REPLACEMENTS",
    "SIGNS",
    "Curve",
    "Estimate",
    "EvaluationWarning",
    "Measure",
    "Replacement",
    "area_share",
    "auprc",
    "bootstrap",
    "deletion",
    "insertion",
    "localise",
    "neighbouring_beat",
    "pointing_game",
    "r_peaks",
    "relevance_mass",
    "relevance_rank",
    "replace",
]
