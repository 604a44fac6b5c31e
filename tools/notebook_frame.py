"""What every notebook has around its lessons, added when it is built: no source carries it.

Below the title stand links to Binder and Colab and how long it takes; then the cell that fetches the course where a
notebook comes alone; at the end the way on. A source whose first cell is no title (`# # 06 Reading an ECG`) gets none.

The minutes are computed: WORDS a minute of prose up to the references, LINES a minute of code, MINUTES for each
exercise, and the seconds that the cells took, from timings.json, which `notebooks.py build` writes. They are rounded
to five.
"""

import json
import math
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]

# Adults read 238 words of plain prose a minute (Brysbaert 2019, doi:10.1016/j.jml.2019.104047). A lesson is to be
# understood, and has formulas and pictures: half of that.
WORDS = 120
LINES = 20
MINUTES = 7

# A time replaces the last one only where it differs by more than a fifth and two seconds: else each build, on whatever
# machine, would change every notebook.
TOLERANCE, LEAST = 0.2, 2.0

# Colab and Kaggle set these variables, see leadwise.bootstrap.
BOOTSTRAP = """\
import os

if {{"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"}} & set(os.environ):  # there a notebook comes alone: fetch all
    %pip install --quiet --no-deps git+https://github.com/{repository}@v{version}
    from leadwise.bootstrap import prepare

    prepare()"""

BADGES = (
    "[![Open in Binder](https://mybinder.org/badge_logo.svg)]"
    "(https://mybinder.org/v2/gh/{repository}/HEAD?labpath={path})\n"
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{repository}/blob/main/{path})"
)
TIME = "**About {minutes} minutes** ({words} words a minute{exercises}); {seconds}."
NOTE = "*For teaching, not for diagnosis: nothing here may be used to decide about a patient.*"


def repository(root: Path = ROOT) -> str:
    """Return "owner/name" of the repository's address in pyproject.toml, the one place where it is set."""
    return re.search(
        r'^Repository = "https://github\.com/([^/"]+/[^/"]+)"$', (root / "pyproject.toml").read_text(), re.M
    )[1]


def version(root: Path = ROOT) -> str:
    """Return the course's version in pyproject.toml; the release of that version has the tag "v" and this."""
    return re.search(r'^version = "([^"]+)"$', (root / "pyproject.toml").read_text(), re.M)[1]


def is_titled(notebook: nbformat.NotebookNode) -> bool:
    """Say whether a notebook begins with a title, and so gets a frame."""
    first = notebook.cells[0] if notebook.cells else None
    return first is not None and first.cell_type == "markdown" and bool(re.match(r"# \S", first.source))


def minutes(notebook: nbformat.NotebookNode, seconds: float) -> int:
    """Return how long a notebook takes with its solutions, in minutes, a multiple of five; see this module's text."""
    prose = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    words = len(prose.split("## References")[0].split())
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    given = "\n".join(cell.source for cell in code if not is_exercise(cell))
    lines = sum(1 for line in given.splitlines() if line.strip())
    work = words / WORDS + lines / LINES + MINUTES * sum(map(is_exercise, code)) + seconds / 60
    return max(5, 5 * math.floor(work / 5 + 0.5))


def is_exercise(cell: nbformat.NotebookNode) -> bool:
    """Say whether a cell is one for the learner to fill."""
    return "solution" in cell.metadata.get("tags", [])


@dataclass(frozen=True)
class Frame:
    """The frame of the notebooks of one folder.

    Parameters
    ----------
    folder : holds src/ and timings.json
    repository : "owner/name" on GitHub
    """

    folder: Path
    repository: str

    @cached_property
    def titles(self) -> dict[str, str]:
        """Titles of all sources, in order: "06_reading_an_ecg" -> "06 Reading an ECG"."""
        lines = {path.stem: _title(path) for path in sorted((self.folder / "src").glob("*.py"))}
        return {stem: title for stem, title in lines.items() if title}

    @property
    def timings(self) -> dict[str, float]:
        """Seconds of each notebook as last recorded: "06_reading_an_ecg", "solutions/06_reading_an_ecg" -> seconds."""
        path = self.folder / "timings.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def record(self, path: str, seconds: float) -> None:
        """Write how long a notebook took, unless that is about what it took before."""
        name, known = path.removesuffix(".ipynb"), self.timings
        before = known.get(name)
        if before is None or abs(seconds - before) > max(LEAST, TOLERANCE * before):
            known[name] = max(1, round(seconds))
            (self.folder / "timings.json").write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")

    def put(self, path: str, notebook: nbformat.NotebookNode, solved: nbformat.NotebookNode) -> None:
        """Add the frame to the notebook that will lie at ``path`` below the folder.

        ``solved`` is the same notebook with its solutions, without a frame: what the minutes are computed from.
        """
        if not is_titled(notebook):
            return
        number, code = Path(path).stem[:2], BOOTSTRAP.format(repository=self.repository, version=version())
        head = nbformat.v4.new_markdown_cell(self.head(path, solved), id=f"{number}-badges")
        first = nbformat.v4.new_code_cell(code, id=f"{number}-bootstrap", metadata={"tags": ["remove-cell"]})
        foot = nbformat.v4.new_markdown_cell(self.foot(path, solved), id=f"{number}-footer")
        notebook.cells = [notebook.cells[0], head, first, *notebook.cells[1:], foot]

    def head(self, path: str, solved: nbformat.NotebookNode) -> str:
        """Return the line below the title: where to open the notebook, how long it takes, what it builds on."""
        seconds, exercises = self.timings.get(path.removesuffix(".ipynb")), sum(map(is_exercise, solved.cells))
        text = TIME.format(
            minutes=minutes(solved, seconds or 0),
            words=WORDS,
            exercises=f", {MINUTES} for each of {exercises} exercises" if exercises else "",
            seconds="not timed yet" if seconds is None else f"runs in {seconds:g} s",
        )
        before = [self.link(path, stem, stem[:2]) for stem in self.titles if stem[:2] in prerequisites(solved)]
        text += f" Builds on {', '.join(before)}." if before else ""
        return BADGES.format(repository=self.repository, path=f"notebooks/{path}") + "\n\n" + text

    def foot(self, path: str, solved: nbformat.NotebookNode) -> str:
        """Return the footer: the way back and on, the other variant, the glossary, and what the course is not for."""
        stem, stems = Path(path).stem, list(self.titles)
        here = stems.index(stem)
        other = self.link(path, stem, "Without solutions") if "/" in path else f"[Solutions](solutions/{stem}.ipynb)"
        ways = [
            "← " + self.link(path, stems[here - 1]) if here else "",
            other if any(map(is_exercise, solved.cells)) else "",
            f"[Glossary]({'../' * (1 + path.count('/'))}GLOSSARY.md)",
            self.link(path, stems[here + 1]) + " →" if here + 1 < len(stems) else "",
        ]
        return "---\n\n" + " · ".join(filter(None, ways)) + "\n\n" + NOTE

    def link(self, path: str, stem: str, text: str = "") -> str:
        """Return a link from the notebook at ``path`` to another one: to its exercises, wherever the reader is."""
        return f"[{text or self.titles[stem]}]({'../' * path.count('/')}{stem}.ipynb)"


def _title(path: Path) -> str:
    """Return the title in the first cell of a source, or ""."""
    found = re.match(r"\s*# %% \[markdown\].*\n# # (.+)", path.read_text(encoding="utf-8"))
    return found[1].strip() if found else ""


def prerequisites(notebook: nbformat.NotebookNode) -> set[str]:
    """Return the numbers of the notebooks that the first sentence of "**Before:** ..." names: "06 to 08" is three."""
    found = re.search(r"^\*\*Before:\*\*([^.;]+)", notebook.cells[0].source, re.MULTILINE)
    spans = re.findall(r"\b(\d\d)\b(?: to (\d\d)\b)?", found[1]) if found else []
    return {f"{number:02d}" for first, last in spans for number in range(int(first), int(last or first) + 1)}
