"""Where downloaded data and embedded assets lie, and how files are written."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

ASSETS = Path(__file__).parent / "assets"


def checkout() -> Path | None:
    """Return the root of the checkout that this package runs from, or None when it is installed elsewhere."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "notebooks").is_dir() and (root / "pyproject.toml").is_file() else None


def data_dir() -> Path:
    """Return the data folder: ``$LEADWISE_DATA``, else ``data/`` of the checkout, else the user's cache folder.

    The folder is not created here.
    """
    if os.environ.get("LEADWISE_DATA"):
        return Path(os.environ["LEADWISE_DATA"]).expanduser()
    root = checkout()
    return root / "data" if root else Path(platformdirs.user_cache_dir("leadwise"))


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to and move it into place at the end, so that a crash leaves no half file.

    The folder is created. Where the block raises, what was there before stays. Several threads, and processes, may
    write to one path at once: each has a part of its own, and the last to end decides.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{secrets.token_hex(8)}.part")  # short: the name itself may be as long as names can be
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
