"""A burst of ten times what one worker can do: its memory, and the order in which it answers.

The policy permits one model, the ladder's dearest, so that nothing gives way to a lighter one and
the capacity is that model's. It is measured first, with a backlog of the same messages. When the
worker took each request to answer it, its log of decisions says.

Exit code 1 where a record got no answer, memory went over its bound, or a later deadline went
before an earlier one; 2 where it could not be tried.

Example: python -m trials.chaos.burst --seconds 3
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from ounce_edge.evidence.decision_reader import read_decisions
from ounce_schemas.documents import PLANS_FILE, read_plans
from ounce_schemas.errors import OunceError
from ounce_schemas.request import HEADER_MAX_LATENCY_MS
from ounce_schemas.topics import predictions_topic, requests_topic

from benchmarks.results import Cell, Table, models_option, text
from tests.support.kafka.jars import KafkaUnavailableError
from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import Worker
from trials.chaos.accounting import Entry
from trials.chaos.broker import ChaosKafka
from trials.chaos.deadline_order import Order, Taken, find_order
from trials.chaos.flooding import (
    BOUND_MB,
    PARTITIONS,
    TASK,
    Headers,
    MemoryWatch,
    Sender,
    await_answers,
)
from trials.chaos.kept_decisions import keep_decisions
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
    """In which all requests were taken, those of the backlog and of the burst."""

    @property
    def factor(self) -> float:
        """How many times the capacity was sent."""
        return self.sent / self.sending_s / self.capacity


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
        recorded, decisions = Path(folder) / "recorded", Path(folder) / "decisions"
        options = [f"--policy={policy}", f"--decisions={recorded}"]
        with (
            keep_decisions(recorded, decisions),
            Worker(servers, models, log, options) as worker,
        ):
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
        taken = taken_of(read_all(servers, requests_topic(TASK), PARTITIONS), decisions, TASK)
        answered = sum(1 for _ in read_all(servers, predictions_topic(TASK), PARTITIONS))
        return Burst(
            model,
            capacity,
            sender.sent - BACKLOG,
            sending_s,
            lasted_s,
            answered - BACKLOG,
            ready_mb,
            watch.peak_mb,
            find_order(taken),
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


def taken_of(requests: Iterable[Entry], decisions: Path, task: str) -> Taken:
    """When every request was first taken to be answered.

    Args:
        requests: all of the task; their headers say by when they want an answer.
        decisions: folder of the worker's log of decisions, which names requests by position.
        task: of the log.

    Raises:
        RuntimeError: the log does not tell of all of them.
    """
    at_ms: dict[bytes, float] = {}
    for _, entry in read_decisions(decisions, task):
        for json_id in entry.json_ids:
            at_ms.setdefault(json_id, entry.at_ms)
    columns: list[tuple[int, int, float, float]] = []
    missing = 0
    for request in requests:
        id = b'"%b-%d-%d"' % (requests_topic(task).encode(), request.partition, request.offset)
        within_ms = float(dict(request.headers)[HEADER_MAX_LATENCY_MS] or b"")
        if id in at_ms:
            deadline_ms = request.timestamp_ms + within_ms
            columns.append((request.partition, request.offset, deadline_ms, at_ms[id]))
        else:
            missing += 1
    if missing or not columns:
        raise RuntimeError(
            f"the log of decisions tells of {len(columns):,} requests and lacks {missing:,}"
        )
    return Taken(*map(np.array, zip(*columns, strict=True)))


def holds(burst: Burst) -> bool:
    """Whether all was answered, in bounded memory, the earlier deadline first."""
    return (
        burst.peak_mb <= burst.ready_mb + BOUND_MB
        and burst.answered == burst.sent
        and burst.order.share_in_order >= LEAST_IN_ORDER
    )


def burst_table(burst: Burst) -> Table:
    """What it did, as one row."""
    columns = [
        "capacity", "burst", "answered", "most memory", "bound",
        "pairs in the order of their deadlines",
    ]  # fmt: skip
    told = "all" if burst.answered == burst.sent else f"{burst.answered:,}"
    row: list[Cell] = [
        f"{burst.capacity:,.0f} messages/s",
        f"{burst.sent:,} in {burst.sending_s:.1f} s, {burst.factor:.1f} times the capacity",
        f"{told}, in {burst.lasted_s:.0f} s",
        f"{burst.peak_mb:.0f} MB",
        f"{burst.ready_mb:.0f} + {BOUND_MB:.0f} MB",
        f"{burst.order.share_in_order:.3%} of {burst.order.pairs / 1e6:,.0f} million",
    ]
    note = (
        "A pair is one request that was taken to be answered and one that waited on with it in "
        f"the worker, neither of them late. Late were {burst.order.late_share:.1%} of those taken "
        f"while others waited, and {LATE_SHARE:.0%} of the requests. The model is {burst.model}."
    )
    return Table(columns, [row], note)


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seconds", default=3.0, show_default=True, help="How long the burst lasts.")
@models_option
def main(seconds: float, models: Path) -> None:
    """Run, and report."""
    try:
        burst = run(models, seconds, click.echo)
    except (OunceError, KafkaUnavailableError, RuntimeError) as e:
        click.echo(f"Error: {e}", err=True)
        sys.exit(2)
    click.echo(text(burst_table(burst)))
    sys.exit(0 if holds(burst) else 1)


if __name__ == "__main__":
    main()
