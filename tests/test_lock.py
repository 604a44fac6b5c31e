"""The lock file holds what requirements.txt and constraints.txt pin, each with the hashes of its files."""

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PYTHON = "3.11"  # `make lock` says for which it is
LOCK = re.sub(r"^#.*\n", "", (ROOT / "requirements.lock").read_text("utf-8"), flags=re.MULTILINE)


def pins(text: str) -> dict[str, str]:
    pinned = map(Requirement, re.findall(r"^[\w.-]+==[\w.]+(?: *;[^\\\n]+)?", text, re.MULTILINE))
    here = [r for r in pinned if r.marker is None or r.marker.evaluate({"python_version": PYTHON})]
    return {canonicalize_name(r.name): str(r.specifier)[2:] for r in here}


def test_every_entry_has_hashes():
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(entries) == len(pins(LOCK)) > 100
    for entry in entries:
        assert re.fullmatch(r"[\w.-]+==[\w.]+(?: ; [^\\\n]+)?(?: \\\n +--hash=sha256:[0-9a-f]{64})+", entry), entry[
            :200
        ]


def test_versions_are_those_of_the_requirements():
    locked = pins(LOCK)
    wanted = pins((ROOT / "requirements.txt").read_text("utf-8"))
    assert {name: locked.get(name) for name in wanted} == wanted
    constraints = pins((ROOT / "constraints.txt").read_text("utf-8"))
    shared = locked.keys() & constraints.keys()
    assert {name: locked[name] for name in shared} == {name: constraints[name] for name in shared}


def test_what_a_maintainer_installs_is_pinned_too():
    constraints = pins((ROOT / "constraints.txt").read_text("utf-8"))
    for path in ("requirements-book.txt", "requirements-audit.txt"):
        wanted = pins((ROOT / path).read_text("utf-8"))
        assert wanted
        assert {name: constraints.get(name) for name in wanted} == wanted


def test_every_pin_allows_the_python_of_debian_12():
    """The 3.11.2 of Debian 12, and the first 3.12; what is not installed here is left out."""
    refused, seen = [], 0
    for name, version in pins((ROOT / "constraints.txt").read_text("utf-8")).items():
        try:
            found = metadata(name)
        except PackageNotFoundError:
            continue
        if found["Version"] == version:
            allowed = SpecifierSet(found.get("Requires-Python") or "")
            refused += [(name, version, python) for python in ("3.11.2", "3.12.0") if python not in allowed]
            seen += 1
    assert refused == []
    assert seen > 60
