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
