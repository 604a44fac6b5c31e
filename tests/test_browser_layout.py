"""Every explorer on one screen, at two sizes: nothing moves the picture, and what is said of controls is true."""

import os
from pathlib import Path

import pytest

from browser import close_notebook, control, open_notebook, run_cells, settle, write_notebook
from leadwise import explorers
from leadwise.explorers.base import Explorer

SIZES = {"1400x900": (1400, 900), "1000x800": (1000, 800)}
CELLS = {
    "ECGExplorer": 'ECGExplorer("sim-lbbb-1", method="gradient")',
    "ImageExplorer": "ImageExplorer(6)",
    "MethodGrid": "MethodGrid(6)",
    "MethodGrid of an ECG": 'MethodGrid("sim-lbbb-1")',
    "ECGNetworkExplorer": "ECGNetworkExplorer(model='xresnet1d')",
    "NetworkExplorer": "NetworkExplorer()",
    "OwnECG": 'OwnECG(method="gradient")',
    "RuleLab": "RuleLab()",
    "HeartVector": "HeartVector()",
}
# A choice and its options, in words: each may offer other controls, say something longer or shorter, or fail.
CHANGES = {
    "ECGExplorer": {"family": ("class activation maps", "layer-wise relevance propagation"), "leads": ("all",)},
    "ImageExplorer": {
        "family": ("class activation maps", "layer-wise relevance propagation"),
        "picture": ("upload", "file on this computer", "scene with known objects"),
    },
    "MethodGrid": {"set for": ("LRP-ε",), "picture": ("file on this computer", "scene with known objects")},
    "MethodGrid of an ECG": {"set for": ("LRP-ε",), "network": ("AVB", "LBBB")},
    "ECGNetworkExplorer": {"sorted by": ("number",), "network": ("LBBB",)},
    "NetworkExplorer": {"picture": ("upload", "scene with known objects"), "sorted by": ("number",)},
    "OwnECG": {"family": ("class activation maps", "gradients"), "unit": ("V", "as the file says")},
    "RuleLab": {"rule": ("z", "γ", "z-box"), "inputs": ("pixels",)},
    "HeartVector": {"heart": ("right bundle branch block",), "ST seen in": None},
}
PICTURE = ".leadwise-stage, .leadwise-tiles, .leadwise-figure"
PHOTOGRAPHS = os.environ.get("LEADWISE_PHOTOGRAPHS")  # a folder, to look at what is measured


@pytest.fixture(scope="module")
def page(running, jupyter):
    """All explorers in one notebook, with one kernel, after a start."""
    folder, address, token = jupyter
    cells = [f"from leadwise.explorers import *\n{code}" for code in CELLS.values()]
    write_notebook(folder / "all.ipynb", *cells)
    page = open_notebook(running, address, token, "all.ipynb", *SIZES["1400x900"])
    run_cells(page)
    assert page.locator("[data-mime-type*=error], [data-mime-type*=stderr]").all_inner_texts() == []
    yield page
    close_notebook(page)


def area_of(page, name, size="1400x900"):
    """Return the output of an explorer, at the top of a window of this size, drawn."""
    page.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))
    area = page.locator(".jp-CodeCell").nth(list(CELLS).index(name)).locator(".jp-OutputArea-output").first
    area.locator(PICTURE).filter(visible=True).first.wait_for()
    area.evaluate("(one) => one.scrollIntoView()")
    rest(page)
    return area


def rest(page):
    """Wait until the kernel has nothing to do and all has been drawn."""
    page.wait_for_timeout(200)
    page.wait_for_function("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'")
    settle(page)
    page.wait_for_timeout(200)


def place(area):
    """Return left and top of the first picture, from the explorer's own corner."""
    return area.evaluate(
        """(area, picture) => { const own = area.getBoundingClientRect();
        const box = [...area.querySelectorAll(picture)].find((one) => one.checkVisibility()).getBoundingClientRect();
        return [box.left - own.left, box.top - own.top].map(Math.round); }""",
        PICTURE,
    )


def test_every_explorer_is_tried():
    public = {name: getattr(explorers, name) for name in explorers.__all__}
    assert {name.split()[0] for name in CELLS} == {name for name, one in public.items() if issubclass(one, Explorer)}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", CELLS)
def test_picture_and_main_controls_stand_on_one_screen(page, name, size):
    area = area_of(page, name, size)
    if PHOTOGRAPHS:
        page.screenshot(path=Path(PHOTOGRAPHS) / f"{name} {size}.png")
    bottoms = area.evaluate(
        """(area, picture) => { const of = (one) => one.getBoundingClientRect().bottom;
        const pictures = [...area.querySelectorAll(picture)].filter((one) => one.checkVisibility()).map(of);
        const controls = [...area.querySelectorAll("select, .noUi-handle, .widget-toggle-button")];
        return [Math.max(...pictures), Math.max(...controls.filter((one) => one.checkVisibility()).map(of))]; }""",
        PICTURE,
    )
    assert area.bounding_box()["y"] >= 0
    assert max(bottoms) <= SIZES[size][1] - 24, bottoms  # the status bar


@pytest.mark.parametrize("name", CELLS)
def test_nothing_moves_the_picture(page, name):
    area = area_of(page, name)
    before, seen = place(area), {}
    for label, options in CHANGES[name].items():
        for option in options or (None,):
            select = control(area, label).locator("select")
            select.select_option(option) if option else select.select_option(index=1)
            page.wait_for_timeout(150)
            seen[label, option, "at once"] = place(area)
            rest(page)
            seen[label, option, "at rest"] = place(area)
    for slider in area.locator(".noUi-handle:visible").all()[:3]:
        slider.press("ArrowRight")
        page.wait_for_timeout(100)
        seen["slider", slider.get_attribute("aria-label"), ""] = place(area)
    rest(page)
    assert {key: found for key, found in seen.items() if found != before} == {}
    assert page.complaints == []


@pytest.mark.parametrize("name", CELLS)
def test_what_is_said_of_controls_is_true(page, name):
    area = area_of(page, name)
    if area.locator(".jupyter-widget-Collapse-header").count():
        open_fold = area.locator(".jupyter-widget-Collapse-header").first
        if not area.locator(".jupyter-widget-Collapse-contents:visible").count():
            open_fold.click()
    rest(page)
    labels = area.locator(".widget-label:visible").all_inner_texts()
    labels = [one for one in labels if one.strip()]
    assert len(labels) == len(set(labels)), labels
    assert not any("_" in label for label in labels)
    assert area.locator('[title="null"]').count() == 0
    for handle in area.locator(".noUi-handle:visible").all():
        row = handle.locator("xpath=ancestor::*[contains(@class, 'widget-inline-hbox')][1]")
        assert handle.get_attribute("aria-label") == row.locator(".widget-label").first.inner_text()
        assert handle.get_attribute("aria-valuetext") == row.locator(".widget-readout").first.inner_text()


def test_a_refused_upload_leaves_the_old_picture_grey_and_says_so(page, tmp_path):
    (tmp_path / "wrong.csv").write_text("no numbers")
    area = area_of(page, "ECGExplorer")
    before = place(area)
    with page.expect_file_chooser() as choice:
        area.locator("button.widget-upload, button.jupyter-widget-upload, .widget-upload").first.click()
    choice.value.set_files(str(tmp_path / "wrong.csv"))
    chip = area.locator(".leadwise-chip")
    chip.filter(visible=True).wait_for()
    assert chip.inner_text() == "previous recording"
    assert place(area) == before
    sheet = area.locator(".leadwise-stage")
    assert "grayscale" in sheet.evaluate("(one) => getComputedStyle(one).filter")
    assert "previous recording" in sheet.get_attribute("aria-label")
    if PHOTOGRAPHS:
        page.screenshot(path=Path(PHOTOGRAPHS) / "refused.png")
    control(area, "sign").locator("select").select_option("positive")
    assert chip.is_visible()  # how it is drawn does not make it the one that was asked for
    control(area, "sign").locator("select").select_option("signed")
    control(area, "record").locator("select").select_option(index=1)
    chip.filter(visible=True).wait_for(state="hidden")


def test_a_dark_page_has_arrows_that_can_be_seen(page):
    area = area_of(page, "HeartVector")
    page.evaluate("() => jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })")
    page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")
    arrow = area.locator("select").first.evaluate("(one) => getComputedStyle(one).backgroundImage")
    if PHOTOGRAPHS:
        page.screenshot(path=Path(PHOTOGRAPHS) / "dark.png")
    page.evaluate("() => jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Light' })")
    page.wait_for_function("document.body.dataset.jpThemeLight === 'true'")
    assert "e0e0e0" in arrow
