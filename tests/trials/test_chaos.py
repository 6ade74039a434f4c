"""The short version: about twenty faults of all kinds on a real Kafka, and nothing is lost."""

from pathlib import Path

import pytest

from tests.support.kafka.needed import kafka_needed
from trials.chaos.outcome import Delivery, Plan, available_deliveries
from trials.chaos.report import complaints, summary, write
from trials.chaos.run import run
from trials.chaos.schedule import Kind

SEEDS = {Delivery.EXACTLY_ONCE: 11, Delivery.AT_LEAST_ONCE: 12}


@pytest.mark.kafka
@pytest.mark.parametrize("delivery", available_deliveries())
def test_nothing_is_lost_under_faults(
    delivery: Delivery, digits_models: Path, tmp_path: Path
) -> None:
    # The first faults of a schedule are one of each kind.
    plan = Plan(SEEDS[delivery], len(Kind), delivery, digits_models, rate_per_s=100, gap_s=1.5)
    logs = tmp_path / "logs"
    with kafka_needed():
        outcome = run(plan, logs, print)
    write(outcome, tmp_path / "result.json")
    print(summary(outcome), *complaints(outcome), sep="\n")
    assert outcome.is_good, f"logs in {logs}"
    assert outcome.accounting.n_inputs > 1000
    assert sum(of_kind.n for of_kind in outcome.by_kind.values()) >= len(Kind) - 2
