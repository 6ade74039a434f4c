"""One worker, once overloaded, for an hour at half of what it can: do its memory and its file
handles stay flat?

Exit code 1 where the worker ended, or was slower than the inputs came; 2 where it could not
be tried.

Example: python -m trials.chaos.soak --minutes 60
"""

import csv
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from ounce_schemas.errors import OunceError
from ounce_schemas.topics import task_topics

from benchmarks import results as published
from benchmarks.process_figures import memory_kb
from tests.support.kafka.jars import KafkaUnavailableError
from tests.support.process.worker import Worker
from trials.chaos.broker import ChaosKafka
from trials.chaos.outcome import Delivery, available_deliveries
from trials.chaos.soak_devices import PARTITIONS, TASK, SoakDevices
from trials.chaos.soak_report import Sample, plot, soak_table

_KEPT_BYTES = 64 * 1024 * 1024
"""Of each partition: an hour's records would fill the disk."""
_OVERLOAD_S = 20.0
_CATCH_UP_S, _CATCH_UP_LAST_S = 600.0, 60.0
_FEWEST_SAMPLES = 10


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--minutes", default=60.0, show_default=True, help="How long.")
@click.option("--share", default=0.5, show_default=True, help="Of the measured capacity.")
@click.option("--rate", default=0.0, help="Inputs a second, instead of a share of the capacity.")
@click.option("--every", default=5.0, show_default=True, help="Seconds between samples.")
@click.option(
    "--delivery",
    default=str(Delivery.AT_LEAST_ONCE),
    show_default=True,
    type=click.Choice([*map(str, Delivery)]),
)
@published.models_option
@click.option("--results", default="results/soak", show_default=True, help="Folder to write to.")
@published.publish_option
def main(  # noqa: PLR0913
    minutes: float,
    share: float,
    rate: float,
    every: float,
    delivery: str,
    models: Path,
    results: str,
    publish: bool,
) -> None:
    """Run, and report."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    folder = Path(results) / f"{time.strftime('%Y%m%dT%H%M%S')}-{delivery}"
    folder.mkdir(parents=True)
    load = Load(minutes * 60, share, rate, every)
    try:
        soaked = soak(models, load, delivery, folder)
    except (OunceError, KafkaUnavailableError, RuntimeError) as e:
        click.echo(f"the soak did not work: {e}; logs in {folder}", err=True)
        sys.exit(2)
    if len(soaked.samples) < _FEWEST_SAMPLES:
        click.echo("too few samples for a trend")
    else:
        table = soak_table(soaked.samples, soaked.rate, delivery)
        plot(soaked.samples, folder / "soak.svg")
        published.report("soak", {"soak": table}, publish=publish)
    if soaked.trouble:
        click.echo(soaked.trouble)
        sys.exit(1)


@dataclass(frozen=True)
class Load:
    """What is sent."""

    seconds: float
    share: float
    """Of the capacity."""
    rate: float
    """Inputs per second; 0: the share of the capacity."""
    every_s: float
    """Between two samples."""


@dataclass(frozen=True)
class Soaked:
    """What was seen."""

    rate: float
    samples: list[Sample]
    trouble: str
    """Empty where there was none."""


def soak(models: Path, load: Load, delivery: str, folder: Path) -> Soaked:
    """Overload a worker once, then load it evenly.

    Args:
        models: folder with the digits ladder.
        load: what is sent.
        delivery: guarantee that the worker is asked for.
        folder: for its log and the samples.
    """
    options = [f"--delivery={delivery}"] if len(available_deliveries()) > 1 else []
    with ExitStack() as stack:
        broker = stack.enter_context(
            ChaosKafka(properties={"log.retention.check.interval.ms": 5000})
        )
        servers = broker.bootstrap_servers
        _make_topics(servers)
        devices = stack.enter_context(SoakDevices(servers, models))
        worker = stack.enter_context(Worker(servers, models, folder / "worker.log", options))
        # Fills the worker to its bound: what it needs at most, it has had before the hour begins.
        # Otherwise each pause of the machine that is longer than all before looks like a leak.
        capacity = devices.overload(_OVERLOAD_S)
        devices.wait_until_answered(_CATCH_UP_S)
        rate = load.rate or load.share * capacity
        click.echo(f"capacity, the devices beside it: {capacity:,.0f}/s; now {rate:,.0f}/s")
        samples: list[Sample] = []
        with (folder / "samples.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(Sample._fields)
            for at_s in devices.send(rate, load.seconds, load.every_s):
                if not worker.child.running:
                    break
                samples.append(_look(worker.child.pid, at_s, devices))
                table.writerow(samples[-1])
                file.flush()
        trouble = ""
        if not devices.wait_until_answered(_CATCH_UP_LAST_S):
            trouble = "inputs are left without an answer"
        if not worker.child.running:
            trouble = f"the worker ended:\n{worker.child.log_tail()}"
    return Soaked(rate, samples, trouble)


def _look(pid: int, at_s: float, devices: SoakDevices) -> Sample:
    answered = devices.answered
    return Sample(
        round(at_s, 2),
        memory_kb(pid) / 1024,
        len(list(Path(f"/proc/{pid}/fd").iterdir())),
        len(list(Path(f"/proc/{pid}/task").iterdir())),
        answered,
        devices.sent - answered,
    )


def _make_topics(servers: str) -> None:
    limits = {"retention.bytes": str(_KEPT_BYTES), "segment.bytes": str(_KEPT_BYTES // 4)}
    new = [NewTopic(t, num_partitions=PARTITIONS, config=limits) for t in task_topics(TASK)]
    admin = AdminClient({"bootstrap.servers": servers})
    for made in admin.create_topics(new).values():
        made.result(20)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for again in (signal.SIGINT, signal.SIGTERM):  # what is tidied up now is not interrupted
        signal.signal(again, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
