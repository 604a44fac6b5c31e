"""Headless Chromium for tests and benchmarks: a bare page with an ECGCanvas in it, or a notebook in JupyterLab."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from base64 import b64encode
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import nbformat
import playwright
from playwright.sync_api import Locator, Page, sync_playwright

from leadwise.explorers import live

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A browser under test looks nothing up on the network by itself.
QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]

OWN_FOLDERS = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
OWN_FOLDERS += ("IPYTHONDIR",)
LAB_SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false"},
}
PROBE = Path(__file__).with_name("probe.js").read_text()
FOLD = ".jupyter-widget-Collapse-header, .p-Collapse-header"
PICTURES = "canvas, .widget-image, .jp-RenderedImage img"
NOTEBOOK = "window.jupyterapp?.shell.currentWidget"
PATIENCE = 180_000  # ms: a loaded machine is slow, and nothing else is wrong

# What anywidget hands to render: a model with get, set, on, off and save_changes.
PAGE = """<!doctype html><meta charset=utf-8><link rel=stylesheet href=/ecg_canvas.css>
<body style="margin: 0"><div id=host></div><script type=module>
import * as canvas from "/ecg_canvas.js";
class Model {
  constructor(state) { this.state = state; this.handlers = {}; this.saved = 0; }
  get(name) { return this.state[name]; }
  set(name, value) {
    if (this.state[name] === value) return;
    this.state[name] = value;
    for (const handler of this.handlers["change:" + name] ?? []) handler();
  }
  on(event, handler) { (this.handlers[event] ??= []).push(handler); }
  off(event, handler) { this.handlers[event] = this.handlers[event].filter((one) => one !== handler); }
  save_changes() { this.saved += 1; }
}
window.canvas = canvas;
window.show = (state, buffers) => {
  window.close_view?.();
  document.getElementById("host").replaceChildren();
  for (const [name, text] of Object.entries(buffers)) {
    state[name] = new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  }
  window.model = new Model(state);
  window.close_view = canvas.default.render({ model: window.model, el: document.getElementById("host") });
};
window.ready = true;
</script>"""


def chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


@cache
def missing() -> str:
    """Return what this machine lacks for a browser under test, and the remedy; "" where all is there."""
    if chromium() is None:
        return "no Chromium or Chrome here (apt-get install chromium)"
    node = Path(playwright.__file__).parent / "driver" / ("node.exe" if os.name == "nt" else "node")
    done = subprocess.run([node, "--version"], capture_output=True, text=True)
    remedy = " (apt-get install libatomic1)" * ("libatomic" in done.stderr)
    return f"Playwright's driver does not start: {done.stderr.strip()[-200:]}{remedy}" if done.returncode else ""


@contextmanager
def browser():
    """Start headless Chromium and close it afterwards."""
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=[*QUIET, *root])
        try:
            yield running
        finally:
            running.close()


def state_of(widget) -> tuple[dict, dict[str, str]]:
    """Return what a widget sends to the browser: JSON, and its buffers in base64."""
    state = {name: value for name, value in widget.get_state().items() if name not in ("layout", "_esm", "_css")}
    buffers = {name: value for name, value in state.items() if isinstance(value, bytes)}
    plain = {name: value for name, value in state.items() if name not in buffers}
    return json.loads(json.dumps(plain, default=str)), {n: b64encode(v).decode() for n, v in buffers.items()}


def open_page(running, width: int = 1000, height: int = 1200, ratio: float = 1, name: str = "ecg_canvas") -> Page:
    """Open a page, ``width`` CSS pixels wide with ``ratio`` pixels of the screen in each, for :func:`show_canvas`.

    ``name`` : of the JavaScript and the style sheet of the widget that is to be shown
    """
    page = running.new_page(viewport={"width": width, "height": height}, device_scale_factor=ratio)
    page.complaints = complaints(page)
    start = (PAGE.replace("ecg_canvas", name), "text/html")
    files = {"js": (live.module(name), "text/javascript"), "css": (live.style(name), "text/css")}

    def answer(route):
        body, kind = files.get(route.request.url.rsplit(".", 1)[-1], start)
        route.fulfill(body=body, content_type=kind)

    page.route("**/*", answer)  # nothing is asked of a network
    page.goto("http://localhost/")
    page.wait_for_function("window.ready")
    return page


def show_canvas(page, widget) -> None:
    """Put an ECGCanvas, and nothing else, into a page of :func:`open_page`, and wait until it has been drawn."""
    page.evaluate("([state, buffers]) => window.show(state, buffers)", list(state_of(widget)))
    settle(page)


def complaints(page) -> list[str]:
    """Return a list that fills with errors of the page and of its console."""
    seen: list[str] = []
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("console", lambda message: seen.append(message.text) if message.type == "error" else None)
    return seen


def settle(page) -> None:
    """Wait until everything that was asked for has been drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def put(page, **traits) -> None:
    """Set traits of the canvas in a bare page, as a linked control would, and wait for the picture."""
    page.evaluate("(traits) => { for (const name in traits) window.model.set(name, traits[name]); }", traits)
    settle(page)


@contextmanager
def jupyter_lab(folder: Path, **environment: str):
    """Serve JupyterLab from ``folder`` on this machine only; yields its address and a token.

    Nobody's settings count, and cells stay in the page when they are scrolled out of sight. ``environment`` holds
    variables for the server and its kernels.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, own = secrets.token_hex(16), folder / ".jupyter"
    settings = own / "JUPYTERLAB_SETTINGS_DIR" / "@jupyterlab"
    for name, value in LAB_SETTINGS.items():
        (settings / name).parent.mkdir(parents=True)
        (settings / f"{name}.jupyterlab-settings").write_text(json.dumps(value))
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
    command += [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={token}", "--allow-root"]
    command += ["--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    command += ["--LabApp.expose_app_in_browser=True"]
    env = {**os.environ, **{name: str(own / name) for name in OWN_FOLDERS}, **environment}
    with open(folder / "lab.log", "w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=env)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api?token={token}", server, folder / "lab.log")
        yield f"http://127.0.0.1:{port}", token
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(address, server, log, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError(f"JupyterLab did not start within {seconds} s:\n{log.read_text()[-2000:]}")


def write_notebook(path: Path, *cells: str, outputs=()) -> None:
    """Write a notebook of code cells, with outputs of the last one. A cell that raises does not stop the others."""
    made = [nbformat.v4.new_code_cell(cell, metadata={"tags": ["raises-exception"]}) for cell in cells]
    made[-1].outputs = list(outputs)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=kernel), path)


def open_notebook(running, address: str, token: str, name: str, width: int = 1100, height: int = 1200) -> Page:
    """Open a notebook in JupyterLab, alone on the page, and wait until its kernel is ready."""
    page = running.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(PATIENCE)
    page.complaints = complaints(page)
    page.goto(f"{address}/doc/tree/{name}?token={token}")
    page.wait_for_function(f"{NOTEBOOK}?.sessionContext?.session?.kernel?.status === 'idle'")
    return page


def run_cells(page: Page, *numbers: int) -> None:
    """Execute these cells of the open notebook, by default all, one after the other; wait until the last has ended."""
    code = f"""async (numbers) => {{
      const notebook = {NOTEBOOK}.content;
      for (const i of numbers.length ? numbers : notebook.widgets.keys()) {{
        notebook.activeCellIndex = i;
        await jupyterapp.commands.execute("notebook:run-cell");
      }}
    }}"""
    page.evaluate(
        f"(numbers) => {{ window.ran = false; ({code})(numbers).finally(() => {{ window.ran = true; }}); }}", numbers
    )
    page.wait_for_function("window.ran")


def watch(area: Locator) -> None:
    """Let ``probe`` (probe.js) watch the pictures of an output area, in place of the one that it has watched."""
    area.locator(PICTURES).first.wait_for()
    area.page.evaluate(f"() => {{ if (!window.probe) {{ {PROBE} }} }}")
    area.evaluate("(element, selector) => probe.watch(element, selector)", PICTURES)


def close_notebook(page: Page) -> None:
    """End the kernel of the open notebook, and close the page."""
    page.evaluate(f"() => {NOTEBOOK}.sessionContext.shutdown()")
    page.close()


def control(area: Locator, label: str) -> Locator:
    """Return the ipywidgets control with this description within an output area; where it is folded away, unfold it."""
    labelled = f'*[contains(@class, "widget-label")][normalize-space() = "{label}"]'
    found = area.locator(f'xpath=.//*[contains(@class, "widget-inline-hbox")][{labelled}]')
    if found.count() and not found.filter(visible=True).count():
        area.locator(FOLD).first.click()
    return found.filter(visible=True).first
