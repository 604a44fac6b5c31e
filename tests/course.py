"""The course's notebooks, as the tests go through them."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NUMBERED = sorted((ROOT / "notebooks" / "src").glob("[0-9]*.py"))


def topic(source: Path) -> str:
    """The module of its checks, which a notebook imports: "gradients"."""
    return re.search(r"^from leadwise\.checks import (\w+) as check$", source.read_text("utf-8"), re.MULTILINE)[1]


TOPICS = {source.stem: topic(source) for source in NUMBERED}
