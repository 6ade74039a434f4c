"""A device that writes MQTT 3.1.1 on a socket by itself, as firmware without a library does."""

import socket
import struct
from typing import Self

_CONNECT, _PUBLISH_QOS_1, _SUBSCRIBE = 0x10, 0x32, 0x82
_CLEAN_SESSION = 2
_CONNACK, _PUBLISH, _PUBACK, _SUBACK = 2, 3, 4, 9
"""Upper four bits of a packet's first byte."""
_TIMEOUT_S = 120.0


class BareDevice:
    """Connects, listens to one topic, and publishes with QoS 1; a context manager."""

    def __init__(self, port: int, name: str, topic: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
        self._reader = self._socket.makefile("rb")
        flags = struct.pack("!BBH", 4, _CLEAN_SESSION, 0)  # version 4 is 3.1.1; never pinged
        self._send(_CONNECT, _text("MQTT") + flags + _text(name))
        assert self._read(_CONNACK) == b"\0\0"
        self._send(_SUBSCRIBE, b"\0\1" + _text(topic) + b"\1")
        assert self._read(_SUBACK) == b"\0\1\1"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self._socket.close()

    def ask(self, topic: str, body: bytes) -> tuple[str, bytes]:
        """Publish, wait for the acknowledgement and for a message: its topic and payload."""
        self._send(_PUBLISH_QOS_1, _text(topic) + b"\0\2" + body)
        assert self._read(_PUBACK) == b"\0\2"
        message = self._read(_PUBLISH)
        (length,) = struct.unpack_from("!H", message)
        return message[2 : 2 + length].decode(), message[4 + length :]

    def _send(self, first: int, body: bytes) -> None:
        length, rest = b"", len(body)
        while True:
            rest, low = divmod(rest, 128)
            length += bytes([low | (128 if rest else 0)])
            if not rest:
                break
        self._socket.sendall(bytes([first]) + length + body)

    def _read(self, kind: int) -> bytes:
        (first,) = self._reader.read(1)
        assert first >> 4 == kind, hex(first)
        length, shift = 0, 0
        while True:
            (low,) = self._reader.read(1)
            length |= (low & 127) << shift
            shift += 7
            if low < 128:
                return self._reader.read(length)


def _text(text: str) -> bytes:
    return struct.pack("!H", len(text)) + text.encode()
