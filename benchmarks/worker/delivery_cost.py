"""What exactly-once costs against at-least-once: throughput, and latency at a steady rate.

Throughput: each worker answers the same backlog of raw digits in turn, the broker on one processor
and the worker on the other; answers over the time from the first to the last one's arrival at the
broker (log append time). Latency: from a device's publishing to its reading of the committed
answer, at a steady rate with nothing else to do. Both in turns, on one broker.

Beside them stands what a bare transaction of ten records takes there. A broker that has just
started takes up to fifty times as long, until Java has compiled what it runs. So bare transactions
come first.

Example: python -m benchmarks.worker.delivery_cost --rounds 3
"""

import statistics
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np
from confluent_kafka import Consumer, TopicPartition
from ounce_services.devices.report import TaskReport

from benchmarks import results
from benchmarks.results import Table
from benchmarks.worker.backlog import CLIENT_CPU, PARTITIONS, POLICY, TOPICS, broker, ends, fill
from benchmarks.worker.bare_transactions import bare_transactions_ms
from benchmarks.worker.steady import WARM_UP_S, serve_steadily
from tests.support.process.worker import Worker

MODES = ("at-least-once", "exactly-once")
_PATIENCE_S = 120
_BROKER_WARM_UP_S = 20.0
_BARE_S = 3.0


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", default=3, show_default=True, help="Rounds of each mode.")
@click.option(
    "--messages", default=300_000, show_default=True, help="Of the backlog; 0: latency only."
)
@click.option("--rate", default=500, show_default=True, help="Messages per second for latency.")
@click.option("--seconds", default=15, show_default=True, help="Of the steady rate.")
@results.models_option
@results.publish_option
def main(rounds: int, messages: int, rate: int, seconds: int, models: Path, publish: bool) -> None:
    """Print both figures of both modes, and their ratio."""
    inputs = np.load(models / "digits" / "test-split.npz")["input"].astype("<f4")
    rates: dict[str, list[float]] = {mode: [] for mode in MODES}
    with broker() as servers:
        fill(servers, "raw", inputs, messages)
        for number in range(rounds if messages else 0):
            for mode in MODES[:: 1 if number % 2 else -1]:
                rates[mode].append(_answer_backlog(servers, mode, models, messages))
                click.echo(f"round {number + 1}: {mode}: {rates[mode][-1]:,.0f}/s")
    latencies: dict[str, list[TaskReport]] = {mode: [] for mode in MODES}
    bare_ms: list[float] = []
    with broker() as servers:
        bare_transactions_ms(servers, _BROKER_WARM_UP_S)
        for number in range(rounds):
            bare_ms += bare_transactions_ms(servers, _BARE_S)
            for mode in MODES[:: 1 if number % 2 else -1]:
                task = _serve_steadily(servers, mode, models, rate, seconds)
                latencies[mode].append(task)
                click.echo(
                    f"round {number + 1}: {mode} at {rate}/s: p50 {task.p50_ms:.1f} ms, "
                    f"p99 {task.p99_ms:.1f} ms, deadlines kept {_kept(task):.2%}"
                )
    tables = {"delivery-latency": latency_table(latencies, bare_ms, rate)}
    if messages:
        tables["delivery-throughput"] = throughput_table(rates)
    results.report("delivery_cost", tables, publish=publish)


def throughput_table(rates: Mapping[str, Sequence[float]]) -> Table:
    """Median rates of the modes, and what exactly-once costs."""
    rows: list[list[results.Cell]] = [
        [mode, round(statistics.median(of_mode))] for mode, of_mode in rates.items()
    ]
    least, most = MODES
    ratios = [b / a for a, b in zip(rates[least], rates[most], strict=True)]
    note = (
        f"Medians of {len(ratios)} rounds. {most.capitalize()} over {least} in one round: "
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})."
    )
    return Table(["delivery", "backlog, messages/s"], rows, note)


def latency_table(
    latencies: Mapping[str, Sequence[TaskReport]], bare_ms: Sequence[float], rate: int
) -> Table:
    """Medians of the modes at a steady rate, and what bare transactions took."""
    rows: list[list[results.Cell]] = [
        [
            mode,
            f"{statistics.median(t.p50_ms for t in tasks):.1f}",
            f"{statistics.median(t.p99_ms for t in tasks):.1f}",
            f"{statistics.median(map(_kept, tasks)):.2%}",
        ]
        for mode, tasks in latencies.items()
    ]
    p50, p99 = np.percentile(bare_ms, [50, 99])
    rows.append(["a bare transaction of ten records", f"{p50:.1f}", f"{p99:.1f}", None])
    note = (
        f"At a steady {rate:,} messages/s with the mix of `ounce devices`. Medians of the rounds."
    )
    return Table(["delivery", "p50, ms", "p99, ms", "deadlines kept"], rows, note)


def _answer_backlog(servers: str, mode: str, models: Path, n: int) -> float:
    """Answers per second."""
    group = f"bench-{uuid.uuid4()}"
    out = TOPICS["predictions"]
    reader = Consumer({"bootstrap.servers": servers, "group.id": group})  # asks what is committed
    before = ends(reader, out)
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.yaml"
        policy.write_text(POLICY)
        options = [f"--delivery={mode}", f"--policy={policy}", f"--group={group}"]
        log = Path(folder) / "worker.log"
        with Worker(servers, models, log, options, cpus=CLIENT_CPU) as worker:
            while _committed(reader) < n:
                if not worker.child.running:
                    raise SystemExit(f"the worker ended: {worker.child.log_tail()[-500:]}")
    times = _times(servers, out, before, n)
    reader.close()
    return n / (times[1] - times[0])


def _committed(reader: Consumer) -> int:
    places = [TopicPartition(TOPICS["requests"], p) for p in range(PARTITIONS)]
    return sum(max(at.offset, 0) for at in reader.committed(places, timeout=30))


def _times(servers: str, topic: str, start: list[int], n: int) -> tuple[float, float]:
    """When the first and the last of `n` records arrived, seconds since 1970."""
    reader = Consumer({"bootstrap.servers": servers, "group.id": str(uuid.uuid4())})
    reader.assign([TopicPartition(topic, p, offset) for p, offset in enumerate(start)])
    first, last, seen = float("inf"), 0.0, 0
    while seen < n:
        messages = reader.consume(min(20_000, n - seen), _PATIENCE_S)
        if not messages:
            raise SystemExit(f"{seen} of {n} answers can be read from {topic}")
        stamps = [message.timestamp()[1] / 1e3 for message in messages]
        first, last, seen = min(first, *stamps), max(last, *stamps), seen + len(messages)
    reader.close()
    return first, last


def _serve_steadily(servers: str, mode: str, models: Path, rate: int, seconds: int) -> TaskReport:
    with tempfile.TemporaryDirectory() as folder:
        # One group, so that no worker has what was sent to others before it.
        options = [f"--delivery={mode}", "--group=bench"]
        with Worker(servers, models, Path(folder) / "worker.log", options):
            serve_steadily(servers, models, rate, WARM_UP_S)
            return serve_steadily(servers, models, rate, seconds)


def _kept(task: TaskReport) -> float:
    """Share of the deadlines kept, as devices measure."""
    return task.kept_as_measured / max(task.answered, 1)


if __name__ == "__main__":
    main()
