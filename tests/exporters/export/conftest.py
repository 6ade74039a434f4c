"""Fixtures of the tests of exports."""

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of boosting wait for each other at every node. On a busy machine that takes a hundred
    times as long as the work."""
    with threadpool_limits(1):
        yield
