"""A call that does not return ends the worker; calls that do return don't."""

import subprocess
import sys
import threading
import time
from queue import Queue

from ounce_edge.broker.hang_guard import HangGuard


def test_a_call_that_lasts_too_long_is_told_once() -> None:
    told: Queue[str] = Queue()
    guard = HangGuard(3, tick_s=0.01, end=told.put)
    with guard.watch("the call"):
        assert told.get(timeout=60) == "the call"
    assert told.empty()
    guard.close()


def test_many_short_calls_are_not_one_long_call() -> None:
    told: Queue[str] = Queue()
    others = set(threading.enumerate())
    guard = HangGuard(20, tick_s=0.01, end=told.put)
    [own] = set(threading.enumerate()) - others
    end_s = time.monotonic() + 0.6
    while time.monotonic() < end_s:
        with guard.watch("short"):
            time.sleep(0.002)
    guard.close()
    own.join(timeout=60)
    assert not own.is_alive()
    assert told.empty()


def test_the_process_ends_with_a_line_whatever_its_threads_do() -> None:
    program = """
import logging, threading
from concurrent.futures import ThreadPoolExecutor
from ounce_edge.broker.hang_guard import HangGuard
logging.basicConfig()
guard = HangGuard(2, tick_s=0.05)
def hang():
    with guard.watch("sending offsets"):
        threading.Event().wait()
ThreadPoolExecutor(1).submit(hang).result()
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 1
    assert "sending offsets did not return" in result.stderr
