"""Boosted trees of other libraries, as these or onnxmltools write them."""

import copy
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import onnx
from ounce_schemas.errors import ExportError
from sklearn.base import is_classifier

from ounce_exporters.own.labels import without_zipmaps

_TEXTS = "if it has learned from texts, encode them before it, as with OrdinalEncoder in a pipeline"
_OPSET = 15
"""The latest that onnxmltools writes."""


def package_of(model: Any) -> str:
    """The package that a model's class comes from, such as `lightgbm`."""
    return type(model).__module__.partition(".")[0]


def is_boosted(model: Any) -> bool:
    """Whether `write_boosted` knows such a model: an estimator, not a bare `Booster`."""
    return package_of(model) in _WRITERS and hasattr(model, "n_features_in_")


def names_of(model: Any, known: Collection[str] = ()) -> list[str] | None:
    """Names of the columns that a model was fitted on; None where these were an array.

    Args:
        model: fitted.
        known: names that a column may have. LightGBM keeps a blank in one as an underscore.
    """
    if package_of(model) == "catboost":
        by_place = list(map(str, range(model.n_features_in_)))
        return None if model.feature_names_ == by_place else model.feature_names_
    found = getattr(model, "feature_names_in_", None)
    if found is None:
        return None
    of_blanks = {name.replace(" ", "_"): name for name in known}
    return [name if name in known else of_blanks.get(name, name) for name in map(str, found)]


def write_boosted(model: Any, width: int, raw: bool) -> onnx.ModelProto:
    """The graph of a fitted model of LightGBM, XGBoost or CatBoost.

    Its one output holds probabilities or scores of shape (n_items, n_labels), or values.

    Args:
        model: fitted, one that `is_boosted` knows.
        width: numbers that it reads of an item.
        raw: whether a classifier answers with scores.

    Raises:
        ExportError: it can't be written, or what writes it is not installed.
    """
    name = type(model).__name__
    try:
        graph = _WRITERS[package_of(model)](model, width)
    except ImportError as e:
        raise ExportError(
            f"onnxmltools writes a {name} of {package_of(model)}, and is not installed: "
            "pip install 'ounce[boosters]'"
        ) from e
    except Exception as e:  # each library raises what it likes
        why = " ".join(str(e).split())[:200]
        raise ExportError(f"this {name} can't be written as ONNX: {why}; {_TEXTS}") from e
    if is_classifier(model):
        del graph.graph.output[0]  # labels
    for node in graph.graph.node if raw else ():
        for attribute in node.attribute:
            if attribute.name == "post_transform":
                attribute.s = b"NONE"
    tensors, _ = without_zipmaps(graph)
    return tensors


def _by_onnxmltools(model: Any, width: int) -> onnx.ModelProto:
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    options = {"zipmap": False}
    if package_of(model) == "xgboost":
        options = {}
        model = copy.deepcopy(model)
        model.get_booster().feature_names = None  # onnxmltools takes places alone
    graph: onnx.ModelProto = getattr(onnxmltools, f"convert_{package_of(model)}")(
        model,
        initial_types=[("features", FloatTensorType([None, width]))],
        target_opset=_OPSET,
        **options,
    )
    return graph


def _by_itself(model: Any, width: int) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        model.save_model(str(file), format="onnx")
        return onnx.load(file)


_WRITERS: dict[str, Callable[[Any, int], onnx.ModelProto]] = {
    "catboost": _by_itself,
    "lightgbm": _by_onnxmltools,
    "xgboost": _by_onnxmltools,
}
