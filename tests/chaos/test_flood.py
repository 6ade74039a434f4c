"""Floods leave a worker's memory within its bound, and every record gets an answer."""

from pathlib import Path

import pytest

from tests.chaos.flood import BOUND_MB, run
from tests.support.kafka_jars import KafkaUnavailableError


@pytest.mark.kafka
def test_memory_stays_within_its_bound(digits_models: Path) -> None:
    try:
        ready_mb, phases = run(digits_models, 0.2, print)
    except KafkaUnavailableError as e:
        pytest.skip(f"no Apache Kafka: {e}")
    assert [phase.answered for phase in phases] == [phase.sent for phase in phases]
    assert max(phase.peak_mb for phase in phases) <= ready_mb + BOUND_MB
