"""Holding labels that came against the answers that they are about."""

from collections.abc import Mapping

from ounce_edge.broker.label_reader import LabelReader
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.telemetry.trial_counts import TrialCounts


class Labelling:
    """Takes labels from a reader to the pipelines that gave the answers.

    Args:
        labels: reads them; without it nothing is learned.
        pipelines: by the name of the task.
        metrics: counts what became of them.
        trial_counts: counts right and wrong answers of policies that are compared.
    """

    def __init__(
        self,
        labels: LabelReader | None,
        pipelines: Mapping[str, Pipeline],
        metrics: Metrics,
        trial_counts: TrialCounts,
    ) -> None:
        self._labels = labels
        self._pipelines = pipelines
        self._metrics = metrics
        self._trial_counts = trial_counts

    def learn(self) -> None:
        """Take what came since the last call."""
        if self._labels is None:
            return
        for task, labels in self._labels.drain().items():
            learned = self._pipelines[task].learn(labels)
            self._metrics.observe_labels(task, learned.outcomes)
            self._trial_counts.observe_answers(task, learned.answers)
        for task, losses in self._labels.take_losses().items():
            self._metrics.observe_labels(task, losses)
