"""Confluent's framing: a zero byte and a schema's id before a body of that schema."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import InvalidMessageError, Reason

from ounce_edge.wire.formats.avro import avro_reader
from ounce_edge.wire.formats.json_text import read_document
from ounce_edge.wire.formats.protobuf import protobuf_reader
from ounce_edge.wire.formats.schemas import Reader, Schema, Schemas

FRAME_BYTES = 5
_MAKERS: Mapping[str, Callable[[Schema], Reader]] = {
    "AVRO": avro_reader,
    "PROTOBUF": protobuf_reader,
    "JSON": lambda schema: read_document,
}
_MOST_READERS = 1024
_LIKELY_IDS = range(1, 1 << 20)
"""A raw tensor may begin with a zero byte. Where a body may be one, only such ids are looked up:
registries count from 1, and most numbers make ids far beyond."""


def schema_id_of(value: bytes) -> int | None:
    """The id that stands before a body; None where it is not framed."""
    if value[:1] != b"\0" or len(value) < FRAME_BYTES or value[:2] in (b"\0{", b"\0["):
        return None  # a brace there is of JSON in UTF-16
    return int.from_bytes(value[1:FRAME_BYTES])


def is_likely_id(schema_id: int) -> bool:
    """Whether the first bytes of what may be a raw tensor could be a schema's id."""
    return schema_id in _LIKELY_IDS


def may_be_framed(bodies: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of some raw bodies may be framed.

    Args:
        bodies: array of shape (n, size).

    Returns:
        Array of shape (n,).
    """
    if bodies.shape[1] < FRAME_BYTES:
        return np.zeros(len(bodies), dtype=bool)
    ids = np.ascontiguousarray(bodies[:, 1:FRAME_BYTES]).view(">u4")[:, 0]
    likely = (ids >= _LIKELY_IDS.start) & (ids < _LIKELY_IDS.stop)
    return np.asarray((bodies[:, 0] == 0) & likely)


class FramedReader:
    """Reads framed bodies.

    Args:
        schemas: knows their schemas.
    """

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._readers: dict[int, Reader] = {}

    def read(self, schema_id: int, value: bytes) -> Any:
        """The values of a body, as JSON has them.

        Raises:
            InvalidMessageError: its schema can't be had or used, or it is of another one.
        """
        read = self._readers.get(schema_id)
        if read is None:
            read = self._make(schema_id)
            if len(self._readers) >= _MOST_READERS:
                self._readers.clear()
            self._readers[schema_id] = read
        try:
            return read(value[FRAME_BYTES:])
        except InvalidMessageError:
            raise
        except Exception as e:  # decoders raise many kinds
            raise InvalidMessageError(
                Reason.WRONG_SCHEMA,
                f"the body is not of schema {schema_id}, which it names: {type(e).__name__} {e}",
            ) from None

    def _make(self, schema_id: int) -> Reader:
        schema = self._schemas.schema(schema_id)
        make = _MAKERS.get(schema.kind)
        try:
            if make is None:
                raise ValueError(f"its kind is none of {list(_MAKERS)}")
            return make(schema)
        except ValueError as e:
            raise InvalidMessageError(
                Reason.UNKNOWN_SCHEMA,
                f"schema {schema_id} ({schema.kind[:40]}) can't be used: {e}",
            ) from None
