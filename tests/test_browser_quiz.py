"""A quiz and a field to think first in JupyterLab: what a learner sees and does, with mouse and keyboard."""

import pytest

from browser import close_notebook, open_notebook, run_cells, write_notebook

CELLS = (
    'from leadwise.checks import lead_wise as check\ncheck.think_first("two logits, one map")',
    "check.quiz()",
    'check.v1_or_v6("V6", ...)',
    "check.progress()",
)


@pytest.fixture(scope="module")
def page(running, jupyter):
    folder, address, token = jupyter
    write_notebook(folder / "quiz.ipynb", *CELLS)
    page = open_notebook(running, address, token, "quiz.ipynb")
    run_cells(page, 0, 1)
    page.wait_for_selector(".leadwise-quiz")
    yield page
    close_notebook(page)


def test_what_is_thought_first_is_kept_and_shown_at_the_end(page):
    page.locator(".leadwise-think textarea").fill("about -0.9")
    page.get_by_role("button", name="Keep").press("Enter")
    page.wait_for_selector(".leadwise-think >> text=You said: about -0.9")
    assert page.locator(".leadwise-think textarea").count() == 0
    run_cells(page, 2, 3)
    said = page.locator(".jp-CodeCell").nth(3).locator(".jp-OutputArea").inner_text()
    assert "two logits, one map: you said “about -0.9”" in said
    assert "You said “V6”. Still to do: shares." in said


def test_a_question_is_answered_and_every_option_explained(page):
    quiz = page.locator(".leadwise-quiz")
    labels = quiz.locator(".widget-radio-box").first.locator("label")
    assert labels.count() == 4
    for label in labels.all():  # whole sentences, none cut
        assert label.evaluate("one => one.scrollWidth <= one.clientWidth + 1")
    labels.first.click()
    quiz.get_by_role("button", name="Check").first.press("Enter")
    page.wait_for_selector(".leadwise-quiz >> text=(your choice)")
    assert quiz.locator("li").count() == 4
