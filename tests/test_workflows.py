"""The workflows do what `make` and .ci/run do, with pinned actions and no more rights than they need."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in (ROOT / ".github/workflows").glob("*.yml")}
JOBS = {f"{name}.{job}": content for name, workflow in WORKFLOWS.items() for job, content in workflow["jobs"].items()}
GRANTED = {"pages.deploy": {"pages": "write", "id-token": "write"}, "stamp.badges": {"contents": "write"}}
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def test_the_workflows_are_there():
    assert set(WORKFLOWS) == {"test", "weekly", "links", "pages", "stamp"}
    triggers = {name: set(workflow[True]) for name, workflow in WORKFLOWS.items()}  # YAML reads the key "on" as True
    assert {"push", "pull_request"} <= triggers["test"]
    assert {"schedule"} <= triggers["weekly"] & triggers["links"]
    assert WORKFLOWS["stamp"][True]["push"] == {"branches": ["main"]}
    assert WORKFLOWS["pages"][True]["workflow_run"]["workflows"] == ["stamp"]  # or the first book has no address


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_read_and_runs_once_at_a_time(name):
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    assert WORKFLOWS[name]["concurrency"]["group"].startswith(name)


@pytest.mark.parametrize("name", JOBS)
def test_a_job_runs_make_or_ci_run(name):
    job = JOBS[name]
    assert job["timeout-minutes"] <= 90
    assert job.get("permissions") == GRANTED.get(name)
    for step in job["steps"]:
        if "run" in step:
            words = step["run"].split()
            assert words == [".ci/run"] or (words[0] == "make" and words[1] in TARGETS), step
            assert all(re.fullmatch(r"[A-Z]+=\S+", word) for word in words[2:])


@pytest.mark.parametrize("name", JOBS)
def test_actions_are_pinned_to_a_commit(name):
    for step in JOBS[name]["steps"]:
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step.get("uses", "actions/x@" + 40 * "0"))
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


def test_one_action_has_one_version_and_says_which():
    lines = [
        line for path in (ROOT / ".github/workflows").glob("*.yml") for line in path.read_text("utf-8").splitlines()
    ]
    used = [re.search(r"uses: (\S+)@(\w+) # (v[\d.]+)$", line) for line in lines if "uses:" in line]
    assert None not in used
    versions = {}
    for match in used:
        versions.setdefault(match[1], set()).add((match[2], match[3]))
    assert all(len(found) == 1 for found in versions.values()), versions


def test_torch_is_the_version_of_the_requirements():
    pin = re.search(r"^torch==\S+", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE)[0]
    named = [
        step["env"]["TORCH"].split()[0]
        for job in JOBS.values()
        for step in job["steps"]
        if "TORCH" in step.get("env", {})
    ]
    assert set(named) == {pin, "torch"}


def test_the_stamp_writes_no_workflow():
    """A workflow's token may not push one: the address stands in none of them."""
    from notebook_frame import repository

    for path in (ROOT / ".github/workflows").glob("*.yml"):
        assert repository() not in path.read_text("utf-8"), path.name


def test_the_first_push_is_stamped_and_the_second_is_not(tmp_path):
    """In a copy whose `git push` goes to a bare repository beside it."""
    bare, copy = tmp_path / "bare.git", tmp_path / "copy"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", copy]
    subprocess.run(["git", "init", "-q", "--bare", bare], check=True)
    copy.mkdir()
    for name in ("Makefile", "README.md", "pyproject.toml", "constraints.txt", "requirements.txt", "tools"):
        origin = ROOT / name
        shutil.copytree(origin, copy / name) if origin.is_dir() else shutil.copy(origin, copy)
    (copy / ".gitignore").write_text("build/\n__pycache__/\n")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True)
    place = f"url.{bare.as_uri()}.insteadOf"
    subprocess.run([*git, "config", place, "https://x-access-token:secret@github.com/octo/cat"], check=True)
    (copy / "build/stamp/bin").mkdir(parents=True)  # an environment that has nbformat, so that none is installed
    fake = f"PYTHON={copy / 'python'}"
    (copy / "python").write_text("#!/bin/sh\n")
    (copy / "build/stamp/bin/pip").write_text("#!/bin/sh\n")
    (copy / "build/stamp/bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    for program in ("python", "build/stamp/bin/pip", "build/stamp/bin/python"):
        (copy / program).chmod(0o755)
    run = ["make", "-s", "-C", copy, "stamp", "REPO=octo/cat", fake]
    environment = {**os.environ, "GITHUB_TOKEN": "secret"}
    said = [subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert "README.md" in said[0]
    assert "written already" in said[1]
    show = ["git", "-C", bare, "show", "main:README.md"]
    text = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    assert "mybinder.org/v2/gh/octo/cat/HEAD" in text
