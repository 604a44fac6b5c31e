"""zennit and signxai import beside any torch; each case runs in a Python of its own, for imports happen once."""

import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from shutil import copy

import pytest

from leadwise import compat


def python(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": "", "LEADWISE_STARTUP": "0", **environment},
    )


@pytest.fixture(scope="module")
def broken_torchvision() -> None:
    """Without help, signxai can't be imported here; skip where torchvision's extension loads."""
    bare = python("import signxai")
    if bare.returncode == 0:
        pytest.skip("this torchvision loads beside this torch")
    assert "operator torchvision::nms does not exist" in bare.stderr


def test_signxai_works_after_import_leadwise(broken_torchvision):
    """Its gradient is autograd's, and the finder that made the import work is gone."""
    code = """
import leadwise, sys
finders = len(sys.meta_path)
import torch
from signxai.torch_signxai import calculate_relevancemap
assert len(sys.meta_path) == finders - 1
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ELU(), torch.nn.Linear(4, 2)).eval()
x = torch.randn(1, 3, requires_grad=True)
expected, = torch.autograd.grad(model(x)[0, 1], x)
found = calculate_relevancemap(model, x.detach().clone(), "gradient", target_class=1)
assert torch.allclose(torch.as_tensor(found).reshape(1, 3), expected), (found, expected)
"""
    done = python(code)
    assert (done.returncode, done.stderr) == (0, "")


def test_zennit_works_after_ensure_torchvision(broken_torchvision):
    done = python("from leadwise.compat import ensure_torchvision as e; assert e() and e(); import zennit; assert e()")
    assert (done.returncode, done.stderr) == (0, "")


def test_torchvision_first_fails_by_itself_is_explained_and_then_works(broken_torchvision):
    """What the failed import leaves behind is no worse with leadwise, whose import says why, and what works now."""
    code = """
import sys, warnings
try:
    import torchvision
except RuntimeError as error:
    assert "torchvision::nms does not exist" in str(error)
else:
    raise SystemExit("it loads")
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    import leadwise
[warning] = said
assert "built for CUDA" in str(warning.message) and "works now" in str(warning.message)
import torchvision, torchvision.ops, torchvision.models, zennit
with warnings.catch_warnings():
    warnings.simplefilter("error")
    leadwise.compat.prepare_torchvision()
"""
    done = python(code)
    assert (done.returncode, done.stderr) == (0, "")


def test_any_order_works_where_starts_are_prepared(broken_torchvision, tmp_path):
    compat.write_startup(tmp_path)
    code = f"import site; site.addsitedir({str(tmp_path)!r}); import torchvision, leadwise; print(torchvision.ops.nms)"
    done = python(code, LEADWISE_STARTUP="1")
    assert done.returncode == 0, done.stderr
    assert "nms" in python(code, LEADWISE_STARTUP="0").stderr


def test_nothing_is_said_where_torchvision_loaded_or_was_not_asked_for():
    for code in ("import leadwise", "import leadwise, torchvision; leadwise.compat.prepare_torchvision()"):
        done = python(code)
        assert "TorchvisionWarning" not in done.stderr, done.stderr


def test_import_leadwise_needs_no_torch():
    done = python("import leadwise, sys; assert not {'torch', 'torchvision', 'zennit'} & set(sys.modules)")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["_C", "_C_stable"])  # up to torchvision 0.28, and from 0.29 on
def test_nothing_is_declared_where_the_extension_loads(tmp_path, name):
    """A package named torchvision whose extension is a library that loads: one that needs nothing but Python."""
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").touch()
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    copy(find_spec("markupsafe._speedups").origin, package / f"{name}{suffix}")
    code = (
        "from leadwise.compat import ensure_torchvision as e; import torch\n"
        "assert e() is False; assert not hasattr(torch.ops.torchvision, 'nms')\n"
        "import torchvision; assert e() is False; print(torchvision.__file__)"
    )
    done = python(code, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == package / "__init__.py"


def test_where_torchvision_is_not_installed(monkeypatch):
    monkeypatch.setattr(compat, "find_spec", lambda name: None)
    monkeypatch.setattr(compat, "_declared", [])
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    assert compat.ensure_torchvision() is False
