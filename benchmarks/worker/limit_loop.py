"""The hand-written loop that the worker is measured against: what remains when nothing is chosen.

confluent-kafka consume, one ONNX Runtime call, produce. No deadlines, no floors, no headers, no
checks, no commits in step with answers; one model, one body format.

Example: python -m benchmarks.worker.limit_loop raw MODEL.onnx HOST:PORT IN OUT GROUP N
"""

import sys
from itertools import chain

import msgspec
import numpy as np
import onnxruntime as ort
from confluent_kafka import Consumer, Producer

BATCH = 2000
ROWS = 512


class Tensor(msgspec.Struct):
    """An input tensor."""

    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class Request(msgspec.Struct):
    """An Open Inference Protocol V2 request."""

    inputs: list[Tensor]


def main() -> None:
    """Answer N messages, then leave."""
    body, model, servers, requests, predictions, group, total = sys.argv[1:]
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 2,
            "queued.min.messages": 10_000,
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "linger.ms": 5,
            "queue.buffering.max.messages": 1_000_000,
            "delivery.report.only.error": True,
        }
    )
    consumer.subscribe([requests])
    decode = msgspec.json.Decoder(Request).decode
    encode = msgspec.json.Encoder().encode
    left = int(total)
    while left > 0:
        messages = consumer.consume(BATCH, 0) or consumer.consume(1, 0.1)
        if not messages:
            continue
        n = len(messages)
        values = [m.value() or b"" for m in messages]
        if body == "raw":
            x = np.frombuffer(b"".join(values), "<f4").reshape(n, -1)
        else:
            rows = [decode(v).inputs[0].data for v in values]
            x = np.fromiter(chain.from_iterable(rows), np.float32, n * len(rows[0])).reshape(n, -1)
        result = np.concatenate(
            [session.run(None, {"input": x[i : i + ROWS]})[0] for i in range(0, n, ROWS)]
        )
        if body == "raw":
            flat, width = result.tobytes(), result.shape[1] * 4
            bodies = [flat[i : i + width] for i in range(0, n * width, width)]
        else:
            bodies = [
                encode(
                    {
                        "model_name": "mlp",
                        "outputs": [
                            {
                                "name": "probabilities",
                                "shape": [1, len(row)],
                                "datatype": "FP32",
                                "data": row,
                            }
                        ],
                    }
                )
                for row in result.tolist()
            ]
        for message, answer in zip(messages, bodies, strict=True):
            producer.produce(predictions, answer, message.key())
        producer.poll(0)  # serves delivery reports; without it the producer's queue fills up
        left -= n
    producer.flush()
    consumer.close()


if __name__ == "__main__":
    main()
