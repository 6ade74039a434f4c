"""The processes that run the suite's tests beside each other, as pytest-xdist tells of them."""

import os


def number_of_processes() -> int:
    """How many there are."""
    return int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def process_index() -> int:
    """Which of them this one is, from 0 on."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
