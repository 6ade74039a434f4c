"""Asking without Kafka: the worker's pipeline in this process."""

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ounce_edge.worker.local import LocalWorker
from ounce_schemas.request import HEADER_ID
from ounce_schemas.topics import dead_letters_topic

from ounce_services.client.answer import Answer, RefusedError, read_answer, read_refusal
from ounce_services.client.request import Targets, as_body, make_headers


class LocalClient:
    """Asks models of this machine.

    Args:
        models: folder that `ounce train` writes.
        task: name of the task.
        policy: a routing policy's file; None: the built-in policy.

    Raises:
        OunceError: the models or the policy can't be used.
    """

    def __init__(self, models: Path, task: str, policy: Path | None = None) -> None:
        self._worker = LocalWorker(models, task, policy)
        self._letters = dead_letters_topic(task)

    def ask(self, rows: Sequence[Any], targets: Targets) -> list[Answer | RefusedError]:
        """What comes of each of some requests, in their order.

        Args:
            rows: as for `Client.send`.
            targets: of all of them.
        """
        ids = [uuid.uuid4().hex for _ in rows]
        requests = [
            (as_body(row), make_headers(id_, targets)) for id_, row in zip(ids, rows, strict=True)
        ]
        found: dict[str, Answer | RefusedError] = {}
        for result in self._worker.answer(requests):
            headers = dict(result.headers)
            id_ = (headers.get(HEADER_ID) or b"").decode()
            is_letter = result.topic == self._letters
            found[id_] = (
                read_refusal(id_, headers) if is_letter else read_answer(result.value or b"")
            )
        return [found[id_] for id_ in ids]
