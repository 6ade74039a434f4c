"""A running `ounce gateway`."""

import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.process.child import Child, free_port
from tests.support.process.wait import wait_until
from tests.support.process.worker import OUNCE


class Gateway:
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
        self.port = free_port()
        self.child = Child(
            [
                OUNCE,
                "gateway",
                f"--mqtt={mqtt}",
                f"--kafka={kafka}",
                f"--metrics-port={self.port}",
                *options,
            ],
            log=log,
            env={**os.environ, **(env or {})},
        )

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of one of its pages; status 0 where it does not listen yet."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as e:
            with e:
                return e.code, e.read().decode()
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return 0, ""

    def value_of(self, series: str) -> float:
        """Of a metric with its labels; 0 where it is absent."""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(f"{series} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def wait_until_ready(self) -> None:
        """Return once it forwards."""
        wait_until(
            lambda: self.get("/readyz")[0] == 200,
            lambda: f"{self.get('/readyz')}\n{self.child.log_tail()}",
        )

    def __enter__(self) -> Self:
        try:
            self.wait_until_ready()
        except BaseException:
            self.child.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.child.stop()
