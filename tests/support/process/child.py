"""Child processes that end with the process that started them, however that ends."""

import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path

from tests.support.suite.processes import number_of_processes, process_index

_LOG_TAIL_BYTES = 4_000
_PORT_RANGE = range(20_000, 32_000)
"""Below Linux's ephemeral ports: a client that reconnects to a stopped server can't take its port,
nor connect to itself, so a restart finds the port free."""
_OWN_PORTS = _PORT_RANGE[process_index() :: number_of_processes()]
"""Tests that run beside these ones, in other processes, take others."""
_PORTS = cycle(random.sample(_OWN_PORTS, len(_OWN_PORTS)))


class Child:
    """One running program whose output goes to a file.

    The kernel kills it when the thread that started it ends (util-linux's `setpriv`, where there
    is one), so that even a killed test run leaves nothing behind.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        cpus: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start `command`.

        Args:
            log: file that standard output and standard error are appended to.
            cpus: processors to run on, as `taskset -c` reads them, for example "0" or "0-3".
            env: the whole environment; None hands on this process's own.
        """
        prefix: list[str] = []
        if shutil.which("setpriv"):
            prefix += ["setpriv", "--pdeathsig", "KILL"]
        if cpus is not None:
            prefix += ["taskset", "-c", cpus]
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*prefix, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
            )

    @property
    def pid(self) -> int:
        """Process id (`setpriv` and `taskset` become the program, so it is the program's own)."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the program has not ended yet."""
        return self.process.poll() is None

    def stop(self, timeout_s: float = 30) -> int:
        """Send SIGTERM, wait, and kill what has not ended by then; returns the exit code."""
        if self.running:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """Send SIGKILL and wait; returns the exit code."""
        self.process.kill()
        return self.process.wait()

    def log_tail(self) -> str:
        """The end of what it printed."""
        return self.log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on; another one each time, since whoever asks
    for several opens none of them before it has all."""
    for port in islice(_PORTS, 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port among 100 tried between {_PORT_RANGE[0]} and 32000")
