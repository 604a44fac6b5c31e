"""A home folder that can't be written to, as in some containers: the package works, and says what it can't write."""

import os
import subprocess
import sys

import pytest

FIGURE = """
import leadwise
from leadwise.explorers import ECGExplorer
from leadwise.plotting import plot_ecg

ecg = leadwise.simulate_ecg("RBBB", seed=1).preprocess().window()
model = leadwise.load_ecg_model("RBBB", "embedded")
figure = plot_ecg(ecg, leadwise.attribute(model, ecg.tensor(), "gradient", target=1))
print(len(figure.axes) > 0, len(ECGExplorer(model="RBBB", weights="embedded")._repr_mimebundle_()) > 0)
"""


@pytest.fixture
def home(tmp_path):
    """Environment of a process whose home can hold nothing, whoever runs it: a part of its path is a file."""
    (tmp_path / "file").write_text("")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "MPLCONFIG", "LEADWISE_"))}
    return kept | {"HOME": str(tmp_path / "file" / "home"), "MPLBACKEND": "Agg", "TMPDIR": str(tmp_path)}


def python(home: dict, cwd, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], env=home, cwd=cwd, capture_output=True, text=True, timeout=300)


def test_maps_figures_and_explorers_need_no_home(home, tmp_path):
    done = python(home, tmp_path, "-c", FIGURE)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True True\n"
    assert "Matplotlib created a temporary cache directory" in done.stderr  # the one thing that wanted to write


def test_a_download_says_where_it_could_not_write(home, tmp_path):
    data = f"{home['HOME']}/.cache/leadwise"
    done = python(home, tmp_path, "-m", "leadwise", "download", "--data", data, "--offline", "ecgs")
    assert done.returncode == 1
    assert data in done.stdout
    assert "Traceback" not in done.stderr
