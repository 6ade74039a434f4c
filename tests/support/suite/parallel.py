"""Pytest plug-in: how the suite is shared out among processes (`pytest -n auto --dist loadfile`).

A file's tests stay in one process, so that its fixtures are made once. Files that use Kafka come
first: their tests wait more than they compute, and the last to end should be short ones.
"""

import os

import pytest

from tests.support.kafka.needed import BROKER
from tests.support.suite.processes import number_of_processes

MOST_PROCESSES = 4
"""Each process has a Kafka of its own, of some 350 MB."""
THREADS = "OMP_NUM_THREADS"


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Of `-n auto`: as many as processors. Serial on a broker that all would have to share: tests
    use the same topics."""
    return 0 if os.environ.get(BROKER) else min(len(os.sched_getaffinity(0)), MOST_PROCESSES)


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
    """Files with Kafka tests first, in a run of several processes."""
    if number_of_processes() > 1:
        slow = {item.path for item in items if item.get_closest_marker("kafka")}
        items.sort(key=lambda item: item.path not in slow)
