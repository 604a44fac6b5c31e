"""Checks of exercises and quizzes: the machinery on answers of every kind, and what all notebooks must have."""

import importlib
import re

import ipywidgets as widgets
import jupytext
import nbformat
import numpy as np
import pytest
import torch

from course import NUMBERED, ROOT, TOPICS
from leadwise.checks import answers, core, quiz
from leadwise.checks.core import Hint, exercise
from leadwise.checks.quiz import Option, Question


@pytest.fixture
def check(monkeypatch):
    """A check of "half of seven" in a registry of its own."""
    for name, empty in (("CHECKS", core.defaultdict(dict)), ("VERDICTS", {}), ("QUIZZES", {})):
        monkeypatch.setattr(core, name, empty)
    monkeypatch.setattr(quiz, "QUIZZES", core.QUIZZES)

    @exercise("99", 1, "half of seven", expects="a number")
    def half_of_seven(half, unit="mV"):
        if half == 3:
            raise Hint("3 is what // gives: <drop> no half.")
        return f"{half + 0.0} {unit}"

    return half_of_seven


def test_the_states_of_a_verdict(check):
    right = check(3.5, unit="mm")
    assert (right.state, right.text) == ("right", "3.5 mm")
    assert repr(right) == "✓ Exercise 1 (half of seven): right. 3.5 mm"
    wrong = check(3)
    assert repr(wrong) == "✗ Exercise 1 (half of seven): not yet. 3 is what // gives: <drop> no half."
    assert "&lt;drop&gt;" in wrong._repr_html_()
    assert "✗ not yet" in wrong._repr_html_()
    for nothing in (..., None, [1, ...], {"half": ...}):
        verdict = check(nothing)
        assert repr(verdict) == "○ Exercise 1 (half of seven): not done yet"
        assert verdict.state in verdict._repr_html_()


@pytest.mark.parametrize("rubbish", ["seven", {}, object(), torch, print, [1, 2]])
def test_a_check_never_raises(check, rubbish):
    verdict = check(rubbish)
    assert verdict.state == "not yet"
    assert re.search(r"could not be checked: \w+Error: .*; expected a number\.", verdict.text)
    assert check().state == "not yet"
    assert check(1, 2, 3).state == "not yet"


def test_a_learners_function_that_fails_is_named(check):
    @exercise("99", 2, "a function")
    def called(function, data):
        return function(1 / 2)

    assert "ZeroDivisionError: " in called(lambda x: 1 / 0, 3).text
    assert called(lambda x: x, ...).text == "Still to do: data."
    assert called(..., ...).text == ""


def test_a_check_can_be_interrupted(check):
    @exercise("99", 2, "a function")
    def called(function):
        function()

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        called(stop)


def test_two_checks_cannot_have_one_number(check):
    with pytest.raises(ValueError, match="half_of_seven and other are both 1"):

        @exercise("99", 1, "again")
        def other(half):
            return ""


def test_progress_counts_what_was_checked_last(check):
    @exercise("99", 2, "second")
    def second(answer):
        return ""

    assert repr(core.progress("99")).startswith("0 of 2 exercises right.\n  ○ Exercise 1 (half of seven): not done yet")
    check(3.5)
    second(1)
    check(3)
    seen = core.progress("99")
    assert [verdict.state for verdict in seen.verdicts] == ["not yet", "right"]
    assert "1 of 2 exercises right" in repr(seen)
    assert "Quiz" not in repr(seen)
    asked = quiz.Quiz("99", [ONE, MANY])
    asked.views[0].choices[0].index = 0
    asked.views[0].button.click()
    for text in (repr(core.progress("99")), core.progress("99")._repr_html_()):
        assert "Quiz: 1 of 2 questions answered, 0 rightly." in text


@pytest.mark.parametrize(
    "value", [2.5, np.float32(2.5), np.array(2.5), np.array([2.5]), torch.tensor(2.5, requires_grad=True)]
)
def test_numbers_come_in_many_forms(value):
    assert answers.as_number(value, "x") == 2.5
    assert answers.as_numbers({"a": value, "b": 1}, ["a"], "`x`") == {"a": 2.5}


@pytest.mark.parametrize("value", ["2.5", True, [1, 2], torch.zeros(2), np.zeros((2, 2)), print, float("nan")])
def test_what_is_not_a_number(value):
    with pytest.raises(Hint):
        answers.as_number(value, "x")


@pytest.mark.parametrize("form", [list, np.array, torch.tensor, lambda rows: torch.tensor(rows, requires_grad=True)])
def test_arrays_come_in_many_forms(form):
    rows = [[1.0, 2.0], [3.0, 4.0]]
    assert answers.as_array(form(rows), "x", (None, 2)).tolist() == rows
    assert (
        answers.as_map(form([rows]), "x", (2, 2)).tolist() == answers.as_map(form(rows), "x", (2, 2)).tolist() == rows
    )
    with pytest.raises(Hint, match=r"shape \(any, 3\); this one has \(2, 2\)"):
        answers.as_array(form(rows), "x", (None, 3))


def test_none_is_named_and_not_called_nan():
    with pytest.raises(Hint, match=r"x is None; .* without `return`"):
        answers.as_number(None, "x")


def test_choices_and_functions():
    assert answers.as_choice(" Blue", ["blue", "orange"], "colour") == "blue"
    for wrong in ("green", 3, ["blue"]):
        with pytest.raises(Hint, match="one of 'blue', 'orange'"):
            answers.as_choice(wrong, ["blue", "orange"], "colour")
    assert answers.as_function(print, "f") is print
    with pytest.raises(Hint, match=r"not its result: this is a tensor \(2,\)"):
        answers.as_function(torch.zeros(2), "f")


@pytest.mark.parametrize("form", [np.array([1.0, 2.0]), [1.0, 2.0], torch.tensor([1.0, 2.0]), lambda: [1, 2]])
def test_a_mistake_is_recognised(form):
    wrong = {"In per cent.": [100.0, 200.0], "Turned around.": lambda: [2.0, 1.0], "A shape.": [1.0]}
    answers.recognise([1.0, 2.0], form, wrong, "Something else.")
    answers.recognise([1.0, 2.0001], form, wrong, "Something else.")
    for found, hint in (([100, 200], "In per"), ([2, 1], "Turned"), ([1], "A shape"), ([1, 2.01], "Something")):
        with pytest.raises(Hint, match=hint):
            answers.recognise(found, form, wrong, "Something else.")
    answers.recognise([3, 4], form, wrong)  # without a last hint whatever is not recognised goes on


def test_a_mistake_is_computed_only_where_it_is_needed():
    answers.recognise(1.0, lambda: 1.0, {"no": lambda: 1 / 0}, "Something else.")
    with pytest.raises(Hint, match="nothing like it"):
        answers.recognise(0.0, 1.0, {}, "nothing like it")
    assert answers.near(0.0, 0.0)
    assert not answers.near(float("nan"), float("nan"))


def test_keys_and_letters():
    assert answers.as_dict({"a": 1, "b": 2}, ["a"], "x") == {"a": 1}
    assert answers.as_dict({"0.1": 1, 10: 2}, [0.1, 10.0], "x") == {0.1: 1, 10.0: 2}
    for wrong in ({"a": 1}, [1], None, "ab"):
        with pytest.raises(Hint, match=r"the keys a, b; missing: .*b"):
            answers.as_dict(wrong, ["a", "b"], "x")
    assert answers.expect_choice("A", {"a": "", "b": "No."}, "x") == "a"
    with pytest.raises(Hint, match="No"):
        answers.expect_choice("b", {"a": "", "b": "No."}, "x")


@pytest.mark.parametrize("answer", [["P", "T"], ("P", "T"), np.array(["P", "T"]), iter("PT"), {1: "P", 2: "T"}])
def test_lists_come_in_many_forms(answer):
    assert answers.as_list(answer, "x", "two waves", str, least=2) == ["P", "T"]


@pytest.mark.parametrize("wrong", ["PT", 3, None, ["P"], ["P", 3], np.array(2.0), torch.tensor(2.0)])
def test_what_is_not_a_list_of_two_waves(wrong):
    with pytest.raises(Hint, match="x should hold two waves"):
        answers.as_list(wrong, "x", "two waves", str, least=2)


def test_an_answer_of_another_type_is_named():
    assert answers.as_sort("P", str, "x", "a wave") == "P"
    with pytest.raises(Hint, match=r"x should be a wave, not a tensor \(2,\)"):
        answers.as_sort(torch.zeros(2), str, "x", "a wave")


ONE = Question(
    "Which is <odd>?",
    [
        Option("two", False, "It is even."),
        Option("three", True, "It leaves one."),
        Option("four", False, "Twice two."),
    ],
)
MANY = Question(
    "Which are odd?",
    [Option("one", True, "It is."), Option("two", False, "It is even."), Option("three", True, "Leaves one.")],
)


@pytest.mark.parametrize("place", range(3))
def test_single_choice(place):
    asked = quiz.Quiz("99", [ONE])
    view = asked.views[0]
    assert (view.chosen(), asked.answered) == (set(), {})
    view.button.click()
    assert "first" in view.message.value
    assert asked.answered == {}
    view.choices[0].index = place
    view.button.click()
    assert asked.answered == {0: place == 1}
    assert ("✓ right</b></div>" in view.message.value) is (place == 1)
    assert all(option.why in view.message.value for option in ONE.options)
    assert view.message.value.count("your choice") == 1


@pytest.mark.parametrize("chosen", [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_multiple_choice(chosen):
    asked = quiz.Quiz("99", [ONE, MANY])
    view = asked.views[1]
    for place in chosen:
        view.choices[place].value = True
    view.button.click()
    assert asked.answered == ({1: chosen == (0, 2)} if chosen else {})
    assert all(option.why in view.message.value for option in MANY.options) is bool(chosen)


def test_a_quiz_says_what_went_wrong(monkeypatch):
    view = quiz.Quiz("99", [ONE]).views[0]
    monkeypatch.setattr(view, "chosen", lambda: {}["gone"])
    view.button.click()
    assert "KeyError: &#x27;gone&#x27;" in view.message.value


def test_the_static_twin_holds_it_all_and_folds_the_answers():
    asked = quiz.Quiz("99", [ONE, MANY])
    data, _ = asked._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == asked.view.model_id
    html = data["text/html"]
    open_part = re.sub(r"<details>.*?</details>", "", html)
    for question in (ONE, MANY):
        for option in question.options:
            assert option.text in open_part
            assert option.why in html
            assert option.why not in open_part
    assert "Which is &lt;odd&gt;?" in html
    assert html.count("Choose all that apply") == data["text/plain"].count("Choose all that apply") == 1


def test_a_quiz_is_of_controls_that_a_keyboard_reaches():
    stack, controls = [quiz.Quiz("99", [ONE, MANY]).view], []
    while stack:
        widget = stack.pop()
        stack += getattr(widget, "children", ())
        controls += [widget] * (not isinstance(widget, widgets.Box | widgets.HTML))
    assert {type(control) for control in controls} == {widgets.RadioButtons, widgets.Checkbox, widgets.Button}
    assert not any(control.disabled for control in controls)


def test_questions_without_answer_or_explanation_are_refused():
    with pytest.raises(ValueError, match="a why"):
        Option("two", False, " ")
    with pytest.raises(ValueError, match="right"):
        Question("Which?", [Option("a", False, "no"), Option("b", False, "no")])


# What every notebook must have.

PARTS = (
    r"\*\*You will be able to\*\*",
    r"\*\*Before:\*\*",
    "## Exercises",
    "## Take away",
    "## Go further",
    "## References",
)
KINDS = ("Write code", "Predict", "Find the bug", "[Ii]nterpret")


@pytest.mark.parametrize("source", NUMBERED[1:], ids=lambda source: source.stem)
def test_every_notebook_has_its_parts(source):
    """Notebook 00 is a page of orientation; the others have all of it, in this order."""
    cells = jupytext.read(source, fmt="py:percent").cells
    prose = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    places = [re.search(f"^{part}", prose, re.M) for part in PARTS]
    assert all(places), [part for part, place in zip(PARTS, places, strict=True) if place is None]
    assert [place.start() for place in places] == sorted(place.start() for place in places)
    assert len(re.findall(r"^> \*\*Think first\.\*\*", prose, re.M)) >= 2
    after = prose[places[PARTS.index("## Exercises")].start() :]
    for kind in KINDS:
        assert re.search(rf"^\*\*(\d\.? )?[^*]*{kind}", after, re.M), kind
    titles = [cell.metadata.get("title", "") for cell in cells]
    assert {"quiz", "progress"} <= set(titles)
    assert (ROOT / "src" / "leadwise" / "checks" / f"{TOPICS[source.stem]}.py").exists()
    asked = [cell for cell in cells if cell.metadata.get("answers")]
    assert len(asked) == sum(bool(re.fullmatch(r"check \d+", title)) for title in titles) >= 4


@pytest.mark.parametrize("topic", TOPICS.values())
def test_every_notebook_has_exercises_and_questions(topic):
    checks = importlib.import_module(f"leadwise.checks.{topic}")
    assert sorted(core.CHECKS[topic]) == list(range(1, len(core.CHECKS[topic]) + 1))
    exercises, questions = (1, 1) if topic == "start" else (4, 3)  # notebook 00 shows what they look like
    assert len(core.CHECKS[topic]) >= exercises
    assert isinstance(checks.quiz(), quiz.Quiz)
    assert len(checks.quiz().questions) >= questions
    assert len(checks.progress().verdicts) == len(core.CHECKS[topic])


def test_no_topic_serves_two_notebooks():
    assert len(set(TOPICS.values())) == len(TOPICS)


@pytest.mark.parametrize(("stem", "topic"), TOPICS.items())
@pytest.mark.parametrize(("folder", "state"), [("", "not done yet"), ("solutions", "right")])
def test_saved_verdicts(stem, topic, folder, state):
    importlib.import_module(f"leadwise.checks.{topic}")
    notebook = nbformat.read(ROOT / "notebooks" / folder / f"{stem}.ipynb", as_version=4)
    cells = {cell.id[cell.id.index("-") + 1 :]: cell for cell in notebook.cells}
    for place, check in core.CHECKS[topic].items():
        (output,) = cells[f"check-{place}"].outputs
        assert output.data["text/plain"].startswith(f"{core.MARKS[state]} {check.title}: {state}")
