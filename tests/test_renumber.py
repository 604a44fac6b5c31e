"""Other numbers for notebooks, on a small course whose every mention of one is known."""

import json
from pathlib import Path

import nbformat
import pytest

import notebook_source
import renumber
from notebooks import check_notebook

SOURCE = """# %% [markdown]
# # {number} {title}
#
# **Before:** {before}
#
# **Clinician's path:** from 01; sections 02 to 03 and 10. Next: 03, section 2,
# then 02 and 03.
#
# See [notebook 02](02_two.ipynb#part), [03 Three](03_three.ipynb), [02](02_two.ipynb) and notebooks
# 01 to 03; not 02 leads, 0.02 mV, [doi](https://doi.org/10.1/02.03). The appendix [A2](A2_more.ipynb), appendices
# A2 and A9.

# %% a figure
from leadwise.checks import topic as check

x = "{number}"  # notebook {number}
"""
TITLES = {"00": "Zero", "01": "One", "02": "Two", "03": "Three"}
BEFORE = {"00": "Python.", "01": "notebook 00.", "02": "01; some Python of 01.", "03": "notebooks 01 and 02."}
TABLE = """
| [00 Zero](notebooks/00_zero.ipynb) | begin |
| [01 One](notebooks/01_one.ipynb) | go on |
| [02 Two](notebooks/02_two.ipynb) | see notebook 03, exercise 2 |
| [03 Three](notebooks/03_three.ipynb) | end |
"""
REST = {
    "README.md": TABLE + "\nExercise 02-3 is hard. In 02 it is not.\n",
    "CHANGELOG.md": "# Changes\n\n## 0.2\n\nNotebook 02, and 12 leads.\n\n## 0.1\n\nNotebook 02 is new.\n",
    "TEACHING.md": "| 9:02 | 02, sections 1 to 3 | all of 02 |\n| 10:03 | quiz of 02 and 03 | |\n| 02:03 | end | |\n",
    "slides/02_two.md": "## A slide\n\n![](figure:02-a-figure)\n\nNote: Exercise 2.\n",
    "slides/two_days.md": "{{ 02_two }}\n---\n{{ 03_three }}\n",
    "tests/test_sentences.py": (
        '    # 02\n    Claim("02-a-figure", "A2-a-figure", "02-none")\n\n\ndef test_notebook_02_says():\n    pass\n'
    ),
    "tests/test_frame.py": '"02_two"\n',
    "src/leadwise/checks/topic.py": '"""Checks of notebook 02, Two."""\n',
}


@pytest.fixture
def course(tmp_path) -> Path:
    """Four notebooks and an appendix, built, and texts that name them."""
    folder = tmp_path / "notebooks"
    (folder / "src").mkdir(parents=True)
    for number, title in TITLES.items():
        text = SOURCE.format(number=number, title=title, before=BEFORE[number])
        (folder / "src" / f"{number}_{title.lower()}.py").write_text(text)
    (folder / "src" / "A2_more.py").write_text(SOURCE.format(number="A2", title="More", before="02."))
    (folder / "timings.json").write_text(json.dumps({"02_two": 31, "03_three": 4, "A2_more": 3}))
    for source in notebook_source.sources(folder):
        for path, notebook in notebook_source.variants(source).items():
            printed = nbformat.v4.new_output("stream", name="stdout", text=f"of {path}")
            next(cell for cell in notebook.cells if cell.id.endswith("-a-figure")).outputs = [printed]
            nbformat.write(notebook, folder / path)
    for name, text in REST.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def names(course: Path) -> set[str]:
    return {path.relative_to(course).as_posix() for path in course.rglob("*") if path.is_file()}


@pytest.fixture
def swapped(course, capsys) -> tuple[Path, list[str]]:
    """The course with 02 and 03 in each other's place, and what was printed."""
    assert renumber.main(["02=03", "03=02", "--root", str(course)]) == 0
    return course, capsys.readouterr().out.splitlines()


def test_files_move_with_all_that_belongs_to_them(swapped):
    course, _ = swapped
    found = names(course)
    for stem in ("03_two", "02_three", "A3_more"):
        assert {f"notebooks/src/{stem}.py", f"notebooks/{stem}.ipynb"} <= found
    assert not [name for name in found if "02_two" in name or "03_three" in name or "A2_" in name]
    assert "slides/03_two.md" in found
    assert (course / "notebooks" / "timings.json").read_text() == (
        json.dumps({"02_three": 4, "03_two": 31, "A3_more": 3}, indent=1) + "\n"
    )


def test_a_source_names_others_as_they_are_called_now(swapped):
    course, _ = swapped
    lines = (course / "notebooks" / "src" / "02_three.py").read_text().splitlines()
    assert lines[1:15] == [
        "# # 02 Three",
        "#",
        "# **Before:** notebooks 01 and 03.",
        "#",
        "# **Clinician's path:** from 01; sections 02 to 03 and 10. Next: 02, section 2,",
        "# then 03 and 02.",
        "#",
        "# See [notebook 03](03_two.ipynb#part), [02 Three](02_three.ipynb), [03](03_two.ipynb) and notebooks",
        "# 01 to 02; not 02 leads, 0.02 mV, [doi](https://doi.org/10.1/02.03). "
        "The appendix [A3](A3_more.ipynb), appendices",
        "# A3 and A9.",
        "",
        "# %% a figure",
        "from leadwise.checks import topic as check",
        "",
    ]
    assert lines[15] == 'x = "03"  # notebook 02'  # only the second one says what it means


def test_what_else_names_them(swapped):
    course, _ = swapped
    text = {name: (course / name).read_text() for name in names(course) if name.endswith((".md", ".py"))}
    rows = text["README.md"].splitlines()
    assert rows[1:5] == [
        "| [00 Zero](notebooks/00_zero.ipynb) | begin |",
        "| [01 One](notebooks/01_one.ipynb) | go on |",
        "| [02 Three](notebooks/02_three.ipynb) | end |",
        "| [03 Two](notebooks/03_two.ipynb) | see notebook 02, exercise 2 |",
    ]
    assert rows[6] == "Exercise 03-3 is hard. In 02 it is not."
    assert text["CHANGELOG.md"] == REST["CHANGELOG.md"].replace("Notebook 02,", "Notebook 03,")
    assert text["TEACHING.md"].splitlines() == [
        "| 9:02 | 03, sections 1 to 3 | all of 02 |",
        "| 10:03 | quiz of 03 and 02 | |",
        "| 02:03 | end | |",
    ]
    assert "figure:03-a-figure" in text["slides/03_two.md"]
    assert text["slides/two_days.md"] == "{{ 03_two }}\n---\n{{ 02_three }}\n"
    assert text["tests/test_sentences.py"].splitlines()[:2] == [
        "    # 03",
        '    Claim("03-a-figure", "A3-a-figure", "02-none")',
    ]
    assert "def test_notebook_03_says" in text["tests/test_sentences.py"]
    assert text["tests/test_frame.py"] == REST["tests/test_frame.py"]  # a course of its own
    assert text["src/leadwise/checks/topic.py"] == '"""Checks of notebook 03, Two."""\n'


def test_built_notebooks_agree_with_their_sources_and_keep_their_outputs(swapped):
    course, _ = swapped
    folder = course / "notebooks"
    for source in notebook_source.sources(folder):
        for path, wanted in notebook_source.variants(source).items():
            assert check_notebook(folder / path, wanted) == []
    made = nbformat.read(folder / "03_two.ipynb", as_version=4)
    assert made.cells[-1].source.splitlines()[2].startswith("← [02 Three](02_three.ipynb)")
    printed = [cell.outputs[0].text for cell in made.cells if cell.id == "03-a-figure"]
    assert printed == ["of 03_two.ipynb"]


def test_what_changed_is_said_and_what_nobody_knows_is_asked(swapped):
    _, lines = swapped
    assert 'tests/test_sentences.py:2: Claim("03-a-figure", "A3-a-figure", "02-none")' in lines
    asked = {line for line in lines if line.startswith("? ")}
    assert "? README.md:7: Exercise 02-3 is hard. In 02 it is not." in asked
    assert any(line.startswith("? TEACHING.md:1: ") for line in asked)
    assert any(line.startswith("? notebooks/src/03_three.py:16: x = ") for line in asked)
    assert not any("CHANGELOG" in line or "test_frame" in line for line in asked)


def test_a_way_there_and_back_is_none(course):
    before = {name: (course / name).read_text() for name in names(course)}
    turn = ["01=02", "02=03", "03=01"]
    assert renumber.main([*turn, "--root", str(course)]) == 0
    assert renumber.main([f"{change[3:]}={change[:2]}" for change in turn] + ["--root", str(course)]) == 0
    after = {name: (course / name).read_text() for name in names(course)}
    assert set(after) == set(before)
    apart = {"notebooks/timings.json"}  # is written in order
    assert {name for name in after if after[name] != before[name]} <= apart


def test_a_notebook_that_was_not_up_to_date_is_named_and_moved(course, capsys):
    path = course / "notebooks" / "02_two.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[3].source = "old = True"
    nbformat.write(notebook, path)
    assert renumber.main(["02=04", "--root", str(course)]) == 0
    assert "? notebooks/02_two.ipynb is not what its source makes: build it" in capsys.readouterr().out
    assert nbformat.read(path.with_name("04_two.ipynb"), as_version=4).cells[3].source == "old = True"


def test_neighbours_that_are_none_any_more_are_named(course, capsys):
    assert renumber.main(["03=07", "--root", str(course)]) == 0
    assert "01 to 03 are no longer neighbours" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["2=3"], "'2=3' is no change"),
        (["02:03"], "'02:03' is no change"),
        (["07=08"], "no notebook 07; there are: 00, 01, 02, 03"),
        (["02=03"], "two notebooks would be 03"),
        (["02=04", "03=04"], "two notebooks would be 04"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(course, changes, said, capsys):
    before = {name: (course / name).read_text() for name in names(course)}
    assert renumber.main([*changes, "--root", str(course)]) == 2
    assert said in capsys.readouterr().err
    assert {name: (course / name).read_text() for name in names(course)} == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("notebooks/src/02_two.py", "notebooks/src/03_two.py"),
        ("notebooks/src/de/02_two.po", "notebooks/src/de/03_two.po"),
        ("notebooks/de/solutions/02_two.ipynb", "notebooks/de/solutions/03_two.ipynb"),
        ("notebooks/A2_more.ipynb", "notebooks/A3_more.ipynb"),
        ("slides/02_two.md", "slides/03_two.md"),
        ("notebooks/src/de/frame.po", "notebooks/src/de/frame.po"),
        ("benchmarks/02_two.json", "benchmarks/02_two.json"),
    ],
)
def test_translations_move_with_their_notebook(tmp_path, before, after):
    assert renumber.moved(tmp_path / before, tmp_path, {"02": "03", "A2": "A3"}) == tmp_path / after
