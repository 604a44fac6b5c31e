"""Notebook 07, Reading an ECG: its checks and its quiz."""

from dataclasses import replace

import numpy as np

from leadwise.checks.answers import as_array, as_choice, as_dict, as_function, as_list, as_number, as_sort, recognise
from leadwise.checks.core import Hint, exercise
from leadwise.checks.parts import parts_of
from leadwise.ecg.delineation import delineate
from leadwise.ecg.leads import LEADS, derive_limb_leads
from leadwise.ecg.record import ECG
from leadwise.recordings.catalogue import RecordInfo, load_record, records
from leadwise.simulation.simulate import heart_beat, simulate_ecg

ELECTRODES = {"RA": "right arm", "LA": "left arm", "LL": "left leg"}
AUGMENTED = ("aVR", "aVL", "aVF")


def recorded_again(ecg: ECG) -> ECG:
    """Return the recording as it would be with two of the three limb electrodes exchanged: the riddle of exercise 5."""
    rows = [LEADS.index(name) for name in ("II", "I", "III", "aVR", "aVF", "aVL", *LEADS[6:])]
    signal = ecg.signal[rows].copy()
    signal[LEADS.index("III")] *= -1
    return replace(ecg, signal=signal, record_id="")


@exercise(
    "reading",
    1,
    "the augmented leads from I and III",
    expects="a function augmented(lead_i, lead_iii), a dict of leads",
)
def augmented_leads(augmented: object) -> str:
    """Compare with Goldberger's formulas on random voltages."""
    augmented = as_function(augmented, "augmented")
    lead_i, lead_iii = np.random.default_rng(61).normal(size=(2, 40))
    found = as_dict(augmented(lead_i, lead_iii), AUGMENTED, "The function's result")
    wanted, mistaken = (derive_limb_leads(lead_i, second) for second in (lead_i + lead_iii, lead_iii))
    for name in AUGMENTED:
        values = as_array(found[name], name, lead_i.shape)
        wrong = {
            f"{name} is upside down.": -wanted[name],
            f"{name} is the formula for II with III in its place. Put II = I + III into it first.": mistaken[name],
        }
        otherwise = f"{name} is not right yet: write II as I + III in Goldberger's formula, then collect I and III."
        recognise(values, wanted[name], wrong, otherwise, 1e-6)
    return "Any two of the limb leads make the other four."


@exercise(
    "reading",
    2,
    "the axis at which lead I balances",
    expects='an angle from 0 to 180 and "upright" or "inverted"',
    predicts=True,
)
def balanced_lead_i(axis: object, avf: object) -> str:
    """Lead I balances where the axis is perpendicular to it, which the simulated heart confirms."""
    angle = as_number(axis, "axis")
    words = as_choice(avf, ("upright", "inverted"), "avf")
    if not 0 <= angle <= 180:
        raise Hint("The axis asked for lies from 0 to 180 degrees.")
    if abs(angle - np.pi / 2) < 0.01:
        raise Hint("That is in radians; degrees are asked for.")
    if abs(angle) < 15 or abs(angle - 180) < 15:
        raise Hint("There the vector lies along lead I, which sees all of it. Where does a projection vanish?")
    if abs(angle - 90) > 10:
        side = "upright" if angle < 90 else "inverted"
        raise Hint(f"At {angle:g} degrees QRS in lead I is still {side}. Which direction is perpendicular to lead I?")
    beat = heart_beat(axis=90)
    span = next(wave for wave in beat.waves if wave.kind == "QRS")
    if words != ("upright" if beat.leads[LEADS.index("aVF"), span.onset : span.offset].sum() > 0 else "inverted"):
        raise Hint("aVF looks from the feet upwards. Does a vector that points to the feet come towards it?")
    return f"The heart says {angle:g}°, {words} in aVF: perpendicular to I means along aVF, towards the feet."


@exercise("reading", 3, "a window filtered on its own", expects="a function mended(ecg) that returns 4 s of an ECG")
def whole_recording_first(mended: object) -> str:
    """Compare with the first four seconds of a recording that was filtered over its whole length."""
    mended = as_function(mended, "mended")
    ecg = simulate_ecg("NORM", seed=63)
    answer = mended(ecg)
    found = as_array(answer.signal if isinstance(answer, ECG) else answer, "mended(ecg)")
    if found.shape == ecg.signal.shape:
        raise Hint("This is the whole recording; the first 4 s of it are asked for.")
    if found.shape != (12, 2000):
        raise Hint(f"Expected 12 leads of 2000 samples; this is {found.shape}.")
    wrong = {
        "The filters still see 4 s only: a recording is filtered first and cut afterwards.": ecg.window().preprocess(),
        "Nothing is filtered now. The chain has to run, over the whole recording.": ecg.window(),
        "These are the last 4 s; the first are asked for.": ecg.preprocess().window(ecg.duration - 4),
    }
    otherwise = "Neither the colleague's window nor that of the filtered recording: use preprocess() and window()."
    signals = {hint: window.signal for hint, window in wrong.items()}
    recognise(found, ecg.preprocess().window().signal, signals, otherwise)
    return "Filter first, cut afterwards: then the cut is no edge to the filters."


def _av_block(info: RecordInfo) -> bool:
    return info.condition == "AVB" or "atrioventricular block" in info.title


def _bundle_branch_block(info: RecordInfo) -> bool:
    return info.condition in ("LBBB", "RBBB")


KINDS = {
    "one with AV block": _av_block,
    "one with a bundle branch block": _bundle_branch_block,
    "one without either": lambda info: not _av_block(info) and not _bundle_branch_block(info),
}


@exercise("reading", 4, "PR and QRS of three recordings", expects='a dict: record -> {"PR": ms, "QRS": ms}')
def three_recordings(measured: object) -> str:
    """Delineate the same recordings again, raw and filtered."""
    three = "a dict with three recordings, by their names in leadwise.records()"
    measured = as_sort(measured, dict, "`measured`", three)
    if len(measured) < 3:
        raise Hint(f"`measured` should be {three}; it has {len(measured)}.")
    unknown = [str(name) for name in measured if name not in records()]
    if unknown:
        raise Hint(f"No recording of this name: {', '.join(unknown)}. The keys of leadwise.records() are the names.")
    missing = [kind for kind, is_one in KINDS.items() if not any(is_one(records()[name]) for name in measured)]
    if missing:
        raise Hint(f"Still missing: {', '.join(missing)}. The titles of leadwise.records() say which is which.")
    for name, found in measured.items():
        ecg = load_record(name)
        wanted = delineate(ecg).intervals()
        what = f"`measured[{name!r}]`"
        found = as_sort(found, dict, what, "a dict with PR and QRS, as intervals() of a delineation is")
        for interval, value in as_dict(found, ("PR", "QRS"), what).items():
            _same_interval(f"{interval} of {name}", value, wanted[interval], ecg)
    return "Measured on the recordings as they are. Whether an interval is long is one sign among many of a finding."


def _same_interval(what: str, value: object, wanted: float, ecg: ECG) -> None:
    none_found = isinstance(value, float | np.floating) and np.isnan(value)
    if none_found and np.isnan(wanted):
        return
    if none_found:
        raise Hint(f"{what} is NaN: no beat had both ends. Delineate the whole recording as it is, without filters.")
    if np.isnan(wanted):
        raise Hint(f"{what}: delineation finds none, so it has no length (NaN), not {value}.")
    value = as_number(value, what)
    if abs(value - wanted) <= 6:
        return
    if abs(value * 1000 / ecg.fs - wanted) <= 6:
        raise Hint(f"{what} is {value:g}: that counts samples. At {ecg.fs:g} Hz a sample lasts {1000 / ecg.fs:g} ms.")
    if abs(value * 1000 - wanted) <= 6:
        raise Hint(f"{what} is {value:g}: that is in seconds; ms are asked for.")
    if abs(value - delineate(ecg.preprocess()).intervals()[what.split()[0]]) <= 6:
        raise Hint(f"{what} was measured behind the filters, which move borders. Delineate the recording as it is.")
    raise Hint(f"{what} is {value:g} ms; delineate(load_record(name)).intervals() says something else.")


@exercise("reading", 5, "which electrodes were exchanged", expects='two of "RA", "LA", "LL"')
def exchanged_electrodes(exchanged: object) -> str:
    """Each exchange turns one of the leads I, II and III upside down."""
    parts = exchanged.replace("-", ",").split(",") if isinstance(exchanged, str) else exchanged
    wanted = f"two different ones of {', '.join(ELECTRODES)}"
    given = as_list(parts, "`exchanged`", wanted, object)
    named = {as_choice(_short(part), ELECTRODES, "each electrode") for part in given}
    if len(named) != 2:
        raise Hint(f"`exchanged` should hold {wanted}.")
    if named == {"RA", "LA"}:
        raise Hint("Then lead I = LA − RA would be upside down. Which of I, II and III is?")
    if named == {"RA", "LL"}:
        raise Hint("Then lead II = LL − RA would be upside down. Which of I, II and III is?")
    return "Lead III is upside down, I and II have changed places, and Einthoven's law can't tell."


def _short(name: object) -> str:
    said = str(name).strip()
    return {words: short for short, words in ELECTRODES.items()}.get(said.lower(), said)


quiz, progress, think_first = parts_of("reading")
