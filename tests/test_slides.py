"""The slides: every one fits 1280 x 720 in a browser, has its picture and its notes, and asks for nothing elsewhere."""

import re

import pytest

import browser
import slides
from course import NUMBERED

NAMES = [path.stem for path in slides.decks()]
SHAPES = """() => {
  const section = document.querySelector("section.present");
  const inside = [...section.querySelectorAll(":scope *")].filter((child) => !child.closest("aside")).map((child) => {
    const box = child.getBoundingClientRect();
    const [right, bottom] = [box.left + child.scrollWidth, box.bottom];
    return { tag: child.tagName, left: box.left, top: box.top, right: Math.max(right, box.right), bottom };
  });
  const pictures = [...section.querySelectorAll("img")].map((one) => one.complete ? one.naturalWidth : 0);
  return { inside, pictures, text: section.innerText };
}"""


def test_every_notebook_has_a_deck_and_there_are_two_more():
    """Appendices have none; the deck of their notebook may show their figures."""
    assert set(NAMES) == {path.stem for path in NUMBERED} | {"one_hour", "two_days"}


@pytest.mark.parametrize("name", NAMES)
def test_every_slide_has_a_heading_and_something_to_say(name):
    for slide in slides.slides(slides.DECKS / f"{name}.md"):
        assert re.match(r"##? \S", slide), slide
        assert re.search(r"\nNote: \S", slide), slide


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_one_of_a_committed_notebook(name):
    wanted = re.findall(r"figure:([\w-]+)", (slides.DECKS / f"{name}.md").read_text("utf-8"))
    assert [one for one in wanted if one not in slides.figures(one.partition("-")[0])] == []


@pytest.mark.parametrize("name", NAMES)
def test_what_a_slide_prints_a_cell_has_printed(name):
    for cell in re.findall(r"printed:([\w-]+)", (slides.DECKS / f"{name}.md").read_text("utf-8")):
        assert slides.printed(cell), cell


@pytest.mark.parametrize("number", [1, 2])
def test_a_day_follows_the_timetable_and_shows_nothing_that_is_not_run(number):
    made, table = slides.day(number), slides.days()[number - 1]
    plans = [plan for _, what, _ in table if (plan := slides.planned(what))]
    heads = [slide.splitlines()[0] for slide in made]
    assert [head[2:4] for head in heads if re.match(r"# \d\d", head)] == list(dict.fromkeys(plan[0] for plan in plans))
    assert [heads.count(f"# {what}") for what in ("Break", "Lunch")] == [2, 1]
    assert sum(head.startswith("## Exercise") for head in heads) == sum(plan[1] == "exercise" for plan in plans)
    run = {(plan[0], section) for plan in plans if plan[1] == "section" for section in plan[2]}
    shown = {cell for slide in made for cell in re.findall(r"\(\w+:(\d\d-[\w-]+)\)", slide)}
    assert {(cell[:2], slides.sections(cell[:2])[cell]) for cell in shown} <= run
    for time, what, _ in table[:-1]:
        assert any(f"Note: {slides.clock(time)} to " in slide for slide in made), what


@pytest.mark.parametrize("number", [1, 2])
def test_a_row_of_the_timetable_has_time_for_its_slides(number):
    """Minutes at the end of the notes; half an hour of talk does not fit into a row of twenty minutes."""
    allowed, wanted = 0, 0
    for slide in slides.day(number):
        if row := re.search(r"Note: (\d+):(\d\d) to (\d+):(\d\d)", slide):
            assert wanted <= allowed, slide.splitlines()[0]
            start, end = (60 * int(row[i]) + int(row[i + 1]) for i in (1, 3))
            allowed, wanted = end - start, 0
        wanted += sum(map(int, re.findall(r"\((\d+) min\)$", slide, re.MULTILINE)))
    assert wanted <= allowed


def test_the_hour_is_an_hour():
    """What is said, at 130 words a minute, the minutes of questions and demonstrations, and a look at each figure."""
    total, counted = 0, 0
    for slide in slides.slides(slides.DECKS / "one_hour.md"):
        text, _, note = slide.partition("\nNote:")
        told = int(re.search(r"\((\d+) min\)$", note)[1])
        parts = re.split(r"\*\*(\w+)(?: \((\d+) min\))?\.\*\*", note)[1:]
        said = sum(len(words.split()) for kind, words in zip(parts[::3], parts[2::3], strict=True) if kind == "Say")
        needs = said / 130 + sum(map(int, filter(None, parts[1::3]))) + 0.5 * text.count("figure:")
        assert abs(told - needs) <= 0.8, (text.splitlines()[0], told, needs)
        total, counted = total + told, counted + needs
    assert total == 60
    assert 55 <= counted <= 60


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    if not slides.REVEAL.is_dir():
        pytest.skip("reveal.js is not there; `make slides` fetches it")
    out = tmp_path_factory.mktemp("slides")
    slides.main(out)
    return out


def test_no_page_asks_for_anything_elsewhere(built):
    for path in built.glob("*.html"):
        assert re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", path.read_text("utf-8")) == []


@pytest.fixture(scope="module")
def page(built):
    if reason := browser.missing():
        pytest.skip(reason)
    with browser.browser() as running:
        yield running.new_page(viewport={"width": 1280, "height": 720})


@pytest.mark.parametrize("name", NAMES)
def test_every_slide_fits(name, built, page):
    page.goto((built / f"{name}.html").as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    for index in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate(f"Reveal.slide({index})")
        page.wait_for_function("[...document.querySelectorAll('section.present img')].every((one) => one.complete)")
        shown = page.evaluate(SHAPES)
        where = f"{name}, slide {index + 1}: {shown['text'][:60]!r}"
        assert all(width > 0 for width in shown["pictures"]), where
        for box in shown["inside"]:
            assert min(box["left"], box["top"]) >= 0, (where, box)
            assert box["right"] <= 1280, (where, box)
            assert box["bottom"] <= 700, (where, box)
