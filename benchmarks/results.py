"""Results of benchmarks and trials: one JSON file each, all of one form.

Published results lie in `benchmarks/results`, from where the documentation takes its tables; all
others in `results`, which Git ignores.
"""

import datetime
import os
import re
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any, TypeVar

import click
import msgspec
from click.core import ParameterSource
from ounce_edge.models.processor import processor_name
from ounce_schemas.whole_file import write_whole
from ounce_schemas.wording import table as aligned

PUBLISHED = Path(__file__).with_name("results")
UNPUBLISHED = Path("results")
_PLACES = frozenset({"models", "out", "results"})
"""Options that say where files lie: a published command leaves them out."""
_ROW = re.compile(rb'\[((?:(\n +)(?:"(?:[^"\\]|\\.)*"|[-+.\w]+),?)+)\n *\]')
"""A list of cells, each on a line of its own: what is one row of a table stands on one line."""

Cell = str | int | float | None
_Command = TypeVar("_Command", bound=Callable[..., Any])


class ResultsError(ValueError):
    """A file of results has another form; the message says which file and what is wrong."""


class Table(msgspec.Struct, forbid_unknown_fields=True):
    """One table of measurements.

    Raises:
        ValueError: a row has more or fewer cells than there are columns.
    """

    columns: list[str]
    """With their units."""
    rows: list[list[Cell]]
    note: str | None = None

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row of {len(row)} cells under {len(self.columns)} columns")


class Results(msgspec.Struct, forbid_unknown_fields=True):
    """What one benchmark or trial measured."""

    benchmark: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]*$")]
    """Its name, and that of its file."""
    command: str
    """That measures it again."""
    measured_at: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    machine: str
    """Cores and processor model."""
    tables: dict[str, Table]


def publish_option(command: _Command) -> _Command:
    """Click option that sends results to the published ones."""
    return click.option(
        "--publish",
        is_flag=True,
        help="Write to benchmarks/results, which the documentation shows, instead of results.",
    )(command)


def models_option(command: _Command) -> _Command:
    """Click option that says where the ladders are."""
    return click.option(
        "--models",
        type=click.Path(path_type=Path),
        default=Path("models"),
        show_default=True,
        help="Folder of trained ladders.",
    )(command)


def report(
    benchmark: str, tables: dict[str, Table], *, publish: bool, shown: Collection[str] = ()
) -> Path:
    """Show and write what the running command measured; returns the file.

    Args:
        benchmark: its name.
        tables: all that it has measured so far.
        publish: whether they go where the documentation takes them from.
        shown: tables that were shown before.
    """
    for name, table in tables.items():
        if name not in shown:
            click.echo(f"\n{name}\n{text(table)}")
    found = Results(
        benchmark,
        running_command(),
        datetime.datetime.now(datetime.UTC).date().isoformat(),
        describe_machine(),
        tables,
    )
    path = write(found, PUBLISHED if publish else UNPUBLISHED)
    click.echo(f"results in {path}")
    return path


def write(results: Results, folder: Path) -> Path:
    """Write `folder`/NAME.json in one step; returns the file.

    Raises:
        ResultsError: a value has another form, which nobody could read again.
    """
    path = folder / f"{results.benchmark}.json"
    data = msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n"
    data = _ROW.sub(lambda found: b"[" + b" ".join(found[1].split(found[2])[1:]) + b"]", data)
    _decode(data, path)
    write_whole(path, data)
    return path


def read(path: Path) -> Results:
    """Read a file of results.

    Raises:
        ResultsError: it has another form.
    """
    found = _decode(path.read_bytes(), path)
    if found.benchmark != path.stem:
        raise ResultsError(f"{path}: its benchmark is {found.benchmark!r}; give both one name")
    return found


def text(table: Table) -> str:
    """A table for a terminal, its columns aligned."""
    lines = [table.columns, *([_told(cell) for cell in row] for row in table.rows)]
    return "\n".join([aligned(lines), *([table.note] if table.note else [])]) + "\n"


def running_command() -> str:
    """The click command that runs, with the options that were given, as it is typed again."""
    context = click.get_current_context()
    spec = sys.modules["__main__"].__spec__
    name = spec.name.removesuffix(".__main__") if spec else str(context.command.name)
    words = ["python", "-m", name]
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if given and option.name not in {*_PLACES, "publish"}:
            words += _typed(max(option.opts, key=len), context.params[option.name or ""])
    return " ".join(words)


def describe_machine() -> str:
    """Cores and processor model, without the machine's name."""
    return f"{os.cpu_count()} cores, {processor_name()}"


def _told(cell: Cell) -> str:
    if cell is None:
        return "-"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def _typed(option: str, value: Any) -> list[str]:
    if value is True:
        return [option]
    values = value if isinstance(value, tuple) else (value,)
    return [word for one in values for word in (option, str(one))]


def _decode(data: bytes, path: Path) -> Results:
    try:
        return msgspec.json.decode(data, type=Results)
    except msgspec.MsgspecError as e:
        raise ResultsError(f"{path}: {e}") from e
