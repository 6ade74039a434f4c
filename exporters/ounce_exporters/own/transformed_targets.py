"""Targets that a regressor learns in another form, such as their logarithm."""

from typing import Any

import onnx
from ounce_schemas.errors import ExportError
from sklearn.preprocessing import QuantileTransformer

from ounce_exporters.export.graphs import chain
from ounce_exporters.own.estimators import flat
from ounce_exporters.own.formulas import turning_back
from ounce_exporters.own.functions import trace
from ounce_exporters.own.pieces import from_shares


def turned_back(graph: onnx.ModelProto, transformer: Any) -> onnx.ModelProto:
    """A regressor whose answers are brought back to the target's own form.

    Args:
        graph: answers with what the regressor has learned.
        transformer: fitted, of a `TransformedTargetRegressor`.

    Raises:
        ExportError: its inverse can't be converted.
    """
    several = getattr(transformer, "n_features_in_", 1)
    if several > 1:
        raise ExportError(f"it answers with {several} quantities at once: a task asks one")
    for step in reversed(flat([transformer])):
        quantiles = isinstance(step, QuantileTransformer)
        back = from_shares(step) if quantiles else trace(turning_back(step), None, 1)
        graph = chain(graph, back)
    return graph
