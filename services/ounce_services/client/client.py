"""`Client`: ask a task's workers, wait for the answer, and tell them the truth."""

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Self, cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from ounce_schemas.dead_letter import HEADER_TOPIC
from ounce_schemas.errors import BrokerError
from ounce_schemas.request import HEADER_ID
from ounce_schemas.topics import (
    dead_letters_topic,
    labels_topic,
    predictions_topic,
    requests_topic,
)
from ounce_schemas.wording import counted

from ounce_services.client.answer import Answer, RefusedError, read_answer, read_refusal
from ounce_services.client.labels import label_body
from ounce_services.client.request import Targets, as_body, checked_text, make_headers
from ounce_services.cluster.admin import (
    ANY_SIZE,
    CLIENT_CONFIG,
    Cluster,
    describe_cluster,
    require_topics,
)
from ounce_services.devices.answers import AnswerReader

_log = logging.getLogger(__name__)

_LOOK_S = 0.002
"""From one look for answers to the next."""
_MOST_KEPT = 10_000
"""Answers that nobody has asked for yet; the oldest make room."""
_GROUP_CONFIG: Mapping[str, Any] = MappingProxyType({"linger.ms": 0, "acks": "all", **ANY_SIZE})


class TooLargeError(BrokerError):
    """A request is larger than its topic takes."""


class Client:
    """Context manager: sends requests of one task and reads what comes back.

    ```python
    from ounce_services.client import Client

    with Client("localhost:9092", "occupancy") as client:
        answer = client.ask({"Temperature": 21.5, "Light": 426}, min_accuracy=0.95)
        print(answer.label, answer.confidence, answer.model)
    ```

    Its methods may be called on several threads.

    Args:
        kafka: bootstrap servers, HOST:PORT[,HOST:PORT...].
        task: name of the task.
        timeout_s: longest wait for Kafka, and for an answer where `ask` says nothing else.
        security: what librdkafka must be told beside where Kafka is.

    Raises:
        BrokerError: no Kafka answers, or the task's topics are absent.
    """

    def __init__(
        self,
        kafka: str,
        task: str,
        *,
        timeout_s: float = 10.0,
        security: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._timeout_s = timeout_s
        self._task = task
        self._requests = requests_topic(task)
        self._letters = dead_letters_topic(task)
        self._labels = labels_topic(task)
        topics = [predictions_topic(task), self._letters]
        self._describe: Callable[[], Cluster] = lambda: describe_cluster(kafka, timeout_s, security)
        cluster = self._describe()
        require_topics(cluster, task, [self._requests, *topics])
        self._takes_labels = self._labels in cluster.partitions
        self._reader = AnswerReader(kafka, cluster, topics, security)
        self._producer = Producer(
            {**CLIENT_CONFIG, **_GROUP_CONFIG, "bootstrap.servers": kafka, **security}
        )
        self._is_open = False
        self._lock = threading.Lock()
        self._waited_for: dict[str, Answer | RefusedError | BrokerError | None] = {}
        self._others: deque[Answer | RefusedError] = deque(maxlen=_MOST_KEPT)

    def __enter__(self) -> Self:
        self._reader.__enter__()
        self._is_open = True
        return self

    def __exit__(self, *error: object) -> None:
        self._is_open = False
        self._producer.flush(self._timeout_s)
        self._reader.__exit__(*error)

    def send(
        self,
        data: Any,
        *,
        id: str | None = None,
        device: str | None = "client",
        max_latency_ms: float | None = None,
        min_accuracy: float | None = None,
        explanation: bool | None = None,
    ) -> str:
        """Send a request, and don't wait. The log tells of one that Kafka does not take later.

        Args:
            data: a row by column names, a list of values, the bytes of a raw tensor, an array of
                numbers, or text in any format that the worker recognises.
            id: of the request; None: a new one.
            device: who sends it; requests of one device keep their order. None: nobody is named.
            max_latency_ms: deadline; None: the policy's.
            min_accuracy: accuracy floor in [0, 1]; None: the policy's.
            explanation: whether the answer says what each input contributed; None: the policy's.

        Returns:
            The request's id, which its answer has too.

        Raises:
            TypeError: the id or the device is no text, or the data can't be sent.
            BrokerError: the client's queue is full, or the request is too large for it.
        """
        self._check_open()
        id_ = uuid.uuid4().hex if id is None else checked_text("id", id)
        headers = make_headers(id_, Targets(max_latency_ms, min_accuracy, explanation))
        body = as_body(data)
        key = None if device is None else checked_text("device", device)

        def told(error: KafkaError | None, _: Message) -> None:
            if error is None:
                return
            why = _not_taken(error, self._requests, body)
            with self._lock:
                if id_ in self._waited_for:
                    self._waited_for[id_] = why
                else:
                    _log.warning("request %s is lost: %s", id_, why)

        try:
            self._producer.produce(self._requests, body, key, headers=[*headers], on_delivery=told)
        except KafkaException as e:
            raise _not_taken(e.args[0], self._requests, body) from e
        except BufferError as e:
            raise BrokerError(f"the request was not sent: {e}") from e
        self._producer.poll(0)
        return id_

    def ask(self, data: Any, *, timeout_s: float | None = None, **how: Any) -> Answer:
        """Send a request, and wait for its answer.

        Args:
            data: as for `send`.
            timeout_s: longest wait; None: the client's.
            how: as for `send`.

        Raises:
            ValueError: another thread waits for the answer of this id.
            RefusedError: the request became a dead letter.
            TooLargeError: the request is larger than its topic takes.
            BrokerError: Kafka does not take the request, or nothing came back in time.
        """
        id_ = how.get("id") or uuid.uuid4().hex
        with self._lock:
            if id_ in self._waited_for:
                raise ValueError(f"id {id_!r} is waited for already: give each request its own")
            self._waited_for[id_] = None
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        try:
            self.send(data, **{**how, "id": id_})
            until_s = time.monotonic() + limit_s
            while time.monotonic() < until_s:
                self._producer.poll(0)
                self._take()
                found = self._waited_for[id_]
                if isinstance(found, RefusedError | BrokerError):
                    raise found
                if found is not None:
                    return found
                time.sleep(_LOOK_S)
        finally:
            with self._lock:
                del self._waited_for[id_]
        raise BrokerError(
            f"no answer to {id_} within {limit_s:g} s; is a worker of the task running? "
            f"`ounce worker --task {self._task}` starts one"
        )

    def label(
        self,
        id: str,
        *,
        label: object = None,
        value: float | None = None,
        device: str | None = "client",
    ) -> None:
        """Say what an answer should have been, and wait until Kafka has it.

        Args:
            id: of the answer; of a row of several, `ID/NUMBER`.
            label: of a classification: the true class, as a text or a number.
            value: of a regression: the true value.
            device: who sent the request, as for `send`; None: whoever used the id, if only one did.

        Raises:
            InvalidMessageError: no worker could use such a label.
            BrokerError: the task has no topic of labels, or Kafka does not take the label in time.
        """
        self._check_open()
        body = label_body(id, label, value)
        if not self._takes_labels:
            require_topics(self._describe(), self._task, [self._labels])
            self._takes_labels = True
        fate: list[KafkaError | None] = []
        try:
            self._producer.produce(
                self._labels, body, device, on_delivery=lambda error, _: fate.append(error)
            )
        except (KafkaException, BufferError) as e:
            raise BrokerError(f"the label was not sent: {e}") from e
        until_s = time.monotonic() + self._timeout_s
        while not fate and time.monotonic() < until_s:
            self._producer.poll(_LOOK_S)
        if not fate or fate[0] is not None:
            why = fate[0].str() if fate and fate[0] else f"not within {self._timeout_s:g} s"
            raise BrokerError(f"Kafka does not take the label of {id}: {why}")

    def answers(self, timeout_s: float | None = None) -> Iterator[Answer | RefusedError]:
        """Answers and refusals as they come, of all who ask, but for those that `ask` waits for.

        Args:
            timeout_s: ends after so long without one; None: never.
        """
        last_s = time.monotonic()
        while timeout_s is None or time.monotonic() - last_s < timeout_s:
            self._take()
            while self._others:
                last_s = time.monotonic()
                yield self._others.popleft()
            time.sleep(_LOOK_S)

    def _take(self) -> None:
        """Sort what has come: to those who wait for it, or to the others."""
        self._check_open()
        with self._lock:
            for batch in self._reader.drain():
                for message in batch.messages:
                    found = self._read(message)
                    if found is None:
                        continue
                    if found.id in self._waited_for:
                        self._waited_for[found.id] = found
                    else:
                        self._others.append(found)

    def _check_open(self) -> None:
        if not self._is_open:
            raise RuntimeError("use it inside `with Client(...) as client`")

    def _read(self, message: Message) -> Answer | RefusedError | None:
        if message.topic() == self._letters:
            headers = cast("dict[str, bytes | None]", dict(message.headers() or ()))
            if headers.get(HEADER_TOPIC) != self._requests.encode():
                return None  # the mark of a replay, or a label that was refused
            id_ = headers.get(HEADER_ID) or b""
            return read_refusal(id_.decode(errors="replace"), headers)
        try:
            return read_answer(message.value() or b"")
        except ValueError:
            return None  # an answer in another format: not to this client


def _not_taken(error: KafkaError, topic: str, body: bytes) -> BrokerError:
    """Of a request, and what to do where that is its size."""
    if error.code() != KafkaError.MSG_SIZE_TOO_LARGE:
        return BrokerError(f"{topic} does not take the request: {error.str()}")
    return TooLargeError(
        f"{topic} takes no request of {counted(len(body), 'byte')}: send fewer rows at once, or "
        "raise its max.message.bytes"
    )
