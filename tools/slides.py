"""Build the slides: ``python tools/slides.py`` writes build/slides/*.html from slides/*.md.

A deck is Markdown. ``---`` on a line of its own parts two slides, ``Note:`` begins what the speaker says, and
``![](figure:07-heart-vector)`` shows the figure that this cell of a committed notebook holds (``-2`` its second one),
``![](figure:gallery-known_cause)`` one of plots/gallery, ``![](printed:00-ask-the-network)`` what a cell has printed.
A deck with a notebook's name begins with its title and objectives and ends with its exercises and what to take away:
the notebook says them, the deck does not repeat them. ``{{ day 1 }}`` stands for a day of the timetable of TEACHING.md:
of each notebook the slides on the sections that are run, the exercises in their place, and the breaks.

reveal.js comes from npm (``make slides`` installs it into slides/node_modules); no page asks for anything else.
"""

import base64
import json
import re
import shutil
import struct
from functools import cache
from html import escape
from itertools import pairwise
from pathlib import Path

import mistune

from notebook_frame import numbers_behind, said_minutes

ROOT = Path(__file__).resolve().parents[1]
DECKS = ROOT / "slides"
REVEAL = DECKS / "node_modules" / "reveal.js" / "dist"
PARTS = ("reset.css", "reveal.css", "reveal.js", "plugin/notes.js")
TITLES = {"one_hour": "One hour", "two_days": "Two days"}
# Room for a figure, in pixels of the slide: without words, above them, and beside them.
ALONE, ABOVE, BESIDE = (1168, 590), (1168, 500), (830, 590)
GOING_ROUND = (
    "Pairs: one predicts, one runs. Walk round. A hint of the check comes first, then the neighbour, then you."
)

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="reveal/reset.css">
<link rel="stylesheet" href="reveal/reveal.css">
<link rel="stylesheet" href="slides.css">
<div class="reveal"><div class="slides">
{slides}
</div></div>
<script src="reveal/reveal.js"></script>
<script src="reveal/plugin/notes.js"></script>
<script>
Reveal.initialize({{ width: 1280, height: 720, margin: 0, center: false, hash: true, slideNumber: true, controls: false,
  transition: "none", plugins: [RevealNotes] }});
</script>
</html>
"""
INDEX = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Slides</title>
<link rel="stylesheet" href="slides.css">
<body class="index"><h1>From Saliency to Semantics: slides</h1>
<p>S opens the speaker's notes, O the overview, F the full screen; ?print-pdf behind the address prints.</p>
<ul>{decks}</ul></body>
</html>
"""


def main(out: Path = ROOT / "build" / "slides") -> None:
    """Write every deck, and an index of them."""
    shutil.rmtree(out, ignore_errors=True)
    for part in PARTS:
        target = out / "reveal" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REVEAL / part, target)
    shutil.copyfile(DECKS / "slides.css", out / "slides.css")
    rows = []
    for path in decks():
        title = title_of(path.stem)
        page = PAGE.format(title=escape(title), slides="\n".join(html(slide, out) for slide in slides(path)))
        (out / f"{path.stem}.html").write_text(page, encoding="utf-8")
        rows.append(f'<li><a href="{path.stem}.html">{escape(title)}</a></li>')
        print(out / f"{path.stem}.html")
    (out / "index.html").write_text(INDEX.format(decks="".join(rows)), encoding="utf-8")


def decks() -> list[Path]:
    """Return the sources, those of notebooks last."""
    return sorted(DECKS.glob("*.md"), key=lambda path: (path.stem[0].isdigit(), path.stem))


def slides(path: Path) -> list[str]:
    """Return the slides of a deck as Markdown, with what the notebook and the timetable say."""
    own = written(path)
    if path.stem[0].isdigit():
        own = [opening(path.stem), *own, exercises(path.stem), closing(path.stem)]
    made = []
    for slide in own:
        asked = re.fullmatch(r"\{\{ day (\d) \}\}", slide)
        made += day(int(asked[1])) if asked else [slide]
    return [slide for slide in made if slide]


def written(path: Path) -> list[str]:
    """Return the slides that a deck's file holds."""
    return [part.strip() for part in re.split(r"^---$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)]


def html(slide: str, out: Path) -> str:
    """Return a slide as a section of HTML, and write its figure."""
    text, _, note = slide.partition("\nNote:")
    text = re.sub(r"!\[\]\(printed:([\w-]+)\)", lambda match: f"```\n{printed(match[1])}\n```", text)
    head, _, body = text.partition("\n")
    shown = re.search(r"!\[\]\(figure:([\w-]+)\)", body)
    inside = figure(shown[1], render(body.replace(shown[0], "")), out) if shown else render(body)
    kind = ' class="title"' if text.startswith("# ") else ""
    notes = f'<aside class="notes">{render(note)}</aside>' if note.strip() else ""
    return f"<section{kind}>{render(head)}{inside}{notes}</section>"


def render(text: str) -> str:
    return mistune.html(text.strip())


# What notebooks hold ------------------------------------------------------------------------------------------------


def figure(name: str, words: str, out: Path) -> str:
    """Write a figure and return its image tag, as large as it gets above or beside the words of its slide."""
    data, alt = figures(name.partition("-")[0])[name]
    (out / "figures").mkdir(exist_ok=True)
    (out / "figures" / f"{name}.png").write_bytes(data)
    size = struct.unpack(">II", data[16:24])  # of a PNG
    above, beside = (
        min(r / s for r, s in zip(room, size, strict=True)) for room in (ABOVE if words else ALONE, BESIDE)
    )
    width, height = (round(max(above, beside if words else 0) * side) for side in size)
    image = f'<img src="figures/{name}.png" alt="{escape(alt)}" width="{width}" height="{height}">'
    return f'<div class="beside">{image}<div>{words}</div></div>' if words and beside > above else image + words


@cache
def figures(number: str) -> dict[str, tuple[bytes, str]]:
    """Return the figures of a committed notebook: cell's id (with -2 and on) -> PNG, alternative text."""
    if number == "gallery":  # the README has words for them
        shown = re.findall(r"!\[(.+)\]\((plots/gallery/(\w+)\.png)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
        return {f"gallery-{stem}": ((ROOT / path).read_bytes(), alt) for alt, path, stem in shown}
    found = {}
    for cell in notebook(number)["cells"]:
        images = [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        for place, output in enumerate(images, 1):
            data = base64.b64decode("".join(output["data"]["image/png"]))
            alt = output["metadata"].get("image/png", {}).get("alt") or cell["id"]
            found[cell["id"] + f"-{place}" * (place > 1)] = data, alt
    return found


def printed(name: str) -> str:
    """Return what a cell of a committed notebook has printed."""
    (cell,) = (cell for cell in notebook(name.partition("-")[0])["cells"] if cell["id"] == name)
    return "".join("".join(output.get("text", "")) for output in cell["outputs"]).rstrip()


@cache
def sections(number: str) -> dict[str, int]:
    """Return the number of the section that a cell of a notebook stands in: id -> number, 99 behind the last."""
    found, section = {}, 0
    for cell in notebook(number)["cells"]:
        heads = (
            re.findall(r"^## (\d*)", "".join(cell["source"]), re.MULTILINE) if cell["cell_type"] == "markdown" else ()
        )
        section = int(heads[-1] or 99) if heads else section
        found[cell["id"]] = section
    return found


@cache
def notebook(number: str) -> dict:
    (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    return json.loads(path.read_text(encoding="utf-8"))


def prose(number: str) -> str:
    cells = [cell for cell in notebook(number)["cells"] if cell["cell_type"] == "markdown"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


def title_of(stem: str) -> str:
    """Return a deck's title: its notebook's, or its own."""
    return re.match(r"# (.+)", prose(stem[:2]))[1] if stem[0].isdigit() else TITLES[stem]


def opening(stem: str) -> str:
    """Return the first slide of a notebook's deck: title and objectives."""
    goals = re.search(r"\*\*You will be able to\*\*\n\n((?:- .+\n|  .+\n)+)", prose(stem[:2]) + "\n")[1]
    low, high = said_minutes(prose(stem[:2]))[0]
    head = f"# {title_of(stem)}\n\nYou will be able to\n\n{plain(goals)}\n*About {low} to {high} minutes.*"
    note = (
        f"Everybody opens notebooks/{stem}.ipynb. Read the objectives aloud, and come back to them at the end. (1 min)"
    )
    return f"{head}\n\nNote: {note}"


def exercises(stem: str, asked: set[int] = frozenset()) -> str:
    """Return a slide with the exercises of a notebook, or with those that are asked for; "" where it has none."""
    kinds = dict(re.findall(r"^\*\*(\d+) ([A-Z][^*.]+)\.\*\*", prose(stem[:2]), re.MULTILINE))
    said = json.dumps([cell.get("outputs") for cell in notebook(stem[:2])["cells"]], ensure_ascii=False)
    titles = dict(re.findall(r"Exercise (\d+) \((.+?)\): not done yet", said))
    chosen = [(int(one), title) for one, title in titles.items() if not asked or int(one) in asked]
    named = [(one, title[0].upper() + title[1:], kinds[str(one)]) for one, title in chosen]
    listed = "\n".join(
        f"- **{one}** {title}." + f" *{kind}.*" * (kind.lower() not in title.lower()) for one, title, kind in named
    )
    return f"## Exercise{'s' * (len(chosen) > 1)}\n\n{listed}\n\nNote: {GOING_ROUND}" if chosen else ""


def closing(stem: str) -> str:
    """Return the last slide of a notebook's deck: what to take away, as far as a slide holds it."""
    text = re.search(r"## Take away\n(.*?)(?=\n#+ |\n---|\Z)", prose(stem[:2]), re.DOTALL)
    points = re.findall(r"^(?:-|\d+\.) .+(?:\n  +.+)*", text[1], re.MULTILINE) if text else []
    if not points:
        return "## Before you go on\n\n`check.progress()` says how far you are.\n\nNote: Wait until everybody is there."
    listed = "\n".join(f"- {re.sub(r'^(?:-|[0-9]+[.]) ', '', plain(point))}" for point in points[:7])
    note = "A learner explains each line in her own words; the others name the cell that showed it."
    return f"## Take away\n\n{listed}\n\nNote: {note}"


def plain(text: str) -> str:
    """Return Markdown without links, and with short formulas in italics: slides have no other pages and no MathJax."""
    text = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", text)
    return re.sub(r"\$([^$\\]+)\$", r"*\1*", text)


# The timetable ------------------------------------------------------------------------------------------------------


def days() -> list[list[tuple[int, str, str]]]:
    """Return the two days of TEACHING.md: of each row minutes since midnight, what is run, and what is done."""
    tables = re.findall(r"(?m)^\| time \| day .+\n\|.+\n((?:\|.+\n)+)", (ROOT / "TEACHING.md").read_text("utf-8"))
    rows = [re.findall(r"(?m)^\| (\d+):(\d\d) \| ([^|]+?) \|\s*([^|]*?)\s*\|", table) for table in tables]
    return [[(60 * int(hour) + int(minute), what, does) for hour, minute, what, does in table] for table in rows]


def planned(what: str) -> tuple[str, str, set[int]] | None:
    """Return notebook, "section" or "exercise", and their numbers ("1 to 5", "5, 8 and 10"); None for a break."""
    found = re.fullmatch(r"(\d\d), (section|exercise)s? .+", what)
    if not found:
        return None
    return found[1], found[2], numbers_behind(what, found[2])


def day(number: int) -> list[str]:
    """Return the slides of a day of the timetable."""
    table, made = days()[number - 1], []
    plans = [planned(what) for _, what, _ in table]
    for place, ((start, what, does), (end, _, _)) in enumerate(pairwise(table)):
        when, plan = f"{clock(start)} to {clock(end)}: {does or what}".rstrip(".?") + ".", plans[place]
        if plan is None:
            made.append(f"# {what.capitalize()}\n\nUntil {clock(end)}.\n\nNote: {when}")
            continue
        (deck,) = DECKS.glob(f"{plan[0]}_*.md")
        others = [[other and other[0] for other in part] for part in (plans[:place], plans[place + 1 :])]
        head, tail = (plan[0] not in part for part in others)
        if plan[1] == "exercise":
            until = f"\n\n*Until {clock(end)}.*\n\nNote: "
            found = [exercises(deck.stem, plan[2]).replace("\n\nNote: ", until, 1)]
        else:
            found = [slide for slide, section in by_section(deck) if section in plan[2]]
        opened = re.sub(r"\*About .+\*", f"*{clock(start)} to {clock(end)}.*", opening(deck.stem))
        found = [opened] * head + found
        found[0] = found[0].replace("\nNote: ", f"\nNote: {when} ", 1)
        made += found + [f"{closing(deck.stem)} Lines on sections that were not run are for the evening."] * tail
    return made


def by_section(deck: Path) -> list[tuple[str, int]]:
    """Return a deck's slides, each with the section that shows its figure; one without has that of the slide before."""
    number, found, section = deck.stem[:2], [], 1
    for slide in written(deck):
        shown = [
            sections(number)[cell] for cell in re.findall(r"\(\w+:(\d\d-[\w-]+)\)", slide) if cell in sections(number)
        ]
        section = max(shown, default=section)
        found.append((slide, section))
    return found


def clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02d}"


if __name__ == "__main__":
    main()
