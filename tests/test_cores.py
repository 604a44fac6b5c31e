"""Threads: as many as a container may use, whatever the machine has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from leadwise.cores import cores

SRC = Path(__file__).resolve().parents[1] / "src"
V1 = "7:memory:/a\n3:cpu,cpuacct:/a/b\n1:name=systemd:/a\n"
# The cgroup of the process, files below /sys/fs/cgroup, and the cores that the kernel's documentation makes of them.
GROUPS = {
    "version 2, half a core": ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
    "version 2, one and a half": ("0::/a\n", {"a/cpu.max": "150000 100000\n"}, 2),
    "version 2, the outer has less": (
        "0::/a/b\n",
        {"a/b/cpu.max": "max 100000", "a/cpu.max": "100000 100000"},
        1,
    ),
    "version 2, without a limit": ("0::/\n", {"cpu.max": "max 100000\n"}, 64),
    "version 1": (V1, {"cpu/a/b/cpu.cfs_quota_us": "300000\n", "cpu/a/b/cpu.cfs_period_us": "100000\n"}, 3),
    "version 1, without a limit": (V1, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
    "version 1, mounted in a container": (V1, {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, 2),
    "unreadable": ("", {}, 64),
    "strange": ("0::/\n", {"cpu.max": "a b\n"}, 64),
}


@pytest.mark.parametrize("case", GROUPS)
def test_the_share_of_a_container_is_read(case, tmp_path, monkeypatch):
    group, files, wanted = GROUPS[case]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    for name, text in {"proc/self/cgroup": group, **{f"sys/fs/cgroup/{k}": v for k, v in files.items()}}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cores(tmp_path) == wanted


@pytest.mark.skipif(os.cpu_count() < 2, reason="needs two cores")
@pytest.mark.parametrize("before", ["", "import torch"])
@pytest.mark.parametrize(("said", "wanted"), [(None, "1 1"), ("2", "2 2")])
def test_pytorch_starts_as_many_threads(before, said, wanted):
    code = f"import os; os.sched_getaffinity = lambda _: {{0}}; {before}\nimport leadwise\nimport torch\n"
    code += "print(os.environ['OMP_NUM_THREADS'], torch.get_num_threads())"
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    environment |= {"LEADWISE_STARTUP": "0", "PYTHONPATH": str(SRC), **({"OMP_NUM_THREADS": said} if said else {})}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == wanted, done.stderr
