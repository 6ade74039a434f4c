"""`make bench-advisor`: what advice loses on public tables, and what others reach beside it.

Example: python -m benchmarks.advisor --data tables --short
"""

from pathlib import Path

import click
import numpy as np

from benchmarks.advisor.peers import PEERS, Peered, compare
from benchmarks.advisor.regret import LIMITS, OPPONENTS, Case, cases, regret, regret_of_always
from benchmarks.peers.environment import PeerUnavailableError
from benchmarks.results import Cell, Table, publish_option, report, text

_SHORT_TABLES = 8
_SHORT_LIMITS = ((20.0, 128),)
_PEER_LIMITS = ((20.0, 128), (50.0, 1))
"""Under others no peer searches: all tables are to take an hour at most."""
BySplit = dict[tuple[str, tuple[float, int]], list[Case]]
"""Cases of all splits of a table under a limit."""


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of tables, .parquet, each with a column `target`.",
)
@click.option("--short", is_flag=True, help="The smallest tables, one limit.")
@click.option("--budget", type=float, default=15.0, show_default=True, help="Of each race.")
@click.option("--splits", type=click.IntRange(1), default=2, show_default=True, help="Of a table.")
@click.option(
    "--peers",
    type=click.Choice(list(PEERS)),
    multiple=True,
    help="Others that search on the first split of each table, in environments of their own "
    "(can be repeated).",
)
@click.option(
    "--peer-seconds", type=float, default=15.0, show_default=True, help="That a peer may search."
)
@publish_option
def command(  # noqa: PLR0913
    data: Path,
    short: bool,
    budget: float,
    splits: int,
    peers: tuple[str, ...],
    peer_seconds: float,
    publish: bool,
) -> None:
    """Advise on each table and compare with the best choice in hindsight."""
    files = sorted(data.glob("*.parquet"), key=lambda path: (path.stat().st_size, path.name))
    files = files[:_SHORT_TABLES] if short else files
    limits = _SHORT_LIMITS if short else LIMITS
    found: BySplit = {}
    others: list[Peered] = []
    for number, path in enumerate(files, 1):
        for seed in range(splits):
            for case in cases(path, budget, limits, seed):
                found.setdefault((path.stem, case.limit), []).append(case)
        told = ", ".join(f"{regret(found[path.stem, limit]):.2f}" for limit in limits)
        click.echo(f"{number} of {len(files)}: {path.stem}: {told} points")
        ours = {limit: found[path.stem, limit][0] for limit in limits if limit in _PEER_LIMITS}
        for name in peers:
            try:
                others += compare(PEERS[name], path, ours, peer_seconds)
            except PeerUnavailableError as e:
                raise click.ClickException(f"{name} can't be used: {e}") from e
    tables = {"advisor_regret": _regrets(found, limits)}
    if others:
        tables["advisor_peers"] = _peers(others, limits)
    for table in tables.values():
        click.echo(text(table))
    report("advisor_regret", tables, publish=publish)


def _regrets(found: BySplit, limits: tuple[tuple[float, int], ...]) -> Table:
    n_splits = max(len(of_table) for of_table in found.values())
    return Table(
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
        rows=[_row(found, limit) for limit in limits],
        note="Regret: test accuracy below that of the best model that keeps the limit, in "
        f"hindsight, both on the mean of {n_splits} splits. Others may break the limit.",
    )


def _row(found: BySplit, limit: tuple[float, int]) -> list[Cell]:
    of = [splits for (_, of_limit), splits in found.items() if of_limit == limit]
    every = [case for splits in of for case in splits]
    regrets = np.array([regret(splits) for splits in of])
    worst = np.sort(regrets)[-max(1, len(of) // 10) :]
    always = [[regret_of_always(name, splits) for splits in of] for name in OPPONENTS]
    return [
        _say(limit),
        len(of),
        round(float(regrets.mean()), 2),
        round(float(worst.mean()), 2),
        *(round(float(np.mean([r for r in lost if r is not None])), 2) for lost in always),
        round(100 * float(np.mean([c.kept for c in every])), 1),
        round(float(np.mean([c.early for c in every])), 2),
        round(float(np.median([c.race_s for c in every])), 1),
    ]


def _peers(others: list[Peered], limits: tuple[tuple[float, int], ...]) -> Table:
    rows: list[list[Cell]] = []
    for name in sorted({found.peer for found in others}):
        for limit in limits:
            of = [found for found in others if (found.peer, found.limit) == (name, limit)]
            if not of:
                continue
            rows.append(
                [
                    name,
                    _say(limit),
                    len(of),
                    round(100 * float(np.mean([f.accuracy for f in of])), 2),
                    round(100 * float(np.mean([f.ours for f in of])), 2),
                    round(100 * float(np.mean([f.row_us <= limit[0] for f in of])), 1),
                    round(float(np.median([f.row_us for f in of])), 1),
                    round(float(np.median([f.seconds for f in of])), 1),
                    round(float(np.median([f.our_seconds for f in of])), 1),
                ]
            )
    return Table(
        columns=[
            "peer",
            "limit",
            "tables",
            "its accuracy, %",
            "accuracy of the advice, %",
            "limit kept, %",
            "µs a row, median",
            "it takes, s (median)",
            "advice takes, s (median)",
        ],
        rows=rows,
        note="One split of each table, the same test rows. A peer predicts in Python as its own "
        "documentation says; the advice is served by ONNX Runtime, one thread.",
    )


def _say(limit: tuple[float, int]) -> str:
    return f"{limit[0]:g} µs a row, calls of {limit[1]}"


if __name__ == "__main__":
    command()
