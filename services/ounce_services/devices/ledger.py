"""Joins what a fleet sent with what came back, and holds the answers against the truth."""

from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

from ounce_schemas.prediction import Prediction

from ounce_services.devices.samples import Samples
from ounce_services.devices.tallies import AnswerTallies

REMEMBERED = 100_000
"""Ids kept to recognise repeats and early answers: minutes at a demo's rate, tens of MB at most."""

T = TypeVar("T")


class Sent(NamedTuple):
    """A request that was handed to Kafka."""

    at_s: float
    """On the device's own monotonic clock."""
    item: int
    """Index into the samples."""
    key: bytes = b""
    """The device's id."""


class _Recent(OrderedDict[str, T]):
    """The newest entries by id; the oldest make room."""

    def keep(self, id: str, entry: T) -> None:
        self[id] = entry
        if len(self) > REMEMBERED:
            self.popitem(last=False)


class Ledger:
    """One task's requests and answers.

    A bare record gets its id, `topic-partition-offset`, from its delivery report, which may come
    later than the answer; such an answer waits until the report is in. Answers to other fleets'
    requests, known by their ids, are left alone.

    Args:
        samples: inputs and their true answers.
        on_answer: called with id, request and time of reading of each first answer.
    """

    def __init__(
        self,
        samples: Samples,
        on_answer: Callable[[str, Sent, float], None] = lambda id, sent, at_s: None,
    ) -> None:
        self.tallies = AnswerTallies(samples.strata)
        self.sent = 0
        self.undelivered = 0
        self.answered = 0
        self.repeated = 0
        self.dead_letters: Counter[str] = Counter()
        self._samples = samples
        self._on_answer = on_answer
        self._waiting: dict[str, Sent] = {}
        self._bare_in_flight = 0
        self._settled: _Recent[None] = _Recent()
        self._early: _Recent[Callable[[], None]] = _Recent()

    @property
    def waiting(self) -> int:
        """Requests handed to Kafka and not yet answered, dead-lettered or given up."""
        return len(self._waiting) + self._bare_in_flight

    def record_sent(self, id: str | None, sent: Sent) -> None:
        """A request was handed to Kafka; a bare one has no id yet."""
        self.sent += 1
        if id is None:
            self._bare_in_flight += 1
        else:
            self._waiting[id] = sent

    def record_position(self, id: str, sent: Sent) -> None:
        """Kafka took a bare record; `id` is its `topic-partition-offset`."""
        self._bare_in_flight -= 1
        self._waiting[id] = sent
        early = self._early.pop(id, None)
        if early is not None:
            early()

    def record_undelivered(self, id: str | None) -> None:
        """Kafka did not take a request."""
        self.undelivered += 1
        if id is None:
            self._bare_in_flight -= 1
        else:
            self._waiting.pop(id, None)

    def record_answer(self, prediction: Prediction, at_s: float) -> None:
        """An answer was read at `at_s` on the device's clock."""
        sent = self._settle(prediction.id)
        if sent is not None:
            self.answered += 1
            judgement = self._samples.judge(prediction, sent.item)
            self.tallies.add(prediction, judgement, (at_s - sent.at_s) * 1e3)
            self._on_answer(prediction.id, sent, at_s)
        elif prediction.id in self._settled:
            self.repeated += 1
        else:
            self._early.keep(prediction.id, partial(self.record_answer, prediction, at_s))

    def record_dead_letter(self, id: str, reason: str) -> None:
        """A dead letter was read."""
        if self._settle(id) is not None:
            self.dead_letters[reason] += 1
        elif id not in self._settled:
            self._early.keep(id, partial(self.record_dead_letter, id, reason))

    def _settle(self, id: str) -> Sent | None:
        sent = self._waiting.pop(id, None)
        if sent is not None:
            self._settled.keep(id, None)
        return sent
