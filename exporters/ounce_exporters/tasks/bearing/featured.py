"""Classical models of vibration features, with the extraction inside their ONNX graph."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from ounce_schemas.task import TaskSpec, TensorSpec
from sklearn.pipeline import Pipeline

from ounce_exporters.export.graphs import UNCALIBRATED, append, chain
from ounce_exporters.recipe import FittedModel, Inputs, Progress, Split, TaskData
from ounce_exporters.tasks.bearing.features import FEATURES, VibrationFeatures
from ounce_exporters.training.classical import fit_classical
from ounce_exporters.training.neural import export, run

FEATURES_TENSOR = TensorSpec(
    name="features", datatype="FP32", shape=(len(FEATURES),), columns=FEATURES
)


def fit_on_features(
    make: Callable[[TaskSpec, int], Pipeline],
) -> Callable[[TaskData, int, Progress], FittedModel]:
    """The `fit` of a recipe: train the pipeline that `make(task, seed)` returns on features."""
    fit_pipeline = fit_classical(make)

    def fit(data: TaskData, seed: int, progress: Progress) -> FittedModel:
        tensor = data.spec.inputs[0]
        extractor = VibrationFeatures().eval()
        features = run(extractor, data.train.inputs[tensor.name])
        progress(0.1)
        featured = replace(
            data,
            spec=data.spec.model_copy(update={"inputs": (FEATURES_TENSOR,)}),
            train=Split({FEATURES_TENSOR.name: features}, data.train.targets),
        )
        return FeaturedModel(tensor, extractor, fit_pipeline(featured, seed, progress))

    return fit


class FeaturedModel:
    """A fitted model of `FEATURES_TENSOR`, read through the extraction of the features."""

    def __init__(
        self, tensor: TensorSpec, extractor: VibrationFeatures, model: FittedModel
    ) -> None:
        self._tensor = tensor
        self._extractor = extractor
        self._model = model

    @property
    def parameters(self) -> int:
        """Learned numbers; the extraction has none."""
        return self._model.parameters

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Logits of shape (n_items, n_labels)."""
        features = run(self._extractor, inputs[self._tensor.name])
        return self._model.predict({FEATURES_TENSOR.name: features})

    def to_onnx(self) -> onnx.ModelProto:
        """Extraction and model as one graph with the one output `uncalibrated`.

        Raises:
            ExportError: the extraction or the model can't be converted.
        """
        return chain(extraction_graph(self._extractor, self._tensor), self._model.to_onnx())


def extraction_graph(extractor: VibrationFeatures, tensor: TensorSpec) -> onnx.ModelProto:
    """The extraction as a graph from `tensor` to `FEATURES_TENSOR`."""
    graph = export(extractor, tensor.name, tensor.shape)
    rename = helper.make_node("Identity", [UNCALIBRATED], [FEATURES_TENSOR.name])
    return append(graph, [rename], {}, FEATURES_TENSOR)
