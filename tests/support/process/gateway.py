"""A running `ounce gateway`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.process.child import Child, free_port
from tests.support.process.served import Served
from tests.support.process.worker import OUNCE


class Gateway(Served):
    """A gateway process; a context manager that waits until it is ready and stops it.

    Args:
        mqtt: URL of the MQTT broker.
        kafka: bootstrap servers.
        log: file for its output.
        options: further options of `ounce gateway`.
        env: further variables of its environment.
    """

    def __init__(
        self,
        mqtt: str,
        kafka: str,
        log: Path,
        options: Sequence[str],
        env: Mapping[str, str] | None = None,
    ) -> None:
        port = free_port()
        child = Child(
            [
                OUNCE,
                "gateway",
                f"--mqtt={mqtt}",
                f"--kafka={kafka}",
                f"--metrics-port={port}",
                *options,
            ],
            log=log,
            env={**os.environ, **(env or {})},
        )
        super().__init__(child, port)

    def value_of(self, series: str) -> float:
        """Of a metric with its labels; 0 where it is absent."""
        return super().value_of(series) or 0.0
