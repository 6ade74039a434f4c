"""One worker, once overloaded, for an hour at half of what it can: do its memory and its file
handles stay flat?

Example: python -m trials.chaos.soak --minutes 60
"""

import csv
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import click
import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from ounce_schemas.topics import predictions_topic, requests_topic, task_topics
from ounce_services.devices.fleet import FleetShape, draw_requests
from ounce_services.devices.samples import read_samples
from ounce_services.devices.targets import read_default_mix

from tests.support.process.worker import Worker
from trials.chaos.broker import ChaosKafka
from trials.chaos.run import Delivery, available_deliveries

TASK = "digits"
_PARTITIONS = 4
_KEPT_BYTES = 64 * 1024 * 1024
"""Of each partition: an hour's records would fill the disk."""
_OVERLOAD_S = 20.0
_CATCH_UP_S = 600.0
_TICK_S = 0.02


class Sample(NamedTuple):
    """The worker at one moment."""

    at_s: float
    resident_mb: float
    handles: int
    threads: int
    answered: int
    """Predictions up to then."""
    waiting: int
    """Requests without one."""


class Trend(NamedTuple):
    """A straight line through samples."""

    per_hour: float
    error: float
    """Standard error of `per_hour`, for samples that depend on their neighbours."""

    @property
    def is_flat(self) -> bool:
        """Whether it may well be no slope at all: within two standard errors of none."""
        return abs(self.per_hour) <= 2 * self.error + 1e-6


def trend(at_s: Sequence[float], values: Sequence[float]) -> Trend:
    """Slope of a least-squares line, and its standard error.

    The error is that of the slopes of ten consecutive blocks' means: neighbours are alike, so that
    the usual one, of independent samples, would be far too small.
    """
    n_blocks = min(10, len(values))
    if n_blocks < 3:
        return Trend(0.0, float("inf"))
    x = np.array([block.mean() for block in np.array_split(np.asarray(at_s) / 3600, n_blocks)])
    y = np.array([block.mean() for block in np.array_split(np.asarray(values, float), n_blocks)])
    slope, start = np.polyfit(x, y, 1)
    rest = y - (slope * x + start)
    spread = float((rest**2).sum()) / (n_blocks - 2)
    error = (spread / float(((x - x.mean()) ** 2).sum())) ** 0.5
    return Trend(float(slope), float(error))


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
@click.option(
    "--models", default="models", show_default=True, help="Folder with the digits ladder."
)
@click.option("--results", default="results/soak", show_default=True, help="Folder to write to.")
def main(
    minutes: float,
    share: float,
    rate: float,
    every: float,
    delivery: str,
    models: str,
    results: str,
) -> None:
    """Exit code 1 where the worker ended, or was slower than the inputs came."""
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    folder = Path(results) / f"{time.strftime('%Y%m%dT%H%M%S')}-{delivery}"
    folder.mkdir(parents=True)
    options = [f"--delivery={delivery}"] if len(available_deliveries()) > 1 else []
    with ExitStack() as stack:
        broker = stack.enter_context(
            ChaosKafka(properties={"log.retention.check.interval.ms": 5000})
        )
        _make_topics(broker.bootstrap_servers)
        servers, ladder = broker.bootstrap_servers, Path(models)
        devices = stack.enter_context(_Devices(servers, ladder))
        worker = stack.enter_context(Worker(servers, ladder, folder / "worker.log", options))
        # Fills the worker to its bound: what it needs at most, it has had before the hour begins.
        # Otherwise each pause of the machine that is longer than all before looks like a leak.
        capacity = devices.overload(_OVERLOAD_S)
        devices.wait_until_answered(_CATCH_UP_S)
        rate = rate or share * capacity
        click.echo(f"capacity, the devices beside it: {capacity:,.0f}/s; now {rate:,.0f}/s")
        samples: list[Sample] = []
        with (folder / "samples.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(Sample._fields)
            for at_s in devices.send(rate, minutes * 60, every):
                if not worker.child.running:
                    break
                samples.append(_look(worker.child.pid, at_s, devices))
                table.writerow(samples[-1])
                file.flush()
        kept_up = devices.wait_until_answered(60.0)
        lived = worker.child.running
    _report(samples, rate, folder)
    if not lived or not kept_up:
        click.echo("the worker ended" if not lived else "inputs are left without an answer")
        sys.exit(1)


class _Devices:
    """Sends inputs, and knows by the topics' ends how many have answers."""

    def __init__(self, servers: str, models: Path) -> None:
        shape = FleetShape(50, json_share=0.2, traced_share=0.0, mix=read_default_mix(models, TASK))
        self._requests = draw_requests(read_samples(models, TASK), shape, seed=1, run="soak")
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "enable.idempotence": True,
                "linger.ms": 5,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 200_000,
                "log_level": 0,
            }
        )
        self._consumer = Consumer(
            {"bootstrap.servers": servers, "group.id": "soak", "log_level": 0}
        )
        self.sent = 0

    def __enter__(self) -> "_Devices":
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.purge()
        self._producer.flush(1.0)
        self._consumer.close()

    @property
    def answered(self) -> int:
        """Predictions up to now; a transaction's markers count, too."""
        return sum(
            self._consumer.get_watermark_offsets(TopicPartition(predictions_topic(TASK), p), 10)[1]
            for p in range(_PARTITIONS)
        )

    def overload(self, seconds: float) -> float:
        """Send as much as possible for so long; answers per second in the second half."""
        start_s = time.monotonic()
        half: tuple[float, int] | None = None
        while (now_s := time.monotonic()) < start_s + seconds:
            self._send(500)
            if half is None and now_s > start_s + seconds / 2:
                half = now_s, self.answered
            while len(self._producer) > 20_000:
                self._producer.poll(0.05)
        assert half is not None
        return (self.answered - half[1]) / (time.monotonic() - half[0])

    def send(self, rate: float, seconds: float, every_s: float) -> Iterator[float]:
        """Send evenly for so long, yielding every so often with the seconds since the start."""
        start_s, before = time.monotonic(), self.sent
        look_s = 0.0
        while (elapsed_s := time.monotonic() - start_s) < seconds:
            self._send(max(int(elapsed_s * rate) - (self.sent - before), 0))
            self._producer.poll(_TICK_S)
            if elapsed_s >= look_s:
                look_s += every_s
                yield elapsed_s

    def wait_until_answered(self, timeout_s: float) -> bool:
        """Whether all that was sent was answered in time."""
        deadline = time.monotonic() + timeout_s
        self._producer.flush(timeout_s)
        while self.answered < self.sent and time.monotonic() < deadline:
            time.sleep(0.2)
        return self.answered >= self.sent

    def _send(self, n: int) -> None:
        for _ in range(n):
            request = next(self._requests)
            while True:
                try:
                    self._producer.produce(
                        requests_topic(TASK),
                        request.value,
                        request.key,
                        headers=list(request.headers),
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)
            self.sent += 1


def _look(pid: int, at_s: float, devices: _Devices) -> Sample:
    status = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    answered = devices.answered
    return Sample(
        round(at_s, 2),
        int(fields["VmRSS"].split()[0]) / 1024,
        len(list(Path(f"/proc/{pid}/fd").iterdir())),
        int(fields["Threads"]),
        answered,
        devices.sent - answered,
    )


def _make_topics(servers: str) -> None:
    limits = {"retention.bytes": str(_KEPT_BYTES), "segment.bytes": str(_KEPT_BYTES // 4)}
    new = [NewTopic(t, num_partitions=_PARTITIONS, config=limits) for t in task_topics(TASK)]
    admin = AdminClient({"bootstrap.servers": servers})
    for made in admin.create_topics(new).values():
        made.result(20)


def _report(samples: Sequence[Sample], rate: float, folder: Path) -> None:
    if len(samples) < 10:
        click.echo("too few samples for a trend")
        return
    settled = samples[len(samples) // 10 :]  # what is first used is allocated once
    at_s = [s.at_s for s in settled]
    lines = [f"{len(samples)} samples over {samples[-1].at_s / 60:.1f} min at {rate:,.0f}/s"]
    for name, unit in (("resident_mb", "MB"), ("handles", "handles"), ("threads", "threads")):
        values = [float(getattr(s, name)) for s in settled]
        slope = trend(at_s, values)
        verdict = "flat" if slope.is_flat else "not flat"
        lines.append(
            f"{name}: {min(values):,.1f} to {max(values):,.1f} {unit}, slope "
            f"{slope.per_hour:+.2f} ± {slope.error:.2f} {unit} an hour: {verdict}"
        )
    lines.append(f"requests waiting: at most {max(s.waiting for s in settled):,}")
    text = "\n".join(lines)
    click.echo(text)
    (folder / "summary.txt").write_text(text + "\n")
    _plot(samples, folder / "soak.svg")


def _plot(samples: Sequence[Sample], path: Path) -> None:
    try:
        import matplotlib
    except ImportError:
        click.echo("no plot: matplotlib is not installed (pip install matplotlib)")
        return
    matplotlib.use("svg")
    from matplotlib import pyplot

    minutes = [s.at_s / 60 for s in samples]
    figure, (memory, handles) = pyplot.subplots(2, 1, sharex=True, figsize=(8, 5))
    for panel, name, label in (
        (memory, "resident_mb", "resident memory, MB"),
        (handles, "handles", "file handles"),
    ):
        values = [getattr(s, name) for s in samples]
        panel.plot(minutes, values)
        panel.set_ylabel(label)
        panel.set_ylim(0, 1.2 * max(values))
    handles.set_xlabel("minutes")
    figure.tight_layout()
    figure.savefig(path)
    click.echo(f"plot in {path}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    for again in (signal.SIGINT, signal.SIGTERM):  # what is tidied up now is not interrupted
        signal.signal(again, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
