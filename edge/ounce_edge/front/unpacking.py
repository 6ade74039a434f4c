"""Bodies that come packed. Pure.

A body that ends too early is refused: half of a table would be answered like a whole one.
"""

import zlib

from ounce_edge.front.statuses import NotAnsweredError

_GZIP_BITS = zlib.MAX_WBITS | 16
_ZLIB_METHOD = 8
"""In the first byte of what RFC 9110 calls deflate; some senders leave that head out."""


class Unpacker:
    """Unpacks one body, piece by piece.

    Args:
        encoding: `Content-Encoding` of the call; none: nothing is packed.

    Raises:
        NotAnsweredError: nothing here reads it.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding.strip().lower()
        if self._encoding not in ("", "identity", "gzip", "deflate"):
            text = (
                f"Content-Encoding {self._encoding[:40]!r} is not read: send gzip, deflate or none"
            )
            raise NotAnsweredError(415, text)
        self._is_packed = self._encoding in ("gzip", "deflate")
        self._stream = zlib.decompressobj(_GZIP_BITS)
        self._is_begun = False

    def feed(self, piece: bytes, most: int) -> bytes:
        """What a piece holds.

        Args:
            piece: as it came.
            most: bytes that are wanted of it, 1 or more: what is left out then is lost.

        Raises:
            NotAnsweredError: it is packed in another way.
        """
        if not self._is_packed:
            return piece
        found: list[bytes] = []
        try:
            while piece and most > 0:
                if not self._is_begun or self._stream.eof:
                    self._begin(piece)
                found.append(self._stream.decompress(piece, most))
                most -= len(found[-1])
                piece = self._stream.unused_data
        except zlib.error as e:
            raise NotAnsweredError(400, f"the body is no {self._encoding}: {e}") from None
        return b"".join(found)

    def finish(self) -> None:
        """The body has ended.

        Raises:
            NotAnsweredError: before its end.
        """
        if self._is_begun and not self._stream.eof:
            raise NotAnsweredError(400, f"the body is cut off: its {self._encoding} has no end")

    def _begin(self, piece: bytes) -> None:
        """Begin a stream: files of gzip may follow each other (RFC 1952)."""
        if self._encoding == "gzip":
            self._stream = zlib.decompressobj(_GZIP_BITS)
        elif self._is_begun:
            raise zlib.error("data behind its end")
        else:
            has_head = piece[0] & 0xF == _ZLIB_METHOD
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if has_head else -zlib.MAX_WBITS)
        self._is_begun = True
