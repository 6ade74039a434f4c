"""The line of the audit log that a change belongs to: who carries the change ends it, too."""

from contextvars import ContextVar

from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from ounce_services.control.store.tables import AuditRow

BEGUN = "begun: how it ended is not known"
"""Of what a control plane, or its database, did not live to see the end of."""
WAITING = "waiting"
"""How the outcome ends of what waits for Kafka."""
current_line: ContextVar[int | None] = ContextVar("current_line", default=None)
"""Id of the line of what is being done; None: it has none."""


def settle(session: Session, line: int, outcome: str) -> None:
    """Give a line its outcome, unless it has one that is final."""
    is_open = or_(AuditRow.outcome == BEGUN, AuditRow.outcome.endswith(WAITING))
    if outcome.endswith(WAITING):  # it may have been carried meanwhile
        is_open = AuditRow.outcome == BEGUN
    session.execute(update(AuditRow).where(AuditRow.id == line, is_open).values(outcome=outcome))
