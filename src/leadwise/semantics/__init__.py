"""From saliency to semantics: relevance maps as statements about leads, waves, beats and cohorts."""

from leadwise.semantics.beats import BeatAverage, beat_average
from leadwise.semantics.criteria import CRITERIA, NAMED, Agreement, Criterion, agreement, describe
from leadwise.semantics.interventions import (
    BANDS,
    WAVE_GROUPS,
    Effects,
    Parts,
    contrast,
    interventions,
    misplaced,
    parts_of,
    parts_of_masks,
    settled,
)
from leadwise.semantics.measured import Interval, beside_criterion, measure, st_levels
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
    "BANDS",
    "CRITERIA",
    "LEAD_GROUPS",
    "NAMED",
    "WAVES",
    "WAVE_GROUPS",
    "Agreement",
    "BeatAverage",
    "Criterion",
    "Effects",
    "Interval",
    "Parts",
    "RelevanceTable",
    "agreement",
    "beat_average",
    "beside_criterion",
    "contrast",
    "describe",
    "group_relevance",
    "interventions",
    "lead_relevance",
    "lead_wave_matrix",
    "measure",
    "misplaced",
    "parts_of",
    "parts_of_masks",
    "settled",
    "st_levels",
    "wave_labels",
    "wave_relevance",
    "waves_of",
]
