"""A worker's pipeline in this process, without Kafka: for a first look, and for programs."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ounce_schemas.documents import read_policy
from ounce_schemas.policy import Policy
from ounce_schemas.topics import requests_topic

from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.managed_runtime import ManagedRuntime
from ounce_edge.models.model_memory import ModelMemory
from ounce_edge.models.runtimes.base import Runtime
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.turn import Turn
from ounce_edge.wire.records import Headers, MadeRecord, Outgoing, Record

_LOOK_S = 0.001
"""From one look for a model that is being loaded to the next."""


@dataclass(frozen=True)
class LocalResult:
    """What would have been published."""

    topic: str
    value: bytes | None
    headers: Headers
    request: Record
    """That it answers."""


class LocalWorker:
    """Answers requests of one task.

    Args:
        models: folder that `ounce train` writes.
        task: name of the task.
        policy: a routing policy's file; None: the built-in policy.
        first_offset: of the first request; a request without an id gets it in its id.
        explains_later: graphs that explain are loaded when a request first asks for one, on a
            thread that ends with the process. Else they are loaded now.

    Raises:
        ArtifactError: no ladder of the task can be trusted.
        PolicyError: the policy can't be used.
    """

    def __init__(
        self,
        models: Path,
        task: str,
        policy: Path | None = None,
        first_offset: int = 0,
        *,
        explains_later: bool = False,
    ) -> None:
        rules = (Policy() if policy is None else read_policy(policy)).for_task(task)
        runtime: Runtime = OnnxCpuRuntime()
        if explains_later:
            memory = ModelMemory(math.inf)
            memory.start()
            runtime = ManagedRuntime(runtime, memory, is_limited=False)
        self._pipeline = Pipeline(Edition(load_ladder(models, task, runtime), rules))
        self._topic = requests_topic(task)
        self._next_offset = first_offset

    def answer(self, requests: Sequence[tuple[bytes, Headers]]) -> list[LocalResult]:
        """Answers or dead letters, in the order in which they are made.

        Args:
            requests: body and headers of each.
        """
        now_ms = int(time.time() * 1e3)
        return self.serve([(None, body, headers, now_ms) for body, headers in requests])

    def serve(
        self, requests: Sequence[tuple[bytes | None, bytes | None, Headers, int]]
    ) -> list[LocalResult]:
        """Answers or dead letters, in the order in which they are made.

        Args:
            requests: key, body, headers, and timestamp in milliseconds since 1970 of each.
        """
        found: list[LocalResult] = []

        def publish(outgoing: Outgoing) -> None:
            headers = outgoing.headers or [None] * len(outgoing.values)
            rows = zip(outgoing.values, headers, outgoing.requests, strict=True)
            for value, own, request in rows:
                found.append(LocalResult(outgoing.topic, value, own or (), request))

        records = [
            MadeRecord(body, headers, key, self._next_offset + i, 0, timestamp_ms, self._topic)
            for i, (key, body, headers, timestamp_ms) in enumerate(requests)
        ]
        self._next_offset += len(records)
        try:
            if records:
                self._pipeline.admit(records, publish)
            while n_open := self._pipeline.n_open:
                self._pipeline.step(publish, Turn(slice_ms=1000.0))
                if self._pipeline.n_open == n_open:  # a model is being loaded
                    time.sleep(_LOOK_S)
        except BaseException:
            self._pipeline.drop([0])  # else the next call would answer what this one left
            raise
        return found
