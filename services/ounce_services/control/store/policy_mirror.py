"""Versions of the policy in the database, as Kafka holds them: readable while Kafka is away."""

from ounce_schemas.policy_history import PolicyHistory
from sqlalchemy import delete, select

from ounce_services.control.store.database import Database
from ounce_services.control.store.tables import PolicyRow


class PolicyMirror:
    """What was last read of Kafka."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def history(self) -> PolicyHistory:
        """All versions."""
        with self._database.begin() as session:
            rows = session.scalars(select(PolicyRow).order_by(PolicyRow.number)).all()
        history = PolicyHistory()
        for row in rows:
            history.take(row.value.encode())
        return history

    def follow(self, truth: PolicyHistory) -> None:
        """Hold what Kafka holds. Versions never change; where Kafka has others than are here, its
        topic was made anew, and all of them go. Several may follow at once."""
        with self._database.begin_alone() as session:
            query = select(PolicyRow.number, PolicyRow.id)
            here = {row.number: row.id for row in session.execute(query)}
            gone = [
                n for n, id_ in here.items() if (v := truth.versions.get(n)) is None or v.id != id_
            ]
            if gone:
                session.execute(delete(PolicyRow))
                here = {}
            for number, version in truth.versions.items():
                if number not in here:
                    value = version.model_dump_json()
                    session.merge(PolicyRow(number=number, id=version.id, value=value))
