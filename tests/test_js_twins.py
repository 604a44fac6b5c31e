"""What Python and the browser compute alike: one file of cases for both; and the modules, checked where node is."""

import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.explorers import live
from leadwise.plotting import number, percent, pool_signed_max
from leadwise.plotting.page import Strip, place_rows, plan

ROOT = Path(__file__).resolve().parents[1]
CASES = json.loads((ROOT / "tests" / "js" / "cases.json").read_text("utf-8"))
VIEWS = ("ecg_canvas", "map_canvas", "figure_canvas")


@pytest.mark.parametrize(("value", "text"), CASES["number"])
def test_numbers(value, text):
    assert number(value) == text


@pytest.mark.parametrize(("fraction", "text"), CASES["percent"])
def test_per_cent(fraction, text):
    assert percent(fraction) == text


@pytest.mark.parametrize(("values", "columns", "pooled"), CASES["pool"])
def test_pooling(values, columns, pooled):
    assert pool_signed_max(np.array(values, float), columns).tolist() == pooled


@pytest.mark.parametrize("one", CASES["plan"], ids=lambda one: one["says"][:40])
def test_plan(one):
    ecg = ECG(np.zeros((12, one["samples"]), np.float32), one["fs"])
    indices = [LEADS.index(lead) for lead in one["leads"]]
    page = plan(ecg, indices, one["columns"], 0, one["samples"], one["sequential"], None, 25, 10, 110)
    assert page.width == one["width"]
    assert page.sequential == one["together"]
    assert [(s.lead, s.row, s.first, s.last) for s in page.strips] == [(a, b, d, e) for a, b, _, d, e in one["strips"]]
    assert [strip.left for strip in page.strips] == pytest.approx([row[2] for row in one["strips"]])


@pytest.mark.parametrize("one", CASES["rows"], ids=lambda one: one["says"][:40])
def test_rows(one):
    signal = np.zeros((12, 3), np.float32)
    signal[: len(one["low"]), 0], signal[: len(one["low"]), 1] = one["low"], one["high"]
    strips = tuple(Strip(row, 0, 3, row, 0.0) for row in range(len(one["low"])))
    page = SimpleNamespace(ecg=ECG(signal, 500), gain=10, strips=strips, y=lambda strip: signal[strip.lead] * 10)
    rows = place_rows(page, lambda strip: one["label"], 0)
    assert rows.height == one["height"]
    assert (rows.height - rows.base).tolist() == pytest.approx(one["base"])  # here y points up, there down


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_travels_with_all_that_it_imports_and_imports_nothing(name):
    text = live.module(name)
    assert "import " not in "".join(line for line in text.splitlines(True) if not line.lstrip().startswith("//"))
    assert text.count("export default") == 1
    assert text.count("export const LARGEST") == 1


def run(*command):
    program = shutil.which(command[0])
    if program is None:
        pytest.skip(f"no {command[0]} here (https://nodejs.org)")
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_modules_agree_with_the_cases():
    run("node", "--test", "tests/js/cases.test.mjs")
