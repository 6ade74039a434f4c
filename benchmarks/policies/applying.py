"""From `ounce policy apply` to all of three workers, under load.

Three workers on a real Kafka serve digits at a steady rate, exactly once. In each round a version
of the policy is appended, as `ounce policy apply` does it, without the start of its Python. A round
ends when each worker has told that it answers under that version.

Example: python -m benchmarks.policies.applying --rounds 10
"""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from ounce_schemas.policy_history import Change
from ounce_services.policies.topic import PolicyTopic

from benchmarks import results
from benchmarks.results import Table
from benchmarks.worker.backlog import broker
from benchmarks.worker.load import Load
from tests.support.process.worker import Worker

N_WORKERS = 3
_PATIENCE_S = 30.0
AT_LEAST_ONE = click.IntRange(min=1)


class Round(NamedTuple):
    """One version that was applied."""

    appended_s: float
    """Until the topic has it."""
    in_force_s: float
    """Until all workers answer under it."""
    before_p99_ms: float
    while_p99_ms: float


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", type=AT_LEAST_ONE, default=10, show_default=True, help="Versions.")
@click.option("--rate", type=AT_LEAST_ONE, default=1000, show_default=True, help="Messages/s.")
@click.option("--seconds", type=AT_LEAST_ONE, default=4, show_default=True, help="Before each.")
@results.models_option
@results.publish_option
def main(rounds: int, rate: int, seconds: int, models: Path, publish: bool) -> None:
    """Print each round, and write their table."""
    marks = []
    with _fleet(models, rate) as (load, workers, topic):
        time.sleep(2 * seconds)  # the load is the measurement; caches and beliefs are cold at first
        for number in range(rounds):
            time.sleep(seconds)  # what `before` is measured in
            document = f"{{min_accuracy: {0.8 + number / 1000}}}"
            began_s = time.perf_counter()
            version = topic.append(topic.history(), Change(document, "bench"))
            appended_s = time.perf_counter()
            _wait_until_all_told(workers, version.name)
            marks.append((began_s, appended_s, time.perf_counter()))
            click.echo(
                f"{version.name}: appended in {appended_s - began_s:.2f} s, in force after "
                f"{marks[-1][2] - began_s:.2f} s"
            )
        time.sleep(1.0)  # the last version's second is measured, too
    found = [
        Round(
            appended - began,
            end - began,
            load.p99_ms(began - seconds, began),
            load.p99_ms(began, max(end, began + 1.0)),
        )
        for began, appended, end in marks
    ]
    n_lost = len(load.sent_s) - len(load.n_read)
    n_repeated = sum(n - 1 for n in load.n_read.values())
    table = table_of(found, n_lost, n_repeated)
    results.report("policy_apply", {"policy-apply": table}, publish=publish)


def table_of(rounds: Sequence[Round], n_lost: int, n_repeated: int) -> Table:
    """Medians and worst of the rounds."""
    figures = {
        "until the topic has the version, s": [r.appended_s for r in rounds],
        "until all three workers answer under it, s": [r.in_force_s for r in rounds],
        "p99 before, ms": [r.before_p99_ms for r in rounds],
        "p99 of the second after, ms": [r.while_p99_ms for r in rounds],
    }
    rows: list[list[results.Cell]] = [
        [name, f"{statistics.median(values):.2f}", f"{max(values):.2f}"]
        for name, values in figures.items()
    ]
    rows += [["requests lost", None, n_lost], ["requests answered twice", None, n_repeated]]
    note = f"{len(rounds)} versions, one after another; digits on a real Kafka, exactly once."
    return Table(["from `ounce policy apply`", "median", "worst"], rows, note)


@contextmanager
def _fleet(models: Path, rate: int) -> Iterator[tuple[Load, list[Worker], PolicyTopic]]:
    with ExitStack() as stack:
        servers = stack.enter_context(broker())
        topic = PolicyTopic(servers)
        topic.append(topic.history(), Change("{min_accuracy: 0.8}", "bench"))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        options = ["--group=bench", "--delivery=exactly-once", "--follow-policies"]
        workers = [
            stack.enter_context(
                Worker(
                    servers, models, scratch / f"{n}.log", [*options, f"--state={scratch / str(n)}"]
                )
            )
            for n in range(N_WORKERS)
        ]
        with np.load(models / "digits" / "test-split.npz") as arrays:
            values = [row.tobytes() for row in arrays["input"].astype("<f4")]
        load = Load(servers, values, rate, [("ce_tenant", b"acme")])
        load.start()
        stack.callback(load.close)
        yield load, workers, topic


def _wait_until_all_told(workers: Sequence[Worker], version: str) -> None:
    deadline_s, left = time.perf_counter() + _PATIENCE_S, list(workers)
    while left:
        if time.perf_counter() > deadline_s:
            raise click.ClickException(left[0].child.log_tail())
        told = f"event=policy-changed task=digits subject={version}:"
        left = [w for w in left if told not in w.child.log.read_text()]
        time.sleep(0.01)


if __name__ == "__main__":
    main()
