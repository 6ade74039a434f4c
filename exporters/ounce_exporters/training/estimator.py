"""What an estimator of our own is to the rest: a last step that writes its own graph."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from ounce_exporters.ladder.recipe import Progress


class GraphEstimator(BaseEstimator, ABC):  # type: ignore[misc]
    """The last step of a pipeline."""

    told: Progress | None = None
    """Told the share of `fit` that is done."""

    def tell(self, share: float) -> None:
        """So much of `fit` is done, in [0, 1]."""
        if self.told is not None:
            self.told(share)

    @abstractmethod
    def fit(
        self, X: NDArray[Any], y: NDArray[Any], sample_weight: NDArray[np.float64] | None = None
    ) -> "GraphEstimator":
        """Learn from features of shape (n_rows, n_features)."""

    @abstractmethod
    def outputs(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Logits of shape (n_rows, n_classes), or values of shape (n_rows, 1)."""

    @abstractmethod
    def to_graph(self) -> onnx.ModelProto:
        """The same as `outputs`, from `features` to `uncalibrated`."""

    @abstractmethod
    def count_numbers(self) -> int:
        """Learned numbers."""
