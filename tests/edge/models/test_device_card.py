"""Cards of devices: the reference graphs are valid ONNX, and the card is read as it was written."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx.reference import ReferenceEvaluator
from ounce_edge.models.device_card import measure_device
from ounce_edge.models.reference_graphs import REFERENCE_GRAPHS
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes_command import command
from ounce_schemas.device import ReferenceTimes
from ounce_schemas.documents import read_device
from ounce_schemas.errors import ArtifactError, OunceError


@pytest.mark.parametrize("name", REFERENCE_GRAPHS)
def test_a_reference_graph_is_valid_and_answers_as_the_standard_says(name: str) -> None:
    graph = REFERENCE_GRAPHS[name]()
    items = np.random.default_rng(1).normal(size=(3, *graph.item_shape)).astype(np.float32)

    model = onnx.load_from_string(graph.content)
    onnx.checker.check_model(model, full_check=True)
    answers = OnnxCpuRuntime().load(Path("model.onnx"), graph.content).run({"x": items})

    (expected,) = ReferenceEvaluator(model).run(None, {"x": items})
    np.testing.assert_allclose(answers, expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(answers) > 0


def test_every_time_of_a_card_has_its_graph() -> None:
    assert set(REFERENCE_GRAPHS) == set(ReferenceTimes.model_fields)


def test_a_card_is_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "here.json"

    result = CliRunner().invoke(command, ["--card", str(path)])

    assert result.exit_code == 0
    assert f"{path}: " in result.stdout
    assert read_device(path).runtime == OnnxCpuRuntime().name


def test_a_card_that_can_not_be_written_or_read_is_named(tmp_path: Path) -> None:
    away, negative = tmp_path / "no" / "here.json", tmp_path / "negative.json"
    card = measure_device(OnnxCpuRuntime(), seconds=0.01)
    wrong = card.model_dump_json().replace(f'"trees_us":{card.reference.trees_us}', '"trees_us":-1')
    negative.write_text(wrong)

    error = CliRunner().invoke(command, ["--card", str(away)]).exception

    assert isinstance(error, OunceError)
    assert str(error) == f"{away}: can't be written: No such file or directory"
    with pytest.raises(ArtifactError, match=r"negative.json: reference.trees_us: .*'-1'"):
        read_device(negative)
