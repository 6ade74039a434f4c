"""Who may call: by tokens of a file, which may be replaced while the front serves."""

import hashlib
import logging
from pathlib import Path

from ounce_schemas.errors import OunceError
from ounce_schemas.wording import counted

logger = logging.getLogger(__name__)

_LEAST_CHARS = 16


class TokensError(OunceError):
    """A file of tokens that can't be used."""


class Tokens:
    """Tokens that open the door.

    Args:
        path: file with a token in each line; blank lines and those that begin with # don't count.
            None: nobody is asked.

    Raises:
        TokensError: the file can't be used.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._digests = frozenset[bytes]() if path is None else _read(path)

    def permit(self, authorization: str) -> bool:
        """Whether a caller may go on.

        Args:
            authorization: the header; empty: there is none.
        """
        if self._path is None:
            return True
        scheme, _, token = authorization.partition(" ")
        # Digests: how long a look takes tells nothing of a token.
        return scheme.lower() == "bearer" and _digest(token.strip()) in self._digests

    def read_again(self) -> None:
        """Take what the file holds by now. Of a file that can't be used nothing counts, and the
        tokens stay."""
        if self._path is None:
            return
        try:
            digests = _read(self._path)
        except TokensError as e:
            logger.error("the tokens stay as they were: %s", e)
            return
        if digests != self._digests:
            logger.info("%s read anew from %s", counted(len(digests), "token"), self._path)
            self._digests = digests


def _read(path: Path) -> frozenset[bytes]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError as e:
        raise TokensError(f"--tokens-file {path}: can't be read: {e.strerror}") from e
    except UnicodeDecodeError:  # its text shows bytes of the file
        raise TokensError(f"--tokens-file {path}: can't be read: it is not UTF-8") from None
    tokens = [(i, line) for i, line in enumerate(lines, 1) if line and not line.startswith("#")]
    if not tokens:
        raise TokensError(f"--tokens-file {path}: holds no token")
    for i, token in tokens:
        if len(token) < _LEAST_CHARS or not token.isascii() or " " in token:
            raise TokensError(
                f"--tokens-file {path}: line {i} is no token of {_LEAST_CHARS} or more characters "
                "of ASCII without blanks"
            )
    return frozenset(_digest(token) for _, token in tokens)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
