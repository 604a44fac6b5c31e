"""Long computations beside the kernel's main thread, one at a time: the newest wins."""

import threading
from collections.abc import Callable
from contextlib import suppress


class Cancelled(Exception):
    """Raised in a job that is no longer wanted."""


class Worker:
    """Runs one job in a thread of its own.

    A job is called with a function, ``check``, and calls it now and then: it raises ``Cancelled`` once the job is no
    longer wanted. A job deals with its own errors.
    """

    def __init__(self):
        self._thread: threading.Thread | None = None
        self._unwanted = threading.Event()

    @property
    def busy(self) -> bool:
        """Whether a job is running."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, job: Callable[[Callable[[], None]], None]) -> None:
        """Cancel the job that runs, if any, and start this one."""
        self.stop()
        unwanted = self._unwanted = threading.Event()

        def check():
            if unwanted.is_set():
                raise Cancelled

        def run():
            with suppress(Cancelled):
                job(check)

        self._thread = threading.Thread(target=run, daemon=True)  # it must not keep a finished notebook alive
        self._thread.start()

    def stop(self) -> bool:
        """Cancel the job that runs and wait until it has ended; return whether there was one."""
        busy = self.busy
        self._unwanted.set()
        self.wait()
        return busy

    def wait(self) -> None:
        """Wait until the job has ended."""
        if self._thread is not None:
            self._thread.join()
