"""The glossary: in order, with a source for each entry, and every link into it from a notebook leads to an entry."""

import re
from pathlib import Path

import pytest

from notebook_frame import number_of

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "GLOSSARY.md").read_text("utf-8")
SECTIONS = {text.split("\n", 1)[0]: text for text in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]}
ENTRIES = dict(re.findall(r"^### (.+)\n((?:(?!##).*\n?)*)", PAGE, re.MULTILINE))


def anchor(heading: str) -> str:
    """Return GitHub's anchor of a heading: lower case, punctuation dropped, spaces as hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


ANCHORS = {anchor(heading) for heading in re.findall(r"^##+ (.+)$", PAGE, re.MULTILINE)}


def test_three_sections_with_sorted_entries_and_no_anchor_twice():
    assert list(SECTIONS) == ["Cardiology", "Signal", "Explainable AI"]
    for text in SECTIONS.values():
        terms = re.findall(r"^### (.+)$", text, re.MULTILINE)
        assert terms == sorted(terms, key=str.casefold)
    assert len(ANCHORS) == len(re.findall(r"^##+ ", PAGE, re.MULTILINE))
    assert len(ENTRIES) >= 60


@pytest.mark.parametrize("term", ENTRIES)
def test_an_entry_has_a_text_and_a_source(term):
    text, _, source = ENTRIES[term].partition("*Source: ")
    assert 40 < len(text.strip()) < 450
    assert re.search(r"https://doi\.org/10\.\d{4,}/\S+|notebooks/(?:\d\d|A\d+)_\w+\.ipynb", source)


def test_links_of_the_glossary_lead_to_entries_and_notebooks():
    for link in re.findall(r"\]\(#([^)]+)\)", PAGE):
        assert link in ANCHORS
    for number, path in re.findall(r"\[(?:notebook|appendix) (\d\d|A\d+)\]\(([^)]+)\)", PAGE):
        assert number_of(Path(path).stem) == number
        assert (ROOT / path).exists()


@pytest.mark.parametrize("source", sorted((ROOT / "notebooks" / "src").glob("*.py")), ids=lambda path: path.stem)
def test_links_of_a_notebook_lead_to_entries(source):
    links = re.findall(r"\]\(([^)\s]*GLOSSARY\.md[^)\s]*)\)", source.read_text("utf-8"))
    for link in links:
        path, _, fragment = link.partition("#")
        assert path == "../GLOSSARY.md"
        assert not fragment or fragment in ANCHORS, f"{source.name}: {link}"
