"""Fixtures of the pipeline's tests."""

from collections.abc import Iterator

import pytest
from ounce_edge.pipeline.lanes import Lanes

from tests.support.edge.calls_beside import Gate


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    own = Lanes(1)
    yield own
    own.close()


@pytest.fixture
def gate() -> Iterator[Gate]:
    own = Gate()
    yield own
    own.open()
