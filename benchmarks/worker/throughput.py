"""The worker against two hand-written loops, on one real broker and the same messages.

One loop does as little as can be: it reads no headers and answers with forty bytes. The other one
keeps the worker's contract: ids and targets are read, answers have the same document and headers,
and commits keep step with them; it chooses nothing.

All answer the same backlog of digits with the same model, in turn, the broker on one processor and
they on another. A run's rate is its number of answers over the time from its first to its last
answer's arrival at the broker (log append time), so that start-up does not count and answers that
only wait in a producer's queue do not either. What is reported is the ratio of the rates of one
round, and its spread over the rounds; and the processor time that each took for a message, which
swings less where the machine has other work.

Example: python -m benchmarks.worker.throughput --rounds 5
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from confluent_kafka import Consumer

from benchmarks import results
from benchmarks.process_figures import memory_kb, processor_s
from benchmarks.results import Table
from benchmarks.worker.backlog import (
    CLIENT_CPU,
    CONTRACT_TOPIC,
    LIMIT_TOPIC,
    MODEL,
    POLICY,
    TOPICS,
    broker,
    ends,
    fill,
    ounce,
    span_s,
)
from tests.support.process.child import Child
from tests.support.process.worker import Worker

MESSAGES = {"raw": 1_000_000, "json": 400_000, "events": 400_000}
BODIES = {
    "raw": "raw bodies, no headers",
    "json": "JSON bodies, no headers",
    "events": "raw bodies, CloudEvents headers with both targets",
}
SIDES = {"worker": TOPICS["predictions"], "limit": LIMIT_TOPIC, "contract": CONTRACT_TOPIC}
"""Who answers, and where to."""
_LOOK_S = 0.1
_MOST_SILENCE_S = 120.0
LOOPS = {"limit": "the bare loop", "contract": "the loop with the same contract"}


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", default=5, show_default=True, help="Rounds of each kind of body.")
@results.models_option
@click.option("--only", multiple=True, type=click.Choice(list(BODIES)), help="Kinds of body.")
@click.option("--scale", default=1.0, show_default=True, help="Times the number of messages.")
@results.publish_option
def main(rounds: int, models: Path, only: tuple[str, ...], scale: float, publish: bool) -> None:
    """Print the ratios of the worker's rate to the hand-written loops'."""
    os.environ.pop("KAFKA_BOOTSTRAP_SERVERS", None)
    folder = models / "digits"
    if not (folder / MODEL / "model.onnx").is_file():
        click.echo("Training the digits ladder first")
        subprocess.run([*ounce(), "train", "digits", "--models", str(models)], check=True)
    inputs = np.load(folder / "test-split.npz")["input"].astype("<f4")
    start_up = _start_up(models)
    rows: list[list[results.Cell]] = []
    for body in only or BODIES:
        runs: dict[str, list[Run]] = {side: [] for side in SIDES}
        with broker() as servers:
            n = int(MESSAGES[body] * scale)
            fill(servers, body, inputs, n)
            for number in range(rounds):
                for side in in_turn(list(SIDES), number):
                    runs[side].append(_run(side, body, servers, models, n))
                told = ", ".join(f"{side} {of_side[-1]}" for side, of_side in runs.items())
                click.echo(f"{body}: round {number + 1}: {told}")
        rows.append(row_of(BODIES[body], runs))
        for name, ratio in zip(LOOPS.values(), rows[-1][4:6], strict=True):
            click.echo(f"{BODIES[body]}: {ratio} times {name}")
        click.echo()
    columns = ["messages", *(f"{side}, messages/s" for side in ("worker", *LOOPS.values()))]
    columns += [f"worker over {name}" for name in LOOPS.values()]
    columns += [f"{side}, us of a processor a message" for side in ("worker", *LOOPS.values())]
    note = f"Medians of {rounds} rounds in turn; of ratios also the least and the greatest."
    tables = {"throughput": Table(columns, rows, note), "start-up": start_up}
    results.report("throughput", tables, publish=publish)


class Run(NamedTuple):
    """How one side answered the backlog once."""

    rate: float
    """Answers per second."""
    processor_us: float
    """Of its processor time, a message, from when the first answers are there."""

    def __str__(self) -> str:
        return f"{self.rate:,.0f}/s ({self.processor_us:.1f} us)"


def in_turn(sides: Sequence[str], number: int) -> list[str]:
    """The sides in the order of a round: another one begins each time."""
    first = number % len(sides)
    return [*sides[first:], *sides[:first]]


def row_of(label: str, runs: dict[str, list[Run]]) -> list[results.Cell]:
    """Median rates of all sides, the worker's ratio to each loop, and median processor times."""
    rates = {side: [run.rate for run in of_side] for side, of_side in runs.items()}
    medians: list[results.Cell] = [round(statistics.median(rates[side])) for side in SIDES]
    ratios = (spread(rates["worker"], rates[loop]) for loop in LOOPS)
    spent = (round(statistics.median(run.processor_us for run in runs[side]), 1) for side in SIDES)
    return [label, *medians, *ratios, *spent]


def spread(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Median, least and greatest ratio of the rates of one round."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _start_up(models: Path) -> Table:
    """How soon a worker with the whole digits ladder is ready, and its memory then."""
    with broker() as servers, tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        with Worker(servers, models, Path(folder) / "worker.log") as worker:
            ready_s = time.monotonic() - start
            resident_kb = memory_kb(worker.child.pid)
    click.echo(
        f"worker with the digits ladder: ready {ready_s:.1f} s after its start, "
        f"{resident_kb / 1e3:.0f} MB resident\n"
    )
    columns = ["worker with the digits ladder", "ready after, s", "resident, MB"]
    return Table(columns, [["at its start", round(ready_s, 1), round(resident_kb / 1e3)]])


def _run(side: str, body: str, servers: str, models: Path, n: int) -> Run:
    """One side answers the whole backlog."""
    out, group = SIDES[side], f"bench-{uuid.uuid4()}"
    reader = Consumer({"bootstrap.servers": servers, "group.id": group + "-reader"})
    before = ends(reader, out)
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.yaml"
        policy.write_text(POLICY)
        places = [servers, TOPICS["requests"], out, group, str(n)]
        digits = models / "digits"
        command = {
            "worker": [
                *ounce(), "worker", "--task", "digits", "--kafka", servers, "--models",
                str(models), "--policy", str(policy), "--metrics-port", "0", "--group", group,
                "--log-level", "WARNING",
            ],
            "limit": [
                sys.executable, "-m", "benchmarks.worker.limit_loop",
                "json" if body == "json" else "raw", str(digits / MODEL / "model.onnx"), *places,
            ],
            "contract": [
                sys.executable, "-m", "benchmarks.worker.contract_loop", str(digits), MODEL,
                *places,
            ],
        }[side]  # fmt: skip
        child = Child(command, log=Path(folder) / "log", cpus=CLIENT_CPU)
        try:
            first = _wait_for(1, child, reader, out, sum(before))
            last = _wait_for(n, child, reader, out, sum(before))
        finally:
            child.stop()
    lasted_s = span_s(reader, out, before, ends(reader, out))
    reader.close()
    processor_us = (last.processor_s - first.processor_s) / (last.n - first.n) * 1e6
    return Run(n / lasted_s, processor_us)


class _Seen(NamedTuple):
    n: int
    """Answers so far."""
    processor_s: float


def _wait_for(n: int, child: Child, reader: Consumer, out: str, begin: int) -> _Seen:
    """What is seen once n answers are there; a loop that has ended by then has taken all it will.

    Raises:
        SystemExit: the side failed, or gave no answer for a long time.
    """
    seen, since_s = _Seen(0, 0.0), time.monotonic()
    while seen.n < n:
        if child.process.poll() not in (None, 0):
            raise SystemExit(f"it ended:\n{child.log_tail()}")
        if time.monotonic() - since_s > _MOST_SILENCE_S:
            raise SystemExit(f"no further answer after {seen.n} of {n}:\n{child.log_tail()}")
        spent_s = seen.processor_s
        with suppress(ProcessLookupError):  # it has ended
            spent_s = processor_s(child.pid)
        answered = sum(ends(reader, out)) - begin
        if answered > seen.n:
            since_s = time.monotonic()
        seen = _Seen(answered, spent_s)
        time.sleep(_LOOK_S)
    return seen


if __name__ == "__main__":
    main()
