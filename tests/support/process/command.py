"""`ounce` in the test's own process: a process of its own would import everything once more."""

import gc
import logging
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from click.testing import CliRunner
from ounce_schemas.command import main

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
"""Those that commands take."""


@dataclass(frozen=True)
class Result:
    """How a command ended.

    Attributes:
        code: that the process would exit with.
        written: what went to standard output, byte for byte.
        stderr: what went to standard error.
    """

    code: int
    written: bytes
    stderr: str

    @property
    def stdout(self) -> str:
        """Standard output as text."""
        return self.written.decode()


class Run(Protocol):
    """Runs a command with arguments."""

    def __call__(self, *arguments: str | Path) -> Result: ...


def ounce(*arguments: str | Path, env: Mapping[str, str] | None = None, answer: str = "") -> Result:
    """Run a command, from the entry point that a person's shell calls.

    Args:
        arguments: its words.
        env: variables beside those of this process.
        answer: what the person types, no terminal being there.
    """
    code: object = 0
    with _put_back(), CliRunner().isolation(answer, env) as (out, err, _):
        sys.argv = ["ounce", *map(str, arguments)]
        try:
            main()
        except SystemExit as end:
            code = end.code
        sys.stdout.flush()
        sys.stderr.flush()
    return Result(code if isinstance(code, int) else 0, out.getvalue(), err.getvalue().decode())


def the_line(stderr: str) -> str:
    """The error that a command ended with, which is told in one line."""
    assert "Traceback" not in stderr
    lines = [line for line in stderr.splitlines() if line.startswith("ounce: ")]
    assert len(lines) == 1, stderr
    return lines[0]


@contextmanager
def _put_back() -> Iterator[None]:
    """What a command sets for its whole process ends with the block: where logs go, what signals
    do, and a worker's choices of when memory is collected and threads change."""
    words, log = sys.argv, logging.getLogger()
    handlers, level = log.handlers, log.level
    on_signals = {number: signal.getsignal(number) for number in SIGNALS}
    collects, switch_s = gc.get_threshold(), sys.getswitchinterval()
    log.handlers = []
    try:
        yield
    finally:
        sys.argv, log.handlers = words, handlers
        log.setLevel(level)
        for number, handler in on_signals.items():
            signal.signal(number, handler)
        gc.set_threshold(*collects)
        gc.unfreeze()
        sys.setswitchinterval(switch_s)
