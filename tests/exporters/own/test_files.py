"""ONNX files that other tools made join a ladder; what does not fit is refused in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.own import onnx_file
from ounce_exporters.own.joining import from_file, join, model_name
from ounce_exporters.own.ladders import find_ladder
from ounce_exporters.own.wrapping import Outputs
from ounce_schemas.card import ModelCard
from ounce_schemas.documents import read_card, read_plans
from ounce_schemas.errors import ArtifactError, DataError, ExportError
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.exporters.own.foreign import linear, rooms

TABLE = rooms(400, seed=9)


def add(path: Path, models: Path, task: str = "rooms", **hints: Any) -> tuple[ModelCard, list[str]]:
    notes: list[str] = []
    judges = find_ladder(models, task, None, notes.append)
    name = model_name(path.name)
    join(from_file(path), name, models, judges, Outputs(**hints), notes.append)
    return read_card(models / task / name / "card.json"), notes


def pipeline(estimator: Any, target: str = "busy") -> Pipeline:
    columns = make_column_transformer(
        (StandardScaler(), ["warm", "wet"]), (OneHotEncoder(handle_unknown="ignore"), ["site"])
    )
    return make_pipeline(columns, estimator).fit(TABLE[["warm", "wet", "site"]], TABLE[target])


def converted(path: Path, model: Pipeline, kind: Any = FloatTensorType, zipmap: Any = None) -> Path:
    types = [("warm", kind([None, 1])), ("wet", kind([None, 1]))]
    types.append(("site", StringTensorType([None, 1])))
    options = None if zipmap is None else {id(model): {"zipmap": zipmap}}
    onnx.save(convert_sklearn(model, initial_types=types, options=options), path)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("kind", "zipmap"),
    [
        (FloatTensorType, None),
        (DoubleTensorType, None),
        (FloatTensorType, False),
        (FloatTensorType, "columns"),
        (DoubleTensorType, "columns"),
    ],
    ids=["lists of dictionaries", "double", "tensors", "a tensor a label", "doubles a label"],
)
def test_a_pipeline_that_skl2onnx_wrote_joins(
    kind: Any, zipmap: Any, models: Path, tmp_path: Path
) -> None:
    model = pipeline(LogisticRegression())
    card, notes = add(converted(tmp_path / "My model.onnx", model, kind, zipmap), models)
    assert card.model == "my-model"
    assert card.family == "classical"
    assert card.training.n_train == 0
    assert card.test_accuracy.value > 0.75
    assert card.parity.agreement == 1
    assert any("is read as probabilities" in note for note in notes)
    ladder = load_ladder(models, "rooms", OnnxCpuRuntime())
    assert not ladder.refused
    assert {m.card.model for m in ladder.models} == {
        "my-model",
        "decision-tree",
        "logistic-regression",
    }
    plans = {p.name for p in ladder.plans if not p.is_cascade}
    assert plans == {"my-model", "decision-tree", "logistic-regression"}


def test_a_file_answers_in_the_ladder_as_its_pipeline_does(models: Path, tmp_path: Path) -> None:
    model = pipeline(RandomForestClassifier(10, random_state=0))
    card, _ = add(converted(tmp_path / "forest.onnx", model), models)
    served = next(
        m
        for m in load_ladder(models, "rooms", OnnxCpuRuntime()).models
        if m.card.model == card.model
    )
    numbers = TABLE[["warm", "wet"]].to_numpy(np.float32)
    answers = served.loaded.run({"input": numbers, "categories": TABLE[["site"]].to_numpy(object)})
    labels = np.array(["maybe", "no", "yes"])[answers.argmax(axis=1)]
    native = model.predict(TABLE[["warm", "wet", "site"]])
    assert (labels == native).mean() > 0.99  # a tie of ten trees may fall either way


def test_a_regression_joins(models: Path, tmp_path: Path) -> None:
    path = converted(tmp_path / "lines.onnx", pipeline(Ridge(), "watts"))
    card, _ = add(path, models, "watts")
    assert card.regression is not None
    assert card.regression.r2 > 0.8
    assert card.calibration.half_width is not None


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE])
def test_hand_made_logits_under_other_names_join(kind: int, models: Path, tmp_path: Path) -> None:
    path = linear(tmp_path / "hand.onnx", kind=kind, names=("readings", "scores"))
    card, notes = add(path, models, labels=("no", "maybe", "yes"))
    assert card.family == "neural"
    assert card.test_accuracy.value > 0.6
    assert "input 'readings' gets 'input' in the order warm, wet" in notes
    assert "output 'scores' is read as logits" in notes


def test_columns_in_another_order_are_refused_with_the_order(models: Path, tmp_path: Path) -> None:
    path = linear(tmp_path / "hand.onnx", weights=np.array([[1.0, 0.0, -1.0], [0, 0, 0]]))
    before = contents(models)
    with pytest.raises(ExportError, match="perhaps --label yes --label maybe --label no"):
        add(path, models)
    assert contents(models) == before


def test_a_label_alone_is_an_answer(models: Path, tmp_path: Path) -> None:
    path = converted(tmp_path / "label.onnx", pipeline(LogisticRegression()))
    card, notes = add(path, models, name="output_label")
    assert card.test_accuracy.value > 0.75
    assert "output 'output_label' is a label alone: every answer has the same confidence" in notes


def save(path: Path, nodes: list[onnx.NodeProto], **of_input: Any) -> Path:
    """A graph of one input `x` and one output `y`."""
    kind = of_input.get("kind", TensorProto.FLOAT)
    shape = of_input.get("shape", ["n", 2])
    graph = helper.make_graph(
        nodes,
        "mine",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.zeros((2, 3), np.float32), "w")],
    )
    model = helper.make_model(
        graph,
        opset_imports=[
            helper.make_opsetid("", of_input.get("opset", 17)),
            helper.make_opsetid("ai.onnx.ml", 3),
        ],
        ir_version=8,
    )
    onnx.save(model, path)
    return path


ENCODE = helper.make_node(
    "LabelEncoder",
    ["x"],
    ["y"],
    domain="ai.onnx.ml",
    keys_strings=["north"],
    values_floats=[1.0],
)
MATMUL = helper.make_node("MatMul", ["x", "w"], ["y"])


def external(path: Path, location: str) -> Path:
    model = onnx.load(save(path, [MATMUL]))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    onnx.save(model, path)
    return path


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda p: p.write_text("hello there"), "not an ONNX file"),
    "empty": (lambda p: p.touch(), "not an ONNX file, or one without a graph"),
    "folder": (lambda p: p.mkdir(), "there is no such file"),
    "absent": (lambda p: None, "there is no such file"),
    "pickle": (lambda p: p.write_bytes(b"\x80\x04K\x01."), "a pickle, which is never opened"),
    "PyTorch's": (lambda p: p.write_bytes(b"PK\x03\x04..."), "an archive, as those of PyTorch"),
    "joblib's": (lambda p: joblib.dump([1], p, compress=3), "a packed file, as joblib's are: load"),
    "of Git LFS": (
        lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\n"),
        "a pointer of Git LFS: fetch the file itself with git lfs pull",
    ),
    "a page": (lambda p: p.write_text("<!DOCTYPE html>"), "a page that says why a download failed"),
    "XGBoost's": (lambda p: p.write_text('{"learner":{}}'), "as XGBoost's own files are: load"),
    "LightGBM's": (lambda p: p.write_text("tree\nversion=v4\n"), "LightGBM's own: load the model"),
    "weights elsewhere": (lambda p: external(p, "../w.bin"), "only a file beside it is read"),
    "weights absent": (lambda p: external(p, "w.bin"), "keeps weights in 'w.bin', which is not"),
    "wrong width": (lambda p: linear(p, width=3), "'x' (tensor(float), 3 values an item) matches"),
    "texts": (
        lambda p: save(p, [ENCODE], kind=TensorProto.STRING, shape=["n", 2]),
        "'x' (tensor(string), 2 values an item) matches no input",
    ),
    "tokens": (
        lambda p: linear(p, width=2, names=("input_ids", "logits"), kind=TensorProto.INT64),
        "'input_ids' takes the numbers of a text's tokens, and a worker has no tokenizer",
    ),
    "unknown operator": (
        lambda p: save(p, [helper.make_node("Guess", ["x"], ["y"])]),
        "can't run it",
    ),
    "unknown operator set": (lambda p: save(p, [MATMUL], opset=99), "can't run it"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_can_not_join_is_refused_in_one_line(
    what: str, models: Path, tmp_path: Path
) -> None:
    make, reason = REFUSED[what]
    path = tmp_path / "mine.onnx"
    make(path)
    before = contents(models)
    with pytest.raises((ArtifactError, ExportError)) as refused:
        add(path, models)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500
    assert contents(models) == before


def test_an_answer_that_is_not_finite_is_refused(models: Path, tmp_path: Path) -> None:
    weights = np.array([[np.nan, 0.0, 1.0], [0, 0, 0]])
    with pytest.raises(ExportError, match="180 of 180 items get an answer that is not finite"):
        add(linear(tmp_path / "nan.onnx", weights=weights), models)


def test_a_model_that_wants_whole_numbers_is_refused_for_fractions(
    models: Path, tmp_path: Path
) -> None:
    path = linear(tmp_path / "int.onnx", kind=TensorProto.INT64)
    with pytest.raises(ExportError, match=r"takes whole numbers .* 'warm' has gaps or fractions"):
        add(path, models)


def test_a_model_whose_items_depend_on_each_other_is_refused(models: Path, tmp_path: Path) -> None:
    mean = helper.make_node("ReduceMean", ["x"], ["m"], axes=[0], keepdims=1)
    minus = helper.make_node("Sub", ["x", "m"], ["c"])
    wide = helper.make_node("Concat", ["c", "m"], ["y"], axis=0)
    with pytest.raises(ExportError, match="no output has one answer for each"):
        add(save(tmp_path / "a.onnx", [mean, minus, wide]), models)
    noise = helper.make_node("RandomNormalLike", ["x"], ["r"])
    three = helper.make_node("Concat", ["r", "r", "c"], ["cat"], axis=1)
    cut = helper.make_node("Softmax", ["cat"], ["s"], axis=1)
    first = helper.make_node("Split", ["s"], ["y", "other"], axis=1)
    with pytest.raises(ExportError, match="another answer alone than among others"):
        add(save(tmp_path / "b.onnx", [mean, minus, noise, three, cut, first]), models)


def test_labels_that_the_task_does_not_know_are_refused(models: Path, tmp_path: Path) -> None:
    model = pipeline(LogisticRegression())
    path = converted(tmp_path / "a.onnx", model)
    with pytest.raises(ExportError, match="answers 'never', which task 'rooms' does not know"):
        add(path, models, labels=("maybe", "never", "yes"))


def test_weights_in_a_file_beside_the_model_become_part_of_it(models: Path, tmp_path: Path) -> None:
    whole = linear(tmp_path / "hand.onnx")
    split = tmp_path / "split.onnx"
    onnx.save(onnx.load(whole), split, save_as_external_data=True, size_threshold=0)
    card, _ = add(split, models, labels=("no", "maybe", "yes"))
    assert not load_ladder(models, "rooms", OnnxCpuRuntime()).refused
    assert card.test_accuracy.value > 0.6


def test_a_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)  # takes no room on disk
    monkeypatch.setattr(onnx_file, "_parse", None)
    with pytest.raises(ArtifactError, match="2,048 MiB; at most 512 MiB can be added"):
        from_file(path)


def test_an_own_model_is_replaced_and_a_trained_one_is_not(models: Path, tmp_path: Path) -> None:
    labels = ("no", "maybe", "yes")
    first, _ = add(linear(tmp_path / "hand.onnx"), models, labels=labels)
    weights = np.array([[-2.0, 0.0, 2.0], [0, 0, 0]])
    second, _ = add(linear(tmp_path / "hand.onnx", weights=weights), models, labels=labels)
    assert first.sha256 != second.sha256
    plans = read_plans(models / "rooms" / "plans.json").plans
    assert {s.sha256 for p in plans for s in p.steps if s.model == "hand"} == {second.sha256}
    with pytest.raises(DataError, match="has a trained model 'decision-tree'"):
        add(linear(tmp_path / "Decision tree.onnx"), models)
