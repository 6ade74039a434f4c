"""`ounce worker` whose telemetry is switched by signals: what it costs is seen within one process.

Its options are those of `ounce worker`. It begins with all telemetry.
"""

import logging
import signal
from typing import Any
from unittest.mock import patch

from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.telemetry.tracing import Tracing
from ounce_edge.worker.command import command

SIDES = {
    "silent": "nothing",
    "told": "all metrics, scraped every second, log at INFO",
    "traced": "the same, and traces of 1%",
}
SIGNALS = {side: signal.SIGRTMIN + 1 + i for i, side in enumerate(SIDES)}
_COUNTING = ("observe", "show", "set_lag", "set_blocked", "show_unconfirmed")
_TRACING = ("observe",)


def _nothing(*_: Any) -> None:
    pass


class Switch:
    """Has workers of this process count, log and trace, or not."""

    def __init__(self) -> None:
        self._counting = {name: getattr(Metrics, name) for name in _COUNTING}
        self._tracing = {name: getattr(Tracing, name) for name in _TRACING}
        self._pipelines: list[Pipeline] = []
        self._note_pipelines()

    def _note_pipelines(self) -> None:
        begin = Pipeline.__init__

        def noted(pipeline: Pipeline, *args: Any, **options: Any) -> None:
            begin(pipeline, *args, **options)
            self._pipelines.append(pipeline)

        patch.object(Pipeline, "__init__", noted).start()

    def turn(self, side: str) -> None:
        """Do as one of `SIDES` says from now on."""
        counts, traces = side != "silent", side == "traced"
        for name, real in self._counting.items():
            setattr(Metrics, name, real if counts else _nothing)
        for name, real in self._tracing.items():
            setattr(Tracing, name, real if traces else _nothing)
        for pipeline in self._pipelines:
            pipeline.keeps_trails = traces
        logging.disable(logging.NOTSET if counts else logging.WARNING)


def main() -> None:
    """Serve."""
    switch = Switch()
    sides = {number: side for side, number in SIGNALS.items()}
    for number in sides:
        signal.signal(number, lambda number, _: switch.turn(sides[number]))
    command()


if __name__ == "__main__":
    main()
