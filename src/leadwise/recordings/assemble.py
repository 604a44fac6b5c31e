"""The one road from a file to an ECG: leads, units and rates are settled here, whatever the format.

A format is a module with one function, ``read(path, count) -> Recording``; a row in ``reading.FORMATS`` and one in
``reading.READERS`` make it known. It says what the file says, in the file's own words, and settles nothing::

    def read(path: Path, count: int | None) -> Recording:      # count: how many leads the caller named, or None
        with border(f"{path.name} is no valid XYZ file"):      # what a foreign library raises becomes a RecordError
            held = xyz.open(path)
        check_size(path.name, held.channels, held.samples)     # before anything of that size is allocated
        channels = [Channel(c.label, c.values, c.unit, c.rate) for c in held]  # unit and rate: None where unstated
        return Recording(channels, path.stem, notes=["..."], metadata={"age": held.age})

Everything else happens in :func:`assemble`, alike for all formats: which channel is which lead, "-aVR" turned over,
limb leads computed from I and II, volts to millivolts, one sampling rate, one length, flat and invalid leads noted,
what is not stated asked for, and what the caller says preferred to what the file says.
"""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from leadwise.ecg.filters import invalid_ranges, resample
from leadwise.ecg.leads import LEADS, LIMB_LEADS, derive_limb_leads
from leadwise.ecg.record import ECG
from leadwise.recordings.labels import ALMOST, as_number, factor_of, lead_name, millivolts
from leadwise.recordings.recording import (
    RATES,
    Channel,
    MissingInformation,
    RecordError,
    Recording,
    RecordWarning,
    check_size,
    some,
)

Leads = str | Sequence[str | None] | Mapping[str, str | None]  # which lead each channel is, as the caller says it

FLAT_SECONDS = 2.0  # a constant stretch at least this long is reported
HEIGHTS = 0.05, 20.0  # mV, what the largest lead of an ECG spans
AMPLIFIER = 2000.0  # mV; no recorder takes in more, with electrode potentials and all

Chosen = dict[str, tuple[Channel, int]]  # lead -> its channel, and -1 where that is upside down
Told = list[str | None] | dict[str, str | None] | None  # the same as `Leads`, read


def assemble(
    recording: Recording, *, fs: float | None = None, unit: str | float | None = None, leads: Leads | None = None
) -> ECG:
    """Make the 12-lead ECG that a recording's channels hold; ask for all that is missing at once.

    Parameters
    ----------
    recording : as a format's reader returns it
    fs, unit, leads : what the caller says, as for :func:`leadwise.recordings.reading.read_ecg`; None: as the file says

    Returns
    -------
    ECG : signal (12, T) float32 mV. Its notes: the recording's doubts, its notes, what was done

    Raises
    ------
    MissingInformation : rate, unit or leads are not stated
    RecordError : leads that cannot be derived are missing or come twice, a unit is no voltage, a rate makes no sense,
        the leads differ in length
    ValueError : ``fs``, ``unit`` or ``leads`` make no sense

    Warns
    -----
    RecordWarning : each doubt

    Examples
    --------
    >>> eight = {name: np.sin(np.arange(500) / (9 + i)) for i, name in enumerate(("I", "EKG II", *LEADS[6:]))}
    >>> ecg = assemble(Recording([Channel(name, row, "mV", 500.0) for name, row in eight.items()], "mine"))
    >>> ecg.signal.shape, ecg.notes[-1]
    ((12, 500), 'Computed III, aVR, aVL, aVF from I and II by the laws of Einthoven and Goldberger.')
    """
    ecg, doubts = assemble_and_tell(recording, fs=fs, unit=unit, leads=leads)
    for doubt in doubts:
        warnings.warn(f"{recording.name}: {doubt}", RecordWarning, stacklevel=3)
    return ecg


def assemble_and_tell(
    recording: Recording, *, fs: float | None = None, unit: str | float | None = None, leads: Leads | None = None
) -> tuple[ECG, list[str]]:
    """Return the ECG as :func:`assemble` does, and its doubts instead of warning of them."""
    fs, unit, leads = said_rate(fs), said_unit(unit), said_leads(leads)
    chosen, notes = _chosen(recording, leads)
    _ask_for_what_is_missing(recording, chosen, fs, unit, leads)
    used = [channel for channel, _ in chosen.values()]
    rates = {lead: _rate_of(channel, fs, recording.name) for lead, (channel, _) in chosen.items()}
    factors = {lead: _factor_of(lead, channel, unit, recording.name) for lead, (channel, _) in chosen.items()}
    notes += _corrections(used, fs, unit)
    with np.errstate(invalid="ignore", over="ignore"):
        values = {lead: _scaled(channel.samples, sign * factors[lead]) for lead, (channel, sign) in chosen.items()}
    values, rate = _at_one_rate(values, rates, recording.name, notes)
    _derive(values, recording, chosen, notes)
    signal = _float32(values, recording.name)
    doubts = [*recording.doubts, *(doubt for channel in used for doubt in channel.doubts)]
    doubts = [*dict.fromkeys(doubts), *doubts_about(signal, rate)]
    said = dict.fromkeys([*doubts, *recording.notes, *(note for channel in used for note in channel.notes), *notes])
    return ECG(signal, rate, record_id=recording.name, notes=tuple(said), metadata=dict(recording.metadata)), doubts


# What the caller says


def said_rate(fs: float | None) -> float | None:
    """Return the caller's sampling rate as a float, Hz, or None; a ValueError where it is no rate of an ECG."""
    if fs is not None and not RATES[0] <= as_number(fs, "fs") <= RATES[1]:
        raise ValueError(f"fs is {fs!r}; expected a positive sampling rate from {RATES[0]:g} to {RATES[1]:,.0f} Hz.")
    return None if fs is None else float(fs)


def said_unit(unit: str | float | None) -> str | float | None:
    """Return the caller's unit, or None; a ValueError where it is no unit of voltage and no number."""
    if unit is not None:
        millivolts(unit)
    return unit


def said_leads(leads: Leads | None) -> Told:
    """Return the caller's leads as a list or a dict, or None; a ValueError where one of them is no text."""
    if leads is None:
        return None
    if isinstance(leads, str):
        return [name.strip() for name in leads.split(",")]
    try:
        given = dict(leads) if isinstance(leads, Mapping) else list(leads)
    except TypeError as error:
        raise ValueError(f"leads is {leads!r}; expected names of leads, in a list or one text with commas.") from error
    odd = [name for name in (given.values() if isinstance(given, dict) else given) if not isinstance(name, str | None)]
    odd += [key for key in given if not isinstance(key, str)] if isinstance(given, dict) else []
    if odd:
        raise ValueError(f"leads names {odd[0]!r}; expected texts: the standard leads {', '.join(LEADS)}, or '-'.")
    return given


# Leads


def _chosen(recording: Recording, leads: Told) -> tuple[Chosen, list[str]]:
    """Return lead -> (channel, sign), and notes; empty where no channel is named as a lead."""
    chosen: Chosen = {}
    dropped, turned = [], []
    for channel, label, shown in zip(recording.channels, _said(recording, leads), recording.labels, strict=True):
        found = lead_name(label)
        if found is None:
            if leads is not None and (label or "").strip() not in ("", "-"):
                raise ValueError(
                    f"leads names {label!r}; expected the standard leads {', '.join(LEADS)}, or '-' for none."
                )
            dropped.append(shown)
            continue
        lead, sign = found
        if lead in chosen:
            twice = f"{chosen[lead][0].name!r} and {channel.name!r}"
            raise RecordError(f"{recording.name} has two channels for lead {lead} ({twice}); say which by leads=[...].")
        chosen[lead] = channel, sign
        turned += [shown] if sign < 0 else []
    notes = [f"{', '.join(turned)}: recorded upside down, turned over."] if turned else []
    if dropped and chosen:
        notes.append(f"Dropped the channels that are none of the twelve leads: {some(dropped, 12)}.")
    return chosen, notes


def _said(recording: Recording, leads: Told) -> list[str | None]:
    """Return which lead each channel is: its own name, or what the caller says."""
    labels = [channel.name for channel in recording.channels]
    if leads is None:
        return labels
    if isinstance(leads, dict):
        unknown = [key for key in leads if key not in labels]
        if unknown:
            raise ValueError(f"{recording.name} has no channel {unknown[0]!r}; it has {some(recording.labels, 14)}.")
        return [leads.get(label, "") for label in labels]
    if len(leads) != len(labels):
        raise ValueError(
            f"{len(leads)} leads are named, but {recording.name} has {len(labels)} channels; name one each."
        )
    return leads


def _ask_for_what_is_missing(
    recording: Recording, chosen: Chosen, fs: float | None, unit: str | float | None, leads: Told
) -> None:
    if not recording.channels:
        raise RecordError(f"{recording.name} holds no signal.")
    used = [channel for channel, _ in chosen.values()] or recording.channels
    asked = [] if chosen else ["leads"]
    if fs is None and any(channel.fs is None for channel in used):
        asked.append("fs")
    if unit is None and any(channel.unit is None for channel in used):
        asked.append("unit")
    if asked:
        raise MissingInformation(recording.name, asked, recording.labels, _known(recording))


def _known(recording: Recording) -> str:
    """Say in one sentence what an unlabelled recording holds, so that a person can tell."""
    finite = [channel.samples[np.isfinite(channel.samples)] for channel in recording.channels]
    finite = [values for values in finite if values.size]
    names = f" ({some(recording.labels, 14)})" if any(channel.name for channel in recording.channels) else ""
    span = f", values from {min(v.min() for v in finite):g} to {max(v.max() for v in finite):g}" if finite else ""
    samples = max(len(channel.samples) for channel in recording.channels)
    return f"It has {len(recording.channels)} channels{names} of {samples} samples{span}."


def _derive(values: dict[str, np.ndarray], recording: Recording, chosen: Chosen, notes: list[str]) -> None:
    """Add III, aVR, aVL and aVF where they are missing; refuse other missing leads by name."""
    missing = [lead for lead in LEADS if lead not in values]
    if not missing:
        return
    derivable = [lead for lead in missing if lead in LIMB_LEADS[2:]] if {"I", "II"} <= set(values) else []
    lacking = [lead for lead in missing if lead not in derivable]
    if lacking:
        used = {id(channel) for channel, _ in chosen.values()}
        rest = [label for c, label in zip(recording.channels, recording.labels, strict=True) if id(c) not in used]
        near = [f"{label} is {ALMOST[label.casefold()]}" for label in rest if label.casefold() in ALMOST]
        others = f" Besides, it has {some(rest, 12)}; leads={{...}} says which leads they are." if rest else ""
        raise RecordError(
            f"{recording.name} has the leads {', '.join(lead for lead in LEADS if lead in values)} and lacks "
            f"{', '.join(lacking)}. The networks need all twelve; only III, aVR, aVL and aVF can be computed, from I "
            f"and II.{others}{''.join(f' {hint}.' for hint in near)}"
        )
    derived = derive_limb_leads(values["I"], values["II"])
    values.update({lead: derived[lead] for lead in derivable})
    notes.append(f"Computed {', '.join(derivable)} from I and II by the laws of Einthoven and Goldberger.")


# Units, rates, lengths


def _factor_of(lead: str, channel: Channel, unit: str | float | None, name: str) -> float:
    factor = factor_of(channel.unit if unit is None else unit)
    if factor is None:
        raise RecordError(
            f"lead {lead} of {name} is in {channel.unit!r}, no unit of voltage; expected V, mV, uV or nV. If the file "
            'is wrong, say the true unit: unit="uV".'
        )
    return factor


def _rate_of(channel: Channel, fs: float | None, name: str) -> float:
    rate = channel.fs if fs is None else fs
    if not RATES[0] <= rate <= RATES[1]:
        raise RecordError(
            f"{name} gives the sampling rate {rate:g} Hz; expected {RATES[0]:g} to {RATES[1]:,.0f} Hz. Say the true "
            "one: fs=500."
        )
    return float(rate)


def _scaled(samples: np.ndarray, factor: float) -> np.ndarray:
    return samples if factor == 1 else samples * factor


def _corrections(channels: list[Channel], fs: float | None, unit: str | float | None) -> list[str]:
    """Say where the caller contradicts the file."""
    notes = []
    rates = sorted({channel.fs for channel in channels if channel.fs is not None})
    if fs is not None and rates and rates != [fs]:
        notes.append(f"The file says {', '.join(f'{rate:g}' for rate in rates)} Hz; {fs:g} Hz was given and is used.")
    units = sorted({str(channel.unit) for channel in channels if channel.unit is not None})
    factors = {factor_of(channel.unit) for channel in channels if channel.unit is not None}
    if unit is not None and units and factors != {factor_of(unit)}:
        notes.append(f"The file says {', '.join(units)}; {unit} was given and is used.")
    return notes


def _at_one_rate(values, rates, name: str, notes: list[str]) -> tuple[dict[str, np.ndarray], float]:
    """Bring all leads to the highest rate among them and to one length; refuse what rounding does not explain."""
    rate = max(rates.values())
    slower = [lead for lead in values if rates[lead] < rate]
    check_size(name, len(LEADS), max(len(row) * (rate / rates[lead]) for lead, row in values.items()))
    if slower:
        notes.append(f"Resampled {', '.join(slower)} to the rate of the other leads, {rate:g} Hz.")
        values = {lead: resample(row, rates[lead], rate) if lead in slower else row for lead, row in values.items()}
    lengths = {lead: len(row) for lead, row in values.items()}
    shortest, longest = min(lengths.values()), max(lengths.values())
    if shortest == longest:
        return values, rate
    if longest - shortest >= rate / min(rates.values()):  # as many samples as one of the slowest lead lasts
        short = [lead for lead in lengths if lengths[lead] < longest]
        raise RecordError(
            f"the leads of {name} differ in length: {some(short)} {'has' if len(short) == 1 else 'have'} {shortest} "
            f"samples, others {longest}, and nothing says at which end samples are missing. Make them equally long."
        )
    notes.append(f"The leads end up to {longest - shortest} samples apart; all are cut to {shortest} samples.")
    return {lead: row[:shortest] for lead, row in values.items()}, rate


def _float32(values: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Return the leads in order, (12, T); infinite samples become NaN, finite ones beyond float32 are refused."""
    signal = np.empty((len(LEADS), len(values["I"])), np.float32)
    if not signal.size:
        raise RecordError(f"{name} has no samples.")
    with np.errstate(over="ignore", invalid="ignore"):
        for row, lead in zip(signal, LEADS, strict=True):
            row[:] = values[lead]
    if np.isfinite(signal).all():
        return signal
    for row, lead in zip(signal, LEADS, strict=True):
        infinite = np.isinf(row)
        if infinite.any() and np.isfinite(beyond := values[lead][infinite]).any():
            most = np.abs(beyond[np.isfinite(beyond)]).max()
            raise RecordError(f"lead {lead} of {name} reaches {most:.3g} mV, no voltage at all; check gain and unit.")
        row[infinite] = np.nan
    return signal


# What is doubtful


def doubts_about(signal: np.ndarray, fs: float) -> list[str]:
    """Say what is invalid, flat or implausible in a signal (12, T), mV."""
    doubts = []
    for lead, row in zip(LEADS, signal, strict=True):
        doubts += _doubts_about_lead(lead, row, fs)
    return doubts + _doubts_about_heights(signal)


def _doubts_about_heights(signal: np.ndarray) -> list[str]:
    """Say where a lead leaves the range of any amplifier, or the largest lead that of an ECG."""
    whole = {lead: _reach(row) for lead, row in zip(LEADS, signal, strict=True)}
    far = [f"{lead} ({reach:.3g} mV)" for lead, reach in whole.items() if reach > AMPLIFIER]
    if far:
        what = f"Values beyond any amplifier in {some(far)}"
        return [f"{what}, implausible for an ECG: check gain and units in the header."]
    largest = max(whole, key=whole.get)
    if whole[largest] <= HEIGHTS[1] and _spread(signal[LEADS.index(largest)]) >= HEIGHTS[0]:
        return []  # the usual case, without sorting twelve leads
    spread = max(map(_spread, signal))
    if HEIGHTS[0] <= spread <= HEIGHTS[1] or not spread:
        return []
    return [f"The largest lead spans {spread:.3g} mV, implausible for an ECG: check gain and units in the header."]


def _reach(row: np.ndarray) -> float:
    """Return the largest difference between valid samples, 0 where there are none."""
    low, high = np.fmin.reduce(row), np.fmax.reduce(row)
    return float(high) - float(low) if high > low else 0.0


def _spread(row: np.ndarray) -> float:
    """Return what all but the highest and the lowest hundredth of the valid samples span, 0 where there are none."""
    valid = row[np.isfinite(row)]
    return float(np.ptp(np.percentile(valid, [1, 99]))) if valid.size else 0.0


def _doubts_about_lead(lead: str, row: np.ndarray, fs: float) -> list[str]:
    valid_at = np.isfinite(row)
    valid = row[valid_at]
    if not valid.size:
        return [f"Lead {lead} has no valid sample: all are NaN."]
    doubts = []
    if valid.size < row.size:
        ranges = _seconds(invalid_ranges(~valid_at), fs)
        doubts.append(f"Lead {lead} has {row.size - valid.size} invalid samples (NaN), at {ranges}.")
    if valid.min() == valid.max():
        return [*doubts, f"Lead {lead} is flat: {valid[0]:g} mV throughout."]
    long = _constant(row, int(np.ceil(FLAT_SECONDS * fs)))
    return [*doubts, f"Lead {lead} is constant at {_seconds(long, fs)}."] if long else doubts


def _constant(row: np.ndarray, least: int) -> list[tuple[int, int]]:
    """Return the runs of at least so many equal samples."""
    step = max(1, least - 1)
    if not np.any(row[1::step] == row[:-1:step]):  # a run has one of its pairs at a multiple of its length
        return []
    edges = np.flatnonzero(np.diff(np.concatenate(([False], row[1:] == row[:-1], [False])).astype(np.int8)))
    runs = edges.reshape(-1, 2)
    return [(int(start), int(stop) + 1) for start, stop in runs[runs[:, 1] + 1 - runs[:, 0] >= least]]


def _seconds(ranges: list[tuple[int, int]], fs: float) -> str:
    return some([f"{start / fs:.3f}-{stop / fs:.3f} s" for start, stop in ranges])
