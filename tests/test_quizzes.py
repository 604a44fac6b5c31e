"""Quizzes as they are asked: a person who has read nothing gets no more of them right than by chance.

A rule of thumb, such as "take the longest", picks one option of each question. By chance it hits question i with the
share p_i of its options that are right. The number of hits is then a sum of independent trials (a binomial with unequal
p, after Poisson); a rule fails the test if it hits so often that chance would do so in less than LEVEL of all courses.
"""

import importlib
import re

import numpy as np
import pytest

from course import TOPICS
from leadwise.checks import questions
from leadwise.checks.questions import Option, Question, parse, questions_of, shuffled

LEVEL = 0.05


def asked() -> list[Question]:
    """All questions of the course in the order in which their options are shown."""
    modules = [importlib.import_module(f"leadwise.checks.{topic}") for topic in TOPICS.values()]
    return [question for module in modules for question in module.quiz().questions]


def ranked(question: Question) -> list[Option]:
    return sorted(question.options, key=lambda option: len(option.text))


ABSOLUTE = re.compile(r"\b(always|never|all|every|only|any|must|prove[sd]?|cannot|none|nothing)\b", re.IGNORECASE)
RULES = {
    "the longest": lambda q: ranked(q)[-1],
    "the second longest": lambda q: ranked(q)[-2],
    "the second shortest": lambda q: ranked(q)[1],
    "the shortest": lambda q: ranked(q)[0],
    "the first": lambda q: q.options[0],
    "the second": lambda q: q.options[1],
    "the third": lambda q: q.options[2],
    "the last": lambda q: q.options[-1],
    "the one with most commas": lambda q: max(q.options, key=lambda option: option.text.count(",")),
    "the one with fewest commas": lambda q: min(q.options, key=lambda option: option.text.count(",")),
    "the one without an absolute word": lambda q: min(q.options, key=lambda o: len(ABSOLUTE.findall(o.text))),
    "the one most like the question": lambda q: max(q.options, key=lambda o: len(words(o.text) & words(q.text))),
}


def words(text: str) -> set[str]:
    return set(re.findall(r"\w{4,}", text.lower()))


def hits_by_chance(shares: list[float]) -> np.ndarray:
    """Probabilities of 0, 1, ... hits of independent trials."""
    total = np.ones(1)
    for p in shares:
        total = np.convolve(total, [1 - p, p])
    return total


def test_the_chance_is_the_binomial_where_all_shares_are_equal():
    np.testing.assert_allclose(hits_by_chance([0.25] * 3), [27 / 64, 27 / 64, 9 / 64, 1 / 64])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", ["one right option", "all questions"])
def test_no_rule_of_thumb_beats_chance(rule, kind):
    chosen = [q for q in asked() if kind == "all questions" or not q.multiple]
    hits = sum(RULES[rule](question).right for question in chosen)
    shares = [sum(option.right for option in q.options) / len(q.options) for q in chosen]
    as_many = hits_by_chance(shares)[hits:].sum()
    assert as_many >= LEVEL, f"{rule}: {hits} of {len(chosen)} right, by chance {sum(shares):.1f} ({as_many:.3f})"


def test_a_quiz_where_the_longest_is_right_would_be_found():
    """25 of 29, which was the course's own state."""
    assert hits_by_chance([1 / 3.5] * 29)[25:].sum() < 1e-9


@pytest.mark.parametrize("topic", TOPICS.values())
def test_options_are_of_comparable_length(topic):
    for question in importlib.import_module(f"leadwise.checks.{topic}").quiz().questions:
        lengths = [len(option.text) for option in question.options]
        assert max(lengths) <= 1.4 * min(lengths) + 10, f"{question.text} {lengths}"


@pytest.mark.parametrize("path", sorted(questions.FOLDER.glob("*.md")), ids=lambda path: path.stem)
def test_every_file_belongs_to_a_notebook_and_says_why(path):
    assert path.stem in TOPICS.values()
    for question in questions_of(path.stem):
        texts = [option.text for option in question.options]
        assert question.text.endswith("?") or question.multiple
        assert len(set(texts)) == len(texts) >= 3
        assert len({option.why for option in question.options}) == len(texts)


def test_an_order_that_is_fixed_and_reaches_every_place():
    question = parse("## Which?\n- [x] a\n  right\n- [ ] b\n  wrong\n- [ ] c\n  wrong")[0]
    assert shuffled(question, "a") == shuffled(question, "a")
    places = [[o.text for o in shuffled(question, f"{n:02d}").options].index("a") for n in range(60)]
    assert min(np.bincount(places, minlength=3)) > 8  # 20 expected of each
    assert sorted(o.text for o in shuffled(question, "b").options) == ["a", "b", "c"]


def test_markdown_to_questions():
    text = (
        "## One or\ntwo?\n\n- [ ] one\n  Not\n  one.\n- [x] two - [x]\n  It is.\n\n"
        "## Next?\n\n- [x] yes\n  So.\n- [ ] no\n  No."
    )
    first, second = parse(text)
    assert first.text == "One or two?"
    assert first.options == (Option("one", False, "Not one."), Option("two - [x]", True, "It is."))
    assert [option.right for option in second.options] == [True, False]
    assert parse("") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- [x] one\n  why", "before the first stands"),
        ("## Which?\n- [x] one\n  why", "two options"),
        ("## Which?\n- [ ] one\n  why\n- [ ] two\n  why", "right"),
        ("## Which?\n- [ ] one\n- [x] two\n  why", "a why"),
    ],
)
def test_what_is_no_quiz_is_refused(text, says):
    with pytest.raises(ValueError, match=says):
        parse(text)


def test_a_notebook_without_a_quiz_is_named():
    with pytest.raises(ValueError, match="no quiz of the topic '99'; there are: alexnet, cohorts"):
        questions_of("99")
