"""Computations beside the thread that answers the controls, one at a time: the newest wins."""

import threading
from collections.abc import Callable
from contextlib import suppress


class Cancelled(Exception):
    """Raised in a job that is no longer wanted."""


class Worker:
    """Runs one job at a time, each in a thread of its own.

    A job is called with a function, ``check``, and calls it now and then: it raises ``Cancelled`` once the job is no
    longer wanted. A job deals with its own errors.
    """

    def __init__(self):
        self._thread: threading.Thread | None = None
        self._unwanted = threading.Event()
        self._lock = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether a job is running, or waits for a cancelled one to notice."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, job: Callable[[Callable[[], None]], None]) -> None:
        """Run this job as soon as the one before, now cancelled, has ended; return at once.

        A job that still waits when a newer one comes is never run.
        """
        with self._lock:
            self._unwanted.set()
            before, unwanted = self._thread, threading.Event()

            def check():
                if unwanted.is_set():
                    raise Cancelled

            def run():
                if before is not None:
                    before.join()
                with suppress(Cancelled):
                    check()
                    job(check)

            self._unwanted = unwanted
            self._thread = threading.Thread(target=run, daemon=True)  # it must not keep a finished notebook alive
            self._thread.start()

    def cancel(self) -> None:
        """Make the job that runs, if any, end at its next check; return at once."""
        self._unwanted.set()

    def stop(self) -> bool:
        """Cancel the job that runs and wait until it has ended; return whether there was one."""
        busy = self.busy
        self.cancel()
        self.wait()
        return busy

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the newest job has ended, at most so long; return whether it has."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return not self.busy
