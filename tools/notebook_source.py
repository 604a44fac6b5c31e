"""From a source in notebooks/src (py:percent) to the notebooks that a learner opens, not yet executed."""

import ast
import re
from itertools import takewhile
from pathlib import Path

import jupytext
import nbformat

from notebook_frame import Frame, in_order, is_exercise, is_solution, number_of, repository
from notebook_language import Speech, speeches

# Fixed, so that neither the machine nor the day shows in a committed notebook.
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}

HERE, HERE_ALONE = "your code here", "Your code here."  # what a learner finds in place of a solution
ROOM = re.compile(f"{re.escape(HERE_ALONE)}$|{HERE}$", re.MULTILINE)


class SourceError(ValueError):
    """A notebook source that can't be built; the message names the file and the cell."""


def sources(folder: Path, names: list[str] | None = None) -> list[Path]:
    """Return the sources in ``folder``/src, appendices last: all, or those whose name starts with one of ``names``."""
    found = sorted((folder / "src").glob("*.py"), key=lambda path: in_order(path.stem))
    names = [Path(name).stem for name in names or [""]]
    for name in names:
        if not any(path.stem.startswith(name) for path in found):
            raise SourceError(f"no notebook {name!r}; there are: {', '.join(path.stem for path in found) or 'none'}")
    return [path for path in found if path.stem.startswith(tuple(names))]


def variants(source: Path, speech: Speech | None = None) -> dict[str, nbformat.NotebookNode]:
    """Return what is built from a source: path below notebooks/ -> notebook.

    A source without a cell tagged ``solution`` makes one notebook. With one it makes two: the exercise, where each
    solution is cut down to its leading comments and one line for each name in ``answers``, and
    ``solutions/NN_name.ipynb`` with all of it; prose tagged ``solution`` stands there alone. Each gets its frame, see
    ``notebook_frame``. In another language than English, ``speech``, both lie in a folder of its name.
    """
    solved = read(source, speech)
    folder = f"{speech.language}/" if speech else ""
    name = f"{folder}{source.stem}.ipynb"
    if not any(is_solution(cell) or "answers" in cell.metadata for cell in solved.cells):
        made = {name: solved}
    else:
        made = {name: exercise_of(source, solved, speech), f"{folder}solutions/{source.stem}.ipynb": solved}
    english = read(source) if speech else solved
    for path, notebook in made.items():
        for _ in range(path.count("/")):
            lead_up(notebook)
        if speech:
            lead_home(notebook, speech)
    frame = Frame(source.parents[1], repository(), speech)
    for path, notebook in made.items():
        frame.put(path, notebook, english)
    return made


def everything(source: Path) -> dict[str, nbformat.NotebookNode]:
    """Return what is built from a source in all languages."""
    return {path: made for speech in (None, *speeches(source)) for path, made in variants(source, speech).items()}


def exercise_of(source: Path, solved: nbformat.NotebookNode, speech: Speech | None = None) -> nbformat.NotebookNode:
    """Return a source's notebook without its solutions, and take from ``solved`` what only the tool has to know."""
    exercise = read(source, speech)
    for cell, solution in zip(exercise.cells, solved.cells, strict=True):
        answers = solution.metadata.pop("answers", None)
        cell.metadata.pop("answers", None)
        if is_exercise(cell):
            check_answers(f"{source}: cell {cell.id}", cell.source, answers or [])
            cell.source = stub(cell.source, answers)
            if speech:
                cell.source = ROOM.sub(lambda found: speech.frame(found[0]), cell.source)
        elif answers is not None:
            raise SourceError(f'{source}: cell {cell.id} has answers={answers!r} without tags=["solution"].')
    exercise.cells = [cell for cell in exercise.cells if is_exercise(cell) or not is_solution(cell)]
    return exercise


def read(source: Path, speech: Speech | None = None) -> nbformat.NotebookNode:
    """Read a py:percent file; metadata and cell ids are fixed by the file's name and content."""
    notebook = jupytext.read(source, fmt={"extension": ".py", "format_name": "percent"})
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.cells = [cell for cell in notebook.cells if cell.source]
    ids = set()
    for index, cell in enumerate(notebook.cells):
        # `# %% a title` names the cell, and with it its id and its figures' files, whatever is inserted before it.
        label = slug(cell.metadata.pop("title", "")) or f"{index:02d}"
        cell.id = f"{number_of(source.stem)}-{label}"
        if cell.id in ids:
            raise SourceError(f"{source}: two cells have the title {label!r}; titles must differ.")
        ids.add(cell.id)
    if speech:
        speech.translate(notebook)
    return notebook


def lead_up(notebook: nbformat.NotebookNode) -> None:
    """Let relative links to notebooks and pages lead to the same place from one folder further down."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\]\((?=[\w./-]+\.(?:md|ipynb)(?:#[^)]*)?\))", "](../", cell.source)


def lead_home(notebook: nbformat.NotebookNode, speech: Speech) -> None:
    """Let links to notebooks that exist in this language lead to them."""
    stems = "|".join(map(re.escape, sorted(speech.translated())))
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(rf"\]\(((?:\.\./)+)(?=(?:{stems})\.ipynb)", rf"](\g<1>{speech.language}/", cell.source)


def slug(title: str) -> str:
    """Return a title in lower-case letters, digits and hyphens, at most 50 of them."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:50]


def check_answers(where: str, solution: str, answers: list[str]) -> None:
    """Raise unless the solution defines every name that its learner is asked for."""
    nodes = list(ast.walk(ast.parse(solution))) if answers else []
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    defined |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    missing = [name for name in answers if name not in defined]
    if missing:
        raise SourceError(f"{where}: answers={answers!r}, but its solution defines no {', '.join(missing)}.")


def stub(solution: str, answers: list[str] | None = None) -> str:
    """Return what a learner gets in place of a solution: its leading comment lines, then room for code.

    Each name in ``answers`` gets a line that sets it to ``...``, so that the cell runs before anything is done.
    """
    task = takewhile(lambda line: line.startswith("#"), solution.splitlines())
    room = [f"{name} = ...  # {HERE}" for name in answers or []] or [f"# {HERE_ALONE}"]
    return "\n".join([*task, *room])
