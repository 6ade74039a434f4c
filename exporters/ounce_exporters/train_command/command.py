"""`ounce train`: its options, and which of them go together."""

import time
from typing import Any

import click
from ounce_schemas.command import grouped_command, make_settings, settings_options

from ounce_exporters.tasks import registry
from ounce_exporters.tasks.table.data_checks import check_data, check_files
from ounce_exporters.tasks.table.settings import TABLE_OPTIONS, UNLABELLED
from ounce_exporters.train_command.advised import advised_settings
from ounce_exporters.train_command.settings import TrainSettings


@click.command(name="train", cls=grouped_command(TABLE_OPTIONS))
@click.argument("name", metavar="[TASK]", required=False)
@settings_options(TrainSettings)
def command(name: str | None, **values: Any) -> None:
    """Train and export the ladder of TASK (digits, bearing, pump, tickets) or of a table.

    \b
    Examples:
      ounce train digits
      ounce train --data rooms.csv --target Occupancy
      ounce train --data pumps.csv.gz --target state --unit pump --columns code=category
      ounce train --data payments.csv --target fraud --measure recall:1@0.005
      ounce train --data rooms.csv --target Occupancy --tune 60
      ounce train --data rooms.csv --target Occupancy --distil
      ounce train --data photos --from-onnx net.onnx#pooled --licence Apache-2.0
      ounce train --data vibration.csv --kind anomaly --false-alarms 0.005
      ounce train --data customers.csv --kind clusters
      ounce train bearing --resume
      ounce train --advice advice.json
    """
    settings = make_settings(TrainSettings, values)
    begun_s = time.monotonic()
    if settings.keep_lighter and (settings.quick or settings.time_limit is not None):
        raise click.UsageError(
            "--keep-lighter is for whole ladders: leave out --quick, --time-limit, or "
            "--keep-lighter"
        )
    _check_distil(settings)
    advice = None
    if settings.advice is not None:
        settings, advice = advised_settings(settings, _typed(values))
    if settings.data is None:
        name = _shipped(name, settings)
    else:
        _check_table(name, settings)
    # Imported here: it takes seconds, and help and wrong options need none of it.
    from ounce_exporters.train_command.making import make

    make(name, settings, advice, begun_s)


def _shipped(name: str | None, settings: TrainSettings) -> str:
    given = [o for names in TABLE_OPTIONS.values() for o in names if o not in ("data", "task")]
    given = [o for o in given if _is_typed(o)]
    if given:
        options = ", ".join(f"--{option.rstrip('_').replace('_', '-')}" for option in given)
        raise click.UsageError(f"{options}: of a table, so --data FILE is needed, too")
    if name is None:
        name = settings.task
    elif settings.task not in (None, name) and _is_typed("task"):
        raise click.UsageError(f"TASK is {name!r} and --task {settings.task!r}: give one of them")
    if name is None:
        tasks = ", ".join(registry.TASKS)
        raise click.UsageError(f"name a task ({tasks}), or give --data FILE --target COLUMN")
    registry.check_name(name)
    return name


def _check_table(name: str | None, settings: TrainSettings) -> None:
    if name is not None:
        raise click.UsageError(f"{name!r} beside --data: name the table's task with --task {name}")
    if settings.quick:
        raise click.UsageError("--quick is for the tasks that ship, not for --data")
    if settings.lacks_target:
        raise click.UsageError("--data needs --target COLUMN, or --kind anomaly or clusters")
    if settings.kind in UNLABELLED and settings.tune is not None:
        raise click.UsageError(
            f"--tune needs labels to search by: leave it out with --kind {settings.kind}"
        )
    _check_network(settings)
    if settings.task is not None:
        registry.check_free(settings.task)
    check_data(settings)
    if settings.from_ is None and settings.from_onnx is None:  # a network is looked at first
        check_files(settings)


def _check_network(settings: TrainSettings) -> None:
    if settings.kind in UNLABELLED and settings.from_ is not None:
        raise click.UsageError(
            f"--from is for classes and quantities: leave out --kind {settings.kind}"
        )
    if settings.from_onnx is None:
        for name in ("pixels", "licence"):
            if getattr(settings, name) != TrainSettings.model_fields[name].default:
                raise click.UsageError(f"--{name} is of a network that --from-onnx names")
        return
    file, _, tensor = settings.from_onnx.rpartition("#")
    if not file or not tensor:
        raise click.UsageError(
            f"--from-onnx {settings.from_onnx}: name a tensor, too, as in net.onnx#pooled"
        )
    given = {"tune": settings.tune is not None, "kind": settings.kind in UNLABELLED}
    others = ", ".join(f"--{name}" for name, is_given in given.items() if is_given)
    if others:
        raise click.UsageError(f"--from-onnx is for classes and quantities: leave out {others}")


def _check_distil(settings: TrainSettings) -> None:
    asked = {"only": settings.only, "tune": settings.tune, "time-limit": settings.time_limit,
             "advice": settings.advice, "kind": settings.kind in UNLABELLED}  # fmt: skip
    given = [f"--{name}" for name, value in asked.items() if value]
    if settings.distil and given:
        raise click.UsageError(
            f"--distil is for whole ladders of classes or quantities: leave out {', '.join(given)}"
        )


def _is_typed(parameter: str) -> bool:
    """Whether an option stands on the command line; OUNCE_TASK may be set for a worker's sake."""
    source = click.get_current_context().get_parameter_source(parameter)
    return source is click.core.ParameterSource.COMMANDLINE


def _typed(values: dict[str, Any]) -> list[str]:
    return [name for name in ("name", *values) if _is_typed(name)]
