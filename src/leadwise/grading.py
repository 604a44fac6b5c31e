"""Mark submitted notebooks: each runs in a clean kernel, and the checks that it carries say what is right.

What belongs to the course in a submission, its given cells and above all its checks, is put back as the course has it;
the learner's cells run as they are. A cell that raises, runs too long or ends the kernel costs its own exercise, and
those behind it only as far as they need it. Nothing of a kernel reaches the network.

This is for a class, not for strangers: a submission runs with the rights of whoever marks it, and code that sets out to
forge a verdict can.
"""

import csv
import json
import os
import re
import shutil
import sys
import tempfile
import time
from ast import literal_eval
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

from leadwise.paths import ASSETS, checkout

if TYPE_CHECKING:
    from nbformat import NotebookNode

NOT_CHECKED, NOT_GRADED = "not checked", "not graded"
LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0", ""}
NOWHERE = "http://127.0.0.1:9"  # the port that discards: programs that a notebook starts find no way out there
PROXIES = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE)
PATIENCE = 5.0  # seconds in which an interrupted kernel has to answer
TOPIC = re.compile(r"^from leadwise\.checks import (\w+) as check$", re.MULTILINE)  # as every notebook has it
OFFLINE = "__import__('leadwise.grading').grading.go_offline()"
VERDICTS = "__import__('json').dumps(__import__('leadwise.grading').grading._progress({topic!r}))"


@dataclass(frozen=True)
class Grade:
    """One row of the table.

    Parameters
    ----------
    submission : the file, relative to the folder of submissions
    notebook : "06", or "" where it is none of the course's
    exercise : its number, or "" where nothing could be graded
    title : of the exercise
    result : "right", "not yet", "not done yet", as its check says; "not checked" where the check did not run; "not
        graded" for a whole file
    said : what the check said, or why it did not run
    """

    submission: str
    notebook: str
    exercise: str
    title: str
    result: str
    said: str


def grade(
    folder: str | Path,
    notebooks: str | Path | None = None,
    *,
    cell: float = 60.0,
    limit: float = 600.0,
    tell: Callable[[str], None] = print,
) -> list[Grade]:
    """Run every submission in a folder and return one row for each exercise.

    Parameters
    ----------
    folder : submissions, ``anna.ipynb`` or ``anna/07_reading_an_ecg.ipynb``; a subfolder's other files are at hand
    notebooks : the course's own, without solutions; by default those of the checkout
    cell, limit : seconds that one of the learner's cells, and one submission, may take
    tell : gets one line for each submission

    Raises
    ------
    ValueError : no such folder, nothing in it, no notebooks of the course, or a limit that is not positive

    Examples
    --------
    >>> grade("/nowhere")
    Traceback (most recent call last):
    ValueError: no folder /nowhere; expected one that holds the submitted notebooks.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"no folder {folder}; expected one that holds the submitted notebooks.")
    if not (cell > 0 and limit > 0):
        raise ValueError(f"cell is {cell:g} s, limit {limit:g} s; expected positive numbers.")
    course, submitted = _course(notebooks), submissions(folder)
    if not submitted:
        raise ValueError(f"{folder} is empty; expected notebooks, or a folder of them for each learner.")
    table: list[Grade] = []
    for path in submitted:
        rows = grade_file(path, str(path.relative_to(folder)), course, cell, limit)
        right = sum(row.result == "right" for row in rows)
        graded = f"{right} of {len(rows)} right" if rows[0].exercise else f"{NOT_GRADED}: {rows[0].said}"
        tell(f"{rows[0].submission}: {graded}")
        table += rows
    return table


def write_grades(rows: list[Grade], path: str | Path) -> Path:
    """Write the table as CSV, UTF-8 with the mark by which spreadsheets recognise it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Grade)])
        table.writeheader()
        table.writerows({key: _harmless(value) for key, value in asdict(row).items()} for row in rows)
    return path


def _harmless(value: str) -> str:
    """Return a cell of a table that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@")) else value


def submissions(folder: Path) -> list[Path]:
    """Return what was handed in: the notebooks, files that are none, and subfolders without any; hidden ones aside."""
    found: list[Path] = []
    for path in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
        inside = sorted(path.rglob("*.ipynb")) if path.is_dir() else []
        found += [p for p in inside if ".ipynb_checkpoints" not in p.parts] or [path]
    return found


# What a submission is -----------------------------------------------------------------------------------------------


def _course(folder: str | Path | None) -> dict[str, Any]:
    """Return the course's notebooks without solutions: "06" -> notebook."""
    import nbformat

    root = checkout()
    place = Path(folder) if folder else root / "notebooks" if root else None
    found = sorted(place.glob("[0-9][0-9]_*.ipynb")) if place else []
    if not found:
        raise ValueError(
            f"no notebooks of the course in {place or 'this installation'}; name the folder of a checkout: --notebooks."
        )
    return {path.stem[:2]: nbformat.read(path, as_version=4) for path in found}


def grade_file(path: Path, name: str, course: dict[str, Any], cell: float, limit: float) -> list[Grade]:
    """Grade one submission, which is called ``name`` in the table; a file that can't be graded gets one row."""
    import nbformat

    try:
        submitted = nbformat.read(path, as_version=4)
        number = number_of(submitted, course)
    except OSError as error:
        return [Grade(name, "", "", "", NOT_GRADED, f"not a file that can be read: {error.strerror}")]
    except Exception as error:  # whatever bytes may make of nbformat
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if path.suffix.lower() == ".zip":
            reason = "an archive; unpack it into a folder"
        elif not path.stat().st_size:
            reason = "the file is empty"
        return [Grade(name, "", "", "", NOT_GRADED, f"not a notebook: {reason}")]
    if not number:
        reason = "no notebook of this course: none of its checks is in it, nor their import"
        return [Grade(name, "", "", "", NOT_GRADED, reason)]
    cells, changed = put_back(submitted, course[number])
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch, "work")
        shutil.copytree(path.parent, work) if "/" in Path(name).as_posix() else work.mkdir()
        limits = dict.fromkeys(given_cells(course[number]), limit)
        with _kernel(work, scratch) as kernel:
            found = _run(kernel, cells, topic_of(course[number]), limits, cell, limit)
    note = f" (put back as the course has it: {', '.join(changed)})" if changed else ""
    titles = {n: title for n, (title, _, _) in _by_number(_progress(topic_of(course[number]))).items()}
    return [
        Grade(name, number, str(n), titles.get(n, ""), result, said + note)
        for n, (result, said) in sorted(found.items())
    ]


def topic_of(notebook: "NotebookNode") -> str:
    """Return the topic of a notebook: the module of ``leadwise.checks`` that it imports, or ""."""
    return next((found[1] for cell in notebook.cells if (found := TOPIC.search(cell.source))), "")


def _progress(topic: str) -> list[tuple[str, str, str]]:
    """Return title, state and text of every exercise, as the progress of a notebook has them."""
    verdicts = import_module(f"leadwise.checks.{topic}").progress().verdicts
    return [(verdict.exercise, verdict.state, verdict.text) for verdict in verdicts]


def _by_number(rows: Iterable) -> dict[int, tuple[str, str, str]]:
    """Return rows by the number in "Exercise 3 (title)", with the title alone."""
    named = [(re.match(r"Exercise (\d+) \((.*)\)$", name), state, text) for name, state, text in rows]
    return {int(match[1]): (match[2], state, text) for match, state, text in named if match}


def number_of(submitted: "NotebookNode", course: dict[str, Any]) -> str:
    """Return the number of the course's notebook that a submission is one of; or "".

    It is told by the text of its checks, which no new sequence of the notebooks changes, then by their ids, and where
    all of them are gone by the line that imports them.
    """
    ids = {cell.get("id") for cell in submitted.cells}
    sources = {cell.source.strip() for cell in submitted.cells}
    topic = topic_of(submitted)
    held = {}
    for number, notebook in course.items():
        checks = [cell for cell in notebook.cells if check_number(cell)]
        same_text = sum(cell.source.strip() in sources for cell in checks)
        same_id = sum(cell.id in ids for cell in checks)
        held[number] = same_text, same_id, bool(topic) and topic == topic_of(notebook)
    best = max(held, key=lambda number: held[number])
    return best if any(held[best]) else ""


def check_number(cell: "NotebookNode") -> int:
    """Return the number of the exercise that a cell of the course checks, or 0."""
    found = re.fullmatch(r"\d\d-check-(\d+)", cell.get("id") or "")
    return int(found[1]) if found and cell.cell_type == "code" else 0


def given_cells(original: "NotebookNode") -> dict[str, Any]:
    """Return the code cells of a notebook that are not the learner's to fill, by their ids."""
    code = [cell for cell in original.cells if cell.cell_type == "code"]
    return {cell.id: cell for cell in code if "solution" not in cell.metadata.get("tags", [])}


def put_back(submitted: "NotebookNode", original: "NotebookNode") -> tuple[list, list[str]]:
    """Return a submission's code cells, those of the course as the course has them, and the names of changed checks.

    A check that has been removed comes last.
    """
    given = given_cells(original)
    cells, changed = [cell for cell in submitted.cells if cell.cell_type == "code"], []
    for cell in cells:
        known = given.get(cell.get("id"))
        if known is not None and known.source.strip() != cell.source.strip():
            changed += [known.id[3:]] if check_number(known) else []
            cell.source = known.source
    sources = {cell.source.strip(): cell for cell in cells}
    for known in given.values():
        if known.source.strip() in sources:  # its id is gone where a program has written the notebook anew
            sources[known.source.strip()]["id"] = known.id
        elif check_number(known):
            cells.append(known)
            changed.append(known.id[3:])
    return cells, changed


# Running it ---------------------------------------------------------------------------------------------------------


def _run(
    kernel: "_Kernel", cells: list, topic: str, limits: dict[str, float], cell_limit: float, limit: float
) -> dict[int, tuple[str, str]]:
    """Run the cells; return the result of each exercise and what is said about it.

    ``limits`` are seconds of cells by their ids, all others have ``cell_limit``.
    """
    found: dict[int, tuple[str, str]] = {}
    troubles: dict[str, str] = {}
    end, lost = time.monotonic() + limit, ""
    for cell in cells:
        name, check = cell.get("id", "a cell"), check_number(cell)
        lost = lost or ("" if time.monotonic() < end else f"the notebook took longer than {limit:g} s")
        left = max(1.0, end - time.monotonic())
        trouble = lost or kernel.run(cell.source, min(limits.get(name, cell_limit), left))
        lost = lost or (f"{name}: {trouble}" if kernel.over else "")
        troubles[name] = trouble
        if check and not trouble:
            verdict = kernel.verdicts(topic).get(check)
            found[check] = verdict[1:] if verdict else (NOT_CHECKED, "its check left no verdict")
        elif check:
            before = troubles.get(f"{name[:2]}-exercise-{check}")
            found[check] = (NOT_CHECKED, f"{trouble}; its exercise: {before}" if before and not lost else trouble)
    return found


@contextmanager
def _kernel(work: Path, scratch: str) -> Iterator["_Kernel"]:
    """Start a kernel of this Python, without the learner's or the marker's settings, and stop it at the end."""
    from jupyter_client import KernelManager
    from jupyter_client.kernelspec import KernelSpec

    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--HistoryManager.enabled=False"]
    manager = KernelManager()
    manager._kernel_spec = KernelSpec(argv=argv, display_name="Python 3", language="python")
    with open(Path(scratch, "kernel.log"), "w") as log:
        environment = {**os.environ, **PROXIES, "IPYTHONDIR": scratch, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        paths = [str(ASSETS.parents[1]), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        manager.start_kernel(cwd=str(work), env=environment, stdout=log, stderr=log)
        client = manager.client()
        try:
            client.start_channels()
            client.wait_for_ready(timeout=60)
            kernel = _Kernel(manager, client)
            if trouble := kernel.run(OFFLINE, 60):
                raise RuntimeError(f"the kernel could not be cut off from the network: {trouble}")
            yield kernel
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


class _Kernel:
    """A running kernel, and whether it is over."""

    def __init__(self, manager, client):
        self.manager, self.client, self.over = manager, client, False

    def run(self, source: str, seconds: float) -> str:
        """Run a cell; return "", or what went wrong in one line."""
        message = self.client.execute(source, allow_stdin=False)
        reply = self._reply(message, seconds)
        if reply is None and not self.over:
            self.manager.interrupt_kernel()
            self.over = self._reply(message, PATIENCE) is None
            return f"took longer than {seconds:.3g} s"
        if reply is None:
            return "ended Python"
        return "" if reply["status"] == "ok" else f"{reply.get('ename', 'error')}: {reply.get('evalue', '')}"[:300]

    def verdicts(self, topic: str) -> dict[int, tuple[str, str, str]]:
        """Return what the checks have said so far: number -> title, state, text."""
        wanted = {"found": VERDICTS.format(topic=topic)}
        reply = self._reply(self.client.execute("", store_history=False, user_expressions=wanted), PATIENCE) or {}
        found = reply.get("user_expressions", {}).get("found", {})
        if found.get("status") != "ok":
            return {}
        return _by_number(json.loads(literal_eval(found["data"]["text/plain"])))

    def _reply(self, message: str, seconds: float) -> dict | None:
        """Return the answer to a request; None where none came in time, or where the kernel is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                reply = self.client.get_shell_msg(timeout=min(1.0, seconds))
            except Empty:
                if not self.manager.is_alive():
                    self.over = True
                    return None
                continue
            if reply["parent_header"].get("msg_id") == message:
                return reply["content"]
        return None


def go_offline() -> None:
    """Let this process reach no other machine: whatever tries gets a ConnectionError. It can't be undone.

    Programs that it starts are given a proxy that leads nowhere; one that ignores proxies is not stopped.
    """

    def watch(event: str, arguments: tuple) -> None:
        if event in ("socket.connect", "socket.sendto"):
            address = arguments[1]
        elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
            address = (arguments[0],)
        else:
            return
        host = address[0] if isinstance(address, tuple) else ""  # a path: a socket of this machine
        host = host.decode() if isinstance(host, bytes) else host or ""
        if host not in LOCAL:
            raise ConnectionError(f"no network while notebooks are marked; {host} was asked for.")

    sys.addaudithook(watch)
