"""`ounce monitoring`: rules, dashboards and their page, made from the objectives."""

from pathlib import Path

import click
import yaml
from ounce_schemas.made_files import check_made_files

from ounce_services.monitoring.boards import BOARDS
from ounce_services.monitoring.burning import groups_of
from ounce_services.monitoring.causes import cause_group, read_causes, recording_group
from ounce_services.monitoring.dashboards import dashboard_json
from ounce_services.monitoring.objectives import OBJECTIVES, Objectives, read_objectives
from ounce_services.monitoring.page import objectives_page

_HEADER = "# Made by `ounce monitoring`; change objectives.yaml or causes.yaml instead.\n"


def monitoring_files(objectives: Objectives) -> dict[str, str]:
    """Every file below the output folder: its path and its text."""
    groups = [group for each in objectives.objectives for group in groups_of(objectives, each)]
    return {
        "prometheus/rules/objectives.yaml": _rules(groups),
        "prometheus/rules/causes.yaml": _rules([cause_group(objectives)]),
        "prometheus/rules/recordings.yaml": _rules([recording_group()]),
        **{
            f"grafana/dashboards/{board.folder}/{board.uid}.json": dashboard_json(board, objectives)
            for board in BOARDS
        },
    }


def _rules(groups: list[dict[str, object]]) -> str:
    body = yaml.safe_dump({"groups": groups}, sort_keys=False, width=100, allow_unicode=True)
    return _HEADER + body


@click.command("monitoring")
@click.option(
    "--objectives",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    default=OBJECTIVES,
    help="File of objectives.  [default: those that ship]",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("services"),
    show_default=True,
    help="Folder to write rules and dashboards to.",
)
@click.option(
    "--page",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("docs/objectives.md"),
    show_default=True,
    help="Page to write.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file there differs.")
def command(objectives: Path, out: Path, page: Path, check: bool) -> None:
    """Write the rules of Prometheus, Grafana's dashboards and the page on them.

    Example: ounce monitoring --check
    """
    promises = read_objectives(objectives)
    files = {out / name: text for name, text in monitoring_files(promises).items()}
    files[page] = objectives_page(promises, read_causes())
    if check:
        check_made_files(files, "ounce monitoring")
        click.echo(f"{len(files)} files as the code says")
        return
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    click.echo(f"{len(files)} files written")
