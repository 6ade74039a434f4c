"""`ounce add`: a person's own model joins the ladder of a task."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from ounce_schemas.command import make_settings, settings_options

from ounce_exporters.export.artifacts import read_cards
from ounce_exporters.group_table import groups_table
from ounce_exporters.own.add_settings import AddSettings
from ounce_exporters.own.joining import from_file, join, model_name
from ounce_exporters.own.ladders import find_ladder
from ounce_exporters.own.splits import Rows
from ounce_exporters.own.wrapping import Outputs
from ounce_exporters.reporting import ladder_table, plans_table, say, wide_console


@click.command(name="add")
@click.argument("file", metavar="FILE.onnx", type=click.Path(path_type=Path))
@settings_options(AddSettings)
def command(file: Path, **values: Any) -> None:
    """Add a model of your own, an ONNX file, to a task's ladder.

    It is wrapped to fit the task, calibrated, compared with itself, and measured on the items that
    judge the ladder. The ladder is replaced whole or not at all.

    \b
    Examples:
      ounce add mine.onnx --task rooms
      ounce add mine.onnx --task rooms --data later.csv --target busy
      ounce add mine.onnx --task rooms --data later.csv --target busy --by site
      ounce add net.onnx --task digits --name my-net --output logits

    \b
    Exit codes:
      0  the model is part of the ladder
      1  it can't be added, and nothing has changed
      2  an option is wrong
    """
    settings = make_settings(AddSettings, values)
    console = wide_console()
    if (settings.data is None) != (settings.target is None):
        raise click.UsageError("--data FILE and --target COLUMN go together")
    if settings.by is not None and settings.data is None:
        raise click.UsageError("--by COLUMN needs --data FILE; else groups are those of the ladder")
    rows = None
    if settings.data is not None and settings.target is not None:
        rows = Rows(settings.data, settings.target, settings.by)
    foreign = from_file(file)
    if settings.family is not None:
        foreign = replace(foreign, family=settings.family)
    name = settings.name or model_name(file.name)
    hints = Outputs(settings.output, settings.label)

    def notice(line: str) -> None:
        say(console, f"Note: {line}")

    judges = find_ladder(settings.models, settings.task, rows, notice)
    planned = join(foreign, name, settings.models, judges, hints, notice)
    cards = read_cards(settings.models / settings.task)
    console.print(ladder_table(cards))
    for card in cards:
        if card.model == name and (by_group := groups_table([card])) is not None:
            console.print(by_group)
    console.print(plans_table(planned))
    say(console, f"{name} is part of {settings.models / settings.task}")
