"""Executes a notebook as a learner would: every cell in order, then the controls of its widgets.

nbclient stops at a cell that raises, and at nothing else: an exception in a widget's callback, in a thread or in an
asyncio task ends in the widget's Output area, on stderr, or nowhere in the page. A second client therefore listens to
everything that the kernel publishes.
"""

import copy
import os
import random
import re
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from queue import Empty

import nbformat
import psutil
from jupyter_client import AsyncKernelManager, BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

THREADS = "2"  # whatever the machine has: sums in float32 depend on the number of threads
ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), THREADS),
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
# Variables of the caller's shell that must not reach a notebook.
FORGOTTEN = ("PYTHONWARNINGS", "PYTHONPATH", "PYTHONSTARTUP", "LEADWISE_REFERENCE")
# Folders, which may be given relative to the caller's working directory; the kernel has its own.
FOLDERS = ("LEADWISE_DATA", "LEADWISE_MIRROR")
# Python hides DeprecationWarnings outside of __main__; ours are to be seen.
STARTUP = "__import__('warnings').filterwarnings('default', module=r'leadwise(\\.|$)')"
KERNEL_OPTIONS = [f"--IPKernelApp.exec_lines={STARTUP}", "--HistoryManager.enabled=False"]

TRACEBACK_LINES = 20  # of an exception in a callback; the frames above are those of ipywidgets
ANSI = re.compile(r"\x1b\[[0-9;]*m")
# "40%|████      | 20/50 [00:01<00:02, 13.1it/s]", and without a total "20it [00:01, 13.1it/s]".
PROGRESS = re.compile(r"^(.*[:\s])?(\d+%\|.*\| *\S+/\S+|\d[\d.]*[a-zA-Z]+) \[\d+:\d\d.*\]\s*$|^\s*$")


ATTEMPTS = 2
DRIVING = 20.0  # seconds for the controls of a notebook; each explorer's own tests drive every option of every control


class LostAnswer(Exception):
    """The kernel has run a cell, and the message that says so never came: seen on an overloaded machine."""


@dataclass
class Execution:
    """How an execution went.

    Parameters
    ----------
    seconds : wall-clock time of the cells, kernel's start included
    peak_mb : peak memory of the kernel and its children, without mapped files (libraries, large weights), which the
        system drops and reads again when memory is short
    driven, controls : how many controls were moved within DRIVING seconds, of how many
    problems : what went wrong
    """

    seconds: float = 0.0
    peak_mb: float = 0.0
    driven: int = 0
    controls: int = 0
    problems: list[str] = field(default_factory=list)


class Kernel(AsyncKernelManager):
    """The kernel of the Python that runs this tool, whatever kernels the machine has registered."""

    @property
    def kernel_spec(self):
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def execute(notebook: nbformat.NotebookNode, folder: Path, timeout: float, **environment: str) -> Execution:
    """Execute a notebook in place.

    Parameters
    ----------
    notebook : filled with outputs up to the first cell that raises
    folder : working directory of the kernel
    timeout : seconds that a cell, or the answer to one change of a control, may take
    environment : variables for the kernel, on top of the caller's own and of ENVIRONMENT
    """
    source = copy.deepcopy(notebook.cells)
    for _ in range(ATTEMPTS):
        notebook.cells, result = copy.deepcopy(source), Execution()
        try:
            _execute_once(notebook, folder, timeout, environment, result)
            break
        except LostAnswer as lost:
            print(f"({lost})", end=" ", flush=True)
            result.problems.append(str(lost))
    return result


def _execute_once(notebook, folder: Path, timeout: float, environment: dict[str, str], result: Execution) -> None:
    start = time.perf_counter()
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_manager_class=Kernel,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=[*KERNEL_OPTIONS],
        record_timing=False,
        coalesce_streams=True,
    )
    with tempfile.TemporaryDirectory() as scratch, open(Path(scratch, "kernel.log"), "w+") as log:
        env = {**inherited(), **ENVIRONMENT, "IPYTHONDIR": scratch, **environment}
        try:
            with client.setup_kernel(env=env, stderr=log), peak_memory(client.km.provisioner.pid, result):
                _execute_cells(client, timeout, result, start)
        except RuntimeError as error:  # jupyter_client's word for a kernel that does not start
            log.seek(0)
            result.problems.append(f"{error}\n{log.read()[-2000:]}".rstrip())


def inherited() -> dict[str, str]:
    """Return the caller's environment as a kernel should have it."""
    kept = {key: value for key, value in os.environ.items() if key not in FORGOTTEN}
    return kept | {key: str(Path(kept[key]).expanduser().absolute()) for key in FOLDERS if kept.get(key)}


def _execute_cells(client: NotebookClient, timeout: float, result: Execution, start: float) -> None:
    with listening(client.km) as witness:
        for index, cell in enumerate(client.nb.cells):
            try:
                client.execute_cell(cell, index)
            except DeadKernelError:
                result.problems.append(f"cell {index} ({cell.id}): the kernel died; did it run out of memory?")
                return
            except (CellExecutionError, CellTimeoutError) as error:
                if isinstance(error, CellTimeoutError) and idle(witness):
                    raise LostAnswer(f"cell {index}: the kernel is idle, its answer was lost") from error
                result.problems.append(f"cell {index} ({cell.id}):\n{ANSI.sub('', str(error)).strip()}")
                return
            finally:
                result.seconds = time.perf_counter() - start
            result.problems += [f"cell {index} ({cell.id}): {problem}" for problem in problems_in(heard(witness))]
        drive_all(client.widget_state, witness, timeout, result)


def drive_all(widgets: dict[str, dict], witness: BlockingKernelClient, timeout: float, result: Execution) -> None:
    """Move control after control, in an order of chance that is the same each time, for DRIVING seconds."""
    controls = [list(group) for _, group in groupby(changes(widgets), key=lambda change: change.widget)]
    random.Random(0).shuffle(controls)
    result.controls, end = len(controls), time.monotonic() + DRIVING
    for control in controls:
        if time.monotonic() > end:
            return
        for change in control:
            result.problems += [f"{change.label}: {problem}" for problem in drive(witness, change, timeout)]
        result.driven += 1


def idle(client: BlockingKernelClient, patience: float = 5.0) -> bool:
    """Say whether the kernel answers at once: it does unless a cell is running."""
    try:
        client.kernel_info(reply=True, timeout=patience)
    except (Empty, TimeoutError):
        return False
    return True


@contextmanager
def listening(manager: AsyncKernelManager):
    """Connect a client that hears all that the kernel publishes, not only the answers to its own requests."""
    client = BlockingKernelClient()
    client.load_connection_info(manager.get_connection_info())
    client.start_channels(stdin=False, hb=False)
    try:
        client.wait_for_ready(timeout=60)
        yield client
    finally:
        client.stop_channels()


def heard(client: BlockingKernelClient) -> list[dict]:
    """Return the messages that have been published since the last call."""
    messages = []
    while True:
        try:
            messages.append(client.get_iopub_msg(timeout=0.01))
        except Empty:
            return messages


def problems_in(messages: list[dict]) -> list[str]:
    """Return the exceptions among published messages, and what was written to stderr apart from progress bars."""
    problems, stderr = [], ""
    for message in messages:
        kind, content = message["msg_type"], message["content"]
        if kind == "error":
            traceback = ANSI.sub("", "\n".join(content["traceback"])).splitlines()
            problems.append("\n".join(["", *traceback[-TRACEBACK_LINES:]]))
        elif kind == "stream" and content["name"] == "stderr":
            stderr += content["text"]
    lines = [line for line in re.split(r"[\r\n]+", ANSI.sub("", stderr)) if not PROGRESS.search(line)]
    return problems + (["on stderr:\n" + "\n".join(lines)] if lines else [])


@dataclass(frozen=True)
class Change:
    """One thing that a learner can do to a control: its widget, a description, and the message a browser would send."""

    widget: str
    label: str
    data: dict


def changes(widgets: dict[str, dict]) -> list[Change]:
    """List what to do to the controls among ``widgets`` (id -> state): to one end, to the other, and back."""
    found = []
    for widget, state in widgets.items():
        name = state.get("_model_name", "").removesuffix("Model")
        label = f"{name} {state.get('description', '')!r}"
        if state.get("disabled") or name.endswith("Progress"):
            continue
        if name == "Button":
            found.append(Change(widget, f"{label} clicked", {"method": "custom", "content": {"event": "click"}}))
            continue
        trait, values = control_values(state)
        for value in values:
            data = {"method": "update", "state": {trait: value}, "buffer_paths": []}
            found.append(Change(widget, f"{label} set to {value}", data))
    return found


def control_values(state: dict) -> tuple[str, list]:
    """Return the trait that a control changes and the values to try, the present one last; else ("", [])."""
    value = state.get("value")
    if state.get("_options_labels") and "index" in state:
        last = len(state["_options_labels"]) - 1
        ends = [[0], [last]] if isinstance(state["index"], list | tuple) else [0, last]
        return "index", [*ends, state["index"]]
    if isinstance(value, bool):
        return "value", [not value, value]
    low, high = state.get("min"), state.get("max")
    if isinstance(low, int | float) and isinstance(high, int | float):
        if "base" in state:  # FloatLogSlider: min and max are exponents
            low, high = state["base"] ** low, state["base"] ** high
        ends = [[low, low], [low, high]] if isinstance(value, list | tuple) else [low, high]
        return "value", [*ends, value]
    return "", []


def drive(client: BlockingKernelClient, change: Change, timeout: float) -> list[str]:
    """Send a change as a browser would, wait until the kernel has dealt with it, and return what went wrong."""
    message = client.session.msg("comm_msg", {"comm_id": change.widget, "data": change.data})
    client.shell_channel.send(message)
    messages, end = [], time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            messages.append(client.get_iopub_msg(timeout=1))
        except Empty:
            continue
        last = messages[-1]
        own = last["parent_header"].get("msg_id") == message["header"]["msg_id"]
        if own and last["msg_type"] == "status" and last["content"]["execution_state"] == "idle":
            return problems_in(messages)
    return [*problems_in(messages), f"no answer within {timeout:g} s"]


@contextmanager
def peak_memory(pid: int, result: Execution):
    """Sample the memory of a process and its children ten times a second, and keep the maximum."""
    done, kernel = threading.Event(), psutil.Process(pid)

    def sample():
        while not done.wait(0.1):
            result.peak_mb = max(result.peak_mb, resident_mb(kernel))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def resident_mb(process: psutil.Process) -> float:
    """Return the memory of a process and its children in MB (10^6 bytes), mapped files aside; 0 once it has gone."""
    try:
        used = [member.memory_info() for member in (process, *process.children(recursive=True))]
        return sum(memory.rss - getattr(memory, "shared", 0) for memory in used) / 1e6
    except psutil.Error:
        return 0.0
