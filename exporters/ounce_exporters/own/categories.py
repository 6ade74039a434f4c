"""Encoders of categories that skl2onnx takes in part: rare ones together, means of many labels."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from skl2onnx.common.data_types import StringTensorType

from ounce_exporters.own.operators import ML_OPSET, STEPS_OPSET, Operators

_UNKNOWN = -1
_FORMS = ("infrequent_if_exist", "warn")


def counts_rare(encoder: Any) -> bool:
    """Whether a one-hot encoder has one column for all rare or unknown categories."""
    return encoder.handle_unknown in _FORMS or getattr(encoder, "_infrequent_enabled", False)


def has_many_labels(encoder: Any) -> bool:
    """Whether a target encoder has a column for each label."""
    return bool(encoder.target_type_ == "multiclass")


def encode_rare(encoder: Any, inputs: Sequence[Any]) -> onnx.ModelProto:
    """The graph of a fitted `OneHotEncoder`.

    Args:
        encoder: `counts_rare` knows it.
        inputs: of skl2onnx, with their types; each holds columns beside each other.
    """
    return _encode(encoder, inputs, _placed)


def encode_means(encoder: Any, inputs: Sequence[Any]) -> onnx.ModelProto:
    """The graph of a fitted `TargetEncoder` of many labels, likewise."""
    return _encode(encoder, inputs, _means)


def _encode(
    encoder: Any, inputs: Sequence[Any], columns: Callable[[Operators, Any, int, str], str]
) -> onnx.ModelProto:
    made, ports, parts = Operators(), [], []
    place = 0
    for number, given in enumerate(inputs):
        texts = isinstance(given.type, StringTensorType)
        kind = TensorProto.STRING if texts else TensorProto.FLOAT
        width = given.type.shape[1]
        ports.append(helper.make_tensor_value_info(f"columns/{number}", kind, ["batch", width]))
        for column in range(width):
            name = made.columns(ports[-1].name, [column])
            categories = encoder.categories_[place]
            hits = (
                _of_texts(made, name, categories) if texts else _of_numbers(made, name, categories)
            )
            parts.append(columns(made, encoder, place, hits))
            place += 1
    opsets = [helper.make_opsetid("", STEPS_OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    return made.graph(ports, made.side_by_side(parts), opsets)


def _of_texts(made: Operators, name: str, categories: NDArray[Any]) -> str:
    found = made.add(
        "LabelEncoder",
        name,
        domain="ai.onnx.ml",
        keys_strings=[str(category) for category in categories],
        values_int64s=list(range(len(categories))),
        default_int64=_UNKNOWN,
    )
    same = made.add("Equal", found, np.arange(len(categories))[None])
    return made.add("Cast", same, to=TensorProto.FLOAT)


def _of_numbers(made: Operators, name: str, categories: NDArray[Any]) -> str:
    numbers = categories.astype(np.float32)
    same = made.add("Equal", name, numbers[None])
    if np.isnan(numbers).any():
        gap = made.add("And", made.add("IsNaN", name), np.isnan(numbers)[None])
        same = made.add("Or", same, gap)
    return made.add("Cast", same, to=TensorProto.FLOAT)


def _placed(made: Operators, encoder: Any, place: int, hits: str) -> str:
    """Hits of the categories as columns of the answer."""
    n = len(encoder.categories_[place])
    rare = None
    targets = np.arange(n)
    if getattr(encoder, "_infrequent_enabled", False):
        rare = encoder._infrequent_indices[place]
        mapping = encoder._default_to_infrequent_mappings[place]
        targets = targets if mapping is None else np.asarray(mapping)
    matrix = np.eye(int(targets.max()) + 1, dtype=np.float32)[targets]
    unknown = np.zeros((1, matrix.shape[1]), np.float32)
    if rare is not None and encoder.handle_unknown in _FORMS:
        unknown[0, int(targets[rare[0]])] = 1
    if encoder.drop_idx_ is not None and encoder.drop_idx_[place] is not None:
        kept = np.arange(matrix.shape[1]) != encoder._drop_idx_after_grouping[place]
        matrix, unknown = matrix[:, kept], unknown[:, kept]
    return _weighed(made, hits, matrix, unknown)


def _means(made: Operators, encoder: Any, place: int, hits: str) -> str:
    """The mean of each label among rows of the category, or of all."""
    n = len(encoder.classes_)
    means = np.stack(encoder.encodings_[place * n : (place + 1) * n], axis=1)
    return _weighed(made, hits, _floats(means), _floats(encoder.target_mean_)[None])


def _floats(values: Any) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def _weighed(
    made: Operators, hits: str, matrix: NDArray[np.float32], unknown: NDArray[np.float32]
) -> str:
    """The row of the category that is hit, or the one of unknown ones."""
    known = made.add("ReduceSum", hits, np.array([1]), keepdims=1)
    none = made.add("Sub", np.array(1, np.float32), known)
    return made.add("Add", made.add("MatMul", hits, matrix), made.add("Mul", none, unknown))
