"""Pytest plug-in: models are timed shortly, as no test depends on how long one takes."""

import pytest
from ounce_edge.models import measurement


@pytest.hookimpl
def pytest_configure() -> None:
    """For all tests of this process; workers that it starts measure as ever."""
    measurement.SPENT = 0.05
