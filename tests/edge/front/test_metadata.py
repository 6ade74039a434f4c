"""What callers are told of a task's inputs and outputs."""

from ounce_edge.front.metadata import describe
from ounce_schemas.task import TaskSpec, TensorSpec

INPUT = TensorSpec(name="input", datatype="FP32", shape=(3, 2))


def outputs(task: TaskSpec) -> list[tuple[str, str, list[int]]]:
    return [(o["name"], o["datatype"], o["shape"]) for o in describe(task)["outputs"]]


def test_shapes_begin_with_the_number_of_rows() -> None:
    task = TaskSpec(
        name="rooms", kind="classification", description="x", inputs=(INPUT,), labels=("a", "b")
    )
    assert describe(task)["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 3, 2]}]
    assert outputs(task) == [
        ("label", "BYTES", [-1]),
        ("confidence", "FP32", [-1]),
        ("probabilities", "FP32", [-1, 2]),
    ]
    assert "versions" not in describe(task)


def test_a_quantity_with_an_offset_is_in_double_precision() -> None:
    task = TaskSpec(
        name="rent", kind="regression", description="x", inputs=(INPUT,), tolerance=1,
        interval_coverage=0.9, offset=1e9,
    )  # fmt: skip
    assert outputs(task) == [("value", "FP64", [-1]), ("interval", "FP64", [-1, 2])]
