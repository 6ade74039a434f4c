"""What a log of decisions says of the routes of a policy."""

from collections.abc import Sequence

import msgspec
from ounce_schemas.routing import Fallback, Objective


class LoggedRoute(msgspec.Struct, frozen=True, array_like=True):
    """Who may answer some messages, and what happens when no plan meets both targets."""

    permitted: Sequence[int]
    """Indices of the plans."""
    objective: Objective
    fallback: Fallback
    exploration: float
    """Share of messages on which a lighter plan may be tried."""
    explains: bool
    """Whether answers are explained."""
