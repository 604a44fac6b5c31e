"""British spelling in all that people read: prose of notebooks and pages, docstrings, comments, messages.

Names of code are as their libraries have them (``color=``): what stands in backticks, in titles of papers and in CSS is
not looked at.
"""

import ast
import io
import re
import tokenize
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("src", "tools", "training", "benchmarks", "tests", "notebooks/src")
# American beginnings of words -> what is written here.
AMERICAN = {
    r"colors?\b|colored|coloring|colorful": "colour",
    r"behavior": "behaviour",
    r"favor(?!sky)": "favour",
    r"honor(?!ar)": "honour",
    r"labor\b": "labour",
    r"neighbor": "neighbour",
    r"rigor\b": "rigour",
    r"vapor\b": "vapour",
    r"cent(?:er|ers|ered|ering)\b": "centre",
    r"fiber|(?:kilo|milli|centi)meters?\b|\bmeters?\b|theater": "-re",
    r"gray": "grey",
    r"anal[y]z": "analyse",
    r"normaliz|standardiz|regulariz|initializ|randomiz|optimiz|maximiz|minimiz|visualiz|organiz|recogniz": "-ise",
    r"summariz|synthesiz|quantiz|generaliz|localiz|penaliz|utiliz|emphasiz|characteriz|realiz|specializ": "-ise",
    r"model(?:ing|ed|er)\b|label(?:ing|ed)\b|travel(?:ing|ed)\b|cancel(?:ing|ed)\b|signal(?:ing|ed)\b": "-ll-",
    r"defense|offense\b": "-ce",
    r"catalog\b|analog\b|dialog\b": "-ogue",
    r"artifact": "artefact",
    r"ischemi|anesthe|hemorrh|pediatric|hematom|edema\b|etiolog|orthopedic|leukemi|anemi": "-ae-, -oe-",
    r"airplane": "aeroplane",
    r"judgment|fulfill\b|skeptic|aluminum|program+ed\b": "British",
}
WORDS = re.compile("|".join(rf"\b(?:{beginning})\w*" for beginning in AMERICAN), re.IGNORECASE)
# A function of XPath.
KNOWN = re.compile(r"normalize-space")
CODE_IN_PROSE = (r"```.*?```", r"`[^`]*`", r"\]\([^)]*\)", r"https?://\S+", r"\S*/\S*", r"<[^>]+>")
CODE_IN_PROSE += (r"\*[^*\n]+\*", r"\w*_\w+", r"\w+\.\w+(?:\.\w+)*", r"[\w-]+=\S*", r"--[\w-]+")
NOT_PROSE = re.compile("|".join(CODE_IN_PROSE), re.DOTALL)
NO_MESSAGE = re.compile(r"[{};]|:\s*#|</|<\w+ |\bdoi:|\barXiv:")  # CSS, HTML, and references with their titles


def american(text: str) -> list[str]:
    """American spellings in a text, without what is code."""
    return WORDS.findall(KNOWN.sub(" ", NOT_PROSE.sub(" ", text)))


def references_apart(text: str) -> str:
    """A text without its references, whose titles are spelt as they were printed."""
    return re.split(r"^#* ?## References", text, flags=re.MULTILINE)[0]


def prose_of(path: Path) -> str:
    """What people read in a file of Python: docstrings, comments, and messages of four words or more."""
    text = path.read_text("utf-8")
    if path.parent.name == "src" and path.parent.parent.name == "notebooks":
        cells = jupytext.reads(text, fmt="py:percent").cells
        pages = references_apart("\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown"))
        return pages + "\n" + code_prose("\n\n".join(cell.source for cell in cells if cell.cell_type == "code"))
    return code_prose(text)


def code_prose(text: str) -> str:
    """Comments, and strings of four words or more that are sentences."""
    comments = [t.string for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type == tokenize.COMMENT]
    strings = [n.value for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    spoken = [text for text in strings if len(text.split()) >= 4 and not NO_MESSAGE.search(text)]
    return "\n".join(comments + spoken)


PAGES = [path for path in sorted(ROOT.glob("*.md")) if path.name != "LICENSES.md"]
PAGES += sorted((ROOT / "src" / "leadwise" / "checks" / "quizzes").glob("*.md"))
PAGES += sorted((ROOT / "slides").glob("*.md"))
CODE = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if path != Path(__file__))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_are_spelt_british(path):
    assert american(references_apart(path.read_text("utf-8"))) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_code_speaks_british(folder):
    found = {str(p.relative_to(ROOT)): american(prose_of(p)) for p in CODE if p.is_relative_to(ROOT / folder)}
    assert {path: words for path, words in found.items() if words} == {}


def test_what_is_found_and_what_is_not():
    assert american("The color of the center was optimized; an ischemic artifact.") == [
        *("color", "center", "optimized", "ischemic", "artifact"),
    ]
    british = (
        "The colour of the centre was optimised; an ischaemic artefact. Parameters, metre, diameter, models, size."
    )
    assert american(british) == []
    assert american("`color` and plt.color(color='red'), *Analyzing center*, [a page](color.md), some/color") == []
    code = (
        'color = f"{1}"  # a comment\ndef f():\n    """A docstring of four words."""\n    g("color: #fff", "two words")'
    )
    assert code_prose(code) == "# a comment\nA docstring of four words."
