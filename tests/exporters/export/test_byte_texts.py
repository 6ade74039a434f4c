"""Models that read categories answer as before where they read the categories' bytes."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.building import build_engine
from ounce_exporters.export.byte_texts import MOST_COMPARED
from ounce_exporters.export.standard import ML, NoStandardFormError, standardize
from ounce_exporters.ladder.building import build_ladder
from ounce_exporters.ladder.recipe import Inputs, Split, TaskData
from ounce_exporters.lighter.forms import Form, convert
from ounce_exporters.lighter.recipes import with_lighter
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.tasks.table.recipes import recipes
from ounce_schemas.cells import Cell
from ounce_schemas.documents import read_card
from ounce_schemas.task import TaskSpec, TensorSpec

from tests.support.tensorrt.rtx import rtx_or_skip

MODELS = ("logistic-regression", "decision-tree", "gradient-boosting", "mlp-small")
COLOURS = ("green", "grün", "red")
TOWNS = tuple(f"town {i}" for i in range(120))
"""More than become a feature each."""
HOSTILE = ("", "green", "grün", "gru", "greenish green of the meadows", "Red", "赤", "red")


@pytest.fixture(scope="module")
def data() -> TaskData:
    """Two numbers, and two columns of texts with gaps."""
    rng = np.random.default_rng(0)
    n = 240
    colours = rng.choice(["", *COLOURS], n)
    texts = np.stack([colours, np.resize(TOWNS, n)], axis=1).astype(object)
    numbers = rng.normal(size=(n, 2)).astype(np.float32)
    numbers[::9, 0] = np.nan
    split = Split(
        {"input": numbers, "categories": texts},
        ((colours == "red") ^ (np.arange(n) % 7 == 0)).astype(np.int64),
    )
    listed = tuple(
        Cell(column=column, read="text", texts=known)
        for column, known in (("colour", COLOURS), ("town", tuple(sorted(TOWNS))))
    )
    spec = TaskSpec(
        name="paints",
        kind="classification",
        description="Whether a paint sells",
        inputs=(
            TensorSpec(name="input", datatype="FP32", shape=(2,), allow_missing=True),
            TensorSpec(
                name="categories",
                datatype="BYTES",
                shape=(2,),
                columns=("colour", "town"),
                cells=listed,
            ),
        ),
        labels=("no", "yes"),
    )
    return TaskData(spec, "made", split, split, split, "0" * 64)


def graph_of(data: TaskData, name: str) -> onnx.ModelProto:
    recipe = next(r for r in recipes(data) if r.name == name)
    return recipe.fit(data, 0, lambda share: None).to_onnx()


def answers(model: onnx.ModelProto, inputs: Inputs) -> NDArray[np.float32]:
    return OnnxCpuRuntime().load(Path("m.onnx"), model.SerializeToString()).run(inputs)


@pytest.mark.parametrize("name", MODELS)
def test_answers_are_those_of_the_model_that_reads_texts(data: TaskData, name: str) -> None:
    model = graph_of(data, name)
    standard = standardize(model)
    assert {node.domain for node in standard.graph.node} == {""}
    texts = np.array([[c, t] for c in HOSTILE for t in ("town 7", "town 77", "town", "")], object)
    numbers = np.resize(data.train.inputs["input"], (len(texts), 2))
    for inputs in (data.train.inputs, {"input": numbers, "categories": texts}):
        wanted, found = answers(model, inputs), answers(standard, inputs)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.rtx
@pytest.mark.parametrize("name", MODELS)
def test_tensorrt_builds_it(data: TaskData, name: str) -> None:
    content = standardize(graph_of(data, name)).SerializeToString()
    assert build_engine(rtx_or_skip(), content, BatchProfile(best=8, most=64))


@pytest.mark.rtx
def test_tensorrt_builds_its_network_in_fp16(data: TaskData) -> None:
    half = convert(graph_of(data, "mlp-small"), Form.FP16, data.train.inputs)
    assert build_engine(rtx_or_skip(), half.SerializeToString(), BatchProfile(best=8, most=64))


def test_a_form_is_offered_where_texts_were_read(data: TaskData, tmp_path: Path) -> None:
    (tmp_path / "paints").mkdir()
    made = [r for r in recipes(data) if r.name in ("decision-tree", "mlp-small")]
    build_ladder(data, with_lighter(made, keep=True), tmp_path, 0, Reporters())
    cards = {p.parent.name: read_card(p) for p in tmp_path.glob("paints/*/card.json")}
    for_gpus = {"decision-tree-tensors", "mlp-small-fp16", "mlp-small-tensors"}
    assert cards.keys() == {"decision-tree", "mlp-small", "mlp-small-int8-dynamic", *for_gpus}
    for name, card in cards.items():
        says = None if name in for_gpus else "TensorRT takes no texts: categories"
        assert card.not_on_gpu == says, name
        assert card.inputs == data.spec.inputs
        assert card.parity.agreement == 1.0
    assert cards["mlp-small-tensors"].parity.largest_difference < 1e-5
    assert cards["decision-tree-tensors"].unexplained == (
        "it reads categories as bytes: the model that it is a form of explains"
    )


def test_each_column_is_compared_as_far_as_its_own_texts_reach(data: TaskData) -> None:
    standard = standardize(graph_of(data, "decision-tree"))
    compared = {t.dims[-1] for t in standard.graph.initializer if t.name.endswith("/texts")}
    assert compared == {1 + len("green"), 1 + len("town 119")}


def one_hot(*texts: str, **more: Any) -> onnx.ModelProto:
    node = helper.make_node(
        "OneHotEncoder", ["t"], ["y"], domain=ML, cats_strings=list(texts), **more
    )
    graph = helper.make_graph(
        [node],
        "texts",
        [helper.make_tensor_value_info("t", TensorProto.STRING, ["batch", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1, len(texts)])],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(ML, 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (one_hot("red", " red"), "two of its texts are the same but for blanks or NULs"),
        (one_hot("red", "red\0"), "two of its texts are the same but for blanks or NULs"),
        (one_hot("red", zeros=0), "operator OneHotEncoder: it knows no texts, or refuses others"),
        (
            one_hot(*(f"{i:015}" for i in range(MOST_COMPARED // 16 + 1))),
            "operator OneHotEncoder: 4,097 texts of up to 15 bytes are too many to compare",
        ),
    ],
)  # fmt: skip
def test_texts_that_bytes_do_not_tell_apart_are_refused(model: onnx.ModelProto, why: str) -> None:
    with pytest.raises(NoStandardFormError, match=f"^{why}$"):
        standardize(model)
