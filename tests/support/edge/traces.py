"""Traced messages for tests: a pipeline whose reports keep trails, and receivers of traces."""

import random
import threading
from collections import Counter
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.turn import Turn
from ounce_edge.telemetry.trace_choice import TraceChoice
from ounce_edge.telemetry.trace_facts import LetterFacts, Traced, TracedGroup
from ounce_edge.telemetry.tracing import Tracing

from tests.support.edge.ladders import FakeRecord, Outbox
from tests.support.edge.pipelines import NOW_S, Clock

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def traceparent(flags: str = "01", trace: str = TRACE) -> tuple[str, bytes]:
    """The header of a message that is part of a trace."""
    return "traceparent", f"00-{trace}-{PARENT}-{flags}".encode()


class Taken:
    """A sender that keeps what it is given."""

    def __init__(self) -> None:
        self.traced: list[Traced] = []
        self.counts = Counter[str]()

    def send(self, traced: Traced, n: int) -> None:
        self.traced.append(traced)
        self.counts["sent"] += n

    def count(self, outcome: str, n: int) -> None:
        self.counts[outcome] += n

    def close(self) -> None:
        pass

    @property
    def groups(self) -> list[TracedGroup]:
        return [each for each in self.traced if isinstance(each, TracedGroup)]

    @property
    def letters(self) -> list[LetterFacts]:
        return [each for each in self.traced if isinstance(each, LetterFacts)]

    @property
    def offsets(self) -> list[int]:
        """Of the messages that were answered and are traced."""
        return [message.offset for group in self.groups for message in group.messages]


def trace(
    pipeline: Pipeline,
    records: Sequence[FakeRecord],
    sender: Any,
    *,
    share: float = 0.0,
    per_s: float = 1000.0,
    clock: Any = None,
    exemplify: Any = None,
) -> None:
    """Answer records, and have what came of them traced."""
    pipeline.keeps_trails = True
    steady = clock or Clock()
    choice = TraceChoice(share, per_s, lambda: 0.0, random.Random(1))
    clocks = Clocks(lambda: NOW_S, steady)
    tracing = Tracing(choice, sender, exemplify or (lambda *_: None), clocks)
    outbox = Outbox()
    tracing.observe(pipeline.admit(records, outbox))
    while len(pipeline.waiting):
        tracing.observe(pipeline.step(outbox, Turn(slice_ms=1000.0)))


class Receiver:
    """A receiver of OTLP over HTTP, made of OpenTelemetry's own messages; a context manager.

    Args:
        status: that it answers with.
        holds: every answer waits until this is set.
    """

    def __init__(self, status: int = 200, holds: threading.Event | None = None) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
            ExportTraceServiceResponse,
        )

        self.requests: list[Any] = []
        self.paths: list[str] = []
        came = self._came = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if holds is not None:
                    holds.wait(60)
                with came:
                    receiver.paths.append(self.path)
                    receiver.requests.append(ExportTraceServiceRequest.FromString(body))
                    came.notify_all()
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(status)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def spans(self) -> list[Any]:
        """All spans that came."""
        return [
            span
            for request in self.requests
            for of_resource in request.resource_spans
            for of_scope in of_resource.scope_spans
            for span in of_scope.spans
        ]

    def wait_for(self, n_spans: int, timeout_s: float = 60.0) -> None:
        """Return once so many came.

        Raises:
            TimeoutError: they did not.
        """
        with self._came:
            if not self._came.wait_for(lambda: len(self.spans) >= n_spans, timeout_s):
                raise TimeoutError(f"{len(self.spans)} spans came, not {n_spans}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Go away."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
