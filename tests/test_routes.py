"""The ways to the course other than `make`: the README's commands, Binder's image, wheel and source distribution."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

import route

ROOT = Path(__file__).resolve().parents[1]
ROUTES = route.routes()


def test_ci_tries_every_route_of_the_readme():
    text = (ROOT / "README.md").read_text("utf-8")
    shown = text.split("<details><summary>Without make")[1].split("</details>")[0]
    assert len(ROUTES) == shown.count("\n```\n") == 4
    weekly = yaml.safe_load((ROOT / ".github/workflows/weekly.yml").read_text("utf-8"))
    assert [job["route"] for job in weekly["jobs"]["routes"]["strategy"]["matrix"]["include"]] == list(ROUTES)


@pytest.mark.parametrize("name", ROUTES)
def test_a_route_installs_the_pins_and_executes_the_first_notebook(name):
    """As Windows writes paths or not; an install of anything else than the Makefile's would be seen."""
    script = ROUTES[name][1].replace("\\", "/")
    pin = re.search(r"^torch==\S+", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE)[0]
    asked = re.findall(r"pip install ((?!-q).+)", script)
    assert asked == [pin, "-r requirements.txt -c constraints.txt", "--no-deps -e ."]
    assert "jupyter execute notebooks/00_start_here.ipynb\n" in script
    assert "jupyter lab" not in script
    assert (ROOT / "notebooks/00_start_here.ipynb").is_file()
    if name != "Windows":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_an_unknown_route_is_refused(capsys):
    assert route.main(["snap"]) == 2
    assert "pip, uv, conda, Windows" in capsys.readouterr().err


def test_a_script_of_an_installation_in_the_checkout_is_no_module():
    """JupyterLab in .venv starts a script of node's old kind; where package.json said "module" it printed all of it."""
    assert "type" not in json.loads((ROOT / "package.json").read_text("utf-8"))
    assert json.loads((ROOT / "src/package.json").read_text("utf-8")) == {"type": "module"}  # the explorers' scripts


def test_the_environment_has_the_python_of_the_tests_and_leaves_packages_to_pip():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    assert environment["dependencies"] == ["python=3.11", "pip"]


@pytest.mark.skipif(sys.platform == "win32", reason="Binder's image is Linux")
def test_binders_image_is_thinned_and_survives_without_downloads(tmp_path):
    """postBuild with a python that only writes down what it was asked for, and knows one folder of packages."""
    packages, log = tmp_path / "site-packages", tmp_path / "log"
    gone = ["torch/include/ATen.h", "torch/test/run", "torch/bin/test_api", "scipy/stats/tests/test_stats.py"]
    kept = ["torch/bin/torch_shm_manager", "torch/testing/_comparison.py", "torch/lib/libtorch.so", "scipy/stats/x.py"]
    for name in gone + kept:
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).touch()
    fake = tmp_path / "bin/python"
    fake.parent.mkdir()
    answers = f"*purelib*) echo {packages};; *leadwise\\ download*) exit 1;;"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {log}\ncase "$*" in {answers} esac\n')
    fake.chmod(0o755)
    environment = {**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", ROOT / "postBuild"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Some downloads are missing" in done.stdout
    assert {str(path.relative_to(packages)) for path in packages.rglob("*") if path.is_file()} == set(kept)
    installs = [line for line in log.read_text().splitlines() if " pip install " in line]
    assert len(installs) == 2
    assert all("--no-cache-dir" in line for line in installs)
    assert "https://download.pytorch.org/whl/cpu" in installs[0]
    assert installs[0].endswith("-c constraints.txt")


def built(folder: Path, kind: str) -> Path:
    """Build a wheel or an sdist of a folder without a network."""
    code = f"from setuptools.build_meta import build_{kind} as build; build('dist')"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True)
    (path,) = (folder / "dist").iterdir()
    return path


def test_wheel_and_sdist_hold_the_whole_package(tmp_path):
    """Weights, recordings, scripts, quizzes, translations; the wheel is built from the sdist, as pip does it."""
    copy = tmp_path / "copy"
    shutil.copytree(
        ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "package.json")
    )
    shutil.copytree(
        ROOT / "tests", copy / "tests", ignore=lambda folder, names: [n for n in names if n != Path(__file__).name]
    )
    for path in [
        *ROOT.glob("*.txt"),
        *ROOT.glob("*.toml"),
        *ROOT.glob("LICENSE*"),
        ROOT / "README.md",
        ROOT / "MANIFEST.in",
    ]:
        shutil.copy(path, copy)
    source = copy / "src"
    package = {str(path.relative_to(source).as_posix()) for path in source.rglob("*") if path.is_file()}
    with tarfile.open(built(copy, "sdist")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert not (unpacked / "tests").exists()
    with zipfile.ZipFile(built(unpacked, "wheel")) as archive:
        names = set(archive.namelist())
    assert {name for name in names if ".dist-info/" not in name} == package
    assert {name.split("/")[-1] for name in names - package} >= {
        "METADATA",
        "entry_points.txt",
        "LICENSE",
        "LICENSES.md",
    }
