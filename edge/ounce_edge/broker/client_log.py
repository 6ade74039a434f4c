"""What Kafka's client library logs: the same complaint now and then, not with every attempt.

In an outage each client tries to connect twenty times a second, and tells of every failure.
"""

import logging
import re
import time
from collections.abc import Callable

from ounce_schemas.wording import counted

EVERY_S = 10.0
_FORMAT = "%s [%s] %s"
"""Of every message that confluent-kafka hands on: its kind, the client, and the text."""
_DIGITS = re.compile(r"\d+")
_MOST_KINDS = 256


class RepetitionFilter(logging.Filter):
    """Drops what a client says again within `EVERY_S`, whatever the numbers in it; what passes next
    says how often that was. Records of others pass.

    Args:
        clock: seconds on any steady clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[object, str, str], tuple[float, int]] = {}
        """When it was said last, and how often it was dropped since."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to tell; counts what is not told."""
        if record.msg != _FORMAT or not isinstance(record.args, tuple) or len(record.args) != 3:
            return True
        kind, client, text = record.args
        key = kind, str(client), _DIGITS.sub("", str(text))
        now_s = self._clock()
        said_s, n_dropped = self._said.get(key, (-EVERY_S, 0))
        if now_s - said_s < EVERY_S:
            self._said[key] = said_s, n_dropped + 1
            return False
        if n_dropped:
            record.args = kind, client, f"{text} (and {counted(n_dropped, 'time')} before this)"
        if len(self._said) >= _MOST_KINDS:
            self._said.clear()
        self._said[key] = now_s, 0
        return True
