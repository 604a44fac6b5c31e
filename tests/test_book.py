"""The book: what it gathers is complete, and what it makes of docstrings and results. `make book` builds all of it."""

import json
import re
import runpy
import sys
from importlib import import_module
from pathlib import Path

import nbformat
import pytest

import book
import book_pages
from course import SOURCES

ROOT = Path(__file__).resolve().parents[1]
INDEX = (ROOT / "book" / "index.md").read_text("utf-8")


@pytest.fixture(scope="module")
def docstrings():
    sys.path.insert(0, str(ROOT / "book"))
    try:
        return import_module("docstrings")
    finally:
        sys.path.remove(str(ROOT / "book"))


def test_the_configuration_can_be_read(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book"))
    settings = runpy.run_path(str(ROOT / "book" / "conf.py"))
    assert settings["nb_execution_mode"] == "off"
    registry = settings["doi_registry"]
    assert registry(None, "https://doi.org/10.1000/182") == "https://doi.org/api/handles/10.1000/182"
    assert registry(None, "https://physionet.org/") is None


def test_the_ten_lines_on_the_front_page_are_those_of_the_readme():
    """Which test_readme runs."""
    readme = (ROOT / "README.md").read_text("utf-8")
    part = re.search(r"## Explain your model in ten lines\n.*?(?=^## )", readme, re.DOTALL | re.MULTILINE)[0].rstrip()
    assert "leadwise.Network(" in part
    assert part in INDEX


def test_every_page_is_in_a_table_of_contents():
    index = book.with_appendices(INDEX, [source.stem for source in SOURCES])
    listed = re.findall(r"^\w\S*$", "\n".join(re.findall(r"```\{toctree\}(.*?)```", index, re.DOTALL)), re.MULTILINE)
    assert [page for page in listed if page.startswith("notebooks/")] == [f"notebooks/{s.stem}" for s in SOURCES]
    assert {text.removesuffix(".md") for text in book.TEXTS} <= set(listed)
    assert {"benchmarks/index", "api/index"} <= set(listed)


def test_appendices_are_a_part_of_their_own_behind_the_notebooks():
    text = "```{toctree}\n:caption: Notebooks\n\nnotebooks/01_one\n```\n\n```{toctree}\n:caption: How to\n\nA\n```\n"
    added = "```{toctree}\n:caption: Appendices\n:maxdepth: 1\n\nnotebooks/A2_more\nnotebooks/A10_most\n```\n\n"
    place = text.index("```{toctree}\n:caption: How")
    assert book.with_appendices(text, ["01_one", "A10_most", "A2_more"]) == text[:place] + added + text[place:]
    assert book.with_appendices(text, ["01_one"]) == text


def test_every_public_module_is_documented_on_a_page_of_the_reference():
    package = ROOT / "src" / "leadwise"
    modules = {".".join(path.relative_to(package.parent).with_suffix("").parts) for path in package.rglob("*.py")}
    public = {module.removesuffix(".__init__") for module in modules if "._" not in module.removesuffix(".__init__")}
    contents = book_pages.public_names()
    shown = {"leadwise"}
    for room, names in book_pages.rooms().items():
        assert re.search(rf"^{room}$", contents, re.MULTILINE)
        shown |= set(re.findall(r"automodule:: (\S+)", book_pages.api_page(room, names)))
    assert shown == public - {"leadwise.__main__"}


def test_every_method_is_on_the_page_of_methods():
    from leadwise import METHODS

    assert re.findall(r"^`(\w+)`$", book_pages.methods(), re.MULTILINE) == list(METHODS)


def test_every_result_of_a_benchmark_is_shown():
    page = book_pages.benchmarks()
    for path in (ROOT / "benchmarks").glob("*.json"):
        assert f"]({path.name})" in page
    best = json.loads((ROOT / "benchmarks" / "ground_truth.json").read_text())["summary"]["ECG embedded AVB"][
        "best method"
    ]
    assert re.search(rf"^\| ECG embedded AVB \|.*\| {best} \|", page, re.MULTILINE)


def test_results_become_lists_and_tables():
    result = {"rounds": 5, "ratios": {"N = 1": {"a": 1.0, "b": 0.12345}}, "runs": [{"MB": 473, "what": ["x", "y"]}]}
    lines = book_pages.tables(result)
    assert lines[0] == "- rounds: 5"
    assert "| N = 1 | 1 | 0.123 |" in lines
    assert "| 1 | 473 | x, y |" in lines


def test_a_solution_is_folded_below_its_exercise():
    for path in sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb")):
        solved = {cell.id: cell for cell in nbformat.read(path, as_version=4).cells if "solution" in tags(cell)}
        cells = book.folded(path.parent.parent / path.name).cells
        hidden = [number for number, cell in enumerate(cells) if cell.id.endswith("-solution")]
        for number, (name, cell) in zip(hidden, solved.items(), strict=True):
            if cell.cell_type == "code":
                assert (cells[number - 1].id, cells[number].source) == (name, cell.source)
                assert "hide-cell" in tags(cells[number])
            else:  # text without a counterpart
                heading, _, rest = cell.source.partition("\n")
                assert cells[number].source.startswith(f"<details><summary>{heading.strip('# ')}</summary>\n\n")
                assert rest in cells[number].source


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def test_sections_of_a_docstring_become_fields(docstrings):
    lines = """Filter a recording*.

    python -m leadwise

Parameters
----------
x, y : Tensor (N, 12, T), |x| < 1; see ``a * b``
    and more
**rest : what is left

Raises
------
ValueError : not finite""".splitlines()
    text = "\n".join(docstrings.convert(lines))
    assert r"Filter a recording\*." in text
    assert "::\n\n        python -m leadwise" in text
    assert ":param x: Tensor (N, 12, T), \\|x\\| < 1; see ``a * b``\n:param y: " in text
    assert "\n    and more\n:param \\*\\*rest: what is left" in text
    assert text.rstrip().endswith(":raises ValueError: not finite")


def test_a_page_that_links_nowhere_or_loads_from_elsewhere_is_named(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#here">b</a><a href="b.html#there">b</a><a href="c.html">c</a>')
    (tmp_path / "b.html").write_text('<p id="here"><script src="https://cdn.example/x.js"></script>')
    assert sorted(book.check_pages(tmp_path)) == [
        "a.html links to b.html#there, which is not there",
        "a.html links to c.html, which is not there",
        "b.html loads https://cdn.example/x.js",
    ]
