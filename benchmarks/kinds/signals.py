"""Measures anomalies, images, series or remaining life on public data; one of them a run.

Example: python -m benchmarks.kinds.signals --data FOLDER --of images
"""

from pathlib import Path

import click

from benchmarks.kinds.anomalies import measure_anomalies
from benchmarks.kinds.images import measure_images
from benchmarks.kinds.life import measure_remaining_life, measure_windows
from benchmarks.kinds.series import measure_series
from benchmarks.results import publish_option, report


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder with anomaly/, tables/, images/, sequences/ and cmapss/.",
)
@click.option(
    "--of",
    type=click.Choice(["anomalies", "images", "series", "life", "life_windows"]),
    required=True,
    help="What is measured.",
)
@click.option(
    "--seeds", type=click.IntRange(min=1), default=5, help="Splits of each table of anomalies."
)
@publish_option
def main(data: Path, of: str, seeds: int, publish: bool) -> None:
    """Measure, show and write the tables."""
    measure = {
        "anomalies": lambda: measure_anomalies(data, seeds),
        "images": lambda: {"kinds-images": measure_images(data)},
        "series": lambda: {"kinds-series": measure_series(data)},
        "life": lambda: {"kinds-life": measure_remaining_life(data)},
        "life_windows": lambda: {"kinds-life-windows": measure_windows(data)},
    }
    tables = measure[of]()
    report(f"kinds_{of}", tables, publish=publish)


if __name__ == "__main__":
    main()
