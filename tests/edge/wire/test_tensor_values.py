"""Which values can be served."""

import numpy as np
import pytest
from ounce_edge.wire.requests.tensor_values import all_acceptable, value_error
from ounce_schemas.task import TensorSpec

SIGNALLING = np.frombuffer(b"\x01\x00\x80\x7f" + np.float32(1).tobytes(), "<f4")
"""A NaN that warns when it is calculated with, as noise may hold it, and 1."""


@pytest.mark.parametrize("minimum", [None, 0.0])
def test_any_nan_may_be_a_missing_value(minimum: float | None) -> None:
    spec = TensorSpec(name="x", datatype="FP32", shape=(2,), allow_missing=True, minimum=minimum)
    assert value_error(SIGNALLING, spec) is None
    strict = spec.model_copy(update={"allow_missing": False})
    assert "value 0 of input 'x' is nan" in str(value_error(SIGNALLING, strict))
    assert not all_acceptable(SIGNALLING[None], strict)
