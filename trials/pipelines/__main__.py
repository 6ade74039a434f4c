"""Ask models of generated tables hostile rows, and hold each graph against its native model.

A table has gaps, texts, extreme magnitudes, denormals, constants, columns that stand there twice,
classes of one row. Rows have all that, and values and texts that never came. Where a model can't be
exported, or a row can't be served, that is said: it is refused. Everything else has to agree.

Exit code 1 where an answer differs, or fewer than 99.9% of the labels are equal.

Example: python -m trials.pipelines --cases 1000
"""

import collections
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_schemas.errors import DataError
from rich.progress import Progress

from benchmarks import results
from benchmarks.results import Table
from trials.pipelines.comparison import Seen, compare
from trials.pipelines.tables import TARGET, generate

LEAST_EQUAL = 0.999


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--cases", default=1000, show_default=True, help="Pipelines to make.")
@click.option("--seed", default=0, show_default=True, help="Seed of the first; then one more each.")
@click.option("--only", multiple=True, help="A model's name (can be repeated); default: all.")
@results.publish_option
def main(cases: int, seed: int, only: tuple[str, ...], publish: bool) -> None:
    """Run, and report."""
    seen: list[Seen] = []
    with Progress(disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("pipelines", total=cases)
        for number in range(seed, seed + cases):
            found = run(number, only)
            seen.append(found)
            for example in found.examples:
                click.echo(f"case {number}, {found.recipe}: {example[:600]}")
            progress.update(bar, advance=1)
    table = table_of(seen)
    for reason, count in collections.Counter(s.refused[:160] for s in seen if s.refused).items():
        click.echo(f"refused {count}: {reason}")
    results.report("pipelines", {"pipelines": table}, publish=publish)
    rows, equal = (sum(getattr(s, name) for s in seen) for name in ("rows", "equal"))
    if any(s.different for s in seen) or (rows and equal / rows < LEAST_EQUAL):
        sys.exit(1)


def run(number: int, only: Sequence[str] = ()) -> Seen:
    """One case; its number is its seed, and says which model it is of."""
    rng = np.random.default_rng(number)
    generated = generate(rng)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "t.parquet"
        generated.frame.to_parquet(path)
        options = TableOptions(kind="regression" if generated.kind == "regression" else None)
        try:
            data = load(path, TARGET, "generated", options, number, lambda line: None)
        except DataError as e:
            return Seen("(no table)", refused=str(e).removeprefix(f"{path}: "))
        found = [recipe for recipe in recipes(data) if not only or recipe.name in only]
        if not found:
            raise click.UsageError(f"--only: no such model; {[r.name for r in recipes(data)]}")
        return compare(rng, data, found[number % len(found)], number)


def table_of(seen: Sequence[Seen]) -> Table:
    """One row a model, and one of all."""
    of_recipe: dict[str, list[Seen]] = {}
    for one in sorted(seen, key=lambda one: one.recipe):
        of_recipe.setdefault(one.recipe, []).append(one)
    return Table(
        columns=[
            "model",
            "pipelines",
            "refused, with the reason",
            "rows",
            "not finite, refused by the worker",
            "equal",
            "silent differences",
        ],
        rows=[
            [
                name,
                len(group),
                sum(bool(one.refused) for one in group),
                sum(one.rows for one in group),
                sum(one.not_finite for one in group),
                _share(sum(one.equal for one in group), sum(one.rows for one in group)),
                sum(one.different for one in group),
            ]
            for name, group in [*of_recipe.items(), ("**all**", list(seen))]
        ],
    )


def _share(part: int, whole: int) -> str | None:
    return f"{part / whole:.2%}" if whole else None


if __name__ == "__main__":
    main()
