"""How closely our maps agree with those of the authors' own software, family by family, on two recordings.

    python benchmarks/reference_maps.py REFERENCE      writes benchmarks/reference_maps.json

REFERENCE is the folder with models/, ecg/ and maps/ that the tests use too; it is no part of this repository, and what
is written here are correlations only. The maps are those of signxai 1.1.9.2 on TensorFlow for the published AVB and
LBBB networks and one PTB-XL recording each.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

from leadwise import METHODS, attribute
from leadwise.attribution import MethodWarning
from leadwise.attribution.names import resolve
from leadwise.networks.weights import convert_keras

RESULT = Path(__file__).with_suffix(".json")
RECORDS = {"AVB": "03509", "LBBB": "14493"}
OURS = {"integrated_gradients": {"reselect_target": True}}  # as the published implementation does, see the README


def correlations(reference: Path, name: str) -> dict[str, float]:
    """Return for every reference map of a network: SIGN-XAI name -> Pearson correlation with ours."""
    folder, record = reference / "models" / name, RECORDS[name]
    model = convert_keras(folder / "model.json", folder / "weights.h5").eval()
    x = torch.tensor(np.load(reference / "ecg" / f"ptbxl_{record}_preprocessed.npy").T.copy())
    maps = np.load(reference / "maps" / f"{name}_{record}.npz")
    found = {}
    for method in sorted(set(maps) - {"logits"}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MethodWarning)
            ours = attribute(model, x, method, progress=False, **OURS.get(method, {})).numpy().T
        found[method] = float(np.corrcoef(ours.ravel(), maps[method].ravel())[0, 1])
    return found


def family(method: str) -> str:
    """Return the heading under which a map is listed: the family of its method, and SIGN for maps that use it."""
    if "sign" in method:
        return "SIGN"
    return {"gradient": "gradients", "cam": "class activation maps"}.get(METHODS[resolve(method)[0]].family, "LRP")


def main() -> None:
    """Compute, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path)
    reference = parser.parse_args().reference
    if not (reference / "maps").is_dir():
        sys.exit(f"{reference} holds no folder maps/; expected the reference material of the tests.")
    found = {name: correlations(reference, name) for name in RECORDS}
    rows = {}
    for method in found["AVB"]:
        rows.setdefault(family(method), []).append(method)
    table = {
        title: {"maps": len(methods), **{name: round(min(found[name][m] for m in methods), 5) for name in RECORDS}}
        for title, methods in sorted(rows.items())
    }
    for title, row in table.items():
        print(f"{title:24s} {row}")
    RESULT.write_text(json.dumps({"least_correlation": table, "each": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
