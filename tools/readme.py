"""Write the numbers of README.md that come from files: ``python tools/readme.py``; with ``--check`` only compare.

Between ``<!-- name -->`` and ``<!-- /name -->`` stands what a function of that name returns. The minutes come from the
built notebooks, the tables from benchmarks/*.json.
"""

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str] | None = None) -> int:
    """Rewrite README.md, or say whether it agrees with its sources; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 where something differs")
    parser.add_argument("--root", type=Path, default=ROOT)
    options = parser.parse_args(arguments)
    path = options.root / "README.md"
    old = path.read_text(encoding="utf-8")
    new = filled(old, options.root)
    if options.check:
        print("README.md agrees with its sources" if new == old else "README.md differs: python tools/readme.py")
        return int(new != old)
    path.write_text(new, encoding="utf-8")
    return 0


def filled(text: str, root: Path) -> str:
    """Return the text with every generated part written anew."""
    for name, make in PARTS.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"README.md lacks the part {name!r}: <!-- {name} --> ... <!-- /{name} -->")
        text = pattern.sub(lambda found, make=make: found[1] + make(root, found[0]) + found[2], text)
    return text


def notebooks(root: Path, old: str) -> str:
    """Return the table of notebooks as it stands, its last column the minutes that each notebook says."""
    lines = []
    for line in old.splitlines()[1:-1]:
        link = re.search(r"\((notebooks/\S+\.ipynb)\)", line)
        if link:
            line = re.sub(r"\|[^|]*\|$", f"| {minutes(root / link[1])} |", line)
        lines.append(line)
    return "\n".join(lines)


def minutes(path: Path) -> str:
    """Return how long a built notebook says that it takes."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return re.search(r"\*\*About (\d+) minutes\*\*", "".join("".join(cell["source"]) for cell in cells))[1]


def reference_maps(root: Path, _old: str) -> str:
    """Return the least correlation with the authors' maps for each family."""
    rows = json.loads((root / "benchmarks/reference_maps.json").read_text())["least_correlation"]
    names = [name for name in next(iter(rows.values())) if name != "maps"]
    lines = [f"| family | maps | {' | '.join(f'least correlation, {name}' for name in names)} |"]
    lines += ["|---|" + "---:|" * (1 + len(names))]
    lines += [f"| {t} | {row['maps']} | {' | '.join(f'{row[n]:.4f}' for n in names)} |" for t, row in rows.items()]
    return "\n".join(lines)


def latency(root: Path, _old: str) -> str:
    """Return what the explorers take for a change of display and for a map, in one sentence."""
    found = json.loads((root / "benchmarks/latency.json").read_text())["rows"]["direct"]
    naive, shown, made = (found[name]["median_ms"] for name in ("naive redraw: threshold", *QUICK))
    return (
        "**Quick enough to play with.** From the event to the pixels, medians in JupyterLab: "
        f"{shown:.0f} ms where only\nthe view changes, {made:.0f} ms where LRP is computed anew; "
        f"a new matplotlib figure takes {naive:.0f} ms\n([all changes](benchmarks/latency.json))."
    )


QUICK = "ECG, LRP-ε: threshold", "ECG, LRP-ε: epsilon"


def length(root: Path, _old: str) -> str:
    """Return how long the notebooks take together."""
    each = [int(minutes(path)) for path in sorted((root / "notebooks").glob("[0-9]*.ipynb"))]
    hours = f"{sum(each) / 60:.0f} hours in all"
    return (
        f"**How long.** {len(each)} notebooks of {min(each)} to {max(each)} minutes, {hours}; two days as taught in\n"
        "[TEACHING.md](TEACHING.md)."
    )


PARTS = {"notebooks": notebooks, "reference_maps": reference_maps, "latency": latency, "length": length}

if __name__ == "__main__":
    sys.exit(main())
