"""`make bench-advisor`: what advice loses on public tables.

Example: python -m benchmarks.advisor --data tables --short
"""

from pathlib import Path

import click
import numpy as np

from benchmarks.advisor.regret import LIMITS, OPPONENTS, Case, cases
from benchmarks.results import Cell, Table, publish_option, report, text

_SHORT_TABLES = 8
_SHORT_LIMITS = ((20.0, 128),)


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of tables, .parquet, each with a column `target`.",
)
@click.option("--short", is_flag=True, help="The smallest tables, one limit.")
@click.option("--budget", type=float, default=30.0, show_default=True, help="Of each race.")
@publish_option
def command(data: Path, short: bool, budget: float, publish: bool) -> None:
    """Advise on each table and compare with the best choice in hindsight."""
    files = sorted(data.glob("*.parquet"), key=lambda path: (path.stat().st_size, path.name))
    files = files[:_SHORT_TABLES] if short else files
    found: list[Case] = []
    for number, path in enumerate(files, 1):
        found += cases(path, budget, _SHORT_LIMITS if short else LIMITS)
        last = found[-1]
        click.echo(
            f"{number} of {len(files)}: {path.stem}: {last.regret:.2f} points, {last.race_s:.0f} s"
        )
    table = Table(
        columns=[
            "limit",
            "tables",
            "mean regret, points",
            "worst tenth",
            *(f"always {name}" for name in OPPONENTS),
            "limit kept, %",
            "kind chosen from a quarter of the rows, points",
            "advice takes, s (median)",
        ],
        rows=[_row(found, *limit) for limit in (_SHORT_LIMITS if short else LIMITS)],
        note="Regret: test accuracy below that of the best model within the limit, in hindsight.",
    )
    click.echo(text(table))
    report("advisor_regret", {"advisor_regret": table}, publish=publish)


def _row(found: list[Case], row_us: float, batch: int) -> list[Cell]:
    of = [c for c in found if (c.row_us, c.batch) == (row_us, batch)]
    regrets = np.array([c.regret for c in of])
    worst = np.sort(regrets)[-max(1, len(of) // 10) :]
    return [
        f"{row_us:g} µs a row, calls of {batch}",
        len(of),
        round(float(regrets.mean()), 2),
        round(float(worst.mean()), 2),
        *(
            round(float(np.mean([c.always[name] for c in of if name in c.always])), 2)
            for name in OPPONENTS
        ),
        round(100 * float(np.mean([c.kept for c in of])), 1),
        round(float(np.mean([c.early for c in of])), 2),
        round(float(np.median([c.race_s for c in of])), 1),
    ]


if __name__ == "__main__":
    command()
