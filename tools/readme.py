"""Write the numbers of README.md that come from files: ``python tools/readme.py``; with ``--check`` only compare.

Between ``<!-- name -->`` and ``<!-- /name -->`` stands what a function of that name returns. The minutes come from the
built notebooks, the tables from benchmarks/*.json.
"""

import argparse
import csv
import json
import re
import sys
from pathlib import Path

from leadwise.attribution import METHODS
from notebook_frame import said_minutes

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
    """Return how long a built notebook says that it takes, such as "45 to 90"."""
    low, high = said(path)[0]
    return f"{low} to {high}"


def said(path: Path) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the minutes that a built notebook says it takes, with and without its exercises."""
    return said_minutes("".join("".join(cell["source"]) for cell in json.loads(path.read_text("utf-8"))["cells"]))


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


AGREED = "rank agreement with the interventions"


def ground_truth(root: Path, _old: str) -> str:
    """Return what the ground-truth benchmark found: who is nearest, whom controls beat, where the scores disagree."""
    result = json.loads((root / "benchmarks/ground_truth.json").read_text())
    summary = result["summary"]
    found = {name.split()[2].replace("object", "scenes"): one for name, one in summary.items() if " embedded " in name}
    rows = list(csv.DictReader((root / "benchmarks/ground_truth.csv").read_text().splitlines()))
    rows = [row for row in rows if row["model"] == "embedded" and row["setting"] != "tuned"]
    best = (
        f"{METHODS[one['best method']].title} ({name}, {100 * one['its score']:.0f} %)" for name, one in found.items()
    )
    ahead = (f"{len(one['methods behind that control'])} ({name})" for name, one in found.items())
    methods = len({row["method"] for row in rows if row["family"] != "control"})
    between = result["rank correlation between networks"]
    halves = ", ".join(f"{found[name]['rank correlation of two halves']:.2f} ({name})" for name in between)
    networks = ", ".join(f"{value:.2f} ({name})" for name, value in between.items())
    agreed = json.loads((root / "benchmarks/ground_truth_full.json").read_text())[AGREED].values()
    like = ", ".join(
        f"{words} {min(one[name] for one in agreed):.2f} to {max(one[name] for one in agreed):.2f}"
        for name, words in (
            ("lift", "localisation"),
            ("deletion", "deletion"),
            ("road", "ROAD"),
            ("sanity", "sanity checks"),
        )
    )
    by_place, by_effect, count = places(rows, "LBBB", "square")
    on_scenes = places(rows, "object", "guided_grad_cam")
    return (
        f"- Least misplaced: {', '.join(best)}.\n"
        f"- Of {methods} methods, the best control is ahead of {', '.join(ahead)}.\n"
        f"- To lie on the right spot is another matter: of {count}, $x^2$ has place {by_place} on LBBB by localisation "
        f"and {by_effect} by intervention; guided Grad-CAM on scenes {on_scenes[0]} and {on_scenes[1]}.\n"
        f"- Two halves of the patients rank the methods alike to {halves} (rank correlation), "
        f"two networks of other seeds to {networks}.\n"
        f"- Usual measures rank the methods as interventions do to (four embedded networks): {like}."
    )


def places(rows: list[dict], cause: str, method: str) -> tuple[int, int, int]:
    """Return a method's places by localisation and by intervention, of how many."""
    some = [row for row in rows if row["cause"] == cause]
    by_place, by_effect = (
        [row["method"] for row in sorted(some, key=lambda row: sign * float(row[score] or "nan"))]
        for score, sign in (("lift", -1), ("misplaced", 1))
    )
    return by_place.index(method) + 1, by_effect.index(method) + 1, len(some)


QUICK = "ECG, LRP-ε: threshold", "ECG, LRP-ε: epsilon"


def length(root: Path, _old: str) -> str:
    """Return how long the notebooks take together."""
    each = [said(path) for path in (root / "notebooks").glob("[0-9]*.ipynb")]
    whole, alone = (" to ".join(f"{sum(one[i][end] for one in each) / 60:.0f}" for end in (0, 1)) for i in (0, 1))
    return (
        f"**How long.** {len(each)} notebooks, {alone} hours without and {whole} hours with all exercises; "
        "two days as taught in\n"
        "[TEACHING.md](TEACHING.md)."
    )


PARTS = {
    "notebooks": notebooks,
    "ground_truth": ground_truth,
    "reference_maps": reference_maps,
    "latency": latency,
    "length": length,
}

if __name__ == "__main__":
    sys.exit(main())
