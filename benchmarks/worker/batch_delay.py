"""What waiting for company saves: processor time per message with and without `--batch-delay-ms`.

A worker on a real Kafka serves digits at steady rates, with deadlines that leave time to wait;
workers with and without the delay take turns. The broker and the devices have one processor, the
worker has the other one.

Example: python -m benchmarks.worker.batch_delay --rounds 3
"""

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import results
from benchmarks.results import Table
from benchmarks.worker.backlog import BROKER_CPU, CLIENT_CPU, broker
from benchmarks.worker.steady import WARM_UP_S, serve_steadily
from tests.support.process.worker import Worker

DELAYS_MS = (0.0, 5.0)
TARGETS = ("50:0.5:1", "100:0.9:1", "100:0.95:1", "200:0.97:1")
AT_LEAST_ONE = click.IntRange(min=1)


class Seen(NamedTuple):
    """What a worker spent per message, and what its devices saw."""

    processor_us: float
    """Processor time of the worker, microseconds."""
    compute_us: float
    """Of which models."""
    per_call: float
    """Messages of one model call."""
    p50_ms: float
    p99_ms: float
    kept: float
    """Share of the deadlines, as devices measure."""

    def __str__(self) -> str:
        return (
            f"{self.processor_us:6.0f} us of processor a message, {self.compute_us:5.1f} of them "
            f"models, {self.per_call:4.1f} messages a call; p50 {self.p50_ms:4.1f} ms, "
            f"p99 {self.p99_ms:5.1f} ms, deadlines kept {self.kept:.2%}"
        )


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--rounds", type=AT_LEAST_ONE, default=3, show_default=True, help="Of each rate and delay."
)
@click.option(
    "--rate",
    "rates",
    type=AT_LEAST_ONE,
    multiple=True,
    default=(200, 1000, 3000),
    show_default=True,
    help="Messages per second; repeat for several.",
)
@click.option("--seconds", type=AT_LEAST_ONE, default=8, show_default=True, help="Of each rate.")
@results.models_option
@results.publish_option
def main(rounds: int, rates: Sequence[int], seconds: int, models: Path, publish: bool) -> None:
    """Print the medians of each rate and delay, and their ratio."""
    if not (models / "digits").is_dir():
        raise click.ClickException(
            f"no ladder in {models}/digits: make it with `ounce train digits --models {models}`"
        )
    found: dict[tuple[int, float], list[Seen]] = {}
    with broker() as servers:
        for number in range(rounds):
            for rate in rates:
                for delay_ms in DELAYS_MS[:: 1 if number % 2 else -1]:
                    seen = _serve(servers, delay_ms, models, rate, seconds)
                    found.setdefault((rate, delay_ms), []).append(seen)
                    click.echo(f"round {number + 1}: {rate:5}/s, {delay_ms:g} ms: {seen}")
    table = table_of(found, rates)
    results.report("batch_delay", {"batch-delay": table}, publish=publish)


def table_of(found: Mapping[tuple[int, float], Sequence[Seen]], rates: Sequence[int]) -> Table:
    """What waiting saves and costs at each rate."""
    columns = [
        "messages/s", "processor time a message, with over without the delay", "range",
        "messages a call without", "with", "p50 without, ms", "p50 with, ms",
        "deadlines kept without", "with it",
    ]  # fmt: skip
    rows: list[list[results.Cell]] = []
    for rate in rates:
        without, delayed = (found[rate, delay_ms] for delay_ms in DELAYS_MS)
        ratios = [b.processor_us / a.processor_us for a, b in zip(without, delayed, strict=True)]
        a, b = (
            Seen(*map(statistics.median, zip(*some, strict=True))) for some in (without, delayed)
        )
        rows.append([
            rate, f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f} to {max(ratios):.2f}",
            f"{a.per_call:.1f}", f"{b.per_call:.1f}", f"{a.p50_ms:.1f}", f"{b.p50_ms:.1f}",
            f"{a.kept:.1%}", f"{b.kept:.1%}",
        ])  # fmt: skip
    note = (
        f"`--batch-delay-ms {DELAYS_MS[1]:g}` against none; digits on a real Kafka, deadlines of "
        "50 to 200 ms. Medians of the rounds."
    )
    return Table(columns, rows, note)


def _serve(servers: str, delay_ms: float, models: Path, rate: int, seconds: int) -> Seen:
    with tempfile.TemporaryDirectory() as folder:
        # One group, so that no worker has what was sent to others before it.
        options = [f"--batch-delay-ms={delay_ms}", "--group=bench"]
        log = Path(folder) / "worker.log"
        with Worker(servers, models, log, options, cpus=CLIENT_CPU) as worker:
            serve_steadily(servers, models, rate, WARM_UP_S, TARGETS, BROKER_CPU)
            before = _spent(worker)
            task = serve_steadily(servers, models, rate, seconds, TARGETS, BROKER_CPU)
            spent = {name: value - before[name] for name, value in _spent(worker).items()}
    return Seen(
        processor_us=spent["process_cpu_seconds_total"] / task.answered * 1e6,
        compute_us=spent["ounce_compute_seconds_total"] / task.answered * 1e6,
        per_call=spent["ounce_batch_size_sum"] / spent["ounce_batch_size_count"],
        p50_ms=task.p50_ms,
        p99_ms=task.p99_ms,
        kept=task.kept_as_measured / task.answered,
    )


def _spent(worker: Worker) -> dict[str, float]:
    """Counters of a worker, summed over their labels."""
    names = (
        "process_cpu_seconds_total",
        "ounce_compute_seconds_total",
        "ounce_batch_size_sum",
        "ounce_batch_size_count",
    )
    _, page = worker.get("/metrics")
    samples = [s for family in text_string_to_metric_families(page) for s in family.samples]
    return {name: sum(s.value for s in samples if s.name == name) for name in names}


if __name__ == "__main__":
    main()
