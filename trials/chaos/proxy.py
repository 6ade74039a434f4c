"""A TCP proxy between one worker and the broker that can cut, silence or delay what passes."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self

_CHUNK_BYTES = 65_536
_TIMEOUT_S = 10.0
_LINGER_S = 0.05
_PROBE_S = 0.1


class Link:
    """One proxied address. Its methods may be called from any thread.

    While nobody listens at the target, nobody listens here either: clients wait ever longer before
    they try again where they are refused, and not where a connection is accepted and closed.

    Args:
        loop: runs it, in another thread.
        port: where the worker connects, on 127.0.0.1.
        target: port of the broker, on 127.0.0.1.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, port: int, target: int) -> None:
        self._loop = loop
        self.port = port
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._delay_s = 0.0
        self._is_cut = True
        self._probing = False
        self.n_connections = 0
        self.n_bytes = 0

    def start(self) -> None:
        """Listen."""
        self._wait(self._listen())

    def stop(self) -> None:
        """Refuse new connections and reset those that there are."""
        self._wait(self._cut())

    def cut(self) -> None:
        """`stop`, until `heal`."""
        self.stop()

    def silence(self) -> None:
        """Hold back all that is sent, until `heal`."""
        self._call(self._flows.clear)

    def delay(self, delay_s: float) -> None:
        """Hold back each piece for so long, until `heal`."""
        self._delay_s = delay_s

    def reset(self) -> None:
        """Reset the connections; new ones are accepted."""
        self._call(self.abort_all)

    def heal(self) -> None:
        """Accept connections, and pass on all at once."""
        self._delay_s = 0.0
        self._call(self._flows.set)
        self._wait(self._listen())

    async def _listen(self) -> None:
        self._is_cut = False
        await self._open_if_due()

    async def _open_if_due(self) -> None:
        if self._server is None and not self._is_cut and not self._probing:
            self._server = await asyncio.start_server(
                self._accept, "127.0.0.1", self.port, reuse_address=True
            )

    async def _cut(self) -> None:
        self._is_cut = True
        await self._refuse()
        self.abort_all()

    async def _refuse(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        for socket in server.sockets:
            self._loop.remove_reader(socket)
        # A server that is closed leaves a connection that it has just accepted open for ever. One
        # round later that connection is made, and the server can be closed.
        await asyncio.sleep(0)
        server.close()

    async def _probe(self) -> None:
        """If nobody listens at the target, refuse connections until somebody does."""
        if self._probing:
            return
        self._probing = True
        try:
            while not await self._answers():
                await self._refuse()
                await asyncio.sleep(_PROBE_S)
        finally:
            self._probing = False
        await self._open_if_due()

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            return False
        writer.close()
        return True

    def abort_all(self) -> None:
        """Reset the connections; on the loop's thread."""
        for writer in self._open:
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)  # a task that is cancelled before it began closes nothing
        # A task of our own: that which asyncio would make complains when it is cancelled.
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.n_connections += 1
        ahead: asyncio.StreamWriter | None = None
        try:
            from_ahead, ahead = await asyncio.open_connection("127.0.0.1", self._target)
            self._open.add(ahead)
            pumps = [
                asyncio.ensure_future(self._pump(reader, ahead)),
                asyncio.ensure_future(self._pump(from_ahead, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            pass  # the broker is down: so is this connection
        finally:
            for end in (writer, ahead):
                if end is not None:
                    self._open.discard(end)
                    end.transport.abort()
            if not self._is_cut:
                await self._probe()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            if self._delay_s:
                await asyncio.sleep(self._delay_s)
            await self._flows.wait()
            self.n_bytes += len(chunk)  # before the receiver can have it
            writer.write(chunk)
            await writer.drain()

    def _call(self, function: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(function)

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_TIMEOUT_S)


class Proxy:
    """Context manager: links that run on a thread of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self.links: list[Link] = []

    def link(self, port: int, target: int) -> Link:
        """Start a link from `port` to `target`."""
        link = Link(self._loop, port, target)
        link.start()
        self.links.append(link)
        return link

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for link in self.links:
            link.stop()
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_TIMEOUT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_TIMEOUT_S)
        self._loop.close()

    async def _end(self) -> None:
        rest = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for link in self.links:
            link.abort_all()
        await asyncio.sleep(_LINGER_S)  # transports close in the loop's next rounds
