"""From a dead letter to the request that is sent in its place."""

from dataclasses import dataclass

from ounce_schemas.dead_letter import HEADER_REPLAYED_FROM
from ounce_schemas.request import HEADER_ID

from ounce_services.dead_letters.letter import DeadLetter, Headers, header_id, read_id


@dataclass(frozen=True, slots=True)
class Fix:
    """What to change of a dead letter before it is sent back."""

    value: bytes | None = None
    """The body to send instead; None: its own."""
    set_headers: tuple[tuple[str, str], ...] = ()
    drop_headers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent in its place."""

    letter: DeadLetter
    topic: str
    """Of requests; of labels where it was one."""
    partition: int | None
    """None: as the key says."""
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def id(self) -> str:
        """What its answer will be known by."""
        return read_id(self.headers, self.value) or self.letter.id

    @property
    def missing(self) -> str | None:
        """What the record had and this has not: it was too large for the dead letter."""
        lost = [
            name
            for name in self.letter.omitted
            if name != "value" or self.value is self.letter.record.value
        ]
        return " and ".join(lost) or None

    @property
    def size_bytes(self) -> int:
        """Of key, value and headers."""
        sizes = (len(name) + len(value or b"") for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + sum(sizes)


NO_FIX = Fix()


def make_request(letter: DeadLetter, topic: str, n_partitions: int, fix: Fix = NO_FIX) -> Request:
    """The dead letter as it came, but for `fix`, its id and where it is replayed from.

    A record without an id was known by its first position, which a new record has not: there the id
    becomes a `ce_id` header. So it does where `fix` loses the id that the record brought. An id
    that `fix` sets is left alone.

    Args:
        letter: what to send back.
        topic: of requests, or of labels where it was one: where to send it to.
        n_partitions: of that topic. Where the record's own partition is among them, it is kept.
        fix: what to change.
    """
    headers = mend_headers(letter.headers, fix)
    value = letter.record.value if fix.value is None else fix.value
    if header_id(headers) is None and not letter.is_label:
        given = read_id(headers, value)
        if given is None or given != (letter.own_id or given):
            headers = (*headers, (HEADER_ID, letter.id.encode()))
    partition, offset = letter.record.position
    from_ = f"{letter.record.topic}-{partition}-{offset}".encode()
    origin = letter.origin
    return Request(
        letter=letter,
        topic=topic,
        partition=origin.partition
        if origin.topic == topic and origin.partition < n_partitions
        else None,
        key=letter.record.key,
        value=value,
        headers=(*headers, (HEADER_REPLAYED_FROM, from_)),
    )


def mend_headers(headers: Headers, fix: Fix) -> Headers:
    """Headers without those that `fix` drops; those that it sets take the first one's place."""
    to_set = dict(fix.set_headers)
    mended: list[tuple[str, bytes | None]] = []
    done: set[str] = set()
    for name, value in headers:
        if name in to_set:
            if name not in done:
                mended.append((name, to_set[name].encode()))
                done.add(name)
        elif name not in fix.drop_headers:
            mended.append((name, value))
    mended += [(name, text.encode()) for name, text in to_set.items() if name not in done]
    return tuple(mended)
