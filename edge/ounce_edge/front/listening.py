"""The socket, its TLS, and how many may be connected."""

import asyncio
import logging
import resource
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import web
from ounce_schemas.errors import OunceError

from ounce_edge.front.responses import HEADER_SERVER, SERVER_NAME, refusal
from ounce_edge.front.settings import HttpSettings
from ounce_edge.front.statuses import NotAnsweredError

logger = logging.getLogger(__name__)

BACKLOG = 1024
HANDSHAKE_S = 10.0
"""So long a caller may take over TLS."""
_OTHER_FILES = 256
"""Of Kafka's clients, metrics and libraries."""


class Entrance(socket.socket):
    """A socket that listens. Whom its door does not admit it closes at once: TLS would keep him
    until its handshake is over."""

    admits: Callable[[], bool]
    """Asked for each caller."""

    def accept(self) -> tuple[socket.socket, Any]:
        """As a socket does.

        Raises:
            ConnectionAbortedError: the caller is not admitted.
        """
        connection, address = super().accept()
        if not self.admits():
            connection.close()
            raise ConnectionAbortedError
        return connection, address


def open_socket(settings: HttpSettings) -> Entrance:
    """The socket to listen on.

    Raises:
        OunceError: it can't be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        made = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
        return Entrance(fileno=made.detach())
    except OSError as e:
        raise OunceError(
            f"can't listen on {settings.host} port {settings.port}: {e.strerror or e}; "
            "choose another --port"
        ) from e


def allow_connections(most: int) -> int:
    """Have the system permit as many open files as connections need; how many it permits.

    Args:
        most: connections that are wanted.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + _OTHER_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < wanted:
        logger.warning("%d open files are permitted: at most %d callers", soft, _left(soft))
    return min(most, _left(soft))


def _left(files: int) -> int:
    return max(files - _OTHER_FILES, 1)


class Tls:
    """What makes connections secret. A certificate that was replaced counts for the next ones.

    Args:
        settings: name the files.

    Raises:
        OunceError: they can't be used.
    """

    def __init__(self, settings: HttpSettings) -> None:
        self.context: ssl.SSLContext | None = None
        """None: callers speak plain HTTP."""
        self._settings = settings
        self._loaded = self._content()
        if settings.tls_certificate is None:
            return
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            self._load(self.context)
            if settings.tls_client_ca is not None:
                self.context.load_verify_locations(settings.tls_client_ca)
                self.context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ValueError) as e:
            raise OunceError(f"TLS can't be served with these files: {_text(e)}") from e

    def read_again(self) -> None:
        """Take the certificate and key that the files hold by now. Files that can't be used are
        told of, and the certificate stays."""
        content = self._content()
        if self.context is None or content == self._loaded:
            return
        self._loaded = content
        try:
            # Tried apart first: a context that took half of a pair would serve nobody.
            self._load(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
            self._load(self.context)
        except (OSError, ValueError) as e:
            logger.error("the certificate stays as it was: %s", _text(e))
        else:
            logger.info("the certificate was replaced")

    def _load(self, context: ssl.SSLContext) -> None:
        certificate, key = self._settings.tls_certificate, self._settings.tls_key
        assert certificate is not None
        # A key that is encrypted would be asked for on a terminal.
        context.load_cert_chain(certificate, key, password="")

    def _content(self) -> list[bytes]:
        paths = (self._settings.tls_certificate, self._settings.tls_key)
        return [_bytes(path) for path in paths if path is not None]


class Door:
    """Makes the connections of a server, at most so many.

    Args:
        entrance: where callers come in.
        server: of aiohttp.
        most: connections.
        idle_s: so long a connection may say nothing, or take over the head of a request.
    """

    def __init__(self, entrance: Entrance, server: web.Server, most: int, idle_s: float) -> None:
        self._server = server
        self._most = most
        self._idle_s = idle_s
        self._is_full = False
        self._n_admitted = 0
        """Callers who have no connection yet."""
        self._begun: dict[asyncio.BaseProtocol, float] = {}
        """Connections that the server does not count yet, and when they came."""
        entrance.admits = self._admits

    def __call__(self) -> asyncio.BaseProtocol:
        """The protocol of one connection."""
        self._n_admitted -= 1
        loop = asyncio.get_running_loop()
        connection = _Connection(
            self._server,
            loop=loop,
            keepalive_timeout=self._idle_s,
            auto_decompress=False,  # it takes what is cut off for whole
        )
        connection.begun, self._begun[connection] = self._begun, loop.time()
        return connection

    def _admits(self) -> bool:
        now_s = asyncio.get_running_loop().time()
        while self._begun and next(iter(self._begun.values())) < now_s - HANDSHAKE_S:
            del self._begun[next(iter(self._begun))]  # TLS came to nothing
        n = len(self._server.connections) + len(self._begun) + self._n_admitted
        is_full = n >= self._most
        if is_full and not self._is_full:
            logger.warning("%d callers are connected (--max-connections): no more", self._most)
        self._is_full = is_full
        self._n_admitted += not is_full
        return not is_full


class _Connection(web.RequestHandler):
    """One connection. What is no HTTP is told as the protocol has it, too."""

    begun: dict[asyncio.BaseProtocol, float]
    """Holds it until the server counts it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The server counts it."""
        self.begun.pop(self, None)
        super().connection_made(transport)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The last answer of a connection."""
        super().handle_error(request, status, exc, message)  # raises where an answer has begun
        lines = (message or "").splitlines()  # further lines show what was sent
        what = lines[0][:80].rstrip(":") if lines else str(exc)[:80]
        text = f"no HTTP that can be read: {what}" if status < 500 else "the front failed"
        response = refusal(NotAnsweredError(status, text))
        response.headers[HEADER_SERVER] = SERVER_NAME
        response.force_close()
        return response


def _bytes(path: Path) -> bytes:
    with suppress(OSError):
        return path.read_bytes()
    return b""


def _text(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
