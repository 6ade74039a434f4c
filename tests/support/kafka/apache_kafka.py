"""A real Apache Kafka: one node, KRaft (broker and controller in one process), own data folder."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.support.kafka.jars import KafkaUnavailableError, java, kafka_jars
from tests.support.process.child import Child, free_port

__all__ = ["ApacheKafka", "KafkaUnavailableError"]

_START_TIMEOUT_S = 90
_CLUSTER_ID = "b3VuY2UtdGVzdC1jbHVzdA"  # any 16 bytes in URL-safe base 64
_FIRST_COMPILER_ONLY = "-XX:TieredStopAtLevel=1"
_SHORTLY = (_FIRST_COMPILER_ONLY, "-XX:+UseSerialGC")
_LOG4J = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %m (%c)%n
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
"""


class ApacheKafka:
    """A broker that is started, stopped, killed and restarted; a context manager.

    Its ports and data stay the same over restarts; `close` (which leaving the context
    calls) removes the data. Topics are made by clients that say so: a mistyped name is an error.
    Call `start` in a thread that lives as long as the broker should.
    """

    def __init__(
        self, *, heap_mb: int = 768, cpus: str | None = None, runs_shortly: bool = False
    ) -> None:
        """Prepare a broker; nothing runs yet.

        Args:
            heap_mb: largest heap of its Java process, MiB.
            cpus: processors to run on, as `taskset -c` reads them.
            runs_shortly: for a minute at a low rate, where Java's second compiler and the threads
                of its usual collector would take more time than they save.

        Raises:
            KafkaUnavailableError: this machine has no Java, or can't get Kafka's jars.
        """
        self._java = java()
        self._jars = kafka_jars()
        self._heap_mb = heap_mb
        self._cpus = cpus
        self._options = _SHORTLY if runs_shortly else ()
        self._loaded = self._jars.with_name(f"{self._jars.name}-classes.jsa")
        self._port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="ounce-kafka-"))
        self._child: Child | None = None
        self._write_configuration()

    _node = 1
    """Its number; the first one is the controller, too."""
    _format_options: Sequence[str] = ()
    """Further options of the storage tool's `format`."""

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect: HOST:PORT."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Of its process.

        Raises:
            RuntimeError: it does not run.
        """
        if self._child is None:
            raise RuntimeError("the broker does not run")
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self._child is not None and self._child.running

    def start(self) -> None:
        """Start the broker and wait until it serves.

        Raises:
            RuntimeError: it ended or did not serve in time; the message holds the end of its log.
        """
        self._wait_until_it_serves(self.launch())

    def launch(self) -> Child:
        """Start the broker, unless it runs; it serves later."""
        if self._child is not None and self._child.running:
            return self._child
        if not (self._folder / "data").exists():
            self._format()
        self._child = Child(
            self._command(
                *(f"-Xmx{self._heap_mb}m", *self._options, *self._sharing()), "kafka.Kafka"
            ),
            log=self._folder / "kafka.log",
            cpus=self._cpus,
        )
        return self._child

    def stop(self) -> None:
        """Stop it in order (SIGTERM); its data stays."""
        if self._child is not None:
            self._child.stop()
            self._child = None
            self._keep(self._folder / self._loaded.name, self._loaded)

    def kill(self) -> None:
        """Stop it as a crash would (SIGKILL); its data stays."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def freeze(self) -> None:
        """Let it do nothing (SIGSTOP), with all connections open, until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Stop it in order and start it on the same ports and data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it at once and remove its data."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write_configuration(self) -> None:
        lines = [f"{name}={value}\n" for name, value in self._properties().items()]
        (self._folder / "server.properties").write_text("".join(lines))
        (self._folder / "log4j2.properties").write_text(_LOG4J)

    def _properties(self) -> dict[str, object]:
        """Of the broker."""
        broker = f"127.0.0.1:{self._port}"
        controller = f"127.0.0.1:{free_port()}"
        return {
            "node.id": self._node,
            "process.roles": "broker,controller",
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": f"1@{controller}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self._folder / "data",
            "auto.create.topics.enable": "false",
            "broker.heartbeat.interval.ms": 1000,
            "broker.session.timeout.ms": 5000,  # a killed broker waits for this to come back
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "group.consumer.min.heartbeat.interval.ms": 500,
            "group.consumer.heartbeat.interval.ms": 500,
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
        }

    def _command(self, heap: str, *arguments: str) -> list[str]:
        return [
            str(self._java),
            heap,
            f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}",
            f"-Djava.io.tmpdir={self._folder}",  # where native libraries are unpacked
            "-cp",
            f"{self._jars}/*",
            *arguments,
            str(self._folder / "server.properties"),
        ]

    def _sharing(self) -> Sequence[str]:
        """Options to load classes as one file, which halves a start. The first broker that is
        stopped in order leaves it beside the jars; Java passes over one that does not fit."""
        if self._loaded.exists():
            return (f"-XX:SharedArchiveFile={self._loaded}",)
        return (f"-XX:ArchiveClassesAtExit={self._folder / self._loaded.name}",)

    @staticmethod
    def _keep(made: Path, kept: Path) -> None:
        """Copy what is dear to make, a file or a folder, to where all processes find it."""
        if kept.exists() or not made.exists():
            return
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix="keeping-") as work:
            copy = Path(work) / kept.name
            (shutil.copytree if made.is_dir() else shutil.copy)(made, copy)
            with suppress(OSError):  # another process was first
                copy.rename(kept)

    def _format(self) -> None:
        """Write the cluster's identity into the data folder, which is kept beside the jars: making
        it takes a Java process."""
        data = self._folder / "data"
        kept = self._jars.with_name(f"{self._jars.name}-node-{self._node}")
        if self._format_options:
            self._run_storage_tool()
        elif kept.is_dir():
            shutil.copytree(kept, data)
        else:
            self._run_storage_tool()
            self._keep(data, kept)

    def _run_storage_tool(self) -> None:
        command = self._command(
            *("-Xmx128m", _FIRST_COMPILER_ONLY),
            "kafka.tools.StorageTool",
            *("format", "-t", _CLUSTER_ID, *self._format_options, "-c"),
        )
        result = subprocess.run(command, capture_output=True, text=True, timeout=_START_TIMEOUT_S)
        if result.returncode != 0:
            raise RuntimeError(
                f"Kafka's storage was not formatted:\n{result.stdout}{result.stderr}"
            )

    def _wait_until_it_serves(self, child: Child) -> None:
        """Return once the broker is registered and answers clients."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        # log_level 0: a refused connection is expected until the broker listens.
        admin = AdminClient(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "log_level": 0,
                "reconnect.backoff.ms": 50,
            }
        )
        while child.running and time.monotonic() < deadline:
            try:
                if admin.list_topics(timeout=1).brokers:
                    return
            except KafkaException:
                time.sleep(0.1)
        state = "does not answer" if child.running else f"ended with {child.process.returncode}"
        tail = child.log_tail()
        self.kill()
        raise RuntimeError(
            f"Kafka at {self.bootstrap_servers} {state}; the end of its log:\n{tail}"
        )
