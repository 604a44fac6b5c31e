"""Figures as files: the same figure gives the same bytes."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from leadwise.paths import whole_file

DPI = 6 * 25.4  # 152.4: 150 dpi, and 6 whole pixels a millimetre, so that the lines of ECG paper stay even
METADATA = {"png": {"Software": None}, "svg": {"Date": None, "Creator": "leadwise"}}


def save_figure(fig: Figure, path: str | Path, formats: Sequence[str] = ("png", "svg"), dpi: float = DPI) -> list[Path]:
    """Save a figure in one or more formats, each file complete or not at all.

    Neither the date nor the version of matplotlib goes into the file, and the ids in an SVG are fixed, so that a figure
    drawn again is byte for byte the same and git sees a change only where the picture changed.

    Parameters
    ----------
    fig : matplotlib Figure
    path : where to, with or without ``.png`` or ``.svg``; missing folders are made
    formats : of "png" and "svg"
    dpi : of the PNG

    Returns
    -------
    list of Path, one for each format

    Raises
    ------
    ValueError : a format that is neither
    """
    unknown = set(formats) - set(METADATA)
    if unknown or not formats:
        raise ValueError(f"formats {sorted(unknown)} cannot be saved; expected one or more of {', '.join(METADATA)}.")
    path = Path(path).expanduser()
    stem = path.name.removesuffix(path.suffix) if path.suffix.lower()[1:] in METADATA else path.name
    return [_save(fig, path.with_name(f"{stem}.{kind}"), kind, dpi) for kind in formats]


def _save(fig, path, kind, dpi):
    # Everything that a user's own matplotlib settings could change in the file is set here.
    settings = rc_context({"svg.hashsalt": "leadwise", "svg.fonttype": "path", "savefig.bbox": None})
    with whole_file(path) as part, settings:
        fig.savefig(part, format=kind, dpi=dpi, metadata=METADATA[kind], facecolor="white")
    return path
