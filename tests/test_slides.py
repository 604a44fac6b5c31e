"""The slides: every one fits 1280 x 720 in a browser, has its picture and its notes, and asks for nothing elsewhere."""

import re

import pytest

import browser
import slides
from course import NUMBERED

NAMES = [path.stem for path in slides.decks()]
SHAPES = """() => {
  const section = document.querySelector("section.present");
  const inside = [...section.children].filter((child) => child.tagName !== "ASIDE").map((child) => {
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


def test_two_days_hold_the_notebooks_of_the_timetable():
    taken = re.findall(r"\{\{ (\w+) \}\}", (slides.DECKS / "two_days.md").read_text("utf-8"))
    teaching = (slides.ROOT / "TEACHING.md").read_text("utf-8").split("## A semester")[0]
    planned = dict.fromkeys(re.findall(r"^\| \d+:\d+ \|[^|]*?(\d\d)\b", teaching, re.MULTILINE))
    assert [stem[:2] for stem in taken] == list(planned)


def test_the_hour_is_an_hour():
    text = (slides.DECKS / "one_hour.md").read_text("utf-8")
    minutes = [int(found) for found in re.findall(r"\((\d+) min", text)]
    assert len(minutes) == len(slides.slides(slides.DECKS / "one_hour.md"))
    assert sum(minutes) == 40


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


@pytest.mark.parametrize("name", [name for name in NAMES if name != "two_days"])
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
