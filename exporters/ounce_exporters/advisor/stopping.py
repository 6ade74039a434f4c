"""Which arms of a race need not go on."""

from collections.abc import Sequence

from ounce_exporters.advisor.race import Runner


def hopeless(runners: Sequence[Runner]) -> dict[str, str]:
    """Why some arms stop, by name."""
    return {}
