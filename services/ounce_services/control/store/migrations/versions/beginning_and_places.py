"""When the database began; of two that wait for one place in the outbox one is taken."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TAKEN_ONCE = "outbox_of_two_at_once_one_is_taken"
_PLACE = ["kind", "subject", "number"]


def upgrade() -> None:
    """Add them. Tables that hold something are older than this; since when is not known."""
    beginning = op.create_table(
        "beginning",
        sa.Column("at_ms", sa.BigInteger, primary_key=True, autoincrement=False),
    )
    held = sa.text(
        "SELECT EXISTS (SELECT 1 FROM keys) OR EXISTS (SELECT 1 FROM audit)"
        " OR EXISTS (SELECT 1 FROM outbox) OR EXISTS (SELECT 1 FROM policy_versions)"
    )
    is_new = not op.get_bind().execute(held).scalar_one()
    op.bulk_insert(beginning, [{"at_ms": int(time.time() * 1e3) if is_new else 0}])
    op.drop_index(_TAKEN_ONCE, "outbox")
    _make_taken_once("state = 'waiting'")
    op.create_index("outbox_place", "outbox", _PLACE)


def downgrade() -> None:
    """Take them away."""
    op.drop_index("outbox_place", "outbox")
    op.drop_index(_TAKEN_ONCE, "outbox")
    _make_taken_once("state <> 'refused'")
    op.drop_table("beginning")


def _make_taken_once(where: str) -> None:
    some = sa.text(where)
    op.create_index(
        _TAKEN_ONCE, "outbox", _PLACE, unique=True, sqlite_where=some, postgresql_where=some
    )
