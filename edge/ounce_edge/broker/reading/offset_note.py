"""What a worker writes beside a committed offset: the `metadata` of Kafka's protocol."""

import re
from typing import NamedTuple, Self

_NOTE = re.compile(r"(\S*) attempts=(\d{1,6})")


class OffsetNote(NamedTuple):
    """What is known of an offset beside its number."""

    topic_id: str | None = None
    """Of the topic that it was committed for; None where whoever committed it did not say."""
    attempts: int = 0
    """Owners in a row that began there and have not committed a later one since."""

    @property
    def text(self) -> str:
        """As it is committed."""
        topic_id = self.topic_id or ""
        return f"{topic_id} attempts={self.attempts}" if self.attempts else topic_id

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """What `text` was; any other text counts as a topic's id, which is none of ours."""
        found = _NOTE.fullmatch(text or "")
        if found is None:
            return cls(text or None)
        return cls(found[1] or None, int(found[2]))
