"""The suite of all runtimes gets its tasks here as it does in its own folder."""

from tests.contracts.runtimes.conftest import pytest_generate_tests

__all__ = ["pytest_generate_tests"]
