"""Consumers that join the workers' group for a while, so that partitions move to them."""

import threading
import time

from confluent_kafka import Consumer

from trials.chaos.stage import Stage

_LEAVE_S = 10.0


class Guests:
    """Each visits on a thread of its own.

    Args:
        stage: whose group they join.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._threads: list[threading.Thread] = []
        self._leave = threading.Event()

    def invite(self, n: int, lasts_s: float) -> None:
        """Let so many come, and stay so long."""
        until_s = time.monotonic() + lasts_s
        for _ in range(n):
            guest = threading.Thread(target=self._visit, args=(until_s,), daemon=True)
            guest.start()
            self._threads.append(guest)

    def close(self) -> None:
        """Let them go."""
        self._leave.set()
        for guest in self._threads:
            guest.join(_LEAVE_S)

    def _visit(self, until_s: float) -> None:
        stage = self._stage
        guest = Consumer(
            {
                "bootstrap.servers": stage.broker.bootstrap_servers,
                "group.id": stage.group,
                "partition.assignment.strategy": stage.assignor,
                "session.timeout.ms": int(stage.session_s * 1e3),
                "heartbeat.interval.ms": int(stage.session_s * 300),
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
        guest.subscribe([stage.topic])
        while time.monotonic() < until_s and not self._leave.is_set():
            guest.poll(0.1)
        guest.close()
