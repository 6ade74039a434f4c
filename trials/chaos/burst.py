"""A burst of ten times what one worker can do: its memory, and the order in which it answers.

The policy permits one model, the ladder's dearest, so that nothing gives way to a lighter one and
the capacity is that model's. It is measured first, with a backlog of the same messages.

Example: python -m trials.chaos.burst --seconds 3
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec
import numpy as np
from ounce_schemas.documents import PLANS_FILE, read_plans
from ounce_schemas.errors import OunceError
from ounce_schemas.request import HEADER_MAX_LATENCY_MS
from ounce_schemas.topics import predictions_topic, requests_topic

from tests.support.kafka.jars import KafkaUnavailableError
from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import Worker
from trials.chaos.broker import ChaosKafka
from trials.chaos.deadline_order import Answered, Order, find_order
from trials.chaos.flood import (
    BOUND_MB,
    PARTITIONS,
    TASK,
    Headers,
    MemoryWatch,
    Sender,
    await_answers,
)
from trials.chaos.reading import read_all

FACTOR = 11.0
"""Of the rate over the capacity: ten and some, since the last acknowledgements take time, too."""
BACKLOG = 20_000
"""Messages whose answering gives the capacity: more than may wait in a worker."""
DEADLINES_MS = (300_000, 3_000_000)
"""Between which a message's deadline lies: none of them passes meanwhile."""
LATE_SHARE, LATE_MS = 0.25, 1
"""So many ask for an answer within a millisecond, and are late when the worker reads them."""
LEAST_IN_ORDER = 0.999
"""Of the pairs. All are, unless a model fails and requests come back."""
_CHUNK = 500
"""Messages sent between two looks at the clock."""


@dataclass(frozen=True)
class Burst:
    """What it did."""

    model: str
    capacity: float
    """Answers per second to a backlog."""
    sent: int
    sending_s: float
    lasted_s: float
    answered: int
    """With a prediction."""
    ready_mb: float
    peak_mb: float
    order: Order
    """Of all answers, to the backlog and to the burst."""

    @property
    def factor(self) -> float:
        """How many times the capacity was sent."""
        return self.sent / self.sending_s / self.capacity


class _Parameters(msgspec.Struct):
    max_latency_ms: float
    latency_ms: float


class _Prediction(msgspec.Struct):
    id: str
    parameters: _Parameters


def run(models: Path, seconds: float, tell: Callable[[str], None]) -> Burst:
    """Send a burst to one worker.

    Args:
        models: folder with the digits ladder.
        seconds: how long the burst lasts.
        tell: is told what is done.
    """
    model = _dearest(models)
    with tempfile.TemporaryDirectory() as folder, ChaosKafka() as broker:
        servers = broker.bootstrap_servers
        OwnTopics(servers).of_task(TASK, PARTITIONS)
        policy = Path(folder) / "policy.yaml"
        policy.write_text(f"version: burst\ntasks: {{{TASK}: {{allow: [{model}]}}}}\n")
        sender, targets = Sender(servers, models), _draw_targets()
        log = Path(folder) / "worker.log"
        with Worker(servers, models, log, [f"--policy={policy}"]) as worker:
            watch = MemoryWatch(worker.child.pid)
            ready_mb = watch.now_mb()
            sender.good(BACKLOG, targets)
            if await_answers(servers, BACKLOG, worker) < BACKLOG:
                raise RuntimeError(f"the backlog is not answered:\n{worker.child.log_tail()}")
            capacity = _capacity(servers)
            tell(
                f"{model}: {capacity:,.0f} answers a second to a backlog; ready: {ready_mb:.0f} MB"
            )
            with watch.running():
                start_s = time.monotonic()
                _send_evenly(sender, targets, FACTOR * capacity, seconds)
                sending_s = time.monotonic() - start_s
                await_answers(servers, sender.sent, worker)
                lasted_s = time.monotonic() - start_s
        answers = _read_answers(servers)
        return Burst(
            model,
            capacity,
            sender.sent - BACKLOG,
            sending_s,
            lasted_s,
            len(answers.offset) - BACKLOG,
            ready_mb,
            watch.peak_mb,
            find_order(answers),
        )


def _dearest(models: Path) -> str:
    """The ladder's last single model: they are planned lightest first."""
    plans = read_plans(models / TASK / PLANS_FILE).plans
    return next(plan.name for plan in reversed(plans) if len(plan.steps) == 1)


def _draw_targets() -> Callable[[int], Headers]:
    rng = np.random.default_rng(0)
    drawn_ms = rng.integers(*DEADLINES_MS, size=100_003)
    drawn_ms[rng.random(len(drawn_ms)) < LATE_SHARE] = LATE_MS
    headers = [[(HEADER_MAX_LATENCY_MS, b"%d" % ms)] for ms in drawn_ms.tolist()]
    return lambda i: headers[i % len(headers)]


def _send_evenly(
    sender: Sender, targets: Callable[[int], Headers], rate: float, seconds: float
) -> None:
    """Send at a rate, or as fast as Kafka takes it where that is slower."""
    start_s, before = time.monotonic(), sender.sent
    while (elapsed_s := time.monotonic() - start_s) < seconds:
        due = int(elapsed_s * rate) - (sender.sent - before)
        sender.good(min(due, _CHUNK), targets)
        if due < _CHUNK:
            time.sleep(0.002)
    sender.flush()


def _capacity(servers: str) -> float:
    """Answers per second, once the first tenth is answered."""
    topic = predictions_topic(TASK)
    times_ms = sorted(entry.timestamp_ms for entry in read_all(servers, topic, PARTITIONS))
    settled = times_ms[len(times_ms) // 10 :]
    return len(settled) / max(settled[-1] - settled[0], 1) * 1e3


def _read_answers(servers: str) -> Answered:
    """Every request that has an answer, and its first one."""
    sent_ms = {
        (entry.partition, entry.offset): entry.timestamp_ms
        for entry in read_all(servers, requests_topic(TASK), PARTITIONS)
    }
    decode = msgspec.json.Decoder(_Prediction).decode
    found: dict[tuple[int, int], tuple[float, float]] = {}
    for entry in read_all(servers, predictions_topic(TASK), PARTITIONS):
        prediction = decode(entry.value or b"")
        _, partition, offset = prediction.id.rsplit("-", 2)
        place, told = (int(partition), int(offset)), prediction.parameters
        since_ms = sent_ms[place]
        # One call's answers have one time, told since each request's in thousandths.
        answered_us = since_ms * 1000 + round(told.latency_ms * 1000)
        found.setdefault(place, (since_ms + told.max_latency_ms, answered_us / 1000))
    places, times_ms = np.array(list(found)), np.array(list(found.values()))
    return Answered(places[:, 0], places[:, 1], times_ms[:, 0], times_ms[:, 1])


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seconds", default=3.0, show_default=True, help="How long the burst lasts.")
@click.option(
    "--models", default="models", show_default=True, help="Folder with the digits ladder."
)
def main(seconds: float, models: str) -> None:
    """Exit code 1 where a record got no answer, memory went over its bound, or a later deadline
    went before an earlier one."""
    try:
        burst = run(Path(models), seconds, click.echo)
    except (OunceError, KafkaUnavailableError) as e:
        raise click.ClickException(str(e)) from e
    order = burst.order
    click.echo(
        f"{burst.sent:,} records in {burst.sending_s:.1f} s, {burst.factor:.1f} times the "
        f"capacity; {burst.answered:,} answered in {burst.lasted_s:.1f} s\n"
        f"bound: {burst.ready_mb:.0f} + {BOUND_MB:g} MB; at most {burst.peak_mb:.0f} MB were seen\n"
        f"of {order.pairs:,} pairs that waited together, neither late, "
        f"{order.share_in_order:.4%} in the order of their deadlines\n"
        f"late already were {order.late_share:.1%} of the answers given while others waited "
        f"({LATE_SHARE:.0%} of the records)"
    )
    bounded = burst.peak_mb <= burst.ready_mb + BOUND_MB
    if not bounded or burst.answered != burst.sent or order.share_in_order < LEAST_IN_ORDER:
        sys.exit(1)


if __name__ == "__main__":
    main()
