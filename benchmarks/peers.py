"""Which maps do other programs make under the same names? Every version of signxai2 that differs, and of zennit.

    python benchmarks/peers.py                 embedded networks, and the published ones where they were downloaded
    python benchmarks/peers.py REFERENCE       also the published networks against the authors' own maps

signxai2 is the PyTorch software of SIGN's authors, and three of its versions are three programs: 0.5.0 and 0.14.1 take
the names of SIGN-XAI, 0.15.10 is a small extension of zennit 1.0. Each peer is installed into a folder of its own that
comes before the packages of this Python and is deleted at the end; torch and numpy are shared, so that the peers differ
in nothing else. They are installed without what they declare to need: 0.5.0 asks for numpy below 2, 0.14.1 for Python
below 3.11, 0.15.10 for Python 3.11.11 or later and for lxt, which its composites do not use. Where a package asks for
another Python than the one at hand, the result says so.

Written is Pearson's correlation of the peer's map with ours, and for the published networks with that of the authors'
TensorFlow software (signxai 1.1.9.2), for the names of ``reference_maps.json``; where there is no map, what came
instead. REFERENCE is the folder with models/, ecg/ and maps/ that the tests use too; it is no part of this repository.
zennit has no names, so each is read as the rules that it stands for; it has neither SIGN nor epsilon times std(x).

Beside that: the method of ours that a name gives on AlexNet where it is another one than the name says; what a merged
batch norm leaves in the network; and the map of a sample in a batch with one that is ten times as large.
"""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import warnings
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import torch
from packaging.specifiers import SpecifierSet

from leadwise import METHODS, attribute, load_ecg_model, load_record, records
from leadwise.attribution import MethodWarning
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import load_alexnet, preprocess
from leadwise.networks.weights import WeightsError, convert_keras
from peers_maps import NO_EPSILON, PEERS, Case, correlation
from reference_maps import RECORDS

RESULT = Path(__file__).with_suffix(".json")
PYTHONS = ("3.10", "3.11.10", "3.11.11", "3.12")
ALIKE = 0.999  # the correlation from which on two maps count as one


def cases(reference: Path | None) -> dict[str, Case]:
    """Return what is explained, title -> case: embedded networks always, published ones where they are present."""
    found = {}
    for name, record in RECORDS.items():
        simulated = load_record(next(one for one in records(name) if one.startswith("sim-")))
        x = simulated.preprocess().window().tensor()
        found[f"{name} embedded"] = Case(load_ecg_model(name, "embedded"), x, 1)
        if reference:
            folder, stem = reference / "models" / name, f"ptbxl_{record}_preprocessed.npy"
            model = convert_keras(folder / "model.json", folder / "weights.h5").eval()
            x = torch.tensor(np.load(reference / "ecg" / stem).T.copy())
            found[f"{name} published"] = Case(model, x, 1, reference / "maps" / f"{name}_{record}.npz")
        else:
            with contextlib.suppress(WeightsError):
                found[f"{name} published"] = Case(load_ecg_model(name, "published"), x, 1)
    scene = make_scene(23, "rooster")
    found["AlexNet embedded"] = Case(load_alexnet("embedded"), preprocess(scene.image), scene.objects[0].index)
    return found


def install(peer: str, folder: Path) -> dict:
    """Install a peer's packages into a folder; return what was installed, and what they declare about Python."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--ignore-requires-python"]
    subprocess.run([*pip, "--target", str(folder), *PEERS[peer].packages], check=True)
    found = {one.name: one for one in distributions(path=[str(folder)])}
    declared = {name: one.metadata["Requires-Python"] for name, one in found.items()}
    ignored = {
        name: wanted
        for name, wanted in declared.items()
        if wanted and platform.python_version() not in SpecifierSet(wanted)
    }
    for name, wanted in ignored.items():
        print(f"{peer}: {name} asks for Python {wanted}; installed with --ignore-requires-python all the same")
    return {"packages": list(PEERS[peer].packages), "Python asked for and ignored": ignored}


def chosen(python: str) -> str:
    """Return the version of signxai2 that pip chooses for a Python: the newest that declares to run on it."""
    command = [sys.executable, "-m", "pip", "index", "versions", "signxai2", "--python-version", python]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return said.partition("(")[2].partition(")")[0]


def ask(peer: str, packages: Path, request: Path) -> dict:
    """Return the answer of a peer: its maps, what stood in the place of others, and what else was measured."""
    path = os.pathsep.join(filter(None, [str(packages), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, str(Path(__file__).with_name("peers_maps.py")), peer, str(request)]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{peer} ended with\n{done.stderr[-3000:]}")
    return torch.load(request.with_name("answer.pt"), weights_only=False)


def ours(case: Case, names: list[str]) -> dict[str, np.ndarray]:
    """Return our own maps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MethodWarning)
        return {
            name: attribute(case.model, case.x, name, case.target, progress=False).numpy()
            for name in names
            if case.x.shape[0] == 12 or "timeseries" not in name
        }


def compare(known: dict[str, np.ndarray], found: dict, title: str) -> dict[str, float | str]:
    """Return, for the maps of one case, SIGN-XAI name -> correlation with what is known, or what there was instead."""
    rows = {}
    for name, wanted in known.items():
        key = f"{title}/{name}"
        rows[name] = correlation(found["maps"][key], wanted) if key in found["maps"] else found["instead"][key]
        if f"{key}{NO_EPSILON}" in found["maps"]:
            rows[f"{name}{NO_EPSILON}"] = correlation(found["maps"][f"{key}{NO_EPSILON}"], wanted)
    return rows


def counted(rows: dict[str, float | str], names: list[str]) -> dict:
    """Count the names, the maps and those that agree."""
    values = [rows[name] for name in names if name in rows]
    numbers = [value for value in values if isinstance(value, float)]
    agree = sum(value >= ALIKE for value in numbers)
    return {
        "names": len(values),
        "maps": len(numbers),
        f"correlation >= {ALIKE}": agree,
        "least": min(numbers),
        "median": round(float(np.median(numbers)), 5),
    }


def behind_names(case: Case, title: str, found: dict, rows: dict[str, float | str]) -> dict[str, str]:
    """Return, for names whose map is another one than ours, the first of our methods that does give the peer's map."""
    methods = [name for name, row in METHODS.items() if row.family in ("gradient", "LRP") and not row.random]
    mine = ours(case, methods)
    behind = {}
    for name, value in rows.items():
        if isinstance(value, float) and value < ALIKE:
            theirs = found["maps"][f"{title}/{name}"]
            alike = (method for method, R in mine.items() if np.corrcoef(theirs.ravel(), R.ravel())[0, 1] >= ALIKE)
            if method := next(alike, None):
                behind[name] = method
    return behind


def measure(asked: dict[str, Case], names: list[str], folder: Path) -> dict:
    """Ask every peer; return what was installed, and title -> name -> peer -> correlation."""
    request = folder / "request.pt"
    torch.save({"cases": asked, "names": names}, request)
    known = {f"{title}, against ours": (title, ours(case, names)) for title, case in asked.items()}
    for title, case in asked.items():
        if case.authors:
            stored = np.load(case.authors)
            known[f"{title}, against the authors'"] = title, {name: stored[name].T for name in names}
    headings = ("environments", "counts", "a merged batch norm", "in a batch", "behind the names", *known)
    chooses = {f"Python {python}": f"signxai2 {chosen(python)}" for python in PYTHONS}
    result: dict[str, dict] = {"pip chooses": chooses} | {heading: {} for heading in headings}
    for peer in PEERS:
        packages = folder / peer.replace(" ", "-")
        result["environments"][peer] = install(peer, packages)
        found = ask(peer, packages, request)
        for what, numbers in found["extra"].items():
            result[what][peer] = numbers
        for heading, (title, maps) in known.items():
            rows = compare(maps, found, title)
            result["counts"][f"{peer}, {heading}"] = counted(rows, names)
            for name, value in rows.items():
                result[heading].setdefault(name, {})[peer] = value
            if heading == "AlexNet embedded, against ours":
                result["behind the names"][peer] = behind_names(asked[title], title, found, rows)
    return result


def main() -> None:
    """Compute, print and write the correlations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path, nargs="?")
    reference = parser.parse_args().reference
    if reference and not (reference / "maps").is_dir():
        sys.exit(f"{reference} holds no folder maps/; expected the reference material of the tests.")
    names = sorted(json.loads(RESULT.with_name("reference_maps.json").read_text("utf-8"))["each"]["AVB"])
    with tempfile.TemporaryDirectory() as folder:
        result = measure(cases(reference), names, Path(folder))
    for title in ("pip chooses", "counts", "a merged batch norm", "in a batch", "behind the names"):
        for name, row in result[title].items():
            print(f"{title}: {name}: {row}")
    versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    RESULT.write_text(json.dumps(versions | result, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
