"""Runs a fleet: publishes what is due, joins what comes back, reports twice a second."""

import time
import uuid
from collections.abc import Callable
from threading import Event

from confluent_kafka import Producer
from ounce_schemas.topics import labels_topic, requests_topic

from ounce_services.cluster.admin import ANY_SIZE, CLIENT_CONFIG, describe_cluster, require_topics
from ounce_services.devices.answers import AnswerReader
from ounce_services.devices.fleet import FleetShape
from ounce_services.devices.labels import LabelSender
from ounce_services.devices.pacing import Pace
from ounce_services.devices.report import FleetReport, Phase
from ounce_services.devices.samples import read_samples
from ounce_services.devices.settings import DevicesSettings
from ounce_services.devices.targets import read_default_mix
from ounce_services.devices.task_fleet import TaskFleet

TICK_S = 0.005
REPORT_EVERY_S = 0.5


def simulate(
    settings: DevicesSettings, stop: Event, on_report: Callable[[FleetReport], None]
) -> FleetReport:
    """Send for the duration or until `stop`, then wait for the last answers.

    Set once, `stop` ends the sending; set again, it ends the waiting too.

    Args:
        settings: which tasks, where, how fast.
        stop: set from outside, for example by a signal.
        on_report: called twice a second and once more at the end.

    Returns:
        The last report.

    Raises:
        ArtifactError: a task's test split or cards are absent or damaged.
        BrokerError: Kafka is absent, or lacks a task's topics.
    """
    fleets = _make_fleets(settings)
    cluster = describe_cluster(settings.kafka, settings.kafka_timeout_s, settings.security)
    for task, fleet in fleets.items():
        labels = [labels_topic(task)] if settings.label_share else []
        require_topics(cluster, task, [requests_topic(task), *fleet.answer_topics, *labels])
    topics = [topic for fleet in fleets.values() for topic in fleet.answer_topics]
    producer = Producer(
        {
            **CLIENT_CONFIG,
            **ANY_SIZE,
            "bootstrap.servers": settings.kafka,
            **settings.security,
            "linger.ms": 1,
            "queue.buffering.max.messages": 1_000_000,
            "message.timeout.ms": 10_000,
        }
    )
    with producer, AnswerReader(settings.kafka, cluster, topics, settings.security) as reader:
        return _Run(settings, fleets, producer, reader, stop, on_report).run()


def _make_fleets(settings: DevicesSettings) -> dict[str, TaskFleet]:
    run = uuid.uuid4().hex[:12]
    fleets = {}
    for task, rate_per_s in settings.rates_per_s.items():
        shape = FleetShape(
            n_devices=settings.devices,
            json_share=settings.json_share,
            traced_share=settings.traced_share,
            mix=settings.mix or read_default_mix(settings.models, task),
        )
        pace = Pace(rate_per_s, settings.burst_every, settings.burst_length, settings.burst_factor)
        samples = read_samples(settings.models, task)
        labels = LabelSender(
            samples, settings.label_share, settings.label_delay, seed=settings.seed
        )
        fleets[task] = TaskFleet(samples, shape, pace, labels, seed=settings.seed, run=run)
    return fleets


class _Run:
    """One run's loop."""

    def __init__(
        self,
        settings: DevicesSettings,
        fleets: dict[str, TaskFleet],
        producer: Producer,
        reader: AnswerReader,
        stop: Event,
        on_report: Callable[[FleetReport], None],
    ) -> None:
        self._settings = settings
        self._fleets = fleets
        self._by_topic = {
            topic: fleet for fleet in fleets.values() for topic in fleet.answer_topics
        }
        self._producer = producer
        self._reader = reader
        self._stop = stop
        self._on_report = on_report
        self._start_s = time.monotonic()
        self._next_report_s = 0.0

    def run(self) -> FleetReport:
        duration_s = self._settings.duration or float("inf")
        while (elapsed_s := self._elapsed_s()) < duration_s and not self._stop.is_set():
            for fleet in self._fleets.values():
                fleet.publish_due(self._producer, elapsed_s)
            self._tick(Phase.SENDING)
        self._stop.clear()

        give_up_s = self._elapsed_s() + self._settings.patience_s
        while self._is_waiting() and self._elapsed_s() < give_up_s and not self._stop.is_set():
            self._tick(Phase.SETTLING)
        self._join()
        return self._report(Phase.DONE)

    def _tick(self, phase: Phase) -> None:
        self._join()
        if self._elapsed_s() >= self._next_report_s:
            self._next_report_s += REPORT_EVERY_S
            self._report(phase)
        self._stop.wait(TICK_S)

    def _join(self) -> None:
        self._producer.poll(0)
        for at_s, messages in self._reader.drain():
            for message in messages:
                self._by_topic[message.topic() or ""].receive(message, at_s)
        for fleet in self._fleets.values():
            fleet.publish_due_labels(self._producer)

    def _report(self, phase: Phase) -> FleetReport:
        elapsed_s = self._elapsed_s()
        report = FleetReport(
            elapsed_s=elapsed_s,
            phase=phase,
            bursting=phase is Phase.SENDING
            and any(fleet.pace.is_burst(elapsed_s) for fleet in self._fleets.values()),
            tasks={task: fleet.report(elapsed_s) for task, fleet in self._fleets.items()},
        )
        self._on_report(report)
        return report

    def _is_waiting(self) -> bool:
        return any(fleet.waiting for fleet in self._fleets.values())

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._start_s
