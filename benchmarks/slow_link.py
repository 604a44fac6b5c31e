"""A slow connection in front of a server on this machine: every byte passes, later and no faster than the link."""

import asyncio
import threading
from contextlib import contextmanager, suppress

DELAY = 0.05  # seconds, each way
RATE = 10e6  # bit/s, each way, shared by all connections
CHUNK = 16_384  # bytes
WAITING = 64  # chunks of one connection that may be on their way; then its sender waits


class Link:
    """One direction: chunks follow each other at ``RATE``, and arrive ``DELAY`` after they have left."""

    def __init__(self):
        self.free = 0.0  # when the last chunk has left

    def arrival(self, now: float, size: int) -> float:
        """Take a chunk of ``size`` bytes and return when it arrives, in the clock of ``now``."""
        self.free = max(now, self.free) + 8 * size / RATE
        return self.free + DELAY


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link) -> None:
    """Pass on what ``reader`` gets, until either side closes."""
    clock, queue = asyncio.get_running_loop().time, asyncio.Queue(WAITING)

    async def deliver():
        while chunk := (await queue.get()):
            arrives, content = chunk
            await asyncio.sleep(max(arrives - clock(), 0))
            writer.write(content)
            await writer.drain()

    delivery = asyncio.create_task(deliver())
    with suppress(ConnectionError):
        while content := await reader.read(CHUNK):
            await queue.put((link.arrival(clock(), len(content)), content))
        await queue.put(None)
        await delivery
    delivery.cancel()
    writer.close()


@contextmanager
def slow_link(port: int):
    """Yield a port of 127.0.0.1 behind which the server on ``port`` is far away; HTTP and WebSockets alike."""
    loop, ready, found = asyncio.new_event_loop(), threading.Event(), []
    up, down = Link(), Link()

    async def connect(reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        with suppress(asyncio.CancelledError):  # at the end, with connections still open
            await asyncio.gather(_carry(reader, far_writer, up), _carry(far_reader, writer, down))

    async def serve():
        server = await asyncio.start_server(connect, "127.0.0.1", 0)
        found.append(server.sockets[0].getsockname()[1])
        ready.set()

    def run():
        loop.run_until_complete(serve())
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.1))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    if not ready.wait(10):
        raise RuntimeError("the slow link did not come up within 10 s")
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
