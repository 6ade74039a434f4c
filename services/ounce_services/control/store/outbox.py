"""What goes to Kafka is written here first, in one transaction, and then carried there.

Whoever is killed between the two leaves a record that waits; the next start carries it. A carrier
finds out by itself whether Kafka has the record already, so none is written twice in effect.
"""

import logging
import threading
import time
import uuid
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

from ounce_schemas.errors import BrokerError
from sqlalchemy import Select, select, update
from sqlalchemy.exc import IntegrityError

from ounce_services.control.errors import StaleError
from ounce_services.control.store.audit_line import current_line, settle
from ounce_services.control.store.database import Database
from ounce_services.control.store.tables import OutboxRow

_log = logging.getLogger(__name__)


class State(StrEnum):
    """How far a record is."""

    WAITING = "waiting"
    """Kafka has not confirmed it."""
    IN_FORCE = "in-force"
    """Kafka holds it."""
    REFUSED = "refused"
    """It is not in force and never will be: Kafka holds something else in its place."""


class Kind(StrEnum):
    """What a record is."""

    POLICY = "policy"
    MODELS = "models"


class Record(NamedTuple):
    """One that is to be carried."""

    kind: Kind
    subject: str
    """Of models: the task. Two with one subject are in an order."""
    number: int
    """Its place in that order."""
    payload: str
    """As Kafka gets it."""

    @property
    def name(self) -> str:
        """As the audit log calls it."""
        return f"v{self.number}" if self.kind is Kind.POLICY else f"number {self.number}"


def policy_record(number: int, payload: str) -> Record:
    """A version of the policy."""
    return Record(Kind.POLICY, "policy", number, payload)


def models_record(task: str, number: int, payload: str) -> Record:
    """Which release of a task serves."""
    return Record(Kind.MODELS, task, number, payload)


class Fate(NamedTuple):
    """What became of a record."""

    state: State
    reason: str = ""


class Carrier(Protocol):
    """Takes records of one kind to Kafka."""

    def carry(self, record: Record) -> Fate:
        """Write it, unless it is there already.

        Raises:
            BrokerError: not now; it is tried again.
        """


class Outbox:
    """Records on their way.

    Args:
        database: holds them.
        carriers: by kind.
    """

    def __init__(self, database: Database, carriers: Mapping[Kind, Carrier]) -> None:
        self._database = database
        self._carriers = carriers
        self._lock = threading.Lock()

    def send(self, record: Record) -> Fate:
        """Take a record, and try to carry it at once. Where Kafka is away, it waits.

        Raises:
            StaleError: another one has its place.
        """
        id_ = self.take(record)
        self.carry_waiting()
        return self.fate(id_)

    def take(self, record: Record) -> str:
        """Write a record down.

        Returns:
            Its id here.

        Raises:
            StaleError: another one has its place.
        """
        id_ = uuid.uuid4().hex
        row = OutboxRow(
            id=id_,
            state=State.WAITING,
            reason="",
            at_ms=int(time.time() * 1e3),
            audit_id=current_line.get(),
            **record._asdict(),
        )
        try:
            with self._database.begin() as session:
                session.add(row)
        except IntegrityError as e:
            raise StaleError(
                f"somebody else made number {record.number} of {record.subject} meanwhile: "
                "read it, then try again"
            ) from e
        return id_

    def carry_waiting(self) -> None:
        """Carry what waits, the oldest first. Where Kafka is away, the rest waits on."""
        with self._lock:
            while self._carry_one():
                pass

    def fate(self, id_: str) -> Fate:
        """What became of a record."""
        with self._database.begin() as session:
            row = session.get_one(OutboxRow, id_)
            return Fate(State(row.state), row.reason)

    def has_sent(self, record: Record) -> bool:
        """Whether a record was sent from here, or waits."""
        same = (getattr(OutboxRow, name) == value for name, value in record._asdict().items())
        live = (*same, OutboxRow.state != State.REFUSED)
        with self._database.begin() as session:
            return session.scalars(select(OutboxRow.id).where(*live).limit(1)).first() is not None

    def waiting(self) -> list[Record]:
        """What waits, the oldest first."""
        with self._database.begin() as session:
            return [_record(row) for row in session.scalars(_waiting_rows())]

    def _carry_one(self) -> bool:
        """Whether one was carried. No transaction is open meanwhile: Kafka may take its time, and
        two control planes that carry the same record do no harm."""
        with self._database.begin() as session:
            row = session.scalars(_waiting_rows().limit(1)).first()
        if row is None:
            return False
        try:
            fate = self._carriers[Kind(row.kind)].carry(_record(row))
        except BrokerError as e:
            _log.warning("%s %s waits for Kafka: %s", row.kind, row.number, e)
            return False
        fate = fate._replace(reason=fate.reason.replace("\0", ""))  # PostgreSQL takes none
        with self._database.begin() as session:
            still = (OutboxRow.id == row.id, OutboxRow.state == State.WAITING)
            values = {"state": fate.state, "reason": fate.reason}
            session.execute(update(OutboxRow).where(*still).values(values))
            if row.audit_id is not None:
                settle(session, row.audit_id, _outcome(_record(row), fate))
        return True


def _waiting_rows() -> Select[OutboxRow]:
    return (
        select(OutboxRow)
        .where(OutboxRow.state == State.WAITING)
        .order_by(OutboxRow.at_ms, OutboxRow.number)
    )


def _outcome(record: Record, fate: Fate) -> str:
    is_refused = fate.state is State.REFUSED
    return f"refused: {fate.reason}" if is_refused else f"{record.name} {fate.state}"


def _record(row: OutboxRow) -> Record:
    return Record(Kind(row.kind), row.subject, row.number, row.payload)
