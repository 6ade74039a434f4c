"""`ounce runtimes`."""

import click

from ounce_edge.models.runtimes.availability import check_runtimes

_NOTHING = "can't be used"


@click.command("runtimes")
def command() -> None:
    """Show which runtimes this machine can use, and why not the others.

    Exit code 0, also where there is no GPU.

    Example: ounce runtimes
    """
    for found in check_runtimes():
        can = {"runs models": found.can_run, "builds engines": found.can_build}
        words = " and ".join(word for word, is_so in can.items() if is_so)
        click.echo(f"{found.name}: {words or _NOTHING}")
        click.echo(f"  {found.where}")
