"""Writes the tables of docs/metrics.md from the metrics that a worker has.

The page holds a block for each section; what stands inside is replaced::

    <!-- metrics: SECTION -->
    <!-- end -->

Example: python -m scripts.metrics_page --check
"""

import re
from pathlib import Path

import click
from ounce_edge.telemetry.metric_list import metrics_table

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
_BLOCK = re.compile(r"^(<!-- metrics: (\w+) -->\n).*?^(<!-- end -->)$", re.DOTALL | re.MULTILINE)


def filled(page: str) -> str:
    """The page with every block replaced."""
    return _BLOCK.sub(lambda m: f"{m[1]}\n{metrics_table(m[2])}\n\n{m[3]}", page)


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where the page differs.")
@click.option("--page", type=click.Path(path_type=Path), default=PAGE, help="The page.")
def main(check: bool, page: Path) -> None:
    """Write or check the page."""
    before = page.read_text(encoding="utf-8")
    after = filled(before)
    if check and after != before:
        raise click.ClickException(f"{page} differs; run `python -m scripts.metrics_page`")
    if not check:
        page.write_text(after, encoding="utf-8")
    click.echo(f"{page}: as the code says")


if __name__ == "__main__":
    main()
