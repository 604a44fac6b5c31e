"""Build, check and run the notebooks: the one tool behind ``make notebooks``, ``make course`` and ``make test``.

    python tools/notebooks.py build [NAMES]    sources -> executed notebooks/*.ipynb, without any downloaded data
    python tools/notebooks.py check [NAMES]    are notebooks/*.ipynb what their sources make? executes nothing
    python tools/notebooks.py run [NAMES]      sources -> build/*.html and plots/, executed anew with the learner's data
    python tools/notebooks.py nbgrader [NAMES] sources -> build/nbgrader, assignments for nbgrader; executes nothing

NAMES are notebook names or their beginnings, such as 06; without any, all notebooks are meant.
"""

import argparse
import base64
import sys
import tempfile
from pathlib import Path

import nbformat

from notebook_frame import Frame, repository
from notebook_language import speeches
from notebook_nbgrader import export
from notebook_rules import IMAGE, ROOT, clean, problems
from notebook_run import Execution, execute
from notebook_source import SourceError, everything, sources, variants

CELL_TIMEOUT = 180.0
ENGLISH = "en"

# nbconvert's own template takes no alternative text from an output's metadata.
WITH_ALT = """{% extends 'lab/index.html.j2' %}
{% block data_png scoped %}
<div class="jp-RenderedImage jp-OutputArea-output">
<img src="data:image/png;base64,{{ output.data['image/png'] }}"
alt="{{ output | get_metadata('alt', 'image/png') | escape }}" />
</div>
{% endblock data_png %}
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=list(COMMANDS))
    parser.add_argument("names", nargs="*")
    parser.add_argument("--notebooks", type=Path, default=ROOT / "notebooks", help="the folder that holds src/")
    parser.add_argument("--out", type=Path, default=ROOT / "build", help="where run and nbgrader write")
    parser.add_argument("--plots", type=Path, default=ROOT / "plots", help="where run writes the figures")
    parser.add_argument(
        "--variant",
        choices=("both", "exercises", "solutions"),
        default="both",
        help="solutions: those, and the notebooks that need none",
    )
    parser.add_argument("--language", default="", help="en, or another one with a .po in src/; by default all")
    parser.add_argument("--timeout", type=float, default=CELL_TIMEOUT, help="seconds for one cell (%(default)g)")
    options = parser.parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except SourceError as error:
        print(error, file=sys.stderr)
        return 1


def build(options: argparse.Namespace) -> int:
    """Execute the sources and write the notebooks that are committed; a notebook with a problem is not written."""

    def finish(path, notebook, execution):
        execution.problems = execution.problems or problems(notebook)
        if not execution.problems:
            target = options.notebooks / path
            target.parent.mkdir(parents=True, exist_ok=True)
            time_it(options.notebooks, path, notebook, execution.seconds)
            nbformat.write(notebook, target)

    # Nothing derived from real recordings or weights may enter the repository: the data folder is an empty one.
    with tempfile.TemporaryDirectory() as empty:
        return execute_all(options, finish, LEADWISE_DATA=empty, LEADWISE_MIRROR="")


def time_it(folder: Path, path: str, notebook: nbformat.NotebookNode, seconds: float) -> None:
    """Record how long a notebook took, and say so in its frame."""
    Frame(folder, repository()).record(path, seconds)
    timed = everything(folder / "src" / f"{Path(path).stem}.py")[path]
    for cell, fresh in zip(notebook.cells, timed.cells, strict=True):
        cell.source = fresh.source


def run(options: argparse.Namespace) -> int:
    """Execute the sources with whatever data the learner has; write HTML and figures."""
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(extra_loaders=[DictLoader({"with_alt.j2": WITH_ALT})], template_file="with_alt.j2")

    def finish(path, notebook, execution):
        html, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": Path(path).stem}})
        target = (options.out / path).with_suffix(".html")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(html, encoding="utf-8")
        save_figures(notebook, options.plots / Path(path).with_suffix(""))

    return execute_all(options, finish)


def execute_all(options: argparse.Namespace, finish, **environment: str) -> int:
    """Execute every notebook asked for, hand each to ``finish(path, notebook, execution)``, print lines and a table."""
    import matplotlib.font_manager  # noqa: F401  builds the font cache now: the first to do so logs a line to stderr

    todo, done = planned(options), {}
    for number, (path, notebook) in enumerate(todo, 1):
        name = path.removesuffix(".ipynb")
        print(f"[{number}/{len(todo)}] {name} ...", end=" ", flush=True)
        folder = (options.notebooks / path).parent
        execution = execute(notebook, folder if folder.is_dir() else options.notebooks, options.timeout, **environment)
        clean(notebook)
        finish(path, notebook, execution)
        done[name] = execution
        moved = f"{execution.driven} of {execution.controls} controls moved, " * (execution.controls > 0)
        print(f"{execution.seconds:.1f} s, {execution.peak_mb:.0f} MB, {moved}{verdict(execution)}", flush=True)
        for problem in execution.problems:
            print(indent(problem), file=sys.stderr, flush=True)
    print("\n" + table(done))
    return int(any(execution.problems for execution in done.values()))


def planned(options: argparse.Namespace) -> list[tuple[str, nbformat.NotebookNode]]:
    """Return the notebooks that the sources asked for make: (path below notebooks/, notebook without outputs)."""
    out = []
    for source in sources(options.notebooks, options.names):
        for speech in (None, *speeches(source)):
            if options.language in ("", speech.language if speech else ENGLISH):
                made = list(variants(source, speech).items())  # the exercise, then its solution where there is one
                out += {"exercises": made[:1], "solutions": made[-1:], "both": made}[options.variant]
    return out


def check(options: argparse.Namespace) -> int:
    """Compare each committed notebook with its source, and look through its outputs."""
    expected = dict(planned(options))
    found = {path: check_notebook(options.notebooks / path, notebook) for path, notebook in expected.items()}
    if not options.names:
        stored = [path for path in options.notebooks.rglob("*.ipynb") if path.parent.name[:1] != "."]
        for path in {str(path.relative_to(options.notebooks)) for path in stored} - set(expected):
            found[path] = ["has no source in notebooks/src"]
    for path, reasons in sorted(found.items()):
        print(f"{path}: {'differs' if reasons else 'agrees with its source'}")
        for reason in reasons:
            print(indent(reason), file=sys.stderr)
    if any(found.values()):
        print("Edit notebooks/src, never the .ipynb; then: make notebooks", file=sys.stderr)
    return int(any(found.values()))


def check_notebook(path: Path, expected: nbformat.NotebookNode) -> list[str]:
    """Return how a committed notebook differs from what its source makes, outputs aside, and what its outputs break."""
    if not path.exists():
        return ["not built yet"]
    try:
        notebook = nbformat.read(path, as_version=4)
    except (ValueError, nbformat.ValidationError) as error:
        return [f"not a readable notebook: {error}"]
    if notebook.metadata != expected.metadata:
        return ["its metadata differ from the source's"]
    if len(notebook.cells) != len(expected.cells):
        return [f"has {len(notebook.cells)} cells; its source makes {len(expected.cells)}"]
    for index, (cell, wanted) in enumerate(zip(notebook.cells, expected.cells, strict=True)):
        for key in ("id", "cell_type", "source", "metadata"):
            if cell[key] != wanted[key]:
                return [f"cell {index} ({cell.id}) has another {key}:\n{cell[key]}\n--- source ---\n{wanted[key]}"]
    return problems(notebook)


def save_figures(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Write every image of an executed notebook as ``folder/<cell id>[-2, -3 ...].png``."""
    for cell in notebook.cells:
        images = [output.data[IMAGE] for output in cell.get("outputs", []) if IMAGE in output.get("data", {})]
        for number, image in enumerate(images, 1):
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{cell.id}{f'-{number}' if number > 1 else ''}.png"
            path.write_bytes(base64.b64decode(image))


def nbgrader(options: argparse.Namespace) -> int:
    """Write the notebooks with exercises as assignments of nbgrader."""
    for path in export(options.notebooks, options.names, options.out / "nbgrader"):
        print(path)
    return 0


def verdict(execution: Execution) -> str:
    """Return "ok", or how many problems there are."""
    number = len(execution.problems)
    return f"FAILED ({number} problem{'s' * (number > 1)})" if number else "ok"


def table(done: dict[str, Execution]) -> str:
    """Return the table that closes a run."""
    width = max([len("notebook"), *map(len, done)])
    head = f"{'notebook':<{width}}  seconds  peak MB  result"
    rows = [f"{name:<{width}}  {e.seconds:7.1f}  {e.peak_mb:7.0f}  {verdict(e)}" for name, e in done.items()]
    return "\n".join([head, "-" * len(head), *rows])


def indent(text: str) -> str:
    return "    " + text.replace("\n", "\n    ")


COMMANDS = {"build": build, "check": check, "nbgrader": nbgrader, "run": run}

if __name__ == "__main__":
    sys.exit(main())
