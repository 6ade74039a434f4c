"""OTLP by OpenTelemetry's exporters. Their own complaints are not logged line by line."""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from ounce_schemas import __version__

from ounce_edge.telemetry.spans import SpanMaker
from ounce_edge.telemetry.trace_protocol import GRPC_PORT, TraceProtocol
from ounce_edge.telemetry.trace_sender import TraceSender

_TIMEOUT_S = 5.0
_PATH = "/v1/traces"
_LIBRARY = "opentelemetry"


class _LastWords(logging.Handler):
    """Keeps the last thing that was logged."""

    text = "the receiver did not take them"

    def emit(self, record: logging.LogRecord) -> None:
        self.text = " ".join(record.getMessage().split())[:300]


def make_sender(
    url: str,
    worker: str,
    group: str,
    count: Callable[[str, int], None],
    protocol: TraceProtocol = TraceProtocol.HTTP,
) -> TraceSender:
    """A sender that has begun.

    Further settings, such as headers and certificates, are those of OpenTelemetry's environment
    variables OTEL_EXPORTER_OTLP_*.

    Args:
        url: of the receiver. For HTTP without a path, /v1/traces is added; for gRPC without a
            port, 4317.
        worker: name of the worker.
        group: its consumer group.
        count: as in `TraceSender`.
        protocol: how spans are sent.

    Raises:
        ModuleNotFoundError: the exporter is not installed.
    """
    exporter = _make_exporter(url, protocol)
    last_words = _LastWords()
    library = logging.getLogger(_LIBRARY)
    library.addHandler(last_words)
    library.propagate = False

    def export(spans: Sequence[Any]) -> bool:
        return exporter.export(spans) is SpanExportResult.SUCCESS

    maker = SpanMaker(__version__, worker, group)
    sender = TraceSender(maker, export, count, lambda: f"{url}: {last_words.text}")
    sender.start()
    return sender


def _make_exporter(url: str, protocol: TraceProtocol) -> SpanExporter:
    # Each needs a package that the other does not.
    if protocol is TraceProtocol.GRPC:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it would write past the log
        from opentelemetry.exporter.otlp.proto.grpc import exporter
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc

        exporter.logger.filters.clear()  # it hides what fails twice within 20 seconds
        return grpc.OTLPSpanExporter(endpoint=grpc_endpoint_of(url), timeout=_TIMEOUT_S)
    from opentelemetry.exporter.otlp.proto.http import trace_exporter as http

    return http.OTLPSpanExporter(endpoint=endpoint_of(url), timeout=_TIMEOUT_S)


def grpc_endpoint_of(url: str) -> str:
    """The address that spans are sent to over gRPC: scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" + ("" if parts.port else f":{GRPC_PORT}")


def endpoint_of(url: str) -> str:
    """The address that spans are posted to over HTTP."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return url if slash and path else f"{scheme}://{host}{_PATH}"
