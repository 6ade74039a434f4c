"""Whether a worker is alive and ready."""

import resource
import selectors
import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from ounce_edge.telemetry import health
from ounce_edge.telemetry.health import STALLED_AFTER_S, Health, serve_health
from ounce_edge.telemetry.metrics import Metrics
from ounce_schemas import __version__
from ounce_schemas.errors import OunceError
from prometheus_client import CollectorRegistry, Metric

from tests.support.clock import Clock
from tests.support.process.wait import wait_until


def test_ready_names_what_is_missing() -> None:
    health = Health(Clock(100.0))
    assert health.ready() == (False, "the worker is starting")
    health.starting = "models are loading"
    assert health.ready() == (False, "models are loading")
    health.starting = None
    assert health.ready() == (False, "no partition is assigned")
    health.partitions = 2
    assert health.ready() == (True, "ready")
    health.draining = True
    assert health.ready() == (False, "draining")


@pytest.mark.parametrize("trouble", ["broker_trouble", "group_trouble", "delivery_trouble"])
def test_trouble_from_outside_is_not_ready_and_alive_and_named(trouble: str) -> None:
    health = Health(Clock(100.0), starting=None, partitions=2)
    assert health.trouble() is None
    setattr(health, trouble, (lambda: "too few") if trouble.startswith("del") else "too few")
    assert health.ready() == (False, "too few")
    assert health.healthy() == (True, "alive, not ready: too few")


def test_a_worker_that_does_not_come_round_is_neither_alive_nor_ready() -> None:
    clock = Clock(100.0)
    health = Health(clock, starting=None, partitions=1)
    clock.now_s += STALLED_AFTER_S
    assert (health.healthy(), health.ready()) == ((True, "healthy"), (True, "ready"))
    clock.now_s += 1
    stalled = (False, "no progress for 31 s: restart this worker")
    assert (health.healthy(), health.ready()) == (stalled, stalled)
    health.progressed()
    assert (health.healthy()[0], health.ready()[0]) == (True, True)


def test_a_start_may_take_longer_than_a_worker_may_be_silent() -> None:
    clock = Clock(100.0)
    health = Health(clock, starting="models are loading")
    clock.now_s += 10 * STALLED_AFTER_S
    assert health.healthy() == (True, "alive, not ready: models are loading")
    health.loaded()
    health.partitions = 1
    assert (health.healthy(), health.ready()) == ((True, "healthy"), (True, "ready"))
    clock.now_s += STALLED_AFTER_S + 1
    assert health.healthy() == (False, "no progress for 31 s: restart this worker")


def test_a_worker_that_is_left_out_since_files_were_replaced_is_not_alive() -> None:
    health = Health(Clock(100.0), starting=None, partitions=2)
    health.replaced_files = lambda: [Path("w.pem")]
    assert health.healthy() == (True, "healthy")
    health.partitions = 0
    why = "no partition is assigned, and w.pem was replaced: restart this worker"
    assert health.healthy() == (False, why)
    health.broker_trouble = "Kafka is away"  # by the new files, too: a restart would not help
    assert health.healthy()[0]


def test_a_worker_whose_consumers_read_nothing_is_not_alive() -> None:
    health = Health(Clock(100.0), starting=None, partitions=1)
    health.reading_trouble = "nothing is read of t[0]"
    assert health.healthy() == health.ready() == (False, "nothing is read of t[0]")


def test_the_port_serves_its_pages_and_names_them() -> None:
    health = Health(Clock(100.0), starting=None)
    metrics = Metrics()
    pages = {"/models": lambda: b"[]"}
    stop, port = serve_health("127.0.0.1", 0, health, metrics.registry, pages)
    try:
        assert get(port, "/healthz") == (200, "healthy\n")
        assert get(port, "/readyz") == (503, "no partition is assigned\n")
        assert get(port, "/metrics")[0] == 200
        assert get(port, "/") == (404, "try /metrics, /models, /healthz or /readyz\n")
        assert get(port, "/models") == (200, "[]")
        with pytest.raises(OunceError, match=f"can't listen on 127.0.0.1:{port} for metrics"):
            serve_health("127.0.0.1", port, health, metrics.registry)
    finally:
        stop()


def test_the_page_shows_what_the_probes_answer_and_which_version_runs() -> None:
    clock, metrics = Clock(100.0), Metrics()
    health = Health(clock, starting=None)
    metrics.watch(health)
    value = metrics.registry.get_sample_value
    assert (value("ounce_ready"), value("ounce_healthy")) == (0, 1)
    health.partitions = 1
    assert value("ounce_ready") == 1
    clock.now_s += STALLED_AFTER_S + 1
    assert value("ounce_healthy") == 0
    assert value("ounce_build_info", {"version": __version__}) == 1


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.read().decode()


def test_it_sleeps_until_somebody_asks_and_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts: list[float | None] = []

    def watch(kind: type[selectors.BaseSelector]) -> None:
        select = kind.select

        def noted(selector: Any, timeout: float | None = None) -> Any:
            timeouts.append(timeout)
            return select(selector, timeout)

        monkeypatch.setattr(kind, "select", noted)

    for kind in {selectors.DefaultSelector, selectors.PollSelector}:
        watch(kind)
    stop, port = serve_health("127.0.0.1", 0, Health(Clock(100.0)), Metrics().registry)
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10)
    stop()
    assert set(timeouts) == {None}


def test_who_connects_and_says_nothing_is_left_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(health._QuietHandler, "timeout", 0.1)
    stop, port = serve_health("127.0.0.1", 0, Health(Clock(100.0)), Metrics().registry)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as silent:
        assert silent.recv(1) == b""
    stop()
    assert capfd.readouterr().err == ""


class Slow:
    """A collector that is asked, and answers once it may."""

    def __init__(self) -> None:
        self.is_asked, self.may_answer = threading.Event(), threading.Event()

    def collect(self) -> list[Metric]:
        self.is_asked.set()
        assert self.may_answer.wait(60)
        return []


def test_an_answer_under_way_ends_before_the_port_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "_LAST_ANSWERS_S", 60.0)
    slow, registry, before = Slow(), CollectorRegistry(), set(threading.enumerate())
    stop, port = serve_health("127.0.0.1", 0, Health(Clock(100.0)), registry)
    registry.register(slow)
    slow.is_asked.clear()  # registering asked, too
    pages: list[tuple[int, str]] = []
    scraper = threading.Thread(target=lambda: pages.append(get(port, "/metrics")))
    scraper.start()
    assert slow.is_asked.wait(60)

    def new_threads() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread not in before]

    def answer_once_it_stops() -> None:
        wait_until(lambda: "metrics" not in new_threads(), new_threads)
        slow.may_answer.set()

    released = threading.Thread(target=answer_once_it_stops)
    released.start()
    stop()
    assert health.ANSWERING not in new_threads()
    scraper.join(60)
    assert [status for status, _ in pages] == [200]
    released.join(60)


def test_without_files_it_waits_for_some_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries, waits = [0], [0]

    def count(name: str, counts: list[int]) -> None:
        do = getattr(health._Server, name)

        def counted(*arguments: Any) -> Any:
            counts[0] += 1
            return do(*arguments)

        monkeypatch.setattr(health._Server, name, counted)

    count("get_request", tries)
    count("_ends_within", waits)
    monkeypatch.setattr(health, "_NO_FILES_S", 0.1)
    stop, port = serve_health("127.0.0.1", 0, Health(Clock(100.0)), CollectorRegistry())
    at = f"http://127.0.0.1:{port}/healthz"
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    caller = socket.create_connection(("127.0.0.1", port))
    wait_until(lambda: tries == [1], lambda: tries)
    caller.close()
    caller = socket.socket()
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (caller.fileno() + 1, most[1]))
        caller.connect(("127.0.0.1", port))
        wait_until(lambda: tries >= [4], lambda: tries)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
    try:
        with urllib.request.urlopen(at, timeout=60) as answer:
            assert answer.read() == b"alive, not ready: the worker is starting\n"
    finally:
        caller.close()
        stop()
    assert tries[0] - waits[0] == 3  # those who were let in
    told = [line for line in caplog.messages if "nobody can ask" in line]
    assert told == ["nobody can ask for metrics and health, trying again: Too many open files"]
