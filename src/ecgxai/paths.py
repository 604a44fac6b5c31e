"""Where downloaded data and embedded assets lie."""

import os
from pathlib import Path

import platformdirs

ASSETS = Path(__file__).parent / "assets"


def checkout() -> Path | None:
    """Return the root of the checkout that this package runs from, or None when it is installed elsewhere."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "notebooks").is_dir() and (root / "pyproject.toml").is_file() else None


def data_dir() -> Path:
    """Return the data folder: ``$ECGXAI_DATA``, else ``data/`` of the checkout, else the user's cache folder.

    The folder is not created here.
    """
    if os.environ.get("ECGXAI_DATA"):
        return Path(os.environ["ECGXAI_DATA"]).expanduser()
    root = checkout()
    return root / "data" if root else Path(platformdirs.user_cache_dir("ecgxai"))
