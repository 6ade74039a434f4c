"""Measures images, series or remaining life on public data; one of them a run.

Example: python -m benchmarks.kinds.signals --data FOLDER --of images
"""

from pathlib import Path

import click

from benchmarks.kinds.images import measure_images
from benchmarks.kinds.series import measure_remaining_life, measure_series
from benchmarks.results import publish_option, report, text


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder with images/, sequences/ and cmapss/.",
)
@click.option(
    "--of",
    type=click.Choice(["images", "series", "life"]),
    required=True,
    help="What is measured.",
)
@publish_option
def main(data: Path, of: str, publish: bool) -> None:
    """Measure, show and write one table."""
    measure = {"images": measure_images, "series": measure_series, "life": measure_remaining_life}
    table = measure[of](data)
    click.echo(text(table))
    report(f"kinds_{of}", {f"kinds-{of}": table}, publish=publish)


if __name__ == "__main__":
    main()
