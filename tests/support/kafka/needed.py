"""Tests that need a broker."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.kafka.certificates import OpensslMissingError
from tests.support.kafka.jars import KafkaUnavailableError

BROKER = "KAFKA_BOOTSTRAP_SERVERS"
"""Names a broker that is there already."""


@contextmanager
def kafka_needed() -> Iterator[None]:
    """The test is skipped where this machine can't run a broker; in CI a skip is a failure."""
    try:
        yield
    except (KafkaUnavailableError, OpensslMissingError) as e:
        pytest.skip(f"no Apache Kafka: {e}")
