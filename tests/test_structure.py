"""What every notebook has, in which order: what a learner can rely on finding in each."""

import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

import notebook_source
from course import APPENDICES, NUMBERED, ROOT, SOURCES, TOPICS
from notebook_frame import number_of, prerequisites

FOLDER = ROOT / "notebooks"
LESSONS = NUMBERED[1:]  # 00 shows the way; it teaches nothing that is asked later
PICTURES = {"start", "alexnet", "gradients", "which_class", "lrp"}  # topics of notebooks that show no recordings

each = pytest.mark.parametrize("source", LESSONS, ids=lambda path: path.stem)
numbered = pytest.mark.parametrize("source", NUMBERED, ids=lambda path: path.stem)
every = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
beside = pytest.mark.parametrize("source", APPENDICES, ids=lambda path: path.stem)


@cache
def variants(source: Path) -> dict:
    """What the tool makes of a source, frame included, before it is executed."""
    return notebook_source.variants(source)


def prose(source: Path) -> list[str]:
    return [cell.source for cell in variants(source)[f"{source.stem}.ipynb"].cells if cell.cell_type == "markdown"]


def headings(source: Path) -> list[tuple[int, str]]:
    found = re.findall(r"^(#+) (.+)$", "\n".join(prose(source)), re.MULTILINE)
    return [(len(marks), text) for marks, text in found]


def section(source: Path, title: str) -> str:
    """The text of a section of the second level, up to the next; "" where there is none."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", "\n\n".join(prose(source)), re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def test_notebooks_are_numbered_from_00_without_a_gap():
    assert [path.stem[:2] for path in NUMBERED] == [f"{number:02d}" for number in range(len(NUMBERED))]
    assert len(NUMBERED) > 10


@numbered
def test_it_begins_with_title_objectives_and_prerequisites(source):
    first = prose(source)[0]
    assert re.match(rf"# {source.stem[:2]} \S.*\n", first)
    objectives = re.search(r"^\*\*You will be able to\*\*\n\n((?:- .+\n|  .+\n)+)", first, re.MULTILINE)
    assert objectives, "no list under **You will be able to**"
    assert 3 <= len(re.findall(r"^- ", objectives[1], re.MULTILINE)) <= 6
    assert re.search(r"^\*\*Before:\*\* \w", first, re.MULTILINE)
    if TOPICS[source.stem] not in PICTURES:
        assert "not diagnosis" in " ".join(first.split()) or "not for diagnosis" in " ".join(first.split())


@each
def test_its_prerequisites_come_before_it(source):
    needed = prerequisites(notebook_source.read(source))
    assert needed, "**Before:** names no notebook"
    assert max(needed) < source.stem[:2]


@each
def test_it_asks_before_it_shows(source):
    prompts = re.findall(r"^> \*\*Think first\.\*\* \S", "\n".join(prose(source)), re.MULTILINE)
    assert len(prompts) >= 2


@each
def test_it_has_exercises_that_are_announced_and_checked(source):
    cells = variants(source)[f"{source.stem}.ipynb"].cells
    exercises = [cell for cell in cells if notebook_source.is_solution(cell)]
    assert len(exercises) >= 4
    assert all(re.match(r"# \S", cell.source) for cell in exercises), "a stub without its task"
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    checks = set(re.findall(r"^check\.(\w+)\(", code, re.MULTILINE)) - {"quiz", "progress"}
    assert len(checks) >= 4
    assert sum("your code here" not in cell.source for cell in exercises) <= 1, "more than one exercise only in words"


@each
def test_it_ends_with_quiz_progress_take_away_a_way_on_and_references(source):
    cells = variants(source)[f"{source.stem}.ipynb"].cells
    number = source.stem[:2]
    ids = [cell.id for cell in cells]
    end = next(i for i, cell in enumerate(cells) if cell.cell_type == "markdown" and "## Take away" in cell.source)
    assert ids.index(f"{number}-quiz") < ids.index(f"{number}-progress") < end
    assert cells[ids.index(f"{number}-quiz")].source == "check.quiz()"
    assert cells[ids.index(f"{number}-progress")].source == "check.progress()"
    second = [text for level, text in headings(source) if level == 2]
    assert second[-3:] == ["Take away", "Go further", "References"]
    assert len(re.findall(r"^(?:-|\d+\.) ", section(source, "Take away"), re.MULTILINE)) >= 3
    assert section(source, "Go further")


@each
def test_its_references_are_numbered_and_resolvable(source):
    text = section(source, "References").split("\n---\n")[0]
    entries = re.split(r"^(\d+)\. ", text, flags=re.MULTILINE)[1:]
    numbers, entries = [int(number) for number in entries[::2]], entries[1::2]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "doi.org/10." in text
    addressed = [bool(re.search(r"\]\(https?://", entry)) for entry in entries]
    assert sum(addressed) >= len(entries) - 1, "more than one reference without an address"
    body = "\n".join(prose(source)).split("## References")[0]
    # "[0, 1]" is an interval.
    cited = {
        int(n) for group in re.findall(r"\[([1-9]\d*(?:[,–-] ?\d+)*)\](?!\()", body) for n in re.findall(r"\d+", group)
    }
    assert cited <= set(numbers), f"cited, but not in the list: {cited - set(numbers)}"


@every
def test_its_headings_leave_out_no_level(source):
    levels = [level for level, _ in headings(source)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@every
def test_its_links_lead_somewhere(source):
    made = {(FOLDER / path).resolve() for other in SOURCES for path in variants(other)}
    for path, notebook in variants(source).items():
        folder = (FOLDER / path).parent
        for cell in notebook.cells:
            links = re.findall(r"\]\(([^)\s]+\.(?:md|ipynb|py|json|csv))(?:#[^)]*)?\)", cell.source)
            for link in [link for link in links if cell.cell_type == "markdown" and "://" not in link]:
                target = (folder / link).resolve()
                assert target in made or target.is_file(), f"{path}: {cell.id} links to {link}"


@numbered
def test_the_way_back_and_on(source):
    stems, here = [path.stem for path in NUMBERED], NUMBERED.index(source)
    for path, notebook in variants(source).items():
        up, last = "../" * path.count("/"), notebook.cells[-1].source
        neighbours = [*stems[max(here - 1, 0) : here], *stems[here + 1 : here + 2]]
        assert all(f"]({up}{stem}.ipynb)" in last for stem in neighbours)
        assert "GLOSSARY.md" in last
        assert "not for diagnosis" in last
        assert re.search(r"\*\*About \d+ to \d+ minutes\*\*", notebook.cells[1].source)


@beside
def test_an_appendix_belongs_to_a_notebook_that_leads_to_it_and_builds_on_no_later_one(source):
    notebook, number = variants(source)[f"{source.stem}.ipynb"], number_of(source.stem)
    assert re.match(rf"# {number} \S.*\n", prose(source)[0])
    (home,) = [path for path in NUMBERED if int(path.stem[:2]) == int(number[1:])]
    assert max(prerequisites(notebook)) == home.stem[:2]
    assert f"({source.stem}.ipynb)" in home.read_text("utf-8"), f"{home.stem} does not lead to it"
    assert f"]({home.stem}.ipynb)" in notebook.cells[-1].source
    assert re.search(r"\*\*About \d+ to \d+ minutes\*\*", notebook.cells[1].source)


@every
def test_nothing_is_left_to_do(source):
    for name in ("TODO", "FIXME", "XXX", "lorem ipsum"):
        assert name not in source.read_text("utf-8")
