"""Waiting until the worker serves."""

import socket
import time
import urllib.error
import urllib.request

from ounce_services.process.children import Child, ChildError

READY_TIMEOUT_S = 60.0


def free_port() -> int:
    """A TCP port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_ready(worker: Child, url: str, timeout_s: float = READY_TIMEOUT_S) -> None:
    """Wait until `url` answers with 200.

    Raises:
        ChildError: the worker ended, or is not ready in time.
    """
    give_up_s = time.monotonic() + timeout_s
    state = "no answer"
    while time.monotonic() < give_up_s:
        worker.require_running()
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError as e:
            state = e.read(200).decode(errors="replace").strip()
        except OSError:
            pass  # it does not listen yet
        time.sleep(0.1)
    raise ChildError(
        f"{worker.name} is not ready after {timeout_s:g} s ({state}); see {worker.log}"
    )
