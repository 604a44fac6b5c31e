"""The workflows do what `make` and .ci/run do, with pinned actions and no more rights than they need."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in (ROOT / ".github/workflows").glob("*.yml")}
JOBS = {f"{name}.{job}": content for name, workflow in WORKFLOWS.items() for job, content in workflow["jobs"].items()}
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def test_the_workflows_are_there():
    assert set(WORKFLOWS) == {"test", "weekly", "links", "pages"}
    triggers = {name: set(workflow[True]) for name, workflow in WORKFLOWS.items()}  # YAML reads the key "on" as True
    assert {"push", "pull_request"} <= triggers["test"]
    assert {"schedule"} <= triggers["weekly"] & triggers["links"]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_read_and_runs_once_at_a_time(name):
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    assert WORKFLOWS[name]["concurrency"]["group"].startswith(name)


@pytest.mark.parametrize("name", JOBS)
def test_a_job_runs_make_or_ci_run(name):
    job = JOBS[name]
    assert job["timeout-minutes"] <= 90
    granted = {"pages": "write", "id-token": "write"} if name == "pages.deploy" else None
    assert job.get("permissions") == granted
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
    named = [step["env"]["TORCH"].split()[0] for job in JOBS.values() for step in job["steps"] if "env" in step]
    assert set(named) == {pin, "torch"}
