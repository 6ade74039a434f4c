"""What telemetry costs of a worker's throughput.

Workers answer the same backlog of digits in turn, the broker on one processor and the worker on
the other. One counts nothing and logs nothing. The others have all metrics, scraped once a second,
and a log at INFO; one of them also traces. What is reported is answers in a second of the worker's
processor time, from when it is ready, and the ratio of one round: other work on the machine weighs
less on it than on the time that passes.

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
from benchmarks.results import Table
from benchmarks.worker.backlog import CLIENT_CPU, POLICY, TOPICS, broker, ends, fill, ounce
from benchmarks.worker.processor_time import processor_s
from benchmarks.worker.throughput import in_turn, spread
from tests.support.edge.receivers import Receiver
from tests.support.process.child import Child, free_port

BODIES = {
    "raw": "raw bodies, no headers",
    "events": "raw bodies, CloudEvents headers with both targets",
}
SIDES = {
    "silent": "nothing",
    "told": "all metrics, scraped every second, log at INFO",
    "traced": "the same, and traces of 1%",
}
_SCRAPE_S = 1.0


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", default=5, show_default=True, help="Rounds of each kind of body.")
@click.option("--messages", default=300_000, show_default=True, help="Of the backlog.")
@click.option(
    "--models", default="models", show_default=True, help="Folder with the digits ladder."
)
@results.publish_option
def main(rounds: int, messages: int, models: str, publish: bool) -> None:
    """Print each round, and the ratios."""
    inputs = np.load(Path(models) / "digits" / "test-split.npz")["input"].astype("<f4")
    rows: list[list[results.Cell]] = []
    for body, name in BODIES.items():
        rates: dict[str, list[float]] = {side: [] for side in SIDES}
        with broker() as servers, Receiver() as receiver:
            fill(servers, body, inputs, messages)
            for number in range(rounds):
                for side in in_turn(list(SIDES), number):
                    rates[side].append(_run(side, servers, Path(models), messages, receiver))
                told = ", ".join(f"{side} {of_side[-1]:,.0f}/s" for side, of_side in rates.items())
                click.echo(f"{body}: round {number + 1}: {told}")
            click.echo(f"{body}: {len(receiver.spans):,} spans received")
        rows += rows_of(name, rates)
    table = Table(
        [
            "messages",
            "telemetry",
            "messages a second of processor",
            "over a worker that counts nothing",
        ],
        rows,
        f"Medians of {rounds} rounds in turn; of ratios also the least and the greatest.",
    )
    click.echo(results.text(table))
    results.report("telemetry_cost", {"telemetry-cost": table}, publish=publish)


def rows_of(body: str, rates: Mapping[str, Sequence[float]]) -> list[list[results.Cell]]:
    """A row for each kind of telemetry."""
    return [
        [body, name, round(statistics.median(rates[side])), spread(rates[side], rates["silent"])]
        for side, name in SIDES.items()
    ]


def _run(side: str, servers: str, models: Path, n: int, receiver: Receiver) -> float:
    """Answers in a second of processor time, from readiness on."""
    out = TOPICS["predictions"]
    reader = Consumer({"bootstrap.servers": servers, "group.id": f"bench-{uuid.uuid4()}"})
    until = sum(ends(reader, out)) + n
    port = free_port()
    is_silent = side == "silent"
    program = [sys.executable, "-m", "benchmarks.worker.silent_worker"]
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.yaml"
        policy.write_text(POLICY)
        command = [
            *(program if is_silent else [*ounce(), "worker"]),
            *("--task", "digits", "--kafka", servers, "--models", str(models)),
            *("--policy", str(policy), "--metrics-port", str(port)),
            *("--group", f"bench-{uuid.uuid4()}"),
            *("--log-level", "ERROR" if is_silent else "INFO"),
            *(("--traces", receiver.url) if side == "traced" else ()),
        ]
        child = Child(command, log=Path(folder) / "log", cpus=CLIENT_CPU)
        try:
            _wait_until_ready(child, port)
            began_s = processor_s(child.pid)
            with _scraped(None if is_silent else port):
                while sum(ends(reader, out)) < until:
                    if not child.running:
                        raise SystemExit(f"{side} ended:\n{child.log_tail()}")
                    time.sleep(0.05)
            spent_s = processor_s(child.pid) - began_s
        finally:
            child.stop()
    reader.close()
    return n / spent_s


def _wait_until_ready(child: Child, port: int) -> None:
    while child.running:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except OSError:  # it starts
            time.sleep(0.01)
    raise SystemExit(f"the worker ended:\n{child.log_tail()}")


@contextmanager
def _scraped(port: int | None) -> Iterator[None]:
    """Ask for a worker's metrics every second meanwhile; None: nobody asks."""
    stopping = threading.Event()

    def scrape() -> None:
        while not stopping.wait(_SCRAPE_S):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
                    page.read()
            except OSError:  # it starts, or ends
                continue

    thread = threading.Thread(target=scrape)
    if port is not None:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        if port is not None:
            thread.join()


if __name__ == "__main__":
    main()
