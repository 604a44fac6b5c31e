"""Relevance summed over what a cardiologist names: leads, waves, walls of the heart, and leads by waves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from leadwise.ecg.delineation import Delineation, delineate
from leadwise.ecg.leads import LEADS, TERRITORIES
from leadwise.ecg.record import ECG
from leadwise.ecg.waves import Wave
from leadwise.maps import SIGNS, as_map, one_of, part_of
from leadwise.plotting import percent, plot_matrix, signed_percent
from leadwise.plotting.sheet import CourseFigure

WAVES = ("P", "PR", "QRS", "ST", "T", "rest")
"""Parts of a beat. PR and ST are the segments between the waves; "rest" is what lies outside: after T, before P, and
whatever could not be delineated."""

LEAD_GROUPS = {**TERRITORIES, "right": ("aVR",)}
"""Group -> leads; each lead in one group, so that groups share out the whole. The names are the classical ones of
walls, which Bayés de Luna et al., Circulation 114 (2006) 1755-1760, doi:10.1161/CIRCULATIONAHA.106.624924, revise;
they stand for leads here, and ST depression in some of them does not tell which wall is ischaemic. aVR sees the heart
from the upper right (Gorgels et al., J Am Coll Cardiol 38 (2001) 1355-1356, doi:10.1016/S0735-1097(01)01564-9). V1,
counted as septal, faces the right ventricle as well."""


@dataclass(frozen=True, eq=False)
class RelevanceTable:
    """Relevance summed over the parts of a recording: twelve leads, six waves, or leads x waves.

    Parameters
    ----------
    names : for each axis of the table, the names along it
    positive, negative : sums of the relevance above and below zero; ``negative`` is at most 0
    area : share of the recording's samples in each cell: where an even spread of relevance would put it
    """

    names: tuple[tuple[str, ...], ...]
    positive: np.ndarray
    negative: np.ndarray
    area: np.ndarray

    def sum(self, sign: str = "signed") -> np.ndarray:
        """Return the sums in units of relevance.

        Parameters
        ----------
        sign : "positive" (evidence for), "negative" (against, at most 0), "signed" (both, they cancel) or "absolute"
            (both, they add)
        """
        sums = {
            "positive": self.positive,
            "negative": self.negative,
            "signed": self.positive + self.negative,
            "absolute": self.positive - self.negative,
        }
        return sums[one_of("sign", sign, SIGNS)]

    def share(self, sign: str = "positive") -> np.ndarray:
        """Return each cell's share of the total; the shares of "signed" are balances, and fractions of Σ|R|.

        All others add up to 1, or are 0 where there is no relevance of that sign.
        """
        values = np.abs(self.sum(sign)) if sign == "negative" else self.sum(sign)
        total = self.sum("absolute").sum() if sign == "signed" else values.sum()
        return values / total if total else np.zeros_like(values)

    def lift(self, sign: str = "positive") -> np.ndarray:
        """Return share / area: 1 is what an even spread gives, 2 is twice that; NaN for a cell without samples.

        Raises
        ------
        ValueError : sign "signed": a balance has no share of the area
        """
        if sign == "signed":
            raise ValueError('a balance of both signs has no lift; choose "positive", "negative" or "absolute".')
        return np.divide(self.share(sign), self.area, out=np.full_like(self.area, np.nan), where=self.area > 0)

    def ranked(self, sign: str = "positive") -> list[tuple]:
        """Return (name, share) of all cells, largest magnitude first; in two dimensions the name is (lead, wave)."""
        share = self.share(sign)
        order = np.argsort(-np.abs(share), axis=None, kind="stable")
        cells = [np.unravel_index(i, share.shape) for i in order]
        labels = [tuple(axis[i] for axis, i in zip(self.names, cell, strict=True)) for cell in cells]
        return [
            (label if len(label) > 1 else label[0], float(share[c])) for label, c in zip(labels, cells, strict=True)
        ]

    def along(self, axis: int) -> "RelevanceTable":
        """Return the table of one axis alone, summed over the others: 0 leads, 1 waves of a lead x wave matrix."""
        others = tuple(i for i in range(len(self.names)) if i != axis)
        sums = (values.sum(others) for values in (self.positive, self.negative, self.area))
        return RelevanceTable((self.names[axis],), *sums)

    def plot(self, sign: str = "positive", *, lift: bool = False, title: str | None = None) -> CourseFigure:
        """Draw the table: the share of each cell, or with ``lift`` how many times its share of the area it holds.

        Colours of a lift are on a logarithmic scale: white is 1, orange more than an even spread, blue less.
        """
        columns: tuple[str, ...] = ("share",)
        rows, time = self.names[0], ""
        if len(self.names) > 1:
            columns, areas = self.names[1], self.area.sum(0)
            time = "; time: " + ", ".join(f"{name} {percent(area)}" for name, area in zip(columns, areas, strict=True))
        of = f"the {sign} relevance" if sign in ("positive", "negative") else "Σ|R|"
        label = f"share of {of}" + " (balance of both signs)" * (sign == "signed")
        if lift:
            table = np.log2(self.lift(sign).clip(min=1 / 32))
            write, label = (lambda exponent: f"{2**exponent:.1f}"), f"{label} / share of the area (1.0: an even spread)"
        else:
            table, write = self.share(sign), signed_percent if sign == "signed" else percent
        return plot_matrix(table.reshape(len(rows), -1), rows, columns, title=title, label=label + time, write=write)


def waves_of(
    ecg: ECG, start: float = 0.0, found: Delineation | None = None, *, fs: float | None = None
) -> tuple[Wave, ...]:
    """Return the waves of a recording: those that a simulated patient is known to have, else the delineated ones.

    Parameters
    ----------
    ecg : the whole recording, raw: the published filters bend the line around P and T, and a window has fewer beats
    start : seconds from the start of the recording to that of the model's window, as for ``ecg.window``; onset, peak
        and offset count samples from there, so that waves before the window come out negative. What follows cuts waves
        at the window's edges
    found : its delineation, where it is there already
    fs : the window's rate, Hz, where it is another than the recording's: what onset, peak and offset count

    Returns
    -------
    tuple of Wave, over all leads; empty where nothing could be delineated

    Raises
    ------
    ValueError : ``start`` lies outside the recording
    """
    if not 0 <= start <= ecg.duration:
        raise ValueError(
            f"start is {start:g} s; expected 0 to {ecg.duration:g} (seconds), for the recording lasts no longer."
        )
    first, known = round(start * ecg.fs), getattr(ecg, "waves", None)
    waves = (found or delineate(ecg)).waves if known is None else known
    shifted = (wave.shift(-first) for wave in waves if wave.lead is None)
    return tuple(shifted if fs in (None, ecg.fs) else (wave.scaled(fs / ecg.fs) for wave in shifted))


def wave_labels(waves: Sequence[Wave], samples: int) -> np.ndarray:
    """Give every sample the part of the beat that it lies in.

    PR runs from the end of P to the onset of its QRS, ST from the end of QRS to the onset of its T. Where two waves
    overlap, QRS goes before T, and T before P. Waves of single leads are left aside.

    Parameters
    ----------
    waves : P, QRS and T over all leads, in samples of the same window
    samples : length T of the window

    Returns
    -------
    ndarray (T,) of int8, indices into ``WAVES``: every sample has one label
    """
    beats: dict[int, dict[str, Wave]] = {}
    for wave in waves:
        if wave.lead is None:
            beats.setdefault(wave.beat, {})[wave.kind] = wave
    spans = [(kind, wave.onset, wave.offset) for beat in beats.values() for kind, wave in beat.items()]
    for name, before, after in (("PR", "P", "QRS"), ("ST", "QRS", "T")):
        spans += [
            (name, beat[before].offset, beat[after].onset) for beat in beats.values() if {before, after} <= {*beat}
        ]
    labels = np.full(samples, WAVES.index("rest"), np.int8)
    for kind in ("PR", "ST", "P", "T", "QRS"):  # what comes later paints over what came before
        for _, onset, offset in (span for span in spans if span[0] == kind):
            labels[max(onset, 0) : max(offset, 0)] = WAVES.index(kind)
    return labels


def lead_wave_matrix(
    relevance: Tensor | np.ndarray, waves: Sequence[Wave], leads: Sequence[str] = LEADS
) -> RelevanceTable:
    """Sum relevance over leads x waves, (leads, 6); the cells add up to the sum of the relevance.

    Parameters
    ----------
    relevance : tensor or array (leads, T) or (1, leads, T)
    leads : what its rows are; by default the twelve standard ones
    waves : in samples of the same window, as from :func:`waves_of`

    Raises
    ------
    ValueError : another shape, NaN or infinite values
    """
    values = as_map(relevance, leads=leads)
    parts = np.eye(len(WAVES))[wave_labels(waves, values.shape[1])]  # (T, 6), one 1 a row
    area = np.broadcast_to(parts.mean(0) / len(leads), (len(leads), len(WAVES)))
    positive, negative = (part_of(values, sign) @ parts for sign in ("positive", "negative"))
    return RelevanceTable((tuple(leads), WAVES), positive, negative, area.copy())


def wave_relevance(
    relevance: Tensor | np.ndarray, waves: Sequence[Wave], leads: Sequence[str] = LEADS
) -> RelevanceTable:
    """Sum relevance over the six parts of the beats, (6,). Parameters as for :func:`lead_wave_matrix`."""
    return lead_wave_matrix(relevance, waves, leads).along(1)


def lead_relevance(relevance: Tensor | np.ndarray, leads: Sequence[str] = LEADS) -> RelevanceTable:
    """Sum relevance over the leads, (leads,).

    Parameters
    ----------
    relevance : tensor or array (leads, T) or (1, leads, T)
    leads : what its rows are; by default the twelve standard ones

    Raises
    ------
    ValueError : another shape, NaN or infinite values
    """
    return lead_wave_matrix(relevance, (), leads).along(0)


def group_relevance(
    relevance: Tensor | np.ndarray | RelevanceTable, groups: Mapping[str, Sequence[str]] = LEAD_GROUPS
) -> RelevanceTable:
    """Sum relevance over groups of leads.

    Parameters
    ----------
    relevance : tensor or array (12, T), or a table whose first axis is leads, any of the twelve (a lead x wave matrix
        becomes group x wave)
    groups : name -> leads; of those that the table lacks, nothing is counted. The shares of groups that overlap, or
        leave leads out, refer to what the groups hold

    Raises
    ------
    ValueError : relevance of another shape, or a lead that does not exist
    """
    table = relevance if isinstance(relevance, RelevanceTable) else lead_relevance(relevance)
    unknown = {lead for leads in groups.values() for lead in leads} - set(LEADS)
    rows = table.names[0]
    if unknown or not set(rows) <= set(LEADS):
        what = f"no leads {sorted(unknown)}" if unknown else f"the table's rows are {', '.join(table.names[0])}"
        raise ValueError(f"{what}; expected leads among {', '.join(LEADS)}.")
    member = np.array([[lead in leads for lead in rows] for leads in groups.values()], float)
    sums = (member @ values for values in (table.positive, table.negative, table.area))
    return RelevanceTable((tuple(groups), *table.names[1:]), *sums)
