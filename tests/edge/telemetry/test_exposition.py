"""The page is that of prometheus-client, made sooner."""

import gzip
from typing import Any

import pytest
from ounce_edge.telemetry.exposition import make_metrics_app, page_of
from ounce_edge.telemetry.metrics import Metrics
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.exposition import choose_encoder

from tests.services.workers.serving_pages import HEAVY, LIGHT, FakeWorker

HOSTILE = 'a"b\\n\\\nc}ö\r'
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
PLAIN = "text/plain;version=0.0.4"


def lines(page: bytes) -> list[str]:
    """Without what changes from one look to the next: the process' own figures, and Python's."""
    found = page.decode().split("\n")
    return [line for line in found if not line.startswith(("process_", "python_gc_"))]


@pytest.fixture
def metrics() -> Metrics:
    worker = FakeWorker(HOSTILE)
    worker.answer(LIGHT, [2.0, 8.0] * 3, late=1)
    worker.answer(HEAVY, [20_000.0])
    worker.metrics.set_lag({("digits", 0): 123_456_789, ("digits", 1): 10**21})
    worker.metrics.exemplify(HOSTILE, 8.0, "ab" * 16)
    return worker.metrics


@pytest.mark.parametrize("accept", [OPENMETRICS, PLAIN, ""])
def test_the_page_is_that_of_the_client_library(metrics: Metrics, accept: str) -> None:
    encode, content_type = choose_encoder(accept)
    for _ in range(2):  # the second is from memory
        page = page_of(metrics.registry, content_type.startswith("application/openmetrics"))
        assert lines(page) == lines(encode(metrics.registry))
    metrics.set_lag({("digits", 7): 3})
    page = page_of(metrics.registry, content_type.startswith("application/openmetrics"))
    assert lines(page) == lines(encode(metrics.registry))


@pytest.mark.parametrize(
    "value",
    [0, 1, -1, 0.1, 1e-9, 999_999.5, 1e6, 1234567.25, 1e21, 1e300, float("inf"), float("-inf"),
     float("nan"), True],
)  # fmt: skip
def test_numbers_are_written_as_the_library_does(value: float) -> None:
    registry = CollectorRegistry()
    Gauge("g", "text with \\ and\nmore", registry=registry).set(value)
    Counter("c", "text", ["l"], registry=registry).labels("x").inc(abs(value) if value > 0 else 0)
    assert page_of(registry, False) == generate_latest(registry)


def scrape(registry: CollectorRegistry, **environ: str) -> tuple[str, dict[str, str], bytes]:
    told: list[Any] = []
    usual = {"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics", "QUERY_STRING": ""}
    app = make_metrics_app(registry)
    body = b"".join(app({**usual, **environ}, lambda *given: told.extend(given)))
    return told[0], dict(told[1]), body


def test_a_scrape_gets_the_format_and_the_encoding_that_it_asks_for(metrics: Metrics) -> None:
    status, headers, body = scrape(
        metrics.registry, HTTP_ACCEPT=OPENMETRICS, HTTP_ACCEPT_ENCODING="gzip"
    )
    assert status == "200 OK"
    assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body).endswith(b"# EOF\n")
    _, headers, body = scrape(metrics.registry)
    assert headers == {"Content-Type": choose_encoder("")[1]}
    assert b"# EOF" not in body


def test_a_part_of_the_page_and_other_methods_are_as_the_library_has_them(
    metrics: Metrics,
) -> None:
    status, _, body = scrape(metrics.registry, QUERY_STRING="name[]=ounce_policy_info")
    assert status == "200 OK"
    assert b"ounce_policy_info" in body
    assert b"ounce_messages" not in body
    assert scrape(metrics.registry, REQUEST_METHOD="POST")[0].startswith("405")
