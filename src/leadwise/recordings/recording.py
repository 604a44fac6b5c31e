"""What a reader makes of a file: a :class:`Recording` of channels, before anything is made of them; limits, errors."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

MOST_BYTES = 512 * 2**20  # a minute of twelve leads at 1000 Hz is 1.4 MB; more than this is no ECG for this course
MOST_VALUES = 20_000_000  # samples x channels, expanded: twelve leads for 55 minutes at 500 Hz, 160 MB in float64
RATES = (1.0, 100_000.0)  # Hz; what an ECG may be sampled at
LONGEST_LINE = 100_000  # characters; a longer line of a text file is no header, and patterns would crawl over it

ASKED = {
    "fs": ("its sampling rate", "fs=500"),
    "unit": ("its unit", 'unit="uV"'),
    "leads": ("which channel is which lead", 'leads="I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6"'),
}
"""What may have to be asked for -> what it is, and how to say it."""


class RecordError(ValueError):
    """A recording cannot be read as a 12-lead ECG; the message says what came, what was expected and what to do."""


class RecordWarning(UserWarning):
    """A recording was read, but something about it is doubtful; ``ecg.notes`` says the same."""


class MissingInformation(RecordError):
    """A recording does not say something that must be known.

    Parameters
    ----------
    name : the recording
    missing : keys of ``ASKED``: "fs", "unit", "leads"
    channels : names of the recording's channels, or "channel 1" ..., for a form that asks for the leads
    detail : what is known, one sentence, or ""
    """

    def __init__(self, name: str, missing: Sequence[str], channels: Sequence[str] = (), detail: str = ""):
        self.missing, self.channels = tuple(missing), tuple(channels)
        *first, last = (ASKED[key][0] for key in missing)
        what = f"{', '.join(first)} and {last}" if first else last
        how = ", ".join(ASKED[key][1] for key in missing)
        hint = " The unit may be V, mV, uV or nV, or a number: the millivolts of one step." if "unit" in missing else ""
        super().__init__(f"{name} does not say {what}. Say so, for example: {how}.{hint}{' ' * bool(detail)}{detail}")


@dataclass(frozen=True, eq=False)
class Channel:
    """One channel as its file holds it.

    Parameters
    ----------
    name : as written, or None
    samples : ndarray (T,), in the channel's own unit; NaN where the file marks a sample as invalid
    unit : as written ("mV", "µV" ...), or the millivolts of one step, or None where the file does not say
    fs : Hz, or None where the file does not say
    notes, doubts : what is to be said of this channel should it become a lead, as for :class:`Recording`
    """

    name: str | None
    samples: np.ndarray
    unit: str | float | None = None
    fs: float | None = None
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Recording:
    """What a file holds, before leads, units and rates are settled.

    Parameters
    ----------
    channels : in the file's order, leads or not
    name : of the recording: the file's name without its extension
    notes : what the reader noticed, one sentence each
    doubts : likewise, where it may make the recording worthless: they also become a ``RecordWarning``
    metadata : what the file says besides (age, sex, diagnosis codes ...), as text
    """

    channels: Sequence[Channel]
    name: str = ""
    notes: Iterable[str] = ()
    doubts: Iterable[str] = ()
    metadata: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        for name in ("channels", "notes", "doubts"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @property
    def labels(self) -> list[str]:
        """What to call the channels: their names, or "channel 1" ..."""
        return [channel.name or f"channel {number}" for number, channel in enumerate(self.channels, 1)]


def check_size(name: str, channels: int, samples: float, what: str = "") -> None:
    """Refuse more than ``MOST_VALUES`` values, as a file claims them, before anything is allocated.

    Parameters
    ----------
    name : of the file
    channels, samples : how many channels, of how many samples each once they are expanded
    what : who says so, such as "its header says"

    Raises
    ------
    RecordError : too many
    """
    if channels * samples > MOST_VALUES:
        raise RecordError(
            f"{name} is too long: {what or 'it has'} {channels} x {samples:.4g} samples; at most {MOST_VALUES:,} are "
            f"read, twelve leads for {MOST_VALUES / 12 / 500 / 60:.0f} minutes at 500 Hz. Cut out a piece."
        )


@contextmanager
def border(what: str, advice: str = "it may be damaged. Export or fetch it again") -> Iterator[None]:
    """Turn whatever another library raises into a ``RecordError`` that keeps its reason.

    Parameters
    ----------
    what : the beginning of the message, such as "a.edf is no valid EDF file"
    advice : its end
    """
    try:
        yield
    except RecordError:
        raise
    except Exception as error:  # parsers raise anything on damaged data
        raise RecordError(f"{what} ({reason(error)}); {advice}.") from error


def reason(error: BaseException) -> str:
    """Return what an exception says, in one line of at most 200 characters; its type where it says nothing."""
    text = " ".join(re.sub(r"[^\x20-\x7e\xa0-\uffff]+", " ", str(error)[:2000]).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:199] + "…"


def some(items: list[str], most: int = 6) -> str:
    """Join names, at most so many of them."""
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")
