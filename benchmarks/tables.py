"""Renders the tables of measurements in the pages from `benchmarks/results/*.json`.

A page holds a block for each table; what stands inside is replaced::

    <!-- table: NAME -->
    <!-- end -->

`benchmarks.results` says what a file of results holds.

Example: python -m benchmarks.tables --check
"""

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from benchmarks.results import PUBLISHED, Cell, Results, ResultsError, Table, read

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(
    r"^(<!-- table: (?P<name>[^>]+?) -->\n).*?^(<!-- end -->)$", re.DOTALL | re.MULTILINE
)


class TablesError(Exception):
    """A page and the results do not fit together; the text says where and what to do."""


def read_tables(folder: Path) -> dict[str, str]:
    """Every table of every results file, by its name, as Markdown.

    Raises:
        ResultsError: a file has another form.
        TablesError: two tables have one name.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        results = read(path)
        for name, table in results.tables.items():
            if name in found:
                raise TablesError(f"{path}: table {name!r} is in another file as well: rename it")
            found[name] = render(results, table)
    return found


def render(results: Results, table: Table) -> str:
    """A table with its note, its command, its date and its machine."""
    columns = list(zip(*table.rows, strict=True)) if table.rows else [()] * len(table.columns)
    rules = [":---", *("---:" if _is_numeric(values) else ":---" for values in columns[1:])]
    lines = [_row(table.columns), _row(rules), *(_row(map(_text, row)) for row in table.rows)]
    source = f"Measured with `{results.command}` on {results.measured_at}, {results.machine}."
    note = f"{table.note} " if table.note else ""
    return "\n".join([*lines, "", f"{note}{source}"])


def fill(page: str, tables: Mapping[str, str]) -> str:
    """The page with every block replaced.

    Raises:
        TablesError: a block names a table that no results file holds.
    """

    def block(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in tables:
            raise TablesError(f"no results hold a table {name!r}; there are {', '.join(tables)}")
        return f"{match[1]}\n{tables[name]}\n\n{match[3]}"

    return _BLOCK.sub(block, page)


def _is_numeric(values: Iterable[Cell]) -> bool:
    return all(re.match(r"[-+\d.]", _text(value)) or value in (None, "") for value in values)


def _text(value: Cell) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else str(value)


def _row(values: Iterable[str]) -> str:
    return f"| {' | '.join(value.replace('|', chr(92) + '|') for value in values)} |"


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where a page differs.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=PUBLISHED,
    help="Folder of the results.",
)
@click.option(
    "--pages", type=click.Path(path_type=Path), default=ROOT / "docs", help="Folder of the pages."
)
def main(check: bool, results: Path, pages: Path) -> None:
    """Write or check every page."""
    try:
        tables = read_tables(results)
        stale = []
        for path in sorted(pages.rglob("*.md")):
            text = path.read_text(encoding="utf-8")
            filled = fill(text, tables)
            if filled != text:
                stale.append(path)
                if not check:
                    path.write_text(filled, encoding="utf-8")
    except (ResultsError, TablesError) as e:
        raise click.ClickException(str(e)) from e
    for path in stale:
        click.echo(f"{path}: {'differs from the results' if check else 'written'}")
    if check and stale:
        click.echo("Run `python -m benchmarks.tables`.", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
