"""Take the words out of the course for a translation, and build what is translated.

    python tools/translate.py extract de [NAMES]   write or renew the .po files: what the package says, what stands
                                                   around all lessons, and the notebooks NAMES, such as 00
    python tools/translate.py build de [NAMES]     .po -> .mo of the package, and notebooks/de/*.ipynb, executed
    python tools/translate.py check [de]           which messages are missing, uncertain, broken or out of date?

What is translated stays when the .po is renewed; where the English has changed, the old translation is kept as a
proposal, marked "fuzzy", and not used until the mark is taken away. A message without a translation is said in English.
"""

import argparse
import ast
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import write_po

import notebook_frame
import notebook_source
import notebooks
from leadwise.attribution.question import EXPLAIN
from leadwise.attribution.registry import METHODS
from leadwise.checks.questions import questions_of
from leadwise.explorers import live, network
from leadwise.explorers.base import WORDS
from leadwise.explorers.canvas import GROUPS
from leadwise.explorers.heart import CONDITIONS as HEARTS
from leadwise.explorers.rule_lab import KINDS, ROWS
from leadwise.explorers.rule_lab import PARAMETERS as LAB
from leadwise.language import PIECE
from leadwise.networks.registry import NETWORKS
from leadwise.networks.weights import ECG_MODELS
from leadwise.plotting.relevance import DRAWN
from leadwise.recordings.catalogue import CONDITIONS, records
from notebook_language import FRAME, catalogue_of, faults, messages_of

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "leadwise"
FOLDER = ROOT / "notebooks"
MARKED = ("tr", "mark")  # of leadwise.language: a call of them with a text makes a message
VIEWS = ("ecg_canvas", "map_canvas", "code_line")  # what is drawn in the browser and says something of its own
QUIZZES = ("start",)  # of the notebooks that are translated
WIDTH = 100
WORD = re.compile(r"\b[a-z]{4,}")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("extract", "build", "check"))
    parser.add_argument("language", nargs="?", default="")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args(arguments)
    if options.command == "check":
        return check([options.language] if options.language else languages())
    if not options.language:
        parser.error(f"{options.command} needs a language, such as de")
    if options.command == "extract":
        for path, template in wanted(options.language, options.names).items():
            renew(path, template, options.language)
            print(path.relative_to(ROOT))
        return 0
    path = package_po(options.language)
    path.with_suffix(".mo").write_bytes(compiled(path, options.language))
    stems = [path.stem for path in (FOLDER / "src" / options.language).glob("*.po") if path.stem != FRAME]
    names = [stem for stem in sorted(stems) if stem.startswith(tuple(options.names or [""]))]
    return notebooks.main(["build", *names, "--language", options.language])


def languages() -> list[str]:
    """Return the languages that there is a .po of."""
    return sorted(path.name for path in (PACKAGE / "locale").iterdir() if path.is_dir())


def package_po(language: str) -> Path:
    """Return where what the package says is translated."""
    return PACKAGE / "locale" / language / "LC_MESSAGES" / "leadwise.po"


def wanted(language: str, names: list[str] | None = None) -> dict[Path, Catalog]:
    """Return the .po files of a language, those there are and those of notebooks ``names``, with what they hold."""
    folder = FOLDER / "src" / language
    sources = [FOLDER / "src" / f"{path.stem}.py" for path in folder.glob("*.po") if path.stem != FRAME]
    sources += notebook_source.sources(FOLDER, names) if names else []
    return {
        package_po(language): template(language, package_messages()),
        folder / f"{FRAME}.po": template(language, frame_messages()),
    } | {folder / f"{path.stem}.po": template(language, notebook_messages(path)) for path in sorted(set(sources))}


def template(language: str, messages: Iterator[tuple[str, str]]) -> Catalog:
    """Return a catalogue without translations.

    Parameters
    ----------
    language : such as "de"
    messages : each with where it comes from
    """
    made = Catalog(language, project="leadwise", header_comment=f"# leadwise: {language}, see tools/translate.py")
    for text, where in messages:
        made.add(text, auto_comments=[where])
    made.fuzzy = False
    return made


def notebook_messages(source: Path) -> Iterator[tuple[str, str]]:
    """Yield the messages of a notebook's source, with the cells' names."""
    for text, cells in messages_of(notebook_source.read(source)).items():
        yield text, ", ".join(dict.fromkeys(cells))


def frame_messages() -> Iterator[tuple[str, str]]:
    """Yield what stands around all lessons."""
    for text in (*notebook_frame.WORDS, notebook_source.HERE, notebook_source.HERE_ALONE):
        yield text, FRAME


def package_messages() -> Iterator[tuple[str, str]]:
    """Yield what is marked in the package, and what its tables hold: methods, parameters, quizzes."""
    for path in sorted(PACKAGE.rglob("*.py")):
        where = str(path.relative_to(PACKAGE))
        if where != "language.py":
            yield from ((text, where) for text in marked(path.read_text(encoding="utf-8")))
    for view in VIEWS:
        for text in live.phrases(view):
            yield text, f"{view}.js"
    yield from ((text, "a table of the package") for text in tables())
    for row in METHODS.values():
        yield row.title, "attribution/registry.py"
        if row.note:
            yield row.note, "attribution/registry.py"
    for parameter in (*(one for row in METHODS.values() for one in row.parameters), *network.PARAMETERS, *LAB.values()):
        if parameter.default is not None:  # else it has no control
            yield WORDS.get(parameter.name, parameter.name.replace("_", " ")), "a parameter's name"
            if parameter.help:
                yield parameter.help, "a parameter's help"
        for choice in parameter.choices:
            yield choice, "a parameter's choice"
    for topic in QUIZZES:
        for question in questions_of(topic):
            for text in (question.text, *(part for option in question.options for part in (option.text, option.why))):
                yield text, f"checks/quizzes/{topic}.md"


def marked(text: str) -> Iterator[str]:
    """Yield what Python code marks, strings within f-strings included."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKED:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def tables() -> Iterator[str]:
    """Yield the words of tables that menus and titles show."""
    yield from (*EXPLAIN, *DRAWN, *(one for one in GROUPS if " " in one), "all", "embedded", "published", "simulated")
    yield from (*CONDITIONS.values(), *ECG_MODELS.values(), *HEARTS, *network.VIEWS, *network.ORDERS, *KINDS)
    yield from (
        network.A_CLASS,
        network.A_CHANNEL,
        ROWS["gamma"].formula,
        *(row.title for row in ROWS.values() if WORD.search(row.title)),
    )
    titles = [info.title.split(": ", 1)[1] for info in records().values() if info.origin == "simulated"]
    titles += [title for title, _ in NETWORKS.menu("ecg")]
    pieces = [piece for title in titles for piece in PIECE.findall(title)]
    classes = [name for model in ("LBBB", "xresnet1d") for name in NETWORKS[model].classes]
    yield from (text for text in pieces + classes if WORD.search(text))


def renew(path: Path, template: Catalog, language: str) -> None:
    """Write a .po with the messages of a template and the translations that were there."""
    renewed = template
    if path.exists():
        renewed = catalogue_of(path, language)
        renewed.update(template, no_fuzzy_matching=False, update_creation_date=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        write_po(file, renewed, width=WIDTH, no_location=True)


def compiled(path: Path, language: str) -> bytes:
    """Return the .mo of a .po."""
    out = io.BytesIO()
    write_mo(out, catalogue_of(path, language))
    return out.getvalue()


def check(languages: list[str]) -> int:
    """Print what is wrong with the translations; return the exit status."""
    found = [f"{path.relative_to(ROOT)}: {fault}" for one in languages for path, fault in problems(one)]
    print("\n".join(found) or f"all messages are translated: {', '.join(languages)}")
    return int(bool(found))


def problems(language: str) -> Iterator[tuple[Path, str]]:
    """Yield the faults of a language's .po files, and of the .mo."""
    for path, template in wanted(language).items():
        if not path.exists():
            yield path, f"is missing; python tools/translate.py extract {language}"
            continue
        for fault in differences(template, catalogue_of(path, language)):
            yield path, fault
    path = package_po(language)
    if path.exists():
        mo = path.with_suffix(".mo")
        if not mo.exists() or mo.read_bytes() != compiled(path, language):
            yield mo, f"is not what its .po makes; python tools/translate.py build {language}"


def differences(template: Catalog, catalogue: Catalog) -> Iterator[str]:
    """Yield how a catalogue falls short of what it should hold."""
    for message in template:
        if not message.id:
            continue
        known = catalogue.get(message.id)
        if known is None:
            yield f"lacks {message.id!r}"
        elif known.fuzzy:
            yield f"is fuzzy: {message.id!r}"
        elif not known.string:
            yield f"not translated: {message.id!r}"
        else:
            yield from (f"{message.id!r}: {fault}" for fault in faults(message.id, known.string))
    for message in catalogue:
        if message.id and message.id not in template:
            yield f"out of date, no longer in the course: {message.id!r}"


if __name__ == "__main__":
    sys.exit(main())
