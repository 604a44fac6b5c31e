"""The frame of the notebooks, and the one address that it is stamped from."""

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

import badges
import notebook_frame
import notebook_source
from course import NUMBERED
from leadwise import bootstrap
from notebook_frame import Frame, is_exercise, is_solution, minutes, prerequisites, repository

ROOT = Path(__file__).resolve().parents[1]
HERE = "octocat/hello-world"

SOURCE = """# %% [markdown]
# # {title}
#
# **Before:** {before}
#
# {words}

# %% code
x = 1

y = 2

# %% exercise 1 tags=["solution"] answers=["z"]
# Exercise 1: a sum.
z = x + y

# %% [markdown]
# See [01](01_one.ipynb#part), [a word](../GLOSSARY.md#word), [DOI](https://doi.org/10.1000/x.md) and [below](#below).

# %% [markdown]
# ## References
#
# {words}
"""


@pytest.fixture
def course(tmp_path) -> Path:
    """Three small notebooks and what they took when they were last built."""
    folder = tmp_path / "notebooks"
    (folder / "src").mkdir(parents=True)
    titles = {
        "01_one": ("01 One", "nothing."),
        "02_two": ("02 Two", "notebook 01."),
        "03_three": ("03 Three", "notebooks 01 to 02."),
    }
    for stem, (title, before) in titles.items():
        text = SOURCE.format(title=title, before=before, words="word " * 1200)
        (folder / "src" / f"{stem}.py").write_text(text)
    (folder / "timings.json").write_text(json.dumps({"02_two": 31, "solutions/02_two": 42}))
    return folder


def made(course: Path, stem: str) -> dict[str, nbformat.NotebookNode]:
    return notebook_source.variants(course / "src" / f"{stem}.py")


def test_a_frame_says_where_to_open_how_long_it_takes_and_where_to_go(course):
    notebooks = made(course, "02_two")
    exercise, solution = (notebooks[path].cells for path in ("02_two.ipynb", "solutions/02_two.ipynb"))
    assert [cell.id for cell in exercise] == [cell.id for cell in solution]
    assert [cell.id for cell in exercise[:3]] == ["02-00", "02-badges", "02-bootstrap"]
    # the least: 1213 words / 150 + 2 lines / 25 + 2 for the exercise + 1 for its step + 31 s = 11.7 minutes
    # the most: 1213 / 80 + 2 / 10 + 5 + 2 + 31 s = 22.9; without the exercise 8.7 and 15.9
    expected = "**About 10 to 25 minutes**, without its exercises 5 to 20. Counted: 1,213 words, 2 lines of code, "
    expected += "1 exercise, 1 step of its solution; "
    assert exercise[1].source.endswith(expected + "runs in 31 s. Builds on [01](01_one.ipynb).")
    assert solution[1].source.endswith(expected + "runs in 42 s. Builds on [01](../01_one.ipynb).")
    path = f"{repository()}/blob/main/notebooks/02_two.ipynb"
    assert f"(https://colab.research.google.com/github/{path})" in exercise[1].source
    assert f"(https://mybinder.org/v2/gh/{repository()}/HEAD?labpath=notebooks/02_two.ipynb)" in exercise[1].source
    assert exercise[-1].source.splitlines()[2] == (
        "← [01 One](01_one.ipynb) · [Solutions](solutions/02_two.ipynb) · [Glossary](../GLOSSARY.md) · "
        "[03 Three](03_three.ipynb) →"
    )
    assert solution[-1].source.splitlines()[2] == (
        "← [01 One](../01_one.ipynb) · [Without solutions](../02_two.ipynb) · [Glossary](../../GLOSSARY.md) · "
        "[03 Three](../03_three.ipynb) →"
    )
    assert "not for diagnosis" in exercise[-1].source


def test_links_of_a_lesson_lead_to_the_same_place_from_the_solutions(course):
    notebooks = made(course, "02_two")
    exercise, solution = (notebooks[path].cells[5].source for path in ("02_two.ipynb", "solutions/02_two.ipynb"))
    assert "[01](01_one.ipynb#part), [a word](../GLOSSARY.md#word), [DOI](https://doi.org/10.1000/x.md)" in exercise
    assert solution == exercise.replace("(01_", "(../01_").replace("(../GLOSSARY", "(../../GLOSSARY")


def test_the_first_and_the_last_notebook_lead_one_way(course):
    first, last = made(course, "01_one")["01_one.ipynb"].cells, made(course, "03_three")["03_three.ipynb"].cells
    assert "←" not in first[-1].source
    assert "[02 Two](02_two.ipynb) →" in first[-1].source
    assert "→" not in last[-1].source
    assert "not timed yet. Builds on [01](01_one.ipynb), [02](02_two.ipynb)." in last[1].source


def test_an_appendix_stands_behind_the_notebooks_and_leads_back(course):
    words = "word " * 10
    for stem, title in (("A10_late", "A10 Late"), ("A2_more", "A2 More")):
        text = SOURCE.format(title=title, before="02.", words=words).split("# %% exercise")[0]
        (course / "src" / f"{stem}.py").write_text(text)
    stems = [path.stem for path in notebook_source.sources(course)]
    assert stems == ["01_one", "02_two", "03_three", "A2_more", "A10_late"]
    assert list(Frame(course, HERE).titles) == stems
    (notebook,) = made(course, "A10_late").values()
    assert [cell.id for cell in notebook.cells[:3]] == ["A10-00", "A10-badges", "A10-bootstrap"]
    assert "**About 5 to 10 minutes**. Counted: " in notebook.cells[1].source
    assert notebook.cells[1].source.endswith("Builds on [02](02_two.ipynb).")
    assert notebook.cells[-1].source.splitlines()[2] == "← [02 Two](02_two.ipynb) · [Glossary](../GLOSSARY.md)"
    assert "→" not in made(course, "03_three")["03_three.ipynb"].cells[-1].source


def test_a_source_without_a_title_gets_no_frame(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "01_bare.py").write_text("# %%\nprint(1)\n")
    assert len(notebook_source.variants(tmp_path / "src" / "01_bare.py")["01_bare.ipynb"].cells) == 1


def test_a_time_is_kept_unless_it_has_changed(course):
    frame = Frame(course, HERE)
    for seconds, kept in ((32.4, 31), (36.9, 31), (38.0, 38), (25.0, 25)):
        frame.record("02_two.ipynb", seconds)
        assert frame.timings == {"02_two": kept, "solutions/02_two": 42}
    frame.record("01_one.ipynb", 0.2)
    assert next(iter(frame.timings.items())) == ("01_one", 1)


def test_minutes_count_all_that_a_learner_does():
    solution = {"metadata": {"tags": ["solution"]}}
    cells = [nbformat.v4.new_markdown_cell("word " * 600 + "\n\n## References\n" + "word " * 6000)]
    cells.insert(0, nbformat.v4.new_markdown_cell("answer " * 999, **solution))
    cells += [
        nbformat.v4.new_code_cell("x = 1\n\n" * 96 + "plot_ecg(x)\nRuleLab()\ncheck.quiz()\ncheck.think_first(1)")
    ]
    cells += [nbformat.v4.new_code_cell("# A task.\n" + "x = 1\n" * 10, **solution) for _ in range(2)]
    counted = notebook_frame.count(nbformat.v4.new_notebook(cells=cells))
    assert list(counted) == list(notebook_frame.RATES)
    assert list(counted.values()) == [600, 100, 2, 1, 1, 2, 20]
    # the least: 600 / 150 + 100 / 25 + 2 / 2 + 1 / 2 + 2 + 2 * 2 + 20 + 1
    # the most: 600 / 80 + 100 / 10 + 2 * 2 + 2 + 6 + 2 * 5 + 2 * 20 + 1
    assert minutes(counted, 60) == (35, 85)  # 36.5 and 80.5, rounded outwards
    assert minutes(dict.fromkeys(counted, 0), 0) == (5, 10)


# What a learner's evening and a screen hold. Depth beyond it is for an appendix.
MOST = {"words": 2000, "lines of code": 250}
MOST_FIGURES, MOST_LINES = 12, 20
CLOSING = ("Take away", "Go further", "References")  # share a cell


ON_PATH = """# # 02 Two
#
# Twelve words stand before the first section.
#
# **Before:** notebook 01.
#
# **Clinician's path:** from 01; run all, {what}. Next: 03,
# section 9.

# %% imports
x = 1

# %% [markdown]
# ## 1 One
# {one}

# %% [markdown]
# ## 2 Two
# {two}

# %% [markdown]
# ### Below two
# {two}

# %% [markdown]
# ## Exercises
# **1 Write code.** {three}

# %% exercise 1 tags=["solution"] answers=["y"]
y = 1

# %% [markdown]
# **2 Write code.** {four}

# %% exercise 2 tags=["solution"] answers=["z"]
z = 1
z += 1

# %% [markdown]
# ## Quiz

# %% quiz
check.quiz()
"""


@pytest.mark.parametrize(
    ("what", "words", "steps"),
    [
        ("read section 1", 1, 0),
        ("read sections 1 and 2, do exercise 2", 1 + 20 + 1000, 2),
        ("read sections 1 to 2", 1 + 20, 0),
        ("leave out section 2 and exercise 1", 1 + 1000, 2),
        ("read sections 2, 3 and 1, do exercises 1 and\n# 2", 1 + 20 + 1100, 3),
    ],
)
def test_the_minutes_on_the_clinicians_path_are_of_the_part_that_its_head_names(course, what, words, steps):
    numbers = {"one": 1, "two": 10, "three": 100, "four": 1000}
    text = ON_PATH.format(what=what, **{name: "word " * number for name, number in numbers.items()})
    (course / "src" / "02_two.py").write_text("# %% [markdown]\n" + text)
    solved = notebook_source.read(course / "src" / "02_two.py")
    counted = notebook_frame.count(notebook_frame.on_path(solved))
    prose = " ".join(cell.source for cell in notebook_frame.on_path(solved).cells if cell.cell_type == "markdown")
    assert len(re.findall(r"\bword\b", prose)) == words
    assert (counted["steps of their solutions"], counted["lines of code"], counted["quizzes"]) == (steps, 1, 0)
    low, high = minutes(counted, 31)
    assert (
        f", on the clinician's path {low} to {high}. Counted: "
        in made(course, "02_two")["02_two.ipynb"].cells[1].source
    )


def test_the_clinicians_path_is_one_way_from_the_first_notebook_and_names_what_there_is():
    path, number = ["00"], "07"
    sources = {notebook_frame.number_of(source.stem): notebook_source.read(source) for source in NUMBERED}
    said = {
        n: re.search(r"^\*\*Clinician's path:\*\*.*(?:\n.+)*", nb.cells[0].source, re.M) for n, nb in sources.items()
    }
    while number:
        line = said[number][0]
        assert f"from {path[-1]};" in line
        assert "; whole" in line or "; run all, " in line, line
        path.append(number)
        headings = "\n".join(cell.source for cell in sources[number].cells if cell.cell_type == "markdown")
        for what, title in (("section", r"^## {} "), ("exercise", r"^\*\*{} ")):
            for named in notebook_frame.numbers_behind(line, what):
                assert re.search(title.format(named), headings, re.M), f"{number} has no {what} {named}"
        following = re.search(r"Next: (\d\d)\.", line)
        number = following[1] if following else ""
    assert path == ["00", "07", "08", "01", "02", "03", "04", "09", "10", "11"]
    assert set(path[1:]) == {number for number, line in said.items() if line}


@pytest.mark.parametrize("source", NUMBERED, ids=lambda path: path.stem)
def test_a_notebook_is_not_too_long(source):
    """The figures are those that its committed notebook shows."""
    solved = notebook_source.read(source)
    counted = notebook_frame.count(solved)
    found = {what: counted[what] for what, most in MOST.items() if counted[what] > most}
    cells = nbformat.read(source.parents[1] / f"{source.stem}.ipynb", as_version=4).cells
    figures = sum("image/png" in output.get("data", {}) for cell in cells for output in cell.get("outputs", []))
    found |= {"figures": figures} if figures > MOST_FIGURES else {}
    for cell in solved.cells:
        lines = sum(1 for line in cell.source.splitlines() if line.strip())
        if cell.cell_type == "code" and not is_exercise(cell) and lines > MOST_LINES:
            found[f"lines of {cell.id}"] = lines
    assert found == {}


@pytest.mark.parametrize("source", NUMBERED, ids=lambda path: path.stem)
def test_a_heading_begins_its_cell(source):
    """So that it stays with what follows when a reader folds, moves or links."""
    cells = [one for one in notebook_source.read(source).cells if one.cell_type == "markdown" and not is_solution(one)]
    inside = [heading for cell in cells for heading in re.findall(r"(?<=\n)#+ (.+)", cell.source)]
    assert [heading for heading in inside if heading not in CLOSING] == []


@pytest.mark.parametrize("source", NUMBERED, ids=lambda path: path.stem)
def test_each_reference_is_cited(source):
    """A number in the list that no sentence names supports nothing."""
    text = "\n".join(cell.source for cell in notebook_source.read(source).cells)
    before, _, after = text.partition("## References")
    cited = re.findall(r"\[(\d[^\]]*)\](?!\()", before)  # [3], [1, eq. 56], [10, 11]; not the link [03](03_...)
    numbers = set(re.findall(r"\d+", re.sub(r"eq\. \d+", "", " ".join(cited))))
    assert set(re.findall(r"(?m)^(\d+)\. ", after)) - numbers == set()


@pytest.mark.parametrize(
    ("before", "numbers"),
    [
        ("notebooks 06 to 08. **Teaching, not diagnosis:** 09", {"06", "07", "08"}),
        ("notebook 00; Python with\nPyTorch tensors", {"00"}),
        ("notebooks 02 and 03; 06 helps", {"02", "03"}),
        ("notebooks 02 and 03. A word is explained; notebook 06 has the rest.", {"02", "03"}),
        ("some Python. No cardiology.", set()),
    ],
)
def test_prerequisites_are_the_numbers_after_before(before, numbers):
    cell = nbformat.v4.new_markdown_cell(f"# 09 Title\n\nSection 05.\n\n**Before:** {before}\n\nAnd 01.")
    assert prerequisites(nbformat.v4.new_notebook(cells=[cell])) == numbers


def test_the_first_cell_fetches_the_course_on_a_host_and_does_nothing_elsewhere(monkeypatch):
    cell = notebook_frame.BOOTSTRAP.format(repository=HERE, version=notebook_frame.version())
    code = compile(TransformerManager().transform_cell(cell), "first cell", "exec")
    calls = []

    class Shell:
        def run_line_magic(self, *arguments):
            calls.append(arguments)

    monkeypatch.setattr(bootstrap, "prepare", lambda: calls.append("prepare"))
    for variable in bootstrap.HOSTS:
        monkeypatch.delenv(variable, raising=False)
    exec(code, {"get_ipython": Shell})
    assert calls == []
    for variable in bootstrap.HOSTS:
        with monkeypatch.context() as host:
            host.setenv(variable, "release")
            exec(code, {"get_ipython": Shell})
        pip = ("pip", f"install --quiet --no-deps git+https://github.com/{HERE}@v{notebook_frame.version()}")
        assert calls == [pip, "prepare"]
        calls.clear()


def test_one_command_changes_the_address_everywhere(course, capsys):
    root = course.parent
    for name in ("pyproject.toml", "README.md", "CITATION.cff"):
        shutil.copy(ROOT / name, root / name)
    old, notebook = repository(), made(course, "02_two")["02_two.ipynb"]
    notebook.cells[2].execution_count = 1
    nbformat.write(notebook, course / "02_two.ipynb")
    (root / "GLOSSARY.md").write_text(
        f"https://{old.split('/')[0]}.github.io/{old.split('/')[1]}/ https://github.com/{old}-data github.com/{old}."
    )
    assert badges.main(["--root", str(root)]) == 0
    assert capsys.readouterr().out == f"{old}\n"
    assert badges.main([HERE, "--root", str(root)]) == 0
    printed = capsys.readouterr().out.split()
    assert printed == ["CITATION.cff", "GLOSSARY.md", "README.md", "notebooks/02_two.ipynb", "pyproject.toml"]
    assert repository(root) == HERE
    assert (root / "GLOSSARY.md").read_text() == (
        f"https://octocat.github.io/hello-world/ https://github.com/{old}-data github.com/{HERE}."
    )
    for name in ("README.md", "CITATION.cff", "notebooks/02_two.ipynb"):
        assert old not in (root / name).read_text()
    assert "placeholder" not in (root / "README.md").read_text()
    stamped = nbformat.read(course / "02_two.ipynb", as_version=4)
    assert stamped.cells[2].execution_count == 1  # nothing was built anew
    solved = notebook_source.read(course / "src" / "02_two.py")
    assert stamped.cells[1].source == Frame(course, HERE).head("02_two.ipynb", solved)
    assert stamped.cells[2].source == notebook_frame.BOOTSTRAP.format(repository=HERE, version=notebook_frame.version())


def test_everything_that_names_the_repository_is_stamped():
    stamped = {path for pattern in badges.STAMPED for path in ROOT.glob(pattern)}
    owner = repository().split("/")[0]
    skipped = {".git", ".venv", ".venv-unpinned", "build", "data", "node_modules", "__pycache__", "plots"}
    skipped |= {".ruff_cache", ".pytest_cache"}
    for path in ROOT.rglob("*"):
        if path in stamped or skipped & set(path.relative_to(ROOT).parts) or not path.is_file():
            continue
        if path.suffix in {".py", ".md", ".toml", ".cff", ".yml", ".yaml", ".txt", ".json", ".html", ".ipynb", ".js"}:
            assert owner not in path.read_text(encoding="utf-8"), f"{path} names the repository; add it to STAMPED"


@pytest.mark.parametrize("wrong", ["owner", "owner/", "-owner/name", "own--er/name", "o" * 40 + "/name", "a/b/c"])
def test_what_is_no_repository_is_refused(wrong, tmp_path, capsys):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert badges.main(["--root", str(tmp_path), "--", wrong]) == 2
    assert "expected owner/name" in capsys.readouterr().err
    assert re.search(r"^Repository = ", (tmp_path / "pyproject.toml").read_text(), re.MULTILINE)
