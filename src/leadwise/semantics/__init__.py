"""From saliency to semantics: relevance maps as statements about leads, waves and beats."""

from leadwise.semantics.beats import BeatAverage, beat_average
from leadwise.semantics.criteria import CRITERIA, Agreement, Criterion, agreement, describe
from leadwise.semantics.tables import (
    LEAD_GROUPS,
    WAVES,
    RelevanceTable,
    group_relevance,
    lead_relevance,
    lead_wave_matrix,
    wave_labels,
    wave_relevance,
    waves_of,
)

__all__ = [
    "CRITERIA",
    "LEAD_GROUPS",
    "WAVES",
    "Agreement",
    "BeatAverage",
    "Criterion",
    "RelevanceTable",
    "agreement",
    "beat_average",
    "describe",
    "group_relevance",
    "lead_relevance",
    "lead_wave_matrix",
    "wave_labels",
    "wave_relevance",
    "waves_of",
]
