"""Texts as categories: the graph numbers them as Python does, unknown ones as gaps."""

import numpy as np
import onnxruntime as ort
import pytest
from ounce_exporters.tasks.table.ordinals import MOST_TEXTS, TextPlaces
from ounce_exporters.training.classical import convert
from ounce_schemas.task import TaskSpec, TensorSpec


def task(n_columns: int) -> TaskSpec:
    return TaskSpec(
        name="t",
        kind="classification",
        description="t",
        inputs=(TensorSpec(name="categories", datatype="BYTES", shape=(n_columns,)),),
        labels=("a", "b"),
    )


@pytest.mark.parametrize("known", [None, [["", "grün", "rot"], ["x"]]])
def test_the_graph_numbers_texts_as_the_step_does(known: list[list[str]] | None) -> None:
    rows = np.array([["rot", "x"], ["", ""], ["grün", "x"], ["rot", ""]], dtype=object)
    step = TextPlaces(known).fit(rows)
    fresh = np.array([["rot", "x"], ["blau", "y"], ["", ""], ["GRÜN", "x"]], dtype=object)
    expected = step.transform(fresh)
    assert np.isnan(expected[1]).all()
    assert expected[0].tolist() == [2.0, 0.0 if known else 1.0]
    graph = convert(step, task(2))
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"categories": fresh})
    np.testing.assert_array_equal(found, expected)


def test_a_column_has_no_more_categories_than_the_trees_take() -> None:
    rows = np.array([[f"{i:04}"] for i in range(MOST_TEXTS + 10)], dtype=object)
    places = TextPlaces().fit(rows).transform(rows)
    assert places[MOST_TEXTS - 1, 0] == MOST_TEXTS - 1
    assert np.isnan(places[MOST_TEXTS:]).all()
