"""The fast path of decoding: bodies that are all in one format become one array at once."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.task import TaskSpec

from ounce_edge.wire.batch import OutputNames
from ounce_edge.wire.formats.framed import may_be_framed
from ounce_edge.wire.formats.json_text import is_json
from ounce_edge.wire.requests.parsing import RequestParser
from ounce_edge.wire.requests.request_body import plain_bodies
from ounce_edge.wire.requests.request_head import MAX_ID_CHARS, RequestHead
from ounce_edge.wire.requests.tensor_values import all_acceptable


class Alike(NamedTuple):
    """What bodies of one format hold."""

    array: NDArray[Any]
    """Their inputs, one after the other."""
    outputs: OutputNames
    """Outputs that their answers hold."""
    ids: Sequence[str | None] = ()
    """Ids in the bodies; empty where none has one."""


class AlikeReader:
    """Reads bodies of one task, where all are alike and nothing is wrong with any.

    Args:
        task: of one raw input.
        parser: of the task's requests.
        max_bytes: of a body.
    """

    def __init__(self, task: TaskSpec, parser: RequestParser, max_bytes: int) -> None:
        self._spec = task.inputs[0]
        self._holds_pixels = task.image is not None
        self._parser = parser
        self._formats = parser.formats
        self._max_bytes = max_bytes

    def read(
        self,
        values: Sequence[bytes],
        heads: Sequence[RequestHead],
        said_json: Collection[bool | None],
    ) -> Alike | None:
        """What the bodies hold; None where they may not be alike.

        Args:
            values: at least one body, none empty.
            heads: of each.
            said_json: what the heads say of the bodies being JSON.
        """
        lengths = set(map(len, values))
        if max(lengths) > self._max_bytes or self._formats.may_be_files(values):
            return None
        found = None
        if True not in said_json and lengths == {self._parser.raw_bytes}:
            found = self._read_raw(values, heads)
        if found is None and False not in said_json and self._spec.datatype == "FP32":
            found = self._read_json(values)
        return found if found is not None and all_acceptable(found.array, self._spec) else None

    def _read_raw(self, values: Sequence[bytes], heads: Sequence[RequestHead]) -> Alike | None:
        """Raw bodies of the right length; None if one may be something else."""
        joined = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), -1)
        if self._formats.framed is not None and may_be_framed(joined).any():
            return None
        starts = joined[:, 0]
        doubtful = ((starts == ord("{")) | (starts == ord("["))).nonzero()[0].tolist()
        if any(heads[i].is_json is None and is_json(values[i]) for i in doubtful):
            return None
        array = joined if self._holds_pixels else joined.view("<f4")
        return Alike(array, self._parser.short)

    def _read_json(self, values: Sequence[bytes]) -> Alike | None:
        """Bodies of the Open Inference Protocol, or flat JSON."""
        bodies = plain_bodies(values, self._spec) or self._formats.flat.bodies(values)
        if bodies is None:
            return None
        array, ids = bodies
        if ids and max(len(id_ or "") for id_ in ids) > MAX_ID_CHARS:
            return None
        return Alike(array, self._parser.all, ids)
