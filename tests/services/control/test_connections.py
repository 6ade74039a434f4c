"""Connections of the control plane: how many, and how long they may be silent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import pytest
import uvicorn
from ounce_services.control.connections import Connection
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

LARGE = 16 << 20
"""Bytes, more than sockets hold."""


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/large":
        pieces = (b"x" * LARGE for _ in range(2))
        await StreamingResponse(pieces)(scope, receive, send)
    else:
        await PlainTextResponse("x")(scope, receive, send)


class Served:
    """A server, and clients of it."""

    def __init__(self, **limits: float) -> None:
        kind = type("Limited", (Connection,), limits)
        self._server = uvicorn.Server(
            uvicorn.Config(app, port=0, http=kind, lifespan="off", log_level="error")
        )

    @property
    def n_connections(self) -> int:
        return len(self._server.server_state.connections)

    @asynccontextmanager
    async def client(self) -> AsyncIterator["Client"]:
        port = self._server.servers[0].sockets[0].getsockname()[1]
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        try:
            yield client
        finally:
            client.writer.close()
            with suppress(ConnectionError):
                await client.writer.wait_closed()

    def run(self, test: Callable[["Served"], Awaitable[None]]) -> None:
        async def run() -> None:
            serving = asyncio.create_task(self._server.serve())
            async with asyncio.timeout(60):
                while not self._server.started:
                    await asyncio.sleep(0.01)
                await test(self)
            self._server.should_exit = True
            await serving

        asyncio.run(run())


class Client(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self) -> bool:
        """Whether there is an answer; else the connection was ended."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            self.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await self.reader.readuntil(b"\r\n\r\n")
            await self.reader.readexactly(1)
            return head.startswith(b"HTTP/1.1 200 ")
        return False


def test_beyond_so_many_connections_are_closed_at_once_and_places_become_free(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "_told_s", float("-inf"))

    async def test(served: Served) -> None:
        async with served.client() as one, served.client() as two:
            assert (await one.ask(), await two.ask()) == (True, True)
            for _ in range(2):
                async with served.client() as third:
                    assert not await third.ask()
            assert await one.ask()
        while served.n_connections:
            await asyncio.sleep(0.01)
        async with served.client() as third:
            assert await third.ask()

    Served(most=2).run(test)
    assert caplog.text.count("2 callers are connected") == 1


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHo", b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"]
)
def test_who_asks_for_nothing_or_reads_nothing_is_not_waited_for_for_ever(sent: bytes) -> None:
    async def test(served: Served) -> None:
        async with served.client() as client:
            client.writer.write(sent)
            while not served.n_connections:
                await asyncio.sleep(0.001)
            while served.n_connections:
                await asyncio.sleep(0.01)

    Served(silent_s=0.2).run(test)


def test_a_body_that_was_answered_before_it_was_whole_is_not_waited_for_for_ever() -> None:
    async def test(served: Served) -> None:
        async with served.client() as client:
            client.writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
            assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            client.writer.write(b"x")  # with it the time for keeping alive counts no further
            while served.n_connections:
                await asyncio.sleep(0.01)

    Served(silent_s=0.2).run(test)


def test_who_asks_again_and_again_stays() -> None:
    async def test(served: Served) -> None:
        async with served.client() as client:
            for _ in range(30):
                assert await client.ask()
                await asyncio.sleep(0.02)

    Served(silent_s=0.2).run(test)
