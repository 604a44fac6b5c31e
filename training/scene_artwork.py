"""Draw the artwork of the scenes: emoji of two openly licensed sets, from the npm registry to small PNG files.

One command, from the root of the repository, with npm and ``pip install resvg-py==0.5.0``::

    python training/scene_artwork.py

It writes ``src/leadwise/assets/scenes``: one PNG per drawing (longer side 160 px, transparent around), the licences,
and ``artwork.json``, which says for each drawing what it shows, where it comes from and under which licence.
"""

import base64
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

import resvg_py
from PIL import Image

FOLDER = Path(__file__).parents[1] / "src" / "leadwise" / "assets" / "scenes"
SIDE = 160  # px, the longer side of a drawing: scenes show it at up to 150 px

SETS = {
    "noto": {
        "package": "@iconify-json/noto",
        "version": "1.2.9",
        "sha512": "DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw==",
        "title": "Noto Emoji",
        "author": "Google Inc.",
        "page": "https://github.com/googlefonts/noto-emoji",
        "licence": "Apache-2.0",
    },
    "fluent": {
        "package": "@iconify-json/fluent-emoji-flat",
        "version": "1.2.6",
        "sha512": "RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw==",
        "title": "Fluent Emoji (flat)",
        "author": "Microsoft Corporation",
        "page": "https://github.com/microsoft/fluentui-emoji",
        "licence": "MIT",
    },
}

# Class -> its drawings, (set, name in that set). Two or more each, so that a class is no single picture.
DRAWINGS = {
    "cat": [("noto", "cat"), ("noto", "cat-face"), ("fluent", "cat")],
    "dog": [("noto", "dog"), ("noto", "dog-face"), ("fluent", "dog-face")],
    "rooster": [("noto", "rooster"), ("fluent", "rooster")],
    "fish": [("noto", "fish"), ("noto", "tropical-fish"), ("fluent", "fish")],
    "butterfly": [("noto", "butterfly"), ("fluent", "butterfly")],
    "elephant": [("noto", "elephant"), ("fluent", "elephant")],
    "car": [("noto", "automobile"), ("noto", "sport-utility-vehicle"), ("fluent", "automobile")],
    "aeroplane": [("noto", "airplane"), ("noto", "small-airplane"), ("fluent", "airplane")],
    "sailing boat": [("noto", "sailboat"), ("fluent", "sailboat")],
    "guitar": [("noto", "guitar"), ("fluent", "guitar")],
    "apple": [("noto", "red-apple"), ("noto", "green-apple"), ("fluent", "red-apple")],
    "mushroom": [("noto", "mushroom"), ("fluent", "mushroom")],
}

MIT = """MIT License

Copyright (c) Microsoft Corporation.

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


def fetch_icons(source: dict, folder: str) -> dict:
    """Download one set with npm, check its hash, return its icons: name -> SVG body, and the size of its canvas."""
    package = f"{source['package']}@{source['version']}"
    subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True)
    path = next(Path(folder).glob(f"*{source['package'].split('/')[1]}-{source['version']}.tgz"))
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if digest != source["sha512"]:
        raise SystemExit(f"{package}: sha512 is {digest}; expected {source['sha512']}.")
    with tarfile.open(path) as archive:
        return json.load(archive.extractfile("package/icons.json"))


def draw(icons: dict, name: str) -> Image.Image:
    """Render one icon without its transparent margin, longer side SIDE px."""
    size = icons["width"]
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {size} {size}">{icons["icons"][name]["body"]}</svg>'
    )
    large = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=8 * SIDE, height=8 * SIDE))))
    large = large.convert("RGBA").crop(large.getchannel("A").point(lambda a: 255 * (a > 8)).getbbox())
    scale = SIDE / max(large.size)
    return large.resize([max(1, round(scale * length)) for length in large.size], Image.Resampling.LANCZOS)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        icons = {key: fetch_icons(source, folder) for key, source in SETS.items()}
    rows = []
    for label, drawings in DRAWINGS.items():
        for number, (key, name) in enumerate(drawings, 1):
            file = f"{label.replace(' ', '_')}_{number}.png"
            draw(icons[key], name).save(FOLDER / file, optimize=True)
            rows.append({"class": label, "file": file, "set": key, "name": name})
    sets = {key: {k: v for k, v in source.items() if k != "sha512"} for key, source in SETS.items()}
    changes = f"rendered from SVG, cut to the drawing, scaled to {SIDE} px"  # the Apache licence asks to say so
    text = json.dumps({"changes": changes, "sets": sets, "drawings": rows}, indent=1)
    (FOLDER / "artwork.json").write_text(text + "\n")
    (FOLDER / "LICENSE-fluent.txt").write_text(MIT)
    apache = Path("/usr/share/common-licenses/Apache-2.0")  # as every Debian system has it
    (FOLDER / "LICENSE-noto.txt").write_bytes(apache.read_bytes())
    total = sum(path.stat().st_size for path in FOLDER.glob("*.png"))
    print(f"{len(rows)} drawings of {len(DRAWINGS)} classes in {FOLDER}, {total / 1000:.0f} kB")


if __name__ == "__main__":
    main()
