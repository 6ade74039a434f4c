"""Asking on a thread that a process which ends does not wait for."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def beside(ask: Callable[[], T], name: str) -> Future[T]:
    """What it returns or raises; a silent broker holds up no end of the process.

    Args:
        ask: called once, on its thread.
        name: of the thread.
    """
    told: Future[T] = Future()

    def run() -> None:
        if not told.set_running_or_notify_cancel():  # nobody waits any more
            return
        try:
            result = ask()
        except Exception as e:
            told.set_exception(e)
        else:
            told.set_result(result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return told
