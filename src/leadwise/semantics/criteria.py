"""What the criteria of a diagnosis name, how much of the relevance lies there, and a sentence that says both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

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


NAMED = 0.5
"""A network names its pathology from this probability on; below, its answer is no."""


@dataclass(frozen=True)
class Criterion:
    """One row of ``CRITERIA``.

    Parameters
    ----------
    says : the criterion, in short
    waves : the parts of the beat that define it, of ``WAVES``
    leads : the leads that it is read in
    source : where it is stated
    companions : parts of the beat, of ``WAVES``, that belong to the finding and define it less
    interval, above, reached : the interval that it is measured by (None where none decides), its limit in ms, and
        whether the limit itself counts

    Raises
    ------
    ValueError : no wave or no lead, or an unknown one

    Examples
    --------
    >>> row = CRITERIA["LBBB"]
    >>> row.waves, row.wider.waves
    (('QRS',), ('QRS', 'ST', 'T'))
    """

    says: str
    waves: tuple[str, ...]
    leads: tuple[str, ...]
    source: str
    companions: tuple[str, ...] = ()
    interval: str | None = None
    above: float = 0.0
    reached: bool = True

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

    @property
    def wider(self) -> "Criterion":
        """The criterion with its companions among its waves; itself where it has none."""
        return replace(self, waves=(*self.waves, *self.companions), companions=()) if self.companions else self


SURAWICZ = "Surawicz et al., J Am Coll Cardiol 53 (2009) 976-981, doi:10.1016/j.jacc.2008.12.013"

CRITERIA = {
    "AVB": Criterion(
        "PR interval, from the onset of P to the onset of QRS, above 200 ms; every P conducted",
        ("P", "PR"),
        LEADS,  # an interval over all leads: the criterion names none
        "Kusumoto et al., Circulation 140 (2019) e382-e482, doi:10.1161/CIR.0000000000000628",
        interval="PR",
        above=200.0,
        reached=False,
    ),
    "ISCH": Criterion(
        "horizontal or downsloping ST depression from 0.05 mV, or T inverted by more than 0.1 mV where R is prominent "
        "(R/S above 1), in two contiguous leads. It says nothing about where. ST elevation, more urgent, is another "
        "criterion, which is not looked for",
        ("ST", "T"),
        LEADS,  # any two neighbours
        "Thygesen et al., Circulation 138 (2018) e618-e651, doi:10.1161/CIR.0000000000000617; "
        "Wagner et al., J Am Coll Cardiol 53 (2009) 1003-1011, doi:10.1016/j.jacc.2008.12.016",
    ),
    "LBBB": Criterion(
        "QRS from 120 ms; broad, notched or slurred R in I, aVL, V5, V6; no q in I, V5, V6; R peak time above 60 ms "
        "in V5, V6; QS or rS in V1; ST and T usually opposite to QRS",
        ("QRS",),
        ("I", "aVL", "V1", "V5", "V6"),
        f"{SURAWICZ}; V1: Strauss et al., Am J Cardiol 107 (2011) 927-934, doi:10.1016/j.amjcard.2010.11.010",
        companions=("ST", "T"),
        interval="QRS",
        above=120.0,
    ),
    "RBBB": Criterion(
        "QRS from 120 ms; rsr', rsR' or rSR' in V1 or V2; S longer than R or than 40 ms in I and V6",
        ("QRS",),
        ("I", "V1", "V2", "V6"),
        SURAWICZ,
        interval="QRS",
        above=120.0,
    ),
}
"""Pathology -> where its criterion is read. The statement of 2009 lists ST and T opposite to QRS among the criteria of
a left bundle branch block. They belong to the block and define it less than the broad QRS: other things turn T as well,
and the statement says "usually". So they are ``companions``, and what is counted is counted both ways. In a right block
ST and T turn against the late forces too; the statement does not list it."""


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
        fields: dict = {name: tuple(v) if isinstance(v, list) else v for name, v in pathology.items()}
        return Criterion(**fields)
    if pathology not in CRITERIA:
        raise ValueError(f"no criteria for {pathology!r}; expected one of {', '.join(CRITERIA)}.")
    return CRITERIA[pathology]


def agreement(matrix: RelevanceTable, pathology: str | Criterion | Mapping, *, companions: bool = False) -> Agreement:
    """Compare a lead x wave matrix with the criterion of a diagnosis.

    The criterion says where a cardiologist reads, not where the network must look: a low score is a finding about the
    network or about the method of explanation, not an error by itself.

    Parameters
    ----------
    matrix : from :func:`~leadwise.semantics.lead_wave_matrix`
    pathology : a key of ``CRITERIA``, or a criterion of one's own
    companions : count what belongs to the finding and defines it less as well: ST and T of a left bundle branch block
    """
    row = criterion_of(pathology)
    cells = (row.wider if companions else row).cells_of(matrix.names[0])
    share, area = float(matrix.share("positive")[cells].sum()), float(matrix.area[cells].sum())
    return Agreement(share, area, share / area if area else float("nan"))


def describe(
    relevance: Tensor | np.ndarray | RelevanceTable,
    waves: Sequence[Wave] = (),
    pathology: str | Criterion | Mapping | None = None,
    *,
    probability: float | None = None,
) -> str:
    """Say in a few sentences what the network answers, where its evidence lies, and where the criteria look.

    With a probability, the answer comes first. Below 0.5 it is a no: the sentences say so, call the evidence what
    raised the log-odds although the answer is no, and leave the criteria out. The next sentence names the two parts of
    the beat with the most positive relevance, and the two leads with the most in the first part. The last sets the
    criterion of the pathology beside it, without and with its companions. All numbers are computed. It speaks about a
    network, never about a patient.

    Parameters
    ----------
    relevance : tensor or array (12, T), of the pathology's log-odds or logit; or its lead x wave matrix
    waves : in samples of the same window; not needed with a matrix
    pathology : a key of ``CRITERIA``, or a criterion of one's own; None leaves the criteria out
    probability : of the pathology, as the network gives it, 0 to 1; None where it is said elsewhere

    Raises
    ------
    ValueError : relevance of another shape, not finite, an unknown pathology, or a probability that is none

    Examples
    --------
    >>> describe(np.ones((12, 100)), probability=0.02).split(" What")[0]
    'The network does not name its pathology (p = 0.020). 0 % of its relevance speaks against.'
    """
    matrix = relevance if isinstance(relevance, RelevanceTable) else lead_wave_matrix(relevance, waves)
    if pathology is not None:
        criterion_of(pathology)
    answer = [] if probability is None else [_answer(matrix, pathology, probability)]
    if not matrix.positive.sum() > 0:
        return " ".join(
            [*answer, "No sample has positive relevance: the map shows no evidence for the explained class."]
        )
    if probability is not None and probability < NAMED:
        return " ".join([*answer, f"What raised its log-odds although the answer is no: {_where(matrix)}"])
    sentences = [*answer, _where(matrix)]
    if pathology is not None:
        sentences.append(_beside_criterion(matrix, pathology))
    return " ".join(sentences)


def _answer(matrix: RelevanceTable, pathology: str | Criterion | Mapping | None, probability: float) -> str:
    """Say what the network answers, and how much of its relevance speaks against."""
    if not 0 <= probability <= 1:
        raise ValueError(f"probability is {probability!r}; expected a number from 0 to 1.")
    known = isinstance(pathology, str)
    who, what = (f"The {pathology} network", pathology) if known else ("The network", "its pathology")
    negative = -matrix.negative.sum() / (matrix.sum("absolute").sum() or 1.0)
    verb = "does not name" if probability < NAMED else "names"
    p = "p < 0.001" if probability < 0.001 else "p > 0.999" if probability > 0.999 else f"p = {probability:.3f}"
    return f"{who} {verb} {what} ({p}). {percent(negative)} of its relevance speaks against."


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


def _beside_criterion(matrix: RelevanceTable, pathology: str | Criterion | Mapping) -> str:
    """Say what the criterion names, and how much of the positive relevance lies there; then with its companions."""
    row, found = criterion_of(pathology), agreement(matrix, pathology)
    leads = "any lead" if row.leads == LEADS else ", ".join(row.leads)
    what = pathology if isinstance(pathology, str) else "this class"
    named = f"For {what} the criteria name {_and(row.waves)} in {leads}"
    if not found.area:
        return f"{named}; none could be delineated in this recording."
    sentence = (
        f"{named}: these hold {percent(found.share)} of the positive relevance on {percent(found.area)} of the "
        f"recording, {found.lift:.1f} times what an even spread would put there."
    )
    if not row.companions:
        return sentence
    wider = agreement(matrix, pathology, companions=True)
    return (
        f"{sentence} With {_and(row.companions)} there, which belong to {what} and define it less, it is "
        f"{percent(wider.share)} on {percent(wider.area)}, {wider.lift:.1f} times."
    )


def _and(waves: Sequence[str]) -> str:
    return " and ".join(WAVE_NAMES[wave] for wave in waves)
