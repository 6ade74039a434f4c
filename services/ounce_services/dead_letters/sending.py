"""Sending dead letters back, and marking those that the broker holds.

A dead letter can't be changed. So a mark behind it, in its own partition, says that it was sent
back. That needs no group and no database, and the mark lives at least as long as its letter. It is
written once the broker has confirmed the request. A replay that is killed in between sends that
chunk again, with the same ids.

One transaction over both would close that gap. But live requests behind it in the partition would
wait for its end, or for its timeout if the replay is killed, and miss their deadlines.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from threading import Event
from typing import Any, NamedTuple, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from ounce_schemas.topics import dead_letters_topic

from ounce_services.cluster.admin import ANY_SIZE, CLIENT_CONFIG
from ounce_services.dead_letters.letter import Position, make_mark
from ounce_services.dead_letters.mending import Request

_CHUNK = 500
_CHUNK_BYTES = 16_000_000
_DELIVERY_MS = 30_000

Record = dict[str, Any]
"""What `Producer.produce` takes, by name."""
Result = Position | KafkaError | None
"""Where the broker holds a record, or why not; None: it said nothing."""


class Outcome(NamedTuple):
    """What became of one request."""

    request: Request
    sent_to: Position | None
    """In its topic; None: the broker does not hold it."""
    problem: str | None
    """Why it was not sent, or, if it was, not marked."""


class Sender:
    """Context manager: sends requests of one task.

    Args:
        connection: properties of a client: where Kafka is, and how to be let in.
        task: whose requests.
    """

    def __init__(self, connection: Mapping[str, Any], task: str) -> None:
        self._dead_letters = dead_letters_topic(task)
        self._producer = Producer(
            {
                **CLIENT_CONFIG,
                **connection,
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 5,
                "message.timeout.ms": _DELIVERY_MS,
                **ANY_SIZE,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.purge()
        self._producer.flush(1)

    def send(self, requests: Iterable[Request], stop: Event) -> Iterator[Outcome]:
        """Send and mark chunk by chunk, until `stop` is set."""
        for chunk in _chunks(requests):
            if stop.is_set():
                return
            yield from self._send(chunk)

    def _send(self, chunk: Sequence[Request]) -> Iterator[Outcome]:
        for request in chunk:
            if request.missing is not None:
                yield Outcome(request, None, _incomplete(request))
        chunk = [request for request in chunk if request.missing is None]
        sent = self._deliver([_record(request) for request in chunk])
        for i, result in enumerate(sent):
            # Brokers hold the size of a whole batch against their limit, so alone it may pass.
            if isinstance(result, KafkaError) and result.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                [sent[i]] = self._deliver([_record(chunk[i])])
        held = [r for r, result in zip(chunk, sent, strict=True) if isinstance(result, Position)]
        marks = iter(self._deliver([_mark(self._dead_letters, request) for request in held]))
        for request, result in zip(chunk, sent, strict=True):
            if not isinstance(result, Position):
                yield Outcome(request, None, _why(result))
                continue
            mark = next(marks)
            is_marked = isinstance(mark, Position)
            problem = None if is_marked else f"sent, but not marked as replayed: {_why(mark)}"
            yield Outcome(request, result, problem)

    def _deliver(self, records: Sequence[Record]) -> list[Result]:
        """Publish, and wait until the broker has confirmed or refused each."""
        results: list[Result] = [None] * len(records)
        for i, record in enumerate(records):
            try:
                self._producer.produce(**record, on_delivery=partial(_note, results, i))
            except KafkaException as e:
                results[i] = e.args[0]
            except BufferError:
                results[i] = KafkaError(KafkaError._QUEUE_FULL)
        self._producer.flush(_DELIVERY_MS / 1e3 + 5)
        return results


def _record(request: Request) -> Record:
    where = {} if request.partition is None else {"partition": request.partition}
    return {
        "topic": request.topic,
        "value": request.value,
        "key": request.key,
        "headers": list(request.headers),
        **where,
    }


def _incomplete(request: Request) -> str:
    origin = request.letter.origin
    return (
        f"its {request.missing} was too large for a dead letter; read it in {origin.topic} "
        f"{origin.partition}:{origin.offset}, and give a smaller body with --value"
    )


def _mark(topic: str, request: Request) -> Record:
    letter = request.letter
    return {
        "topic": topic,
        "value": None,
        "key": request.key,
        "headers": list(make_mark(letter)),
        "partition": letter.record.position.partition,
    }


def _note(results: list[Result], i: int, error: KafkaError | None, message: Message) -> None:
    at = Position(int(message.partition() or 0), int(message.offset() or 0))
    results[i] = at if error is None else error


def _why(result: Result) -> str:
    return result.str() if isinstance(result, KafkaError) else "not confirmed in time"


def _chunks(requests: Iterable[Request]) -> Iterator[list[Request]]:
    """So many that waiting for the broker costs little, so few that they fit into memory."""
    chunk: list[Request] = []
    size_bytes = 0
    for request in requests:
        chunk.append(request)
        size_bytes += request.size_bytes
        if len(chunk) >= _CHUNK or size_bytes >= _CHUNK_BYTES:
            yield chunk
            chunk, size_bytes = [], 0
    if chunk:
        yield chunk
