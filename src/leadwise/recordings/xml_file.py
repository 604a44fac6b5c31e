"""XML of recorders, opened so that nothing hostile in it runs, is fetched or grows; which recorder's it is."""

import re
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder

from leadwise.recordings.recording import RecordError, border

MOST_BYTES = 16 * 2**20  # twelve leads for 3 minutes at 1000 Hz, as text; a resting ECG has less than 1 MB
MOST_ELEMENTS = 200_000
ROOTS = {"RestingECG": "MUSE XML", "AnnotatedECG": "HL7 aECG", "restingecgdata": "Sierra XML"}
"""Root element -> format."""

_BEFORE_ROOT = re.compile(r"\s*(?:<\?[^>]*>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[[^\]]*\][^>]*)?>)", re.S)
_ROOT = re.compile(r"\s*<(?:[\w.-]+:)?([\w.-]+)([^>]{0,2000})")


def root_of(start: bytes) -> tuple[str, str] | None:
    """Return the name and the attributes of the root element of XML that begins so, or None where it is none."""
    wide = start[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = start.decode("utf-16" if wide else "utf-8-sig", errors="replace")
    at = 0
    while match := _BEFORE_ROOT.match(text, at):
        at = match.end()
    match = _ROOT.match(text, at)
    return (match[1], match[2]) if match else None


def parse(path: Path) -> Element:
    """Return the root of an XML file, its names without their namespaces.

    Raises
    ------
    RecordError : too large, not well formed, or it declares entities, which may hold other files or grow without end
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import DefusedXMLParser

    size = path.stat().st_size
    if size > MOST_BYTES:
        raise RecordError(
            f"{path.name} has {size / 2**20:.0f} MB; of XML at most {MOST_BYTES / 2**20:.0f} MB are read."
        )
    with border(f"{path.name} is no valid XML"):
        parser = DefusedXMLParser(target=_Builder(), forbid_entities=True, forbid_external=True)
        content = path.read_bytes()
        if content.count(b"=") > MOST_ELEMENTS:
            raise RecordError(
                f"{path.name} has more than {MOST_ELEMENTS:,} attributes; a resting ECG has a few hundred."
            )
        try:
            parser.feed(content)
            return parser.close()
        except DefusedXmlException as error:
            raise RecordError(
                f"{path.name} declares entities, which may hold other files or grow without end; they are refused. No "
                "recorder writes any."
            ) from error


class _Builder(TreeBuilder):
    """Build a tree of a limited number of elements, without namespaces."""

    count = 0

    def start(self, tag, attrs):
        self.count += 1
        if self.count > MOST_ELEMENTS:
            raise RecordError(f"the XML has more than {MOST_ELEMENTS:,} elements; a resting ECG has a few hundred.")
        return super().start(_local(tag), {_local(key): value for key, value in attrs.items()})

    def end(self, tag):
        return super().end(_local(tag))


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def text_of(element: Element | None, path: str) -> str | None:
    """Return the text at a path below an element, stripped, or None where there is none."""
    found = None if element is None else element.findtext(path)
    return (found or "").strip() or None


def number(text: str | None, what: str) -> float:
    """Return a text as a finite number; a RecordError that names ``what`` where it is none."""
    if text is None or not re.fullmatch(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?", text.strip()):
        raise RecordError(f"{what} is {(text or '')[:40]!r}; expected a number.")
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise RecordError(f"{what} is {text[:40]!r}, too large.")
    return value
