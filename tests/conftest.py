"""Fixtures that all tests share."""

import hashlib
import json
import os
from pathlib import Path

import matplotlib
import pytest
import torch

import leadwise  # noqa: F401  before any test imports zennit or signxai: it makes torchvision importable

matplotlib.use("Agg")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of the reference material (real models, ECGs, maps); the test skips where it is absent."""
    path = Path(os.environ.get("LEADWISE_REFERENCE", ROOT.parent / "shared" / "reference"))
    if not (path / "maps").is_dir():
        pytest.skip(f"no reference material at {path} (set LEADWISE_REFERENCE)")
    return path


@pytest.fixture
def data_dir(tmp_path, monkeypatch) -> Path:
    """An empty data folder that the package uses instead of the real one."""
    path = tmp_path / "data"
    path.mkdir()
    monkeypatch.setenv("LEADWISE_DATA", str(path))
    return path


@pytest.fixture
def register(data_dir, tmp_path, monkeypatch):
    """Write a registry that vouches for files of the data folder as they are now."""

    def write(*places: str) -> None:
        entries = [
            {"source": "s", "path": place, "remote": place, "size": len(content), "sha256": sha256}
            for place in places
            for content in [(data_dir / place).read_bytes()]
            for sha256 in [hashlib.sha256(content).hexdigest()]
        ]
        source = {"group": "g", "title": "made for a test", "licence": "CC0", "mirrors": []}
        path = tmp_path / "registry.json"
        path.write_text(json.dumps({"groups": {"g": "made"}, "sources": {"s": source}, "files": entries}))
        monkeypatch.setenv("LEADWISE_REGISTRY", str(path))

    return write


@pytest.fixture(scope="module")
def one_thread():
    """For modules of small batches: a second thread would wait more than it works."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def patient(monkeypatch):
    """Let a control of an explorer wait for its picture, however slow the machine is."""
    monkeypatch.setattr("leadwise.explorers.base.PATIENCE", 600.0)


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory):
    """One JupyterLab for all tests: the folder that it serves, without downloaded data, its address and its token.

    The browser is started anew by each file, for its event loop would stop others that want their own.
    """
    from browser import jupyter_lab, missing

    if missing():
        pytest.skip(missing())
    folder = tmp_path_factory.mktemp("lab")
    (folder / "data").mkdir()
    with jupyter_lab(folder, LEADWISE_DATA=str(folder / "data"), LEADWISE_MIRROR="") as (address, token):
        yield folder, address, token


@pytest.fixture(scope="module")
def running():
    """A headless Chromium; the test skips where there is none."""
    from browser import browser, missing

    if missing():
        pytest.skip(missing())
    with browser() as started:
        yield started


@pytest.fixture
def show(bare):
    """Put a canvas into the module's page, ``bare``; at the end of the test nothing may have gone wrong there."""
    from browser import show_canvas

    def shown(canvas, width=1000):
        bare.set_viewport_size({"width": width, "height": 1200})
        show_canvas(bare, canvas)
        return bare

    yield shown
    bare.mouse.move(0, 0)
    assert bare.complaints == []
