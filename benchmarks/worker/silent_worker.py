"""`ounce worker` that counts nothing: what telemetry costs is held against it.

Its options are those of `ounce worker`.
"""

from typing import Any

from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.worker.command import command


def _nothing(*_: Any) -> None:
    pass


def main() -> None:
    """Serve, and neither count what was answered nor show what is believed."""
    for name in ("observe", "show", "set_lag", "set_blocked", "show_unconfirmed"):
        setattr(Metrics, name, _nothing)
    command()


if __name__ == "__main__":
    main()
