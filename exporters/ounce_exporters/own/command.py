"""`ounce add`: a person's own model joins the ladder of a task."""

from pathlib import Path
from typing import Any

import click
from ounce_schemas.command import make_settings, settings_options

from ounce_exporters.own.add_settings import AddSettings


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
    if (settings.data is None) != (settings.target is None):
        raise click.UsageError("--data FILE and --target COLUMN go together")
    if settings.by is not None and settings.data is None:
        raise click.UsageError("--by COLUMN needs --data FILE; else groups are those of the ladder")
    # Imported here: it takes seconds, and help and wrong options need none of it.
    from ounce_exporters.own.adding import add

    add(file, settings)
