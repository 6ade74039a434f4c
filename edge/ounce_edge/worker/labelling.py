"""Holding labels that came against the answers that they are about."""

from collections.abc import Mapping

from ounce_edge.broker.label_reader import LabelReader
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.telemetry.metrics import Metrics


class Labelling:
    """Takes labels from a reader to the pipelines that gave the answers.

    Args:
        labels: reads them; without it nothing is learned.
        pipelines: by the name of the task.
        metrics: counts what became of them.
    """

    def __init__(
        self, labels: LabelReader | None, pipelines: Mapping[str, Pipeline], metrics: Metrics
    ) -> None:
        self._labels = labels
        self._pipelines = pipelines
        self._metrics = metrics

    def learn(self) -> None:
        """Take what came since the last call."""
        if self._labels is None:
            return
        for task, labels in self._labels.drain().items():
            self._metrics.observe_labels(task, self._pipelines[task].learn(labels))
        for task, losses in self._labels.take_losses().items():
            self._metrics.observe_labels(task, losses)
