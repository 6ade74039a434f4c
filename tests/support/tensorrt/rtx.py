"""TensorRT for RTX, which parses and builds without a GPU: installed on Linux, x86-64, alone."""

import pytest
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt, find_tensorrt
from ounce_schemas.errors import RuntimeAbsentError


def rtx_or_skip() -> TensorRt:
    """It, or the test is skipped."""
    try:
        return find_tensorrt(Flavour.RTX)
    except RuntimeAbsentError as e:
        pytest.skip(str(e))
