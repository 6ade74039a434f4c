"""A gateway between a real mosquitto and a real Kafka, and what is behind Kafka."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from confluent_kafka import Consumer, Producer
from ounce_schemas.request import HEADER_REPLY
from ounce_schemas.topics import predictions_topic, requests_topic

from benchmarks.process_figures import memory_kb, processor_s
from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.kafka.topics import OwnTopics
from tests.support.process.gateway import Gateway
from tests.support.process.mosquitto import Mosquitto

TASK = "gateway-trial"
PARTITIONS = 4


class FarEnd(threading.Thread):
    """Notes the number of every request, and answers with its body at once."""

    def __init__(self, servers: str, answers: bool) -> None:
        super().__init__(name="far end", daemon=True)
        self.arrivals: list[int] = []
        self._distinct: set[int] = set()
        self._answers = answers
        self._is_closing = threading.Event()
        self._producer = Producer({"bootstrap.servers": servers, "linger.ms": 2, "log_level": 0})
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": f"far-{time.time_ns()}",
                "auto.offset.reset": "earliest",
                "fetch.queue.backoff.ms": 2,
                "session.timeout.ms": 300_000,  # it stays in its group while Kafka is frozen
                "log_level": 0,
            }
        )
        self._consumer.subscribe([requests_topic(TASK)])

    def run(self) -> None:
        """Until it is closed."""
        while not self._is_closing.is_set():
            for message in self._consumer.consume(1000, 0.005):
                if message.error() is None:
                    self._take(message)
            self._producer.poll(0)
        self._consumer.close()

    def _take(self, message: Any) -> None:
        body = json.loads(message.value())
        self.arrivals.append(body["i"])
        self._distinct.add(body["i"])
        if self._answers and time.time() - body["at"] < 2:  # as a worker: what is late goes last
            back = [h for h in message.headers() if h[0] == HEADER_REPLY]
            self._producer.produce(
                predictions_topic(TASK), message.value(), message.key(), headers=back
            )

    def wait_for(self, n: int, limit_s: float) -> bool:
        """Whether so many distinct messages came in time."""
        deadline = time.monotonic() + limit_s
        while len(self._distinct) < n:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.5)
        return True

    def close(self) -> None:
        """Stop reading."""
        self._is_closing.set()
        self.join(20)


class Stage:
    """All parts, started; a context manager.

    Args:
        folder: for the store and logs.
        options: further options of the gateway.
        cpus: processors of the gateway, as `taskset -c` reads them.
        answers: whether requests are answered.
    """

    def __init__(
        self, folder: Path, options: Sequence[str] = (), cpus: str = "0", answers: bool = False
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._options, self._cpus, self._answers = folder, options, cpus, answers
        self.most_mb = 0.0
        """Resident memory of the gateways, at most."""

    def __enter__(self) -> Self:
        self.kafka = ApacheKafka(runs_shortly=True)
        self.kafka.__enter__()
        OwnTopics(self.kafka.bootstrap_servers).of_task(TASK, PARTITIONS)
        self.mosquitto = Mosquitto()
        self.mosquitto.__enter__()
        self.start_gateway()
        self.far = FarEnd(self.kafka.bootstrap_servers, self._answers)
        self.far.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.far.close()
        self.gateway.child.stop()
        self.mosquitto.__exit__(*error)
        self.kafka.__exit__(*error)

    def start_gateway(self) -> None:
        """Start one on the same store."""
        self.gateway = Gateway(
            self.mosquitto.url,
            self.kafka.bootstrap_servers,
            self._folder / "gateway.log",
            [
                "--map=sensors/+device/+task",
                f"--task={TASK}",
                "--name=trial",
                f"--store={self._folder / 'store.db'}",
                *self._options,
            ],
        )
        subprocess.run(
            ["taskset", "-apc", self._cpus, str(self.gateway.child.pid)],
            check=True,
            capture_output=True,
        )
        while self.gateway.get("/metrics")[0] != 200:
            if not self.gateway.child.running:
                raise RuntimeError(f"the gateway ended:\n{self.gateway.child.log_tail()}")
            time.sleep(0.1)

    def kill_gateway(self) -> None:
        """kill -9, and start another one."""
        self.look()
        self.gateway.child.kill()
        self.start_gateway()

    def look(self) -> float:
        """Note its memory; its processor time so far, in seconds."""
        pid = self.gateway.child.pid
        self.most_mb = max(self.most_mb, memory_kb(pid, "VmHWM") / 1000)
        return processor_s(pid)

    def load(self, **options: Any) -> "subprocess.Popen[str]":
        """Start a load; `result_of` waits for it."""
        words = [
            part
            for name, value in options.items()
            for part in ([f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)]))
        ]
        port = str(self.mosquitto.port)
        module = [sys.executable, "-m", "benchmarks.gateway.load", "--port", port, "--task", TASK]
        return subprocess.Popen([*module, *words], stdout=subprocess.PIPE, text=True)


def result_of(load: "subprocess.Popen[str]") -> dict[str, Any]:
    """What a load printed."""
    output, _ = load.communicate()
    if load.returncode:
        raise RuntimeError(f"the load ended with {load.returncode}")
    found: dict[str, Any] = json.loads(output)
    return found
