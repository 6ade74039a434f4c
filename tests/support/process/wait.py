"""Waiting for a state, with a limit that only a fault reaches."""

import time
from collections.abc import Callable
from pathlib import Path

_LIMIT_S = 90.0


def wait_until(
    condition: Callable[[], bool], state: Callable[[], object], limit_s: float = _LIMIT_S
) -> None:
    """Return once it holds.

    Args:
        condition: asked again and again.
        state: told where it does not come to hold.
        limit_s: so long it may take.

    Raises:
        AssertionError: it does not come to hold.
    """
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, state()
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
