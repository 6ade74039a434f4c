"""The score that contributions add up to, as a linear map of a model's outputs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.explanation import Score
from ounce_schemas.task import TaskSpec

from ounce_exporters.export.calibration import Fitted, Temperature

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScoreMap:
    """Scores of all labels, of a model's outputs before calibration: `outputs @ weights + offsets`.

    Where there are no labels there is one score.
    """

    name: Score
    weights: Floats
    """Shape (n_outputs, n_scores)."""
    offsets: Floats
    """Shape (n_scores,)."""
    of_logarithms: bool = False
    """Whether outputs are logarithms of what is mapped."""

    @property
    def n_outputs(self) -> int:
        """Of the model."""
        return len(self.weights)

    @property
    def picks(self) -> bool:
        """Whether the score is that of the answered label."""
        return len(self.offsets) > 1

    def of(self, outputs: NDArray[np.floating], answers: NDArray[np.floating]) -> Floats:
        """Scores of items, shape (n_items,).

        Args:
            outputs: before calibration, shape (n_items, n_outputs).
            answers: shape (n_items, output size).
        """
        exact = outputs.astype(np.float64)
        scores = (np.exp(exact) if self.of_logarithms else exact) @ self.weights + self.offsets
        labels = answers.argmax(axis=1) if self.picks else np.zeros(len(answers), np.intp)
        return np.asarray(scores[np.arange(len(scores)), labels])


def probability_map(n_labels: int) -> ScoreMap:
    """The score of models that add up probabilities."""
    return ScoreMap("probability", np.eye(n_labels), np.zeros(n_labels), of_logarithms=True)


def score_map(task: TaskSpec, calibrator: Fitted) -> ScoreMap:
    """The score that a task's answers are explained by."""
    if task.kind == "regression":
        return ScoreMap("value", np.ones((1, 1)), np.zeros(1))
    if task.kind == "anomaly":
        return ScoreMap("anomaly-score", np.ones((1, 1)), np.zeros(1))
    n = len(task.labels)
    against = (np.eye(n) * n - 1.0) / (n - 1)  # a label less the mean of the others
    if isinstance(calibrator, Temperature):
        biases = np.array(calibrator.biases or np.zeros(n))
        return ScoreMap("log-odds", against / calibrator.temperature, biases @ against)
    return ScoreMap("log-odds", against, np.zeros(n))
