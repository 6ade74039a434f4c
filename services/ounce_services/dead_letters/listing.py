"""Dead letters as a table, or as JSON lines for scripts."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import msgspec
from ounce_schemas.wording import counted, table

from ounce_services.dead_letters.display import one_line, plain, shortened, utc
from ounce_services.dead_letters.index import Count, Index
from ounce_services.dead_letters.letter import DeadLetter, Position, StoredRecord

_HEADINGS = ("position", "time", "reason", "tries", "state", "key", "bytes", "text")
_ON_THE_RIGHT = {3, 6}
_KEY_WIDTH = 24
_LEAST_TEXT_WIDTH = 20


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One record of the list. As JSON, its fields are what scripts rely on."""

    position: str
    """In the dead-letters topic, PARTITION:OFFSET."""
    time: str
    timestamp_ms: int
    kind: str
    """`dead-letter` or `foreign`."""
    reason: str | None = None
    text: str | None = None
    id: str | None = None
    """What its answer would be known by."""
    attempts: int | None = None
    replayed_at: str | None = None
    """When it was sent back to the requests topic."""
    key: str | None
    key_hex: str | None
    """The key's bytes where they are no text."""
    size_bytes: int | None
    """Of the body; null where it has none."""
    origin: str | None = None
    """Where it came from, `<topic>-<partition>-<offset>`."""

    @classmethod
    def of(cls, record: StoredRecord, letter: DeadLetter | None) -> Self:
        """Of a dead letter, or of a foreign record."""
        key = key_hex = None
        if record.key is not None:
            try:
                key = record.key.decode()
            except UnicodeDecodeError:
                key_hex = record.key.hex()
        entry = cls(
            position=str(record.position),
            time=utc(record.timestamp_ms),
            timestamp_ms=record.timestamp_ms,
            kind="foreign",
            key=key,
            key_hex=key_hex,
            size_bytes=None if record.value is None else len(record.value),
        )
        if letter is None:
            return entry
        return msgspec.structs.replace(
            entry,
            kind="dead-letter",
            reason=letter.reason,
            text=letter.text,
            id=letter.id,
            attempts=letter.attempts,
            origin=letter.origin.id,
        )


class Newest:
    """Keeps the newest entries.

    Args:
        limit: how many; 0: all.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[tuple[int, Position, Entry]] = []
        self.seen = 0
        """Entries that came, kept or not."""

    def add(self, position: Position, entry: Entry) -> None:
        """One more; positions never repeat."""
        self.seen += 1
        item = (entry.timestamp_ms, position, entry)
        if not self._limit or len(self._heap) < self._limit:
            heapq.heappush(self._heap, item)
        else:
            heapq.heappushpop(self._heap, item)

    def entries(self, index: Index) -> Iterator[Entry]:
        """Oldest first, each with when it was sent back."""
        for _, position, entry in sorted(self._heap):
            at_ms = index.replayed_at_ms(position)
            yield entry if at_ms is None else msgspec.structs.replace(entry, replayed_at=utc(at_ms))


def entries_table(entries: Sequence[Entry], width: int) -> str:
    """A line an entry; texts are shortened so that lines have at most `width` characters."""
    rows = [_HEADINGS, *map(_row, entries)]
    before_text = sum(max(map(len, column)) + 2 for column in list(zip(*rows, strict=True))[:-1])
    most = max(width - before_text, _LEAST_TEXT_WIDTH)
    return table([(*row[:-1], shortened(row[-1], most)) for row in rows], right=_ON_THE_RIGHT)


def _row(entry: Entry) -> tuple[str, ...]:
    is_letter = entry.kind == "dead-letter"
    key = bytes.fromhex(entry.key_hex) if entry.key_hex is not None else (
        None if entry.key is None else entry.key.encode())  # fmt: skip
    return (
        entry.position,
        entry.time,
        shortened(one_line(entry.reason or "-"), 40),
        str(entry.attempts or "-"),
        "foreign" if not is_letter else "replayed" if entry.replayed_at else "waiting",
        shortened(plain(key), _KEY_WIDTH),
        "null" if entry.size_bytes is None else f"{entry.size_bytes:,}",
        one_line(entry.text or "") if is_letter else "not a dead letter: no worker's headers",
    )


def summary(counts: Mapping[str, Count], foreign: int = 0) -> str:
    """One line: how many of which reason."""
    total = sum(count.total for count in counts.values())
    reasons = ", ".join(
        f"{count.total:,} {one_line(reason)}"
        + (f" ({count.replayed:,} replayed)" if count.replayed else "")
        for reason, count in counts.items()
    )
    others = f"; {foreign:,} foreign" if foreign else ""
    return f"{letters(total)}{': ' if reasons else ''}{reasons}{others}"


def letters(n: int) -> str:
    """A number of dead letters, in words."""
    return counted(n, "dead letter") if n else "no dead letters"
