"""EDF, EDF+ and BDF as recordings, decoded by ``edfio``. Names and comments of patients in the header are not read."""

import warnings
from pathlib import Path

import edfio
import numpy as np

from leadwise.recordings.labels import lead_name
from leadwise.recordings.recording import Channel, RecordError, Recording


def read(path: Path, count: int | None) -> Recording:
    """Return the signals of an EDF or BDF file; annotations are no channels."""
    read = edfio.read_bdf if path.suffix.lower() == ".bdf" else edfio.read_edf
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            # Latin-1 decodes every byte: µ is no ASCII, yet common.
            edf = read(path.read_bytes(), header_encoding="latin-1")
            continuous = edf.is_continuous
            channels = [_edf_channel(signal) for signal in edf.signals]
    except RecordError:
        raise
    except Exception as error:  # whatever edfio raises on a damaged header
        raise RecordError(f"{path.name} is no valid EDF file ({error}); it may be damaged. Export it again.") from error
    if not continuous:
        raise RecordError(f"{path.name} has gaps (EDF+D). Export a continuous piece of it.")
    return Recording(channels, path.stem, [f"{warning.message}" for warning in caught])


def _edf_channel(signal) -> Channel:
    """Return one EDF signal; calibration that makes no sense is an error only where the channel is a lead."""
    calibrated = signal.physical_min != signal.physical_max and signal.digital_min != signal.digital_max
    if not calibrated and lead_name(signal.label):
        raise RecordError(
            f"channel {signal.label!r} maps the digits {signal.digital_min} to {signal.digital_max} to "
            f"{signal.physical_min:g} to {signal.physical_max:g} {signal.physical_dimension}: no scale. Repair it."
        )
    return Channel(signal.label, np.array(signal.data), signal.physical_dimension or None, signal.sampling_frequency)
