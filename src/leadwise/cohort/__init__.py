"""Whole cohorts: where does a network read, in thousands of recordings, and in whom does it differ?"""

from leadwise.cohort.checkpoint import load_checkpoint
from leadwise.cohort.comparisons import Difference, difference, difference_within, forest, paired_difference
from leadwise.cohort.datasets import challenge, mimic_iv_ecg, ptb_xl
from leadwise.cohort.engine import EngineError
from leadwise.cohort.moments import CheckpointError, Cohort, Moments
from leadwise.cohort.records import Record, Records
from leadwise.cohort.rows import read_rows
from leadwise.cohort.run import explain_cohort
from leadwise.cohort.store import pack, packed
from leadwise.cohort.summary import summarise

__all__ = [
    "CheckpointError",
    "Cohort",
    "Difference",
    "EngineError",
    "Moments",
    "Record",
    "Records",
    "challenge",
    "difference",
    "difference_within",
    "explain_cohort",
    "forest",
    "load_checkpoint",
    "mimic_iv_ecg",
    "pack",
    "packed",
    "paired_difference",
    "ptb_xl",
    "read_rows",
    "summarise",
]
