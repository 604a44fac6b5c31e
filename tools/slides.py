"""Build the slides: ``python tools/slides.py`` writes build/slides/*.html from slides/*.md.

A deck is Markdown. ``---`` on a line of its own parts two slides, ``Note:`` begins what the speaker says, and
``![](figure:07-heart-vector)`` shows the figure that this cell of a committed notebook holds (``-2`` its second one).
``{{ 07_reading_an_ecg }}`` stands for another deck. A deck with a notebook's name begins with its title and objectives
and ends with what to take away: the notebook says them, the deck does not repeat them.

reveal.js comes from npm (``make slides`` installs it into slides/node_modules); no page asks for anything else.
"""

import base64
import json
import re
import shutil
from functools import cache
from html import escape
from pathlib import Path

import mistune

from notebook_frame import said_minutes

ROOT = Path(__file__).resolve().parents[1]
DECKS = ROOT / "slides"
REVEAL = DECKS / "node_modules" / "reveal.js" / "dist"
PARTS = ("reset.css", "reveal.css", "reveal.js", "plugin/notes.js")
TITLES = {"one_hour": "One hour", "two_days": "Two days"}

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
    """Return the slides of a deck as Markdown, with those of the decks that it takes in."""
    text = path.read_text(encoding="utf-8").strip()
    found = re.split(r"^---$", text, flags=re.MULTILINE)
    own = [part.strip() for part in found]
    if path.stem[0].isdigit():
        own = [opening(path.stem), *own, closing(path.stem)]
    made = []
    for slide in own:
        other = re.fullmatch(r"\{\{ (\w+) \}\}", slide)
        made += slides(DECKS / f"{other[1]}.md") if other else [slide]
    return made


def html(slide: str, out: Path) -> str:
    """Return a slide as a section of HTML, and write its figures."""
    text, _, note = slide.partition("\nNote:")
    text = re.sub(r"!\[\]\(figure:([\w-]+)\)", lambda match: figure(match[1], out), text)
    kind = ' class="title"' if text.startswith("# ") else ""
    notes = f'<aside class="notes">{render(note)}</aside>' if note.strip() else ""
    return f"<section{kind}>{render(text)}{notes}</section>"


def render(text: str) -> str:
    return mistune.html(text.strip())


# What notebooks hold ------------------------------------------------------------------------------------------------


def figure(name: str, out: Path) -> str:
    """Write a figure of a notebook and return its image tag, with the notebook's words for those who can't see it."""
    data, alt = figures(name.partition("-")[0])[name]
    (out / "figures").mkdir(exist_ok=True)
    (out / "figures" / f"{name}.png").write_bytes(data)
    return f'<img src="figures/{name}.png" alt="{escape(alt)}">'


@cache
def figures(number: str) -> dict[str, tuple[bytes, str]]:
    """Return the figures of a committed notebook: cell's id (with -2 and on) -> PNG, alternative text."""
    found = {}
    for cell in notebook(number)["cells"]:
        images = [o for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        for place, output in enumerate(images, 1):
            data = base64.b64decode("".join(output["data"]["image/png"]))
            alt = output["metadata"].get("image/png", {}).get("alt") or cell["id"]
            found[cell["id"] + f"-{place}" * (place > 1)] = data, alt
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
    note = f"Everybody opens notebooks/{stem}.ipynb. Read the objectives aloud, and come back to them at the end."
    return f"{head}\n\nNote: {note}"


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


if __name__ == "__main__":
    main()
