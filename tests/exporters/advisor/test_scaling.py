"""Times on another machine: the call and the work, each by its own ratio."""

import pytest
from ounce_edge.models.reference_graphs import REFERENCE_GRAPHS
from ounce_exporters.advisor.scaling import reference_of, scale
from ounce_schemas.advice import MeasuredModel
from ounce_schemas.device import ReferenceTimes

HERE = ReferenceTimes(call_us=10, matrix_us=100, trees_us=100, convolution_us=100)
THERE = ReferenceTimes(call_us=40, matrix_us=200, trees_us=300, convolution_us=500)


@pytest.mark.parametrize(
    ("name", "reference"),
    [(name, "matrix_us" if name == "call_us" else name) for name in REFERENCE_GRAPHS],
)
def test_a_reference_graph_is_like_itself(name: str, reference: str) -> None:
    assert reference_of(REFERENCE_GRAPHS[name]().content) == reference


@pytest.mark.parametrize(
    ("reference", "p50_ms"),
    [("matrix_us", 0.04 + 0.04), ("trees_us", 0.04 + 0.06), ("convolution_us", 0.04 + 0.10)],
)
def test_work_is_scaled_by_its_kind_and_the_call_as_any_call(reference: str, p50_ms: float) -> None:
    timed = [MeasuredModel(model="a", batch_size=1, p50_ms=0.03, p99_ms=0.005)]

    (there,) = scale(timed, {"a": reference}, HERE, THERE)

    assert there.p50_ms == pytest.approx(p50_ms)
    assert there.p99_ms == pytest.approx(0.02)  # less than any call: all of it is the call
