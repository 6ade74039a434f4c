"""A worker that makes no progress ends itself."""

import subprocess
import sys
import threading
from queue import Queue

from ounce_edge.telemetry.health import STALLED_AFTER_S, Health
from ounce_edge.worker.reading.stall_guard import StallGuard

from tests.support.clock import Clock
from tests.support.process.wait import wait_until


def guard_of(health: Health, told: "Queue[float]") -> tuple[StallGuard, threading.Thread]:
    others = set(threading.enumerate())
    guard = StallGuard(health, 10.0, tick_s=0.001, end=told.put)
    [own] = set(threading.enumerate()) - others
    return guard, own


def test_it_ends_a_worker_that_makes_no_progress_and_tells_how_long() -> None:
    clock, told = Clock(), Queue[float]()
    health = Health(clock)
    health.loaded()
    clock.now_s = STALLED_AFTER_S + 40
    guard, _ = guard_of(health, told)
    assert told.get(timeout=60) == STALLED_AFTER_S + 40
    assert told.empty()
    guard.close()


def test_it_says_last_words_before_it_ends() -> None:
    clock, told = Clock(), Queue[float]()
    health = Health(clock)
    health.loaded()
    clock.now_s = STALLED_AFTER_S + 40
    guard = StallGuard(health, 10.0, lambda: told.put(0.0), tick_s=0.001, end=told.put)
    assert [told.get(timeout=60) for _ in range(2)] == [0.0, STALLED_AFTER_S + 40]
    guard.close()


def test_it_ends_none_that_makes_progress_or_loads_or_was_stopped_for_a_while() -> None:
    clock, told = Clock(), Queue[float]()
    health = Health(clock)
    looks = 0

    def look() -> float:
        nonlocal looks
        looks += 1
        if looks == 100:  # models were loading
            health.starting = None
        if looks % 30 == 0:  # as if the process had been stopped, and then goes on
            clock.now_s += 1000
            health.progress_at_s = clock.now_s
        return clock.now_s + STALLED_AFTER_S + 1

    health.clock = look
    guard, own = guard_of(health, told)
    wait_until(lambda: looks > 300 or not own.is_alive(), lambda: looks)
    guard.close()
    own.join(timeout=60)
    assert not own.is_alive()
    assert told.empty()


def test_the_process_ends_with_a_line_whatever_its_threads_do() -> None:
    program = """
import threading, time
from concurrent.futures import ThreadPoolExecutor
from ounce_edge.telemetry.health import Health
from ounce_edge.worker.reading.stall_guard import StallGuard
health = Health(time.monotonic)
health.loaded()
health.progress_at_s -= 100
StallGuard(health, 0.0, tick_s=0.01)
with ThreadPoolExecutor() as threads:
    threads.submit(threading.Event().wait)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("no progress for 10")
    assert line.endswith("goes on at the committed offset")
