"""The short version: about twenty faults of all kinds on a real Kafka, and nothing is lost."""

from pathlib import Path

from tests.support.kafka.needed import kafka_needed
from trials.chaos.outcome import Delivery, Plan
from trials.chaos.report import complaints, summary, write
from trials.chaos.run import run
from trials.chaos.schedule import Kind


def check_that_nothing_is_lost(delivery: Delivery, seed: int, models: Path, folder: Path) -> None:
    """Run it with a schedule of faults, and read the accounts.

    Args:
        delivery: of the workers.
        seed: of the schedule. Its first faults are one of each kind.
        models: with the ladder of digits.
        folder: for logs.
    """
    plan = Plan(seed, len(Kind), delivery, models, rate_per_s=100, gap_s=1.5)
    logs = folder / "logs"
    with kafka_needed():
        outcome = run(plan, logs, print)
    write(outcome, folder / "result.json")
    print(summary(outcome), *complaints(outcome), sep="\n")
    assert outcome.is_good, f"logs in {logs}"
    assert outcome.accounting.n_inputs > 1000
    assert sum(of_kind.n for of_kind in outcome.by_kind.values()) >= len(Kind) - 2
