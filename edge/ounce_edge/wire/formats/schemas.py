"""Schemas that bodies are written by, and who knows them."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

Reader = Callable[[bytes], Any]
"""Gives the values that a body holds, as JSON has them. Raises any exception where it is of another
schema."""


class Schema(NamedTuple):
    """A schema as a registry keeps it."""

    kind: str
    """AVRO, PROTOBUF or JSON."""
    content: bytes
    """Of Avro its JSON, of Protobuf a `FileDescriptorSet` whose last file is the schema."""
    needed: tuple[bytes, ...] = ()
    """Contents of Avro schemas that it names, each behind those that it names itself."""


class Schemas(Protocol):
    """Knows schemas by the ids that stand before bodies."""

    def schema(self, schema_id: int) -> Schema:
        """The schema.

        Raises:
            InvalidMessageError: there is none, or it can't be had.
        """
