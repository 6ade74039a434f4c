"""The Prometheus of the test suite scrapes and answers."""

import socket
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry, Counter, start_http_server

from tests.support.process.child import free_port
from tests.support.process.prometheus import Prometheus, PrometheusUnavailableError, QueryError

StartPrometheus = Callable[[str], Prometheus]


@pytest.mark.prometheus
def test_it_scrapes_what_a_server_exposes(prometheus: StartPrometheus) -> None:
    registry = CollectorRegistry()
    counter = Counter("tests_total", "Tests.", ["kind"], registry=registry)
    counter.labels(kind="real").inc(3)
    port = free_port()
    server, thread = start_http_server(port, "127.0.0.1", registry)
    try:
        started = prometheus(f"127.0.0.1:{port}")
        (sample,) = started.wait_for('tests_total{kind="real"}')
        assert sample.value == 3
        assert sample.labels == {
            "kind": "real",
            "job": "ounce",
            "instance": f"127.0.0.1:{port}",
        }
        assert "tests_total" in started.metric_names()
        assert started.query("absent_total") == []
        with pytest.raises(QueryError, match="parse error"):
            started.query("sum(")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.prometheus
def test_a_target_that_is_down_is_named(prometheus: StartPrometheus) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        started = prometheus(target)
        started.wait_for("up == 0")
        with pytest.raises(AssertionError, match=f"{target}.*down.*connection refused"):
            started.wait_for("absent_total", timeout_s=0.5)


def test_without_the_program_the_reason_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PrometheusUnavailableError, match="Debian package: prometheus"):
        Prometheus("127.0.0.1:1")
