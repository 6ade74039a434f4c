"""Words of routing that policies, decisions and predictions share. Needs nothing but Python."""

from enum import StrEnum


class Fallback(StrEnum):
    """What happens when no plan meets both targets of a message."""

    MOST_ACCURATE_IN_TIME = "most-accurate-in-time"
    FASTEST = "fastest"
    REFUSE = "refuse"


class Choice(StrEnum):
    """Why a plan was taken: the `reason` of a prediction."""

    LIGHTEST_FEASIBLE = "lightest-feasible"
    FALLBACK_MOST_ACCURATE_IN_TIME = "fallback-most-accurate-in-time"
    FALLBACK_LATE = "fallback-late"
    """No plan is in time: the lightest that keeps the floor."""
    FALLBACK_FASTEST = "fallback-fastest"

    @property
    def is_fallback(self) -> bool:
        """Whether no plan met both targets."""
        return self is not Choice.LIGHTEST_FEASIBLE
