"""Words of routing that policies, decisions and predictions share. Needs nothing but Python."""

from enum import StrEnum


class Fallback(StrEnum):
    """What happens when no plan meets both targets of a message."""

    MOST_ACCURATE_IN_TIME = "most-accurate-in-time"
    FASTEST = "fastest"
    REFUSE = "refuse"


class Objective(StrEnum):
    """What the lightest plan has least of, and what savings are counted in."""

    CPU_TIME = "cpu-time"
    """Milliseconds of compute per item."""
    ENERGY = "energy"
    """Joules per item: measured where the kernel offers it, else CPU time times a stated power."""
    PRICE = "price"
    """Time of the processor, time of the GPU and joules, each times the policy's price of it."""
    MEMORY = "memory"
    """Bytes of the models that a plan needs."""


class Choice(StrEnum):
    """Why a plan was taken: the `reason` of a prediction."""

    LIGHTEST_FEASIBLE = "lightest-feasible"
    LIGHTEST_TOGETHER = "lightest-together"
    """It answers others as well: one call for all costs less than a lighter plan's beside it."""
    EXPLORATION = "exploration"
    """A lighter plan than the rule's, tried within the policy's exploration share."""
    CUT_SHORT = "cut-short"
    """A cascade's time ran out: the answer of a step that was not confident enough."""
    FALLBACK_MOST_ACCURATE_IN_TIME = "fallback-most-accurate-in-time"
    FALLBACK_LATE = "fallback-late"
    """No plan is in time: the lightest that keeps the floor."""
    FALLBACK_FASTEST = "fallback-fastest"
    """No plan is in time: one that takes little time."""

    @property
    def is_fallback(self) -> bool:
        """Whether no plan met both targets."""
        return self not in (
            Choice.LIGHTEST_FEASIBLE,
            Choice.LIGHTEST_TOGETHER,
            Choice.EXPLORATION,
        )

    @property
    def below_floor(self) -> "Choice":
        """What it is for messages of a call whose floor its plan does not keep: others share the
        call, whose floor it keeps."""
        return _BELOW_FLOOR.get(self, self)


_BELOW_FLOOR = {
    Choice.LIGHTEST_TOGETHER: Choice.FALLBACK_MOST_ACCURATE_IN_TIME,
    Choice.FALLBACK_LATE: Choice.FALLBACK_FASTEST,
}
