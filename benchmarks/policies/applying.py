"""From `ounce policy apply` to all of three workers, under load.

Three workers on a real Kafka serve digits at a steady rate, exactly once. In each round a version
of the policy is appended, as `ounce policy apply` does it, without the start of its Python. A round
ends when each worker has told that it answers under that version.

Example: python -m benchmarks.policies.applying --rounds 10
"""

import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import click
import msgspec
import numpy as np
from confluent_kafka import Consumer, Producer
from ounce_schemas.policy_history import Change
from ounce_services.policies.topic import PolicyTopic

from benchmarks import results
from benchmarks.results import Table
from benchmarks.worker.backlog import TOPICS, broker
from tests.support.process.worker import Worker

N_WORKERS = 3
_PATIENCE_S = 30.0
AT_LEAST_ONE = click.IntRange(min=1)


class Round(NamedTuple):
    """One version that was applied."""

    appended_s: float
    """Until the topic has it."""
    in_force_s: float
    """Until all workers answer under it."""
    before_p99_ms: float
    while_p99_ms: float


class _Answer(msgspec.Struct):
    id: str


class Load:
    """Sends requests at a steady rate, and reads their answers as they are committed."""

    def __init__(self, servers: str, values: Sequence[bytes], rate: int) -> None:
        self._values, self._rate = values, rate
        self._producer = Producer({"bootstrap.servers": servers, "linger.ms": 1})
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "bench-answers",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.queue.backoff.ms": 2,
            }
        )
        self._consumer.subscribe([TOPICS["predictions"]])
        self.sent_s: list[float] = []
        """By id."""
        self.read_s: dict[int, float] = {}
        self.n_read = Counter[int]()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=f) for f in (self._send, self._read)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Send no more, and wait for the last answers."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._consumer.close()

    def p99_ms(self, since_s: float, until_s: float) -> float:
        """Of the requests sent in this time, until their answers are read."""
        sent = [(i, at) for i, at in enumerate(self.sent_s) if since_s <= at < until_s]
        times = [self.read_s[i] - at for i, at in sent if i in self.read_s]
        return float(np.percentile(times, 99)) * 1e3 if times else float("nan")

    def _send(self) -> None:
        began_s = time.perf_counter()
        while not self._stopping.is_set():
            due = int((time.perf_counter() - began_s) * self._rate)
            while len(self.sent_s) < due:
                i = len(self.sent_s)
                self.sent_s.append(time.perf_counter())
                value = self._values[i % len(self._values)]
                own: dict[str, str | bytes | None] = {"ce_id": b"%d" % i, "ce_tenant": b"acme"}
                self._producer.produce(TOPICS["requests"], value, b"%d" % (i % 100), headers=own)
            self._producer.poll(0)
            time.sleep(0.002)
        self._producer.flush(30)

    def _read(self) -> None:
        quiet_s = 0.0
        while not self._stopping.is_set() or (len(self.read_s) < len(self.sent_s) and quiet_s < 10):
            messages = self._consumer.consume(1000, 0.01)
            now_s = time.perf_counter()
            quiet_s = 0.0 if messages else quiet_s + 0.01
            for message in messages:
                if message.error() is None:
                    i = int(msgspec.json.decode(message.value() or b"", type=_Answer).id)
                    self.read_s.setdefault(i, now_s)
                    self.n_read[i] += 1


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", type=AT_LEAST_ONE, default=10, show_default=True, help="Versions.")
@click.option("--rate", type=AT_LEAST_ONE, default=1000, show_default=True, help="Messages/s.")
@click.option("--seconds", type=AT_LEAST_ONE, default=4, show_default=True, help="Before each.")
@click.option(
    "--models", default="models", show_default=True, help="Folder with the digits ladder."
)
@results.publish_option
def main(rounds: int, rate: int, seconds: int, models: str, publish: bool) -> None:
    """Print each round, and write their table."""
    found = []
    with _fleet(Path(models), rate) as (load, workers, topic):
        time.sleep(2 * seconds)  # to warm up
        for number in range(rounds):
            time.sleep(seconds)
            document = f"{{min_accuracy: {0.8 + number / 1000}}}"
            began_s = time.perf_counter()
            version = topic.append(topic.history(), Change(document, "bench"))
            appended_s = time.perf_counter() - began_s
            _wait_until_all_told(workers, version.name)
            end_s = time.perf_counter()
            time.sleep(1.0)  # for the answers
            seen = Round(
                appended_s,
                end_s - began_s,
                load.p99_ms(began_s - seconds, began_s),
                load.p99_ms(began_s, max(end_s, began_s + 1.0)),
            )
            found.append(seen)
            click.echo(
                f"{version.name}: appended in {seen.appended_s:.2f} s, in force after "
                f"{seen.in_force_s:.2f} s; p99 {seen.before_p99_ms:.1f} ms before, "
                f"{seen.while_p99_ms:.1f} ms meanwhile"
            )
    n_lost = len(load.sent_s) - len(load.n_read)
    n_repeated = sum(n - 1 for n in load.n_read.values())
    table = table_of(found, n_lost, n_repeated)
    click.echo(results.text(table))
    results.report("policy_apply", {"policy-apply": table}, publish=publish)


def table_of(rounds: Sequence[Round], n_lost: int, n_repeated: int) -> Table:
    """Medians and worst of the rounds."""
    figures = {
        "until the topic has the version, s": [r.appended_s for r in rounds],
        "until all three workers answer under it, s": [r.in_force_s for r in rounds],
        "p99 before, ms": [r.before_p99_ms for r in rounds],
        "p99 of the second after, ms": [r.while_p99_ms for r in rounds],
    }
    rows: list[list[results.Cell]] = [
        [name, f"{statistics.median(values):.2f}", f"{max(values):.2f}"]
        for name, values in figures.items()
    ]
    rows += [["requests lost", None, n_lost], ["requests answered twice", None, n_repeated]]
    note = f"{len(rounds)} versions, one after another; digits on a real Kafka, exactly once."
    return Table(["from `ounce policy apply`", "median", "worst"], rows, note)


@contextmanager
def _fleet(models: Path, rate: int) -> Iterator[tuple[Load, list[Worker], PolicyTopic]]:
    with ExitStack() as stack:
        servers = stack.enter_context(broker())
        topic = PolicyTopic(servers)
        topic.append(topic.history(), Change("{min_accuracy: 0.8}", "bench"))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        options = ["--group=bench", "--delivery=exactly-once", "--follow-policies"]
        workers = [
            stack.enter_context(
                Worker(
                    servers, models, scratch / f"{n}.log", [*options, f"--state={scratch / str(n)}"]
                )
            )
            for n in range(N_WORKERS)
        ]
        with np.load(models / "digits" / "test-split.npz") as arrays:
            values = [row.tobytes() for row in arrays["input"].astype("<f4")]
        load = Load(servers, values, rate)
        load.start()
        stack.callback(load.close)
        yield load, workers, topic


def _wait_until_all_told(workers: Sequence[Worker], version: str) -> None:
    deadline_s, left = time.perf_counter() + _PATIENCE_S, list(workers)
    while left:
        if time.perf_counter() > deadline_s:
            raise click.ClickException(left[0].child.log_tail())
        told = f"event=policy-changed task=digits subject={version}:"
        left = [w for w in left if told not in w.child.log.read_text()]
        time.sleep(0.01)


if __name__ == "__main__":
    main()
