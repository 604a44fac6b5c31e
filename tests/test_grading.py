"""Marking: a folder of submissions whose faults are known gives the table that they deserve."""

import copy
import csv
import json
import re
from pathlib import Path

import nbformat
import pytest

import notebook_nbgrader
from leadwise import grading
from leadwise.__main__ import main

ROOT = Path(__file__).resolve().parents[1]
EXERCISES = (1, 2, 5)  # of Reading an ECG: quick ones
SETUP = "from leadwise.checks import reading as check"
SOLVED = {
    1: """import numpy as np
def augmented(i, iii):
    ii = np.asarray(i) + np.asarray(iii)
    return {"aVR": -(i + ii) / 2, "aVL": (i - iii) / 2, "aVF": (ii + iii) / 2}""",
    2: 'predicted, axis, avf = (90, "upright"), 90, "upright"',
    5: 'exchanged = ("LA", "LL")',
}
STUBS = {1: "augmented = ...", 2: "predicted = ...\naxis = ...\navf = ...", 5: "exchanged = ..."}
CHECKS = {1: "check.augmented_leads(augmented)", 2: "check.balanced_lead_i(predicted, axis, avf)"}
CHECKS[5] = "check.exchanged_electrodes(exchanged)"
STUBBORN = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
ONLINE = """
import urllib.request
try:
    urllib.request.urlopen("http://192.0.2.1/", timeout=2)
except OSError as error:
    assert "no network while notebooks are marked" in str(error), error
"""


def notebook(answers: dict[int, str], checks: dict[int, str] = CHECKS) -> nbformat.NotebookNode:
    """A small notebook with these answers and checks of Reading an ECG."""

    def cell(source: str, name: str, *tags: str):
        return nbformat.v4.new_code_cell(source, id=f"06-{name}", metadata={"tags": list(tags)})

    cells = [cell(SETUP, "imports")]
    for n in EXERCISES:
        cells.append(cell(f"# Exercise {n}\n{answers[n]}", f"exercise-{n}", "solution"))
        cells += [cell(checks[n], f"check-{n}")] if n in checks else []
    return nbformat.v4.new_notebook(cells=cells)


def without_ids(answers: dict[int, str]) -> nbformat.NotebookNode:
    """As a program leaves a notebook that gives every cell a name of its own."""
    made = notebook(answers)
    for place, cell in enumerate(made.cells):
        cell.id = f"other-{place}"
    return made


SUBMITTED = {
    "right.ipynb": notebook(SOLVED),
    "wrong.ipynb": notebook(SOLVED | {2: 'predicted, axis, avf = 10, 10, "upright"'}),
    "crashing.ipynb": notebook(SOLVED | {1: "1 / 0"}),
    "endless.ipynb": notebook(SOLVED | {2: "while True: pass"}),
    "stubborn.ipynb": notebook(SOLVED | {2: STUBBORN}),
    "ending.ipynb": notebook(SOLVED | {2: "import os; os._exit(3)"}),
    "untouched.ipynb": notebook(STUBS),
    "tampered.ipynb": notebook(
        SOLVED | {2: "predicted, axis, avf = 10, 10, 'upright'"}, {1: CHECKS[1], 2: "print('right')"}
    ),
    "unchecked.ipynb": notebook(SOLVED, {}),
    "renamed.ipynb": without_ids(SOLVED),
    "online/06_mine.ipynb": notebook(SOLVED | {1: SOLVED[1] + ONLINE + "assert open('mine.txt').read() == 'a file'"}),
}
EXPECTED = {
    "right.ipynb": ("right", "right", "right"),
    "wrong.ipynb": ("right", "not yet", "right"),
    "crashing.ipynb": ("not checked", "right", "right"),
    "endless.ipynb": ("right", "not checked", "right"),
    "stubborn.ipynb": ("right", "not checked", "not checked"),
    "ending.ipynb": ("right", "not checked", "not checked"),
    "untouched.ipynb": ("not done yet", "not done yet", "not done yet"),
    "tampered.ipynb": ("right", "not yet", "right"),
    "unchecked.ipynb": ("right", "right", "right"),
    "renamed.ipynb": ("right", "right", "right"),
    "online/06_mine.ipynb": ("right", "right", "right"),
}
REASONS = {
    ("crashing.ipynb", "1"): "its exercise: ZeroDivisionError",
    ("endless.ipynb", "2"): "its exercise: took longer than 4 s",
    ("stubborn.ipynb", "5"): "06-exercise-2: took longer than 4 s",
    ("ending.ipynb", "5"): "06-exercise-2: ended Python",
    ("tampered.ipynb", "2"): "put back as the course has it: check-2, check-5",
    ("wrong.ipynb", "2"): "Where does a projection vanish?",
    ("unchecked.ipynb", "1"): "put back as the course has it: check-1, check-2, check-5",
    ("empty.ipynb", ""): "not a notebook: the file is empty",
    ("all.zip", ""): "not a notebook: an archive; unpack it",
    ("essay.docx", ""): "not a notebook",
    ("elsewhere.ipynb", ""): "no notebook of this course",
    ("nobody", ""): "not a file that can be read",
}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """What the command writes about SUBMITTED and files that are no submissions: rows as dicts."""
    root = tmp_path_factory.mktemp("grading")
    folder, course = root / "submitted", root / "course"
    (folder / "nobody").mkdir(parents=True)
    course.mkdir()
    nbformat.write(notebook(STUBS), course / "06_small.ipynb")
    for name, made in SUBMITTED.items():
        (folder / name).parent.mkdir(exist_ok=True)
        nbformat.write(copy.deepcopy(made), folder / name)
    (folder / "online" / "mine.txt").write_text("a file")
    (folder / "empty.ipynb").touch()
    (folder / "all.zip").write_bytes(b"PK\x03\x04 \xff an archive")
    (folder / "essay.docx").write_bytes(b"PK\x03\x04 \xff no notebook")
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")]), folder / "elsewhere.ipynb")
    (folder / ".DS_Store").touch()
    command = ["grade", str(folder), "--notebooks", str(course), "--cell", "4", "--limit", "300"]
    assert main([*command, "--out", str(root / "grades.csv")]) == 0
    with (root / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", SUBMITTED)
def test_each_exercise_gets_what_it_deserves(table, name):
    rows = [row for row in table if row["submission"] == str(Path(name))]
    assert [(row["notebook"], row["exercise"]) for row in rows] == [("06", str(n)) for n in EXERCISES]
    assert tuple(row["result"] for row in rows) == EXPECTED[name], rows
    assert rows[1]["title"] == "the axis at which lead I balances"


def test_a_submission_is_told_by_its_checks_not_by_its_number():
    """The sequence of the notebooks may have changed since it was handed out."""
    others, submitted = notebook(STUBS, dict.fromkeys(CHECKS, "check.other()")), notebook(SOLVED)
    for cell in others.cells + submitted.cells:
        cell.id = cell.id.replace("06-", "05-")
    assert grading.number_of(submitted, {"05": others, "06": notebook(STUBS)}) == "06"
    assert grading.topic_of(submitted) == "reading"


@pytest.mark.parametrize(("name", "exercise"), REASONS)
def test_it_says_why(table, name, exercise):
    (row,) = [row for row in table if (row["submission"], row["exercise"]) == (name, exercise)]
    assert REASONS[name, exercise] in row["said"]


def test_what_is_no_submission_has_one_row_and_hidden_files_none(table):
    files = {row["submission"]: row["result"] for row in table if not row["exercise"]}
    assert files == dict.fromkeys(("all.zip", "elsewhere.ipynb", "empty.ipynb", "essay.docx", "nobody"), "not graded")
    assert not any(row["submission"].startswith(".") for row in table)


def test_no_cell_of_the_table_is_a_formula(tmp_path):
    row = grading.Grade("=cmd()", "06", "1", "a title", "not yet", "-1 is too small")
    text = grading.write_grades([row], tmp_path / "grades.csv").read_text("utf-8-sig")
    assert "'=cmd()" in text
    assert "'-1 is" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["/nowhere"], "no folder /nowhere"),
        ([str(ROOT / "tests"), "--cell", "0"], "expected positive numbers"),
        ([str(ROOT / "tests"), "--notebooks", str(ROOT / "tests")], "no notebooks of the course"),
    ],
)
def test_wrong_usage_is_said(arguments, said, capsys):
    assert main(["grade", *arguments]) == 2
    assert said in capsys.readouterr().err


# nbgrader -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    out = tmp_path_factory.mktemp("nbgrader")
    return out, notebook_nbgrader.export(ROOT / "notebooks", [], out)


def test_every_notebook_with_exercises_is_an_assignment(exported):
    out, _ = exported
    solved = {path.stem for path in (ROOT / "notebooks" / "solutions").glob("*.ipynb")}
    for kind in ("source", "release"):
        assert {path.stem for path in out.glob(f"{kind}/*/*.ipynb")} == solved


def test_the_release_is_the_source_without_what_lies_between_the_marks(exported):
    out, written = exported
    for path in (path for path in written if "source" in path.parts):
        source = nbformat.read(path, as_version=4)
        release = nbformat.read(out / "release" / path.parent.name / path.name, as_version=4)
        assert [cell.metadata for cell in source.cells] == [cell.metadata for cell in release.cells]
        for cell, given in zip(source.cells, release.cells, strict=True):
            kept = cell.source
            for mark in ("SOLUTION", "HIDDEN TESTS"):
                if f"### BEGIN {mark}" in kept:
                    kept = kept[: kept.index(f"\n### BEGIN {mark}")] + kept.split(f"### END {mark}")[1]
            assert kept == given.source


def test_the_release_is_what_the_course_hands_out(exported):
    out, _ = exported
    for path in out.glob("release/*/*.ipynb"):
        handed = {c.id: c.source for c in nbformat.read(ROOT / "notebooks" / path.name, as_version=4).cells}
        cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
        assert all(cell.source == handed[cell.id] for cell in cells if cell.id in handed)
        assert sum(cell.metadata.nbgrader.grade for cell in cells) == sum(
            bool(re.search(r"-check-\d", cell.id)) for cell in cells
        )


def test_learners_are_handed_no_solution(exported):
    """Neither in code nor in prose: what is handed out is the course's own exercise."""
    out, _ = exported
    for path in sorted(out.glob("release/*/*.ipynb")):
        course = nbformat.read(ROOT / "notebooks" / path.name, as_version=4).cells
        handed = [cell for cell in nbformat.read(path, as_version=4).cells if "-paragraph-" not in cell.id]
        assert [(cell.id, cell.source) for cell in handed] == [(cell.id, cell.source) for cell in course]


def test_each_exercise_that_asks_to_interpret_has_a_paragraph_to_mark(exported):
    out, _ = exported
    for path in out.glob("release/*/*.ipynb"):
        text = json.dumps(nbformat.read(path, as_version=4))
        cells = nbformat.read(path, as_version=4).cells
        paragraphs = [cell for cell in cells if "-paragraph-" in cell.id]
        assert len(paragraphs) == bool(re.search(r"\*\*\d[^*]*[Ii]nterpret[^*]*\*\*", text)), path.name
