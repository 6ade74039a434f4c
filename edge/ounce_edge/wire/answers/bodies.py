"""Bodies of answers, made of parts that many share."""

from collections.abc import Iterator, Sequence
from typing import overload


class Bodies(Sequence[bytes]):
    """Answers, each joined from its parts only when it is taken.

    An answer that is handed on before the next one is made stays in the processor's cache, and the
    next one takes its memory. Thousands that are made first and handed on then do not.

    Args:
        columns: the parts; each column has one entry per answer.
    """

    def __init__(self, columns: Sequence[Sequence[bytes]]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns[0])

    def __iter__(self) -> Iterator[bytes]:
        return map(b"".join, zip(*self._columns, strict=True))

    @overload
    def __getitem__(self, at: int) -> bytes: ...

    @overload
    def __getitem__(self, at: slice) -> "Bodies": ...

    def __getitem__(self, at: int | slice) -> "bytes | Bodies":
        if isinstance(at, slice):
            return Bodies([column[at] for column in self._columns])
        return b"".join([column[at] for column in self._columns])
