"""Writes docs/demo.svg: the live view of a demo that has run, 50 s after it began to send.

REPORT is the file report.jsonl in the folder of logs that `ounce demo` names at its end.

Example: python -m scripts.demo_picture /tmp/ounce-demo-x/report.jsonl
"""

import io
import re
from pathlib import Path

import click
import msgspec
from ounce_services.demo.feed import LineFeed
from ounce_services.demo.view import Frame, render
from ounce_services.devices.report import FleetReport
from rich.console import Console

PICTURE = Path(__file__).parents[1] / "docs" / "demo.svg"
_WIDTH, _HEIGHT = 112, 32
_AT_S = 50.0
_DURATION_S = 60.0
"""What `ounce demo` sends for unless it is told otherwise."""
_FROM_ELSEWHERE = re.compile(r"@font-face \{.*?\}", re.DOTALL)
"""Fonts that a browser would ask another host for."""


def picture(report: Path) -> str:
    """The view as SVG.

    Raises:
        ClickException: the report is none, or says nothing of that time.
    """
    try:
        reports = LineFeed(report, FleetReport).read()
    except msgspec.MsgspecError as error:
        raise click.ClickException(f"{report} is no report of a demo: {error}") from error
    shown = [one for one in reports if one.elapsed_s <= _AT_S]
    if not shown or shown == reports:
        raise click.ClickException(f"{report} has no report of {_AT_S:g} s and later")
    rates = [sum(task.sent_per_s for task in one.tasks.values()) for one in shown]
    frame = Frame(shown[-1], rates, _DURATION_S, "http://127.0.0.1:9100/metrics")
    console = Console(
        record=True, width=_WIDTH, height=_HEIGHT, file=io.StringIO(), force_terminal=True
    )
    console.print(render(frame, _WIDTH, _HEIGHT))
    # One id: pictures of two demos differ in what they show alone.
    svg = console.export_svg(title="ounce demo", unique_id="demo")
    return _FROM_ELSEWHERE.sub("", svg).replace(
        "Fira Code", "ui-monospace, Menlo, DejaVu Sans Mono"
    )


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("report", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--to", type=click.Path(path_type=Path), default=PICTURE, help="The picture.")
def main(report: Path, to: Path) -> None:
    """Write the picture."""
    to.write_text(picture(report), encoding="utf-8")
    click.echo(f"{to}: written")


if __name__ == "__main__":
    main()
