"""The pages of the book that no file holds: methods, public names, modules, results of the benchmarks."""

import ast
import csv
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FAMILIES = {"gradient": "Gradients", "cam": "Class activation maps", "LRP": "Layer-wise relevance propagation"}


def rooms() -> dict[str, list[str]]:
    """Return the public modules of the package by room: a subpackage, or "more" for what lies beside them."""
    found: dict[str, list[str]] = {}
    package = ROOT / "src" / "leadwise"
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        if any(part.startswith("_") and part != "__init__" for part in parts) or parts == ("__init__",):
            continue
        room = parts[0] if len(parts) > 1 else "more"
        found.setdefault(room, []).append(".".join(["leadwise", *parts]).removesuffix(".__init__"))
    return {
        room: sorted(modules) for room, modules in sorted(found.items(), key=lambda item: (item[0] == "more", item))
    }


def api_page(room: str, modules: list[str]) -> str:
    """Return the page of one room: its modules, from their docstrings."""
    lines = [f"# {'Also in the package' if room == 'more' else f'leadwise.{room}'}", ""]
    for module in modules:
        if module == f"leadwise.{room}":  # the room itself: what it says, not what it passes on from its modules
            lines += ["```{eval-rst}", f".. automodule:: {module}", "   :no-members:", "```", ""]
        else:
            lines += [f"## {module}", "", "```{eval-rst}", f".. automodule:: {module}", "```", ""]
    return "\n".join(lines)


def public_names() -> str:
    """Return the page of the names that ``import leadwise`` offers, and the list of rooms."""
    import leadwise

    lines = ["# The package", "", "```{eval-rst}", ".. automodule:: leadwise", "   :no-members:", "```", ""]
    lines += ["| name | what it is | defined in |", "|---|---|---|"]
    for name in leadwise.__all__:
        value, module = getattr(leadwise, name), leadwise._PUBLIC[name]
        if name == "METHODS":
            what, module = "every method by name: see [Methods](methods.md)", "leadwise.attribution.registry"
        else:
            what, module = (value.__doc__ or "").split("\n")[0], value.__module__
        room = module.split(".")[1] if module.count(".") > 1 else "more"
        lines.append(f"| `leadwise.{name}` | {cell_text(what)} | [`{module}`]({room}.md) |")
    toctree = ["methods", *rooms()]
    return "\n".join([*lines, "", "```{toctree}", ":maxdepth: 1", *toctree, "```", ""])


def methods() -> str:
    """Return the page of all attribution methods, from their registry."""
    from leadwise import METHODS

    lines = [
        "# Methods",
        "",
        "Every row of `leadwise.METHODS`: what `leadwise.attribute` knows by name, and from which the explorers'",
    ]
    lines += ["controls, the tests and the benchmarks are made.", ""]
    for family in dict.fromkeys(method.family for method in METHODS.values()):
        lines += [f"## {FAMILIES.get(family, family.capitalize())}", ""]
        for method in (one for one in METHODS.values() if one.family == family):
            lines += [f"### {method.title}", "", f"`{method.name}`", "", f"$${method.formula}$$", ""]
            lines += [f"- `{p.name}` = {p.default!r}: {cell_text(p.help)}" for p in method.parameters if p.help] + [""]
            lines += [
                cell_text(text) + "\n"
                for text in (method.note[:1].upper() + method.note[1:], linked(method.citation))
                if text
            ]
    return "\n".join(lines)


def linked(citation: str) -> str:
    """Return a citation with its DOI or arXiv number as a link."""
    citation = re.sub(r"doi:(10\.\S+)", r"[doi:\1](https://doi.org/\1)", citation)
    return re.sub(r"arXiv:(\d+\.\d+)", r"[arXiv:\1](https://arxiv.org/abs/\1)", citation)


def benchmarks() -> str:
    """Return the page of the benchmarks: what each script says about itself, and the results that lie beside it."""
    lines = [
        "# Benchmarks",
        "",
        "Tables and figures below are made from the files that the scripts in `benchmarks/` wrote when they last ran.",
        "",
    ]
    for script in sorted((ROOT / "benchmarks").glob("*.py")):
        results = [path for path in (script.with_suffix(".json"), script.with_suffix(".csv")) if path.exists()]
        further = sorted(script.parent.glob(f"{script.stem}_*.json"))  # of other conditions, such as cohort_trial.json
        results += [path for path in further if not path.with_suffix(".py").exists()]
        if not results:
            continue
        said = ast.get_docstring(ast.parse(script.read_text("utf-8"))).split("\n\n")
        lines += [f"## {script.stem.replace('_', ' ').capitalize()}", ""]
        lines += [text.replace("\n", " ") + "\n" for text in said if not text.startswith(" ")]
        lines += [f"Files: {', '.join(f'[{path.name}]({path.name})' for path in results)}.", ""]
        lines += ground_truth(script.with_suffix(".csv")) if script.stem == "ground_truth" else []
        for path in results:
            lines += tables(json.loads(path.read_text("utf-8"))) if path.suffix == ".json" else []
    return "\n".join(lines)


def ground_truth(path: Path) -> list[str]:
    """Return the figure and the table of the ground-truth benchmark: what is misplaced."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in csv.DictReader(path.read_text("utf-8").splitlines()):
        if row["architecture"] == "ECGNet" and row["model"] not in ("embedded", "published"):
            continue  # of other seeds: their mean and interval stand below
        cause = f"{row['data']} {row['model']} {row['cause']}"
        score = float(row["misplaced"] or "nan")
        found.setdefault(f"`{row['method']}`", {}).setdefault(cause, []).append(f"{score:.2f}")
    alt = "One row for each method, one column for each cause: agreement of the map with what interventions show"
    said = (
        "The share of the map in other parts (waves, or objects) than those that change the network's "
        "answer, or of the other sign: 0 is right, 1 wrong."
    )
    more = "First with the plain setting, then tuned: the best of a few settings, chosen on other patients."
    return [f"![{alt}](../plots/gallery/ground_truth.png)", "", said, more, "", *table(found, turn=False), ""]


def tables(result: dict, level: int = 3) -> list[str]:
    """Return any JSON result as Markdown: plain values as a list, equal rows as a table, all else below headings."""
    lines = [
        f"- {key}: {shown(value)}"
        for key, value in result.items()
        if not isinstance(value, dict) and not is_rows(value)
    ]
    for key, value in result.items():
        if is_rows(value):
            value = {str(number): row for number, row in enumerate(value, 1)}
        elif not isinstance(value, dict) or not value:
            continue
        lines += ["", f"{'#' * level} {key}", ""]
        if all(isinstance(row, dict) for row in value.values()):
            lines += table(value)
        elif any(isinstance(row, dict) for row in value.values()):
            lines += tables(value, level + 1)
        else:
            lines += table({name: {"value": one} for name, one in value.items()})
    return [*lines, ""]


def is_rows(value) -> bool:
    """Say whether a value is a list of dicts."""
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def table(rows: dict[str, dict], turn: bool = True) -> list[str]:
    """Return rows, name -> {column: value}, as a Markdown table, turned where that makes it narrower."""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    if turn and len(columns) > 8 and len(columns) > len(rows):
        rows = {column: {name: row.get(column, "") for name, row in rows.items()} for column in columns}
        columns = list(next(iter(rows.values())))
    lines = ["| | " + " | ".join(map(str, columns)) + " |", "|---|" + "---|" * len(columns)]
    cells = {name: " | ".join(shown(row.get(column, "")) for column in columns) for name, row in rows.items()}
    return lines + [f"| {cell_text(name)} | {text} |" for name, text in cells.items()]


def shown(value) -> str:
    """Return a value as text: three digits of a number, a list with commas."""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(one)}" for key, one in value.items())
    return cell_text(str(value))


def cell_text(text: str) -> str:
    """Return text that a cell of a Markdown table can hold."""
    return re.sub(r":\w+:`~?([^`]*)`", r"`\1`", text).replace("``", "`").replace("|", "\\|").replace("\n", " ")
