"""The socket, its TLS, and how many may be connected."""

import asyncio
import json
import resource
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from ounce_edge.front import listening
from ounce_edge.front.listening import Door, Tls, allow_connections, open_socket
from ounce_edge.front.settings import HttpSettings
from ounce_schemas.errors import OunceError

from tests.support.kafka.certificates import Authority, KeyPair
from tests.support.kafka.needed import kafka_needed

HOST = "front.example"
HERE = "127.0.0.1"


def settings(**more: Any) -> HttpSettings:
    return HttpSettings(task=("digits",), kafka="nowhere:1", **more)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    with kafka_needed():
        return Authority(tmp_path)


def shake(tls: Tls, authority: Authority, own: KeyPair | None = None) -> dict[str, Any]:
    """The certificate that a caller sees. Both sides are in memory."""
    assert tls.context is not None
    trusting = ssl.create_default_context(cafile=str(authority.certificate))
    if own is not None:
        trusting.load_cert_chain(*own)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    caller = trusting.wrap_bio(to_client, to_server, server_hostname=HOST)
    server = tls.context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (caller, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return caller.getpeercert() or {}


def test_a_certificate_that_is_replaced_counts_for_the_next_caller(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (authority.sign(name, host=HOST) for name in ("first", "second"))
    used = KeyPair(tmp_path / "used.pem", tmp_path / "used.key")

    def use(pair: KeyPair) -> None:
        for path, source in zip(used, pair, strict=True):
            path.write_bytes(source.read_bytes())

    use(first)
    tls = Tls(settings(tls_certificate=used.certificate, tls_key=used.key))
    seen = shake(tls, authority)["serialNumber"]
    tls.read_again()
    use(KeyPair(second.certificate, first.key))
    tls.read_again()
    assert "the certificate stays as it was" in caplog.text
    assert shake(tls, authority)["serialNumber"] == seen
    use(second)
    tls.read_again()
    assert shake(tls, authority)["serialNumber"] != seen


def test_a_caller_needs_a_certificate_where_an_authority_is_named(authority: Authority) -> None:
    own = authority.sign("server", host=HOST)
    tls = Tls(
        settings(
            tls_certificate=own.certificate, tls_key=own.key, tls_client_ca=authority.certificate
        )
    )
    assert shake(tls, authority, authority.sign("caller"))
    with pytest.raises(ssl.SSLError, match="did not return a certificate"):
        shake(tls, authority)


def test_files_that_can_not_be_used_are_refused(authority: Authority, tmp_path: Path) -> None:
    own, other = (authority.sign(name, host=HOST) for name in ("own", "other"))
    for key in (other.key, own.certificate, authority.encrypt(own, "x")):
        with pytest.raises(OunceError, match="TLS can't be served with these files"):
            Tls(settings(tls_certificate=own.certificate, tls_key=key))
    assert Tls(settings()).context is None


def test_a_port_that_is_taken_is_named() -> None:
    with (
        open_socket(settings(port=0)) as taken,
        pytest.raises(OunceError, match="choose another --port"),
    ):
        open_socket(settings(port=taken.getsockname()[1]))


def test_connections_are_bounded_by_files_that_may_be_open() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
        assert allow_connections(100) == 100
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (356, hard)
        assert allow_connections(10**9) == hard - 256
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@asynccontextmanager
async def house(most: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a door to an application without pages."""
    async with TestClient(TestServer(web.Application())) as client:
        runner = client.server.runner
        assert runner is not None
        assert runner.server is not None
        loop = asyncio.get_running_loop()
        entrance = open_socket(settings(port=0))
        door = Door(entrance, runner.server, most, 60)
        server = await loop.create_server(door, sock=entrance, ssl=tls)
        yield entrance.getsockname()[1]
        server.close()


def test_who_comes_when_the_house_is_full_is_sent_away() -> None:
    async def test() -> None:
        async with house(1) as port:
            _, first = await asyncio.open_connection(HERE, port)
            first.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            reader, second = await asyncio.open_connection(HERE, port)
            assert await reader.read() == b""
            for each in (first, second):
                each.close()

    asyncio.run(test())


def comers(port: int, n: int) -> list[socket.socket]:
    """So many connect before the door looks."""
    return [socket.create_connection((HERE, port)) for _ in range(n)]


@pytest.mark.parametrize("is_tls", [False, True])
def test_of_many_who_come_at_once_no_more_are_let_in(authority: Authority, is_tls: bool) -> None:
    own = authority.sign("server", host=HOST)
    tls = Tls(settings(tls_certificate=own.certificate, tls_key=own.key)) if is_tls else None

    async def test() -> None:
        async with house(3, tls and tls.context) as port:
            came = comers(port, 20)
            for each in came:
                each.setblocking(False)
            loop = asyncio.get_running_loop()
            reading = [asyncio.create_task(loop.sock_recv(each, 1)) for each in came]
            async with asyncio.timeout(60):
                while sum(each.done() for each in reading) < 17:
                    await asyncio.sleep(0.01)
            assert [each.result() for each in reading if each.done()] == [b""] * 17
            for each, read in zip(came, reading, strict=True):
                read.cancel()
                each.close()

    asyncio.run(test())


def test_who_does_not_begin_tls_has_a_place_until_that_is_over(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = authority.sign("server", host=HOST)
    tls = Tls(settings(tls_certificate=own.certificate, tls_key=own.key)).context
    caller = ssl.create_default_context(cafile=str(authority.certificate))

    async def enter(port: int) -> bool:
        try:
            reader, writer = await asyncio.open_connection(
                HERE, port, ssl=caller, server_hostname=HOST
            )
        except OSError:
            return False
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        told = await reader.read()
        writer.close()
        return told.startswith(b"HTTP/1.1 404")

    async def test() -> None:
        async with house(2, tls) as port:
            assert await enter(port)
            silent = comers(port, 2)
            async with asyncio.timeout(60):
                while await enter(port):
                    await asyncio.sleep(0.01)
            monkeypatch.setattr(listening, "HANDSHAKE_S", 0.0)
            assert await enter(port)
            for each in silent:
                each.close()

    asyncio.run(test())


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (b"Content-Length: 1\r\nContent-Length: 2", "Duplicate Content-Length"),
        (b"Content-Length: 1\r\nTransfer-Encoding: chunked", "can't be present"),
        (b"ce-id: " + b"a" * 9000, "more than 8190 bytes"),
        (b"ce-id: a\x00b", "header value"),
    ],
)
def test_what_is_no_http_is_told_as_the_protocol_has_it(head: bytes, text: str) -> None:
    async def test() -> None:
        async with house(1) as port:
            reader, writer = await asyncio.open_connection(HERE, port)
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\nx")
            told, body = (await reader.read()).split(b"\r\n\r\n")
            assert told.startswith(b"HTTP/1.0 400 ")
            assert b"Content-Type: application/json\r\n" in told
            assert b"aiohttp" not in told + body
            assert text in json.loads(body)["error"]
            writer.close()

    asyncio.run(test())
