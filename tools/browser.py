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
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

STATIC = Path(__file__).resolve().parents[1] / "src/ecgxai/explorers/static"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A browser under test looks nothing up on the network by itself.
QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]

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


def open_page(running, width: int = 1000, height: int = 1200, ratio: float = 1, module: str = "ecg_canvas") -> Page:
    """Open a page, ``width`` CSS pixels wide with ``ratio`` pixels of the screen in each, for :func:`show_canvas`.

    ``module`` : the name of the JavaScript and the style sheet of the widget that is to be shown
    """
    page = running.new_page(viewport={"width": width, "height": height}, device_scale_factor=ratio)
    page.complaints = complaints(page)
    files = {path.name: path for path in STATIC.iterdir()}
    kinds, start = {".js": "text/javascript", ".css": "text/css"}, PAGE.replace("ecg_canvas", module)

    def answer(route):
        path = files.get(route.request.url.rsplit("/", 1)[-1])
        body, kind = (path.read_text(), kinds[path.suffix]) if path else (start, "text/html")
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
def jupyter_lab(folder: Path):
    """Serve JupyterLab from ``folder`` on this machine only; yields its address with a token."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
    command += [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={token}", "--allow-root"]
    command += ["--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with open(folder / "lab.log", "w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api?token={token}", server, folder / "lab.log")
        yield f"http://127.0.0.1:{port}", token
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(address, server, log, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError(f"JupyterLab did not start within {seconds} s:\n{log.read_text()[-2000:]}")
