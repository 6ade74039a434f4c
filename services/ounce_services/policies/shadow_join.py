"""Joins the answers of a shadow with the published ones, as both come."""

from collections.abc import Iterable, Mapping

import msgspec
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.prediction import Prediction

from ounce_services.policies.shadow_comparison import Comparison, Said, said

Record = tuple[bytes | None, bytes | None]
"""Key and value."""
_Place = tuple[bytes, str]
"""Device and id of the message."""

_decode = msgspec.json.Decoder(Prediction).decode


class _Event(msgspec.Struct):
    """An answer in the form `cloudevents`."""

    data: Prediction


_decode_event = msgspec.json.Decoder(_Event).decode


class ShadowJoin:
    """Compares what has the same device and id, by version of the shadow's policy. Answers that
    are no JSON of V2, and foreign records, are passed over.

    Args:
        most_waiting: answers of each side that wait for their counterpart; the oldest are
            forgotten. None: all wait.
    """

    def __init__(self, most_waiting: int | None = None) -> None:
        self.found: dict[str, Comparison] = {}
        self._most = most_waiting
        self._shadow: dict[_Place, Said] = {}
        self._published: dict[_Place, Said] = {}

    def take_shadow(self, records: Iterable[Record]) -> None:
        """Take in records of the shadow's topic."""
        for place, answer in _answers(records):
            other = self._published.pop(place, None)
            if other is None:
                self._wait(self._shadow, place, answer)
            else:
                self._add(answer, other)

    def take_published(self, records: Iterable[Record]) -> None:
        """Take in predictions."""
        for place, answer in _answers(records):
            other = self._shadow.pop(place, None)
            if other is None:
                self._wait(self._published, place, answer)
            else:
                self._add(other, answer)

    def _add(self, shadow: Said, published: Said) -> None:
        self.found.setdefault(shadow.policy_version, Comparison()).add(shadow, published)

    def _wait(self, waiting: dict[_Place, Said], place: _Place, answer: Said) -> None:
        waiting[place] = answer
        if self._most is not None and len(waiting) > self._most:
            del waiting[next(iter(waiting))]


def compare(shadow: Iterable[Record], published: Iterable[Record]) -> Mapping[str, Comparison]:
    """Join whole topics; by version of the shadow's policy."""
    join = ShadowJoin()
    join.take_shadow(shadow)
    join.take_published(published)
    return join.found


def _answers(records: Iterable[Record]) -> Iterable[tuple[_Place, Said]]:
    for key, value in records:
        try:
            answer = _decode(value or b"")
        except NO_JSON:
            try:
                answer = _decode_event(value or b"").data
            except NO_JSON:
                continue
        yield (key or b"", answer.id), said(answer)
