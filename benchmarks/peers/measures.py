"""Throughput on a backlog, and latency at a steady rate, of one peer."""

import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from confluent_kafka import Consumer

from benchmarks.peers.base import ROOT, Job, Peer
from benchmarks.peers.client import Client, renew_topics
from benchmarks.worker.backlog import CLIENT_CPU, PARTITIONS, TOPICS, ends, span_s
from tests.support.process.child import Child

READY_S = 90.0
WARM_UP_S = 2.0
_LOOK_S = 0.25
_TICK_S = 0.001
_GRACE_S = 3.0
"""After the last request of a steady rate, for the last answers."""
PROMPT_MS = 1000.0
KEPT_UP = 0.99
"""Share of a steady rate's requests that are answered promptly, by one that keeps up."""


class PeerFailedError(Exception):
    """A peer ended, or never answered; the text holds the end of its log."""


@dataclass(frozen=True)
class Field:
    """Where all are measured."""

    servers: str
    models: Path
    inputs: np.ndarray
    seconds: float
    """Of each measurement."""


@dataclass(frozen=True)
class Steady:
    """What came of a steady rate."""

    rate: float
    """Requests per second."""
    prompt_share: float
    """Of the requests: answered within a second."""
    p50_ms: float
    p99_ms: float

    @property
    def kept_up(self) -> bool:
        """Whether it answered as fast as requests came."""
        return self.prompt_share >= KEPT_UP


def measure_throughput(field: Field, peer: Peer, python: Path) -> float:
    """Answers per second to a backlog, between the first and the last one's arrival at the broker.

    Raises:
        PeerFailedError: it ended, or did not answer.
    """
    renew_topics(field.servers)
    reader = Consumer({"bootstrap.servers": field.servers, "group.id": "reader", "log_level": 3})
    out = TOPICS["predictions"]
    with Client(field.servers, peer, field.inputs, linger_ms=20) as client:
        total = int(peer.backlog_per_s * field.seconds)
        client.send(total)
        client.flush()
        before = [0] * PARTITIONS
        with _started(field, peer, python) as child:
            if peer.in_flight is not None:
                _await_first_answer(client, child)
                before = ends(reader, out)
                _keep_under_way(client, child, peer.in_flight, field.seconds)
            else:
                _await_end(reader, child, total, field.seconds)
            after = ends(reader, out)
    n = sum(after) - sum(before)
    lasted_s = span_s(reader, out, before, after)
    reader.close()
    return n / lasted_s


def measure_latency(field: Field, peer: Peer, python: Path, rate: float) -> Steady:
    """From producing a request to reading its answer, at a steady rate.

    Raises:
        PeerFailedError: it ended, or did not answer.
    """
    renew_topics(field.servers)
    with (
        Client(field.servers, peer, field.inputs) as client,
        _started(field, peer, python) as child,
    ):
        _await_first_answer(client, child)
        _send_steadily(client, child, rate, WARM_UP_S)
        return _send_steadily(client, child, rate, field.seconds)


def _send_steadily(client: Client, child: Child, rate: float, seconds: float) -> Steady:
    first, total = client.sent, int(rate * seconds)
    sent_s, read_s = np.zeros(total), np.full(total, np.inf)
    left, start_s = total, time.perf_counter()
    while left and (elapsed_s := time.perf_counter() - start_s) < seconds + _GRACE_S:
        sent = client.sent - first
        due = min(int(elapsed_s * rate), total) - sent
        if due > 0:
            sent_s[sent : sent + due] = time.perf_counter()
            client.send(due)
        numbers = np.array(client.read(_TICK_S), dtype=np.int64) - first
        numbers = numbers[(numbers >= 0) & np.isinf(read_s[np.maximum(numbers, 0)])]
        read_s[numbers] = time.perf_counter()
        left -= len(np.unique(numbers))
        _check(child)
    return steady_of(rate, sent_s, read_s)


def steady_of(rate: float, sent_s: np.ndarray, read_s: np.ndarray) -> Steady:
    """What came of requests that were sent and whose answers were read then; infinite: never."""
    answered = np.isfinite(read_s)
    took_ms = (read_s - sent_s)[answered] * 1e3
    if not len(took_ms):
        return Steady(rate, 0.0, float("inf"), float("inf"))
    p50_ms, p99_ms = np.percentile(took_ms, [50, 99]).tolist()
    prompt = np.count_nonzero(took_ms <= PROMPT_MS) / len(sent_s)
    return Steady(rate, float(prompt), p50_ms, p99_ms)


@contextmanager
def _started(field: Field, peer: Peer, python: Path) -> Iterator[Child]:
    """The running peer."""
    with tempfile.TemporaryDirectory(prefix="ounce-peer-") as folder:
        job = Job(
            field.servers, TOPICS["requests"], TOPICS["predictions"], f"peer-{uuid.uuid4()}",
            field.models, Path(folder),
        )  # fmt: skip
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        child = Child(
            [*map(str, peer.command(python, job))],
            log=job.scratch / "peer.log",
            cpus=CLIENT_CPU,
            env={**os.environ, "PYTHONPATH": path},
        )
        try:
            yield child
        finally:
            child.kill()


def _await_first_answer(client: Client, child: Child) -> None:
    """Ask until it answers: one that reads from the end of its topic misses what came before."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        client.send()
        if client.read(0.5):
            while client.read(0.5):
                pass
            return
        _check(child)
    raise PeerFailedError(f"no answer within {READY_S:g} s:\n{child.log_tail()}")


def _await_end(reader: Consumer, child: Child, total: int, seconds: float) -> None:
    """Until all is answered, or for so long since the first answer."""
    began_s: float | None = None
    ready_s = time.monotonic() + READY_S
    while (n := sum(ends(reader, TOPICS["predictions"]))) < total:
        now_s = time.monotonic()
        if n and began_s is None:
            began_s = now_s
        if began_s is not None and now_s > began_s + seconds:
            return
        if began_s is None and now_s > ready_s:
            raise PeerFailedError(f"no answer within {READY_S:g} s:\n{child.log_tail()}")
        _check(child)
        time.sleep(_LOOK_S)


def _keep_under_way(client: Client, child: Child, in_flight: int, seconds: float) -> None:
    until_s = time.monotonic() + seconds
    under_way = 0
    while time.monotonic() < until_s:
        client.send(in_flight - under_way)
        under_way = in_flight - len(client.read(_TICK_S))
        _check(child)


def _check(child: Child) -> None:
    if not child.running:
        raise PeerFailedError(f"it ended:\n{child.log_tail()}")
