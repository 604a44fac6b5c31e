"""The course as assignments of nbgrader, from the cells tagged ``solution``: ``tools/notebooks.py nbgrader``.

source/NN_name/NN_name.ipynb is what ``nbgrader generate_assignment`` takes: every solution between nbgrader's marks,
every check a test worth a point, a paragraph marked by hand for each exercise that asks to interpret.
release/NN_name/NN_name.ipynb is what it makes of that, for whoever only hands out and collects.
"""

import copy
import re
from pathlib import Path

import nbformat

from leadwise.grading import check_number
from notebook_frame import is_exercise
from notebook_source import sources, variants

SCHEMA = {"schema_version": 3, "task": False}
PARAGRAPH_POINTS = 3
PARAGRAPH = "**Your paragraph**, three to six sentences. TEACHING.md says what it is marked by."
CONFIG = f"""\
# Learners get the course's own stubs: nothing takes a solution's place.
c = get_config()
c.CourseDirectory.course_id = "from-saliency-to-semantics"
c.ClearSolutions.code_stub = {{"python": ""}}
c.ClearSolutions.text_stub = "{PARAGRAPH}"
c.ClearSolutions.enforce_metadata = False
c.ExecutePreprocessor.timeout = 180
"""


def export(folder: Path, names: list[str], out: Path) -> list[Path]:
    """Write source and release of every notebook with exercises, and nbgrader's configuration; return the paths."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "nbgrader_config.py").write_text(CONFIG)
    written = [out / "nbgrader_config.py"]
    for source in sources(folder, names):
        made = variants(source)
        if len(made) < 2:
            continue
        exercise, solved = made[f"{source.stem}.ipynb"], made[f"solutions/{source.stem}.ipynb"]
        for kind, notebook in (("source", assignment(exercise, solved)), ("release", _marked(exercise))):
            path = out / kind / source.stem / f"{source.stem}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, path)
            written.append(path)
    return written


def assignment(exercise: nbformat.NotebookNode, solved: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the source version: stub and solution, checks with a hidden test, nbgrader's metadata."""
    known = {cell.id: cell.source for cell in solved.cells}

    def solution(cell):
        return f"{cell.source}\n### BEGIN SOLUTION\n{known[cell.id]}\n### END SOLUTION"

    def check(cell):
        test = f'verdict = {cell.source.strip()}\nassert verdict.state == "right", verdict'
        return f"{cell.source}\n### BEGIN HIDDEN TESTS\n{test}\n### END HIDDEN TESTS"

    return _marked(exercise, solution, check)


def _marked(exercise, solution=lambda cell: cell.source, check=lambda cell: cell.source) -> nbformat.NotebookNode:
    """Return a copy of what learners get, with nbgrader's metadata, and other text for exercises and their checks."""
    notebook = copy.deepcopy(exercise)
    cells, asked = [], 0
    for cell in notebook.cells:
        cells.append(cell)
        heading = re.search(r"^\*\*(\d+) [^*]*[Ii]nterpret[^*]*\*\*", cell.source, re.MULTILINE)
        if cell.cell_type == "markdown":
            asked = int(heading[1]) if heading else asked
            continue
        number = check_number(cell)
        if is_exercise(cell):
            cell.source = solution(cell)
            _mark(cell, solution=True)
        elif number:
            cell.source = check(cell)
            _mark(cell, grade=True, locked=True, points=1)
            if number == asked:
                cells.append(_paragraph(cell.id[:2], asked))
        else:
            _mark(cell, locked=True)
    notebook.cells = cells
    return notebook


def _paragraph(notebook: str, number: int) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_markdown_cell(PARAGRAPH, id=f"{notebook}-paragraph-{number}")
    _mark(cell, grade=True, solution=True, points=PARAGRAPH_POINTS)
    return cell


def _mark(cell, **said) -> None:
    row = {"grade": False, "locked": False, "solution": False, "grade_id": cell.id, **SCHEMA, **said}
    cell.metadata["nbgrader"] = nbformat.from_dict(row)
