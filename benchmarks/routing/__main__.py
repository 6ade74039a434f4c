"""One command: measure, simulate, check on a real Kafka, report.

Example: python -m benchmarks.routing
"""

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
from ounce_schemas.documents import PLANS_FILE

from benchmarks import results
from benchmarks.routing import published, report
from benchmarks.routing.deciding import time_deciding
from benchmarks.routing.equal_accuracy import compare
from benchmarks.routing.fresh import TASK as SIMULATED
from benchmarks.routing.fresh import answer_fresh_windows
from benchmarks.routing.matrix import Measured, find_capacities, run_matrix
from benchmarks.routing.overhead import measure_overhead
from benchmarks.routing.real import check_against_kafka
from benchmarks.routing.table_task import TASK as TABLE
from benchmarks.routing.table_task import train_table_task
from benchmarks.routing.tables import measure_table
from benchmarks.routing.verdicts import compare_rules, verdicts
from benchmarks.routing.workloads import floors_of
from tests.support.kafka.jars import KafkaUnavailableError

REAL_TASK, REAL_RATE = "digits", 1000.0
ROUNDS = 5
"""Of timing decisions, the quickest counts: what made others slow was not the decision."""


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@results.models_option
@click.option("--out", default="results", show_default=True, help="Folder for what is written.")
@click.option("--tasks", default=f"digits,bearing,{TABLE}", show_default=True)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Runs of every cell.",
)
@click.option("--reuse", is_flag=True, help="Use the measurements of the run before.")
@click.option("--same-reading", is_flag=True, help="Let every rule read as ours does.")
@click.option("--no-kafka", is_flag=True, help="Leave out the check on a real Kafka.")
@results.publish_option
def main(  # noqa: PLR0913
    models: Path,
    out: str,
    tasks: str,
    seeds: int,
    reuse: bool,
    same_reading: bool,
    no_kafka: bool,
    publish: bool,
) -> None:
    """Compare routing rules on measured models, and print what was reached."""
    began = time.monotonic()
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["MPLCONFIGDIR"] = str(folder)
    workers = len(os.sched_getaffinity(0))
    measured = _measure(models, folder, tasks.split(","), reuse)
    rates = find_capacities(measured, workers)
    for task in measured:
        o = task.overhead
        click.echo(
            f"{task.table.task}: capacity {rates[task.table.task]:,.0f} messages/s; beside model "
            f"calls {o.poll_ms + o.step_ms:.2f} ms per slice and {o.item_ms * 1e3:.1f} us per "
            f"message; floors {', '.join(f'{f:g}' for f in floors_of(task.table))}"
        )
    deciding_us: dict[str, float] = {}
    for _ in range(ROUNDS):
        for task in measured:
            for label, fewest_ms in (("roomy", 50.0), ("crowded", -1.0)):
                name, us = f"{task.table.task} {label}", time_deciding(task.table, fewest_ms)
                deciding_us[name] = min(us, deciding_us.get(name, us))
    cells = run_matrix(measured, rates, seeds, workers, same_reading)
    report.write_csv(folder / "routing.csv", cells)
    comparisons = [
        compare(task, 0.8 * rates[task.table.task]) for task in measured if task.table.task != TABLE
    ]
    click.echo(report.matrix_text(cells))
    click.echo("\nEqual accuracy, chosen on validation data, run on the test split\n")
    click.echo(report.comparison_text(comparisons))
    check = None
    real = next((task for task in measured if task.table.task == REAL_TASK), None)
    if real is not None and not no_kafka:
        try:
            check = check_against_kafka(real, models, REAL_RATE)
            click.echo(f"\nThe worker on a real Kafka and its simulation, {REAL_TASK}")
            click.echo(report.check_text(check))
        except KafkaUnavailableError as e:
            click.echo(f"\nNo check on a real Kafka: {e}")
    found = verdicts(cells, comparisons, deciding_us, check)
    text = report.verdicts_text(found, compare_rules(cells))
    click.echo(f"\nTo reach\n{text}")
    if same_reading:
        found_tables = {"same-reading": published.same_reading_table(cells)}
    else:
        found_tables = published.tables(cells, comparisons, deciding_us, rates, check)
    name = "routing_same_reading" if same_reading else "routing"
    results.report(name, found_tables, publish=publish)
    report.draw(folder / "routing.svg", cells, rates)
    click.echo(f"\nWritten to {folder}/routing.csv, .svg; {time.monotonic() - began:.0f} s")


def _measure(models: Path, out: Path, tasks: Sequence[str], reuse: bool) -> list[Measured]:
    found = []
    for name in tasks:
        kept = out / f"measured-{name}.pickle"
        if reuse and kept.is_file():
            found.append(pickle.loads(kept.read_bytes()))
            continue
        folder = train_table_task(out) if name == TABLE else models
        if not (folder / name / PLANS_FILE).is_file():
            ounce = str(Path(sys.executable).with_name("ounce"))
            trained = subprocess.run([ounce, "train", name, "--models", str(folder)], check=False)
            if trained.returncode:  # it said why
                sys.exit(trained.returncode)
        click.echo(f"Measuring {name}", err=True)
        table = measure_table(folder, name)
        fresh = answer_fresh_windows(folder, table) if name == SIMULATED else None
        found.append(Measured(table, measure_overhead(folder, name), fresh))
        kept.write_bytes(pickle.dumps(found[-1]))
    return found


if __name__ == "__main__":
    main()
