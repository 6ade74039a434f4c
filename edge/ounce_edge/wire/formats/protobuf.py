"""Protobuf bodies in Confluent's framing. Needs the extra `registry`."""

from typing import Any

from ounce_edge.wire.formats.schemas import Reader, Schema

_MOST_INDEXES = 32


def protobuf_reader(schema: Schema) -> Reader:
    """Reads bodies of one schema, which begin with the place of their message in it.

    Args:
        schema: of Protobuf.

    Raises:
        ValueError: it can't be used.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool

    try:
        files = descriptor_pb2.FileDescriptorSet.FromString(schema.content).file
        pool = descriptor_pool.DescriptorPool()
        for file in files:
            pool.Add(file)
        described = pool.FindFileByName(files[-1].name)
    except Exception as e:  # of many kinds
        raise ValueError(f"it is no Protobuf schema: {e}") from None
    top = list(described.message_types_by_name.values())
    names = [message.name for message in files[-1].message_type]
    top.sort(key=lambda message: names.index(message.name))
    classes: dict[tuple[int, ...], Any] = {}

    def read(body: bytes) -> Any:
        indexes, at = _read_indexes(body)
        if indexes not in classes:
            classes[indexes] = _class_at(top, indexes)
        return _values(classes[indexes], body[at:])

    return read


def _class_at(messages: list[Any], indexes: tuple[int, ...]) -> Any:
    from google.protobuf import message_factory

    found = None
    for index in indexes:
        if not 0 <= index < len(messages):
            raise ValueError(f"the schema has no message {list(indexes)}")
        found = messages[index]
        messages = list(found.nested_types)
    return message_factory.GetMessageClass(found)


def _values(message_class: Any, body: bytes) -> Any:
    from google.protobuf import json_format

    message = message_class.FromString(body)
    if body and not message.ListFields():
        raise ValueError(f"no field of message {message_class.DESCRIPTOR.full_name} is in it")
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _read_indexes(body: bytes) -> tuple[tuple[int, ...], int]:
    """Where the message stands in the schema, level by level; and how many bytes say so."""
    n, at = _read_varint(body, 0)
    if n == 0:  # short for the first message
        return (0,), at
    if not 0 < n <= _MOST_INDEXES:
        raise ValueError(f"a message at {n} levels")
    indexes = []
    for _ in range(n):
        index, at = _read_varint(body, at)
        indexes.append(index)
    return tuple(indexes), at


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    """A zigzag number, and where it ends."""
    number = 0
    for i, byte in enumerate(body[at : at + 5]):
        number |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return number >> 1 ^ -(number & 1), at + i + 1
    raise ValueError("it is cut off within the message's place")
