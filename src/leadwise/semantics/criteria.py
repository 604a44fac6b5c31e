"""What the criteria of a diagnosis name, how much of the relevance lies there, and a sentence that says both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leadwise.ecg.leads import LEADS
from leadwise.ecg.waves import Wave
from leadwise.plotting import percent
from leadwise.semantics.tables import WAVES, RelevanceTable, lead_wave_matrix

WAVE_NAMES = {
    "P": "the P wave",
    "PR": "the PR segment",
    "QRS": "the QRS complex",
    "ST": "the ST segment",
    "T": "the T wave",
    "rest": "the rest, between T and P",
}


@dataclass(frozen=True)
class Criterion:
    """One row of ``CRITERIA``.

    Parameters
    ----------
    says : the criterion, in short
    waves : the parts of the beat that it is read in, of ``WAVES``
    leads : the leads that it is read in
    source : where it is stated

    Raises
    ------
    ValueError : no wave or no lead, or an unknown one
    """

    says: str
    waves: tuple[str, ...]
    leads: tuple[str, ...]
    source: str

    def __post_init__(self):
        for what, given, known in (("waves", self.waves, WAVES), ("leads", self.leads, LEADS)):
            if isinstance(given, str) or not given or not set(given) <= set(known):
                raise ValueError(f"{what} is {given!r}; expected a tuple with some of {', '.join(known)}.")

    @property
    def cells(self) -> np.ndarray:
        """Which cells of the lead x wave matrix the criterion names, bool (12, 6)."""
        return self.cells_of(LEADS)

    def cells_of(self, leads: Sequence[str]) -> np.ndarray:
        """Return which cells of a matrix of some leads the criterion names, bool (leads, 6)."""
        return np.isin(leads, self.leads)[:, None] & np.isin(WAVES, self.waves)


SURAWICZ = "Surawicz et al., J Am Coll Cardiol 53 (2009) 976-981, doi:10.1016/j.jacc.2008.12.013"

CRITERIA = {
    "AVB": Criterion(
        "PR interval, from the onset of P to the onset of QRS, above 200 ms; every P conducted",
        ("P", "PR"),
        LEADS,  # an interval over all leads: the criterion names none
        "Kusumoto et al., Circulation 140 (2019) e382-e482, doi:10.1161/CIR.0000000000000628",
    ),
    "ISCH": Criterion(
        "horizontal or downsloping ST depression from 0.05 mV, or T inversion, in two contiguous leads",
        ("ST", "T"),
        LEADS,  # any two neighbours: which, depends on the wall
        "Wagner et al., J Am Coll Cardiol 53 (2009) 1003-1011, doi:10.1016/j.jacc.2008.12.016; "
        "Thygesen et al., Circulation 138 (2018) e618-e651, doi:10.1161/CIR.0000000000000617",
    ),
    "LBBB": Criterion(
        "QRS from 120 ms; broad, notched or slurred R in I, aVL, V5, V6; QS or rS in V1",
        ("QRS",),
        ("I", "aVL", "V1", "V5", "V6"),
        f"{SURAWICZ}; V1: Strauss et al., Am J Cardiol 107 (2011) 927-934, doi:10.1016/j.amjcard.2010.11.010",
    ),
    "RBBB": Criterion(
        "QRS from 120 ms; rsr', rsR' or rSR' in V1 or V2; S longer than R or than 40 ms in I and V6",
        ("QRS",),
        ("I", "V1", "V2", "V6"),
        SURAWICZ,
    ),
}
"""Pathology -> where its criterion is read. ST and T are opposite to QRS in both blocks; that accompanies a block and
does not define it, so these cells are not counted."""


@dataclass(frozen=True)
class Agreement:
    """How much of the positive relevance lies where the criterion is read.

    Parameters
    ----------
    share : of the positive relevance inside the criterion's cells, 0 to 1
    area : share of the recording's samples in these cells
    lift : share / area; 1 is what an even spread gives, 1 / area the most. NaN where the recording has no such cell
    """

    share: float
    area: float
    lift: float


def criterion_of(pathology: str | Criterion | Mapping) -> Criterion:
    """Return a row of ``CRITERIA``, or say which there are; a criterion of one's own, or its fields, as one."""
    if isinstance(pathology, Criterion):
        return pathology
    if isinstance(pathology, Mapping):
        return Criterion(**{name: tuple(v) if isinstance(v, list) else v for name, v in pathology.items()})
    if pathology not in CRITERIA:
        raise ValueError(f"no criteria for {pathology!r}; expected one of {', '.join(CRITERIA)}.")
    return CRITERIA[pathology]


def agreement(matrix: RelevanceTable, pathology: str | Criterion | Mapping) -> Agreement:
    """Compare a lead x wave matrix with the criterion of a diagnosis.

    The criterion says where a cardiologist reads, not where the network must look: a low score is a finding about the
    network or about the method of explanation, not an error by itself.

    Parameters
    ----------
    matrix : from :func:`~leadwise.semantics.lead_wave_matrix`
    pathology : a key of ``CRITERIA``, or a criterion of one's own
    """
    cells = criterion_of(pathology).cells_of(matrix.names[0])
    share, area = float(matrix.share("positive")[cells].sum()), float(matrix.area[cells].sum())
    return Agreement(share, area, share / area if area else float("nan"))


def describe(relevance, waves: Sequence[Wave] = (), pathology: str | None = None) -> str:
    """Say in one or two sentences where the evidence for the explained class lies, and where the criteria look.

    The first sentence names the two parts of the beat with the most positive relevance, and the two leads with the most
    in the first part. The second sets the criterion of the pathology beside it. All numbers are computed. It speaks
    about a network, never about a patient.

    Parameters
    ----------
    relevance : tensor or array (12, T), of the pathology's logit; or its lead x wave matrix
    waves : in samples of the same window; not needed with a matrix
    pathology : a key of ``CRITERIA``; None leaves the second sentence out

    Raises
    ------
    ValueError : relevance of another shape, not finite, or an unknown pathology
    """
    matrix = relevance if isinstance(relevance, RelevanceTable) else lead_wave_matrix(relevance, waves)
    if not matrix.positive.sum() > 0:
        return "No sample has positive relevance: the map shows no evidence for the explained class."
    sentences = [_where(matrix)]
    if pathology is not None:
        sentences.append(_beside_criterion(matrix, pathology))
    return " ".join(sentences)


def _where(matrix: RelevanceTable) -> str:
    """Say which waves and leads hold the most positive relevance."""
    share, area = matrix.share("positive"), matrix.along(1).area
    if area[WAVES.index("rest")] >= 1:
        most = _top(share.sum(1), matrix.names[0])
        return f"No heartbeat could be delineated; the positive relevance lies most in {most}."
    first, second = np.argsort(-share.sum(0), kind="stable")[:2]
    by_wave = share.sum(0)
    return (
        f"{percent(by_wave[first])} of the positive relevance lies in {WAVE_NAMES[WAVES[first]]} "
        f"({percent(area[first])} of the recording), most in {_top(share[:, first], matrix.names[0])}; "
        f"{percent(by_wave[second])} in {WAVE_NAMES[WAVES[second]]} ({percent(area[second])})."
    )


def _top(share: np.ndarray, leads: Sequence[str], count: int = 2) -> str:
    """Name the leads with the largest shares: "V1 (24 %) and V6 (15 %)"."""
    order = [i for i in np.argsort(-share, kind="stable")[:count] if share[i] > 0]
    return " and ".join(f"{leads[i]} ({percent(share[i])})" for i in order)


def _beside_criterion(matrix: RelevanceTable, pathology: str) -> str:
    """Say what the criterion names, and how much of the positive relevance lies there."""
    row, found = criterion_of(pathology), agreement(matrix, pathology)
    leads = "any lead" if row.leads == LEADS else ", ".join(row.leads)
    named = f"For {pathology} the criteria name {' and '.join(WAVE_NAMES[w] for w in row.waves)} in {leads}"
    if not found.area:
        return f"{named}; none could be delineated in this recording."
    return (
        f"{named}: these hold {percent(found.share)} of the positive relevance on {percent(found.area)} of the "
        f"recording, {found.lift:.1f} times what an even spread would put there."
    )
