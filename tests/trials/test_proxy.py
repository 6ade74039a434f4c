"""A link passes on all bytes, and cuts, silences or delays them when told to."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support.process.child import free_port
from tests.support.process.wait import wait_until
from trials.chaos.proxy import Link, Proxy


class Echo:
    """A server that sends back what it gets; one thread per connection."""

    def __init__(self) -> None:
        self.port = free_port()
        self._socket: socket.socket | None = None
        self.start()

    def start(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._socket,), daemon=True).start()

    def stop(self) -> None:
        if self._socket is not None:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            self._socket = None

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65_536):
                    connection.sendall(data)
            except OSError:
                return


@pytest.fixture
def echo() -> Iterator[Echo]:
    own = Echo()
    yield own
    own.stop()


@pytest.fixture
def link(echo: Echo) -> Iterator[Link]:
    with Proxy() as proxy:
        yield proxy.link(free_port(), echo.port)


def connect(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=60)


def echoed(connection: socket.socket, data: bytes) -> bytes:
    def send() -> None:
        with suppress(OSError):  # the other end may be reset: what came back tells
            connection.sendall(data)

    threading.Thread(target=send, daemon=True).start()
    back = b""
    while len(back) < len(data):
        more = connection.recv(65_536)
        if not more:
            raise ConnectionError("closed too early")
        back += more
    return back


def connects_within(link: Link, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with connect(link) as connection:
                return echoed(connection, b"x") == b"x"
        except OSError:
            time.sleep(0.05)
    return False


def test_bytes_pass_unchanged(link: Link) -> None:
    data = bytes(range(256)) * 5000
    with connect(link) as one, connect(link) as other:
        assert echoed(one, data) == data
        assert echoed(other, data[::-1]) == data[::-1]
    assert link.n_connections == 2
    assert link.n_bytes == 4 * len(data)


def test_cut_resets_connections_and_refuses_new_ones(link: Link) -> None:
    with connect(link) as connection:
        assert echoed(connection, b"before") == b"before"
        link.cut()
        with pytest.raises(OSError, match="refused"):
            connect(link)
        with suppress(ConnectionError):
            assert connection.recv(1) == b""
    link.heal()
    with connect(link) as connection:
        assert echoed(connection, b"after") == b"after"


def test_silence_holds_back_and_loses_nothing(link: Link) -> None:
    with connect(link) as connection:
        assert echoed(connection, b"before") == b"before"
        link.silence()
        time.sleep(0.1)
        connection.sendall(b"meanwhile")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        link.heal()
        connection.settimeout(5)
        assert connection.recv(100) == b"meanwhile"


def test_reset_ends_connections_and_accepts_new_ones(link: Link) -> None:
    with connect(link) as connection:
        assert echoed(connection, b"before") == b"before"
        link.reset()
        with suppress(ConnectionError):
            assert connection.recv(1) == b""
    assert connects_within(link, 5)


def test_delay_makes_each_way_take_longer(link: Link) -> None:
    with connect(link) as connection:
        assert echoed(connection, b"before") == b"before"
        link.delay(0.2)
        start_s = time.monotonic()
        assert echoed(connection, b"slow") == b"slow"
        assert time.monotonic() - start_s >= 0.4
        link.heal()
        start_s = time.monotonic()
        assert echoed(connection, b"fast") == b"fast"
        assert time.monotonic() - start_s < 0.2


def test_while_the_target_is_away_connections_are_refused(link: Link, echo: Echo) -> None:
    with connect(link) as connection:
        assert echoed(connection, b"before") == b"before"
        echo.stop()
        connection.close()
    wait_until(lambda: not connects_within(link, 0.05), lambda: "it still connects")
    time.sleep(0.3)
    with pytest.raises(OSError, match="refused"):
        connect(link)
    echo.start()
    assert connects_within(link, 5)
