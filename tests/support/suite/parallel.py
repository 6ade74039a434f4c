"""Pytest plug-in: how the suite is shared out among processes (`pytest -n auto --dist loadfile`).

A file's tests stay in one process, so that its fixtures are made once. There is one process more
than processors, since tests with Kafka wait more than they compute. Files of such tests take turns
with those that train models. The last to end are short ones.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest
from pathlib import Path

import pytest

from tests.support.kafka.needed import BROKER
from tests.support.suite.processes import number_of_processes

MOST_PROCESSES = 4
PROCESS_BYTES = 2 * 2**30
"""Of one process with PyTorch, a Kafka of its own and some workers."""
THREADS = "OMP_NUM_THREADS"
TRAINS = "exporters"
"""Folder of the tests that train models."""


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Of `-n auto`. Serial on a broker that all would have to share: tests use the same topics."""
    if os.environ.get(BROKER):
        return 0
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    most = min(MOST_PROCESSES, max(memory // PROCESS_BYTES, 1))
    return min(len(os.sched_getaffinity(0)) + 1, most)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Before the processes start, of which each computes on one thread. Threads of linear algebra
    wait for each other; where all processors are taken, for ten times as long as they work."""
    os.environ.setdefault(THREADS, "1")


@pytest.hookimpl(tryfirst=True, specname="pytest_collection_modifyitems")
def pytest_mark_those_with_a_broker(items: list[pytest.Item]) -> None:
    """Who asks for a broker's fixture has the mark too, before tests are chosen by it."""
    for item in items:
        if {"kafka", "private_kafka"}.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("kafka")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files of a run of several processes: first those that wait, in turns with those
    that compute."""
    if number_of_processes() == 1:
        return
    wait = dict.fromkeys(item.path for item in items if item.get_closest_marker("kafka"))
    compute = dict.fromkeys(i.path for i in items if TRAINS in i.path.parts and i.path not in wait)
    places = {path: place for place, path in enumerate(_in_turns(wait, compute))}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def _in_turns(*groups: Iterable[Path]) -> Iterator[Path]:
    return (path for path in chain.from_iterable(zip_longest(*groups)) if path is not None)
