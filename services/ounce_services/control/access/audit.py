"""The audit log: who changed or tried to change what."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ounce_schemas.errors import OunceError
from sqlalchemy import and_, or_, select
from sqlalchemy.exc import SQLAlchemyError

from ounce_services.control.access.principal import Principal
from ounce_services.control.store.audit_line import BEGUN, current_line, settle
from ounce_services.control.store.database import Database, why
from ounce_services.control.store.tables import NAME_LENGTH, AuditRow, BeginningRow

_log = logging.getLogger(__name__)
MOST_SHOWN = 1000


class Entry(NamedTuple):
    """One line of it."""

    id: int
    at_ms: int
    actor: str
    tenant: str | None
    action: str
    subject: str
    outcome: str


class Seen(NamedTuple):
    """What somebody did elsewhere."""

    at_ms: int
    actor: str
    action: str
    subject: str
    outcome: str


class Audit:
    """Appends to the log. A line gets its outcome once, and another where it waited; nothing else
    changes or removes one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def began_ms(self) -> int:
        """Since when there is a log, in ms since 1970."""
        with self._database.begin() as session:
            return session.scalars(select(BeginningRow.at_ms)).one()

    def add(self, caller: Principal, action: str, subject: str, outcome: str) -> int:
        """One more line; its id."""
        now_ms = int(time.time() * 1e3)
        row = _row(Seen(now_ms, caller.name, action, subject, outcome), caller.tenant)
        with self._database.begin() as session:
            session.add(row)
        return row.id

    def add_seen(self, seen: Seen, is_once: bool = False) -> None:
        """One more line, of the time when it was done; none where the log has it already.

        Args:
            seen: what was done.
            is_once: whether it is the same whoever did it, and whenever.
        """
        row = _row(seen, None)
        same = [AuditRow.action == row.action, AuditRow.subject == row.subject]
        if not is_once:
            same += [AuditRow.at_ms == row.at_ms, AuditRow.actor == row.actor]
        with self._database.begin_alone() as session:
            if session.scalars(select(AuditRow.id).where(*same).limit(1)).first() is None:
                session.add(row)

    @contextmanager
    def watch(
        self, caller: Principal, action: str, subject: str
    ) -> Iterator[Callable[[str], None]]:
        """One line of what the block does. It is there before the block begins, so what is done
        has a line, whenever the process or the database ends. The line then gets its outcome: in
        the words that the block hands over, or why it was refused. Where the database does not take
        that, what was done is done all the same: the line stays as it began. What goes through the
        outbox gets its outcome from who carries it, also after the next start."""
        id_ = self.add(caller, action, subject, BEGUN)
        outcomes = ["done"]
        token = current_line.set(id_)
        try:
            yield outcomes.append
        except OunceError as e:
            self._end(id_, f"refused: {e}")
            raise
        finally:
            current_line.reset(token)
        self._end(id_, outcomes[-1])

    def _end(self, id_: int, outcome: str) -> None:
        try:
            with self._database.begin() as session:
                settle(session, id_, _outcome(outcome))
        except SQLAlchemyError as e:
            _log.warning("line %d of the audit log gets no outcome (%s): %s", id_, outcome, why(e))

    def newest(self, caller: Principal, limit: int, before: int | None = None) -> list[Entry]:
        """Lines that the caller may see, the newest first: by the time of what was done.

        Args:
            caller: who asks.
            limit: at most so many.
            before: only those behind the line of this id.
        """
        query = select(AuditRow).order_by(AuditRow.at_ms.desc(), AuditRow.id.desc())
        if caller.tenant is not None:
            query = query.where(AuditRow.tenant == caller.tenant)
        with self._database.begin() as session:
            if before is not None:
                at = select(AuditRow.at_ms).where(AuditRow.id == before).scalar_subquery()
                older = and_(AuditRow.at_ms == at, AuditRow.id < before)
                query = query.where(or_(AuditRow.at_ms < at, older))
            rows = session.scalars(query.limit(min(limit, MOST_SHOWN))).all()
        return [
            Entry(r.id, r.at_ms, r.actor, r.tenant, r.action, r.subject, r.outcome) for r in rows
        ]


def _row(seen: Seen, tenant: str | None) -> AuditRow:
    return AuditRow(
        at_ms=seen.at_ms,
        actor=_text(seen.actor)[:NAME_LENGTH],
        tenant=tenant,
        action=seen.action,
        subject=_text(seen.subject)[:400],
        outcome=_outcome(seen.outcome),
    )


def _outcome(text: str) -> str:
    return _text(text)[:4000]


def _text(text: str) -> str:
    return text.replace("\0", "")  # PostgreSQL takes none
