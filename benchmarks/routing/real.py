"""The simulation held against a worker on a real Kafka: same messages, same models."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from ounce_schemas.documents import TEST_SPLIT_FILE
from ounce_schemas.prediction import Prediction
from ounce_schemas.topics import dead_letters_topic, predictions_topic, requests_topic

from benchmarks.process_figures import processor_s
from benchmarks.routing.in_service import InService, learn
from benchmarks.routing.matrix import Measured
from benchmarks.routing.overhead import headers
from benchmarks.routing.simulation import Result
from benchmarks.routing.workloads import Workload, make
from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.process.child import free_port

BROKER_CPU, WORKER_CPU = "0", "1"
WARM_UP_SHARE, WARM_UP_SECONDS = 0.5, 4.0
SECONDS = 8.0
READY_S = 60.0
PACE_S = 0.002
"""Devices send what is due so often."""
READ_EVERY_MS = 50.0
"""Devices look for answers this often: they share the broker's processor, and should leave it most
of it."""


@dataclass(frozen=True)
class Served:
    """How a workload was served, by either side."""

    on_time: float
    compute_us: float
    """Model time per message, microseconds."""
    p50_ms: float
    p99_ms: float
    plans: Mapping[str, float]
    """Share of messages by plan."""


@dataclass(frozen=True)
class Check:
    """Both sides, and what the worker spent."""

    rate: float
    in_service: InService
    """What a run at half the rate showed of the worker."""
    worker: Served
    simulated: Served
    decision_share: float
    """Of the worker's processor time, what deciding takes."""
    decision_us: float
    """Deciding, per message."""
    processor_us: float
    """Processor time of the worker per message."""
    broker_idle: float
    """Of the time of the broker's and the devices' processor, what nobody used: where none is left,
    answers are late for want of that."""


def check_against_kafka(task: Measured, models_dir: Path, rate: float) -> Check:
    """Serve a workload with a worker on a real Kafka, and simulate the same.

    The broker and the devices share one processor, the worker has another one. What the simulation
    can't know without Kafka (`in_service` says what) is learned from a run at half the rate, just
    before, of the same worker; the run that is foreseen gives it nothing.

    Raises:
        KafkaUnavailableError: there is no Java here, or no jars.
    """
    table, overhead = task.table, task.overhead
    slow = make("Poisson", table, WARM_UP_SHARE * rate, 1, WARM_UP_SECONDS)
    load = make("Poisson", table, rate, 2, SECONDS)
    broker = ApacheKafka(cpus=BROKER_CPU, runs_shortly=True)
    with broker as kafka, tempfile.TemporaryDirectory() as folder:
        servers = kafka.bootstrap_servers
        _make_topics(servers, table.task)
        port = free_port()
        with (Path(folder) / "worker.log").open("w") as log:
            worker = subprocess.Popen(
                [
                    *("taskset", "-c", WORKER_CPU),
                    str(Path(sys.executable).with_name("ounce")),
                    *("worker", "--task", table.task, "--kafka", servers),
                    *("--models", str(models_dir), "--metrics-port", str(port)),
                    *("--log-level", "WARNING"),
                ],
                stdout=log,
                stderr=log,
            )
        try:
            _wait_until_ready(port)
            devices = _Devices(servers, task, models_dir)
            devices.serve(slow)  # topics, connections and caches are cold at first
            at_first = _spent(worker.pid, port)
            alone = devices.serve(slow)
            before = _spent(worker.pid, port)
            idle_s, began_s = _idle_s(), time.perf_counter()
            answers = devices.serve(load)
            broker_idle = (_idle_s() - idle_s) / (time.perf_counter() - began_s)
            after = _spent(worker.pid, port)
            devices.close()
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait()
    processor_ms = (before.processor_s - at_first.processor_s) * 1e3
    in_service = learn(table, overhead, slow, alone, processor_ms)
    decided_s = after.deciding_s - before.deciding_s
    processor_s = after.processor_s - before.processor_s
    return Check(
        rate=rate,
        in_service=in_service,
        worker=_of_answers(answers),
        simulated=_of_result(task, load, in_service.simulate(table, load)),
        decision_share=decided_s / processor_s,
        decision_us=decided_s / len(load) * 1e6,
        processor_us=processor_s / len(load) * 1e6,
        broker_idle=broker_idle,
    )


def _of_answers(answers: Sequence[Prediction]) -> Served:
    said = [answer.parameters for answer in answers]
    return _served(
        np.array([p.latency_ms for p in said]),
        np.array([p.max_latency_ms for p in said]),
        np.array([p.cost_ms for p in said]),
        [p.plan for p in said],
    )


def _of_result(task: Measured, workload: Workload, result: Result) -> Served:
    latency_ms = result.finish_ms - workload.arrival_ms
    names = [task.table.plans[p].name for p in result.plan]
    return _served(latency_ms, workload.max_latency_ms, result.compute_ms, names)


def _served(latency_ms, max_latency_ms, compute_ms, names) -> Served:
    return Served(
        on_time=float(np.mean(latency_ms <= max_latency_ms)),
        compute_us=float(np.mean(compute_ms) * 1e3),
        p50_ms=float(np.percentile(latency_ms, 50)),
        p99_ms=float(np.percentile(latency_ms, 99)),
        plans={name: n / len(names) for name, n in Counter(names).most_common()},
    )


class _Devices:
    """Send a workload at its pace, and read the answers."""

    def __init__(self, servers: str, task: Measured, models_dir: Path) -> None:
        name = task.table.task
        self._requests = requests_topic(name)
        self._producer = Producer({"bootstrap.servers": servers, "linger.ms": 2})
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": f"bench-{time.time_ns()}",
                "auto.offset.reset": "earliest",
            }
        )
        self._consumer.subscribe([predictions_topic(name)])
        with np.load(models_dir / name / TEST_SPLIT_FILE, allow_pickle=False) as split:
            first = next(key for key in split.files if key != "targets")
            self._bodies = [row.tobytes() for row in split[first].astype("<f4")]

    def serve(self, workload: Workload) -> Sequence[Prediction]:
        """Send all of it, and wait for all answers; in the order of the messages."""
        begin = time.perf_counter()
        sent, n, read_at_ms = 0, len(workload), 0.0
        found: list[Prediction] = []
        limit = begin + workload.arrival_ms[-1] / 1e3 + 30.0
        while len(found) < n:
            now_ms = (time.perf_counter() - begin) * 1e3
            while sent < n and workload.arrival_ms[sent] <= now_ms:
                self._producer.produce(
                    self._requests,
                    self._bodies[workload.item[sent]],
                    b"device-%d" % (sent % 100),
                    headers=[*headers(sent, workload.max_latency_ms[sent], workload.floor[sent])],
                )
                sent += 1
            if now_ms >= read_at_ms:  # answers say themselves how long they took
                read_at_ms = now_ms + READ_EVERY_MS
                found += [
                    msgspec.json.decode(m.value() or b"", type=Prediction)
                    for m in self._consumer.consume(2000, 0.0)
                    if m.error() is None
                ]
            if time.perf_counter() > limit:
                raise SystemExit(f"only {len(found)} of {n} answers came")
            self._producer.poll(PACE_S)
        self._producer.flush()
        return sorted(found, key=lambda answer: int(answer.id))

    def close(self) -> None:
        """Leave."""
        self._consumer.close()


def _make_topics(servers: str, task: str) -> None:
    admin = AdminClient({"bootstrap.servers": servers})
    names = [requests_topic(task), predictions_topic(task), dead_letters_topic(task)]
    for created in admin.create_topics([NewTopic(name, 4, 1) for name in names]).values():
        created.result()


def _wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the worker is not ready")


def _idle_s() -> float:
    """Seconds that the broker's processor was idle so far."""
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        if line.startswith(f"cpu{BROKER_CPU} "):
            return int(line.split()[4]) / os.sysconf("SC_CLK_TCK")
    raise SystemExit(f"processor {BROKER_CPU} is not in /proc/stat")


@dataclass(frozen=True)
class _Spent:
    """Seconds that a worker spent so far."""

    deciding_s: float
    processor_s: float


def _spent(pid: int, port: int) -> _Spent:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        lines = page.read().decode().splitlines()
    deciding_s = sum(
        float(line.rsplit(" ", 1)[1])
        for line in lines
        if line.startswith("ounce_decision_seconds_total")
    )
    return _Spent(deciding_s, processor_s(pid))
