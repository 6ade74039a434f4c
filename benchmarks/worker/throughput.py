"""The worker against a hand-written loop, on one real broker and the same messages.

Both answer the same backlog of digits with the same model, in turn, the broker on one processor and
they on another. A run's rate is its number of answers over the time from its first to its last
answer's arrival at the broker (log append time), so that start-up does not count and answers that
only wait in a producer's queue do not either. What is reported is the ratio of the two rates of one
round, and its spread over the rounds.

Example: python -m benchmarks.worker.throughput --rounds 5
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import click
import numpy as np
from confluent_kafka import Consumer, TopicPartition

from benchmarks.worker.backlog import (
    CLIENT_CPU,
    LIMIT_TOPIC,
    MODEL,
    PARTITIONS,
    POLICY,
    TOPICS,
    broker,
    ends,
    fill,
    ounce,
)
from tests.support.process.worker import Worker

MESSAGES = {"raw": 1_000_000, "json": 400_000, "events": 400_000}
BODIES = {
    "raw": "raw bodies, no headers",
    "json": "JSON bodies, no headers",
    "events": "raw bodies, CloudEvents headers with both targets (the loop ignores them)",
}


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
        subprocess.run([*ounce(), "train", "digits", "--models", models], check=True)
    inputs = np.load(folder / "test-split.npz")["input"].astype("<f4")
    _report_start_up(Path(models))
    for body in only or BODIES:
        with broker() as servers:
            n = int(MESSAGES[body] * scale)
            fill(servers, body, inputs, n)
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
    with broker() as servers, tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        with Worker(servers, models, Path(folder) / "worker.log") as worker:
            ready_s = time.monotonic() - start
            status = Path(f"/proc/{worker.child.pid}/status").read_text(encoding="utf-8")
    resident_kb = int(next(line for line in status.splitlines() if "VmRSS" in line).split()[1])
    click.echo(
        f"worker with the digits ladder: ready {ready_s:.1f} s after its start, "
        f"{resident_kb / 1e3:.0f} MB resident\n"
    )


def _run(side: str, body: str, servers: str, models: Path, n: int) -> float:
    """Answers per second of one side over the whole backlog."""
    out = TOPICS["predictions"] if side == "worker" else LIMIT_TOPIC
    group = f"bench-{uuid.uuid4()}"
    reader = Consumer({"bootstrap.servers": servers, "group.id": group + "-reader"})
    before = ends(reader, out)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as policy:
        policy.write(POLICY)
        policy.flush()
        if side == "worker":
            command = [
                *ounce(), "worker", "--task", "digits", "--kafka", servers, "--models",
                str(models), "--policy", policy.name, "--metrics-port", "0", "--group", group,
                "--log-level", "WARNING",
            ]  # fmt: skip
        else:
            model = models / "digits" / MODEL / "model.onnx"
            kind = "json" if body == "json" else "raw"
            command = [
                sys.executable, "-m", "benchmarks.worker.limit_loop", kind, str(model), servers,
                TOPICS["requests"], out, group, str(n),
            ]  # fmt: skip
        process = subprocess.Popen(["taskset", "-c", CLIENT_CPU, *command])
        try:
            while sum(ends(reader, out)) - sum(before) < n:
                if process.poll() not in (None, 0):
                    raise SystemExit(f"{side} ended with {process.returncode}")
                time.sleep(0.5)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
    after = ends(reader, out)
    first = min(_timestamp(reader, out, p, before[p]) for p in range(PARTITIONS))
    last = max(_timestamp(reader, out, p, after[p] - 1) for p in range(PARTITIONS))
    reader.close()
    return n / (last - first)


def _timestamp(reader: Consumer, topic: str, partition: int, offset: int) -> float:
    """Seconds since 1970 of one record."""
    reader.assign([TopicPartition(topic, partition, offset)])
    message = reader.poll(30)
    if message is None or message.error():
        raise SystemExit(f"can't read {topic}[{partition}] at {offset}")
    return message.timestamp()[1] / 1e3


if __name__ == "__main__":
    os.environ.pop("KAFKA_BOOTSTRAP_SERVERS", None)
    main()
