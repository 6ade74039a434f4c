"""Who asks, and what that one may do."""

from dataclasses import dataclass
from enum import StrEnum

from ounce_services.control.errors import ForbiddenError


class Role(StrEnum):
    """What one may do; each may do what those before it may."""

    VIEWER = "viewer"
    """Look."""
    EDITOR = "editor"
    """Change policies and models, replay dead letters."""
    ADMIN = "admin"
    """Make and revoke keys, read the audit log."""

    def covers(self, other: "Role") -> bool:
        """Whether it may do all that `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True)
class Principal:
    """Who asks.

    Attributes:
        name: stands in the audit log and in what it changes.
        role: what it may do.
        tenant: the only tenant whose objects it may see; None: all.
        key_id: of the key that it came with; None: with a token, or access is open.
    """

    name: str
    role: Role
    tenant: str | None = None
    key_id: str | None = None

    def need(self, role: Role) -> None:
        """Raise ForbiddenError unless it has this role."""
        if not self.role.covers(role):
            raise ForbiddenError(f"{self.name} is {self.role}; this needs the role {role}")

    def need_all_tenants(self, what: str) -> None:
        """Raise ForbiddenError where it is bound to one tenant."""
        if self.tenant is not None:
            raise ForbiddenError(
                f"{self.name} is bound to tenant {self.tenant}; {what} is for all tenants"
            )

    def may_see(self, tenant: str | None) -> bool:
        """Whether objects of a tenant are its own."""
        return self.tenant is None or self.tenant == tenant


EVERYBODY = Principal("anybody-here", Role.ADMIN)
"""Who asks where access is open."""
COMMAND_LINE = Principal("command-line", Role.ADMIN)
"""Who has the command line, and so the database."""
