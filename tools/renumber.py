"""Give notebooks other numbers, everywhere at once: ``python tools/renumber.py 03=04 04=03``.

A notebook's source, its built notebooks, its deck and its seconds move, and its appendix with it (A3 becomes A4). What
names it is rewritten: links and file names, "notebook 03", "**Before:** 03 and 05", the ids of cells; PATTERNS says
where a number means a notebook. All numbers change in one step, so two notebooks may change places. Checks and quizzes
are named by topic and stay as they are.

Printed are the lines that changed, and behind a question mark those that hold such a number where no pattern knows what
it means: read them. Built notebooks that agreed with their source agree again, and need no execution; the others are
named. Translations move along (`python tools/translate.py check` says what to mend in them). Lines of a table or list
that stood in the order of the notebooks are put in order. Commit before you begin.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import nbformat

from notebook_frame import ROOT, number_of
from notebook_source import read, sources, variants
from notebooks import check_notebook

READ = ("*.md", "Makefile", "book/**/*.md", "data/*.md", "training/*.md", "training/*.py", "benchmarks/*.py")
READ += ("tools/*.py", "tests/*.py", "src/leadwise/**/*.py", "src/leadwise/checks/quizzes/*.md", "slides/*.md")
READ += ("notebooks/src/**/*.py", "notebooks/src/**/*.po", "notebooks/**/*.ipynb", "notebooks/timings.json")
MOVED = ("notebooks", "slides")  # and all folders in them, translations among them
# Tests on courses of their own making, and this file: the numbers there are none of this course's.
MADE_UP = {"tools/renumber.py", *(f"tests/test_{name}.py" for name in ("frame", "grading", "renumber", "tools"))}

N = r"(?:\d\d|A\d{1,2})"
GAP = r"(?: |\n *(?:# ?)?)"  # a space, or the end of a line of prose, of a comment or of a docstring
LIST = rf"{N}(?:(?:,|,?{GAP}(?:and|or|to)){GAP}{N}\b(?!\.\d))*"
NUMBER = re.compile(rf"(?<![A-Za-z0-9.]){N}(?![A-Za-z0-9])(?!\.\d)")
# No pattern, and may mean a notebook all the same. From 10 on most numbers are leads, seconds or samples.
UNSURE = re.compile(
    rf"(?<![\w.,:/%−-])(?:0\d|A\d{{1,2}})\b(?![.,:/%]?\d)|(?<=[\"']){N}(?=[\"'_-])|(?<![\w.]){N}(?=_[a-z])"
)


@dataclass(frozen=True)
class Pattern:
    """A place where numbers mean notebooks.

    Parameters
    ----------
    what : in words
    where : a regular expression; the numbers in what it matches are notebooks'. STEMS, TITLES and CELLS in it stand for
        the names, titles and cells of the course
    files : only in files whose path begins with this
    built : also in built notebooks; all else there follows from their sources
    within : only inside what this expression matches
    but : not inside what that one matches
    """

    what: str
    where: str
    files: str = ""
    built: bool = False
    within: str = ""
    but: str = ""


PATTERNS = (
    Pattern("a notebook, its file, its deck", rf"(?<![\w-])(?=(?:STEMS)\b){N}", built=True),
    Pattern("a notebook with its title", r"(?<![\w.])(?:TITLES)", built=True),
    Pattern("a cell, a figure", rf"(?<![\w.-])(?=(?:CELLS)\b){N}", built=True),
    Pattern("one notebook", rf"\b[Nn]otebook{GAP}{N}\b", built=True),
    Pattern("several notebooks", rf"\b[Nn]otebooks{GAP}{LIST}", built=True),
    Pattern("appendices", rf"\b[Aa]ppendi(?:x|ces){GAP}{LIST}", built=True),
    Pattern("the text of a link", rf"\[{N}\]\(", built=True),
    Pattern("an exercise", rf"\b[Ee]xercises? {N}(?=-\d)", built=True),
    Pattern("the title of a source", rf"^# # {N}(?= )", "notebooks/src/"),
    Pattern("what a notebook builds on", NUMBER.pattern, "notebooks/src/", within=r"\*\*Before:\*\*[^.;]+"),
    Pattern(
        "the clinician's path",
        NUMBER.pattern,
        "notebooks/src/",
        within=r"\*\*[Cc]linician's path[\s\S]*?(?=\n#? *\n|\Z)",
        but=rf"\b(?:section|exercise)s?{GAP}\d+(?:(?:,|{GAP}and|{GAP}to){GAP}\d+)*",
    ),
    Pattern("the timetable", rf"(?<= \| )(?:quiz of )?{LIST}(?=[, ])", "TEACHING.md", within=r"^\| \d+:\d\d \|.*$"),
    Pattern("the name of a test", r"notebooks?_\d\d(?=_|\b)", "tests/"),
    Pattern("a heading in the table of sentences", rf"^    # {N}$", "tests/test_sentences.py"),
)


def main(arguments: list[str] | None = None) -> int:
    """Renumber, and print what changed and what to read; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("changes", nargs="+", metavar="OLD=NEW", help="such as 03=04")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout")
    options = parser.parse_args(arguments)
    root = options.root
    try:
        new = asked(options.changes, root)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    agreeing, patterns = up_to_date(root, new), compiled(root)
    old = {path: path.read_text(encoding="utf-8") for path in files(root)}
    made = {}
    for path, text in old.items():
        name = path.relative_to(root).as_posix()
        changed, known = rewritten(text, name, new, patterns)
        if path.suffix != ".ipynb":
            print("".join(f"{line}\n" for line in report(name, text, changed, known, new)), end="")
        made[moved(path, root, new)] = in_order_again(text, changed)
    for path, text in made.items():
        write(path, text)
    for path in set(old) - set(made):
        path.unlink()
    for path in agreeing:
        restamp(root / "notebooks", path)
    return 0


def asked(changes: list[str], root: Path) -> dict[str, str]:
    """Return old number -> new number of the notebooks that change, and of their appendices.

    Raises
    ------
    ValueError : no OLD=NEW, no such notebook, or two notebooks with one number
    """
    there = sorted(number_of(path.stem) for path in sources(root / "notebooks"))
    new = {}
    for change in changes:
        found = re.fullmatch(r"(\d\d)=(\d\d)", change)
        if not found:
            raise ValueError(f"{change!r} is no change; expected two numbers of two digits, as in 03=04.")
        if found[1] not in there:
            raise ValueError(f"no notebook {found[1]}; there are: {', '.join(there)}.")
        new[found[1]] = found[2]
        if (appendix := f"A{int(found[1])}") in there:
            new[appendix] = f"A{int(found[2])}"
    after = [new.get(number, number) for number in there]
    twice = sorted({number for number in after if after.count(number) > 1 and number in new.values()})
    if twice:
        raise ValueError(f"two notebooks would be {', '.join(twice)}.")
    return {number: other for number, other in new.items() if number != other}


def files(root: Path) -> list[Path]:
    """Return the files that may name a notebook, or are one, or its deck."""
    found = {path for pattern in READ for path in root.glob(pattern)}
    return sorted(path for path in found if path.relative_to(root).as_posix() not in MADE_UP)


Compiled = tuple[Pattern, re.Pattern, re.Pattern | None, re.Pattern | None]


def compiled(root: Path) -> list[Compiled]:
    """Return PATTERNS as expressions, for the names, titles and cells of this course."""
    paths = sources(root / "notebooks")
    notebooks = [read(path) for path in paths]
    known = {
        "STEMS": [path.stem for path in paths],
        "TITLES": [title for one in notebooks for title in re.findall(rf"^# ({N} .+)", one.cells[0].source)],
        "CELLS": [cell.id for one in notebooks for cell in one.cells if not re.fullmatch(rf"{N}-\d\d", cell.id)],
    }
    known["CELLS"] += [f"{number_of(path.stem)}-{part}" for path in paths for part in ("badges", "bootstrap", "footer")]
    made = []
    for pattern in PATTERNS:
        where = pattern.where
        for word, some in known.items():
            where = where.replace(word, "|".join(map(re.escape, sorted(some, key=len, reverse=True))) or "-")
        others = [re.compile(text, re.MULTILINE) if text else None for text in (pattern.within, pattern.but)]
        made.append((pattern, re.compile(where, re.MULTILINE), *others))
    return made


def rewritten(text: str, name: str, new: dict[str, str], patterns: list[Compiled]) -> tuple[str, set[int]]:
    """Return a text with the new numbers, and the places in the old text where a number means a notebook."""
    built = name.endswith(".ipynb")
    known: dict[int, str] = {}
    for pattern, where, within, but in patterns:
        if name.startswith(pattern.files) and (pattern.built or not built):
            known |= dict(means(text, where, within, but))
    entries = [found.start() for found in re.finditer(r"^## ", text, re.MULTILINE)] if name == "CHANGELOG.md" else []
    end = entries[1] if len(entries) > 1 else len(text)  # what was said of earlier versions stays
    parts, last = [], 0
    for place, number in sorted(known.items()):
        parts += [text[last:place], new.get(number, number) if place < end else number]
        last = place + len(number)
    return "".join(parts) + text[last:], set(known)


def means(text: str, where: re.Pattern, within: re.Pattern | None, but: re.Pattern | None) -> Iterator[tuple[int, str]]:
    """Yield place and text of the numbers that mean notebooks by one pattern."""
    apart = [found.span() for found in but.finditer(text)] if but else []
    spans = [found.span() for found in within.finditer(text)] if within else [(0, len(text))]
    for start, end in spans:
        for match in where.finditer(text, start, end):
            for number in NUMBER.finditer(text, match.start(), match.end()):
                if not any(low <= number.start() < high for low, high in apart):
                    yield number.start(), number[0]


def report(name: str, old: str, changed: str, known: set[int], new: dict[str, str]) -> Iterator[str]:
    """Yield the lines that changed, and those to be read by a person."""
    start = 0
    for number, (before, after) in enumerate(zip(old.split("\n"), changed.split("\n"), strict=True), 1):
        where = f"{name}:{number}"
        if before != after:
            yield f"{where}: {after.strip()[:160]}"
        unsure = [found[0] for found in UNSURE.finditer(before) if start + found.start() not in known]
        if any(number in new for number in unsure):
            yield f"? {where}: {before.strip()[:160]}"
        spans = re.findall(r"\b(\d\d) to (\d\d)\b", before) if before != after else []
        for first, last in (span for span in spans if span[0] <= span[1]):
            now = [int(new.get(f"{one:02d}", one)) for one in range(int(first), int(last) + 1)]
            if now != list(range(now[0], now[-1] + 1)):
                yield f"? {where}: {first} to {last} are no longer neighbours: {after.strip()[:120]}"
        start += len(before) + 1


def in_order_again(old: str, changed: str) -> str:
    """Return a text whose lines stand in the order of the notebooks that they begin with, where they did before."""
    before, lines = old.split("\n"), changed.split("\n")
    for listed, run in groupby(range(len(lines)), key=lambda place: bool(begins_with(lines[place]))):
        places = list(run)
        numbers = [begins_with(before[place]) for place in places]
        if listed and numbers == sorted(numbers):
            for place, line in zip(places, sorted((lines[one] for one in places), key=begins_with), strict=True):
                lines[place] = line
    return "\n".join(lines)


def begins_with(line: str) -> str:
    """Return the number of the notebook that a line of a table or a list begins with, or ""."""
    found = re.match(r"(?:# )?(?:\| |- )?(?:\[|\*\*)?(?:notebooks/)?(\d\d)[ _][A-Za-z]", line)
    return found[1] if found else ""


def moved(path: Path, root: Path, new: dict[str, str]) -> Path:
    """Return where a file belongs: elsewhere if its name begins with the number of a notebook that changes."""
    number = number_of(path.name)
    if path.relative_to(root).parts[0] in MOVED and number in new:
        return path.with_name(new[number] + path.name[len(number) :])
    return path


def write(path: Path, text: str) -> None:
    """Write a file; the seconds of the notebooks sorted by their names, as the frame has them."""
    if path.name == "timings.json":
        text = json.dumps(dict(sorted(json.loads(text).items())), indent=1) + "\n"
    path.write_text(text, encoding="utf-8")


def up_to_date(root: Path, new: dict[str, str]) -> list[str]:
    """Return where the built notebooks will lie that agree with their source now; name the others."""
    folder, agreeing = root / "notebooks", []
    for source in sources(folder):
        for path, notebook in variants(source).items():
            if check_notebook(folder / path, notebook):
                print(f"? notebooks/{path} is not what its source makes: build it")
            else:
                agreeing.append(moved(folder / path, root, new).relative_to(folder).as_posix())
    return agreeing


def restamp(folder: Path, path: str) -> None:
    """Let a built notebook say what its source says now, its frame as well; its outputs stay."""
    notebook = nbformat.read(folder / path, as_version=4)
    fresh = variants(folder / "src" / f"{Path(path).stem}.py")[path]
    for cell, wanted in zip(notebook.cells, fresh.cells, strict=True):
        cell.id, cell.source, cell.metadata = wanted.id, wanted.source, wanted.metadata
    nbformat.write(notebook, folder / path)


if __name__ == "__main__":
    sys.exit(main())
