"""Steps of scikit-learn that skl2onnx has no converter for, or a narrower one, as graphs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from ounce_schemas.errors import ExportError
from pandas import isna
from scipy.interpolate import PPoly
from skl2onnx.common._container import ModelComponentContainer
from skl2onnx.common._registration import get_converter, get_shape_calculator
from skl2onnx.common._topology import Operator, Scope
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from skl2onnx.helpers.integration import add_onnx_graph
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.kernel_approximation import RBFSampler
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    QuantileTransformer,
    SplineTransformer,
    TargetEncoder,
)

from ounce_exporters.own.categories import (
    counts_rare,
    encode_means,
    encode_rare,
    has_many_labels,
)
from ounce_exporters.own.formulas import FORMULAS, reads_decimals
from ounce_exporters.own.functions import trace
from ounce_exporters.own.neighbours import fill_by_nearest
from ounce_exporters.own.operators import FEATURES, Operators
from ounce_exporters.own.pieces import piecewise, to_shares

TEXTS = (
    "some columns hold texts in the table: encode these, as with OneHotEncoder, or write them as "
    "numbers"
)
"""What to say of a step that takes numbers alone."""


def _function(step: Any, width: int) -> onnx.ModelProto:
    columns = () if step.validate else getattr(step, "feature_names_in_", ())
    return trace(step.func, step.kw_args, width, tuple(columns), decimals=True)


def _random_features(step: Any, width: int) -> onnx.ModelProto:
    made = Operators()
    turned = made.add("MatMul", made.doubles(FEATURES), _doubles(step.random_weights_))
    waves = made.add("Cos", made.add("Add", turned, _doubles(step.random_offset_)[None]))
    scale = np.array((2.0 / step.n_components) ** 0.5)
    return made.of_features(width, made.add("Mul", waves, scale))


def _splines(step: Any, width: int) -> onnx.ModelProto:
    """B-splines as one polynomial in each interval between two knots."""
    if step.extrapolation == "linear":
        raise ExportError(
            "a SplineTransformer with extrapolation='linear' can't be converted: 'constant', "
            "'continue' and 'periodic' can"
        )
    made = Operators()
    whole = made.doubles(FEATURES)
    parts = []
    for place, spline in enumerate(step.bsplines_):
        degree = spline.k
        low, high = float(spline.t[degree]), float(spline.t[-degree - 1])
        x = made.columns(whole, [place])
        if step.extrapolation == "periodic":
            period = np.array(high - low)
            away = made.add("Sub", x, np.array(low))
            turns = made.add("Floor", made.add("Div", away, period))
            x = made.add(
                "Add", made.add("Sub", away, made.add("Mul", turns, period)), np.array(low)
            )
        elif step.extrapolation in ("constant", "error"):
            x = made.add("Min", made.add("Max", x, np.array(low)), np.array(high))
        # Of shape (degree + 1, intervals, splines); the knots before and behind repeat borders.
        columns = spline.c.T if step.include_bias else spline.c.T[:-1]
        pieces = [PPoly.from_spline((spline.t, column, degree)) for column in columns]
        inside = slice(degree, len(spline.t) - degree - 1)
        starts = pieces[0].x[inside]
        weights = np.stack([piece.c[:, inside] for piece in pieces], axis=2)
        value = piecewise(made, x, starts, weights)
        if getattr(step, "handle_missing", "error") == "zeros":
            value = made.add("Where", made.add("IsNaN", x), np.array(0.0), value)
        parts.append(value)
    return made.of_features(width, made.side_by_side(parts))


def _doubles(values: Any) -> NDArray[np.float64]:
    return np.ascontiguousarray(values, np.float64)


def _with_gaps_marked(step: Any, width: int) -> onnx.ModelProto:
    """What fills gaps of numbers, and beside it where the gaps were."""
    made = Operators()
    gaps = made.add("IsNaN", FEATURES)
    filled = made.add("Where", gaps, _floats(step.statistics_)[None], FEATURES)
    kept = np.flatnonzero(~np.isnan(step.statistics_.astype(np.float64)))
    marks = made.add("Cast", made.columns(gaps, step.indicator_.features_), to=TensorProto.FLOAT)
    return made.of_features(width, made.side_by_side([made.columns(filled, kept), marks]))


def _floats(values: Any) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def _formula(step: Any, width: int) -> onnx.ModelProto:
    return trace(FORMULAS[type(step)](step), None, width, decimals=reads_decimals(step))


_GRAPHS: dict[type, Callable[[Any, int], onnx.ModelProto]] = {
    **dict.fromkeys(FORMULAS, _formula),
    FunctionTransformer: _function,
    KNNImputer: fill_by_nearest,
    QuantileTransformer: lambda step, width: to_shares(step, width, reads_decimals(step)),
    RBFSampler: _random_features,
    SimpleImputer: _with_gaps_marked,
    SplineTransformer: _splines,
}
"""By the class of a step: its graph, by the number of columns that it reads."""
_NARROWER: dict[type, Callable[[Any], bool]] = {
    FunctionTransformer: lambda step: step.func is not None,
    OneHotEncoder: counts_rare,
    SimpleImputer: lambda step: step.add_indicator and isna(step.missing_values),
    TargetEncoder: has_many_labels,
}
"""Of steps that skl2onnx converts, those that it does not, or not rightly."""


def _is_ours(step: Any) -> bool:
    narrower = _NARROWER.get(type(step))
    return narrower is None or narrower(step)


def _graph(operator: Operator) -> onnx.ModelProto:
    step = operator.raw_operator
    if isinstance(step, OneHotEncoder):
        return encode_rare(step, operator.inputs)
    if isinstance(step, TargetEncoder):
        return encode_means(step, operator.inputs)
    if any(isinstance(given.type, StringTensorType) for given in operator.inputs):
        if isinstance(step, FunctionTransformer):
            name = getattr(step.func, "__name__", type(step.func).__name__)
            raise ExportError(
                f"the function {name!r} of a FunctionTransformer reads texts, which can't be "
                "converted: put what it makes into the table as a column"
            )
        raise ExportError(f"a {type(step).__name__} takes numbers: {TEXTS}")
    if not isna(getattr(step, "missing_values", np.nan)):
        raise ExportError(
            f"a {type(step).__name__} whose gaps are {step.missing_values!r} can't be converted: "
            "leave gaps empty in the table, and fit it with missing_values=np.nan"
        )
    widths = [given.type.shape[1] for given in operator.inputs]
    width = step.n_features_in_ if None in widths else int(sum(widths))
    graph = _GRAPHS[type(step)](step, width)
    return _read_beside(graph, widths) if len(widths) > 1 else graph


def _read_beside(graph: onnx.ModelProto, widths: Sequence[int]) -> onnx.ModelProto:
    """A graph whose one input is put together of several."""
    joined = graph.graph.input[0].name
    ports = [
        helper.make_tensor_value_info(f"columns/{number}", TensorProto.FLOAT, ["batch", width])
        for number, width in enumerate(widths)
    ]
    names = [port.name for port in ports]
    graph.graph.node.insert(0, helper.make_node("Concat", names, [joined], "joined", axis=1))
    del graph.graph.input[:]
    graph.graph.input.extend(ports)
    return graph


def _set_shape(operator: Operator) -> None:
    if not _is_ours(operator.raw_operator):
        get_shape_calculator(operator.type)(operator)
        return
    (output,) = onnx.shape_inference.infer_shapes(_graph(operator)).graph.output
    width = output.type.tensor_type.shape.dim[1].dim_value
    operator.outputs[0].type = FloatTensorType([None, width])


def _convert(scope: Scope, operator: Operator, container: ModelComponentContainer) -> None:
    if not _is_ours(operator.raw_operator):
        get_converter(operator.type)(scope, operator, container)
        return
    add_onnx_graph(scope, operator, container, _graph(operator))


_OURS = *_GRAPHS, OneHotEncoder, TargetEncoder
CONVERTERS = dict.fromkeys(_OURS, _convert)
"""As skl2onnx takes them, by class."""
SHAPES = dict.fromkeys(_OURS, _set_shape)
"""What says skl2onnx the shapes of their answers."""
