"""LICENSES.md names all that others made, and what it points at is there."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from leadwise import download
from leadwise.images.scenes import credits
from leadwise.paths import ASSETS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "LICENSES.md").read_text("utf-8")


@pytest.mark.parametrize("folder", sorted(path.name for path in ASSETS.iterdir()))
def test_every_folder_of_assets_is_named(folder):
    assert f"src/leadwise/assets/{folder}" in PAGE


def test_every_source_of_the_download_is_named_with_its_page_and_its_persons():
    for file in download.registry():
        assert file.page in PAGE, file.path
        for licence in re.findall(r"CC BY [\d.]+|CC0|BSD 3-Clause|public domain", file.licence):
            assert licence in PAGE, file.path
        for person in re.findall(r"CC0 \((.+)\)", file.licence):
            assert person in PAGE, file.path


def test_the_scenes_credits_are_in_it():
    for line in credits().splitlines():
        title, rest = line.split(" by ")
        author, _, page = rest.rsplit(", ", 2)
        assert title in PAGE
        assert author in PAGE
        assert page in PAGE


@pytest.mark.parametrize("page", ["LICENSES.md", "README.md", "training/README.md", "data/README.md"])
def test_links_inside_the_repository_lead_somewhere(page):
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / page).read_text("utf-8"))
    inside = [unquote(link.split("#")[0]) for link in links if not re.match(r"https?://|#", link)]
    assert inside
    missing = [link for link in inside if not ((ROOT / page).parent / link).exists()]
    assert missing == []
