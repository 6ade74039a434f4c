"""`make bench-advisor`: what advice loses on public tables, and what others reach beside it.

Each case is kept as it is measured; with --resume a run goes on where one ended. Tables come in an
order that is drawn by lot, once for all: a part of them is like all of them.

Example: python -m benchmarks.advisor --data tables --peers flaml --resume
"""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from ounce_schemas.errors import OunceError

from benchmarks.advisor.case import Case, Failure, Kept, Limit, Peered, keep, read_kept
from benchmarks.advisor.peers import PEERS, Searcher, compare
from benchmarks.advisor.regret import LIMITS, advice_cases, splits_of, tables_option
from benchmarks.advisor.report import tables
from benchmarks.peers.environment import PeerUnavailableError, prepare
from benchmarks.results import UNPUBLISHED, publish_option, report

_SHORT_TABLES = 8
_SHORT_LIMITS: tuple[Limit, ...] = ((20.0, 128),)
_PEER_LIMIT: Limit = (20.0, 128)
"""Under one limit peers search: all tables are to take an hour at most."""
CASES = UNPUBLISHED / "advisor.cases.jsonl"
Work = tuple[str, Callable[[], Sequence[Kept]]]
"""What one step is called, and the step."""


@click.command(help=__doc__)
@tables_option
@click.option("--short", is_flag=True, help="The smallest tables, one limit.")
@click.option("--budget", type=float, default=30.0, show_default=True, help="Of each race.")
@click.option(
    "--splits", type=click.IntRange(1), help="Of each table; default: more where rows are few."
)
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
@click.option(
    "--most-minutes", type=float, help="Begin no further step after so long; resume another time."
)
@click.option("--resume", is_flag=True, help="Keep what was measured before.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=CASES,
    show_default=True,
    help="File of cases, a line of JSON each.",
)
@publish_option
def command(  # noqa: PLR0913
    data: Path,
    short: bool,
    budget: float,
    splits: int | None,
    peers: tuple[str, ...],
    peer_seconds: float,
    most_minutes: float | None,
    resume: bool,
    out: Path,
    publish: bool,
) -> None:
    """Advise on each table and compare with the best choice in hindsight."""
    searchers = [PEERS[name] for name in peers]
    for searcher in searchers:
        try:
            prepare(searcher, shared_names=())
        except PeerUnavailableError as e:
            raise click.ClickException(f"{searcher.name} can't be used: {e}") from e
    files = sorted(data.glob("*.parquet"), key=lambda path: (path.stat().st_size, path.name))
    files = files[:_SHORT_TABLES] if short else files
    random.Random(0).shuffle(files)
    limits = _SHORT_LIMITS if short else LIMITS
    out.parent.mkdir(parents=True, exist_ok=True)
    if not resume:
        out.unlink(missing_ok=True)
    kept = read_kept(out)
    work: list[Work] = [
        _race(path, budget, limits, seed)
        for path in files
        for seed in range(splits or splits_of(path))
        if not _advised(kept, path.stem, seed, limits)
    ]
    work += [
        _search(searcher, path, peer_seconds)
        for path in files
        for searcher in searchers
        if not _searched(kept, searcher.name, path.stem)
    ]
    _run(work, kept, out, most_minutes)
    names = {path.stem for path in files}
    found = tables([one for one in kept if one.table in names], len(names))
    if not found:
        raise click.ClickException("nothing was measured")
    report("advisor_regret", found, publish=publish)


def _run(work: Sequence[Work], kept: list[Kept], out: Path, most_minutes: float | None) -> None:
    start_s = time.monotonic()
    for number, (name, step) in enumerate(work):
        spent_s = time.monotonic() - start_s
        if most_minutes is not None and spent_s > 60 * most_minutes:
            click.echo(f"{len(work) - number} steps are left: go on with --resume")
            break
        found = step()
        kept += found
        keep(out, found)
        spent_s = time.monotonic() - start_s
        left_s = spent_s / (number + 1) * (len(work) - number - 1)
        told = _told(found)
        click.echo(f"{number + 1} of {len(work)}, {left_s / 60:.0f} min left: {name}: {told}")


def _race(path: Path, budget: float, limits: Sequence[Limit], seed: int) -> Work:
    def step() -> Sequence[Kept]:
        try:
            return advice_cases(path, budget, limits, seed)
        except OunceError as e:
            return [Failure("advice", path.stem, str(e))]

    return f"{path.stem}, split {seed}", step


def _search(searcher: Searcher, path: Path, seconds: float) -> Work:
    def step() -> Sequence[Kept]:
        try:
            return [compare(searcher, path, _PEER_LIMIT, seconds)]
        except PeerUnavailableError as e:
            return [Failure(searcher.name, path.stem, str(e))]

    return f"{path.stem}, {searcher.name}", step


def _advised(kept: Sequence[Kept], table: str, seed: int, limits: Sequence[Limit]) -> bool:
    seen = {
        one.limit
        for one in kept
        if isinstance(one, Case) and (one.table, one.seed) == (table, seed)
    }
    return seen >= set(limits)


def _searched(kept: Sequence[Kept], peer: str, table: str) -> bool:
    return any(isinstance(one, Peered) and (one.peer, one.table) == (peer, table) for one in kept)


def _told(found: Sequence[Kept]) -> str:
    first = found[0]
    if isinstance(first, Failure):
        return f"failed: {first.error}"
    if isinstance(first, Peered):
        return f"{first.accuracy:.4f}, {first.row_us:.1f} µs a row, {first.seconds:.0f} s"
    cases = [case for case in found if isinstance(case, Case)]
    plans = ", ".join(f"{'>'.join(case.plan)} {case.accuracy:.4f}" for case in cases)
    return f"{plans}; {first.race_s:.0f} s"


if __name__ == "__main__":
    command()
