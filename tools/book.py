"""Build the book: ``python tools/book.py`` writes build/book/index.html; ``--links`` looks up external links instead.

The pages are gathered in build/book-source, laid out as in the repository, so that their links hold in both: the
notebooks as they are committed, each solution folded below its exercise; the glossary and other texts; the results of
the benchmarks, the methods, and the docstrings of the package. Nothing is executed. Sphinx and myst-nb make the pages;
warnings are errors, and so is a link that leads nowhere inside the book, or a script, a style or a picture that would
come from elsewhere.
"""

import argparse
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat

from book_pages import api_page, benchmarks, methods, public_names, rooms
from notebook_frame import in_order, is_appendix, is_exercise, is_solution, number_of

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
TEXTS = ["GLOSSARY.md", "LICENSES.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md", "data/registry.md"]
TEXTS += ["TEACHING.md", "book/cohorts.md", "training/README.md", "training/alexnet_report.md"]
PICTURES = ["plots/gallery/from_saliency_to_semantics.png", "plots/gallery/ground_truth.png"]
BADGE = re.compile(r"\[!\[([^]]*)\]\(https?://[^)]+\)\]\((https?://[^)]+)\)")
SOLUTIONS = re.compile(r"\[([^]]+)\]\((?:\./)?solutions/\w+\.ipynb\)")
LINK = re.compile(r"\]\((?!https?:|mailto:|#|attachment:)([^)\s]+)\)")


def main(arguments: list[str] | None = None) -> int:
    """Gather the pages and build them; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "book")
    parser.add_argument("--links", action="store_true", help="look up external links (needs a network)")
    options = parser.parse_args(arguments)
    source = options.out.with_name("book-source")
    shutil.rmtree(source, ignore_errors=True)
    gather(source)
    status = sphinx("linkcheck" if options.links else "html", source, options.out)
    if status or options.links:
        return status
    faults = check_pages(options.out)
    print("\n".join(faults) or f"{options.out / 'index.html'}: every link inside the book leads somewhere.")
    return int(bool(faults))


def sphinx(builder: str, source: Path, out: Path) -> int:
    """Run Sphinx on gathered pages, with warnings as errors; return its exit status."""
    from sphinx.cmd.build import build_main

    doctrees = out.with_name("book-doctrees")
    shutil.rmtree(out, ignore_errors=True)
    return build_main(
        ["-b", builder, "-E", "-W", "--keep-going", "-q", "-c", str(BOOK), "-d", str(doctrees), str(source), str(out)]
    )


def gather(source: Path) -> None:
    """Write all pages below ``source``, and copy what they link to."""
    for name in TEXTS + PICTURES:
        copy(ROOT / name, source / name)
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    write(source / "index.md", with_appendices((BOOK / "index.md").read_text("utf-8"), [one.stem for one in notebooks]))
    for path in notebooks:
        write(source / "notebooks" / path.name, nbformat.writes(folded(path)))
    write(source / "benchmarks" / "index.md", benchmarks())
    write(source / "api" / "index.md", public_names())
    write(source / "api" / "methods.md", methods())
    for room, modules in rooms().items():
        write(source / "api" / f"{room}.md", api_page(room, modules))
    copy_mathjax(source / "_static" / "mathjax")
    copy_linked(source)


def with_appendices(index: str, stems: list[str]) -> str:
    """Return the index with the appendices among the notebooks as a part of its own, behind the part of the others."""
    pages = "\n".join(f"notebooks/{stem}" for stem in sorted(filter(is_appendix, stems), key=in_order))
    part = f"\n\n```{{toctree}}\n:caption: Appendices\n:maxdepth: 1\n\n{pages}\n```" if pages else ""
    end = index.index("\n```\n", index.index(":caption: Notebooks\n")) + len("\n```")
    return index[:end] + part + index[end:]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def copy_mathjax(folder: Path) -> None:
    """Put MathJax with its fonts beside the pages, so that formulas need no network."""
    from importlib.util import find_spec

    mathjax = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    for path in [mathjax / "tex-chtml.js", *(mathjax / "output/chtml/fonts/woff-v2").glob("*.woff")]:
        copy(path, folder / path.relative_to(mathjax))


def copy_linked(source: Path) -> None:
    """Copy the files of the repository that a page links to and that are no pages: they become downloads."""
    for page in [*source.rglob("*.md"), *source.rglob("*.ipynb")]:
        for link in LINK.findall(page.read_text("utf-8")):
            target = Path(unquote(link.split("#")[0]))
            here = (page.parent.relative_to(source) / target).as_posix()
            origin, copied = (ROOT / here).resolve(), (source / here).resolve()
            if (
                origin.is_file()
                and ROOT in origin.parents
                and not copied.exists()
                and origin.suffix not in (".md", ".ipynb")
            ):
                copy(origin, copied)


def folded(path: Path) -> nbformat.NotebookNode:
    """Return a committed notebook with each solution, if there are any, as a folded cell below its exercise."""
    notebook = nbformat.read(path, as_version=4)
    solved = path.parent / "solutions" / path.name
    solutions = {cell.id: cell for cell in nbformat.read(solved, as_version=4).cells} if solved.exists() else {}
    known, alone, cells = {cell.id for cell in notebook.cells}, answers_before(solutions), []
    for cell in notebook.cells:
        cells += [as_details(solutions[id]) for id in alone.get(cell.id, []) if id not in known]
        if cell.cell_type == "markdown":  # badges become words, and the solutions are on the page itself
            cell.source = SOLUTIONS.sub(r"\1", BADGE.sub(r"[\1](\2)", cell.source))
        cells.append(describe_images(cell))
        if is_exercise(cell):
            if cell.id not in solutions:
                raise ValueError(
                    f"{solved} lacks the cell {cell.id}: run `make notebooks NB={number_of(path.stem)}` again."
                )
            solution = describe_images(solutions[cell.id])
            solution.id = f"{cell.id}-solution"[:64]
            solution.metadata["tags"] = ["hide-cell"]
            prompts = {"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}
            solution.metadata["mystnb"] = solution.metadata.get("mystnb", {}) | prompts
            cells.append(solution)
    notebook.cells = cells
    return notebook


def answers_before(solutions: dict[str, nbformat.NotebookNode]) -> dict[str, list[str]]:
    """Return which cells of text that are tagged as solutions stand right before which cell."""
    found: dict[str, list[str]] = {}
    waiting: list[str] = []
    for cell in solutions.values():
        if is_solution(cell) and not is_exercise(cell):
            waiting.append(cell.id)
        else:
            found[cell.id], waiting = waiting, []
    return found


def as_details(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a cell of text folded under its heading; a tag folds cells of code only."""
    heading, _, rest = cell.source.partition("\n")
    cell.id = f"{cell.id}-solution"[:64]
    cell.source = f"<details><summary>{heading.lstrip('# ')}</summary>\n{rest}\n\n</details>"
    return cell


def describe_images(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Hand the alternative text of a cell's images to myst-nb, which looks for it in the cell."""
    for output in cell.get("outputs", []):
        alt = output.get("metadata", {}).get("image/png", {}).get("alt")
        if alt:
            cell.metadata["mystnb"] = {"image": {"alt": alt}}
    return cell


class Page(HTMLParser):
    """What a page links to, what it loads, and which anchors it has."""

    def __init__(self, text: str):
        super().__init__()
        self.links, self.loads, self.ids = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Note the attributes that matter."""
        attrs = dict(attrs)
        self.ids |= {attrs[key] for key in ("id", "name") if attrs.get(key)}
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        elif tag == "link" and attrs.get("rel") in ("stylesheet", "preload", "icon"):
            self.loads.append(attrs.get("href") or "")
        elif tag in ("img", "script", "iframe", "source", "video") and attrs.get("src"):
            self.loads.append(attrs["src"])


def check_pages(folder: Path) -> list[str]:
    """Return what is wrong with built pages: links that lead nowhere inside, and what comes from elsewhere."""
    pages = {path.resolve(): Page(path.read_text("utf-8")) for path in folder.rglob("*.html")}
    faults = []
    for path, page in pages.items():
        name = path.relative_to(folder.resolve())
        faults += [
            f"{name} loads {load}"
            for load in page.loads
            if urlsplit(load).scheme in ("http", "https") or load.startswith("//")
        ]
        inside = [link for link in page.links + page.loads if not urlsplit(link).scheme and not link.startswith("//")]
        for link in inside:
            target, _, fragment = link.partition("#")
            reached = (path.parent / unquote(target.split("?")[0])).resolve() if target else path
            lost = not reached.exists() or (
                fragment and reached in pages and unquote(fragment) not in pages[reached].ids
            )
            faults += [f"{name} links to {link}, which is not there"] * bool(lost)
    return faults


if __name__ == "__main__":
    sys.exit(main())
