"""Computations beside the thread that answers the controls, one at a time: the newest wins."""

import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue

import torch


class Cancelled(Exception):
    """Raised in a job that is no longer wanted."""


class Hands:
    """Threads that do what comes and stay for more; there are as many as were ever busy at the same time.

    A thread keeps what its maps needed, with those that OpenMP gives it, tens of MB: new ones for each map would each
    keep as much.
    """

    def __init__(self):
        self._idle: list[SimpleQueue] = []

    def do(self, work: Callable[[], None]) -> None:
        """Have this done by the thread that was busy last, or by a new one; return at once."""
        try:
            inbox = self._idle.pop()
        except IndexError:
            inbox = SimpleQueue()
            # A daemon: it must not keep a finished notebook alive.
            threading.Thread(target=self._serve, args=(inbox,), daemon=True).start()
        inbox.put(work)

    def _serve(self, inbox: SimpleQueue) -> None:
        while True:
            work = inbox.get()
            work()
            del work  # an explorer that is closed goes, though its thread stays
            self._idle.append(inbox)


HANDS = Hands()


class Worker:
    """Runs one job at a time, beside the thread that asks for it.

    A job is called with a function, ``check``, and calls it now and then: it raises ``Cancelled`` once the job is no
    longer wanted. A job deals with its own errors.
    """

    def __init__(self):
        self._waiting: Callable[[], None] | None = None
        self._unwanted, self._idle, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._idle.set()

    @property
    def busy(self) -> bool:
        """Whether a job is running, or waits for a cancelled one to notice."""
        return not self._idle.is_set()

    def start(self, job: Callable[[Callable[[], None]], None]) -> None:
        """Run this job as soon as the one before, now cancelled, has ended; return at once.

        A job that still waits when a newer one comes is never run. It has as many threads of PyTorch's as who asks.
        """
        with self._lock:
            self._unwanted.set()
            self._unwanted = unwanted = threading.Event()

            def check():
                if unwanted.is_set():
                    raise Cancelled

            threads = torch.get_num_threads()  # a thread that stays keeps the number that it began with

            def run():
                check()
                if torch.get_num_threads() != threads:
                    torch.set_num_threads(threads)
                job(check)

            self._waiting = run
            if self._idle.is_set():
                self._idle.clear()
                HANDS.do(self._work)

    def _work(self) -> None:
        while True:
            with self._lock:
                run, self._waiting = self._waiting, None
                if run is None:
                    self._idle.set()
                    return
            try:
                run()
            except Cancelled:
                pass
            except Exception:  # what a job should have dealt with is told as of any thread, and ends only this job
                threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))
            del run

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
        return self._idle.wait(seconds)
