"""Tensors of a graph: what fails raises, and nothing else is printed."""

import numpy as np
import onnx
import pytest
from ounce_exporters.explaining.tape import evaluate

ROWS = onnx.parser.parse_model("""
<ir_version: 8, opset_import: ["" : 17]>
rows (int64[n] x) => (float[n] y) <float[2] table = {3, 4}> { y = Gather (table, x) }
""")


def test_every_tensor_is_there() -> None:
    found = evaluate(ROWS, {"x": np.array([1, 0])})
    assert {name: array.tolist() for name, array in found.items()} == {
        "y": [4.0, 3.0],
        "table": [3.0, 4.0],
    }


def test_a_failure_prints_no_line_of_the_runtime(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exception, match="out of data bounds"):
        evaluate(ROWS, {"x": np.array([2])})
    assert capfd.readouterr() == ("", "")
