"""What rules cost a worker: a pipeline without Kafka, with and without 100 rules on headers.

Polls of messages with CloudEvents headers are admitted and answered under each policy in turn. The
rules look at two headers and at the device; about every second message meets one. All but the last
policy's set the same deadline. One model may answer: of models that cost nearly the same, one
pipeline may settle on another than the next does. A round's cost is held against that of the same
round without rules, so that what slows the machine for a while counts on both sides. It is also
held against what a whole worker spends on a message with such headers, Kafka's client included, as
`benchmarks.worker.throughput` measured it.

Example: python -m benchmarks.policies.header_rules --rounds 40
"""

import gc
import statistics
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.turn import Turn
from ounce_edge.wire.records import MadeRecord
from ounce_schemas.documents import TEST_SPLIT_FILE
from ounce_schemas.policy import Policy

from benchmarks import results
from benchmarks.results import Table
from benchmarks.routing.overhead import headers, request

TASK = "digits"
N_RULES = 100
POLL = 500
POLLS_A_ROUND = 20
MODEL = "mlp"
PLAIN = {"max_latency_ms": 10_000.0, "min_accuracy": 0.8, "tasks": {TASK: {"allow": [MODEL]}}}
AT_LEAST_TWO = click.IntRange(min=2)


def policies() -> dict[str, Policy]:
    """By name: without rules; with rules on headers, and on headers and devices; and with rules on
    headers that all differ in their deadline."""
    of_headers: list[dict[str, Any]] = [
        {
            "name": f"r{i}",
            "when": {"tenant": f"tenant-{i}", "extensions": {"site": [f"site-{i % 7}", "hall-*"]}},
            "max_latency_ms": 9_000.0,
        }
        for i in range(N_RULES)
    ]
    of_devices = [
        {**rule, "when": {**rule["when"], "device": ["device-?", f"device-{i}*"]}}
        for i, rule in enumerate(of_headers)
    ]
    own_deadlines = [{**rule, "max_latency_ms": 9_000.0 + i} for i, rule in enumerate(of_headers)]
    return {
        "no rules": Policy.model_validate(PLAIN),
        "100 rules on two headers": Policy.model_validate({**PLAIN, "rules": of_headers}),
        "100 rules on two headers and the device": Policy.model_validate(
            {**PLAIN, "rules": of_devices}
        ),
        "100 rules on two headers, 100 deadlines": Policy.model_validate(
            {**PLAIN, "rules": own_deadlines}
        ),
    }


class Bench:
    """One pipeline for each policy, and the same messages for all.

    Args:
        models: folder of the ladder.
    """

    def __init__(self, models: Path) -> None:
        ladder = load_ladder(models, TASK, OnnxCpuRuntime(1))
        self.pipelines = {
            name: Pipeline(Edition(ladder, policy.for_task(TASK)))
            for name, policy in policies().items()
        }
        with np.load(models / TASK / TEST_SPLIT_FILE, allow_pickle=False) as split:
            self._bodies = [row.tobytes() for row in split["input"].astype("<f4")]
        self._rng = np.random.default_rng(0)
        self._place = 0

    def round(self) -> dict[str, float]:
        """Processor time a message under each policy, in microseconds. The policies take turns poll
        by poll, in an order of chance."""
        spent_s = dict.fromkeys(self.pipelines, 0.0)
        gc.collect()
        gc.disable()  # else one policy pays for what others left
        for _ in range(POLLS_A_ROUND):
            for name in self._rng.permutation(list(self.pipelines)).tolist():
                pipeline, records = self.pipelines[name], self._poll()
                began_s = time.process_time()
                pipeline.admit(records, _publish)
                while len(pipeline.waiting):
                    pipeline.step(_publish, Turn(1e3))
                spent_s[name] += time.process_time() - began_s
        gc.enable()
        return {name: 1e6 * s / (POLL * POLLS_A_ROUND) for name, s in spent_s.items()}

    def _poll(self) -> list[MadeRecord]:
        at_ms, records = int(time.time() * 1e3), []
        for _ in range(POLL):
            i = self._place = self._place + 1
            number = i * 7 % (2 * N_RULES)  # a device is always of the same tenant
            own = [
                *(h for h in headers(i, 1.0, 0.8) if not h[0].startswith("ce_max")),
                ("ce_tenant", b"tenant-%d" % number),
                ("ce_site", b"site-%d" % (number % 7)),
            ]
            records.append(request(number, self._bodies[i % len(self._bodies)], own, at_ms))
        return records


def _publish(outgoing: Any) -> None:
    """Takes each answer, as a client does."""
    for _ in outgoing.values:
        pass


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", type=AT_LEAST_TWO, default=40, show_default=True, help="In turn.")
@results.models_option
@results.publish_option
def main(rounds: int, models: Path, publish: bool) -> None:
    """Print and write the table."""
    bench = Bench(models)
    bench.round()  # to warm up
    found = [bench.round() for _ in range(rounds)]
    table = table_of(found)
    results.report("header_rules", {"header-rules": table}, publish=publish)


def table_of(rounds: list[dict[str, float]]) -> Table:
    """The median of each policy's rounds, and what it costs over the same rounds without rules."""
    plain, *others = list(policies())
    rows: list[list[results.Cell]] = [[plain, _microseconds(rounds, plain), "", "", ""]]
    worker_us = _worker_us()
    for name in others:
        costs = [each[name] / each[plain] - 1.0 for each in rounds]
        quartiles = statistics.quantiles(costs, n=4)
        half = f"{quartiles[0]:.1%} to {quartiles[2]:.1%}"
        more_us = statistics.median(each[name] - each[plain] for each in rounds)
        cost, of_worker = f"{statistics.median(costs):.1%}", f"{more_us / worker_us:.1%}"
        rows.append([name, _microseconds(rounds, name), cost, half, of_worker])
    note = (
        f"Medians of {len(rounds)} rounds of {POLL * POLLS_A_ROUND:,} messages; the model "
        f"`{MODEL}` answers all. Processor time of the pipeline alone; a whole worker spends "
        f"{worker_us:g} microseconds on a message."
    )
    columns = [
        "policy",
        "microseconds of processor time a message",
        "cost",
        "half of the rounds",
        "share of a whole worker",
    ]
    return Table(columns, rows, note)


def _worker_us() -> float:
    """What a whole worker spends on a message with headers, by the published results."""
    table = results.read(results.PUBLISHED / "throughput.json").tables["throughput"]
    [row] = [row for row in table.rows if "headers with both targets" in str(row[0])]
    return float(row[table.columns.index("worker, us of a processor a message")] or 0)


def _microseconds(rounds: list[dict[str, float]], name: str) -> str:
    return f"{statistics.median(each[name] for each in rounds):.2f}"


if __name__ == "__main__":
    main()
