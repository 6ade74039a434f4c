"""Where an answer goes: the address travels with the request, in a header, and comes back. Pure.

So any gateway of a group can publish any answer, also one that was started since.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ounce_edge.gateway.maps import TopicMaps
from ounce_edge.gateway.patterns import Pattern, Place, is_topic

MOST_BYTES = 512
"""Of the header; a worker sends no longer one back."""


class Reply(NamedTuple):
    """Where an answer goes."""

    topic: str
    correlation: bytes | None = None
    """Correlation data of MQTT 5."""


class BadReplyError(Exception):
    """A response topic that the gateway does not publish to; the message says why."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[str, str, str | None]).decode


class ReplyAddress:
    """Writes and reads the header.

    Args:
        group: of the gateways that serve one MQTT broker.
        usual: pattern of the topic of answers to devices that name none.
        permitted: patterns of the response topics that a device may name; `+device` and `+task`
            stand for its own.
        maps: what the gateway listens to; it never answers there.
    """

    def __init__(
        self, group: str, usual: Pattern, permitted: Sequence[Pattern], maps: TopicMaps
    ) -> None:
        self._group = group
        self._usual = usual
        self._permitted = permitted
        self._maps = maps

    def usual(self, place: Place) -> bytes:
        """The header for a device that says nothing of where it listens."""
        return _encode((self._group, self._usual.fill(place), None))

    def asked(self, place: Place, topic: str, correlation: bytes | None) -> bytes:
        """The header for a device that names a response topic.

        Raises:
            BadReplyError: it may not be answered there.
        """
        if not is_topic(topic) or not any(
            p.bound(place).match(topic) is not None for p in self._permitted
        ):
            raise BadReplyError(f"response topic {topic[:80]!r} matches no --reply-to")
        if self._maps.listens_to(topic):
            raise BadReplyError(f"response topic {topic[:80]!r} is one of requests")
        data = None if correlation is None else b64encode(correlation).decode()
        header = _encode((self._group, topic, data))
        if len(header) > MOST_BYTES:
            raise BadReplyError(
                f"response topic and correlation data take {len(header)} bytes of {MOST_BYTES}"
            )
        return header

    def read(self, header: bytes) -> Reply | None:
        """Where to publish; None: the answer is not this group's."""
        try:
            group, topic, data = _decode(header)
            correlation = None if data is None else b64decode(data, validate=True)
        except ValueError:  # others may write this header too
            return None
        if group != self._group or not is_topic(topic) or self._maps.listens_to(topic):
            return None
        return Reply(topic, correlation)
