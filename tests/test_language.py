"""The course in another language: what is said, what a translation has to keep, and that English stays as it is."""

import gettext
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from babel.messages.pofile import read_po, write_po

import notebook_language
import notebook_source
import translate
from german import english_in, texts_of
from leadwise import language
from leadwise.checks import core, start
from leadwise.explorers import live
from notebook_language import Speech, faults, in_code, in_markdown, messages_of, speeches
from test_explorers import EXPLORERS

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = translate.languages()

SOURCE = """# %% [markdown]
# # 01 One
#
# A paragraph with `code`
# over two lines.
#
# - an item that
#   goes on
# - [a link](02_two.ipynb) and [a page](../GLOSSARY.md#word)
#
# > **Think first.** A prompt?
#
# | field | another field |
# |---|---|
# | **1** | a third field |
#
# ```
# left as it is
# ```

# %% greeting
lead = "V1"
print(f"the lead {lead} is here", sep=" ")

# %% exercise 1 tags=["solution"] answers=["two"]
# Exercise 1: a sum.
two = 1 + 1
"""


@pytest.fixture
def german():
    language.use("de")
    yield
    language.use("en")


@pytest.fixture
def course(tmp_path) -> Path:
    """A notebook, and a German .po for it in which each message is said in capitals."""
    folder = tmp_path / "notebooks"
    (folder / "src" / "de").mkdir(parents=True)
    source = folder / "src" / "01_one.py"
    source.write_text(SOURCE)
    made = translate.template("de", translate.notebook_messages(source))
    for message in made:
        if message.id:
            message.string = loud(message.id)
    with open(folder / "src" / "de" / "01_one.po", "wb") as file:
        write_po(file, made)
    shutil.copy(ROOT / "notebooks" / "src" / "de" / "frame.po", folder / "src" / "de")
    return source


def loud(text: str) -> str:
    """The words of a message in capitals; links, code and placeholders as they are."""
    parts = notebook_language.re.split(r"(`[^`]*`|\]\([^)]*\)|\{[^}]*\})", text)
    return "".join(part if i % 2 else part.upper() for i, part in enumerate(parts))


def test_the_messages_of_a_notebook_are_its_paragraphs_items_fields_comments_and_words(course):
    messages = messages_of(notebook_source.read(course))
    assert list(messages) == [
        "01 One",
        "A paragraph with `code` over two lines.",
        "an item that goes on",
        "[a link](02_two.ipynb) and [a page](../GLOSSARY.md#word)",
        "**Think first.** A prompt?",
        *("field", "another field", "a third field"),
        "the lead {lead} is here",
        "Exercise 1: a sum.",
    ]
    assert messages["the lead {lead} is here"] == ["01-greeting"]


def test_a_translated_notebook_says_its_messages_and_keeps_the_rest(course):
    (speech,) = speeches(course)
    made = notebook_source.variants(course, speech)
    assert list(made) == ["de/01_one.ipynb", "de/solutions/01_one.ipynb"]
    cells = {cell.id: cell.source for cell in made["de/01_one.ipynb"].cells}
    text = cells["01-00"]
    assert (
        "# 01 ONE\n\nA PARAGRAPH WITH `code` OVER TWO LINES.\n\n- AN ITEM THAT GOES ON\n- [A LINK](../02_two.ipynb)"
        in text
    )
    assert "(../../GLOSSARY.md#word)" in text
    assert "> **THINK FIRST.** A PROMPT?" in text
    assert "| FIELD | ANOTHER FIELD |\n| --- | --- |\n| **1** | A THIRD FIELD |" in text
    assert "```\nleft as it is\n```" in text
    assert cells["01-language"] == 'from leadwise import language\n\nlanguage.use("de")'
    assert cells["01-greeting"] == 'lead = "V1"\nprint(f"THE LEAD {lead} IS HERE", sep=" ")'
    assert cells["01-exercise-1"] == "# EXERCISE 1: A SUM.\ntwo = ...  # dein Code hier"
    assert cells["01-footer"].count("[English](../01_one.ipynb)") == 1
    solved = {cell.id: cell.source for cell in made["de/solutions/01_one.ipynb"].cells}
    assert solved["01-exercise-1"] == "# EXERCISE 1: A SUM.\ntwo = 1 + 1"
    assert "[Ohne Lösungen](../../de/01_one.ipynb)" in solved["01-footer"]
    for notebook in made.values():
        nbformat.validate(notebook)


def test_english_is_what_it_was_before_there_was_a_translation(course):
    before = notebook_source.variants(course)
    shutil.rmtree(course.parent / "de")
    assert notebook_source.variants(course) == before


def test_what_is_not_translated_or_uncertain_stays_english_and_is_named(course):
    path = course.parent / "de" / "01_one.po"
    catalogue = translate.catalogue_of(path, "de")
    catalogue.get("field").string = ""
    catalogue.get("01 One").flags.add("fuzzy")
    catalogue.get("an item that goes on").string = "EIN PUNKT MIT {mehr}"
    catalogue.delete("a third field")
    catalogue.add("gone", "WEG")
    with open(path, "wb") as file:
        write_po(file, catalogue)
    speech = Speech(path)
    assert [speech("field"), speech("01 One"), speech("another field")] == ["field", "01 One", "ANOTHER FIELD"]
    template = translate.template("de", translate.notebook_messages(course))
    assert list(translate.differences(template, speech.catalogue)) == [
        "is fuzzy: '01 One'",
        "'an item that goes on': placeholders: - became {mehr}",
        "not translated: 'field'",
        "lacks 'a third field'",
        "out of date, no longer in the course: 'gone'",
    ]


def test_a_changed_paragraph_is_offered_its_old_translation_and_not_used(course):
    course.write_text(SOURCE.replace("over two lines.", "over two long lines."))
    path = course.parent / "de" / "01_one.po"
    translate.renew(path, translate.template("de", translate.notebook_messages(course)), "de")
    message = Speech(path).catalogue.get("A paragraph with `code` over two long lines.")
    assert message.fuzzy
    assert message.string == "A PARAGRAPH WITH `code` OVER TWO LINES."
    assert Speech(path)("A paragraph with `code` over two long lines.").endswith("over two long lines.")


@pytest.mark.parametrize("spoken", LANGUAGES)
def test_every_message_is_translated_and_keeps_placeholders_links_code_and_numbers(spoken):
    assert [f"{path.name}: {fault}" for path, fault in translate.problems(spoken)] == []


@pytest.mark.parametrize("spoken", LANGUAGES)
def test_the_compiled_catalogue_says_what_its_po_says(spoken):
    path = translate.package_po(spoken)
    with open(path, "rb") as po, open(path.with_suffix(".mo"), "rb") as mo:
        catalogue, compiled = read_po(po), gettext.GNUTranslations(mo)
    said = {message.id: message.string for message in catalogue if message.id}
    assert len(said) > 200
    assert {text: compiled.gettext(text) for text in said} == said


def test_a_translation_changes_words_and_never_code():
    for path in (ROOT / "notebooks" / "src").glob("*/[0-9]*.po"):
        source = path.parents[1] / f"{path.stem}.py"
        english, other = notebook_source.read(source), notebook_source.read(source, Speech(path))
        code = [[cell.source for cell in one.cells if cell.cell_type == "code"] for one in (english, other)]
        assert [bare(text) for text in code[0]] == [bare(text) for text in code[1][1:]]  # the first says the language


def bare(code: str) -> str:
    """Code without the words of strings and comments."""
    return in_code(code, lambda words: "".join(notebook_language.FIELD.findall(words)))


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ("Lies 0,5 mV in `x` und [hier](a.md) {name}", ""),
        ("Lies 0,6 mV in `x` und [hier](a.md) {name}", "numbers"),
        ("Lies 0,5 mV in `y` und [hier](a.md) {name}", "code"),
        ("Lies 0,5 mV in `x` und [hier](b.md) {name}", "links"),
        ("Lies 0,5 mV in `x` und [hier](a.md) {Name}", "placeholders"),
    ],
)
def test_what_a_translation_has_lost_is_found(other, what):
    found = faults("Read 0.5 mV in `x` and [here](a.md) {name}", other)
    assert [fault.split(":")[0] for fault in found] == [what] * bool(what)


def test_what_is_no_prose_is_left_alone():
    assert in_markdown("```\nleft alone\n```\n\n---", str.upper) == "```\nleft alone\n```\n\n---"
    code = 'a = ["RBBB", "lrp_epsilon", " ..."]\nb = f"{x:.2f}"  # a comment beside code'
    assert in_code(code, str.upper) == code


def test_an_unknown_language_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'xx'; expected one of en, de"):
        language.use("xx")
    assert language.current() == "en"


def test_a_check_answers_in_the_language_in_use(german):
    assert str(start.samples_in_window(...)) == "○ Aufgabe 1 (Abtastwerte im Fenster): noch nicht bearbeitet"
    assert start.samples_in_window(24000).text.startswith("Das zählt alle zwölf Ableitungen")
    assert "soll eine Zahl sein" in start.samples_in_window("many").text
    assert start.quiz().questions[0].text.startswith("Eine Heatmap markiert")
    assert repr(core.Progress(())) == "0 von 0 Aufgaben richtig."
    language.use("en")
    assert str(start.samples_in_window(...)) == "○ Exercise 1 (Samples in the window): not done yet"


def test_the_order_of_a_quiz_is_the_same_in_all_languages(german):
    right = [[option.right for option in question.options] for question in start.quiz().questions]
    language.use("en")
    assert [[option.right for option in question.options] for question in start.quiz().questions] == right


def test_a_view_gets_all_that_it_says_and_in_english_nothing(german):
    said = live.in_use("ecg_canvas")
    assert said["fit"] == "ganz"
    assert set(said) == set(live.phrases("ecg_canvas")) > {"calipers", "View"}
    language.use("en")
    assert live.in_use("ecg_canvas") == {}


@pytest.mark.parametrize("name", EXPLORERS)
def test_an_explorer_in_german_says_no_english_word_of_the_catalogue(name, data_dir, patient, german):
    """Nor does it say one that the catalogue lacks but whose words it has, which most sentences are."""
    with EXPLORERS[name]() as explorer:
        explorer.wait()
        if name == "OwnECG":  # what the report says of a recording is English still
            explorer.view.children[1].children = [explorer.code_line]
        assert english_in(texts_of(explorer)) == {}


@pytest.mark.parametrize(
    ("spoken", "said"), [("de", "noch nicht bearbeitet"), ("", "not done yet"), ("en", "not done yet")]
)
def test_a_fresh_process_speaks_what_its_environment_says(spoken, said):
    verdict = "from leadwise.checks.core import NOT_DONE, Verdict; print(Verdict('Exercise 1', NOT_DONE, ''))"
    done = fresh(verdict, spoken)  # a check of a notebook says the same, and has loaded PyTorch before
    assert said in done.stdout, done.stderr


def test_a_fresh_process_refuses_an_unknown_language():
    done = fresh("import leadwise.language", "xx")
    assert done.returncode
    assert "the language is 'xx'; expected one of en, de." in done.stderr


def fresh(code: str, spoken: str) -> subprocess.CompletedProcess:
    env = os.environ | {"LEADWISE_LANGUAGE": spoken, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", env=env)
