"""What every notebook has around its lessons, added when it is built: no source carries it.

Below the title stand links to Binder and Colab and how long it takes; then the cell that fetches the course where a
notebook comes alone; at the end the way on. A source whose first cell is no title (`# # 07 Reading an ECG`) gets none.

A source named A<n>_topic.py is an appendix to the notebook of that number: depth beside the way. It leads back to what
it builds on.

The minutes are a range, from what is counted in the source (`count`) times RATES, and the seconds that the cells took,
from timings.json, which `notebooks.py build` writes.

Calibration. Adults read 238 words of plain prose a minute (Brysbaert 2019, doi:10.1016/j.jml.2019.104047); a lesson
with formulas is read at two thirds of that by who knows the matter, and at a third by who is new to it. The other rates
were set so that the middle of the range is twice the estimate that stood here before (120 words and 20 lines a minute,
7 minutes an exercise, figures not counted), because complete trials from the text alone took twice as long as that.
Nobody has been timed against the range itself yet: where you are, change RATES and say so here.
"""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parents[1]

# What is counted -> minutes for each, for who knows the matter and for who is new to it. A step: a line of a solution.
LESSON = {
    "words": (1 / 150, 1 / 80),
    "lines of code": (1 / 25, 1 / 10),
    "figures": (0.5, 2.0),
    "prompts": (0.5, 2.0),
    "quizzes": (2.0, 6.0),
}
WORK = {"exercises": (2.0, 5.0), "steps of their solutions": (1.0, 2.0)}
RATES = LESSON | WORK
ONE = dict(
    zip(RATES, ("word", "line of code", "figure", "prompt", "quiz", "exercise", "step of its solution"), strict=True)
)
FIGURE = re.compile(r"\b(?:plot_\w+|plt\.show|\w+\.plot|\w*Explorer|HeartVector|RuleLab|MethodGrid|OwnECG)\(")

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
TIME = "**About {both} minutes**{alone}. Counted: {counted}; {seconds}."
RANGE, ALONE, BUILDS = "{} to {}", ", without its exercises {} to {}", " Builds on {}."
ON_PATH = ", on the clinician's path {} to {}"
UNTIMED, TIMED = "not timed yet", "runs in {} s"
SOLUTIONS, WITHOUT, GLOSSARY = "Solutions", "Without solutions", "Glossary"
SAID = re.compile(r"\*\*About (\d+) to (\d+) minutes\*\*(?:, without its exercises (\d+) to (\d+))?")
NOTE = "*For teaching, not for diagnosis: nothing here may be used to decide about a patient.*"
# All of it that is said, for other languages.
WORDS = (TIME, RANGE, ALONE, ON_PATH, BUILDS, UNTIMED, TIMED, SOLUTIONS, WITHOUT, GLOSSARY, NOTE, *RATES, *ONE.values())


def number_of(stem: str) -> str:
    """Return the number of a notebook by its name: "05" of "05_one", "A5" of "A5_more"."""
    return stem.partition("_")[0]


def is_appendix(stem: str) -> bool:
    """Say whether a notebook is an appendix, by its name."""
    return bool(re.match(r"A\d", stem))


def in_order(stem: str) -> tuple[bool, int, str]:
    """Return what notebooks are sorted by: the numbered ones, then the appendices by the notebook they belong to."""
    digits = re.search(r"\d+", number_of(stem))
    return is_appendix(stem), int(digits[0]) if digits else 0, stem


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


def count(notebook: nbformat.NotebookNode) -> dict[str, int]:
    """Return how much of what RATES names a notebook with its solutions holds, up to its references."""
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown" and not is_solution(cell)]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    given = "\n".join(cell.source for cell in code if not is_exercise(cell))
    solved = "\n".join(cell.source for cell in code if is_exercise(cell))
    return {
        "words": len("\n\n".join(prose).split("## References")[0].split()),
        "lines of code": sum(1 for line in given.splitlines() if line.strip()),
        "figures": len(FIGURE.findall(given)),
        "prompts": given.count("check.think_first("),
        "quizzes": given.count("check.quiz("),
        "exercises": sum(map(is_exercise, code)),
        "steps of their solutions": sum(
            1 for line in solved.splitlines() if line.strip() and not line.strip().startswith("#")
        ),
    }


def minutes(counted: dict[str, int], seconds: float, rates: dict[str, tuple[float, float]] = RATES) -> tuple[int, int]:
    """Return from how many to how many minutes a notebook takes, multiples of five; see this module's text.

    Parameters
    ----------
    counted : from ``count``
    seconds : that its cells run
    rates : what is to be done of it; by default all
    """
    low, high = (sum(rate[i] * counted[what] for what, rate in rates.items()) + seconds / 60 for i in (0, 1))
    return max(5, 5 * math.floor(low / 5)), max(10, 5 * math.ceil(high / 5))


def said_minutes(text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return from how many to how many minutes a notebook says that it takes: with its exercises, and without."""
    low, high, *alone = SAID.search(text).groups()
    whole = int(low), int(high)
    return whole, (int(alone[0]), int(alone[1])) if alone[0] else whole


def english(text: str) -> str:
    """Return a text as it is."""
    return text


def in_words(number: int, what: str, say: Callable[[str], str] = english) -> str:
    """Return "1,214 words", "1 line of code", "1 quiz"; in another language as ``say`` says it."""
    return f"{number:,} {say(what)}" if number > 1 else f"1 {say(ONE[what])}"


def is_solution(cell: nbformat.NotebookNode) -> bool:
    """Say whether a cell, of code or prose, is kept from the learner."""
    return "solution" in cell.metadata.get("tags", [])


def is_exercise(cell: nbformat.NotebookNode) -> bool:
    """Say whether a cell is one for the learner to fill."""
    return cell.cell_type == "code" and is_solution(cell)


@dataclass(frozen=True)
class Frame:
    """The frame of the notebooks of one folder.

    Parameters
    ----------
    folder : holds src/ and timings.json
    repository : "owner/name" on GitHub
    speech : a language other than English, from ``notebook_language``
    """

    folder: Path
    repository: str
    speech: Any = None

    @property
    def say(self) -> Callable[[str], str]:
        """What says a text of the frame."""
        return self.speech.frame if self.speech else english

    @cached_property
    def titles(self) -> dict[str, str]:
        """Titles of all sources, in order: "07_reading_an_ecg" -> "07 Reading an ECG"."""
        lines = {path.stem: _title(path) for path in (self.folder / "src").glob("*.py")}
        return {stem: lines[stem] for stem in sorted(lines, key=in_order) if lines[stem]}

    @property
    def timings(self) -> dict[str, float]:
        """Seconds of each notebook as last recorded: "07_reading_an_ecg", "solutions/07_reading_an_ecg" -> seconds."""
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
        number, code = number_of(Path(path).stem), BOOTSTRAP.format(repository=self.repository, version=version())
        head = nbformat.v4.new_markdown_cell(self.head(path, solved), id=f"{number}-badges")
        first = nbformat.v4.new_code_cell(code, id=f"{number}-bootstrap", metadata={"tags": ["remove-cell"]})
        foot = nbformat.v4.new_markdown_cell(self.foot(path, solved), id=f"{number}-footer")
        notebook.cells = [notebook.cells[0], head, first, *notebook.cells[1:], foot]

    def head(self, path: str, solved: nbformat.NotebookNode) -> str:
        """Return the line below the title: where to open the notebook, how long it takes, what it builds on."""
        seconds, counted = self.timings.get(path.removesuffix(".ipynb")), count(solved)
        low, high = minutes(counted, seconds or 0, LESSON)
        part = on_path(solved)
        path_alone = self.say(ON_PATH).format(*minutes(count(part), seconds or 0)) if part else ""
        text = self.say(TIME).format(
            both=self.say(RANGE).format(*minutes(counted, seconds or 0)),
            alone=(self.say(ALONE).format(low, high) if counted["exercises"] else "") + path_alone,
            counted=", ".join(in_words(number, what, self.say) for what, number in counted.items() if number),
            seconds=self.say(UNTIMED) if seconds is None else self.say(TIMED).format(f"{seconds:g}"),
        )
        before = [self.link(path, stem, number_of(stem)) for stem in self.before(solved)]
        text += self.say(BUILDS).format(", ".join(before)) if before else ""
        return BADGES.format(repository=self.repository, path=f"notebooks/{path}") + "\n\n" + text

    def foot(self, path: str, solved: nbformat.NotebookNode) -> str:
        """Return the footer: the way back and on, the other variant, the glossary, and what the course is not for."""
        stem, stems = Path(path).stem, [one for one in self.titles if not is_appendix(one)]
        here = stems.index(stem) if stem in stems else len(stems)  # an appendix leads back, and nowhere on
        back = self.before(solved) if is_appendix(stem) else stems[max(0, here - 1) : here]
        other = f"[{self.say(SOLUTIONS)}](solutions/{stem}.ipynb)"
        if "solutions/" in path:
            other = self.link(path, stem, self.say(WITHOUT))
        ways = [
            *(f"← {self.link(path, one)}" for one in back),
            other if any(map(is_exercise, solved.cells)) else "",
            f"[{self.say(GLOSSARY)}]({'../' * (1 + path.count('/'))}GLOSSARY.md)",
            f"[English]({'../' * path.count('/')}{stem}.ipynb)" if self.speech else "",
            self.link(path, stems[here + 1]) + " →" if here + 1 < len(stems) else "",
        ]
        return "---\n\n" + " · ".join(filter(None, ways)) + "\n\n" + self.say(NOTE)

    def before(self, solved: nbformat.NotebookNode) -> list[str]:
        """Return the names of the notebooks that one builds on."""
        return [stem for stem in self.titles if number_of(stem) in prerequisites(solved)]

    def link(self, path: str, stem: str, text: str = "") -> str:
        """Return a link from the notebook at ``path`` to another one: to its exercises, wherever the reader is."""
        folder = f"{self.speech.language}/" if self.speech and stem in self.speech.translated() else ""
        return f"[{text or self.titles[stem]}]({'../' * path.count('/')}{folder}{stem}.ipynb)"


def _title(path: Path) -> str:
    """Return the title in the first cell of a source, or ""."""
    found = re.match(r"\s*# %% \[markdown\].*\n# # (.+)", path.read_text(encoding="utf-8"))
    return found[1].strip() if found else ""


def prerequisites(notebook: nbformat.NotebookNode) -> set[str]:
    """Return the numbers of the notebooks that the first sentence of "**Before:** ..." names: "06 to 08" is three."""
    found = re.search(r"^\*\*Before:\*\*([^.;]+)", notebook.cells[0].source, re.MULTILINE)
    spans = re.findall(r"\b(\d\d)\b(?: to (\d\d)\b)?", found[1]) if found else []
    return {f"{number:02d}" for first, last in spans for number in range(int(first), int(last or first) + 1)}


def on_path(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """Return the part of a notebook that its line on the clinician's path names; None where that is all of it.

    The line says which sections and exercises to read and do, or which to leave out: "run all, read sections 1 to 3
    and 6, do exercise 2". What stands before the first section belongs to each part.
    """
    line = re.search(r"^\*\*Clinician's path:\*\*((?:(?!Next:|\n\n)[\s\S])*)", notebook.cells[0].source, re.MULTILINE)
    if not line or not re.search(r"\b(?:read|leave out)\b", line[1]):
        return None
    named = {what: numbers_behind(line[1], what) for what in ("section", "exercise")}
    without, where, kept = "leave out" in line[1], ("section", 0), []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^## (\d*)", cell.source, re.MULTILINE)
            tasks = re.findall(r"^\*\*(\d+) ", cell.source, re.MULTILINE)
            where = ("section", int(headings[-1] or -1)) if headings else where
            where = ("exercise", int(tasks[-1])) if tasks else where
        what, number = where
        if number == 0 or (number > 0 and (number in named[what]) != without):
            kept.append(cell)
    return nbformat.v4.new_notebook(cells=kept)


def numbers_behind(text: str, what: str) -> set[int]:
    """Return the numbers behind a word: "sections 1 to 3, 6 and 7" is five, "exercise 2" one."""
    number = r"\d+(?:\s+to\s+\d+)?"
    found = re.search(rf"\b{what}s?\s+({number}(?:(?:,\s+|\s+and\s+){number})*)", text)
    spans = re.findall(r"(\d+)(?:\s+to\s+(\d+))?", found[1]) if found else []
    return {number for first, last in spans for number in range(int(first), int(last or first) + 1)}
