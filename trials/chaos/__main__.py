"""Workers on a real Kafka under a seeded schedule of faults: is every input answered, and once?

Exit code 1 where a guarantee was broken, 2 where a run itself did not work.

Example: python -m trials.chaos --seed 7 --faults 100 --delivery exactly-once --rate 200
"""

import faulthandler
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import click
from ounce_schemas.errors import OunceError

from benchmarks import results as published
from tests.support.kafka.jars import KafkaUnavailableError
from trials.chaos.outcome import Delivery, Outcome, Plan, available_deliveries
from trials.chaos.report import complaints, kinds_table, summary, totals_table, write
from trials.chaos.run import run
from trials.chaos.schedule import Kind


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seed", default=1, show_default=True, help="Seed of the first run.")
@click.option("--runs", default=1, show_default=True, help="Runs, each with the next seed.")
@click.option("--faults", default=100, show_default=True, help="Faults of each run.")
@click.option(
    "--delivery",
    default="both",
    show_default=True,
    type=click.Choice([*map(str, Delivery), "both"]),
    help="Guarantee to ask of the workers; `both` takes turns.",
)
@click.option("--rate", default=200.0, show_default=True, help="Inputs a second, plus bursts.")
@click.option("--gap", default=2.5, show_default=True, help="Mean seconds between two faults.")
@click.option("--partitions", default=6, show_default=True, help="Of each topic.")
@click.option("--session", default=3.0, show_default=True, help="Session timeout, seconds.")
@published.models_option
@click.option(
    "--kind", multiple=True, type=click.Choice([*map(str, Kind)]), help="Only these kinds."
)
@click.option("--results", default="results/chaos", show_default=True, help="Folder to write to.")
@click.option("--show", is_flag=True, help="Print the schedule, and do nothing.")
@published.publish_option
def main(  # noqa: PLR0913
    seed: int,
    runs: int,
    faults: int,
    delivery: str,
    rate: float,
    gap: float,
    partitions: int,
    session: float,
    models: Path,
    kind: tuple[str, ...],
    results: str,
    show: bool,
    publish: bool,
) -> None:
    """Run, and report."""
    faulthandler.enable()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    available = available_deliveries()
    asked = [*available] if delivery == "both" else [Delivery(delivery)]
    if not set(asked) <= set(available):
        raise click.UsageError(f"this worker can't do {delivery}, only {', '.join(available)}")
    outcomes: list[Outcome] = []
    for i in range(runs):
        plan = Plan(
            seed + i,
            faults,
            asked[i % len(asked)],
            models,
            rate_per_s=rate,
            gap_s=gap,
            partitions=partitions,
            kinds=tuple(map(Kind, kind)) or tuple(Kind),
            session_s=session,
        )
        if show:
            for fault in plan.schedule(plan.session_s):
                click.echo(fault)
            continue
        name = f"{time.strftime('%Y%m%dT%H%M%S')}-seed-{plan.seed}-{plan.delivery}"
        outcomes.append(_run(plan, Path(results) / name))
    if outcomes:
        tables = {"chaos": totals_table(outcomes), "recovery": kinds_table(outcomes)}
        published.report("chaos", tables, publish=publish)
    sys.exit(0 if all(outcome.is_good for outcome in outcomes) else 1)


def _run(plan: Plan, folder: Path) -> Outcome:
    began_s = time.monotonic()

    def tell(text: str) -> None:
        click.echo(f"{time.monotonic() - began_s:7.1f} s  {text}")

    click.echo(f"seed {plan.seed}, {plan.delivery}, logs in {folder}")
    try:
        outcome = run(plan, folder, tell)
    except (KafkaUnavailableError, OunceError, RuntimeError) as e:
        click.echo(f"the run with seed {plan.seed} did not work: {e}; logs in {folder}", err=True)
        sys.exit(2)
    write(outcome, folder / "result.json")
    click.echo(summary(outcome))
    for line in complaints(outcome):
        click.echo(f"  {line}")
    return outcome


def _interrupt(number: int, frame: FrameType | None) -> None:
    for again in (signal.SIGINT, signal.SIGTERM):  # what is tidied up now is not interrupted
        signal.signal(again, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
