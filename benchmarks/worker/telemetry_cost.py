"""What telemetry costs: processor time of an answer with it and without, and of a scrape.

One worker answers digits at a steady rate, on one processor; the broker and the sender are on the
other. Its telemetry is switched every few seconds: none; all metrics, scraped once a second, and a
log at INFO; the same with traces. All of them meet the same caches, connections and batches. What
is reported is the process' processor time for each answer, all threads together.

Example: python -m benchmarks.worker.telemetry_cost --rounds 5
"""

import statistics
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np
from confluent_kafka import Consumer

from benchmarks import results
from benchmarks.process_figures import processor_s
from benchmarks.results import Table
from benchmarks.worker.backlog import CLIENT_CPU, POLICY, TOPICS, broker, ends
from benchmarks.worker.scrape_cost import scrape_table
from benchmarks.worker.steady_sender import steady_sender
from benchmarks.worker.switching_worker import SIDES, SIGNALS
from benchmarks.worker.throughput import in_turn, spread
from tests.support.edge.receivers import Receiver
from tests.support.process.child import Child, free_port

BODIES = {
    "raw": "raw bodies, no headers",
    "events": "raw bodies, CloudEvents headers with both targets",
}
_SCRAPE_S = 1.0
_SETTLE_S = 0.5
"""After a switch, and before what is measured."""
_LONGEST_S = 60.0
"""For a start, and for the first answers."""


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", default=15, show_default=True, help="Rounds of each kind of body.")
@click.option("--seconds", default=3.0, show_default=True, help="Of each side in a round.")
@click.option("--rate", default=3000, show_default=True, help="Requests a second.")
@results.models_option
@results.publish_option
def main(rounds: int, seconds: float, rate: int, models: Path, publish: bool) -> None:
    """Print each round, and the ratios."""
    inputs = np.load(models / "digits" / "test-split.npz")["input"].astype("<f4")
    bodies = [row.tobytes() for row in inputs]
    rows: list[list[results.Cell]] = []
    for body, name in BODIES.items():
        costs: dict[str, list[float]] = {side: [] for side in SIDES}
        with (
            broker() as servers,
            Receiver() as receiver,
            _worker(servers, models, receiver.url) as (child, port),
            steady_sender(servers, bodies, rate, has_headers=body == "events"),
            _scraped(port) as is_scraped,
        ):
            reader = Consumer({"bootstrap.servers": servers, "group.id": f"b-{uuid.uuid4()}"})
            _wait_for_answers(reader, child, rate)
            for number in range(rounds):
                for side in in_turn(list(SIDES), number):
                    child.process.send_signal(SIGNALS[side])
                    (is_scraped.clear if side == "silent" else is_scraped.set)()
                    time.sleep(_SETTLE_S)
                    costs[side].append(_cost_us(reader, child, seconds))
                told = ", ".join(f"{side} {own[-1]:,.1f} us" for side, own in costs.items())
                click.echo(f"{body}: round {number + 1}: {told}")
            click.echo(f"{body}: {len(receiver.spans):,} spans received")
            reader.close()
        rows += rows_of(name, costs)
    columns = [
        "messages",
        "telemetry",
        "microseconds of processor a message",
        "times those of a worker that counts nothing",
    ]
    note = (
        f"{rate:,} messages a second. Medians of {rounds} rounds in turn, {seconds:g} s each; of "
        "ratios also the least and the greatest."
    )
    tables = {"telemetry-cost": Table(columns, rows, note), "scrape-cost": scrape_table()}
    results.report("telemetry_cost", tables, publish=publish)


def rows_of(body: str, costs: Mapping[str, Sequence[float]]) -> list[list[results.Cell]]:
    """A row for each kind of telemetry, from microseconds by side and round."""
    return [
        [
            body,
            name,
            round(statistics.median(costs[side]), 1),
            spread(costs[side], costs["silent"]),
        ]
        for side, name in SIDES.items()
    ]


def _cost_us(reader: Consumer, child: Child, seconds: float) -> float:
    """Processor time of an answer, in a window of time."""
    answered, spent_s = _answered(reader), processor_s(child.pid)
    time.sleep(seconds)  # the load goes on
    spent_s = processor_s(child.pid) - spent_s
    answered = _answered(reader) - answered
    if not answered:
        raise SystemExit(f"nothing was answered for {seconds:g} s:\n{child.log_tail()}")
    return spent_s / answered * 1e6


def _answered(reader: Consumer) -> int:
    return sum(ends(reader, TOPICS["predictions"]))


@contextmanager
def _worker(servers: str, models: Path, traces: str) -> Iterator[tuple[Child, int]]:
    """A worker that is ready, and its port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.yaml"
        policy.write_text(POLICY)
        command = [
            *(sys.executable, "-m", "benchmarks.worker.switching_worker"),
            *("--task", "digits", "--kafka", servers, "--models", str(models)),
            *("--policy", str(policy), "--metrics-port", str(port)),
            *("--group", f"bench-{uuid.uuid4()}", "--traces", traces),
        ]
        child = Child(command, log=Path(folder) / "log", cpus=CLIENT_CPU)
        try:
            _wait_until_ready(child, port)
            yield child, port
        finally:
            child.stop()


def _wait_until_ready(child: Child, port: int) -> None:
    until_s = time.monotonic() + _LONGEST_S
    while child.running and time.monotonic() < until_s:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except OSError:  # it starts
            time.sleep(0.05)
    raise SystemExit(f"the worker is not ready:\n{child.log_tail()}")


def _wait_for_answers(reader: Consumer, child: Child, n: int) -> None:
    until_s = time.monotonic() + _LONGEST_S
    while _answered(reader) < n:
        if time.monotonic() > until_s or not child.running:
            raise SystemExit(f"no {n:,} answers within {_LONGEST_S:g} s:\n{child.log_tail()}")
        time.sleep(0.1)


@contextmanager
def _scraped(port: int) -> Iterator[threading.Event]:
    """Ask for a worker's metrics every second while the event is set."""
    stopping, wanted = threading.Event(), threading.Event()

    def scrape() -> None:
        address = urllib.request.Request(
            f"http://127.0.0.1:{port}/metrics", headers={"Accept-Encoding": "gzip"}
        )
        while not stopping.wait(_SCRAPE_S):
            if wanted.is_set():
                with urllib.request.urlopen(address, timeout=5) as page:
                    page.read()

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield wanted
    finally:
        stopping.set()
        thread.join()


if __name__ == "__main__":
    main()
