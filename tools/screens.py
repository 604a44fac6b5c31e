"""Photograph the explorers in JupyterLab for the README: ``python tools/screens.py`` writes plots/gallery/explorers.

``--width 700`` shows how they fit a narrow column, ``--screen 1400x900`` what of them a screen shows at once; ``--out
FOLDER`` and names of explorers restrict it to a look.
"""

import argparse
import os
import sys
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from browser import browser, close_notebook, jupyter_lab, missing, open_notebook, run_cells, settle, write_notebook
from leadwise.plotting.sheet import png

ROOT = Path(__file__).resolve().parents[1]
HEIGHT = 900  # of the window; an explorer fits into it
AROUND = 130  # pixels of JupyterLab beside a notebook's column
MOST = 600_000  # bytes in full colour; a larger photograph gets a palette
EXPLORERS = {
    "ecg": 'ECGExplorer(model="RBBB", method="lrp_epsilon")',
    "method_grid": 'MethodGrid(6, methods=("gradient", "integrated_gradients", "grad_cam", "lrp_epsilon_gamma_box"))',
    "image": 'ImageExplorer(6, method="lrp_epsilon_gamma_box")',
    "network": "NetworkExplorer()",
    "rule_lab": 'RuleLab(rule="epsilon")',
    "heart_vector": "HeartVector()",
    "own_ecg": "OwnECG()",
}
CELL = "from leadwise.explorers import *\n\n{}"


def main() -> int:
    """Take the pictures; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(EXPLORERS), help=", ".join(EXPLORERS))
    parser.add_argument("--width", type=int, default=1000, help="pixels of the notebook's column (%(default)d)")
    parser.add_argument("--screen", help="WIDTHxHEIGHT of a window, of which all is photographed")
    parser.add_argument("--out", type=Path, default=ROOT / "plots" / "gallery" / "explorers")
    options = parser.parse_args()
    if missing():
        print(missing(), file=sys.stderr)
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, browser() as running:
        folder = Path(folder)
        os.environ["LEADWISE_DATA"] = str(folder / "no data")  # nothing of others in the pictures
        write_notebook(folder / "all.ipynb", *(CELL.format(EXPLORERS[name]) for name in options.names))
        width, height = map(int, (options.screen or f"{options.width + AROUND}x{HEIGHT}").split("x"))
        with jupyter_lab(folder) as (address, token):
            page = open_notebook(running, address, token, "all.ipynb", width, height)
            run_cells(page)
            for number, name in enumerate(options.names):
                picture = shot(page, number, all_of_it=bool(options.screen))
                (options.out / f"{name}.png").write_bytes(picture)
                print(options.out / f"{name}.png", flush=True)
            close_notebook(page)
    return 0


def shot(page, number: int, all_of_it: bool) -> bytes:
    """Return the output of a cell as PNG; or all of the window, with that output on top."""
    output = page.locator(".jp-CodeCell").nth(number).locator(".jp-OutputArea-output").first
    output.locator("canvas:visible").first.wait_for(timeout=60_000)
    output.evaluate("(one) => one.scrollIntoView()")
    page.wait_for_timeout(3000)  # formulas are typeset late, and nothing tells when
    settle(page)
    if all_of_it:
        return page.screenshot()
    # What is laid out for a screen is photographed in a window that is high enough for what stands below it, too.
    page.set_viewport_size({"width": page.viewport_size["width"], "height": 2 * HEIGHT})
    picture = Image.open(BytesIO(output.screenshot())).convert("RGB")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": HEIGHT})
    return png(np.asarray(picture), pictures=True, full_colour=MOST)


if __name__ == "__main__":
    sys.exit(main())
