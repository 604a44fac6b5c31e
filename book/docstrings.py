"""From the docstrings of this project to what Sphinx reads.

They look like numpydoc's, with one difference: after ``name :`` stands what the parameter means, for its type is in the
annotation. numpydoc and napoleon would take the meaning for a type, so these few lines read them instead.
"""

import re
from itertools import groupby

FIELDS = {"Parameters": "param", "Attributes": "var", "Returns": "returns", "Raises": "raises", "Warns": "warns"}
NAMED = ("param", "var", "raises")
LITERAL = re.compile(r"(``.*?``|:[\w:]+:`[^`]*`|`[^`]*`)")
LIST = re.compile(r"([-*]|\d+\.) ")


def to_fields(app, what, name, obj, options, lines: list[str]) -> None:
    """Rewrite the lines of one docstring in place, for Sphinx's event ``autodoc-process-docstring``."""
    lines[:] = convert(lines)


def convert(lines: list[str]) -> list[str]:
    """Return a docstring's lines with its sections as field lists, indented paragraphs as code, and stars as stars."""
    out, section = [], None
    for empty, group in groupby(lines, lambda line: not line.strip()):
        part = list(group)
        if empty:
            out.append("")
            continue
        if len(part) > 1 and re.fullmatch(r"-{3,}", part[1].strip()):
            title, part = part[0].strip(), part[2:]
            section = FIELDS.get(title.split(" ")[0])
            out += ["", "" if section else f".. rubric:: {title}", ""]
        if section:
            out += [new for line in part for new in _field(section, line)]
        else:
            out += _paragraph(part, out)
    return [*out, ""]


def _paragraph(part: list[str], before: list[str]) -> list[str]:
    """Return a paragraph: what is indented is code, unless it belongs to a list."""
    announced = "".join(before).rstrip().endswith("::")
    if announced or any(line.startswith(">>>") for line in part):
        return part
    indented = any(line.startswith("  ") for line in part)
    if not indented or LIST.match(part[0].lstrip()):
        return [escape(line) for line in part]
    return ["::", "", *(f"    {line}" for line in part), ""]


def _field(section: str, line: str) -> list[str]:
    """Return the lines that one line of a section becomes: fields where an entry begins, else its continuation."""
    if line.startswith(" "):
        return [f"    {escape(line.strip())}"]
    names, colon, text = line.partition(" : ")
    if section in NAMED and colon:
        return [f":{section} {escape(name.strip())}: {escape(text)}" for name in names.split(",")]
    return [f":{section}: {escape(line)}"]


def escape(line: str) -> str:
    """Return a line in which stars, bars and underscores at a word's end mean themselves, outside of code."""
    parts = LITERAL.split(line)
    parts[::2] = [re.sub(r"[*|]|(?<=\w)_(?!\w)", r"\\\g<0>", part) for part in parts[::2]]
    return "".join(parts)
