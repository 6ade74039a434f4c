"""Adding a model of one's own: read, joined to the ladder, and shown."""

from dataclasses import replace
from pathlib import Path

from ounce_exporters.evaluation.group_table import groups_table
from ounce_exporters.export.artifacts import read_cards
from ounce_exporters.own.add_settings import AddSettings
from ounce_exporters.own.joining import from_file, join, model_name
from ounce_exporters.own.ladders import find_ladder
from ounce_exporters.own.splits import Rows
from ounce_exporters.own.wrapping import Outputs
from ounce_exporters.progress.console import ladder_table, plans_table, say, wide_console


def add(file: Path, settings: AddSettings) -> None:
    """Join a file's model to a task's ladder, and say what came of it.

    Args:
        file: in ONNX.
        settings: options that go together.
    """
    console = wide_console()
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
