"""Isolation forest: strange rows are cut off from the others in few random splits."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from ounce_exporters.export.tree_reading import read_ensemble
from ounce_exporters.export.trees import count_numbers, emit
from ounce_exporters.training.estimator import GraphEstimator


class IsolationScore(GraphEstimator):
    """Scores in (0, 1), near 1 for rows that are alone (F. T. Liu, K. M. Ting and Z.-H. Zhou,
    "Isolation Forest", ICDM 2008). Gaps are learned as they are.

    Args:
        n_trees: how many.
        most_samples: rows of a tree at most.
        random_state: of everything that is random.
    """

    def __init__(self, n_trees: int = 100, most_samples: int = 256, random_state: int = 0) -> None:
        self.n_trees = n_trees
        self.most_samples = most_samples
        self.random_state = random_state

    def fit(
        self, X: NDArray[Any], y: object = None, sample_weight: NDArray[np.float64] | None = None
    ) -> "IsolationScore":
        """Learn from rows that are taken for normal."""
        rows = np.asarray(X, np.float32)
        self.forest_ = IsolationForest(
            n_estimators=self.n_trees,
            max_samples=min(self.most_samples, len(rows)),
            random_state=self.random_state,
        ).fit(rows)
        return self

    def outputs(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Scores, shape (n_rows, 1)."""
        scores = -self.forest_.score_samples(np.asarray(X, np.float32))
        return np.asarray(scores[:, None], np.float32)

    def to_graph(self) -> onnx.ModelProto:
        """From `features` to `uncalibrated`: one node of trees and an exponential."""
        return emit(read_ensemble(self.forest_))

    def count_numbers(self) -> int:
        """Thresholds and leaves."""
        return count_numbers(read_ensemble(self.forest_))
