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


# What the decks say of numbers that a notebook prints: words of the deck, the cell, what it has printed.
SAID = [
    ("01", "98 % rightly", "01-accuracy", "98% of 128"),
    ("01", "up to 59 % of it", "01-receptive-fields-by-gradient", "hold 59%"),
    ("01", "Noise gets 82 % for its best class on average, one grey area 95 %", "01-confidence", "82%", "95%"),
    ("02", "the logit gained, 23.4.", "02-along-the-path", "23.42"),
    ("02", "has 18.9,", "02-along-the-path", "18.86"),
    ("03", "correlation 0.97", "03-two-objects", "0.97"),
    ("03", "(−0.10)", "03-two-objects", "-0.10"),
    ("04", "pixels 6.75 and biases 0.99 and ε 0.71", "04-ledger", "6.7545", "0.9854", "0.7065"),
    ("06", "elephant to this network, with 95 %", "06-scores-of-pictures", "elephant, 95 %"),
    ("06", "32 of 32", "06-two-machines", "32 of 32"),
    ("09", "correlation −0.99", "09-target", "-0.99"),
    ("10", "(20 %, as much as T is long.)", "10-control", "20 %"),
    ("10", "has 19 times", "10-ranked", "lift 19.4"),
    (
        "11",
        "in 7 of 8 recordings. Left arm and leg exchanged: in 2 of 8",
        "11-how-good-are-the-checks",
        "7 of 8",
        "2 of 8",
    ),
    ("12", "Eight recorders on carts, twelve leads", "12-cart-by-cart", "cart 8"),
    ("13", "correlate 0.05 to 0.19", "13-patients", "0.05 to 0.19"),
    ("13", "integrated gradients by 0.45", "13-attention", "0.45"),
    ("one_hour", "With the twin's QRS: 0.02.", "00-ask-the-network", "p = 0.02"),
    ("one_hour", "car 59 %, cat 41 %", "03-scene", "car (59 %), cat (41 %)"),
    ("one_hour", "correlate with 0.97", "03-two-objects", "0.97"),
    ("one_hour", "in 22, guided backpropagation in 14", "03-two-objects", "22 of 24", "14 of 24"),
    ("one_hour", "32 right answers", "06-two-machines", "32 of 32"),
    ("one_hour", "noise puts 39 %", "09-inside-the-cause", "39 %  Random map"),
    ("one_hour", "It has 96 %,", "09-inside-the-cause", "96 %  x²"),
    ("one_hour", "The suspect says 0.98", "06-intervention", "0.978"),
    ("one_hour", "and it says 0.96.", "06-intervention", "0.964"),
]


@pytest.mark.parametrize(("deck", "words", "cell", "numbers"), [(*one[:3], one[3:]) for one in SAID])
def test_what_a_deck_says_its_notebook_has_printed(deck, words, cell, numbers):
    (path,) = slides.DECKS.glob(f"{deck}*.md")
    assert words in path.read_text("utf-8")
    assert [number for number in numbers if number not in slides.printed(cell)] == []


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
