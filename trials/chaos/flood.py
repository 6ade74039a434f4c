"""What one worker's memory does under floods: poison, a backlog, a broker that stalls, a burst.

Each phase sends as fast as Kafka takes it, and ends when all is answered or dead-lettered. The
burst (`trials.chaos.burst`) is another worker's, and shows the order of its answers, too.

Exit code 1 where a record got no answer, memory went over its bound, or a later deadline went
before an earlier one; 2 where it could not be tried.

Example: python -m trials.chaos.flood --scale 1
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from ounce_schemas.errors import OunceError

from benchmarks import results
from benchmarks.results import Table
from tests.support.kafka.jars import KafkaUnavailableError
from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import Worker
from trials.chaos import burst
from trials.chaos.broker import ChaosKafka
from trials.chaos.flooding import (
    BOUND_MB,
    PARTITIONS,
    TASK,
    MemoryWatch,
    Sender,
    await_answers,
)

_SESSION_MS = 120_000


@dataclass(frozen=True)
class Phase:
    """What a flood did."""

    name: str
    sent: int
    answered: int
    """With a prediction or a dead letter, over all phases less those before."""
    peak_mb: float
    """Greatest resident memory meanwhile."""
    sending_s: float
    lasted_s: float


def run(
    models: Path, scale: float, tell: Callable[[str], None], stall_s: float = 10.0
) -> tuple[float, list[Phase]]:
    """Flood one worker.

    Args:
        models: folder with the digits ladder.
        scale: times 200,000 good and 20,000 bad records.
        tell: is told what is done.
        stall_s: how long the broker stalls.

    Returns:
        Resident megabytes of the ready worker, and the phases.
    """
    with tempfile.TemporaryDirectory() as folder, ChaosKafka() as broker:
        servers = broker.bootstrap_servers
        OwnTopics(servers).of_task(TASK, PARTITIONS)
        sender = Sender(servers, models)
        log = Path(folder) / "worker.log"
        # Who loses its partitions while the broker stalls answers some requests again.
        options = [f"--session-timeout-ms={_SESSION_MS}"]
        with Worker(servers, models, log, options) as worker:
            worker.wait_until_ready()
            watch = MemoryWatch(worker.child.pid)
            ready_mb = watch.now_mb()
            tell(f"ready: {ready_mb:.0f} MB")
            good, bad = int(200_000 * scale), int(20_000 * scale)

            def stalled() -> None:
                sender.good(good)
                sender.flush()
                broker.freeze()
                time.sleep(stall_s)
                broker.thaw()

            phases = []
            for name, flood in (
                ("poison", lambda: sender.poison(bad)),
                ("at once", lambda: sender.good(good)),
                (f"the broker stalls for {stall_s:g} s", stalled),
            ):
                before, start_s = sender.sent, time.monotonic()
                with watch.running():
                    flood()
                    sender.flush()
                    sending_s = time.monotonic() - start_s
                    answered = await_answers(servers, sender.sent, worker)
                lasted_s = time.monotonic() - start_s
                n = sender.sent - before
                phases.append(Phase(name, n, answered - before, watch.peak_mb, sending_s, lasted_s))
                tell(
                    f"{name}: {n:,} records in {sending_s:.1f} s, {answered - before:,} answered "
                    f"in {lasted_s:.1f} s, at most {watch.peak_mb:.0f} MB"
                )
                if not worker.child.running:
                    tell("the worker ended by itself:\n" + log.read_text()[-4_000:])
                    break
        return ready_mb, phases


def flood_table(ready_mb: float, phases: Sequence[Phase]) -> Table:
    """One row for each phase."""
    columns = ["phase", "sent in", "answered in", "most memory"]
    rows: list[list[results.Cell]] = [
        [
            f"{phase.name}: {phase.sent:,} records",
            f"{phase.sending_s:.1f} s",
            f"{phase.lasted_s:.1f} s"
            if phase.answered == phase.sent
            else f"{phase.answered:,} answered",
            f"{phase.peak_mb:.0f} MB",
        ]
        for phase in phases
    ]
    note = f"When ready the worker held {ready_mb:.0f} MB; the bound is {BOUND_MB:.0f} MB more."
    return Table(columns, rows, note)


def holds(ready_mb: float, phases: Sequence[Phase]) -> bool:
    """Whether all was answered, in bounded memory."""
    bounded = max(phase.peak_mb for phase in phases) <= ready_mb + BOUND_MB
    return bounded and all(phase.answered == phase.sent for phase in phases)


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--scale", default=1.0, show_default=True, help="Times the number of records.")
@click.option("--seconds", default=3.0, show_default=True, help="How long the burst lasts.")
@results.models_option
@results.publish_option
def main(scale: float, seconds: float, models: Path, publish: bool) -> None:
    """Run, and report."""
    try:
        ready_mb, phases = run(models, scale, click.echo)
        bursted = burst.run(models, seconds, click.echo)
    except (OunceError, KafkaUnavailableError, RuntimeError) as e:
        click.echo(f"Error: {e}", err=True)
        sys.exit(2)
    tables = {"flood": flood_table(ready_mb, phases), "burst": burst.burst_table(bursted)}
    results.report("flood", tables, publish=publish)
    sys.exit(0 if holds(ready_mb, phases) and burst.holds(bursted) else 1)


if __name__ == "__main__":
    main()
