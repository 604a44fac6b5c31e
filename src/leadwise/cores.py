"""How many cores this process may use, which is what numerical libraries should start threads for.

A container on a large machine sees all of its cores and gets the time of a few: Binder's one core of sixteen makes
PyTorch start sixteen threads that wait for each other, and a map takes ten times as long.
"""

import math
import os
import sys
from pathlib import Path

VARIABLE = "OMP_NUM_THREADS"  # what PyTorch, MKL and OpenBLAS ask when they start
MICROSECONDS = "cpu.cfs_quota_us", "cpu.cfs_period_us"


def cores(root: str | Path = "/") -> int:
    """Return how many cores this process may use: those of the machine, its affinity, its container's share of time.

    A share of one and a half cores counts as two; one that can't be read counts as all.

    Parameters
    ----------
    root : of the file system whose ``/proc/self/cgroup`` and ``/sys/fs/cgroup`` are read

    Examples
    --------
    >>> 1 <= cores() <= os.cpu_count()
    True
    """
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([own, *map(math.ceil, _shares(Path(root)))]))


def _shares(root: Path) -> list[float]:
    """Return the shares of time, in cores, of every control group that this process is in."""
    found = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        inner = top / name.lstrip("/")
        for folder in [inner, *(parent for parent in inner.parents if parent.is_relative_to(top)), top]:
            files = MICROSECONDS if controllers else ("cpu.max",)
            numbers = " ".join(_text(folder / file) for file in files).split()
            if len(numbers) == 2 and all(number.isdecimal() for number in numbers) and int(numbers[1]):
                found.append(int(numbers[0]) / int(numbers[1]))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def use_own_cores() -> None:
    """Let numerical libraries start no more threads than there are cores for; a set ``OMP_NUM_THREADS`` stays."""
    if VARIABLE in os.environ:
        return
    count = cores()
    if count >= (os.cpu_count() or 1):
        return
    os.environ[VARIABLE] = str(count)  # for what is imported later, and for processes started from here
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() > count:
        torch.set_num_threads(count)
