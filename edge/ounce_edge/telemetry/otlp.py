"""OTLP over HTTP, by OpenTelemetry's exporter. Its own complaints are not logged line by line."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult
from ounce_schemas import __version__

from ounce_edge.telemetry.spans import SpanMaker
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
    url: str, worker: str, group: str, count: Callable[[str, int], None]
) -> TraceSender:
    """A sender that has begun.

    Further settings, such as headers and certificates, are those of OpenTelemetry's environment
    variables OTEL_EXPORTER_OTLP_*.

    Args:
        url: of the receiver; without a path, /v1/traces is added.
        worker: name of the worker.
        group: its consumer group.
        count: as in `TraceSender`.
    """
    last_words = _LastWords()
    library = logging.getLogger(_LIBRARY)
    library.addHandler(last_words)
    library.propagate = False
    exporter = OTLPSpanExporter(endpoint=endpoint_of(url), timeout=_TIMEOUT_S)

    def export(spans: Sequence[Any]) -> bool:
        return exporter.export(spans) is SpanExportResult.SUCCESS

    maker = SpanMaker(__version__, worker, group)
    sender = TraceSender(maker, export, count, lambda: f"{url}: {last_words.text}")
    sender.start()
    return sender


def endpoint_of(url: str) -> str:
    """The address that spans are posted to."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return url if slash and path else f"{scheme}://{host}{_PATH}"
