"""The notebooks' own explorers in JupyterLab: controls change pixels, nothing overflows, nothing is ever blank."""

import ast
import base64
import io
import re
from contextlib import contextmanager

import nbformat
import numpy as np
import pytest
from jinja2 import DictLoader
from nbconvert import HTMLExporter
from PIL import Image

import leadwise.explorers
from browser import (
    close_notebook,
    control,
    open_notebook,
    run_cells,
    settle,
    watch,
    write_notebook,
)
from leadwise.explorers import HeartVector
from leadwise.explorers.base import Explorer
from notebook_rules import ROOT, WIDGET, problems, texts
from notebooks import WITH_ALT

STORED = [*sorted(ROOT.glob("notebooks/*.ipynb")), *sorted(ROOT.glob("notebooks/solutions/*.ipynb"))]

WRONG = "[data-mime-type*=error], [data-mime-type*=stderr]"
NO_WORDS = "No description has been provided for this image"  # what nbconvert writes where it knows none

# What is changed in the browser: a choice and its new option (None: the first that is not chosen), then a slider.
CONTROLS = {
    "ECGExplorer": ("method", None, "threshold"),
    "ECGNetworkExplorer": ("layer", None, "channels"),
    "HeartVector": ("heart", "left bundle branch block", "axis (°)"),
    "ImageExplorer": ("method", None, "threshold"),
    "MethodGrid": ("style", None, "threshold"),
    "NetworkExplorer": ("layer", None, "channels"),
    "OwnECG": ("method", None, "start (s)"),
    "RuleLab": ("rule", "γ", "gamma"),
}

SHOWN = re.compile(rf"^(?:\w+ = )?({'|'.join(CONTROLS)})\(", re.MULTILINE)


# Cells ---------------------------------------------------------------------------------------------------------------


def names_in(code):
    """Return the names that a cell gives values to, and those that it needs from cells before it."""
    plain = "".join(line for line in code.splitlines(True) if not line.lstrip().startswith(("%", "!")))
    given, wanted, sure = set(), set(), set()
    for statement in ast.parse(plain).body:
        stored, own, read = names_of(statement)
        wanted |= read - own - sure
        given |= stored
        sure |= set() if isinstance(statement, ast.If) else stored
    return given, wanted


def names_of(statement):
    """Return the names that a statement stores, those that are its own, and those that it reads."""
    nodes = list(ast.walk(statement))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    stored = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    stored |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    imports = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    stored |= {(alias.asname or alias.name).split(".")[0] for alias in imports}
    inner = [node.target for node in nodes if isinstance(node, ast.comprehension)]
    own = {node.id for target in inner for node in ast.walk(target) if isinstance(node, ast.Name)}
    own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    own |= stored if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.For | ast.With) else set()
    return stored, own, {node.id for node in names if isinstance(node.ctx, ast.Load)}


def needed(sources, index):
    """Return the numbers of the cells that cell ``index`` needs, itself last."""
    wanted, found = names_in(sources[index])[1], [index]
    for i in reversed(range(index)):
        given, uses = names_in(sources[i])
        if given & wanted:
            found.insert(0, i)
            wanted = (wanted - given) | uses
    return found


def code_cells(path):
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def explorer_cells():
    """Return every cell of the notebooks that shows an explorer: cell id -> class."""
    cells = [cell for path in STORED if path.parent.name == "notebooks" for cell in code_cells(path)]
    return {cell.id: shown[1] for cell in cells if (shown := SHOWN.search(cell.source))}


def cells_for_explorers():
    """Return the explorers' cells and those that they need: cell id -> ids that it needs, itself last; id -> source."""
    chains, found = {}, {}
    for path in STORED:
        cells = code_cells(path) if path.parent.name == "notebooks" else []
        sources = [cell.source for cell in cells]
        for i, source in enumerate(sources):
            if SHOWN.search(source):
                chains[cells[i].id] = [cells[j].id for j in needed(sources, i)]
                found |= {cells[j].id: sources[j] for j in needed(sources, i)}
    return chains, found


EXPLORERS = explorer_cells()


def test_every_explorer_is_tried():
    public = {name: getattr(leadwise.explorers, name) for name in leadwise.explorers.__all__}
    assert set(CONTROLS) == {name for name, made in public.items() if issubclass(made, Explorer)}


# The notebooks, live --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(running, jupyter):
    """A folder that JupyterLab serves, without downloaded data, and its address and token."""
    folder = jupyter[0]
    write_notebook(folder / "explorers.ipynb", *cells_for_explorers()[1].values())
    write_notebook(folder / "still.ipynb", "HeartVector()", outputs=[saved_output(HeartVector())])
    return jupyter


def saved_output(explorer):
    """Return what a learner's notebook holds once it has been saved: live view and static twin."""
    data, metadata = explorer._repr_mimebundle_()
    return nbformat.v4.new_output("execute_result", data, metadata=metadata, execution_count=1)


@pytest.fixture(scope="module")
def live(running, lab):
    """All explorers of all notebooks on one page, with one kernel.

    A function: id of an explorer's cell -> its output area. What it needs is run, once.
    """
    page = open_notebook(running, *lab[1:], "explorers.ipynb")
    chains, sources = cells_for_explorers()
    place, done = {name: i for i, name in enumerate(sources)}, set()

    def shown(cell):
        if cell not in done:  # what is before it in its notebook is run again: other notebooks use the same names
            run_cells(page, *(place[name] for name in chains[cell]))
            done.add(cell)
            for name in chains[cell]:
                wrong = page.locator(".jp-CodeCell").nth(place[name]).locator(WRONG).all_inner_texts()
                assert wrong == [], name
        return page.locator(".jp-CodeCell").nth(place[cell]).locator(".jp-OutputArea").first

    yield page, shown
    close_notebook(page)


@pytest.mark.parametrize("cell", EXPLORERS)
def test_a_choice_and_a_slider_change_the_picture(live, cell):
    page, shown = live
    area, (choice, option, slider) = shown(cell), CONTROLS[EXPLORERS[cell]]
    watch(area)
    choices = control(area, choice).locator("select")
    with changed_pixels(page):
        other = {"index": int(choices.evaluate("(one) => one.selectedIndex") == 0)}
        choices.select_option(option) if option else choices.select_option(**other)
    with changed_pixels(page):
        for _ in range(4):
            control(area, slider).locator(".noUi-handle").press("ArrowRight")
    assert page.complaints == []


@contextmanager
def changed_pixels(page):
    """What happens within must change the picture, and the change must come to its end."""
    page.wait_for_function("probe.quiet()")
    before = page.evaluate("probe.sum()")
    page.evaluate("probe.begin()")
    yield
    page.wait_for_function("(before) => probe.quiet() && probe.sum() !== before", arg=before)


# Elements of an output that are wider than their place, labels that are cut, and what sticks out on the right.
OVERFLOWING = """(area) => {
  const right = area.getBoundingClientRect().right + 1;
  const name = (one) => `${one.tagName} ${one.className} ${one.textContent.slice(0, 40)}`;
  const scrolls = (one) => ["auto", "scroll"].includes(getComputedStyle(one).overflowX);
  return [...area.querySelectorAll("*")].filter((one) => one.checkVisibility()).filter((one) =>
    (one.scrollWidth > one.clientWidth + 1 && (scrolls(one) || one.matches(".widget-label")))
    || (one.getBoundingClientRect().right > right && !one.closest("svg, [hidden]"))).map(name);
}"""


@pytest.mark.parametrize("width", [1000, 700])
def test_nothing_scrolls_sideways(live, width):
    page, shown = live
    areas = {cell: shown(cell) for cell in EXPLORERS}
    one = next(iter(areas.values()))
    beside = page.viewport_size["width"] - round(one.bounding_box()["width"])
    page.set_viewport_size({"width": width + beside, "height": 1200})
    settle(page)
    assert round(one.bounding_box()["width"]) == width
    assert {name: found for name, area in areas.items() if (found := area.evaluate(OVERFLOWING))} == {}
    assert page.complaints == []


# The notebooks, without a kernel --------------------------------------------------------------------------------------


def still_picture(page):
    """Return the first picture of an output, once it is there; nothing may say that a widget is missing."""
    image = page.locator(".jp-OutputArea-output img").first
    image.wait_for()
    page.wait_for_function("document.querySelector('.jp-OutputArea-output img').naturalWidth > 300")
    assert "widget" not in page.locator(".jp-OutputArea-output").first.inner_text()
    return image


def test_an_untrusted_page_shows_the_still_picture(running, lab):
    page = open_notebook(running, *lab[1:], "still.ipynb")
    still_picture(page)
    close_notebook(page)


@pytest.mark.parametrize("template", [None, WITH_ALT])
def test_the_html_of_a_learners_notebook_shows_the_still_picture(running, lab, template):
    """By nbconvert as it is, and as ``make course`` calls it, with words for those who cannot see."""
    own = {"extra_loaders": [DictLoader({"own.j2": template})], "template_file": "own.j2"} if template else {}
    html, _ = HTMLExporter(**own).from_filename(str(lab[0] / "still.ipynb"))
    page = running.new_page()
    page.route("http*://**", lambda route: route.abort())  # nothing is asked of a network
    page.set_content(html, wait_until="domcontentloaded")
    image = still_picture(page)
    if template:
        assert len(image.get_attribute("alt")) > 20
        assert image.get_attribute("alt") != NO_WORDS
    page.close()


@pytest.mark.parametrize("path", STORED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_saved_outputs_hold_no_error_and_no_live_view(path):
    notebook = nbformat.read(path, 4)
    assert problems(notebook) == []
    assert "widgets" not in notebook.metadata
    for cell in code_cells(path):
        for output in cell.outputs:
            assert WIDGET not in output.get("data", {})
            assert "Traceback (most recent call last)" not in texts(output)
            assert "Error displaying widget" not in texts(output)


@pytest.mark.parametrize("cell", EXPLORERS)
def test_every_saved_explorer_has_a_picture_with_words(cell):
    (found,) = (one for path in STORED if path.parent.name == "notebooks" for one in code_cells(path) if one.id == cell)
    (output,) = (output for output in found.outputs if "image/png" in output.get("data", {}))
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))).convert("L"))
    assert pixels.std() > 10  # not blank
    assert min(pixels.shape) >= 200
    assert len(output.metadata["image/png"]["alt"]) > 20
