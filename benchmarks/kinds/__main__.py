"""Measures the isolation forest and texts on public data.

Example: python -m benchmarks.kinds --data FOLDER --seeds 5
"""

from pathlib import Path

import click

from benchmarks.kinds.forest import measure_forest
from benchmarks.kinds.spam import measure_spam
from benchmarks.results import publish_option, report


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder with sms-spam/SMSSpamCollection.",
)
@click.option("--seeds", type=click.IntRange(min=1), default=5, help="Splits of each data set.")
@publish_option
def main(data: Path, seeds: int, publish: bool) -> None:
    """Measure, show and write all tables."""
    tables = {"kinds-forest": measure_forest(), "kinds-spam": measure_spam(data, seeds)}
    report("kinds", tables, publish=publish)


if __name__ == "__main__":
    main()
