"""What a call over HTTP costs beside a request by Kafka, of one worker, in turns.

Kafka, worker, front and callers share the machine. The same V2 JSON bodies go both ways.

Example: python -m benchmarks.http --rounds 2
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
import numpy as np
from confluent_kafka import Producer
from ounce_schemas.request import HEADER_REPLY
from ounce_schemas.topics import predictions_topic

from benchmarks import results
from benchmarks.http.callers import TASK, by_kafka, over_http
from benchmarks.process_figures import processor_s
from benchmarks.results import Cell, Table
from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.kafka.topics import OwnTopics
from tests.support.process.front import FrontProcess
from tests.support.process.wait import wait_until
from tests.support.process.worker import Worker

AT_ONCE = (1, 8, 64)
PARTITIONS = 4
WARM_UP_S = 8.0
"""A broker that has just started is slow."""
QUIET_S = 0.5
"""From one look at whether a front reads to the next."""
IDLE_S = 3.0
"""So long it is watched what a front takes while it has nothing to do."""


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", default=2, show_default=True, help="Rounds of each way and level.")
@click.option("--seconds", default=6.0, show_default=True, help="Of each round.")
@click.option("--foreign", default=50_000, show_default=True, help="Answers of others to read.")
@results.models_option
@results.publish_option
def main(rounds: int, seconds: float, foreign: int, models: Path, publish: bool) -> None:
    """Print throughput and latency of both ways, and what a front takes of a core."""
    rows = np.load(models / TASK / "test-split.npz")["input"][:200].astype(float).tolist()
    bodies = [
        msgspec.json.encode(
            {"inputs": [{"name": "input", "shape": [1, 64], "datatype": "FP32", "data": row}]}
        )
        for row in rows
    ]
    with tempfile.TemporaryDirectory(prefix="ounce-http-") as name, ApacheKafka() as kafka:
        servers, folder = kafka.bootstrap_servers, Path(name)
        OwnTopics(servers).of_task(TASK, PARTITIONS)
        with (
            Worker(servers, models, folder / "worker.log", task=TASK),
            FrontProcess(servers, folder / "front.log", [f"--task={TASK}"]) as front,
        ):
            by_kafka(servers, bodies, max(AT_ONCE), WARM_UP_S)
            over_http(front.http_port, bodies, max(AT_ONCE), WARM_UP_S)
            found: dict[int, tuple[list[float], list[float]]] = {n: ([], []) for n in AT_ONCE}
            n_calls, used_s = 0, 0.0
            for _ in range(rounds):
                for n, (kafka_s, http_s) in found.items():
                    kafka_s += by_kafka(servers, bodies, n, seconds)
                    before_s = processor_s(front.child.pid)
                    came_s = over_http(front.http_port, bodies, n, seconds)
                    used_s += processor_s(front.child.pid) - before_s
                    n_calls += len(came_s)
                    http_s += came_s
            others_us = foreign_us(servers, front, bodies[0], foreign)
    speed = speed_table(found, rounds * seconds)
    cost = cost_table(1e6 * used_s / n_calls, others_us)
    results.report("http", {"http-speed": speed, "http-cost": cost}, publish=publish)


def speed_table(found: dict[int, tuple[list[float], list[float]]], seconds: float) -> Table:
    """Rates and latencies of both ways.

    Args:
        found: latencies in seconds by Kafka and over HTTP, by how many are under way.
        seconds: that each way took.
    """
    lines: list[list[Cell]] = []
    for n, (kafka_s, http_s) in found.items():
        ratio = len(http_s) / len(kafka_s)
        rates = [round(len(each) / seconds) for each in (kafka_s, http_s)]
        times = [_ms(each, q) for q in (50, 99) for each in (kafka_s, http_s)]
        lines.append([n, *rates, round(ratio, 2), *times])
    return Table(
        ["under way", "Kafka, answers/s", "HTTP, answers/s", "HTTP to Kafka", "Kafka p50 ms",
         "HTTP p50 ms", "Kafka p99 ms", "HTTP p99 ms"],
        lines,
    )  # fmt: skip


def cost_table(own_us: float, others_us: float) -> Table:
    """What a front takes of a core.

    Args:
        own_us: for a call, in microseconds.
        others_us: for an answer that it only passes over.
    """
    return Table(
        ["a front's work", "µs of a core"],
        [
            ["a call, from its request to its answer", round(own_us)],
            ["an answer that others asked for, read and passed over", round(others_us, 1)],
        ],
    )


def foreign_us(servers: str, front: FrontProcess, body: bytes, n: int) -> float:
    """Microseconds of a core that a front takes for an answer that it passes over.

    Args:
        servers: Kafka bootstrap servers.
        front: that reads; nobody calls it meanwhile.
        body: of an answer.
        n: answers.
    """
    began_s, before_s = time.monotonic(), processor_s(front.child.pid)
    time.sleep(IDLE_S)
    idle = (processor_s(front.child.pid) - before_s) / (time.monotonic() - began_s)
    began_s, before_s = time.monotonic(), processor_s(front.child.pid)
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 5})
    for _ in range(n):
        headers: list[tuple[str, str | bytes | None]] = [(HEADER_REPLY, b"http:others:1")]
        producer.produce(predictions_topic(TASK), body, headers=headers)
        producer.poll(0)
    producer.flush()

    def is_quiet() -> bool:
        """Whether all are read."""
        at_s, used_s = time.monotonic(), processor_s(front.child.pid)
        time.sleep(QUIET_S)
        rate = (processor_s(front.child.pid) - used_s) / (time.monotonic() - at_s)
        return rate < 2 * idle + 0.02

    wait_until(is_quiet, front.child.log_tail)
    took_s, used_s = time.monotonic() - began_s, processor_s(front.child.pid) - before_s
    return 1e6 * (used_s - idle * took_s) / n


def _ms(seconds: Sequence[float], percentile: float) -> float:
    return round(1e3 * float(np.percentile(seconds, percentile)), 1)


if __name__ == "__main__":
    main()
