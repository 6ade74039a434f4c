"""A target that float32 would blur: models learn the rest, answers and labels are of the whole."""

import json
import struct
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pandas as pd
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.recommender.canary.sequential_test import Outcomes
from ounce_exporters.api import add_model
from ounce_exporters.cascades.planning import plan_ladder
from ounce_exporters.export.artifacts import new_ladder
from ounce_exporters.ladder.building import build_ladder
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_schemas.documents import read_task
from ounce_schemas.errors import ExportError
from ounce_schemas.label import Label
from ounce_schemas.prediction import DoubleOutput, Prediction
from ounce_schemas.task import TaskSpec
from ounce_services.client.ask_command import command as ask
from ounce_services.devices.answer_forms import read_prediction
from ounce_services.devices.samples import read_samples
from pydantic import ValidationError
from sklearn.linear_model import LinearRegression

from tests.support.edge.ladders import FakeRecord
from tests.support.edge.pipelines import pipeline, process

BASE = 1e8
RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, 400).round(4)
Y = BASE + X + RNG.normal(0, 0.01, 400)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the ladder `counter`, of a ridge alone."""
    folder = tmp_path_factory.mktemp("offset")
    pd.DataFrame({"x": X, "y": Y}).to_csv(folder / "counter.csv", index=False)
    data = load(folder / "counter.csv", "y", "counter", TableOptions(), 0, lambda line: None)
    chosen = [recipe for recipe in recipes(data) if recipe.name == "ridge"]
    with new_ladder(folder, data.spec, data.test, keep_models=False) as scratch:
        build_ladder(data, chosen, scratch, 0, Reporters())
        plan_ladder(data, scratch, 0, Reporters())
    return folder


def record(x: float, id: str, answer: str = "v2") -> FakeRecord:
    body = json.dumps({"x": x}).encode()
    return FakeRecord(body, [("ce_id", id.encode()), ("ounce-answer", answer.encode())])


def test_answers_are_whole_values_in_double_precision(models: Path) -> None:
    ladder = load_ladder(models, "counter", OnnxCpuRuntime(threads=1))
    assert ladder.task.offset == pytest.approx(BASE, abs=1)
    assert ladder.task.tolerance is not None
    assert ladder.task.tolerance < 0.05
    serving = pipeline(*ladder.models, task=ladder.task, min_accuracy=0)
    records = [record(x, str(i)) for i, x in enumerate((-0.5, 0.25, 0.75))]
    sent, _ = process(serving, *records)
    for x, (_, body, _, _) in zip((-0.5, 0.25, 0.75), sent, strict=True):
        value, interval = msgspec.json.decode(body, type=Prediction).outputs
        assert isinstance(value, DoubleOutput)
        assert isinstance(interval, DoubleOutput)
        assert value.data == [pytest.approx(BASE + x, abs=0.01)]
        low, high = interval.data
        assert 0.01 < high - low < 0.1
        assert len(repr(value.data[0])) < len("100000000.12345678"), "six digits of the rest"


def test_other_forms_hold_them_too(models: Path) -> None:
    ladder = load_ladder(models, "counter", OnnxCpuRuntime(threads=1))
    serving = pipeline(*ladder.models, task=ladder.task, min_accuracy=0)
    sent, _ = process(serving, record(0.5, "a", "raw"), record(0.5, "b", "flat"))
    raw, flat = (body for _, body, _, _ in sent)
    value, low, high = struct.unpack("<3d", raw)
    assert value == json.loads(flat)["value"] == pytest.approx(BASE + 0.5, abs=0.01)
    assert [low, high] == json.loads(flat)["interval"]


def test_several_rows_of_a_request_are_answered_whole(models: Path) -> None:
    ladder = load_ladder(models, "counter", OnnxCpuRuntime(threads=1))
    serving = pipeline(*ladder.models, task=ladder.task, min_accuracy=0)
    tensor = {"name": "input", "shape": [2, 1], "datatype": "FP32", "data": [0.5, 0.25]}
    sent, _ = process(serving, FakeRecord(json.dumps({"inputs": [tensor]}).encode()))
    [(_, body, _, _)] = sent
    value, interval = msgspec.json.decode(body, type=Prediction).outputs
    assert isinstance(value, DoubleOutput)
    assert isinstance(interval, DoubleOutput)
    assert value.data == [pytest.approx(BASE + x, abs=0.01) for x in (0.5, 0.25)]


def test_devices_and_people_read_whole_values(models: Path) -> None:
    ladder = load_ladder(models, "counter", OnnxCpuRuntime(threads=1))
    serving = pipeline(*ladder.models, task=ladder.task, min_accuracy=0)
    sent, _ = process(serving, record(0.5, "a", "raw"))
    [(_, body, _, _)] = sent
    raw = read_prediction(body, {"ce_id": b"a"}, ladder.task)
    assert raw.outputs[0].data == [pytest.approx(BASE + 0.5, abs=0.01)]
    words = ["counter", "--local", f"--models={models}", "--data", '{"x": 0.5}']
    result = CliRunner().invoke(ask, words)
    shown = next(line for line in result.output.splitlines() if line.startswith("answer"))
    assert shown.split()[1].startswith("100000000.")


def test_labels_are_whole_values(models: Path) -> None:
    ladder = load_ladder(models, "counter", OnnxCpuRuntime(threads=1))
    serving = pipeline(*ladder.models, task=ladder.task, min_accuracy=0)
    process(serving, record(0.5, "a"), record(0.5, "b"))
    learned = serving.learn([Label("a", value=BASE + 0.5), Label("b", value=BASE + 0.6)])
    assert learned.answers == {"p1": Outcomes(2, 1)}


def test_devices_hold_answers_against_whole_values(models: Path) -> None:
    samples = read_samples(models, "counter")
    ladder = load_ladder(models, "counter", OnnxCpuRuntime(threads=1))
    serving = pipeline(*ladder.models, task=ladder.task, min_accuracy=0)
    xs = samples.inputs["input"][:20, 0].tolist()
    sent, _ = process(serving, *(record(x, str(i)) for i, x in enumerate(xs)))
    kept = [
        samples.is_acceptable(msgspec.json.decode(body, type=Prediction), i)
        for i, (_, body, _, _) in enumerate(sent)
    ]
    assert sum(kept) >= 17


def whole(path: Path, kind: int) -> Path:
    """`y = x + BASE` as a hand-made graph of one number type."""
    base = numpy_helper.from_array(np.array(BASE, helper.tensor_dtype_to_np_dtype(kind)), "base")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "base"], ["y"])],
        "mine",
        [helper.make_tensor_value_info("x", kind, ["n", 1])],
        [helper.make_tensor_value_info("y", kind, ["n", 1])],
        [base],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, path)
    return path


@pytest.mark.parametrize(
    ("kind", "knows"), [(TensorProto.DOUBLE, True), (TensorProto.FLOAT, False)]
)
def test_an_own_model_of_the_whole_value_joins(
    kind: int, knows: bool, models: Path, tmp_path: Path
) -> None:
    path = whole(tmp_path / f"own-{kind}.onnx", kind)
    ladder = add_model(path, "counter", models=models)
    [card] = [card for card in ladder.cards if card.model == path.stem]
    assert (card.test_accuracy.value > 0.9) == knows
    assert any("is taken off output 'y'" in note for note in ladder.notes)
    assert any("is float32, which blurs such values" in note for note in ladder.notes) != knows


def test_an_own_model_that_float32_spoils_is_refused(models: Path) -> None:
    model = LinearRegression().fit(pd.DataFrame({"x": X}), Y)
    with pytest.raises(ExportError, match=r"agrees with the native model on 0\.00%"):
        add_model(model, "counter", models=models, name="line")


def test_only_a_quantity_has_an_offset(models: Path) -> None:
    task = read_task(models / "counter" / "task.json")
    wrong = {**task.model_dump(), "kind": "classification", "labels": ("a", "b")}
    with pytest.raises(ValidationError, match="offset belongs to regression"):
        TaskSpec.model_validate(wrong)
