"""The process of the front: an event loop for callers, and a thread each for both ways of Kafka."""

import asyncio
import logging
import signal
import time
from contextlib import ExitStack, suppress
from functools import partial

from aiohttp import web

from ounce_edge.broker.certificates import FilesOfStart, certificate_expiries, expiry_s
from ounce_edge.broker.group_question import GroupQuestion
from ounce_edge.front.answer_reading import AnswerReader
from ounce_edge.front.calls import Calls
from ounce_edge.front.instruments import FrontInstruments
from ounce_edge.front.listening import (
    BACKLOG,
    HANDSHAKE_S,
    Door,
    Entrance,
    Tls,
    allow_connections,
    open_socket,
)
from ounce_edge.front.pages import Pages
from ounce_edge.front.sending import Sender
from ounce_edge.front.settings import HttpSettings
from ounce_edge.front.tokens import Tokens
from ounce_edge.front.waiting import Waiting
from ounce_edge.front.workers import Workers
from ounce_edge.telemetry.health import serve_health
from ounce_edge.telemetry.process_registry import process_registry

logger = logging.getLogger(__name__)

_STALLED_S = 30.0
_AGAIN_S = 5.0
"""From one look at files that may have been replaced to the next."""
_IDLE_S = 75.0
"""So long a connection may say nothing, or take over the head of a request."""
_FAREWELL_S = 2.0
"""At the end, for requests that callers have sent by then. Their answers end their connections."""
_TURN_S = 0.05
_CLOSE_S = 1.0
"""For what is left to be written."""


class Front:
    """Serves callers until it is told to stop; then it answers those who wait.

    Args:
        settings: of the process.

    Raises:
        OunceError: files of the settings can't be used.
    """

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._tokens = Tokens(settings.tokens_file)
        self._tls = Tls(settings)
        self._files = FilesOfStart(settings)
        self._registry = process_registry()
        self._metrics = FrontInstruments(self._registry)
        self._reader: AnswerReader | None = None
        self._sender: Sender | None = None
        self._workers = Workers(settings.task, settings.group, settings.grace_s)
        self.is_stopping = False
        """Whether each answer is the last one of its connection."""
        self._turned_s = time.monotonic()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            OunceError: a port can't be had.
        """
        asyncio.run(self._serve())

    def healthy(self) -> tuple[bool, str]:
        """Whether this process can go on by itself."""
        parts = [part for part in (self._sender, self._reader) if part is not None]
        own_s = 0.0 if self.is_stopping else time.monotonic() - self._turned_s
        stalled_s = max([own_s, *(part.stalled_s for part in parts)])
        if stalled_s > _STALLED_S:
            return False, f"no progress for {stalled_s:.0f} s: restart this front"
        is_away = self._reader is not None and self._reader.is_away
        if is_away and (replaced := self._files.replaced()):
            names = ", ".join(map(str, replaced))
            return False, f"Kafka is away, and {names} was replaced: restart this front"
        is_ready, why = self._readiness()
        return True, "healthy" if is_ready else f"alive, not ready: {why}"

    def ready(self) -> tuple[bool, str]:
        """Whether requests go and answers come back, and what hinders it otherwise."""
        is_ready, why = self._readiness()
        if not is_ready:
            return False, why
        is_alive, why = self.healthy()
        return (True, "ready") if is_alive else (False, why)

    def trouble_of(self, task: str) -> str | None:
        """Why requests of a task are not served now; None where they are."""
        return self._own_trouble(task) or self._workers.trouble(task)

    def _own_trouble(self, task: str) -> str | None:
        """Why requests of a task do not reach Kafka, or answers this front."""
        if self.is_stopping:
            return "stopping"
        if self._sender is None or self._reader is None:
            return "starting"
        if self._sender.is_away:
            return "Kafka confirms no requests"
        return self._reader.trouble(task)

    def _readiness(self) -> tuple[bool, str]:
        troubles = [why for task in self._settings.task if (why := self._own_trouble(task))]
        if not troubles and self._reader is not None and self._reader.is_away:
            troubles = ["Kafka does not answer"]
        return not troubles, "; ".join(dict.fromkeys(troubles)) or "ready"

    async def _serve(self) -> None:
        # Tracebacks of whatever is no HTTP, and a line for each call. The pages tell of our faults.
        for name in ("aiohttp.server", "aiohttp.access"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        settings = self._settings
        kafka = {"bootstrap.servers": settings.kafka, **settings.security}
        with ExitStack() as opened:
            listening = opened.enter_context(open_socket(settings))
            stop_health, metrics_port = serve_health(
                settings.metrics_host, settings.metrics_port, self, self._registry
            )
            opened.callback(stop_health)
            waiting = Waiting(settings.max_waiting, self._metrics.unclaimed.inc)
            sender = Sender(kafka, settings.max_message_bytes, settings.patience_s)
            opened.callback(sender.close)
            reader = AnswerReader(kafka, settings.task, waiting.mark, waiting.finish)
            opened.callback(reader.close)
            self._sender, self._reader = sender, reader
            calls = Calls(settings, sender, reader, self._workers, waiting)
            app = Pages(settings, calls, self, self._tokens, self._metrics).make_app()
            question = GroupQuestion(kafka, settings.group)
            opened.callback(question.close)
            watching = asyncio.create_task(self._workers.watch(question))
            opened.callback(watching.cancel)
            await self._serve_callers(app, listening, metrics_port, waiting, calls)
        logger.info("stopped")

    async def _serve_callers(
        self,
        app: web.Application,
        listening: Entrance,
        metrics_port: int,
        waiting: Waiting,
        calls: Calls,
    ) -> None:
        settings, loop, stopped = self._settings, asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(
            app,
            handler_cancellation=True,  # nobody waits for a caller who has gone
            shutdown_timeout=_CLOSE_S,
        )
        await runner.setup()
        assert runner.server is not None
        self._show(waiting, runner.server)
        most = allow_connections(settings.max_connections)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        server = await loop.create_server(
            Door(listening, runner.server, most, _IDLE_S),
            sock=listening,
            ssl=self._tls.context,
            ssl_handshake_timeout=None if self._tls.context is None else HANDSHAKE_S,
            backlog=BACKLOG,
        )
        self._tell(listening.getsockname()[1], metrics_port)
        await self._look_after(stopped)
        self.is_stopping = True
        server.close()
        logger.info("stopping: %d requests wait", len(waiting))
        await self._drain(runner.server, calls)
        waiting.give_up()
        await runner.cleanup()

    async def _drain(self, server: web.Server, calls: Calls) -> None:
        """Hear what callers have sent by now, and answer them."""
        begun_s = time.monotonic()
        while server.connections:
            took_s = time.monotonic() - begun_s
            if took_s > self._settings.drain_s or (took_s > _FAREWELL_S and not calls.n_open):
                return
            await asyncio.sleep(_TURN_S)

    async def _look_after(self, stopped: asyncio.Event) -> None:
        """Come round until it is to stop."""
        looked_s = time.monotonic()
        while not stopped.is_set():
            self._turned_s = time.monotonic()
            if self._turned_s - looked_s > _AGAIN_S:
                looked_s = self._turned_s
                self._tokens.read_again()
                self._tls.read_again()
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), 1.0)

    def _show(self, waiting: Waiting, server: web.Server) -> None:
        metrics, sender = self._metrics, self._sender
        assert sender is not None
        metrics.waiting.set_function(lambda: len(waiting))
        metrics.connections.set_function(lambda: len(server.connections))
        metrics.unconfirmed.set_function(lambda: sender.n_unconfirmed)
        metrics.away.set_function(lambda: sender.is_away)
        metrics.ready.set_function(lambda: self.ready()[0])
        for name, at_s in certificate_expiries(self._settings).items():
            metrics.certificates.labels(name).set(at_s)
        path = self._settings.tls_certificate
        if path is not None:
            metrics.certificates.labels("tls_certificate").set_function(partial(expiry_s, path))

    def _tell(self, port: int, metrics_port: int) -> None:
        settings = self._settings
        scheme = "http" if self._tls.context is None else "https"
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        logger.info("%s://%s:%d/v2, metrics on port %d", scheme, host, port, metrics_port)
        if settings.is_open:
            logger.warning(
                "whoever reaches %s may ask: --tokens-file or --tls-client-ca says who may", host
            )
