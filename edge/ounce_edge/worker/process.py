"""How one process of the edge, a worker or a gateway, begins."""

import logging
import signal

from ounce_edge.broker.client_log import RepetitionFilter
from ounce_edge.telemetry.log_lines import formatter_of
from ounce_edge.worker.settings.process import ProcessSettings

logger = logging.getLogger(__name__)


def begin_process(settings: ProcessSettings, name: str, role: str = "worker") -> None:
    """Log as set, and live on when a terminal closes.

    Args:
        settings: of the process.
        name: of the process, for the lines of its log.
        role: what it is.
    """
    logging.basicConfig(level=settings.log_level)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(formatter_of(settings.log_format, name, role))
        handler.addFilter(RepetitionFilter())
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, _ignore)


def _ignore(number: int, _: object) -> None:
    """SIGHUP ends no process: it comes from a terminal that closes, or from a person's habit."""
    logger.warning(
        "ignored %s: settings are read at start only; SIGTERM drains and stops",
        signal.Signals(number).name,
    )
