"""Child processes of the demo: started together, never left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Self

from ounce_schemas.errors import OunceError

from ounce_services.process.tether import tethered

STOP_TIMEOUT_S = 20.0
_LOG_TAIL_LINES = 12


class ChildError(OunceError):
    """A process of the demo ended early; the message holds the end of what it printed."""


def ounce_command(*arguments: str) -> list[str]:
    """Command line of an `ounce` sub-command, run by this interpreter."""
    return [
        sys.executable,
        "-P",
        "-c",
        "from ounce_schemas.command import main; main()",
        *arguments,
    ]


class Child:
    """One program in a session of its own, so that Ctrl-C reaches only the demo.

    Attributes:
        name: for messages.
        log: what it prints.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                tethered(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "COLUMNS": "120", **environment},
            )

    @property
    def pid(self) -> int:
        """Its process id, and that of its session."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    def wait(self) -> int:
        """Wait for its end; returns the exit code."""
        return self._process.wait()

    def require_running(self) -> None:
        """Check that it still runs.

        Raises:
            ChildError: it does not; with the end of its log.
        """
        if self.exit_code is not None:
            raise self.error()

    def error(self) -> ChildError:
        """That it ended, how, and the end of its log."""
        code = self.exit_code
        how = (
            f"was ended by {signal.Signals(-code).name}"
            if code is not None and code < 0
            else f"ended with exit code {code}"
        )
        return ChildError(f"{self.name} {how}{self._log_tail()}")

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Ask it to end, and kill it where it does not in time or Ctrl-C says to hurry."""
        if self.exit_code is None:
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except (subprocess.TimeoutExpired, KeyboardInterrupt):
                with suppress(ProcessLookupError):  # it has just ended
                    os.killpg(self.pid, signal.SIGKILL)
        return self._process.wait()

    def _log_tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return f"; the end of {self.log}:\n" + "\n".join(f"  {line}" for line in lines)


class Children:
    """Context manager: whatever was started is stopped at the end, the newest first."""

    def __init__(self) -> None:
        self._started: list[Child] = []

    def start(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> Child:
        """Start a program, with more variables in its environment."""
        child = Child(name, command, log, environment)
        self._started.append(child)
        return child

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in reversed(self._started):
            child.stop()
