"""A running program of ours that has pages: metrics, and whether it is ready."""

import re
import time
import urllib.error
import urllib.request
from typing import Self

from tests.support.process.child import Child
from tests.support.process.wait import wait_until

_TIMEOUT_S = 120.0


class Served:
    """A context manager that waits until the program is ready, and stops it.

    Args:
        child: the program, which has just started.
        port: of its pages, on this machine.
    """

    def __init__(self, child: Child, port: int) -> None:
        self.child = child
        self.port = port

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of one of its pages; status 0 where it does not listen yet."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as e:
            with e:
                return e.code, e.read().decode()
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return 0, ""

    def value_of(self, series: str) -> float | None:
        """Of a metric with its labels, as /metrics writes it; None where it is absent."""
        found = re.search(rf"^{re.escape(series)} (\S+)", self.get("/metrics")[1], re.MULTILINE)
        return float(found[1]) if found else None

    def wait_until_ready(self) -> None:
        """Return once it can do its work.

        Raises:
            RuntimeError: it ended, or is not ready in time; the message holds the end of its log.
        """
        deadline = time.monotonic() + _TIMEOUT_S
        said: tuple[int, str] = (0, "")
        while self.child.running and time.monotonic() < deadline:
            said = self.get("/readyz")
            if said[0] == 200:
                return
            time.sleep(0.05)
        raise RuntimeError(f"it is not ready: {said}\n{self.child.log_tail()}")

    def wait_until_counted(self, *counts: str) -> None:
        """Return once lines of /metrics match these: what is done is counted shortly after.

        Raises:
            AssertionError: they do not.
        """

        def missing() -> list[str]:
            page = self.get("/metrics")[1]
            return [count for count in counts if not re.search(count, page)]

        wait_until(lambda: not missing(), missing)

    def __enter__(self) -> Self:
        try:
            self.wait_until_ready()
        except BaseException:
            self.child.kill()
            raise
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:  # pytest shows it where the test fails
            said = self.get("/readyz")
            print(f"/readyz says {said}; the end of the log:\n{self.child.log_tail()}")
        self.child.stop()
