"""What a learner thinks first is kept, shown again beside the result, and never marked."""

import re
from itertools import pairwise
from pathlib import Path

import ipywidgets as widgets
import jupytext
import pytest

import notebook_source
from course import NUMBERED, SOURCES
from leadwise.checks import core
from leadwise.checks.core import Hint, exercise
from leadwise.checks.parts import parts_of
from leadwise.checks.think_first import ThinkFirst


@pytest.fixture
def registry(monkeypatch):
    for name, empty in (("CHECKS", core.defaultdict(dict)), ("VERDICTS", {}), ("PREDICTED", {}), ("QUIZZES", {})):
        monkeypatch.setattr(core, name, empty)
    core.PROMPTS.clear()


@pytest.fixture
def check(registry):
    @exercise("99", 1, "V1 or V6", predicts=True)
    def lead(share, *, largest="V1"):
        if share > 1:
            raise Hint("That is in per cent.")
        return f"The map says {largest}."

    return lead


@pytest.mark.parametrize("predicted", ["V6", "V1", "no idea", 7, {"V1": 0.3}, ["V1", "V6"], 0.0, False])
def test_no_prediction_is_wrong(check, predicted):
    verdict = check(predicted, 0.4)
    assert verdict.state == "right"
    assert repr(verdict) == f"✓ Exercise 1 (V1 or V6): right. You said {core.in_words(predicted)}. The map says V1."


def test_the_first_prediction_is_kept_before_anything_is_measured(check):
    first = check("V6", ...)
    assert (first.state, first.words) == ("not done yet", "You said “V6”. Still to do: share.")
    assert check("V1", 40).words == "You said “V6”. That is in per cent."
    assert check("V1", 0.4).words == "You said “V6”. The map says V1."
    for text in (repr(core.progress("99")), core.progress("99")._repr_html_()):
        assert "1 of 1 exercises right" in text
        assert "You said “V6”. The map says V1." in text


def test_without_a_prediction_the_exercise_is_not_done(check):
    assert check(..., 0.4).text == "Still to do: predicted."
    assert check(..., ...).text == ""
    assert check("V6", "rubbish").state == "not yet"


def test_a_prediction_without_some_of_its_keys_is_a_slip_that_can_be_mended(registry):
    """What is kept can never be changed: so a dict that was not finished is not kept, and what it lacks is named."""

    @exercise("99", 1, "V1 or V6", predicts=("V1", "V6"))
    def leads(share):
        return "The map says V6."

    for slip in ({"V1": 0.3}, {}, {"v1": 0.3, "V6": 1}):
        verdict = leads(slip, 0.4)
        assert (verdict.state, verdict.said) == ("not done yet", "")
        assert "`predicted` should be a dict with the keys V1, V6; missing: V" in verdict.text
    assert leads({"V1": "no idea", "V6": 0.3}, 0.4).said == "V1: “no idea”, V6: 0.3"
    assert leads({"V6": 1}, 0.4).said == "V1: “no idea”, V6: 0.3"  # the first is kept
    assert leads({"V6": 1}, 0.4).state == "right"


@pytest.mark.parametrize("words", ["no idea", 7, ["V1", "V6"]])
def test_words_instead_of_a_dict_are_a_prediction(registry, words):
    exercise("99", 1, "V1 or V6", predicts=("V1", "V6"))(lambda share: "The map says V6.")
    assert core.CHECKS["99"][1](words, 0.4).state == "right"


def test_a_label_begins_with_a_capital_and_a_symbol_does_not():
    assert [ThinkFirst("99", label).title for label in ("the lead", "μ for a black object", "ärger?")] == [
        "The lead.",
        "μ for a black object.",
        "Ärger?",
    ]


def test_a_field_keeps_the_first_answer(registry):
    _, progress, think_first = parts_of("99")
    field, other = think_first("the lead"), think_first("the wave")
    field.button.click()
    assert "Write something" in field.message.value
    assert field.kept is None
    field.answer.value = "  V6 <b>\nor V1 "
    field.button.click()
    assert field.kept == "V6 <b>\nor V1"
    assert "You said: <i>V6 &lt;b&gt;<br>or V1</i>" in field.message.value
    assert field.answer not in field.view.children
    again = think_first("the lead")  # its cell was run again
    assert again.kept == field.kept
    again.answer.value = "V1"
    again.button.click()
    assert again.kept == "V6 <b>\nor V1"
    assert other.kept is None
    assert "Think first: 1 of 2 answered." in repr(progress())
    assert "&lt;b&gt;" in progress()._repr_html_()


def test_nothing_of_it_is_red(registry):
    field = ThinkFirst("99", "the lead")
    field.answer.value = "wrong"
    field.button.click()
    for html in (field.static(), field.message.value, core.progress("99")._repr_html_()):
        assert core.COLOURS[core.NOT_YET] not in html
        assert core.MARKS[core.NOT_YET] not in html


def test_a_page_without_a_kernel_says_what_stands_there(registry):
    field = ThinkFirst("99", "a < b")
    data, _ = field._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == field.view.model_id
    assert "A &lt; b" in data["text/html"]
    assert "On paper" in data["text/html"]
    assert isinstance(field.view.children[1], widgets.Textarea)


# In the notebooks.


def fields(source: Path) -> list[str]:
    return re.findall(r'^check\.think_first\("(.+)"\)$', source.read_text("utf-8"), re.MULTILINE)


ASKING = [path for path in SOURCES if fields(path)]


def test_all_numbered_notebooks_ask():
    assert [path.stem for path in NUMBERED if path not in ASKING] == []


@pytest.mark.parametrize("source", ASKING, ids=lambda source: source.stem)
def test_each_prompt_has_a_field_below_it_and_an_answer_in_the_solutions(source):
    cells = jupytext.read(source, fmt="py:percent").cells
    labels = fields(source)
    assert len(set(labels)) == len(labels)
    for before, cell in pairwise(cells):
        prompts = len(re.findall(r"^> \*\*Think first\.\*\*", before.source, re.MULTILINE))
        assert prompts == cell.source.startswith("check.think_first("), f"{source.name}: {before.source[-200:]}"
    made = notebook_source.variants(source)
    answers = [
        cell.source for cell in made[f"solutions/{source.name[:-3]}.ipynb"].cells if "first: answers" in cell.source
    ]
    assert len(answers) == 1
    found = re.findall(r"^- \*\*(.+?[:?])\*\* \S", answers[0], re.MULTILINE)
    assert [text.rstrip(":") for text in found] == [ThinkFirst("99", label).title.rstrip(".") for label in labels]
    assert not any("first: answers" in cell.source for cell in made[f"{source.stem}.ipynb"].cells)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_what_is_predicted_is_kept_and_not_marked(source):
    """An exercise that asks to predict hands the prediction to its check first, under one name."""
    text = source.read_text("utf-8")
    for number in re.findall(r"^# \*\*(\d+) Predict", text, re.MULTILINE):
        call = re.search(rf"^# %% check {number}\n(check\.\w+\(.*)$", text, re.MULTILINE)[1]
        assert re.match(r"check\.\w+\(predicted, ", call), f"{source.name}: {call}"
