"""The worker against a hand-written loop, on one real broker and the same messages.

Both answer the same backlog of digits with the same model, in turn, the broker on one processor and
they on another. A run's rate is its number of answers over the time from its first to its last
answer's arrival at the broker (log append time), so that start-up does not count and answers that
only wait in a producer's queue do not either. What is reported is the ratio of the two rates of one
round, and its spread over the rounds.

Example: python -m benchmarks.worker_vs_limit --rounds 5
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.support.apache_kafka import ApacheKafka
from tests.support.worker import Worker

MODEL = "mlp"
PARTITIONS = 4
MESSAGES = {"raw": 1_000_000, "json": 400_000, "events": 400_000}
BODIES = {
    "raw": "raw bodies, no headers",
    "json": "JSON bodies, no headers",
    "events": "raw bodies, CloudEvents headers with both targets (the loop ignores them)",
}
TOPICS = {"requests": "ounce.digits.requests", "predictions": "ounce.digits.predictions"}
POLICY = f"""
version: bench
max_latency_ms: 3600000
tasks: {{digits: {{allow: [{MODEL}, residual-cnn]}}}}
"""
BROKER_CPU, CLIENT_CPU = "0", "1"


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Rounds of each kind of body.")
@click.option(
    "--models", default="models", show_default=True, help="Folder with the digits ladder."
)
@click.option("--only", multiple=True, type=click.Choice(list(BODIES)), help="Kinds of body.")
@click.option("--scale", default=1.0, show_default=True, help="Times the number of messages.")
def main(rounds: int, models: str, only: tuple[str, ...], scale: float) -> None:
    """Print the ratio of the worker's rate to the hand-written loop's."""
    folder = Path(models) / "digits"
    if not (folder / MODEL / "model.onnx").is_file():
        click.echo("Training the digits ladder first")
        subprocess.run([*_ounce(), "train", "digits", "--models", models], check=True)
    inputs = np.load(folder / "test-split.npz")["input"].astype("<f4")
    _report_start_up(Path(models))
    for body in only or BODIES:
        with _broker() as servers:
            n = int(MESSAGES[body] * scale)
            _fill(servers, body, inputs, n)
            ratios, rates = [], {"limit": [], "worker": []}
            for number in range(rounds):
                sides = ["limit", "worker"] if number % 2 else ["worker", "limit"]
                rate = {side: _run(side, body, servers, Path(models), n) for side in sides}
                for side in sides:
                    rates[side].append(rate[side])
                ratios.append(rate["worker"] / rate["limit"])
                click.echo(
                    f"{body}: round {number + 1}: limit {rate['limit']:,.0f}/s, "
                    f"worker {rate['worker']:,.0f}/s, ratio {ratios[-1]:.2f}"
                )
            click.echo(
                f"{BODIES[body]}: ratio {statistics.median(ratios):.2f} "
                f"({min(ratios):.2f} to {max(ratios):.2f} over {rounds} rounds); medians: "
                f"limit {statistics.median(rates['limit']):,.0f}/s, "
                f"worker {statistics.median(rates['worker']):,.0f}/s\n"
            )


def _report_start_up(models: Path) -> None:
    """Print how soon a worker with the whole digits ladder is ready, and its memory then."""
    with _broker() as servers, tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        with Worker(servers, models, Path(folder) / "worker.log") as worker:
            ready_s = time.monotonic() - start
            status = Path(f"/proc/{worker.child.pid}/status").read_text(encoding="utf-8")
    resident_kb = int(next(line for line in status.splitlines() if "VmRSS" in line).split()[1])
    click.echo(
        f"worker with the digits ladder: ready {ready_s:.1f} s after its start, "
        f"{resident_kb / 1e3:.0f} MB resident\n"
    )


@contextmanager
def _broker() -> Iterator[str]:
    """A fresh broker for each kind of body, with the topics; bootstrap servers."""
    with ApacheKafka(cpus=BROKER_CPU) as kafka:
        names = [*TOPICS.values(), "ounce.digits.dead-letters", "limit.predictions"]
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
        stamped = {"message.timestamp.type": "LogAppendTime"}
        topics = [
            NewTopic(name, PARTITIONS, 1, config=stamped if "predictions" in name else {})
            for name in names
        ]
        for created in admin.create_topics(topics).values():
            created.result()
        yield kafka.bootstrap_servers


def _fill(servers: str, body: str, inputs: np.ndarray, n: int) -> None:
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "linger.ms": 20,
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 2_000_000,
        }
    )
    raw = [row.tobytes() for row in inputs]
    bodies = raw
    if body == "json":
        bodies = [
            json.dumps(
                {"inputs": [{"name": "input", "shape": [1, 64], "datatype": "FP32",
                             "data": row.tolist()}]}
            ).encode()
            for row in inputs
        ]  # fmt: skip
    for i in range(n):
        headers = None
        if body == "events":
            headers = [
                ("ce_id", b"%d" % i),
                ("ce_source", b"/devices/%d" % (i % 100)),
                ("ce_specversion", b"1.0"),
                ("ce_type", b"io.ounce.request"),
                ("ce_maxlatencyms", b"3600000"),
                ("ce_minaccuracy", b"0.9"),
                ("content-type", b"application/octet-stream"),
            ]
        producer.produce(
            TOPICS["requests"], bodies[i % len(bodies)], b"device-%d" % (i % 100),
            partition=i % PARTITIONS, headers=headers,
        )  # fmt: skip
        if i % 50_000 == 0:
            producer.poll(0)
    producer.flush()


def _run(side: str, body: str, servers: str, models: Path, n: int) -> float:
    """Answers per second of one side over the whole backlog."""
    out = TOPICS["predictions"] if side == "worker" else "limit.predictions"
    group = f"bench-{uuid.uuid4()}"
    reader = Consumer({"bootstrap.servers": servers, "group.id": group + "-reader"})
    before = _ends(reader, out)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as policy:
        policy.write(POLICY)
        policy.flush()
        if side == "worker":
            command = [
                *_ounce(), "worker", "--task", "digits", "--kafka", servers, "--models",
                str(models), "--policy", policy.name, "--metrics-port", "0", "--group", group,
                "--log-level", "WARNING",
            ]  # fmt: skip
        else:
            model = models / "digits" / MODEL / "model.onnx"
            kind = "json" if body == "json" else "raw"
            command = [
                sys.executable, "-m", "benchmarks.limit_loop", kind, str(model), servers,
                TOPICS["requests"], out, group, str(n),
            ]  # fmt: skip
        process = subprocess.Popen(["taskset", "-c", CLIENT_CPU, *command])
        try:
            while sum(_ends(reader, out)) - sum(before) < n:
                if process.poll() not in (None, 0):
                    raise SystemExit(f"{side} ended with {process.returncode}")
                time.sleep(0.5)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
    after = _ends(reader, out)
    first = min(_timestamp(reader, out, p, before[p]) for p in range(PARTITIONS))
    last = max(_timestamp(reader, out, p, after[p] - 1) for p in range(PARTITIONS))
    reader.close()
    return n / (last - first)


def _ends(reader: Consumer, topic: str) -> list[int]:
    return [
        reader.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1]
        for p in range(PARTITIONS)
    ]


def _timestamp(reader: Consumer, topic: str, partition: int, offset: int) -> float:
    """Seconds since 1970 of one record."""
    reader.assign([TopicPartition(topic, partition, offset)])
    message = reader.poll(30)
    if message is None or message.error():
        raise SystemExit(f"can't read {topic}[{partition}] at {offset}")
    return message.timestamp()[1] / 1e3


def _ounce() -> list[str]:
    return [str(Path(sys.executable).with_name("ounce"))]


if __name__ == "__main__":
    os.environ.pop("KAFKA_BOOTSTRAP_SERVERS", None)
    main()
