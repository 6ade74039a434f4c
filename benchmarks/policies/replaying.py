"""How quickly recorded decisions are replayed under another policy.

A pipeline of fake models, on a clock that only they move, records decisions on polls of messages of
many senders. Then `ounce policy replay` does its work on them.

Example: python -m benchmarks.policies.replaying --messages 300000
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from ounce_edge.dry_run.recorded import FolderRecording
from ounce_edge.dry_run.replaying import replay_recorded
from ounce_edge.evidence.decision_log import DecisionLog
from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_schemas.policy import Policy

from benchmarks import results
from benchmarks.results import Table
from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, serve, served
from tests.support.edge.pipelines import GOOD, Clock, edition

BEFORE: dict[str, Any] = {"max_latency_ms": 100.0, "min_accuracy": 0.7}
AFTER: dict[str, Any] = {"min_accuracy": 0.8, "max_latency_ms": 60.0}
RULES: list[dict[str, Any]] = [
    {"name": "acme", "when": {"tenant": "acme"}, "min_accuracy": 0.9},
    {"name": "lines", "when": {"device": "line-1*"}, "deny": ["middle"]},
]
MS = {"light": 0.01, "middle": 0.03, "heavy": 0.1}
POLL_S = 0.02
AT_LEAST_1000 = click.IntRange(min=1000)


def record(folder: Path, n: int, poll: int, seed: int = 0) -> None:
    """Record the decisions on `n` messages that come in polls of about `poll`."""
    rng, clock = np.random.default_rng(seed), Clock()
    models = [
        served(DIGITS, name, clock.takes(MS, name), accuracy=accuracy, ms_per_item=MS[name])
        for name, accuracy in (("light", 0.80), ("middle", 0.90), ("heavy", 0.99))
    ]
    start = edition(*models, **BEFORE)
    log = DecisionLog(folder, start.log_header(), most_bytes=4_000_000_000)
    serving, at = Pipeline(start, clocks=Clocks(clock, clock), log=log), 0
    while at < n:
        records = []
        for _ in range(int(rng.integers(1, 2 * poll))):
            tenant = (b"acme", b"other")[at % 2]
            own = [("ce_id", b"%d" % at), ("ce_tenant", tenant)]
            key = b"line-%d" % rng.integers(200)
            records.append(FakeRecord(GOOD, own, key, at, timestamp_ms=int(clock.now_s * 1e3)))
            at += 1
        serve(serving, records, Outbox())
        clock.now_s += POLL_S
    serving.close()


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--messages", type=AT_LEAST_1000, default=300_000, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@results.publish_option
def main(messages: int, rounds: int, publish: bool) -> None:
    """Print and write the table."""
    changes = {
        "other targets": Policy.model_validate(AFTER),
        "other targets and two rules, one of which forbids a model": Policy.model_validate(
            {**AFTER, "rules": RULES}
        ),
    }
    rows: list[list[results.Cell]] = []
    for poll in (1, 3, 10, 100):
        n = messages if poll > 3 else messages // 10
        with tempfile.TemporaryDirectory() as scratch:
            record(Path(scratch), n, poll)
            for name, policy in changes.items():
                rates, per_decision = [], 0.0
                for _ in range(rounds):
                    began_s = time.process_time()
                    found = replay_recorded(policy, FolderRecording(Path(scratch)))["digits"]
                    rates.append(found.before.n / (time.process_time() - began_s))
                    per_decision = found.before.n / found.n_decisions
                rows.append([name, f"{per_decision:.1f}", f"{statistics.median(rates):,.0f}"])
                click.echo(f"{name}, {per_decision:.1f} a decision: {rows[-1][-1]}")
    columns = ["change", "messages decided together", "messages replayed a CPU second"]
    table = Table(columns, rows, f"Median of {rounds}; one core.")
    results.report("policy_replay", {"policy-replay": table}, publish=publish)


if __name__ == "__main__":
    main()
