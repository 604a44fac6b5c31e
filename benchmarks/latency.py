"""From a moved control to changed pixels, in JupyterLab in headless Chromium: each explorer against a naive redraw.

    python benchmarks/latency.py               every row, 30 changes of each; writes benchmarks/latency.json
    python benchmarks/latency.py --changes 5   a trial; writes nothing
    python benchmarks/latency.py --rows ECG    rows with this in their name and the naive redraw: replaces these rows
    python benchmarks/latency.py --table       the result as Markdown

Everything is real: server, kernel, browser; keys and mouse are the browser's own events. The clock starts when the
page hears the event and stops when the last frame with other pixels has been painted; a change has ended when the
pictures have been still for 300 ms, no progress bar is shown and the kernel is idle. Pixels are compared on a grid of
every third one, both ways: ``looks_ms`` in the result says what that costs within each frame. Explorers remember one
map here instead of many, so that every change of a method, a parameter or a window computes its map.

The naive redraw is what most tutorials do, in the same JupyterLab: ``interactive_output``, a new pyplot figure, twelve
axes, dots sorted by relevance. It computes no map. The slow link adds 50 ms each way and lets 10 Mbit/s pass.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from itertools import count, pairwise
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import Error

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))

from browser import (
    PATIENCE,
    browser,
    close_notebook,
    control,
    jupyter_lab,
    missing,
    open_notebook,
    run_cells,
    watch,
    write_notebook,
)
from slow_link import DELAY, RATE, slow_link

RESULT = Path(__file__).resolve().with_suffix(".json")
AREA = ".jp-CodeCell .jp-OutputArea"
WARM_UP = 3  # changes before those that count
STEPS = 10  # of a drag
# ms after which a change is taken to have had no effect; that of a display control may be over when a drag ends.
NOTHING = {"display": 3000, "drag": 1500, "naive": 10_000, "map": 10_000, "other": 10_000, "progress": 10_000}
NOTHING |= {"grid": 10_000, "map drag": 10_000, "other drag": 10_000}

NAIVE = """
import ipywidgets as widgets, matplotlib.pyplot as plt, numpy as np
from leadwise import attribute, load_ecg_model, load_record

ecg = load_record("sim-lbbb-1").preprocess().window()
relevance = attribute(load_ecg_model("LBBB", verbose=False), ecg.tensor(), "lrp_epsilon", target=1).numpy()

def show(threshold):
    values = np.where(np.abs(relevance) < threshold * np.abs(relevance).max(), 0, relevance)
    figure, axes = plt.subplots(6, 2, figsize=(12, 10))
    for lead, axis in enumerate(axes.T.flat):
        order = np.argsort(np.abs(values[lead]))
        axis.plot(ecg.signal[lead], color="black", linewidth=0.8)
        axis.scatter(order, ecg.signal[lead, order], c=values[lead, order], cmap="seismic", s=12)
    plt.show()

threshold = widgets.FloatSlider(description="threshold", max=0.95, step=0.05, continuous_update=False)
widgets.VBox([threshold, widgets.interactive_output(show, {"threshold": threshold})])
"""
EXPLORER = """
from leadwise.explorers import {name}, base

base.KEPT = 1
{name}({arguments})
"""


def explorer(name: str, arguments: str = "") -> str:
    return EXPLORER.format(name=name, arguments=arguments)


GRID = ("gradient", "gradient_x_input", "grad_cam", "lrp_epsilon")
SOURCES = {
    "naive redraw": NAIVE,
    "ECG, gradient": explorer("ECGExplorer", '"sim-lbbb-1", "LBBB", "gradient"'),
    "ECG, LRP-ε": explorer("ECGExplorer", '"sim-lbbb-1", "LBBB", "lrp_epsilon", epsilon=1.0'),
    "ECG, Grad-CAM": explorer("ECGExplorer", '"sim-lbbb-1", "LBBB", "grad_cam"'),
    "ECG, integrated gradients": explorer("ECGExplorer", '"sim-lbbb-1", "LBBB", "integrated_gradients"'),
    "MethodGrid, 4 methods": explorer("MethodGrid", f'"sim-lbbb-1", "LBBB", {GRID}'),
    "ImageExplorer": explorer("ImageExplorer", 'method="gradient"'),
    "NetworkExplorer": explorer("NetworkExplorer"),
    "RuleLab": explorer("RuleLab", 'rule="epsilon"'),
    "HeartVector": explorer("HeartVector"),
}


@dataclass(frozen=True)
class Row:
    """What is measured.

    Parameters
    ----------
    source : key of ``SOURCES``
    control : the description of a control there
    kind : "display" changes the view alone, "map" asks for a map of an ECG, "grid" for several, "other" for something
        else; "progress" is the time until a progress bar, or the map if that comes first; "... drag" is from letting go
        of the slider
    """

    source: str
    control: str
    kind: str

    @property
    def name(self) -> str:
        return f"{self.source}: {self.control}" + ", drag" * self.drag + ", progress" * (self.kind == "progress")

    @property
    def drag(self) -> bool:
        return self.kind.endswith("drag")


ROWS = (
    Row("naive redraw", "threshold", "naive"),
    Row("ECG, LRP-ε", "threshold", "display"),
    Row("ECG, LRP-ε", "sign", "display"),
    Row("ECG, LRP-ε", "normalise", "display"),
    Row("ECG, LRP-ε", "style", "display"),
    Row("ECG, LRP-ε", "leads", "display"),
    Row("ECG, LRP-ε", "threshold", "drag"),
    Row("ECG, LRP-ε", "epsilon", "map"),
    Row("ECG, LRP-ε", "epsilon", "map drag"),
    Row("ECG, gradient", "start (s)", "map"),
    Row("ECG, Grad-CAM", "start (s)", "map"),
    Row("ECG, integrated gradients", "start (s)", "progress"),
    Row("MethodGrid, 4 methods", "start (s)", "grid"),
    Row("MethodGrid, 4 methods", "threshold", "display"),
    Row("ImageExplorer", "threshold", "display"),
    Row("ImageExplorer", "explained", "other"),
    Row("NetworkExplorer", "channels", "other"),
    Row("RuleLab", "epsilon", "other"),
    Row("HeartVector", "axis (°)", "other"),
    Row("HeartVector", "axis (°)", "other drag"),
)

SLOW = ("naive", "display", "map")  # what is measured through the slow link too


@dataclass(frozen=True)
class Limit:
    """What "It is done when" asks of all rows of some kinds: a figure, through a link, at most or at least so much."""

    says: str
    kinds: tuple[str, ...]
    link: str
    figure: str
    bound: float

    def met(self, value: float) -> bool:
        return value >= self.bound if self.figure == "times_faster" else value <= self.bound


LIMITS = (
    Limit("display-only changes: median at most 40 ms", ("display",), "direct", "median_ms", 40),
    Limit("maps of an ECG: median at most 100 ms", ("map",), "direct", "median_ms", 100),
    Limit("maps of an ECG: 95th percentile at most 200 ms", ("map",), "direct", "p95_ms", 200),
    Limit("those: at least 8 times faster than the naive redraw", ("display", "map"), "direct", "times_faster", 8),
    Limit("those through the slow link: median at most 250 ms", ("display", "map"), "slow", "median_ms", 250),
    Limit("a drag ends on the right picture: median at most 200 ms", ("drag", "map drag"), "direct", "median_ms", 200),
    Limit("integrated gradients show progress within 200 ms", ("progress",), "direct", "p95_ms", 200),
)


# One change ----------------------------------------------------------------------------------------------------------


def settle(page, nothing: int = 3000) -> dict:
    """Wait until a change has had all its effect, or none for so many ms; return the probe's log."""
    page.wait_for_function("(nothing) => probe.quiet(nothing)", arg=nothing, timeout=PATIENCE)
    return page.evaluate("probe.read()")


def handle_of(area, label: str):
    return control(area, label).locator(".noUi-handle")


def step(handle, direction: int) -> bool:
    """Press an arrow key on a slider; return whether there was room."""
    now, low, high = (float(handle.get_attribute(f"aria-value{name}")) for name in ("now", "min", "max"))
    if now >= high if direction > 0 else now <= low:
        return False
    handle.press("ArrowRight" if direction > 0 else "ArrowLeft")
    return True


def slides(page, area, row: Row):
    """Move a slider to and fro, one step at a time, turning where nothing more is seen; a log each time."""
    handle, direction, seen = handle_of(area, row.control), 1, True
    while True:
        page.evaluate("probe.begin()")
        if not step(handle, direction):
            direction = -direction
            continue
        log = settle(page, NOTHING[row.kind])
        if seen and not log["changes"]:  # once: within a stretch where nothing is seen it goes on, out of it
            direction = -direction
        seen = bool(log["changes"])
        yield log


def choices(page, area, row: Row):
    """Choose one option after the other; a log each time."""
    field = control(area, row.control).locator("select")
    while True:
        present = field.evaluate("(one) => one.selectedIndex")
        options = field.locator("option").count()
        page.evaluate("probe.begin()")
        field.select_option(index=(present + 1) % options)
        yield settle(page, NOTHING[row.kind])


def drags(page, area, row: Row):
    """Drag a slider over two fifths of its length in ten moves, to and fro; a log each time, from letting go.

    After every third drag the slider goes a step away and back: the picture must be the same again.
    """
    handle, track = handle_of(area, row.control), control(area, row.control).locator(".noUi-base")
    for number in count():
        knob, wide = handle.bounding_box(), track.bounding_box()["width"]
        x, y = knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2
        middle = track.bounding_box()["x"] + wide / 2
        direction = 1 if x < middle else -1
        page.evaluate("probe.begin()")
        page.mouse.move(x, y)
        page.mouse.down()
        for i in range(1, STEPS + 1):
            page.mouse.move(x + direction * 0.4 * wide * i / STEPS, y)
            page.wait_for_timeout(16)
        page.mouse.up()
        log = settle(page, NOTHING[row.kind])
        log["right"] = is_that_of_its_value(page, handle) if number % 3 == 0 else None
        yield log


def is_that_of_its_value(page, handle) -> bool:
    """Whether the picture is the same once the slider has gone a step away and come back."""
    dragged = page.evaluate("probe.sum()")
    way = next(direction for direction in (1, -1) if step(handle, direction))
    settle(page)
    step(handle, -way)
    settle(page)
    return page.evaluate("probe.sum()") == dragged


@contextmanager
def put_back(page, area, label: str):
    """Leave a control, at the end, as it was, so that every row begins with the same picture."""
    field, handle = control(area, label).locator("select"), handle_of(area, label)
    if not handle.count():
        before = field.evaluate("(one) => one.selectedIndex")
        yield
        field.select_option(index=before)
        return
    before = float(handle.get_attribute("aria-valuenow"))
    yield
    while abs(float(handle.get_attribute("aria-valuenow")) - before) > 1e-6:
        step(handle, 1 if float(handle.get_attribute("aria-valuenow")) < before else -1)
    settle(page)


def elapsed(log: dict, event: str, effects: str = "changes", which: int = -1) -> float | None:
    """Return milliseconds from the first such event to the last (or first) effect; None where there was none."""
    start = next(at for name, at in log["events"] if name == event)
    after = [at for at in log[effects] if at > start]
    return after[which] - start if after else None


# One row -------------------------------------------------------------------------------------------------------------


def measure(page, row: Row, changes: int) -> dict:
    """Return the summary of a row: milliseconds, and how many changes changed nothing that can be seen."""
    area = page.locator(AREA).first
    watch(area)
    slider = handle_of(area, row.control).count() > 0
    page.complaints.clear()
    moves = (drags if row.drag else slides if slider else choices)(page, area, row)
    with put_back(page, area, row.control):
        times = changes // 2 if row.drag else changes  # a drag is ten changes
        logs = [next(moves) for _ in range(WARM_UP + times)][WARM_UP:]
    if page.complaints:
        raise RuntimeError(f"the browser's console says: {page.complaints[0]}")
    event = "keydown" if slider else "change"
    if row.drag:
        found = summary([elapsed(log, "pointerup") or 0.0 for log in logs])  # 0: right before the finger was lifted
        return found | {"wrong": sum(log["right"] is False for log in logs), "gap_ms": gap(logs)} | looks(logs)
    times = [elapsed(log, event) for log in logs]
    seen = [time for time in times if time is not None]
    if len(seen) < changes / 2:
        raise RuntimeError(f"only {len(seen)} of {changes} changes changed the picture.")
    if row.kind == "progress":
        first = [elapsed(log, event, "bars", 0) or elapsed(log, event) for log in logs]
        return summary(first) | {"to_the_map": summary(seen)} | looks(logs)
    return summary(seen) | {"unseen": len(times) - len(seen)} | looks(logs)


def summary(times: list[float]) -> dict[str, float]:
    """Return the median and the 95th percentile in milliseconds, and of how many."""
    median, p95 = np.percentile(times, [50, 95])
    return {"median_ms": round(float(median), 1), "p95_ms": round(float(p95), 1), "changes": len(times)}


def gap(logs: list[dict]) -> float:
    """Return the median time between two moves of a drag, in milliseconds."""
    moves = [[at for name, at in log["events"] if name == "pointermove"][1 : STEPS + 1] for log in logs]
    return round(statistics.median(b - a for times in moves for a, b in pairwise(times)), 1)


def looks(logs: list[dict]) -> dict[str, float]:
    """Return what the comparison of pixels takes in a frame, in milliseconds."""
    return {"looks_ms": round(statistics.median(look for log in logs for look in log["looks"]), 2)}


# All rows ------------------------------------------------------------------------------------------------------------


def measure_all(running, folder: Path, address: str, token: str, link: str, rows, changes: int) -> dict[str, dict]:
    """Measure rows through one link, one notebook after the other: row -> summary, or what went wrong."""
    found = {}
    for source in dict.fromkeys(row.source for row in rows):
        wanted = [row for row in rows if row.source == source]
        try:
            page = opened(running, folder, address, token, source)
        except (RuntimeError, Error) as error:
            found |= {row.name: {"failed": str(error)} for row in wanted}
            print(f"{link:7}{source} FAILED: {error}", flush=True)
            continue
        for row in wanted:
            try:
                found[row.name] = measure(page, row, changes)
                print(line(row.name, link, found[row.name]), flush=True)
            except (RuntimeError, Error) as error:
                found[row.name] = {"failed": str(error)}
                print(f"{link:7}{row.name} FAILED: {error}", flush=True)
        close_notebook(page)
    return found


def opened(running, folder: Path, address: str, token: str, source: str):
    """Return a page with the notebook of a source, executed."""
    name = f"{list(SOURCES).index(source)}.ipynb"
    write_notebook(folder / name, SOURCES[source])
    page = open_notebook(running, address, token, name)
    run_cells(page)
    wrong = page.locator("[data-mime-type*=error], [data-mime-type*=stderr]").all_inner_texts()
    if wrong:
        raise RuntimeError(wrong[0][-1000:])
    return page


def line(name: str, link: str, row: dict) -> str:
    rest = {key: value for key, value in row.items() if key not in ("median_ms", "p95_ms", "changes")}
    return f"{link:7}{name:42} median {row['median_ms']:7.1f} ms   95 % {row['p95_ms']:7.1f} ms   {rest}"


def with_ratios(found: dict[str, dict]) -> dict[str, dict]:
    """Add how many times faster than the naive redraw each row is, by the medians."""
    naive = found.get(ROWS[0].name, {}).get("median_ms")
    for name, row in found.items():
        if naive and "median_ms" in row and name != ROWS[0].name and ", drag" not in name:
            row["times_faster"] = round(naive / row["median_ms"], 1)
    return found


def verdicts(found: dict[str, dict[str, dict]]) -> list[dict]:
    """Hold every limit against its rows: the worst of them, and those that miss it."""
    judged = []
    for limit in LIMITS:
        rows = {row.name: found.get(limit.link, {}).get(row.name) for row in ROWS if row.kind in limit.kinds}
        values = {name: row[limit.figure] for name, row in rows.items() if row and limit.figure in row}
        if not values:
            continue
        missed = [n for n, value in values.items() if not limit.met(value) or rows[n].get("wrong")]
        worst = (min if limit.figure == "times_faster" else max)(values, key=values.get)
        judged.append(
            {"limit": limit.says, "met": not missed, "worst": worst, "value": values[worst], "missed": missed}
        )
    return judged


def machine(running) -> dict:
    """Return what the figures depend on."""
    names = ("jupyterlab", "ipykernel", "ipywidgets", "anywidget", "matplotlib", "numpy", "torch")
    cpu = [row for row in Path("/proc/cpuinfo").read_text().splitlines() if row.startswith("model name")]
    return {
        "machine": platform.machine(), "cpu": cpu[0].split(": ")[1] if cpu else "", "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1), "python": platform.python_version(), "chromium": running.version,
        **{name: version(name) for name in names},
    }  # fmt: skip


def run(rows, changes: int, links) -> dict:
    """Measure rows through links, and return the result as it is saved."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, browser() as running:
        about = machine(running)
        # An empty data folder: the simulated recordings and the networks that come with the course.
        (Path(folder) / "data").mkdir()
        with jupyter_lab(Path(folder), LEADWISE_DATA=str(Path(folder) / "data")) as (address, token):
            for link in links:
                port = urlsplit(address).port
                with slow_link(port) if link == "slow" else nullcontext(port) as port:
                    there = f"http://127.0.0.1:{port}"
                    chosen = [row for row in rows if link == "direct" or row.kind in SLOW]
                    found[link] = with_ratios(measure_all(running, Path(folder), there, token, link, chosen, changes))
    link = {"each way, ms": 1000 * DELAY, "Mbit/s": RATE / 1e6}
    return about | {"slow link": link, "rows": found, "limits": verdicts(found)}


def table(result: dict) -> str:
    """Return a result as Markdown: a row for each change, then the limits."""
    direct, slow = result["rows"]["direct"], result["rows"]["slow"]
    lines = ["| change | ms (95 %) | times faster | slow link, ms (95 %) |", "| --- | ---: | ---: | ---: |"]
    for name, row in direct.items():
        there = slow.get(name, {})
        times = f"{row['times_faster']:g}" if "times_faster" in row else ""
        both = [f"{one['median_ms']:.0f} ({one['p95_ms']:.0f})" if "median_ms" in one else "" for one in (row, there)]
        lines.append(f"| {name} | {both[0]} | {times} | {both[1]} |")
    lines += ["", "| limit | met | worst |", "| --- | --- | --- |"]
    for one in result["limits"]:
        lines.append(f"| {one['limit']} | {'yes' if one['met'] else 'no'} | {one['value']:g} ({one['worst']}) |")
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark, print it and save it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=30)
    parser.add_argument(
        "--rows", nargs="+", default=[], help="only rows with one of these in their name, and the naive redraw"
    )
    parser.add_argument("--links", nargs="+", default=["direct", "slow"], choices=["direct", "slow"])
    parser.add_argument("--table", action="store_true", help="print the saved result as Markdown")
    options = parser.parse_args()
    if options.table:
        print(table(json.loads(RESULT.read_text())))
        return
    if missing():
        sys.exit(missing())
    wanted = [text.casefold() for text in options.rows or [""]]
    rows = [row for row in ROWS if row.kind == "naive" or any(text in row.name.casefold() for text in wanted)]
    if options.rows and len(rows) == 1:
        sys.exit(f"no row has {options.rows!r} in its name; there are: {', '.join(row.name for row in ROWS)}")
    start = time.monotonic()
    result = run(rows, options.changes, options.links)
    for one in result["limits"]:
        print(f"{'met   ' if one['met'] else 'MISSED'} {one['limit']}; worst {one['value']:g} ({one['worst']})")
    print(f"{time.monotonic() - start:.0f} s")
    if options.changes >= 30 and len(options.links) == 2 and (RESULT.exists() or not options.rows):
        if options.rows:  # the other rows, whose ratios are those of their own run, stay
            before = json.loads(RESULT.read_text())["rows"]
            result["rows"] = {link: before[link] | found for link, found in result["rows"].items()}
            result["limits"] = verdicts(result["rows"])
        RESULT.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    failed = [name for found in result["rows"].values() for name, row in found.items() if "failed" in row]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
