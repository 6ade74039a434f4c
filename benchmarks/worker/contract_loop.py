"""The hand-written loop that keeps the worker's contract: what choosing costs is what remains.

confluent-kafka consume, one ONNX Runtime call, produce, as `limit_loop`, but with the requests'
ids and targets, the worker's document and headers, and commits in step with acknowledged answers.
It chooses nothing, checks nothing, and tells nobody how it does.

Example: python -m benchmarks.worker.contract_loop models/digits mlp HOST:PORT IN OUT GROUP N
"""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime as ort
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from ounce_schemas.documents import read_card, read_task

from benchmarks.worker.contract import Contract, Floats, Record

BATCH = 2000
ROWS = 512


class Answers:
    """Produces answers, and commits the requests of a batch once all its answers are acknowledged.

    One batch is under way while the next one is decoded and run.
    """

    def __init__(self, servers: str, topic: str, consumer: Consumer) -> None:
        self._consumer, self._topic = consumer, topic
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "acks": "all",
                "compression.type": "lz4",
                "enable.idempotence": True,
                "linger.ms": 5,
                "queue.buffering.max.messages": 1_000_000,
                "delivery.report.only.error": True,
                "on_delivery": self._fail,
            }
        )
        self._next: dict[tuple[str, int], int] = {}

    def settle(self) -> None:
        """Wait until the batch under way is acknowledged, and commit its requests."""
        while self._producer.flush(0.001):  # without reports, a flush ends only at its timeout
            pass
        if self._next:
            places = [TopicPartition(t, p, offset) for (t, p), offset in self._next.items()]
            self._consumer.commit(offsets=places, asynchronous=True)
            self._next = {}

    def send(self, messages: list[Message], answers: Sequence[tuple[bytes, Any]]) -> None:
        """Produce a batch's answers."""
        produce, topic = self._producer.produce, self._topic
        for message, (value, headers) in zip(messages, answers, strict=True):
            produce(topic, value, message.key(), headers=headers)
        places = ((m.topic() or "", m.partition() or 0, m.offset() or 0) for m in messages)
        self._next = {(topic, partition): offset + 1 for topic, partition, offset in places}

    @staticmethod
    def _fail(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            raise SystemExit(f"an answer was not taken: {error.str()}")


def main() -> None:
    """Answer N messages, then leave."""
    task_folder, model, servers, requests, predictions, group, total = sys.argv[1:]
    folder = Path(task_folder)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(
        str(folder / model / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )

    def run(inputs: Floats) -> Floats:
        parts = range(0, len(inputs), ROWS)
        return np.concatenate(
            [session.run(None, {"input": inputs[i : i + ROWS]})[0] for i in parts]
        )

    contract = Contract(
        read_task(folder / "task.json"), read_card(folder / model / "card.json"), run
    )
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 2,
            "queued.min.messages": 10_000,
        }
    )
    answers = Answers(servers, predictions, consumer)
    consumer.subscribe([requests])
    gc.freeze()  # this and the following as a worker does
    gc.set_threshold(200_000, 20, 100)
    left = int(total)
    while left > 0:
        messages = consumer.consume(BATCH, 0) or consumer.consume(1, 0.1)
        if not messages:
            answers.settle()
            continue
        made = contract.answer(cast("Sequence[Record]", messages))
        answers.settle()
        answers.send(messages, made)
        left -= len(messages)
    answers.settle()
    consumer.close()


if __name__ == "__main__":
    main()
