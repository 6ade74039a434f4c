"""Sums behind a report: one pass per answer, constant memory."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from ounce_edge.recommender.beliefs.measures import PLAIN, Strata
from ounce_schemas.prediction import Decision, Prediction

from ounce_services.devices.latencies import LatencyHistogram, quantile_ms
from ounce_services.devices.report import (
    Accuracy,
    DeadlineReport,
    FloorReport,
    Measured,
    ModelReport,
)


class Judgement(NamedTuple):
    """One answer, held against the truth."""

    correct: bool
    """Whether it is acceptable."""
    stratum: int = 0
    """Of the task's measure; -1 where it does not count."""


class AccuracyTally:
    """Counts behind `Accuracy`.

    Args:
        strata: of the task's measure.
    """

    def __init__(self, strata: Strata) -> None:
        self.answered = 0
        self.correct = 0
        self._promised_sum = 0.0
        self._n_promised = 0
        self._strata = strata
        self._good, self._counted = [0] * strata.n, [0] * strata.n

    def add(self, judgement: Judgement, promised: float) -> None:
        """Count one answer; NaN promised: it does not say."""
        self.answered += 1
        self.correct += judgement.correct
        if not math.isnan(promised):
            self._promised_sum += promised
            self._n_promised += 1
        if judgement.stratum >= 0:
            self._good[judgement.stratum] += judgement.correct
            self._counted[judgement.stratum] += 1

    def report(self) -> Accuracy:
        """The state now."""
        mean = self._promised_sum / max(self._n_promised, 1)
        return Accuracy(self.answered, self.correct, mean, self._measured())

    def _measured(self) -> Measured | None:
        if self._strata.is_plain:
            return None
        shares = [g / max(n, 1) for g, n in zip(self._good, self._counted, strict=True)]
        value = self._strata.value(shares, self._counted)
        _, high = self._strata.interval(shares, self._counted)
        return Measured(sum(self._counted), value, high)


@dataclass(slots=True)
class _ModelTally:
    accuracy: AccuracyTally
    cost_ms: float = 0.0


@dataclass(slots=True)
class _FloorTally:
    met: AccuracyTally
    missed: AccuracyTally


@dataclass(slots=True)
class _DeadlineTally:
    answered: int = 0
    kept_as_measured: int = 0
    kept_as_labelled: int = 0


class AnswerTallies:
    """Everything that is summed over a task's answers.

    Args:
        strata: of the task's measure.
    """

    def __init__(self, strata: Strata = PLAIN) -> None:
        self._strata = strata
        self.accuracy = AccuracyTally(strata)
        self.latencies = LatencyHistogram()
        self.fallbacks = 0
        self.spent_ms = 0.0
        self.always_best_ms = 0.0
        self._models: dict[str, _ModelTally] = {}
        self._floors: dict[float, _FloorTally] = {}
        self._deadlines: dict[float, _DeadlineTally] = {}

    def add(self, prediction: Prediction, judgement: Judgement, latency_ms: float) -> None:
        """Count one answer.

        Args:
            prediction: the answer; its targets are those that the worker held it against. What it
                does not say is NaN, and is not counted.
            judgement: of it.
            latency_ms: from publishing to reading it, as the device measured.
        """
        decision = prediction.parameters
        promised = decision.expected_accuracy
        self.accuracy.add(judgement, promised)
        self.latencies.add(latency_ms)
        self.fallbacks += decision.reason.is_fallback
        self.spent_ms += decision.cost_ms
        self.always_best_ms += decision.cost_ms + decision.saved_ms

        if prediction.model_name:
            model = self._models.get(prediction.model_name)
            if model is None:
                model = _ModelTally(AccuracyTally(self._strata))
                self._models[prediction.model_name] = model
            model.accuracy.add(judgement, promised)
            model.cost_ms += decision.cost_ms
        if not math.isnan(decision.min_accuracy):
            self._add_targets(decision, judgement, latency_ms)

    def _add_targets(self, decision: Decision, judgement: Judgement, latency_ms: float) -> None:
        floor = self._floors.get(decision.min_accuracy)
        if floor is None:
            floor = _FloorTally(AccuracyTally(self._strata), AccuracyTally(self._strata))
            self._floors[decision.min_accuracy] = floor
        (floor.met if decision.floor_met else floor.missed).add(
            judgement, decision.expected_accuracy
        )

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
