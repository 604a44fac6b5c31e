"""Who differs: groups beside each other, one group or method minus another, with intervals and Holm's correction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr, stdtrit

from leadwise.cohort.moments import Cohort, Moments
from leadwise.cohort.summary import AXES, axes_of
from leadwise.ecg.leads import LEADS
from leadwise.plotting.cohort import plot_forest
from leadwise.plotting.sheet import CourseFigure
from leadwise.plotting.style import number, percent, signed_percent
from leadwise.plotting.tables import plot_matrix

if TYPE_CHECKING:
    from pyarrow import Table


@dataclass(frozen=True, eq=False)
class Difference:
    """One mean minus another, for each number of an array.

    Parameters
    ----------
    name : what is compared, such as "share"
    value, low, high : ndarray; [low, high] is the interval of each number by itself
    p : ndarray, two-sided, of each number by itself
    level : confidence of the intervals
    counts : records on either side; of pairs, both are the number of pairs
    leads : what an axis of leads counts
    """

    name: str
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    level: float
    counts: tuple[int, int]
    leads: tuple[str, ...] = LEADS

    @property
    def p_holm(self) -> np.ndarray:
        """The p values after Holm's correction for all numbers of the array."""
        from leadwise.evaluation.statistics import holm  # only here: the room costs each worker 80 MB

        return holm(self.p)

    def plot(self, *, title: str | None = None) -> CourseFigure:
        """Draw the differences of a lead x wave matrix, or of leads or waves; the others are left empty.

        Empty is what does not differ after Holm's correction, at 1 - ``level``.
        """
        axes = axes_of(self.name, self.leads) or ((self.name,),)
        rows, columns = (axes[0], axes[1]) if len(axes) == 2 else (axes[0], ("difference",))
        shown = np.where(self.p_holm < 1 - self.level, self.value, np.nan).reshape(len(rows), len(columns))
        label = (
            f"difference of {self.name.replace('_', ' ')}, n = {self.counts[0]} and {self.counts[1]}; – : no "
            f"difference at {1 - self.level:.2g} after Holm's correction for {self.p.size} comparisons"
        )
        write = signed_percent if self.name in AXES else number
        return plot_matrix(shown, rows, columns, title=title, label=label, write=write)


def difference(one: Cohort, other: Cohort, name: str, level: float = 0.95) -> Difference:
    """Return the mean of one cohort minus that of another, by Welch's t (Biometrika 34 (1947) 28-35).

    The records of both count as independent: a record in both groups, or a patient with several records, breaks that
    (``records.one_of_each("patient")``).

    Parameters
    ----------
    one, other : two groups, ``cohort.groups["sex"]["female"]``
    name : of what they hold, such as "share"

    Raises
    ------
    KeyError : one of them holds no such name
    ValueError : fewer than two records on one side, or other leads

    Examples
    --------
    >>> a, b = (Cohort.of([{"x": float(v)} for v in values]) for values in ((1, 2, 3), (4, 6, 5)))
    >>> float(difference(a, b, "x").value), round(float(difference(a, b, "x").p), 3)
    (-3.0, 0.021)
    """
    a, b = one._of(name), other._of(name)
    _same_leads(name, one.leads, other.leads)
    if min(a.count, b.count) < 2:
        raise ValueError(f"{name} has {a.count} and {b.count} records; a difference needs two on either side.")
    return _welch(name, [(a, b)], level, one.leads)


def difference_within(
    one: Mapping[str, Cohort], other: Mapping[str, Cohort], name: str, level: float = 0.95
) -> Difference:
    """Return the mean of one group minus that of another within strata, such as diagnoses, of which they have others.

    Two groups that consist of different patients differ without being treated differently. Here each stratum is
    compared with itself, and the differences are averaged with the numbers of ``one`` in the strata (direct
    standardisation). Interval and p values are Welch's, with Satterthwaite's degrees of freedom for the sum.

    Parameters
    ----------
    one, other : stratum -> cohort. What has fewer than two records on either side is not compared; ``counts`` of the
        result says how many were

    Raises
    ------
    ValueError : no stratum can be compared, or other leads

    Examples
    --------
    >>> few, many = (Cohort.of([{"x": v} for v in values]) for values in ((1.0, 2.0), (1.0, 2.0, 1.0, 2.0)))
    >>> ill = Cohort.of([{"x": 5.0}, {"x": 6.0}])
    >>> float(difference_within({"healthy": few, "ill": ill}, {"healthy": many, "ill": ill}, "x").value)
    0.0
    """
    pairs = [(one[key]._of(name), other[key]._of(name)) for key in one
             if key in other and all(name in side[key].moments for side in (one, other))]  # fmt: skip
    pairs = [pair for pair in pairs if min(side.count for side in pair) >= 2]
    if not pairs:
        raise ValueError(f"no stratum has two records with {name} on both sides; there are {', '.join(one) or 'none'}.")
    leads = next(iter(one.values())).leads
    _same_leads(name, leads, next(iter(other.values())).leads)
    return _welch(name, pairs, level, leads)


def _welch(name: str, pairs: list, level: float, leads: tuple[str, ...]) -> Difference:
    """Return the mean difference over pairs of moments, each weighed by the count of its first."""
    counts = tuple(sum(pair[side].count for pair in pairs) for side in (0, 1))
    value = sum(a.count / counts[0] * (a.mean - b.mean) for a, b in pairs)
    sides = [(a.count / counts[0], side) for a, b in pairs for side in (a, b)]
    parts = [share**2 * side.squares / (side.count - 1) / side.count for share, side in sides]
    lost = sum(part**2 / (side.count - 1) for part, (_, side) in zip(parts, sides, strict=True))
    freedom = np.maximum(sum(parts) ** 2 / np.maximum(lost, np.finfo(float).tiny), 1)
    return _tested(name, value, np.sqrt(sum(parts)), freedom, level, counts, leads)


def paired_difference(one: "Table", other: "Table", name: str, level: float = 0.95) -> Difference:
    """Return the mean difference of the same records in two runs, by Student's t of the pairs.

    Of two methods, two networks, or patients and their twins, pairs tell much smaller differences apart than two means
    with their intervals.

    Parameters
    ----------
    one, other : rows of two runs, from :func:`~leadwise.cohort.read_rows`; records are paired by name, and those that
        either run has left out are not counted
    name : "share", "wave_share", "lead_share", "probability" ...

    Raises
    ------
    ValueError : a name comes twice, the rows have no such columns or other leads, or fewer than two records are in both
    """
    leads, others = _leads_of(one), _leads_of(other)
    _same_leads(name, leads, others)
    sides = [_by_name(rows, name, leads) for rows in (one, other)]
    both = [key for key in sides[0] if key in sides[1]]
    if len(both) < 2:
        raise ValueError(f"{len(both)} records are in both runs; a difference needs two.")
    found = Moments.of(np.array([sides[0][key] - sides[1][key] for key in both]))
    shape = tuple(map(len, axes_of(name, leads)))
    value, spread = found.mean.reshape(shape), found.spread.reshape(shape)
    error = spread / np.sqrt(found.count)
    return _tested(name, value, error, np.full(shape, found.count - 1.0), level, (found.count, found.count),
                   leads)  # fmt: skip


def forest(
    cohort: Cohort,
    column: str,
    name: str,
    part: str | Sequence[str] = (),
    *,
    level: float = 0.95,
    title: str | None = None,
) -> CourseFigure:
    """Draw one number of every group, with its interval, and of all records.

    Parameters
    ----------
    column : by which the cohort was grouped, such as "sex"
    name : what is drawn, such as "wave_share"
    part : which number of it, "QRS", or ("V1", "QRS") of a lead x wave matrix; nothing where it is a single number

    Raises
    ------
    ValueError : no such column or part
    """
    if column not in cohort.groups:
        raise ValueError(f"the cohort is not grouped by {column!r}, but by {', '.join(cohort.groups) or 'nothing'}.")
    at = _place(name, (part,) if isinstance(part, str) else tuple(part), cohort.leads)
    shown = [("all", cohort), *cohort.groups[column].items()]
    rows = [
        (label, float(one.mean(name)[at]), float(low[at]), float(high[at]), one.count(name))
        for label, one in shown
        if name in one.moments
        for low, high in [one.interval(name, level)]
    ]
    what = " ".join([name.replace("_", " "), *((part,) if isinstance(part, str) else part)])
    return plot_forest(rows, title=title or f"{what} by {column}", label=f"{what}, mean and {percent(level)} interval")


def _place(name: str, part: tuple[str, ...], leads: Sequence[str]) -> tuple[int, ...]:
    axes = axes_of(name, leads)
    if len(part) != len(axes) or any(label not in axis for label, axis in zip(part, axes, strict=True)):
        expected = " and one of ".join(", ".join(axis) for axis in axes)
        raise ValueError(f"{name} has no part {part}; expected {f'one of {expected}' if axes else 'none'}.")
    return tuple(axis.index(label) for label, axis in zip(part, axes, strict=True))


def _leads_of(rows: "Table") -> tuple[str, ...]:
    """Return the leads that the columns of a table of rows name."""
    mark = "lead_share_"
    return tuple(column.removeprefix(mark) for column in rows.column_names if column.startswith(mark))


def _same_leads(name: str, one: Sequence[str], other: Sequence[str]) -> None:
    """Refuse to subtract what is counted lead by lead over other leads."""
    if "lead" in AXES.get(name, ()) and tuple(one) != tuple(other):
        raise ValueError(
            f"{name} is of {', '.join(one)} here and of {', '.join(other)} there; expected the same leads."
        )


def _tested(name, value, error, freedom, level, counts, leads: tuple[str, ...]) -> Difference:
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, value / error, np.where(value == 0, 0.0, np.inf))
    half = stdtrit(freedom, (1 + level) / 2) * error
    return Difference(name, value, value - half, value + half, 2 * stdtr(freedom, -np.abs(t)), level, counts, leads)


def _by_name(rows: "Table", name: str, leads: Sequence[str]) -> dict[str, np.ndarray]:
    """Return record -> its numbers, of the records that count."""
    axes = axes_of(name, leads)
    labels = ["_".join([name, *(axis[i] for axis, i in zip(axes, at, strict=True))])
              for at in np.ndindex(tuple(map(len, axes)))]  # fmt: skip
    lacking = [label for label in labels if label not in rows.column_names]
    if lacking:
        raise ValueError(f"the rows have no column {lacking[0]!r}; they have {', '.join(rows.column_names[:10])} ...")
    names, values = rows["name"].to_pylist(), np.stack([rows[label].to_numpy().astype(float) for label in labels], 1)
    counted = {key: row for key, row in zip(names, values, strict=True) if np.isfinite(row).all()}
    if len(set(names)) < len(names):
        raise ValueError("a record's name comes twice in the rows; records are paired by name.")
    return counted
