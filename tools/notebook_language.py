"""A notebook in another language: its prose, and what its code says, message by message from a .po file.

``notebooks/src/de/00_start_here.po`` is what makes ``notebooks/de/00_start_here.ipynb`` of
``notebooks/src/00_start_here.py``. A message is a paragraph, a heading, an item of a list, a field of a table; of
code, a comment or the words of a string. A message without a translation stays English; ``tools/translate.py check``
names it.
"""

import ast
import re
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import nbformat
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

FRAME = "frame"  # the .po of what all notebooks have around their lessons
USE = 'from leadwise import language\n\nlanguage.use("{}")'

START = re.compile(r"^((?:> )?(?:#{1,6} |[-*] |\d+\. )?)(.*)$")
NEW = re.compile(r"#{1,6} |[-*] |\d+\. ")  # begins a block of its own
AS_IT_IS = re.compile(r"^(?:-{3,}|<.*|\[!\[.*|\$\$.*)?$")
COMMENT = re.compile(r"^(\s*# )(?!%|type:|noqa)(.*\w \w.*)$")
PROSE = re.compile(r"(?:^| )[a-z]{3,}|[a-z]{3,} ", re.IGNORECASE)
FIELD = re.compile(r"\{[^{}]*\}")
STRING = re.compile(r"^(\w*)(\"\"\"|'''|\"|')(.*)\2$", re.DOTALL)

Say = Callable[[str], str]


class Speech:
    """What a .po file makes of messages.

    Parameters
    ----------
    path : of the file, in a folder that is named as its language
    """

    def __init__(self, path: Path):
        self.path, self.language = path, path.parent.name

    @cached_property
    def catalogue(self) -> Catalog:
        """The messages of the file."""
        return catalogue_of(self.path, self.language)

    def __call__(self, text: str) -> str:
        """Return a message in this language; one that is not translated, or may be so wrongly, in English."""
        message = self.catalogue.get(text)
        return message.string if message and message.string and not message.fuzzy else text

    @cached_property
    def frame(self) -> "Speech":
        """What is said around the lessons."""
        return Speech(self.path.with_name(f"{FRAME}.po"))

    def translated(self) -> set[str]:
        """Return the notebooks that exist in this language."""
        return {path.stem for path in self.path.parent.glob("*.po")} - {FRAME}

    def translate(self, notebook: nbformat.NotebookNode) -> None:
        """Translate a notebook in place, and let it say its language before anything else."""
        for cell in notebook.cells:
            cell.source = (in_markdown if cell.cell_type == "markdown" else in_code)(cell.source, self)
        number = notebook.cells[0].id.partition("-")[0]
        use = nbformat.v4.new_code_cell(USE.format(self.language), id=f"{number}-language")
        notebook.cells.insert(1, use)


def catalogue_of(path: Path, language: str) -> Catalog:
    """Read a .po file."""
    with open(path, "rb") as file:
        return read_po(file, locale=language)


def speeches(source: Path) -> list[Speech]:
    """Return the languages, other than English, in which there is a notebook."""
    return [Speech(path) for path in sorted(source.parent.glob(f"*/{source.stem}.po"))]


def in_markdown(text: str, say: Say) -> str:
    """Return Markdown with each of its messages said by ``say``; what is no prose stays as it is."""
    out, block, fenced = [], [], False

    def end() -> None:
        if block:
            mark, first = START.match(block[0]).groups()
            rest = [line.removeprefix("> ").strip() for line in block[1:]]
            out.append(mark + said(" ".join([first.strip(), *rest]), say))
            block.clear()

    for line in text.split("\n"):
        if line.startswith("```") or fenced or AS_IT_IS.match(line.removeprefix(">").strip()):
            end()
            fenced ^= line.startswith("```")
            out.append(line)
        elif line.startswith("|"):
            end()
            out.append(" | ".join(said(field.strip(), say) for field in line.split("|")).strip())
        else:
            if NEW.match(line.removeprefix("> ")):
                end()
            block.append(line)
            if line.startswith("#"):
                end()
    end()
    return "\n".join(out)


def said(text: str, say: Say) -> str:
    """Return a message said, if there is a word in it."""
    return say(text) if re.search(r"[^\W\d_]{2}", text) else text


def in_code(text: str, say: Say) -> str:
    """Return code with its comments, and the words in its strings, said by ``say``."""
    lines = text.split("\n")
    for place, start, stop in reversed(strings(text)):
        literal = lines[place][start:stop]
        prefix, quote, words = STRING.match(literal).groups()
        lines[place] = lines[place][:start] + prefix + quote + say(words) + quote + lines[place][stop:]
    return "\n".join(COMMENT.sub(lambda found: found[1] + say(found[2]), line) for line in lines)


def strings(text: str) -> list[tuple[int, int, int]]:
    """Return line (0 ...), beginning and end of each string with words in it, those of one line."""
    found, spoken = [], set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr):
            words = "".join(part.value for part in node.values if isinstance(part, ast.Constant))
            spoken |= {id(part) for part in ast.walk(node) if part is not node}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in spoken:
            words = node.value
        else:
            continue
        line = text.split("\n")[node.lineno - 1]
        start, stop = (len(line.encode()[:at].decode()) for at in (node.col_offset, node.end_col_offset))
        if node.lineno == node.end_lineno and " " in words.strip(".") and PROSE.search(words):
            found.append((node.lineno - 1, start, stop))
    return sorted(found)


def messages_of(notebook: nbformat.NotebookNode) -> dict[str, list[str]]:
    """Return the messages of a notebook in order, each with the ids of the cells where it stands."""
    found: dict[str, list[str]] = {}
    for cell in notebook.cells:

        def note(text: str, name=cell.id) -> str:
            found.setdefault(text, []).append(name)
            return text

        (in_markdown if cell.cell_type == "markdown" else in_code)(cell.source, note)
    return found


# What a translation has to keep: name -> pattern. Of numbers, the point may become a comma.
KEPT = {
    "placeholders": FIELD,
    "links": re.compile(r"\]\(([^)]*)\)"),
    "code": re.compile(r"`[^`]*`"),
    "numbers": re.compile(r"(?<![\w{])\d+(?:[.,]\d+)*"),
    "marks": re.compile(r"\*\*|^#+ |\|"),
}


def faults(english: str, other: str) -> list[str]:
    """Return what a translation does not have as the original has it: placeholders, links, code, numbers, marks."""
    found = []
    for name, pattern in KEPT.items():
        bare = [FIELD.sub("", text) if name == "numbers" else text for text in (english, other)]
        here, there = (Counter(part.replace(",", ".") for part in pattern.findall(text)) for text in bare)
        if here != there:
            found.append(f"{name}: {', '.join((here - there) or '-')} became {', '.join((there - here) or '-')}")
    return found
