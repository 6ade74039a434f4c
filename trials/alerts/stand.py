"""What the faults of alerts happen to: a broker, and what runs beside it for one alert."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from confluent_kafka import Producer
from ounce_schemas.topics import (
    control_topics,
    decisions_topic,
    events_topic,
    requests_topic,
)

from tests.support.kafka.topics import OwnTopics
from tests.support.process.front import FrontProcess
from tests.support.process.gateway import Gateway
from tests.support.process.mosquitto import Mosquitto, MqttDevice
from tests.support.process.served import Served
from tests.support.process.worker import Worker
from trials.alerts.runbook import Runbook, Told
from trials.alerts.watching import WatchingPrometheus
from trials.chaos.broker import ChaosKafka

S = TypeVar("S", bound=Served)

TASK, PARTITIONS = "digits", 2
BODY = b"[" + b",".join([b"0"] * 64) + b"]"
MESSAGE_BYTES = 20_000
"""Of a device behind MQTT."""


@dataclass
class Broken:
    """A fault that is there, and what its runbook has to show."""

    says: str
    """Pattern of what the commands of the runbook print."""
    fails: Sequence[str] = ()
    """How commands begin that fail, since what they ask is gone."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What to put in for what stands on the page, beside the addresses."""


Scene = Generator[Broken | None, list[Told], None]
"""Breaks something and says so; is sent what the runbook's commands said, and mends it; ends."""


class Stand:
    """Processes of one scene.

    Args:
        kafka: that runs, also after the scene.
        models: folder with the digits ladder.
        folder: where logs go, `SERVICE.log`, and whatever else the processes write.
        prometheus: scrapes them.
        runbook: what people are told to do.
    """

    def __init__(
        self,
        kafka: ChaosKafka,
        models: Path,
        folder: Path,
        prometheus: WatchingPrometheus,
        runbook: Runbook,
    ) -> None:
        self.runbook = runbook
        self.kafka, self.models, self.folder, self.prometheus = kafka, models, folder, prometheus
        self.servers = kafka.bootstrap_servers
        (folder / "models").symlink_to(models)
        self._watched: dict[str, int] = {}
        self._stack = ExitStack()
        self._producer = Producer({"bootstrap.servers": self.servers, "log_level": 0})
        self.mosquitto: Mosquitto | None = None

    @staticmethod
    def make_topics(servers: str) -> None:
        """Those of all scenes."""
        topics = OwnTopics(servers)
        topics.of_task(TASK, PARTITIONS)
        topics.make([events_topic(), decisions_topic()])
        topics.make(control_topics(), config={"cleanup.policy": "compact"})

    def worker(self, *options: str, models: Path | None = None) -> Worker:
        """One that is ready and scraped."""
        found = Worker(self.servers, models or self.models, self.folder / "worker.log", options)
        return self._watch("ounce-worker", found)

    def front(self, *options: str) -> FrontProcess:
        """An HTTP front."""
        options = (f"--task={TASK}", "--grace-s=1", *options)
        return self._watch(
            "ounce-http", FrontProcess(self.servers, self.folder / "http.log", options)
        )

    def gateway(self, *options: str) -> Gateway:
        """A gateway, and a broker of MQTT where there is none yet."""
        if self.mosquitto is None:
            self.mosquitto = self._stack.enter_context(Mosquitto())
        usual = ["--map=sensors/+device/+task", f"--task={TASK}", "--name=g1", "--patience-s=0.3",
                 f"--store={self.folder}/gateway-store/store.db"]  # fmt: skip
        log = self.folder / "gateway.log"
        return self._watch(
            "ounce-gateway", Gateway(self.mosquitto.url, self.servers, log, [*usual, *options])
        )

    def send(self, n: int, attributes: Mapping[str, str] = MappingProxyType({})) -> None:
        """Requests that no busy machine makes late, unless their attributes say so."""
        wanted = {"ce_maxlatencyms": "60000"} | {f"ce_{k}": v for k, v in attributes.items()}
        of_record: list[tuple[str, str | bytes | None]] = [*wanted.items()]
        for _ in range(n):
            self._producer.produce(requests_topic(TASK), BODY, headers=of_record)
        self._producer.flush(30)

    def publish(self, n: int) -> None:
        """Messages of a device by MQTT."""
        assert self.mosquitto is not None
        with MqttDevice(self.mosquitto.port) as device:
            for _ in range(n):
                device.send(f"sensors/d/{TASK}", bytes(MESSAGE_BYTES))

    def close(self) -> None:
        """End what runs."""
        self._stack.close()

    def names(self) -> dict[str, str]:
        """Addresses, by what stands for them on the page."""
        of = {job: f"127.0.0.1:{port}" for job, port in self._watched.items()}
        mqtt = "" if self.mosquitto is None else f"127.0.0.1 -p {self.mosquitto.port}"
        return {
            "localhost:9090": self.prometheus.address,
            "localhost:9092": self.servers,
            "WORKER": of.get("ounce-worker", "127.0.0.1:1"),
            "GATEWAY": of.get("ounce-gateway", ""),
            "FRONT": of.get("ounce-http", ""),
            "MQTT": mqtt,
        }

    def _watch(self, job: str, served: S) -> S:
        self._stack.callback(served.child.kill)
        served.wait_until_ready()
        self._watched[job] = served.port
        self.prometheus.watch(self._watched)
        self.prometheus.wait_for(f'up{{job="{job}",instance="127.0.0.1:{served.port}"}} == 1')
        return served
