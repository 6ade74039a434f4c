"""Everything of one dead letter, for a person."""

from collections.abc import Iterator

from ounce_schemas.wording import counted

from ounce_services.dead_letters.display import body_lines, one_line, plain, quoted, utc
from ounce_services.dead_letters.letter import Headers, StoredRecord, read_letter, read_mark


def detail(record: StoredRecord, replayed_at_ms: int | None) -> Iterator[str]:
    """Lines about a record of a dead-letters topic, whatever it is.

    Args:
        record: as read.
        replayed_at_ms: when it was sent back to the requests topic; None if it never was.
    """
    letter, mark = read_letter(record), read_mark(record)
    yield f"{record.topic} {record.position} at {utc(record.timestamp_ms)}"
    if letter is not None:
        origin = letter.origin
        from_ = ", ".join(map(one_line, letter.replayed_from))
        yield _field("reason", one_line(letter.reason))
        yield _field("text", one_line(letter.text))
        yield _field("id", one_line(letter.id))
        yield _field(
            "origin",
            f"{one_line(origin.topic)} {origin.partition}:{origin.offset} "
            f"at {utc(origin.timestamp_ms)}",
        )
        yield _field("tries", f"{letter.attempts}{f', replayed from {from_}' if from_ else ''}")
        if letter.omitted:
            lost = one_line(", ".join(letter.omitted))
            yield _field("omitted", f"{lost}, too large for this topic: read it at the origin")
        replayed = "no" if replayed_at_ms is None else f"at {utc(replayed_at_ms)}"
        yield _field("replayed", replayed)
    elif mark is not None:
        yield f"a mark, not a dead letter: {mark.position} was replayed"
    else:
        yield "foreign, not a dead letter: it lacks the headers that a worker adds"
    yield _field("key", plain(record.key))
    yield from _header_lines(record.headers if letter is None else letter.headers)
    size = "" if record.value is None else f", {counted(len(record.value), 'byte')}"
    yield f"body{size}"
    for line in body_lines(record.value):
        yield f"  {line}"


def _field(name: str, value: str) -> str:
    return f"{name:<9} {value}"


def _header_lines(headers: Headers) -> Iterator[str]:
    yield "headers" if headers else "headers   none"
    for name, value in headers:
        yield f"  {one_line(name)}: {quoted(value)}"
