"""What was made of short keys that come back in most messages."""

from collections.abc import Callable
from typing import TypeVar

_Key = TypeVar("_Key", bound=bytes | str)
_Value = TypeVar("_Value")

_LONGEST_KEY = 100
"""A longer key is not kept: a thousand of a megabyte each would fill the worker's memory."""


class Remembered(dict[_Key, _Value]):
    """Values by key, made when a key is first asked for. Errors are not kept.

    Args:
        make: from a key to its value.
        most: keys that are kept.
    """

    def __init__(self, make: Callable[[_Key], _Value], most: int = 1024) -> None:
        self._make = make
        self._most = most

    def __missing__(self, key: _Key) -> _Value:
        value = self._make(key)
        if len(key) <= _LONGEST_KEY:
            if len(self) >= self._most:
                self.clear()
            self[key] = value
        return value
