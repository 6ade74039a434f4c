"""A runtime in a process of its own, by a clock that tests set."""

from collections.abc import Iterator

import pytest
from ounce_edge.models.runtimes.apart import ApartRuntime

from tests.support.clock import Clock
from tests.support.edge import bad_runtime as bad
from tests.support.edge.apart import LIMITS


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runtime(clock: Clock) -> Iterator[ApartRuntime]:
    made = ApartRuntime(bad.BadRuntime, LIMITS, clock)
    yield made
    made.close()
