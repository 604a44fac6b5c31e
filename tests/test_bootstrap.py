"""The first cell on Colab and Kaggle: what it asks pip for, on hosts whose packages are known."""

import subprocess
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import tomllib

from leadwise import bootstrap

ROOT = Path(__file__).resolve().parents[1]

# name -> version and what it declares to need, as on Colab, where numpy 2 and ipywidgets 7.7.1 are given.
COLAB = {
    "leadwise": (
        "0.1.0",
        ["numpy", "torch", "ipywidgets", "captum", "pooch"]
        + ['numpy==1.26.4; python_version < "3.13" and extra == "tested"']
        + ['numpy==2.4.6; python_version >= "3.13" and extra == "tested"']
        + [f'{pin}; extra == "tested"' for pin in ("torch==2.13.0", "captum==0.9.0")]
        + [f'{pin}; extra == "tested"' for pin in ("signxai2==0.5.0", "zennit==0.5.1", "pooch==1.9.0")],
    ),
    "numpy": ("2.0.2", ["a-new-requirement-of-numpy"]),
    "torch": ("2.13.0", ["nvidia-cublas==13.0.0", "sympy"]),
    "ipywidgets": ("7.7.1", ["jedi"]),
    "pooch": ("1.8.0", ["platformdirs>=2", 'tomli; python_version < "3"', 'sphinx; extra == "docs"']),
}
INDEX = {
    "captum": ("0.9.0", ["numpy<2", "torch>=1.10", "tqdm", "packaging"]),
    "signxai2": ("0.5.0", ["numpy<2.0", 'zennit>=0.5.1; extra == "pytorch"']),
    "platformdirs": ("4.0", []),
    "tqdm": ("4.0", []),
    "packaging": ("26.3", []),
    "zennit": ("0.5.1", ["torchvision", "Tqdm", "click"]),
    "click": ("8.0", ["colorama"]),
    "colorama": ("0.4", []),
}


@pytest.fixture
def host(monkeypatch):
    """A Python with Colab's packages, and a pip that brings those of INDEX; the list is of pip's command lines."""
    here, commands = dict(COLAB), []

    def look_up(name):
        found = {key.lower(): value for key, value in here.items()}.get(name.lower())
        if found is None:
            raise PackageNotFoundError(name)
        return found

    def pip(command, **_):
        commands.append(command)
        for asked in command[6:]:
            name = asked.replace(">", "=").split("=")[0]
            here[name] = INDEX[name]
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(bootstrap, "version", lambda name: look_up(name)[0])
    monkeypatch.setattr(bootstrap, "requires", lambda name: look_up(name)[1])
    monkeypatch.setattr(bootstrap.subprocess, "run", pip)
    for variable in bootstrap.HOSTS:
        monkeypatch.delenv(variable, raising=False)
    return commands


@pytest.mark.parametrize(("variable", "name"), bootstrap.HOSTS.items())
def test_only_what_is_missing_is_installed_and_nothing_replaced(variable, name, host, monkeypatch, capsys):
    monkeypatch.setenv(variable, "release")
    monkeypatch.setenv("LEADWISE_DEVICE", "cpu")
    bootstrap.prepare()
    asked = [set(command[6:]) for command in host]
    assert all(command[1:6] == ["-m", "pip", "install", "--quiet", "--no-deps"] for command in host)
    assert asked == [
        # as tested; and what a package that is there needs
        {"signxai2==0.5.0", "zennit==0.5.1", "captum==0.9.0", "platformdirs>=2"},
        {"tqdm", "packaging", "click"},  # what the new ones need, but never numpy<2 or torchvision
        {"colorama"},
    ]
    said = capsys.readouterr().out
    assert said.startswith(f"{name}: installed ")
    assert "signxai2 0.5.0" in said
    assert "Kept: torch 2.13.0, numpy 2.0.2, ipywidgets 7.7.1. Device: cpu.\n" in said
    bootstrap.prepare()
    assert len(host) == 3
    assert capsys.readouterr().out.startswith(f"{name}: everything was there. Kept: torch")


def test_elsewhere_nothing_is_done_or_said(host, capsys):
    bootstrap.prepare()
    assert host == []
    assert capsys.readouterr().out == ""


def test_a_failing_pip_is_quoted(host, monkeypatch):
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    answer = subprocess.CompletedProcess([], 1, "", "ERROR: no matching distribution found for captum")
    monkeypatch.setattr(bootstrap.subprocess, "run", lambda *_, **__: answer)
    with pytest.raises(RuntimeError, match=r"could not install .*captum==0\.9\.0.*internet.*\n?.*no matching"):
        bootstrap.prepare()


def test_a_pip_without_effect_does_not_loop(host, monkeypatch):
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    monkeypatch.setattr(bootstrap.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, "", ""))
    with pytest.raises(RuntimeError, match="Restart the kernel"):
        bootstrap.prepare()


def test_the_pins_that_it_installs_are_those_of_requirements_txt():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["tool"]["setuptools"]["dynamic"]["optional-dependencies"]
    assert extras.pop("tested") == {"file": ["requirements.txt"]}
    assert extras == {name: {"file": [f"requirements-{name}.txt"]} for name in ("dicom", "cohort")}
    assert project["project"]["dynamic"] == ["optional-dependencies"]


def test_a_checkout_that_make_has_installed_lacks_nothing():
    assert bootstrap.missing() == {}
