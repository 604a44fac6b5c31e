"""The form of the published networks, twelve leads and 2,000 samples at 500 Hz, is said in their rows alone."""

import re
import tokenize
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "leadwise"
FORM = {"12", "2000", "500"}

ROOMS = {
    "simulation/": "the simulator makes twelve leads at 500 Hz: that is what it is",
    "checks/": "exercises on the course's own networks and recordings",
    "images/": "pixels and bytes of pictures",
}
REASONS = {
    ("ecg/filters.py", "PUBLISHED_FS = 500.0"): "the published chain",
    ("ecg/filters.py", "more"): "how many places a message names",
    ("ecg/delineation.py", ""): "the delineation works at a rate of its own, and in ms",
    ("networks/ecg_net.py", "SAMPLES = 2000"): "the row of the published networks",
    ("networks/xresnet1d.py", "leads: int = 12"): "the published architecture's default",
    ("networks/ribeiro.py", "leads: int = 12"): "the published architecture's default",
    ("networks/transformer.py", "leads: int = 12"): "an architecture's default",
    ("attribution/registry.py", "duration"): "ms",
    ("attribution/registry.py", "SEGMENT(default="): "ms",
    ("attribution/registry.py", 'integer("samples"'): "how many copies or masks are drawn",
    ("cohort/datasets.py", "rate: int = 500"): "the rates of PTB-XL's files",
    ("cohort/datasets.py", "filename_hr"): "the rates of PTB-XL's files",
    ("cohort/store.py", "GAINS"): "steps a millivolt",
    ("evaluation/", "resamples: int = 2000"): "draws of a bootstrap",
    ("evaluation/replacement.py", "NEIGHBOURS"): "weights of neighbouring pixels",
    ("training.py", "epochs: int = 12"): "epochs",
    ("download.py", "BUSY"): "an HTTP status",
    ("plotting/rule.py", ""): "millimetres, and neurons of a drawing",
    ("recordings/assemble.py", "AMPLIFIER"): "mV",
    ("recordings/quality.py", "Limit(12"): "mV",
    ("recordings/quality.py", '"M"'): "months",
    ("recordings/quality.py", '"mo"'): "months",
    ("recordings/quality.py", "fs != 500"): "says that a recording is resampled for the course's networks",
    ("recordings/recording.py", "[:2000]"): "characters",
    ("recordings/text_table.py", "LONGEST_STATEMENT"): "characters",
    ("recordings/wfdb.py", "_signed("): "bits of format 212",
    ("recordings/catalogue.py", "signal.shape"): "the file of the published example",
}


def found():
    """Every such number in the package: (file, line number, line)."""
    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE).as_posix()
        if place.startswith(tuple(ROOMS)):
            continue
        with path.open("rb") as file:
            for token in tokenize.tokenize(file.readline):
                number = token.string.replace("_", "").removesuffix(".0")
                if token.type == tokenize.NUMBER and number in FORM:
                    yield place, token.start[0], token.line.strip()


def reason(place, line):
    return next((why for (file, part), why in REASONS.items() if place.startswith(file) and part in line), None)


def test_no_number_of_the_published_form_stands_anywhere_else():
    unexplained = [f"{place}:{number}: {line}" for place, number, line in found() if reason(place, line) is None]
    assert unexplained == []


@pytest.mark.parametrize(("file", "part"), REASONS)
def test_every_reason_is_still_needed(file, part):
    assert any(place.startswith(file) and part in line for place, _, line in found())


def test_no_module_but_one_is_called_outside_network():
    """A network is asked in one place: nobody else takes the softmax of class 1."""
    for path in SOURCE.rglob("*.py"):
        assert not re.search(r"softmax\([^\n]*\)\[[^\]]*\b1\]", path.read_text("utf-8")) or path.name in (
            "ecg_net.py",  # the published contract's own probability
            "training.py",
        ), path
