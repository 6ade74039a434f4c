"""Sums behind a report: one pass per answer, constant memory."""

from dataclasses import dataclass, field

from ounce_schemas.prediction import Prediction

from ounce_services.devices.latencies import LatencyHistogram, quantile_ms
from ounce_services.devices.report import (
    Accuracy,
    DeadlineReport,
    FloorReport,
    ModelReport,
)


@dataclass(slots=True)
class AccuracyTally:
    """Counts behind `Accuracy`."""

    answered: int = 0
    correct: int = 0
    promised_sum: float = 0.0

    def add(self, correct: bool, promised: float) -> None:
        """Count one answer."""
        self.answered += 1
        self.correct += correct
        self.promised_sum += promised

    def report(self) -> Accuracy:
        """The state now."""
        mean = self.promised_sum / self.answered if self.answered else 0.0
        return Accuracy(self.answered, self.correct, mean)


@dataclass(slots=True)
class _ModelTally:
    accuracy: AccuracyTally = field(default_factory=AccuracyTally)
    cost_ms: float = 0.0


@dataclass(slots=True)
class _FloorTally:
    met: AccuracyTally = field(default_factory=AccuracyTally)
    missed: AccuracyTally = field(default_factory=AccuracyTally)


@dataclass(slots=True)
class _DeadlineTally:
    answered: int = 0
    kept_as_measured: int = 0
    kept_as_labelled: int = 0


class AnswerTallies:
    """Everything that is summed over a task's answers."""

    def __init__(self) -> None:
        self.accuracy = AccuracyTally()
        self.latencies = LatencyHistogram()
        self.fallbacks = 0
        self.spent_ms = 0.0
        self.always_best_ms = 0.0
        self._models: dict[str, _ModelTally] = {}
        self._floors: dict[float, _FloorTally] = {}
        self._deadlines: dict[float, _DeadlineTally] = {}

    def add(self, prediction: Prediction, correct: bool, latency_ms: float) -> None:
        """Count one answer.

        Args:
            prediction: the answer; its targets are those that the worker held it against.
            correct: whether it is acceptable.
            latency_ms: from publishing to reading it, as the device measured.
        """
        decision = prediction.parameters
        promised = decision.expected_accuracy
        self.accuracy.add(correct, promised)
        self.latencies.add(latency_ms)
        self.fallbacks += decision.reason.is_fallback
        self.spent_ms += decision.cost_ms
        self.always_best_ms += decision.cost_ms + decision.saved_ms

        model = self._models.setdefault(prediction.model_name, _ModelTally())
        model.accuracy.add(correct, promised)
        model.cost_ms += decision.cost_ms

        floor = self._floors.setdefault(decision.min_accuracy, _FloorTally())
        (floor.met if decision.floor_met else floor.missed).add(correct, promised)

        deadline = self._deadlines.setdefault(decision.max_latency_ms, _DeadlineTally())
        deadline.answered += 1
        deadline.kept_as_measured += latency_ms <= decision.max_latency_ms
        deadline.kept_as_labelled += decision.deadline_met

    def models(self) -> dict[str, ModelReport]:
        """By name, the one that promises least first: an order that stands while costs vary."""
        reports = {
            name: ModelReport(tally.accuracy.report(), tally.cost_ms / tally.accuracy.answered)
            for name, tally in self._models.items()
        }
        ladder = sorted(reports, key=lambda name: (round(reports[name].accuracy.promised, 9), name))
        return {name: reports[name] for name in ladder}

    def floors(self) -> tuple[FloorReport, ...]:
        """Ascending."""
        return tuple(
            FloorReport(floor, tally.met.report(), tally.missed.report())
            for floor, tally in sorted(self._floors.items())
        )

    def deadlines(self) -> tuple[DeadlineReport, ...]:
        """Ascending."""
        return tuple(
            DeadlineReport(deadline, tally.answered, tally.kept_as_measured, tally.kept_as_labelled)
            for deadline, tally in sorted(self._deadlines.items())
        )

    def quantile_ms(self, share: float) -> float:
        """Latency quantile since the start."""
        return quantile_ms(self.latencies.counts, share)
