"""Keeps keys with access to the database, for whoever has the command line."""

from ounce_services.control.access.audit import Audit
from ounce_services.control.access.keys import Key, Keys
from ounce_services.control.access.principal import COMMAND_LINE, Role
from ounce_services.control.settings import DatabaseSettings
from ounce_services.control.store.database import Database


class KeyKeeper:
    """Makes, lists and revokes keys; the audit log tells of it.

    Args:
        settings: where the database is.

    Raises:
        OunceError: it can't be opened.
    """

    def __init__(self, settings: DatabaseSettings) -> None:
        self._database = Database(settings.database)
        self._keys, self._audit = Keys(self._database), Audit(self._database)

    def make(self, name: str, role: Role, tenant: str | None) -> str:
        """Make a key; its text, which is shown this once."""
        with self._audit.watch(COMMAND_LINE, "key.make", f"{name} {role}") as note:
            text, made = self._keys.make(name, role, tenant)
            note(f"key {made.id}")
        return text

    def all(self) -> list[Key]:
        """All keys."""
        return self._keys.list(COMMAND_LINE)

    def revoke(self, id_: str) -> Key:
        """End the key of this id, and everything that is logged in with it."""
        with self._audit.watch(COMMAND_LINE, "key.revoke", id_):
            return self._keys.revoke(id_, COMMAND_LINE)

    def close(self) -> None:
        """Leave the database."""
        self._database.close()
