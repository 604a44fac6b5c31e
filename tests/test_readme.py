"""The README's numbers are those of the files they come from."""

import json
import re
import shutil

import pytest

import readme
from notebook_frame import ROOT


def test_the_readme_agrees_with_its_sources(capsys):
    assert readme.main(["--check"]) == 0, capsys.readouterr().out


def test_every_file_that_the_front_page_names_is_there():
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(links) > 20
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.fixture
def copy(tmp_path):
    tables = ("reference_maps.json", "latency.json", "ground_truth.json", "ground_truth.csv", "ground_truth_full.json")
    for name in ("README.md", *(f"benchmarks/{name}" for name in tables)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns("src", "solutions"))
    return tmp_path


def test_a_number_that_changes_is_noticed_and_written(copy, capsys):
    path = copy / "benchmarks" / "reference_maps.json"
    found = json.loads(path.read_text())
    found["least_correlation"]["LRP"]["AVB"] = 0.4321
    path.write_text(json.dumps(found))
    assert readme.main(["--check", "--root", str(copy)]) == 1
    assert "differs" in capsys.readouterr().out
    assert readme.main(["--root", str(copy)]) == 0
    assert "0.4321" in (copy / "README.md").read_text(encoding="utf-8")
    assert readme.main(["--check", "--root", str(copy)]) == 0


def test_a_part_that_was_deleted_is_missed(copy):
    path = copy / "README.md"
    path.write_text(path.read_text(encoding="utf-8").replace("<!-- /latency -->", ""), encoding="utf-8")
    with pytest.raises(ValueError, match="lacks the part 'latency'"):
        readme.main(["--root", str(copy)])


def test_the_ten_lines_run(capsys):
    """They are run as a reader would paste them."""
    block = re.search(
        r"## Explain your model in ten lines.*?```python\n(.*?)```",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    kept: dict = {}
    exec(block[1], kept)
    assert kept["found"].relevance.shape == kept["x"].shape == (1, 8, 1000)
    assert kept["network"].probability(kept["x"]).shape == (1, 3)
    assert capsys.readouterr().out.strip()
