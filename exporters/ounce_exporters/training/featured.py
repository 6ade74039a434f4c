"""Classical models of features that a graph of matrix products extracts from the task's input."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from ounce_schemas.task import TensorSpec
from torch import nn

from ounce_exporters.export.graphs import UNCALIBRATED, append, chain
from ounce_exporters.recipe import FittedModel, Inputs, Progress, Split, TaskData
from ounce_exporters.training.neural import export, run

FEATURES = "features"
"""Name of the tensor between extraction and model."""
Fit = Callable[[TaskData, int, Progress], FittedModel]


def fit_on_features(fit_classical: Fit, make_extractor: Callable[[TaskData], nn.Module]) -> Fit:
    """The `fit` of a recipe.

    Args:
        fit_classical: fits a model of one tensor of numbers, called `FEATURES`.
        make_extractor: a module from the task's one input to features, array of shape
            (n_items, n_features); it may look at the training rows.
    """

    def fit(data: TaskData, seed: int, progress: Progress) -> FittedModel:
        tensor = data.spec.inputs[0]
        extractor = make_extractor(data).eval()
        features = run(extractor, data.train.inputs[tensor.name])
        progress(0.1)
        between = TensorSpec(name=FEATURES, datatype="FP32", shape=(features.shape[1],))
        featured = replace(
            data,
            spec=data.spec.model_copy(update={"inputs": (between,)}),
            train=Split({FEATURES: features}, data.train.targets),
        )
        model = fit_classical(featured, seed, progress)
        return FeaturedModel(tensor, between, extractor, model)

    return fit


class FeaturedModel:
    """A fitted model that reads the task's input through the extraction of its features."""

    def __init__(
        self, tensor: TensorSpec, between: TensorSpec, extractor: nn.Module, model: FittedModel
    ) -> None:
        self._tensor = tensor
        self._between = between
        self._extractor = extractor
        self._model = model

    @property
    def parameters(self) -> int:
        """Learned numbers; the extraction has none."""
        return self._model.parameters

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Logits of shape (n_items, n_labels), or values of shape (n_items, 1)."""
        features = run(self._extractor, inputs[self._tensor.name])
        return self._model.predict({FEATURES: features})

    def to_onnx(self) -> onnx.ModelProto:
        """Extraction and model as one graph with the one output `uncalibrated`.

        Raises:
            ExportError: the extraction or the model can't be converted.
        """
        first = extraction_graph(self._extractor, self._tensor, self._between)
        return chain(first, self._model.to_onnx())


def extraction_graph(
    extractor: nn.Module, tensor: TensorSpec, between: TensorSpec
) -> onnx.ModelProto:
    """The extraction as a graph from `tensor` to `between`."""
    graph = export(extractor, tensor)
    rename = helper.make_node("Identity", [UNCALIBRATED], [between.name])
    return append(graph, [rename], {}, between)
