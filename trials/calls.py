"""Send generated calls to a control plane: what its OpenAPI document allows, and what it does not.

No answer may be a fault of the server's. Kafka is away, topics are in memory.

Exit code 1 at the first such answer; the call is shown as a command of curl.

Example: python -m trials.calls --calls 5000
"""

import tempfile
from contextlib import closing
from pathlib import Path

import click
from ounce_services.control.plane import make_plane

from tests.services.control.conftest import MemoryTopics, caller_of, settings_in
from tests.services.control.generated_calls import AWAY, ask_all


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--calls", default=5000, show_default=True, help="How many to generate.")
def main(calls: int) -> None:
    """Run, and report."""
    topics = MemoryTopics()
    with tempfile.TemporaryDirectory() as folder:
        plane = make_plane(settings_in(Path(folder)), topics, lambda: topics)
        with closing(plane.database):
            seen = ask_all(caller_of(plane), plane, calls, is_random=True)
    for status, n in sorted(seen.items()):
        click.echo(f"{n:7,d} answered {'that Kafka is away' if status == AWAY else status}")


if __name__ == "__main__":
    main()
