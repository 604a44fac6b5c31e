"""What an executed notebook keeps, and what it must not hold."""

import re
import sys
import tempfile
from pathlib import Path

import nbformat

from notebook_run import PROGRESS

ROOT = Path(__file__).resolve().parents[1]
MAX_BYTES = 2_000_000
WIDGET = "application/vnd.jupyter.widget-view+json"
IMAGE = "image/png"
OTHER_IMAGES = ("image/svg+xml", "image/jpeg", "application/pdf")
STATIC = (IMAGE, "text/html", "text/markdown", "text/latex")

_HERE = sorted({str(ROOT), sys.prefix, sys.base_prefix, str(Path.home()), tempfile.gettempdir()} - {"/"}, key=len)
FORBIDDEN = {
    "a path of this machine": re.compile(
        "|".join(map(re.escape, _HERE[::-1]))
        + r"|(?<![\w.-])/(?:home|root|Users|tmp|private|var/folders)/[^\s'\"<)]*|\b[A-Z]:\\\\?Users\\"
    ),
    "an object's address (assign the value, or give it a repr)": re.compile(r"\bat 0x[0-9a-fA-F]{6,}"),
    "a timing": re.compile(r"\b(?:Wall time|CPU times):|\bper loop\b"),
}


def clean(notebook: nbformat.NotebookNode) -> None:
    """Keep, in place, what reads well without a kernel and is the same each time.

    Progress bars go, and live views, whose state is not saved: a page shows the static twin from the same bundle.
    One image format is kept, and every image gets the nearest heading as its alternative text unless it has one.
    """
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = re.findall(r"^#+ +(.+)$", cell.source, re.MULTILINE)[-1:] or heading
            continue
        if cell.cell_type != "code":
            continue
        cell.outputs = [output for output in cell.outputs if not is_progress(output)]
        cell.metadata.pop("execution", None)
        for output in cell.outputs:
            if "data" in output:
                _clean_bundle(output, heading[0] if heading else "")
    notebook.metadata.pop("widgets", None)


def _clean_bundle(output: nbformat.NotebookNode, heading: str) -> None:
    data = output.data
    if any(kind in data for kind in STATIC):
        data.pop(WIDGET, None)
    if IMAGE in data:
        for kind in OTHER_IMAGES:
            data.pop(kind, None)
        alt = output.metadata.get(IMAGE, {}).get("alt") or output.metadata.get("alt") or heading
        output.metadata = nbformat.from_dict({IMAGE: {"alt": alt}} if alt else {})
    else:
        output.metadata = nbformat.from_dict({})


def is_progress(output: nbformat.NotebookNode) -> bool:
    """Say whether an output is nothing but progress bars, as text or as tqdm's widget."""
    if output.output_type == "stream":
        return output.name == "stderr" and all(PROGRESS.search(line) for line in re.split(r"[\r\n]+", output.text))
    data = output.get("data", {})
    return WIDGET in data and bool(PROGRESS.search(data.get("text/plain", "").strip()))


def problems(notebook: nbformat.NotebookNode) -> list[str]:
    """Return what a notebook holds that must not be committed."""
    found = []
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            found += [f"cell {index} ({cell.id}): {problem}" for problem in _problems_of(output)]
    size = len(nbformat.writes(notebook).encode())
    if size > MAX_BYTES:
        found.append(f"the notebook has {size / 1e6:.1f} MB; at most {MAX_BYTES / 1e6:g} MB are allowed")
    return found


def _problems_of(output: nbformat.NotebookNode) -> list[str]:
    if output.output_type == "error":
        return [f"{output.ename}: {output.evalue}"]
    if output.output_type == "stream" and output.name == "stderr":
        return [f"on stderr: {output.text.strip()}"]
    data = output.get("data", {})
    text = texts(output)
    found = [f"holds {what}: {match[0]}" for what, pattern in FORBIDDEN.items() if (match := pattern.search(text))]
    if WIDGET in data:
        found.append("a live view without a static twin (image/png or text/html in the same bundle) renders blank")
    found += [f"an image as {kind}; show it as {IMAGE}" for kind in OTHER_IMAGES if kind in data]
    return found


def texts(output: nbformat.NotebookNode) -> str:
    """Return all text of an output, without the images that HTML carries inline."""
    data = output.get("data", {})
    parts = [output.get("text", ""), *(str(value) for kind, value in data.items() if kind.startswith("text/"))]
    return re.sub(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=\s]+", "", "\n".join(parts))
