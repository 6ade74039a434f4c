"""Tables of the database. Times are milliseconds since 1970."""

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAME_LENGTH = 200
TENANT_LENGTH = 200
_WAITS = text("state = 'waiting'")


class Base(DeclarativeBase):
    """All tables."""


class BeginningRow(Base):
    """When these tables were made. One row."""

    __tablename__ = "beginning"

    at_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class KeyRow(Base):
    """An API key; of its secret only a digest is here."""

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    role: Mapped[str] = mapped_column(String(16))
    tenant: Mapped[str | None] = mapped_column(String(TENANT_LENGTH))
    created_ms: Mapped[int] = mapped_column(BigInteger)
    revoked_ms: Mapped[int | None] = mapped_column(BigInteger)


class SessionRow(Base):
    """Somebody who is logged in to the console; of the cookie only a digest is here."""

    __tablename__ = "sessions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("keys.id"), index=True)
    expires_ms: Mapped[int] = mapped_column(BigInteger)


class AuditRow(Base):
    """What somebody did, or tried to do."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True
    )
    at_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    actor: Mapped[str] = mapped_column(String(NAME_LENGTH))
    tenant: Mapped[str | None] = mapped_column(String(TENANT_LENGTH))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(400))
    outcome: Mapped[str] = mapped_column(Text)


class OutboxRow(Base):
    """A record that goes to Kafka. It is here before it is there."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index(
            "outbox_of_two_at_once_one_is_taken",
            "kind",
            "subject",
            "number",
            unique=True,
            sqlite_where=_WAITS,
            postgresql_where=_WAITS,
        ),
        Index("outbox_place", "kind", "subject", "number"),
        Index("outbox_state", "state"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(64))
    number: Mapped[int] = mapped_column(BigInteger)
    payload: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text, default="")
    at_ms: Mapped[int] = mapped_column(BigInteger)
    audit_id: Mapped[int | None] = mapped_column(BigInteger)


class PolicyRow(Base):
    """A version of the policy, as Kafka holds it."""

    __tablename__ = "policy_versions"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(String(64))
    value: Mapped[str] = mapped_column(Text)
