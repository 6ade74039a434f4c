"""What a fleet saw: written as JSON lines while it runs, and shown at the end."""

import math
from enum import StrEnum

import msgspec
from ounce_edge.recommender.beliefs.measures import wilson


class Phase(StrEnum):
    """Where a run is."""

    SENDING = "sending"
    SETTLING = "settling"
    """All is sent; answers are waited for."""
    DONE = "done"


class Verdict(StrEnum):
    """Whether an accuracy that was asked for was seen."""

    KEPT = "kept"
    WITHIN_SAMPLING_ERROR = "within sampling error"
    """Below the floor, but not by more than the 95% interval of what was seen."""
    BROKEN = "broken"
    NOTHING_PROMISED = "nothing promised"
    """Every answer was labelled as missing this floor."""


class Measured(msgspec.Struct, frozen=True):
    """A task's measure of some answers."""

    counted: int
    """Answers that count."""
    value: float
    high: float
    """Upper end of the 95% interval."""


class Accuracy(msgspec.Struct, frozen=True):
    """Accuracy seen over some answers, and what their predictions promised."""

    answered: int = 0
    correct: int = 0
    promised: float = 0.0
    """Mean `expected_accuracy`, in [0, 1]."""
    measured: Measured | None = None
    """By the task's measure; None where that is the share of acceptable answers."""

    @property
    def seen(self) -> float:
        """The task's measure; NaN where no answer counts."""
        if self.measured is not None:
            return self.measured.value if self.measured.counted else math.nan
        return self.correct / self.answered if self.answered else math.nan

    @property
    def high(self) -> float:
        """Upper end of its 95% interval."""
        if self.measured is not None:
            return self.measured.high
        return wilson(self.seen, self.answered)[1]


class ModelReport(msgspec.Struct, frozen=True):
    """Answers of one model."""

    accuracy: Accuracy
    cost_ms: float
    """Mean compute per item."""


class FloorReport(msgspec.Struct, frozen=True):
    """Answers to messages with one accuracy floor."""

    min_accuracy: float
    labelled_met: Accuracy
    """Answers whose label says that the floor is met: the promise."""
    labelled_missed: Accuracy
    """Answers whose label says that it is not: no promise, and said so."""

    @property
    def verdict(self) -> Verdict:
        """The floor held against what was promised to meet it."""
        met = self.labelled_met
        if not met.answered:
            return Verdict.NOTHING_PROMISED
        if met.seen >= self.min_accuracy:
            return Verdict.KEPT
        return Verdict.WITHIN_SAMPLING_ERROR if met.high >= self.min_accuracy else Verdict.BROKEN


class DeadlineReport(msgspec.Struct, frozen=True):
    """Answers to messages with one deadline."""

    max_latency_ms: float
    answered: int
    kept_as_measured: int
    """Read by the device in time, from its own publishing."""
    kept_as_labelled: int
    """Encoded by the worker in time, from the record's timestamp."""


class TaskReport(msgspec.Struct, frozen=True):
    """One task's share of a fleet, since the start."""

    sent: int
    undelivered: int
    """Records that Kafka did not take."""
    unreadable: int
    """Records among the answers that are no prediction."""
    answered: int
    waiting: int
    """Sent and not answered yet; once the run is done these are missing."""
    repeated: int
    """Answers to what was answered before."""
    dead_letters: dict[str, int]
    """By reason."""
    fallbacks: int
    """Answers labelled as a fallback: no plan met both targets."""
    sent_per_s: float
    """Since the last report."""
    answered_per_s: float
    """Since the last report."""
    recent_p50_ms: float
    """From publishing to reading the answer, last three seconds; 0 when nothing was answered."""
    recent_p99_ms: float
    p50_ms: float
    """Since the start."""
    p99_ms: float
    accuracy: Accuracy
    models: dict[str, ModelReport]
    """By name, the one that promises least first."""
    floors: tuple[FloorReport, ...]
    """Ascending."""
    deadlines: tuple[DeadlineReport, ...]
    """Ascending."""
    spent_ms: float
    """Compute of all answers."""
    always_best_ms: float
    """Compute that the most accurate model would have taken for the same answers."""
    labels: int = 0
    """True answers that were published."""

    @property
    def refused(self) -> int:
        """Dead letters because the policy refuses what can't meet both targets."""
        return self.dead_letters.get("refused", 0)

    @property
    def unanswered(self) -> int:
        """Inputs without an answer and without a refusal, if the run ended now."""
        return self.waiting + self.undelivered + sum(self.dead_letters.values()) - self.refused

    @property
    def kept_as_measured(self) -> int:
        """Deadlines kept, by the devices' own clock."""
        return sum(deadline.kept_as_measured for deadline in self.deadlines)

    @property
    def kept_as_labelled(self) -> int:
        """Deadlines kept, by the predictions' labels."""
        return sum(deadline.kept_as_labelled for deadline in self.deadlines)

    @property
    def floors_met(self) -> int:
        """Answers labelled as meeting their floor."""
        return sum(floor.labelled_met.answered for floor in self.floors)


class FleetReport(msgspec.Struct, frozen=True):
    """A snapshot of a run; one line of the report file."""

    elapsed_s: float
    phase: Phase
    bursting: bool
    tasks: dict[str, TaskReport]

    @property
    def answered(self) -> int:
        """Answers of all tasks."""
        return sum(task.answered for task in self.tasks.values())

    @property
    def unanswered(self) -> int:
        """Inputs of all tasks without an answer and without a refusal."""
        return sum(task.unanswered for task in self.tasks.values())

    @property
    def spent_ms(self) -> float:
        """Compute of all answers of all tasks."""
        return sum(task.spent_ms for task in self.tasks.values())

    @property
    def always_best_ms(self) -> float:
        """Compute that always running each task's most accurate model would have taken."""
        return sum(task.always_best_ms for task in self.tasks.values())

    @property
    def savings_factor(self) -> float:
        """How many times more compute always-best takes; 1 when nothing was answered."""
        return self.always_best_ms / self.spent_ms if self.spent_ms > 0 else 1.0
