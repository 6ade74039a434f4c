"""API keys: made once, shown once, kept as digests.

A key is `ounce_ID_SECRET`. The secret has 256 random bits, so one round of SHA-256 keeps it: there
is nothing to guess, as there would be in a password.
"""

import hashlib
import hmac
import re
import secrets
import time
from typing import NamedTuple

from sqlalchemy import select

from ounce_services.control.access.principal import Principal, Role
from ounce_services.control.errors import NotFoundError, UnauthorizedError
from ounce_services.control.store.database import Database
from ounce_services.control.store.tables import KeyRow, SessionRow

_KEY = re.compile(r"ounce_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_UNKNOWN = "the key is not known, or was revoked"
SESSION_S = 12 * 3600
"""A working day in the console."""


class Key(NamedTuple):
    """What is told of a key."""

    id: str
    name: str
    role: Role
    tenant: str | None
    created_ms: int
    revoked_ms: int | None


class Keys:
    """The keys of a database, and who is logged in with them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def make(self, name: str, role: Role, tenant: str | None = None) -> tuple[str, Key]:
        """A new key; its text is nowhere else from then on."""
        id_, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        row = KeyRow(
            id=id_,
            digest=_digest(secret),
            name=name,
            role=role,
            tenant=tenant,
            created_ms=_now_ms(),
        )
        with self._database.begin() as session:
            session.add(row)
        return f"ounce_{id_}_{secret}", _key(row)

    def find(self, text: str) -> Principal:
        """Whose key it is.

        Raises:
            UnauthorizedError: nobody's.
        """
        match = _KEY.fullmatch(text)
        if match is None:
            raise UnauthorizedError(_UNKNOWN)
        with self._database.begin() as session:
            row = session.get(KeyRow, match[1])
        digest = _digest(match[2])
        if row is None or not hmac.compare_digest(row.digest, digest) or row.revoked_ms:
            raise UnauthorizedError(_UNKNOWN)
        return _principal(row)

    def list(self, caller: Principal) -> list[Key]:
        """Those that the caller may see, the oldest first."""
        with self._database.begin() as session:
            rows = session.scalars(select(KeyRow).order_by(KeyRow.created_ms, KeyRow.id)).all()
        return [_key(row) for row in rows if caller.may_see(row.tenant)]

    def revoke(self, id_: str, caller: Principal) -> Key:
        """End a key and everything that is logged in with it.

        Raises:
            NotFoundError: there is none that the caller may see.
        """
        with self._database.begin() as session:
            row = session.get(KeyRow, id_)
            if row is None or not caller.may_see(row.tenant):
                raise NotFoundError(f"there is no key {id_}")
            row.revoked_ms = row.revoked_ms or _now_ms()
        return _key(row)

    def log_in(self, text: str) -> tuple[str, Principal]:
        """A session of the console: the value of its cookie, and whose it is.

        Raises:
            UnauthorizedError: the key is not known.
        """
        principal = self.find(text)
        token, now_ms = secrets.token_urlsafe(32), _now_ms()
        with self._database.begin() as session:
            expired = select(SessionRow).where(SessionRow.expires_ms < now_ms)
            for row in session.scalars(expired):
                session.delete(row)
            expires_ms = now_ms + SESSION_S * 1000
            session.add(
                SessionRow(digest=_digest(token), key_id=principal.key_id, expires_ms=expires_ms)
            )
        return token, principal

    def of_session(self, token: str) -> Principal:
        """Who is logged in.

        Raises:
            UnauthorizedError: nobody, or the session has ended.
        """
        with self._database.begin() as session:
            row = session.get(SessionRow, _digest(token))
            key = None if row is None else session.get(KeyRow, row.key_id)
        if row is None or key is None or row.expires_ms < _now_ms() or key.revoked_ms:
            raise UnauthorizedError("log in with a key")
        return _principal(key)

    def log_out(self, token: str) -> None:
        """End a session."""
        with self._database.begin() as session:
            row = session.get(SessionRow, _digest(token))
            if row is not None:
                session.delete(row)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _now_ms() -> int:
    return int(time.time() * 1e3)


def _principal(row: KeyRow) -> Principal:
    return Principal(row.name, Role(row.role), row.tenant, row.id)


def _key(row: KeyRow) -> Key:
    return Key(row.id, row.name, Role(row.role), row.tenant, row.created_ms, row.revoked_ms)
