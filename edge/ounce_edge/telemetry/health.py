"""Whether a worker is alive, whether it is ready, and the port that tells."""

import errno
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from socketserver import ThreadingMixIn
from types import MappingProxyType
from typing import Any, Protocol
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from ounce_schemas.errors import OunceError
from prometheus_client import CollectorRegistry

from ounce_edge.telemetry.exposition import make_metrics_app

logger = logging.getLogger(__name__)

STALLED_AFTER_S = 30.0
"""A worker that did not come round for this long is not alive."""
ANSWERING = "metrics-answer"
"""Name of the threads that answer."""
_LAST_ANSWERS_S = 1.0
"""How long answers under way may take when the port is closed."""
_SILENT_S = 10.0
"""Who connects and says nothing for so long is left: each holds a thread and a file."""

_NO_FILES = (errno.EMFILE, errno.ENFILE)
_NO_FILES_S = 1.0
"""From one try to let somebody in to the next, while this process has no file left to open."""


def _no_trouble() -> str | None:
    return None


@dataclass
class Health:
    """Written by the worker, read by the server's threads; single assignments, so no lock.

    Alive is a worker that can go on by itself. Ready is one that can serve now. What hinders it
    from outside, such as a silent broker, makes it not ready, and leaves it alive: to restart it
    would not help.

    Times are seconds on any steady clock.
    """

    clock: Callable[[], float]
    starting: str | None = "the worker is starting"
    """What the start waits for; None once all models serve."""
    partitions: int = 0
    draining: bool = False
    delivery_trouble: Callable[[], str | None] = _no_trouble
    """Why the broker takes no answers."""
    broker_trouble: str | None = None
    """Why the broker can't be asked anything."""
    group_trouble: str | None = None
    """Why the group gives this worker no partitions."""
    reading_trouble: str | None = None
    """What is not read although it could be, and restarting the consumer did not help."""
    replaced_files: Callable[[], Collection[Path]] = tuple
    """Files of the connection that are others than at the start."""
    progress_at_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.progress_at_s = self.clock()

    def progressed(self) -> None:
        """Records were finished, or there was nothing to do."""
        self.progress_at_s = self.clock()

    def loaded(self) -> None:
        """All models serve; from now on it has to come round."""
        self.progressed()
        self.starting = None

    def trouble(self) -> str | None:
        """What outside this process hinders it from serving."""
        return self.delivery_trouble() or self.broker_trouble or self.group_trouble

    def ready(self) -> tuple[bool, str]:
        """Whether requests are being served, and what is missing otherwise."""
        if self.draining:
            return False, "draining"
        if self.starting:
            return False, self.starting
        if trouble := self.trouble():
            return False, trouble
        if not self.partitions:
            return False, "no partition is assigned"
        is_alive, why = self.healthy()
        return (True, "ready") if is_alive else (False, why)

    def healthy(self) -> tuple[bool, str]:
        """Whether this process can go on by itself, and what is the matter otherwise.

        A start may take longer than a worker that serves may be silent: it waits for Kafka, and
        loads and measures large models. A restart would begin it again.
        """
        if self.starting:
            return True, f"alive, not ready: {self.starting}"
        if self.reading_trouble:
            return False, self.reading_trouble
        if self._is_left_out() and (replaced := self.replaced_files()):
            names = ", ".join(map(str, replaced))
            return False, f"no partition is assigned, and {names} was replaced: restart this worker"
        if stalled_s := self.stalled_s:
            return False, f"no progress for {stalled_s:.0f} s: restart this worker"
        trouble = self.trouble()
        return True, f"alive, not ready: {trouble}" if trouble else "healthy"

    @property
    def stalled_s(self) -> float:
        """How long there was no progress, where that is too long; else 0."""
        passed_s = self.clock() - self.progress_at_s
        return passed_s if not self.starting and passed_s > STALLED_AFTER_S else 0.0

    def _is_left_out(self) -> bool:
        """Whether the broker answers, and this worker gets nothing."""
        return not self.partitions and not self.trouble()


class Probes(Protocol):
    """What the port asks of a process."""

    def healthy(self) -> tuple[bool, str]:
        """Whether it can go on by itself, and a line that says why not."""

    def ready(self) -> tuple[bool, str]:
        """Whether it serves, and a line that says why not."""


class _Server(ThreadingMixIn, WSGIServer):
    """Sleeps until somebody asks or it is to end: `serve_forever` would look twice a second."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._ending, self._end = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)
        self._answering: list[threading.Thread] = []
        self._lacks_files = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests, and let answers under way end: half a page is none."""
        self._end.close()
        self._thread.join()
        give_up_s = time.monotonic() + _LAST_ANSWERS_S
        for thread in self._answering:
            thread.join(max(give_up_s - time.monotonic(), 0.0))
        self._ending.close()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread of its own."""
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name=ANSWERING,
            daemon=True,
        )
        self._answering = [*(one for one in self._answering if one.is_alive()), thread]
        thread.start()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(self._ending, selectors.EVENT_READ)
            while all(key.fileobj is self for key, _ in selector.select()):
                self.handle_request()
                if self._lacks_files and self._ends_within(_NO_FILES_S):
                    return

    def get_request(self) -> tuple[socket.socket, Any]:
        """Let somebody in. Who can't be stays at the door, where `select` sees them at once."""
        try:
            found = super().get_request()
        except OSError as e:
            if e.errno in _NO_FILES and not self._lacks_files:
                self._lacks_files = True
                logger.error("nobody can ask for metrics and health, trying again: %s", e.strerror)
            raise
        if self._lacks_files:
            self._lacks_files = False
            logger.info("metrics and health can be asked for again")
        return found

    def _ends_within(self, seconds: float) -> bool:
        self._ending.settimeout(seconds)
        try:
            return self._ending.recv(1) == b""
        except TimeoutError:
            return False


class _QuietHandler(WSGIRequestHandler):
    timeout = _SILENT_S

    def handle(self) -> None:
        """Who goes away, or says nothing, is not worth a line either."""
        with suppress(OSError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are not worth a line each."""


def serve_health(
    host: str,
    port: int,
    health: Probes,
    registry: CollectorRegistry,
    pages: Mapping[str, Callable[[], bytes]] = MappingProxyType({}),
) -> tuple[Callable[[], None], int]:
    """Serve /metrics, /healthz and /readyz on threads of their own.

    Args:
        host: to listen on.
        port: likewise; 0: any that is free.
        health: answers the probes.
        registry: of the metrics.
        pages: more of them, JSON, by path.

    Returns:
        A function that stops the server, and the port it listens on.

    Raises:
        OunceError: the port can't be had.
    """
    metrics = make_metrics_app(registry)
    others = ", ".join(["/metrics", *pages, "/healthz"])

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            body: Iterable[bytes] = metrics(environ, start_response)
            return body
        if path in pages:
            start_response("200 OK", [("Content-Type", "application/json")])
            return [pages[path]()]
        probe = {"/healthz": health.healthy, "/readyz": health.ready}.get(path)
        ok, text = probe() if probe else (False, f"try {others} or /readyz")
        status = "404 Not Found" if probe is None else "200 OK" if ok else "503 Service Unavailable"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{text}\n".encode()]

    try:
        server = make_server(host, port, app, _Server, _QuietHandler)
    except OSError as e:
        raise OunceError(
            f"can't listen on {host}:{port} for metrics: {e.strerror or e}; "
            "choose another --metrics-port"
        ) from e
    server.start()
    return server.stop, server.server_port
