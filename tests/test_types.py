"""Every parameter that a learner may fill in says what it takes."""

import ast
from collections.abc import Iterator
from pathlib import Path

import leadwise

SOURCE = Path(leadwise.__file__).parent


def unsaid(body: list[ast.stmt], of: str = "") -> Iterator[str]:
    """Yield the parameters without a type of the public functions and methods in a module or a class."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from unsaid(node.body, f"{node.name}.")
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("_") and node.name != "__init__":
            continue
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        for one in given:
            if one is not None and one.annotation is None and not (of and one.arg in ("self", "cls")):
                yield f"{of}{node.name}: {one.arg}"


def test_every_parameter_of_a_public_function_has_a_type():
    files = list(SOURCE.rglob("*.py"))
    assert len(files) > 100
    assert [
        f"{path.name}: {one}" for path in sorted(files) for one in unsaid(ast.parse(path.read_text("utf-8")).body)
    ] == []


# Rooms below the description, where a module is meant; what makes weights; what runs inside a network.
OF_MODULES = ("networks/", "checks/", "training.py")


def test_whatever_takes_a_module_takes_a_network():
    """The hint of ``leadwise.Network``'s first sentence; ``running`` is the module that runs, given to what watches."""
    of_modules = [
        f"{path.name}: {node.name}: {one.arg}"
        for path in sorted(SOURCE.rglob("*.py"))
        if not path.relative_to(SOURCE).as_posix().startswith(OF_MODULES)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        if one.annotation is not None
        and one.arg != "running"
        and "Module" in ast.unparse(one.annotation)
        and "Network" not in ast.unparse(one.annotation)
    ]
    assert of_modules == []
