"""The course's notebooks, as the tests go through them: numbered ones and appendices, in the order of the book."""

import re
from pathlib import Path

import notebook_source
from notebook_frame import is_appendix

ROOT = Path(__file__).resolve().parents[1]
SOURCES = notebook_source.sources(ROOT / "notebooks")
NUMBERED = [source for source in SOURCES if not is_appendix(source.stem)]
APPENDICES = SOURCES[len(NUMBERED) :]


def topic(source: Path) -> str:
    """The module of its checks, which a notebook imports: "gradients"."""
    found = re.search(r"^from leadwise\.checks import (\w+) as check$", source.read_text("utf-8"), re.MULTILINE)
    assert found, f"{source.name}: a numbered notebook imports its checks, from leadwise.checks import TOPIC as check"
    return found[1]


TOPICS = {source.stem: topic(source) for source in NUMBERED}
