"""Models of features that a graph extracts from the task's inputs."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from ounce_schemas.task import TensorSpec
from torch import nn

from ounce_exporters.export.graphs import UNCALIBRATED, append, chain
from ounce_exporters.ladder.recipe import FittedModel, Inputs, Progress, Split, TaskData
from ounce_exporters.training.neural import export, run

FEATURES = "features"
"""Name of the tensor between extraction and model."""
Fit = Callable[[TaskData, int, Progress], FittedModel]


class Extractor(Protocol):
    """From a task's inputs to features."""

    @property
    def parameters(self) -> int:
        """Numbers that it has learned elsewhere."""
        ...

    def features(self, inputs: Inputs) -> NDArray[np.float32]:
        """Array of shape (n_items, n_features)."""
        ...

    def graph(self, between: TensorSpec) -> onnx.ModelProto:
        """From the task's inputs to `between`.

        Raises:
            ExportError: it can't be converted.
        """
        ...


def fit_behind(fit_model: Fit, make_extractor: Callable[[TaskData], Extractor]) -> Fit:
    """The `fit` of a recipe.

    Args:
        fit_model: fits a model of one tensor of numbers, called `FEATURES`.
        make_extractor: may look at the training rows.
    """

    def fit(data: TaskData, seed: int, progress: Progress) -> FittedModel:
        extractor = make_extractor(data)
        features = extractor.features(data.train.inputs)
        progress(0.1)
        between = TensorSpec(name=FEATURES, datatype="FP32", shape=(features.shape[1],))
        featured = replace(
            data,
            spec=data.spec.model_copy(update={"inputs": (between,)}),
            train=Split({FEATURES: features}, data.train.targets, data.train.soft),
        )
        model = fit_model(featured, seed, lambda done: progress(0.1 + 0.9 * done))
        return FeaturedModel(between, extractor, model)

    return fit


def fit_on_features(fit_model: Fit, make_extractor: Callable[[TaskData], nn.Module]) -> Fit:
    """As `fit_behind`, of a module from the task's one input to features."""
    return fit_behind(
        fit_model, lambda data: TorchExtractor(make_extractor(data), data.spec.inputs[0])
    )


class TorchExtractor:
    """A module that learns nothing, from a task's one input to features. An `Extractor`."""

    parameters = 0

    def __init__(self, module: nn.Module, tensor: TensorSpec) -> None:
        self._module, self._tensor = module.eval(), tensor

    def features(self, inputs: Inputs) -> NDArray[np.float32]:
        """Array of shape (n_items, n_features)."""
        return run(self._module, inputs[self._tensor.name])

    def graph(self, between: TensorSpec) -> onnx.ModelProto:
        """From the task's input to `between`."""
        return extraction_graph(self._module, self._tensor, between)


class FeaturedModel:
    """A fitted model that reads the task's inputs through the extraction of its features."""

    def __init__(self, between: TensorSpec, extractor: Extractor, model: FittedModel) -> None:
        self._between = between
        self._extractor = extractor
        self._model = model

    @property
    def parameters(self) -> int:
        """Learned numbers, also those of the extraction."""
        return self._extractor.parameters + self._model.parameters

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Logits of shape (n_items, n_labels), or values of shape (n_items, 1)."""
        return self._model.predict({FEATURES: self._extractor.features(inputs)})

    def to_onnx(self) -> onnx.ModelProto:
        """Extraction and model as one graph with the one output `uncalibrated`.

        Raises:
            ExportError: the extraction or the model can't be converted.
        """
        return chain(self._extractor.graph(self._between), self._model.to_onnx())


def extraction_graph(
    extractor: nn.Module, tensor: TensorSpec, between: TensorSpec
) -> onnx.ModelProto:
    """The extraction as a graph from `tensor` to `between`."""
    graph = export(extractor, tensor)
    rename = helper.make_node("Identity", [UNCALIBRATED], [between.name])
    return append(graph, [rename], {}, between)
