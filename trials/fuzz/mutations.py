"""Messages that are wrong in some way, made from valid ones."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.support.edge.ladders import FakeRecord, raw

Headers = list[tuple[str, bytes | None]]

_TEXTS = (
    b"", b"\xff\xfe", b"0", b"-1", b"nan", b"inf", b"1e999", b"0x10", b" 5 ", b"5;q=1", b"\x00",
    "٣".encode(), b"9" * 400, b"null", b"true", b"application/json", b"application/octet-stream",
    b"application/json; charset=utf-16", b"text/plain", b"1_0", b"+.5", b"1,5", b"i" * 5000,
)  # fmt: skip
_NAMES = (
    "ce_id", "ce_source", "ce_maxlatencyms", "ce_minaccuracy", "content-type", "traceparent",
    "ce_type", "x", "",
)  # fmt: skip
_VALUES: Sequence[Any] = (
    None, True, False, 0, -1, 1.5, 1e308, -1e308, 10**30, "", "a", "NaN", [], [[]], {}, {"a": 1},
    [1, 2, 3, 4], ["1", "2"], [None] * 4, [1e39] * 4, [[1, 2], [3, 4]], "input", "FP32", "BYTES",
    "FP64", "label", "\ud83d\ude00", "i" * 5000,
)  # fmt: skip


class Mutator:
    """Draws messages from a seed: the same seed gives the same messages."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def good(self, offset: int) -> FakeRecord:
        """A valid request, raw or JSON."""
        if self._rng.random() < 0.5:
            return FakeRecord(raw(1, 2, 3, 4), None, offset_=offset)
        return FakeRecord(json.dumps(self._document()).encode(), None, offset_=offset)

    def any(self, offset: int) -> FakeRecord:
        """A request that was changed in one to four ways; it may still be valid."""
        headers = self._headers()
        kind = self._rng.integers(6)
        value: bytes | None
        if kind == 0:
            value = self._rng.bytes(int(self._rng.integers(0, 64)))
        elif kind == 1:
            value = raw(*self._rng.choice([1.0, 20.0, -1.0, np.nan, np.inf, 1e-40], 4))
        elif kind == 2:
            value = None if self._rng.random() < 0.5 else b""
        else:
            document: Any = self._document()
            for _ in range(int(self._rng.integers(1, 5))):
                document = self._change(document)
            value = json.dumps(document).encode(errors="surrogatepass")
            if kind == 5:
                value = self._damage(value)
        return FakeRecord(value, headers, key_=self._key(), offset_=offset)

    def _document(self) -> dict[str, Any]:
        return {
            "inputs": [
                {"name": "input", "shape": [1, 4], "datatype": "FP32", "data": [1.0, 2.0, 3.0, 4.0]}
            ]
        }

    def _headers(self) -> Headers | None:
        n = int(self._rng.integers(0, 5))
        if n == 0:
            return None
        names = self._rng.choice(_NAMES, n).tolist()
        return [
            (name, None if self._rng.random() < 0.1 else _TEXTS[self._rng.integers(len(_TEXTS))])
            for name in names
        ]

    def _key(self) -> bytes | None:
        return None if self._rng.random() < 0.3 else self._rng.bytes(3)

    def _change(self, part: Any) -> Any:
        """Replace, drop, add or repeat something somewhere inside."""
        if isinstance(part, dict) and part:
            key = list(part)[self._rng.integers(len(part))]
            action = self._rng.integers(5)
            if action == 0:
                return {k: v for k, v in part.items() if k != key}
            if action == 1:
                return {**part, key: self._value()}
            if action == 2:
                extra = ("id", "parameters", "outputs", "name", "x")[self._rng.integers(5)]
                return {**part, extra: self._value()}
            return {**part, key: self._change(part[key])}
        if isinstance(part, list) and part:
            i = int(self._rng.integers(len(part)))
            action = self._rng.integers(4)
            if action == 0:
                return part[:i] + part[i + 1 :]
            if action == 1:
                return [*part, part[i]] * (200 if self._rng.random() < 0.01 else 1)
            if action == 2:
                return [*part[:i], self._value(), *part[i + 1 :]]
            return [*part[:i], self._change(part[i]), *part[i + 1 :]]
        value = self._value()
        for _ in range(int(self._rng.integers(0, 3))):
            value = [value] if self._rng.random() < 0.5 else {"a": value}
        return value

    def _value(self) -> Any:
        return _VALUES[int(self._rng.integers(len(_VALUES)))]

    def _damage(self, value: bytes) -> bytes:
        """Flip, cut, double or fill in bytes."""
        damaged = bytearray(value)
        for _ in range(int(self._rng.integers(1, 4))):
            i = int(self._rng.integers(len(damaged) + 1))
            action = self._rng.integers(4)
            if action == 0 and i < len(damaged):
                damaged[i] ^= 1 << int(self._rng.integers(8))
            elif action == 1:
                del damaged[i:]
            elif action == 2:
                damaged[i:i] = b"[" * int(self._rng.choice([1, 5, 3000]))
            else:
                damaged[i:i] = self._rng.bytes(2)
        return bytes(damaged)
