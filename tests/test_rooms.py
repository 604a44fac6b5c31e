"""The package reads from top to bottom: a room imports only from rooms below it, and a drawing costs no statistics."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "leadwise"
FLOORS = [
    {"explorers"}, {"checks"}, {"report"}, {"cohort"}, {"semantics"}, {"evaluation"}, {"plotting"},
    {"inspection", "training"}, {"attribution"}, {"networks"}, {"simulation"}, {"recordings"}, {"maps"}, {"ecg"},
    {"images", "download", "bootstrap", "progress", "paths", "devices", "language"},
]  # fmt: skip
HEIGHT = {room: -floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def imports(path: Path):
    """Yield the rooms from which a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("leadwise"):
            _, _, rest = node.module.partition(".")
            yield from [rest.split(".")[0]] if rest else [alias.name for alias in node.names]


@pytest.mark.parametrize("room", sorted(HEIGHT))
def test_a_room_imports_only_from_rooms_below(room):
    files = [*(SOURCE / room).rglob("*.py"), *SOURCE.glob(f"{room}.py")]
    assert files
    upwards = [(path.name, other) for path in files for other in imports(path) if HEIGHT.get(other, -99) > HEIGHT[room]]
    assert not upwards


def test_explorers_and_plots_load_no_statistics_and_no_downloads():
    """Every kernel pays for what they load: pandas and scikit-learn alone take 70 MiB."""
    code = "import sys, leadwise.explorers, leadwise.plotting; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"leadwise.evaluation", "pandas", "sklearn", "requests", "distributed"} & set(done.stdout.split())
