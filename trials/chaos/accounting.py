"""Is every input answered once and rightly? Pure: everything that was read comes in."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from ounce_schemas.dead_letter import HEADER_OFFSET, HEADER_PARTITION, HEADER_TOPIC
from ounce_schemas.prediction import NumberOutput, Prediction, TextOutput
from ounce_schemas.request import CONTENT_TYPE_JSON, HEADER_CONTENT_TYPE, HEADER_ID

CORRUPT = b"corrupt"
"""How the key of a record that can't be served begins; all other records can be."""
_NEAR_TIE = 1e-4
"""A label whose probability is so little less is right, too: batch sizes change last digits."""
_CONFIDENCE_TOLERANCE = 2e-3
"""Confidences are published in steps of a thousandth."""

Replay = Callable[[str, bytes], NDArray[np.float32] | None]
"""Probabilities that a model, by name, gives for an input as raw float32; shape (n_labels,). None
for a model that the ladder lacks."""
_decode = msgspec.json.Decoder(Prediction).decode


class Entry(NamedTuple):
    """A record as it was read."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    timestamp_ms: int = 0


class Read(NamedTuple):
    """What a read-committed reader finds in the topics, to their ends."""

    requests: Iterable[Entry]
    predictions: Iterable[Entry]
    letters: Iterable[Entry]


class Wrong(StrEnum):
    """What may be found."""

    LOST = "lost"
    """Neither an answer nor a dead letter, and the group has gone past it."""
    LEFT = "left"
    """Neither an answer nor a dead letter, but the group has not gone past it."""
    REPEATED = "repeated"
    """More of them than inputs."""
    WRONG = "wrong"
    """An answer that the model it names does not give, or a dead letter in its place."""
    ORPHAN = "orphan"
    """An answer or dead letter without an input."""


class Finding(NamedTuple):
    """One of those."""

    what: Wrong
    id: str
    positions: Sequence[tuple[int, int]]
    """Partition and offset of the inputs that it is about."""
    detail: str


@dataclass
class Accounting:
    """What became of all inputs."""

    n_inputs: int = 0
    n_corrupt: int = 0
    n_answers: int = 0
    n_letters: int = 0
    by_model: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def count(self, what: Wrong) -> int:
        """How many findings of a sort."""
        return sum(finding.what is what for finding in self.findings)

    def violations(self, *, repeats_allowed: bool) -> list[Finding]:
        """Findings that break the guarantee."""
        return [f for f in self.findings if not (repeats_allowed and f.what is Wrong.REPEATED)]


@dataclass
class _Input:
    entries: list[Entry]
    answers: int = 0
    letters: int = 0
    came: list[str] = field(default_factory=list)
    """Answers and dead letters: where, and when they were produced."""

    @property
    def is_corrupt(self) -> bool:
        return (self.entries[0].key or b"").startswith(CORRUPT)


def account(
    topic: str,
    labels: Sequence[str],
    read: Read,
    replay: Replay,
    committed: Mapping[int, int] | None = None,
) -> Accounting:
    """Hold what was answered against what was asked.

    Args:
        topic: of the requests.
        labels: of the task, a classification with one float tensor.
        read: everything that was asked and answered.
        replay: what is right.
        committed: by partition, the offset where the group would go on; by default at the end.
    """
    result = Accounting()
    inputs: dict[str, _Input] = {}
    places: dict[tuple[int, int], _Input] = {}
    for entry in read.requests:
        result.n_inputs += 1
        id = input_id(topic, entry)
        known = inputs.setdefault(id, _Input([]))
        known.entries.append(entry)
        places[entry.partition, entry.offset] = known
        result.n_corrupt += known.is_corrupt
    for entry in read.predictions:
        result.n_answers += 1
        _answer(result, labels, inputs, entry, replay)
    for entry in read.letters:
        result.n_letters += 1
        _letter(result, topic, places, entry)
    for id, known in inputs.items():
        _balance(result, id, known, committed)
    return result


def input_id(topic: str, entry: Entry) -> str:
    """The id by which an input's answer is known: its own, or its position; corrupt records, which
    may have no readable id, always go by their position."""
    own = None
    if not (entry.key or b"").startswith(CORRUPT):
        own = dict(entry.headers).get(HEADER_ID)
    return own.decode() if own else f"{topic}-{entry.partition}-{entry.offset}"


def _answer(
    result: Accounting,
    labels: Sequence[str],
    inputs: dict[str, _Input],
    entry: Entry,
    replay: Replay,
) -> None:
    try:
        prediction = _decode(entry.value or b"")
    except msgspec.MsgspecError as e:
        at = f"predictions-{entry.partition}-{entry.offset}"
        result.findings.append(Finding(Wrong.WRONG, at, [], f"unreadable answer: {e}"))
        return
    known = inputs.get(prediction.id)
    if known is None:
        detail = f"answer at {entry.partition}:{entry.offset}"
        result.findings.append(Finding(Wrong.ORPHAN, prediction.id, [], detail))
        return
    known.answers += 1
    known.came.append(f"predictions {_place(entry)}")
    result.by_model[prediction.model_name] += 1
    fault = _fault_of(prediction, entry, known, labels, replay)
    if fault:
        result.findings.append(Finding(Wrong.WRONG, prediction.id, _positions(known), fault))


def _fault_of(
    prediction: Prediction, entry: Entry, known: _Input, labels: Sequence[str], replay: Replay
) -> str:
    if known.is_corrupt:
        return "an answer to a record that can't be served"
    if entry.key != known.entries[0].key:
        return f"key {entry.key!r} is not the request's {known.entries[0].key!r}"
    id = dict(entry.headers).get(HEADER_ID)
    if id is not None and id.decode() != prediction.id:
        return f"header {HEADER_ID} {id!r} is not the body's"
    if prediction.model_name not in prediction.parameters.plan:
        return f"model {prediction.model_name} is not of plan {prediction.parameters.plan}"
    right = replay(prediction.model_name, _features(known.entries[0]))
    if right is None:
        return (
            f"plan {prediction.parameters.plan} answered with model {prediction.model_name}, which "
            "the ladder of this run lacks: give it the folder of models that the workers serve"
        )
    said = {o.name: o.data[0] for o in prediction.outputs if isinstance(o, TextOutput)}
    label = said.get("label")
    if label not in labels:
        return f"label {label!r} is not of the task"
    probability = float(right[labels.index(label)])
    if probability < float(right.max()) - _NEAR_TIE:
        return (
            f"{prediction.model_name} says {labels[int(right.argmax())]} "
            f"({right.max():.4f}), the answer {label} ({probability:.4f})"
        )
    numbers = {o.name: o.data[0] for o in prediction.outputs if isinstance(o, NumberOutput)}
    confidence = numbers.get("confidence")
    if confidence is not None and abs(confidence - probability) > _CONFIDENCE_TOLERANCE:
        return f"{prediction.model_name} is sure by {probability:.4f}, the answer {confidence:.4f}"
    return ""


def _features(entry: Entry) -> bytes:
    """An input as raw little-endian float32."""
    value = entry.value or b""
    if dict(entry.headers).get(HEADER_CONTENT_TYPE) == CONTENT_TYPE_JSON.encode():
        value = np.asarray(msgspec.json.decode(value)["inputs"][0]["data"], "<f4").tobytes()
    return value


def _letter(
    result: Accounting, topic: str, places: dict[tuple[int, int], _Input], entry: Entry
) -> None:
    # The request's own headers come first, and may be anything; ours come last.
    headers = dict(entry.headers)
    at = f"dead-letters-{entry.partition}-{entry.offset}"
    try:
        named = (headers[HEADER_TOPIC] or b"").decode()
        place = int(headers[HEADER_PARTITION] or b""), int(headers[HEADER_OFFSET] or b"")
    except (KeyError, ValueError) as e:
        result.findings.append(Finding(Wrong.ORPHAN, at, [], f"dead letter of no position: {e!r}"))
        return
    known = places.get(place)
    if known is None or named != topic:
        detail = f"dead letter of {named} {place}"
        result.findings.append(Finding(Wrong.ORPHAN, at, [], detail))
        return
    known.letters += 1
    known.came.append(f"dead letters {_place(entry)}")
    original = next(e for e in known.entries if (e.partition, e.offset) == place)
    if not known.is_corrupt:
        detail = f"a valid input became a dead letter: {headers}"
        result.findings.append(Finding(Wrong.WRONG, at, [place], detail))
    elif (entry.value, entry.key) != (original.value, original.key):
        result.findings.append(Finding(Wrong.WRONG, at, [place], "not the original bytes"))


def _balance(
    result: Accounting, id: str, known: _Input, committed: Mapping[int, int] | None
) -> None:
    asked, got = len(known.entries), known.answers + known.letters
    if got < asked:
        detail = f"{asked} inputs, {got} answers and dead letters"
        positions = _positions(known)
        is_left = committed is not None and any(o >= committed.get(p, 0) for p, o in positions)
        what = Wrong.LEFT if is_left else Wrong.LOST
        result.findings.append(Finding(what, id, positions, detail))
    for _ in range(got - asked):
        detail = f"{asked} inputs, and {', '.join(known.came)}"
        result.findings.append(Finding(Wrong.REPEATED, id, _positions(known), detail))


def _place(entry: Entry) -> str:
    at = datetime.fromtimestamp(entry.timestamp_ms / 1e3, UTC)
    return f"{entry.partition}:{entry.offset} of {at:%H:%M:%S.%f}"[:-3]


def _positions(known: _Input) -> list[tuple[int, int]]:
    return [(entry.partition, entry.offset) for entry in known.entries]
