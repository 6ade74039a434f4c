"""Train a ladder of every public table, and hold it against what people would train instead.

Tables come from --data FOLDER (tables/NAME.parquet, regression/NAME.csv) and from scikit-learn.
Each case is kept as it is measured; with --resume a run goes on where one ended.

Example: python -m benchmarks.public_tables --data public --seeds 3 --resume
"""

import sys
import tempfile
import time
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks import results
from benchmarks.public_tables import report, sources
from benchmarks.public_tables.case import Case, run

CASES = results.UNPUBLISHED / "public_tables.cases.jsonl"


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of public tables; without it scikit-learn's own alone.",
)
@click.option("--seeds", default=3, show_default=True, help="Seeds 0, 1, ... of each table.")
@click.option("--only", multiple=True, help="Name of a table (can be repeated); default: all.")
@click.option(
    "--most-minutes", type=float, help="Begin no further case after so long; resume another time."
)
@click.option("--resume", is_flag=True, help="Keep the cases that were measured before.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=CASES,
    show_default=True,
    help="File of cases, a line of JSON each.",
)
@results.publish_option
def main(  # noqa: PLR0913
    data: Path | None,
    seeds: int,
    only: tuple[str, ...],
    most_minutes: float | None,
    resume: bool,
    out: Path,
    publish: bool,
) -> None:
    """Run, print and write."""
    if not resume:
        out.unlink(missing_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    done = read_cases(out)
    known = {(case.table, case.seed) for case in done}
    with tempfile.TemporaryDirectory() as scratch:
        found = [*sources.bundled(Path(scratch)), *(sources.in_folder(data) if data else ())]
        chosen = [source for source in found if not only or source.name in only]
        if not chosen:
            raise click.UsageError(f"--only: no such table; {', '.join(s.name for s in found)}")
        plan = [(source, seed) for seed in range(seeds) for source in chosen]
        todo = [(source, seed) for source, seed in plan if (source.name, seed) not in known]
        done += _run(todo, Path(scratch) / "models", out, most_minutes)
    wanted = {(source.name, seed) for source, seed in plan}
    tables = report.tables([case for case in done if (case.table, case.seed) in wanted])
    results.report("public_tables", tables, publish=publish)


def read_cases(path: Path) -> list[Case]:
    """Cases that were kept; none where there is no file."""
    if not path.exists():
        return []
    return [msgspec.json.decode(line, type=Case) for line in path.read_bytes().splitlines()]


def _run(
    todo: list[tuple[sources.Source, int]], models: Path, path: Path, most_minutes: float | None
) -> list[Case]:
    console, start_s = Console(file=sys.stderr), time.monotonic()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
        disable=not console.is_terminal,
    )
    found = []
    with bar:
        task = bar.add_task("tables", total=len(todo))
        for i, (source, seed) in enumerate(todo):
            spent_s = time.monotonic() - start_s
            if most_minutes is not None and spent_s > 60 * most_minutes:
                console.print(f"{len(todo) - i} cases are left: go on with --resume")
                break
            bar.update(task, description=f"{source.name}, seed {seed}")
            case = run(source, seed, models)
            found.append(case)
            with path.open("ab") as file:
                file.write(msgspec.json.encode(case) + b"\n")
            bar.advance(task)
            left_s = (time.monotonic() - start_s) / (i + 1) * (len(todo) - i - 1)
            console.print(_line(case, i + 1, len(todo), left_s), highlight=False, markup=False)
    return found


def _line(case: Case, i: int, n: int, left_s: float) -> str:
    where = f"{i} of {n}, {left_s / 60:.0f} min left: {case.table}, seed {case.seed}"
    if not case.models:
        return f"{where}: exit code {case.exit_code}: {case.output.splitlines()[-1:]}"
    best = max(case.boosting_score, case.forest_score)
    return (
        f"{where}: {case.best} {case.best_score:.4f} against {best:.4f}; {case.lightest} "
        f"{case.boosting_row_us / case.row_us:.1f} times lighter; {case.train_s:.0f} s"
    )


if __name__ == "__main__":
    main()
