"""`ounce advise`: which models to build of data, under which limits, and why."""

from pathlib import Path
from typing import Any

import click
from ounce_edge.evidence.decision_reader import read_decisions
from ounce_schemas.command import grouped_command, make_settings, settings_options
from ounce_schemas.documents import read_device
from ounce_schemas.wording import counted

from ounce_exporters.advisor.observing import next_training, observe
from ounce_exporters.advisor.settings import ADVISE_OPTIONS, AdviseSettings
from ounce_exporters.tasks.table.data_checks import check_data, check_files


@click.command(name="advise", cls=grouped_command(ADVISE_OPTIONS))
@settings_options(AdviseSettings)
def command(**values: Any) -> None:
    """Say which models to build of a table, texts, images or sequences, and why.

    \b
    Kinds of models race on growing parts of the rows. Ctrl-C gives the advice so far.
    Exit code 0: there is advice, also "neither yet"; 1: the data can't be used; 2: wrong options.

    \b
    Examples:
      ounce advise --data rooms.csv --target Occupancy
      ounce advise --data rooms.csv --target Occupancy --max-latency-ms 0.05 --max-size-mb 1
      ounce advise --data rooms.csv --target Occupancy --device pi.json --max-latency-ms 0.2
      ounce advise --data photos
      ounce advise --data engines.csv --unit engine --time cycle --window 30 --remaining 125
      ounce advise --data vibration.csv --kind anomaly
      ounce train --advice advice.json
      ounce advise --observe decisions --task rooms
    """
    settings = make_settings(AdviseSettings, values)
    if settings.observe is not None:
        _observe(settings.observe, settings.task)
        return
    if settings.data is None:
        raise click.UsageError("--data FILE is needed")
    if settings.lacks_target:
        raise click.UsageError("--data needs --target COLUMN, or --kind anomaly or clusters")
    device = None if settings.device is None else read_device(settings.device)
    check_data(settings)
    check_files(settings)
    # Imported here: it takes seconds, and help and wrong options need none of it.
    from ounce_exporters.advisor.telling import tell_advice

    tell_advice(settings, settings.data, device)


def _observe(folder: Path, task: str | None) -> None:
    if task is None:
        raise click.UsageError("--observe needs --task NAME")
    found = observe(read_decisions(folder, task))
    for name, n in found.answers.items():
        sure = f"sure of {found.sure[name]:.4f}" if name in found.sure else "in service no more"
        click.echo(f"{name}: {n} of {counted(found.n, 'answer')}, {sure}")
    for line in next_training(found):
        click.echo(f"Next: {line}")
