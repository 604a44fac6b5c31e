"""What a notebook needs where it comes alone: on Colab and Kaggle. Their first cell calls :func:`prepare`.

There torch, numpy and ipywidgets belong to the host, and whoever replaces one breaks what is built on it. So only what
is missing gets installed, each package without what it declares to need (signxai2 0.5.0 asks for numpy < 2 and runs
with numpy 2), and what is there keeps its version.
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from importlib import invalidate_caches
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

# A variable that the host sets -> its name.
HOSTS = {"COLAB_RELEASE_TAG": "Colab", "KAGGLE_KERNEL_RUN_TYPE": "Kaggle"}

# What a notebook imports and the package does not, so that its metadata pins it without asking for it.
FOR_NOTEBOOKS = ("signxai2", "zennit")

# The host's own: never installed, never replaced, and what they need is not looked at.
KEPT = ("torch", "torchvision", "numpy", "ipywidgets")


def prepare() -> None:
    """Install what the course lacks on Colab or Kaggle, and print what was done and which device there is.

    Elsewhere it does nothing: there, `make lab` or Binder has installed everything.

    Raises
    ------
    RuntimeError : pip failed; the message ends with what pip said
    """
    host = next((name for variable, name in HOSTS.items() if variable in os.environ), None)
    if host is None:
        return
    installed: dict[str, str] = {}
    while wanted := missing():
        if set(wanted) <= set(installed):
            raise RuntimeError(
                f"pip installed {', '.join(wanted)}, but this Python does not see it. Restart the kernel."
            )
        install(list(wanted.values()))
        installed |= wanted
    done = f"installed {said(installed)}" if installed else "everything was there"
    print(f"{host}: {done}. Kept: {said([name for name in KEPT if have(name)])}. {running_on()}")


def missing(course: str = "leadwise") -> dict[str, str]:
    """Return what the course needs, directly or not, and this Python lacks: name -> what to ask pip for.

    The course's own dependencies come in the version that it is tested with, the extra ``tested`` of its metadata,
    which is requirements.txt. What they need in turn comes as they ask for it.
    """
    tested = [r for r in needs(course, extra="tested") if str(r.specifier)]
    pins = {r.name: f"{r.name}{r.specifier}" for r in tested}
    wanted = [*needs(course), *(r for r in tested if r.name in FOR_NOTEBOOKS)]
    found, seen = {}, {*KEPT, course}
    for requirement in wanted:  # it grows
        name = requirement.name
        if name.lower() in seen:
            continue
        seen.add(name.lower())
        if have(name):
            wanted += needs(name)
        else:
            found[name] = pins.get(name, f"{name}{requirement.specifier}")
    return found


def needs(name: str, extra: str = "") -> list[Requirement]:
    """Return what an installed distribution declares to need on this Python."""
    declared = map(Requirement, requires(name) or [])
    return [r for r in declared if not r.marker or r.marker.evaluate({"extra": extra})]


def have(name: str) -> bool:
    """Say whether a distribution is installed, in whatever version."""
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def install(wanted: list[str]) -> None:
    """Install packages, and nothing that they need."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *wanted]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(
            f"pip could not install {', '.join(wanted)}. On Kaggle, Settings > Turn on internet comes first. "
            f"pip said:\n{done.stderr.strip()[-2000:]}"
        )
    invalidate_caches()  # so that this process sees what came


def said(names: Iterable[str]) -> str:
    """Return names with their versions, as in "captum 0.9.0, zennit 0.5.1"."""
    return ", ".join(f"{name} {version(name)}" for name in names)


def running_on() -> str:
    """Return a sentence about the device in use."""
    import torch

    from leadwise import device

    place = device()
    name = f" ({torch.cuda.get_device_name(place)})" if place.type == "cuda" else ""
    return f"Device: {place}{name}."
